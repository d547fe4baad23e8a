/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * keep.h - records that outlive the process, in memory that does
 *
 * The memory (a pinned map, see capture/xdp.h xdp_state) is blocks of KEEP_BLOCK
 * bytes. A record is some bytes under a number and takes as many blocks as it
 * needs. It is replaced by writing the new one beside the old one and giving the
 * old one back afterwards: whoever looks after a kill -9 at any instant finds one
 * of the two, whole. Every block says whose part of which writing it is and has a
 * checksum; what does not fit together is dropped when the memory is adopted.
 * Blocks given back are overwritten with zeroes: records hold keys.
 *
 * Nothing here allocates per record. One thread.
 */
#ifndef KEEP_H
#define KEEP_H

#include <stddef.h>
#include <stdint.h>

#define KEEP_BLOCK 512
#define KEEP_MAX   16384 /* bytes of a record */
#define KEEP_HELD  (UINT32_MAX - 1) /* numbers from here on: without these the others are worth nothing; two blocks are only for them */

struct keep;

/*
 * mem: zeroes, or what a predecessor left; aligned to 8; stays the caller's. Whatever it holds
 * is taken for hostile. -EINVAL: less than a block.
 */
int keep_new(void *mem, size_t bytes, struct keep **ret);
void keep_free(struct keep *k); /* the records stay */

/*
 * Adds or replaces. -EMSGSIZE: longer than KEEP_MAX; -ENOSPC: no blocks, -ENOMEM. On failure
 * there is none under this number any more: an old state is worse than none. One from KEEP_HELD on stays as it was.
 */
int keep_put(struct keep *k, uint32_t id, const void *p, size_t n);
void keep_del(struct keep *k, uint32_t id); /* none: nothing happens */
/* Each record once, in no order; p lives during the call. cb must not put or delete; not 0 ends it and is returned. */
int keep_each(struct keep *k, int (*cb)(void *arg, uint32_t id, const void *p, size_t n), void *arg);
void keep_clear(struct keep *k); /* all records */

struct keep_figures {
	size_t records, used, blocks; /* used: of blocks */
	uint64_t failed;   /* puts that did not fit */
	size_t torn;	   /* blocks found in pieces when adopted */
};
void keep_figures(const struct keep *k, struct keep_figures *ret);

#endif
