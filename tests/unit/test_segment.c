/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What becomes known after the INVITE, and transfers within a call (guidance X-6, policy-language 2), by policies of the real
 * language: when a call begins to be recorded, under which rule it goes on, what of its permissions is left.
 */
#include "segment_talk.h"

/* No rule until the header is there; then from that moment, at the addresses of before. */
static void test_header_comes_later(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++) {
		struct world w;
		struct call *c;

		begin(&w, NUMBER);
		c = establish(&w, "");
		assert_false(c->matched);
		assert_true(c->late && c->nep);
		assert_int_equal(w.verdict[0] + w.verdict[1], 0);
		later(&w, 10);
		if (i == 3)
			reborn(&w);
		if (i == 0)
			own(&w, "UPDATE", 2, "X-Queue: a\r\nX-Agent: anna\r\n", 0xff);
		else if (i == 1)
			own(&w, "INVITE", 2, "X-Queue: a\r\n", 8);
		else
			own(&w, "INFO", 2, "X-Queue: a\r\n", 0xff);
		c = call_of(&w);
		assert_true(c->matched && !c->late);
		assert_string_equal(c->rule->name, "a");
		assert_int_equal(c->start_ns, i == 1 ? w.now - 10 * MS : w.now); /* before its answer */
		assert_int_equal(c->answer_ns, c->start_ns);
		assert_int_equal(w.verdict[0], OPTAG_V_RECORD);
		assert_int_equal(w.verdict[1], OPTAG_V_RECORD);
		assert_string_equal(c->agent, i ? "" : "anna");
		assert_int_equal(c->peers->relation, CALL_R_NONE);
		finish(&w);
	}
}

/* The called party's answers speak as its requests do: while it rings, when it is answered, and to what the caller asks later. */
static void test_header_in_an_answer(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++) {
		struct world w;
		struct call *c;

		begin(&w, NUMBER);
		ask(&w, "INVITE", "", 1, "", 8);
		if (i == 0)
			send_msg(&w, "SIP/2.0 180 Ringing", true, "b", 1, "INVITE", "X-Queue: a\r\n", 0xff);
		say(&w, 1, i == 1 ? "X-Queue: a\r\n" : "", 8);
		ask(&w, "ACK", "b", 1, "", 0xff);
		if (i >= 2) {
			ask(&w, "UPDATE", "b", 2, "", 0xff);
			send_msg(&w, i == 2 ? "SIP/2.0 200 OK" : "SIP/2.0 488 X", true, "b", 2, "UPDATE", "X-Queue: a\r\n", 0xff);
		}
		c = call_of(&w);
		assert_int_equal(c->matched, i < 3); /* a refusal changes nothing */
		if (i < 3)
			assert_string_equal(c->rule->name, "a");
		finish(&w);
	}
}

/* A call that no header can make ours keeps nothing. */
static void test_nothing_to_wait_for(void **state)
{
	struct world w;
	struct call *c;

	(void)state;
	begin(&w, "+4588888888");
	c = establish(&w, "");
	assert_false(c->matched || c->late || c->nep || c->facts);
	own(&w, "UPDATE", 2, "X-Queue: a\r\n", 0xff);
	assert_false(call_of(&w)->matched);
	finish(&w);
	begin(&w, NUMBER);
	c = establish(&w, "X-Queue: zz\r\n"); /* another queue: it may be transferred to ours */
	assert_false(c->matched);
	own(&w, "UPDATE", 2, "X-Queue: a\r\n", 0xff);
	assert_true(call_of(&w)->matched);
	finish(&w);
}

static void transfer(struct world *w, const char *from, const char *to, char key, double when)
{
	char h[64];

	begin(w, NUMBER);
	snprintf(h, sizeof(h), "X-Queue: %s\r\nX-Agent: anna\r\n", from);
	establish(w, h);
	later(w, when);
	if (key)
		press(w, key);
	later(w, 90);
	snprintf(h, sizeof(h), "X-Queue: %s\r\nX-Agent: bo\r\n", to);
	own(w, "INVITE", 2, h, 8);
}

static void test_transfer(void **state)
{
	struct world w;
	struct call *c;
	struct uid first;

	(void)state;
	transfer(&w, "a", "b", 0, 5);
	c = call_of(&w);
	assert_int_equal(w.ended, 1);
	assert_string_equal(w.end, "transfer");
	assert_string_equal(w.rule, "a");
	assert_int_equal(w.state[TRAIN], PURPOSE_GRANTED);
	assert_string_equal(c->rule->name, "b");
	assert_string_equal(c->agent, "bo");
	assert_int_equal(c->peers->relation, CALL_R_TRANSFER);
	assert_true(uid_equal(&c->peers->other, &w.uid));
	assert_false(uid_equal(&c->uid, &w.uid));
	assert_int_equal(c->state[DOC], PURPOSE_GRANTED);
	/* max-length is each recording's own */
	assert_int_equal(c->answer_ns, c->start_ns);
	assert_int_equal(c->overlong_ns, c->start_ns + 4 * 3600 * SEC);
	/* the same announcement was heard, its window is over: nobody opted out */
	assert_int_equal(c->state[TRAIN], PURPOSE_GRANTED);
	assert_int_equal(w.draws, 2);
	/* and back, under another process */
	first = c->uid;
	reborn(&w);
	own(&w, "UPDATE", 3, "X-Queue: a\r\n", 0xff);
	c = call_of(&w);
	assert_int_equal(w.ended, 2);
	assert_true(uid_equal(&c->peers->other, &first) && !uid_equal(&c->uid, &first));
	/* who knows it by one of its parts finds it by that */
	assert_ptr_equal(calls_by_uid(w.cs, &first), c);
	assert_ptr_equal(calls_by_uid(w.cs, &w.first), c);
	assert_ptr_equal(calls_by_uid(w.cs, &c->uid), c);
	first.b[15] ^= 1;
	assert_null(calls_by_uid(w.cs, &first));
	finish(&w);
}

static void test_what_travels(void **state)
{
	static const struct {
		const char *from, *to;
		char key;
		double when;
		enum purpose_state was, is;
	} t[] = {
		{ "a", "b", '9', 5, PURPOSE_OPTED_OUT, PURPOSE_OPTED_OUT },
		{ "a", "c1", '9', 5, PURPOSE_OPTED_OUT, PURPOSE_DENIED },
		{ "a", "k", '9', 5, PURPOSE_OPTED_OUT, PURPOSE_DENIED }, /* another controller: his wish all the same */
		{ "c1", "c1", '1', 5, PURPOSE_GRANTED, PURPOSE_GRANTED }, /* another agent of the same rule */
		{ "c1", "c2", '1', 5, PURPOSE_GRANTED, PURPOSE_PENDING },
		{ "c1", "k", '1', 5, PURPOSE_GRANTED, PURPOSE_PENDING },
		{ "c1", "c1", '0', 5, PURPOSE_DENIED, PURPOSE_PENDING },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct world w;
		struct call *c;

		transfer(&w, t[i].from, t[i].to, t[i].key, t[i].when);
		c = call_of(&w);
		assert_int_equal(w.state[TRAIN], t[i].was);
		assert_string_equal(c->rule->name, t[i].to);
		if (i == 6) { /* silence was about that recording: its notice is over, and so is its window */
			assert_int_not_equal(c->state[TRAIN], PURPOSE_GRANTED);
		} else {
			assert_int_equal(c->state[TRAIN], t[i].is);
		}
		/* asked again, and not answered */
		later(&w, 100);
		assert_int_equal(c->state[TRAIN] == PURPOSE_GRANTED, t[i].is == PURPOSE_GRANTED);
		finish(&w);
	}
}

static const char *only_first_out(void *arg, struct call *c)
{
	(void)c;
	return ((struct world *)arg)->draws++ ? NULL : "sample.out";
}

static uint32_t hole_once(void *arg, struct call *c, unsigned leg)
{
	(void)c;
	(void)leg;
	return ((struct world *)arg)->holes++ ? 0 : 200;
}

/* Said, or perhaps said, in a part that was not in the sample: it holds for the next one. And that key is listened to. */
static void test_no_in_a_part_that_is_out(void **state)
{
	(void)state;
	for (int how = 0; how < 3; how++) { /* nothing, the key, packets that were lost in the classifier */
		struct world w;
		struct call *c;

		begin(&w, "+4570102011");
		w.cs->sink.draw = only_first_out;
		if (how == 2)
			w.cs->sink.hole = hole_once;
		c = establish(&w, "X-Queue: a\r\n");
		assert_int_equal(c->state[TRAIN], PURPOSE_DENIED);
		assert_true(call_listens(c, SUBJECT));
		later(&w, 5);
		if (how == 1) {
			call_key(w.cs, c, SUBJECT, '9', CALL_BY_RFC4733, true, w.now);
			assert_false(call_listens(c, SUBJECT));
		}
		own(&w, "UPDATE", 3, "X-Queue: b\r\n", 0xff);
		c = call_of(&w);
		assert_string_equal(c->rule->name, "b");
		later(&w, 100);
		assert_int_equal(c->state[TRAIN], how == 0 ? PURPOSE_GRANTED : how == 1 ? PURPOSE_OPTED_OUT : PURPOSE_DENIED);
		finish(&w);
	}
}

/* To a queue that nobody may record, and back. */
static void test_out_and_in(void **state)
{
	struct world w;
	struct call *c;

	(void)state;
	transfer(&w, "a", "zz", 0, 5);
	c = call_of(&w);
	assert_int_equal(w.ended, 1);
	assert_true(!c->matched && c->late && !*c->called && !*c->calling);
	assert_int_equal(w.verdict[0] + w.verdict[1], 0);
	reborn(&w);
	later(&w, 20);
	own(&w, "UPDATE", 4, "X-Queue: b\r\n", 0xff);
	c = call_of(&w);
	assert_true(c->matched);
	assert_string_equal(c->rule->name, "b");
	assert_int_equal(c->start_ns, w.now);
	assert_int_equal(w.verdict[0], OPTAG_V_RECORD);
	finish(&w);
}

/* An opt-out outlives a time that nobody recorded. */
static void test_opt_out_through(void **state)
{
	struct world w;

	(void)state;
	transfer(&w, "a", "zz", '9', 5);
	own(&w, "UPDATE", 4, "X-Queue: b\r\n", 0xff);
	assert_string_equal(call_of(&w)->rule->name, "b");
	assert_int_equal(call_of(&w)->state[TRAIN], PURPOSE_OPTED_OUT);
	finish(&w);
}

/* What was not known is filled in; what another hop of the first INVITE says is no transfer. */
static void test_filled_in(void **state)
{
	struct world w;
	struct call *c;

	(void)state;
	begin(&w, NUMBER);
	ask(&w, "INVITE", "", 1, "X-Queue: a\r\n", 8);
	ask(&w, "INVITE", "", 1, "X-Queue: b\r\nX-Agent: bo\r\n", 8);
	c = call_of(&w);
	assert_string_equal(c->rule->name, "a");
	assert_string_equal(c->agent, "bo");
	say(&w, 1, "X-Queue: a\r\nX-Agent: bo\r\n", 8);
	assert_int_equal(w.ended, 0);
	own(&w, "UPDATE", 2, "X-Queue:  a\r\n", 0xff);
	assert_int_equal(w.ended, 0);
	finish(&w);
}

static void test_media(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct world w;
		struct call *c;

		begin(&w, "+4570102099");
		ask(&w, "INVITE", "", 1, "", 8);
		assert_true(call_of(&w)->late);
		say(&w, 1, "", i ? 0 : 8);
		c = call_of(&w);
		assert_int_equal(c->matched, !i);
		assert_int_equal(w.verdict[0], i ? 0 : OPTAG_V_RECORD);
		finish(&w);
	}
}

static void test_tag(void **state)
{
	struct world w;
	struct call *c;

	(void)state;
	begin(&w, "+4570102088");
	c = establish(&w, "");
	assert_true(c->late);
	assert_int_equal(call_tag(w.cs, c, "other", w.now), 0);
	assert_false(c->matched);
	reborn(&w);
	c = call_of(&w);
	later(&w, 5);
	assert_int_equal(call_tag(w.cs, c, "vip", w.now), 0);
	assert_true(c->matched);
	assert_int_equal(c->start_ns, w.now);
	assert_int_equal(call_tag(w.cs, c, "", w.now), -EINVAL);
	assert_int_equal(call_tag(w.cs, c, "a tag that is longer than any tag may be", w.now), -EINVAL);
	for (int i = 2; i < CALL_TAGS_MAX; i++)
		assert_int_equal(call_tag(w.cs, c, (char[]){ (char)('a' + i), 0 }, w.now), 0);
	assert_int_equal(call_tag(w.cs, c, "more", w.now), -ENOSPC);
	finish(&w);
}

/* What makes a call match later is no reason to lose its training. */
static void test_training_of_a_tag(void **state)
{
	struct world w;
	struct call *c;

	(void)state;
	begin(&w, "+4570102077");
	c = establish(&w, "");
	assert_int_equal(call_tag(w.cs, c, "vip", w.now), 0);
	assert_true(c->matched);
	assert_string_equal(c->reason[TRAIN], "");
	later(&w, 90);
	assert_int_equal(c->state[TRAIN], PURPOSE_GRANTED);
	finish(&w);
}

static const char *stopped_rule;

static bool on_stopped(void *arg, const struct policy_rule *r)
{
	(void)arg;
	return stopped_rule && strcmp(r->name, stopped_rule) == 0;
}

/* Somebody stopped the rule: nobody gets there by a transfer, a header or a tag either. */
static void test_stopped(void **state)
{
	struct world w;
	struct call *c;

	(void)state;
	for (int late = 0; late < 2; late++) {
		begin(&w, NUMBER);
		w.cs->sink.stopped = on_stopped;
		stopped_rule = "b";
		establish(&w, late ? "" : "X-Queue: a\r\n");
		later(&w, 5);
		own(&w, "UPDATE", 2, "X-Queue: b\r\n", 0xff);
		c = call_of(&w);
		assert_false(c->matched);
		assert_int_equal(w.verdict[0] + w.verdict[1], 0);
		/* and on to one that is not stopped */
		own(&w, "UPDATE", 3, "X-Queue: a\r\n", 0xff);
		c = call_of(&w);
		assert_true(c->matched);
		finish(&w);
	}
	stopped_rule = NULL;
}

/* A telephone system in a loop gets no row with every message, and loses no more than that needs. */
static void test_endless(void **state)
{
	struct world w;
	struct calls_stats st;
	struct call *c;

	(void)state;
	for (int restart = 0; restart < 2; restart++) {
		begin(&w, NUMBER);
		establish(&w, "X-Queue: a\r\n");
		for (unsigned i = 0; i < 200; i++)
			own(&w, "UPDATE", 2 + i, i % 2 ? "X-Queue: a\r\n" : "X-Queue: b\r\n", 0xff);
		calls_get_stats(w.cs, &st);
		assert_int_equal(w.ended, CALL_SEGMENTS_MAX + 1);
		assert_int_equal(st.transfer_limit, 200 - CALL_SEGMENTS_MAX);
		assert_string_equal(w.gap, "transfer.limit");
		/* it waits, at its addresses, as what it is now */
		c = call_of(&w);
		assert_true(!c->matched && c->late && c->nep && c->again_ns);
		assert_int_equal(w.verdict[0] + w.verdict[1], 0);
		if (restart)
			reborn(&w);
		later(&w, 9);
		c = call_of(&w);
		assert_true(c->matched && !c->again_ns);
		assert_string_equal(c->rule->name, "a");
		assert_int_equal(w.verdict[0], OPTAG_V_RECORD);
		assert_int_equal(c->state[DOC], PURPOSE_GRANTED);
		finish(&w);
	}
	/* one transfer a quarter of a minute is no loop, however many there are */
	begin(&w, NUMBER);
	establish(&w, "X-Queue: a\r\n");
	for (unsigned i = 0; i < 200; i++) {
		later(&w, 15);
		own(&w, "UPDATE", 2 + i, i % 2 ? "X-Queue: a\r\n" : "X-Queue: b\r\n", 0xff);
		assert_string_equal(call_of(&w)->rule->name, i % 2 ? "a" : "b");
	}
	assert_int_equal(w.ended, 200);
	assert_ptr_equal(calls_by_uid(w.cs, &w.first), call_of(&w));
	for (unsigned i = 0; i < 100; i++) {
		later(&w, 15);
		own(&w, "UPDATE", 202 + i, i % 2 ? "X-Queue: a\r\n" : "X-Queue: b\r\n", 0xff);
	}
	reborn(&w);
	assert_int_equal(call_of(&w)->nearlier, CALL_UIDS_MAX);
	assert_ptr_equal(calls_by_uid(w.cs, &w.uid), call_of(&w));
	assert_null(calls_by_uid(w.cs, &w.first));
	finish(&w);
}

/* A call that is over while it waits, or whose way back comes first. */
static void test_endless_ends(void **state)
{
	struct world w;

	(void)state;
	for (int how = 0; how < 2; how++) {
		begin(&w, NUMBER);
		establish(&w, "X-Queue: a\r\n");
		for (unsigned i = 0; i < 40; i++)
			own(&w, "UPDATE", 2 + i, i % 2 ? "X-Queue: a\r\n" : "X-Queue: b\r\n", 0xff);
		assert_true(call_of(&w)->again_ns);
		if (how == 0)
			ask(&w, "BYE", "b", 2, "", 0xff);
		else /* to where nobody records */
			own(&w, "UPDATE", 60, "X-Queue: zz\r\n", 0xff);
		later(&w, 20);
		assert_false(call_of(&w)->matched);
		finish(&w);
	}
}

/* Under one rule the recording goes on as one: its documentation says so, and it is not for training. */
static void test_undivided(void **state)
{
	struct world w;
	struct call *c;
	char h[64];

	(void)state;
	begin(&w, NUMBER);
	establish(&w, "X-Queue: a\r\nX-Agent: 0\r\n");
	later(&w, 90);
	for (unsigned i = 1; i <= 40; i++) {
		snprintf(h, sizeof(h), "X-Agent: %u\r\n", i);
		own(&w, "UPDATE", 2 + i, h, 0xff);
	}
	c = call_of(&w);
	assert_int_equal(w.ended, CALL_SEGMENTS_MAX);
	assert_true(c->matched);
	assert_int_equal(c->state[DOC], PURPOSE_GRANTED);
	assert_string_equal(c->reason[DOC], "transfer.limit");
	assert_int_equal(c->state[TRAIN], PURPOSE_DENIED);
	assert_string_equal(c->reason[TRAIN], "transfer.limit");
	assert_int_equal(w.verdict[0], OPTAG_V_RECORD);
	/* the next one that may is a recording of its own again, for training, too */
	later(&w, 11);
	own(&w, "UPDATE", 60, "X-Agent: anna\r\n", 0xff);
	c = call_of(&w);
	assert_int_equal(w.ended, CALL_SEGMENTS_MAX + 1);
	assert_string_equal(c->agent, "anna");
	assert_string_equal(c->reason[DOC], "");
	assert_int_not_equal(c->state[TRAIN], PURPOSE_DENIED);
	finish(&w);
}

/* Who calls in neither transfers nor names an agent, by whatever message (RX-1). */
static void test_outside(void **state)
{
	static const char *const method[] = { "UPDATE", "INVITE", "INFO" };

	(void)state;
	for (int late = 0; late < 2; late++)
		for (int i = 0; i < 5; i++) {
			struct world w;
			struct call *c;

			begin(&w, NUMBER);
			establish(&w, late ? "" : "X-Queue: a\r\n");
			later(&w, 5);
			if (i < 3) {
				ask(&w, method[i], "b", 2, "X-Queue: b\r\nX-Agent: bo\r\n", 0xff);
			} else if (i == 4) { /* whoever knows the Call-ID and no tag of the dialog: from the called party's side, it seems */
				asked_back = true;
				send_msg(&w, "UPDATE sip:x@h SIP/2.0", true, "zz", 2, "UPDATE", "X-Queue: b\r\nX-Agent: bo\r\n", 0xff);
				asked_back = false;
			} else { /* his answer to a re-INVITE */
				asked_back = true;
				send_msg(&w, "INVITE sip:x@h SIP/2.0", true, "b", 2, "INVITE", "", 8);
				send_msg(&w, "SIP/2.0 200 OK", false, "b", 2, "INVITE", "X-Queue: b\r\nX-Agent: bo\r\n", 8);
				asked_back = false;
			}
			c = call_of(&w);
			assert_int_equal(w.ended, 0);
			assert_int_equal(c->matched, !late);
			assert_string_equal(c->agent, "");
			/* and what he said is not remembered for when the other side speaks */
			own(&w, "UPDATE", 3, late ? "X-Queue: a\r\n" : "X-Queue: a\r\nX-Other: 1\r\n", 0xff);
			c = call_of(&w);
			assert_true(c->matched);
			assert_string_equal(c->rule->name, "a");
			assert_string_equal(c->agent, "");
			assert_int_equal(w.ended, 0);
			/* the controller's own trunk, on whichever side of a dialog */
			sender = 0x0a000009;
			ask(&w, "UPDATE", "b", 9, "X-Queue: b\r\n", 0xff);
			sender = 0;
			assert_string_equal(call_of(&w)->rule->name, "b");
			finish(&w);
		}
}

/* Somebody puts the number on a no-record list while a call under a statute and one by interest go on. */
static void test_listed_meanwhile(void **state)
{
	static const char number[2][16] = { "+4570102066", "+4570102055" };

	(void)state;
	for (int i = 0; i < 4; i++) {
		struct policy_member m = { .number = "+4520000000" };
		struct calls_tightened sum = { 0 };
		struct policy_members *members;
		bool statute = i & 1, before = i & 2;
		struct world w;
		struct call *c;

		begin(&w, number[statute]);
		assert_int_equal(policy_members_new(&members), 0);
		assert_int_equal(policy_bind(w.policy, members), 0);
		if (before)
			assert_int_equal(policy_members_add(members, "wish", &m), 0);
		establish(&w, "");
		c = call_of(&w);
		assert_int_equal(c->matched, statute || !before);
		if (!before) {
			assert_int_equal(c->state[DOC], PURPOSE_GRANTED);
			assert_string_equal(c->reason[DOC], "");
			assert_int_equal(policy_members_add(members, "wish", &m), 0);
			call_tighten(w.cs, c, w.policy, &sum);
			call_tighten(w.cs, c, w.policy, &sum);
			assert_int_equal(sum.changed, 1);
		}
		assert_int_equal(w.verdict[0], statute ? OPTAG_V_RECORD : before ? 0 : OPTAG_V_BLOCK);
		if (statute) {
			assert_int_equal(c->state[DOC], PURPOSE_GRANTED);
			assert_string_equal(c->reason[DOC], "optout.statute");
		}
		calls_finish(w.cs, w.now);
		calls_free(w.cs);
		policy_free(w.policy);
		policy_members_free(members);
	}
}

/* Another hop's copy, a retransmission, what comes late: no transfer, and no transfer back. */
static void test_same_again(void **state)
{
	struct world w;

	(void)state;
	for (int restart = 0; restart < 2; restart++) {
		begin(&w, NUMBER);
		establish(&w, "X-Queue: a\r\n");
		own(&w, "UPDATE", 5, "X-Queue: b\r\n", 0xff);
		own(&w, "UPDATE", 6, "X-Queue: a\r\n", 0xff);
		assert_int_equal(w.ended, 2);
		if (restart)
			reborn(&w);
		for (int i = 0; i < 20; i++) {
			own(&w, "UPDATE", 5, "X-Queue: b\r\n", 0xff);
			own(&w, "UPDATE", 6, "X-Queue: a\r\n", 0xff);
			own(&w, "UPDATE", 6, "X-Queue: c1\r\n", 0xff); /* rewritten on its way */
		}
		assert_int_equal(w.ended, 2);
		/* what another hop adds counts */
		own(&w, "UPDATE", 6, "X-Queue: a\r\nX-Agent: anna\r\n", 0xff);
		assert_string_equal(call_of(&w)->agent, "anna");
		assert_int_equal(w.ended, 2);
		finish(&w);
	}
}

/*
 * Whose numbers these are, from SIP to the policy: asserted before From, the Request-URI before To, contexts of local
 * numbers (RFC 3966), withheld (RFC 3323, 3325).
 */
static void test_identity(void **state)
{
	static const struct {
		const char *ruri, *to, *from, *more, *calling, *called;
	} t[] = {
		{ "sip:+4570102010@h", "<sip:+4570102010@h>", "<sip:+4520000000@h>", "", "+4520000000", "+4570102010" },
		/* P-Asserted-Identity is what the network says, From what the telephone says */
		{ "sip:+4570102010@h", "<sip:+4570102010@h>", "<sip:boss@h>", "P-Asserted-Identity: \"x\" <sip:+4520000001@h>\r\n", "+4520000001",
		  "+4570102010" },
		{ "sip:+4570102010@h", "<sip:+4570102010@h>", "<sip:boss@h>", "P-Asserted-Identity: <tel:+45-2000-0002>, <sip:z@h>\r\n",
		  "+4520000002", "+4570102010" },
		/* whom it went to, not whom somebody dialled */
		{ "sip:+4570102010@h", "<sip:+4599999999@h>", "<sip:+4520000000@h>", "", "+4520000000", "+4570102010" },
		/* a local number with its context, three ways to write it */
		{ "tel:2010;phone-context=+457010", "<sip:x@h>", "<sip:+4520000000@h>", "", "+4520000000", "+4570102010" },
		{ "sip:2010;phone-context=+457010@h;user=phone", "<sip:x@h>", "<sip:+4520000000@h>", "", "+4520000000", "+4570102010" },
		{ "sip:+4570102010@h", "<sip:x@h>", "<tel:0000;phone-context=+452000>", "", "+4520000000", "+4570102010" },
		/* withheld: no number, whatever From says; asserted and withheld as well */
		{ "sip:+4570102010@h", "<sip:x@h>", "<sip:anonymous@anonymous.invalid>", "", "", "+4570102010" },
		{ "sip:+4570102010@h", "<sip:x@h>", "<sip:+4520000000@h>", "Privacy: id\r\n", "", "+4570102010" },
		{ "sip:+4570102010@h", "<sip:x@h>", "<sip:anonymous@anonymous.invalid>",
		  "Privacy: id\r\nP-Asserted-Identity: <sip:+4520000001@h>\r\n", "", "+4570102010" },
		/* anonymous to the telephone, known to the network and not withheld from us */
		{ "sip:+4570102010@h", "<sip:x@h>", "<sip:anonymous@anonymous.invalid>", "P-Asserted-Identity: <sip:+4520000001@h>\r\n",
		  "+4520000001", "+4570102010" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct sigin_from from = { .ts_ns = (uint64_t)TODAY * SEC };
		struct world w;
		struct sip_msg m;
		const char *why;
		char b[1024];
		struct call *c;
		int n;

		begin(&w, NUMBER);
		n = snprintf(b, sizeof(b), "INVITE %s SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: %s;tag=a\r\nTo: %s\r\nCall-ID: x\r\n"
					   "CSeq: 1 INVITE\r\nX-Queue: a\r\n%s\r\n",
			     t[i].ruri, t[i].from, t[i].to, t[i].more);
		ipaddr_v4(0x0a000001, &from.src.addr);
		ipaddr_v4(0x0a000002, &from.dst.addr);
		assert_int_equal(sip_parse(b, (size_t)n, false, &extra, &m, &why), 0);
		calls_message(w.cs, &from, &m);
		c = call_of(&w);
		assert_non_null(c);
		assert_true(c->matched);
		assert_string_equal(c->calling, t[i].calling);
		assert_string_equal(c->called, t[i].called);
		assert_string_equal(c->queue, "a");
		finish(&w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_header_comes_later), cmocka_unit_test(test_header_in_an_answer),
		cmocka_unit_test(test_nothing_to_wait_for),
		cmocka_unit_test(test_transfer),
		cmocka_unit_test(test_what_travels),
		cmocka_unit_test(test_no_in_a_part_that_is_out),
		cmocka_unit_test(test_out_and_in),
		cmocka_unit_test(test_opt_out_through),
		cmocka_unit_test(test_filled_in),
		cmocka_unit_test(test_media),
		cmocka_unit_test(test_tag),
		cmocka_unit_test(test_training_of_a_tag),
		cmocka_unit_test(test_stopped),
		cmocka_unit_test(test_endless),
		cmocka_unit_test(test_endless_ends),
		cmocka_unit_test(test_undivided),
		cmocka_unit_test(test_outside),
		cmocka_unit_test(test_same_again),
		cmocka_unit_test(test_listed_meanwhile),
		cmocka_unit_test(test_identity),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
