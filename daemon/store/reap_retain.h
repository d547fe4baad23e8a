/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * reap_retain.h - what of stored calls is due by STORE/retention (retention.h): asked for in STORE/erase, a run
 *
 *	reap_retain_begin	looks, and tells of each: purposes that are there, and due earlier than by their row, by a retention or unused
 *	(the caller makes them requests, durably)
 *	reap_retain_end		and what was looked at is not looked at again
 *
 * At most REAP_RETAIN_MAX a run; the next one goes on. The same one may come twice, by two lines. One thread, with reap.lock but in a dry run.
 */
#ifndef REAP_RETAIN_H
#define REAP_RETAIN_H

#include "store/reap_db.h"
#include "store/reap_internal.h"

#define REAP_RETAIN_MAX 100000 /* some 16 MB of requests; a shorter retention of a large store takes some runs */

typedef int (*reap_retain_found)(void *arg, const struct uid *uid, unsigned purpose, bool unused); /* not 0 stops */

struct reap_retained;
struct reap_used;
/*
 * used: which training was, until the end; NULL nobody knows, then nothing is unused. -ENOMEM; whatever else fails is told by reap_fault, and
 * looked at again by the next run.
 */
int reap_retain_begin(struct reap *r, const struct reap_used *used, reap_retain_found found, void *arg, struct reap_retained **ret);
/* durable: requests for all that was found are. NULL-tolerant. */
void reap_retain_end(struct reap_retained *x, bool durable);
struct retention;
struct retention_line;
/* A reaper went by a line that is not there any more, or is another now. t: not shrunk. */
bool reap_retain_lost(const struct root *r, const struct retention *t);

/* ---- training by its row's own use-by: what was looked at (reap_single.c), as many at most ---- */
struct reap_retain_use {
	uint64_t from_ns;  /* rows of sealed partitions up to here are over */
	uint64_t clock_ns; /* the machine's, before that; 0 nothing was looked at */
	uint64_t bytes;	   /* of `used`, and their CRC, as it was then */
	uint32_t crc;
};
void reap_retain_use_read(const struct root *r, struct reap_retain_use *ret);
void reap_retain_use_write(const struct root *r, const struct reap_retain_use *u); /* may fail: then it is looked at again */
uint64_t reap_retain_clock(void);
/* Not sealed, or perhaps not yet so at that time of the machine's clock. */
bool reap_retain_fresh(const struct root *r, const char *controller, uint32_t day, unsigned part, uint64_t clock_ns);

/* ---- for tests ---- */
extern uint64_t reap_retain_fresh_ns;
extern size_t reap_retain_max; /* REAP_RETAIN_MAX */
bool reap_retain_due(const struct retention_line *l, const struct reap_row *row, uint64_t start_ns, uint64_t due_ns);

#endif
