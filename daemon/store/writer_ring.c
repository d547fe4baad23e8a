/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * writer_ring.c - the ring that segments are written by, and its buffers: see writer.h, writer_internal.h
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "store/writer_internal.h"

/*
 * From IORING_REGISTER_ENABLE_RINGS on it does what is named here and nothing else; flags of an entry are none. An entry that
 * the kernel did not take is made one that does nothing, hence NOP.
 */
static int restrict_to_writes(struct io_uring *ring)
{
	struct io_uring_restriction only[] = {
		{ .opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = IORING_OP_WRITE },
		{ .opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = IORING_OP_WRITE_FIXED },
		{ .opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = IORING_OP_NOP },
		{ .opcode = IORING_RESTRICTION_REGISTER_OP, .register_op = IORING_REGISTER_BUFFERS_UPDATE },
	};

	/* By hand: liburing to 2.3 has both and does not export them. */
	return syscall(SYS_io_uring_register, ring->ring_fd, IORING_REGISTER_RESTRICTIONS, only, sizeof(only) / sizeof(only[0])) ||
			       syscall(SYS_io_uring_register, ring->ring_fd, IORING_REGISTER_ENABLE_RINGS, NULL, 0) ?
		       -errno : 0;
}

int writer_ring_new(struct writer_ring **ret)
{
	struct io_uring_params p = { .flags = IORING_SETUP_R_DISABLED };
	struct writer_ring *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	r->made = io_uring_queue_init_params(2 * WRITER_OPEN, &r->ring, &p) == 0;
	r->fixed = r->made && io_uring_register_buffers_sparse(&r->ring, BUF_MAX) == 0;
	if (r->made && restrict_to_writes(&r->ring)) {
		io_uring_queue_exit(&r->ring);
		r->made = r->fixed = false;
	}
	r->works = r->made;
	*ret = r;
	return 0;
}

bool writer_ring_works(const struct writer_ring *r)
{
	return r && r->works;
}

static struct wbuf *buf_new(struct writer_ring *r)
{
	struct wbuf *b = calloc(1, sizeof(*b));
	struct iovec iov = { .iov_len = BUF_SIZE };
	__u64 tag = 0;

	if (!b || r->nbuf == BUF_MAX) {
		free(b);
		return NULL;
	}
	b->index = -1;
	b->p = mmap(NULL, BUF_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (b->p == MAP_FAILED) {
		free(b);
		return NULL;
	}
	iov.iov_base = b->p;
	/* Fails when the locked-memory limit is small: the buffer is then used unregistered. */
	if (r->fixed && io_uring_register_buffers_update_tag(&r->ring, r->nbuf, &iov, &tag, 1) == 1)
		b->index = (int)r->nbuf;
	r->nbuf++;
	return b;
}

struct wbuf *writer_ring_take(struct writer_ring *r)
{
	struct wbuf *b = r->spare;

	if (!b)
		return buf_new(r);
	r->spare = b->next;
	return b;
}

void writer_ring_give(struct writer_ring *r, struct wbuf *b)
{
	if (!b)
		return;
	b->next = r->spare;
	r->spare = b;
}

void writer_ring_free(struct writer_ring *r)
{
	struct wbuf *b;

	if (!r)
		return;
	if (r->made)
		io_uring_queue_exit(&r->ring);
	while ((b = r->spare)) {
		r->spare = b->next;
		munmap(b->p, BUF_SIZE);
		free(b);
	}
	free(r);
}
