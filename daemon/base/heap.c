/* SPDX-License-Identifier: BSD-2-Clause */
/* heap.c - the C library's heap in huge pages, see heap.h */
#include "base/heap.h"

#include <limits.h>
#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define MOST	  (1u << 30)
#define HUGE_PAGE ((uintptr_t)2 << 20)
#define STEP	  (2u << 20) /* what the heap has left is less than some of these */
#define STEPS	  8

/* The heap grows once, by all of it; afterwards as usual. What it has is not given back: the next calls need it. */
void heap_huge(size_t bytes)
{
	uintptr_t old = (uintptr_t)sbrk(0), from = (old + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1), to;
	void *block[STEPS];
	unsigned n = 0;

	/* As soon as one of them is set no threshold moves by itself any more. */
	(void)mallopt(M_MMAP_THRESHOLD, 4 << 20);
	(void)mallopt(M_TRIM_THRESHOLD, INT_MAX);
	(void)mallopt(M_TOP_PAD, (int)(bytes < MOST ? bytes : MOST));
	while (n < STEPS && (uintptr_t)sbrk(0) == old)
		block[n++] = malloc(STEP);
	(void)mallopt(M_TOP_PAD, 1 << 20);
	while (n)
		free(block[--n]);
	to = (uintptr_t)sbrk(0);
	if (to > from)
		(void)madvise((void *)from, to - from, MADV_HUGEPAGE);
}
