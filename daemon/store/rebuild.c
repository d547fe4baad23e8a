/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rebuild.c - lost partitions of the catalog are made anew (store.h, store_rebuild)
 *
 * Under the locks of recorder and reaper. A partition is set aside by renaming, and another is made under a name that is
 * free; a kill in between leaves less than there was, and never what the next run would not complete.
 */
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/opens.h"
#include "store/rebuild_internal.h"
#include "store/sealing.h"
#include "store/slots.h"

/* ---- small things ---- */

void *list_add(struct list *l)
{
	if (l->n == l->cap) {
		size_t cap = l->cap ? 2 * l->cap : 64;
		void *v = realloc(l->v, cap * l->size);

		if (!v)
			return NULL;
		l->v = v;
		l->cap = cap;
	}
	return memset((char *)l->v + l->n++ * l->size, 0, l->size);
}

void list_free(struct list *l)
{
	free(l->v);
	l->v = NULL;
	l->n = l->cap = 0;
}

int uids_add(struct uids *u, const struct uid *uid)
{
	struct uid *at;

	u->list.size = sizeof(*at);
	at = list_add(&u->list);
	if (!at)
		return -ENOMEM;
	*at = *uid;
	return 0;
}

static int uid_cmp(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct uid));
}

void uids_sort(struct uids *u)
{
	if (u->list.n)
		qsort(u->list.v, u->list.n, sizeof(struct uid), uid_cmp);
}

bool uids_have(const struct uids *u, const struct uid *uid)
{
	return u->list.n && bsearch(uid, u->list.v, u->list.n, sizeof(*uid), uid_cmp);
}

void rebuild_say(struct rebuild *b, const char *file, const char *fmt, ...)
{
	char text[300];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (b->cb)
		b->cb(b->arg, file, text);
}

/* ---- partitions that are there ---- */

int rebuild_set_aside(struct rebuild *b, const char *rel, const char *what)
{
	static const char *const ext[] = { "", "-wal", "-shm", "-journal" };
	char from[STORE_PATH_MAX + 16], to[STORE_PATH_MAX + 40], kept[STORE_PATH_MAX + 24];
	struct stat sb;

	snprintf(kept, sizeof(kept), "%s.damaged", rel);
	for (int i = 2; !beneath_statat(b->root.fd, kept, &sb) && i < 10000; i++)
		snprintf(kept, sizeof(kept), "%s.damaged.%d", rel, i);
	for (size_t i = 0; i < sizeof(ext) / sizeof(*ext); i++) {
		snprintf(from, sizeof(from), "%s%s", rel, ext[i]);
		snprintf(to, sizeof(to), "%s%s", kept, ext[i]);
		if (beneath_renameat(b->root.fd, from, to, 0) && errno != ENOENT)
			return why_errno(b->why, -errno, from, "cannot set aside");
	}
	b->rep.damaged++;
	rebuild_say(b, rel, "set aside as %s: %s", strrchr(kept, '/') ? strrchr(kept, '/') + 1 : kept, what);
	return sync_dir_of(&b->root, rel, b->why);
}

struct taking {
	struct rebuild *b;
	struct lost_day *d;
};

/* All rows of a sound partition; -EBADMSG it is none. */
static int take_rows(struct taking *t, const char *controller, uint32_t day, unsigned part, struct why *why)
{
	struct store_filter all = { .state = -1 };
	const struct cursor_row *row;
	struct cursor *c;
	int rc = cursor_open(&t->b->root, controller, day, part, &all, NULL, NULL, &c, why);

	if (rc)
		return rc;
	rc = cursor_check(c, why);
	while (!rc && (rc = cursor_next(c, &row, why)) == 1) {
		rc = uids_add(&t->d->known, &row->row.uid);
		if (!rc)
			rc = like_add(t->d, row->row.rule, row->row.policy_hash, row->zone, row->row.start_ns);
	}
	cursor_close(c);
	return rc;
}

/* SQLite takes less than a page for a database without tables, as a writer has it at first. */
static bool is_empty(struct rebuild *b, const char *rel)
{
	char wal[STORE_PATH_MAX + 8];
	struct stat sb;

	snprintf(wal, sizeof(wal), "%s-wal", rel);
	return !beneath_statat(b->root.fd, rel, &sb) && sb.st_size < 512 &&
	       (beneath_statat(b->root.fd, wal, &sb) || !sb.st_size);
}

/* SQLite takes what is missing of its last page for zeros. As fsck tells it. */
static bool is_cut(struct rebuild *b, const char *rel)
{
	struct stat sb;

	return !beneath_statat(b->root.fd, rel, &sb) && sb.st_size % 512;
}

static int take_part(void *arg, const char *controller, uint32_t day, unsigned part)
{
	struct taking *t = arg;
	size_t uids = t->d->known.list.n, likes = t->d->like.n;
	char rel[STORE_PATH_MAX];
	struct why why = { "" };
	int rc = take_rows(t, controller, day, part, &why);

	catalog_path(controller, day, part, rel);
	if (!rc && is_empty(t->b, rel))
		rc = why_set(&why, -EBADMSG, "%s: nothing in it", rel);
	else if (!rc && is_cut(t->b, rel))
		rc = why_set(&why, -EBADMSG, "%s: no whole number of pages: cut", rel);
	if (!rc || rc == -ENOENT)
		return 0;
	if (rc != -EBADMSG)
		return why_set(t->b->why, rc, "%s", why.text);
	t->d->known.list.n = uids;
	t->d->like.n = likes;
	t->d->damaged = true;
	return rebuild_set_aside(t->b, rel, why.text);
}

/* A WAL without its database would be taken for the next one's. */
static int set_aside_strays(struct rebuild *b, const char *controller)
{
	char dir[STORE_PATH_MAX], rel[STORE_PATH_MAX], name[64];
	struct names files;
	struct stat sb;
	uint32_t day;
	unsigned part;
	int rc;

	snprintf(dir, sizeof(dir), "catalog/%s", controller);
	rc = names_read(&b->root, dir, &files);
	for (size_t i = 0; !rc && i < files.n; i++) {
		size_t n = strlen(files.v[i]);

		if (n < 5 || n > sizeof(name) || strcmp(files.v[i] + n - 4, "-wal"))
			continue;
		snprintf(name, sizeof(name), "%.*s", (int)n - 4, files.v[i]);
		if (catalog_parse(name, &day, &part))
			continue;
		catalog_path(controller, day, part, rel);
		if (beneath_statat(b->root.fd, rel, &sb))
			rc = rebuild_set_aside(b, rel, "its database is missing");
	}
	names_free(&files);
	return rc;
}

/* ---- a day ---- */

/* The key of a purpose that has its end on this day is destroyed, or all are gone with it: so are the rows. */
static int day_over(struct rebuild *b, const struct lost_day *d, bool *ret_over, bool *ret_any)
{
	bool live = false, destroyed = false;

	for (unsigned p = 0; p < STORE_PURPOSES; p++) {
		struct bucket k;
		int rc = bucket_read(&b->root, d->controller, p, d->day, &k, b->why);

		sodium_memzero(k.key, sizeof(k.key));
		if (rc == -ENOENT)
			continue;
		if (rc)
			return rc;
		live |= k.state == BUCKET_LIVE;
		destroyed |= k.state != BUCKET_LIVE;
	}
	*ret_any = live || destroyed;
	*ret_over = d->day != DAY_HOLD && destroyed;
	return 0;
}

static unsigned free_part(struct rebuild *b, const struct lost_day *d)
{
	char rel[STORE_PATH_MAX];
	struct stat sb;
	unsigned part = 1;

	for (; part < CATALOG_PARTS; part++) {
		catalog_path(d->controller, d->day, part, rel);
		if (beneath_statat(b->root.fd, rel, &sb))
			break;
	}
	return part;
}

static int make_partition(struct rebuild *b, struct lost_day *d)
{
	struct store_rebuild_report before = b->rep;
	struct filling f = { .b = b, .d = d };
	unsigned part = free_part(b, d);
	char rel[STORE_PATH_MAX];
	int rc = seal_new(&b->root, d->controller, d->day, part, rebuild_fill, &f, b->why);

	if (rc == -ENODATA) /* there was nothing in all of it that may come back */
		return 0;
	if (rc)
		return rc;
	b->rep.partitions++;
	catalog_free(b->catalog); /* knows nothing of this one */
	b->catalog = NULL;
	catalog_path(d->controller, d->day, part, rel);
	rebuild_say(b, rel, "made anew: %llu rows from copies, %llu from chunks and slots, %llu from the evidence log",
		    (unsigned long long)(b->rep.copied - before.copied), (unsigned long long)(b->rep.bare - before.bare),
		    (unsigned long long)(b->rep.denied - before.denied));
	return 0;
}

static int rebuild_lost(struct rebuild *b, struct lost_day *d)
{
	char rel[STORE_PATH_MAX];
	bool over, any;
	int rc = rebuild_find(b, d);

	if (!rc && !d->damaged && !d->copies.n && !d->bares.n)
		return 0;
	if (!rc)
		rc = day_over(b, d, &over, &any);
	if (rc)
		return rc;
	/* Audio without any key of its day: it was given up but for this. */
	over |= d->day != DAY_HOLD && !any && (d->copies.n || d->bares.n);
	if (over) {
		rc = rebuild_held(b, d);
		if (rc)
			return rc;
		if (d->copies.n + d->bares.n)
			return make_partition(b, d);
		catalog_path(d->controller, d->day, 1, rel);
		rebuild_say(b, rel, "not made anew: the day was destroyed");
		return 0;
	}
	rc = rebuild_log(b, d);
	return rc || !(d->copies.n + d->bares.n + d->gones.n) ? rc : make_partition(b, d);
}

static void day_free(struct lost_day *d)
{
	list_free(&d->known.list);
	list_free(&d->pieces);
	list_free(&d->copies);
	list_free(&d->bares);
	list_free(&d->gones);
	list_free(&d->like);
}

static int rebuild_day(struct rebuild *b, const char *controller, uint32_t day, bool damaged)
{
	struct lost_day d = { .controller = controller, .day = day, .damaged = damaged };
	struct taking t = { .b = b, .d = &d };
	int rc;

	d.pieces.size = d.copies.size = sizeof(struct piece);
	d.bares.size = sizeof(struct bare);
	d.gones.size = sizeof(struct gone);
	d.like.size = sizeof(struct like);
	rc = catalog_each_of(&b->root, controller, day, take_part, &t);
	uids_sort(&d.known);
	if (!rc)
		rc = day == DAY_HOLD ? rebuild_hold(b, &d) : rebuild_lost(b, &d);
	if (rc == -ENOMEM)
		rc = why_set(b->why, rc, "out of memory");
	day_free(&d);
	return rc;
}

/* ---- a controller ---- */

struct days {
	struct list list; /* uint32_t */
};

static int days_add(struct days *s, uint32_t day)
{
	uint32_t *v = s->list.v;

	for (size_t i = 0; i < s->list.n; i++)
		if (v[i] == day)
			return 0;
	s->list.size = sizeof(day);
	v = list_add(&s->list);
	if (!v)
		return -ENOMEM;
	*v = day;
	return 0;
}

/* Days that have segments, or that anything in the catalog is named after, damaged or not. */
static int days_of(struct rebuild *b, const char *top, const char *controller, struct days *ret)
{
	char dir[STORE_PATH_MAX];
	struct names names;
	uint32_t day;
	int rc;

	snprintf(dir, sizeof(dir), "%s/%s", top, controller);
	rc = names_read(&b->root, dir, &names);
	if (rc)
		return rc == -ENOTDIR ? 0 : why_errno(b->why, rc, dir, "cannot read directory");
	for (size_t i = 0; !rc && i < names.n; i++)
		if (!day_parse(names.v[i], strcspn(names.v[i], "."), &day))
			rc = days_add(ret, day);
	names_free(&names);
	return rc;
}

/* It was set aside, perhaps by a run before that was killed. */
static bool was_damaged(struct rebuild *b, const char *controller, uint32_t day)
{
	char dir[STORE_PATH_MAX], text[16];
	struct names names;
	bool was = false;

	day_text(day, text);
	snprintf(dir, sizeof(dir), "catalog/%s", controller);
	if (names_read(&b->root, dir, &names))
		return false;
	for (size_t i = 0; i < names.n; i++)
		was |= !strncmp(names.v[i], text, strlen(text)) && strstr(names.v[i], ".db.damaged");
	names_free(&names);
	return was;
}

static int rebuild_controller(struct rebuild *b, const char *controller)
{
	struct days days = { { 0 } };
	int rc = set_aside_strays(b, controller);

	if (!rc)
		rc = days_of(b, "segments", controller, &days);
	if (!rc)
		rc = days_of(b, "catalog", controller, &days);
	for (size_t i = 0; !rc && i < days.list.n; i++) {
		uint32_t day = ((const uint32_t *)days.list.v)[i];

		rc = rebuild_day(b, controller, day, was_damaged(b, controller, day));
	}
	list_free(&days.list);
	return rc;
}

static int rebuild_all(struct rebuild *b)
{
	struct names catalog, segments;
	int rc = names_read(&b->root, "catalog", &catalog);

	if (rc)
		return why_errno(b->why, rc, "catalog", "cannot read directory");
	rc = names_read(&b->root, "segments", &segments);
	if (rc)
		rc = why_errno(b->why, rc, "segments", "cannot read directory");
	for (size_t i = 0; !rc && i < segments.n; i++)
		if (!name_check(segments.v[i]))
			rc = rebuild_controller(b, segments.v[i]);
	for (size_t i = 0; !rc && i < catalog.n; i++) {
		bool done = false;

		for (size_t k = 0; k < segments.n; k++)
			done |= !strcmp(catalog.v[i], segments.v[k]);
		if (!done && !name_check(catalog.v[i]))
			rc = rebuild_controller(b, catalog.v[i]);
	}
	names_free(&catalog);
	names_free(&segments);
	return rc;
}

/* ---- the list of partitions (open.db) ---- */

struct listed {
	char controller[STORE_NAME_MAX];
	uint32_t day;
	unsigned part;
};

struct listing {
	struct rebuild *b;
	struct list gone;
	bool failed;
};

static void take_listed(void *arg, const char *controller, uint32_t day, unsigned part)
{
	struct listing *l = arg;
	char rel[STORE_PATH_MAX];
	struct listed *v;
	struct stat sb;

	if (name_check(controller) || !part || part > CATALOG_PARTS)
		return;
	catalog_path(controller, day, part, rel);
	if (!beneath_statat(l->b->root.fd, rel, &sb))
		return;
	v = list_add(&l->gone);
	l->failed |= !v;
	if (!v)
		return;
	snprintf(v->controller, sizeof(v->controller), "%s", controller);
	v->day = day;
	v->part = part;
}

/* What nothing could be made of is not missed any more. */
static int unlist(struct rebuild *b)
{
	struct listing l = { .b = b, .gone = { .size = sizeof(struct listed) } };
	const struct listed *v;
	struct opens *o = NULL;
	int rc = 0;

	if (opens_listed(&b->root, take_listed, &l) || (!l.gone.n && !l.failed)) { /* damaged: fsck names it */
		list_free(&l.gone);
		return l.failed ? -ENOMEM : 0;
	}
	rc = l.failed ? why_set(b->why, -ENOMEM, "out of memory") : opens_new(&b->root, &o, b->why);
	v = l.gone.v;
	for (size_t i = 0; !rc && i < l.gone.n; i++) {
		char rel[STORE_PATH_MAX];

		catalog_path(v[i].controller, v[i].day, v[i].part, rel);
		rebuild_say(b, rel, "is not there, and nothing more can be made of what it had");
		rc = opens_unlist(o, v[i].controller, v[i].day, v[i].part, b->why);
	}
	if (!rc)
		rc = opens_sync(o, b->why);
	opens_free(o);
	list_free(&l.gone);
	return rc;
}

/* ---- all of it ---- */

static int lock_file(struct rebuild *b, const char *name, const char *who, int *ret)
{
	*ret = beneath_openat(b->root.fd, name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (*ret < 0)
		return why_errno(b->why, -errno, name, "cannot open");
	if (flock(*ret, LOCK_EX | LOCK_NB))
		return errno == EWOULDBLOCK ? why_set(b->why, -EBUSY, "%s: %s runs; stop it first", b->root.path, who) :
					      why_errno(b->why, -errno, name, "cannot lock");
	return 0;
}

static void note_open(void *arg, const struct uid *uid, const uint8_t *p, size_t n)
{
	struct rebuild *b = arg;

	(void)p;
	(void)n;
	if (uid && uids_add(&b->open, uid))
		why_set(b->why, -ENOMEM, "out of memory");
}

static int run(struct rebuild *b)
{
	int rc;

	b->why->text[0] = 0;
	(void)opens_check(&b->root, note_open, b); /* damaged: fsck names it; then they are as others without a row */
	if (b->why->text[0])
		return -ENOMEM;
	uids_sort(&b->open);
	seal_clean(&b->root);
	rc = overlay_new(&b->root, &b->overlay);
	if (rc)
		return why_set(b->why, rc, "out of memory");
	overlay_no_slots(b->overlay);
	rc = rebuild_journal(b);
	if (!rc)
		rc = rebuild_all(b);
	if (!rc)
		rc = rebuild_later(b);
	return rc ? rc : unlist(b);
}

int store_rebuild(const char *dir, void (*cb)(void *arg, const char *file, const char *text), void *arg,
		  struct store_rebuild_report *ret, char *why, size_t n)
{
	struct why w = { "" };
	struct rebuild b = { .why = &w, .cb = cb, .arg = arg, .root = { .fd = -1 } };
	int lock = -1, reaper = -1, rc = keys_init();

	if (!rc)
		rc = root_open(dir, &b.root, &w);
	if (!rc)
		rc = lock_file(&b, "lock", "a recorder", &lock);
	if (!rc)
		rc = lock_file(&b, "reap.lock", "a reaper", &reaper);
	if (!rc)
		rc = root_upgrade(&b.root, &w);
	if (!rc)
		rc = run(&b);
	overlay_free(b.overlay);
	catalog_free(b.catalog);
	list_free(&b.open.list);
	if (reaper >= 0)
		close(reaper);
	if (lock >= 0)
		close(lock);
	root_close(&b.root);
	if (rc && why && n)
		snprintf(why, n, "%s", *w.text ? w.text : strerror(-rc));
	*ret = b.rep;
	return rc;
}
