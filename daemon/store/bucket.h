/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bucket.h - the key of a controller, purpose and day, whose end is the end of all its wraps (FORMAT.md section 3)
 *
 * The file is the only copy: nobody keeps its key. Who wraps under it reads it with a shared lock (flock) held from
 * the reading until the slot is written; who destroys it takes it alone. So when bucket_destroy returns no wrap is
 * made under it any more, by whatever process and however long that had the file open; but by one that kept it locked for longer
 * than who destroys waits, and that wrap opens for nobody. Nothing here opens a wrap.
 * Any thread.
 */
#ifndef BUCKET_H
#define BUCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/store_internal.h"

#define BUCKET_SIZE 128

enum { BUCKET_LIVE = 1, BUCKET_DESTROYED = 2 };

struct bucket {
	uint8_t purpose, state;
	uint32_t day;
	uint8_t store_id[16];
	uint64_t destroy_ns;
	uint64_t destroyed_ns; /* when it was; 0 while it lives, and by programs of before format 3 */
	uint8_t key[32];
};

/* NULL, or what is wrong. Takes any bytes. */
const char *bucket_parse(const uint8_t *p, size_t n, struct bucket *ret);
void bucket_format(const struct bucket *b, uint8_t out[BUCKET_SIZE]);

/* For readers. -ENOENT, -EBADMSG (why names file, offset and rule). The caller wipes *ret. */
int bucket_read(const struct root *r, const char *controller, unsigned purpose, uint32_t day,
		struct bucket *ret, struct why *why);

int bucket_open(const struct root *r, const char *controller, unsigned purpose, uint32_t day, bool writing, int *ret_fd,
		struct why *why); /* -ENOENT; the caller closes it */
/*
 * The same from a file at hand, which nobody destroys until bucket_unlock: for who uses the key, or copies what follows
 * from it. Does not wait: -EAGAIN somebody destroys it just now.
 */
int bucket_lock(int fd, const struct root *r, const char *controller, unsigned purpose, uint32_t day, struct bucket *ret,
		struct why *why);
void bucket_unlock(int fd);

/*
 * Destroys the key: one write in place (state, time, zeros for the key) and fdatasync. 0 now, 1 it was destroyed
 * before (and is durably), -ENOENT there is no such bucket, else -errno: then it may live, call again. Waits for who
 * wraps under it just now (below a millisecond), but no longer than BUCKET_WAIT_MS: a key is not kept alive by a lock. Such a file,
 * and one that is damaged, is overwritten all the same, and why->text says so with 0; else why is written on failure only. now: for the
 * record, ns.
 */
#define BUCKET_WAIT_MS 10000
int bucket_destroy(const struct root *r, const char *controller, unsigned purpose, uint32_t day, uint64_t now,
		   struct why *why);
/* The same with another wait; force false: -EWOULDBLOCK after it, and nothing is changed. */
int bucket_destroy_within(const struct root *r, const char *controller, unsigned purpose, uint32_t day, uint64_t now, unsigned wait_ms,
			  bool force, struct why *why);

#endif
