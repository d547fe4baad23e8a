/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * opens.c - open.db, see opens.h
 *
 * One file for the whole store, because the next writer must not open every
 * day's catalog before it may go on with the calls of the one that died.
 */
#include "store/opens.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "store/catalog.h"
#include "store/slot.h"

#define APP_ID 0x4F50544F

static const char schema[] =
	"CREATE TABLE open(uid TEXT NOT NULL PRIMARY KEY, record BLOB NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE marks(controller TEXT NOT NULL, purpose INTEGER NOT NULL, day INTEGER NOT NULL,"
	" next INTEGER NOT NULL, PRIMARY KEY(controller, purpose, day)) WITHOUT ROWID;"
	"PRAGMA application_id=0x4F50544F; PRAGMA user_version=1;";

/* Files of before there were any lack it. */
static const char partitions[] = "CREATE TABLE IF NOT EXISTS partitions(controller TEXT NOT NULL, day INTEGER NOT NULL,"
				 " part INTEGER NOT NULL, PRIMARY KEY(controller, day, part)) WITHOUT ROWID";

enum { Q_PUT, Q_DELETE, Q_MARK, Q_MARKED, Q_LIST, Q_UNLIST, Q_UNLIST_OLD, Q_MAX };
static const char *const queries[Q_MAX] = {
	"INSERT OR REPLACE INTO open VALUES(?,?)",
	"DELETE FROM open WHERE uid=?",
	"INSERT OR REPLACE INTO marks VALUES(?,?,?,?)",
	"SELECT next FROM marks WHERE controller=? AND purpose=? AND day=?",
	"INSERT OR IGNORE INTO partitions VALUES(?,?,?)",
	"DELETE FROM partitions WHERE controller=? AND day=? AND part=?",
	"DELETE FROM partitions WHERE day<?",
};

struct opens {
	sqlite3 *sql;
	sqlite3_stmt *q[Q_MAX];
	bool in_txn;
};

static int fail(sqlite3 *sql, int rc, const char *what, struct why *why)
{
	int sys = sql ? sqlite3_system_errno(sql) : 0, err = -EIO;

	switch (rc & 255) {
	case SQLITE_FULL:
		err = -ENOSPC;
		break;
	case SQLITE_NOMEM:
		err = -ENOMEM;
		break;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		err = -EBADMSG;
		break;
	case SQLITE_CANTOPEN:
	case SQLITE_IOERR:
		err = sys > 0 ? -sys : -EIO;
		break;
	}
	return why_set(why, err, "open.db: %s: %s%s", what, sql ? sqlite3_errmsg(sql) : sqlite3_errstr(rc),
		       err == -EBADMSG ? " (rule O-1)" : "");
}

static int read_int(sqlite3 *sql, const char *q, int *ret)
{
	sqlite3_stmt *st;
	int rc = sqlite3_prepare_v2(sql, q, -1, &st, NULL);

	if (rc == SQLITE_OK) {
		rc = sqlite3_step(st);
		*ret = rc == SQLITE_ROW ? sqlite3_column_int(st, 0) : 0;
		rc = rc == SQLITE_ROW ? SQLITE_OK : rc;
	}
	sqlite3_finalize(st);
	return rc;
}

static int begin(struct opens *o, struct why *why)
{
	int rc;

	if (o->in_txn)
		return 0;
	rc = sqlite3_exec(o->sql, "BEGIN IMMEDIATE", NULL, NULL, NULL);
	if (rc != SQLITE_OK)
		return fail(o->sql, rc, "cannot begin", why);
	o->in_txn = true;
	return 0;
}

static int prepare(struct opens *o, struct why *why)
{
	int rc = SQLITE_OK;

	for (int i = 0; rc == SQLITE_OK && i < Q_MAX; i++)
		rc = sqlite3_prepare_v2(o->sql, queries[i], -1, &o->q[i], NULL);
	return rc == SQLITE_OK ? 0 : fail(o->sql, rc, "cannot open", why);
}

struct marking {
	struct opens *o;
	struct why *why;
};

static int mark_all(void *arg, const char *controller, unsigned purpose, uint32_t day, uint32_t end)
{
	const struct marking *m = arg;

	return end > 1 ? opens_mark(m->o, controller, purpose, day, end, m->why) : 0;
}

/* All or nothing: a file without the marks would let the next writer overwrite what they protect. */
static int make(struct opens *o, const struct root *r, struct why *why)
{
	struct marking m = { o, why };
	int rc = begin(o, why);

	if (!rc && (sqlite3_exec(o->sql, schema, NULL, NULL, NULL) != SQLITE_OK ||
		    sqlite3_exec(o->sql, partitions, NULL, NULL, NULL) != SQLITE_OK))
		rc = fail(o->sql, sqlite3_errcode(o->sql), "cannot make", why);
	if (!rc)
		rc = prepare(o, why);
	if (!rc)
		rc = slots_files(r, mark_all, &m, why);
	return rc ? rc : opens_sync(o, why);
}

static int setup(struct opens *o, const struct root *r, struct why *why)
{
	int app = 0, version = 0;
	int rc = sqlite3_exec(o->sql, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA secure_delete=ON;"
				      "PRAGMA temp_store=MEMORY;", NULL, NULL, NULL);

	if (rc == SQLITE_OK)
		rc = read_int(o->sql, "PRAGMA application_id", &app);
	if (rc == SQLITE_OK)
		rc = read_int(o->sql, "PRAGMA user_version", &version);
	if (rc != SQLITE_OK)
		return fail(o->sql, rc, "cannot open", why);
	if (!app && !version)
		return make(o, r, why);
	if (app != APP_ID || version != 1)
		return why_set(why, -EBADMSG, "open.db: not of this version (rule O-1)");
	rc = sqlite3_exec(o->sql, partitions, NULL, NULL, NULL);
	if (rc != SQLITE_OK)
		return fail(o->sql, rc, "cannot open", why);
	return prepare(o, why);
}

int opens_new(const struct root *r, struct opens **ret, struct why *why)
{
	struct opens *o = calloc(1, sizeof(*o));
	char full[4096 + STORE_PATH_MAX];
	int rc;

	if (!o)
		return why_set(why, -ENOMEM, "out of memory");
	snprintf(full, sizeof(full), "%s/open.db", r->path);
	rc = sqlite3_open_v2(full, &o->sql, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW,
			     NULL);
	if (rc == SQLITE_OK) {
		catalog_distrust(o->sql);
		sqlite3_busy_timeout(o->sql, 5000);
		rc = setup(o, r, why);
	} else {
		rc = fail(o->sql, rc, "cannot open", why);
	}
	if (rc) {
		opens_free(o);
		return rc;
	}
	*ret = o;
	return 0;
}

void opens_free(struct opens *o)
{
	if (!o)
		return;
	if (o->in_txn)
		(void)sqlite3_exec(o->sql, "ROLLBACK", NULL, NULL, NULL); /* close would do it as well */
	for (int i = 0; i < Q_MAX; i++)
		sqlite3_finalize(o->q[i]);
	sqlite3_close(o->sql);
	free(o);
}

static int run(struct opens *o, int q, struct why *why)
{
	int rc = sqlite3_step(o->q[q]);

	if (rc != SQLITE_DONE)
		rc = fail(o->sql, rc, "cannot write", why);
	else
		rc = 0;
	sqlite3_reset(o->q[q]);
	sqlite3_clear_bindings(o->q[q]);
	if (sqlite3_get_autocommit(o->sql))
		o->in_txn = false; /* SQLite rolled the whole transaction back */
	return rc;
}

int opens_put(struct opens *o, const struct uid *uid, const void *record, size_t n, struct why *why)
{
	char text[UID_TEXT];
	int rc = begin(o, why);

	if (rc)
		return rc;
	uid_format(uid, text);
	sqlite3_bind_text(o->q[Q_PUT], 1, text, -1, SQLITE_STATIC);
	sqlite3_bind_blob(o->q[Q_PUT], 2, record, (int)n, SQLITE_STATIC);
	return run(o, Q_PUT, why);
}

int opens_delete(struct opens *o, const struct uid *uid, struct why *why)
{
	char text[UID_TEXT];
	int rc = begin(o, why);

	if (rc)
		return rc;
	uid_format(uid, text);
	sqlite3_bind_text(o->q[Q_DELETE], 1, text, -1, SQLITE_STATIC);
	return run(o, Q_DELETE, why);
}

static int each(sqlite3 *sql, int (*fn)(void *arg, const struct uid *uid, const uint8_t *p, size_t n), void *arg,
		int *ret_stop)
{
	sqlite3_stmt *st;
	int rc = sqlite3_prepare_v2(sql, "SELECT uid, record FROM open", -1, &st, NULL);

	*ret_stop = 0;
	while (rc == SQLITE_OK && !*ret_stop) {
		const char *text;
		struct uid uid;

		rc = sqlite3_step(st);
		if (rc != SQLITE_ROW)
			break;
		rc = SQLITE_OK;
		text = (const char *)sqlite3_column_text(st, 0);
		*ret_stop = fn(arg, text && !uid_parse(text, &uid) ? &uid : NULL, sqlite3_column_blob(st, 1),
			       (size_t)sqlite3_column_bytes(st, 1));
	}
	sqlite3_finalize(st);
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

int opens_each(struct opens *o, int (*fn)(void *arg, const struct uid *uid, const uint8_t *p, size_t n),
	       void *arg, struct why *why)
{
	int stop, rc = each(o->sql, fn, arg, &stop);

	return rc == SQLITE_OK ? stop : fail(o->sql, rc, "cannot read", why);
}

int opens_mark(struct opens *o, const char *controller, unsigned purpose, uint32_t day, uint32_t next,
	       struct why *why)
{
	int rc = begin(o, why);

	if (rc)
		return rc;
	sqlite3_bind_text(o->q[Q_MARK], 1, controller, -1, SQLITE_STATIC);
	sqlite3_bind_int(o->q[Q_MARK], 2, (int)purpose);
	sqlite3_bind_int64(o->q[Q_MARK], 3, day);
	sqlite3_bind_int64(o->q[Q_MARK], 4, next);
	return run(o, Q_MARK, why);
}

int opens_marked(struct opens *o, const char *controller, unsigned purpose, uint32_t day,
		 uint32_t *ret_next, struct why *why)
{
	sqlite3_stmt *st = o->q[Q_MARKED];
	sqlite3_int64 n = 1;
	int rc;

	sqlite3_bind_text(st, 1, controller, -1, SQLITE_STATIC);
	sqlite3_bind_int(st, 2, (int)purpose);
	sqlite3_bind_int64(st, 3, day);
	rc = sqlite3_step(st);
	if (rc == SQLITE_ROW)
		n = sqlite3_column_int64(st, 0);
	rc = rc == SQLITE_ROW || rc == SQLITE_DONE ? 0 : fail(o->sql, rc, "cannot read", why);
	sqlite3_reset(st);
	sqlite3_clear_bindings(st);
	*ret_next = n < 1 || n > UINT32_MAX ? 1 : (uint32_t)n;
	return rc;
}

static int list(struct opens *o, int q, const char *controller, uint32_t day, unsigned part, struct why *why)
{
	int rc = begin(o, why);

	if (rc)
		return rc;
	sqlite3_bind_text(o->q[q], 1, controller, -1, SQLITE_STATIC);
	sqlite3_bind_int64(o->q[q], 2, day);
	sqlite3_bind_int64(o->q[q], 3, part);
	return run(o, q, why);
}

int opens_list(struct opens *o, const char *controller, uint32_t day, unsigned part, struct why *why)
{
	return list(o, Q_LIST, controller, day, part, why);
}

int opens_unlist(struct opens *o, const char *controller, uint32_t day, unsigned part, struct why *why)
{
	return list(o, Q_UNLIST, controller, day, part, why);
}

int opens_unlist_before(struct opens *o, uint32_t day, struct why *why)
{
	int rc = begin(o, why);

	if (rc)
		return rc;
	sqlite3_bind_int64(o->q[Q_UNLIST_OLD], 1, day);
	return run(o, Q_UNLIST_OLD, why);
}

int opens_sync(struct opens *o, struct why *why)
{
	int rc;

	if (!o->in_txn)
		return 0;
	rc = sqlite3_exec(o->sql, "COMMIT", NULL, NULL, NULL);
	o->in_txn = !sqlite3_get_autocommit(o->sql);
	return rc == SQLITE_OK ? 0 : fail(o->sql, rc, "cannot commit", why);
}

struct check {
	void (*fn)(void *arg, const struct uid *uid, const uint8_t *p, size_t n);
	void *arg;
};

static int check_one(void *arg, const struct uid *uid, const uint8_t *p, size_t n)
{
	struct check *c = arg;

	c->fn(c->arg, uid, p, n);
	return 0;
}

/* Without a -wal file nobody writes: opened immutable, so that no file is made (cursor.c). *ret NULL: never written to. */
static const char *look(const struct root *r, sqlite3 **ret)
{
	struct buf uri = { 0 };
	struct stat sb;
	int app = 0, version = 0, rc;

	*ret = NULL;
	if (beneath_statat(r->fd, "open.db", &sb))
		return NULL;
	store_uri(r, "open.db", beneath_statat(r->fd, "open.db-wal", &sb) || !sb.st_size, &uri);
	rc = uri.failed ? SQLITE_NOMEM :
			  sqlite3_open_v2((char *)uri.p, ret,
					  SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW, NULL);
	buf_free(&uri);
	if (rc == SQLITE_OK) {
		catalog_distrust(*ret);
		sqlite3_busy_timeout(*ret, 5000);
		rc = read_int(*ret, "PRAGMA application_id", &app);
	}
	if (rc == SQLITE_OK)
		rc = read_int(*ret, "PRAGMA user_version", &version);
	if (rc == SQLITE_OK && !app && !version) { /* being made just now */
		sqlite3_close(*ret);
		*ret = NULL;
		return NULL;
	}
	if (rc != SQLITE_OK)
		return "cannot be read as a database";
	return app != APP_ID || version != 1 ? "not of this version" : NULL;
}

const char *opens_check(const struct root *r,
			void (*fn)(void *arg, const struct uid *uid, const uint8_t *p, size_t n), void *arg)
{
	struct check c = { fn, arg };
	sqlite3 *sql;
	const char *bad = look(r, &sql);
	int stop;

	if (!bad && sql && each(sql, check_one, &c, &stop) != SQLITE_OK)
		bad = "cannot be read as a database";
	sqlite3_close(sql);
	return bad;
}

const char *opens_marks(const struct root *r,
			void (*fn)(void *arg, const char *controller, unsigned purpose, uint32_t day, uint32_t next), void *arg)
{
	sqlite3_stmt *st = NULL;
	sqlite3 *sql;
	const char *bad = look(r, &sql);
	int rc = SQLITE_DONE;

	if (!bad && sql) {
		rc = sqlite3_prepare_v2(sql, "SELECT controller, purpose, day, next FROM marks", -1, &st, NULL);
		while (rc == SQLITE_OK || rc == SQLITE_ROW) {
			const char *who;

			rc = sqlite3_step(st);
			if (rc != SQLITE_ROW)
				break;
			who = (const char *)sqlite3_column_text(st, 0);
			if (who)
				fn(arg, who, (unsigned)sqlite3_column_int(st, 1), (uint32_t)sqlite3_column_int64(st, 2),
				   (uint32_t)sqlite3_column_int64(st, 3));
		}
		sqlite3_finalize(st);
	}
	sqlite3_close(sql);
	return bad ? bad : rc == SQLITE_DONE ? NULL : "cannot be read as a database";
}

const char *opens_listed(const struct root *r, void (*fn)(void *arg, const char *controller, uint32_t day, unsigned part), void *arg)
{
	sqlite3_stmt *st = NULL;
	sqlite3 *sql;
	const char *bad = look(r, &sql);
	int rc = SQLITE_DONE;

	if (!bad && sql && sqlite3_table_column_metadata(sql, NULL, "partitions", NULL, NULL, NULL, NULL, NULL, NULL) == SQLITE_OK)
		rc = sqlite3_prepare_v2(sql, "SELECT controller, day, part FROM partitions", -1, &st, NULL);
	while (rc == SQLITE_OK || rc == SQLITE_ROW) {
		const char *who;

		rc = sqlite3_step(st);
		who = rc == SQLITE_ROW ? (const char *)sqlite3_column_text(st, 0) : NULL;
		if (who)
			fn(arg, who, (uint32_t)sqlite3_column_int64(st, 1), (unsigned)sqlite3_column_int64(st, 2));
	}
	sqlite3_finalize(st);
	sqlite3_close(sql);
	return bad ? bad : rc == SQLITE_DONE ? NULL : "cannot be read as a database";
}
