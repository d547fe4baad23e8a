/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * evlog_open.c - opening the evidence log for writing, and closing it
 *
 * One thread: nobody else has the log yet, or any more. On failure nothing was changed but for
 * directory, lock and keys that were missing.
 */
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "store/evlog_writer.h"
#include "store/keys.h"

static int take_lock(struct evlog *l)
{
	l->lockfd = beneath_openat(l->root.fd, EVLOG_LOCK, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (l->lockfd < 0)
		return why_errno(&l->why, -errno, EVLOG_LOCK, "cannot open");
	if (flock(l->lockfd, LOCK_EX | LOCK_NB))
		return errno == EWOULDBLOCK ?
			       why_set(&l->why, -EBUSY, "%s/%s: another process writes the evidence log", l->root.path, EVLOG_DIR) :
			       why_errno(&l->why, -errno, EVLOG_LOCK, "cannot lock");
	return 0;
}

/* The newest day's file: goes on, or goes when no line of it stands. */
static int open_newest(struct evlog *l)
{
	struct evlog_state *s = &l->now;
	char name[64];

	if (!s->any || s->closed)
		return 0;
	if (s->size)
		return evday_open(l, s->day, 0, s->size);
	evlog_day_name(s->day, "log", name);
	if (beneath_unlinkat(l->root.fd, name, 0))
		return why_errno(&l->why, -errno, name, "cannot remove");
	s->any = s->closed = s->has_before;
	s->day = s->before;
	return sync_dir_of(&l->root, name, &l->why);
}

static int own_event(struct evlog *l, enum evlog_kind kind, uint64_t bytes, uint64_t lines)
{
	struct evlog_event e = { .kind = kind, .time_ns = clock_now_ns(), .source = EVLOG_S_DAEMON };
	int rc;

	if (bytes) {
		evlog_num_add(&e, EVLOG_N_BYTES, bytes);
		evlog_num_add(&e, EVLOG_N_COUNT, lines);
	}
	rc = evlog_append_any(l, &e, NULL);
	if (!rc)
		l->figures.appended++;
	return rc;
}

/*
 * Torn bytes are written over by the event that tells of them and the rest is cut off, in this order:
 * a kill in between leaves torn bytes again, never a cut without its event.
 */
static int begin(struct evlog *l)
{
	uint64_t bytes = l->now.cut_bytes, lines = l->now.cut_lines;
	bool start = !l->now.seq;
	struct evday *d;
	int rc = open_newest(l);

	l->figures.flushed = l->now.seq;
	l->figures.recovered_bytes = bytes;
	l->figures.recovered_lines = lines;
	if (!rc && start)
		rc = own_event(l, EVLOG_LOG_START, 0, 0);
	if (!rc && bytes)
		rc = own_event(l, EVLOG_LOG_RECOVER, bytes, lines);
	if (!rc && (start || bytes))
		rc = evlog_flush(l, 0);
	d = l->newest;
	if (rc || !bytes || !d)
		return rc;
	if (ftruncate(d->fd, (off_t)d->base) || fsync(d->fd))
		return why_errno(&l->why, -errno, d->name, "cannot cut");
	d->alloc = d->base;
	return 0;
}

static int open_log(struct evlog *l, const char *store_dir)
{
	int rc = root_open(store_dir, &l->root, &l->why);

	if (!rc)
		rc = make_dirs(&l->root, EVLOG_DIR, &l->why);
	if (!rc)
		rc = take_lock(l);
	if (rc)
		return rc;
	l->secret = sodium_malloc(64);
	if (!l->secret)
		return why_set(&l->why, -ENOMEM, "out of memory");
	rc = evlog_key_open(&l->root, l->secret, &l->pub, &l->why);
	if (!rc)
		rc = evlog_state_read(&l->root, &l->pub, &l->now, &l->why);
	if (rc)
		return rc;
	l->headfd = beneath_openat(l->root.fd, EVLOG_HEAD, O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0);
	if (l->headfd < 0)
		return why_errno(&l->why, -errno, EVLOG_HEAD, "cannot open");
	rc = begin(l);
	l->ready = !rc;
	return rc;
}

int evlog_open(const char *store_dir, struct evlog **ret, char *why, size_t n)
{
	struct evlog *l = calloc(1, sizeof(*l));
	int rc = l ? keys_init() : -ENOMEM;

	if (!l) {
		if (why && n)
			snprintf(why, n, "out of memory");
		return rc;
	}
	l->root.fd = l->lockfd = l->headfd = -1;
	pthread_mutex_init(&l->disk, NULL);
	pthread_mutex_init(&l->lock, NULL);
	if (rc)
		rc = why_set(&l->why, rc, "libsodium does not start");
	else
		rc = open_log(l, store_dir);
	if (rc) {
		if (why && n)
			snprintf(why, n, "%s", l->why.text);
		evlog_close(l);
		return rc;
	}
	*ret = l;
	return 0;
}

void evlog_close(struct evlog *l)
{
	struct evday *next;

	if (!l)
		return;
	for (struct evday *d = l->oldest; d; d = next) {
		next = d->next;
		if (l->ready)
			(void)!ftruncate(d->fd, (off_t)d->base); /* space taken ahead, and what was not flushed */
		evday_free(d);
	}
	outbox_marks_free(l->marks);
	sodium_free(l->secret); /* wipes */
	if (l->headfd >= 0)
		close(l->headfd);
	if (l->lockfd >= 0)
		close(l->lockfd);
	root_close(&l->root);
	pthread_mutex_destroy(&l->disk);
	pthread_mutex_destroy(&l->lock);
	free(l);
}
