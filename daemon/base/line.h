/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * line.h - memory that begins with a cache line
 *
 * For what thousands of calls have one each of, cold when its packet comes: how many lines a packet meets is what it
 * costs. The structure's first fields say so.
 */
#ifndef LINE_H
#define LINE_H

#include <stdlib.h>
#include <string.h>

#define LINE_BYTES 64

/* Zeroed, like calloc; for free(). NULL: no memory. */
static inline void *line_alloc(size_t n)
{
	size_t whole = (n + LINE_BYTES - 1) / LINE_BYTES * LINE_BYTES;
	void *p = aligned_alloc(LINE_BYTES, whole);

	if (p)
		memset(p, 0, whole);
	return p;
}

#endif
