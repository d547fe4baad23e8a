/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * grounds.h - what callers gave as grounds of their objections, sealed (FORMAT.md section 6)
 *
 * A list of boxes in the order in which they were said, each under the call's key N and a random nonce of its own: N lives
 * to the end of the call, and two may be said. Texts in clear are the caller's to wipe. Pure functions but for randomness.
 */
#ifndef GROUNDS_H
#define GROUNDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/uid.h"
#include "store/keys.h"
#include "store/store.h"

#define GROUNDS_COUNT 4 /* of a call */
#define GROUNDS_NONCE 12
#define GROUNDS_TAG   16
#define GROUNDS_PLAIN (1 + STORE_GROUNDS_MAX)
#define GROUNDS_BYTES (GROUNDS_COUNT * (2 + GROUNDS_NONCE + GROUNDS_PLAIN + GROUNDS_TAG))

/* Appends. -EINVAL no text, or a longer one; -ENOSPC there are GROUNDS_COUNT; -ENOMEM, -EIO. *list is as it was then. */
int grounds_seal(struct sealer *s, const uint8_t key[32], const struct uid *uid, enum store_purpose p, const char *text, struct buf *list);
/* Boxes and nothing else, whatever is in them. Any bytes. */
bool grounds_sound(const uint8_t *list, size_t n);
/* Box `which`, from 0. *ret_text is allocated. -ENODATA there is none; -EBADMSG not of this call or key, or damaged; -ENOMEM. */
int grounds_unseal(struct sealer *s, const uint8_t key[32], const struct uid *uid, const uint8_t *list, size_t n, unsigned which,
		   enum store_purpose *ret_purpose, char **ret_text);

/* ---- both halves' ---- */

/* What tells a box from the numbers, which are under the same key, and from the others. */
#define GROUNDS_AD 24
void grounds_ad(const struct uid *uid, unsigned which, uint8_t ad[GROUNDS_AD]);
/* The next box; how long its text is with the purpose before it. NULL: that is none. */
const uint8_t *grounds_next(struct rd *r, size_t *ret_plain);

#endif
