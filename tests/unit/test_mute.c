/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_mute.c - mute.c's first look against its description, window by window
 *
 * The source is part of this program, and of test_mute_plain.c once more, as machines without SSE2 compile it. That what
 * passes the looks is muted as tones.h says is test_tones.c's; here it is asked of one sound, in both builds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "media/mute.c"

static uint64_t seed = 1;

static uint32_t rnd(uint32_t n)
{
	seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(seed >> 33) % n;
}

static bool by_the_book(const uint8_t *p, struct look k)
{
	unsigned signs = 0;
	bool loud = false;

	for (unsigned i = 0; i < WINDOW; i++) {
		signs += i && (p[i] ^ p[i - 1]) & 0x80;
		loud |= ((p[i] ^ k.flip) & 0x7f) >= k.loud;
	}
	return loud && signs >= SIGNS_LEAST && signs <= SIGNS_MOST;
}

/* A window with so many changes of sign, at places by chance, and one octet of this magnitude among quieter ones. */
static void window(uint8_t *p, struct look k, unsigned signs, unsigned magnitude)
{
	unsigned loudest = rnd(WINDOW), left = WINDOW - 1;
	uint8_t sign = (uint8_t)(rnd(2) << 7);

	for (unsigned i = 0; i < WINDOW; i++) {
		uint8_t m = (uint8_t)(i == loudest ? magnitude : magnitude ? rnd(magnitude) : 0);

		if (i && rnd(left--) < signs) {
			sign ^= 0x80;
			signs--;
		}
		p[i] = (uint8_t)((m ^ (k.flip & 0x7f)) | sign);
	}
}

static void test_look(void **state)
{
	unsigned may = 0;

	(void)state;
	for (unsigned law = 0; law < 2; law++) {
		struct look k = looks[law];

		for (unsigned signs = 0; signs < WINDOW; signs++) {
			for (unsigned magnitude = 0; magnitude < 128; magnitude++) {
				bool is = signs >= 11 && signs <= 40 && magnitude >= (law == G711_ULAW ? 0x22 : 0x1c);
				uint8_t p[WINDOW];

				window(p, k, signs, magnitude);
				assert_int_equal(by_the_book(p, k), is); /* the window is what it should be */
				assert_int_equal(may_be_tones(p, k), is);
				may += is;
			}
		}
		for (unsigned round = 0; round < 20000; round++) {
			uint8_t p[WINDOW], dull = (uint8_t)(rnd(2) ? 0xff : 0x8f);

			for (unsigned i = 0; i < WINDOW; i++)
				p[i] = (uint8_t)(rnd(256) & dull);
			assert_int_equal(may_be_tones(p, k), by_the_book(p, k));
		}
	}
	assert_true(may > 5000);
}

static uint8_t octet(enum g711_law law, double v)
{
	unsigned best = 0;

	for (unsigned i = 1; i < 256; i++)
		if (fabs(g711_linear[law][i] - v) < fabs(g711_linear[law][best] - v))
			best = i;
	return (uint8_t)best;
}

/* A key of 80 ms in half a second of a hum, wherever it lies. */
static void test_key(void **state)
{
	enum { PACKETS = 25, LEN = 160, ALL = PACKETS * LEN, KEY = 640 };
	uint8_t sound[ALL], was[ALL];
	struct chunk_pkt pkt[PACKETS];

	(void)state;
	for (unsigned round = 0; round < 60; round++) {
		enum g711_law law = round & 1 ? G711_ALAW : G711_ULAW;
		unsigned at = 400 + rnd(ALL - KEY - 1000);
		struct tones t = { 0 };

		for (unsigned i = 0; i < ALL; i++) {
			double turn = i * 2 * M_PI / 8000, v = 300 * sin(turn * 200);

			if (i >= at && i < at + KEY)
				v += 7000 * (sin(turn * 770) + sin(turn * 1336));
			sound[i] = was[i] = octet(law, v);
		}
		for (unsigned i = 0; i < PACKETS; i++)
			pkt[i] = (struct chunk_pkt){ .seq = (uint16_t)i, .ts = i * LEN, .len = LEN };
		assert_in_range(mute_keys(law, pkt, PACKETS, sound, 0, PACKETS), KEY, KEY + 400);
		for (unsigned i = 0; i < ALL; i++) {
			if (i >= at && i < at + KEY)
				assert_int_equal(sound[i], g711_silence(law));
			else if (i + 200 < at || i > at + KEY + 200)
				assert_int_equal(sound[i], was[i]);
		}
		tones_packet(&t, law, 0, 0, sound, ALL, NULL);
		assert_int_equal(t.presses, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_look),
		cmocka_unit_test(test_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
