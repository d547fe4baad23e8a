/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * slab.h - memory for audio that is being collected: blocks of a power of two bytes
 *
 * Blocks lie in areas of 2 MiB, of one size each: huge pages where the machine has some reserved, else
 * pages that the kernel may join (MADV_HUGEPAGE), else ordinary ones. With tens of thousands of voices
 * it is the address translation that a packet's copy waits for. Who may lock any amount (CAP_IPC_LOCK) has
 * areas locked as they are used, so that audio reaches no swap; core dumps leave them out. A block that is given
 * back is wiped. Empty areas go back to the machine but for one of each size, and those that slab_ahead keeps.
 *
 * One thread at a time each. Whoever takes a block gives it back with the size it asked for.
 */
#ifndef SLAB_H
#define SLAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SLAB_MIN  1024u
#define SLAB_MAX  (256u * 1024)
#define SLAB_AREA (2u << 20) /* AREA_BYTES */

struct slab; /* NULL: none yet */

struct slab_figures {
	uint64_t areas, huge; /* now; of these, of reserved huge pages */
	uint64_t bytes;	      /* in blocks that are taken, rounded up */
};

int slab_new(struct slab **ret); /* -ENOMEM */
/*
 * For who may not wait for the kernel to clear pages: a thread (areas.h) makes areas ahead, so many bytes of them from now on and
 * for ever; with grow also some more than are in use. Once, before the first block. -errno: there is no thread, all works as without.
 */
int slab_ahead(struct slab *s, size_t bytes, bool grow);
/* Every block must have been given back. */
void slab_free(struct slab *s);
/* n at most SLAB_MAX bytes, not cleared; NULL: out of memory. */
void *slab_get(struct slab *s, size_t n);
/* p NULL: nothing happens. Overwrites it first. */
void slab_put(struct slab *s, void *p, size_t n);
/* How much slab_get(n) takes: the next power of two. */
size_t slab_size(size_t n);
void slab_figures(const struct slab *s, struct slab_figures *ret);

#endif
