/* SPDX-License-Identifier: BSD-2-Clause */
/* test_call.c - SIP dialogues against the call table: who is recorded where, until when */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "../fakecalls.h"

#define REC  OPTAG_V_RECORD
#define GATE OPTAG_V_GATE
#define BLK  OPTAG_V_BLOCK

static char sdp_buf[4][4096];
static bool reborn; /* after every step another process goes on (call_save, calls_restore) */

/* Descriptions in turn of the caller at 10.0.0.1 and the callee at 10.0.0.2. */
static const char *offer(unsigned port)
{
	return fake_sdp(sdp_buf[0], sizeof(sdp_buf[0]), 1, 1, port, NULL);
}

static const char *answer(unsigned port)
{
	return fake_sdp(sdp_buf[1], sizeof(sdp_buf[1]), 2, 2, port, NULL);
}

static const char *sdp_of(unsigned session, unsigned host, unsigned port, const char *more)
{
	return fake_sdp(sdp_buf[2], sizeof(sdp_buf[2]), session, host, port, more);
}

static void wait_ns(struct world *w, uint64_t ns)
{
	w->now += ns;
	calls_tick(w->cs, w->now);
	fake_check(w);
	if (reborn) {
		fake_reborn(w);
		fake_check(w);
	}
}

static void send_msg(struct world *w, const struct fake_msg *k)
{
	w->now += 10 * MS;
	fake_send(w, k);
	fake_check(w);
	if (reborn) {
		fake_reborn(w);
		fake_check(w);
	}
}

static void ask(struct world *w, const char *method, const char *to_tag, uint32_t cseq, const char *sdp)
{
	send_msg(w, &(struct fake_msg){ .method = method, .id = "c1", .from_tag = "a", .to_tag = to_tag,
					.cseq = cseq, .sdp = sdp });
}

static void say(struct world *w, unsigned status, const char *method, const char *to_tag, uint32_t cseq,
		const char *sdp)
{
	send_msg(w, &(struct fake_msg){ .method = method, .status = status, .id = "c1", .from_tag = "a",
					.to_tag = to_tag, .cseq = cseq, .sdp = sdp });
}

/* A request of the callee, and the caller's response to one. */
static void ask_back(struct world *w, const char *method, uint32_t cseq, const char *sdp)
{
	send_msg(w, &(struct fake_msg){ .method = method, .id = "c1", .from_tag = "b", .to_tag = "a",
					.cseq = cseq, .sdp = sdp, .by_callee = true });
}

static void say_back(struct world *w, unsigned status, const char *method, uint32_t cseq, const char *sdp)
{
	send_msg(w, &(struct fake_msg){ .method = method, .status = status, .id = "c1", .from_tag = "b",
					.to_tag = "a", .cseq = cseq, .sdp = sdp, .by_callee = true });
}

static void establish(struct world *w)
{
	ask(w, "INVITE", "", 1, offer(4000));
	say(w, 180, "INVITE", "b", 1, NULL);
	say(w, 200, "INVITE", "b", 1, answer(5000));
	ask(w, "ACK", "b", 1, NULL);
}

static void expect(struct world *w, uint8_t caller_port, uint8_t callee_port)
{
	assert_int_equal(fake_verdict(w, 1, 4000), caller_port);
	assert_int_equal(fake_verdict(w, 2, 5000), callee_port);
}

static void hang_up(struct world *w)
{
	ask(w, "BYE", "b", 9, NULL);
	say(w, 200, "BYE", "b", 9, NULL);
	wait_ns(w, SEC);
}

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
	/* the BYE was lost, and the next caller uses the Call-ID for a call that nobody may record */
	w->called = "500";
	again.from_tag = "a3";
	again.cseq = 1;
	send_msg(w, &again);
	expect(w, 0, 0);
	assert_string_equal(w->last_end, "replaced");
	assert_int_equal(w->ended, 3);
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
	rfc2543(w, "BYE", 0, 2, false, NULL);
	wait_ns(w, SEC);
	assert_string_equal(w->last_end, "bye");
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

/* ---- verdicts: guidance 4 and 5, one line per situation ---- */

enum { DOC = POLICY_DOCUMENTATION, TRAIN = POLICY_TRAINING };

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
		{ "a=rtpmap:97 telephone-event/8000\r\n", "a=rtpmap:97 opus/48000\r\n", 97, CALL_PT_EVENT },
		{ "a=rtpmap:97 opus/48000\r\n", "a=rtpmap:97 telephone-event/8000\r\n", 97, CALL_PT_EITHER },
		{ "a=rtpmap:97 tone/8000\r\n", "", 97, CALL_PT_OTHER },
		{ "a=rtpmap:97 RTX/8000\r\n", "", 97, CALL_PT_OTHER },
		{ "a=rtpmap:97 ulpfec/8000\r\n", "", 97, CALL_PT_OTHER },
		{ "a=rtpmap:97 1d-interleaved-parityfec/8000\r\n", "", 97, CALL_PT_OTHER },
		{ "a=rtpmap:97 red/8000\r\n", "", 97, CALL_PT_AUDIO },
		{ "a=rtpmap:8 telephone-event/8000\r\n", "", 8, CALL_PT_EVENT },
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

/* ---- many ---- */

static void test_many(void **state)
{
	struct world *w = fake_world(NULL);
	struct calls_stats st;
	char id[32], buf[2048];
	size_t n;
	int i, step;

	(void)state;
	for (step = 0; step < 3; step++) {
		for (i = 0; i < 100000; i++) {
			struct fake_msg k = { .method = step < 2 ? "INVITE" : "BYE", .status = step == 1 ? 200 : 0,
					      .id = id, .from_tag = "a", .to_tag = step ? "b" : "",
					      .cseq = 1 + (uint32_t)(step == 2) };

			snprintf(id, sizeof(id), "call-%d", i);
			w->called = i & 1 ? "500" : "900"; /* no flows: the list here is short */
			n = fake_text(w, &k, buf, sizeof(buf));
			w->now += 100000;
			fake_hand_over(w, buf, n, !k.status);
		}
		calls_get_stats(w->cs, &st);
		assert_int_equal(st.active, 100000);
	}
	assert_int_equal(st.calls, 100000);
	fake_check(w);
	wait_ns(w, 60 * SEC);
	wait_ns(w, 60 * SEC);
	calls_get_stats(w->cs, &st);
	assert_int_equal(st.active, 0);
	printf("struct call %zu bytes, struct call_endpoint %zu\n", sizeof(struct call), sizeof(struct call_endpoint));
	fake_world_free(w);
}

static uint64_t next_random(uint64_t *s)
{
	uint64_t z = *s += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

static unsigned below(uint64_t *s, unsigned n)
{
	return (unsigned)(next_random(s) % n);
}

static void random_message(struct world *w, uint64_t *s)
{
	static const char *const methods[] = { "INVITE", "INVITE", "INVITE", "INVITE", "ACK",	 "BYE",
					       "CANCEL", "UPDATE", "UPDATE", "PRACK", "OPTIONS", "INFO" };
	static const unsigned statuses[] = { 100, 180, 183, 200, 200, 200, 401, 407, 486, 487, 488, 491 };
	static const char *const tags[] = { "", "a", "b", "x" }, *const called[] = { "100", "101", "500", "900" };
	static const char *const more[] = { NULL, NULL, NULL, "a=sendonly\r\n", "a=inactive\r\n",
					    "a=recordpref:off\r\n", "m=audio 4001 RTP/SAVP 0\r\n",
					    "a=candidate:1 1 UDP 1 10.0.0.1 4002 typ host\r\n" };
	char id[8], sdp[1024];
	struct fake_msg k = { .method = methods[below(s, 12)], .id = id, .from_tag = tags[below(s, 3)],
			      .to_tag = tags[below(s, 4)], .cseq = below(s, 4), .by_callee = below(s, 2) };

	snprintf(id, sizeof(id), "c%u", below(s, 6));
	if (below(s, 2))
		k.status = statuses[below(s, 12)];
	if (below(s, 4))
		k.sdp = fake_sdp(sdp, sizeof(sdp), below(s, 3), 1 + below(s, 2), 4000 + below(s, 6), more[below(s, 8)]);
	w->called = called[below(s, 4)];
	w->src = 0x0a000001 + below(s, 3);
	w->dst = 0x0a000004 + below(s, 2);
	fake_send(w, &k);
}

static void test_random(void **state)
{
	static const uint64_t steps[] = { 0, 0, 0, 5 * MS, 50 * MS, SEC, SEC, 20 * SEC, 70 * SEC, 4000 * SEC };
	uint64_t seed = 1;

	(void)state;
	for (int round = 0; round < 60; round++) {
		struct call_limits l;
		struct world *w;

		call_default_limits(&l);
		l.calls = round % 3 ? 262144 : 4;
		w = fake_world(&l);
		w->policy.rule.record_early_media = round & 1;
		w->policy.rule.record_hold_music = round & 2;
		w->policy.rule.purpose[TRAIN].basis = (enum policy_basis)(round % 3);
		w->policy.rule.purpose[DOC].basis = (enum policy_basis)(round % 4);
		for (int i = 0; i < 400; i++) {
			if (below(&seed, 6)) {
				random_message(w, &seed);
			} else if (below(&seed, 40)) {
				w->now += steps[below(&seed, 10)];
				calls_tick(w->cs, w->now);
			} else {
				w->now -= steps[below(&seed, 10)];
			}
			if (below(&seed, 8) == 0) {
				char id[8];
				struct call *c;

				snprintf(id, sizeof(id), "c%u", below(&seed, 6));
				c = fake_call(w, id);
				if (c && c->matched && c->phase != CALL_TOMBSTONE)
					call_event(w->cs, c, (enum policy_purpose)below(&seed, 2),
						   (enum purpose_event)below(&seed, PURPOSE_EVENTS));
			}
			w->packets += below(&seed, 2);
			fake_check(w);
			if (reborn && below(&seed, 8) == 0) {
				fake_reborn(w);
				fake_check(w);
			}
		}
		fake_world_free(w);
	}
}

static const struct policy *any_policy(void *arg, const char *hash)
{
	(void)hash;
	return arg;
}

/* What a call was saved as, written over: refused, or a call that keeps all invariants. */
static void test_damaged_save(void **state)
{
	uint64_t seed = 11;
	unsigned round, taken = 0;

	(void)state;
	for (round = 0; round < 20000; round++) {
		static struct world *w, *v;
		struct calls_restore how;
		struct buf b = { 0 };
		struct call *c;
		int rc;

		if (!w) {
			w = fake_world(NULL);
			establish(w);
			ask(w, "INVITE", "b", 2, sdp_of(3, 1, 4002, "a=candidate:1 1 UDP 1 10.0.0.7 4004 typ host\r\n"));
		}
		v = fake_world(NULL);
		how = (struct calls_restore){ &v->policy, any_policy };
		call_save(fake_call(w, "c1"), &b);
		for (unsigned n = below(&seed, 4); n > 0; n--)
			b.p[below(&seed, (unsigned)b.len)] ^= (uint8_t)(1u << below(&seed, 8));
		if (below(&seed, 4) == 0)
			b.len = below(&seed, (unsigned)b.len);
		rc = calls_restore(v->cs, &how, b.p, b.len, &c);
		buf_free(&b);
		if (rc == 0) {
			taken++;
			calls_restored(v->cs);
			assert_ptr_equal(calls_by_ring(v->cs, c->ring), c);
			if (c->matched && c->phase != CALL_TOMBSTONE) {
				c->user = v;
				v->matched++;
			}
			calls_refresh(v->cs, c);
			calls_tick(v->cs, v->now);
			calls_tick(v->cs, v->now + SEC);
		}
		fake_world_free(v);
	}
	assert_in_range(taken, 1000, 19000);
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
		cmocka_unit_test(test_missing_bye),
		cmocka_unit_test(test_missing_bye_on_hold),
		cmocka_unit_test(test_setup_timeout),
		cmocka_unit_test(test_max_length),
		cmocka_unit_test(test_port_reuse),
		cmocka_unit_test(test_call_id_reuse),
		cmocka_unit_test(test_mid_call),
		cmocka_unit_test(test_no_tags),
		cmocka_unit_test(test_two_hops),
		cmocka_unit_test(test_agent_keeps_call_id),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_too_many_addresses),
		cmocka_unit_test(test_clock),
		cmocka_unit_test(test_recordpref),
		cmocka_unit_test(test_unmatched),
		cmocka_unit_test(test_barred),
		cmocka_unit_test(test_situations),
		cmocka_unit_test(test_settings_of_verdict),
		cmocka_unit_test(test_payload_types),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_damaged_save),
	};

	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	reborn = true;
	return failed + cmocka_run_group_tests_name("the same, reborn after every step", tests, NULL, NULL);
}
