/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * coder.h - the fuzz targets of both G.711 encoders (lpc, rice)
 *
 * First byte even: a record of as many code words as the next three bytes say, decoded. Odd: code words (mu-law
 * when bit 1 is set), which must code to the same bytes on every path and come back.
 */
#ifndef CODER_H
#define CODER_H

#include <stdlib.h>
#include <string.h>

#include "must.h"
#include "store/lpc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The target defines these. */
static int coder_path(enum path path);
static size_t coder_encode(bool mu, const uint8_t *words, size_t n, uint8_t *to, size_t room);
static const char *coder_decode(const uint8_t *rec, size_t len, uint8_t *to, size_t n);

static uint8_t first[LPC_MAX], other[LPC_MAX], words[LPC_MAX];

static void code(bool mu, const uint8_t *p, size_t n)
{
	size_t want = 0;

	n = n < LPC_MAX ? n : LPC_MAX;
	for (enum path path = PATH_PLAIN; path < PATHS; path++) {
		uint8_t *to = path == PATH_PLAIN ? first : other;
		size_t len;

		if (coder_path(path))
			continue;
		len = coder_encode(mu, p, n, to, LPC_MAX);
		want = path == PATH_PLAIN ? len : want;
		MUST(len == want && !memcmp(to, first, len));
	}
	if (want)
		MUST(!coder_decode(first, want, words, n) && !memcmp(words, p, n));
}

static void decode(const uint8_t *p, size_t len, size_t n)
{
	uint8_t *exact = malloc(len ? len : 1), *out = malloc(n ? n : 1); /* ASan sees one byte too far */

	MUST(exact && out);
	memcpy(exact, p, len);
	if (!coder_decode(exact, len, out, n)) {
		code(false, out, n);
		code(true, out, n);
	}
	free(exact);
	free(out);
}

static int coder_input(const uint8_t *data, size_t size)
{
	if (size < 4)
		return 0;
	if (data[0] & 1)
		code(data[0] & 2, data + 1, size - 1);
	else
		decode(data + 4, size - 4, (data[1] | data[2] << 8 | data[3] << 16) % (LPC_MAX + 2));
	return 0;
}

#endif
