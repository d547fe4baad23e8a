/* SPDX-License-Identifier: BSD-2-Clause */
/* fsck.c - checks every file of a store against FORMAT.md, without any key, see fsck_internal.h */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/catalog.h"
#include "store/fsck_hold.h"
#include "store/fsck_internal.h"
#include "store/opens.h"
#include "store/reap_ask.h"
#include "store/reap_retain.h"
#include "store/retention.h"
#include "store/store_call.h"

void fsck_found(struct fsck *f, const char *file, uint64_t off, const char *rule, const char *text)
{
	f->rep.damaged++;
	if (f->cb)
		f->cb(f->arg, file, off, rule, text);
}

/* A file that cannot be read is a finding too: the rest is still worth checking. */
int fsck_unreadable(struct fsck *f, const char *file, int rc, const char *rule)
{
	if (rc == -ENOMEM)
		return why_set(f->why, rc, "%s: out of memory", file);
	fsck_found(f, file, 0, rule, strerror(-rc));
	return 0;
}
static int on_hold(void *arg, const char *controller, const struct uid *uid)
{
	struct fsck *f = arg;
	uint32_t place;
	int rc = fsck_place(f, controller, -1, DAY_HOLD, &place);

	return rc ? rc : fsck_stray(f, &f->held, uid, place, 0);
}

static void bad_hold(void *arg, const char *file, uint64_t off, const char *rule, const char *text)
{
	fsck_found(arg, file, off, rule, text);
}

static void check_public(struct fsck *f)
{
	struct names owners;
	char path[STORE_PATH_MAX + 300], text[4097];
	struct pubkey key;
	size_t n;

	if (names_read(&f->root, "public", &owners))
		owners = (struct names){ 0 };
	for (size_t i = 0; i < owners.n; i++)
		for (int p = 0; p < STORE_PURPOSES; p++) {
			int rc;

			snprintf(path, sizeof(path), "public/%s/%s.pub", owners.v[i], store_purpose_names[p]);
			rc = read_small(f->root.fd, path, text, sizeof(text) - 1, &n);
			if (rc == -ENOENT || rc == -ENOTDIR)
				continue;
			text[rc ? 0 : n] = 0;
			if (rc || pubkey_parse(text, n, &key))
				fsck_found(f, path, 0, "T-2", rc ? strerror(-rc) : "not a public key of optag");
		}
	names_free(&owners);
}

/* ---- calls, a controller and day at a time ---- */

struct day_part {
	char controller[STORE_NAME_MAX];
	uint32_t day;
	unsigned part; /* of the catalog; 0: of segments */
};

struct parts_of {
	struct fsck *f;
	struct day_part *v;
	size_t n;
};

static int add_part(void *arg, const char *controller, uint32_t day, unsigned part)
{
	struct parts_of *a = arg;

	if (!(a->n & (a->n - 1))) {
		struct day_part *v = realloc(a->v, (a->n ? 2 * a->n : 1) * sizeof(*v));

		if (!v)
			return why_set(a->f->why, -ENOMEM, "out of memory");
		a->v = v;
	}
	a->v[a->n] = (struct day_part){ .day = day, .part = part };
	snprintf(a->v[a->n++].controller, STORE_NAME_MAX, "%s", controller);
	return 0;
}

static int part_cmp(const void *x, const void *y)
{
	const struct day_part *a = x, *b = y;
	int c = strcmp(a->controller, b->controller);

	if (!c && a->day != b->day)
		return a->day < b->day ? -1 : 1;
	return c ? c : (a->part > b->part) - (a->part < b->part);
}

static int add_segments(struct parts_of *a)
{
	struct names owners, days;
	char dir[STORE_PATH_MAX];
	uint32_t day;
	int rc = names_read(&a->f->root, "segments", &owners);

	if (rc)
		return fsck_unreadable(a->f, "segments", rc, "S-1");
	for (size_t i = 0; !rc && i < owners.n; i++) {
		if (name_check(owners.v[i]))
			continue;
		snprintf(dir, sizeof(dir), "segments/%s", owners.v[i]);
		rc = names_read(&a->f->root, dir, &days);
		for (size_t k = 0; !rc && k < days.n; k++)
			if (!day_parse(days.v[k], strlen(days.v[k]), &day)) /* else none of ours */
				rc = add_part(a, owners.v[i], day, 0);
		names_free(&days);
		if (rc == -ENOTDIR)
			rc = 0;
	}
	names_free(&owners);
	return rc;
}

/* Of one day, n > 0. */
static int check_day(struct fsck *f, const struct day_part *v, size_t n)
{
	bool segments = false;
	int rc = 0;

	for (size_t i = 0; !rc && i < n; i++) {
		segments |= !v[i].part;
		rc = v[i].part ? fsck_catalog(f, v[i].controller, v[i].day, v[i].part) : 0;
	}
	if (!rc)
		rc = fsck_day_read(f);
	if (!rc && segments)
		rc = fsck_segment_day(f, v->controller, v->day);
	if (!rc)
		fsck_chunk_refs(f, v->controller, v->day);
	fsck_day_over(f);
	return rc;
}

/* The hold area is a controller's last day, so a call that a reaper takes there meanwhile has its row in one of them. */
static int each_day(struct fsck *f)
{
	struct parts_of a = { .f = f };
	int rc = add_segments(&a);

	if (!rc)
		rc = catalog_each(&f->root, add_part, &a);
	if (!rc && a.n)
		qsort(a.v, a.n, sizeof(*a.v), part_cmp);
	for (size_t i = 0, k; !rc && i < a.n; i = k) {
		for (k = i + 1; k < a.n && a.v[k].day == a.v[i].day && !strcmp(a.v[k].controller, a.v[i].controller);)
			k++;
		rc = check_day(f, a.v + i, k - i);
	}
	free(a.v);
	return rc;
}

static int each_key(struct fsck *f)
{
	struct names owners;
	int rc = names_read(&f->root, "keys", &owners);

	if (rc)
		return fsck_unreadable(f, "keys", rc, "K-1");
	for (size_t i = 0; !rc && i < owners.n; i++)
		for (int p = 0; !rc && !name_check(owners.v[i]) && p < STORE_PURPOSES; p++)
			rc = fsck_key_dir(f, owners.v[i], p);
	names_free(&owners);
	return rc;
}

static void check_open(void *arg, const struct uid *uid, const uint8_t *p, size_t n)
{
	struct fsck *f = arg;
	struct store none = { .root = { .fd = -1 } };
	struct store_call *sc = NULL;

	if (uid && !f->rc)
		f->rc = fsck_stray(f, &f->rows, uid, 0, 0);
	if (record_get(&none, p, n, &sc) || !uid || !uid_equal(uid, &sc->meta.uid))
		fsck_found(f, "open.db", 0, "O-2", "record of a call in progress is damaged");
	scall_free(sc);
}

static void check_epoch(struct fsck *f)
{
	char text[33] = "", *end;
	size_t n;
	int rc = read_small(f->root.fd, "epoch", text, sizeof(text) - 1, &n);

	if (rc == -ENOENT) /* never written to */
		return;
	(void)strtoul(text, &end, 10);
	if (rc || !n || end == text || strcmp(end, "\n"))
		fsck_found(f, "epoch", 0, "T-4", "is not a number");
}

static void check_later(struct fsck *f)
{
	struct names owners;
	char name[STORE_PATH_MAX];

	if (names_read(&f->root, "catalog", &owners))
		return;
	for (size_t i = 0; i < owners.n; i++) {
		struct why why = { "" };
		struct later *l = NULL;
		int rc = name_check(owners.v[i]) ? -ENOENT : later_open(&f->root, owners.v[i], false, &l, &why);

		if (!rc)
			rc = later_check(l, &why);
		later_close(l);
		if (!rc || rc == -ENOENT || rc == -ENOTDIR)
			continue;
		later_path(owners.v[i], name);
		fsck_found(f, name, 0, "C-5", why.text);
	}
	names_free(&owners);
}

static void bad_ask(void *arg, uint64_t off, const char *text)
{
	fsck_found(arg, "erase", off, "D-1", text);
}

/* A reaper makes it before anything else. */
static void check_asks(struct fsck *f)
{
	int rc = reap_asks_check(&f->root, bad_ask, f);

	if (rc == -ENOENT && reap_asks_due(&f->root))
		fsck_found(f, "erase", 0, "D-1", "is not there, empty or cut, and a reaper has been here: requests may be lost");
	else if (rc && rc != -ENOENT)
		fsck_found(f, "erase", 0, "D-1", strerror(-rc));
}

static void bad_retention(void *arg, uint64_t off, const char *text)
{
	fsck_found(arg, RETENTION_FILE, off, "D-2", text);
}

static void check_retention(struct fsck *f)
{
	struct retention t = { 0 };
	struct why why = { "" };
	int rc = retention_read(&f->root, &t, bad_retention, f, &why);

	if (rc && rc != -ENOENT)
		fsck_found(f, RETENTION_FILE, 0, "D-2", why.text);
	if (!rc && reap_retain_lost(&f->root, &t))
		fsck_found(f, RETENTION_FILE, 0, "D-2", "lines are missing that a reaper went by, or are others");
	if (rc == -ENOENT && reap_retain_lost(&f->root, &t))
		fsck_found(f, RETENTION_FILE, 0, "D-2", "is not there or empty, and a reaper went by it");
	retention_free(&t);
}

static int check_all(struct fsck *f)
{
	const char *bad;
	struct stat sb;
	int rc;

	if (beneath_statat(f->root.fd, "number.key", &sb) || sb.st_size != 32)
		fsck_found(f, "number.key", 0, "T-3", "missing or of another length");
	check_public(f);
	check_epoch(f);
	bad = opens_check(&f->root, check_open, f);
	if (bad)
		fsck_found(f, "open.db", 0, "O-1", bad);
	check_later(f);
	check_asks(f);
	check_retention(f);
	rc = f->rc ? f->rc : fsck_lost_before(f);
	if (rc)
		return rc;
	if (overlay_new(&f->root, &f->overlay))
		return why_set(f->why, -ENOMEM, "out of memory");
	overlay_no_slots(f->overlay);
	rc = each_day(f);
	if (rc)
		return rc;
	fsck_lost_rows(f);
	fsck_slots_read(f);
	rc = each_key(f);
	if (!rc)
		rc = fsck_holds(&f->root, &(struct fsck_hold){ .arg = f, .bad = bad_hold, .key = fsck_held_key, .hold = on_hold }, f->why);
	if (rc)
		return rc;
	rc = fsck_slot_refs(f);
	return rc ? rc : fsck_lost(f);
}

int store_fsck(const char *dir,
	       void (*cb)(void *arg, const char *file, uint64_t off, const char *rule, const char *text),
	       void *arg, struct store_fsck_report *ret, char *why, size_t n)
{
	struct why w = { "" };
	struct fsck f = { .why = &w, .cb = cb, .arg = arg, .root = { .fd = -1 } };
	int rc = keys_init();

	if (!rc)
		rc = root_open(dir, &f.root, &w);
	if (rc == -EBADMSG) {
		fsck_found(&f, "optag.store", 0, "T-1", "does not say what it must");
		*ret = f.rep;
		return 1;
	}
	if (!rc)
		rc = check_all(&f);
	if (rc < 0 && why && n)
		snprintf(why, n, "%s", w.text);
	overlay_free(f.overlay);
	root_close(&f.root);
	free(f.place);
	free(f.slots.v);
	fsck_lost_free(&f);
	if (rc)
		return rc;
	*ret = f.rep;
	return f.rep.damaged != 0;
}
