/* SPDX-License-Identifier: BSD-2-Clause */
/* hash.c - SipHash-1-3 (Aumasson, Bernstein 2012) and a chained table */
#include "base/hash.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/le.h"
#include "base/siphash.h"

static uint64_t hash_key[2];
static pthread_once_t hash_once = PTHREAD_ONCE_INIT;
static atomic_bool hash_used;

static void hash_seed(void)
{
	if (getrandom(hash_key, sizeof(hash_key), 0) != (ssize_t)sizeof(hash_key)) {
		/* Only very early in boot; a weak key costs speed under attack, nothing else. */
		struct timespec ts;

		clock_gettime(CLOCK_MONOTONIC, &ts);
		hash_key[0] ^= (uint64_t)ts.tv_nsec;
		hash_key[1] ^= (uint64_t)(uintptr_t)&ts;
	}
}

static uint64_t rotl(uint64_t v, int n)
{
	return v << n | v >> (64 - n);
}

static void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotl(v[1], 13) ^ v[0];
	v[0] = rotl(v[0], 32);
	v[2] += v[3];
	v[3] = rotl(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotl(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotl(v[1], 17) ^ v[2];
	v[2] = rotl(v[2], 32);
}

uint64_t siphash13(const uint64_t key[2], const void *data, size_t n)
{
	uint64_t v[4] = { key[0] ^ 0x736f6d6570736575ULL, key[1] ^ 0x646f72616e646f6dULL,
			  key[0] ^ 0x6c7967656e657261ULL, key[1] ^ 0x7465646279746573ULL };
	const uint8_t *p = data;
	uint8_t tail[8] = { 0 };
	size_t i;

	for (i = 0; i + 8 <= n; i += 8) {
		uint64_t m = le64dec(p + i);

		v[3] ^= m;
		sip_round(v);
		v[0] ^= m;
	}
	if (n > i)
		memcpy(tail, p + i, n - i);
	tail[7] = (uint8_t)n;
	v[3] ^= le64dec(tail);
	sip_round(v);
	v[0] ^= le64dec(tail);
	v[2] ^= 0xff;
	for (i = 0; i < 3; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

uint64_t hash_bytes(const void *p, size_t n)
{
	(void)pthread_once(&hash_once, hash_seed); /* cannot fail with a valid once */
	if (!atomic_load_explicit(&hash_used, memory_order_relaxed)) /* read only, from then on */
		atomic_store_explicit(&hash_used, true, memory_order_relaxed);
	return siphash13(hash_key, p, n);
}

void hash_key_get(uint64_t ret[2])
{
	(void)pthread_once(&hash_once, hash_seed);
	ret[0] = hash_key[0];
	ret[1] = hash_key[1];
}

int hash_key_set(const uint64_t key[2])
{
	(void)pthread_once(&hash_once, hash_seed);
	if (atomic_load_explicit(&hash_used, memory_order_relaxed))
		return -EBUSY;
	hash_key[0] = key[0];
	hash_key[1] = key[1];
	return 0;
}

int htab_init(struct htab *t, size_t slots_hint)
{
	size_t n = 16;

	while (n < slots_hint)
		n *= 2;
	t->slot = calloc(n, sizeof(*t->slot));
	if (!t->slot)
		return -ENOMEM;
	t->mask = n - 1;
	t->count = 0;
	return 0;
}

void htab_free(struct htab *t)
{
	free(t->slot);
	memset(t, 0, sizeof(*t));
}

static void htab_grow(struct htab *t)
{
	size_t n = (t->mask + 1) * 2, i;
	struct hnode **slot = calloc(n, sizeof(*slot));

	if (!slot)
		return;
	for (i = 0; i <= t->mask; i++) {
		struct hnode *e = t->slot[i], *next;

		for (; e; e = next) {
			next = e->next;
			e->next = slot[e->hash & (n - 1)];
			slot[e->hash & (n - 1)] = e;
		}
	}
	free(t->slot);
	t->slot = slot;
	t->mask = n - 1;
}

void htab_add(struct htab *t, struct hnode *n, uint64_t hash)
{
	if (t->count > t->mask)
		htab_grow(t);
	n->hash = hash;
	n->next = t->slot[hash & t->mask];
	t->slot[hash & t->mask] = n;
	t->count++;
}

void htab_del(struct htab *t, struct hnode *n)
{
	struct hnode **e = &t->slot[n->hash & t->mask];

	while (*e != n)
		e = &(*e)->next;
	*e = n->next;
	n->next = NULL;
	t->count--;
}

struct hnode *htab_first(const struct htab *t, uint64_t hash)
{
	struct hnode *e = t->slot[hash & t->mask];

	while (e && e->hash != hash)
		e = e->next;
	return e;
}

struct hnode *htab_next(const struct hnode *n)
{
	struct hnode *e = n->next;

	while (e && e->hash != n->hash)
		e = e->next;
	return e;
}
