/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * policies_start.c - which policy a daemon starts with, see policies.h
 *
 * The history says what ran last. The files may replace it only by a change that would be taken by SIGHUP as well.
 * Runs before the worker's thread, with the worker's functions.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "policies_internal.h"

/* p instead of what is there; taken. */
static int put(struct policies *ps, struct policy *p)
{
	char *text = NULL;
	size_t len = 0;
	int e = policy_text(p, &text, &len);

	if (e) {
		policy_free(p);
		return e;
	}
	policy_free(ps->now->p);
	free(ps->now->text);
	ps->now->p = p;
	ps->now->text = text;
	ps->now->len = len;
	return 0;
}

static int nothing(struct policy **ret)
{
	struct policy_diags d = { 0 };
	int e = policy_load_mem("none", "", 0, (int64_t)time(NULL), &d, ret);

	policy_diags_free(&d);
	return e;
}

static int kept(const struct policies *ps, const char *hash, struct policy **ret)
{
	struct policy_diags d = { 0 };
	int e = policy_from_store(ps->store, hash, true, &d, ret);

	if (e || policy_refused(*ret))
		policies_log_diags(&d);
	policy_diags_free(&d);
	return e;
}

static struct job begin_job(enum polhist_how how, const struct policy *against)
{
	return (struct job){ .kind = JOB_LOAD, .against = against, .uid = (uid_t)-1, .asked_ns = clock_now_ns(),
			     .note = { .what = POLHIST_LOAD, .how = how, .uid = -1 } };
}

static void job_done(struct policies *ps, struct job *j)
{
	if (j->noted)
		policies_noted(ps, j);
	policy_diags_free(&j->diags);
	notices_free(j->notices); /* what is in force takes its own: take_sounds */
	free(j->text);
	json_decref(j->answer);
}

/* The files' policy, which was read, after `last` (taken; NULL: nobody knows). */
static int try_files(struct policies *ps, struct policy *last)
{
	struct job j = begin_job(POLHIST_H_BEGIN, last);
	int e;

	j.p = ps->now->p;
	e = work_take_policy(&ps->w, &j);
	j.p = NULL;
	if (!e) {
		if (ps->hist->n)
			log_notice("policy.load: other files than ran last (%.12s): %zu tighten, %zu shorten, %zu loosen, %zu neutral",
				   last ? policy_hash(last) : "not known", j.change[POLICY_TIGHTEN], j.change[POLICY_SHORTEN],
				   j.change[POLICY_LOOSEN], j.change[POLICY_NEUTRAL]);
		policy_free(last);
	} else if (e == -EACCES && last) {
		if (ps->hist->now.n)
			policies_raise(ps, "the files are not put in force, policy %.12s is: %s", policy_hash(last), j.why);
		else
			policies_raise(ps, "the files are not put in force, and nothing is recorded: %s", j.why);
		e = put(ps, last);
	} else {
		policies_raise(ps, "%s", j.why);
		policy_free(last);
	}
	job_done(ps, &j);
	return e;
}

/* Nothing ran before, or it is lost. */
static int without_last(struct policies *ps)
{
	struct policy *none = NULL;
	int e;

	if (*ps->file_error) {
		policies_raise(ps, "%s: nothing is recorded", ps->file_error);
		return 0;
	}
	if (!ps->set.approval.loosening)
		return try_files(ps, NULL);
	e = nothing(&none); /* everything loosens, seen from there */
	return e ? e : try_files(ps, none);
}

static int revert(struct policies *ps, struct policy *last)
{
	struct job j = begin_job(POLHIST_H_REVERT, last);
	int e;

	snprintf(j.kept, sizeof(j.kept), "%s", ps->hist->now.was);
	work_load(&ps->w, &j);
	e = j.err;
	if (!e && !j.same) {
		log_notice("policy.revert: nobody confirmed policy %.12s in time: %.12s is in force again", ps->hist->now.policy, j.kept);
		e = put(ps, j.p);
		j.p = NULL;
	} else if (e) {
		policies_raise(ps, "what nobody confirmed cannot be reverted: %s: nothing is recorded", j.why);
		policy_free(j.p);
		j.p = NULL;
		e = nothing(&j.p);
		if (!e)
			e = put(ps, j.p);
		j.p = NULL;
	}
	policy_free(j.p);
	job_done(ps, &j);
	policy_free(last);
	return e;
}

static int with_last(struct policies *ps)
{
	const struct polhist_line *now = &ps->hist->now;
	struct policy *last = NULL;
	int e;

	if (!*ps->file_error && ps->hist->confirmed && !strcmp(policy_hash(ps->now->p), now->policy))
		return policy_keep(ps->store, ps->now->p, ps->now->text, ps->now->len, ps->alarm, sizeof(ps->alarm));
	e = kept(ps, now->policy, &last);
	if (e) {
		log_err("policy %.12s ran last, and cannot be read back: %s", now->policy, strerror(-e));
		return without_last(ps);
	}
	if (!ps->hist->confirmed && clock_now_ns() >= now->until_ns)
		return revert(ps, last);
	if (*ps->file_error) {
		policies_raise(ps, "%s: policy %.12s, which ran last, is in force", ps->file_error, now->policy);
		return put(ps, last);
	}
	/* Nobody touched the files since it was rolled back or cancelled, or somebody did while a change waits to be
	 * confirmed; or what they hold comes later. */
	if (!ps->hist->confirmed || !strcmp(policy_hash(ps->now->p), now->files) ||
	    (ps->hist->stage.n && !strcmp(policy_hash(ps->now->p), ps->hist->stage.policy))) {
		log_notice("policy %.12s, which ran last, is in force; the files hold another", now->policy);
		return put(ps, last);
	}
	return try_files(ps, last);
}

/* Sounds of files as they are now must be those that were checked; a kept policy has those of then, or none. */
static int take_sounds(struct policies *ps, bool from_files, char *why, size_t n)
{
	if (from_files)
		return notices_load(ps->now->p, ps->store, &ps->now->notices, why, n);
	(void)notices_resume(ps->now->p, ps->store, &ps->now->notices);
	return 0;
}

int policies_first(struct policies *ps, char *why, size_t n)
{
	const struct policy *files = *ps->file_error ? NULL : ps->now->p;
	int e;

	if (!ps->store) {
		if (*ps->file_error)
			policies_raise(ps, "%s: nothing is recorded", ps->file_error);
		return take_sounds(ps, files != NULL, why, n);
	}
	e = polhist_open(ps->store, &ps->w.hist, ps->hist, why, n);
	if (e)
		return e;
	snprintf(ps->w.store, sizeof(ps->w.store), "%s", ps->store);
	snprintf(ps->w.path, sizeof(ps->w.path), "%s", ps->path);
	e = ps->hist->now.n ? with_last(ps) : without_last(ps);
	if (e) {
		snprintf(why, n, "%s", *ps->alarm ? ps->alarm : strerror(-e));
		return e;
	}
	policies_tell_refused(ps);
	return take_sounds(ps, ps->now->p == files, why, n);
}
