/* SPDX-License-Identifier: BSD-2-Clause */
/* test_record_hand.c - one recording, its purposes moved by hand */
#include "store_mock.h"

#include "media/chunker.h"
#include "media/rtp.h"
#include "media/dtmf.h"
#include "record_call.h"

struct hand {
	struct policy policy;
	struct store st;
	struct call c;
	struct recording *rc;
	uint16_t seq;
	uint64_t now;
	enum media_fate fate; /* of the last packet */
};

static void hand_new(struct hand *h, enum policy_basis doc, enum policy_basis train)
{
	memset(h, 0, sizeof(*h));
	fake_policy(&h->policy);
	h->policy.rule.purpose[0].basis = doc;
	h->policy.rule.purpose[1].basis = train;
	h->policy.rule.purpose[0].retention = h->policy.rule.purpose[1].retention =
		(struct policy_span){ 3, POLICY_U_MONTHS };
	h->c = (struct call){ .matched = true, .answered = true, .start_ns = FAKE_T0, .answer_ns = FAKE_T0,
			      .call_id = "x", .end = "bye", .policy = &h->policy, .rule = &h->policy.rule,
			      .reason = { "", "" } };
	h->now = FAKE_T0;
	assert_int_equal(recording_new(&h->st, &h->c, &h->rc), 0);
}

static void audio(struct hand *h, uint8_t fill, int packets)
{
	static const struct media_format f = { .name = "PCMA", .clock = 8000, .channels = 1, .pt = 8 };
	uint8_t payload[160];
	struct rtp_pkt p = { .pt = 8, .ssrc = 7, .payload = payload, .len = sizeof(payload) };
	struct dtmf_press key;

	memset(payload, fill, sizeof(payload));
	while (packets--) {
		p.seq = ++h->seq;
		p.ts = h->seq * 160u;
		h->now += 20 * MS;
		assert_int_equal(recording_packet(h->rc, &h->c, 0, &p, &f, CALL_PT_AUDIO, true, true, h->now, &key, &h->fate), 0);
	}
}

static enum recording_end hand_end(struct hand *h)
{
	struct recording_result end;

	h->c.end_ns = h->now + SEC;
	assert_int_equal(recording_end(h->rc, &h->c, NULL, &end), 0);
	assert_int_equal(h->st.begun, h->st.ended + h->st.aborted);
	return end.end;
}

/* The limit of all calls' audio in memory: this call has a gap and goes on, the recorder does not stop. */
static void test_no_memory(void **state)
{
	struct chunker_memory m = { .limit = 1 };
	struct hand *h = malloc(sizeof(*h));
	struct store_leg_figures fig;

	(void)state;
	hand_new(h, POLICY_B_INTEREST, POLICY_B_NONE);
	h->c.state[0] = PURPOSE_GRANTED;
	recording_limit(h->rc, &m, 0);
	audio(h, 1, 3);
	assert_int_equal(h->fate, MEDIA_NO_MEMORY);
	m.limit = 0;
	audio(h, 1, 5);
	assert_int_equal(h->fate, MEDIA_KEPT);
	recording_figures(h->rc, 0, &fig);
	assert_int_equal(fig.packets, 5);
	assert_int_equal(hand_end(h), RECORDING_KEPT);
	assert_string_equal(h->st.last.gap, "memory");
	assert_int_equal(m.used, 0);
	free(h);
}

static void test_no_purpose_no_audio(void **state)
{
	static const enum purpose_state no[] = { PURPOSE_PENDING,   PURPOSE_DENIED,  PURPOSE_WITHDRAWN,
						 PURPOSE_OPTED_OUT, PURPOSE_EXPIRED };
	struct hand *h = malloc(sizeof(*h));

	(void)state;
	for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++) {
		hand_new(h, POLICY_B_CONSENT, POLICY_B_NONE);
		h->c.state[0] = no[i];
		/* captured under a verdict that was right then, looked at now */
		audio(h, 0x22, 10);
		assert_int_equal(h->fate, MEDIA_NOT_KEPT);
		assert_int_equal(h->st.begun, 0);
		assert_int_equal(hand_end(h), RECORDING_DENIED);
	}
	free(h);
}

static void test_withdrawn_and_again(void **state)
{
	struct hand *h = malloc(sizeof(*h));

	(void)state;
	hand_new(h, POLICY_B_CONSENT, POLICY_B_NONE);
	h->c.state[0] = PURPOSE_GRANTED;
	audio(h, 0x22, 150); /* a chunk is out, another is being filled */
	h->c.state[0] = PURPOSE_WITHDRAWN;
	assert_int_equal(recording_destroy(h->rc, &h->c, POLICY_DOCUMENTATION), 0);
	assert_int_equal(h->st.aborted, 1);
	audio(h, 0x33, 10);
	assert_int_equal(h->fate, MEDIA_NOT_KEPT);
	h->c.state[0] = PURPOSE_GRANTED;
	audio(h, 0x44, 10);
	assert_int_equal(h->fate, MEDIA_KEPT);
	assert_int_equal(hand_end(h), RECORDING_KEPT);
	assert_int_equal(h->st.n[0], 10 * 160);
	assert_false(holds(&h->st, 0x22));
	assert_false(holds(&h->st, 0x33));
	assert_int_equal(h->st.last.leg[0].packets, 10);
	free(h);
}

/* A key that cannot be erased is no secret; the audio goes all the same. */
static void test_destroy_fails(void **state)
{
	struct hand *h = malloc(sizeof(*h));

	(void)state;
	hand_new(h, POLICY_B_INTEREST, POLICY_B_NONE);
	h->c.state[0] = PURPOSE_GRANTED;
	audio(h, 0x22, 150);
	h->c.state[0] = PURPOSE_WITHDRAWN;
	h->st.drop_error = -EIO;
	assert_int_equal(recording_destroy(h->rc, &h->c, POLICY_DOCUMENTATION), -EIO);
	assert_int_equal(h->st.aborted, 1);
	assert_int_equal(hand_end(h), RECORDING_DENIED);
	free(h);
}

/* A clock near the end of what 64 bits of nanoseconds can tell: this call only, and no error. */
static void test_undated(void **state)
{
	struct hand *h = malloc(sizeof(*h));

	(void)state;
	hand_new(h, POLICY_B_INTEREST, POLICY_B_NONE);
	recording_abort(h->rc);
	h->c.start_ns = INT64_MAX - 1;
	assert_int_equal(recording_new(&h->st, &h->c, &h->rc), 0);
	h->c.state[0] = PURPOSE_GRANTED;
	assert_true(recording_known(h->rc));
	audio(h, 0x22, 150);
	assert_int_equal(h->fate, MEDIA_KNOWN);
	assert_int_equal(h->st.begun, 0);
	assert_int_equal(hand_end(h), RECORDING_DENIED);
	assert_int_equal(h->st.denied, 0);
	free(h);
}

/* A purpose lost before the first packet: a late packet must not bring the call back. */
static void test_destroyed_before_audio(void **state)
{
	struct hand *h = malloc(sizeof(*h));

	(void)state;
	hand_new(h, POLICY_B_NONE, POLICY_B_INTEREST);
	h->c.state[1] = PURPOSE_OPTED_OUT;
	assert_int_equal(recording_destroy(h->rc, &h->c, POLICY_TRAINING), 0);
	audio(h, 0x22, 10);
	assert_int_equal(h->st.begun, 0);
	assert_int_equal(hand_end(h), RECORDING_DENIED);
	free(h);
}

static void test_wraps(void **state)
{
	struct hand *h = malloc(sizeof(*h));

	(void)state;
	/* training is committed at the end only, and dropped alone */
	hand_new(h, POLICY_B_INTEREST, POLICY_B_INTEREST);
	h->c.state[0] = h->c.state[1] = PURPOSE_GRANTED;
	audio(h, 0x22, 10);
	assert_int_equal(h->st.committed, 0);
	assert_int_equal(hand_end(h), RECORDING_KEPT);
	assert_int_equal(h->st.committed, 1);
	hand_new(h, POLICY_B_INTEREST, POLICY_B_INTEREST);
	h->c.state[0] = h->c.state[1] = PURPOSE_GRANTED;
	audio(h, 0x22, 10);
	h->c.state[1] = PURPOSE_OPTED_OUT;
	assert_int_equal(recording_destroy(h->rc, &h->c, POLICY_TRAINING), 0);
	assert_int_equal(h->st.dropped, 1);
	audio(h, 0x33, 10);
	assert_int_equal(hand_end(h), RECORDING_KEPT);
	assert_int_equal(h->st.n[0], 20 * 160);
	assert_int_equal(h->st.committed, 0);
	free(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_no_purpose_no_audio),
		cmocka_unit_test(test_withdrawn_and_again),
		cmocka_unit_test(test_destroy_fails),
		cmocka_unit_test(test_undated),
		cmocka_unit_test(test_destroyed_before_audio),
		cmocka_unit_test(test_wraps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
