/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * reap_space.c - what nobody can read any more is unlinked: slots of dead buckets, then whole days
 *
 * A day of a controller is over when it has begun and no bucket of that controller up to it lives: then no call whose
 * audio and row lie there can be read. The order within it is that of who refers to whom: rows, then audio; so at any kill
 * what is left is chunks without a row, which are legal.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "store/bucket.h"
#include "store/daylock.h"
#include "store/later.h"
#include "store/reap_internal.h"
#include "store/reap_ring.h"
#include "store/slot.h"

#define LEFT_OPEN_S 3600 /* as long as a recorder keeps an idle segment open */
#define GONE ".gone" /* a database that is no catalog any more */

struct space {
	struct reap *r;
	struct reap_ring *ring; /* NULL in a dry run */
	const char *controller;
	uint32_t day;
	uint64_t files, bytes;
	bool failed;
};

static uint64_t allocated(int dirfd, const char *name)
{
	struct stat sb;

	return beneath_statat(dirfd, name, &sb) || !S_ISREG(sb.st_mode) ? 0 : (uint64_t)sb.st_blocks * 512;
}

static void fault(struct space *s, int rc, const char *path, const char *what)
{
	struct why why;

	s->failed = true;
	reap_fault(s->r, why_errno(&why, rc, path, what), why.text);
}

/* ---- slots of dead buckets ---- */

static void slots_unlink(struct reap *r, struct reap_ring *ring)
{
	char path[STORE_PATH_MAX], *slash;

	for (size_t i = 0; i < r->nbucket; i++) {
		struct reap_bucket *b = &r->bucket[i];
		struct why why;
		int fd, rc;

		if (!b->due || b->live || b->spared || !b->told)
			continue;
		slots_path(b->controller, b->purpose, b->day, "slots", path);
		slash = strrchr(path, '/');
		*slash = 0;
		fd = beneath_openat(r->root.fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
		if (fd >= 0) {
			uint64_t bytes = allocated(fd, slash + 1);

			reap_ring_unlink(ring, fd, slash + 1);
			rc = reap_ring_wait(ring);
			r->t.files += !rc && bytes;
			r->t.bytes += rc ? 0 : bytes;
		} else {
			rc = -errno;
		}
		if (rc && rc != -ENOENT)
			reap_fault(r, why_errno(&why, rc, path, "cannot remove slots"), why.text);
		b->told = false; /* they are gone, or it is the next run's */
		if (fd >= 0)
			close(fd);
	}
}

/* ---- days ---- */

/* When the day has begun in the controller's zone: as its buckets say, else when it has begun everywhere. */
static bool over(const struct reap *r, const char *controller, uint32_t day)
{
	uint64_t begun = reap_day_begun(day);

	for (size_t i = 0; i < r->nbucket; i++) {
		const struct reap_bucket *b = &r->bucket[i];

		if (strcmp(b->controller, controller) || b->day > day)
			continue;
		/* a spared one's audio is copied, but of those that may be put on hold meanwhile */
		if (b->live && !(b->spared && r->alone) && !(r->set->dry && b->due))
			return false;
		if (b->day == day && b->destroy_ns && b->destroy_ns < begun)
			begun = b->destroy_ns;
	}
	return begun <= r->due_ns;
}

static bool of_day(const char *name, const char *day)
{
	return !strncmp(name, day, 10) && name[10] == '.';
}

/* A directory, or a name that none of ours is as long as: left alone, `report inventory` tells of it. */
static bool is_stray(int dirfd, const char *name)
{
	struct stat sb;

	return strlen(name) + sizeof(GONE) > REAP_NAME || (!fstatat(dirfd, name, &sb, AT_SYMLINK_NOFOLLOW) && S_ISDIR(sb.st_mode));
}

/*
 * All partitions of the day. A database leaves its name first: one with half of its files would be damage, and the log
 * (-wal) of an old one poison for a new one of that name.
 */
static void catalogs(struct space *s)
{
	char dir[STORE_PATH_MAX], day[16], to[REAP_NAME];
	struct names names;
	int fd, rc;

	day_text(s->day, day);
	snprintf(dir, sizeof(dir), "catalog/%s", s->controller);
	rc = names_read(&s->r->root, dir, &names);
	fd = rc || !names.n ? -1 : beneath_openat(s->r->root.fd, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	if (rc || (names.n && fd < 0)) {
		fault(s, rc ? rc : -errno, dir, "cannot read");
		names_free(&names);
		return;
	}
	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < names.n; i++) {
			const char *name = names.v[i];
			size_t n = strlen(name);
			bool db = n > 3 && !strcmp(name + n - 3, ".db");

			if (!of_day(name, day) || db == (round == 1) || is_stray(fd, name))
				continue;
			s->files++;
			s->bytes += allocated(fd, name);
			snprintf(to, sizeof(to), "%s" GONE, name);
			if (!s->ring)
				continue;
			if (db && beneath_renameat(fd, name, to, 0) && errno != ENOENT)
				fault(s, -errno, dir, "cannot take a catalog away");
			else
				reap_ring_unlink(s->ring, fd, db ? to : name);
		}
		rc = s->ring ? reap_ring_wait(s->ring) : 0;
		if (rc)
			fault(s, rc, dir, "cannot remove rows");
		if (s->failed)
			break;
	}
	if (fd >= 0)
		close(fd);
	names_free(&names);
}

static bool segment_name(const char *name)
{
	return strspn(name, "0123456789") == 8 && (!strcmp(name + 8, ".seg") || !strcmp(name + 8, ".open"));
}

static void segments(struct space *s, int fd)
{
	char dir[STORE_PATH_MAX];
	struct names names;
	int rc;

	daylock_path(s->controller, s->day, dir);
	rc = names_read(&s->r->root, dir, &names);
	for (size_t i = 0; !rc && i < names.n; i++) {
		if (!segment_name(names.v[i]) || is_stray(fd, names.v[i]))
			continue;
		s->files++;
		s->bytes += allocated(fd, names.v[i]);
		if (s->ring)
			reap_ring_unlink(s->ring, fd, names.v[i]);
		reap_progress(s->r, "space", s->r->t.bytes + s->bytes, s->r->t.calls);
		reap_again(s->r, true);
	}
	names_free(&names);
	rc = !rc && s->ring ? reap_ring_wait(s->ring) : rc;
	if (rc) {
		fault(s, rc, dir, "cannot remove segments");
		return;
	}
	/* What is none of ours stays, and the directory with it. */
	if (s->ring && beneath_unlinkat(s->r->root.fd, dir, AT_REMOVEDIR) && errno != ENOENT && errno != ENOTEMPTY && errno != EEXIST)
		fault(s, -errno, dir, "cannot remove");
}

/* Lines about rows that are gone. */
static void forget_later(struct space *s)
{
	struct why why = { "" };
	struct later *l = NULL;
	int rc = later_open(&s->r->root, s->controller, false, &l, &why);

	later_close(l);
	l = NULL;
	if (rc == -ENOENT) /* nothing happened later: none is made */
		return;
	if (!rc)
		rc = later_open(&s->r->root, s->controller, true, &l, &why);
	if (!rc)
		rc = later_forget_day(l, s->day, &why);
	later_close(l);
	if (rc)
		reap_fault(s->r, rc, why.text);
}

static void day_waits(const struct space *s)
{
	const struct reap_item it = { .what = REAP_WAITING, .controller = s->controller, .purpose = -1, .day = s->day };

	s->r->t.waiting++;
	reap_item(s->r, &it);
}

static void day_gone(struct space *s)
{
	struct reap_item it = { .what = REAP_DAY, .controller = s->controller, .purpose = -1, .day = s->day };
	struct why why = { "" };
	int fd = -1, rc;

	if (s->ring && !s->r->alone) { /* a hold may be set just now that is not in the journal yet; that it is locked was told */
		day_waits(s);
		return;
	}
	if (s->ring) {
		rc = daylock_take(&s->r->root, s->controller, s->day, &fd, &why);
		if (rc) {
			if (rc != -EWOULDBLOCK)
				reap_fault(s->r, rc, why.text);
			day_waits(s);
			return;
		}
	} else {
		char dir[STORE_PATH_MAX];

		daylock_path(s->controller, s->day, dir);
		fd = beneath_openat(s->r->root.fd, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	}
	rc = s->ring ? reap_hold_day(s->r, s->controller, s->day, &why) : 0;
	if (rc) {
		reap_fault(s->r, rc, why.text);
		day_waits(s);
		close(fd);
		return;
	}
	catalogs(s);
	if (!s->failed && s->ring)
		forget_later(s);
	if (!s->failed && fd >= 0)
		segments(s, fd);
	if (fd >= 0)
		close(fd);
	if (!s->files && !s->failed) /* only strays are left of it: nothing to tell each minute */
		return;
	s->r->t.days++;
	s->r->t.files += s->files;
	s->r->t.bytes += s->bytes;
	it.files = s->files;
	it.bytes = s->bytes;
	reap_item(s->r, &it);
}

struct days {
	uint32_t *v;
	size_t n;
};

static int day_add(struct days *d, const char *name, size_t n)
{
	struct clock_date date;
	uint32_t *v;

	if (n < 10 || clock_date_parse(name, 10, &date) || (name[10] && name[10] != '.'))
		return 0; /* none of ours, or the hold area */
	v = realloc(d->v, (d->n + 1) * sizeof(*v));
	if (!v)
		return -ENOMEM;
	d->v = v;
	d->v[d->n++] = day_number(&date);
	return 0;
}

static int day_cmp(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static void controller_space(struct reap *r, struct reap_ring *ring, const char *controller)
{
	static const char *const top[2] = { "segments", "catalog" };
	struct days days = { 0 };
	struct why why = { "" };
	int rc = 0;

	for (int i = 0; !rc && i < 2; i++) {
		char dir[STORE_PATH_MAX];
		struct names names;

		snprintf(dir, sizeof(dir), "%s/%.63s", top[i], controller);
		rc = names_read(&r->root, dir, &names);
		for (size_t k = 0; !rc && k < names.n; k++)
			rc = day_add(&days, names.v[k], strlen(names.v[k]));
		names_free(&names);
		if (rc)
			reap_fault(r, why_errno(&why, rc, dir, "cannot read"), why.text);
	}
	if (days.n)
		qsort(days.v, days.n, sizeof(*days.v), day_cmp);
	for (size_t i = 0; i < days.n; i++) {
		struct space s = { .r = r, .ring = ring, .controller = controller, .day = days.v[i] };

		if ((i && days.v[i] == days.v[i - 1]) || !over(r, controller, days.v[i]))
			continue;
		day_gone(&s);
		reap_again(r, true);
	}
	free(days.v);
}

/* A writer has something of the day open (daylock.h). */
static bool in_use(const struct reap *r, const char *dir)
{
	int fd = beneath_openat(r->root.fd, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	bool used = fd < 0 || flock(fd, LOCK_EX | LOCK_NB);

	if (fd >= 0)
		close(fd);
	return used;
}

/*
 * A segment is open for minutes, and whoever finds it after a kill finishes it, but for one that cannot be read. Then calls have less
 * than was recorded of them, at each run until somebody looks. By the machine's clock, as the file's time.
 */
static void left_open(struct reap *r, const char *controller, const char *day)
{
	char dir[STORE_PATH_MAX], rel[STORE_PATH_MAX + 300];
	struct names names;
	struct stat sb;
	struct why why;

	snprintf(dir, sizeof(dir), "segments/%.63s/%.10s", controller, day);
	if (names_read(&r->root, dir, &names))
		return;
	for (size_t i = 0; i < names.n; i++) {
		if (!segment_name(names.v[i]) || names.v[i][9] != 'o')
			continue;
		snprintf(rel, sizeof(rel), "%s/%s", dir, names.v[i]);
		if (beneath_statat(r->root.fd, rel, &sb) || time(NULL) - sb.st_mtime < LEFT_OPEN_S || in_use(r, dir))
			continue;
		(void)why_set(&why, -EBADMSG, "%s: left open, and no recorder finished it: what is in it is not found (optag fsck)", rel);
		reap_fault(r, -EBADMSG, why.text);
	}
	names_free(&names);
}

static void look_left_open(struct reap *r, const char *controller)
{
	char dir[STORE_PATH_MAX];
	struct names days;

	snprintf(dir, sizeof(dir), "segments/%.63s", controller);
	if (names_read(&r->root, dir, &days))
		return; /* told before */
	for (size_t i = 0; i < days.n; i++)
		if (strlen(days.v[i]) == 10)
			left_open(r, controller, days.v[i]);
	names_free(&days);
}

static int name_order(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void reap_space(struct reap *r)
{
	struct reap_ring *ring = NULL;
	struct why why = { "" };
	struct names a, b;
	int rc = 0;

	if (!r->set->dry) {
		reap_ring_idle();
		rc = reap_ring_new(REAP_DEPTH, r->set->rate, &ring);
		if (rc) {
			reap_fault(r, rc, "out of memory");
			return;
		}
		slots_unlink(r, ring);
	}
	rc = names_read(&r->root, "catalog", &a);
	if (rc)
		reap_fault(r, why_errno(&why, rc, "catalog", "cannot read"), why.text);
	rc = names_read(&r->root, "segments", &b);
	if (rc)
		reap_fault(r, why_errno(&why, rc, "segments", "cannot read"), why.text);
	for (size_t i = 0; i < a.n; i++)
		if (!name_check(a.v[i]))
			controller_space(r, ring, a.v[i]);
	for (size_t i = 0; i < b.n; i++)
		if (!name_check(b.v[i]) && (!a.n || !bsearch(&b.v[i], a.v, a.n, sizeof(*a.v), name_order)))
			controller_space(r, ring, b.v[i]);
	for (size_t i = 0; i < b.n; i++)
		if (!name_check(b.v[i]))
			look_left_open(r, b.v[i]);
	names_free(&a);
	names_free(&b);
	if (ring)
		reap_punch(r, ring);
	if (ring)
		slots_unlink(r, ring); /* of those that came due meanwhile */
	reap_ring_free(ring);
}
