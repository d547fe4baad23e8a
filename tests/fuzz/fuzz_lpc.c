/* SPDX-License-Identifier: BSD-2-Clause */
/* fuzz_lpc.c - records of G.711 by linear prediction; inputs: coder.h */
#include "coder.h"
#include "locked.h"

static struct lpc_enc *enc;
static struct lpc_dec *dec;

static int coder_path(enum path path)
{
	return lpc_enc_path(enc, path);
}

static size_t coder_encode(bool mu, const uint8_t *p, size_t n, uint8_t *to, size_t room)
{
	return lpc_encode(enc, mu, p, n, to, room);
}

static const char *coder_decode(const uint8_t *rec, size_t len, uint8_t *to, size_t n)
{
	return lpc_decode(dec, rec, len, to, n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!enc)
		MUST(!lpc_enc_new(&enc) && !lpc_dec_new(&dec));
	return coder_input(data, size);
}
