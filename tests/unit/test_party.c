/* SPDX-License-Identifier: BSD-2-Clause */
/* test_party.c - a SIP message is a party's own word, and says it once: a key by INFO counts by whose tags it has, and as one press. */
#include "decide_talk.h"

#define FOREIGN 0x42060606u
#define AGENT_OUT 0x0a000063u

static void info(struct world *w, const char *from, const char *to, bool by_callee, uint32_t cseq, const char *key)
{
	char body[32];

	snprintf(body, sizeof(body), "Signal=%s\r\n", key);
	fake_send(w, &(struct fake_msg){ .method = "INFO", .id = "c1", .from_tag = from, .to_tag = to, .by_callee = by_callee, .cseq = cseq,
					 .sdp = body, .type = "application/dtmf-relay" });
	fake_check(w);
}

static void pass(struct world *w, unsigned status, const char *from, const char *to, uint32_t src, uint32_t dst, const char *extra)
{
	uint32_t was[2] = { w->src, w->dst };

	w->src = src;
	w->dst = dst;
	w->now += 10 * MS;
	fake_send(w, &(struct fake_msg){ .method = "INVITE", .status = status, .id = "c1", .from_tag = from, .to_tag = to, .cseq = 1, .extra = extra });
	w->src = was[0];
	w->dst = was[1];
	fake_check(w);
}

static void invite(struct world *w, unsigned status, const char *from, const char *to, uint32_t src, uint32_t dst)
{
	pass(w, status, from, to, src, dst, NULL);
}

/* Somebody who knows the Call-ID, and no tag. */
enum forged { NOTHING, INVITE_BEFORE, OK_BEFORE, OK_OF_OWN_BEFORE, OK_AFTER, OKS_AFTER, AGENT_PASSES_ON, STRANGER_THEN_AGENT, THROUGH_PROXY, AGAIN_THROUGH_PROXY, NO_TAG, NO_TAG_AGAIN };

static struct call *begin(struct world *w, enum forged f)
{
	char a[512], b[512];

	message(w, "INVITE", 0, "", 1, fake_sdp(a, sizeof(a), 1, 1, 4000, NULL));
	if (f == INVITE_BEFORE || f == OK_OF_OWN_BEFORE || f == STRANGER_THEN_AGENT)
		invite(w, 0, "evil", "", FOREIGN, w->dst);
	if (f == AGENT_PASSES_ON || f == STRANGER_THEN_AGENT)
		invite(w, 0, "far", "", w->dst, AGENT_OUT);
	if (f == THROUGH_PROXY) { /* which has the caller's INVITE to pass on, too */
		invite(w, 0, "evil", "", FOREIGN, w->dst);
		pass(w, 0, "evil", "", w->dst, AGENT_OUT, "v: SIP/2.0/UDP evil;branch=z9hG4bK1\r\n");
		invite(w, 0, "evil2", "", FOREIGN, w->dst);
		pass(w, 0, "evil2", "", w->dst, AGENT_OUT, "Via: SIP/2.0/UDP evil;branch=z9hG4bK2\r\n");
		invite(w, 200, "evil", "zz", AGENT_OUT, w->dst);
		invite(w, 200, "evil2", "zz", AGENT_OUT, w->dst);
	}
	if (f == AGAIN_THROUGH_PROXY) { /* the first is seen behind it, too, and was refused */
		message(w, "INVITE", 407, "p", 1, NULL);
		pass(w, 0, "evil", "", w->src, w->dst, "Via: SIP/2.0/UDP evil;branch=z9hG4bK1\r\n");
		invite(w, 0, "a", "", w->src, w->dst);
		invite(w, 200, "evil", "zz", w->dst, w->src);
	}
	if (f == NO_TAG || f == NO_TAG_AGAIN) {
		if (f == NO_TAG_AGAIN)
			message(w, "INVITE", 407, "p", 1, NULL);
		invite(w, 0, "", "", f == NO_TAG ? w->dst : w->src, f == NO_TAG ? AGENT_OUT : w->dst);
		if (f == NO_TAG_AGAIN)
			invite(w, 0, "a", "", w->src, w->dst);
		invite(w, 200, "", "zz", w->dst, w->src);
		fake_send(w, &(struct fake_msg){ .method = "CANCEL", .id = "c1", .from_tag = "", .to_tag = "", .cseq = 1 });
		assert_int_equal(fake_call(w, "c1")->phase, CALL_SETUP);
	}
	if (f == OK_BEFORE)
		invite(w, 200, "evil", "zz", FOREIGN, w->src);
	if (f == OK_OF_OWN_BEFORE)
		invite(w, 200, "evil", "zz", FOREIGN, w->dst);
	if (f == AGENT_PASSES_ON || f == STRANGER_THEN_AGENT)
		invite(w, 200, "far", "c", w->dst, AGENT_OUT);
	message(w, "INVITE", 200, "b", 1, fake_sdp(b, sizeof(b), 2, 2, 5000, NULL));
	message(w, "ACK", 0, "b", 1, NULL);
	for (int i = 0; f >= OK_AFTER && f <= OKS_AFTER && i < (f == OK_AFTER ? 1 : 5); i++) {
		char tag[8];

		snprintf(tag, sizeof(tag), "z%d", i);
		invite(w, 200, "evil", i ? tag : "zz", FOREIGN, w->src);
	}
	return fake_call(w, "c1");
}

static void test_whose_key(void **state)
{
	static const struct {
		enum forged f;
		bool calling; /* the controller calls: the data subject is the callee */
		const char *from, *to;
		bool by_callee, grants;
	} t[] = {
		{ NOTHING, false, "a", "b", false, true },
		{ NOTHING, false, "a", "nope", false, false },
		{ NOTHING, false, "a", "", false, false },
		{ NOTHING, false, "evil", "b", false, false },
		{ NOTHING, true, "b", "a", true, true },
		{ NOTHING, true, "b", "nope", true, false },
		{ NOTHING, true, "zz", "a", true, false },
		{ INVITE_BEFORE, false, "evil", "b", false, false },
		{ INVITE_BEFORE, false, "evil", "zz", false, false },
		{ INVITE_BEFORE, false, "a", "b", false, true },
		{ OK_OF_OWN_BEFORE, false, "evil", "zz", false, false },
		{ OK_BEFORE, true, "evil", "a", true, false },
		{ OK_BEFORE, true, "zz", "evil", true, false },
		{ OK_BEFORE, true, "b", "a", true, true },
		{ OK_AFTER, true, "zz", "evil", true, false },
		{ OK_AFTER, true, "zz", "a", true, false },
		{ OKS_AFTER, true, "z9", "a", true, false }, /* more than are told apart */
		{ OKS_AFTER, true, "b", "a", true, true },
		/* a back-to-back agent that keeps the Call-ID: both sides of it */
		{ AGENT_PASSES_ON, false, "a", "b", false, true },
		{ AGENT_PASSES_ON, false, "far", "c", false, true },
		{ AGENT_PASSES_ON, true, "c", "far", true, true },
		{ AGENT_PASSES_ON, true, "c", "a", true, false },
		{ STRANGER_THEN_AGENT, true, "c", "far", true, true },
		{ STRANGER_THEN_AGENT, false, "evil", "c", false, false },
		{ THROUGH_PROXY, false, "evil", "zz", false, false },
		{ THROUGH_PROXY, false, "evil2", "zz", false, false },
		{ THROUGH_PROXY, false, "a", "b", false, true },
		{ AGAIN_THROUGH_PROXY, false, "evil", "zz", false, false },
		{ NO_TAG, false, "", "zz", false, false },
		{ NO_TAG, false, "a", "b", false, true },
		{ NO_TAG_AGAIN, false, "", "zz", false, false },
	};

	(void)state;
	for (int reborn = 0; reborn < 2; reborn++) {
		for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
			struct world *w = world(POLICY_B_INTEREST, POLICY_B_CONSENT, false);
			struct call *c;

			if (t[i].calling)
				w->policy.rule.side = POLICY_SIDE_CALLING;
			c = begin(w, t[i].f);
			until(w, c, 5);
			if (reborn) {
				fake_reborn(w);
				c = fake_call(w, "c1");
			}
			info(w, t[i].from, t[i].to, t[i].by_callee, 2, "1");
			if (t[i].grants != (c->state[TRAIN] == PURPOSE_GRANTED))
				fail_msg("%zu: %s", i, t[i].grants ? "not believed" : "believed");
			fake_world_free(w);
		}
	}
}

/* A copy of the message is no press; the next message is; a retry with credentials, and the far side of an agent, are none. */
static void test_once(void **state)
{
	(void)state;
	for (int reborn = 0; reborn < 2; reborn++) {
		struct world *w = world(POLICY_B_INTEREST, POLICY_B_CONSENT, false);
		struct call *c = begin(w, AGENT_PASSES_ON);

		until(w, c, 5);
		info(w, "a", "b", false, 2, "1");
		w->now += 20 * MS;
		info(w, "a", "b", false, 2, "1");
		if (reborn) {
			fake_reborn(w);
			c = fake_call(w, "c1");
		}
		w->now += 20 * MS;
		info(w, "a", "b", false, 2, "1");
		assert_int_equal(c->presses, 1);
		info(w, "far", "c", false, 102, "1");
		assert_int_equal(c->presses, reborn ? 2 : 1); /* digits do not go to the next daemon */
		w->now += 2000 * MS;
		info(w, "a", "b", false, 3, "5");
		assert_int_equal(c->presses, reborn ? 3 : 2);
		fake_send(w, &(struct fake_msg){ .method = "INFO", .status = 407, .id = "c1", .from_tag = "a", .to_tag = "b", .cseq = 3 });
		info(w, "a", "b", false, 4, "5");
		assert_int_equal(c->presses, reborn ? 3 : 2);
		info(w, "a", "b", false, 5, "5");
		assert_int_equal(c->presses, reborn ? 4 : 3);
		fake_world_free(w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whose_key),
		cmocka_unit_test(test_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
