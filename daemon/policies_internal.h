/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * policies_internal.h - shared by policies.c (the caller's thread), policies_ctl.c, policies_change.c and
 * policies_wish.c (requests), policies_start.c (what starts), policies_work.c and policies_allow.c (the thread that reads,
 * checks and writes files)
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
#include "policy/approval.h"
#include "policy/members.h"
#include "polhist.h"
#include "setfile.h"

enum job_kind {
	JOB_LOAD,  /* the configured path: into p, text, change[] */
	JOB_DRIFT, /* the same, and only its hash is wanted */
	JOB_SET,   /* line: to the sets' file */
	JOB_NOTE,  /* note: to the history; after an approval was written, when there is one */
	JOB_PROPOSE, /* as JOB_LOAD, but only noted */
	JOB_STAGE, /* the same, allowed as if it were put in force now */
	JOB_PAGE,  /* of the history, into answer */
	JOB_TEXT,  /* of a kept policy, into text */
	JOB_RETAIN, /* how long `against` keeps calls: to the store's journal, where that is new */
	JOB_RECORDS, /* months: what is decided today is kept so long */
	JOB_FREE,  /* p and text go */
};

/* Stored calls of which a policy with shorter retentions shortens the time. */
struct policies_stored {
	uint64_t calls, due; /* due: at once */
	bool more; /* counting took too long: at least so many */
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
	char kept[65];	    /* not the path: the policy of this hash in the store */
	uint64_t from_n;    /* rollback: of this line of the history; page: lines before; text: the offset */
	unsigned months;    /* JOB_RECORDS */
	bool pending;	    /* a change waits to be confirmed */
	char staged[65];    /* what comes later */
	struct polhist_line note; /* how, uid, reason, ticket, until as asked for; whole when it was written */
	bool now;	    /* even if it shortens the time of stored calls */
	struct policies_stored stored;
	uint64_t span_ns;   /* note.until_ns so long after it is written */
	bool has_approval, noted; /* noted: note is in the history, with note_hash */
	struct approval approval;
	uint8_t note_hash[32];
	json_t *answer;
	struct calls_tightened before; /* a stop: all that was tightened by then, since it does not wait for this job */
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
	struct polhist *hist; /* likewise; NULL without a store */
	const struct policies_approval *approval; /* read only */
};

/* A change of a dynamic set that was proposed. */
struct set_wish {
	char id[65]; /* "": none, or made */
	char set[POLHIST_RULE], number[POLICY_NUMBER_MAX];
	bool del;
	int64_t until; /* of the membership */
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
	struct polhist_state *hist; /* as far as lines are durable; stops also before that */
	bool timing; /* a change by time is on its way */
	uint64_t time_again_ns; /* it failed: not before then (clock_steady_ns) */
	char retained[65];	/* the policy whose retentions the store's journal has */
	bool retaining;		/* it is being written */
	uint64_t retain_again_ns; /* that failed: not before then (clock_steady_ns) */
	char file_error[384]; /* the files at start; "" they loaded */
	char alarm[384];
	uint64_t set_said_ns, set_unsaid; /* changes of sets: when the log last had one, those since */
	struct set_wish wish[POLHIST_PROPOSALS]; /* the latest, in turn */
	size_t nwish;
	uint64_t refused_said_ns, refused_unsaid; /* the same of approvals that were refused */
};

/* policies_work.c */
int work_start(struct worker *w, const char *path, const char *store);
void work_stop(struct worker *w); /* what is queued is done first */
void work_push(struct worker *w, struct job *j);
struct job *work_take(struct worker *w); /* all that is done, oldest first */
void job_free(struct job *j);
void policies_log_diags(const struct policy_diags *d);
void policies_first_error(const struct policy_diags *d, char *out, size_t n); /* out stays when there is none */
/* What a load does: j->p, text, counts, kept, noted; j->err and why. */
void work_load(struct worker *w, struct job *j);
/* Of it, what comes after reading: j->p is not what is in force. */
int work_take_policy(struct worker *w, struct job *j);
/* Writes j->note, sets noted. Without a history: 0. */
int work_note(struct worker *w, struct job *j);

/* policies_stored.c: the worker; reads the catalogs, for some seconds at most */
int policies_stored(const char *store, const struct policy *old, const struct policy *now, struct policies_stored *ret);

/* policies_retain.c: j->against's retentions into STORE/retention; the worker. Then the caller's thread, and when to begin. */
void work_retain(const struct worker *w, struct job *j);
void policies_retained(struct policies *ps, const struct job *j);
void policies_retain(struct policies *ps);

/* policies_allow.c: any thread */
#define POLICIES_STORED_ALONE 100 /* stored calls whose time one person may shorten where approval is required */
/* Whether the change d of j may be made. 0, with the approver in j->note; -EACCES with the reason in j->why. */
int policies_allow(const struct policies_approval *a, const char *store, const struct policy_diff *d, struct job *j);
/* A start of a rule that was stopped, by this identifier. */
int policies_allow_id(const struct policies_approval *a, const char *store, const char *id, const char *base, char approver[APPROVAL_NAME],
		      char *why, size_t n);
/* NULL, or what is wrong with an approval: static text. */
const char *policies_approval_wrong(const struct policies_approval *a, const struct approval *x, const char *policy, const char *base,
				    uint64_t now_ns);

/* policies.c */
void policies_queue_load(struct policies *ps, struct job *j);
void policies_push(struct policies *ps, struct job *j);
void policies_sweep(struct policies *ps);
void policies_next(struct policies *ps); /* the next load that waits */
void policies_tell(struct policies *ps, uint64_t client, int err, const char *text, json_t *fields);
/* What is in force ran before, and has rules that this version refuses: nothing is recorded by them, and somebody has to look. */
void policies_tell_refused(struct policies *ps);
void policies_raise(struct policies *ps, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* policies_start.c: what starts; before the worker */
int policies_first(struct policies *ps, char *why, size_t n);

/* policies_change.c */
void policies_noted(struct policies *ps, struct job *j); /* a line is in the history: what follows */
bool policies_changed(struct policies *ps, struct job *j); /* a job of a request; true: j is kept for the sweep's end */
void policies_time(struct policies *ps, uint64_t now);	 /* what was not confirmed, what was staged */
int policies_change_ctl(struct policies *ps, const struct ctl_peer *peer, const json_t *rq, json_t *answer, char *why, size_t n);
json_t *policies_line_json(const struct polhist_line *l);
bool policies_is_approver(const struct policies *ps, uid_t uid);
struct job *policies_note_job(struct policies *ps, const struct ctl_peer *peer, enum polhist_what what); /* a line about the policy in force */
int policies_propose(struct policies *ps, struct job *j, const char *id); /* takes j, a POLHIST_PROPOSE to be: CTL_LATER */

/* policies_wish.c */
/*
 * Whether a change of a dynamic set that loosens may be made. 0, with its end as it was approved; CTL_LATER it is proposed;
 * -EPERM, -EACCES, -EINVAL with why.
 */
int policies_set_may(struct policies *ps, const struct ctl_peer *peer, const json_t *rq, const char *set, bool del, struct policy_member *x,
		     char *why, size_t n);
const struct set_wish *policies_wish(const struct policies *ps, const char *id); /* NULL: no such, or made */
/* What the proposal l would do, for who may see numbers. */
void policies_wish_json(const struct policies *ps, const struct ctl_peer *peer, const struct polhist_line *l, json_t *o);

/* policies_ctl.c */
json_t *policies_status(const struct policies *ps);
void policies_change_status(const struct policies *ps, json_t *o); /* what waits, who stopped what, the alarm */
json_t *policies_text_json(const struct job *j, char *why, size_t n); /* a piece of j->text; NULL: why */
struct job *policies_job(enum job_kind k, const struct ctl_peer *peer);
/* Members of a request beside do and id: only these. */
bool policies_knows(const json_t *rq, const char *const *names, char *why, size_t n);
int policies_no_memory(char *why, size_t n);
json_t *policies_when(uint64_t ns); /* 0: null */
/* reason (wanted) and ticket of a request into the note. */
int policies_words(const json_t *rq, struct polhist_line *note, char *why, size_t n);

#endif
