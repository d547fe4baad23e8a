/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lint_past.c - what the evidence log says of a rule: warnings only, and only
 * where there were calls enough to say it
 *
 * A rule that changed its name has no past. Numbers below which nothing is said
 * are those at which chance alone would hardly say it.
 */
#include <string.h>

#include "lint.h"

#define DAYS_IDLE      30 /* W-07 */
#define CALLS_HELD     40 /* W-03: 5% of them are two */
#define HELD_PERCENT   5
#define CALLS_USED     10 /* W-05 */
#define CALLS_ASKED    60 /* W-09: 95% of them are 57 */
#define CONSENT_PERCENT 95
#define OPTOUTS_MISSED 5 /* W-08: as many were to be expected */

/* The log spells names without blanks and letters of other alphabets. */
static bool same_rule(const char *log, const char *name)
{
	for (; *log && *name; log++, name++)
		if (*log != *name && !(*log == '_' && (*name <= ' ' || *name > '~' || *name == '"' || *name == '\\')))
			return false;
	return !*log && !*name;
}

static const struct policy_past *past_of(const struct policy_past_log *l, const char *name)
{
	for (size_t i = 0; i < l->n; i++)
		if (same_rule(l->rule[i].name, name))
			return &l->rule[i];
	return NULL;
}

static bool usual_retention(const struct policy_span *s)
{
	return s->unit == POLICY_U_MONTHS && s->n == 3;
}

static void check_held(struct policy *p, const struct rule *r, const struct policy_past *x)
{
	const struct block *b = &r->block[POLICY_DOCUMENTATION];

	if (b->pos.line && usual_retention(&b->pub->retention) && x->kept >= CALLS_HELD &&
	    x->held * 100 > x->kept * HELD_PERCENT)
		diag_add(p, block_at(b, B_RETENTION), "W-03", NULL, NULL, "%llu of %llu calls were held longer than this.",
			 (unsigned long long)x->held, (unsigned long long)x->kept);
}

/* A cap that even the busiest time would not have come near. */
static void check_room(struct policy *p, const struct rule *r, const struct policy_past *x)
{
	const struct block *b = &r->block[POLICY_TRAINING];
	const struct policy_block *t = b->pub;
	const struct policy_cap *least = NULL;
	uint64_t most = 0;

	for (int i = 0; i < t->ncap; i++) {
		const struct policy_cap *c = &t->cap[i];
		uint64_t calls = c->per == POLICY_PER_DAY    ? x->busiest_day
				 : c->per == POLICY_PER_WEEK ? x->busiest_week
							     : x->busiest_month;

		if (c->of != POLICY_OF_RULE || c->per == POLICY_PER_HOUR)
			continue; /* the log does not tell */
		if (calls * (uint64_t)t->sample_permille >= (uint64_t)c->n * 1000)
			return;
		if (!least || c->per < least->per) {
			least = c;
			most = calls;
		}
	}
	if (least)
		diag_add(p, b->at[B_CAP], "W-04", NULL, "a lower cap, or a larger share.",
			 "with at most %llu calls a %s the share never fills the cap of %d.", (unsigned long long)most,
			 per_names[least->per], least->n);
}

static void check_use(struct policy *p, const struct rule *r, const struct policy_past *x)
{
	const struct block *b = &r->block[POLICY_TRAINING];
	int target = b->pub->use_target_percent > 0 ? b->pub->use_target_percent : 80;

	if (x->recorded >= CALLS_USED && x->used * 100 < x->recorded * (uint64_t)target)
		diag_add(p, b->at[B_SAMPLE], "W-05", NULL, NULL, "%llu of %llu training recordings were used.",
			 (unsigned long long)x->used, (unsigned long long)x->recorded);
}

static void check_answers(struct policy *p, const struct rule *r, const struct policy_past *x)
{
	const struct block *t = &r->block[POLICY_TRAINING];

	for (int i = 0; i < POLICY_PURPOSES; i++) {
		uint64_t asked = x->given[i] + x->not_given[i];

		if (r->pub.purpose[i].basis == POLICY_B_CONSENT && asked >= CALLS_ASKED &&
		    x->given[i] * 100 > asked * CONSENT_PERCENT)
			diag_add(p, block_at(&r->block[i], B_CONSENT_KEY), "W-09", NULL, NULL,
				 "%llu of %llu callers consented.", (unsigned long long)x->given[i],
				 (unsigned long long)asked);
	}
	if (training_opt_out(r) && t->pos.line && x->optouts_before && !x->optouts_since && x->matched_before &&
	    x->optouts_before * x->matched_since >= OPTOUTS_MISSED * x->matched_before)
		diag_add(p, t->at[B_OPTOUT], "W-08", NULL, NULL,
			 "nobody opted out of the %llu calls since the policy changed, and %llu of %llu before.",
			 (unsigned long long)x->matched_since, (unsigned long long)x->optouts_before,
			 (unsigned long long)x->matched_before);
}

void check_past(struct policy *p)
{
	const struct policy_past_log *l = p->past;

	for (const struct obj *o = p->rules.first; o && l; o = o->next) {
		const struct rule *r = (const struct rule *)o;
		const struct policy_past *x = past_of(l, o->name);

		if (o->bad || !rule_controller(r) || rule_controller(r)->pub.lab)
			continue;
		if ((!x || !x->recent) && l->days >= DAYS_IDLE) {
			diag_add(p, o->pos, "W-07", NULL, NULL, "no call matched this rule in %d days.", DAYS_IDLE);
			continue;
		}
		if (!x)
			continue;
		check_held(p, r, x);
		check_answers(p, r, x);
		if (r->block[POLICY_TRAINING].pos.line && l->days >= DAYS_IDLE) {
			check_room(p, r, x);
			check_use(p, r, x);
		}
	}
}
