/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rice_avx2.c - rice's blocks with AVX2
 *
 * As rice_avx512.c in two halves of eight strings. There are no shifts of sixteen bits by lanes: they are products with
 * powers of two. There is no scatter: every lane's word is stored each time, where the next one that is full goes.
 */
#include "store/rice_internal.h"

#ifdef __x86_64__
#include <immintrin.h>

#define VEC __attribute__((target("avx2,bmi2,lzcnt")))
#define INLINE VEC __attribute__((always_inline))

struct ends {
	__m256i acc, n, at; /* of eight strings, as in rice_avx512.c */
};

INLINE static inline __m256i zig(__m256i r)
{
	return _mm256_xor_si256(_mm256_add_epi8(r, r), _mm256_cmpgt_epi8(_mm256_setzero_si256(), r));
}

INLINE static inline __m256i half(__m256i d)
{
	__m256i t = _mm256_srli_epi16(_mm256_xor_si256(d, _mm256_set1_epi8(-128)), 1);

	return _mm256_sub_epi8(_mm256_and_si256(t, _mm256_set1_epi8(127)), _mm256_set1_epi8(64));
}

INLINE static inline __m256i load(const uint8_t *p)
{
	return _mm256_loadu_si256((const __m256i *)(const void *)p);
}

/* 32 samples by each predictor; sums: sixteen bits for each in every lane. */
INLINE static inline __m256i values(const uint8_t *id, __m256i here, uint8_t *z)
{
	const __m256i zero = _mm256_setzero_si256();
	__m256i i0 = load(id), a1 = load(id - 1), a2 = load(id - 2), a3 = load(id - 3), x = _mm256_sub_epi8(i0, a1),
		d = _mm256_sub_epi8(a1, a2), d2 = _mm256_sub_epi8(a2, a3);
	__m256i v[RICE_PREDICTORS], sum = zero;

	v[0] = _mm256_sub_epi8(i0, _mm256_set1_epi8(-128));
	v[1] = x;
	v[2] = _mm256_sub_epi8(x, half(d));
	v[3] = _mm256_add_epi8(_mm256_sub_epi8(x, d), half(d2));
	for (int p = 0; p < RICE_PREDICTORS; p++) {
		v[p] = _mm256_and_si256(here, zig(v[p]));
		_mm256_store_si256((__m256i *)(void *)(z + p * RICE_BLOCK), v[p]);
		sum = _mm256_or_si256(_mm256_slli_epi64(sum, 16), _mm256_sad_epu8(v[p], zero));
	}
	return sum;
}

/* Which of 32 bytes are before n of them. */
INLINE static inline __m256i before(long n)
{
	const __m256i count = _mm256_set_epi8(31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7,
					      6, 5, 4, 3, 2, 1, 0);

	return _mm256_cmpgt_epi8(_mm256_set1_epi8((char)(n < 0 ? 0 : n < 32 ? n : 32)), count);
}

/* 16 values to eight strings. */
INLINE static inline void put(uint32_t *lane, struct ends *s, __m128i z8, __m128i here8, unsigned k)
{
	/* 2^q - 1 for q up to 8; the upper byte of a value asks for the first */
	const __m256i pow = _mm256_setr_epi8(0, 1, 3, 7, 15, 31, 63, 127, -1, -1, -1, -1, -1, -1, -1, -1, 0, 1, 3, 7, 15, 31, 63, 127, -1, -1,
					     -1, -1, -1, -1, -1, -1);
	const __m256i word = _mm256_set1_epi32(32), low16 = _mm256_set1_epi32(0xffff);
	__m256i z = _mm256_cvtepu8_epi16(z8), here = _mm256_cvtepi8_epi16(here8), q, ones, code, len, pair, n, full;
	_Alignas(32) uint32_t w[8], to[8];
	__m256i escape;

	q = _mm256_min_epu16(_mm256_srl_epi16(z, _mm_cvtsi32_si128((int)k)), _mm256_set1_epi16(RICE_ONES));
	escape = _mm256_cmpeq_epi16(q, _mm256_set1_epi16(RICE_ONES));
	ones = _mm256_shuffle_epi8(pow, q);
	code = _mm256_mullo_epi16(_mm256_and_si256(z, _mm256_set1_epi16((short)((1U << k) - 1))),
				  _mm256_add_epi16(_mm256_add_epi16(ones, ones), _mm256_set1_epi16(2)));
	code = _mm256_or_si256(_mm256_blendv_epi8(code, _mm256_slli_epi16(z, RICE_ONES), escape), ones);
	len = _mm256_blendv_epi8(_mm256_add_epi16(q, _mm256_set1_epi16((short)(k + 1))), _mm256_set1_epi16(RICE_ONES + 8), escape);
	len = _mm256_and_si256(len, here);
	n = _mm256_and_si256(len, low16);
	pair = _mm256_or_si256(_mm256_and_si256(code, low16), _mm256_sllv_epi32(_mm256_srli_epi32(code, 16), n));
	n = _mm256_add_epi32(_mm256_add_epi32(n, _mm256_srli_epi32(len, 16)), s->n);
	s->acc = _mm256_or_si256(s->acc, _mm256_sllv_epi32(pair, s->n));
	_mm256_store_si256((__m256i *)(void *)w, s->acc);
	_mm256_store_si256((__m256i *)(void *)to, s->at);
	for (int l = 0; l < 8; l++)
		lane[to[l]] = w[l];
	full = _mm256_cmpgt_epi32(n, _mm256_set1_epi32(31));
	s->acc = _mm256_blendv_epi8(s->acc, _mm256_srlv_epi32(pair, _mm256_sub_epi32(word, s->n)), full);
	s->at = _mm256_sub_epi32(s->at, full);
	s->n = _mm256_and_si256(n, _mm256_set1_epi32(31));
}

/* The best predictor in the low two bits, its sum above. */
INLINE static inline uint32_t best_of(__m256i sums)
{
	__m128i h = _mm_add_epi64(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1));
	uint64_t all = (uint64_t)_mm_cvtsi128_si64(h) + (uint64_t)_mm_extract_epi64(h, 1);
	uint32_t best = UINT32_MAX;

	for (uint32_t p = 0; p < RICE_PREDICTORS; p++) {
		uint32_t v = (uint32_t)(all >> 16 * (RICE_PREDICTORS - 1 - p) & 0xffff) << 2 | p;

		best = v < best ? v : best;
	}
	return best;
}

VEC void rice_blocks_avx2(struct rice_enc *e)
{
	_Alignas(32) uint8_t z[RICE_PREDICTORS * RICE_BLOCK];
	const uint8_t *id = rice_id(e);
	struct ends s[2];
	__m256i lanes[2];

	for (int h = 0; h < 2; h++) {
		lanes[h] = _mm256_mullo_epi32(_mm256_add_epi32(_mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7), _mm256_set1_epi32(8 * h)),
					      _mm256_set1_epi32((int)e->stride));
		s[h] = (struct ends){ .acc = _mm256_setzero_si256(), .n = _mm256_setzero_si256(), .at = lanes[h] };
	}
	for (size_t at = 0; at < e->n; at += RICE_BLOCK) {
		size_t m = e->n - at < RICE_BLOCK ? e->n - at : RICE_BLOCK;
		__m256i sum = _mm256_setzero_si256(), here[RICE_BLOCK / 32];
		uint32_t best;
		unsigned p, k;

		for (int i = 0; i < RICE_BLOCK / 32; i++) {
			here[i] = before((long)m - 32 * i);
			sum = _mm256_add_epi64(sum, values(id + at + 32 * i, here[i], z + 32 * i));
		}
		best = best_of(sum);
		p = best & 3;
		k = best >> 2 ? rice_parameter(best >> 2, m) : RICE_NOTHING;
		e->head[at / RICE_BLOCK] = rice_head(k, p);
		for (int i = 0; k != RICE_NOTHING && i < RICE_BLOCK / 32; i++) {
			__m256i v = load(z + p * RICE_BLOCK + 32 * i);

			put(e->lane, &s[0], _mm256_castsi256_si128(v), _mm256_castsi256_si128(here[i]), k);
			put(e->lane, &s[1], _mm256_extracti128_si256(v, 1), _mm256_extracti128_si256(here[i], 1), k);
		}
	}
	for (int h = 0; h < 2; h++) {
		_Alignas(32) uint32_t w[8], to[8];

		_mm256_store_si256((__m256i *)(void *)w, s[h].acc);
		_mm256_store_si256((__m256i *)(void *)to, s[h].at);
		for (int l = 0; l < 8; l++)
			e->lane[to[l]] = w[l];
		_mm256_storeu_si256((__m256i *)(void *)(e->bits + 8 * h),
				    _mm256_add_epi32(_mm256_slli_epi32(_mm256_sub_epi32(s[h].at, lanes[h]), 5), s[h].n));
	}
}

#endif
