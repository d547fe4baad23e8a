/* SPDX-License-Identifier: BSD-2-Clause */
/* test_rice.c - what goes in comes out, on every path the same bytes; golden records, which are read and written */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "codec_sounds.h"
#include "store/rice.h"
#include "store/store_internal.h"

#define GOLDEN_N 1500

static struct rice_enc *enc;
static uint8_t in[RICE_MAX], out[RICE_MAX + 64], first[RICE_MAX + 64], back[RICE_MAX];

/* Encodes on a path; the decoder agrees. The length, 0 for raw. */
static size_t run(enum lpc_path path, bool mu, size_t n, uint8_t *to)
{
	size_t len;

	assert_int_equal(rice_enc_path(enc, path), 0);
	assert_int_equal(rice_enc_which(enc), path);
	len = rice_encode(enc, mu, in, n, to, RICE_MAX + 64);
	assert_true(!len || len < n);
	if (len) {
		memset(back, 0x5a, n);
		assert_null(rice_decode(to, len, back, n));
		assert_memory_equal(back, in, n);
	}
	return len;
}

/* All paths that this machine has. */
static size_t all(bool mu, size_t n)
{
	size_t len = run(LPC_PLAIN, mu, n, first);

	for (enum lpc_path p = LPC_AVX2; p <= LPC_AVX512; p++) {
		if (rice_enc_path(enc, p))
			continue;
		assert_int_equal(run(p, mu, n, out), len);
		assert_memory_equal(out, first, len);
	}
	return len;
}

static void test_paths(void **state)
{
	(void)state;
	for (enum lpc_path p = LPC_PLAIN; p <= LPC_AVX512; p++) {
		printf("%s%s\n", rice_enc_path(enc, p) ? "SKIP this CPU has no " : "has ", lpc_path_names[p]);
		/* the trial at start must not hide that a path is wrong */
		assert_int_equal(rice_enc_path(enc, p), lpc_path_here(p) ? 0 : -ENOTSUP);
	}
	assert_int_equal(rice_enc_path(enc, LPC_BEST), 0);
	for (enum lpc_path p = rice_enc_which(enc) + 1; p <= LPC_AVX512; p++)
		assert_false(lpc_path_here(p));
}

static void test_kinds(void **state)
{
	static const size_t sizes[] = { 32, 33, 63, 64, 65, 127, 128, 129, 255, 256, 257, 12000, 40000 };

	(void)state;
	for (enum kind k = 0; k < KINDS; k++)
		for (int mu = 0; mu < 2; mu++)
			for (size_t s = 0; s < sizeof(sizes) / sizeof(*sizes); s++) {
				make(in, k, mu, sizes[s]);
				all(mu, sizes[s]);
			}
}

static void test_lengths(void **state)
{
	(void)state;
	for (int mu = 0; mu < 2; mu++) {
		make(in, SPEECH, mu, RICE_MAX);
		for (size_t n = 0; n < RICE_MIN; n++)
			assert_int_equal(rice_encode(enc, mu, in, n, out, sizeof(out)), 0);
		for (size_t n = RICE_MIN; n < 700; n++)
			all(mu, n);
		assert_true(all(mu, RICE_MAX) > 0);
		assert_true(all(mu, RICE_MAX - 1) > 0);
		make(in, BYTES, mu, RICE_MAX);
		assert_int_equal(all(mu, RICE_MAX), 0); /* noise stays raw */
		make(in, LOSS, mu, RICE_MAX);
		assert_true(all(mu, RICE_MAX) > 0);
	}
	assert_int_equal(rice_encode(enc, false, in, RICE_MAX + 1, out, sizeof(out)), 0);
}

/* Anything: pieces of all kinds one after the other, of any length. */
static void test_mixtures(void **state)
{
	(void)state;
	for (uint32_t round = 0; round < 300; round++) {
		uint32_t r = round * 2654435761u;
		size_t n = 0;

		while (n < 20000) {
			size_t m = 1 + (r >> 8) % 2500;

			make(in + n, (enum kind)((r >> 20) % KINDS), round & 1, m);
			n += m;
			r = r * 1664525 + 1013904223;
			if (r >> 30 == 3)
				break;
		}
		if (n >= RICE_MIN)
			all(round & 1, n);
	}
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

/* No record that was changed or cut is taken for a whole one. */
static void test_damage(void **state)
{
	size_t len, n = 3000;

	(void)state;
	for (int mu = 0; mu < 2; mu++) {
		make(in, LOSS, mu, n);
		len = run(LPC_PLAIN, mu, n, first);
		assert_true(len > 0);
		for (size_t cut = 0; cut < len; cut++)
			assert_non_null(rice_decode(first, cut, back, n));
		assert_non_null(rice_decode(first, len, back, n - 1));
		assert_non_null(rice_decode(first, len, back, n + 1));
		assert_non_null(rice_decode(first, len, back, 0));
		assert_non_null(rice_decode(first, len, back, RICE_MAX + 1));
		for (size_t at = 0; at < len; at++)
			for (int bit = 0; bit < 8; bit++) {
				const char *bad;

				memcpy(out, first, len);
				out[at] ^= (uint8_t)(1 << bit);
				bad = rice_decode(out, len, back, n);
				/* in a block of nothing another predictor may say the same */
				assert_true(bad || !memcmp(back, in, n));
			}
		first[len] = 0;
		assert_non_null(rice_decode(first, len + 1, back, n));
	}
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
	len = run(LPC_PLAIN, false, 5000, first);
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
