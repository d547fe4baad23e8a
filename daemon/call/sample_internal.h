/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sample_internal.h - shared by sample*.c: the sampler's state and its arithmetic
 *
 * Invariants
 *  - A counter's periods only go forward; `used` is what was granted in the period and not given back.
 *  - All that decides is integer arithmetic over struct sample_open, the record's inputs and the seed, in
 *    sample_plan.c, which the live sampler and the recomputation both run.
 *  - A slot exists while its call is in progress; its counters had it before the draw returned.
 *  - `gen` grows with every change; what carries a gen above `durable` is not on disk.
 */
#ifndef SAMPLE_INTERNAL_H
#define SAMPLE_INTERNAL_H

#include <pthread.h>

#include "base/clock.h"
#include "base/hash.h"
#include "call/sample.h"

#define SAMPLE_SEEDS	 16 /* days: three are enough, more when the daemon was down before it could reveal */
#define SAMPLE_COUNT_FULL 0x7fffffffU /* above every cap: the state was lost */
#define SAMPLE_ONE	 (1ULL << 32)
#define DAY_S		 86400
#define QUARTER_NS	 (900 * NS_PER_S) /* offsets of zones change on quarters of an hour only */

/* An instant in the rule's zone. */
struct when {
	int32_t key[SAMPLE_KINDS];
	int32_t day;
	uint32_t sec; /* of the day by the wall clock */
	int month_days, month_day; /* 1.. */
};

struct srule {
	struct hnode node;
	struct srule *next; /* all, newest first */
	struct sample_open o;
	uint64_t seq;	 /* of the last record */
	bool opened;	 /* a record says so, since the state was loaded */
	uint32_t index;	 /* while saving */
	/* recompute: what agents' counters began before is not known; draws before these records; latest draw */
	int32_t first_key[SAMPLE_KINDS];
	uint64_t first_seq, last_ns;
	uint32_t unknown; /* releases of draws before */
	int32_t checked_day; /* recompute: when its hash was published */
	/* of the zone */
	uint64_t quarter; /* which one `at` is the start of; 0 none */
	struct when at;
	int32_t start_day; /* 0 none */
	uint64_t start_ns;
};

/* An agent or a queue of a rule. */
struct sub {
	struct hnode node;
	struct srule *rule;
	uint8_t id[SAMPLE_ID];
	uint8_t of; /* enum policy_cap_of */
	uint32_t refs; /* slots */
	uint32_t index;
	bool adopt; /* recompute: take the next record's counters as they are */
	struct sample_count count;
};

struct slot {
	struct hnode node;
	uint64_t id, gen, seq; /* seq: of its draw */
	struct srule *rule;
	struct sub *agent, *queue; /* NULL: not counted */
	uint8_t call[SAMPLE_ID];
	int32_t key[SAMPLE_KINDS], day;
	bool unclaimed; /* loaded, nobody came yet */
};

struct seed {
	int32_t day; /* 0: free */
	uint8_t key[SAMPLE_SEED];
	uint64_t gen, commit_ns; /* 0: not published */
	bool reveal, unused;
	bool dead; /* no key: the day has no draws, and gets no other seed */
};

struct sample {
	pthread_mutex_t lock; /* guards all below */
	struct sample_config cfg;
	uint64_t high_ns; /* latest time of a draw with a seed */
	uint64_t lost_ns;
	uint64_t gen, durable;
	uint8_t salt[32]; /* of agents' and queues' names */
	struct htab rules, subs, slots;
	struct srule *all;
	size_t nslots;
	int32_t swept; /* day on which stale agents were last looked for */
	struct seed seed[SAMPLE_SEEDS];
	int32_t closed_day; /* newest day that was revealed: none up to it gets a seed again */
};

/* sample_plan.c */
int plan_when(struct srule *r, uint64_t ns, struct when *ret); /* -EINVAL: no such zone */
int plan_when_zone(const char *zone, uint64_t ns, struct when *ret);
void plan_count_roll(struct sample_count *c, const struct when *t);
/* True: a new day began, the rule's state is another. */
bool plan_roll(struct srule *r, const struct when *t);
void plan_limits(struct sample_open *o);
bool plan_same_rule(const struct sample_rule *a, const struct sample_rule *b);
bool plan_usable(const struct sample_rule *r);
bool plan_counts(const struct sample_rule *r, enum policy_cap_of of);
uint32_t plan_arrivals(const struct sample_open *o);
uint32_t plan_draw(const uint8_t seed[SAMPLE_SEED], const uint8_t rule[SAMPLE_ID], const uint8_t call[SAMPLE_ID]);
/* Of rolled counters: fills before, threshold, arrivals and why; draw is set. */
void plan_decide(const struct srule *r, const struct when *t, const struct sub *agent, const struct sub *queue,
		 struct sample_record *rec);
/* Counts the call, and its slot. */
void plan_arrive(struct srule *r, const struct when *t);
void plan_take(struct srule *r, struct sub *agent, struct sub *queue);
void plan_give_back(const struct slot *sl);
void plan_use(struct sample_open *o, uint32_t n);

/* sample.c */
uint64_t sample_key(const uint8_t id[SAMPLE_ID], const void *salt, uint8_t more);
struct srule *sample_rule_find(struct sample *s, const uint8_t id[SAMPLE_ID]);
int sample_rule_add(struct sample *s, const struct sample_rule *set, struct srule **ret);
struct sub *sample_sub_find(struct sample *s, struct srule *r, enum policy_cap_of of, const uint8_t id[SAMPLE_ID]);
int sample_sub_add(struct sample *s, struct srule *r, enum policy_cap_of of, const uint8_t id[SAMPLE_ID],
		   struct sub **ret);
struct slot *sample_slot_find(struct sample *s, uint64_t id);
int sample_slot_add(struct sample *s, uint64_t id, struct slot **ret);
void sample_slot_del(struct sample *s, struct slot *sl);
void sample_clear(struct sample *s); /* frees rules, agents, slots */
bool sample_zone_ok(const char zone[SAMPLE_ZONE]); /* terminated, and only what names of zones have */

/* sample_seed.c */
int sample_day_start(struct srule *r, int32_t day, uint64_t *ret_ns); /* in the rule's zone */
/* NULL: no seed may draw on this day now. */
const uint8_t *sample_seed_for(struct sample *s, struct srule *r, int32_t day);

/* sample_save.c */
bool sample_rule_valid(const struct sample_rule *r);
bool sample_open_valid(const struct sample_open *o);

#endif
