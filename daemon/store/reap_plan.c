/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * reap_plan.c - which buckets are due, and whose calls they are
 *
 * The files are the only plan: no list of deadlines is kept anywhere that could differ from them.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/le.h"
#include "store/bucket.h"
#include "store/reap_internal.h"
#include "store/slot.h"

#define COUNT_BYTES (1u << 20)
#define ZONE_MOST   (14 * 3600 * NS_PER_S) /* a day begins nowhere earlier than this before it does in UTC ... */
#define ZONE_LEAST  (12 * 3600 * NS_PER_S) /* ... and later than this after */
#define EARLY	    (3600 * NS_PER_S)	   /* before a deadline, so that a timer that comes by less often than each minute is not late */

uint64_t reap_day_begun(uint32_t day)
{
	struct clock_date d;
	uint64_t ns = 0;

	day_date(day, &d);
	(void)clock_day_start(&d, "UTC", &ns); /* the zone that is always there */
	return ns + ZONE_LEAST;
}

/* A deadline that is no beginning of the day in any zone was not put there by a recorder: it neither delays nor hastens. */
static bool begins_day(uint64_t ns, uint32_t day)
{
	uint64_t last = reap_day_begun(day);

	return ns <= last && ns + ZONE_LEAST + ZONE_MOST >= last;
}

/*
 * A bucket that does not say when its day begins, and whose key may be there all the same: in time for the first of its calls'
 * deadlines, as far as their slots can be read. A deadline before the day has begun anywhere is none of that day.
 */
static uint64_t before_deadlines(const struct reap *r, const struct reap_bucket *b)
{
	uint64_t when = reap_day_begun(b->day), least = when - ZONE_LEAST - ZONE_MOST;
	uint8_t raw[64 * SLOT_SIZE];
	char path[STORE_PATH_MAX];
	struct slot s;
	off_t at = SLOT_SIZE;
	ssize_t n = 0;
	int fd;

	slots_path(b->controller, b->purpose, b->day, "slots", path);
	fd = beneath_openat(r->root.fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0);
	while (fd >= 0 && (n = pread(fd, raw, sizeof(raw), at)) >= SLOT_SIZE) {
		n -= n % SLOT_SIZE;
		for (ssize_t i = 0; i < n; i += SLOT_SIZE)
			if (!slot_parse(raw + i, &s) && !s.empty && s.until_ns >= least && s.until_ns < when + EARLY)
				when = s.until_ns - EARLY > least ? s.until_ns - EARLY : least;
		at += n;
	}
	if (fd >= 0)
		close(fd);
	return when;
}

/* 1 it is in ret, 0 it is of no concern. */
static int look(struct reap *r, struct reap_bucket *b)
{
	char path[STORE_PATH_MAX];
	struct why why = { "" };
	struct bucket k = { 0 };
	int rc;

	b->destroy_ns = reap_day_begun(b->day);
	b->by_name = b->destroy_ns > r->due_ns + r->early_ns + ZONE_LEAST + ZONE_MOST;
	if (b->by_name) { /* not read */
		b->live = true;
		return 1;
	}
	rc = bucket_read(&r->root, b->controller, b->purpose, b->day, &k, &why);
	slots_path(b->controller, b->purpose, b->day, "bucket", path);
	if (!rc && k.state == BUCKET_LIVE && !begins_day(k.destroy_ns, b->day))
		rc = why_set(&why, -EBADMSG, "%s: offset 32: no beginning of its day: it goes by its name (rule K-1)", path);
	b->live = rc || k.state == BUCKET_LIVE;
	b->destroy_ns = rc == -EBADMSG ? before_deadlines(r, b) : rc ? b->destroy_ns : k.destroy_ns;
	b->destroyed_ns = rc ? 0 : k.destroyed_ns;
	b->late_ns = b->destroyed_ns > b->destroy_ns ? b->destroyed_ns - b->destroy_ns : 0;
	explicit_bzero(&k, sizeof(k));
	b->damaged = rc == -EBADMSG;
	if (rc == -ENOENT) /* taken away meanwhile */
		return 0;
	if (rc)
		reap_fault(r, rc, why.text);
	slots_path(b->controller, b->purpose, b->day, "slots", path);
	b->failed = rc && !b->damaged;
	if (b->live)
		b->due = b->destroy_ns <= r->due_ns + r->early_ns && !b->failed;
	else
		b->due = !beneath_accessat(r->root.fd, path);
	b->now = b->due;
	return 1;
}

bool reap_copy_due(const struct reap *r, const char *controller, unsigned purpose, uint32_t day, const char *path)
{
	struct reap_bucket b = { .purpose = purpose, .day = day, .destroy_ns = reap_day_begun(day) };
	uint8_t raw[BUCKET_SIZE + 1];
	struct bucket k = { 0 };
	size_t n;

	if (b.destroy_ns > r->due_ns + r->early_ns + ZONE_LEAST + ZONE_MOST)
		return false;
	snprintf(b.controller, sizeof(b.controller), "%s", controller);
	if (!read_small(r->root.fd, path, raw, sizeof(raw), &n) && !bucket_parse(raw, n, &k) && begins_day(k.destroy_ns, day))
		b.destroy_ns = k.destroy_ns;
	else
		b.destroy_ns = before_deadlines(r, &b);
	explicit_bzero(raw, sizeof(raw));
	explicit_bzero(&k, sizeof(k));
	return b.destroy_ns <= r->due_ns + r->early_ns;
}

static int add(struct reap *r, const struct reap_bucket *b)
{
	struct reap_bucket *v;

	if (!(r->nbucket & (r->nbucket - 1))) {
		v = realloc(r->bucket, (r->nbucket ? r->nbucket * 2 : 1) * sizeof(*v));
		if (!v)
			return -ENOMEM;
		r->bucket = v;
	}
	r->bucket[r->nbucket++] = *b;
	return 0;
}

static int by_name(const void *a, const void *b)
{
	const struct reap_bucket *x = *(struct reap_bucket *const *)a, *y = *(struct reap_bucket *const *)b;
	int c = strcmp(x->controller, y->controller);

	c = c ? c : (x->purpose > y->purpose) - (x->purpose < y->purpose);
	return c ? c : (x->day > y->day) - (x->day < y->day);
}

/* known: n of them, by name, which are in the plan already. */
static int plan_purpose(struct reap *r, const char *controller, unsigned purpose, struct reap_bucket **known, size_t n)
{
	char dir[STORE_PATH_MAX];
	struct names files;
	int rc;

	snprintf(dir, sizeof(dir), "keys/%.63s/%s", controller, store_purpose_names[purpose]);
	rc = names_read(&r->root, dir, &files);
	for (size_t i = 0; !rc && i < files.n; i++) {
		struct reap_bucket b = { .purpose = purpose }, *key = &b;
		struct clock_date d;

		if (strlen(files.v[i]) != 17 || strcmp(files.v[i] + 10, ".bucket") || clock_date_parse(files.v[i], 10, &d))
			continue;
		snprintf(b.controller, sizeof(b.controller), "%s", controller);
		b.day = day_number(&d);
		if (n && bsearch(&key, known, n, sizeof(*known), by_name))
			continue;
		if (look(r, &b))
			rc = add(r, &b);
	}
	names_free(&files);
	return rc;
}

static int older(const void *a, const void *b)
{
	const struct reap_bucket *x = a, *y = b;

	if (x->destroy_ns != y->destroy_ns)
		return x->destroy_ns < y->destroy_ns ? -1 : 1;
	return strcmp(x->controller, y->controller);
}

/* All that keys/ has, but those that are known. */
static int plan(struct reap *r, struct reap_bucket **known, size_t n, struct why *why)
{
	struct names names;
	int rc = names_read(&r->root, "keys", &names);

	for (size_t i = 0; !rc && i < names.n; i++)
		for (unsigned p = 0; !rc && !name_check(names.v[i]) && p < STORE_PURPOSES; p++)
			rc = plan_purpose(r, names.v[i], p, known, n);
	names_free(&names);
	return rc ? why_errno(why, rc, "keys", "cannot read") : 0;
}

int reap_plan(struct reap *r, struct why *why)
{
	int rc = plan(r, NULL, 0, why);

	if (rc)
		return rc;
	if (r->nbucket)
		qsort(r->bucket, r->nbucket, sizeof(*r->bucket), older);
	return 0;
}

/* A recorder that began after the plan makes keys that are in none. */
static void add_new(struct reap *r)
{
	size_t n = r->nbucket;
	struct reap_bucket **known = calloc(n + 1, sizeof(struct reap_bucket *)), *old = NULL;
	struct why why = { "" };
	int rc;

	old = malloc((n + 1) * sizeof(*old)); /* a copy: the list moves as it grows */
	if (!known || !old) {
		reap_fault(r, -ENOMEM, "out of memory");
		goto out;
	}
	for (size_t i = 0; i < n; i++) {
		old[i] = r->bucket[i];
		known[i] = &old[i];
	}
	qsort(known, n, sizeof(*known), by_name);
	rc = plan(r, known, n, &why);
	if (rc)
		reap_fault(r, rc, why.text);
out:
	free(old);
	free(known);
}

size_t reap_plan_again(struct reap *r)
{
	size_t had = r->nbucket, n = 0;

	for (size_t i = 0; i < r->nbucket; i++) {
		struct reap_bucket *b = &r->bucket[i];

		b->now = false;
		if (b->due || !b->live)
			continue;
		if (b->by_name)
			(void)look(r, b); /* one that was taken away cannot be destroyed, and that is told then */
		else if (!b->failed && b->destroy_ns <= r->due_ns + r->early_ns)
			b->due = b->now = true;
		n += b->now;
	}
	add_new(r);
	for (size_t i = had; i < r->nbucket; i++)
		n += r->bucket[i].now;
	if (r->nbucket > had)
		qsort(r->bucket, r->nbucket, sizeof(*r->bucket), older);
	return n;
}

void reap_count(struct reap *r, struct reap_bucket *b)
{
	uint8_t *buf = malloc(COUNT_BYTES);
	char path[STORE_PATH_MAX];
	ssize_t n = 0;
	off_t at = SLOT_SIZE;
	int fd;

	slots_path(b->controller, b->purpose, b->day, "slots", path);
	fd = buf ? beneath_openat(r->root.fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0) : -1;
	reap_hold_count(r, b);
	b->calls = b->late = 0;
	while (fd >= 0 && (n = pread(fd, buf, COUNT_BYTES, at)) >= SLOT_SIZE) {
		n -= n % SLOT_SIZE;
		for (ssize_t i = 0; i < n; i += SLOT_SIZE)
			if (!memcmp(buf + i, "OSLT", 4)) {
				uint64_t until = le64dec(buf + i + 24);
				struct uid uid;

				memcpy(uid.b, buf + i + 8, sizeof(uid.b));
				if (reap_hold_is(r, b, &uid))
					continue;
				b->calls++;
				b->late += until && until < r->now_ns;
			}
		at += n;
	}
	if (!buf || (fd < 0 && errno != ENOENT) || n < 0)
		reap_fault(r, buf ? -errno : -ENOMEM, "slots cannot be counted");
	if (fd >= 0)
		close(fd);
	free(buf);
}
