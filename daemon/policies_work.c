/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * policies_work.c - the thread that waits for disks and compilers, so that
 * capture does not; see policies_internal.h
 */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mutex.h"
#include "policies_internal.h"
#include "store/evlog.h"
#include "store/evlog_keep.h"

#define KEPT_MAX (256u << 20)
#define PAGE_MAX 100 /* lines in an answer */

void policies_log_diags(const struct policy_diags *d)
{
	size_t i;

	/* Not the source line: it may hold numbers of a set. */
	for (i = 0; i < d->n; i++)
		log_msg(d->d[i].severity == POLICY_ERROR ? LOG_L_ERR : LOG_L_WARN, "%s:%d:%d: %s: %s", d->d[i].file,
			d->d[i].line, d->d[i].col, d->d[i].code, d->d[i].text);
}

/* ---- the history ---- */

int work_note(struct worker *w, struct job *j)
{
	int e;

	if (!w->hist)
		return 0;
	j->note.at_ns = clock_now_ns();
	if (j->span_ns)
		j->note.until_ns = j->note.at_ns + j->span_ns;
	e = polhist_append(w->hist, &j->note, j->note_hash);
	if (e)
		snprintf(j->why, sizeof(j->why), "%.250s/policies/history: cannot be written: %s", w->store, strerror(-e));
	j->noted = !e;
	return e;
}

/* ---- jobs ---- */

void policies_first_error(const struct policy_diags *d, char *out, size_t n)
{
	size_t i;

	for (i = 0; i < d->n; i++)
		if (d->d[i].severity == POLICY_ERROR) {
			snprintf(out, n, "%s:%d:%d: %s: %s", d->d[i].file, d->d[i].line, d->d[i].col, d->d[i].code, d->d[i].text);
			return;
		}
}

/* Its counts, and whether one person alone may make it. */
static int compare(const struct worker *w, struct job *j, bool allow)
{
	struct policy_diff d;
	int e;

	if (!j->against)
		return 0;
	e = policy_diff(j->against, j->p, &d);
	if (e) { /* what cannot be compared is not known to tighten */
		snprintf(j->why, sizeof(j->why), "it cannot be compared with what runs: %s", strerror(-e));
		return e;
	}
	memcpy(j->change, d.count, sizeof(j->change));
	if (allow)
		e = policies_allow(w->approval, *w->store ? w->store : NULL, &d, j);
	policy_diff_free(&d);
	return e;
}

struct find_line {
	uint64_t n;
	struct polhist_line l;
};

static int take_line(void *arg, const struct polhist_line *l)
{
	struct find_line *f = arg;

	f->l = *l;
	return 0;
}

/* Which policy the line put in force. */
static int rollback_to(const struct worker *w, struct job *j)
{
	struct find_line f = { .n = j->from_n };
	int e = *w->store ? polhist_page(w->store, j->from_n + 1, 1, take_line, &f) : -ENOENT;

	if (!e && (f.l.n != j->from_n || f.l.what != POLHIST_LOAD))
		e = -ENOENT;
	if (e)
		snprintf(j->why, sizeof(j->why), "line %llu of the history put no policy in force", (unsigned long long)j->from_n);
	else
		memcpy(j->kept, f.l.policy, sizeof(j->kept));
	return e;
}

/* Files or store to j->p. */
static int read_policy(const struct worker *w, struct job *j)
{
	const char *path = w->path;

	if (j->from_n)
		j->err = rollback_to(w, j);
	if (j->err)
		return j->err;
	if (*j->kept)
		j->err = policy_from_store(*w->store ? w->store : NULL, j->kept, j->note.how != POLHIST_H_ROLLBACK, &j->diags, &j->p);
	else
		j->err = policy_load(&path, 1, (int64_t)time(NULL), &j->diags, &j->p);
	if (j->err) {
		snprintf(j->why, sizeof(j->why), "%s%.12s: %s", *j->kept ? "kept policy " : path, j->kept, strerror(-j->err));
		policies_first_error(&j->diags, j->why, sizeof(j->why));
	} else if (*j->hash && strcmp(j->hash, policy_hash(j->p)) != 0) {
		j->err = -ESTALE;
		snprintf(j->why, sizeof(j->why),
			 "what %s holds (%.12s) is not the policy given (%.12s): the daemon takes its policy from there only", path,
			 policy_hash(j->p), j->hash);
	}
	if (j->err)
		return j->err;
	/* Asked for the same policy, too: it may name the same files with something else in them. What was kept has the
	 * sounds that were checked then, or none. */
	if (*j->kept)
		(void)notices_resume(j->p, *w->store ? w->store : NULL, &j->notices);
	else
		j->err = notices_load(j->p, *w->store ? w->store : NULL, &j->notices, j->why, sizeof(j->why));
	return j->err;
}

/* What the files hold, when something else is put in force: nobody shall put it back by a restart. */
static void look_at_files(const struct worker *w, struct job *j)
{
	struct policy_diags d = { 0 };
	const char *path = w->path;
	struct policy *p = NULL;

	if (*j->kept && policy_load(&path, 1, (int64_t)time(NULL), &d, &p) == 0 && strcmp(policy_hash(p), policy_hash(j->p)) != 0)
		snprintf(j->note.files, sizeof(j->note.files), "%s", policy_hash(p));
	policy_free(p);
	policy_diags_free(&d);
}

static void note_policy(struct job *j)
{
	snprintf(j->note.policy, sizeof(j->note.policy), "%s", policy_hash(j->p));
	snprintf(j->note.was, sizeof(j->note.was), "%s", j->against ? policy_hash(j->against) : "");
	for (int i = 0; i < POLICY_CHANGES; i++)
		j->note.change[i] = (unsigned)j->change[i];
}

/* What shortens the time of stored calls: said first, later, and by two persons when it is many. */
static int look_at_stored(const struct worker *w, struct job *j)
{
	const struct policies_stored *s = &j->stored;
	char reason[128];
	int e;

	if (!j->change[POLICY_SHORTEN] || !*w->store || (j->note.how != POLHIST_H_APPLY && j->kind == JOB_LOAD))
		return 0;
	e = policies_stored(w->store, j->against, j->p, &j->stored);
	if (e) {
		snprintf(j->why, sizeof(j->why), "how many stored calls it shortens the time of is not known: %s", strerror(-e));
		return e;
	}
	if (j->kind != JOB_PROPOSE && w->approval->loosening && s->calls > POLICIES_STORED_ALONE &&
	    policies_allow_id(w->approval, w->store, policy_hash(j->p), policy_hash(j->against), j->note.approver, reason, sizeof(reason))) {
		snprintf(j->why, sizeof(j->why), "it shortens the time of %s%llu stored calls, and %s (optag policy propose)",
			 s->more ? "more than " : "", (unsigned long long)s->calls, reason);
		return -EACCES;
	}
	if (j->kind == JOB_LOAD && s->calls && !j->now) {
		snprintf(j->why, sizeof(j->why),
			 "it shortens the time of %s%llu stored calls, %llu of them are then due at once: --effective 24h, or, if that is meant, --effective 0s",
			 s->more ? "more than " : "", (unsigned long long)s->calls, (unsigned long long)s->due);
		return -EBUSY;
	}
	return 0;
}

/* A policy that is not the one in force: compared, allowed, kept, noted. */
int work_take_policy(struct worker *w, struct job *j)
{
	int e = compare(w, j, j->kind != JOB_PROPOSE);

	if (!e && j->pending && j->note.how != POLHIST_H_REVERT && j->note.how != POLHIST_H_ROLLBACK) {
		e = -EBUSY;
		snprintf(j->why, sizeof(j->why), "a change waits to be confirmed: optag policy confirm, or rollback, comes first");
	}
	if (!e && j->note.how == POLHIST_H_SIGNAL && !strcmp(j->staged, policy_hash(j->p))) {
		e = -EBUSY;
		snprintf(j->why, sizeof(j->why), "the files hold what comes in force later (optag policy status)");
	}
	if (!e)
		e = look_at_stored(w, j);
	if (!e)
		e = policy_text(j->p, &j->text, &j->len);
	if (e) {
		if (!*j->why)
			snprintf(j->why, sizeof(j->why), "%.300s: %s", w->path, strerror(-e));
		return e;
	}
	e = policy_keep(*w->store ? w->store : NULL, j->p, j->text, j->len, j->why, sizeof(j->why));
	if (e)
		return e;
	note_policy(j);
	look_at_files(w, j);
	return work_note(w, j);
}

void work_load(struct worker *w, struct job *j)
{
	if (read_policy(w, j) || j->kind == JOB_DRIFT)
		return;
	if (j->against && strcmp(policy_hash(j->against), policy_hash(j->p)) == 0) {
		j->same = true;
		return;
	}
	j->err = work_take_policy(w, j);
}

static void note(struct worker *w, struct job *j)
{
	char name[80], text[APPROVAL_MAX];
	size_t n;

	if (j->has_approval && *w->store) {
		n = approval_format(&j->approval, text);
		snprintf(name, sizeof(name), "%s.approval", j->approval.policy);
		j->err = policy_write_file(w->store, name, text, n);
		if (j->err)
			snprintf(j->why, sizeof(j->why), "%.200s/policies/%s: %s", w->store, name, strerror(-j->err));
	}
	if (!j->err)
		j->err = work_note(w, j);
}

static int add_line(void *arg, const struct polhist_line *l)
{
	return json_array_append_new(arg, policies_line_json(l)) ? -ENOMEM : 0;
}

static void page(const struct worker *w, struct job *j)
{
	json_t *lines = json_array();
	json_t *last;

	j->err = *w->store ? polhist_page(w->store, j->from_n, PAGE_MAX, add_line, lines) : 0;
	if (j->err)
		snprintf(j->why, sizeof(j->why), "history: %s", strerror(-j->err));
	last = json_array_size(lines) == PAGE_MAX ? json_object_get(json_array_get(lines, PAGE_MAX - 1), "n") : NULL;
	j->answer = json_pack("{s:o, s:O*}", "lines", lines, "next", last);
}

static void kept_text(const struct worker *w, struct job *j)
{
	char name[80];

	snprintf(name, sizeof(name), "%s.policy", j->kept);
	j->err = *w->store ? policy_read_file(w->store, name, KEPT_MAX, &j->text, &j->len) : -ENOENT;
	if (j->err)
		snprintf(j->why, sizeof(j->why), "policy %.12s: %s", j->kept, strerror(-j->err));
}

static void run(struct worker *w, struct job *j)
{
	switch (j->kind) {
	case JOB_LOAD:
	case JOB_DRIFT:
	case JOB_PROPOSE:
	case JOB_STAGE:
		work_load(w, j);
		break;
	case JOB_SET:
		j->err = w->sets ? setfile_append(w->sets, j->line, j->why, sizeof(j->why)) : 0;
		break;
	case JOB_NOTE:
		note(w, j);
		break;
	case JOB_PAGE:
		page(w, j);
		break;
	case JOB_TEXT:
		kept_text(w, j);
		break;
	case JOB_RETAIN:
		work_retain(w, j);
		break;
	case JOB_RECORDS:
		j->err = *w->store ? policy_records(w->store, &j->months, 1, evlog_day(clock_now_ns()), evlog_newest_day(w->store), j->why,
						    sizeof(j->why)) : 0;
		break;
	case JOB_FREE:
		notices_free(j->notices);
		policy_free(j->p);
		j->notices = NULL;
		j->p = NULL;
		break;
	}
}

static void give_back(struct worker *w, struct job *j)
{
	uint64_t one = 1;
	struct job **at;

	pthread_mutex_lock(&w->lock);
	for (at = &w->done; *at; at = &(*at)->next)
		;
	*at = j;
	pthread_mutex_unlock(&w->lock);
	(void)!write(w->fd, &one, sizeof(one)); /* full means that it is readable anyway */
}

static void *work(void *arg)
{
	struct worker *w = arg;
	struct job *j;

	for (;;) {
		pthread_mutex_lock(&w->lock);
		while (!w->todo && !w->stop)
			pthread_cond_wait(&w->cond, &w->lock);
		j = w->todo;
		if (j)
			w->todo = j->next;
		pthread_mutex_unlock(&w->lock);
		if (!j)
			return NULL;
		j->next = NULL;
		run(w, j);
		give_back(w, j);
	}
}

int work_start(struct worker *w, const char *path, const char *store)
{
	sigset_t all, old;
	int e;

	w->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (w->fd < 0)
		return -errno;
	if (strlen(path) >= sizeof(w->path) || (store && strlen(store) >= sizeof(w->store)))
		return -ENAMETOOLONG;
	strcpy(w->path, path);
	strcpy(w->store, store ? store : "");
	mutex_init(&w->lock);
	pthread_cond_init(&w->cond, NULL);
	/* signals are the main thread's */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	e = -pthread_create(&w->thread, NULL, work, w);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	w->started = e == 0;
	return e;
}

void work_stop(struct worker *w)
{
	struct job *j, *next;

	if (w->started) {
		pthread_mutex_lock(&w->lock);
		w->stop = true;
		pthread_cond_signal(&w->cond);
		pthread_mutex_unlock(&w->lock);
		pthread_join(w->thread, NULL);
		w->started = false;
		for (j = w->done; j; j = next) {
			next = j->next;
			job_free(j);
		}
		w->done = NULL;
	}
	if (w->fd >= 0)
		close(w->fd);
	w->fd = -1;
	setfile_close(w->sets);
	w->sets = NULL;
	polhist_close(w->hist);
	w->hist = NULL;
}

void work_push(struct worker *w, struct job *j)
{
	struct job **at;

	j->next = NULL;
	pthread_mutex_lock(&w->lock);
	for (at = &w->todo; *at; at = &(*at)->next)
		;
	*at = j;
	pthread_cond_signal(&w->cond);
	pthread_mutex_unlock(&w->lock);
}

struct job *work_take(struct worker *w)
{
	struct job *j;
	uint64_t n;

	(void)!read(w->fd, &n, sizeof(n)); /* nothing there is fine */
	pthread_mutex_lock(&w->lock);
	j = w->done;
	w->done = NULL;
	pthread_mutex_unlock(&w->lock);
	return j;
}

void job_free(struct job *j)
{
	if (!j)
		return;
	notices_free(j->notices);
	policy_free(j->p);
	policy_diags_free(&j->diags);
	json_decref(j->answer);
	free(j->text);
	if (j->line)
		explicit_bzero(j->line, strlen(j->line));
	free(j->line);
	free(j);
}
