/* SPDX-License-Identifier: BSD-2-Clause */
/* beneath.c - see beneath.h */
#include "base/beneath.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int close_keep_errno(int fd, int ret)
{
	int e = errno;

	close(fd);
	errno = e;
	return ret;
}

static int refuse(int e)
{
	errno = e;
	return -1;
}

/* One part: never a link. O_PATH opens a link itself, and a link is no directory: both say what it was. */
static int step(int fd, const char *part, int flags, mode_t mode)
{
	int to = openat(fd, part, flags | O_NOFOLLOW | O_CLOEXEC, mode);
	struct stat sb;

	if (to < 0 && errno == ENOTDIR && !fstatat(fd, part, &sb, AT_SYMLINK_NOFOLLOW) && S_ISLNK(sb.st_mode))
		return refuse(ELOOP);
	if (to < 0 && errno == ENOTDIR)
		return refuse(ENOTDIR); /* fstatat may have said something else */
	if (to >= 0 && flags & O_PATH && !fstat(to, &sb) && S_ISLNK(sb.st_mode)) {
		close(to);
		return refuse(ELOOP);
	}
	return to;
}

int beneath_walk(int dirfd, const char *name, int flags, mode_t mode)
{
	char part[NAME_MAX + 1];
	int at = dirfd, to;
	size_t n;

	if (*name == '/')
		return refuse(EXDEV);
	if (!*name)
		return refuse(ENOENT);
	for (;; name += n) {
		bool last;

		name += strspn(name, "/");
		n = strcspn(name, "/");
		last = !name[n + strspn(name + n, "/")];
		if (n > NAME_MAX) {
			to = refuse(ENAMETOOLONG);
		} else {
			snprintf(part, sizeof(part), "%.*s", (int)n, name);
			to = !strcmp(part, "..") ? refuse(EXDEV) :
			     last		 ? step(at, part, flags, mode) :
						   step(at, part, O_PATH | O_DIRECTORY, 0);
		}
		if (at != dirfd)
			(void)close_keep_errno(at, 0);
		if (to < 0 || last)
			return to;
		at = to;
	}
}

int beneath_openat(int dirfd, const char *name, int flags, mode_t mode)
{
	struct open_how how = { .flags = (unsigned)flags, .mode = flags & O_CREAT ? mode : 0,
				.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS };
	long fd;

	how.flags |= O_CLOEXEC;
	fd = syscall(SYS_openat2, dirfd, name, &how, sizeof(how));
	if (fd < 0 && (errno == ENOSYS || errno == EPERM)) /* EPERM: of a sandbox, or it comes again */
		return beneath_walk(dirfd, name, flags, mode);
	return (int)fd;
}

int beneath_open(const char *dir, const char *name, int flags, mode_t mode)
{
	int at = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC), fd, err;

	if (at < 0)
		return -1;
	fd = beneath_openat(at, name, flags, mode);
	err = errno;
	close(at);
	errno = err;
	return fd;
}

int beneath_open_last(const char *path, int flags, mode_t mode)
{
	const char *slash = strrchr(path, '/');
	char dir[PATH_MAX];

	if (!slash)
		return beneath_open(".", path, flags, mode);
	if ((size_t)(slash - path) >= sizeof(dir))
		return refuse(ENAMETOOLONG);
	memcpy(dir, path, (size_t)(slash - path));
	dir[slash - path] = 0;
	return beneath_open(slash == path ? "/" : dir, slash + 1, flags, mode);
}

/* The directory of the last part, and that part. dirfd itself where the name has no other. */
static int parent(int dirfd, const char *name, const char **ret_leaf)
{
	const char *slash = strrchr(name, '/');
	char dir[PATH_MAX];

	*ret_leaf = slash ? slash + 1 : name;
	if (!strcmp(*ret_leaf, "..") || *name == '/')
		return refuse(EXDEV);
	if (!slash)
		return dirfd;
	if ((size_t)(slash - name) >= sizeof(dir))
		return refuse(ENAMETOOLONG);
	snprintf(dir, sizeof(dir), "%.*s", (int)(slash - name), name);
	return beneath_openat(dirfd, dir, O_PATH | O_DIRECTORY, 0);
}

static int done(int dirfd, int at, int rc)
{
	return at == dirfd ? rc : close_keep_errno(at, rc);
}

int beneath_statat(int dirfd, const char *name, struct stat *ret)
{
	const char *leaf;
	int at = parent(dirfd, name, &leaf);

	return at < 0 ? -1 : done(dirfd, at, fstatat(at, leaf, ret, AT_SYMLINK_NOFOLLOW));
}

int beneath_accessat(int dirfd, const char *name)
{
	struct stat sb;

	return beneath_statat(dirfd, name, &sb);
}

int beneath_unlinkat(int dirfd, const char *name, int flags)
{
	const char *leaf;
	int at = parent(dirfd, name, &leaf);

	return at < 0 ? -1 : done(dirfd, at, unlinkat(at, leaf, flags));
}

int beneath_mkdirat(int dirfd, const char *name, mode_t mode)
{
	const char *leaf;
	int at = parent(dirfd, name, &leaf);

	return at < 0 ? -1 : done(dirfd, at, mkdirat(at, leaf, mode));
}

int beneath_renameat(int dirfd, const char *from, const char *to, unsigned flags)
{
	const char *leaf, *leaf_to;
	int at = parent(dirfd, from, &leaf), at_to = at < 0 ? -1 : parent(dirfd, to, &leaf_to), rc = -1;

	if (at_to >= 0) {
		rc = flags ? renameat2(at, leaf, at_to, leaf_to, flags) : renameat(at, leaf, at_to, leaf_to);
		rc = done(dirfd, at_to, rc);
	}
	return at < 0 ? -1 : done(dirfd, at, rc);
}

int beneath_linkat(int dirfd, const char *from, const char *to)
{
	const char *leaf, *leaf_to;
	int at = parent(dirfd, from, &leaf), at_to = at < 0 ? -1 : parent(dirfd, to, &leaf_to), rc = -1;

	if (at_to >= 0)
		rc = done(dirfd, at_to, linkat(at, leaf, at_to, leaf_to, 0));
	return at < 0 ? -1 : done(dirfd, at, rc);
}
