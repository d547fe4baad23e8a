/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bench_tones.c - ns a 20 ms packet of the tone detector, bytes a stream
 *
 * Thread CPU time, median (lowest) of the rounds, over many streams in turn, so
 * that their state is as cold as live. Silence, noise, a held key, and a voice.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "media/tones.h"
#include "tests/unit/speech.h"

#define STREAMS 2000
#define PACKETS 50
#define ROUNDS	9

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
	}
	printf("tones, %zu bytes a stream\n", sizeof(*t));
	free(t);
	return 0;
}
