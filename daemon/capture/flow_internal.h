/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * flow_internal.h - parse.bpf.h for user space
 *
 * Gives it its way to the flow table: `tab` is a struct flow_memory, and a line's
 * number always lies inside (parse.bpf.h masks it).
 */
#ifndef FLOW_INTERNAL_H
#define FLOW_INTERNAL_H

#include <stdbool.h>

#include "optag.h"

struct flow_memory {
	struct optag_flow *flows; /* two a line */
	struct optag_tag_pair *tags;
};

static inline const __u32 *optag_tags(void *tab, __u32 line)
{
	return &((const struct flow_memory *)tab)->tags[line / 2].line[line % 2];
}

static inline struct optag_flow *optag_entry(void *tab, __u32 slot)
{
	return ((const struct flow_memory *)tab)->flows + slot;
}

#include "parse.bpf.h"

#endif
