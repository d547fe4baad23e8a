/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lpc_group.c - which classes share a table
 *
 * Each class of byte tokens begins as a group of its own; neighbours in the chain
 * below, whose distributions are alike, are merged for as long as what zstd is
 * expected to make of them gets smaller. In integers, so that it comes out the
 * same everywhere; a decoder takes any map.
 */
#include "store/lpc_internal.h"

#include <string.h>

#define CHAIN	   (LPC_CLASSES - LPC_BYTES)
#define TABLE_BITS 120 /* of a table, and of each symbol up to the highest */
#define SYMBOL_BITS 3

struct node {
	uint32_t n, hist[LPC_TOKENS];
	uint32_t classes; /* bits */
	uint64_t cost;	  /* bits */
};

/* First those whose low bits are split off from an odd number: their tokens are most alike. */
static const uint8_t chain[CHAIN] = { 6, 7, 8, 9, 11, 13, 15, 17, 19, 10, 12, 14, 16, 18 };

#define LOGS 4096
static uint32_t logs[LOGS]; /* of 0 (as 0) and so on, in 1/65536; written once */

static uint64_t log2q(uint32_t v)
{
	unsigned shift = v < LOGS ? 0 : 32 - (unsigned)__builtin_clz(v / LOGS);

	return ((uint64_t)shift << 16) + logs[v >> shift];
}

void lpc_group_init(void)
{
	for (uint32_t v = 1; v < LOGS; v++) {
		unsigned l = 31 - (unsigned)__builtin_clz(v);
		uint64_t m = (uint64_t)v << (31 - l); /* 1.31: squared, its doublings are the logarithm's digits */

		logs[v] = l << 16;
		for (int i = 15; i >= 0; i--) {
			m = m * m >> 31;
			if (m >> 32) {
				m >>= 1;
				logs[v] |= 1u << i;
			}
		}
	}
}

static void merged(const struct node *a, const struct node *b, struct node *ret)
{
	uint64_t bits = 0;
	unsigned symbols = 0;

	ret->n = a->n + b->n;
	ret->classes = a->classes | b->classes;
	for (unsigned i = 0; i < LPC_TOKENS; i++) {
		uint32_t c = a->hist[i] + b->hist[i];

		ret->hist[i] = c;
		bits += c * log2q(c);
		symbols = c ? i + 1 : symbols;
	}
	bits = (ret->n * log2q(ret->n) - bits) >> 16;
	bits += bits >> 8;
	ret->cost = (bits > ret->n ? bits : ret->n) + TABLE_BITS + SYMBOL_BITS * symbols;
}

static void count(struct lpc_enc *e)
{
	size_t i = 0;

	memset(e->hist, 0, sizeof(e->hist));
	for (; i + 4 <= e->n; i += 4)
		for (size_t j = 0; j < 4; j++)
			e->hist[j][e->class[i + j]][e->token[i + j]]++;
	for (; i < e->n; i++)
		e->hist[0][e->class[i]][e->token[i]]++;
	for (size_t c = 0; c < LPC_CLASSES; c++)
		for (size_t t = 0; t < LPC_TOKENS; t++)
			e->hist[0][c][t] += e->hist[1][c][t] + e->hist[2][c][t] + e->hist[3][c][t];
}

static unsigned nodes(struct lpc_enc *e, struct node *v, uint32_t class_n[LPC_CLASSES])
{
	static const struct node none;
	unsigned n = 0;

	for (unsigned c = 0; c < LPC_CLASSES; c++) {
		class_n[c] = 0;
		for (unsigned t = 0; t < LPC_TOKENS; t++)
			class_n[c] += e->hist[0][c][t];
	}
	for (unsigned i = 0; i < CHAIN; i++) {
		struct node one = { .n = class_n[chain[i]], .classes = 1u << chain[i] };

		if (!one.n)
			continue;
		memcpy(one.hist, e->hist[0][chain[i]], sizeof(one.hist));
		merged(&one, &none, &v[n++]);
	}
	return n;
}

/* Those two neighbours that save most, again and again. */
static unsigned merge(struct node *v, unsigned n)
{
	struct node pair[CHAIN];

	for (unsigned i = 0; i + 1 < n; i++)
		merged(&v[i], &v[i + 1], &pair[i]);
	while (n > 1) {
		uint64_t best = 0;
		unsigned at = 0;

		for (unsigned i = 0; i + 1 < n; i++)
			if (v[i].cost + v[i + 1].cost > pair[i].cost + best) {
				best = v[i].cost + v[i + 1].cost - pair[i].cost;
				at = i;
			}
		if (!best)
			break;
		v[at] = pair[at];
		n--;
		memmove(&v[at + 1], &v[at + 2], (n - at - 1) * sizeof(*v));
		memmove(&pair[at], &pair[at + 1], (n - at - 1) * sizeof(*v));
		if (at)
			merged(&v[at - 1], &v[at], &pair[at - 1]);
		if (at + 1 < n)
			merged(&v[at], &v[at + 1], &pair[at]);
	}
	return n;
}

void lpc_group(struct lpc_enc *e)
{
	uint32_t class_n[LPC_CLASSES];
	struct node v[CHAIN];
	uint8_t *at = e->tokens;
	unsigned n;

	count(e);
	n = merge(v, nodes(e, v, class_n));
	e->ngroups = 2 + (n ? n : 1);
	memset(e->group, 2, sizeof(e->group)); /* also of classes that do not occur */
	memset(e->group, 1, LPC_BYTES);
	e->group[0] = 0;
	memset(e->count, 0, sizeof(e->count));
	for (unsigned g = 0; g < n; g++)
		for (unsigned c = LPC_BYTES; c < LPC_CLASSES; c++)
			if (v[g].classes >> c & 1)
				e->group[c] = (uint8_t)(2 + g);
	for (unsigned c = 0; c < LPC_CLASSES; c++)
		e->count[e->group[c]] += class_n[c];
	for (unsigned g = 0; g < LPC_GROUPS; g++) {
		e->bytes[g] = g == 0 ? (e->count[0] + 7) / 8 : g == 1 ? (e->count[1] + 1) / 2 : e->count[g];
		e->list[g] = at;
		at += e->bytes[g] + 64; /* a vector is stored whole */
	}
}
