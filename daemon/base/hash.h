/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hash.h - keyed hash and an intrusive hash table
 *
 * hash_bytes is SipHash-1-3 under a random key of this process: hosts on the
 * wire choose Call-IDs and addresses, so an unkeyed hash could be flooded.
 * The table owns no element; it grows by doubling. A failed growth keeps the
 * old size (longer chains, never an error). Belongs to one thread.
 */
#ifndef HASH_H
#define HASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t hash_bytes(const void *p, size_t n);
/*
 * For a process that goes on with another's hashes. Setting: before the first hash_bytes of any thread, or -EBUSY and
 * nothing changed: tables that are filled already would lose what is in them.
 */
void hash_key_get(uint64_t ret[2]);
int hash_key_set(const uint64_t key[2]);

struct hnode {
	struct hnode *next;
	uint64_t hash;
};

struct htab {
	struct hnode **slot;
	size_t mask; /* slots - 1 */
	size_t count;
};

int htab_init(struct htab *t, size_t slots_hint); /* -ENOMEM */
void htab_free(struct htab *t);
void htab_add(struct htab *t, struct hnode *n, uint64_t hash);
void htab_del(struct htab *t, struct hnode *n); /* n must be in t */
/* First element with this hash; walk on with htab_next. The caller compares keys. */
struct hnode *htab_first(const struct htab *t, uint64_t hash);
struct hnode *htab_next(const struct hnode *n);

#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

#endif
