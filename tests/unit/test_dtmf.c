/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_dtmf.c - RFC 4733 presses by table
 *
 * A step is one packet, or a wait that ends in dtmf_idle. Packets are 20 ms
 * apart. What comes out is compared key by key with the step it must come at.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/buf.h"
#include "media/dtmf.h"

#define MS 1000000ULL
#define E  1 /* end bit */
#define W  2 /* no packet: wait `ts` ms, then dtmf_idle */
#define S2 4 /* from a second SSRC */
#define A  8 /* audio */

struct step {
	int flags;
	uint8_t event;
	uint32_t ts;
	uint16_t duration;
	char want; /* key; '-' nothing; '!' bad */
};

static const struct {
	const char *what;
	struct step step[16];
} table[] = {
	{"a press", {{0, 5, 100, 160, '-'}, {0, 5, 100, 320, '-'}, {E, 5, 100, 480, '5'}}},
	{"retransmitted ends", {{0, 1, 100, 160, '-'}, {E, 1, 100, 320, '1'}, {E, 1, 100, 320, '-'}, {E, 1, 100, 320, '-'}}},
	{"copies of everything",
	 {{0, 1, 100, 160, '-'}, {0, 1, 100, 160, '-'}, {E, 1, 100, 320, '1'}, {E, 1, 100, 320, '-'}, {0, 1, 100, 160, '-'}}},
	{"only an end arrives", {{E, 11, 7, 800, '#'}, {E, 11, 7, 800, '-'}}},
	{"end lost, next press", {{0, 1, 100, 160, '-'}, {0, 2, 2000, 160, '1'}, {E, 2, 2000, 320, '2'}}},
	{"end lost, silence", {{0, 10, 100, 160, '-'}, {W, 0, 149, 0, '-'}, {W, 0, 1, 0, '*'}, {W, 0, 9000, 0, '-'}}},
	{"end lost, audio goes on", {{0, 10, 100, 160, '-'}, {A, 0, 260, 0, '-'}, {A, 0, 420, 0, '-'}, {A, 0, 580, 0, '-'}, {A, 0, 740, 0, '*'}, {A, 0, 900, 0, '-'}}},
	{"end lost, audio goes on, then the end", {{0, 9, 100, 160, '-'}, {A, 0, 740, 0, '9'}, {E, 9, 100, 320, '-'}, {0, 9, 100, 320, '-'}}},
	{"audio beside a key that is held", {{0, 9, 100, 160, '-'}, {A, 0, 260, 0, '-'}, {0, 9, 100, 320, '-'}, {A, 0, 420, 0, '-'}, {A, 0, 580, 0, '-'}, {0, 9, 100, 640, '-'}, {E, 9, 100, 800, '9'}}},
	{"audio of before it comes late, of another stream", {{0, 9, 1000, 160, '-'}, {A, 0, 900, 0, '-'}, {S2 | A, 0, 9000, 0, '-'}, {E, 9, 1000, 320, '9'}, {A, 0, 9000, 0, '-'}}},
	{"end lost, reported by time, then late packets", {{0, 3, 100, 160, '-'}, {W, 0, 600, 0, '3'}, {0, 3, 100, 320, '-'}, {E, 3, 100, 480, '-'}}},
	{"both ends alone: none is lost", {{0, 1, 100, 160, '-'}, {E, 2, 2000, 800, '1'}, {E, 2, 2000, 800, '2'}, {E, 2, 2000, 800, '-'}}},
	{"both ends alone, no retransmission", {{0, 1, 100, 160, '-'}, {E, 2, 2000, 800, '1'}, {W, 0, 500, 0, '2'}}},
	{"three ends alone", {{0, 1, 100, 160, '-'}, {E, 2, 2000, 800, '1'}, {E, 3, 4000, 800, '2'}, {E, 3, 4000, 800, '3'}}},
	{"same key twice", {{E, 7, 100, 800, '7'}, {0, 7, 2000, 160, '-'}, {E, 7, 2000, 800, '7'}}},
	{"same key twice, first end lost", {{0, 7, 100, 800, '-'}, {0, 7, 2000, 160, '7'}, {E, 7, 2000, 800, '7'}}},
	{"back to back", {{0, 1, 0, 800, '-'}, {E, 1, 0, 800, '1'}, {0, 2, 800, 160, '-'}, {E, 2, 800, 800, '2'}, {E, 3, 1600, 800, '3'}}},
	{"copy of the first after the second began", {{E, 1, 0, 800, '1'}, {0, 2, 2000, 160, '-'}, {E, 1, 0, 800, '-'}, {0, 2, 2000, 320, '-'}, {E, 2, 2000, 480, '2'}}},
	{"start after end", {{E, 4, 50, 480, '4'}, {0, 4, 50, 160, '-'}, {0, 4, 50, 320, '-'}}},
	{"long press in segments", {{0, 9, 100, 0xffa0, '-'}, {0, 9, 100, 0xffff, '-'}, {0, 9, 100 + 0xffff, 160, '-'}, {0, 9, 100, 0xffff, '-'}, {E, 9, 100 + 0xffff, 320, '9'}, {E, 9, 100 + 0xffff, 320, '-'}}},
	{"long press, last of the segment lost", {{0, 9, 100, 0xff00, '-'}, {0, 9, 100 + 0xffff, 160, '-'}, {E, 9, 100 + 0xffff, 320, '9'}}},
	{"long press in rounded segments", {{0, 9, 100, 65440, '-'}, {0, 9, 100 + 65440, 160, '-'}, {0, 9, 100 + 65440, 65440, '-'}, {E, 9, 100 + 2 * 65440, 320, '9'}}},
	{"long press reported by time stays one", {{0, 9, 100, 0xffff, '-'}, {W, 0, 500, 0, '9'}, {0, 9, 100 + 0xffff, 160, '-'}, {E, 9, 100 + 0xffff, 320, '-'}}},
	{"a press after a long one that ended", {{E, 9, 100, 0xffff, '9'}, {E, 9, 100 + 0xffff, 160, '9'}}},
	{"timestamps wrap", {{0, 1, 0xffffff00, 0xfff0, '-'}, {0, 1, 0xfef0, 160, '-'}, {E, 1, 0xfef0, 320, '1'}, {E, 2, 0x20000, 320, '2'}}},
	{"sender restarts at an earlier time", {{E, 1, 90000, 320, '1'}, {E, 2, 160, 320, '2'}, {E, 1, 90000, 320, '-'}}},
	{"two senders", {{0, 1, 100, 160, '-'}, {S2 | E, 1, 100, 160, '1'}, {S2 | E, 1, 100, 160, '1'}, {E, 1, 100, 160, '-'}}},
	{"flash is no key", {{0, 16, 100, 160, '-'}, {E, 16, 100, 320, '-'}, {E, 16, 100, 320, '-'}, {W, 0, 900, 0, '-'}}},
	{"flash ends a press", {{0, 1, 100, 160, '-'}, {E, 16, 2000, 320, '1'}, {E, 16, 2000, 320, '-'}}},
	{"another event in the same time", {{0, 1, 100, 160, '-'}, {0, 2, 100, 320, '!'}, {E, 1, 100, 320, '1'}}},
	{"letters", {{E, 12, 1, 320, 'A'}, {E, 13, 2, 320, 'B'}, {E, 14, 3, 320, 'C'}, {E, 15, 4, 320, 'D'}, {E, 0, 5, 320, '0'}}},
	{"event 255", {{E, 255, 1, 320, '-'}, {E, 255, 1, 320, '-'}}},
};

static enum dtmf_result packet(struct dtmf_rx *d, uint32_t ssrc, uint32_t ts, uint64_t now, const uint8_t *b, size_t n, struct dtmf_press *ret)
{
	return dtmf_packet(d, &(struct dtmf_from){ ssrc, ts, 8000, true, now }, b, n, ret);
}

static char run_step(struct dtmf_rx *d, const struct step *s, uint64_t *now)
{
	uint8_t b[4] = {s->event, (uint8_t)(s->flags & E ? 0x8a : 0x0a), (uint8_t)(s->duration >> 8),
			(uint8_t)s->duration};
	struct dtmf_press p = { .key = '?' };
	enum dtmf_result r;

	if (s->flags & W) {
		*now += s->ts * MS;
		r = dtmf_idle(d, *now, &p);
	} else if (s->flags & A) {
		*now += 20 * MS;
		r = dtmf_audio(d, s->flags & S2 ? 2 : 1, s->ts, &p);
	} else {
		*now += 20 * MS;
		r = dtmf_packet(d, &(struct dtmf_from){ s->flags & S2 ? 2 : 1, s->ts, 8000, true, *now }, b, sizeof(b), &p);
	}
	if (r != DTMF_PRESS)
		assert_int_equal(p.key, '?');
	return r == DTMF_PRESS ? p.key : r == DTMF_BAD ? '!' : '-';
}

static void scenarios(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct dtmf_rx d = {0};
		uint64_t now = 1700000000ULL * 1000 * MS, presses = 0;

		for (int k = 0; k < 16 && table[i].step[k].want; k++) {
			char got = run_step(&d, &table[i].step[k], &now);

			if (got != table[i].step[k].want)
				fail_msg("%s: step %d gave '%c'", table[i].what, k, got);
			presses += got != '-' && got != '!';
		}
		assert_int_equal(d.presses, presses);
	}
}

static void short_payload(void **state)
{
	static const uint8_t b[] = {1, 0x80, 0};
	struct dtmf_press p = { .key = '?' };
	struct dtmf_rx d = {0};

	(void)state;
	for (size_t n = 0; n <= sizeof(b); n++)
		assert_int_equal(packet(&d, 1, 1, 1, b, n, &p), DTMF_BAD);
	assert_int_equal(p.key, '?');
	assert_false(d.any);
}

/* Speech under an event's number is no key press, whatever its first bytes are. */
static void no_event(void **state)
{
	static const uint8_t b[200] = {1, 0x8a, 3, 32};
	uint8_t reserved[4] = {1, 0xca, 3, 32};

	(void)state;
	for (size_t n = 4; n <= sizeof(b); n++) {
		struct dtmf_rx d = {0};
		bool fits = n == 4 || n == 8 || n == 12 || n == 16;
		struct dtmf_press p = { .key = '?' };

		assert_int_equal(packet(&d, 1, 1, 1, b, n, &p), fits ? DTMF_PRESS : DTMF_BAD);
		assert_int_equal(p.key, fits ? '1' : '?');
		assert_int_equal(d.any, fits);
		assert_int_equal(packet(&d, 1, 2, 1, reserved, 4, &p), DTMF_BAD);
	}
}

/* Nobody who reads the memory of a finished press learns the key (R-05b). */
static void wiped(void **state)
{
	static const uint8_t b[] = {7, 0x80, 0, 200};
	struct dtmf_rx d = {0};
	struct dtmf_press p;

	(void)state;
	assert_int_equal(packet(&d, 1, 1, 1, b, 4, &p), DTMF_PRESS);
	assert_int_equal(d.event, 0xff);
}

/* 5000 presses, each packet lost, copied or moved within the press: every press with a packet left counts once. */
static void random_presses(void **state)
{
	uint64_t x = 12345, now = 0, want = 0, got = 0;
	struct dtmf_rx d = {0};
	struct dtmf_press p;

	(void)state;
	for (uint32_t i = 0; i < 5000; i++) {
		int left = 0;

		for (int k = 0; k < 8; k++) {
			int order = k;
			uint8_t b[4];

			x = x * 6364136223846793005ULL + 1442695040888963407ULL;
			if ((x >> 40) % 3 == 0)
				continue;
			if ((x >> 50) % 4 == 0)
				order = (int)((x >> 55) % 8);
			b[0] = (uint8_t)(i % 10);
			b[1] = order >= 5 ? 0x80 : 0;
			b[2] = 0;
			b[3] = (uint8_t)(20 * order);
			left++;
			now += 20 * MS;
			got += packet(&d, 9, i * 3200, now, b, 4, &p) == DTMF_PRESS;
		}
		want += left > 0;
	}
	got += dtmf_idle(&d, now + 1000 * MS, &p) == DTMF_PRESS;
	assert_int_equal(got, want);
	assert_true(want > 4500);
}

/* When it began and ended, by what came of it, and whether all of that was the party's own. */
static void times(void **state)
{
	static const uint8_t start[] = { 7, 0, 0, 160 }, later[] = { 7, 0, 3, 32 }, end[] = { 7, 0x80, 4, 176 }, next[] = { 8, 0x80, 0, 160 };
	struct dtmf_rx d = { 0 };
	struct dtmf_press p;
	uint64_t over;

	(void)state;
	assert_false(dtmf_open(&d, &over));
	assert_int_equal(packet(&d, 1, 1, 1020 * MS, start, 4, &p), DTMF_NOTHING);
	assert_true(dtmf_open(&d, &over));
	assert_int_equal(over, 1170 * MS);
	assert_int_equal(packet(&d, 1, 1, 1104 * MS, later, 4, &p), DTMF_NOTHING); /* 4 ms late */
	assert_int_equal(packet(&d, 1, 1, 1150 * MS, end, 4, &p), DTMF_PRESS);
	assert_int_equal(p.begin_ns, 1000 * MS);
	assert_int_equal(p.end_ns, 1150 * MS);
	assert_true(p.trusted);
	assert_false(dtmf_open(&d, &over));
	/* only an end: it says how long the key was held */
	assert_int_equal(packet(&d, 1, 20000, 3150 * MS, end, 4, &p), DTMF_PRESS);
	assert_int_equal(p.begin_ns, 3000 * MS);
	/* the ends lost: told late, with its own time */
	(void)packet(&d, 1, 30000, 5020 * MS, start, 4, &p);
	(void)packet(&d, 1, 30000, 5100 * MS, later, 4, &p);
	assert_int_equal(dtmf_idle(&d, 5249 * MS, &p), DTMF_NOTHING);
	assert_int_equal(dtmf_idle(&d, 5250 * MS, &p), DTMF_PRESS);
	assert_int_equal(p.begin_ns, 5000 * MS);
	assert_int_equal(p.end_ns, 5100 * MS);
	/* another clock */
	assert_int_equal(dtmf_packet(&d, &(struct dtmf_from){ 1, 40000, 48000, true, 6000 * MS }, end, 4, &p), DTMF_PRESS);
	assert_int_equal(p.begin_ns, 6000 * MS - 25 * MS);
	/* somebody else's, that the party's own next press closes, is still somebody else's; an end speaks for all of it */
	(void)dtmf_packet(&d, &(struct dtmf_from){ 1, 50000, 8000, false, 7000 * MS }, start, 4, &p);
	assert_int_equal(packet(&d, 1, 60000, 7100 * MS, next, 4, &p), DTMF_PRESS);
	assert_int_equal(p.key, '7');
	assert_false(p.trusted);
	assert_true(dtmf_open(&d, &over)); /* the next one: its end is told with the next packet, or by time */
	assert_int_equal(dtmf_idle(&d, UINT64_MAX, &p), DTMF_PRESS);
	assert_int_equal(p.key, '8');
	assert_true(p.trusted);
	(void)packet(&d, 1, 70000, 8000 * MS, start, 4, &p);
	(void)dtmf_packet(&d, &(struct dtmf_from){ 1, 70000, 8000, false, 8020 * MS }, later, 4, &p);
	assert_int_equal(dtmf_idle(&d, 8020 * MS + DTMF_OVER_NS, &p), DTMF_PRESS);
	assert_false(p.trusted);
	/* a clock that was set back: nobody waits for the old time to come again */
	(void)packet(&d, 1, 80000, 9000 * MS, start, 4, &p);
	assert_int_equal(dtmf_idle(&d, 3000 * MS, &p), DTMF_PRESS);
}

/* The ends are lost, and another process goes on in between: told once, with its times; that press' digit alone is in the bytes. */
static void saved_open(void **state)
{
	static const uint8_t old[] = { 5, 0x80, 0, 160 }, start[] = { 7, 0, 0, 160 }, end[] = { 7, 0x80, 1, 64 };
	struct dtmf_press p;
	uint64_t over;

	(void)state;
	for (int how = 0; how < 3; how++) {
		struct dtmf_rx d = { 0 };
		struct buf out = { 0 };
		struct rd r;

		assert_int_equal(packet(&d, 1, 1, 1000 * MS, old, 4, &p), DTMF_PRESS);
		assert_int_equal(packet(&d, 1, 9000, 2020 * MS, start, 4, &p), DTMF_NOTHING);
		dtmf_save(&d, &out);
		for (size_t n = 0; n < out.len; n++) {
			r = (struct rd){ out.p, n, false };
			assert_false(dtmf_load(&r, &d));
			assert_false(dtmf_open(&d, &over));
		}
		r = (struct rd){ out.p, out.len, false };
		assert_true(dtmf_load(&r, &d));
		assert_int_equal(r.left, 0);
		buf_free(&out);
		assert_true(dtmf_open(&d, &over));
		if (how == 0) { /* its end was not lost after all */
			assert_int_equal(packet(&d, 1, 9000, 2040 * MS, end, 4, &p), DTMF_PRESS);
			assert_int_equal(p.end_ns, 2040 * MS);
		} else if (how == 1) {
			assert_int_equal(dtmf_idle(&d, 9000 * MS, &p), DTMF_PRESS);
			assert_int_equal(p.end_ns, 2020 * MS);
		} else {
			assert_int_equal(dtmf_audio(&d, 1, 9000 + 560, &p), DTMF_PRESS);
			assert_int_equal(p.end_ns, 2020 * MS);
		}
		assert_int_equal(p.key, '7');
		assert_true(p.trusted);
		assert_int_equal(p.begin_ns, 2000 * MS);
		assert_int_equal(packet(&d, 1, 9000, 2060 * MS, end, 4, &p), DTMF_NOTHING);
		assert_int_equal(packet(&d, 1, 1, 2070 * MS, old, 4, &p), DTMF_NOTHING);
		assert_int_equal(d.presses, 2);
	}
}

/* Another process between any two packets: a press comes once. */
static void saved(void **state)
{
	static const uint8_t b[4] = {5, 0x80 | 10, 3, 32};
	struct dtmf_rx d = {0};
	unsigned presses = 0;
	struct dtmf_press p;

	(void)state;
	for (uint32_t i = 0; i < 40; i++) {
		for (int copy = 0; copy < 3; copy++) {
			struct buf out = {0};
			struct rd r;

			presses += packet(&d, 9, 1000 + i * 3200, i * 500 * MS, b, 4, &p) == DTMF_PRESS;
			dtmf_save(&d, &out);
			for (size_t n = 0; n < out.len; n++) {
				r = (struct rd){out.p, n, false};
				assert_false(dtmf_load(&r, &d));
			}
			r = (struct rd){out.p, out.len, false};
			assert_true(dtmf_load(&r, &d));
			assert_int_equal(r.left, 0);
			buf_free(&out);
		}
		if (i > 2) /* a late copy of the press before last */
			assert_int_equal(packet(&d, 9, 1000 + (i - 2) * 3200, i * 500 * MS, b, 4, &p), DTMF_NOTHING);
	}
	assert_int_equal(presses, 40);
	assert_int_equal(d.presses, 40);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(scenarios),
		cmocka_unit_test(short_payload),
		cmocka_unit_test(no_event),
		cmocka_unit_test(wiped),
		cmocka_unit_test(random_presses),
		cmocka_unit_test(times),
		cmocka_unit_test(saved_open),
		cmocka_unit_test(saved),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
