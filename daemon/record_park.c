/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * record_park.c - training recordings of parts of a conversation that goes on
 *
 * A transfer ends a recording, not the conversation: who opts out in its second part does so for the whole, and
 * nothing of training is committed before the hang-up (guidance 6). So the recording waits, as complete as it is, with a copy of
 * its call, until group.c says that the conversation is over or that somebody said no. When this process dies its
 * documentation gets a row from store_settle, and its training is gone. One thread.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "evidence.h"
#include "record_call.h"
#include "record_internal.h"

struct parked {
	struct call c; /* first: the copy is all that others know */
	struct call_peers part;
	struct parked *next;
	char call_id[CALL_ID_MAX + 1];
};

bool park(struct recorder *r, struct call *c)
{
	struct parked *p;

	if (c->ghost || c->state[POLICY_TRAINING] != PURPOSE_GRANTED || !c->user || !recording_begun(c->user) || !group_lasts(c))
		return false;
	p = calloc(1, sizeof(*p));
	if (p) {
		p->c = *c;
		strncpy(p->call_id, c->call_id, CALL_ID_MAX);
		p->c.call_id = p->call_id;
		p->c.ep = NULL;
		p->c.nep = 0;
		p->c.facts = NULL;
		p->c.trace = NULL;
		p->c.tag = NULL;
		p->c.caller_tag = NULL;
	}
	if (!p || !group_park(r->calls, c, &p->c, &p->part) || recording_flush(c->user)) {
		/* an opt-out could not reach it */
		if (p && p->c.ghost)
			group_unpark(r->calls, &p->c);
		free(p);
		c->state[POLICY_TRAINING] = PURPOSE_DENIED;
		c->reason[POLICY_TRAINING] = "group.full";
		return false;
	}
	recording_moved(c->user, &p->c);
	c->decide.sample_slot = 0; /* the copy's now */
	p->next = r->parked;
	r->parked = p;
	return true;
}

static void finish(struct recorder *r, struct parked *p)
{
	struct parked **at = &r->parked;

	while (*at && *at != p)
		at = &(*at)->next;
	if (*at)
		*at = p->next;
	group_unpark(r->calls, &p->c);
	p->c.matched = true; /* as it was when it ended */
	recorder_ended(r, &p->c);
	free(p);
}

/* Training of it is over: the key first, then the log. */
static void deny(struct recorder *r, struct call *c, enum purpose_state s, const char *reason)
{
	if (c->state[POLICY_TRAINING] != PURPOSE_GRANTED)
		return;
	c->state[POLICY_TRAINING] = s;
	c->reason[POLICY_TRAINING] = reason;
	if (recording_destroy(c->user, c, POLICY_TRAINING) && !r->err)
		r->err = -EIO;
	if (!proof_wanted(r, c))
		return;
	evidence_call(r->set.evidence, c, EVLOG_PURPOSE_DENY, POLICY_TRAINING, EVLOG_S_DAEMON, reason, NULL, 0);
	evidence_call(r->set.evidence, c, EVLOG_KEY_DESTROY, POLICY_TRAINING, EVLOG_S_DAEMON, reason, NULL, 0);
}

void park_over(void *arg, struct call *ghost, enum purpose_event e)
{
	struct recorder *r = arg;
	struct parked *p = (struct parked *)ghost;
	const struct policy_block *b = &ghost->rule->purpose[POLICY_TRAINING];
	bool consent = b->basis == POLICY_B_CONSENT;

	/* what the table of guidance 5 says of a granted purpose */
	if (e == PURPOSE_E_LOSS && (consent || b->special || b->on_loss == 1))
		return; /* it hid no opt-out that counts here; the conversation goes on */
	if (e == PURPOSE_E_OBJECT && b->special)
		return;
	if (e == PURPOSE_E_OPT_OUT && b->special)
		return;
	if (e == PURPOSE_E_LOSS)
		deny(r, ghost, PURPOSE_DENIED, "optout.uncertain");
	else if (e == PURPOSE_E_TIGHTENED)
		deny(r, ghost, PURPOSE_DENIED, "policy.tightened");
	else if (e != PURPOSE_E_BYE)
		deny(r, ghost, consent ? PURPOSE_WITHDRAWN : PURPOSE_OPTED_OUT, consent ? "consent.withdrawn" : "optout");
	finish(r, p);
}

void park_deny_all(struct recorder *r, const char *reason)
{
	while (r->parked) {
		deny(r, &r->parked->c, PURPOSE_DENIED, reason);
		finish(r, r->parked);
	}
}

size_t park_pinned(const struct recorder *r, const struct policy *p)
{
	size_t n = 0;

	for (const struct parked *k = r->parked; k; k = k->next)
		n += k->c.policy == p;
	return n;
}
