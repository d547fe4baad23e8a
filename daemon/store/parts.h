/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * parts.h - which purpose may read which part of a call (FORMAT.md section 3)
 *
 * The audio of a call is cut into parts, each under a key of its own. A purpose
 * has a key, too, which its wrap holds; the table of parts says for every part
 * and purpose whether the purpose's key leads to the part's, and how. A purpose
 * that is granted in the middle of a call, ends before its end, or is taken back
 * and given again has just those parts. One thread, or the lock of the call.
 */
#ifndef PARTS_H
#define PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "store/keys.h"

#define PARTS_MAX 64 /* of a call; a change of purposes more, and what it would begin is not kept */

enum part_how {
	PART_NONE,    /* the purpose has no way to the key */
	PART_DERIVED, /* the key is derived from the purpose's */
	PART_BOXED,   /* the key lies in the box, under the purpose's */
	PART_HOWS,
};

/* One purpose's way to one key. */
struct part_way {
	uint8_t how; /* enum part_how */
	uint8_t box[PART_BOX];
};

struct part_sum {
	uint64_t packets, audio_ms;
};

struct part {
	uint32_t epoch;	  /* of the store when it began: no chunk of it is of an earlier one */
	uint64_t from_ns; /* no packet in it arrived before */
	struct part_way way[STORE_PURPOSES];
	struct part_sum leg[2];
	/* the writer's: */
	struct partkey *key; /* NULL: not known (any more) */
	struct part_sum durable[2], late[2]; /* as leg, see store_call.h */
};

struct parts {
	struct part_way numbers[STORE_PURPOSES]; /* ways to the key of the parties' numbers */
	struct part *v;
	size_t n; /* 0: a call of format 1, whose wraps hold the key of everything */
};

void parts_free(struct parts *p); /* not the keys; leaves it empty */
/* A part behind the others, all zeros, at most PARTS_MAX. NULL: no room, or no memory. */
struct part *parts_add(struct parts *p);
/* As the row and the record have it; ways of purposes that are not live are left out. durable: sums of the last sync. */
void parts_put(const struct parts *p, const bool live[STORE_PURPOSES], bool durable, struct buf *out);
/* Takes any bytes, all of them. -EBADMSG, -ENOMEM; *ret is then empty. n 0: an empty table (format 1). */
int parts_get(const uint8_t *bytes, size_t n, struct parts *ret);

/* Sets for what purposes (bits) a part is. */
unsigned part_set(const struct part *p);

/* ---- keys; `part` is the number in the call, PART_NUMBERS the numbers' ---- */

#define PART_NUMBERS UINT32_MAX
/* The key that follows from a purpose's. */
void part_derive(const uint8_t purpose[32], uint32_t part, uint32_t epoch, uint8_t ret[32]);
/* Any key, for a purpose. */
void part_give(const uint8_t purpose[32], const struct uid *uid, enum store_purpose p, uint32_t part, uint32_t epoch,
	       const uint8_t key[32], struct part_way *ret);
/* -ENOKEY the purpose has no way to it, -EBADMSG the box is not authentic. */
int part_open(const uint8_t purpose[32], const struct uid *uid, enum store_purpose p, uint32_t part, uint32_t epoch,
	      const struct part_way *w, uint8_t ret[32]);

#endif
