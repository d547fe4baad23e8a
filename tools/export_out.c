/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * export_out.c - output files that are complete or not there
 *
 * Written as OUT.tmpXXXXXX in the same directory, mode 0600, fsync, then
 * renamed. An existing file is refused unless forced, also when it appears
 * meanwhile (RENAME_NOREPLACE). Temporaries go on error and on signals.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"
#include "export.h"

struct out {
	char path[PATH_MAX];
	char tmp[PATH_MAX + 16];
	int fd;
	bool force, failed;
	uint64_t size;
	size_t used;
	uint8_t buf[1 << 16];
};

/* What the signal handler removes; set before the file exists under that name, cleared after. */
static struct out *volatile live[EXPORT_FILES];

static void on_signal(int sig)
{
	for (unsigned i = 0; i < EXPORT_FILES; i++)
		if (live[i])
			(void)unlink(live[i]->tmp);
	_exit(128 + sig);
}

void out_signals(void)
{
	struct sigaction sa = { .sa_handler = on_signal };

	(void)sigaction(SIGINT, &sa, NULL);
	(void)sigaction(SIGTERM, &sa, NULL);
	(void)sigaction(SIGHUP, &sa, NULL);
}

int out_error(struct out *o, int err)
{
	if (!o->failed)
		cli_err("'%s': %s", o->path, strerror(-err));
	o->failed = true;
	return err;
}

static void keep_live(struct out *o, bool on)
{
	for (unsigned i = 0; i < EXPORT_FILES; i++) {
		if (live[i] == (on ? NULL : o)) {
			live[i] = on ? o : NULL;
			return;
		}
	}
}

int out_open(const char *path, bool force, struct out **ret)
{
	struct out *o;
	struct stat sb;

	if (strlen(path) >= PATH_MAX) {
		cli_err("'%.64s...': %s", path, strerror(ENAMETOOLONG));
		return -ENAMETOOLONG;
	}
	if (lstat(path, &sb) == 0 && (!force || !S_ISREG(sb.st_mode))) {
		cli_err("'%s': %s", path,
			S_ISREG(sb.st_mode) ? "exists, and --force was not given" : "exists and is no file");
		return -EEXIST;
	}
	o = calloc(1, sizeof(*o));
	if (!o) {
		cli_err("out of memory");
		return -ENOMEM;
	}
	o->force = force;
	strcpy(o->path, path);
	snprintf(o->tmp, sizeof(o->tmp), "%s.tmpXXXXXX", path);
	o->fd = mkostemp(o->tmp, O_CLOEXEC); /* makes it 0600 */
	if (o->fd < 0) {
		int err = -errno;

		(void)out_error(o, err);
		free(o);
		return err;
	}
	keep_live(o, true);
	*ret = o;
	return 0;
}

static int write_all(struct out *o, const uint8_t *p, size_t n)
{
	while (n) {
		ssize_t w = write(o->fd, p, n);

		if (w < 0 && errno == EINTR)
			continue;
		if (w < 0)
			return out_error(o, -errno);
		p += w;
		n -= (size_t)w;
	}
	return 0;
}

static int flush(struct out *o)
{
	int rc = write_all(o, o->buf, o->used);

	o->used = 0;
	return rc;
}

int out_write(struct out *o, const void *p, size_t n)
{
	if (o->failed)
		return -EIO;
	if (n > sizeof(o->buf) - o->used && flush(o) != 0)
		return -EIO;
	o->size += n;
	if (n > sizeof(o->buf))
		return write_all(o, p, n);
	memcpy(o->buf + o->used, p, n);
	o->used += n;
	return 0;
}

int out_fd(struct out *o)
{
	(void)flush(o); /* an error is told and kept in `failed`; commit refuses then */
	return o->fd;
}

uint64_t out_size(const struct out *o)
{
	struct stat sb;

	/* WAV is written through out_fd: the file knows better */
	if (o->fd >= 0 && !o->used && fstat(o->fd, &sb) == 0)
		return (uint64_t)sb.st_size;
	return o->size;
}

const char *out_path(const struct out *o)
{
	return o->path;
}

int out_commit(struct out *o)
{
	int rc = flush(o);

	if (rc || o->failed)
		return rc ? rc : -EIO;
	if (fsync(o->fd) != 0)
		return out_error(o, -errno);
	rc = renameat2(AT_FDCWD, o->tmp, AT_FDCWD, o->path, o->force ? 0 : RENAME_NOREPLACE);
	if (rc != 0 && errno == EINVAL && access(o->path, F_OK) != 0)
		rc = rename(o->tmp, o->path); /* a file system without NOREPLACE */
	if (rc != 0)
		return out_error(o, -errno);
	keep_live(o, false);
	o->tmp[0] = 0;
	return 0;
}

void out_close(struct out *o)
{
	if (!o)
		return;
	if (o->tmp[0])
		(void)unlink(o->tmp);
	keep_live(o, false);
	(void)close(o->fd);
	free(o);
}
