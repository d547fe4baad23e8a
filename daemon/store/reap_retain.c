/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * reap_retain.c - stored calls that a later policy keeps shorter: lines of STORE/retention become single erasures
 *
 * A row is due by a line when the day begins, in the line's zone, on which its start and the line's span end. So that no run reads the whole catalog,
 * reap.retention says of each line what was looked at: up to which start in sealed partitions, which have an index for that; others, and those
 * sealed since, are read from the first row on. Deadlines are not in the order of the starts where a month ends or a clock is set
 * back (31 January and 28 January are both due on 28 February), so EDGE around that is looked at each time. Lines of
 * days, months and years are looked at when the day changes, and once an hour for rows that come late, since what is looked at again costs.
 * By a line of `use` training is due at the instant, as by its row: looked at each time, within an hour around it only (NEAR).
 *
 * reap.retention may be lost: then everything is looked at once. What it says of lines that are not there any more is how their loss is noticed.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/files.h"
#include "store/catalog.h"
#include "store/later.h"
#include "store/reap_retain.h"
#include "store/reap_used.h"
#include "store/retention.h"

#define MARKS_FILE  "reap.retention"
#define MARKS_HEAD  "optag-reap-retention 1\n"
#define MARKS_LIMIT (4u << 20)
#define MARK_LINE   96
#define HOUR_NS	    (3600 * NS_PER_S)
#define EDGE_NS	    (5 * 86400 * NS_PER_S)
#define NEAR_NS	    (3 * HOUR_NS)     /* of spans without months, when EDGE_NS was looked at in this hour */

size_t reap_retain_max = REAP_RETAIN_MAX;
uint64_t reap_retain_fresh_ns = 600 * NS_PER_S; /* a file that changed so shortly before the last look changed perhaps since */

struct mark_of {
	uint64_t n;
	uint32_t crc;
	uint64_t from_ns;  /* starts up to here were looked at */
	uint64_t due_ns;   /* by what time */
	uint64_t clock_ns; /* the machine's, before that */
};

struct marks {
	struct mark_of *v;
	size_t n;
};

/* A line that is looked at in this run. */
struct look {
	const struct retention_line *l;
	struct mark_of mark; /* of the last time; zeros */
	uint64_t to_ns;	     /* no later start is due */
	uint64_t edge_ns;    /* around what was looked at */
	bool failed;	     /* something could not be read: the mark stays */
};

/* Files have their times by it, whatever time a run goes by. */
static uint64_t machine_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

struct scan {
	struct reap *r;
	const struct reap_used *used; /* NULL nobody knows */
	reap_retain_found found;
	void *arg;
	struct look *look;
	size_t nlook, asked, max;
	char controller[STORE_NAME_MAX];
	struct later *later;
	bool no_later; /* it cannot be read: nothing of this controller is looked at */
};

struct reap_retained {
	struct scan s;
	struct retention t;
	struct marks m; /* of before */
	uint64_t clock_ns;
};

/* ---- reap.retention ---- */

static void marks_parse(char *text, size_t n, struct marks *m)
{
	char *p = text, *lf, *sum = n > 13 ? text + n - 13 : NULL;
	char want[16];

	if (!sum || strncmp(text, MARKS_HEAD, sizeof(MARKS_HEAD) - 1) != 0)
		return;
	snprintf(want, sizeof(want), "sum %08" PRIx32 "\n", crc32c(0, text, n - 13));
	if (memcmp(sum, want, 13) != 0)
		return;
	m->v = calloc(n / 10 + 1, sizeof(*m->v)); /* no line of five numbers is shorter */
	for (p += sizeof(MARKS_HEAD) - 1; m->v && p < sum && (lf = memchr(p, '\n', (size_t)(sum - p))); p = lf + 1) {
		struct mark_of *x = &m->v[m->n];

		*lf = 0; /* of this line alone */
		/* NOLINTNEXTLINE(cert-err34-c): the sum is right */
		m->n += sscanf(p, "%" SCNu64 " %" SCNx32 " %" SCNu64 " %" SCNu64 " %" SCNu64, &x->n, &x->crc, &x->from_ns, &x->due_ns,
			       &x->clock_ns) == 5;
	}
}

/* None, or a damaged one: everything is looked at. */
static void marks_read(const struct root *r, struct marks *ret)
{
	int fd = beneath_openat(r->fd, MARKS_FILE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0);
	char *text = NULL;
	size_t n = 0;

	*ret = (struct marks){ 0 };
	if (fd < 0)
		return;
	if (!files_read(fd, MARKS_LIMIT, &text, &n)) {
		text[n] = 0;
		marks_parse(text, n, ret);
	}
	close(fd);
	free(text);
}

static void marks_write(const struct root *r, const struct marks *m)
{
	char *text = malloc(sizeof(MARKS_HEAD) + (m->n + 1) * MARK_LINE);
	size_t len = sizeof(MARKS_HEAD) - 1;
	struct why why;
	int fd;

	if (!text)
		return;
	memcpy(text, MARKS_HEAD, len);
	for (size_t i = 0; i < m->n; i++)
		len += (size_t)snprintf(text + len, MARK_LINE, "%" PRIu64 " %08" PRIx32 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", m->v[i].n,
					m->v[i].crc, m->v[i].from_ns, m->v[i].due_ns, m->v[i].clock_ns);
	len += (size_t)snprintf(text + len, MARK_LINE, "sum %08" PRIx32 "\n", crc32c(0, text, len));
	/* In place, as reap.clock: in a directory with the sticky bit nobody replaces another user's file. What is torn, or has no room, has no
	 * sum: then all is looked at again. */
	fd = make_empty(r, MARKS_FILE, &why) ? -1 : beneath_openat(r->fd, MARKS_FILE, O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0);
	if (fd >= 0) {
		(void)!pwrite_all(fd, text, len, 0);
		(void)!ftruncate(fd, (off_t)len);
		close(fd);
	}
	free(text);
}

/* In the line of number 0: what a line of the retention never has. */
void reap_retain_use_read(const struct root *r, struct reap_retain_use *ret)
{
	struct marks m;

	*ret = (struct reap_retain_use){ 0 };
	marks_read(r, &m);
	for (size_t i = 0; i < m.n; i++)
		if (!m.v[i].n)
			*ret = (struct reap_retain_use){ m.v[i].from_ns, m.v[i].clock_ns, m.v[i].due_ns, m.v[i].crc };
	free(m.v);
}

void reap_retain_use_write(const struct root *r, const struct reap_retain_use *u)
{
	const struct mark_of mine = { 0, u->crc, u->from_ns, u->bytes, u->clock_ns };
	struct marks m, all = { 0 };

	marks_read(r, &m);
	all.v = calloc(m.n + 1, sizeof(*all.v));
	for (size_t i = 0; all.v && i < m.n; i++)
		if (m.v[i].n)
			all.v[all.n++] = m.v[i];
	if (all.v) {
		all.v[all.n++] = mine;
		marks_write(r, &all);
	}
	free(all.v);
	free(m.v);
}

uint64_t reap_retain_clock(void)
{
	return machine_ns();
}

static struct mark_of *mark_find(const struct marks *m, const struct retention_line *l)
{
	for (size_t i = 0; i < m->n; i++)
		if (m->v[i].n == l->n && m->v[i].crc == l->crc)
			return &m->v[i];
	return NULL;
}

/* ---- what is due ---- */

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t back(uint64_t ns, uint64_t by)
{
	return ns > by ? ns - by : 0;
}

/* A start that is due by that time, while one a second later is not; 0 none is. Around it EDGE_NS is neither sure. */
static int last_due(const struct retention_line *l, uint64_t due_ns, uint64_t *ret)
{
	uint64_t low = 0, high = due_ns / NS_PER_S, until;
	int rc = 0;

	while (!rc && low < high) { /* low is due, or 0; high is not */
		uint64_t half = low + (high - low) / 2;

		rc = retention_deadline(l, half * NS_PER_S, &until);
		if (half == low)
			break;
		if (until <= due_ns)
			low = half;
		else
			high = half;
	}
	*ret = low * NS_PER_S;
	return rc;
}

/* As a day's key goes when its day begins, so that nothing is kept past its time. */
static uint64_t day_begin(const struct retention_line *l, uint64_t ns)
{
	struct clock_date d;
	uint64_t at;

	return !l->use && l->unit >= RETENTION_U_DAYS && !clock_civil(ns, l->zone, &d, NULL, NULL) && !clock_day_start(&d, l->zone, &at) && at < ns ? at : ns;
}

bool reap_retain_due(const struct retention_line *l, const struct reap_row *row, uint64_t start_ns, uint64_t due_ns)
{
	uint64_t until, own = l->use ? row->use_by_ns : row->until_ns[l->purpose];
	bool holds = l->use ? row->state[STORE_TRAINING] == STORE_S_GRANTED : state_holds(row->state[l->purpose]);

	return start_ns < l->before_ns && holds && !retention_deadline(l, start_ns, &until) && until < own && day_begin(l, until) <= due_ns;
}

static int row_found(struct scan *s, const struct retention_line *l, const struct reap_row *row, struct why *why)
{
	struct later_line line;
	int rc;

	if (l->use && reap_used_is(s->used, &row->uid))
		return 0;
	rc = later_get(s->later, &row->uid, l->purpose, &line, why);
	if (rc < 0 || (rc == 1 && !state_holds(line.state))) /* gone already */
		return rc < 0 ? rc : 0;
	s->asked++;
	return s->found(s->arg, &row->uid, l->purpose, l->use);
}

#define WHICH "start_ns>=?1 AND start_ns<=?2 AND rule=?3"

static int scan_rows(struct scan *s, const struct look *k, sqlite3 *sql, uint64_t from_ns, struct why *why)
{
	sqlite3_stmt *st = NULL;
	int rc, got = SQLITE_DONE;

	rc = sqlite3_prepare_v2(sql,
				k->l->use ? "SELECT " REAP_ROW_COLUMNS ",start_ns,training_use_by FROM calls WHERE " WHICH :
					    "SELECT " REAP_ROW_COLUMNS ",start_ns,0 FROM calls WHERE " WHICH,
				-1, &st, NULL);
	if (rc == SQLITE_ERROR && k->l->use) /* of an older format: nobody wrote when it must have been used */
		return 0;
	if (rc != SQLITE_OK)
		return reap_db_fail(sql, rc, "catalog: cannot read", why);
	sqlite3_bind_int64(st, 1, (sqlite3_int64)from_ns);
	sqlite3_bind_int64(st, 2, (sqlite3_int64)k->to_ns);
	sqlite3_bind_text(st, 3, k->l->rule, -1, SQLITE_STATIC);
	while (!rc && s->asked < s->max && (got = sqlite3_step(st)) == SQLITE_ROW) {
		struct reap_row row = { .use_by_ns = (uint64_t)sqlite3_column_int64(st, 10) }; /* none: 0, before all */

		if (!reap_row_get(st, &row) && reap_retain_due(k->l, &row, (uint64_t)sqlite3_column_int64(st, 9), s->r->due_ns) &&
		    reap_bucket_lives(s->r, s->controller, k->l->purpose, row.purpose_day[k->l->purpose]))
			rc = row_found(s, k->l, &row, why);
	}
	sqlite3_finalize(st);
	if (!rc && got != SQLITE_DONE && got != SQLITE_ROW)
		rc = reap_db_fail(sql, got, "catalog: cannot read", why);
	return rc;
}

/* Not sealed, or perhaps not yet so when it was looked at last. */
bool reap_retain_fresh(const struct root *r, const char *controller, uint32_t day, unsigned part, uint64_t clock_ns)
{
	char rel[STORE_PATH_MAX];
	struct stat sb;

	catalog_path(controller, day, part, rel);
	if (beneath_statat(r->fd, rel, &sb) || sb.st_mode & 0222 || machine_ns() < clock_ns)
		return true;
	return (uint64_t)sb.st_ctim.tv_sec * NS_PER_S >= back(clock_ns, reap_retain_fresh_ns);
}

static void fault(struct scan *s, int rc, const struct why *why)
{
	for (size_t i = 0; i < s->nlook; i++)
		if (!strcmp(s->look[i].l->controller, s->controller))
			s->look[i].failed = true;
	reap_fault(s->r, rc, *why->text ? why->text : "out of memory");
}

static bool wanted(const struct scan *s, const char *controller)
{
	for (size_t i = 0; i < s->nlook; i++)
		if (!strcmp(s->look[i].l->controller, controller))
			return true;
	return false;
}

static void take_controller(struct scan *s, const char *controller)
{
	struct why why = { "" };
	int rc;

	later_close(s->later);
	s->later = NULL;
	snprintf(s->controller, sizeof(s->controller), "%s", controller);
	rc = later_open(&s->r->root, controller, false, &s->later, &why);
	s->no_later = rc && rc != -ENOENT;
	if (s->no_later)
		fault(s, rc, &why);
}

static int scan_in(void *arg, const char *controller, uint32_t day, unsigned part)
{
	struct scan *s = arg;
	struct why why = { "" };
	sqlite3 *sql;
	int rc;

	if (day == DAY_HOLD || !wanted(s, controller)) /* those on hold are past their own time */
		return 0;
	if (strcmp(s->controller, controller))
		take_controller(s, controller);
	if (s->no_later)
		return 0;
	rc = reap_db_open(&s->r->root, controller, day, part, &sql, &why);
	if (rc == -ENOENT)
		return 0;
	if (!rc) {
		for (size_t i = 0; !rc && i < s->nlook; i++) {
			const struct look *k = &s->look[i];
			uint64_t from = reap_retain_fresh(&s->r->root, controller, day, part, k->mark.clock_ns) ? 0 : back(k->mark.from_ns, k->edge_ns);

			if (!strcmp(k->l->controller, controller))
				rc = scan_rows(s, k, sql, from, &why);
		}
		sqlite3_close(sql);
	}
	if (rc)
		fault(s, rc, &why);
	return s->asked >= s->max;
}

/* ---- which lines ---- */

static bool looked_at(const struct retention_line *l, const struct mark_of *m, uint64_t due_ns)
{
	return !l->use && l->unit >= RETENTION_U_DAYS && m->n && m->due_ns / HOUR_NS == due_ns / HOUR_NS &&
	       day_begin(l, m->due_ns) == day_begin(l, due_ns);
}

static uint64_t edge(const struct retention_line *l, const struct mark_of *m, uint64_t due_ns)
{
	return l->use && l->unit < RETENTION_U_MONTHS && m->n && m->due_ns / HOUR_NS == due_ns / HOUR_NS ? NEAR_NS : EDGE_NS;
}

static void choose(struct scan *s, const struct retention *t, const struct marks *m)
{
	for (size_t i = 0; i < t->n; i++) {
		const struct retention_line *l = &t->v[i];
		const struct mark_of *x = mark_find(m, l);
		struct look k = { .l = l };
		uint64_t last;
		char text[160];

		if (x)
			k.mark = *x;
		if (!l->before_ns || (l->use && !s->used) || (!s->r->set->dry && looked_at(l, &k.mark, s->r->due_ns)))
			continue;
		if (last_due(l, s->r->due_ns, &last)) {
			snprintf(text, sizeof(text), "retention: line %" PRIu64 ": the time zone %s is not known here", l->n, l->zone);
			reap_fault(s->r, -EINVAL, text);
			continue;
		}
		if (k.mark.from_ns > last) /* of a time that lies ahead: it says nothing of rows that came since */
			k.mark = (struct mark_of){ 0 };
		k.edge_ns = edge(l, &k.mark, s->r->due_ns);
		k.to_ns = earlier(last + k.edge_ns, l->before_ns);
		s->look[s->nlook++] = k;
	}
}

/* What was looked at is noted, what is no line any more stays: it is told at each run. */
static void note_marks(struct scan *s, const struct marks *old, uint64_t clock_ns)
{
	struct marks m = { .v = calloc(old->n + s->nlook + 1, sizeof(*m.v)) };

	for (size_t i = 0; m.v && i < old->n; i++)
		m.v[m.n++] = old->v[i];
	for (size_t i = 0; m.v && i < s->nlook; i++) {
		const struct look *k = &s->look[i];
		struct mark_of *x = mark_find(&m, k->l);
		uint64_t last = 0;

		if (k->failed || last_due(k->l, s->r->due_ns, &last))
			continue;
		x = x ? x : &m.v[m.n++];
		*x = (struct mark_of){ k->l->n, k->l->crc, last, s->r->due_ns, clock_ns };
	}
	if (m.v)
		marks_write(&s->r->root, &m);
	free(m.v);
}

static const struct retention_line *line_find(const struct retention *t, uint64_t n)
{
	if (n && n <= t->n && t->v[n - 1].n == n) /* where nothing is missing */
		return &t->v[n - 1];
	for (size_t i = 0; i < t->n; i++)
		if (t->v[i].n == n)
			return &t->v[i];
	return NULL;
}

/* What is damaged, or missing between others, is told as that. */
static bool lost(const struct marks *m, const struct retention *t)
{
	for (size_t i = 0; i < m->n; i++) {
		const struct retention_line *l = line_find(t, m->v[i].n);

		if (l ? l->crc != m->v[i].crc : m->v[i].n > t->last)
			return true;
	}
	return false;
}

bool reap_retain_lost(const struct root *r, const struct retention *t)
{
	struct marks m;
	bool is;

	marks_read(r, &m);
	is = lost(&m, t);
	free(m.v);
	return is;
}

static void look_at(struct reap_retained *x)
{
	struct why why = { "" };
	int rc = retention_read(&x->s.r->root, &x->t, NULL, NULL, &why);

	if (rc == -ENOENT)
		rc = 0;
	if (rc)
		reap_fault(x->s.r, rc, why.text);
	if (rc)
		return;
	if (x->t.bad)
		reap_fault(x->s.r, -EBADMSG, "retention: it is damaged, or lines are missing in it (rule D-2)");
	if (lost(&x->m, &x->t))
		reap_fault(x->s.r, -EBADMSG, "retention: lines are missing that were there: calls may be kept until the day of their own (rule D-2)");
	retention_shrink(&x->t);
	x->s.look = calloc(x->t.n + 1, sizeof(*x->s.look));
	if (!x->s.look) {
		reap_fault(x->s.r, -ENOMEM, "out of memory");
		return;
	}
	choose(&x->s, &x->t, &x->m);
	if (!x->s.nlook)
		return;
	rc = catalog_each(&x->s.r->root, scan_in, &x->s);
	if (rc < 0) {
		reap_fault(x->s.r, rc, "catalog: cannot be read");
		x->s.max = 0;
	}
}

int reap_retain_begin(struct reap *r, const struct reap_used *used, reap_retain_found found, void *arg, struct reap_retained **ret)
{
	struct reap_retained *x = calloc(1, sizeof(*x));

	if (!x)
		return -ENOMEM;
	x->s = (struct scan){ .r = r, .used = used, .found = found, .arg = arg, .max = reap_retain_max };
	x->clock_ns = machine_ns();
	marks_read(&r->root, &x->m);
	look_at(x);
	*ret = x;
	return 0;
}

void reap_retain_end(struct reap_retained *x, bool durable)
{
	if (!x)
		return;
	if (durable && x->s.nlook && x->s.asked < x->s.max && !x->s.r->set->dry)
		note_marks(&x->s, &x->m, x->clock_ns);
	later_close(x->s.later);
	retention_free(&x->t);
	free(x->s.look);
	free(x->m.v);
	free(x);
}
