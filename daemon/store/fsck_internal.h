/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fsck_internal.h - what the files of store_fsck share
 *
 * fsck.c goes over the store and looks at its small files, fsck_rows.c at catalogs and what their rows refer to, fsck_segments.c at
 * segments, fsck_keys.c at buckets and slots, fsck_hold.c at holds.
 *
 * Catalogs are read first and segments and slots after them: a recorder that
 * runs meanwhile writes in the opposite order, so no row can be ahead of what
 * it refers to. Never writes. One thread.
 */
#ifndef FSCK_INTERNAL_H
#define FSCK_INTERNAL_H

#include "store/overlay.h"
#include "store/store_internal.h"

/* A chunk or a slot that a row refers to. */
struct ref {
	uint32_t place; /* index in fsck.places */
	uint32_t row;
	uint32_t segment; /* or slot */
	uint32_t len;
	uint64_t off;
	uint64_t order;	 /* of extents in their row */
	uint32_t number; /* as found in the chunk */
	uint32_t epoch, part;
	uint8_t leg;
	bool found, reported;
	struct uid uid;
};

struct refs {
	struct ref *v;
	size_t n, cap;
};

/* A directory of segments or a file of slots. */
struct place {
	char controller[STORE_NAME_MAX];
	int purpose; /* -1: segments */
	uint32_t day;
	bool over; /* slots: the bucket is destroyed, or its day has come */
};

/* Epochs of the parts of a row, in fsck.epoch. n 0: format 1, one part. */
struct row_parts {
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
	struct refs chunks, slots;
	struct overlay *overlay; /* what became of calls later */
	struct row_parts *row_parts; /* by row */
	uint32_t *epoch;
	size_t nepoch;
	uint32_t row;
};

/* ---- fsck.c ---- */

void fsck_found(struct fsck *f, const char *file, uint64_t off, const char *rule, const char *text);
/* A file that cannot be read is a finding too: the rest is still worth checking. -ENOMEM. */
int fsck_unreadable(struct fsck *f, const char *file, int rc, const char *rule);

/* ---- fsck_rows.c: 0, -ENOMEM or -EAGAIN, also when there are findings ---- */

int fsck_catalog(void *arg, const char *controller, uint32_t day, unsigned part);
int fsck_ref_add(struct fsck *f, struct refs *r, const struct ref *ref);
int fsck_place(struct fsck *f, const char *controller, int purpose, uint32_t day, uint32_t *ret);
int fsck_ref_cmp(const void *a, const void *b); /* by place, segment, offset */
/* First ref at or after (place, segment, off) of sorted ones. */
size_t fsck_ref_lower(const struct refs *r, uint32_t place, uint32_t segment, uint64_t off);

/* ---- fsck_segments.c ---- */

int fsck_segment_day(struct fsck *f, const char *controller, const char *day_name);
/* Rows whose chunks were nowhere, and chunk numbers that do not go up by one. Changes the order of f->chunks. */
void fsck_chunk_refs(struct fsck *f);

/* ---- fsck_keys.c ---- */

int fsck_key_dir(struct fsck *f, const char *controller, int purpose);
/* The row's wrap is there as long as its copy is. */
void fsck_held_key(void *arg, const char *controller, uint32_t day, uint32_t slot, const struct uid *uid);
/* Rows whose wraps were nowhere. */
void fsck_slot_refs(struct fsck *f);

#endif
