/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * reap_area.c - the hold area: rows and chunks of calls whose day is over
 *
 * segments/CONTROLLER/hold has a segment a call, with a copy of its row, catalog/CONTROLLER/hold.db its row, as in its day but for
 * the extents. Only the reaper writes there, so what no row names is a copy that was not finished, or a call whose hold is over; but
 * when the call is on hold and has a row nowhere: then hold.db was lost, and nothing is taken away until it is made anew.
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
#include "base/le.h"
#include "store/catalog.h"
#include "store/catalog_internal.h"
#include "store/hold.h"
#include "store/hold_area.h"
#include "store/later.h"
#include "store/reap_db.h"
#include "store/reap_internal.h"
#include "store/rowcopy.h"
#include "store/segment.h"
#include "store/writer.h"

#define COPY_BYTES CHUNK_DISK_MAX

/* ---- copying ---- */

struct copy {
	struct reap *r;
	const char *controller;
	uint32_t day;
	unsigned part;
	sqlite3 *hold; /* the new hold.db with the partition attached as d */
	bool changed;
	uint32_t named; /* the greatest segment number in hold.db */
	struct later *later;
	struct uid *held; /* of the controller: the holds are read again in between */
	size_t n;
	struct why *why;
};

/* A segment of the day, also one that a recorder left open. One that is not there may come back: the day waits for it. */
static int open_segment(const struct copy *c, uint32_t number, int *ret)
{
	static const char *const ext[2] = { "seg", "open" }; /* who would rename it is kept out by the day's lock */
	char name[STORE_PATH_MAX];
	int fd = -1;

	for (int i = 0; fd < 0 && i < 2; i++) {
		segment_path(c->controller, c->day, number, ext[i], name);
		fd = beneath_openat(c->r->root.fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0);
		if (fd < 0 && errno != ENOENT)
			return why_errno(c->why, -errno, name, "cannot read the audio of a call on hold");
	}
	if (fd < 0) {
		segment_path(c->controller, c->day, number, ext[0], name);
		return why_set(c->why, -EBADMSG, "%s: is gone, and a call on hold has audio in it: its day waits (rule C-3)", name);
	}
	*ret = fd;
	return 0;
}

/* All chunks of the call into what becomes a segment of its own, *ret_end: behind them; its extents as they are there. */
static int copy_chunks(struct copy *c, const uint8_t *p, size_t n, uint32_t number, struct buf *ret, uint64_t *ret_end)
{
	struct segment_head h = { .number = number, .day = DAY_HOLD, .created_ns = c->r->at_ns };
	struct extent_state in = { 0 }, out = { 0 };
	uint8_t head[SEGMENT_HEAD], *buf;
	uint64_t at = SEGMENT_HEAD;
	char name[STORE_PATH_MAX];
	bool cut = false;
	int to, fd = -1, rc = 0, got;
	uint32_t open_is = 0;
	struct extent e;

	segment_path(c->controller, DAY_HOLD, number, "copy", name);
	memcpy(h.store_id, c->r->root.id, 16);
	snprintf(h.controller, sizeof(h.controller), "%s", c->controller);
	segment_head_format(&h, head);
	to = beneath_openat(c->r->root.fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, FILE_MODE(&c->r->root));
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
			fd = -1;
			rc = open_segment(c, e.segment, &fd);
			if (rc)
				break;
			open_is = e.segment;
		}
		memset(buf, 0, segment_round(e.len));
		rc = pread_all(fd, buf, e.len, (off_t)e.off);
		if (rc == -ENODATA) { /* cut before; what is left is copied */
			cut = true;
			rc = 0;
			continue;
		}
		if (!rc)
			rc = pwrite_all(to, buf, segment_round(e.len), (off_t)at);
		if (!rc)
			extent_put(ret, &out, &(struct extent){ .segment = number, .off = at, .len = e.len });
		at += segment_round(e.len);
	}
	if (fd >= 0)
		close(fd);
	if (to >= 0)
		close(to);
	free(buf);
	*ret_end = at;
	if (!rc && ret->failed)
		rc = -ENOMEM;
	if (!rc && cut)
		reap_fault(c->r, -EBADMSG, "segments: a call on hold has less audio than its row says: one of its day is cut (rule C-3)");
	return rc && !*c->why->text ? why_errno(c->why, rc, name, "cannot copy a call on hold") : rc;
}

/* The row as it is in the new hold.db goes behind the chunks; then the segment gets its name. */
static int copy_finish(const struct root *r, const char *controller, sqlite3 *hold, const struct uid *uid, uint32_t number, uint64_t at,
		       struct why *why)
{
	char copy[STORE_PATH_MAX], name[STORE_PATH_MAX];
	sqlite3_stmt *st[ROWCOPY_TABLES] = { NULL };
	struct buf row = { 0 };
	int fd = -1, rc = rowcopy_prepare(hold, st);

	if (rc == SQLITE_OK)
		rc = rowcopy_take(st, uid, &row);
	rowcopy_done(st);
	segment_path(controller, DAY_HOLD, number, "copy", copy);
	segment_path(controller, DAY_HOLD, number, "seg", name);
	rc = rc == SQLITE_OK ? 0 : reap_db_fail(hold, rc, "hold.db", why);
	while (!rc && row.len % SEGMENT_ALIGN && !row.failed)
		buf_put8(&row, 0);
	rc = !rc && row.failed ? why_set(why, -ENOMEM, "out of memory") : rc;
	if (!rc) {
		fd = beneath_openat(r->fd, copy, O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0);
		rc = fd < 0 ? -errno : pwrite_all(fd, row.p, row.len, (off_t)at);
		if (!rc && fsync(fd))
			rc = -errno;
		if (!rc && beneath_renameat(r->fd, copy, name, 0))
			rc = -errno;
		if (rc)
			rc = why_errno(why, rc, copy, "cannot copy a call on hold");
		else
			rc = sync_dir_of(r, name, why);
	}
	if (fd >= 0)
		close(fd);
	buf_free(&row);
	return rc;
}

/* named: the greatest one that a row has, whose segment may be gone. */
static int next_number(const struct root *r, const char *controller, uint32_t named, uint32_t *ret, struct why *why)
{
	char dir[STORE_PATH_MAX];
	struct names names;
	uint32_t max = named;
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
	uint64_t end = 0;
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
		rc = next_number(&c->r->root, c->controller, c->named, &number, c->why);
	if (!rc)
		rc = copy_chunks(c, p, n, number, &extents, &end);
	if (!rc)
		rc = copy_row(c, text, &extents);
	if (!rc)
		rc = copy_finish(&c->r->root, c->controller, c->hold, uid, number, end, c->why);
	buf_free(&extents);
	free(p);
	return rc ? rc : stays(c, uid, &line);
}

static int list_held(void *arg, const struct hold *x)
{
	struct copy *c = arg;

	if (!strcmp(x->controller, c->controller))
		c->held[c->n++] = x->uid;
	return 0;
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
	rc = 0;
	for (size_t i = 0; !rc && i < c->n; i++) {
		rc = copy_call(c, &c->held[i]);
		reap_again(c->r, true);
	}
	(void)sqlite3_exec(c->hold, "DETACH d", NULL, NULL, NULL); /* goes with the connection otherwise */
	return rc;
}

static int is_of(void *arg, const struct hold *x)
{
	const char *controller = arg;

	return !strcmp(x->controller, controller);
}

/* ---- when it is over ---- */

/* A call that has a row in hold.db. */
struct kept {
	struct uid uid;
	uint32_t segment; /* of its chunks; 0: it has none */
	uint64_t end;	  /* behind them */
	bool copied;	  /* a copy of the row lies somewhere */
	bool there;	  /* that segment is there, its own, and has room for all of them */
};

struct area {
	struct reap *r;
	const char *controller;
	struct kept *v; /* by uid */
	size_t n;
	unsigned lost; /* segments of calls on hold that have a row nowhere */
};

static int kept_cmp(const void *a, const void *b)
{
	return memcmp(&((const struct kept *)a)->uid, &((const struct kept *)b)->uid, sizeof(struct uid));
}

static struct kept *kept_find(const struct area *a, const struct uid *uid)
{
	struct kept key = { .uid = *uid };

	return a->n ? bsearch(&key, a->v, a->n, sizeof(key), kept_cmp) : NULL;
}

static int kept_add(struct area *a, const struct uid *uid, const uint8_t *p, size_t n)
{
	struct extent_state in = { 0 };
	struct extent e;
	struct kept *v;

	if (!(a->n & (a->n - 1))) {
		v = realloc(a->v, (a->n ? 2 * a->n : 1) * sizeof(*v));
		if (!v)
			return -ENOMEM;
		a->v = v;
	}
	v = &a->v[a->n++];
	*v = (struct kept){ .uid = *uid };
	while (p && extent_get(&p, &n, &in, &e) > 0) {
		v->segment = e.segment;
		v->end = e.off + segment_round(e.len);
	}
	return 0;
}

/* sql NULL: there is no hold.db. */
static int area_read(struct area *a, sqlite3 *sql, struct why *why)
{
	sqlite3_stmt *st = NULL;
	struct uid uid;
	int got = SQLITE_DONE, rc = sql ? sqlite3_prepare_v2(sql, "SELECT uid, extents FROM calls", -1, &st, NULL) : SQLITE_OK;

	while (sql && rc == SQLITE_OK && (got = sqlite3_step(st)) == SQLITE_ROW) {
		const char *text = (const char *)sqlite3_column_text(st, 0);

		if (text && !uid_parse(text, &uid) && kept_add(a, &uid, sqlite3_column_blob(st, 1), (size_t)sqlite3_column_bytes(st, 1)))
			rc = SQLITE_NOMEM;
	}
	sqlite3_finalize(st);
	rc = rc == SQLITE_OK && got != SQLITE_DONE ? got : rc;
	if (a->n)
		qsort(a->v, a->n, sizeof(*a->v), kept_cmp);
	return rc == SQLITE_OK ? 0 : reap_db_fail(sql, rc, "hold.db", why);
}

/* Whose a segment is: its first item says so. *ret_copy: that is a copy of the row, there are no chunks. */
static bool segment_uid(const struct root *r, const char *name, struct uid *ret, bool *ret_copy, uint64_t *ret_size)
{
	int fd = beneath_openat(r->fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0);
	uint8_t p[CHUNK_HEAD];
	struct stat sb;
	bool ok;

	ok = fd >= 0 && !fstat(fd, &sb) && !pread_all(fd, p, sizeof(p), SEGMENT_HEAD) && (!memcmp(p, "OCHK", 4) || !memcmp(p, "ORow", 4)) &&
	     le32dec(p + 60) == crc32c(0, p, 60);
	if (fd >= 0)
		close(fd);
	if (!ok)
		return false;
	memcpy(ret->b, p + 16, 16);
	*ret_copy = p[1] == 'R';
	*ret_size = (uint64_t)sb.st_size;
	return true;
}

static bool has_row(struct reap *r, const struct uid *uid)
{
	struct reap_want w = { .uid = *uid };
	struct why none = { "" };

	(void)reap_rows_find(&r->root, &w, 1, &none); /* what cannot be read has none */
	return w.found;
}

static bool any_named(const struct area *a, uint32_t number)
{
	for (size_t i = 0; i < a->n; i++)
		if (a->v[i].segment == number)
			return true;
	return false;
}

/* Whether the segment stays. */
static bool stays_there(struct area *a, const char *name, uint32_t number)
{
	union { const char *c; void *v; } arg = { .c = a->controller };
	struct kept *k;
	struct uid uid;
	uint64_t size;
	bool copy;

	if (!segment_uid(&a->r->root, name, &uid, &copy, &size)) /* fsck names it */
		return any_named(a, number) || holds_each(a->r->holds, is_of, arg.v);
	k = kept_find(a, &uid);
	if (k) {
		k->copied |= copy || (k->segment == number && size > k->end);
		k->there |= k->segment == number && size >= k->end; /* else it is cut: nothing can be made of it, at no run */
		return k->segment == number || copy;
	}
	if (!hold_is(a->r->holds, &uid) || has_row(a->r, &uid)) /* over, or not finished */
		return false;
	a->lost++;
	return true;
}

/* Goes over the segments; `clean`: what no row names and no hold keeps is taken away. */
static void area_scan(struct area *a, bool clean)
{
	char dir[STORE_PATH_MAX], name[STORE_PATH_MAX + 300];
	struct names names;
	struct stat sb;

	snprintf(dir, sizeof(dir), "segments/%s/hold", a->controller);
	if (names_read(&a->r->root, dir, &names))
		return;
	for (size_t i = 0; i < names.n; i++) {
		const char *dot = strchr(names.v[i], '.');

		if (!dot || strspn(names.v[i], "0123456789") != 8 || (strcmp(dot, ".seg") && strcmp(dot, ".copy")))
			continue;
		snprintf(name, sizeof(name), "%s/%s", dir, names.v[i]);
		if (!strcmp(dot, ".seg") && stays_there(a, name, (uint32_t)strtoul(names.v[i], NULL, 10)))
			continue;
		if (!clean || beneath_statat(a->r->root.fd, name, &sb) || beneath_unlinkat(a->r->root.fd, name, 0))
			continue; /* the next run tries again */
		a->r->t.files++;
		a->r->t.bytes += (uint64_t)sb.st_blocks * 512;
	}
	names_free(&names);
}

static int area_lost(const struct area *a, struct why *why)
{
	char rel[STORE_PATH_MAX + 8];

	area_name(a->controller, false, rel);
	return !a->lost ? 0 : why_set(why, -EBADMSG, "%s: has no row of %u calls on hold, whose audio is there: nothing is taken away before"
				      " optag fsck --rebuild (rule H-6)", rel, a->lost);
}

static uint32_t greatest(const struct area *a)
{
	uint32_t max = 0;

	for (size_t i = 0; i < a->n; i++)
		max = a->v[i].segment > max ? a->v[i].segment : max;
	return max;
}

/* The whole segment and a copy of the row behind it, in its place: of an area of before copies were made. */
static int add_copy(struct area *a, sqlite3 *sql, const struct kept *k, struct why *why)
{
	struct segment_head h = { .number = k->segment, .day = DAY_HOLD, .created_ns = a->r->at_ns };
	char name[STORE_PATH_MAX], copy[STORE_PATH_MAX];
	uint64_t end = k->segment ? k->end : SEGMENT_HEAD;
	uint8_t head[SEGMENT_HEAD], *buf;
	int in = -1, out = -1, rc;

	if (!k->segment) {
		rc = next_number(&a->r->root, a->controller, greatest(a), &h.number, why);
		if (rc)
			return rc;
	}
	memcpy(h.store_id, a->r->root.id, 16);
	snprintf(h.controller, sizeof(h.controller), "%s", a->controller);
	segment_head_format(&h, head);
	segment_path(a->controller, DAY_HOLD, h.number, "seg", name);
	segment_path(a->controller, DAY_HOLD, h.number, "copy", copy);
	out = beneath_openat(a->r->root.fd, copy, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, FILE_MODE(&a->r->root));
	rc = out < 0 ? -errno : 0;
	if (!rc && k->segment)
		in = beneath_openat(a->r->root.fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW, 0);
	if (!rc && k->segment && in < 0)
		rc = -errno;
	buf = malloc(COPY_BYTES);
	rc = !rc && !buf ? -ENOMEM : rc;
	for (uint64_t at = 0; !rc && in >= 0 && at < end;) {
		size_t n = end - at < COPY_BYTES ? (size_t)(end - at) : COPY_BYTES;

		rc = pread_all(in, buf, n, (off_t)at);
		rc = rc ? rc : pwrite_all(out, buf, n, (off_t)at);
		at += n;
	}
	if (!rc && in < 0)
		rc = pwrite_all(out, head, sizeof(head), 0);
	free(buf);
	if (in >= 0)
		close(in);
	if (out >= 0)
		close(out);
	if (rc == -ENOENT || rc == -ENODATA) { /* its audio is damaged: fsck names it */
		(void)beneath_unlinkat(a->r->root.fd, copy, 0); /* else the next run does */
		return 0;
	}
	return rc ? why_errno(why, rc, name, "cannot copy a row to it") :
		    copy_finish(&a->r->root, a->controller, sql, &k->uid, h.number, end, why);
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

/* hold.db has a row of every call on hold whose audio is there; else nothing may be added to it, nor may a day go. */
static int area_whole(struct reap *r, const char *controller, uint32_t *ret_named, struct why *why)
{
	struct area a = { .r = r, .controller = controller };
	sqlite3 *sql = NULL;
	int rc = reap_db_open(&r->root, controller, DAY_HOLD, 1, &sql, why);

	rc = rc == -ENOENT ? 0 : rc;
	if (!rc)
		rc = area_read(&a, sql, why);
	sqlite3_close(sql);
	if (!rc)
		area_scan(&a, false);
	*ret_named = greatest(&a);
	free(a.v);
	return rc ? rc : area_lost(&a, why);
}

struct wanted {
	const char *controller;
	uint32_t day; /* of those whose key was of that day or before; 0 all */
	struct reap_want *v;
	size_t n;
};

static int want_held(void *arg, const struct hold *x)
{
	struct wanted *w = arg;

	if (!strcmp(x->controller, w->controller) && (!w->day || x->day <= w->day))
		w->v[w->n++] = (struct reap_want){ .uid = x->uid };
	return 0;
}

/* Each call on hold has a row somewhere. */
static bool all_rows(struct reap *r, const char *controller, uint32_t day)
{
	struct wanted w = { .controller = controller, .day = day, .v = calloc(holds_count(r->holds) + 1, sizeof(*w.v)) };
	struct why none = { "" };
	bool all = w.v;

	if (w.v)
		(void)holds_each(r->holds, want_held, &w);
	if (w.n)
		all = !reap_rows_find(&r->root, w.v, w.n, &none);
	for (size_t i = 0; all && i < w.n; i++)
		all = w.v[i].found;
	free(w.v);
	return all;
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
	rc = area_whole(r, controller, &c.named, why);
	if (rc)
		return rc;
	if (!all_rows(r, controller, day)) /* it may have been of this day, in a partition that is lost: its audio is all that is left */
		return why_set(why, -EBADMSG, "catalog/%s: a call on hold has no row: no day that it may be of is given up before"
			       " optag fsck --rebuild (rule H-6)", controller);
	c.held = calloc(holds_count(r->holds) + 1, sizeof(*c.held));
	if (!c.held)
		return why_set(why, -ENOMEM, "out of memory");
	(void)holds_each(r->holds, list_held, &c);
	rc = area_open(&r->root, controller, &c.hold, why);
	if (rc) {
		free(c.held);
		return rc;
	}
	rc = later_open(&r->root, controller, true, &c.later, why);
	if (!rc)
		rc = catalog_each_of(&r->root, controller, day, copy_partition, &c);
	later_close(c.later);
	free(c.held);
	return area_close(&r->root, controller, c.hold, rc ? rc : !c.changed, why);
}

struct over {
	const struct area *a;
	struct later_line *v;
	size_t n;
};

static int line_over(void *arg, const struct later_line *line)
{
	struct over *o = arg;
	struct later_line *v;

	if (state_holds(line->state) || kept_find(o->a, &line->uid) || hold_is(o->a->r->holds, &line->uid))
		return 0;
	v = o->n & (o->n - 1) ? o->v : realloc(o->v, (o->n ? 2 * o->n : 1) * sizeof(*v));
	if (!v)
		return -ENOMEM;
	o->v = v;
	o->v[o->n++] = *line;
	return 0;
}

/* Lines of calls whose row is gone: no day takes them along. */
static int forget_lines(const struct area *a, struct why *why)
{
	struct over o = { .a = a };
	struct later *l = NULL;
	int rc = a->r->holds ? later_open(&a->r->root, a->controller, false, &l, why) : -ENOENT;

	if (rc == -ENOENT)
		return 0;
	rc = rc ? rc : later_each(l, DAY_HOLD, line_over, &o, why);
	later_close(l);
	l = NULL;
	if (!rc && o.n)
		rc = later_open(&a->r->root, a->controller, true, &l, why);
	for (size_t i = 0; !rc && i < o.n; i++)
		rc = later_forget(l, &o.v[i].uid, o.v[i].purpose, why);
	later_close(l);
	free(o.v);
	return rc == -ENOMEM && !*why->text ? why_set(why, rc, "out of memory") : rc;
}

/* What no hold keeps is taken away, and rows are copied that were not yet. */
static int area_settle(struct reap *r, const char *controller, sqlite3 *sql, struct why *why)
{
	struct area a = { .r = r, .controller = controller };
	int rc = area_read(&a, sql, why);

	if (!rc)
		area_scan(&a, true);
	for (size_t i = 0; !rc && i < a.n; i++)
		if (!a.v[i].copied && (a.v[i].there || !a.v[i].segment)) { /* what is damaged is left as it is */
			rc = add_copy(&a, sql, &a.v[i], why);
			reap_again(r, true);
		}
	rc = rc ? rc : area_lost(&a, why);
	rc = rc ? rc : forget_lines(&a, why);
	free(a.v);
	return rc;
}

/* ---- what --rebuild set aside ---- */

/* All of "DB.damaged"; clean: they are taken away. How many there are. */
static size_t set_aside(struct reap *r, const char *controller, const char *db, bool clean)
{
	char dir[STORE_PATH_MAX], rel[STORE_PATH_MAX + 300], start[32];
	struct names names;
	struct stat sb;
	size_t n = 0;

	snprintf(dir, sizeof(dir), "catalog/%.63s", controller);
	snprintf(start, sizeof(start), "%s.damaged", db);
	if (names_read(&r->root, dir, &names))
		return 0;
	for (size_t i = 0; i < names.n; i++) {
		if (strncmp(names.v[i], start, strlen(start)) != 0)
			continue;
		n++;
		snprintf(rel, sizeof(rel), "%s/%s", dir, names.v[i]);
		if (!clean || beneath_statat(r->root.fd, rel, &sb) || !S_ISREG(sb.st_mode) || beneath_unlinkat(r->root.fd, rel, 0))
			continue; /* the next run tries again */
		r->t.files++;
		r->t.bytes += (uint64_t)sb.st_blocks * 512;
	}
	names_free(&names);
	return n;
}

static int nothing(void *arg, const struct later_line *line)
{
	(void)arg;
	(void)line;
	return 0;
}

static bool later_whole(struct reap *r, const char *controller)
{
	struct why none = { "" };
	struct later *l = NULL;
	int rc = later_open(&r->root, controller, false, &l, &none);

	rc = rc ? rc : later_each(l, 0, nothing, NULL, &none);
	later_close(l);
	return !rc;
}

/* They have rows of calls whose time may be over, and no day takes them along. */
static void forget_set_aside(struct reap *r, const char *controller)
{
	if (!r->holds)
		return;
	if (set_aside(r, controller, "hold.db", false) && all_rows(r, controller, 0)) /* so nothing is to be had from one that is damaged */
		(void)set_aside(r, controller, "hold.db", true);
	if (set_aside(r, controller, "later.db", false) && later_whole(r, controller))
		(void)set_aside(r, controller, "later.db", true);
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
	(void)beneath_unlinkat(r->root.fd, fresh, 0); /* of a run that was killed; mostly there is none */
	rc = reap_db_open(&r->root, controller, DAY_HOLD, 1, &sql, &why);
	if (rc == -ENOENT) { /* none, or lost */
		rc = area_settle(r, controller, NULL, &why);
		if (rc)
			reap_fault(r, rc, why.text);
		else
			forget_set_aside(r, controller);
		return;
	}
	if (!rc)
		rc = find_over(r, sql, &v, &n, &why);
	if (!rc && n) {
		sqlite3_close(sql);
		sql = NULL;
		rc = forget_all(r, controller, v, n, &why);
		if (!rc)
			rc = reap_db_open(&r->root, controller, DAY_HOLD, 1, &sql, &why);
	}
	if (!rc)
		rc = area_settle(r, controller, sql, &why);
	sqlite3_close(sql);
	if (rc)
		reap_fault(r, rc, why.text);
	else
		forget_set_aside(r, controller);
	free(v);
}
