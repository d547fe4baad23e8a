/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * policies_retain.c - how long the policy in force keeps calls, and unused ones, for the reaper: STORE/retention (store/retention.h)
 *
 * Each time round the policy in force, once it is confirmed, is compared with what the journal had last: so it does not matter how it came in force, or
 * that the daemon before this one was killed between. A policy that still may be reverted writes nothing. What is written is
 * never taken back.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "policies_internal.h"
#include "store/retention.h"

#define LINES	 (POLICY_PURPOSES + 1) /* and training's use-within */
#define AGAIN_NS (60 * NS_PER_S) /* what could not be written is tried again */

static enum retention_unit unit_of(enum policy_unit u)
{
	static const enum retention_unit units[] = { [POLICY_U_S] = RETENTION_U_S,	   [POLICY_U_MIN] = RETENTION_U_MIN,
						     [POLICY_U_H] = RETENTION_U_H,	   [POLICY_U_DAYS] = RETENTION_U_DAYS,
						     [POLICY_U_MONTHS] = RETENTION_U_MONTHS, [POLICY_U_YEARS] = RETENTION_U_YEARS };

	return units[u];
}

static struct retention_line line_of(const struct policy *p, const struct policy_rule *r, unsigned purpose, struct policy_span s)
{
	struct retention_line l = { .purpose = purpose, .span = (unsigned)s.n, .unit = unit_of(s.unit) };

	snprintf(l.controller, sizeof(l.controller), "%s", r->controller->name);
	snprintf(l.zone, sizeof(l.zone), "%s", r->controller->timezone);
	snprintf(l.rule, sizeof(l.rule), "%s", r->name);
	snprintf(l.policy, sizeof(l.policy), "%s", policy_hash(p));
	return l;
}

/* *ret_n of them; room for LINES of each rule. */
static void lines_of(const struct policy *p, struct retention_line *v, size_t *ret_n)
{
	size_t n = 0;

	for (size_t i = 0; i < policy_rules(p); i++) {
		const struct policy_rule *r = policy_rule(p, i);

		for (unsigned k = 0; k < POLICY_PURPOSES; k++) {
			const struct policy_block *b = &r->purpose[k];

			if (b->basis == POLICY_B_NONE)
				continue;
			if (b->retention.n > 0)
				v[n++] = line_of(p, r, k, b->retention);
			if (k == POLICY_TRAINING && b->use_within.n > 0) {
				v[n] = line_of(p, r, k, b->use_within);
				v[n++].use = true;
			}
		}
	}
	*ret_n = n;
}

void work_retain(const struct worker *w, struct job *j)
{
	size_t n = 0, added = 0, rules = policy_rules(j->against);
	struct retention_line *v = calloc(LINES * rules + 1, sizeof(*v));

	if (!v) {
		j->err = -ENOMEM;
		snprintf(j->why, sizeof(j->why), "out of memory");
		return;
	}
	lines_of(j->against, v, &n);
	j->err = retention_note(w->store, v, n, clock_now_ns(), &added, j->why, sizeof(j->why));
	if (j->err == -ENOENT) /* no store, no calls */
		j->err = 0;
	j->stored.calls = added;
	free(v);
}

void policies_retained(struct policies *ps, const struct job *j)
{
	ps->retaining = false;
	if (j->err) {
		ps->retain_again_ns = clock_steady_ns() + AGAIN_NS;
		log_err("stored calls are not kept shorter by policy %.12s yet: %s", j->hash, j->why);
		return;
	}
	snprintf(ps->retained, sizeof(ps->retained), "%s", j->hash);
	if (j->stored.calls)
		log_info("policy.retention: %llu retentions of policy %.12s are in the store's journal", (unsigned long long)j->stored.calls, j->hash);
}

void policies_retain(struct policies *ps)
{
	const char *hash = policy_hash(ps->now->p);
	struct job *j;

	if (ps->retaining || !ps->w.started || !*ps->w.store || !ps->hist->confirmed || ps->timing || !strcmp(ps->retained, hash) ||
	    strcmp(ps->hist->now.policy, hash) != 0 || clock_steady_ns() < ps->retain_again_ns)
		return;
	j = calloc(1, sizeof(*j));
	if (!j)
		return; /* the next time round */
	j->kind = JOB_RETAIN;
	j->uid = (uid_t)-1;
	j->against = ps->now->p;
	snprintf(j->hash, sizeof(j->hash), "%s", hash);
	ps->retaining = true;
	policies_push(ps, j);
}
