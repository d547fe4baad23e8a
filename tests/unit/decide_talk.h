/* SPDX-License-Identifier: BSD-2-Clause */
/* decide_talk.h - one call by SIP messages and times: the subject calls, the controller is called. Included by one test program each. */
#ifndef DECIDE_TALK_H
#define DECIDE_TALK_H

#include <errno.h>
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

static char told[8192];

static void on_news(void *arg, const struct call *c, const struct call_news *n)
{
	size_t l = strlen(told);

	(void)arg;
	(void)c;
	snprintf(told + l, sizeof(told) - l, "%s:%s:%s:%s:%s ", n->event, n->purpose < 0 ? "-" : n->purpose ? "t" : "d", n->actor,
		 call_how_name(n->how), n->key ? n->key : "");
}

__attribute__((unused)) static bool was_told(const char *what)
{
	return strstr(told, what) != NULL;
}

static const char *draw_result;

static const char *on_draw(void *arg, struct call *c)
{
	(void)arg;
	(void)c;
	return draw_result;
}

__attribute__((unused)) static struct world *world(enum policy_basis doc, enum policy_basis train, bool special)
{
	struct world *w = fake_world(NULL);
	struct policy_rule *r = &w->policy.rule;

	told[0] = 0;
	draw_result = NULL;
	w->cs->sink.news = on_news;
	w->cs->sink.draw = on_draw;
	r->purpose[DOC].basis = doc;
	r->purpose[TRAIN].basis = train;
	r->purpose[TRAIN].special = special;
	r->notice_timeout_s = 60;
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

__attribute__((unused)) static struct call *answer_call(struct world *w)
{
	char a[512], b[512];

	message(w, "INVITE", 0, "", 1, fake_sdp(a, sizeof(a), 1, 1, 4000, NULL));
	message(w, "INVITE", 200, "b", 1, fake_sdp(b, sizeof(b), 2, 2, 5000, NULL));
	message(w, "ACK", 0, "b", 1, NULL);
	return fake_call(w, "c1");
}

/* s seconds after the answer */
__attribute__((unused)) static void until(struct world *w, struct call *c, double s)
{
	w->now = c->answer_ns + (uint64_t)(s * 1e9);
	w->packets++; /* voices go on */
	calls_tick(w->cs, w->now);
	fake_check(w);
}

__attribute__((unused)) static void press(struct world *w, struct call *c, unsigned leg, const char *keys)
{
	for (; *keys; keys++) {
		call_key(w->cs, c, leg, *keys, CALL_BY_RFC4733, true, w->now);
		fake_check(w);
		if (keys[1])
			w->now += 200 * MS;
	}
}

__attribute__((unused)) static void bye(struct world *w)
{
	message(w, "BYE", 0, "b", 2, NULL);
	w->now += SEC;
	calls_tick(w->cs, w->now);
	fake_check(w);
}

#endif
