/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * catalog_internal.h - what the writer's files of catalog.h share
 *
 * catalog.c has the days' newest partitions and rows that go into them, catalog_db.c opens databases, catalog_look.c
 * says what was written before.
 *
 * Invariants: only the newest partition of a day is written to, and not after sealing_add named it; a database with an open
 * transaction is never closed for another. One thread.
 */
#ifndef CATALOG_INTERNAL_H
#define CATALOG_INTERNAL_H

#include <sqlite3.h>

#include "store/catalog.h"
#include "store/rowcopy.h"

#define OPEN_DBS 64
#define CATALOG_APP 0x4F505447
#define CATALOG_VERSION 3

struct db {
	char controller[STORE_NAME_MAX];
	uint32_t day;
	unsigned part;
	bool write;
	sqlite3 *sql;
	sqlite3_stmt *call, *leg, *link, *known, *copy[ROWCOPY_TABLES];
	bool in_txn, told; /* told: that it has durable rows (catalog_told) */
	uint64_t tick;
	int day_fd; /* what is written to keeps its day in use (daylock.h): descriptor + 1, 0 none */
};

/* The newest partition of a day; the next one to be made, when that is sealed or there is none. */
struct hot {
	char controller[STORE_NAME_MAX];
	uint32_t day;
	unsigned part;
	bool there;
	uint64_t rows;	   /* about */
	int64_t written_s; /* by the machine's clock */
};

struct catalog {
	const struct root *root;
	struct sealing *sealing;
	struct db db[OPEN_DBS];
	struct hot *hot;
	size_t nhot;
	uint64_t limit;
	int64_t idle_s; /* when it was last looked for such that nobody writes to */
	struct known *known;
	uint64_t tick;
	size_t pending;
	int (*tell)(void *arg, const char *controller, uint32_t day, unsigned part);
	void *tell_arg;
	int undone; /* SQLite rolled rows back that catalog_add had taken */
};

/* ---- catalog_db.c ---- */

/* Stores the database's message. */
int db_fail(const struct db *d, int rc, const char *what, struct why *why);
void db_close(struct db *d);
/*
 * write: made when it is not there, and brought to today's version; else read as it is. -EAGAIN: all are in use by open
 * transactions; sync and ask again. -ENOENT.
 */
int db_get(struct catalog *c, const char *controller, uint32_t day, unsigned part, bool write, struct db **ret, struct why *why);
/* The database, made as the writer makes it (also by fsck --rebuild). */
int catalog_setup(sqlite3 *sql, bool *ret_version);

/* ---- catalog.c ---- */

/* The day's newest partition. NULL no memory. */
struct hot *hot_find(struct catalog *c, const char *controller, uint32_t day);
/* To read: as db_get. */
int db_look(struct catalog *c, const char *controller, uint32_t day, unsigned part, struct db **ret, struct why *why);
/* A row came into k, if it is kept for the controller (catalog_look.c). */
void note_row(struct catalog *c, const struct catalog_row *row, unsigned part);
/* 1 one of the day's partitions before `part` has the call. */
int known_before(struct catalog *c, const char *controller, uint32_t day, unsigned part, const struct uid *uid, struct why *why);

#endif
