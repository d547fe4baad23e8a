/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * reap_clock.h - until when things are due: a clock that is wrong neither keeps nor destroys
 *
 * STORE/reap.clock holds the latest time that a run went by, and the machine's uptime then (FORMAT.md section 14). The next
 * run expects that time and what the machine has been up since; it can have been off for longer, not shorter.
 *
 * - A clock that is behind what is expected was set back: what is due goes by the expected time, so no deadline gets longer.
 * - A clock that is ahead of it by more than a limit may have been set wrong, and what it destroys does not come back: what is
 *   due goes by the expected time until a person confirms the clock. A machine that was off for longer needs that, too.
 * - A person who confirms makes the clock the mark, also where it is behind.
 * - A person who says what time to go by is believed, but not remembered, unless he confirms. What was due stays due.
 *
 * The first run of a store has nothing to go by and believes the clock. Errors 0 or -errno. One process at a time.
 */
#ifndef REAP_CLOCK_H
#define REAP_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "store/store_internal.h"

#define REAP_JUMP (2 * 86400 * NS_PER_S) /* a weekend's power cut asks nobody; a wrong month does not destroy one */

struct reap_clock {
	/* asked */
	uint64_t now_ns;
	bool told, confirm; /* now_ns is a person's; the clock is right */
	uint64_t jump_ns;   /* the limit */
	/* answered by reap_clock_read */
	uint64_t due_ns;
	uint64_t ahead_ns, behind_ns; /* of what is expected, when it matters; else 0 */
	bool held;		      /* due_ns is not what the clock says: it is too far ahead */
	bool lost;		      /* reap.clock was damaged: as on the first run */
	uint64_t mark_ns;	      /* what reap_clock_write will write */
};

/* Fills in what is answered. */
int reap_clock_read(const struct root *r, struct reap_clock *c, struct why *why);
/* After a run. Needs no space once the file is there. */
int reap_clock_write(const struct root *r, const struct reap_clock *c, struct why *why);

#endif
