/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * model_talk.h - what the guidance wants of calls that are one conversation, written down a second time
 *
 * A reference for test_model_talk.c, from guidance N-27, R-41, X-5 to X-7 and RX-2; it shares no code with daemon/call/. Every call is
 * of situation F: documentation and training by interest with opt-out, a notice of five seconds and ten more to say no.
 *
 *  - Who opts out in any part does so for all of the conversation: those that are over and not committed, those that go on, those to
 *    come, under whatever controller it goes on.
 *  - Who objects to documentation does so in the call and its later parts, in what is surely the same call, in what takes its place
 *    or joins it, and from there on; and in what was recorded of these before.
 *  - A pause holds where an objection does, but for what is over.
 *  - A third party ends training from then on.
 *  - Nothing of training is committed while the conversation goes on.
 */
#ifndef MODEL_TALK_H
#define MODEL_TALK_H

#include <stdbool.h>
#include <stdint.h>

#define T_CALLS 6
#define T_PARTS 128
#define T_S	1000000000ULL
#define T_NEVER UINT64_MAX

struct t_call {
	bool there, over;      /* over: remembered */
	bool ours, went;       /* a rule matches; one did */
	bool answered, third, paused, refused, objected;
	bool leaves;	       /* for another controller, in this event */
	bool train;	       /* of this part: pending or granted */
	int who;	       /* controller: 0, 1 */
	int group, talk, depth; /* group 0: alone */
	int a, b, b_then;      /* halves of its Session-ID; 0 not known; b_then: what the answer tells */
	uint64_t grant, end;
};

struct t_part {
	bool there, train, objected;
	int group, talk, a, b;
};

struct talk {
	struct t_call c[T_CALLS];
	struct t_part p[T_PARTS];
	int serial;
};

enum t_how { T_ALONE, T_SAME, T_HALF, T_REPLACES, T_JOINS, T_HOWS };

static inline bool t_sure(int a, int b, int c, int d)
{
	return a && b && a == c && b == d;
}

static inline bool t_same(const struct t_call *x, const struct t_call *y)
{
	return t_sure(x->a, x->b, y->a, y->b);
}

static inline bool t_tied(const struct t_call *x, const struct t_call *y)
{
	return x == y || (x->group && x->group == y->group);
}

enum t_way { T_EITHER, T_FORWARD, T_SURELY };

/* Marks whom x leads to, itself included: what is surely the same; forward, what goes on for it; else whatever goes on for the other. */
static inline void t_reach(const struct talk *m, int x, enum t_way way, bool set[T_CALLS])
{
	bool more = true;

	for (int i = 0; i < T_CALLS; i++)
		set[i] = i == x;
	while (more) {
		more = false;
		for (int i = 0; i < T_CALLS; i++)
			for (int k = 0; set[i] && k < T_CALLS; k++) {
				const struct t_call *p = &m->c[i], *q = &m->c[k];

				if (set[k] || !q->there || !t_tied(p, q))
					continue;
				if (t_same(p, q) || (way != T_SURELY && p->talk == q->talk && (way == T_EITHER || q->depth > p->depth)))
					more = set[k] = true;
			}
	}
}

static inline void t_object(struct talk *m, int x)
{
	bool fore[T_CALLS], all[T_CALLS];

	if (m->c[x].objected && m->c[x].ours) /* said already, of what there was then */
		return;
	t_reach(m, x, T_FORWARD, fore);
	t_reach(m, x, T_EITHER, all);
	for (int i = 0; i < T_CALLS; i++)
		m->c[i].objected |= fore[i];
	for (int k = 0; k < T_PARTS; k++)
		for (int i = 0; i < T_CALLS && m->p[k].there; i++)
			if (all[i] && m->p[k].group == m->c[x].group &&
			    (m->p[k].talk == m->c[i].talk || t_sure(m->c[i].a, m->c[i].b, m->p[k].a, m->p[k].b)))
				m->p[k].objected = true;
}

static inline void t_pause(struct talk *m, int x, bool on)
{
	bool fore[T_CALLS];

	if (m->c[x].paused == on)
		return;
	t_reach(m, x, T_FORWARD, fore);
	for (int i = 0; i < T_CALLS; i++)
		if (fore[i] && m->c[i].ours && !m->c[i].over)
			m->c[i].paused = on;
}

static inline void t_refuse(struct talk *m, int x)
{
	for (int i = 0; i < T_CALLS; i++)
		if (m->c[i].there && t_tied(&m->c[x], &m->c[i])) {
			m->c[i].refused = true;
			m->c[i].train = false;
		}
	for (int k = 0; k < T_PARTS; k++)
		if (m->p[k].there && m->p[k].group == m->c[x].group)
			m->p[k].train = false;
}

static inline bool t_pauses(const struct t_call *c)
{
	return c->there && c->ours && !c->over && c->paused;
}

/* The group of x has changed, or what is known of it; first: it is new. */
static inline void t_settle(struct talk *m, int x, bool first)
{
	bool refused = false, fore[T_CALLS], same[T_CALLS], pause = t_pauses(&m->c[x]);

	for (int i = 0; i < T_CALLS; i++)
		refused |= m->c[i].there && t_tied(&m->c[x], &m->c[i]) && m->c[i].refused;
	if (refused)
		t_refuse(m, x);
	for (int i = 0; i < T_CALLS; i++) {
		if (!m->c[i].there || !t_tied(&m->c[x], &m->c[i]))
			continue;
		t_reach(m, i, T_FORWARD, fore);
		m->c[x].objected |= fore[x] && m->c[i].objected;
		/* what goes on for a call begins as that is; who then ends the pause has ended it */
		pause |= first && fore[x] && t_pauses(&m->c[i]);
	}
	t_reach(m, x, T_FORWARD, fore);
	t_reach(m, x, T_SURELY, same);
	for (int i = 0; i < T_CALLS; i++) {
		m->c[i].objected |= fore[i] && m->c[x].objected && !m->c[i].over;
		pause |= same[i] && t_pauses(&m->c[i]);
	}
	for (int i = 0; i < T_CALLS; i++)
		m->c[i].paused |= same[i] && pause && m->c[i].ours && !m->c[i].over;
}

static inline void t_tie(struct talk *m, int x, int y)
{
	int from = m->c[y].group, to = m->c[x].group ? m->c[x].group : ++m->serial;

	m->c[x].group = to;
	m->c[y].group = to;
	if (!from || from == to)
		return;
	for (int i = 0; i < T_CALLS; i++)
		if (m->c[i].group == from)
			m->c[i].group = to;
	for (int k = 0; k < T_PARTS; k++)
		if (m->p[k].group == from)
			m->p[k].group = to;
}

static inline bool t_known(const struct t_call *c, uint64_t now)
{
	return c->there && c->went && (!c->over || now < c->end + 30 * T_S);
}

/* Does the conversation of this group go on? */
static inline bool t_goes_on(const struct talk *m, int group)
{
	for (int i = 0; i < T_CALLS; i++)
		if (m->c[i].there && !m->c[i].over && m->c[i].went && !m->c[i].leaves && m->c[i].group == group)
			return true;
	return false;
}

/* A part of x is over, and its conversation goes on: its number, or -1 when nothing more can be said of it. */
static inline int t_park(struct talk *m, int x, uint64_t now)
{
	struct t_call *c = &m->c[x];
	bool granted = c->train && c->answered && now >= c->grant;
	int k = 0;

	if (!c->answered || (!granted && c->objected))
		return -1;
	if (!c->group)
		c->group = ++m->serial;
	while (m->p[k].there)
		k++;
	m->p[k] = (struct t_part){ true, granted, c->objected, c->group, c->talk, c->a, c->b };
	return k;
}

static inline void t_third(struct talk *m, int x)
{
	m->c[x].third = true;
	m->c[x].train = false;
}

static inline void t_new(struct talk *m, int x, enum t_how how, int y, uint64_t now)
{
	struct t_call *c = &m->c[x], *o = &m->c[y];

	*c = (struct t_call){ .there = true, .ours = true, .went = true, .grant = T_NEVER, .talk = ++m->serial };
	c->a = how == T_SAME || how == T_HALF ? o->a : ++m->serial;
	c->b_then = how == T_SAME ? o->b_then : ++m->serial;
	for (int i = 0; i < T_CALLS; i++)
		if (i != x && t_known(&m->c[i], now) && m->c[i].who == 0 && m->c[i].a && m->c[i].a == c->a)
			t_tie(m, x, i);
	if ((how == T_REPLACES || how == T_JOINS) && t_known(o, now) && o->who == 0) {
		t_tie(m, x, y);
		c->talk = o->talk;
		c->depth = o->depth + 1;
		c->third = how == T_JOINS;
	}
	c->train = !c->third;
	t_settle(m, x, true);
}

static inline void t_answer(struct talk *m, int x, uint64_t now)
{
	struct t_call *c = &m->c[x];

	c->answered = true;
	c->grant = now + 15 * T_S;
	c->b = c->b_then;
	t_settle(m, x, false);
}

/* It goes on under controller `who`, or where nobody records (-1). */
static inline void t_queue(struct talk *m, int x, int who, uint64_t now)
{
	struct t_call *c = &m->c[x];
	bool carried = c->ours && c->who == who;

	c->ours = who >= 0;
	c->train = c->ours && !c->third && !c->refused;
	if (!c->ours) {
		c->paused = false;
		return;
	}
	if (c->who != who) { /* whose calls are none of the first one's business (RX-2) */
		c->who = who;
		c->leaves = false;
		c->group = c->a = c->b = c->depth = 0;
		c->talk = ++m->serial;
	}
	if (!carried)
		c->grant = now + 15 * T_S;
	t_settle(m, x, false);
}

#endif
