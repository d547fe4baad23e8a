/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * simulate_run.c - the new policy over past calls, in the order of time
 *
 * Draws and the return of slots go in the order in which they were recorded; what was never drawn
 * stands among them by its time. What happened in a call stays as it was: announcements, presses,
 * losses (life.h). One thread.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/le.h"
#include "call/decide.h"
#include "simulate.h"

enum what { W_OPEN, W_USE, W_FIXED, W_DRAW, W_RELEASE, W_END };

struct step {
	uint64_t ns;
	uint32_t order, index; /* index: of a call (W_DRAW, W_END), else of a record */
	uint8_t what;
};

struct run {
	struct sim *s;
	struct sample_try *try;
	struct step *v;
	size_t n;
	/* rule and seq of a record to its place, for what a release undoes */
	struct place {
		uint8_t rule[SAMPLE_ID];
		uint64_t seq;
		uint32_t rec;
	} * draws;
	size_t ndraws;
};

/* ---- rates: what callers answered when they were asked ---- */

static bool was_drawn_in(const struct past *c, const struct policy_rule *r)
{
	const struct policy_block *b = &r->purpose[POLICY_TRAINING];

	if (c->life.why)
		return c->life.why == SAMPLE_IN;
	return b->sample_permille < 0 && !b->ncap && !c->life.undrawn;
}

static bool whole(const struct past *c)
{
	return c->life.matched && c->life.outcome && !c->life.settled && !c->life.overflow;
}

/* What became of a call that the catalog does not list, by the log alone. */
static void baseline(struct sim *s, struct past *c, const struct old_rule *o)
{
	struct life_result res;
	struct life_how how;

	if (c->has_row || !whole(c))
		return;
	life_as_logged(&c->life, o->rule, &how);
	life_run(&c->life, &how, &res);
	for (int p = 0; p < POLICY_PURPOSES; p++) {
		c->was[p] = (uint8_t)res.state[p];
		if (sim_word(s, res.reason[p], &c->was_reason[p]))
			c->was_reason[p] = 0;
	}
}

static void rates(struct sim *s)
{
	for (size_t i = 0; i < s->npast; i++) {
		struct past *c = &s->past[i];
		struct old_rule *o = c->policy < s->nold && c->rule != UINT16_MAX
					     ? &s->old[c->policy].rule[c->rule]
					     : NULL;
		struct life_result res;
		struct life_how how;

		if (o)
			baseline(s, c, o);
		if (!o || !whole(c) || !life_had_notice(&c->life))
			continue;
		life_as_logged(&c->life, o->rule, &how);
		how.end[0] = how.end[1] = LIFE_KEPT; /* what was answered, not what came of it */
		life_run(&c->life, &how, &res);
		for (int p = 0; p < POLICY_PURPOSES; p++) {
			if (o->rule->purpose[p].basis == POLICY_B_NONE ||
			    (p == POLICY_TRAINING && !was_drawn_in(c, o->rule)))
				continue;
			o->asked[p]++;
			o->agreed[p] += res.state[p] == PURPOSE_GRANTED;
		}
	}
}

/* The same call always answers the same, and as often yes as those who were asked did. */
static bool would_agree(const struct past *c, uint64_t asked, uint64_t agreed)
{
	return !asked || le64dec(c->uid.b + 8) % asked < agreed;
}

/* ---- one call under a rule ---- */

static bool too_short(const struct policy_rule *r, const struct past *c)
{
	static const uint64_t unit[] = {1, 60, 3600, 86400, 31 * 86400, 366 * 86400};

	return r->min_length.n &&
	       (!c->answer_ns || c->end_ns < c->answer_ns + (uint64_t)r->min_length.n *
								    unit[r->min_length.unit] *
								    NS_PER_S);
}

static bool same_span(const struct policy_span *a, const struct policy_span *b)
{
	return a->n == b->n && (!a->n || a->unit == b->unit);
}

/* How its recording would have ended. *ret_sure: false where nobody knows whether there was audio.
 */
static enum life_end end_of(const struct past *c, const struct policy_rule *was,
			    const struct policy_rule *is, int p, bool *ret_sure)
{
	enum life_end e = (enum life_end)c->life.end[p], other = (enum life_end)c->life.end[!p];

	*ret_sure = true;
	if (!e && other != LIFE_LATE && other != LIFE_DISK)
		e = other;
	if (e && (e != LIFE_TOO_SHORT || (was && same_span(&was->min_length, &is->min_length))))
		return e;
	if (c->life.outcome == EVLOG_CALL_KEPT && was &&
	    same_span(&was->min_length, &is->min_length))
		return LIFE_KEPT;
	if (!c->has_row)
		*ret_sure = c->life.outcome == EVLOG_CALL_KEPT;
	else if (!c->answer_ns && c->life.outcome != EVLOG_CALL_KEPT)
		return LIFE_NOT_ANSWERED;
	else if (too_short(is, c))
		return LIFE_TOO_SHORT;
	else if (c->life.outcome != EVLOG_CALL_KEPT && !c->media)
		*ret_sure = false;
	return LIFE_KEPT;
}

static void set(struct sim *s, struct past *c, int p, enum purpose_state state, const char *reason,
		enum sim_unsure u)
{
	c->is[p] = (uint8_t)state;
	c->unsure[p] = (uint8_t)u;
	if (sim_word(s, reason, &c->is_reason[p]))
		c->is_reason[p] = 0;
}

/* Nobody asked these callers; others were. */
static void assume(struct sim *s, struct past *c, const struct old_rule *o,
		   const struct life_how *how, int p)
{
	const struct policy_block *b = &how->rule->purpose[p];
	bool consent = b->basis == POLICY_B_CONSENT;

	if (how->end[p])
		set(s, c, p, PURPOSE_DENIED, life_end_name(how->end[p]), ASSUMED);
	else if (would_agree(c, o->asked[p], o->agreed[p]))
		set(s, c, p, PURPOSE_GRANTED, "", ASSUMED);
	else
		set(s, c, p, consent ? PURPOSE_DENIED : PURPOSE_OPTED_OUT,
		    consent ? "consent.none" : "optout", ASSUMED);
}

/* What is not certain about the call whatever the purpose. */
static enum sim_unsure doubt(const struct sim *s, const struct past *c)
{
	if (c->policy >= s->nold || !s->old[c->policy].p || c->rule == UINT16_MAX)
		return U_POLICY;
	if (!c->life.matched)
		return U_LOG;
	if (!c->life.outcome)
		return U_OPEN;
	return c->life.settled || c->life.overflow ? U_DIED : SURE;
}

static void decide(struct sim *s, struct past *c, const char *out)
{
	const struct old_policy *o = &s->old[c->policy];
	const struct old_rule *was = &o->rule[c->rule];
	const struct policy_rule *is = s->rule[c->goes].rule;
	struct life_how how = {
		.rule = is, .out = out};
	struct life_result res;
	bool sure[POLICY_PURPOSES];

	for (int p = 0; p < POLICY_PURPOSES; p++) {
		how.review_missed[p] = policy_review_ends(is, (enum policy_purpose)p) && call_review_past(is, (enum policy_purpose)p, c->start_ns);
		how.end[p] = end_of(c, was->rule, is, p, &sure[p]);
	}
	life_run(&c->life, &how, &res);
	for (int p = 0; p < POLICY_PURPOSES; p++) {
		bool training = p == POLICY_TRAINING;
		enum sim_unsure d = c->goes == was->goes
					    ? (enum sim_unsure)was->differs[p]
					    : sim_differs(o->p, was->rule, s->policy, is, p);

		if (is->purpose[p].basis == POLICY_B_NONE || how.review_missed[p] || (training && out))
			set(s, c, p, res.state[p], res.reason[p], SURE);
		else if (d)
			set(s, c, p, PURPOSE_NONE, "", d);
		else if (training && !was_drawn_in(c, was->rule) &&
			 life_had_notice(&c->life)) /* else nobody could have answered */
			assume(s, c, was, &how, p);
		else
			set(s, c, p, res.state[p], res.reason[p],
			    sure[p] || (res.state[p] != PURPOSE_GRANTED &&
					res.state[p] != PURPOSE_OBJECTED)
				    ? SURE
				    : ASSUMED);
	}
	c->training_kept = c->is[POLICY_TRAINING] == PURPOSE_GRANTED ||
			   c->is[POLICY_TRAINING] == PURPOSE_OBJECTED;
	if (c->unsure[POLICY_TRAINING] > ASSUMED) /* its slot counts as it did */
		c->training_kept = !c->has_release;
}

static int draw(struct run *r, struct past *c, const char **ret_out)
{
	struct sim_rule *rule = &r->s->rule[c->goes];
	const struct sample_record *rec = c->rec != NONE32 ? &r->s->rec[c->rec].r : NULL;
	struct sample_try_call in = {.set = &rule->set,
				     .time_ns = rec ? rec->time_ns : c->start_ns};
	struct sample_try_result res;
	int rc;

	*ret_out = NULL;
	if (!rule->samples || (policy_review_ends(rule->rule, POLICY_TRAINING) && call_review_past(rule->rule, POLICY_TRAINING, c->start_ns)))
		return 0;
	rule->eligible++;
	if (c->life.undrawn && !c->life.why) {
		*ret_out = "sampling.unavailable";
		return 0;
	}
	if (rec) {
		static const uint8_t nobody[SAMPLE_ID];

		memcpy(in.call, rec->call, SAMPLE_ID);
		in.agent = rec->agent;
		in.queue = rec->queue;
		in.was = memcmp(rec->rule, rule->set.id, SAMPLE_ID) == 0 ? rec : NULL;
		for (int i = 0; i < rule->set.ncap; i++)
			if (rule->set.cap[i].of == POLICY_OF_AGENT &&
			    !memcmp(rec->agent, nobody, SAMPLE_ID)) {
				rule->agentless++;
				break;
			}
	} else { /* without its Call-ID any hash will do: which calls it are is not known then */
		memcpy(in.call, c->has_row ? c->hash : c->uid.b, SAMPLE_ID);
	}
	rc = sample_try_draw(r->try, &in, &res);
	if (rc)
		return rc;
	c->why = (uint8_t)res.why;
	c->slot = res.slot;
	c->pseudo = res.pseudo || (!rec && !c->has_row && res.why <= SAMPLE_OUT_SPREAD);
	rule->drawn[res.why]++;
	rule->pseudo += c->pseudo;
	if (res.why != SAMPLE_IN)
		*ret_out = sample_why_name(res.why);
	return 0;
}

static int one_call(struct run *r, struct past *c)
{
	struct sim *s = r->s;
	enum sim_unsure u = doubt(s, c);
	const char *out = NULL;
	int rc = 0;

	if (!u && c->goes == GOES_UNKNOWN)
		u = U_MATCH;
	if (u != U_POLICY && c->goes >= 0) /* also what has no outcome took a slot */
		rc = draw(r, c, &out);
	if (u)
		c->training_kept = !c->has_release;
	for (int p = 0; p < POLICY_PURPOSES && (u || c->goes < 0); p++)
		set(s, c, p, PURPOSE_NONE, "", u); /* sure: it comes to no rule */
	if (!rc && !u && c->goes >= 0)
		decide(s, c, out);
	return rc;
}

/* ---- steps ---- */

static int by_time(const void *a, const void *b)
{
	const struct step *x = a, *y = b;

	if (x->ns != y->ns)
		return x->ns < y->ns ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

static void push(struct run *r, enum what w, uint64_t ns, uint32_t order, uint32_t index)
{
	r->v[r->n++] = (struct step){ns, order, index, (uint8_t)w};
}

static int by_place(const void *a, const void *b)
{
	const struct place *x = a, *y = b;
	int d = memcmp(x->rule, y->rule, SAMPLE_ID);

	return d ? d : (x->seq > y->seq) - (x->seq < y->seq);
}

static uint32_t undone(const struct run *r, const struct sample_record *rel)
{
	struct place want = {.seq = rel->of};
	const struct place *hit;

	memcpy(want.rule, rel->rule, SAMPLE_ID);
	hit = bsearch(&want, r->draws, r->ndraws, sizeof(want), by_place);
	return hit ? hit->rec : NONE32;
}

static void push_records(struct run *r)
{
	struct sim *s = r->s;

	for (size_t i = 0; i < s->nrec; i++) {
		if (s->rec[i].r.kind != SAMPLE_R_DRAW)
			continue;
		memcpy(r->draws[r->ndraws].rule, s->rec[i].r.rule, SAMPLE_ID);
		r->draws[r->ndraws].seq = s->rec[i].r.seq;
		r->draws[r->ndraws++].rec = (uint32_t)i;
	}
	qsort(r->draws, r->ndraws, sizeof(*r->draws), by_place);
	for (uint32_t i = 0; i < s->nrec; i++) {
		struct sim_rec *x = &s->rec[i];
		uint32_t of = NONE32;

		switch (x->r.kind) {
		case SAMPLE_R_OPEN:
			push(r, W_OPEN, x->order_ns, i, i);
			break;
		case SAMPLE_R_USE:
			push(r, W_USE, x->order_ns, i, i);
			break;
		case SAMPLE_R_DRAW:
			if (x->call != NONE32)
				push(r, W_DRAW, x->order_ns, i, x->call);
			else
				push(r, W_FIXED, x->order_ns, i, i);
			break;
		case SAMPLE_R_RELEASE:
			of = undone(r, &x->r);
			if (of != NONE32 && s->rec[of].call != NONE32)
				s->past[s->rec[of].call].has_release = true;
			if (of != NONE32)
				push(r, W_RELEASE, x->order_ns, i, of);
			break;
		}
	}
}

static void push_calls(struct run *r)
{
	struct sim *s = r->s;

	for (uint32_t i = 0; i < s->npast; i++) {
		const struct past *c = &s->past[i];

		if (c->rec == NONE32)
			push(r, W_DRAW, c->start_ns, (uint32_t)s->nrec + i, i);
		if (!c->has_release && c->end_ns && whole(c))
			push(r, W_END, c->end_ns > c->start_ns ? c->end_ns : c->start_ns + 1,
			     (uint32_t)(s->nrec + s->npast) + i, i);
	}
}

static struct sim_rule *rule_of(struct sim *s, const uint8_t id[SAMPLE_ID])
{
	for (size_t i = 0; i < s->nrule; i++)
		if (s->rule[i].samples && !memcmp(s->rule[i].set.id, id, SAMPLE_ID))
			return &s->rule[i];
	return NULL;
}

static int fixed(struct run *r, struct sim_rec *x)
{
	struct sim_rule *rule = rule_of(r->s, x->r.rule);
	struct sample_try_call in = {.time_ns = x->r.time_ns, .was = &x->r, .fixed = true};
	struct sample_try_result res;
	int rc;

	if (!rule)
		return 0;
	in.set = &rule->set;
	memcpy(in.call, x->r.call, SAMPLE_ID);
	rc = sample_try_draw(r->try, &in, &res);
	x->slot = res.slot;
	return rc;
}

/* x: the record itself, or the draw that a release undoes. */
static int record_step(struct run *r, enum what what, struct sim_rec *x)
{
	struct sim *s = r->s;
	struct sim_rule *rule = rule_of(s, x->r.rule);

	switch (what) {
	case W_OPEN:
		return rule ? sample_try_open(r->try, &rule->set, &x->r) : 0;
	case W_USE:
		if (rule) {
			rule->used += x->order_ns >= s->since_ns ? x->r.of : 0;
			sample_try_use(r->try, x->r.rule, (uint32_t)x->r.of);
		}
		return 0;
	case W_FIXED:
		return fixed(r, x);
	default:
		break;
	}
	if (x->call == NONE32)
		sample_try_release(r->try, x->slot);
	else if (!s->past[x->call].training_kept)
		sample_try_release(r->try, s->past[x->call].slot);
	return 0;
}

static int one_step(struct run *r, const struct step *st)
{
	struct past *c;

	if (st->what != W_DRAW && st->what != W_END)
		return record_step(r, (enum what)st->what, &r->s->rec[st->index]);
	c = &r->s->past[st->index];
	if (st->what == W_DRAW)
		return one_call(r, c);
	if (!c->training_kept)
		sample_try_release(r->try, c->slot);
	return 0;
}

int sim_run(struct sim *s)
{
	struct run r = {.s = s};
	int rc = sample_try_new(s->pub, s->npub, &r.try);

	r.v = malloc((s->nrec + 2 * s->npast + 1) * sizeof(*r.v));
	r.draws = malloc((s->nrec + 1) * sizeof(*r.draws));
	if (!rc && (!r.v || !r.draws))
		rc = -ENOMEM;
	if (!rc) {
		rates(s);
		push_records(&r);
		push_calls(&r);
		qsort(r.v, r.n, sizeof(*r.v), by_time);
	}
	for (size_t i = 0; i < r.n && !rc; i++)
		rc = one_step(&r, &r.v[i]);
	for (size_t i = 0; i < s->nrule && !rc; i++) {
		struct sample_try_figures f;

		if (s->rule[i].samples && !sample_try_figures(r.try, s->rule[i].set.id, &f))
			s->rule[i].fig = f;
	}
	sample_try_free(r.try);
	free(r.v);
	free(r.draws);
	if (rc)
		cli_err("%s", strerror(-rc));
	return rc ? CLI_FAILED : CLI_OK;
}
