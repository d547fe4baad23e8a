/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * areas.h - memory in areas of 2 MiB, for base/slab: aligned to their size, locked where that is allowed, in no core dump
 *
 * The first touch of an area costs its page, cleared: 0.25 ms, and 3.4 ms in a virtual machine that has to be given the memory
 * itself. Whoever may not wait for that has a thread make areas ahead of the need (areas_ahead): `kept` in all, from the start and for
 * ever, and, with `grow`, more of them as more are in use. When none is ready whoever takes one makes it himself.
 *
 * One thread takes and gives at a time. The other one is an ordinary one whatever the first is (SCHED_RESET_ON_FORK).
 */
#ifndef AREAS_H
#define AREAS_H

#include <stdbool.h>
#include <stdint.h>

#define AREA_BYTES (2u << 20)

struct areas;

struct area_mem {
	uint8_t *p;
	bool huge; /* of the pages that the machine has reserved */
};

/* Whether this process may lock as much memory as it likes: areas are locked then, or there are none. Any thread. */
bool areas_may_lock(void);
int areas_new(struct areas **ret); /* -ENOMEM */
/* All areas must have been given back. NULL-tolerant; ends the thread. */
void areas_free(struct areas *a);
/* Once. -errno: no thread; all works as without. */
int areas_ahead(struct areas *a, unsigned kept, bool grow);
bool areas_take(struct areas *a, struct area_mem *ret); /* false: out of memory */
/* Nothing of what was in it may be left. */
void areas_give(struct areas *a, struct area_mem m);
/* For tests: waits until the thread has nothing to do. Areas that are ready. */
unsigned areas_settle(struct areas *a);

#endif
