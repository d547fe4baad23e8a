/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sample_audit.c - all draws of a time once more, from their records and the published seeds
 *
 * A sampler of its own is led through the records: it calculates what each must say (sample_plan.c), compares, and
 * goes on from what it does say, so that one altered record is one fault and not a thousand. Records come from a
 * file and are taken for hostile. One thread.
 */
#include "call/sample_internal.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/le.h"

#define PUBLISHING_NS (10 * 60 * NS_PER_S) /* a hash that was logged so shortly before the day may not have counted yet when it began */

struct sample_audit {
	struct sample *s; /* nobody else knows it: its lock is not taken */
	const struct sample_published *pub;
	size_t npub;
	const struct sample_published **by_day; /* sorted; whose hash is right */
	size_t ndays;
	void (*fault)(void *arg, size_t index, enum sample_fault f);
	void *arg;
	size_t index;
	uint32_t plan; /* newest that a record had */
	struct sample_sums sums;
	int rc;
};

const char *sample_fault_text(enum sample_fault f)
{
	switch (f) {
	case SAMPLE_F_SEED:
		return "the seed does not belong to the hash that was published, or there was no hash";
	case SAMPLE_F_NO_SEED:
		return "the seed of this day is missing";
	case SAMPLE_F_LATE:
		return "the hash of the day's seed was published after the day had begun";
	case SAMPLE_F_SEQ:
		return "records are missing or out of order";
	case SAMPLE_F_TIME:
		return "earlier than the record before";
	case SAMPLE_F_OPEN:
		return "the state of the rule is not what the records before give";
	case SAMPLE_F_DRAW:
		return "the draw is not what seed, rule and call give";
	case SAMPLE_F_THRESHOLD:
		return "the threshold is not what settings and counters give";
	case SAMPLE_F_COUNT:
		return "the counters are not what the records before give";
	case SAMPLE_F_OUTCOME:
		return "the outcome is not what draw, threshold and counters give";
	case SAMPLE_F_RELEASE:
		return "gives back what was not taken";
	case SAMPLE_F_RECORD:
		return "values that no record has";
	case SAMPLE_F_HAD_SEED:
		return "says that there was no seed, and the day's was published in time";
	case SAMPLE_F_HAD_ROOM:
		return "says that there was no room for it, and by the records there was";
	case SAMPLE_F_PLAN:
		return "names another version of the calculation than the records before";
	}
	return "";
}

static void complain(struct sample_audit *a, enum sample_fault f)
{
	a->sums.faults++;
	if (a->fault)
		a->fault(a->arg, a->index, f);
}

/* ---- seeds ---- */

static int by_day(const void *x, const void *y)
{
	const struct sample_published *const *a = x, *const *b = y;

	return ((*a)->day > (*b)->day) - ((*a)->day < (*b)->day);
}

/* Those that do not fit their hash are not used. A hash counts once; a day that was published again is the auditor's to choose. */
static int check_seeds(struct sample_audit *a)
{
	uint8_t hash[SAMPLE_SEED];

	a->by_day = calloc(a->npub + 1, sizeof(*a->by_day));
	if (!a->by_day)
		return -ENOMEM;
	for (a->index = 0; a->index < a->npub; a->index++) {
		const struct sample_published *p = &a->pub[a->index];

		if (!p->has_seed)
			continue;
		sample_seed_hash(p->seed, hash);
		if (!p->has_hash || memcmp(hash, p->hash, sizeof(hash)))
			complain(a, SAMPLE_F_SEED);
		else
			a->by_day[a->ndays++] = p;
	}
	qsort(a->by_day, a->ndays, sizeof(*a->by_day), by_day);
	return 0;
}

static const struct sample_published *seed_of(const struct sample_audit *a, int32_t day)
{
	struct sample_published want = { .day = day };
	const struct sample_published *key = &want, **hit;

	hit = bsearch(&key, a->by_day, a->ndays, sizeof(*a->by_day), by_day);
	return hit ? *hit : NULL;
}

/* ---- comparing ---- */

/* What is released may have been drawn before the first record; by so much a counter may be lower. */
static bool count_like(const struct sample_count *ours, const struct sample_count *theirs, uint32_t unknown)
{
	for (int k = 0; k < SAMPLE_KINDS; k++)
		if (ours->key[k] != theirs->key[k] || ours->used[k] < theirs->used[k] ||
		    ours->used[k] - theirs->used[k] > unknown)
			return false;
	return true;
}

static bool calculated_like(const struct sample_open *ours, const struct sample_open *theirs, uint32_t unknown)
{
	if (ours->since_s != theirs->since_s || memcmp(ours->learned, theirs->learned, sizeof(ours->learned)) ||
	    memcmp(ours->expect, theirs->expect, sizeof(ours->expect)))
		return false;
	return unknown || !memcmp(ours->limit, theirs->limit, sizeof(ours->limit));
}

static bool open_like(const struct sample_open *ours, const struct sample_open *theirs, uint32_t unknown)
{
	if (!count_like(&ours->count, &theirs->count, unknown) || ours->day != theirs->day ||
	    memcmp(ours->arrived, theirs->arrived, sizeof(ours->arrived)))
		return false;
	if (theirs->plan == SAMPLE_PLAN && !calculated_like(ours, theirs, unknown))
		return false;
	for (int i = 0; i < SAMPLE_RING; i++)
		if (ours->use[i].day != theirs->use[i].day || ours->use[i].used != theirs->use[i].used ||
		    ours->use[i].recorded < theirs->use[i].recorded ||
		    ours->use[i].recorded - theirs->use[i].recorded > unknown)
			return false;
	return true;
}

/* ---- OPEN ---- */

static void adopt_open(struct srule *r, const struct sample_open *o)
{
	r->o = *o;
	r->quarter = 0;
	r->start_day = 0;
}

/* After a start agents' counters are what was durable: nobody here knows; but nothing was in later periods. */
static void adopt_subs(struct sample_audit *a, const struct srule *r)
{
	struct htab *t = &a->s->subs;

	for (size_t i = 0; i <= t->mask; i++) {
		for (struct hnode *h = t->slot[i]; h; h = h->next) {
			struct sub *u = container_of(h, struct sub, node);

			if (u->rule != r)
				continue;
			u->adopt = true;
			for (int k = 0; k < SAMPLE_KINDS; k++) {
				if (u->count.key[k] <= r->first_key[k])
					continue;
				u->count.key[k] = r->first_key[k];
				u->count.used[k] = 0;
			}
		}
	}
}

static void start(struct sample_audit *a, struct srule *r, const struct sample_record *rec)
{
	const struct sample_count *was = &r->o.count, *is = &rec->open->count;
	const int m = POLICY_PER_MONTH;

	if (was->key[m] == is->key[m] && was->used[m] > is->used[m])
		a->sums.vanished += was->used[m] - is->used[m];
	adopt_open(r, rec->open);
	memcpy(r->first_key, is->key, sizeof(r->first_key));
	adopt_subs(a, r);
	r->last_ns = 0; /* draws that were not durable may have been later */
	a->sums.starts++;
}

static void check_open(struct sample_audit *a, struct srule *r, const struct sample_record *rec)
{
	const struct sample_open *o = rec->open;
	struct when t;

	if (!o || !sample_open_valid(o) || memcmp(o->set.id, rec->rule, SAMPLE_ID)) {
		complain(a, SAMPLE_F_RECORD);
		return;
	}
	a->sums.opened++;
	/* One program runs at a time, and what it calculates by only gets newer: nobody may say of himself that he cannot be checked. */
	if (o->plan < a->plan || (r && !o->start && o->plan != r->o.plan))
		complain(a, SAMPLE_F_PLAN);
	if (o->plan > a->plan)
		a->plan = o->plan;
	if (!r) {
		a->rc = sample_rule_add(a->s, &o->set, &r);
		if (a->rc)
			return;
		adopt_open(r, o);
		memcpy(r->first_key, o->count.key, sizeof(r->first_key));
		r->first_seq = rec->seq;
		r->seq = rec->seq;
		a->sums.starts += o->start;
		return;
	}
	if (o->start) {
		start(a, r, rec);
		return;
	}
	if (!plan_same_rule(&r->o.set, &o->set)) {
		if (strncmp(r->o.set.zone, o->set.zone, SAMPLE_ZONE) != 0)
			r->checked_day = 0; /* the day may begin earlier there than its hash was published */
		r->o.set = o->set;
		r->quarter = 0;
		plan_limits(&r->o);
	}
	if (o->day > r->o.day && !plan_when(r, rec->time_ns, &t))
		(void)plan_roll(r, &t); /* whether it is that day is compared below */
	if (!open_like(&r->o, o, r->unknown))
		complain(a, SAMPLE_F_OPEN);
	adopt_open(r, o);
}

/* ---- DRAW ---- */

static struct sub *sub_of(struct sample_audit *a, struct srule *r, enum policy_cap_of of, const struct when *t,
			  const uint8_t id[SAMPLE_ID], const struct sample_count *said)
{
	struct sub *u;

	if (!plan_counts(&r->o.set, of))
		return NULL;
	u = sample_sub_find(a->s, r, of, id);
	if (!u) {
		a->rc = sample_sub_add(a->s, r, of, id, &u);
		if (a->rc)
			return NULL;
		u->adopt = true;
	}
	plan_count_roll(&u->count, t);
	/* Only what began before the records did. */
	for (int k = 0; k < SAMPLE_KINDS && u->adopt; k++)
		if (u->count.key[k] == r->first_key[k])
			u->count.used[k] = said->used[k];
	u->adopt = false;
	return u;
}

static void resync(struct srule *r, struct sub *agent, struct sub *queue, const struct sample_record *rec)
{
	r->o.count = rec->before;
	if (agent)
		agent->count = rec->agent_before;
	if (queue)
		queue->count = rec->queue_before;
}

static bool sane(const struct sample_record *rec)
{
	const struct sample_count *c[3] = { &rec->before, &rec->agent_before, &rec->queue_before };

	for (int i = 0; i < 3; i++)
		for (int k = 0; k < SAMPLE_KINDS; k++)
			if (c[i]->key[k] < 0)
				return false;
	return (unsigned)rec->why > 0 && (unsigned)rec->why < SAMPLE_WHY_N && rec->threshold <= SAMPLE_ONE;
}

static void took(struct sample_audit *a, struct srule *r, struct sub *agent, struct sub *queue,
		 const struct sample_record *rec)
{
	struct slot *sl;

	plan_take(r, agent, queue);
	a->sums.in++;
	a->rc = sample_slot_add(a->s, le64dec(r->o.set.id) + rec->seq, &sl);
	if (a->rc)
		return;
	sl->rule = r;
	sl->seq = rec->seq;
	sl->agent = agent;
	sl->queue = queue;
	sl->day = r->o.day;
	memcpy(sl->call, rec->call, SAMPLE_ID);
	memcpy(sl->key, r->o.count.key, sizeof(sl->key));
	if (agent)
		agent->refs++;
	if (queue)
		queue->refs++;
}

/* By the calculation of another version, which is not here: within what the policy allows all the same. */
static bool allowed(const struct srule *r, const struct sample_record *ours, const struct sample_record *rec)
{
	bool full = ours->why == SAMPLE_OUT_CAP || ours->why == SAMPLE_OUT_AGENT || ours->why == SAMPLE_OUT_QUEUE;

	if (rec->why != SAMPLE_IN)
		return !rec->threshold || rec->draw >= rec->threshold;
	return !full && rec->draw < rec->threshold && rec->threshold <= (uint64_t)r->o.set.permille * SAMPLE_ONE / 1000;
}

static void check_calculated(struct sample_audit *a, const struct srule *r, const struct sample_record *ours,
			     const struct sample_record *rec)
{
	if (r->o.plan != SAMPLE_PLAN) {
		a->sums.other_plan++;
		if (!allowed(r, ours, rec))
			complain(a, SAMPLE_F_OUTCOME);
		return;
	}
	if (ours->threshold != rec->threshold)
		complain(a, SAMPLE_F_THRESHOLD);
	if (ours->why != rec->why)
		complain(a, SAMPLE_F_OUTCOME);
}

static void check_drawn(struct sample_audit *a, struct srule *r, const struct when *t, const struct sample_record *rec)
{
	struct sub *agent = sub_of(a, r, POLICY_OF_AGENT, t, rec->agent, &rec->agent_before);
	struct sub *queue = sub_of(a, r, POLICY_OF_QUEUE, t, rec->queue, &rec->queue_before);
	const struct sample_published *p = seed_of(a, t->day);
	struct sample_record want = { .draw = rec->draw };
	uint64_t start;
	bool full = rec->why == SAMPLE_OUT_FULL; /* how full a table was is not in the records */

	if (a->rc)
		return;
	if (!p)
		complain(a, SAMPLE_F_NO_SEED);
	else
		want.draw = plan_draw(p->seed, r->o.set.id, rec->call);
	if (p && r->checked_day != t->day && (sample_day_start(r, t->day, &start) || p->hash_ns >= start))
		complain(a, SAMPLE_F_LATE);
	r->checked_day = t->day;
	if (want.draw != rec->draw)
		complain(a, SAMPLE_F_DRAW);
	plan_decide(r, t, agent, queue, &want);
	if (!full && (!count_like(&want.before, &rec->before, r->unknown) ||
		      !count_like(&want.agent_before, &rec->agent_before, r->unknown) ||
		      !count_like(&want.queue_before, &rec->queue_before, r->unknown)))
		complain(a, SAMPLE_F_COUNT);
	else if (want.arrivals != rec->arrivals)
		complain(a, SAMPLE_F_COUNT);
	if (!full) {
		resync(r, agent, queue, rec);
		plan_decide(r, t, agent, queue, &want);
		check_calculated(a, r, &want, rec);
	}
	plan_arrive(r, t);
	if (rec->why == SAMPLE_IN)
		took(a, r, agent, queue, rec);
}

/* A seed draws when its hash was there before the day, until it is published. */
static void check_no_seed(struct sample_audit *a, struct srule *r, const struct sample_record *rec)
{
	const struct sample_published *p;
	struct when t;
	uint64_t start;

	a->sums.no_seed++;
	if (plan_when(r, rec->time_ns, &t))
		return;
	if (rec->day != t.day)
		complain(a, SAMPLE_F_TIME);
	p = seed_of(a, t.day);
	if (!p || sample_day_start(r, t.day, &start) || p->hash_ns + PUBLISHING_NS >= start)
		return;
	if (!p->seed_ns || rec->time_ns < p->seed_ns)
		complain(a, SAMPLE_F_HAD_SEED);
}

/* The tables hold no more than this: what is over, and what the sampler swept, is in ours still. */
static bool has_room(const struct sample_audit *a)
{
	return a->s->rules.count < SAMPLE_RULES && a->s->slots.count < SAMPLE_SLOTS && a->s->subs.count < SAMPLE_SUBS;
}

static void check_draw(struct sample_audit *a, struct srule *r, const struct sample_record *rec)
{
	struct when t;

	a->sums.draws++;
	if (!sane(rec)) {
		complain(a, SAMPLE_F_RECORD);
		return;
	}
	if (rec->why == SAMPLE_OUT_SEED) {
		check_no_seed(a, r, rec);
		return;
	}
	if (rec->why == SAMPLE_OUT_FULL && has_room(a))
		complain(a, SAMPLE_F_HAD_ROOM);
	if (plan_when(r, rec->time_ns, &t) || !plan_usable(&r->o.set)) {
		if (rec->why != SAMPLE_OUT_SETTINGS)
			complain(a, SAMPLE_F_OUTCOME);
		return;
	}
	if (rec->why == SAMPLE_OUT_SETTINGS) {
		complain(a, SAMPLE_F_OUTCOME);
		return;
	}
	if (rec->day != t.day)
		complain(a, SAMPLE_F_TIME);
	if (plan_roll(r, &t)) /* a new day is opened before it draws */
		complain(a, SAMPLE_F_OPEN);
	if (rec->time_ns > r->last_ns)
		r->last_ns = rec->time_ns;
	check_drawn(a, r, &t, rec);
}

/* ---- the others ---- */

static void check_release(struct sample_audit *a, struct srule *r, const struct sample_record *rec)
{
	struct slot *sl = sample_slot_find(a->s, le64dec(r->o.set.id) + rec->of);

	a->sums.released++;
	if (sl && sl->rule == r && sl->seq == rec->of && !memcmp(sl->call, rec->call, SAMPLE_ID)) {
		plan_give_back(sl);
		sample_slot_del(a->s, sl);
	} else if (rec->of && rec->of < r->first_seq) {
		r->unknown++;
	} else {
		complain(a, SAMPLE_F_RELEASE);
	}
}

static void check_use(struct sample_audit *a, struct srule *r, const struct sample_record *rec)
{
	if (rec->of > UINT32_MAX || !r->o.day)
		complain(a, SAMPLE_F_RECORD);
	else
		plan_use(&r->o, (uint32_t)rec->of);
}

static void check(struct sample_audit *a, const struct sample_record *rec)
{
	struct srule *r = sample_rule_find(a->s, rec->rule);
	bool starts = rec->kind == SAMPLE_R_OPEN && rec->open && rec->open->start;

	if (rec->kind == SAMPLE_R_DRAW && rec->why == SAMPLE_OUT_FULL && !rec->seq) { /* a rule that there was no room for */
		a->sums.draws++;
		if (has_room(a))
			complain(a, SAMPLE_F_HAD_ROOM);
		return;
	}
	if (!r && rec->kind != SAMPLE_R_OPEN) {
		complain(a, SAMPLE_F_SEQ);
		return;
	}
	if (r) {
		/* What a crash kept from being published is missing before a start, and only there. */
		if (rec->seq != r->seq + 1 && !starts)
			complain(a, SAMPLE_F_SEQ);
		if (starts && rec->seq > r->seq + 1)
			a->sums.missing += rec->seq - r->seq - 1;
		r->seq = rec->seq;
		if (rec->time_ns < r->last_ns)
			complain(a, SAMPLE_F_TIME);
	}
	switch (rec->kind) {
	case SAMPLE_R_OPEN:
		check_open(a, r, rec);
		return;
	case SAMPLE_R_DRAW:
		check_draw(a, r, rec);
		return;
	case SAMPLE_R_RELEASE:
		check_release(a, r, rec);
		return;
	case SAMPLE_R_USE:
		check_use(a, r, rec);
		return;
	}
	complain(a, SAMPLE_F_RECORD);
}

int sample_audit_new(const struct sample_published *pub, size_t npub,
		     void (*fault)(void *arg, size_t index, enum sample_fault f), void *arg, struct sample_audit **ret)
{
	struct sample_config cfg = { .rules = SIZE_MAX, .slots = SIZE_MAX, .subs = SIZE_MAX };
	struct sample_audit *a = calloc(1, sizeof(*a));
	int rc = a ? sample_new(&cfg, &a->s) : -ENOMEM;

	if (!rc) {
		a->pub = pub;
		a->npub = npub;
		a->fault = fault;
		a->arg = arg;
		rc = check_seeds(a);
		a->index = 0;
	}
	if (rc) {
		(void)sample_audit_end(a, NULL); /* frees */
		return rc;
	}
	*ret = a;
	return 0;
}

int sample_audit_add(struct sample_audit *a, const struct sample_record *rec)
{
	if (!a->rc)
		check(a, rec);
	a->index++;
	return a->rc;
}

int sample_audit_end(struct sample_audit *a, struct sample_sums *ret)
{
	int rc;

	if (!a)
		return 0;
	rc = a->rc ? a->rc : a->sums.faults ? -EBADMSG : 0;
	if (!a->rc && ret)
		*ret = a->sums;
	free(a->by_day);
	sample_free(a->s);
	free(a);
	return rc;
}

int sample_recompute(const struct sample_published *pub, size_t npub, const struct sample_record *recs, size_t n,
		     void (*fault)(void *arg, size_t index, enum sample_fault f), void *arg,
		     struct sample_sums *ret)
{
	struct sample_audit *a;
	int rc = sample_audit_new(pub, npub, fault, arg, &a);

	if (rc)
		return rc;
	for (size_t i = 0; i < n && !rc; i++)
		rc = sample_audit_add(a, &recs[i]);
	return sample_audit_end(a, ret);
}
