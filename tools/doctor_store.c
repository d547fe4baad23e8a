/* SPDX-License-Identifier: BSD-2-Clause */
/* doctor_store.c - the disk under the store, the store, its public keys, and private keys that should not be here */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "doctor.h"
#include "store/store.h"

#define BLOCK	  4096
#define FREE_LOW  (10ULL << 30)
#define DEPTH_MAX 4
#define MEASURE_PIECE (1U << 20)
#define MEASURE_BYTES (64U << 20)
#define CALL_BYTES    8000 /* a second: both voices in G.711, compressed about 2:1 */
#define CALLS_LOW     1000

/* The directory, or the nearest one above it that exists. */
static void nearest(const char *dir, char out[512])
{
	struct stat st;

	snprintf(out, 512, "%s", dir);
	while (stat(out, &st) && strrchr(out, '/')) {
		char *slash = strrchr(out, '/');

		slash[slash == out ? 1 : 0] = 0;
		if (strcmp(out, "/") == 0)
			return;
	}
}

/* One block past the cache, and durable; the file is gone before it is written. */
static int try_direct(const char *dir)
{
	char path[600];
	void *block = NULL;
	int fd, e = 0;

	snprintf(path, sizeof(path), "%s/.optag-doctor.XXXXXX", dir);
	fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (unlink(path) || fcntl(fd, F_SETFL, O_DIRECT))
		e = -errno;
	else if (posix_memalign(&block, BLOCK, BLOCK) || !block)
		e = -ENOMEM;
	if (!e && block) {
		memset(block, 0, BLOCK);
		if (pwrite(fd, block, BLOCK, 0) != BLOCK || fdatasync(fd))
			e = -errno;
	}
	free(block);
	close(fd);
	return e;
}

/* Bytes a second of MEASURE_BYTES in pieces as the store writes them, durable; the file is gone before it is written. */
static double write_rate(const char *dir)
{
	char path[600];
	struct timespec a, b;
	void *piece = NULL;
	size_t done = 0;
	double s = 0;
	int fd;

	snprintf(path, sizeof(path), "%s/.optag-doctor.XXXXXX", dir);
	fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0)
		return 0;
	(void)unlink(path);
	(void)fcntl(fd, F_SETFL, O_DIRECT); /* or through the cache, where that is how the store will do it */
	if (posix_memalign(&piece, BLOCK, MEASURE_PIECE) == 0 && piece) {
		memset(piece, 0x5a, MEASURE_PIECE);
		clock_gettime(CLOCK_MONOTONIC, &a);
		while (done < MEASURE_BYTES && pwrite(fd, piece, MEASURE_PIECE, (off_t)done) == MEASURE_PIECE)
			done += MEASURE_PIECE;
		if (fdatasync(fd))
			done = 0;
		clock_gettime(CLOCK_MONOTONIC, &b);
		s = (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) / 1e9;
	}
	free(piece);
	close(fd);
	return done == MEASURE_BYTES && s > 0 ? (double)done / s : 0;
}

static void rate(const char *at)
{
	double r = write_rate(at), calls = r / CALL_BYTES;

	if (r <= 0)
		doctor_find(DOCTOR_UNKNOWN, "disk rate", at, NULL, NULL, "64 MiB could not be written");
	else if (calls < CALLS_LOW)
		doctor_find(DOCTOR_COSTS, "disk rate", at, "more calls at once than that lose audio.", "use a faster disk.",
			    "%.0f MB/s: some %.0f calls at once", r / 1e6, calls);
	else
		doctor_find(DOCTOR_OK, "disk rate", at, NULL, NULL, "%.0f MB/s: some %.0f calls at once", r / 1e6, calls);
}

static void disk(const char *dir, bool measure)
{
	struct statvfs v;
	char at[512];
	int e;

	nearest(dir, at);
	e = try_direct(at);
	if (!e)
		doctor_find(DOCTOR_OK, "disk", at, NULL, NULL, "O_DIRECT works");
	else if (e == -EACCES || e == -EROFS || e == -EPERM)
		doctor_find(geteuid() ? DOCTOR_UNKNOWN : DOCTOR_MISSING, "disk", at, NULL, geteuid() ? "run optag doctor as root." : NULL,
			    "cannot be written: %s", strerror(-e));
	else
		doctor_find(DOCTOR_COSTS, "disk", at, "audio goes through the page cache and pushes other things out of it.",
			    "use ext4 or XFS on a disk of its own.", "no O_DIRECT: %s", strerror(-e));
	if (measure && (!e || e == -EINVAL))
		rate(at);
	doctor_fs(at);
	if (statvfs(at, &v))
		return;
	/* G.711 of both voices, compressed about 2:1: 29 MB an hour */
	double gib = (double)v.f_bavail * (double)v.f_frsize / (1 << 30), hours = gib * 1074 / 29;

	if (v.f_bavail * (unsigned long long)v.f_frsize < FREE_LOW)
		doctor_find(DOCTOR_COSTS, "space", at, "the store is full soon, and then nothing more is recorded.",
			    "give it a disk of its own.", "%.1f GiB free: about %.0f hours of calls", gib, hours);
	else
		doctor_find(DOCTOR_OK, "space", at, NULL, NULL, "%.1f GiB free: about %.0f hours of calls", gib, hours);
}

/* Files that end so, in dir and below. The first one's name goes to first. */
static unsigned files(const char *dir, const char *end, char first[512], int depth)
{
	DIR *d = depth < DEPTH_MAX ? opendir(dir) : NULL;
	struct dirent *e;
	unsigned n = 0;

	while (d && (e = readdir(d))) {
		size_t len = strlen(e->d_name), m = strlen(end);
		char path[512];

		if (e->d_name[0] == '.' || (size_t)snprintf(path, sizeof(path), "%s/%s", dir, e->d_name) >= sizeof(path))
			continue;
		if (e->d_type == DT_DIR) {
			n += files(path, end, first, depth + 1);
		} else if (len >= m && strcmp(e->d_name + len - m, end) == 0) {
			if (!n && !*first)
				memcpy(first, path, sizeof(path));
			n++;
		}
	}
	if (d)
		closedir(d);
	return n;
}

static void store(const char *dir)
{
	char why[512] = "", first[512] = "", path[512];
	struct store *st;
	unsigned n;
	int e = store_open(dir, STORE_RO, &st, why, sizeof(why));
	size_t known = strlen(dir);
	const char *text = *why ? why : strerror(-e);

	if (strncmp(text, dir, known) == 0 && strncmp(text + known, ": ", 2) == 0)
		text += known + 2; /* the line names it anyway */
	if (e == -EACCES || e == -EPERM) {
		doctor_find(DOCTOR_UNKNOWN, "store", dir, NULL, "run optag doctor as root.", "permission denied");
		return;
	}
	if (e) {
		doctor_find(DOCTOR_MISSING, "store", dir, "optagd does not start.",
			    e == -ENOENT ? "optag init --store DIR" : "optag fsck --store DIR", "%s", text);
		return;
	}
	store_close(st);
	doctor_find(DOCTOR_OK, "store", dir, NULL, NULL, "opens");
	snprintf(path, sizeof(path), "%s/public", dir);
	n = files(path, ".pub", first, 0);
	if (n >= STORE_PURPOSES)
		doctor_find(DOCTOR_OK, "public keys", dir, NULL, NULL, "%u", n);
	else
		doctor_find(DOCTOR_MISSING, "public keys", dir, "calls of a purpose without a key cannot be kept.",
			    "optag init --public DIR, or put PURPOSE.pub into STORE/public/default.", "%u of %d", n, STORE_PURPOSES);
}

/* By the names optag init gives: the store has keys of its own (of buckets, of its search), which belong there. */
static unsigned named_keys(const char *dir, char first[512])
{
	unsigned n = 0;

	for (int p = 0; p < STORE_PURPOSES; p++) {
		char name[64];

		snprintf(name, sizeof(name), "%s.key", store_purpose_names[p]);
		n += files(dir, name, first, 0);
	}
	return n;
}

static void private_keys(const char *dir, const char *keys)
{
	char first[512] = "", beside[512];
	unsigned n;

	snprintf(beside, sizeof(beside), "%s-keys", dir);
	n = keys ? named_keys(keys, first) : named_keys(beside, first) + named_keys("/etc/optag", first) + named_keys(dir, first);
	if (n)
		doctor_find(DOCTOR_COSTS, "private keys", "", "who breaks into the recorder can listen to everything it kept.",
			    "move them to the listening station; the recorder needs public keys only.", "%u, such as '%s'", n, first);
	else
		doctor_find(DOCTOR_OK, "private keys", "", NULL, NULL, "none where they usually lie");
}

void doctor_store(const char *dir, const char *keys, bool measure)
{
	disk(dir, measure);
	store(dir);
	private_keys(dir, keys);
}
