/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * outbox_take.c - events of the outbox into the evidence log, each exactly once, see outbox.h
 *
 * Before a file's events the log gets a mark: the file's hash, and how many of its events follow, which are always its
 * last ones. What was written when we died is the beginning of that. So a file whose hash was seen before is compared with
 * what stands behind its latest mark, and the rest of it is appended behind another one. Marks of before the log was opened
 * are read once, when there is a file; those made here are remembered.
 *
 * A file is taken only when the log's newest day, or today, is not before the file's own: so its mark is never in
 * an earlier day than its name says, and is found from there on. One thread at a time.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/evlog_keep.h"
#include "store/evlog_writer.h"
#include "store/outbox_internal.h"

struct mark_of {
	uint8_t hash[32];
	uint64_t done; /* events of the file that the log has */
	bool known;    /* done is right; else the log must be asked */
};

struct outbox_marks {
	struct mark_of *v;
	size_t n, room;
};

#define OUTBOX_PATH (sizeof(OUTBOX_DIR) + NAME_MAX + 1) /* any name that a directory can hold */

struct take {
	struct evlog *l;
	uint64_t now_ns;
	int32_t today; /* the later of today and the log's newest day */
	struct outbox_taken *ret;
	struct why *why;
	char gone[OUTBOX_ROUND][OUTBOX_NAME + 8]; /* files that are in the log whole: to be removed once that is durable */
	uint8_t gone_hash[OUTBOX_ROUND][32];
	unsigned ngone;
	uint64_t bytes;
	int32_t expire; /* logs of days before it are to go; 0 none */
	bool refused; /* a file was set aside: why tells the first */
};

/* ---- marks ---- */

void outbox_marks_free(struct outbox_marks *m)
{
	if (!m)
		return;
	free(m->v);
	free(m);
}

static struct mark_of *mark_find(const struct outbox_marks *m, const uint8_t hash[32])
{
	for (size_t i = m->n; i--;)
		if (!memcmp(m->v[i].hash, hash, 32))
			return &m->v[i];
	return NULL;
}

/* NULL: no memory. */
static struct mark_of *mark_add(struct outbox_marks *m, const uint8_t hash[32])
{
	struct mark_of *k = mark_find(m, hash);

	if (k)
		return k;
	if (m->n == m->room) {
		struct mark_of *v = realloc(m->v, (m->room ? m->room * 2 : 64) * sizeof(*v));

		if (!v)
			return NULL;
		m->v = v;
		m->room = m->room ? m->room * 2 : 64;
	}
	k = &m->v[m->n++];
	*k = (struct mark_of){ .done = 0 };
	memcpy(k->hash, hash, 32);
	return k;
}

static void mark_drop(struct outbox_marks *m, const uint8_t hash[32])
{
	struct mark_of *k = mark_find(m, hash);

	if (k)
		*k = m->v[--m->n];
}

static int on_mark(void *arg, const char *file, uint64_t n, const struct evlog_line *l)
{
	(void)file, (void)n;
	return l->e.kind != EVLOG_OUTBOX_TAKE || mark_add(arg, l->e.data) ? 0 : -ENOMEM;
}

static int look_from(struct take *t, int32_t day, int (*line)(void *, const char *, uint64_t, const struct evlog_line *), void *arg)
{
	struct evlog_look how = { .arg = arg, .line = line, .from_day = day < t->l->now.day ? day : t->l->now.day };
	struct evlog_report rep;
	char why[512] = "";
	int rc = evlog_look(t->l->root.path, &how, &rep, why, sizeof(why));

	return rc ? why_set(t->why, rc, "%s", why) : 0;
}

static bool waits(const char *file)
{
	enum outbox_kind kind = outbox_name_kind(file);

	return kind == OUTBOX_READY || kind == OUTBOX_OPEN;
}

/* Nothing to do, as nearly always; what was set aside stays for ever. */
static bool none_waits(const struct names *names)
{
	for (size_t i = 0; i < names->n; i++)
		if (waits(names->v[i]))
			return false;
	return true;
}

/* Marks of before, from the day of the oldest file on. */
static int read_marks(struct take *t, const struct names *names)
{
	struct outbox_marks *m = calloc(1, sizeof(*m));
	int32_t first = INT32_MAX;
	char name[OUTBOX_NAME + 1];
	uint64_t ns;
	int rc = 0;

	if (!m)
		return -ENOMEM;
	for (size_t i = 0; i < names->n; i++) {
		if (!waits(names->v[i]))
			continue;
		snprintf(name, sizeof(name), "%.*s", OUTBOX_NAME, names->v[i]);
		if (outbox_name_time(name, &ns) && evlog_day(ns) < first)
			first = evlog_day(ns);
	}
	if (t->l->now.any)
		rc = look_from(t, first, on_mark, m);
	if (rc)
		outbox_marks_free(m);
	else
		t->l->marks = m;
	return rc;
}

struct compare {
	const struct outbox_file *f;
	uint64_t at;   /* the event of the file that may come next */
	uint64_t left; /* after the latest mark */
};

static bool same_event(const struct evlog_event *a, const struct evlog_event *b)
{
	static const uint8_t zeros[32];
	char x[EVLOG_LINE_MAX], y[EVLOG_LINE_MAX];
	size_t n = evlog_line_format(1, zeros, a, x);

	return n == evlog_line_format(1, zeros, b, y) && !memcmp(x, y, n);
}

static int on_compare(void *arg, const char *file, uint64_t n, const struct evlog_line *l)
{
	struct compare *c = arg;
	uint64_t count = evlog_num_get(&l->e, EVLOG_N_COUNT, 0);

	(void)file, (void)n;
	if (l->e.kind == EVLOG_OUTBOX_TAKE && !memcmp(l->e.data, c->f->hash, 32) && count <= c->f->n) {
		c->at = c->f->n - count;
		c->left = count;
	} else if (c->left && same_event(&l->e, &c->f->line[c->at].e)) {
		c->at++;
		c->left--;
	} else {
		c->left = 0; /* we died there */
	}
	return 0;
}

/* How many of the file's events the log has. */
static int done_of(struct take *t, const struct outbox_file *f, uint64_t *ret)
{
	struct mark_of *k = mark_find(t->l->marks, f->hash);
	struct compare c = { .f = f };
	uint64_t ns = 0;
	int rc;

	*ret = 0;
	if (!k)
		return 0;
	if (!k->known) {
		(void)outbox_name_time(f->name, &ns); /* it has one, or would not have been read */
		rc = look_from(t, evlog_day(ns), on_compare, &c);
		if (rc)
			return rc;
		k->done = c.at;
		k->known = true;
	}
	*ret = k->done;
	return 0;
}

/* ---- one file ---- */

/* A name under outbox/ that nothing has yet. False: of a thousand none. */
static bool bad_name(const struct take *t, const char *file, char out[OUTBOX_PATH])
{
	int stem = (int)(strrchr(file, '.') - file); /* waits() saw an ending */
	struct stat st;

	snprintf(out, OUTBOX_PATH, OUTBOX_DIR "/%.*s.bad", stem, file);
	for (unsigned i = 1; i < 1000; i++) {
		if (beneath_statat(t->l->root.fd, out, &st) && errno == ENOENT)
			return true;
		snprintf(out, OUTBOX_PATH, OUTBOX_DIR "/%.*s.%u.bad", stem < 200 ? stem : 200, file, i);
	}
	return false;
}

static int put_aside(struct take *t, const char *file, const char *what)
{
	struct evlog_event e = { .kind = EVLOG_OUTBOX_REFUSE, .time_ns = t->now_ns, .source = EVLOG_S_DAEMON, .has_data = true };
	char from[OUTBOX_PATH], to[OUTBOX_PATH], text[OUTBOX_FILE_MAX >> 10];
	struct stat st = { .st_size = 0 };
	size_t done, n = 0;
	int rc;

	snprintf(from, sizeof(from), OUTBOX_DIR "/%s", file);
	if (!bad_name(t, file, to))
		return -EAGAIN;
	if (!beneath_statat(t->l->root.fd, from, &st) && S_ISREG(st.st_mode))
		(void)read_small(t->l->root.fd, from, text, sizeof(text), &n); /* its beginning tells which it was */
	evlog_link(text, n, e.data);
	evlog_num_add(&e, EVLOG_N_BYTES, (uint64_t)st.st_size & EVLOG_NUM_MAX);
	rc = evlog_append_batch(t->l, &e, NULL, 0, &done);
	if (rc)
		return rc;
	if (beneath_renameat(t->l->root.fd, from, to, 0))
		return why_errno(t->why, -errno, from, "cannot set aside");
	if (!t->refused)
		(void)why_set(t->why, 0, "%s: %s; set aside as %s", from, what, to + sizeof(OUTBOX_DIR));
	t->refused = true;
	t->ret->refused++;
	return 0;
}

static int append(struct take *t, const struct outbox_file *f)
{
	struct evlog_event e = { .kind = EVLOG_OUTBOX_TAKE, .time_ns = t->now_ns, .source = EVLOG_S_DAEMON, .has_data = true };
	struct mark_of *k;
	uint64_t done;
	size_t more;
	int rc = done_of(t, f, &done);

	if (rc || done == f->n)
		return rc;
	k = mark_add(t->l->marks, f->hash);
	if (!k)
		return -ENOMEM;
	memcpy(e.data, f->hash, 32);
	evlog_num_add(&e, EVLOG_N_COUNT, f->n - done);
	rc = evlog_append_batch(t->l, &e, f->line + done, f->n - done, &more);
	if (more != SIZE_MAX)
		done += more;
	k->done = done;
	k->known = true;
	t->ret->events += more != SIZE_MAX ? more : 0;
	return rc;
}

/* Younger than what a policy of this store has kept (evlog_check knows the least of all stores only). 0, -EBADMSG; else it cannot
 * be told. */
static int too_young(struct take *t, const struct outbox_file *f)
{
	struct evlog_keep keep;
	int32_t day;

	for (size_t i = 0; i < f->n; i++) {
		const struct evlog_event *e = &f->line[i].e;
		int rc;

		if (e->kind != EVLOG_EVIDENCE_EXPIRE)
			continue;
		rc = evlog_keep_read(t->l->root.fd, &keep);
		if (rc)
			return why_errno(t->why, rc == -EBADMSG ? -EIO : rc, EVLOG_KEEP_FILE, "cannot read");
		if (!evlog_day_of_number(evlog_num_get(e, EVLOG_N_DAY, 0), &day) || 
		    day > evlog_keep_before(&keep, evlog_day(e->time_ns), EVLOG_EXPIRE_MONTHS))
			return -EBADMSG;
	}
	return 0;
}

/* What the events ask of who holds the log. */
static void note_expire(struct take *t, const struct outbox_file *f)
{
	int32_t day;

	for (size_t i = 0; i < f->n; i++)
		if (f->line[i].e.kind == EVLOG_EVIDENCE_EXPIRE &&
		    evlog_day_of_number(evlog_num_get(&f->line[i].e, EVLOG_N_DAY, 0), &day) && day > t->expire)
			t->expire = day;
}

/* -EAGAIN: for the next time. */
static int take_file(struct take *t, const char *file)
{
	struct outbox_file f = { .n = 0 };
	const char *what = "";
	uint64_t ns = 0;
	int rc = outbox_file_read(&t->l->root, file, &f, &what);

	if (rc == -EBADMSG)
		return put_aside(t, file, what);
	if (rc == -EAGAIN)
		return rc;
	if (rc)
		return why_errno(t->why, rc, file, "cannot read");
	(void)outbox_name_time(f.name, &ns);
	if (evlog_day(ns) > t->today || evlog_day(f.newest_ns) > t->today)
		rc = -EAGAIN;
	else
		rc = too_young(t, &f);
	if (rc == -EBADMSG) {
		outbox_file_free(&f);
		return put_aside(t, file, "evidence is given up too early");
	}
	if (!rc)
		rc = append(t, &f);
	if (!rc) {
		note_expire(t, &f);
		snprintf(t->gone[t->ngone], sizeof(t->gone[0]), "%s", file);
		memcpy(t->gone_hash[t->ngone++], f.hash, 32);
		t->bytes += f.bytes;
	}
	outbox_file_free(&f);
	return rc;
}

/* ---- all ---- */

static int remove_taken(struct take *t)
{
	char path[STORE_PATH_MAX];
	int rc = 0;

	for (unsigned i = 0; i < t->ngone; i++) {
		snprintf(path, sizeof(path), OUTBOX_DIR "/%s", t->gone[i]);
		if (beneath_unlinkat(t->l->root.fd, path, 0) && errno != ENOENT) {
			rc = why_errno(t->why, -errno, path, "is in the evidence log, and cannot be removed");
			continue; /* its mark keeps it from being logged again */
		}
		mark_drop(t->l->marks, t->gone_hash[i]);
		t->ret->files++;
	}
	return rc;
}

static int take_all(struct take *t, const struct names *names)
{
	int rc = 0, one;

	for (size_t i = 0; i < names->n; i++) {
		if (!waits(names->v[i]))
			continue;
		if (rc || t->ngone == OUTBOX_ROUND || t->bytes >= OUTBOX_ROUND_BYTES || t->ret->refused == OUTBOX_ROUND) {
			t->ret->left++;
			continue;
		}
		one = take_file(t, names->v[i]);
		t->ret->left += one != 0;
		/* one that cannot be read blocks nobody; a log that refuses ends it */
		if (one && one != -EAGAIN && one != -EACCES && one != -EPERM)
			rc = one;
	}
	return rc;
}

int outbox_take(struct evlog *l, uint64_t now_ns, struct outbox_taken *ret, char *why, size_t n)
{
	struct why text = { "" };
	struct take t = { .l = l, .now_ns = now_ns, .ret = ret, .why = &text };
	struct names names;
	int rc = names_read(&l->root, OUTBOX_DIR, &names), frc;

	*ret = (struct outbox_taken){ 0 };
	if (why && n)
		*why = 0;
	if (rc)
		(void)why_errno(&text, rc, OUTBOX_DIR, "cannot read");
	if (!rc && none_waits(&names)) {
		names_free(&names);
		return 0;
	}
	t.today = evlog_day(now_ns);
	if (l->now.any && l->now.day > t.today)
		t.today = l->now.day;
	if (!rc && !l->marks)
		rc = read_marks(&t, &names);
	if (!rc)
		rc = take_all(&t, &names);
	if (l->marks && (ret->events || ret->refused || t.ngone)) {
		frc = evlog_flush(l, 0);
		if (frc)
			evlog_why(l, text.text, sizeof(text.text));
		else
			frc = remove_taken(&t);
		if (!frc && t.expire)
			frc = evlog_expire(l, t.expire, &ret->expired);
		rc = rc ? rc : frc;
	}
	names_free(&names);
	if (rc && !text.text[0])
		evlog_why(l, text.text, sizeof(text.text));
	if (why && n)
		snprintf(why, n, "%s", text.text[0] || !rc ? text.text : strerror(-rc));
	return rc;
}

int outbox_flush_now(const char *store_dir, struct outbox_taken *ret, char *why, size_t n)
{
	struct outbox_waiting w;
	struct outbox_taken one;
	struct evlog *l;
	int rc = outbox_waiting(store_dir, &w);

	*ret = (struct outbox_taken){ 0 };
	if (why && n)
		*why = 0;
	if (rc || !w.files)
		return rc;
	rc = evlog_open(store_dir, &l, why, n);
	if (rc)
		return rc;
	do {
		rc = outbox_take(l, clock_now_ns(), &one, why, n);
		ret->files += one.files;
		ret->events += one.events;
		ret->refused += one.refused;
		ret->expired += one.expired;
		ret->left = one.left;
	} while (!rc && one.left && (one.files || one.refused));
	evlog_close(l);
	return rc;
}

int outbox_waiting(const char *store_dir, struct outbox_waiting *ret)
{
	struct why why = { "" };
	struct root root;
	struct names names;
	int rc = root_open(store_dir, &root, &why);

	*ret = (struct outbox_waiting){ 0 };
	if (rc)
		return rc;
	rc = names_read(&root, OUTBOX_DIR, &names);
	for (size_t i = 0; !rc && i < names.n; i++) {
		struct evlog_file f;
		char path[STORE_PATH_MAX + 16];
		const char *p;
		uint64_t lines = 0;
		size_t len;

		ret->bad += outbox_name_kind(names.v[i]) == OUTBOX_BAD;
		if (!waits(names.v[i]))
			continue;
		ret->files++;
		snprintf(path, sizeof(path), OUTBOX_DIR "/%.200s", names.v[i]);
		if (evlog_file_open(&root, path, &f))
			continue; /* taken meanwhile, or not ours to read: the file counts */
		while (evlog_file_next(&f, &p, &len) == 1)
			lines++;
		evlog_file_close(&f);
		ret->events += lines ? lines - 1 : 0; /* but for the head */
	}
	names_free(&names);
	root_close(&root);
	return rc;
}
