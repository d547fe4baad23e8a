/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * defrag.c - table of datagrams by (addresses, id, protocol, VLAN)
 *
 * Invariants of a datagram: range[] is sorted, disjoint and not touching;
 * buf.cap >= the end of the last range; total is 0 until the last fragment
 * came. A condemned one keeps its key without bytes until it times out, so
 * that the rest of its fragments cannot start it anew. One thread.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/hash.h"
#include "sip/defrag.h"

/* Holes at once in one datagram: 8 KB in 1,280-byte fragments has six, in any order. */
#define RANGES_MAX 64

struct key {
	struct ipaddr src, dst;
	uint32_t id;
	uint16_t vlan;
	uint8_t proto; /* 0 for IPv6, where the fragments may differ in it */
	uint8_t family;
};
_Static_assert(sizeof(struct key) == 40, "hashed as bytes: no holes");

struct range {
	uint32_t from, to;
};

struct datagram {
	struct hnode node;
	struct datagram *older, *newer; /* by first fragment */
	struct key key;
	uint64_t first_ns;
	struct range range[RANGES_MAX];
	unsigned nrange;
	uint32_t total;
	uint8_t proto; /* of the fragment at offset 0 */
	bool condemned;
	struct buf buf;
};

struct defrag {
	struct htab table;
	struct sigin_limits limit;
	struct sigin_stats *stats;
	struct datagram *oldest, *newest;
	struct buf done; /* bytes of the datagram handed out last */
};

int defrag_new(const struct sigin_limits *l, struct sigin_stats *stats, struct defrag **ret)
{
	struct defrag *d = calloc(1, sizeof(*d));

	if (!d || htab_init(&d->table, 64)) {
		free(d);
		return -ENOMEM;
	}
	d->limit = *l;
	d->stats = stats;
	*ret = d;
	return 0;
}

static void wipe(struct buf *b)
{
	if (b->p)
		explicit_bzero(b->p, b->cap);
	buf_free(b);
}

static void drop(struct defrag *d, struct datagram *g)
{
	*(g->older ? &g->older->newer : &d->oldest) = g->newer;
	*(g->newer ? &g->newer->older : &d->newest) = g->older;
	htab_del(&d->table, &g->node);
	wipe(&g->buf);
	free(g);
}

void defrag_free(struct defrag *d)
{
	if (!d)
		return;
	while (d->oldest)
		drop(d, d->oldest);
	wipe(&d->done);
	htab_free(&d->table);
	free(d);
}

void defrag_expire(struct defrag *d, uint64_t now_ns)
{
	struct datagram *g;

	/* Time stamps may go back (several files, several queues): then nothing is due. */
	while ((g = d->oldest) && now_ns > g->first_ns &&
	       now_ns - g->first_ns > d->limit.frag_timeout_ns) {
		if (!g->condemned)
			d->stats->frag_timeout++;
		drop(d, g);
	}
}

static struct datagram *find(struct defrag *d, const struct key *k, uint64_t hash)
{
	struct hnode *n;

	for (n = htab_first(&d->table, hash); n; n = htab_next(n)) {
		struct datagram *g = container_of(n, struct datagram, node);

		if (!memcmp(&g->key, k, sizeof(*k)))
			return g;
	}
	return NULL;
}

static struct datagram *find_or_add(struct defrag *d, const struct key *k, uint64_t ts_ns)
{
	uint64_t hash = hash_bytes(k, sizeof(*k));
	struct datagram *g = find(d, k, hash);

	if (g)
		return g;
	if (d->table.count >= d->limit.frag_packets && d->oldest) {
		d->stats->frag_full++;
		drop(d, d->oldest);
	}
	g = calloc(1, sizeof(*g));
	if (!g) {
		d->stats->frag_full++;
		return NULL;
	}
	g->key = *k;
	g->first_ns = ts_ns;
	g->older = d->newest;
	*(d->newest ? &d->newest->newer : &d->oldest) = g;
	d->newest = g;
	htab_add(&d->table, &g->node, hash);
	return g;
}

static void condemn(struct datagram *g, uint64_t *counter)
{
	(*counter)++;
	g->condemned = true;
	g->nrange = 0;
	wipe(&g->buf);
}

/* Puts [from, to) in. 0; -EEXIST: all of it is there already; -EADDRINUSE: overlap; -ENOSPC. */
static int add_range(struct datagram *g, uint32_t from, uint32_t to)
{
	struct range *r = g->range;
	unsigned i = 0;

	while (i < g->nrange && r[i].to < from)
		i++;
	if (i < g->nrange && r[i].from <= from && to <= r[i].to)
		return -EEXIST;
	if (i < g->nrange && from < r[i].to && r[i].from < to)
		return -EADDRINUSE;
	if (i < g->nrange && r[i].to == from) {
		if (i + 1 < g->nrange && r[i + 1].from < to)
			return -EADDRINUSE;
		r[i].to = to;
		if (i + 1 < g->nrange && r[i + 1].from == to) {
			r[i].to = r[i + 1].to;
			memmove(&r[i + 1], &r[i + 2], (g->nrange - i - 2) * sizeof(*r));
			g->nrange--;
		}
		return 0;
	}
	if (i < g->nrange && r[i].from == to) {
		r[i].from = from;
		return 0;
	}
	if (g->nrange == RANGES_MAX)
		return -ENOSPC;
	memmove(&r[i + 1], &r[i], (g->nrange - i) * sizeof(*r));
	r[i] = (struct range){ from, to };
	g->nrange++;
	return 0;
}

static bool reserve(struct datagram *g, size_t end)
{
	if (g->buf.len >= end)
		return true;
	if (!buf_room(&g->buf, end - g->buf.len))
		return false;
	g->buf.len = end;
	return true;
}

/* Adds the bytes of one fragment, or condemns the datagram. */
static void add_bytes(struct defrag *d, struct datagram *g, const struct iphdr_info *info)
{
	uint32_t end = info->off + (uint32_t)info->n;
	int r;

	if (g->total && (end > g->total || (!info->more && end != g->total))) {
		condemn(g, &d->stats->frag_overlap);
		return;
	}
	if (!info->more && g->nrange && g->range[g->nrange - 1].to > end) {
		condemn(g, &d->stats->frag_overlap);
		return;
	}
	r = add_range(g, info->off, end);
	if (r == -EEXIST && !memcmp(g->buf.p + info->off, info->p, info->n)) {
		if (!info->more)
			g->total = end;
		return;
	}
	if (r == -EADDRINUSE || r == -EEXIST) {
		condemn(g, &d->stats->frag_overlap);
		return;
	}
	if (r || !reserve(g, end)) {
		condemn(g, &d->stats->frag_full);
		return;
	}
	memcpy(g->buf.p + info->off, info->p, info->n);
	if (!info->more)
		g->total = end;
	if (!info->off)
		g->proto = info->proto;
}

static bool is_whole(const struct datagram *g)
{
	return g->total && g->nrange == 1 && g->range[0].from == 0 && g->range[0].to == g->total;
}

/* Lengths that no honest fragment has. */
static bool lies(const struct iphdr_info *info)
{
	return info->missing || !info->n || (info->more && info->n % 8) ||
	       info->off + info->n > 65535;
}

bool defrag_add(struct defrag *d, const struct iphdr_info *info, uint16_t vlan, uint64_t ts_ns,
		struct iphdr_info *ret_info)
{
	struct key k = { .src = info->src, .dst = info->dst, .id = info->id, .vlan = vlan,
			 .proto = info->family == 4 ? info->proto : 0, .family = info->family };
	struct datagram *g;

	d->stats->frags++;
	defrag_expire(d, ts_ns);
	if (lies(info)) {
		d->stats->bad_packets++;
		return false;
	}
	g = find_or_add(d, &k, ts_ns);
	if (!g || g->condemned)
		return false;
	if (info->off + info->n > d->limit.frag_bytes)
		condemn(g, &d->stats->frag_full);
	else
		add_bytes(d, g, info);
	if (g->condemned || !is_whole(g))
		return false;
	wipe(&d->done);
	d->done = g->buf;
	memset(&g->buf, 0, sizeof(g->buf));
	*ret_info = *info;
	ret_info->proto = g->proto;
	ret_info->p = d->done.p;
	ret_info->n = d->done.len;
	ret_info->frag = ret_info->more = false;
	ret_info->off = 0;
	drop(d, g);
	if (info->family == 6 && (iphdr_extensions(ret_info) || ret_info->frag)) {
		d->stats->bad_packets++;
		return false;
	}
	d->stats->frag_done++;
	return true;
}
