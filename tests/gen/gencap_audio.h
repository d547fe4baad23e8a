/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gencap_audio.h - of gencap.c: what people say, as G.711
 *
 * One pool of linear samples, synthesised (syllables of a buzzing voice with
 * formants, hissing consonants, pauses over a low noise floor) or read from wav
 * files, coded once in both laws. Streams read it from places of their own.
 */
#ifndef GENCAP_AUDIO_H
#define GENCAP_AUDIO_H

#include <dirent.h>
#include <err.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/le.h"

#define POOL_SAMPLES (8000u * 240)

struct audio {
	uint8_t *law[2]; /* PCMU, PCMA */
	uint32_t n;
};

static uint64_t rng_next(uint64_t *s)
{
	uint64_t z = *s += 0x9e3779b97f4a7c15ULL; /* splitmix64 */

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

static double rng_unit(uint64_t *s)
{
	return (double)(rng_next(s) >> 11) / 9007199254740992.0;
}

/* G.711 by its definition: 14-bit biased logarithm, and 13-bit with even bits inverted. */
static uint8_t ulaw(int16_t x)
{
	int sign = x < 0 ? 0x80 : 0, m = x < 0 ? -(int)x : x, seg = 7;

	m = (m > 32635 ? 32635 : m) + 132;
	while (seg && !(m & 0x4000 >> (7 - seg)))
		seg--;
	return (uint8_t)~(sign | seg << 4 | (m >> (seg + 3) & 15));
}

static uint8_t alaw(int16_t x)
{
	int sign = x < 0 ? 0 : 0x80, m = x < 0 ? -(int)x - 1 : x, seg = 7;

	while (seg && !(m & 0x4000 >> (7 - seg)))
		seg--;
	return (uint8_t)((sign | seg << 4 | (m >> (seg ? seg + 3 : 4) & 15)) ^ 0x55);
}

static void syllable(int16_t *out, uint32_t n, uint64_t *rng, double pitch)
{
	double f1 = 300 + 500 * rng_unit(rng), f2 = 900 + 1300 * rng_unit(rng);
	double level = 1500 + 5000 * rng_unit(rng), phase = 0;
	double weight[24];

	for (int k = 0; k < 24; k++) {
		double f = pitch * (k + 1);

		weight[k] = (exp(-pow((f - f1) / 180, 2)) + 0.5 * exp(-pow((f - f2) / 260, 2)) + 0.02) *
			    (f < 3700);
	}
	for (uint32_t i = 0; i < n; i++) {
		double x = 0, envelope = sin(M_PI * i / n);

		phase += 2 * M_PI * pitch * (1 + 0.02 * sin(2 * M_PI * 5 * i / 8000)) / 8000;
		for (int k = 0; k < 24; k++)
			x += weight[k] * sin(phase * (k + 1));
		out[i] = (int16_t)(x * envelope * level);
	}
}

static void hiss(int16_t *out, uint32_t n, uint64_t *rng)
{
	double last = 0;

	for (uint32_t i = 0; i < n; i++) {
		double x = rng_unit(rng) - 0.5;

		out[i] = (int16_t)((x - last) * 1800 * sin(M_PI * i / n));
		last = x;
	}
}

static void synthesise(int16_t *s, uint32_t n, uint64_t seed)
{
	uint64_t rng = seed;
	uint32_t at = 0;
	double pitch = 120;

	while (at + 4000 < n) {
		uint32_t len = 800 + (uint32_t)(rng_next(&rng) % 1600);
		unsigned what = (unsigned)(rng_next(&rng) % 10);

		if (what < 6)
			syllable(s + at, len, &rng, pitch *= 0.97 + 0.06 * rng_unit(&rng));
		else if (what < 8)
			hiss(s + at, len / 3, &rng);
		else if (what == 9)
			pitch = 95 + 120 * rng_unit(&rng);
		at += what == 8 ? len * 2 : what < 8 && what > 5 ? len / 3 : len;
	}
	for (uint32_t i = 0; i < n; i++)
		s[i] = (int16_t)(s[i] + (int)(rng_next(&rng) % 17) - 8);
}

/* Samples of one wav file of 8 kHz, 16 bit, mono; 0 when it is another kind. */
static uint32_t wav_read(const char *path, int16_t *s, uint32_t max)
{
	uint8_t h[8], fmt[16] = {0};
	FILE *f = fopen(path, "rb");
	uint32_t n = 0;

	if (!f)
		err(1, "%s", path);
	if (fseek(f, 12, SEEK_SET))
		err(1, "%s", path);
	while (fread(h, 1, 8, f) == 8) {
		uint32_t len = le32dec(h + 4);
		uint8_t b[2];

		if (!memcmp(h, "data", 4)) {
			if (le16dec(fmt) != 1 || le16dec(fmt + 2) != 1 || le32dec(fmt + 4) != 8000 ||
			    le16dec(fmt + 14) != 16)
				break;
			for (; n < max && n < len / 2 && fread(b, 1, 2, f) == 2; n++)
				s[n] = (int16_t)le16dec(b);
			break;
		}
		if (!memcmp(h, "fmt ", 4) && len >= 16) {
			if (fread(fmt, 1, 16, f) != 16)
				break;
			len -= 16;
		}
		if (fseek(f, (long)len, SEEK_CUR))
			break;
	}
	fclose(f);
	return n;
}

static int is_wav(const struct dirent *d)
{
	size_t n = strlen(d->d_name);

	return n > 4 && !strcmp(d->d_name + n - 4, ".wav");
}

static uint32_t wav_dir(const char *dir, int16_t *s, uint32_t max)
{
	struct dirent **e;
	int n = scandir(dir, &e, is_wav, alphasort);
	uint32_t got = 0;

	if (n < 0)
		err(1, "%s", dir);
	for (int i = 0; i < n; i++) {
		char path[4096];

		snprintf(path, sizeof(path), "%s/%s", dir, e[i]->d_name);
		got += wav_read(path, s + got, max - got);
		free(e[i]);
	}
	free(e);
	if (got < 16000)
		errx(1, "%s: no two seconds of wav files of 8 kHz, 16 bit, mono", dir);
	return got;
}

static void audio_init(struct audio *a, const char *speech, uint64_t seed)
{
	int16_t *s = calloc(POOL_SAMPLES, sizeof(*s));

	if (!s)
		err(1, NULL);
	a->n = POOL_SAMPLES;
	if (speech)
		a->n = wav_dir(speech, s, POOL_SAMPLES);
	else
		synthesise(s, a->n, seed);
	for (int k = 0; k < 2; k++) {
		a->law[k] = malloc(a->n);
		if (!a->law[k])
			err(1, NULL);
		for (uint32_t i = 0; i < a->n; i++)
			a->law[k][i] = (k ? alaw : ulaw)(s[i]);
	}
	free(s);
}

static void audio_copy(const struct audio *a, bool alaw_wanted, uint64_t from, uint8_t *out, uint32_t n)
{
	for (uint32_t i = 0; i < n;) {
		uint32_t at = (uint32_t)((from + i) % a->n);
		uint32_t k = a->n - at < n - i ? a->n - at : n - i;

		memcpy(out + i, a->law[alaw_wanted] + at, k);
		i += k;
	}
}

#endif
