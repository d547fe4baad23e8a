/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * record_hold.h - audio that waits in memory for a decision (guidance 6, HOLD)
 *
 * Chunks of one call, in the order they came, encrypted under a key that only locked memory has: with that
 * wiped, all of them are gone, wherever their pages went. Nothing of it is saved for the daemon after this one: what was
 * not decided does not outlive who held it. One thread a call.
 */
#ifndef RECORD_HOLD_H
#define RECORD_HOLD_H

#include <stddef.h>

#include "base/chunk.h"

struct chunker_memory;
struct hold; /* NULL: nothing is held */

/* Copies k. m: as of the call's chunkers, may be NULL. -ENOBUFS: no memory, for it or its key; the chunk is not held. */
int hold_add(struct hold **h, unsigned leg, const struct chunk *k, struct chunker_memory *m);
/* The decision fell: every chunk to write, oldest first, then as hold_wipe. The first error of write, -ENOMEM,
 * -EBADMSG it was changed, and the rest is not written. */
int hold_release(struct hold **h, int (*write)(void *arg, unsigned leg, const struct chunk *k), void *arg,
		 struct chunker_memory *m);
void hold_wipe(struct hold **h, struct chunker_memory *m);

#endif
