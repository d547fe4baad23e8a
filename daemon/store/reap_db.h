/* SPDX-License-Identifier: BSD-2-Clause */
/* reap_db.h - the reaper's way into catalogs: rows are read by the few columns that it needs */
#ifndef REAP_DB_H
#define REAP_DB_H

#include "base/buf.h"
#include "base/uid.h"
#include "store/store_internal.h"

struct sqlite3;
struct sqlite3_stmt;

/* What must be known of a call to erase it or to keep it. */
struct reap_row {
	struct uid uid;
	char controller[STORE_NAME_MAX];
	uint32_t day; /* of the catalog that lists it; DAY_HOLD too */
	unsigned part;
	enum store_state state[STORE_PURPOSES]; /* as it ended */
	uint32_t purpose_day[STORE_PURPOSES], slot[STORE_PURPOSES];
	uint64_t until_ns[STORE_PURPOSES];
	uint64_t use_by_ns; /* training that nobody used by then; 0 none. Who selects it sets it */
};

/* A partition for reading, beside a writer or not. -ENOENT, -EBADMSG, -EBUSY ... */
int reap_db_open(const struct root *r, const char *controller, uint32_t day, unsigned part, struct sqlite3 **ret, struct why *why);
/* For the result of SQLite. */
int reap_db_fail(struct sqlite3 *sql, int rc, const char *what, struct why *why);
/* As part of a URI for ATTACH and sqlite3_open_v2: with or without locks, as it must be. */
void reap_db_uri(const struct root *r, const char *rel, struct buf *out);

/* In one partition; 1 found, 0 not. ret->controller, day and part are the caller's. */
int reap_row_in(struct sqlite3 *sql, const struct uid *uid, struct reap_row *ret, struct why *why);
/*
 * Rows of many calls, in any partition of any controller; v is sorted by uid. Each partition is opened once, and asked only for those that
 * may lie between its first and its last one. -EBADMSG and so on: something could not be read (why: the last one), and who is not
 * found may be there; those that are found are right all the same.
 */
struct reap_want {
	struct uid uid;
	size_t of; /* the caller's */
	bool found;
	struct reap_row row;
};
int reap_rows_find(const struct root *r, struct reap_want *v, size_t n, struct why *why);
/* Where the chunks are; the caller frees. */
int reap_row_extents(struct sqlite3 *sql, const struct uid *uid, uint8_t **ret, size_t *ret_len, struct why *why);
/* Columns 1 to 7 of a statement that selects REAP_ROW_COLUMNS: -EBADMSG. */
#define REAP_ROW_COLUMNS \
	"uid,documentation_state,documentation_day,documentation_slot,documentation_until," \
	"training_state,training_day,training_slot,training_until"
int reap_row_get(struct sqlite3_stmt *st, struct reap_row *ret);
/* Training that must have been used by ?1, and not by ?2. In the words of the index of sealed partitions (catalog_seal.c): other ones, such as
 * BETWEEN 1 AND ?1, read all rows of the store each minute. ?2 comes first: of two lower bounds SQLite begins with the first. */
#define REAP_UNUSED "training_use_by > ?2 AND training_use_by <= ?1 AND training_use_by > 0 AND training_state='GRANTED'"

#endif
