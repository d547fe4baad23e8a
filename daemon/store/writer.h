/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * writer.h - appends chunks to segment files through io_uring
 *
 * Full buffers of 1 MiB go out asynchronously, one at a time per segment (so a
 * crash never leaves a hole before whole chunks); what is in a partly filled
 * buffer is written by writer_flush and writer_sync. Space is preallocated before bytes are
 * accepted, so -ENOSPC comes from writer_append and not from the disk later.
 * O_DIRECT where the file system has it, io_uring where the kernel allows it,
 * else ordinary writes.
 *
 * Any thread. While one waits for the disk's cache in writer_sync others append and flush; one appends at a time.
 */
#ifndef WRITER_H
#define WRITER_H

#include <stdbool.h>
#include <stdint.h>

#include "store/store_internal.h"

#define WRITER_ROLL (64u << 20) /* a new segment after this many bytes */
#define WRITER_OPEN 32		/* segments open at once; the least used is closed */

struct extent {
	uint32_t segment;
	uint32_t len;
	uint64_t off;
};

struct writer;
struct writer_ring;

/*
 * The ring, with its buffers: it outlives the writer, of which it has one at a time, so that a store which is repaired makes
 * none anew (the daemon's filter of system calls allows none by then). Where the kernel has no io_uring, or forbids it, or does
 * not let it be restricted to writes, it does not work, and writers write without. -ENOMEM.
 */
int writer_ring_new(struct writer_ring **ret);
bool writer_ring_works(const struct writer_ring *r); /* any thread; NULL: no */
void writer_ring_free(struct writer_ring *r);	     /* after the writer; NULL-tolerant */

int writer_new(const struct root *r, struct writer_ring *ring, struct writer **ret, struct why *why);
/* Finishes (truncates, renames) what can be finished. NULL-tolerant. */
void writer_free(struct writer *w);
/* len bytes of a chunk, padding excluded. After an error the writer takes nothing more. */
int writer_append(struct writer *w, const char *controller, uint32_t day, const uint8_t *p,
		  uint32_t len, struct extent *ret, struct why *why);
/* Where the next chunk of this day will be, or a place before it. */
int writer_where(struct writer *w, const char *controller, uint32_t day, uint32_t *ret_segment,
		 uint64_t *ret_off, struct why *why);
/* What is in partly filled buffers goes out, and is not waited for: a kill -9 costs less then. */
void writer_flush(struct writer *w);
/* Everything that was appended when it began is durable when this returns 0. */
int writer_sync(struct writer *w, struct why *why);
/* A segment of this day is being written. */
bool writer_has(struct writer *w, const char *controller, uint32_t day);
uint64_t writer_segments(const struct writer *w); /* made so far; by who appends */

/* "segments/CONTROLLER/DAY/NNNNNNNN.EXT" */
void segment_path(const char *controller, uint32_t day, uint32_t number, const char *ext,
		  char out[STORE_PATH_MAX]);
/*
 * After a crash: cuts every .open file behind its last whole chunk and gives it its final name. One that cannot be read stays, and is
 * counted: what is in it is nobody's before a later call of this can.
 */
int writer_recover(const struct root *r, uint64_t *ret_left, struct why *why);

#endif
