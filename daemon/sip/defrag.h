/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * defrag.h - IP datagrams put together from fragments
 *
 * Overlapping fragments condemn their datagram (RFC 5722, RFC 8200 4.5; the same
 * for IPv4: nobody needs them but attackers); an exact repetition is a duplicate
 * of a SPAN port. Bounded by sigin_limits; the oldest datagram gives way. Counts
 * go to the caller's sigin_stats. What was put together is overwritten when it is
 * done with: whose it was is known only then. One thread.
 */
#ifndef DEFRAG_H
#define DEFRAG_H

#include "sip/iphdr.h"
#include "sip/sigin.h"

struct defrag;

int defrag_new(const struct sigin_limits *l, struct sigin_stats *stats, struct defrag **ret);
void defrag_free(struct defrag *d);

/*
 * One fragment (info->frag). True: the datagram is whole; *ret_info has its payload
 * and protocol (IPv6 extension headers walked) and is good until the next call.
 */
bool defrag_add(struct defrag *d, const struct iphdr_info *info, uint16_t vlan, uint64_t ts_ns,
		struct iphdr_info *ret_info);
void defrag_expire(struct defrag *d, uint64_t now_ns);

#endif
