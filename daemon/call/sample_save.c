/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sample_save.c - the sampler's state as bytes
 *
 *	"OPTSMP2\n"  le64 latest time  le64 when a state was lost  32 salt  le32 newest day revealed
 *	le32 seeds   { le32 day  32 seed  le64 published  u8 flags: 1 reveal, 2 unused, 4 dead }
 *	le32 rules   { settings  state  le64 last record }
 *	le32 agents and queues  { le32 rule  u8 of  16 hash  counters }
 *	le32 slots   { le64 number  le64 record  16 call  le32 rule  le32 agent + 1  le32 queue + 1  4 le32 periods  le32 day }
 *	16 BLAKE2b-128 of all before
 *
 * "OPTSMP1\n", of before there was a grace in the settings, is read as well.
 *
 * What is read is checked field by field: no bytes make the arithmetic divide by zero, index past an array
 * or open a period again. Runs under the sampler's mutex.
 */
#include "call/sample_internal.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

#define MAGIC	 "OPTSMP2\n"
#define MAGIC_1	 "OPTSMP1\n"
#define DIGEST	 16
#define DAY_MAX	 2932896 /* 31 December 9999 */
#define KEY_MAX	 (DAY_MAX * 24 + 23)

/* ---- what may be ---- */

bool sample_rule_valid(const struct sample_rule *r)
{
	if (!sample_zone_ok(r->zone) || r->permille < -1 || r->permille > 1000 || r->ncap < 0 ||
	    r->ncap > POLICY_CAPS_MAX || r->use_target_percent < 1 || r->use_target_percent > 100 ||
	    r->throttle_percent < 1 || r->throttle_percent > 1000 || r->use_floor < 1 || r->use_floor > 1000000 ||
	    r->grace >= SAMPLE_GRACE)
		return false;
	for (int i = 0; i < r->ncap; i++)
		if (r->cap[i].n < 0 || (unsigned)r->cap[i].per >= SAMPLE_KINDS || (unsigned)r->cap[i].of > POLICY_OF_AGENT)
			return false;
	return true;
}

static bool count_valid(const struct sample_count *c)
{
	for (int k = 0; k < SAMPLE_KINDS; k++)
		if (c->key[k] < 0 || c->key[k] > KEY_MAX)
			return false;
	return true;
}

bool sample_open_valid(const struct sample_open *o)
{
	if (!sample_rule_valid(&o->set) || !count_valid(&o->count) || o->day < 0 || o->day > DAY_MAX ||
	    o->since_s >= DAY_S)
		return false;
	for (int h = 0; h < 24; h++)
		if (o->arrived[h] > 1U << 26 || o->expect[0][h] > 1U << 30 || o->expect[1][h] > 1U << 30)
			return false;
	for (int k = 0; k < SAMPLE_KINDS; k++)
		if (o->limit[k] > INT32_MAX && o->limit[k] != SAMPLE_NONE)
			return false;
	for (int i = 0; i < SAMPLE_RING; i++)
		if (o->use[i].day && (o->use[i].day < 0 || o->use[i].day > DAY_MAX || o->use[i].day % SAMPLE_RING != i))
			return false;
	return true;
}

/* ---- writing ---- */

static void put_rule(struct buf *b, const struct sample_rule *r)
{
	buf_put(b, r->id, SAMPLE_ID);
	buf_put(b, r->zone, SAMPLE_ZONE);
	buf_put_le32(b, (uint32_t)r->permille);
	buf_put8(b, (uint8_t)r->ncap);
	for (int i = 0; i < r->ncap; i++) {
		buf_put_le32(b, (uint32_t)r->cap[i].n);
		buf_put8(b, (uint8_t)r->cap[i].per);
		buf_put8(b, (uint8_t)r->cap[i].of);
	}
	buf_put8(b, r->first_come);
	buf_put_le32(b, (uint32_t)r->use_target_percent);
	buf_put_le32(b, (uint32_t)r->throttle_percent);
	buf_put_le32(b, (uint32_t)r->use_floor);
	buf_put8(b, r->grace);
}

static void put_count(struct buf *b, const struct sample_count *c)
{
	for (int k = 0; k < SAMPLE_KINDS; k++) {
		buf_put_le32(b, (uint32_t)c->key[k]);
		buf_put_le32(b, c->used[k]);
	}
}

static void put_open(struct buf *b, const struct sample_open *o)
{
	put_rule(b, &o->set);
	put_count(b, &o->count);
	buf_put_le32(b, (uint32_t)o->day);
	buf_put_le32(b, o->since_s);
	for (int h = 0; h < 24; h++) {
		buf_put_le32(b, o->arrived[h]);
		buf_put_le32(b, o->expect[0][h]);
		buf_put_le32(b, o->expect[1][h]);
	}
	buf_put_le32(b, o->learned[0]);
	buf_put_le32(b, o->learned[1]);
	for (int k = 0; k < SAMPLE_KINDS; k++)
		buf_put_le32(b, o->limit[k]);
	for (int i = 0; i < SAMPLE_RING; i++) {
		buf_put_le32(b, (uint32_t)o->use[i].day);
		buf_put_le32(b, o->use[i].recorded);
		buf_put_le32(b, o->use[i].used);
	}
}

static void put_seeds(struct buf *b, const struct sample *s)
{
	uint32_t n = 0;

	for (int i = 0; i < SAMPLE_SEEDS; i++)
		n += s->seed[i].day != 0;
	buf_put_le32(b, n);
	for (int i = 0; i < SAMPLE_SEEDS; i++) {
		const struct seed *k = &s->seed[i];

		if (!k->day)
			continue;
		buf_put_le32(b, (uint32_t)k->day);
		buf_put(b, k->key, SAMPLE_SEED);
		buf_put_le64(b, k->commit_ns);
		buf_put8(b, (uint8_t)(k->reveal | k->unused << 1 | k->dead << 2));
	}
}

static void put_subs(struct buf *b, struct sample *s)
{
	uint32_t n = 0;

	buf_put_le32(b, (uint32_t)s->subs.count);
	for (size_t i = 0; i <= s->subs.mask; i++) {
		for (struct hnode *h = s->subs.slot[i]; h; h = h->next) {
			struct sub *u = container_of(h, struct sub, node);

			u->index = n++;
			buf_put_le32(b, u->rule->index);
			buf_put8(b, u->of);
			buf_put(b, u->id, SAMPLE_ID);
			put_count(b, &u->count);
		}
	}
}

static void put_slots(struct buf *b, const struct sample *s)
{
	buf_put_le32(b, (uint32_t)s->slots.count);
	for (size_t i = 0; i <= s->slots.mask; i++) {
		for (struct hnode *h = s->slots.slot[i]; h; h = h->next) {
			const struct slot *sl = container_of(h, struct slot, node);

			buf_put_le64(b, sl->id);
			buf_put_le64(b, sl->seq);
			buf_put(b, sl->call, SAMPLE_ID);
			buf_put_le32(b, sl->rule->index);
			buf_put_le32(b, sl->agent ? sl->agent->index + 1 : 0);
			buf_put_le32(b, sl->queue ? sl->queue->index + 1 : 0);
			for (int k = 0; k < SAMPLE_KINDS; k++)
				buf_put_le32(b, (uint32_t)sl->key[k]);
			buf_put_le32(b, (uint32_t)sl->day);
		}
	}
}

int sample_save(struct sample *s, struct buf *out, uint64_t *ret_gen)
{
	size_t from = out->len;
	uint8_t digest[DIGEST];
	uint32_t n = 0;
	uint64_t gen;

	pthread_mutex_lock(&s->lock);
	buf_put(out, MAGIC, 8);
	buf_put_le64(out, s->high_ns);
	buf_put_le64(out, s->lost_ns);
	buf_put(out, s->salt, sizeof(s->salt));
	buf_put_le32(out, (uint32_t)s->closed_day);
	put_seeds(out, s);
	buf_put_le32(out, (uint32_t)s->rules.count);
	for (struct srule *r = s->all; r; r = r->next) {
		r->index = n++;
		put_open(out, &r->o);
		buf_put_le64(out, r->seq);
	}
	put_subs(out, s);
	put_slots(out, s);
	gen = s->gen;
	pthread_mutex_unlock(&s->lock);
	if (out->failed)
		return -ENOMEM;
	(void)crypto_generichash(digest, DIGEST, out->p + from, out->len - from, NULL, 0);
	buf_put(out, digest, DIGEST);
	if (out->failed)
		return -ENOMEM;
	*ret_gen = gen;
	return 0;
}

void sample_saved(struct sample *s, uint64_t gen)
{
	pthread_mutex_lock(&s->lock);
	if (gen > s->durable && gen <= s->gen)
		s->durable = gen;
	pthread_mutex_unlock(&s->lock);
}

bool sample_durable(struct sample *s, uint64_t slot)
{
	const struct slot *sl;
	bool yes;

	pthread_mutex_lock(&s->lock);
	sl = sample_slot_find(s, slot);
	yes = sl && sl->gen <= s->durable;
	pthread_mutex_unlock(&s->lock);
	return yes;
}

bool sample_unsaved(struct sample *s)
{
	bool yes;

	pthread_mutex_lock(&s->lock);
	yes = s->gen != s->durable;
	pthread_mutex_unlock(&s->lock);
	return yes;
}

/* ---- reading ---- */

static void get_bytes(struct rd *r, void *to, size_t n)
{
	const uint8_t *p = rd_bytes(r, n);

	if (p)
		memcpy(to, p, n);
}

static void get_rule(struct rd *b, bool v1, struct sample_rule *r)
{
	memset(r, 0, sizeof(*r));
	get_bytes(b, r->id, SAMPLE_ID);
	get_bytes(b, r->zone, SAMPLE_ZONE);
	r->permille = (int)rd_le32(b);
	r->ncap = rd_u8(b);
	if (r->ncap > POLICY_CAPS_MAX) {
		b->bad = true;
		r->ncap = 0;
	}
	for (int i = 0; i < r->ncap; i++) {
		r->cap[i].n = (int)rd_le32(b);
		r->cap[i].per = rd_u8(b);
		r->cap[i].of = rd_u8(b);
	}
	r->first_come = rd_u8(b) != 0;
	r->use_target_percent = (int)rd_le32(b);
	r->throttle_percent = (int)rd_le32(b);
	r->use_floor = (int)rd_le32(b);
	r->grace = v1 ? 0 : rd_u8(b);
}

static void get_count(struct rd *b, struct sample_count *c)
{
	for (int k = 0; k < SAMPLE_KINDS; k++) {
		c->key[k] = (int32_t)rd_le32(b);
		c->used[k] = rd_le32(b);
	}
}

static void get_open(struct rd *b, bool v1, struct sample_open *o)
{
	memset(o, 0, sizeof(*o));
	get_rule(b, v1, &o->set);
	get_count(b, &o->count);
	o->day = (int32_t)rd_le32(b);
	o->since_s = rd_le32(b);
	for (int h = 0; h < 24; h++) {
		o->arrived[h] = rd_le32(b);
		o->expect[0][h] = rd_le32(b);
		o->expect[1][h] = rd_le32(b);
	}
	o->learned[0] = rd_le32(b);
	o->learned[1] = rd_le32(b);
	for (int k = 0; k < SAMPLE_KINDS; k++)
		o->limit[k] = rd_le32(b);
	for (int i = 0; i < SAMPLE_RING; i++) {
		o->use[i].day = (int32_t)rd_le32(b);
		o->use[i].recorded = rd_le32(b);
		o->use[i].used = rd_le32(b);
	}
}

static int get_seeds(struct rd *b, struct seed seed[SAMPLE_SEEDS])
{
	uint32_t n = rd_le32(b);

	if (n > SAMPLE_SEEDS)
		return -EBADMSG;
	for (uint32_t i = 0; i < n; i++) {
		uint8_t flags;

		seed[i].day = (int32_t)rd_le32(b);
		get_bytes(b, seed[i].key, SAMPLE_SEED);
		seed[i].commit_ns = rd_le64(b);
		flags = rd_u8(b);
		seed[i].reveal = flags & 1;
		seed[i].unused = flags & 2;
		seed[i].dead = flags & 4;
		if (b->bad || flags > 7 || (flags & 6 && !(flags & 1)) || seed[i].day <= 0 || seed[i].day > DAY_MAX)
			return -EBADMSG;
		for (uint32_t j = 0; j < i; j++)
			if (seed[j].day == seed[i].day)
				return -EBADMSG;
	}
	return 0;
}

/* What slots and agents name by their place in the bytes. */
struct places {
	struct srule **rule;
	struct sub **sub;
	uint32_t rules, subs;
};

static int get_rules(struct sample *s, struct rd *b, bool v1, struct places *pl)
{
	int rc;

	pl->rules = rd_le32(b);
	if (b->bad || pl->rules > b->left / 64)
		return -EBADMSG;
	pl->rule = calloc(pl->rules + 1, sizeof(struct srule *));
	if (!pl->rule)
		return -ENOMEM;
	for (uint32_t i = 0; i < pl->rules; i++) {
		struct sample_open o;
		uint64_t seq;

		get_open(b, v1, &o);
		seq = rd_le64(b);
		if (b->bad || !sample_open_valid(&o) || sample_rule_find(s, o.set.id))
			return -EBADMSG;
		rc = sample_rule_add(s, &o.set, &pl->rule[i]);
		if (rc)
			return rc;
		pl->rule[i]->o = o;
		pl->rule[i]->seq = seq;
	}
	return 0;
}

static int get_subs(struct sample *s, struct rd *b, struct places *pl)
{
	int rc;

	pl->subs = rd_le32(b);
	if (b->bad || pl->subs > b->left / 32)
		return -EBADMSG;
	pl->sub = calloc(pl->subs + 1, sizeof(struct sub *));
	if (!pl->sub)
		return -ENOMEM;
	if (pl->subs > s->cfg.subs)
		return -ENOSPC;
	for (uint32_t i = 0; i < pl->subs; i++) {
		uint32_t rule = rd_le32(b);
		uint8_t of = rd_u8(b), id[SAMPLE_ID] = { 0 };
		struct sample_count c;

		get_bytes(b, id, SAMPLE_ID);
		get_count(b, &c);
		if (b->bad || rule >= pl->rules || (of != POLICY_OF_AGENT && of != POLICY_OF_QUEUE) ||
		    !count_valid(&c) || sample_sub_find(s, pl->rule[rule], of, id))
			return -EBADMSG;
		rc = sample_sub_add(s, pl->rule[rule], of, id, &pl->sub[i]);
		if (rc)
			return rc;
		pl->sub[i]->count = c;
	}
	return 0;
}

static bool get_sub_of(const struct places *pl, uint32_t place, const struct srule *r, enum policy_cap_of of,
		       struct sub **ret)
{
	*ret = NULL;
	if (!place)
		return true;
	if (place > pl->subs || pl->sub[place - 1]->rule != r || pl->sub[place - 1]->of != (uint8_t)of)
		return false;
	*ret = pl->sub[place - 1];
	return true;
}

static int get_slot(struct sample *s, struct rd *b, const struct places *pl)
{
	struct sub *agent, *queue;
	struct slot v = { 0 }, *sl;
	uint32_t rule, a, q;
	int rc;

	v.id = rd_le64(b);
	v.seq = rd_le64(b);
	get_bytes(b, v.call, SAMPLE_ID);
	rule = rd_le32(b);
	a = rd_le32(b);
	q = rd_le32(b);
	for (int k = 0; k < SAMPLE_KINDS; k++)
		v.key[k] = (int32_t)rd_le32(b);
	v.day = (int32_t)rd_le32(b);
	if (b->bad || !v.id || rule >= pl->rules || v.day <= 0 || v.day > DAY_MAX || sample_slot_find(s, v.id) ||
	    !get_sub_of(pl, a, pl->rule[rule], POLICY_OF_AGENT, &agent) ||
	    !get_sub_of(pl, q, pl->rule[rule], POLICY_OF_QUEUE, &queue))
		return -EBADMSG;
	rc = sample_slot_add(s, v.id, &sl);
	if (rc)
		return rc;
	sl->seq = v.seq;
	sl->rule = pl->rule[rule];
	sl->agent = agent;
	sl->queue = queue;
	memcpy(sl->call, v.call, SAMPLE_ID);
	memcpy(sl->key, v.key, sizeof(sl->key));
	sl->day = v.day;
	sl->unclaimed = true;
	if (agent)
		agent->refs++;
	if (queue)
		queue->refs++;
	return 0;
}

static int get_tables(struct sample *s, struct rd *b, bool v1)
{
	struct places pl = { 0 };
	int rc = get_rules(s, b, v1, &pl);
	uint32_t n;

	if (!rc)
		rc = get_subs(s, b, &pl);
	n = rc ? 0 : rd_le32(b);
	for (uint32_t i = 0; i < n && !rc; i++)
		rc = get_slot(s, b, &pl);
	if (!rc && (b->bad || b->left))
		rc = -EBADMSG;
	free(pl.rule);
	free(pl.sub);
	return rc;
}

int sample_load(struct sample *s, const void *bytes, size_t n)
{
	struct rd b = { bytes, n, false };
	struct seed seed[SAMPLE_SEEDS] = { 0 };
	uint8_t digest[DIGEST], salt[sizeof(s->salt)] = { 0 };
	const uint8_t *magic;
	uint64_t high, lost;
	int32_t closed;
	bool v1;
	int rc;

	if (n < 8 + DIGEST)
		return -EBADMSG;
	b.left -= DIGEST;
	(void)crypto_generichash(digest, DIGEST, bytes, b.left, NULL, 0);
	magic = rd_bytes(&b, 8);
	v1 = magic && !memcmp(magic, MAGIC_1, 8);
	if (!magic || (!v1 && memcmp(magic, MAGIC, 8)) || memcmp(digest, (const uint8_t *)bytes + n - DIGEST, DIGEST))
		return -EBADMSG;
	high = rd_le64(&b);
	lost = rd_le64(&b);
	get_bytes(&b, salt, sizeof(salt));
	closed = (int32_t)rd_le32(&b);
	if (closed < 0 || closed > DAY_MAX)
		return -EBADMSG;
	pthread_mutex_lock(&s->lock);
	rc = s->all || s->gen ? -EBUSY : get_seeds(&b, seed);
	if (!rc) {
		rc = get_tables(s, &b, v1);
		if (rc)
			sample_clear(s);
	}
	if (!rc) {
		s->high_ns = high;
		s->lost_ns = lost;
		memcpy(s->salt, salt, sizeof(salt));
		memcpy(s->seed, seed, sizeof(seed));
		s->closed_day = closed;
	}
	pthread_mutex_unlock(&s->lock);
	sodium_memzero(seed, sizeof(seed));
	return rc;
}

void sample_lost(struct sample *s, uint64_t now_ns)
{
	pthread_mutex_lock(&s->lock);
	s->lost_ns = now_ns;
	s->gen++;
	pthread_mutex_unlock(&s->lock);
}

int sample_claim(struct sample *s, uint64_t slot, const uint8_t call[SAMPLE_ID])
{
	struct slot *sl;
	int rc = 0;

	pthread_mutex_lock(&s->lock);
	sl = sample_slot_find(s, slot);
	if (!sl)
		rc = -ENOENT;
	else if (memcmp(sl->call, call, SAMPLE_ID))
		rc = -EINVAL;
	else if (!sl->unclaimed)
		rc = -EALREADY;
	else
		sl->unclaimed = false;
	pthread_mutex_unlock(&s->lock);
	return rc;
}

size_t sample_settle(struct sample *s)
{
	size_t n = 0;

	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i <= s->slots.mask; i++) {
		for (struct hnode *h = s->slots.slot[i], *next; h; h = next) {
			struct slot *sl = container_of(h, struct slot, node);

			next = h->next;
			if (!sl->unclaimed)
				continue;
			sample_slot_del(s, sl);
			n++;
		}
	}
	s->gen += n != 0;
	pthread_mutex_unlock(&s->lock);
	return n;
}
