/* SPDX-License-Identifier: BSD-2-Clause */
/* test_say.c - requests of telephone systems about calls that go in and out of what rules match */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../fakecalls.h"
#include "calls_say.h"
#include "ctl.h"
#include "record.h"

/* The recorder is the call table here. */
struct recorder {
	struct calls *cs;
};

struct calls *recorder_calls(struct recorder *r)
{
	return r->cs;
}

int recorder_command(struct recorder *r, struct call *c, enum call_command cmd, enum policy_purpose p, const struct recorder_said *by)
{
	return call_command(r->cs, c, cmd, p, CALL_BY_API, by->now_ns);
}

int recorder_sms(struct recorder *r, const struct uid *call, bool delivered, const struct recorder_said *by)
{
	(void)r;
	(void)call;
	(void)delivered;
	(void)by;
	return 0;
}

int recorder_notice(struct recorder *r, struct call *c, int which, uint64_t start_ns, uint64_t end_ns, const struct recorder_said *by)
{
	call_notice_heard(r->cs, c, which, CALL_BY_API, start_ns, end_ns, by->now_ns);
	return 0;
}

void recorder_leg(const struct recorder *r, const struct call *c, unsigned leg, struct recorder_leg *ret)
{
	(void)r;
	(void)c;
	(void)leg;
	memset(ret, 0, sizeof(*ret));
}

bool recorder_recording(const struct call *c)
{
	(void)c;
	return false;
}

static int say(struct world *w, const char *event)
{
	struct recorder r = { w->cs };
	struct ctl_peer peer = { 0 };
	json_t *rq = json_pack("{s:s, s:s}", "event", event, "sip_call_id", "x1"), *answer = json_object();
	char why[256] = "";
	int e = calls_say(&r, &peer, rq, answer, why, sizeof(why));

	assert_true(e == 0 || *why);
	json_decref(rq);
	json_decref(answer);
	return e;
}

static void message(struct world *w, const char *method, unsigned status, const char *sdp, const char *extra)
{
	bool answered = status || strcmp(method, "INVITE") != 0;
	bool own = strcmp(method, "UPDATE") == 0; /* headers within the dialog are the called side's to say */
	static unsigned cseq = 1;		  /* each transaction says a header once */

	w->now += 10 * MS;
	fake_send(w, &(struct fake_msg){ .method = method, .status = status, .id = "x1",
					 .from_tag = own ? "b" : "a", .to_tag = own ? "a" : answered ? "b" : "",
					 .cseq = strcmp(method, "INVITE") ? ++cseq : 1, .sdp = sdp, .extra = extra });
	fake_check(w);
}

/* A transfer to where no rule matches, and what is said there. */
static void test_no_rule_now(void **state)
{
	static const struct sip_extra queue = { { "X-Queue" }, 1 };
	static const char *const events[] = { "notice", "consent", "pause", "resume", "not-needed", "reopen" };
	struct world *w = fake_world(NULL);
	char a[512], b[512];
	struct call *c;

	(void)state;
	w->extra = &queue;
	w->policy.queues = true;
	w->policy.rule.purpose[POLICY_TRAINING].basis = POLICY_B_INTEREST;
	w->called = "500";
	message(w, "INVITE", 0, fake_sdp(a, sizeof(a), 1, 1, 4000, NULL), "X-Queue: 1\r\n");
	message(w, "INVITE", 200, fake_sdp(b, sizeof(b), 2, 2, 5000, NULL), NULL);
	message(w, "UPDATE", 0, NULL, "X-Queue: 3\r\n");
	c = fake_call(w, "x1");
	assert_true(!c->matched && c->trace);
	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++)
		assert_int_equal(say(w, events[i]), -ENOENT);
	assert_int_equal(say(w, "opt-out"), 0);
	message(w, "UPDATE", 0, NULL, "X-Queue: 1\r\n");
	assert_true(c->matched);
	assert_int_equal(c->state[POLICY_TRAINING], PURPOSE_OPTED_OUT);
	fake_world_free(w);
}

static struct call *with_tag(struct world *w, const char *tag)
{
	return calls_find_tags(w->cs, (struct sip_str){ "x1", 2 }, (struct sip_str){ tag, strlen(tag) }, (struct sip_str){ "", 0 });
}

/* Calls of one Call-ID: an opt-out is heard in all of them, and nobody consents in the wrong one. */
static void test_one_call_id(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++) {
		bool answered = i & 1, first_matches = i & 2;
		struct world *w = fake_world(NULL);
		struct fake_msg next = { .method = "INVITE", .id = "x1", .from_tag = "n", .to_tag = "", .cseq = 1 };
		char a[512], b[512];
		struct call *one, *two;

		w->policy.rule.purpose[POLICY_TRAINING].basis = POLICY_B_INTEREST;
		w->policy.rule.pause_api = true;
		w->called = first_matches ? "100" : "500";
		message(w, "INVITE", 0, fake_sdp(a, sizeof(a), 1, 1, 4000, NULL), NULL);
		message(w, "INVITE", 200, fake_sdp(b, sizeof(b), 2, 2, 5000, NULL), NULL);
		w->called = "100";
		w->now += SEC;
		next.sdp = fake_sdp(a, sizeof(a), 3, 3, 4000, NULL);
		fake_send(w, &next);
		if (answered) {
			next.status = 200;
			next.to_tag = "m";
			next.sdp = fake_sdp(b, sizeof(b), 4, 4, 5000, NULL);
			fake_send(w, &next);
		}
		one = with_tag(w, "a");
		two = with_tag(w, "n");
		assert_true(one != two && two->matched && one->matched == first_matches);
		assert_int_equal(say(w, "resume"), first_matches && answered ? -EPERM : -EALREADY);
		assert_int_equal(say(w, "opt-out"), 0);
		assert_int_equal(two->state[POLICY_TRAINING], PURPOSE_OPTED_OUT);
		assert_int_equal(say(w, "pause"), 0);
		assert_true(two->decide.paused && one->decide.paused == first_matches);
		if (first_matches)
			assert_int_equal(one->state[POLICY_TRAINING], PURPOSE_OPTED_OUT);
		fake_world_free(w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_rule_now),
		cmocka_unit_test(test_one_call_id),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
