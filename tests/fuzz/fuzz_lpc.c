/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_lpc.c - records of G.711 by linear prediction
 *
 * First byte even: a record of as many code words as the next three bytes say, decoded. Odd: code words (mu-law
 * when bit 1 is set), which must code to the same bytes on every path and come back.
 */
#include <stdlib.h>
#include <string.h>

#include "locked.h"
#include "must.h"
#include "store/lpc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct lpc_enc *enc;
static struct lpc_dec *dec;
static uint8_t first[LPC_MAX], other[LPC_MAX], words[LPC_MAX];

static void code(bool mu, const uint8_t *p, size_t n)
{
	size_t want = 0;

	n = n < LPC_MAX ? n : LPC_MAX;
	for (enum lpc_path path = LPC_PLAIN; path <= LPC_AVX512; path++) {
		uint8_t *to = path == LPC_PLAIN ? first : other;
		size_t len;

		if (lpc_enc_path(enc, path))
			continue;
		len = lpc_encode(enc, mu, p, n, to, LPC_MAX);
		want = path == LPC_PLAIN ? len : want;
		MUST(len == want && !memcmp(to, first, len));
	}
	if (want)
		MUST(!lpc_decode(dec, first, want, words, n) && !memcmp(words, p, n));
}

static void decode(const uint8_t *p, size_t len, size_t n)
{
	uint8_t *exact = malloc(len ? len : 1), *out = malloc(n ? n : 1); /* ASan sees one byte too far */
	const char *bad;

	MUST(exact && out);
	memcpy(exact, p, len);
	bad = lpc_decode(dec, exact, len, out, n);
	if (!bad && n) {
		code(false, out, n);
		code(true, out, n);
	}
	free(exact);
	free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!enc)
		MUST(!lpc_enc_new(&enc) && !lpc_dec_new(&dec));
	if (size < 4)
		return 0;
	if (data[0] & 1)
		code(data[0] & 2, data + 1, size - 1);
	else
		decode(data + 4, size - 4, (data[1] | data[2] << 8 | data[3] << 16) % (LPC_MAX + 2));
	return 0;
}
