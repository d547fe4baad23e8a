/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tcpr.h - SIP messages out of TCP segments (RFC 9293, RFC 3261 18.3)
 *
 * Each direction is followed by itself: a capture may hold only one. The first
 * copy of a byte counts. After a hole, in a stream whose start was not seen, and
 * after something that is not SIP, the next line that has the form of a start
 * line begins a message. Counts go to the caller's sigin_stats. One thread.
 */
#ifndef TCPR_H
#define TCPR_H

#include "sip/sigin.h"

struct tcpr;

struct tcpr_segment {
	struct sigin_from from;
	uint32_t seq;
	bool syn, fin, rst;
	const uint8_t *p;
	size_t n;
	size_t missing; /* bytes at the end that the capture cut off */
};

/* extra, sink and stats stay the caller's and must outlive the result. */
int tcpr_new(const struct sigin_limits *l, const struct sip_extra *extra,
	     const struct sigin_sink *sink, struct sigin_stats *stats, struct tcpr **ret);
void tcpr_free(struct tcpr *t);
void tcpr_segment(struct tcpr *t, const struct tcpr_segment *seg);
/* Gives up on holes and idle streams that are due; UINT64_MAX: on all. */
void tcpr_tick(struct tcpr *t, uint64_t now_ns);

#endif
