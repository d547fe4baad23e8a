/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * explain.c - one rule in plain words, in English or Danish
 *
 * For the person who answers for it: in which situation of the guidance the
 * rule is, which calls it records, what limits them, who answers. The sentences
 * are in explain_en.c and explain_da.c; purposes and announcement have files of
 * their own.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "explain.h"
#include "follow.h"

#define COLUMNS 78
#define GLUE	'\1' /* a blank at which no line ends; no text of a policy has it */

/* ---- sentences ---- */

static size_t columns(const char *s, size_t n)
{
	size_t c = 0;

	for (size_t i = 0; i < n; i++)
		c += ((unsigned char)s[i] & 0xc0) != 0x80;
	return c;
}

void explain_plain(struct explain *e, int indent, const char *bullet, const char *text)
{
	int hang = indent + (int)strlen(bullet);
	size_t at = (size_t)hang;

	fprintf(e->f, "%*s%s", indent, "", bullet);
	for (bool first = true; *text; first = false) {
		size_t n = strcspn(text, " "), w = columns(text, n);

		if (!first && at + 1 + w > COLUMNS) {
			fprintf(e->f, "\n%*s", hang, "");
			at = (size_t)hang;
		} else if (!first) {
			fputc(' ', e->f);
			at++;
		}
		for (size_t i = 0; i < n; i++)
			fputc(text[i] == GLUE ? ' ' : text[i], e->f);
		at += w;
		text += n;
		text += strspn(text, " ");
	}
	fputc('\n', e->f);
}

static char *fill(const char *s, const char *const arg[EXPLAIN_ARGS])
{
	char *text = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);

	if (!f)
		return NULL;
	for (; *s; s++) {
		if (s[0] == '{' && s[1] >= '1' && s[1] < '1' + EXPLAIN_ARGS && s[2] == '}') {
			fputs(arg[s[1] - '1'] ? arg[s[1] - '1'] : "", f);
			s += 2;
		} else {
			fputc(*s, f);
		}
	}
	if (fclose(f)) {
		free(text);
		return NULL;
	}
	return text;
}

/* A sentence that begins with the party ("the caller"); words of the policy stay as they are. */
static void capital(char *s)
{
	if (*s >= 'a' && *s <= 'z')
		*s = (char)(*s - 'a' + 'A');
}

void explain_say(struct explain *e, int indent, const char *bullet, int id,
		 const char *const arg[EXPLAIN_ARGS])
{
	char *text = fill(e->t->say[id], arg);

	if (!text)
		return; /* policy_explain_in sees that the stream got less: -ENOMEM */
	if (!*bullet && !strncmp(e->t->say[id], "{1}", 3) && arg[0] == e->party)
		capital(text);
	explain_plain(e, indent, bullet, text);
	free(text);
}

void explain_head(struct explain *e, int id)
{
	fprintf(e->f, "\n%s\n", e->t->say[id]);
}

const char *explain_fmt(struct explain *e, const char *fmt, ...)
{
	char *out = e->buf[e->used++ % (sizeof(e->buf) / sizeof(e->buf[0]))];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(out, sizeof(e->buf[0]), fmt, ap);
	va_end(ap);
	return out;
}

/* ---- values ---- */

const char *explain_span(struct explain *e, const struct policy_span *s)
{
	return explain_fmt(e, "%d\1%s", s->n, e->t->unit[s->unit][s->n != 1]);
}

const char *explain_seconds(struct explain *e, int s)
{
	struct policy_span span = {.n = s, .unit = POLICY_U_S};

	if (s && s % 60 == 0)
		span = (struct policy_span){.n = s / 60, .unit = POLICY_U_MIN};
	return explain_span(e, &span);
}

const char *explain_date(struct explain *e, const struct policy_date *d)
{
	const char *arg[EXPLAIN_ARGS] = {explain_fmt(e, "%d", d->day), e->t->month[d->month - 1],
					 explain_fmt(e, "%d", d->year)};
	char *text = fill(e->t->say[X_DATE], arg);
	const char *ret = explain_fmt(e, "%s", text ? text : "");

	free(text);
	return ret;
}

const char *explain_permille(struct explain *e, int v)
{
	return v % 10 ? explain_fmt(e, "%d%s%d\1%%", v / 10, e->t->say[X_DECIMAL], v % 10)
		      : explain_fmt(e, "%d\1%%", v / 10);
}

const char *explain_keys(struct explain *e, const char (*k)[POLICY_KEY_MAX])
{
	char out[sizeof(e->buf[0])] = "";
	size_t n = 0;

	for (int i = 0; i < POLICY_KEYS_MAX && *k[i]; i++)
		n += (size_t)snprintf(out + n, sizeof(out) - n, "%s%s%s%s", i ? " " : "",
				      i ? e->t->say[X_OR] : "", i ? " " : "", k[i]);
	return explain_fmt(e, "%s", out);
}

const char *explain_word(const struct explain *e, const char *s)
{
	for (size_t i = 0; e->t->word[i][0]; i++)
		if (!strcmp(e->t->word[i][0], s))
			return e->t->word[i][1];
	return s;
}

char *explain_list(const struct explain *e, const struct word *w)
{
	char *text = NULL;
	size_t n = 0;
	FILE *f = w ? open_memstream(&text, &n) : NULL;

	if (!f)
		return NULL;
	for (const struct word *first = w; w; w = w->next) {
		if (w != first)
			w->next ? fputs(", ", f) : fprintf(f, " %s ", e->t->say[X_AND]);
		fputs(w->s, f);
	}
	if (fclose(f)) {
		free(text);
		return NULL;
	}
	return text;
}

/* ---- which calls ---- */

/* The value of a criterion as the policy writes it, each of its words in the language; malloc'ed.
 */
static char *criterion(const struct explain *e, int id)
{
	char *raw = NULL, *text = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&raw, &n);
	const char *s;

	if (!f)
		return NULL;
	rule_print_setting(f, e->r, id, "");
	if (fclose(f) || !(f = open_memstream(&text, &n))) {
		free(raw);
		return NULL;
	}
	s = raw + strcspn(raw, " "); /* past the keyword */
	while (*s) {
		size_t w = strcspn(s, " ,-:\n\""), sep;
		char one[32];

		if (w && w < sizeof(one)) {
			memcpy(one, s, w);
			one[w] = 0;
			fputs(explain_word(e, one), f);
		} else {
			fwrite(s, 1, w, f);
		}
		s += w;
		sep = strspn(s, " ,-:\n\"");
		for (size_t i = 0; i < sep; i++)
			if (s[i] != '\n')
				fputc(s[i], f);
		s += sep;
	}
	free(raw);
	if (fclose(f)) {
		free(text);
		return NULL;
	}
	return text;
}

static void plain_criterion(struct explain *e, int rule_id, int id)
{
	char *text;

	if (!e->r->at[rule_id].line)
		return;
	text = criterion(e, rule_id);
	if (text)
		ITEM(e, id, text + (*text == ' '));
	free(text);
}

static void header_criteria(struct explain *e)
{
	static const int what[] = {X_C_HEADER, X_C_QUEUE, X_C_AGENT};
	static const int op[] = {X_OP_EQ, X_OP_PREFIX, X_OP_ONE_OF, X_OP_PRESENT};

	for (const struct header_crit *h = e->r->headers; h; h = h->next) {
		const char *arg[EXPLAIN_ARGS] = {h->value ? h->value->s : NULL};
		char *how = fill(e->t->say[op[h->op]], arg);

		if (how && h->which == H_HEADER)
			ITEM(e, X_C_HEADER, h->name, how);
		else if (how)
			ITEM(e, what[h->which], how);
		free(how);
	}
}

static void media_criteria(struct explain *e)
{
	char *list = explain_list(e, e->r->codecs);

	if (list)
		ITEM(e, X_C_CODEC, list);
	free(list);
	if (e->r->encrypted)
		ITEM(e, e->r->encrypted == 2 ? X_C_ENCRYPTED : X_C_PLAIN);
}

#define NAMES_MAX 12 /* more are counted */

static bool by_statute(const struct rule *r)
{
	return r->pub.purpose[POLICY_DOCUMENTATION].basis == POLICY_B_OBLIGATION;
}

/* Names of rules from o to before `end` that are wanted and can have calls in common with this one; malloc'ed, NULL: none, or no memory. */
static char *names(const struct explain *e, const struct obj *o, const struct obj *end, bool (*wanted)(const struct rule *r))
{
	char *text = NULL;
	size_t len = 0, n = 0;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return NULL;
	for (; o && o != end; o = o->next) {
		if ((wanted && !wanted((const struct rule *)o)) || rules_apart(e->p, (const struct rule *)o, e->r))
			continue;
		if (n++ < NAMES_MAX)
			fprintf(f, "%s\"%s\"", n > 1 ? ", " : "", o->name);
	}
	if (n > NAMES_MAX) {
		char count[24];
		char *more;

		snprintf(count, sizeof(count), "%zu", n - NAMES_MAX);
		more = fill(e->t->say[X_MORE], (const char *const[EXPLAIN_ARGS]){count});
		fprintf(f, ", %s", more ? more : count);
		free(more);
	}
	if (fclose(f) || !n) {
		free(text);
		return NULL;
	}
	return text;
}

/* What comes before the rule: it records less than its own criteria say. */
static void before(struct explain *e)
{
	size_t n = 0;
	char *lists = by_statute(e->r) ? names(e, e->p->nevers.first, NULL, eval_is_list) : NULL;
	char *rules = names(e, e->p->rules.first, &e->r->o, NULL);

	for (const struct obj *o = e->p->nevers.first; o; o = o->next) {
		if ((by_statute(e->r) && eval_is_list((const struct rule *)o)) || rules_apart(e->p, (const struct rule *)o, e->r))
			continue;
		if (!n++)
			SAY(e, X_NEVERS);
		if (n <= NAMES_MAX)
			ITEM(e, X_NEVER, o->name, explain_fmt(e, "%d", o->pos.line));
	}
	if (n > NAMES_MAX)
		ITEM(e, X_MORE, explain_fmt(e, "%zu", n - NAMES_MAX));
	if (lists)
		SAY(e, X_LISTS_LAW, lists);
	if (rules)
		SAY(e, X_BEFORE, rules);
	free(lists);
	free(rules);
}

static void which_calls(struct explain *e)
{
	const struct rule *r = e->r;
	const struct controller *c = r->controller->obj;
	bool called = r->pub.side == POLICY_SIDE_CALLED;

	explain_head(e, X_H_WHICH);
	SAY(e, called ? X_WHO_CALLED : X_WHO_CALLING, c->legal_name ? c->legal_name : c->o.name);
	plain_criterion(e, R_CALLED, X_C_CALLED);
	plain_criterion(e, R_CALLING, X_C_CALLING);
	plain_criterion(e, R_TRUNK, X_C_TRUNK);
	plain_criterion(e, R_SIPDOMAIN, X_C_DOMAIN);
	header_criteria(e);
	if (r->direction)
		ITEM(e, r->direction == DIR_INBOUND ? X_C_INBOUND : X_C_OUTBOUND);
	plain_criterion(e, R_TIME, X_C_TIME);
	media_criteria(e);
	plain_criterion(e, R_TAG, X_C_TAG);
	if (r->time)
		SAY(e, X_TIMES_OF, c->pub.timezone);
	before(e);
	if (c->pub.lab)
		SAY(e, X_LAB);
	SAY(e, X_SUBJECT, e->t->say[called ? X_CALLER_IS : X_CALLEE_IS]);
	SAY(e,
	    r->pub.exclude_leg == 0   ? X_NOT_SUBJECT
	    : r->pub.exclude_leg == 1 ? X_NOT_AGENT
				      : X_BOTH,
	    e->party);
	SAY(e, X_TRANSFER);
}

/* ---- pauses, limits, who answers ---- */

static void sensitive(struct explain *e)
{
	static const int name[] = {X_DOC, X_TRAIN};

	for (const struct sensitive *s = e->r->sensitive; s; s = s->next) {
		if (s->basis)
			SAY(e, X_SENSITIVE, explain_word(e, s->category), s->basis);
		for (int i = 0; i < POLICY_PURPOSES; i++)
			if (s->purpose_basis[i])
				SAY(e, X_SENSITIVE_FOR, explain_word(e, s->category),
				    e->t->say[name[i]], s->purpose_basis[i]);
	}
}

static void pauses(struct explain *e)
{
	const struct rule *r = e->r;

	explain_head(e, X_H_PAUSE);
	sensitive(e);
	if (*r->pub.pause_key)
		SAY(e, X_PAUSE_KEY, r->pub.pause_key);
	if (*r->pub.resume_key)
		SAY(e, X_RESUME_KEY, r->pub.resume_key);
	if (r->pause_api)
		SAY(e, X_PAUSE_API);
	if (r->pause_header)
		SAY(e, X_PAUSE_HEADER, r->pause_header);
	if (*r->pub.pause_key || r->pause_api || r->pause_header)
		SAY(e, r->pause_stop ? X_PAUSE_STOP : X_PAUSE_RESUME,
		    explain_span(e, &r->pub.pause_max));
	else
		SAY(e, X_NO_PAUSE);
	SAY(e, X_KEYS_UNSTORED);
	SAY(e, r->pub.mute_dtmf ? X_TONES_MUTED : X_TONES_STAY);
	if (r->pub.record_hold_music)
		SAY(e, X_HOLD_MUSIC);
	SAY(e, X_MIN_MAX, explain_span(e, &r->pub.min_length), explain_span(e, &r->pub.max_length));
}

static void answers(struct explain *e)
{
	static const int missed[] = {X_MISSED_OFF, X_MISSED_CONSENT, X_MISSED_KEEP};
	static const struct policy_span least = {24, POLICY_U_MONTHS};

	explain_head(e, X_H_OWNER);
	SAY(e, X_OWNER, e->r->pub.owner);
	SAY(e, X_REVIEW, explain_date(e, &e->r->pub.review),
	    e->t->say[missed[e->r->pub.on_review_missed]]);
	SAY(e, X_RECORD, explain_span(e, record_is_short(e->r) ? &least : &e->r->decision_record));
}

/* ---- warnings ---- */

/* The line at which the next object of that file begins. */
static int end_of(const struct policy *p, const struct obj *o)
{
	const struct list *lists[] = {&p->controllers, &p->trunks, &p->sets, &p->announcements,
				      &p->assessments, &p->nevers, &p->rules};
	int end = INT32_MAX;

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		for (const struct obj *x = lists[i]->first; x; x = x->next)
			if (x->pos.file == o->pos.file && x->pos.line > o->pos.line &&
			    x->pos.line < end)
				end = x->pos.line;
	return end;
}

static bool within(const struct policy *p, const struct policy_diag *d, const struct obj *o)
{
	return o && d->line >= o->pos.line && !strcmp(d->file, p->src[o->pos.file].name) &&
	       d->line < end_of(p, o);
}

static bool concerns(const struct explain *e, const struct policy_diag *d)
{
	const struct rule *r = e->r;
	bool yes = within(e->p, d, &r->o) || within(e->p, d, r->controller->obj);

	for (const struct word *w = r->notice; w && !yes; w = w->next)
		yes = within(e->p, d, w->obj);
	for (int i = 0; i < POLICY_PURPOSES && !yes; i++) {
		const struct word *notes[] = {r->block[i].assessment,
					      r->block[i].special_assessment,
					      r->block[i].reason_assessment};

		for (size_t k = 0; k < sizeof(notes) / sizeof(notes[0]) && !yes; k++)
			yes = notes[k] && within(e->p, d, notes[k]->obj);
	}
	return yes;
}

static void warnings(struct explain *e, const struct policy_diags *d)
{
	bool any = false;

	for (size_t i = 0; d && i < d->n; i++) {
		const char *text = d->d[i].text;

		if (d->d[i].severity != POLICY_WARNING || !concerns(e, &d->d[i]))
			continue;
		if (!any)
			explain_head(e, X_H_WARNINGS);
		any = true;
		for (size_t k = 0; e->t->warning[k][0]; k++)
			if (!strcmp(e->t->warning[k][0], d->d[i].code))
				text = e->t->warning[k][1];
		SAY(e, X_WARNING, d->d[i].code, explain_fmt(e, "%d", d->d[i].line), text);
	}
}

static int situation(const char *code)
{
	static const char *const codes[] = {"A1", "A2", "A3", "B", "C", "D", "E", "F", "G"};

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (!strcmp(codes[i], code))
			return X_S_A1 + (int)i;
	return X_S_PAIR;
}

int policy_explain_in(FILE *f, const struct policy *p, const struct policy_rule *pub,
		      enum policy_lang lang, const struct policy_diags *d)
{
	struct explain e = {
		.f = f, .p = p, .lang = lang, .t = lang == POLICY_DA ? &explain_da : &explain_en};

	for (size_t i = 0; i < p->rules.n && !e.r; i++)
		if (&p->rule_array[i]->pub == pub)
			e.r = p->rule_array[i];
	if (!e.r)
		return -ENOENT;
	e.party = e.t->say[pub->side == POLICY_SIDE_CALLED ? X_CALLER : X_CALLEE];
	explain_say(&e, 0, "", X_RULE,
		    (const char *const[EXPLAIN_ARGS]){pub->name, pub->file,
						      explain_fmt(&e, "%d", pub->line)});
	explain_say(&e, 0, "", X_SITUATION,
		    (const char *const[EXPLAIN_ARGS]){pub->scenario,
						      e.t->say[situation(pub->scenario)]});
	which_calls(&e);
	explain_notice(&e);
	for (int i = 0; i < POLICY_PURPOSES; i++)
		if (e.r->block[i].pos.line)
			explain_purpose(&e, &e.r->block[i]);
	pauses(&e);
	answers(&e);
	warnings(&e, d);
	return ferror(f) ? -EIO : 0;
}

int policy_explain(FILE *f, const struct policy *p, const struct policy_rule *r)
{
	return policy_explain_in(f, p, r, POLICY_EN, NULL);
}
