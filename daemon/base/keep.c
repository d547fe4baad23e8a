/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * keep.c - records in memory that outlives the process, see keep.h
 *
 * A block is in use when its `turn` is not 0, and that is stored last. Turns
 * count writings; of two whole records under one number the later turn is the
 * good one. Blocks in use but of no whole record are left over from a writing
 * that was cut short.
 */
#include "base/keep.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/siphash.h"

struct block {
	uint64_t turn; /* 0: free */
	uint32_t id;
	uint16_t part, parts;
	uint32_t len; /* of the record */
	uint8_t data[KEEP_BLOCK - 24];
	uint32_t sum; /* of all before */
};
_Static_assert(sizeof(struct block) == KEEP_BLOCK, "a block is one value of the map");

#define DATA	  (sizeof(((struct block *)0)->data))
#define PARTS_MAX ((KEEP_MAX + DATA - 1) / DATA)
#define NONE	  UINT32_MAX
#define HELD_BLOCKS 2u /* a new record of one block, and one to replace it by */

/* What is known of a record: found by its number. */
struct record {
	struct hnode node;
	uint32_t id;
	uint16_t parts;
	uint32_t first; /* block; the next are in keep.next */
};

struct keep {
	struct block *b;
	uint32_t n, free, nfree; /* free: first of the list */
	uint32_t *next;		 /* by block: the next part, or the next free one */
	struct record *rec;	 /* by first block */
	struct htab by_id;
	uint64_t turn;
	struct keep_figures fig;
};

static uint64_t id_hash(uint32_t id)
{
	return (uint64_t)id * 0x9e3779b97f4a7c15ULL; /* our own numbers: nobody chooses them */
}

/* Against writings cut short, not against forgery: the key is no secret. */
static uint32_t sum_of(const struct block *b)
{
	static const uint64_t key[2] = { 0x6f70746167, 0x6b656570 };

	return (uint32_t)siphash13(key, b, offsetof(struct block, sum));
}

static struct record *find(const struct keep *k, uint32_t id)
{
	struct hnode *n = htab_first(&k->by_id, id_hash(id));

	for (; n; n = htab_next(n)) {
		struct record *r = container_of(n, struct record, node);

		if (r->id == id)
			return r;
	}
	return NULL;
}

/* turn first, so that a cut between leaves a free block with rubbish and never the other way. */
static void block_free(struct keep *k, uint32_t i)
{
	__atomic_store_n(&k->b[i].turn, 0, __ATOMIC_RELEASE);
	explicit_bzero(&k->b[i], sizeof(k->b[i]));
	k->next[i] = k->free;
	k->free = i;
	k->nfree++;
}

static uint32_t block_take(struct keep *k)
{
	uint32_t i = k->free;

	k->free = k->next[i];
	k->nfree--;
	return i;
}

static void free_chain(struct keep *k, uint32_t first, uint16_t parts)
{
	uint32_t i = first, next;

	while (parts--) {
		next = k->next[i];
		block_free(k, i);
		i = next;
	}
}

static void add_record(struct keep *k, uint32_t id, uint32_t first, uint16_t parts)
{
	struct record *r = &k->rec[first];

	r->id = id;
	r->first = first;
	r->parts = parts;
	htab_add(&k->by_id, &r->node, id_hash(id));
}

/* ---- adopting ---- */

static bool block_good(const struct block *b)
{
	return b->turn && b->len <= KEEP_MAX && b->parts && b->parts <= PARTS_MAX && b->part < b->parts &&
	       b->parts == (b->len + DATA - 1) / DATA + (b->len == 0) && b->sum == sum_of(b);
}

static const struct keep *sorting; /* qsort has no argument; adopting happens in one thread at start */

/* By number, latest turn first, then part. */
static int by_record(const void *a, const void *b)
{
	const struct block *x = &sorting->b[*(const uint32_t *)a], *y = &sorting->b[*(const uint32_t *)b];

	if (x->id != y->id)
		return x->id < y->id ? -1 : 1;
	if (x->turn != y->turn)
		return x->turn > y->turn ? -1 : 1;
	return (x->part > y->part) - (x->part < y->part);
}

/* Blocks order[0 .. n) begin one whole record: how many they are, or 0. */
static uint32_t whole(const struct keep *k, const uint32_t *order, uint32_t n)
{
	const struct block *f = &k->b[order[0]];
	uint32_t i;

	if (f->part || f->parts > n)
		return 0;
	for (i = 1; i < f->parts; i++) {
		const struct block *b = &k->b[order[i]];

		if (b->id != f->id || b->turn != f->turn || b->part != i || b->len != f->len)
			return 0;
	}
	return f->parts;
}

static void adopt_sorted(struct keep *k, const uint32_t *order, uint32_t n)
{
	uint32_t i = 0, j, parts;

	while (i < n) {
		const struct block *b = &k->b[order[i]];

		parts = find(k, b->id) ? 0 : whole(k, order + i, n - i);
		if (!parts) {
			k->fig.torn++;
			block_free(k, order[i++]);
			continue;
		}
		for (j = 0; j + 1 < parts; j++)
			k->next[order[i + j]] = order[i + j + 1];
		add_record(k, b->id, order[i], (uint16_t)parts);
		if (b->turn > k->turn)
			k->turn = b->turn;
		i += parts;
	}
}

static void adopt(struct keep *k, uint32_t *order)
{
	uint32_t i, n = 0;

	for (i = k->n; i-- > 0;) {
		if (block_good(&k->b[i])) {
			order[n++] = i;
		} else {
			k->fig.torn += k->b[i].turn != 0;
			block_free(k, i);
		}
	}
	sorting = k;
	qsort(order, n, sizeof(*order), by_record);
	sorting = NULL;
	adopt_sorted(k, order, n);
}

int keep_new(void *mem, size_t bytes, struct keep **ret)
{
	struct keep *k;
	uint32_t *order;

	if (bytes / KEEP_BLOCK == 0 || bytes / KEEP_BLOCK >= NONE)
		return -EINVAL;
	k = calloc(1, sizeof(*k));
	if (!k)
		return -ENOMEM;
	k->b = mem;
	k->n = (uint32_t)(bytes / KEEP_BLOCK);
	k->free = NONE;
	k->next = calloc(k->n, sizeof(*k->next));
	k->rec = calloc(k->n, sizeof(*k->rec));
	order = calloc(k->n, sizeof(*order));
	if (!k->next || !k->rec || !order || htab_init(&k->by_id, 1024)) {
		free(order);
		keep_free(k);
		return -ENOMEM;
	}
	adopt(k, order);
	free(order);
	*ret = k;
	return 0;
}

void keep_free(struct keep *k)
{
	if (!k)
		return;
	htab_free(&k->by_id);
	free(k->next);
	free(k->rec);
	free(k);
}

/* ---- writing ---- */

static void write_block(struct keep *k, uint32_t i, uint32_t id, uint16_t part, uint16_t parts, const uint8_t *p,
			size_t n)
{
	struct block b = { .turn = k->turn, .id = id, .part = part, .parts = parts, .len = (uint32_t)n };
	size_t off = (size_t)part * DATA, len = n - off < DATA ? n - off : DATA;

	if (len)
		memcpy(b.data, p + off, len);
	b.sum = sum_of(&b);
	memcpy((uint8_t *)&k->b[i] + sizeof(b.turn), (const uint8_t *)&b + sizeof(b.turn), sizeof(b) - sizeof(b.turn));
	__atomic_store_n(&k->b[i].turn, b.turn, __ATOMIC_RELEASE);
	explicit_bzero(&b, sizeof(b));
}

void keep_del(struct keep *k, uint32_t id)
{
	struct record *r = find(k, id);

	if (!r)
		return;
	htab_del(&k->by_id, &r->node);
	free_chain(k, r->first, r->parts);
}

/* What does not fit: no state is better than an old one, but of those that blocks are held back for. */
static int no_room(struct keep *k, uint32_t id, int e)
{
	k->fig.failed++;
	if (id < KEEP_HELD)
		keep_del(k, id);
	return e;
}

int keep_put(struct keep *k, uint32_t id, const void *p, size_t n)
{
	uint16_t parts, i;
	uint32_t first = NONE, last = NONE, b;

	if (n > KEEP_MAX)
		return no_room(k, id, -EMSGSIZE);
	parts = (uint16_t)((n + DATA - 1) / DATA + (n == 0));
	if (parts + (id < KEEP_HELD ? HELD_BLOCKS : 0) > k->nfree)
		return no_room(k, id, -ENOSPC);
	k->turn++;
	for (i = 0; i < parts; i++) {
		b = block_take(k);
		write_block(k, b, id, i, parts, p, n);
		if (first == NONE)
			first = b;
		else
			k->next[last] = b;
		last = b;
	}
	keep_del(k, id);
	add_record(k, id, first, parts);
	return 0;
}

/* ---- reading ---- */

int keep_each(struct keep *k, int (*cb)(void *arg, uint32_t id, const void *p, size_t n), void *arg)
{
	uint8_t *whole_rec = malloc(KEEP_MAX + DATA);
	int rc = whole_rec ? 0 : -ENOMEM;
	size_t s;

	for (s = 0; s <= k->by_id.mask && !rc; s++) {
		struct hnode *n, *next;

		for (n = k->by_id.slot[s]; n && !rc; n = next) {
			struct record *r = container_of(n, struct record, node);
			uint32_t b = r->first;
			uint16_t i;

			next = n->next;
			for (i = 0; i < r->parts; i++, b = k->next[b])
				memcpy(whole_rec + i * DATA, k->b[b].data, DATA);
			rc = cb(arg, r->id, whole_rec, k->b[r->first].len);
		}
	}
	if (whole_rec)
		explicit_bzero(whole_rec, KEEP_MAX + DATA);
	free(whole_rec);
	return rc;
}

void keep_clear(struct keep *k)
{
	size_t s;

	for (s = 0; s <= k->by_id.mask; s++) {
		while (k->by_id.slot[s])
			keep_del(k, container_of(k->by_id.slot[s], struct record, node)->id);
	}
}

void keep_figures(const struct keep *k, struct keep_figures *ret)
{
	*ret = k->fig;
	ret->records = k->by_id.count;
	ret->blocks = k->n;
	ret->used = k->n - k->nfree;
}
