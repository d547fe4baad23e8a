/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * missed.c - requests that nobody saw: an opt-out by INFO, or by a header, may have been one of them (guidance 7, X-4)
 *
 * Each party numbers its requests in a dialog one by one (RFC 3261 12.2.1.1; one that is asked for credentials comes again with the
 * next number, 8.1.3.5), ACK and CANCEL apart, which repeat the number of what they are about. So a number that was left out is a
 * request that was not seen. What keeps this from being wrong:
 *
 *  - a back-to-back agent that keeps the Call-ID numbers anew: numbers are compared for one sender (address and tag) alone;
 *  - of proxies that take turns each sees some requests only: what another sender of that side has just had is not missing;
 *  - the first request of a sender has none before it, and a smaller number is a copy;
 *  - one far ahead is another way of numbering, of a sender of its own: whoever sends one such number, by a fault or a forger, does not turn
 *    all that follow into copies.
 */
#include <string.h>

#include "call/call_internal.h"
#include "call/decide.h"

#define FAR_AHEAD 256

static uint64_t sender_of(const struct sigin_from *from, const struct sip_msg *m)
{
	uint64_t h = hash_bytes(from->src.addr.b, sizeof(from->src.addr.b));

	return (h ^ (m->from.tag.n ? hash_bytes(m->from.tag.p, m->from.tag.n) : 0)) | 1;
}

/* Its place; of a new one the oldest is forgotten. */
static struct call_asked *place_of(struct call_asked a[CALL_SENDERS], uint64_t sender)
{
	unsigned i;

	for (i = 0; i < CALL_SENDERS && a[i].sender; i++)
		if (a[i].sender == sender)
			return &a[i];
	if (i == CALL_SENDERS)
		memmove(a, a + 1, --i * sizeof(*a));
	a[i] = (struct call_asked){ 0 };
	return &a[i];
}

static bool had_by_another(const struct call_asked a[CALL_SENDERS], uint64_t sender, uint32_t cseq)
{
	for (unsigned i = 0; i < CALL_SENDERS; i++)
		if (a[i].sender && a[i].sender != sender && (a[i].cseq == cseq || a[i].cseq == cseq - 1))
			return true;
	return false;
}

void call_count_request(struct calls *cs, struct call *c, const struct sigin_from *from, const struct sip_msg *m, unsigned side)
{
	struct call_asked *a;
	uint64_t sender;
	uint32_t ahead;
	bool missed;

	if (!m->request || m->method == SIP_M_ACK || m->method == SIP_M_CANCEL || c->phase == CALL_TOMBSTONE)
		return;
	sender = sender_of(from, m);
	a = place_of(c->asked[side], sender);
	if (a->sender && m->cseq > a->cseq && m->cseq - a->cseq > FAR_AHEAD) {
		sender ^= 2;
		a = place_of(c->asked[side], sender);
	}
	ahead = a->sender && m->cseq > a->cseq ? m->cseq - a->cseq : 0;
	missed = ahead > 1 && ahead <= FAR_AHEAD && !had_by_another(c->asked[side], sender, m->cseq);
	if (!a->sender || m->cseq > a->cseq)
		a->cseq = m->cseq;
	a->sender = sender;
	if (!missed)
		return;
	cs->stats.missed_requests += c->matched;
	call_lost_request(cs, c, side, from->ts_ns);
}

void calls_lost_signalling(struct calls *cs, uint64_t now_ns)
{
	cs->now_ns = now_ns;
	for (size_t i = 0; i < cs->nslot; i++)
		if (cs->slot[i])
			for (unsigned side = 0; side < 2; side++)
				call_lost_request(cs, cs->slot[i], side, now_ns);
}
