/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * simulate.h - what the files of optag-simulate share: past calls, and what another policy makes of
 * them
 *
 * simulate_past.c reads store, evidence log and sampler's records into `struct sim`;
 * simulate_match.c says which rule of the new policy a call comes to; simulate_run.c decides in the
 * order of time; simulate_tell.c counts and prints. One thread.
 */
#ifndef SIMULATE_H
#define SIMULATE_H

#include "base/hash.h"
#include "call/sample_try.h"
#include "cli.h"
#include "life.h"
#include "policy/policy.h"
#include "store/evlog.h"
#include "store/store.h"

#define NONE32 UINT32_MAX

/* Where a call comes to under the new policy, when it is no rule. */
enum { GOES_UNKNOWN = -1, GOES_NOWHERE = -2, GOES_NEVER = -3 };

/* Why a purpose of a call has no answer. */
enum sim_unsure {
	SURE,
	ASSUMED, /* nobody asked the caller then: by what others answered */
	U_MATCH,
	U_POLICY,
	U_LOG,
	U_DIED,
	U_OPEN,
	U_NOTICE,
	U_PROOF,
	U_BASIS,
	U_KEY,
	U_WINDOW,
	U_WAY,
	U_ASKED,
	UNSURES,
};
const char *sim_unsure_text(enum sim_unsure u);

struct past { /* a call */
	struct uid uid;
	uint64_t start_ns, answer_ns, end_ns; /* end 0: no row, and no outcome */
	struct life life;
	uint16_t policy, rule; /* of sim.old; UINT16_MAX not known */
	bool has_row, media;
	uint8_t hash[SAMPLE_ID]; /* of its Call-ID, as draws take it; with has_row */
	uint8_t outcome; /* enum store_outcome, of the row */
	uint8_t was[POLICY_PURPOSES];
	uint16_t was_reason[POLICY_PURPOSES]; /* sim.word */
	int32_t goes;			      /* to a rule of the new policy, or GOES_* */
	uint32_t rec;			      /* of its draw; NONE32 */
	bool has_release;
	/* the answer */
	bool training_kept;
	uint8_t why; /* enum sample_why under the new policy; 0 not drawn */
	bool pseudo;
	uint64_t slot;
	uint8_t is[POLICY_PURPOSES], unsure[POLICY_PURPOSES];
	uint16_t is_reason[POLICY_PURPOSES];
};

struct old_rule {
	const struct policy_rule *rule;
	int32_t namesake; /* rule of the new policy with its name; -1 none */
	int32_t goes;	  /* every call that came to it comes to this rule; GOES_UNKNOWN without its
			     facts */
	uint8_t differs[POLICY_PURPOSES];			  /* enum sim_unsure, for `goes` */
	uint64_t asked[POLICY_PURPOSES], agreed[POLICY_PURPOSES]; /* what callers answered */
};

struct old_policy {
	char hash[65];
	struct policy *p; /* NULL: not to be had */
	struct old_rule *rule;
};

struct sim_rec { /* of the sampler */
	struct sample_record r;
	uint64_t order_ns; /* time, never back */
	uint32_t call;	   /* of sim.past; NONE32: before the time asked about, or not ours */
	uint64_t slot;	   /* of a draw that is fixed */
};

struct sim_reason { /* calls of a rule with this end, for a purpose */
	uint16_t word;
	uint8_t purpose, state;
	uint64_t n;
};

struct sim_rule { /* of the new policy */
	const struct policy_rule *rule;
	bool samples;
	struct sample_rule set;
	/* counts */
	uint64_t matched, was_matched, eligible, drawn[SAMPLE_WHY_N], pseudo;
	uint64_t kept[POLICY_PURPOSES], was_kept[POLICY_PURPOSES], assumed[POLICY_PURPOSES],
		unsure[POLICY_PURPOSES];
	uint64_t used, agentless;
	struct sim_reason *reason;
	size_t nreason;
	struct sample_try_figures fig; /* most[] 0: nothing was drawn */
};

struct sim {
	/* asked */
	const char *store, *keys;
	uint64_t since_ns, until_ns;
	struct policy *policy;
	unsigned examples;
	bool json;
	bool captures; /* there is no past: what the recorder makes of files now */
	/* found */
	struct old_policy *old;
	size_t nold;
	struct past *past;
	size_t npast, cap;
	uint32_t *by_uid; /* open addressing */
	size_t mask;
	struct sim_rec *rec;
	size_t nrec, rec_cap;
	struct sample_published *pub;
	size_t npub;
	char **word;
	size_t nword;
	struct sim_rule *rule;
	size_t nrule;
	uint64_t nomatch;   /* calls that no rule matched */
	uint64_t rows_only; /* in the catalog, and no evidence of them */
	uint64_t opened;    /* calls whose numbers were opened */
	uint64_t closed;    /* whose match needed that, and they could not be */
	bool damaged;
	char scratch[256], scratch_store[264]; /* simulate_capture.c; "" none */
	uint64_t nomatch_captures;
};

int sim_word(struct sim *s, const char *text, uint16_t *ret); /* -ENOMEM, -ENOSPC */
struct past *sim_find(const struct sim *s, const struct uid *u);

/* The recorder over capture files, into a store that sim_read then reads and sim_capture_end
 * removes. Exit code. */
int sim_capture(struct sim *s, char **files, int n);
void sim_capture_end(struct sim *s);
int sim_read(struct sim *s); /* exit code */
/* Index into s->old; the policy is read and matched against the new one. UINT16_MAX on failure. */
uint16_t sim_old(struct sim *s, const char *hash);
uint16_t sim_old_rule(const struct sim *s, uint16_t policy, const char *name);
void sim_relate(struct sim *s, struct old_policy *o);
/* Opens what the policy was asked of a call at hand (during store_find). */
void sim_ask_facts(struct sim *s, struct store *st, const struct store_row *row, struct past *c);
/* Whether what was asked of callers is the same for a purpose. */
enum sim_unsure sim_differs(const struct policy *a, const struct policy_rule *x,
			    const struct policy *b, const struct policy_rule *y, int p);
int sim_run(struct sim *s);  /* exit code */
int sim_tell(struct sim *s); /* exit code */
void sim_free(struct sim *s);

#endif
