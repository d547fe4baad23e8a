/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_rice.c - records of G.711 in Rice codes
 *
 * First byte even: a record of as many code words as the next three bytes say, decoded. Odd: code words (mu-law
 * when bit 1 is set), which must code to the same bytes on every path and come back.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "must.h"
#include "store/rice.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct rice_enc *enc;
static uint8_t first[RICE_MAX], other[RICE_MAX], words[RICE_MAX];

static void code(bool mu, const uint8_t *p, size_t n)
{
	size_t want = 0;

	n = n < RICE_MAX ? n : RICE_MAX;
	for (enum lpc_path path = LPC_PLAIN; path <= LPC_AVX512; path++) {
		uint8_t *to = path == LPC_PLAIN ? first : other;
		size_t len;

		if (rice_enc_path(enc, path))
			continue;
		len = rice_encode(enc, mu, p, n, to, RICE_MAX);
		want = path == LPC_PLAIN ? len : want;
		MUST(len == want && !memcmp(to, first, len));
	}
	if (want)
		MUST(!rice_decode(first, want, words, n) && !memcmp(words, p, n));
}

static void decode(const uint8_t *p, size_t len, size_t n)
{
	uint8_t *exact = malloc(len ? len : 1), *out = malloc(n ? n : 1); /* ASan sees one byte too far */

	MUST(exact && out);
	memcpy(exact, p, len);
	if (!rice_decode(exact, len, out, n)) {
		code(false, out, n);
		code(true, out, n);
	}
	free(exact);
	free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!enc)
		MUST(!rice_enc_new(&enc));
	if (size < 4)
		return 0;
	if (data[0] & 1)
		code(data[0] & 2, data + 1, size - 1);
	else
		decode(data + 4, size - 4, (data[1] | data[2] << 8 | data[3] << 16) % (RICE_MAX + 2));
	return 0;
}
