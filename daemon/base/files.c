/* SPDX-License-Identifier: BSD-2-Clause */
/* files.c - see files.h */
#include "base/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int files_read(int fd, size_t limit, char **ret, size_t *ret_n)
{
	struct stat st;
	size_t at = 0;
	char *s;

	if (fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size > limit)
		return -EFBIG;
	s = malloc((size_t)st.st_size + 1);
	if (!s)
		return -ENOMEM;
	while (at < (size_t)st.st_size) {
		ssize_t got = pread(fd, s + at, (size_t)st.st_size - at, (off_t)at);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0) {
			int e = got ? -errno : -EIO;

			free(s);
			return e;
		}
		at += (size_t)got;
	}
	*ret = s;
	*ret_n = at;
	return 0;
}

int files_write(int fd, const void *p, size_t n)
{
	const char *s = p;

	while (n) {
		ssize_t put = write(fd, s, n);

		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0)
			return put ? -errno : -EIO;
		s += put;
		n -= (size_t)put;
	}
	return 0;
}

int files_append(int fd, off_t end, const void *p, size_t n, bool *ret_torn)
{
	int e = lseek(fd, end, SEEK_SET) < 0 ? -errno : files_write(fd, p, n);

	if (!e && fdatasync(fd))
		e = -errno;
	if (ret_torn)
		*ret_torn = false;
	if (e && ftruncate(fd, end) && ret_torn)
		*ret_torn = true;
	return e;
}

int files_sync_dir(const char *path)
{
	char *dir = strdup(path), *slash = dir ? strrchr(dir, '/') : NULL;
	int fd, e = 0;

	if (!dir)
		return -ENOMEM;
	if (slash)
		slash[slash == dir] = 0;
	fd = open(slash ? dir : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd))
		e = -errno;
	if (fd >= 0)
		close(fd);
	free(dir);
	return e;
}
