/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bucket.c - bucket files: read, and destroyed by one write in place
 *
 * 128 bytes at offset 0 lie in one sector: on a file system that writes in place they are old or new, and the old
 * bytes are nowhere else.
 */
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/le.h"
#include "store/bucket.h"
#include "store/slot.h"

static const uint8_t zeros[BUCKET_SIZE];

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
	ret->destroyed_ns = le64dec(p + 72);
	if (ret->purpose >= STORE_PURPOSES || (ret->state != BUCKET_LIVE && ret->state != BUCKET_DESTROYED) ||
	    memcmp(p + 80, zeros, 44))
		return "values it must not have";
	if (ret->state == BUCKET_DESTROYED && memcmp(ret->key, zeros, 32))
		return "destroyed, but a key is still there";
	if (ret->state == BUCKET_LIVE && ret->destroyed_ns)
		return "live, but with the time of its destruction";
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
	le64enc(out + 72, b->destroyed_ns);
	le32enc(out + 124, crc32c(0, out, 124));
}

int bucket_open(const struct root *r, const char *controller, unsigned purpose, uint32_t day, bool writing, int *ret_fd,
		struct why *why)
{
	char path[STORE_PATH_MAX];
	int fd;

	slots_path(controller, purpose, day, "bucket", path);
	fd = beneath_openat(r->fd, path, (writing ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK, 0); /* not a pipe that waits */
	if (fd < 0)
		return why_errno(why, -errno, path, "cannot read bucket key");
	*ret_fd = fd;
	return 0;
}

static int load_once(int fd, const struct root *r, const char *controller, unsigned purpose, uint32_t day, struct bucket *ret,
		struct why *why)
{
	uint8_t raw[BUCKET_SIZE + 1];
	char path[STORE_PATH_MAX];
	const char *bad;
	ssize_t n;

	slots_path(controller, purpose, day, "bucket", path);
	do
		n = pread(fd, raw, sizeof(raw), 0);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return why_errno(why, -errno, path, "cannot read bucket key");
	bad = bucket_parse(raw, (size_t)n, ret);
	if (!bad && (ret->purpose != purpose || ret->day != day || memcmp(ret->store_id, r->id, 16)))
		bad = "belongs elsewhere";
	sodium_memzero(raw, sizeof(raw));
	return bad ? why_set(why, -EBADMSG, "%s: offset 0: %s (rule K-1)", path, bad) : 0;
}

/* What the file holds. Who writes it does not wait for readers, so that what seems damaged is looked at again. */
static int load(int fd, const struct root *r, const char *controller, unsigned purpose, uint32_t day, struct bucket *ret,
		struct why *why)
{
	int rc = load_once(fd, r, controller, purpose, day, ret, why);

	return rc == -EBADMSG ? load_once(fd, r, controller, purpose, day, ret, why) : rc;
}

int bucket_read(const struct root *r, const char *controller, unsigned purpose, uint32_t day,
		struct bucket *ret, struct why *why)
{
	int fd = -1, rc = bucket_open(r, controller, purpose, day, false, &fd, why);

	if (rc)
		return rc;
	rc = load(fd, r, controller, purpose, day, ret, why);
	close(fd);
	return rc;
}

static int lock_file(int fd, int how)
{
	int rc;

	do
		rc = flock(fd, how);
	while (rc && errno == EINTR);
	return rc ? -errno : 0;
}

int bucket_lock(int fd, const struct root *r, const char *controller, unsigned purpose, uint32_t day, struct bucket *ret,
		struct why *why)
{
	char path[STORE_PATH_MAX];
	int rc = lock_file(fd, LOCK_SH | LOCK_NB);

	if (rc) {
		slots_path(controller, purpose, day, "bucket", path);
		return why_set(why, rc == -EWOULDBLOCK ? -EAGAIN : rc, "%s: %s", path,
			       rc == -EWOULDBLOCK ? "this day's key is being destroyed" : strerror(-rc));
	}
	rc = load(fd, r, controller, purpose, day, ret, why);
	if (rc)
		bucket_unlock(fd);
	return rc;
}

void bucket_unlock(int fd)
{
	(void)lock_file(fd, LOCK_UN); /* cannot fail on a lock that is held */
}

/* A damaged file may still hold the key: all its bytes go. */
static int overwrite_all(int fd)
{
	struct stat sb;
	int rc = fstat(fd, &sb) ? -errno : 0;

	for (off_t at = BUCKET_SIZE; !rc && at < sb.st_size; at += BUCKET_SIZE)
		rc = pwrite_all(fd, zeros, (size_t)(sb.st_size - at < BUCKET_SIZE ? sb.st_size - at : BUCKET_SIZE), at);
	if (!rc && fdatasync(fd))
		rc = -errno;
	return !rc && ftruncate(fd, BUCKET_SIZE) ? -errno : rc;
}

static int destroy_locked(const struct root *r, int fd, const char *controller, unsigned purpose, uint32_t day, uint64_t now,
			  struct why *why)
{
	struct why damage = { "" };
	uint8_t raw[BUCKET_SIZE];
	struct bucket b = { 0 };
	int rc = load(fd, r, controller, purpose, day, &b, &damage);
	bool was = !rc && b.state == BUCKET_DESTROYED;

	sodium_memzero(b.key, sizeof(b.key));
	if (rc && rc != -EBADMSG) {
		*why = damage;
		return rc;
	}
	if (rc) {
		b = (struct bucket){ .purpose = (uint8_t)purpose, .day = day };
		memcpy(b.store_id, r->id, 16);
	}
	if (!was) {
		b.state = BUCKET_DESTROYED;
		b.destroyed_ns = now;
		bucket_format(&b, raw);
		rc = pwrite_all(fd, raw, sizeof(raw), 0);
		if (!rc && *damage.text)
			rc = overwrite_all(fd);
	}
	/* also when it was: by somebody who died before it was durable */
	if (!rc && fdatasync(fd))
		rc = -errno;
	if (rc) {
		slots_path(controller, purpose, day, "bucket", damage.text);
		return why_errno(why, rc, damage.text, "cannot destroy bucket key");
	}
	if (*damage.text)
		*why = damage;
	return was;
}

int bucket_destroy_within(const struct root *r, const char *controller, unsigned purpose, uint32_t day, uint64_t now, unsigned wait_ms,
			  bool force, struct why *why)
{
	int fd = -1, rc = bucket_open(r, controller, purpose, day, true, &fd, why);
	char path[STORE_PATH_MAX];
	bool busy;

	if (rc)
		return rc;
	rc = lock_within(fd, LOCK_EX, wait_ms);
	busy = rc == -EWOULDBLOCK && force;
	if (rc && !busy)
		why_set(why, rc, "bucket key: cannot lock: %s", strerror(-rc));
	else
		rc = destroy_locked(r, fd, controller, purpose, day, now, why);
	if (busy && !rc) {
		slots_path(controller, purpose, day, "bucket", path);
		(void)why_set(why, 0, "%s: somebody keeps it locked: destroyed all the same", path);
	}
	close(fd); /* and the lock */
	return rc;
}

int bucket_destroy(const struct root *r, const char *controller, unsigned purpose, uint32_t day, uint64_t now,
		   struct why *why)
{
	return bucket_destroy_within(r, controller, purpose, day, now, BUCKET_WAIT_MS, true, why);
}
