/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What does not count as notice or consent, and what goes to no detector: before the answer of an outbound call, under
 * `pre-decision block`, by a number that is being typed, by a header out of its window. One call each, as test_decide.c.
 */
#include "base/clock.h"
#include "decide_talk.h"

static const struct policy_notice heard_notice = { .name = "n", .length_ms = 8000 };

/* who is called has heard nothing before the call was answered, whatever was played then. */
static void test_nothing_is_heard_before_the_answer(void **state)
{
	(void)state;
	for (int outbound = 0; outbound < 2; outbound++) {
		struct world *w = world(POLICY_B_NONE, POLICY_B_INTEREST, false);
		unsigned playing = outbound ? OPTAG_LEG_CALLER : OPTAG_LEG_CALLEE;
		char a[512], b[512];
		uint64_t begun;
		struct call *c;

		w->policy.rule.side = outbound ? POLICY_SIDE_CALLING : POLICY_SIDE_CALLED;
		w->policy.rule.proof = POLICY_PROOF_FINGERPRINT;
		w->policy.rule.notice = &heard_notice;
		w->policy.rule.nnotice = 1;
		message(w, "INVITE", 0, "", 1, fake_sdp(a, sizeof(a), 1, 1, 4000, NULL));
		message(w, "INVITE", 183, "b", 1, fake_sdp(b, sizeof(b), 2, 2, 5000, NULL));
		c = fake_call(w, "c1");
		assert_int_equal(call_seeks_notice(c, playing), !outbound);
		begun = w->now;
		call_notice_hearing(w->cs, c, 0, begun, w->now + SEC);
		w->now += 9 * SEC;
		call_notice_heard(w->cs, c, 0, CALL_BY_FINGERPRINT, begun, w->now, w->now);
		assert_int_equal(was_told("notice.played"), !outbound);
		message(w, "INVITE", 200, "b", 1, fake_sdp(b, sizeof(b), 2, 2, 5000, NULL));
		assert_true(c->answered);
		if (outbound) { /* the rest of one that began before is no announcement, and it may be played again */
			assert_true(call_seeks_notice(c, playing));
			call_notice_heard(w->cs, c, 0, CALL_BY_FINGERPRINT, begun, w->now, w->now);
			assert_false(was_told("notice.played"));
			assert_int_equal(c->decide.notice, CALL_NOTICE_WAIT);
			until(w, c, 10);
			call_notice_heard(w->cs, c, 0, CALL_BY_FINGERPRINT, c->answer_ns + SEC, w->now, w->now);
			assert_true(was_told("notice.played"));
		}
		fake_world_free(w);
	}
}

/* What was heard after the answer goes on in the next recording of the call, whose answer is said to be when that begins. */
static void test_heard_before_a_transfer(void **state)
{
	struct world *w = world(POLICY_B_NONE, POLICY_B_CONSENT, false);
	const bool consent[POLICY_PURPOSES] = { false, false };
	struct call_decide before;
	struct call *c;

	(void)state;
	w->policy.rule.side = POLICY_SIDE_CALLING;
	w->policy.rule.proof = POLICY_PROOF_API;
	c = answer_call(w);
	until(w, c, 5);
	call_notice_heard(w->cs, c, -1, CALL_BY_API, c->answer_ns + SEC, w->now, w->now);
	assert_int_equal(c->decide.notice, CALL_NOTICE_PROVEN);
	before = c->decide;
	memset(&c->decide, 0, sizeof(c->decide));
	c->answer_ns = w->now;
	call_decide_carry(w->cs, c, &before, consent, w->now);
	assert_int_equal(c->decide.notice, CALL_NOTICE_PROVEN);
	fake_world_free(w);
}

/* A header says that it was played: not of an outbound call that nobody has answered. */
static void test_no_header_before_the_answer(void **state)
{
	static const struct sip_extra extra = { { "X-Notice" }, 1 };

	(void)state;
	for (int outbound = 0; outbound < 2; outbound++) {
		struct world *w = world(POLICY_B_NONE, POLICY_B_CONSENT, false);
		char a[512], b[512];

		w->extra = &extra;
		w->policy.rule.side = outbound ? POLICY_SIDE_CALLING : POLICY_SIDE_CALLED;
		w->policy.rule.proof = POLICY_PROOF_HEADER;
		w->policy.rule.proof_header = "X-Notice";
		fake_send(w, &(struct fake_msg){ .method = "INVITE", .id = "c1", .from_tag = "a", .to_tag = "", .cseq = 1,
						 .sdp = fake_sdp(a, sizeof(a), 1, 1, 4000, NULL), .extra = outbound ? "X-Notice: 1\r\n" : "" });
		fake_send(w, &(struct fake_msg){ .method = "INVITE", .status = 183, .id = "c1", .from_tag = "a", .to_tag = "b", .cseq = 1,
						 .extra = outbound ? "" : "X-Notice: 1\r\n" });
		message(w, "INVITE", 200, "b", 1, fake_sdp(b, sizeof(b), 2, 2, 5000, NULL));
		assert_int_equal(was_told("notice.played"), !outbound);
		fake_world_free(w);
	}
}

/* A telephone whose keys are tones and nothing else. */
static const char *no_events(char *buf, size_t size, unsigned host, unsigned port)
{
	snprintf(buf, size, "v=0\r\no=- %u 1 IN IP4 h\r\ns=-\r\nc=IN IP4 10.0.0.%u\r\nt=0 0\r\nm=audio %u RTP/AVP 8\r\n", host, host, port);
	return buf;
}

/* `pre-decision block`: nothing goes to a detector of tones before the consent; where the other purpose has the audio nothing is blocked. */
static void test_block_stops_tones(void **state)
{
	static const enum policy_basis doc[] = { POLICY_B_NONE, POLICY_B_INTEREST };

	(void)state;
	for (int i = 0; i < 4; i++) {
		bool block = i & 1, documented = i & 2;
		struct world *w = world(doc[documented], POLICY_B_CONSENT, false);
		struct policy_block *t = &w->policy.rule.purpose[TRAIN];
		char a[512], b[512];
		struct call *c;

		t->dtmf = POLICY_DTMF_RFC4733 | POLICY_DTMF_INFO | POLICY_DTMF_INBAND;
		t->pre_decision = block ? POLICY_PRE_BLOCK : POLICY_PRE_DEFAULT;
		message(w, "INVITE", 0, "", 1, no_events(a, sizeof(a), 1, 4000));
		message(w, "INVITE", 200, "b", 1, no_events(b, sizeof(b), 2, 5000));
		c = fake_call(w, "c1");
		until(w, c, 5);
		assert_int_equal(call_audio(c, SUBJECT), documented ? CALL_A_WRITE : block ? CALL_A_BLOCK : CALL_A_INSPECT);
		assert_int_equal(call_audio(c, AGENT), documented ? CALL_A_WRITE : block ? CALL_A_BLOCK : CALL_A_INSPECT);
		assert_int_equal(call_hears_tones(c, SUBJECT), true); /* where its audio is let through */
		call_key_info(w->cs, c, SUBJECT, '1', 1, true, w->now);
		assert_int_equal(c->state[TRAIN], PURPOSE_GRANTED);
		assert_int_equal(call_audio(c, SUBJECT), CALL_A_WRITE);
		fake_world_free(w);
	}
}

/* And who could opt out by tones alone cannot be heard then: silence grants nothing (R-41b). */
static void test_block_leaves_no_way_out(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++) {
		bool block = i & 1, documented = i & 2;
		struct world *w = world(documented ? POLICY_B_INTEREST : POLICY_B_NONE, POLICY_B_INTEREST, false);
		struct policy_block *t = &w->policy.rule.purpose[TRAIN];
		char a[512], b[512];
		struct call *c;

		t->dtmf = POLICY_DTMF_RFC4733 | POLICY_DTMF_INBAND;
		t->pre_decision = block ? POLICY_PRE_BLOCK : POLICY_PRE_DEFAULT;
		message(w, "INVITE", 0, "", 1, no_events(a, sizeof(a), 1, 4000));
		message(w, "INVITE", 200, "b", 1, no_events(b, sizeof(b), 2, 5000));
		c = fake_call(w, "c1");
		assert_int_equal(c->state[TRAIN], block && !documented ? PURPOSE_DENIED : PURPOSE_PENDING);
		if (block && !documented)
			assert_string_equal(c->reason[TRAIN], "optout.no-path");
		fake_world_free(w);
	}
}

/* ---- a key that begins a number ---- */

static struct world *by_consent(bool documented)
{
	return world(documented ? POLICY_B_INTEREST : POLICY_B_NONE, POLICY_B_CONSENT, false);
}

static void test_a_number_is_no_consent(void **state)
{
	static const struct {
		const char *keys;
		unsigned ms; /* from digit to digit */
		bool granted;
	} t[] = {
		{ "1", 0, true }, { "11", 300, true },
		{ "14", 300, false }, { "14", 1200, false }, { "14", 1999, false }, { "14", 2000, true },
		{ "114", 1500, false }, /* through keys in between, as long as it takes */
		{ "41", 1999, false }, { "415", 1200, false }, { "1442981234", 250, false }, { "10", 300, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]) * 2; i++) {
		const char *keys = t[i / 2].keys;
		struct world *w = by_consent(i & 1);
		struct call *c = answer_call(w);

		until(w, c, 4);
		for (const char *k = keys; *k; k++, w->now += t[i / 2].ms * MS) {
			call_key(w->cs, c, SUBJECT, *k, CALL_BY_RFC4733, true, w->now);
			fake_check(w);
			if (k == keys && *k == '1') /* at once (N-20) */
				assert_int_equal(c->state[TRAIN], PURPOSE_GRANTED);
		}
		assert_int_equal(c->state[TRAIN] == PURPOSE_GRANTED, t[i / 2].granted);
		assert_int_equal(call_audio(c, SUBJECT), t[i / 2].granted || (i & 1) ? CALL_A_WRITE : CALL_A_BLOCK);
		assert_int_equal(c->state[DOC], i & 1 ? PURPOSE_GRANTED : PURPOSE_NONE);
		if (*keys == '1' && !t[i / 2].granted && !strchr(keys, '0'))
			assert_true(was_told("consent.withdrawn:t:caller:rfc4733: ")); /* no digit is named */
		fake_world_free(w);
	}
}

/* A new process goes on between the digits: it does not know which came, and knows that one did. */
static void test_a_number_goes_on(void **state)
{
	(void)state;
	for (int slow = 0; slow < 2; slow++) {
		struct world *w = by_consent(false);
		struct call *c = answer_call(w);

		until(w, c, 4);
		press(w, c, SUBJECT, "4");
		fake_reborn(w);
		c = fake_call(w, "c1");
		assert_int_equal(c->decide.typed[SUBJECT].n, 0);
		w->now += (slow ? 2000 : 1900) * MS;
		press(w, c, SUBJECT, "1");
		assert_int_equal(c->state[TRAIN], slow ? PURPOSE_GRANTED : PURPOSE_PENDING);
		fake_world_free(w);
	}
}

/* The opt-out of one purpose behind the consent to the other: its first digit alone is no key, and no part of a number either until it is known
 * to become none (INV-4). */
static void test_the_key_of_the_other_purpose(void **state)
{
	enum { THEN_WAIT = 1, THEN_BYE, NEW_PROCESS, TWICE };
	static const struct {
		const char *keys;
		unsigned ms; /* from digit to digit */
		int how;
		bool granted, out;
	} t[] = {
		{ "1*9", 300, 0, true, true },	 { "1*9", 1999, 0, true, true },  { "1*91", 300, 0, true, true },
		{ "1*4", 300, 0, false, false }, { "1**9", 300, 0, false, true }, { "1*1", 300, 0, false, false },
		{ "1*", 300, 0, true, false },	 { "1*", 0, THEN_WAIT, false, false }, { "1*", 0, THEN_BYE, false, false },
		{ "1*9", 300, NEW_PROCESS, false, false }, { "1*9", 300, TWICE, true, true }, { "1*94", 300, 0, false, true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct world *w = world(POLICY_B_CONSENT, POLICY_B_INTEREST, false);
		struct call *c = answer_call(w);

		strcpy(w->policy.rule.purpose[DOC].consent_key, "1");
		strcpy(w->policy.rule.purpose[TRAIN].consent_key, "");
		strcpy(w->policy.rule.purpose[TRAIN].optout_key[0], "*9");
		until(w, c, 4);
		for (const char *k = t[i].keys; *k; k++, w->now += t[i].ms * MS) {
			if (*k == '*' && t[i].how == TWICE)
				call_key_info(w->cs, c, SUBJECT, *k, 1, false, w->now - 10 * MS);
			call_key(w->cs, c, SUBJECT, *k, CALL_BY_RFC4733, true, w->now);
			fake_check(w);
			if (*k == '*' && t[i].how == NEW_PROCESS) {
				fake_reborn(w);
				c = fake_call(w, "c1");
			}
			if (k[0] == '*' && k[-1] == '1')
				assert_int_equal(c->state[DOC], PURPOSE_GRANTED);
		}
		if (t[i].how == THEN_WAIT) {
			until(w, c, 5.9);
			assert_int_equal(c->state[DOC], PURPOSE_GRANTED);
			until(w, c, 6.2);
		}
		if (t[i].how == THEN_BYE) {
			bye(w);
			assert_true(was_told("consent.withdrawn:d:caller"));
		} else {
			assert_int_equal(c->state[DOC], t[i].granted ? PURPOSE_GRANTED : PURPOSE_WITHDRAWN);
			assert_int_equal(c->state[TRAIN] == PURPOSE_OPTED_OUT, t[i].out);
		}
		fake_world_free(w);
	}
}

/* Whose digit, by which way, how long, before or after a new process: what takes it back is not asked for much. */
static void test_what_takes_it_back(void **state)
{
	(void)state;
	for (int i = 0; i < 6; i++) {
		struct world *w = by_consent(false);
		struct call *c = answer_call(w);
		uint64_t pressed;

		until(w, c, 5);
		press(w, c, SUBJECT, "1");
		pressed = w->now;
		w->now += 1500 * MS;
		if (i == 0)
			call_key(w->cs, c, SUBJECT, '4', CALL_BY_INFO, false, w->now); /* of a stranger, by another way */
		else if (i == 1)
			call_key(w->cs, c, AGENT, '4', CALL_BY_RFC4733, true, w->now); /* not who consented */
		else if (i == 2) /* held for long */
			call_press(w->cs, c, SUBJECT, &(struct call_press){ '4', CALL_BY_RFC4733, true, w->now, w->now + 4 * SEC, w->now + 4 * SEC, 0 });
		else if (i == 3) { /* it began before, and was told late */
			call_press(w->cs, c, SUBJECT, &(struct call_press){ '4', CALL_BY_RFC4733, true, pressed - SEC, pressed - 500 * MS, w->now, 0 });
		} else if (i == 4) {
			fake_reborn(w);
			c = fake_call(w, "c1");
			call_key(w->cs, c, SUBJECT, '4', CALL_BY_RFC4733, true, w->now);
		} else { /* the same press by another way is no other digit */
			call_key(w->cs, c, SUBJECT, '1', CALL_BY_INFO, true, pressed + 300 * MS);
		}
		assert_int_equal(c->state[TRAIN], i == 1 || i == 5 ? PURPOSE_GRANTED : PURPOSE_WITHDRAWN);
		if (c->state[TRAIN] == PURPOSE_WITHDRAWN) { /* whoever answers then, in the window, is heard */
			w->now += 2100 * MS;
			if (i != 2) {
				press(w, c, SUBJECT, "1");
				assert_int_equal(c->state[TRAIN], PURPOSE_GRANTED);
			}
		}
		fake_world_free(w);
	}
}

/* A key that was held: what counts is where it began, not where it ended. */
static void test_a_held_key_is_close(void **state)
{
	struct world *w = by_consent(false);
	struct call *c = answer_call(w);

	(void)state;
	until(w, c, 4);
	press(w, c, SUBJECT, "4");
	call_press(w->cs, c, SUBJECT, &(struct call_press){ '1', CALL_BY_RFC4733, true, w->now + 300 * MS, w->now + 2500 * MS, w->now + 2500 * MS, 0 });
	assert_int_equal(c->state[TRAIN], PURPOSE_PENDING);
	fake_world_free(w);
}

/* A tone is told when it begins. Whoever held one that is no key, and then pressed the key, typed a number: what counts is where it ended. */
static void test_a_held_tone_is_close(void **state)
{
	(void)state;
	for (int slow = 0; slow < 2; slow++) {
		struct world *w = by_consent(false);
		struct call *c = answer_call(w);

		w->policy.rule.purpose[TRAIN].dtmf |= POLICY_DTMF_INBAND;
		until(w, c, 4);
		call_press(w->cs, c, SUBJECT, &(struct call_press){ '4', CALL_BY_INBAND, true, w->now - 40 * MS, w->now, w->now, 0 });
		w->now += 2500 * MS;
		call_key_up(w->cs, c, SUBJECT, '4', CALL_BY_INBAND, w->now);
		w->now += slow ? 2040 * MS : 300 * MS;
		call_press(w->cs, c, SUBJECT, &(struct call_press){ '1', CALL_BY_INBAND, true, w->now - 40 * MS, w->now, w->now, 0 });
		assert_int_equal(c->state[TRAIN], slow ? PURPOSE_GRANTED : PURPOSE_PENDING);
		fake_world_free(w);
	}
}

/* A press of long before a consent, told behind it because media waited in rings, does not settle what that is part of. */
static void test_told_out_of_order(void **state)
{
	struct world *w = by_consent(false);
	struct call *c = answer_call(w);
	struct call_press old = { '5', CALL_BY_RFC4733, true, 0, 0, 0, 0 };

	(void)state;
	until(w, c, 7);
	old.begin_ns = w->now - 2300 * MS;
	old.end_ns = w->now - 2200 * MS;
	call_key_info(w->cs, c, SUBJECT, '1', 1, true, w->now);
	w->now += 300 * MS;
	old.told_ns = w->now;
	call_press(w->cs, c, SUBJECT, &old);
	assert_int_equal(c->state[TRAIN], PURPOSE_GRANTED);
	w->now += 300 * MS;
	call_key_info(w->cs, c, SUBJECT, '7', 1, true, w->now);
	assert_int_equal(c->state[TRAIN], PURPOSE_WITHDRAWN);
	fake_world_free(w);
}

/* ---- what a system tells of consent ---- */

/* By API: held to the window as a key is. Seconds after the answer; attested, of unknown length: the window is from 3 to 10. */
static void test_told_in_its_window(void **state)
{
	static const struct {
		double at;
		int e;
		double granted; /* 0 never */
	} t[] = { { 1, 0, 3 }, { 2.9, 0, 3 }, { 4, 0, 4 }, { 10.3, -EPERM, 0 } };

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]) * 2; i++) {
		struct world *w = world(POLICY_B_NONE, POLICY_B_CONSENT, false);
		struct call *c;

		w->policy.rule.purpose[TRAIN].consent_api = true;
		c = answer_call(w);
		until(w, c, t[i / 2].at);
		assert_int_equal(call_command(w->cs, c, CALL_C_CONSENT, TRAIN, CALL_BY_API, w->now), t[i / 2].e);
		if (t[i / 2].granted > t[i / 2].at) {
			assert_int_equal(c->state[TRAIN], PURPOSE_PENDING);
			assert_int_equal(call_audio(c, SUBJECT), CALL_A_BLOCK);
			if (i & 1) { /* another process goes on, and still knows */
				fake_reborn(w);
				c = fake_call(w, "c1");
			}
			until(w, c, t[i / 2].granted + 0.1);
		}
		assert_int_equal(c->state[TRAIN] == PURPOSE_GRANTED, t[i / 2].granted > 0);
		assert_int_equal(was_told("consent.given:t:api:api: "), t[i / 2].granted > 0);
		fake_world_free(w);
	}
}

/* Told before the announcement is proven, which comes to be known late: the time it was told decides, not when that is known. */
static void test_told_before_the_proof(void **state)
{
	static const double told_at[] = { 2, 5, 16 };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct world *w = world(POLICY_B_NONE, POLICY_B_CONSENT, false);
		struct call *c;

		w->policy.rule.purpose[TRAIN].consent_api = true;
		w->policy.rule.proof = POLICY_PROOF_API;
		c = answer_call(w);
		until(w, c, told_at[i]);
		assert_int_equal(call_command(w->cs, c, CALL_C_CONSENT, TRAIN, CALL_BY_API, w->now), 0);
		until(w, c, 20); /* it was played from 0 to 4 s: the window was from 3 to 14 */
		call_notice_heard(w->cs, c, -1, CALL_BY_API, c->answer_ns, c->answer_ns + 4 * SEC, w->now);
		assert_int_equal(c->state[TRAIN], i < 2 ? PURPOSE_GRANTED : PURPOSE_DENIED);
		fake_world_free(w);
	}
}

/* Nobody has been asked before an outbound call is answered, whoever says so. */
static void test_told_before_the_answer(void **state)
{
	(void)state;
	for (int outbound = 0; outbound < 2; outbound++) {
		struct world *w = world(POLICY_B_NONE, POLICY_B_CONSENT, false);
		char a[512], b[512];
		struct call *c;

		w->policy.rule.side = outbound ? POLICY_SIDE_CALLING : POLICY_SIDE_CALLED;
		w->policy.rule.purpose[TRAIN].consent_api = true;
		message(w, "INVITE", 0, "", 1, fake_sdp(a, sizeof(a), 1, 1, 4000, NULL));
		c = fake_call(w, "c1");
		assert_int_equal(call_command(w->cs, c, CALL_C_CONSENT, TRAIN, CALL_BY_API, w->now), outbound ? -EPERM : 0);
		message(w, "INVITE", 200, "b", 1, fake_sdp(b, sizeof(b), 2, 2, 5000, NULL));
		until(w, c, 3.2);
		assert_int_equal(c->state[TRAIN], outbound ? PURPOSE_PENDING : PURPOSE_GRANTED);
		fake_world_free(w);
	}
}

/* ---- which announcement ---- */

/* The day before, of and after FAKE_T0, in the rule's time zone. */
static struct policy_date day_of(struct call *c, int days)
{
	struct policy_date d = { 0 };
	struct clock_date x;

	assert_int_equal(clock_civil(c->answer_ns + (uint64_t)((int64_t)days * 86400 * (int64_t)SEC), c->rule->controller->timezone, &x, NULL, NULL), 0);
	d.year = x.year;
	d.month = x.month;
	d.day = x.day;
	return d;
}

/* An announcement proves nothing before its first day, nor behind its last one, however it is proven. */
static void test_an_announcement_has_its_days(void **state)
{
	static const struct {
		int from, until; /* days from the call's; 99 none */
		bool valid;
	} t[] = { { 99, 99, true }, { 0, 0, true }, { -1, 99, true }, { 99, 1, true }, { 1, 99, false }, { 99, -1, false } };
	static const enum policy_proof how[] = { POLICY_PROOF_FINGERPRINT, POLICY_PROOF_API, POLICY_PROOF_HEADER, POLICY_PROOF_ATTESTED };
	static const struct sip_extra extra = { { "X-Notice" }, 1 };

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]) * 4; i++) {
		struct policy_notice n = { .name = "n", .length_ms = 4000 };
		struct world *w = world(POLICY_B_NONE, POLICY_B_CONSENT, false);
		char a[512], b[512];
		struct call *c;

		w->extra = &extra;
		w->policy.rule.notice = &n;
		w->policy.rule.nnotice = 1;
		w->policy.rule.proof = how[i % 4];
		w->policy.rule.proof_header = "X-Notice";
		message(w, "INVITE", 0, "", 1, fake_sdp(a, sizeof(a), 1, 1, 4000, NULL));
		c = fake_call(w, "c1");
		c->answer_ns = w->now;
		if (t[i / 4].from != 99)
			n.from = day_of(c, t[i / 4].from);
		if (t[i / 4].until != 99)
			n.until = day_of(c, t[i / 4].until);
		message(w, "INVITE", 200, "b", 1, fake_sdp(b, sizeof(b), 2, 2, 5000, NULL));
		until(w, c, 5);
		if (how[i % 4] == POLICY_PROOF_HEADER)
			fake_send(w, &(struct fake_msg){ .method = "INFO", .id = "c1", .from_tag = "b", .to_tag = "a", .by_callee = true, .cseq = 2,
							 .extra = "X-Notice: 1\r\n" });
		if (how[i % 4] == POLICY_PROOF_API)
			call_notice_heard(w->cs, c, -1, CALL_BY_API, c->answer_ns, 0, w->now);
		if (how[i % 4] == POLICY_PROOF_FINGERPRINT)
			call_notice_heard(w->cs, c, 0, CALL_BY_FINGERPRINT, c->answer_ns, w->now, w->now);
		assert_int_equal(was_told("notice.played"), t[i / 4].valid);
		if (t[i / 4].valid)
			assert_int_equal(c->decide.notice_which, 1);
		until(w, c, 70);
		assert_int_equal(was_told("notice.missing"), !t[i / 4].valid);
		fake_world_free(w);
	}
}

/* Of several: the one that the header names, or whose version it has, or that alone is valid; else it is not known which. */
static void test_which_of_several(void **state)
{
	static const struct {
		const char *value;
		int which; /* place + 1; 0 not known, -1 none */
		const char *rule; /* what it is to have by the rule; NULL anything */
	} t[] = { { "no", -1, "yes" },	{ "7", -1, "yes" },  { "yes", 0, "yes" }, { "say-en", 2, "yes" },  { "7", 2, "7" },
		  { "yes", 0, NULL },	{ "say-da", 1, NULL }, { "say-en", 2, NULL }, { "7", 2, NULL }, { "3", 0, NULL },
		  { "say-old", -1, NULL }, { "say-old", -1, "yes" } };
	static const struct sip_extra extra = { { "X-Notice" }, 1 };

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]) * 2; i++) {
		struct policy_notice n[] = { { .name = "say-da", .version = "3" }, { .name = "say-en", .version = "7" }, { .name = "say-also", .version = "3" },
					     { .name = "say-old", .version = "1", .until = { 2001, 1, 1 } } };
		struct world *w = world(POLICY_B_NONE, POLICY_B_CONSENT, false);
		char a[512], b[512], header[64];
		struct call *c;

		w->extra = &extra;
		w->policy.rule.notice = n;
		w->policy.rule.nnotice = 4;
		w->policy.rule.proof = POLICY_PROOF_HEADER;
		w->policy.rule.proof_header = "X-Notice";
		w->policy.rule.proof_value = t[i / 2].rule;
		snprintf(header, sizeof(header), "X-Notice: %s\r\n", t[i / 2].value);
		message(w, "INVITE", 0, "", 1, fake_sdp(a, sizeof(a), 1, 1, 4000, NULL));
		if (i & 1) { /* before the answer */
			fake_send(w, &(struct fake_msg){ .method = "INVITE", .status = 183, .id = "c1", .from_tag = "a", .to_tag = "b", .cseq = 1, .extra = header });
			fake_reborn(w);
		}
		message(w, "INVITE", 200, "b", 1, fake_sdp(b, sizeof(b), 2, 2, 5000, NULL));
		c = fake_call(w, "c1");
		until(w, c, 1);
		if (!(i & 1))
			fake_send(w, &(struct fake_msg){ .method = "INFO", .id = "c1", .from_tag = "b", .to_tag = "a", .by_callee = true, .cseq = 2, .extra = header });
		assert_int_equal(was_told("notice.played"), t[i / 2].which >= 0);
		if (t[i / 2].which >= 0)
			assert_int_equal(c->decide.notice_which, t[i / 2].which);
		fake_world_free(w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_is_heard_before_the_answer),
		cmocka_unit_test(test_heard_before_a_transfer),
		cmocka_unit_test(test_no_header_before_the_answer),
		cmocka_unit_test(test_block_stops_tones),
		cmocka_unit_test(test_block_leaves_no_way_out),
		cmocka_unit_test(test_a_number_is_no_consent),
		cmocka_unit_test(test_a_number_goes_on),
		cmocka_unit_test(test_the_key_of_the_other_purpose),
		cmocka_unit_test(test_what_takes_it_back),
		cmocka_unit_test(test_a_held_key_is_close),
		cmocka_unit_test(test_a_held_tone_is_close),
		cmocka_unit_test(test_told_out_of_order),
		cmocka_unit_test(test_told_in_its_window),
		cmocka_unit_test(test_told_before_the_proof),
		cmocka_unit_test(test_told_before_the_answer),
		cmocka_unit_test(test_an_announcement_has_its_days),
		cmocka_unit_test(test_which_of_several),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
