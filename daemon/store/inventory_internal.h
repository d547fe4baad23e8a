/* SPDX-License-Identifier: BSD-2-Clause */
/* inventory_internal.h - what the files of the inventory share; one `struct inventory` a run */
#ifndef INVENTORY_INTERNAL_H
#define INVENTORY_INTERNAL_H

#include "store/inventory.h"
#include "store/reap_db.h"
#include "store/store_internal.h"

struct overlay;
struct holds;

/* A slots file whose bucket lives. */
struct inv_keys {
	char controller[STORE_NAME_MAX];
	unsigned purpose;
	uint32_t day, n; /* slots, with the head */
	uint32_t mark;	 /* below it every live slot is named; 0 not known */
	bool marked;
	uint16_t *slot;	 /* 0 empty; INV_NAMED | print of the uid */
	uint64_t due, past; /* as in the totals */
};
#define INV_NAMED 0x8000u

/* What rows say of a segment. */
struct inv_segment {
	uint64_t named, unreadable, end; /* end: of what is readable */
};
struct inv_day {
	char controller[STORE_NAME_MAX];
	uint32_t day, n;
	struct inv_segment *segment; /* by number */
	bool looked;
};

struct inv_text {
	char *file, *text;
};

struct inventory {
	const struct inventory_settings *set;
	struct root root;
	struct why *why;
	struct inventory_totals t;
	struct overlay *overlay;
	struct holds *holds; /* NULL: damaged, and told */
	struct uid *held_key; /* sorted: calls whose key has a copy */
	size_t nheld_key;
	struct inv_keys **keys;
	size_t nkeys;
	struct inv_day **day;
	size_t nday;
	struct inventory_group *group; /* hashed, INV_GROUPS places; calls 0: free */
	size_t ngroup;
	struct inventory_rule *rule; /* hashed, INV_GROUPS places; no controller: free. NULL: not asked for */
	size_t nrule;
	struct reap_row *gone; /* keys that later.db says are destroyed, and were there */
	size_t ngone;
	struct inv_text problem[INVENTORY_PROBLEMS];
};
#define INV_GROUPS 16384

void inv_problem(struct inventory *v, const char *file, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
bool inv_uid_in(const struct uid *v, size_t n, const struct uid *u);
int inv_uid_cmp(const void *a, const void *b);

/* inventory_rows.c: all partitions. */
int inv_rows(struct inventory *v);

/* inventory_keys.c */
/* A row names this slot: it is there and the call's (then it is named from now on), 1; 0 it is not. Told when named twice. */
int inv_keys_name(struct inventory *v, const char *controller, unsigned purpose, uint32_t day, uint32_t slot,
		  const struct uid *uid, const char *file, bool again);
/* As it is on disk now. */
bool inv_key_lives(struct inventory *v, const char *controller, unsigned purpose, uint32_t day, uint32_t slot, const struct uid *uid);
/* After all rows: files that no row named, keys without a row, deadlines. */
int inv_keys_rest(struct inventory *v);

/* inventory_files.c */
int inv_extents(struct inventory *v, const char *controller, const struct reap_row *row, const uint8_t *p, size_t n, bool readable);
/* All names and sizes, after all rows. */
int inv_files(struct inventory *v);

#endif
