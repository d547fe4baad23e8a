/* SPDX-License-Identifier: BSD-2-Clause */
/* test_call_verdict.c - what the purposes and settings of a call come to, and what its payload types are */
#include "call_talk.h"

static void test_recordpref(void **state)
{
	struct world *w = fake_world(NULL);
	struct call *c;

	(void)state;
	w->policy.rule.purpose[POLICY_TRAINING].basis = POLICY_B_CONSENT;
	ask(w, "INVITE", "", 1, sdp_of(1, 1, 4000, "a=recordpref:off\r\n"));
	say(w, 200, "INVITE", "b", 1, answer(5000));
	c = fake_call(w, "c1");
	assert_int_equal(c->state[POLICY_DOCUMENTATION], PURPOSE_OBJECTED);
	assert_int_equal(c->state[POLICY_TRAINING], PURPOSE_DENIED);
	expect(w, REC, REC);
	fake_world_free(w);

	w = fake_world(NULL); /* on-objection stop, pause */
	w->policy.rule.purpose[POLICY_DOCUMENTATION].on_objection = POLICY_OBJ_STOP;
	establish(w);
	expect(w, REC, REC);
	ask_back(w, "INVITE", 1, sdp_of(2, 2, 5000, "a=recordpref:off\r\n"));
	expect(w, GATE, GATE);
	fake_world_free(w);
}

static void test_unmatched(void **state)
{
	static const char *const called[] = { "500", "900" };
	struct calls_stats st;

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct world *w = fake_world(NULL);

		w->called = called[i];
		establish(w);
		ask(w, "INVITE", "b", 2, sdp_of(1, 1, 7000, "a=recordpref:on\r\n"));
		say(w, 200, "INVITE", "b", 2, answer(5000));
		wait_ns(w, 100 * SEC);
		hang_up(w);
		wait_ns(w, 2000 * SEC);
		assert_int_equal(w->flows + w->unflows + w->matched + w->destroyed + w->ended, 0);
		calls_get_stats(w->cs, &st);
		assert_int_equal(st.unmatched, 1);
		assert_int_equal(st.never, i);
		fake_world_free(w);
	}
}

struct situation {
	const char *scenario;
	enum policy_basis doc, train;
	bool special;
	struct {
		int purpose, event; /* PURPOSE_E_*; purpose -1 ends */
	} step[4];
	uint8_t verdict, on_hold;
};

#define NO POLICY_B_NONE
#define CONSENT POLICY_B_CONSENT
#define INTEREST POLICY_B_INTEREST
#define OBLIGATION POLICY_B_OBLIGATION
#define END { -1, 0 }
#define EV(p, e) { p, PURPOSE_E_##e }

static const struct situation situations[] = {
	{ "A1", INTEREST, NO, false, { END }, REC, GATE },
	{ "A1", INTEREST, NO, false, { EV(DOC, CONSENT), END }, REC, GATE },
	{ "A1", INTEREST, NO, false, { EV(DOC, OBJECT), END }, REC, GATE },
	{ "A1", INTEREST, NO, false, { EV(DOC, NO_NOTICE), END }, REC, GATE },
	{ "A1", INTEREST, NO, false, { EV(DOC, NOT_NEEDED), END }, BLK, BLK },
	{ "A1", INTEREST, NO, false, { EV(DOC, OBJECT), EV(DOC, UPHELD), END }, BLK, BLK },
	{ "A1", INTEREST, NO, false, { EV(TRAIN, CONSENT), END }, REC, GATE },
	{ "A3", OBLIGATION, NO, false, { END }, REC, GATE },
	{ "A3", OBLIGATION, NO, false, { EV(DOC, OPT_OUT), END }, REC, GATE },
	{ "A2", CONSENT, NO, false, { END }, GATE, GATE },
	{ "A2", CONSENT, NO, false, { EV(DOC, CONSENT), END }, REC, GATE },
	{ "A2", CONSENT, NO, false, { EV(DOC, WINDOW), END }, BLK, BLK },
	{ "A2", CONSENT, NO, false, { EV(DOC, NO_NOTICE), EV(DOC, CONSENT), END }, BLK, BLK },
	{ "A2", CONSENT, NO, false, { EV(DOC, CONSENT), EV(DOC, WITHDRAW), END }, BLK, BLK },
	{ "A2", CONSENT, NO, false, { EV(DOC, LOSS), END }, GATE, GATE },
	{ "A2", CONSENT, NO, false, { EV(DOC, OPT_OUT), EV(DOC, CONSENT), END }, BLK, BLK },
	{ "B", NO, CONSENT, false, { END }, GATE, GATE },
	{ "B", NO, CONSENT, false, { EV(DOC, CONSENT), END }, GATE, GATE },
	{ "B", NO, CONSENT, false, { EV(TRAIN, CONSENT), END }, REC, GATE },
	{ "B", NO, CONSENT, false, { EV(TRAIN, WINDOW), END }, GATE, GATE }, /* who says no now says so of later parts */
	{ "B", NO, CONSENT, false, { EV(TRAIN, CONSENT), EV(TRAIN, WITHDRAW), END }, BLK, BLK },
	{ "B", NO, CONSENT, false,
	  { EV(TRAIN, CONSENT), EV(TRAIN, WITHDRAW), EV(TRAIN, CONSENT), END }, REC, GATE },
	{ "C", NO, INTEREST, false, { END }, REC, GATE }, /* held in memory */
	{ "C", NO, INTEREST, false, { EV(TRAIN, WINDOW), END }, REC, GATE },
	{ "C", NO, INTEREST, false, { EV(TRAIN, OPT_OUT), END }, BLK, BLK },
	{ "C", NO, INTEREST, false, { EV(TRAIN, WINDOW), EV(TRAIN, LOSS), END }, GATE, GATE },
	{ "C", NO, INTEREST, false, { EV(TRAIN, NO_NOTICE), END }, GATE, GATE },
	{ "D", NO, INTEREST, true, { END }, REC, GATE },
	{ "D", NO, INTEREST, true, { EV(TRAIN, OBJECT), END }, REC, GATE },
	{ "D", NO, INTEREST, true, { EV(TRAIN, OBJECT_GROUNDS), END }, BLK, BLK },
	{ "D", NO, INTEREST, true, { EV(TRAIN, OPT_OUT), END }, REC, GATE },
	{ "D", NO, INTEREST, true, { EV(TRAIN, NO_NOTICE), END }, BLK, BLK },
	{ "E", INTEREST, CONSENT, false, { END }, REC, GATE },
	{ "E", INTEREST, CONSENT, false, { EV(TRAIN, WINDOW), END }, REC, GATE },
	{ "E", INTEREST, CONSENT, false, { EV(DOC, NOT_NEEDED), END }, GATE, GATE },
	{ "E", INTEREST, CONSENT, false, { EV(DOC, NOT_NEEDED), EV(TRAIN, CONSENT), END }, REC, GATE },
	{ "E", INTEREST, CONSENT, false, { EV(DOC, NOT_NEEDED), EV(TRAIN, WINDOW), END }, GATE, GATE },
	{ "F", INTEREST, INTEREST, false, { END }, REC, GATE },
	{ "F", INTEREST, INTEREST, false, { EV(TRAIN, OPT_OUT), END }, REC, GATE },
	{ "F", INTEREST, INTEREST, false, { EV(DOC, NOT_NEEDED), END }, REC, GATE }, /* held for training */
	{ "F", INTEREST, INTEREST, false, { EV(DOC, NOT_NEEDED), EV(TRAIN, OPT_OUT), END }, BLK, BLK },
	{ "G", INTEREST, INTEREST, true, { END }, REC, GATE },
	{ "G", INTEREST, INTEREST, true, { EV(TRAIN, OBJECT_GROUNDS), END }, REC, GATE },
	{ "G", INTEREST, INTEREST, true, { EV(DOC, NOT_NEEDED), END }, REC, GATE },
	{ "G", INTEREST, INTEREST, true, { EV(DOC, NOT_NEEDED), EV(TRAIN, OBJECT_GROUNDS), END }, BLK, BLK },
};

static void test_situations(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(situations) / sizeof(situations[0]); i++) {
		const struct situation *s = &situations[i];
		struct world *w = fake_world(NULL);
		struct call *c;
		int j;

		w->policy.rule.purpose[DOC].basis = s->doc;
		w->policy.rule.purpose[TRAIN].basis = s->train;
		w->policy.rule.purpose[TRAIN].special = s->special;
		establish(w);
		c = fake_call(w, "c1");
		for (j = 0; s->step[j].purpose >= 0; j++) {
			call_event(w->cs, c, (enum policy_purpose)s->step[j].purpose,
				   (enum purpose_event)s->step[j].event);
			fake_check(w);
		}
		if (fake_verdict(w, 1, 4000) != s->verdict)
			fail_msg("situation %zu (%s): verdict %u", i, s->scenario, fake_verdict(w, 1, 4000));
		ask(w, "INVITE", "b", 2, sdp_of(1, 1, 4000, "a=sendonly\r\n"));
		say(w, 200, "INVITE", "b", 2, answer(5000));
		if (fake_verdict(w, 1, 4000) != s->on_hold)
			fail_msg("situation %zu (%s): on hold %u", i, s->scenario, fake_verdict(w, 1, 4000));
		fake_world_free(w);
	}
}

static void test_settings_of_verdict(void **state)
{
	struct world *w;

	(void)state;
	for (int side = 0; side < 2; side++) {
		for (int leg = 0; leg < 2; leg++) {
			/* the agent is called (side 0) or calls; its voice arrives at the other's address */
			bool agent_calls = side == POLICY_SIDE_CALLING;
			bool caller_out = (leg == 1) == agent_calls;

			w = fake_world(NULL);
			w->policy.rule.side = (enum policy_side)side;
			w->policy.rule.exclude_leg = leg;
			establish(w);
			assert_int_equal(fake_verdict(w, 2, 5000), caller_out ? GATE : REC);
			assert_int_equal(fake_verdict(w, 1, 4000), caller_out ? REC : GATE);
			fake_world_free(w);
		}
	}
	for (int how = 0; how < 3; how++) {
		static const uint8_t want[] = { [POLICY_MISSING_QUARANTINE] = REC,
						[POLICY_MISSING_DISCARD] = BLK,
						[POLICY_MISSING_KEEP] = REC };
		static const enum purpose_state states[] = { [POLICY_MISSING_QUARANTINE] = PURPOSE_OBJECTED,
							     [POLICY_MISSING_DISCARD] = PURPOSE_DENIED,
							     [POLICY_MISSING_KEEP] = PURPOSE_GRANTED };

		w = fake_world(NULL);
		w->policy.rule.proof = POLICY_PROOF_HEADER;
		w->policy.rule.on_missing_notice = (enum policy_missing)how;
		w->policy.rule.notice_timeout_s = 60;
		establish(w);
		assert_int_equal(fake_call(w, "c1")->state[DOC], PURPOSE_GRANTED);
		w->packets++;
		wait_ns(w, 61 * SEC);
		assert_int_equal(fake_call(w, "c1")->state[DOC], states[how]);
		assert_string_equal(fake_call(w, "c1")->reason[DOC], "notice.missing");
		expect(w, want[how], want[how]);
		fake_world_free(w);
	}
}

/* ---- payload types: what is audio, what may be digits ---- */

static void test_payload_types(void **state)
{
	static const struct {
		const char *by_receiver, *by_sender;
		uint8_t pt;
		enum call_payload want;
	} rows[] = {
		{ "", "", 8, CALL_PT_AUDIO },
		{ "", "", 0, CALL_PT_AUDIO }, /* not listed, but everybody knows it */
		{ "", "", 13, CALL_PT_AUDIO },
		{ "", "", 31, CALL_PT_UNKNOWN },
		{ "", "", 96, CALL_PT_UNKNOWN },
		{ "", "", 97, CALL_PT_UNKNOWN }, /* listed without a name: often a key press */
		{ "a=rtpmap:97 opus/48000/2\r\n", "", 97, CALL_PT_AUDIO },
		{ "", "a=rtpmap:97 opus/48000/2\r\n", 97, CALL_PT_AUDIO },
		{ "", "a=rtpmap:97 telephone-event/8000\r\n", 97, CALL_PT_EVENT },
		{ "a=rtpmap:97 TELEPHONE-EVENT/8000\r\n", "", 97, CALL_PT_EVENT },
		{ "a=rtpmap:97 telephone-event/8000\r\n", "a=rtpmap:97 opus/48000\r\n", 97, CALL_PT_EITHER },
		{ "a=rtpmap:97 opus/48000\r\n", "a=rtpmap:97 telephone-event/8000\r\n", 97, CALL_PT_EITHER },
		{ "a=rtpmap:97 tone/8000\r\n", "", 97, CALL_PT_OTHER },
		{ "a=rtpmap:97 RTX/8000\r\n", "", 97, CALL_PT_OTHER },
		{ "a=rtpmap:97 ulpfec/8000\r\n", "", 97, CALL_PT_OTHER },
		{ "a=rtpmap:97 1d-interleaved-parityfec/8000\r\n", "", 97, CALL_PT_OTHER },
		{ "a=rtpmap:97 red/8000\r\n", "", 97, CALL_PT_AUDIO },
		{ "a=rtpmap:97 telephone-event/8000\r\n", "a=rtpmap:97 tone/8000\r\n", 97, CALL_PT_EVENT },
		{ "a=rtpmap:97 telephone-event/8000\r\n", "a=rtpmap:97 telephone-event/8000\r\n", 97, CALL_PT_EVENT },
		{ "a=rtpmap:8 telephone-event/8000\r\n", "", 8, CALL_PT_UNKNOWN }, /* a codec's number */
		{ "", "a=rtpmap:8 telephone-event/8000\r\n", 8, CALL_PT_UNKNOWN },
		{ "a=rtpmap:8 PCMA/8000\r\n", "a=rtpmap:8 telephone-event/8000\r\n", 8, CALL_PT_UNKNOWN },
	};
	struct endpoint at = fake_at(2, 5000);
	struct media_format f;
	char a[512], b[512];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct world *w = fake_world(NULL);
		struct call *c;

		snprintf(a, sizeof(a), "v=0\r\no=- 1 1 IN IP4 h\r\nc=IN IP4 10.0.0.1\r\nm=audio 4000 RTP/AVP 8 97\r\n%s",
			 rows[i].by_sender);
		snprintf(b, sizeof(b), "v=0\r\no=- 2 1 IN IP4 h\r\nc=IN IP4 10.0.0.2\r\nm=audio 5000 RTP/AVP 8 97\r\n%s",
			 rows[i].by_receiver);
		ask(w, "INVITE", "", 1, a);
		say(w, 200, "INVITE", "b", 1, b);
		c = fake_call(w, "c1");
		if (call_format(c, call_endpoint_at(c, &at), rows[i].pt, &f) != rows[i].want)
			fail_msg("row %zu: %u", i, call_format(c, call_endpoint_at(c, &at), rows[i].pt, &f));
		fake_world_free(w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_recordpref),
		cmocka_unit_test(test_unmatched),
		cmocka_unit_test(test_situations),
		cmocka_unit_test(test_settings_of_verdict),
		cmocka_unit_test(test_payload_types),
	};

	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	reborn = true;
	return failed + cmocka_run_group_tests_name("the same, reborn after every step", tests, NULL, NULL);
}
