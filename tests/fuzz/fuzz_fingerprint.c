/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_fingerprint.c - packets of any sound and timestamp against two announcements
 *
 * Input: records of a length octet (x 16), a step octet (signed, x 16 samples beyond the packet
 * before), a shape octet and octets of sound. Shape: bit 0 the law; bit 1: another SSRC; bit 2: the
 * sound is not what follows but an announcement (bit 3: which), from sample (bits 4-7) x 1024 on,
 * or on from where the last such record stopped when those are 0, and a second of it for each 16
 * samples of the length. What must hold whatever comes: a start before an end, one end for each
 * start, and never more heard than there is.
 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "media/fingerprint.h"
#include "must.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

#define SAID 64000

static int16_t said[2][SAID];
static uint8_t octets[2][SAID];
static struct fp_ref *ref[2];

struct seen {
	bool going;
	uint8_t which;
};

static void event(void *arg, const struct fp_event *e)
{
	struct seen *s = arg;

	MUST(e->which == 3 || e->which == 4);
	MUST(e->heard_ms <= e->length_ms && e->length_ms == SAID / 8 && e->start_ns);
	if (e->what == FP_STARTED) {
		MUST(!s->going && !e->end_ns);
		s->going = true;
		s->which = e->which;
		return;
	}
	MUST(s->going && s->which == e->which && e->end_ns >= e->start_ns);
	s->going = false;
}

/* Chirps that jump about: cheap, and unlike each other. The first two seconds are the same in both.
 */
static void make(void)
{
	for (int k = 0; k < 2; k++) {
		uint32_t r = 1;
		double phase = 0, f = 500, bend = 0;

		for (int i = 0; i < SAID; i++) {
			if (i == 16000)
				r += (uint32_t)k * 77;
			if (i % 500 == 0) {
				r = r * 1664525 + 1013904223;
				f = 300 + (r >> 16) % 1500;
				bend = (int)((r >> 8) % 64) - 32;
			}
			f += bend / 500;
			phase += 2 * M_PI * f / 8000;
			said[k][i] = (int16_t)(6000 * (sin(phase) + 0.5 * sin(2.7 * phase)));
		}
		for (int i = 0; i < SAID; i++) {
			int lo = 0x80, hi = 0xff;

			while (lo < hi) {
				int mid = (lo + hi) / 2;

				if (g711_linear[G711_ULAW][mid] > abs(said[k][i]))
					lo = mid + 1;
				else
					hi = mid;
			}
			octets[k][i] = (uint8_t)(said[k][i] < 0 ? lo & 0x7f : lo);
		}
		MUST(!fp_ref_new(said[k], SAID, &ref[k]));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct seen s = {0};
	const struct fp_sink sink = {&s, event};
	struct fp f = {0};
	struct fp_set set = {0};
	uint64_t now = 1000000000;
	uint32_t ts = 0xfffff000u, next = 0, left = 2000; /* packets made of a record's few octets */
	struct fp_event e;

	if (!ref[0])
		make();
	MUST(!fp_set_add(&set, ref[0], 3) && !fp_set_add(&set, ref[1], 4));
	while (n >= 3) {
		size_t len = (size_t)p[0] * 16, have = n - 3 < len ? n - 3 : len;
		bool made = p[2] & 4;

		ts += (uint32_t)(int8_t)p[1] * 16;
		if (made) {
			uint32_t from = p[2] >> 4 ? (uint32_t)(p[2] >> 4) * 1024 : next;

			next = from + (uint32_t)p[0] * 1024 > SAID ? SAID
								   : from + (uint32_t)p[0] * 1024;
			for (; from + 160 <= next && left; left--, from += 160, ts += 160, now += 20000000)
				fp_packet(&f, &set, G711_ULAW, p[2] & 2, ts, now,
					  octets[p[2] >> 3 & 1] + from, 160, &sink);
			have = 0;
		} else {
			fp_packet(&f, &set, p[2] & 1 ? G711_ALAW : G711_ULAW, p[2] & 2, ts, now,
				  p + 3, have, &sink);
			ts += (uint32_t)have;
			now += have * 125000;
		}
		MUST(f.at < FP_HOP && f.have <= FP_WINDOW && f.nhyp <= FP_HYPS);
		MUST(fp_now(&f, &set, &e) == s.going);
		if (p[1] & 0x80)
			now += (uint64_t)p[1] * 20000000;
		fp_idle(&f, &set, now, &sink);
		p += 3 + have;
		n -= 3 + have;
	}
	fp_idle(&f, &set, now + 10000000000ULL, &sink);
	MUST(!s.going);
	fp_wipe(&f);
	return 0;
}
