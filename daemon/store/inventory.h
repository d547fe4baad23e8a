/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * inventory.h - what a store holds, and whether keys, rows and segments agree (R-22, N-22)
 *
 * For a look every day: rows, key slots, names and sizes of files are read, no chunk is, and nothing is written. (`store_fsck`
 * checks every byte.) What is told as a problem:
 *
 * - a call whose deadline is past and whose key lives; a bucket that is more than INVENTORY_GRACE_NS overdue;
 * - a row that is kept for a purpose without its key; a key that no row and no call in progress names, below the
 *   writer's mark, or of a call that began a day ago where there is no mark; two rows with one key; a key whose end later.db says and which is still there while no reaper runs;
 * - a segment that rows name and that is not there, too short, or smaller than what rows name in it; a head of another place;
 * - a file that FORMAT.md does not name; one that was begun and not finished for minutes; rules H, K-6, K-7, O-1.
 *
 * Works beside a recorder and a reaper: what does not fit is looked at again before it is told, in the order in which they
 * write. Memory: two bytes a key slot, some words a segment; rows pass by. Links no decryption. One thread.
 */
#ifndef INVENTORY_H
#define INVENTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/store.h"

#define INVENTORY_AGES	   5 /* days since the call began: 0-7, 8-30, 31-60, 61-92, more */
#define INVENTORY_GRACE_NS (60 * NS_PER_S) /* a reaper runs each minute */
#define INVENTORY_OWNER_NS (86400ULL * NS_PER_S) /* so old, a key without row and record is nobody's, where no mark says more */
extern const char *const inventory_ages[INVENTORY_AGES];

/* Calls that are alike. A call with two purposes is in two groups. */
struct inventory_group {
	char controller[STORE_NAME_MAX], rule[STORE_NAME_MAX + 1];
	enum store_purpose purpose;
	enum store_state state; /* as it is now */
	unsigned age;
	bool held;
	uint64_t calls, audio_ms; /* of the longer leg */
};

/* Rows of the calls of a rule that began, by their uid, within a day, by what became of them. */
struct inventory_rule {
	char controller[STORE_NAME_MAX], rule[STORE_NAME_MAX + 1];
	uint64_t outcome[STORE_O_MAX];
};

struct inventory_settings {
	const char *store;
	uint64_t now_ns;
	uint64_t from_ns, to_ns; /* the day of `rule`: from, and before */
	bool no_evidence; /* who may not read evidence/ is not asked for it: its files are not counted then */
	void *arg;
	void (*rule)(void *arg, const struct inventory_rule *r); /* at the end; NULL: not counted */
	void (*between)(void *arg); /* NULL, or called in between: nothing of the store is open then */
	void (*group)(void *arg, const struct inventory_group *g);
	void (*problem)(void *arg, const char *file, const char *text); /* at the end, at most INVENTORY_PROBLEMS */
};
#define INVENTORY_PROBLEMS 1000

struct inventory_totals {
	uint64_t rows, kept, held, audio_ms; /* kept: readable for a purpose; held: of these; audio of these */
	uint64_t oldest_ns;		     /* of the kept ones; 0 none */
	struct uid oldest;
	uint64_t due, past;	      /* keys that live: their bucket is due; past their own deadline */
	uint64_t keys, in_progress, held_keys, erasing; /* live slots; without a row yet; copies for holds; being destroyed */
	uint64_t segments, segment_bytes; /* length, that is the sum of the next four */
	uint64_t heads, named, unreadable, other; /* other: copies of rows, calls in progress, remains without a row */
	uint64_t files, disk_bytes; /* of keys/, segments/, catalog/, evidence/, outbox/; allocated */
	uint64_t problems;
};

/* 0 all agrees, 1 problems, -errno it could not be looked at (why: one line). */
int inventory_run(const struct inventory_settings *s, struct inventory_totals *ret, char *why, size_t n);

#endif
