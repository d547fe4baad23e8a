/* SPDX-License-Identifier: BSD-2-Clause */
/* later.c - what became of stored calls later, see later.h */
#include "store/later.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "store/catalog.h"

#define APP_ID	0x4F50544C
#define WAIT_MS 10000

struct later {
	sqlite3 *sql;
	sqlite3_stmt *put, *get;
	char rel[STORE_PATH_MAX];
};

/* What is over is most of it, and asked for by nobody each minute: an index of the rest. Its words are those of kept_lines. */
#define KEPT	   "state NOT IN ('EXPIRED','WITHDRAWN') AND purpose<>'training'"
#define KEPT_INDEX "CREATE INDEX IF NOT EXISTS later_kept ON later(day) WHERE " KEPT

static const char schema[] =
	"CREATE TABLE IF NOT EXISTS later(uid TEXT NOT NULL, purpose TEXT NOT NULL, day TEXT NOT NULL, state TEXT NOT NULL,"
	" reason TEXT NOT NULL, at_ns INTEGER NOT NULL, PRIMARY KEY(uid, purpose)) WITHOUT ROWID;"
	"CREATE INDEX IF NOT EXISTS later_day ON later(day);"
	KEPT_INDEX ";"
	"PRAGMA application_id=0x4F50544C; PRAGMA user_version=1;";

static const char put_line[] = "INSERT OR REPLACE INTO later(uid,purpose,day,state,reason,at_ns) VALUES(?,?,?,?,?,?)";
static const char get_line[] = "SELECT uid,purpose,day,state,reason,at_ns FROM later WHERE uid=? AND purpose=?";
static const char all_lines[] = "SELECT uid,purpose,day,state,reason,at_ns FROM later ORDER BY uid,purpose";
static const char kept_lines[] = "SELECT uid,purpose,day,state,reason,at_ns FROM later WHERE " KEPT; /* each minute */
static const char day_lines[] = "SELECT uid,purpose,day,state,reason,at_ns FROM later WHERE day=? ORDER BY uid,purpose";

void later_path(const char *controller, char out[STORE_PATH_MAX])
{
	snprintf(out, STORE_PATH_MAX, "catalog/%s/later.db", controller);
}

static int fail(const struct later *l, int rc, const char *what, struct why *why)
{
	return why_set(why, sql_errno(l->sql, rc), "%s: %s: %s", l->rel, what,
		       l->sql ? sqlite3_errmsg(l->sql) : sqlite3_errstr(rc));
}

static int open_sql(struct later *l, const struct root *r, int flags, struct why *why)
{
	struct buf name = { 0 };
	int rc;

	buf_printf(&name, "%s/%s", r->path, l->rel);
	buf_put8(&name, 0);
	rc = name.failed ? SQLITE_NOMEM :
			   sqlite3_open_v2((char *)name.p, &l->sql, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW, NULL);
	buf_free(&name);
	if (rc != SQLITE_OK)
		return fail(l, rc, "cannot open", why);
	catalog_distrust(l->sql);
	sqlite3_busy_timeout(l->sql, WAIT_MS);
	return 0;
}

static int setup_write(struct later *l, struct why *why)
{
	int app = 0, version = 0;
	int rc = sqlite3_exec(l->sql, "PRAGMA synchronous=FULL; PRAGMA secure_delete=ON; PRAGMA temp_store=MEMORY;"
				      "BEGIN IMMEDIATE", NULL, NULL, NULL);

	if (rc == SQLITE_OK)
		rc = sql_int(l->sql, "PRAGMA application_id", &app);
	if (rc == SQLITE_OK)
		rc = sql_int(l->sql, "PRAGMA user_version", &version);
	if (rc == SQLITE_OK && !app && !version)
		rc = sqlite3_exec(l->sql, schema, NULL, NULL, NULL);
	else if (rc == SQLITE_OK && (app != APP_ID || version != 1))
		return why_set(why, -EBADMSG, "%s: not of this version (rule C-5)", l->rel);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(l->sql, "COMMIT", NULL, NULL, NULL);
	if (rc == SQLITE_OK && app) /* of before there was one: where there is no room for it all lines are looked at */
		(void)sqlite3_exec(l->sql, KEPT_INDEX, NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_prepare_v2(l->sql, put_line, -1, &l->put, NULL);
	return rc == SQLITE_OK ? 0 : fail(l, rc, "cannot open", why);
}

/* *ret_none: it has no table yet; whoever made it died first. */
static int setup_read(struct later *l, bool *ret_none, struct why *why)
{
	int app = 0, version = 0;
	int rc = sql_int(l->sql, "PRAGMA application_id", &app);

	if (rc == SQLITE_OK)
		rc = sql_int(l->sql, "PRAGMA user_version", &version);
	if (rc != SQLITE_OK)
		return fail(l, rc, "cannot read", why);
	*ret_none = !app && !version;
	if (!*ret_none && (app != APP_ID || version != 1))
		return why_set(why, -EBADMSG, "%s: not of this version (rule C-5)", l->rel);
	return 0;
}

static void close_sql(struct later *l)
{
	sqlite3_finalize(l->put);
	sqlite3_finalize(l->get);
	sqlite3_close(l->sql);
	l->sql = NULL;
	l->put = l->get = NULL;
}

int later_open(const struct root *r, const char *controller, bool write, struct later **ret, struct why *why)
{
	struct later *l = calloc(1, sizeof(*l));
	char dir[STORE_PATH_MAX];
	bool none = false;
	struct stat sb;
	int rc = 0;

	if (!l)
		return why_set(why, -ENOMEM, "out of memory");
	later_path(controller, l->rel);
	snprintf(dir, sizeof(dir), "catalog/%s", controller);
	if (write) {
		rc = make_dirs(r, dir, why);
		rc = rc ? rc : make_empty(r, l->rel, why);
	} else if (beneath_statat(r->fd, l->rel, &sb)) {
		rc = why_errno(why, -errno, l->rel, "cannot open");
	}
	if (!rc)
		rc = open_sql(l, r, write ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY, why);
	if (!rc)
		rc = write ? setup_write(l, why) : setup_read(l, &none, why);
	/* A writer died in a transaction: who may write takes it back, who may not must wait for that. */
	if (rc && !write && l->sql && (sqlite3_extended_errcode(l->sql) & 255) == SQLITE_READONLY) {
		close_sql(l);
		rc = open_sql(l, r, SQLITE_OPEN_READWRITE, why);
		if (!rc)
			rc = setup_read(l, &none, why);
	}
	if (!rc && !none) {
		int err = sqlite3_prepare_v2(l->sql, get_line, -1, &l->get, NULL);

		rc = err == SQLITE_OK ? 0 : fail(l, err, "cannot read", why);
	}
	if (rc) {
		later_close(l);
		return rc;
	}
	*ret = l;
	return 0;
}

bool later_empty(const struct later *l)
{
	return !l->get;
}

void later_close(struct later *l)
{
	if (!l)
		return;
	close_sql(l);
	free(l);
}

int later_begin(struct later *l, struct why *why)
{
	int rc = sqlite3_exec(l->sql, "BEGIN IMMEDIATE", NULL, NULL, NULL);

	return rc == SQLITE_OK ? 0 : fail(l, rc, "cannot begin", why);
}

int later_commit(struct later *l, struct why *why)
{
	int rc = sqlite3_exec(l->sql, "COMMIT", NULL, NULL, NULL);

	if (rc == SQLITE_OK)
		return 0;
	rc = fail(l, rc, "cannot commit", why);
	(void)sqlite3_exec(l->sql, "ROLLBACK", NULL, NULL, NULL); /* the first error counts */
	return rc;
}

static void bind_key(sqlite3_stmt *st, char uid_text[UID_TEXT], const struct uid *uid, enum store_purpose p)
{
	uid_format(uid, uid_text);
	sqlite3_bind_text(st, 1, uid_text, -1, SQLITE_STATIC);
	sqlite3_bind_text(st, 2, store_purpose_names[p], -1, SQLITE_STATIC);
}

int later_put(struct later *l, const struct later_line *line, struct why *why)
{
	char uid[UID_TEXT], day[16];
	int rc;

	if (!l->put)
		return why_set(why, -EROFS, "%s: opened for reading", l->rel);
	day_text(line->day, day);
	bind_key(l->put, uid, &line->uid, line->purpose);
	sqlite3_bind_text(l->put, 3, day, -1, SQLITE_STATIC);
	sqlite3_bind_text(l->put, 4, store_state_names[line->state], -1, SQLITE_STATIC);
	sqlite3_bind_text(l->put, 5, line->reason, -1, SQLITE_STATIC);
	sqlite3_bind_int64(l->put, 6, (sqlite3_int64)line->at_ns);
	rc = sqlite3_step(l->put);
	if (rc != SQLITE_DONE)
		rc = fail(l, rc, "cannot write", why);
	else
		rc = 0;
	sqlite3_reset(l->put);
	sqlite3_clear_bindings(l->put);
	return rc;
}

static const char *text_at(sqlite3_stmt *st, int i)
{
	const char *s = (const char *)sqlite3_column_text(st, i);

	return s ? s : "";
}

static int word_at(sqlite3_stmt *st, int i, const char *const *words, int n)
{
	for (int k = 0; k < n; k++)
		if (!strcmp(text_at(st, i), words[k]))
			return k;
	return -1;
}

static int read_line(const struct later *l, sqlite3_stmt *st, struct later_line *ret, struct why *why)
{
	int p = word_at(st, 1, store_purpose_names, STORE_PURPOSES);
	int state = word_at(st, 3, store_state_names, STORE_S_MAX);
	const char *day = text_at(st, 2);
	sqlite3_int64 at = sqlite3_column_int64(st, 5);

	*ret = (struct later_line){ 0 };
	if (p < 0 || state < 0 || at < 0 || uid_parse(text_at(st, 0), &ret->uid) || day_parse(day, strlen(day), &ret->day) ||
	    strlen(text_at(st, 4)) >= LATER_REASON)
		return why_set(why, -EBADMSG, "%s: a line of values that are none (rule C-5)", l->rel);
	ret->purpose = (enum store_purpose)p;
	ret->state = (enum store_state)state;
	ret->at_ns = (uint64_t)at;
	snprintf(ret->reason, sizeof(ret->reason), "%s", text_at(st, 4));
	return 0;
}

int later_get(struct later *l, const struct uid *uid, enum store_purpose p, struct later_line *ret, struct why *why)
{
	char text[UID_TEXT];
	int rc;

	if (!l || !l->get)
		return 0;
	bind_key(l->get, text, uid, p);
	rc = sqlite3_step(l->get);
	if (rc == SQLITE_ROW)
		rc = read_line(l, l->get, ret, why) ? -EBADMSG : 1;
	else
		rc = rc == SQLITE_DONE ? 0 : fail(l, rc, "cannot read", why);
	sqlite3_reset(l->get);
	return rc;
}

static int each(struct later *l, const char *which, const char *day, int (*fn)(void *arg, const struct later_line *line), void *arg,
		struct why *why)
{
	struct later_line line;
	sqlite3_stmt *st = NULL;
	int rc, got = SQLITE_DONE;

	if (!l || !l->get)
		return 0;
	rc = sqlite3_prepare_v2(l->sql, which, -1, &st, NULL);
	if (rc == SQLITE_OK && day)
		rc = sqlite3_bind_text(st, 1, day, -1, SQLITE_STATIC);
	if (rc != SQLITE_OK)
		rc = fail(l, rc, "cannot read", why);
	while (!rc && (got = sqlite3_step(st)) == SQLITE_ROW) {
		rc = read_line(l, st, &line, why);
		if (!rc)
			rc = fn(arg, &line);
	}
	if (!rc && got != SQLITE_DONE)
		rc = fail(l, got, "cannot read", why);
	sqlite3_finalize(st);
	return rc;
}

int later_each(struct later *l, uint32_t day, int (*fn)(void *arg, const struct later_line *line), void *arg, struct why *why)
{
	char text[16];

	if (day)
		day_text(day, text);
	return each(l, day ? day_lines : all_lines, day ? text : NULL, fn, arg, why);
}

int later_kept(struct later *l, int (*fn)(void *arg, const struct later_line *line), void *arg, struct why *why)
{
	return each(l, kept_lines, NULL, fn, arg, why);
}

int later_forget_day(struct later *l, uint32_t day, struct why *why)
{
	sqlite3_stmt *st = NULL;
	char text[16];
	int rc;

	day_text(day, text);
	rc = sqlite3_prepare_v2(l->sql, "DELETE FROM later WHERE day=?", -1, &st, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_bind_text(st, 1, text, -1, SQLITE_STATIC);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(st);
	rc = rc == SQLITE_DONE ? 0 : fail(l, rc, "cannot write", why);
	sqlite3_finalize(st);
	return rc;
}

int later_forget(struct later *l, const struct uid *uid, enum store_purpose p, struct why *why)
{
	sqlite3_stmt *st = NULL;
	char text[UID_TEXT];
	int rc = sqlite3_prepare_v2(l->sql, "DELETE FROM later WHERE uid=? AND purpose=? AND day='hold'", -1, &st, NULL);

	if (rc == SQLITE_OK) {
		bind_key(st, text, uid, p);
		rc = sqlite3_step(st);
	}
	rc = rc == SQLITE_DONE ? 0 : fail(l, rc, "cannot write", why);
	sqlite3_finalize(st);
	return rc;
}

static int ignore_line(void *arg, const struct later_line *line)
{
	(void)arg;
	(void)line;
	return 0;
}

int later_check(struct later *l, struct why *why)
{
	sqlite3_stmt *st = NULL;
	int rc;

	if (!l || !l->get)
		return 0;
	rc = sqlite3_prepare_v2(l->sql, "PRAGMA integrity_check(1)", -1, &st, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(st);
	if (rc == SQLITE_ROW)
		rc = strcmp(text_at(st, 0), "ok") ? why_set(why, -EBADMSG, "%s: %.200s (rule C-5)", l->rel, text_at(st, 0)) : 0;
	else
		rc = fail(l, rc, "cannot check", why);
	sqlite3_finalize(st);
	return rc ? rc : later_each(l, 0, ignore_line, NULL, why);
}
