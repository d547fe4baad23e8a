/* SPDX-License-Identifier: BSD-2-Clause */
/* test_group_said.c - what is said in one call of a conversation, and what it does to the others (guidance) */
#include "group_talk.h"

static void test_opt_out_binds_all(void **state)
{
	(void)state;
	for (int reborn = 0; reborn < 2; reborn++) {
		struct world *w = world(POLICY_B_INTEREST);
		struct call *a, *b;

		a = invite(w, &one);
		b = invite(w, &two);
		answer(w, &two);
		answer(w, &one);
		assert_true(group_same(a, b));
		later(w, 75);
		assert_int_equal(a->state[TRAIN], PURPOSE_GRANTED);
		assert_int_equal(b->state[TRAIN], PURPOSE_GRANTED);
		if (reborn) {
			fake_reborn(w);
			fake_check(w);
			a = fake_call(w, "x1");
			b = fake_call(w, "x2");
			assert_true(group_same(a, b));
		}
		/* the agent's key is heard on the inner call only */
		call_key(w->cs, b, AGENT, '*', CALL_BY_RFC4733, true, w->now);
		call_key(w->cs, b, AGENT, '7', CALL_BY_RFC4733, true, w->now);
		fake_check(w);
		assert_int_equal(b->state[TRAIN], PURPOSE_OPTED_OUT);
		assert_int_equal(a->state[TRAIN], PURPOSE_OPTED_OUT);
		assert_int_equal(a->state[DOC], PURPOSE_GRANTED);
		assert_int_equal(w->destroyed, 2);
		fake_world_free(w);
	}
}

/* One description passed on while the first call rings is one conversation; the same one again from a telephone that always says
 * the same, after an answer whose BYE nobody saw, is another call: what is said in it must not land in the old one. */
static void test_description_again(void **state)
{
	static const struct leg first = { "x1", { NULL, NULL }, 1, { 1, 2 }, { 4000, 5000 } };
	static const struct leg again = { "x2", { NULL, NULL }, 1, { 1, 2 }, { 4000, 5000 } };

	(void)state;
	for (int rang = 0; rang < 2; rang++) {
		struct world *w = world(POLICY_B_INTEREST);
		struct call *a = invite(w, &first), *b;

		if (rang)
			b = invite(w, &again);
		answer(w, &first);
		later(w, 3);
		if (!rang)
			b = invite(w, &again);
		answer(w, &again);
		assert_int_equal(group_same(a, b), rang);
		call_key(w->cs, b, SUBJECT, '9', CALL_BY_RFC4733, true, w->now);
		assert_int_equal(b->state[TRAIN], PURPOSE_OPTED_OUT);
		assert_int_equal(a->state[TRAIN], rang ? PURPOSE_OPTED_OUT : PURPOSE_PENDING);
		later(w, 5);
		bye(w, &again);
		assert_int_equal(b->peers->relation == CALL_R_DUPLICATE, rang);
		fake_world_free(w);
	}
}

/* Also a call that comes later, while the other lasts or half a minute after it. */
static void test_opt_out_travels(void **state)
{
	static const struct { double wait; bool bound; } t[] = { { 0, true }, { 20, true }, { 40, false } };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct world *w = world(POLICY_B_INTEREST);
		struct call *a = invite(w, &one), *b;

		answer(w, &one);
		later(w, 5);
		call_key(w->cs, a, SUBJECT, '9', CALL_BY_RFC4733, true, w->now);
		assert_int_equal(a->state[TRAIN], PURPOSE_OPTED_OUT);
		if (t[i].wait > 0) {
			bye(w, &one);
			later(w, t[i].wait);
		}
		b = invite(w, &two);
		assert_int_equal(b->state[TRAIN], t[i].bound ? PURPOSE_OPTED_OUT : PURPOSE_PENDING);
		fake_world_free(w);
	}
}

static void test_loss_binds_all(void **state)
{
	struct world *w = world(POLICY_B_INTEREST);
	struct call *a = invite(w, &one), *b = invite(w, &two);

	(void)state;
	answer(w, &two);
	answer(w, &one);
	later(w, 75);
	call_lost_audio(w->cs, a, SUBJECT, 200, w->now);
	assert_string_equal(b->reason[TRAIN], "optout.uncertain");
	assert_int_equal(b->state[TRAIN], PURPOSE_DENIED);
	fake_world_free(w);
}

/* The data subject's own press on one counts for the other; the agent's, or another rule's, does not. */
static void test_consent(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++) {
		struct world *w = world(POLICY_B_CONSENT);
		struct call *a, *b;
		bool agent = i & 1, from_press = i & 2;

		w->policy.rule.purpose[TRAIN].training_from_press = from_press;
		a = invite(w, &one);
		b = invite(w, &two);
		answer(w, &two);
		answer(w, &one);
		later(w, 5);
		call_key(w->cs, a, agent ? AGENT : SUBJECT, '1', CALL_BY_RFC4733, true, w->now);
		assert_int_equal(a->state[TRAIN], agent ? PURPOSE_PENDING : PURPOSE_GRANTED);
		assert_int_equal(b->state[TRAIN], agent ? PURPOSE_PENDING : PURPOSE_GRANTED);
		for (int k = 0; k < 2 && !agent; k++) /* as much of the one as of the other */
			assert_int_equal((k ? b : a)->decide.granted_ns[TRAIN], from_press ? w->now : 0);
		fake_check(w);
		if (!agent) { /* and back */
			call_key(w->cs, b, SUBJECT, '0', CALL_BY_RFC4733, true, w->now);
			assert_int_equal(a->state[TRAIN], PURPOSE_WITHDRAWN);
		}
		fake_world_free(w);
	}
}

/* The announcement that was asked with is the other call's, too: which one, and that none is missing there. */
static void test_consent_and_notice(void **state)
{
	static const struct policy_notice n[] = { { .name = "n", .length_ms = 5000 }, { .name = "m", .length_ms = 5000 } };
	struct world *w = world(POLICY_B_CONSENT);
	struct call *a, *b;

	(void)state;
	w->policy.rule.proof = POLICY_PROOF_API;
	w->policy.rule.notice = n;
	w->policy.rule.nnotice = 2;
	a = invite(w, &one);
	b = invite(w, &two);
	answer(w, &two);
	answer(w, &one);
	later(w, 5);
	call_notice_heard(w->cs, a, 1, CALL_BY_API, w->now - 4 * SEC, 0, w->now);
	assert_int_equal(b->decide.notice, CALL_NOTICE_WAIT);
	call_key(w->cs, a, SUBJECT, '1', CALL_BY_RFC4733, true, w->now);
	assert_int_equal(b->state[TRAIN], PURPOSE_GRANTED);
	assert_int_equal(b->decide.notice, CALL_NOTICE_PROVEN);
	assert_int_equal(b->decide.notice_which, 2);
	later(w, 120);
	assert_int_equal(b->state[TRAIN], PURPOSE_GRANTED);
	assert_int_equal(b->state[DOC], PURPOSE_GRANTED);
	fake_world_free(w);
}

/* Who was denied for another reason than silence gets nothing by a consent on the other call, and the log has none of it. */
static void test_consent_where_denied(void **state)
{
	struct world *w = world(POLICY_B_CONSENT);
	struct call *a, *b;

	(void)state;
	w->policy.rule.purpose[TRAIN].training_from_press = true;
	a = invite(w, &one);
	b = invite(w, &two);
	answer(w, &two);
	answer(w, &one);
	call_event_why(w->cs, b, TRAIN, PURPOSE_E_TIGHTENED, "quota.day");
	later(w, 5);
	call_key(w->cs, a, SUBJECT, '1', CALL_BY_RFC4733, true, w->now);
	assert_int_equal(a->state[TRAIN], PURPOSE_GRANTED);
	assert_int_equal(b->state[TRAIN], PURPOSE_DENIED);
	assert_int_equal(b->decide.granted_ns[TRAIN], 0);
	assert_string_equal(b->reason[TRAIN], "quota.day");
	fake_world_free(w);
}

/* A slot that two calls share is durable, or lost, for both. */
static void test_shared_slot(void **state)
{
	(void)state;
	for (int lost = 0; lost < 2; lost++) {
		struct world *w = world(POLICY_B_INTEREST);
		struct call *a = invite(w, &(struct leg){ "x1", { NULL }, 1, { 1, 2 }, { 4000, 5000 } });
		struct call *b = invite(w, &(struct leg){ "x2", { NULL }, 1, { 1, 2 }, { 4000, 5000 } });

		assert_true(b->decide.sample_shared);
		a->decide.sample_waits = b->decide.sample_waits = true;
		if (lost)
			call_slot_lost(w->cs, a);
		else
			call_slot_durable(w->cs, a);
		assert_false(b->decide.sample_waits);
		assert_int_equal(b->state[TRAIN], lost ? PURPOSE_DENIED : PURPOSE_PENDING);
		assert_string_equal(b->reason[TRAIN], lost ? "sampling.unavailable" : "");
		assert_false(group_granted(a)); /* so it may be drawn again */
		b->state[TRAIN] = PURPOSE_GRANTED;
		assert_true(group_granted(a));
		fake_world_free(w);
	}
}

/* Restricted already, for want of an announcement: who objects then has objected on what is the same as well. */
static void test_objection_where_restricted(void **state)
{
	struct world *w = world(POLICY_B_INTEREST);
	struct call *a, *b;

	(void)state;
	w->policy.rule.proof = POLICY_PROOF_API;
	a = invite(w, &one);
	b = invite(w, &two);
	answer(w, &two);
	answer(w, &one);
	later(w, 75);
	assert_int_equal(a->state[DOC], PURPOSE_OBJECTED);
	assert_int_equal(b->state[DOC], PURPOSE_OBJECTED);
	assert_false(a->decide.objected || b->decide.objected);
	assert_int_equal(call_command(w->cs, a, CALL_C_OBJECT, DOC, CALL_BY_API, w->now), 0);
	assert_true(a->decide.objected && b->decide.objected);
	fake_world_free(w);
}

/* Half of a Session-ID is not enough for a consent, and silence on one call is no denial on the other. */
static void test_consent_needs_certainty(void **state)
{
	static const struct leg half = { "x2", { SID(UUID_A, NIL), SID(UUID_C, UUID_A) }, 7, { 3, 4 }, { 4100, 5100 } };
	struct world *w = world(POLICY_B_CONSENT);
	struct call *a = invite(w, &one), *b = invite(w, &half);

	(void)state;
	answer(w, &half);
	answer(w, &one);
	assert_false(group_same(a, b));
	assert_true(a->peers->group && a->peers->group == b->peers->group);
	assert_int_equal(draws, 2); /* two recordings, two slots (INV-10) */
	later(w, 5);
	call_key(w->cs, a, SUBJECT, '1', CALL_BY_RFC4733, true, w->now);
	assert_int_equal(a->state[TRAIN], PURPOSE_GRANTED);
	assert_int_equal(b->state[TRAIN], PURPOSE_PENDING);
	later(w, 10);
	assert_string_equal(b->reason[TRAIN], "consent.none");
	assert_int_equal(a->state[TRAIN], PURPOSE_GRANTED);
	fake_world_free(w);
}

/* Said in one call, heard in another one's later part, when nobody remembers the first any more; and a consent to something
 * else changes nothing of it (INV-4). */
static void test_bound_for_good(void **state)
{
	(void)state;
	for (int other = 0; other < 2; other++) {
		struct leg in = one, out = { "x2", { "X-Queue: 1a\r\n" SID(UUID_A, NIL), SID(UUID_B, UUID_A) }, 7, { 3, 4 }, { 4100, 5100 } };
		struct world *w = with_queues(POLICY_B_INTEREST);
		struct call *a, *b;

		if (other) {
			w->policy.rule.purpose[DOC].basis = POLICY_B_CONSENT;
			w->policy.rule.purpose[DOC].window.to_s = 120;
		}
		in.headers[0] = "X-Queue: 1a\r\n" SID(UUID_A, NIL);
		a = invite(w, &in);
		b = invite(w, &out);
		answer(w, &out);
		answer(w, &in);
		later(w, 5);
		call_key(w->cs, other ? b : a, SUBJECT, '9', CALL_BY_RFC4733, true, w->now);
		assert_int_equal(b->state[TRAIN], PURPOSE_OPTED_OUT);
		if (other) {
			later(w, 5);
			call_key(w->cs, b, SUBJECT, '2', CALL_BY_RFC4733, true, w->now);
			assert_int_equal(b->state[DOC], PURPOSE_GRANTED);
		}
		bye(w, &in);
		later(w, 90);
		b = to_queue(w, "X-Queue: 1b\r\n");
		assert_string_equal(b->queue, "1b");
		assert_int_equal(b->state[TRAIN], PURPOSE_OPTED_OUT);
		fake_world_free(w);
	}
}

/* Who opts out where nothing is for training does so for what comes after it. */
static void test_opt_out_ahead(void **state)
{
	struct leg out = { "x2", { "X-Queue: 1a\r\n", NULL }, 7, { 3, 4 }, { 4100, 5100 } };
	struct world *w = with_queues(POLICY_B_INTEREST);
	struct call *b;

	(void)state;
	fake_second(&w->policy);
	w->policy.second_controller.name = "acme";
	draw_result = "sample.draw";
	b = invite(w, &out);
	answer(w, &out);
	later(w, 5);
	assert_int_equal(b->state[TRAIN], PURPOSE_DENIED);
	assert_int_equal(call_command(w->cs, b, CALL_C_OPT_OUT, TRAIN, CALL_BY_API, w->now), 0); /* of what comes */
	assert_true(call_is_bound(b));
	assert_int_equal(b->state[TRAIN], PURPOSE_DENIED);
	assert_int_equal(call_command(w->cs, b, CALL_C_OPT_OUT, TRAIN, CALL_BY_API, w->now), -EALREADY);
	draw_result = NULL;
	w->policy.rule.name = "first";
	b = to_queue(w, "X-Queue: 2b\r\n");
	assert_string_equal(b->rule->name, "second");
	assert_int_equal(b->state[TRAIN], PURPOSE_OPTED_OUT);
	/* and in a queue of nobody's */
	b = to_queue(w, "X-Queue: 3c\r\n");
	assert_false(b->matched);
	assert_int_equal(call_command(w->cs, b, CALL_C_PAUSE, TRAIN, CALL_BY_API, w->now), -ENOENT);
	assert_int_equal(call_command(w->cs, b, CALL_C_OPT_OUT, TRAIN, CALL_BY_API, w->now), 0);
	fake_world_free(w);
}

static bool owed;

static bool on_due(void *arg, struct call *c)
{
	(void)arg;
	(void)c;
	return owed;
}

static void on_used(void *arg, struct call *c)
{
	(void)arg;
	(void)c;
	assert_true(owed);
	owed = false;
}

/* The call that is not recorded, as was promised: nor after a transfer, nor by another process (N-65). */
static void test_promise_travels(void **state)
{
	struct leg out = { "x2", { "X-Queue: 1a\r\n", NULL }, 7, { 3, 4 }, { 4100, 5100 } };

	(void)state;
	for (int reborn = 0; reborn < 2; reborn++) {
		struct world *w = with_queues(POLICY_B_INTEREST);
		struct call *b;

		w->policy.rule.side = POLICY_SIDE_CALLING;
		w->cs->sink.callback_due = on_due;
		w->cs->sink.callback_used = on_used;
		owed = true;
		b = invite(w, &out);
		answer(w, &out);
		assert_false(owed);
		assert_string_equal(b->reason[DOC], "callback");
		if (reborn) {
			fake_reborn(w);
			w->cs->sink.callback_due = on_due;
			w->cs->sink.callback_used = on_used;
		}
		later(w, 10);
		b = to_queue(w, "X-Queue: 1b\r\n");
		assert_string_equal(b->queue, "1b");
		assert_string_equal(b->reason[DOC], "callback");
		assert_string_equal(b->reason[TRAIN], "callback");
		assert_int_equal(fake_verdict(w, 3, 4100), OPTAG_V_BLOCK);
		fake_world_free(w);
	}
}

/* A consent says nothing of somebody who joins later. */
static void test_third_and_consent(void **state)
{
	struct world *w = world(POLICY_B_CONSENT);
	struct call *a;

	(void)state;
	w->policy.rule.purpose[TRAIN].window.reopen_agent = true;
	a = invite(w, &one);
	answer(w, &one);
	later(w, 30);
	assert_string_equal(a->reason[TRAIN], "consent.none");
	call_third_party(w->cs, a, w->now);
	assert_int_equal(call_command(w->cs, a, CALL_C_REOPEN, TRAIN, CALL_BY_API, w->now), 0);
	later(w, 1);
	call_key(w->cs, a, SUBJECT, '1', CALL_BY_RFC4733, true, w->now);
	assert_int_not_equal(a->state[TRAIN], PURPOSE_GRANTED);
	fake_world_free(w);
}

/* What is said in a pause is on both calls of a back-to-back agent, and goes on over a transfer; so does an objection. */
static void test_pause_binds(void **state)
{
	struct leg in = one, out = { "x2", { "X-Queue: 1a\r\n" SID(UUID_A, NIL), SID(UUID_B, UUID_A) }, 7, { 3, 4 }, { 4100, 5100 } };
	struct world *w = with_queues(POLICY_B_INTEREST);
	struct call *a, *b;

	(void)state;
	w->policy.rule.purpose[DOC].on_objection = POLICY_OBJ_STOP;
	in.headers[0] = "X-Queue: 1a\r\n" SID(UUID_A, NIL);
	a = invite(w, &in);
	b = invite(w, &out);
	answer(w, &out);
	answer(w, &in);
	assert_int_equal(call_command(w->cs, b, CALL_C_PAUSE, DOC, CALL_BY_API, w->now), 0);
	assert_int_equal(call_audio(b, SUBJECT), CALL_A_BLOCK);
	assert_int_equal(call_audio(a, SUBJECT), CALL_A_BLOCK);
	b = to_queue(w, "X-Queue: 1b\r\n");
	assert_string_equal(b->queue, "1b");
	assert_int_equal(call_audio(b, SUBJECT), CALL_A_BLOCK);
	call_key(w->cs, b, AGENT, '*', CALL_BY_RFC4733, true, w->now);
	call_key(w->cs, b, AGENT, '6', CALL_BY_RFC4733, true, w->now);
	assert_int_equal(call_audio(a, SUBJECT), CALL_A_WRITE);
	assert_int_equal(call_audio(b, SUBJECT), CALL_A_WRITE);
	assert_int_equal(call_command(w->cs, b, CALL_C_OBJECT, DOC, CALL_BY_API, w->now), 0);
	assert_int_equal(call_command(w->cs, b, CALL_C_OPT_OUT, TRAIN, CALL_BY_API, w->now), 0);
	assert_int_equal(call_audio(b, SUBJECT), CALL_A_BLOCK);
	assert_int_equal(call_audio(a, SUBJECT), CALL_A_BLOCK);
	b = to_queue(w, "X-Queue: 1c\r\n");
	assert_string_equal(b->queue, "1c");
	assert_int_equal(b->state[DOC], PURPOSE_OBJECTED);
	assert_int_equal(call_audio(b, SUBJECT), CALL_A_BLOCK);
	fake_world_free(w);
}

/* Whatever is between: a part without documentation, a time that nobody records, another controller. */
static void test_objection_travels(void **state)
{
	static const char *const through[] = { NULL, "X-Queue: 3\r\n", "X-Queue: 2b\r\n" };

	(void)state;
	for (int i = 0; i < 6; i++) {
		struct leg out = { "x2", { "X-Queue: 1a\r\n", NULL }, 7, { 3, 4 }, { 4100, 5100 } };
		struct world *w = with_queues(POLICY_B_INTEREST);
		struct call *b;

		fake_second(&w->policy);
		if (i >= 3) /* the objection is made there */
			w->policy.second.purpose[DOC].basis = POLICY_B_NONE;
		b = invite(w, &out);
		answer(w, &out);
		if (i < 3)
			assert_int_equal(call_command(w->cs, b, CALL_C_OBJECT, DOC, CALL_BY_API, w->now), 0);
		if (through[i % 3])
			b = to_queue(w, through[i % 3]);
		if (i == 5)
			assert_string_equal(b->rule->name, "second");
		if (i >= 4)
			assert_int_equal(call_command(w->cs, b, CALL_C_OBJECT, DOC, CALL_BY_API, w->now), 0);
		if (i == 2) {
			assert_string_equal(b->rule->name, "second");
			assert_int_equal(b->state[DOC], PURPOSE_OBJECTED);
		}
		fake_reborn(w);
		fake_check(w);
		b = to_queue(w, "X-Queue: 1c\r\n");
		assert_string_equal(b->queue, "1c");
		assert_int_equal(b->state[DOC], i == 3 ? PURPOSE_GRANTED : PURPOSE_OBJECTED);
		assert_int_equal(b->decide.objected, i != 3);
		fake_world_free(w);
	}
}

/* A way out that a later policy adds works at once, under the next process as well; what the caller was told stays (policy-language
 * 5.2). */
static void test_added_keys(void **state)
{
	(void)state;
	for (int reborn = 0; reborn < 2; reborn++) {
		struct world *w = world(POLICY_B_INTEREST);
		struct calls_tightened sum = { 0 };
		struct policy p = w->policy;
		struct call *a = invite(w, &one);

		p.rule.controller = &p.controller;
		strcpy(p.rule.purpose[TRAIN].optout_key[0], "4");
		strcpy(p.rule.pause_key, "*4");
		strcpy(p.rule.resume_key, "*3");
		answer(w, &one);
		later(w, 75);
		call_tighten(w->cs, a, &p, &sum);
		assert_int_equal(sum.changed, 1);
		call_tighten(w->cs, a, &p, &sum);
		assert_int_equal(sum.changed, 1);
		if (reborn) {
			fake_reborn(w);
			a = fake_call(w, "x1");
		}
		call_key(w->cs, a, AGENT, '*', CALL_BY_RFC4733, true, w->now);
		call_key(w->cs, a, AGENT, '4', CALL_BY_RFC4733, true, w->now);
		assert_true(a->decide.paused);
		call_key(w->cs, a, AGENT, '*', CALL_BY_RFC4733, true, w->now);
		call_key(w->cs, a, AGENT, '3', CALL_BY_RFC4733, true, w->now);
		assert_false(a->decide.paused);
		assert_int_equal(a->state[TRAIN], PURPOSE_GRANTED);
		call_key(w->cs, a, SUBJECT, reborn ? '4' : '9', CALL_BY_RFC4733, true, w->now);
		assert_int_equal(a->state[TRAIN], PURPOSE_OPTED_OUT);
		fake_world_free(w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_opt_out_binds_all),
		cmocka_unit_test(test_opt_out_travels),
		cmocka_unit_test(test_description_again),
		cmocka_unit_test(test_loss_binds_all),
		cmocka_unit_test(test_consent),
		cmocka_unit_test(test_consent_and_notice),
		cmocka_unit_test(test_consent_where_denied),
		cmocka_unit_test(test_shared_slot),
		cmocka_unit_test(test_objection_where_restricted),
		cmocka_unit_test(test_consent_needs_certainty),
		cmocka_unit_test(test_added_keys),
		cmocka_unit_test(test_bound_for_good),
		cmocka_unit_test(test_pause_binds),
		cmocka_unit_test(test_objection_travels),
		cmocka_unit_test(test_opt_out_ahead),
		cmocka_unit_test(test_promise_travels),
		cmocka_unit_test(test_third_and_consent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
