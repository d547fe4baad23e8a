/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lint_match.c - rules against each other: what an earlier one leaves for a later
 * one (L-12), and calls that two controllers lay claim to (L-13)
 *
 * Both are told only when they can be shown for the text as it stands, whatever
 * the members of dynamic sets come to be: a rule is shadowed by one other rule
 * whose every criterion follows from its own; two rules of different controllers
 * overlap when no criterion keeps them apart and the same end of the call is
 * both controllers' own.
 *
 * All pairs are looked at, so the first looks are cheap: which criteria there
 * are, and the least and greatest number of each side.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "follow.h"

#define WEEK (7 * 1440)

/* Criteria but the controller's own; bits of struct view. */
enum { V_CALLED = 1, V_CALLING = 2, V_TRUNK = 4, V_DOMAIN = 8, V_HEADER = 16, V_DIRECTION = 32, V_TIME = 64,
       V_MEDIA = 128, V_TAG = 256 };

/* A rule as the pairs see it. */
struct view {
	const struct rule *r;
	const struct controller *c; /* NULL: a never rule of no controller */
	unsigned has;
	const struct numbers *num[2]; /* called, calling: what is written, else the controller's own; NULL any */
	uint64_t lo[2], hi[2];	      /* bounds of num where nothing else can match; else everything */
	bool told;		      /* L-13 was said of it */
	uint8_t *minutes;	      /* of a week, a bit each; made when it is asked for */
};

static void bound(struct view *v, int side, const struct ivals *iv)
{
	if (!iv->n)
		return;
	if (iv->lo[0] < v->lo[side])
		v->lo[side] = iv->lo[0];
	if (iv->hi[iv->n - 1] > v->hi[side])
		v->hi[side] = iv->hi[iv->n - 1];
}

static void bounds(struct view *v, int side)
{
	const struct numbers *n = v->num[side];

	if (!n || n->withheld || numbers_dynamic(n) || numbers_empty(n)) {
		v->hi[side] = UINT64_MAX;
		return;
	}
	v->lo[side] = UINT64_MAX;
	bound(v, side, &n->iv);
	for (const struct word *w = n->sets; w; w = w->next)
		if (w->obj)
			bound(v, side, &((const struct set *)w->obj)->numbers.iv);
}

static void look_at(struct view *v, const struct rule *r)
{
	v->r = r;
	v->c = rule_controller(r);
	v->has = (r->at[R_CALLED].line ? V_CALLED : 0) | (r->at[R_CALLING].line ? V_CALLING : 0) |
		 (r->at[R_TRUNK].line ? V_TRUNK : 0) | (r->domains ? V_DOMAIN : 0) |
		 (r->headers ? V_HEADER : 0) | (r->direction ? V_DIRECTION : 0) | (r->time ? V_TIME : 0) |
		 (r->at[R_MEDIA].line ? V_MEDIA : 0) | (r->tags ? V_TAG : 0);
	for (int side = 0; side < 2; side++) {
		v->num[side] = numbers_of(r, side);
		bounds(v, side);
	}
}

/* ---- times ---- */

static const uint8_t *minutes(struct policy *p, struct view *v)
{
	if (v->minutes)
		return v->minutes;
	v->minutes = arena_alloc(&p->arena, WEEK / 8);
	if (!v->minutes) {
		p->oom = true;
		return NULL;
	}
	for (const struct time_item *i = v->r->time; i; i = i->next)
		for (int day = 0; day < 7 && !i->holidays; day++)
			for (int m = i->from; i->days >> day & 1 && m < i->to; m++) {
				int k = (day * 1440 + m) % WEEK;

				v->minutes[k / 8] |= (uint8_t)(1u << k % 8);
			}
	return v->minutes;
}

static bool holidays(const struct rule *r)
{
	const struct time_item *i = r->time;

	while (i && !i->holidays)
		i = i->next;
	return i != NULL;
}

/* Every time of r is one of e's; both are of one controller. */
static bool time_follows(struct policy *p, struct view *e, struct view *r)
{
	const uint8_t *a, *b;
	const struct time_item *i;

	if (!e->r->time)
		return true;
	if (e->r->time_except && (!r->r->time_except || r->r->time_except->obj != e->r->time_except->obj))
		return false;
	a = minutes(p, e);
	b = minutes(p, r);
	if (!a || !b)
		return false;
	for (int k = 0; k < WEEK / 8; k++)
		if ((r->r->time ? b[k] : 0xff) & ~a[k])
			return false;
	for (i = r->r->time; i; i = i->next) {
		const struct time_item *j = e->r->time;

		while (i->holidays && j && (!j->holidays || j->holidays->obj != i->holidays->obj))
			j = j->next;
		if (!j)
			return false;
	}
	return true;
}

/* Apart at every minute. Holidays can fall on any day, and zones differ: then not shown. */
static bool time_excludes(struct policy *p, struct view *a, struct view *b)
{
	const uint8_t *x, *y;

	if (!a->r->time || !b->r->time || holidays(a->r) || holidays(b->r))
		return false;
	x = minutes(p, a);
	y = minutes(p, b);
	for (int k = 0; x && y && k < WEEK / 8; k++)
		if (x[k] & y[k])
			return false;
	return true;
}

/* ---- headers ---- */

static bool headers_follow(const struct rule *e, const struct rule *r)
{
	for (const struct header_crit *h = e->headers; h; h = h->next) {
		const struct header_crit *x = r->headers;

		while (x && !header_follows(h, x))
			x = x->next;
		if (!x)
			return false;
	}
	return true;
}

/* ---- L-12 ---- */

static bool side_follows(struct policy *p, const struct view *e, const struct view *r, int side)
{
	const struct numbers *of = numbers_written(e->r, side);

	return !of || numbers_follow(p, of, r->num[side]);
}

static bool party_follows(const struct view *e, const struct view *r)
{
	if (!e->c)
		return true;
	if (e->c != r->c || e->r->pub.side != r->r->pub.side)
		return false;
	return !e->r->direction || e->r->direction == r->r->direction;
}

/* Whatever matches r matches e before it. */
static bool shadows(struct policy *p, struct view *e, struct view *r)
{
	unsigned own = r->r->pub.side ? V_CALLING : V_CALLED;

	if (e->has & ~(r->has | own | V_TIME) || !party_follows(e, r))
		return false;
	for (int side = 0; side < 2; side++)
		if (r->lo[side] < e->lo[side] || r->hi[side] > e->hi[side])
			return false;
	if (!headers_follow(e->r, r->r) || (e->r->domains && !words_follow(e->r->domains, r->r->domains, domain_follows)) ||
	    (e->r->tags && !words_follow(e->r->tags, r->r->tags, same_word)) ||
	    (e->r->codecs && (!r->r->codecs || !words_follow(e->r->codecs, r->r->codecs, same_codec))) ||
	    (e->r->encrypted && e->r->encrypted != r->r->encrypted) ||
	    (e->has & V_TRUNK && !bits_within(r->r->trunk_bits, e->r->trunk_bits)))
		return false;
	return side_follows(p, e, r, 0) && side_follows(p, e, r, 1) && time_follows(p, e, r);
}

/* "line 12", and of which file when it is another one. */
static const char *where(const struct policy *p, const struct rule *of, const struct rule *from, char out[160])
{
	if (of->o.pos.file == from->o.pos.file)
		snprintf(out, 160, "line %d", of->o.pos.line);
	else
		snprintf(out, 160, "line %d of %.120s", of->o.pos.line, p->src[of->o.pos.file].name);
	return out;
}

static void tell_shadow(struct policy *p, const struct rule *e, const struct rule *r)
{
	char at[160];

	where(p, e, r, at);
	if (e->never)
		diag_add(p, r->o.pos, "L-12", "never rules come first; a rule that is there and never acts misleads.",
			 "remove the rule, or narrow the never rule.",
			 "no call is left for this rule: never \"%s\" on %s takes them all.", e->o.name, at);
	else
		diag_add(p, r->o.pos, "L-12",
			 "the first rule that matches decides; a rule that is there and never acts misleads.",
			 "put it before the other, narrow the other, or remove it.",
			 "no call is left for this rule: rule \"%s\" on %s takes them all.", e->o.name, at);
}

/* ---- L-13 ---- */

static bool side_meets(struct policy *p, const struct view *a, const struct view *b, int side)
{
	const struct numbers *x = a->num[side], *y = b->num[side];

	return !x || !y || (x->withheld && y->withheld) || numbers_meet(p, x, y);
}

/* The trunks by which alone the controller is a party to the rule's calls; NULL when numbers say it too. */
static const uint64_t *by_trunk(struct policy *p, const struct view *v)
{
	const struct numbers *own = numbers_written(v->r, (int)v->r->pub.side);

	if (!any_trunk(v->c) || (own && numbers_cover(p, &v->c->numbers, own, false)) ||
	    (!own && !numbers_empty(&v->c->numbers)))
		return NULL;
	return v->c->trunk_bits;
}

static bool trunks_apart(struct policy *p, const struct view *a, const struct view *b)
{
	const uint64_t *x = a->has & V_TRUNK ? a->r->trunk_bits : by_trunk(p, a);
	const uint64_t *y = b->has & V_TRUNK ? b->r->trunk_bits : by_trunk(p, b);

	return x && y && !bits_meet(x, y);
}

/* On one end of the call both are at home. */
static bool same_end(struct policy *p, const struct view *a, const struct view *b)
{
	int side = (int)a->r->pub.side;

	if (a->r->pub.side != b->r->pub.side)
		/* A call from one to the other is each one's own affair, unless both name exactly it. */
		return (a->has & b->has & (V_CALLED | V_CALLING)) == (V_CALLED | V_CALLING);
	if (a->num[side] && b->num[side])
		return true; /* side_meets says whether */
	/* One of them is a party by its trunk. */
	if (a->num[side] || b->num[side]) {
		const struct view *t = a->num[side] ? b : a, *n = a->num[side] ? a : b;

		return n->has & V_TRUNK ? bits_meet(t->c->trunk_bits, n->r->trunk_bits)
					: !numbers_empty(&t->c->numbers) && numbers_meet(p, &t->c->numbers, n->num[side]);
	}
	return bits_meet(a->c->trunk_bits, b->c->trunk_bits) || numbers_meet(p, &a->c->numbers, &b->c->numbers);
}

static bool overlap(struct policy *p, struct view *a, struct view *b)
{
	if (!a->c || !b->c)
		return false; /* a never rule of nobody claims nothing */
	for (int side = 0; side < 2; side++)
		if (a->lo[side] > b->hi[side] || b->lo[side] > a->hi[side])
			return false;
	if (headers_exclude(a->r, b->r) ||
	    (a->r->encrypted && b->r->encrypted && a->r->encrypted != b->r->encrypted))
		return false;
	return same_end(p, a, b) && side_meets(p, a, b, 0) && side_meets(p, a, b, 1) && !trunks_apart(p, a, b) &&
	       !time_excludes(p, a, b);
}

static void tell_overlap(struct policy *p, const struct view *e, const struct view *r)
{
	char at[160];

	diag_add(p, r->r->at[R_CONTROLLER], "L-13",
		 "RX-2: whose call it is must not follow from the order of rules.",
		 "keep their numbers, trunks or queues apart.",
		 "a call can match this rule of '%s' and rule \"%s\" of '%s' on %s.", r->c->o.name, e->r->o.name,
		 e->c->o.name, where(p, e->r, r->r, at));
}

/* ---- all pairs ---- */

static bool resolved(const struct word *w)
{
	while (w && w->obj && !((const struct obj *)w->obj)->bad)
		w = w->next;
	return !w;
}

/* Nothing is shown of a rule whose names mean nothing, or something that was not understood. */
static bool usable(const struct rule *r)
{
	if (r->o.bad || !resolved(r->called.sets) || !resolved(r->calling.sets))
		return false;
	for (const struct header_crit *h = r->headers; h; h = h->next)
		if (h->op == OP_ONE_OF && !h->value->obj)
			return false;
	return r->never ? !r->controller || rule_controller(r) : rule_controller(r) != NULL;
}

static size_t collect(const struct list *l, struct view *v)
{
	size_t n = 0;

	for (const struct obj *o = l->first; o; o = o->next) {
		const struct rule *r = (const struct rule *)o;

		if (usable(r))
			look_at(&v[n++], r);
	}
	return n;
}

static void check_pair(struct policy *p, struct view *e, struct view *r, bool *shadowed)
{
	if (e->c && e->c->pub.lab != r->c->pub.lab)
		return; /* the one matches captures only */
	/* a never rule that says nothing was refused already */
	if (!*shadowed && (!e->r->never || e->has || e->c) && shadows(p, e, r)) {
		*shadowed = true;
		tell_shadow(p, e->r, r->r);
	}
	if (!e->r->never && e->c != r->c && !r->told && overlap(p, e, r)) {
		r->told = true;
		tell_overlap(p, e, r);
	}
}

void check_rules_together(struct policy *p)
{
	struct view *v = calloc(p->rules.n + p->nevers.n + 1, sizeof(*v));
	size_t nnever, n;

	if (!v) {
		p->oom = true;
		return;
	}
	nnever = collect(&p->nevers, v);
	n = nnever + collect(&p->rules, v + nnever);
	for (size_t i = nnever; i < n; i++) {
		bool shadowed = false;

		for (size_t j = 0; j < i; j++)
			check_pair(p, &v[j], &v[i], &shadowed);
	}
	free(v);
}
