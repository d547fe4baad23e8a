/* SPDX-License-Identifier: BSD-2-Clause */
/* seal.c - AES-256-GCM with a kept context: encrypting (unseal.c decrypts) */
#include <errno.h>
#include <stdlib.h>

#include "store/sealer.h"

int sealer_new(struct sealer **ret)
{
	struct sealer *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->ctx = EVP_CIPHER_CTX_new();
	s->cipher = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
	/* Set once; later only key and nonce change, which keeps the context's tables. */
	if (!s->ctx || !s->cipher || !EVP_CipherInit_ex(s->ctx, s->cipher, NULL, NULL, NULL, 1)) {
		sealer_free(s);
		return -ENOMEM;
	}
	*ret = s;
	return 0;
}

void sealer_free(struct sealer *s)
{
	if (!s)
		return;
	EVP_CIPHER_CTX_free(s->ctx); /* wipes the key schedule */
	EVP_CIPHER_free(s->cipher);
	free(s);
}

int seal(struct sealer *s, const uint8_t key[32], const uint8_t nonce[12], const uint8_t *ad,
	 size_t adn, const uint8_t *in, size_t n, uint8_t *out)
{
	int len;

	if (!EVP_CipherInit_ex(s->ctx, NULL, NULL, key, nonce, 1) ||
	    !EVP_CipherUpdate(s->ctx, NULL, &len, ad, (int)adn) ||
	    !EVP_CipherUpdate(s->ctx, out, &len, in, (int)n) || (size_t)len != n ||
	    !EVP_CipherFinal_ex(s->ctx, out + n, &len) ||
	    !EVP_CIPHER_CTX_ctrl(s->ctx, EVP_CTRL_AEAD_GET_TAG, 16, out + n))
		return -EIO;
	return 0;
}
