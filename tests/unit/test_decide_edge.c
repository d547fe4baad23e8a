/* SPDX-License-Identifier: BSD-2-Clause */
/* test_decide_edge.c - decisions at the edges: a window's first and last instant, what is said late, twice, or through the API alone */
#include "base/buf.h"
#include "decide_talk.h"

static void at(struct world *w, uint64_t ns)
{
	w->now = ns; /* and no timer has run */
	fake_check(w);
}

static int say(struct world *w, struct call *c, enum call_command cmd, enum policy_purpose p)
{
	int rc = call_command(w->cs, c, cmd, p, CALL_BY_API, w->now);

	fake_check(w);
	return rc;
}

/* The window has its first instant, and not its last: then it is closed, whether a timer ran or not. */
static void test_window_edges(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++) {
		struct world *w = world(POLICY_B_NONE, POLICY_B_CONSENT, false);
		struct call *c = answer_call(w);
		uint64_t from = c->decide.window_from_ns[TRAIN], to = c->decide.window_to_ns[TRAIN];
		const uint64_t when[] = { from - 1, from, to - 1, to };

		assert_true(from && to > from);
		at(w, when[i]);
		press(w, c, SUBJECT, "1");
		assert_int_equal(c->state[TRAIN], i == 0 ? PURPOSE_PENDING : i == 3 ? PURPOSE_DENIED : PURPOSE_GRANTED);
		if (i == 3) {
			assert_true(was_told("consent.none:t"));
			assert_false(was_told("consent.given"));
		}
		fake_world_free(w);
	}
}

/* C: the window's end grants. Who opts out in that instant was granted, and is out. */
static void test_opt_out_at_the_end(void **state)
{
	struct world *w = world(POLICY_B_NONE, POLICY_B_INTEREST, false);
	struct call *c = answer_call(w);

	(void)state;
	at(w, c->decide.window_to_ns[TRAIN]);
	press(w, c, SUBJECT, "9");
	assert_int_equal(c->state[TRAIN], PURPOSE_OPTED_OUT);
	assert_int_equal(call_audio(c, SUBJECT), CALL_A_BLOCK);
	fake_world_free(w);
}

/* By the API: given, taken back, and what else is said of a consent. */
static void test_api(void **state)
{
	struct world *w = world(POLICY_B_NONE, POLICY_B_CONSENT, false);
	struct call *c;

	(void)state;
	w->policy.rule.purpose[TRAIN].consent_api = true;
	c = answer_call(w);
	until(w, c, 4);
	assert_int_equal(say(w, c, CALL_C_CONSENT, (enum policy_purpose)POLICY_PURPOSES), -ENOENT);
	assert_int_equal(say(w, c, CALL_C_CONSENT, TRAIN), 0);
	assert_int_equal(c->state[TRAIN], PURPOSE_GRANTED);
	assert_true(was_told("consent.given:t:api:api:"));
	assert_int_equal(say(w, c, CALL_C_CONSENT, TRAIN), -EALREADY);
	assert_int_equal(say(w, c, CALL_C_WITHDRAW, TRAIN), 0);
	assert_int_equal(c->state[TRAIN], PURPOSE_WITHDRAWN);
	assert_int_equal(call_audio(c, SUBJECT), CALL_A_BLOCK);
	assert_true(was_told("consent.withdrawn:t:agent:api:"));
	fake_world_free(w);

	/* not after the window, though nothing ran since: the silence is told first */
	w = world(POLICY_B_NONE, POLICY_B_CONSENT, false);
	w->policy.rule.purpose[TRAIN].consent_api = true;
	c = answer_call(w);
	at(w, c->decide.window_to_ns[TRAIN]);
	assert_int_equal(say(w, c, CALL_C_CONSENT, TRAIN), -EPERM);
	assert_int_equal(c->state[TRAIN], PURPOSE_DENIED);
	assert_true(was_told("consent.none:t"));
	fake_world_free(w);
}

/* A system that takes consents tells before the notice is proven. What is taken back, objected to or opted out of until then is none. */
static void test_early(void **state)
{
	static const struct policy_notice notice = { .name = "da", .length_ms = 3000 };
	static const enum call_command back[] = { CALL_COMMANDS, CALL_C_WITHDRAW, CALL_C_OBJECT, CALL_C_OBJECT_GROUNDS, CALL_C_OPT_OUT };

	(void)state;
	for (size_t i = 0; i < sizeof(back) / sizeof(back[0]); i++) {
		struct world *w = world(POLICY_B_NONE, POLICY_B_CONSENT, false);
		struct call *c;

		w->policy.rule.proof = POLICY_PROOF_API;
		w->policy.rule.notice = &notice;
		w->policy.rule.nnotice = 1;
		w->policy.rule.purpose[TRAIN].consent_api = true;
		c = answer_call(w);
		until(w, c, 2);
		assert_int_equal(say(w, c, CALL_C_CONSENT, TRAIN), 0);
		assert_int_equal(c->state[TRAIN], PURPOSE_PENDING);
		assert_int_equal(call_audio(c, SUBJECT), CALL_A_BLOCK);
		if (i)
			(void)say(w, c, back[i], TRAIN); /* it may answer that nothing was granted */
		until(w, c, 5);
		call_notice_heard(w->cs, c, 0, CALL_BY_API, c->answer_ns + SEC, c->answer_ns + 4 * SEC, w->now);
		assert_int_equal(c->state[TRAIN] == PURPOSE_GRANTED, i == 0);
		assert_int_equal(c->decide.consent_early[TRAIN], 0);
		assert_int_equal(call_audio(c, SUBJECT) == CALL_A_WRITE, i == 0);
		fake_world_free(w);
	}
}

/* An agent who opens the window again: from now on, as long as the rule says, and then it is closed by itself. */
static void test_reopened(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		struct world *w = world(POLICY_B_NONE, POLICY_B_CONSENT, false);
		struct policy_block *b = &w->policy.rule.purpose[TRAIN];
		struct call *c;
		uint64_t opened;

		b->window.reopen_agent = true;
		b->consent_api = true;
		c = answer_call(w);
		until(w, c, 30);
		assert_int_equal(c->state[TRAIN], PURPOSE_DENIED);
		assert_int_equal(say(w, c, CALL_C_CONSENT, TRAIN), -EPERM);
		opened = w->now;
		assert_int_equal(say(w, c, CALL_C_REOPEN, TRAIN), 0);
		assert_int_equal(c->decide.window_from_ns[TRAIN], opened);
		assert_int_equal(c->decide.window_to_ns[TRAIN], opened + 10 * SEC);
		assert_int_equal(call_decide_due(c), opened + 10 * SEC);
		if (i == 0)
			assert_int_equal(say(w, c, CALL_C_CONSENT, TRAIN), 0);
		else if (i == 1)
			press(w, c, SUBJECT, "1");
		else
			until(w, c, 41);
		assert_int_equal(c->state[TRAIN], i == 2 ? PURPOSE_DENIED : PURPOSE_GRANTED);
		if (i == 2) {
			assert_int_equal(say(w, c, CALL_C_CONSENT, TRAIN), -EPERM); /* it is over again */
			assert_false(call_listens(c, SUBJECT) && c->decide.reopened[TRAIN]);
		}
		fake_world_free(w);
	}
}

/* A telephone that says off: once, and after what its windows decided before. */
static void test_off(void **state)
{
	struct world *w = world(POLICY_B_INTEREST, POLICY_B_INTEREST, true);
	struct call *c = answer_call(w);
	const char *first;

	(void)state;
	until(w, c, 4);
	call_recordpref_off(w->cs, c, 0, w->now);
	first = strstr(told, "objection.opened:t:sdp");
	assert_non_null(first);
	call_recordpref_off(w->cs, c, 0, w->now);
	assert_null(strstr(first + 1, "objection.opened:t:sdp"));
	fake_world_free(w);

	w = world(POLICY_B_NONE, POLICY_B_CONSENT, false);
	c = answer_call(w);
	at(w, c->decide.window_to_ns[TRAIN] + SEC);
	call_recordpref_off(w->cs, c, 0, w->now);
	assert_true(was_told("consent.none:t")); /* by silence, and not by the telephone */
	assert_string_equal(c->reason[TRAIN], "consent.none");
	fake_world_free(w);
}

/* 200 ms in which a press may have been and no packet was: not 199. */
static uint32_t quiet_ms;

static uint32_t on_quiet(void *arg, struct call *c, unsigned leg, uint64_t until_ns, bool *ret_heard)
{
	(void)arg;
	(void)until_ns;
	*ret_heard = true;
	return leg == call_subject_leg(c) ? quiet_ms : 0;
}

static void test_quiet(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++) {
		struct world *w = world(POLICY_B_NONE, POLICY_B_INTEREST, false);
		struct call *c = answer_call(w);

		until(w, c, 200);
		assert_int_equal(c->state[TRAIN], PURPOSE_GRANTED);
		if (i < 2) { /* before another stream */
			call_quiet_before(w->cs, c, SUBJECT, i ? 200 : 199, w->now);
			assert_int_equal(c->state[TRAIN], i ? PURPOSE_DENIED : PURPOSE_GRANTED);
		} else { /* before a BYE */
			quiet_ms = i == 3 ? 200 : 199;
			w->cs->sink.quiet = on_quiet;
			bye(w);
			assert_int_equal(was_told("optout.uncertain:t"), i == 3);
		}
		fake_world_free(w);
	}
}

/* How much of the notice was heard when it was proven, whether it goes on or is over. */
static uint32_t on_heard(void *arg, const struct call *c)
{
	(void)arg;
	(void)c;
	return 3210;
}

static void test_how_much_was_heard(void **state)
{
	static const struct policy_notice notice = { .name = "da", .length_ms = 12000 };

	(void)state;
	for (int i = 0; i < 4; i++) {
		struct world *w = world(POLICY_B_NONE, POLICY_B_CONSENT, false);
		struct call *c;

		w->policy.rule.proof = i == 3 ? POLICY_PROOF_API : POLICY_PROOF_FINGERPRINT;
		w->policy.rule.notice = &notice;
		w->policy.rule.nnotice = 1;
		if (i == 1)
			w->cs->sink.heard = on_heard;
		c = answer_call(w);
		until(w, c, 9);
		call_notice_heard(w->cs, c, 0, i == 3 ? CALL_BY_API : CALL_BY_FINGERPRINT, c->answer_ns + 2 * SEC,
				  i == 2 ? c->answer_ns + 8 * SEC : 0, w->now);
		assert_int_equal(c->decide.notice, CALL_NOTICE_PROVEN);
		assert_int_equal(c->decide.notice_which, 1);
		assert_int_equal(c->decide.notice_heard_ms, i == 0 ? 7000 : i == 1 ? 3210 : i == 2 ? 6000 : 0);
		fake_world_free(w);
	}
}

/* A long press: its end is told, and what another way says of the same press shortly after is no second one. */
static void test_key_up(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct world *w = world(POLICY_B_NONE, POLICY_B_CONSENT, false);
		struct call *c;

		strcpy(w->policy.rule.purpose[TRAIN].consent_key, "11");
		c = answer_call(w);
		until(w, c, 4);
		press(w, c, SUBJECT, "1");
		w->now += 1500 * MS;
		if (i)
			call_key_up(w->cs, c, SUBJECT, '1', CALL_BY_RFC4733, w->now);
		w->now += 100 * MS;
		call_key(w->cs, c, SUBJECT, '1', CALL_BY_INFO, true, w->now);
		assert_int_equal(c->state[TRAIN], i ? PURPOSE_PENDING : PURPOSE_GRANTED);
		fake_world_free(w);
	}
}

/* What is taken over is what was handed over; what no daemon wrote is refused. */
static void test_saved(void **state)
{
	struct call_decide d, e;
	struct buf b = { 0 };

	(void)state;
	for (int bit = 0; bit < 8; bit++) {
		memset(&d, 0, sizeof(d));
		d.notice = CALL_NOTICE_PROVEN;
		d.notice_which = 2;
		d.header_seen = bit == 0;
		d.paused = bit == 1;
		d.pause_over = bit == 2;
		d.recordpref_off = bit == 3;
		d.sample_waits = bit == 4;
		d.objected = bit == 5;
		d.sample_shared = bit == 6;
		d.callback = bit == 7;
		d.window_from_ns[1] = 5;
		d.window_to_ns[1] = 6;
		buf_reset(&b);
		call_decide_save(&d, &b);
		struct rd r = { b.p, b.len, false };

		assert_true(call_decide_load(&r, &e));
		assert_int_equal(e.header_seen << 0 | e.paused << 1 | e.pause_over << 2 | e.recordpref_off << 3 | e.sample_waits << 4 |
				 e.objected << 5 | e.sample_shared << 6 | e.callback << 7, 1 << bit);
		assert_int_equal(e.notice_which, 2);
		assert_int_equal(e.window_from_ns[1], 5);
		assert_int_equal(e.window_to_ns[1], 6);
	}
	for (int i = 0; i < 2; i++) { /* a notice, and how it was proven: one more than there are */
		struct rd r = { b.p, b.len, false };

		b.p[i] = i ? CALL_HOWS : CALL_NOTICE_MISSING + 1;
		assert_false(call_decide_load(&r, &e));
		b.p[i] = i ? 0 : CALL_NOTICE_WAIT;
	}
	struct rd r = { b.p, b.len, false };

	assert_true(call_decide_load(&r, &e)); /* what was half heard is looked for anew: nobody was told yet */
	assert_int_equal(e.notice_which, 0);
	assert_int_equal(e.window_from_ns[1] | e.window_to_ns[1], 0);
	buf_free(&b);
}

/* The clock is set back: every time goes with it, one that would be before the beginning is still one, and none stays none. */
static void test_rebased(void **state)
{
	struct call_decide d = { .notice_start_ns = 100, .notice_end_ns = 200, .notice_due_ns = 300, .pause_due_ns = 400, .voice_ns = 500 };

	(void)state;
	for (uint64_t i = 0; i < 2; i++) {
		d.window_from_ns[i] = 600 + i;
		d.window_to_ns[i] = 700 + i;
		d.typed[i].last_ns = 800 + i;
		d.typed[i].twin[0].key = '1';
	}
	call_decide_rebase(&d, 150);
	assert_int_equal(d.notice_start_ns, 1);
	assert_int_equal(d.notice_end_ns, 50);
	assert_int_equal(d.notice_due_ns, 150);
	assert_int_equal(d.pause_due_ns, 250);
	assert_int_equal(d.voice_ns, 350);
	for (uint64_t i = 0; i < 2; i++) {
		assert_int_equal(d.window_from_ns[i], 450 + i);
		assert_int_equal(d.window_to_ns[i], 550 + i);
		assert_int_equal(d.typed[i].last_ns, 650 + i);
		assert_int_equal(d.typed[i].twin[0].key, 0);
	}
	memset(&d, 0, sizeof(d));
	call_decide_rebase(&d, 150);
	assert_int_equal(d.notice_start_ns | d.notice_due_ns | d.window_to_ns[0] | d.typed[1].last_ns, 0);
}

/* A notice that is being heard: a press while it lasts is a consent and its proof; one that breaks off is none, and is looked for anew. */
static struct call *hear(struct world *w, const struct policy_notice *n)
{
	struct call *c;

	w->policy.rule.proof = POLICY_PROOF_FINGERPRINT;
	w->policy.rule.notice = n;
	w->policy.rule.nnotice = 2;
	w->policy.rule.notice_timeout_s = 20;
	c = answer_call(w);
	until(w, c, 18);
	call_notice_hearing(w->cs, c, 1, c->answer_ns + 17 * SEC, w->now);
	fake_check(w);
	assert_true(c->decide.hearing);
	assert_int_equal(c->decide.notice_which, 2);
	assert_int_equal(c->decide.window_from_ns[TRAIN], c->answer_ns + 20 * SEC);
	return c;
}

static void test_being_heard(void **state)
{
	static const struct policy_notice n[] = { { .name = "a", .length_ms = 3000 }, { .name = "b", .length_ms = 9000 } };

	(void)state;
	for (int i = 0; i < 5; i++) {
		struct world *w = world(POLICY_B_NONE, POLICY_B_CONSENT, false);
		struct call *c = hear(w, n);

		if (i == 0) { /* a press proves it, up to here; that it is cut off then is what an announcement does */
			until(w, c, 22);
			assert_int_equal(c->decide.notice, CALL_NOTICE_WAIT); /* it is heard out, past the time for it to begin */
			press(w, c, SUBJECT, "1");
			assert_int_equal(c->state[TRAIN], PURPOSE_GRANTED);
			assert_int_equal(c->decide.notice_heard_ms, 5000);
			call_notice_broken(w->cs, c, w->now + SEC, w->now + SEC);
			assert_int_equal(c->state[TRAIN], PURPOSE_GRANTED);
			assert_false(c->decide.hearing);
			assert_int_equal(c->decide.notice_end_ns, w->now + SEC);
		} else if (i == 1) { /* it breaks off in time: what was pressed then is of no notice */
			until(w, c, 19);
			call_notice_broken(w->cs, c, w->now, w->now);
			assert_int_equal(c->decide.notice_which, 0);
			assert_int_equal(c->decide.notice_start_ns | c->decide.window_from_ns[TRAIN] | c->decide.window_to_ns[TRAIN], 0);
			assert_int_equal(c->decide.notice_due_ns, c->answer_ns + 20 * SEC);
			assert_int_equal(call_decide_due(c), c->answer_ns + 20 * SEC);
			press(w, c, SUBJECT, "1");
			assert_int_equal(c->state[TRAIN], PURPOSE_PENDING);
			until(w, c, 21);
			assert_string_equal(c->reason[TRAIN], "notice.missing");
		} else if (i == 2) { /* it breaks off when there is no time for another */
			until(w, c, 23);
			call_notice_broken(w->cs, c, w->now, w->now);
			assert_string_equal(c->reason[TRAIN], "notice.missing");
		} else if (i == 3) { /* a second one is not begun meanwhile, and what breaks off twice broke off once */
			call_notice_hearing(w->cs, c, 0, w->now, w->now);
			assert_int_equal(c->decide.notice_which, 2);
			call_notice_broken(w->cs, c, w->now, w->now);
			call_notice_hearing(w->cs, c, 0, w->now, w->now);
			assert_int_equal(c->decide.notice_which, 1);
		} else { /* to its end */
			until(w, c, 26.5);
			assert_int_equal(c->decide.notice, CALL_NOTICE_WAIT);
			call_notice_heard(w->cs, c, 1, CALL_BY_FINGERPRINT, c->answer_ns + 17 * SEC, c->answer_ns + 26 * SEC, w->now);
			assert_false(c->decide.hearing);
			assert_int_equal(c->decide.window_to_ns[TRAIN], c->answer_ns + 36 * SEC);
			until(w, c, 37);
			assert_string_equal(c->reason[TRAIN], "consent.none");
		}
		fake_world_free(w);
	}
	/* out of its list, or of a rule that listens for none */
	for (int i = 0; i < 3; i++) {
		struct world *w = world(POLICY_B_NONE, POLICY_B_CONSENT, false);
		struct call *c;

		w->policy.rule.proof = i == 2 ? POLICY_PROOF_API : POLICY_PROOF_FINGERPRINT;
		w->policy.rule.notice = n;
		w->policy.rule.nnotice = 2;
		c = answer_call(w);
		until(w, c, 2);
		call_notice_hearing(w->cs, c, i == 0 ? 2 : i == 1 ? -1 : 0, w->now, w->now);
		assert_false(c->decide.hearing);
		call_notice_broken(w->cs, c, w->now, w->now); /* of what was not heard */
		assert_int_equal(c->decide.notice_due_ns, c->answer_ns + 60 * SEC);
		fake_world_free(w);
	}
}

/* Nothing of what was typed is there after the call; two seconds apart are two keys. */
static void test_typed(void **state)
{
	static const struct call_typed none;

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct world *w = world(POLICY_B_NONE, POLICY_B_CONSENT, false);
		struct call *c;

		strcpy(w->policy.rule.purpose[TRAIN].consent_key, "12");
		c = answer_call(w);
		until(w, c, 4);
		press(w, c, SUBJECT, "1");
		assert_int_equal(c->decide.typed[SUBJECT].n, 1);
		w->now += 2 * SEC - (i ? 1 : 0);
		press(w, c, SUBJECT, "2");
		assert_int_equal(c->state[TRAIN], i ? PURPOSE_GRANTED : PURPOSE_PENDING);
		w->now += SEC;
		press(w, c, SUBJECT, "1");
		press(w, c, AGENT, "*");
		bye(w);
		assert_int_equal(c->phase, CALL_TOMBSTONE);
		for (int leg = 0; leg < 2; leg++) {
			assert_memory_equal(c->decide.typed[leg].digit, none.digit, sizeof(none.digit));
			assert_memory_equal(c->decide.typed[leg].twin, none.twin, sizeof(none.twin));
			assert_int_equal(c->decide.typed[leg].n | c->decide.typed[leg].close | c->decide.typed[leg].strange, 0);
		}
		fake_world_free(w);
	}
}

/* A voice that moves (hold, another address): what was quiet before counts, when a voice was due. */
static void test_voice_moves(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		struct world *w = world(POLICY_B_NONE, POLICY_B_INTEREST, false);
		struct call *c = answer_call(w);

		until(w, c, 200);
		quiet_ms = i == 2 ? 199 : 200;
		w->cs->sink.quiet = on_quiet;
		call_voice_moves(w->cs, c, i != 1, w->now);
		assert_int_equal(c->state[TRAIN], i ? PURPOSE_GRANTED : PURPOSE_DENIED);
		assert_int_equal(was_told("optout.uncertain:t"), i == 0);
		assert_true(c->decide.voice_ns >= c->answer_ns);
		assert_int_equal(c->voice_heard[SUBJECT], i != 1);
		quiet_ms = 0;
		fake_world_free(w);
	}
}

/* Call i, answered, with addresses of its own. */
static enum purpose_state another(struct world *w, unsigned i)
{
	char a[512], b[512], id[8];

	snprintf(id, sizeof(id), "m%u", i);
	for (int k = 0; k < 3; k++) {
		w->now += 10 * MS;
		fake_send(w, &(struct fake_msg){ .method = k == 2 ? "ACK" : "INVITE", .status = k == 1 ? 200 : 0, .id = id, .from_tag = "a",
						 .to_tag = k ? "b" : "", .cseq = 1,
						 .sdp = k == 0 ? fake_sdp(a, sizeof(a), 1, 1, 4000 + 10 * i, NULL) :
							k == 1 ? fake_sdp(b, sizeof(b), 2, 2, 6000 + 10 * i, NULL) : NULL });
		fake_check(w);
		MUST(calls_counted(w->cs));
	}
	return fake_call(w, id)->state[TRAIN];
}

/* Who is recorded, or may be yet, takes a place: over refusals, withdrawals, ends, another process, and another policy's rule of that name. */
static void test_concurrent(void **state)
{
	struct world *w = world(POLICY_B_NONE, POLICY_B_CONSENT, false);
	static struct policy other;

	(void)state;
	w->policy.rule.concurrent = 2;
	assert_int_equal(another(w, 0), PURPOSE_PENDING);
	assert_int_equal(another(w, 1), PURPOSE_PENDING);
	assert_int_equal(another(w, 2), PURPOSE_DENIED);
	assert_true(was_told("purpose.deny:t"));
	fake_reborn(w);
	assert_int_equal(another(w, 3), PURPOSE_DENIED);
	until(w, fake_call(w, "m1"), 5);
	press(w, fake_call(w, "m1"), SUBJECT, "1");
	assert_int_equal(fake_call(w, "m1")->state[TRAIN], PURPOSE_GRANTED);
	assert_int_equal(another(w, 4), PURPOSE_DENIED); /* 0 and 1 */
	press(w, fake_call(w, "m1"), SUBJECT, "0");
	assert_int_equal(fake_call(w, "m1")->state[TRAIN], PURPOSE_WITHDRAWN);
	assert_int_equal(another(w, 5), PURPOSE_PENDING); /* 0 and 5 */
	other = w->policy;
	calls_set_policy(w->cs, &other);
	assert_int_equal(another(w, 6), PURPOSE_DENIED);
	other.rule.concurrent = 3;
	assert_int_equal(another(w, 7), PURPOSE_PENDING); /* 0, 5 and 7 */
	fake_reborn(w);
	assert_int_equal(another(w, 8), PURPOSE_DENIED);
	fake_send(w, &(struct fake_msg){ .method = "BYE", .id = "m7", .from_tag = "a", .to_tag = "b", .cseq = 2 });
	assert_int_equal(another(w, 9), PURPOSE_PENDING);
	until(w, fake_call(w, "m0"), 300); /* silence, and nobody takes a place any more */
	assert_int_equal(another(w, 10), PURPOSE_PENDING);
	assert_int_equal(another(w, 11), PURPOSE_PENDING);
	assert_int_equal(another(w, 12), PURPOSE_PENDING);
	assert_int_equal(another(w, 13), PURPOSE_DENIED);
	fake_world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_concurrent),
		cmocka_unit_test(test_window_edges),	cmocka_unit_test(test_opt_out_at_the_end), cmocka_unit_test(test_api),
		cmocka_unit_test(test_early),		cmocka_unit_test(test_reopened),	   cmocka_unit_test(test_off),
		cmocka_unit_test(test_quiet),		cmocka_unit_test(test_how_much_was_heard), cmocka_unit_test(test_key_up),
		cmocka_unit_test(test_saved),		cmocka_unit_test(test_rebased),		   cmocka_unit_test(test_being_heard),
		cmocka_unit_test(test_typed),		cmocka_unit_test(test_voice_moves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
