/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tcpframe.h - where SIP messages begin and end in a byte stream
 *
 * Fed in order by tcpr.c. Keeps only what is not yet a whole message, at most
 * `max` bytes. One thread.
 */
#ifndef TCPFRAME_H
#define TCPFRAME_H

#include "base/buf.h"
#include "sip/sip.h"

struct tcpframe {
	struct buf buf;	   /* begins at a message, unless seeking */
	size_t need;	   /* size of that message, 0: headers not whole yet */
	size_t scanned;	   /* no end of headers before this */
	uint64_t skip;	   /* bytes of a message to leave out */
	bool seeking;	   /* for a start line */
	bool mid_line;	   /* the next byte does not begin a line */
};

enum tcpframe_event {
	TCPFRAME_LIKE_SIP, /* something that begins like SIP; often before each message */
	TCPFRAME_MESSAGE,
	TCPFRAME_BAD,	  /* sip_parse refused it */
	TCPFRAME_NOT_SIP, /* bytes where a message should begin */
	TCPFRAME_FULL,	  /* headers longer than max, or no memory */
};

struct tcpframe_user {
	void *arg;
	void (*event)(void *arg, enum tcpframe_event e, const struct sip_msg *m);
	const struct sip_extra *extra;
	size_t max;
};

/* Empties it. at_start: the next byte begins a message (behind a SYN), else seek one. */
void tcpframe_reset(struct tcpframe *f, bool at_start);
void tcpframe_input(struct tcpframe *f, const struct tcpframe_user *u, const char *p, size_t n);
/*
 * n bytes are lost here (0: the stream ends). A message whose headers are whole is
 * handed over with body_cut; with partial_head also one whose headers are not, since
 * then the rest was never captured (a snap length) and waiting for it is in vain.
 */
void tcpframe_gap(struct tcpframe *f, const struct tcpframe_user *u, size_t n, bool partial_head);

#endif
