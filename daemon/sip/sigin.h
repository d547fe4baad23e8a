/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sigin.h - from signalling packets to SIP messages
 *
 * Takes the records of the signalling ring (bpf/optag.h), puts IP fragments
 * (RFC 791, RFC 8200 4.5; overlaps are refused, RFC 5722) and TCP segments
 * (RFC 9293) together, and hands whole SIP messages to its user. All state is
 * bounded: numbers below; what does not fit is dropped and counted. Time is the
 * packets' own. One thread.
 */
#ifndef SIGIN_H
#define SIGIN_H

#include <linux/types.h>
#include "base/ipaddr.h"
#include "sip/sip.h"

struct optag_sig;
struct sigin;

struct sigin_limits {
	size_t frag_packets; /* datagrams being put together at once (1024) */
	size_t frag_bytes;   /* of one datagram (65535) */
	uint64_t frag_timeout_ns; /* 30 s (RFC 8200: 60 s at most) */
	size_t tcp_streams;  /* directions followed at once (65536) */
	size_t tcp_bytes;    /* held per direction for a message or out of order (65536) */
	size_t tcp_total_bytes; /* held for all directions together (64 MiB) */
	uint64_t tcp_timeout_ns; /* idle: 1 h */
	uint64_t tcp_hole_ns; /* how long a missing segment is waited for (1 s) */
};

struct sigin_stats {
	uint64_t packets, messages;
	uint64_t bad_packets; /* lengths that lie, truncated (of those, what is there is still read) */
	uint64_t bad_messages; /* SIP refused by sip_parse */
	uint64_t not_sip;
	uint64_t frags, frag_done, frag_timeout, frag_overlap, frag_full;
	uint64_t tcp_segments, tcp_retrans, tcp_gap, tcp_full;
};

struct sigin_from {
	struct endpoint src, dst;
	bool tcp;
	uint16_t vlan;
	uint32_t ifindex;
	uint64_t ts_ns;
};

struct sigin_sink {
	void *arg;
	/*
	 * One SIP message; bytes live during the call only. Cut short (body_cut) when the capture
	 * was. What came after a lost segment is handed over late: its ts_ns may be older than
	 * that of messages before it.
	 */
	void (*message)(void *arg, const struct sigin_from *from, const struct sip_msg *m);
	/* A TCP connection speaks SIP; once for each, before its first message is whole, so that its
	 * next segment is already looked for. The receiver knows which ports are configured anyway.
	 * a: the sender of what was seen. May be NULL. */
	void (*learned)(void *arg, const struct endpoint *a, const struct endpoint *b);
};

void sigin_default_limits(struct sigin_limits *ret);
int sigin_new(const struct sigin_limits *l, const struct sip_extra *extra,
	      const struct sigin_sink *sink, struct sigin **ret);
void sigin_free(struct sigin *s);
/* p: sig->len bytes from the innermost IP header on. Never fails: what is wrong is counted. */
void sigin_packet(struct sigin *s, const struct optag_sig *sig, const uint8_t *p);
/* Time passes without packets: gives up on fragments and lost segments that are due at now_ns and
 * hands over what came after them. UINT64_MAX: all of them (the capture ends). sigin_packet does
 * the same for its own time stamp. */
void sigin_tick(struct sigin *s, uint64_t now_ns);
void sigin_get_stats(const struct sigin *s, struct sigin_stats *ret);

#endif
