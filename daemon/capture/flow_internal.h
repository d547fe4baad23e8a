/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * flow_internal.h - parse.bpf.h for user space
 *
 * Gives it its way to the flow table: `tab` is a struct flow_memory, and a line's
 * number always lies inside (parse.bpf.h masks it). Fragments are remembered by who classifies (frags NULL: by nobody).
 */
#ifndef FLOW_INTERNAL_H
#define FLOW_INTERNAL_H

#include <stdbool.h>
#include <string.h>

#include "optag.h"

struct flow_frag {
	struct optag_frag_key key;
	__u64 ts_ns; /* of the first fragment, which went up; key.proto 0: free */
};

struct flow_memory {
	struct optag_flow *flows; /* two a line */
	struct optag_tag_pair *tags;
	struct flow_frag *frags; /* OPTAG_FRAGS, each datagram has one place: the latest there stays */
	__u64 now_ns;		 /* the packet's time */
};

static inline const __u32 *optag_tags(void *tab, __u32 line)
{
	return &((const struct flow_memory *)tab)->tags[line / 2].line[line % 2];
}

static inline struct optag_flow *optag_entry(void *tab, __u32 slot)
{
	return ((const struct flow_memory *)tab)->flows + slot;
}

/* Who chooses addresses and numbers so that they meet loses his own fragments. */
static inline struct flow_frag *flow_frag_at(const struct flow_memory *m, const struct optag_frag_key *k)
{
	__u64 h = k->src[0] ^ k->src[1] * 3 ^ k->dst[0] * 5 ^ k->dst[1] * 7 ^ (k->id | (__u64)k->proto << 32);

	h *= 0x9fb21c651e98df25ULL;
	return m->frags + (h >> 32) % OPTAG_FRAGS;
}

static inline void optag_frag_note(void *tab, const struct optag_frag_key *k, int up)
{
	const struct flow_memory *m = tab;
	struct flow_frag *f = m->frags ? flow_frag_at(m, k) : NULL;

	if (f && up)
		*f = (struct flow_frag){ .key = *k, .ts_ns = m->now_ns };
	else if (f && memcmp(&f->key, k, sizeof(*k)) == 0)
		memset(f, 0, sizeof(*f));
}

/* Capture files may step back in time. */
static inline int optag_frag_known(void *tab, const struct optag_frag_key *k)
{
	const struct flow_memory *m = tab;
	const struct flow_frag *f = m->frags ? flow_frag_at(m, k) : NULL;

	return f && f->key.proto && memcmp(&f->key, k, sizeof(*k)) == 0 &&
	       m->now_ns - f->ts_ns + OPTAG_FRAG_NS < 2 * OPTAG_FRAG_NS;
}

#include "parse.bpf.h"

#endif
