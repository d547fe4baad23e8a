/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * writer_internal.h - what writer.c and writer_ring.c share
 *
 * Invariants: the ring takes writes alone, of any file that is open, and new buffers: whoever takes the process over can have
 * it do nothing that the system-call filter forbids (priv.h), which does not see what a ring is asked. Its buffers stay with
 * it, registered, from one writer to the next. No write is on its way while no writer has it.
 */
#ifndef WRITER_INTERNAL_H
#define WRITER_INTERNAL_H

#include <liburing.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "store/writer.h"

#define BUF_SIZE (1u << 20) /* measured: 1 MiB direct writes reach the disk's speed */
#define BUF_MAX	 (2 * WRITER_OPEN)

struct wbuf {
	uint8_t *p;
	int index; /* registered as, -1 not */
	struct wbuf *next;
};

struct writer_ring {
	struct io_uring ring;
	bool made, fixed;
	atomic_bool works; /* else plain writes */
	unsigned nbuf;
	struct wbuf *spare;
};

/* By who has the writer's lock. NULL: there is no memory, or BUF_MAX are in use. */
struct wbuf *writer_ring_take(struct writer_ring *r);
void writer_ring_give(struct writer_ring *r, struct wbuf *b);

#endif
