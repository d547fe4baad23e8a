/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_lpc.c - what goes in comes out, on every path the same bytes; and golden values
 *
 * zstd may make other bytes of the same lists in another version, so golden
 * checksums are of the lists, and golden records are only read.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "codec_coder.h"
#include "store/lpc_internal.h"
#include "store/store_internal.h"

#define GOLDEN_N 6000

static struct lpc_enc *enc;
static struct lpc_dec *dec;

static int coder_path(enum path path)
{
	return lpc_enc_path(enc, path);
}

static enum path coder_which(void)
{
	return lpc_enc_which(enc);
}

static size_t coder_encode(bool mu, const uint8_t *words, size_t n, uint8_t *to, size_t room)
{
	return lpc_encode(enc, mu, words, n, to, room);
}

static const char *coder_decode(const uint8_t *rec, size_t len, uint8_t *to, size_t n)
{
	return lpc_decode(dec, rec, len, to, n);
}

/* Negative zero: every word of the law in a chunk, and none of it. */
static void test_zero(void **state)
{
	(void)state;
	for (int with = 0; with < 2; with++) {
		make(in, QUIET, true, 4000);
		for (size_t i = 0; i < 4000; i++)
			in[i] = in[i] == 0x7f ? 0xff : in[i];
		if (with)
			in[1234] = 0x7f;
		assert_true(all(true, 4000) > 0);
		assert_int_equal(first[0], with ? 0x14 : 0x34);
	}
	for (size_t i = 0; i < 4096; i++)
		in[i] = (uint8_t)(i >> 4);
	all(true, 4096);
	all(false, 4096);
}

static uint32_t lists_crc(const struct lpc_enc *e)
{
	uint32_t crc = crc32c(0, e->group, sizeof(e->group));

	for (unsigned g = 0; g < e->ngroups; g++)
		crc = crc32c(crc, e->list[g], e->bytes[g]);
	crc = crc32c(crc, e->low, (e->nlow + 7) / 8);
	return crc32c(crc, e->escape, e->nescape);
}

/* The model itself, on each path and with each compiler. */
static void test_golden_lists(void **state)
{
	static const uint32_t want[KINDS][2] = {
#include "../golden/codec/lists.h"
	};
	bool show = getenv("GOLDEN") != NULL;

	(void)state;
	for (enum kind k = 0; k < KINDS; k++) {
		uint32_t got[2];

		for (int mu = 0; mu < 2; mu++) {
			for (enum path p = PATH_PLAIN; p < PATHS; p++) {
				if (lpc_enc_path(enc, p))
					continue;
				make(in, k, mu, GOLDEN_N);
				(void)lpc_encode(enc, mu, in, GOLDEN_N, out, sizeof(out));
				got[mu] = lists_crc(enc);
				if (!show)
					assert_int_equal(got[mu], want[k][mu]);
			}
		}
		if (show)
			printf("\t\t{ 0x%08x, 0x%08x }, /* %s */\n", got[0], got[1], kinds[k]);
	}
}

/* Records of this version are readable for ever. */
static void test_golden_records(void **state)
{
	(void)state;
	for (enum kind k = 0; k < KINDS; k++)
		for (int mu = 0; mu < 2; mu++) {
			char path[80];
			size_t n;
			FILE *f;

			make(in, k, mu, GOLDEN_N);
			snprintf(path, sizeof(path), "tests/golden/codec/%s.%s", kinds[k], mu ? "pcmu" : "pcma");
			if (getenv("GOLDEN") && (f = fopen(path, "wx"))) {
				n = lpc_encode(enc, mu, in, GOLDEN_N, out, sizeof(out));
				assert_int_equal(fwrite(out, 1, n, f), n);
				fclose(f);
			}
			f = fopen(path, "rb");
			if (!f)
				print_error("%s is missing\n", path);
			assert_non_null(f);
			n = fread(out, 1, sizeof(out), f);
			fclose(f);
			if (!n) { /* noise */
				assert_true(k == BYTES);
				continue;
			}
			assert_null(lpc_decode(dec, out, n, back, GOLDEN_N));
			assert_memory_equal(back, in, GOLDEN_N);
		}
}

/* As long as it may be, and with no room for it. */
static void test_room(void **state)
{
	size_t len;

	(void)state;
	make(in, SPEECH, false, 5000);
	len = run(PATH_PLAIN, false, 5000, first);
	for (size_t room = 0; room < len; room += 7)
		assert_int_equal(lpc_encode(enc, false, in, 5000, out, room), 0);
	assert_int_equal(lpc_encode(enc, false, in, 5000, out, len + 200), len);
	assert_memory_equal(out, first, len);
}

static int setup(void **state)
{
	(void)state;
	return lpc_enc_new(&enc) || lpc_dec_new(&dec);
}

static int teardown(void **state)
{
	(void)state;
	lpc_enc_free(enc);
	lpc_dec_free(dec);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_paths), cmocka_unit_test(test_kinds), cmocka_unit_test(test_lengths), cmocka_unit_test(test_mixtures),
		cmocka_unit_test(test_zero), cmocka_unit_test(test_golden_lists), cmocka_unit_test(test_golden_records),
		cmocka_unit_test(test_damage), cmocka_unit_test(test_room),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
