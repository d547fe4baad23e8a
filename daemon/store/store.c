/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * store.c - opening a store and writing calls to it
 *
 * Invariants: a row is added only when its chunks were accepted and its wraps
 * written; rows are committed only after segments and slots are durable; a
 * call's keys exist in memory from begin to end, nowhere else in clear.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/le.h"
#include "base/mutex.h"
#include "store/catalog.h"
#include "store/pipe.h"
#include "store/sealing.h"
#include "store/segment.h"
#include "store/opens.h"
#include "store/slots.h"
#include "store/store_call.h"
#include "store/store_internal.h"
#include "store/writer.h"

#define RESERVE_SIZE (4u << 20) /* covers PENDING_MAX rows in the WAL, twice */

_Thread_local struct why *why_here; /* the store's own threads have one each */

struct why *why_of(struct store *st)
{
	return why_here ? why_here : &st->why;
}

const char *store_why(const struct store *st)
{
	return st->why.text;
}

const char *store_damage(const struct store *st)
{
	return st->damage ? st->damage_why.text : NULL;
}

void store_figures(const struct store *st, struct store_figures *ret)
{
	const uint64_t *from = (const uint64_t *)&st->figures;
	uint64_t *to = (uint64_t *)ret;

	for (size_t i = 0; i < sizeof(*ret) / sizeof(*to); i++)
		to[i] = __atomic_load_n(&from[i], __ATOMIC_RELAXED);
	ret->ring = writer_ring_works(st->ring);
	pipe_figures(st, ret);
}

/* ---- opening ---- */

static int take_lock(struct store *st)
{
	char text[32];
	int n;

	st->lock = beneath_openat(st->root.fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (st->lock < 0)
		return why_set(why_of(st), -errno, "%s/lock: %s", st->root.path, strerror(errno));
	if (flock(st->lock, LOCK_EX | LOCK_NB))
		return errno == EWOULDBLOCK ?
			       why_set(why_of(st), -EBUSY, "%s: another process is recording into this store",
				       st->root.path) :
			       why_set(why_of(st), -errno, "%s/lock: %s", st->root.path, strerror(errno));
	/* For people who wonder who it is; nothing reads it, so failing does not matter. */
	n = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
	if (!ftruncate(st->lock, 0))
		(void)!pwrite(st->lock, text, (size_t)n, 0);
	return 0;
}

uint64_t free_space(const struct store *st)
{
	struct statvfs v;

	return fstatvfs(st->root.fd, &v) ? UINT64_MAX : (uint64_t)v.f_bavail * v.f_frsize;
}

/* Space for the last commit, kept back while there is plenty. */
void reserve_take(struct store *st)
{
	uint64_t size = free_space(st) / 8;
	int fd = beneath_openat(st->root.fd, "reserve", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		return;
	if (size > RESERVE_SIZE)
		size = RESERVE_SIZE;
	size &= ~4095ULL;
	st->reserve = size && !fallocate(fd, 0, 0, (off_t)size);
	close(fd);
	if (!st->reserve)
		(void)beneath_unlinkat(st->root.fd, "reserve", 0); /* goes without */
}

/*
 * Given up when the disk is full, or so nearly that the next commit might not
 * fit (SQLite rolls rows back that it has no space to commit); then nothing
 * more is recorded until the store is opened again, or it would be eaten up.
 */
void reserve_release(struct store *st)
{
	uint64_t need = 65536 + 2048 * (uint64_t)catalog_pending(st->catalog);

	if (!st->reserve || (!st->err && free_space(st) >= need))
		return;
	if (!st->err)
		st->err = -ENOSPC;
	(void)beneath_unlinkat(st->root.fd, "reserve", 0); /* still there: then there is no more space, as before */
	st->reserve = false;
}

/*
 * Chunk numbers of a leg start anew in each epoch, and both are in the nonce: so a new epoch is
 * durable before anything is written in it.
 */
int epoch_next(const struct root *r, _Atomic uint32_t *ret, struct why *why)
{
	char text[32] = "", *end = text;
	unsigned long long n = 0;
	size_t len;
	int rc;

	rc = read_small(r->fd, "epoch", text, sizeof(text) - 1, &len);
	if (rc && rc != -ENOENT)
		return why_errno(why, rc, "epoch", "cannot read");
	if (!rc && *text >= '0' && *text <= '9')
		n = strtoull(text, &end, 10);
	if (!rc && (end == text || *end != '\n' || (size_t)(end + 1 - text) != len || n >= UINT32_MAX))
		return why_set(why, -EBADMSG, "epoch: damaged (rule T-4)");
	snprintf(text, sizeof(text), "%llu\n", ++n);
	rc = write_over(r, "epoch", text, strlen(text), 0600, why);
	*ret = (uint32_t)n;
	return rc;
}

/* Durable with the next opens_sync, which comes after the rows. */
int list_partition(void *arg, const char *controller, uint32_t day, unsigned part)
{
	struct store *st = arg;

	return opens_list(st->opens, controller, day, part, why_of(st));
}

/* Days that have begun everywhere are given up without a word here. */
static int unlist_old(struct store *st)
{
	uint64_t now = clock_now_ns(), days = 2 * 86400 * NS_PER_S;
	uint32_t day;

	return now < days || day_of(now - days, "UTC", &day) ? 0 : opens_unlist_before(st->opens, day, why_of(st));
}

static int open_writer(struct store *st)
{
	int rc = take_lock(st);

	if (!rc)
		rc = root_upgrade(&st->root, why_of(st));
	if (!rc)
		rc = writer_recover(&st->root, &st->figures.uncut, why_of(st)); /* nobody else is here yet */
	if (!rc && writer_ring_new(&st->ring))
		rc = why_set(why_of(st), -ENOMEM, "%s: out of memory", st->root.path);
	if (!rc)
		rc = writer_new(&st->root, st->ring, &st->writer, why_of(st));
	if (rc)
		return rc;
	reserve_take(st);
	seal_clean(&st->root);
	rc = slots_new(&st->root, &st->slots);
	if (!rc)
		rc = sealing_new(&st->root, &st->sealing);
	if (!rc)
		rc = catalog_new(&st->root, st->sealing, &st->catalog);
	if (!rc && (coder_new(&st->coder) || keypool_new(&st->pool)))
		rc = -ENOMEM;
	if (rc)
		return rc == -ENOMEM ? why_set(why_of(st), rc, "%s: out of memory", st->root.path) :
				       why_errno(why_of(st), rc, st->root.path, "cannot look through it");
	rc = epoch_next(&st->root, &st->epoch, why_of(st));
	if (!rc)
		rc = opens_new(&st->root, &st->opens, why_of(st));
	if (!rc)
		rc = unlist_old(st);
	if (rc)
		return rc;
	catalog_told(st->catalog, list_partition, st);
	return left_load(st);
}

int store_open(const char *dir, enum store_mode mode, struct store **ret, char *why, size_t n)
{
	struct store *st = calloc(1, sizeof(*st));
	size_t len;
	int rc;

	if (!st) {
		if (why && n)
			snprintf(why, n, "out of memory");
		return -ENOMEM;
	}
	st->lock = -1;
	st->figures.reaped_ns = UINT64_MAX;
	mutex_init(&st->wraps);
	mutex_init(&st->drops_lock);
	st->mode = mode;
	st->root.fd = -1;
	rc = keys_init();
	if (rc)
		rc = why_set(why_of(st), rc, "libsodium does not start");
	else
		rc = root_open(dir, &st->root, why_of(st));
	if (!rc) {
		rc = read_small(st->root.fd, "number.key", st->number_key, 32, &len);
		st->numbers = !rc && len == 32;
		if (!st->numbers && mode == STORE_RO && (!rc || rc == -ENOENT))
			rc = 0; /* all but looking for a number goes without */
		else if (!st->numbers)
			rc = why_set(why_of(st), rc ? rc : -EBADMSG, "%s/number.key: %s", dir,
				     rc ? strerror(-rc) : "damaged (rule T-3)");
	}
	if (!rc && mode == STORE_RW)
		rc = open_writer(st);
	if (rc) {
		if (why && n)
			snprintf(why, n, "%s", st->why.text);
		store_close(st);
		return rc;
	}
	*ret = st;
	return 0;
}

void store_close(struct store *st)
{
	bool threads;

	if (!st)
		return;
	threads = st->pipe;
	pipe_stop(st); /* what was ended gets its row still */
	left_free(st);
	while (st->calls)
		store_call_abort(st->calls); /* NOLINT(clang-analyzer-unix.Malloc): it takes itself off the list */
	opens_free(st->opens);
	catalog_free(st->catalog);
	if (st->sealing && !threads && !st->err)
		sealing_run(st->sealing);
	sealing_free(st->sealing);
	if (st->drops)
		(void)drops_sync(st, &st->why); /* what the disk refuses once more dies with its bucket */
	slots_free(st->slots);
	writer_free(st->writer);
	writer_ring_free(st->ring);
	coder_free(&st->coder);
	keypool_free(st->pool);
	drops_free(st);
	sodium_memzero(st->number_key, sizeof(st->number_key));
	if (st->lock >= 0)
		close(st->lock);
	root_close(&st->root);
	pthread_mutex_destroy(&st->wraps);
	pthread_mutex_destroy(&st->drops_lock);
	free(st);
}

int check_writable(struct store *st)
{
	if (st->mode != STORE_RW)
		return why_set(why_of(st), -EROFS, "%s: opened for reading", st->root.path);
	if (st->err)
		return why_set(why_of(st), st->err, "%s: broken for writing since an earlier error: %s",
			       st->root.path, strerror(-st->err));
	return 0;
}

int store_call_known(struct store *st, const struct uid *uid, const char *controller)
{
	if (st->mode != STORE_RW)
		return why_set(why_of(st), -EROFS, "%s: opened for reading", st->root.path);
	if (name_check(controller))
		return why_set(why_of(st), -EINVAL, "controller name is not a file name of a-z 0-9 . _ -");
	if (st->pipe)
		return 0;
	for (int try = 0;; try++) {
		int rc = catalog_known(st->catalog, controller, uid, why_of(st));

		if (rc != -EAGAIN || try)
			return rc;
		rc = sync_here(st);
		if (rc)
			return rc;
	}
}

int store_sync(struct store *st)
{
	if (st->mode != STORE_RW)
		return why_set(why_of(st), -EROFS, "%s: opened for reading", st->root.path);
	return st->pipe ? pipe_sync(st) : sync_here(st);
}

/* One that failed since the last in another thread took away what this one would have found. */
static int sync_slots(struct store *st)
{
	int rc = slots_sync(st->slots, why_of(st));
	uint64_t failed = slots_failed(st->slots);

	if (!rc && st->pipe && failed != st->slots_failed)
		rc = why_set(why_of(st), -EIO, "%s/keys: cannot sync slots", st->root.path);
	st->slots_failed = failed;
	return rc;
}

int sync_here(struct store *st)
{
	bool rows;
	int rc;

	slots_expire(st->slots);
	reserve_release(st);
	rc = writer_sync(st->writer, why_of(st)); /* first: audio waits for no log */
	if (!rc)
		rc = sync_slots(st);
	rows = rc || !st->pipe || pipe_before_rows(st);
	for (struct store_call *sc = rc ? NULL : st->ended; sc; sc = sc->next)
		scall_durable(sc); /* whatever becomes of their rows */
	if (!rc && !rows)
		return 0;
	if (!rc)
		rc = catalog_sync(st->catalog, why_of(st));
	if (!rc && st->pipe)
		pipe_rows_durable(st);
	/* After the rows: a call without either was not covered by this sync. */
	if (!rc && !st->err)
		rc = open_calls(st);
	if (!rc)
		rc = opens_sync(st->opens, why_of(st));
	if (rc)
		st->err = rc;
	else if (st->settled)
		st->settle_done = true; /* its rows are durable, too */
	return rc;
}
