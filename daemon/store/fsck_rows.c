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

/* Room for one more in an array of *cap. */
static int room(struct fsck *f, void **v, size_t n, size_t *cap, size_t size)
{
	size_t more = *cap ? *cap * 2 : 1024;
	void *p;

	if (n < *cap)
		return 0;
	p = realloc(*v, more * size);
	if (!p)
		return why_set(f->why, -ENOMEM, "out of memory");
	*v = p;
	*cap = more;
	return 0;
}

static int chunk_add(struct fsck *f, const struct ref *ref)
{
	struct refs *r = &f->chunks;
	void *v = r->v;
	int rc = room(f, &v, r->n, &r->cap, sizeof(*r->v));

	r->v = v;
	if (!rc)
		r->v[r->n++] = *ref;
	return rc;
}

static int slot_add(struct fsck *f, const struct slot_ref *ref)
{
	struct slot_refs *r = &f->slots;
	void *v = r->v;
	int rc = room(f, &v, r->n, &r->cap, sizeof(*r->v));

	r->v = v;
	if (!rc)
		r->v[r->n++] = *ref;
	return rc;
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

/* ---- of the day at hand ---- */

static int ref_cmp(const void *a, const void *b)
{
	const struct ref *x = a, *y = b;

	if (x->segment != y->segment)
		return x->segment < y->segment ? -1 : 1;
	return x->off < y->off ? -1 : x->off > y->off;
}

size_t fsck_ref_lower(const struct refs *r, uint32_t segment, uint64_t off)
{
	struct ref key = { .segment = segment, .off = off };
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

static int uid_cmp(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct uid));
}

bool fsck_day_has(const struct fsck *f, const struct uid *uid)
{
	return f->row && bsearch(uid, f->row_uid, f->row, sizeof(*uid), uid_cmp);
}

int fsck_day_read(struct fsck *f)
{
	free(f->row_uid);
	f->row_uid = calloc((size_t)f->row + 1, sizeof(*f->row_uid));
	if (!f->row_uid)
		return why_set(f->why, -ENOMEM, "out of memory");
	for (uint32_t i = 0; i < f->row; i++)
		f->row_uid[i] = f->row_info[i].uid;
	if (f->row)
		qsort(f->row_uid, f->row, sizeof(*f->row_uid), uid_cmp);
	if (f->chunks.n)
		qsort(f->chunks.v, f->chunks.n, sizeof(*f->chunks.v), ref_cmp);
	return 0;
}

void fsck_day_over(struct fsck *f)
{
	free(f->chunks.v);
	free(f->row_info);
	free(f->row_uid);
	free(f->epoch);
	f->chunks = (struct refs){ 0 };
	f->row_info = NULL;
	f->row_uid = NULL;
	f->epoch = NULL;
	f->nepoch = f->row = 0;
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

/* Remembers f->row, and its parts. */
static int row_table(struct fsck *f, const struct cursor_row *row)
{
	size_t at = f->nepoch;
	struct row_info *t = grown(f, f->row_info, f->row, 1, sizeof(*t));
	uint32_t *epoch = row->parts.n ? grown(f, f->epoch, at, row->parts.n, sizeof(*epoch)) : f->epoch;

	f->row_info = t ? t : f->row_info;
	f->epoch = epoch ? epoch : f->epoch;
	if (!t || (row->parts.n && !epoch))
		return -ENOMEM;
	t[f->row] = (struct row_info){ row->row.uid, at, (unsigned)row->parts.n };
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

static int chunk_refs(struct fsck *f, const char *name, const struct cursor_row *row)
{
	struct ref ref = { .row = f->row - 1 };
	struct extent_state st = { 0 };
	const uint8_t *p = row->extents;
	size_t n = row->extents_len;
	struct extent e;
	int got, rc = 0;

	while (!rc && (got = extent_get(&p, &n, &st, &e)) != 0) {
		if (got < 0) {
			fsck_found(f, name, 0, "C-2", "a call's list of chunks does not parse");
			break;
		}
		ref.segment = e.segment;
		ref.off = e.off;
		ref.len = e.len;
		rc = chunk_add(f, &ref);
		ref.order++;
	}
	return rc;
}

static int row_refs(struct fsck *f, const char *controller, const struct cursor_row *row)
{
	struct slot_ref ref = { .uid = row->row.uid };
	char name[STORE_PATH_MAX];
	uint32_t place;
	struct due due;
	int rc = what_is_due(f, controller, row, &due);

	if (rc)
		return rc;
	f->rep.rows++;
	f->rep.calls += row->row.outcome == STORE_O_KEPT;
	catalog_path(controller, row->day, row->part, name);
	rc = row_table(f, row);
	if (rc)
		return rc;
	f->row++;
	rc = fsck_place(f, controller, -1, row->day, &place);
	if (!rc)
		rc = fsck_stray(f, &f->rows, &row->row.uid, place, 0);
	if (!rc && due.chunks)
		rc = chunk_refs(f, name, row);
	for (int i = 0; !rc && i < STORE_PURPOSES; i++) {
		if (!due.wrap[i])
			continue;
		if (!row->purpose_slot[i]) {
			fsck_found(f, name, 0, "K-5", "a purpose is granted, but the row names no slot");
			continue;
		}
		rc = fsck_place(f, controller, i, row->purpose_day[i], &ref.place);
		ref.slot = row->purpose_slot[i];
		if (!rc)
			rc = slot_add(f, &ref);
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

int fsck_catalog(struct fsck *f, const char *controller, uint32_t day, unsigned part)
{
	struct store_filter all = { .state = -1 };
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
