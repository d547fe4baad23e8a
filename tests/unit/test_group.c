/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_group.c - calls that are one conversation (guidance ): what ties them, which recording stays, what a forger can
 * do, what survives another process
 */
#include "group_talk.h"

static void test_one_draw(void **state)
{
	struct world *w = world(POLICY_B_INTEREST);
	struct call *a, *b;

	(void)state;
	/* by the same description: known before the draw */
	a = invite(w, &(struct leg){ "x1", { NULL }, 1, { 1, 2 }, { 4000, 5000 } });
	b = invite(w, &(struct leg){ "x2", { NULL }, 1, { 1, 2 }, { 4000, 5000 } });
	assert_true(group_same(a, b));
	assert_int_equal(draws, 1);
	assert_true(b->decide.sample_shared && !a->decide.sample_shared);
	fake_world_free(w);
	w = world(POLICY_B_INTEREST);
	draw_result = "sample.out";
	(void)invite(w, &(struct leg){ "x1", { NULL }, 1, { 1, 2 }, { 4000, 5000 } });
	b = invite(w, &(struct leg){ "x2", { NULL }, 1, { 1, 2 }, { 4000, 5000 } });
	assert_int_equal(draws, 1);
	assert_string_equal(b->reason[TRAIN], "sample.out");
	assert_int_equal(b->state[TRAIN], PURPOSE_DENIED);
	fake_world_free(w);
	/* known to be one only after both were drawn: the first one's counts */
	for (int i = 0; i < 2; i++) {
		struct leg l = two;

		w = world(POLICY_B_INTEREST);
		l.headers[0] = NULL;
		draw_result = i ? NULL : "sample.out";
		a = invite(w, &one);
		draw_result = i ? "sample.out" : NULL;
		b = invite(w, &l);
		assert_int_equal(draws, 2);
		answer(w, &l);
		assert_int_equal(b->state[TRAIN], PURPOSE_DENIED);
		assert_int_equal(a->state[TRAIN], i ? PURPOSE_PENDING : PURPOSE_DENIED);
		fake_world_free(w);
	}
}

/* The address stays with the first call, also when the second is not ours; it goes to the second with the first's end. */
static void test_description_passed_on(void **state)
{
	static const struct leg in = { "x1", { NULL }, 1, { 1, 2 }, { 4000, 5000 } };
	static const struct leg out = { "x2", { NULL }, 1, { 1, 2 }, { 4000, 5000 } };
	struct endpoint at = fake_at(1, 4000), to = fake_at(2, 5000);

	(void)state;
	for (int matched = 0; matched < 2; matched++) {
		struct world *w = world(POLICY_B_NONE);
		struct call *a = invite(w, &in), *b;

		w->called = matched ? "101" : "300";
		b = invite(w, &out);
		assert_int_equal(b->matched, matched);
		answer(w, &out);
		w->called = "100";
		answer(w, &in);
		assert_true(call_endpoint_at(a, &at)->owner);
		assert_true(call_endpoint_at(a, &to)->owner); /* which the second call named first */
		assert_int_equal(fake_verdict(w, 1, 4000), OPTAG_V_RECORD);
		assert_int_equal(fake_verdict(w, 2, 5000), OPTAG_V_RECORD);
		bye(w, &in);
		if (matched) {
			assert_true(call_endpoint_at(b, &at)->owner);
			assert_int_equal(fake_verdict(w, 1, 4000), OPTAG_V_RECORD);
		} else {
			assert_int_equal(fake_verdict(w, 1, 4000), 0);
		}
		fake_world_free(w);
	}
}

/* A telephone whose BYE was lost, with the same o= in each call: its next call is not heard in the old one. */
static void test_not_passed_on(void **state)
{
	static const struct leg old = { "x1", { NULL }, 0, { 1, 2 }, { 4000, 5000 } };
	static const struct leg next = { "x2", { NULL }, 0, { 1, 9 }, { 4000, 5900 } };
	struct world *w = world(POLICY_B_NONE);

	(void)state;
	invite(w, &old);
	answer(w, &old);
	later(w, 2);
	w->called = "300";
	invite(w, &next);
	assert_int_equal(fake_verdict(w, 1, 4000), 0);
	fake_world_free(w);
	/* nor another number's, while it rings */
	w = world(POLICY_B_NONE);
	invite(w, &old);
	w->called = "300";
	w->calling = "201";
	invite(w, &next);
	assert_int_equal(fake_verdict(w, 1, 4000), 0);
	fake_world_free(w);
}

static void test_one_recording(void **state)
{
	static const struct {
		unsigned heard[2];
		bool first_ends_first;
		enum call_relation one, two;
	} t[] = {
		{ { 2, 2 }, true, CALL_R_NONE, CALL_R_DUPLICATE },
		{ { 2, 2 }, false, CALL_R_NONE, CALL_R_DUPLICATE },
		{ { 1, 2 }, true, CALL_R_DUPLICATE, CALL_R_NONE },
		{ { 1, 2 }, false, CALL_R_DUPLICATE, CALL_R_NONE },
		{ { 2, 0 }, false, CALL_R_NONE, CALL_R_DUPLICATE },
		{ { 0, 0 }, true, CALL_R_NONE, CALL_R_DUPLICATE },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct world *w = world(POLICY_B_NONE);
		struct call *a = invite(w, &one), *b = invite(w, &two);

		answer(w, &two);
		answer(w, &one);
		heard[0] = t[i].heard[0];
		heard[1] = t[i].heard[1];
		later(w, 30);
		msg(w, t[i].first_ends_first ? &one : &two, "BYE", 0, true, 2, NULL, NULL);
		msg(w, t[i].first_ends_first ? &two : &one, "BYE", 0, true, 2, NULL, NULL);
		w->now += SEC;
		calls_tick(w->cs, w->now);
		assert_int_equal(w->ended, 2);
		assert_int_equal(a->peers->relation, t[i].one);
		assert_int_equal(b->peers->relation, t[i].two);
		if (t[i].two)
			assert_true(uid_equal(&b->peers->other, &a->uid));
		fake_world_free(w);
	}
}

/* What is longer than the other is no copy of it: nothing of it is lost. */
static void test_longer_is_kept(void **state)
{
	struct world *w = world(POLICY_B_INTEREST);
	struct call *a = invite(w, &one), *b = invite(w, &two);

	(void)state;
	answer(w, &two);
	answer(w, &one);
	later(w, 75);
	bye(w, &one);
	assert_true(a->peers->kept);
	later(w, 20);
	bye(w, &two);
	assert_int_equal(b->peers->relation, CALL_R_SAME);
	assert_int_equal(b->state[DOC], PURPOSE_GRANTED);
	fake_world_free(w);
}

/* Never across controllers, whatever says so. */
static void test_controllers(void **state)
{
	struct world *w = world(POLICY_B_INTEREST);
	struct call *a, *b;

	(void)state;
	fake_second(&w->policy);
	a = invite(w, &one);
	w->called = "250";
	b = invite(w, &two);
	assert_string_equal(b->rule->name, "second");
	assert_null(b->peers->group);
	answer(w, &two);
	w->called = "100";
	answer(w, &one);
	later(w, 5);
	call_key(w->cs, a, SUBJECT, '9', CALL_BY_RFC4733, true, w->now);
	assert_int_equal(a->state[TRAIN], PURPOSE_OPTED_OUT);
	assert_int_equal(b->state[TRAIN], PURPOSE_PENDING);
	fake_world_free(w);
}

static void test_never(void **state)
{
	(void)state;
	/* the list's number is on the outer call, which comes first or second; by one description, or half a Session-ID */
	for (int i = 0; i < 4; i++) {
		bool first = i & 1, sure = i & 2;
		struct leg in = one, out = two;
		struct world *w = world(POLICY_B_INTEREST);
		struct call *b = NULL;

		if (sure) {
			in.headers[0] = out.headers[0] = NULL;
			out.session = in.session;
			out.host[0] = in.host[0];
			out.port[0] = in.port[0];
		}
		if (!first)
			b = invite(w, &out);
		w->called = "900";
		invite(w, &in);
		w->called = "100";
		if (first)
			b = invite(w, &out);
		assert_string_equal(b->reason[TRAIN], "never");
		assert_int_equal(b->state[TRAIN], PURPOSE_DENIED);
		assert_int_equal(b->state[DOC], sure ? PURPOSE_DENIED : PURPOSE_GRANTED);
		if (!sure) { /* until both halves are known to be the same */
			answer(w, &out);
			w->called = "900";
			answer(w, &in);
			assert_int_equal(b->state[DOC], PURPOSE_DENIED);
			assert_string_equal(b->reason[DOC], "never");
		}
		fake_reborn(w); /* who binds is told to the next process */
		b = fake_call(w, "x2");
		assert_true(b && b->peers->never && b->peers->bound);
		assert_string_equal(b->reason[TRAIN], "never");
		fake_world_free(w);
	}
}

static const struct sip_extra ref = { { "X-Ref" }, 1 };

static void test_header(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		struct leg in = { "x1", { "X-Ref: 77\r\n", NULL }, 1, { 1, 2 }, { 4000, 5000 } };
		struct leg out = { "x2", { i == 1 ? "X-Ref: 78\r\n" : "X-Ref: 77\r\n", NULL }, 7, { 3, 4 }, { 4100, 5100 } };
		struct world *w = world(POLICY_B_INTEREST);
		struct call *a, *b;

		w->extra = &ref;
		w->policy.correlate = i == 2 ? NULL : "X-Ref";
		a = invite(w, &in);
		w->calling = "999"; /* an agent with a number of its own */
		b = invite(w, &out);
		w->calling = NULL;
		assert_int_equal(group_same(a, b), i == 0);
		assert_int_equal(b->peers->group && b->peers->group == a->peers->group, i == 0);
		fake_world_free(w);
	}
}

/* Replaces, Join, REFER: the new call goes on where the other was. */
static void test_transfer(void **state)
{
	static const char *const how[] = {
		"Replaces: x1;to-tag=b;from-tag=a\r\n",
		"Join: x1;to-tag=b;from-tag=a\r\n",
		"Referred-By: <sip:100@h>\r\n", /* after a REFER */
		"Replaces: x1\r\n",	     /* malformed: tied to nothing */
		"Replaces: x9;to-tag=b;from-tag=a\r\n",
		"Replaces: x1;to-tag=z;from-tag=a\r\n", /* a Call-ID that was guessed */
		"Join: x1;to-tag=b;from-tag=z\r\n",
		"Replaces: x1;to-tag=a;from-tag=b\r\n", /* as the other party sees it */
	};

	(void)state;
	for (size_t i = 0; i < 8; i++) {
		bool tied = i < 3 || i == 7;
		struct world *w = world(POLICY_B_INTEREST);
		struct leg in = { "x1", { NULL }, 1, { 1, 2 }, { 4000, 5000 } };
		struct leg out = { "x2", { how[i], NULL }, 7, { 1, 4 }, { 4100, 5100 } };
		struct call *a = invite(w, &in), *b;
		struct uid first = a->uid;

		answer(w, &in);
		later(w, 5);
		call_key(w->cs, a, SUBJECT, '9', CALL_BY_RFC4733, true, w->now);
		if (i == 2)
			msg(w, &in, "REFER", 0, true, 3, NULL, "Refer-To: <sip:150@h>\r\n");
		w->called = "150";
		b = invite(w, &out);
		assert_int_equal(b->peers->relation, i == 1 ? CALL_R_SAME : tied ? CALL_R_TRANSFER : CALL_R_NONE);
		/* who joins has heard no notice, and whom he joins has a third party */
		assert_int_equal(b->state[TRAIN], i == 1 ? PURPOSE_DENIED : tied ? PURPOSE_OPTED_OUT : PURPOSE_PENDING);
		assert_int_equal(a->third, i == 1);
		assert_int_equal(b->third, i == 1);
		if (tied)
			assert_true(uid_equal(&b->peers->other, &first));
		fake_world_free(w);
	}
}

/* One that is in quarantine, and gone in a week, is no copy of one whose notice was proven. */
static void test_quarantined_copy(void **state)
{
	struct world *w = world(POLICY_B_NONE);
	struct call *a, *b;

	(void)state;
	w->policy.rule.proof = POLICY_PROOF_FINGERPRINT;
	w->policy.rule.nnotice = 1;
	w->policy.rule.notice = &(struct policy_notice){ .name = "n", .length_ms = 5000 };
	a = invite(w, &one); /* to the agent, who hears no announcement */
	b = invite(w, &two);
	answer(w, &two);
	answer(w, &one);
	later(w, 5);
	call_notice_heard(w->cs, b, 0, CALL_BY_FINGERPRINT, b->answer_ns, w->now, w->now);
	later(w, 90);
	assert_int_equal(a->state[DOC], PURPOSE_OBJECTED);
	assert_int_equal(b->state[DOC], PURPOSE_GRANTED);
	bye(w, &one);
	bye(w, &two);
	assert_int_not_equal(b->peers->relation, CALL_R_DUPLICATE);
	fake_world_free(w);
}

/* What was said before it was known that two calls are one: of the second half of a Session-ID, that comes with the answer. */
static void test_tied_later(void **state)
{
	(void)state;
	for (int i = 0; i < 8; i++) {
		bool on_b = i & 1, forged = i & 2, reborn = i & 4;
		struct leg in = one, out = two;
		struct world *w = world(POLICY_B_INTEREST);
		struct call *a, *b, *said;

		if (forged) /* only the half that everybody sees */
			out.headers[1] = SID(UUID_C, UUID_A);
		w->policy.rule.pause_stop = true;
		w->policy.rule.pause_max = (struct policy_span){ 60, POLICY_U_S };
		a = invite(w, &in);
		answer(w, &in);
		b = invite(w, &out);
		said = on_b ? b : a;
		assert_false(group_same(a, b));
		assert_int_equal(call_command(w->cs, said, CALL_C_OBJECT, DOC, CALL_BY_API, w->now), 0);
		assert_int_equal(call_command(w->cs, said, CALL_C_PAUSE, DOC, CALL_BY_API, w->now), 0);
		assert_int_equal((on_b ? a : b)->state[DOC], PURPOSE_GRANTED);
		assert_false((on_b ? a : b)->decide.paused);
		if (reborn) {
			fake_reborn(w);
			fake_check(w);
			a = fake_call(w, "x1");
			b = fake_call(w, "x2");
		}
		answer(w, &out);
		assert_int_equal(group_same(a, b), !forged);
		assert_int_equal(a->state[DOC], forged && on_b ? PURPOSE_GRANTED : PURPOSE_OBJECTED);
		assert_int_equal(b->state[DOC], forged && !on_b ? PURPOSE_GRANTED : PURPOSE_OBJECTED);
		assert_int_equal(a->decide.paused, !(forged && on_b));
		assert_int_equal(b->decide.paused, !(forged && !on_b));
		if (!forged) { /* and each goes on with the other */
			call_key(w->cs, a, AGENT, '*', CALL_BY_RFC4733, true, w->now);
			call_key(w->cs, a, AGENT, '6', CALL_BY_RFC4733, true, w->now);
			assert_false(a->decide.paused || b->decide.paused);
		}
		fake_world_free(w);
	}
}

/* A call that takes another one's place, or joins it, begins as that one is; what is said in it is not said of what goes on there. */
static void test_takes_its_place(void **state)
{
	static const char *const how[] = { "Replaces: x1;to-tag=b;from-tag=a\r\n", "Join: x1;to-tag=b;from-tag=a\r\n",
					   "Replaces: x1;to-tag=z;from-tag=a\r\n" };

	(void)state;
	for (int i = 0; i < 12; i++) {
		bool first = i / 3 & 1, over = i / 6;
		struct world *w = world(POLICY_B_INTEREST);
		struct leg in = { "x1", { NULL }, 1, { 1, 2 }, { 4000, 5000 } };
		struct leg out = { "x2", { how[i % 3], NULL }, 7, { 1, 4 }, { 4100, 5100 } };
		struct call *a = invite(w, &in), *b;
		bool tied = i % 3 < 2;

		answer(w, &in);
		later(w, 5);
		if (first) {
			assert_int_equal(call_command(w->cs, a, CALL_C_OBJECT, DOC, CALL_BY_API, w->now), 0);
			if (!over)
				assert_int_equal(call_command(w->cs, a, CALL_C_PAUSE, DOC, CALL_BY_API, w->now), 0);
		}
		if (over && first)
			bye(w, &in);
		b = invite(w, &out);
		answer(w, &out);
		if (first) {
			assert_int_equal(b->state[DOC], tied ? PURPOSE_OBJECTED : PURPOSE_GRANTED);
			assert_int_equal(b->decide.paused, tied && !over);
		} else {
			assert_int_equal(call_command(w->cs, b, CALL_C_OBJECT, DOC, CALL_BY_API, w->now), 0);
			assert_int_equal(call_command(w->cs, b, CALL_C_PAUSE, DOC, CALL_BY_API, w->now), 0);
			assert_int_equal(a->state[DOC], PURPOSE_GRANTED);
			assert_false(a->decide.paused);
			/* while what is said there is said here, too */
			if (over) {
				assert_int_equal(call_command(w->cs, b, CALL_C_RESUME, DOC, CALL_BY_INFO, w->now), 0);
				assert_int_equal(call_command(w->cs, a, CALL_C_PAUSE, DOC, CALL_BY_API, w->now), 0);
				assert_int_equal(b->decide.paused, tied);
			}
		}
		fake_world_free(w);
	}
}

/* Who forges somebody else's half ties himself to him: training of both may be denied, nothing else is lost. */
static void test_forger(void **state)
{
	static const struct leg forged = { "x2", { SID(UUID_A, NIL), SID(UUID_C, UUID_A) }, 7, { 8, 9 }, { 4100, 5100 } };
	struct world *w = world(POLICY_B_INTEREST);
	struct call *a = invite(w, &one), *b;

	(void)state;
	answer(w, &one);
	later(w, 75);
	w->calling = "666";
	b = invite(w, &forged);
	answer(w, &forged);
	heard[0] = 1; /* and he is heard better */
	later(w, 10);
	call_key(w->cs, b, SUBJECT, '9', CALL_BY_RFC4733, true, w->now);
	call_recordpref_off(w->cs, b, 0, w->now);
	assert_int_equal(b->state[DOC], PURPOSE_OBJECTED);
	assert_int_equal(a->state[TRAIN], PURPOSE_OPTED_OUT);
	assert_int_equal(a->state[DOC], PURPOSE_GRANTED);
	w->calling = NULL;
	bye(w, &one);
	assert_int_equal(a->peers->relation, CALL_R_NONE);
	fake_world_free(w);
}

#define UUID_D "d0000000000000000000000000000004"

/* Who knows a Call-ID, and no tags, says in that call which other one it is: his own, that meets a never rule, or takes its place. */
static void test_forger_inside(void **state)
{
	static const struct {
		const char *method, *to, *extra;
		bool rings; /* still */
		const char *as; /* of his own call */
	} t[] = {
		{ "OPTIONS", "y", SID(UUID_C, UUID_D), false, SID(UUID_C, UUID_D) }, { "INFO", "", SID(UUID_C, UUID_D), false, SID(UUID_D, UUID_C) },
		{ "OPTIONS", "y", SID(UUID_C, UUID_D), true, SID(UUID_C, UUID_D) },  { "INVITE", "", SID(UUID_C, UUID_D), true, SID(UUID_C, UUID_D) },
		{ "REFER", "y", "Refer-To: <sip:900@h>\r\n", false, "Referred-By: <sip:100@h>\r\n" },
		{ "INVITE", "", NULL, true, "Replaces: x1;to-tag=y;from-tag=x\r\n" }, { "INVITE", "", NULL, true, "Join: x1;to-tag=y;from-tag=x\r\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]) * 2; i++) {
		size_t k = i / 2;
		bool never = i & 1;
		struct world *w = world(POLICY_B_INTEREST);
		struct leg out = { "x2", { t[k].as, NULL }, 7, { 8, 9 }, { 4100, 5100 } };
		struct call *a = invite(w, &one), *b;
		struct fake_msg forged = { .method = t[k].method, .id = "x1", .from_tag = "x", .to_tag = t[k].to, .cseq = 77, .extra = t[k].extra };

		if (!t[k].rings)
			answer(w, &one);
		later(w, 5);
		w->src = 0x42060606;
		fake_send(w, &forged);
		forged.status = 200;
		forged.to_tag = "y";
		fake_send(w, &forged);
		w->calling = "666";
		w->called = never ? "900" : "150";
		b = invite(w, &out);
		if (!never) {
			answer(w, &out);
			assert_int_equal(call_command(w->cs, b, CALL_C_OBJECT, DOC, CALL_BY_API, w->now), 0);
			assert_int_equal(call_command(w->cs, b, CALL_C_PAUSE, DOC, CALL_BY_API, w->now), 0);
			assert_null(a->peers->group);
		}
		assert_int_equal(a->peers->bound, 0);
		assert_int_equal(a->state[DOC], PURPOSE_GRANTED);
		assert_int_equal(a->state[TRAIN], PURPOSE_PENDING);
		assert_false(a->decide.paused || a->third);
		w->calling = NULL;
		fake_world_free(w);
	}
}

/* Bounded: members of a group, keys of a call. */
static void test_limits(void **state)
{
	struct world *w = world(POLICY_B_INTEREST);
	struct calls_stats st;
	struct call *c = NULL;
	char id[16], sid[128];

	(void)state;
	for (unsigned i = 0; i < GROUP_MEMBERS_MAX + 1; i++) {
		struct leg l = { id, { SID(UUID_A, NIL), NULL }, 100 + i, { 1, 2 }, { 10000 + 2 * i, 20000 + 2 * i } };

		snprintf(id, sizeof(id), "m%u", i);
		c = invite(w, &l);
		assert_int_equal(c->state[TRAIN], i < GROUP_MEMBERS_MAX ? PURPOSE_PENDING : PURPOSE_DENIED);
	}
	assert_string_equal(c->reason[TRAIN], "group.full");
	assert_int_equal(c->state[DOC], PURPOSE_GRANTED);
	calls_get_stats(w->cs, &st);
	assert_int_equal(st.group_full, 1);
	fake_reborn(w);
	fake_check(w);
	/* a call that tells a new half with each message keeps the latest */
	c = fake_call(w, "m0");
	for (unsigned i = 0; i < 100; i++) {
		struct leg l = { "m0", { NULL }, 100, { 1, 2 }, { 10000, 20000 } };

		snprintf(sid, sizeof(sid), "Session-ID: %032x;remote=%032x\r\n", i + 1, i + 1000);
		msg(w, &l, "INFO", 0, true, 10 + i, NULL, sid);
	}
	assert_true(w->cs->group_keys.count <= (GROUP_MEMBERS_MAX + 1) * GROUP_KEYS_MAX);
	fake_world_free(w);
}

static void test_addresses(void **state)
{
	/* the same telephone of the called party, in two calls at once, between the same numbers */
	static const struct leg in = { "x1", { NULL }, 1, { 1, 2 }, { 4000, 5000 } };
	static const struct leg out = { "x2", { NULL }, 7, { 3, 2 }, { 4100, 5000 } };

	(void)state;
	for (int i = 0; i < 3; i++) {
		struct world *w = world(POLICY_B_NONE);
		struct call *a, *b;

		a = invite(w, &in);
		if (i == 1) {
			w->calling = "201";
			w->called = "101";
		}
		b = invite(w, &out);
		answer(w, &out);
		if (i == 2) /* long ago: a port that is used again */
			later(w, 15);
		w->calling = NULL;
		w->called = "100";
		answer(w, &in);
		assert_int_equal(group_same(a, b), i < 2 ? 1 : 0);
		assert_int_equal(a->peers->group && a->peers->group == b->peers->group, i == 0);
		fake_world_free(w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_draw),
		cmocka_unit_test(test_description_passed_on),
		cmocka_unit_test(test_not_passed_on),
		cmocka_unit_test(test_one_recording),
		cmocka_unit_test(test_longer_is_kept),
		cmocka_unit_test(test_controllers),
		cmocka_unit_test(test_never),
		cmocka_unit_test(test_header),
		cmocka_unit_test(test_transfer),
		cmocka_unit_test(test_tied_later),
		cmocka_unit_test(test_takes_its_place),
		cmocka_unit_test(test_quarantined_copy),
		cmocka_unit_test(test_forger),
		cmocka_unit_test(test_forger_inside),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
