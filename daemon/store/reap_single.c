/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * reap_single.c - purposes of single calls that end before their day
 *
 * Whatever the reason, a purpose is first a line in STORE/erase, then a line in later.db (durable), then its slot is overwritten,
 * then it is told, then its line is done. Killed anywhere the next run begins again with the line: what was done is
 * done to no effect, and at most told twice.
 *
 * What nobody asked for does not wait for a line that cannot be written (a full disk): each run finds it anew until later.db says that it
 * is gone, and that is written last then, when it was told.
 */
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/bucket.h"
#include "store/catalog.h"
#include "store/hold.h"
#include "store/later.h"
#include "store/reap_ask.h"
#include "store/reap_db.h"
#include "store/reap_internal.h"
#include "store/reap_retain.h"
#include "store/reap_used.h"
#include "store/slot.h"

#define SCAN_BYTES (1u << 20)
#define NO_LINE	   UINT64_MAX /* in place of its offset */

/* ---- what nobody used ---- */

struct unused {
	struct reap *r;
	struct reap_used used; /* for those that later policies make unused, too */
	bool unknown;	       /* it could not be read */
	struct reap_ask *v;
	size_t n;
	char controller[STORE_NAME_MAX];
	struct later *later; /* of it; NULL none */
	/* of their own use-by: what was looked at before is over, and what is now */
	uint64_t from_ns, clock_ns;
	uint64_t asked_ns; /* the first one that is due and not erased yet */
	bool looked, failed;
	bool cut; /* there are more: they are the next run's */
};

/* One that was made since the buckets were looked for. What cannot be read may live. */
static bool is_live(const struct reap *r, const char *controller, unsigned purpose, uint32_t day)
{
	struct bucket k = { 0 };
	struct why why;
	int rc = bucket_read(&r->root, controller, purpose, day, &k, &why);

	explicit_bzero(&k.key, sizeof(k.key));
	return rc ? rc != -ENOENT : k.state == BUCKET_LIVE;
}

bool reap_bucket_lives(const struct reap *r, const char *controller, unsigned purpose, uint32_t day)
{
	for (size_t i = 0; i < r->nbucket; i++)
		if (r->bucket[i].day == day && r->bucket[i].purpose == purpose && !strcmp(r->bucket[i].controller, controller))
			return r->bucket[i].live;
	return is_live(r, controller, purpose, day);
}

static int add_ask(struct unused *u, const struct uid *uid, unsigned purpose, const char *reason)
{
	struct reap_ask *a;

	if (!(u->n & (u->n - 1))) {
		a = realloc(u->v, (u->n ? 2 * u->n : 1) * sizeof(*a));
		if (!a)
			return -ENOMEM;
		u->v = a;
	}
	a = &u->v[u->n++];
	*a = (struct reap_ask){ .call = *uid, .purpose = purpose, .at_ns = u->r->at_ns };
	snprintf(a->reason, sizeof(a->reason), "%s", reason);
	return 0;
}

static int unused_rows(struct unused *u, sqlite3 *sql, uint64_t from_ns, struct why *why)
{
	struct later_line line;
	sqlite3_stmt *st = NULL;
	int rc, got = SQLITE_DONE;

	rc = sqlite3_prepare_v2(sql, "SELECT " REAP_ROW_COLUMNS ",training_use_by FROM calls WHERE " REAP_UNUSED, -1, &st, NULL);
	if (rc == SQLITE_ERROR) /* of an older format: nobody wrote when it must have been used */
		return 0;
	if (rc == SQLITE_OK)
		sqlite3_bind_int64(st, 1, (sqlite3_int64)u->r->due_ns);
	if (rc == SQLITE_OK)
		sqlite3_bind_int64(st, 2, (sqlite3_int64)from_ns);
	while (rc == SQLITE_OK && !u->cut && (got = sqlite3_step(st)) == SQLITE_ROW) {
		uint64_t by = (uint64_t)sqlite3_column_int64(st, 9);
		struct reap_row row = { .day = 0 };

		u->looked = true;
		if (reap_row_get(st, &row) || reap_used_is(&u->used, &row.uid) ||
		    !reap_bucket_lives(u->r, u->controller, STORE_TRAINING, row.purpose_day[STORE_TRAINING]))
			continue;
		rc = later_get(u->later, &row.uid, STORE_TRAINING, &line, why);
		if (!rc && by < u->asked_ns)
			u->asked_ns = by;
		if (!rc)
			rc = add_ask(u, &row.uid, STORE_TRAINING, "unused");
		else if (rc == 1)
			rc = 0;
		u->cut = u->n >= reap_retain_max;
	}
	sqlite3_finalize(st);
	if (rc >= 0 && got != SQLITE_DONE && got != SQLITE_ROW)
		rc = reap_db_fail(sql, got, "catalog: cannot read", why);
	return rc;
}

static int unused_in(void *arg, const char *controller, uint32_t day, unsigned part)
{
	struct unused *u = arg;
	char rel[STORE_PATH_MAX];
	struct why why = { "" };
	sqlite3 *sql;
	int rc = 0;

	if (strcmp(u->controller, controller)) {
		later_close(u->later);
		u->later = NULL;
		snprintf(u->controller, sizeof(u->controller), "%s", controller);
		rc = later_open(&u->r->root, controller, false, &u->later, &why);
		if (rc == -ENOENT) /* nothing happened later */
			*why.text = 0;
		rc = rc == -ENOENT ? 0 : rc;
	}
	if (!rc && day != DAY_HOLD) { /* a hold has no training */
		rc = reap_db_open(&u->r->root, controller, day, part, &sql, &why);
		if (!rc) {
			rc = unused_rows(u, sql, reap_retain_fresh(&u->r->root, controller, day, part, u->clock_ns) ? 0 : u->from_ns, &why);
			if (rc > 0) { /* of SQLite: it was not to be asked at all */
				catalog_path(controller, day, part, rel);
				rc = reap_db_fail(sql, rc, rel, &why);
			}
			sqlite3_close(sql);
		}
	}
	if (rc && rc != -ENOENT) {
		u->failed = true;
		reap_fault(u->r, rc, *why.text ? why.text : "out of memory");
	}
	return u->cut;
}

/*
 * Rows of sealed partitions up to FROM are over: erased, or used, as long as nothing changes in what `used` had. One that is due and not erased
 * yet is looked at again, whatever becomes of the request for it.
 */
static void look_from(struct unused *u, const struct reap_retain_use *m)
{
	u->asked_ns = UINT64_MAX;
	u->from_ns = u->clock_ns = 0;
	/* one of a time that lies ahead says nothing of rows that came since */
	if (m->clock_ns && m->from_ns <= u->r->due_ns && reap_used_has(&u->r->root, m->bytes, m->crc)) {
		u->from_ns = m->from_ns;
		u->clock_ns = m->clock_ns;
	}
}

static void looked_to(const struct unused *u, struct reap_retain_use m)
{
	m.from_ns = u->asked_ns <= u->r->due_ns ? u->asked_ns - 1 : u->r->due_ns;
	m.bytes = u->used.bytes;
	m.crc = u->used.crc;
	reap_retain_use_write(&u->r->root, &m);
}

static void find_unused(struct reap *r, struct unused *u)
{
	struct reap_retain_use mark;
	struct why why = { "" };
	size_t bad = 0;
	int rc = reap_used_read(&r->root, &u->used, &bad, &why);

	u->r = r;
	if (rc) {
		struct why all;

		u->unknown = true;
		(void)why_set(&all, rc, "%.300s: nobody knows what was used, and no unused training is erased before its day", why.text);
		reap_fault(r, rc, all.text);
		return;
	}
	if (bad)
		reap_fault(r, -EBADMSG, "used: a line that is none is left alone");
	reap_retain_use_read(&r->root, &mark);
	look_from(u, &mark);
	mark.clock_ns = reap_retain_clock();
	rc = catalog_each(&r->root, unused_in, u);
	if (rc < 0)
		reap_fault(r, rc, "catalog: cannot be read");
	else if (u->looked && !u->failed && !u->cut && !r->set->dry)
		looked_to(u, mark);
	later_close(u->later);
	u->later = NULL;
}

/* ---- erasing ---- */

struct single {
	struct reap_asked asked;
	struct reap_row row;
	bool found, waits; /* its row is there; it is on hold */
	bool bare;	   /* not its row, but its key: all that is known of it is where that lies */
};

static enum store_state state_for(const char *reason)
{
	return !strcmp(reason, "withdrawn") ? STORE_S_WITHDRAWN : STORE_S_EXPIRED;
}

static int uid_of(const void *key, const void *x)
{
	return memcmp(key, (*(struct single *const *)x)->asked.ask.call.b, sizeof(struct uid));
}

static int by_uid(const void *a, const void *b)
{
	return uid_of((*(struct single *const *)a)->asked.ask.call.b, b);
}

/* A slot that says it is of this call, damaged or not. */
static void at_slot(struct single *x, const struct reap_bucket *b, uint32_t index)
{
	struct reap_row *row = &x->row;
	unsigned p = x->asked.ask.purpose;

	row->day = b->day > row->day ? b->day : row->day; /* the latest is its catalog's */
	if (b->purpose != p || (x->found && row->purpose_day[p] == b->day && !strcmp(row->controller, b->controller))) /* the first in its file */
		return;
	x->found = x->bare = true;
	snprintf(row->controller, sizeof(row->controller), "%s", b->controller);
	row->state[p] = STORE_S_GRANTED;
	row->purpose_day[p] = b->day;
	row->slot[p] = index;
}

/* x sorted by uid. False: the file cannot be read, or not to its end. */
static bool scan_slots(struct reap *r, const struct reap_bucket *b, struct single **x, size_t n)
{
	uint8_t *p = malloc(SCAN_BYTES);
	char path[STORE_PATH_MAX];
	off_t at = SLOT_SIZE;
	ssize_t got = 0;
	bool none;
	int fd;

	slots_path(b->controller, b->purpose, b->day, "slots", path);
	fd = p ? beneath_openat(r->root.fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0) : -1;
	none = p && fd < 0 && errno == ENOENT;
	while (fd >= 0 && (got = pread(fd, p, SCAN_BYTES, at)) >= SLOT_SIZE) {
		for (ssize_t i = 0; i + SLOT_SIZE <= got; i += SLOT_SIZE) {
			struct single **hit = bsearch(p + i + 8, x, n, sizeof(*x), uid_of);

			while (hit && hit > x && !uid_of(p + i + 8, hit - 1))
				hit--;
			for (; hit && hit < x + n && !uid_of(p + i + 8, hit); hit++) /* of both purposes */
				at_slot(*hit, b, (uint32_t)((at + i) / SLOT_SIZE));
		}
		at += got - got % SLOT_SIZE;
	}
	if (fd >= 0)
		close(fd);
	free(p);
	return none || (fd >= 0 && got >= 0);
}

/*
 * Calls whose rows cannot be read, or were lost: their keys are looked for among all, in one go, since these are what must go. What
 * is known of them then is where the key lies; the row says so when it is made anew, by the line in later.db. Who may be in a
 * file that cannot be read waits.
 */
static void find_keys(struct reap *r, struct single **x, size_t n)
{
	bool all[STORE_PURPOSES] = { true, true };
	bool waits = false;

	if (!n)
		return;
	qsort(x, n, sizeof(struct single *), by_uid);
	for (size_t i = 0; i < n; i++)
		x[i]->row = (struct reap_row){ .uid = x[i]->asked.ask.call };
	for (size_t i = 0; i < r->nbucket; i++)
		if (r->bucket[i].live && !scan_slots(r, &r->bucket[i], x, n))
			all[r->bucket[i].purpose] = false;
	for (size_t i = 0; i < n; i++) {
		x[i]->waits = !x[i]->found && !all[x[i]->asked.ask.purpose];
		waits |= x[i]->waits;
	}
	if (waits)
		reap_fault(r, -EIO, "erase: a call waits, whose key may be in slots that cannot be read");
}

static void find_rows(struct reap *r, struct single *v, size_t n)
{
	struct reap_want *w = calloc(n, sizeof(*w));
	struct single **lost = calloc(n, sizeof(struct single *));
	struct why why = { "" };
	size_t m = 0, nlost = 0;
	int rc;

	for (size_t i = 0; i < n; i++) {
		const struct reap_ask *a = &v[i].asked.ask;

		v[i].waits = !w || !lost || (a->purpose == STORE_DOCUMENTATION && (!r->holds || !r->alone || hold_is(r->holds, &a->call)));
		if (!v[i].waits)
			w[m++] = (struct reap_want){ .uid = a->call, .of = i };
	}
	rc = w && lost ? reap_rows_find(&r->root, w, m, &why) : why_set(&why, -ENOMEM, "out of memory");
	if (rc)
		reap_fault(r, rc, why.text);
	for (size_t i = 0; i < m; i++) {
		struct single *x = &v[w[i].of];

		x->found = w[i].found;
		x->row = w[i].row;
		if (!x->found)
			lost[nlost++] = x;
	}
	find_keys(r, lost, nlost);
	reap_progress(r, "calls", 0, n);
	free(lost);
	free(w);
}

/* later.db says so before the slot is empty. */
static int note(struct reap *r, const char *controller, struct single *v, size_t n)
{
	struct later_line had = { .state = STORE_S_NONE };
	struct why why = { "" };
	struct later *l = NULL;
	int rc = later_open(&r->root, controller, true, &l, &why);

	if (!rc)
		rc = later_begin(l, &why);
	for (size_t i = 0; !rc && i < n; i++) {
		const struct reap_ask *a = &v[i].asked.ask;
		struct later_line line = { .uid = a->call, .purpose = a->purpose, .day = v[i].row.day, .state = state_for(a->reason),
					   .at_ns = r->at_ns };

		if (!v[i].found || v[i].waits || strcmp(v[i].row.controller, controller) || !state_holds(v[i].row.state[a->purpose]))
			continue;
		snprintf(line.reason, sizeof(line.reason), "%s", a->reason);
		/* one that is over stays so for its reason: its key was put back. One that cannot be read is written anew. */
		if (later_get(l, &line.uid, line.purpose, &had, &why) != 1 || state_holds(had.state))
			rc = later_put(l, &line, &why);
	}
	if (!rc)
		rc = later_commit(l, &why);
	later_close(l);
	if (rc)
		reap_fault(r, rc, why.text);
	return rc;
}

static void note_all(struct reap *r, struct single *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const char *controller = v[i].row.controller;
		bool first = v[i].found;

		for (size_t k = 0; first && k < i; k++)
			first = !v[k].found || strcmp(v[k].row.controller, controller) != 0;
		if (!first || !note(r, controller, v, n))
			continue;
		for (size_t k = 0; k < n; k++) /* the key goes all the same; the next run says so */
			v[k].waits |= v[k].found && !strcmp(v[k].row.controller, controller);
	}
}

static void erase(struct reap *r, struct single *v, size_t n)
{
	struct slot_erase *e = calloc(n ? n : 1, sizeof(*e));
	struct why why = { "" };
	size_t m = 0;
	int rc;

	if (!e) {
		reap_fault(r, -ENOMEM, "out of memory");
		return;
	}
	for (size_t i = 0; i < n; i++) {
		const struct reap_row *row = &v[i].row;
		unsigned p = v[i].asked.ask.purpose;

		if (v[i].found && row->slot[p] && state_holds(row->state[p]))
			e[m++] = (struct slot_erase){ .controller = row->controller, .purpose = p, .day = row->purpose_day[p],
						      .index = row->slot[p], .uid = row->uid, .of = i };
	}
	rc = slots_erase_many(&r->root, e, m, &why);
	if (rc)
		reap_fault(r, rc, why.text);
	for (size_t i = 0; i < m; i++)
		if (e[i].result < 0 && e[i].result != -ENOENT && e[i].result != -ESTALE)
			v[e[i].of].waits = true; /* the disk refused: once more the next time */
	free(e);
}

void reap_single_told(struct reap *r, const struct uid *uid, const char *controller, unsigned purpose, const char *reason,
		      uint64_t due_ns)
{
	struct reap_item it = { .what = REAP_CALL, .controller = controller, .purpose = (int)purpose, .call = uid, .reason = reason,
				.due_ns = due_ns };
	struct evlog_event e = { .kind = EVLOG_KEY_DESTROY, .purpose = purpose ? EVLOG_P_TRAINING : EVLOG_P_DOCUMENTATION,
				 .source = EVLOG_S_REAPER, .time_ns = r->at_ns, .has_call = true, .call = *uid,
				 .controller = controller, .reason = reason };

	it.late_ns = due_ns && due_ns < r->at_ns ? r->at_ns - due_ns : 0;
	r->t.calls++;
	r->t.single++;
	reap_item(r, &it);
	if (r->set->dry)
		return;
	(void)reap_tell(r, &e); /* told when it fails */
	e.kind = EVLOG_PURPOSE_EXPIRE;
	(void)reap_tell(r, &e);
}

/* The other purpose has nothing of it either. Whoever is on hold, or may be, keeps it, whatever could be written down of that. */
static bool nobodys(struct reap *r, const struct single *x)
{
	unsigned o = !x->asked.ask.purpose;
	struct later_line line;
	struct later *l = NULL;
	struct why why;
	bool gone = !state_holds(x->row.state[o]);

	if (!r->holds || !r->alone || hold_is(r->holds, &x->asked.ask.call))
		return false;
	if (gone || later_open(&r->root, x->row.controller, false, &l, &why))
		return gone;
	if (later_get(l, &x->row.uid, o, &line, &why) == 1)
		gone = !state_holds(line.state);
	else
		gone = !reap_bucket_lives(r, x->row.controller, o, x->row.purpose_day[o]);
	later_close(l);
	return gone;
}

static void give_back(struct reap *r, const struct single *x)
{
	struct reap_row *v;

	if (!nobodys(r, x))
		return;
	if (!(r->npunch & (r->npunch - 1))) {
		v = realloc(r->punch, (r->npunch ? 2 * r->npunch : 1) * sizeof(*v));
		if (!v)
			return; /* its day takes it away */
		r->punch = v;
	}
	r->punch[r->npunch++] = x->row;
}

/* 0: all that is to be told is. */
static int tell_and_finish(struct reap *r, struct single *v, size_t n)
{
	uint64_t *off = calloc(n ? n : 1, sizeof(*off));
	struct why why = { "" };
	size_t m = 0, done = 0;
	int rc = off ? 0 : -ENOMEM;

	for (size_t i = 0; !rc && i < n; i++) {
		const struct reap_ask *a = &v[i].asked.ask;

		if (v[i].waits)
			continue;
		if (v[i].found && state_holds(v[i].row.state[a->purpose])) {
			reap_single_told(r, &a->call, v[i].row.controller, a->purpose, a->reason, a->at_ns);
			if (!r->set->dry && !v[i].bare)
				give_back(r, &v[i]);
		}
		done++;
		if (v[i].asked.off != NO_LINE)
			off[m++] = v[i].asked.off;
	}
	if (done && !rc && !r->set->dry) {
		rc = reap_tell_commit(r); /* nothing told: the lines stay, and the next run tells */
		if (!rc && m && reap_asks_done(&r->root, off, m, &why))
			reap_fault(r, -EIO, why.text);
	}
	free(off);
	return rc;
}

/* lines: they are in the journal. */
static void act(struct reap *r, const struct reap_asked *asked, size_t n, bool lines)
{
	struct single *v = calloc(n ? n : 1, sizeof(*v));

	if (!v) {
		reap_fault(r, -ENOMEM, "out of memory");
		return;
	}
	for (size_t i = 0; i < n; i++)
		v[i].asked = asked[i];
	find_rows(r, v, n);
	if (!r->set->dry) {
		reap_tell_who(r);
		if (lines)
			note_all(r, v, n);
		erase(r, v, n);
	}
	if (!tell_and_finish(r, v, n) && !lines && !r->set->dry)
		note_all(r, v, n);
	free(v);
}

static int add_retained(void *arg, const struct uid *uid, unsigned purpose, bool unused)
{
	return add_ask(arg, uid, purpose, unused ? "unused" : "retention");
}

/* One that was asked for before comes first. */
static int ask_order(const void *x, const void *y)
{
	const struct reap_ask *a = x, *b = y;
	int c = memcmp(&a->call, &b->call, sizeof(a->call));

	c = c ? c : (a->purpose > b->purpose) - (a->purpose < b->purpose);
	return c ? c : strcmp(a->reason, b->reason);
}

static int same_ask(const void *x, const void *y)
{
	const struct reap_ask *a = x, *b = y;
	int c = memcmp(&a->call, &b->call, sizeof(a->call));

	return c ? c : (a->purpose > b->purpose) - (a->purpose < b->purpose);
}

/* Takes those away that are asked for, and all but one of the same. */
static int only_new(struct unused *u, const struct reap_asks *asks)
{
	struct reap_ask *old = calloc(asks->n + 1, sizeof(*old));
	size_t n = 0;

	if (!old)
		return -ENOMEM;
	for (size_t i = 0; i < asks->n; i++)
		old[i] = asks->v[i].ask;
	if (asks->n)
		qsort(old, asks->n, sizeof(*old), ask_order);
	if (u->n)
		qsort(u->v, u->n, sizeof(*u->v), ask_order);
	for (size_t i = 0; i < u->n; i++) {
		bool again = n && !same_ask(&u->v[n - 1], &u->v[i]);

		if (!again && (!asks->n || !bsearch(&u->v[i], old, asks->n, sizeof(*old), same_ask)))
			u->v[n++] = u->v[i];
	}
	u->n = n;
	free(old);
	return 0;
}

static void act_without_lines(struct reap *r, const struct unused *u)
{
	struct reap_asked *v = calloc(u->n, sizeof(*v));

	if (!v)
		reap_fault(r, -ENOMEM, "out of memory");
	for (size_t i = 0; v && i < u->n; i++)
		v[i] = (struct reap_asked){ .ask = u->v[i], .off = NO_LINE };
	if (v)
		act(r, v, u->n, false);
	free(v);
}

/* What nobody asked for: new lines, unless the journal could not be read (unread). 0: they are durable; else, or in a dry run, all is done. */
static int ask_for(struct reap *r, struct unused *u, struct reap_asks *asks, int unread)
{
	struct why why = { "" };
	int rc;

	if (!u->n)
		return 0;
	if (r->set->dry || unread) {
		act_without_lines(r, u);
		return unread;
	}
	rc = reap_asks_add(&r->root, u->v, u->n, &why);
	reap_asks_free(asks);
	if (rc) {
		reap_fault(r, rc, why.text);
		act_without_lines(r, u);
	}
	why.text[0] = 0;
	if (reap_asks_read(&r->root, asks, &why))
		reap_fault(r, -EIO, why.text);
	return rc;
}

void reap_single(struct reap *r)
{
	struct reap_retained *kept = NULL;
	struct reap_asks asks = { 0 };
	struct unused u = { .r = r };
	struct why why = { "" };
	int rc, unread;

	reap_copies(r);
	rc = r->set->dry ? 0 : reap_asks_make(&r->root, &why);
	if (rc)
		reap_fault(r, rc, why.text);
	unread = rc == -EWOULDBLOCK ? rc : r->set->dry ? reap_asks_read(&r->root, &asks, &why) : reap_asks_load(&r->root, &asks, &why);
	if (unread && unread != rc) /* it was waited for */
		reap_fault(r, unread, why.text);
	if (asks.stuck)
		reap_fault(r, -EFBIG, "erase: it is long, most of it is done, and it cannot be made shorter: it is another user's, or there is no room");
	if (asks.bad)
		reap_fault(r, -EBADMSG, "erase: a line that is no request is left alone");
	find_unused(r, &u);
	rc = reap_retain_begin(r, u.unknown ? NULL : &u.used, add_retained, &u, &kept);
	if (!rc)
		rc = only_new(&u, &asks);
	if (rc) {
		reap_fault(r, rc, "out of memory");
		u.n = 0;
	}
	if (ask_for(r, &u, &asks, unread))
		rc = -EIO;
	reap_retain_end(kept, !rc);
	if (asks.n)
		act(r, asks.v, asks.n, true);
	reap_asks_free(&asks);
	reap_used_free(&u.used);
	free(u.v);
}
