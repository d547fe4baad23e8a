/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_lpc.c - what goes in comes out, on every path the same bytes; and golden values
 *
 * zstd may make other bytes of the same lists in another version, so golden
 * checksums are of the lists, and golden records are only read.
 */
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
#include "store/lpc_internal.h"
#include "store/store_internal.h"

#define GOLDEN_N 6000

static struct lpc_enc *enc;
static struct lpc_dec *dec;
static uint8_t in[LPC_MAX], out[LPC_MAX + 64], first[LPC_MAX + 64], back[LPC_MAX];
/* Encodes on a path; the decoder agrees. The length, 0 for raw. */
static size_t run(enum lpc_path path, bool mu, size_t n, uint8_t *to)
{
	size_t len;

	assert_int_equal(lpc_enc_path(enc, path), 0);
	len = lpc_encode(enc, mu, in, n, to, LPC_MAX + 64);
	assert_true(!len || len < n);
	if (len) {
		memset(back, 0x5a, n);
		assert_null(lpc_decode(dec, to, len, back, n));
		assert_memory_equal(back, in, n);
	}
	return len;
}

/* All paths that this machine has. */
static size_t all(bool mu, size_t n)
{
	size_t len = run(LPC_PLAIN, mu, n, first);

	for (enum lpc_path p = LPC_AVX2; p <= LPC_AVX512; p++) {
		if (lpc_enc_path(enc, p))
			continue;
		assert_int_equal(run(p, mu, n, out), len);
		assert_memory_equal(out, first, len);
	}
	return len;
}

static void test_paths(void **state)
{
	(void)state;
	for (enum lpc_path p = LPC_PLAIN; p <= LPC_AVX512; p++)
		printf("%s%s\n", lpc_enc_path(enc, p) ? "SKIP this CPU has no " : "has ", lpc_path_names[p]);
#ifdef __x86_64__
	/* the trial at start must not hide that a path is wrong */
	if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2"))
		assert_int_equal(lpc_enc_path(enc, LPC_AVX2), 0);
	if (__builtin_cpu_supports("avx512vbmi2") && __builtin_cpu_supports("avx512vnni"))
		assert_int_equal(lpc_enc_path(enc, LPC_AVX512), 0);
#endif
	assert_int_equal(lpc_enc_path(enc, LPC_BEST), 0);
}

static void test_kinds(void **state)
{
	static const size_t sizes[] = { 32, 33, 63, 64, 65, 191, 1023, 1024, 1025, 12800, 40000 };

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
		make(in, SPEECH, mu, LPC_MAX);
		for (size_t n = 0; n < LPC_MIN; n++)
			assert_int_equal(lpc_encode(enc, mu, in, n, out, sizeof(out)), 0);
		for (size_t n = LPC_MIN; n < 1400; n++)
			all(mu, n);
		assert_true(all(mu, LPC_MAX) > 0);
		assert_true(all(mu, LPC_MAX - 1) > 0);
		make(in, BYTES, mu, LPC_MAX);
		assert_int_equal(all(mu, LPC_MAX), 0); /* noise stays raw */
		make(in, LOSS, mu, LPC_MAX);
		assert_true(all(mu, LPC_MAX) > 0);
	}
	assert_int_equal(lpc_encode(enc, false, in, LPC_MAX + 1, out, sizeof(out)), 0);
}

/* Anything: pieces of all kinds one after the other, of any length. */
static void test_mixtures(void **state)
{
	static uint8_t whole[20000];

	(void)state;
	for (uint32_t round = 0; round < 150; round++) {
		bool mu = round & 1;
		size_t n = 0, most;
		uint32_t r = round * 2654435761u;

		while (n < sizeof(whole) - 3000) {
			size_t m = 1 + (r >> 8) % 2500;

			make(in, (enum kind)((r >> 20) % KINDS), mu, m);
			memcpy(whole + n, in, m);
			n += m;
			r = r * 1664525 + 1013904223;
			if (r >> 30 == 3)
				break;
		}
		most = n;
		memcpy(in, whole, most);
		if (most >= LPC_MIN)
			all(mu, most);
	}
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
			for (enum lpc_path p = LPC_PLAIN; p <= LPC_AVX512; p++) {
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
			assert_non_null(lpc_decode(dec, first, cut, back, n));
		assert_non_null(lpc_decode(dec, first, len, back, n - 1));
		assert_non_null(lpc_decode(dec, first, len, back, n + 1));
		assert_non_null(lpc_decode(dec, first, len, back, 0));
		assert_non_null(lpc_decode(dec, first, len, back, LPC_MAX + 1));
		for (size_t at = 0; at < len; at++)
			for (int bit = 0; bit < 8; bit++) {
				const char *bad;

				memcpy(out, first, len);
				out[at] ^= (uint8_t)(1 << bit);
				bad = lpc_decode(dec, out, len, back, n);
				/* unused bits of the frame's header, or filling bits: then nothing is different */
				assert_true(bad || !memcmp(back, in, n));
			}
		assert_null(lpc_decode(dec, first, len, back, n)); /* nothing is left over of them */
	}
}

/* As long as it may be, and with no room for it. */
static void test_room(void **state)
{
	size_t len;

	(void)state;
	make(in, SPEECH, false, 5000);
	len = run(LPC_PLAIN, false, 5000, first);
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
