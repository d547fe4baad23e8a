/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lint_number.c - questions about sets of numbers, asked again and again by the checks
 *
 * A thousand rules that name the same two sets ask the same thing a thousand
 * times; each answer about large sets is found once and kept until the end of
 * the checks (struct policy, memo). Nothing is ever joined into one list: what a
 * criterion holds are its parts, the numbers written in it and its sets.
 */
#include <stdlib.h>
#include <string.h>

#include "lint.h"

#define SMALL 48 /* intervals of both together: looked at again rather than remembered */

enum { ASK_WITHIN, ASK_MEET };

struct answer {
	const struct ivals *a, *b;
	bool meet, yes;
};

struct memo {
	struct answer *slot; /* open addressing, a NULL is free */
	size_t n, cap;	     /* cap: a power of two */
	bool oom;	     /* for memo_end */
};

static size_t place(const struct memo *m, const struct ivals *a, const struct ivals *b, bool meet)
{
	uint64_t h = ((uint64_t)(uintptr_t)a * 0x9e3779b97f4a7c15ull) ^
		     ((uint64_t)(uintptr_t)b * 0xc2b2ae3d27d4eb4full) ^ (meet ? 0x5bd1e995u : 0);
	size_t i = (h ^ h >> 29) & (m->cap - 1);

	while (m->slot[i].a && (m->slot[i].a != a || m->slot[i].b != b || m->slot[i].meet != meet))
		i = (i + 1) & (m->cap - 1);
	return i;
}

static bool grow(struct memo *m)
{
	struct memo big = {.cap = m->cap ? m->cap * 2 : 256, .n = m->n, .oom = m->oom};

	big.slot = calloc(big.cap, sizeof(*big.slot));
	if (!big.slot)
		return false;
	for (size_t i = 0; i < m->cap; i++)
		if (m->slot[i].a)
			big.slot[place(&big, m->slot[i].a, m->slot[i].b, m->slot[i].meet)] = m->slot[i];
	free(m->slot);
	*m = big;
	return true;
}

static bool within(const struct ivals *in, const struct ivals *of)
{
	size_t j = 0;

	for (size_t i = 0; i < in->n; i++) {
		while (j < of->n && of->hi[j] < in->lo[i])
			j++;
		if (j == of->n || of->lo[j] > in->lo[i] || of->hi[j] < in->hi[i])
			return false;
	}
	return true;
}

static bool ask(const struct policy *p, const struct ivals *a, const struct ivals *b, int what)
{
	bool meet = what == ASK_MEET, yes;
	struct memo *m = p->memo;
	size_t i;

	if (!m || a->n + b->n <= SMALL)
		return meet ? ivals_intersect(a, b) : within(a, b);
	if (m->n * 2 >= m->cap && !grow(m)) {
		m->oom = true;
		return false;
	}
	i = place(m, a, b, meet);
	if (m->slot[i].a)
		return m->slot[i].yes;
	yes = meet ? ivals_intersect(a, b) : within(a, b);
	m->slot[i] = (struct answer){a, b, meet, yes};
	m->n++;
	return yes;
}

bool memo_begin(struct policy *p)
{
	p->memo = calloc(1, sizeof(*p->memo));
	return p->memo != NULL;
}

void memo_end(struct policy *p)
{
	if (p->memo) {
		p->oom |= p->memo->oom;
		free(p->memo->slot);
	}
	free(p->memo);
	p->memo = NULL;
}

/* ---- ranges ---- */

#define DIGITS_IN_COMMON 4 /* as a prefix has, so that no range catches a whole country */

/* As a prefix would say both ends; a number of four digits has three of them. */
static bool too_wide(const struct pattern *x)
{
	uint64_t m = 1;
	int rest = x->len > DIGITS_IN_COMMON ? x->len - DIGITS_IN_COMMON : 1;

	for (int i = 0; i < rest; i++)
		m *= 10;
	return x->kind == PAT_RANGE && x->lo / m != x->hi / m;
}

void check_ranges(struct policy *p, const struct numbers *c)
{
	for (size_t i = 0; i < c->n; i++) {
		struct pos at = { .line = c->pat[i].line, .col = c->pat[i].col, .width = 1, .file = c->file };

		if (!too_wide(&c->pat[i]))
			continue;
		diag_add(p, at, "L-09", NULL, "ranges whose ends have their first four digits in common, or prefixes with *.",
			 "this range is too wide: its ends have no four digits in common after +.");
	}
}

/* ---- parts ---- */

static const struct ivals *set_ivals(const struct word *w)
{
	static const struct ivals none;

	return w->obj ? &((const struct set *)w->obj)->numbers.iv : &none;
}

bool numbers_empty(const struct numbers *c)
{
	for (const struct word *w = c->sets; w; w = w->next)
		if (set_ivals(w)->n)
			return false;
	return c->iv.n == 0;
}

bool numbers_meet_ivals(const struct policy *p, const struct numbers *c, const struct ivals *v)
{
	if (ask(p, &c->iv, v, ASK_MEET))
		return true;
	for (const struct word *w = c->sets; w; w = w->next)
		if (ask(p, set_ivals(w), v, ASK_MEET))
			return true;
	return false;
}

bool numbers_meet(const struct policy *p, const struct numbers *a, const struct numbers *b)
{
	if (numbers_meet_ivals(p, a, &b->iv))
		return true;
	for (const struct word *w = b->sets; w; w = w->next)
		if (numbers_meet_ivals(p, a, set_ivals(w)))
			return true;
	return false;
}

/* End of the longest run from `at` that one part of c holds; at - 1: none does. */
static uint64_t run(const struct ivals *v, uint64_t at)
{
	size_t lo = 0, hi = v->n;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (v->hi[mid] < at)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < v->n && v->lo[lo] <= at ? v->hi[lo] : at - 1;
}

/* in lies in the parts of `of` together; only sets that cannot change, if `still`. */
static bool part_covered(const struct policy *p, const struct ivals *in, const struct numbers *of, bool still)
{
	if (ask(p, in, &of->iv, ASK_WITHIN))
		return true;
	for (const struct word *w = of->sets; w; w = w->next)
		if ((!still || (w->obj && !((const struct set *)w->obj)->dynamic)) &&
		    ask(p, in, set_ivals(w), ASK_WITHIN))
			return true;
	if (!of->sets || (!of->sets->next && !of->iv.n))
		return false;
	for (size_t i = 0; i < in->n; i++)
		for (uint64_t at = in->lo[i], end; at <= in->hi[i]; at = end + 1) {
			end = run(&of->iv, at);
			for (const struct word *w = of->sets; w && end < at; w = w->next)
				if (!still || (w->obj && !((const struct set *)w->obj)->dynamic))
					end = run(set_ivals(w), at);
			if (end < at)
				return false;
		}
	return true;
}

static bool names_set(const struct numbers *c, const struct set *s)
{
	for (const struct word *w = c->sets; w; w = w->next)
		if (w->obj == s)
			return true;
	return false;
}

/* What is in a set that was not understood nobody knows; that it was not is told. */
static bool in_doubt(const struct numbers *c)
{
	for (const struct word *w = c->sets; w; w = w->next)
		if (w->obj && ((const struct set *)w->obj)->o.bad)
			return true;
	return false;
}

bool numbers_cover(const struct policy *p, const struct numbers *of, const struct numbers *in, bool still)
{
	if (in_doubt(of) || in_doubt(in))
		return true;
	if (!part_covered(p, &in->iv, of, still))
		return false;
	for (const struct word *w = in->sets; w; w = w->next) {
		const struct set *s = w->obj;

		if (!s || names_set(of, s))
			continue;
		if ((still && s->dynamic) || !part_covered(p, &s->numbers.iv, of, still))
			return false;
	}
	return true;
}
