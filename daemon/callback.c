/* SPDX-License-Identifier: BSD-2-Clause */
/* callback.c - numbers to be rung back without a recording, see callback.h */
#include "callback.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/beneath.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/hash.h"
#include "base/le.h"
#include "base/mutex.h"

#define HEAD	  "OPTAGCBK"
#define HEAD_SIZE 16 /* HEAD, version 1, zero */
#define TAG	  16
#define SPARE	  1024 /* records of history before the file is written anew */
#define FILE_MAX  (HEAD_SIZE + (size_t)CALLBACK_RECORD * 4 * CALLBACKS_MAX)

struct entry {
	struct hnode node;
	uint8_t tag[TAG];
	uint64_t until_s;
};

struct callbacks {
	char *path, *tmp;
	int fd; /* -1: the file must be written anew */
	uint8_t key[32];
	struct htab by_tag;
	size_t records; /* in the file */
	struct callbacks_figures fig;
	/* live: */
	bool live;
	pthread_mutex_t lock; /* guards entries for who changes them and for callbacks_sync, fd, records and what follows */
	bool dirty, named;    /* what was written, that the file is there: not durable yet */
	bool anew;	      /* callbacks_sync is to write the file anew, */
	bool writing;	      /* and does so: what is appended meanwhile, */
	struct buf since;     /* goes behind it */
};

/* ---- records ---- */

static void seal(const uint8_t key[32], const uint8_t *p, uint8_t out[8])
{
	uint8_t h[16];

	crypto_generichash(h, sizeof(h), p, TAG + 8, key, 32);
	memcpy(out, h, 8);
}

static void record_put(const struct callbacks *cb, const uint8_t tag[TAG], uint64_t until_s, uint8_t out[CALLBACK_RECORD])
{
	memcpy(out, tag, TAG);
	le64enc(out + TAG, until_s);
	seal(cb->key, out, out + TAG + 8);
}

static bool record_ok(const uint8_t key[32], const uint8_t *p)
{
	uint8_t s[8];

	seal(key, p, s);
	return sodium_memcmp(s, p + TAG + 8, sizeof(s)) == 0;
}

size_t callbacks_sound(const uint8_t key[32], const uint8_t *p, size_t n)
{
	size_t at = HEAD_SIZE;

	if (n < HEAD_SIZE || memcmp(p, HEAD, 8) != 0 || le32dec(p + 8) != 1 || le32dec(p + 12) != 0)
		return 0;
	while (n - at >= CALLBACK_RECORD && record_ok(key, p + at))
		at += CALLBACK_RECORD;
	return at;
}

/* ---- in memory ---- */

static void tag_of(const struct callbacks *cb, const char *controller, const char *number, uint8_t out[TAG])
{
	crypto_generichash_state st;

	crypto_generichash_init(&st, cb->key, sizeof(cb->key), TAG);
	crypto_generichash_update(&st, (const uint8_t *)controller, strlen(controller) + 1);
	crypto_generichash_update(&st, (const uint8_t *)number, strlen(number));
	crypto_generichash_final(&st, out, TAG);
	sodium_memzero(&st, sizeof(st));
}

static struct entry *find(const struct callbacks *cb, const uint8_t tag[TAG])
{
	struct hnode *n = htab_first(&cb->by_tag, hash_bytes(tag, TAG));

	for (; n; n = htab_next(n)) {
		struct entry *e = container_of(n, struct entry, node);

		if (memcmp(e->tag, tag, TAG) == 0)
			return e;
	}
	return NULL;
}

static void forget(struct callbacks *cb, struct entry *e)
{
	htab_del(&cb->by_tag, &e->node);
	free(e);
}

typedef void each(struct callbacks *cb, struct entry *e, void *arg);

static void walk(struct callbacks *cb, each *f, void *arg)
{
	for (size_t i = 0; i <= cb->by_tag.mask; i++) {
		struct hnode *n = cb->by_tag.slot[i], *next;

		for (; n; n = next) {
			next = n->next;
			f(cb, container_of(n, struct entry, node), arg);
		}
	}
}

static void drop_old(struct callbacks *cb, struct entry *e, void *arg)
{
	if (e->until_s <= *(const uint64_t *)arg)
		forget(cb, e);
}

static void soonest(struct callbacks *cb, struct entry *e, void *arg)
{
	struct entry **best = arg;

	(void)cb;
	if (!*best || e->until_s < (*best)->until_s)
		*best = e;
}

/* until_s 0: it goes. */
static int set(struct callbacks *cb, const uint8_t tag[TAG], uint64_t until_s)
{
	struct entry *e = find(cb, tag), *out = NULL;

	if (!until_s) {
		if (e)
			forget(cb, e);
		return 0;
	}
	if (e) {
		if (until_s > e->until_s)
			e->until_s = until_s;
		return 0;
	}
	if (cb->by_tag.count >= CALLBACKS_MAX) {
		walk(cb, soonest, &out);
		forget(cb, out);
		cb->fig.pushed_out++;
	}
	e = calloc(1, sizeof(*e));
	if (!e)
		return -ENOMEM;
	memcpy(e->tag, tag, TAG);
	e->until_s = until_s;
	htab_add(&cb->by_tag, &e->node, hash_bytes(tag, TAG));
	return 0;
}

/* ---- on disk ---- */

struct writing {
	int fd, err;
	size_t n;
};

static void write_entry(struct callbacks *cb, struct entry *e, void *arg)
{
	struct writing *w = arg;
	uint8_t r[CALLBACK_RECORD];

	if (w->err)
		return;
	record_put(cb, e->tag, e->until_s, r);
	w->err = files_write(w->fd, r, sizeof(r));
	w->n++;
}

static int write_anew(struct callbacks *cb, uint64_t now_s)
{
	uint8_t head[HEAD_SIZE] = HEAD;
	struct writing w = { .n = 0 };

	walk(cb, drop_old, &now_s);
	le32enc(head + 8, 1);
	le32enc(head + 12, 0);
	w.fd = beneath_open_last(cb->tmp, O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
	if (w.fd < 0)
		return -errno;
	w.err = files_write(w.fd, head, sizeof(head));
	walk(cb, write_entry, &w);
	if (!w.err && (fdatasync(w.fd) || rename(cb->tmp, cb->path)))
		w.err = -errno;
	if (!w.err)
		w.err = files_sync_dir(cb->path);
	if (w.err) {
		close(w.fd);
		(void)unlink(cb->tmp); /* may be the file by now */
		return w.err;
	}
	if (cb->fd >= 0)
		close(cb->fd);
	cb->fd = w.fd;
	cb->records = w.n;
	return 0;
}

/* ---- live: no disk is waited for ---- */

static int begin_file(struct callbacks *cb)
{
	uint8_t head[HEAD_SIZE] = HEAD;

	le32enc(head + 8, 1);
	le32enc(head + 12, 0);
	cb->fd = beneath_open_last(cb->path, O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600);
	cb->named = cb->fd >= 0;
	return cb->fd < 0 ? -errno : files_write(cb->fd, head, sizeof(head));
}

/* What cannot be appended is written anew with all that is known. */
static int append_live(struct callbacks *cb, const uint8_t tag[TAG], uint64_t until_s)
{
	uint8_t r[CALLBACK_RECORD];
	int e = cb->fd < 0 && !cb->writing ? begin_file(cb) : 0;

	record_put(cb, tag, until_s, r);
	if (!e && cb->fd >= 0)
		e = files_write(cb->fd, r, sizeof(r));
	if (cb->writing)
		buf_put(&cb->since, r, sizeof(r));
	if (e && cb->fd >= 0) { /* it may end within a record */
		close(cb->fd);
		cb->fd = -1;
	}
	cb->records++;
	cb->dirty = true;
	cb->anew |= e || (!cb->writing && cb->records >= 2 * cb->by_tag.count + SPARE);
	return e;
}

static void note_entry(struct callbacks *cb, struct entry *e, void *arg)
{
	uint8_t r[CALLBACK_RECORD] = { 0 };

	(void)cb;
	memcpy(r, e->tag, TAG);
	le64enc(r + TAG, e->until_s);
	buf_put(arg, r, sizeof(r)); /* sealed without the lock */
}

/* All that is known, without what is over; durable when it is the file. */
static int write_all(struct callbacks *cb, const struct buf *all, uint64_t now_s, int *ret_fd, size_t *ret_records)
{
	struct buf out = { 0 };
	uint8_t head[HEAD_SIZE] = HEAD, r[CALLBACK_RECORD];
	int fd = beneath_open_last(cb->tmp, O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
	int e = fd < 0 ? -errno : 0;

	*ret_fd = fd;
	*ret_records = 0;
	le32enc(head + 8, 1);
	le32enc(head + 12, 0);
	buf_put(&out, head, sizeof(head));
	for (size_t i = 0; i < all->len; i += CALLBACK_RECORD) {
		uint64_t until_s = le64dec(all->p + i + TAG);

		if (until_s <= now_s)
			continue;
		record_put(cb, all->p + i, until_s, r);
		buf_put(&out, r, sizeof(r));
		++*ret_records;
	}
	if (!e)
		e = out.failed ? -ENOMEM : files_write(fd, out.p, out.len);
	if (!e && fdatasync(fd))
		e = -errno;
	buf_free(&out);
	return e;
}

static int sync_anew(struct callbacks *cb)
{
	struct buf all = { 0 };
	size_t records = 0;
	int fd = -1, e;

	pthread_mutex_lock(&cb->lock);
	walk(cb, note_entry, &all);
	cb->anew = cb->dirty = false;
	cb->writing = true;
	buf_reset(&cb->since);
	pthread_mutex_unlock(&cb->lock);
	e = all.failed ? -ENOMEM : write_all(cb, &all, clock_now_ns() / NS_PER_S, &fd, &records);
	pthread_mutex_lock(&cb->lock);
	if (!e && cb->since.failed)
		e = -ENOMEM;
	if (!e && cb->since.len)
		e = files_write(fd, cb->since.p, cb->since.len);
	if (!e && rename(cb->tmp, cb->path))
		e = -errno;
	if (!e) {
		if (cb->fd >= 0)
			close(cb->fd);
		cb->fd = fd;
		cb->records = records + cb->since.len / CALLBACK_RECORD;
		cb->named = true;
	} else if (fd >= 0) {
		close(fd);
	}
	cb->writing = false;
	cb->anew |= e != 0;
	pthread_mutex_unlock(&cb->lock);
	if (e)
		(void)unlink(cb->tmp);
	buf_free(&all);
	return e;
}

static int sync_appended(struct callbacks *cb)
{
	bool dirty, named;
	int fd = -1, e = 0;

	pthread_mutex_lock(&cb->lock);
	dirty = cb->dirty && cb->fd >= 0;
	named = cb->named;
	if (dirty)
		fd = dup(cb->fd);
	if (dirty && fd < 0)
		e = -errno;
	cb->dirty = cb->named = false;
	pthread_mutex_unlock(&cb->lock);
	if (dirty && !e && fdatasync(fd))
		e = -errno;
	if (!e && named)
		e = files_sync_dir(cb->path);
	if (fd >= 0)
		close(fd);
	if (e) { /* what the cache has after that is on no disk */
		pthread_mutex_lock(&cb->lock);
		cb->anew = true;
		pthread_mutex_unlock(&cb->lock);
	}
	return e;
}

int callbacks_sync(struct callbacks *cb)
{
	bool anew;
	int e;

	if (!cb->live)
		return 0;
	pthread_mutex_lock(&cb->lock);
	anew = cb->anew;
	pthread_mutex_unlock(&cb->lock);
	e = anew ? sync_anew(cb) : 0;
	return e ? e : sync_appended(cb);
}

void callbacks_live(struct callbacks *cb)
{
	cb->live = true;
}

static int append(struct callbacks *cb, const uint8_t tag[TAG], uint64_t until_s, uint64_t now_s)
{
	uint8_t r[CALLBACK_RECORD];
	bool torn = false;
	off_t at;
	int e;

	if (cb->live)
		return append_live(cb, tag, until_s);
	if (cb->fd < 0 || cb->records >= 2 * cb->by_tag.count + SPARE)
		return write_anew(cb, now_s);
	record_put(cb, tag, until_s, r);
	at = lseek(cb->fd, 0, SEEK_END);
	e = at < 0 ? -errno : files_append(cb->fd, at, r, sizeof(r), &torn);
	if (torn) { /* it is written anew the next time */
		close(cb->fd);
		cb->fd = -1;
	}
	if (e)
		return e;
	cb->records++;
	return 0;
}

static int read_key(const char *dir, uint8_t key[32], char *why, size_t n)
{
	char path[4096];
	int fd, e = 0;

	snprintf(path, sizeof(path), "%s/number.key", dir);
	fd = beneath_open_last(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0);
	if (fd < 0 || read(fd, key, 32) != 32)
		e = fd < 0 ? -errno : -EBADMSG;
	if (fd >= 0)
		close(fd);
	if (e)
		snprintf(why, n, "%s: %s", path, e == -EBADMSG ? "not 32 bytes" : strerror(-e));
	return e;
}

static int load(struct callbacks *cb, const uint8_t *p, size_t n)
{
	size_t good = callbacks_sound(cb->key, p, n);
	int e = 0;

	for (size_t at = HEAD_SIZE; at < good && !e; at += CALLBACK_RECORD)
		e = set(cb, p + at, le64dec(p + at + TAG));
	cb->fig.damaged = n - good;
	return e;
}

static int read_file(struct callbacks *cb)
{
	int fd = beneath_open_last(cb->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0), e;
	size_t n = 0;
	char *p = NULL;

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	e = files_read(fd, FILE_MAX, &p, &n);
	close(fd);
	if (!e)
		e = load(cb, (const uint8_t *)p, n);
	free(p);
	return e;
}

int callbacks_open(const char *dir, struct callbacks **ret, char *why, size_t n)
{
	struct callbacks *cb = calloc(1, sizeof(*cb));
	int e = -ENOMEM;

	if (!cb)
		return e;
	cb->fd = -1;
	mutex_init(&cb->lock);
	if (sodium_init() < 0 || htab_init(&cb->by_tag, 64) || asprintf(&cb->path, "%s/callback", dir) < 0 ||
	    asprintf(&cb->tmp, "%s/callback.tmp", dir) < 0)
		goto out;
	e = read_key(dir, cb->key, why, n);
	if (e)
		goto out;
	e = read_file(cb);
	/* What was torn goes, and history with it; what ended when stays, since the clock may be that of old captures. */
	if (!e && access(cb->path, F_OK) == 0)
		e = write_anew(cb, 0);
	if (e) {
		snprintf(why, n, "%s: %s", cb->path, strerror(-e));
		goto out;
	}
	*ret = cb;
	return 0;
out:
	callbacks_close(cb);
	return e;
}

static void drop(struct callbacks *cb, struct entry *e, void *arg)
{
	(void)arg;
	forget(cb, e);
}

void callbacks_close(struct callbacks *cb)
{
	if (!cb)
		return;
	if (cb->by_tag.slot)
		walk(cb, drop, NULL);
	htab_free(&cb->by_tag);
	buf_free(&cb->since);
	pthread_mutex_destroy(&cb->lock);
	if (cb->fd >= 0)
		close(cb->fd);
	free(cb->path);
	free(cb->tmp);
	sodium_memzero(cb->key, sizeof(cb->key));
	free(cb);
}

int callbacks_add(struct callbacks *cb, const char *controller, const char *number, uint64_t until_ns)
{
	uint64_t until_s = until_ns / NS_PER_S;
	uint8_t tag[TAG];
	int e;

	if (!*number || !until_s)
		return 0;
	tag_of(cb, controller, number, tag);
	pthread_mutex_lock(&cb->lock);
	e = set(cb, tag, until_s);
	if (!e) {
		cb->fig.added++;
		e = append(cb, tag, until_s, clock_now_ns() / NS_PER_S);
	}
	pthread_mutex_unlock(&cb->lock);
	return e;
}

bool callbacks_has(const struct callbacks *cb, const char *controller, const char *number, uint64_t now_ns)
{
	uint8_t tag[TAG];
	struct entry *e;

	if (!*number || !cb->by_tag.count)
		return false;
	tag_of(cb, controller, number, tag);
	e = find(cb, tag);
	return e && now_ns / NS_PER_S < e->until_s;
}

int callbacks_used(struct callbacks *cb, const char *controller, const char *number)
{
	uint8_t tag[TAG];
	int e;

	tag_of(cb, controller, number, tag);
	if (!find(cb, tag))
		return -ENOENT;
	pthread_mutex_lock(&cb->lock);
	(void)set(cb, tag, 0); /* taking away needs no memory */
	cb->fig.used++;
	e = append(cb, tag, 0, clock_now_ns() / NS_PER_S);
	pthread_mutex_unlock(&cb->lock);
	return e;
}

void callbacks_figures(const struct callbacks *cb, struct callbacks_figures *ret)
{
	*ret = cb->fig;
	ret->entries = cb->by_tag.count;
}
