/* SPDX-License-Identifier: BSD-2-Clause */
/* rowcopy.c - a call's row as bytes, see rowcopy.h */
#include "store/rowcopy.h"

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "store/segment.h"

#define COLUMNS_MAX 100
#define ROWS_MAX    8 /* of a table, of one call */

enum { V_NULL, V_INT, V_TEXT, V_BLOB };

static const char *const tables[ROWCOPY_TABLES] = { "calls", "legs", "links" };

int rowcopy_prepare(sqlite3 *sql, sqlite3_stmt *ret[ROWCOPY_TABLES])
{
	char text[64];
	int rc = SQLITE_OK;

	for (int t = 0; rc == SQLITE_OK && t < ROWCOPY_TABLES; t++) {
		snprintf(text, sizeof(text), "SELECT * FROM %s WHERE uid=? LIMIT %d", tables[t], ROWS_MAX);
		rc = sqlite3_prepare_v2(sql, text, -1, &ret[t], NULL);
	}
	return rc;
}

void rowcopy_done(sqlite3_stmt *st[ROWCOPY_TABLES])
{
	for (int t = 0; t < ROWCOPY_TABLES; t++)
		sqlite3_finalize(st[t]);
	memset(st, 0, ROWCOPY_TABLES * sizeof(*st));
}

/* ---- into bytes ---- */

static void put_value(sqlite3_stmt *st, int i, struct buf *b)
{
	const void *p;
	int n;

	switch (sqlite3_column_type(st, i)) {
	case SQLITE_INTEGER:
		buf_put8(b, V_INT);
		buf_put_varint(b, zigzag(sqlite3_column_int64(st, i)));
		return;
	case SQLITE_TEXT:
	case SQLITE_BLOB:
		buf_put8(b, sqlite3_column_type(st, i) == SQLITE_TEXT ? V_TEXT : V_BLOB);
		p = sqlite3_column_blob(st, i);
		n = sqlite3_column_bytes(st, i);
		buf_put_varint(b, (uint64_t)n);
		buf_put(b, p, (size_t)n);
		return;
	default: /* there are no others in any table */
		buf_put8(b, V_NULL);
	}
}

/* Number of rows u8, and each: number of values u8, values. */
static int put_table(sqlite3_stmt *st, const char *uid, struct buf *b, unsigned *ret_rows)
{
	size_t count = b->len;
	int rc;

	*ret_rows = 0;
	buf_put8(b, 0);
	sqlite3_bind_text(st, 1, uid, -1, SQLITE_STATIC);
	while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
		int n = sqlite3_column_count(st);

		buf_put8(b, (uint8_t)n);
		for (int i = 0; i < n; i++)
			put_value(st, i, b);
		++*ret_rows;
	}
	sqlite3_reset(st);
	sqlite3_clear_bindings(st);
	if (!b->failed)
		b->p[count] = (uint8_t)*ret_rows;
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

int rowcopy_take(sqlite3_stmt *const st[ROWCOPY_TABLES], const struct uid *uid, struct buf *out)
{
	char text[UID_TEXT];
	unsigned rows, calls = 0;
	int rc = SQLITE_OK;

	buf_reset(out);
	if (buf_room(out, ROW_HEAD))
		out->len = ROW_HEAD;
	uid_format(uid, text);
	for (int t = 0; rc == SQLITE_OK && t < ROWCOPY_TABLES; t++) {
		rc = put_table(st[t], text, out, &rows);
		calls = t ? calls : rows;
	}
	if (rc == SQLITE_OK && !calls)
		rc = SQLITE_NOTFOUND;
	if (rc == SQLITE_OK)
		rc = out->failed ? SQLITE_NOMEM : out->len > ROW_DISK_MAX ? SQLITE_TOOBIG : SQLITE_OK;
	if (rc != SQLITE_OK)
		return rc;
	row_head_format(uid, (uint32_t)out->len, out->p);
	row_head_seal(out->p, (uint32_t)out->len);
	return SQLITE_OK;
}

/* ---- and back ---- */

struct value {
	uint8_t kind;
	int64_t v;
	const uint8_t *p;
	size_t n;
};

static bool get_value(struct rd *r, struct value *v)
{
	*v = (struct value){ .kind = rd_u8(r) };
	if (v->kind == V_INT) {
		v->v = unzigzag(rd_varint(r));
	} else if (v->kind == V_TEXT || v->kind == V_BLOB) {
		uint64_t n = rd_varint(r);

		if (r->bad || n > r->left)
			return false;
		v->n = (size_t)n;
		v->p = rd_bytes(r, v->n);
	}
	return !r->bad && v->kind <= V_BLOB;
}

static bool table_sound(struct rd *r, const char *uid, unsigned least, unsigned most)
{
	unsigned rows = rd_u8(r);

	if (rows < least || rows > most)
		return false;
	while (rows--) {
		unsigned n = rd_u8(r);
		struct value v;

		if (!n || n > COLUMNS_MAX)
			return false;
		for (unsigned i = 0; i < n; i++) {
			if (!get_value(r, &v))
				return false;
			if (!i && (v.kind != V_TEXT || v.n != strlen(uid) || memcmp(v.p, uid, v.n)))
				return false;
		}
	}
	return !r->bad;
}

bool rowcopy_sound(const uint8_t *p, size_t n, const struct uid *uid)
{
	struct rd r = { .p = p, .left = n };
	char text[UID_TEXT];

	uid_format(uid, text);
	return table_sound(&r, text, 1, 1) && table_sound(&r, text, 0, ROWS_MAX) && table_sound(&r, text, 0, 1) && !r.left;
}

static bool value_at(const uint8_t *p, size_t n, unsigned column, struct value *ret)
{
	struct rd r = { .p = p, .left = n };

	if (rd_u8(&r) != 1 || rd_u8(&r) <= column)
		return false;
	for (unsigned i = 0; i <= column; i++)
		if (!get_value(&r, ret))
			return false;
	return true;
}

bool rowcopy_int(const uint8_t *p, size_t n, unsigned column, uint64_t *ret)
{
	struct value v;

	if (!value_at(p, n, column, &v) || v.kind != V_INT || v.v < 0)
		return false;
	*ret = (uint64_t)v.v;
	return true;
}

bool rowcopy_text(const uint8_t *p, size_t n, unsigned column, char *ret, size_t size)
{
	struct value v;

	if (!value_at(p, n, column, &v) || v.kind != V_TEXT)
		return false;
	snprintf(ret, size, "%.*s", (int)(v.n < size ? v.n : size), (const char *)v.p);
	return true;
}

/* "INSERT INTO t(first n columns) VALUES(?,...)" */
static int insert_of(sqlite3 *sql, const char *table, unsigned n, sqlite3_stmt **ret)
{
	struct buf q = { 0 };
	sqlite3_stmt *st = NULL;
	char text[64];
	unsigned have = 0;
	int rc;

	snprintf(text, sizeof(text), "SELECT name FROM pragma_table_info('%s') ORDER BY cid", table);
	buf_printf(&q, "INSERT INTO %s(", table);
	rc = sqlite3_prepare_v2(sql, text, -1, &st, NULL);
	while (rc == SQLITE_OK && have < n && sqlite3_step(st) == SQLITE_ROW)
		buf_printf(&q, "%s\"%s\"", have++ ? "," : "", (const char *)sqlite3_column_text(st, 0));
	sqlite3_finalize(st);
	if (rc == SQLITE_OK && have < n)
		rc = SQLITE_MISMATCH;
	buf_printf(&q, ") VALUES(?");
	for (unsigned i = 1; i < n; i++)
		buf_printf(&q, ",?");
	buf_printf(&q, ")");
	buf_put8(&q, 0);
	if (rc == SQLITE_OK)
		rc = q.failed ? SQLITE_NOMEM : sqlite3_prepare_v2(sql, (char *)q.p, -1, ret, NULL);
	buf_free(&q);
	return rc;
}

static int bind_value(sqlite3_stmt *st, int i, const struct value *v)
{
	switch (v->kind) {
	case V_INT:
		return sqlite3_bind_int64(st, i, v->v);
	case V_TEXT:
		return sqlite3_bind_text(st, i, (const char *)v->p, (int)v->n, SQLITE_STATIC);
	case V_BLOB:
		return sqlite3_bind_blob(st, i, v->n ? v->p : (const uint8_t *)"", (int)v->n, SQLITE_STATIC);
	default:
		return sqlite3_bind_null(st, i);
	}
}

static int insert_row(sqlite3 *sql, const char *table, struct rd *r)
{
	unsigned n = rd_u8(r);
	sqlite3_stmt *st = NULL;
	struct value v;
	int rc = insert_of(sql, table, n, &st);

	for (unsigned i = 0; rc == SQLITE_OK && i < n; i++)
		rc = get_value(r, &v) ? bind_value(st, (int)i + 1, &v) : SQLITE_CORRUPT;
	if (rc == SQLITE_OK)
		rc = sqlite3_step(st) == SQLITE_DONE ? SQLITE_OK : sqlite3_errcode(sql);
	sqlite3_finalize(st);
	return rc;
}

int rowcopy_insert(sqlite3 *sql, const uint8_t *p, size_t n)
{
	struct rd r = { .p = p, .left = n };
	int rc = SQLITE_OK;

	for (int t = 0; rc == SQLITE_OK && t < ROWCOPY_TABLES; t++)
		for (unsigned rows = rd_u8(&r); rc == SQLITE_OK && rows; rows--)
			rc = insert_row(sql, tables[t], &r);
	return rc;
}
