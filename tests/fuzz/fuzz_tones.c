/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_tones.c - packets of any sound and timestamp through the tone detector
 *
 * Input: records of a length octet (x 4), a step octet (signed, x 16 samples beyond the
 * packet before), a shape octet (bit 0: the law; bits 1-5: 16 and up makes the octets that
 * follow a digit's tones, so that presses are reached) and that many octets of sound.
 * What must hold whatever comes: down and up take turns, muting stays inside the packet.
 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "media/tones.h"
#include "must.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

struct seen {
	uint64_t down, up;
	char key;
};

static void press(void *arg, const struct tones_press *p)
{
	struct seen *s = arg;

	MUST(p->key && strchr("0123456789*#ABCD", p->key));
	if (p->up) {
		MUST(s->down == ++s->up && p->key == s->key);
		return;
	}
	MUST(++s->down == s->up + 1);
	s->key = p->key;
}

/* Octets bent into the two tones, mu-law by search. */
static void tone(uint8_t *x, size_t n, unsigned key, uint32_t ts)
{
	static const double rows[] = { 697, 770, 852, 941 }, cols[] = { 1209, 1336, 1477, 1633 };

	for (size_t i = 0; i < n; i++) {
		double at = (double)((ts + i) % 8000) * 2 * M_PI / 8000;
		double v = 8000 * (sin(at * rows[key / 4]) + sin(at * cols[key % 4]));
		int lo = 0x80, hi = 0xff; /* positive octets fall as they rise */

		while (lo < hi) {
			int mid = (lo + hi) / 2;

			if (g711_linear[G711_ULAW][mid] > fabs(v))
				lo = mid + 1;
			else
				hi = mid;
		}
		x[i] = (uint8_t)(v < 0 ? lo & 0x7f : lo);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct seen s = { 0 };
	const struct tones_sink sink = { &s, press };
	struct tones t = { 0 };
	uint64_t now = 0;
	uint32_t ts = 0xfffff000u;

	while (n >= 3) {
		size_t len = (size_t)p[0] * 4, have = n - 3 < len ? n - 3 : len, muted;
		enum g711_law law = p[2] & 1 ? G711_ALAW : G711_ULAW;
		bool made = p[2] & 0x20;
		uint8_t *x = malloc(len + 1), guard = 0xa5;

		MUST(x);
		memset(x, p[2], len);
		memcpy(x, p + 3, made ? 0 : have);
		ts += (uint32_t)(int8_t)p[1] * 16;
		if (made)
			tone(x, len, p[2] >> 1 & 15, ts);
		x[len] = guard;
		tones_packet(&t, made ? G711_ULAW : law, ts, now, x, len, &sink);
		MUST(s.down == t.presses && s.down - s.up == t.down && t.fill < TONES_BLOCK);
		muted = tones_mute(&t, law, ts - 64, x, len);
		MUST(muted <= len * TONES_SPANS && x[len] == guard);
		now += p[1] * 1000000ULL;
		tones_idle(&t, now, &sink);
		ts += (uint32_t)len;
		free(x);
		have = made ? 0 : have;
		p += 3 + have;
		n -= 3 + have;
	}
	tones_idle(&t, now + 1000000000, &sink);
	MUST(s.down == s.up);
	tones_wipe(&t);
	return 0;
}
