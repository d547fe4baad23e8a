/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * merkle.h - a hash tree over the lines of a day of the evidence log
 *
 * The tree of RFC 6962 section 2.1 with BLAKE2b-256: the hash of a leaf is BLAKE2b-256(0x00 | line without its LF), that of a
 * node BLAKE2b-256(0x01 | left | right), and the left part of n leaves is the largest power of two below n. Its root stands in the
 * day's signed root, so that one line can be shown to be the day's, by some 20 hashes and without the other lines.
 *
 * Leaves are added in order; memory grows with the logarithm of their number. One thread a tree.
 */
#ifndef MERKLE_H
#define MERKLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MERKLE_DEPTH 64

/* Zero-initialised: no leaf yet. May be copied. */
struct merkle {
	uint64_t n;
	uint8_t peak[MERKLE_DEPTH][32]; /* of the full subtrees, largest first: one for each bit that is set in n */
};
void merkle_add(struct merkle *m, const void *line, size_t n);
/* Of no leaves: BLAKE2b-256 of nothing. */
void merkle_root(const struct merkle *m, uint8_t ret[32]);

/* The audit path of one leaf, collected while leaves are added. */
struct merkle_path {
	struct merkle m;
	uint64_t index; /* of the leaf, from 0 */
	unsigned n;
	uint8_t hash[MERKLE_DEPTH][32]; /* lowest first */
};
/* Zero-initialised but for index. */
void merkle_path_add(struct merkle_path *p, const void *line, size_t n);
/* After the last leaf, once: completes the path and gives the root. False: there is no such leaf. */
bool merkle_path_end(struct merkle_path *p, uint8_t ret_root[32]);
/* The root that a line at this place of n leaves has by this path (RFC 9162 section 2.1.3.2). False: no such path. */
bool merkle_path_root(const void *line, size_t len, uint64_t index, uint64_t n, const uint8_t (*hash)[32], unsigned hashes,
		      uint8_t ret_root[32]);

#endif
