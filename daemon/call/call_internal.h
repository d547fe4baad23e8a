/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * call_internal.h - shared by call.c (table, timers, ends), dialog.c (SIP) and
 * endpoint.c (SDP, addresses)
 *
 * Invariants: a call is in `by_id` from its first message until its tombstone
 * expires, and in exactly one slot of the timer wheel. An endpoint with `owner`
 * set is in `owners`, and no other endpoint with its address is. Only matched
 * calls have endpoints that were given to the sink.
 */
#ifndef CALL_INTERNAL_H
#define CALL_INTERNAL_H

#include "call/call.h"

#define WHEEL_SLOTS 1024 /* of 100 ms: 102 s a turn; later deadlines stay in their slot */
#define WHEEL_NS    100000000ULL

struct calls {
	struct call_limits limit;
	struct calls_sink sink;
	const struct policy *policy;
	struct htab by_id;  /* Call-ID -> call */
	struct htab owners; /* address -> endpoint */
	struct call **slot; /* by ring number */
	uint8_t *slot_gen;
	uint32_t *free_slot;
	size_t nslot, nfree, slots_used;
	struct call *wheel[WHEEL_SLOTS];
	uint64_t wheel_at; /* now / WHEEL_NS of the last tick */
	struct calls_stats stats;
};

/* call.c */
struct call *calls_find(struct calls *cs, struct sip_str call_id);
int calls_add(struct calls *cs, struct sip_str call_id, struct sip_str caller_tag, uint64_t now,
	      struct call **ret);
void call_set_timer(struct calls *cs, struct call *c, uint64_t at_ns);
void call_begin_end(struct calls *cs, struct call *c, const char *why, uint64_t now);
void call_forget(struct calls *cs, struct call *c); /* a tombstone goes at once */
uint8_t call_verdict(const struct call *c, const struct call_endpoint *e);
void call_refresh_verdicts(struct calls *cs, struct call *c);

/* endpoint.c */
/* side announced this SDP; line: hop and branch; offer_cseq: 0 when it is in force at once. */
void call_sdp(struct calls *cs, struct call *c, unsigned side, uint64_t line, uint32_t offer_cseq,
	      const struct sdp *s, uint64_t now);
/* An offer was answered with 2xx (ok) or refused. */
void call_offer_done(struct calls *cs, struct call *c, unsigned side, uint32_t cseq, bool ok,
		     uint64_t now);
void call_release_due(struct calls *cs, struct call *c, uint64_t now);
void call_release_all(struct calls *cs, struct call *c);
void call_free_endpoints(struct calls *cs, struct call *c);
uint64_t call_next_release(const struct call *c); /* 0 none */

#endif
