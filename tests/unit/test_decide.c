/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What keys, notices and silence do to a call (guidance 4 to 7): one call each, by SIP messages and times; the subject
 * calls, the controller is called. What is said: test_decide_say.c; what was lost, and later policies: test_decide_later.c.
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

static void test_review_missed(void **state)
{
	struct world *w = world(POLICY_B_INTEREST, POLICY_B_CONSENT, false);
	struct call *c;

	(void)state;
	w->policy.rule.review = (struct policy_date){ 2000, 1, 1 };
	c = answer_call(w);
	assert_true(call_review_past(c->rule, DOC, w->now) && call_review_past(c->rule, TRAIN, w->now));
	assert_int_equal(c->state[DOC], PURPOSE_DENIED);
	assert_int_equal(c->state[TRAIN], PURPOSE_DENIED);
	assert_string_equal(c->reason[DOC], "review.missed");
	fake_world_free(w);
}

/* An assessment's own date ends what rests on it, and nothing else; the earlier one counts. */
static void test_review_of_assessment(void **state)
{
	(void)state;
	for (int p = 0; p < POLICY_PURPOSES; p++) {
		struct world *w = world(POLICY_B_INTEREST, POLICY_B_INTEREST, false);
		struct call *c;

		w->policy.rule.review = (struct policy_date){ 2100, 1, 1 };
		w->policy.rule.purpose[!p].assessed_until = (struct policy_date){ 2100, 2, 1 };
		w->policy.rule.purpose[p].assessed_until = (struct policy_date){ 2000, 1, 1 };
		c = answer_call(w);
		assert_string_equal(c->reason[p], "review.missed");
		assert_string_equal(c->reason[!p], "");
		assert_int_equal(policy_review(c->rule, p).year, 2000);
		assert_int_equal(policy_review(c->rule, !p).month, 1);
		fake_world_free(w);
	}
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

/* Before the purposes have been spoken no key is a consent; the rule's window is as it was besides (guidance 9.9). */
static void test_keys_after(void **state)
{
	static const struct policy_notice n[] = {
		{ .name = "da", .length_ms = 20000, .keys_after_s = 12 },
		{ .name = "en", .length_ms = 20000, .keys_after_s = 5 },
		{ .name = "old", .length_ms = 20000, .keys_after_s = 25, .until = { 2001, 1, 1 } },
		{ .name = "early", .length_ms = 20000, .keys_after_s = 2 },
	};
	static const struct {
		enum policy_proof proof;
		int first, nnotice, which; /* as reported; -1 not known */
		double start;		   /* after the answer */
		bool hearing, from_answer;
		double no, yes;
	} t[] = {
		{ POLICY_PROOF_ATTESTED, 0, 1, -1, 0, false, false, 5, 13 },
		{ POLICY_PROOF_ATTESTED, 0, 1, -1, 0, false, false, 11.9, 12.1 },
		{ POLICY_PROOF_ATTESTED, 0, 2, -1, 0, false, false, 8, 13 },   /* the largest of those that may have been heard */
		{ POLICY_PROOF_ATTESTED, 1, 2, -1, 0, false, false, 4, 6 },    /* of "old" nobody can have heard anything */
		{ POLICY_PROOF_ATTESTED, 3, 1, -1, 0, false, false, 2.5, 3.1 }, /* the window's own beginning is later */
		{ POLICY_PROOF_ATTESTED, 0, 1, -1, 0, false, true, 5, 13 },
		{ POLICY_PROOF_API, 0, 2, 0, 4, false, false, 15, 17 },
		{ POLICY_PROOF_API, 0, 2, 1, 4, false, false, 8, 10 },
		{ POLICY_PROOF_API, 0, 2, 0, 4, false, true, 15, 17 }, /* counts from the answer, and never before that */
		{ POLICY_PROOF_API, 0, 2, -1, 4, false, false, 15, 17 },
		{ POLICY_PROOF_FINGERPRINT, 0, 2, 0, 2, false, false, 13, 15 },
		{ POLICY_PROOF_FINGERPRINT, 0, 2, 0, 2, true, false, 13, 15 },
		{ POLICY_PROOF_FINGERPRINT, 0, 2, 1, 2, true, false, 6, 8 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]) * 2; i++) {
		struct world *w = world(POLICY_B_NONE, POLICY_B_CONSENT, false);
		struct policy_window *win = &w->policy.rule.purpose[TRAIN].window;
		size_t k = i / 2;
		struct call *c;

		w->policy.rule.proof = t[k].proof;
		w->policy.rule.notice = n + t[k].first;
		w->policy.rule.nnotice = (size_t)t[k].nnotice;
		if (t[k].from_answer)
			*win = (struct policy_window){ .set = true, .from_answer = true, .from_s = 3, .to_s = 40 };
		c = answer_call(w);
		if (t[k].proof != POLICY_PROOF_ATTESTED) {
			uint64_t start = c->answer_ns + (uint64_t)(t[k].start * 1e9);

			until(w, c, t[k].start + 1);
			if (t[k].hearing)
				call_notice_hearing(w->cs, c, t[k].which, start, w->now);
			else
				call_notice_heard(w->cs, c, t[k].which, t[k].proof == POLICY_PROOF_API ? CALL_BY_API : CALL_BY_FINGERPRINT, start, 0,
						  w->now);
			assert_int_equal(c->decide.notice_start_ns, start);
		}
		until(w, c, i % 2 ? t[k].yes : t[k].no);
		press(w, c, SUBJECT, "1");
		assert_int_equal(c->state[TRAIN], i % 2 ? PURPOSE_GRANTED : PURPOSE_PENDING);
		fake_world_free(w);
	}
}

/* What a system tells is held to the same window; silence that decides is not. */
static void test_keys_after_told(void **state)
{
	static const struct policy_notice n = { .name = "da", .length_ms = 20000, .keys_after_s = 12 };
	struct world *w = world(POLICY_B_NONE, POLICY_B_CONSENT, false);
	struct call *c;

	(void)state;
	w->policy.rule.notice = &n;
	w->policy.rule.nnotice = 1;
	w->policy.rule.purpose[TRAIN].consent_api = true;
	c = answer_call(w);
	until(w, c, 5);
	assert_int_equal(call_command(w->cs, c, CALL_C_CONSENT, TRAIN, CALL_BY_API, w->now), 0);
	until(w, c, 11);
	assert_int_equal(c->state[TRAIN], PURPOSE_PENDING);
	until(w, c, 12.5);
	assert_int_equal(c->state[TRAIN], PURPOSE_GRANTED);
	fake_world_free(w);

	w = world(POLICY_B_NONE, POLICY_B_CONSENT, false); /* nor is the agent's question one before it */
	w->policy.rule.notice = &n;
	w->policy.rule.nnotice = 1;
	w->policy.rule.purpose[TRAIN].window.reopen_agent = true;
	c = answer_call(w);
	until(w, c, 5);
	assert_int_equal(call_command(w->cs, c, CALL_C_REOPEN, TRAIN, CALL_BY_API, w->now), 0);
	until(w, c, 7);
	press(w, c, SUBJECT, "1");
	assert_int_equal(c->state[TRAIN], PURPOSE_PENDING);
	assert_int_equal(c->decide.window_to_ns[TRAIN], c->answer_ns + 22 * SEC);
	until(w, c, 21);
	press(w, c, SUBJECT, "1");
	assert_int_equal(c->state[TRAIN], PURPOSE_GRANTED);
	fake_world_free(w);

	w = world(POLICY_B_NONE, POLICY_B_INTEREST, false);
	w->policy.rule.notice = &n;
	w->policy.rule.nnotice = 1;
	c = answer_call(w);
	assert_int_equal(c->decide.window_from_ns[TRAIN], c->answer_ns + 3 * SEC);
	assert_int_equal(c->decide.window_to_ns[TRAIN], c->answer_ns + 30 * SEC);
	fake_world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_press_one),
		cmocka_unit_test(test_presses_that_are_none),
		cmocka_unit_test(test_two_ways),
		cmocka_unit_test(test_no_consent_by_halves),
		cmocka_unit_test(test_reborn_while_hearing),
		cmocka_unit_test(test_info_of_a_stranger),
		cmocka_unit_test(test_consent_proven_late),
		cmocka_unit_test(test_silence),
		cmocka_unit_test(test_purposes_are_asked_apart),
		cmocka_unit_test(test_consent_again),
		cmocka_unit_test(test_keys_of_two),
		cmocka_unit_test(test_digits_go),
		cmocka_unit_test(test_notice_missing),
		cmocka_unit_test(test_notice_by_sound),
		cmocka_unit_test(test_keys_after),
		cmocka_unit_test(test_keys_after_told),
		cmocka_unit_test(test_legs_that_are_listened_to),
		cmocka_unit_test(test_no_way_out),
		cmocka_unit_test(test_review_missed),
		cmocka_unit_test(test_review_of_assessment),
		cmocka_unit_test(test_review_fallback),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
