/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rowcopy.h - a call's row, with its legs and link, as bytes (FORMAT.md section 4)
 *
 * They lie in the segment behind the call's chunks, so that a lost catalog can be made anew. All columns
 * go in as they are, in the order of their table; so new ones, which come last, need nothing here.
 *
 *	rowcopy_prepare(sql, st)		once per database; rowcopy_done frees
 *	rowcopy_take(st, &uid, &out)		header, body and CRCs: what writer_append takes
 *
 *	rowcopy_sound(body, n, &uid)		takes any bytes
 *	rowcopy_insert(sql, body, n)		into a database of today's version
 */
#ifndef ROWCOPY_H
#define ROWCOPY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/uid.h"

struct buf;
struct sqlite3;
struct sqlite3_stmt;

enum { ROWCOPY_CALL, ROWCOPY_LEGS, ROWCOPY_LINK, ROWCOPY_TABLES };

/* SQLite's result. */
int rowcopy_prepare(struct sqlite3 *sql, struct sqlite3_stmt *ret[ROWCOPY_TABLES]);
void rowcopy_done(struct sqlite3_stmt *st[ROWCOPY_TABLES]);
/* SQLite's result: OK, or what went wrong; NOTFOUND there is no such row, TOOBIG it is longer than may be. */
int rowcopy_take(struct sqlite3_stmt *const st[ROWCOPY_TABLES], const struct uid *uid, struct buf *out);
/* Parses, has one row of a call, of this uid, and its other rows are of it too. */
bool rowcopy_sound(const uint8_t *p, size_t n, const struct uid *uid);
/* A column of the call's row (FORMAT.md section 6, from 0); the body must be sound. False: it is not of that kind. */
bool rowcopy_int(const uint8_t *p, size_t n, unsigned column, uint64_t *ret);
bool rowcopy_text(const uint8_t *p, size_t n, unsigned column, char *ret, size_t size); /* cut */
enum { ROWCOPY_START = 1, ROWCOPY_RULE = 4, ROWCOPY_POLICY = 5, ROWCOPY_ZONE = 12, /* then by purpose: */
       ROWCOPY_STATE = 13, ROWCOPY_DAY = 16, ROWCOPY_SLOT = 17, ROWCOPY_PURPOSE = 5 };
/* SQLite's result; it must be sound. MISMATCH it has more columns than the table. Not undone on failure. */
int rowcopy_insert(struct sqlite3 *sql, const uint8_t *p, size_t n);

#endif
