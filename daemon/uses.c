/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * uses.c - see uses.h
 *
 * A job is the thread's from the queue until it is done. The set of used calls is the thread's once it runs.
 */
#include "uses.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/beneath.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "base/phone.h"
#include "policy/approval.h"
#include "store/store.h"

#define FILE_MAX_BYTES (256u << 20)

static const char *const kinds[] = { "played", "scored", "course", NULL };

struct job {
	struct job *next;
	uint64_t client;
	struct uses_line l;
	int err;
	char why[256];
	bool first;
	char controller[65], rule[65], policy[65];
};

struct uses {
	struct uses_settings set;
	char *store, *path;
	int file, fd;
	struct uid *used; /* sorted */
	size_t nused, cap;
	pthread_t thread;
	pthread_mutex_t lock; /* guards todo, done, queued, stop */
	pthread_cond_t wake;
	struct job *todo, *done;
	size_t queued;
	bool stop, running;
	int err; /* the file's: nothing is noted */
	char why[512];
};

/* ---- lines ---- */

size_t uses_format(const struct uses_line *l, char out[USES_LINE_MAX])
{
	char uid[UID_TEXT];

	uid_format(&l->call, uid);
	return (size_t)snprintf(out, USES_LINE_MAX, "{\"call\":\"%s\",\"kind\":\"%s\",\"by\":\"%s\",\"at\":%" PRIu64 ",\"uid\":%" PRIu64 "}\n", uid,
				l->kind, l->by, l->at_ns, l->uid);
}

static bool kind_ok(const char *s)
{
	for (size_t i = 0; kinds[i]; i++)
		if (!strcmp(kinds[i], s))
			return true;
	return false;
}

int uses_parse(const char *p, size_t n, struct uses_line *ret)
{
	json_t *o = n < USES_LINE_MAX ? json_loadb(p, n, JSON_REJECT_DUPLICATES, NULL) : NULL;
	const char *call = json_string_value(json_object_get(o, "call")), *kind = json_string_value(json_object_get(o, "kind"));
	const char *by = json_string_value(json_object_get(o, "by"));
	json_int_t at = json_integer_value(json_object_get(o, "at")), uid = json_integer_value(json_object_get(o, "uid"));
	struct uses_line l = { .at_ns = (uint64_t)at, .uid = (uint64_t)uid };
	char again[USES_LINE_MAX];
	int e = call && kind && by && at > 0 && uid >= 0 && uid <= UINT32_MAX && kind_ok(kind) && approval_name_ok(by) && !uid_parse(call, &l.call) ?
			0 :
			-EBADMSG;

	if (!e) {
		snprintf(l.kind, sizeof(l.kind), "%s", kind);
		snprintf(l.by, sizeof(l.by), "%s", by);
		/* one spelling: what we write */
		if (uses_format(&l, again) != n + 1 || memcmp(again, p, n) != 0)
			e = -EBADMSG;
	}
	json_decref(o);
	if (!e)
		*ret = l;
	return e;
}

/* ---- which calls were used ---- */

/* Where it is, or belongs. */
static size_t place(const struct uses *u, const struct uid *id, bool *ret_there)
{
	size_t lo = 0, hi = u->nused;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int c = memcmp(&u->used[mid], id, sizeof(*id));

		if (c == 0) {
			*ret_there = true;
			return mid;
		}
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	*ret_there = false;
	return lo;
}

static int remember(struct uses *u, const struct uid *id)
{
	bool there;
	size_t at = place(u, id, &there);

	if (there)
		return 0;
	if (u->nused == USES_MAX)
		return -ENOSPC;
	if (u->nused == u->cap) {
		size_t cap = u->cap ? u->cap * 2 : 1024;
		struct uid *p = realloc(u->used, cap * sizeof(*p));

		if (!p)
			return -ENOMEM;
		u->used = p;
		u->cap = cap;
	}
	memmove(&u->used[at + 1], &u->used[at], (u->nused - at) * sizeof(*u->used));
	u->used[at] = *id;
	u->nused++;
	return 0;
}

/* ---- the file ---- */

static int take_lines(struct uses *u, const char *s, size_t n, size_t *ret_end, size_t *ret_line)
{
	struct uses_line l;
	size_t at = 0;
	int e = 0;

	for (*ret_line = 0; at < n && !e;) {
		const char *nl = memchr(s + at, '\n', n - at);

		if (!nl)
			break;
		++*ret_line;
		e = uses_parse(s + at, (size_t)(nl - s) - at, &l);
		if (!e)
			e = remember(u, &l.call);
		at = (size_t)(nl - s) + 1;
	}
	*ret_end = at;
	return e;
}

static int read_file(struct uses *u)
{
	struct stat st = { .st_size = 0 };
	size_t end = 0, line = 0, at = 0;
	char *s = NULL;
	int e = 0;

	u->file = beneath_open_last(u->path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
	if (u->file < 0 || fstat(u->file, &st))
		e = -errno;
	else if (!S_ISREG(st.st_mode) || st.st_size > FILE_MAX_BYTES)
		e = -EFBIG;
	s = e ? NULL : malloc((size_t)st.st_size + 1);
	if (!e && !s)
		e = -ENOMEM;
	while (!e && at < (size_t)st.st_size) {
		ssize_t got = pread(u->file, s + at, (size_t)st.st_size - at, (off_t)at);

		if (got <= 0)
			e = got ? -errno : -EIO;
		at += got > 0 ? (size_t)got : 0;
	}
	if (!e)
		e = take_lines(u, s, at, &end, &line);
	if (!e && end < at && ftruncate(u->file, (off_t)end)) /* torn: it was never confirmed */
		e = -errno;
	free(s);
	if (e == -EBADMSG)
		snprintf(u->why, sizeof(u->why), "%s: line %zu is no use of a recording", u->path, line);
	else if (e)
		snprintf(u->why, sizeof(u->why), "%s: %s", u->path, strerror(-e));
	return e;
}

static int append(struct uses *u, const struct uses_line *l, bool first)
{
	char text[USES_LINE_MAX];
	size_t n = uses_format(l, text);
	off_t end = lseek(u->file, 0, SEEK_END);
	ssize_t put;
	int e = 0;

	if (!first && end >= FILE_MAX_BYTES / 2)
		return 0; /* the evidence log has it */
	if (end + (off_t)n > FILE_MAX_BYTES)
		return -EFBIG; /* the next start would not read it */
	put = end < 0 ? -1 : pwrite(u->file, text, n, end);
	if (put != (ssize_t)n)
		e = put < 0 ? -errno : -ENOSPC;
	else if (fdatasync(u->file))
		e = -errno;
	if (e && end >= 0)
		(void)!ftruncate(u->file, end); /* else the next start cuts it */
	return e;
}

/* ---- the thread ---- */

static int take_row(void *arg, const struct store_row *r)
{
	struct job *j = arg;

	snprintf(j->controller, sizeof(j->controller), "%s", r->controller);
	snprintf(j->rule, sizeof(j->rule), "%s", r->rule);
	snprintf(j->policy, sizeof(j->policy), "%s", r->policy_hash);
	if (r->outcome != STORE_O_DENIED && r->state[STORE_TRAINING] == STORE_S_GRANTED)
		return 1;
	snprintf(j->why, sizeof(j->why), "the store does not hold this call for training");
	return -EPERM;
}

static int look_up(struct uses *u, struct job *j)
{
	struct store_filter f = { .state = -1, .uid = &j->l.call };
	struct store *st;
	int e = store_open(u->store, STORE_RO, &st, j->why, sizeof(j->why));

	if (e)
		return e;
	e = store_find(st, &f, take_row, j);
	store_close(st);
	if (e == 0) {
		snprintf(j->why, sizeof(j->why), "the store has no such call");
		return -ENOENT;
	}
	return e == 1 ? 0 : e;
}

static void note(struct uses *u, struct job *j)
{
	bool there;

	j->err = look_up(u, j);
	if (j->err)
		return;
	(void)place(u, &j->l.call, &there);
	j->first = !there;
	if (!there && u->nused == USES_MAX)
		j->err = -ENOSPC;
	if (!j->err)
		j->err = append(u, &j->l, j->first);
	if (!j->err)
		j->err = remember(u, &j->l.call);
	if (j->err)
		snprintf(j->why, sizeof(j->why), "the use cannot be noted: %s", strerror(-j->err));
}

static void *work(void *arg)
{
	struct uses *u = arg;
	struct job *j, **at;
	uint64_t one = 1;

	for (;;) {
		pthread_mutex_lock(&u->lock);
		while (!u->todo && !u->stop)
			pthread_cond_wait(&u->wake, &u->lock);
		j = u->todo;
		if (j)
			u->todo = j->next;
		pthread_mutex_unlock(&u->lock);
		if (!j)
			return NULL;
		j->next = NULL;
		note(u, j);
		pthread_mutex_lock(&u->lock);
		for (at = &u->done; *at; at = &(*at)->next)
			;
		*at = j;
		pthread_mutex_unlock(&u->lock);
		(void)!write(u->fd, &one, sizeof(one)); /* full means that it is readable anyway */
	}
}

/* ---- the caller's thread ---- */

int uses_new(const struct uses_settings *s, struct uses **ret)
{
	struct uses *u = calloc(1, sizeof(*u));
	int e = u ? 0 : -ENOMEM;

	if (!e) {
		u->set = *s;
		u->file = -1;
		u->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		u->store = strdup(s->store);
		mutex_init(&u->lock);
		pthread_cond_init(&u->wake, NULL);
		if (!u->store || asprintf(&u->path, "%s/used", s->store) < 0)
			e = -ENOMEM;
		else if (u->fd < 0)
			e = -errno;
	}
	if (e) {
		uses_free(u);
		return e;
	}
	u->err = read_file(u);
	*ret = u;
	return 0;
}

const char *uses_why(const struct uses *u)
{
	return u->why;
}

int uses_start(struct uses *u)
{
	sigset_t all, old;
	int e;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	e = -pthread_create(&u->thread, NULL, work, u);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	u->running = !e;
	return e;
}

int uses_fd(const struct uses *u)
{
	return u->fd;
}

static void answer(struct uses *u, const struct job *j)
{
	struct evidence_used e = { .call = j->l.call, .controller = j->controller, .rule = j->rule, .policy = j->policy, .kind = j->l.kind,
				   .by = j->l.by, .uid = j->l.uid, .first = j->first };
	struct ctl *c = u->set.ctl ? *u->set.ctl : NULL;
	char uid[UID_TEXT];
	json_t *o = NULL;

	if (!j->err) {
		bool counted = u->set.used(u->set.arg, &e);

		uid_format(&j->l.call, uid);
		o = json_pack("{s:s, s:s, s:b, s:b}", "call", uid, "rule", j->rule, "first", j->first, "counted", counted);
	}
	if (c)
		(void)ctl_answer(c, j->client, j->err, j->why, o, false); /* who is gone asked for nothing more */
	else
		json_decref(o);
}

void uses_run(struct uses *u)
{
	struct job *j, *next;
	uint64_t n;

	(void)!read(u->fd, &n, sizeof(n)); /* nothing there is fine */
	pthread_mutex_lock(&u->lock);
	j = u->done;
	u->done = NULL;
	pthread_mutex_unlock(&u->lock);
	for (; j; j = next) {
		next = j->next;
		u->queued--;
		answer(u, j);
		free(j);
	}
}

void uses_free(struct uses *u)
{
	struct job *j, *next;

	if (!u)
		return;
	if (u->running) {
		pthread_mutex_lock(&u->lock);
		u->stop = true;
		pthread_cond_signal(&u->wake);
		pthread_mutex_unlock(&u->lock);
		pthread_join(u->thread, NULL);
		uses_run(u); /* what was noted is told */
	}
	for (j = u->todo; j; j = next) { /* it never ran */
		next = j->next;
		free(j);
	}
	if (u->file >= 0)
		close(u->file);
	if (u->fd >= 0)
		close(u->fd);
	pthread_cond_destroy(&u->wake);
	pthread_mutex_destroy(&u->lock);
	free(u->used);
	free(u->store);
	free(u->path);
	free(u);
}

int uses_ctl(struct uses *u, const struct ctl_peer *peer, const json_t *rq, char *why, size_t n)
{
	const char *call = json_string_value(json_object_get(rq, "call")), *kind = json_string_value(json_object_get(rq, "kind"));
	const char *by = json_string_value(json_object_get(rq, "by"));
	struct job *j, **at;
	struct uid id;

	if (json_object_size(rq) != 4u + (json_object_get(rq, "id") != NULL) || !call || uid_parse(call, &id) || !kind || !kind_ok(kind)) {
		snprintf(why, n, "a use has call, kind (played, scored, course) and by");
		return -EINVAL;
	}
	if (!by || !approval_name_ok(by)) {
		snprintf(why, n, "by is a person's name: a-z 0-9 . _ -, starting with a letter, without five digits in a row");
		return -EINVAL;
	}
	if (phone_in(by, strlen(by), NULL)) {
		snprintf(why, n, "by: " PHONE_REFUSED);
		return -EINVAL;
	}
	if (u->err) {
		snprintf(why, n, "no use is noted: %s", u->why);
		return u->err;
	}
	if (u->queued >= USES_QUEUE) {
		snprintf(why, n, "so many uses wait for the disk: try again");
		return -EAGAIN;
	}
	j = calloc(1, sizeof(*j));
	if (!j)
		return -ENOMEM;
	j->client = peer->client;
	j->l = (struct uses_line){ .call = id, .at_ns = clock_now_ns(), .uid = peer->uid };
	snprintf(j->l.kind, sizeof(j->l.kind), "%s", kind);
	snprintf(j->l.by, sizeof(j->l.by), "%s", by);
	u->queued++;
	pthread_mutex_lock(&u->lock);
	for (at = &u->todo; *at; at = &(*at)->next)
		;
	*at = j;
	pthread_cond_signal(&u->wake);
	pthread_mutex_unlock(&u->lock);
	return CTL_LATER;
}
