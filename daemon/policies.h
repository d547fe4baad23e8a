/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * policies.h - the policies of a running daemon: the one in force, older ones
 * that calls are still pinned to, and the members of dynamic sets
 *
 *	policies_new(&settings, &ps)	reads the first policy; says on stderr what is wrong
 *	policies_start(ps)		the store's directory is there, privileges are gone:
 *					reads the sets, keeps the policy's text, starts the thread
 *	policies_resume(ps, hash)	calls taken over from the daemon before
 *	loop: policies_fd readable, and each millisecond or so: policies_run(ps, now)
 *	SIGHUP: policies_reload		control socket: POLICIES_CTL, policies_ctl
 *	policies_free			after the calls are gone
 *
 * Files are read, checked, compiled, compared and kept by a thread of this
 * module, so that capture never waits for a disk; what it made is put in force
 * by policies_run, which is the caller's thread, between two packets. A policy
 * that does not load changes nothing.
 *
 * What is put in force is written to STORE/policies/HASH.policy first (FORMAT.md
 * 9): the evidence of what a call was decided by, and what policies_resume reads.
 * Beside it lies the history (polhist.h): what was done by whom, and why.
 *
 * What starts. The files, when they hold what ran last or a change that may be made without anybody's yes.
 * Else what ran last: when the files do not load, hold what was reverted or rolled back from, or loosen
 * without approval. When that is not to be had either, nothing: no call matches. The alarm says so.
 *
 * Approval (policy/approval.h). Where the settings ask for it, what loosens is refused until a second
 * person signed it, whichever way it comes: apply, SIGHUP, start, rollback, the start of a stopped rule. A
 * change back because nobody confirmed needs none. Without approval asked for, changes of amounts still
 * need a reason (N-51), so SIGHUP and start do not take them.
 * Members of dynamic sets are in STORE/sets; see policy.h, policy_members.
 *
 * Calls in progress (policy-language 5.2): after each change, of policy or set,
 * the callback `tighten` goes over them in slices; it only ever takes away.
 *
 * All functions and all callbacks: the caller's thread. Log lines name a hash, a
 * uid, counts and places in files, never a number or a line of a file.
 */
#ifndef POLICIES_H
#define POLICIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <jansson.h>

#include "call/call_policy.h"
#include "ctl.h"
#include "policy/approval.h"
#include "policy/policy.h"

struct policies;

#define POLICIES_APPROVERS 16

struct policies_approval {
	bool loosening; /* what loosens needs a second person */
	size_t n;
	struct policies_approver {
		char name[APPROVAL_NAME];
		uint8_t key[APPROVAL_PUBLIC];
		int64_t uid; /* the person's on this machine, who then cannot approve what that uid proposed; -1 none */
	} approver[POLICIES_APPROVERS];
};

struct polhist_line;

struct policies_settings {
	const char *path;  /* policy file or directory, as in optagd.conf */
	const char *store; /* directory of the store; NULL: nothing is kept (tests) */
	void *arg;	   /* of the callbacks */
	/* New calls are decided by p from now on. Called once by policies_start, then at each swap. */
	void (*use)(void *arg, const struct policy *p);
	/* One slice of calls_tighten_step; false when all calls were seen. restart: from the first. */
	bool (*tighten)(void *arg, bool restart, struct calls_tightened *sum);
	/* Calls in progress that are pinned to p. */
	size_t (*pinned)(void *arg, const struct policy *p);
	/* SIGHUP or apply is over (systemd is told); err 0: taken, or the same as before. May be NULL. */
	void (*reloaded)(void *arg, int err);
	struct ctl *const *ctl; /* where answers go; looked at when one is given */
	struct policies_approval approval;
	/* A line of the history is durable; hash: for the evidence log. May be NULL. */
	void (*done)(void *arg, const struct polhist_line *l, const uint8_t hash[32]);
};

/* Files that do not load are logged; what starts then is told by policies_start. -ENOMEM. */
int policies_new(const struct policies_settings *s, struct policies **ret);
int policies_start(struct policies *ps, char *why, size_t n);
void policies_free(struct policies *ps); /* NULL-tolerant */

int policies_fd(const struct policies *ps); /* -1 before policies_start */
/* Swaps what is ready, does one slice of tightening, frees what nobody uses. */
void policies_run(struct policies *ps, uint64_t now_ns);
/* Reads the files again, in the background. */
void policies_reload(struct policies *ps);

/* Somebody stopped this rule (rule-stop). */
bool policies_stopped(const struct policies *ps, const struct policy_rule *r);
/* "" or one line: the files are not what runs, and why. */
const char *policies_alarm(const struct policies *ps);

const struct policy *policies_current(const struct policies *ps);
/*
 * The policy with this hash: in force, still pinned, or read back from the store
 * (then with every character verified by the hash). It stays for a minute, and
 * as long as calls are pinned to it. NULL: -errno in *ret_err. Blocks on the disk.
 */
const struct policy *policies_resume(struct policies *ps, const char *hash, int *ret_err);

/* What is listened for in calls of this rule of p, as long as calls are pinned to p; NULL nothing. See notices.h. */
struct fp_set;
const struct fp_set *policies_sounds(const struct policies *ps, const struct policy *p, const struct policy_rule *r);

struct policies_figures {
	uint64_t loaded_ns;	/* the one in force */
	uint64_t loads, refused; /* refused: changed nothing */
	uint64_t last_swap_ns;	/* from request to new calls using it */
	struct calls_tightened tightened; /* since the start */
	size_t older;		/* policies only kept because calls are pinned to them */
	size_t stopped;		/* rules */
	size_t sets, members;	/* dynamic, expired ones not counted */
};
void policies_figures(const struct policies *ps, struct policies_figures *ret);

/*
 * Requests of the control socket: rows for the handlers of ctl_new. `fn` is a
 * handler that finds its struct policies in arg and calls policies_ctl.
 *
 *	{"do":"policy"}				what is in force, since when, by whom
 *	{"do":"policy","drift":true}		and whether the files say the same
 *	{"do":"policy-text","offset":N,"policy":H}	canonical text in pieces, of the one in force, or of a proposed one
 *						(root, the daemon's user and approvers)
 *	{"do":"policy-apply","hash":H,"reason":T,"ticket":T,"confirm_s":N,"effective_s":N}
 *						reads the configured path; -ESTALE when that is not H. ticket,
 *						confirm_s, effective_s (after now) optional. What shortens the
 *						time of stored calls is refused with -EBUSY and how many, unless
 *						effective_s says when (0: now)
 *	{"do":"policy-confirm"}			what was applied with confirm_s stays
 *	{"do":"policy-cancel"}			what was applied with effective_s does not come
 *	{"do":"policy-rollback","n":N,"reason":T,"ticket":T}	what line N of the history put in force
 *	{"do":"policy-history","before":N}	lines, newest first, 100 at most; "next" for more
 *	{"do":"policy-propose","hash":H,"reason":T,"ticket":T,"valid_s":N}	asks for approval of what the path holds
 *	{"do":"policy-proposal","policy":H}	what an approver signs; the first digits suffice
 *	{"do":"policy-approve","approval":TEXT}	a signed approval (policy/approval.h)
 *	{"do":"rule-stop","rule":R,"reason":T}	(reason optional) nothing of the rule is recorded from now on
 *	{"do":"rule-start","rule":R,"reason":T}	for new calls; loosens
 *	{"do":"set-add","set":S,"number":N,"until":NS,"note":T,"reason":T,"ticket":T}	until, note optional
 *	{"do":"set-del","set":S,"number":N,"reason":T,"ticket":T}	reason, ticket: of what takes approval
 *	{"do":"set-list","set":S,"after":KEY}	both optional; numbers for root and the daemon's user
 *
 * Apply, confirm, cancel and rollback are for root and the daemon's user. The group of the control socket may
 * look, propose and deliver approvals, change a set only where that tightens, and stop a rule; start it, or
 * change the set, when that was approved.
 */
#define POLICIES_CTL(fn)                                                                                       \
	{ "policy", 0, fn }, { "policy-text", 0, fn }, { "policy-apply", CTL_OWNER, fn }, { "policy-confirm", CTL_OWNER, fn }, \
		{ "policy-cancel", CTL_OWNER, fn }, { "policy-rollback", CTL_OWNER, fn }, { "policy-history", 0, fn },         \
		{ "policy-propose", 0, fn }, { "policy-proposal", 0, fn }, { "policy-approve", 0, fn },        \
		{ "rule-stop", 0, fn }, { "rule-start", 0, fn }, { "set-add", 0, fn }, { "set-del", 0, fn },   \
		{ "set-list", 0, fn }
int policies_ctl(struct policies *ps, const struct ctl_peer *peer, const json_t *request, json_t *answer, char *why,
		 size_t n);

#endif
