/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lpc.c - the encoder's record: header, one zstd frame with a block per group, low bits, escapes
 *
 * flags u8 | map 7 | counts, low bits, escapes varint | CRC u32 | frame | low bits | escapes
 */
#include "store/lpc_internal.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sodium.h>

#include "base/le.h"
#include "store/store_internal.h"
#include "store/zmem.h"

#define HEADER_MAX (1 + 7 + 3 * (LPC_GROUPS + 2) + 4)
#define TRIAL	   4000 /* samples of the sound that a path is tried on */

const char *const lpc_path_names[] = { "best", "plain C", "AVX2", "AVX-512" };

static bool differs[LPC_AVX512 + 1]; /* written once, by try_paths */

bool lpc_path_here(enum lpc_path path)
{
#ifdef __x86_64__
	if (path == LPC_AVX512)
		return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
		       __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vbmi") &&
		       __builtin_cpu_supports("avx512vbmi2") && __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("bmi2");
	if (path == LPC_AVX2)
		return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2");
#endif
	return path == LPC_PLAIN;
}

static const struct lpc_path_ops *path_ops(enum lpc_path path)
{
	if (!lpc_path_here(path))
		return NULL;
#ifdef __x86_64__
	if (path != LPC_PLAIN)
		return path == LPC_AVX512 ? &lpc_avx512 : &lpc_avx2;
#endif
	return &lpc_plain;
}

int lpc_enc_path(struct lpc_enc *e, enum lpc_path path)
{
	const struct lpc_path_ops *ops = NULL;

	if (path == LPC_BEST) {
		for (path = LPC_AVX512; !(ops = path_ops(path)) || differs[path]; path--)
			;
	} else {
		ops = differs[path] ? NULL : path_ops(path);
	}
	if (!ops)
		return -ENOTSUP;
	e->ops = ops;
	e->path = path;
	return 0;
}

enum lpc_path lpc_enc_which(const struct lpc_enc *e)
{
	return e->path;
}

static struct lpc_enc *enc_make(void)
{
	/* Audio is in it: locked, not dumped, wiped. It ends where a page does. */
	struct lpc_enc *e = sodium_init() < 0 ? NULL : sodium_malloc(sizeof(*e));

	if (!e)
		return NULL;
	_Static_assert(sizeof(*e) % 64 == 0, "so that vectors in it are aligned");
	memset(e, 0, sizeof(*e));
	e->zstd = zmem_cctx();
	if (!e->zstd) {
		lpc_enc_free(e);
		return NULL;
	}
	/* As in codec.c: only Huffman pays, and the tables are small. */
	ZSTD_CCtx_setParameter(e->zstd, ZSTD_c_compressionLevel, 1);
	ZSTD_CCtx_setParameter(e->zstd, ZSTD_c_windowLog, 17);
	ZSTD_CCtx_setParameter(e->zstd, ZSTD_c_hashLog, 6);
	ZSTD_CCtx_setParameter(e->zstd, ZSTD_c_minMatch, 7);
	ZSTD_CCtx_setParameter(e->zstd, ZSTD_c_strategy, ZSTD_fast);
	for (unsigned m = 0; m < 128; m++) {
		e->linear[0][m] = lpc_linear(false, m);
		e->linear[1][m] = lpc_linear(true, m);
	}
	e->ops = &lpc_plain;
	e->path = LPC_PLAIN;
	return e;
}

/* Does a path do what plain C does? A sound that reaches all classes, from silence to full scale. */
static void try_paths(void)
{
	struct lpc_enc *e = enc_make();
	uint8_t words[TRIAL], *want = malloc(2 * TRIAL), *got = want ? want + TRIAL : NULL;
	uint32_t noise = 1;

	lpc_group_init();
	for (size_t i = 0; i < TRIAL; i++) {
		noise = noise * 1664525 + 1013904223;
		words[i] = (uint8_t)(0xd5 ^ (i >> 5 & 127 & (noise >> 24)) ^ (i / 37 & 1) << 7);
	}
	for (enum lpc_path path = LPC_AVX2; path <= LPC_AVX512; path++) {
		size_t n[2] = { 0, 0 };

		differs[path] = true;
		if (!e || !want || !path_ops(path))
			continue;
		for (int i = 0; i < 2; i++) {
			e->ops = i ? path_ops(path) : &lpc_plain;
			n[i] = lpc_encode(e, true, words, TRIAL, i ? got : want, TRIAL);
		}
		differs[path] = n[0] != n[1] || !n[0] || memcmp(got, want, n[0]) != 0;
	}
	free(want);
	lpc_enc_free(e);
}

int lpc_enc_new(struct lpc_enc **ret)
{
	static pthread_once_t tried = PTHREAD_ONCE_INIT;
	struct lpc_enc *e;

	pthread_once(&tried, try_paths);
	e = enc_make();
	if (!e)
		return -ENOMEM;
	(void)lpc_enc_path(e, LPC_BEST); /* plain C is always there */
	*ret = e;
	return 0;
}

void lpc_enc_free(struct lpc_enc *e)
{
	if (!e)
		return;
	ZSTD_freeCCtx(e->zstd);
	sodium_free(e);
}

/* ---- the record ---- */

static uint8_t *put_varint(uint8_t *p, size_t v)
{
	for (; v > 127; v >>= 7)
		*p++ = (uint8_t)(v | 128);
	*p++ = (uint8_t)v;
	return p;
}

static size_t put_header(const struct lpc_enc *e, const uint8_t *words, uint8_t *out)
{
	uint8_t *p = out;

	*p++ = (uint8_t)(LPC_PROFILE | e->mu << 4 | e->nonz << 5);
	for (unsigned c = LPC_BYTES; c < LPC_CLASSES; c += 2)
		*p++ = (uint8_t)((e->group[c] - 2) | (e->group[c + 1] - 2) << 4);
	for (unsigned g = 0; g < e->ngroups; g++)
		p = put_varint(p, e->count[g]);
	p = put_varint(p, e->nlow);
	p = put_varint(p, e->nescape);
	le32enc(p, crc32c(0, words, e->n));
	return (size_t)(p + 4 - out);
}

/* Two to a byte, low nibble first. */
static void pack(struct lpc_enc *e)
{
	const uint8_t *from = e->nibble;
	uint8_t *to = e->list[1];

	e->nibble[e->count[1]] = 0;
	for (size_t i = 0; i < e->bytes[1]; i++)
		to[i] = (uint8_t)(from[2 * i] | from[2 * i + 1] << 4);
}

/* A block each, so a Huffman table each. 0: does not fit. */
static size_t put_frame(struct lpc_enc *e, uint8_t *out, size_t room)
{
	ZSTD_outBuffer o = { .dst = out, .size = room };
	size_t total = 0;
	unsigned last = 0;

	for (unsigned g = 0; g < e->ngroups; g++) {
		total += e->bytes[g];
		last = e->bytes[g] ? g : last;
	}
	ZSTD_CCtx_reset(e->zstd, ZSTD_reset_session_only);
	ZSTD_CCtx_setPledgedSrcSize(e->zstd, total);
	for (unsigned g = 0; g <= last; g++) {
		ZSTD_inBuffer i = { .src = e->list[g], .size = e->bytes[g] };

		if (!e->bytes[g])
			continue;
		/* Not 0: an error, or more to come than there is room for. */
		if (ZSTD_compressStream2(e->zstd, &o, &i, g == last ? ZSTD_e_end : ZSTD_e_flush))
			return 0;
	}
	return o.pos;
}

size_t lpc_encode(struct lpc_enc *e, bool mu, const uint8_t *words, size_t n, uint8_t *out, size_t room)
{
	size_t at, low, frame;

	if (n < LPC_MIN || n > LPC_MAX)
		return 0;
	e->n = n;
	e->mu = mu;
	e->nonz = mu && !memchr(words, 0x7f, n);
	memset(lpc_x(e) + n, 0, LPC_BEHIND * sizeof(int16_t));
	e->ops->expand(e, words);
	for (at = 0; at < n; at += LPC_TILE * LPC_BLOCK)
		e->ops->tile(e, at);
	lpc_group(e);
	e->ops->scatter(e);
	pack(e);
	room = room < n - 1 ? room : n - 1;
	low = (e->nlow + 7) / 8;
	if (room < HEADER_MAX + low + e->nescape)
		return 0;
	at = put_header(e, words, out);
	frame = put_frame(e, out + at, room - at - low - e->nescape);
	if (!frame)
		return 0;
	at += frame;
	memcpy(out + at, e->low, low);
	memcpy(out + at + low, e->escape, e->nescape);
	return at + low + e->nescape;
}
