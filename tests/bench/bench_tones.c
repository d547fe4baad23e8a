/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bench_tones.c - ns a 20 ms packet of the tone detector, and of muting by chunks; bytes a stream
 *
 * Thread CPU time, median (lowest) of the rounds, over many streams in turn, so
 * that their state is as cold as live. Silence, noise, a held key, and a voice.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "media/mute.h"
#include "media/tones.h"
#include "tests/unit/speech.h"

#define STREAMS 2000
#define PACKETS 50
#define ROUNDS	9
#define PROMPTS_S 120

static uint8_t sound[4][8000];

static uint8_t octet(double v)
{
	int best = 0;

	for (int o = 1; o < 256; o++) {
		if (fabs(g711_linear[G711_ALAW][o] - v) < fabs(g711_linear[G711_ALAW][best] - v))
			best = o;
	}
	return (uint8_t)best;
}

static double cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* Muting of a second of each of many streams, whose sound is as cold as a chunk's that was filled for so long. */
static void bench_mute(const char *name, const uint8_t *from, size_t n)
{
	static uint8_t chunk[STREAMS][8000];
	struct chunk_pkt pkt[PACKETS] = { 0 };
	double v[ROUNDS];
	size_t muted = 0;

	for (uint32_t k = 0; k < PACKETS; k++)
		pkt[k] = (struct chunk_pkt){ .ts = k * 160, .len = 160 };
	for (int r = 0; r < ROUNDS; r++) {
		double at;

		for (int i = 0; i < STREAMS; i++)
			memcpy(chunk[i], from + (size_t)i * sizeof(chunk[i]) % n, sizeof(chunk[i]));
		at = cpu_ns();
		for (int i = 0; i < STREAMS; i++)
			muted += mute_keys(G711_ALAW, pkt, PACKETS, chunk[i], 0, PACKETS);
		v[r] = (cpu_ns() - at) / PACKETS / STREAMS;
	}
	qsort(v, ROUNDS, sizeof(*v), by_value);
	printf("mute,  %-9s %7.0f ns a 20 ms packet (%.0f), %.0f %% muted\n", name, v[ROUNDS / 2], v[0],
	       100.0 * (double)muted / ROUNDS / STREAMS / sizeof(chunk[0]));
}

int main(void)
{
	static const char *const names[] = { "silence", "noise", "held key", "voice" };
	struct tones *t = calloc(STREAMS, sizeof(*t));
	struct sound voice = { 0 };
	double v[ROUNDS];

	if (!t)
		return 1;
	for (int i = 0; i < 8000; i++) {
		sound[0][i] = G711_ALAW_SILENCE;
		sound[1][i] = octet(4000.0 * (rand() / (double)RAND_MAX - 0.5));
		sound[2][i] = octet(8000 * (sin(2 * M_PI * 770 * i / 8000) + sin(2 * M_PI * 1336 * i / 8000)));
	}
	speech(&voice, 16000, 1);
	for (int i = 0; i < 8000; i++)
		sound[3][i] = octet(voice.x[8000 + i]);
	sound_free(&voice);
	for (int s = 0; s < 4; s++) {
		for (int r = 0; r < ROUNDS; r++) {
			double from = cpu_ns();

			for (uint32_t k = 0; k < PACKETS; k++) {
				uint32_t ts = ((uint32_t)r * PACKETS + k) * 160;

				for (int i = 0; i < STREAMS; i++)
					tones_packet(&t[i], G711_ALAW, ts, 0, sound[s] + k * 160, 160, NULL);
			}
			v[r] = (cpu_ns() - from) / PACKETS / STREAMS;
		}
		qsort(v, ROUNDS, sizeof(*v), by_value);
		printf("tones, %-9s %7.0f ns a 20 ms packet (%.0f)\n", names[s], v[ROUNDS / 2], v[0]);
		for (int i = 0; i < STREAMS; i++)
			tones_wipe(&t[i]);
		bench_mute(names[s], sound[s], sizeof(sound[s]));
	}
	sound_tree(&voice, "/usr/share/asterisk/sounds", (size_t)PROMPTS_S * 8000);
	if (voice.n < (size_t)PROMPTS_S * 8000) {
		printf("mute, speech: SKIP (no asterisk-core-sounds)\n");
	} else {
		uint8_t *speech_of = malloc(voice.n);

		for (size_t i = 0; speech_of && i < voice.n; i++)
			speech_of[i] = octet(voice.x[i]);
		if (speech_of)
			bench_mute("speech", speech_of, (size_t)PROMPTS_S * 8000);
		free(speech_of);
	}
	sound_free(&voice);
	printf("tones, %zu bytes a stream\n", sizeof(*t));
	free(t);
	return 0;
}
