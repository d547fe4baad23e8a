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
	{"end lost, silence", {{0, 10, 100, 160, '-'}, {W, 0, 499, 0, '-'}, {W, 0, 1, 0, '*'}, {W, 0, 9000, 0, '-'}}},
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

static char run_step(struct dtmf_rx *d, const struct step *s, uint64_t *now)
{
	uint8_t b[4] = {s->event, (uint8_t)(s->flags & E ? 0x8a : 0x0a), (uint8_t)(s->duration >> 8),
			(uint8_t)s->duration};
	enum dtmf_result r;
	char key = '?';

	if (s->flags & W) {
		*now += s->ts * MS;
		r = dtmf_idle(d, *now, &key);
	} else {
		*now += 20 * MS;
		r = dtmf_packet(d, s->flags & S2 ? 2 : 1, s->ts, *now, b, sizeof(b), &key);
	}
	if (r != DTMF_PRESS)
		assert_int_equal(key, '?');
	return r == DTMF_PRESS ? key : r == DTMF_BAD ? '!' : '-';
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
	struct dtmf_rx d = {0};
	char key = '?';

	(void)state;
	for (size_t n = 0; n <= sizeof(b); n++)
		assert_int_equal(dtmf_packet(&d, 1, 1, 1, b, n, &key), DTMF_BAD);
	assert_int_equal(key, '?');
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
		char key = '?';

		assert_int_equal(dtmf_packet(&d, 1, 1, 1, b, n, &key), fits ? DTMF_PRESS : DTMF_BAD);
		assert_int_equal(key, fits ? '1' : '?');
		assert_int_equal(d.any, fits);
		assert_int_equal(dtmf_packet(&d, 1, 2, 1, reserved, 4, &key), DTMF_BAD);
	}
}

/* Nobody who reads the memory of a finished press learns the key (R-05b). */
static void wiped(void **state)
{
	static const uint8_t b[] = {7, 0x80, 0, 200};
	struct dtmf_rx d = {0};
	char key;

	(void)state;
	assert_int_equal(dtmf_packet(&d, 1, 1, 1, b, 4, &key), DTMF_PRESS);
	assert_int_equal(d.event, 0xff);
}

/* 5000 presses, each packet lost, copied or moved within the press: every press with a packet left counts once. */
static void random_presses(void **state)
{
	uint64_t x = 12345, now = 0, want = 0, got = 0;
	struct dtmf_rx d = {0};
	char key;

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
			got += dtmf_packet(&d, 9, i * 3200, now, b, 4, &key) == DTMF_PRESS;
		}
		want += left > 0;
	}
	got += dtmf_idle(&d, now + 1000 * MS, &key) == DTMF_PRESS;
	assert_int_equal(got, want);
	assert_true(want > 4500);
}

/* Another process between any two packets: a press comes once, and no digit is in the bytes. */
static void saved(void **state)
{
	static const uint8_t b[4] = {5, 0x80 | 10, 3, 32};
	struct dtmf_rx d = {0};
	unsigned presses = 0;
	char key;

	(void)state;
	for (uint32_t i = 0; i < 40; i++) {
		for (int copy = 0; copy < 3; copy++) {
			struct buf out = {0};
			struct rd r;

			presses += dtmf_packet(&d, 9, 1000 + i * 3200, i * 500 * MS, b, 4, &key) == DTMF_PRESS;
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
			assert_int_equal(dtmf_packet(&d, 9, 1000 + (i - 2) * 3200, i * 500 * MS, b, 4, &key), DTMF_NOTHING);
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
		cmocka_unit_test(saved),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
