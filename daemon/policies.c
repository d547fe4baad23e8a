/* SPDX-License-Identifier: BSD-2-Clause */
/* policies.c - the policies of a running daemon, see policies.h */
#include "policies.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "policies_internal.h"

#define RESUME_HOLD_NS (60 * NS_PER_S) /* until the calls that were taken over are in the table */
#define LOOK_NS	       (50 * NS_PER_MS) /* between two looks whether an old policy is used */
#define EXPIRE_NS      (3600 * NS_PER_S)
#define AGAIN_NS       (60 * NS_PER_S)
#define EXPIRED_S      86400 /* past any call in progress */
#define WAITING_MAX    64

/* ---- life ---- */

static void entry_free(struct entry *e)
{
	if (!e)
		return;
	notices_free(e->notices);
	policy_free(e->p);
	free(e->text);
	free(e);
}

/* Nothing is recorded by it, and nobody. */
static int no_policy(struct policy **ret)
{
	struct policy_diags d = { 0 };
	int e = policy_load_mem("none", "", 0, (int64_t)time(NULL), &d, ret);

	policy_diags_free(&d);
	return e;
}

static int read_files(struct policies *ps)
{
	struct policy_diags d = { 0 };
	int e = policy_load((const char *const *)&ps->path, 1, (int64_t)time(NULL), &d, &ps->now->p);

	policies_log_diags(&d);
	if (e) {
		snprintf(ps->file_error, sizeof(ps->file_error), "%s: %s", ps->path, strerror(-e));
		policies_first_error(&d, ps->file_error, sizeof(ps->file_error));
		e = no_policy(&ps->now->p);
	}
	policy_diags_free(&d);
	return e;
}

int policies_new(const struct policies_settings *s, struct policies **ret)
{
	struct policies *ps = calloc(1, sizeof(*ps));
	int e = -ENOMEM;

	if (!ps)
		return e;
	ps->set = *s;
	ps->w.fd = -1;
	ps->w.approval = &ps->set.approval;
	ps->path = strdup(s->path);
	ps->store = s->store ? strdup(s->store) : NULL;
	ps->now = calloc(1, sizeof(*ps->now));
	ps->hist = calloc(1, sizeof(*ps->hist));
	if (ps->path && ps->now && ps->hist && (ps->store || !s->store))
		e = policy_members_new(&ps->members);
	if (!e)
		e = read_files(ps);
	if (!e)
		e = policy_text(ps->now->p, &ps->now->text, &ps->now->len);
	if (e) {
		policies_free(ps);
		return e;
	}
	ps->hist->confirmed = true;
	ps->now->loaded_ns = clock_now_ns();
	ps->now->uid = (uid_t)-1;
	ps->set.path = ps->path;
	ps->set.store = ps->store;
	*ret = ps;
	return 0;
}

int policies_start(struct policies *ps, char *why, size_t n)
{
	char path[4200];
	int e = 0;

	if (ps->store) {
		snprintf(path, sizeof(path), "%s/sets", ps->store);
		e = setfile_open(path, ps->members, &ps->w.sets, why, n);
	}
	if (!e)
		e = policies_first(ps, why, n);
	if (e)
		return e; /* policies_free closes */
	e = policy_bind(ps->now->p, ps->members);
	if (!e)
		e = work_start(&ps->w, ps->path, ps->store);
	if (e) {
		snprintf(why, n, "cannot start the policy thread: %s", strerror(-e));
		return e;
	}
	ps->set.use(ps->set.arg, ps->now->p);
	log_notice("policy.load: policy %.12s, %zu rules, in force", policy_hash(ps->now->p), policy_rules(ps->now->p));
	if (ps->hist->now.n && ps->hist->now.uid >= 0 && !strcmp(ps->hist->now.policy, policy_hash(ps->now->p)))
		ps->now->uid = (uid_t)ps->hist->now.uid;
	if (ps->hist->nstop)
		log_notice("%zu rules are stopped", ps->hist->nstop);
	policies_sweep(ps); /* calls taken over are asked again: whoever began this policy may have been killed before all were */
	return 0;
}

static void free_jobs(struct job *j)
{
	struct job *next;

	for (; j; j = next) {
		next = j->next;
		job_free(j);
	}
}

void policies_free(struct policies *ps)
{
	struct entry *e, *next;

	if (!ps)
		return;
	work_stop(&ps->w);
	free_jobs(ps->waiting);
	free_jobs(ps->swept);
	entry_free(ps->now);
	for (e = ps->older; e; e = next) {
		next = e->next;
		entry_free(e);
	}
	policy_members_free(ps->members);
	free(ps->hist);
	free(ps->path);
	free(ps->store);
	free(ps);
}

int policies_fd(const struct policies *ps)
{
	return ps->w.fd;
}

const struct policy *policies_current(const struct policies *ps)
{
	return ps->now->p;
}

/* ---- jobs ---- */

void policies_push(struct policies *ps, struct job *j)
{
	ps->out++;
	work_push(&ps->w, j);
}

void policies_next(struct policies *ps)
{
	struct job *j = ps->waiting;

	if (ps->loading || !j)
		return;
	ps->waiting = j->next;
	ps->loading = true;
	j->against = ps->now->p;
	j->pending = !ps->hist->confirmed;
	snprintf(j->staged, sizeof(j->staged), "%s", ps->hist->stage.n ? ps->hist->stage.policy : "");
	policies_push(ps, j);
}

void policies_queue_load(struct policies *ps, struct job *j)
{
	struct job **at;

	j->next = NULL;
	for (at = &ps->waiting; *at; at = &(*at)->next)
		;
	*at = j;
	policies_next(ps);
}

void policies_reload(struct policies *ps)
{
	struct job *j;
	size_t n = 0;

	for (j = ps->waiting; j; j = j->next)
		if (j->note.how == POLHIST_H_SIGNAL && ++n > 1)
			return; /* one that has not begun will read what is there then */
	j = calloc(1, sizeof(*j));
	if (!j) {
		log_err("policy is not read again: out of memory");
		if (ps->set.reloaded)
			ps->set.reloaded(ps->set.arg, -ENOMEM);
		return;
	}
	j->kind = JOB_LOAD;
	j->uid = (uid_t)-1;
	j->note = (struct polhist_line){ .what = POLHIST_LOAD, .how = POLHIST_H_SIGNAL, .uid = -1 };
	j->asked_ns = clock_now_ns();
	policies_queue_load(ps, j);
}

/* Takes fields. */
void policies_tell(struct policies *ps, uint64_t client, int err, const char *text, json_t *fields)
{
	struct ctl *c = ps->set.ctl ? *ps->set.ctl : NULL;

	if (client && c)
		(void)ctl_answer(c, client, err, text, fields, false); /* who is gone asked for nothing more */
	else
		json_decref(fields);
}

void policies_raise(struct policies *ps, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(ps->alarm, sizeof(ps->alarm), fmt, ap);
	va_end(ap);
	log_err("policy.alarm: %s", ps->alarm);
}

const char *policies_alarm(const struct policies *ps)
{
	return ps->alarm;
}

bool policies_stopped(const struct policies *ps, const struct policy_rule *r)
{
	return r->refused || (ps->hist->nstop && polhist_stop(ps->hist, r->name));
}

static const char *by(const struct job *j, char out[32])
{
	uid_t uid = j->uid;

	if (uid == (uid_t)-1 && j->note.how != POLHIST_H_SIGNAL)
		return polhist_how_name(j->note.how);
	if (uid == (uid_t)-1)
		return "signal";
	snprintf(out, 32, "uid %u", (unsigned)uid);
	return out;
}

/* ---- the swap ---- */

static void refuse(struct policies *ps, struct job *j)
{
	char who[32];

	ps->fig.refused++;
	snprintf(ps->last_error, sizeof(ps->last_error), "%s", j->why);
	ps->last_error_ns = clock_now_ns();
	policies_log_diags(&j->diags);
	log_err("policy.reject: by %s: %s; the policy %.12s in force since %llu s stays", by(j, who), j->why,
		policy_hash(ps->now->p), (unsigned long long)((clock_now_ns() - ps->now->loaded_ns) / NS_PER_S));
	policies_tell(ps, j->client, j->err, j->why, NULL);
}

static json_t *apply_answer(const struct job *j, const char *hash, const struct calls_tightened *t)
{
	return json_pack("{s:s, s:s, s:b, s:f, s:f, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "hash", hash, "was", *j->was ? j->was : hash,
			 "unchanged", j->same, "effective_ms",
			 j->effective_ns > j->asked_ns ? (double)(j->effective_ns - j->asked_ns) / 1e6 : 0.0, "done_ms",
			 (double)(clock_now_ns() - j->asked_ns) / 1e6, "tightens",
			 (json_int_t)j->change[POLICY_TIGHTEN], "shortens", (json_int_t)j->change[POLICY_SHORTEN], "loosens",
			 (json_int_t)j->change[POLICY_LOOSEN], "calls", t ? (json_int_t)t->seen : 0, "calls_tightened",
			 t ? (json_int_t)t->changed : 0, "purposes_ended", t ? (json_int_t)t->denied : 0, "calls_without_facts",
			 t ? (json_int_t)t->no_facts : 0);
}

static void log_swap(const struct policies *ps, const struct job *j)
{
	char who[32];

	log_notice("policy.load: policy %.12s, %zu rules, in force (was %.12s), by %s: %zu tighten, %zu shorten, %zu loosen, %zu neutral",
		   policy_hash(ps->now->p), policy_rules(ps->now->p), j->was, by(j, who), j->change[POLICY_TIGHTEN],
		   j->change[POLICY_SHORTEN], j->change[POLICY_LOOSEN], j->change[POLICY_NEUTRAL]);
}

/* Goes over the calls from the first on, also when it was in the middle of that. */
void policies_sweep(struct policies *ps)
{
	ps->sweeping = ps->sweep_restart = true;
	memset(&ps->sweep, 0, sizeof(ps->sweep));
}

void policies_tell_refused(struct policies *ps)
{
	size_t n = policy_refused(ps->now->p);
	const char *first = NULL;

	for (size_t i = 0; i < policy_rules(ps->now->p); i++) {
		const struct policy_rule *r = policy_rule(ps->now->p, i);

		if (!r->refused)
			continue;
		first = first ? first : r->name;
		log_err("policy.refused: rule \"%s\" of policy %.12s: this version's linter refuses it: nothing is recorded by it", r->name,
			policy_hash(ps->now->p));
	}
	if (n)
		policies_raise(ps, "policy %.12s was accepted by an earlier version; of its rules this one refuses %zu, by which nothing is recorded, "
			       "the first \"%.64s\": %s", policy_hash(ps->now->p), n, first, *ps->file_error ? ps->file_error : "see the log");
}

static bool swap(struct policies *ps, struct job *j)
{
	struct entry *e = calloc(1, sizeof(*e));

	if (!e || policy_bind(j->p, ps->members)) {
		free(e);
		j->err = -ENOMEM;
		snprintf(j->why, sizeof(j->why), "out of memory");
		return false;
	}
	snprintf(j->was, sizeof(j->was), "%s", policy_hash(ps->now->p));
	e->p = j->p;
	e->notices = j->notices;
	e->text = j->text;
	e->len = j->len;
	e->uid = j->uid;
	e->loaded_ns = clock_now_ns();
	e->hold_ns = 0;
	j->p = NULL;
	j->notices = NULL;
	j->text = NULL;
	free(ps->now->text); /* it is in the store */
	ps->now->text = NULL;
	ps->now->pinned = 1; /* not known yet */
	ps->now->next = ps->older;
	ps->older = ps->now;
	ps->now = e;
	ps->set.use(ps->set.arg, e->p);
	j->effective_ns = clock_now_ns();
	ps->fig.loads++;
	ps->fig.last_swap_ns = j->effective_ns - j->asked_ns;
	return true;
}

/* True: j is kept for later. */
static bool loaded(struct policies *ps, struct job *j)
{
	bool ok = !j->err;

	ps->loading = false;
	if (ok && !j->same)
		ok = swap(ps, j);
	if (ok)
		ps->alarm[0] = 0;
	if (j->noted)
		policies_noted(ps, j);
	if (!ok) {
		refuse(ps, j);
	} else if (j->same) {
		log_notice("policy.load: policy %.12s is in force already", policy_hash(ps->now->p));
		policies_tell(ps, j->client, 0, NULL, apply_answer(j, policy_hash(ps->now->p), NULL));
	} else {
		policies_log_diags(&j->diags); /* warnings */
		log_swap(ps, j);
		policies_tell_refused(ps);
		policies_sweep(ps);
	}
	if (ps->set.reloaded)
		ps->set.reloaded(ps->set.arg, j->err);
	policies_next(ps);
	if (!ok || j->same)
		return false;
	j->next = ps->swept;
	ps->swept = j;
	return true;
}

static void drifted(struct policies *ps, struct job *j)
{
	json_t *o = policies_status(ps);

	if (j->p) {
		json_object_set_new(o, "drift", json_boolean(strcmp(policy_hash(j->p), policy_hash(ps->now->p)) != 0));
		json_object_set_new(o, "disk_hash", json_string(policy_hash(j->p)));
	} else {
		json_object_set_new(o, "drift", json_true());
		json_object_set_new(o, "disk_error", json_string(j->why));
	}
	policies_tell(ps, j->client, 0, NULL, o);
}

static bool done(struct policies *ps, struct job *j)
{
	ps->out--;
	switch (j->kind) {
	case JOB_LOAD:
		if (j->note.how == POLHIST_H_REVERT || j->note.how == POLHIST_H_EFFECTIVE)
			ps->timing = false;
		return loaded(ps, j);
	case JOB_PROPOSE:
	case JOB_STAGE:
	case JOB_NOTE:
	case JOB_PAGE:
	case JOB_TEXT:
		return policies_changed(ps, j);
	case JOB_DRIFT:
		drifted(ps, j);
		break;
	case JOB_SET:
		if (j->err)
			log_err("a change of a set is in force, but lost at the next start: %s", j->why);
		policies_tell(ps, j->client, j->err, j->why, j->err ? NULL : json_object());
		break;
	case JOB_RETAIN:
		policies_retained(ps, j);
		break;
	case JOB_RECORDS:
		ps->expired_ns -= j->err ? EXPIRE_NS - AGAIN_NS : 0; /* tried again soon */
		if (j->err)
			log_err("how long what is decided now is kept cannot be written: %s", j->why);
		break;
	case JOB_FREE:
		break;
	}
	return false;
}

/* What is decided by now's policy, and by those that calls are pinned to. */
static void say_records(struct policies *ps)
{
	struct job *j = ps->w.started && *ps->w.store ? calloc(1, sizeof(*j)) : NULL;

	if (!j)
		return; /* the next time */
	j->kind = JOB_RECORDS;
	j->uid = (uid_t)-1;
	j->months = policy_record_months(ps->now->p);
	for (const struct entry *e = ps->older; e; e = e->next) {
		unsigned months = policy_record_months(e->p);

		j->months = months > j->months ? months : j->months;
	}
	policies_push(ps, j);
}

/* ---- each time round ---- */

static void sweep_slice(struct policies *ps)
{
	bool restart = ps->sweep_restart, more;
	struct job *j, *next;

	ps->sweep_restart = false;
	more = ps->set.tighten(ps->set.arg, restart, &ps->sweep);
	if (more)
		return;
	ps->sweeping = false;
	ps->fig.tightened.seen += ps->sweep.seen;
	ps->fig.tightened.changed += ps->sweep.changed;
	ps->fig.tightened.denied += ps->sweep.denied;
	ps->fig.tightened.no_facts += ps->sweep.no_facts;
	if (ps->sweep.changed)
		log_notice("policy.tightened: %llu of %llu calls in progress, %llu purposes ended",
			   (unsigned long long)ps->sweep.changed, (unsigned long long)ps->sweep.seen,
			   (unsigned long long)ps->sweep.denied);
	for (j = ps->swept; j; j = next) {
		struct calls_tightened t = ps->sweep;

		next = j->next;
		if (j->note.what == POLHIST_STOP) {
			t.changed = ps->fig.tightened.changed - j->before.changed;
			t.denied = ps->fig.tightened.denied - j->before.denied;
		}
		policies_tell(ps, j->client, 0, NULL, apply_answer(j, policy_hash(ps->now->p), &t));
		job_free(j);
	}
	ps->swept = NULL;
}

static void drop(struct policies *ps, struct entry *e)
{
	struct entry **at = &ps->older;
	struct job *j = calloc(1, sizeof(*j));

	while (*at != e)
		at = &(*at)->next;
	*at = e->next;
	if (j) { /* a hundred thousand numbers take a while to free */
		j->kind = JOB_FREE;
		j->p = e->p;
		j->notices = e->notices;
		e->p = NULL;
		e->notices = NULL;
		policies_push(ps, j);
	}
	entry_free(e);
}

/* One old policy a look; counting goes over all calls. */
static void look(struct policies *ps, uint64_t now)
{
	struct entry *e = ps->look ? ps->look : ps->older;

	ps->looked_ns = now;
	if (!e)
		return;
	ps->look = e->next;
	e->pinned = ps->set.pinned(ps->set.arg, e->p);
	/* the worker may be comparing with it, and a sweep asks only the one in force */
	if (!e->pinned && now >= e->hold_ns && !ps->out)
		drop(ps, e);
}

void policies_run(struct policies *ps, uint64_t now)
{
	struct job *j, *next;

	for (j = ps->w.started ? work_take(&ps->w) : NULL; j; j = next) {
		next = j->next;
		j->next = NULL;
		if (!done(ps, j))
			job_free(j);
	}
	policies_time(ps, now);
	policies_retain(ps);
	if (ps->sweeping)
		sweep_slice(ps);
	if (now - ps->looked_ns >= LOOK_NS)
		look(ps, now);
	if (now - ps->expired_ns >= EXPIRE_NS) {
		ps->expired_ns = now;
		say_records(ps);
		policy_members_expire(ps->members, (int64_t)(now / NS_PER_S) - EXPIRED_S);
	}
}

/* ---- back from the store ---- */

static int load_kept(struct policies *ps, const char *hash, struct policy **ret)
{
	struct policy *p = NULL;
	int e = policies_kept(ps->store, hash, &p, NULL);

	if (!e)
		e = policy_bind(p, ps->members);
	if (e) {
		policy_free(p);
		return e == -EINVAL ? -EBADMSG : e;
	}
	*ret = p;
	return 0;
}

static bool is_hash(const char *s)
{
	return strlen(s) == 64 && strspn(s, "0123456789abcdef") == 64;
}

const struct policy *policies_resume(struct policies *ps, const char *hash, int *ret_err)
{
	struct entry *e = ps->now;

	*ret_err = -EINVAL;
	if (!is_hash(hash))
		return NULL;
	*ret_err = 0;
	if (strcmp(policy_hash(e->p), hash) == 0)
		return e->p;
	for (e = ps->older; e && strcmp(policy_hash(e->p), hash) != 0; e = e->next)
		;
	if (!e) {
		e = calloc(1, sizeof(*e));
		*ret_err = e ? load_kept(ps, hash, &e->p) : -ENOMEM;
		if (*ret_err) {
			free(e);
			return NULL;
		}
		(void)notices_resume(e->p, ps->store, &e->notices); /* else its calls recognise nothing any more */
		if (policy_refused(e->p)) { /* its calls are taken over, and nothing more of them is recorded by these */
			log_err("policy.refused: %zu rules of policy %.12s, which calls in progress are recorded by: this version's linter refuses them",
				policy_refused(e->p), hash);
			policies_sweep(ps);
		}
		e->uid = (uid_t)-1;
		e->next = ps->older;
		ps->older = e;
	}
	e->pinned = 1;
	e->hold_ns = clock_now_ns() + RESUME_HOLD_NS;
	return e->p;
}

const struct fp_set *policies_sounds(const struct policies *ps, const struct policy *p, const struct policy_rule *r)
{
	const struct entry *e = ps->now;

	if (e->p != p)
		for (e = ps->older; e && e->p != p; e = e->next)
			;
	return e ? notices_set(e->notices, r) : NULL;
}

void policies_figures(const struct policies *ps, struct policies_figures *ret)
{
	const struct entry *e;

	*ret = ps->fig;
	ret->loaded_ns = ps->now->loaded_ns;
	for (e = ps->older; e; e = e->next)
		ret->older += e->pinned > 0;
	ret->stopped = ps->hist->nstop;
	ret->sets = policy_members_sets(ps->members);
	ret->members = policy_members_count(ps->members, NULL, (int64_t)(clock_now_ns() / NS_PER_S));
}
