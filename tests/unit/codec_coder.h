/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * codec_coder.h - what the tests of both G.711 encoders (lpc, rice) do alike: all paths, kinds, lengths, mixtures, damage
 *
 * The including test defines the four functions; both encoders take as many code words, LPC_MIN to LPC_MAX.
 */
#ifndef CODEC_CODER_H
#define CODEC_CODER_H

#include <errno.h>

#include "codec_sounds.h"

static int coder_path(enum path path);
static enum path coder_which(void);
static size_t coder_encode(bool mu, const uint8_t *words, size_t n, uint8_t *to, size_t room);
static const char *coder_decode(const uint8_t *rec, size_t len, uint8_t *to, size_t n);

static uint8_t in[LPC_MAX], out[LPC_MAX + 64], first[LPC_MAX + 64], back[LPC_MAX];

/* Encodes on a path; the decoder agrees. The length, 0 for raw. */
static size_t run(enum path path, bool mu, size_t n, uint8_t *to)
{
	size_t len;

	assert_int_equal(coder_path(path), 0);
	assert_int_equal(coder_which(), path);
	len = coder_encode(mu, in, n, to, LPC_MAX + 64);
	assert_true(!len || len < n);
	if (len) {
		memset(back, 0x5a, n);
		assert_null(coder_decode(to, len, back, n));
		assert_memory_equal(back, in, n);
	}
	return len;
}

/* All paths that this machine has. */
static size_t all(bool mu, size_t n)
{
	size_t len = run(PATH_PLAIN, mu, n, first);

	for (enum path p = PATH_AVX2; p < PATHS; p++) {
		if (coder_path(p))
			continue;
		assert_int_equal(run(p, mu, n, out), len);
		assert_memory_equal(out, first, len);
	}
	return len;
}

static void test_paths(void **state)
{
	(void)state;
	for (enum path p = PATH_PLAIN; p < PATHS; p++) {
		printf("%s%s\n", coder_path(p) ? "SKIP this CPU has no " : "has ", path_names[p]);
		/* the trial at start must not hide that a path is wrong */
		assert_int_equal(coder_path(p), path_here(p) ? 0 : -ENOTSUP);
	}
	assert_int_equal(coder_path(PATH_BEST), 0);
	for (enum path p = coder_which() + 1; p < PATHS; p++)
		assert_false(path_here(p));
}

static void test_kinds(void **state)
{
	static const size_t sizes[] = { 32, 33, 63, 64, 65, 127, 128, 129, 191, 255, 256, 257, 1023, 1024, 1025, 12800, 40000 };

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
			assert_int_equal(coder_encode(mu, in, n, out, sizeof(out)), 0);
		for (size_t n = LPC_MIN; n < 1400; n++)
			all(mu, n);
		assert_true(all(mu, LPC_MAX) > 0);
		assert_true(all(mu, LPC_MAX - 1) > 0);
		make(in, BYTES, mu, LPC_MAX);
		assert_int_equal(all(mu, LPC_MAX), 0); /* noise stays raw */
		make(in, LOSS, mu, LPC_MAX);
		assert_true(all(mu, LPC_MAX) > 0);
	}
	assert_int_equal(coder_encode(false, in, LPC_MAX + 1, out, sizeof(out)), 0);
}

/* Anything: pieces of all kinds one after the other, of any length. */
static void test_mixtures(void **state)
{
	(void)state;
	for (uint32_t round = 0; round < 200; round++) {
		uint32_t r = round * 2654435761u;
		size_t n = 0;

		while (n < 17000) {
			size_t m = 1 + (r >> 8) % 2500;

			make(in + n, (enum kind)((r >> 20) % KINDS), round & 1, m);
			n += m;
			r = r * 1664525 + 1013904223;
			if (r >> 30 == 3)
				break;
		}
		if (n >= LPC_MIN)
			all(round & 1, n);
	}
}

/* No record that was changed or cut is taken for a whole one. A changed bit may say the same, where a record has such. */
static void test_damage(void **state)
{
	size_t len, n = 3000;

	(void)state;
	for (int mu = 0; mu < 2; mu++) {
		make(in, LOSS, mu, n);
		len = run(PATH_PLAIN, mu, n, first);
		assert_true(len > 0);
		for (size_t cut = 0; cut < len; cut++)
			assert_non_null(coder_decode(first, cut, back, n));
		assert_non_null(coder_decode(first, len, back, n - 1));
		assert_non_null(coder_decode(first, len, back, n + 1));
		assert_non_null(coder_decode(first, len, back, 0));
		assert_non_null(coder_decode(first, len, back, LPC_MAX + 1));
		first[len] = 0;
		assert_non_null(coder_decode(first, len + 1, back, n));
		for (size_t at = 0; at < len; at++)
			for (int bit = 0; bit < 8; bit++) {
				const char *bad;

				memcpy(out, first, len);
				out[at] ^= (uint8_t)(1 << bit);
				bad = coder_decode(out, len, back, n);
				assert_true(bad || !memcmp(back, in, n));
			}
		assert_null(coder_decode(first, len, back, n)); /* nothing is left over of them */
	}
}

#endif
