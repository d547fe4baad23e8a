/* SPDX-License-Identifier: BSD-2-Clause */
/* test_call_many.c - many calls, calls at random, saved calls that are damaged */
#include "call_talk.h"

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
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_damaged_save),
	};

	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	reborn = true;
	return failed + cmocka_run_group_tests_name("the same, reborn after every step", tests, NULL, NULL);
}
