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
 *   yes-no-yes   the caller presses 1 at 1 s, 0 at 3 s, 1 at 6 s, as in dtmf
 *   consent      1 at 1 s, as in dtmf, and no more (not in mix)
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
 *   b2bua-pass   (none of these in `mix`; the truth has the first dialog's legs) a second INVITE, other Call-ID, from
 *                192.0.2.70, 20 ms later, with the same description; audio goes directly; both end 20 ms apart
 *   b2bua-session  likewise, with descriptions of its own: the agent relays the audio, so there are two streams of each
 *                voice; Session-ID (RFC 7989) in both dialogs
 *   b2bua-header likewise with X-Ref in both INVITEs instead of Session-ID
 *   b2bua-none   likewise with neither
 *   transfer-queue  at S/2 re-INVITE of the callee with X-Queue: second, X-Agent: bo
 *   transfer-outside  likewise, of the caller
 *   transfer-attended  at S/2 another INVITE with Replaces and X-Queue: second, answered at once; the first dialog
 *                is hung up on; audio of the callee from another port from then on
 *   transfer-blind  likewise after REFER, with Referred-By
 *   conference   at S/2 re-INVITE of the callee whose Contact is a focus (RFC 4579)
 *   third-line   at S/2 re-INVITE of the callee with a second m=audio
 *   retransmit   INVITE, 200 and BYE come again after 500 ms (the same bytes), the 200 before its ACK
 */
#ifndef GENCAP_SCENARIO_H
#define GENCAP_SCENARIO_H

#include "gencap_sip.h"

struct scenario {
	const char *name;
	void (*run)(struct call *c);
	bool apart; /* not in `mix`: needs a sound, is more than one call for who reads it, or its rules know headers */
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
	struct sip_want w = {.method = "INVITE", .cseq = 1, .sdp = d, .headers = opt.headers, .branch = ++c->branch};
	struct message *m = sip(c, 0, &w);

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

	caller->keys = opt.keys[0];
	caller->key_at = opt.keys_at[0];
	callee->keys = opt.keys[1];
	callee->key_at = opt.keys_at[1];
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
	s[0]->key_at = 1;
	bye(c);
}

static void run_consent(struct call *c)
{
	struct stream *s[2];

	common(c, s);
	s[0]->keys = "1";
	s[0]->key_at = 1;
	bye(c);
}

static void run_yes_no_yes(struct call *c)
{
	struct stream *s[2];

	common(c, s);
	s[0]->keys = "1 0  1"; /* a second each; three after the no, so that it is no number */
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

/* ---- calls that are one conversation ---- */

#define AGENT_HOST 60 /* 192.0.2.70 */

static struct message *invite_at(struct call *c, uint64_t ms, const char *headers, const struct sdp_want *d)
{
	struct sip_want w = {.method = "INVITE", .cseq = 1, .sdp = d, .headers = headers, .branch = ++c->branch};

	c->cseq = 1;
	return sip(c, ms, &w);
}

static void ok_at(struct call *c, uint64_t ms, const char *headers, const struct sdp_want *d)
{
	struct sip_want w = {.method = "INVITE", .from = 1, .cseq = 1, .code = 200, .reason = "OK", .sdp = d, .branch = c->branch,
			     .to_tag = c->tag[1], .headers = headers};

	sip(c, ms, &w);
	request(c, ms + 20, "ACK", 0, 1, NULL);
}

static void bye_at(struct call *c, uint64_t ms)
{
	request(c, ms, "BYE", 0, ++c->cseq, NULL);
	answer(c, ms + 10, "BYE", 1, c->cseq, 200, "OK", NULL);
}

/* From here on messages are those of another dialog of the same people, as a back-to-back agent makes it. */
static void other_dialog(struct call *c, bool agent)
{
	c->id[0] = 'B';
	c->tag[0][0] = 'c';
	c->tag[1][0] = 'd';
	if (agent)
		c->sig[0].host.ip[net.v6 ? 15 : 3] += AGENT_HOST;
}

static struct stream *relayed(struct call *c, unsigned leg, const struct stream *of, uint16_t port)
{
	struct stream *s = stream(c, leg, (of->start - c->t0) / MS + 1, (of->end - c->t0) / MS);

	s->audio_from = of->audio_from;
	s->keys = of->keys;
	s->key_at = of->key_at;
	s->src.port += port;
	s->dst.port += port;
	c->leg[leg].n--; /* a copy of what the truth has */
	return s;
}

static void b2bua(struct call *c, const char *first[2], const char *second[2], bool relays)
{
	struct sdp_want o = side(c, 0), a = side(c, 1), o2, a2;
	struct stream *s[2];
	char id[64], tag[2][16];
	struct endp sig = c->sig[0];

	memcpy(id, c->id, sizeof(id));
	memcpy(tag, c->tag, sizeof(tag));
	invite_at(c, 0, first[0], &o);
	ok_at(c, 1000, first[1], &a);
	c->answered = true;
	c->end = "bye";
	bye_at(c, MEDIA_END + 100);
	audio_both(c, s);
	o2 = o;
	a2 = a;
	if (relays) {
		o2.at.port += 1000;
		a2.at.port += 1000;
		o2.side = 1; /* the session number of another host */
	} else {
		c->sdp_version[0] = c->sdp_version[1] = 0;
	}
	other_dialog(c, true);
	invite_at(c, 20, second[0], &o2);
	ok_at(c, 990, second[1], &a2);
	bye_at(c, MEDIA_END + 120);
	if (relays)
		for (unsigned i = 0; i < 2; i++)
			relayed(c, i, s[i], 1000);
	memcpy(c->id, id, sizeof(id));
	memcpy(c->tag, tag, sizeof(tag));
	c->sig[0] = sig;
}

#define SESSION(l, r) "Session-ID: " l ";remote=" r "\r\n"
#define UUID_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa1"
#define UUID_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb2"
#define UUID_0 "00000000000000000000000000000000"

static void run_b2bua_pass(struct call *c)
{
	const char *none[2] = {opt.headers, NULL};

	b2bua(c, none, none, false);
}

static void run_b2bua_none(struct call *c)
{
	const char *none[2] = {opt.headers, NULL};

	b2bua(c, none, none, true);
}

static void run_b2bua_session(struct call *c)
{
	const char *h[2] = {SESSION(UUID_A, UUID_0), SESSION(UUID_B, UUID_A)};

	b2bua(c, h, h, true);
}

static void run_b2bua_header(struct call *c)
{
	const char *h[2] = {"X-Ref: 4711\r\n", NULL};

	b2bua(c, h, h, true);
}

static void transfer_queue(struct call *c, int by)
{
	struct sdp_want o = side(c, 0), a = side(c, 1);
	struct sip_want w = {.method = "INVITE", .from = by, .asker = by, .sdp = by ? &a : &o,
			     .headers = "X-Queue: second\r\nX-Agent: bo\r\n"};
	uint64_t half = 1040 + opt.seconds * 500;

	common(c, NULL);
	w.cseq = by ? ++c->cseq_back : ++c->cseq;
	w.branch = ++c->branch;
	w.to_tag = c->tag[1];
	sip(c, half, &w);
	answer(c, half + 20, "INVITE", !by, w.cseq, 200, "OK", by ? &o : &a);
	request(c, half + 40, "ACK", by, w.cseq, NULL);
	bye(c);
}

static void run_transfer_queue(struct call *c)
{
	transfer_queue(c, 1);
}

static void run_transfer_outside(struct call *c)
{
	transfer_queue(c, 0);
}

static void transfer(struct call *c, bool blind)
{
	struct sdp_want o = side(c, 0), a = side(c, 1);
	uint64_t half = 1040 + opt.seconds * 500;
	char headers[256], number[24];
	struct stream *s[2];

	common(c, s);
	number_text(c, 1, number);
	if (blind) {
		struct sip_want w = {.method = "REFER", .from = 1, .asker = 1, .cseq = 1, .to_tag = c->tag[1], .headers = headers};

		snprintf(headers, sizeof(headers), "Refer-To: <sip:%s@%s>\r\n", number, uri_host(&c->sig[1].host));
		w.branch = ++c->branch;
		sip(c, half - 100, &w);
		answer(c, half - 90, "REFER", 0, 1, 202, "Accepted", NULL);
		snprintf(headers, sizeof(headers), "Referred-By: <sip:%s@%s>\r\nX-Queue: second\r\n", number, uri_host(&c->sig[1].host));
	} else {
		snprintf(headers, sizeof(headers), "Replaces: %s;to-tag=%s;from-tag=%s\r\nX-Queue: second\r\n", c->id, c->tag[1],
			 c->tag[0]);
	}
	bye_at(c, half + 60);
	s[0]->end = s[1]->end = c->t0 + (half + 60) * MS;
	c->end = "bye";
	other_dialog(c, false);
	o.at.port += 1000;
	a.at.port += 1000;
	invite_at(c, half, headers, &o);
	ok_at(c, half + 30, NULL, &a);
	for (unsigned i = 0; i < 2; i++) {
		struct stream *t = stream(c, i, half + 70, MEDIA_END);

		t->src.port += 1000;
		t->dst.port += 1000;
		t->keys = opt.keys[i]; /* counted from the first audio */
		t->key_at = opt.keys_at[i] > opt.seconds / 2 ? opt.keys_at[i] - opt.seconds / 2 : 86400;
		c->leg[i].n--;
	}
	bye_at(c, MEDIA_END + 100);
	c->id[0] = '0';
}

static void run_transfer_attended(struct call *c)
{
	transfer(c, false);
}

static void run_transfer_blind(struct call *c)
{
	transfer(c, true);
}

static void joined(struct call *c, bool focus)
{
	struct sdp_want o = side(c, 0), a = side(c, 1);
	struct sip_want w = {.method = "INVITE", .from = 1, .asker = 1, .cseq = 1, .sdp = &a};
	uint64_t half = 1040 + opt.seconds * 500;

	common(c, NULL);
	a.third = !focus;
	w.contact = focus ? ";isfocus" : NULL;
	w.to_tag = c->tag[1];
	w.branch = ++c->branch;
	sip(c, half, &w);
	answer(c, half + 20, "INVITE", 0, 1, 200, "OK", &o);
	request(c, half + 40, "ACK", 1, 1, NULL);
	bye_at(c, MEDIA_END + 100);
	c->end = "bye";
}

static void run_conference(struct call *c)
{
	joined(c, true);
}

static void run_third_line(struct call *c)
{
	joined(c, false);
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
	{"consent", run_consent, true},
	{"b2bua-pass", run_b2bua_pass, true},
	{"b2bua-session", run_b2bua_session, true},
	{"b2bua-header", run_b2bua_header, true},
	{"b2bua-none", run_b2bua_none, true},
	{"transfer-queue", run_transfer_queue, true},
	{"transfer-outside", run_transfer_outside, true},
	{"transfer-attended", run_transfer_attended, true},
	{"transfer-blind", run_transfer_blind, true},
	{"conference", run_conference, true},
	{"third-line", run_third_line, true},
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
