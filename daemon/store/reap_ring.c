/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * reap_ring.c - unlinkat and fallocate through io_uring
 *
 * Every request owns a copy of its name, since the kernel may read it only when a worker takes the request. Requests that
 * are done go back to a list of free ones; when it is empty the oldest are waited for.
 */
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <linux/falloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/beneath.h"
#include "store/reap_ring.h"

#define WORKERS 2 /* of the kernel: more would only make a queue before the journal's lock */

struct reap_req {
	char name[REAP_NAME]; /* "" a hole */
	int fd;
	uint64_t off, len;
	struct reap_req *next;
};

struct reap_ring {
	struct io_uring ring;
	bool have, made; /* it works; it was set up */
	unsigned depth, busy, unsent;
	unsigned rate;
	uint64_t next_ns; /* when the next one may begin, by CLOCK_MONOTONIC */
	uint64_t done;
	int err;
	struct reap_req *req, *spare;
};

void reap_ring_idle(void)
{
	const int who_process = 1, class_idle = 3;

	(void)setpriority(PRIO_PROCESS, 0, 19);
	/* A scheduler that knows no classes takes no notice. */
	(void)syscall(SYS_ioprio_set, who_process, 0, class_idle << 13);
}

void reap_ring_hurry(bool hurry)
{
	const int who_process = 1, class_be = 2, class_idle = 3;

	(void)syscall(SYS_ioprio_set, who_process, 0, (hurry ? class_be : class_idle) << 13);
}

int reap_ring_new(unsigned depth, unsigned rate, struct reap_ring **ret)
{
	struct reap_ring *q = calloc(1, sizeof(*q));
	unsigned workers[2] = { WORKERS, WORKERS };

	if (q)
		q->req = calloc(depth, sizeof(*q->req));
	if (!q || !q->req) {
		free(q);
		return -ENOMEM;
	}
	q->depth = depth;
	q->rate = rate;
	q->made = q->have = io_uring_queue_init(depth, &q->ring, 0) == 0;
	if (q->have)
		(void)io_uring_register_iowq_max_workers(&q->ring, workers); /* else the kernel's own limit */
	for (unsigned i = 0; i < depth; i++) {
		q->req[i].next = q->spare;
		q->spare = &q->req[i];
	}
	*ret = q;
	return 0;
}

void reap_ring_free(struct reap_ring *q)
{
	if (!q)
		return;
	(void)reap_ring_wait(q); /* who wanted to know has asked */
	if (q->made)
		io_uring_queue_exit(&q->ring);
	free(q->req);
	free(q);
}

static int do_plain(const struct reap_req *r)
{
	int rc = *r->name ? beneath_unlinkat(r->fd, r->name, 0) :
			    fallocate(r->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)r->off, (off_t)r->len);

	return rc ? -errno : 0;
}

static void finish(struct reap_ring *q, struct reap_req *r, int res)
{
	if (res == -EINVAL || res == -EOPNOTSUPP || res == -EINTR || res == -EAGAIN) /* not by the ring, then */
		res = do_plain(r);
	if (res >= 0)
		q->done++;
	else if (res != -ENOENT && !q->err)
		q->err = res;
	r->next = q->spare;
	q->spare = r;
	q->busy--;
}

/* The ring is broken: nothing on its way will be told of. */
static void give_up(struct reap_ring *q, int err)
{
	q->err = q->err ? q->err : err;
	q->busy = q->unsent = 0;
	q->have = false;
}

static void send_all(struct reap_ring *q)
{
	int n;

	while (q->unsent) {
		n = io_uring_submit(&q->ring);
		if (n < 0 && n != -EINTR && n != -EAGAIN && n != -EBUSY) {
			give_up(q, n);
			return;
		}
		q->unsent -= n > 0 ? (unsigned)n : 0;
	}
}

static void wait_one(struct reap_ring *q)
{
	struct io_uring_cqe *cqe;
	int rc;

	send_all(q);
	do
		rc = q->have ? io_uring_wait_cqe(&q->ring, &cqe) : 0;
	while (rc == -EINTR);
	if (rc)
		give_up(q, rc);
	if (!q->have)
		return;
	finish(q, io_uring_cqe_get_data(cqe), cqe->res);
	io_uring_cqe_seen(&q->ring, cqe);
}

static void pace(struct reap_ring *q)
{
	struct timespec ts;
	uint64_t now;

	if (!q->rate)
		return;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	now = (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
	if (q->next_ns > now) {
		send_all(q);
		ts = (struct timespec){ .tv_sec = (time_t)((q->next_ns - now) / NS_PER_S),
					.tv_nsec = (long)((q->next_ns - now) % NS_PER_S) };
		(void)nanosleep(&ts, NULL); /* a signal: a little early */
	}
	q->next_ns = (q->next_ns > now ? q->next_ns : now) + NS_PER_S / q->rate;
}

static void put(struct reap_ring *q, const struct reap_req *want)
{
	struct io_uring_sqe *sqe;
	struct reap_req *r;
	int rc;

	pace(q);
	while (q->have && !q->spare)
		wait_one(q);
	sqe = q->have && q->spare ? io_uring_get_sqe(&q->ring) : NULL;
	if (!sqe) {
		rc = do_plain(want);
		if (!rc)
			q->done++;
		else if (rc != -ENOENT && !q->err)
			q->err = rc;
		return;
	}
	r = q->spare;
	q->spare = r->next;
	*r = *want;
	if (*r->name)
		io_uring_prep_unlinkat(sqe, r->fd, r->name, 0);
	else
		io_uring_prep_fallocate(sqe, r->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)r->off, (off_t)r->len);
	io_uring_sqe_set_data(sqe, r);
	q->busy++;
	if (++q->unsent >= q->depth / 2)
		send_all(q);
}

void reap_ring_unlink(struct reap_ring *q, int dirfd, const char *name)
{
	struct reap_req r = { .fd = dirfd };

	if (strlen(name) >= sizeof(r.name)) { /* none of our names */
		q->err = q->err ? q->err : -ENAMETOOLONG;
		return;
	}
	memcpy(r.name, name, strlen(name) + 1);
	put(q, &r);
}

void reap_ring_punch(struct reap_ring *q, int fd, uint64_t off, uint64_t len)
{
	put(q, &(struct reap_req){ .fd = fd, .off = off, .len = len });
}

int reap_ring_wait(struct reap_ring *q)
{
	int rc;

	while (q->have && q->busy)
		wait_one(q);
	rc = q->err;
	q->err = 0;
	return rc;
}

uint64_t reap_ring_done(const struct reap_ring *q)
{
	return q->done;
}
