/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lpc_avx512.c - the encoder's steps with AVX-512 (VBMI2, VNNI)
 *
 * The encoder has all samples beforehand, so nothing is serial: the sixteen
 * blocks of a tile are the lanes of the analysis, then each block is predicted
 * and classed sixteen samples at a time. Same results as lpc_plain.c.
 */
#include "store/lpc_internal.h"

#ifdef __x86_64__
#include <immintrin.h>
#include <string.h>

#define VEC __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vbmi2,avx512vnni,bmi2,popcnt")))
#define INLINE VEC __attribute__((always_inline))
#ifdef __clang__
#define UNROLL _Pragma("unroll")
#else
#define UNROLL _Pragma("GCC unroll 32")
#endif
#define PAIRS (LPC_WINDOW / 2)

/* Sums of errors up to a sample (its own included) and what is behind them, see classes. */
struct sums {
	__m512i err, d2, d4, d8, d16, d16b, v;
};

/* Concatenation (now : before), n lanes back. */
#define BACK(now, before, n) _mm512_alignr_epi32(now, before, 16 - (n))

VEC static void expand(struct lpc_enc *e, const uint8_t *words)
{
	const int16_t *t = e->linear[e->mu];
	const __m512i t0 = _mm512_loadu_si512(t), t1 = _mm512_loadu_si512(t + 32), t2 = _mm512_loadu_si512(t + 64),
		      t3 = _mm512_loadu_si512(t + 96), flip = _mm512_set1_epi8(e->mu ? 0x7f : 0x55),
		      low7 = _mm512_set1_epi8(127), limit = _mm512_set1_epi16(LPC_BIG);
	int16_t *x = lpc_x(e);

	for (size_t i = 0; i < e->n; i += 64) {
		__mmask64 here = e->n - i < 64 ? (1ULL << (e->n - i)) - 1 : ~0ULL, plus, low;
		__m512i u = _mm512_xor_si512(_mm512_maskz_loadu_epi8(here, words + i), flip), id;
		__mmask32 big = 0;

		plus = _mm512_movepi8_mask(u);
		id = _mm512_xor_si512(u, _mm512_maskz_mov_epi8(~plus, low7));
		low = ~plus & (e->nonz ? ~0ULL : 0);
		id = _mm512_mask_add_epi8(id, low, id, _mm512_set1_epi8(1));
		_mm512_store_si512(e->id + i, id);
		for (int h = 0; h < 2; h++) {
			__m512i m = _mm512_cvtepu8_epi16(h ? _mm512_extracti64x4_epi64(u, 1) : _mm512_castsi512_si256(u)), v;
			__mmask32 p = (__mmask32)(plus >> 32 * h);

			v = _mm512_mask_blend_epi16(_mm512_test_epi16_mask(m, _mm512_set1_epi16(64)),
						    _mm512_permutex2var_epi16(t0, m, t1), _mm512_permutex2var_epi16(t2, m, t3));
			big |= _mm512_cmpge_epi16_mask(v, limit) & (__mmask32)(here >> 32 * h);
			v = _mm512_mask_sub_epi16(v, ~p, _mm512_setzero_si512(), v);
			_mm512_mask_storeu_epi16(x + i + 32 * h, (__mmask32)(here >> 32 * h), v);
		}
		e->big[4 + i / 64] = big != 0;
	}
}

/* Rows of sixteen lanes to columns. */
INLINE static inline void transpose(__m512i v[16])
{
	__m512i t[16];

	UNROLL for (int i = 0; i < 8; i++)
	{
		t[2 * i] = _mm512_unpacklo_epi32(v[2 * i], v[2 * i + 1]);
		t[2 * i + 1] = _mm512_unpackhi_epi32(v[2 * i], v[2 * i + 1]);
	}
	UNROLL for (int i = 0; i < 4; i++)
	{
		v[4 * i] = _mm512_unpacklo_epi64(t[4 * i], t[4 * i + 2]);
		v[4 * i + 1] = _mm512_unpackhi_epi64(t[4 * i], t[4 * i + 2]);
		v[4 * i + 2] = _mm512_unpacklo_epi64(t[4 * i + 1], t[4 * i + 3]);
		v[4 * i + 3] = _mm512_unpackhi_epi64(t[4 * i + 1], t[4 * i + 3]);
	}
	UNROLL for (int i = 0; i < 4; i++)
	{
		t[i] = _mm512_shuffle_i32x4(v[i], v[4 + i], 0x88);
		t[4 + i] = _mm512_shuffle_i32x4(v[i], v[4 + i], 0xdd);
		t[8 + i] = _mm512_shuffle_i32x4(v[8 + i], v[12 + i], 0x88);
		t[12 + i] = _mm512_shuffle_i32x4(v[8 + i], v[12 + i], 0xdd);
	}
	UNROLL for (int i = 0; i < 4; i++)
	{
		v[i] = _mm512_shuffle_i32x4(t[i], t[8 + i], 0x88);
		v[8 + i] = _mm512_shuffle_i32x4(t[i], t[8 + i], 0xdd);
		v[4 + i] = _mm512_shuffle_i32x4(t[4 + i], t[12 + i], 0x88);
		v[12 + i] = _mm512_shuffle_i32x4(t[4 + i], t[12 + i], 0xdd);
	}
}

/* Sixteen windows as pairs of samples, a lane each. */
VEC static void windows(const int16_t *x, const uint8_t *big, __m512i y[PAIRS])
{
	for (int j = 0; j < PAIRS / 16; j++) {
		const __m512i w = _mm512_loadu_si512(lpc_window + 32 * j);

		UNROLL for (int b = 0; b < 16; b++)
		{
			__m128i half = _mm_cvtsi32_si128(big[b - 1] | big[b - 2] | big[b - 3]);
			__m512i v = _mm512_mulhrs_epi16(_mm512_loadu_si512(x + LPC_BLOCK * b - LPC_WINDOW + 32 * j), w);

			y[16 * j + b] = _mm512_sra_epi16(v, half);
		}
		transpose(y + 16 * j);
	}
}

/*
 * Even lags, then odd ones: pairs against pairs some pairs before, as they are and one sample later (so those
 * have the sample before in the lower half). Two passes, so that all of it stays in registers.
 */
VEC static void correlate(const __m512i y[PAIRS], __m512i r[LPC_ORDER + 1])
{
	__m512i old[9], sum[9];

	UNROLL for (int k = 0; k < 9; k++) old[k] = sum[k] = _mm512_setzero_si512();
	for (int t = 0; t < PAIRS; t++) {
		UNROLL for (int k = 8; k > 0; k--) old[k] = old[k - 1];
		old[0] = y[t];
		UNROLL for (int k = 0; k < 9; k++) sum[k] = _mm512_dpwssd_epi32(sum[k], old[0], old[k]);
	}
	UNROLL for (int k = 0; k < 9; k++)
	{
		r[2 * k] = sum[k];
		old[k] = sum[k] = _mm512_setzero_si512();
	}
	for (int t = 0; t < PAIRS; t++) {
		const __m512i now = y[t], before = t ? y[t - 1] : _mm512_setzero_si512();

		UNROLL for (int k = 7; k > 0; k--) old[k] = old[k - 1];
		old[0] = _mm512_shldi_epi32(now, before, 16);
		UNROLL for (int k = 0; k < 8; k++) sum[k] = _mm512_dpwssd_epi32(sum[k], now, old[k]);
	}
	UNROLL for (int k = 0; k < 8; k++) r[2 * k + 1] = sum[k];
}

/* As lpc_levinson, operation by operation; a lane that stopped keeps what it has. */
VEC static void levinson(const __m512i R[LPC_ORDER + 1], __m512i pair[LPC_ORDER / 2])
{
	const __m512 one = _mm512_set1_ps(1), minus = _mm512_set1_ps(-1);
	__m512 r[LPC_ORDER + 1], a[LPC_ORDER + 1], err;
	__mmask16 go = 0xffff;
	__m512i c[LPC_ORDER];

	UNROLL for (int i = 0; i <= LPC_ORDER; i++)
	{
		r[i] = _mm512_cvtepi32_ps(R[i]);
		a[i] = _mm512_setzero_ps();
	}
	err = r[0];
	UNROLL for (int i = 1; i <= LPC_ORDER; i++)
	{
		__m512 q[4], k, old[LPC_ORDER + 1];

		UNROLL for (int j = 0; j < 4; j++) q[j] = _mm512_setzero_ps();
		UNROLL for (int j = 1; j < i; j++)
			q[(j - 1) & 3] = _mm512_add_ps(q[(j - 1) & 3], _mm512_mul_ps(a[j], r[i - j]));
		k = _mm512_sub_ps(r[i], _mm512_add_ps(_mm512_add_ps(q[0], q[1]), _mm512_add_ps(q[2], q[3])));
		k = _mm512_div_ps(k, err);
		go &= _mm512_cmp_ps_mask(k, minus, _CMP_GT_OQ) & _mm512_cmp_ps_mask(k, one, _CMP_LT_OQ);
		UNROLL for (int j = 1; j < i; j++) old[j] = a[j];
		UNROLL for (int j = 1; j < i; j++) a[j] = _mm512_mask_sub_ps(a[j], go, old[j], _mm512_mul_ps(k, old[i - j]));
		a[i] = _mm512_mask_mov_ps(a[i], go, k);
		err = _mm512_mask_mul_ps(err, go, err, _mm512_sub_ps(one, _mm512_mul_ps(k, k)));
	}
	UNROLL for (int i = 0; i < LPC_ORDER; i++)
	{
		__m512 v = _mm512_mul_ps(a[i + 1], _mm512_set1_ps(4096));

		v = _mm512_min_ps(_mm512_max_ps(v, _mm512_set1_ps(-32768)), _mm512_set1_ps(32767));
		c[i] = _mm512_cvtps_epi32(v);
	}
	/* the older sample's low, as it lies in memory */
	UNROLL for (int i = 0; i < LPC_ORDER / 2; i++)
		pair[i] = _mm512_mask_blend_epi16(0xaaaaaaaa, c[2 * i + 1], _mm512_slli_epi32(c[2 * i], 16));
}

VEC static void coefficients(const int16_t *x, const uint8_t *big, int32_t pair[LPC_ORDER / 2][16])
{
	__m512i y[PAIRS], r[LPC_ORDER + 1], c[LPC_ORDER / 2], half, add;

	windows(x, big, y);
	correlate(y, r);
	half = _mm512_cvtepu8_epi32(_mm_or_si128(_mm_or_si128(_mm_loadu_si128((const __m128i *)(const void *)(big - 1)),
							      _mm_loadu_si128((const __m128i *)(const void *)(big - 2))),
						 _mm_loadu_si128((const __m128i *)(const void *)(big - 3))));
	add = _mm512_srlv_epi32(_mm512_set1_epi32(256), _mm512_slli_epi32(half, 1));
	add = _mm512_add_epi32(_mm512_add_epi32(add, _mm512_srai_epi32(r[0], 13)), _mm512_set1_epi32(1));
	r[0] = _mm512_add_epi32(r[0], add);
	levinson(r, c);
	for (int i = 0; i < LPC_ORDER / 2; i++)
		_mm512_storeu_si512(pair[i], c[i]);
}

/* Of sixteen predictions: twice the index and the half, without bit 8 of what is positive turned; exponent times 2. */
INLINE static inline __m512i cells(bool mu, __m512i p, __m512i *ret_se2)
{
	__m512i sign = _mm512_srai_epi32(p, 31), q = _mm512_xor_si512(p, sign), bits, cell;

	if (mu) {
		q = _mm512_add_epi32(_mm512_min_epi32(q, _mm512_set1_epi32(8158)), _mm512_set1_epi32(33));
		bits = _mm512_castps_si512(_mm512_cvtepi32_ps(q));
		cell = _mm512_sub_epi32(_mm512_srli_epi32(bits, 18), _mm512_set1_epi32(132 * 32));
	} else {
		/* Below 64 the cells are those of 64 to 127, less sixteen. */
		__mmask16 small = _mm512_cmplt_epi32_mask(q, _mm512_set1_epi32(64));

		bits = _mm512_castps_si512(_mm512_cvtepi32_ps(_mm512_mask_or_epi32(q, small, q, _mm512_set1_epi32(64))));
		cell = _mm512_sub_epi32(_mm512_srli_epi32(bits, 18), _mm512_set1_epi32(132 * 32));
		cell = _mm512_mask_sub_epi32(cell, small, cell, _mm512_set1_epi32(32));
	}
	*ret_se2 = _mm512_slli_epi32(_mm512_sub_epi32(_mm512_srli_epi32(bits, 23), _mm512_set1_epi32(131)), 1);
	return _mm512_add_epi32(_mm512_xor_si512(cell, sign), _mm512_set1_epi32(256));
}

/* 2 floor(log2 v) and the bit below the top one, of what the errors up to each sample come to; moved on by one sample. */
INLINE static inline __m512i levels(struct sums *s, __m512i err)
{
	__m512i d2 = _mm512_add_epi32(err, BACK(err, s->err, 1)), d4 = _mm512_add_epi32(d2, BACK(d2, s->d2, 2)),
		d8 = _mm512_add_epi32(d4, BACK(d4, s->d4, 4)), d16 = _mm512_add_epi32(d8, BACK(d8, s->d8, 8)),
		d48 = _mm512_add_epi32(d16, _mm512_add_epi32(s->d16, s->d16b)), v, now;

	v = _mm512_add_epi32(_mm512_slli_epi32(d4, 2), _mm512_slli_epi32(d4, 1));
	v = _mm512_add_epi32(_mm512_add_epi32(v, d16), _mm512_srli_epi32(d48, 1));
	v = _mm512_or_si512(v, _mm512_set1_epi32(1));
	now = BACK(v, s->v, 1);
	*s = (struct sums){ err, d2, d4, d8, d16, s->d16, v };
	/* v is below 2^24, so a float has it exactly: its exponent and the first bit behind it */
	return _mm512_sub_epi32(_mm512_srli_epi32(_mm512_castps_si512(_mm512_cvtepi32_ps(now)), 22), _mm512_set1_epi32(254));
}

/* 64 values, their classes and tokens. */
INLINE static inline void tokens(struct lpc_enc *e, size_t at, __m512i z, __m512i class)
{
	__m512i k = _mm512_srli_epi16(_mm512_subs_epu8(class, _mm512_set1_epi8(9)), 1), t = z, limit;

	k = _mm512_and_si512(k, _mm512_set1_epi8(7)); /* what came from the byte above */
	t = _mm512_mask_mov_epi8(t, _mm512_test_epi8_mask(k, _mm512_set1_epi8(1)),
				 _mm512_and_si512(_mm512_srli_epi16(t, 1), _mm512_set1_epi8(0x7f)));
	t = _mm512_mask_mov_epi8(t, _mm512_test_epi8_mask(k, _mm512_set1_epi8(2)),
				 _mm512_and_si512(_mm512_srli_epi16(t, 2), _mm512_set1_epi8(0x3f)));
	t = _mm512_mask_mov_epi8(t, _mm512_test_epi8_mask(k, _mm512_set1_epi8(4)),
				 _mm512_and_si512(_mm512_srli_epi16(t, 4), _mm512_set1_epi8(0x0f)));
	limit = _mm512_mask_mov_epi8(_mm512_set1_epi8(31), _mm512_cmplt_epu8_mask(class, _mm512_set1_epi8(LPC_BYTES)),
				     _mm512_set1_epi8(15));
	limit = _mm512_mask_mov_epi8(limit, _mm512_testn_epi8_mask(class, class), _mm512_set1_epi8(1));
	_mm512_store_si512(e->z + at, z);
	_mm512_store_si512(e->class + at, class);
	_mm512_store_si512(e->token + at, _mm512_min_epu8(t, limit));
}

INLINE static inline __m512i join(const __m128i v[4])
{
	__m512i r = _mm512_castsi128_si512(v[0]);

	r = _mm512_inserti32x4(r, v[1], 1);
	r = _mm512_inserti32x4(r, v[2], 2);
	return _mm512_inserti32x4(r, v[3], 3);
}

INLINE static inline void block(struct lpc_enc *e, bool mu, size_t at, int32_t pair[LPC_ORDER / 2][16], size_t lane, __m512i *before,
			     struct sums *s)
{
	const int16_t *x = lpc_x(e) + at;
	__m512i c[LPC_ORDER / 2], pi, z, one = _mm512_set1_epi8(1);
	__m128i pi4[4], class4[4];
	__mmask64 half = 0;

	UNROLL for (int m = 0; m < LPC_ORDER / 2; m++) c[m] = _mm512_set1_epi32(pair[m][lane]);
	UNROLL for (int i = 0; i < 4; i++)
	{
		const int16_t *xi = x + 16 * i;
		__m512i now = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)(const void *)(xi - 2)));
		__m512i p = _mm512_set1_epi32(2048), se2, cell, xn, class;

		now = _mm512_or_si512(now, _mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)(const void *)(xi - 1))), 16));
		p = _mm512_dpwssd_epi32(p, now, c[0]);
		p = _mm512_dpwssd_epi32(p, BACK(now, *before, 2), c[1]);
		p = _mm512_dpwssd_epi32(p, BACK(now, *before, 4), c[2]);
		p = _mm512_dpwssd_epi32(p, BACK(now, *before, 6), c[3]);
		p = _mm512_dpwssd_epi32(p, BACK(now, *before, 8), c[4]);
		p = _mm512_dpwssd_epi32(p, BACK(now, *before, 10), c[5]);
		p = _mm512_dpwssd_epi32(p, BACK(now, *before, 12), c[6]);
		p = _mm512_dpwssd_epi32(p, BACK(now, *before, 14), c[7]);
		*before = now;
		p = _mm512_srai_epi32(p, 12);
		p = _mm512_min_epi32(_mm512_max_epi32(p, _mm512_set1_epi32(-8192)), _mm512_set1_epi32(8191));
		cell = cells(mu, p, &se2);
		xn = _mm512_cvtepi16_epi32(_mm256_loadu_si256((const __m256i *)(const void *)xi));
		class = levels(s, _mm512_abs_epi32(_mm512_sub_epi32(xn, p)));
		class = _mm512_sub_epi32(_mm512_sub_epi32(class, se2), _mm512_set1_epi32(4));
		class = _mm512_min_epi32(_mm512_max_epi32(class, _mm512_setzero_si512()), _mm512_set1_epi32(19));
		half |= (__mmask64)_mm512_test_epi32_mask(cell, _mm512_set1_epi32(1)) << 16 * i;
		pi4[i] = _mm512_cvtepi32_epi8(_mm512_srli_epi32(cell, 1));
		class4[i] = _mm512_cvtepi32_epi8(class);
	}
	pi = join(pi4);
	if (e->nonz)
		pi = _mm512_mask_add_epi8(pi, ~_mm512_movepi8_mask(pi), pi, one);
	z = _mm512_sub_epi8(_mm512_load_si512(e->id + at), pi);
	z = _mm512_mask_sub_epi8(z, half, _mm512_setzero_si512(), z);
	z = _mm512_xor_si512(_mm512_add_epi8(z, z), _mm512_movm_epi8(_mm512_movepi8_mask(z)));
	tokens(e, at, z, join(class4));
}

VEC static void tile(struct lpc_enc *e, size_t at)
{
	struct {
		struct sums s;
		__m512i before;
	} *carry = (void *)e->carry;
	const __m512i err = _mm512_set1_epi32(LPC_ERROR0);
	int32_t pair[LPC_ORDER / 2][16];
	__m512i before = carry->before;
	struct sums s = carry->s;

	_Static_assert(sizeof(*carry) <= sizeof(e->carry), "fits");
	if (!at) {
		before = _mm512_setzero_si512();
		s = (struct sums){ err, _mm512_slli_epi32(err, 1), _mm512_slli_epi32(err, 2), _mm512_slli_epi32(err, 3),
				   _mm512_slli_epi32(err, 4), _mm512_slli_epi32(err, 4), _mm512_set1_epi32(64 * LPC_ERROR0 | 1) };
	}
	_Static_assert(6 * 4 + 16 + 48 / 2 == 64, "weights of the errors");
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

INLINE static inline void low_bits(struct lpc_bits *w, __m512i z, __m512i mask, __mmask64 some)
{
	uint64_t v[8], m[8];

	_mm512_storeu_si512(v, z);
	_mm512_storeu_si512(m, mask);
	for (int i = 0; i < 8; i++)
		if (some >> 8 * i & 255)
			lpc_put_bits(w, _pext_u64(v[i], m[i]), (unsigned)__builtin_popcountll(m[i]));
}

INLINE static inline uint8_t *append(uint8_t *to, __mmask64 which, __m512i v)
{
	_mm512_storeu_si512(to, _mm512_maskz_compress_epi8(which, v));
	return to + __builtin_popcountll(which);
}

VEC static void scatter(struct lpc_enc *e)
{
	uint8_t groups[64] = { 0 }, limits[64] = { 0 }, masks[64] = { 0 }, *to[LPC_GROUPS], *escape = e->escape;
	struct lpc_bits low = { .p = e->low }, zero = { .p = e->list[0] };
	__m512i vgroups, vlimits, vmasks;

	for (unsigned c = 0; c < LPC_CLASSES; c++) {
		groups[c] = e->group[c];
		limits[c] = (uint8_t)lpc_limit(c);
		masks[c] = (uint8_t)((1U << lpc_low(c)) - 1);
	}
	vgroups = _mm512_loadu_si512(groups);
	vlimits = _mm512_loadu_si512(limits);
	vmasks = _mm512_loadu_si512(masks);
	memcpy(to, e->list, sizeof(to));
	to[1] = e->nibble;
	for (size_t i = 0; i < e->n; i += 64) {
		__mmask64 here = e->n - i < 64 ? (1ULL << (e->n - i)) - 1 : ~0ULL, m;
		__m512i class = _mm512_load_si512(e->class + i), t = _mm512_load_si512(e->token + i), z = _mm512_load_si512(e->z + i);
		__m512i group = _mm512_permutexvar_epi8(class, vgroups), mask = _mm512_permutexvar_epi8(class, vmasks);

		m = _mm512_mask_testn_epi8_mask(here, group, group);
		if (m) {
			uint64_t ones = _mm512_test_epi8_mask(t, t);
			uint32_t m0 = (uint32_t)m, m1 = (uint32_t)(m >> 32);

			lpc_put_bits(&zero, _pext_u32((uint32_t)ones, m0), (unsigned)__builtin_popcount(m0));
			lpc_put_bits(&zero, _pext_u32((uint32_t)(ones >> 32), m1), (unsigned)__builtin_popcount(m1));
		}
		for (unsigned g = 1; g < e->ngroups; g++) {
			m = _mm512_mask_cmpeq_epi8_mask(here, group, _mm512_set1_epi8((char)g));
			if (m)
				to[g] = append(to[g], m, t);
		}
		m = _mm512_mask_cmpeq_epi8_mask(here, t, _mm512_permutexvar_epi8(class, vlimits));
		if (m)
			escape = append(escape, m, z);
		m = _mm512_mask_test_epi8_mask(here, mask, mask);
		if (m)
			low_bits(&low, z, _mm512_maskz_mov_epi8(here, mask), m);
	}
	e->nlow = (size_t)(low.p - e->low) * 8 + low.n;
	e->nescape = (size_t)(escape - e->escape);
}

const struct lpc_path_ops lpc_avx512 = { expand, tile, scatter };
#endif
