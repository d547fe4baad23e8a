/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * life.h - the life of one call, out of the evidence log: what happened, and what follows from it
 *under a rule
 *
 *	life_event(&l, &e)		each event of the call, in the log's order
 *	life_run(&l, &how, &result)	the law of guidance 5 over them: state and reason of both
 *purposes
 *
 * With the call's own rule the result is what its row says (INV-6: replaying the log reproduces the
 *state of every call), which `optag why` and `optag policy simulate` check; with another rule it is
 *what would have become of the call had everybody done the same. The same table as in the daemon
 *decides (call/purpose.h).
 *
 * A life is small (LIFE_STEPS bytes and some), for millions of them. It has no number, no digit and
 *no name. Pure functions, any thread.
 */
#ifndef LIFE_H
#define LIFE_H

#include <stdbool.h>
#include <stdint.h>

#include "call/purpose.h"
#include "call/sample.h"
#include "policy/policy.h"
#include "store/evlog.h"

#define LIFE_STEPS 24 /* a call has a handful; what is past that makes it `overflow` */

/* Why nothing is kept of a purpose that was allowed: decided when the recording ended. */
enum life_end {
	LIFE_KEPT, /* or nothing said */
	LIFE_NOT_ANSWERED,
	LIFE_TOO_SHORT,
	LIFE_GAP,
	LIFE_TIGHTENED,
	LIFE_LATE, /* consent from an instant on, while another purpose recorded before it */
	LIFE_DISK,
	LIFE_DEADLINE,
	LIFE_CRASH,
	LIFE_DUPLICATE, /* another call of the conversation has it */
	LIFE_NO_MEDIA,	/* allowed, and nothing was said any more */
	LIFE_OTHER,
	LIFE_ENDS,
};
const char *life_end_name(enum life_end e); /* "not-answered" ...; "" LIFE_KEPT */

struct life {
	uint8_t step[LIFE_STEPS]; /* what happened, see life.c */
	uint8_t n;
	uint8_t end[POLICY_PURPOSES]; /* enum life_end */
	uint8_t outcome; /* enum evlog_kind: EVLOG_CALL_KEPT, _DENIED, _GAP; 0 none yet */
	uint8_t why;	 /* enum sample_why of its draw; 0 it was not drawn */
	bool matched, overflow;
	bool undrawn; /* training was refused as not sampled, without a draw: the sampler was not to
			 be had */
	bool settled; /* the outcome was said by a process after the one that recorded */
};

/* The row was written by who came after a failure of the recorder or its disk: its end says so.
 * What the log said before need not be so then. */
bool life_end_failed(const char *row_end);

/* An event of the call. What it adds to nothing is ignored. */
void life_event(struct life *l, const struct evlog_event *e);

/* Steps that somebody took about the purpose. */
bool life_had_notice(const struct life *l);
bool life_had_consent(const struct life *l, enum policy_purpose p);
bool life_refused_consent(const struct life *l,
			  enum policy_purpose p); /* was asked and did not say yes */

struct life_how {
	const struct policy_rule *rule;
	const char *out; /* training: why it is not of the sample, static text; NULL it is, or all
			    are */
	bool review_missed[POLICY_PURPOSES]; /* by the rule and its assessments, on the day of the call, and that ends it */
	enum life_end end[POLICY_PURPOSES];
};
/* As it was: draw, review and end of the log. */
void life_as_logged(const struct life *l, const struct policy_rule *rule, struct life_how *ret);

struct life_result {
	enum purpose_state state[POLICY_PURPOSES];
	const char *reason[POLICY_PURPOSES]; /* static, "" none */
};
void life_run(const struct life *l, const struct life_how *how, struct life_result *ret);

/*
 * Whether a row says the same. Reasons count where a purpose is not live; words that the log cannot
 * tell apart count as one.
 */
bool life_same(enum purpose_state a, const char *reason_a, enum purpose_state b,
	       const char *reason_b);

#endif
