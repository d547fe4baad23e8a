/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dialog.c - what SIP messages do to a call (RFC 3261, 3262, 3311, 3264)
 *
 * A recorder overhears; it does not take part. It sees each message at every
 * hop, sometimes twice, sometimes not at all, so nothing here depends on order
 * more than it must: state only moves forward, and whatever names an address
 * is used. Who is who is told by the From tag of the first INVITE.
 */
#include <stdio.h>
#include <string.h>

#include "call/call_internal.h"
#include "optag.h"
#include "sip/sdp.h"

static struct policy_str pstr(struct sip_str s)
{
	return (struct policy_str){ s.p, s.n };
}

static bool anonymous(const struct sip_msg *m)
{
	return sip_str_ieq(m->from.uri.user, "anonymous") ||
	       sip_str_ieq(m->from.uri.host, "anonymous.invalid");
}

static void fill_input(const struct policy *p, const struct sigin_from *from, const struct sip_msg *m,
		       struct policy_input *in)
{
	const char *names[POLICY_HEADERS_MAX];
	size_t i, n = policy_headers(p, names);

	memset(in, 0, sizeof(*in));
	in->calling = pstr(m->npai ? m->pai[0].uri.user : m->from.uri.user);
	in->withheld = m->npai ? m->privacy_id : m->privacy_id || anonymous(m);
	in->called = pstr(m->request && m->ruri.user.n ? m->ruri.user : m->to.uri.user);
	in->from_host = pstr(m->from.uri.host);
	in->to_host = pstr(m->to.uri.host);
	in->ruri_host = pstr(m->request ? m->ruri.host : m->to.uri.host);
	memcpy(in->src, from->src.addr.b, 16);
	memcpy(in->dst, from->dst.addr.b, 16);
	in->src_port = from->src.port;
	in->dst_port = from->dst.port;
	in->vlan = from->vlan;
	in->tcp = from->tcp;
	in->time = (int64_t)(from->ts_ns / 1000000000ULL);
	for (i = 0; i < n && i < SIP_EXTRA_MAX; i++)
		in->header[i] = pstr(m->extra[i]);
}

/* Asks the policy once and pins its answer. */
static void decide(struct calls *cs, struct call *c, const struct sigin_from *from,
		   const struct sip_msg *m)
{
	struct policy_decision d;
	struct policy_input in;
	char seed[2 * CALL_ID_MAX + 2];
	int n, p;

	if (!cs->policy) {
		cs->stats.unmatched++;
		return;
	}
	fill_input(cs->policy, from, m, &in);
	policy_eval(cs->policy, &in, &d);
	if (d.verdict != POLICY_MATCH) {
		cs->stats.unmatched++;
		cs->stats.never += d.verdict == POLICY_NEVER;
		return;
	}
	cs->stats.matched++;
	c->matched = true;
	c->policy = cs->policy;
	c->rule = d.rule;
	memcpy(c->calling, d.calling, sizeof(c->calling));
	memcpy(c->called, d.called, sizeof(c->called));
	if (d.agent.p)
		snprintf(c->agent, sizeof(c->agent), "%.*s", (int)(d.agent.n < 63 ? d.agent.n : 63),
			 d.agent.p);
	n = snprintf(seed, sizeof(seed), "%s\n%s", c->call_id, c->caller_tag);
	uid_make(c->start_ns, seed, (size_t)n, &c->uid);
	for (p = 0; p < POLICY_PURPOSES; p++)
		call_event(cs, c, (enum policy_purpose)p, PURPOSE_E_MATCH);
	/* The opt-out that the announcement promises cannot be heard yet: no training (R-41b). */
	call_event(cs, c, POLICY_TRAINING, PURPOSE_E_NO_PATH);
	if (d.rule->proof != POLICY_PROOF_ATTESTED) {
		/* No other proof is understood yet: unproven, so training is denied and documentation
		 * restricted (N-31, R-60). */
		for (p = 0; p < POLICY_PURPOSES; p++)
			call_event(cs, c, (enum policy_purpose)p, PURPOSE_E_NO_NOTICE);
	} else {
		for (p = 0; p < POLICY_PURPOSES; p++)
			call_event(cs, c, (enum policy_purpose)p, PURPOSE_E_NOTICE);
	}
	cs->sink.matched(cs->sink.arg, c);
}

static bool tag_is(struct sip_str tag, const char *want)
{
	size_t n = strlen(want);

	return tag.n == n && (n == 0 || memcmp(tag.p, want, n) == 0);
}

/* Who sent this message: the party whose tag is in From sends the requests. */
static unsigned sender_of(const struct call *c, const struct sigin_from *from, const struct sip_msg *m)
{
	bool caller_asks = tag_is(m->from.tag, c->caller_tag);

	if (!*c->caller_tag && !m->from.tag.n) /* RFC 2543: no tags; the first INVITE's source tells */
		caller_asks = ipaddr_equal(m->request ? &from->src.addr : &from->dst.addr, &c->invite_src);
	return caller_asks == m->request ? OPTAG_LEG_CALLER : OPTAG_LEG_CALLEE;
}

/* Which hop and branch an SDP belongs to. The caller's offer is one for all branches. */
static uint64_t line_of(unsigned side, const struct sigin_from *from, const struct sip_msg *m)
{
	const struct ipaddr *a = &from->src.addr, *b = &from->dst.addr, *t;
	struct sip_str tag = m->request ? m->from.tag : m->to.tag;
	uint8_t k[33 + CALL_ID_MAX];
	size_t n = 33;

	if (memcmp(a->b, b->b, 16) > 0) {
		t = a;
		a = b;
		b = t;
	}
	k[0] = (uint8_t)side;
	memcpy(k + 1, a->b, 16);
	memcpy(k + 17, b->b, 16);
	if (side == OPTAG_LEG_CALLEE && tag.n && tag.n <= CALL_ID_MAX) {
		memcpy(k + n, tag.p, tag.n);
		n += tag.n;
	}
	return hash_bytes(k, n);
}

/* An offer inside a dialog is in force when it is answered; everything else at once. */
static bool is_late_offer(const struct call *c, const struct sip_msg *m)
{
	if (!m->request)
		return false;
	if (m->method == SIP_M_UPDATE)
		return true;
	return m->method == SIP_M_INVITE && m->to.tag.n && (c->answered || m->cseq != c->invite_cseq);
}

static void take_sdp(struct calls *cs, struct call *c, const struct sigin_from *from,
		     const struct sip_msg *m)
{
	struct sip_str body = sip_sdp_body(m);
	unsigned side = sender_of(c, from, m);
	const char *why;
	struct sdp s;

	if (!body.p || m->method == SIP_M_OPTIONS || (!m->request && m->status >= 300))
		return;
	if (sdp_parse(body.p, body.n, &s, &why)) {
		cs->stats.bad_sdp++;
		return;
	}
	if (s.recordpref == SDP_PREF_OFF && c->matched) { /* RX-12 */
		int p;

		for (p = 0; p < POLICY_PURPOSES; p++)
			call_event(cs, c, (enum policy_purpose)p, PURPOSE_E_OPT_OUT);
	}
	call_sdp(cs, c, side, line_of(side, from, m), is_late_offer(c, m) ? m->cseq : 0, &s, from->ts_ns);
}

static void answered(struct calls *cs, struct call *c, const struct sigin_from *from)
{
	if (c->answered)
		return;
	c->answered = true;
	c->answer_ns = from->ts_ns;
	c->phase = CALL_ANSWERED;
	c->end = "";
	c->end_ns = 0;
	call_set_timer(cs, c, from->ts_ns + cs->limit.media_timeout_ns / 4);
}

static void invite_response(struct calls *cs, struct call *c, const struct sigin_from *from,
			    const struct sip_msg *m)
{
	/* the offerer is the other side of who answers */
	unsigned offerer = sender_of(c, from, m) == OPTAG_LEG_CALLER ? OPTAG_LEG_CALLEE : OPTAG_LEG_CALLER;
	/* each side numbers its own requests, so the callee's CSeq may equal the first INVITE's */
	bool later = c->answered && (m->cseq != c->invite_cseq || offerer == OPTAG_LEG_CALLEE);

	if (m->status < 200)
		return;
	c->status = m->status;
	if (m->status < 300) {
		/* An early offer made in UPDATE does not matter here; the INVITE's own does. */
		if (later)
			call_offer_done(cs, c, offerer, m->cseq, true, from->ts_ns);
		else if (c->phase != CALL_ENDING) {
			bool first = !c->answered;

			answered(cs, c, from);
			if (first)
				call_refresh_verdicts(cs, c);
		}
		return;
	}
	if (later) {
		call_offer_done(cs, c, offerer, m->cseq, false, from->ts_ns);
		return;
	}
	/* 401 and 407 are asked again at once; one branch of a fork may be refused while another
	 * rings. So a refusal only ends the call when nothing follows. */
	if (!c->answered && c->phase == CALL_SETUP) {
		c->phase = CALL_REJECTED;
		c->end = "rejected";
		c->end_ns = from->ts_ns;
		call_refresh_verdicts(cs, c);
		call_set_timer(cs, c, from->ts_ns + cs->limit.tombstone_ns);
	}
}

static void response(struct calls *cs, struct call *c, const struct sigin_from *from,
		     const struct sip_msg *m)
{
	unsigned offerer = sender_of(c, from, m) == OPTAG_LEG_CALLER ? OPTAG_LEG_CALLEE : OPTAG_LEG_CALLER;

	/* A provisional answer after a refusal: another branch still rings. */
	if (c->phase == CALL_REJECTED && m->method == SIP_M_INVITE && m->status > 100 && m->status < 300) {
		c->phase = CALL_SETUP;
		c->end = "";
		c->end_ns = 0;
		call_set_timer(cs, c, from->ts_ns + cs->limit.setup_timeout_ns);
	}
	switch (m->method) {
	case SIP_M_INVITE:
		invite_response(cs, c, from, m);
		break;
	case SIP_M_UPDATE:
		if (m->status >= 200)
			call_offer_done(cs, c, offerer, m->cseq, m->status < 300, from->ts_ns);
		break;
	case SIP_M_BYE:
		/* The BYE itself was not captured. A 401 or 407 leaves the dialog alive. */
		if (m->status != 401 && m->status != 407 && m->status >= 200 && c->answered)
			call_begin_end(cs, c, "bye", from->ts_ns);
		break;
	default:
		break;
	}
}

static void initial_invite(struct calls *cs, struct call *c, const struct sigin_from *from,
			   const struct sip_msg *m)
{
	if (c->phase == CALL_REJECTED && m->cseq != c->invite_cseq) {
		c->phase = CALL_SETUP; /* asked again with credentials or elsewhere */
		c->end = "";
		c->end_ns = 0;
		call_refresh_verdicts(cs, c);
	}
	if (c->phase == CALL_SETUP) {
		c->invite_cseq = m->cseq;
		call_set_timer(cs, c, from->ts_ns + cs->limit.setup_timeout_ns);
	}
}

static void request(struct calls *cs, struct call *c, const struct sigin_from *from,
		    const struct sip_msg *m)
{
	char digit;

	switch (m->method) {
	case SIP_M_INVITE:
		if (!m->to.tag.n)
			initial_invite(cs, c, from, m);
		break;
	case SIP_M_CANCEL:
		if (!c->answered && c->phase != CALL_ENDING && c->phase != CALL_TOMBSTONE) {
			/* A 200 may have crossed it on the wire: "rejected" state waits and can be lifted. */
			c->phase = CALL_REJECTED;
			c->end = "cancel";
			c->end_ns = from->ts_ns;
			call_refresh_verdicts(cs, c);
			call_set_timer(cs, c, from->ts_ns + cs->limit.tombstone_ns);
		}
		break;
	case SIP_M_BYE:
		call_begin_end(cs, c, "bye", from->ts_ns);
		break;
	case SIP_M_INFO:
		digit = c->matched ? sip_info_digit(m) : 0;
		if (digit)
			call_key(cs, c, sender_of(c, from, m), digit, from->ts_ns);
		break;
	default:
		break;
	}
}

static bool of_a_call(const struct sip_msg *m)
{
	return m->method == SIP_M_INVITE || m->method == SIP_M_BYE || m->method == SIP_M_CANCEL ||
	       m->method == SIP_M_ACK;
}

/* A new call: the first message we see of it, usually its INVITE. */
static struct call *begin(struct calls *cs, const struct sigin_from *from, const struct sip_msg *m)
{
	struct call *c;

	if (!of_a_call(m)) {
		cs->stats.ignored++;
		return NULL;
	}
	if (calls_add(cs, m->call_id, m->from.tag, from->ts_ns, &c))
		return NULL;
	c->invite_src = m->request ? from->src.addr : from->dst.addr;
	c->invite_cseq = m->cseq;
	c->partial = !(m->request && m->method == SIP_M_INVITE && !m->to.tag.n);
	/* Joined in the middle: a request inside the dialog means it was answered before. */
	if (c->partial && m->request && m->method != SIP_M_CANCEL) {
		c->answered = true;
		c->answer_ns = from->ts_ns;
		c->phase = CALL_ANSWERED;
		call_set_timer(cs, c, from->ts_ns + cs->limit.media_timeout_ns / 4);
	}
	decide(cs, c, from, m);
	return c;
}

void calls_message(struct calls *cs, const struct sigin_from *from, const struct sip_msg *m)
{
	struct call *c;

	cs->stats.messages++;
	calls_tick(cs, from->ts_ns);
	c = calls_find(cs, m->call_id);
	if (c && c->phase == CALL_TOMBSTONE) {
		/* Retransmissions of the end; but a new INVITE of an answered call's id is a new call. */
		if (!(m->request && m->method == SIP_M_INVITE && !m->to.tag.n && m->cseq != c->invite_cseq))
			return;
		call_forget(cs, c);
		c = NULL;
	}
	if (!c) {
		c = begin(cs, from, m);
		if (!c)
			return;
	}
	c->touched_ns = from->ts_ns;
	if (m->request)
		request(cs, c, from, m);
	else
		response(cs, c, from, m);
	if (c->phase == CALL_SETUP || c->phase == CALL_ANSWERED)
		take_sdp(cs, c, from, m);
}
