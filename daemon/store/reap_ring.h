/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * reap_ring.h - many unlinks and holes at once, and no more than are wanted
 *
 * A directory's entries are removed by io_uring, so that the waits for the file system's journal run side by side
 * (3 to 8 times as fast as one after another on a busy disk); at most `depth` are on their way, by two kernel workers, and at
 * most `rate` begin in a second. Without io_uring the same is done one by one. One thread.
 */
#ifndef REAP_RING_H
#define REAP_RING_H

#include <stdint.h>
#include <sys/types.h>

#define REAP_DEPTH 16
#define REAP_NAME  64 /* bytes of a name, with its zero */

struct reap_ring;

/* rate: operations a second, 0 as fast as it goes. -ENOMEM. */
int reap_ring_new(unsigned depth, unsigned rate, struct reap_ring **ret);
void reap_ring_free(struct reap_ring *q); /* waits; NULL-tolerant */
/* The name is copied; dirfd stays open until reap_ring_wait. A name that is not there is none that failed. */
void reap_ring_unlink(struct reap_ring *q, int dirfd, const char *name);
/* A hole in fd, which stays open until reap_ring_wait. */
void reap_ring_punch(struct reap_ring *q, int fd, uint64_t off, uint64_t len);
/* Everything so far is done. 0, or -errno of the first one that failed since the last wait. */
int reap_ring_wait(struct reap_ring *q);
uint64_t reap_ring_done(const struct reap_ring *q); /* that succeeded, in all */

/* This thread's reads and writes come after everybody else's (and those of a ring made afterwards). */
void reap_ring_idle(void);
/* And not for a while: keys. Its CPU time still does. */
void reap_ring_hurry(bool hurry);

#endif
