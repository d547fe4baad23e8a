/* SPDX-License-Identifier: BSD-2-Clause */
/* fsck_rows.c - checks catalogs, and collects what their rows refer to, see fsck_internal.h */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "store/catalog.h"
#include "store/fsck_internal.h"
#include "store/slot.h"
#include "store/writer.h"

int fsck_ref_add(struct fsck *f, struct refs *r, const struct ref *ref)
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

int fsck_place(struct fsck *f, const char *controller, int purpose, uint32_t day, uint32_t *ret)
{
	struct place *p;

	for (size_t i = f->nplace; i-- > 0;) /* the last ones are the likely ones */
		if (f->place[i].day == day && f->place[i].purpose == purpose &&
		    !strcmp(f->place[i].controller, controller)) {
			*ret = (uint32_t)i;
			return 0;
		}
	p = realloc(f->place, (f->nplace + 1) * sizeof(*p));
	if (!p) {
		(void)why_set(f->why, -ENOMEM, "out of memory");
		return -ENOMEM; /* said so that who analyzes the callers sees it */
	}
	f->place = p;
	p[f->nplace] = (struct place){ .purpose = purpose, .day = day };
	snprintf(p[f->nplace].controller, STORE_NAME_MAX, "%s", controller);
	*ret = (uint32_t)f->nplace++;
	return 0;
}

int fsck_ref_cmp(const void *a, const void *b)
{
	const struct ref *x = a, *y = b;

	if (x->place != y->place)
		return x->place < y->place ? -1 : 1;
	if (x->segment != y->segment)
		return x->segment < y->segment ? -1 : 1;
	return x->off < y->off ? -1 : x->off > y->off;
}

/* First ref at or after (place, segment, off). */
size_t fsck_ref_lower(const struct refs *r, uint32_t place, uint32_t segment, uint64_t off)
{
	struct ref key = { .place = place, .segment = segment, .off = off };
	size_t lo = 0, hi = r->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (fsck_ref_cmp(&r->v[mid], &key) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}
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
		rc = overlay_state(f->overlay, controller, &row->row.uid, (enum store_purpose)p, row->purpose_day[p],
				   row->purpose_slot[p], &s, reason, f->why);
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
		rc = fsck_place(f, controller, -1, row->day, &ref.place);
	if (!rc)
		rc = fsck_stray(f, &f->rows, &row->row.uid, ref.place, 0);
	while (!rc && (got = !due.chunks ? 0 : extent_get(&p, &n, &st, &e)) != 0) {
		if (got < 0) {
			fsck_found(f, name, 0, "C-2", "a call's list of chunks does not parse");
			break;
		}
		ref.segment = e.segment;
		ref.off = e.off;
		ref.len = e.len;
		rc = fsck_ref_add(f, &f->chunks, &ref);
		ref.order++;
	}
	for (int i = 0; !rc && i < STORE_PURPOSES; i++) {
		if (!due.wrap[i])
			continue;
		if (!row->purpose_slot[i]) {
			fsck_found(f, name, 0, "K-5", "a purpose is granted, but the row names no slot");
			continue;
		}
		rc = fsck_place(f, controller, i, row->purpose_day[i], &ref.place);
		ref.segment = row->purpose_slot[i];
		ref.off = (uint64_t)ref.segment * SLOT_SIZE;
		if (!rc)
			rc = fsck_ref_add(f, &f->slots, &ref);
	}
	return rc;
}

static bool torn(const struct fsck *f, const char *name)
{
	struct stat sb;

	return !beneath_statat(f->root.fd, name, &sb) && sb.st_size % 512; /* the smallest page */
}

static int catalog_damaged(struct fsck *f, const char *controller, uint32_t day, const char *file, const char *rule, const char *text)
{
	uint32_t place;
	int rc = fsck_place(f, controller, -1, day, &place);

	fsck_found(f, file, 0, rule, text);
	if (!rc)
		f->place[place].damaged = true;
	return rc;
}

int fsck_catalog(void *arg, const char *controller, uint32_t day, unsigned part)
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
	if (rc)
		return catalog_damaged(f, controller, day, name, "C-1", why.text);
	if (cursor_check(c, &why))
		rc = catalog_damaged(f, controller, day, name, "C-1", why.text);
	else if (torn(f, name)) /* SQLite takes what is missing of its last page for zeros */
		rc = catalog_damaged(f, controller, day, name, "C-1", "no whole number of pages: cut");
	while (!rc) {
		rc = cursor_next(c, &row, &why);
		if (rc == 1) {
			rc = row_refs(f, controller, row);
			if (rc)
				break;
			continue;
		}
		if (rc == -EAGAIN)
			rc = why_set(f->why, rc, "%s", why.text);
		if (rc < 0 && rc != -EAGAIN) {
			bool row_only = rc == -EBADMSG && strstr(why.text, "C-2");

			rc = catalog_damaged(f, controller, day, name, strstr(why.text, "C-2") ? "C-2" : "C-1", why.text);
			if (row_only)
				continue;
		}
		break;
	}
	cursor_close(c);
	return rc;
}
