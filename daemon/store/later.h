/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * later.h - what became of stored calls later (catalog/CONTROLLER/later.db, FORMAT.md section 6)
 *
 * Rows of sealed partitions never change. What happens to one purpose of a
 * stored call after that is a line here, which wins over the row and over the
 * state of the bucket: the reaper and tools write it, all readers show it.
 *
 * Written by several processes at once, which wait for each other up to ten
 * seconds; the daemon only reads. No WAL: a reader of another user than the
 * writers makes no files. A later_put is durable when the transaction that it is
 * in is: alone at once, between later_begin and later_commit with the latter.
 *
 * Order for who destroys the key of one call: the line first (durable), then the
 * slot. So a slot of zeros always has its line; a line whose slot is still there
 * is a destruction that must be finished.
 *
 * Errors: 0 or -errno, `why` says which file. One thread for a handle.
 */
#ifndef LATER_H
#define LATER_H

#include <stdbool.h>
#include <stdint.h>

#include "store/store_internal.h"

#define LATER_REASON 64

struct later_line {
	struct uid uid;
	enum store_purpose purpose;
	uint32_t day; /* of the catalog that has the call's row; DAY_HOLD too */
	enum store_state state;	/* GRANTED: kept, whatever becomes of the day's bucket (a hold) */
	char reason[LATER_REASON];
	uint64_t at_ns;
};

struct later;

/* write: made when it is not there. Else -ENOENT there is none (nothing happened later), -EBADMSG damaged. */
int later_open(const struct root *r, const char *controller, bool write, struct later **ret, struct why *why);
/* It has no table: whoever made it died first, or it was cut. As if it was not there. */
bool later_empty(const struct later *l);
void later_close(struct later *l); /* what is not committed is rolled back; NULL-tolerant */
/* -EBUSY another process holds it for longer than is waited for. */
int later_begin(struct later *l, struct why *why);
int later_commit(struct later *l, struct why *why);
/* Replaces the line of the same call and purpose. */
int later_put(struct later *l, const struct later_line *line, struct why *why);
/* 1 there is a line, 0 none. l NULL: 0. */
int later_get(struct later *l, const struct uid *uid, enum store_purpose p, struct later_line *ret, struct why *why);
/* All lines (day 0), or those of a day, by uid. fn returns non-zero to stop; that is returned. */
int later_each(struct later *l, uint32_t day, int (*fn)(void *arg, const struct later_line *line), void *arg,
	       struct why *why);
/* Those of documentation that is kept, or is nothing that is known. */
int later_kept(struct later *l, int (*fn)(void *arg, const struct later_line *line), void *arg, struct why *why);
/* Lines of calls whose rows are gone with their day. */
int later_forget_day(struct later *l, uint32_t day, struct why *why);
/* The line of a call whose row left the hold area. */
int later_forget(struct later *l, const struct uid *uid, enum store_purpose p, struct why *why);
/* SQLite's own check, and that all lines parse. */
int later_check(struct later *l, struct why *why);

void later_path(const char *controller, char out[STORE_PATH_MAX]);

#endif
