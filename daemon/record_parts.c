/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * record_parts.c - for which purposes a packet is recorded, and the part of the call it goes to
 *
 * Purposes come and go while a call lasts: a consent from the press on, one taken back and given
 * again, documentation that a later policy stops while training goes on. Each time the set changes
 * (nobody's, when training is only held) a part begins in the store (store.h, parts). A leg enters it with its own first packet, so packets
 * that waited in another ring still go where they belong. Same thread as record_call.c.
 */
#include <errno.h>

#include "record_call_internal.h"

#define ALL ((1u << POLICY_PURPOSES) - 1)

unsigned recording_purposes(const struct call *c, uint64_t arrival_ns)
{
	unsigned set = 0;

	for (int p = 0; p < POLICY_PURPOSES; p++)
		if (call_keeps(c, (enum policy_purpose)p) && c->decide.granted_ns[p] <= arrival_ns)
			set |= 1u << p;
	return set;
}

/*
 * Training that is granted for the whole call has what was recorded for documentation before (guidance 6). Once it has
 * a part it gets no older ones: it was restricted, or taken back, while they were recorded. Documentation never does.
 */
static void cover(struct recording *rc, const struct call *c)
{
	const enum store_purpose t = STORE_TRAINING;

	if (!c->decide.granted_ns[t] && !store_call_keyed(rc->sc, t))
		(void)store_call_cover(rc->sc, t); /* refused: it was destroyed; from now on then */
}

/* The wrap of documentation is evidence that must survive a crash: at once, unless the rule says otherwise. */
static int commit_now(struct recording *rc, const struct call *c)
{
	const enum store_purpose d = STORE_DOCUMENTATION;
	int e;

	if (!store_call_keyed(rc->sc, d) || store_call_committed(rc->sc, d) || c->rule->purpose[d].commit_at_end)
		return 0;
	e = store_call_commit(rc->sc, d);
	rc->meta.commit[d] = !e;
	return e && e != -ESHUTDOWN && store_repairs(rc->st) ? 0 : e; /* tried again when the call ends */
}

static int enter(struct recording *rc, unsigned leg)
{
	int e = rc->leg[leg].chunker ? chunker_flush(rc->leg[leg].chunker) : 0;

	if (!e)
		store_call_enter(rc->sc, leg);
	rc->unsaved = RECORDING_SAVE_PACKETS; /* the state for who comes after us must know the part */
	return e;
}

/* No more parts: what is recorded goes on only for who has all of it anyway. */
static int no_part(struct recording *rc, unsigned leg, unsigned want, unsigned newest, bool in_newest)
{
	unsigned mine = store_call_for(rc->sc, leg);

	if (in_newest && newest <= ALL && mine && !(mine & ~want))
		return 0;
	recording_gap(rc, "parts");
	return RECORDING_NOT_KEPT;
}

int recording_part(struct recording *rc, const struct call *c, unsigned leg, uint64_t arrival_ns)
{
	unsigned want = recording_purposes(c, arrival_ns), newest;
	uint64_t from;
	bool in_newest;
	int e;

	/* Nothing changes for nearly all packets; the store's table would be three misses of the cache for each. */
	if (rc->part_for[leg] == want + 1)
		return 0;
	in_newest = store_call_newest(rc->sc, leg, &newest, &from);
	if (in_newest && newest == want) {
		rc->part_for[leg] = (uint8_t)(want + 1);
		return 0;
	}
	rc->part_for[0] = rc->part_for[1] = 0;
	if (!want && !call_holds(c)) /* held: a part for nobody, until training is decided */
		return RECORDING_NOT_KEPT;
	if (want >> POLICY_TRAINING & 1)
		cover(rc, c);
	in_newest = store_call_newest(rc->sc, leg, &newest, &from);
	if (in_newest && newest == want)
		return commit_now(rc, c);
	if (arrival_ns < from) /* of before the newest part began */
		return !in_newest && store_call_for(rc->sc, leg) == want ? 0 : RECORDING_NOT_KEPT;
	if (newest == want) /* the other leg was here first */
		return enter(rc, leg);
	e = store_call_part(rc->sc, want, arrival_ns);
	if (e == -ENOSPC)
		return no_part(rc, leg, want, newest, in_newest);
	if (!e)
		e = enter(rc, leg);
	return e ? e : commit_now(rc, c);
}

void recording_drop_legs(struct recording *rc)
{
	for (unsigned i = 0; i < 2; i++) {
		struct leg_state *l = &rc->leg[i];

		if (!l->chunker)
			continue;
		if (!store_call_lost(rc->sc, i)) {
			chunker_forget(l->chunker); /* it may be of the part before, which is lost */
			continue;
		}
		(void)chunker_flush(l->chunker); /* comes to nothing there, and is counted so */
		chunker_free(l->chunker);
		l->chunker = NULL;
	}
}

void recording_unreached(struct recording *rc, const struct call *c, struct store_call_result *r)
{
	for (int p = 0; rc->sc && p < POLICY_PURPOSES; p++) {
		if (r->state[p] != STORE_S_GRANTED && r->state[p] != STORE_S_OBJECTED)
			continue;
		if (p == POLICY_TRAINING)
			cover(rc, c);
		if (store_call_keyed(rc->sc, (enum store_purpose)p))
			continue;
		r->state[p] = STORE_S_DENIED;
		r->reason[p] = "no-media";
	}
}
