/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * reap_used.h - training that was used: STORE/used (FORMAT.md section 9), as who erases what was not used reads it
 *
 *	reap_used_read	all of it; no file is nothing used
 *	reap_used_is	whether the call is in it
 *
 * A damaged line keeps the calls whose UID is whole somewhere in it, and no other. Errors 0 or -errno. Any thread.
 */
#ifndef REAP_USED_H
#define REAP_USED_H

#include "base/uid.h"
#include "store/store_internal.h"

struct reap_used {
	struct uid *v; /* sorted */
	size_t n;
	uint64_t bytes; /* of the file, to its last whole line; their CRC */
	uint32_t crc;
};

/*
 * *ret_bad grows by the lines that are none. An error: nobody knows what was used, and nothing is to be erased as unused; *ret has
 * nothing then.
 */
int reap_used_read(const struct root *r, struct reap_used *ret, size_t *ret_bad, struct why *why);
/* It begins with what it was, or is that: it only grew since. */
bool reap_used_has(const struct root *r, uint64_t bytes, uint32_t crc);
bool reap_used_is(const struct reap_used *u, const struct uid *uid);
void reap_used_free(struct reap_used *u);

#endif
