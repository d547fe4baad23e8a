/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rice_avx512.c - rice's blocks with AVX-512
 *
 * The lanes of a vector are the sixteen strings. Two samples make one code of 32 bits at most, so a lane gets at most one
 * word full at a time, which a scatter stores.
 */
#include "store/rice_internal.h"

#ifdef __x86_64__
#include <immintrin.h>

#define VEC __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,bmi2,lzcnt")))
#define INLINE VEC __attribute__((always_inline))

/* The strings' ends: bits that fill no word yet, how many, and where (bytes from lane[]) they will go. */
struct ends {
	__m512i acc, n, at;
};

INLINE static inline __m512i zig(__m512i r)
{
	__m512i t = _mm512_add_epi8(r, r);

	return _mm512_mask_sub_epi8(t, _mm512_movepi8_mask(r), _mm512_set1_epi8(-1), t);
}

/* Signed bytes, halved downwards. */
INLINE static inline __m512i half(__m512i d)
{
	__m512i t = _mm512_srli_epi16(_mm512_xor_si512(d, _mm512_set1_epi8(-128)), 1);

	return _mm512_sub_epi8(_mm512_and_si512(t, _mm512_set1_epi8(127)), _mm512_set1_epi8(64));
}

/* 64 samples by each predictor; sums: sixteen bits for each in every lane. */
INLINE static inline __m512i values(const uint8_t *id, __mmask64 here, uint8_t *z)
{
	const __m512i zero = _mm512_setzero_si512();
	__m512i i0 = _mm512_loadu_si512(id), a1 = _mm512_loadu_si512(id - 1), a2 = _mm512_loadu_si512(id - 2),
		a3 = _mm512_loadu_si512(id - 3), x = _mm512_sub_epi8(i0, a1), d = _mm512_sub_epi8(a1, a2), d2 = _mm512_sub_epi8(a2, a3);
	__m512i v[RICE_PREDICTORS], sum = zero;

	v[0] = _mm512_sub_epi8(i0, _mm512_set1_epi8(-128));
	v[1] = x;
	v[2] = _mm512_sub_epi8(x, half(d));
	v[3] = _mm512_add_epi8(_mm512_sub_epi8(x, d), half(d2));
	for (int p = 0; p < RICE_PREDICTORS; p++) {
		v[p] = _mm512_maskz_mov_epi8(here, zig(v[p]));
		_mm512_store_si512(z + p * RICE_BLOCK, v[p]);
		sum = _mm512_or_si512(_mm512_slli_epi64(sum, 16), _mm512_sad_epu8(v[p], zero));
	}
	return sum;
}

/* 32 values to their strings. */
INLINE static inline void put(struct rice_enc *e, struct ends *s, __m256i z8, __mmask32 here, __m128i k, __m512i ones_k, __m512i len_k)
{
	const __m512i word = _mm512_set1_epi32(32);
	__m512i z = _mm512_cvtepu8_epi16(z8), q = _mm512_srl_epi16(z, k), code, len, pair, n;
	__mmask32 escape = _mm512_cmpge_epu16_mask(q, _mm512_set1_epi16(RICE_ONES));
	__mmask16 full;

	code = _mm512_sub_epi16(_mm512_sllv_epi16(_mm512_set1_epi16(1), q), _mm512_set1_epi16(1));
	code = _mm512_or_si512(code, _mm512_sllv_epi16(_mm512_and_si512(z, ones_k), _mm512_add_epi16(q, _mm512_set1_epi16(1))));
	code = _mm512_mask_mov_epi16(code, escape, _mm512_or_si512(_mm512_slli_epi16(z, RICE_ONES), _mm512_set1_epi16(0xff)));
	len = _mm512_mask_mov_epi16(_mm512_add_epi16(q, len_k), escape, _mm512_set1_epi16(RICE_ONES + 8));
	len = _mm512_maskz_mov_epi16(here, len);
	n = _mm512_and_si512(len, _mm512_set1_epi32(0xffff));
	pair = _mm512_or_si512(_mm512_and_si512(code, _mm512_set1_epi32(0xffff)), _mm512_sllv_epi32(_mm512_srli_epi32(code, 16), n));
	n = _mm512_add_epi32(_mm512_add_epi32(n, _mm512_srli_epi32(len, 16)), s->n);
	s->acc = _mm512_or_si512(s->acc, _mm512_sllv_epi32(pair, s->n));
	full = _mm512_cmpge_epu32_mask(n, word);
	_mm512_mask_i32scatter_epi32(e->lane, full, s->at, s->acc, 4);
	s->acc = _mm512_mask_srlv_epi32(s->acc, full, pair, _mm512_sub_epi32(word, s->n));
	s->at = _mm512_mask_add_epi32(s->at, full, s->at, _mm512_set1_epi32(1));
	s->n = _mm512_and_si512(n, _mm512_set1_epi32(31));
}

/* The best predictor in the low two bits, its sum above. */
INLINE static inline uint32_t best_of(__m512i sums)
{
	uint64_t all = (uint64_t)_mm512_reduce_add_epi64(sums);
	uint32_t best = UINT32_MAX;

	for (uint32_t p = 0; p < RICE_PREDICTORS; p++) {
		uint32_t v = (uint32_t)(all >> 16 * (RICE_PREDICTORS - 1 - p) & 0xffff) << 2 | p;

		best = v < best ? v : best;
	}
	return best;
}

VEC void rice_blocks_avx512(struct rice_enc *e)
{
	_Alignas(64) uint8_t z[RICE_PREDICTORS * RICE_BLOCK];
	const __m512i lanes = _mm512_mullo_epi32(_mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0),
						 _mm512_set1_epi32((int)e->stride));
	struct ends s = { .acc = _mm512_setzero_si512(), .n = _mm512_setzero_si512(), .at = lanes };
	const uint8_t *id = rice_id(e);
	uint8_t *head = e->head;

	for (size_t at = 0; at < e->n; at += RICE_BLOCK) {
		size_t m = e->n - at < RICE_BLOCK ? e->n - at : RICE_BLOCK;
		__mmask64 low = _bzhi_u64(~0ULL, m < 64 ? (unsigned)m : 64), high = _bzhi_u64(~0ULL, m > 64 ? (unsigned)m - 64 : 0);
		uint32_t best = best_of(_mm512_add_epi64(values(id + at, low, z), values(id + at + 64, high, z + 64)));
		unsigned p = best & 3, k = best >> 2 ? rice_parameter(best >> 2, m) : RICE_NOTHING;
		const __m256i *from = (const __m256i *)(const void *)(z + p * RICE_BLOCK);
		const __m512i ones_k = _mm512_set1_epi16((short)((1U << k) - 1)), len_k = _mm512_set1_epi16((short)(k + 1));
		const __m128i by = _mm_cvtsi32_si128((int)k);

		*head++ = rice_head(k, p);
		if (k == RICE_NOTHING)
			continue;
		put(e, &s, _mm256_load_si256(from), (__mmask32)low, by, ones_k, len_k);
		put(e, &s, _mm256_load_si256(from + 1), (__mmask32)(low >> 32), by, ones_k, len_k);
		put(e, &s, _mm256_load_si256(from + 2), (__mmask32)high, by, ones_k, len_k);
		put(e, &s, _mm256_load_si256(from + 3), (__mmask32)(high >> 32), by, ones_k, len_k);
	}
	_mm512_i32scatter_epi32(e->lane, s.at, s.acc, 4);
	_mm512_storeu_si512(e->bits, _mm512_add_epi32(_mm512_slli_epi32(_mm512_sub_epi32(s.at, lanes), 5), s.n));
}

#endif
