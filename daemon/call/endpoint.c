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
#include <strings.h>

#include "base/line.h"
#include "call/call_internal.h"
#include "optag.h"
#include "sip/sdp.h"

#define TALKS_MS   1000 /* a voice that was heard so lately goes on: rings are behind by less */
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

static struct call_endpoint *find(struct call *c, const struct endpoint *at);

/* The address is no longer this endpoint's; the flow entry goes with it. */
static void disown(struct calls *cs, struct call_endpoint *e)
{
	if (!e->owner)
		return;
	call_look_for_loss(cs, e->call, cs->now_ns); /* before the entry goes that knows */
	htab_del(&cs->owners, &e->node);
	e->owner = false;
	call_note(cs, e->call, CALL_T_CLOSED, e->leg, 0, "");
	if (cs->sink.unflow && e->call->matched)
		cs->sink.unflow(cs->sink.arg, e->call, e);
	e->verdict = 0;
}

/* The address goes to the next call of the conversation that announced it. */
static void inherit(struct calls *cs, const struct call *c, const struct endpoint *at)
{
	uint64_t hash = endpoint_hash(at);
	struct call *o = NULL;

	if (!cs->sink.flow) /* all is over (calls_free) */
		return;
	while ((o = group_next(c, o))) {
		struct call_endpoint *e = o->matched ? find(o, at) : NULL;

		if (!e || e->owner || e->release_ns || (o->phase != CALL_SETUP && o->phase != CALL_ANSWERED))
			continue;
		htab_add(&cs->owners, &e->node, hash);
		e->owner = true;
		call_tell_flow(cs, o, e);
		return;
	}
}

static void drop(struct calls *cs, struct call_endpoint *e)
{
	struct endpoint at = e->at;
	struct call *c = e->call;
	bool owned = e->owner;

	c->media_version++;
	disown(cs, e);
	formats_put(e->formats);
	formats_put(e->offered);
	memset(e, 0, sizeof(*e));
	if (owned && c->peers)
		inherit(cs, c, &at);
}

/* ---- addresses of calls that may never be recorded ---- */

#define BARRED_MAX 16 /* of one call: hops, branches, early media; what is past it bars nothing */

struct barred {
	struct hnode node;
	struct barred *next; /* of the call */
	const struct call *call;
	struct endpoint at;
};

static bool is_barred(const struct calls *cs, const struct endpoint *at, uint64_t hash)
{
	struct hnode *n = htab_first(&cs->barred, hash);

	for (; n; n = htab_next(n)) {
		const struct barred *b = container_of(n, struct barred, node);

		if (endpoint_equal(&b->at, at) && (b->call->phase == CALL_SETUP || b->call->phase == CALL_ANSWERED))
			return true;
	}
	return false;
}

static void bar(struct calls *cs, struct call *c, const struct endpoint *at)
{
	uint64_t hash = endpoint_hash(at);
	struct barred *b = c->barred;
	unsigned n = 0;

	for (; b && !endpoint_equal(&b->at, at); b = b->next)
		n++;
	if (b || n == BARRED_MAX)
		return;
	b = calloc(1, sizeof(*b));
	if (!b) {
		cs->stats.endpoints_dropped++;
		return;
	}
	b->call = c;
	b->at = *at;
	b->next = c->barred;
	c->barred = b;
	htab_add(&cs->barred, &b->node, hash);
}

void call_barred_put(const struct call *c, struct buf *b)
{
	const struct barred *a;
	uint8_t n = 0;

	for (a = c->barred; a; a = a->next)
		n++;
	buf_put8(b, n);
	for (a = c->barred; a; a = a->next) {
		buf_put(b, a->at.addr.b, 16);
		buf_put_le16(b, a->at.port);
	}
}

void call_barred_get(struct calls *cs, struct call *c, struct rd *r)
{
	uint8_t n = rd_u8(r);

	r->bad |= n > BARRED_MAX;
	for (uint8_t i = 0; i < n && !r->bad; i++) {
		const uint8_t *addr = rd_bytes(r, 16);
		struct endpoint at = { .port = rd_le16(r) };

		if (addr)
			memcpy(at.addr.b, addr, 16);
		if (!r->bad)
			bar(cs, c, &at);
	}
}

static void bar_none(struct calls *cs, struct call *c)
{
	struct barred *b;

	while ((b = c->barred)) {
		c->barred = b->next;
		htab_del(&cs->barred, &b->node);
		free(b);
	}
}

void call_release_all(struct calls *cs, struct call *c)
{
	unsigned i;

	bar_none(cs, c);
	for (i = 0; i < c->nep; i++)
		if (c->ep[i].used)
			drop(cs, &c->ep[i]);
}

/* Up to two numbers fit into the classifier's entry; what is in force comes first. */
static void note_events(struct call_endpoint *e)
{
	const struct call_formats *f[2] = { e->formats, e->offered };
	unsigned i, j, n = 0;

	e->te[0] = e->te[1] = OPTAG_NO_PT;
	for (i = 0; i < 2; i++)
		for (j = 0; f[i] && j < 2 && n < 2; j++)
			if (f[i]->te[j] != OPTAG_NO_PT && f[i]->te[j] != e->te[0])
				e->te[n++] = f[i]->te[j];
}

void call_own_restored(struct calls *cs, struct call *c)
{
	unsigned i;

	for (i = 0; i < c->nep; i++) {
		struct call_endpoint *e = &c->ep[i];
		uint64_t hash = endpoint_hash(&e->at);
		bool was = e->owner;

		note_events(e);
		e->owner = was && !owner_of(cs, &e->at, hash);
		if (e->owner)
			htab_add(&cs->owners, &e->node, hash);
	}
}

void call_own_all(struct calls *cs, struct call *c)
{
	unsigned i;

	for (i = 0; i < c->nep; i++) {
		struct call_endpoint *e = &c->ep[i], *other;
		uint64_t hash;

		if (!e->used || e->owner)
			continue;
		hash = endpoint_hash(&e->at);
		other = owner_of(cs, &e->at, hash);
		if (other) /* announced after us */
			continue;
		htab_add(&cs->owners, &e->node, hash);
		e->owner = true;
		call_tell_flow(cs, c, e);
	}
}

void call_disown_all(struct calls *cs, struct call *c)
{
	unsigned i;

	for (i = 0; i < c->nep; i++)
		if (c->ep[i].used)
			disown(cs, &c->ep[i]);
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
		if (c->ep[i].used && c->ep[i].release_ns && !c->ep[i].offer && c->ep[i].release_ns <= now)
			drop(cs, &c->ep[i]);
}

uint64_t call_next_release(const struct call *c)
{
	uint64_t min = 0;
	unsigned i;

	for (i = 0; i < c->nep; i++)
		if (c->ep[i].used && c->ep[i].release_ns && !c->ep[i].offer && (!min || c->ep[i].release_ns < min))
			min = c->ep[i].release_ns;
	return min;
}

/* Entries move when the array grows: the owners' table is rebuilt around that. */
static int grow(struct calls *cs, struct call *c)
{
	struct call_endpoint *ep;
	unsigned i, n = !c->nep ? 2 : (c->nep + 8) & ~7u; /* most calls have two, for all their life */

	if (n > CALL_ENDPOINTS_MAX)
		return -ENOSPC;
	ep = line_alloc(n * sizeof(*ep));
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
		/* what another call took over is of no use any more */
		for (i = 0; i < c->nep; i++) {
			if (!c->ep[i].owner) {
				drop(cs, &c->ep[i]);
				return &c->ep[i];
			}
		}
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
	f->ptime = m->ptime < UINT8_MAX ? (uint8_t)m->ptime : UINT8_MAX;
	f->n = m->nformat;
	memcpy(f->f, m->format, m->nformat * sizeof(f->f[0]));
	return f;
}

struct claim {
	const struct sdp_source *from;
	uint64_t origin;
	bool srtp;
	struct call_formats *formats;
};

/* An offer names an address that is in force: until the answer both descriptions hold. */
static void claim_again(struct call_endpoint *e, const struct claim *k)
{
	e->call->media_version++;
	formats_put(e->offered);
	e->offered = k->formats;
	e->offered_srtp = k->srtp;
	e->offer = k->from->offer;
}

static void claim_new(struct call_endpoint *e, const struct claim *k)
{
	e->call->media_version++;
	formats_put(e->formats);
	formats_put(e->offered);
	e->formats = k->formats;
	e->offered = NULL;
	e->side = (uint8_t)k->from->side;
	e->leg = k->from->side == OPTAG_LEG_CALLER ? OPTAG_LEG_CALLEE : OPTAG_LEG_CALLER;
	e->offer = k->from->offer;
	e->line = k->from->line;
	e->dialog = k->from->dialog;
	e->origin = k->origin;
	e->release_ns = 0;
	e->lost_fork = false;
	e->srtp = k->srtp;
}

static bool same_id(const struct call *a, const struct call *b)
{
	return a != b && strcmp(a->call_id, b->call_id) == 0;
}

void call_own_answered(struct calls *cs, struct call *c)
{
	unsigned i;

	for (i = 0; c->matched && i < c->nep; i++) {
		struct call_endpoint *e = &c->ep[i], *other;
		uint64_t hash = endpoint_hash(&e->at);

		other = e->used && !e->owner ? owner_of(cs, &e->at, hash) : NULL;
		if (!other || !same_id(c, other->call))
			continue;
		disown(cs, other);
		htab_add(&cs->owners, &e->node, hash);
		e->owner = true;
		call_tell_flow(cs, c, e);
	}
}

/*
 * Both voices of o are there, so it is not over: who sends an INVITE with its Call-ID takes no address from it before anybody answers. Of a
 * call whose BYE was lost a voice is missing when its caller calls again.
 */
static bool talks_on(struct calls *cs, const struct call *c, const struct call *o)
{
	uint64_t now = cs->now_ns < cs->horizon ? cs->now_ns : cs->horizon;

	if (!same_id(c, o) || c->answered || o->phase != CALL_ANSWERED || !cs->sink.quiet)
		return false;
	for (unsigned leg = 0; leg < 2; leg++) {
		bool heard = false;

		if (cs->sink.quiet(cs->sink.arg, (struct call *)(uintptr_t)o, leg, now, &heard) >= TALKS_MS || !heard)
			return false;
	}
	return true;
}

/*
 * An unmatched call keeps no endpoints: it only takes the address away from a recorded one, unless it is the
 * same description, passed on by a back-to-back agent.
 */
static void take_away(struct calls *cs, struct call *c, const struct endpoint *at, const struct claim *k)
{
	struct call_endpoint *e = owner_of(cs, at, endpoint_hash(at));

	if (e && !talks_on(cs, c, e->call) && (!k->origin || e->origin != k->origin || !group_leaves(c, e->call)))
		disown(cs, e);
	if (c->never)
		bar(cs, c, at);
}

static void claim(struct calls *cs, struct call *c, const struct endpoint *at, const struct claim *k)
{
	uint64_t hash = endpoint_hash(at);
	struct call_endpoint *e, *other;

	if (at->port == 0 || ipaddr_is_any(&at->addr))
		return;
	if (!c->matched)
		take_away(cs, c, at, k);
	if (!c->matched && !c->late)
		return;
	e = find(c, at);
	if (!e) {
		e = room(cs, c);
		if (!e)
			return;
		e->used = true;
		e->call = c;
		e->at = *at;
	}
	k->formats->refs++;
	if (e->in_force && k->from->offer != OFFER_NOW && e->side == k->from->side)
		claim_again(e, k);
	else
		claim_new(e, k);
	note_events(e);
	c->srtp |= k->srtp;
	e->barred = is_barred(cs, at, hash);
	if (!c->matched) /* remembered, and nobody's */
		return;
	other = owner_of(cs, at, hash);
	if (other && other->call != c && (group_leaves(c, other->call) || talks_on(cs, c, other->call)))
		return; /* one conversation, heard there; ours when that call gives it up */
	if (other != e) {
		if (other)
			disown(cs, other);
		htab_add(&cs->owners, &e->node, hash);
		e->owner = true;
	}
	call_tell_flow(cs, c, e);
}

static void wake_for_release(struct calls *cs, struct call *c)
{
	uint64_t at = call_next_release(c);

	if (at && at < c->timer_ns)
		call_set_timer(cs, c, at);
}

static bool line_known(const struct call *c, uint64_t line, uint64_t except)
{
	unsigned i;

	for (i = 0; i < c->nep; i++)
		if (c->ep[i].used && c->ep[i].line == line && c->ep[i].in_force && c->ep[i].offer != except)
			return true;
	return false;
}

/*
 * What was in force for by's line and is not named by the new SDP goes. When later
 * messages take another way than the first (no Record-Route), the line is new:
 * then the same session (o=) of that side is what it replaces. Not so for the
 * first offer and answer: proxies that put a relay in between keep the o= line.
 */
static void retire(struct call *c, const struct call_endpoint *by, bool initial, uint64_t now)
{
	bool known = line_known(c, by->line, by->offer);
	unsigned i;

	for (i = 0; i < c->nep; i++) {
		struct call_endpoint *e = &c->ep[i];

		if (!e->used || !e->in_force || e->release_ns || e->offer == by->offer || e->side != by->side)
			continue;
		if (known ? e->line == by->line :
			    !initial && e->origin && e->origin == by->origin && e->line != by->line)
			e->release_ns = now + RELEASE_NS;
	}
}

static void set_hold(struct calls *cs, struct call *c, unsigned side, bool held)
{
	bool was = c->hold;

	c->hold_by[side] = held;
	c->hold = c->hold_by[0] || c->hold_by[1];
	if (c->hold != was)
		call_note(cs, c, CALL_T_HOLD, 0, c->hold, "");
	if (c->hold != was)
		call_refresh_verdicts(cs, c);
}

static void note_hold(struct calls *cs, struct call *c, const struct sdp_source *from, const struct sdp *s)
{
	bool any = false, held = true;
	unsigned i;

	for (i = 0; i < s->nmedia; i++) {
		const struct sdp_media *m = &s->media[i];

		if (!m->audio || m->at.port == 0)
			continue;
		any = true;
		if (!m->held && m->direction != SDP_SENDONLY && m->direction != SDP_INACTIVE)
			held = false;
	}
	/* One-way from the start is how the call is; one-way later is hold (RFC 3264 8.4), once agreed. */
	held = held && any && !from->initial;
	if (from->offer == OFFER_NOW) {
		set_hold(cs, c, from->side, held);
	} else {
		c->hold_offer[from->side].offer = from->offer;
		c->hold_offer[from->side].held = held;
	}
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

static void settle(struct calls *cs, struct call *c, unsigned side, uint64_t offer, bool initial, bool ok,
		   uint64_t now);

void call_sdp(struct calls *cs, struct call *c, const struct sdp_source *from, const struct sdp *s,
	      uint64_t now)
{
	unsigned i, j;

	for (i = 0; i < s->nmedia; i++) {
		const struct sdp_media *m = &s->media[i];
		struct claim k = { from, origin_hash(s->origin), m->srtp || m->dtls, NULL };

		if (!m->audio || m->at.port == 0)
			continue;
		k.formats = formats_of(m);
		if (!k.formats) { /* out of memory: this line is not recorded, the rest goes on */
			cs->stats.endpoints_dropped++;
			continue;
		}
		if (!m->held)
			claim(cs, c, &m->at, &k);
		for (j = 0; j < m->ncandidate; j++)
			claim(cs, c, &m->candidate[j], &k);
		formats_put(k.formats);
	}
	/* In force at once: marked like an offer that nobody can send, then settled. */
	if (from->offer == OFFER_NOW)
		settle(cs, c, from->side, OFFER_NOW, from->initial, true, now);
	note_hold(cs, c, from, s);
}

/* An address that was named again: the new description or the old one. */
static void settle_again(struct calls *cs, struct call *c, struct call_endpoint *e, bool ok)
{
	c->media_version++;
	if (ok) {
		formats_put(e->formats);
		e->formats = e->offered;
		e->srtp = e->offered_srtp;
		e->release_ns = 0;
	} else {
		formats_put(e->offered);
	}
	e->offered = NULL;
	note_events(e);
	if (e->owner)
		call_tell_flow(cs, c, e);
}

static void settle(struct calls *cs, struct call *c, unsigned side, uint64_t offer, bool initial, bool ok,
		   uint64_t now)
{
	unsigned i;

	for (i = 0; i < c->nep && ok; i++)
		if (c->ep[i].used && c->ep[i].side == side && c->ep[i].offer == offer)
			retire(c, &c->ep[i], initial, now);
	for (i = 0; i < c->nep; i++) {
		struct call_endpoint *e = &c->ep[i];

		if (!e->used || e->side != side || e->offer != offer)
			continue;
		e->offer = OFFER_NONE;
		if (e->offered)
			settle_again(cs, c, e, ok);
		else if (ok)
			e->in_force = true;
		else if (!e->in_force)
			drop(cs, e);
	}
	wake_for_release(cs, c);
}

void call_offer_done(struct calls *cs, struct call *c, unsigned side, uint64_t offer, bool ok,
		     uint64_t now)
{
	settle(cs, c, side, offer, false, ok, now);
	if (c->hold_offer[side].offer != offer)
		return;
	c->hold_offer[side].offer = OFFER_NONE;
	if (ok)
		set_hold(cs, c, side, c->hold_offer[side].held);
}

/* ---- forks ---- */

static bool dialog_answered(const struct call *c, uint64_t dialog)
{
	unsigned i;

	for (i = 0; i < c->ndialog; i++)
		if (c->dialog[i].tag == dialog)
			return true;
	return false;
}

/*
 * A branch that rang and lost keeps its telephone's address otherwise, and that
 * telephone's next call, whose signalling may go another way, would be heard here.
 */
void call_fork_won(struct calls *cs, struct call *c, uint64_t dialog, bool first, uint64_t now)
{
	unsigned i;

	for (i = 0; i < c->nep; i++) {
		struct call_endpoint *e = &c->ep[i];

		if (!e->used || !e->dialog)
			continue;
		if (e->dialog == dialog && e->lost_fork) {
			e->lost_fork = false;
			e->release_ns = 0;
		} else if (first && !dialog_answered(c, e->dialog) && !e->release_ns) {
			e->lost_fork = true;
			e->release_ns = now + RELEASE_NS;
		}
	}
	wake_for_release(cs, c);
}

void call_fork_gone(struct calls *cs, struct call *c, uint64_t dialog, uint64_t now)
{
	unsigned i;

	for (i = 0; i < c->nep; i++)
		if (c->ep[i].used && c->ep[i].dialog == dialog && !c->ep[i].release_ns)
			c->ep[i].release_ns = now + cs->limit.linger_ns;
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

/* RTP of an audio m-line that is no speech: it may hold a copy of a key press (N-05). */
static bool is_other(const char *name)
{
	static const char *const names[] = { "tone", "rtx", "ulpfec", "parityfec", "flexfec", "1d-interleaved-parityfec",
					     "t140", "t140c", "raptorfec", "x-nt-inforeq" };
	char first = (char)(name[0] | 0x20);
	size_t i;

	/* looked at for every packet: no codec that is common begins like one of these, but PCM */
	if (!strchr("truf1px", first) || (first == 'p' && (name[1] | 0x20) != 'a'))
		return false;
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strncasecmp(name, names[i], sizeof(((struct media_format *)0)->name) - 1) == 0)
			return true;
	return false;
}

static bool is_event(const struct media_format *f)
{
	return f && strcmp(f->name, "telephone-event") == 0;
}

/* Named by a description, not merely listed by number. */
static const struct media_format *named(const struct call_endpoint *e, uint8_t pt)
{
	const struct media_format *f = in_formats(e->formats, pt);

	if (!f || !f->name[0])
		f = in_formats(e->offered, pt);
	return f && f->name[0] ? f : NULL;
}

/*
 * The number is the receiver's by RFC 3264 5.1. Some senders use the one of
 * their own SDP; if one calls it a telephone-event and one audio the packet itself must tell,
 * since digits are not audio and audio is no key press. A codec's number (RFC 3551) is
 * no event's, and what is called one under it nobody can know.
 */
enum call_payload call_format(const struct call *c, const struct call_endpoint *e, uint8_t pt,
			      struct media_format *ret)
{
	const struct media_format *f = named(e, pt), *o;
	bool event = is_event(in_formats(e->offered, pt));
	unsigned i;

	for (i = 0; i < c->nep; i++) {
		const struct call_endpoint *s = &c->ep[i];

		if (!s->used || s->side == e->side)
			continue;
		o = named(s, pt);
		event |= is_event(o) || is_event(in_formats(s->offered, pt));
		if (!f || (is_event(f) && o && !is_event(o) && !is_other(o->name))) {
			event |= is_event(f);
			f = o;
		}
	}
	if (pt < SDP_STATIC_END && (event || is_event(f)))
		return CALL_PT_UNKNOWN;
	if (!f) /* listed without a name, or video's number at an audio port: nobody knows */
		return pt < 20 && sdp_static_format(pt, ret) ? CALL_PT_AUDIO : CALL_PT_UNKNOWN;
	*ret = *f;
	if (is_event(f))
		return CALL_PT_EVENT;
	if (is_other(f->name))
		return CALL_PT_OTHER;
	return event ? CALL_PT_EITHER : CALL_PT_AUDIO;
}
