/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rebuild_later.c - a later.db that is damaged or lost is made anew, see rebuild_internal.h
 *
 * Its lines follow from the rest: what was erased before its time, from the reaper's key.destroy in the evidence log, or from the journal of
 * erasures where the log does not have it yet; what is on hold past its day, from the journal of holds; a key that was overwritten and
 * nobody knows why, from its slot. Made after the catalog, whose rows say which keys there were.
 */
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/files.h"
#include "store/bucket.h"
#include "store/evlog.h"
#include "store/hold.h"
#include "store/later.h"
#include "store/reap.h"
#include "store/rebuild_internal.h"

#define ASK_LIMIT (1u << 30)

/* A purpose of a call whose key was destroyed by a reaper. */
struct ended {
	struct uid uid;
	enum store_purpose purpose;
	char reason[LATER_REASON];
	uint64_t at_ns;
	size_t order; /* the first that is known counts */
};

struct ends {
	struct list list; /* struct ended, sorted */
	bool failed;
};

struct making {
	struct rebuild *b;
	const char *controller;
	const struct ends *ends;
	const struct holds *holds; /* NULL: nobody knows who is on hold */
	struct overlay *o;
	struct list lines; /* struct later_line */
};

static int end_cmp(const void *a, const void *b)
{
	const struct ended *x = a, *y = b;
	int rc = memcmp(&x->uid, &y->uid, sizeof(x->uid));

	if (!rc)
		rc = (int)x->purpose - (int)y->purpose;
	return rc ? rc : x->order < y->order ? -1 : x->order > y->order;
}

static void add_end(struct ends *s, const struct uid *uid, enum store_purpose p, const char *reason, uint64_t at_ns)
{
	struct ended *e = list_add(&s->list);

	s->failed |= !e;
	if (!e)
		return;
	e->uid = *uid;
	e->purpose = p;
	e->at_ns = at_ns;
	e->order = s->list.n;
	snprintf(e->reason, sizeof(e->reason), "%s", reason);
}

/* The recorder destroys keys, too, in the call: of these the row knows. */
static int on_event(void *arg, const char *file, uint64_t n, const struct evlog_line *l)
{
	(void)file;
	(void)n;
	if (l->e.kind == EVLOG_KEY_DESTROY && l->e.source != EVLOG_S_DAEMON && l->e.has_call && l->e.purpose && l->e.reason)
		add_end(arg, &l->e.call, l->e.purpose == EVLOG_P_TRAINING ? STORE_TRAINING : STORE_DOCUMENTATION, l->e.reason, l->e.time_ns);
	return 0;
}

static int ends_of_log(struct rebuild *b, struct ends *s)
{
	struct evlog_look how = { .arg = s, .line = on_event };
	struct evlog_report rep;
	char why[512] = "";
	int rc = evlog_look(b->root.path, &how, &rep, why, sizeof(why));

	if (rc && rc != -ENOENT && rc != -ENOMEM) { /* as far as it goes; then keys say EXPIRED and not why */
		rebuild_say(b, "evidence", "%s", why);
		rc = 0;
	}
	return rc == -ENOENT ? 0 : rc;
}

/* What is done of the journal; what is not, the next reaper does. */
static int ends_of_journal(struct rebuild *b, struct ends *s)
{
	int fd = beneath_openat(b->root.fd, "erase", O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0), rc;
	struct reap_ask ask;
	char *text = NULL, *p, *lf;
	size_t n = 0;

	if (fd < 0)
		return 0;
	rc = files_read(fd, ASK_LIMIT, &text, &n);
	close(fd);
	for (p = text; !rc && n && (lf = memchr(p, '\n', n - (size_t)(p - text))); p = lf + 1)
		if (!reap_ask_parse(p, (size_t)(lf - p), &ask) && ask.done)
			add_end(s, &ask.call, ask.purpose, ask.reason, ask.at_ns);
	free(text);
	return rc == -ENOMEM ? rc : 0; /* it cannot be read: fsck names it */
}

static int find_ends(struct rebuild *b, struct ends *s)
{
	int rc;

	s->list.size = sizeof(struct ended);
	rc = ends_of_log(b, s);
	if (!rc)
		rc = ends_of_journal(b, s);
	if (!rc && s->failed)
		rc = -ENOMEM;
	if (s->list.n)
		qsort(s->list.v, s->list.n, sizeof(struct ended), end_cmp);
	return rc;
}

static const struct ended *end_of(const struct ends *s, const struct uid *uid, enum store_purpose p)
{
	const struct ended *v = s->list.v;
	struct ended key = { .uid = *uid, .purpose = p };
	size_t lo = 0, hi = s->list.n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (end_cmp(&v[mid], &key) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < s->list.n && uid_equal(&v[lo].uid, uid) && v[lo].purpose == p ? &v[lo] : NULL;
}

static bool bucket_gone(const struct making *m, enum store_purpose p, uint32_t day)
{
	struct bucket k;
	struct why none;
	int rc = bucket_read(&m->b->root, m->controller, p, day, &k, &none);
	bool gone = rc == -ENOENT || (!rc && k.state != BUCKET_LIVE);

	sodium_memzero(&k, sizeof(k));
	return gone;
}

/* 1: what the line must say; 0: there was none. */
static int line_of(struct making *m, const struct cursor_row *row, enum store_purpose p, struct later_line *ret)
{
	const struct uid *uid = &row->row.uid;
	enum store_state state = row->row.state[p];
	const struct ended *e;
	int rc;

	*ret = (struct later_line){ .uid = *uid, .purpose = p, .day = row->day, .at_ns = clock_now_ns() };
	if (!state_holds(state) || !row->purpose_day[p])
		return 0;
	ret->state = state;
	rc = overlay_state(m->o, m->controller, uid, p, row->purpose_day[p], row->purpose_slot[p], &ret->state, ret->reason, m->b->why);
	if (rc < 0)
		return rc;
	if (p == STORE_DOCUMENTATION && m->holds && hold_is(m->holds, uid)) { /* its own key outlives its bucket, which the line says then */
		snprintf(ret->reason, sizeof(ret->reason), "hold");
		ret->state = state;
		return row->day == DAY_HOLD || bucket_gone(m, p, row->purpose_day[p]);
	}
	if (!rc)
		return 0; /* its key is there */
	e = end_of(m->ends, uid, p);
	if (!e)
		return rc == 2;
	ret->state = !strcmp(e->reason, "withdrawn") ? STORE_S_WITHDRAWN : STORE_S_EXPIRED;
	ret->at_ns = e->at_ns;
	memcpy(ret->reason, e->reason, sizeof(ret->reason));
	return 1;
}

static int take_part(void *arg, const char *controller, uint32_t day, unsigned part)
{
	struct making *m = arg;
	struct store_filter all = { .state = -1 };
	const struct cursor_row *row;
	struct why none = { "" };
	struct later_line line, *to;
	struct cursor *c;
	int rc;

	if (strcmp(controller, m->controller) != 0)
		return 0;
	rc = cursor_open(&m->b->root, controller, day, part, &all, NULL, NULL, &c, &none);
	if (rc)
		return rc == -ENOMEM ? rc : 0; /* fsck names it */
	while (!rc && cursor_next(c, &row, &none) == 1)
		for (int p = 0; !rc && p < STORE_PURPOSES; p++) {
			rc = line_of(m, row, (enum store_purpose)p, &line);
			if (rc == 1) {
				to = list_add(&m->lines);
				rc = to ? 0 : -ENOMEM;
				if (to)
					*to = line;
			}
		}
	cursor_close(c);
	return rc;
}

static int write_lines(struct making *m)
{
	const struct later_line *v = m->lines.v;
	char rel[STORE_PATH_MAX];
	struct later *l = NULL;
	int rc = later_open(&m->b->root, m->controller, true, &l, m->b->why);

	if (!rc)
		rc = later_begin(l, m->b->why);
	for (size_t i = 0; !rc && i < m->lines.n; i++)
		rc = later_put(l, &v[i], m->b->why);
	if (!rc)
		rc = later_commit(l, m->b->why);
	later_close(l);
	later_path(m->controller, rel);
	if (!rc) {
		rebuild_say(m->b, rel, "made anew: %zu lines", m->lines.n);
		m->b->rep.later += m->lines.n;
	}
	return rc;
}

/* *ret_lost: there is none, or none that is whole. */
static int look(struct rebuild *b, const char *controller, bool *ret_lost)
{
	char rel[STORE_PATH_MAX];
	struct why why = { "" };
	struct later *l = NULL;
	int rc = later_open(&b->root, controller, false, &l, &why);

	if (!rc)
		rc = later_check(l, &why);
	*ret_lost = rc || later_empty(l);
	later_close(l);
	if (!rc || rc == -ENOENT || rc == -ENOTDIR)
		return 0;
	if (rc != -EBADMSG)
		return why_set(b->why, rc, "%s", why.text);
	later_path(controller, rel);
	return rebuild_set_aside(b, rel, why.text);
}

static int rebuild_one(struct rebuild *b, const char *controller, struct ends *ends, bool *known)
{
	struct making m = { .b = b, .controller = controller, .ends = ends, .lines = { .size = sizeof(struct later_line) } };
	struct why none = { "" };
	struct holds *holds = NULL;
	bool lost;
	int rc = look(b, controller, &lost);

	if (rc || !lost)
		return rc;
	if (!*known)
		rc = find_ends(b, ends);
	*known = true;
	if (!rc && !holds_open(&b->root, HOLDS_READ, &holds, &none))
		m.holds = holds;
	if (!rc)
		rc = overlay_new(&b->root, &m.o);
	if (!rc)
		rc = catalog_each(&b->root, take_part, &m);
	if (!rc && m.lines.n)
		rc = write_lines(&m);
	overlay_free(m.o);
	holds_close(holds);
	list_free(&m.lines);
	return rc;
}

int rebuild_later(struct rebuild *b)
{
	struct ends ends = { .failed = false };
	struct names owners;
	bool known = false;
	int rc = names_read(&b->root, "catalog", &owners);

	for (size_t i = 0; !rc && i < owners.n; i++)
		if (!name_check(owners.v[i]))
			rc = rebuild_one(b, owners.v[i], &ends, &known);
	names_free(&owners);
	list_free(&ends.list);
	return rc == -ENOMEM ? why_set(b->why, rc, "out of memory") : rc && !*b->why->text ? why_errno(b->why, rc, "catalog", "later.db cannot be made anew") : rc;
}
