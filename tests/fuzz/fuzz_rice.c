/* SPDX-License-Identifier: BSD-2-Clause */
/* fuzz_rice.c - records of G.711 in Rice codes; inputs: coder.h */
#include "coder.h"
#include "store/rice.h"

static struct rice_enc *enc;

static int coder_path(enum path path)
{
	return rice_enc_path(enc, path);
}

static size_t coder_encode(bool mu, const uint8_t *p, size_t n, uint8_t *to, size_t room)
{
	return rice_encode(enc, mu, p, n, to, room);
}

static const char *coder_decode(const uint8_t *rec, size_t len, uint8_t *to, size_t n)
{
	return rice_decode(rec, len, to, n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!enc)
		MUST(!rice_enc_new(&enc));
	return coder_input(data, size);
}
