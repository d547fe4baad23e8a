/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sample_log_file.c - the files of sampling records: which days there are, and the lines of one, whatever is in it
 *
 * Reads only. A line longer than SAMPLE_LINE_MAX is skipped, so that what follows is still found. One thread.
 */
#include "call/sample_log_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "call/sample_internal.h"

#define BUFFER (2 * SAMPLE_LINE_MAX)

void sample_file_name(int32_t day, char out[SAMPLE_FILE])
{
	char text[16];

	sample_day_text(day, text);
	snprintf(out, SAMPLE_FILE, SAMPLE_LOG_DIR "/%.10s.jsonl", text);
}

/* Below the directory itself. */
static const char *base_name(int32_t day, char buf[SAMPLE_FILE])
{
	sample_file_name(day, buf);
	return buf + sizeof(SAMPLE_LOG_DIR);
}

/* "2026-11-24.jsonl" and nothing else; the directory may hold other things. */
static bool day_of_name(const char *name, int32_t *ret)
{
	char text[16], again[SAMPLE_FILE];
	uint64_t ns;

	if (strlen(name) != 16)
		return false;
	memcpy(text, name, 10);
	text[10] = 0;
	if (clock_parse(text, &ns))
		return false;
	*ret = (int32_t)(ns / NS_PER_S / DAY_S);
	return *ret > 0 && !strcmp(base_name(*ret, again), name);
}

static int day_cmp(const void *a, const void *b)
{
	int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;

	return (x > y) - (x < y);
}

int sample_file_days(int dir, int32_t **ret, size_t *ret_n)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	int32_t *v = NULL, *more, day;
	struct dirent *e;
	size_t n = 0;
	int rc = 0;

	if (!d) {
		rc = -errno;
		if (fd >= 0)
			close(fd);
		return rc;
	}
	while (!rc && (errno = 0, e = readdir(d))) {
		if (!day_of_name(e->d_name, &day))
			continue;
		if (!(n & (n - 1))) {
			more = realloc(v, (n ? 2 * n : 1) * sizeof(*v));
			if (!more) {
				rc = -ENOMEM;
				break;
			}
			v = more;
		}
		v[n++] = day;
	}
	if (!rc)
		rc = -errno;
	closedir(d);
	if (rc) {
		free(v);
		return rc;
	}
	if (n)
		qsort(v, n, sizeof(*v), day_cmp);
	*ret = v;
	*ret_n = n;
	return 0;
}

int sample_file_open(int dir, int32_t day, int flags)
{
	char name[SAMPLE_FILE];
	struct stat st;
	int fd = openat(dir, base_name(day, name), flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0600);

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
		close(fd);
		return -EBADMSG;
	}
	return fd;
}

/* ---- lines ---- */

int sample_lines_open(int dir, int32_t day, struct sample_lines *ret)
{
	*ret = (struct sample_lines){ .fd = sample_file_open(dir, day, O_RDONLY) };
	if (ret->fd < 0)
		return ret->fd;
	ret->buf = malloc(BUFFER);
	if (ret->buf)
		return 0;
	close(ret->fd);
	ret->fd = -1;
	return -ENOMEM;
}

void sample_lines_close(struct sample_lines *f)
{
	if (f->fd >= 0)
		close(f->fd);
	free(f->buf);
	*f = (struct sample_lines){ .fd = -1 };
}

static int fill(struct sample_lines *f)
{
	ssize_t n;

	memmove(f->buf, f->buf + f->at, f->have - f->at);
	f->have -= f->at;
	f->at = 0;
	do
		n = read(f->fd, f->buf + f->have, BUFFER - f->have);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	f->end = !n;
	f->have += (size_t)n;
	return 0;
}

/* Drops bytes up to and with the next LF. */
static int skip_line(struct sample_lines *f)
{
	int rc = 0;

	for (;;) {
		char *lf = memchr(f->buf + f->at, '\n', f->have - f->at);
		size_t n = lf ? (size_t)(lf - f->buf) + 1 - f->at : f->have - f->at;

		f->at += n;
		f->off += n;
		if (lf || f->end)
			return 0;
		rc = fill(f);
		if (rc)
			return rc;
	}
}

int sample_lines_next(struct sample_lines *f, const char **ret, size_t *ret_n)
{
	const char *lf;
	size_t n;
	int rc;

	while (!(lf = memchr(f->buf + f->at, '\n', f->have - f->at)) && !f->end && f->have - f->at < SAMPLE_LINE_MAX) {
		rc = fill(f);
		if (rc)
			return rc;
	}
	n = lf ? (size_t)(lf - f->buf) - f->at : f->have - f->at;
	if (!lf && !n)
		return SAMPLE_L_END;
	f->line++;
	*ret = f->buf + f->at;
	*ret_n = n;
	if (n >= SAMPLE_LINE_MAX) {
		rc = skip_line(f);
		return rc ? rc : SAMPLE_L_LONG;
	}
	f->at += n + (lf != NULL);
	f->off += n + (lf != NULL);
	return lf ? SAMPLE_L_WHOLE : SAMPLE_L_TAIL;
}

/* ---- the last line of a file that is complete ---- */

static int read_tail(int fd, char *buf, size_t max, size_t *ret_n)
{
	struct stat st;
	off_t from;
	size_t n = 0;

	if (fstat(fd, &st))
		return -errno;
	from = st.st_size > (off_t)max ? st.st_size - (off_t)max : 0;
	while (n < max) {
		ssize_t got = pread(fd, buf + n, max - n, from + (off_t)n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (!got)
			break;
		n += (size_t)got;
	}
	*ret_n = n;
	return 0;
}

int sample_file_last(int dir, int32_t day, uint64_t *ret_n, uint8_t ret_link[SAMPLE_LOG_LINK])
{
	int fd = sample_file_open(dir, day, O_RDONLY), rc;
	char text[SAMPLE_TEXT], *buf, *lf;
	struct sample_line *l;
	size_t n = 0;

	if (fd < 0)
		return fd;
	buf = malloc(SAMPLE_LINE_MAX + 1);
	l = malloc(sizeof(*l));
	rc = buf && l ? read_tail(fd, buf, SAMPLE_LINE_MAX + 1, &n) : -ENOMEM;
	close(fd);
	if (!rc && !n)
		rc = -ENODATA;
	if (!rc && buf[n - 1] != '\n')
		rc = -EBADMSG;
	if (!rc) {
		lf = memrchr(buf, '\n', n - 1);
		lf = lf ? lf + 1 : buf;
		n -= (size_t)(lf - buf) + 1;
		rc = sample_line_parse(lf, n, l, text);
		if (!rc) {
			*ret_n = l->n;
			sample_line_link(lf, n, ret_link);
		}
	}
	free(l);
	free(buf);
	return rc;
}

int sample_file_before(int dir, const int32_t *day, size_t n, int32_t *ret_day, uint64_t *ret_n,
		       uint8_t ret_link[SAMPLE_LOG_LINK])
{
	int rc = -ENODATA;

	while (n && rc == -ENODATA) {
		*ret_day = day[--n];
		rc = sample_file_last(dir, *ret_day, ret_n, ret_link);
	}
	return rc == -ENODATA ? 0 : rc;
}
