/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * slots.h - bucket files and slot files (FORMAT.md section 3)
 *
 * Parsers take any bytes. `struct slots` is the writer's side: it keeps the
 * files of the purposes and days in use open, makes buckets, appends wraps and
 * erases them in place. Any thread; slots_sync lets others in while it waits.
 */
#ifndef SLOTS_H
#define SLOTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/keys.h"

#define BUCKET_SIZE 128
#define SLOT_SIZE   256

enum { BUCKET_LIVE = 1, BUCKET_DESTROYED = 2 };

struct bucket {
	uint8_t purpose, state;
	uint32_t day;
	uint8_t store_id[16];
	uint64_t destroy_ns;
	uint8_t key[32];
};

struct slots_head {
	uint8_t purpose;
	uint8_t store_id[16];
	uint32_t day;
	char controller[64];
};

struct slot {
	bool empty;
	uint8_t purpose;
	struct uid uid;
	uint64_t until_ns;
	uint8_t key_id[8];
	uint8_t wrap[KEYS_WRAP];
};

/* NULL, or what is wrong. */
const char *bucket_parse(const uint8_t *p, size_t n, struct bucket *ret);
void bucket_format(const struct bucket *b, uint8_t out[BUCKET_SIZE]);
const char *slots_head_parse(const uint8_t *p, size_t n, struct slots_head *ret);
const char *slot_parse(const uint8_t p[SLOT_SIZE], struct slot *ret);

/* "keys/CONTROLLER/PURPOSE/DAY.EXT" */
void slots_path(const char *controller, unsigned purpose, uint32_t day, const char *ext,
		char out[STORE_PATH_MAX]);
/* For readers. -ENOENT, -EBADMSG (why names file, offset and rule). */
int bucket_read(const struct root *r, const char *controller, unsigned purpose, uint32_t day,
		struct bucket *ret, struct why *why);
/* -ENOENT no such file or slot. */
int slot_read(const struct root *r, const char *controller, unsigned purpose, uint32_t day,
	      uint32_t index, struct slot *ret, struct why *why);

struct slots;

int slots_new(const struct root *r, struct slots **ret);
void slots_free(struct slots *s); /* NULL-tolerant; what was erased is synced */
/*
 * Wraps a data key for a purpose. The bucket's day is that of until_ns in zone.
 * -ESHUTDOWN: that day's bucket is destroyed already.
 */
int slots_put(struct slots *s, const char *controller, enum store_purpose p, const char *zone,
	      const struct uid *uid, uint64_t until_ns, const uint8_t data[32], uint32_t *ret_day,
	      uint32_t *ret_index, struct why *why);
/* Overwrites a slot with zeros. durable: fdatasync before returning. */
int slots_erase(struct slots *s, const char *controller, enum store_purpose p, uint32_t day,
		uint32_t index, bool durable, struct why *why);
int slots_sync(struct slots *s, struct why *why);
/* The first slot that was put here since slots_new, UINT32_MAX none: what is before is somebody else's. */
uint32_t slots_first(struct slots *s, const char *controller, unsigned purpose, uint32_t day);

#endif
