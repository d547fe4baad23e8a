/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What was lost of a call, and what a later policy does to it (policy-language 5.2); see test_decide.c.
 */
#include "decide_talk.h"

static void test_loss(void **state)
{
	static const struct {
		enum policy_basis train;
		unsigned leg;
		unsigned ms;
		int on_loss;
		bool denied, agent_key, api;
	} t[] = {
		{ POLICY_B_INTEREST, SUBJECT, 60, -1, true, true, false },  { POLICY_B_INTEREST, SUBJECT, 59, -1, false, true, false },
		{ POLICY_B_INTEREST, SUBJECT, 60, -1, true, false, true },  { POLICY_B_INTEREST, SUBJECT, 500, 1, false, true, false },
		/* the agent's, who has a key for it, whatever else there is (INV-7); and who has none */
		{ POLICY_B_INTEREST, AGENT, 60, -1, true, true, false },    { POLICY_B_INTEREST, AGENT, 59, -1, false, true, false },
		{ POLICY_B_INTEREST, AGENT, 500, -1, true, true, true },    { POLICY_B_INTEREST, AGENT, 500, 1, false, true, false },
		{ POLICY_B_INTEREST, AGENT, 500, -1, false, false, true },  { POLICY_B_CONSENT, SUBJECT, 500, -1, false, true, false },
		{ POLICY_B_CONSENT, AGENT, 500, -1, false, true, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct world *w = world(POLICY_B_INTEREST, t[i].train, false);
		struct call *c;

		w->policy.rule.purpose[TRAIN].on_loss = t[i].on_loss;
		w->policy.rule.purpose[TRAIN].optout_agent_api = t[i].api;
		if (!t[i].agent_key)
			memset(w->policy.rule.purpose[TRAIN].optout_agent_key, 0, sizeof(w->policy.rule.purpose[TRAIN].optout_agent_key));
		c = answer_call(w);
		until(w, c, 5);
		press(w, c, SUBJECT, "1");
		call_lost_audio(w->cs, c, t[i].leg, t[i].ms, w->now);
		assert_int_equal(c->state[TRAIN] == PURPOSE_DENIED, t[i].denied);
		if (t[i].denied)
			assert_string_equal(c->reason[TRAIN], "optout.uncertain");
		assert_int_equal(c->state[DOC], PURPOSE_GRANTED);
		fake_world_free(w);
	}
}

static struct call_press open_press;

static bool on_press(void *arg, struct call *c, unsigned leg, uint64_t now, struct call_press *ret)
{
	(void)arg;
	(void)c;
	(void)now;
	if (leg != SUBJECT || !open_press.key)
		return false;
	*ret = open_press;
	open_press.key = 0;
	return true;
}

/* The end of a press is lost: it is told by time or at the end, and judged by its own times (N-41, X-3). */
static void test_lost_end(void **state)
{
	static const struct {
		char key;
		double from, to, then; /* held; when something is looked at again. The window: 3 s to 15 s */
		enum purpose_state want;
	} t[] = {
		{ '1', 5, 5.1, 6, PURPOSE_GRANTED },	 { '1', 5, 5.1, 0, PURPOSE_GRANTED }, /* 0: the call ends at once */
		{ '1', 2.9, 3.1, 6, PURPOSE_DENIED },	 { '1', 2, 2.1, 6, PURPOSE_DENIED },
		{ '1', 14.7, 14.8, 15.2, PURPOSE_GRANTED }, /* over before the window is */
		{ '5', 5, 5.1, 6, PURPOSE_DENIED },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct world *w = world(POLICY_B_NONE, POLICY_B_CONSENT, false);
		static struct policy_notice n = { .name = "n", .length_ms = 5000 };
		struct call *c;

		w->cs->sink.press = on_press;
		w->policy.rule.notice = &n;
		w->policy.rule.nnotice = 1;
		w->policy.rule.purpose[TRAIN].training_from_press = true;
		c = answer_call(w);
		until(w, c, t[i].to);
		open_press = (struct call_press){ t[i].key, CALL_BY_RFC4733, true, c->answer_ns + (uint64_t)(t[i].from * 1e9),
						  c->answer_ns + (uint64_t)(t[i].to * 1e9), 0, 0 };
		call_pressing(w->cs, c, SUBJECT, w->now + 150 * MS);
		assert_int_equal(c->state[TRAIN], PURPOSE_PENDING);
		if (t[i].then > 0) {
			until(w, c, t[i].then);
			assert_int_equal(open_press.key, 0);
			assert_int_equal(c->state[TRAIN], t[i].want == PURPOSE_GRANTED ? PURPOSE_GRANTED : PURPOSE_PENDING);
			/* told late, and nothing of before it was told is recorded by it */
			assert_true(c->state[TRAIN] != PURPOSE_GRANTED || c->decide.granted_ns[TRAIN] >= c->answer_ns + (uint64_t)(t[i].to * 1e9) + 150 * MS);
			until(w, c, 16);
		} else {
			bye(w);
			c = fake_call(w, "c1");
			assert_non_null(c);
			assert_true(was_told("consent.given"));
			fake_world_free(w);
			continue;
		}
		assert_int_equal(c->state[TRAIN], t[i].want);
		fake_world_free(w);
	}
}

static uint32_t hole_ms;
static unsigned hole_leg;

static uint32_t on_hole(void *arg, struct call *c, unsigned leg)
{
	uint32_t ms = leg == hole_leg ? hole_ms : 0;

	(void)arg;
	(void)c;
	if (leg == hole_leg)
		hole_ms = 0;
	return ms;
}

/* X-4 where the audio stays in the classifier: it knows what is missing, and is asked before silence or the end decides. */
static void test_loss_below(void **state)
{
	static const struct {
		enum policy_basis train;
		bool special;
		int on_loss;
		uint32_t ms;
		bool denied;
	} t[] = {
		{ POLICY_B_INTEREST, false, -1, 200, true }, { POLICY_B_INTEREST, false, -1, 60, true },
		{ POLICY_B_INTEREST, false, -1, 59, false }, { POLICY_B_INTEREST, false, 1, 200, false },
		{ POLICY_B_INTEREST, true, -1, 200, false }, { POLICY_B_CONSENT, false, -1, 200, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]) * 6; i++) {
		size_t k = i / 6, when = i % 3; /* in the window, in the call and looked for, in the call and found at its end */
		struct world *w = world(POLICY_B_NONE, t[k].train, t[k].special);
		struct call *c;

		w->cs->sink.hole = on_hole;
		hole_leg = i % 6 < 3 ? SUBJECT : AGENT; /* who has a key, too */
		w->policy.rule.purpose[TRAIN].on_loss = t[k].on_loss;
		w->policy.rule.purpose[TRAIN].pre_decision = POLICY_PRE_BLOCK;
		c = answer_call(w);
		until(w, c, 5);
		if (t[k].train == POLICY_B_CONSENT)
			press(w, c, SUBJECT, "1");
		hole_ms = when ? 0 : t[k].ms;
		until(w, c, 100); /* the length of the announcement is not known: notice-timeout, and 10 s */
		if (!when) {
			assert_int_equal(c->state[TRAIN], t[k].denied ? PURPOSE_DENIED : PURPOSE_GRANTED);
			assert_int_equal(call_audio(c, SUBJECT), t[k].denied ? CALL_A_BLOCK : CALL_A_WRITE);
		}
		assert_int_equal(was_told("optout.uncertain:t:system:loss"), !when && t[k].denied);
		if (when) {
			assert_int_equal(c->state[TRAIN], PURPOSE_GRANTED);
			hole_ms = t[k].ms;
		}
		if (when == 1)
			call_look_for_loss(w->cs, c, w->now);
		assert_int_equal(c->state[TRAIN] == PURPOSE_DENIED, when < 2 && t[k].denied);
		bye(w);
		assert_int_equal(was_told("optout.uncertain:t:system:loss"), t[k].denied);
		fake_world_free(w);
	}
}

/* ---- requests that nobody saw ---- */

struct said {
	const char *method; /* NULL: no more */
	uint32_t cseq;
	bool by_callee;
	unsigned host; /* who sends it: 10.0.0.host; 0 the party itself */
};

#define ASK(method, n)	     { method, n, false, 0 }
#define BACK(method, n)	     { method, n, true, 0 }
#define VIA(method, n, host) { method, n, false, host }

static void send_from(struct world *w, const struct said *s)
{
	uint32_t src = w->src;

	w->now += SEC;
	if (s->host)
		w->src = 0x0a000000 | s->host;
	fake_send(w, &(struct fake_msg){ .method = s->method, .id = "c1", .from_tag = s->by_callee ? "b" : "a",
					 .to_tag = s->by_callee ? "a" : "b", .by_callee = s->by_callee, .cseq = s->cseq });
	w->src = src;
	fake_check(w);
}

/* X-4 of signalling: an opt-out by INFO may be what was not seen (RFC 3261 12.2.1.1). The INVITE has number 1. */
static void test_missed_request(void **state)
{
	static const struct {
		struct said said[6];
		unsigned dtmf;
		int on_loss;
		bool header, denied;
	} t[] = {
		{ { ASK("BYE", 2) }, 3, -1, false, false },
		{ { ASK("BYE", 3) }, 3, -1, false, true },
		{ { ASK("ACK", 2), ASK("BYE", 3) }, 3, -1, false, true }, /* the INVITE was not seen */
		{ { ASK("INFO", 3), ASK("BYE", 4) }, 3, -1, false, true },
		{ { ASK("BYE", 3) }, POLICY_DTMF_RFC4733, -1, false, false }, /* nobody sends keys that way */
		{ { ASK("BYE", 3) }, POLICY_DTMF_RFC4733, -1, true, true },   /* a header may have come with it */
		{ { ASK("BYE", 3) }, 3, 1, false, false },
		{ { ASK("INFO", 2), ASK("INFO", 2), ASK("INFO", 3), ASK("INFO", 2), ASK("BYE", 4) }, 3, -1, false, false }, /* copies */
		{ { ASK("ACK", 1), ASK("INVITE", 2), ASK("ACK", 2), ASK("OPTIONS", 3), ASK("BYE", 4) }, 3, -1, false, false },
		{ { ASK("UPDATE", 2), ASK("ACK", 1), ASK("NOTIFY", 4) }, 3, -1, false, true },
		/* the agent's own numbers: the first one has none before it; the agent has a key, too */
		{ { BACK("INFO", 700), BACK("INFO", 701), ASK("BYE", 2) }, 3, -1, false, false },
		{ { BACK("INFO", 700), BACK("INFO", 705), ASK("BYE", 2) }, POLICY_DTMF_RFC4733, -1, false, false },
		{ { BACK("INFO", 700), BACK("INFO", 705), ASK("BYE", 2) }, 3, -1, false, true },
		{ { BACK("INFO", 700), BACK("INFO", 705), ASK("BYE", 2) }, 3, -1, true, true },
		/* a back-to-back agent behind the caller numbers anew; numbers far ahead are other ones */
		{ { VIA("INFO", 101, 9), ASK("INFO", 2), VIA("INFO", 102, 9), ASK("BYE", 3) }, 3, -1, false, false },
		{ { VIA("INFO", 101, 9), ASK("INFO", 2), VIA("INFO", 103, 9) }, 3, -1, false, true },
		{ { ASK("INFO", 2), ASK("INFO", 900), ASK("BYE", 901) }, 3, -1, false, false },
		/* both are gone on with, and in both one may be missed; no number is past the greatest */
		{ { ASK("INFO", 2), ASK("INFO", 900), ASK("BYE", 4) }, 3, -1, false, true },
		{ { ASK("INFO", 900), ASK("INFO", 2), ASK("BYE", 902) }, 3, -1, false, true },
		{ { ASK("INFO", UINT32_MAX), ASK("INFO", 2), ASK("BYE", 3) }, 3, -1, false, false },
		/* two proxies that take turns: what one has not the other has */
		{ { VIA("INFO", 2, 9), ASK("BYE", 3) }, 3, -1, false, false },
		{ { VIA("INFO", 3, 9), ASK("BYE", 4) }, 3, -1, false, false }, /* (no more is known than that 3 was there) */
		/* more senders than are remembered: the oldest is new again */
		{ { VIA("INFO", 11, 9), VIA("INFO", 21, 10), VIA("INFO", 31, 11), VIA("INFO", 41, 12), ASK("BYE", 7) },
		  3, -1, false, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]) * 2; i++) {
		struct world *w = world(POLICY_B_INTEREST, POLICY_B_INTEREST, false);
		struct policy_block *b = &w->policy.rule.purpose[TRAIN];
		struct calls_stats st;
		struct call *c;

		b->dtmf = t[i / 2].dtmf;
		b->on_loss = t[i / 2].on_loss;
		b->optout_header = t[i / 2].header ? "X-Out" : NULL;
		c = answer_call(w);
		for (const struct said *s = t[i / 2].said; s->method; s++) {
			send_from(w, s);
			if (i % 2 && strcmp(s->method, "BYE") != 0) { /* the next process knows the numbers */
				fake_reborn(w);
				w->cs->sink.news = on_news;
				c = fake_call(w, "c1");
			}
		}
		if ((c->state[TRAIN] == PURPOSE_DENIED) != t[i / 2].denied)
			fail_msg("case %zu", i / 2);
		assert_int_equal(was_told("optout.uncertain:t:system:loss"), t[i / 2].denied);
		assert_int_equal(c->state[DOC], PURPOSE_GRANTED);
		calls_get_stats(w->cs, &st);
		if (t[i / 2].denied || t[i / 2].on_loss == 1)
			assert_true(st.missed_requests || i % 2);
		fake_world_free(w);
	}
}

/* The ring of signalling was full: whose messages went nobody knows. */
static void test_lost_signalling(void **state)
{
	(void)state;
	for (int info = 0; info < 2; info++) {
		struct world *w = world(POLICY_B_INTEREST, POLICY_B_INTEREST, false);
		struct call *c;

		w->policy.rule.purpose[TRAIN].dtmf = info ? POLICY_DTMF_INFO : POLICY_DTMF_RFC4733;
		c = answer_call(w);
		until(w, c, 5);
		calls_lost_signalling(w->cs, w->now);
		assert_int_equal(c->state[TRAIN], info ? PURPOSE_DENIED : PURPOSE_PENDING);
		assert_string_equal(c->reason[TRAIN], info ? "optout.uncertain" : "");
		fake_world_free(w);
	}
}

/* It was lost while no daemon ran: what was said meanwhile for documentation still waits in the rings. */
static void test_lost_before_media(void **state)
{
	(void)state;
	for (int key = 0; key < 2; key++) {
		struct world *w = world(POLICY_B_CONSENT, POLICY_B_INTEREST, false);
		struct call *c;

		w->policy.rule.purpose[TRAIN].dtmf = POLICY_DTMF_INFO;
		c = answer_call(w);
		until(w, c, 5);
		calls_horizon(w->cs, w->now);
		calls_lost_signalling(w->cs, w->now + 30 * SEC);
		assert_string_equal(c->reason[TRAIN], "optout.uncertain");
		assert_int_equal(c->state[DOC], PURPOSE_PENDING);
		w->now += SEC;
		calls_horizon(w->cs, w->now);
		if (key)
			press(w, c, SUBJECT, "2");
		calls_horizon(w->cs, UINT64_MAX);
		until(w, c, 36);
		assert_int_equal(c->state[DOC], key ? PURPOSE_GRANTED : PURPOSE_DENIED);
		fake_world_free(w);
	}
}

/* ---- a later policy ---- */

static void tighten(struct world *w, struct call *c, const struct policy_rule *r)
{
	static struct policy next;
	struct calls_tightened sum = { 0 };

	next = w->policy;
	next.rule = *r;
	next.rule.controller = &next.controller;
	w->cs->now_ns = w->now;
	call_tighten(w->cs, c, &next, &sum);
	fake_check(w);
}

/* A shorter time to say yes, a longer one to say no: of calls in progress, too. The other way round not. */
static void test_window_tightened(void **state)
{
	static const struct {
		enum policy_basis train;
		int from_s, to_s;
		double press; /* of the consent key */
		enum purpose_state at_6, at_9, at_16;
	} t[] = {
		{ POLICY_B_CONSENT, 3, 5, 0, PURPOSE_DENIED, PURPOSE_DENIED, PURPOSE_DENIED },
		{ POLICY_B_CONSENT, 3, 8, 7, PURPOSE_PENDING, PURPOSE_GRANTED, PURPOSE_GRANTED },
		{ POLICY_B_CONSENT, 3, 30, 0, PURPOSE_PENDING, PURPOSE_PENDING, PURPOSE_DENIED },
		{ POLICY_B_CONSENT, 8, 10, 7, PURPOSE_PENDING, PURPOSE_PENDING, PURPOSE_DENIED },
		{ POLICY_B_INTEREST, 3, 5, 0, PURPOSE_PENDING, PURPOSE_PENDING, PURPOSE_GRANTED },
		{ POLICY_B_INTEREST, 3, 60, 0, PURPOSE_PENDING, PURPOSE_PENDING, PURPOSE_PENDING },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]) * 2; i++) {
		static const struct policy_notice n = { .name = "n", .length_ms = 1 };
		struct world *w = world(POLICY_B_NONE, t[i / 2].train, false);
		struct policy_rule r;
		struct call *c;

		w->policy.rule.notice = &n;
		w->policy.rule.nnotice = 1;
		c = answer_call(w);
		until(w, c, 6);
		r = w->policy.rule;
		r.purpose[TRAIN].window.from_s = t[i / 2].from_s;
		r.purpose[TRAIN].window.to_s = t[i / 2].to_s;
		tighten(w, c, &r);
		assert_int_equal(c->state[TRAIN], t[i / 2].at_6);
		if (i % 2) { /* the next process knows */
			fake_reborn(w);
			c = fake_call(w, "c1");
		}
		until(w, c, t[i / 2].press ? t[i / 2].press : 7);
		if (t[i / 2].press)
			press(w, c, SUBJECT, "1");
		until(w, c, 9);
		assert_int_equal(c->state[TRAIN], t[i / 2].at_9);
		until(w, c, 16);
		assert_int_equal(c->state[TRAIN], t[i / 2].at_16);
		fake_world_free(w);
	}
}

/* The purposes are spoken later than the call's rule says: by the announcement of that name, also in calls in progress. */
static void test_keys_after_tightened(void **state)
{
	static const struct {
		int mine_s, theirs_s;
		const char *name;
		bool before; /* the window is open */
		double no, yes;
	} t[] = {
		{ 0, 12, "n", false, 8, 13 },
		{ 5, 12, "n", false, 8, 13 },
		{ 5, 12, "n", true, 8, 13 },
		{ 12, 5, "n", false, 8, 13 }, /* not sooner */
		{ 12, 0, "n", false, 8, 13 },
		{ 5, 12, "other", false, 4, 6 }, /* nobody of this call hears that one */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]) * 4; i++) {
		size_t k = i / 4;
		struct policy_notice mine = { .name = "n", .length_ms = 20000, .keys_after_s = t[k].mine_s };
		struct policy_notice theirs = { .name = t[k].name, .length_ms = 20000, .keys_after_s = t[k].theirs_s };
		struct world *w = world(POLICY_B_NONE, POLICY_B_CONSENT, false);
		struct policy_rule r;
		struct call *c;

		w->policy.rule.proof = POLICY_PROOF_FINGERPRINT;
		w->policy.rule.notice = &mine;
		w->policy.rule.nnotice = 1;
		c = answer_call(w);
		r = w->policy.rule;
		r.notice = &theirs;
		until(w, c, 1);
		if (!t[k].before)
			tighten(w, c, &r);
		if (i & 2) { /* the next process knows */
			fake_reborn(w);
			c = fake_call(w, "c1");
		}
		call_notice_heard(w->cs, c, 0, CALL_BY_FINGERPRINT, c->answer_ns, 0, w->now);
		until(w, c, 2);
		if (t[k].before)
			tighten(w, c, &r);
		if (i & 2) {
			fake_reborn(w);
			c = fake_call(w, "c1");
		}
		until(w, c, i & 1 ? t[k].yes : t[k].no);
		press(w, c, SUBJECT, "1");
		assert_int_equal(c->state[TRAIN], i & 1 ? PURPOSE_GRANTED : PURPOSE_PENDING);
		fake_world_free(w);
	}
}

/* An opt-out by a header, which the rule got after the call began; by the API it is one anyway. */
static void test_header_added(void **state)
{
	(void)state;
	for (int how = 0; how < 4; how++) { /* not added; added; and by another process; another value */
		struct world *w = world(POLICY_B_NONE, POLICY_B_INTEREST, false);
		static const struct sip_extra extra = { .name = { "X-Out" }, .n = 1 };
		struct policy_rule r;
		struct call *c;

		c = answer_call(w);
		until(w, c, 100);
		assert_int_equal(c->state[TRAIN], PURPOSE_GRANTED);
		r = w->policy.rule;
		r.purpose[TRAIN].optout_header = "X-Out";
		r.purpose[TRAIN].optout_value = how == 3 ? "no" : how == 2 ? NULL : "yes";
		if (how)
			tighten(w, c, &r);
		if (how == 2) {
			fake_reborn(w);
			c = fake_call(w, "c1");
		}
		r.purpose[TRAIN].optout_header = NULL; /* a way out is not taken away again */
		if (how)
			tighten(w, c, &r);
		w->now += SEC;
		w->extra = &extra;
		fake_send(w, &(struct fake_msg){ .method = "INFO", .id = "c1", .from_tag = "a", .to_tag = "b", .cseq = 2,
						 .extra = "X-Out: yes\r\n" });
		assert_int_equal(c->state[TRAIN], how == 1 || how == 2 ? PURPOSE_OPTED_OUT : PURPOSE_GRANTED);
		fake_world_free(w);
	}
}

/* A pause by a header, how it ends, and what is silenced: of calls in progress, too (policy-language 5.2); never the other way. */
static void test_pause_tightened(void **state)
{
	static const struct {
		bool stop, next_stop;
		unsigned max, next;  /* seconds, 0 never */
		bool paused, over; /* 60 s after a pause began */
	} t[] = {
		{ false, false, 30, 90, true, false },	{ false, false, 30, 20, false, false }, { false, false, 30, 0, true, false },
		{ false, true, 90, 50, true, true },	{ true, false, 90, 50, true, false },	{ true, true, 90, 50, true, true },
		{ true, true, 50, 90, true, true },	{ false, true, 50, 90, true, true },	{ true, false, 50, 90, true, true },
		{ false, false, 0, 20, true, false },	{ false, true, 0, 50, true, true },	{ true, true, 0, 50, true, true },
		{ true, true, 0, 90, true, false },	{ true, false, 0, 20, true, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]) * 4; i++) {
		static const struct sip_extra extra = { .name = { "X-Card" }, .n = 1 };
		struct world *w = world(POLICY_B_INTEREST, POLICY_B_NONE, false);
		struct policy_rule r;
		struct call *c;

		w->policy.rule.pause_stop = t[i / 4].stop;
		w->policy.rule.pause_max = (struct policy_span){ (int)t[i / 4].max, POLICY_U_S };
		c = answer_call(w);
		until(w, c, 5);
		if (i & 1) /* it is under way already */
			assert_int_equal(call_command(w->cs, c, CALL_C_PAUSE, DOC, CALL_BY_API, w->now), 0);
		r = w->policy.rule;
		r.pause_header = "X-Card";
		r.pause_value = i & 2 ? "on" : NULL;
		r.pause_stop = t[i / 4].next_stop;
		r.pause_max.n = (int)t[i / 4].next;
		r.mute_dtmf = true;
		tighten(w, c, &r);
		fake_reborn(w);
		w->cs->sink.news = on_news;
		c = fake_call(w, "c1");
		assert_true(c->tight.mute);
		w->now = c->answer_ns + 5 * SEC;
		w->extra = &extra;
		fake_send(w, &(struct fake_msg){ .method = "INFO", .id = "c1", .from_tag = "b", .to_tag = "a", .by_callee = true, .cseq = 1,
						 .extra = "X-Card: on\r\n" });
		assert_true(c->decide.paused);
		until(w, c, 65);
		if (c->decide.paused != t[i / 4].paused || c->decide.pause_over != t[i / 4].over)
			fail_msg("case %zu, %zu", i / 4, i % 4);
		fake_world_free(w);
	}
}

/* The data subject pauses nothing by a header, and another value is another one. A header that comes later is one more way; when
 * one has no room any more, it ends. */
static void test_pause_header_added(void **state)
{
	static const char *const name[] = { "X-Card", "X-Other", "X-Card" }, *const value[] = { NULL, "on", "done" };
	static const struct sip_extra extra = { .name = { "X-Card", "X-Other" }, .n = 2 };
	char longest[CALL_TIGHT_TEXT];

	(void)state;
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = 0;
	for (int how = 0; how < 6; how++) { /* by whom, and which of the headers */
		struct world *w = world(POLICY_B_INTEREST, POLICY_B_INTEREST, false);
		struct call *c = answer_call(w);
		struct policy_rule r = w->policy.rule;
		bool agent = how & 1;
		char says[64];

		until(w, c, 5);
		for (int i = 0; i < 3; i++) {
			r.pause_header = name[i];
			r.pause_value = value[i];
			tighten(w, c, &r);
		}
		tighten(w, c, &r); /* it is known */
		fake_reborn(w);
		w->cs->sink.news = on_news;
		c = fake_call(w, "c1");
		w->now = c->answer_ns + 5 * SEC;
		assert_false(c->tight.stopped[DOC] || c->tight.stopped[TRAIN]);
		w->extra = &extra;
		snprintf(says, sizeof(says), "%s: %s\r\n", name[how / 2], how / 2 ? value[how / 2] : "off");
		if (how / 2 == 1) { /* another value of it */
			fake_send(w, &(struct fake_msg){ .method = "INFO", .id = "c1", .from_tag = "b", .to_tag = "a", .by_callee = true,
							 .cseq = 1, .extra = "X-Other: off\r\n" });
			assert_false(c->decide.paused);
		}
		fake_send(w, &(struct fake_msg){ .method = "INFO", .id = "c1", .from_tag = agent ? "b" : "a", .to_tag = agent ? "a" : "b",
						 .by_callee = agent, .cseq = 2, .extra = says });
		assert_int_equal(c->decide.paused, agent);
		for (int i = 0; i < 3; i++) {
			longest[0] = (char)('a' + i);
			r.pause_header = r.pause_value = longest;
			assert_false(c->tight.stopped[DOC]);
			tighten(w, c, &r);
			if (c->tight.stopped[DOC])
				break;
		}
		assert_true(c->tight.stopped[DOC] && c->tight.stopped[TRAIN]);
		assert_int_equal(c->state[TRAIN], PURPOSE_DENIED);
		fake_world_free(w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lost_end),
		cmocka_unit_test(test_loss),
		cmocka_unit_test(test_loss_below),
		cmocka_unit_test(test_missed_request),
		cmocka_unit_test(test_lost_signalling),
		cmocka_unit_test(test_lost_before_media),
		cmocka_unit_test(test_window_tightened),
		cmocka_unit_test(test_keys_after_tightened),
		cmocka_unit_test(test_header_added),
		cmocka_unit_test(test_pause_tightened),
		cmocka_unit_test(test_pause_header_added),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
