/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * callback.h - numbers that are to be rung back once without a recording (N-65, `on-opt-out callback-unrecorded`)
 *
 * Who opts out of being recorded is rung back; that call is not recorded, once. What is kept of a number is a keyed hash (of
 * controller and number, under the store's number.key) and when it stops to matter, in STORE/callback: so it
 * outlives restarts and names nobody. At most CALLBACKS_MAX entries; for one more, that of them which would end
 * soonest goes, which is counted.
 *
 * The file is a log (FORMAT.md section 12): an entry is durable when callbacks_add returns; it is written anew when more than half
 * of it is history. After callbacks_live who takes packets waits for no disk: what add and used write survives a kill -9, and is durable
 * with the next callbacks_sync, which writes anew, too. Its reader takes any bytes; what is torn or damaged ends
 * it. Errors are 0 or -errno; nothing here prints. One thread, and callbacks_sync's.
 */
#ifndef CALLBACK_H
#define CALLBACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CALLBACKS_MAX 65536
#define CALLBACK_RECORD 32 /* bytes */

struct callbacks;

/* dir: a store, whose lock the caller holds. why (size n): one line. */
int callbacks_open(const char *dir, struct callbacks **ret, char *why, size_t n);
void callbacks_close(struct callbacks *cb); /* NULL-tolerant */
/* The next call of this controller to this number before until_ns is not to be recorded. number "": nothing happens. */
int callbacks_add(struct callbacks *cb, const char *controller, const char *number, uint64_t until_ns);
bool callbacks_has(const struct callbacks *cb, const char *controller, const char *number, uint64_t now_ns);
/* That call was made: the entry is gone, also from the disk. -ENOENT. */
int callbacks_used(struct callbacks *cb, const char *controller, const char *number);

void callbacks_live(struct callbacks *cb);
/* Everything so far durable, or the next time. Another thread's, which may wait for a disk; one at a time. Nothing unless live. */
int callbacks_sync(struct callbacks *cb);

struct callbacks_figures {
	size_t entries;
	uint64_t added, used, pushed_out; /* pushed_out: there were too many */
	uint64_t damaged;		  /* bytes at the end of the file that were cut when it was opened */
};
void callbacks_figures(const struct callbacks *cb, struct callbacks_figures *ret);

/* The records of a file, for its fuzzer: how many of n bytes are sound. */
size_t callbacks_sound(const uint8_t key[32], const uint8_t *p, size_t n);

#endif
