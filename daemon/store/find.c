/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * find.c - rows of all catalogs in the order in which the calls began
 *
 * One cursor a database, merged; each holds one row at a time. A database or row that is damaged is
 * left out, and told when all others have been given.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store/bucket.h"
#include "store/catalog.h"
#include "store/overlay.h"
#include "store/slots.h"

struct source {
	struct cursor *cur;
	const struct cursor_row *row;
};

struct merge {
	struct store *st;
	const struct store_filter *f;
	const uint8_t *hash;
	struct overlay *overlay;
	struct source *v;
	size_t n, cap;
	int lost; /* the first damage, and what it was */
	struct why lost_why;
};

static void note_lost(struct merge *m, int rc)
{
	if (!m->lost)
		m->lost_why = m->st->why;
	m->lost = m->lost ? m->lost : rc;
}

/* As cursor_next, past damaged rows; the end, too, where the rest of a database cannot be read. */
static int next_row(struct merge *m, struct source *s)
{
	int rc;

	do {
		rc = cursor_next(s->cur, &s->row, &m->st->why);
		if (rc == -EBADMSG)
			note_lost(m, rc);
	} while (rc == -EBADMSG && strstr(m->st->why.text, "C-2")); /* that row only */
	return rc == -EBADMSG ? 0 : rc;
}

static int add_source(void *arg, const char *controller, uint32_t day, unsigned part)
{
	struct merge *m = arg;
	struct source *s;
	int rc;

	if (m->f->controller && strcmp(m->f->controller, controller))
		return 0;
	if (m->n == m->cap) {
		size_t cap = m->cap ? 2 * m->cap : 32;

		s = realloc(m->v, cap * sizeof(*s));
		if (!s)
			return why_set(&m->st->why, -ENOMEM, "out of memory");
		m->v = s;
		m->cap = cap;
	}
	s = &m->v[m->n];
	rc = cursor_open(&m->st->root, controller, day, part, m->f, m->hash, m->overlay, &s->cur, &m->st->why);
	if (rc == -ENOENT)
		return 0; /* its day was given up just now */
	if (rc == -EBADMSG)
		note_lost(m, rc);
	if (rc)
		return rc == -EBADMSG ? 0 : rc;
	m->n++;
	rc = next_row(m, s);
	if (rc == 0) {
		cursor_close(s->cur);
		m->n--;
	}
	return rc < 0 ? rc : 0;
}

/* By start and uid; of a call with two rows the one that is held comes last. */
static bool before(const struct cursor_row *x, const struct cursor_row *y)
{
	const struct store_row *a = &x->row, *b = &y->row;
	int c;

	if (a->start_ns != b->start_ns)
		return a->start_ns < b->start_ns;
	c = memcmp(&a->uid, &b->uid, sizeof(a->uid));
	return c ? c < 0 : x->day != DAY_HOLD && y->day == DAY_HOLD;
}

static struct source *oldest(struct merge *m)
{
	struct source *best = &m->v[0];

	for (size_t i = 1; i < m->n; i++)
		if (before(m->v[i].row, best->row))
			best = &m->v[i];
	return best;
}

/* The row of a held call that is still in its day's catalog too: that one counts which outlives the day. */
static bool other_row(const struct merge *m, const struct source *s)
{
	for (size_t i = 0; s->row->day != DAY_HOLD && i < m->n; i++)
		if (m->v[i].row->day == DAY_HOLD && uid_equal(&m->v[i].row->row.uid, &s->row->row.uid))
			return true;
	return false;
}

static int run(struct merge *m, int (*cb)(void *arg, const struct store_row *row), void *arg,
	       bool *ret_began)
{
	int rc = catalog_each(&m->st->root, add_source, m);

	while (!rc && m->n) {
		struct source *s = oldest(m);

		*ret_began = true;
		rc = other_row(m, s) ? 0 : cb(arg, &s->row->row);
		if (rc)
			break;
		rc = next_row(m, s);
		if (rc > 0) {
			rc = 0;
		} else if (!rc) {
			cursor_close(s->cur);
			*s = m->v[--m->n];
		}
	}
	while (m->n)
		cursor_close(m->v[--m->n].cur);
	return rc;
}

int store_row_is(const struct store *st, const struct store_row *row, int party, const char *number)
{
	uint8_t hash[NUMBER_HASH];

	if (!row->has_number[party])
		return -ENODATA;
	if (!st->numbers)
		return -EBADMSG;
	number_hash(st->number_key, number, hash);
	return memcmp(hash, row->number[party], sizeof(hash)) == 0;
}

int store_find(struct store *st, const struct store_filter *f,
	       int (*cb)(void *arg, const struct store_row *row), void *arg)
{
	struct merge m = { .st = st, .f = f };
	uint8_t hash[NUMBER_HASH];
	bool began = false;
	int rc;

	if (f->number && !st->numbers)
		return why_set(&st->why, -EBADMSG, "number.key: missing or damaged (rule T-3): no number can be looked for");
	if (f->number) {
		number_hash(st->number_key, f->number, hash);
		m.hash = hash;
	}
	for (int try = 0;; try++) {
		rc = overlay_new(&st->root, &m.overlay) ? why_set(&st->why, -ENOMEM, "out of memory") : run(&m, cb, arg, &began);
		m.lost = rc == -EAGAIN && !began ? 0 : m.lost;
		if (!rc && !m.lost)
			m.lost = overlay_damage(m.overlay, &m.lost_why);
		overlay_free(m.overlay);
		if (rc != -EAGAIN || began || try == 3)
			break;
	}
	free(m.v);
	if (!rc && m.lost) {
		rc = m.lost;
		st->why = m.lost_why;
	}
	return rc;
}

bool store_row_key(const struct store *st, const struct store_row *row, enum store_purpose p)
{
	/* store_find hands out the rows of its cursors */
	const struct cursor_row *c = (const struct cursor_row *)(const void *)row;
	struct bucket b = { 0 };
	struct slot s;
	struct why none;
	bool live;

	if (!c->purpose_slot[p] || !c->purpose_day[p] ||
	    slot_read(&st->root, row->controller, p, c->purpose_day[p], c->purpose_slot[p], &s, &none) || s.empty || !uid_equal(&s.uid, &row->uid))
		return false;
	live = !bucket_read(&st->root, row->controller, p, c->purpose_day[p], &b, &none) && b.state == BUCKET_LIVE;
	explicit_bzero(&b, sizeof(b));
	return live;
}
