/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * catalog_db.c - the catalog's databases, opened by the writer
 *
 * No secondary index is kept while rows come in: it would multiply the bytes
 * written (10.6 KB a row against 0.8 KB). Keys are never in here: SQLite keeps
 * deleted bytes in its WAL.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "store/catalog_internal.h"
#include "store/daylock.h"

/* New columns go to the end of their table: rows are copied to segments in this order (FORMAT.md section 4). */
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
	" caller_hash BLOB, callee_hash BLOB, numbers BLOB, extents BLOB NOT NULL, parts BLOB,"
	" training_use_by INTEGER NOT NULL DEFAULT 0, grounds BLOB) WITHOUT ROWID;"
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
	"PRAGMA application_id=0x4F505447; PRAGMA user_version=3;"
	"COMMIT;";

/* Of format 1: its rows have no parts, and nothing was listened to. */
static const char upgrade_1[] =
	"BEGIN; ALTER TABLE calls ADD COLUMN parts BLOB; ALTER TABLE legs ADD COLUMN inspected INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE legs ADD COLUMN muted INTEGER NOT NULL DEFAULT 0; PRAGMA user_version=2; COMMIT;";
static const char upgrade_2[] = "BEGIN; ALTER TABLE calls ADD COLUMN training_use_by INTEGER NOT NULL DEFAULT 0;"
				"ALTER TABLE calls ADD COLUMN grounds BLOB; PRAGMA user_version=3; COMMIT;";

/* In catalogs made before there were any it is added. */
static const char links[] = "CREATE TABLE IF NOT EXISTS links(uid TEXT NOT NULL PRIMARY KEY, relation TEXT NOT NULL,"
			    " other TEXT NOT NULL) WITHOUT ROWID";

static const char insert_call[] =
	"INSERT INTO calls(uid,start_ns,answer_ns,end_ns,rule,policy_hash,scenario,sip_call_id,outcome,end,gap,agent,zone,"
	"documentation_state,documentation_reason,documentation_until,documentation_day,documentation_slot,"
	"training_state,training_reason,training_until,training_day,training_slot,"
	"caller_hash,callee_hash,numbers,extents,parts,training_use_by,grounds) "
	"VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)";
static const char insert_link[] = "INSERT INTO links(uid,relation,other) VALUES(?,?,?)";
static const char insert_leg[] =
	"INSERT INTO legs(uid,leg,codec,clock,channels,pt,fmtp,packets,lost,duplicates,reordered,events,audio_ms,jitter_us,"
	"blocked,inspected,muted) VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)";

static const char known_row[] =
	"SELECT documentation_day, documentation_slot, training_day, training_slot FROM calls WHERE uid=?";

void catalog_distrust(sqlite3 *sql)
{
	static const int off[] = { SQLITE_DBCONFIG_ENABLE_VIEW, SQLITE_DBCONFIG_ENABLE_TRIGGER,
				   SQLITE_DBCONFIG_TRUSTED_SCHEMA };

	for (size_t i = 0; i < sizeof(off) / sizeof(*off); i++)
		(void)sqlite3_db_config(sql, off[i], 0, NULL); /* an older library: without */
	(void)sqlite3_db_config(sql, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
}

int sql_errno(sqlite3 *db, int rc)
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

int sql_int(sqlite3 *sql, const char *query, int *ret)
{
	sqlite3_stmt *st;
	int rc = sqlite3_prepare_v2(sql, query, -1, &st, NULL);

	if (rc == SQLITE_OK) {
		rc = sqlite3_step(st);
		*ret = rc == SQLITE_ROW ? sqlite3_column_int(st, 0) : 0;
		rc = rc == SQLITE_ROW ? SQLITE_OK : rc;
	}
	sqlite3_finalize(st);
	return rc;
}

int db_fail(const struct db *d, int rc, const char *what, struct why *why)
{
	char path[STORE_PATH_MAX];
	int err = sql_errno(d->sql, rc);

	catalog_path(d->controller, d->day, d->part, path);
	return why_set(why, err, "%s: %s: %s", path, what,
		       err == -ENOSPC ? strerror(ENOSPC) : d->sql ? sqlite3_errmsg(d->sql) : sqlite3_errstr(rc));
}

void db_close(struct db *d)
{
	if (!d->sql)
		return;
	if (d->in_txn)
		(void)sqlite3_exec(d->sql, "ROLLBACK", NULL, NULL, NULL); /* close would do it as well */
	sqlite3_finalize(d->call);
	sqlite3_finalize(d->leg);
	sqlite3_finalize(d->link);
	rowcopy_done(d->copy);
	sqlite3_finalize(d->known);
	sqlite3_close(d->sql);
	if (d->day_fd)
		close(d->day_fd - 1);
	*d = (struct db){ 0 };
}

int catalog_setup(sqlite3 *sql, bool *ret_version)
{
	int app = 0, version = 0, rc;

	*ret_version = true;
	rc = sql_int(sql, "PRAGMA application_id", &app);
	if (rc == SQLITE_OK)
		rc = sql_int(sql, "PRAGMA user_version", &version);
	if (rc == SQLITE_OK && !app && !version) {
		rc = sqlite3_exec(sql, schema, NULL, NULL, NULL);
		app = CATALOG_APP;
		version = CATALOG_VERSION;
	}
	*ret_version = app == CATALOG_APP && version >= 1 && version <= CATALOG_VERSION;
	if (rc == SQLITE_OK && *ret_version && version == 1)
		rc = sqlite3_exec(sql, upgrade_1, NULL, NULL, NULL);
	if (rc == SQLITE_OK && *ret_version && version <= 2)
		rc = sqlite3_exec(sql, upgrade_2, NULL, NULL, NULL);
	return rc == SQLITE_OK && *ret_version ? sqlite3_exec(sql, links, NULL, NULL, NULL) : rc;
}

static int setup_write(struct db *d, struct why *why)
{
	bool version;
	int rc;

	rc = sqlite3_exec(d->sql, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
				  "PRAGMA secure_delete=ON; PRAGMA temp_store=MEMORY;",
			  NULL, NULL, NULL);
	if (rc == SQLITE_OK) {
		rc = catalog_setup(d->sql, &version);
		if (rc == SQLITE_OK && !version)
			return db_fail(d, SQLITE_NOTADB, "not a catalog of this version (rule C-1)", why);
	}
	if (rc == SQLITE_OK)
		rc = sqlite3_prepare_v2(d->sql, insert_link, -1, &d->link, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_prepare_v2(d->sql, insert_call, -1, &d->call, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_prepare_v2(d->sql, insert_leg, -1, &d->leg, NULL);
	if (rc == SQLITE_OK)
		rc = rowcopy_prepare(d->sql, d->copy);
	return rc == SQLITE_OK ? 0 : db_fail(d, rc, "cannot open catalog", why);
}

static int setup_read(struct db *d, struct why *why)
{
	int app = 0, version = 0, rc;

	rc = sql_int(d->sql, "PRAGMA application_id", &app);
	if (rc == SQLITE_OK)
		rc = sql_int(d->sql, "PRAGMA user_version", &version);
	if (rc == SQLITE_OK && !app && !version)
		return -ENOENT; /* who made it died while it did: no rows */
	if (rc == SQLITE_OK && (app != CATALOG_APP || version < 1 || version > CATALOG_VERSION))
		return db_fail(d, SQLITE_NOTADB, "not a catalog of this version (rule C-1)", why);
	return rc == SQLITE_OK ? 0 : db_fail(d, rc, "cannot open catalog", why);
}

/* Nobody writes to one that is only read, but the next checkpoint of what a dead writer left may be to come. */
static int open_sql(struct catalog *c, struct db *d, const char *rel, bool create)
{
	char wal[STORE_PATH_MAX + 8];
	struct buf uri = { 0 };
	struct stat sb;
	int rc, flags = SQLITE_OPEN_READWRITE | (create ? SQLITE_OPEN_CREATE : 0);

	snprintf(wal, sizeof(wal), "%s-wal", rel);
	if (d->write)
		buf_printf(&uri, "%s/%s", c->root->path, rel), buf_put8(&uri, 0);
	else if (beneath_statat(c->root->fd, wal, &sb) || !sb.st_size)
		store_uri(c->root, rel, true, &uri), flags = SQLITE_OPEN_READONLY | SQLITE_OPEN_URI;
	else
		store_uri(c->root, rel, false, &uri), flags = SQLITE_OPEN_READONLY | SQLITE_OPEN_URI;
	rc = uri.failed ? SQLITE_NOMEM : sqlite3_open_v2((char *)uri.p, &d->sql, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW, NULL);
	buf_free(&uri);
	return rc;
}

static int db_open(struct catalog *c, struct db *d, bool create, struct why *why)
{
	char rel[STORE_PATH_MAX], dir[STORE_PATH_MAX];
	int rc;

	catalog_path(d->controller, d->day, d->part, rel);
	snprintf(dir, sizeof(dir), "catalog/%s", d->controller);
	rc = create ? make_dirs(c->root, dir, why) : 0;
	if (!rc && d->write) {
		int fd;

		rc = daylock_share(c->root, d->controller, d->day, &fd, why);
		d->day_fd = rc ? 0 : fd + 1;
	}
	if (rc)
		return rc;
	rc = create ? make_empty(c->root, rel, why) : 0;
	if (rc)
		return rc;
	rc = open_sql(c, d, rel, create);
	if (rc != SQLITE_OK)
		return db_fail(d, rc, "cannot open catalog", why);
	catalog_distrust(d->sql);
	sqlite3_busy_timeout(d->sql, 5000); /* a reader may hold the checkpoint for a moment */
	rc = d->write ? setup_write(d, why) : setup_read(d, why);
	if (rc)
		return rc;
	rc = sqlite3_prepare_v2(d->sql, known_row, -1, &d->known, NULL);
	return rc == SQLITE_OK ? 0 : db_fail(d, rc, "cannot read", why);
}

/* The one, or one that may be closed for it; NULL all are in use. */
static struct db *pick(struct catalog *c, const char *controller, uint32_t day, unsigned part, bool *ret_same)
{
	struct db *d = NULL;

	*ret_same = false;
	for (int i = 0; i < OPEN_DBS; i++) {
		struct db *x = &c->db[i];

		if (x->sql && x->day == day && x->part == part && !strcmp(x->controller, controller)) {
			*ret_same = true;
			return x;
		}
		if (!x->in_txn && (!d || (d->sql && (!x->sql || x->tick < d->tick))))
			d = x;
	}
	return d;
}

int db_get(struct catalog *c, const char *controller, uint32_t day, unsigned part, bool write, struct db **ret, struct why *why)
{
	bool same;
	struct db *d = pick(c, controller, day, part, &same);
	int rc;

	if (!d)
		return -EAGAIN;
	if (!same || (write && !d->write)) {
		db_close(d);
		*d = (struct db){ .day = day, .part = part, .write = write };
		snprintf(d->controller, sizeof(d->controller), "%s", controller);
		rc = db_open(c, d, write, why);
		if (rc) {
			db_close(d);
			*d = (struct db){ 0 };
			return rc;
		}
	}
	d->tick = ++c->tick;
	*ret = d;
	return 0;
}
