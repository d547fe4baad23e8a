/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_record_later.c - what may still happen to what was recorded
 *
 * A transfer, and who says no after it; a later policy that tightens.
 */
#include "record_link.h"

/* c1 is transferred: it goes on as c2, whose callee hears at port 5500, and is over. */
static struct call *transfer(struct link *l)
{
	struct fake_msg k = { .method = "INVITE", .id = "c2", .from_tag = "c", .to_tag = "", .cseq = 1,
			      .extra = "Replaces: c1;to-tag=b;from-tag=a\r\n" };
	char sdp[2048];

	k.sdp = fake_sdp(sdp, sizeof(sdp), 3, 1, 4400, NULL);
	sip(l, &k);
	k = (struct fake_msg){ .method = "INVITE", .status = 200, .id = "c2", .from_tag = "c", .to_tag = "d", .cseq = 1,
			       .sdp = fake_sdp(sdp, sizeof(sdp), 4, 3, 5500, NULL) };
	sip(l, &k);
	bye(l);
	l->w->now += SEC;
	rtp(l, 3, 5500, 8, 0x33, 160);
	return calls_by_id(recorder_calls(l->rec), "c2", 2);
}

static struct calls_tightened tighten(struct link *l, const struct policy *p)
{
	struct calls_tightened sum = { 0 };
	bool first = true;

	while (recorder_tighten(l->rec, p, first, &sum))
		first = false;
	return sum;
}

/*
 * A transfer to another dialog: training of the first part waits for the end of the conversation (R-41, guidance 6), and goes
 * when somebody opts out in the second.
 */
static void test_parked(void **state)
{
	(void)state;
	for (int i = 0; i < 6; i++) {
		struct link *l = link_new();
		struct policy_block *b = &l->w->policy.rule.purpose[POLICY_TRAINING];
		struct recorder_figures f;
		struct call *c, *second;

		b->basis = POLICY_B_INTEREST;
		b->retention = (struct policy_span){ 3, POLICY_U_MONTHS };
		establish(l, NULL);
		for (int n = 0; n < 300; n++)
			both(l, 0x22);
		c = calls_by_id(recorder_calls(l->rec), "c1", 2);
		assert_int_equal(c->state[POLICY_TRAINING], PURPOSE_GRANTED);
		second = transfer(l);
		assert_int_equal(c->phase, CALL_TOMBSTONE);
		assert_int_equal(l->st.ended, 0);
		assert_int_equal(l->st.committed, 0);
		assert_int_equal(recorder_pinned(l->rec, &l->w->policy), 2);
		if (i == 1) {
			call_key(recorder_calls(l->rec), second, OPTAG_LEG_CALLER, '9', CALL_BY_INFO, true, l->w->now);
			assert_int_equal(l->st.ended, 0); /* its documentation may still be objected to */
			assert_int_equal(l->st.dropped, 2);
		}
		if (i >= 4) { /* a later policy has no room for it; or none for training */
			struct policy none = l->w->policy;

			none.rule.purpose[POLICY_TRAINING].basis = POLICY_B_NONE;
			(void)tighten(l, i == 4 ? NULL : &none);
			assert_int_equal(l->st.ended, 0);
			assert_int_equal(l->st.dropped, 2);
		}
		if (i < 2) {
			sip(l, &(struct fake_msg){ .method = "BYE", .id = "c2", .from_tag = "c", .to_tag = "d", .cseq = 2 });
			l->w->now += SEC;
			rtp(l, 3, 5500, 8, 0x44, 160);
		}
		if (i == 3) { /* the program ends in the middle: nothing is left readable */
			recorder_free(l->rec);
			assert_int_equal(l->st.begun, l->st.ended + l->st.aborted);
			assert_int_equal(l->st.committed, 0);
			l->rec = NULL;
			fake_world_free(l->w);
			clock_set_ns(0);
			free(l);
			continue;
		}
		f = finish(l);
		if (i == 1) { /* the first one's row is the last */
			assert_int_equal(l->st.last.state[POLICY_TRAINING], STORE_S_OPTED_OUT);
			assert_int_equal(l->st.last.state[POLICY_DOCUMENTATION], STORE_S_GRANTED);
		} else if (i >= 4) {
			assert_int_equal(l->st.last.state[POLICY_TRAINING], STORE_S_DENIED);
			assert_string_equal(l->st.last.reason[POLICY_TRAINING], "policy.tightened");
			assert_int_equal(l->st.last.state[POLICY_DOCUMENTATION], STORE_S_GRANTED);
		}
		assert_int_equal(f.kept, 2); /* the second has its one packet of documentation */
		assert_int_equal(l->st.committed, i == 0); /* 2: nobody hung up, and what was not seen may have been a press for both parts */
		link_free(l);
	}
}

/* A consent to documentation that is taken back after a transfer is taken back from the first part as well (guidance 5.2). */
static void test_parked_consent(void **state)
{
	(void)state;
	for (int back = 0; back < 2; back++) {
		struct link *l = link_new();
		struct policy_block *b = &l->w->policy.rule.purpose[POLICY_DOCUMENTATION];
		struct recorder_figures f;
		struct call *c;

		b->basis = POLICY_B_CONSENT;
		establish(l, NULL);
		for (int n = 0; n < 150; n++)
			both(l, 0x22);
		c = calls_by_id(recorder_calls(l->rec), "c1", 2);
		call_key(recorder_calls(l->rec), c, OPTAG_LEG_CALLER, '2', CALL_BY_INFO, true, l->w->now);
		assert_int_equal(c->state[POLICY_DOCUMENTATION], PURPOSE_GRANTED);
		for (int n = 0; n < 300; n++)
			both(l, 0x33);
		c = transfer(l);
		assert_int_equal(l->st.ended, 0);
		l->w->now += 4 * SEC;
		call_key(recorder_calls(l->rec), c, OPTAG_LEG_CALLER, '2', CALL_BY_INFO, true, l->w->now);
		assert_int_equal(c->state[POLICY_DOCUMENTATION], PURPOSE_GRANTED);
		l->w->now += SEC;
		rtp(l, 3, 5500, 8, 0x55, 160);
		if (back) {
			call_key(recorder_calls(l->rec), c, OPTAG_LEG_CALLER, '8', CALL_BY_INFO, true, l->w->now);
			assert_int_equal(c->state[POLICY_DOCUMENTATION], PURPOSE_WITHDRAWN);
			assert_int_equal(l->st.ended, 0);
			assert_int_equal(l->st.denied, 1);
		}
		sip(l, &(struct fake_msg){ .method = "BYE", .id = "c2", .from_tag = "c", .to_tag = "d", .cseq = 2 });
		l->w->now += SEC;
		rtp(l, 3, 5500, 8, 0x66, 160);
		f = finish(l);
		assert_int_equal(f.kept, back ? 0 : 2);
		assert_int_equal(f.denied, back ? 2 : 0);
		link_free(l);
	}
}

/* A consent, a transfer to another rule, and a digit, all within two seconds: the consent was the beginning of a number, and what it gave
 * goes, for that purpose alone; not what was given before, nor when the digit comes later. */
static void test_parked_number(void **state)
{
	(void)state;
	for (int i = 0; i < 8; i++) {
		struct link *l = link_new();
		int p = i & 1 ? POLICY_TRAINING : POLICY_DOCUMENTATION;
		bool soon = i < 4, doubtful = (i & 2) == 0;
		struct policy_block *b = l->w->policy.rule.purpose;
		struct recorder_figures f;
		struct call *c;

		l->w->policy.queues = true;
		b[POLICY_DOCUMENTATION].basis = POLICY_B_CONSENT;
		b[POLICY_TRAINING].basis = POLICY_B_CONSENT;
		b[POLICY_TRAINING].retention = b[POLICY_DOCUMENTATION].retention;
		fake_second(&l->w->policy);
		l->w->policy.second.controller = &l->w->policy.controller;
		l->w->policy.second.purpose[POLICY_DOCUMENTATION].basis = POLICY_B_INTEREST;
		l->w->policy.second.purpose[POLICY_TRAINING].basis = POLICY_B_NONE;
		recorder_set_policy(l->rec, &l->w->policy);
		l->w->called = "500";
		queue_header = "X-Queue: 1\r\n";
		establish(l, NULL);
		queue_header = NULL;
		for (int n = 0; n < 150; n++)
			both(l, 0x22);
		c = calls_by_id(recorder_calls(l->rec), "c1", 2);
		call_key(recorder_calls(l->rec), c, OPTAG_LEG_CALLER, p == POLICY_TRAINING ? '1' : '2', CALL_BY_INFO, true, l->w->now);
		for (int n = 0; n < (doubtful ? 40 : 120); n++)
			both(l, 0x33);
		assert_int_equal(c->state[p], PURPOSE_GRANTED);
		sip(l, &(struct fake_msg){ .method = "UPDATE", .id = "c1", .from_tag = "b", .to_tag = "a", .by_callee = true, .cseq = 2,
					   .extra = "X-Queue: 2\r\n" });
		assert_ptr_equal(c->rule, &l->w->policy.second);
		assert_int_equal(l->st.ended, 0);
		for (int n = 0; n < (soon ? 4 : 120); n++)
			both(l, 0x44);
		assert_int_equal(l->st.denied, 0);
		call_key(recorder_calls(l->rec), c, OPTAG_LEG_CALLER, '4', CALL_BY_INFO, true, l->w->now);
		assert_int_equal(l->st.denied, soon && doubtful); /* at once */
		bye(l);
		l->w->now += SEC;
		rtp(l, 1, 4000, 8, 0x66, 160);
		f = finish(l);
		assert_int_equal(f.kept, soon && doubtful ? 1 : 2);
		link_free(l);
	}
}

/* Transferred to where nothing may be recorded: who says no there says it of what was recorded before. */
static void test_said_of_nobody(void **state)
{
	struct link *l = link_new();
	struct policy_block *b = &l->w->policy.rule.purpose[POLICY_TRAINING];
	struct recorder_said by = { .who = "agent" };
	struct recorder_figures f;
	struct call *c;

	(void)state;
	l->w->policy.queues = true;
	recorder_set_policy(l->rec, &l->w->policy);
	l->w->called = "500";
	b->basis = POLICY_B_INTEREST;
	b->retention = (struct policy_span){ 3, POLICY_U_MONTHS };
	queue_header = "X-Queue: 1\r\n";
	establish(l, NULL);
	queue_header = NULL;
	for (int n = 0; n < 300; n++)
		both(l, 0x22);
	sip(l, &(struct fake_msg){ .method = "UPDATE", .id = "c1", .from_tag = "b", .to_tag = "a", .by_callee = true, .cseq = 2,
				   .extra = "X-Queue: 3\r\n" });
	assert_false(calls_by_id(recorder_calls(l->rec), "c1", 2)->matched);
	assert_int_equal(l->st.ended, 0);
	c = calls_by_id(recorder_calls(l->rec), "c1", 2);
	by.now_ns = l->w->now;
	assert_int_equal(recorder_command(l->rec, c, CALL_C_PAUSE, POLICY_TRAINING, &by), -ENOENT);
	assert_int_equal(recorder_command(l->rec, c, CALL_C_OPT_OUT, POLICY_TRAINING, &by), 0);
	assert_int_equal(l->st.dropped, 1);
	/* and of documentation he may say so there, too */
	assert_int_equal(recorder_command(l->rec, c, CALL_C_WITHDRAW, POLICY_DOCUMENTATION, &by), -ENOENT);
	assert_int_equal(l->st.ended, 0);
	assert_int_equal(recorder_command(l->rec, c, CALL_C_OBJECT, POLICY_DOCUMENTATION, &by), 0);
	assert_int_equal(l->st.ended, 1);
	assert_int_equal(l->st.last.state[POLICY_TRAINING], STORE_S_OPTED_OUT);
	assert_int_equal(l->st.last.state[POLICY_DOCUMENTATION], STORE_S_OBJECTED);
	bye(l);
	f = finish(l);
	assert_int_equal(f.kept, 1);
	link_free(l);
}

/* Who objects after a transfer objects to all of the conversation: the first part is restricted, too, and is not taken (N-27). */
static void test_parked_objection(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		struct link *l = link_new();
		struct recorder_said by = { .who = "agent" };
		struct recorder_figures f;
		struct call *c;

		establish(l, NULL);
		for (int n = 0; n < 300; n++)
			both(l, 0x22);
		c = transfer(l);
		assert_int_equal(l->st.ended, 0);
		by.now_ns = l->w->now;
		if (i)
			assert_int_equal(recorder_command(l->rec, c, i == 1 ? CALL_C_OBJECT : CALL_C_OBJECT_GROUNDS, POLICY_DOCUMENTATION, &by), 0);
		assert_int_equal(l->st.ended, i ? 1 : 0); /* nothing more can be said of it */
		if (i)
			assert_int_equal(l->st.noted_state[POLICY_DOCUMENTATION], STORE_S_OBJECTED);
		f = finish(l);
		assert_int_equal(l->st.last.state[POLICY_DOCUMENTATION], i ? STORE_S_OBJECTED : STORE_S_GRANTED);
		assert_int_equal(f.kept, 2);
		link_free(l);
	}
}

/* A later policy without a rule: what was recorded stays, not a packet more is. */
static void test_tightened(void **state)
{
	struct link *l = link_new();
	struct calls_tightened sum;
	struct recorder_figures f;
	int i;

	(void)state;
	establish(l, NULL);
	for (i = 0; i < 300; i++)
		both(l, 0x22);
	assert_int_equal(tighten(l, &l->w->policy).changed, 0);
	both(l, 0x33);
	assert_int_equal(recorder_pinned(l->rec, &l->w->policy), 1);
	sum = tighten(l, NULL);
	assert_int_equal(sum.seen, 1);
	assert_int_equal(sum.denied, 1);
	assert_int_equal(tighten(l, NULL).changed, 0); /* only once */
	for (i = 0; i < 300; i++)
		both(l, 0x44);
	/* the rule comes back: not for this call */
	assert_int_equal(tighten(l, &l->w->policy).changed, 0);
	both(l, 0x55);
	bye(l);
	l->w->now += SEC;
	both(l, 0x66);
	assert_int_equal(recorder_pinned(l->rec, &l->w->policy), 0);
	f = finish(l);
	assert_int_equal(f.kept, 1);
	assert_string_equal(l->st.last.reason[0], "policy.tightened");
	assert_int_equal(l->st.last.leg[0].packets, 301);
	assert_true(holds(&l->st, 0x33));
	assert_false(holds(&l->st, 0x44));
	assert_false(holds(&l->st, 0x55));
	link_free(l);
}

/* Before the answer nothing was recorded, so there is nothing to keep; after it but without a packet neither. */
static void test_tightened_early(void **state)
{
	struct link *l = link_new();
	struct recorder_figures f;
	char a[2048];

	(void)state;
	fake_sdp(a, sizeof(a), 1, 1, CALLER_PORT, NULL);
	sip(l, &(struct fake_msg){ .method = "INVITE", .id = "c1", .from_tag = "a", .to_tag = "", .cseq = 1, .sdp = a });
	assert_int_equal(tighten(l, NULL).denied, 1);
	fake_sdp(a, sizeof(a), 2, 2, CALLEE_PORT, NULL);
	sip(l, &(struct fake_msg){ .method = "INVITE", .status = 200, .id = "c1", .from_tag = "a", .to_tag = "b", .cseq = 1,
				   .sdp = a });
	both(l, 0x22);
	bye(l);
	f = finish(l);
	assert_int_equal(f.denied, 1);
	assert_int_equal(l->st.begun, 0);
	assert_string_equal(l->st.last.reason[0], "policy.tightened");
	link_free(l);

	l = link_new();
	establish(l, NULL);
	assert_int_equal(tighten(l, NULL).denied, 1);
	l->w->now += 60 * SEC;
	bye(l);
	f = finish(l);
	assert_int_equal(f.denied, 1);
	assert_string_equal(l->st.last.reason[0], "policy.tightened");
	link_free(l);
}

static void test_shorter(void **state)
{
	struct link *l = link_new();
	struct policy later = l->w->policy;
	struct recorder_figures f;
	int i;

	(void)state;
	later.rule.purpose[POLICY_DOCUMENTATION].retention = (struct policy_span){ 10, POLICY_U_DAYS };
	establish(l, NULL);
	for (i = 0; i < 300; i++)
		both(l, 0x22);
	assert_int_equal(tighten(l, &later).changed, 1);
	assert_int_equal(l->st.shortened, 1);
	assert_in_range(l->st.until, l->w->now + 9 * 86400 * SEC, l->w->now + 11 * 86400 * SEC);
	/* longer again, and shorter than the call's own: the nearest stays */
	later.rule.purpose[POLICY_DOCUMENTATION].retention = (struct policy_span){ 20, POLICY_U_DAYS };
	assert_int_equal(tighten(l, &later).changed, 0);
	later.rule.purpose[POLICY_DOCUMENTATION].retention = (struct policy_span){ 3, POLICY_U_YEARS };
	assert_int_equal(tighten(l, &later).changed, 0);
	bye(l);
	f = finish(l);
	assert_int_equal(f.kept, 1);
	link_free(l);

	/* its new day is over already: nothing is kept */
	l = link_new();
	later = l->w->policy;
	later.rule.purpose[POLICY_DOCUMENTATION].retention = (struct policy_span){ 1, POLICY_U_DAYS };
	l->st.shorten_error = -ESHUTDOWN;
	establish(l, NULL);
	for (i = 0; i < 300; i++)
		both(l, 0x22);
	assert_int_equal(tighten(l, &later).changed, 1);
	both(l, 0x33);
	bye(l);
	f = finish(l);
	assert_int_equal(f.denied, 1);
	assert_string_equal(l->st.last.reason[0], "deadline");
	link_free(l);
}

/* ---- X-4 behind the last packet, and between two streams ---- */

struct tail {
	const char *what;
	unsigned pt; /* 8 PCMA, 13 comfort noise, 18 G.729; 101 event */
	unsigned ms; /* from the last packet to what comes then: */
	char then;   /* 'b' BYE, 's' another stream, 'r' the same with other numbers, 'g' it goes on, 'h' hold and its end, then BYE,
		      * 'e' capture ends, the other one goes on, 'E' both are silent */
	bool denied;
	int len; /* of the last payload; 0 as is usual */
};

static void voice(struct link *l, unsigned host, uint32_t ssrc, uint16_t seq, uint32_t ts, bool marker, uint8_t pt, int len)
{
	uint8_t b[400] = { 0x80, (uint8_t)(pt | (marker ? 0x80 : 0)), (uint8_t)(seq >> 8), (uint8_t)seq };
	uint32_t t = htonl(ts), s = htonl(ssrc);

	memcpy(b + 4, &t, 4);
	memcpy(b + 8, &s, 4);
	memset(b + 12, 0x55, (size_t)len);
	udp(l, 0x0a000000 | (3 - host), 6000, 0x0a000000 | host, host == 2 ? CALLEE_PORT : CALLER_PORT, b, 12 + (size_t)len);
}

static void hold_for(struct link *l, uint64_t ns)
{
	char sdp[700];

	for (int on = 1; on >= 0; on--) {
		fake_sdp(sdp, sizeof(sdp), 1, 1, CALLER_PORT, on ? "a=sendonly\r\n" : "");
		sip(l, &(struct fake_msg){ .method = "INVITE", .id = "c1", .from_tag = "a", .to_tag = "b", .cseq = 3u - (unsigned)on, .sdp = sdp });
		fake_sdp(sdp, sizeof(sdp), 2, 2, CALLEE_PORT, on ? "a=recvonly\r\n" : "");
		sip(l, &(struct fake_msg){ .method = "INVITE", .status = 200, .id = "c1", .from_tag = "a", .to_tag = "b", .cseq = 3u - (unsigned)on,
					   .sdp = sdp });
		l->w->now += on ? ns : 0;
	}
}

/* Packets of both until now; the last of the caller's is of the kind in t. */
static void talk(struct link *l, const struct tail *t, bool pauses)
{
	static const int usual[128] = { [8] = 160, [13] = 1, [18] = 20, [101] = 4 };
	uint32_t ts = 0;

	for (uint16_t i = 0; i < 200; i++, ts += 160) {
		bool last = i == 199, jump = pauses && i == 150;

		l->w->now += 20 * MS;
		ts += jump ? 8000 : 0;
		voice(l, 2, 7, i, ts, jump, last ? (uint8_t)t->pt : 8, last ? (t->len ? t->len : usual[t->pt]) : 160);
		voice(l, 1, 9, i, ts, false, 8, 160);
	}
}

static void then(struct link *l, const struct tail *t)
{
	for (unsigned ms = 0; ms < t->ms; ms += 20) {
		l->w->now += 20 * MS;
		if (t->then != 'E')
			voice(l, 1, 9, (uint16_t)(200 + ms / 20), (200 + ms / 20) * 160, false, 8, 160);
	}
	switch (t->then) {
	case 'h':
		hold_for(l, 5 * SEC);
		break;
	case 'g':
	case 'r':
	case 's':
		for (uint16_t i = 0; i < 50; i++) {
			voice(l, 2, t->then == 's' ? 8 : 7, t->then == 'r' ? 30000 + i : (uint16_t)(200 + i), 90000u + i * 160u, false, 8, 160);
			l->w->now += 20 * MS;
		}
		break;
	default:
		break;
	}
	if (t->then != 'e' && t->then != 'E')
		sip(l, &(struct fake_msg){ .method = "BYE", .id = "c1", .from_tag = "a", .to_tag = "b", .cseq = t->then == 'h' ? 4 : 2 });
}

static void test_tails(void **state)
{
	static const struct tail t[] = {
		{ "at once", 8, 20, 'b', false, 0 },
		{ "a telephone that hangs up", 8, 180, 'b', false, 0 },
		{ "lost", 8, 240, 'b', true, 0 },
		{ "lost for long", 8, 8000, 'b', true, 0 },
		{ "comfort noise", 13, 8000, 'b', false, 0 },
		{ "silence of a codec", 18, 8000, 'b', false, 2 },
		{ "speech and silence of a codec", 18, 8000, 'b', false, 22 },
		{ "speech of a codec", 18, 8000, 'b', true, 20 },
		{ "after a key press", 101, 8000, 'b', true, 0 },
		{ "another stream", 8, 100, 's', false, 0 },
		{ "another stream late", 8, 300, 's', true, 0 },
		{ "another stream after noise", 13, 300, 's', false, 0 },
		{ "it goes on with its numbers", 8, 3000, 'g', false, 0 },
		{ "other numbers", 8, 300, 'r', true, 0 },
		{ "hold", 8, 100, 'h', false, 0 },
		{ "lost before hold", 8, 400, 'h', true, 0 },
		{ "no end, and the agent goes on", 8, 400, 'e', true, 0 },
		{ "no end, all is silent", 8, 5000, 'E', true, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]) * 4; i++) {
		const struct tail *k = &t[i / 4];
		bool pauses = i & 1, keep = i & 2; /* a sender that leaves silence out; a rule that does not mind */
		bool no_end = k->then == 'e' || k->then == 'E'; /* what was said then nobody saw, whatever the sender leaves out */
		bool denied = k->denied && (!pauses || no_end) && !keep;
		struct link *l = link_with(true, 1024);

		l->w->policy.rule.purpose[POLICY_TRAINING].basis = POLICY_B_INTEREST;
		l->w->policy.rule.purpose[POLICY_TRAINING].retention = (struct policy_span){ 3, POLICY_U_MONTHS };
		l->w->policy.rule.purpose[POLICY_TRAINING].on_loss = keep;
		/* the agent, whose voice is not looked at here, has none */
		memset(l->w->policy.rule.purpose[POLICY_TRAINING].optout_agent_key, 0, sizeof(l->w->policy.rule.purpose[POLICY_TRAINING].optout_agent_key));
		l->w->policy.rule.notice_timeout_s = 60;
		establish(l, "a=rtpmap:13 CN/8000\r\na=rtpmap:18 G729/8000\r\n");
		talk(l, k, pauses);
		then(l, k);
		l->w->now += 2 * SEC;
		(void)finish(l);
		if (told[EVLOG_OPTOUT_UNCERTAIN] != denied)
			fail_msg("%s (%zu): %u", k->what, i % 4, told[EVLOG_OPTOUT_UNCERTAIN]);
		link_free(l);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tails),
		cmocka_unit_test(test_parked),
		cmocka_unit_test(test_parked_consent),
		cmocka_unit_test(test_parked_number),
		cmocka_unit_test(test_said_of_nobody),
		cmocka_unit_test(test_parked_objection),
		cmocka_unit_test(test_tightened),
		cmocka_unit_test(test_tightened_early),
		cmocka_unit_test(test_shorter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
