/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * polhist.h - STORE/policies/history: what was done to the running policy, by whom, why; and what is in force
 *
 * Lines of JSON, appended and made durable before what they say takes effect (a stop apart: it takes effect
 * first). The file is the memory of a daemon that starts: which policy ran last, which change waits to be
 * confirmed, which rules are stopped, what was proposed. The hash of each line goes into the evidence log, so that
 * nobody rewrites it unnoticed (FORMAT.md 9).
 *
 *	polhist_open(store, &h, &state)		reads all; a torn last line is cut, it was never confirmed
 *	polhist_append(h, &line, hash)		durable when it returns 0; sets line->n
 *	polhist_apply(&state, &line)		what the line does to the state; polhist_open does it for each
 *	polhist_page(store, before, ...)	for who wants to look, newest first
 *
 * Texts are what people wrote (reason, ticket): no log has them. Errors 0 or -errno; never prints. struct polhist
 * belongs to one thread (policies_work.c), a state to another.
 */
#ifndef POLHIST_H
#define POLHIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/approval.h"
#include "policy/diff.h"

#define POLHIST_LINE_MAX  2048
#define POLHIST_REASON	  201 /* with the zero */
#define POLHIST_TICKET	  65
#define POLHIST_RULE	  65
#define POLHIST_STOPS	  64 /* rules stopped at once */
#define POLHIST_PROPOSALS 32 /* the latest are remembered */

enum polhist_what {
	POLHIST_LOAD,	 /* `policy` is in force from now on */
	POLHIST_CONFIRM, /* what waited to be confirmed is */
	POLHIST_PROPOSE, /* `policy`, or with `rule` the start of it, with `set` a change of it */
	POLHIST_APPROVE, /* of a proposal, by `approver` */
	POLHIST_STOP,	 /* `rule` records nothing until started */
	POLHIST_START,
	POLHIST_STAGE, /* `policy` comes in force at until */
	POLHIST_CANCEL, /* no more */
	POLHIST_WHATS,
};
const char *polhist_what_name(enum polhist_what w);

/* How a policy came in force. */
enum polhist_how {
	POLHIST_H_NONE,
	POLHIST_H_BEGIN, /* a daemon started */
	POLHIST_H_SIGNAL,
	POLHIST_H_APPLY,
	POLHIST_H_ROLLBACK,
	POLHIST_H_REVERT, /* nobody confirmed */
	POLHIST_H_EFFECTIVE, /* staged before */
	POLHIST_HOWS,
};
const char *polhist_how_name(enum polhist_how h);

struct polhist_line {
	uint64_t n; /* from 1, without gaps */
	uint64_t at_ns;
	enum polhist_what what;
	enum polhist_how how;
	char policy[65], was[65]; /* hashes; "" none. PROPOSE: was is the base */
	char files[65]; /* LOAD: what the daemon's files held when it was not this; "" */
	int64_t uid;	/* who asked; -1 nobody, a signal */
	uint64_t until_ns; /* LOAD: to be confirmed until, else `was` comes back; PROPOSE: approvals end; STAGE; 0 */
	unsigned change[POLICY_CHANGES];
	char approver[APPROVAL_NAME];
	char reason[POLHIST_REASON], ticket[POLHIST_TICKET], rule[POLHIST_RULE];
	char set[POLHIST_RULE]; /* PROPOSE, APPROVE: of a change of this dynamic set */
};

/* One line without LF. Any bytes; accepts what polhist_format writes. -EBADMSG. */
int polhist_parse(const char *p, size_t n, struct polhist_line *ret);
/* With LF; the length, 0 when it is not whole (or no memory). */
size_t polhist_format(const struct polhist_line *l, char out[POLHIST_LINE_MAX]);
/* A text of a person: 1 to size - 1 bytes, one line of UTF-8 without control characters. */
bool polhist_text_ok(const char *s, size_t size);

struct polhist_state {
	uint64_t n;
	struct polhist_line now; /* the last LOAD; n 0: none */
	bool confirmed;		 /* nothing waits */
	struct polhist_line stage; /* n 0: none */
	struct polhist_line stop[POLHIST_STOPS];
	size_t nstop;
	struct polhist_line proposal[POLHIST_PROPOSALS]; /* oldest first */
	size_t nproposal;
};
/* -ENOSPC: POLHIST_STOPS; the state is as before. */
int polhist_apply(struct polhist_state *s, const struct polhist_line *l);
const struct polhist_line *polhist_stop(const struct polhist_state *s, const char *rule); /* NULL: it runs */
/* The latest proposal of this policy or start; NULL. */
const struct polhist_line *polhist_proposal(const struct polhist_state *s, const char *policy);

struct polhist;
/* Makes directory and file when they are not there. -EBADMSG: line n is none (why). */
int polhist_open(const char *store, struct polhist **ret, struct polhist_state *state, char *why, size_t n);
int polhist_append(struct polhist *h, struct polhist_line *l, uint8_t ret_hash[32]);
void polhist_close(struct polhist *h); /* NULL-tolerant */
/* The lines with a number below `before` (0: all), newest first, at most max. -ENOENT no file. */
int polhist_page(const char *store, uint64_t before, size_t max, int (*cb)(void *arg, const struct polhist_line *l), void *arg);

#endif
