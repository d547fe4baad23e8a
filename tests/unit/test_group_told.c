/* SPDX-License-Identifier: BSD-2-Clause */
/* test_group_told.c - what is said in one call of a conversation is in the evidence of the others, too (X-5, INV-6) */
#include "group_talk.h"

static char told[4096];

static void on_news(void *arg, const struct call *c, const struct call_news *n)
{
	size_t l = strlen(told);

	(void)arg;
	snprintf(told + l, sizeof(told) - l, "%s:%s:%s:%s:%s:%s ", c->call_id, n->event, n->purpose < 0 ? "-" : n->purpose ? "t" : "d",
		 call_how_name(n->how), n->actor, n->reason ? n->reason : "");
}

static unsigned times(const char *what)
{
	unsigned n = 0;

	for (const char *p = told; (p = strstr(p, what)); p++)
		n++;
	return n;
}

static struct world *talk(enum policy_basis train, bool special, struct call **a, struct call **b)
{
	struct world *w = world(train);

	told[0] = 0;
	w->cs->sink.news = on_news;
	w->policy.rule.purpose[TRAIN].special = special;
	*a = invite(w, &one);
	*b = invite(w, &two);
	answer(w, &two);
	answer(w, &one);
	assert_true(group_same(*a, *b));
	return w;
}

static void key(struct world *w, struct call *c, unsigned leg, char k)
{
	call_key(w->cs, c, leg, k, CALL_BY_RFC4733, true, w->now);
	fake_check(w);
}

/* A consent and its end, once in each call: where it was pressed by the caller, in the other by the peer. */
static void test_consent(void **state)
{
	struct call *a, *b;
	struct world *w = talk(POLICY_B_CONSENT, false, &a, &b);

	(void)state;
	later(w, 4);
	key(w, b, SUBJECT, '1');
	assert_int_equal(a->state[TRAIN], PURPOSE_GRANTED);
	assert_int_equal(b->state[TRAIN], PURPOSE_GRANTED);
	assert_int_equal(times("x2:consent.given:t:rfc4733:caller:"), 1);
	assert_int_equal(times("x1:consent.given:t:peer:system:"), 1);
	assert_int_equal(times("consent.given"), 2);
	later(w, 20);
	key(w, b, SUBJECT, '0');
	assert_int_equal(a->state[TRAIN], PURPOSE_WITHDRAWN);
	assert_int_equal(times("x2:consent.withdrawn:t:rfc4733:caller:"), 1);
	assert_int_equal(times("x1:consent.withdrawn:t:peer:system:peer"), 1);
	assert_int_equal(times(":consent.withdrawn:"), 2);
	assert_int_equal(times(":optout:"), 0);
	fake_world_free(w);
}

static void test_opt_out(void **state)
{
	(void)state;
	for (int loss = 0; loss < 2; loss++) {
		const char *event = loss ? "optout.uncertain:t" : "optout:t";
		struct call *a, *b;
		struct world *w = talk(POLICY_B_INTEREST, false, &a, &b);
		uint64_t bound = w->cs->stats.bound;
		char want[64];

		later(w, 75);
		assert_int_equal(a->state[TRAIN], PURPOSE_GRANTED);
		if (loss)
			call_lost_audio(w->cs, b, SUBJECT, 200, w->now);
		else
			key(w, b, SUBJECT, '9');
		assert_int_equal(a->state[TRAIN], loss ? PURPOSE_DENIED : PURPOSE_OPTED_OUT);
		snprintf(want, sizeof(want), "x1:%s:peer:system:peer", event);
		assert_int_equal(times(want), 1);
		snprintf(want, sizeof(want), "x2:%s", event);
		assert_int_equal(times(want), 1);
		assert_int_equal(times(":optout:t") + times(":optout.uncertain:t"), 2);
		assert_int_equal(w->cs->stats.bound - bound, 1);
		/* once more says nothing new of either */
		if (loss)
			call_lost_audio(w->cs, a, SUBJECT, 200, w->now);
		else
			key(w, a, SUBJECT, '9');
		assert_int_equal(times(":optout:t") + times(":optout.uncertain:t"), 2);
		fake_world_free(w);
	}
}

/* To documentation by the caller's key, to training in special circumstances by the agent, with grounds. */
static void test_objection(void **state)
{
	struct call *a, *b;
	struct world *w = talk(POLICY_B_INTEREST, true, &a, &b);

	(void)state;
	later(w, 20);
	key(w, b, SUBJECT, '7');
	assert_int_equal(a->state[DOC], PURPOSE_OBJECTED);
	assert_int_equal(times("x1:objection.opened:d:peer:system:grounds.absent"), 1);
	assert_int_equal(times("x2:objection.opened:d:rfc4733:caller:grounds.absent"), 1);
	assert_int_equal(a->state[TRAIN], PURPOSE_GRANTED);
	assert_int_equal(call_command(w->cs, b, CALL_C_OBJECT_GROUNDS, TRAIN, CALL_BY_API, w->now), 0);
	fake_check(w);
	assert_int_equal(a->state[TRAIN], PURPOSE_DENIED);
	assert_int_equal(times("x1:objection.opened:t:peer:system:grounds.present"), 1);
	assert_int_equal(times("x2:objection.opened:t:api:agent:grounds.present"), 1);
	fake_world_free(w);
}

/* Documentation by consent that is taken back. */
static void test_documentation_withdrawn(void **state)
{
	struct world *w = world(POLICY_B_NONE);
	struct call *a, *b;

	(void)state;
	told[0] = 0;
	w->cs->sink.news = on_news;
	w->policy.rule.purpose[DOC].basis = POLICY_B_CONSENT;
	a = invite(w, &one);
	b = invite(w, &two);
	answer(w, &two);
	answer(w, &one);
	later(w, 4);
	key(w, b, SUBJECT, '2');
	assert_int_equal(a->state[DOC], PURPOSE_GRANTED);
	assert_int_equal(times("x1:consent.given:d:peer:system:"), 1);
	later(w, 20);
	assert_int_equal(call_command(w->cs, b, CALL_C_WITHDRAW, DOC, CALL_BY_API, w->now), 0);
	fake_check(w);
	assert_int_equal(a->state[DOC], PURPOSE_WITHDRAWN);
	assert_int_equal(times("x1:consent.withdrawn:d:peer:system:peer"), 1);
	assert_int_equal(times(":consent.withdrawn:"), 2);
	fake_world_free(w);
}

/* Told early of one call, given by key in the other, and taken back there: what was told early is taken back with it. */
static void test_early_taken_back(void **state)
{
	(void)state;
	for (int p = 0; p < 2; p++) {
		struct world *w = world(POLICY_B_CONSENT);
		struct call *a, *b;

		w->cs->sink.news = NULL;
		w->policy.rule.purpose[DOC].basis = p == DOC ? POLICY_B_CONSENT : POLICY_B_INTEREST;
		w->policy.rule.purpose[p].consent_api = true;
		a = invite(w, &one);
		b = invite(w, &two);
		answer(w, &one);
		later(w, 2);
		answer(w, &two);
		assert_true(group_same(a, b));
		assert_int_equal(call_command(w->cs, b, CALL_C_CONSENT, (enum policy_purpose)p, CALL_BY_API, w->now), 0);
		later(w, 1.5);
		key(w, a, SUBJECT, p == DOC ? '2' : '1');
		assert_int_equal(a->state[p], PURPOSE_GRANTED);
		assert_int_equal(b->state[p], PURPOSE_GRANTED);
		later(w, 0.5);
		key(w, a, SUBJECT, p == DOC ? '8' : '0');
		assert_int_equal(b->state[p], PURPOSE_WITHDRAWN);
		later(w, 3);
		assert_int_equal(a->state[p], PURPOSE_WITHDRAWN);
		assert_int_equal(b->state[p], PURPOSE_WITHDRAWN);
		fake_world_free(w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_consent),
		cmocka_unit_test(test_opt_out),
		cmocka_unit_test(test_objection),
		cmocka_unit_test(test_documentation_withdrawn),
		cmocka_unit_test(test_early_taken_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
