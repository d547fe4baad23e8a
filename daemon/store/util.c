/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * util.c - small helpers of store/: messages, days, names, whole reads and writes
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

#include "base/le.h"
#include "store/store_internal.h"

int why_set(struct why *w, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(w->text, sizeof(w->text), fmt, ap);
	va_end(ap);
	return err;
}

int why_errno(struct why *w, int err, const char *name, const char *what)
{
	return why_set(w, err, "%s: %s: %s", name, what, err == -ELOOP ? "a symbolic link is in its way" : strerror(-err));
}

uint32_t day_number(const struct clock_date *d)
{
	return (uint32_t)(d->year * 10000 + d->month * 100 + d->day);
}

void day_date(uint32_t day, struct clock_date *ret)
{
	ret->year = (int)(day / 10000);
	ret->month = (int)(day / 100 % 100);
	ret->day = (int)(day % 100);
}

void day_text(uint32_t day, char out[16])
{
	struct clock_date d;

	if (day == DAY_HOLD) {
		memcpy(out, "hold", 5);
		return;
	}
	day_date(day, &d);
	clock_date_format(&d, out);
}

int day_parse(const char *s, size_t n, uint32_t *ret_day)
{
	struct clock_date d;

	if (n == 4 && !memcmp(s, "hold", 4)) {
		*ret_day = DAY_HOLD;
		return 0;
	}
	if (n != 10 || clock_date_parse(s, n, &d))
		return -EINVAL;
	*ret_day = day_number(&d);
	return 0;
}

int day_of(uint64_t ns, const char *zone, uint32_t *ret_day)
{
	struct clock_date d;
	int rc = clock_civil(ns, zone, &d, NULL, NULL);

	if (rc)
		return rc;
	*ret_day = day_number(&d);
	return 0;
}

int name_check(const char *s)
{
	size_t n = s ? strlen(s) : 0;

	if (!n || n >= STORE_NAME_MAX || s[0] == '.')
		return -EINVAL;
	return strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789._-") == n ? 0 : -EINVAL;
}

void hex_format(const uint8_t *p, size_t n, char *out)
{
	static const char digit[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		out[2 * i] = digit[p[i] >> 4];
		out[2 * i + 1] = digit[p[i] & 15];
	}
	out[2 * n] = 0;
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int hex_parse(const char *s, size_t n, uint8_t *out)
{
	if (strlen(s) != 2 * n)
		return -EINVAL;
	for (size_t i = 0; i < n; i++) {
		int hi = hex_value(s[2 * i]), lo = hex_value(s[2 * i + 1]);

		if (hi < 0 || lo < 0)
			return -EINVAL;
		out[i] = (uint8_t)(hi << 4 | lo);
	}
	return 0;
}

/* ---- CRC-32C: the CPU's instruction where there is one, else a table ---- */

static uint32_t crc_soft(uint32_t crc, const uint8_t *p, size_t n)
{
	static uint32_t table[256];
	static volatile int ready;

	if (!ready) { /* racing threads write the same values */
		for (uint32_t i = 0; i < 256; i++) {
			uint32_t c = i;

			for (int k = 0; k < 8; k++)
				c = c & 1 ? c >> 1 ^ 0x82F63B78u : c >> 1;
			table[i] = c;
		}
		ready = 1;
	}
	while (n--)
		crc = crc >> 8 ^ table[(crc ^ *p++) & 255];
	return crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t crc_hard(uint32_t crc, const uint8_t *p, size_t n)
{
	uint64_t c = crc;

	for (; n >= 8; n -= 8, p += 8)
		c = _mm_crc32_u64(c, le64dec(p));
	for (; n; n--)
		c = _mm_crc32_u8((uint32_t)c, *p++);
	return (uint32_t)c;
}
#endif

uint32_t crc32c(uint32_t crc, const void *p, size_t n)
{
#if defined(__x86_64__)
	if (__builtin_cpu_supports("sse4.2"))
		return ~crc_hard(~crc, p, n);
#endif
	return ~crc_soft(~crc, p, n);
}

/* ---- files ---- */

int pread_all(int fd, void *p, size_t n, off_t off)
{
	uint8_t *b = p;

	while (n) {
		ssize_t got = pread(fd, b, n, off);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (!got)
			return -ENODATA;
		b += got;
		n -= (size_t)got;
		off += got;
	}
	return 0;
}

#define PIECE (1u << 20)
#define BLOCK 4096u /* what a disk loses at least */

static size_t read_pieces(int fd, uint8_t *p, size_t from, size_t to, size_t step)
{
	size_t lost = 0;

	for (size_t at = from; at < to; at += step) {
		size_t n = to - at < step ? to - at : step;

		if (!pread_all(fd, p + at, n, (off_t)at))
			continue;
		memset(p + at, 0, n);
		lost += step > BLOCK ? read_pieces(fd, p, at, at + n, BLOCK) : n;
	}
	return lost;
}

size_t pread_pieces(int fd, uint8_t *p, size_t n)
{
	return read_pieces(fd, p, 0, n, PIECE);
}

int pwrite_all(int fd, const void *p, size_t n, off_t off)
{
	const uint8_t *b = p;

	while (n) {
		ssize_t put = pwrite(fd, b, n, off);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return -errno;
		if (!put)
			return -EIO;
		b += put;
		n -= (size_t)put;
		off += put;
	}
	return 0;
}

static int sync_dir(int dirfd, const char *rel)
{
	int fd = beneath_openat(dirfd, rel, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	int rc = 0;

	if (fd < 0)
		return -errno;
	if (fsync(fd))
		rc = -errno;
	close(fd);
	return rc;
}

int sync_dir_of(const struct root *r, const char *rel, struct why *why)
{
	char dir[STORE_PATH_MAX];
	char *slash;
	int rc;

	snprintf(dir, sizeof(dir), "%s", rel);
	slash = strrchr(dir, '/');
	if (slash)
		*slash = 0;
	rc = sync_dir(r->fd, slash ? dir : ".");
	return rc ? why_errno(why, rc, slash ? dir : r->path, "cannot sync directory") : 0;
}

/* What the reaper of another user must reach: not evidence, samples, policies. */
static bool is_groups(const struct root *r, const char *rel)
{
	static const char *const top[] = { "keys", "segments", "catalog", "outbox" };
	size_t n = strcspn(rel, "/");

	for (size_t i = 0; r->shared && i < sizeof(top) / sizeof(*top); i++)
		if (strlen(top[i]) == n && !memcmp(rel, top[i], n))
			return true;
	return false;
}

/*
 * Whatever the umask. The group itself it has of the directory above, whose set-group-ID bit it inherits; a unit that must not set that
 * bit (RestrictSUIDSGID) may not say it again either, and has a umask that makes it unnecessary.
 */
static void give_group(const struct root *r, const char *path)
{
	int fd = beneath_openat(r->fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0); /* others of the group may have put a link there */
	struct stat sb;

	if (fd >= 0 && !fstat(fd, &sb) && sb.st_uid == geteuid() && (sb.st_mode & 0070) != 0070)
		(void)fchmod(fd, (sb.st_mode & 07777) | 0070); /* else the reaper says what it cannot reach */
	if (fd >= 0)
		close(fd);
}

int make_dirs(const struct root *r, const char *rel, struct why *why)
{
	bool group = is_groups(r, rel);
	char path[STORE_PATH_MAX];
	size_t n = strlen(rel);
	int rc;

	if (n >= sizeof(path))
		return why_set(why, -ENAMETOOLONG, "%s: name too long", rel);
	for (size_t i = 1; i <= n; i++) {
		if (rel[i] && rel[i] != '/')
			continue;
		memcpy(path, rel, i);
		path[i] = 0;
		if (!beneath_mkdirat(r->fd, path, group ? 0770 : 0700)) {
			if (group)
				give_group(r, path);
			rc = sync_dir_of(r, path, why);
			if (rc)
				return rc;
		} else if (errno != EEXIST) {
			return why_errno(why, -errno, path, "cannot make directory");
		}
	}
	return 0;
}

int lock_within(int fd, int how, unsigned ms)
{
	struct timespec a, b;
	int rc;

	clock_gettime(CLOCK_MONOTONIC, &a);
	for (;;) {
		rc = flock(fd, how | LOCK_NB) ? -errno : 0;
		if (rc != -EWOULDBLOCK && rc != -EINTR)
			return rc;
		clock_gettime(CLOCK_MONOTONIC, &b);
		if ((b.tv_sec - a.tv_sec) * 1000 + (b.tv_nsec - a.tv_nsec) / 1000000 >= (long)ms)
			return -EWOULDBLOCK;
		(void)usleep(2000);
	}
}

int make_empty(const struct root *r, const char *rel, struct why *why)
{
	int fd = beneath_openat(r->fd, rel, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600), rc = 0;

	if (fd < 0)
		return errno == EEXIST ? 0 : why_errno(why, -errno, rel, "cannot create");
	if (fchmod(fd, FILE_MODE(r)))
		rc = why_errno(why, -errno, rel, "cannot give the group access");
	close(fd);
	return rc;
}

int read_small(int dirfd, const char *rel, void *buf, size_t n, size_t *ret_len)
{
	int fd = dirfd == AT_FDCWD ? open(rel, O_RDONLY | O_CLOEXEC | O_NOCTTY) :
				     beneath_openat(dirfd, rel, O_RDONLY | O_CLOEXEC | O_NOCTTY, 0);
	size_t len = 0;
	ssize_t got = 1;
	char extra;

	if (fd < 0)
		return -errno;
	while (len < n && (got = read(fd, (uint8_t *)buf + len, n - len)) > 0)
		len += (size_t)got;
	if (got > 0)
		got = read(fd, &extra, 1) > 0 ? -2 : 0;
	else if (got < 0)
		got = -1;
	*ret_len = len;
	n = (size_t)errno;
	close(fd);
	return got == -2 ? -EFBIG : got == -1 ? -(int)n : 0;
}

int write_new(const struct root *r, const char *rel, const void *p, size_t n, mode_t mode, struct why *why)
{
	if (!beneath_accessat(r->fd, rel))
		return why_set(why, -EEXIST, "%s: already there", rel);
	return write_over(r, rel, p, n, mode, why);
}

int write_over(const struct root *r, const char *rel, const void *p, size_t n, mode_t mode, struct why *why)
{
	char tmp[STORE_PATH_MAX + 8];
	int fd, rc = 0;

	snprintf(tmp, sizeof(tmp), "%s.tmp", rel);
	fd = beneath_openat(r->fd, tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);
	if (fd < 0)
		return why_errno(why, -errno, rel, "cannot create");
	rc = pwrite_all(fd, p, n, 0);
	if (!rc && (mode & 020) && fchmod(fd, mode)) /* whatever the umask */
		rc = -errno;
	if (!rc && fsync(fd))
		rc = -errno;
	close(fd);
	if (!rc && beneath_renameat(r->fd, tmp, rel, 0))
		rc = -errno;
	if (rc) {
		(void)beneath_unlinkat(r->fd, tmp, 0); /* what failed is reported, the rest is gone or harmless */
		return why_errno(why, rc, rel, "cannot write");
	}
	return sync_dir_of(r, rel, why);
}

static int name_cmp(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int names_add(struct names *n, const char *s)
{
	char **v;

	if (!(n->n & (n->n - 1))) {
		v = realloc(n->v, (n->n ? n->n * 2 : 1) * sizeof(*v));
		if (!v)
			return -ENOMEM;
		n->v = v;
	}
	n->v[n->n] = strdup(s);
	return n->v[n->n] ? (n->n++, 0) : -ENOMEM;
}

int names_read(const struct root *r, const char *rel, struct names *ret)
{
	int fd = beneath_openat(r->fd, rel, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0), rc = 0;
	struct dirent *e;
	DIR *d;

	*ret = (struct names){ 0 };
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	d = fdopendir(fd);
	if (!d) {
		rc = -errno;
		close(fd);
		return rc;
	}
	while (!rc && (e = readdir(d)))
		if (e->d_name[0] != '.')
			rc = names_add(ret, e->d_name);
	closedir(d);
	if (rc)
		names_free(ret);
	else if (ret->n)
		qsort(ret->v, ret->n, sizeof(*ret->v), name_cmp);
	return rc;
}

void names_free(struct names *n)
{
	for (size_t i = 0; i < n->n; i++)
		free(n->v[i]);
	free(n->v);
	*n = (struct names){ 0 };
}

#define UNFINISHED_S 600 /* a file is written in milliseconds; a disk that hangs, in seconds */

const char *left_behind(const struct root *r, const char *path, bool beside)
{
	char whole[STORE_PATH_MAX];
	struct timespec now;
	struct stat sb, other;
	time_t changed;
	bool there;

	snprintf(whole, sizeof(whole), "%.*s", (int)(strrchr(path, '.') - path), path);
	there = beside && !beneath_statat(r->fd, whole, &other);
	if (beneath_statat(r->fd, path, &sb)) /* last: it may just have become the whole one */
		return NULL;
	if (there)
		return "a copy beside the file itself";
	changed = sb.st_mtime < sb.st_ctime ? sb.st_mtime : sb.st_ctime;
	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec - changed > UNFINISHED_S ? "begun, and not finished for minutes" : NULL;
}

/* ---- the store's own file ---- */

static int parse_head(const char *text, struct root *r, const char *dir, struct why *why)
{
	char id[40], created[40];
	unsigned version;
	int n = -1;

	/* NOLINTNEXTLINE(cert-err34-c): a number that is not known is refused below */
	if (sscanf(text, "optag-store %u\n", &version) != 1)
		return why_set(why, -EBADMSG, "%s/optag.store: not an optag store (rule T-1)", dir);
	if (!version || version > STORE_FORMAT)
		return why_set(why, -EPROTO, "%s/optag.store: format %u, this program knows formats 1 to %d", dir,
			       version, STORE_FORMAT);
	r->format = version;
	/* NOLINTNEXTLINE(cert-err34-c): as above */
	if (sscanf(text, "optag-store %u\nid %39s\ncreated %39s\n%n", &version, id, created, &n) != 3 || n < 0 ||
	    text[n] || text[12] != (char)('0' + version) || text[13] != '\n' || hex_parse(id, 16, r->id))
		return why_set(why, -EBADMSG, "%s/optag.store: damaged (rule T-1)", dir);
	return 0;
}

int root_open(const char *dir, struct root *ret, struct why *why)
{
	struct root r = { .fd = -1 };
	char text[4097];
	struct stat sb;
	size_t n = 0;
	int rc;

	r.fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (r.fd < 0)
		return why_errno(why, -errno, dir, errno == ENOENT || errno == ENOTDIR ? "no store" : "cannot open the store");
	rc = read_small(r.fd, "optag.store", text, sizeof(text) - 1, &n);
	if (rc == -ENOENT) {
		rc = why_set(why, -ENOENT, "%s: no store there (make one with optag init)", dir);
	} else if (rc) {
		rc = why_set(why, rc, "%s/optag.store: %s", dir, strerror(-rc));
	} else {
		text[n] = 0;
		rc = strlen(text) == n ? parse_head(text, &r, dir, why) :
					 why_set(why, -EBADMSG, "%s/optag.store: damaged (rule T-1)", dir);
	}
	if (!rc && fstat(r.fd, &sb))
		rc = why_errno(why, -errno, dir, "cannot look at");
	if (!rc) {
		r.shared = sb.st_mode & S_IWGRP;
		r.path = realpath(dir, NULL);
		if (!r.path)
			rc = why_errno(why, -errno, dir, "cannot resolve");
	}
	if (rc) {
		close(r.fd);
		return rc;
	}
	*ret = r;
	return 0;
}

int root_upgrade(struct root *r, struct why *why)
{
	char text[4097];
	size_t n = 0;
	int rc;

	if (r->format == STORE_FORMAT)
		return 0;
	rc = read_small(r->fd, "optag.store", text, sizeof(text) - 1, &n);
	if (rc || n < 13)
		return why_errno(why, rc ? rc : -EBADMSG, "optag.store", "cannot read");
	text[12] = '0' + STORE_FORMAT;
	rc = write_over(r, "optag.store", text, n, 0644, why);
	r->format = rc ? r->format : STORE_FORMAT;
	return rc;
}

void root_close(struct root *r)
{
	if (r->fd >= 0)
		close(r->fd);
	free(r->path);
	*r = (struct root){ .fd = -1 };
}
