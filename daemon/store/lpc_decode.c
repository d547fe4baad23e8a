/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lpc_decode.c - code words from a record
 *
 * Nothing of a record is believed: lists have room for a token of each sample
 * whatever their counts say, low bits and escapes have zeros behind them, and
 * whether everything was used up exactly is looked at in the end, before the CRC.
 * A sample depends on the one before through everything here, so what counts
 * is the length of that chain: tables instead of arithmetic.
 */
#include "store/lpc_internal.h"

#include <errno.h>
#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/le.h"
#include "store/store_internal.h"
#include "store/zmem.h"

#define CELLS 16384 /* predictions */

/* A-law, mu-law, mu-law without a negative zero; written once. */
static struct law {
	uint16_t cell[CELLS]; /* twice the index and the half; the step's exponent from bit 9 on */
	int16_t x[256];	      /* of an index */
	uint8_t word[256];
} laws[3];

struct lpc_dec {
	ZSTD_DCtx *zstd;
	/* of the record */
	size_t n;
	unsigned ngroups;
	uint8_t group[LPC_CLASSES];
	uint32_t count[LPC_GROUPS];
	size_t nlow, nescape;
	const uint8_t *next[LPC_GROUPS];
	uint32_t err[64 + LPC_BLOCK];
	uint8_t big[4 + LPC_MAX / LPC_BLOCK];
	int16_t xbuf[LPC_BEFORE + LPC_MAX + LPC_BLOCK];
	uint8_t frame[LPC_MAX + 16];		     /* as decompressed */
	uint8_t tokens[2 * LPC_MAX];		     /* a byte each; one list might be read n times from its end */
	uint8_t low[LPC_MAX * 5 / 8 + 64];
	uint8_t escape[LPC_MAX + LPC_BLOCK];
};

static void law_fill(struct law *l, bool mu, bool nonz)
{
	for (int32_t p = -8192; p < 8192; p++) {
		unsigned se, cell = lpc_cell(mu, p, &se);

		if (nonz && cell < 256)
			cell += 2;
		l->cell[p + 8192] = (uint16_t)(cell | se << 9);
	}
	for (unsigned i = 0; i < 256; i++) {
		uint8_t id = (uint8_t)(nonz && i < 128 ? i - 1 : i), u = id & 128 ? id : id ^ 127;
		int16_t x = lpc_linear(mu, u & 127);

		l->x[i] = (int16_t)(u & 128 ? x : -x);
		l->word[i] = u ^ (mu ? 0x7f : 0x55);
	}
}

static void laws_fill(void)
{
	for (int i = 0; i < 3; i++)
		law_fill(&laws[i], i > 0, i > 1);
}

int lpc_dec_new(struct lpc_dec **ret)
{
	static pthread_once_t filled = PTHREAD_ONCE_INIT;
	struct lpc_dec *d = sodium_init() < 0 ? NULL : sodium_malloc(sizeof(*d));

	pthread_once(&filled, laws_fill);
	if (!d)
		return -ENOMEM;
	memset(d, 0, sizeof(*d));
	d->zstd = zmem_dctx();
	if (!d->zstd) {
		lpc_dec_free(d);
		return -ENOMEM;
	}
	*ret = d;
	return 0;
}

void lpc_dec_free(struct lpc_dec *d)
{
	if (!d)
		return;
	ZSTD_freeDCtx(d->zstd);
	sodium_free(d);
}

/* ---- the lists ---- */

static const char *get_header(struct lpc_dec *d, struct rd *r, uint8_t *ret_flags, uint32_t *ret_crc)
{
	const uint8_t *map;
	uint64_t total = 0, v;

	*ret_flags = rd_u8(r);
	map = rd_bytes(r, 7);
	if (!map)
		return "record is too short";
	if ((*ret_flags & 15) != LPC_PROFILE || *ret_flags >> 6 || (*ret_flags >> 4 & 3) == 2)
		return "record has an unknown profile";
	d->ngroups = 2;
	memset(d->group, 1, sizeof(d->group));
	d->group[0] = 0;
	for (unsigned c = LPC_BYTES; c < LPC_CLASSES; c++) {
		unsigned g = map[(c - LPC_BYTES) / 2] >> 4 * (c & 1) & 15;

		if (g >= LPC_GROUPS - 2)
			return "map of groups out of bounds";
		d->group[c] = (uint8_t)(2 + g);
		d->ngroups = g + 3 > d->ngroups ? g + 3 : d->ngroups;
	}
	for (unsigned g = 0; g < d->ngroups; g++) {
		v = rd_varint(r);
		total += v <= d->n ? v : d->n + 1; /* sixteen of them do not overflow */
		d->count[g] = (uint32_t)v;
	}
	d->nlow = (size_t)rd_varint(r);
	d->nescape = (size_t)rd_varint(r);
	*ret_crc = rd_le32(r);
	if (r->bad || total != d->n || d->nlow > 5 * d->n || d->nescape > d->n)
		return "lists do not have a token of each sample";
	return NULL;
}

/* Group 0 is bits, group 1 nibbles; the others are copied, so that all lie behind one another. */
static void unpack(struct lpc_dec *d)
{
	const uint8_t *from = d->frame;
	uint8_t *to = d->tokens;
	size_t rest = 0;

	d->next[0] = to;
	for (size_t i = 0; i < d->count[0]; i++)
		*to++ = from[i / 8] >> (i % 8) & 1;
	from += (d->count[0] + 7) / 8;
	d->next[1] = to;
	for (size_t i = 0; i < d->count[1]; i++)
		*to++ = from[i / 2] >> 4 * (i % 2) & 15;
	from += (d->count[1] + 1) / 2;
	for (unsigned g = 2; g < d->ngroups; g++) {
		d->next[g] = to + rest;
		rest += d->count[g];
	}
	memcpy(to, from, rest);
}

static const char *get_lists(struct lpc_dec *d, struct rd *r)
{
	size_t low = (d->nlow + 7) / 8, want = (d->count[0] + 7) / 8 + (d->count[1] + 1) / 2, got;
	const uint8_t *p;

	if (r->left < low + d->nescape)
		return "record is too short";
	for (unsigned g = 2; g < d->ngroups; g++)
		want += d->count[g];
	got = r->left - low - d->nescape;
	p = rd_bytes(r, got);
	got = ZSTD_decompressDCtx(d->zstd, d->frame, sizeof(d->frame), p, got);
	if (ZSTD_isError(got) || got != want)
		return "zstd frame does not decode";
	memcpy(d->low, rd_bytes(r, low), low);
	memset(d->low + low, 0, 16);
	memcpy(d->escape, rd_bytes(r, d->nescape), d->nescape);
	unpack(d);
	return NULL;
}

/* ---- samples ---- */

struct run {
	uint64_t bit; /* of low */
	const uint8_t *escape;
	uint32_t s4, s16, s48;
};

static unsigned level(const struct run *s)
{
	uint32_t v = (6 * s->s4 + s->s16 + (s->s48 >> 1)) | 1;
	unsigned l = 31 - (unsigned)__builtin_clz(v);

	return 2 * l + ((v << 1 >> l) & 1); /* the bit below the top one; v < 2^31 */
}

/* What is left of a value when its class is known. */
static unsigned get_z(struct lpc_dec *d, struct run *s, unsigned class)
{
	unsigned k = lpc_low(class), t = *d->next[d->group[class]]++;
	uint64_t low = le64dec(d->low + s->bit / 8) >> (s->bit % 8);
	unsigned z = t << k | ((unsigned)low & ((1u << k) - 1));

	s->bit += k;
	if (t == lpc_limit(class))
		z = *s->escape++;
	return z;
}

static void get_block(struct lpc_dec *d, const struct law *law, struct run *s, size_t at, size_t n,
		      const int16_t a[LPC_ORDER], uint8_t *out)
{
	int16_t *x = d->xbuf + LPC_BEFORE + at;
	uint32_t *err = d->err + 64;
	int bound = 0;

	for (size_t i = 0; i < n; i++) {
		uint32_t sum = 2048, e;
		unsigned cell, z, id;
		int32_t p, class;
		int m;

		for (int k = LPC_ORDER; k > 0; k--) /* the newest last */
			sum += (uint32_t)(a[k - 1] * x[(int)i - k]);
		p = (int32_t)sum >> 12;
		p = p < -8192 ? -8192 : p > 8191 ? 8191 : p;
		cell = law->cell[p + 8192];
		class = (int)level(s) - 2 * (int)(cell >> 9) - 4;
		class = class < 0 ? 0 : class > 19 ? 19 : class;
		z = get_z(d, s, (unsigned)class);
		m = (int)(z >> 1) ^ -(int)(z & 1);
		id = ((cell >> 1) + (unsigned)(cell & 1 ? -m : m)) & 255;
		x[i] = law->x[id];
		out[at + i] = law->word[id];
		e = (uint32_t)(x[i] > p ? x[i] - p : p - x[i]);
		err[i] = e;
		s->s4 += e - err[(int)i - 4];
		s->s16 += e - err[(int)i - 16];
		s->s48 += e - err[(int)i - 48];
		bound |= x[i] >= LPC_BIG || x[i] <= -LPC_BIG;
	}
	d->big[4 + at / LPC_BLOCK] = (uint8_t)bound;
	memmove(err - 48, err + LPC_BLOCK - 48, 48 * sizeof(*err));
}

static void get_samples(struct lpc_dec *d, const struct law *law, struct run *s, uint8_t *out)
{
	s->s4 = 4 * LPC_ERROR0;
	s->s16 = 16 * LPC_ERROR0;
	s->s48 = 48 * LPC_ERROR0;
	for (int i = 0; i < 64; i++)
		d->err[i] = LPC_ERROR0;
	for (size_t at = 0; at < d->n; at += LPC_BLOCK) {
		const uint8_t *big = d->big + 4 + at / LPC_BLOCK;
		int16_t a[LPC_ORDER];

		lpc_coefficients(d->xbuf + LPC_BEFORE + at, big[-1] | big[-2] | big[-3], a);
		get_block(d, law, s, at, d->n - at < LPC_BLOCK ? d->n - at : LPC_BLOCK, a, out);
	}
}

const char *lpc_decode(struct lpc_dec *d, const uint8_t *rec, size_t len, uint8_t *out, size_t n)
{
	struct rd r = { .p = rec, .left = len };
	struct run s = { .escape = d->escape };
	const uint8_t *end = d->tokens;
	const char *bad;
	uint8_t flags;
	uint32_t crc;

	if (n > LPC_MAX)
		return "record of too many samples";
	d->n = n;
	bad = get_header(d, &r, &flags, &crc);
	if (!bad)
		bad = get_lists(d, &r);
	if (bad)
		return bad;
	get_samples(d, &laws[flags >> 4 == 3 ? 2 : flags >> 4], &s, out);
	for (unsigned g = 0; g < d->ngroups; g++) {
		end += d->count[g];
		if (d->next[g] != end)
			return "lists do not fit the samples";
	}
	if (s.bit != d->nlow || s.escape != d->escape + d->nescape)
		return "low bits or escapes do not fit the samples";
	return crc32c(0, out, n) == crc ? NULL : "samples have another checksum";
}
