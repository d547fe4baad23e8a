/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is said in a call: opt-outs, objections, consents taken back, pauses, being rung back; see test_decide.c.
 */
#include "decide_talk.h"

/* A pause that ended the recording has ended that of the next part, too: nobody resumes it. One that goes on by itself says so. */
static void test_pause_over_goes_on(void **state)
{
	(void)state;
	for (int stop = 0; stop < 2; stop++) {
		struct world *w = world(POLICY_B_INTEREST, POLICY_B_NONE, false);
		struct call_decide before;
		struct call *c;

		w->policy.rule.pause_stop = stop;
		w->policy.rule.pause_api = true;
		c = answer_call(w);
		until(w, c, 5);
		press(w, c, AGENT, "*5");
		until(w, c, 300);
		assert_int_equal(c->decide.pause_over, stop);
		assert_int_equal(was_told("audio.resume:-:system:time"), !stop);
		before = c->decide;
		bye(w);
		fake_world_free(w);
		w = world(POLICY_B_INTEREST, POLICY_B_NONE, false);
		w->policy.rule.pause_api = true;
		c = answer_call(w);
		call_pause_goes_on(w->cs, c, &before, w->now);
		assert_int_equal(call_may_keep(c), !stop);
		(void)call_command(w->cs, c, CALL_C_RESUME, DOC, CALL_BY_API, w->now);
		until(w, c, 300);
		assert_int_equal(call_may_keep(c), !stop);
		fake_world_free(w);
	}
}

/* To what was consented to an objection, with grounds or without, is a withdrawal (guidance 4, S-B and S-E). */
static void test_objection_to_a_consent(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++) {
		struct world *w = world(i & 1 ? POLICY_B_INTEREST : POLICY_B_NONE, POLICY_B_CONSENT, false);
		struct call *c = answer_call(w);

		until(w, c, 5);
		press(w, c, SUBJECT, "1");
		assert_int_equal(c->state[TRAIN], PURPOSE_GRANTED);
		assert_int_equal(call_command(w->cs, c, i & 2 ? CALL_C_OBJECT_GROUNDS : CALL_C_OBJECT, TRAIN, CALL_BY_API, w->now), 0);
		assert_int_equal(c->state[TRAIN], PURPOSE_WITHDRAWN);
		assert_int_equal(c->state[DOC], i & 1 ? PURPOSE_GRANTED : PURPOSE_NONE);
		assert_int_equal(w->destroyed, 1);
		fake_world_free(w);
	}
}

static void test_opt_out(void **state)
{
	static const struct {
		double at;
		unsigned leg;
		const char *keys;
		const char *who;
	} t[] = {
		{ 1, SUBJECT, "9", "caller" },	 { 60, SUBJECT, "9", "caller" }, { 539, SUBJECT, "9", "caller" },
		{ 1, AGENT, "*7", "agent" },	 { 539, AGENT, "*7", "agent" },	 { 60, SUBJECT, "1239", "caller" },
		{ 60, AGENT, "12*7", "agent" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		for (int f = 0; f < 2; f++) {
			struct world *w = world(f ? POLICY_B_INTEREST : POLICY_B_NONE, POLICY_B_INTEREST, false);
			struct call *c = answer_call(w);
			char want[64];

			assert_int_equal(call_audio(c, SUBJECT), f ? CALL_A_WRITE : CALL_A_HOLD);
			until(w, c, t[i].at);
			if (t[i].at > 59) /* unknown length: held for the notice's greatest time and the window */
				assert_int_equal(c->state[TRAIN], t[i].at > 70 ? PURPOSE_GRANTED : PURPOSE_PENDING);
			press(w, c, t[i].leg, t[i].keys);
			assert_int_equal(c->state[TRAIN], PURPOSE_OPTED_OUT);
			snprintf(want, sizeof(want), "optout:t:%s:rfc4733:%s ", t[i].who, t[i].leg == AGENT ? "*7" : "9");
			assert_true(was_told(want));
			assert_int_equal(c->state[DOC], f ? PURPOSE_GRANTED : PURPOSE_NONE);
			assert_int_equal(call_audio(c, SUBJECT), f ? CALL_A_WRITE : CALL_A_BLOCK);
			assert_int_equal(w->destroyed, 1);
			bye(w);
			fake_world_free(w);
		}
	}
}

static uint64_t promised_until;
static unsigned promises, used;
static bool due;

static void on_callback_add(void *arg, struct call *c, uint64_t until_ns)
{
	(void)arg;
	(void)c;
	promised_until = until_ns;
	promises++;
}

static bool on_callback_due(void *arg, struct call *c)
{
	(void)arg;
	(void)c;
	return due;
}

static void on_callback_used(void *arg, struct call *c)
{
	(void)arg;
	(void)c;
	used++;
}

/* N-65: who opts out is promised a call that is not recorded; that call is not, and a call that nobody answers keeps the promise. */
static void test_callback(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++) {
		struct world *w = world(i == 3 ? POLICY_B_OBLIGATION : POLICY_B_NONE, POLICY_B_INTEREST, false);
		struct call *c;

		promises = used = 0;
		w->cs->sink.callback_add = on_callback_add;
		w->cs->sink.callback_due = on_callback_due;
		w->cs->sink.callback_used = on_callback_used;
		w->policy.rule.purpose[TRAIN].callback_unrecorded = (struct policy_span){ 48, POLICY_U_H };
		due = i > 0;
		if (i == 0) {
			c = answer_call(w); /* inbound: whoever rings is recorded, promised or not */
			until(w, c, 5);
			press(w, c, SUBJECT, "9");
			assert_int_equal(promises, 1);
			assert_true(promised_until == w->now + 48 * 3600 * SEC);
			press(w, c, SUBJECT, "9");
			assert_int_equal(promises, 1);
		} else if (i == 1) {
			w->policy.rule.side = POLICY_SIDE_CALLING;
			message(w, "INVITE", 0, "", 1, NULL);
			message(w, "INVITE", 486, "b", 1, NULL);
			assert_int_equal(used, 0);
		} else {
			w->policy.rule.side = POLICY_SIDE_CALLING;
			c = answer_call(w);
			assert_int_equal(used, 1);
			assert_string_equal(c->reason[TRAIN], "callback");
			assert_int_equal(c->state[TRAIN], PURPOSE_DENIED);
			assert_int_equal(c->state[DOC], i == 3 ? PURPOSE_GRANTED : PURPOSE_NONE);
			assert_int_equal(call_audio(c, SUBJECT), i == 3 ? CALL_A_WRITE : CALL_A_BLOCK);
			bye(w);
			assert_int_equal(used, 1);
			assert_int_equal(promises, 0);
		}
		due = false;
		fake_world_free(w);
	}
}

static void test_special(void **state)
{
	for (int g = 0; g < 2; g++) {
		struct world *w = world(g ? POLICY_B_INTEREST : POLICY_B_NONE, POLICY_B_INTEREST, true);
		struct call *c;

		(void)state;
		w->policy.rule.proof = POLICY_PROOF_API;
		c = answer_call(w);
		assert_int_equal(call_audio(c, SUBJECT), g ? CALL_A_WRITE : CALL_A_HOLD);
		until(w, c, 5);
		call_notice_heard(w->cs, c, -1, CALL_BY_API, w->now, 0, w->now);
		assert_int_equal(c->state[TRAIN], PURPOSE_GRANTED);
		press(w, c, SUBJECT, "9"); /* N-43: a press alone stops nothing */
		assert_int_equal(c->state[TRAIN], PURPOSE_GRANTED);
		assert_int_equal(call_command(w->cs, c, CALL_C_OBJECT, TRAIN, CALL_BY_API, w->now), 0);
		assert_int_equal(c->state[TRAIN], PURPOSE_GRANTED);
		call_lost_audio(w->cs, c, SUBJECT, 500, w->now);
		assert_int_equal(c->state[TRAIN], PURPOSE_GRANTED);
		assert_int_equal(call_command(w->cs, c, CALL_C_OBJECT_GROUNDS, TRAIN, CALL_BY_API, w->now), 0);
		assert_int_equal(c->state[TRAIN], PURPOSE_DENIED);
		assert_int_equal(c->state[DOC], g ? PURPOSE_GRANTED : PURPOSE_NONE);
		fake_world_free(w);
	}
}

/* A consent that is taken back before it was given: done, for what comes; said again it changes nothing. */
static void test_withdrawn_ahead(void **state)
{
	struct world *w = world(POLICY_B_INTEREST, POLICY_B_CONSENT, false);
	struct call *c = answer_call(w);

	(void)state;
	until(w, c, 30);
	assert_int_equal(c->state[TRAIN], PURPOSE_DENIED);
	assert_int_equal(call_command(w->cs, c, CALL_C_WITHDRAW, TRAIN, CALL_BY_API, w->now), 0);
	assert_int_equal(c->state[TRAIN], PURPOSE_DENIED);
	assert_true(call_is_bound(c));
	assert_int_equal(call_command(w->cs, c, CALL_C_WITHDRAW, TRAIN, CALL_BY_API, w->now), -EALREADY);
	assert_int_equal(call_command(w->cs, c, CALL_C_WITHDRAW, DOC, CALL_BY_API, w->now), -EALREADY);
	fake_world_free(w);
}

static void test_pause(void **state)
{
	for (int stop = 0; stop < 2; stop++) {
		struct world *w = world(POLICY_B_INTEREST, POLICY_B_CONSENT, false);
		struct call *c;

		(void)state;
		w->policy.rule.pause_stop = stop;
		c = answer_call(w);
		until(w, c, 20);
		press(w, c, SUBJECT, "*5"); /* not the agent */
		assert_int_equal(call_audio(c, SUBJECT), CALL_A_WRITE);
		press(w, c, AGENT, "*5");
		assert_int_equal(call_audio(c, SUBJECT), CALL_A_BLOCK);
		assert_int_equal(call_audio(c, AGENT), CALL_A_BLOCK);
		assert_true(call_listens(c, AGENT));
		assert_int_equal(c->state[DOC], PURPOSE_GRANTED);
		until(w, c, 30);
		press(w, c, AGENT, "*6");
		assert_int_equal(call_audio(c, SUBJECT), CALL_A_WRITE);
		press(w, c, AGENT, "*5");
		until(w, c, 30 + 181);
		assert_int_equal(call_audio(c, SUBJECT), stop ? CALL_A_BLOCK : CALL_A_WRITE);
		press(w, c, AGENT, "*6"); /* what ended stays ended */
		assert_int_equal(call_audio(c, SUBJECT), stop ? CALL_A_BLOCK : CALL_A_WRITE);
		fake_world_free(w);
	}
}

/* What everybody has to see of a recording that is kept all the same stays over its end (story 44,
 * N-31). */
static void test_kept_and_said(void **state)
{
	struct world *w = world(POLICY_B_OBLIGATION, POLICY_B_NONE, false);
	struct call *c;

	(void)state;
	c = answer_call(w);
	call_recordpref_off(w->cs, c, OPTAG_LEG_CALLER, w->now);
	bye(w);
	assert_int_equal(c->state[DOC], PURPOSE_GRANTED);
	assert_string_equal(c->reason[DOC], "optout.statute");
	fake_world_free(w);
	w = world(POLICY_B_OBLIGATION, POLICY_B_NONE, false);
	w->policy.rule.proof = POLICY_PROOF_FINGERPRINT;
	w->policy.rule.on_missing_notice = POLICY_MISSING_KEEP;
	c = answer_call(w);
	until(w, c, 70);
	bye(w);
	assert_int_equal(c->state[DOC], PURPOSE_GRANTED);
	assert_string_equal(c->reason[DOC], "notice.missing");
	fake_world_free(w);
}

/* The receipt of the message with the rest of the notice is waited for once: not with each message, in the next process, or in a
 * further part of the call; and not where nothing of it is kept. */
static void test_sms_once(void **state)
{
	static const bool none[POLICY_PURPOSES];

	(void)state;
	for (int how = 0; how < 4; how++) {
		struct world *w = world(how == 3 ? POLICY_B_NONE : POLICY_B_INTEREST, POLICY_B_INTEREST, false);
		char a[512], b[512];
		struct call *c;

		w->policy.rule.sms = "template";
		w->policy.rule.sms_timeout = (struct policy_span){ 10, POLICY_U_MIN };
		draw_result = how == 3 ? "sample.draw" : NULL;
		message(w, "INVITE", 0, "", 1, fake_sdp(a, sizeof(a), 1, 1, 4000, NULL));
		c = fake_call(w, "c1");
		if (how == 2)
			call_decide_carry(w->cs, c, &(struct call_decide){ .sms = true }, none, w->now);
		assert_false(was_told("notice.sms"));
		message(w, "INVITE", 200, "b", 1, fake_sdp(b, sizeof(b), 2, 2, 5000, NULL));
		message(w, "ACK", 0, "b", 1, NULL);
		assert_int_equal(was_told("notice.sms:-:system:policy: "), how < 2);
		told[0] = 0;
		if (how == 1) {
			fake_reborn(w);
			w->cs->sink.news = on_news;
		}
		message(w, "INFO", 0, "b", 2, NULL);
		assert_false(was_told("notice.sms"));
		fake_world_free(w);
	}
}

/* The rule's own header pauses, when the controller's side says it, with its value. */
static void test_pause_header(void **state)
{
	static const struct sip_extra extra = { .name = { "X-Card" }, .n = 1 };

	(void)state;
	for (int how = 0; how < 3; how++) {
		struct world *w = world(POLICY_B_INTEREST, POLICY_B_NONE, false);
		struct call *c;
		bool agent = how != 0;

		w->policy.rule.pause_header = "X-Card";
		w->policy.rule.pause_value = "on";
		w->extra = &extra;
		c = answer_call(w);
		until(w, c, 5);
		fake_send(w, &(struct fake_msg){ .method = "INFO", .id = "c1", .from_tag = agent ? "b" : "a", .to_tag = agent ? "a" : "b",
						 .by_callee = agent, .cseq = 2, .extra = how == 2 ? "X-Card: off\r\n" : "X-Card: on\r\n" });
		assert_int_equal(c->decide.paused, how == 1);
		assert_int_equal(was_told("audio.pause:-:api:header: "), how == 1);
		fake_world_free(w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pause_over_goes_on),
		cmocka_unit_test(test_objection_to_a_consent),
		cmocka_unit_test(test_opt_out),
		cmocka_unit_test(test_callback),
		cmocka_unit_test(test_special),
		cmocka_unit_test(test_withdrawn_ahead),
		cmocka_unit_test(test_pause),
		cmocka_unit_test(test_kept_and_said),
		cmocka_unit_test(test_sms_once),
		cmocka_unit_test(test_pause_header),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
