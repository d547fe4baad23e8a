/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fsck.c - checks every file of a store against FORMAT.md, without any key
 *
 * Catalogs are read first and segments and slots after them: a recorder that
 * runs meanwhile writes in the opposite order, so no row can be ahead of what
 * it refers to. Never writes.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/catalog.h"
#include "store/fsck_hold.h"
#include "store/overlay.h"
#include "store/rowcopy.h"
#include "store/opens.h"
#include "store/segment.h"
#include "store/slots.h"
#include "store/store_call.h"
#include "store/store_internal.h"
#include "store/writer.h"

/* A chunk or a slot that a row refers to. */
struct ref {
	uint32_t place; /* index in fsck.places */
	uint32_t row;
	uint32_t segment; /* or slot */
	uint32_t len;
	uint64_t off;
	uint64_t order;	 /* of extents in their row */
	uint32_t number; /* as found in the chunk */
	uint32_t epoch, part;
	uint8_t leg;
	bool found, reported;
	struct uid uid;
};

struct refs {
	struct ref *v;
	size_t n, cap;
};

/* A directory of segments or a file of slots. */
struct place {
	char controller[STORE_NAME_MAX];
	int purpose; /* -1: segments */
	uint32_t day;
	bool over; /* slots: the bucket is destroyed, or its day has come */
};

/* Epochs of the parts of a row, in fsck.epoch. n 0: format 1, one part. */
struct row_parts {
	size_t at;
	unsigned n;
};

struct fsck {
	struct root root;
	struct why *why;
	void (*cb)(void *arg, const char *file, uint64_t off, const char *rule, const char *text);
	void *arg;
	struct store_fsck_report rep;
	struct place *place;
	size_t nplace;
	struct refs chunks, slots;
	struct overlay *overlay; /* what became of calls later */
	struct row_parts *row_parts; /* by row */
	uint32_t *epoch;
	size_t nepoch;
	uint32_t row;
};

static void found(struct fsck *f, const char *file, uint64_t off, const char *rule, const char *text)
{
	f->rep.damaged++;
	if (f->cb)
		f->cb(f->arg, file, off, rule, text);
}

/* A file that cannot be read is a finding too: the rest is still worth checking. */
static int unreadable(struct fsck *f, const char *file, int rc, const char *rule)
{
	if (rc == -ENOMEM)
		return why_set(f->why, rc, "%s: out of memory", file);
	found(f, file, 0, rule, strerror(-rc));
	return 0;
}

static int ref_add(struct fsck *f, struct refs *r, const struct ref *ref)
{
	if (r->n == r->cap) {
		size_t cap = r->cap ? r->cap * 2 : 1024;
		struct ref *v = realloc(r->v, cap * sizeof(*v));

		if (!v)
			return why_set(f->why, -ENOMEM, "out of memory");
		r->v = v;
		r->cap = cap;
	}
	r->v[r->n++] = *ref;
	return 0;
}

static int place_get(struct fsck *f, const char *controller, int purpose, uint32_t day, uint32_t *ret)
{
	struct place *p;

	for (size_t i = f->nplace; i-- > 0;) /* the last ones are the likely ones */
		if (f->place[i].day == day && f->place[i].purpose == purpose &&
		    !strcmp(f->place[i].controller, controller)) {
			*ret = (uint32_t)i;
			return 0;
		}
	p = realloc(f->place, (f->nplace + 1) * sizeof(*p));
	if (!p)
		return why_set(f->why, -ENOMEM, "out of memory");
	f->place = p;
	p[f->nplace] = (struct place){ .purpose = purpose, .day = day };
	snprintf(p[f->nplace].controller, STORE_NAME_MAX, "%s", controller);
	*ret = (uint32_t)f->nplace++;
	return 0;
}

static int ref_cmp(const void *a, const void *b)
{
	const struct ref *x = a, *y = b;

	if (x->place != y->place)
		return x->place < y->place ? -1 : 1;
	if (x->segment != y->segment)
		return x->segment < y->segment ? -1 : 1;
	return x->off < y->off ? -1 : x->off > y->off;
}

static int ref_row_cmp(const void *a, const void *b)
{
	const struct ref *x = a, *y = b;

	if (x->row != y->row)
		return x->row < y->row ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

/* First ref at or after (place, segment, off). */
static size_t ref_lower(const struct refs *r, uint32_t place, uint32_t segment, uint64_t off)
{
	struct ref key = { .place = place, .segment = segment, .off = off };
	size_t lo = 0, hi = r->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (ref_cmp(&r->v[mid], &key) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* ---- catalogs ---- */

/* Room for n elements behind `have`; NULL: no memory, and v is as it was. */
static void *grown(struct fsck *f, void *v, size_t have, size_t n, size_t size)
{
	size_t cap = 64;
	void *p;

	while (cap < have + n)
		cap *= 2;
	p = have && cap / 2 < have ? v : realloc(v, cap * size); /* it was made as large */
	if (!p)
		(void)why_set(f->why, -ENOMEM, "out of memory");
	return p;
}

/* Remembers the parts of f->row. */
static int row_table(struct fsck *f, const struct cursor_row *row)
{
	size_t at = f->nepoch;
	struct row_parts *t = grown(f, f->row_parts, f->row, 1, sizeof(*t));
	uint32_t *epoch = row->parts.n ? grown(f, f->epoch, at, row->parts.n, sizeof(*epoch)) : f->epoch;

	f->row_parts = t ? t : f->row_parts;
	f->epoch = epoch ? epoch : f->epoch;
	if (!t || (row->parts.n && !epoch))
		return -ENOMEM;
	t[f->row] = (struct row_parts){ at, (unsigned)row->parts.n };
	f->nepoch += row->parts.n;
	for (size_t i = 0; i < row->parts.n; i++)
		f->epoch[at + i] = row->parts.v[i].epoch;
	return 0;
}

/* What of a row is still to be found. */
struct due {
	bool wrap[STORE_PURPOSES], chunks;
};

/*
 * A wrap must be there unless it was destroyed by right since, or the call is held, by a key of its own. When that is so for
 * all purposes, chunks may be gone, but where the held copy is.
 */
static int what_is_due(struct fsck *f, const char *controller, const struct cursor_row *row, struct due *ret)
{
	bool any = false, held = false;

	*ret = (struct due){ .chunks = true };
	for (int p = 0; p < STORE_PURPOSES; p++) {
		enum store_state s = row->row.state[p];
		char reason[LATER_REASON];
		int rc;

		if (!state_holds(s))
			continue;
		any = true;
		rc = overlay_state(f->overlay, controller, &row->row.uid, (enum store_purpose)p, row->purpose_day[p], &s, reason,
				   f->why);
		if (rc == -ENOMEM)
			return rc;
		ret->wrap[p] = rc <= 0; /* damage is told elsewhere */
		held |= state_holds(s);
	}
	if (any && !ret->wrap[0] && !ret->wrap[1])
		ret->chunks = held && row->day == DAY_HOLD;
	return 0;
}

static int row_refs(struct fsck *f, const char *controller, const struct cursor_row *row)
{
	struct ref ref = { .row = f->row, .uid = row->row.uid };
	const uint8_t *p = row->extents;
	size_t n = row->extents_len;
	struct extent_state st = { 0 };
	char name[STORE_PATH_MAX];
	struct extent e;
	struct due due;
	int got, rc = what_is_due(f, controller, row, &due);

	if (rc)
		return rc;
	f->rep.rows++;
	f->rep.calls += row->row.outcome == STORE_O_KEPT;
	catalog_path(controller, row->day, row->part, name);
	rc = row_table(f, row);
	f->row++;
	if (!rc)
		rc = place_get(f, controller, -1, row->day, &ref.place);
	while (!rc && (got = !due.chunks ? 0 : extent_get(&p, &n, &st, &e)) != 0) {
		if (got < 0) {
			found(f, name, 0, "C-2", "a call's list of chunks does not parse");
			break;
		}
		ref.segment = e.segment;
		ref.off = e.off;
		ref.len = e.len;
		rc = ref_add(f, &f->chunks, &ref);
		ref.order++;
	}
	for (int i = 0; !rc && i < STORE_PURPOSES; i++) {
		if (!due.wrap[i])
			continue;
		if (!row->purpose_slot[i]) {
			found(f, name, 0, "K-5", "a purpose is granted, but the row names no slot");
			continue;
		}
		rc = place_get(f, controller, i, row->purpose_day[i], &ref.place);
		ref.segment = row->purpose_slot[i];
		ref.off = (uint64_t)ref.segment * SLOT_SIZE;
		if (!rc)
			rc = ref_add(f, &f->slots, &ref);
	}
	return rc;
}

static bool torn(const struct fsck *f, const char *name)
{
	struct stat sb;

	return !beneath_statat(f->root.fd, name, &sb) && sb.st_size % 512; /* the smallest page */
}

static int check_catalog(void *arg, const char *controller, uint32_t day, unsigned part)
{
	struct store_filter all = { .state = -1 };
	struct fsck *f = arg;
	const struct cursor_row *row;
	struct why why = { "" };
	char name[STORE_PATH_MAX];
	struct cursor *c;
	int rc = cursor_open(&f->root, controller, day, part, &all, NULL, NULL, &c, &why);

	catalog_path(controller, day, part, name);
	if (rc == -ENOENT)
		return 0;
	if (rc == -ENOMEM)
		return why_set(f->why, rc, "%s", why.text);
	if (rc) {
		found(f, name, 0, "C-1", why.text);
		return 0;
	}
	if (cursor_check(c, &why))
		found(f, name, 0, "C-1", why.text);
	else if (torn(f, name)) /* SQLite takes what is missing of its last page for zeros */
		found(f, name, 0, "C-1", "no whole number of pages: cut");
	for (;;) {
		rc = cursor_next(c, &row, &why);
		if (rc == 1) {
			rc = row_refs(f, controller, row);
			if (rc)
				break;
			continue;
		}
		if (rc == -EAGAIN)
			rc = why_set(f->why, rc, "%s", why.text);
		else if (rc < 0)
			found(f, name, 0, strstr(why.text, "C-2") ? "C-2" : "C-1", why.text);
		if (rc == -EBADMSG && strstr(why.text, "C-2"))
			continue; /* that row only */
		rc = rc == -EAGAIN ? rc : 0;
		break;
	}
	cursor_close(c);
	return rc;
}

/* ---- segments ---- */

struct seg_file {
	const char *controller;
	uint32_t day, number, place;
	bool open;
	char name[STORE_PATH_MAX];
};

static void match_chunk(struct fsck *f, const struct seg_file *s, const struct segment_item *it)
{
	size_t i = ref_lower(&f->chunks, s->place, s->number, it->off);
	struct ref *r = i < f->chunks.n ? &f->chunks.v[i] : NULL;

	f->rep.chunks++;
	if (!r || r->place != s->place || r->segment != s->number || r->off != it->off) {
		f->rep.orphan_chunks++;
		return;
	}
	r->found = r->len == it->head.length && uid_equal(&r->uid, &it->head.uid);
	r->leg = it->head.leg;
	r->number = it->head.number;
	r->epoch = it->head.epoch;
	r->part = it->head.part;
}

static void match_damage(struct fsck *f, const struct seg_file *s, const struct segment_item *it)
{
	size_t i = ref_lower(&f->chunks, s->place, s->number, it->off);

	for (; i < f->chunks.n; i++) {
		struct ref *r = &f->chunks.v[i];

		if (r->place != s->place || r->segment != s->number || r->off >= it->off + it->len)
			break;
		r->reported = true;
	}
}

static void walk(struct fsck *f, const struct seg_file *s, const uint8_t *p, size_t n)
{
	uint64_t off = SEGMENT_HEAD, end = n;
	struct segment_item it;

	if (s->open) { /* what follows the last whole chunk is the torn end of a crash */
		end = SEGMENT_HEAD;
		while (segment_next(p, n, &off, &it))
			if (it.kind == SEGMENT_CHUNK || it.kind == SEGMENT_ROW)
				end = it.off + it.len;
		off = SEGMENT_HEAD;
	}
	while (off < end && segment_next(p, (size_t)end, &off, &it)) {
		if (it.kind == SEGMENT_CHUNK)
			match_chunk(f, s, &it);
		if (it.kind == SEGMENT_ROW && !rowcopy_sound(p + it.off + ROW_HEAD, it.head.length - ROW_HEAD, &it.head.uid))
			found(f, s->name, it.off, "S-9", "copy of a row does not parse");
		if (it.kind != SEGMENT_DAMAGE)
			continue;
		found(f, s->name, it.off, it.rule, it.text);
		match_damage(f, s, &it);
	}
}

static const char *head_belongs(const struct fsck *f, const struct segment_head *h, const struct seg_file *s)
{
	if (memcmp(h->store_id, f->root.id, 16))
		return "segment of another store";
	if (h->number != s->number || h->day != s->day || strcmp(h->controller, s->controller))
		return "segment of another place";
	return NULL;
}

static int check_segment(struct fsck *f, struct seg_file *s)
{
	int fd = beneath_openat(f->root.fd, s->name, O_RDONLY | O_CLOEXEC, 0), rc = 0;
	struct segment_head h;
	const char *bad;
	uint8_t *p = NULL;
	struct stat sb;
	size_t n;

	if (fd < 0 && errno == ENOENT && s->open) { /* finished meanwhile */
		segment_path(s->controller, s->day, s->number, "seg", s->name);
		s->open = false;
		fd = beneath_openat(f->root.fd, s->name, O_RDONLY | O_CLOEXEC, 0);
	}
	if (fd < 0 || fstat(fd, &sb)) {
		rc = unreadable(f, s->name, -errno, "S-1");
		goto out;
	}
	n = (size_t)sb.st_size;
	if ((uint64_t)sb.st_size > SEGMENT_MAX) {
		found(f, s->name, 0, "S-2", "longer than a segment may be");
		goto out;
	}
	p = malloc(n + 1);
	rc = p ? pread_all(fd, p, n, 0) : -ENOMEM;
	if (rc) {
		rc = unreadable(f, s->name, rc, "S-1");
		goto out;
	}
	f->rep.segments++;
	if (!s->open && n % SEGMENT_ALIGN)
		found(f, s->name, n, "S-2", "length is not a multiple of 16");
	bad = segment_head_parse(p, n, &h);
	if (!bad)
		bad = head_belongs(f, &h, s);
	if (bad && !s->open)
		found(f, s->name, 0, "S-1", bad);
	walk(f, s, p, n);
out:
	free(p);
	if (fd >= 0)
		close(fd);
	return rc;
}

static bool digits(const char *s, size_t n)
{
	return strspn(s, "0123456789") == n;
}

static int check_segment_day(struct fsck *f, const char *controller, const char *day_name)
{
	struct seg_file s = { .controller = controller };
	char dir[STORE_PATH_MAX + 300];
	struct names files;
	int rc;

	if (day_parse(day_name, strlen(day_name), &s.day))
		return 0; /* none of ours */
	snprintf(dir, sizeof(dir), "segments/%s/%s", controller, day_name);
	rc = names_read(&f->root, dir, &files);
	if (rc)
		return unreadable(f, dir, rc, "S-1");
	rc = place_get(f, controller, -1, s.day, &s.place);
	for (size_t i = 0; !rc && i < files.n; i++) {
		const char *name = files.v[i];

		if (!digits(name, 8) || (strcmp(name + 8, ".seg") && strcmp(name + 8, ".open")))
			continue;
		s.open = name[9] == 'o';
		s.number = (uint32_t)strtoul(name, NULL, 10);
		segment_path(controller, s.day, s.number, s.open ? "open" : "seg", s.name);
		rc = check_segment(f, &s);
	}
	names_free(&files);
	return rc;
}

/* The part is one of the row's, and not one of before the leg's last. */
static bool part_fits(const struct fsck *f, const struct ref *e, uint32_t last[2])
{
	const struct row_parts *t = &f->row_parts[e->row];
	bool fits = e->part >= last[e->leg] && e->part < (t->n ? t->n : 1) && (!t->n || e->epoch >= f->epoch[t->at + e->part]);

	last[e->leg] = e->part;
	return fits;
}

/* Rows whose chunks were nowhere, and chunk numbers that do not go up by one. */
static void check_chunk_refs(struct fsck *f)
{
	struct refs *r = &f->chunks;
	char name[STORE_PATH_MAX], text[160], uid[UID_TEXT];
	struct chunk_order order = { { 0 }, { 0 } };
	uint32_t part[2] = { 0, 0 };
	bool lost = false;

	if (r->n)
		qsort(r->v, r->n, sizeof(*r->v), ref_row_cmp);
	for (size_t i = 0; i < r->n; i++) {
		const struct ref *e = &r->v[i];
		const struct place *p = &f->place[e->place];
		const char *bad = NULL, *rule = "C-3";

		if (!e->order) {
			order = (struct chunk_order){ { 0 }, { 0 } };
			part[0] = part[1] = 0;
			lost = false;
		}
		if (!e->found && !e->reported) {
			bad = "this chunk is not there or not its own";
		} else if (e->found) {
			struct chunk_head h = { .leg = e->leg, .number = e->number, .epoch = e->epoch };

			if (!chunk_follows(&order, &h) && !lost)
				bad = "a chunk before this one is missing";
			if (!part_fits(f, e, part)) {
				bad = "chunk of a part that the row does not know, or of one before";
				rule = "C-4";
			}
		} else { /* damaged and reported; whose number it had is not known */
			lost = true;
		}
		if (!bad)
			continue;
		uid_format(&e->uid, uid);
		segment_path(p->controller, p->day, e->segment, "seg", name);
		snprintf(text, sizeof(text), "row of call %s: %s", uid, bad);
		found(f, name, e->off, rule, text);
	}
}

/* ---- keys ---- */

/* Rows do not ask for wraps there any more. */
static void slots_over(struct fsck *f, const char *controller, int purpose, uint32_t day)
{
	for (size_t i = 0; i < f->nplace; i++) {
		struct place *p = &f->place[i];

		p->over |= p->day == day && p->purpose == purpose && !strcmp(p->controller, controller);
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
		found(f, name, 0, "K-6", "bucket key is missing beside its slots");
		return;
	}
	bad = rc ? strerror(-rc) : bucket_parse(raw, n, &b);
	if (!bad && (b.purpose != purpose || b.day != day || memcmp(b.store_id, f->root.id, 16)))
		bad = "belongs elsewhere";
	if (bad)
		found(f, name, 0, "K-1", bad);
	else if (b.state == BUCKET_DESTROYED || b.destroy_ns <= clock_now_ns())
		slots_over(f, controller, purpose, day);
	f->rep.buckets++;
	explicit_bzero(raw, sizeof(raw));
	explicit_bzero(&b, sizeof(b));
}

static void match_slot(struct fsck *f, uint32_t place, uint32_t index, const struct slot *s, const char *bad,
		       const char *name)
{
	size_t i = ref_lower(&f->slots, place, index, (uint64_t)index * SLOT_SIZE);
	struct ref *r = i < f->slots.n ? &f->slots.v[i] : NULL;

	if (r && (r->place != place || r->segment != index))
		r = NULL;
	if (bad) {
		found(f, name, (uint64_t)index * SLOT_SIZE, "K-3", bad);
		if (r)
			r->reported = true;
		return;
	}
	if (!s->empty)
		f->rep.slots++;
	if (r)
		r->found = !s->empty && uid_equal(&s->uid, &r->uid);
	else if (!s->empty)
		f->rep.interrupted++;
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
		return unreadable(f, name, -errno, "K-2");
	rc = place_get(f, controller, purpose, day, &place);
	for (uint32_t i = 0; !rc; i++) {
		rc = pread_all(fd, raw, sizeof(raw), (off_t)i * SLOT_SIZE);
		if (rc == -ENODATA) { /* the end, or a torn last slot: legal unless a row wants it */
			rc = 0;
			if (!i)
				found(f, name, 0, "K-2", "file shorter than its head");
			break;
		}
		if (rc) {
			rc = unreadable(f, name, rc, "K-2");
			break;
		}
		if (!i) {
			bad = slots_head_parse(raw, sizeof(raw), &h);
			if (!bad && (h.purpose != purpose || h.day != day ||
				     memcmp(h.store_id, f->root.id, 16) || strcmp(h.controller, controller)))
				bad = "head belongs elsewhere";
			if (bad)
				found(f, name, 0, "K-2", bad);
			continue;
		}
		bad = slot_parse(raw, &s);
		if (!bad && !s.empty && s.purpose != purpose)
			bad = "slot of the other purpose";
		match_slot(f, place, i, &s, bad, name);
	}
	close(fd);
	return rc;
}

static int check_key_dir(struct fsck *f, const char *controller, int purpose)
{
	char dir[STORE_PATH_MAX];
	struct names files;
	struct clock_date d;
	int rc;

	snprintf(dir, sizeof(dir), "keys/%s/%s", controller, store_purpose_names[purpose]);
	rc = names_read(&f->root, dir, &files);
	if (rc)
		return unreadable(f, dir, rc, "K-1");
	for (size_t i = 0; !rc && i < files.n; i++) {
		const char *name = files.v[i];
		bool slots;
		char other[32];

		if (strlen(name) < 11 || clock_date_parse(name, 10, &d))
			continue;
		slots = !strcmp(name + 10, ".slots");
		if (slots) {
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

static void check_slot_refs(struct fsck *f)
{
	char name[STORE_PATH_MAX], text[128], uid[UID_TEXT];

	for (size_t i = 0; i < f->slots.n; i++) {
		const struct ref *r = &f->slots.v[i];
		const struct place *p = &f->place[r->place];

		if (r->found || r->reported || p->over)
			continue;
		uid_format(&r->uid, uid);
		slots_path(p->controller, (unsigned)p->purpose, p->day, "slots", name);
		snprintf(text, sizeof(text), "row of call %s: its wrap is not there", uid);
		found(f, name, r->off, "K-5", text);
	}
}

static void bad_hold(void *arg, const char *file, uint64_t off, const char *rule, const char *text)
{
	found(arg, file, off, rule, text);
}

/* The row's wrap is there as long as its copy is. */
static void held_key(void *arg, const char *controller, uint32_t day, uint32_t slot, const struct uid *uid)
{
	struct fsck *f = arg;

	for (size_t i = 0; i < f->slots.n; i++) {
		struct ref *r = &f->slots.v[i];
		const struct place *p = &f->place[r->place];

		if (r->segment == slot && p->purpose == STORE_DOCUMENTATION && p->day == day && uid_equal(&r->uid, uid) &&
		    !strcmp(p->controller, controller))
			r->found = true;
	}
	f->rep.held++;
}

/* ---- the rest ---- */

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
				found(f, path, 0, "T-2", rc ? strerror(-rc) : "not a public key of optag");
		}
	names_free(&owners);
}

static int each_dir(struct fsck *f, const char *top)
{
	struct names owners, days;
	char dir[STORE_PATH_MAX];
	bool keys = !strcmp(top, "keys");
	int rc = names_read(&f->root, top, &owners);

	if (rc)
		return unreadable(f, top, rc, keys ? "K-1" : "S-1");
	for (size_t i = 0; !rc && i < owners.n; i++) {
		if (name_check(owners.v[i]))
			continue;
		for (int p = 0; !rc && keys && p < STORE_PURPOSES; p++)
			rc = check_key_dir(f, owners.v[i], p);
		if (keys)
			continue;
		snprintf(dir, sizeof(dir), "%s/%s", top, owners.v[i]);
		rc = names_read(&f->root, dir, &days);
		for (size_t k = 0; !rc && k < days.n; k++)
			rc = check_segment_day(f, owners.v[i], days.v[k]);
		names_free(&days);
		if (rc == -ENOTDIR)
			rc = 0;
	}
	names_free(&owners);
	return rc;
}

static void check_open(void *arg, const struct uid *uid, const uint8_t *p, size_t n)
{
	struct fsck *f = arg;
	struct store none = { .root = { .fd = -1 } };
	struct store_call *sc = NULL;

	if (record_get(&none, p, n, &sc) || !uid || !uid_equal(uid, &sc->meta.uid))
		found(f, "open.db", 0, "O-2", "record of a call in progress is damaged");
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
		found(f, "epoch", 0, "T-4", "is not a number");
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
		found(f, name, 0, "C-5", why.text);
	}
	names_free(&owners);
}

static int check_all(struct fsck *f)
{
	const char *bad;
	struct stat sb;
	int rc;

	if (beneath_statat(f->root.fd, "number.key", &sb) || sb.st_size != 32)
		found(f, "number.key", 0, "T-3", "missing or of another length");
	check_public(f);
	check_epoch(f);
	bad = opens_check(&f->root, check_open, f);
	if (bad)
		found(f, "open.db", 0, "O-1", bad);
	check_later(f);
	rc = overlay_new(&f->root, &f->overlay) ? why_set(f->why, -ENOMEM, "out of memory") : catalog_each(&f->root, check_catalog, f);
	if (rc)
		return rc;
	if (f->chunks.n)
		qsort(f->chunks.v, f->chunks.n, sizeof(*f->chunks.v), ref_cmp);
	if (f->slots.n)
		qsort(f->slots.v, f->slots.n, sizeof(*f->slots.v), ref_cmp);
	rc = each_dir(f, "segments");
	if (!rc)
		rc = each_dir(f, "keys");
	if (!rc)
		rc = fsck_holds(&f->root, &(struct fsck_hold){ .arg = f, .bad = bad_hold, .key = held_key }, f->why);
	if (rc)
		return rc;
	check_chunk_refs(f);
	check_slot_refs(f);
	return 0;
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
		found(&f, "optag.store", 0, "T-1", "does not say what it must");
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
	free(f.chunks.v);
	free(f.slots.v);
	free(f.row_parts);
	free(f.epoch);
	if (rc)
		return rc;
	*ret = f.rep;
	return f.rep.damaged != 0;
}
