/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What does not count as notice or consent, and what goes to no detector: before the answer of an outbound call, under
 * `pre-decision block`, by a number that is being typed, by a header out of its window. One call each, as test_decide.c.
 */
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_is_heard_before_the_answer),
		cmocka_unit_test(test_no_header_before_the_answer),
		cmocka_unit_test(test_block_stops_tones),
		cmocka_unit_test(test_block_leaves_no_way_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
