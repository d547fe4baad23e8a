/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_hear.c - what an announcement that is being heard, and keys that sound, do to a call (guidance 7, X-1; 6, INSPECT)
 *
 * One call each by SIP messages and times, as test_decide.c; what detectors would hear is told here. The subject calls.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../fakecalls.h"

#define SEC 1000000000ULL
#define MS  1000000ULL
#define DOC   POLICY_DOCUMENTATION
#define TRAIN POLICY_TRAINING
#define SUBJECT OPTAG_LEG_CALLER
#define AGENT	OPTAG_LEG_CALLEE
/* What arrives at the caller's 10.0.0.1:4000 is the agent's voice. */
#define AGENT_VERDICT(w)   fake_verdict(w, 1, 4000)
#define SUBJECT_VERDICT(w) fake_verdict(w, 2, 5000)

static const struct policy_notice notices[] = { { .name = "da", .length_ms = 12000 }, { .name = "en", .length_ms = 20000 } };
static char told[4096];
static uint32_t told_heard_ms;

static void on_news(void *arg, const struct call *c, const struct call_news *n)
{
	size_t l = strlen(told);

	(void)arg;
	if (strcmp(n->event, "notice.played") == 0)
		told_heard_ms = c->decide.notice_heard_ms;
	snprintf(told + l, sizeof(told) - l, "%s:%s:%s:%s ", n->event, n->purpose < 0 ? "-" : n->purpose ? "t" : "d", call_how_name(n->how),
		 n->notice ? n->notice : "");
}

static unsigned times_told(const char *what)
{
	unsigned n = 0;

	for (const char *s = told; (s = strstr(s, what)); s++)
		n++;
	return n;
}

static struct world *world(enum policy_basis doc, enum policy_basis train)
{
	struct world *w = fake_world(NULL);
	struct policy_rule *r = &w->policy.rule;

	told[0] = 0;
	told_heard_ms = 0;
	w->cs->sink.news = on_news;
	r->purpose[DOC].basis = doc;
	r->purpose[TRAIN].basis = train;
	r->proof = POLICY_PROOF_FINGERPRINT;
	r->notice = notices;
	r->nnotice = 2;
	r->notice_timeout_s = 30;
	r->pause_max = (struct policy_span){ 3, POLICY_U_MIN };
	return w;
}

static void message(struct world *w, const char *method, unsigned status, const char *to_tag, uint32_t cseq, const char *sdp)
{
	w->now += 10 * MS;
	fake_send(w, &(struct fake_msg){ .method = method, .status = status, .id = "c1", .from_tag = "a", .to_tag = to_tag, .cseq = cseq,
					 .sdp = sdp });
	fake_check(w);
}

static const char *no_events(char *buf, size_t n, unsigned host, unsigned port, const char *format)
{
	snprintf(buf, n, "v=0\r\no=- %u 1 IN IP4 h\r\ns=-\r\nc=IN IP4 10.0.0.%u\r\nt=0 0\r\nm=audio %u RTP/AVP %s\r\n", host, host, port, format);
	return buf;
}

/* format: payload types without telephone-event; NULL: A-law with it. */
static struct call *answer_call(struct world *w, const char *format)
{
	char a[512], b[512];

	message(w, "INVITE", 0, "", 1, format ? no_events(a, sizeof(a), 1, 4000, format) : fake_sdp(a, sizeof(a), 1, 1, 4000, NULL));
	message(w, "INVITE", 200, "b", 1, format ? no_events(b, sizeof(b), 2, 5000, format) : fake_sdp(b, sizeof(b), 2, 2, 5000, NULL));
	message(w, "ACK", 0, "b", 1, NULL);
	return fake_call(w, "c1");
}

/* s seconds after the answer */
static void until(struct world *w, struct call *c, double s)
{
	w->now = c->answer_ns + (uint64_t)(s * 1e9);
	w->packets++; /* voices go on */
	calls_tick(w->cs, w->now);
	fake_check(w);
}

static void key(struct world *w, struct call *c, unsigned leg, char k, enum call_how how, bool trusted)
{
	call_key(w->cs, c, leg, k, how, trusted, w->now);
	fake_check(w);
}

static void hearing(struct world *w, struct call *c, int which, double start)
{
	call_notice_hearing(w->cs, c, which, c->answer_ns + (uint64_t)(start * 1e9), w->now);
	fake_check(w);
}

static void bye(struct world *w)
{
	message(w, "BYE", 0, "b", 9, NULL);
	w->now += SEC;
	calls_tick(w->cs, w->now);
	fake_check(w);
}

/* In a pause nobody listens to the announcement either (guidance 1, PAUSE). */
static void test_pause(void **state)
{
	struct world *w = world(POLICY_B_NONE, POLICY_B_CONSENT);
	struct call *c = answer_call(w, NULL);

	(void)state;
	assert_int_equal(AGENT_VERDICT(w), OPTAG_V_INSPECT);
	assert_int_equal(call_command(w->cs, c, CALL_C_PAUSE, POLICY_TRAINING, CALL_BY_API, w->now), 0);
	fake_check(w);
	assert_int_not_equal(AGENT_VERDICT(w), OPTAG_V_INSPECT);
	fake_world_free(w);
}

static void test_heard_out(void **state)
{
	struct world *w = world(POLICY_B_NONE, POLICY_B_CONSENT);
	struct call *c = answer_call(w, NULL);

	(void)state;
	assert_int_equal(AGENT_VERDICT(w), OPTAG_V_INSPECT);
	assert_int_equal(SUBJECT_VERDICT(w), OPTAG_V_GATE);
	until(w, c, 4.3);
	hearing(w, c, 0, 2);
	assert_int_equal(AGENT_VERDICT(w), OPTAG_V_INSPECT);
	assert_int_equal(times_told("notice.played"), 0);
	assert_int_equal(c->decide.notice, CALL_NOTICE_WAIT);
	until(w, c, 14);
	call_notice_heard(w->cs, c, 0, CALL_BY_FINGERPRINT, c->answer_ns + 2 * SEC, w->now, w->now);
	assert_int_equal(AGENT_VERDICT(w), OPTAG_V_BLOCK + (call_listens(c, AGENT) ? 1 : 0));
	assert_int_equal(times_told("notice.played:-:fingerprint:da"), 1);
	assert_int_equal(told_heard_ms, 12000);
	until(w, c, 23.9);
	key(w, c, SUBJECT, '1', CALL_BY_RFC4733, true);
	assert_int_equal(c->state[TRAIN], PURPOSE_GRANTED);
	assert_int_equal(AGENT_VERDICT(w), OPTAG_V_RECORD);
	bye(w);
	fake_world_free(w);
}

/* A key proves it as far as it was heard, three seconds after its start at the earliest. */
static void test_key_in_the_middle(void **state)
{
	static const struct {
		double at;
		bool counts;
	} t[] = { { 4.9, false }, { 5.1, true }, { 8, true } };

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		struct world *w = world(POLICY_B_INTEREST, POLICY_B_CONSENT);
		struct call *c = answer_call(w, NULL);

		until(w, c, 4.3);
		hearing(w, c, 1, 2);
		until(w, c, t[i].at);
		key(w, c, SUBJECT, '1', CALL_BY_RFC4733, false);
		assert_int_equal(c->state[TRAIN], PURPOSE_PENDING); /* from nowhere */
		c->decide.typed[SUBJECT].last_ns = 0; /* not a number that is being typed */
		key(w, c, SUBJECT, '1', CALL_BY_RFC4733, true);
		assert_int_equal(c->state[TRAIN], t[i].counts ? PURPOSE_GRANTED : PURPOSE_PENDING);
		assert_int_equal(times_told("notice.played:-:fingerprint:en"), t[i].counts);
		if (t[i].counts)
			assert_int_equal(told_heard_ms, (uint32_t)((t[i].at - 2) * 1000 + 0.5));
		until(w, c, 9);
		call_notice_broken(w->cs, c, w->now, w->now); /* the telephone system stops it at the key */
		fake_check(w);
		until(w, c, 31);
		assert_int_equal(c->state[TRAIN], t[i].counts ? PURPOSE_GRANTED : PURPOSE_DENIED);
		assert_int_equal(c->state[DOC], t[i].counts ? PURPOSE_GRANTED : PURPOSE_OBJECTED);
		assert_int_equal(times_told("notice.missing"), !t[i].counts);
		bye(w);
		fake_world_free(w);
	}
}

static void test_broken_off(void **state)
{
	struct world *w = world(POLICY_B_INTEREST, POLICY_B_CONSENT);
	struct call *c = answer_call(w, NULL);

	(void)state;
	until(w, c, 4.3);
	hearing(w, c, 0, 2);
	until(w, c, 7);
	call_notice_broken(w->cs, c, w->now, w->now);
	key(w, c, SUBJECT, '1', CALL_BY_RFC4733, true); /* its window went with it */
	assert_int_equal(c->state[TRAIN], PURPOSE_PENDING);
	assert_int_equal(c->decide.notice_which, 0);
	/* it is played again */
	until(w, c, 12.4);
	hearing(w, c, 1, 10);
	until(w, c, 14);
	key(w, c, SUBJECT, '1', CALL_BY_RFC4733, true);
	assert_int_equal(c->state[TRAIN], PURPOSE_GRANTED);
	assert_int_equal(times_told("notice.played:-:fingerprint:en"), 1);
	fake_world_free(w);
}

/* What began in time is heard out; the opt-out's silence waits for the end. */
static void test_late(void **state)
{
	(void)state;
	for (int broken = 0; broken < 2; broken++) {
		struct world *w = world(POLICY_B_INTEREST, POLICY_B_INTEREST);
		struct call *c = answer_call(w, NULL);

		until(w, c, 29);
		hearing(w, c, 0, 26);
		assert_int_equal(c->decide.window_to_ns[TRAIN], 0);
		until(w, c, 37);
		assert_int_equal(times_told("notice.missing"), 0);
		if (broken) {
			call_notice_broken(w->cs, c, w->now, w->now);
			assert_int_equal(times_told("notice.missing"), 1);
			assert_int_equal(c->state[TRAIN], PURPOSE_DENIED);
			assert_int_equal(c->state[DOC], PURPOSE_OBJECTED);
		} else {
			until(w, c, 38);
			call_notice_heard(w->cs, c, 0, CALL_BY_FINGERPRINT, c->answer_ns + 26 * SEC, w->now, w->now);
			until(w, c, 47.9);
			assert_int_equal(c->state[TRAIN], PURPOSE_PENDING);
			until(w, c, 48.1);
			assert_int_equal(c->state[TRAIN], PURPOSE_GRANTED);
			assert_int_equal(c->state[DOC], PURPOSE_GRANTED);
		}
		fake_world_free(w);
	}
	/* nobody tells its end: it is missing all the same */
	struct world *w = world(POLICY_B_INTEREST, POLICY_B_CONSENT);
	struct call *c = answer_call(w, NULL);

	until(w, c, 29);
	hearing(w, c, 0, 26);
	until(w, c, 42);
	assert_int_equal(times_told("notice.missing"), 1);
	key(w, c, SUBJECT, '1', CALL_BY_RFC4733, true);
	assert_int_equal(c->state[TRAIN], PURPOSE_DENIED);
	assert_false(call_seeks_notice(c, AGENT));
	fake_world_free(w);
}

/* The next daemon looks for it anew; what a key proved stays proven. */
static void test_reborn(void **state)
{
	struct world *w = world(POLICY_B_NONE, POLICY_B_CONSENT);
	struct call *c = answer_call(w, NULL);

	(void)state;
	until(w, c, 4.3);
	hearing(w, c, 0, 2);
	fake_reborn(w);
	c = fake_call(w, "c1");
	w->cs->sink.news = on_news;
	assert_false(c->decide.hearing);
	assert_true(call_seeks_notice(c, AGENT));
	until(w, c, 6);
	key(w, c, SUBJECT, '1', CALL_BY_RFC4733, true);
	assert_int_equal(c->state[TRAIN], PURPOSE_PENDING);
	until(w, c, 12.4);
	hearing(w, c, 0, 10);
	until(w, c, 15);
	key(w, c, SUBJECT, '1', CALL_BY_RFC4733, true);
	assert_int_equal(c->state[TRAIN], PURPOSE_GRANTED);
	fake_reborn(w);
	c = fake_call(w, "c1");
	assert_int_equal(c->decide.notice, CALL_NOTICE_PROVEN);
	assert_int_equal(c->state[TRAIN], PURPOSE_GRANTED);
	fake_world_free(w);
}

/* Tones are listened for where a key can be nothing else, on both legs, in what can be heard, and no longer than it matters. */
static void test_tones(void **state)
{
	static const struct {
		const char *format; /* NULL: with telephone-event */
		unsigned dtmf;
		uint8_t subject, agent;
	} t[] = {
		{ NULL, POLICY_DTMF_RFC4733 | POLICY_DTMF_INFO, OPTAG_V_GATE, OPTAG_V_INSPECT },
		{ NULL, POLICY_DTMF_RFC4733 | POLICY_DTMF_INBAND, OPTAG_V_GATE, OPTAG_V_INSPECT },
		{ NULL, POLICY_DTMF_INBAND, OPTAG_V_INSPECT, OPTAG_V_INSPECT },
		{ "0 8", POLICY_DTMF_RFC4733 | POLICY_DTMF_INBAND, OPTAG_V_INSPECT, OPTAG_V_INSPECT },
		{ "0 8", POLICY_DTMF_RFC4733, OPTAG_V_GATE, OPTAG_V_INSPECT },
		{ "9", POLICY_DTMF_RFC4733 | POLICY_DTMF_INBAND, OPTAG_V_GATE, OPTAG_V_GATE }, /* G.722 */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct world *w = world(POLICY_B_NONE, POLICY_B_CONSENT);
		struct call *c;

		for (int p = 0; p < POLICY_PURPOSES; p++)
			w->policy.rule.purpose[p].dtmf = t[i].dtmf;
		c = answer_call(w, t[i].format);
		assert_int_equal(SUBJECT_VERDICT(w), t[i].subject);
		assert_int_equal(AGENT_VERDICT(w), t[i].agent);
		until(w, c, 31); /* no notice: nothing is listened to any more */
		assert_int_equal(c->state[TRAIN], PURPOSE_DENIED);
		assert_int_not_equal(SUBJECT_VERDICT(w), OPTAG_V_INSPECT);
		assert_int_not_equal(AGENT_VERDICT(w), OPTAG_V_INSPECT);
		bye(w);
		fake_world_free(w);
	}
}

/* An opt-out that only tones could say has no path where none can be heard. */
static void test_no_path(void **state)
{
	static const struct {
		const char *format;
		unsigned dtmf;
		bool path;
	} t[] = {
		{ "8", POLICY_DTMF_INBAND, true },
		{ "9", POLICY_DTMF_INBAND, false },
		{ "8", POLICY_DTMF_RFC4733, false },
		{ "8", POLICY_DTMF_RFC4733 | POLICY_DTMF_INBAND, true },
		{ NULL, POLICY_DTMF_RFC4733, true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct world *w = world(POLICY_B_NONE, POLICY_B_INTEREST);
		struct call *c;

		for (int p = 0; p < POLICY_PURPOSES; p++)
			w->policy.rule.purpose[p].dtmf = t[i].dtmf;
		c = answer_call(w, t[i].format);
		assert_int_equal(c->state[TRAIN], t[i].path ? PURPOSE_PENDING : PURPOSE_DENIED);
		fake_world_free(w);
	}
}

/* One press by several ways is one; two presses are two. */
static void test_twins(void **state)
{
	struct world *w = world(POLICY_B_INTEREST, POLICY_B_NONE);
	struct call *c;
	unsigned presses;

	(void)state;
	strcpy(w->policy.rule.pause_key, "5");
	strcpy(w->policy.rule.resume_key, "55");
	w->policy.rule.proof = POLICY_PROOF_ATTESTED;
	w->policy.rule.purpose[DOC].dtmf = POLICY_DTMF_RFC4733 | POLICY_DTMF_INFO | POLICY_DTMF_INBAND;
	c = answer_call(w, NULL);
	until(w, c, 20);
	presses = c->presses;
	key(w, c, AGENT, '5', CALL_BY_INBAND, true);
	assert_true(c->decide.paused);
	w->now += 100 * MS;
	call_key_up(w->cs, c, AGENT, '5', CALL_BY_INBAND, w->now);
	w->now += 60 * MS;
	key(w, c, AGENT, '5', CALL_BY_RFC4733, true); /* the same press, and not the second half of the other key */
	assert_int_equal(c->presses, presses + 1);
	assert_true(c->decide.paused);
	/* 2 s later nothing of it is known */
	until(w, c, 23);
	for (int i = 0; i < CALL_TWINS; i++)
		assert_int_equal(c->decide.typed[AGENT].twin[i].key, 0);
	/* two presses, each by two ways, those of one way late */
	key(w, c, AGENT, '5', CALL_BY_RFC4733, true);
	w->now += 250 * MS;
	key(w, c, AGENT, '5', CALL_BY_RFC4733, true);
	w->now += 50 * MS;
	key(w, c, AGENT, '5', CALL_BY_INFO, true);
	w->now += 200 * MS;
	key(w, c, AGENT, '5', CALL_BY_INFO, true);
	assert_int_equal(c->presses, presses + 3);
	/* a second later it is another press */
	until(w, c, 26);
	presses = c->presses;
	key(w, c, AGENT, '5', CALL_BY_INBAND, true);
	w->now += 1100 * MS;
	key(w, c, AGENT, '5', CALL_BY_RFC4733, true);
	assert_int_equal(c->presses, presses + 2);
	fake_world_free(w);
	/* what came first from nobody known counts when it comes by its own way */
	w = world(POLICY_B_NONE, POLICY_B_CONSENT);
	w->policy.rule.purpose[TRAIN].dtmf |= POLICY_DTMF_INBAND;
	c = answer_call(w, NULL);
	until(w, c, 4.4);
	hearing(w, c, 0, 2);
	until(w, c, 6);
	key(w, c, SUBJECT, '1', CALL_BY_INBAND, false);
	assert_int_equal(c->state[TRAIN], PURPOSE_PENDING);
	w->now += 200 * MS;
	key(w, c, SUBJECT, '1', CALL_BY_RFC4733, true);
	assert_int_equal(c->state[TRAIN], PURPOSE_GRANTED);
	fake_world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_heard_out),
		cmocka_unit_test(test_pause), cmocka_unit_test(test_key_in_the_middle), cmocka_unit_test(test_broken_off),
		cmocka_unit_test(test_late),	  cmocka_unit_test(test_reborn),	    cmocka_unit_test(test_tones),
		cmocka_unit_test(test_no_path),	  cmocka_unit_test(test_twins),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
