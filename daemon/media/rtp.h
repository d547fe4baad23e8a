/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rtp.h - RTP packets and the streams of a leg (RFC 3550)
 *
 * rtp_parse checks every length once. rtp_leg follows all streams (SSRCs) of
 * one leg: extended sequence numbers, duplicates (first copy wins, so the
 * copies of a SPAN port or a relay fall out), loss, reordering, jitter. It
 * keeps no payload. Belongs to the thread that owns the call.
 */
#ifndef RTP_H
#define RTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rtp_pkt {
	uint8_t pt;
	bool marker;
	uint16_t seq;
	uint32_t ts;
	uint32_t ssrc;
	const uint8_t *payload; /* into the caller's bytes, padding removed */
	size_t len;
};

/*
 * 0; -EBADMSG: not RTP version 2, lengths that do not fit (CSRCs, extension,
 * padding), or RTCP on the RTP port: the second octet 192-223, which is what RFC
 * 5761 4 takes from RTP (payload types 64-95 with the marker bit).
 */
int rtp_parse(const uint8_t *p, size_t n, struct rtp_pkt *ret);

#define RTP_STREAMS_MAX 8    /* per leg; more replace the one silent for longest */
#define RTP_WINDOW	2048 /* sequence numbers looked back for duplicates */
#define RTP_DROPOUT	3000 /* RFC 3550 A.1 MAX_DROPOUT */
#define RTP_MISORDER	1000 /* larger than RFC 3550's 100: a SPAN may be late */

enum rtp_new { RTP_NEW, RTP_DUPLICATE };

/* Sequence numbers without a restart between them. Private to rtp.c. */
struct rtp_run {
	int64_t first, max; /* extended sequence numbers */
	uint64_t received;  /* distinct */
	uint32_t max_ts;    /* RTP timestamp of max */
	uint64_t seen[RTP_WINDOW / 64]; /* bit (seq % RTP_WINDOW), for (max - RTP_WINDOW, max] */
};

struct rtp_stream {
	uint32_t ssrc;
	uint32_t number;   /* in its leg, from 0 */
	uint64_t received; /* distinct */
	uint64_t duplicates, reordered;
	uint64_t last_ns;
	double jitter; /* in timestamp units (RFC 3550 A.8) */
	/* the rest is private to rtp.c */
	uint64_t lost_before; /* in runs that are closed */
	uint32_t transit, transit_clock; /* clock 0: none yet */
	struct rtp_run *prev; /* before the last restart, while packets of it may still come; or NULL */
	bool resumed;	      /* no packet since rtp_leg_load */
	struct rtp_run run;
};

struct rtp_leg {
	unsigned n;
	uint32_t next_number;
	struct rtp_stream *stream[RTP_STREAMS_MAX];
	uint64_t gone_received, gone_lost, gone_duplicates, gone_reordered; /* of replaced streams */
};

/*
 * Notes one packet. clock: of its payload type, 0 skips jitter (unknown, or
 * telephone-event, whose timestamp stands still). *ret_stream lives until the
 * next packet. *ret_seq: extended sequence number, comparable within the stream,
 * low 16 bits as on the wire. Returns RTP_NEW, RTP_DUPLICATE or -ENOMEM.
 *
 * Unlike RFC 3550 A.1 no packet is put on probation: who records may not throw
 * the first packet of a stream or of a restart away. A jump beyond RTP_DROPOUT or
 * RTP_MISORDER therefore starts a new run at once, numbered after the old one,
 * and the old one is kept to fall back to: a lone stray costs nothing.
 */
int rtp_leg_packet(struct rtp_leg *l, const struct rtp_pkt *p, uint64_t arrival_ns, uint32_t clock,
		   const struct rtp_stream **ret_stream, int64_t *ret_seq);
/* Prefetching, before rtp_leg_packet; the second step looks at what the first one fetched. */
void rtp_stream_soon(const struct rtp_stream *s);
void rtp_stream_sooner(const struct rtp_stream *s);
uint64_t rtp_stream_lost(const struct rtp_stream *s);
void rtp_leg_totals(const struct rtp_leg *l, uint64_t *ret_received, uint64_t *ret_lost,
		    uint64_t *ret_duplicates, uint64_t *ret_reordered);
void rtp_leg_free(struct rtp_leg *l);

/*
 * As bytes, for the process that goes on with the call (about 130 a stream). The first packet of a
 * stream after rtp_leg_load is never taken for a restart: however far it is ahead, what lies
 * between counts as lost (somebody else may have received it). Of duplicates the last RTP_SAVED
 * numbers are told apart; what is older counts as seen. rtp_leg_load takes any bytes: -EBADMSG, -ENOMEM;
 * the leg is empty then.
 */
#define RTP_SAVED 512
struct buf;
struct rd;
void rtp_leg_save(const struct rtp_leg *l, struct buf *out);
int rtp_leg_load(struct rd *r, struct rtp_leg *l);

#endif
