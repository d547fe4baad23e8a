/* SPDX-License-Identifier: BSD-2-Clause */
/* test_rice.c - what goes in comes out, on every path the same bytes; golden records, which are read and written */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "codec_coder.h"
#include "store/rice.h"
#include "store/store_internal.h"

#define GOLDEN_N 1500

static struct rice_enc *enc;

static int coder_path(enum path path)
{
	return rice_enc_path(enc, path);
}

static enum path coder_which(void)
{
	return rice_enc_which(enc);
}

static size_t coder_encode(bool mu, const uint8_t *words, size_t n, uint8_t *to, size_t room)
{
	return rice_encode(enc, mu, words, n, to, room);
}

static const char *coder_decode(const uint8_t *rec, size_t len, uint8_t *to, size_t n)
{
	return rice_decode(rec, len, to, n);
}

/* n code words that one predictor guesses but for a little noise. */
static void make_for(unsigned predictor, size_t n)
{
	uint8_t a[3] = { 128, 128, 128 };

	sound_seed = predictor;
	for (size_t i = 0; i < n; i++) {
		int8_t d = (int8_t)(a[0] - a[1]), e = (int8_t)(a[1] - a[2]);
		uint8_t guess[4] = { 128, a[0], (uint8_t)(a[0] + (d >> 1)), (uint8_t)(a[0] + d - (e >> 1)) };

		a[2] = a[1];
		a[1] = a[0];
		a[0] = (uint8_t)(guess[predictor] + sound_rnd() % 9 - 4);
		in[i] = (a[0] >= 128 ? a[0] : a[0] ^ 127) ^ 0x55;
	}
}

/* Each predictor and each parameter is somebody's best; a block of nothing costs nothing but its header. */
static void test_blocks(void **state)
{
	bool seen[9] = { false };

	(void)state;
	for (enum kind k = 0; k < KINDS; k++)
		for (int mu = 0; mu < 2; mu++) {
			make(in, SILENCE, mu, 12800); /* with noise, that it is not stored as it is */
			make(in + 12800, k, mu, 12800);
			if (all(mu, 25600))
				for (size_t b = 0; b < 25600 / 128; b++)
					seen[first[5 + b] & 15] = true;
		}
	for (int k = 0; k < 9; k++)
		assert_true(seen[k]);
	for (unsigned p = 0; p < 4; p++) {
		make_for(p, 1280);
		assert_true(all(false, 1280) > 0);
		for (size_t b = 0; b < 10; b++)
			assert_int_equal(first[5 + b] >> 4, p);
	}
	memset(in, 0xd5, 1280); /* index 128: the first predictor's guess */
	in[1279] = 0xd4;
	/* eight values for each string in the last block, a bit each but for the last one: three */
	assert_int_equal(all(false, 1280), 5 + 10 + 32 + 17);
	assert_int_equal(first[5 + 8], 8);
}

static void golden(enum kind k, bool mu)
{
	char path[80];
	size_t n, len;
	FILE *f;

	make(in, k, mu, GOLDEN_N);
	len = all(mu, GOLDEN_N);
	snprintf(path, sizeof(path), "tests/golden/codec/rice/%s.%s", kinds[k], mu ? "pcmu" : "pcma");
	if (getenv("GOLDEN") && (f = fopen(path, "wx"))) {
		assert_int_equal(fwrite(first, 1, len, f), len);
		fclose(f);
	}
	f = fopen(path, "rb");
	if (!f)
		print_error("%s is missing\n", path);
	assert_non_null(f);
	n = fread(out, 1, sizeof(out), f);
	fclose(f);
	assert_int_equal(n, len);
	assert_memory_equal(out, first, n);
}

static void test_golden(void **state)
{
	(void)state;
	for (enum kind k = 0; k < KINDS; k++)
		for (int mu = 0; mu < 2; mu++)
			golden(k, mu);
}

/* A string that ends early, goes on for a byte too long, or is not filled up with zeros, whatever the checksum says. */
static void test_strings(void **state)
{
	/* silence of 32 samples: one block of nothing */
	uint8_t rec[5 + 1 + 32 + 1], words[32];
	size_t n = sizeof(words);

	(void)state;
	memset(words, 0xd5, n);
	memset(rec, 0, sizeof(rec));
	rec[5] = 8;
	for (uint32_t i = 0; i < 4; i++)
		rec[1 + i] = (uint8_t)(crc32c(0, words, n) >> 8 * i);
	assert_null(rice_decode(rec, 38, back, n));
	rec[5] = 0x18; /* by the second predictor the same */
	assert_null(rice_decode(rec, 38, back, n));
	rec[5] = 0x48;
	assert_string_equal(rice_decode(rec, 38, back, n), "block of an unknown kind");
	rec[5] = 9;
	assert_string_equal(rice_decode(rec, 38, back, n), "block of an unknown kind");
	rec[5] = 8;
	rec[0] = 2;
	assert_string_equal(rice_decode(rec, 38, back, n), "G.711 record of an unknown kind");
	rec[0] = 0;
	rec[6] = 1;
	assert_string_equal(rice_decode(rec, 38, back, n), "bits do not fit the G.711 record");
	assert_string_equal(rice_decode(rec, 39, back, n), "bits are not those of the samples"); /* nothing asks for them */
	rec[6] = 0;
	assert_string_equal(rice_decode(rec, 39, back, n), "bits do not fill the G.711 record");
	rec[5] = 0; /* now all strings are too short */
	assert_string_equal(rice_decode(rec, 38, back, n), "bits are not those of the samples");
}

/* As long as it may be, and with no room for it. */
static void test_room(void **state)
{
	size_t len;

	(void)state;
	make(in, SPEECH, false, 5000);
	len = run(PATH_PLAIN, false, 5000, first);
	for (size_t room = 0; room < len; room++)
		assert_int_equal(rice_encode(enc, false, in, 5000, out, room), 0);
	assert_int_equal(rice_encode(enc, false, in, 5000, out, len), len);
	assert_memory_equal(out, first, len);
}

static int setup(void **state)
{
	(void)state;
	return rice_enc_new(&enc);
}

static int teardown(void **state)
{
	(void)state;
	rice_enc_free(enc);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_paths),  cmocka_unit_test(test_kinds),  cmocka_unit_test(test_lengths), cmocka_unit_test(test_mixtures),
		cmocka_unit_test(test_blocks), cmocka_unit_test(test_golden), cmocka_unit_test(test_damage),  cmocka_unit_test(test_strings),
		cmocka_unit_test(test_room),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
