/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * flow.h - the flow table's writer
 *
 * The daemon's side of the table in bpf/optag.h: sets, flips and clears
 * entries by plain stores in the order that header prescribes. The memory is
 * its own (replay) or the mmap of the BPF array (live). Two-choice placement,
 * entries move (copy first, then clear) to make room. A cleared slot is not
 * filled again for OPTAG_QUARANTINE_NS of clock_steady_ns (optag.h names the one
 * exception). A generation belongs to the owner, so it survives a move; a
 * pointer from flow_get does not survive the next flow_set. One writer thread.
 */
#ifndef FLOW_H
#define FLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ipaddr.h"
#include "optag.h"

struct flow_table;

struct flow_rule {
	uint8_t verdict; /* enum optag_verdict, not FREE */
	uint8_t te[2];	 /* OPTAG_NO_PT none */
	uint8_t leg;
	uint8_t proto; /* IPPROTO_UDP; IPPROTO_TCP for OPTAG_V_SIG */
	uint32_t ring;
};

/* lines: power of two, two entries each, else -EINVAL. flows_mem (64-byte aligned, two a line) and
 * tags_mem NULL: allocated; entries found in flows_mem are adopted, tags written anew. */
int flow_new(uint32_t lines, uint64_t seed, struct optag_flow *flows_mem,
	     struct optag_tag_pair *tags_mem, struct flow_table **ret);
void flow_free(struct flow_table *t);

/* Adds or replaces the entry of (at, proto). New owner (other ring): new generation and zeroed
 * counters. -ENOSPC: no slot among the candidates, even after moving; -EAGAIN: nor is there, but one of
 * them is in quarantine and so free within OPTAG_QUARANTINE_NS: addresses change faster than slots may
 * be used again. *ret_gen may be NULL. */
int flow_set(struct flow_table *t, const struct endpoint *at, const struct flow_rule *r,
	     uint32_t *ret_gen);
/* -ENOENT when there is no entry or it is another call's (ring differs). */
int flow_set_verdict(struct flow_table *t, const struct endpoint *at, uint8_t proto, uint32_t ring,
		     uint8_t verdict);
int flow_clear(struct flow_table *t, const struct endpoint *at, uint8_t proto, uint32_t ring);
/* The entry of (at, proto), or NULL; *ret_stats (may be NULL) its counters. */
const struct optag_flow *flow_get(const struct flow_table *t, const struct endpoint *at,
				  uint8_t proto, struct optag_flow_stats *ret_stats);
/* The longest hole in the sequence numbers seen at the ring's entry since it was taken last, in packets (optag.h: X-4); 0 none,
 * or no entry. Whatever the verdict, so a hole in audio that nobody above sees is known. */
uint32_t flow_take_hole(struct flow_table *t, const struct endpoint *at, uint8_t proto, uint32_t ring);
/* Of a table that was adopted: clears every entry that keep() does not want. */
void flow_sweep(struct flow_table *t, bool (*keep)(void *arg, const struct endpoint *at, uint8_t proto, uint32_t ring),
		void *arg);
/* The last generation given is kept at `last` from now on (memory that outlives the process); what
 * is there already counts as given, also when its entries are cleared by now. */
void flow_keep_gen(struct flow_table *t, uint32_t *last);
size_t flow_count(const struct flow_table *t);
/* What a classifier on the same table must be told. */
uint64_t flow_seed(const struct flow_table *t);
uint32_t flow_line_mask(const struct flow_table *t);
struct optag_flow *flow_entries(struct flow_table *t);
struct optag_tag_pair *flow_tags(struct flow_table *t);

#endif
