/* SPDX-License-Identifier: BSD-2-Clause */
/* zmem.c - zstd's contexts in locked memory, see zmem.h */
#define ZSTD_STATIC_LINKING_ONLY
#include "store/zmem.h"

#include <sodium.h>

extern __typeof__(ZSTD_createCCtx_advanced) ZSTD_createCCtx_advanced __attribute__((weak));
extern __typeof__(ZSTD_createDCtx_advanced) ZSTD_createDCtx_advanced __attribute__((weak));

/* It ends where a page does: of a multiple of 64 bytes the beginning is aligned. */
static void *take(void *opaque, size_t n)
{
	(void)opaque;
	return n > SIZE_MAX - 63 ? NULL : sodium_malloc((n + 63) & ~(size_t)63);
}

static void give(void *opaque, void *p)
{
	(void)opaque;
	sodium_free(p);
}

ZSTD_CCtx *zmem_cctx(void)
{
	if (sodium_init() < 0)
		return NULL;
	return ZSTD_createCCtx_advanced ? ZSTD_createCCtx_advanced((ZSTD_customMem){ take, give, NULL }) : ZSTD_createCCtx();
}

ZSTD_DCtx *zmem_dctx(void)
{
	if (sodium_init() < 0)
		return NULL;
	return ZSTD_createDCtx_advanced ? ZSTD_createDCtx_advanced((ZSTD_customMem){ take, give, NULL }) : ZSTD_createDCtx();
}
