/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sample.c - the sampler: draws, slots, records
 *
 * Any thread; everything under s->lock. What is decided is in sample_plan.c; invariants in sample_internal.h.
 */
#include "call/sample_internal.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/le.h"
#include "base/mutex.h"

static const char *const why_names[SAMPLE_WHY_N] = {
	[SAMPLE_IN] = "sample.in",
	[SAMPLE_OUT_DRAW] = "sample.draw",
	[SAMPLE_OUT_SPREAD] = "sample.spread",
	[SAMPLE_OUT_PACE] = "sample.pace",
	[SAMPLE_OUT_CAP] = "quota.rule",
	[SAMPLE_OUT_THROTTLE] = "quota.throttle",
	[SAMPLE_OUT_AGENT] = "quota.agent",
	[SAMPLE_OUT_QUEUE] = "quota.queue",
	[SAMPLE_OUT_SEED] = "sample.seed",
	[SAMPLE_OUT_SETTINGS] = "sample.settings",
	[SAMPLE_OUT_FULL] = "sample.full",
};

const char *sample_why_name(enum sample_why w)
{
	return (unsigned)w < SAMPLE_WHY_N && why_names[w] ? why_names[w] : "";
}

bool sample_zone_ok(const char zone[SAMPLE_ZONE])
{
	size_t n = strnlen(zone, SAMPLE_ZONE);

	return n && n < SAMPLE_ZONE &&
	       strspn(zone, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/") == n;
}

void sample_rule_id(const char *controller, const char *rule, uint8_t ret[SAMPLE_ID])
{
	crypto_generichash_state h;

	crypto_generichash_init(&h, NULL, 0, SAMPLE_ID);
	crypto_generichash_update(&h, (const unsigned char *)controller, strlen(controller) + 1);
	crypto_generichash_update(&h, (const unsigned char *)rule, strlen(rule));
	crypto_generichash_final(&h, ret, SAMPLE_ID);
}

/* What is destroyed for want of use cannot be used any more. */
static uint8_t grace_of(struct policy_span s)
{
	int days = s.unit == POLICY_U_DAYS ? s.n : s.unit < POLICY_U_DAYS ? 1 : SAMPLE_GRACE;

	if (s.unit == POLICY_U_H)
		days = s.n / 24 ? s.n / 24 : 1;
	return s.n > 0 && days < SAMPLE_GRACE ? (uint8_t)days : 0;
}

int sample_rule_init(const struct policy_rule *r, struct sample_rule *ret)
{
	const struct policy_block *b = &r->purpose[POLICY_TRAINING];
	const char *zone = r->controller->timezone;
	struct sample_rule v;

	if (b->basis == POLICY_B_NONE || !zone || strlen(zone) >= SAMPLE_ZONE || b->ncap < 0 ||
	    b->ncap > POLICY_CAPS_MAX)
		return -EINVAL;
	memset(&v, 0, sizeof(v));
	memcpy(v.zone, zone, strlen(zone));
	if (!sample_zone_ok(v.zone))
		return -EINVAL;
	sample_rule_id(r->controller->name, r->name, v.id);
	v.permille = b->sample_permille;
	for (v.ncap = 0; v.ncap < b->ncap; v.ncap++) {
		v.cap[v.ncap].n = b->cap[v.ncap].n;
		v.cap[v.ncap].per = b->cap[v.ncap].per;
		v.cap[v.ncap].of = b->cap[v.ncap].of;
	}
	v.first_come = b->spread_first_come;
	v.use_target_percent = b->use_target_percent > 0 ? b->use_target_percent : 80;
	v.throttle_percent = b->throttle_percent > 0 ? b->throttle_percent : 125;
	v.use_floor = b->use_floor > 0 ? b->use_floor : 5;
	v.grace = grace_of(b->use_within);
	if (!sample_rule_valid(&v))
		return -EINVAL;
	*ret = v;
	return 0;
}

static struct policy_cap *cap_like(struct sample_rule *s, const struct policy_cap *c)
{
	for (int i = 0; i < s->ncap; i++)
		if (s->cap[i].per == c->per && s->cap[i].of == c->of)
			return &s->cap[i];
	return NULL;
}

int sample_rule_lower(struct sample_rule *s, const struct sample_rule *by)
{
	struct sample_rule v = *s;

	if (by->permille < v.permille)
		v.permille = by->permille;
	for (int i = 0; i < by->ncap; i++) {
		struct policy_cap *mine = cap_like(&v, &by->cap[i]);

		if (!mine && v.ncap == POLICY_CAPS_MAX)
			return -ENOSPC;
		if (!mine)
			v.cap[v.ncap++] = by->cap[i];
		else if (by->cap[i].n < mine->n)
			mine->n = by->cap[i].n;
	}
	*s = v;
	return 0;
}

void sample_call_hash(const void *call_id, size_t n, uint8_t ret[SAMPLE_ID])
{
	(void)crypto_generichash(ret, SAMPLE_ID, call_id, n, NULL, 0);
}

/* ---- tables ---- */

uint64_t sample_key(const uint8_t id[SAMPLE_ID], const void *salt, uint8_t more)
{
	uint8_t b[SAMPLE_ID + sizeof(salt) + 1];

	memcpy(b, id, SAMPLE_ID);
	memcpy(b + SAMPLE_ID, &salt, sizeof(salt));
	b[SAMPLE_ID + sizeof(salt)] = more;
	return hash_bytes(b, sizeof(b));
}

struct srule *sample_rule_find(struct sample *s, const uint8_t id[SAMPLE_ID])
{
	struct hnode *h = htab_first(&s->rules, sample_key(id, NULL, 0));

	for (; h; h = htab_next(h)) {
		struct srule *r = container_of(h, struct srule, node);

		if (!memcmp(r->o.set.id, id, SAMPLE_ID))
			return r;
	}
	return NULL;
}

/* Counters of what was not known when the state was lost are full until the periods of then are over. */
static void count_start(const struct sample *s, const struct srule *r, struct sample_count *c)
{
	struct when t;

	memset(c, 0, sizeof(*c));
	if (!s->lost_ns || plan_when_zone(r->o.set.zone, s->lost_ns, &t))
		return;
	plan_count_roll(c, &t);
	for (int k = 0; k < SAMPLE_KINDS; k++)
		c->used[k] = SAMPLE_COUNT_FULL;
}

int sample_rule_add(struct sample *s, const struct sample_rule *set, struct srule **ret)
{
	struct srule *r;

	if (s->rules.count >= s->cfg.rules)
		return -ENOSPC;
	r = calloc(1, sizeof(*r));
	if (!r)
		return -ENOMEM;
	r->o.set = *set;
	for (int k = 0; k < SAMPLE_KINDS; k++)
		r->o.limit[k] = SAMPLE_NONE;
	count_start(s, r, &r->o.count);
	htab_add(&s->rules, &r->node, sample_key(set->id, NULL, 0));
	r->next = s->all;
	s->all = r;
	*ret = r;
	return 0;
}

struct sub *sample_sub_find(struct sample *s, struct srule *r, enum policy_cap_of of, const uint8_t id[SAMPLE_ID])
{
	struct hnode *h = htab_first(&s->subs, sample_key(id, r, (uint8_t)of));

	for (; h; h = htab_next(h)) {
		struct sub *u = container_of(h, struct sub, node);

		if (u->rule == r && u->of == (uint8_t)of && !memcmp(u->id, id, SAMPLE_ID))
			return u;
	}
	return NULL;
}

/* Agents whose periods are all over. Once a day at most: it looks at all of them. */
static void sweep(struct sample *s)
{
	int32_t day = (int32_t)(s->high_ns / NS_PER_S / DAY_S);

	if (day == s->swept)
		return;
	s->swept = day;
	for (size_t i = 0; i <= s->subs.mask; i++) {
		for (struct hnode *h = s->subs.slot[i], *next; h; h = next) {
			struct sub *u = container_of(h, struct sub, node);
			const struct sample_count *c = &u->rule->o.count;

			next = h->next;
			if (u->refs || u->count.key[POLICY_PER_MONTH] >= c->key[POLICY_PER_MONTH] ||
			    u->count.key[POLICY_PER_WEEK] >= c->key[POLICY_PER_WEEK])
				continue;
			htab_del(&s->subs, h);
			free(u);
		}
	}
}

int sample_sub_add(struct sample *s, struct srule *r, enum policy_cap_of of, const uint8_t id[SAMPLE_ID],
		   struct sub **ret)
{
	struct sub *u;

	if (s->subs.count >= s->cfg.subs)
		sweep(s);
	if (s->subs.count >= s->cfg.subs)
		return -ENOSPC;
	u = calloc(1, sizeof(*u));
	if (!u)
		return -ENOMEM;
	u->rule = r;
	u->of = (uint8_t)of;
	memcpy(u->id, id, SAMPLE_ID);
	count_start(s, r, &u->count);
	htab_add(&s->subs, &u->node, sample_key(id, r, (uint8_t)of));
	*ret = u;
	return 0;
}

struct slot *sample_slot_find(struct sample *s, uint64_t id)
{
	struct hnode *h = htab_first(&s->slots, hash_bytes(&id, sizeof(id)));

	for (; h; h = htab_next(h))
		if (container_of(h, struct slot, node)->id == id)
			return container_of(h, struct slot, node);
	return NULL;
}

int sample_slot_add(struct sample *s, uint64_t id, struct slot **ret)
{
	struct slot *sl;

	if (s->slots.count >= s->cfg.slots)
		return -ENOSPC;
	sl = calloc(1, sizeof(*sl));
	if (!sl)
		return -ENOMEM;
	sl->id = id;
	htab_add(&s->slots, &sl->node, hash_bytes(&id, sizeof(id)));
	*ret = sl;
	return 0;
}

void sample_slot_del(struct sample *s, struct slot *sl)
{
	if (sl->agent)
		sl->agent->refs--;
	if (sl->queue)
		sl->queue->refs--;
	htab_del(&s->slots, &sl->node);
	free(sl);
}

static void kernel_random(void *arg, void *buf, size_t n)
{
	(void)arg;
	randombytes_buf(buf, n);
}

int sample_new(const struct sample_config *cfg, struct sample **ret)
{
	struct sample *s;

	if (sodium_init() < 0)
		return -EIO;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->cfg = *cfg;
	s->cfg.rules = cfg->rules ? cfg->rules : SAMPLE_RULES;
	s->cfg.slots = cfg->slots ? cfg->slots : SAMPLE_SLOTS;
	s->cfg.subs = cfg->subs ? cfg->subs : SAMPLE_SUBS;
	s->cfg.random = cfg->random ? cfg->random : kernel_random;
	if (htab_init(&s->rules, 64) || htab_init(&s->subs, 256) || htab_init(&s->slots, 256)) {
		htab_free(&s->rules);
		htab_free(&s->subs);
		htab_free(&s->slots);
		free(s);
		return -ENOMEM;
	}
	mutex_init(&s->lock);
	s->cfg.random(s->cfg.random_arg, s->salt, sizeof(s->salt));
	*ret = s;
	return 0;
}

static void free_nodes(struct htab *t, size_t offset)
{
	for (size_t i = 0; t->slot && i <= t->mask; i++) {
		for (struct hnode *h = t->slot[i], *next; h; h = next) {
			next = h->next;
			free((char *)h - offset);
		}
		t->slot[i] = NULL;
	}
	t->count = 0;
}

void sample_clear(struct sample *s)
{
	free_nodes(&s->slots, offsetof(struct slot, node));
	free_nodes(&s->subs, offsetof(struct sub, node));
	free_nodes(&s->rules, offsetof(struct srule, node));
	s->all = NULL;
}

void sample_free(struct sample *s)
{
	if (!s)
		return;
	sample_clear(s);
	htab_free(&s->rules);
	htab_free(&s->subs);
	htab_free(&s->slots);
	pthread_mutex_destroy(&s->lock);
	sodium_memzero(s, sizeof(*s));
	free(s);
}

/* ---- records ---- */

/* rec has its kind; the rest of what all have is filled in. r NULL: a rule that there was no room for. */
static void tell(struct sample *s, struct srule *r, struct sample_record *rec)
{
	if (r) {
		memcpy(rec->rule, r->o.set.id, SAMPLE_ID);
		rec->seq = ++r->seq;
	}
	s->gen++;
	if (s->cfg.record)
		s->cfg.record(s->cfg.record_arg, rec);
}

static void tell_open(struct sample *s, struct srule *r, uint64_t ns)
{
	struct sample_record rec = { .kind = SAMPLE_R_OPEN, .time_ns = ns, .open = &r->o };

	r->o.start = !r->opened;
	r->o.plan = SAMPLE_PLAN;
	r->opened = true;
	tell(s, r, &rec);
}

/* ---- draws ---- */

/* The rule, under the settings that are in force now. */
static int rule_for(struct sample *s, const struct sample_rule *set, uint64_t ns, struct srule **ret)
{
	struct srule *r = sample_rule_find(s, set->id);
	int rc;

	if (!r) {
		rc = sample_rule_add(s, set, &r);
		if (rc)
			return rc;
	}
	if (!plan_same_rule(&r->o.set, set)) {
		r->o.set = *set;
		r->quarter = 0; /* the zone may be another */
		r->start_day = 0;
		plan_limits(&r->o);
		tell_open(s, r, ns);
	} else if (!r->opened) {
		tell_open(s, r, ns);
	}
	*ret = r;
	return 0;
}

static int sub_for(struct sample *s, struct srule *r, enum policy_cap_of of, const struct policy_str *name,
		   const struct when *t, struct sub **ret, uint8_t ret_id[SAMPLE_ID])
{
	uint8_t id[SAMPLE_ID] = { 0 };
	struct sub *u;
	int rc;

	*ret = NULL;
	if (!plan_counts(&r->o.set, of))
		return 0;
	if (name->p && name->n)
		(void)crypto_generichash(id, sizeof(id), (const unsigned char *)name->p, name->n, s->salt,
					 sizeof(s->salt));
	memcpy(ret_id, id, SAMPLE_ID);
	u = sample_sub_find(s, r, of, id);
	if (!u) {
		rc = sample_sub_add(s, r, of, id, &u);
		if (rc)
			return rc;
	}
	plan_count_roll(&u->count, t);
	*ret = u;
	return 0;
}

static int take_slot(struct sample *s, struct srule *r, struct sub *agent, struct sub *queue,
		     const struct sample_record *rec, struct slot **ret)
{
	struct slot *sl;
	uint64_t id;
	int rc;

	do /* not counted up: what a crash took back must not be another call's number */
		s->cfg.random(s->cfg.random_arg, &id, sizeof(id));
	while (!id || sample_slot_find(s, id));
	rc = sample_slot_add(s, id, &sl);
	if (rc)
		return rc;
	plan_take(r, agent, queue);
	sl->rule = r;
	sl->agent = agent;
	sl->queue = queue;
	if (agent)
		agent->refs++;
	if (queue)
		queue->refs++;
	memcpy(sl->key, r->o.count.key, sizeof(sl->key));
	memcpy(sl->call, rec->call, SAMPLE_ID);
	sl->day = r->o.day;
	*ret = sl;
	return 0;
}

/* The rule is there and its settings are right. Fills rec; the slot when it is in. */
static void draw_rule(struct sample *s, struct srule *r, const struct sample_input *in, struct sample_record *rec,
		      struct slot **ret_slot)
{
	struct sub *agent = NULL, *queue = NULL;
	const uint8_t *seed;
	struct when t;

	if (!plan_usable(&r->o.set) || plan_when(r, rec->time_ns, &t)) {
		rec->why = SAMPLE_OUT_SETTINGS;
		return;
	}
	rec->day = t.day;
	seed = sample_seed_for(s, r, t.day);
	if (!seed) {
		rec->why = SAMPLE_OUT_SEED;
		return;
	}
	s->high_ns = rec->time_ns;
	if (plan_roll(r, &t))
		tell_open(s, r, rec->time_ns);
	rec->draw = plan_draw(seed, r->o.set.id, rec->call);
	if (sub_for(s, r, POLICY_OF_AGENT, &in->agent, &t, &agent, rec->agent) ||
	    sub_for(s, r, POLICY_OF_QUEUE, &in->queue, &t, &queue, rec->queue)) {
		rec->why = SAMPLE_OUT_FULL;
		rec->arrivals = plan_arrivals(&r->o);
		rec->before = r->o.count;
	} else {
		plan_decide(r, &t, agent, queue, rec);
		if (rec->why == SAMPLE_IN && take_slot(s, r, agent, queue, rec, ret_slot))
			rec->why = SAMPLE_OUT_FULL;
	}
	plan_arrive(r, &t);
}

void sample_draw(struct sample *s, const struct sample_input *in, struct sample_result *ret)
{
	struct sample_record rec = { .kind = SAMPLE_R_DRAW };
	struct slot *sl = NULL;
	struct srule *r = NULL;

	sample_call_hash(in->call_id.p, in->call_id.p ? in->call_id.n : 0, rec.call);
	pthread_mutex_lock(&s->lock);
	rec.time_ns = in->now_ns > s->high_ns ? in->now_ns : s->high_ns;
	assert(sample_rule_valid(in->rule));
	if (rule_for(s, in->rule, rec.time_ns, &r)) {
		rec.why = SAMPLE_OUT_FULL;
		memcpy(rec.rule, in->rule->id, SAMPLE_ID);
	} else {
		draw_rule(s, r, in, &rec, &sl);
	}
	tell(s, r, &rec);
	*ret = (struct sample_result){ sl != NULL, rec.why, sl ? sl->id : 0, rec.threshold, rec.draw };
	if (sl) {
		sl->seq = rec.seq;
		sl->gen = s->gen;
	}
	pthread_mutex_unlock(&s->lock);
}

int sample_release(struct sample *s, uint64_t slot)
{
	struct sample_record rec = { .kind = SAMPLE_R_RELEASE };
	struct slot *sl;

	pthread_mutex_lock(&s->lock);
	sl = sample_slot_find(s, slot);
	if (sl) {
		rec.time_ns = s->high_ns;
		rec.of = sl->seq;
		memcpy(rec.call, sl->call, SAMPLE_ID);
		plan_give_back(sl);
		tell(s, sl->rule, &rec);
		sample_slot_del(s, sl);
	}
	pthread_mutex_unlock(&s->lock);
	return sl ? 0 : -ENOENT;
}

int sample_spend(struct sample *s, uint64_t slot)
{
	struct slot *sl;

	pthread_mutex_lock(&s->lock);
	sl = sample_slot_find(s, slot);
	if (sl) {
		sample_slot_del(s, sl);
		s->gen++;
	}
	pthread_mutex_unlock(&s->lock);
	return sl ? 0 : -ENOENT;
}

int sample_note_use(struct sample *s, const uint8_t rule[SAMPLE_ID], uint32_t n)
{
	struct sample_record rec = { .kind = SAMPLE_R_USE, .of = n };
	struct srule *r;

	pthread_mutex_lock(&s->lock);
	r = sample_rule_find(s, rule);
	if (r && !r->o.day)
		r = NULL;
	if (r) {
		rec.time_ns = s->high_ns;
		if (!r->opened)
			tell_open(s, r, s->high_ns);
		plan_use(&r->o, n);
		tell(s, r, &rec);
	}
	pthread_mutex_unlock(&s->lock);
	return r ? 0 : -ENOENT;
}

/* ---- figures ---- */

int sample_rule_figures(struct sample *s, const uint8_t rule[SAMPLE_ID], struct sample_figures *ret)
{
	struct sample_figures f = { 0 };
	struct srule *r;

	pthread_mutex_lock(&s->lock);
	r = sample_rule_find(s, rule);
	if (r) {
		f.count = r->o.count;
		memcpy(f.limit, r->o.limit, sizeof(f.limit));
		f.arrivals = plan_arrivals(&r->o);
		f.seq = r->seq;
		for (int i = 0; i < SAMPLE_RING; i++) {
			const struct sample_use *u = &r->o.use[i];

			if (!u->day || u->day < r->o.day - SAMPLE_WINDOW || u->day >= r->o.day)
				continue;
			f.recorded30 += u->recorded;
			f.used30 += u->used;
		}
	}
	pthread_mutex_unlock(&s->lock);
	if (!r)
		return -ENOENT;
	*ret = f;
	return 0;
}

size_t sample_slots(struct sample *s)
{
	size_t n;

	pthread_mutex_lock(&s->lock);
	n = s->slots.count;
	pthread_mutex_unlock(&s->lock);
	return n;
}
