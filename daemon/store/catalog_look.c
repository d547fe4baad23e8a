/* SPDX-License-Identifier: BSD-2-Clause */
/* catalog_look.c - whether a call was written before, and what its row says, see catalog.h */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "store/catalog_internal.h"
#include "store/known.h"

/* A slot that a row may name. */
struct wrap_place {
	unsigned purpose;
	uint32_t slot;
	char day[16];
};

static bool names_place(sqlite3_stmt *st, const struct wrap_place *w)
{
	const char *day = (const char *)sqlite3_column_text(st, (int)(2 * w->purpose));

	return day && !strcmp(day, w->day) && sqlite3_column_int64(st, (int)(2 * w->purpose + 1)) == w->slot;
}

/* w NULL: any row of the call will do. */
static int known_in(struct catalog *c, const char *controller, uint32_t day, unsigned part, const char *uid,
		    const struct wrap_place *w, struct why *why)
{
	struct db *d;
	int rc = db_look(c, controller, day, part, &d, why), known;

	if (rc)
		return rc;
	sqlite3_bind_text(d->known, 1, uid, -1, SQLITE_STATIC);
	rc = sqlite3_step(d->known);
	known = rc == SQLITE_ROW && (!w || names_place(d->known, w));
	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		known = db_fail(d, rc, "cannot read", why);
	sqlite3_reset(d->known);
	return known;
}

/* The latest of the day's partitions up to `part` that has it; 0 none has. */
static int part_of(struct catalog *c, const char *controller, uint32_t day, unsigned part, const struct uid *uid, struct why *why)
{
	char text[UID_TEXT];

	uid_format(uid, text);
	for (; part; part--) {
		int rc = known_in(c, controller, day, part, text, NULL, why);

		if (rc && rc != -ENOENT)
			return rc < 0 ? rc : (int)part;
	}
	return 0;
}

int known_before(struct catalog *c, const char *controller, uint32_t day, unsigned part, const struct uid *uid, struct why *why)
{
	int rc = part_of(c, controller, day, part - 1, uid, why);

	return rc > 0 ? 1 : rc;
}

int catalog_has(struct catalog *c, const char *controller, uint32_t day, const struct uid *uid, struct why *why)
{
	const struct hot *h = hot_find(c, controller, day);
	int rc = h ? part_of(c, controller, day, h->part, uid, why) : why_set(why, -ENOMEM, "out of memory");

	return rc > 0 ? 1 : rc;
}

static const char outcome_row[] =
	"SELECT outcome, gap, documentation_state, documentation_reason, training_state, training_reason,"
	" (SELECT sum(packets) FROM legs WHERE uid=?1), (SELECT sum(audio_ms) FROM legs WHERE uid=?1),"
	" (SELECT sum(muted) FROM legs WHERE uid=?1), (SELECT sum(inspected) FROM legs WHERE uid=?1),"
	" (SELECT sum(blocked) FROM legs WHERE uid=?1) FROM calls WHERE uid=?1";

static int word_of(sqlite3_stmt *st, int column, const char *const *words, int n)
{
	const char *s = (const char *)sqlite3_column_text(st, column);

	for (int i = 0; s && i < n; i++)
		if (!strcmp(s, words[i]))
			return i;
	return -1;
}

static void text_of(sqlite3_stmt *st, int column, char to[CATALOG_TEXT])
{
	const char *s = (const char *)sqlite3_column_text(st, column);

	snprintf(to, CATALOG_TEXT, "%s", s ? s : "");
}

static bool read_outcome(sqlite3_stmt *st, struct catalog_outcome *ret)
{
	uint64_t *sum[] = { &ret->packets, &ret->audio_ms, &ret->muted, &ret->inspected, &ret->blocked };
	int outcome = word_of(st, 0, store_outcome_names, STORE_O_MAX);

	if (outcome < 0)
		return false;
	ret->outcome = (enum store_outcome)outcome;
	text_of(st, 1, ret->gap);
	for (int p = 0; p < STORE_PURPOSES; p++) {
		int state = word_of(st, 2 + 2 * p, store_state_names, STORE_S_MAX);

		if (state < 0)
			return false;
		ret->state[p] = (enum store_state)state;
		text_of(st, 3 + 2 * p, ret->reason[p]);
	}
	for (int i = 0; i < 4; i++)
		*sum[i] = (uint64_t)sqlite3_column_int64(st, 6 + i);
	return true;
}

int catalog_outcome(struct catalog *c, const char *controller, uint32_t day, const struct uid *uid,
		    struct catalog_outcome *ret, struct why *why)
{
	sqlite3_stmt *st = NULL;
	const struct hot *h = hot_find(c, controller, day);
	char text[UID_TEXT];
	struct db *d;
	int rc = h ? part_of(c, controller, day, h->part, uid, why) : why_set(why, -ENOMEM, "out of memory");

	if (rc <= 0)
		return rc ? rc : -ENOENT;
	rc = db_look(c, controller, day, (unsigned)rc, &d, why);
	if (rc)
		return rc;
	uid_format(uid, text);
	rc = sqlite3_prepare_v2(d->sql, outcome_row, -1, &st, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_bind_text(st, 1, text, -1, SQLITE_STATIC);
	rc = rc == SQLITE_OK ? sqlite3_step(st) : rc;
	if (rc == SQLITE_DONE)
		rc = -ENOENT;
	else if (rc != SQLITE_ROW)
		rc = db_fail(d, rc, "cannot read", why);
	else
		rc = read_outcome(st, ret) ? 0 : why_set(why, -EBADMSG, "catalog/%s: a row's words are none (rule C-2)", controller);
	sqlite3_finalize(st);
	return rc;
}

/* First and last call of one database into k. */
static int read_span(struct catalog *c, struct known *k, const char *controller, uint32_t day, unsigned part,
		     struct why *why)
{
	struct uid end[2];
	sqlite3_stmt *st;
	struct db *d;
	int rc = db_look(c, controller, day, part, &d, why);

	if (rc) /* its day came and it went */
		return rc == -ENOENT ? 0 : rc;
	rc = sqlite3_prepare_v2(d->sql, "SELECT (SELECT min(uid) FROM calls),(SELECT max(uid) FROM calls)", -1,
				&st, NULL);
	rc = rc == SQLITE_OK ? sqlite3_step(st) : rc;
	if (rc != SQLITE_ROW) {
		rc = db_fail(d, rc, "cannot read", why);
	} else if (sqlite3_column_type(st, 0) == SQLITE_NULL) {
		rc = 0; /* no rows */
	} else {
		for (int i = 0; i < 2; i++) {
			const char *s = (const char *)sqlite3_column_text(st, i);

			if (!s || uid_parse(s, &end[i])) /* damaged: any call may be in it */
				memset(end[i].b, i ? 0xff : 0, sizeof(end[i].b));
		}
		rc = known_add(k, day, part, &end[0], &end[1]);
	}
	sqlite3_finalize(st);
	return rc;
}

struct spans {
	struct catalog *c;
	struct known *k;
	struct why *why;
};

static int span_of(void *arg, const char *controller, uint32_t day, unsigned part)
{
	struct spans *s = arg;

	return read_span(s->c, s->k, controller, day, part, s->why);
}

void note_row(struct catalog *c, const struct catalog_row *row, unsigned part)
{
	struct known *k = known_find(c->known, row->meta->controller);

	if (k && known_add(k, row->day, part, &row->meta->uid, &row->meta->uid))
		known_forget(&c->known, row->meta->controller); /* out of memory: from the files then */
}

static int known_any(struct catalog *c, const char *controller, const struct uid *uid, const struct wrap_place *w,
		     struct why *why)
{
	struct spans spans = { .c = c, .why = why };
	char text[UID_TEXT];
	uint32_t day;
	unsigned part;
	size_t at = 0;
	bool fresh;
	struct known *k = known_get(&c->known, controller, &fresh);
	int rc = k ? 0 : -ENOMEM;

	spans.k = k;
	if (fresh && k)
		rc = catalog_each_of(c->root, controller, 0, span_of, &spans);
	if (rc) {
		known_forget(&c->known, controller);
		return rc == -ENOMEM ? why_set(why, rc, "out of memory") : rc;
	}
	uid_format(uid, text);
	while (!rc && known_next(k, uid, &at, &day, &part)) {
		rc = known_in(c, controller, day, part, text, w, why);
		if (rc == -ENOENT) /* its day came and it went */
			rc = 0;
	}
	return rc;
}

int catalog_known(struct catalog *c, const char *controller, const struct uid *uid, struct why *why)
{
	return known_any(c, controller, uid, NULL, why);
}

int catalog_names(struct catalog *c, const char *controller, const struct uid *uid, unsigned purpose, uint32_t day,
		  uint32_t slot, struct why *why)
{
	struct wrap_place w = { .purpose = purpose, .slot = slot };

	day_text(day, w.day);
	return known_any(c, controller, uid, &w, why);
}

