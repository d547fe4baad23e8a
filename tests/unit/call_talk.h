/* SPDX-License-Identifier: BSD-2-Clause */
/* call_talk.h - the messages of call c1 and its verdicts, in a world of fakecalls.h. Included by one test program each. */
#ifndef CALL_TALK_H
#define CALL_TALK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "../fakecalls.h"

#define UNUSED __attribute__((unused))

#define REC  OPTAG_V_RECORD
#define GATE OPTAG_V_GATE
#define BLK  OPTAG_V_BLOCK

static char sdp_buf[4][4096];
static bool reborn; /* after every step another process goes on (call_save, calls_restore) */

/* Descriptions in turn of the caller at 10.0.0.1 and the callee at 10.0.0.2. */
UNUSED static const char *offer(unsigned port)
{
	return fake_sdp(sdp_buf[0], sizeof(sdp_buf[0]), 1, 1, port, NULL);
}

UNUSED static const char *answer(unsigned port)
{
	return fake_sdp(sdp_buf[1], sizeof(sdp_buf[1]), 2, 2, port, NULL);
}

UNUSED static const char *sdp_of(unsigned session, unsigned host, unsigned port, const char *more)
{
	return fake_sdp(sdp_buf[2], sizeof(sdp_buf[2]), session, host, port, more);
}

UNUSED static void wait_ns(struct world *w, uint64_t ns)
{
	w->now += ns;
	calls_tick(w->cs, w->now);
	fake_check(w);
	if (reborn) {
		fake_reborn(w);
		fake_check(w);
	}
}

UNUSED static void send_msg(struct world *w, const struct fake_msg *k)
{
	w->now += 10 * MS;
	fake_send(w, k);
	fake_check(w);
	if (reborn) {
		fake_reborn(w);
		fake_check(w);
	}
}

UNUSED static void ask(struct world *w, const char *method, const char *to_tag, uint32_t cseq, const char *sdp)
{
	send_msg(w, &(struct fake_msg){ .method = method, .id = "c1", .from_tag = "a", .to_tag = to_tag,
					.cseq = cseq, .sdp = sdp });
}

UNUSED static void say(struct world *w, unsigned status, const char *method, const char *to_tag, uint32_t cseq,
		const char *sdp)
{
	send_msg(w, &(struct fake_msg){ .method = method, .status = status, .id = "c1", .from_tag = "a",
					.to_tag = to_tag, .cseq = cseq, .sdp = sdp });
}

/* A request of the callee, and the caller's response to one. */
UNUSED static void ask_back(struct world *w, const char *method, uint32_t cseq, const char *sdp)
{
	send_msg(w, &(struct fake_msg){ .method = method, .id = "c1", .from_tag = "b", .to_tag = "a",
					.cseq = cseq, .sdp = sdp, .by_callee = true });
}

UNUSED static void say_back(struct world *w, unsigned status, const char *method, uint32_t cseq, const char *sdp)
{
	send_msg(w, &(struct fake_msg){ .method = method, .status = status, .id = "c1", .from_tag = "b",
					.to_tag = "a", .cseq = cseq, .sdp = sdp, .by_callee = true });
}

UNUSED static void establish(struct world *w)
{
	ask(w, "INVITE", "", 1, offer(4000));
	say(w, 180, "INVITE", "b", 1, NULL);
	say(w, 200, "INVITE", "b", 1, answer(5000));
	ask(w, "ACK", "b", 1, NULL);
}

UNUSED static void expect(struct world *w, uint8_t caller_port, uint8_t callee_port)
{
	assert_int_equal(fake_verdict(w, 1, 4000), caller_port);
	assert_int_equal(fake_verdict(w, 2, 5000), callee_port);
}

UNUSED static void hang_up(struct world *w)
{
	ask(w, "BYE", "b", 9, NULL);
	say(w, 200, "BYE", "b", 9, NULL);
	wait_ns(w, SEC);
}

enum { DOC = POLICY_DOCUMENTATION, TRAIN = POLICY_TRAINING };

UNUSED static uint64_t next_random(uint64_t *s)
{
	uint64_t z = *s += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

UNUSED static unsigned below(uint64_t *s, unsigned n)
{
	return (unsigned)(next_random(s) % n);
}

#endif
