/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cursor.c - reading a catalog without writing anything
 *
 * Without a -wal file beside it nobody is writing, and the database is opened
 * "immutable": SQLite then makes no lock, -shm or -wal file (which, made by
 * root, would stop a recorder of another user). Should a recorder begin
 * meanwhile, the change is noticed at the end and reported as -EAGAIN. That a
 * sealed copy takes the file's name is no change: the old one stays as it is.
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
#include "store/grounds.h"
#include "store/overlay.h"

struct cursor {
	const struct root *root;
	char controller[STORE_NAME_MAX];
	char rel[STORE_PATH_MAX];
	uint32_t day;
	unsigned part;
	sqlite3 *sql;
	sqlite3_stmt *st, *legs, *link; /* link: NULL in a catalog without the table */
	bool immutable;
	int version;
	int fd; /* the file that was opened: a sealed copy may take its name */
	struct stat before;
	struct overlay *overlay;
	int state; /* of the filter */
	char reason[STORE_PURPOSES][LATER_REASON]; /* what the overlay says */
	struct cursor_row row;
};

static const char select_calls[] =
	"SELECT uid,start_ns,answer_ns,end_ns,rule,policy_hash,scenario,sip_call_id,outcome,end,gap,agent,"
	"documentation_state,documentation_reason,documentation_until,documentation_day,documentation_slot,"
	"training_state,training_reason,training_until,training_day,training_slot,numbers,extents,";
static const char select_legs[] =
	"SELECT leg,codec,clock,channels,pt,fmtp,packets,lost,duplicates,reordered,events,audio_ms,jitter_us,"
	"blocked,inspected,muted FROM legs WHERE uid=?";
/* Databases from before there were the last two. */
static const char select_old_legs[] =
	"SELECT leg,codec,clock,channels,pt,fmtp,packets,lost,duplicates,reordered,events,audio_ms,jitter_us,"
	"blocked,0,0 FROM legs WHERE uid=?";
static const char select_link[] = "SELECT relation,other FROM links WHERE uid=?";

static int fail(struct cursor *c, int rc, const char *what, struct why *why)
{
	int err = (rc & 255) == SQLITE_NOMEM			   ? -ENOMEM :
		  (rc & 255) == SQLITE_CANTOPEN || rc == SQLITE_PERM ? -EACCES :
								     -EBADMSG;

	return why_set(why, err, "%s: %s: %s%s", c->rel, what,
		       c->sql ? sqlite3_errmsg(c->sql) : sqlite3_errstr(rc),
		       err == -EBADMSG ? " (rule C-1)" : "");
}

static int open_db(struct cursor *c, struct why *why)
{
	char wal[STORE_PATH_MAX + 8];
	struct buf uri = { 0 };
	struct stat sb;
	int rc, app = 0, version = 0;

	snprintf(wal, sizeof(wal), "%s-wal", c->rel);
	c->fd = beneath_openat(c->root->fd, c->rel, O_PATH | O_CLOEXEC, 0);
	if (c->fd < 0 || fstat(c->fd, &c->before))
		return why_errno(why, -errno, c->rel, "cannot open");
	c->immutable = beneath_statat(c->root->fd, wal, &sb) || !sb.st_size;
	store_uri(c->root, c->rel, c->immutable, &uri);
	rc = uri.failed ? SQLITE_NOMEM :
			  sqlite3_open_v2((char *)uri.p, &c->sql,
					  SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW, NULL);
	buf_free(&uri);
	if (rc != SQLITE_OK)
		return fail(c, rc, "cannot open", why);
	catalog_distrust(c->sql);
	sqlite3_busy_timeout(c->sql, 5000);
	for (int i = 0; i < 2; i++) {
		sqlite3_stmt *st;

		rc = sqlite3_prepare_v2(c->sql, i ? "PRAGMA user_version" : "PRAGMA application_id", -1, &st,
					NULL);
		if (rc != SQLITE_OK)
			return fail(c, rc, "cannot read", why);
		rc = sqlite3_step(st);
		*(i ? &version : &app) = rc == SQLITE_ROW ? sqlite3_column_int(st, 0) : -1;
		sqlite3_finalize(st);
		if (rc != SQLITE_ROW)
			return fail(c, rc, "cannot read", why);
	}
	if (!app && !version)
		return -ENODATA; /* a recorder is making it, or died while it did: no rows */
	c->version = version;
	if (app != 0x4F505447 || version < 1 || version > 3)
		return why_set(why, -EBADMSG, "%s: not a catalog of this version (rule C-1)", c->rel);
	return 0;
}

static void where(struct buf *b, bool *any, const char *cond)
{
	buf_printf(b, " %s %s", *any ? "AND" : "WHERE", cond);
	*any = true;
}

static int prepare(struct cursor *c, const struct store_filter *f, const uint8_t *hash, struct why *why)
{
	struct buf q = { 0 };
	char uid[UID_TEXT];
	bool any = false, few;
	int rc;

	buf_printf(&q, "%s%s,%s,zone,%s,caller_hash,callee_hash FROM calls", select_calls, c->version == 1 ? "NULL" : "parts",
		   c->version < 3 ? "0" : "training_use_by", c->version < 3 ? "NULL" : "grounds");
	if (f->uid)
		where(&q, &any, "uid=:uid");
	if (hash)
		where(&q, &any, "(caller_hash=:hash OR callee_hash=:hash)");
	/* Who asks for few rows by number or identifier is not to be answered by the index on start. */
	few = f->uid || hash || f->sip_call_id;
	if (f->since_ns)
		where(&q, &any, few ? "+start_ns>=:since" : "start_ns>=:since");
	if (f->until_ns)
		where(&q, &any, few ? "+start_ns<:until" : "start_ns<:until");
	if (f->rule)
		where(&q, &any, "rule=:rule");
	if (f->sip_call_id)
		where(&q, &any, "sip_call_id=:sip");
	/* What was kept may be anything by now. */
	if (f->state >= 0)
		where(&q, &any, c->overlay ? "(documentation_state IN (:state,'GRANTED','OBJECTED') OR"
					     " training_state IN (:state,'GRANTED','OBJECTED'))" :
					     "(documentation_state=:state OR training_state=:state)");
	buf_printf(&q, few ? " ORDER BY +start_ns, uid" : " ORDER BY start_ns, uid");
	buf_put8(&q, 0);
	rc = q.failed ? SQLITE_NOMEM : sqlite3_prepare_v2(c->sql, (char *)q.p, -1, &c->st, NULL);
	buf_free(&q);
	if (rc != SQLITE_OK)
		return fail(c, rc, "cannot read", why);
#define BIND(name, how, ...)                                                  \
	do {                                                                  \
		int at = sqlite3_bind_parameter_index(c->st, name);           \
		if (at)                                                       \
			sqlite3_bind_##how(c->st, at, __VA_ARGS__);           \
	} while (0)
	if (f->uid) {
		uid_format(f->uid, uid);
		BIND(":uid", text, uid, -1, SQLITE_TRANSIENT);
	}
	BIND(":hash", blob, hash, NUMBER_HASH, SQLITE_TRANSIENT);
	BIND(":since", int64, (sqlite3_int64)f->since_ns);
	BIND(":until", int64, (sqlite3_int64)f->until_ns);
	BIND(":rule", text, f->rule, -1, SQLITE_TRANSIENT);
	BIND(":sip", text, f->sip_call_id, -1, SQLITE_TRANSIENT);
	if (f->state >= 0)
		BIND(":state", text, store_state_names[f->state], -1, SQLITE_STATIC);
#undef BIND
	return 0;
}

int cursor_open(const struct root *r, const char *controller, uint32_t day, unsigned part,
		const struct store_filter *f, const uint8_t hash[NUMBER_HASH], struct overlay *o, struct cursor **ret,
		struct why *why)
{
	struct cursor *c = calloc(1, sizeof(*c));
	int rc;

	if (!c)
		return why_set(why, -ENOMEM, "out of memory");
	c->root = r;
	c->fd = -1;
	c->overlay = o;
	c->state = f->state;
	c->day = day;
	c->part = part;
	snprintf(c->controller, sizeof(c->controller), "%s", controller);
	catalog_path(controller, day, part, c->rel);
	rc = open_db(c, why);
	if (!rc)
		rc = prepare(c, f, hash, why);
	if (rc && rc != -ENODATA) {
		cursor_close(c);
		return rc;
	}
	*ret = c;
	return 0;
}

void cursor_close(struct cursor *c)
{
	if (!c)
		return;
	sqlite3_finalize(c->st);
	sqlite3_finalize(c->legs);
	sqlite3_finalize(c->link);
	sqlite3_close(c->sql);
	if (c->fd >= 0)
		close(c->fd); /* of O_PATH: ends no lock that SQLite has on the file */
	parts_free(&c->row.parts);
	free(c);
}

/* ---- values: nothing in the file is trusted to be of the kind it should be ---- */

static const char *get_text(sqlite3_stmt *st, int i)
{
	const unsigned char *s = sqlite3_column_text(st, i);

	return s ? (const char *)s : "";
}

static uint64_t get_int(sqlite3_stmt *st, int i)
{
	sqlite3_int64 v = sqlite3_column_int64(st, i);

	return v < 0 ? 0 : (uint64_t)v;
}

static int get_name(sqlite3_stmt *st, int i, const char *const *names, int n)
{
	const char *s = get_text(st, i);

	for (int k = 0; k < n; k++)
		if (!strcmp(s, names[k]))
			return k;
	return -1;
}

static int get_day(sqlite3_stmt *st, int i, uint32_t *ret)
{
	const char *s = get_text(st, i);

	*ret = 0;
	return *s && day_parse(s, strlen(s), ret) ? -EBADMSG : 0;
}

static int get_purpose(sqlite3_stmt *st, int at, int p, struct cursor_row *r)
{
	int state = get_name(st, at, store_state_names, STORE_S_MAX);
	uint64_t slot = get_int(st, at + 4);

	if (state < 0 || slot > UINT32_MAX || get_day(st, at + 3, &r->purpose_day[p]))
		return -EBADMSG;
	r->row.state[p] = (enum store_state)state;
	r->row.reason[p] = get_text(st, at + 1);
	r->row.end_state[p] = r->row.state[p];
	r->row.end_reason[p] = r->row.reason[p];
	r->row.until_ns[p] = get_int(st, at + 2);
	r->purpose_slot[p] = (uint32_t)slot;
	r->row.key_day[p] = slot ? r->purpose_day[p] : 0;
	return slot && !r->purpose_day[p] ? -EBADMSG : 0;
}

static int get_leg(sqlite3_stmt *st, struct store_row *row)
{
	static const char *const names[2] = { "caller", "callee" };
	int leg = get_name(st, 0, names, 2);
	struct store_leg_figures *f;

	if (leg < 0)
		return -EBADMSG;
	f = &row->leg[leg];
	snprintf(f->format.name, sizeof(f->format.name), "%s", get_text(st, 1));
	f->format.clock = (uint32_t)get_int(st, 2);
	f->format.channels = (uint8_t)get_int(st, 3);
	f->format.pt = (uint8_t)get_int(st, 4);
	snprintf(f->format.fmtp, sizeof(f->format.fmtp), "%s", get_text(st, 5));
	f->packets = get_int(st, 6);
	f->lost = get_int(st, 7);
	f->duplicates = get_int(st, 8);
	f->reordered = get_int(st, 9);
	f->events = get_int(st, 10);
	f->audio_ms = get_int(st, 11);
	f->jitter_us = (uint32_t)get_int(st, 12);
	f->blocked = get_int(st, 13);
	f->inspected = get_int(st, 14);
	f->muted = get_int(st, 15);
	return 0;
}

/* With the first row: most partitions have none that matches. */
static int prepare_rest(struct cursor *c)
{
	int rc;

	if (c->legs)
		return SQLITE_OK;
	rc = sqlite3_prepare_v2(c->sql, select_legs, -1, &c->legs, NULL);
	if (rc == SQLITE_ERROR)
		rc = sqlite3_prepare_v2(c->sql, select_old_legs, -1, &c->legs, NULL);
	if (rc == SQLITE_OK && sqlite3_table_column_metadata(c->sql, NULL, "links", NULL, NULL, NULL, NULL, NULL, NULL) == SQLITE_OK)
		rc = sqlite3_prepare_v2(c->sql, select_link, -1, &c->link, NULL);
	return rc;
}

static int get_legs(struct cursor *c, struct store_row *row)
{
	int rc = prepare_rest(c);

	if (rc != SQLITE_OK)
		return rc;
	sqlite3_reset(c->legs);
	sqlite3_bind_text(c->legs, 1, get_text(c->st, 0), -1, SQLITE_TRANSIENT);
	while ((rc = sqlite3_step(c->legs)) == SQLITE_ROW)
		if (get_leg(c->legs, row))
			return SQLITE_CORRUPT;
	sqlite3_reset(c->legs);
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int get_row(struct cursor *c)
{
	struct cursor_row *r = &c->row;
	struct store_row *row = &r->row;
	sqlite3_stmt *st = c->st;
	const void *blob;
	int outcome;

	parts_free(&r->parts);
	*r = (struct cursor_row){ .day = c->day, .part = c->part };
	day_date(c->day, &row->day);
	row->controller = c->controller;
	outcome = get_name(st, 8, store_outcome_names, STORE_O_MAX);
	if (uid_parse(get_text(st, 0), &row->uid) || outcome < 0 || get_purpose(st, 12, 0, r) ||
	    get_purpose(st, 17, 1, r))
		return -EBADMSG;
	row->start_ns = get_int(st, 1);
	row->answer_ns = get_int(st, 2);
	row->end_ns = get_int(st, 3);
	row->rule = get_text(st, 4);
	row->policy_hash = get_text(st, 5);
	row->scenario = get_text(st, 6);
	row->sip_call_id = get_text(st, 7);
	row->outcome = (enum store_outcome)outcome;
	row->end = get_text(st, 9);
	row->gap = get_text(st, 10);
	row->agent = sqlite3_column_type(st, 11) == SQLITE_NULL ? NULL : get_text(st, 11);
	r->numbers = sqlite3_column_blob(st, 22);
	r->numbers_len = (size_t)sqlite3_column_bytes(st, 22);
	r->extents = sqlite3_column_blob(st, 23);
	r->extents_len = (size_t)sqlite3_column_bytes(st, 23);
	row->training_use_by = get_int(st, 25);
	r->zone = get_text(st, 26);
	r->grounds = sqlite3_column_blob(st, 27);
	r->grounds_len = (size_t)sqlite3_column_bytes(st, 27);
	if (!grounds_sound(r->grounds, r->grounds_len))
		return -EBADMSG;
	for (int i = 0; i < 2; i++) {
		blob = sqlite3_column_blob(st, 28 + i);
		row->has_number[i] = blob && sqlite3_column_bytes(st, 28 + i) == NUMBER_HASH;
		if (row->has_number[i])
			memcpy(row->number[i], blob, NUMBER_HASH);
	}
	blob = sqlite3_column_blob(st, 24);
	return parts_get(blob, (size_t)sqlite3_column_bytes(st, 24), &r->parts);
}

/* What each purpose may have of the call: all that is kept, or its parts. */
static void get_shares(struct cursor_row *r)
{
	for (int p = 0; p < STORE_PURPOSES; p++) {
		bool live = r->row.state[p] == STORE_S_GRANTED || r->row.state[p] == STORE_S_OBJECTED;

		r->row.share[p].whole = live;
		r->row.grounds = r->row.grounds || (live && r->grounds_len);
		for (size_t i = 0; live && i < r->parts.n; i++) {
			const struct part *k = &r->parts.v[i];

			if (k->way[p].how == PART_NONE && k->way[!p].how != PART_NONE && (k->leg[0].packets || k->leg[1].packets))
				r->row.share[p].whole = false;
		}
		for (int leg = 0; live && leg < 2; leg++) {
			uint64_t *packets = &r->row.share[p].packets[leg], *ms = &r->row.share[p].audio_ms[leg];

			if (r->row.share[p].whole) {
				*packets = r->row.leg[leg].packets;
				*ms = r->row.leg[leg].audio_ms;
				continue;
			}
			for (size_t i = 0; i < r->parts.n; i++) {
				if (r->parts.v[i].way[p].how == PART_NONE)
					continue;
				*packets += r->parts.v[i].leg[leg].packets;
				*ms += r->parts.v[i].leg[leg].audio_ms;
			}
		}
	}
}

static int get_link(struct cursor *c, struct store_row *row)
{
	int rc;

	if (!c->link)
		return SQLITE_OK;
	sqlite3_reset(c->link);
	sqlite3_bind_text(c->link, 1, get_text(c->st, 0), -1, SQLITE_TRANSIENT);
	rc = sqlite3_step(c->link);
	if (rc != SQLITE_ROW)
		return rc == SQLITE_DONE ? SQLITE_OK : rc;
	row->relation = get_text(c->link, 0); /* until it is reset: with the next row */
	return uid_parse(get_text(c->link, 1), &row->other) ? SQLITE_CORRUPT : SQLITE_OK;
}

static int get_later(struct cursor *c, struct why *why)
{
	struct cursor_row *r = &c->row;

	for (int p = 0; c->overlay && p < STORE_PURPOSES; p++) {
		int rc = overlay_state(c->overlay, c->controller, &r->row.uid, (enum store_purpose)p, r->purpose_day[p],
				       r->purpose_slot[p], &r->row.state[p], c->reason[p], why);

		if (rc < 0)
			return rc;
		if (rc)
			r->row.reason[p] = c->reason[p];
		if (state_holds(r->row.state[p]) && r->row.rule)
			overlay_until(c->overlay, c->controller, r->row.rule, (enum store_purpose)p, r->row.start_ns, &r->row.until_ns[p]);
	}
	if (c->overlay && r->row.rule)
		overlay_use_by(c->overlay, c->controller, r->row.rule, r->row.start_ns, &r->row.training_use_by);
	return 0;
}

static bool changed(const struct cursor *c)
{
	struct stat now;

	return c->immutable && (fstat(c->fd, &now) || now.st_size != c->before.st_size ||
				now.st_mtim.tv_sec != c->before.st_mtim.tv_sec ||
				now.st_mtim.tv_nsec != c->before.st_mtim.tv_nsec);
}

/* As cursor_next, whatever state the filter wants. */
static int next_row(struct cursor *c, struct why *why)
{
	int rc;

	if (!c->st)
		return 0;
	rc = sqlite3_step(c->st);
	if (rc != SQLITE_ROW && changed(c))
		return why_set(why, -EAGAIN, "%s: a recorder changed it while it was read", c->rel);
	if (rc == SQLITE_DONE)
		return 0;
	if (rc != SQLITE_ROW)
		return fail(c, rc, "cannot read", why);
	rc = get_row(c);
	if (rc == -ENOMEM)
		return why_set(why, rc, "%s: out of memory", c->rel);
	if (rc)
		return why_set(why, -EBADMSG, "%s: row %.26s: values of another kind (rule C-2)", c->rel,
			       get_text(c->st, 0));
	rc = get_legs(c, &c->row.row);
	if (rc == SQLITE_OK)
		rc = get_link(c, &c->row.row);
	if (rc != SQLITE_OK)
		return fail(c, rc, "cannot read legs", why);
	rc = get_later(c, why);
	if (rc)
		return rc;
	get_shares(&c->row);
	return 1;
}

int cursor_next(struct cursor *c, const struct cursor_row **ret, struct why *why)
{
	const struct store_row *row = &c->row.row;
	int rc;

	do
		rc = next_row(c, why);
	while (rc == 1 && c->state >= 0 && (int)row->state[0] != c->state && (int)row->state[1] != c->state);
	*ret = &c->row;
	return rc;
}

int cursor_check(struct cursor *c, struct why *why)
{
	sqlite3_stmt *st = NULL;
	int rc;

	if (!c->st)
		return 0;
	rc = sqlite3_prepare_v2(c->sql, "PRAGMA integrity_check(1)", -1, &st, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(st);
	if (rc == SQLITE_ROW && !strcmp(get_text(st, 0), "ok"))
		rc = 0;
	else if (rc == SQLITE_ROW)
		rc = why_set(why, -EBADMSG, "%s: %.200s (rule C-1)", c->rel, get_text(st, 0));
	else
		rc = fail(c, rc, "cannot check", why);
	sqlite3_finalize(st);
	return rc;
}
