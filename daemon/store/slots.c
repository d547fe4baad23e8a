/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * slots.c - the recorder's side of bucket and slot files
 *
 * No key of a bucket is kept: for each wrap it is read from its file, under the lock that who destroys it takes alone.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mutex.h"
#include "store/slots.h"
#include "store/slots_make.h"

#define OPEN_MAX_FILES 64 /* purposes x days in use at once; more are closed, least used first */
#define CLOSED_MAX     256 /* that wait for slots_sync; then who opens one more waits for the disk */

static const uint8_t zeros[SLOT_SIZE];

struct sfile {
	bool used;
	char controller[STORE_NAME_MAX];
	unsigned purpose;
	uint32_t day;
	int fd;
	uint32_t next; /* index of the next free slot */
	bool dirty;
	uint64_t tick;
	int bucket; /* the bucket file; -1: opened for erasing only */
	struct pubkey pub;
};

/* Closed to open another one, and not synced yet: who opens that does not wait for a disk. */
struct closed {
	struct closed *next;
	int fd;
	char path[STORE_PATH_MAX];
};

struct first {
	char controller[STORE_NAME_MAX];
	unsigned purpose;
	uint32_t day, index;
};

/* What one wrap is made with. */
struct keyed {
	struct bucket bucket;
	uint8_t key[32]; /* of the slot */
};

struct slots {
	const struct root *root;
	struct sfile f[OPEN_MAX_FILES];
	struct keyed *now; /* sodium_malloc; zeros between two wraps */
	struct wrapper *wrapper;
	struct slots_maker *maker; /* has locks of its own, after `lock` */
	uint64_t tick;
	struct first *first; /* of each file we have put slots into: the first of them */
	size_t nfirst;
	struct closed *closed;
	unsigned nclosed;
	uint64_t failed; /* syncs */
	pthread_mutex_t lock; /* guards all of it; not held while slots_sync waits for the disk */
	pthread_mutex_t sync_lock; /* of slots_sync, before `lock`: what one has begun to sync is not durable for another yet */
};

int slots_new(const struct root *r, struct slots **ret)
{
	struct slots *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->root = r;
	mutex_init(&s->lock);
	mutex_init(&s->sync_lock);
	s->now = sodium_malloc(sizeof(*s->now));
	if (!s->now || wrapper_new(&s->wrapper) || maker_new(r, &s->maker)) {
		slots_free(s);
		return -ENOMEM;
	}
	*ret = s;
	return 0;
}

static int sfile_sync(struct slots *s, struct sfile *f)
{
	if (!f->dirty)
		return 0;
	if (fdatasync(f->fd)) {
		s->failed++;
		return -errno;
	}
	f->dirty = false;
	return 0;
}

/* The next slots_sync makes durable what is in it. False: it must be done here. */
static bool sync_later(struct slots *s, const struct sfile *f)
{
	struct closed *c = s->nclosed < CLOSED_MAX ? malloc(sizeof(*c)) : NULL;

	if (!c)
		return false;
	c->fd = f->fd;
	slots_path(f->controller, f->purpose, f->day, "slots", c->path);
	c->next = s->closed;
	s->closed = c;
	s->nclosed++;
	return true;
}

/* last: there will be no other sync */
static int sfile_close(struct slots *s, struct sfile *f, bool last)
{
	bool later = f->used && f->dirty && !last && sync_later(s, f);
	int rc = f->used && !later ? sfile_sync(s, f) : 0;

	if (f->used && !later)
		close(f->fd);
	if (f->used && f->bucket >= 0)
		close(f->bucket);
	f->used = false;
	return rc;
}

/* Takes a descriptor of its own, or -errno of making it. Without the lock: others put and erase meanwhile. */
static int sync_apart(struct slots *s, int fd)
{
	int rc = fd < 0 ? fd : 0;

	if (!rc)
		rc = fdatasync(fd) ? -errno : 0;
	if (fd >= 0)
		close(fd);
	if (rc) {
		pthread_mutex_lock(&s->lock);
		s->failed++;
		pthread_mutex_unlock(&s->lock);
	}
	return rc;
}

static int sync_closed(struct slots *s, struct why *why)
{
	int rc = 0;

	for (;;) {
		struct closed *c;
		int err;

		pthread_mutex_lock(&s->lock);
		c = s->closed;
		if (c) {
			s->closed = c->next;
			s->nclosed--;
		}
		pthread_mutex_unlock(&s->lock);
		if (!c)
			return rc;
		err = sync_apart(s, c->fd);
		if (err && !rc)
			rc = why_errno(why, err, c->path, "cannot sync");
		free(c);
	}
}

void slots_free(struct slots *s)
{
	struct why why;

	if (!s)
		return;
	for (int i = 0; i < OPEN_MAX_FILES; i++)
		(void)sfile_close(s, &s->f[i], true); /* nobody is left to tell */
	(void)sync_closed(s, &why);
	sodium_free(s->now);
	wrapper_free(s->wrapper);
	maker_free(s->maker);
	free(s->first);
	pthread_mutex_destroy(&s->lock);
	pthread_mutex_destroy(&s->sync_lock);
	free(s);
}

static int dup_of(const struct sfile *f)
{
	int fd = dup(f->fd);

	return fd < 0 ? -errno : fd;
}

static int sync_dirty(struct slots *s, struct sfile *f, char path[STORE_PATH_MAX])
{
	bool dirty;
	int fd = 0;

	pthread_mutex_lock(&s->lock);
	dirty = f->used && f->dirty;
	if (dirty) {
		fd = dup_of(f);
		f->dirty = fd < 0;
		slots_path(f->controller, f->purpose, f->day, "slots", path);
	}
	pthread_mutex_unlock(&s->lock);
	return dirty ? sync_apart(s, fd) : 0;
}

void slots_want(struct slots *s, const char *controller, enum store_purpose p, const char *zone, uint64_t until_ns)
{
	uint32_t day;

	if (!day_of(until_ns, zone, &day))
		maker_want(s->maker, controller, p, day, zone);
}

unsigned slots_make_wanted(struct slots *s)
{
	return maker_run(s->maker);
}

void slots_expire(struct slots *s)
{
	pthread_mutex_lock(&s->lock);
	wrapper_expire(s->wrapper, mono_ns());
	pthread_mutex_unlock(&s->lock);
}

uint64_t slots_failed(struct slots *s)
{
	uint64_t n;

	pthread_mutex_lock(&s->lock);
	n = s->failed;
	pthread_mutex_unlock(&s->lock);
	return n;
}

int slots_sync(struct slots *s, struct why *why)
{
	char path[STORE_PATH_MAX] = "";
	struct why other;
	int rc = 0, err;

	pthread_mutex_lock(&s->sync_lock);
	for (int i = 0; i < OPEN_MAX_FILES; i++) {
		err = sync_dirty(s, &s->f[i], path);
		if (err && !rc)
			rc = why_errno(why, err, path, "cannot sync");
	}
	err = sync_closed(s, rc ? &other : why); /* last: what was among those above before */
	rc = rc ? rc : err;
	pthread_mutex_unlock(&s->sync_lock);
	return rc;
}

/* The file gets slots of ours from here on. */
static int note_first(struct slots *s, const struct sfile *f)
{
	struct first *v;

	for (size_t i = 0; i < s->nfirst; i++) {
		v = &s->first[i];
		if (v->day == f->day && v->purpose == f->purpose && !strcmp(v->controller, f->controller))
			return 0;
	}
	v = realloc(s->first, (s->nfirst + 1) * sizeof(*v));
	if (!v)
		return -ENOMEM;
	s->first = v;
	v = &v[s->nfirst++];
	*v = (struct first){ .purpose = f->purpose, .day = f->day, .index = f->next };
	snprintf(v->controller, sizeof(v->controller), "%s", f->controller);
	return 0;
}

uint32_t slots_first(struct slots *s, const char *controller, unsigned purpose, uint32_t day)
{
	uint32_t index = UINT32_MAX;

	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < s->nfirst; i++) {
		const struct first *v = &s->first[i];

		if (v->day == day && v->purpose == purpose && !strcmp(v->controller, controller))
			index = v->index;
	}
	pthread_mutex_unlock(&s->lock);
	return index;
}

/* Public key and bucket file, without which nothing can be wrapped. */
static int sfile_keys(struct slots *s, struct sfile *f, struct why *why)
{
	char path[STORE_PATH_MAX];
	int rc = pubkey_load(s->root, f->controller, f->purpose, &f->pub, why);

	if (rc)
		return rc;
	rc = bucket_open(s->root, f->controller, f->purpose, f->day, true, &f->bucket, why);
	if (rc != -ENOENT)
		return rc;
	slots_path(f->controller, f->purpose, f->day, "bucket", path);
	return why_set(why, -EBADMSG, "%s: missing beside its slots (rule K-6)", path);
}

/* Opens the slots file. -ENOENT: there is none (why is left alone). */
static int sfile_open(struct slots *s, struct sfile *f, struct why *why)
{
	uint8_t raw[SLOT_SIZE] = { 0 };
	struct slots_head h;
	char path[STORE_PATH_MAX];
	const char *bad;
	struct stat sb;
	int rc;

	slots_path(f->controller, f->purpose, f->day, "slots", path);
	f->fd = beneath_openat(s->root->fd, path, O_RDWR | O_CLOEXEC, 0);
	if (f->fd < 0)
		return errno == ENOENT ? -ENOENT : why_errno(why, -errno, path, "cannot open");
	rc = fstat(f->fd, &sb) ? -errno : pread_all(f->fd, raw, sizeof(raw), 0);
	bad = rc ? "file shorter than its head" : slots_head_parse(raw, sizeof(raw), &h);
	if (!bad && (h.purpose != f->purpose || h.day != f->day || memcmp(h.store_id, s->root->id, 16) ||
		     strcmp(h.controller, f->controller)))
		bad = "head belongs elsewhere";
	if (bad) {
		close(f->fd);
		f->fd = -1;
		return why_set(why, -EBADMSG, "%s: offset 0: %s (rule K-2)", path, bad);
	}
	f->next = (uint32_t)(sb.st_size / SLOT_SIZE);
	return 0;
}

/* Of the file's bucket, which is locked against destruction when this returns 0. */
static int lock_bucket(struct slots *s, const struct sfile *f, struct why *why)
{
	struct bucket *b = &s->now->bucket;
	char path[STORE_PATH_MAX];
	int rc = bucket_lock(f->bucket, s->root, f->controller, f->purpose, f->day, b, why);

	if (!rc && b->state == BUCKET_LIVE)
		return 0;
	if (!rc) {
		bucket_unlock(f->bucket);
		slots_path(f->controller, f->purpose, f->day, "bucket", path);
		why_set(why, -ESHUTDOWN, "%s: this day's key is destroyed already", path);
	}
	return !rc || rc == -EAGAIN ? -ESHUTDOWN : rc;
}

static int sfile_fill(struct slots *s, struct sfile *f, const char *zone, struct why *why)
{
	char path[STORE_PATH_MAX];
	int rc = sfile_open(s, f, why);

	if (!zone && rc == -ENOENT) {
		slots_path(f->controller, f->purpose, f->day, "slots", path);
		return why_errno(why, rc, path, "cannot open");
	}
	if (rc == -ENOENT) { /* nobody wanted it ahead */
		rc = maker_make(s->maker, f->controller, f->purpose, f->day, zone, why);
		if (!rc)
			rc = sfile_open(s, f, why);
	}
	return zone && !rc ? sfile_keys(s, f, why) : rc;
}

/* zone NULL: only an existing file, for erasing. */
static int sfile_get(struct slots *s, const char *controller, unsigned p, uint32_t day,
		     const char *zone, struct sfile **ret, struct why *why)
{
	struct sfile *f = NULL;
	int rc = 0;

	for (int i = 0; i < OPEN_MAX_FILES; i++) {
		struct sfile *c = &s->f[i];

		if (c->used && c->day == day && c->purpose == p && !strcmp(c->controller, controller)) {
			/* opened for erasing only: the keys are still to be read */
			if (zone && c->bucket < 0)
				rc = sfile_keys(s, c, why);
			c->tick = ++s->tick;
			*ret = c;
			return rc;
		}
		if (!f || (f->used && (!c->used || c->tick < f->tick)))
			f = c;
	}
	rc = sfile_close(s, f, false);
	if (rc)
		return why_set(why, rc, "keys/%s: cannot sync slots: %s", f->controller, strerror(-rc));
	snprintf(f->controller, sizeof(f->controller), "%s", controller);
	f->purpose = p;
	f->day = day;
	f->dirty = false;
	f->fd = f->bucket = -1;
	rc = sfile_fill(s, f, zone, why);
	if (rc) {
		if (f->fd >= 0)
			close(f->fd);
		if (f->bucket >= 0)
			close(f->bucket);
		return rc;
	}
	f->used = true;
	f->tick = ++s->tick;
	*ret = f;
	return 0;
}

/* The start of the bucket's day in this zone; made earlier, never later, in the file. Nobody destroys it meanwhile. */
static int bucket_deadline(struct slots *s, const struct sfile *f, const char *zone, struct why *why)
{
	struct bucket *b = &s->now->bucket;
	uint8_t raw[BUCKET_SIZE];
	char path[STORE_PATH_MAX];
	struct clock_date d;
	uint64_t start;
	int rc;

	day_date(f->day, &d);
	rc = clock_day_start(&d, zone, &start);
	if (rc)
		return why_set(why, rc, "unknown time zone");
	if (start >= b->destroy_ns)
		return 0;
	b->destroy_ns = start;
	bucket_format(b, raw);
	rc = pwrite_all(f->bucket, raw, sizeof(raw), 0);
	if (!rc && fdatasync(f->bucket))
		rc = -errno;
	sodium_memzero(raw, sizeof(raw));
	slots_path(f->controller, f->purpose, f->day, "bucket", path);
	return rc ? why_errno(why, rc, path, "cannot write") : 0;
}

/* The wrap into its slot. The bucket is locked until the caller is done. */
static int put_wrap(struct slots *s, struct sfile *f, struct slot *slot, const uint8_t data[32], struct why *why)
{
	char path[STORE_PATH_MAX];
	uint8_t raw[SLOT_SIZE];
	int rc;

	if (note_first(s, f))
		return why_set(why, -ENOMEM, "out of memory");
	slot_key(slot, s->now->bucket.key, f->day, s->now->key);
	rc = wrap_make(s->wrapper, mono_ns(), &f->pub, s->now->key, &slot->uid, f->purpose, f->day, data, slot->wrap);
	if (rc)
		return why_set(why, rc, "public key for %s cannot be used (rule T-2)", store_purpose_names[f->purpose]);
	slot_format(slot, raw);
	rc = pwrite_all(f->fd, raw, sizeof(raw), (off_t)f->next * SLOT_SIZE);
	slots_path(f->controller, f->purpose, f->day, "slots", path);
	return rc ? why_errno(why, rc, path, "cannot write") : 0;
}

static int put_locked(struct slots *s, const char *controller, enum store_purpose p, const char *zone,
		      const struct uid *uid, uint64_t until_ns, const uint8_t data[32], uint32_t *ret_day,
		      uint32_t *ret_index, struct why *why)
{
	struct slot slot = { .version = 2, .purpose = (uint8_t)p, .uid = *uid, .until_ns = until_ns };
	struct sfile *f;
	uint32_t day;
	int rc;

	if (day_of(until_ns, zone, &day))
		return why_set(why, -EINVAL, "unknown time zone");
	rc = sfile_get(s, controller, p, day, zone, &f, why);
	if (rc)
		return rc;
	memcpy(slot.key_id, f->pub.id, 8);
	rc = lock_bucket(s, f, why);
	if (!rc) {
		rc = bucket_deadline(s, f, zone, why);
		if (!rc)
			rc = put_wrap(s, f, &slot, data, why);
		bucket_unlock(f->bucket);
	}
	sodium_memzero(s->now, sizeof(*s->now));
	if (rc)
		return rc;
	f->dirty = true;
	*ret_day = day;
	*ret_index = f->next++;
	return 0;
}

int slots_put(struct slots *s, const char *controller, enum store_purpose p, const char *zone,
	      const struct uid *uid, uint64_t until_ns, const uint8_t data[32], uint32_t *ret_day,
	      uint32_t *ret_index, struct why *why)
{
	int rc;

	pthread_mutex_lock(&s->lock);
	rc = put_locked(s, controller, p, zone, uid, until_ns, data, ret_day, ret_index, why);
	pthread_mutex_unlock(&s->lock);
	return rc;
}

int slots_erase(struct slots *s, const char *controller, enum store_purpose p, uint32_t day,
		uint32_t index, bool durable, struct why *why)
{
	char path[STORE_PATH_MAX];
	struct sfile *f;
	int rc, fd = -1;

	pthread_mutex_lock(&s->lock);
	rc = sfile_get(s, controller, p, day, NULL, &f, why);
	if (rc) {
		pthread_mutex_unlock(&s->lock);
		return rc == -ENOENT ? 0 : rc; /* its day is over, and all slots are gone */
	}
	rc = pwrite_all(f->fd, zeros, SLOT_SIZE, (off_t)index * SLOT_SIZE);
	if (!rc) {
		f->dirty = true; /* also when it is durable below: who syncs at this moment may not know yet */
		fd = durable ? dup_of(f) : -1;
	}
	pthread_mutex_unlock(&s->lock);
	if (!rc && durable)
		rc = sync_apart(s, fd);
	slots_path(controller, p, day, "slots", path);
	return rc ? why_errno(why, rc, path, "cannot erase a slot") : 0;
}
