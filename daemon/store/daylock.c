/* SPDX-License-Identifier: BSD-2-Clause */
/* daylock.c - flock(2) on the directory of a day's segments */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/daylock.h"

#define TRIES	 100   /* times that the directory was removed between opening and locking it */
#define PAUSE_US 10000 /* a second in all: a day goes faster, most are gone in between */

void daylock_path(const char *controller, uint32_t day, char out[STORE_PATH_MAX])
{
	char text[16];

	day_text(day, text);
	snprintf(out, STORE_PATH_MAX, "segments/%s/%s", controller, text);
}

/* -ESTALE: it was locked, but is no longer the directory of that name. */
static int lock_dir(const struct root *r, const char *dir, int how, int *ret)
{
	int fd = beneath_openat(r->fd, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0), rc = 0;
	struct stat a, b;

	if (fd < 0)
		return -errno;
	if (flock(fd, how | LOCK_NB))
		rc = -errno;
	else if (fstat(fd, &a) || beneath_statat(r->fd, dir, &b) || a.st_ino != b.st_ino || a.st_dev != b.st_dev)
		rc = -ESTALE;
	if (rc)
		close(fd);
	else
		*ret = fd;
	return rc;
}

static int make_and_lock(const struct root *r, const char *controller, uint32_t day, int how, int *ret, struct why *why)
{
	char dir[STORE_PATH_MAX];
	int rc = -ESTALE;

	daylock_path(controller, day, dir);
	for (int i = 0; i < TRIES && (rc == -ESTALE || rc == -ENOENT || (rc == -EWOULDBLOCK && how == LOCK_SH)); i++) {
		if (rc == -EWOULDBLOCK)
			(void)usleep(PAUSE_US);
		rc = make_dirs(r, dir, why);
		if (rc && rc != -ENOENT) /* a parent was removed meanwhile: once more */
			return rc;
		rc = rc ? rc : lock_dir(r, dir, how, ret);
	}
	if (rc == -EWOULDBLOCK)
		return why_set(why, rc, "%s: this day is in use", dir);
	return rc ? why_errno(why, rc, dir, "cannot lock") : 0;
}

int daylock_share(const struct root *r, const char *controller, uint32_t day, int *ret, struct why *why)
{
	int rc = make_and_lock(r, controller, day, LOCK_SH, ret, why);

	return rc == -EWOULDBLOCK ? -ESHUTDOWN : rc; /* only who takes it away has it alone */
}

int daylock_take(const struct root *r, const char *controller, uint32_t day, int *ret, struct why *why)
{
	return make_and_lock(r, controller, day, LOCK_EX, ret, why);
}
