/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * flow_internal.h - parse.bpf.h for user space
 *
 * Gives it its way to the flow table: `tab` is the array of lines, and a line
 * number always lies inside (parse.bpf.h masks it).
 */
#ifndef FLOW_INTERNAL_H
#define FLOW_INTERNAL_H

#include <stdbool.h>

#include "optag.h"

static inline const struct optag_flow_line *optag_line(void *tab, __u32 line)
{
	return (const struct optag_flow_line *)tab + line;
}

#include "parse.bpf.h"

#endif
