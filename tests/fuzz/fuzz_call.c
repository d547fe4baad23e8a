/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_call.c - the call table under any sequence of messages, times and decisions
 *
 * The first bytes choose the rule. Then each byte chooses a step: a message from
 * parts (method, status, tags, CSeq, description), the same with some bytes
 * changed, bytes of the input as a message, time forward or back, an event of a
 * purpose. After each step: one owner an address, only matched calls own, an
 * ended call owns nothing, numbers unique, wheel and tables agree, verdicts in
 * the flow table are those of the state (fakecalls.h).
 */
#define FAKE_FLOWS 1024
#include "../fakecalls.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define STEPS_MAX 200 /* each is checked in full */

struct input {
	const uint8_t *p;
	size_t n;
};

static unsigned take(struct input *in, unsigned below)
{
	unsigned v;

	if (!in->n)
		return 0;
	v = *in->p++ % below;
	in->n--;
	return v;
}

static void choose_rule(struct world *w, struct input *in)
{
	struct policy_rule *r = &w->policy.rule;
	unsigned flags = take(in, 256), more = take(in, 256);
	int p;

	for (p = 0; p < POLICY_PURPOSES; p++) {
		r->purpose[p].basis = (enum policy_basis)take(in, 4);
		r->purpose[p].special = flags & 1;
		r->purpose[p].window.reopen_agent = flags & 2;
		r->purpose[p].on_objection = (enum policy_objection)(more & 3);
	}
	r->record_early_media = flags & 4;
	r->record_hold_music = flags & 8;
	r->side = flags & 16 ? POLICY_SIDE_CALLING : POLICY_SIDE_CALLED;
	r->proof = flags & 32 ? POLICY_PROOF_ATTESTED : POLICY_PROOF_HEADER;
	r->exclude_leg = (int)(flags >> 6) % 3 - 1;
	r->on_missing_notice = (enum policy_missing)((more >> 2) % 3);
	r->max_length = (struct policy_span){ (more >> 4) * 20, POLICY_U_S };
}

static const char *description(struct input *in, char *buf, size_t size)
{
	static const char *const more[] = {
		NULL, NULL, NULL, "a=sendonly\r\n", "a=inactive\r\n", "a=recordpref:off\r\n",
		"m=audio 4001 RTP/SAVP 0\r\n", "a=candidate:1 1 UDP 1 10.0.0.1 4002 typ host\r\n",
		"m=audio 4003 RTP/AVP 0 96\r\na=rtpmap:96 telephone-event/8000\r\n",
		"a=candidate:1 1 UDP 1 10.0.0.9 4004 typ host\r\na=candidate:1 1 UDP 1 10.0.0.9 4005 typ host\r\n"
		"a=candidate:1 1 UDP 1 10.0.0.9 4006 typ host\r\na=candidate:1 1 UDP 1 10.0.0.9 4007 typ host\r\n",
	};
	unsigned b = take(in, 256);

	if (b & 128)
		return NULL;
	fake_sdp(buf, size, b & 3, 1 + (b >> 2 & 3), 4000 + (b >> 4 & 7), more[take(in, 10)]);
	return buf;
}

static void change(struct input *in, char *text, size_t n)
{
	unsigned i, changes = take(in, 4);

	for (i = 0; i < changes; i++) {
		size_t at = take(in, 256) << 8;

		at |= take(in, 256);
		text[at % n] = (char)take(in, 256);
	}
}

static void message(struct world *w, struct input *in, bool changed)
{
	static const char *const methods[] = { "INVITE", "INVITE", "INVITE", "ACK",  "BYE",    "CANCEL",
					       "UPDATE", "PRACK",  "INFO",   "REFER", "OPTIONS", "INVITE" };
	static const unsigned statuses[] = { 0, 0, 0, 0, 0, 100, 180, 183, 200, 200, 200, 401, 407, 481, 486, 487, 488, 603 };
	static const char *const tags[] = { "", "a", "b", "x", "y", "z" };
	static const char *const called[] = { "100", "101", "500", "900" };
	/* what ties calls together, moves them to another rule, or brings somebody in */
	static const char *const extra[] = {
		NULL,
		NULL,
		"Session-ID: a0000000000000000000000000000001;remote=00000000000000000000000000000000\r\n",
		"Session-ID: b0000000000000000000000000000002;remote=a0000000000000000000000000000001\r\n",
		"Replaces: c0;to-tag=b;from-tag=a\r\nX-Queue: 1\r\n",
		"Join: c1;to-tag=b;from-tag=a\r\nX-Queue: 2\r\n",
		"Contact: <sip:h>;isfocus\r\nRefer-To: <sip:101@h>\r\n",
		"X-Queue: 3\r\nReferred-By: <sip:200@h>\r\n",
	};
	char id[8], sdp[2048], text[8192];
	struct fake_msg k = { .id = id };
	unsigned b = take(in, 256);
	size_t n;

	k.method = methods[take(in, 12)];
	k.status = statuses[take(in, 18)];
	k.from_tag = tags[take(in, 6)];
	k.to_tag = tags[take(in, 6)];
	k.cseq = b & 3;
	k.by_callee = b & 4;
	snprintf(id, sizeof(id), "c%u", b >> 3 & 3);
	w->called = called[b >> 5 & 3];
	b = take(in, 256);
	w->src = 0x0a000001 + (b & 3);
	w->dst = 0x0a000001 + (b >> 2 & 3);
	k.extra = extra[b >> 5 & 7];
	k.sdp = description(in, sdp, sizeof(sdp));
	n = fake_text(w, &k, text, sizeof(text));
	if (changed)
		change(in, text, n);
	fake_hand_over(w, text, n, b & 16);
}

static void bytes_as_message(struct world *w, struct input *in)
{
	size_t n = take(in, 256) * 8u;

	if (n > in->n)
		n = in->n;
	fake_hand_over(w, (const char *)in->p, n, true);
	in->p += n;
	in->n -= n;
}

static void time_passes(struct world *w, struct input *in)
{
	static const uint64_t steps[] = { 1,	   5 * MS,   100 * MS,	600 * MS,    SEC,
					  20 * SEC, 70 * SEC, 300 * SEC, 4000 * SEC, 9000000 * SEC };
	unsigned b = take(in, 256);
	uint64_t by = steps[b % 10];

	if (b >= 200)
		w->now = w->now > by ? w->now - by : 0;
	else
		w->now += by;
	w->packets += b & 1;
	calls_tick(w->cs, w->now);
}

static void decision(struct world *w, struct input *in)
{
	unsigned b = take(in, 256);
	char id[8];
	struct call *c;

	snprintf(id, sizeof(id), "c%u", b & 3);
	c = fake_call(w, id);
	if (c && c->matched && c->phase != CALL_TOMBSTONE)
		call_event(w->cs, c, (enum policy_purpose)(b >> 2 & 1),
			   (enum purpose_event)(take(in, 256) % PURPOSE_EVENTS));
}

static const struct sip_extra queue = { { "X-Queue" }, 1 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	struct call_limits l;
	struct world *w;
	int steps;

	call_default_limits(&l);
	l.calls = 1 + take(&in, 8);
	w = fake_world(&l);
	choose_rule(w, &in);
	fake_second(&w->policy);
	w->policy.queues = true;
	w->extra = &queue;
	for (steps = 0; in.n && steps < STEPS_MAX; steps++) {
		unsigned op = take(&in, 16);

		w->now += MS;
		if (op < 9)
			message(w, &in, false);
		else if (op < 11)
			message(w, &in, true);
		else if (op < 12)
			bytes_as_message(w, &in);
		else if (op < 14)
			time_passes(w, &in);
		else
			decision(w, &in);
		fake_check(w);
	}
	fake_world_free(w);
	return 0;
}
