/* SPDX-License-Identifier: BSD-2-Clause */
/* group_talk.h - calls that are one conversation, and what the recorder would do with them. Included by one test program each. */
#ifndef GROUP_TALK_H
#define GROUP_TALK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../fakecalls.h"

#define UNUSED __attribute__((unused))

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

UNUSED static const char *on_draw(void *arg, struct call *c)
{
	(void)arg;
	(void)c;
	draws++;
	return draw_result;
}

UNUSED static uint64_t on_heard(void *arg, struct call *c, unsigned leg)
{
	size_t n = strlen(c->call_id);

	(void)arg;
	return leg < heard[c->call_id[n - 1] == '2'];
}

/* What the recorder does with it. */
UNUSED static void on_ended(void *arg, struct call *c)
{
	fake_on_ended(arg, c);
	c->peers->kept = c->peers->relation != CALL_R_DUPLICATE && c->answered;
}

UNUSED static struct world *world(enum policy_basis train)
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

UNUSED static void msg(struct world *w, const struct leg *l, const char *method, unsigned status, bool answered, uint32_t cseq, const char *sdp,
		const char *extra)
{
	w->now += 10 * MS;
	fake_send(w, &(struct fake_msg){ .method = method, .status = status, .id = l->id, .from_tag = "a", .to_tag = answered ? "b" : "",
					 .cseq = cseq, .sdp = sdp, .extra = extra });
	fake_check(w);
}

UNUSED static struct call *invite(struct world *w, const struct leg *l)
{
	char b[512];

	msg(w, l, "INVITE", 0, false, 1, fake_sdp(b, sizeof(b), l->session, l->host[0], l->port[0], NULL), l->headers[0]);
	return fake_call(w, l->id);
}

UNUSED static void answer(struct world *w, const struct leg *l)
{
	char b[512];

	msg(w, l, "INVITE", 200, true, 1, fake_sdp(b, sizeof(b), l->session + 50, l->host[1], l->port[1], NULL), l->headers[1]);
}

UNUSED static void bye(struct world *w, const struct leg *l)
{
	msg(w, l, "BYE", 0, true, 2, NULL, NULL);
	w->now += SEC;
	w->packets++;
	calls_tick(w->cs, w->now);
	fake_check(w);
}

UNUSED static void later(struct world *w, double s)
{
	w->now += (uint64_t)(s * 1e9);
	w->packets++;
	calls_tick(w->cs, w->now);
	fake_check(w);
}

/* Two calls of a back-to-back agent that passes Session-ID on, and of others: by what is given. */
static const struct leg one = { "x1", { SID(UUID_A, NIL), SID(UUID_B, UUID_A) }, 1, { 1, 2 }, { 4000, 5000 } };
static const struct leg two = { "x2", { SID(UUID_A, NIL), SID(UUID_B, UUID_A) }, 7, { 3, 4 }, { 4100, 5100 } };

static const struct sip_extra queue = { { "X-Queue" }, 1 };

UNUSED static struct world *with_queues(enum policy_basis train)
{
	struct world *w = world(train);

	w->extra = &queue;
	w->policy.queues = true;
	w->called = "500";
	return w;
}

UNUSED static struct call *to_queue(struct world *w, const char *header)
{
	bool called = w->policy.rule.side == POLICY_SIDE_CALLED;

	w->now += 10 * MS;
	/* the controller's side says so */
	fake_send(w, &(struct fake_msg){ .method = "UPDATE", .id = "x2", .from_tag = called ? "b" : "a", .to_tag = called ? "a" : "b",
					 .by_callee = called, .cseq = (uint32_t)(w->now / MS), .extra = header });
	fake_check(w);
	return fake_call(w, "x2");
}

#endif
