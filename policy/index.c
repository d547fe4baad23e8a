/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * index.c - which rules a number can concern
 *
 * An entity is a set of numbers, or the numbers written in one rule; it knows
 * the rules that ask for it. All intervals of all entities cut the number space
 * into segments; each segment knows the entities it lies in. A look-up is one
 * binary search, so that its cost does not grow with the number of rules: a
 * thousand rules that name their own numbers leave one or two candidates.
 * Rules that match by something else are candidates for every call.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#define POOL_MAX                                                                                   \
	(16u << 20) /* entries; deeply nested ranges could need their square: then no index */

struct entity {
	const struct ivals *iv;
	uint32_t *rules;
	size_t n, cap;
};

struct side {
	struct entity *e;
	size_t n, cap;
	uint64_t *start; /* of each segment, ascending; start[0] is 0 */
	uint32_t *list;	 /* of each segment: offset into pool */
	size_t nseg;
	uint32_t *pool; /* lists: count, then entities */
	size_t npool, pool_cap;
	bool off; /* too much: every rule of this side is a candidate */
};

struct index {
	struct side side[2]; /* called, calling */
	uint64_t always[(RULES_MAX + 63) / 64];
	uint64_t by_number[2][(RULES_MAX + 63) / 64];
	size_t words;
};

/* Where an interval begins or ends: a key with EVENT(entity, end). */
#define EVENT(entity, end) ((uint64_t)(entity) << 1 | (end))

static void *grow(struct arena *a, void *old, size_t n, size_t *cap, size_t size)
{
	void *v;

	if (n < *cap)
		return old;
	v = arena_alloc(a, (*cap ? *cap * 2 : 8) * size);
	if (!v)
		return NULL;
	if (n)
		memcpy(v, old, n * size);
	*cap = *cap ? *cap * 2 : 8;
	return v;
}

static int add_rule(struct arena *a, struct side *s, const struct ivals *iv, uint32_t rule)
{
	struct entity *e = NULL;

	for (size_t i = 0; i < s->n && !e; i++)
		if (s->e[i].iv == iv)
			e = &s->e[i];
	if (!e) {
		s->e = grow(a, s->e, s->n, &s->cap, sizeof(*s->e));
		if (!s->e)
			return -ENOMEM;
		e = &s->e[s->n++];
		memset(e, 0, sizeof(*e));
		e->iv = iv;
	}
	e->rules = grow(a, e->rules, e->n, &e->cap, sizeof(*e->rules));
	if (!e->rules)
		return -ENOMEM;
	e->rules[e->n++] = rule;
	return 0;
}

static int add_numbers(struct arena *a, struct side *s, const struct numbers *c, uint32_t rule)
{
	int err = c->n ? add_rule(a, s, &c->iv, rule) : 0;

	for (const struct word *w = c->sets; w && !err; w = w->next)
		err = add_rule(a, s, &((const struct set *)w->obj)->numbers.iv, rule);
	return err;
}

static int pool_list(struct arena *a, struct side *s, const uint32_t *active, size_t n,
		     uint32_t *ret)
{
	if (n == 0 || n == 1) { /* the usual ones are shared: empty at 0, of entity e at 1 + 2e */
		*ret = n ? 1 + 2 * active[0] : 0;
		return 0;
	}
	if (s->npool + n + 1 > POOL_MAX)
		return -E2BIG;
	if (s->npool + n + 1 > s->pool_cap) {
		size_t cap = (s->npool + n + 1) * 2;
		uint32_t *v = arena_alloc(a, cap * sizeof(*v));

		if (!v)
			return -ENOMEM;
		memcpy(v, s->pool, s->npool * sizeof(*v));
		s->pool = v;
		s->pool_cap = cap;
	}
	*ret = (uint32_t)s->npool;
	s->pool[s->npool++] = (uint32_t)n;
	memcpy(s->pool + s->npool, active, n * sizeof(*active));
	s->npool += n;
	return 0;
}

static int sweep(struct arena *a, struct side *s, const struct keyed *ev, size_t n,
		 uint32_t *active)
{
	size_t nact = 0;
	int err;

	for (size_t i = 0; i < n;) {
		uint64_t key = ev[i].key;

		for (; i < n && ev[i].key == key; i++) {
			size_t k = 0;

			if (!(ev[i].with & 1)) {
				active[nact++] = (uint32_t)(ev[i].with >> 1);
				continue;
			}
			while (active[k] != ev[i].with >> 1)
				k++;
			active[k] = active[--nact];
		}
		s->start[s->nseg] = key;
		err = pool_list(a, s, active, nact, &s->list[s->nseg]);
		if (err)
			return err;
		s->nseg++;
	}
	return 0;
}

static size_t put_events(const struct side *s, size_t i, struct keyed *ev, size_t k)
{
	const struct ivals *iv = i < s->n ? s->e[i].iv : NULL;

	for (size_t j = 0; iv && j < iv->n; j++) {
		ev[k++] = (struct keyed){iv->lo[j], EVENT(i, 0)};
		ev[k++] = (struct keyed){iv->hi[j] + 1, EVENT(i, 1)};
	}
	return k;
}

/* The entity with the most intervals: its events come first, sorted as they are, and only the others have to be. */
static size_t largest(const struct side *s)
{
	size_t most = 0;

	for (size_t i = 1; i < s->n; i++)
		if (s->e[i].iv->n > s->e[most].iv->n)
			most = i;
	return most;
}

static int build_side(struct arena *a, struct side *s)
{
	size_t n = 0, k, first = largest(s);
	struct keyed *ev;
	uint32_t *active;
	int err = -ENOMEM;

	for (size_t i = 0; i < s->n; i++)
		n += 2 * s->e[i].iv->n;
	s->start = arena_alloc(a, (n + 1) * sizeof(*s->start));
	s->list = arena_alloc(a, (n + 1) * sizeof(*s->list));
	s->npool = 1 + 2 * s->n;
	s->pool_cap = s->npool + 1024;
	s->pool = arena_alloc(a, s->pool_cap * sizeof(*s->pool));
	ev = malloc((n + 1) * sizeof(*ev));
	active = calloc((s->n + 1) * 2, sizeof(*active));
	if (!s->start || !s->list || !s->pool || !ev || !active)
		goto out;
	k = put_events(s, first, ev, 0);
	for (size_t i = 0; i < s->n; i++) {
		s->pool[1 + 2 * i] = 1;
		s->pool[2 + 2 * i] = (uint32_t)i;
		if (i != first)
			k = put_events(s, i, ev, k);
	}
	/* Disjoint intervals of one entity never touch (ivals_build joins them), so order within a
	 * key is free. */
	err = keyed_sort(ev, k);
	if (err)
		goto out;
	s->nseg = 1; /* from 0: nothing */
	err = sweep(a, s, ev, k, active);
	if (err == -E2BIG) {
		s->off = true;
		err = 0;
	}
out:
	free(ev);
	free(active);
	return err;
}

static void set_bit(uint64_t *bits, size_t i)
{
	bits[i / 64] |= 1ull << i % 64;
}

int index_build(struct policy *p)
{
	size_t n = p->nevers.n + p->rules.n, i = 0;
	struct index *x = arena_alloc(&p->arena, sizeof(*x));
	int err = 0;

	p->all = arena_alloc(&p->arena, (n + 1) * sizeof(*p->all));
	if (!x || !p->all)
		return -ENOMEM;
	p->index = x;
	x->words = (n + 63) / 64;
	for (struct obj *o = p->nevers.first; o; o = o->next)
		p->all[i++] = (struct rule *)o;
	p->rule_array = p->all + i;
	for (struct obj *o = p->rules.first; o; o = o->next)
		p->all[i++] = (struct rule *)o;
	for (i = 0; i < n && !err; i++) {
		const struct rule *r = p->all[i];
		int side = r->at[R_CALLED].line && !numbers_dynamic(&r->called) ? 0 : 1;

		/* Members that come and go are in no segment: such a rule is asked each time. */
		if (side == 1 && (!r->at[R_CALLING].line || r->calling.withheld || numbers_dynamic(&r->calling))) {
			set_bit(x->always, i);
			continue;
		}
		set_bit(x->by_number[side], i);
		err = add_numbers(&p->arena, &x->side[side], side ? &r->calling : &r->called,
				  (uint32_t)i);
	}
	for (int s = 0; s < 2 && !err; s++)
		err = build_side(&p->arena, &x->side[s]);
	return err;
}

static void side_candidates(const struct side *s, uint64_t key, uint64_t *bits)
{
	size_t lo = 0, hi = s->nseg;
	const uint32_t *l;

	while (hi - lo > 1) {
		size_t mid = (lo + hi) / 2;

		if (s->start[mid] <= key)
			lo = mid;
		else
			hi = mid;
	}
	l = s->pool + s->list[lo];
	for (uint32_t i = 0; i < *l; i++) {
		const struct entity *e = &s->e[l[1 + i]];

		for (size_t k = 0; k < e->n; k++)
			set_bit(bits, e->rules[k]);
	}
}

void index_candidates(const struct policy *p, uint64_t called, uint64_t calling, uint64_t *bits)
{
	const struct index *x = p->index;
	const uint64_t key[2] = {called, calling};

	memcpy(bits, x->always, x->words * sizeof(*bits));
	for (int s = 0; s < 2; s++) {
		if (x->side[s].off)
			for (size_t i = 0; i < x->words; i++)
				bits[i] |= x->by_number[s][i];
		else if (key[s])
			side_candidates(&x->side[s], key[s], bits);
	}
}
