/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fsck_lost.c - what is not there and must be: partitions of the catalog, hold.db, later.db; see fsck_internal.h
 *
 * A file that is gone leaves its traces elsewhere: a partition in open.db's list, in keys that no row has, in copies of rows;
 * hold.db in calls on hold without a row; later.db in slots that were overwritten without a line.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/bucket.h"
#include "store/catalog.h"
#include "store/fsck_internal.h"
#include "store/opens.h"
#include "store/reap_clock.h"

#define EAST_NS (14 * 3600 * NS_PER_S) /* a day begins nowhere earlier than this before it does in UTC */

int fsck_stray(struct fsck *f, struct strays *s, const struct uid *uid, uint32_t place, uint32_t slot)
{
	struct stray *v;

	if (s->n == s->cap) {
		size_t cap = s->cap ? 2 * s->cap : 256;

		v = realloc(s->v, cap * sizeof(*v));
		if (!v)
			return why_set(f->why, -ENOMEM, "out of memory");
		s->v = v;
		s->cap = cap;
	}
	s->v[s->n++] = (struct stray){ .uid = *uid, .place = place, .slot = slot };
	return 0;
}

static int stray_cmp(const void *a, const void *b)
{
	const struct stray *x = a, *y = b;
	int c = memcmp(&x->uid, &y->uid, sizeof(x->uid));

	return c ? c : x->place < y->place ? -1 : x->place > y->place;
}

static int uid_cmp(const void *a, const void *b)
{
	return memcmp(&((const struct stray *)a)->uid, &((const struct stray *)b)->uid, sizeof(struct uid));
}

static void sort(struct strays *s)
{
	if (s->n)
		qsort(s->v, s->n, sizeof(*s->v), stray_cmp);
}

bool fsck_has_row(const struct fsck *f, const struct uid *uid)
{
	struct stray key = { .uid = *uid };

	return f->rows.n && bsearch(&key, f->rows.v, f->rows.n, sizeof(key), uid_cmp);
}

/* ---- before catalogs are read ---- */

struct listing {
	struct fsck *f;
	int rc;
};

static void take_mark(void *arg, const char *controller, unsigned purpose, uint32_t day, uint32_t next)
{
	struct listing *l = arg;
	uint32_t place;

	if (l->rc || purpose >= STORE_PURPOSES || name_check(controller))
		return;
	l->rc = fsck_place(l->f, controller, (int)purpose, day, &place);
	if (!l->rc)
		l->f->place[place].mark = next;
}

static void take_listed(void *arg, const char *controller, uint32_t day, unsigned part)
{
	static const struct uid none;
	struct listing *l = arg;
	uint32_t place;

	if (l->rc || !part || part > CATALOG_PARTS || name_check(controller))
		return;
	l->rc = fsck_place(l->f, controller, -1, day, &place);
	if (!l->rc)
		l->rc = fsck_stray(l->f, &l->f->listed, &none, place, part);
}

int fsck_lost_before(struct fsck *f)
{
	struct listing l = { .f = f };

	/* open.db's own damage is told by who looks at its records */
	(void)opens_marks(&f->root, take_mark, &l);
	(void)opens_listed(&f->root, take_listed, &l);
	return l.rc;
}

void fsck_lost_rows(struct fsck *f)
{
	sort(&f->rows);
}

/* ---- partitions ---- */

/* By the clock, or by a reaper's. */
static uint64_t latest_ns(const struct fsck *f)
{
	struct reap_clock c = { .now_ns = clock_now_ns() };
	struct why why;

	return reap_clock_read(&f->root, &c, &why) || c.due_ns < c.now_ns ? clock_now_ns() : c.due_ns;
}

/* Whether the day may have been given up: it has begun, as its bucket says, or somewhere; or its buckets are destroyed, by whatever time. */
static bool may_be_over(const struct fsck *f, const struct place *p, uint64_t now)
{
	struct clock_date d;
	uint64_t start = 0;
	bool gone = false;

	for (unsigned purpose = 0; purpose < STORE_PURPOSES; purpose++) {
		struct bucket b = { 0 };
		struct why why;
		bool read = !bucket_read(&f->root, p->controller, purpose, p->day, &b, &why);
		bool live = read && b.state == BUCKET_LIVE && b.destroy_ns > now;

		gone = gone || (read && b.state == BUCKET_DESTROYED);
		explicit_bzero(&b, sizeof(b));
		if (live)
			return false;
	}
	if (gone)
		return true;
	day_date(p->day, &d);
	return clock_day_start(&d, "UTC", &start) || now + EAST_NS >= start;
}

static bool there(const struct fsck *f, const char *file)
{
	return !beneath_accessat(f->root.fd, file);
}

/* What a writer makes is empty until its log (WAL) is taken in. */
static bool made(const struct fsck *f, const char *file)
{
	char wal[STORE_PATH_MAX + 8];
	struct stat sb;

	snprintf(wal, sizeof(wal), "%s-wal", file);
	return !beneath_statat(f->root.fd, file, &sb) &&
	       (sb.st_size >= 512 || (!beneath_statat(f->root.fd, wal, &sb) && sb.st_size));
}

static void listed(struct fsck *f)
{
	uint64_t now = latest_ns(f);

	for (size_t i = 0; i < f->listed.n; i++) {
		struct place *p = &f->place[f->listed.v[i].place];
		char file[STORE_PATH_MAX];

		catalog_path(p->controller, p->day, f->listed.v[i].slot, file);
		if (p->day == DAY_HOLD || made(f, file) || may_be_over(f, p, now))
			continue;
		fsck_found(f, file, 0, "C-6", there(f, file) ? "is empty, and had rows" : "is not there, and its day is not over: rows are lost");
		p->damaged = true;
	}
}

/* Some catalog of the controller is damaged: what has no row may have one there. */
static bool any_damaged(const struct fsck *f, const char *controller)
{
	for (size_t i = 0; i < f->nplace; i++)
		if (f->place[i].damaged && !strcmp(f->place[i].controller, controller))
			return true;
	return false;
}

static const struct stray *first_of(const struct strays *s, const struct uid *uid)
{
	const struct stray key = { .uid = *uid }, *v = s->n ? bsearch(&key, s->v, s->n, sizeof(key), uid_cmp) : NULL;

	while (v && v > s->v && uid_equal(&v[-1].uid, uid))
		v--;
	return v;
}

/* Where a copy of the call's row lies: its day, or the hold area. False: there is none. */
static bool copy_place(const struct fsck *f, const struct uid *uid, bool hold, uint32_t *ret)
{
	const struct stray *v = first_of(&f->copies, uid), *end = f->copies.v + f->copies.n;

	for (; v && v < end && uid_equal(&v->uid, uid); v++)
		if ((f->place[v->place].day == DAY_HOLD) == hold) {
			*ret = v->place;
			return true;
		}
	return false;
}

static void lose(struct fsck *f, uint32_t place, const struct uid *uid)
{
	struct place *p = &f->place[place];

	if (p->damaged)
		return;
	if (!p->lost++)
		p->lost_uid = *uid;
}

/* A call with a live key and without a row: the row was in the latest of its days. */
static int keys_without_row(struct fsck *f)
{
	struct strays *s = &f->keys;
	int rc = 0;

	sort(s);
	for (size_t i = 0, k; !rc && i < s->n; i = k) {
		const struct place *from = NULL;
		uint32_t place, day = 0;

		for (k = i; k < s->n && uid_equal(&s->v[i].uid, &s->v[k].uid); k++) {
			const struct place *p = &f->place[s->v[k].place];

			if (p->over || p->day < day)
				continue;
			from = p;
			day = p->day;
		}
		if (!from || fsck_has_row(f, &s->v[i].uid))
			continue;
		if (!copy_place(f, &s->v[i].uid, false, &place)) {
			if (any_damaged(f, from->controller))
				continue;
			rc = fsck_place(f, from->controller, -1, day, &place);
		}
		if (!rc)
			lose(f, place, &s->v[i].uid);
	}
	return rc;
}

/* ---- calls on hold ---- */

/* Its row came while catalogs were read. */
static bool held_row(const struct fsck *f, const char *controller, const struct uid *uid)
{
	struct store_filter one = { .state = -1, .uid = uid };
	const struct cursor_row *row;
	struct why why;
	struct cursor *c;
	bool has;

	if (cursor_open(&f->root, controller, DAY_HOLD, 1, &one, NULL, NULL, &c, &why))
		return false;
	has = cursor_next(c, &row, &why) == 1;
	cursor_close(c);
	return has;
}

static bool key_lives(const struct fsck *f, const struct uid *uid)
{
	const struct stray *v = first_of(&f->keys, uid), *end = f->keys.v + f->keys.n;

	for (; v && v < end && uid_equal(&v->uid, uid); v++)
		if (!f->place[v->place].over)
			return true;
	return false;
}

static int held_without_row(struct fsck *f)
{
	int rc = 0;

	sort(&f->held);
	for (size_t i = 0; !rc && i < f->held.n; i++) {
		const struct stray *v = &f->held.v[i];
		const char *controller = f->place[v->place].controller;
		uint32_t place;

		if ((i && uid_equal(&v[-1].uid, &v->uid)) || fsck_has_row(f, &v->uid) || held_row(f, controller, &v->uid))
			continue;
		if (!copy_place(f, &v->uid, true, &place)) {
			/* of its day, and told with the others of it */
			if (copy_place(f, &v->uid, false, &place) || key_lives(f, &v->uid) || any_damaged(f, controller))
				continue;
			rc = fsck_place(f, controller, -1, DAY_HOLD, &place);
		}
		if (!rc)
			lose(f, place, &v->uid);
	}
	return rc;
}

/* ---- telling ---- */

static void tell_rows(struct fsck *f)
{
	for (size_t i = 0; i < f->nplace; i++) {
		const struct place *p = &f->place[i];
		char file[STORE_PATH_MAX], uid[UID_TEXT], text[160];
		unsigned part = 1;

		if (!p->lost || p->damaged)
			continue;
		for (catalog_path(p->controller, p->day, part, file); p->day != DAY_HOLD && there(f, file) && part < CATALOG_PARTS; part++)
			catalog_path(p->controller, p->day, part + 1, file);
		uid_format(&p->lost_uid, uid);
		snprintf(text, sizeof(text), "%s, and %u calls %s have no row (one is %s)", there(f, file) ? "rows are lost" : "is not there",
			 p->lost, p->day == DAY_HOLD ? "on hold" : "that have a key", uid);
		fsck_found(f, file, 0, p->day == DAY_HOLD ? "H-6" : "C-7", text);
	}
}

static void tell_emptied(struct fsck *f)
{
	struct strays *s = &f->emptied;

	for (size_t i = 0; i < s->n; i++) {
		const char *controller = f->place[s->v[i].place].controller;
		char file[STORE_PATH_MAX], uid[UID_TEXT], text[160];
		unsigned n = 0;

		for (size_t k = 0; k < s->n; k++) {
			if (strcmp(f->place[s->v[k].place].controller, controller) != 0)
				continue;
			if (k < i)
				break; /* told */
			n++;
		}
		if (!n)
			continue;
		later_path(controller, file);
		uid_format(&s->v[i].uid, uid);
		snprintf(text, sizeof(text), "is not there or empty, and %u keys were overwritten that it must tell of (one is of call %s)", n, uid);
		fsck_found(f, file, 0, "C-5", text);
	}
}

int fsck_lost(struct fsck *f)
{
	int rc;

	sort(&f->copies);
	listed(f);
	rc = keys_without_row(f);
	if (!rc)
		rc = held_without_row(f);
	if (!rc) {
		tell_rows(f);
		tell_emptied(f);
	}
	return rc;
}

void fsck_lost_free(struct fsck *f)
{
	struct strays *const all[] = { &f->rows, &f->copies, &f->keys, &f->held, &f->emptied, &f->listed };

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		free(all[i]->v);
}
