/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * chunk.h - a few seconds of one stream of one leg, before coding
 *
 * media/ fills it, store/ codes, encrypts and writes it, and the reader gives
 * it back exactly. One SSRC, one audio payload type (plus comfort noise, RFC
 * 3389, payload type 13 or as mapped), packets in order of arrival, each
 * sequence number once. Telephone-event packets never enter a chunk (R-05b).
 */
#ifndef CHUNK_H
#define CHUNK_H

#include <stdint.h>
#include <stddef.h>
#include <stdbool.h>

#define CHUNK_MAX_PACKETS 1024
#define CHUNK_MAX_BYTES	  (128u * 1024)
#define CHUNK_FMTP	  128

/* What a payload type means (SDP rtpmap and fmtp, or the static table of RFC 3551). */
struct media_format {
	char name[16];	      /* "PCMU", "PCMA", "G722", "GSM", "opus", "AMR-WB", ...; "" unknown */
	uint32_t clock;	      /* RTP clock rate, Hz; 0 unknown */
	uint8_t channels;     /* 1 unless SDP says otherwise */
	uint8_t pt;	      /* payload type on the wire */
	char fmtp[CHUNK_FMTP]; /* SDP fmtp parameters, cut to fit; "" none */
};

enum chunk_pkt_flags {
	CHUNK_P_MARKER = 1, /* RTP M bit */
	CHUNK_P_CN = 2,	    /* comfort noise, not of the audio format */
};

struct chunk_pkt {
	uint64_t arrival_ns;
	int64_t seq;   /* extended sequence number (RFC 3550 A.1); may be negative before the first */
	uint32_t ts;   /* RTP timestamp as received */
	uint32_t off;  /* payload in data[] */
	uint16_t len;  /* payload bytes, padding removed */
	uint8_t flags; /* enum chunk_pkt_flags */
	uint8_t pt;
};

struct chunk {
	uint32_t ssrc;
	uint32_t stream; /* number of the stream in its leg, from 0 in order of appearance */
	uint32_t npkt;
	uint32_t nbytes;
	struct chunk_pkt *pkt; /* CHUNK_MAX_PACKETS at most */
	uint8_t *data;	       /* CHUNK_MAX_BYTES at most */
	struct media_format format;
};

#endif
