/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * speech.h - a synthetic voice for tests: syllables of a buzz with formants, hisses, pauses
 *
 * The same seed says the same; another seed says something else in another voice.
 */
#ifndef SPEECH_H
#define SPEECH_H

#include "tests/unit/audio.h"

static inline void speech_syllable(double *out, size_t n, uint64_t *r, double pitch)
{
	double f1 = 300 + 500 * rnd_unit(r), f2 = 900 + 1300 * rnd_unit(r),
	       level = 2000 + 5000 * rnd_unit(r), phase = 0;

	for (size_t i = 0; i < n; i++) {
		double x = 0;

		phase +=
			2 * M_PI * pitch * (1 + 0.02 * sin(2 * M_PI * 5 * (double)i / 8000)) / 8000;
		for (int k = 1; k * pitch < 3600; k++)
			x += sin(phase * k) * (exp(-pow((k * pitch - f1) / 180, 2)) +
					       0.5 * exp(-pow((k * pitch - f2) / 260, 2)) + 0.02);
		out[i] = x * level * sin(M_PI * (double)i / (double)n);
	}
}

/* Appends n samples of it. */
static inline void speech(struct sound *s, size_t n, uint64_t seed)
{
	uint64_t r = seed * 77 + 1;
	double pitch = 95 + 120 * rnd_unit(&r), *x = calloc(n + 8000, sizeof(*x));

	if (!x)
		abort();
	for (size_t at = 0; at < n;) {
		size_t len = 800 + rnd(&r) % 1600;
		unsigned what = (unsigned)(rnd(&r) % 10);

		if (what < 6) {
			speech_syllable(x + at, len, &r, pitch *= 0.97 + 0.06 * rnd_unit(&r));
		} else if (what < 8) {
			len /= 3;
			for (size_t i = 0; i < len; i++)
				x[at + i] = (rnd_unit(&r) - 0.5) * 1800 *
					    sin(M_PI * (double)i / (double)len);
		}
		at += len;
	}
	sound_room(s, n);
	for (size_t i = 0; i < n; i++)
		s->x[s->n++] = clip16(x[i] + (double)(rnd(&r) % 17) - 8);
	free(x);
}

#endif
