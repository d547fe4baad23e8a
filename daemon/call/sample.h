/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sample.h - which calls are recorded for training, and never more than the caps allow
 *
 * For every call that a rule with training matches, sample_draw() says in or out, once, before the
 * decision window. It does no I/O and reads no clock; it is given the time and hands out bytes.
 *
 * How a call is drawn
 *	draw	  = the first 4 bytes, little endian, of BLAKE2b-128, key the seed of the day, of rule id || call hash
 *	call hash = BLAKE2b-128 of the Call-ID; rule id = BLAKE2b-128 of controller || 0 || rule name
 *	in	  = draw < threshold, in 1/2^32, and every cap has room
 * (python: hashlib.blake2b(rule + call, key=seed, digest_size=16).digest()[:4]). The threshold is the rule's percent,
 * or less when that many would not fit: room left / calls still expected, for each cap of the rule (`spread even`).
 * What is expected is learned per hour of the day, apart for Monday to Friday and for the weekend, and scaled by how
 * busy this hour and the last were; before a first day was seen calls are taken to come uniformly, at the pace of the day so
 * far, and that has its say until there were calls enough to learn from (512). So that a burst cannot take the day's amount, no more than its part of the expected calls plus a margin is given out by any moment. Caps per agent
 * and per queue are limits only; calls without an agent (queue) share one.
 *
 * The seed of a day is made one to two days before, its hash is handed out to be published before the day starts
 * and the seed after the day is over everywhere on earth. A day whose hash was not published before it started, in
 * the rule's zone, has no draws: all calls are out. So the first day of an installation has none (`late_seeds` lifts
 * this for captures read from files, where nothing is published in time). A seed that was handed out never draws again.
 *
 * Hours, days, weeks from Monday and months are those of the controller's zone; the hour that a change to
 * winter time repeats is one. Time never runs back: a clock that does stays in the periods it was in. A clock that
 * ran ahead has a day without a seed, so it opens nothing past tomorrow.
 *
 * What is counted is slots. A draw that says in takes one in every period; the caller gives it back
 * (sample_release) when the call ended without training audio, or sample_spend()s it. It returns to
 * the periods that are still running. Nothing is given back on a guess: a slot that a crash leaves behind is spent.
 *
 * Writing before granting. The state must be on disk before a slot is made use of:
 *
 *	sample_draw(s, &in, &out)			in: a slot, which is not durable yet
 *	sample_save(s, &buf, &gen)			as bytes; write them, fdatasync, rename, sync the directory
 *	sample_saved(s, gen)				now they are
 *	sample_durable(s, out.slot)			true: tell the call (sel+) and publish the records up to here
 *
 * A call whose slot is not durable stays without permission, and after kill -9 has no slot: nothing was recorded
 * under it. Its decision record must not be published before either, or it counts for the auditor. Save as
 * well every minute or so for what was learned (sample_unsaved says whether there is something). The bytes hold
 * the seeds of days to come: mode 0600, and never an older copy in the place of a newer one; where sample_load fails
 * or the file is gone, say sample_lost(): every rule is then full until its periods end.
 *
 * After a take-over: sample_load, then sample_claim() for each call that goes on with a slot, then sample_settle():
 * slots nobody claimed are spent.
 *
 * Use. `optag use` notes that n recordings of a rule were used: sample_note_use(). At the start of each day the uses of
 * the three weeks before are held against the recordings of three weeks that ended a week ago (or `use-within`, when that is less:
 * then they are gone), since nobody can use all of yesterday's by this morning. Are they fewer than `use-target` of them, the caps of the rule become what was used
 * per day (week, month) with recordings times `throttle`, rounded up, at least `floor`, never above the policy's; until as many are used that half of what was missing to
 * 100 % above the target is there, too (90 % where the target is 80).
 *
 * Evidence. All that matters is told as a struct sample_record through the callback, in order, without names:
 * OPEN (settings and whole state of the rule: each day, each change of settings, each start), DRAW, RELEASE, USE.
 * `optag audit recompute-sample` reads those of a time from the evidence log with the published hashes and seeds and
 * calls sample_recompute(), which runs the same calculation over them and names every record that differs: draws,
 * thresholds, outcomes, counters, what was learned, limits, missing records. Who has a call's Call-ID finds its
 * record by sample_call_hash().
 *
 * Threads: all functions of one struct sample may be called from any thread (one mutex; recompute has its own
 * state). The callback runs under the mutex: it must not call back and should only queue.
 */
#ifndef SAMPLE_H
#define SAMPLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/policy.h"

struct buf;
struct sample;

#define SAMPLE_ID     16
#define SAMPLE_SEED   32
#define SAMPLE_KINDS  4 /* by enum policy_cap_per */
#define SAMPLE_WINDOW 30 /* days of use that are looked back on (N-49) */
#define SAMPLE_GRACE  7  /* days that a recording has to be used before it counts as unused; less where `use-within` is */
#define SAMPLE_RING   (SAMPLE_WINDOW + 1)
#define SAMPLE_ZONE   40
#define SAMPLE_NONE   UINT32_MAX
/*
 * The calculation in sample_plan.c: one more with each change that gives another threshold, limit or expectation, so that who
 * recomputes what was drawn before does not take it for a fault. Records of before it had a number: 0.
 */
#define SAMPLE_PLAN 1

/* ---- settings of a rule ---- */

struct sample_rule {
	uint8_t id[SAMPLE_ID];
	char zone[SAMPLE_ZONE];
	int permille; /* -1 not set: all calls are out */
	int ncap;     /* 0: all calls are out (L-50) */
	struct policy_cap cap[POLICY_CAPS_MAX];
	bool first_come; /* no spreading */
	int use_target_percent, throttle_percent, use_floor; /* N-50 */
	uint8_t grace; /* days, of use-within when that is less than SAMPLE_GRACE; 0: SAMPLE_GRACE */
};

/* Of the rule's training block. -EINVAL: it has none, or an unusable zone name. Do it once per policy and rule. */
int sample_rule_init(const struct policy_rule *r, struct sample_rule *ret);
/* To what is less in either, the id and the rest as they are. -ENOSPC: more kinds of caps than there is room for. */
int sample_rule_lower(struct sample_rule *s, const struct sample_rule *by);
/* The id alone. */
void sample_rule_id(const char *controller, const char *rule, uint8_t ret[SAMPLE_ID]);
void sample_call_hash(const void *call_id, size_t n, uint8_t ret[SAMPLE_ID]);

/* ---- records ---- */

enum sample_why {
	SAMPLE_IN = 1,
	SAMPLE_OUT_DRAW,     /* not drawn at the rule's percent */
	SAMPLE_OUT_SPREAD,   /* would be at the percent, but the cap has to last */
	SAMPLE_OUT_PACE,     /* more than this part of the period may have was given out already */
	SAMPLE_OUT_CAP,	     /* the rule's cap is reached */
	SAMPLE_OUT_THROTTLE, /* the cap that low use made is reached */
	SAMPLE_OUT_AGENT, SAMPLE_OUT_QUEUE, /* their cap is reached */
	SAMPLE_OUT_SEED,     /* no seed, or it was not published before the day, or it is public by now */
	SAMPLE_OUT_SETTINGS, /* no percent, no cap, unknown zone */
	SAMPLE_OUT_FULL,     /* no room to remember the slot or the agent */
	SAMPLE_WHY_N
};
/* "sample.in", "sample.draw" ..., "quota.agent"; "" for other values. Static. */
const char *sample_why_name(enum sample_why w);

/* By kind the number of the period (hours, days, weeks since 1970 by the wall clock; months since year 0), what it used. */
struct sample_count {
	int32_t key[SAMPLE_KINDS];
	uint32_t used[SAMPLE_KINDS];
};

struct sample_use {
	int32_t day;
	uint32_t recorded, used;
};

/* All that the rule's next draws depend on, beside agents and queues. */
struct sample_open {
	struct sample_rule set;
	bool start; /* the first since the state was loaded: what was not durable is not in it */
	uint32_t plan; /* SAMPLE_PLAN of who drew */
	struct sample_count count;
	int32_t day;	     /* 0: no call was ever drawn */
	uint32_t since_s;    /* of the local day: when calls of this rule were first seen on it */
	uint32_t arrived[24]; /* calls of this day by local hour */
	uint32_t learned[2]; /* days; 0 Monday to Friday, 1 weekend */
	uint32_t expect[2][24]; /* calls by hour, in 1/1024 */
	uint32_t limit[SAMPLE_KINDS]; /* by low use; SAMPLE_NONE none */
	struct sample_use use[SAMPLE_RING];
};

enum sample_kind { SAMPLE_R_OPEN = 1, SAMPLE_R_DRAW, SAMPLE_R_RELEASE, SAMPLE_R_USE };

struct sample_record {
	enum sample_kind kind;
	uint64_t seq;	  /* per rule, without gaps */
	uint64_t time_ns; /* as counted: never earlier than a draw before it */
	uint8_t rule[SAMPLE_ID];
	const struct sample_open *open; /* R_OPEN; lives during the callback */
	uint8_t call[SAMPLE_ID]; /* R_DRAW, R_RELEASE */
	/* R_DRAW */
	uint8_t agent[SAMPLE_ID], queue[SAMPLE_ID]; /* salted hashes; zeroes: unknown, or the rule does not count them */
	int32_t day;	    /* whose seed drew */
	uint32_t draw;	    /* 0 when there was no seed */
	uint64_t threshold; /* 0 .. 2^32; 0 when a cap is reached */
	uint32_t arrivals;  /* calls of the day before this one */
	struct sample_count before, agent_before, queue_before;
	enum sample_why why;
	/* R_RELEASE: seq of the draw that is undone. R_USE: recordings. */
	uint64_t of;
};

/* ---- the sampler ---- */

/* The tables of a daemon's. */
#define SAMPLE_RULES 4096
#define SAMPLE_SLOTS 65536
#define SAMPLE_SUBS  65536

struct sample_config {
	size_t rules, slots, subs; /* limits: rules, calls with a slot in progress, agents and queues; 0: SAMPLE_RULES ... */
	bool late_seeds;	   /* draw on days whose hash was not published before; for files only */
	void (*random)(void *arg, void *buf, size_t n); /* NULL: the kernel's. Another one is for tests and replay */
	void *random_arg;
	void (*record)(void *arg, const struct sample_record *r); /* NULL: nobody wants them */
	void *record_arg;
};

int sample_new(const struct sample_config *cfg, struct sample **ret); /* -ENOMEM, -EIO: no libsodium */
void sample_free(struct sample *s); /* NULL-tolerant; wipes the seeds */

struct sample_input {
	const struct sample_rule *rule;
	uint64_t now_ns;
	struct policy_str call_id;
	struct policy_str agent, queue; /* p NULL or n 0: unknown */
};

struct sample_result {
	bool in;
	enum sample_why why;
	uint64_t slot; /* in: its number, never 0; else 0 */
	uint64_t threshold;
	uint32_t draw;
};

void sample_draw(struct sample *s, const struct sample_input *in, struct sample_result *ret);

/* The call ended without training audio: the slot goes back. -ENOENT: no such slot (any more). */
int sample_release(struct sample *s, uint64_t slot);
/* The call ended with it: the slot stays counted and is forgotten. -ENOENT. */
int sample_spend(struct sample *s, uint64_t slot);
/* n recordings were used for the first time; counts for the latest day the rule drew on. -ENOENT: it never drew. */
int sample_note_use(struct sample *s, const uint8_t rule[SAMPLE_ID], uint32_t n);

/* ---- seeds ---- */

struct sample_seed_event {
	bool reveal;	  /* publish the seed; else its hash */
	bool unused;	  /* reveal: the day cannot come any more, a clock had run ahead */
	int32_t day;	  /* days since 1970; sample_day_text */
	uint8_t value[SAMPLE_SEED]; /* the seed, or its BLAKE2b-256 */
};

/* Makes seeds that are due. Call at start and at least once an hour. -ENOSPC: none could be made, clocks are astray. */
int sample_tick(struct sample *s, uint64_t now_ns);
/*
 * The next thing to publish; false: nothing. Only what is durable is handed out (sample_saved). Write it to the
 * evidence log, durably, then say so with the time it was; until then it comes again. Save soon after: a crash before
 * has the hash published again, and if the day began meanwhile, it has no draws.
 */
bool sample_seed_next(struct sample *s, struct sample_seed_event *ret);
int sample_seed_done(struct sample *s, const struct sample_seed_event *ev, uint64_t now_ns); /* -ENOENT */
/*
 * At start, after sample_load (or sample_lost): each seed event of the last days in the evidence log, with the time it
 * was logged. What a crash kept from being saved is known again, so nothing is published twice; a day for which
 * another hash than ours is there has no draws. -ENOSPC: too many days that are not over.
 */
int sample_seed_seen(struct sample *s, const struct sample_seed_event *ev, uint64_t logged_ns);
void sample_seed_hash(const uint8_t seed[SAMPLE_SEED], uint8_t ret[SAMPLE_SEED]);
void sample_day_text(int32_t day, char out[16]); /* "2026-11-24" */

/* ---- the state ---- */

/* Appends the whole state. gen: what to tell sample_saved. -ENOMEM. */
int sample_save(struct sample *s, struct buf *out, uint64_t *ret_gen);
void sample_saved(struct sample *s, uint64_t gen);
bool sample_durable(struct sample *s, uint64_t slot); /* false as well when there is no such slot */
bool sample_unsaved(struct sample *s); /* something happened since the last sample_saved; not only slots */
/*
 * Into a new sampler, before anything else. Takes bytes for hostile. -EBADMSG: not what sample_save wrote,
 * -ENOSPC: more than the limits allow, -ENOMEM: nothing happened.
 */
int sample_load(struct sample *s, const void *bytes, size_t n);
/* There was a state and it is gone: rules, agents and queues not known are full for the periods of now. */
void sample_lost(struct sample *s, uint64_t now_ns);
/* A call with this slot goes on. -ENOENT; -EINVAL: the slot is another call's; -EALREADY: somebody came for it before. */
int sample_claim(struct sample *s, uint64_t slot, const uint8_t call[SAMPLE_ID]);
size_t sample_settle(struct sample *s); /* slots that nobody claimed are spent; how many */

/* ---- figures, of the latest period that a call was drawn in ---- */

struct sample_figures {
	struct sample_count count;
	uint32_t limit[SAMPLE_KINDS];
	uint32_t arrivals; /* of the day */
	uint32_t recorded30, used30;
	uint64_t seq;
};
int sample_rule_figures(struct sample *s, const uint8_t rule[SAMPLE_ID], struct sample_figures *ret); /* -ENOENT */
/* What is used up of each cap of a rule at this instant, in the order of the settings. */
struct sample_quota {
	struct {
		uint32_t cap;  /* the policy's, or less by low use */
		uint32_t used; /* of a cap per agent or queue: by the one that used most */
		uint32_t subs, full; /* agents or queues that used some; that used all */
	} cap[POLICY_CAPS_MAX];
	bool throttled; /* some cap is less than the policy's */
	uint32_t recorded30, used30;
};
int sample_rule_quota(struct sample *s, const struct sample_rule *rule, uint64_t now_ns, struct sample_quota *ret); /* -ENOENT: never drew */
size_t sample_slots(struct sample *s); /* calls with a slot in progress */

/* ---- for who checks ---- */

struct sample_published {
	int32_t day;
	bool has_hash, has_seed; /* a seed is published after its day */
	uint64_t hash_ns;	 /* when the hash was */
	uint64_t seed_ns;	 /* when the seed was; 0 not known */
	uint8_t hash[SAMPLE_SEED], seed[SAMPLE_SEED];
};

enum sample_fault {
	SAMPLE_F_SEED = 1, /* a seed does not give its hash, or the hash is missing; index: of the seed */
	SAMPLE_F_NO_SEED,  /* a draw on a day whose seed is not there */
	SAMPLE_F_LATE,	   /* the hash was not published before the day began for the rule; told at its first draw */
	SAMPLE_F_SEQ,	   /* a record is missing, twice, or the rule was never opened */
	SAMPLE_F_TIME,	   /* earlier than the one before */
	SAMPLE_F_OPEN,	   /* the state at the start of a day or new settings is not what the records before give */
	SAMPLE_F_DRAW,	   /* another draw value */
	SAMPLE_F_THRESHOLD,
	SAMPLE_F_COUNT,	   /* other counters before */
	SAMPLE_F_OUTCOME,
	SAMPLE_F_RELEASE,  /* of what was not in, or twice */
	SAMPLE_F_RECORD,   /* values that no record has */
	SAMPLE_F_HAD_SEED, /* no draw for want of a seed that was published in time, and not public yet */
	SAMPLE_F_HAD_ROOM, /* no draw for want of room that there was (or of memory) */
	SAMPLE_F_PLAN,	   /* by another calculation than the process began with, or by one that is older than a record before */
};
const char *sample_fault_text(enum sample_fault f); /* a sentence for people */

struct sample_sums {
	uint64_t draws, in, released, no_seed, opened, starts;
	uint64_t missing;  /* records before a start that a crash kept from being published */
	uint64_t other_plan; /* draws by another version's calculation: all but thresholds, limits and expectations was checked */
	uint64_t vanished; /* slots that a start did not know any more: decisions published before they were durable */
	uint64_t faults;
};

/*
 * Records of any number of rules, each rule's in order. Each fault is told, with the index into recs, and checking goes
 * on from what the record says. 0: all is as it should be; -EBADMSG: there were faults; -ENOMEM.
 * A rule's first OPEN is taken as it stands; so are an agent's first counters, when his period began before it. What another
 * SAMPLE_PLAN calculated is taken as it stands as well, within the policy's percent and caps.
 */
int sample_recompute(const struct sample_published *pub, size_t npub, const struct sample_record *recs, size_t n,
		     void (*fault)(void *arg, size_t index, enum sample_fault f), void *arg,
		     struct sample_sums *ret);
/*
 * The same, a record at a time, so that none has to be kept. index: of the seed while sample_audit_new runs, then of the
 * record, from 0. `pub` lives until the end. add: 0, also after a fault, or -ENOMEM. end frees it and returns as sample_recompute;
 * NULL-tolerant; ret is written when it looked at all, and may be NULL.
 */
struct sample_audit;
int sample_audit_new(const struct sample_published *pub, size_t npub,
		     void (*fault)(void *arg, size_t index, enum sample_fault f), void *arg, struct sample_audit **ret);
int sample_audit_add(struct sample_audit *a, const struct sample_record *rec);
int sample_audit_end(struct sample_audit *a, struct sample_sums *ret);

#endif
