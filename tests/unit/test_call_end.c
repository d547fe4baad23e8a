/* SPDX-License-Identifier: BSD-2-Clause */
/* test_call_end.c - when a call is over, whose port and Call-ID are free again, and limits and clocks */
#include "call_talk.h"

static void test_missing_bye(void **state)
{
	struct world *w = fake_world(NULL);
	int i;

	(void)state;
	establish(w);
	for (i = 0; i < 600; i++) {
		w->packets += 50;
		wait_ns(w, SEC);
	}
	expect(w, REC, REC);
	for (i = 0; i < 59; i++)
		wait_ns(w, SEC);
	assert_int_equal(w->ended, 0);
	for (i = 0; i < 31; i++) /* the last look may have been 15 s after the last packet */
		wait_ns(w, SEC);
	expect(w, 0, 0);
	assert_string_equal(w->last_end, "timeout");
	assert_in_range(w->last_length_ns, 590 * SEC, 620 * SEC);
	fake_world_free(w);
}

static void test_missing_bye_on_hold(void **state)
{
	struct world *w = fake_world(NULL);
	int i;

	(void)state;
	establish(w);
	ask(w, "INVITE", "b", 2, sdp_of(1, 1, 4000, "a=inactive\r\n"));
	say(w, 200, "INVITE", "b", 2, sdp_of(2, 2, 5000, "a=inactive\r\n"));
	for (i = 0; i < 1790; i += 10)
		wait_ns(w, 10 * SEC);
	assert_int_equal(w->ended, 0);
	for (i = 0; i < 1000; i += 10)
		wait_ns(w, 10 * SEC);
	assert_int_equal(w->ended, 1);
	fake_world_free(w);
}

static void test_setup_timeout(void **state)
{
	struct world *w = fake_world(NULL);
	int i;

	(void)state;
	ask(w, "INVITE", "", 1, offer(4000));
	for (i = 0; i < 10; i++) { /* it rings on: 183 every minute (RFC 3261 13.3.1.1) */
		wait_ns(w, 60 * SEC);
		say(w, 183, "INVITE", "b", 1, NULL);
	}
	expect(w, GATE, 0);
	wait_ns(w, 199 * SEC);
	assert_int_equal(w->ended, 0);
	wait_ns(w, 2 * SEC);
	assert_int_equal(w->ended, 1);
	assert_string_equal(w->last_end, "timeout");
	fake_world_free(w);
}

static void test_max_length(void **state)
{
	struct world *w = fake_world(NULL);
	int i;

	(void)state;
	w->policy.rule.max_length = (struct policy_span){ 100, POLICY_U_S };
	establish(w);
	for (i = 0; i < 99; i++) {
		w->packets++;
		wait_ns(w, SEC);
	}
	expect(w, REC, REC);
	wait_ns(w, 1100 * MS);
	expect(w, GATE, GATE); /* to the tenth of a second, not to the next look at media */
	hang_up(w);
	fake_world_free(w);
}

/* The next call of a telephone takes the port although the old call's BYE was lost. */
static void test_port_reuse(void **state)
{
	static const char *const called[] = { "101", "500", "900" };

	(void)state;
	for (int i = 0; i < 3; i++) {
		struct world *w = fake_world(NULL);
		struct endpoint at = fake_at(1, 4000);

		establish(w);
		w->called = called[i];
		send_msg(w, &(struct fake_msg){ .method = "INVITE", .id = "c2", .from_tag = "n", .to_tag = "",
						.cseq = 7, .sdp = sdp_of(9, 1, 4000, NULL) });
		assert_int_equal(fake_verdict(w, 1, 4000), i ? 0 : GATE);
		assert_false(call_endpoint_at(fake_call(w, "c1"), &at)->owner);
		assert_int_equal(fake_verdict(w, 2, 5000), REC);
		w->called = "100";
		hang_up(w); /* the old call's end does not touch the new one's address */
		assert_int_equal(fake_verdict(w, 1, 4000), i ? 0 : GATE);
		assert_int_equal(w->matched, i ? 1 : 2);
		fake_world_free(w);
	}
}

/* What a call announced that may never be recorded is no other call's to record while it goes on: a forged SDP, or the
 * other leg of a PBX that hands the addresses through. Afterwards the ports are anybody's. */
static void test_barred(void **state)
{
	struct fake_msg invite = { .method = "INVITE", .id = "c2", .from_tag = "n", .to_tag = "", .cseq = 7,
				   .sdp = sdp_of(9, 1, 4000, NULL) };
	struct fake_msg ok = { .method = "INVITE", .status = 200, .id = "c2", .from_tag = "n", .to_tag = "m", .cseq = 7 };

	(void)state;
	for (int i = 0; i < 3; i++) { /* while it rings, answered, and over */
		struct world *w = fake_world(NULL);
		bool over = i == 2;

		w->called = "900";
		if (i)
			establish(w);
		else
			ask(w, "INVITE", "", 1, offer(4000));
		if (over) {
			hang_up(w);
			wait_ns(w, SEC);
		}
		w->called = "100";
		invite.sdp = sdp_of(9, 1, 4000, NULL);
		send_msg(w, &invite);
		assert_int_equal(w->matched, 1);
		assert_int_equal(fake_verdict(w, 1, 4000), over ? GATE : BLK);
		ok.sdp = sdp_of(8, 2, i ? 5000 : 6000, NULL);
		send_msg(w, &ok);
		assert_int_equal(fake_verdict(w, 1, 4000), over ? REC : BLK);
		assert_int_equal(fake_verdict(w, 2, i ? 5000 : 6000), i == 1 ? BLK : REC);
		fake_world_free(w);
	}
}

static void test_call_id_reuse(void **state)
{
	struct world *w = fake_world(NULL);
	struct fake_msg again = { .method = "INVITE", .id = "c1", .from_tag = "a", .to_tag = "", .cseq = 50 };

	(void)state;
	establish(w);
	hang_up(w);
	again.sdp = offer(4000);
	send_msg(w, &again); /* another CSeq */
	assert_int_equal(w->matched, 2);
	say(w, 200, "INVITE", "z", 50, answer(5000));
	expect(w, REC, REC);
	ask(w, "BYE", "z", 51, NULL);
	/* at once, while the old one lingers; the same CSeq, another tag */
	again.from_tag = "a2";
	send_msg(w, &again);
	assert_int_equal(w->matched, 3);
	assert_int_equal(w->ended, 2);
	expect(w, GATE, 0);
	send_msg(w, &(struct fake_msg){ .method = "INVITE", .status = 200, .id = "c1", .from_tag = "a2",
					.to_tag = "y", .cseq = 50, .sdp = answer(5000) });
	expect(w, REC, REC);
	/* the BYE was lost, and the next caller uses the Call-ID for a call that nobody may record: what it announces the old one has no more */
	w->called = "500";
	again.from_tag = "a3";
	again.cseq = 1;
	send_msg(w, &again);
	expect(w, 0, REC);
	send_msg(w, &(struct fake_msg){ .method = "INVITE", .status = 200, .id = "c1", .from_tag = "a3", .to_tag = "v", .cseq = 1,
					.sdp = answer(5000) });
	expect(w, 0, 0);
	assert_int_equal(w->ended, 2);
	/* and one that may be */
	w->called = "100";
	again.from_tag = "a4";
	send_msg(w, &again);
	send_msg(w, &(struct fake_msg){ .method = "INVITE", .status = 200, .id = "c1", .from_tag = "a4", .to_tag = "u", .cseq = 1,
					.sdp = answer(5000) });
	assert_int_equal(w->matched, 4);
	expect(w, REC, REC);
	/* each has its own end */
	send_msg(w, &(struct fake_msg){ .method = "BYE", .id = "c1", .from_tag = "a4", .to_tag = "u", .cseq = 2 });
	wait_ns(w, SEC);
	assert_int_equal(w->ended, 3);
	send_msg(w, &(struct fake_msg){ .method = "BYE", .id = "c1", .from_tag = "y", .to_tag = "a2", .cseq = 2, .by_callee = true });
	wait_ns(w, SEC);
	assert_string_equal(w->last_end, "bye");
	assert_int_equal(w->ended, 4);
	fake_world_free(w);
}

/* ---- who knows the Call-ID, and no tags ---- */

static void forge(struct world *w, const char *method, unsigned status, const char *from, const char *to, uint32_t cseq, const char *s)
{
	w->src = 0x42060606;
	send_msg(w, &(struct fake_msg){ .method = method, .status = status, .id = "c1", .from_tag = from, .to_tag = to, .cseq = cseq, .sdp = s });
	w->src = 0x0a000001;
}

/* One more step each; the call goes on as if nothing had been said. */
static bool forge_in_call(struct world *w, unsigned step)
{
	static const char *const tags[][2] = { { "x", "y" }, { "a", "y" }, { "x", "b" }, { "y", "a" }, { "b", "x" }, { "b", "b" },
					       { "", "" }, { "a", "" }, { "", "a" }, { "", "b" }, { "b", "" } };
	unsigned n = sizeof(tags) / sizeof(tags[0]);
	const char *from = tags[step % n][0], *to = tags[step % n][1];

	switch (step / n) {
	case 0:
		forge(w, "BYE", 0, from, to, 40 + step, NULL);
		return true;
	case 1:
		forge(w, "BYE", 200, from, to, 40 + step, NULL);
		return true;
	case 2:
		forge(w, "BYE", 481, from, to, 40 + step, NULL);
		return true;
	case 3:
		forge(w, "CANCEL", 0, from, "", 1, NULL);
		return true;
	case 4: /* elsewhere, and on hold */
		if (!*to)
			return true;
		forge(w, "INVITE", 0, from, to, 40, sdp_of(1, 66, 4666, "a=inactive\r\n"));
		forge(w, "INVITE", 200, from, to, 40, sdp_of(2, 66, 4668, "a=inactive\r\n"));
		return true;
	case 5:
		forge(w, "UPDATE", 0, from, to, 41, sdp_of(2, 66, 4670, "a=sendonly\r\n"));
		forge(w, "UPDATE", 200, from, to, 41, sdp_of(1, 66, 4672, "a=recvonly\r\n"));
		return true;
	case 6:
		if (strcmp(from, "a") == 0)
			return true;
		forge(w, "INVITE", 200, from, to, 1, NULL);
		return true;
	default:
		return false;
	}
}

/* Who is sent a BYE of no dialog answers 481 (RFC 3261 12.2.2), and people talk on: so does the recording. */
static void test_foreign_ends(void **state)
{
	(void)state;
	for (reborn = false;; reborn = true) {
		struct world *w = fake_world(NULL);
		struct calls_stats st;
		unsigned i;

		establish(w);
		for (i = 0; forge_in_call(w, i); i++) {
			w->packets++;
			wait_ns(w, 2 * SEC);
			if (w->ended || fake_verdict(w, 1, 4000) != REC || fake_verdict(w, 2, 5000) != REC || fake_call(w, "c1")->hold)
				fail_msg("step %u ends it", i);
		}
		calls_get_stats(w->cs, &st);
		assert_in_range(st.foreign_ends, 30, 33);
		ask(w, "BYE", "b", 9, NULL);
		wait_ns(w, SEC);
		assert_string_equal(w->last_end, "bye");
		fake_world_free(w);
		if (reborn)
			break;
	}
	reborn = false;
}

/* CANCEL has no To tag, and a proxy's refusal one that is nobody's: they have the caller's (RFC 3261 9.1). */
static void test_foreign_refusals(void **state)
{
	static const struct {
		const char *method;
		unsigned status;
	} t[] = { { "CANCEL", 0 }, { "INVITE", 486 }, { "INVITE", 487 }, { "INVITE", 407 }, { "BYE", 0 } };

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]) * 2; i++) {
		struct world *w = fake_world(NULL);
		bool own = i & 1;

		ask(w, "INVITE", "", 1, offer(4000));
		say(w, 180, "INVITE", "b", 1, NULL);
		forge(w, t[i / 2].method, t[i / 2].status, own ? "a" : "x", t[i / 2].status ? "p" : "", 1, NULL);
		wait_ns(w, 190 * SEC);
		assert_int_equal(w->ended, own);
		if (own && strcmp(t[i / 2].method, "BYE") != 0)
			assert_true(!strcmp(w->last_end, "cancel") || !strcmp(w->last_end, "rejected"));
		if (!own) {
			forge(w, "INVITE", 200, "x", "z", 1, answer(5000)); /* nor does he answer it */
			assert_int_equal(fake_call(w, "c1")->phase, CALL_SETUP);
			say(w, 200, "INVITE", "b", 1, answer(5000));
			expect(w, REC, REC);
		}
		fake_world_free(w);
	}
}

/* The 200 was lost, or all before it: whose BYE it is the caller's tag tells, or that of the first message. */
static void test_lost_answer(void **state)
{
	(void)state;
	for (int i = 0; i < 6; i++) {
		struct world *w = fake_world(NULL);
		bool mid = i >= 3;

		if (mid)
			ask(w, "INVITE", "b", 7, offer(4000));
		else
			ask(w, "INVITE", "", 1, offer(4000));
		if (i % 3 == 0)
			ask(w, "BYE", "b", 8, NULL);
		else if (i % 3 == 1)
			ask_back(w, "BYE", 1, NULL);
		else
			forge(w, "BYE", 0, "x", "b", 8, NULL);
		wait_ns(w, SEC);
		assert_int_equal(w->ended, i % 3 < 2);
		fake_world_free(w);
	}
}

/* While it rings somebody sends an INVITE of his own and its 200: nothing is answered, and nothing recorded, until it is. */
static void test_forged_answer(void **state)
{
	(void)state;
	for (int refused = 0; refused < 2; refused++) {
		struct world *w = fake_world(NULL);

		ask(w, "INVITE", "", 1, offer(4000));
		if (refused)
			say(w, 407, "INVITE", "p", 1, NULL);
		forge(w, "INVITE", 0, "x", "", 40, NULL);
		forge(w, "INVITE", 200, "x", "y", 40, NULL);
		assert_false(fake_call(w, "c1")->answered);
		if (refused)
			ask(w, "INVITE", "", 2, offer(4000));
		expect(w, GATE, 0);
		say(w, 200, "INVITE", "b", 1 + (uint32_t)refused, answer(5000));
		expect(w, REC, REC);
		forge(w, "INVITE", 0, "x", "y", 41, sdp_of(1, 66, 4666, "a=inactive\r\n"));
		forge(w, "INVITE", 200, "x", "y", 41, sdp_of(2, 66, 4668, "a=inactive\r\n"));
		assert_false(fake_call(w, "c1")->hold);
		expect(w, REC, REC);
		hang_up(w);
		assert_string_equal(w->last_end, "bye");
		fake_world_free(w);
	}
}

/* It was lost, and either side asks again (RFC 4028): answered it is then, with the addresses that this says. */
static void test_lost_answer_refreshed(void **state)
{
	(void)state;
	for (int back = 0; back < 2; back++) {
		struct world *w = fake_world(NULL);

		ask(w, "INVITE", "", 1, offer(4000));
		say(w, 180, "INVITE", "b", 1, NULL);
		if (back) {
			ask_back(w, "INVITE", 1, answer(5000));
			forge(w, "INVITE", 200, "b", "x", 1, NULL);
			assert_false(fake_call(w, "c1")->answered);
			say_back(w, 200, "INVITE", 1, offer(4000));
		} else {
			ask(w, "INVITE", "b", 2, offer(4000));
			say(w, 200, "INVITE", "b", 2, answer(5000));
		}
		expect(w, REC, REC);
		hang_up(w);
		assert_string_equal(w->last_end, "bye");
		fake_world_free(w);
	}
}

/* A forged BYE of a call of which nothing was seen yet does not keep it out for good. */
static void test_bye_of_the_unseen(void **state)
{
	struct world *w = fake_world(NULL);

	(void)state;
	forge(w, "BYE", 0, "x", "y", 8, NULL);
	wait_ns(w, SEC);
	ask(w, "BYE", "b", 8, NULL); /* a copy, or another hop's: no call of its own */
	assert_int_equal(w->matched, 1);
	ask(w, "INVITE", "b", 9, offer(4000));
	say(w, 200, "INVITE", "b", 9, answer(5000));
	expect(w, REC, REC);
	fake_world_free(w);
}

/* Nor does who knows the Call-ID keep a call alive whose voices are gone. */
static void test_kept_alive(void **state)
{
	struct world *w = fake_world(NULL);

	(void)state;
	establish(w);
	for (int i = 0; i < 5; i++) {
		forge(w, "INFO", 0, "x", "y", 50 + (uint32_t)i, NULL);
		wait_ns(w, 20 * SEC);
	}
	assert_string_equal(w->last_end, "timeout");
	fake_world_free(w);
}

/* An agent that keeps the Call-ID, and sends from another address than it is asked at: what it says to the caller counts. */
static void test_agent_elsewhere(void **state)
{
	(void)state;
	for (int known = 0; known < 2; known++) {
		struct world *w = fake_world(NULL);

		ask(w, "INVITE", "", 1, offer(4000));
		w->src = known ? w->dst : 0x0a000063;
		send_msg(w, &(struct fake_msg){ .method = "INVITE", .id = "c1", .from_tag = "A", .to_tag = "", .cseq = 1 });
		send_msg(w, &(struct fake_msg){ .method = "INVITE", .status = 200, .id = "c1", .from_tag = "A", .to_tag = "B", .cseq = 1 });
		w->src = 0x0a000001;
		say(w, 200, "INVITE", "b", 1, answer(5000));
		send_msg(w, &(struct fake_msg){ .method = "BYE", .id = "c1", .from_tag = "B", .to_tag = "A", .cseq = 1, .by_callee = true });
		wait_ns(w, SEC);
		assert_int_equal(w->ended, 0);
		ask_back(w, "BYE", 1, NULL);
		wait_ns(w, SEC);
		assert_string_equal(w->last_end, "bye");
		fake_world_free(w);
	}
}

/* One that counts its own requests, and whose far side answers first: both sides' answers, and ends, are believed. */
static void test_agent_counts(void **state)
{
	struct world *w = fake_world(NULL);
	struct calls_stats st;
	struct fake_msg far = { .method = "INVITE", .id = "c1", .from_tag = "far", .to_tag = "", .cseq = 101 };

	(void)state;
	ask(w, "INVITE", "", 1, offer(4000));
	say(w, 407, "INVITE", "p", 1, NULL);
	ask(w, "INVITE", "", 2, offer(4000));
	w->src = w->dst;
	w->dst = 0x0a000063;
	send_msg(w, &far);
	far.status = 200;
	far.to_tag = "c";
	far.sdp = sdp_of(3, 3, 6000, NULL);
	send_msg(w, &far);
	w->dst = w->src;
	w->src = 0x0a000001;
	say(w, 200, "INVITE", "b", 2, answer(5000));
	expect(w, REC, REC);
	assert_int_equal(fake_verdict(w, 3, 6000), REC);
	ask(w, "INVITE", "b", 3, sdp_of(1, 1, 4000, "a=inactive\r\n"));
	say(w, 200, "INVITE", "b", 3, sdp_of(2, 2, 5000, "a=inactive\r\n"));
	assert_true(fake_call(w, "c1")->hold);
	send_msg(w, &(struct fake_msg){ .method = "BYE", .id = "c1", .from_tag = "c", .to_tag = "far", .cseq = 1, .by_callee = true });
	ask_back(w, "BYE", 1, NULL);
	far.status = 0; /* a copy that comes late begins no call */
	far.to_tag = "";
	far.sdp = NULL;
	send_msg(w, &far);
	wait_ns(w, SEC);
	assert_string_equal(w->last_end, "bye");
	assert_int_equal(w->matched, 1);
	calls_get_stats(w->cs, &st);
	assert_int_equal(st.foreign_ends, 0);
	fake_world_free(w);
}

/* A telephone that asks again under another From tag is the caller still: its BYE ends the call, as that of who is called does. */
static void test_asks_again(void **state)
{
	static const unsigned refusal[] = { 401, 407, 302 };

	(void)state;
	for (unsigned i = 0; i < 12; i++) {
		struct world *w = fake_world(NULL);
		uint32_t cseq = 1 + (i & 1);
		bool back = i & 2;

		ask(w, "INVITE", "", 1, offer(4000));
		say(w, refusal[i / 4], "INVITE", "p", 1, NULL);
		ask(w, "ACK", "p", 1, NULL);
		send_msg(w, &(struct fake_msg){ .method = "INVITE", .id = "c1", .from_tag = "a2", .to_tag = "", .cseq = cseq, .sdp = offer(4000) });
		send_msg(w, &(struct fake_msg){ .method = "INVITE", .status = 200, .id = "c1", .from_tag = "a2", .to_tag = "b", .cseq = cseq,
						.sdp = answer(5000) });
		expect(w, REC, REC);
		forge(w, "BYE", 0, "a", "b", 8, NULL);
		wait_ns(w, SEC);
		assert_int_equal(w->ended, 0);
		send_msg(w, &(struct fake_msg){ .method = "BYE", .id = "c1", .from_tag = back ? "b" : "a2", .to_tag = back ? "a2" : "b", .cseq = 9,
						.by_callee = back });
		wait_ns(w, SEC);
		assert_string_equal(w->last_end, "bye");
		assert_int_equal(w->matched, 1);
		fake_world_free(w);
	}
}

/* Nor does who knows the Call-ID make a refused call ring again, or one that rings ring for ever: early media would be recorded all the time. */
static void test_rings_no_longer(void **state)
{
	(void)state;
	for (int i = 0; i < 12; i++) {
		struct world *w = fake_world(NULL);
		bool refused = i & 1, reckoned = i & 2; /* his tag is known from before */

		w->policy.rule.record_early_media = true;
		ask(w, "INVITE", "", 1, offer(4000));
		say(w, 183, "INVITE", "b", 1, answer(5000));
		expect(w, REC, REC);
		if (reckoned)
			forge(w, "INVITE", 0, "x", "", 1, NULL);
		if (refused) {
			say(w, 486, "INVITE", "b", 1, NULL);
			wait_ns(w, 5 * SEC);
			expect(w, BLK, BLK);
		}
		for (uint32_t k = 0; k < 25 && !w->ended; k++) {
			if (i / 4 == 0)
				forge(w, "INVITE", 183, "x", "y", 1, NULL);
			else if (i / 4 == 1)
				forge(w, "INVITE", 0, "x", "", 40 + k, NULL);
			else
				forge(w, "INVITE", 200, "x", "y", 1, NULL);
			if (!w->ended)
				expect(w, refused ? BLK : REC, refused ? BLK : REC);
			wait_ns(w, 10 * SEC);
		}
		assert_int_equal(w->ended, 1);
		assert_string_equal(w->last_end, refused ? "rejected" : "timeout");
		fake_world_free(w);
	}
}

/* While the caller's own word does: another branch rings, and he asks again. */
static void test_rings_again(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		struct world *w = fake_world(NULL);

		ask(w, "INVITE", "", 1, offer(4000));
		forge(w, "INVITE", 0, "x", "", 1, NULL);
		say(w, 401, "INVITE", "b", 1, NULL);
		forge(w, "INVITE", 0, "y", "", 1, NULL);
		if (i == 0)
			say(w, 183, "INVITE", "c", 1, NULL);
		else
			send_msg(w, &(struct fake_msg){ .method = "INVITE", .id = "c1", .from_tag = i == 1 ? "a" : "a2", .to_tag = "", .cseq = i == 1 ? 2 : 1,
							.sdp = offer(4000) });
		assert_int_equal(fake_call(w, "c1")->phase, CALL_SETUP);
		wait_ns(w, 190 * SEC);
		assert_int_equal(w->ended, 0);
		fake_world_free(w);
	}
}

static bool voices;

static uint32_t on_quiet(void *arg, struct call *c, unsigned leg, uint64_t until_ns, bool *ret_heard)
{
	(void)arg;
	(void)c;
	(void)leg;
	(void)until_ns;
	*ret_heard = true;
	return voices ? 0 : 1000;
}

/* An INVITE under the Call-ID of a call whose voices are there takes nothing from it; when somebody answered it, or they are gone, it does. */
static void test_guest(void **state)
{
	(void)state;
	for (int i = 0; i < 8; i++) {
		bool talk = i & 1, matches = i & 2;
		struct world *w = fake_world(NULL);
		struct endpoint at = fake_at(1, 4000);
		uint32_t ring;

		reborn = i & 4;
		establish(w);
		ring = fake_call(w, "c1")->ring;
		w->cs->sink.quiet = on_quiet;
		voices = talk;
		w->called = matches ? "100" : "500";
		forge(w, "INVITE", 0, "x", "", 1, offer(4000));
		assert_int_equal(w->ended, 0);
		assert_int_equal(call_endpoint_at(fake_call(w, "c1"), &at)->owner, talk);
		assert_int_equal(fake_verdict(w, 2, 5000), REC);
		assert_int_equal(fake_verdict(w, 1, 4000), talk ? REC : matches ? GATE : 0);
		forge(w, "INVITE", 200, "x", "z", 1, sdp_of(9, 9, 4900, NULL));
		assert_int_equal(call_endpoint_at(fake_call(w, "c1"), &at)->owner, talk && !matches);
		assert_int_equal(fake_verdict(w, 9, 4900), matches ? REC : 0);
		assert_int_equal(fake_call(w, "c1")->ring, ring);
		forge(w, "BYE", 0, "x", "z", 2, NULL);
		wait_ns(w, SEC);
		assert_int_equal(w->ended, matches);
		w->called = "100";
		hang_up(w);
		assert_int_equal(w->ended, 1 + matches);
		fake_world_free(w);
	}
	reborn = false;
}

/* However many: there are no more than CALL_SAME_ID_MAX, the first goes on, and the next real one has a place. */
static void test_many_guests(void **state)
{
	struct world *w = fake_world(NULL);
	struct calls_stats st;
	char tag[8];

	(void)state;
	establish(w);
	for (unsigned i = 0; i < 100; i++) {
		snprintf(tag, sizeof(tag), "x%u", i);
		forge(w, "INVITE", 0, tag, "", 1, NULL);
	}
	calls_get_stats(w->cs, &st);
	assert_int_equal(st.active, CALL_SAME_ID_MAX);
	assert_int_equal(st.foreign_ends, 100 - (CALL_SAME_ID_MAX - 1));
	expect(w, REC, REC);
	/* in the place of one that is over */
	forge(w, "INVITE", 200, "x99", "y", 1, NULL);
	forge(w, "BYE", 0, "x99", "y", 2, NULL);
	wait_ns(w, SEC);
	forge(w, "INVITE", 0, "late", "", 1, NULL);
	calls_get_stats(w->cs, &st);
	assert_int_equal(st.active, CALL_SAME_ID_MAX);
	assert_true(calls_has(w->cs, (struct sip_str){ "c1", 2 }, (struct sip_str){ "late", 4 }));
	expect(w, REC, REC);
	/* in that of the oldest that rings; answered ones stay, and so does the first */
	send_msg(w, &(struct fake_msg){ .method = "INVITE", .id = "c1", .from_tag = "next", .to_tag = "", .cseq = 1, .sdp = sdp_of(7, 7, 4700, NULL) });
	assert_false(calls_has(w->cs, (struct sip_str){ "c1", 2 }, (struct sip_str){ "x93", 3 }));
	for (unsigned i = 200; i < 220; i++) { /* nor does what rings give way to them, when it came from where the first did */
		snprintf(tag, sizeof(tag), "x%u", i);
		forge(w, "INVITE", 0, tag, "", 1, NULL);
	}
	assert_true(calls_has(w->cs, (struct sip_str){ "c1", 2 }, (struct sip_str){ "next", 4 }));
	send_msg(w, &(struct fake_msg){ .method = "INVITE", .status = 200, .id = "c1", .from_tag = "next", .to_tag = "n", .cseq = 1,
					.sdp = sdp_of(8, 8, 4800, NULL) });
	for (unsigned i = 100; i < 120; i++) {
		snprintf(tag, sizeof(tag), "x%u", i);
		forge(w, "INVITE", 0, tag, "", 1, NULL);
	}
	assert_int_equal(fake_verdict(w, 7, 4700), REC);
	assert_int_equal(fake_verdict(w, 8, 4800), REC);
	expect(w, REC, REC);
	for (unsigned i = 0; i < CALL_SAME_ID_MAX; i++) { /* all are answered: no more */
		snprintf(tag, sizeof(tag), "x%u", 120 - i);
		forge(w, "INVITE", 200, tag, "y", 1, NULL);
	}
	forge(w, "INVITE", 0, "more", "", 1, NULL);
	assert_false(calls_has(w->cs, (struct sip_str){ "c1", 2 }, (struct sip_str){ "more", 4 }));
	expect(w, REC, REC);
	hang_up(w);
	assert_string_equal(w->last_end, "bye");
	fake_world_free(w);
}

static void test_limits(void **state)
{
	struct call_limits l;
	struct world *w;
	struct calls_stats st;
	char id[CALL_ID_MAX + 2], text[16];
	struct fake_msg k = { .method = "INVITE", .id = id, .from_tag = "a", .to_tag = "", .cseq = 1 };
	int i;

	(void)state;
	call_default_limits(&l);
	l.calls = 10;
	w = fake_world(&l);
	memset(id, 'x', sizeof(id));
	id[CALL_ID_MAX + 1] = 0;
	send_msg(w, &k);
	calls_get_stats(w->cs, &st);
	assert_int_equal(st.refused_id, 1);
	assert_int_equal(st.calls, 0);
	id[CALL_ID_MAX] = 0;
	send_msg(w, &k);
	assert_int_equal(w->matched, 1);
	k.id = text;
	for (i = 0; i < 20; i++) {
		snprintf(text, sizeof(text), "n%d", i);
		send_msg(w, &k);
	}
	calls_get_stats(w->cs, &st);
	assert_int_equal(st.active, 10);
	assert_int_equal(st.refused_full, 11);
	wait_ns(w, 300 * SEC);
	wait_ns(w, 300 * SEC);
	send_msg(w, &k);
	calls_get_stats(w->cs, &st);
	assert_int_equal(st.calls, 11);
	fake_world_free(w);
	l.calls = 0;
	assert_int_equal(calls_new(&l, &(struct calls_sink){ 0 }, &(struct calls *){ NULL }), -22);
}

/* One message of a call to this number. */
static void of_call(struct world *w, const char *id, const char *called, const char *method, unsigned status, const char *sdp)
{
	struct fake_msg k = { .method = method, .status = status, .id = id, .from_tag = "a", .cseq = 1, .sdp = sdp,
			      .to_tag = status || strcmp(method, "INVITE") ? "b" : "" };

	w->called = called;
	send_msg(w, &k);
}

static void flood(struct world *w, int n, const char *called, const char *method, unsigned refusal)
{
	static int made;
	char id[16];

	for (int i = 0; i < n; i++) {
		snprintf(id, sizeof(id), "f%d", made++);
		of_call(w, id, called, method, 0, sdp_of(3, 3, 6000, NULL));
		if (refusal)
			of_call(w, id, called, method, refusal, NULL);
	}
}

static struct world *small_world(size_t calls)
{
	struct call_limits l;

	call_default_limits(&l);
	l.calls = calls;
	return fake_world(&l);
}

/*
 * Calls that no rule matches stay for half an hour when nobody hangs up: an ACK with a description is enough to make one. However
 * many there are, in whichever phase, one that a rule matches finds its place.
 */
static void test_flood_of_others(void **state)
{
	static const struct {
		const char *method;
		unsigned refusal;
	} by[] = { { "ACK", 0 }, { "INVITE", 0 }, { "INVITE", 200 }, { "INVITE", 486 }, { "BYE", 0 } };
	struct calls_stats st;

	(void)state;
	for (size_t i = 0; i < sizeof(by) / sizeof(by[0]); i++) {
		struct world *w = small_world(10);

		flood(w, 30, "500", by[i].method, by[i].refusal);
		w->called = "100";
		establish(w);
		expect(w, REC, REC);
		flood(w, 30, "500", by[i].method, by[i].refusal);
		expect(w, REC, REC);
		calls_get_stats(w->cs, &st);
		assert_int_equal(st.refused_full, 0);
		assert_int_equal(st.active, 10);
		assert_in_range(st.forgotten, i == 4 ? 0 : 51, 51);
		w->called = "100";
		hang_up(w);
		assert_int_equal(w->ended, 1);
		fake_world_free(w);
	}
}

/* Nor do calls keep it out that may still match, once a header is known: those are the last to give way, and counted. */
static void test_flood_of_late(void **state)
{
	struct world *w = small_world(10);
	struct calls_stats st;

	(void)state;
	w->policy.queues = true;
	flood(w, 5, "500", "INVITE", 200);
	assert_int_equal(w->cs->late, 5);
	w->policy.queues = false;
	flood(w, 30, "500", "ACK", 0);
	calls_get_stats(w->cs, &st);
	assert_int_equal(st.late_full, 0);
	w->policy.queues = true;
	flood(w, 30, "500", "INVITE", 200);
	w->called = "100";
	establish(w);
	expect(w, REC, REC);
	flood(w, 30, "500", "INVITE", 0);
	expect(w, REC, REC);
	calls_get_stats(w->cs, &st);
	assert_int_equal(st.refused_full, 0);
	assert_int_equal(st.late_full, 56);
	assert_int_equal(w->cs->late, 9);
	fake_world_free(w);
}

/* Who gives way first: what is over, what was refused, what goes on and concerns nobody; those that bar addresses last. */
static void test_who_gives_way(void **state)
{
	struct world *w = small_world(7);
	struct calls_stats st;

	(void)state;
	of_call(w, "never", "900", "INVITE", 0, sdp_of(4, 4, 7000, NULL));
	of_call(w, "rule", "100", "INVITE", 0, NULL);
	of_call(w, "other1", "500", "INVITE", 0, NULL);
	of_call(w, "other2", "500", "INVITE", 0, NULL);
	of_call(w, "refused", "500", "INVITE", 0, NULL);
	of_call(w, "refused", "500", "INVITE", 486, NULL);
	of_call(w, "ended", "100", "INVITE", 0, NULL);
	of_call(w, "ended", "100", "BYE", 0, NULL);
	of_call(w, "over", "500", "INVITE", 0, NULL);
	of_call(w, "over", "500", "BYE", 0, NULL);
	wait_ns(w, SEC);
	assert_int_equal(fake_call(w, "ended")->phase, CALL_TOMBSTONE);
	for (int i = 0; i < 6; i++) {
		static const char *const first[] = { "over", "refused", "other1", "other2", "ended", "never" };
		char id[8];

		assert_non_null(fake_call(w, first[i]));
		snprintf(id, sizeof(id), "n%d", i);
		of_call(w, id, "100", "INVITE", 0, NULL);
		assert_null(fake_call(w, first[i]));
		assert_non_null(fake_call(w, id));
		for (int j = i + 1; j < 6; j++)
			assert_non_null(fake_call(w, first[j]));
	}
	calls_get_stats(w->cs, &st);
	assert_int_equal(st.refused_full, 0);
	assert_int_equal(st.forgotten, 4); /* what was over is not missed */
	of_call(w, "one more", "100", "INVITE", 0, NULL);
	of_call(w, "and more", "500", "INVITE", 0, NULL);
	calls_get_stats(w->cs, &st);
	assert_int_equal(st.refused_full, 2); /* all are of rules: nobody gives way */
	assert_non_null(fake_call(w, "rule"));
	fake_world_free(w);
}

/* A call that a rule matched, and none does any more, holds what people refused in it. */
static void test_left_its_rule(void **state)
{
	struct world *w = small_world(3);

	(void)state;
	w->called = "100";
	establish(w);
	fake_call(w, "c1")->segment = 1; /* as after a transfer */
	fake_call(w, "c1")->matched = false;
	call_count(w->cs, fake_call(w, "c1"));
	w->matched = w->cs->stats.matched = 0;
	call_disown_all(w->cs, fake_call(w, "c1"));
	call_free_endpoints(w->cs, fake_call(w, "c1"));
	memset(w->flow, 0, sizeof(w->flow));
	flood(w, 20, "500", "ACK", 0);
	assert_non_null(fake_call(w, "c1"));
	fake_world_free(w);
}

static void test_too_many_addresses(void **state)
{
	struct world *w = fake_world(NULL);
	struct calls_stats st;
	char more[4000];
	int n = 0, i, j;

	(void)state;
	establish(w);
	for (j = 0; j < 10; j++) {
		for (n = i = 0; i < 20; i++)
			n += snprintf(more + n, sizeof(more) - (size_t)n,
				      "a=candidate:1 1 UDP 1 10.0.0.7 %d typ host\r\n", 10000 + j * 20 + i);
		ask(w, "INVITE", "b", 2 + (uint32_t)j, sdp_of(1, 1, 4000, more));
	}
	calls_get_stats(w->cs, &st);
	assert_int_not_equal(st.endpoints_dropped, 0);
	expect(w, REC, REC);
	/* never answered: still the first description is in force; then a refusal makes room */
	for (j = 0; j < 10; j++)
		say(w, 488, "INVITE", "b", 2 + (uint32_t)j, NULL);
	ask(w, "INVITE", "b", 40, sdp_of(1, 1, 4400, NULL));
	say(w, 200, "INVITE", "b", 40, answer(5000));
	assert_int_equal(fake_verdict(w, 1, 4400), REC);
	fake_world_free(w);
}

static void test_clock(void **state)
{
	struct world *w = fake_world(NULL);
	struct calls_stats st;

	(void)state;
	establish(w);
	ask(w, "BYE", "b", 2, NULL);
	w->now -= 86400 * SEC; /* the linger must not last a day */
	calls_tick(w->cs, w->now);
	fake_check(w);
	wait_ns(w, SEC);
	expect(w, 0, 0);
	assert_int_equal(w->ended, 1);
	fake_world_free(w);

	w = fake_world(NULL);
	establish(w);
	w->now -= 30 * 86400 * SEC;
	wait_ns(w, SEC);
	expect(w, REC, REC);
	ask(w, "BYE", "b", 2, NULL); /* end_ns before answer_ns: checked by the sink */
	wait_ns(w, SEC);
	assert_int_equal(w->last_length_ns, 0);
	/* an older capture file: a new call lives by its own time */
	send_msg(w, &(struct fake_msg){ .method = "INVITE", .id = "c2", .from_tag = "a", .to_tag = "",
					.cseq = 1, .sdp = offer(4000) });
	assert_int_equal(fake_verdict(w, 1, 4000), GATE);
	wait_ns(w, 190 * SEC);
	assert_int_equal(fake_verdict(w, 1, 4000), GATE);
	wait_ns(w, 20 * SEC);
	assert_int_equal(fake_verdict(w, 1, 4000), 0);
	fake_world_free(w);

	w = fake_world(NULL);
	establish(w);
	w->packets = 5;
	wait_ns(w, 40 * 86400 * SEC); /* one look after a long gap: it had packets since the last */
	expect(w, GATE, GATE); /* longer than max-length, but alive */
	wait_ns(w, 40 * 86400 * SEC);
	expect(w, 0, 0);
	wait_ns(w, 86400 * SEC);
	calls_get_stats(w->cs, &st);
	assert_int_equal(st.active, 0);
	/* late by less than a TCP hole is not a clock set back */
	establish(w);
	w->now -= 2 * SEC;
	ask(w, "BYE", "b", 2, NULL);
	wait_ns(w, 4 * SEC);
	assert_int_equal(w->ended, 2);
	fake_world_free(w);

	w = fake_world(NULL); /* times that no clock shows */
	w->now = UINT64_MAX - SEC;
	establish(w);
	calls_tick(w->cs, UINT64_MAX);
	fake_check(w);
	calls_tick(w->cs, 0);
	fake_check(w);
	w->now = SEC;
	establish(w);
	fake_world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_missing_bye),
		cmocka_unit_test(test_missing_bye_on_hold),
		cmocka_unit_test(test_setup_timeout),
		cmocka_unit_test(test_max_length),
		cmocka_unit_test(test_port_reuse),
		cmocka_unit_test(test_call_id_reuse),
		cmocka_unit_test(test_foreign_ends),
		cmocka_unit_test(test_foreign_refusals),
		cmocka_unit_test(test_lost_answer),
		cmocka_unit_test(test_lost_answer_refreshed),
		cmocka_unit_test(test_forged_answer),
		cmocka_unit_test(test_bye_of_the_unseen),
		cmocka_unit_test(test_kept_alive),
		cmocka_unit_test(test_agent_elsewhere),
		cmocka_unit_test(test_agent_counts),
		cmocka_unit_test(test_asks_again),
		cmocka_unit_test(test_rings_no_longer),
		cmocka_unit_test(test_rings_again),
		cmocka_unit_test(test_guest),
		cmocka_unit_test(test_many_guests),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_flood_of_others),
		cmocka_unit_test(test_flood_of_late),
		cmocka_unit_test(test_who_gives_way),
		cmocka_unit_test(test_left_its_rule),
		cmocka_unit_test(test_too_many_addresses),
		cmocka_unit_test(test_clock),
		cmocka_unit_test(test_barred),
	};

	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	reborn = true;
	return failed + cmocka_run_group_tests_name("the same, reborn after every step", tests, NULL, NULL);
}
