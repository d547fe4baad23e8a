/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * doctor_fs.c - whether a key that is overwritten in place is gone from the store's file system
 *
 * Keys are destroyed so: zeros over the old bytes, then fdatasync. A file system that writes new bytes elsewhere, or both old and new ones
 * through a journal, keeps what was there until that space is used again. And whether freed space makes writes wait.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "doctor.h"

#define CHECK	     "overwriting"
#define FREED	     "freed-space"
#define BUCKET_BYTES 128 /* the file of a day's key: small enough to lie in its inode */
#define ZFS_MAGIC      0x2fc12fc1L /* of no header of Linux's */
#define BCACHEFS_MAGIC 0xca451a4eL
#ifndef FS_INLINE_DATA_FL
#define FS_INLINE_DATA_FL 0x10000000
#endif

static const struct {
	long magic;
	const char *name, *how; /* how NULL: in place */
} known[] = {
	{ BTRFS_SUPER_MAGIC, "btrfs", "copy-on-write" },
	{ ZFS_MAGIC, "ZFS", "copy-on-write" },
	{ BCACHEFS_MAGIC, "bcachefs", "copy-on-write" },
	{ F2FS_SUPER_MAGIC, "F2FS", "a log" },
	{ NILFS_SUPER_MAGIC, "NILFS2", "a log" },
	{ EXT4_SUPER_MAGIC, "ext4", NULL }, /* and ext2, ext3 */
	{ XFS_SUPER_MAGIC, "XFS", NULL },
	{ TMPFS_MAGIC, "tmpfs", NULL },
};

static bool option_in(const char *list, const char *option)
{
	size_t n = strlen(option);

	for (const char *p = list; (p = strstr(p, option)); p += n)
		if ((p == list || strchr(" ,\n", p[-1])) && strchr(" ,\n", p[n]))
			return true;
	return false;
}

/* An option of the file system on that device. */
static bool mounted_with(dev_t dev, const char *option)
{
	char line[1024], want[32];
	bool found = false;
	FILE *f = fopen("/proc/self/mountinfo", "re");

	snprintf(want, sizeof(want), " %u:%u ", major(dev), minor(dev));
	while (f && !found && fgets(line, sizeof(line), f))
		found = strstr(line, want) && strstr(line, " - ") && option_in(strstr(line, " - "), option);
	if (f)
		fclose(f);
	return found;
}

/* data=journal among the options of the mount of that device, or, when it is the file system's own default, of the driver. */
static bool journals_data(dev_t dev)
{
	char path[320], line[1024], link[256];
	bool found = mounted_with(dev, "data=journal");
	ssize_t n;
	FILE *f;

	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u", major(dev), minor(dev));
	n = readlink(path, link, sizeof(link) - 1);
	if (found || n <= 0)
		return found;
	link[n] = 0;
	snprintf(path, sizeof(path), "/proc/fs/ext4/%s/options", strrchr(link, '/') ? strrchr(link, '/') + 1 : link);
	f = fopen(path, "re");
	while (f && !found && fgets(line, sizeof(line), f))
		found = option_in(line, "data=journal");
	if (f)
		fclose(f);
	return found;
}

/* The flags that a file of a key's size gets there; the file is gone before it is written. 0: cannot be told. */
static int flags_there(const char *dir)
{
	static const char bytes[BUCKET_BYTES];
	char path[600];
	int fd, flags = 0;

	snprintf(path, sizeof(path), "%s/.optag-doctor.XXXXXX", dir);
	fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0)
		return 0;
	if (unlink(path) || write(fd, bytes, sizeof(bytes)) != sizeof(bytes) || fsync(fd) || ioctl(fd, FS_IOC_GETFLAGS, &flags))
		flags = 0;
	close(fd);
	return flags;
}

static void costs(const char *at, const char *fix, const char *name, const char *what)
{
	doctor_find(DOCTOR_COSTS, CHECK, at, "a destroyed key can be found on the disk until its old place is used again: deletion is no proof against who has the disk.",
		    fix, "%s: %s", name, what);
}

/* With `discard` the disk is told of freed blocks as soon as the journal is: the reaper frees gigabytes, and writes wait behind that. */
static void freed_space(const char *at, dev_t dev)
{
	if (mounted_with(dev, "discard"))
		doctor_find(DOCTOR_COSTS, FREED, at, "a disk that discards slowly stands still for seconds when recordings were deleted: write-memory fills.",
			    "mount it without discard and enable fstrim.timer.", "discard at each commit");
	else
		doctor_find(DOCTOR_OK, FREED, at, NULL, NULL, "not discarded at each commit");
}

void doctor_fs(const char *at)
{
	const char *name = NULL, *how = NULL;
	struct statfs s;
	struct stat st;
	int flags;

	if (statfs(at, &s) || stat(at, &st))
		return;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (known[i].magic == (long)s.f_type) {
			name = known[i].name;
			how = known[i].how;
		}
	flags = flags_there(at);
	if (!name)
		doctor_find(DOCTOR_UNKNOWN, CHECK, at, NULL, "use ext4 or XFS on a disk of its own.", "file system %08lx is not known here", (unsigned long)s.f_type);
	else if (how && !(flags & FS_NOCOW_FL))
		costs(at, "use ext4 or XFS on a disk of its own, or encrypt the disk.", name, how);
	else if (s.f_type == EXT4_SUPER_MAGIC && (flags & FS_JOURNAL_DATA_FL || journals_data(st.st_dev)))
		costs(at, "mount it with data=ordered.", name, "data=journal: the journal has a copy of each key");
	else if (s.f_type == EXT4_SUPER_MAGIC && flags & FS_INLINE_DATA_FL)
		costs(at, "make the file system without inline_data.", name, "inline_data: keys of days lie in inodes, of which the journal has copies");
	else
		doctor_find(DOCTOR_OK, CHECK, at, NULL, NULL, "%s: in place", name);
	freed_space(at, st.st_dev);
}
