/* SPDX-License-Identifier: BSD-2-Clause */
/* fsck_keys.c - checks buckets and slots, and what rows say of them, see fsck_internal.h */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/bucket.h"
#include "store/fsck_internal.h"
#include "store/slot.h"

/* What has no row is nobody's loss any more; destroyed: nor do rows ask for their wraps. */
static void slots_over(struct fsck *f, const char *controller, int purpose, uint32_t day, bool destroyed)
{
	for (size_t i = 0; i < f->nplace; i++) {
		struct place *p = &f->place[i];

		if (p->day != day || p->purpose != purpose || strcmp(p->controller, controller) != 0)
			continue;
		p->over = true;
		p->destroyed = destroyed;
	}
}

static void check_bucket(struct fsck *f, const char *controller, int purpose, uint32_t day, bool slots)
{
	char name[STORE_PATH_MAX];
	uint8_t raw[BUCKET_SIZE + 1];
	struct bucket b = { 0 };
	const char *bad;
	size_t n;
	int rc;

	slots_path(controller, (unsigned)purpose, day, "bucket", name);
	rc = read_small(f->root.fd, name, raw, sizeof(raw), &n);
	if (rc == -ENOENT && slots) {
		fsck_found(f, name, 0, "K-6", "bucket key is missing beside its slots");
		return;
	}
	bad = rc ? strerror(-rc) : bucket_parse(raw, n, &b);
	if (!bad && (b.purpose != purpose || b.day != day || memcmp(b.store_id, f->root.id, 16)))
		bad = "belongs elsewhere";
	if (bad)
		fsck_found(f, name, 0, "K-1", bad);
	else if (b.state == BUCKET_DESTROYED || b.destroy_ns <= clock_now_ns())
		slots_over(f, controller, purpose, day, b.state == BUCKET_DESTROYED);
	f->rep.buckets++;
	explicit_bzero(raw, sizeof(raw));
	explicit_bzero(&b, sizeof(b));
}

static int ref_cmp(const void *a, const void *b)
{
	const struct slot_ref *x = a, *y = b;

	if (x->place != y->place)
		return x->place < y->place ? -1 : 1;
	return x->slot < y->slot ? -1 : x->slot > y->slot;
}

void fsck_slots_read(struct fsck *f)
{
	if (f->slots.n)
		qsort(f->slots.v, f->slots.n, sizeof(*f->slots.v), ref_cmp);
}

/* The first one of that slot, of sorted ones: two rows may name it. NULL none. */
static struct slot_ref *ref_find(struct fsck *f, uint32_t place, uint32_t slot)
{
	const struct slot_ref key = { .place = place, .slot = slot };
	struct slot_ref *r = f->slots.n ? bsearch(&key, f->slots.v, f->slots.n, sizeof(key), ref_cmp) : NULL;

	while (r && r > f->slots.v && !ref_cmp(&key, r - 1))
		r--;
	return r;
}

static int match_slot(struct fsck *f, uint32_t place, uint32_t index, const struct slot *s, const char *bad,
		       const char *name)
{
	struct slot_ref *r = ref_find(f, place, index);

	if (bad) {
		fsck_found(f, name, (uint64_t)index * SLOT_SIZE, "K-3", bad);
		if (r)
			r->reported = true;
		return 0;
	}
	if (!s->empty)
		f->rep.slots++;
	if (r) {
		r->found = !s->empty && uid_equal(&s->uid, &r->uid);
		r->emptied = s->empty;
	} else if (!s->empty) {
		f->rep.interrupted++;
		if (index < f->place[place].mark && !fsck_has_row(f, &s->uid))
			return fsck_stray(f, &f->keys, &s->uid, place, index);
	}
	return 0;
}

static int check_slots(struct fsck *f, const char *controller, int purpose, uint32_t day)
{
	char name[STORE_PATH_MAX];
	uint8_t raw[SLOT_SIZE];
	struct slots_head h;
	struct slot s;
	const char *bad;
	uint32_t place;
	int fd, rc;

	slots_path(controller, (unsigned)purpose, day, "slots", name);
	fd = beneath_openat(f->root.fd, name, O_RDONLY | O_CLOEXEC, 0);
	if (fd < 0)
		return fsck_unreadable(f, name, -errno, "K-2");
	rc = fsck_place(f, controller, purpose, day, &place);
	for (uint32_t i = 0; !rc; i++) {
		rc = pread_all(fd, raw, sizeof(raw), (off_t)i * SLOT_SIZE);
		if (rc == -ENODATA) { /* the end, or a torn last slot: legal unless a row wants it */
			rc = 0;
			if (!i)
				fsck_found(f, name, 0, "K-2", "file shorter than its head");
			break;
		}
		if (rc) {
			rc = fsck_unreadable(f, name, rc, "K-2");
			break;
		}
		if (!i) {
			bad = slots_head_parse(raw, sizeof(raw), &h);
			if (!bad && (h.purpose != purpose || h.day != day ||
				     memcmp(h.store_id, f->root.id, 16) || strcmp(h.controller, controller)))
				bad = "head belongs elsewhere";
			if (bad)
				fsck_found(f, name, 0, "K-2", bad);
			continue;
		}
		bad = slot_parse(raw, &s);
		if (!bad && !s.empty && s.purpose != purpose)
			bad = "slot of the other purpose";
		rc = match_slot(f, place, i, &s, bad, name);
	}
	close(fd);
	return rc;
}

static void check_copy(struct fsck *f, const char *dir, const char *name)
{
	char path[2 * STORE_PATH_MAX];
	const char *what;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	what = left_behind(&f->root, path, true);
	if (what)
		fsck_found(f, path, 0, "K-7", what);
}

int fsck_key_dir(struct fsck *f, const char *controller, int purpose)
{
	char dir[STORE_PATH_MAX];
	struct names files;
	struct clock_date d;
	int rc;

	snprintf(dir, sizeof(dir), "keys/%s/%s", controller, store_purpose_names[purpose]);
	rc = names_read(&f->root, dir, &files);
	if (rc)
		return fsck_unreadable(f, dir, rc, "K-1");
	for (size_t i = 0; !rc && i < files.n; i++) {
		const char *name = files.v[i];
		bool slots;
		char other[32];

		if (strlen(name) < 11 || clock_date_parse(name, 10, &d))
			continue;
		slots = !strcmp(name + 10, ".slots");
		if (!strcmp(name + 10, ".bucket.tmp") || !strcmp(name + 10, ".slots.tmp")) {
			check_copy(f, dir, name);
		} else if (slots) {
			rc = check_slots(f, controller, purpose, day_number(&d));
			check_bucket(f, controller, purpose, day_number(&d), true);
		} else if (!strcmp(name + 10, ".bucket")) {
			bool has = false;

			snprintf(other, sizeof(other), "%.10s.slots", name);
			for (size_t k = 0; k < files.n; k++)
				has = has || !strcmp(files.v[k], other);
			if (!has)
				check_bucket(f, controller, purpose, day_number(&d), false);
		}
	}
	names_free(&files);
	return rc;
}

int fsck_slot_refs(struct fsck *f)
{
	char name[STORE_PATH_MAX], text[128], uid[UID_TEXT];
	struct stat sb;
	int rc = 0;

	for (size_t i = 0; !rc && i < f->slots.n; i++) {
		const struct slot_ref *r = &f->slots.v[i];
		const struct place *p = &f->place[r->place];

		if (r->found || r->reported || p->destroyed)
			continue;
		later_path(p->controller, name);
		if (r->emptied && (beneath_statat(f->root.fd, name, &sb) || sb.st_size < 512)) {
			rc = fsck_stray(f, &f->emptied, &r->uid, r->place, 0);
			continue;
		}
		uid_format(&r->uid, uid);
		slots_path(p->controller, (unsigned)p->purpose, p->day, "slots", name);
		snprintf(text, sizeof(text), "row of call %s: its wrap is not there", uid);
		fsck_found(f, name, (uint64_t)r->slot * SLOT_SIZE, "K-5", text);
	}
	return rc;
}

/* The row's wrap is there as long as its copy is. */
void fsck_held_key(void *arg, const char *controller, uint32_t day, uint32_t slot, const struct uid *uid)
{
	struct fsck *f = arg;

	f->rep.held++;
	for (size_t i = 0; i < f->nplace; i++) {
		const struct place *p = &f->place[i];
		struct slot_ref *r, *end = f->slots.v + f->slots.n;

		if (p->purpose != STORE_DOCUMENTATION || p->day != day || strcmp(p->controller, controller) != 0)
			continue;
		for (r = ref_find(f, (uint32_t)i, slot); r && r < end && r->place == i && r->slot == slot; r++)
			r->found |= uid_equal(&r->uid, uid);
	}
}
