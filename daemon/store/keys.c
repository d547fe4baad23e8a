/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * keys.c - data keys in locked memory, public keys
 *
 * What makes a wrap is in wrap.c, what opens one in unwrap.c, and AES in seal.c and unseal.c, so that programs that only record, search, check
 * or destroy do not even link it.
 */
#include <errno.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/le.h"
#include "base/mutex.h"
#include "store/keyfile.h"

#define SLAB_KEYS 768 /* 72 KiB: a slab's guard pages cost little beside it */

int keys_init(void)
{
	return sodium_init() < 0 ? -EIO : 0;
}

/* ---- data keys ---- */

union cell {
	struct callkey call;
	struct partkey part;
	union cell *next;
};

struct slab {
	struct slab *next;
	union cell *cells; /* sodium_malloc: locked, guarded, never dumped */
};

struct keypool {
	pthread_mutex_t lock; /* guards both lists */
	struct slab *slabs;
	union cell *spare;
};

int keypool_new(struct keypool **ret)
{
	*ret = calloc(1, sizeof(**ret));
	if (!*ret)
		return -ENOMEM;
	mutex_init(&(*ret)->lock);
	return 0;
}

void keypool_free(struct keypool *p)
{
	struct slab *s, *next;

	if (!p)
		return;
	for (s = p->slabs; s; s = next) {
		next = s->next;
		sodium_free(s->cells); /* wipes */
		free(s);
	}
	pthread_mutex_destroy(&p->lock);
	free(p);
}

static int pool_grow(struct keypool *p)
{
	struct slab *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->cells = sodium_allocarray(SLAB_KEYS, sizeof(union cell));
	if (!s->cells) {
		free(s);
		return -ENOMEM;
	}
	for (size_t i = 0; i < SLAB_KEYS; i++) {
		s->cells[i].next = p->spare;
		p->spare = &s->cells[i];
	}
	s->next = p->slabs;
	p->slabs = s;
	return 0;
}

static union cell *cell_new(struct keypool *p)
{
	union cell *c = NULL;

	pthread_mutex_lock(&p->lock);
	if (p->spare || !pool_grow(p)) {
		c = p->spare;
		p->spare = c->next;
	}
	pthread_mutex_unlock(&p->lock);
	if (c)
		sodium_memzero(c, sizeof(*c));
	return c;
}

static void cell_free(struct keypool *p, union cell *c)
{
	if (!c)
		return;
	sodium_memzero(c, sizeof(*c));
	pthread_mutex_lock(&p->lock);
	c->next = p->spare;
	p->spare = c;
	pthread_mutex_unlock(&p->lock);
}

struct callkey *callkey_new(struct keypool *p)
{
	union cell *c = cell_new(p);

	return c ? &c->call : NULL;
}

struct partkey *partkey_new(struct keypool *p)
{
	union cell *c = cell_new(p);

	return c ? &c->part : NULL;
}

void partkey_derive(struct partkey *k)
{
	crypto_kdf_derive_from_key(k->leg[0], 32, KEYS_SUB_CALLER, "optagcal", k->data);
	crypto_kdf_derive_from_key(k->leg[1], 32, KEYS_SUB_CALLEE, "optagcal", k->data);
}

void callkey_free(struct keypool *p, struct callkey *k)
{
	cell_free(p, (union cell *)(void *)k);
}

void partkey_free(struct keypool *p, struct partkey *k)
{
	cell_free(p, (union cell *)(void *)k);
}

/* ---- key files ---- */

void keyfile_id(const uint8_t pub[32], uint8_t id[8])
{
	uint8_t h[32];

	crypto_generichash(h, sizeof(h), pub, 32, NULL, 0);
	memcpy(id, h, 8);
}

/* The five lines of `kind`; anything else is refused. hex is wiped: it may be a private key. */
int keyfile_parse(const char *text, const char *kind, struct keyfile *ret)
{
	char head[32], idhex[24], hex[72], fmt[64];
	int n = -1, rc = -EBADMSG;

	snprintf(fmt, sizeof(fmt), "%s 1\npurpose", kind);
	if (!strncmp(text, fmt, strlen(fmt)) &&
	    sscanf(text, "%31s 1\npurpose %15s\nowner %63s\nid %23s\nkey %71s\n%n", head, ret->purpose,
		   ret->owner, idhex, hex, &n) == 5 &&
	    n > 0 && !text[n] && !hex_parse(idhex, 8, ret->id) && !hex_parse(hex, 32, ret->key))
		rc = 0;
	sodium_memzero(hex, sizeof(hex));
	return rc;
}

int pubkey_parse(const char *text, size_t n, struct pubkey *ret)
{
	struct keyfile f;

	if (strlen(text) != n || keyfile_parse(text, "optag-public-key", &f))
		return -EBADMSG;
	memcpy(ret->key, f.key, 32);
	keyfile_id(ret->key, ret->id);
	return memcmp(ret->id, f.id, 8) ? -EBADMSG : 0;
}

int pubkey_load(const struct root *r, const char *controller, enum store_purpose p,
		struct pubkey *ret, struct why *why)
{
	const char *owner[2] = { controller, "default" };
	char path[STORE_PATH_MAX], text[4097];
	size_t n;
	int rc;

	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "public/%s/%s.pub", owner[i], store_purpose_names[p]);
		rc = read_small(r->fd, path, text, sizeof(text) - 1, &n);
		if (rc == -ENOENT)
			continue;
		if (rc)
			return why_errno(why, rc, path, "cannot read public key");
		text[n] = 0;
		if (pubkey_parse(text, n, ret))
			return why_set(why, -EBADMSG, "%s: not a public key of optag (rule T-2)", path);
		return 0;
	}
	return why_set(why, -ENOKEY, "public/%s/%s.pub: no public key for this purpose", controller,
		       store_purpose_names[p]);
}

void keypair_make(enum store_purpose p, const char *owner, char pub_text[512], char secret_text[512])
{
	uint8_t pk[32], sk[32], id[8];
	char idhex[17], pkhex[65], skhex[65];

	crypto_box_keypair(pk, sk);
	keyfile_id(pk, id);
	hex_format(id, 8, idhex);
	hex_format(pk, 32, pkhex);
	hex_format(sk, 32, skhex);
	snprintf(pub_text, 512, "optag-public-key 1\npurpose %s\nowner %s\nid %s\nkey %s\n",
		 store_purpose_names[p], owner, idhex, pkhex);
	snprintf(secret_text, 512, "optag-private-key 1\npurpose %s\nowner %s\nid %s\nkey %s\n",
		 store_purpose_names[p], owner, idhex, skhex);
	sodium_memzero(sk, sizeof(sk));
	sodium_memzero(skhex, sizeof(skhex));
}

/* ---- wraps ---- */

size_t wrap_ad(const struct uid *uid, enum store_purpose p, uint32_t day, uint8_t out[WRAP_AD])
{
	memcpy(out, uid->b, 16);
	out[16] = (uint8_t)p;
	le32enc(out + 17, day);
	return WRAP_AD;
}

/* ---- numbers ---- */

/* Normalised text of at most n bytes into out; longer input is hashed as it is, in lower case. */
static size_t normalise(const char *s, size_t n, char *out)
{
	size_t len = 0, digits = 0;

	for (size_t i = 0; i < n; i++) {
		if (strchr(" -./()", s[i]))
			continue;
		if (s[i] >= '0' && s[i] <= '9')
			digits++;
		else if (s[i] != '+' || len)
			goto name;
		out[len++] = s[i];
	}
	if (!digits)
		goto name;
	if (len >= 9 && out[0] == '0' && out[1] == '0') {
		out[0] = '+';
		memmove(out + 1, out + 2, len - 2);
		len--;
	}
	return len;
name:
	for (size_t i = 0; i < n; i++)
		out[i] = s[i] >= 'A' && s[i] <= 'Z' ? (char)(s[i] + 32) : s[i];
	return n;
}

void number_hash(const uint8_t key[32], const char *number, uint8_t out[NUMBER_HASH])
{
	size_t n = strcspn(number, "@");
	char buf[256];

	if (n > sizeof(buf)) /* no number is that long; keep what can be told apart */
		n = sizeof(buf);
	n = normalise(number, n, buf);
	crypto_generichash(out, NUMBER_HASH, (const uint8_t *)buf, n, key, 32);
	sodium_memzero(buf, sizeof(buf));
}
