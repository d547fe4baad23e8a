/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * record_hold.c - audio that waits in memory for a decision, see record_hold.h
 *
 * One mapping a chunk: what is known of it, then its packets and its payload, each encrypted under the call's key with the nonce of a
 * number that is used once. Plain they are in what was handed in, and in one locked buffer while they are handed on.
 */
#include "record_hold.h"

#include <errno.h>
#include <pthread.h>
#include <sodium.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/areas.h"
#include "base/le.h"
#include "media/chunker.h"
#include "store/keys.h"

#define TAG crypto_aead_chacha20poly1305_ietf_ABYTES

struct held {
	struct held *next;
	size_t size; /* of this mapping */
	unsigned leg;
	uint64_t number; /* its packets' nonce; the payload has the next */
	struct chunk c; /* packets and payload follow, each with its tag */
};

/* The first mapping has the list's end and key as well, so that an empty list costs nothing. */
struct hold {
	struct held *first, **last;
	struct partkey *key; /* data alone is used */
	uint64_t next;	     /* number */
};

/* `hold` lies in front of the first chunk: both go together. */
struct first {
	struct hold hold;
	struct held held;
};

/* Keys of what is held, of all calls of the process: they share pages that are locked and guarded. */
static struct keypool *keys;

static void make_keys(void)
{
	if (keys_init() || keypool_new(&keys))
		keys = NULL;
}

static struct partkey *new_key(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct partkey *k;

	(void)pthread_once(&once, make_keys);
	k = keys ? partkey_new(keys) : NULL;
	if (k)
		randombytes_buf(k->data, sizeof(k->data));
	return k;
}

static size_t packets_of(const struct chunk *k)
{
	return k->npkt * sizeof(*k->pkt);
}

static size_t size_of(const struct chunk *k, size_t head)
{
	return head + packets_of(k) + k->nbytes + 2 * TAG;
}

static void *map(size_t n, struct chunker_memory *m)
{
	void *p;

	if (m && m->limit && m->used + n > m->limit)
		return NULL;
	p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return NULL;
	(void)madvise(p, n, MADV_DONTDUMP);
	if (m)
		m->used += n;
	return p;
}

/* What is in it is nothing without its key. */
static void unmap(void *p, size_t n, struct chunker_memory *m)
{
	(void)munmap(p, n);
	if (m)
		m->used -= n;
}

/* For what is plain. One who may not lock memory reads a file that lies on the disk (areas_may_lock). */
static void *map_locked(size_t n)
{
	void *p = map(n, NULL);

	if (p && mlock2(p, n, 0) && areas_may_lock()) {
		(void)munmap(p, n);
		return NULL;
	}
	return p;
}

/* ---- plain and encrypted ---- */

static void nonce_of(uint64_t number, uint8_t out[crypto_aead_chacha20poly1305_ietf_NPUBBYTES])
{
	memset(out, 0, crypto_aead_chacha20poly1305_ietf_NPUBBYTES);
	le64enc(out, number);
}

static uint8_t *put(const struct hold *h, uint64_t number, const void *p, size_t n, uint8_t *to)
{
	uint8_t nonce[crypto_aead_chacha20poly1305_ietf_NPUBBYTES];

	nonce_of(number, nonce);
	(void)crypto_aead_chacha20poly1305_ietf_encrypt(to, NULL, p, n, NULL, 0, NULL, nonce, h->key->data); /* never fails */
	return to + n + TAG;
}

static const uint8_t *get(const struct hold *h, uint64_t number, const uint8_t *from, size_t n, void *to)
{
	uint8_t nonce[crypto_aead_chacha20poly1305_ietf_NPUBBYTES];

	nonce_of(number, nonce);
	return crypto_aead_chacha20poly1305_ietf_decrypt(to, NULL, NULL, from, n + TAG, NULL, 0, nonce, h->key->data) ? NULL : from + n + TAG;
}

static void fill(struct hold *h, struct held *e, unsigned leg, const struct chunk *k, size_t size)
{
	uint8_t *p = (uint8_t *)(e + 1);

	e->next = NULL;
	e->size = size;
	e->leg = leg;
	e->number = h->next;
	h->next += 2;
	e->c = *k;
	e->c.pkt = NULL;
	e->c.data = NULL;
	p = put(h, e->number, k->pkt, packets_of(k), p);
	(void)put(h, e->number + 1, k->data, k->nbytes, p);
}

/* Into room, which c points to then. */
static int open_chunk(const struct hold *h, const struct held *e, uint8_t *room, struct chunk *c)
{
	const uint8_t *p = (const uint8_t *)(e + 1);

	*c = e->c;
	c->pkt = (struct chunk_pkt *)(void *)room;
	c->data = room + packets_of(c);
	p = get(h, e->number, p, packets_of(c), c->pkt);
	if (p)
		p = get(h, e->number + 1, p, c->nbytes, c->data);
	return p ? 0 : -EBADMSG; /* somebody else writes in our memory */
}

/* ---- the list ---- */

int hold_add(struct hold **h, unsigned leg, const struct chunk *k, struct chunker_memory *m)
{
	size_t n = size_of(k, *h ? sizeof(struct held) : sizeof(struct first));
	struct held *e;

	if (*h) {
		e = map(n, m);
	} else {
		struct first *f = map(n, m);
		struct partkey *key = f ? new_key() : NULL;

		if (f && !key)
			unmap(f, n, m);
		e = key ? &f->held : NULL;
		if (key) {
			f->hold = (struct hold){ .last = &f->hold.first, .key = key };
			*h = &f->hold;
		}
	}
	if (!e)
		return -ENOBUFS;
	fill(*h, e, leg, k, n);
	*(*h)->last = e;
	(*h)->last = &e->next;
	return 0;
}

int hold_release(struct hold **h, int (*write)(void *arg, unsigned leg, const struct chunk *k), void *arg,
		 struct chunker_memory *m)
{
	size_t most = 0;
	struct chunk c;
	uint8_t *room;
	int e = 0;

	for (const struct held *k = *h ? (*h)->first : NULL; k; k = k->next)
		most = k->size > most ? k->size : most;
	room = most ? map_locked(most) : NULL;
	if (most && !room)
		e = -ENOMEM;
	for (const struct held *k = room ? (*h)->first : NULL; k && !e; k = k->next) {
		e = open_chunk(*h, k, room, &c);
		if (!e)
			e = write(arg, k->leg, &c);
	}
	if (room) {
		explicit_bzero(room, most);
		(void)munmap(room, most); /* unlocks it as well */
	}
	hold_wipe(h, m);
	return e;
}

void hold_wipe(struct hold **h, struct chunker_memory *m)
{
	struct held *first, *next;

	if (!*h || !(*h)->first)
		return;
	partkey_free(keys, (*h)->key); /* wipes */
	first = (*h)->first;
	for (struct held *k = first->next; k; k = next) {
		next = k->next;
		unmap(k, k->size, m);
	}
	unmap(*h, first->size, m);
	*h = NULL;
}
