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

#include "base/log.h"
#include "base/mutex.h"
#include "policies_internal.h"

void policies_log_diags(const struct policy_diags *d)
{
	size_t i;

	/* Not the source line: it may hold numbers of a set. */
	for (i = 0; i < d->n; i++)
		log_msg(d->d[i].severity == POLICY_ERROR ? LOG_L_ERR : LOG_L_WARN, "%s:%d:%d: %s: %s", d->d[i].file,
			d->d[i].line, d->d[i].col, d->d[i].code, d->d[i].text);
}

/* ---- jobs ---- */

static void first_error(const struct policy_diags *d, char *out, size_t n)
{
	size_t i;

	for (i = 0; i < d->n; i++)
		if (d->d[i].severity == POLICY_ERROR) {
			snprintf(out, n, "%s:%d:%d: %s: %s", d->d[i].file, d->d[i].line, d->d[i].col, d->d[i].code, d->d[i].text);
			return;
		}
}

static void compare(struct job *j)
{
	struct policy_diff d;

	if (!j->against || policy_diff(j->against, j->p, &d))
		return; /* only counts for the log */
	memcpy(j->change, d.count, sizeof(j->change));
	policy_diff_free(&d);
}

static void load(const struct worker *w, struct job *j)
{
	const char *path = w->path;

	j->err = policy_load(&path, 1, (int64_t)time(NULL), &j->diags, &j->p);
	if (j->err) {
		snprintf(j->why, sizeof(j->why), "%s: %s", path, strerror(-j->err));
		first_error(&j->diags, j->why, sizeof(j->why));
		return;
	}
	if (j->kind == JOB_DRIFT)
		return;
	if (*j->hash && strcmp(j->hash, policy_hash(j->p)) != 0) {
		j->err = -ESTALE;
		snprintf(j->why, sizeof(j->why),
			 "what %s holds (%.12s) is not the policy given (%.12s): the daemon takes its policy from there only", path,
			 policy_hash(j->p), j->hash);
		return;
	}
	/* Asked for the same policy, too: it may name the same files with something else in them. */
	j->err = notices_load(j->p, *w->store ? w->store : NULL, &j->notices, j->why, sizeof(j->why));
	if (j->err)
		return;
	if (j->against && strcmp(policy_hash(j->against), policy_hash(j->p)) == 0) {
		j->same = true;
		return;
	}
	compare(j);
	j->err = policy_text(j->p, &j->text, &j->len);
	if (j->err)
		snprintf(j->why, sizeof(j->why), "%s: %s", path, strerror(-j->err));
	else
		j->err = policy_keep(*w->store ? w->store : NULL, j->p, j->text, j->len, j->why, sizeof(j->why));
}

static void run(struct worker *w, struct job *j)
{
	switch (j->kind) {
	case JOB_LOAD:
	case JOB_DRIFT:
		load(w, j);
		break;
	case JOB_SET:
		j->err = w->sets ? setfile_append(w->sets, j->line, j->why, sizeof(j->why)) : 0;
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

int work_start(struct worker *w, const char *path, const char *store, struct setfile *sets)
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
	w->sets = sets;
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
	free(j->text);
	if (j->line)
		explicit_bzero(j->line, strlen(j->line));
	free(j->line);
	free(j);
}
