/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * catalog.c - the newest partitions of the days, and rows into them
 *
 * A partition is handed to sealing.h when it is full, or when nobody has written
 * to it for a while: an hour, or a day when it is so small that looking
 * through all of it costs nothing (or a trickle of calls would make a partition an hour).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "store/catalog_internal.h"
#include "store/known.h"
#include "store/sealing.h"

#define ROW_BYTES   800 /* of a row with its legs, in the file */
#define FILE_BYTES  65536 /* at most, of one without rows */
#define IDLE_ROWS   10000
#define IDLE_S	    3600
#define IDLE_FEW_S  86400
#define IDLE_LOOK_S 60

static int64_t machine_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts); /* files have its time, also while a replay has another */
	return ts.tv_sec;
}

/* ---- the newest partitions ---- */

static struct hot *hot_known(struct catalog *c, const char *controller, uint32_t day)
{
	for (size_t i = c->nhot; i-- > 0;) /* the last ones are the likely ones */
		if (c->hot[i].day == day && !strcmp(c->hot[i].controller, controller))
			return &c->hot[i];
	return NULL;
}

static struct hot *hot_new(struct catalog *c, const char *controller, uint32_t day)
{
	struct hot *h;

	if (!(c->nhot & (c->nhot - 1))) {
		h = realloc(c->hot, (c->nhot ? 2 * c->nhot : 1) * sizeof(*h));
		if (!h)
			return NULL;
		c->hot = h;
	}
	h = &c->hot[c->nhot++];
	*h = (struct hot){ .day = day, .part = 1 };
	snprintf(h->controller, sizeof(h->controller), "%s", controller);
	return h;
}

/* The next partition is the day's newest; what is written to this one is over. */
static void retire(struct catalog *c, struct hot *h)
{
	for (int i = 0; i < OPEN_DBS; i++)
		if (c->db[i].sql && c->db[i].day == h->day && c->db[i].part == h->part && !strcmp(c->db[i].controller, h->controller))
			db_close(&c->db[i]);
	sealing_add(c->sealing, h->controller, h->day, h->part);
	h->part++;
	h->there = false;
	h->rows = 0;
}

static bool idle(const struct hot *h, int64_t now)
{
	return h->there && now - h->written_s >= (h->rows >= IDLE_ROWS ? IDLE_S : IDLE_FEW_S);
}

/* By the files: those of before that are not sealed, and which one is the newest. */
static int take_file(void *arg, const char *controller, uint32_t day, unsigned part)
{
	struct catalog *c = arg;
	struct hot *h = hot_known(c, controller, day);
	char rel[STORE_PATH_MAX];
	struct stat sb;

	catalog_path(controller, day, part, rel);
	if (day == DAY_HOLD || beneath_statat(c->root->fd, rel, &sb) || !S_ISREG(sb.st_mode))
		return 0; /* the reaper's, or gone just now */
	if (h && h->there) /* it was not the newest */
		retire(c, h);
	if (!h)
		h = hot_new(c, controller, day);
	if (!h)
		return -ENOMEM;
	h->there = sb.st_mode & 0222;
	h->part = h->there ? part : part + 1;
	h->rows = sb.st_size > FILE_BYTES ? (uint64_t)(sb.st_size - FILE_BYTES) / ROW_BYTES : 0;
	h->written_s = sb.st_mtim.tv_sec;
	return 0;
}

struct hot *hot_find(struct catalog *c, const char *controller, uint32_t day)
{
	struct hot *h = hot_known(c, controller, day);

	return h ? h : hot_new(c, controller, day);
}

static void retire_idle(struct catalog *c, int64_t now)
{
	if (now - c->idle_s < IDLE_LOOK_S && now >= c->idle_s)
		return;
	c->idle_s = now;
	for (size_t i = 0; i < c->nhot; i++)
		if (idle(&c->hot[i], now))
			retire(c, &c->hot[i]);
}

int catalog_new(const struct root *r, struct sealing *s, struct catalog **ret)
{
	struct catalog *c = calloc(1, sizeof(*c));
	int rc;

	if (!c)
		return -ENOMEM;
	c->root = r;
	c->sealing = s;
	c->limit = CATALOG_PART_ROWS;
	rc = catalog_each(r, take_file, c);
	if (rc) {
		catalog_free(c);
		return rc;
	}
	retire_idle(c, machine_s());
	*ret = c;
	return 0;
}

void catalog_limit(struct catalog *c, uint64_t rows)
{
	c->limit = rows;
}

void catalog_free(struct catalog *c)
{
	if (!c)
		return;
	for (int i = 0; i < OPEN_DBS; i++)
		db_close(&c->db[i]);
	known_free(&c->known);
	free(c->hot);
	free(c);
}

int db_look(struct catalog *c, const char *controller, uint32_t day, unsigned part, struct db **ret, struct why *why)
{
	return db_get(c, controller, day, part, false, ret, why);
}

/* The database that rows of the day go to. */
static int db_hot(struct catalog *c, const char *controller, uint32_t day, struct hot **ret_hot, struct db **ret, struct why *why)
{
	struct hot *h = hot_find(c, controller, day);
	int rc;

	if (!h) {
		why_set(why, -ENOMEM, "out of memory");
		return -ENOMEM;
	}
	if (h->there && h->rows >= c->limit && h->part < CATALOG_PARTS) {
		for (int i = 0; i < OPEN_DBS; i++) /* rows of an open transaction are not left behind */
			if (c->db[i].in_txn && c->db[i].day == day && c->db[i].part == h->part && !strcmp(c->db[i].controller, controller))
				goto same;
		retire(c, h);
	}
same:
	rc = db_get(c, controller, day, h->part, true, ret, why);
	if (rc)
		return rc;
	h->there = true;
	h->written_s = machine_s();
	*ret_hot = h;
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
	bind_int(st, &i, row->purpose_slot[STORE_TRAINING] ? m->training_use_by : 0);
	bind_blob(st, &i, row->grounds, row->grounds_len);
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
	struct hot *h;
	struct db *d;

	return db_hot(c, controller, day, &h, &d, why);
}

static int add_all(struct db *d, const struct catalog_row *row)
{
	int rc = add_call(d, row);

	for (int leg = 0; rc == SQLITE_OK && leg < 2; leg++)
		rc = add_leg(d, row, leg);
	if (rc == SQLITE_OK && row->result->relation)
		rc = add_link(d, row);
	return rc;
}

static int begin(struct db *d, struct why *why)
{
	int rc = d->in_txn ? SQLITE_OK : sqlite3_exec(d->sql, "BEGIN IMMEDIATE", NULL, NULL, NULL);

	if (rc != SQLITE_OK)
		return db_fail(d, rc, "cannot begin", why);
	d->in_txn = true;
	return 0;
}

int catalog_add(struct catalog *c, const struct catalog_row *row, struct why *why)
{
	struct hot *h;
	struct db *d;
	int rc = db_hot(c, row->meta->controller, row->day, &h, &d, why);

	if (!rc && h->part > 1)
		rc = known_before(c, row->meta->controller, row->day, h->part, &row->meta->uid, why);
	if (rc > 0)
		return why_set(why, -EEXIST, "catalog/%s: the call has a row in an earlier partition", row->meta->controller);
	if (!rc && h->part > 1) /* looking may have closed it */
		rc = db_hot(c, row->meta->controller, row->day, &h, &d, why);
	if (!rc)
		rc = begin(d, why);
	if (rc)
		return rc;
	/* A savepoint keeps the rows before this one when this one fails. */
	rc = sqlite3_exec(d->sql, "SAVEPOINT row", NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		rc = add_all(d, row);
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
	h->rows++;
	note_row(c, row, h->part);
	return 0;
}

int catalog_copy(struct catalog *c, const struct catalog_row *row, struct buf *out, struct why *why)
{
	struct hot *h;
	struct db *d;
	int rc = db_hot(c, row->meta->controller, row->day, &h, &d, why);

	if (rc)
		return rc;
	rc = rowcopy_take(d->copy, &row->meta->uid, out);
	return rc == SQLITE_OK ? 0 : db_fail(d, rc, "cannot copy a row", why);
}

void catalog_told(struct catalog *c, int (*fn)(void *arg, const char *controller, uint32_t day, unsigned part), void *arg)
{
	c->tell = fn;
	c->tell_arg = arg;
}

static int tell(struct catalog *c, struct db *d)
{
	int rc = d->told || !c->tell ? 0 : c->tell(c->tell_arg, d->controller, d->day, d->part);

	d->told = !rc;
	return rc;
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
		if (err == SQLITE_OK) {
			err = tell(c, d);
			rc = rc ? rc : err;
			continue;
		}
		rc = db_fail(d, err, "cannot commit", why);
		if (!d->in_txn) /* not only not durable: gone */
			c->undone = rc;
	}
	if (!rc && c->undone)
		rc = why_set(why, c->undone, "catalog: rows were rolled back: %s", strerror(-c->undone));
	if (rc)
		return rc;
	c->pending = 0;
	retire_idle(c, machine_s());
	return 0;
}

size_t catalog_pending(const struct catalog *c)
{
	return c->pending;
}

