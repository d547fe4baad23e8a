/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * zmem.h - zstd's contexts in memory that is locked, not dumped, and wiped when it is freed
 *
 * While it compresses, zstd has copies of audio in there. The parameter that says where from is of zstd's unstable
 * interface, the same since 1.0; a library that hides it gives ordinary contexts. Free with ZSTD_freeCCtx, ZSTD_freeDCtx.
 */
#ifndef ZMEM_H
#define ZMEM_H

#include <zstd.h>

ZSTD_CCtx *zmem_cctx(void); /* NULL: no memory */
ZSTD_DCtx *zmem_dctx(void);

#endif
