/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * audio.h - sound for the tests of media: random numbers, G.711, wav files, installed prompts
 *
 * The prompts are the Debian packages asterisk-core-sounds-LANG-wav (8 kHz), music is
 * asterisk-moh-opsound-wav; `make deps` installs them.
 */
#ifndef AUDIO_H
#define AUDIO_H

#include <dirent.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/le.h"
#include "media/g711.h"

#define PROMPTS "/usr/share/asterisk/sounds"
#define MUSIC	"/usr/share/asterisk/moh"

struct sound {
	int16_t *x;
	size_t n, cap;
};

__attribute__((unused)) static uint64_t rnd(uint64_t *s)
{
	uint64_t z = *s += 0x9e3779b97f4a7c15ULL; /* splitmix64 */

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

__attribute__((unused)) static double rnd_unit(uint64_t *s)
{
	return (double)(rnd(s) >> 11) / 9007199254740992.0;
}

__attribute__((unused)) static double rnd_gauss(uint64_t *s)
{
	double u = rnd_unit(s) + 1e-18;

	return sqrt(-2 * log(u)) * cos(2 * M_PI * rnd_unit(s));
}

static inline int16_t clip16(double x)
{
	return x > 32767 ? 32767 : x < -32768 ? -32768 : (int16_t)lrint(x);
}

/* The octet whose sample is nearest: by search in the decoder's table, independent of any encoder. */
static inline uint8_t g711_octet(enum g711_law law, int16_t v)
{
	static uint8_t table[2][65536];
	static bool ready;

	if (!ready) {
		for (int l = 0; l < 2; l++) {
			for (int i = 0; i < 65536; i++) {
				int best = 1 << 30;

				if (i & 15) { /* steps are 8 at least: 16 samples share an octet or differ by one step */
					if ((i & 3) != 0) {
						table[l][i] = table[l][i - 1];
						continue;
					}
				}
				for (int o = 0; o < 256; o++) {
					int d = abs(g711_linear[l][o] - (i - 32768));

					if (d < best) {
						best = d;
						table[l][i] = (uint8_t)o;
					}
				}
			}
		}
		ready = true;
	}
	return table[law][v + 32768];
}

__attribute__((unused)) static void sound_room(struct sound *s, size_t n)
{
	if (s->n + n <= s->cap)
		return;
	s->cap = (s->n + n) * 3 / 2;
	s->x = realloc(s->x, s->cap * sizeof(*s->x));
	if (!s->x)
		abort();
}

__attribute__((unused)) static void sound_free(struct sound *s)
{
	free(s->x);
	memset(s, 0, sizeof(*s));
}

/* Appends a wav file: 8 kHz, mono, 16 bit; false when it is none. */
__attribute__((unused)) static bool sound_wav(struct sound *s, const char *path)
{
	uint8_t h[12], c[8], fmt[16] = { 0 };
	FILE *f = fopen(path, "rb");
	bool done = false;

	if (!f)
		return false;
	if (fread(h, 1, 12, f) == 12 && !memcmp(h, "RIFF", 4) && !memcmp(h + 8, "WAVE", 4)) {
		while (!done && fread(c, 1, 8, f) == 8) {
			uint32_t n = le32dec(c + 4);

			if (!memcmp(c, "fmt ", 4) && n >= 16) {
				if (fread(fmt, 1, 16, f) != 16 || fseek(f, (long)n - 16, SEEK_CUR))
					break;
				continue;
			}
			if (memcmp(c, "data", 4)) {
				if (fseek(f, n, SEEK_CUR))
					break;
				continue;
			}
			if (le16dec(fmt) != 1 || le16dec(fmt + 2) != 1 || le32dec(fmt + 4) != 8000 ||
			    le16dec(fmt + 14) != 16)
				break;
			sound_room(s, n / 2 + 1);
			for (uint32_t i = 0; i < n / 2; i++) {
				uint8_t b[2];

				if (fread(b, 1, 2, f) != 2)
					break;
				s->x[s->n++] = (int16_t)le16dec(b);
			}
			done = true;
		}
	}
	fclose(f);
	return done;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name); /* of no locale */
}

/* All wav files below dir, in order of names, until s has `enough` samples. */
__attribute__((unused)) static void sound_tree(struct sound *s, const char *dir, size_t enough)
{
	struct dirent **e;
	int n = scandir(dir, &e, NULL, by_name);

	for (int i = 0; i < n; i++) {
		size_t l = strlen(e[i]->d_name);
		char path[4096];
		struct stat st;

		snprintf(path, sizeof(path), "%s/%s", dir, e[i]->d_name);
		/* Links name voices a second time. */
		if (s->n < enough && e[i]->d_name[0] != '.' && !lstat(path, &st)) {
			if (S_ISDIR(st.st_mode))
				sound_tree(s, path, enough);
			else if (S_ISREG(st.st_mode) && l > 4 && !strcmp(e[i]->d_name + l - 4, ".wav"))
				(void)sound_wav(s, path);
		}
		free(e[i]);
	}
	if (n >= 0)
		free(e);
}

#endif
