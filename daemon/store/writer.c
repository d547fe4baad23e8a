/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * writer.c - segment files by io_uring
 *
 * A segment in memory: `cur` is the buffer being filled, its first byte at
 * file offset `base`; `req` is the one write on its way. Offsets and lengths
 * of writes are multiples of BLOCK, as O_DIRECT wants; the tail is padded with
 * zeros inside the preallocated space and written again when it has grown.
 *
 * Invariants: segments are made, appended to and retired by who appends, and freed by who syncs, so each may go on along
 * the list after it let the other in (reap_one, and writer_sync while it waits for the disk). No write of a syncing thread
 * is on its way while that waits in fdatasync: its completion would wait there, too, and who appends for that.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mutex.h"
#include "store/daylock.h"
#include "store/segment.h"
#include "store/writer_internal.h"

#define BLOCK	 4096u
#define CLOSING_MAX 8 /* full segments that wait for the next sync, each with a buffer */
#define IDLE_S	 3600 /* a segment that nothing came to for so long is finished: its day may be over, and is in use until then */
#define STEP_MIN (1u << 20)
#define STEP_MAX (16u << 20)

enum { REQ_WRITE };

struct request {
	int op;
	bool busy;
	struct wbuf *buf; /* given back when done; NULL: the segment keeps it */
	const uint8_t *p;
	uint64_t off;
	uint32_t len;
};

struct wseg {
	struct request req; /* first: user_data points here */
	char controller[STORE_NAME_MAX];
	uint32_t day, number;
	int fd;
	int day_fd; /* its day is in use (daylock.h) */
	struct wbuf *cur;
	uint64_t base;
	uint32_t fill;
	uint32_t written; /* of cur, on disk */
	uint64_t alloc;
	uint64_t tick;
	int64_t used_s; /* when something was appended, by the machine's clock */
	int err;
	bool dirty;
	bool named; /* its name is durable */
	bool closing;
	struct wseg *next;
};

struct writer {
	const struct root *root;
	struct writer_ring *ring; /* the caller's */
	struct wseg *segs;
	unsigned nopen, nclosing;
	uint64_t tick, made;
	int err;
	pthread_mutex_t lock;	   /* guards all of it; not held while somebody waits for the disk */
	pthread_cond_t reaped;	   /* a write is over, or nobody waits for one any more */
	bool reaping;		   /* one thread waits in the ring, others for it */
	pthread_mutex_t sync_lock; /* of writer_sync, taken before `lock` */
	pthread_mutex_t append_lock; /* of writer_append and writer_flush, before both: a segment whose buffer turns takes nothing meanwhile */
};

void segment_path(const char *controller, uint32_t day, uint32_t number, const char *ext,
		  char out[STORE_PATH_MAX])
{
	char text[16];

	day_text(day, text);
	snprintf(out, STORE_PATH_MAX, "segments/%s/%s/%08u.%s", controller, text, number, ext);
}

static void seg_name(const struct wseg *s, const char *ext, char out[STORE_PATH_MAX])
{
	segment_path(s->controller, s->day, s->number, ext, out);
}

static uint64_t seg_pos(const struct wseg *s)
{
	return s->base + s->fill;
}

int writer_new(const struct root *r, struct writer_ring *ring, struct writer **ret, struct why *why)
{
	struct writer *w = calloc(1, sizeof(*w));

	if (!w)
		return why_set(why, -ENOMEM, "out of memory");
	w->root = r;
	w->ring = ring;
	mutex_init(&w->lock);
	mutex_init(&w->sync_lock);
	mutex_init(&w->append_lock);
	pthread_cond_init(&w->reaped, NULL);
	*ret = w;
	return 0;
}

/* ---- writing ---- */

/* The plain way: without ring, after a short write, or where O_DIRECT is refused. */
static int write_plain(struct wseg *s, const uint8_t *p, uint32_t len, uint64_t off)
{
	int flags = fcntl(s->fd, F_GETFL);

	if (flags < 0 || (flags & O_DIRECT && fcntl(s->fd, F_SETFL, flags & ~O_DIRECT)))
		return -errno;
	return pwrite_all(s->fd, p, len, (off_t)off);
}

static void request_done(struct writer *w, struct wseg *s, int res)
{
	struct request *q = &s->req;

	if (res >= 0 && (uint32_t)res < q->len)
		res = write_plain(s, q->p + res, q->len - (uint32_t)res, q->off + (uint32_t)res);
	else if (res == -EINVAL || res == -EINTR || res == -EAGAIN)
		res = write_plain(s, q->p, q->len, q->off);
	if (res < 0) {
		s->err = res;
		w->err = res;
	}
	writer_ring_give(w->ring, q->buf);
	*q = (struct request){ .op = REQ_WRITE };
}

/* With the lock held, which others have meanwhile. */
static void reap_one(struct writer *w)
{
	struct io_uring_cqe *cqe;
	int rc;

	if (w->reaping) {
		pthread_cond_wait(&w->reaped, &w->lock);
		return;
	}
	w->reaping = true;
	pthread_mutex_unlock(&w->lock);
	rc = io_uring_wait_cqe(&w->ring->ring, &cqe);
	pthread_mutex_lock(&w->lock);
	w->reaping = false;
	pthread_cond_broadcast(&w->reaped);
	if (rc == -EINTR)
		return;
	if (rc) { /* the ring itself is broken: nothing on its way will ever be reported, and nobody uses it again */
		w->ring->works = false;
		for (struct wseg *s = w->segs; s; s = s->next)
			if (s->req.busy)
				request_done(w, s, -EIO);
		return;
	}
	if (io_uring_cqe_get_data(cqe)) /* else one that was given up */
		request_done(w, io_uring_cqe_get_data(cqe), cqe->res);
	io_uring_cqe_seen(&w->ring->ring, cqe);
}

static void seg_wait(struct writer *w, struct wseg *s)
{
	while (s->req.busy)
		reap_one(w);
}

/* One write of a segment; the one before is done (seg_wait). give: the buffer is free afterwards. */
static void seg_write(struct writer *w, struct wseg *s, struct wbuf *b, uint32_t from, uint32_t to,
		      bool give)
{
	struct request *q = &s->req;
	struct io_uring_sqe *sqe;
	int rc;

	assert(!q->busy);
	*q = (struct request){ .op = REQ_WRITE, .busy = true, .buf = give ? b : NULL, .p = b->p + from,
			       .off = s->base + from, .len = to - from };
	s->dirty = true;
	sqe = w->ring->works ? io_uring_get_sqe(&w->ring->ring) : NULL;
	if (sqe && b->index >= 0)
		io_uring_prep_write_fixed(sqe, s->fd, q->p, q->len, q->off, b->index);
	else if (sqe)
		io_uring_prep_write(sqe, s->fd, q->p, q->len, q->off);
	if (sqe) {
		io_uring_sqe_set_data(sqe, s);
		if (io_uring_submit(&w->ring->ring) >= 0)
			return;
		/* The kernel has not taken the entry, and will with the next one: it is to do nothing then. */
		io_uring_prep_nop(sqe);
		io_uring_sqe_set_data(sqe, NULL);
	}
	rc = write_plain(s, q->p, q->len, q->off);
	request_done(w, s, rc ? rc : (int)q->len);
}

static uint32_t round_block(uint32_t n)
{
	return (n + BLOCK - 1) & ~(BLOCK - 1);
}

/* What is in the current buffer and not on disk, to the next block boundary. */
static void seg_flush(struct writer *w, struct wseg *s)
{
	uint32_t from, to;

	if (s->fill == s->written || s->err)
		return;
	seg_wait(w, s);
	if (s->fill == s->written || s->err) /* somebody else did */
		return;
	from = s->written & ~(BLOCK - 1);
	to = round_block(s->fill);
	memset(s->cur->p + s->fill, 0, to - s->fill);
	seg_write(w, s, s->cur, from, to, false);
	s->written = s->fill;
}

/* ---- opening and closing ---- */

static void seg_free(struct writer *w, struct wseg *s)
{
	for (struct wseg **p = &w->segs; *p; p = &(*p)->next)
		if (*p == s) {
			*p = s->next;
			break;
		}
	writer_ring_give(w->ring, s->cur);
	if (s->fd >= 0)
		close(s->fd);
	if (s->day_fd >= 0)
		close(s->day_fd);
	if (s->closing)
		w->nclosing--;
	else
		w->nopen--;
	free(s);
}

/* To its real length and final name. All writes are done, and nobody else knows it any more. */
static int seg_finish(struct writer *w, struct wseg *s, struct why *why)
{
	char open_name[STORE_PATH_MAX], name[STORE_PATH_MAX];

	seg_name(s, "open", open_name);
	seg_name(s, "seg", name);
	if (ftruncate(s->fd, (off_t)seg_pos(s)) || fsync(s->fd) ||
	    beneath_renameat(w->root->fd, open_name, name, 0))
		return why_errno(why, -errno, open_name, "cannot finish segment");
	return sync_dir_of(w->root, name, why);
}

static int seg_next_number(const struct root *r, const char *dir, uint32_t *ret)
{
	struct names names;
	uint32_t max = 0;
	int rc = names_read(r, dir, &names);

	for (size_t i = 0; !rc && i < names.n; i++) {
		unsigned long n = strtoul(names.v[i], NULL, 10);

		if (n > max && n < 99999999)
			max = (uint32_t)n;
	}
	names_free(&names);
	*ret = max + 1;
	return rc;
}

/* Grows the allocation until `need` bytes fit, in smaller steps when space is short. */
static int seg_alloc(struct wseg *s, uint64_t need, struct why *why)
{
	uint64_t step = s->alloc < STEP_MIN ? STEP_MIN : s->alloc < STEP_MAX ? s->alloc : STEP_MAX;
	char name[STORE_PATH_MAX];

	need = (need + BLOCK - 1) & ~(uint64_t)(BLOCK - 1);
	if (need <= s->alloc)
		return 0;
	for (;; step /= 2) {
		uint64_t to = s->alloc + step > need ? s->alloc + step : need;

		if (!fallocate(s->fd, 0, (off_t)s->alloc, (off_t)(to - s->alloc))) {
			s->alloc = to;
			return 0;
		}
		if (errno == EOPNOTSUPP) {
			s->alloc = UINT64_MAX - STEP_MAX; /* no preallocation here: -ENOSPC comes late */
			return 0;
		}
		if (errno != EINTR && (errno != ENOSPC || step < BLOCK || to == need)) {
			int err = -errno;

			seg_name(s, "open", name);
			return why_errno(why, err, name, "cannot grow segment");
		}
	}
}

static int seg_create(struct writer *w, struct wseg *s, const char *dir, struct why *why)
{
	int flags = O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC;
	struct segment_head h = { .day = s->day, .created_ns = clock_now_ns() };
	char name[STORE_PATH_MAX];
	int rc = daylock_share(w->root, s->controller, s->day, &s->day_fd, why);

	if (rc)
		return rc;
	rc = seg_next_number(w->root, dir, &s->number);
	if (rc)
		return why_errno(why, rc, dir, "cannot read directory");
	h.number = s->number;
	memcpy(h.store_id, w->root->id, 16);
	snprintf(h.controller, sizeof(h.controller), "%s", s->controller);
	seg_name(s, "open", name);
	s->fd = beneath_openat(w->root->fd, name, flags | O_DIRECT, 0600);
	if (s->fd < 0 && errno == EINVAL) {
		(void)beneath_unlinkat(w->root->fd, name, 0); /* some kernels leave the name behind */
		s->fd = beneath_openat(w->root->fd, name, flags, 0600);
	}
	if (s->fd < 0)
		return why_errno(why, -errno, name, "cannot create segment");
	if (w->root->shared && fchmod(s->fd, FILE_MODE(w->root)))
		return why_errno(why, -errno, name, "cannot give the group access");
	rc = seg_alloc(s, BLOCK, why);
	s->cur = rc ? NULL : writer_ring_take(w->ring);
	if (!rc && !s->cur)
		rc = why_set(why, -ENOMEM, "%s: no memory for a buffer", name);
	if (rc) {
		(void)beneath_unlinkat(w->root->fd, name, 0); /* empty; recovery would remove it too */
		return rc;
	}
	segment_head_format(&h, s->cur->p);
	s->fill = SEGMENT_HEAD;
	return 0;
}

static int64_t machine_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec;
}

static void seg_close_soon(struct writer *w, struct wseg *s)
{
	s->closing = true;
	w->nopen--;
	w->nclosing++;
}

static void seg_retire(struct writer *w, struct wseg *s)
{
	s->used_s = machine_s(); /* who syncs does not find it idle while we wait */
	seg_flush(w, s);
	seg_close_soon(w, s); /* not before: who syncs might free it while we wait */
}

static int sync_within(struct writer *w, struct why *why)
{
	int rc;

	pthread_mutex_unlock(&w->lock);
	rc = writer_sync(w, why);
	pthread_mutex_lock(&w->lock);
	return rc;
}

static bool seg_idle(const struct wseg *s)
{
	return !s->closing && s->used_s && machine_s() - s->used_s > IDLE_S;
}

static int seg_get(struct writer *w, const char *controller, uint32_t day, uint32_t len,
		   struct wseg **ret, struct why *why)
{
	struct wseg *s, *oldest = NULL;
	char dir[STORE_PATH_MAX];
	int rc;

	for (s = w->segs; s; s = s->next) {
		if (s->closing)
			continue;
		if (s->day == day && !strcmp(s->controller, controller))
			break;
		if (!oldest || s->tick < oldest->tick)
			oldest = s;
	}
	if (s && seg_pos(s) + len > WRITER_ROLL) {
		seg_retire(w, s);
		s = NULL;
		rc = w->nclosing >= CLOSING_MAX ? sync_within(w, why) : 0;
		if (rc)
			return rc;
	}
	if (s) {
		s->tick = ++w->tick;
		*ret = s;
		return 0;
	}
	if (oldest && w->nopen >= WRITER_OPEN) {
		seg_retire(w, oldest);
		rc = sync_within(w, why); /* its buffer is needed again */
		if (rc)
			return rc;
	}
	s = calloc(1, sizeof(*s));
	if (!s)
		return why_set(why, -ENOMEM, "out of memory");
	s->fd = s->day_fd = -1;
	s->day = day;
	snprintf(s->controller, sizeof(s->controller), "%s", controller);
	daylock_path(controller, day, dir);
	s->next = w->segs;
	w->segs = s;
	w->nopen++;
	rc = seg_create(w, s, dir, why);
	if (rc) {
		seg_free(w, s);
		return rc;
	}
	w->made++;
	s->tick = ++w->tick;
	*ret = s;
	return 0;
}

/* The buffer is full: it goes out, another takes its place. */
static int seg_turn(struct writer *w, struct wseg *s)
{
	struct wbuf *full = s->cur, *fresh;

	seg_wait(w, s); /* gives its buffer back first */
	fresh = writer_ring_take(w->ring);
	if (!fresh)
		return -ENOMEM;
	if (s->written < BUF_SIZE)
		seg_write(w, s, full, s->written & ~(BLOCK - 1), BUF_SIZE, true);
	else /* flushed while we waited */
		writer_ring_give(w->ring, full);
	s->cur = fresh;
	s->base += BUF_SIZE;
	s->fill = 0;
	s->written = 0;
	return w->err;
}

static int append(struct writer *w, const char *controller, uint32_t day, const uint8_t *p, uint32_t len, struct extent *ret,
		  struct why *why)
{
	uint32_t padded = (uint32_t)segment_round(len), put = 0;
	struct wseg *s = NULL;
	int rc;

	if (w->err)
		return why_set(why, w->err, "segments/%s: an earlier write failed: %s", controller,
			       strerror(-w->err));
	rc = seg_get(w, controller, day, padded, &s, why);
	assert(rc || s);
	if (!rc)
		s->used_s = machine_s(); /* before anything is waited for: it is nobody's to retire now */
	if (!rc)
		rc = seg_alloc(s, seg_pos(s) + padded, why);
	if (rc)
		return rc;
	while (s->req.busy && !s->req.buf)
		reap_one(w); /* a flush: what it writes must not change under the disk's hands */
	*ret = (struct extent){ .segment = s->number, .off = seg_pos(s), .len = len };
	while (put < padded) {
		uint32_t room = BUF_SIZE - s->fill, n = padded - put < room ? padded - put : room;
		uint32_t real = put >= len ? 0 : len - put < n ? len - put : n;

		memcpy(s->cur->p + s->fill, p + put, real);
		memset(s->cur->p + s->fill + real, 0, n - real);
		s->fill += n;
		put += n;
		if (s->fill == BUF_SIZE)
			rc = seg_turn(w, s);
		if (rc) {
			w->err = rc;
			return why_set(why, rc, "segments/%s: write failed: %s", controller, strerror(-rc));
		}
	}
	return 0;
}

int writer_append(struct writer *w, const char *controller, uint32_t day, const uint8_t *p,
		  uint32_t len, struct extent *ret, struct why *why)
{
	int rc;

	pthread_mutex_lock(&w->append_lock);
	pthread_mutex_lock(&w->lock);
	rc = append(w, controller, day, p, len, ret, why);
	pthread_mutex_unlock(&w->lock);
	pthread_mutex_unlock(&w->append_lock);
	return rc;
}

/* With the lock held. */
static struct wseg *seg_open(const struct writer *w, const char *controller, uint32_t day)
{
	struct wseg *s = w->segs;

	while (s && (s->closing || s->day != day || strcmp(s->controller, controller) != 0))
		s = s->next;
	return s;
}

bool writer_has(struct writer *w, const char *controller, uint32_t day)
{
	bool has;

	pthread_mutex_lock(&w->lock);
	has = seg_open(w, controller, day);
	pthread_mutex_unlock(&w->lock);
	return has;
}

int writer_where(struct writer *w, const char *controller, uint32_t day, uint32_t *ret_segment,
		 uint64_t *ret_off, struct why *why)
{
	char dir[STORE_PATH_MAX];
	const struct wseg *s;
	bool found;
	int rc;

	pthread_mutex_lock(&w->lock);
	s = seg_open(w, controller, day);
	found = s;
	if (s) {
		*ret_segment = s->number;
		*ret_off = seg_pos(s);
	}
	pthread_mutex_unlock(&w->lock);
	if (found)
		return 0;
	daylock_path(controller, day, dir);
	rc = seg_next_number(w->root, dir, ret_segment);
	*ret_off = SEGMENT_HEAD;
	return rc ? why_errno(why, rc, dir, "cannot read directory") : 0;
}

void writer_flush(struct writer *w)
{
	pthread_mutex_lock(&w->append_lock); /* nobody retires a segment that we wait for, so nobody frees it */
	pthread_mutex_lock(&w->lock);
	for (struct wseg *s = w->segs; s; s = s->next)
		if (!s->closing)
			seg_flush(w, s);
	pthread_mutex_unlock(&w->lock);
	pthread_mutex_unlock(&w->append_lock);
}

/* Waits for the disk, without the lock. */
static int seg_durable(struct writer *w, struct wseg *s, struct why *why)
{
	char name[STORE_PATH_MAX];
	bool dirty = s->dirty, name_it = !s->named && !s->closing;
	int rc = s->err;

	/* What is written from now on is the next sync's, and so is a flush that is on its way: the disk may not have it yet. */
	s->dirty = s->req.busy;
	pthread_mutex_unlock(&w->lock);
	seg_name(s, "open", name);
	if (!rc && dirty && fdatasync(s->fd))
		rc = -errno;
	if (rc)
		rc = why_errno(why, rc, name, "cannot write");
	else if (name_it)
		rc = sync_dir_of(w->root, name, why);
	pthread_mutex_lock(&w->lock);
	if (rc)
		w->err = s->err = rc;
	else
		s->named = true;
	return rc;
}

static int seg_close(struct writer *w, struct wseg *s, struct why *why)
{
	int rc;

	pthread_mutex_unlock(&w->lock);
	rc = seg_finish(w, s, why);
	pthread_mutex_lock(&w->lock);
	if (rc) /* perhaps not durable, and a later fsync would not tell: it never becomes so here */
		w->err = rc;
	seg_free(w, s);
	return rc;
}

static int sync_locked(struct writer *w, struct why *why)
{
	int rc = w->err ? why_set(why, w->err, "segments: an earlier write failed: %s", strerror(-w->err)) : 0;
	struct wseg *s, *next;

	for (s = w->segs; s; s = s->next) {
		seg_flush(w, s);
		if (seg_idle(s))
			seg_close_soon(w, s);
	}
	for (s = w->segs; s; s = s->next)
		seg_wait(w, s);
	for (s = w->segs; s; s = next) {
		int err = 0;

		if (s->closing) /* since then, perhaps */
			seg_wait(w, s);
		if (s->dirty || s->err || (!s->named && !s->closing))
			err = seg_durable(w, s, why);
		next = s->next;
		if (!err && s->closing && !s->req.busy && !s->dirty)
			err = seg_close(w, s, why);
		rc = err ? err : rc;
	}
	return rc;
}

int writer_sync(struct writer *w, struct why *why)
{
	int rc;

	pthread_mutex_lock(&w->sync_lock);
	pthread_mutex_lock(&w->lock);
	rc = sync_locked(w, why);
	pthread_mutex_unlock(&w->lock);
	pthread_mutex_unlock(&w->sync_lock);
	return rc;
}

uint64_t writer_segments(const struct writer *w)
{
	return w->made;
}

void writer_free(struct writer *w)
{
	struct wseg *s, *next;
	struct why why = { "" };

	if (!w)
		return;
	pthread_mutex_lock(&w->lock);
	for (s = w->segs; s; s = s->next)
		if (!s->closing)
			seg_retire(w, s);
	pthread_mutex_unlock(&w->lock);
	(void)writer_sync(w, &why); /* what fails stays .open, for the next writer to cut */
	for (s = w->segs; s; s = next) {
		next = s->next;
		seg_free(w, s);
	}
	pthread_mutex_destroy(&w->lock);
	pthread_mutex_destroy(&w->sync_lock);
	pthread_mutex_destroy(&w->append_lock);
	pthread_cond_destroy(&w->reaped);
	free(w);
}
