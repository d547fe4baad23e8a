/* SPDX-License-Identifier: BSD-2-Clause */
/* codec_sounds.h - G.711 of many kinds for the tests of lpc and rice; golden records are of it, so it stays as it is */
#ifndef CODEC_SOUNDS_H
#define CODEC_SOUNDS_H

#include <stdbool.h>
#include <stdint.h>

#include "store/lpc_internal.h"

static uint32_t sound_seed;

static uint32_t sound_rnd(void)
{
	sound_seed = sound_seed * 1664525 + 1013904223;
	return sound_seed >> 8;
}

/* A code word whose cell a linear value (14 bits) lies in. */
static uint8_t sound_word(bool mu, int32_t x)
{
	unsigned se, id;

	x = x < -8192 ? -8192 : x > 8191 ? 8191 : x;
	id = lpc_cell(mu, x, &se) >> 1;
	return (uint8_t)((id & 128 ? id : id ^ 127) ^ (mu ? 0x7f : 0x55));
}

enum kind { SPEECH, QUIET, LOUD, TONE, SQUARE, CLIPPED, IMPULSES, SILENCE, COMFORT, LOSS, BYTES, WORDS, RISING, KINDS };
static const char *const kinds[] = { "speech", "quiet", "loud", "tone", "square", "clipped", "impulses", "silence", "comfort", "loss", "bytes",
				     "words", "rising" };

/* n code words, in integers only. */
static void make(uint8_t *in, enum kind kind, bool mu, size_t n)
{
	int64_t a = 0, b = 0, c = 16000 << 8, d = 0;

	sound_seed = 1;
	for (size_t i = 0; i < n; i++) {
		int64_t noise = (int64_t)(sound_rnd() & 4095) + (sound_rnd() & 4095) - 4095, x = 0, e;

		/* two resonances, driven by noise and a pulse; a rotation for tones */
		e = (noise >> 2) + (i % 71 ? 0 : 6000);
		e = i / 3000 % 3 == 2 ? noise >> 6 : e;
		a += (e * 256 - a + (b >> 1)) >> 3;
		b += ((a - b) >> 2) - (b >> 6);
		c -= d * 31 / 256;
		d += c * 31 / 256;
		switch (kind) {
		case SPEECH: x = a >> 8; break;
		case QUIET: x = noise >> 10; break;
		case LOUD: x = a >> 4; break;
		case TONE: x = c >> 10; break;
		case SQUARE: x = i / 20 % 2 ? 5000 : -5000; break;
		case CLIPPED: x = c; break;
		case IMPULSES: x = i % 400 ? 0 : 8000; break;
		case SILENCE: x = i == n / 2 ? 100 : 0; break;
		case COMFORT: x = i / 500 % 4 ? 0 : noise >> 9; break;
		case LOSS: x = i / 160 % 7 == 3 ? 0 : i / 160 % 11 == 5 ? -8192 : a >> 7; break;
		case RISING: x = noise * (int64_t)(i + 1) / (int64_t)n / 4; break;
		default: break;
		}
		in[i] = kind == BYTES ? (uint8_t)(sound_rnd() >> 14) : kind == WORDS ? (uint8_t)((mu ? 0xff : 0xd5) ^ (sound_rnd() & 0x83)) : sound_word(mu, (int32_t)x);
	}
}

#endif
