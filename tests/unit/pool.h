/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pool.h - memory that is made once, for a test that reads calls by the million
 *
 * A reader makes a codec, whose tables and locked pages cost more than reading a short call does. Linked with WRAP_POOL
 * (see the Makefile), codecs are used again, and the rest of what is locked is memory of malloc. One thread; included by one
 * test program each, in processes that end without giving anything back.
 */
#ifndef POOL_H
#define POOL_H

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>

#include "store/codec.h"

int __real_codec_new(struct codec **ret);
void __real_codec_free(struct codec *k);
int __wrap_codec_new(struct codec **ret);
void __wrap_codec_free(struct codec *k);
void *__wrap_sodium_malloc(size_t n);
void *__wrap_sodium_allocarray(size_t count, size_t n);
void __wrap_sodium_free(void *p);

static __thread struct codec *spare[4];

int __wrap_codec_new(struct codec **ret)
{
	for (unsigned i = 0; i < 4; i++)
		if (spare[i]) {
			*ret = spare[i];
			spare[i] = NULL;
			return 0;
		}
	return __real_codec_new(ret);
}

void __wrap_codec_free(struct codec *k)
{
	for (unsigned i = 0; i < 4; i++)
		if (!spare[i]) {
			spare[i] = k;
			return;
		}
	__real_codec_free(k);
}

/* zstd's and the encoders' memory begins at a line. */
void *__wrap_sodium_malloc(size_t n)
{
	return aligned_alloc(64, (n + 64) & ~(size_t)63);
}

void *__wrap_sodium_allocarray(size_t count, size_t n)
{
	void *p = count && n > SIZE_MAX / 2 / count ? NULL : __wrap_sodium_malloc(count * n);

	if (!p)
		errno = ENOMEM;
	return p;
}

void __wrap_sodium_free(void *p)
{
	free(p);
}

#endif
