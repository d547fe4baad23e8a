/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * recover.c - segments that a killed writer left open
 *
 * Cuts each behind its last whole chunk or row and gives it its final name. Damage
 * before that point stays where it is, for fsck to name: cutting there would
 * throw away chunks that rows refer to. Runs under the store's lock.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/segment.h"
#include "store/writer.h"

static uint64_t whole_end(const uint8_t *p, size_t n)
{
	uint64_t off = SEGMENT_HEAD, end = 0;
	struct segment_item it;

	while (segment_next(p, n, &off, &it))
		if (it.kind == SEGMENT_CHUNK || it.kind == SEGMENT_ROW)
			end = it.off + it.len;
	return end;
}

/* 1: it stays as it is. */
static int cut_file(const struct root *r, const char *rel, const char *final, struct why *why)
{
	int fd = beneath_openat(r->fd, rel, O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0), rc = 0;
	uint8_t *p = NULL;
	struct stat sb;
	uint64_t end;

	if (fd < 0 || fstat(fd, &sb)) {
		rc = fd < 0 && (errno == EISDIR || errno == ELOOP || errno == ENXIO) ? 1 : why_errno(why, -errno, rel, "cannot open");
		goto out;
	}
	/* Not ours, or not to be read, now perhaps: it stays for the next time (fsck names it), and recording does not wait for it. */
	if (!S_ISREG(sb.st_mode) || (uint64_t)sb.st_size > SEGMENT_MAX) {
		rc = 1;
		goto out;
	}
	p = malloc((size_t)sb.st_size + 1);
	rc = p ? pread_all(fd, p, (size_t)sb.st_size, 0) : why_set(why, -ENOMEM, "out of memory");
	if (rc) {
		rc = rc == -ENOMEM ? rc : 1;
		goto out;
	}
	end = whole_end(p, (size_t)sb.st_size);
	if (!end) {
		if (beneath_unlinkat(r->fd, rel, 0))
			rc = why_errno(why, -errno, rel, "cannot remove");
	} else if (ftruncate(fd, (off_t)end) || fsync(fd) || beneath_renameat(r->fd, rel, final, 0)) {
		rc = why_errno(why, -errno, rel, "cannot cut");
	}
	if (!rc)
		rc = sync_dir_of(r, rel, why);
out:
	free(p);
	if (fd >= 0)
		close(fd);
	return rc;
}

static int recover_day(const struct root *r, const char *dir, uint64_t *left, struct why *why)
{
	char rel[STORE_PATH_MAX + 64], final[STORE_PATH_MAX + 64];
	struct names files;
	int rc = names_read(r, dir, &files);

	for (size_t i = 0; !rc && i < files.n; i++) {
		size_t n = strlen(files.v[i]);

		if (n != 13 || strcmp(files.v[i] + 8, ".open"))
			continue;
		snprintf(rel, sizeof(rel), "%s/%s", dir, files.v[i]);
		snprintf(final, sizeof(final), "%s/%.8s.seg", dir, files.v[i]);
		rc = cut_file(r, rel, final, why);
		*left += rc == 1;
		rc = rc == 1 ? 0 : rc;
	}
	names_free(&files);
	return rc;
}

int writer_recover(const struct root *r, uint64_t *ret_left, struct why *why)
{
	struct names owners, days;
	char dir[STORE_PATH_MAX];
	int rc = names_read(r, "segments", &owners);

	*ret_left = 0;
	if (rc)
		return why_errno(why, rc, "segments", "cannot read directory");
	for (size_t i = 0; !rc && i < owners.n; i++) {
		if (name_check(owners.v[i]))
			continue;
		snprintf(dir, sizeof(dir), "segments/%s", owners.v[i]);
		if (names_read(r, dir, &days) == -ENOTDIR)
			continue;
		for (size_t k = 0; !rc && k < days.n; k++) {
			if (strlen(days.v[k]) != 10)
				continue;
			snprintf(dir, sizeof(dir), "segments/%s/%s", owners.v[i], days.v[k]);
			rc = recover_day(r, dir, ret_left, why);
		}
		names_free(&days);
	}
	names_free(&owners);
	return rc;
}
