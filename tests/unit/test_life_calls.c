/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_life_calls.c - INV-6: what a call tells the evidence log is enough to know what became of it
 *
 * Random rules and random lives of calls go through the real call table; what it tells becomes
 * events as evidence.c makes them; the law over these events must come to the call's own states and
 * reasons. And a log that lacks an event that mattered must not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "life.h"
#include "../fakecalls.h"

#define DOC	   POLICY_DOCUMENTATION
#define TRAIN	   POLICY_TRAINING
#define SUBJECT	   OPTAG_LEG_CALLER
#define AGENT	   OPTAG_LEG_CALLEE
#define EVENTS_MAX 200

static struct {
	struct evlog_event e[EVENTS_MAX];
	size_t n;
	const char *draw;
	bool ready;
	/* when the call ended */
	void (*ended)(void *arg, struct call *c);
	bool over;
	enum purpose_state state[POLICY_PURPOSES];
	const char *reason[POLICY_PURPOSES];
} heard;

static uint32_t rng;

static unsigned rnd(unsigned n)
{
	rng = rng * 1664525 + 1013904223;
	return (rng >> 8) % n;
}

static void add(enum evlog_kind kind, int purpose, const char *reason)
{
	MUST(heard.n < EVENTS_MAX);
	heard.e[heard.n++] = (struct evlog_event){.kind = kind,
						  .purpose = (enum evlog_purpose)(purpose + 1),
						  .source = EVLOG_S_TIMER,
						  .reason = reason};
}

static void on_news(void *arg, const struct call *c, const struct call_news *n)
{
	(void)arg;
	(void)c;
	for (int k = 0; k < EVLOG_KINDS; k++) {
		if (strcmp(evlog_kind_name((enum evlog_kind)k), n->event) != 0)
			continue;
		/* the sampler tells what was drawn */
		if (k != EVLOG_SAMPLE_IN && k != EVLOG_SAMPLE_OUT)
			add((enum evlog_kind)k, n->purpose,
			    n->reason && *n->reason ? n->reason
			    : n->how		    ? call_how_name(n->how)
						    : NULL);
		return;
	}
	fail_msg("no such event: %s", n->event);
}

static const char *on_draw(void *arg, struct call *c)
{
	(void)arg;
	(void)c;
	if (!heard.draw || strcmp(heard.draw, "sampling.unavailable") != 0)
		add(heard.draw ? EVLOG_SAMPLE_OUT : EVLOG_SAMPLE_IN, TRAIN,
		    heard.draw ? heard.draw : "sample.in");
	return heard.draw;
}

static bool on_ready(void *arg)
{
	(void)arg;
	return heard.ready;
}

static void on_ended(void *arg, struct call *c)
{
	heard.over = c->matched;
	memcpy(heard.state, c->state, sizeof(heard.state));
	memcpy(heard.reason, c->reason, sizeof(heard.reason));
	heard.ended(arg, c);
}

static struct world *world(void)
{
	static const char *const draws[] = {NULL,	   NULL,	  NULL,
					    "sample.draw", "quota.agent", "sampling.unavailable"};
	struct world *w = fake_world(NULL);
	struct policy_rule *r = &w->policy.rule;
	struct policy_block *d = &r->purpose[DOC], *t = &r->purpose[TRAIN];

	heard.n = 0;
	heard.draw = draws[rnd(6)];
	heard.ready = rnd(20) != 0;
	heard.over = false;
	heard.ended = w->cs->sink.ended;
	w->cs->sink.ended = on_ended;
	w->cs->sink.news = on_news;
	w->cs->sink.draw = on_draw;
	w->cs->sink.ready = on_ready;
	d->basis = (enum policy_basis)rnd(4);
	t->basis = (enum policy_basis)rnd(3);
	if (d->basis == POLICY_B_NONE && t->basis == POLICY_B_NONE)
		t->basis = POLICY_B_CONSENT;
	t->special = t->basis == POLICY_B_INTEREST && rnd(3) == 0;
	t->on_loss = (int)rnd(3) - 1;
	r->proof = rnd(3) ? POLICY_PROOF_ATTESTED : POLICY_PROOF_API;
	r->on_missing_notice = (enum policy_missing)rnd(3);
	r->notice_timeout_s = 20;
	r->pause_max = (struct policy_span){3, POLICY_U_MIN};
	for (int p = 0; p < POLICY_PURPOSES; p++) {
		r->purpose[p].window.reopen_agent = rnd(2);
		r->purpose[p].consent_api = rnd(2);
		r->purpose[p].withdraw_any_time = rnd(2);
		strcpy(r->purpose[p].consent_key, p ? "1" : "2");
		strcpy(r->purpose[p].withdraw_key, p ? "0" : "8");
	}
	strcpy(t->optout_key[0], "9");
	strcpy(t->optout_agent_key[0], "*7");
	t->optout_agent_api = true;
	d->not_needed = d->not_needed_api = rnd(2);
	return w;
}

static void message(struct world *w, const char *method, unsigned status, const char *to_tag,
		    uint32_t cseq, const char *sdp)
{
	w->now += 10 * MS;
	fake_send(w, &(struct fake_msg){.method = method,
					.status = status,
					.id = "c1",
					.from_tag = "a",
					.to_tag = to_tag,
					.cseq = cseq,
					.sdp = sdp});
}

static void something(struct world *w, struct call *c)
{
	enum policy_purpose p = rnd(2) ? TRAIN : DOC;
	static const char keys[] = "01289*7";

	switch (rnd(10)) {
	case 0:
	case 1:
	case 2:
		if (rnd(3)) { /* mostly alone, not as part of a number, and in the window */
			w->now += 3500 * MS;
			w->packets++;
			calls_tick(w->cs, w->now);
		}
		call_key(w->cs, c, rnd(4) ? SUBJECT : AGENT, keys[rnd(7)], CALL_BY_RFC4733,
			 rnd(5) != 0, w->now);
		break;
	case 3:
		call_lost_audio(w->cs, c, SUBJECT, 30 + rnd(100), w->now);
		break;
	case 4:
		call_recordpref_off(w->cs, c, rnd(2), w->now);
		break;
	case 5:
		if (c->rule->nnotice)
			call_notice_heard(w->cs, c, 0, CALL_BY_API, w->now, w->now + SEC, w->now);
		break;
	case 6:
	case 7:
		(void)call_command(w->cs, c, (enum call_command)rnd(CALL_COMMANDS), p, CALL_BY_API,
				   w->now);
		break;
	default:
		w->now += rnd(8000) * MS;
		w->packets++;
		calls_tick(w->cs, w->now);
		break;
	}
}

static void live(struct world *w)
{
	char a[512], b[512];
	struct call *c;
	bool answer = rnd(8) != 0;

	message(w, "INVITE", 0, "", 1, fake_sdp(a, sizeof(a), 1, 1, 4000, NULL));
	c = fake_call(w, "c1");
	if (answer) {
		message(w, "INVITE", 200, "b", 1, fake_sdp(b, sizeof(b), 2, 2, 5000, NULL));
		message(w, "ACK", 0, "b", 1, NULL);
	}
	for (unsigned i = rnd(12); i > 0; i--)
		something(w, c);
	message(w, answer ? "BYE" : "CANCEL", 0, answer ? "b" : "", answer ? 9 : 1, NULL);
	w->now += 200 * SEC;
	calls_tick(w->cs, w->now);
}

/* The law over what was told, without one event (SIZE_MAX: with all). */
static struct life_result law(const struct policy_rule *r, size_t without)
{
	struct life l = {0};
	struct life_how how;
	struct life_result res;

	for (size_t i = 0; i < heard.n; i++)
		if (i != without)
			life_event(&l, &heard.e[i]);
	life_as_logged(&l, r, &how);
	life_run(&l, &how, &res);
	return res;
}

static unsigned given(int p)
{
	unsigned n = 0;

	for (size_t i = 0; i < heard.n; i++)
		n += heard.e[i].kind == EVLOG_CONSENT_GIVEN && (int)heard.e[i].purpose == p + 1;
	return n;
}

static void test_every_life(void **state)
{
	unsigned reached[PURPOSE_STATES] = {0}, consents = 0;

	(void)state;
	rng = 3;
	for (unsigned round = 0; round < 30000; round++) {
		struct world *w = world();
		const struct policy_rule *r = &w->policy.rule;
		struct life_result res;

		live(w);
		assert_true(heard.over);
		res = law(r, SIZE_MAX);
		for (int p = 0; p < POLICY_PURPOSES; p++) {
			reached[heard.state[p]]++;
			if (life_same(heard.state[p], heard.reason[p], res.state[p], res.reason[p]))
				continue;
			for (size_t i = 0; i < heard.n; i++)
				print_error("  %s %s %s\n", evlog_kind_name(heard.e[i].kind),
					    evlog_purpose_name(heard.e[i].purpose),
					    heard.e[i].reason ? heard.e[i].reason : "");
			fail_msg("round %u, purpose %d (basis %d, special %d): the call is %s %s, "
				 "by its log %s %s",
				 round, p, (int)r->purpose[p].basis, r->purpose[p].special,
				 purpose_state_name(heard.state[p]), heard.reason[p],
				 purpose_state_name(res.state[p]), res.reason[p]);
		}
		/* a log that lacks the consent does not grant (INV-2) */
		for (size_t i = 0; i < heard.n; i++) {
			int p = (int)heard.e[i].purpose - 1;

			if (heard.e[i].kind != EVLOG_CONSENT_GIVEN ||
			    heard.state[p] != PURPOSE_GRANTED || given(p) > 1)
				continue;
			consents++;
			assert_int_not_equal(law(r, i).state[p], PURPOSE_GRANTED);
		}
		fake_world_free(w);
	}
	/* all kinds of ends came, so that something was looked at */
	for (int s = PURPOSE_GRANTED; s < PURPOSE_STATES; s++)
		assert_true(reached[s] >= 10);
	assert_true(consents > 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_life),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
