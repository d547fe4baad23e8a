/* SPDX-License-Identifier: BSD-2-Clause */
/* delta.h - codec 3 of FORMAT.md as programs of before codec 5 wrote it: to compare with, and to see that it is still read */
#ifndef DELTA_H
#define DELTA_H

#include <string.h>
#include <zstd.h>

#include "base/le.h"
#include "store/store_internal.h"

static ZSTD_CCtx *delta_context(void)
{
	ZSTD_CCtx *c = ZSTD_createCCtx();

	ZSTD_CCtx_setParameter(c, ZSTD_c_compressionLevel, 1);
	ZSTD_CCtx_setParameter(c, ZSTD_c_windowLog, 17);
	ZSTD_CCtx_setParameter(c, ZSTD_c_hashLog, 6);
	ZSTD_CCtx_setParameter(c, ZSTD_c_minMatch, 7);
	ZSTD_CCtx_setParameter(c, ZSTD_c_strategy, ZSTD_fast);
	return c;
}

/* tmp: n + 63 bytes. 0: is not shorter. */
static size_t delta_encode(ZSTD_CCtx *c, bool mu, const uint8_t *words, size_t n, uint8_t *tmp, uint8_t *out, size_t room)
{
	uint8_t id[64 + 1], last = 128, flip = mu ? 0x7f : 0x55;
	size_t got;

	for (size_t at = 0; at < n; at += 64) {
		memset(id, 0, sizeof(id));
		id[0] = last;
		memcpy(id + 1, words + at, n - at < 64 ? n - at : 64);
		for (int i = 1; i <= 64; i++) {
			uint8_t u = id[i] ^ flip;

			id[i] = (uint8_t)(u ^ (0x7f & ~(uint8_t)((int8_t)u >> 7)));
		}
		for (int i = 0; i < 64; i++) {
			uint8_t d = (uint8_t)(id[i + 1] - id[i]);

			tmp[at + (size_t)i] = (uint8_t)((uint8_t)(d << 1) ^ (uint8_t)((int8_t)d >> 7));
		}
		last = id[64];
	}
	out[0] = (uint8_t)(mu | 2);
	le32enc(out + 1, crc32c(0, words, n));
	got = ZSTD_compress2(c, out + 5, room - 5, tmp, n);
	return ZSTD_isError(got) || got + 5 >= n ? 0 : got + 5;
}

#endif
