/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * criteria.c - why a call came to its rule and to no other, see criteria.h
 *
 * Single criteria are asked by what eval.c and the linter (follow.h) have; only the three answers, and what they come to for a
 * rule, are here. Order and presence of criteria are those of rule_matches.
 */
#include "criteria.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "follow.h"

#define TRIES	  300000 /* hashes for one call: a tenth of a second */
#define RANGE_MAX 10000
#define KEPT_SETS 64

struct look {
	const struct policy *p;
	const struct rule *t; /* that took the call */
	const struct policy_known *k;
	unsigned tries;
	struct { /* sets that were compared */
		const struct set *set;
		int side;
		enum policy_met met;
	} kept[KEPT_SETS];
	size_t nkept;
	bool list; /* a no-record list may have had a number, and the rule that took the call does not ask */
	bool oom;
};

struct answer {
	enum policy_met met;
	enum policy_how how;
	enum policy_criterion_of since;
};

static const struct answer open_one = {POLICY_NOT_KNOWN, POLICY_HOW_NOT, POLICY_C_SIDE};

static struct answer says(bool met, enum policy_how how)
{
	return (struct answer){met ? POLICY_MET : POLICY_UNMET, how, POLICY_C_SIDE};
}

/* By a criterion of the rule that took the call. */
static struct answer follows(bool met, enum policy_criterion_of since)
{
	return (struct answer){met ? POLICY_MET : POLICY_UNMET, POLICY_HOW_FOLLOWS, since};
}

/* ---- numbers ---- */

/* NOT_KNOWN: prefixes, or more than may be tried, and none of the others. */
static enum policy_met listed(struct look *l, const struct pattern *v, size_t n, int side)
{
	enum policy_met none = POLICY_UNMET;

	for (size_t i = 0; i < n; i++) {
		uint64_t last = v[i].kind == PAT_RANGE ? v[i].hi : v[i].lo;

		if (v[i].kind == PAT_PREFIX || last - v[i].lo >= RANGE_MAX || last - v[i].lo >= l->tries) {
			none = POLICY_NOT_KNOWN;
			continue;
		}
		for (uint64_t d = v[i].lo; d <= last; d++) {
			char number[POLICY_NUMBER_MAX];

			l->tries--;
			snprintf(number, sizeof(number), "+%0*" PRIu64, v[i].len, d);
			if (l->k->is(l->k->arg, side, number))
				return POLICY_MET;
		}
	}
	return none;
}

static enum policy_met in_set(struct look *l, const struct set *s, int side)
{
	enum policy_met met;

	for (size_t i = 0; i < l->nkept; i++)
		if (l->kept[i].set == s && l->kept[i].side == side)
			return l->kept[i].met;
	met = listed(l, s->numbers.pat, s->numbers.n, side);
	if (met == POLICY_UNMET && s->dynamic)
		met = POLICY_NOT_KNOWN; /* the members of then are not kept */
	if (l->nkept < KEPT_SETS) {
		l->kept[l->nkept].set = s;
		l->kept[l->nkept].side = side;
		l->kept[l->nkept++].met = met;
	}
	return met;
}

/* By the call's own number. */
static struct answer by_hash(struct look *l, const struct numbers *c, int side)
{
	enum policy_met met;

	if (l->k->number[side] == POLICY_NUMBER_NONE) /* withheld and not given are kept alike */
		return c->withheld ? open_one : says(false, POLICY_HOW_NUMBER);
	if (l->k->number[side] != POLICY_NUMBER_HASHED)
		return open_one;
	met = listed(l, c->pat, c->n, side);
	for (const struct word *w = c->sets; w && met != POLICY_MET; w = w->next) {
		enum policy_met one = in_set(l, w->obj, side);

		met = one == POLICY_UNMET ? met : one;
	}
	return met == POLICY_NOT_KNOWN ? open_one : says(met == POLICY_MET, POLICY_HOW_NUMBER);
}

static struct answer of_numbers(struct look *l, const struct numbers *c, int side)
{
	const struct numbers *in = numbers_of(l->t, side);
	enum policy_criterion_of since = !numbers_written(l->t, side) ? POLICY_C_SIDE : side ? POLICY_C_CALLING : POLICY_C_CALLED;
	struct answer a = by_hash(l, c, side);

	if (a.met == POLICY_NOT_KNOWN && in && numbers_follow(l->p, c, in))
		return follows(true, since);
	if (a.met == POLICY_NOT_KNOWN && numbers_apart(l->p, c, in))
		return follows(false, since);
	return a;
}

/* ---- whose call ---- */

/* Is this side the controller's own? (RX-1) */
static struct answer own(struct look *l, const struct controller *k, int side)
{
	struct answer a;

	if (rule_controller(l->t) == k && side == (int)l->t->pub.side)
		return follows(true, POLICY_C_SIDE);
	if (rule_controller(l->t) == k && l->t->direction)
		return follows(false, POLICY_C_DIRECTION);
	a = of_numbers(l, &k->numbers, side);
	return a.met == POLICY_UNMET && any_trunk(k) ? open_one : a;
}

/* The one side is, and the other is not. */
static struct answer direction(struct look *l, const struct rule *r, const struct controller *k)
{
	int at = r->direction == DIR_INBOUND ? POLICY_SIDE_CALLED : POLICY_SIDE_CALLING;
	struct answer a = own(l, k, at), b = own(l, k, !at);

	if (a.met == POLICY_UNMET)
		return a;
	if (b.met == POLICY_MET)
		return (struct answer){POLICY_UNMET, b.how, b.since};
	return a.met == POLICY_MET && b.met == POLICY_UNMET ? (struct answer){POLICY_MET, b.how, b.since} : open_one;
}

/* ---- the others ---- */

static const enum policy_criterion_of header_of[] = {[H_HEADER] = POLICY_C_HEADER, [H_QUEUE] = POLICY_C_QUEUE, [H_AGENT] = POLICY_C_AGENT};

static struct answer header(struct look *l, const struct header_crit *h)
{
	enum policy_criterion_of since = header_of[h->which];
	const struct policy_known *k = l->k;

	if (h->which == H_AGENT && k->agent)
		return says(eval_header(h, (struct policy_str){k->agent, strlen(k->agent)}), POLICY_HOW_AGENT);
	for (const struct header_crit *x = l->t->headers; x; x = x->next) {
		if (header_follows(h, x))
			return follows(true, since);
		if (header_excludes(h, x))
			return follows(false, since);
	}
	return open_one;
}

static struct answer media(struct look *l, const struct rule *r)
{
	const struct rule *t = l->t;

	if (r->encrypted && t->encrypted && r->encrypted != t->encrypted)
		return follows(false, POLICY_C_MEDIA);
	if ((r->encrypted && !t->encrypted) || (r->codecs && (!t->codecs || !words_follow(r->codecs, t->codecs, same_codec))))
		return open_one;
	return follows(true, POLICY_C_MEDIA);
}

static struct answer plain(struct look *l, const struct rule *r, enum policy_criterion_of of)
{
	const struct rule *t = l->t;
	const struct controller *k = rule_controller(r);
	bool yes = false;

	switch (of) {
	case POLICY_C_SIDE:
		return own(l, k, (int)r->pub.side);
	case POLICY_C_DIRECTION:
		return direction(l, r, k);
	case POLICY_C_CALLED:
		return of_numbers(l, &r->called, POLICY_SIDE_CALLED);
	case POLICY_C_CALLING:
		return of_numbers(l, &r->calling, POLICY_SIDE_CALLING);
	case POLICY_C_TIME:
		return k && l->k->has_time ? says(eval_time(r, k, l->k->time), POLICY_HOW_TIME) : open_one;
	case POLICY_C_MEDIA:
		return media(l, r);
	case POLICY_C_LAB:
		yes = rule_controller(t)->pub.lab;
		break;
	case POLICY_C_TRUNK:
		yes = t->at[R_TRUNK].line && bits_within(t->trunk_bits, r->trunk_bits);
		break;
	case POLICY_C_DOMAIN:
		yes = t->domains && words_follow(r->domains, t->domains, domain_follows);
		break;
	case POLICY_C_TAG:
		yes = t->tags && words_follow(r->tags, t->tags, same_word);
		break;
	default:
		break;
	}
	return yes ? follows(true, of) : open_one;
}

/* ---- words ---- */

static char *words(struct look *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static char *words(struct look *l, const char *fmt, ...)
{
	char *s = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&s, fmt, ap) < 0)
		s = NULL;
	va_end(ap);
	l->oom |= !s;
	return s;
}

/* A setting as the policy has it, on one line. */
static char *as_written(struct look *l, const struct rule *r, int id)
{
	char *s = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&s, &n);

	if (f)
		rule_print_setting(f, r, id, "");
	if (!f || fclose(f)) {
		l->oom = true;
		free(s);
		return NULL;
	}
	while (n && s[n - 1] == '\n')
		s[--n] = 0;
	for (char *c = s; *c; c++)
		*c = *c == '\n' ? ',' : *c;
	return s;
}

/* Sets by their names; what the rule itself lists is not told, since it may be one number. */
static char *number_words(struct look *l, const struct rule *r, int side)
{
	const struct numbers *c = side ? &r->calling : &r->called;
	char *s = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&s, &n);
	const char *sep = "";

	if (!f) {
		l->oom = true;
		return NULL;
	}
	fprintf(f, "the %s number is ", side ? "calling" : "called");
	for (const struct word *w = c->sets; w; w = w->next, sep = " or ")
		fprintf(f, "%s%s@%s", sep, *sep ? "" : "in ", w->s);
	if (c->n)
		fprintf(f, "%sone that line %d lists", sep, r->at[side ? R_CALLING : R_CALLED].line);
	if (c->withheld)
		fprintf(f, "%swithheld", c->sets || c->n ? " or " : "");
	if (fclose(f)) {
		l->oom = true;
		free(s);
		return NULL;
	}
	return s;
}

static char *header_words(struct look *l, const struct header_crit *h, const char **ret_value)
{
	static const char *const op[] = {"is", "begins with", "is in", "is given"};
	bool agent = h->which == H_AGENT; /* a person */
	char *s;

	if (h->op == OP_ONE_OF)
		s = words(l, "%s%s is in @%s", h->which == H_HEADER ? "header " : agent ? "agent" : "queue",
			  h->which == H_HEADER ? h->name : "", h->value->s);
	else
		s = words(l, "%s%s %s%s", h->which == H_HEADER ? "header " : agent ? "agent" : "queue", h->which == H_HEADER ? h->name : "",
			  op[h->op], agent && h->value ? " what the rule says" : "");
	if (!agent && h->value && h->op != OP_ONE_OF)
		*ret_value = h->value->s;
	return s;
}

/* ---- rules ---- */

static void add(struct look *l, struct policy_asked *a, enum policy_criterion_of of, struct answer said, int line, char *text, const char *value)
{
	struct policy_criterion *v = realloc(a->c, (a->n + 1) * sizeof(*v));

	if (!v) {
		l->oom = true;
		free(text);
		return;
	}
	a->c = v;
	v[a->n++] = (struct policy_criterion){of, said.met, said.how, said.since, line, text, value};
}

static void headers(struct look *l, const struct rule *r, struct policy_asked *a)
{
	for (const struct header_crit *h = r->headers; h; h = h->next) {
		const char *value = NULL;
		char *text = header_words(l, h, &value);

		add(l, a, header_of[h->which], header(l, h), h->at.line, text, value);
	}
}

static void criteria(struct look *l, const struct rule *r, struct policy_asked *a)
{
	static const struct {
		int id;
		enum policy_criterion_of of;
	} rest[] = {{R_SIPDOMAIN, POLICY_C_DOMAIN}, {R_TIME, POLICY_C_TIME}, {R_MEDIA, POLICY_C_MEDIA}, {R_TAG, POLICY_C_TAG}};
	const struct controller *k = rule_controller(r);
	int line = r->at[R_CONTROLLER].line;

	if (k)
		add(l, a, POLICY_C_SIDE, plain(l, r, POLICY_C_SIDE), line,
		    words(l, "the %s side is %s's own", r->pub.side == POLICY_SIDE_CALLED ? "called" : "calling", k->o.name), NULL);
	if (k && k->pub.lab)
		add(l, a, POLICY_C_LAB, plain(l, r, POLICY_C_LAB), line, words(l, "it was read from a file (lab)"), NULL);
	if (r->direction)
		add(l, a, POLICY_C_DIRECTION, plain(l, r, POLICY_C_DIRECTION), r->at[R_DIRECTION].line,
		    words(l, "direction is %s", r->direction == DIR_INBOUND ? "inbound" : "outbound"), NULL);
	if (r->at[R_CALLED].line)
		add(l, a, POLICY_C_CALLED, plain(l, r, POLICY_C_CALLED), r->at[R_CALLED].line, number_words(l, r, POLICY_SIDE_CALLED), NULL);
	if (r->at[R_CALLING].line)
		add(l, a, POLICY_C_CALLING, plain(l, r, POLICY_C_CALLING), r->at[R_CALLING].line, number_words(l, r, POLICY_SIDE_CALLING), NULL);
	if (r->at[R_TRUNK].line)
		add(l, a, POLICY_C_TRUNK, plain(l, r, POLICY_C_TRUNK), r->at[R_TRUNK].line, as_written(l, r, R_TRUNK), NULL);
	headers(l, r, a);
	for (size_t i = 0; i < sizeof(rest) / sizeof(*rest); i++)
		if (r->at[rest[i].id].line)
			add(l, a, rest[i].of, plain(l, r, rest[i].of), r->at[rest[i].id].line, as_written(l, r, rest[i].id), NULL);
}

/* What the log says of the rule that took it: it did. Only the call's own numbers could say that this is not so. */
static void took(struct policy_asked *a)
{
	for (size_t i = 0; i < a->n; i++) {
		struct policy_criterion *c = &a->c[i];

		if ((c->how == POLICY_HOW_TIME || c->how == POLICY_HOW_AGENT) && c->met == POLICY_MET)
			continue;
		if (c->how == POLICY_HOW_NUMBER && (c->met == POLICY_MET || c->of == POLICY_C_CALLED || c->of == POLICY_C_CALLING))
			continue;
		c->met = POLICY_MET;
		c->how = POLICY_HOW_TOOK;
	}
	a->end = POLICY_A_TOOK;
}

/* "header X-Line" of "header X-Line is in @lines" */
static size_t header_name(const char *s)
{
	size_t n = strcspn(s, " ");

	return n + (s[n] ? 1 + strcspn(s + n + 1, " ") : 0);
}

const struct policy_criterion *policy_since(const struct policy_criterion *c, const struct policy_asked *took)
{
	for (size_t i = 0; c->how == POLICY_HOW_FOLLOWS && i < took->n; i++) {
		const struct policy_criterion *t = &took->c[i];

		if (t->of != c->since)
			continue;
		if (t->of != POLICY_C_HEADER || (header_name(t->words) == header_name(c->words) && !strncasecmp(t->words, c->words, header_name(c->words))))
			return t;
	}
	return NULL;
}

const struct policy_criterion *policy_unmet(const struct policy_asked *a)
{
	for (size_t i = 0; i < a->n; i++)
		if (a->c[i].met == POLICY_UNMET)
			return &a->c[i];
	return NULL;
}

static bool by_statute(const struct rule *r)
{
	return r->pub.purpose[POLICY_DOCUMENTATION].basis == POLICY_B_OBLIGATION;
}

/* As policy_eval goes on past a list. */
static void before(struct look *l, const struct rule *r, struct policy_asked *a)
{
	struct policy_criterion *one = NULL;
	size_t open = 0;

	for (size_t i = 0; i < a->n; i++)
		if (a->c[i].met == POLICY_NOT_KNOWN) {
			one = &a->c[i];
			open++;
		}
	a->end = POLICY_A_OPEN;
	if (policy_unmet(a)) {
		a->end = POLICY_A_UNMET;
	} else if (r->never && eval_is_list(r) && by_statute(l->t)) {
		a->end = POLICY_A_LIST;
		l->list = true;
	} else if (!r->never && l->list && !by_statute(r)) {
		a->end = POLICY_A_SKIPPED;
	} else if (open == 1) {
		one->met = POLICY_UNMET;
		one->how = POLICY_HOW_ELSE;
		a->end = POLICY_A_UNMET;
	}
}

int policy_answers(const struct policy *p, const struct policy_known *k, struct policy_answers *ret)
{
	struct look l = {.p = p, .k = k, .tries = TRIES};
	size_t n = p->nevers.n + p->rules.n;
	struct policy_answers a = {.v = calloc(n + 1, sizeof(*a.v))};
	bool after = false;

	if (!a.v)
		return -ENOMEM;
	for (size_t i = 0; i < p->rules.n; i++)
		if (&p->rule_array[i]->pub == k->took)
			l.t = p->rule_array[i];
	for (; l.t && a.n < n; a.n++) {
		const struct rule *r = p->all[a.n];
		struct policy_asked *x = &a.v[a.n];

		*x = (struct policy_asked){r->never, r->o.name, r->o.pos.line, r->never ? NULL : &r->pub, POLICY_A_AFTER, NULL, 0};
		criteria(&l, r, x);
		if (r == l.t)
			took(x);
		else if (!after)
			before(&l, r, x);
		after |= r == l.t;
	}
	if (l.t && !l.oom) {
		*ret = a;
		return 0;
	}
	policy_answers_free(&a);
	return l.t ? -ENOMEM : -ENOENT;
}

void policy_answers_free(struct policy_answers *a)
{
	for (size_t i = 0; i < a->n; i++) {
		for (size_t j = 0; j < a->v[i].n; j++)
			free(a->v[i].c[j].words);
		free(a->v[i].c);
	}
	free(a->v);
	*a = (struct policy_answers){0};
}

const char *policy_criterion_name(enum policy_criterion_of of)
{
	static const char *const names[] = {"side", "lab", "direction", "called", "calling", "trunk", "header",
					    "queue", "agent", "sip-domain", "time", "media", "tag"};

	return names[of];
}

const char *policy_how_name(enum policy_how how)
{
	static const char *const names[] = {"", "took", "follows", "time", "number", "agent", "else"};

	return names[how];
}

const char *policy_asked_name(enum policy_asked_end end)
{
	static const char *const names[] = {"took", "unmet", "open", "list", "skipped", "after"};

	return names[end];
}
