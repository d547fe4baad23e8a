/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lpc_plain.c - the model in plain C: what the decoder goes by, and the encoder
 * of machines without AVX2
 *
 * Every operation on floats is rounded to single precision (see lpc.h), so that
 * the vector paths, which do the same operations in the same order in each lane,
 * come to the same coefficients.
 */
#include "store/lpc_internal.h"

#include <math.h>
#include <string.h>

#include "base/le.h"

/* round(32767 f((i + 0.5) / 192)): f rises as sin(pi/2 t/0.95), the last 5 % fall as cos(pi/2 (t - 0.95)/0.05). */
const int16_t lpc_window[LPC_WINDOW] = {
	141, 423, 705, 987, 1270, 1551, 1833, 2115, 2396, 2678, 2959, 3240, 3520, 3801, 4081, 4361,
	4640, 4920, 5198, 5477, 5755, 6032, 6309, 6586, 6862, 7138, 7413, 7688, 7962, 8235, 8508, 8780,
	9052, 9323, 9593, 9862, 10131, 10399, 10666, 10933, 11198, 11463, 11727, 11990, 12252, 12513, 12774, 13033,
	13291, 13549, 13805, 14061, 14315, 14568, 14821, 15072, 15322, 15571, 15818, 16065, 16310, 16554, 16797, 17039,
	17279, 17518, 17756, 17993, 18228, 18462, 18694, 18925, 19155, 19383, 19610, 19835, 20059, 20281, 20502, 20722,
	20939, 21156, 21370, 21584, 21795, 22005, 22213, 22420, 22625, 22828, 23030, 23230, 23428, 23624, 23819, 24012,
	24203, 24392, 24580, 24765, 24949, 25131, 25311, 25490, 25666, 25840, 26013, 26184, 26352, 26519, 26684, 26847,
	27007, 27166, 27323, 27478, 27630, 27781, 27930, 28076, 28221, 28363, 28503, 28641, 28777, 28911, 29043, 29173,
	29300, 29425, 29548, 29669, 29788, 29904, 30018, 30130, 30240, 30348, 30453, 30556, 30657, 30755, 30852, 30945,
	31037, 31126, 31213, 31298, 31381, 31461, 31538, 31614, 31687, 31757, 31826, 31892, 31955, 32017, 32075, 32132,
	32186, 32238, 32287, 32334, 32378, 32421, 32460, 32498, 32533, 32565, 32595, 32623, 32648, 32671, 32691, 32709,
	32725, 32738, 32749, 32757, 32763, 32766, 32763, 32238, 30852, 28641, 25666, 22005, 17756, 13033, 7962, 2678,
};

int16_t lpc_linear(bool mu, unsigned m)
{
	unsigned seg = m >> 4, mant = m & 15;

	if (mu)
		return (int16_t)(((2 * mant + 33) << seg) - 33);
	return (int16_t)(seg ? (4 * mant + 66) << (seg - 1) : 4 * mant + 2);
}

/* floor(log2 v), v not 0 */
static unsigned log2u(uint32_t v)
{
	return 31 - (unsigned)__builtin_clz(v);
}

unsigned lpc_cell(bool mu, int32_t p, unsigned *ret_se)
{
	uint32_t q = (uint32_t)(p < 0 ? -p - 1 : p), t, l, cell;

	if (mu) {
		t = (q < 8158 ? q : 8158) + 33;
		l = log2u(t) - 5;
		*ret_se = l + 1;
		cell = 16 * l + (t >> (l + 1) & 15);
		cell = 2 * cell + (t >> l & 1);
	} else {
		l = q < 128 ? 0 : log2u(q) - 6;
		*ret_se = l + 2;
		cell = 32 * l + (q >> (l + 1)); /* 16 l + (q >> se), and the next bit */
	}
	return p < 0 ? 255 - cell : 256 + cell;
}

/* ---- coefficients ---- */

void lpc_levinson(const int32_t R[LPC_ORDER + 1], int16_t a[LPC_ORDER])
{
	float r[LPC_ORDER + 1], A[LPC_ORDER + 1] = { 0 }, old[LPC_ORDER + 1], e, k;

	for (int i = 0; i <= LPC_ORDER; i++)
		r[i] = (float)R[i];
	e = r[0];
	for (int i = 1; i <= LPC_ORDER; i++) {
		float q[4] = { 0 };

		for (int j = 1; j < i; j++)
			q[(j - 1) & 3] += A[j] * r[i - j];
		k = (r[i] - ((q[0] + q[1]) + (q[2] + q[3]))) / e;
		if (!(k > -1 && k < 1))
			break;
		memcpy(old, A, sizeof(old));
		for (int j = 1; j < i; j++)
			A[j] = old[j] - k * old[i - j];
		A[i] = k;
		e = e * (1 - k * k);
	}
	for (int i = 0; i < LPC_ORDER; i++) {
		float v = A[i + 1] * 4096;

		v = v < -32768 ? -32768 : v > 32767 ? 32767 : v;
		a[i] = (int16_t)lrintf(v);
	}
}

void lpc_coefficients(const int16_t *x, bool big, int16_t a[LPC_ORDER])
{
	int16_t y[LPC_WINDOW];
	int32_t r[LPC_ORDER + 1];

	for (int i = 0; i < LPC_WINDOW; i++)
		y[i] = (int16_t)(((x[i - LPC_WINDOW] * lpc_window[i] + 16384) >> 15) >> big);
	for (int k = 0; k <= LPC_ORDER; k++) {
		int32_t sum = 0;

		for (int i = k; i < LPC_WINDOW; i++)
			sum += y[i] * y[i - k];
		r[k] = sum;
	}
	r[0] += (r[0] >> 13) + (256 >> 2 * big) + 1;
	lpc_levinson(r, a);
}

/* ---- the encoder's path ---- */

static void expand(struct lpc_enc *e, const uint8_t *words)
{
	const int16_t *linear = e->linear[e->mu];
	uint8_t flip = e->mu ? 0x7f : 0x55;
	int16_t *x = lpc_x(e);

	for (size_t i = 0; i < e->n; i++) {
		uint8_t u = words[i] ^ flip, m = u & 127, id;

		x[i] = u & 128 ? linear[m] : (int16_t)-linear[m];
		id = u & 128 ? u : u ^ 127;
		e->id[i] = (uint8_t)(id + (e->nonz && id < 128));
	}
	for (size_t b = 0; b * LPC_BLOCK < e->n; b++) {
		bool big = false;

		for (size_t i = b * LPC_BLOCK; i < (b + 1) * LPC_BLOCK; i++)
			big |= x[i] >= LPC_BIG || x[i] <= -LPC_BIG;
		e->big[4 + b] = big;
	}
}

static void residual(struct lpc_enc *e, size_t at, const int16_t a[LPC_ORDER], uint8_t se[LPC_BLOCK], uint32_t *err)
{
	const int16_t *x = lpc_x(e) + at;

	for (int i = 0; i < LPC_BLOCK; i++) {
		uint32_t sum = 2048;
		int32_t p;
		unsigned cell, s, pi;
		uint8_t m;

		for (int k = 0; k < LPC_ORDER; k++)
			sum += (uint32_t)(a[k] * x[i - 1 - k]);
		p = (int32_t)sum >> 12;
		p = p < -8192 ? -8192 : p > 8191 ? 8191 : p;
		cell = lpc_cell(e->mu, p, &s);
		pi = cell >> 1;
		pi += e->nonz && pi < 128;
		m = (uint8_t)(cell & 1 ? pi - e->id[at + (size_t)i] : e->id[at + (size_t)i] - pi);
		e->z[at + (size_t)i] = (uint8_t)((uint8_t)(m << 1) ^ (uint8_t)-(m >> 7));
		se[i] = (uint8_t)s;
		err[i] = (uint32_t)(x[i] > p ? x[i] - p : p - x[i]);
	}
}

/* err: of the block; 48 before it are there. */
static void classes(struct lpc_enc *e, size_t at, const uint8_t se[LPC_BLOCK], const uint32_t *err)
{
	uint32_t s4 = 0, s16 = 0, s48 = 0;

	for (int i = 1; i <= 48; i++) {
		s4 += i <= 4 ? err[-i] : 0;
		s16 += i <= 16 ? err[-i] : 0;
		s48 += err[-i];
	}
	for (int i = 0; i < LPC_BLOCK; i++) {
		uint32_t v = (6 * s4 + s16 + (s48 >> 1)) | 1;
		int l = (int)log2u(v), c = 2 * l + (l && v >> (l - 1) & 1) - 2 * se[i] - 4;
		unsigned class = (unsigned)(c < 0 ? 0 : c > 19 ? 19 : c), t = e->z[at + (size_t)i] >> lpc_low(class);

		e->class[at + (size_t)i] = (uint8_t)class;
		e->token[at + (size_t)i] = (uint8_t)(t < lpc_limit(class) ? t : lpc_limit(class));
		s4 += err[i] - err[i - 4];
		s16 += err[i] - err[i - 16];
		s48 += err[i] - err[i - 48];
	}
}

static void tile(struct lpc_enc *e, size_t at)
{
	uint32_t *err = e->err + 64;

	if (!at)
		for (int i = 1; i <= 48; i++)
			err[-i] = LPC_ERROR0;
	for (size_t b = at / LPC_BLOCK; b < at / LPC_BLOCK + LPC_TILE && b * LPC_BLOCK < e->n; b++) {
		const uint8_t *big = e->big + 4 + b;
		uint8_t se[LPC_BLOCK];
		int16_t a[LPC_ORDER];

		lpc_coefficients(lpc_x(e) + b * LPC_BLOCK, big[-1] | big[-2] | big[-3], a);
		residual(e, b * LPC_BLOCK, a, se, err);
		classes(e, b * LPC_BLOCK, se, err);
		memmove(err - 48, err + LPC_BLOCK - 48, 48 * sizeof(*err));
	}
}

static void scatter(struct lpc_enc *e)
{
	uint8_t *to[LPC_GROUPS], *low = e->low, *escape = e->escape;
	uint64_t acc = 0;
	unsigned bits = 0, zeros = 0;

	memcpy(to, e->list, sizeof(to));
	to[1] = e->nibble;
	memset(to[0], 0, (e->count[0] + 7) / 8);
	for (size_t i = 0; i < e->n; i++) {
		unsigned c = e->class[i], t = e->token[i], k = lpc_low(c);

		if (!c) {
			to[0][zeros >> 3] |= (uint8_t)(t << (zeros & 7));
			zeros++;
		} else {
			*to[e->group[c]]++ = (uint8_t)t;
		}
		acc |= (uint64_t)(e->z[i] & ((1u << k) - 1)) << bits;
		bits += k;
		for (; bits >= 8; bits -= 8, acc >>= 8)
			*low++ = (uint8_t)acc;
		*escape = e->z[i];
		escape += t == lpc_limit(c);
	}
	*low = (uint8_t)acc;
	e->nlow = (size_t)(low - e->low) * 8 + bits;
	e->nescape = (size_t)(escape - e->escape);
}

const struct lpc_path_ops lpc_plain = { expand, tile, scatter };
