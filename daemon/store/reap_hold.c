/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * reap_hold.c - calls on hold outlive their bucket and their day
 *
 * Their key was copied when the hold was set (hold.h). Here: what later.db says of them when the bucket is dead, and when the
 * hold is over. Their chunks and row: reap_area.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/hold.h"
#include "store/later.h"
#include "store/reap_db.h"
#include "store/reap_internal.h"
#include "store/slot.h"

#define HOLD_OVER  "hold.released"

/* ---- before keys die ---- */

static int tell_now(void *arg, const struct evlog_event *e)
{
	int rc = reap_tell(arg, e);

	return rc ? rc : reap_tell_commit(arg);
}

/* Without the lock the journal may be older than the keys beside it: then it is read once more. */
static int read_beside(struct reap *r, struct why *why)
{
	int rc = -EBADMSG;

	for (int try = 0; rc == -EBADMSG && try < 2; try++) {
		holds_close(r->holds);
		r->holds = NULL;
		rc = holds_open(&r->root, HOLDS_READ, &r->holds, why);
		rc = rc ? rc : holds_whole(r->holds, why);
	}
	return rc;
}

static int open_holds(struct reap *r, struct why *why)
{
	int rc = r->set->dry ? holds_open(&r->root, HOLDS_READ, &r->holds, why) : holds_try(&r->root, reap_lock_ms(r), &r->holds, why);

	r->alone = rc != -EWOULDBLOCK;
	if (!rc && !r->set->dry)
		rc = holds_whole(r->holds, why);
	if (r->alone)
		return rc;
	reap_fault(r, rc, "holds: somebody keeps it locked: keys die without it, but documentation of single calls, the keys of days"
			  " with slots of version 1, and the space of days wait for a later run");
	return read_beside(r, why);
}

void reap_holds_open(struct reap *r)
{
	struct why why = { "" };
	uint64_t lost = 0;
	int rc = open_holds(r, &why);

	if (rc) {
		holds_close(r->holds);
		r->holds = NULL;
		reap_fault(r, rc, why.text);
		return;
	}
	if (r->set->dry || !r->alone)
		return;
	rc = holds_mark(r->holds, &why);
	if (rc)
		reap_fault(r, rc, why.text);
	rc = holds_settle(r->holds, &lost, &why);
	if (rc)
		reap_fault(r, rc, why.text);
	rc = holds_untold(r->holds, tell_now, r);
	if (rc && rc != -EACCES) /* that: who may read the log */
		reap_fault(r, rc, "holds: the event of a change is missing in the evidence log, and cannot be left now");
	if (lost)
		reap_fault(r, -ENODATA, "holds: a call on hold has no key any more: its hold was set when the key was destroyed already");
}

/* Nobody is kept from setting and ending holds while space is given back. */
void reap_holds_share(struct reap *r)
{
	struct why why = { "" };
	int rc;

	if (!r->holds || r->set->dry)
		return;
	holds_close(r->holds);
	rc = holds_open(&r->root, HOLDS_READ, &r->holds, &why);
	if (rc) {
		r->holds = NULL;
		reap_fault(r, rc, why.text);
	}
}

struct spare {
	struct reap *r;
	const char *controller;
	uint32_t day;
	struct later *later; /* NULL: none yet */
	struct reap_want *v; /* of whom later.db says nothing */
	size_t n;
	int rc; /* of the first; the others are noted all the same */
	struct why why;
};

static void spare_fault(struct spare *s, int rc, const struct why *why)
{
	if (s->rc)
		return;
	s->rc = rc;
	s->why = *why;
}

static int want(struct spare *s, const struct uid *uid, struct why *why)
{
	struct reap_want *more;

	if (!(s->n & (s->n - 1))) {
		more = realloc(s->v, (s->n ? 2 * s->n : 1) * sizeof(*more));
		if (!more)
			return why_set(why, -ENOMEM, "out of memory");
		s->v = more;
	}
	s->v[s->n++] = (struct reap_want){ .uid = *uid };
	return 0;
}

/* Those of the bucket that have no line yet: whatever one says, it is younger. */
static int find_held(void *arg, const struct hold *x)
{
	struct spare *s = arg;
	struct later_line line;
	struct why why = { "" };
	int rc;

	if (x->day != s->day || strcmp(x->controller, s->controller))
		return 0;
	rc = later_get(s->later, &x->uid, STORE_DOCUMENTATION, &line, &why);
	if (!rc)
		rc = want(s, &x->uid, &why);
	if (rc < 0)
		spare_fault(s, rc, &why);
	return 0;
}

static int put_held(struct spare *s, struct why *why)
{
	int rc = later_begin(s->later, why);

	for (size_t i = 0; !rc && i < s->n; i++) {
		const struct reap_row *row = &s->v[i].row;
		struct later_line line;

		if (!s->v[i].found)
			continue;
		rc = later_get(s->later, &s->v[i].uid, STORE_DOCUMENTATION, &line, why);
		if (!rc) {
			line = (struct later_line){ .uid = s->v[i].uid, .purpose = STORE_DOCUMENTATION, .day = row->day,
						    .state = row->state[STORE_DOCUMENTATION], .at_ns = s->r->at_ns, .reason = "hold" };
			rc = later_put(s->later, &line, why);
		} else if (rc == 1 || rc == -EBADMSG) { /* made since; or it could not be read before, which is told */
			rc = 0;
		}
	}
	return rc ? rc : later_commit(s->later, why); /* what failed goes with later_close */
}

/* Of those that are wanted, in one look at the catalog and one transaction. */
static void note_wanted(struct spare *s)
{
	struct why why = { "" };
	int rc;

	if (!s->n)
		return;
	rc = reap_rows_find(&s->r->root, s->v, s->n, &why);
	for (size_t i = 0; i < s->n; i++) {
		struct reap_want *w = &s->v[i];

		if (w->found && state_holds(w->row.state[STORE_DOCUMENTATION]))
			continue;
		if (w->found)
			rc = why_set(&why, -EBADMSG, "catalog: the row of a call on hold has no documentation");
		else if (!rc)
			rc = why_set(&why, -ENOENT, "catalog: a call on hold has no row (rule H-6)");
		w->found = false;
		spare_fault(s, rc, &why);
	}
	rc = later_open(&s->r->root, s->controller, true, &s->later, &why);
	if (!rc)
		rc = put_held(s, &why);
	if (rc)
		spare_fault(s, rc, &why);
	later_close(s->later);
	free(s->v);
}

void reap_hold_note(struct reap *r, const struct reap_bucket *b)
{
	struct spare s = { .r = r, .controller = b->controller, .day = b->day };
	struct why why = { "" };
	int rc;

	if (b->purpose != STORE_DOCUMENTATION || !r->holds || r->set->dry)
		return;
	rc = later_open(&r->root, b->controller, false, &s.later, &why);
	if (rc && rc != -ENOENT) /* then all of them: below it is tried once more */
		spare_fault(&s, rc, &why);
	(void)holds_each(r->holds, find_held, &s);
	later_close(s.later);
	s.later = NULL;
	note_wanted(&s);
	if (s.rc) /* it is only what readers say of it, and a later run does it */
		reap_fault(r, s.rc, s.why.text);
}

/* Slots of calls that are not on hold, of a bucket whose key must stay for those that are. */
static void erase_others(struct reap *r, struct reap_bucket *b)
{
	struct slot_erase *v = NULL;
	char path[STORE_PATH_MAX];
	uint8_t raw[SLOT_SIZE];
	struct why why = { "" };
	size_t n = 0, cap = 0;
	struct slot slot;
	int fd, rc = 0;

	slots_path(b->controller, b->purpose, b->day, "slots", path);
	fd = beneath_openat(r->root.fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0);
	for (uint32_t i = 1; fd >= 0 && !rc && !pread_all(fd, raw, sizeof(raw), (off_t)i * SLOT_SIZE); i++) {
		if (slot_parse(raw, &slot) || slot.empty || hold_is(r->holds, &slot.uid))
			continue;
		if (n == cap) {
			struct slot_erase *more = realloc(v, (cap ? 2 * cap : 256) * sizeof(*v));

			rc = more ? 0 : -ENOMEM;
			v = more ? more : v;
			cap = more ? (cap ? 2 * cap : 256) : cap;
		}
		if (!rc)
			v[n++] = (struct slot_erase){ .controller = b->controller, .purpose = b->purpose, .day = b->day, .index = i,
						      .uid = slot.uid };
	}
	if (fd >= 0)
		close(fd);
	if (n && !r->set->dry)
		rc = slots_erase_many(&r->root, v, n, &why);
	if (rc)
		reap_fault(r, rc, *why.text ? why.text : "out of memory");
	for (size_t i = 0; i < n && !r->set->dry; i++)
		if (!v[i].result)
			reap_single_told(r, &v[i].uid, b->controller, b->purpose, "deadline", b->destroy_ns);
	free(v);
}

/* Any slot that was made under the bucket's own key. */
static bool old_slots(struct reap *r, const struct reap_bucket *b)
{
	char path[STORE_PATH_MAX];
	uint8_t raw[SLOT_SIZE];
	bool any = false;
	int fd;

	slots_path(b->controller, b->purpose, b->day, "slots", path);
	fd = beneath_openat(r->root.fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0);
	for (uint32_t i = 1; fd >= 0 && !any && !pread_all(fd, raw, sizeof(raw), (off_t)i * SLOT_SIZE); i++)
		any = !memcmp(raw, "OSLT", 4) && raw[4] == 1;
	if (fd >= 0)
		close(fd);
	return any;
}

static int count_held(void *arg, const struct hold *x)
{
	struct reap_bucket *b = arg;

	b->held += x->day == b->day && !strcmp(x->controller, b->controller);
	return 0;
}

void reap_hold_count(const struct reap *r, struct reap_bucket *b)
{
	b->held = 0;
	if (r->holds && b->purpose == STORE_DOCUMENTATION)
		(void)holds_each(r->holds, count_held, b);
}

bool reap_hold_is(const struct reap *r, const struct reap_bucket *b, const struct uid *uid)
{
	return b->held && hold_is(r->holds, uid);
}

bool reap_hold_bucket(struct reap *r, struct reap_bucket *b)
{
	if (b->purpose != STORE_DOCUMENTATION) /* a hold never prolongs training */
		return true;
	if (!r->holds || !r->alone) /* who is on hold is not known: their copies stay, and buckets that may be all they have */
		b->spared = old_slots(r, b);
	if (!r->holds || b->spared)
		return !b->spared;
	b->spared = hold_keeps_bucket(r->holds, b->controller, b->day) || (!r->set->dry && hold_unsaved(r->holds, b->controller, b->day));
	if (b->spared)
		erase_others(r, b);
	return !b->spared;
}

/* ---- when it is over ---- */

struct release {
	struct reap *r;
	const char *controller;
	struct later_line *v;
	size_t n;
	struct uid *kept; /* who is on hold, and has a line that says so; sorted then */
	size_t nkept;
	struct spare missing;
};

static int let_go(void *arg, const struct later_line *line)
{
	struct release *x = arg;
	void *more;

	if (line->purpose != STORE_DOCUMENTATION || !state_holds(line->state))
		return 0;
	if (hold_is(x->r->holds, &line->uid)) {
		more = x->nkept & (x->nkept - 1) ? x->kept : realloc(x->kept, (x->nkept ? 2 * x->nkept : 1) * sizeof(*x->kept));
		if (!more)
			return -ENOMEM;
		x->kept = more;
		x->kept[x->nkept++] = line->uid;
		return 0;
	}
	more = x->n & (x->n - 1) ? x->v : realloc(x->v, (x->n ? 2 * x->n : 1) * sizeof(*x->v));
	if (!more)
		return -ENOMEM;
	x->v = more;
	x->v[x->n++] = *line;
	return 0;
}

static int by_uid(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct uid));
}

static int find_missing(void *arg, const struct hold *h)
{
	struct release *x = arg;
	struct why why = { "" };
	int rc;

	if (strcmp(h->controller, x->controller) || (x->nkept && bsearch(&h->uid, x->kept, x->nkept, sizeof(*x->kept), by_uid)) ||
	    reap_bucket_lives(x->r, h->controller, STORE_DOCUMENTATION, h->day))
		return 0;
	rc = want(&x->missing, &h->uid, &why);
	if (rc)
		spare_fault(&x->missing, rc, &why);
	return 0;
}

/* Lines that could not be written when the bucket died (a full disk): what is not said to be on hold is nobody's to let go. */
static void note_missing(struct release *x)
{
	if (x->nkept)
		qsort(x->kept, x->nkept, sizeof(*x->kept), by_uid);
	(void)holds_each(x->r->holds, find_missing, x);
	note_wanted(&x->missing);
	if (x->missing.rc)
		reap_fault(x->r, x->missing.rc, x->missing.why.text);
}

/* Who ended the hold says so, too, but may have been killed before. Faults are told. */
static int tell_over(struct reap *r, const struct later_line *v, size_t n, const char *controller)
{
	int rc = 0;

	for (size_t i = 0; !rc && i < n; i++) {
		struct evlog_event e = { .kind = EVLOG_KEY_DESTROY, .purpose = EVLOG_P_DOCUMENTATION, .source = EVLOG_S_REAPER,
					 .time_ns = r->at_ns, .has_call = true, .call = v[i].uid, .controller = controller,
					 .reason = HOLD_OVER };

		rc = reap_tell(r, &e);
		e.kind = EVLOG_PURPOSE_EXPIRE;
		rc = rc ? rc : reap_tell(r, &e);
	}
	return rc ? rc : reap_tell_commit(r);
}

/* Calls that later.db says are kept, and that are not on hold any more. */
static void release(struct reap *r, const char *controller)
{
	struct release x = { .r = r, .controller = controller, .missing = { .r = r, .controller = controller } };
	struct why why = { "" };
	struct later *l = NULL;
	int rc = later_open(&r->root, controller, false, &l, &why);

	if (!rc)
		rc = later_kept(l, let_go, &x, &why);
	later_close(l);
	l = NULL;
	if ((!rc || rc == -ENOENT) && !r->set->dry)
		note_missing(&x);
	if (!rc && x.n && !r->set->dry)
		rc = later_open(&r->root, controller, true, &l, &why);
	if (!rc && x.n && !r->set->dry && tell_over(r, x.v, x.n, controller))
		x.n = 0; /* not noted before it is told: the next run does both */
	for (size_t i = 0; !rc && i < x.n; i++) {
		struct reap_item it = { .what = REAP_CALL, .controller = controller, .purpose = STORE_DOCUMENTATION, .call = &x.v[i].uid,
					.reason = HOLD_OVER };

		x.v[i].state = STORE_S_EXPIRED;
		x.v[i].at_ns = r->at_ns;
		snprintf(x.v[i].reason, sizeof(x.v[i].reason), HOLD_OVER);
		rc = r->set->dry ? 0 : later_put(l, &x.v[i], &why);
		r->t.released += !rc;
		reap_item(r, &it);
	}
	if (rc && rc != -ENOENT)
		reap_fault(r, rc, why.text);
	later_close(l);
	free(x.kept);
	free(x.v);
}

void reap_hold_released(struct reap *r)
{
	struct names names;

	if (!r->holds || names_read(&r->root, "catalog", &names))
		return;
	for (size_t i = 0; i < names.n && r->holds; i++) /* they are read again in between (reap_again) */
		if (!name_check(names.v[i])) {
			release(r, names.v[i]);
			if (!r->set->dry)
				reap_area_look(r, names.v[i]);
		}
	names_free(&names);
}
