/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Calls that are one conversation (guidance ): what ties them, what one decision does to the others,
 * which recording stays, what a forger can do, what survives another process.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../fakecalls.h"

#define DOC   POLICY_DOCUMENTATION
#define TRAIN POLICY_TRAINING
#define SUBJECT OPTAG_LEG_CALLER
#define AGENT	OPTAG_LEG_CALLEE

#define UUID_A "a0000000000000000000000000000001"
#define UUID_B "b0000000000000000000000000000002"
#define UUID_C "c0000000000000000000000000000003"
#define NIL    "00000000000000000000000000000000"
#define SID(l, r) "Session-ID: " l ";remote=" r "\r\n"

static unsigned draws;
static const char *draw_result;
static unsigned heard[2]; /* voices of calls whose Call-ID ends in 1, 2 */

static const char *on_draw(void *arg, struct call *c)
{
	(void)arg;
	(void)c;
	draws++;
	return draw_result;
}

static uint64_t on_heard(void *arg, struct call *c, unsigned leg)
{
	size_t n = strlen(c->call_id);

	(void)arg;
	return leg < heard[c->call_id[n - 1] == '2'];
}

/* What the recorder does with it. */
static void on_ended(void *arg, struct call *c)
{
	fake_on_ended(arg, c);
	c->peers->kept = c->peers->relation != CALL_R_DUPLICATE && c->answered;
}

static struct world *world(enum policy_basis train)
{
	struct world *w = fake_world(NULL);

	w->policy.rule.purpose[TRAIN].basis = train;
	w->policy.rule.notice_timeout_s = 60;
	w->policy.rule.proof = POLICY_PROOF_ATTESTED;
	w->cs->sink.draw = on_draw;
	w->cs->sink.kept = on_heard;
	w->cs->sink.ended = on_ended;
	draws = 0;
	draw_result = NULL;
	heard[0] = heard[1] = 2;
	return w;
}

struct leg {
	const char *id;
	const char *headers[2]; /* of the INVITE, of the 200 */
	unsigned session, host[2], port[2];
};

static void msg(struct world *w, const struct leg *l, const char *method, unsigned status, bool answered, uint32_t cseq, const char *sdp,
		const char *extra)
{
	w->now += 10 * MS;
	fake_send(w, &(struct fake_msg){ .method = method, .status = status, .id = l->id, .from_tag = "a", .to_tag = answered ? "b" : "",
					 .cseq = cseq, .sdp = sdp, .extra = extra });
	fake_check(w);
}

static struct call *invite(struct world *w, const struct leg *l)
{
	char b[512];

	msg(w, l, "INVITE", 0, false, 1, fake_sdp(b, sizeof(b), l->session, l->host[0], l->port[0], NULL), l->headers[0]);
	return fake_call(w, l->id);
}

static void answer(struct world *w, const struct leg *l)
{
	char b[512];

	msg(w, l, "INVITE", 200, true, 1, fake_sdp(b, sizeof(b), l->session + 50, l->host[1], l->port[1], NULL), l->headers[1]);
}

static void bye(struct world *w, const struct leg *l)
{
	msg(w, l, "BYE", 0, true, 2, NULL, NULL);
	w->now += SEC;
	w->packets++;
	calls_tick(w->cs, w->now);
	fake_check(w);
}

static void later(struct world *w, double s)
{
	w->now += (uint64_t)(s * 1e9);
	w->packets++;
	calls_tick(w->cs, w->now);
	fake_check(w);
}

/* Two calls of a back-to-back agent that passes Session-ID on, and of others: by what is given. */
static const struct leg one = { "x1", { SID(UUID_A, NIL), SID(UUID_B, UUID_A) }, 1, { 1, 2 }, { 4000, 5000 } };
static const struct leg two = { "x2", { SID(UUID_A, NIL), SID(UUID_B, UUID_A) }, 7, { 3, 4 }, { 4100, 5100 } };

static void test_opt_out_binds_all(void **state)
{
	(void)state;
	for (int reborn = 0; reborn < 2; reborn++) {
		struct world *w = world(POLICY_B_INTEREST);
		struct call *a, *b;

		a = invite(w, &one);
		b = invite(w, &two);
		answer(w, &two);
		answer(w, &one);
		assert_true(group_same(a, b));
		later(w, 75);
		assert_int_equal(a->state[TRAIN], PURPOSE_GRANTED);
		assert_int_equal(b->state[TRAIN], PURPOSE_GRANTED);
		if (reborn) {
			fake_reborn(w);
			fake_check(w);
			a = fake_call(w, "x1");
			b = fake_call(w, "x2");
			assert_true(group_same(a, b));
		}
		/* the agent's key is heard on the inner call only */
		call_key(w->cs, b, AGENT, '*', CALL_BY_RFC4733, true, w->now);
		call_key(w->cs, b, AGENT, '7', CALL_BY_RFC4733, true, w->now);
		fake_check(w);
		assert_int_equal(b->state[TRAIN], PURPOSE_OPTED_OUT);
		assert_int_equal(a->state[TRAIN], PURPOSE_OPTED_OUT);
		assert_int_equal(a->state[DOC], PURPOSE_GRANTED);
		assert_int_equal(w->destroyed, 2);
		fake_world_free(w);
	}
}

/* One description passed on while the first call rings is one conversation; the same one again from a telephone that always says
 * the same, after an answer whose BYE nobody saw, is another call: what is said in it must not land in the old one. */
static void test_description_again(void **state)
{
	static const struct leg first = { "x1", { NULL, NULL }, 1, { 1, 2 }, { 4000, 5000 } };
	static const struct leg again = { "x2", { NULL, NULL }, 1, { 1, 2 }, { 4000, 5000 } };

	(void)state;
	for (int rang = 0; rang < 2; rang++) {
		struct world *w = world(POLICY_B_INTEREST);
		struct call *a = invite(w, &first), *b;

		if (rang)
			b = invite(w, &again);
		answer(w, &first);
		later(w, 3);
		if (!rang)
			b = invite(w, &again);
		answer(w, &again);
		assert_int_equal(group_same(a, b), rang);
		call_key(w->cs, b, SUBJECT, '9', CALL_BY_RFC4733, true, w->now);
		assert_int_equal(b->state[TRAIN], PURPOSE_OPTED_OUT);
		assert_int_equal(a->state[TRAIN], rang ? PURPOSE_OPTED_OUT : PURPOSE_PENDING);
		later(w, 5);
		bye(w, &again);
		assert_int_equal(b->peers->relation == CALL_R_DUPLICATE, rang);
		fake_world_free(w);
	}
}

/* Also a call that comes later, while the other lasts or half a minute after it. */
static void test_opt_out_travels(void **state)
{
	static const struct { double wait; bool bound; } t[] = { { 0, true }, { 20, true }, { 40, false } };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct world *w = world(POLICY_B_INTEREST);
		struct call *a = invite(w, &one), *b;

		answer(w, &one);
		later(w, 5);
		call_key(w->cs, a, SUBJECT, '9', CALL_BY_RFC4733, true, w->now);
		assert_int_equal(a->state[TRAIN], PURPOSE_OPTED_OUT);
		if (t[i].wait > 0) {
			bye(w, &one);
			later(w, t[i].wait);
		}
		b = invite(w, &two);
		assert_int_equal(b->state[TRAIN], t[i].bound ? PURPOSE_OPTED_OUT : PURPOSE_PENDING);
		fake_world_free(w);
	}
}

static void test_loss_binds_all(void **state)
{
	struct world *w = world(POLICY_B_INTEREST);
	struct call *a = invite(w, &one), *b = invite(w, &two);

	(void)state;
	answer(w, &two);
	answer(w, &one);
	later(w, 75);
	call_lost_audio(w->cs, a, SUBJECT, 200, w->now);
	assert_string_equal(b->reason[TRAIN], "optout.uncertain");
	assert_int_equal(b->state[TRAIN], PURPOSE_DENIED);
	fake_world_free(w);
}

/* The data subject's own press on one counts for the other; the agent's, or another rule's, does not. */
static void test_consent(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++) {
		struct world *w = world(POLICY_B_CONSENT);
		struct call *a, *b;
		bool agent = i & 1, from_press = i & 2;

		w->policy.rule.purpose[TRAIN].training_from_press = from_press;
		a = invite(w, &one);
		b = invite(w, &two);
		answer(w, &two);
		answer(w, &one);
		later(w, 5);
		call_key(w->cs, a, agent ? AGENT : SUBJECT, '1', CALL_BY_RFC4733, true, w->now);
		assert_int_equal(a->state[TRAIN], agent ? PURPOSE_PENDING : PURPOSE_GRANTED);
		assert_int_equal(b->state[TRAIN], agent ? PURPOSE_PENDING : PURPOSE_GRANTED);
		for (int k = 0; k < 2 && !agent; k++) /* as much of the one as of the other */
			assert_int_equal((k ? b : a)->decide.granted_ns[TRAIN], from_press ? w->now : 0);
		fake_check(w);
		if (!agent) { /* and back */
			call_key(w->cs, b, SUBJECT, '0', CALL_BY_RFC4733, true, w->now);
			assert_int_equal(a->state[TRAIN], PURPOSE_WITHDRAWN);
		}
		fake_world_free(w);
	}
}

/* The announcement that was asked with is the other call's, too: which one, and that none is missing there. */
static void test_consent_and_notice(void **state)
{
	static const struct policy_notice n[] = { { .name = "n", .length_ms = 5000 }, { .name = "m", .length_ms = 5000 } };
	struct world *w = world(POLICY_B_CONSENT);
	struct call *a, *b;

	(void)state;
	w->policy.rule.proof = POLICY_PROOF_API;
	w->policy.rule.notice = n;
	w->policy.rule.nnotice = 2;
	a = invite(w, &one);
	b = invite(w, &two);
	answer(w, &two);
	answer(w, &one);
	later(w, 5);
	call_notice_heard(w->cs, a, 1, CALL_BY_API, w->now - 4 * SEC, 0, w->now);
	assert_int_equal(b->decide.notice, CALL_NOTICE_WAIT);
	call_key(w->cs, a, SUBJECT, '1', CALL_BY_RFC4733, true, w->now);
	assert_int_equal(b->state[TRAIN], PURPOSE_GRANTED);
	assert_int_equal(b->decide.notice, CALL_NOTICE_PROVEN);
	assert_int_equal(b->decide.notice_which, 2);
	later(w, 120);
	assert_int_equal(b->state[TRAIN], PURPOSE_GRANTED);
	assert_int_equal(b->state[DOC], PURPOSE_GRANTED);
	fake_world_free(w);
}

/* Who was denied for another reason than silence gets nothing by a consent on the other call, and the log has none of it. */
static void test_consent_where_denied(void **state)
{
	struct world *w = world(POLICY_B_CONSENT);
	struct call *a, *b;

	(void)state;
	w->policy.rule.purpose[TRAIN].training_from_press = true;
	a = invite(w, &one);
	b = invite(w, &two);
	answer(w, &two);
	answer(w, &one);
	call_event_why(w->cs, b, TRAIN, PURPOSE_E_TIGHTENED, "quota.day");
	later(w, 5);
	call_key(w->cs, a, SUBJECT, '1', CALL_BY_RFC4733, true, w->now);
	assert_int_equal(a->state[TRAIN], PURPOSE_GRANTED);
	assert_int_equal(b->state[TRAIN], PURPOSE_DENIED);
	assert_int_equal(b->decide.granted_ns[TRAIN], 0);
	assert_string_equal(b->reason[TRAIN], "quota.day");
	fake_world_free(w);
}

/* A slot that two calls share is durable, or lost, for both. */
static void test_shared_slot(void **state)
{
	(void)state;
	for (int lost = 0; lost < 2; lost++) {
		struct world *w = world(POLICY_B_INTEREST);
		struct call *a = invite(w, &(struct leg){ "x1", { NULL }, 1, { 1, 2 }, { 4000, 5000 } });
		struct call *b = invite(w, &(struct leg){ "x2", { NULL }, 1, { 1, 2 }, { 4000, 5000 } });

		assert_true(b->decide.sample_shared);
		a->decide.sample_waits = b->decide.sample_waits = true;
		if (lost)
			call_slot_lost(w->cs, a);
		else
			call_slot_durable(w->cs, a);
		assert_false(b->decide.sample_waits);
		assert_int_equal(b->state[TRAIN], lost ? PURPOSE_DENIED : PURPOSE_PENDING);
		assert_string_equal(b->reason[TRAIN], lost ? "sampling.unavailable" : "");
		assert_false(group_granted(a)); /* so it may be drawn again */
		b->state[TRAIN] = PURPOSE_GRANTED;
		assert_true(group_granted(a));
		fake_world_free(w);
	}
}

/* Restricted already, for want of an announcement: who objects then has objected on what is the same as well. */
static void test_objection_where_restricted(void **state)
{
	struct world *w = world(POLICY_B_INTEREST);
	struct call *a, *b;

	(void)state;
	w->policy.rule.proof = POLICY_PROOF_API;
	a = invite(w, &one);
	b = invite(w, &two);
	answer(w, &two);
	answer(w, &one);
	later(w, 75);
	assert_int_equal(a->state[DOC], PURPOSE_OBJECTED);
	assert_int_equal(b->state[DOC], PURPOSE_OBJECTED);
	assert_false(a->decide.objected || b->decide.objected);
	assert_int_equal(call_command(w->cs, a, CALL_C_OBJECT, DOC, CALL_BY_API, w->now), 0);
	assert_true(a->decide.objected && b->decide.objected);
	fake_world_free(w);
}

/* Half of a Session-ID is not enough for a consent, and silence on one call is no denial on the other. */
static void test_consent_needs_certainty(void **state)
{
	static const struct leg half = { "x2", { SID(UUID_A, NIL), SID(UUID_C, UUID_A) }, 7, { 3, 4 }, { 4100, 5100 } };
	struct world *w = world(POLICY_B_CONSENT);
	struct call *a = invite(w, &one), *b = invite(w, &half);

	(void)state;
	answer(w, &half);
	answer(w, &one);
	assert_false(group_same(a, b));
	assert_true(a->peers->group && a->peers->group == b->peers->group);
	assert_int_equal(draws, 2); /* two recordings, two slots (INV-10) */
	later(w, 5);
	call_key(w->cs, a, SUBJECT, '1', CALL_BY_RFC4733, true, w->now);
	assert_int_equal(a->state[TRAIN], PURPOSE_GRANTED);
	assert_int_equal(b->state[TRAIN], PURPOSE_PENDING);
	later(w, 10);
	assert_string_equal(b->reason[TRAIN], "consent.none");
	assert_int_equal(a->state[TRAIN], PURPOSE_GRANTED);
	fake_world_free(w);
}

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

static const struct sip_extra queue = { { "X-Queue" }, 1 };

static struct world *with_queues(enum policy_basis train)
{
	struct world *w = world(train);

	w->extra = &queue;
	w->policy.queues = true;
	w->called = "500";
	return w;
}

static struct call *to_queue(struct world *w, const char *header)
{
	bool called = w->policy.rule.side == POLICY_SIDE_CALLED;

	w->now += 10 * MS;
	/* the controller's side says so */
	fake_send(w, &(struct fake_msg){ .method = "UPDATE", .id = "x2", .from_tag = called ? "b" : "a", .to_tag = called ? "a" : "b",
					 .by_callee = called, .cseq = (uint32_t)(w->now / MS), .extra = header });
	fake_check(w);
	return fake_call(w, "x2");
}

/* Said in one call, heard in another one's later part, when nobody remembers the first any more; and a consent to something
 * else changes nothing of it (INV-4). */
static void test_bound_for_good(void **state)
{
	(void)state;
	for (int other = 0; other < 2; other++) {
		struct leg in = one, out = { "x2", { "X-Queue: 1a\r\n" SID(UUID_A, NIL), SID(UUID_B, UUID_A) }, 7, { 3, 4 }, { 4100, 5100 } };
		struct world *w = with_queues(POLICY_B_INTEREST);
		struct call *a, *b;

		if (other) {
			w->policy.rule.purpose[DOC].basis = POLICY_B_CONSENT;
			w->policy.rule.purpose[DOC].window.to_s = 120;
		}
		in.headers[0] = "X-Queue: 1a\r\n" SID(UUID_A, NIL);
		a = invite(w, &in);
		b = invite(w, &out);
		answer(w, &out);
		answer(w, &in);
		later(w, 5);
		call_key(w->cs, other ? b : a, SUBJECT, '9', CALL_BY_RFC4733, true, w->now);
		assert_int_equal(b->state[TRAIN], PURPOSE_OPTED_OUT);
		if (other) {
			later(w, 5);
			call_key(w->cs, b, SUBJECT, '2', CALL_BY_RFC4733, true, w->now);
			assert_int_equal(b->state[DOC], PURPOSE_GRANTED);
		}
		bye(w, &in);
		later(w, 90);
		b = to_queue(w, "X-Queue: 1b\r\n");
		assert_string_equal(b->queue, "1b");
		assert_int_equal(b->state[TRAIN], PURPOSE_OPTED_OUT);
		fake_world_free(w);
	}
}

/* Who opts out where nothing is for training does so for what comes after it. */
static void test_opt_out_ahead(void **state)
{
	struct leg out = { "x2", { "X-Queue: 1a\r\n", NULL }, 7, { 3, 4 }, { 4100, 5100 } };
	struct world *w = with_queues(POLICY_B_INTEREST);
	struct call *b;

	(void)state;
	fake_second(&w->policy);
	w->policy.second_controller.name = "acme";
	draw_result = "sample.draw";
	b = invite(w, &out);
	answer(w, &out);
	later(w, 5);
	assert_int_equal(b->state[TRAIN], PURPOSE_DENIED);
	assert_int_equal(call_command(w->cs, b, CALL_C_OPT_OUT, TRAIN, CALL_BY_API, w->now), 0); /* of what comes */
	assert_true(call_is_bound(b));
	assert_int_equal(b->state[TRAIN], PURPOSE_DENIED);
	assert_int_equal(call_command(w->cs, b, CALL_C_OPT_OUT, TRAIN, CALL_BY_API, w->now), -EALREADY);
	draw_result = NULL;
	w->policy.rule.name = "first";
	b = to_queue(w, "X-Queue: 2b\r\n");
	assert_string_equal(b->rule->name, "second");
	assert_int_equal(b->state[TRAIN], PURPOSE_OPTED_OUT);
	/* and in a queue of nobody's */
	b = to_queue(w, "X-Queue: 3c\r\n");
	assert_false(b->matched);
	assert_int_equal(call_command(w->cs, b, CALL_C_PAUSE, TRAIN, CALL_BY_API, w->now), -ENOENT);
	assert_int_equal(call_command(w->cs, b, CALL_C_OPT_OUT, TRAIN, CALL_BY_API, w->now), 0);
	fake_world_free(w);
}

static bool owed;

static bool on_due(void *arg, struct call *c)
{
	(void)arg;
	(void)c;
	return owed;
}

static void on_used(void *arg, struct call *c)
{
	(void)arg;
	(void)c;
	assert_true(owed);
	owed = false;
}

/* The call that is not recorded, as was promised: nor after a transfer, nor by another process (N-65). */
static void test_promise_travels(void **state)
{
	struct leg out = { "x2", { "X-Queue: 1a\r\n", NULL }, 7, { 3, 4 }, { 4100, 5100 } };

	(void)state;
	for (int reborn = 0; reborn < 2; reborn++) {
		struct world *w = with_queues(POLICY_B_INTEREST);
		struct call *b;

		w->policy.rule.side = POLICY_SIDE_CALLING;
		w->cs->sink.callback_due = on_due;
		w->cs->sink.callback_used = on_used;
		owed = true;
		b = invite(w, &out);
		answer(w, &out);
		assert_false(owed);
		assert_string_equal(b->reason[DOC], "callback");
		if (reborn) {
			fake_reborn(w);
			w->cs->sink.callback_due = on_due;
			w->cs->sink.callback_used = on_used;
		}
		later(w, 10);
		b = to_queue(w, "X-Queue: 1b\r\n");
		assert_string_equal(b->queue, "1b");
		assert_string_equal(b->reason[DOC], "callback");
		assert_string_equal(b->reason[TRAIN], "callback");
		assert_int_equal(fake_verdict(w, 3, 4100), OPTAG_V_BLOCK);
		fake_world_free(w);
	}
}

/* A consent says nothing of somebody who joins later. */
static void test_third_and_consent(void **state)
{
	struct world *w = world(POLICY_B_CONSENT);
	struct call *a;

	(void)state;
	w->policy.rule.purpose[TRAIN].window.reopen_agent = true;
	a = invite(w, &one);
	answer(w, &one);
	later(w, 30);
	assert_string_equal(a->reason[TRAIN], "consent.none");
	call_third_party(w->cs, a, w->now);
	assert_int_equal(call_command(w->cs, a, CALL_C_REOPEN, TRAIN, CALL_BY_API, w->now), 0);
	later(w, 1);
	call_key(w->cs, a, SUBJECT, '1', CALL_BY_RFC4733, true, w->now);
	assert_int_not_equal(a->state[TRAIN], PURPOSE_GRANTED);
	fake_world_free(w);
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

/* What is said in a pause is on both calls of a back-to-back agent, and goes on over a transfer; so does an objection. */
static void test_pause_binds(void **state)
{
	struct leg in = one, out = { "x2", { "X-Queue: 1a\r\n" SID(UUID_A, NIL), SID(UUID_B, UUID_A) }, 7, { 3, 4 }, { 4100, 5100 } };
	struct world *w = with_queues(POLICY_B_INTEREST);
	struct call *a, *b;

	(void)state;
	w->policy.rule.purpose[DOC].on_objection = POLICY_OBJ_STOP;
	in.headers[0] = "X-Queue: 1a\r\n" SID(UUID_A, NIL);
	a = invite(w, &in);
	b = invite(w, &out);
	answer(w, &out);
	answer(w, &in);
	assert_int_equal(call_command(w->cs, b, CALL_C_PAUSE, DOC, CALL_BY_API, w->now), 0);
	assert_int_equal(call_audio(b, SUBJECT), CALL_A_BLOCK);
	assert_int_equal(call_audio(a, SUBJECT), CALL_A_BLOCK);
	b = to_queue(w, "X-Queue: 1b\r\n");
	assert_string_equal(b->queue, "1b");
	assert_int_equal(call_audio(b, SUBJECT), CALL_A_BLOCK);
	call_key(w->cs, b, AGENT, '*', CALL_BY_RFC4733, true, w->now);
	call_key(w->cs, b, AGENT, '6', CALL_BY_RFC4733, true, w->now);
	assert_int_equal(call_audio(a, SUBJECT), CALL_A_WRITE);
	assert_int_equal(call_audio(b, SUBJECT), CALL_A_WRITE);
	assert_int_equal(call_command(w->cs, b, CALL_C_OBJECT, DOC, CALL_BY_API, w->now), 0);
	assert_int_equal(call_command(w->cs, b, CALL_C_OPT_OUT, TRAIN, CALL_BY_API, w->now), 0);
	assert_int_equal(call_audio(b, SUBJECT), CALL_A_BLOCK);
	assert_int_equal(call_audio(a, SUBJECT), CALL_A_BLOCK);
	b = to_queue(w, "X-Queue: 1c\r\n");
	assert_string_equal(b->queue, "1c");
	assert_int_equal(b->state[DOC], PURPOSE_OBJECTED);
	assert_int_equal(call_audio(b, SUBJECT), CALL_A_BLOCK);
	fake_world_free(w);
}

/* Whatever is between: a part without documentation, a time that nobody records, another controller. */
static void test_objection_travels(void **state)
{
	static const char *const through[] = { NULL, "X-Queue: 3\r\n", "X-Queue: 2b\r\n" };

	(void)state;
	for (int i = 0; i < 6; i++) {
		struct leg out = { "x2", { "X-Queue: 1a\r\n", NULL }, 7, { 3, 4 }, { 4100, 5100 } };
		struct world *w = with_queues(POLICY_B_INTEREST);
		struct call *b;

		fake_second(&w->policy);
		if (i >= 3) /* the objection is made there */
			w->policy.second.purpose[DOC].basis = POLICY_B_NONE;
		b = invite(w, &out);
		answer(w, &out);
		if (i < 3)
			assert_int_equal(call_command(w->cs, b, CALL_C_OBJECT, DOC, CALL_BY_API, w->now), 0);
		if (through[i % 3])
			b = to_queue(w, through[i % 3]);
		if (i == 5)
			assert_string_equal(b->rule->name, "second");
		if (i >= 4)
			assert_int_equal(call_command(w->cs, b, CALL_C_OBJECT, DOC, CALL_BY_API, w->now), 0);
		if (i == 2) {
			assert_string_equal(b->rule->name, "second");
			assert_int_equal(b->state[DOC], PURPOSE_OBJECTED);
		}
		fake_reborn(w);
		fake_check(w);
		b = to_queue(w, "X-Queue: 1c\r\n");
		assert_string_equal(b->queue, "1c");
		assert_int_equal(b->state[DOC], i == 3 ? PURPOSE_GRANTED : PURPOSE_OBJECTED);
		assert_int_equal(b->decide.objected, i != 3);
		fake_world_free(w);
	}
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

/* A way out that a later policy adds works at once, under the next process as well; what the caller was told stays (policy-language
 * 5.2). */
static void test_added_keys(void **state)
{
	(void)state;
	for (int reborn = 0; reborn < 2; reborn++) {
		struct world *w = world(POLICY_B_INTEREST);
		struct calls_tightened sum = { 0 };
		struct policy p = w->policy;
		struct call *a = invite(w, &one);

		p.rule.controller = &p.controller;
		strcpy(p.rule.purpose[TRAIN].optout_key[0], "4");
		strcpy(p.rule.pause_key, "*4");
		strcpy(p.rule.resume_key, "*3");
		answer(w, &one);
		later(w, 75);
		call_tighten(w->cs, a, &p, &sum);
		assert_int_equal(sum.changed, 1);
		call_tighten(w->cs, a, &p, &sum);
		assert_int_equal(sum.changed, 1);
		if (reborn) {
			fake_reborn(w);
			a = fake_call(w, "x1");
		}
		call_key(w->cs, a, AGENT, '*', CALL_BY_RFC4733, true, w->now);
		call_key(w->cs, a, AGENT, '4', CALL_BY_RFC4733, true, w->now);
		assert_true(a->decide.paused);
		call_key(w->cs, a, AGENT, '*', CALL_BY_RFC4733, true, w->now);
		call_key(w->cs, a, AGENT, '3', CALL_BY_RFC4733, true, w->now);
		assert_false(a->decide.paused);
		assert_int_equal(a->state[TRAIN], PURPOSE_GRANTED);
		call_key(w->cs, a, SUBJECT, reborn ? '4' : '9', CALL_BY_RFC4733, true, w->now);
		assert_int_equal(a->state[TRAIN], PURPOSE_OPTED_OUT);
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
		cmocka_unit_test(test_opt_out_binds_all),
		cmocka_unit_test(test_opt_out_travels),
		cmocka_unit_test(test_description_again),
		cmocka_unit_test(test_loss_binds_all),
		cmocka_unit_test(test_consent),
		cmocka_unit_test(test_consent_needs_certainty),
		cmocka_unit_test(test_one_draw),
		cmocka_unit_test(test_description_passed_on),
		cmocka_unit_test(test_not_passed_on),
		cmocka_unit_test(test_one_recording),
		cmocka_unit_test(test_longer_is_kept),
		cmocka_unit_test(test_controllers),
		cmocka_unit_test(test_never),
		cmocka_unit_test(test_consent_and_notice),
		cmocka_unit_test(test_consent_where_denied),
		cmocka_unit_test(test_shared_slot),
		cmocka_unit_test(test_objection_where_restricted),
		cmocka_unit_test(test_header),
		cmocka_unit_test(test_transfer),
		cmocka_unit_test(test_added_keys),
		cmocka_unit_test(test_bound_for_good),
		cmocka_unit_test(test_pause_binds),
		cmocka_unit_test(test_objection_travels),
		cmocka_unit_test(test_tied_later),
		cmocka_unit_test(test_takes_its_place),
		cmocka_unit_test(test_opt_out_ahead),
		cmocka_unit_test(test_promise_travels),
		cmocka_unit_test(test_third_and_consent),
		cmocka_unit_test(test_quarantined_copy),
		cmocka_unit_test(test_forger),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
