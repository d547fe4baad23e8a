/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * catalog.h - rows of calls, in SQLite databases by controller and day (FORMAT.md section 6)
 *
 * A day has partitions: part 1 is DAY.db, part 2 DAY.2.db and so on; DAY_HOLD is a day like others ("hold.db"). Rows go into
 * the newest one, which has no index but the uid and stays small; full or left alone for a while it is sealed: a copy with
 * indexes takes its place, and never changes (sealing.h). A day is given up with all its partitions.
 *
 * `struct catalog` is the writer's side: rows go into one open transaction per
 * database and become durable with catalog_sync. `struct cursor` reads one
 * database without ever writing, beside a writer or without. One thread.
 */
#ifndef CATALOG_H
#define CATALOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/keys.h"
#include "store/parts.h"
#include "store/store_internal.h"

struct catalog_row {
	const struct store_call_meta *meta;
	const struct store_call_result *result;
	uint32_t day;				 /* of the database */
	uint32_t purpose_day[STORE_PURPOSES];	 /* 0 none */
	uint32_t purpose_slot[STORE_PURPOSES];	 /* 0 none */
	const uint8_t *hash[2];			 /* caller, callee; NULL withheld */
	const uint8_t *numbers, *extents, *parts; /* sealed; coded; coded, NULL of format 1 or nothing kept */
	size_t numbers_len, extents_len, parts_len;
	const uint8_t *grounds; /* sealed; NULL none */
	size_t grounds_len;
	bool kept; /* agent is written for kept calls only */
};

struct catalog;
struct sealing;
struct sqlite3;
struct buf;

/* Partitions that are to be sealed are told to s, which outlives it; NULL: to nobody. */
int catalog_new(const struct root *r, struct sealing *s, struct catalog **ret);
void catalog_free(struct catalog *c); /* what was not synced is rolled back */
/* The newest partition takes about this many rows: for tests. */
#define CATALOG_PART_ROWS 250000
void catalog_limit(struct catalog *c, uint64_t rows);
/* Makes the database of a day. -EAGAIN here and in catalog_add: too many have rows; sync first. */
int catalog_prepare(struct catalog *c, const char *controller, uint32_t day, struct why *why);
int catalog_add(struct catalog *c, const struct catalog_row *row, struct why *why);
/* The row that catalog_add has just taken, for the segment (rowcopy.h). */
int catalog_copy(struct catalog *c, const struct catalog_row *row, struct buf *out, struct why *why);
/* 1 known, 0 not, in this controller's databases of any day. -EAGAIN as in catalog_add. */
int catalog_known(struct catalog *c, const char *controller, const struct uid *uid, struct why *why);
/* 1 a row of the call names this slot as the purpose's, 0 not. -EAGAIN as in catalog_add. */
int catalog_names(struct catalog *c, const char *controller, const struct uid *uid, unsigned purpose, uint32_t day,
		  uint32_t slot, struct why *why);
/* 1 a database of this day lists the call, 0 not (or there is none). */
int catalog_has(struct catalog *c, const char *controller, uint32_t day, const struct uid *uid, struct why *why);
/* What the call's row says. -ENOENT no row, -EBADMSG, -EAGAIN as in catalog_add. */
#define CATALOG_TEXT 64
struct catalog_outcome {
	enum store_outcome outcome;
	enum store_state state[STORE_PURPOSES];
	char reason[STORE_PURPOSES][CATALOG_TEXT], gap[CATALOG_TEXT]; /* cut */
	uint64_t packets, audio_ms, muted, inspected, blocked;	       /* of both legs */
};
int catalog_outcome(struct catalog *c, const char *controller, uint32_t day, const struct uid *uid,
		    struct catalog_outcome *ret, struct why *why);
/* fn is called by catalog_sync for each partition that got its first durable rows since it was opened; it returns 0 or -errno. */
void catalog_told(struct catalog *c, int (*fn)(void *arg, const char *controller, uint32_t day, unsigned part), void *arg);
/* 0: every row that catalog_add took since the last one is durable. */
int catalog_sync(struct catalog *c, struct why *why);
size_t catalog_pending(const struct catalog *c); /* rows since the last sync */

/* ---- reading ---- */

struct cursor;
struct overlay;

struct cursor_row {
	struct store_row row;
	uint32_t day;
	unsigned part;
	const char *zone;
	uint32_t purpose_day[STORE_PURPOSES];
	uint32_t purpose_slot[STORE_PURPOSES];
	const uint8_t *numbers, *extents, *grounds;
	size_t numbers_len, extents_len, grounds_len;
	struct parts parts; /* the cursor's; none: format 1 */
};

/*
 * Rows of one partition that match, oldest first. hash: of f->number, or NULL. o: says what became of each call later, outlives
 * the cursor; NULL: rows as they are. f->state is looked at by SQL for what may match, and then as the overlay has it.
 */
int cursor_open(const struct root *r, const char *controller, uint32_t day, unsigned part,
		const struct store_filter *f, const uint8_t hash[NUMBER_HASH], struct overlay *o, struct cursor **ret,
		struct why *why);
/*
 * 1 a row, 0 the end, -EBADMSG damaged (why: file, rule), -EAGAIN a writer began
 * to change the file meanwhile. The row belongs to the cursor until the next call.
 */
int cursor_next(struct cursor *c, const struct cursor_row **ret, struct why *why);
void cursor_close(struct cursor *c);
/* SQLite's own check of the whole file. 0, or -EBADMSG. */
int cursor_check(struct cursor *c, struct why *why);

/* ---- files ---- */

/* The file's own views and triggers, which whoever wrote it could have made endless, do nothing. */
void catalog_distrust(struct sqlite3 *sql);
/* "file:PATH?immutable=1" for SQLite, every byte it could take for something else escaped. */
struct buf;
void store_uri(const struct root *r, const char *rel, bool immutable, struct buf *out);
/* SQLite's result as -errno, the system's own number where it left one; the first column of the first row, 0 none. */
int sql_errno(struct sqlite3 *db, int rc);
int sql_int(struct sqlite3 *sql, const char *query, int *ret);

#define CATALOG_PARTS 9999
/* "catalog/CONTROLLER/DAY.db", "catalog/CONTROLLER/DAY.PART.db" from part 2 on */
void catalog_path(const char *controller, uint32_t day, unsigned part, char out[STORE_PATH_MAX]);
/* The other way round, of a file's name. -EINVAL none of ours. */
int catalog_parse(const char *name, uint32_t *ret_day, unsigned *ret_part);
/* Calls fn for every partition, by controller, day and part; stops when it returns non-zero. */
int catalog_each(const struct root *r, int (*fn)(void *arg, const char *controller, uint32_t day, unsigned part), void *arg);
/* The same for one controller; day 0: all. */
int catalog_each_of(const struct root *r, const char *controller, uint32_t day,
		    int (*fn)(void *arg, const char *controller, uint32_t day, unsigned part), void *arg);
/* Nothing writes to a partition that is sealed: its file has no permission to write. */
bool catalog_sealed(const struct root *r, const char *controller, uint32_t day, unsigned part);

/* ---- extents ---- */

struct buf;
struct extent;
struct extent_state { /* of coding and of decoding; starts as zeros */
	uint32_t segment;
	uint64_t end;
};
void extent_put(struct buf *b, struct extent_state *st, const struct extent *e);
/* 1 an extent, 0 the end, -EBADMSG. *p, *n move on. */
int extent_get(const uint8_t **p, size_t *n, struct extent_state *st, struct extent *ret);

#endif
