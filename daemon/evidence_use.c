/* SPDX-License-Identifier: BSD-2-Clause */
/* evidence_use.c - recordings that were used, and what is left of the caps; see evidence.h. The recorder's thread. */
#include <errno.h>

#include "base/clock.h"
#include "evidence_internal.h"

bool evidence_use(struct evidence *ev, const struct evidence_used *u)
{
	struct evlog_event e = { .kind = EVLOG_USE, .purpose = EVLOG_P_TRAINING, .source = EVLOG_S_OPERATOR, .time_ns = clock_now_ns(),
				 .has_call = true, .call = u->call, .controller = u->controller, .rule = u->rule, .policy = u->policy,
				 .reason = u->kind, .who = u->by };
	uint8_t id[SAMPLE_ID];

	evlog_num_add(&e, EVLOG_N_USED, u->first);
	evlog_num_add(&e, EVLOG_N_UID, u->uid);
	evidence_queue(ev, &e);
	if (!u->first)
		return false;
	sample_rule_id(u->controller, u->rule, id);
	return sample_note_use(ev->sample, id, 1) == 0;
}

int evidence_quota(struct evidence *ev, const struct policy_rule *r, struct sample_quota *ret)
{
	struct sample_rule rule;

	if (sample_rule_init(r, &rule))
		return -EINVAL;
	return sample_rule_quota(ev->sample, &rule, clock_now_ns(), ret);
}
