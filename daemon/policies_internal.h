/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * policies_internal.h - shared by policies.c (the caller's thread), policies_ctl.c
 * (requests) and policies_work.c (the thread that reads, checks and writes files)
 *
 * A job belongs to the worker from work_push until work_take gives it back. The
 * worker sees no entry, no member and no callback; a policy that a job names is
 * not freed while any job is out.
 */
#ifndef POLICIES_INTERNAL_H
#define POLICIES_INTERNAL_H

#include <pthread.h>

#include "notices.h"
#include "policies.h"
#include "policies_kept.h"
#include "policy/diff.h"
#include "policy/members.h"
#include "setfile.h"

enum job_kind {
	JOB_LOAD,  /* the configured path: into p, text, change[] */
	JOB_DRIFT, /* the same, and only its hash is wanted */
	JOB_SET,   /* line: to the sets' file */
	JOB_FREE,  /* p and text go */
};

struct job {
	struct job *next;
	enum job_kind kind;
	uint64_t client;      /* who waits for an answer; 0 nobody */
	uid_t uid;	      /* who asked; (uid_t)-1: a signal */
	char hash[65];	      /* what the path must hold; "" anything */
	uint64_t asked_ns;
	const struct policy *against; /* in force when the job began */
	char *line;
	/* from the worker */
	int err;
	char why[384];
	struct policy *p;
	struct notices *notices;
	char *text;
	size_t len;
	size_t change[POLICY_CHANGES];
	struct policy_diags diags;
	/* after the swap */
	char was[65];
	uint64_t effective_ns;
	bool same; /* it is in force already */
};

struct entry {
	struct entry *next;
	struct policy *p;
	struct notices *notices; /* NULL: none is listened for */
	char *text; /* canonical; of the one in force */
	size_t len;
	uint64_t loaded_ns, hold_ns; /* not freed before hold_ns */
	uid_t uid;
	size_t pinned; /* when last looked */
};

struct worker {
	pthread_t thread;
	pthread_mutex_t lock; /* guards todo, done, stop */
	pthread_cond_t cond;
	struct job *todo, *done;
	bool stop, started;
	int fd; /* eventfd: something is in done */
	char path[4096], store[4096];
	struct setfile *sets; /* the worker's alone once started */
};

struct policies {
	struct policies_settings set;
	char *path, *store;
	struct worker w;
	size_t out;	      /* jobs with the worker */
	struct job *waiting;  /* loads: one at a time, in order */
	bool loading;
	struct entry *now, *older;
	struct policy_members *members;
	/* going over the calls */
	bool sweeping, sweep_restart;
	struct calls_tightened sweep;
	struct job *swept; /* answered when it is done */
	uint64_t looked_ns, expired_ns;
	struct entry *look; /* whose calls are counted next */
	struct policies_figures fig;
	char last_error[384];
	uint64_t last_error_ns;
};

/* policies_work.c */
int work_start(struct worker *w, const char *path, const char *store, struct setfile *sets);
void work_stop(struct worker *w); /* what is queued is done first */
void work_push(struct worker *w, struct job *j);
struct job *work_take(struct worker *w); /* all that is done, oldest first */
void job_free(struct job *j);
void policies_log_diags(const struct policy_diags *d);

/* policies.c */
void policies_queue_load(struct policies *ps, struct job *j);
void policies_push(struct policies *ps, struct job *j);
void policies_sweep(struct policies *ps);
void policies_tell(struct policies *ps, uint64_t client, int err, const char *text, json_t *fields);

/* policies_ctl.c */
json_t *policies_status(const struct policies *ps);

#endif
