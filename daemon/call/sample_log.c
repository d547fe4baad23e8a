/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sample_log.c - writing the records of the sampler
 *
 * Invariants: lines get number and link in sample_log_append, in memory, and reach the disk in that order; `size` bytes
 * of the open file are durable, and nothing but `waiting` bytes may lie behind them; an earlier day's file is complete before a later
 * one is made. One thread.
 */
#include "call/sample_log_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "call/sample_internal.h"

#define WAITING_MAX (64u << 20) /* a disk that hangs must not eat the memory */

/* Lines of a day that wait. */
struct part {
	struct part *next;
	int32_t day;
	struct buf b;
};

struct sample_log {
	int dir, lock;
	int fd; /* file of `day`; -1 none yet */
	int32_t day;
	uint64_t size;
	bool made; /* its name is not durable yet */
	/* of the next line */
	bool any;	/* there is a newest day */
	int32_t newest; /* of lines that wait as well */
	uint64_t n;	/* of the last line */
	uint8_t link[SAMPLE_LOG_LINK];
	struct part *first, *last;
	size_t waiting;
};

static int say(char *why, size_t n, int rc, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
static int say(char *why, size_t n, int rc, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (why && n)
		vsnprintf(why, n, fmt, ap);
	va_end(ap);
	return rc;
}

static void drop_part(struct sample_log *l)
{
	struct part *p = l->first;

	l->first = p->next;
	if (!l->first)
		l->last = NULL;
	buf_free(&p->b);
	free(p);
}

void sample_log_close(struct sample_log *l)
{
	if (!l)
		return;
	while (l->first)
		drop_part(l);
	if (l->fd >= 0)
		close(l->fd);
	if (l->dir >= 0)
		close(l->dir);
	if (l->lock >= 0)
		close(l->lock);
	free(l);
}

/* ---- opening ---- */

static int open_dir(const char *store_dir, int *ret)
{
	int store = open(store_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc = 0;

	if (store < 0)
		return -errno;
	/* synced each time: who made it may have been killed before */
	if ((mkdirat(store, SAMPLE_LOG_DIR, 0700) && errno != EEXIST) || fsync(store))
		rc = -errno;
	if (!rc) {
		*ret = openat(store, SAMPLE_LOG_DIR, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		rc = *ret < 0 ? -errno : 0;
	}
	close(store);
	return rc;
}

static int take_lock(struct sample_log *l, char *why, size_t n)
{
	l->lock = openat(l->dir, "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0600);
	if (l->lock < 0)
		return say(why, n, -errno, SAMPLE_LOG_DIR "/lock: %s", strerror(errno));
	if (!flock(l->lock, LOCK_EX | LOCK_NB))
		return 0;
	return errno == EWOULDBLOCK ? say(why, n, -EBUSY, SAMPLE_LOG_DIR ": another process writes the sampling records") :
				      say(why, n, -errno, SAMPLE_LOG_DIR "/lock: %s", strerror(errno));
}

/* Number and link as a line begins, without reading all of it. */
static bool starts_as(const char *p, size_t n, uint64_t number, const uint8_t prev[SAMPLE_LOG_LINK])
{
	char want[128], hex[2 * SAMPLE_LOG_LINK + 1];
	int len = snprintf(want, sizeof(want), "{\"n\":%" PRIu64 ",\"prev\":\"%s\",", number,
			   sodium_bin2hex(hex, sizeof(hex), prev, SAMPLE_LOG_LINK));

	return n > (size_t)len && !memcmp(p, want, (size_t)len);
}

struct scan {
	uint64_t good; /* bytes of whole lines that follow from each other */
	bool torn;     /* more bytes are behind them, which may be cut */
	uint64_t bad;  /* else the line where it goes wrong; 0 none */
	const char *what;
	char *last; /* the last of them */
	size_t last_n;
};

/* Lines are followed by their links only, for speed: a changed line is found by the next one. */
static int scan_lines(struct sample_log *l, struct sample_lines *f, struct scan *s)
{
	const char *p;
	size_t n;
	int rc;

	while ((rc = sample_lines_next(f, &p, &n)) > SAMPLE_L_END) {
		if (rc == SAMPLE_L_TAIL || (rc == SAMPLE_L_WHOLE && memchr(p, 0, n))) {
			s->torn = true;
			return 0;
		}
		if (rc == SAMPLE_L_LONG || !starts_as(p, n, l->n + 1, l->link)) {
			s->bad = f->line;
			s->what = rc == SAMPLE_L_LONG ? "longer than a line may be" : "does not follow from the line before";
			return 0;
		}
		l->n++;
		sample_line_link(p, n, l->link);
		s->good = f->off;
		s->last_n = n;
		memcpy(s->last, p, n);
	}
	return rc;
}

/* Nothing follows from the last line, so it is looked at itself. */
static int scan_file(struct sample_log *l, struct sample_lines *f, struct scan *s, char text[SAMPLE_TEXT])
{
	struct sample_line *line = malloc(sizeof(*line));
	uint64_t before = l->n;
	int rc;

	s->last = malloc(SAMPLE_LINE_MAX);
	rc = line && s->last ? scan_lines(l, f, s) : -ENOMEM;
	if (!rc && !s->bad && s->last_n) {
		rc = sample_line_parse(s->last, s->last_n, line, text);
		if (rc == -EBADMSG) {
			s->bad = l->n - before;
			s->what = text;
			rc = 0;
		}
	}
	free(line);
	free(s->last);
	return rc;
}

/* The newest file: looked through, and cut where it is torn. The link before it is in l. */
static int open_newest(struct sample_log *l, int32_t day, char *why, size_t n)
{
	struct sample_lines f;
	struct scan s = { 0 };
	char name[SAMPLE_FILE], text[SAMPLE_TEXT];
	int rc = sample_lines_open(l->dir, day, &f);

	sample_file_name(day, name);
	if (rc)
		return say(why, n, rc, "%s: %s", name, strerror(-rc));
	rc = scan_file(l, &f, &s, text);
	sample_lines_close(&f);
	if (rc)
		return say(why, n, rc, "%s: %s", name, strerror(-rc));
	if (s.bad)
		return say(why, n, -EBADMSG, "%s:%" PRIu64 ": %s", name, s.bad, s.what);
	l->fd = sample_file_open(l->dir, day, O_WRONLY);
	if (l->fd < 0)
		return say(why, n, l->fd, "%s: %s", name, strerror(-l->fd));
	if (s.torn && (ftruncate(l->fd, (off_t)s.good) || fdatasync(l->fd)))
		return say(why, n, -errno, "%s: cannot cut its torn end: %s", name, strerror(errno));
	l->day = l->newest = day;
	l->size = s.good;
	l->any = l->made = true; /* whoever made the name may have been killed before it was durable */
	return 0;
}

static int find_end(struct sample_log *l, char *why, size_t n)
{
	int32_t *day = NULL;
	size_t days = 0;
	char name[SAMPLE_FILE];
	int32_t before = 0;
	int rc = sample_file_days(l->dir, &day, &days);

	if (rc)
		return say(why, n, rc, SAMPLE_LOG_DIR ": %s", strerror(-rc));
	if (days) {
		rc = sample_file_before(l->dir, day, days - 1, &before, &l->n, l->link);
		sample_file_name(before, name);
		if (rc)
			rc = say(why, n, rc, "%s: %s", name, rc == -EBADMSG ? "does not end with a record" : strerror(-rc));
	}
	if (!rc && days)
		rc = open_newest(l, day[days - 1], why, n);
	free(day);
	return rc;
}

int sample_log_open(const char *store_dir, struct sample_log **ret, char *why, size_t n)
{
	struct sample_log *l = calloc(1, sizeof(*l));
	int rc;

	if (!l)
		return say(why, n, -ENOMEM, "out of memory");
	l->dir = l->lock = l->fd = -1;
	rc = sodium_init() < 0 ? -EIO : open_dir(store_dir, &l->dir);
	if (rc)
		(void)say(why, n, rc, "%s/" SAMPLE_LOG_DIR ": %s", store_dir, strerror(-rc));
	if (!rc)
		rc = take_lock(l, why, n);
	if (!rc)
		rc = find_end(l, why, n);
	if (rc) {
		sample_log_close(l);
		return rc;
	}
	*ret = l;
	return 0;
}

/* ---- appending ---- */

static int part_for(struct sample_log *l, int32_t day, struct part **ret)
{
	struct part *p = l->last;

	if (!p || p->day != day) {
		p = calloc(1, sizeof(*p));
		if (!p)
			return -ENOMEM;
		p->day = day;
		if (l->last)
			l->last->next = p;
		else
			l->first = p;
		l->last = p;
	}
	*ret = p;
	return 0;
}

int sample_log_append(struct sample_log *l, const struct sample_record *r, uint64_t now_ns,
		      uint8_t ret_link[SAMPLE_LOG_LINK])
{
	int32_t day = (int32_t)(now_ns / NS_PER_S / DAY_S);
	struct buf line = { 0 };
	struct part *p;
	int rc;

	if (l->waiting > WAITING_MAX)
		return -ENOSPC;
	if (l->any && day < l->newest)
		day = l->newest;
	if (!day)
		return -EINVAL; /* no clock */
	rc = sample_line_format(l->n + 1, l->link, r, &line);
	if (!rc)
		rc = part_for(l, day, &p);
	if (!rc && !buf_room(&p->b, line.len)) {
		p->b.failed = false; /* what is in it is whole */
		rc = -ENOMEM;
	}
	if (!rc) {
		buf_put(&p->b, line.p, line.len);
		sample_line_link((const char *)line.p, line.len - 1, l->link);
		memcpy(ret_link, l->link, SAMPLE_LOG_LINK);
		l->waiting += line.len;
		l->newest = day;
		l->any = true;
		l->n++;
	}
	buf_free(&line);
	return rc;
}

size_t sample_log_waiting(const struct sample_log *l)
{
	return l->waiting;
}

/* ---- flushing ---- */

/* The file of a day that is later than the one that is open. */
static int next_file(struct sample_log *l, int32_t day)
{
	int fd = sample_file_open(l->dir, day, O_WRONLY | O_CREAT | O_EXCL);

	if (fd < 0)
		return fd;
	if (l->fd >= 0)
		close(l->fd);
	l->fd = fd;
	l->day = day;
	l->size = 0;
	l->made = true;
	return 0;
}

static int write_all(int fd, const uint8_t *p, size_t n, uint64_t at)
{
	while (n) {
		ssize_t put = pwrite(fd, p, n, (off_t)at);

		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0)
			return put < 0 ? -errno : -EIO;
		p += put;
		n -= (size_t)put;
		at += (uint64_t)put;
	}
	return 0;
}

static int flush_part(struct sample_log *l, const struct part *p)
{
	int rc = l->fd < 0 || l->day != p->day ? next_file(l, p->day) : 0;

	if (rc)
		return rc;
	rc = write_all(l->fd, p->b.p, p->b.len, l->size);
	if (!rc && fdatasync(l->fd))
		rc = -errno;
	if (!rc && l->made) {
		rc = fsync(l->dir) ? -errno : 0;
		l->made = rc != 0;
	}
	if (rc) /* when even this fails, the next attempt writes the same bytes over it */
		(void)!ftruncate(l->fd, (off_t)l->size);
	return rc;
}

int sample_log_flush(struct sample_log *l)
{
	int rc = 0;

	while (!rc && l->first) {
		struct part *p = l->first;

		rc = p->b.len ? flush_part(l, p) : 0;
		if (rc)
			break;
		l->size += p->b.len;
		l->waiting -= p->b.len;
		drop_part(l);
	}
	return rc;
}
