/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rice_internal.h - what the files of rice share
 *
 * A path does one thing: it fills head, and the sixteen bit strings as words of 32 bits. What it reads behind index n is
 * never seen; before the first index lie three of 128.
 */
#ifndef RICE_INTERNAL_H
#define RICE_INTERNAL_H

#include "store/rice.h"

#define RICE_BLOCK 128
#define RICE_LANES 16
#define RICE_PREDICTORS 4
#define RICE_ONES 8	   /* so many say: the eight bits of the value follow */
#define RICE_NOTHING 8	   /* in place of a parameter: all values of the block are 0 */
#define RICE_BEFORE 64	   /* in front of the first index; a multiple of 64 */
#define RICE_LANE_WORDS (RICE_MAX / 32 + 5)

struct rice_enc;

/* A block's header is its parameter and its predictor. */
static inline uint8_t rice_head(unsigned k, unsigned predictor)
{
	return (uint8_t)(k | predictor << 4);
}

/* The parameter of m values of this sum, which is not 0: the least whose 2^k m is 35/64 of it or more. */
static inline unsigned rice_parameter(uint32_t sum, size_t m)
{
	uint32_t x = (35 * sum - 1) / (uint32_t)(64 * m);
	unsigned k = x ? 32 - (unsigned)__builtin_clz(x) : 0;

	return k < 7 ? k : 7;
}

struct rice_enc {
	void (*blocks)(struct rice_enc *e);
	enum path path;
	size_t n;
	uint32_t stride;	   /* words of a lane */
	uint32_t bits[RICE_LANES]; /* of each string, when a path is done */
	uint8_t head[RICE_MAX / RICE_BLOCK];
	_Alignas(64) uint8_t idbuf[RICE_BEFORE + RICE_MAX + RICE_BLOCK];
	_Alignas(64) uint32_t lane[RICE_LANES * RICE_LANE_WORDS];
	uint8_t pad[64]; /* a lane's last word is written as a whole, and one behind it */
};

static inline uint8_t *rice_id(struct rice_enc *e)
{
	return e->idbuf + RICE_BEFORE;
}

void rice_blocks_plain(struct rice_enc *e);
void rice_blocks_avx2(struct rice_enc *e);
void rice_blocks_avx512(struct rice_enc *e);

#endif
