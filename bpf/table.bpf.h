/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * table.bpf.h - the flow table as a packet sees it: which entry is its, and what it leaves there
 *
 * The second part of the classifier (parse.bpf.h). The table and the protocol of its one writer
 * are described in optag.h. Whoever includes this defines four functions first. Two are the way to it
 * (both may give NULL), two remember for OPTAG_FRAG_NS of which datagrams in fragments the first went up:
 *	static const __u32 *optag_tags(void *tab, __u32 line);
 *	static struct optag_flow *optag_entry(void *tab, __u32 slot);
 *	static void optag_frag_note(void *tab, const struct optag_frag_key *k, int up);
 *	static int optag_frag_known(void *tab, const struct optag_frag_key *k);
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

/* Of where a plain packet (optag_plain_udp) goes; the protocol is the caller's. */
OPTAG_INLINE void optag_plain_key(const __u8 *ip, int family, struct optag_key *ret)
{
	if (family == 4) {
		ret->addr[0] = 0;
		ret->addr[1] = OPTAG_V4_PREFIX | (__u64)OPTAG_GET(__u32, ip + 16) << OPTAG_V4_SHIFT;
		ret->port = OPTAG_GET(__be16, ip + 22);
	} else {
		ret->addr[0] = OPTAG_GET(__u64, ip + 24);
		ret->addr[1] = OPTAG_GET(__u64, ip + 32);
		ret->port = OPTAG_GET(__be16, ip + 42);
	}
}

/* A flow entry as it was at one instant. */
struct optag_hit {
	struct optag_flow *flow; /* for its counters; NULL: none */
	const __u8 *rtp;	 /* of the packet, when optag_decide says that it is RTP: its header */
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
OPTAG_INLINE __u64 optag_flow_hash(const struct optag_key *k, const volatile struct optag_hash *s)
{
	__u64 h;

	if (__builtin_constant_p(k->addr[0]) && !k->addr[0])
		h = s->zero;
	else
		h = (__u64)((__u32)k->addr[0] + s->add[0]) * ((__u32)(k->addr[0] >> 32) + s->add[1]);
	h += (__u64)((__u32)k->addr[1] + s->add[2]) * ((__u32)(k->addr[1] >> 32) + s->add[3]);
	h += (__u64)((k->port | (__u32)k->proto << 16) + s->add[4]) * s->mul;
	h ^= h >> 32;
	h *= 0x9fb21c651e98df25ULL;
	return h ^ h >> 32;
}

/* Once, of a seed. */
OPTAG_INLINE void optag_hash_key(__u64 seed, struct optag_hash *ret)
{
	__u64 s0 = seed * 0x9e3779b97f4a7c15ULL, s1 = seed * 0xd6e8feb86659fd93ULL;

	s0 ^= s0 >> 32;
	s1 ^= s1 >> 32;
	ret->add[0] = (__u32)s0;
	ret->add[1] = (__u32)(s0 >> 32);
	ret->add[2] = (__u32)s1;
	ret->add[3] = (__u32)(s1 >> 32);
	ret->add[4] = (__u32)seed;
	ret->mul = (__u32)(seed >> 32 | 1);
	ret->zero = (__u64)ret->add[0] * ret->add[1];
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
 * the two looks is the same owner's: the newer one holds. Whether the entry is
 * anybody's is asked of the second look alone.
 */
OPTAG_INLINE int optag_flow_match(struct optag_flow *e, const struct optag_key *k,
				  struct optag_hit *hit)
{
	struct optag_hit f = { .flow = e };
	__u32 gen;

	if (!e)
		return 0;
	gen = OPTAG_LOAD(e->gen);
	if (OPTAG_LOAD(e->port) != k->port)
		return 0;
	if (OPTAG_LOAD(e->addr64[1]) != k->addr[1] || OPTAG_LOAD(e->addr64[0]) != k->addr[0])
		return 0;
	if (OPTAG_LOAD(e->proto) != k->proto)
		return 0;
	f.tail = OPTAG_LOAD(e->tail);
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

/* Every slot that may be the key's. h: optag_flow_hash. */
OPTAG_INLINE int optag_flow_all(void *tab, __u64 h, __u32 mask, const struct optag_key *k,
				struct optag_hit *hit)
{
	__u32 tag = optag_flow_tag(h);

	return optag_line_match(tab, optag_flow_h1(h, mask), tag, k, hit) ||
	       optag_line_match(tab, optag_flow_h2(h, mask), tag, k, hit);
}

/* Which of a line's two tags are this one: bit 15 the first; bit 31 the second, if the first is not. */
OPTAG_INLINE __u32 optag_tags_like(const __u32 *tags, __u32 tag)
{
	__u32 x = OPTAG_LOAD(*tags) ^ tag * 0x10001;

	return (x - 0x10001) & ~x & 0x80008000;
}

/*
 * 1 found, 0 not there; -1: a tag was the key's and the entry was not, or it is just being written
 * (one packet of ten thousand), and optag_flow_all knows. Looks at one entry at most.
 */
OPTAG_INLINE int optag_flow_quick(void *tab, __u64 h, __u32 mask, const struct optag_key *k,
				  struct optag_hit *hit)
{
	__u32 line = optag_flow_h1(h, mask), like;
	const __u32 *tags = optag_tags(tab, line);

	hit->flow = 0;
	hit->rtp = 0;
	if (!tags)
		return -1;
	like = optag_tags_like(tags, optag_flow_tag(h));
	if (!like) {
		line = optag_flow_h2(h, mask);
		tags = optag_tags(tab, line);
		if (!tags)
			return -1;
		like = optag_tags_like(tags, optag_flow_tag(h));
		if (!like)
			return 0;
	}
	return optag_flow_match(optag_entry(tab, line * 2 + (~like >> 15 & 1)), k, hit) ? 1 : -1;
}

/* Whether the key is there. hit->flow is NULL when not. */
OPTAG_INLINE int optag_flow_find(void *tab, const volatile struct optag_hash *s, __u32 mask,
				 const struct optag_key *k, struct optag_hit *hit)
{
	__u64 h = optag_flow_hash(k, s);
	int found = optag_flow_quick(tab, h, mask, k, hit);

	return found < 0 ? optag_flow_all(tab, h, mask, k, hit) : found;
}

/* ---- what a packet leaves in it ---- */

/*
 * A packet that was seen, and what is missing before it; `more` is added to OPTAG_F_BLOCKED. Both words'
 * other low bits stay. The usual packet is the next one of the stream before, and costs one store: one
 * more in the high bits, which wrap as sequence numbers do.
 */
OPTAG_INLINE void optag_flow_seen(const struct optag_hit *hit, __u64 more)
{
	struct optag_flow *f = hit->flow;
	__u64 last = OPTAG_LOAD(f->counts[OPTAG_F_BLOCKED]), hole = OPTAG_LOAD(f->counts[OPTAG_F_LOST]);
	__u32 seq, ahead, tag, missing;

	if (!hit->rtp) /* never: but the verifier does not know that whatever is seen is RTP */
		return;
	seq = optag_be16(hit->rtp + 2);
	tag = OPTAG_GET(__u32, hit->rtp + 8) * 0x9e3779b1U >> 24 | 1; /* of the SSRC, never 0 */
	ahead = (seq - (__u32)(last >> OPTAG_COUNT_BITS)) & 0xffff;
	last += more;
	if (__builtin_expect((hole >> OPTAG_COUNT_BITS & 0xff) == tag && ahead == 1, 1)) {
		OPTAG_STORE(f->counts[OPTAG_F_BLOCKED], last + (1ULL << OPTAG_COUNT_BITS));
		return;
	}
	if ((hole >> OPTAG_COUNT_BITS & 0xff) != tag) {
		hole = (hole & ~(0xffULL << OPTAG_COUNT_BITS)) | (__u64)tag << OPTAG_COUNT_BITS;
		OPTAG_STORE(f->counts[OPTAG_F_LOST], hole);
	} else if (ahead == 0 || ahead > 0x10000 - OPTAG_MISORDER) { /* again, or late */
		if (more)
			OPTAG_STORE(f->counts[OPTAG_F_BLOCKED], last);
		return;
	} else {
		missing = ahead - 1 < OPTAG_HOLE_MAX ? ahead - 1 : OPTAG_HOLE_MAX;
		if (ahead <= OPTAG_DROPOUT && missing > hole >> OPTAG_HOLE_SHIFT) {
			hole = (hole & ~(0xffULL << OPTAG_HOLE_SHIFT)) | (__u64)missing << OPTAG_HOLE_SHIFT;
			OPTAG_STORE(f->counts[OPTAG_F_LOST], hole);
		}
	}
	last = (last & OPTAG_COUNT_MASK) | (__u64)seq << OPTAG_COUNT_BITS;
	OPTAG_STORE(f->counts[OPTAG_F_BLOCKED], last);
}

OPTAG_INLINE void optag_flow_add(struct optag_flow *f, enum optag_flow_count n)
{
	OPTAG_STORE(f->counts[n], OPTAG_LOAD(f->counts[n]) + 1);
}

/*
 * What a packet leaves in its flow: it moves one of its counters, or none; what: the final one, losses included.
 * The high bits of a counter are not its own: adding never reaches them. The daemon reads beside this; nobody
 * else writes, but for flow_take_hole.
 */
OPTAG_INLINE void optag_flow_note(const struct optag_hit *hit, __u32 what)
{
	struct optag_flow *f = hit->flow;

	if (!f)
		return;
	switch ((enum optag_count)what) {
	case OPTAG_C_BLOCK:
	case OPTAG_C_GATE:
		optag_flow_seen(hit, 1);
		break;
	case OPTAG_C_AUDIO:
	case OPTAG_C_INSPECT:
		optag_flow_add(f, OPTAG_F_PASSED);
		optag_flow_seen(hit, 0);
		break;
	case OPTAG_C_EVENT:
		optag_flow_add(f, OPTAG_F_EVENTS);
		optag_flow_seen(hit, 0);
		break;
	case OPTAG_C_DEAD:
		optag_flow_add(f, OPTAG_F_BLOCKED);
		break;
	case OPTAG_C_MEDIA_LOST:
	case OPTAG_C_BUDGET:
	case OPTAG_C_FRAG_LOST:
		optag_flow_add(f, OPTAG_F_LOST);
		break;
	default:
		break;
	}
}

#endif
