/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * classify.h - parse.bpf.h compiled for user space
 *
 * Same source, same structures, same verdicts as the XDP program: one packet
 * in, at most one record out. Used for capture files and for live capture
 * without XDP; a test feeds both and compares record by record.
 */
#ifndef CLASSIFY_H
#define CLASSIFY_H

#include <stddef.h>
#include <stdint.h>

#include "optag.h"

struct classify;
struct flow_table;

/* What the first header of a packet is. */
enum classify_link { CLASSIFY_ETHERNET, CLASSIFY_IPV4, CLASSIFY_IPV6, CLASSIFY_IP, CLASSIFY_ETHERTYPE };

struct classify_sink {
	void *arg;
	void (*media)(void *arg, const struct optag_rec *rec, const uint8_t *payload);
	void (*signalling)(void *arg, const struct optag_sig *sig, const uint8_t *packet);
	/* NULL, or: these records are delivered in a moment (xdp_drain only); for prefetching, no more. */
	void (*soon)(void *arg, const struct optag_rec *rec, unsigned n);
};

/* cfg is copied (flow_mask and seed must be the table's); the table stays the caller's. */
int classify_new(const struct optag_config *cfg, struct flow_table *t,
		 const struct classify_sink *sink, struct classify **ret);
void classify_free(struct classify *c);

/* One packet: caplen bytes there, wire_len by the capture. link ETHERTYPE: frame starts behind
 * a cooked header and `ethertype` (host order) says what follows. */
void classify_packet(struct classify *c, enum classify_link link, uint16_t ethertype,
		     const uint8_t *frame, size_t caplen, size_t wire_len, uint64_t ts_ns,
		     uint32_t ifindex);
const uint64_t *classify_counts(const struct classify *c); /* OPTAG_C_MAX of them */

#endif
