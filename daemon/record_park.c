/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * record_park.c - recordings of parts of a conversation that goes on
 *
 * A transfer ends a recording, not the conversation: who opts out in its second part does so for the whole, who takes a
 * consent back takes it back from all that it gave, who objects to documentation objects to all of it (N-27), and nothing of
 * training is committed before the hang-up (guidance 6). So the recording waits, as complete as it is, with a copy of
 * its call, until group.c says that the conversation is over or that somebody said no. When this process dies its
 * documentation gets a row from store_settle, restricted where it was, and its training is gone. When too many wait,
 * documentation gets its row at once. One thread.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "evidence.h"
#include "record_call.h"
#include "record_internal.h"

struct parked {
	struct call c; /* first: the copy is all that others know */
	struct call_peers part;
	struct parked *next;
	char call_id[CALL_ID_MAX + 1];
};

static bool by_consent(const struct call *c, int p)
{
	return c->rule->purpose[p].basis == POLICY_B_CONSENT;
}

/* What is said later in the conversation may still take it back, or restrict it. */
static bool may_be_taken(const struct call *c)
{
	return c->state[POLICY_TRAINING] == PURPOSE_GRANTED || c->state[POLICY_DOCUMENTATION] == PURPOSE_GRANTED;
}

static void free_parked(struct parked *p)
{
	call_facts_free(p->c.facts);
	free(p->c.tag);
	free(p);
}

/* What a later policy is asked about it. Without, it is judged as if nothing matched. */
static void copy_facts(struct call *to, const struct call *from)
{
	struct buf b = { 0 };

	to->facts = NULL;
	to->tag = NULL;
	to->ntags = 0;
	call_facts_save(from->facts, &b);
	if (!from->facts || b.failed || call_facts_load(b.p, b.len, &to->facts))
		to->facts = NULL;
	if (b.p)
		explicit_bzero(b.p, b.cap);
	buf_free(&b);
	if (from->ntags)
		to->tag = calloc(CALL_TAGS_MAX, sizeof(*to->tag));
	if (!to->tag)
		return;
	memcpy(to->tag, from->tag, from->ntags * sizeof(*to->tag));
	to->ntags = from->ntags;
}

bool park(struct recorder *r, struct call *c)
{
	struct parked *p;

	if (c->ghost || !may_be_taken(c) || !c->user || !recording_begun(c->user) || !group_lasts(c))
		return false;
	p = calloc(1, sizeof(*p));
	if (p) {
		p->c = *c;
		strncpy(p->call_id, c->call_id, CALL_ID_MAX);
		p->c.call_id = p->call_id;
		p->c.ep = NULL;
		p->c.nep = 0;
		p->c.trace = NULL;
		p->c.caller_tag = NULL;
		p->c.earlier = NULL;
		p->c.nearlier = 0;
		copy_facts(&p->c, c);
	}
	if (!p || !group_park(r->calls, c, &p->c, &p->part) || recording_flush(c->user)) {
		/* an opt-out could not reach it */
		if (p && p->c.ghost)
			group_unpark(r->calls, &p->c);
		if (p)
			free_parked(p);
		if (c->state[POLICY_TRAINING] == PURPOSE_GRANTED) {
			c->state[POLICY_TRAINING] = PURPOSE_DENIED;
			c->reason[POLICY_TRAINING] = "group.full";
		}
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
	if (r->park_next == p)
		r->park_next = p->next;
	group_unpark(r->calls, &p->c);
	p->c.matched = true; /* as it was when it ended */
	recorder_ended(r, &p->c);
	free_parked(p);
}

/* It is over: the key first, then the log. said: what somebody said, NULL nobody did. */
static void deny(struct recorder *r, struct call *c, enum policy_purpose q, enum purpose_state s, const char *reason,
		 const struct call_news *said)
{
	struct call_news n = { .event = "purpose.deny", .purpose = q, .actor = "system", .reason = reason };

	if (c->state[q] != PURPOSE_GRANTED)
		return;
	c->state[q] = s;
	c->reason[q] = reason;
	if (proof_destroy(r, c, q, reason) && !r->err)
		r->err = -EIO;
	if (!proof_wanted(r, c)) {
		if (said)
			proof_grounds(r, c, said);
		return;
	}
	proof_news(r, c, &n);
	if (said)
		proof_news(r, c, said);
}

static enum purpose_kind kind_of(const struct call *c, int p)
{
	if (by_consent(c, p))
		return PURPOSE_K_CONSENT;
	if (p == POLICY_DOCUMENTATION)
		return PURPOSE_K_DOCUMENT;
	return c->rule->purpose[p].special ? PURPOSE_K_SPECIAL : PURPOSE_K_OPTOUT;
}

static const char *word_of(enum purpose_event e, enum purpose_state s)
{
	switch (e) {
	case PURPOSE_E_LOSS:
		return "optout.uncertain";
	case PURPOSE_E_OBJECT:
	case PURPOSE_E_OBJECT_GROUNDS:
		return "objection.opened";
	default:
		return s == PURPOSE_WITHDRAWN ? "consent.withdrawn" : "optout";
	}
}

/* Documentation that a statute or an interest asks for is not taken: nobody but the assessor plays it (N-27). */
static void restrict_parked(struct recorder *r, struct call *c, enum purpose_event e)
{
	struct call_news said = { .event = "objection.opened", .purpose = POLICY_DOCUMENTATION, .actor = "system", .how = CALL_BY_PEER,
				  .reason = e == PURPOSE_E_OBJECT_GROUNDS ? "grounds.present" : "grounds.absent", .at_ns = clock_now_ns() };
	struct purpose_answer a = purpose_step(PURPOSE_K_DOCUMENT, c->state[POLICY_DOCUMENTATION], e, false);

	if (!a.changed || a.state != PURPOSE_OBJECTED)
		return;
	c->state[POLICY_DOCUMENTATION] = a.state;
	c->reason[POLICY_DOCUMENTATION] = a.reason;
	c->decide.objected = true;
	recording_note(c->user, c); /* for whoever gives it a row when this process does not */
	if (proof_wanted(r, c))
		proof_news(r, c, &said);
	else
		proof_grounds(r, c, &said);
}

/* What the table of guidance 5 says of a granted purpose; restricting is not enough for training that is not committed. */
static void bind_parked(struct recorder *r, struct call *c, enum policy_purpose q, enum purpose_event e)
{
	struct purpose_answer a = purpose_step(kind_of(c, q), c->state[q], e, false);
	struct call_news said = { .purpose = q, .actor = "system", .how = CALL_BY_PEER };

	if (q == POLICY_DOCUMENTATION && !by_consent(c, q)) {
		restrict_parked(r, c, e);
		return;
	}
	if (!a.changed || a.state == PURPOSE_GRANTED ||
	    (e == PURPOSE_E_LOSS && c->rule->purpose[q].on_loss == 1))
		return;
	if (a.state == PURPOSE_OBJECTED) {
		a.state = PURPOSE_OPTED_OUT;
		a.reason = "optout";
		e = PURPOSE_E_OPT_OUT;
	}
	said.event = word_of(e, a.state);
	said.reason = e == PURPOSE_E_OBJECT ? "grounds.absent" : e == PURPOSE_E_OBJECT_GROUNDS ? "grounds.present" : "peer";
	said.at_ns = clock_now_ns();
	deny(r, c, q, a.state, a.reason, e == PURPOSE_E_TIGHTENED ? NULL : &said);
}

void park_over(void *arg, struct call *ghost, enum policy_purpose q, enum purpose_event e)
{
	struct recorder *r = arg;

	if (e != PURPOSE_E_BYE) {
		bind_parked(r, ghost, q, e);
		if (may_be_taken(ghost))
			return; /* the conversation goes on */
	}
	finish(r, (struct parked *)ghost);
}

void park_tighten(struct recorder *r, const struct policy *p)
{
	struct parked *k;

	/* whatever goes meanwhile, this one or others: finish() moves park_next on */
	for (k = r->parked; k; k = r->park_next) {
		r->park_next = k->next;
		if (!call_tighten_parked(r->calls, &k->c, p))
			park_over(r, &k->c, POLICY_TRAINING, PURPOSE_E_TIGHTENED);
	}
}

void park_clock_back(struct recorder *r)
{
	for (struct parked *k = r->parked; k; k = k->next)
		(void)call_clock_back(r->calls, &k->c); /* what it takes is the recording's, told there */
}

void park_deny_all(struct recorder *r, const char *reason)
{
	struct parked *p;

	while ((p = r->parked)) {
		deny(r, &p->c, POLICY_TRAINING, PURPOSE_DENIED, reason, NULL);
		finish(r, p);
	}
}

size_t park_pinned(const struct recorder *r, const struct policy *p)
{
	size_t n = 0;

	for (const struct parked *k = r->parked; k; k = k->next)
		n += k->c.policy == p;
	return n;
}
