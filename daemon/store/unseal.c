/* SPDX-License-Identifier: BSD-2-Clause */
/* unseal.c - AES-256-GCM: decrypting; apart from seal.c for who has nothing to decrypt */
#include <errno.h>
#include <string.h>

#include "store/sealer.h"

int unseal(struct sealer *s, const uint8_t key[32], const uint8_t nonce[12], const uint8_t *ad,
	   size_t adn, const uint8_t *in, size_t n, uint8_t *out)
{
	uint8_t tag[16];
	int len;

	memcpy(tag, in + n, 16);
	if (!EVP_CipherInit_ex(s->ctx, NULL, NULL, key, nonce, 0) ||
	    !EVP_CIPHER_CTX_ctrl(s->ctx, EVP_CTRL_AEAD_SET_TAG, 16, tag) ||
	    !EVP_CipherUpdate(s->ctx, NULL, &len, ad, (int)adn) ||
	    !EVP_CipherUpdate(s->ctx, out, &len, in, (int)n) || (size_t)len != n ||
	    EVP_CipherFinal_ex(s->ctx, out + n, &len) <= 0)
		return -EBADMSG;
	return 0;
}
