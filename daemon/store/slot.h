/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * slot.h - files of slots, each the wrap of one call (FORMAT.md section 3)
 *
 * Parsers take any bytes. Nothing here opens a wrap: what destroys links this, not keys.
 * slots.h is the recorder's side, which puts wraps into slots. Any thread.
 */
#ifndef SLOT_H
#define SLOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/keys.h"
#include "store/store_internal.h"

#define SLOT_SIZE 256

struct slots_head {
	uint8_t purpose;
	uint8_t store_id[16];
	uint32_t day;
	char controller[64];
};

struct slot {
	bool empty;
	uint8_t version; /* 1: wrapped under the bucket's key itself; 2: under the slot's own (slot_key) */
	uint8_t purpose;
	struct uid uid;
	uint64_t until_ns;
	uint8_t key_id[8];
	uint8_t wrap[KEYS_WRAP]; /* as much of it as slot_wrap_size says */
};

static inline size_t slot_wrap_size(const struct slot *s)
{
	return s->version == 1 ? KEYS_WRAP_1 : KEYS_WRAP;
}

/* "keys/CONTROLLER/PURPOSE/DAY.EXT" */
void slots_path(const char *controller, unsigned purpose, uint32_t day, const char *ext,
		char out[STORE_PATH_MAX]);

/* NULL, or what is wrong. */
const char *slots_head_parse(const uint8_t *p, size_t n, struct slots_head *ret);
void slots_head_format(const struct slots_head *h, uint8_t out[SLOT_SIZE]);
const char *slot_parse(const uint8_t p[SLOT_SIZE], struct slot *ret);
void slot_format(const struct slot *s, uint8_t out[SLOT_SIZE]);
/* -ENOENT no such file or slot. */
int slot_read(const struct root *r, const char *controller, unsigned purpose, uint32_t day,
	      uint32_t index, struct slot *ret, struct why *why);

/* Every file of slots in the store; end: slots that it has room for. fn returns 0 to go on, else that is returned. */
int slots_files(const struct root *r, int (*fn)(void *arg, const char *controller, unsigned purpose, uint32_t day, uint32_t end),
		void *arg, struct why *why);

/*
 * The key that the slot's wrap was made under, from that of its bucket: one call's, from which nothing of another call
 * follows. Of a slot of version 1 it is the bucket's. The caller wipes it.
 */
void slot_key(const struct slot *s, const uint8_t bucket[32], uint32_t day, uint8_t ret[32]);

/* ---- erasing many ---- */

struct slot_erase {
	const char *controller;
	unsigned purpose;
	uint32_t day, index;
	struct uid uid; /* whose it must be */
	size_t of;	/* the caller's */
	/* 0 overwritten, 1 it was empty, -ESTALE another call's: left alone, -ENOENT no such file or slot, else -errno; 1, -ESTALE
	 * and -ENOENT say that no slot of the file is the call's */
	int result;
};

/*
 * Overwrites slots in place: sorted by file and offset, one fdatasync a file. A slot is read first, and left alone when
 * it is not of that uid; a damaged one with that uid is overwritten. When there is no slot of that uid at its place the whole file
 * is looked through, once for all of them: a damaged row must not keep a key alive. If that has none either, what is damaged at the
 * place is overwritten. Results 0 and 1 are durable when this returns. Goes on past errors of the disk and returns the first (with
 * its text); -ESTALE and -ENOENT are not among them. Changes the order of v. A recorder may have the files open.
 */
int slots_erase_many(const struct root *r, struct slot_erase *v, size_t n, struct why *why);

#endif
