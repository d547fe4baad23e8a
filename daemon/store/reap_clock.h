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
 * - A person who says what time to go by is believed, but not remembered, unless he confirms; a time ahead of the machine's
 *   never is. What was due stays due.
 * - Where the mark is missing or damaged, what the store did last takes its place (reap_floor): a clock that is ahead of that by more
 *   than the limit waits for a person, too. So the first run of a store believes the clock as far as the store's own past bears it out.
 *
 * Errors 0 or -errno. One process at a time.
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
	uint64_t machine_ns; /* told: what the machine's clock says; 0: not known */
	/* answered by reap_clock_read */
	uint64_t due_ns;
	uint64_t ahead_ns, behind_ns; /* of what is expected, when it matters; else 0 */
	bool held;		      /* due_ns is not what the clock says: it is too far ahead */
	bool lost;		      /* reap.clock is damaged */
	uint64_t floor_ns;	      /* it is, or is missing: what was compared instead */
	uint64_t mark_ns;	      /* what reap_clock_write will write; 0 nothing */
};

/* Fills in what is answered. */
int reap_clock_read(const struct root *r, struct reap_clock *c, struct why *why);
/*
 * 1: the latest run ended then by this machine's CLOCK_BOOTTIME, ns, 0 before it booted. 0: there never was one. What cannot be read says
 * nothing of the reaper: -errno, -EBADMSG damaged or of a time to come, -ENODATA of no known start of the machine. *ret_up_ns is set with 1
 * only. Any thread.
 */
int reap_clock_ran(const struct root *r, uint64_t *ret_up_ns);
/* After a run. Needs no space once the file is there. */
int reap_clock_write(const struct root *r, const struct reap_clock *c, struct why *why);

/*
 * A time that surely was reached: the latest of the store's making and of the days on which it was at work (heads of segments, days of the
 * evidence log where it may be read; reap_floor.c). Days behind a gap longer than the limit count when they went on for a
 * week: what a clock that jumped writes is no witness of that clock. Reads the head of each segment. 0: nothing says.
 */
uint64_t reap_floor(const struct root *r);

/* ---- for tests and fuzzing: the file ---- */

#define REAP_MARK_SIZE 256
struct reap_mark {
	uint64_t ns, up_ns; /* time, and how long the machine was up then */
	char boot[40];	    /* which start of it; "" unknown */
};
size_t reap_mark_format(const struct reap_mark *m, char raw[REAP_MARK_SIZE]);
/* Any bytes; accepts exactly what reap_mark_format writes. -EBADMSG. */
int reap_mark_parse(const char *p, size_t n, struct reap_mark *ret);

/* ---- for tests: the last of sorted days that is believed ---- */
int32_t reap_floor_day(const int32_t *day, size_t n);

#endif
