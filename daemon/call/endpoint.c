/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * endpoint.c - where the parties receive: offer and answer (RFC 3264)
 *
 * Every audio m-line of every SDP names an address, and by ICE (RFC 8839) more;
 * voice that arrives there is the other party's. A new SDP of the same line
 * (hop, branch, m-line) replaces the addresses of the one before, a second
 * later, since packets are under way; an offer only once it is answered.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "call/call_internal.h"
#include "optag.h"
#include "sip/sdp.h"

#define RELEASE_NS 1000000000ULL /* packets sent to the old address before the answer arrived */

static uint64_t endpoint_hash(const struct endpoint *e)
{
	uint8_t k[18];

	memcpy(k, e->addr.b, 16);
	k[16] = (uint8_t)(e->port >> 8);
	k[17] = (uint8_t)e->port;
	return hash_bytes(k, sizeof(k));
}

static struct call_endpoint *owner_of(struct calls *cs, const struct endpoint *at, uint64_t hash)
{
	struct hnode *n = htab_first(&cs->owners, hash);

	for (; n; n = htab_next(n)) {
		struct call_endpoint *e = container_of(n, struct call_endpoint, node);

		if (endpoint_equal(&e->at, at))
			return e;
	}
	return NULL;
}

static void formats_put(struct call_formats *f)
{
	if (f && --f->refs == 0)
		free(f);
}

/* The address is no longer this endpoint's; the flow entry goes with it. */
static void disown(struct calls *cs, struct call_endpoint *e)
{
	if (!e->owner)
		return;
	htab_del(&cs->owners, &e->node);
	e->owner = false;
	if (cs->sink.unflow && e->call->matched)
		cs->sink.unflow(cs->sink.arg, e->call, e);
}

static void drop(struct calls *cs, struct call_endpoint *e)
{
	disown(cs, e);
	formats_put(e->formats);
	memset(e, 0, sizeof(*e));
}

void call_release_all(struct calls *cs, struct call *c)
{
	unsigned i;

	for (i = 0; i < c->nep; i++)
		if (c->ep[i].used)
			drop(cs, &c->ep[i]);
}

void call_free_endpoints(struct calls *cs, struct call *c)
{
	call_release_all(cs, c);
	free(c->ep);
	c->ep = NULL;
	c->nep = 0;
}

void call_release_due(struct calls *cs, struct call *c, uint64_t now)
{
	unsigned i;

	for (i = 0; i < c->nep; i++)
		if (c->ep[i].used && c->ep[i].release_ns && c->ep[i].release_ns <= now)
			drop(cs, &c->ep[i]);
}

uint64_t call_next_release(const struct call *c)
{
	uint64_t min = 0;
	unsigned i;

	for (i = 0; i < c->nep; i++)
		if (c->ep[i].used && c->ep[i].release_ns && (!min || c->ep[i].release_ns < min))
			min = c->ep[i].release_ns;
	return min;
}

/* Entries move when the array grows: the owners' table is rebuilt around that. */
static int grow(struct calls *cs, struct call *c)
{
	struct call_endpoint *ep;
	unsigned i, n = c->nep + 8;

	if (n > CALL_ENDPOINTS_MAX)
		return -ENOSPC;
	ep = calloc(n, sizeof(*ep));
	if (!ep)
		return -ENOMEM;
	for (i = 0; i < c->nep; i++) {
		bool owner = c->ep[i].owner;

		if (owner)
			htab_del(&cs->owners, &c->ep[i].node);
		ep[i] = c->ep[i];
		if (owner)
			htab_add(&cs->owners, &ep[i].node, endpoint_hash(&ep[i].at));
	}
	free(c->ep);
	c->ep = ep;
	c->nep = n;
	return 0;
}

static struct call_endpoint *find(struct call *c, const struct endpoint *at)
{
	unsigned i;

	for (i = 0; i < c->nep; i++)
		if (c->ep[i].used && endpoint_equal(&c->ep[i].at, at))
			return &c->ep[i];
	return NULL;
}

static struct call_endpoint *room(struct calls *cs, struct call *c)
{
	unsigned i;

	for (i = 0; i < c->nep; i++)
		if (!c->ep[i].used)
			return &c->ep[i];
	i = c->nep;
	if (grow(cs, c)) {
		c->endpoints_dropped++;
		cs->stats.endpoints_dropped++;
		return NULL;
	}
	return &c->ep[i];
}

static struct call_formats *formats_of(const struct sdp_media *m)
{
	struct call_formats *f = malloc(sizeof(*f) + m->nformat * sizeof(f->f[0]));

	if (!f)
		return NULL;
	f->refs = 1;
	f->te[0] = m->te[0];
	f->te[1] = m->te[1];
	f->n = m->nformat;
	memcpy(f->f, m->format, m->nformat * sizeof(f->f[0]));
	return f;
}

struct claim {
	unsigned side;
	uint64_t line, origin;
	uint32_t offer_cseq;
	bool srtp;
	struct call_formats *formats;
};

/* An unmatched call keeps no endpoints: it only takes the address away from a recorded one. */
static void take_away(struct calls *cs, const struct endpoint *at)
{
	struct call_endpoint *e = owner_of(cs, at, endpoint_hash(at));

	if (e)
		disown(cs, e);
}

static void claim(struct calls *cs, struct call *c, const struct endpoint *at, const struct claim *k)
{
	uint64_t hash = endpoint_hash(at);
	struct call_endpoint *e, *other;

	if (at->port == 0 || ipaddr_is_any(&at->addr))
		return;
	if (!c->matched) {
		take_away(cs, at);
		return;
	}
	e = find(c, at);
	if (!e) {
		e = room(cs, c);
		if (!e)
			return;
		e->used = true;
		e->call = c;
		e->at = *at;
	}
	formats_put(e->formats);
	e->formats = k->formats;
	k->formats->refs++;
	e->side = (uint8_t)k->side;
	e->leg = k->side == OPTAG_LEG_CALLER ? OPTAG_LEG_CALLEE : OPTAG_LEG_CALLER;
	e->offer_cseq = k->offer_cseq;
	e->line = k->line;
	e->origin = k->origin;
	e->release_ns = 0;
	e->srtp = k->srtp;
	c->srtp |= k->srtp;
	other = owner_of(cs, at, hash);
	if (other != e) {
		if (other)
			disown(cs, other);
		htab_add(&cs->owners, &e->node, hash);
		e->owner = true;
	}
	cs->sink.flow(cs->sink.arg, c, e, call_verdict(c, e));
}

static void wake_for_release(struct calls *cs, struct call *c)
{
	uint64_t at = call_next_release(c);

	if (at && at < c->timer_ns)
		call_set_timer(cs, c, at);
}

static bool line_known(const struct call *c, uint64_t line, uint32_t except_cseq)
{
	unsigned i;

	for (i = 0; i < c->nep; i++)
		if (c->ep[i].used && c->ep[i].line == line && c->ep[i].in_force &&
		    (!except_cseq || c->ep[i].offer_cseq != except_cseq))
			return true;
	return false;
}

/*
 * What was in force for `line` and is not named by the new SDP goes. When later
 * messages take another way than the first (no Record-Route), the line is new:
 * then the same session (o=) of that side is what it replaces.
 */
static void retire(struct call *c, unsigned side, uint64_t line, uint64_t origin, bool known,
		   uint32_t named_by, uint64_t now)
{
	unsigned i;

	for (i = 0; i < c->nep; i++) {
		struct call_endpoint *e = &c->ep[i];

		if (!e->used || !e->in_force || e->release_ns || e->offer_cseq == named_by || e->side != side)
			continue;
		if (known ? e->line == line : e->origin == origin && e->line != line)
			e->release_ns = now + RELEASE_NS;
	}
}

static void note_hold(struct calls *cs, struct call *c, unsigned side, const struct sdp *s, bool later)
{
	bool any = false, held = true, was = c->hold;
	unsigned i;

	for (i = 0; i < s->nmedia; i++) {
		const struct sdp_media *m = &s->media[i];

		if (!m->audio || m->at.port == 0)
			continue;
		any = true;
		if (!m->held && m->direction != SDP_SENDONLY && m->direction != SDP_INACTIVE)
			held = false;
	}
	/* One-way from the start is how the call is; one-way later is hold (RFC 3264 8.4). */
	c->hold_by[side] = later && any && held;
	c->hold = c->hold_by[0] || c->hold_by[1];
	if (c->hold != was)
		call_refresh_verdicts(cs, c);
}

/* username and session id of o=: what RFC 4566 5.2 keeps when the description changes. */
static uint64_t origin_hash(struct sip_str o)
{
	size_t i, spaces = 0;

	for (i = 0; i < o.n; i++)
		if (o.p[i] == ' ' && ++spaces == 2)
			break;
	return o.p ? hash_bytes(o.p, i) : 0;
}

void call_sdp(struct calls *cs, struct call *c, unsigned side, uint64_t line, uint32_t offer_cseq,
	      const struct sdp *s, uint64_t now)
{
	/* In force at once: first marked like an offer of a CSeq nobody can send, then settled. */
	const uint32_t cseq = offer_cseq ? offer_cseq : UINT32_MAX;
	unsigned i, j;

	for (i = 0; i < s->nmedia; i++) {
		const struct sdp_media *m = &s->media[i];
		struct claim k = { side, line, origin_hash(s->origin), cseq, m->srtp || m->dtls, NULL };

		if (!m->audio || m->at.port == 0)
			continue;
		k.formats = formats_of(m);
		if (!k.formats)
			continue; /* out of memory: this line is not recorded, the rest goes on */
		if (!m->held)
			claim(cs, c, &m->at, &k);
		for (j = 0; j < m->ncandidate; j++)
			claim(cs, c, &m->candidate[j], &k);
		formats_put(k.formats);
	}
	if (!offer_cseq)
		call_offer_done(cs, c, side, cseq, true, now);
	note_hold(cs, c, side, s, c->answered);
}

void call_offer_done(struct calls *cs, struct call *c, unsigned side, uint32_t cseq, bool ok,
		     uint64_t now)
{
	unsigned i;

	for (i = 0; i < c->nep && ok; i++) {
		const struct call_endpoint *e = &c->ep[i];

		if (e->used && e->side == side && e->offer_cseq == cseq)
			retire(c, side, e->line, e->origin, line_known(c, e->line, cseq), cseq, now);
	}
	for (i = 0; i < c->nep; i++) {
		struct call_endpoint *e = &c->ep[i];

		if (!e->used || e->side != side || e->offer_cseq != cseq)
			continue;
		e->offer_cseq = 0;
		if (ok)
			e->in_force = true;
		else if (!e->in_force)
			drop(cs, e);
	}
	wake_for_release(cs, c);
}

/* ---- looking up ---- */

const struct call_endpoint *call_endpoint_at(const struct call *c, const struct endpoint *at)
{
	unsigned i;

	for (i = 0; i < c->nep; i++)
		if (c->ep[i].used && endpoint_equal(&c->ep[i].at, at))
			return &c->ep[i];
	return NULL;
}

static const struct media_format *in_formats(const struct call_formats *f, uint8_t pt)
{
	unsigned i;

	for (i = 0; f && i < f->n; i++)
		if (f->f[i].pt == pt)
			return &f->f[i];
	return NULL;
}

bool call_format(const struct call *c, const struct call_endpoint *e, uint8_t pt,
		 struct media_format *ret, bool *ret_event)
{
	const struct media_format *f = in_formats(e->formats, pt), *o;
	unsigned i;

	*ret_event = e->formats && (pt == e->formats->te[0] || pt == e->formats->te[1]);
	/* Some senders use the number from their own SDP. If either side calls it a telephone-event,
	 * it may carry digits, and digits are not audio. */
	for (i = 0; i < c->nep; i++) {
		const struct call_endpoint *s = &c->ep[i];

		if (!s->used || s->side == e->side)
			continue;
		o = in_formats(s->formats, pt);
		if (!o)
			continue;
		if (!f)
			f = o;
		if (strcmp(o->name, "telephone-event") == 0 && strcmp(f->name, o->name) == 0)
			*ret_event = true;
	}
	if (f) {
		if (strcmp(f->name, "telephone-event") == 0)
			*ret_event = true;
		*ret = *f;
		return true;
	}
	return sdp_static_format(pt, ret);
}
