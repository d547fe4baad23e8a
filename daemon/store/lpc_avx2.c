/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lpc_avx2.c - the encoder's steps with AVX2 and BMI2
 *
 * As lpc_avx512.c, with eight lanes: a tile is analysed in two halves.
 * What AVX-512 compresses goes eight bytes at a time through pext here.
 */
#include "store/lpc_internal.h"

#ifdef __x86_64__
#include <immintrin.h>
#include <string.h>

#define VEC    __attribute__((target("avx2,bmi2,popcnt")))
#define INLINE VEC __attribute__((always_inline))
#ifdef __clang__
#define UNROLL _Pragma("unroll")
#else
#define UNROLL _Pragma("GCC unroll 32")
#endif
#define LANES 8
#define PAIRS (LPC_WINDOW / 2)

#define LOAD128(p) _mm_loadu_si128((const __m128i *)(const void *)(p))
#define LOAD(p)	   _mm256_loadu_si256((const __m256i *)(const void *)(p))
#define STORE(p, v) _mm256_storeu_si256((__m256i *)(void *)(p), v)

/* Errors summed up to a sample (its own included), and what is behind them, see levels. */
struct sums {
	__m256i err, d2, d4, d8, d16[4], v;
};

/* Pairs of samples eight lanes ago and, moved by 2, 4 and 6 lanes, what came of them. */
struct pairs {
	__m256i now, by2, by4, by6, old, old2, old4, old6;
};

/* Concatenation (now : before), n lanes back; middle is that by four lanes. */
#define MIDDLE(now, before)	  _mm256_permute2x128_si256(before, now, 0x21)
#define BACK(now, middle, n)	  _mm256_alignr_epi8(now, middle, 16 - 4 * (n))
#define BACK4(middle, before, n) _mm256_alignr_epi8(middle, before, 16 - 4 * (n))

INLINE static inline __m256i power(__m256i seg, __m128i table) /* table[seg] of each 16 bits; upper bytes become 0 */
{
	__m256i t = _mm256_broadcastsi128_si256(table);

	return _mm256_shuffle_epi8(t, _mm256_or_si256(seg, _mm256_set1_epi16((short)0x8000)));
}

/* lpc_linear of sixteen magnitudes. */
INLINE static inline __m256i linear(bool mu, __m256i m)
{
	const __m128i pow_mu = _mm_setr_epi8(1, 2, 4, 8, 16, 32, 64, (char)128, 0, 0, 0, 0, 0, 0, 0, 0),
		      pow_a = _mm_setr_epi8(1, 1, 2, 4, 8, 16, 32, 64, 0, 0, 0, 0, 0, 0, 0, 0);
	__m256i seg = _mm256_srli_epi16(m, 4), mant = _mm256_and_si256(m, _mm256_set1_epi16(15)), base;

	if (mu) {
		base = _mm256_add_epi16(_mm256_add_epi16(mant, mant), _mm256_set1_epi16(33));
		return _mm256_sub_epi16(_mm256_mullo_epi16(base, power(seg, pow_mu)), _mm256_set1_epi16(33));
	}
	base = _mm256_and_si256(_mm256_cmpgt_epi16(seg, _mm256_setzero_si256()), _mm256_set1_epi16(64));
	base = _mm256_add_epi16(_mm256_add_epi16(base, _mm256_set1_epi16(2)), _mm256_slli_epi16(mant, 2));
	return _mm256_mullo_epi16(base, power(seg, pow_a));
}

VEC static void expand(struct lpc_enc *e, const uint8_t *words)
{
	const __m256i flip = _mm256_set1_epi8(e->mu ? 0x7f : 0x55), low7 = _mm256_set1_epi8(127), limit = _mm256_set1_epi16(LPC_BIG - 1);
	int16_t *x = lpc_x(e);

	for (size_t i = 0; i < e->n; i += 32) {
		size_t left = e->n - i;
		uint8_t last[32] = { 0 };
		int16_t some[32];
		__m256i u, id, minus, big = _mm256_setzero_si256();

		if (left < 32)
			memcpy(last, words + i, left);
		u = _mm256_xor_si256(left < 32 ? LOAD(last) : LOAD(words + i), flip);
		minus = _mm256_cmpgt_epi8(_mm256_setzero_si256(), u); /* bit 7: positive */
		minus = _mm256_xor_si256(minus, _mm256_set1_epi8(-1));
		id = _mm256_xor_si256(u, _mm256_and_si256(minus, low7));
		if (e->nonz)
			id = _mm256_sub_epi8(id, minus);
		STORE(e->id + i, id);
		for (int h = 0; h < 2; h++) {
			__m256i m = _mm256_cvtepu8_epi16(h ? _mm256_extracti128_si256(u, 1) : _mm256_castsi256_si128(u)), v;
			__m256i s = _mm256_cvtepi8_epi16(h ? _mm256_extracti128_si256(minus, 1) : _mm256_castsi256_si128(minus));

			m = _mm256_and_si256(m, _mm256_set1_epi16(127));
			v = e->mu ? linear(true, m) : linear(false, m);
			STORE(some + 16 * h, _mm256_sub_epi16(_mm256_xor_si256(v, s), s));
		}
		if (left < 32)
			memset(some + left, 0, (32 - left) * sizeof(*some));
		for (int h = 0; h < 2; h++) {
			__m256i v = LOAD(some + 16 * h);

			big = _mm256_or_si256(big, _mm256_cmpgt_epi16(_mm256_abs_epi16(v), limit));
			STORE(x + i + 16 * h, v);
		}
		if (i % LPC_BLOCK == 0)
			e->big[4 + i / LPC_BLOCK] = 0;
		e->big[4 + i / LPC_BLOCK] |= !_mm256_testz_si256(big, big);
	}
}

/* Rows of eight lanes to columns. */
INLINE static inline void transpose(__m256i v[LANES])
{
	__m256i t[LANES];

	UNROLL for (int i = 0; i < 4; i++)
	{
		t[2 * i] = _mm256_unpacklo_epi32(v[2 * i], v[2 * i + 1]);
		t[2 * i + 1] = _mm256_unpackhi_epi32(v[2 * i], v[2 * i + 1]);
	}
	UNROLL for (int i = 0; i < 2; i++)
	{
		v[4 * i] = _mm256_unpacklo_epi64(t[4 * i], t[4 * i + 2]);
		v[4 * i + 1] = _mm256_unpackhi_epi64(t[4 * i], t[4 * i + 2]);
		v[4 * i + 2] = _mm256_unpacklo_epi64(t[4 * i + 1], t[4 * i + 3]);
		v[4 * i + 3] = _mm256_unpackhi_epi64(t[4 * i + 1], t[4 * i + 3]);
	}
	UNROLL for (int i = 0; i < 4; i++)
	{
		t[i] = _mm256_permute2x128_si256(v[i], v[4 + i], 0x20);
		t[4 + i] = _mm256_permute2x128_si256(v[i], v[4 + i], 0x31);
	}
	UNROLL for (int i = 0; i < LANES; i++) v[i] = t[i];
}

/* Eight windows as pairs of samples, a lane each; z is one sample later. Before both lie eight zeros. */
VEC static void windows(const int16_t *x, const uint8_t *big, __m256i *y, __m256i *z)
{
	for (int j = 0; j < PAIRS / LANES; j++) {
		const __m256i w = LOAD(lpc_window + 16 * j);
		__m256i v[LANES];

		UNROLL for (int b = 0; b < LANES; b++)
		{
			__m128i half = _mm_cvtsi32_si128(big[b - 1] | big[b - 2] | big[b - 3]);

			v[b] = _mm256_sra_epi16(_mm256_mulhrs_epi16(LOAD(x + LPC_BLOCK * b - LPC_WINDOW + 16 * j), w), half);
		}
		transpose(v);
		UNROLL for (int b = 0; b < LANES; b++)
		{
			y[8 * j + b] = v[b];
			z[8 * j + b] = _mm256_or_si256(_mm256_slli_epi32(v[b], 16), _mm256_srli_epi32(y[8 * j + b - 1], 16));
		}
	}
}

#define ADD(sum, a, b) _mm256_add_epi32(sum, _mm256_madd_epi16(a, b))

VEC static void correlate(const __m256i *y, const __m256i *z, __m256i r[LPC_ORDER + 1])
{
	__m256i sum[9];

	UNROLL for (int k = 0; k < 9; k++) sum[k] = _mm256_setzero_si256();
	for (int t = 0; t < PAIRS; t++) {
		__m256i now = y[t];

		UNROLL for (int k = 0; k < 9; k++) sum[k] = ADD(sum[k], now, y[t - k]);
	}
	UNROLL for (int k = 0; k < 9; k++) r[2 * k] = sum[k];
	UNROLL for (int k = 0; k < 8; k++) sum[k] = _mm256_setzero_si256();
	for (int t = 0; t < PAIRS; t++) {
		__m256i now = y[t];

		UNROLL for (int k = 0; k < 8; k++) sum[k] = ADD(sum[k], now, z[t - k]);
	}
	UNROLL for (int k = 0; k < 8; k++) r[2 * k + 1] = sum[k];
}

/* As lpc_levinson, operation by operation; a lane that stopped keeps what it has. */
VEC static void levinson(const __m256i R[LPC_ORDER + 1], int32_t pair[LPC_ORDER / 2][LPC_TILE])
{
	const __m256 one = _mm256_set1_ps(1), minus = _mm256_set1_ps(-1);
	__m256 r[LPC_ORDER + 1], a[LPC_ORDER + 1], err, go = _mm256_castsi256_ps(_mm256_set1_epi32(-1));

	UNROLL for (int i = 0; i <= LPC_ORDER; i++)
	{
		r[i] = _mm256_cvtepi32_ps(R[i]);
		a[i] = _mm256_setzero_ps();
	}
	err = r[0];
	UNROLL for (int i = 1; i <= LPC_ORDER; i++)
	{
		__m256 q[4], k, old[LPC_ORDER + 1];

		UNROLL for (int j = 0; j < 4; j++) q[j] = _mm256_setzero_ps();
		UNROLL for (int j = 1; j < i; j++) q[(j - 1) & 3] = _mm256_add_ps(q[(j - 1) & 3], _mm256_mul_ps(a[j], r[i - j]));
		k = _mm256_sub_ps(r[i], _mm256_add_ps(_mm256_add_ps(q[0], q[1]), _mm256_add_ps(q[2], q[3])));
		k = _mm256_div_ps(k, err);
		go = _mm256_and_ps(go, _mm256_and_ps(_mm256_cmp_ps(k, minus, _CMP_GT_OQ), _mm256_cmp_ps(k, one, _CMP_LT_OQ)));
		UNROLL for (int j = 1; j < i; j++) old[j] = a[j];
		UNROLL for (int j = 1; j < i; j++)
			a[j] = _mm256_blendv_ps(old[j], _mm256_sub_ps(old[j], _mm256_mul_ps(k, old[i - j])), go);
		a[i] = _mm256_and_ps(go, k);
		err = _mm256_blendv_ps(err, _mm256_mul_ps(err, _mm256_sub_ps(one, _mm256_mul_ps(k, k))), go);
	}
	for (int i = 0; i < LPC_ORDER / 2; i++) {
		__m256i c[2];

		for (int j = 0; j < 2; j++) {
			__m256 v = _mm256_mul_ps(a[2 * i + j + 1], _mm256_set1_ps(4096));

			v = _mm256_min_ps(_mm256_max_ps(v, _mm256_set1_ps(-32768)), _mm256_set1_ps(32767));
			c[j] = _mm256_cvtps_epi32(v);
		}
		/* the older sample's low, as it lies in memory */
		STORE(pair[i], _mm256_blend_epi16(c[1], _mm256_slli_epi32(c[0], 16), 0xaa));
	}
}

VEC static void coefficients(const int16_t *x, const uint8_t *big, int32_t pair[LPC_ORDER / 2][LPC_TILE])
{
	__m256i y[8 + PAIRS], z[8 + PAIRS], r[LPC_ORDER + 1], half, add;

	for (int i = 0; i < 8; i++)
		y[i] = z[i] = _mm256_setzero_si256();
	for (int h = 0; h < LPC_TILE / LANES; h++, x += LANES * LPC_BLOCK, big += LANES) {
		windows(x, big, y + 8, z + 8);
		correlate(y + 8, z + 8, r);
		half = _mm256_cvtepu8_epi32(_mm_or_si128(_mm_or_si128(_mm_loadl_epi64((const __m128i *)(const void *)(big - 1)),
								      _mm_loadl_epi64((const __m128i *)(const void *)(big - 2))),
							 _mm_loadl_epi64((const __m128i *)(const void *)(big - 3))));
		add = _mm256_srlv_epi32(_mm256_set1_epi32(256), _mm256_slli_epi32(half, 1));
		add = _mm256_add_epi32(_mm256_add_epi32(add, _mm256_srai_epi32(r[0], 13)), _mm256_set1_epi32(1));
		r[0] = _mm256_add_epi32(r[0], add);
		levinson(r, (int32_t(*)[LPC_TILE])(void *)&pair[0][h * LANES]);
	}
}

/* Of eight predictions: twice the index and the half; twice the step's exponent. */
INLINE static inline __m256i cells(bool mu, __m256i p, __m256i *ret_se2)
{
	__m256i sign = _mm256_srai_epi32(p, 31), q = _mm256_xor_si256(p, sign), bits, cell;

	if (mu) {
		q = _mm256_add_epi32(_mm256_min_epi32(q, _mm256_set1_epi32(8158)), _mm256_set1_epi32(33));
		bits = _mm256_castps_si256(_mm256_cvtepi32_ps(q));
		cell = _mm256_sub_epi32(_mm256_srli_epi32(bits, 18), _mm256_set1_epi32(132 * 32));
	} else {
		/* Below 64 the cells are those of 64 to 127, less sixteen. */
		__m256i small = _mm256_cmpgt_epi32(_mm256_set1_epi32(64), q);

		bits = _mm256_castps_si256(_mm256_cvtepi32_ps(_mm256_or_si256(q, _mm256_and_si256(small, _mm256_set1_epi32(64)))));
		cell = _mm256_sub_epi32(_mm256_srli_epi32(bits, 18), _mm256_set1_epi32(132 * 32));
		cell = _mm256_sub_epi32(cell, _mm256_and_si256(small, _mm256_set1_epi32(32)));
	}
	*ret_se2 = _mm256_slli_epi32(_mm256_sub_epi32(_mm256_srli_epi32(bits, 23), _mm256_set1_epi32(131)), 1);
	return _mm256_add_epi32(_mm256_xor_si256(cell, sign), _mm256_set1_epi32(256));
}

/* 2 floor(log2 v) and the bit below the top one, of what the errors up to each sample come to; moved on by one sample. */
INLINE static inline __m256i levels(struct sums *s, __m256i err)
{
	__m256i mid = MIDDLE(err, s->err), d2 = _mm256_add_epi32(err, BACK(err, mid, 1)), d4, d8, d16, d48, v, now;

	mid = MIDDLE(d2, s->d2);
	d4 = _mm256_add_epi32(d2, BACK(d2, mid, 2));
	d8 = _mm256_add_epi32(d4, MIDDLE(d4, s->d4));
	d16 = _mm256_add_epi32(d8, s->d8);
	d48 = _mm256_add_epi32(d16, _mm256_add_epi32(s->d16[1], s->d16[3]));
	v = _mm256_add_epi32(_mm256_slli_epi32(d4, 2), _mm256_slli_epi32(d4, 1));
	v = _mm256_add_epi32(_mm256_add_epi32(v, d16), _mm256_srli_epi32(d48, 1));
	v = _mm256_or_si256(v, _mm256_set1_epi32(1));
	mid = MIDDLE(v, s->v);
	now = BACK(v, mid, 1);
	*s = (struct sums){ err, d2, d4, d8, { d16, s->d16[0], s->d16[1], s->d16[2] }, v };
	/* v is below 2^24, so a float has it exactly: its exponent and the first bit behind it */
	return _mm256_sub_epi32(_mm256_srli_epi32(_mm256_castps_si256(_mm256_cvtepi32_ps(now)), 22), _mm256_set1_epi32(254));
}

/* Eight predictions. */
INLINE static inline __m256i predict(const int16_t *x, const __m256i c[LPC_ORDER / 2], struct pairs *s)
{
	__m256i p = _mm256_set1_epi32(2048), now, mid;
	struct pairs n;

	now = _mm256_cvtepu16_epi32(LOAD128(x - 2));
	now = _mm256_or_si256(now, _mm256_slli_epi32(_mm256_cvtepu16_epi32(LOAD128(x - 1)), 16));
	mid = MIDDLE(now, s->now);
	n = (struct pairs){ now, BACK(now, mid, 2), mid, BACK4(mid, s->now, 2), s->now, s->by2, s->by4, s->by6 };
	p = ADD(p, n.now, c[0]);
	p = ADD(p, n.by2, c[1]);
	p = ADD(p, n.by4, c[2]);
	p = ADD(p, n.by6, c[3]);
	p = ADD(p, n.old, c[4]);
	p = ADD(p, n.old2, c[5]);
	p = ADD(p, n.old4, c[6]);
	p = ADD(p, n.old6, c[7]);
	*s = n;
	p = _mm256_srai_epi32(p, 12);
	return _mm256_min_epi32(_mm256_max_epi32(p, _mm256_set1_epi32(-8192)), _mm256_set1_epi32(8191));
}

/* Four times eight numbers of 0 to 511 to bytes, without bit 8. */
INLINE static inline __m256i bytes(const __m256i v[4])
{
	__m256i a = _mm256_packus_epi32(v[0], v[1]), b = _mm256_packus_epi32(v[2], v[3]);

	return _mm256_permutevar8x32_epi32(_mm256_packus_epi16(a, b), _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
}

/* 32 values, their classes and tokens. */
INLINE static inline void tokens(struct lpc_enc *e, size_t at, __m256i z, __m256i class)
{
	__m256i k = _mm256_srli_epi16(_mm256_subs_epu8(class, _mm256_set1_epi8(9)), 1), t = z, limit;

	/* blendv looks at the top bit of each byte */
	t = _mm256_blendv_epi8(t, _mm256_and_si256(_mm256_srli_epi16(t, 1), _mm256_set1_epi8(0x7f)), _mm256_slli_epi16(k, 7));
	t = _mm256_blendv_epi8(t, _mm256_and_si256(_mm256_srli_epi16(t, 2), _mm256_set1_epi8(0x3f)), _mm256_slli_epi16(k, 6));
	t = _mm256_blendv_epi8(t, _mm256_and_si256(_mm256_srli_epi16(t, 4), _mm256_set1_epi8(0x0f)), _mm256_slli_epi16(k, 5));
	limit = _mm256_blendv_epi8(_mm256_set1_epi8(31), _mm256_set1_epi8(15), _mm256_cmpgt_epi8(_mm256_set1_epi8(LPC_BYTES), class));
	limit = _mm256_blendv_epi8(limit, _mm256_set1_epi8(1), _mm256_cmpeq_epi8(class, _mm256_setzero_si256()));
	STORE(e->z + at, z);
	STORE(e->class + at, class);
	STORE(e->token + at, _mm256_min_epu8(t, limit));
}

INLINE static inline void half_block(struct lpc_enc *e, bool mu, size_t at, const __m256i c[LPC_ORDER / 2], struct pairs *before,
				     struct sums *s)
{
	const int16_t *x = lpc_x(e) + at;
	__m256i pi4[4], half4[4], class4[4], pi, half, z;

	UNROLL for (int i = 0; i < 4; i++)
	{
		__m256i p = predict(x + LANES * i, c, before), se2, cell = cells(mu, p, &se2), class;

		class = levels(s, _mm256_abs_epi32(_mm256_sub_epi32(_mm256_cvtepi16_epi32(LOAD128(x + LANES * i)), p)));
		class = _mm256_sub_epi32(_mm256_sub_epi32(class, se2), _mm256_set1_epi32(4));
		class4[i] = _mm256_min_epi32(_mm256_max_epi32(class, _mm256_setzero_si256()), _mm256_set1_epi32(19));
		half4[i] = _mm256_and_si256(cell, _mm256_set1_epi32(1));
		pi4[i] = _mm256_and_si256(_mm256_srli_epi32(cell, 1), _mm256_set1_epi32(255));
	}
	pi = bytes(pi4);
	if (e->nonz) /* a byte below 128 is not negative */
		pi = _mm256_sub_epi8(pi, _mm256_cmpgt_epi8(pi, _mm256_set1_epi8(-1)));
	half = _mm256_sub_epi8(_mm256_setzero_si256(), bytes(half4));
	z = _mm256_sub_epi8(LOAD(e->id + at), pi);
	z = _mm256_sub_epi8(_mm256_xor_si256(z, half), half);
	z = _mm256_xor_si256(_mm256_add_epi8(z, z), _mm256_cmpgt_epi8(_mm256_setzero_si256(), z));
	tokens(e, at, z, bytes(class4));
}

INLINE static inline void block(struct lpc_enc *e, bool mu, size_t at, int32_t pair[LPC_ORDER / 2][LPC_TILE], size_t lane,
				struct pairs *before, struct sums *s)
{
	__m256i c[LPC_ORDER / 2];

	UNROLL for (int m = 0; m < LPC_ORDER / 2; m++) c[m] = _mm256_set1_epi32(pair[m][lane]);
	half_block(e, mu, at, c, before, s);
	half_block(e, mu, at + LPC_BLOCK / 2, c, before, s);
}

VEC static void tile(struct lpc_enc *e, size_t at)
{
	struct {
		struct sums s;
		struct pairs before;
	} *carry = (void *)e->carry;
	int32_t pair[LPC_ORDER / 2][LPC_TILE];
	struct pairs before = carry->before;
	struct sums s = carry->s;

	_Static_assert(sizeof(*carry) <= sizeof(e->carry), "fits");
	_Static_assert(6 * 4 + 16 + 48 / 2 == 64, "weights of the errors");
	if (!at) {
		const __m256i err = _mm256_set1_epi32(LPC_ERROR0), d16 = _mm256_slli_epi32(err, 4);

		memset(&before, 0, sizeof(before));
		s = (struct sums){ err, _mm256_slli_epi32(err, 1), _mm256_slli_epi32(err, 2), _mm256_slli_epi32(err, 3),
				   { d16, d16, d16, d16 }, _mm256_set1_epi32(64 * LPC_ERROR0 | 1) };
	}
	coefficients(lpc_x(e) + at, e->big + 4 + at / LPC_BLOCK, pair);
	for (size_t b = 0; b < LPC_TILE && at + b * LPC_BLOCK < e->n; b++) {
		if (e->mu)
			block(e, true, at + b * LPC_BLOCK, pair, b, &before, &s);
		else
			block(e, false, at + b * LPC_BLOCK, pair, b, &before, &s);
	}
	carry->before = before;
	carry->s = s;
}

/* ---- lists ---- */

/* table[class] of 32 classes; the table has 32 bytes */
INLINE static inline __m256i look_up(const uint8_t table[32], __m256i class)
{
	__m256i low = _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(LOAD128(table)), class);
	__m256i high = _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(LOAD128(table + 16)), class);

	return _mm256_blendv_epi8(low, high, _mm256_cmpgt_epi8(class, _mm256_set1_epi8(15)));
}

struct four {
	uint64_t v[4];
};

INLINE static inline struct four split(__m256i v)
{
	__m128i a = _mm256_castsi256_si128(v), b = _mm256_extracti128_si256(v, 1);

	return (struct four){ { (uint64_t)_mm_cvtsi128_si64(a), (uint64_t)_mm_extract_epi64(a, 1), (uint64_t)_mm_cvtsi128_si64(b),
				(uint64_t)_mm_extract_epi64(b, 1) } };
}

/* Those bytes of v whose place in which is all ones. */
INLINE static inline uint8_t *append(uint8_t *to, __m256i which, const struct four *v)
{
	struct four m = split(which);

	UNROLL for (int i = 0; i < 4; i++)
	{
		uint64_t some = _pext_u64(v->v[i], m.v[i]);

		memcpy(to, &some, 8);
		to += (unsigned)__builtin_popcountll(m.v[i]) / 8;
	}
	return to;
}

VEC static void scatter(struct lpc_enc *e)
{
	static const uint8_t places[64] = { 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
					    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255 };
	uint8_t groups[32] = { 0 }, limits[32] = { 0 }, masks[32] = { 0 }, *to[LPC_GROUPS], *escape = e->escape;
	struct lpc_bits low = { .p = e->low }, zero = { .p = e->list[0] };

	for (unsigned c = 0; c < LPC_CLASSES; c++) {
		groups[c] = e->group[c];
		limits[c] = (uint8_t)lpc_limit(c);
		masks[c] = (uint8_t)((1U << lpc_low(c)) - 1);
	}
	memcpy(to, e->list, sizeof(to));
	to[1] = e->nibble;
	for (size_t i = 0; i < e->n; i += 32) {
		__m256i here = LOAD(places + (e->n - i < 32 ? 32 - (e->n - i) : 0)), m;
		__m256i class = LOAD(e->class + i), token = LOAD(e->token + i), z = LOAD(e->z + i);
		__m256i group = _mm256_or_si256(look_up(groups, class), _mm256_xor_si256(here, _mm256_set1_epi8(-1)));
		struct four t = split(token), v = split(z), low4;

		m = _mm256_cmpeq_epi8(group, _mm256_setzero_si256());
		if (!_mm256_testz_si256(m, m)) {
			uint32_t which = (uint32_t)_mm256_movemask_epi8(m);
			uint32_t ones = (uint32_t)_mm256_movemask_epi8(_mm256_slli_epi16(token, 7)); /* tokens are 0 or 1 there */

			lpc_put_bits(&zero, _pext_u32(ones, which), (unsigned)__builtin_popcount(which));
		}
		for (unsigned g = 1; g < e->ngroups; g++) {
			m = _mm256_cmpeq_epi8(group, _mm256_set1_epi8((char)g));
			if (!_mm256_testz_si256(m, m))
				to[g] = append(to[g], m, &t);
		}
		m = _mm256_and_si256(here, _mm256_cmpeq_epi8(token, look_up(limits, class)));
		if (!_mm256_testz_si256(m, m))
			escape = append(escape, m, &v);
		m = _mm256_and_si256(here, look_up(masks, class));
		if (_mm256_testz_si256(m, m))
			continue;
		low4 = split(m);
		for (int k = 0; k < 4; k++)
			lpc_put_bits(&low, _pext_u64(v.v[k], low4.v[k]), (unsigned)__builtin_popcountll(low4.v[k]));
	}
	e->nlow = (size_t)(low.p - e->low) * 8 + low.n;
	e->nescape = (size_t)(escape - e->escape);
}

const struct lpc_path_ops lpc_avx2 = { expand, tile, scatter };
#endif
