/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sealing.h - partitions of the catalog that no more rows go to get their indexes
 *
 * A copy with indexes on both number hashes, SIP Call-ID, start and use-by is made beside the
 * partition (NAME.seal), and takes its place in one step, mode 0440: a reader has the old file or
 * the new one, a kill leaves the partition as it was, or sealed. A partition whose day was given up
 * meanwhile is not brought back. What fails (a full disk) is tried again a minute later, and by the
 * next writer.
 *
 * sealing_add is called by who writes the catalog. The work is done by a thread that runs 19 nicer
 * than others (sealing_start), or by the caller (sealing_run).
 */
#ifndef SEALING_H
#define SEALING_H

#include <stdint.h>

#include "store/store_internal.h"

struct sealing;

int sealing_new(const struct root *r, struct sealing **ret); /* -ENOMEM */
/* Ends the thread; the partition that it is at is given up half done. NULL-tolerant. */
void sealing_free(struct sealing *s);
int sealing_start(struct sealing *s); /* -EAGAIN: no thread */
/* From now on nothing is written to the partition. Out of memory it stays for the next writer. s NULL: nothing. */
void sealing_add(struct sealing *s, const char *controller, uint32_t day, unsigned part);
/* Waits for what is being sealed, and forgets the rest: somebody else wants to write to any of them. */
void sealing_clear(struct sealing *s);
/* Seals all that wait, here. Not with a thread. */
void sealing_run(struct sealing *s);

/* One partition. -ENOENT it is gone, -EBUSY somebody reads it the slow way, -ENOSPC, -EBADMSG, -ECANCELED (*stop). */
int seal_partition(const struct root *r, const char *controller, uint32_t day, unsigned part, const _Atomic int *stop,
		   struct why *why);
/*
 * A partition that is not there, sealed from the start: fill puts the rows into an empty database, and returns 0 or -errno.
 * -EEXIST the name is taken.
 */
struct sqlite3;
int seal_new(const struct root *r, const char *controller, uint32_t day, unsigned part, int (*fill)(void *arg, struct sqlite3 *sql),
	     void *arg, struct why *why);
/* Half-made copies of a writer that died are removed. */
void seal_clean(const struct root *r);

#endif
