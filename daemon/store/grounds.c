/* SPDX-License-Identifier: BSD-2-Clause */
/* grounds.c - grounds of objections: sealing them (grounds_open.c opens them); see grounds.h */
#include "store/grounds.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

#define AD_WORD "grounds"
#define BOX(n)	(GROUNDS_NONCE + (n) + GROUNDS_TAG)

void grounds_ad(const struct uid *uid, unsigned which, uint8_t ad[GROUNDS_AD])
{
	_Static_assert(GROUNDS_AD == 16 + sizeof(AD_WORD) - 1 + 1, "AD");
	memcpy(ad, uid->b, 16);
	memcpy(ad + 16, AD_WORD, sizeof(AD_WORD) - 1);
	ad[GROUNDS_AD - 1] = (uint8_t)which;
}

const uint8_t *grounds_next(struct rd *r, size_t *ret_plain)
{
	uint16_t n = rd_le16(r);

	if (r->bad || n < BOX(2) || n > BOX(GROUNDS_PLAIN))
		return NULL;
	*ret_plain = n - BOX(0);
	return rd_bytes(r, n);
}

/* -1 not sound */
static int count_of(const uint8_t *list, size_t n)
{
	struct rd r = { .p = list, .left = n };
	size_t plain;
	int count = 0;

	for (; r.left; count++)
		if (count == GROUNDS_COUNT || !grounds_next(&r, &plain))
			return -1;
	return count;
}

bool grounds_sound(const uint8_t *list, size_t n)
{
	return count_of(list, n) >= 0;
}

int grounds_seal(struct sealer *s, const uint8_t key[32], const struct uid *uid, enum store_purpose p, const char *text, struct buf *list)
{
	size_t len = strnlen(text, STORE_GROUNDS_MAX + 1);
	int count = count_of(list->p, list->len), rc;
	uint8_t plain[GROUNDS_PLAIN], ad[GROUNDS_AD], *box;

	if (!len || len > STORE_GROUNDS_MAX || count < 0)
		return -EINVAL;
	if (count == GROUNDS_COUNT)
		return -ENOSPC;
	box = buf_room(list, 2 + BOX(1 + len));
	if (!box)
		return -ENOMEM;
	plain[0] = (uint8_t)p;
	memcpy(plain + 1, text, len);
	grounds_ad(uid, (unsigned)count, ad);
	randombytes_buf(box + 2, GROUNDS_NONCE);
	rc = seal(s, key, box + 2, ad, sizeof(ad), plain, 1 + len, box + 2 + GROUNDS_NONCE);
	sodium_memzero(plain, sizeof(plain));
	if (rc)
		return rc;
	buf_put_le16(list, (uint16_t)BOX(1 + len));
	list->len += BOX(1 + len);
	return 0;
}
