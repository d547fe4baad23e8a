/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wrap.c - making wraps
 *
 * A key pair and a scalar multiplication for each wrap would be nearly all that a call's keys cost, so one pair serves the wraps of
 * a purpose for a second. Of the pair only the public half and what both sides derive from it are kept; the other half is
 * wiped as soon as that is derived.
 */
#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "base/clock.h"
#include "store/keyfile.h"

#define RECIPIENTS 128 /* public keys in use in one second; one more takes the place of the oldest */

_Static_assert(KEYS_WRAP == 32 + 24 + WRAP_INNER + crypto_box_MACBYTES, "wrap length of FORMAT.md");
_Static_assert(KEYS_WRAP_1 == WRAP_INNER + crypto_box_SEALBYTES, "wrap length of FORMAT.md");
_Static_assert(crypto_box_NONCEBYTES == 24 && crypto_box_PUBLICKEYBYTES == 32, "places in a wrap");

struct recipient {
	uint8_t key[32]; /* whose public key */
	uint8_t ours[crypto_box_PUBLICKEYBYTES];
	uint8_t shared[crypto_box_BEFORENMBYTES];
	uint64_t made_ns;
	uint32_t left; /* wraps it may still make; 0: all of it is zeros */
};

struct wrapper {
	uint8_t secret[crypto_box_SECRETKEYBYTES]; /* zeros but while a recipient is made */
	struct recipient r[RECIPIENTS];
};

int wrapper_new(struct wrapper **ret)
{
	struct wrapper *w = sodium_malloc(sizeof(*w)); /* locked, guarded, never dumped */

	if (!w)
		return -ENOMEM;
	sodium_memzero(w, sizeof(*w));
	*ret = w;
	return 0;
}

void wrapper_free(struct wrapper *w)
{
	sodium_free(w); /* wipes */
}

void wrapper_expire(struct wrapper *w, uint64_t now_ns)
{
	for (size_t i = 0; i < RECIPIENTS; i++)
		if (w->r[i].left && now_ns - w->r[i].made_ns >= WRAP_PAIR_NS)
			sodium_memzero(&w->r[i], sizeof(w->r[i]));
}

static int recipient_make(struct wrapper *w, struct recipient *r, const uint8_t key[32], uint64_t now_ns)
{
	int rc;

	sodium_memzero(r, sizeof(*r));
	crypto_box_keypair(r->ours, w->secret);
	rc = crypto_box_beforenm(r->shared, key, w->secret);
	sodium_memzero(w->secret, sizeof(w->secret));
	if (rc) {
		sodium_memzero(r, sizeof(*r));
		return -EBADMSG;
	}
	memcpy(r->key, key, 32);
	r->made_ns = now_ns;
	r->left = WRAP_PAIR_USES;
	return 0;
}

static int recipient_get(struct wrapper *w, const uint8_t key[32], uint64_t now_ns, struct recipient **ret)
{
	struct recipient *to = NULL;

	wrapper_expire(w, now_ns);
	for (size_t i = 0; i < RECIPIENTS; i++) {
		struct recipient *r = &w->r[i];

		if (r->left && !memcmp(r->key, key, 32)) {
			*ret = r;
			return 0;
		}
		if (!to || (to->left && (!r->left || r->made_ns < to->made_ns)))
			to = r;
	}
	*ret = to;
	return recipient_make(w, to, key, now_ns);
}

int wrap_make(struct wrapper *w, uint64_t now_ns, const struct pubkey *pub, const uint8_t key[32], const struct uid *uid,
	      enum store_purpose p, uint32_t day, const uint8_t data[32], uint8_t out[KEYS_WRAP])
{
	uint8_t inner[WRAP_INNER], ad[WRAP_AD];
	size_t adn = wrap_ad(uid, p, day, ad);
	struct recipient *r;
	int rc = recipient_get(w, pub->key, now_ns, &r);

	if (rc)
		return rc;
	randombytes_buf(inner, 24);
	crypto_aead_xchacha20poly1305_ietf_encrypt(inner + 24, NULL, data, 32, ad, adn, NULL, inner, key);
	memcpy(out, r->ours, 32);
	randombytes_buf(out + 32, 24);
	rc = crypto_box_easy_afternm(out + 56, inner, WRAP_INNER, out + 32, r->shared) ? -EBADMSG : 0;
	sodium_memzero(inner, sizeof(inner)); /* with the bucket's key, the data key */
	if (!--r->left)
		sodium_memzero(r, sizeof(*r));
	return rc;
}
