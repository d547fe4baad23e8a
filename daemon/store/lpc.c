/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lpc.c - the encoder's record: header, one zstd frame with a block per group, low bits, escapes
 *
 * flags u8 | map 7 | counts, low bits, escapes varint | CRC u32 | frame | low bits | escapes
 */
#include "store/lpc_internal.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sodium.h>

#include "base/le.h"
#include "store/store_internal.h"
#include "store/zmem.h"

#define HEADER_MAX (1 + 7 + 3 * (LPC_GROUPS + 2) + 4)
static bool differs[PATHS]; /* written once, by try_paths */

static void take(struct lpc_enc *e, enum path path)
{
	e->ops = &lpc_plain;
#ifdef __x86_64__
	if (path != PATH_PLAIN)
		e->ops = path == PATH_AVX512 ? &lpc_avx512 : &lpc_avx2;
#endif
	e->path = path;
}

int lpc_enc_path(struct lpc_enc *e, enum path path)
{
	path = path_choose(differs, path);
	if (path == PATH_BEST)
		return -ENOTSUP;
	take(e, path);
	return 0;
}

enum path lpc_enc_which(const struct lpc_enc *e)
{
	return e->path;
}

static struct lpc_enc *enc_make(void)
{
	struct lpc_enc *e = path_alloc(sizeof(*e));

	if (!e)
		return NULL;
	_Static_assert(sizeof(*e) % 64 == 0, "so that vectors in it are aligned");
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
	take(e, PATH_PLAIN);
	return e;
}

static size_t encode_on(void *encoder, enum path path, const uint8_t *words, size_t n, uint8_t *out, size_t room)
{
	take(encoder, path);
	return lpc_encode(encoder, false, words, n, out, room);
}

static void try_paths(void)
{
	struct lpc_enc *e = enc_make();

	lpc_group_init();
	path_try(differs, encode_on, e);
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
	(void)lpc_enc_path(e, PATH_BEST); /* plain C is always there */
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
