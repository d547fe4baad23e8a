/* SPDX-License-Identifier: BSD-2-Clause */
/* sample_try.c - past calls drawn again under other settings, see sample_try.h */
#include "call/sample_try.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/le.h"
#include "call/sample_internal.h"

struct tried { /* of a rule, beside what the sampler knows */
	struct tried *next;
	struct srule *rule;
	bool decided; /* it drew what is not fixed */
	struct sample_try_figures fig;
};

struct sample_try {
	struct sample *s; /* nobody else knows it: its lock is not taken, its seeds are not used */
	const struct sample_published **by_day; /* whose hash is right, sorted */
	size_t ndays;
	struct tried *all;
	uint64_t slots; /* numbers given out */
};

static int by_day(const void *x, const void *y)
{
	const struct sample_published *const *a = x, *const *b = y;

	return ((*a)->day > (*b)->day) - ((*a)->day < (*b)->day);
}

int sample_try_new(const struct sample_published *pub, size_t n, struct sample_try **ret)
{
	struct sample_config cfg = {.rules = SIZE_MAX, .slots = SIZE_MAX, .subs = SIZE_MAX};
	struct sample_try *t = calloc(1, sizeof(*t));
	uint8_t hash[SAMPLE_SEED];
	int rc = t ? sample_new(&cfg, &t->s) : -ENOMEM;

	if (!rc) {
		t->by_day = malloc((n + 1) * sizeof(*t->by_day));
		rc = t->by_day ? 0 : -ENOMEM;
	}
	if (rc) {
		sample_try_free(t);
		return rc;
	}
	for (size_t i = 0; i < n; i++) {
		sample_seed_hash(pub[i].seed, hash);
		if (pub[i].has_seed && pub[i].has_hash && !memcmp(hash, pub[i].hash, sizeof(hash)))
			t->by_day[t->ndays++] = &pub[i];
	}
	qsort(t->by_day, t->ndays, sizeof(*t->by_day), by_day);
	*ret = t;
	return 0;
}

void sample_try_free(struct sample_try *t)
{
	if (!t)
		return;
	while (t->all) {
		struct tried *next = t->all->next;

		free(t->all);
		t->all = next;
	}
	sample_free(t->s);
	free(t->by_day);
	free(t);
}

static struct tried *tried_of(const struct sample_try *t, const uint8_t id[SAMPLE_ID])
{
	struct tried *r = t->all;

	while (r && memcmp(r->rule->o.set.id, id, SAMPLE_ID) != 0)
		r = r->next;
	return r;
}

static int tried_add(struct sample_try *t, const struct sample_rule *set, struct tried **ret)
{
	struct tried *r = calloc(1, sizeof(*r));
	int rc = r ? sample_rule_add(t->s, set, &r->rule) : -ENOMEM;

	if (rc) {
		free(r);
		return rc;
	}
	r->next = t->all;
	t->all = r;
	*ret = r;
	return 0;
}

/* After a start agents' counters are what was durable; the next record of each says what that is.
 */
static void adopt_subs(struct sample_try *t, const struct srule *r)
{
	for (size_t i = 0; i <= t->s->subs.mask; i++)
		for (struct hnode *h = t->s->subs.slot[i]; h; h = h->next)
			if (container_of(h, struct sub, node)->rule == r)
				container_of(h, struct sub, node)->adopt = true;
}

int sample_try_open(struct sample_try *t, const struct sample_rule *set,
		    const struct sample_record *open)
{
	struct tried *r = tried_of(t, set->id);
	bool first = !r;
	int rc;

	if (!open->open || !sample_open_valid(open->open))
		return 0;
	if (!first && r->decided && (!open->open->start || !plan_same_rule(set, &open->open->set)))
		return 0;
	rc = first ? tried_add(t, set, &r) : 0;
	if (rc)
		return rc;
	r->rule->o = *open->open;
	r->rule->quarter = 0;
	memcpy(r->rule->first_key, open->open->count.key, sizeof(r->rule->first_key));
	adopt_subs(t, r->rule);
	if (!plan_same_rule(
		    set,
		    &r->rule->o.set)) { /* as the sampler does it when a policy is put in force */
		r->rule->o.set = *set;
		plan_limits(&r->rule->o);
	}
	return 0;
}

static uint32_t draw_of(const struct sample_try *t, const struct srule *r,
			const struct sample_try_call *c, int32_t day, bool *ret_pseudo)
{
	struct sample_published want = {.day = day};
	const struct sample_published *key = &want, **hit;
	uint8_t text[14 + 4] = "optag simulate", seed[SAMPLE_SEED];

	hit = bsearch(&key, t->by_day, t->ndays, sizeof(*t->by_day), by_day);
	if (hit)
		return plan_draw((*hit)->seed, r->o.set.id, c->call);
	if (c->was && c->was->day == day && c->was->why != SAMPLE_OUT_SEED)
		return c->was->draw;
	*ret_pseudo = true;
	le32enc(text + 14, (uint32_t)day);
	(void)crypto_generichash(seed, sizeof(seed), text, sizeof(text), NULL,
				 0); /* fails for wrong lengths only */
	return plan_draw(seed, r->o.set.id, c->call);
}

static int sub_for(struct sample_try *t, struct srule *r, enum policy_cap_of of,
		   const struct when *w, const struct sample_try_call *c, struct sub **ret)
{
	static const uint8_t nobody[SAMPLE_ID];
	bool agent = of == POLICY_OF_AGENT;
	const uint8_t *id = agent ? c->agent : c->queue;
	const struct sample_count *said =
		c->was ? (agent ? &c->was->agent_before : &c->was->queue_before) : NULL;
	struct sub *u;
	int rc;

	*ret = NULL;
	if (!plan_counts(&r->o.set, of))
		return 0;
	if (c->was && !id)
		id = agent ? c->was->agent : c->was->queue;
	id = id ? id : nobody;
	u = sample_sub_find(t->s, r, of, id);
	if (!u) {
		rc = sample_sub_add(t->s, r, of, id, &u);
		if (rc)
			return rc;
		u->adopt = true;
	}
	plan_count_roll(&u->count, w);
	/* what began before the first record, or before a start, only the records know */
	for (int k = 0; k < SAMPLE_KINDS && u->adopt && said; k++)
		if (u->count.key[k] == said->key[k] && u->count.key[k] == r->first_key[k])
			u->count.used[k] = said->used[k];
	u->adopt = false;
	*ret = u;
	return 0;
}

static int take(struct sample_try *t, struct tried *r, struct sub *agent, struct sub *queue,
		const uint8_t call[SAMPLE_ID], uint64_t *ret_slot)
{
	struct slot *sl;
	int rc = sample_slot_add(t->s, ++t->slots, &sl);

	if (rc)
		return rc;
	plan_take(r->rule, agent, queue);
	sl->rule = r->rule;
	sl->agent = agent;
	sl->queue = queue;
	sl->day = r->rule->o.day;
	if (agent)
		agent->refs++;
	if (queue)
		queue->refs++;
	memcpy(sl->key, r->rule->o.count.key, sizeof(sl->key));
	memcpy(sl->call, call, SAMPLE_ID);
	for (int k = 0; k < SAMPLE_KINDS; k++)
		if (r->rule->o.count.used[k] > r->fig.most[k])
			r->fig.most[k] = r->rule->o.count.used[k];
	*ret_slot = sl->id;
	return 0;
}

static void note_day(struct tried *r)
{
	if (!r->fig.first_day)
		r->fig.first_day = r->rule->o.day;
	for (int k = 0; k < SAMPLE_KINDS && !r->fig.throttled_day; k++)
		if (r->rule->o.limit[k] != SAMPLE_NONE)
			r->fig.throttled_day = r->rule->o.day;
}

int sample_try_draw(struct sample_try *t, const struct sample_try_call *c,
		    struct sample_try_result *ret)
{
	struct tried *r = tried_of(t, c->set->id);
	struct sample_record rec = {.kind = SAMPLE_R_DRAW};
	struct sub *agent, *queue;
	struct when w;
	int rc = r ? 0 : tried_add(t, c->set, &r);

	*ret = (struct sample_try_result){0};
	if (rc)
		return rc;
	if (!plan_same_rule(&r->rule->o.set, c->set)) {
		r->rule->o.set = *c->set;
		r->rule->quarter = 0;
		plan_limits(&r->rule->o);
	}
	if (!plan_usable(&r->rule->o.set) || plan_when(r->rule, c->time_ns, &w)) {
		ret->why = SAMPLE_OUT_SETTINGS;
		return 0;
	}
	/* the day had no seed, whatever the settings; and how full a table was, only the sampler of
	 * then knew */
	if (c->was && c->was->why == SAMPLE_OUT_SEED) {
		ret->why = SAMPLE_OUT_SEED;
		return 0;
	}
	(void)plan_roll(r->rule, &w);
	r->decided |= !c->fixed;
	if (!c->fixed)
		note_day(r);
	rec.draw = draw_of(t, r->rule, c, w.day, &ret->pseudo);
	rc = sub_for(t, r->rule, POLICY_OF_AGENT, &w, c, &agent);
	if (!rc)
		rc = sub_for(t, r->rule, POLICY_OF_QUEUE, &w, c, &queue);
	if (rc)
		return rc;
	plan_decide(r->rule, &w, agent, queue, &rec);
	if (c->was && (c->fixed || c->was->why == SAMPLE_OUT_FULL))
		rec.why = c->was->why;
	plan_arrive(r->rule, &w);
	ret->why = rec.why;
	ret->draw = rec.draw;
	ret->threshold = rec.threshold;
	return rec.why == SAMPLE_IN ? take(t, r, agent, queue, c->call, &ret->slot) : 0;
}

void sample_try_release(struct sample_try *t, uint64_t slot)
{
	struct slot *sl = slot ? sample_slot_find(t->s, slot) : NULL;

	if (!sl)
		return;
	plan_give_back(sl);
	sample_slot_del(t->s, sl);
}

void sample_try_use(struct sample_try *t, const uint8_t rule[SAMPLE_ID], uint32_t n)
{
	struct tried *r = tried_of(t, rule);

	if (r && r->rule->o.day)
		plan_use(&r->rule->o, n);
}

int sample_try_figures(const struct sample_try *t, const uint8_t rule[SAMPLE_ID],
		       struct sample_try_figures *ret)
{
	const struct tried *r = tried_of(t, rule);

	if (!r)
		return -ENOENT;
	*ret = r->fig;
	memcpy(ret->limit, r->rule->o.limit, sizeof(ret->limit));
	return 0;
}
