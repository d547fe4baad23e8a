/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * keys.h - key material: keys of calls, key files, the two layers of a wrap, AES-GCM
 *
 * FORMAT.md sections 2 and 3. They live in locked memory that is wiped
 * when they are freed. Nothing here holds a private key except for the moment
 * of keys_unwrap. A keypool is for any thread, a sealer for one.
 */
#ifndef KEYS_H
#define KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/store_internal.h"

#define KEYS_WRAP   144
#define KEYS_WRAP_1 120 /* of a slot of version 1 */

#define PART_BOX  48 /* a key and its tag */

enum { KEYS_SUB_CALLER = 1, KEYS_SUB_CALLEE = 2, KEYS_SUB_NUMBERS = 16 };

int keys_init(void); /* libsodium; -EIO when it cannot start */

/* The keys of one call. */
struct callkey {
	uint8_t purpose[STORE_PURPOSES][32]; /* what a wrap holds; zero while a purpose has none */
	uint8_t numbers[32];
};

/* The key of one part of a call, and what is derived from it. */
struct partkey {
	uint8_t data[32];
	uint8_t leg[2][32];
};

/* Pool of both, any thread: guard pages and mlock per slab, not per call. */
struct keypool;
int keypool_new(struct keypool **ret);
void keypool_free(struct keypool *p); /* wipes all */
struct callkey *callkey_new(struct keypool *p); /* zeros; NULL: no memory */
struct partkey *partkey_new(struct keypool *p);
void partkey_derive(struct partkey *k); /* from data */
void callkey_free(struct keypool *p, struct callkey *k); /* wipes; NULL-tolerant */
void partkey_free(struct keypool *p, struct partkey *k);

/* A purpose's public key. */
struct pubkey {
	uint8_t key[32];
	uint8_t id[8];
};

/* public/CONTROLLER/PURPOSE.pub, else public/default/PURPOSE.pub. -ENOKEY. */
int pubkey_load(const struct root *r, const char *controller, enum store_purpose p,
		struct pubkey *ret, struct why *why);
int pubkey_parse(const char *text, size_t n, struct pubkey *ret); /* -EBADMSG */

/* Texts of a new pair; `secret` is wiped by the caller. */
void keypair_make(enum store_purpose p, const char *owner, char pub_text[512], char secret_text[512]);

/*
 * What wraps are made with: for each public key what it shares with a key pair of our own, in locked memory, used for a second
 * and so many wraps and then wiped: by the wrap after, by wrapper_expire, or by wrapper_free. So whoever calls wrap_make calls
 * wrapper_expire, too, when he makes none for a while. now_ns: mono_ns. One thread at a time.
 */
struct wrapper;
#define WRAP_PAIR_NS   1000000000ULL
#define WRAP_PAIR_USES 10000 /* of nonces of 192 random bits none comes twice */
int wrapper_new(struct wrapper **ret); /* -ENOMEM */
void wrapper_free(struct wrapper *w); /* wipes; NULL-tolerant */
void wrapper_expire(struct wrapper *w, uint64_t now_ns);
/* key: of the slot it is for (slot_key). -EBADMSG: no public key to wrap for. */
int wrap_make(struct wrapper *w, uint64_t now_ns, const struct pubkey *pub, const uint8_t key[32], const struct uid *uid,
	      enum store_purpose p, uint32_t day, const uint8_t data[32], uint8_t out[KEYS_WRAP]);

/*
 * Opens a wrap with the private key found in keys_dir (CONTROLLER/PURPOSE.key,
 * then PURPOSE.key). -ENOKEY none there, -EPERM others may read it,
 * -EKEYREJECTED not the key that this wrap was made for. key: of the slot;
 * n: the length of the wrap (slot_wrap_size).
 */
int wrap_open(const char *keys_dir, const char *controller, enum store_purpose p, uint32_t day,
	      const struct uid *uid, const uint8_t key_id[8], const uint8_t key[32],
	      const uint8_t *wrap, size_t n, uint8_t ret_data[32], struct why *why);

/* AES-256-GCM with a kept context. */
struct sealer;
int sealer_new(struct sealer **ret);
void sealer_free(struct sealer *s);
/* out gets n bytes and the 16-byte tag; in == out allowed. */
int seal(struct sealer *s, const uint8_t key[32], const uint8_t nonce[12], const uint8_t *ad,
	 size_t adn, const uint8_t *in, size_t n, uint8_t *out);
/* n: ciphertext without the tag that follows it. -EBADMSG: not authentic. */
int unseal(struct sealer *s, const uint8_t key[32], const uint8_t nonce[12], const uint8_t *ad,
	   size_t adn, const uint8_t *in, size_t n, uint8_t *out);

/* Keyed hash of the normalised number (FORMAT.md section 6). */
#define NUMBER_HASH 16
void number_hash(const uint8_t key[32], const char *number, uint8_t out[NUMBER_HASH]);

#endif
