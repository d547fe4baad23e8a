/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * maps.bpf.h - the classifier's settings and its way to the flow table, as BPF
 *
 * Included behind the maps `flows` and `flow_tags` (two entries a line, a pair of lines a value), which belong to the program.
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

#include "parse.bpf.h"

#endif
