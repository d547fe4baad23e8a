/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * reap_area.c - the hold area: rows and chunks of calls whose day is over
 *
 * segments/CONTROLLER/hold has a segment a call, catalog/CONTROLLER/hold.db its row, as in its day but for the extents. Only the
 * reaper writes there, so what no row names is a copy that was not finished, or a call whose hold is over.
 */
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "store/catalog.h"
#include "store/catalog_internal.h"
#include "store/hold.h"
#include "store/later.h"
#include "store/reap_db.h"
#include "store/reap_internal.h"
#include "store/segment.h"
#include "store/writer.h"

#define COPY_BYTES CHUNK_DISK_MAX

/* ---- hold.db ---- */

static void area_name(const char *controller, bool fresh, char out[STORE_PATH_MAX + 8])
{
	char rel[STORE_PATH_MAX];

	catalog_path(controller, DAY_HOLD, 1, rel);
	snprintf(out, STORE_PATH_MAX + 8, "%s%s", rel, fresh ? ".new" : "");
}

/* 1 copied, 0 there is nothing to copy. */
static int copy_file(const struct root *r, const char *from, const char *to, struct why *why)
{
	int in = openat(r->fd, from, O_RDONLY | O_CLOEXEC | O_NOFOLLOW), out, rc = 1;
	uint8_t *buf = malloc(COPY_BYTES);
	ssize_t n = 1;
	off_t at = 0;

	if (in < 0 && errno == ENOENT) {
		free(buf);
		return 0;
	}
	out = in < 0 ? -1 : openat(r->fd, to, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	if (in < 0 || out < 0 || !buf)
		rc = buf ? -errno : -ENOMEM;
	while (rc == 1 && (n = pread(in, buf, COPY_BYTES, at)) > 0) {
		int err = pwrite_all(out, buf, (size_t)n, at);

		rc = err ? err : 1;
		at += n;
	}
	if (rc == 1 && n < 0)
		rc = -errno;
	if (in >= 0)
		close(in);
	if (out >= 0)
		close(out);
	free(buf);
	return rc < 0 ? why_errno(why, rc, from, "cannot copy") : rc;
}

/*
 * A copy of hold.db, or an empty one, to be changed at will: it takes the name when all is done, so that a reader finds
 * one state or the other, and needs no journal.
 */
static int area_open(const struct root *r, const char *controller, sqlite3 **ret, struct why *why)
{
	char rel[STORE_PATH_MAX + 8], fresh[STORE_PATH_MAX + 8], dir[STORE_PATH_MAX];
	struct buf name = { 0 };
	bool version = true;
	sqlite3 *sql = NULL;
	int rc;

	area_name(controller, false, rel);
	area_name(controller, true, fresh);
	snprintf(dir, sizeof(dir), "catalog/%s", controller);
	(void)unlinkat(r->fd, fresh, 0); /* of one that was killed; mostly there is none */
	rc = make_dirs(r, dir, why);
	if (!rc)
		rc = make_empty(r, fresh, why);
	if (!rc)
		rc = copy_file(r, rel, fresh, why);
	if (rc < 0)
		return rc;
	buf_printf(&name, "%s/%s", r->path, fresh);
	buf_put8(&name, 0);
	rc = name.failed ? SQLITE_NOMEM :
			   sqlite3_open_v2((char *)name.p, &sql, SQLITE_OPEN_READWRITE | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX, NULL);
	buf_free(&name);
	if (rc == SQLITE_OK) {
		catalog_distrust(sql);
		rc = sqlite3_exec(sql, "PRAGMA journal_mode=MEMORY; PRAGMA synchronous=OFF; PRAGMA secure_delete=ON;"
				       "PRAGMA temp_store=MEMORY", NULL, NULL, NULL);
	}
	if (rc == SQLITE_OK)
		rc = catalog_setup(sql, &version);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(sql, "CREATE TABLE IF NOT EXISTS links(uid TEXT NOT NULL PRIMARY KEY, relation TEXT NOT NULL,"
				       " other TEXT NOT NULL) WITHOUT ROWID", NULL, NULL, NULL);
	if (rc != SQLITE_OK || !version) {
		rc = reap_db_fail(sql, rc == SQLITE_OK ? SQLITE_NOTADB : rc, rel, why);
		sqlite3_close(sql);
		return rc;
	}
	*ret = sql;
	return 0;
}

/* Takes hold.db's place, durably, unless rc says that something failed or nothing is to be kept (1). Closes it. */
static int area_close(const struct root *r, const char *controller, sqlite3 *sql, int rc, struct why *why)
{
	char rel[STORE_PATH_MAX + 8], fresh[STORE_PATH_MAX + 8];
	int fd = -1;

	area_name(controller, false, rel);
	area_name(controller, true, fresh);
	if (sqlite3_close(sql) != SQLITE_OK && !rc)
		rc = why_set(why, -EBUSY, "%s: is still in use", fresh);
	if (!rc) {
		fd = openat(r->fd, fresh, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
		if (fd < 0 || fsync(fd) || renameat(r->fd, fresh, r->fd, rel))
			rc = why_errno(why, -errno, rel, "cannot write");
		else
			rc = sync_dir_of(r, rel, why);
	} else {
		(void)unlinkat(r->fd, fresh, 0); /* else the next one does */
	}
	if (fd >= 0)
		close(fd);
	return rc == 1 ? 0 : rc;
}

/* ---- copying ---- */

struct copy {
	struct reap *r;
	const char *controller;
	uint32_t day;
	unsigned part;
	sqlite3 *hold; /* the new hold.db with the partition attached as d */
	bool changed;
	struct later *later;
	struct why *why;
};

/* All chunks of the call into a segment of its own; its extents as they are there. */
static int copy_chunks(struct copy *c, const uint8_t *p, size_t n, uint32_t number, struct buf *ret)
{
	struct segment_head h = { .number = number, .day = DAY_HOLD, .created_ns = c->r->clock.now_ns };
	char name[STORE_PATH_MAX], from[STORE_PATH_MAX];
	struct extent_state in = { 0 }, out = { 0 };
	uint8_t head[SEGMENT_HEAD], *buf;
	uint64_t at = SEGMENT_HEAD;
	int to, fd = -1, rc = 0, got;
	uint32_t open_is = 0;
	struct extent e;

	segment_path(c->controller, DAY_HOLD, number, "copy", name);
	memcpy(h.store_id, c->r->root.id, 16);
	snprintf(h.controller, sizeof(h.controller), "%s", c->controller);
	segment_head_format(&h, head);
	to = openat(c->r->root.fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, FILE_MODE(&c->r->root));
	buf = malloc(segment_round(COPY_BYTES));
	if (to < 0 || !buf)
		rc = to < 0 ? why_errno(c->why, -errno, name, "cannot create") : why_set(c->why, -ENOMEM, "out of memory");
	if (!rc)
		rc = pwrite_all(to, head, sizeof(head), 0);
	while (buf && !rc && (got = extent_get(&p, &n, &in, &e)) != 0) {
		if (got < 0) {
			rc = why_set(c->why, -EBADMSG, "catalog: a call's list of chunks does not parse (rule C-2)");
			break;
		}
		if (fd < 0 || open_is != e.segment) {
			if (fd >= 0)
				close(fd);
			segment_path(c->controller, c->day, e.segment, "seg", from);
			fd = openat(c->r->root.fd, from, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
			open_is = e.segment;
		}
		memset(buf, 0, segment_round(e.len));
		rc = fd < 0 ? -errno : pread_all(fd, buf, e.len, (off_t)e.off);
		if (rc == -ENODATA || rc == -ENOENT) { /* lost before; what is left is copied */
			rc = 0;
			continue;
		}
		if (!rc)
			rc = pwrite_all(to, buf, segment_round(e.len), (off_t)at);
		if (!rc)
			extent_put(ret, &out, &(struct extent){ .segment = number, .off = at, .len = e.len });
		at += segment_round(e.len);
	}
	if (!rc && fsync(to))
		rc = -errno;
	if (fd >= 0)
		close(fd);
	if (to >= 0)
		close(to);
	free(buf);
	if (!rc) {
		segment_path(c->controller, DAY_HOLD, number, "seg", from);
		rc = renameat(c->r->root.fd, name, c->r->root.fd, from) ? -errno : sync_dir_of(&c->r->root, from, c->why);
	}
	if (!rc && ret->failed)
		rc = -ENOMEM;
	return rc && !*c->why->text ? why_errno(c->why, rc, name, "cannot copy a call on hold") : rc;
}

static int next_number(const struct root *r, const char *controller, uint32_t *ret, struct why *why)
{
	char dir[STORE_PATH_MAX];
	struct names names;
	uint32_t max = 0;
	int rc;

	snprintf(dir, sizeof(dir), "segments/%s/hold", controller);
	rc = make_dirs(r, dir, why);
	if (rc)
		return rc;
	rc = names_read(r, dir, &names);
	for (size_t i = 0; !rc && i < names.n; i++) {
		unsigned long n = strtoul(names.v[i], NULL, 10);

		max = n > max && n < 99999999 ? (uint32_t)n : max;
	}
	names_free(&names);
	*ret = max + 1;
	return rc ? why_errno(why, rc, dir, "cannot read") : 0;
}

/* Columns that both have: the partition may be of an older format. */
static int copy_table(struct copy *c, const char *table, const char *uid)
{
	char *sql = NULL, *cols = NULL;
	sqlite3_stmt *st = NULL;
	int rc;

	sql = sqlite3_mprintf("SELECT group_concat(name) FROM pragma_table_info(%Q,'d') WHERE name IN (SELECT name FROM"
			      " pragma_table_info(%Q,'main'))", table, table);
	rc = sql ? sqlite3_prepare_v2(c->hold, sql, -1, &st, NULL) : SQLITE_NOMEM;
	if (rc == SQLITE_OK && sqlite3_step(st) == SQLITE_ROW && sqlite3_column_text(st, 0))
		cols = sqlite3_mprintf("%s", sqlite3_column_text(st, 0));
	sqlite3_finalize(st);
	sqlite3_free(sql);
	if (rc == SQLITE_OK && cols) { /* without columns: an older catalog has no such table */
		sql = sqlite3_mprintf("INSERT OR REPLACE INTO main.%w(%s) SELECT %s FROM d.%w WHERE uid=%Q", table, cols, cols, table, uid);
		rc = sql ? sqlite3_exec(c->hold, sql, NULL, NULL, NULL) : SQLITE_NOMEM;
		sqlite3_free(sql);
	}
	sqlite3_free(cols);
	return rc;
}

static int copy_row(struct copy *c, const char *uid, const struct buf *extents)
{
	static const char *const tables[3] = { "calls", "legs", "links" };
	sqlite3_stmt *st = NULL;
	int rc = sqlite3_exec(c->hold, "BEGIN IMMEDIATE", NULL, NULL, NULL);

	for (int i = 0; rc == SQLITE_OK && i < 3; i++)
		rc = copy_table(c, tables[i], uid);
	if (rc == SQLITE_OK)
		rc = sqlite3_prepare_v2(c->hold, "UPDATE main.calls SET extents=?1 WHERE uid=?2", -1, &st, NULL);
	if (rc == SQLITE_OK) {
		sqlite3_bind_blob(st, 1, extents->len ? extents->p : (const uint8_t *)"", (int)extents->len, SQLITE_STATIC);
		sqlite3_bind_text(st, 2, uid, -1, SQLITE_STATIC);
		rc = sqlite3_step(st) == SQLITE_DONE ? SQLITE_OK : sqlite3_errcode(c->hold);
	}
	sqlite3_finalize(st);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(c->hold, "COMMIT", NULL, NULL, NULL);
	c->changed = true;
	if (rc == SQLITE_OK)
		return 0;
	rc = reap_db_fail(c->hold, rc, "hold.db", c->why);
	(void)sqlite3_exec(c->hold, "ROLLBACK", NULL, NULL, NULL); /* what failed is told */
	return rc;
}

static int is_there(sqlite3 *sql, const char *query, const char *uid, struct why *why)
{
	sqlite3_stmt *st = NULL;
	int rc = sqlite3_prepare_v2(sql, query, -1, &st, NULL);

	if (rc == SQLITE_OK) {
		sqlite3_bind_text(st, 1, uid, -1, SQLITE_STATIC);
		rc = sqlite3_step(st);
	}
	sqlite3_finalize(st);
	return rc == SQLITE_ROW ? 1 : rc == SQLITE_DONE ? 0 : reap_db_fail(sql, rc, "hold.db", why);
}

/* What later.db says of it does not go with the day. */
static int stays(struct copy *c, const struct uid *uid, struct later_line *line)
{
	int rc = later_get(c->later, uid, STORE_DOCUMENTATION, line, c->why);

	if (rc <= 0 || line->day == DAY_HOLD)
		return rc < 0 ? rc : 0;
	line->day = DAY_HOLD;
	return later_put(c->later, line, c->why);
}

/* Copies the call when its row is in this partition. */
static int copy_call(struct copy *c, const struct uid *uid)
{
	struct later_line line;
	struct buf extents = { 0 };
	uint8_t *p = NULL;
	char text[UID_TEXT];
	sqlite3 *from = NULL;
	uint32_t number;
	size_t n = 0;
	int rc;

	uid_format(uid, text);
	rc = is_there(c->hold, "SELECT 1 FROM d.calls WHERE uid=?", text, c->why);
	if (rc <= 0)
		return rc;
	rc = is_there(c->hold, "SELECT 1 FROM main.calls WHERE uid=?", text, c->why);
	if (rc)
		return rc < 0 ? rc : stays(c, uid, &line);
	rc = reap_db_open(&c->r->root, c->controller, c->day, c->part, &from, c->why);
	if (!rc)
		rc = reap_row_extents(from, uid, &p, &n, c->why);
	sqlite3_close(from);
	if (!rc)
		rc = next_number(&c->r->root, c->controller, &number, c->why);
	if (!rc && n)
		rc = copy_chunks(c, p, n, number, &extents);
	if (!rc)
		rc = copy_row(c, text, &extents);
	buf_free(&extents);
	free(p);
	return rc ? rc : stays(c, uid, &line);
}

static int copy_held(void *arg, const struct hold *x)
{
	struct copy *c = arg;

	return strcmp(x->controller, c->controller) ? 0 : copy_call(c, &x->uid);
}

static int copy_partition(void *arg, const char *controller, uint32_t day, unsigned part)
{
	struct copy *c = arg;
	char rel[STORE_PATH_MAX], *sql;
	struct buf uri = { 0 };
	int rc;

	(void)controller;
	c->part = part;
	catalog_path(c->controller, day, part, rel);
	reap_db_uri(&c->r->root, rel, &uri);
	sql = uri.failed ? NULL : sqlite3_mprintf("ATTACH %Q AS d", (char *)uri.p);
	rc = sql ? sqlite3_exec(c->hold, sql, NULL, NULL, NULL) : SQLITE_NOMEM;
	sqlite3_free(sql);
	buf_free(&uri);
	if (rc != SQLITE_OK)
		return reap_db_fail(c->hold, rc, rel, c->why);
	rc = holds_each(c->r->holds, copy_held, c);
	(void)sqlite3_exec(c->hold, "DETACH d", NULL, NULL, NULL); /* goes with the connection otherwise */
	return rc;
}

static int is_of(void *arg, const struct hold *x)
{
	const char *controller = arg;

	return !strcmp(x->controller, controller);
}

int reap_hold_day(struct reap *r, const char *controller, uint32_t day, struct why *why)
{
	struct copy c = { .r = r, .controller = controller, .day = day, .why = why };
	union { const char *c; void *v; } arg = { .c = controller };
	int rc;

	if (!r->holds)
		return why_set(why, -EBADMSG, "holds: damaged: nobody knows whose audio must stay");
	if (!holds_each(r->holds, is_of, arg.v))
		return 0;
	rc = area_open(&r->root, controller, &c.hold, why);
	if (rc)
		return rc;
	rc = later_open(&r->root, controller, true, &c.later, why);
	if (!rc)
		rc = catalog_each_of(&r->root, controller, day, copy_partition, &c);
	later_close(c.later);
	return area_close(&r->root, controller, c.hold, rc ? rc : !c.changed, why);
}

/* ---- when it is over ---- */

static bool named(sqlite3 *sql, uint32_t number)
{
	sqlite3_stmt *st = NULL;
	bool yes = false;

	if (sqlite3_prepare_v2(sql, "SELECT extents FROM calls", -1, &st, NULL) != SQLITE_OK)
		return true;
	while (!yes) {
		struct extent_state in = { 0 };
		const uint8_t *p;
		struct extent e;
		int rc = sqlite3_step(st);
		size_t n;

		if (rc != SQLITE_ROW) {
			yes = rc != SQLITE_DONE;
			break;
		}
		p = sqlite3_column_blob(st, 0);
		n = (size_t)sqlite3_column_bytes(st, 0);
		if (p && n && (extent_get(&p, &n, &in, &e) < 0 || e.segment == number)) /* a segment has one call */
			yes = true;
	}
	sqlite3_finalize(st);
	return yes;
}

/* Segments that no row names: of calls whose hold is over, and copies that were not finished. */
static void area_clean(struct reap *r, const char *controller, sqlite3 *sql)
{
	char dir[STORE_PATH_MAX], name[STORE_PATH_MAX + 300];
	struct names names;
	struct stat sb;

	snprintf(dir, sizeof(dir), "segments/%s/hold", controller);
	if (names_read(&r->root, dir, &names))
		return;
	for (size_t i = 0; i < names.n; i++) {
		const char *dot = strchr(names.v[i], '.');

		if (!dot || strspn(names.v[i], "0123456789") != 8 || (strcmp(dot, ".seg") && strcmp(dot, ".copy")) ||
		    (!strcmp(dot, ".seg") && named(sql, (uint32_t)strtoul(names.v[i], NULL, 10))))
			continue;
		snprintf(name, sizeof(name), "%s/%s", dir, names.v[i]);
		if (fstatat(r->root.fd, name, &sb, AT_SYMLINK_NOFOLLOW) || unlinkat(r->root.fd, name, 0))
			continue; /* the next run tries again */
		r->t.files++;
		r->t.bytes += (uint64_t)sb.st_blocks * 512;
	}
	names_free(&names);
}

static int forget(sqlite3 *sql, const char *uid)
{
	static const char *const tables[3] = { "calls", "legs", "links" };
	int rc = sqlite3_exec(sql, "BEGIN IMMEDIATE", NULL, NULL, NULL);

	for (int i = 0; rc == SQLITE_OK && i < 3; i++) {
		char *q = sqlite3_mprintf("DELETE FROM %w WHERE uid=%Q", tables[i], uid);

		rc = q ? sqlite3_exec(sql, q, NULL, NULL, NULL) : SQLITE_NOMEM;
		sqlite3_free(q);
	}
	if (rc == SQLITE_OK)
		return sqlite3_exec(sql, "COMMIT", NULL, NULL, NULL);
	(void)sqlite3_exec(sql, "ROLLBACK", NULL, NULL, NULL); /* what failed is told */
	return rc;
}

/* Rows of calls that are not on hold any more. */
static int find_over(struct reap *r, sqlite3 *sql, struct uid **ret, size_t *ret_n, struct why *why)
{
	struct uid *v = NULL;
	sqlite3_stmt *st = NULL;
	size_t n = 0;
	int got = SQLITE_DONE, rc = sqlite3_prepare_v2(sql, "SELECT uid FROM calls", -1, &st, NULL);

	while (rc == SQLITE_OK && (got = sqlite3_step(st)) == SQLITE_ROW) {
		const char *text = (const char *)sqlite3_column_text(st, 0);
		struct uid uid, *more;

		if (!text || uid_parse(text, &uid) || hold_is(r->holds, &uid))
			continue;
		more = realloc(v, (n + 1) * sizeof(*v));
		rc = more ? SQLITE_OK : SQLITE_NOMEM;
		v = more ? more : v;
		if (more)
			v[n++] = uid;
	}
	sqlite3_finalize(st);
	*ret = v;
	*ret_n = n;
	rc = rc == SQLITE_OK && got != SQLITE_DONE ? got : rc;
	return rc == SQLITE_OK ? 0 : reap_db_fail(sql, rc, "hold.db", why);
}

static int forget_all(struct reap *r, const char *controller, const struct uid *v, size_t n, struct why *why)
{
	char uid[UID_TEXT];
	sqlite3 *sql = NULL;
	int rc = area_open(&r->root, controller, &sql, why);

	if (rc)
		return rc;
	for (size_t i = 0; !rc && i < n; i++) {
		int err;

		uid_format(&v[i], uid);
		err = forget(sql, uid);
		rc = err == SQLITE_OK ? 0 : reap_db_fail(sql, err, "hold.db", why);
	}
	return area_close(&r->root, controller, sql, rc, why);
}

void reap_area_look(struct reap *r, const char *controller)
{
	char fresh[STORE_PATH_MAX + 8];
	struct why why = { "" };
	struct uid *v = NULL;
	sqlite3 *sql = NULL;
	size_t n = 0;
	int rc;

	area_name(controller, true, fresh);
	(void)unlinkat(r->root.fd, fresh, 0); /* of a run that was killed; mostly there is none */
	rc = reap_db_open(&r->root, controller, DAY_HOLD, 1, &sql, &why);
	if (rc == -ENOENT)
		return;
	if (!rc)
		rc = find_over(r, sql, &v, &n, &why);
	if (!rc && n) {
		sqlite3_close(sql);
		sql = NULL;
		rc = forget_all(r, controller, v, n, &why);
		if (!rc)
			rc = reap_db_open(&r->root, controller, DAY_HOLD, 1, &sql, &why);
	}
	if (rc)
		reap_fault(r, rc, why.text);
	else
		area_clean(r, controller, sql);
	sqlite3_close(sql);
	free(v);
}
