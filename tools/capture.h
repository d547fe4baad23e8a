/* SPDX-License-Identifier: BSD-2-Clause */
/* capture.h - what the files of `optag capture` share: calls that are made up, and written as a capture. One thread. */
#ifndef CAPTURE_H
#define CAPTURE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* What happens in a call. Times in ms from the INVITE; it is answered at 1000, its notice is told at 1500. */
struct capture_reaction {
	const char *name; /* as in the truth table */
	struct {
		unsigned ms;
		bool agent; /* who presses; else the data subject */
		const char *keys;
	} press[3];
	unsigned lose_from_ms, lose_to_ms; /* packets of the data subject's voice that the mirror port lost */
	unsigned bye_ms;		   /* 0: CAPTURE_BYE_MS */
	bool off, unannounced;		   /* a=recordpref:off; no notice is told */
};
#define CAPTURE_BYE_MS 85000 /* longer than notice-timeout and the window behind it */

struct capture_call {
	const char *id;	      /* Call-ID */
	const char *calling, *called; /* +E.164 */
	bool outbound;	      /* the data subject is called */
	const struct capture_reaction *what;
	unsigned n;	      /* its ports */
};

/*
 * Writes calls, each beginning 100 ms after the one before from start_ns on, as one capture in the order of time: SIP by UDP, A-law in
 * packets of 20 ms, key presses as RFC 4733 has them. 0 or -errno.
 */
int capture_write(FILE *f, const struct capture_call *calls, unsigned n, uint64_t start_ns);

#endif
