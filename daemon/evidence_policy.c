/* SPDX-License-Identifier: BSD-2-Clause */
/* evidence_policy.c - what people did to the policy, as events; see evidence.h. The recorder's thread. */
#include <string.h>

#include "base/clock.h"
#include "evidence_internal.h"
#include "polhist.h"

static const struct {
	enum evlog_kind kind;
	const char *reason;
} kinds[POLHIST_WHATS] = {
	[POLHIST_LOAD] = { EVLOG_POLICY_CHANGE, NULL },	    [POLHIST_CONFIRM] = { EVLOG_POLICY_CONFIRM, NULL },
	[POLHIST_PROPOSE] = { EVLOG_POLICY_PROPOSE, NULL }, [POLHIST_APPROVE] = { EVLOG_POLICY_APPROVE, NULL },
	[POLHIST_STOP] = { EVLOG_RULE_STOP, NULL },	    [POLHIST_START] = { EVLOG_RULE_START, NULL },
	[POLHIST_STAGE] = { EVLOG_POLICY_STAGE, NULL },	    [POLHIST_CANCEL] = { EVLOG_POLICY_STAGE, "cancel" },
};

void evidence_policy(struct evidence *ev, const struct polhist_line *l, const uint8_t hash[32])
{
	struct evlog_event e = { .kind = kinds[l->what].kind, .time_ns = l->at_ns, .source = l->uid < 0 ? EVLOG_S_DAEMON : EVLOG_S_OPERATOR,
				 .policy = l->policy, .reason = kinds[l->what].reason, .has_data = true };

	if (l->what == POLHIST_LOAD)
		e.reason = polhist_how_name(l->how);
	if (*l->rule)
		e.rule = l->rule;
	if (*l->approver)
		e.who = l->approver;
	memcpy(e.data, hash, sizeof(e.data));
	if (l->uid >= 0)
		evlog_num_add(&e, EVLOG_N_UID, (uint64_t)l->uid);
	if (l->what == POLHIST_LOAD || l->what == POLHIST_PROPOSE || l->what == POLHIST_STAGE) {
		evlog_num_add(&e, EVLOG_N_TIGHTEN, l->change[POLICY_TIGHTEN]);
		evlog_num_add(&e, EVLOG_N_SHORTEN, l->change[POLICY_SHORTEN]);
		evlog_num_add(&e, EVLOG_N_LOOSEN, l->change[POLICY_LOOSEN]);
	}
	if (l->until_ns)
		evlog_num_add(&e, EVLOG_N_UNTIL_S, l->until_ns / NS_PER_S);
	evidence_queue(ev, &e);
}
