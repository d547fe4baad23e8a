/* SPDX-License-Identifier: BSD-2-Clause */
/* grounds_open.c - opening sealed grounds; apart from grounds.c for who has nothing to decrypt */
#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "store/grounds.h"

static int take_text(const uint8_t *plain, size_t n, enum store_purpose *ret_purpose, char **ret_text)
{
	if (plain[0] >= STORE_PURPOSES || memchr(plain + 1, 0, n - 1))
		return -EBADMSG;
	*ret_purpose = (enum store_purpose)plain[0];
	*ret_text = strndup((const char *)plain + 1, n - 1);
	return *ret_text ? 0 : -ENOMEM;
}

int grounds_unseal(struct sealer *s, const uint8_t key[32], const struct uid *uid, const uint8_t *list, size_t n, unsigned which,
		   enum store_purpose *ret_purpose, char **ret_text)
{
	struct rd r = { .p = list, .left = n };
	uint8_t plain[GROUNDS_PLAIN], ad[GROUNDS_AD];
	const uint8_t *box = NULL;
	size_t len = 0;
	int rc;

	if (!grounds_sound(list, n))
		return -EBADMSG;
	for (unsigned i = 0; i <= which; i++) {
		if (!r.left)
			return -ENODATA;
		box = grounds_next(&r, &len);
	}
	grounds_ad(uid, which, ad);
	rc = box ? unseal(s, key, box, ad, sizeof(ad), box + GROUNDS_NONCE, len, plain) : -EBADMSG;
	if (!rc)
		rc = take_text(plain, len, ret_purpose, ret_text);
	sodium_memzero(plain, sizeof(plain));
	return rc;
}
