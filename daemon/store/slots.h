/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * slots.h - putting wraps into slots: the recorder's side of FORMAT.md section 3
 *
 * Keeps the files of the purposes and days in use open, makes buckets, appends
 * wraps and erases them in place. A bucket's key is read for each wrap and wiped
 * after it: one that another process destroyed is not used again (bucket.h). What
 * wraps are made with (wrapper, keys.h) is wiped a second after it was made, by the
 * slots_put or slots_expire that comes then. Any thread; slots_sync lets others in
 * while it waits. slots_put waits for a disk where it makes the day's two files, which nobody wanted ahead (slots_want), or the bucket's
 * deadline earlier; else put and erase write to the page cache alone.
 */
#ifndef SLOTS_H
#define SLOTS_H

#include <stdbool.h>
#include <stdint.h>

#include "store/bucket.h"
#include "store/slot.h"

struct slots;

int slots_new(const struct root *r, struct slots **ret);
void slots_free(struct slots *s); /* NULL-tolerant; what was erased is synced */
/*
 * Wraps a data key for a purpose. The bucket's day is that of until_ns in zone.
 * -ESHUTDOWN: that day's bucket is destroyed already, or just now.
 */
int slots_put(struct slots *s, const char *controller, enum store_purpose p, const char *zone,
	      const struct uid *uid, uint64_t until_ns, const uint8_t data[32], uint32_t *ret_day,
	      uint32_t *ret_index, struct why *why);
/* A slots_put of such a deadline will come: its day's files are to be made ahead. Waits for nobody. */
void slots_want(struct slots *s, const char *controller, enum store_purpose p, const char *zone, uint64_t until_ns);
/* Makes them; for who may wait for the disk. How many. What cannot be made now is made by slots_put, or when it is wanted again. */
unsigned slots_make_wanted(struct slots *s);
/* Overwrites a slot with zeros. durable: fdatasync before returning. */
int slots_erase(struct slots *s, const char *controller, enum store_purpose p, uint32_t day,
		uint32_t index, bool durable, struct why *why);
/* All that was put and erased before is durable. What failed is not tried again by the next: see slots_failed. */
int slots_sync(struct slots *s, struct why *why);
/*
 * How many syncs failed so far, whoever asked for them: what was written before such a one and not seen durable may be on no disk,
 * though slots_sync returns 0 now, and must be written again.
 */
uint64_t slots_failed(struct slots *s);
/* For who does not know when the next slots_put comes: now and then. */
void slots_expire(struct slots *s);
/* The first slot that was put here since slots_new, UINT32_MAX none: what is before is somebody else's. */
uint32_t slots_first(struct slots *s, const char *controller, unsigned purpose, uint32_t day);

#endif
