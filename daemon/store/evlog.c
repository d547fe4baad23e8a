/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * evlog.c - writing the evidence log
 *
 * Invariants: a line that reached the file follows from the one before it; a day's lines are durable
 * before its root is written, the root before the next day's lines; the head never names what is not
 * durable. Numbers and links are given out in evlog_append, in memory; the disk sees them in order.
 *
 * Threads: `lock` guards everything but what `disk` guards: the file being written and the bytes on
 * their way (out, base of the oldest day). evlog_flush takes disk, then lock; nothing waits for the
 * disk's cache under lock.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/evlog_writer.h"

#define AHEAD	    (256u << 10) /* space taken from the file system at a time: some 700 events */
#define SPARE	    (64u << 10)	 /* of it, what only events that take away may use: some 200 */
#define WAITING_MAX (64u << 20)	 /* bytes not flushed; a disk that hangs must not eat the memory */

void evday_free(struct evday *d)
{
	if (!d)
		return;
	if (d->fd >= 0)
		close(d->fd);
	buf_free(&d->out);
	buf_free(&d->buf);
	free(d);
}

int evday_open(struct evlog *l, int32_t day, int flags, uint64_t base)
{
	struct evday *d = calloc(1, sizeof(*d));

	if (!d)
		return why_set(&l->why, -ENOMEM, "out of memory");
	d->day = day;
	d->base = d->alloc = base;
	d->made = flags & O_CREAT;
	evlog_day_name(day, "log", d->name);
	d->fd = beneath_openat(l->root.fd, d->name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | flags, 0640);
	if (d->fd < 0) {
		int rc = why_errno(&l->why, -errno, d->name, "cannot open");

		evday_free(d);
		return rc;
	}
	if (l->newest)
		l->newest->next = d;
	else
		l->oldest = d;
	l->newest = d;
	return 0;
}

/* ---- days ---- */

/* The newest day has lines: its root is made and waits behind them. */
static void close_day(struct evlog *l)
{
	struct evlog_state *s = &l->now;
	struct evlog_root r = { .day = s->day, .first = s->first, .last = s->seq, .version = 2 };

	memcpy(r.store, l->pub.store, 16);
	memcpy(r.prev, s->prev, 32);
	memcpy(r.link, s->link, 32);
	merkle_root(&s->tree, r.merkle);
	l->newest->root_n = evlog_root_make(&r, l->secret, l->newest->root, s->link);
	s->closed = true;
	l->figures.roots++;
}

/* A file made for an event that then did not fit, and of no use on `day`. Nobody has it out of lock. */
static void drop_empty(struct evlog *l, int32_t day)
{
	struct evday *d = l->newest, **at = &l->oldest;

	if (!d || d->base || d->out.len || d->buf.len || d->root_n || day <= d->day)
		return;
	(void)beneath_unlinkat(l->root.fd, d->name, 0); /* an empty file that stays is no day */
	l->newest = NULL;
	for (; *at != d; at = &(*at)->next)
		l->newest = *at;
	*at = NULL;
	evday_free(d);
}

/*
 * The file that an event of this day goes to: the newest, or a new one. A new day starts only when
 * its file is there and has space, so that a full disk is met here.
 */
static int day_for(struct evlog *l, uint64_t time_ns)
{
	struct evlog_state *s = &l->now;
	int32_t day = evlog_day(time_ns);

	if (s->any && !s->closed && day > s->day)
		close_day(l);
	if (s->any && !s->closed)
		return 0;
	if (s->any && day <= s->day)
		day = s->day + 1; /* the clock went back behind a signed root */
	drop_empty(l, day);
	if (l->newest && !l->newest->root_n)
		return 0; /* made for an event that then did not fit */
	return evday_open(l, day, O_CREAT, 0);
}

/* The first line of a new file is accepted: from now on the day is the newest. */
static void day_began(struct evlog *l)
{
	struct evlog_state *s = &l->now;

	memcpy(s->prev, s->link, 32);
	s->first = s->seq + 1;
	s->day = l->newest->day;
	s->any = true;
	s->closed = false;
	s->tree = (struct merkle){ .n = 0 };
}

/* ---- appending ---- */

/* Space for n more bytes; `begin` leaves SPARE to the others. */
static int take_space(struct evday *d, size_t n, bool begin)
{
	uint64_t end = d->base + d->out.len + d->buf.len + n;
	int rc = 0;

	if (d->alloc == UINT64_MAX || end + SPARE <= d->alloc)
		return 0;
	do
		rc = fallocate(d->fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)(end + AHEAD)) ? -errno : 0;
	while (rc == -EINTR);
	if (rc == -EOPNOTSUPP) { /* the flush will tell */
		d->alloc = UINT64_MAX;
		return 0;
	}
	if (!rc) {
		d->alloc = end + AHEAD;
		return 0;
	}
	return !begin && end <= d->alloc ? 0 : rc;
}

static int put_line(struct evlog *l, const struct evlog_event *e)
{
	struct evlog_state *s = &l->now;
	struct evday *d = l->newest;
	bool first = !s->any || s->closed;
	char line[EVLOG_LINE_MAX];
	size_t n = evlog_line_format(s->seq + 1, s->link, e, line);
	int rc = take_space(d, n, evlog_kind_flags(e->kind) & K_BEGIN);

	if (rc)
		return why_errno(&l->why, rc, d->name, "no space for an event");
	if (!buf_room(&d->buf, n)) {
		d->buf.failed = false; /* what is in it is whole */
		return why_set(&l->why, -ENOMEM, "out of memory");
	}
	buf_put(&d->buf, line, n);
	if (first)
		day_began(l);
	s->seq++;
	merkle_add(&s->tree, line, n - 1);
	evlog_link(line, n - 1, s->link);
	d->last = s->seq;
	memcpy(d->link, s->link, 32);
	l->waiting += n;
	return 0;
}

int evlog_append_any(struct evlog *l, const struct evlog_event *e, uint64_t *ret_seq)
{
	int rc;

	if (l->err && evlog_kind_flags(e->kind) & K_BEGIN)
		return l->err;
	if (l->waiting > WAITING_MAX)
		return why_set(&l->why, -ENOSPC, "too many events wait for the disk");
	rc = day_for(l, e->time_ns);
	if (!rc)
		rc = put_line(l, e);
	if (!rc && ret_seq)
		*ret_seq = l->now.seq;
	return rc;
}

int evlog_append(struct evlog *l, const struct evlog_event *e, uint64_t *ret_seq)
{
	const char *what = evlog_check(e);
	int rc;

	if (!what && evlog_kind_flags(e->kind) & K_OWN)
		what = "event of the log itself";
	pthread_mutex_lock(&l->lock);
	if (what)
		rc = why_set(&l->why, -EINVAL, "%s", what);
	else
		rc = evlog_append_any(l, e, ret_seq);
	if (rc)
		l->figures.refused++;
	else
		l->figures.appended++;
	pthread_mutex_unlock(&l->lock);
	return rc;
}

int evlog_append_batch(struct evlog *l, const struct evlog_event *first, const struct evlog_line *v, size_t n, size_t *ret_done)
{
	size_t done = 0;
	int rc;

	pthread_mutex_lock(&l->lock);
	rc = evlog_append_any(l, first, NULL);
	*ret_done = SIZE_MAX;
	if (!rc) {
		while (done < n && !(rc = evlog_append_any(l, &v[done].e, NULL)))
			done++;
		*ret_done = done;
		l->figures.appended += done + 1;
	}
	l->figures.refused += rc != 0;
	pthread_mutex_unlock(&l->lock);
	return rc;
}

/* ---- flushing: under disk, and lock only where said ---- */

static void write_head(struct evlog *l, const struct evday *d)
{
	struct evlog_head h = { .seq = d->out_last, .day = d->day };
	char slot[EVLOG_SLOT];

	memcpy(h.link, d->out_link, 32);
	evlog_head_make(&h, &l->pub, l->secret, slot);
	l->head_slot ^= 1;
	/* in place, not synced: an older head says less and nothing wrong */
	(void)pwrite_all(l->headfd, slot, sizeof(slot), (off_t)l->head_slot * EVLOG_SLOT);
}

/* Writes out. Without lock. */
static int write_out(struct evlog *l, struct evday *d, struct why *why)
{
	int rc = pwrite_all(d->fd, d->out.p, d->out.len, (off_t)d->base);

	if (!rc && fdatasync(d->fd))
		rc = -errno;
	if (!rc && d->made) {
		rc = sync_dir_of(&l->root, d->name, why);
		d->made = rc != 0;
	}
	if (rc) {
		/* nothing half written stays; when even this fails, the next attempt writes over it */
		if (l->ready)
			(void)!ftruncate(d->fd, (off_t)d->base);
		return why_errno(why, rc, d->name, "cannot write");
	}
	write_head(l, d);
	return 0;
}

/* The day is over and its lines are durable. Without lock. */
static int write_root(struct evlog *l, struct evday *d, struct why *why)
{
	char name[64];
	int rc;

	evlog_day_name(d->day, "root", name);
	rc = write_over(&l->root, name, d->root, d->root_n, 0644, why);
	if (!rc)
		(void)!ftruncate(d->fd, (off_t)d->base); /* gives back what was taken ahead; it would do no harm */
	return rc;
}

/* With lock: moves appended bytes to out. False: nothing to write. */
static bool stage(struct evday *d)
{
	struct buf b = d->out;

	if (d->out.len)
		return true; /* from a flush that failed */
	if (!d->buf.len)
		return false;
	d->out = d->buf;
	d->buf = b;
	buf_reset(&d->buf);
	d->out_last = d->last;
	memcpy(d->out_link, d->link, 32);
	return true;
}

/* With lock; given back while the disk works. */
static int flush_day(struct evlog *l, struct evday *d, uint64_t last, struct why *why)
{
	int rc = 0;

	while (!rc && stage(d)) {
		size_t n = d->out.len;

		pthread_mutex_unlock(&l->lock);
		rc = write_out(l, d, why);
		pthread_mutex_lock(&l->lock);
		if (rc) {
			d->alloc = d->alloc == UINT64_MAX ? UINT64_MAX : d->base; /* truncated */
			break;
		}
		d->base += n;
		l->waiting -= n;
		buf_reset(&d->out);
		if (d->out_last >= last && !d->root_n)
			break; /* what came meanwhile is the next flush's */
	}
	return rc;
}

static int flush_all(struct evlog *l, uint64_t last, struct why *why)
{
	struct evday *d;
	int rc = 0;

	while (!rc && (d = l->oldest)) {
		rc = flush_day(l, d, last, why);
		if (rc || !d->root_n)
			break;
		pthread_mutex_unlock(&l->lock);
		rc = write_root(l, d, why);
		pthread_mutex_lock(&l->lock);
		if (rc)
			break;
		l->oldest = d->next;
		if (l->newest == d)
			l->newest = NULL;
		evday_free(d);
	}
	return rc;
}

int evlog_flush(struct evlog *l, uint64_t now_ns)
{
	struct why why = { "" };
	uint64_t last;
	int rc;

	pthread_mutex_lock(&l->disk);
	pthread_mutex_lock(&l->lock);
	if (now_ns)
		drop_empty(l, evlog_day(now_ns));
	if (now_ns && l->now.any && !l->now.closed && evlog_day(now_ns) > l->now.day)
		close_day(l);
	last = l->now.seq;
	rc = flush_all(l, last, &why);
	l->err = rc;
	l->figures.flushes++;
	if (rc) {
		l->why = why;
		l->figures.errors++;
	} else if (l->figures.flushed < last) {
		l->figures.flushed = last;
	}
	pthread_mutex_unlock(&l->lock);
	pthread_mutex_unlock(&l->disk);
	return rc;
}

void evlog_why(struct evlog *l, char *text, size_t n)
{
	pthread_mutex_lock(&l->lock);
	snprintf(text, n, "%s", l->why.text);
	pthread_mutex_unlock(&l->lock);
}

void evlog_figures(struct evlog *l, struct evlog_figures *ret)
{
	pthread_mutex_lock(&l->lock);
	*ret = l->figures;
	ret->waiting = l->waiting;
	pthread_mutex_unlock(&l->lock);
}
