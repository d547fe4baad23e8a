/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * criteria.h - why a call came to its rule and to no other, afterwards, from the little that is kept of it
 *
 * policy_eval decides with everything in hand. Later only this is left: which rule took the call, when it came, its numbers as keyed
 * hashes, its agent. Each criterion of each rule is asked by that: it was met, it was not, or nobody can say. What is said follows
 *	from the rule that took the call: all its criteria were met, so others that follow from them were, and that they exclude were not;
 *	from the call's time, agent and numbers, these compared one by one with those that the policy lists: prefixes are not tried out;
 *	from the order: a rule before it of which all but one is known to have been met lacked that one.
 * It holds no number, and its words have none: what a rule lists is told by its line and the names of sets. Read-only, any thread.
 */
#ifndef CRITERIA_H
#define CRITERIA_H

#include "policy/policy.h"

/* What is known of the call. */
enum policy_number { POLICY_NUMBER_UNKNOWN, POLICY_NUMBER_NONE /* withheld, or none given */, POLICY_NUMBER_HASHED };
struct policy_known {
	const struct policy_rule *took; /* of the policy */
	bool has_time;
	int64_t time; /* of the INVITE, seconds since 1970 UTC */
	enum policy_number number[2]; /* called, calling */
	/* POLICY_NUMBER_HASHED: whether it is this one ("+4570102030"). */
	bool (*is)(void *arg, int side, const char *number);
	void *arg;
	const char *agent; /* NULL not known */
};

enum policy_criterion_of {
	POLICY_C_SIDE, POLICY_C_LAB, POLICY_C_DIRECTION, POLICY_C_CALLED, POLICY_C_CALLING, POLICY_C_TRUNK, POLICY_C_HEADER, POLICY_C_QUEUE,
	POLICY_C_AGENT, POLICY_C_DOMAIN, POLICY_C_TIME, POLICY_C_MEDIA, POLICY_C_TAG,
};
enum policy_met { POLICY_NOT_KNOWN, POLICY_MET, POLICY_UNMET };
enum policy_how {
	POLICY_HOW_NOT,
	POLICY_HOW_TOOK,    /* the rule took the call */
	POLICY_HOW_FOLLOWS, /* the criteria of the rule that took it say so */
	POLICY_HOW_TIME,
	POLICY_HOW_NUMBER,
	POLICY_HOW_AGENT,
	POLICY_HOW_ELSE, /* met, and the rule would have taken the call */
};

struct policy_criterion {
	enum policy_criterion_of of;
	enum policy_met met;
	enum policy_how how;
	enum policy_criterion_of since; /* POLICY_HOW_FOLLOWS: of which criterion of the rule that took the call */
	int line;
	char *words;	   /* "queue is"; with value NULL all of it */
	const char *value; /* "sales": what a header is compared with, as the policy has it. NULL */
};

enum policy_asked_end {
	POLICY_A_TOOK,	  /* the call; where a criterion is UNMET the call's numbers are not those that it takes */
	POLICY_A_UNMET,	  /* a criterion is UNMET */
	POLICY_A_OPEN,	  /* one that is NOT_KNOWN was not met; none is: nothing that is kept tells */
	POLICY_A_LIST,	  /* a no-record list, which does not stop what a statute demands: met or not, as its criteria say */
	POLICY_A_SKIPPED, /* as OPEN, or such a list had a number: then only what a statute demands is asked */
	POLICY_A_AFTER,	  /* a rule before it took the call; its criteria are told all the same */
};

struct policy_asked { /* a rule, in the order in which they are asked */
	bool never;
	const char *name;
	int line;
	const struct policy_rule *rule; /* NULL: a never */
	enum policy_asked_end end;
	struct policy_criterion *c; /* in the order in which they are asked */
	size_t n;
};

struct policy_answers {
	struct policy_asked *v;
	size_t n;
};

const char *policy_criterion_name(enum policy_criterion_of of); /* as settings are called: "queue", "sip-domain" ... */
const char *policy_how_name(enum policy_how how); /* "took", "follows" ...; "" not known */
const char *policy_asked_name(enum policy_asked_end end); /* "took", "unmet" ... */
/* The criterion of `took` that c follows from; NULL c does not follow. */
const struct policy_criterion *policy_since(const struct policy_criterion *c, const struct policy_asked *took);
/* The first that was not met; NULL none is known. */
const struct policy_criterion *policy_unmet(const struct policy_asked *a);

/* -ENOENT the rule is not of the policy, -ENOMEM. */
int policy_answers(const struct policy *p, const struct policy_known *k, struct policy_answers *ret);
void policy_answers_free(struct policy_answers *a); /* zeroed: nothing */

#endif
