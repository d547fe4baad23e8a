/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fingerprint_ref.c - what an announcement sounds like: the other half of fingerprint.h
 *
 * The spectrum of a window is the same code for both halves. A reference has its rows at eight
 * places 8 ms apart, so a stream's frame is never further than 4 ms from one of them; a bit counts
 * when it is the same 4 ms before and after, and clear.
 */
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "media/fingerprint_internal.h"

#define RATE	   4000.0
#define LOWEST	   300.0
#define SPACING	   100.0
#define SCALE	   511
#define STEP	   (FP_SUB / 2)
#define CLEAR	   1.0f	  /* log2 of power: 3 dB */
#define FLOOR	   400.0f /* power added, so that silence is silence */
#define LOUD	   10.0f  /* log2 of power below the loudest from which on it is a pause: 30 dB */
#define QUICK_BITS 64
#define SURE_BITS  200

enum { HALF = FP_WINDOW / 4 }; /* of the sums of two samples */

/* Products of 16 bits are summed in 32: 64 of 2^15 * 2^9 do not overflow. */
static int16_t cosines[FP_BITS + 1][HALF], sines[FP_BITS + 1][HALF];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void make_tables(void)
{
	for (int m = 0; m <= FP_BITS; m++) {
		for (int k = 0; k < HALF; k++) {
			double t = k + 0.5, hann = 0.5 + 0.5 * cos(M_PI * t / HALF);
			double turn = 2 * M_PI * (LOWEST + SPACING * m) / RATE;

			cosines[m][k] = (int16_t)lrint(hann * cos(turn * t) * SCALE);
			sines[m][k] = (int16_t)lrint(hann * sin(turn * t) * SCALE);
		}
	}
}

/* Near enough: at most 0.09 off, and it only grows. x is positive. */
static float log2_of(float x)
{
	uint32_t i;

	memcpy(&i, &x, sizeof(i));
	return (float)i * (1.0f / (1 << 23)) - 127.0f;
}

/* Compilers make 8 products an instruction of it. */
static float product(const int16_t a[HALF], const int16_t b[HALF])
{
	int32_t sum = 0;

	for (int k = 0; k < HALF; k++)
		sum += a[k] * b[k];
	return (float)sum * (4.0f / (SCALE * HALF));
}

/* The loudest of them is returned. */
static float spectrum(const int32_t win[FP_WINDOW / 2], float ret[FP_BITS])
{
	int16_t even[HALF], odd[HALF];
	float last = 0, l, loudest = 0;

	for (int k = 0; k < HALF; k++) { /* four samples together: 17 bits and a sign */
		even[k] = (int16_t)((win[HALF + k] + win[HALF - 1 - k]) / 4);
		odd[k] = (int16_t)((win[HALF + k] - win[HALF - 1 - k]) / 4);
	}
	for (int m = 0; m <= FP_BITS; m++) {
		float a = product(even, cosines[m]), b = product(odd, sines[m]);

		l = log2_of(a * a + b * b + FLOOR);
		loudest = l > loudest ? l : loudest;
		if (m)
			ret[m - 1] = last - l;
		last = l;
	}
	return loudest;
}

void fp_spectrum(const int32_t win[FP_WINDOW / 2], float ret[FP_BITS])
{
	(void)spectrum(win, ret);
}

unsigned fp_turns(const float now[FP_BITS], const float before[FP_BITS])
{
	unsigned bits = 0;

	for (int m = 0; m < FP_BITS; m++)
		bits |= (unsigned)(now[m] > before[m]) << m;
	return bits;
}

/* ---- a reference ---- */

struct look {
	float d[FP_BITS], loud;
};

static void look_at(const int16_t *x, size_t n, int64_t at, struct look *ret)
{
	int32_t win[FP_WINDOW / 2];

	for (int i = 0; i < FP_WINDOW / 2; i++) {
		int64_t a = at + 2 * i;

		win[i] = (a >= 0 && a < (int64_t)n ? x[a] : 0) +
			 (a + 1 >= 0 && a + 1 < (int64_t)n ? x[a + 1] : 0);
	}
	ret->loud = spectrum(win, ret->d);
}

/* look[i]: at sample (i - 1) * STEP. */
static struct fp_row row_at(const struct look *look, size_t i, float loud)
{
	const size_t hop = FP_HOP / STEP;
	struct fp_row row = {0};

	if (look[i].loud < loud && look[i - hop].loud < loud)
		return row;
	row.bits = (uint16_t)fp_turns(look[i].d, look[i - hop].d);
	for (int m = 0; m < FP_BITS; m++) {
		float a = look[i].d[m] - look[i - hop].d[m];
		float b = look[i - 1].d[m] - look[i - 1 - hop].d[m],
		      c = look[i + 1].d[m] - look[i + 1 - hop].d[m];

		if ((a > CLEAR && b > 0 && c > 0) || (a < -CLEAR && b < 0 && c < 0))
			row.mask |= (uint16_t)(1u << m);
	}
	return row;
}

static int by_value(const void *a, const void *b)
{
	float x = *(const float *)a, y = *(const float *)b;

	return x < y ? -1 : x > y;
}

/* Below this it is a pause. */
static int loudness(const struct look *look, size_t n, float *ret)
{
	float *v = malloc(n * sizeof(*v));

	if (!v)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		v[i] = look[i].loud;
	qsort(v, n, sizeof(*v), by_value);
	*ret = v[n - 1 - n / 50] - LOUD;
	free(v);
	return 0;
}

static bool make_quick(struct fp_ref *r, unsigned sub)
{
	struct fp_quick *q = &r->quick[sub];
	const struct fp_row *row = r->row[sub];
	int32_t from = 0;

	while (from < r->frames && !row[from].mask)
		from++;
	for (; from + FP_QUICK <= r->frames && from < r->frames / 3; from++) {
		q->n = 0;
		for (int i = 0; i < FP_QUICK; i++)
			q->n = (uint16_t)(q->n + __builtin_popcount(row[from + i].mask));
		if (q->n >= QUICK_BITS)
			break;
	}
	if (q->n < QUICK_BITS)
		return false;
	q->from = from;
	for (int i = 0; i < FP_QUICK; i++) {
		const struct fp_row *w = &row[from + FP_QUICK - 1 - i];

		q->bits[i / 4] |= (uint64_t)w->bits << i % 4 * 16;
		q->mask[i / 4] |= (uint64_t)w->mask << i % 4 * 16;
	}
	return true;
}

static bool make_places(struct fp_ref *r, const struct look *look, float loud)
{
	for (unsigned sub = 0; sub < FP_SUBS; sub++) {
		unsigned bits = 0;

		for (int32_t n = 1; n < r->frames;
		     n++) { /* the first has none before it to turn from */
			struct fp_row *w = &r->row[sub][n];

			*w = row_at(look, 1 + (size_t)n * (FP_HOP / STEP) + sub * (FP_SUB / STEP),
				    loud);
			bits += (unsigned)__builtin_popcount(w->mask);
			if (w->mask)
				r->last[sub] = n;
		}
		if (bits < SURE_BITS || !make_quick(r, sub))
			return false;
	}
	return true;
}

int fp_ref_new(const int16_t *x, size_t n, struct fp_ref **ret)
{
	size_t frames, looks;
	struct look *look = NULL;
	struct fp_ref *r;
	float loud = 0;
	int e = -ENOMEM;

	pthread_once(&once, make_tables);
	if (n < FP_MIN_MS * 8 || n > FP_MAX_MS * 8)
		return -EINVAL;
	frames = (n - FP_WINDOW - FP_SUB * (FP_SUBS - 1)) / FP_HOP + 1;
	looks = (frames * FP_HOP + FP_HOP) / STEP + 3;
	r = calloc(1, sizeof(*r));
	if (!r)
		return e;
	r->samples = (uint32_t)n;
	r->frames = (int32_t)frames;
	r->row[0] = calloc(FP_SUBS * frames, sizeof(*r->row[0]));
	look = calloc(looks, sizeof(*look));
	if (!r->row[0] || !look)
		goto out;
	for (unsigned sub = 1; sub < FP_SUBS; sub++)
		r->row[sub] = r->row[0] + sub * frames;
	for (size_t i = 0; i < looks; i++)
		look_at(x, n, ((int64_t)i - 1) * STEP, &look[i]);
	e = loudness(look, looks, &loud);
	if (!e && !make_places(r, look, loud))
		e = -EINVAL;
out:
	free(look);
	if (e)
		fp_ref_free(r);
	else
		*ret = r;
	return e;
}

void fp_ref_free(struct fp_ref *r)
{
	if (!r)
		return;
	free(r->row[0]);
	free(r);
}

uint32_t fp_ref_ms(const struct fp_ref *r)
{
	return r->samples / 8;
}

size_t fp_ref_bytes(const struct fp_ref *r)
{
	return sizeof(*r) + (size_t)r->frames * FP_SUBS * sizeof(*r->row[0]);
}

int fp_set_add(struct fp_set *s, const struct fp_ref *r, uint8_t which)
{
	if (s->n == FP_REFS_MAX)
		return -ENOSPC;
	s->ref[s->n] = r;
	s->which[s->n++] = which;
	return 0;
}
