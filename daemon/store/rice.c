/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rice.c - the record, the paths, and the path in plain C
 *
 * flags u8 | CRC u32 | header u8 of each block | length u16 of each string | strings
 */
#include "store/rice_internal.h"

#include <errno.h>
#include <pthread.h>
#include <sodium.h>
#include <string.h>

#include "base/le.h"
#include "store/store_internal.h"

static bool differs[PATHS]; /* written once, by try_paths */

/* ---- plain C ---- */

static uint8_t zig(uint8_t r)
{
	return (uint8_t)((uint8_t)(r << 1) ^ (uint8_t)((int8_t)r >> 7));
}

/* What is left of an index by each predictor; three before it are there. */
static void values(const uint8_t *id, uint8_t z[RICE_PREDICTORS])
{
	int8_t d = (int8_t)(id[-1] - id[-2]), d2 = (int8_t)(id[-2] - id[-3]);
	uint8_t x = (uint8_t)(id[0] - id[-1]);

	z[0] = zig((uint8_t)(id[0] - 128));
	z[1] = zig(x);
	z[2] = zig((uint8_t)(x - (d >> 1)));
	z[3] = zig((uint8_t)(x - d + (d2 >> 1)));
}

struct strings {
	uint64_t acc[RICE_LANES];
	unsigned n[RICE_LANES];
};

static void put(struct rice_enc *e, struct strings *s, unsigned l, uint32_t code, unsigned len)
{
	s->acc[l] |= (uint64_t)code << s->n[l];
	s->n[l] += len;
	if (s->n[l] < 32)
		return;
	e->lane[l * e->stride + e->bits[l] / 32] = (uint32_t)s->acc[l];
	e->bits[l] += 32;
	s->acc[l] >>= 32;
	s->n[l] -= 32;
}

static void put_values(struct rice_enc *e, struct strings *s, const uint8_t *z, size_t m, unsigned k)
{
	for (size_t i = 0; i < m; i++) {
		unsigned l = (unsigned)(i / 2 % RICE_LANES), q = z[i] >> k;
		uint32_t low = z[i] & ((1U << k) - 1);

		if (q >= RICE_ONES)
			put(e, s, l, 0xff | (uint32_t)z[i] << RICE_ONES, RICE_ONES + 8);
		else
			put(e, s, l, ((1U << q) - 1) | low << (q + 1), q + 1 + k);
	}
}

void rice_blocks_plain(struct rice_enc *e)
{
	struct strings s = { { 0 }, { 0 } };
	const uint8_t *id = rice_id(e);

	memset(e->bits, 0, sizeof(e->bits));
	for (size_t at = 0; at < e->n; at += RICE_BLOCK) {
		size_t m = e->n - at < RICE_BLOCK ? e->n - at : RICE_BLOCK;
		uint8_t z[RICE_PREDICTORS][RICE_BLOCK], one[RICE_PREDICTORS];
		uint32_t sum[RICE_PREDICTORS] = { 0 };
		unsigned best = 0, k;

		for (size_t i = 0; i < m; i++) {
			values(id + at + i, one);
			for (unsigned p = 0; p < RICE_PREDICTORS; p++) {
				z[p][i] = one[p];
				sum[p] += one[p];
			}
		}
		for (unsigned p = 1; p < RICE_PREDICTORS; p++)
			best = sum[p] < sum[best] ? p : best;
		k = sum[best] ? rice_parameter(sum[best], m) : RICE_NOTHING;
		e->head[at / RICE_BLOCK] = rice_head(k, best);
		if (k != RICE_NOTHING)
			put_values(e, &s, z[best], m, k);
	}
	for (unsigned l = 0; l < RICE_LANES; l++) {
		e->lane[l * e->stride + e->bits[l] / 32] = (uint32_t)s.acc[l];
		e->bits[l] += s.n[l];
	}
}

/* ---- paths ---- */

static void take(struct rice_enc *e, enum path path)
{
	e->blocks = rice_blocks_plain;
#ifdef __x86_64__
	if (path != PATH_PLAIN)
		e->blocks = path == PATH_AVX512 ? rice_blocks_avx512 : rice_blocks_avx2;
#endif
	e->path = path;
}

int rice_enc_path(struct rice_enc *e, enum path path)
{
	path = path_choose(differs, path);
	if (path == PATH_BEST)
		return -ENOTSUP;
	take(e, path);
	return 0;
}

enum path rice_enc_which(const struct rice_enc *e)
{
	return e->path;
}

static struct rice_enc *enc_make(void)
{
	struct rice_enc *e = path_alloc(sizeof(*e));

	if (!e)
		return NULL;
	_Static_assert(sizeof(*e) % 64 == 0, "so that vectors in it are aligned");
	memset(e->idbuf, 128, RICE_BEFORE);
	take(e, PATH_PLAIN);
	return e;
}

static size_t encode_on(void *encoder, enum path path, const uint8_t *words, size_t n, uint8_t *out, size_t room)
{
	take(encoder, path);
	return rice_encode(encoder, false, words, n, out, room);
}

static void try_paths(void)
{
	struct rice_enc *e = enc_make();

	path_try(differs, encode_on, e);
	rice_enc_free(e);
}

int rice_enc_new(struct rice_enc **ret)
{
	static pthread_once_t tried = PTHREAD_ONCE_INIT;
	struct rice_enc *e;

	pthread_once(&tried, try_paths);
	e = enc_make();
	if (!e)
		return -ENOMEM;
	(void)rice_enc_path(e, PATH_BEST); /* plain C is always there */
	*ret = e;
	return 0;
}

void rice_enc_free(struct rice_enc *e)
{
	sodium_free(e);
}

/* ---- the record ---- */

/* Monotone in amplitude: the top bit is the sign, low bits of negative words count downwards. */
static inline uint8_t index_of(uint8_t word, uint8_t flip)
{
	uint8_t u = word ^ flip;

	return (uint8_t)(u ^ (0x7f & ~(uint8_t)((int8_t)u >> 7)));
}

/* In blocks of 64, whose count the compiler knows, for the sake of vectors. */
static void expand(uint8_t *restrict id, const uint8_t *restrict words, size_t n, uint8_t flip)
{
	size_t at = 0;

	for (; at + 64 <= n; at += 64)
		for (size_t i = at; i < at + 64; i++)
			id[i] = index_of(words[i], flip);
	for (; at < n; at++)
		id[at] = index_of(words[at], flip);
}

size_t rice_encode(struct rice_enc *e, bool mu, const uint8_t *words, size_t n, uint8_t *out, size_t room)
{
	size_t blocks = (n + RICE_BLOCK - 1) / RICE_BLOCK, len = 1 + 4 + blocks + 2 * RICE_LANES;
	uint8_t *p = out + 5;

	if (n < RICE_MIN || n > RICE_MAX)
		return 0;
	e->n = n;
	e->stride = (uint32_t)(n / 32 + 4) | 1; /* odd: so that lanes do not meet in the cache */
	expand(rice_id(e), words, n, mu ? 0x7f : 0x55);
	e->blocks(e);
	for (unsigned l = 0; l < RICE_LANES; l++)
		len += (e->bits[l] + 7) / 8;
	if (len > room || len >= n)
		return 0;
	out[0] = mu;
	le32enc(out + 1, crc32c(0, words, n));
	memcpy(p, e->head, blocks);
	p += blocks;
	for (unsigned l = 0; l < RICE_LANES; l++, p += 2)
		le16enc(p, (uint16_t)((e->bits[l] + 7) / 8));
	for (unsigned l = 0; l < RICE_LANES; l++) {
		memcpy(p, e->lane + (size_t)l * e->stride, (e->bits[l] + 7) / 8);
		p += (e->bits[l] + 7) / 8;
	}
	return len;
}
