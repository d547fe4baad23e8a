/* SPDX-License-Identifier: BSD-2-Clause */
/* policies_stored.c - how many stored calls a policy with a shorter retention or use-within concerns (policy-language 5.1); the worker's thread */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "policies_internal.h"
#include "spans.h"
#include "store/reap_used.h"
#include "store/store.h"

#define TIME_NS (5 * NS_PER_S) /* then "at least" is good enough to decide by */

struct counting {
	const struct policy_rule *rule;
	bool shorter[POLICY_PURPOSES], use_shorter;
	struct reap_used used;
	uint64_t begin_ns, rows;
	struct policies_stored *sum;
};

static bool deadline(const struct policy_rule *r, struct policy_span s, uint64_t from, uint64_t *ret)
{
	return span_end(s, r->controller->timezone, from, ret) == 0;
}

static bool shorter(const struct policy_rule *old, const struct policy_rule *now, enum policy_purpose p, bool use)
{
	const struct policy_block *a = &old->purpose[p], *b = &now->purpose[p];
	uint64_t x, y, from = clock_now_ns();

	if (a->basis == POLICY_B_NONE || b->basis == POLICY_B_NONE)
		return false;
	return deadline(old, use ? a->use_within : a->retention, from, &x) && deadline(now, use ? b->use_within : b->retention, from, &y) && y < x;
}

static int count_row(void *arg, const struct store_row *r)
{
	struct counting *c = arg;
	bool less = false, due = false;
	uint64_t then;

	for (int p = 0; p < POLICY_PURPOSES; p++) {
		bool live = r->state[p] == STORE_S_GRANTED || r->state[p] == STORE_S_OBJECTED;

		if (!c->shorter[p] || !live || !r->until_ns[p] || !deadline(c->rule, c->rule->purpose[p].retention, r->start_ns, &then))
			continue;
		less |= then < r->until_ns[p];
		due |= then < r->until_ns[p] && then <= c->begin_ns;
	}
	if (c->use_shorter && r->state[STORE_TRAINING] == STORE_S_GRANTED && !reap_used_is(&c->used, &r->uid) &&
	    deadline(c->rule, c->rule->purpose[POLICY_TRAINING].use_within, r->start_ns, &then) && then < r->training_use_by) {
		less = true;
		due |= then <= c->begin_ns;
	}
	c->sum->calls += less;
	c->sum->due += due;
	c->sum->more = ++c->rows % 1024 == 0 && clock_now_ns() - c->begin_ns > TIME_NS;
	return c->sum->more;
}

static const struct policy_rule *rule_of(const struct policy *p, const struct policy_rule *like)
{
	for (size_t i = 0; i < policy_rules(p); i++) {
		const struct policy_rule *r = policy_rule(p, i);

		if (!strcmp(r->name, like->name) && !strcmp(r->controller->name, like->controller->name))
			return r;
	}
	return NULL;
}

/* Not known which: then all count. */
static void read_used(const char *store, struct reap_used *ret)
{
	struct root r = { .fd = -1 };
	struct why why = { "" };
	size_t bad = 0;

	if (!root_open(store, &r, &why))
		(void)reap_used_read(&r, ret, &bad, &why);
	root_close(&r);
}

int policies_stored(const char *store, const struct policy *old, const struct policy *now, struct policies_stored *ret)
{
	struct counting c = { .begin_ns = clock_now_ns(), .sum = ret };
	struct store *st = NULL;
	char why[256];
	int e = 0;

	memset(ret, 0, sizeof(*ret));
	for (size_t i = 0; !e && !ret->more && i < policy_rules(now); i++) {
		struct store_filter f = { .state = -1 };
		const struct policy_rule *was;

		c.rule = policy_rule(now, i);
		was = rule_of(old, c.rule);
		for (int p = 0; p < POLICY_PURPOSES; p++)
			c.shorter[p] = was && shorter(was, c.rule, (enum policy_purpose)p, false);
		c.use_shorter = was && shorter(was, c.rule, POLICY_TRAINING, true);
		if (!c.shorter[0] && !c.shorter[1] && !c.use_shorter)
			continue;
		if (!st)
			e = store_open(store, STORE_RO, &st, why, sizeof(why));
		if (e == -ENOENT) /* no store, no calls */
			return 0;
		if (!e && c.use_shorter && !c.used.v)
			read_used(store, &c.used);
		f.rule = c.rule->name;
		f.controller = c.rule->controller->name;
		if (!e)
			e = store_find(st, &f, count_row, &c);
		e = e > 0 ? 0 : e;
	}
	store_close(st);
	reap_used_free(&c.used);
	return e;
}
