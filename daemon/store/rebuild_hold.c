/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rebuild_hold.c - rows of calls on hold whose hold.db was lost, see rebuild_internal.h
 *
 * Only calls that are on hold come back, and that have no row elsewhere: the rest is what the reaper left behind when
 * it was killed, or what it has not taken away yet. So it is with a day that is over. From the copy of the row beside the audio; where there is none, from chunks
 * and the journal, restricted.
 */
#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "store/hold.h"
#include "store/hold_area.h"
#include "store/reap_db.h"
#include "store/rebuild_internal.h"
#include "store/slot.h"

struct holding {
	struct rebuild *b;
	struct lost_day *d;
	struct holds *holds; /* NULL: the journal is damaged; then who has a key on hold is */
	sqlite3 *area;	     /* hold.db, for a day; NULL none */
};

/* The wrap of a call without a copy of its row is known from its hold. */
static bool is_held(const struct holding *h, const struct uid *uid, struct wrap *ret)
{
	const struct hold *x = h->holds ? hold_is(h->holds, uid) : NULL;
	struct slot slot;
	struct why none;
	uint8_t key[32];
	bool own;

	if (x && !strcmp(x->controller, h->d->controller))
		*ret = (struct wrap){ .day = x->day, .slot = x->slot, .until_ns = x->until_ns };
	if (h->holds)
		return x && !strcmp(x->controller, h->d->controller);
	own = !hold_slot_find(&h->b->root, h->d->controller, uid, &slot, key, &none);
	sodium_memzero(key, sizeof(key));
	return own;
}

static int has_row(const struct holding *h, const struct uid *uid)
{
	struct reap_row row;
	struct why none;
	int rc = h->b->catalog ? 0 : catalog_new(&h->b->root, NULL, &h->b->catalog);

	if (rc)
		return rc;
	if (h->area && reap_row_in(h->area, uid, &row, &none) == 1)
		return 1;
	rc = catalog_known(h->b->catalog, h->d->controller, uid, &none);
	return rc == -ENOMEM ? rc : rc > 0; /* damaged: fsck names it */
}

/* 1 the call comes back. */
static int wanted(const struct holding *h, const struct uid *uid, struct wrap *ret)
{
	int rc = is_held(h, uid, ret) ? has_row(h, uid) : 1;

	if (rc == 1)
		h->b->rep.over++;
	return rc < 0 ? rc : !rc;
}

static int choose(const struct holding *h)
{
	struct piece *c = h->d->copies.v;
	struct bare *x = h->d->bares.v;
	size_t n = 0, m = 0;
	int rc = 0;

	for (size_t i = 0; rc >= 0 && i < h->d->copies.n; i++) {
		struct wrap none;

		rc = wanted(h, &c[i].uid, &none);
		if (rc == 1)
			c[n++] = c[i];
	}
	for (size_t i = 0; rc >= 0 && i < h->d->bares.n; i++) {
		rc = wanted(h, &x[i].uid, &x[i].wrap[STORE_DOCUMENTATION]);
		if (rc == 1)
			x[m++] = x[i];
	}
	h->d->copies.n = n;
	h->d->bares.n = m;
	return rc < 0 ? rc : 0;
}

static int write_rows(struct rebuild *b, struct lost_day *d)
{
	struct filling f = { .b = b, .d = d };
	uint64_t copied = b->rep.copied, bare = b->rep.bare;
	char rel[STORE_PATH_MAX];
	sqlite3 *sql;
	int rc = area_open(&b->root, d->controller, &sql, b->why);

	if (rc)
		return rc;
	catalog_path(d->controller, DAY_HOLD, 1, rel);
	if (sqlite3_exec(sql, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK)
		rc = why_set(b->why, -EIO, "%s: %s", rel, sqlite3_errmsg(sql));
	if (!rc)
		rc = rebuild_fill(&f, sql);
	if (!rc && sqlite3_exec(sql, "COMMIT", NULL, NULL, NULL) != SQLITE_OK)
		rc = why_set(b->why, -EIO, "%s: %s", rel, sqlite3_errmsg(sql));
	if (rc)
		(void)sqlite3_exec(sql, "ROLLBACK", NULL, NULL, NULL); /* the first error counts */
	rc = area_close(&b->root, d->controller, sql, rc == -ENODATA ? 1 : rc, b->why);
	if (rc || b->rep.copied + b->rep.bare == copied + bare)
		return rc;
	b->rep.partitions++;
	catalog_free(b->catalog); /* knows nothing of this one */
	b->catalog = NULL;
	rebuild_say(b, rel, "made anew: %llu rows of calls on hold from copies, %llu from chunks and the journal of holds",
		    (unsigned long long)(b->rep.copied - copied), (unsigned long long)(b->rep.bare - bare));
	return 0;
}

int rebuild_held(struct rebuild *b, struct lost_day *d)
{
	struct holding h = { .b = b, .d = d };
	struct why none;
	int rc = d->day == DAY_HOLD ? -ENOENT : reap_db_open(&b->root, d->controller, DAY_HOLD, 1, &h.area, &none);

	if (rc)
		h.area = NULL; /* one that is damaged is made anew, without these */
	if (holds_open(&b->root, HOLDS_READ, &h.holds, &none))
		h.holds = NULL;
	rc = choose(&h);
	d->held = true;
	holds_close(h.holds);
	sqlite3_close(h.area);
	return rc;
}

int rebuild_hold(struct rebuild *b, struct lost_day *d)
{
	int rc = rebuild_find(b, d);

	if (rc || !(d->copies.n + d->bares.n))
		return rc;
	rc = rebuild_held(b, d);
	if (rc)
		return rc;
	return d->copies.n + d->bares.n ? write_rows(b, d) : 0;
}
