/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * told.h - what a SIP message says happens once
 *
 * A request or answer is seen again: retransmitted over UDP for half a minute (RFC 3261 17.1.2.2, 13.3.1.4), at the next proxy,
 * at a second mirror port. A key or an event header that such a copy carries is no other press: taken again, an early press
 * would be a consent once the window is open, and one before a withdrawal would undo it (guidance 7, X-1 and X-3; INV-2).
 *
 * A transaction's message is known by tags, CSeq, method and status, which no copy changes and no other message of the call has
 * (RFC 3261 8.1.1.5, 12.2.1.1). A call knows the last CALL_TOLD, by a keyed hash without the key that was pressed. A telephone
 * that is asked for credentials sends its request again under the next number (22.2): call_told_asks_again.
 *
 * One thread's, with the call. Part of what a daemon leaves to its successor (call_save).
 */
#ifndef TOLD_H
#define TOLD_H

#include <stdbool.h>
#include <stdint.h>

#include "sip/sip.h"

#define CALL_TOLD 32

struct call_told {
	uint64_t hash[CALL_TOLD]; /* from the first on; 0 none */
	uint8_t at;		  /* the next one's place */
};

/* What of a message: one may carry several. Of a header, this and the purpose or the place among those of its kind. */
enum call_tells { CALL_TELLS_KEY, CALL_TELLS_PAUSE, CALL_TELLS_NOTICE, CALL_TELLS_OPT_OUT, CALL_TELLS_CONSENT };

/* Has the message, or another copy of it, told this before? False: it has now. */
bool call_told(struct call_told *t, const struct sip_msg *m, enum call_tells what, unsigned which);
/* An answer 401 or 407: what the request told, the next one of that sender repeats. */
void call_told_asks_again(struct call_told *t, const struct sip_msg *m);
/* How many it knows: those at the beginning of hash. */
unsigned call_told_count(const struct call_told *t);
/* The dialog that a message belongs to, as its tags are written; direction counts. Never 0. */
uint32_t call_told_by(const struct sip_msg *m);

#endif
