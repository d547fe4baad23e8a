/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * catalog.c - writing rows; naming and walking catalogs; extents
 *
 * No secondary index is kept while rows come in: it would multiply the bytes
 * written (10.6 KB a row against 0.8 KB). Keys are never in here: SQLite keeps
 * deleted bytes in its WAL.
 */
#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "store/catalog.h"
#include "store/known.h"
#include "store/segment.h"
#include "store/writer.h"

#define OPEN_DBS 64
#define APP_ID	 0x4F505447

static const char schema[] =
	"BEGIN;"
	"CREATE TABLE calls(uid TEXT NOT NULL PRIMARY KEY, start_ns INTEGER NOT NULL,"
	" answer_ns INTEGER NOT NULL, end_ns INTEGER NOT NULL, rule TEXT NOT NULL,"
	" policy_hash TEXT NOT NULL, scenario TEXT NOT NULL, sip_call_id TEXT NOT NULL,"
	" outcome TEXT NOT NULL, end TEXT NOT NULL, gap TEXT NOT NULL, agent TEXT, zone TEXT NOT NULL,"
	" documentation_state TEXT NOT NULL, documentation_reason TEXT NOT NULL,"
	" documentation_until INTEGER NOT NULL, documentation_day TEXT NOT NULL,"
	" documentation_slot INTEGER NOT NULL,"
	" training_state TEXT NOT NULL, training_reason TEXT NOT NULL, training_until INTEGER NOT NULL,"
	" training_day TEXT NOT NULL, training_slot INTEGER NOT NULL,"
	" caller_hash BLOB, callee_hash BLOB, numbers BLOB, extents BLOB NOT NULL, parts BLOB) WITHOUT ROWID;"
	"CREATE TABLE legs(uid TEXT NOT NULL, leg TEXT NOT NULL, codec TEXT NOT NULL,"
	" clock INTEGER NOT NULL, channels INTEGER NOT NULL, pt INTEGER NOT NULL, fmtp TEXT NOT NULL,"
	" packets INTEGER NOT NULL, lost INTEGER NOT NULL, duplicates INTEGER NOT NULL,"
	" reordered INTEGER NOT NULL, events INTEGER NOT NULL, audio_ms INTEGER NOT NULL,"
	" jitter_us INTEGER NOT NULL, blocked INTEGER NOT NULL, inspected INTEGER NOT NULL DEFAULT 0,"
	" muted INTEGER NOT NULL DEFAULT 0, PRIMARY KEY(uid, leg)) WITHOUT ROWID;"
	"CREATE VIEW readable AS SELECT uid, datetime(start_ns/1000000000,'unixepoch') AS start,"
	" round((end_ns-start_ns)/1e9,3) AS seconds, rule, outcome, end, documentation_state AS documentation,"
	" documentation_day, training_state AS training, training_day, documentation_reason,"
	" training_reason, gap FROM calls;"
	"PRAGMA application_id=0x4F505447; PRAGMA user_version=2;"
	"COMMIT;";

/* Of format 1: its rows have no parts, and nothing was listened to. */
static const char upgrade[] =
	"BEGIN; ALTER TABLE calls ADD COLUMN parts BLOB; ALTER TABLE legs ADD COLUMN inspected INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE legs ADD COLUMN muted INTEGER NOT NULL DEFAULT 0; PRAGMA user_version=2; COMMIT;";

/* In catalogs made before there were any it is added. */
static const char links[] = "CREATE TABLE IF NOT EXISTS links(uid TEXT NOT NULL PRIMARY KEY, relation TEXT NOT NULL,"
			    " other TEXT NOT NULL) WITHOUT ROWID";

static const char insert_call[] =
	"INSERT INTO calls VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)";
static const char insert_link[] = "INSERT INTO links VALUES(?,?,?)";
static const char insert_leg[] = "INSERT INTO legs VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)";

static const char known_row[] =
	"SELECT documentation_day, documentation_slot, training_day, training_slot FROM calls WHERE uid=?";

struct db {
	char controller[STORE_NAME_MAX];
	uint32_t day;
	sqlite3 *sql;
	sqlite3_stmt *call, *leg, *link, *known;
	bool in_txn;
	uint64_t tick;
};

struct catalog {
	const struct root *root;
	struct db db[OPEN_DBS];
	struct known *known;
	uint64_t tick;
	size_t pending;
	int undone; /* SQLite rolled rows back that catalog_add had taken */
};

void catalog_path(const char *controller, uint32_t day, char out[STORE_PATH_MAX])
{
	char text[16];

	day_text(day, text);
	snprintf(out, STORE_PATH_MAX, "catalog/%s/%s.db", controller, text);
}

void catalog_distrust(sqlite3 *sql)
{
	static const int off[] = { SQLITE_DBCONFIG_ENABLE_VIEW, SQLITE_DBCONFIG_ENABLE_TRIGGER,
				   SQLITE_DBCONFIG_TRUSTED_SCHEMA };

	for (size_t i = 0; i < sizeof(off) / sizeof(*off); i++)
		(void)sqlite3_db_config(sql, off[i], 0, NULL); /* an older library: without */
	(void)sqlite3_db_config(sql, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
}

int catalog_new(const struct root *r, struct catalog **ret)
{
	struct catalog *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->root = r;
	*ret = c;
	return 0;
}

/* SQLite's result as -errno; the system's own number where it left one. */
static int sql_errno(sqlite3 *db, int rc)
{
	int sys = db ? sqlite3_system_errno(db) : 0;

	switch (rc & 255) {
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return -EBADMSG;
	case SQLITE_BUSY:
		return -EBUSY;
	case SQLITE_CONSTRAINT:
		return -EEXIST;
	case SQLITE_CANTOPEN:
	case SQLITE_IOERR:
		return sys > 0 ? -sys : -EIO;
	default:
		return -EIO;
	}
}

static int db_fail(const struct db *d, int rc, const char *what, struct why *why)
{
	char path[STORE_PATH_MAX];
	int err = sql_errno(d->sql, rc);

	catalog_path(d->controller, d->day, path);
	return why_set(why, err, "%s: %s: %s", path, what,
		       d->sql ? sqlite3_errmsg(d->sql) : sqlite3_errstr(rc));
}

static void db_close(struct db *d)
{
	if (!d->sql)
		return;
	if (d->in_txn)
		(void)sqlite3_exec(d->sql, "ROLLBACK", NULL, NULL, NULL); /* close would do it as well */
	sqlite3_finalize(d->call);
	sqlite3_finalize(d->leg);
	sqlite3_finalize(d->link);
	sqlite3_finalize(d->known);
	sqlite3_close(d->sql);
	*d = (struct db){ 0 };
}

void catalog_free(struct catalog *c)
{
	if (!c)
		return;
	for (int i = 0; i < OPEN_DBS; i++)
		db_close(&c->db[i]);
	known_free(&c->known);
	free(c);
}

static int read_int(sqlite3 *sql, const char *pragma, int *ret)
{
	sqlite3_stmt *st;
	int rc = sqlite3_prepare_v2(sql, pragma, -1, &st, NULL);

	if (rc == SQLITE_OK) {
		rc = sqlite3_step(st);
		*ret = rc == SQLITE_ROW ? sqlite3_column_int(st, 0) : 0;
		rc = rc == SQLITE_ROW ? SQLITE_OK : rc;
	}
	sqlite3_finalize(st);
	return rc;
}

static int db_setup(struct db *d, struct why *why)
{
	int app = 0, version = 0, rc;

	rc = sqlite3_exec(d->sql, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
				  "PRAGMA secure_delete=ON; PRAGMA temp_store=MEMORY;",
			  NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		rc = read_int(d->sql, "PRAGMA application_id", &app);
	if (rc == SQLITE_OK)
		rc = read_int(d->sql, "PRAGMA user_version", &version);
	if (rc == SQLITE_OK && !app && !version)
		rc = sqlite3_exec(d->sql, schema, NULL, NULL, NULL);
	else if (rc == SQLITE_OK && app == APP_ID && version == 1)
		rc = sqlite3_exec(d->sql, upgrade, NULL, NULL, NULL);
	else if (rc == SQLITE_OK && (app != APP_ID || version != 2))
		return db_fail(d, SQLITE_NOTADB, "not a catalog of this version (rule C-1)", why);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(d->sql, links, NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_prepare_v2(d->sql, insert_link, -1, &d->link, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_prepare_v2(d->sql, insert_call, -1, &d->call, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_prepare_v2(d->sql, insert_leg, -1, &d->leg, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_prepare_v2(d->sql, known_row, -1, &d->known, NULL);
	return rc == SQLITE_OK ? 0 : db_fail(d, rc, "cannot open catalog", why);
}

static int db_open(struct catalog *c, struct db *d, const char *controller, uint32_t day, bool create,
		   struct why *why)
{
	char rel[STORE_PATH_MAX], dir[STORE_PATH_MAX], full[4096 + STORE_PATH_MAX];
	int rc;

	catalog_path(controller, day, rel);
	snprintf(full, sizeof(full), "%s/%s", c->root->path, rel);
	snprintf(dir, sizeof(dir), "catalog/%s", controller);
	rc = create ? make_dirs(c->root, dir, why) : 0;
	if (rc)
		return rc;
	snprintf(d->controller, sizeof(d->controller), "%s", controller);
	d->day = day;
	rc = sqlite3_open_v2(full, &d->sql,
			     SQLITE_OPEN_READWRITE | (create ? SQLITE_OPEN_CREATE : 0) | SQLITE_OPEN_NOMUTEX,
			     NULL);
	if (rc == SQLITE_OK) {
		catalog_distrust(d->sql);
		sqlite3_busy_timeout(d->sql, 5000); /* a reader may hold the checkpoint for a moment */
		rc = db_setup(d, why);
	} else {
		rc = db_fail(d, rc, "cannot open catalog", why);
	}
	if (rc) {
		sqlite3_close(d->sql);
		*d = (struct db){ 0 };
	}
	return rc;
}

/* -EAGAIN: all are in use by open transactions; sync and ask again. */
static int db_get(struct catalog *c, const char *controller, uint32_t day, bool create, struct db **ret,
		  struct why *why)
{
	struct db *d = NULL;
	int rc;

	for (int i = 0; i < OPEN_DBS; i++) {
		struct db *x = &c->db[i];

		if (x->sql && x->day == day && !strcmp(x->controller, controller)) {
			x->tick = ++c->tick;
			*ret = x;
			return 0;
		}
		if (!x->in_txn && (!d || (d->sql && (!x->sql || x->tick < d->tick))))
			d = x;
	}
	if (!d)
		return -EAGAIN;
	db_close(d);
	rc = db_open(c, d, controller, day, create, why);
	if (rc)
		return rc;
	d->tick = ++c->tick;
	*ret = d;
	return 0;
}

/* ---- binding ---- */

static void bind_text(sqlite3_stmt *st, int *i, const char *s)
{
	sqlite3_bind_text(st, (*i)++, s ? s : "", -1, SQLITE_STATIC);
}

static void bind_int(sqlite3_stmt *st, int *i, uint64_t v)
{
	sqlite3_bind_int64(st, (*i)++, (sqlite3_int64)v);
}

static void bind_blob(sqlite3_stmt *st, int *i, const uint8_t *p, size_t n)
{
	if (p)
		sqlite3_bind_blob(st, *i, p, (int)n, SQLITE_STATIC);
	else
		sqlite3_bind_null(st, *i);
	(*i)++;
}

static int step_once(sqlite3_stmt *st)
{
	int rc = sqlite3_step(st), done = rc;

	rc = sqlite3_reset(st);
	sqlite3_clear_bindings(st);
	return done == SQLITE_DONE ? SQLITE_OK : rc;
}

static int add_call(struct db *d, const struct catalog_row *row)
{
	const struct store_call_meta *m = row->meta;
	const struct store_call_result *r = row->result;
	char uid[UID_TEXT], day[STORE_PURPOSES][16] = { "", "" };
	sqlite3_stmt *st = d->call;
	int i = 1;

	uid_format(&m->uid, uid);
	bind_text(st, &i, uid);
	bind_int(st, &i, m->start_ns);
	bind_int(st, &i, r->answer_ns);
	bind_int(st, &i, r->end_ns);
	bind_text(st, &i, m->rule);
	bind_text(st, &i, m->policy_hash);
	bind_text(st, &i, m->scenario);
	bind_text(st, &i, m->sip_call_id);
	bind_text(st, &i, store_outcome_names[r->outcome]);
	bind_text(st, &i, r->end);
	bind_text(st, &i, r->gap);
	if (row->kept && r->agent && *r->agent)
		bind_text(st, &i, r->agent);
	else if (row->kept && m->agent && *m->agent)
		bind_text(st, &i, m->agent);
	else
		bind_blob(st, &i, NULL, 0);
	bind_text(st, &i, m->zone);
	for (int p = 0; p < STORE_PURPOSES; p++) {
		if (row->purpose_day[p])
			day_text(row->purpose_day[p], day[p]);
		bind_text(st, &i, store_state_names[r->state[p]]);
		bind_text(st, &i, r->reason[p]);
		bind_int(st, &i, m->until_ns[p]);
		bind_text(st, &i, day[p]);
		bind_int(st, &i, row->purpose_slot[p]);
	}
	bind_blob(st, &i, row->hash[0], NUMBER_HASH);
	bind_blob(st, &i, row->hash[1], NUMBER_HASH);
	bind_blob(st, &i, row->numbers, row->numbers_len);
	bind_blob(st, &i, row->extents ? row->extents : (const uint8_t *)"", row->extents_len);
	bind_blob(st, &i, row->parts, row->parts_len);
	return step_once(st);
}

static int add_leg(struct db *d, const struct catalog_row *row, int leg)
{
	const struct store_leg_figures *f = &row->result->leg[leg];
	sqlite3_stmt *st = d->leg;
	char uid[UID_TEXT];
	int i = 1;

	uid_format(&row->meta->uid, uid);
	bind_text(st, &i, uid);
	bind_text(st, &i, leg ? "callee" : "caller");
	bind_text(st, &i, f->format.name);
	bind_int(st, &i, f->format.clock);
	bind_int(st, &i, f->format.channels);
	bind_int(st, &i, f->format.pt);
	bind_text(st, &i, f->format.fmtp);
	bind_int(st, &i, f->packets);
	bind_int(st, &i, f->lost);
	bind_int(st, &i, f->duplicates);
	bind_int(st, &i, f->reordered);
	bind_int(st, &i, f->events);
	bind_int(st, &i, f->audio_ms);
	bind_int(st, &i, f->jitter_us);
	bind_int(st, &i, f->blocked);
	bind_int(st, &i, f->inspected);
	bind_int(st, &i, f->muted);
	return step_once(st);
}

static int add_link(struct db *d, const struct catalog_row *row)
{
	char uid[UID_TEXT], other[UID_TEXT];
	int i = 1;

	uid_format(&row->meta->uid, uid);
	uid_format(&row->result->other, other);
	bind_text(d->link, &i, uid);
	bind_text(d->link, &i, row->result->relation);
	bind_text(d->link, &i, other);
	return step_once(d->link);
}

int catalog_prepare(struct catalog *c, const char *controller, uint32_t day, struct why *why)
{
	struct db *d;

	return db_get(c, controller, day, true, &d, why);
}

static void note_row(struct catalog *c, const struct catalog_row *row)
{
	struct known *k = known_find(c->known, row->meta->controller);

	if (k && known_add(k, row->day, &row->meta->uid, &row->meta->uid))
		known_forget(&c->known, row->meta->controller); /* out of memory: from the files then */
}

int catalog_add(struct catalog *c, const struct catalog_row *row, struct why *why)
{
	struct db *d;
	int rc = db_get(c, row->meta->controller, row->day, true, &d, why);

	if (rc)
		return rc;
	if (!d->in_txn) {
		rc = sqlite3_exec(d->sql, "BEGIN IMMEDIATE", NULL, NULL, NULL);
		if (rc != SQLITE_OK)
			return db_fail(d, rc, "cannot begin", why);
		d->in_txn = true;
	}
	/* A savepoint keeps the rows before this one when this one fails. */
	rc = sqlite3_exec(d->sql, "SAVEPOINT row", NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		rc = add_call(d, row);
	for (int leg = 0; rc == SQLITE_OK && leg < 2; leg++)
		rc = add_leg(d, row, leg);
	if (rc == SQLITE_OK && row->result->relation)
		rc = add_link(d, row);
	if (rc != SQLITE_OK) {
		rc = db_fail(d, rc, "cannot write a row", why);
		(void)sqlite3_exec(d->sql, "ROLLBACK TO row", NULL, NULL, NULL); /* the first error counts */
		if (sqlite3_get_autocommit(d->sql)) { /* SQLite rolled the whole transaction back */
			d->in_txn = false;
			c->undone = rc;
		}
		return rc;
	}
	(void)sqlite3_exec(d->sql, "RELEASE row", NULL, NULL, NULL); /* inside a transaction: cannot fail */
	c->pending++;
	note_row(c, row);
	return 0;
}

int catalog_sync(struct catalog *c, struct why *why)
{
	int rc = 0;

	for (int i = 0; i < OPEN_DBS; i++) {
		struct db *d = &c->db[i];
		int err;

		if (!d->in_txn)
			continue;
		err = sqlite3_exec(d->sql, "COMMIT", NULL, NULL, NULL);
		d->in_txn = !sqlite3_get_autocommit(d->sql);
		if (err == SQLITE_OK)
			continue;
		rc = db_fail(d, err, "cannot commit", why);
		if (!d->in_txn) /* not only not durable: gone */
			c->undone = rc;
	}
	if (!rc && c->undone)
		rc = why_set(why, c->undone, "catalog: rows were rolled back: %s", strerror(-c->undone));
	if (!rc)
		c->pending = 0;
	return rc;
}

size_t catalog_pending(const struct catalog *c)
{
	return c->pending;
}

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
static int known_in(struct catalog *c, const char *controller, uint32_t day, const char *uid, const struct wrap_place *w,
		    struct why *why)
{
	struct db *d;
	int rc = db_get(c, controller, day, false, &d, why), i = 1;

	if (rc)
		return rc;
	bind_text(d->known, &i, uid);
	rc = sqlite3_step(d->known);
	i = rc == SQLITE_ROW && (!w || names_place(d->known, w));
	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		i = db_fail(d, rc, "cannot read", why);
	sqlite3_reset(d->known);
	return i;
}

int catalog_has(struct catalog *c, const char *controller, uint32_t day, const struct uid *uid, struct why *why)
{
	char text[UID_TEXT];
	int rc;

	uid_format(uid, text);
	rc = known_in(c, controller, day, text, NULL, why);
	return rc == -ENOENT ? 0 : rc;
}

static const char outcome_row[] =
	"SELECT outcome, gap, documentation_state, documentation_reason, training_state, training_reason,"
	" (SELECT sum(packets) FROM legs WHERE uid=?1), (SELECT sum(audio_ms) FROM legs WHERE uid=?1),"
	" (SELECT sum(muted) FROM legs WHERE uid=?1), (SELECT sum(inspected) FROM legs WHERE uid=?1) FROM calls WHERE uid=?1";

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
	uint64_t *sum[] = { &ret->packets, &ret->audio_ms, &ret->muted, &ret->inspected };
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
	char text[UID_TEXT];
	struct db *d;
	int rc = db_get(c, controller, day, false, &d, why);

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

static int day_parse(const char *name, uint32_t *ret_day)
{
	struct clock_date d;

	if (strlen(name) != 13 || strcmp(name + 10, ".db") || clock_date_parse(name, 10, &d))
		return -EINVAL;
	*ret_day = day_number(&d);
	return 0;
}

/* First and last call of one database into k. */
static int read_span(struct catalog *c, struct known *k, const char *controller, uint32_t day,
		     struct why *why)
{
	struct uid end[2];
	sqlite3_stmt *st;
	struct db *d;
	int rc = db_get(c, controller, day, false, &d, why);

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
		rc = known_add(k, day, &end[0], &end[1]);
	}
	sqlite3_finalize(st);
	return rc;
}

static int read_spans(struct catalog *c, struct known *k, const char *controller, struct why *why)
{
	char dir[STORE_PATH_MAX];
	struct names names;
	uint32_t day;
	int rc;

	snprintf(dir, sizeof(dir), "catalog/%s", controller);
	rc = names_read(c->root, dir, &names);
	if (rc)
		return why_errno(why, rc, dir, "cannot read directory");
	for (size_t i = 0; !rc && i < names.n; i++)
		if (!day_parse(names.v[i], &day))
			rc = read_span(c, k, controller, day, why);
	names_free(&names);
	return rc;
}

static int known_any(struct catalog *c, const char *controller, const struct uid *uid, const struct wrap_place *w,
		     struct why *why)
{
	char text[UID_TEXT];
	uint32_t day;
	size_t at = 0;
	bool fresh;
	struct known *k = known_get(&c->known, controller, &fresh);
	int rc = k ? 0 : -ENOMEM;

	if (fresh && k)
		rc = read_spans(c, k, controller, why);
	if (rc) {
		known_forget(&c->known, controller);
		return rc == -ENOMEM ? why_set(why, rc, "out of memory") : rc;
	}
	uid_format(uid, text);
	while (!rc && known_next(k, uid, &at, &day)) {
		rc = known_in(c, controller, day, text, w, why);
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

int catalog_each(const struct root *r, int (*fn)(void *arg, const char *controller, uint32_t day),
		 void *arg)
{
	struct names owners, days;
	char dir[STORE_PATH_MAX];
	uint32_t day;
	int rc = names_read(r, "catalog", &owners);

	for (size_t i = 0; !rc && i < owners.n; i++) {
		if (name_check(owners.v[i]))
			continue;
		snprintf(dir, sizeof(dir), "catalog/%s", owners.v[i]);
		if (names_read(r, dir, &days))
			continue; /* not a directory: none of ours */
		for (size_t k = 0; !rc && k < days.n; k++)
			if (!day_parse(days.v[k], &day))
				rc = fn(arg, owners.v[i], day);
		names_free(&days);
	}
	names_free(&owners);
	return rc;
}

/* ---- extents ---- */

void extent_put(struct buf *b, struct extent_state *st, const struct extent *e)
{
	if (e->segment != st->segment)
		st->end = 0;
	buf_put_varint(b, zigzag((int64_t)e->segment - (int64_t)st->segment));
	buf_put_varint(b, zigzag(((int64_t)e->off - (int64_t)st->end) / SEGMENT_ALIGN));
	buf_put_varint(b, e->len);
	st->segment = e->segment;
	st->end = e->off + segment_round(e->len);
}

int extent_get(const uint8_t **p, size_t *n, struct extent_state *st, struct extent *ret)
{
	struct rd r = { .p = *p, .left = *n };
	int64_t seg, off;
	uint64_t len;

	if (!r.left)
		return 0;
	seg = unzigzag(rd_varint(&r));
	off = unzigzag(rd_varint(&r));
	len = rd_varint(&r);
	if (r.bad || seg < -(int64_t)st->segment || seg > (int64_t)(99999999 - st->segment) ||
	    len < CHUNK_DISK_MIN || len > CHUNK_DISK_MAX || off > (int64_t)(SEGMENT_MAX / SEGMENT_ALIGN) ||
	    off < -(int64_t)(SEGMENT_MAX / SEGMENT_ALIGN))
		return -EBADMSG;
	if (seg)
		st->end = 0;
	st->segment = (uint32_t)(st->segment + seg);
	off = (int64_t)st->end + off * SEGMENT_ALIGN;
	if (off < SEGMENT_HEAD || (uint64_t)off > SEGMENT_MAX)
		return -EBADMSG;
	*ret = (struct extent){ .segment = st->segment, .off = (uint64_t)off, .len = (uint32_t)len };
	st->end = (uint64_t)off + segment_round(len);
	*p = r.p;
	*n = r.left;
	return 1;
}
