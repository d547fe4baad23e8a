/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * locked.h - leaks are also sought behind locked memory
 *
 * The search for leaks follows pointers in memory of malloc only; what lies in libsodium's, as the codec does, it takes
 * for lost. A target that includes this is linked with --wrap=sodium_malloc (WRAP_ in the Makefile): each locked region
 * is named as one to look in. Nothing is taken back: of a region that is gone the search skips what is not mapped.
 */
#ifndef LOCKED_H
#define LOCKED_H

#include <stddef.h>

void __lsan_register_root_region(const void *p, size_t n) __attribute__((weak)); /* NULL without a sanitizer */
void *__real_sodium_malloc(size_t n);
void *__wrap_sodium_malloc(size_t n);

void *__wrap_sodium_malloc(size_t n)
{
	void *p = __real_sodium_malloc(n);

	if (p && __lsan_register_root_region)
		__lsan_register_root_region(p, n);
	return p;
}

#endif
