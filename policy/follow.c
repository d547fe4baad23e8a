/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * follow.c - what one criterion says about another, see follow.h
 *
 * Asked by the linter about pairs of rules, and afterwards about the rule that took a call and the others. Read-only.
 */
#include "follow.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- numbers ---- */

const struct numbers *numbers_written(const struct rule *r, int side)
{
	return r->at[side ? R_CALLING : R_CALLED].line ? (side ? &r->calling : &r->called) : NULL;
}

bool any_trunk(const struct controller *c)
{
	for (int i = 0; i < TRUNKS_MAX / 64; i++)
		if (c->trunk_bits[i])
			return true;
	return false;
}

const struct numbers *numbers_of(const struct rule *r, int side)
{
	const struct numbers *n = numbers_written(r, side);
	const struct controller *c = rule_controller(r);

	return n || !c || side != (int)r->pub.side || any_trunk(c) ? n : &c->numbers;
}

bool numbers_follow(const struct policy *p, const struct numbers *of, const struct numbers *in)
{
	if (!in || (in->withheld && !of->withheld) ||
	    /* nothing written and members yet to come: the same sets only, which cover looks at */
	    (!in->sets && !in->n && !in->withheld))
		return false;
	return numbers_cover(p, of, in, true);
}

/* ---- headers ---- */

static bool same_field(const struct header_crit *a, const struct header_crit *b)
{
	return a->which == b->which && (a->which != H_HEADER || !strcasecmp(a->name, b->name));
}

static int word_cmp(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool set_has_word(const struct set *s, const char *v)
{
	return s && s->sorted && bsearch(&v, s->sorted, s->nwords, sizeof(*s->sorted), word_cmp) != NULL;
}

static bool all_members(const struct set *in, const struct header_crit *e)
{
	const char *v = e->value->s;

	if (!in || in->dynamic)
		return false;
	for (size_t i = 0; i < in->nwords; i++)
		if (e->op == OP_PREFIX ? strncmp(in->sorted[i], v, strlen(v))
		    : e->op == OP_EQ   ? strcmp(in->sorted[i], v)
				       : !set_has_word(e->value->obj, in->sorted[i]))
			return false;
	return true;
}

/* Whoever passes x passes e. */
bool header_follows(const struct header_crit *e, const struct header_crit *x)
{
	const struct set *s = e->op == OP_ONE_OF ? e->value->obj : NULL;

	if (!same_field(e, x))
		return false;
	if (e->op == OP_PRESENT)
		return true;
	if (x->op == OP_ONE_OF)
		return (s && s == x->value->obj) || (!(s && s->dynamic) && all_members(x->value->obj, e));
	if (x->op == OP_PRESENT || e->op == OP_ONE_OF)
		return x->op == OP_EQ && s && !s->dynamic && set_has_word(s, x->value->s);
	if (e->op == OP_PREFIX)
		return !strncmp(x->value->s, e->value->s, strlen(e->value->s));
	return x->op == OP_EQ && !strcmp(x->value->s, e->value->s);
}

/* One of both begins as the other does. */
static bool alike(const char *a, const char *b)
{
	size_t n = strlen(a), m = strlen(b);

	return !strncmp(a, b, n < m ? n : m);
}

/* Some member of the set passes h. */
static bool some_member(const struct set *s, const struct header_crit *h)
{
	for (size_t i = 0; i < s->nwords; i++)
		if (h->op == OP_EQ	 ? !strcmp(s->sorted[i], h->value->s)
		    : h->op == OP_PREFIX ? !strncmp(s->sorted[i], h->value->s, strlen(h->value->s))
					 : set_has_word(h->value->obj, s->sorted[i]))
			return true;
	return false;
}

static bool known_members(const struct header_crit *h)
{
	const struct set *s = h->op == OP_ONE_OF ? h->value->obj : NULL;

	return h->op != OP_ONE_OF || (s && !s->dynamic);
}

/* No value passes both. */
bool header_excludes(const struct header_crit *a, const struct header_crit *b)
{
	const char *x, *y;

	/* OP_PRESENT has no value, and excludes none */
	if (!a->value || !b->value || !same_field(a, b) || !known_members(a) || !known_members(b))
		return false;
	x = a->value->s;
	y = b->value->s;
	if (b->op == OP_ONE_OF)
		return !some_member(b->value->obj, a);
	if (a->op == OP_ONE_OF)
		return !some_member(a->value->obj, b);
	if (a->op == OP_EQ && b->op == OP_EQ)
		return strcmp(x, y) != 0;
	/* a value that is shorter than the prefix asked for does not have it */
	return !alike(x, y) || (a->op == OP_EQ && strlen(x) < strlen(y)) || (b->op == OP_EQ && strlen(y) < strlen(x));
}

bool headers_exclude(const struct rule *a, const struct rule *b)
{
	for (const struct header_crit *x = a->headers; x; x = x->next)
		for (const struct header_crit *y = b->headers; y; y = y->next)
			if (header_excludes(x, y))
				return true;
	return false;
}

/* ---- lists of words, of which one must hold ---- */

static bool ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);

	return n > m && !strcasecmp(s + n - m, end);
}

bool domain_follows(const char *e, const char *x)
{
	return !strcasecmp(e, x) || (e[0] == '*' && ends_with(x[0] == '*' ? x + 1 : x, e + 1));
}

bool words_follow(const struct word *e, const struct word *r, bool (*follows)(const char *e, const char *x))
{
	for (; r; r = r->next) {
		const struct word *w = e;

		while (w && !follows(w->s, r->s))
			w = w->next;
		if (!w)
			return false;
	}
	return true;
}

bool same_word(const char *e, const char *x)
{
	return !strcmp(e, x);
}

bool same_codec(const char *e, const char *x)
{
	return !strcasecmp(e, x);
}

bool bits_within(const uint64_t *in, const uint64_t *of)
{
	for (int i = 0; i < TRUNKS_MAX / 64; i++)
		if (in[i] & ~of[i])
			return false;
	return true;
}

bool bits_meet(const uint64_t *a, const uint64_t *b)
{
	for (int i = 0; i < TRUNKS_MAX / 64; i++)
		if (a[i] & b[i])
			return true;
	return false;
}

/* ---- rules ---- */

bool numbers_apart(const struct policy *p, const struct numbers *a, const struct numbers *b)
{
	return a && b && (a->n || a->sets || a->withheld) && (b->n || b->sets || b->withheld) && !(a->withheld && b->withheld) &&
	       !numbers_dynamic(a) && !numbers_dynamic(b) && !numbers_meet(p, a, b);
}

bool rules_apart(const struct policy *p, const struct rule *a, const struct rule *b)
{
	for (int side = 0; side < 2; side++)
		if (numbers_apart(p, numbers_of(a, side), numbers_of(b, side)))
			return true;
	return headers_exclude(a, b);
}
