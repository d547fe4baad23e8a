/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sample_log_read.c - reading the sampler's records, and what is wrong with their chain; changes nothing
 *
 * Works beside a running writer: a file only grows by whole lines behind what is read. One thread.
 */
#include "call/sample_log_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "call/sample_internal.h"

struct look {
	int (*rec)(void *arg, const struct sample_record *r, const uint8_t link[SAMPLE_LOG_LINK], const char *file,
		   uint64_t line);
	void (*finding)(void *arg, const char *file, uint64_t line, const char *text);
	void *arg;
	int dir;
	char file[SAMPLE_FILE];
	uint64_t line;
	bool synced; /* n and link are what the next line must follow */
	uint64_t n;
	uint8_t link[SAMPLE_LOG_LINK];
	struct sample_line l;
};

static void found(struct look *k, uint64_t line, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static void found(struct look *k, uint64_t line, const char *fmt, ...)
{
	char text[SAMPLE_TEXT + 32];
	va_list ap;

	if (!k->finding)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	k->finding(k->arg, k->file, line, text);
}

/* Names the line that was touched: the one before when only its bytes changed, else this one. */
static void chain_broken(struct look *k)
{
	uint64_t n = k->l.n;

	if (n == k->n + 1 && k->line > 1)
		found(k, k->line - 1, "changed: the next line does not follow from it");
	else if (n == k->n + 1)
		found(k, k->line, "does not follow from the last line of the file before");
	else if (n <= k->n)
		found(k, k->line, "number %" PRIu64 " stands behind number %" PRIu64 ": copied or moved", n, k->n);
	else if (n == k->n + 2)
		found(k, k->line, "line number %" PRIu64 " is missing before this one", n - 1);
	else
		found(k, k->line, "lines number %" PRIu64 " to %" PRIu64 " are missing before this one", k->n + 1, n - 1);
}

static int take_line(struct look *k, const char *p, size_t n)
{
	char text[SAMPLE_TEXT];
	int rc = sample_line_parse(p, n, &k->l, text);

	if (rc == -EBADMSG) {
		found(k, k->line, "%s", text);
		k->synced = false;
		return 0;
	}
	if (rc)
		return rc;
	if (k->synced && (k->l.n != k->n + 1 || memcmp(k->l.prev, k->link, sizeof(k->link)) != 0))
		chain_broken(k);
	sample_line_link(p, n, k->link);
	k->n = k->l.n;
	k->synced = true;
	return k->rec ? k->rec(k->arg, &k->l.r, k->link, k->file, k->line) : 0;
}

/* As sample_log_open cuts it. */
static bool torn(int kind, const char *p, size_t n, bool newest)
{
	return newest && (kind == SAMPLE_L_TAIL || (kind == SAMPLE_L_WHOLE && memchr(p, 0, n)));
}

static int take_file(struct look *k, int32_t day, bool newest)
{
	struct sample_lines f;
	const char *p;
	size_t n;
	int rc, stop = 0;

	sample_file_name(day, k->file);
	rc = sample_lines_open(k->dir, day, &f);
	if (rc == -ENOMEM)
		return rc;
	if (rc) {
		found(k, 0, "cannot be read: %s", rc == -EBADMSG ? "no file" : strerror(-rc));
		k->synced = false;
		return 0;
	}
	while (!stop && (rc = sample_lines_next(&f, &p, &n)) > SAMPLE_L_END) {
		k->line = f.line;
		if (torn(rc, p, n, newest))
			break;
		if (rc == SAMPLE_L_WHOLE) {
			stop = take_line(k, p, n);
			continue;
		}
		found(k, k->line, rc == SAMPLE_L_LONG ? "is longer than a line may be" : "is not a whole line");
		k->synced = false;
	}
	if (rc < 0 && !stop) {
		found(k, f.line + 1, "cannot be read: %s", strerror(-rc));
		k->synced = false;
	}
	sample_lines_close(&f);
	return stop;
}

static int take_files(struct look *k, int32_t from, int32_t to)
{
	int32_t *day = NULL;
	size_t days = 0, i = 0;
	int32_t before;
	int rc = sample_file_days(k->dir, &day, &days);

	while (!rc && from && i < days && day[i] < from)
		i++;
	k->synced = true; /* the very first follows from zeros */
	if (i && i < days)
		k->synced = !sample_file_before(k->dir, day, i, &before, &k->n, k->link);
	for (; !rc && i < days && (!to || day[i] <= to); i++)
		rc = take_file(k, day[i], i + 1 == days);
	free(day);
	return rc;
}

int sample_log_read(const char *store_dir, int32_t from_day, int32_t to_day,
		    int (*rec)(void *arg, const struct sample_record *r, const uint8_t link[SAMPLE_LOG_LINK],
			       const char *file, uint64_t line),
		    void (*finding)(void *arg, const char *file, uint64_t line, const char *text), void *arg, char *why,
		    size_t n)
{
	struct look *k = calloc(1, sizeof(*k));
	int store, rc = 0;

	if (!k || sodium_init() < 0) {
		free(k);
		return -ENOMEM;
	}
	*k = (struct look){ .rec = rec, .finding = finding, .arg = arg, .dir = -1 };
	store = open(store_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (store >= 0)
		k->dir = openat(store, SAMPLE_LOG_DIR, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (k->dir < 0)
		rc = -errno;
	if (store >= 0)
		close(store);
	if (!rc)
		rc = take_files(k, from_day, to_day);
	if (rc < 0 && why && n)
		snprintf(why, n, "%s/" SAMPLE_LOG_DIR ": %s", store_dir,
			 rc == -ENOENT ? "no sampling records there" : strerror(-rc));
	if (k->dir >= 0)
		close(k->dir);
	free(k);
	return rc;
}
