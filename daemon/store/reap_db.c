/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * reap_db.c - reading catalogs for the reaper
 *
 * Nothing in the files is trusted: a row that does not parse is damage, told and left to fsck.
 */
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/catalog.h"
#include "store/reap_db.h"

int reap_db_fail(sqlite3 *sql, int rc, const char *what, struct why *why)
{
	int err = sql_errno(sql, rc);

	return why_set(why, err, "%s: %s", what, sql ? sqlite3_errmsg(sql) : sqlite3_errstr(rc));
}

void reap_db_uri(const struct root *r, const char *rel, struct buf *out)
{
	char wal[STORE_PATH_MAX + 8];
	struct stat sb;

	snprintf(wal, sizeof(wal), "%s-wal", rel);
	store_uri(r, rel, beneath_statat(r->fd, wal, &sb) || !sb.st_size, out);
}

int reap_db_open(const struct root *r, const char *controller, uint32_t day, unsigned part, sqlite3 **ret, struct why *why)
{
	char rel[STORE_PATH_MAX];
	struct buf uri = { 0 };
	sqlite3 *sql = NULL;
	int rc, app = 0;

	catalog_path(controller, day, part, rel);
	if (beneath_accessat(r->fd, rel))
		return why_errno(why, -errno, rel, "cannot open");
	reap_db_uri(r, rel, &uri);
	rc = uri.failed ? SQLITE_NOMEM :
			  sqlite3_open_v2((char *)uri.p, &sql, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW, NULL);
	buf_free(&uri);
	if (rc == SQLITE_OK) {
		catalog_distrust(sql);
		sqlite3_busy_timeout(sql, 5000);
		rc = sql_int(sql, "PRAGMA application_id", &app);
	}
	if (rc != SQLITE_OK) {
		rc = reap_db_fail(sql, rc, rel, why);
		sqlite3_close(sql);
		return rc;
	}
	if (app != 0x4F505447) { /* being made just now: no rows */
		sqlite3_close(sql);
		return why_set(why, -ENOENT, "%s: no catalog", rel);
	}
	*ret = sql;
	return 0;
}

static int get_state(const unsigned char *s)
{
	for (int i = 0; s && i < STORE_S_MAX; i++)
		if (!strcmp((const char *)s, store_state_names[i]))
			return i;
	return -1;
}

int reap_row_get(sqlite3_stmt *st, struct reap_row *ret)
{
	const char *uid = (const char *)sqlite3_column_text(st, 0);

	if (!uid || uid_parse(uid, &ret->uid))
		return -EBADMSG;
	for (int p = 0; p < STORE_PURPOSES; p++) {
		int at = 1 + 4 * p, state = get_state(sqlite3_column_text(st, at));
		const char *day = (const char *)sqlite3_column_text(st, at + 1);
		sqlite3_int64 slot = sqlite3_column_int64(st, at + 2);

		ret->purpose_day[p] = 0;
		if (state < 0 || slot < 0 || slot > UINT32_MAX || (day && *day && day_parse(day, strlen(day), &ret->purpose_day[p])))
			return -EBADMSG;
		ret->state[p] = (enum store_state)state;
		ret->slot[p] = (uint32_t)slot;
		ret->until_ns[p] = (uint64_t)sqlite3_column_int64(st, at + 3);
	}
	return 0;
}

static int prepare_uid(sqlite3 *sql, const char *text, const struct uid *uid, sqlite3_stmt **ret, struct why *why)
{
	char name[UID_TEXT];
	int rc = sqlite3_prepare_v2(sql, text, -1, ret, NULL);

	if (rc != SQLITE_OK)
		return reap_db_fail(sql, rc, "catalog: cannot read", why);
	uid_format(uid, name);
	sqlite3_bind_text(*ret, 1, name, -1, SQLITE_TRANSIENT);
	return 0;
}

static const char row_of[] = "SELECT " REAP_ROW_COLUMNS " FROM calls WHERE uid=?";

/* 1 found, 0 not. */
static int step_row(sqlite3 *sql, sqlite3_stmt *st, struct reap_row *ret, struct why *why)
{
	int rc = sqlite3_step(st);

	if (rc == SQLITE_ROW)
		return reap_row_get(st, ret) ? why_set(why, -EBADMSG, "catalog: values of another kind (rule C-2)") : 1;
	return rc == SQLITE_DONE ? 0 : reap_db_fail(sql, rc, "catalog: cannot read", why);
}

int reap_row_in(sqlite3 *sql, const struct uid *uid, struct reap_row *ret, struct why *why)
{
	sqlite3_stmt *st;
	int rc = prepare_uid(sql, row_of, uid, &st, why);

	if (rc)
		return rc;
	rc = step_row(sql, st, ret, why);
	sqlite3_finalize(st);
	return rc;
}

int reap_row_extents(sqlite3 *sql, const struct uid *uid, uint8_t **ret, size_t *ret_len, struct why *why)
{
	sqlite3_stmt *st;
	int rc = prepare_uid(sql, "SELECT extents FROM calls WHERE uid=?", uid, &st, why);
	const void *blob;
	size_t n;

	if (rc)
		return rc;
	rc = sqlite3_step(st);
	if (rc == SQLITE_ROW) {
		blob = sqlite3_column_blob(st, 0);
		n = (size_t)sqlite3_column_bytes(st, 0);
		*ret = malloc(n + 1);
		*ret_len = n;
		if (*ret && n)
			memcpy(*ret, blob, n);
		rc = *ret ? 0 : why_set(why, -ENOMEM, "out of memory");
	} else {
		rc = rc == SQLITE_DONE ? why_set(why, -ENOENT, "catalog: no such call") : reap_db_fail(sql, rc, "catalog: cannot read", why);
	}
	sqlite3_finalize(st);
	return rc;
}

/* ---- rows of many calls ---- */

struct search {
	const struct root *root;
	struct reap_want *v;
	size_t n, left;
	struct why *why;
	int lost; /* a database that cannot be read; the row may be in another */
};

static int want_cmp(const void *a, const void *b)
{
	return memcmp(((const struct reap_want *)a)->uid.b, ((const struct reap_want *)b)->uid.b, sizeof(struct uid));
}

/* The first uid of the partition, or the last one. 1; 0 it has no rows, or none that is one: then all are asked for. */
static int edge(sqlite3 *sql, const char *text, struct uid *ret)
{
	sqlite3_stmt *st = NULL;
	const char *uid = NULL;
	bool got;

	if (sqlite3_prepare_v2(sql, text, -1, &st, NULL) == SQLITE_OK && sqlite3_step(st) == SQLITE_ROW)
		uid = (const char *)sqlite3_column_text(st, 0);
	got = uid && !uid_parse(uid, ret);
	sqlite3_finalize(st);
	return got;
}

/* v[*ret_from] to v[*ret_to - 1] may be there: uids sort as their texts. */
static void range(const struct search *s, sqlite3 *sql, size_t *ret_from, size_t *ret_to)
{
	struct uid first, last;
	size_t from = 0, to = s->n;

	if (edge(sql, "SELECT min(uid) FROM calls", &first) && edge(sql, "SELECT max(uid) FROM calls", &last)) {
		for (size_t half; from < to;) {
			half = from + (to - from) / 2;
			if (memcmp(s->v[half].uid.b, first.b, sizeof(first.b)) < 0)
				from = half + 1;
			else
				to = half;
		}
		for (to = from; to < s->n && memcmp(s->v[to].uid.b, last.b, sizeof(last.b)) <= 0;)
			to++;
	}
	*ret_from = from;
	*ret_to = to;
}

static void search_rows(struct search *s, sqlite3 *sql, const char *controller, uint32_t day, unsigned part)
{
	sqlite3_stmt *st = NULL;
	size_t from, to;
	int rc = sqlite3_prepare_v2(sql, row_of, -1, &st, NULL);

	if (rc != SQLITE_OK) {
		s->lost = reap_db_fail(sql, rc, "catalog: cannot read", s->why);
		return;
	}
	range(s, sql, &from, &to);
	for (; from < to; from++) {
		struct reap_want *w = &s->v[from];
		char name[UID_TEXT];
		int got;

		if (w->found)
			continue;
		uid_format(&w->uid, name);
		sqlite3_bind_text(st, 1, name, -1, SQLITE_STATIC);
		got = step_row(sql, st, &w->row, s->why);
		sqlite3_reset(st);
		if (got < 0)
			s->lost = got;
		if (got != 1)
			continue;
		w->found = true;
		snprintf(w->row.controller, sizeof(w->row.controller), "%s", controller);
		w->row.day = day;
		w->row.part = part;
		s->left--;
	}
	sqlite3_finalize(st);
}

static int search_in(void *arg, const char *controller, uint32_t day, unsigned part)
{
	struct search *s = arg;
	sqlite3 *sql = NULL;
	int rc = reap_db_open(s->root, controller, day, part, &sql, s->why);

	if (rc && rc != -ENOENT)
		s->lost = rc;
	if (rc)
		return 0;
	search_rows(s, sql, controller, day, part);
	sqlite3_close(sql);
	return !s->left;
}

int reap_rows_find(const struct root *r, struct reap_want *v, size_t n, struct why *why)
{
	struct search s = { .root = r, .v = v, .n = n, .left = n, .why = why };
	int rc;

	if (!n)
		return 0;
	qsort(v, n, sizeof(*v), want_cmp);
	for (size_t i = 0; i < n; i++)
		v[i].found = false;
	rc = catalog_each(r, search_in, &s);
	if (rc < 0)
		return *why->text ? rc : why_errno(why, rc, "catalog", "cannot read");
	return s.left ? s.lost : 0;
}
