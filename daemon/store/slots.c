/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * slots.c - bucket and slot files
 *
 * A slot is written once by one pwrite of 256 aligned bytes and erased by
 * another, so erasing needs no space and cannot move the bytes elsewhere on a
 * file system that writes in place.
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
#include "base/le.h"
#include "base/mutex.h"
#include "store/slots.h"

#define OPEN_MAX_FILES 64 /* purposes x days in use at once; more are closed, least used first */

static const uint8_t zeros[SLOT_SIZE];

const char *bucket_parse(const uint8_t *p, size_t n, struct bucket *ret)
{
	if (n != BUCKET_SIZE)
		return "bucket file of another length";
	if (memcmp(p, "OPTAGBKT", 8) || le16dec(p + 8) != 1)
		return "not a bucket file";
	if (le32dec(p + 124) != crc32c(0, p, 124))
		return "checksum differs";
	ret->purpose = p[10];
	ret->state = p[11];
	ret->day = le32dec(p + 12);
	memcpy(ret->store_id, p + 16, 16);
	ret->destroy_ns = le64dec(p + 32);
	memcpy(ret->key, p + 40, 32);
	if (ret->purpose >= STORE_PURPOSES || (ret->state != BUCKET_LIVE && ret->state != BUCKET_DESTROYED) ||
	    memcmp(p + 72, zeros, 52))
		return "values it must not have";
	if (ret->state == BUCKET_DESTROYED && memcmp(ret->key, zeros, 32))
		return "destroyed, but a key is still there";
	return NULL;
}

void bucket_format(const struct bucket *b, uint8_t out[BUCKET_SIZE])
{
	memset(out, 0, BUCKET_SIZE);
	memcpy(out, "OPTAGBKT", 8);
	le16enc(out + 8, 1);
	out[10] = b->purpose;
	out[11] = b->state;
	le32enc(out + 12, b->day);
	memcpy(out + 16, b->store_id, 16);
	le64enc(out + 32, b->destroy_ns);
	memcpy(out + 40, b->key, 32);
	le32enc(out + 124, crc32c(0, out, 124));
}

static void slots_head_format(const struct slots_head *h, uint8_t out[SLOT_SIZE])
{
	memset(out, 0, SLOT_SIZE);
	memcpy(out, "OPTAGSLT", 8);
	le16enc(out + 8, 1);
	le16enc(out + 10, SLOT_SIZE);
	out[12] = h->purpose;
	memcpy(out + 16, h->store_id, 16);
	le32enc(out + 32, h->day);
	memcpy(out + 48, h->controller, strnlen(h->controller, 63));
	le32enc(out + 252, crc32c(0, out, 252));
}

const char *slots_head_parse(const uint8_t *p, size_t n, struct slots_head *ret)
{
	if (n < SLOT_SIZE)
		return "file shorter than its head";
	if (memcmp(p, "OPTAGSLT", 8) || le16dec(p + 8) != 1 || le16dec(p + 10) != SLOT_SIZE)
		return "not a slots file";
	if (le32dec(p + 252) != crc32c(0, p, 252))
		return "checksum of the head differs";
	if (p[12] >= STORE_PURPOSES || memcmp(p + 13, zeros, 3) || memcmp(p + 36, zeros, 12) || p[111] ||
	    memcmp(p + 112, zeros, 140))
		return "head has values it must not have";
	ret->purpose = p[12];
	memcpy(ret->store_id, p + 16, 16);
	ret->day = le32dec(p + 32);
	memcpy(ret->controller, p + 48, 64);
	return NULL;
}

static void slot_format(const struct slot *s, uint8_t out[SLOT_SIZE])
{
	memset(out, 0, SLOT_SIZE);
	memcpy(out, "OSLT", 4);
	out[4] = 1;
	out[5] = s->purpose;
	le16enc(out + 6, KEYS_WRAP);
	memcpy(out + 8, s->uid.b, 16);
	le64enc(out + 24, s->until_ns);
	memcpy(out + 32, s->key_id, 8);
	memcpy(out + 64, s->wrap, KEYS_WRAP);
	le32enc(out + 252, crc32c(0, out, 252));
}

const char *slot_parse(const uint8_t p[SLOT_SIZE], struct slot *ret)
{
	*ret = (struct slot){ .empty = true };
	if (!memcmp(p, zeros, SLOT_SIZE))
		return NULL;
	if (memcmp(p, "OSLT", 4) || p[4] != 1)
		return "neither a slot nor empty";
	if (le32dec(p + 252) != crc32c(0, p, 252))
		return "checksum of the slot differs";
	if (p[5] >= STORE_PURPOSES || le16dec(p + 6) != KEYS_WRAP || memcmp(p + 40, zeros, 24) ||
	    memcmp(p + 184, zeros, 68))
		return "slot has values it must not have";
	ret->empty = false;
	ret->purpose = p[5];
	memcpy(ret->uid.b, p + 8, 16);
	ret->until_ns = le64dec(p + 24);
	memcpy(ret->key_id, p + 32, 8);
	memcpy(ret->wrap, p + 64, KEYS_WRAP);
	return NULL;
}

void slots_path(const char *controller, unsigned purpose, uint32_t day, const char *ext,
		char out[STORE_PATH_MAX])
{
	char text[16];

	day_text(day, text);
	snprintf(out, STORE_PATH_MAX, "keys/%s/%s/%s.%s", controller, store_purpose_names[purpose], text,
		 ext);
}

int bucket_read(const struct root *r, const char *controller, unsigned purpose, uint32_t day,
		struct bucket *ret, struct why *why)
{
	uint8_t raw[BUCKET_SIZE + 1];
	char path[STORE_PATH_MAX];
	const char *bad;
	size_t n;
	int rc;

	slots_path(controller, purpose, day, "bucket", path);
	rc = read_small(r->fd, path, raw, sizeof(raw), &n);
	if (rc)
		return why_errno(why, rc, path, "cannot read bucket key");
	bad = bucket_parse(raw, n, ret);
	if (!bad && (ret->purpose != purpose || ret->day != day || memcmp(ret->store_id, r->id, 16)))
		bad = "belongs elsewhere";
	sodium_memzero(raw, sizeof(raw));
	return bad ? why_set(why, -EBADMSG, "%s: offset 0: %s (rule K-1)", path, bad) : 0;
}

int slot_read(const struct root *r, const char *controller, unsigned purpose, uint32_t day,
	      uint32_t index, struct slot *ret, struct why *why)
{
	char path[STORE_PATH_MAX];
	uint8_t raw[SLOT_SIZE];
	const char *bad;
	int fd, rc;

	slots_path(controller, purpose, day, "slots", path);
	fd = openat(r->fd, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return why_errno(why, -errno, path, "cannot open");
	rc = pread_all(fd, raw, sizeof(raw), (off_t)index * SLOT_SIZE);
	close(fd);
	if (rc == -ENODATA)
		return why_set(why, -ENOENT, "%s: offset %llu: no such slot (rule K-5)", path,
			       (unsigned long long)index * SLOT_SIZE);
	if (rc)
		return why_errno(why, rc, path, "cannot read");
	bad = slot_parse(raw, ret);
	if (!bad && !ret->empty && ret->purpose != purpose)
		bad = "slot of the other purpose";
	return bad ? why_set(why, -EBADMSG, "%s: offset %llu: %s (rule K-3)", path,
			     (unsigned long long)index * SLOT_SIZE, bad) :
		     0;
}

/* ---- the writer's side ---- */

struct sfile {
	bool used;
	char controller[STORE_NAME_MAX];
	unsigned purpose;
	uint32_t day;
	int fd;
	uint32_t next; /* index of the next free slot */
	bool dirty;
	uint64_t tick;
	struct bucket *bucket; /* locked memory */
	struct pubkey pub;
};

struct first {
	char controller[STORE_NAME_MAX];
	unsigned purpose;
	uint32_t day, index;
};

struct slots {
	const struct root *root;
	struct sfile f[OPEN_MAX_FILES];
	struct bucket *buckets; /* sodium_malloc, one per entry of f */
	uint64_t tick;
	struct first *first; /* of each file we have put slots into: the first of them */
	size_t nfirst;
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
	s->buckets = sodium_allocarray(OPEN_MAX_FILES, sizeof(struct bucket));
	if (!s->buckets) {
		free(s);
		return -ENOMEM;
	}
	for (int i = 0; i < OPEN_MAX_FILES; i++)
		s->f[i].bucket = &s->buckets[i];
	*ret = s;
	return 0;
}

static int sfile_sync(struct sfile *f)
{
	if (!f->dirty)
		return 0;
	if (fdatasync(f->fd))
		return -errno;
	f->dirty = false;
	return 0;
}

static int sfile_close(struct sfile *f)
{
	int rc = f->used ? sfile_sync(f) : 0;

	if (f->used)
		close(f->fd);
	f->used = false;
	sodium_memzero(f->bucket, sizeof(*f->bucket));
	return rc;
}

void slots_free(struct slots *s)
{
	if (!s)
		return;
	for (int i = 0; i < OPEN_MAX_FILES; i++)
		(void)sfile_close(&s->f[i]); /* nobody is left to tell */
	sodium_free(s->buckets);
	free(s->first);
	pthread_mutex_destroy(&s->lock);
	pthread_mutex_destroy(&s->sync_lock);
	free(s);
}

/* Takes a dup of a descriptor, or -errno of making it. Without the lock: others put and erase meanwhile. */
static int sync_apart(int fd)
{
	int rc;

	if (fd < 0)
		return fd;
	rc = fdatasync(fd) ? -errno : 0;
	close(fd);
	return rc;
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
	return dirty ? sync_apart(fd) : 0;
}

int slots_sync(struct slots *s, struct why *why)
{
	char path[STORE_PATH_MAX] = "";
	int rc = 0;

	pthread_mutex_lock(&s->sync_lock);
	for (int i = 0; i < OPEN_MAX_FILES; i++) {
		int err = sync_dirty(s, &s->f[i], path);

		if (err && !rc)
			rc = why_errno(why, err, path, "cannot sync");
	}
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

/* The start of the bucket's day in this zone; made earlier, never later, in an existing file. */
static int bucket_deadline(const struct root *r, const char *path, struct bucket *b, const char *zone,
			   struct why *why)
{
	uint8_t raw[BUCKET_SIZE];
	struct clock_date d;
	uint64_t start;
	int fd, rc;

	day_date(b->day, &d);
	rc = clock_day_start(&d, zone, &start);
	if (rc)
		return why_set(why, rc, "unknown time zone");
	if (start >= b->destroy_ns)
		return 0;
	b->destroy_ns = start;
	bucket_format(b, raw);
	fd = openat(r->fd, path, O_WRONLY | O_CLOEXEC);
	rc = fd < 0 ? -errno : pwrite_all(fd, raw, sizeof(raw), 0);
	if (!rc && fdatasync(fd))
		rc = -errno;
	if (fd >= 0)
		close(fd);
	sodium_memzero(raw, sizeof(raw));
	return rc ? why_errno(why, rc, path, "cannot write") : 0;
}

static int bucket_make(const struct root *r, const char *path, struct bucket *b, const char *zone,
		       struct why *why)
{
	uint8_t raw[BUCKET_SIZE];
	struct clock_date d;
	int rc;

	b->state = BUCKET_LIVE;
	memcpy(b->store_id, r->id, 16);
	randombytes_buf(b->key, 32);
	day_date(b->day, &d);
	rc = clock_day_start(&d, zone, &b->destroy_ns);
	if (rc)
		return why_set(why, rc, "unknown time zone");
	bucket_format(b, raw);
	rc = write_new(r, path, raw, sizeof(raw), 0600, why);
	sodium_memzero(raw, sizeof(raw));
	return rc;
}

/* Public key and bucket key, without which nothing can be wrapped. */
static int sfile_keys(struct slots *s, struct sfile *f, const char *zone, bool fresh, struct why *why)
{
	char path[STORE_PATH_MAX];
	int rc = pubkey_load(s->root, f->controller, f->purpose, &f->pub, why);

	if (rc)
		return rc;
	slots_path(f->controller, f->purpose, f->day, "bucket", path);
	rc = bucket_read(s->root, f->controller, f->purpose, f->day, f->bucket, why);
	if (rc == -ENOENT && !fresh)
		return why_set(why, -EBADMSG, "%s: missing beside its slots (rule K-6)", path);
	if (rc == -ENOENT) {
		f->bucket->purpose = (uint8_t)f->purpose;
		f->bucket->day = f->day;
		return bucket_make(s->root, path, f->bucket, zone, why);
	}
	return rc;
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
	f->fd = openat(s->root->fd, path, O_RDWR | O_CLOEXEC);
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

static int sfile_make(struct slots *s, const struct sfile *f, struct why *why)
{
	struct slots_head h = { .purpose = (uint8_t)f->purpose, .day = f->day };
	char path[STORE_PATH_MAX];
	uint8_t raw[SLOT_SIZE];

	slots_path(f->controller, f->purpose, f->day, "slots", path);
	memcpy(h.store_id, s->root->id, 16);
	snprintf(h.controller, sizeof(h.controller), "%s", f->controller);
	slots_head_format(&h, raw);
	return write_new(s->root, path, raw, sizeof(raw), 0600, why);
}

/* The bucket comes before the slots, so that slots without a bucket are always damage (K-6). */
static int sfile_fill(struct slots *s, struct sfile *f, const char *zone, struct why *why)
{
	char dir[STORE_PATH_MAX], path[STORE_PATH_MAX];
	int rc = sfile_open(s, f, why);
	bool fresh = rc == -ENOENT;

	if (!zone && fresh) {
		slots_path(f->controller, f->purpose, f->day, "slots", path);
		return why_errno(why, rc, path, "cannot open");
	}
	if (!zone || (rc && !fresh))
		return rc;
	snprintf(dir, sizeof(dir), "keys/%s/%s", f->controller, store_purpose_names[f->purpose]);
	rc = make_dirs(s->root, dir, why);
	if (!rc)
		rc = sfile_keys(s, f, zone, fresh, why);
	if (!rc && fresh)
		rc = sfile_make(s, f, why);
	if (!rc && fresh)
		rc = sfile_open(s, f, why);
	return rc;
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
			if (zone && !c->bucket->state)
				rc = sfile_keys(s, c, zone, false, why);
			c->tick = ++s->tick;
			*ret = c;
			return rc;
		}
		if (!f || (f->used && (!c->used || c->tick < f->tick)))
			f = c;
	}
	rc = sfile_close(f);
	if (rc)
		return why_set(why, rc, "keys/%s: cannot sync slots: %s", f->controller, strerror(-rc));
	snprintf(f->controller, sizeof(f->controller), "%s", controller);
	f->purpose = p;
	f->day = day;
	f->dirty = false;
	f->fd = -1;
	rc = sfile_fill(s, f, zone, why);
	if (rc) {
		if (f->fd >= 0)
			close(f->fd);
		sodium_memzero(f->bucket, sizeof(*f->bucket));
		return rc;
	}
	f->used = true;
	f->tick = ++s->tick;
	*ret = f;
	return 0;
}

static int put_locked(struct slots *s, const char *controller, enum store_purpose p, const char *zone,
		      const struct uid *uid, uint64_t until_ns, const uint8_t data[32], uint32_t *ret_day,
	      uint32_t *ret_index, struct why *why)
{
	struct slot slot = { .purpose = (uint8_t)p, .uid = *uid, .until_ns = until_ns };
	char path[STORE_PATH_MAX];
	uint8_t raw[SLOT_SIZE];
	struct sfile *f;
	uint32_t day;
	int rc;

	if (day_of(until_ns, zone, &day))
		return why_set(why, -EINVAL, "unknown time zone");
	rc = sfile_get(s, controller, p, day, zone, &f, why);
	if (rc)
		return rc;
	slots_path(controller, p, day, "bucket", path);
	if (f->bucket->state != BUCKET_LIVE)
		return why_set(why, -ESHUTDOWN, "%s: this day's key is destroyed already", path);
	rc = bucket_deadline(s->root, path, f->bucket, zone, why);
	if (rc)
		return rc;
	if (note_first(s, f))
		return why_set(why, -ENOMEM, "out of memory");
	memcpy(slot.key_id, f->pub.id, 8);
	rc = wrap_make(&f->pub, f->bucket->key, uid, p, day, data, slot.wrap);
	if (rc)
		return why_set(why, rc, "public key for %s cannot be used (rule T-2)", store_purpose_names[p]);
	slot_format(&slot, raw);
	slots_path(controller, p, day, "slots", path);
	rc = pwrite_all(f->fd, raw, sizeof(raw), (off_t)f->next * SLOT_SIZE);
	if (rc)
		return why_errno(why, rc, path, "cannot write");
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
		return rc;
	}
	rc = pwrite_all(f->fd, zeros, SLOT_SIZE, (off_t)index * SLOT_SIZE);
	if (!rc) {
		f->dirty = true; /* also when it is durable below: who syncs at this moment may not know yet */
		fd = durable ? dup_of(f) : -1;
	}
	pthread_mutex_unlock(&s->lock);
	if (!rc && durable)
		rc = sync_apart(fd);
	slots_path(controller, p, day, "slots", path);
	return rc ? why_errno(why, rc, path, "cannot erase a slot") : 0;
}
