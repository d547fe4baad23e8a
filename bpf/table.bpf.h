/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * table.bpf.h - the flow table as a packet sees it: which entry is its, and what it leaves there
 *
 * The second part of the classifier (parse.bpf.h). The table and the protocol of its one writer
 * are described in optag.h. Whoever includes this defines two functions first, the way to it
 * (both may give NULL):
 *	static const __u32 *optag_tags(void *tab, __u32 line);
 *	static struct optag_flow *optag_entry(void *tab, __u32 slot);
 */
#ifndef OPTAG_TABLE_H
#define OPTAG_TABLE_H

#include "walk.bpf.h"

/* ---- which entry ---- */

struct optag_key {
	__u64 addr[2];
	__be16 port;
	__u8 proto;
};

/* A flow entry as it was at one instant. */
struct optag_hit {
	struct optag_flow *flow; /* for its counters; NULL: none */
	__u32 rtp; /* sequence number, tag of the SSRC in bits 16 to 23; set when optag_decide says that it is RTP */
	union {
		__u64 head; /* all as in struct optag_flow */
		struct {
			__be16 port;
			__u8 verdict;
			__u8 te1;
			__u32 gen;
		};
	};
	union {
		__u64 tail;
		struct {
			__u32 ring;
			__u8 leg;
			__u8 te2;
			__u8 proto;
			__u8 pad;
		};
	};
};

/*
 * Both candidate lines and the tag from one keyed hash. NH (UMAC, RFC 4418): whatever
 * two keys somebody chooses, they meet in its 64 bits under one seed in 2^32, and its
 * products do not wait for each other. Then one round of mixing, for good bits everywhere.
 */
OPTAG_INLINE __u64 optag_flow_hash(const struct optag_key *k, __u64 seed)
{
	__u64 s0 = seed * 0x9e3779b97f4a7c15ULL, s1 = seed * 0xd6e8feb86659fd93ULL, h;

	s0 ^= s0 >> 32;
	s1 ^= s1 >> 32;
	h = (__u64)((__u32)k->addr[0] + (__u32)s0) * ((__u32)(k->addr[0] >> 32) + (__u32)(s0 >> 32));
	h += (__u64)((__u32)k->addr[1] + (__u32)s1) * ((__u32)(k->addr[1] >> 32) + (__u32)(s1 >> 32));
	h += (__u64)((k->port | (__u32)k->proto << 16) + (__u32)seed) * (__u32)(seed >> 32 | 1);
	h ^= h >> 32;
	h *= 0x9fb21c651e98df25ULL;
	return h ^ h >> 32;
}

OPTAG_INLINE __u32 optag_flow_h1(__u64 hash, __u32 mask)
{
	return (__u32)hash & mask;
}

/* Never the first line again (unless there is only one). */
OPTAG_INLINE __u32 optag_flow_h2(__u64 hash, __u32 mask)
{
	__u32 h2 = (__u32)(hash >> 24) & mask;

	return h2 == optag_flow_h1(hash, mask) ? (h2 ^ 1) & mask : h2;
}

/* Never 0, which is a free slot's. */
OPTAG_INLINE __u32 optag_flow_tag(__u64 hash)
{
	return (__u32)(hash >> 48) | 1;
}

/*
 * The reader's half of the protocol in optag.h. A verdict that changes between
 * the two looks is the same owner's: the newer one holds.
 */
OPTAG_INLINE int optag_flow_match(struct optag_flow *e, const struct optag_key *k,
				  struct optag_hit *hit)
{
	struct optag_hit f = { .flow = e };
	__u32 gen;

	if (!e)
		return 0;
	f.head = OPTAG_LOAD(e->head);
	if (f.port != k->port || f.verdict == OPTAG_V_FREE)
		return 0;
	gen = f.gen;
	if (OPTAG_LOAD(e->addr64[1]) != k->addr[1] || OPTAG_LOAD(e->addr64[0]) != k->addr[0])
		return 0;
	f.tail = OPTAG_LOAD(e->tail);
	if (f.proto != k->proto)
		return 0;
	f.head = OPTAG_LOAD(e->head);
	if (f.gen != gen || f.verdict == OPTAG_V_FREE)
		return 0;
	*hit = f;
	return 1;
}

/* Which slot of the line is taken by chance, so it is computed and not jumped to. */
OPTAG_INLINE int optag_line_match(void *tab, __u32 line, __u32 tag, const struct optag_key *k,
				  struct optag_hit *hit)
{
	const __u32 *tags = optag_tags(tab, line);
	__u32 t, first, second;

	if (!tags)
		return 0;
	t = OPTAG_LOAD(*tags);
	first = (((t & 0xffff) ^ tag) - 1U) >> 31; /* 1: alike */
	second = (((t >> 16) ^ tag) - 1U) >> 31;
	if (!(first | second))
		return 0;
	OPTAG_HIDE(first);
	if (optag_flow_match(optag_entry(tab, line * 2 + (first ^ 1)), k, hit))
		return 1;
	return (first & second) && optag_flow_match(optag_entry(tab, line * 2 + 1), k, hit);
}

OPTAG_INLINE int optag_flow_find(void *tab, __u64 seed, __u32 mask, const struct optag_key *k,
				 struct optag_hit *hit)
{
	__u64 h = optag_flow_hash(k, seed);
	__u32 tag = optag_flow_tag(h);

	hit->flow = 0;
	return optag_line_match(tab, optag_flow_h1(h, mask), tag, k, hit) ||
	       optag_line_match(tab, optag_flow_h2(h, mask), tag, k, hit);
}

/* ---- what a packet leaves in it ---- */

/* Which counter of its flow a packet moves, OPTAG_F_MAX: none. what: the final one, losses included. */
OPTAG_INLINE __u32 optag_flow_counter(enum optag_count what)
{
	switch (what) {
	case OPTAG_C_AUDIO:
	case OPTAG_C_INSPECT:
		return OPTAG_F_PASSED;
	case OPTAG_C_EVENT:
		return OPTAG_F_EVENTS;
	case OPTAG_C_BLOCK:
	case OPTAG_C_GATE:
	case OPTAG_C_DEAD:
		return OPTAG_F_BLOCKED;
	case OPTAG_C_MEDIA_LOST:
	case OPTAG_C_BUDGET:
		return OPTAG_F_LOST;
	default:
		return OPTAG_F_MAX;
	}
}

/*
 * The sequence number of a packet that was seen at f, and what is missing before it. Both words' low bits stay. The usual
 * packet is the next one of the stream before, and costs one store.
 */
OPTAG_INLINE void optag_flow_seen(struct optag_flow *f, __u32 rtp)
{
	__u64 last = OPTAG_LOAD(f->counts[OPTAG_F_BLOCKED]), hole = OPTAG_LOAD(f->counts[OPTAG_F_LOST]);
	__u32 ahead = (rtp - (__u32)(last >> OPTAG_COUNT_BITS)) & 0xffff, tag = rtp >> 16 & 0xff, missing;

	if ((hole >> OPTAG_COUNT_BITS & 0xff) != tag) {
		hole = (hole & ~(0xffULL << OPTAG_COUNT_BITS)) | (__u64)tag << OPTAG_COUNT_BITS;
		OPTAG_STORE(f->counts[OPTAG_F_LOST], hole);
	} else if (ahead != 1) {
		if (ahead == 0 || ahead > 0x10000 - OPTAG_MISORDER)
			return; /* again, or late */
		missing = ahead - 1 < OPTAG_HOLE_MAX ? ahead - 1 : OPTAG_HOLE_MAX;
		if (ahead <= OPTAG_DROPOUT && missing > hole >> OPTAG_HOLE_SHIFT) {
			hole = (hole & ~(0xffULL << OPTAG_HOLE_SHIFT)) | (__u64)missing << OPTAG_HOLE_SHIFT;
			OPTAG_STORE(f->counts[OPTAG_F_LOST], hole);
		}
	}
	last = (last & OPTAG_COUNT_MASK) | (__u64)(rtp & 0xffff) << OPTAG_COUNT_BITS;
	OPTAG_STORE(f->counts[OPTAG_F_BLOCKED], last);
}

/*
 * What a packet leaves in its flow; what: the final one, losses included. The high bits of a counter are not its own:
 * adding never reaches them. The daemon reads beside this; nobody else writes, but for flow_take_hole.
 */
OPTAG_INLINE void optag_flow_note(const struct optag_hit *hit, __u32 what)
{
	struct optag_flow *f = hit->flow;
	__u32 n = optag_flow_counter((enum optag_count)what);

	if (!f || n >= OPTAG_F_MAX)
		return;
	OPTAG_STORE(f->counts[n], OPTAG_LOAD(f->counts[n]) + 1);
	if (n != OPTAG_F_LOST && what != OPTAG_C_DEAD)
		optag_flow_seen(f, hit->rtp);
}

#endif
