/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lpc_internal.h - what the files of lpc share: sizes, the encoder's arrays, its paths
 *
 * A path is three steps over one chunk: expand (code words to linear samples and
 * indices), tile (sixteen blocks: coefficients, residual, class, token) and scatter (tokens to
 * their groups' lists, low bits, escapes). Between tile and scatter the groups are made (lpc_group),
 * afterwards lpc.c packs the lists. All but Levinson's recursion is integer
 * arithmetic, so a path may sum in any order. Samples before and behind the chunk
 * are zeros; what a path writes behind index n is never read.
 */
#ifndef LPC_INTERNAL_H
#define LPC_INTERNAL_H

#include <zstd.h>

#include "base/le.h"
#include "store/lpc.h"

#define LPC_PROFILE 4 /* order, block and window as follows */
#define LPC_ORDER   16
#define LPC_BLOCK   64	/* samples that share coefficients */
#define LPC_WINDOW  192 /* samples that these are made of */
#define LPC_TILE    16	/* blocks at once: a lane each */
#define LPC_BEFORE  256 /* zeros before the first sample; a multiple of 32 */
#define LPC_BEHIND  (LPC_TILE * LPC_BLOCK + 64)
#define LPC_CLASSES 20
#define LPC_BYTES   6  /* the first class whose tokens take a byte each */
#define LPC_TOKENS  32 /* tokens are below */
#define LPC_GROUPS  (2 + LPC_CLASSES - LPC_BYTES)
#define LPC_BIG	    4096 /* from this magnitude on a window is halved, so that its energy fits 32 bits */
#define LPC_ERROR0  8 /* prediction errors that are said to have been before the chunk */

/* Low bits that are sent as they are. */
static inline unsigned lpc_low(unsigned class)
{
	return class > 9 ? (class - 9) >> 1 : 0;
}

/* The token that says: the value follows as an escape. */
static inline unsigned lpc_limit(unsigned class)
{
	return !class ? 1 : class < LPC_BYTES ? 15 : 31;
}

struct lpc_enc;

struct lpc_path_ops {
	/* Fills x, id and big. */
	void (*expand)(struct lpc_enc *e, const uint8_t *words);
	/* Sixteen blocks from sample `at` on: fills z, class, token. */
	void (*tile)(struct lpc_enc *e, size_t at);
	/* Fills the lists of all groups (of group 0 bits, of group 1 bytes in nibble), low, escape. */
	void (*scatter)(struct lpc_enc *e);
};
extern const struct lpc_path_ops lpc_plain, lpc_avx2, lpc_avx512;

struct lpc_enc {
	const struct lpc_path_ops *ops;
	enum path path;
	ZSTD_CCtx *zstd;
	bool mu, nonz; /* law; mu-law without a negative zero */
	size_t n;
	int16_t linear[2][128]; /* of a magnitude, both laws */
	/* groups */
	uint8_t group[LPC_CLASSES];
	unsigned ngroups; /* 2 + those of byte tokens */
	uint32_t count[LPC_GROUPS], bytes[LPC_GROUPS];
	uint8_t *list[LPC_GROUPS]; /* in tokens[], 64 bytes of slack behind each */
	size_t nlow, nescape;	   /* bits; bytes */
	uint32_t hist[4][LPC_CLASSES][LPC_TOKENS]; /* summed up in the first */
	/* What a path needs of the tile before. */
	uint32_t err[64 + LPC_BLOCK];
	_Alignas(64) uint8_t carry[1024];
	uint8_t big[4 + (LPC_MAX + LPC_BEHIND) / LPC_BLOCK]; /* [4 + b]: block b has a sample of 4096 or more */
	_Alignas(64) int16_t xbuf[LPC_BEFORE + LPC_MAX + LPC_BEHIND];
	_Alignas(64) uint8_t id[LPC_MAX + LPC_BEHIND];
	_Alignas(64) uint8_t z[LPC_MAX + LPC_BEHIND];
	_Alignas(64) uint8_t class[LPC_MAX + LPC_BEHIND];
	_Alignas(64) uint8_t token[LPC_MAX + LPC_BEHIND];
	_Alignas(64) uint8_t tokens[LPC_MAX + 64 * (LPC_GROUPS + 1)];
	uint8_t nibble[LPC_MAX + 64]; /* group 1 before packing */
	uint8_t low[LPC_MAX * 5 / 8 + 64];
	uint8_t escape[LPC_MAX + 64];
};

/* lpc_group.c: the histogram, the map of classes to groups, where their lists begin. */
void lpc_group(struct lpc_enc *e);
void lpc_group_init(void); /* once in a process, before */
/* lpc_plain.c: x(0) .. x(order-1) are r(0..order); a: coefficients times 4096. */
void lpc_levinson(const int32_t r[LPC_ORDER + 1], int16_t a[LPC_ORDER]);
/* The coefficients of a block that begins at x; big: as in struct lpc_enc. */
void lpc_coefficients(const int16_t *x, bool big, int16_t a[LPC_ORDER]);
/* Linear value (14 bits) of a magnitude of 7 bits. */
int16_t lpc_linear(bool mu, unsigned magnitude);

/*
 * The cell of a prediction: twice the predicted index, plus 1 when the prediction lies in the
 * half of its cell that is farther from zero; the step's exponent in *ret_se.
 */
unsigned lpc_cell(bool mu, int32_t p, unsigned *ret_se);

extern const int16_t lpc_window[LPC_WINDOW];

/* Bits into memory, low ones first; 8 bytes behind the last one are written, too. */
struct lpc_bits {
	uint8_t *p;
	uint64_t acc;
	unsigned n; /* below 8 */
};

static inline void lpc_put_bits(struct lpc_bits *w, uint64_t v, unsigned n) /* n <= 56, v < 2^n */
{
	w->acc |= v << w->n;
	le64enc(w->p, w->acc);
	w->n += n;
	w->p += w->n / 8;
	w->acc >>= w->n & ~7U;
	w->n &= 7;
}

static inline int16_t *lpc_x(struct lpc_enc *e)
{
	return e->xbuf + LPC_BEFORE;
}

#endif
