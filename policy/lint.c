/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lint.c - from the tree to a policy: names, defaults, derived values, checks
 *
 * Warnings that need figures of past calls (W-03 to W-09) are in lint_past.c,
 * and are given only when there are figures.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lint.h"

/* ---- small things the checks share ---- */

bool rule_has(const struct policy *p, const struct rule *r, int id)
{
	return r->at[id].line ||
	       (p->defaults && p->defaults->at[id].line && rule_table.s[id].flags & S_DEFAULT);
}

bool block_has(const struct policy *p, const struct block *b, int id)
{
	return b->at[id].line || (p->defaults && p->defaults->block[b->purpose].at[id].line);
}

struct pos rule_at(const struct rule *r, int id)
{
	return r->at[id].line ? r->at[id] : r->o.pos;
}

struct pos block_at(const struct block *b, int id)
{
	return b->at[id].line ? b->at[id] : b->pos;
}

const struct controller *rule_controller(const struct rule *r)
{
	return r->controller ? r->controller->obj : NULL;
}

int date_cmp(const struct policy_date *a, const struct policy_date *b)
{
	int x = a->year * 10000 + a->month * 100 + a->day,
	    y = b->year * 10000 + b->month * 100 + b->day;

	return x < y ? -1 : x > y;
}

void today_date(const struct policy *p, struct policy_date *ret)
{
	civil_from_days((p->today >= 0 ? p->today : p->today - 86399) / 86400, ret);
}

int span_days(const struct policy_span *s)
{
	static const int64_t per_day[] = {86400, 1440, 24}, days[] = {1, 28, 365};
	int64_t n = s->unit <= POLICY_U_H ? s->n / per_day[s->unit]
					  : s->n * days[s->unit - POLICY_U_DAYS];

	return n > INT32_MAX ? INT32_MAX : (int)n;
}

/* From 1 December 3 months are 90 days, in a leap year 91, from 1 February 89: the strict reading.
 */
bool longer_than_3_months(const struct policy_span *s)
{
	if (s->unit == POLICY_U_MONTHS)
		return s->n > 3;
	return s->unit == POLICY_U_YEARS || span_days(s) > 89;
}

bool training_opt_out(const struct rule *r)
{
	const struct policy_block *b = &r->pub.purpose[POLICY_TRAINING];

	return b->basis == POLICY_B_INTEREST && !b->special;
}

bool language_ok(const char *s)
{
	size_t n = strlen(s);

	return (n == 2 || n == 3) && strspn(s, "abcdefghijklmnopqrstuvwxyz") == n;
}

bool key_in(const char *key, const char (*list)[POLICY_KEY_MAX])
{
	for (int i = 0; i < POLICY_KEYS_MAX && *list[i]; i++)
		if (!strcmp(key, list[i]))
			return true;
	return false;
}

char *file_path(struct policy *p, const struct word *w)
{
	const struct source *src = &p->src[w->at.file];
	const char *slash = strrchr(src->name, '/');
	char *path;

	if (src->in_memory)
		return NULL;
	if (w->s[0] == '/' || !slash)
		path = strdup(w->s);
	else if (asprintf(&path, "%.*s/%s", (int)(slash - src->name), src->name, w->s) < 0)
		path = NULL;
	if (!path)
		p->oom = true;
	return path;
}

bool check_file(struct policy *p, const struct word *w, const char *what, char **ret_path)
{
	struct stat st;
	char *path;
	bool ok;

	if (ret_path)
		*ret_path = NULL;
	if (p->src[w->at.file].in_memory)
		return true;
	path = file_path(p, w);
	if (!path)
		return false;
	ok = !stat(path, &st) && S_ISREG(st.st_mode) && !access(path, R_OK);
	if (!ok)
		diag_add(p, w->at, "L-08", NULL, "names are relative to this policy file.",
			 "the %s '%s' cannot be read.", what, w->s);
	if (ok && ret_path)
		*ret_path = path;
	else
		free(path);
	return ok;
}

/* ---- names ---- */

static void no_such(struct policy *p, const struct list *l, const struct word *w, const char *s,
		    const char *what)
{
	const char *names[256];
	size_t n = 0;
	int near;

	for (const struct obj *o = l->first; o && n < 255; o = o->next)
		names[n++] = o->name;
	names[n] = NULL;
	near = did_you_mean(s, strlen(s), names);
	if (near >= 0)
		diag_add(p, w->at, "L-08", NULL, NULL, "there is no %s '%s', did you mean '%s'?",
			 what, s, names[near]);
	else
		diag_add(p, w->at, "L-08", NULL, NULL, "there is no %s '%s'.", what, s);
}

static void resolve(struct policy *p, const struct list *l, struct word *w, const char *what)
{
	for (; w; w = w->next) {
		w->obj = list_find(l, w->s);
		if (!w->obj)
			no_such(p, l, w, w->s, what);
	}
}

/* Sets of the kinds in the mask; obj stays NULL after an error. */
static void resolve_sets(struct policy *p, struct word *w, unsigned kinds, const char *what)
{
	for (; w; w = w->next) {
		struct set *s = (struct set *)list_find(&p->sets, w->s);

		if (!s)
			no_such(p, &p->sets, w, w->s, "set");
		else if (!(1u << s->kind & kinds) && !s->o.bad)
			diag_add(p, w->at, "L-09", NULL, NULL,
				 "'%s' is a set of %s; %s is needed here.", w->s,
				 set_kind_names[s->kind], what);
		else
			w->obj = s;
	}
}

static void trunk_bit(uint64_t *bits, const struct trunk *t)
{
	bits[t->index / 64] |= 1ull << t->index % 64;
}

/* Trunks by name or @set into bits. */
static void resolve_trunks(struct policy *p, struct word *w, uint64_t *bits, bool dedicated_only)
{
	for (; w; w = w->next) {
		struct set *s = NULL;
		struct trunk *t;

		if (w->s[0] != '@') {
			t = (struct trunk *)list_find(&p->trunks, w->s);
			if (!t)
				no_such(p, &p->trunks, w, w->s, "trunk");
			else if (t->dedicated || !dedicated_only)
				trunk_bit(bits, t);
			continue;
		}
		s = (struct set *)list_find(&p->sets, w->s + 1);
		if (!s)
			no_such(p, &p->sets, w, w->s + 1, "set");
		else if (s->kind != SET_TRUNKS)
			diag_add(p, w->at, "L-09", NULL, NULL,
				 "'%s' is a set of %s; a set of trunks is needed here.", w->s + 1,
				 set_kind_names[s->kind]);
		for (struct word *m = s && s->kind == SET_TRUNKS ? s->words : NULL; m;
		     m = m->next) {
			t = m->obj;
			if (t && (t->dedicated || !dedicated_only))
				trunk_bit(bits, t);
		}
	}
}

static int word_cmp(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int dates_order(const void *a, const void *b)
{
	return date_cmp(a, b);
}

static int resolve_set(struct policy *p, struct set *s)
{
	size_t i = 0;

	if (!s->dynamic && !s->o.bad && !s->words && !s->numbers.n && !s->ndates)
		diag_add(p, s->o.pos, "L-08", "what asks for it would never match.",
			 "give it members, or make it dynamic.", "the set '%s' has no members.", s->o.name);
	if (s->kind == SET_NUMBERS)
		return ivals_build(&p->arena, s->numbers.pat, s->numbers.n, &s->numbers.iv);
	if (s->kind == SET_TRUNKS)
		resolve(p, &p->trunks, s->words, "trunk");
	if (s->kind == SET_HOLIDAYS && s->ndates) {
		/* A copy: print keeps the order of the file. */
		struct policy_date *d = arena_alloc(&p->arena, s->ndates * sizeof(*d));

		if (!d)
			return -ENOMEM;
		memcpy(d, s->dates, s->ndates * sizeof(*d));
		qsort(d, s->ndates, sizeof(*d), dates_order);
		s->sorted_dates = d;
	}
	s->sorted = arena_alloc(&p->arena, (s->nwords + 1) * sizeof(*s->sorted));
	if (!s->sorted)
		return -ENOMEM;
	for (struct word *w = s->words; w; w = w->next)
		s->sorted[i++] = w->s;
	qsort(s->sorted, i, sizeof(*s->sorted), word_cmp);
	return 0;
}

static int resolve_numbers(struct policy *p, struct numbers *c)
{
	resolve_sets(p, c->sets, 1u << SET_NUMBERS, "a set of numbers");
	return ivals_build(&p->arena, c->pat, c->n, &c->iv);
}

static int resolve_controller(struct policy *p, struct controller *c)
{
	int err;

	c->pub.name = c->o.name;
	if (!c->pub.timezone) {
		if (!c->o.bad)
			diag_add(p, c->o.pos, "L-10", "deadlines are days of a calendar.",
				 "timezone Europe/Copenhagen", "the controller has no time zone.");
		c->o.bad = true;
	} else {
		err = tz_load(&p->arena, c->pub.timezone, &c->tz);
		if (err == -ENOMEM)
			return err;
		if (err) {
			diag_add(p, c->at[C_TIMEZONE], "L-10", NULL,
				 "names are those of the tz database, such as Europe/Copenhagen.",
				 "there is no time zone '%s'.", c->pub.timezone);
			c->o.bad = true;
		}
	}
	resolve_trunks(p, c->trunks, c->trunk_bits, true);
	return resolve_numbers(p, &c->numbers);
}

static void resolve_assessment(struct policy *p, struct assessment *a)
{
	a->by_file = a->file != NULL;
	resolve_sets(p, a->scope, 1u << SET_NUMBERS | 1u << SET_TRUNKS | 1u << SET_QUEUES,
		     "numbers, trunks or queues");
	for (struct word *w = a->scope; w; w = w->next) {
		struct set *s = w->obj;

		for (struct word *m = s && s->kind == SET_TRUNKS ? s->words : NULL; m; m = m->next)
			if (m->obj)
				trunk_bit(a->scope_trunks, m->obj);
	}
}

/* ---- headers: a name at most eight times in all ---- */

static int header_index(struct policy *p, const char *name, struct pos at)
{
	for (size_t i = 0; i < p->nheaders; i++)
		if (!strcasecmp(p->headers[i], name))
			return (int)i;
	if (p->nheaders == POLICY_HEADERS_MAX) {
		diag_add(p, at, "L-11",
			 "a call is decided at its first packet; the work is bounded.", NULL,
			 "a policy can look at %d SIP headers, '%s' is one more.",
			 POLICY_HEADERS_MAX, name);
		return -1;
	}
	p->headers[p->nheaders] = name;
	return (int)p->nheaders++;
}

static void resolve_headers(struct policy *p, struct rule *r)
{
	for (struct header_crit *h = r->headers; h; h = h->next) {
		bool exposed = false;

		h->idx = -1;
		if (h->which == H_HEADER)
			h->idx = header_index(p, h->name, h->at);
		if (h->op == OP_ONE_OF)
			resolve_sets(p, h->value, 1u << SET_AGENTS | 1u << SET_QUEUES,
				     "a set of queues or agents");
		for (struct obj *o = p->trunks.first; o && h->which != H_HEADER; o = o->next) {
			const struct trunk *t = (struct trunk *)o;
			bool used = !r->at[R_TRUNK].line ||
				    r->trunk_bits[t->index / 64] >> t->index % 64 & 1;

			exposed |=
				used && (h->which == H_QUEUE ? t->queue_header : t->agent_header);
		}
		if (h->which != H_HEADER && !exposed)
			diag_add(p, h->at, "L-11", NULL,
				 h->which == H_QUEUE ? "trunk ... { queue-header X-Queue }"
						     : "trunk ... { agent-header X-Agent }",
				 "no trunk of this rule says which header names the %s.",
				 h->which == H_QUEUE ? "queue" : "agent");
	}
}

/* ---- defaults and derived values ---- */

static void apply_table(const struct table *t, const struct pos *have, void *to,
			const struct pos *at, const void *from)
{
	for (int i = 0; i < t->n; i++)
		if (at[i].line && !have[i].line && t->s[i].size)
			memcpy((char *)to + t->s[i].off, (const char *)from + t->s[i].off,
			       t->s[i].size);
}

static void apply_defaults(const struct policy *p, struct rule *r)
{
	const struct rule *d = p->defaults;

	if (!d)
		return;
	apply_table(&rule_table, r->at, r, d->at, d);
	if (!r->at[R_ON_MISSING].line)
		r->pub.quarantine = d->pub.quarantine;
	if (!r->at[R_PAUSE_MAX].line)
		r->pause_end = d->pause_end;
	if (!r->at[R_PLAY_REASON].line)
		r->play_reason_min = d->play_reason_min;
	for (int i = 0; i < POLICY_PURPOSES; i++)
		apply_table(&block_table, r->block[i].at, &r->pub.purpose[i], d->block[i].at,
			    &d->pub.purpose[i]);
}

static void span_default(struct policy_span *s, bool have, int n, enum policy_unit unit)
{
	if (have)
		return;
	s->n = n;
	s->unit = unit;
}

static void built_in_block(const struct policy *p, struct rule *r, struct block *b)
{
	struct policy_block *x = b->pub;
	bool training = b->purpose == POLICY_TRAINING;

	if (!b->pos.line)
		return;
	span_default(&x->retention, block_has(p, b, B_RETENTION), 3, POLICY_U_MONTHS);
	if (!b->at[B_DTMF].line)
		x->dtmf = POLICY_DTMF_RFC4733 | POLICY_DTMF_INFO;
	if (!b->at[B_WINDOW].line) {
		x->window.from_s = 3;
		x->window.to_s = 10;
	}
	x->window.set = x->basis == POLICY_B_CONSENT || (training && training_opt_out(r));
	if (!b->at[B_COMMIT].line)
		x->commit_at_end = training;
	if (training) {
		span_default(&x->use_within, block_has(p, b, B_USE_WITHIN), 30, POLICY_U_DAYS);
		if (!b->at[B_USE_TARGET].line)
			x->use_target_percent = 80;
		if (!b->throttle_percent)
			b->throttle_percent = 125;
		if (!b->floor)
			b->floor = 5;
		x->throttle_percent = b->throttle_percent;
		x->use_floor = b->floor;
	}
	x->assessment = b->assessment ? b->assessment->s : NULL;
	x->special_assessment = b->special_assessment ? b->special_assessment->s : NULL;
	x->retention_reason = b->reason		     ? b->reason
			      : b->reason_assessment ? b->reason_assessment->s
						     : NULL;
}

static const char *scenario(const struct rule *r)
{
	static const char *const names[4][4] = {
		{NULL, "B", "C", "D"},
		{"A2", "A2+B", "A2+C", "A2+D"},
		{"A1", "E", "F", "G"},
		{"A3", "A3+B", "A3+C", "A3+D"},
	};
	const struct policy_block *t = &r->pub.purpose[POLICY_TRAINING];
	int k = t->basis == POLICY_B_CONSENT	? 1
		: t->basis == POLICY_B_INTEREST ? (t->special ? 3 : 2)
						: 0;

	return names[r->pub.purpose[POLICY_DOCUMENTATION].basis][k];
}

static void built_in(const struct policy *p, struct rule *r)
{
	if (!rule_has(p, r, R_TIMEOUT))
		r->pub.notice_timeout_s = 60;
	/* A3 must not lose what the law demands: kept, with an alarm (guidance, 5.5). */
	if (!rule_has(p, r, R_ON_MISSING) &&
	    r->pub.purpose[POLICY_DOCUMENTATION].basis == POLICY_B_OBLIGATION)
		r->pub.on_missing_notice = POLICY_MISSING_KEEP;
	span_default(&r->pub.quarantine, r->pub.quarantine.n != 0, 7, POLICY_U_DAYS);
	span_default(&r->pub.min_length, rule_has(p, r, R_MIN), 4, POLICY_U_S);
	span_default(&r->pub.max_length, rule_has(p, r, R_MAX), 4, POLICY_U_H);
	span_default(&r->pub.pause_max, rule_has(p, r, R_PAUSE_MAX), 5, POLICY_U_MIN);
	r->pause_stop = r->pause_end ? r->pause_end == 2 : r->sensitive != NULL;
	r->pub.needs_pause = r->sensitive || *r->pub.pause_key || r->pause_header || r->pause_api;
	span_default(&r->decision_record, rule_has(p, r, R_DECISION), 24, POLICY_U_MONTHS);
	if (!rule_has(p, r, R_MUTE))
		r->pub.mute_dtmf = true;
	if (!rule_has(p, r, R_ZSTD))
		r->pub.zstd_level = 3;
	for (int i = 0; i < POLICY_PURPOSES; i++)
		built_in_block(p, r, &r->block[i]);
	r->pub.scenario = scenario(r);
}

/* The earliest review of what it names. */
static void earliest_review(struct block *b)
{
	const struct word *w[] = { b->assessment, b->special_assessment, b->reason_assessment };

	for (size_t i = 0; i < sizeof(w) / sizeof(w[0]); i++) {
		const struct assessment *a = w[i] ? (const struct assessment *)w[i]->obj : NULL;

		if (a && a->review.year && (!b->pub->assessed_until.year || date_cmp(&a->review, &b->pub->assessed_until) < 0))
			b->pub->assessed_until = a->review;
	}
}

static int resolve_rule(struct policy *p, struct rule *r)
{
	int err = 0;

	resolve(p, &p->controllers, r->controller, "controller");
	if (rule_controller(r))
		r->pub.controller = &rule_controller(r)->pub;
	resolve_trunks(p, r->trunks, r->trunk_bits, false);
	resolve_headers(p, r);
	for (struct time_item *i = r->time; i; i = i->next)
		resolve_sets(p, i->holidays, 1u << SET_HOLIDAYS, "a set of holidays");
	resolve_sets(p, r->time_except, 1u << SET_HOLIDAYS, "a set of holidays");
	resolve(p, &p->announcements, r->notice, "announcement");
	for (int i = 0; i < POLICY_PURPOSES; i++) {
		resolve(p, &p->assessments, r->block[i].assessment, "assessment");
		resolve(p, &p->assessments, r->block[i].special_assessment, "assessment");
		resolve(p, &p->assessments, r->block[i].reason_assessment, "assessment");
		if (r->block[i].pos.line)
			earliest_review(&r->block[i]);
	}
	err = resolve_numbers(p, &r->called);
	if (!err)
		err = resolve_numbers(p, &r->calling);
	r->pub.name = r->o.name;
	r->pub.file = p->src[r->o.pos.file].name;
	r->pub.line = r->o.pos.line;
	if (!r->never) {
		apply_defaults(p, r);
		built_in(p, r);
	}
	return err;
}

/* ---- the whole ---- */

static int resolve_all(struct policy *p)
{
	unsigned i = 0;
	int err = 0;

	for (struct obj *o = p->trunks.first; o; o = o->next, i++) {
		struct trunk *t = (struct trunk *)o;

		if (i >= TRUNKS_MAX) {
			diag_add(p, o->pos, "L-01", NULL, NULL, "a policy has at most %d trunks.",
				 TRUNKS_MAX);
			t->index = 0;
			continue;
		}
		t->index = i;
		if (t->queue_header)
			t->queue_idx = header_index(p, t->queue_header, t->at[TK_QUEUE]);
		if (t->agent_header)
			t->agent_idx = header_index(p, t->agent_header, t->at[TK_AGENT]);
	}
	for (struct obj *o = p->sets.first; o && !err; o = o->next)
		err = resolve_set(p, (struct set *)o);
	for (struct obj *o = p->controllers.first; o && !err; o = o->next)
		err = resolve_controller(p, (struct controller *)o);
	for (struct obj *o = p->assessments.first; o && !err; o = o->next)
		resolve_assessment(p, (struct assessment *)o);
	for (struct obj *o = p->nevers.first; o && !err; o = o->next)
		err = resolve_rule(p, (struct rule *)o);
	for (struct obj *o = p->rules.first; o && !err; o = o->next)
		err = resolve_rule(p, (struct rule *)o);
	return err;
}

static void check_trunk(struct policy *p, const struct trunk *t)
{
	static const int digits_only[] = {TK_INTL, TK_NATL};
	const char *s[] = {t->intl, t->natl};

	for (int i = 0; i < 2; i++)
		if (s[i] && (strspn(s[i], "0123456789") != strlen(s[i]) || strlen(s[i]) > 8))
			diag_add(p, t->at[digits_only[i]], "L-01", NULL, NULL,
				 "a dialling prefix is up to 8 digits.");
	if (!t->country && (t->natl || t->nat_min))
		diag_add(p, t->at[t->natl ? TK_NATL : TK_NATDIGITS], "L-08", NULL, "country +45",
			 "national numbers need the trunk's country.");
	if (!t->interface && !t->vlan && !t->addr && !t->port)
		diag_add(p, t->o.pos, "L-04", "RX-1: a trunk that is everything is nobody's.",
			 "say interface, vlan, address or port.",
			 "nothing tells this trunk from any other.");
}

static void check_all(struct policy *p)
{
	if (p->rules.n + p->nevers.n > RULES_MAX)
		diag_add(p, p->rules.last->pos, "L-01", NULL, NULL,
			 "a policy has at most %d rules.", RULES_MAX);
	for (struct obj *o = p->trunks.first; o; o = o->next)
		if (!o->bad)
			check_trunk(p, (struct trunk *)o);
	for (struct obj *o = p->sets.first; o; o = o->next)
		if (!o->bad)
			check_ranges(p, &((struct set *)o)->numbers);
	for (struct obj *o = p->controllers.first; o; o = o->next)
		if (!o->bad)
			check_controller(p, (struct controller *)o);
	for (struct obj *o = p->announcements.first; o; o = o->next)
		if (!o->bad)
			check_announcement(p, (struct announcement *)o);
	for (struct obj *o = p->assessments.first; o; o = o->next)
		if (!o->bad)
			check_assessment(p, (struct assessment *)o);
	if (p->defaults && !p->defaults->o.bad)
		check_defaults(p, p->defaults);
	for (struct obj *o = p->nevers.first; o; o = o->next)
		if (!o->bad)
			check_never(p, (struct rule *)o);
	for (struct obj *o = p->rules.first; o; o = o->next)
		if (!o->bad)
			check_rule(p, (struct rule *)o);
	check_event_headers(p);
	check_rules_together(p);
	check_past(p);
}

int lint_policy(struct policy *p)
{
	int err = resolve_all(p);

	if (err)
		return err;
	if (!memo_begin(p))
		return -ENOMEM;
	p->forgiving = p->kept && p->diags->errors == p->first_errors;
	check_all(p);
	memo_end(p);
	return p->oom ? -ENOMEM : 0;
}
