/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * diff_match.c - which calls a rule matches, compared
 *
 * A rule is a conjunction of criteria. When each criterion of the new one lets
 * through a part of what the old one's does, so does the whole; so the relation
 * of two rules is the union of what is found per criterion. Every answer errs
 * towards "differs in both ways", and may_meet towards yes.
 */
#include <stdlib.h>
#include <string.h>

#include "diff_internal.h"

static bool spend(struct diff *d, uint64_t steps)
{
	if (d->work < steps) {
		d->work = 0;
		return false;
	}
	d->work -= steps;
	return true;
}

/* ---- intervals ---- */

/* All of a in b; both sorted and disjoint, touching intervals joined. */
static bool ivals_within(const struct ivals *a, const struct ivals *b)
{
	size_t j = 0;

	for (size_t i = 0; i < a->n; i++) {
		while (j < b->n && b->hi[j] < a->lo[i])
			j++;
		if (j == b->n || b->lo[j] > a->lo[i] || b->hi[j] < a->hi[i])
			return false;
	}
	return true;
}

static enum rel ivals_rel(struct diff *d, const struct ivals *old, const struct ivals *now)
{
	enum rel r = REL_SAME;

	if (!spend(d, old->n + now->n))
		return REL_MIXED;
	if (old->n == now->n && (!old->n || (!memcmp(old->lo, now->lo, old->n * sizeof(*old->lo)) &&
					     !memcmp(old->hi, now->hi, old->n * sizeof(*old->hi)))))
		return REL_SAME;
	if (!ivals_within(old, now))
		r |= REL_NARROW;
	if (!ivals_within(now, old))
		r |= REL_WIDE;
	return r;
}

/* One list of intervals for patterns and sets together. NULL: out of memory or of steps. */
struct joined {
	struct ivals iv;
	struct arena arena;
	bool ok;
};

static void join(struct diff *d, const struct numbers *c, struct joined *ret)
{
	struct pattern *all;
	size_t n = c->n, k = 0;

	memset(ret, 0, sizeof(*ret));
	for (const struct word *w = c->sets; w; w = w->next)
		n += ((const struct set *)w->obj)->numbers.n;
	if (!spend(d, 16 * n)) /* sorting */
		return;
	if (!n) {
		ret->ok = true;
		return;
	}
	all = malloc(n * sizeof(*all));
	if (!all) {
		d->oom = true;
		return;
	}
	for (size_t i = 0; i < c->n; i++)
		all[k++] = c->pat[i];
	for (const struct word *w = c->sets; w; w = w->next) {
		const struct numbers *s = &((const struct set *)w->obj)->numbers;

		for (size_t i = 0; i < s->n; i++)
			all[k++] = s->pat[i];
	}
	ret->ok = ivals_build(&ret->arena, all, n, &ret->iv) == 0;
	d->oom |= !ret->ok;
	free(all);
}

static bool names_set(const struct numbers *c, const char *name)
{
	for (const struct word *w = c->sets; w; w = w->next)
		if (!strcmp(w->s, name))
			return true;
	return false;
}

static bool same_sets(const struct numbers *a, const struct numbers *b)
{
	for (const struct word *w = a->sets; w; w = w->next)
		if (!names_set(b, w->s))
			return false;
	for (const struct word *w = b->sets; w; w = w->next)
		if (!names_set(a, w->s))
			return false;
	return true;
}

/* Members that come and go are the same in both policies. */
static enum rel dynamic_rel(const struct numbers *old, const struct numbers *now)
{
	enum rel r = REL_SAME;

	for (const struct word *w = old->sets; w; w = w->next)
		if (((const struct set *)w->obj)->dynamic && !names_set(now, w->s))
			r |= REL_NARROW;
	for (const struct word *w = now->sets; w; w = w->next)
		if (((const struct set *)w->obj)->dynamic && !names_set(old, w->s))
			r |= REL_WIDE;
	return r;
}

enum rel diff_numbers_rel(struct diff *d, const struct numbers *old, const struct numbers *now)
{
	enum rel r = dynamic_rel(old, now);
	struct joined a, b;

	if (old->withheld != now->withheld)
		r |= now->withheld ? REL_WIDE : REL_NARROW;
	/* The usual case without putting together what may be a hundred thousand numbers. */
	if (same_sets(old, now) && ivals_rel(d, &old->iv, &now->iv) == REL_SAME) {
		for (const struct word *w = old->sets; w; w = w->next) {
			const struct set_rel *s = diff_set(d, w->s);

			r |= s ? s->rel : REL_MIXED;
		}
		return r;
	}
	join(d, old, &a);
	join(d, now, &b);
	r |= a.ok && b.ok ? ivals_rel(d, &a.iv, &b.iv) : REL_MIXED;
	arena_free(&a.arena);
	arena_free(&b.arena);
	return r;
}

/* ---- lists of words ---- */

static bool has_word(const struct word *w, const char *s)
{
	while (w && strcmp(w->s, s))
		w = w->next;
	return w != NULL;
}

static enum rel words_rel(const struct word *old, const struct word *now)
{
	enum rel r = REL_SAME;

	for (const struct word *w = old; w; w = w->next)
		if (!has_word(now, w->s))
			r |= REL_NARROW;
	for (const struct word *w = now; w; w = w->next)
		if (!has_word(old, w->s))
			r |= REL_WIDE;
	return r;
}

/* A criterion that is not there lets everything through. */
static enum rel any_rel(bool old, bool now)
{
	return old == now ? REL_SAME : now ? REL_NARROW : REL_WIDE;
}

static enum rel criterion(const struct word *old, const struct word *now)
{
	return !old || !now ? any_rel(old != NULL, now != NULL) : words_rel(old, now);
}

/* Trunks and scopes may name sets; what those hold is in set_rel. */
static enum rel sets_in(const struct diff *d, const struct word *w)
{
	enum rel r = REL_SAME;

	for (; w; w = w->next) {
		const struct set_rel *s = w->s[0] == '@' ? diff_set(d, w->s + 1) : NULL;

		if (s)
			r |= s->rel;
	}
	return r;
}

/* ---- sets ---- */

static bool has_date(const struct set *s, const struct policy_date *x)
{
	for (size_t i = 0; i < s->ndates; i++)
		if (!memcmp(&s->dates[i], x, sizeof(*x)))
			return true;
	return false;
}

static int text_cmp(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static const char **sorted_words(struct diff *d, const struct set *s, size_t *ret_n)
{
	const char **v;
	size_t n = 0;

	for (const struct word *w = s->words; w; w = w->next)
		n++;
	v = malloc((n + 1) * sizeof(*v));
	*ret_n = n;
	if (!v) {
		d->oom = true;
		return NULL;
	}
	n = 0;
	for (const struct word *w = s->words; w; w = w->next)
		v[n++] = w->s;
	qsort(v, n, sizeof(*v), text_cmp);
	return v;
}

static enum rel set_words_rel(struct diff *d, const struct set *old, const struct set *now)
{
	size_t na, nb, i = 0, j = 0;
	const char **a = sorted_words(d, old, &na), **b = sorted_words(d, now, &nb);
	enum rel r = REL_SAME;

	while (a && b && (i < na || j < nb)) {
		int c = i == na ? 1 : j == nb ? -1 : strcmp(a[i], b[j]);

		r |= c < 0 ? REL_NARROW : c > 0 ? REL_WIDE : REL_SAME;
		i += c <= 0;
		j += c >= 0;
	}
	if (!a || !b)
		r = REL_MIXED;
	free(a);
	free(b);
	return r;
}

enum rel diff_set_rel(struct diff *d, const struct set *old, const struct set *now)
{
	enum rel r = REL_SAME;

	if (old->kind != now->kind || old->dynamic != now->dynamic)
		return REL_MIXED;
	if (old->kind == SET_NUMBERS)
		return ivals_rel(d, &old->numbers.iv, &now->numbers.iv);
	if (old->kind != SET_HOLIDAYS)
		return set_words_rel(d, old, now);
	if (!spend(d, (uint64_t)old->ndates * now->ndates))
		return REL_MIXED;
	for (size_t i = 0; i < old->ndates; i++)
		if (!has_date(now, &old->dates[i]))
			r |= REL_NARROW;
	for (size_t i = 0; i < now->ndates; i++)
		if (!has_date(old, &now->dates[i]))
			r |= REL_WIDE;
	return r;
}

/* ---- the other criteria ---- */

static bool same_header(const struct header_crit *a, const struct header_crit *b)
{
	return a->which == b->which && a->op == b->op && (a->which != H_HEADER || !strcasecmp(a->name, b->name)) &&
	       (!a->value || !strcmp(a->value->s, b->value->s));
}

static bool has_header(const struct header_crit *l, const struct header_crit *h)
{
	while (l && !same_header(l, h))
		l = l->next;
	return l != NULL;
}

/* All must hold, so one more narrows. */
static enum rel headers_rel(const struct diff *d, const struct rule *old, const struct rule *now)
{
	enum rel r = REL_SAME;

	for (const struct header_crit *h = old->headers; h; h = h->next) {
		const struct set_rel *s = h->op == OP_ONE_OF ? diff_set(d, h->value->s) : NULL;

		if (!has_header(now->headers, h))
			r |= REL_WIDE;
		else if (s)
			r |= s->rel;
	}
	for (const struct header_crit *h = now->headers; h; h = h->next)
		if (!has_header(old->headers, h))
			r |= REL_NARROW;
	return r;
}

#define WEEK (7 * 1440)

static void minutes(const struct rule *r, uint8_t out[WEEK])
{
	memset(out, 0, WEEK);
	for (const struct time_item *i = r->time; i; i = i->next)
		for (int day = 0; day < 7; day++)
			for (int m = i->from; !i->holidays && i->days >> day & 1 && m < i->to; m++)
				out[(day * 1440 + m) % WEEK] = 1;
}

static bool same_holidays(const struct rule *a, const struct rule *b)
{
	const struct time_item *x = a->time, *y = b->time;

	if (!a->time_except != !b->time_except || (a->time_except && strcmp(a->time_except->s, b->time_except->s)))
		return false;
	for (;;) {
		while (x && !x->holidays)
			x = x->next;
		while (y && !y->holidays)
			y = y->next;
		if (!x || !y)
			return x == y;
		if (strcmp(x->holidays->s, y->holidays->s))
			return false;
		x = x->next;
		y = y->next;
	}
}

static enum rel flipped(enum rel r)
{
	return (r & REL_NARROW ? REL_WIDE : 0) | (r & REL_WIDE ? REL_NARROW : 0);
}

static enum rel time_rel(struct diff *d, const struct rule *old, const struct rule *now)
{
	const struct set_rel *s;
	enum rel r = REL_SAME;
	uint8_t a[WEEK], b[WEEK];

	if (!old->time || !now->time)
		return any_rel(old->time != NULL, now->time != NULL);
	if (!same_holidays(old, now) || !spend(d, WEEK))
		return REL_MIXED;
	for (const struct time_item *i = now->time; i; i = i->next) {
		s = i->holidays ? diff_set(d, i->holidays->s) : NULL;
		r |= s ? s->rel : REL_SAME;
	}
	s = now->time_except ? diff_set(d, now->time_except->s) : NULL;
	r |= s ? flipped(s->rel) : REL_SAME;
	minutes(old, a);
	minutes(now, b);
	for (int i = 0; i < WEEK; i++)
		if (a[i] != b[i])
			r |= a[i] ? REL_NARROW : REL_WIDE;
	return r;
}

static enum rel value_rel(int old, int now)
{
	return old == now ? REL_SAME : !old || !now ? any_rel(old != 0, now != 0) : REL_MIXED;
}

static enum rel party_rel(struct diff *d, const struct rule *old, const struct rule *now)
{
	const struct controller *a = old->controller ? old->controller->obj : NULL;
	const struct controller *b = now->controller ? now->controller->obj : NULL;
	enum rel r;

	if (!a || !b)
		return any_rel(a != NULL, b != NULL);
	if (a == b)
		return old->pub.side == now->pub.side ? REL_SAME : REL_MIXED;
	if (strcmp(a->o.name, b->o.name) || old->pub.side != now->pub.side)
		return REL_MIXED;
	/* here withheld and "any" cannot be: a controller without numbers owns none */
	r = diff_numbers_rel(d, &a->numbers, &b->numbers) | words_rel(a->trunks, b->trunks) | sets_in(d, a->trunks);
	/* whether the call is in- or outbound depends on both sides being the controller's */
	return r && (old->direction || now->direction) ? REL_MIXED : r;
}

enum rel diff_match_rel(struct diff *d, const struct rule *old, const struct rule *now)
{
	enum rel r = party_rel(d, old, now);
	bool a = old->at[R_CALLED].line, b = now->at[R_CALLED].line;

	r |= a && b ? diff_numbers_rel(d, &old->called, &now->called) : any_rel(a, b);
	a = old->at[R_CALLING].line;
	b = now->at[R_CALLING].line;
	r |= a && b ? diff_numbers_rel(d, &old->calling, &now->calling) : any_rel(a, b);
	r |= criterion(old->trunks, now->trunks) | sets_in(d, now->trunks);
	r |= criterion(old->domains, now->domains);
	r |= criterion(old->codecs, now->codecs);
	r |= criterion(old->tags, now->tags);
	r |= value_rel(old->encrypted, now->encrypted);
	r |= value_rel(old->direction, now->direction);
	r |= headers_rel(d, old, now);
	return r | time_rel(d, old, now);
}

/* ---- may two rules match one call? ---- */

/* Binary search of the few in the many. */
static bool ivals_meet(struct diff *d, const struct ivals *a, const struct ivals *b)
{
	if (a->n > b->n) {
		const struct ivals *t = a;

		a = b;
		b = t;
	}
	if (!spend(d, 20 * a->n + 1))
		return true;
	for (size_t i = 0; i < a->n; i++) {
		size_t lo = 0, hi = b->n;

		while (lo < hi) {
			size_t mid = (lo + hi) / 2;

			if (b->hi[mid] < a->lo[i])
				lo = mid + 1;
			else
				hi = mid;
		}
		if (lo < b->n && b->lo[lo] <= a->hi[i])
			return true;
	}
	return false;
}

static bool numbers_meet(struct diff *d, const struct numbers *a, const struct numbers *b)
{
	const struct word *x = NULL, *y;

	if (numbers_dynamic(a) || numbers_dynamic(b) || (a->withheld && b->withheld))
		return true;
	/* every part of a against every part of b; the written patterns are a part */
	do {
		const struct ivals *ia = x ? &((const struct set *)x->obj)->numbers.iv : &a->iv;

		y = NULL;
		do {
			const struct ivals *ib = y ? &((const struct set *)y->obj)->numbers.iv : &b->iv;

			if (ivals_meet(d, ia, ib))
				return true;
			y = y ? y->next : b->sets;
		} while (y);
		x = x ? x->next : a->sets;
	} while (x);
	return false;
}

static bool headers_exclude(const struct rule *a, const struct rule *b)
{
	for (const struct header_crit *x = a->headers; x; x = x->next)
		for (const struct header_crit *y = b->headers; y; y = y->next)
			if (x->op == OP_EQ && y->op == OP_EQ && x->which == y->which &&
			    (x->which != H_HEADER || !strcasecmp(x->name, y->name)) && strcmp(x->value->s, y->value->s))
				return true;
	return false;
}

bool diff_may_meet(struct diff *d, const struct rule *a, const struct rule *b)
{
	if (!d->work)
		return true;
	if (a->at[R_CALLED].line && b->at[R_CALLED].line && !numbers_meet(d, &a->called, &b->called))
		return false;
	if (a->at[R_CALLING].line && b->at[R_CALLING].line && !numbers_meet(d, &a->calling, &b->calling))
		return false;
	/* directions are each controller's own */
	if (a->direction && b->direction && a->direction != b->direction && a->controller && b->controller &&
	    !strcmp(a->controller->s, b->controller->s))
		return false;
	return !headers_exclude(a, b);
}
