/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tcpr.c - sequence numbers: what comes next, what waits, what is lost
 *
 * Invariants: `next` is the sequence number of the first byte not yet given to
 * the framer (tcpframe.c); held segments are sorted, lie behind `next`, and
 * exactly streams with some are on the list of holes, oldest hole first. Every
 * stream is on the list by last use. A closed stream keeps its numbers without
 * bytes, so that a late retransmission does not start it anew. One thread.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "sip/tcpframe.h"
#include "sip/tcpr.h"

/* Farther away is another connection of the same ports (no window without scaling is larger x16). */
#define FAR	 (1 << 20)
#define HELD_MAX 256

struct key {
	struct endpoint_key {
		uint8_t addr[16];
		uint16_t port;
	} src, dst;
	uint16_t vlan;
};
_Static_assert(sizeof(struct key) == 38, "hashed as bytes: no holes");

struct held {
	struct held *next;
	uint32_t seq;
	uint32_t n, missing;
	uint64_t ts_ns;
	uint8_t p[];
};

struct link {
	struct stream *older, *newer;
};

struct list {
	struct stream *oldest, *newest;
};

enum { BY_USE, BY_HOLE, LISTS };

struct stream {
	struct hnode node;
	struct link link[LISTS];
	struct key key;
	struct sigin_from from;
	struct tcpframe frame;
	uint32_t next, isn, fin_seq;
	bool has_isn, fin, closed, learned;
	uint64_t last_ns, hole_ns;
	struct held *held; /* NULL: no hole */
	size_t held_bytes, held_count;
	size_t accounted;
};

struct tcpr {
	struct htab table;
	struct list list[LISTS];
	struct sigin_limits limit;
	const struct sip_extra *extra;
	const struct sigin_sink *sink;
	struct sigin_stats *stats;
	size_t bytes; /* sum of accounted */
};

int tcpr_new(const struct sigin_limits *l, const struct sip_extra *extra,
	     const struct sigin_sink *sink, struct sigin_stats *stats, struct tcpr **ret)
{
	struct tcpr *t = calloc(1, sizeof(*t));

	if (!t || htab_init(&t->table, 64)) {
		free(t);
		return -ENOMEM;
	}
	t->limit = *l;
	t->extra = extra;
	t->sink = sink;
	t->stats = stats;
	*ret = t;
	return 0;
}

static void list_add(struct tcpr *t, int which, struct stream *s)
{
	struct list *l = &t->list[which];

	s->link[which] = (struct link){ .older = l->newest };
	*(l->newest ? &l->newest->link[which].newer : &l->oldest) = s;
	l->newest = s;
}

static void list_del(struct tcpr *t, int which, struct stream *s)
{
	struct list *l = &t->list[which];
	struct link *k = &s->link[which];

	*(k->older ? &k->older->link[which].newer : &l->oldest) = k->newer;
	*(k->newer ? &k->newer->link[which].older : &l->newest) = k->older;
}

static void account(struct tcpr *t, struct stream *s)
{
	size_t now = s->frame.buf.cap + s->held_bytes + s->held_count * sizeof(struct held);

	t->bytes = t->bytes - s->accounted + now;
	s->accounted = now;
}

static void unhold_first(struct tcpr *t, struct stream *s)
{
	struct held *h = s->held;

	s->held = h->next;
	s->held_bytes -= h->n;
	s->held_count--;
	free(h);
	if (!s->held)
		list_del(t, BY_HOLE, s);
}

static void forget_held(struct tcpr *t, struct stream *s)
{
	while (s->held)
		unhold_first(t, s);
}

static void drop(struct tcpr *t, struct stream *s)
{
	forget_held(t, s);
	tcpframe_reset(&s->frame, false);
	account(t, s);
	list_del(t, BY_USE, s);
	htab_del(&t->table, &s->node);
	free(s);
}

void tcpr_free(struct tcpr *t)
{
	if (!t)
		return;
	while (t->list[BY_USE].oldest)
		drop(t, t->list[BY_USE].oldest);
	htab_free(&t->table);
	free(t);
}

static void make_key(const struct endpoint *src, const struct endpoint *dst, uint16_t vlan,
		     struct key *ret)
{
	memcpy(ret->src.addr, src->addr.b, 16);
	memcpy(ret->dst.addr, dst->addr.b, 16);
	ret->src.port = src->port;
	ret->dst.port = dst->port;
	ret->vlan = vlan;
}

static struct stream *find(struct tcpr *t, const struct key *k, uint64_t hash)
{
	struct hnode *n;

	for (n = htab_first(&t->table, hash); n; n = htab_next(n)) {
		struct stream *s = container_of(n, struct stream, node);

		if (!memcmp(&s->key, k, sizeof(*k)))
			return s;
	}
	return NULL;
}

static struct stream *add(struct tcpr *t, const struct key *k, uint64_t hash)
{
	struct stream *s;

	if (t->table.count >= t->limit.tcp_streams && t->list[BY_USE].oldest) {
		t->stats->tcp_full++;
		drop(t, t->list[BY_USE].oldest);
	}
	s = calloc(1, sizeof(*s));
	if (!s) {
		t->stats->tcp_full++;
		return NULL;
	}
	s->key = *k;
	htab_add(&t->table, &s->node, hash);
	list_add(t, BY_USE, s);
	return s;
}

/* Both directions are one connection: only the first that speaks SIP is reported. */
static void learn(struct tcpr *t, struct stream *s)
{
	struct stream *other;
	struct key k;

	s->learned = true;
	make_key(&s->from.dst, &s->from.src, s->from.vlan, &k);
	other = find(t, &k, hash_bytes(&k, sizeof(k)));
	if ((other && other->learned) || !t->sink->learned)
		return;
	t->sink->learned(t->sink->arg, &s->from.src, &s->from.dst);
}

struct event_arg {
	struct tcpr *t;
	struct stream *s;
};

static void on_event(void *arg, enum tcpframe_event e, const struct sip_msg *m)
{
	struct event_arg *a = arg;
	struct sigin_stats *st = a->t->stats;

	switch (e) {
	case TCPFRAME_LIKE_SIP:
		if (!a->s->learned)
			learn(a->t, a->s);
		break;
	case TCPFRAME_MESSAGE:
		st->messages++;
		a->t->sink->message(a->t->sink->arg, &a->s->from, m);
		break;
	case TCPFRAME_BAD:
		st->bad_messages++;
		break;
	case TCPFRAME_NOT_SIP:
		st->not_sip++;
		break;
	case TCPFRAME_FULL:
		st->tcp_full++;
		break;
	}
}

static struct tcpframe_user user_of(struct event_arg *a)
{
	return (struct tcpframe_user){ .arg = a, .event = on_event, .extra = a->t->extra,
				       .max = a->t->limit.tcp_bytes };
}

/* Bytes at `next`. `missing` of them at the end were not captured. */
static void input(struct tcpr *t, struct stream *s, const uint8_t *p, size_t n, size_t missing,
		  uint64_t ts_ns)
{
	struct event_arg a = { t, s };
	struct tcpframe_user user = user_of(&a);

	s->from.ts_ns = ts_ns;
	s->next += (uint32_t)(n + missing);
	tcpframe_input(&s->frame, &user, (const char *)p, n);
	if (missing)
		tcpframe_gap(&s->frame, &user, missing, true);
}

static void gap(struct tcpr *t, struct stream *s, uint32_t to)
{
	struct event_arg a = { t, s };
	struct tcpframe_user user = user_of(&a);

	t->stats->tcp_gap++;
	tcpframe_gap(&s->frame, &user, to - s->next, false);
	s->next = to;
}

/* Takes off what is behind `next` already; false: nothing is left. */
static bool trim(uint32_t next, uint32_t *seq, const uint8_t **p, size_t *n, size_t *missing)
{
	int64_t behind = (int32_t)(next - *seq);
	size_t k;

	if (behind <= 0)
		return true;
	if ((size_t)behind >= *n + *missing)
		return false;
	k = (size_t)behind < *n ? (size_t)behind : *n;
	*p += k;
	*n -= k;
	*missing -= (size_t)behind - k;
	*seq = next;
	return true;
}

/* Gives the framer the held segments that `next` has reached. */
static void drain(struct tcpr *t, struct stream *s, uint64_t ts_ns)
{
	while (s->held && (int32_t)(s->held->seq - s->next) <= 0) {
		struct held *h = s->held;
		size_t n = h->n, missing = h->missing;
		const uint8_t *p = h->p;
		uint32_t seq = h->seq;

		if (trim(s->next, &seq, &p, &n, &missing))
			input(t, s, p, n, missing, h->ts_ns > ts_ns ? h->ts_ns : ts_ns);
		unhold_first(t, s);
	}
	if (s->held) { /* another hole: it has its own time */
		s->hole_ns = s->held->ts_ns > ts_ns ? s->held->ts_ns : ts_ns;
		list_del(t, BY_HOLE, s);
		list_add(t, BY_HOLE, s);
	}
}

static void skip_hole(struct tcpr *t, struct stream *s)
{
	uint64_t ts_ns = s->held->ts_ns;

	s->from.ts_ns = ts_ns;
	gap(t, s, s->held->seq);
	drain(t, s, ts_ns);
}

static void hold(struct tcpr *t, struct stream *s, const struct tcpr_segment *g)
{
	struct held **at = &s->held, *h;

	while (*at && (int32_t)((*at)->seq - g->seq) < 0)
		at = &(*at)->next;
	if (*at && (*at)->seq == g->seq && (*at)->n + (*at)->missing >= g->n + g->missing) {
		t->stats->tcp_retrans++;
		return;
	}
	h = malloc(sizeof(*h) + g->n);
	if (!h) {
		t->stats->tcp_full++;
		return;
	}
	if (!s->held) {
		s->hole_ns = g->from.ts_ns;
		list_add(t, BY_HOLE, s);
	}
	*h = (struct held){ .next = *at, .seq = g->seq, .n = (uint32_t)g->n,
			    .missing = (uint32_t)g->missing, .ts_ns = g->from.ts_ns };
	memcpy(h->p, g->p, g->n);
	*at = h;
	s->held_bytes += g->n;
	s->held_count++;
}

/* The start is not known: from here on, and only with a start line. */
static void restart(struct tcpr *t, struct stream *s, uint32_t seq)
{
	forget_held(t, s);
	tcpframe_reset(&s->frame, false);
	s->next = seq;
	s->has_isn = s->fin = s->closed = false;
}

static void data(struct tcpr *t, struct stream *s, struct tcpr_segment *g)
{
	int32_t ahead = (int32_t)(g->seq - s->next);

	t->stats->tcp_segments++;
	if (ahead > FAR || ahead < -FAR) {
		t->stats->tcp_gap++;
		restart(t, s, g->seq);
	}
	if (s->closed || !trim(s->next, &g->seq, &g->p, &g->n, &g->missing)) {
		t->stats->tcp_retrans++;
		return;
	}
	while (s->held && g->seq != s->next &&
	       (s->held_count >= HELD_MAX ||
		s->held_bytes + s->frame.buf.len + g->n > t->limit.tcp_bytes)) {
		skip_hole(t, s);
		if (!trim(s->next, &g->seq, &g->p, &g->n, &g->missing))
			return;
	}
	if (g->seq != s->next && s->frame.buf.len + g->n > t->limit.tcp_bytes)
		gap(t, s, g->seq);
	if (g->seq != s->next) {
		hold(t, s, g);
		return;
	}
	input(t, s, g->p, g->n, g->missing, g->from.ts_ns);
	drain(t, s, g->from.ts_ns);
}

/* What waits behind a hole is read before the stream ends. */
static void finish(struct tcpr *t, struct stream *s)
{
	struct event_arg a = { t, s };
	struct tcpframe_user user = user_of(&a);

	while (s->held)
		skip_hole(t, s);
	tcpframe_gap(&s->frame, &user, 0, false);
	tcpframe_reset(&s->frame, false);
	s->closed = true;
}

/*
 * A reset outside of the window means nothing (RFC 5961 3). The stream is forgotten
 * rather than closed: should it go on, the reset was forged, and it is found again.
 */
static void reset(struct tcpr *t, struct stream *s, uint32_t seq)
{
	int32_t ahead = (int32_t)(seq - s->next);

	if (ahead < 0 || ahead > FAR)
		return;
	if (!s->closed)
		finish(t, s);
	drop(t, s);
}

static void syn(struct tcpr *t, struct stream *s, struct tcpr_segment *g)
{
	if (!s->has_isn || s->isn != g->seq) {
		if (!s->closed)
			finish(t, s);
		restart(t, s, g->seq + 1);
		tcpframe_reset(&s->frame, true);
		s->learned = false;
		s->isn = g->seq;
		s->has_isn = true;
	}
	g->seq++;
}

static bool due(uint64_t since, uint64_t now, uint64_t limit)
{
	return now == UINT64_MAX || (now > since && now - since > limit);
}

void tcpr_tick(struct tcpr *t, uint64_t now_ns)
{
	struct stream *s;

	while ((s = t->list[BY_HOLE].oldest) && due(s->hole_ns, now_ns, t->limit.tcp_hole_ns)) {
		skip_hole(t, s);
		account(t, s);
	}
	while ((s = t->list[BY_USE].oldest) && due(s->last_ns, now_ns, t->limit.tcp_timeout_ns)) {
		if (!s->closed)
			finish(t, s);
		drop(t, s);
	}
}

/* A stream is made by its SYN or by data; anything else has nothing to tell. */
static struct stream *stream_of(struct tcpr *t, const struct tcpr_segment *g)
{
	struct stream *s;
	struct key k;
	uint64_t hash;

	make_key(&g->from.src, &g->from.dst, g->from.vlan, &k);
	hash = hash_bytes(&k, sizeof(k));
	s = find(t, &k, hash);
	if (!s && !g->rst && (g->syn || g->n)) {
		s = add(t, &k, hash);
		if (s)
			restart(t, s, g->seq);
	}
	if (!s)
		return NULL;
	s->from = g->from;
	s->last_ns = g->from.ts_ns;
	list_del(t, BY_USE, s);
	list_add(t, BY_USE, s);
	return s;
}

void tcpr_segment(struct tcpr *t, const struct tcpr_segment *seg)
{
	struct tcpr_segment g = *seg;
	struct stream *s;

	tcpr_tick(t, g.from.ts_ns);
	s = stream_of(t, &g);
	if (!s)
		return;
	if (g.rst) {
		reset(t, s, g.seq);
		return;
	}
	if (g.syn)
		syn(t, s, &g);
	if (g.fin) {
		s->fin = true;
		s->fin_seq = g.seq + (uint32_t)(g.n + g.missing);
	}
	if (g.n || g.missing)
		data(t, s, &g);
	if (s->fin && s->next == s->fin_seq && !s->closed)
		finish(t, s);
	account(t, s);
	while (t->bytes > t->limit.tcp_total_bytes && t->list[BY_USE].oldest != s) {
		t->stats->tcp_full++;
		drop(t, t->list[BY_USE].oldest);
	}
}
