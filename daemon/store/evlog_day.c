/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * evlog_day.c - which days have a log, and the lines of one, whatever is in the file
 *
 * Reads only. A line longer than EVLOG_LINE_MAX is no line; its rest is skipped so that what follows
 * is still found. One thread.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/evlog_internal.h"

#define FILE_BUF 65536

int evlog_file_open(const struct root *r, const char *name, struct evlog_file *f)
{
	*f = (struct evlog_file){ .fd = -1 };
	f->buf = malloc(FILE_BUF);
	if (!f->buf)
		return -ENOMEM;
	f->fd = beneath_openat(r->fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK, 0);
	if (f->fd < 0) {
		int rc = -errno;

		evlog_file_close(f);
		return rc;
	}
	return 0;
}

void evlog_file_close(struct evlog_file *f)
{
	if (!f)
		return;
	if (f->fd >= 0)
		close(f->fd);
	free(f->buf);
	*f = (struct evlog_file){ .fd = -1 };
}

/* More bytes behind those that are there. 0, or -errno; sets end. */
static int fill(struct evlog_file *f)
{
	ssize_t got;

	memmove(f->buf, f->buf + f->at, f->have - f->at);
	f->have -= f->at;
	f->at = 0;
	do
		got = read(f->fd, f->buf + f->have, FILE_BUF - f->have);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return -errno;
	f->have += (size_t)got;
	f->end = !got;
	return 0;
}

/* The rest of a line that is too long. */
static int skip_line(struct evlog_file *f)
{
	const char *lf;
	int rc = 0;

	while (!(lf = memchr(f->buf + f->at, '\n', f->have - f->at)) && !f->end && !rc) {
		f->nul |= memchr(f->buf + f->at, 0, f->have - f->at) != NULL;
		f->off += f->have - f->at;
		f->at = f->have;
		rc = fill(f);
	}
	lf = lf ? lf + 1 : f->buf + f->have;
	f->nul |= memchr(f->buf + f->at, 0, (size_t)(lf - (f->buf + f->at))) != NULL;
	f->off += (size_t)(lf - (f->buf + f->at));
	f->at = (size_t)(lf - f->buf);
	return rc;
}

int evlog_file_next(struct evlog_file *f, const char **ret, size_t *ret_n)
{
	const char *lf;
	size_t n;
	int rc;

	while (!(lf = f->have > f->at ? memchr(f->buf + f->at, '\n', f->have - f->at) : NULL) && !f->end &&
	       f->have - f->at < EVLOG_LINE_MAX) {
		rc = fill(f);
		if (rc)
			return rc;
	}
	n = lf ? (size_t)(lf - (f->buf + f->at)) : f->have - f->at;
	if (!lf && !n)
		return 0;
	f->line++;
	f->nul = memchr(f->buf + f->at, 0, n) != NULL;
	*ret = f->buf + f->at;
	*ret_n = n;
	f->at += n + (lf != NULL);
	f->off += n + (lf != NULL);
	if (lf)
		return 1;
	if (f->end)
		return 2;
	/* too long: what was given stays readable only until here, so give nothing of it */
	*ret_n = 0;
	rc = skip_line(f);
	*ret = f->buf;
	return rc ? rc : 2;
}

static int day_cmp(const void *a, const void *b)
{
	int32_t x = ((const struct evlog_one_day *)a)->day, y = ((const struct evlog_one_day *)b)->day;

	return x < y ? -1 : x > y;
}

int evlog_name_kind(const char *name, int32_t *ret_day)
{
	static const char *const parts[] = { "root.key", "root.pub", "head", "lock", "root.key.tmp", "root.pub.tmp", "head.tmp" };
	char day[11];

	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++)
		if (!strcmp(name, parts[i]))
			return 0;
	if (strlen(name) < 11)
		return -1;
	memcpy(day, name, 10);
	day[10] = 0;
	if (evlog_day_parse(day, ret_day))
		return -1;
	if (!strcmp(name + 10, ".log"))
		return 1;
	return !strcmp(name + 10, ".root.tmp") ? 0 : !strcmp(name + 10, ".root") ? 2 : -1;
}

/* Whether the day of `name` has a file with this ending too. */
static bool has(const struct names *names, const char *name, const char *ext)
{
	char other[32];

	snprintf(other, sizeof(other), "%.10s.%s", name, ext);
	for (size_t i = 0; i < names->n; i++)
		if (!strcmp(names->v[i], other))
			return true;
	return false;
}

/*
 * Made for lines that then never reached the disk: no day. Lines that were taken away leave a gap in
 * the numbers, or the head says so.
 */
static bool is_empty(const struct root *r, const struct names *names, const char *name)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), EVLOG_DIR "/%.14s", name);
	return !beneath_statat(r->fd, path, &st) && S_ISREG(st.st_mode) && !st.st_size &&
	       !has(names, name, "root");
}

int evlog_days_read(const struct root *r, struct evlog_days *ret, void (*other)(void *arg, const char *name), void *arg)
{
	struct names names;
	int rc = names_read(r, EVLOG_DIR, &names);
	int32_t day;

	*ret = (struct evlog_days){ 0 };
	if (rc)
		return rc;
	ret->v = calloc(names.n + 1, sizeof(*ret->v));
	if (!ret->v)
		rc = -ENOMEM;
	for (size_t i = 0; !rc && i < names.n; i++) {
		int kind = evlog_name_kind(names.v[i], &day);

		if (kind == 1 && !is_empty(r, &names, names.v[i]))
			ret->v[ret->n++] = (struct evlog_one_day){ .day = day };
		else if (kind == 2 && !has(&names, names.v[i], "log"))
			ret->v[ret->n++] = (struct evlog_one_day){ .day = day, .expired = true };
		else if (other && kind < 0)
			other(arg, names.v[i]);
	}
	names_free(&names);
	if (!rc && ret->n)
		qsort(ret->v, ret->n, sizeof(*ret->v), day_cmp);
	return rc;
}

bool evlog_day_of_number(uint64_t number, int32_t *ret)
{
	char text[16];

	if (number > 99991231)
		return false;
	snprintf(text, sizeof(text), "%04u-%02u-%02u", (unsigned)(number / 10000), (unsigned)(number / 100 % 100),
		 (unsigned)(number % 100));
	return !evlog_day_parse(text, ret);
}

void evlog_days_free(struct evlog_days *d)
{
	free(d->v);
	*d = (struct evlog_days){ 0 };
}
