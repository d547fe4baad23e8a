/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * maps.bpf.h - the classifier's settings and its way to the flow table, as BPF
 *
 * Included behind the maps `flows` and `flow_tags` (two entries a line, a pair of lines a value), which belong to the program.
 * What is known of fragments is each program's own and lives as long as that.
 */
#ifndef OPTAG_MAPS_H
#define OPTAG_MAPS_H

const volatile struct optag_config config;
volatile __u64 unknown_zero; /* a map value: 0, and any number to the verifier */

static __always_inline const __u32 *optag_tags(void *tab, __u32 line)
{
	__u32 pair = line >> 1;
	struct optag_tag_pair *t = bpf_map_lookup_elem(&flow_tags, &pair);

	(void)tab;
	return t ? &t->line[line & 1] : 0;
}

static __always_inline struct optag_flow *optag_entry(void *tab, __u32 slot)
{
	(void)tab;
	return bpf_map_lookup_elem(&flows, &slot);
}

/* Where there are many, the oldest are forgotten: their later fragments stay below. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, OPTAG_FRAGS);
	__type(key, struct optag_frag_key);
	__type(value, __u64); /* when it went up */
} frags SEC(".maps");

static __always_inline void optag_frag_note(void *tab, const struct optag_frag_key *k, int up)
{
	__u64 now = bpf_ktime_get_ns();

	(void)tab;
	if (up)
		bpf_map_update_elem(&frags, k, &now, BPF_ANY);
	else
		bpf_map_delete_elem(&frags, k); /* an earlier datagram's, with this number */
}

static __always_inline int optag_frag_known(void *tab, const struct optag_frag_key *k)
{
	__u64 *at = bpf_map_lookup_elem(&frags, k);

	(void)tab;
	return at && bpf_ktime_get_ns() - *at < OPTAG_FRAG_NS;
}

#include "parse.bpf.h"

#endif
