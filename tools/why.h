/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * why.h - what the files of `optag why` share: all that store and evidence log say about one call
 *
 * why.c gathers and compares, why_words.c has the words (one language each table), why_text.c and
 * why_json.c print. One thread.
 */
#ifndef WHY_H
#define WHY_H

#include "call/sample.h"
#include "cli.h"
#include "life.h"
#include "policy/criteria.h"
#include "policy/describe.h"
#include "policy/policy.h"
#include "store/evlog.h"
#include "store/hold.h"
#include "store/store.h"

#define FAULTS_MAX 16
#define WHY_DOC	   POLICY_DOCUMENTATION

struct why {
	const char *store;
	struct uid uid;
	char id[UID_TEXT];
	/* of the catalog */
	struct store *st;
	bool has_row;
	struct store_row row;
	/* of the journal of holds */
	bool held;
	struct hold hold;
	/* of the evidence log; by time */
	bool has_log;
	struct evlog_line *ev;
	size_t nev, cap;
	uint64_t log_damaged;
	uint64_t bucket_gone_ns[POLICY_PURPOSES]; /* the day's key was destroyed; 0 no */
	struct {
		uint64_t ns, day;
		char controller[EVLOG_NAME];
		int purpose;
	} * bucket;
	size_t nbucket;
	/* of the sampler */
	bool has_draw;
	struct sample_record draw;
	char draw_file[64];
	uint64_t draw_line;
	/* of the policy */
	const char *hash, *rule_name, *controller; /* NULL not known */
	struct policy *policy;			   /* NULL: not to be had */
	const char *policy_why;			   /* why not */
	char policy_file[4400];
	int64_t policy_since;		/* 0 not known */
	const struct policy_rule *rule; /* NULL: without the policy */
	/* what follows */
	struct life life, until_end; /* all of it; up to the outcome, as the row was written */
	bool replayed; /* `law` is set: the law over the log */
	struct life_result law, law_until_end;
	char *fault[FAULTS_MAX]; /* where log and catalog disagree */
	size_t nfault;
	enum purpose_state state[POLICY_PURPOSES]; /* by the row, else by the log */
	const char *reason[POLICY_PURPOSES];
	uint64_t asked_ns;	     /* when the policy was asked about it; 0 not known */
	struct policy_answers rules; /* why it came to its rule; none without the policy */
	uint64_t until_ns[POLICY_PURPOSES]; /* of what is kept; 0 nothing is */
};

bool why_live(enum purpose_state s);
/* First event of a kind, for a purpose (-1 any); NULL. */
const struct evlog_event *why_event(const struct why *w, enum evlog_kind k, int purpose);

/* ---- words ---- */

struct why_word {
	const char *text;   /* a clause: "the caller did not agree" */
	const char *source; /* guidance statement: "N-21"; "" none */
	const char *needed; /* what it would have taken to be kept; NULL nothing could */
};
/* Of a reason, "" for none. Never NULL: an unknown word stands for itself. */
const struct why_word *why_reason(const char *reason);
/* Of an event: a clause, its statement by *ret_source. */
void why_phrase(const struct why *w, const struct evlog_event *e, char *out, size_t n,
		const char **ret_source);
const char *why_situation(const char *scenario);
const char *why_basis(enum policy_basis b);
/* Of the draw: "12 of 15 a day used" and so on; "" without a record. */
void why_counters(const struct why *w, char *out, size_t n);
/* Which announcement the event names; NULL not known. */
const struct policy_notice *why_notice(const struct why *w, const struct evlog_event *e);

/* Which rule took it, and why none of the others: w->rules. */
void why_rules_ask(struct why *w);
void why_rules_text(const struct why *w);
json_t *why_rules_json(const struct why *w);

void why_text(const struct why *w);
int why_json(const struct why *w);

#endif
