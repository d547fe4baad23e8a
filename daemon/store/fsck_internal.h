/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fsck_internal.h - what the files of store_fsck share
 *
 * fsck.c goes over the store and looks at its small files, fsck_rows.c at catalogs and what their rows refer to, fsck_segments.c at
 * segments, fsck_keys.c at buckets and slots, fsck_hold.c at holds,
 * fsck_lost.c for what is not there.
 *
 * A day's catalogs are read first and its segments after them, and slots after all catalogs: a recorder that
 * runs meanwhile writes in the opposite order, so no row can be ahead of what
 * it refers to. What chunks are asked for is remembered a day at a time: of the whole store some words a call, and no chunk. Never
 * writes. One thread.
 */
#ifndef FSCK_INTERNAL_H
#define FSCK_INTERNAL_H

#include "store/overlay.h"
#include "store/store_internal.h"

/* A chunk that a row refers to, of the day at hand: a call has dozens. */
struct ref {
	uint64_t off;
	uint32_t row; /* in fsck.row_info */
	uint32_t segment, len;
	uint32_t order;	 /* of extents in their row */
	uint32_t number; /* as found in the chunk */
	uint32_t epoch, part;
	uint8_t leg;
	bool found, reported;
};

struct refs {
	struct ref *v;
	size_t n, cap;
};

/* A slot that a row refers to, of the whole store: a row has two at most. */
struct slot_ref {
	struct uid uid;
	uint32_t place; /* index in fsck.places */
	uint32_t slot;
	bool found, reported, emptied; /* emptied: zeros */
};

struct slot_refs {
	struct slot_ref *v;
	size_t n, cap;
};

/* A directory of segments or a file of slots. */
struct place {
	char controller[STORE_NAME_MAX];
	int purpose; /* -1: segments */
	uint32_t day;
	bool over; /* slots: the bucket is destroyed, or its day has come */
	bool destroyed;
	uint32_t mark; /* slots: those below it were accounted for when fsck began */
	/* of segments: */
	bool damaged;  /* a catalog of the day is, and that is told */
	uint32_t lost; /* rows of the day, the first of them */
	struct uid lost_uid;
};

/* A call that something was found of, and that had no row when catalogs were read. */
struct stray {
	struct uid uid;
	uint32_t place;
	uint32_t slot; /* of a key */
};

struct strays {
	struct stray *v;
	size_t n, cap;
};

/* A row of the day at hand. Epochs of its parts are in fsck.epoch; n 0: format 1, one part. */
struct row_info {
	struct uid uid;
	size_t at;
	unsigned n;
};

struct fsck {
	struct root root;
	struct why *why;
	void (*cb)(void *arg, const char *file, uint64_t off, const char *rule, const char *text);
	void *arg;
	struct store_fsck_report rep;
	struct place *place;
	size_t nplace;
	struct refs chunks; /* of the day at hand, until fsck_day_over */
	struct slot_refs slots;
	struct overlay *overlay; /* what became of calls later */
	struct strays rows;	 /* uids of all rows, and of calls in progress; sorted */
	struct strays copies;	 /* of rows, and chunks in the hold area */
	struct strays keys;	 /* live slots below their mark */
	struct strays held;	 /* on hold */
	struct strays emptied;	 /* kept by their rows, and their slot was overwritten */
	struct strays listed;	 /* partitions that open.db has: slot is the part */
	struct row_info *row_info; /* of the day at hand, as its rows came */
	struct uid *row_uid;	   /* sorted */
	uint32_t *epoch;
	size_t nepoch;
	uint32_t row;
	int rc; /* of a callback that cannot say so */
};

/* ---- fsck.c ---- */

void fsck_found(struct fsck *f, const char *file, uint64_t off, const char *rule, const char *text);
/* A file that cannot be read is a finding too: the rest is still worth checking. -ENOMEM. */
int fsck_unreadable(struct fsck *f, const char *file, int rc, const char *rule);

/* ---- fsck_rows.c: 0, -ENOMEM or -EAGAIN, also when there are findings ---- */

int fsck_catalog(struct fsck *f, const char *controller, uint32_t day, unsigned part);
int fsck_place(struct fsck *f, const char *controller, int purpose, uint32_t day, uint32_t *ret);
/* When all catalogs of a day are read: what its segments are asked for is sorted; -ENOMEM. */
int fsck_day_read(struct fsck *f);
/* First ref at or after (segment, off) of sorted ones. */
size_t fsck_ref_lower(const struct refs *r, uint32_t segment, uint64_t off);
/* The call has a row in the day at hand. */
bool fsck_day_has(const struct fsck *f, const struct uid *uid);
/* When its segments are. */
void fsck_day_over(struct fsck *f);

/* ---- fsck_segments.c ---- */

int fsck_segment_day(struct fsck *f, const char *controller, uint32_t day);
/* Rows whose chunks were nowhere, and chunk numbers that do not go up by one. Changes the order of f->chunks. */
void fsck_chunk_refs(struct fsck *f, const char *controller, uint32_t day);

/* ---- fsck_lost.c: what is not there and must be ---- */

int fsck_stray(struct fsck *f, struct strays *s, const struct uid *uid, uint32_t place, uint32_t slot);
bool fsck_has_row(const struct fsck *f, const struct uid *uid);
/* Marks and the list of partitions, before catalogs are read; -ENOMEM. */
int fsck_lost_before(struct fsck *f);
/* When they are. */
void fsck_lost_rows(struct fsck *f);
/* At the end: partitions, hold.db, later.db; -ENOMEM. */
int fsck_lost(struct fsck *f);
void fsck_lost_free(struct fsck *f);

/* ---- fsck_keys.c ---- */

/* When all catalogs are read. */
void fsck_slots_read(struct fsck *f);
int fsck_key_dir(struct fsck *f, const char *controller, int purpose);
/* The row's wrap is there as long as its copy is. */
void fsck_held_key(void *arg, const char *controller, uint32_t day, uint32_t slot, const struct uid *uid);
/* Rows whose wraps were nowhere. -ENOMEM */
int fsck_slot_refs(struct fsck *f);

#endif
