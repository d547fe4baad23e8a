/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * reap_floor.c - until when the store's own past bears a clock out, see reap_clock.h
 *
 * Only read when reap.clock is missing or damaged. What lies about in a store was written by the clock that is in question, so
 * its newest day alone says nothing: a recorder goes on under a clock that jumped. Days that follow each other are believed; a few behind
 * a gap are not, until the week is over in which somebody would have seen that the reaper complains each minute.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/evlog_internal.h"
#include "store/reap_clock.h"
#include "store/segment.h"

#define GAP_DAYS  3 /* from day to day when less than REAP_JUMP lies between */
#define WEEK_DAYS 7

struct days {
	int32_t *v;
	size_t n;
};

/* Without memory a day less: the floor is lower, and a person is asked rather. */
static void add(struct days *d, int32_t day)
{
	int32_t *v;

	if (d->n && d->v[d->n - 1] == day)
		return;
	if (!(d->n & (d->n - 1))) {
		v = realloc(d->v, (d->n ? 2 * d->n : 1) * sizeof(*v));
		if (!v)
			return;
		d->v = v;
	}
	d->v[d->n++] = day;
}

static void of_segment(const struct root *r, const char *dir, const char *name, struct days *d)
{
	char path[STORE_PATH_MAX + 300];
	uint8_t raw[SEGMENT_HEAD];
	struct segment_head h;
	int fd;

	snprintf(path, sizeof(path), "%s/%.255s", dir, name);
	fd = beneath_openat(r->fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0);
	if (fd < 0)
		return;
	if (!pread_all(fd, raw, sizeof(raw), 0) && !segment_head_parse(raw, sizeof(raw), &h))
		add(d, evlog_day(h.created_ns));
	close(fd);
}

static void of_segments(const struct root *r, struct days *d)
{
	char dir[STORE_PATH_MAX];
	struct names controllers, days, files;
	uint32_t day;

	if (names_read(r, "segments", &controllers))
		return;
	for (size_t c = 0; c < controllers.n; c++) {
		if (name_check(controllers.v[c]))
			continue;
		snprintf(dir, sizeof(dir), "segments/%.63s", controllers.v[c]);
		if (names_read(r, dir, &days))
			continue;
		for (size_t i = 0; i < days.n; i++) {
			if (day_parse(days.v[i], strlen(days.v[i]), &day) || day == DAY_HOLD) /* those are the reaper's */
				continue;
			snprintf(dir, sizeof(dir), "segments/%.63s/%.10s", controllers.v[c], days.v[i]);
			if (names_read(r, dir, &files))
				continue;
			for (size_t k = 0; k < files.n; k++)
				of_segment(r, dir, files.v[k], d);
			names_free(&files);
		}
		names_free(&days);
	}
	names_free(&controllers);
}

/* The reaper's user may not read it; its owner may. */
static void of_evidence(const struct root *r, struct days *d)
{
	struct evlog_days days;

	if (evlog_days_read(r, &days, NULL, NULL))
		return;
	for (size_t i = 0; i < days.n; i++)
		add(d, days.v[i].day);
	evlog_days_free(&days);
}

static uint64_t made(const struct root *r)
{
	char text[513], when[40];
	uint64_t ns = 0;
	size_t n = 0;
	unsigned version;

	if (read_small(r->fd, "optag.store", text, sizeof(text) - 1, &n))
		return 0;
	text[n] = 0;
	/* NOLINTNEXTLINE(cert-err34-c): root_open has looked at it */
	if (sscanf(text, "optag-store %u\nid %*39s\ncreated %39s\n", &version, when) != 2 || clock_parse(when, &ns))
		return 0;
	return ns;
}

static int by_day(const void *a, const void *b)
{
	int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;

	return x < y ? -1 : x > y;
}

int32_t reap_floor_day(const int32_t *day, size_t n)
{
	size_t end = n - 1, i;

	for (;;) {
		for (i = end; i && day[i] - day[i - 1] <= GAP_DAYS; i--)
			;
		if (!i || day[end] - day[i] >= WEEK_DAYS)
			return day[end];
		end = i - 1;
	}
}

uint64_t reap_floor(const struct root *r)
{
	struct days d = { 0 };
	uint64_t ns = 0, born = made(r);
	int32_t day;

	of_segments(r, &d);
	of_evidence(r, &d);
	if (d.n) {
		qsort(d.v, d.n, sizeof(*d.v), by_day);
		day = reap_floor_day(d.v, d.n);
		ns = day > 0 ? (uint64_t)day * EVLOG_DAY_S * NS_PER_S : 0; /* its beginning */
	}
	free(d.v);
	return ns > born ? ns : born;
}
