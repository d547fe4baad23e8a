/* SPDX-License-Identifier: BSD-2-Clause */
/* merkle.c - a hash tree over the lines of a day, see merkle.h. Pure functions. */
#include "store/merkle.h"

#include <sodium.h>
#include <string.h>

static void leaf(const void *line, size_t n, uint8_t ret[32])
{
	static const unsigned char zero = 0;
	crypto_generichash_state s;

	crypto_generichash_init(&s, NULL, 0, 32);
	crypto_generichash_update(&s, &zero, 1);
	crypto_generichash_update(&s, line, n);
	crypto_generichash_final(&s, ret, 32);
}

/* ret may be left or right. */
static void node(const uint8_t left[32], const uint8_t right[32], uint8_t ret[32])
{
	unsigned char b[65];

	b[0] = 1;
	memcpy(b + 1, left, 32);
	memcpy(b + 33, right, 32);
	crypto_generichash(ret, 32, b, sizeof(b), NULL, 0);
}

static unsigned peaks(uint64_t n)
{
	return (unsigned)__builtin_popcountll(n);
}

void merkle_root(const struct merkle *m, uint8_t ret[32])
{
	unsigned k = peaks(m->n);

	if (!k) {
		crypto_generichash(ret, 32, NULL, 0, NULL, 0);
		return;
	}
	memcpy(ret, m->peak[--k], 32);
	while (k)
		node(m->peak[--k], ret, ret);
}

static void collect(struct merkle_path *p, const uint8_t hash[32])
{
	memcpy(p->hash[p->n++], hash, 32);
}

/* One more leaf: full subtrees of equal size become one. path may be NULL. */
static void grow(struct merkle *m, struct merkle_path *path, const void *line, size_t n)
{
	unsigned k = peaks(m->n);
	uint64_t first = m->n, size = 1; /* the subtree that grows: its first leaf, its leaves */
	uint8_t h[32];

	leaf(line, n, h);
	for (uint64_t full = m->n; full & 1; full >>= 1, size *= 2) {
		k--;
		if (path && path->index >= first && path->index - first < size)
			collect(path, m->peak[k]);
		else if (path && path->index >= first - size && path->index < first)
			collect(path, h);
		node(m->peak[k], h, h);
		first -= size;
	}
	memcpy(m->peak[k], h, 32);
	m->n++;
}

void merkle_add(struct merkle *m, const void *line, size_t n)
{
	grow(m, NULL, line, n);
}

void merkle_path_add(struct merkle_path *p, const void *line, size_t n)
{
	grow(&p->m, p, line, n);
}

bool merkle_path_end(struct merkle_path *p, uint8_t ret_root[32])
{
	const struct merkle *m = &p->m;
	unsigned k = peaks(m->n);
	uint64_t end = m->n, first; /* of the peak at hand */
	bool within = false;	    /* the leaf is in what was folded */

	if (p->index >= m->n)
		return false;
	for (uint64_t left = m->n; left; left &= left - 1) {
		uint64_t size = left & -left;

		k--;
		first = end - size;
		if (end == m->n) {
			memcpy(ret_root, m->peak[k], 32);
			within = p->index >= first;
		} else {
			if (within) {
				collect(p, m->peak[k]);
			} else if (p->index >= first) {
				collect(p, ret_root);
				within = true;
			}
			node(m->peak[k], ret_root, ret_root);
		}
		end = first;
	}
	return true;
}

bool merkle_path_root(const void *line, size_t len, uint64_t index, uint64_t n, const uint8_t (*hash)[32], unsigned hashes,
		      uint8_t ret_root[32])
{
	uint64_t at = index, last = n - 1;

	if (index >= n)
		return false;
	leaf(line, len, ret_root);
	for (unsigned i = 0; i < hashes; i++) {
		if (!last)
			return false;
		if (at & 1 || at == last) {
			node(hash[i], ret_root, ret_root);
			while (!(at & 1) && at) {
				at >>= 1;
				last >>= 1;
			}
		} else {
			node(ret_root, hash[i], ret_root);
		}
		at >>= 1;
		last >>= 1;
	}
	return !last;
}
