/* SPDX-License-Identifier: BSD-2-Clause */
/* test_call.c - SIP dialogues against the call table: who is recorded where */
#include "call_talk.h"

static void test_basic(void **state)
{
	struct world *w = fake_world(NULL);
	struct call *c;
	struct endpoint at = fake_at(2, 5000);

	(void)state;
	ask(w, "INVITE", "", 1, offer(4000));
	expect(w, GATE, 0);
	say(w, 100, "INVITE", "", 1, NULL);
	say(w, 180, "INVITE", "b", 1, NULL);
	say(w, 200, "INVITE", "b", 1, answer(5000));
	expect(w, REC, REC);
	c = fake_call(w, "c1");
	assert_int_equal(c->phase, CALL_ANSWERED);
	assert_string_equal(c->calling, "200");
	/* what arrives at the callee's address is the caller's voice */
	assert_int_equal(call_endpoint_at(c, &at)->leg, OPTAG_LEG_CALLER);
	at = fake_at(1, 4000);
	assert_int_equal(call_endpoint_at(c, &at)->leg, OPTAG_LEG_CALLEE);
	ask(w, "BYE", "b", 2, NULL);
	expect(w, REC, REC); /* packets under way */
	say(w, 200, "BYE", "b", 2, NULL);
	assert_int_equal(w->ended, 0);
	wait_ns(w, 700 * MS);
	expect(w, 0, 0);
	assert_int_equal(w->ended, 1);
	assert_string_equal(w->last_end, "bye");
	wait_ns(w, 33 * SEC);
	assert_null(fake_call(w, "c1"));
	fake_world_free(w);
}

static void test_retransmissions(void **state)
{
	struct world *w = fake_world(NULL);
	struct calls_stats st;
	int i;

	(void)state;
	for (i = 0; i < 7; i++)
		ask(w, "INVITE", "", 1, offer(4000));
	for (i = 0; i < 7; i++)
		say(w, 200, "INVITE", "b", 1, answer(5000));
	for (i = 0; i < 7; i++)
		ask(w, "ACK", "b", 1, NULL);
	expect(w, REC, REC);
	for (i = 0; i < 7; i++)
		ask(w, "BYE", "b", 2, NULL);
	wait_ns(w, 600 * MS);
	for (i = 0; i < 7; i++) {
		say(w, 200, "BYE", "b", 2, NULL);
		ask(w, "INVITE", "", 1, offer(4000)); /* copies that come late start nothing */
		say(w, 200, "INVITE", "b", 1, answer(5000));
	}
	expect(w, 0, 0);
	calls_get_stats(w->cs, &st);
	assert_int_equal(st.calls, 1);
	assert_int_equal(w->ended, 1);
	fake_world_free(w);
}

static void test_early_media(void **state)
{
	(void)state;
	for (int early = 0; early < 2; early++) {
		struct world *w = fake_world(NULL);

		w->policy.rule.record_early_media = early;
		ask(w, "INVITE", "", 1, offer(4000));
		say(w, 183, "INVITE", "b", 1, answer(5000));
		expect(w, early ? REC : GATE, early ? REC : GATE);
		say(w, 200, "INVITE", "b", 1, answer(5000));
		expect(w, REC, REC);
		fake_world_free(w);
	}
}

static void test_fork(void **state)
{
	struct world *w = fake_world(NULL);

	(void)state;
	ask(w, "INVITE", "", 1, offer(4000));
	say(w, 183, "INVITE", "b", 1, answer(5000));
	say(w, 183, "INVITE", "x", 1, sdp_of(3, 3, 6000, NULL));
	assert_int_equal(fake_verdict(w, 3, 6000), GATE);
	say(w, 200, "INVITE", "b", 1, NULL);
	say(w, 183, "INVITE", "x", 1, sdp_of(3, 3, 6000, NULL)); /* crosses the 200 */
	wait_ns(w, 2 * SEC);
	expect(w, REC, REC);
	/* the telephone that lost is no longer listened to */
	assert_int_equal(fake_verdict(w, 3, 6000), 0);
	hang_up(w);
	assert_string_equal(w->last_end, "bye");
	fake_world_free(w);
}

static void test_two_answers(void **state)
{
	struct world *w = fake_world(NULL);

	(void)state;
	ask(w, "INVITE", "", 1, offer(4000));
	say(w, 183, "INVITE", "x", 1, sdp_of(3, 3, 6000, NULL));
	say(w, 200, "INVITE", "b", 1, answer(5000));
	say(w, 200, "INVITE", "x", 1, NULL); /* its address was in the 183 */
	wait_ns(w, 2 * SEC);
	expect(w, REC, REC);
	assert_int_equal(fake_verdict(w, 3, 6000), REC);
	/* the caller hangs up on the second: the first goes on */
	ask(w, "BYE", "x", 2, NULL);
	say(w, 200, "BYE", "x", 2, NULL);
	say(w, 200, "BYE", "x", 2, NULL);
	wait_ns(w, 2 * SEC);
	expect(w, REC, REC);
	assert_int_equal(fake_verdict(w, 3, 6000), 0);
	hang_up(w);
	expect(w, 0, 0);
	assert_string_equal(w->last_end, "bye");
	fake_world_free(w);
}

static void test_cancel(void **state)
{
	struct world *w = fake_world(NULL);

	(void)state;
	ask(w, "INVITE", "", 1, offer(4000));
	say(w, 183, "INVITE", "b", 1, answer(5000));
	ask(w, "CANCEL", "", 1, NULL);
	expect(w, BLK, BLK);
	say(w, 200, "CANCEL", "b", 1, NULL);
	say(w, 180, "INVITE", "b", 1, NULL); /* a copy */
	say(w, 487, "INVITE", "b", 1, NULL);
	expect(w, BLK, BLK);
	wait_ns(w, 40 * SEC);
	assert_string_equal(w->last_end, "cancel");
	expect(w, 0, 0);
	fake_world_free(w);
}

static void test_cancel_crosses_200(void **state)
{
	struct world *w = fake_world(NULL);

	(void)state;
	ask(w, "INVITE", "", 1, offer(4000));
	ask(w, "CANCEL", "", 1, NULL);
	say(w, 200, "INVITE", "b", 1, answer(5000));
	expect(w, REC, REC);
	ask(w, "CANCEL", "", 1, NULL);
	expect(w, REC, REC);
	hang_up(w);
	assert_string_equal(w->last_end, "bye");
	fake_world_free(w);
}

static void test_auth(void **state)
{
	struct world *w = fake_world(NULL);
	struct calls_stats st;

	(void)state;
	ask(w, "INVITE", "", 1, offer(4000));
	say(w, 407, "INVITE", "p", 1, NULL);
	ask(w, "ACK", "p", 1, NULL);
	expect(w, BLK, 0);
	ask(w, "INVITE", "", 2, offer(4000));
	expect(w, GATE, 0);
	say(w, 200, "INVITE", "b", 2, answer(5000));
	expect(w, REC, REC);
	calls_get_stats(w->cs, &st);
	assert_int_equal(st.calls, 1);
	hang_up(w);
	fake_world_free(w);
}

/* Tombstones stay while there is room: a late copy of the end starts no ghost of a call. */
static void test_long_tombstone(void **state)
{
	struct call_limits l;
	struct calls_stats st;
	struct world *w;

	(void)state;
	call_default_limits(&l);
	l.tombstones = 1;
	w = fake_world(&l);
	establish(w);
	hang_up(w);
	wait_ns(w, 300 * SEC);
	wait_ns(w, 300 * SEC);
	ask(w, "BYE", "b", 9, NULL);
	calls_get_stats(w->cs, &st);
	assert_int_equal(st.calls, 1);
	/* the next one takes the only place */
	send_msg(w, &(struct fake_msg){ .method = "INVITE", .id = "c2", .from_tag = "a", .to_tag = "", .cseq = 1 });
	send_msg(w, &(struct fake_msg){ .method = "INVITE", .status = 603, .id = "c2", .from_tag = "a",
					.to_tag = "b", .cseq = 1 });
	wait_ns(w, 300 * SEC);
	wait_ns(w, 300 * SEC);
	assert_non_null(fake_call(w, "c2"));
	assert_null(fake_call(w, "c1"));
	fake_check(w);
	fake_world_free(w);
	/* half a minute to type a password: still one call */
	w = fake_world(NULL);
	ask(w, "INVITE", "", 1, offer(4000));
	say(w, 407, "INVITE", "p", 1, NULL);
	wait_ns(w, 100 * SEC);
	ask(w, "INVITE", "", 2, offer(4000));
	calls_get_stats(w->cs, &st);
	assert_int_equal(st.calls, 1);
	fake_world_free(w);
}

static void test_other_branch_answers(void **state)
{
	struct world *w = fake_world(NULL);

	(void)state;
	ask(w, "INVITE", "", 1, offer(4000));
	say(w, 486, "INVITE", "x", 1, NULL);
	say(w, 180, "INVITE", "b", 1, NULL);
	expect(w, GATE, 0);
	say(w, 200, "INVITE", "b", 1, answer(5000));
	expect(w, REC, REC);
	/* without a 180 in between as well */
	hang_up(w);
	fake_world_free(w);
	w = fake_world(NULL);
	ask(w, "INVITE", "", 1, offer(4000));
	say(w, 603, "INVITE", "x", 1, NULL);
	say(w, 200, "INVITE", "b", 1, answer(5000));
	expect(w, REC, REC);
	fake_world_free(w);
	w = fake_world(NULL);
	ask(w, "INVITE", "", 1, offer(4000));
	say(w, 486, "INVITE", "x", 1, NULL);
	wait_ns(w, 40 * SEC);
	assert_string_equal(w->last_end, "rejected");
	assert_int_equal(w->last_length_ns, 10 * MS);
	fake_world_free(w);
}

/* Moves one side's port; `back`: the callee asks, with the CSeq of the first INVITE. */
static void move(const char *method, bool back, bool refused)
{
	struct world *w = fake_world(NULL);
	unsigned host = back ? 2 : 1, old = back ? 5000 : 4000;
	const char *s;

	establish(w);
	s = sdp_of(host, host, 7000, NULL);
	if (back)
		ask_back(w, method, 1, s);
	else
		ask(w, method, "b", 2, s);
	/* offered: both addresses are listened to until it is answered */
	wait_ns(w, 3 * SEC);
	assert_int_equal(fake_verdict(w, host, old), REC);
	assert_int_equal(fake_verdict(w, host, 7000), REC);
	if (back)
		say_back(w, refused ? 488 : 200, method, 1, refused ? NULL : offer(4000));
	else
		say(w, refused ? 488 : 200, method, "b", 2, refused ? NULL : answer(5000));
	assert_int_equal(fake_verdict(w, host, old), REC);
	assert_int_equal(fake_verdict(w, host, 7000), refused ? 0 : REC);
	wait_ns(w, 900 * MS);
	assert_int_equal(fake_verdict(w, host, old), REC);
	wait_ns(w, 300 * MS);
	assert_int_equal(fake_verdict(w, host, old), refused ? REC : 0);
	assert_int_equal(fake_verdict(w, 3 - host, back ? 4000 : 5000), REC);
	hang_up(w);
	assert_int_equal(w->ended, 1);
	fake_world_free(w);
}

static void test_move(void **state)
{
	(void)state;
	for (int i = 0; i < 8; i++)
		move(i & 1 ? "UPDATE" : "INVITE", i & 2, i & 4);
}

/* The offer keeps the address but changes what the payload types mean. */
static void test_formats_of_an_offer(void **state)
{
	static const char sdp[] = "v=0\r\no=- 1 2 IN IP4 h\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\n"
				  "m=audio 4000 RTP/%s 0 96\r\na=rtpmap:96 telephone-event/8000\r\n";
	char buf[512];

	(void)state;
	for (int ok = 0; ok < 2; ok++) {
		struct world *w = fake_world(NULL);
		struct endpoint at = fake_at(1, 4000);
		const struct call_endpoint *e;
		struct media_format f;
		struct call *c;

		establish(w);
		snprintf(buf, sizeof(buf), sdp, "SAVP");
		ask(w, "INVITE", "b", 2, buf);
		c = fake_call(w, "c1");
		e = call_endpoint_at(c, &at);
		assert_int_equal(e->te[0], 101);
		assert_int_equal(e->te[1], 96);
		assert_false(e->srtp);
		assert_int_equal(call_format(c, e, 96, &f), CALL_PT_EVENT);
		assert_int_equal(call_format(c, e, 101, &f), CALL_PT_EVENT);
		say(w, ok ? 200 : 488, "INVITE", "b", 2, NULL);
		e = call_endpoint_at(fake_call(w, "c1"), &at);
		assert_int_equal(e->te[0], ok ? 96 : 101);
		assert_int_equal(e->te[1], OPTAG_NO_PT);
		assert_int_equal(e->srtp, ok);
		expect(w, ok ? BLK : REC, REC);
		fake_world_free(w);
	}
}

static void test_offer_with_cseq_zero_and_max(void **state)
{
	static const uint32_t n[] = { 0, 0x7fffffff, UINT32_MAX - 1, UINT32_MAX };

	(void)state;
	for (size_t i = 0; i < sizeof(n) / sizeof(n[0]); i++) {
		struct world *w = fake_world(NULL);

		establish(w);
		ask(w, "UPDATE", "b", n[i], sdp_of(1, 1, 7000, NULL));
		/* an SDP in force at once does not settle it */
		say(w, 200, "INVITE", "b", 1, answer(5000));
		say(w, 488, "UPDATE", "b", n[i], NULL);
		wait_ns(w, 2 * SEC);
		expect(w, REC, REC);
		assert_int_equal(fake_verdict(w, 1, 7000), 0);
		fake_world_free(w);
	}
}

static void test_late_offer(void **state)
{
	struct world *w = fake_world(NULL);

	(void)state;
	ask(w, "INVITE", "", 1, NULL);
	say(w, 200, "INVITE", "b", 1, answer(5000));
	expect(w, 0, REC);
	ask(w, "ACK", "b", 1, offer(4000));
	expect(w, REC, REC);
	/* the same inside the dialogue: the callee offers in the 200, the ACK answers */
	ask(w, "INVITE", "b", 2, NULL);
	say(w, 200, "INVITE", "b", 2, sdp_of(2, 2, 5500, NULL));
	ask(w, "ACK", "b", 2, sdp_of(1, 1, 4400, NULL));
	wait_ns(w, 2 * SEC);
	expect(w, 0, 0);
	assert_int_equal(fake_verdict(w, 1, 4400), REC);
	assert_int_equal(fake_verdict(w, 2, 5500), REC);
	hang_up(w);
	fake_world_free(w);
}

static void hold_with(const char *more, unsigned host, bool music)
{
	struct world *w = fake_world(NULL);
	char black[512];
	const char *s = more ? sdp_of(1, host, 4000, more) : black;

	snprintf(black, sizeof(black), "v=0\r\no=- 1 2 IN IP4 h\r\nc=IN IP4 0.0.0.0\r\nm=audio 4000 RTP/AVP 8\r\n");
	w->policy.rule.record_hold_music = music;
	establish(w);
	ask(w, "INVITE", "b", 2, s);
	assert_int_equal(fake_verdict(w, 2, 5000), REC); /* not agreed yet */
	say(w, 200, "INVITE", "b", 2, sdp_of(2, 2, 5000, "a=recvonly\r\n"));
	assert_int_equal(fake_verdict(w, 2, 5000), music ? REC : GATE);
	/* the other side holds too; both must let go */
	ask_back(w, "INVITE", 1, sdp_of(2, 2, 5000, "a=inactive\r\n"));
	say_back(w, 200, "INVITE", 1, sdp_of(1, 1, 4000, "a=inactive\r\n"));
	ask(w, "INVITE", "b", 3, offer(4000));
	say(w, 200, "INVITE", "b", 3, sdp_of(2, 2, 5000, "a=inactive\r\n"));
	assert_int_equal(fake_verdict(w, 2, 5000), music ? REC : GATE);
	ask_back(w, "INVITE", 2, answer(5000));
	say_back(w, 200, "INVITE", 2, offer(4000));
	expect(w, REC, REC);
	/* a hold that is refused is none */
	ask(w, "INVITE", "b", 4, sdp_of(1, 1, 4000, "a=sendonly\r\n"));
	say(w, 491, "INVITE", "b", 4, NULL);
	expect(w, REC, REC);
	fake_world_free(w);
}

static void test_hold(void **state)
{
	(void)state;
	for (int music = 0; music < 2; music++) {
		hold_with("a=sendonly\r\n", 1, music);
		hold_with("a=inactive\r\n", 1, music);
		hold_with(NULL, 0, music);
	}
}

/* A call that is one-way from the start is no call on hold. */
static void test_one_way(void **state)
{
	struct world *w = fake_world(NULL);

	(void)state;
	ask(w, "INVITE", "", 1, sdp_of(1, 1, 4000, "a=recvonly\r\n"));
	say(w, 183, "INVITE", "b", 1, sdp_of(2, 2, 5000, "a=sendonly\r\n"));
	say(w, 200, "INVITE", "b", 1, sdp_of(2, 2, 5000, "a=sendonly\r\n"));
	expect(w, REC, REC);
	say(w, 200, "INVITE", "b", 1, sdp_of(2, 2, 5000, "a=sendonly\r\n"));
	expect(w, REC, REC);
	fake_world_free(w);
}

static void test_lines_and_candidates(void **state)
{
	struct world *w = fake_world(NULL);

	(void)state;
	ask(w, "INVITE", "", 1,
	    sdp_of(1, 1, 4000,
		   "a=candidate:1 1 UDP 1 10.0.0.7 4100 typ host\r\na=candidate:1 2 UDP 1 10.0.0.7 4101 typ host\r\n"
		   "m=audio 4002 RTP/AVP 0\r\nm=video 4004 RTP/AVP 31\r\nm=audio 0 RTP/AVP 0\r\n"));
	say(w, 200, "INVITE", "b", 1, answer(5000));
	expect(w, REC, REC);
	assert_int_equal(fake_verdict(w, 7, 4100), REC);
	assert_int_equal(fake_verdict(w, 7, 4101), 0);
	assert_int_equal(fake_verdict(w, 1, 4002), REC);
	assert_int_equal(fake_verdict(w, 1, 4004), 0);
	/* the second line closes, the candidate is gone */
	ask(w, "INVITE", "b", 2, offer(4000));
	say(w, 200, "INVITE", "b", 2, answer(5000));
	wait_ns(w, 2 * SEC);
	expect(w, REC, REC);
	assert_int_equal(fake_verdict(w, 7, 4100), 0);
	assert_int_equal(fake_verdict(w, 1, 4002), 0);
	fake_world_free(w);
}

static void test_mid_call(void **state)
{
	struct world *w = fake_world(NULL);

	(void)state;
	/* a re-INVITE is the first message */
	ask(w, "INVITE", "b", 7, offer(4000));
	assert_true(fake_call(w, "c1")->partial);
	say(w, 200, "INVITE", "b", 7, answer(5000));
	expect(w, REC, REC);
	hang_up(w);
	fake_world_free(w);
	/* the 200 */
	w = fake_world(NULL);
	say(w, 200, "INVITE", "b", 7, answer(5000));
	expect(w, 0, REC);
	assert_true(fake_call(w, "c1")->partial);
	fake_world_free(w);
	/* the BYE */
	w = fake_world(NULL);
	ask(w, "BYE", "b", 8, NULL);
	assert_int_equal(w->matched, 1);
	wait_ns(w, SEC);
	assert_string_equal(w->last_end, "bye");
	fake_world_free(w);
	/* what says nothing about a call that goes on */
	w = fake_world(NULL);
	say(w, 200, "BYE", "b", 8, NULL);
	ask(w, "ACK", "b", 8, NULL);
	ask(w, "CANCEL", "", 8, NULL);
	say(w, 200, "CANCEL", "", 8, NULL);
	ask(w, "OPTIONS", "", 8, offer(4000));
	ask(w, "REGISTER", "", 8, NULL);
	assert_int_equal(w->matched, 0);
	assert_null(fake_call(w, "c1"));
	fake_world_free(w);
}

static void rfc2543(struct world *w, const char *method, unsigned status, uint32_t cseq, bool back,
		    const char *sdp)
{
	send_msg(w, &(struct fake_msg){ .method = method, .status = status, .id = "c1", .from_tag = "",
					.to_tag = "", .cseq = cseq, .sdp = sdp, .by_callee = back });
}

static void test_no_tags(void **state)
{
	struct world *w = fake_world(NULL);
	struct endpoint at = fake_at(2, 5000);

	(void)state;
	rfc2543(w, "INVITE", 0, 1, false, offer(4000));
	rfc2543(w, "INVITE", 200, 1, false, answer(5000));
	expect(w, REC, REC);
	assert_int_equal(call_endpoint_at(fake_call(w, "c1"), &at)->leg, OPTAG_LEG_CALLER);
	/* the callee moves */
	rfc2543(w, "INVITE", 0, 1, true, sdp_of(2, 2, 5500, NULL));
	at = fake_at(2, 5500);
	assert_int_equal(call_endpoint_at(fake_call(w, "c1"), &at)->leg, OPTAG_LEG_CALLER);
	/* anybody could have sent that: the end of the voices tells */
	rfc2543(w, "BYE", 0, 2, false, NULL);
	wait_ns(w, SEC);
	assert_int_equal(w->ended, 0);
	wait_ns(w, 90 * SEC);
	assert_string_equal(w->last_end, "timeout");
	fake_world_free(w);
}

/* Caller - proxy - callee; the second hop sees the same description or one with a relay's address. */
static void two_hops(bool rewritten)
{
	struct world *w = fake_world(NULL);
	uint32_t proxy = 0x0a000063;
	const char *o2 = rewritten ? "relay" : NULL;

	ask(w, "INVITE", "", 1, offer(4000));
	w->src = proxy; /* hop 2; o= stays the caller's */
	ask(w, "INVITE", "", 1, o2 ? sdp_of(1, 99, 8000, NULL) : offer(4000));
	say(w, 200, "INVITE", "b", 1, answer(5000));
	w->src = 0x0a000001;
	w->dst = proxy;
	say(w, 200, "INVITE", "b", 1, o2 ? sdp_of(2, 99, 8002, NULL) : answer(5000));
	ask(w, "ACK", "b", 1, NULL);
	wait_ns(w, 5 * SEC);
	expect(w, REC, REC);
	assert_int_equal(fake_verdict(w, 99, 8000), rewritten ? REC : 0);
	assert_int_equal(fake_verdict(w, 99, 8002), rewritten ? REC : 0);
	/* no Record-Route: the caller's re-INVITE goes straight to the callee and moves the caller */
	if (!rewritten) {
		w->dst = 0x0a000002;
		ask(w, "INVITE", "b", 2, sdp_of(1, 1, 4400, NULL));
		say(w, 200, "INVITE", "b", 2, answer(5000));
		wait_ns(w, 2 * SEC);
		expect(w, 0, REC);
		assert_int_equal(fake_verdict(w, 1, 4400), REC);
	}
	hang_up(w);
	assert_int_equal(w->matched, 1);
	fake_world_free(w);
}

static void test_two_hops(void **state)
{
	(void)state;
	two_hops(false);
	two_hops(true);
}

/* A back-to-back agent that keeps the Call-ID and changes the tags: sides stay what they are. */
static void test_agent_keeps_call_id(void **state)
{
	struct world *w = fake_world(NULL);
	struct endpoint at = fake_at(99, 8000);
	struct fake_msg in2 = { .method = "INVITE", .id = "c1", .from_tag = "A", .to_tag = "", .cseq = 1 };
	struct fake_msg ok2 = { .method = "INVITE", .status = 200, .id = "c1", .from_tag = "A", .to_tag = "B",
				.cseq = 1 };
	struct fake_msg bye2 = { .method = "BYE", .id = "c1", .from_tag = "A", .to_tag = "B", .cseq = 2 };

	(void)state;
	ask(w, "INVITE", "", 1, offer(4000));
	w->src = 0x0a000063;
	in2.sdp = sdp_of(7, 99, 8000, NULL);
	send_msg(w, &in2);
	ok2.sdp = answer(5000);
	send_msg(w, &ok2);
	w->src = 0x0a000001;
	w->dst = 0x0a000063;
	say(w, 200, "INVITE", "b", 1, sdp_of(8, 99, 8002, NULL));
	wait_ns(w, 5 * SEC);
	expect(w, REC, REC);
	assert_int_equal(call_endpoint_at(fake_call(w, "c1"), &at)->side, OPTAG_LEG_CALLER);
	at = fake_at(2, 5000);
	assert_int_equal(call_endpoint_at(fake_call(w, "c1"), &at)->side, OPTAG_LEG_CALLEE);
	ask(w, "BYE", "b", 2, NULL);
	send_msg(w, &bye2);
	wait_ns(w, SEC);
	expect(w, 0, 0);
	assert_string_equal(w->last_end, "bye");
	fake_world_free(w);
}

/* More audio lines than are read: somebody may be on one of them who heard no notice. Not so with lines of video, or
 * that are refused. */
static void test_unread_lines(void **state)
{
	static const struct {
		const char *line;
		unsigned n;
		bool third;
	} by[] = { { "m=audio 4002 RTP/AVP 0\r\n", 7, false }, { "m=audio 4002 RTP/AVP 0\r\n", 8, true },
		   { "m=audio 0 RTP/AVP 0\r\n", 20, false },  { "m=video 4002 RTP/AVP 96\r\n", 20, false } };
	struct calls_stats st;

	(void)state;
	for (size_t i = 0; i < sizeof(by) / sizeof(by[0]); i++) {
		for (int later = 0; later < 2; later++) {
			struct world *w = fake_world(NULL);
			char more[1024] = "";

			for (unsigned k = 0; k < by[i].n; k++)
				strcat(more, by[i].line);
			ask(w, "INVITE", "", 1, later ? offer(4000) : sdp_of(1, 1, 4000, more));
			say(w, 200, "INVITE", "b", 1, answer(5000));
			if (later)
				ask(w, "INVITE", "b", 2, sdp_of(1, 1, 4000, more));
			assert_int_equal(fake_call(w, "c1")->third, by[i].third || (later && i == 0));
			calls_get_stats(w->cs, &st);
			assert_int_equal(st.sdp_dropped, by[i].third);
			fake_world_free(w);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_basic),
		cmocka_unit_test(test_retransmissions),
		cmocka_unit_test(test_early_media),
		cmocka_unit_test(test_fork),
		cmocka_unit_test(test_two_answers),
		cmocka_unit_test(test_cancel),
		cmocka_unit_test(test_cancel_crosses_200),
		cmocka_unit_test(test_auth),
		cmocka_unit_test(test_long_tombstone),
		cmocka_unit_test(test_other_branch_answers),
		cmocka_unit_test(test_move),
		cmocka_unit_test(test_formats_of_an_offer),
		cmocka_unit_test(test_offer_with_cseq_zero_and_max),
		cmocka_unit_test(test_late_offer),
		cmocka_unit_test(test_hold),
		cmocka_unit_test(test_one_way),
		cmocka_unit_test(test_lines_and_candidates),
		cmocka_unit_test(test_mid_call),
		cmocka_unit_test(test_no_tags),
		cmocka_unit_test(test_two_hops),
		cmocka_unit_test(test_agent_keeps_call_id),
		cmocka_unit_test(test_unread_lines),
	};

	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	reborn = true;
	return failed + cmocka_run_group_tests_name("the same, reborn after every step", tests, NULL, NULL);
}
