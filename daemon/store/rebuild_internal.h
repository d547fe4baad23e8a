/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rebuild_internal.h - what the files of store_rebuild share
 *
 * rebuild.c goes over the days and sets damaged partitions aside, rebuild_find.c looks through a day's segments for what has no
 * row, rebuild_log.c through the evidence log, rebuild_rows.c writes rows,
 * rebuild_hold.c those of calls on hold.
 */
#ifndef REBUILD_INTERNAL_H
#define REBUILD_INTERNAL_H

#include <sqlite3.h>

#include "store/catalog.h"
#include "store/overlay.h"
#include "store/store_internal.h"
#include "store/writer.h"

/* An array that grows. */
struct list {
	void *v;
	size_t n, cap, size;
};
void *list_add(struct list *l); /* NULL no memory */
void list_free(struct list *l);

struct uids {
	struct list list; /* struct uid; sorted by uids_sort */
};
int uids_add(struct uids *u, const struct uid *uid);
void uids_sort(struct uids *u);
bool uids_have(const struct uids *u, const struct uid *uid);

/* A copy of a row, or a chunk, of a call that has no row. */
struct piece {
	struct uid uid;
	struct extent at;
	bool row;
	/* of a chunk: */
	uint8_t leg;
	uint32_t part, epoch, packets;
	uint64_t start_ns;
};

struct wrap {
	uint32_t day, slot; /* slot 0 none */
	uint64_t until_ns;
};

/* A call of which there are chunks alone: pieces[first, first + n). */
struct bare {
	struct uid uid;
	size_t first, n;
	struct wrap wrap[STORE_PURPOSES];
	/* from the evidence log, "" not there */
	char rule[STORE_NAME_MAX + 1], policy[65];
};

/* A call that the evidence log has as denied. */
struct gone {
	struct uid uid;
	uint64_t start_ns, end_ns;
	char rule[STORE_NAME_MAX + 1], policy[65], reason[STORE_PURPOSES][48], why[48];
	bool matched;
};

/* One day of a controller. */
struct lost_day {
	const char *controller;
	uint32_t day;
	bool damaged; /* something was set aside */
	bool held;    /* all that is left of it is on hold: such a call has a key of its own */
	struct uids known; /* in sound partitions */
	struct list pieces; /* struct piece, by uid and place; of rows the last one counts */
	struct list copies; /* struct piece: rows to be copied */
	struct list bares;  /* struct bare */
	struct list gones;  /* struct gone */
	struct list like;   /* struct like: of rows of the day */
};

/* Calls of a rule on one civil day have one destroy-by day. */
struct like {
	char rule[STORE_NAME_MAX + 1], policy[65], zone[64];
	uint32_t start_day; /* in the zone */
};

struct rebuild {
	struct root root;
	struct why *why;
	void (*cb)(void *arg, const char *file, const char *text);
	void *arg;
	struct store_rebuild_report rep;
	struct overlay *overlay;
	struct uids open; /* calls in progress: the next writer's affair */
	struct catalog *catalog; /* to look for calls in all days */
};

void rebuild_say(struct rebuild *b, const char *file, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* NAME and what lies beside it become NAME.damaged, NAME.damaged.2 ... */
int rebuild_set_aside(struct rebuild *b, const char *rel, const char *what);

/* rebuild_journal.c: `holds`, when it is damaged or gone */
int rebuild_journal(struct rebuild *b);

/* rebuild_find.c: pieces, copies and bares (with their wraps) of the day, from segments and slots */
int rebuild_find(struct rebuild *b, struct lost_day *d);
/* Reads a piece, all of it, into out. */
int piece_read(struct rebuild *b, const struct lost_day *d, const struct piece *p, struct buf *out);
int like_add(struct lost_day *d, const char *rule, const char *policy, const char *zone, uint64_t start_ns);

/* rebuild_log.c: gones of the day, and what the log has of bares */
int rebuild_log(struct rebuild *b, struct lost_day *d);

/* rebuild_rows.c */
struct filling {
	struct rebuild *b;
	struct lost_day *d;
};
int rebuild_fill(void *filling, sqlite3 *sql);

/* rebuild_hold.c: of what was found in the day those stay that are on hold and have a row nowhere: the rest was destroyed. */
int rebuild_held(struct rebuild *b, struct lost_day *d);
/* Rows of the hold area; d->known are those of a sound hold.db. */
int rebuild_hold(struct rebuild *b, struct lost_day *d);

/* rebuild_later.c: later.db of all controllers, where it is damaged or gone; after the rows */
int rebuild_later(struct rebuild *b);

#endif
