/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * reap_ask.h - the journal of erasures that were asked for (STORE/erase)
 *
 * Lines are appended under a lock (flock) and marked as done by one byte in place, so acting upon them takes no space. When all
 * are done and there are many the file is emptied in place, when most are it is made anew with the others (who has waited for its lock looks
 * whether it is still that file), but for its head, which says how long it is: so lines that were cut off are
 * missed. One thread.
 */
#ifndef REAP_ASK_H
#define REAP_ASK_H

#include <stddef.h>

#include "store/reap.h"
#include "store/store_internal.h"

struct reap_asked {
	struct reap_ask ask;
	uint64_t off; /* of its line */
};

struct reap_asks {
	struct reap_asked *v; /* those that are not done */
	size_t n;
	unsigned bad; /* lines that are none, or missing: left alone, each time told */
	bool cut;     /* lines are missing, or the head is damaged */
	bool stuck;   /* longer than it may be, and it could not be made anew */
	uint64_t bytes, done_bytes; /* of all; of lines that are done */
};

/*
 * For the reaper, who has reap.lock: there is a file, with a head when it was empty, and reap.lock says so: from then on it is
 * missed. -EBADMSG it was gone, and is made all the same.
 */
int reap_asks_make(const struct root *r, struct why *why);
bool reap_asks_due(const struct root *r); /* there must be a file */
/* For fsck: what is wrong with the file, by offset. Never writes, takes no lock. -ENOENT */
int reap_asks_check(const struct root *r, void (*bad)(void *arg, uint64_t off, const char *text), void *arg);
/* No file: none. All of these: -EWOULDBLOCK somebody keeps it locked. */
int reap_asks_read(const struct root *r, struct reap_asks *ret, struct why *why);
/* For the reaper, with reap.lock: the same, and before that the file is made anew when most of it is done, or it is too long to be read. */
int reap_asks_load(const struct root *r, struct reap_asks *ret, struct why *why);
/* Made anew (erase.tmp, rename), without lines that are done: offsets are others then. Refused where lines are missing. -EPERM: it is
 * another user's, in a directory with the sticky bit; known before anything is written. */
int reap_asks_tidy(const struct root *r, struct why *why);
void reap_asks_free(struct reap_asks *a);
/* All n lines are durable, or none. -ENOSPC: there is no room in the disk, or the file would be longer than anybody reads (1 GiB). */
int reap_asks_add(const struct root *r, const struct reap_ask *v, size_t n, struct why *why);
/* The lines at these offsets are done; not durable: who loses that does it once more, to no effect. */
int reap_asks_done(const struct root *r, const uint64_t *off, size_t n, struct why *why);

#endif
