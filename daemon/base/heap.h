/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * heap.h - the C library's heap in huge pages
 *
 * Tens of thousands of calls are hundreds of megabytes of small structures, cold when a packet comes: with ordinary pages most of
 * what a packet meets is first a miss of the address translation.
 */
#ifndef HEAP_H
#define HEAP_H

#include <stddef.h>

/*
 * From now on so many bytes of what this thread allocates lie in pages that the kernel may join (MADV_HUGEPAGE); at most 1 GiB.
 * They are address space, no memory, until they are used. For a program's first thread, once. Where it cannot be all
 * works as without.
 */
void heap_huge(size_t bytes);

#endif
