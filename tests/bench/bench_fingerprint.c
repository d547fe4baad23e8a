/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bench_fingerprint.c - ns a 20 ms packet of listening for announcements, bytes a stream
 *
 * Thread CPU time, median (lowest) of the rounds, over 10,000 streams in turn, so that their state
 * is as cold as live: while nothing was found (a voice that is none of the announcements) and while
 * one is followed to its end.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "media/fingerprint.h"
#include "tests/unit/speech.h"

#define STREAMS 10000
#define PACKETS 50
#define ROUNDS	9

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

static void run(struct fp *f, const struct fp_set *s, const char *what, const struct sound *x)
{
	double v[ROUNDS];
	uint8_t *o = malloc(x->n);

	if (!o)
		abort();
	for (size_t i = 0; i < x->n; i++)
		o[i] = g711_octet(G711_ALAW, x->x[i]);
	for (int r = 0; r < ROUNDS; r++) {
		double from = cpu_ns();

		for (uint32_t k = 0; k < PACKETS; k++) {
			uint32_t ts = ((uint32_t)r * PACKETS + k) * 160;

			for (int i = 0; i < STREAMS; i++)
				fp_packet(&f[i], s, G711_ALAW, 1, ts, ts * 125000ULL, o + ts, 160,
					  NULL);
		}
		v[r] = (cpu_ns() - from) / PACKETS / STREAMS;
	}
	qsort(v, ROUNDS, sizeof(*v), by_value);
	printf("fingerprint, %2u announcements, %-9s %5.0f ns a 20 ms packet (%.0f): %.1f %% of a "
	       "core for %d calls\n",
	       s->n, what, v[ROUNDS / 2], v[0], v[ROUNDS / 2] * 50 * STREAMS / 1e7, STREAMS);
	for (int i = 0; i < STREAMS; i++)
		fp_wipe(&f[i]);
	free(o);
}

int main(void)
{
	static const unsigned counts[] = {1, 2, 8};
	struct fp *f = calloc(STREAMS, sizeof(*f));
	struct sound x[9] = {0};
	struct fp_ref *ref[8];

	if (!f)
		return 1;
	for (unsigned i = 0; i < 9; i++)
		speech(&x[i], 12 * 8000, i + 1);
	for (unsigned i = 0; i < 8; i++)
		if (fp_ref_new(x[i].x, x[i].n, &ref[i]))
			return 1;
	for (unsigned c = 0; c < 3; c++) {
		struct fp_set s = {0};

		for (unsigned i = 0; i < counts[c]; i++)
			(void)fp_set_add(&s, ref[i], (uint8_t)i);
		run(f, &s, "searching", &x[8]);
		run(f, &s, "following", &x[0]);
	}
	printf("fingerprint, %zu bytes a stream, %zu bytes an announcement of 12 s\n", sizeof(*f),
	       fp_ref_bytes(ref[0]));
	for (unsigned i = 0; i < 8; i++)
		fp_ref_free(ref[i]);
	for (unsigned i = 0; i < 9; i++)
		sound_free(&x[i]);
	free(f);
	return 0;
}
