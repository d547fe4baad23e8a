/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gencap_scenario.h - of gencap.c: what happens in a call
 *
 * Times in ms from the INVITE. S: --seconds. Unless a scenario says otherwise:
 * INVITE 0, 100 at 5, 180 at 200, 200 with SDP at 1000, ACK at 1020, audio both
 * ways from 1030 (callee) and 1040 (caller) to 1040 + S * 1000, BYE 100 ms after
 * that (by the caller in even calls, by the callee in odd ones), 200 after 20 ms.
 * Each leg is one SSRC, G.711, 20 ms, telephone-event 101 negotiated.
 *
 *   basic        as above
 *   early-media  183 with SDP at 200 and audio of the callee from 210; answered at 2000
 *   fork         183 with SDP of branch A (tag A) at 200, audio of A 210-1500; 183 of branch B
 *                (another tag, another port and SSRC) at 600, audio of B from 610; B answers at 1600
 *   cancel       180, CANCEL at 3000, 200, 487, ACK; no media
 *   reject       486 at 1500, ACK; no media
 *   reinvite-move  at S/2 the caller's re-INVITE moves its port by +1000, the 200 the callee's
 *                too; both streams go on (same SSRC) between the new ports when the ACK is sent
 *   update-move  the same by UPDATE and 200
 *   hold         at S/3 re-INVITE sendonly / recvonly: the callee is silent, the caller plays on;
 *                at 2S/3 sendrecv again, same SSRC, numbers continue, timestamp jumps
 *   two-m-lines  m=audio and m=video (port + 2, payload type 96); video both ways, not in the truth
 *   no-bye       the media stops, nothing else comes
 *   port-reuse   odd calls use the ports of the even call before them, 400 ms after its BYE
 *   span-dup     every frame of the call is in the file twice, 50 us apart
 *   ssrc-change  at S/2 the caller's stream goes on under a new SSRC, number and timestamp
 *   pt-change    both codecs negotiated; at S/2 the caller changes from one to the other
 *   cn           1 s of speech, 1 s of silence with comfort noise (type 13) each 200 ms, both legs
 *   wrap         sequence numbers start 10 below, timestamps 1,600 below their wrap
 *   dtmf         the caller presses 1 2 3 # at 1, 2, 3, 4 s: 5 packets and 3 ends; no audio meanwhile
 *   yes-no-yes   the caller presses 1 at 1 s, 0 at 3 s, 1 at 5 s, as in dtmf
 *   srtp         RTP/SAVP with a=crypto; payloads are random bytes, "srtp": true in the truth
 *   media-tail   the callee's audio goes on for 300 ms after the BYE
 *   bye-lost-media-tail  the BYE is missing, its 200 is there; the callee's audio goes on for 300 ms
 *   truncated    packets 50-59 of each stream are cut by 100 bytes ("cut"; not in packets, sha256)
 *   session-timer  Session-Expires; refresh by re-INVITE with the same SDP at S/3, by UPDATE without at 2S/3
 * With --notice, and not in mix. The callee plays the announcement from 2000 on; n: its length. "key": of 1, the caller's
 *   notice       the announcement, then speech
 *   notice-key   a key by telephone-event at 2000 + n + 1000
 *   notice-tone  the same in the sound; no telephone-event is negotiated
 *   notice-tone-mid    at 6000, and the announcement stops with it
 *   notice-tone-early  at 3500, before the window
 *   notice-broken      the announcement stops at n/2, and somebody speaks; then as notice-tone
 *   notice-both  as notice-key, and the sound has the key too, 60 ms later
 *   notice-echo  as notice-tone, but it is the callee's key, and comes back in the caller's sound 40 ms later, 15 dB softer
 *   tones        1 in the sound of the caller at 2000, of the callee at 3000; telephone-event is negotiated
 *   retransmit   INVITE, 200 and BYE come again after 500 ms (the same bytes), the 200 before its ACK
 */
#ifndef GENCAP_SCENARIO_H
#define GENCAP_SCENARIO_H

#include "gencap_sip.h"

struct scenario {
	const char *name;
	void (*run)(struct call *c);
	bool apart; /* not in mix */
};

#define MEDIA_END (1040 + (uint64_t)opt.seconds * 1000)

static struct message *request(struct call *c, uint64_t ms, const char *method, int from,
			       unsigned cseq, const struct sdp_want *d)
{
	struct sip_want w = {.method = method, .from = from, .asker = from, .cseq = cseq, .sdp = d};

	w.branch = !strcmp(method, "CANCEL") ? c->branch : ++c->branch;
	w.to_tag = strcmp(method, "INVITE") && strcmp(method, "CANCEL") ? c->tag[1] : NULL;
	if (cseq > 1)
		w.to_tag = c->tag[1];
	return sip(c, ms, &w);
}

static struct message *answer(struct call *c, uint64_t ms, const char *method, int from, unsigned cseq,
			      unsigned code, const char *reason, const struct sdp_want *d)
{
	struct sip_want w = {.method = method, .from = from, .asker = !from, .cseq = cseq,
			     .code = code, .reason = reason, .sdp = d, .branch = c->branch};

	w.to_tag = code > 100 ? c->tag[1] : NULL;
	return sip(c, ms, &w);
}

static struct sdp_want side(const struct call *c, int who)
{
	return (struct sdp_want){.side = who, .at = c->rtp[who], .te = true, .srtp = c->srtp};
}

static struct message *invite(struct call *c, const struct sdp_want *d)
{
	struct message *m = request(c, 0, "INVITE", 0, 1, d);

	answer(c, 5, "INVITE", 1, 1, 100, "Trying", NULL);
	c->cseq = 1;
	return m;
}

static struct message *ok(struct call *c, uint64_t ms, const struct sdp_want *d)
{
	struct message *m = answer(c, ms, "INVITE", 1, 1, 200, "OK", d);

	c->answered = true;
	request(c, ms + 20, "ACK", 0, 1, NULL);
	return m;
}

static void bye(struct call *c)
{
	int who = c->idx % 2;
	struct message *m = request(c, MEDIA_END + 100, "BYE", who, who ? 1 : ++c->cseq, NULL);

	m->end = true;
	answer(c, MEDIA_END + 120, "BYE", !who, who ? 1 : c->cseq, 200, "OK", NULL)->last = true;
	c->end = "bye";
}

static void audio_both(struct call *c, struct stream *ret[2])
{
	struct stream *callee = stream(c, 1, 1030, MEDIA_END);
	struct stream *caller = stream(c, 0, 1040, MEDIA_END);

	if (ret) {
		ret[0] = caller;
		ret[1] = callee;
	}
}

static void plain(struct call *c, const struct sdp_want *offer, const struct sdp_want *reply,
		  struct stream *ret[2])
{
	invite(c, offer);
	answer(c, 200, "INVITE", 1, 1, 180, "Ringing", NULL);
	ok(c, 1000, reply);
	audio_both(c, ret);
}

/* A plain call with the ordinary descriptions; streams of caller and callee. */
static void common(struct call *c, struct stream *ret[2])
{
	struct sdp_want o = side(c, 0), a = side(c, 1);

	o.both_codecs = true;
	plain(c, &o, &a, ret);
}

static void run_basic(struct call *c)
{
	common(c, NULL);
	bye(c);
}

static void run_early_media(struct call *c)
{
	struct sdp_want o = side(c, 0), a = side(c, 1);

	invite(c, &o);
	answer(c, 200, "INVITE", 1, 1, 183, "Session Progress", &a);
	a.again = true;
	ok(c, 2000, &a);
	stream(c, 1, 210, MEDIA_END);
	stream(c, 0, 2040, MEDIA_END);
	bye(c);
}

static void run_fork(struct call *c)
{
	struct sdp_want o = side(c, 0), a = side(c, 1), b = side(c, 1);
	struct stream *s;

	invite(c, &o);
	answer(c, 200, "INVITE", 1, 1, 183, "Session Progress", &a);
	stream(c, 1, 210, 1500);
	memcpy(c->tag[1], c->fork_tag, sizeof(c->tag[1]));
	c->rtp[1].port += 1002;
	b.at = c->rtp[1];
	answer(c, 600, "INVITE", 1, 1, 183, "Session Progress", &b);
	stream(c, 1, 610, MEDIA_END);
	b.again = true;
	ok(c, 1600, &b);
	s = stream(c, 0, 1640, MEDIA_END);
	s->dst = c->rtp[1];
	bye(c);
}

static void run_cancel(struct call *c)
{
	struct sdp_want o = side(c, 0);

	invite(c, &o);
	answer(c, 200, "INVITE", 1, 1, 180, "Ringing", NULL);
	request(c, 3000, "CANCEL", 0, 1, NULL)->end = true;
	answer(c, 3010, "CANCEL", 1, 1, 200, "OK", NULL);
	answer(c, 3020, "INVITE", 1, 1, 487, "Request Terminated", NULL);
	c->branch--; /* the ACK of a refusal belongs to its INVITE */
	request(c, 3040, "ACK", 0, 1, NULL)->last = true;
	c->end = "cancel";
}

static void run_reject(struct call *c)
{
	struct sdp_want o = side(c, 0);

	invite(c, &o);
	answer(c, 200, "INVITE", 1, 1, 180, "Ringing", NULL);
	answer(c, 1500, "INVITE", 1, 1, 486, "Busy Here", NULL)->end = true;
	c->branch--;
	request(c, 1520, "ACK", 0, 1, NULL)->last = true;
	c->end = "reject";
}

/* Offer and answer in the dialog; o may be NULL (no body on either side). */
static void renegotiate(struct call *c, uint64_t ms, const char *method, const struct sdp_want *o,
			const struct sdp_want *a)
{
	request(c, ms, method, 0, ++c->cseq, o);
	answer(c, ms + 20, method, 1, c->cseq, 200, "OK", a);
	if (!strcmp(method, "INVITE"))
		request(c, ms + 40, "ACK", 0, c->cseq, NULL);
}

static void move(struct call *c, const char *method)
{
	struct sdp_want o = side(c, 0), a = side(c, 1);
	uint64_t half = 1040 + opt.seconds * 500;
	struct stream *s[2];

	common(c, s);
	o.at.port += 1000;
	a.at.port += 1000;
	renegotiate(c, half, method, &o, &a);
	for (int i = 0; i < 2; i++) {
		s[i]->move_at = c->t0 + (half + 45) * MS;
		s[i]->move_src = s[i]->src.port + 1000;
		s[i]->move_dst = s[i]->dst.port + 1000;
	}
	bye(c);
}

static void run_reinvite_move(struct call *c)
{
	move(c, "INVITE");
}

static void run_update_move(struct call *c)
{
	move(c, "UPDATE");
}

static void run_hold(struct call *c)
{
	struct sdp_want o = side(c, 0), a = side(c, 1);
	uint64_t third = 1040 + opt.seconds * 333, two = 1040 + opt.seconds * 666;
	struct stream *s[2];

	common(c, s);
	o.direction = "sendonly";
	a.direction = "recvonly";
	renegotiate(c, third, "INVITE", &o, &a);
	o.direction = a.direction = "sendrecv";
	renegotiate(c, two, "INVITE", &o, &a);
	s[1]->mute_from = c->t0 + (third + 25) * MS;
	s[1]->mute_to = c->t0 + (two + 45) * MS;
	s[1]->marker_next = false;
	bye(c);
}

static void run_two_m_lines(struct call *c)
{
	struct sdp_want o = side(c, 0), a = side(c, 1);
	struct stream *s;

	o.video = a.video = true;
	plain(c, &o, &a, NULL);
	for (unsigned i = 0; i < 2; i++) {
		s = stream(c, i, 1050, MEDIA_END);
		s->pt = PT_VIDEO;
		s->src.port += 2;
		s->dst.port += 2;
		c->leg[i].n--; /* not audio: no part of the truth */
	}
	bye(c);
}

static void run_no_bye(struct call *c)
{
	common(c, NULL);
	c->end = "none";
}

static void run_ssrc_change(struct call *c)
{
	struct stream *s[2];

	common(c, s);
	s[0]->end = s[0]->start + opt.seconds * 500 * MS;
	stream(c, 0, (s[0]->end - c->t0) / MS + 20, MEDIA_END);
	bye(c);
}

static void run_pt_change(struct call *c)
{
	struct sdp_want o = side(c, 0), a = side(c, 1);
	struct stream *s[2];

	o.both_codecs = a.both_codecs = true;
	plain(c, &o, &a, s);
	s[0]->pt_change = s[0]->start + opt.seconds * 500 * MS;
	s[0]->pt_later = s[0]->pt ? 0 : 8;
	bye(c);
}

static void run_cn(struct call *c)
{
	struct sdp_want o = side(c, 0), a = side(c, 1);
	struct stream *s[2];

	o.cn = a.cn = true;
	plain(c, &o, &a, s);
	s[0]->noise = s[1]->noise = true;
	bye(c);
}

static void run_wrap(struct call *c)
{
	struct stream *s[2];

	common(c, s);
	for (int i = 0; i < 2; i++) {
		s[i]->seq0 = 65526;
		s[i]->ts0 = 0u - 1600u;
	}
	bye(c);
}

static void run_dtmf(struct call *c)
{
	struct stream *s[2];

	common(c, s);
	s[0]->keys = "123#";
	bye(c);
}

static void run_yes_no_yes(struct call *c)
{
	struct stream *s[2];

	common(c, s);
	s[0]->keys = "1 0 1";
	bye(c);
}

#define NOTICE_AT 2000

static void tone(struct stream *s, struct call *c, uint64_t ms, double level)
{
	s->tone = '1';
	s->tone_at = c->t0 + ms * MS;
	s->tone_level = level;
}

/* ms: of the announcement are played. */
static void announce(struct call *c, struct stream *s[2], bool te, uint64_t ms)
{
	struct sdp_want o = side(c, 0), a = side(c, 1);

	o.te = a.te = te;
	plain(c, &o, &a, s);
	s[1]->notice_from = c->t0 + NOTICE_AT * MS;
	s[1]->notice_to = s[1]->notice_from + ms * MS;
	bye(c);
}

#define NOTICE_MS ((uint64_t)notice_n / 8)
#define LATE_KEY  (NOTICE_AT + NOTICE_MS + 1000)
#define LOUD	  5000.0

static void run_notice(struct call *c)
{
	struct stream *s[2];

	announce(c, s, true, NOTICE_MS);
}

static void run_notice_key(struct call *c)
{
	struct stream *s[2];

	announce(c, s, true, NOTICE_MS);
	s[0]->keys = "1";
	s[0]->keys_from = c->t0 + (LATE_KEY - 1000) * MS;
}

static void run_notice_tone(struct call *c)
{
	struct stream *s[2];

	announce(c, s, false, NOTICE_MS);
	tone(s[0], c, LATE_KEY, LOUD);
}

static void run_notice_tone_mid(struct call *c)
{
	struct stream *s[2];

	announce(c, s, false, 4000 + 200);
	tone(s[0], c, 6000, LOUD);
}

static void run_notice_tone_early(struct call *c)
{
	struct stream *s[2];

	announce(c, s, false, NOTICE_MS);
	tone(s[0], c, 3500, LOUD);
}

static void run_notice_broken(struct call *c)
{
	struct stream *s[2];

	announce(c, s, false, NOTICE_MS / 2);
	tone(s[0], c, LATE_KEY, LOUD);
}

static void run_notice_both(struct call *c)
{
	struct stream *s[2];

	announce(c, s, true, NOTICE_MS);
	s[0]->keys = "1";
	s[0]->keys_from = c->t0 + (LATE_KEY - 1000) * MS;
	tone(s[0], c, LATE_KEY + 180, LOUD); /* events take eight packets */
}

static void run_notice_echo(struct call *c)
{
	struct stream *s[2];

	announce(c, s, false, NOTICE_MS);
	tone(s[1], c, LATE_KEY, LOUD);
	tone(s[0], c, LATE_KEY + 40, LOUD * 0.178);
}

static void run_tones(struct call *c)
{
	struct stream *s[2];

	common(c, s);
	tone(s[0], c, 2000, LOUD);
	tone(s[1], c, 3000, LOUD);
	bye(c);
}

static void run_srtp(struct call *c)
{
	c->srtp = true;
	run_basic(c);
}

static void run_media_tail(struct call *c)
{
	struct stream *s[2];

	common(c, s);
	s[1]->end += 400 * MS;
	bye(c);
}

static void run_bye_lost(struct call *c)
{
	struct stream *s[2];
	struct message *m;

	common(c, s);
	s[1]->end += 400 * MS;
	c->branch++;
	m = answer(c, MEDIA_END + 120, "BYE", 1, ++c->cseq, 200, "OK", NULL);
	m->end = m->last = true;
	c->end = "bye-response";
}

static void run_truncated(struct call *c)
{
	struct stream *s[2];

	common(c, s);
	s[0]->cut_some = s[1]->cut_some = true;
	bye(c);
}

static void run_session_timer(struct call *c)
{
	struct sdp_want o = side(c, 0), a = side(c, 1);

	o.both_codecs = true;
	plain(c, &o, &a, NULL);
	o.again = a.again = true;
	renegotiate(c, 1040 + opt.seconds * 333, "INVITE", &o, &a);
	renegotiate(c, 1040 + opt.seconds * 666, "UPDATE", NULL, NULL);
	bye(c);
}

static void run_retransmit(struct call *c)
{
	struct sdp_want o = side(c, 0), a = side(c, 1);
	struct message *m;

	repeat(500, invite(c, &o));
	answer(c, 200, "INVITE", 1, 1, 180, "Ringing", NULL);
	m = answer(c, 1000, "INVITE", 1, 1, 200, "OK", &a);
	repeat(1500, m);
	c->answered = true;
	request(c, 1020, "ACK", 0, 1, NULL);
	request(c, 1520, "ACK", 0, 1, NULL);
	audio_both(c, NULL);
	m = request(c, MEDIA_END + 100, "BYE", 0, ++c->cseq, NULL);
	m->end = true;
	repeat(MEDIA_END + 600, m);
	answer(c, MEDIA_END + 620, "BYE", 1, c->cseq, 200, "OK", NULL)->last = true;
	c->end = "bye";
}

static const struct scenario scenarios[] = {
	{"basic", run_basic, false},
	{"early-media", run_early_media, false},
	{"fork", run_fork, false},
	{"cancel", run_cancel, false},
	{"reject", run_reject, false},
	{"reinvite-move", run_reinvite_move, false},
	{"update-move", run_update_move, false},
	{"hold", run_hold, false},
	{"two-m-lines", run_two_m_lines, false},
	{"no-bye", run_no_bye, false},
	{"port-reuse", run_basic, false},
	{"span-dup", run_basic, false},
	{"ssrc-change", run_ssrc_change, false},
	{"pt-change", run_pt_change, false},
	{"cn", run_cn, false},
	{"wrap", run_wrap, false},
	{"dtmf", run_dtmf, false},
	{"srtp", run_srtp, false},
	{"media-tail", run_media_tail, false},
	{"bye-lost-media-tail", run_bye_lost, false},
	{"truncated", run_truncated, false},
	{"session-timer", run_session_timer, false},
	{"retransmit", run_retransmit, false},
	{"notice", run_notice, true},
	{"notice-key", run_notice_key, true},
	{"notice-tone", run_notice_tone, true},
	{"notice-tone-mid", run_notice_tone_mid, true},
	{"notice-tone-early", run_notice_tone_early, true},
	{"notice-broken", run_notice_broken, true},
	{"notice-both", run_notice_both, true},
	{"notice-echo", run_notice_echo, true},
	{"tones", run_tones, true},
	{"yes-no-yes", run_yes_no_yes, false},
};

#define SCENARIOS (sizeof(scenarios) / sizeof(scenarios[0]))

static bool is_scenario(const struct call *c, const char *name)
{
	return !strcmp(c->sc->name, name);
}

static bool span_dup(const struct call *c)
{
	return is_scenario(c, "span-dup");
}

#endif
