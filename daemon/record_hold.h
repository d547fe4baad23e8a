/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * record_hold.h - audio that waits in memory for a decision (guidance 6, HOLD)
 *
 * Chunks of one call, in the order they came. They lie in pages of their own,
 * locked (no swap) and left out of core dumps as far as the system allows; what
 * is released or wiped is overwritten before its pages go back. Nothing of it is
 * saved for the daemon after this one: what was not decided does not outlive who
 * held it. One thread.
 */
#ifndef RECORD_HOLD_H
#define RECORD_HOLD_H

#include <stddef.h>

#include "base/chunk.h"

struct chunker_memory;
struct hold; /* NULL: nothing is held */

/* Copies k. m: as of the call's chunkers, may be NULL. -ENOBUFS: no memory, the chunk is not held. */
int hold_add(struct hold **h, unsigned leg, const struct chunk *k, struct chunker_memory *m);
/* The decision fell: every chunk to write, oldest first, then as hold_wipe. The first error of write, and
 * the rest is not written. */
int hold_release(struct hold **h, int (*write)(void *arg, unsigned leg, const struct chunk *k), void *arg,
		 struct chunker_memory *m);
void hold_wipe(struct hold **h, struct chunker_memory *m);

#endif
