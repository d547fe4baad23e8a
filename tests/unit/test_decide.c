/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What keys, notices, silence, loss and commands do to a call (guidance 4 to 7): one call each, by
 * SIP messages and times; the subject calls, the controller is called.
 */
#include "decide_talk.h"

static void test_press_one(void **state)
{
	struct world *w = world(POLICY_B_NONE, POLICY_B_CONSENT, false);
	struct call *c = answer_call(w);

	(void)state;
	/* notice attested, its length unknown: counts from 3 s to 10 s after the answer */
	assert_int_equal(call_audio(c, SUBJECT), CALL_A_BLOCK);
	assert_int_equal(call_audio(c, AGENT), CALL_A_BLOCK);
	assert_true(call_listens(c, SUBJECT));
	until(w, c, 5);
	press(w, c, SUBJECT, "1");
	assert_int_equal(c->state[TRAIN], PURPOSE_GRANTED);
	assert_true(was_told("consent.given:t:caller:rfc4733:1 "));
	assert_int_equal(call_audio(c, SUBJECT), CALL_A_WRITE);
	assert_int_equal(call_audio(c, AGENT), CALL_A_WRITE);
	until(w, c, 30);
	assert_int_equal(c->state[TRAIN], PURPOSE_GRANTED);
	bye(w);
	assert_false(was_told("consent.none"));
	fake_world_free(w);
}

static void test_presses_that_are_none(void **state)
{
	static const struct {
		double at;
		unsigned leg;
		const char *keys;
		bool trusted;
	} t[] = {
		{ 2.9, SUBJECT, "1", true },  /* before the window */
		{ 10.3, SUBJECT, "1", true }, /* after it */
		{ 5, AGENT, "1", true },      /* not the data subject */
		{ 5, SUBJECT, "2", true },    /* documentation's key, which the rule lacks */
		{ 5, SUBJECT, "3", true },
		{ 5, SUBJECT, "41", true },   /* a number being typed */
		{ 5, SUBJECT, "1", false },   /* from somewhere else */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct world *w = world(POLICY_B_NONE, POLICY_B_CONSENT, false);
		struct call *c = answer_call(w);

		until(w, c, t[i].at);
		for (const char *k = t[i].keys; *k; k++, w->now += 200 * MS)
			call_key(w->cs, c, t[i].leg, *k, CALL_BY_RFC4733, t[i].trusted, w->now);
		assert_int_not_equal(c->state[TRAIN], PURPOSE_GRANTED);
		assert_int_equal(call_audio(c, SUBJECT), CALL_A_BLOCK);
		until(w, c, 11);
		assert_int_equal(c->state[TRAIN], PURPOSE_DENIED);
		assert_true(was_told("consent.none:t:system"));
		assert_false(was_told("consent.given"));
		assert_string_equal(c->reason[TRAIN], "consent.none");
		bye(w);
		fake_world_free(w);
	}
}

/* A gateway sends a press by INFO and as events: the way that the rule listens to counts, whichever comes first, and once. */
static void test_two_ways(void **state)
{
	static const enum call_how way[] = { CALL_BY_RFC4733, CALL_BY_INFO };

	(void)state;
	for (unsigned i = 0; i < 8; i++) {
		enum call_how first = way[i & 1], then = way[~i & 1];
		unsigned dtmf = i & 2 ? POLICY_DTMF_INFO : POLICY_DTMF_RFC4733;
		bool heard_first = (first == CALL_BY_INFO) == (dtmf == POLICY_DTMF_INFO);
		struct world *w = world(POLICY_B_NONE, POLICY_B_CONSENT, false);
		struct call *c;
		unsigned before;

		for (int p = 0; p < 2; p++)
			w->policy.rule.purpose[p].dtmf = dtmf;
		if (i & 4) { /* a key of two */
			memcpy(w->policy.rule.purpose[TRAIN].consent_key, "12", 3);
		}
		c = answer_call(w);
		until(w, c, 5);
		for (const char *k = i & 4 ? "12" : "1"; *k; k++) {
			call_key(w->cs, c, SUBJECT, *k, first, true, w->now);
			w->now += 100 * MS;
			if (!k[1])
				assert_int_equal(c->state[TRAIN], heard_first ? PURPOSE_GRANTED : PURPOSE_PENDING);
			call_key(w->cs, c, SUBJECT, *k, then, true, w->now);
			w->now += 200 * MS;
		}
		assert_int_equal(c->state[TRAIN], PURPOSE_GRANTED);
		/* and once: what follows is not the beginning of something else */
		before = c->presses;
		assert_true(before >= 1);
		assert_int_equal(c->decide.typed[SUBJECT].n, 0);
		fake_world_free(w);
	}
}

/* What comes again by the rule's way is still part of the number that was being typed, and a key is its party's from its first digit on. */
static void test_no_consent_by_halves(void **state)
{
	struct world *w = world(POLICY_B_NONE, POLICY_B_CONSENT, false);
	struct call *c;

	(void)state;
	w->policy.rule.purpose[DOC].dtmf = w->policy.rule.purpose[TRAIN].dtmf = POLICY_DTMF_RFC4733;
	c = answer_call(w);
	until(w, c, 5);
	call_key(w->cs, c, SUBJECT, '4', CALL_BY_RFC4733, true, w->now);
	call_key(w->cs, c, SUBJECT, '1', CALL_BY_INFO, true, w->now + 200 * MS);
	call_key(w->cs, c, SUBJECT, '1', CALL_BY_RFC4733, true, w->now + 300 * MS);
	assert_int_equal(c->state[TRAIN], PURPOSE_PENDING);
	fake_world_free(w);
	w = world(POLICY_B_NONE, POLICY_B_CONSENT, false);
	memcpy(w->policy.rule.purpose[TRAIN].consent_key, "12", 3);
	c = answer_call(w);
	until(w, c, 5);
	call_key(w->cs, c, SUBJECT, '1', CALL_BY_RFC4733, false, w->now); /* from somewhere else */
	call_key(w->cs, c, SUBJECT, '2', CALL_BY_RFC4733, true, w->now + 1500 * MS);
	assert_int_equal(c->state[TRAIN], PURPOSE_PENDING);
	call_key(w->cs, c, SUBJECT, '1', CALL_BY_RFC4733, true, w->now + 3500 * MS);
	call_key(w->cs, c, SUBJECT, '2', CALL_BY_RFC4733, true, w->now + 3700 * MS);
	assert_int_equal(c->state[TRAIN], PURPOSE_GRANTED);
	fake_world_free(w);
}

/* A process that goes on while an announcement is being heard looks for it anew: no window is open, and none closes. */
static void test_reborn_while_hearing(void **state)
{
	static const struct policy_notice n = { .name = "n", .length_ms = 8000 };
	struct world *w = world(POLICY_B_NONE, POLICY_B_CONSENT, false);
	struct call *c;

	(void)state;
	w->policy.rule.proof = POLICY_PROOF_FINGERPRINT;
	w->policy.rule.notice = &n;
	w->policy.rule.nnotice = 1;
	c = answer_call(w);
	until(w, c, 1);
	call_notice_hearing(w->cs, c, 0, w->now, w->now);
	assert_true(c->decide.window_to_ns[TRAIN]);
	fake_reborn(w);
	c = fake_call(w, "c1");
	assert_int_equal(c->decide.window_to_ns[TRAIN], 0);
	until(w, c, 30); /* where it would have closed */
	assert_int_equal(c->state[TRAIN], PURPOSE_PENDING);
	until(w, c, 61);
	assert_string_equal(c->reason[TRAIN], "notice.missing");
	fake_world_free(w);
}

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

/* By INFO a press is the called person's when it comes in the dialog: whoever knows only the Call-ID may say no with it, and never yes. */
static void test_info_of_a_stranger(void **state)
{
	static const char *const key[] = { "1", "9" }, *const tag[] = { "zz", "b" };

	(void)state;
	for (int i = 0; i < 4; i++) {
		bool known = i & 1, no = i & 2;
		struct world *w = world(POLICY_B_INTEREST, POLICY_B_CONSENT, false);
		char body[32];
		struct call *c;

		w->policy.rule.side = POLICY_SIDE_CALLING;
		c = answer_call(w);
		until(w, c, 5);
		snprintf(body, sizeof(body), "Signal=%s\r\n", key[no]);
		fake_send(w, &(struct fake_msg){ .method = "INFO", .id = "c1", .from_tag = tag[known], .to_tag = "a", .by_callee = true,
						 .cseq = 2, .sdp = body, .type = "application/dtmf-relay" });
		assert_int_equal(c->state[TRAIN], no ? PURPOSE_DENIED : known ? PURPOSE_GRANTED : PURPOSE_PENDING);
		fake_world_free(w);
	}
}

/* A system told the consent, the person hung up, and then the announcement was proven: a consent from its instant on has nothing of what
 * was on its way before it counted; one to the whole conversation has. */
static void test_consent_proven_late(void **state)
{
	for (int from_press = 0; from_press < 2; from_press++) {
		struct world *w = world(POLICY_B_INTEREST, POLICY_B_CONSENT, false);
		struct policy_rule *r = &w->policy.rule;
		uint64_t hung_up;
		struct call *c;

		r->proof = POLICY_PROOF_API;
		r->purpose[TRAIN].consent_api = true;
		r->purpose[TRAIN].training_from_press = from_press;
		c = answer_call(w);
		until(w, c, 5);
		assert_int_equal(call_command(w->cs, c, CALL_C_CONSENT, TRAIN, CALL_BY_API, w->now), 0);
		message(w, "BYE", 0, "b", 2, NULL);
		hung_up = w->now;
		w->now += 100 * MS;
		call_notice_heard(w->cs, c, -1, CALL_BY_API, hung_up - 3 * SEC, 0, w->now);
		assert_int_equal(c->state[TRAIN], PURPOSE_GRANTED);
		assert_int_equal(c->decide.granted_ns[TRAIN], from_press ? hung_up + 100 * MS : 0);
		w->now += SEC;
		calls_tick(w->cs, w->now);
		fake_world_free(w);
	}
	(void)state;
}

static void test_silence(void **state)
{
	static const enum policy_basis doc[] = { POLICY_B_NONE, POLICY_B_INTEREST, POLICY_B_CONSENT };

	(void)state;
	for (int i = 0; i < 3; i++) {
		struct world *w = world(doc[i], POLICY_B_CONSENT, false);
		struct call *c = answer_call(w);

		until(w, c, 600);
		assert_int_equal(c->state[TRAIN], PURPOSE_DENIED);
		assert_int_equal(c->state[DOC], i == 0 ? PURPOSE_NONE : i == 1 ? PURPOSE_GRANTED : PURPOSE_DENIED);
		assert_int_equal(call_audio(c, SUBJECT), i == 1 ? CALL_A_WRITE : CALL_A_BLOCK);
		bye(w);
		fake_world_free(w);
	}
}

static void test_purposes_are_asked_apart(void **state)
{
	struct world *w = world(POLICY_B_CONSENT, POLICY_B_CONSENT, false);
	struct call *c = answer_call(w);

	(void)state;
	until(w, c, 5);
	press(w, c, SUBJECT, "2");
	assert_int_equal(c->state[DOC], PURPOSE_GRANTED);
	assert_int_equal(c->state[TRAIN], PURPOSE_PENDING);
	assert_true(c->decide.granted_ns[DOC] != 0);
	until(w, c, 8);
	press(w, c, SUBJECT, "1");
	assert_int_equal(c->state[TRAIN], PURPOSE_GRANTED);
	assert_true(c->decide.granted_ns[TRAIN] == 0); /* the use of what documentation has */
	until(w, c, 20);
	press(w, c, SUBJECT, "0");
	assert_int_equal(c->state[TRAIN], PURPOSE_WITHDRAWN);
	assert_int_equal(c->state[DOC], PURPOSE_GRANTED);
	assert_true(was_told("consent.withdrawn:t:caller:rfc4733:0 "));
	press(w, c, SUBJECT, "1"); /* the window is closed */
	assert_int_equal(c->state[TRAIN], PURPOSE_WITHDRAWN);
	fake_world_free(w);
}

static void test_consent_again(void **state)
{
	struct world *w = world(POLICY_B_NONE, POLICY_B_CONSENT, false);
	struct call *c;

	(void)state;
	w->policy.rule.purpose[TRAIN].window.reopen_agent = true;
	c = answer_call(w);
	until(w, c, 4);
	press(w, c, SUBJECT, "1");
	until(w, c, 6);
	press(w, c, SUBJECT, "0");
	assert_int_equal(c->state[TRAIN], PURPOSE_WITHDRAWN);
	assert_int_equal(call_audio(c, SUBJECT), CALL_A_BLOCK);
	until(w, c, 8);
	press(w, c, SUBJECT, "1"); /* still open */
	assert_int_equal(c->state[TRAIN], PURPOSE_GRANTED);
	assert_int_equal(c->decide.granted_ns[TRAIN], w->now);
	assert_false(call_is_bound(c)); /* nor are later parts */
	until(w, c, 20);
	press(w, c, SUBJECT, "0");
	assert_int_equal(call_command(w->cs, c, CALL_C_REOPEN, TRAIN, CALL_BY_API, w->now), 0);
	assert_true(call_listens(c, SUBJECT));
	until(w, c, 25);
	press(w, c, SUBJECT, "1");
	assert_int_equal(c->state[TRAIN], PURPOSE_GRANTED);
	fake_world_free(w);

	draw_result = NULL; /* out of the sample stays out, whoever opens what */
	w = world(POLICY_B_NONE, POLICY_B_CONSENT, false);
	w->policy.rule.purpose[TRAIN].window.reopen_agent = true;
	draw_result = "sample.out";
	c = answer_call(w);
	assert_int_equal(c->state[TRAIN], PURPOSE_DENIED);
	assert_string_equal(c->reason[TRAIN], "sample.out");
	assert_int_equal(call_command(w->cs, c, CALL_C_REOPEN, TRAIN, CALL_BY_API, w->now), -EPERM);
	until(w, c, 5);
	press(w, c, SUBJECT, "1");
	assert_int_equal(c->state[TRAIN], PURPOSE_DENIED);
	assert_true(call_listens(c, SUBJECT)); /* for an opt-out, which holds for later parts */
	fake_world_free(w);
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

static void test_keys_of_two(void **state)
{
	struct world *w = world(POLICY_B_INTEREST, POLICY_B_INTEREST, false);
	struct call *c = answer_call(w);

	(void)state;
	until(w, c, 80);
	press(w, c, AGENT, "*");
	w->now += 3 * SEC; /* too long ago to belong to it */
	press(w, c, AGENT, "7");
	assert_int_equal(c->state[TRAIN], PURPOSE_GRANTED);
	press(w, c, SUBJECT, "*7"); /* the agent's key on the wrong leg; 7 is documentation's */
	assert_int_equal(c->state[TRAIN], PURPOSE_GRANTED);
	assert_int_equal(c->decide.typed[SUBJECT].n, 0);
	press(w, c, AGENT, "**7");
	assert_int_equal(c->state[TRAIN], PURPOSE_OPTED_OUT);
	assert_int_equal(c->decide.typed[AGENT].n, 0);
	fake_world_free(w);
}

/* What is no key of the rule leaves no trace, and what could become one not for long (N-05 R-05b, X-15). */
static void test_digits_go(void **state)
{
	struct world *w = world(POLICY_B_INTEREST, POLICY_B_NONE, false);
	static const struct call_typed none;
	struct call *c;

	(void)state;
	c = answer_call(w);
	until(w, c, 20);
	for (const char *k = "0102034567"; *k; k++) {
		call_key(w->cs, c, SUBJECT, *k == '7' ? '6' : *k, CALL_BY_RFC4733, true, w->now);
		w->now += 100 * MS;
		assert_memory_equal(c->decide.typed[SUBJECT].digit, none.digit, sizeof(none.digit));
	}
	press(w, c, AGENT, "*");
	assert_int_equal(c->decide.typed[AGENT].n, 1);
	until(w, c, 30);
	assert_memory_equal(c->decide.typed[AGENT].digit, none.digit, sizeof(none.digit));
	assert_false(was_told("rfc4733"));
	fake_world_free(w);
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

static void test_notice_missing(void **state)
{
	static const enum policy_proof proofs[] = { POLICY_PROOF_HEADER, POLICY_PROOF_API, POLICY_PROOF_FINGERPRINT };

	(void)state;
	for (int i = 0; i < 3; i++) {
		for (int hang_up = 0; hang_up < 2; hang_up++) {
			struct world *w = world(POLICY_B_INTEREST, POLICY_B_INTEREST, false);
			struct call *c;

			w->policy.rule.proof = proofs[i];
			c = answer_call(w);
			until(w, c, 59);
			assert_int_equal(c->state[DOC], PURPOSE_GRANTED);
			assert_int_equal(c->state[TRAIN], PURPOSE_PENDING);
			if (hang_up) {
				bye(w);
				assert_true(was_told("notice.missing"));
				fake_world_free(w);
				continue;
			}
			until(w, c, 61);
			assert_int_equal(c->state[DOC], PURPOSE_OBJECTED);
			assert_int_equal(c->state[TRAIN], PURPOSE_DENIED);
			assert_string_equal(c->reason[DOC], "notice.missing");
			/* too late */
			call_notice_heard(w->cs, c, 0, i == 1 ? CALL_BY_API : CALL_BY_FINGERPRINT, w->now, 0, w->now);
			assert_int_equal(c->state[TRAIN], PURPOSE_DENIED);
			fake_world_free(w);
		}
	}
}

static void test_notice_by_sound(void **state)
{
	static const struct policy_notice notices[] = { { .name = "da", .length_ms = 12000 }, { .name = "en", .length_ms = 20000 } };
	struct world *w = world(POLICY_B_NONE, POLICY_B_CONSENT, false);
	struct call *c;

	(void)state;
	w->policy.rule.proof = POLICY_PROOF_FINGERPRINT;
	w->policy.rule.notice = notices;
	w->policy.rule.nnotice = 2;
	c = answer_call(w);
	assert_int_equal(call_audio(c, AGENT), CALL_A_INSPECT); /* only the voice that announces */
	assert_int_equal(call_audio(c, SUBJECT), CALL_A_BLOCK);
	until(w, c, 4);
	press(w, c, SUBJECT, "1"); /* nothing was heard yet: not told, so no consent */
	assert_int_equal(c->state[TRAIN], PURPOSE_PENDING);
	until(w, c, 6);
	call_notice_heard(w->cs, c, 1, CALL_BY_FINGERPRINT, c->answer_ns + 2 * SEC, 0, w->now);
	assert_int_equal(call_audio(c, AGENT), CALL_A_BLOCK);
	assert_int_equal(c->decide.window_from_ns[TRAIN], c->answer_ns + 5 * SEC);
	assert_int_equal(c->decide.window_to_ns[TRAIN], c->answer_ns + 32 * SEC); /* its length, until it is known to have ended */
	until(w, c, 9);
	call_notice_heard(w->cs, c, 1, CALL_BY_FINGERPRINT, c->answer_ns + 2 * SEC, c->answer_ns + 9 * SEC, w->now);
	assert_int_equal(c->decide.window_to_ns[TRAIN], c->answer_ns + 19 * SEC);
	until(w, c, 18);
	press(w, c, SUBJECT, "1");
	assert_int_equal(c->state[TRAIN], PURPOSE_GRANTED);
	fake_world_free(w);
}

static void test_loss(void **state)
{
	static const struct {
		enum policy_basis train;
		unsigned leg;
		unsigned ms;
		int on_loss;
		bool denied;
	} t[] = {
		{ POLICY_B_INTEREST, SUBJECT, 60, -1, true },  { POLICY_B_INTEREST, SUBJECT, 59, -1, false },
		{ POLICY_B_INTEREST, AGENT, 500, -1, false },  { POLICY_B_INTEREST, SUBJECT, 500, 1, false },
		{ POLICY_B_CONSENT, SUBJECT, 500, -1, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct world *w = world(POLICY_B_INTEREST, t[i].train, false);
		struct call *c;

		w->policy.rule.purpose[TRAIN].on_loss = t[i].on_loss;
		c = answer_call(w);
		until(w, c, 5);
		press(w, c, SUBJECT, "1");
		call_lost_audio(w->cs, c, t[i].leg, t[i].ms, w->now);
		assert_int_equal(c->state[TRAIN] == PURPOSE_DENIED, t[i].denied);
		if (t[i].denied)
			assert_string_equal(c->reason[TRAIN], "optout.uncertain");
		assert_int_equal(c->state[DOC], PURPOSE_GRANTED);
		fake_world_free(w);
	}
}

static uint32_t hole_ms;

static uint32_t on_hole(void *arg, struct call *c, unsigned leg)
{
	uint32_t ms = hole_ms;

	(void)arg;
	assert_int_equal(leg, call_subject_leg(c));
	hole_ms = 0;
	return ms;
}

/* X-4 where the audio stays in the classifier: it knows what is missing, and is asked before silence or the end decides. */
static void test_loss_below(void **state)
{
	static const struct {
		enum policy_basis train;
		bool special;
		int on_loss;
		uint32_t ms;
		bool denied;
	} t[] = {
		{ POLICY_B_INTEREST, false, -1, 200, true }, { POLICY_B_INTEREST, false, -1, 60, true },
		{ POLICY_B_INTEREST, false, -1, 59, false }, { POLICY_B_INTEREST, false, 1, 200, false },
		{ POLICY_B_INTEREST, true, -1, 200, false }, { POLICY_B_CONSENT, false, -1, 200, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]) * 3; i++) {
		size_t k = i / 3, when = i % 3; /* in the window, in the call and looked for, in the call and found at its end */
		struct world *w = world(POLICY_B_NONE, t[k].train, t[k].special);
		struct call *c;

		w->cs->sink.hole = on_hole;
		w->policy.rule.purpose[TRAIN].on_loss = t[k].on_loss;
		w->policy.rule.purpose[TRAIN].pre_decision = POLICY_PRE_BLOCK;
		c = answer_call(w);
		until(w, c, 5);
		if (t[k].train == POLICY_B_CONSENT)
			press(w, c, SUBJECT, "1");
		hole_ms = when ? 0 : t[k].ms;
		until(w, c, 100); /* the length of the announcement is not known: notice-timeout, and 10 s */
		if (!when) {
			assert_int_equal(c->state[TRAIN], t[k].denied ? PURPOSE_DENIED : PURPOSE_GRANTED);
			assert_int_equal(call_audio(c, SUBJECT), t[k].denied ? CALL_A_BLOCK : CALL_A_WRITE);
		}
		assert_int_equal(was_told("optout.uncertain:t:system:loss"), !when && t[k].denied);
		if (when) {
			assert_int_equal(c->state[TRAIN], PURPOSE_GRANTED);
			hole_ms = t[k].ms;
		}
		if (when == 1)
			call_look_for_loss(w->cs, c, w->now);
		assert_int_equal(c->state[TRAIN] == PURPOSE_DENIED, when < 2 && t[k].denied);
		bye(w);
		assert_int_equal(was_told("optout.uncertain:t:system:loss"), t[k].denied);
		fake_world_free(w);
	}
}

/* ---- requests that nobody saw ---- */

struct said {
	const char *method; /* NULL: no more */
	uint32_t cseq;
	bool by_callee;
	unsigned host; /* who sends it: 10.0.0.host; 0 the party itself */
};

#define ASK(method, n)	     { method, n, false, 0 }
#define BACK(method, n)	     { method, n, true, 0 }
#define VIA(method, n, host) { method, n, false, host }

static void send_from(struct world *w, const struct said *s)
{
	uint32_t src = w->src;

	w->now += SEC;
	if (s->host)
		w->src = 0x0a000000 | s->host;
	fake_send(w, &(struct fake_msg){ .method = s->method, .id = "c1", .from_tag = s->by_callee ? "b" : "a",
					 .to_tag = s->by_callee ? "a" : "b", .by_callee = s->by_callee, .cseq = s->cseq });
	w->src = src;
	fake_check(w);
}

/* X-4 of signalling: an opt-out by INFO may be what was not seen (RFC 3261 12.2.1.1). The INVITE has number 1. */
static void test_missed_request(void **state)
{
	static const struct {
		struct said said[6];
		unsigned dtmf;
		int on_loss;
		bool header, denied;
	} t[] = {
		{ { ASK("BYE", 2) }, 3, -1, false, false },
		{ { ASK("BYE", 3) }, 3, -1, false, true },
		{ { ASK("ACK", 2), ASK("BYE", 3) }, 3, -1, false, true }, /* the INVITE was not seen */
		{ { ASK("INFO", 3), ASK("BYE", 4) }, 3, -1, false, true },
		{ { ASK("BYE", 3) }, POLICY_DTMF_RFC4733, -1, false, false }, /* nobody sends keys that way */
		{ { ASK("BYE", 3) }, POLICY_DTMF_RFC4733, -1, true, true },   /* a header may have come with it */
		{ { ASK("BYE", 3) }, 3, 1, false, false },
		{ { ASK("INFO", 2), ASK("INFO", 2), ASK("INFO", 3), ASK("INFO", 2), ASK("BYE", 4) }, 3, -1, false, false }, /* copies */
		{ { ASK("ACK", 1), ASK("INVITE", 2), ASK("ACK", 2), ASK("OPTIONS", 3), ASK("BYE", 4) }, 3, -1, false, false },
		{ { ASK("UPDATE", 2), ASK("ACK", 1), ASK("NOTIFY", 4) }, 3, -1, false, true },
		/* the agent's own numbers: the first one has none before it; nobody opts out there by INFO */
		{ { BACK("INFO", 700), BACK("INFO", 701), ASK("BYE", 2) }, 3, -1, false, false },
		{ { BACK("INFO", 700), BACK("INFO", 705), ASK("BYE", 2) }, 3, -1, false, false },
		{ { BACK("INFO", 700), BACK("INFO", 705), ASK("BYE", 2) }, 3, -1, true, true },
		/* a back-to-back agent behind the caller numbers anew; numbers far ahead are other ones */
		{ { VIA("INFO", 101, 9), ASK("INFO", 2), VIA("INFO", 102, 9), ASK("BYE", 3) }, 3, -1, false, false },
		{ { VIA("INFO", 101, 9), ASK("INFO", 2), VIA("INFO", 103, 9) }, 3, -1, false, true },
		{ { ASK("INFO", 2), ASK("INFO", 900), ASK("BYE", 901) }, 3, -1, false, false },
		/* both are gone on with, and in both one may be missed; no number is past the greatest */
		{ { ASK("INFO", 2), ASK("INFO", 900), ASK("BYE", 4) }, 3, -1, false, true },
		{ { ASK("INFO", 900), ASK("INFO", 2), ASK("BYE", 902) }, 3, -1, false, true },
		{ { ASK("INFO", UINT32_MAX), ASK("INFO", 2), ASK("BYE", 3) }, 3, -1, false, false },
		/* two proxies that take turns: what one has not the other has */
		{ { VIA("INFO", 2, 9), ASK("BYE", 3) }, 3, -1, false, false },
		{ { VIA("INFO", 3, 9), ASK("BYE", 4) }, 3, -1, false, false }, /* (no more is known than that 3 was there) */
		/* more senders than are remembered: the oldest is new again */
		{ { VIA("INFO", 11, 9), VIA("INFO", 21, 10), VIA("INFO", 31, 11), VIA("INFO", 41, 12), ASK("BYE", 7) },
		  3, -1, false, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]) * 2; i++) {
		struct world *w = world(POLICY_B_INTEREST, POLICY_B_INTEREST, false);
		struct policy_block *b = &w->policy.rule.purpose[TRAIN];
		struct calls_stats st;
		struct call *c;

		b->dtmf = t[i / 2].dtmf;
		b->on_loss = t[i / 2].on_loss;
		b->optout_header = t[i / 2].header ? "X-Out" : NULL;
		c = answer_call(w);
		for (const struct said *s = t[i / 2].said; s->method; s++) {
			send_from(w, s);
			if (i % 2 && strcmp(s->method, "BYE") != 0) { /* the next process knows the numbers */
				fake_reborn(w);
				w->cs->sink.news = on_news;
				c = fake_call(w, "c1");
			}
		}
		if ((c->state[TRAIN] == PURPOSE_DENIED) != t[i / 2].denied)
			fail_msg("case %zu", i / 2);
		assert_int_equal(was_told("optout.uncertain:t:system:loss"), t[i / 2].denied);
		assert_int_equal(c->state[DOC], PURPOSE_GRANTED);
		calls_get_stats(w->cs, &st);
		if (t[i / 2].denied || t[i / 2].on_loss == 1)
			assert_true(st.missed_requests || i % 2);
		fake_world_free(w);
	}
}

/* The ring of signalling was full: whose messages went nobody knows. */
static void test_lost_signalling(void **state)
{
	(void)state;
	for (int info = 0; info < 2; info++) {
		struct world *w = world(POLICY_B_INTEREST, POLICY_B_INTEREST, false);
		struct call *c;

		w->policy.rule.purpose[TRAIN].dtmf = info ? POLICY_DTMF_INFO : POLICY_DTMF_RFC4733;
		c = answer_call(w);
		until(w, c, 5);
		calls_lost_signalling(w->cs, w->now);
		assert_int_equal(c->state[TRAIN], info ? PURPOSE_DENIED : PURPOSE_PENDING);
		assert_string_equal(c->reason[TRAIN], info ? "optout.uncertain" : "");
		fake_world_free(w);
	}
}

/* ---- a later policy ---- */

static void tighten(struct world *w, struct call *c, const struct policy_rule *r)
{
	static struct policy next;
	struct calls_tightened sum = { 0 };

	next = w->policy;
	next.rule = *r;
	next.rule.controller = &next.controller;
	w->cs->now_ns = w->now;
	call_tighten(w->cs, c, &next, &sum);
	fake_check(w);
}

/* A shorter time to say yes, a longer one to say no: of calls in progress, too. The other way round not. */
static void test_window_tightened(void **state)
{
	static const struct {
		enum policy_basis train;
		int from_s, to_s;
		double press; /* of the consent key */
		enum purpose_state at_6, at_9, at_16;
	} t[] = {
		{ POLICY_B_CONSENT, 3, 5, 0, PURPOSE_DENIED, PURPOSE_DENIED, PURPOSE_DENIED },
		{ POLICY_B_CONSENT, 3, 8, 7, PURPOSE_PENDING, PURPOSE_GRANTED, PURPOSE_GRANTED },
		{ POLICY_B_CONSENT, 3, 30, 0, PURPOSE_PENDING, PURPOSE_PENDING, PURPOSE_DENIED },
		{ POLICY_B_CONSENT, 8, 10, 7, PURPOSE_PENDING, PURPOSE_PENDING, PURPOSE_DENIED },
		{ POLICY_B_INTEREST, 3, 5, 0, PURPOSE_PENDING, PURPOSE_PENDING, PURPOSE_GRANTED },
		{ POLICY_B_INTEREST, 3, 60, 0, PURPOSE_PENDING, PURPOSE_PENDING, PURPOSE_PENDING },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]) * 2; i++) {
		static const struct policy_notice n = { .name = "n", .length_ms = 1 };
		struct world *w = world(POLICY_B_NONE, t[i / 2].train, false);
		struct policy_rule r;
		struct call *c;

		w->policy.rule.notice = &n;
		w->policy.rule.nnotice = 1;
		c = answer_call(w);
		until(w, c, 6);
		r = w->policy.rule;
		r.purpose[TRAIN].window.from_s = t[i / 2].from_s;
		r.purpose[TRAIN].window.to_s = t[i / 2].to_s;
		tighten(w, c, &r);
		assert_int_equal(c->state[TRAIN], t[i / 2].at_6);
		if (i % 2) { /* the next process knows */
			fake_reborn(w);
			c = fake_call(w, "c1");
		}
		until(w, c, t[i / 2].press ? t[i / 2].press : 7);
		if (t[i / 2].press)
			press(w, c, SUBJECT, "1");
		until(w, c, 9);
		assert_int_equal(c->state[TRAIN], t[i / 2].at_9);
		until(w, c, 16);
		assert_int_equal(c->state[TRAIN], t[i / 2].at_16);
		fake_world_free(w);
	}
}

/* An opt-out by a header, which the rule got after the call began; by the API it is one anyway. */
static void test_header_added(void **state)
{
	(void)state;
	for (int how = 0; how < 4; how++) { /* not added; added; and by another process; another value */
		struct world *w = world(POLICY_B_NONE, POLICY_B_INTEREST, false);
		static const struct sip_extra extra = { .name = { "X-Out" }, .n = 1 };
		struct policy_rule r;
		struct call *c;

		c = answer_call(w);
		until(w, c, 100);
		assert_int_equal(c->state[TRAIN], PURPOSE_GRANTED);
		r = w->policy.rule;
		r.purpose[TRAIN].optout_header = "X-Out";
		r.purpose[TRAIN].optout_value = how == 3 ? "no" : how == 2 ? NULL : "yes";
		if (how)
			tighten(w, c, &r);
		if (how == 2) {
			fake_reborn(w);
			c = fake_call(w, "c1");
		}
		r.purpose[TRAIN].optout_header = NULL; /* a way out is not taken away again */
		if (how)
			tighten(w, c, &r);
		w->now += SEC;
		w->extra = &extra;
		fake_send(w, &(struct fake_msg){ .method = "INFO", .id = "c1", .from_tag = "a", .to_tag = "b", .cseq = 2,
						 .extra = "X-Out: yes\r\n" });
		assert_int_equal(c->state[TRAIN], how == 1 || how == 2 ? PURPOSE_OPTED_OUT : PURPOSE_GRANTED);
		fake_world_free(w);
	}
}

/* Whose presses come up is by the keys of the rule, each leg's own: where there is nothing else to listen for. */
static void test_legs_that_are_listened_to(void **state)
{
	(void)state;
	for (int pause = 0; pause < 3; pause++) { /* documentation alone by interest: the agent's pause, or its end, and nobody else */
		struct world *w = world(POLICY_B_INTEREST, POLICY_B_NONE, false);
		struct policy_rule *r = &w->policy.rule;
		struct call *c;

		memset(r->purpose[DOC].optout_key, 0, sizeof(r->purpose[DOC].optout_key));
		memset(r->purpose[DOC].optout_agent_key, 0, sizeof(r->purpose[DOC].optout_agent_key));
		*r->purpose[DOC].consent_key = *r->purpose[DOC].withdraw_key = 0;
		if (pause != 1)
			*r->pause_key = 0;
		if (pause != 2)
			*r->resume_key = 0;
		c = answer_call(w);
		assert_int_equal(call_listens(c, AGENT), pause > 0);
		assert_false(call_listens(c, SUBJECT));
		fake_world_free(w);
	}
	for (int out = 0; out < 2; out++) { /* the data subject's way to object to it */
		struct world *w = world(POLICY_B_INTEREST, POLICY_B_NONE, false);
		struct policy_rule *r = &w->policy.rule;

		if (!out)
			memset(r->purpose[DOC].optout_key, 0, sizeof(r->purpose[DOC].optout_key));
		*r->purpose[DOC].consent_key = *r->purpose[DOC].withdraw_key = 0;
		assert_int_equal(call_listens(answer_call(w), SUBJECT), out);
		fake_world_free(w);
	}
	for (int taken = 0; taken < 2; taken++) { /* by consent: the data subject, while it can say yes or take it back */
		struct world *w = world(POLICY_B_CONSENT, POLICY_B_NONE, false);
		struct policy_rule *r = &w->policy.rule;
		struct call *c;

		memset(r->purpose[DOC].optout_key, 0, sizeof(r->purpose[DOC].optout_key));
		memset(r->purpose[DOC].optout_agent_key, 0, sizeof(r->purpose[DOC].optout_agent_key));
		if (!taken)
			*r->purpose[DOC].withdraw_key = 0;
		c = answer_call(w);
		assert_true(call_listens(c, SUBJECT));
		assert_false(call_listens(c, AGENT));
		until(w, c, 5);
		if (taken)
			press(w, c, SUBJECT, r->purpose[DOC].consent_key);
		until(w, c, 30);
		assert_int_equal(c->state[DOC], taken ? PURPOSE_GRANTED : PURPOSE_DENIED);
		assert_int_equal(call_listens(c, SUBJECT), taken);
		fake_world_free(w);
	}
}

/* A pause by a header, how it ends, and what is silenced: of calls in progress, too (policy-language 5.2); never the other way. */
static void test_pause_tightened(void **state)
{
	static const struct {
		bool stop, next_stop;
		unsigned max, next;  /* seconds, 0 never */
		bool paused, over; /* 60 s after a pause began */
	} t[] = {
		{ false, false, 30, 90, true, false },	{ false, false, 30, 20, false, false }, { false, false, 30, 0, true, false },
		{ false, true, 90, 50, true, true },	{ true, false, 90, 50, true, false },	{ true, true, 90, 50, true, true },
		{ true, true, 50, 90, true, true },	{ false, true, 50, 90, true, true },	{ true, false, 50, 90, true, true },
		{ false, false, 0, 20, true, false },	{ false, true, 0, 50, true, true },	{ true, true, 0, 50, true, true },
		{ true, true, 0, 90, true, false },	{ true, false, 0, 20, true, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]) * 4; i++) {
		static const struct sip_extra extra = { .name = { "X-Card" }, .n = 1 };
		struct world *w = world(POLICY_B_INTEREST, POLICY_B_NONE, false);
		struct policy_rule r;
		struct call *c;

		w->policy.rule.pause_stop = t[i / 4].stop;
		w->policy.rule.pause_max = (struct policy_span){ (int)t[i / 4].max, POLICY_U_S };
		c = answer_call(w);
		until(w, c, 5);
		if (i & 1) /* it is under way already */
			assert_int_equal(call_command(w->cs, c, CALL_C_PAUSE, DOC, CALL_BY_API, w->now), 0);
		r = w->policy.rule;
		r.pause_header = "X-Card";
		r.pause_value = i & 2 ? "on" : NULL;
		r.pause_stop = t[i / 4].next_stop;
		r.pause_max.n = (int)t[i / 4].next;
		r.mute_dtmf = true;
		tighten(w, c, &r);
		fake_reborn(w);
		w->cs->sink.news = on_news;
		c = fake_call(w, "c1");
		assert_true(c->tight.mute);
		w->now = c->answer_ns + 5 * SEC;
		w->extra = &extra;
		fake_send(w, &(struct fake_msg){ .method = "INFO", .id = "c1", .from_tag = "b", .to_tag = "a", .by_callee = true, .cseq = 1,
						 .extra = "X-Card: on\r\n" });
		assert_true(c->decide.paused);
		until(w, c, 65);
		if (c->decide.paused != t[i / 4].paused || c->decide.pause_over != t[i / 4].over)
			fail_msg("case %zu, %zu", i / 4, i % 4);
		fake_world_free(w);
	}
}

/* The data subject pauses nothing by a header, and another value is another one. A header that comes later is one more way; when
 * one has no room any more, it ends. */
static void test_pause_header_added(void **state)
{
	static const char *const name[] = { "X-Card", "X-Other", "X-Card" }, *const value[] = { NULL, "on", "done" };
	static const struct sip_extra extra = { .name = { "X-Card", "X-Other" }, .n = 2 };
	char longest[CALL_TIGHT_TEXT];

	(void)state;
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = 0;
	for (int how = 0; how < 6; how++) { /* by whom, and which of the headers */
		struct world *w = world(POLICY_B_INTEREST, POLICY_B_INTEREST, false);
		struct call *c = answer_call(w);
		struct policy_rule r = w->policy.rule;
		bool agent = how & 1;
		char says[64];

		until(w, c, 5);
		for (int i = 0; i < 3; i++) {
			r.pause_header = name[i];
			r.pause_value = value[i];
			tighten(w, c, &r);
		}
		tighten(w, c, &r); /* it is known */
		fake_reborn(w);
		w->cs->sink.news = on_news;
		c = fake_call(w, "c1");
		w->now = c->answer_ns + 5 * SEC;
		assert_false(c->tight.stopped[DOC] || c->tight.stopped[TRAIN]);
		w->extra = &extra;
		snprintf(says, sizeof(says), "%s: %s\r\n", name[how / 2], how / 2 ? value[how / 2] : "off");
		if (how / 2 == 1) { /* another value of it */
			fake_send(w, &(struct fake_msg){ .method = "INFO", .id = "c1", .from_tag = "b", .to_tag = "a", .by_callee = true,
							 .cseq = 1, .extra = "X-Other: off\r\n" });
			assert_false(c->decide.paused);
		}
		fake_send(w, &(struct fake_msg){ .method = "INFO", .id = "c1", .from_tag = agent ? "b" : "a", .to_tag = agent ? "a" : "b",
						 .by_callee = agent, .cseq = 2, .extra = says });
		assert_int_equal(c->decide.paused, agent);
		for (int i = 0; i < 3; i++) {
			longest[0] = (char)('a' + i);
			r.pause_header = r.pause_value = longest;
			assert_false(c->tight.stopped[DOC]);
			tighten(w, c, &r);
			if (c->tight.stopped[DOC])
				break;
		}
		assert_true(c->tight.stopped[DOC] && c->tight.stopped[TRAIN]);
		assert_int_equal(c->state[TRAIN], PURPOSE_DENIED);
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

static void test_no_way_out(void **state)
{
	char a[512], b[512];
	struct world *w = world(POLICY_B_INTEREST, POLICY_B_INTEREST, false);
	struct call *c;

	(void)state;
	fake_sdp(a, sizeof(a), 1, 1, 4000, NULL);
	/* the controller's side takes no telephone-events, so the caller's key cannot be heard (R-41b) */
	snprintf(b, sizeof(b), "v=0\r\no=- 2 1 IN IP4 10.1.0.2\r\ns=-\r\nc=IN IP4 10.1.0.2\r\nt=0 0\r\nm=audio 5000 RTP/AVP 8\r\n");
	message(w, "INVITE", 0, "", 1, a);
	message(w, "INVITE", 200, "b", 1, b);
	c = fake_call(w, "c1");
	assert_int_equal(c->state[TRAIN], PURPOSE_DENIED);
	assert_string_equal(c->reason[TRAIN], "optout.no-path");
	assert_int_equal(c->state[DOC], PURPOSE_GRANTED);
	fake_world_free(w);
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

static void test_review_missed(void **state)
{
	struct world *w = world(POLICY_B_INTEREST, POLICY_B_CONSENT, false);
	struct call *c;

	(void)state;
	w->policy.rule.review = (struct policy_date){ 2000, 1, 1 };
	c = answer_call(w);
	assert_true(call_review_past(c->rule, w->now));
	assert_int_equal(c->state[DOC], PURPOSE_DENIED);
	assert_int_equal(c->state[TRAIN], PURPOSE_DENIED);
	assert_string_equal(c->reason[DOC], "review.missed");
	fake_world_free(w);
}

/* What goes on when the review date is past: a consent that is asked for, with consent and keep; a statute, with keep; a weighing of interests
 * never. */
static void test_review_fallback(void **state)
{
	static const enum policy_basis basis[] = { POLICY_B_CONSENT, POLICY_B_INTEREST, POLICY_B_OBLIGATION };
	static const bool goes_on[3][3] = { { false, false, false }, { true, false, false }, { true, false, true } };

	(void)state;
	for (int f = 0; f < 3; f++)
		for (int i = 0; i < 9; i++) {
			int doc = i / 3, train = i % 3;
			struct world *w = world(basis[doc], basis[train], true);
			struct call *c;

			w->policy.rule.on_review_missed = (enum policy_fallback)f;
			w->policy.rule.review = (struct policy_date){ 2000, 1, 1 };
			draw_result = "sample.draw"; /* who is not asked is not drawn either */
			c = answer_call(w);
			assert_int_equal(c->state[DOC] == PURPOSE_DENIED, !goes_on[f][doc]);
			assert_int_equal(c->state[TRAIN], PURPOSE_DENIED);
			assert_string_equal(c->reason[TRAIN], goes_on[f][train] ? "sample.draw" : "review.missed");
			assert_int_equal(was_told("sample.out"), goes_on[f][train]);
			fake_world_free(w);
		}
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
		cmocka_unit_test(test_press_one),
		cmocka_unit_test(test_presses_that_are_none),
		cmocka_unit_test(test_two_ways),
		cmocka_unit_test(test_no_consent_by_halves),
		cmocka_unit_test(test_info_of_a_stranger),
		cmocka_unit_test(test_objection_to_a_consent),
		cmocka_unit_test(test_pause_over_goes_on),
		cmocka_unit_test(test_reborn_while_hearing),
		cmocka_unit_test(test_consent_proven_late),
		cmocka_unit_test(test_silence),
		cmocka_unit_test(test_purposes_are_asked_apart),
		cmocka_unit_test(test_consent_again),
		cmocka_unit_test(test_opt_out),
		cmocka_unit_test(test_callback),
		cmocka_unit_test(test_keys_of_two),
		cmocka_unit_test(test_digits_go),
		cmocka_unit_test(test_special),
		cmocka_unit_test(test_notice_missing),
		cmocka_unit_test(test_notice_by_sound),
		cmocka_unit_test(test_loss),
		cmocka_unit_test(test_loss_below),
		cmocka_unit_test(test_missed_request),
		cmocka_unit_test(test_lost_signalling),
		cmocka_unit_test(test_pause_tightened),
		cmocka_unit_test(test_legs_that_are_listened_to),
		cmocka_unit_test(test_pause_header_added),
		cmocka_unit_test(test_withdrawn_ahead),
		cmocka_unit_test(test_window_tightened),
		cmocka_unit_test(test_header_added),
		cmocka_unit_test(test_pause),
		cmocka_unit_test(test_no_way_out),
		cmocka_unit_test(test_kept_and_said),
		cmocka_unit_test(test_review_missed),
		cmocka_unit_test(test_review_fallback),
		cmocka_unit_test(test_sms_once),
		cmocka_unit_test(test_pause_header),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
