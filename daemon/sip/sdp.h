/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sdp.h - session descriptions (RFC 4566 / 8866), zero copy
 *
 * Offer/answer facts of RFC 3264 that a recorder needs: where each audio m-line
 * receives, what its payload types mean, direction, ICE candidates (RFC 8839),
 * key material present (RFC 4568, DTLS), a=recordpref (RFC 7866).
 */
#ifndef SDP_H
#define SDP_H

#include "base/chunk.h"
#include "base/ipaddr.h"
#include "sip/sip.h"

#define SDP_MEDIA_MAX	   8
#define SDP_FORMATS_MAX	   24
#define SDP_CANDIDATES_MAX 24

#define SDP_STATIC_END 35 /* payload types below are codecs', RFC 3551 6 */

enum sdp_direction { SDP_SENDRECV, SDP_SENDONLY, SDP_RECVONLY, SDP_INACTIVE };
enum sdp_recordpref { SDP_PREF_NONE, SDP_PREF_ON, SDP_PREF_OFF, SDP_PREF_PAUSE, SDP_PREF_NOPREFERENCE };

struct sdp_media {
	bool audio; /* m=audio with an RTP profile; other m-lines are kept for counting only */
	struct sip_str type, proto;
	struct endpoint at;  /* c= and port: where it receives RTP; port 0: refused. Address :: and
			      * not held: c= is missing or a name, only candidates help */
	bool held;	     /* c=0.0.0.0 or :: (RFC 2543 hold) */
	bool srtp, dtls;     /* profile SAVP(F); a=fingerprint */
	struct sip_str crypto; /* first a=crypto value, p NULL none */
	bool rtcp_mux;
	enum sdp_direction direction;
	uint16_t ptime; /* ms, 0 not said */
	struct media_format format[SDP_FORMATS_MAX]; /* of each pt on the m-line, rtpmap or RFC 3551 static */
	unsigned nformat;
	uint8_t te[2]; /* telephone-event payload types (RFC 4733), SDP_STATIC_END at least; 0xff none */
	struct endpoint candidate[SDP_CANDIDATES_MAX]; /* a=candidate, component 1, UDP, literal addresses */
	unsigned ncandidate;
};

struct sdp {
	struct sip_str origin; /* value of o= */
	/* Strictest of session and media: off, pause, nopreference, on */
	enum sdp_recordpref recordpref;
	struct sdp_media media[SDP_MEDIA_MAX];
	unsigned nmedia;
	unsigned unread;  /* audio lines, not refused, past SDP_MEDIA_MAX */
	unsigned dropped; /* these, and of audio lines formats (or what is no number) and candidates past the limits */
};

/*
 * 0, or -EBADMSG with *ret_why (static text): no v=0 at the start, nothing else. Unknown and
 * malformed lines are skipped, but every m= line keeps its place, since offer and answer match
 * by number; one that cannot be read is not audio. *ret is large (about 40 KB): not on small stacks.
 */
int sdp_parse(const char *buf, size_t len, struct sdp *ret, const char **ret_why);

/* RFC 3551 static payload types; false when pt is not assigned. */
bool sdp_static_format(uint8_t pt, struct media_format *ret);

#endif
