/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * opens.h - open.db: calls that have begun and not ended (FORMAT.md section 8)
 *
 * What a writer that dies leaves for the next one: a record of each call, and
 * how many slots of each slots file were accounted for by a row or a record. And
 * which partitions of the catalog there are, so that a lost one is missed.
 * Changes become durable with opens_sync. One thread.
 */
#ifndef OPENS_H
#define OPENS_H

#include <stddef.h>
#include <stdint.h>

#include "store/store_internal.h"

struct opens;

/*
 * Makes the file when there is none. Then, in a store that has slots already, it was lost (or the store is of before there
 * was one): nothing says any more which slots a writer that died left to nobody, so all are marked as accounted for, and
 * no settling overwrites one. Those that no row names are fsck's to tell, and end with their bucket.
 */
int opens_new(const struct root *r, struct opens **ret, struct why *why);
void opens_free(struct opens *o); /* NULL-tolerant; what was not synced is rolled back */
int opens_put(struct opens *o, const struct uid *uid, const void *record, size_t n, struct why *why);
int opens_delete(struct opens *o, const struct uid *uid, struct why *why); /* 0 also when there is none */
/* Every record. fn returns 0 to go on. uid NULL: the row's name is none (damaged). */
int opens_each(struct opens *o, int (*fn)(void *arg, const struct uid *uid, const uint8_t *p, size_t n),
	       void *arg, struct why *why);
/* Slots below `next` of this file have a row, a record, or are empty. */
int opens_mark(struct opens *o, const char *controller, unsigned purpose, uint32_t day, uint32_t next,
	       struct why *why);
int opens_marked(struct opens *o, const char *controller, unsigned purpose, uint32_t day,
		 uint32_t *ret_next, struct why *why); /* 1 when there is none */
/* A partition of the catalog that has durable rows: so it must be there until its day has begun. */
int opens_list(struct opens *o, const char *controller, uint32_t day, unsigned part, struct why *why);
int opens_unlist(struct opens *o, const char *controller, uint32_t day, unsigned part, struct why *why);
int opens_unlist_before(struct opens *o, uint32_t day, struct why *why); /* of all controllers */
int opens_sync(struct opens *o, struct why *why);
/* For fsck: NULL, or what is wrong with the file. Never writes. */
const char *opens_check(const struct root *r,
			void (*fn)(void *arg, const struct uid *uid, const uint8_t *p, size_t n), void *arg);

/* The marks, in the same way. */
const char *opens_marks(const struct root *r,
			void (*fn)(void *arg, const char *controller, unsigned purpose, uint32_t day, uint32_t next), void *arg);
/* Partitions that are listed, in the same way. */
const char *opens_listed(const struct root *r, void (*fn)(void *arg, const char *controller, uint32_t day, unsigned part), void *arg);

#endif
