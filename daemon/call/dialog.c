/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dialog.c - what SIP messages do to a call (RFC 3261, 3262, 3311, 3264)
 *
 * A recorder overhears; it does not take part. It sees each message at every
 * hop, sometimes twice, sometimes not at all, so nothing here depends on order
 * more than it must: state only moves forward, and whatever names an address
 * is used, but what is of no dialog once one is known (party.h). Who is who is told by the From tag of the first INVITE.
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

/* The number as a dial plan reads it: with the context that makes a local one whole (RFC 3966 5.1.5), wherever in
 * the URI that stood. */
static struct policy_str number_of(const struct sip_uri *u)
{
	const char *end = u->phone_context.p ? u->phone_context.p + u->phone_context.n : NULL;

	if (u->user.n && end > u->user.p + u->user.n && end - u->user.p < 256)
		return (struct policy_str){ u->user.p, (size_t)(end - u->user.p) };
	return pstr(u->user);
}

static bool anonymous(const struct sip_msg *m)
{
	return sip_str_ieq(m->from.uri.user, "anonymous") ||
	       sip_str_ieq(m->from.uri.host, "anonymous.invalid");
}

static void fill_input(const struct calls *cs, const struct sigin_from *from, const struct sip_msg *m,
		       struct policy_input *in)
{
	const struct policy *p = cs->policy;
	const char *names[POLICY_HEADERS_MAX];
	size_t i, n = policy_headers(p, names);

	memset(in, 0, sizeof(*in));
	in->calling = number_of(m->npai ? &m->pai[0].uri : &m->from.uri);
	in->withheld = m->npai ? m->privacy_id : m->privacy_id || anonymous(m);
	in->called = number_of(m->request && m->ruri.user.n ? &m->ruri : &m->to.uri);
	in->from_user = number_of(&m->from.uri);
	in->from_host = pstr(m->from.uri.host);
	in->to_host = pstr(m->to.uri.host);
	in->ruri_host = pstr(m->request ? m->ruri.host : m->to.uri.host);
	memcpy(in->src, from->src.addr.b, 16);
	memcpy(in->dst, from->dst.addr.b, 16);
	in->src_port = from->src.port;
	in->dst_port = from->dst.port;
	in->vlan = from->vlan;
	in->interface = cs->sink.interface ? cs->sink.interface(cs->sink.arg, from->ifindex) : NULL;
	in->tcp = from->tcp;
	in->time = (int64_t)(from->ts_ns / 1000000000ULL);
	for (i = 0; i < n && i < SIP_EXTRA_MAX && i < POLICY_HEADERS_MAX; i++)
		in->header[i] = pstr(m->extra[i]);
}

/* What ties it to other calls, before anything is decided about it (group.h). */
static void take_keys(struct calls *cs, struct call *c, const struct sigin_from *from, const struct sip_msg *m,
		      const struct policy_decision *d)
{
	struct sip_str body = sip_sdp_body(m);
	const char *why;

	group_begin(cs, c, m, d->correlate_header, from->ts_ns);
	if (!m->request || m->method != SIP_M_INVITE || !body.p || sdp_parse(body.p, body.n, &cs->sdp, &why))
		return;
	cs->sdp_of = m;
	group_sdp(cs, c, OPTAG_LEG_CALLER, true, &cs->sdp, from->ts_ns);
}

static void take_name(char *to, size_t size, struct policy_str s)
{
	snprintf(to, size, "%.*s", s.p ? (int)(s.n < size ? s.n : size - 1) : 0, s.p ? s.p : "");
}

void call_take_decision(struct calls *cs, struct call *c, const struct policy *p, const struct policy_decision *d,
			const struct policy_input *in)
{
	char seed[2 * CALL_ID_MAX + 8];
	int n;

	cs->stats.matched++;
	c->matched = true;
	c->policy = p;
	c->rule = d->rule;
	call_count(cs, c);
	memcpy(c->calling, d->calling, sizeof(c->calling));
	memcpy(c->called, d->called, sizeof(c->called));
	take_name(c->agent, sizeof(c->agent), d->agent);
	take_name(c->queue, sizeof(c->queue), d->queue);
	call_keep_facts(c, p, in); /* last: in may point into the old ones */
	n = c->segment ? snprintf(seed, sizeof(seed), "%s\n%s\n%u", c->call_id, c->caller_tag, c->segment) :
			 snprintf(seed, sizeof(seed), "%s\n%s", c->call_id, c->caller_tag);
	uid_make(c->start_ns, seed, (size_t)n, &c->uid);
}

/* Asks the policy at the first message and pins its answer; segment.c asks again when something changes. */
static void decide(struct calls *cs, struct call *c, const struct sigin_from *from,
		   const struct sip_msg *m)
{
	struct policy_decision d;
	struct policy_input in;

	if (!cs->policy) {
		cs->stats.unmatched++;
		return;
	}
	fill_input(cs, from, m, &in);
	call_ask_policy(cs->policy, &in, &d);
	if (d.verdict == POLICY_MATCH && call_rule_stopped(cs, d.rule))
		d.verdict = POLICY_NEVER;
	if (d.verdict != POLICY_MATCH) {
		cs->stats.unmatched++;
		c->never = d.verdict == POLICY_NEVER;
		c->listed = c->never && d.listed;
		cs->stats.never += c->never;
		c->who = call_who(d.calling);
		if (d.verdict == POLICY_NEVER)
			take_keys(cs, c, from, m, &d);
		else
			call_wait_for_more(cs, c, cs->policy, &in);
		return;
	}
	c->never = false;
	call_take_decision(cs, c, cs->policy, &d, &in);
	take_keys(cs, c, from, m, &d);
	cs->sink.matched(cs->sink.arg, c);
	call_decide_match(cs, c, from->ts_ns);
	group_decided(cs, c, from->ts_ns);
	if (d.listed)
		call_listed(cs, c, from->ts_ns);
}

/* One message and what it is within its call. */
struct view {
	const struct sigin_from *from;
	const struct sip_msg *m;
	unsigned side;	 /* who sent it */
	unsigned other;	 /* the other party */
	uint64_t dialog; /* hash of the callee's tag in it; 0 none */
	bool initial;	 /* the first INVITE (any attempt of it), its answers, its ACK */
};

static bool tag_is(struct sip_str tag, const char *want)
{
	size_t n = strlen(want);

	return tag.n == n && (n == 0 || memcmp(tag.p, want, n) == 0);
}

static bool opens_call(const struct sip_msg *m)
{
	return m->request && m->method == SIP_M_INVITE && !m->to.tag.n;
}

/* The party whose tag is in From asked; requests come from it, responses go to it. */
static bool caller_asks(const struct call *c, const struct sigin_from *from, const struct sip_msg *m)
{
	if (!*c->caller_tag && !m->from.tag.n) /* RFC 2543: no tags; the first INVITE's source tells */
		return ipaddr_equal(m->request ? &from->src.addr : &from->dst.addr, &c->invite_src);
	return opens_call(m) || tag_is(m->from.tag, c->caller_tag) ||
	       (c->caller_alt && party_tag(m->from.tag) == c->caller_alt);
}

/* The number of the INVITE that opened the call under this message's From tag. */
static uint32_t opening_cseq(const struct call *c, const struct sip_msg *m)
{
	return c->caller_alt && !tag_is(m->from.tag, c->caller_tag) ? c->alt_cseq : c->invite_cseq;
}

static struct view view_of(const struct call *c, const struct sigin_from *from, const struct sip_msg *m)
{
	bool asks = caller_asks(c, from, m);
	struct view v = { from, m, OPTAG_LEG_CALLEE, OPTAG_LEG_CALLER, 0, false };

	if (asks == m->request) {
		v.side = OPTAG_LEG_CALLER;
		v.other = OPTAG_LEG_CALLEE;
	}
	v.dialog = party_tag(asks ? m->to.tag : m->from.tag);
	if (m->method == SIP_M_INVITE && m->request)
		v.initial = opens_call(m) && (!c->answered || m->cseq == opening_cseq(c, m));
	else if (m->method == SIP_M_INVITE || m->method == SIP_M_ACK)
		v.initial = asks && m->cseq == opening_cseq(c, m) && !c->partial;
	return v;
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
static uint64_t offer_of(const struct view *v)
{
	const struct sip_msg *m = v->m;

	if (m->request && (m->method == SIP_M_UPDATE || (m->method == SIP_M_INVITE && m->to.tag.n)))
		return (uint64_t)m->cseq + 1;
	return OFFER_NOW;
}

static bool known_dialog(const struct call *c, uint64_t tag, unsigned *ret)
{
	for (*ret = 0; *ret < c->ndialog; ++*ret)
		if (c->dialog[*ret].tag == tag)
			return true;
	return false;
}

bool call_callee_has(const struct call *c, uint64_t tag)
{
	unsigned i;

	return c->ndialog == 0 || c->ndialog == CALL_DIALOGS_MAX || known_dialog(c, tag, &i);
}

/* Those that do not fit are there, too. */
static int audio_lines(const struct sdp *s)
{
	int n = s->unread < UINT8_MAX - SDP_MEDIA_MAX ? (int)s->unread : UINT8_MAX - SDP_MEDIA_MAX;

	for (unsigned i = 0; i < s->nmedia; i++)
		n += s->media[i].audio && s->media[i].at.port != 0;
	return n;
}

/* Audio lines of its description; -1 it has none. */
static int take_sdp(struct calls *cs, struct call *c, const struct view *v)
{
	struct sip_str body = sip_sdp_body(v->m);
	struct sdp_source from = { .side = v->side, .initial = v->initial };
	const char *why;

	if (!body.p || v->m->method == SIP_M_OPTIONS || (!v->m->request && v->m->status >= 300))
		return -1;
	if (cs->sdp_of != v->m && sdp_parse(body.p, body.n, &cs->sdp, &why)) {
		cs->stats.bad_sdp++;
		return -1;
	}
	if (c->matched || c->late || c->never)
		cs->stats.sdp_dropped += cs->sdp.dropped;
	c->refused |= cs->sdp.recordpref == SDP_PREF_OFF;
	if (cs->sdp.recordpref == SDP_PREF_OFF && c->matched)
		call_recordpref_off(cs, c, v->side, v->from->ts_ns);
	/* of no dialog: a branch that lost still rings, or somebody who knows the Call-ID says that the voices are elsewhere */
	if ((c->matched || c->late) && !party_moves(c, v->m, v->side))
		return v->initial ? -1 : audio_lines(&cs->sdp);
	group_sdp(cs, c, v->side, v->initial, &cs->sdp, v->from->ts_ns);
	from.line = line_of(v->side, v->from, v->m);
	from.dialog = v->side == OPTAG_LEG_CALLEE ? v->dialog : 0;
	from.offer = offer_of(v);
	call_sdp(cs, c, &from, &cs->sdp, v->from->ts_ns);
	return audio_lines(&cs->sdp);
}

/* ---- the INVITE's life ---- */

static uint64_t span_ns(struct policy_span s)
{
	static const uint64_t seconds[] = { [POLICY_U_S] = 1,	      [POLICY_U_MIN] = 60,
					    [POLICY_U_H] = 3600,      [POLICY_U_DAYS] = 86400,
					    [POLICY_U_MONTHS] = 2678400, [POLICY_U_YEARS] = 31622400 };

	return (uint64_t)s.n * seconds[s.unit] * 1000000000ULL;
}

void call_set_answered(struct calls *cs, struct call *c, uint64_t now)
{
	c->answered = true;
	c->answer_ns = now;
	c->phase = CALL_ANSWERED;
	call_count(cs, c);
	c->end = "";
	c->end_ns = 0;
	if (c->matched && c->rule->max_length.n > 0)
		c->overlong_ns = now + span_ns(c->rule->max_length);
	if (c->matched && c->tight.max_length_ns && (!c->overlong_ns || now + c->tight.max_length_ns < c->overlong_ns))
		c->overlong_ns = now + c->tight.max_length_ns;
	call_set_timer(cs, c, now + cs->limit.media_timeout_ns / 4);
}

static void setup_again(struct calls *cs, struct call *c, uint64_t now)
{
	c->phase = CALL_SETUP;
	call_count(cs, c);
	c->end = "";
	c->end_ns = 0;
	call_set_timer(cs, c, now + cs->limit.setup_timeout_ns);
	call_refresh_verdicts(cs, c);
}

static void invite_accepted(struct calls *cs, struct call *c, const struct view *v)
{
	bool had = party_dialogs(c);

	if (c->phase == CALL_ENDING)
		return;
	if (!c->answered) {
		call_set_answered(cs, c, v->from->ts_ns);
		call_own_answered(cs, c);
		call_refresh_verdicts(cs, c);
	}
	if (v->side == OPTAG_LEG_CALLEE && party_dialog(c, v->m))
		call_fork_won(cs, c, v->dialog, !had && party_dialogs(c), v->from->ts_ns);
}

/* Of whoever only knows the Call-ID it is nothing (party.h): the call goes on, until who takes part ends it or its voices are gone. */
static bool believed_end(struct calls *cs, const struct call *c, const struct view *v)
{
	if (party_ends(c, v->m, v->side))
		return true;
	cs->stats.foreign_ends++;
	return false;
}

static void offer_done(struct calls *cs, struct call *c, const struct view *v)
{
	if (party_moves(c, v->m, v->side))
		call_offer_done(cs, c, v->other, (uint64_t)v->m->cseq + 1, v->m->status < 300, v->from->ts_ns);
}

/* In From, that of an INVITE of this call, or of the first message that was seen. */
static bool callers_tag(const struct call *c, const struct sip_msg *m)
{
	return tag_is(m->from.tag, c->caller_tag) || (c->caller_alt && party_tag(m->from.tag) == c->caller_alt);
}

/*
 * A 2xx to an INVITE answers the call only with a tag of the caller's that nobody made up (party.h), on whichever side: the first 200 may
 * have been lost, and the callee ask again.
 */
static bool answers(const struct call *c, const struct view *v)
{
	struct sip_str tag = v->side == OPTAG_LEG_CALLEE ? v->m->from.tag : v->m->to.tag;

	return tag_is(tag, c->caller_tag) || (c->alt_own && c->caller_alt && party_tag(tag) == c->caller_alt);
}

static void invite_response(struct calls *cs, struct call *c, const struct view *v)
{
	const struct sip_msg *m = v->m;
	/* each side numbers its own requests, so the callee's CSeq may equal the first INVITE's */
	bool later = c->answered && !v->initial;

	if (m->status < 200)
		return;
	if (later) {
		offer_done(cs, c, v);
		return;
	}
	if (m->status < 300 && !c->answered && !answers(c, v)) {
		if (v->side == OPTAG_LEG_CALLEE && callers_tag(c, m)) /* an agent's far side, perhaps: no branch that lost when the answer comes */
			(void)party_dialog(c, m);
		return;
	}
	if (m->status < 300 || party_ends(c, m, v->side))
		c->status = m->status;
	if (m->status < 300) {
		invite_accepted(cs, c, v);
		if (!v->initial) /* what the re-INVITE offered, of a call whose 200 was lost */
			offer_done(cs, c, v);
	}
	/* 401 and 407 are asked again at once; one branch of a fork may be refused while another
	 * rings. So a refusal only ends the call when nothing follows. */
	else if (!c->answered && c->phase == CALL_SETUP && believed_end(cs, c, v))
		call_reject(cs, c, m->status == 487 ? "cancel" : "rejected", v->from->ts_ns);
}

/* ---- BYE ---- */

/*
 * Two branches answered and one is hung up on (RFC 3261 13.2.2.4): the other
 * goes on. A back-to-back agent that keeps the Call-ID looks the same, and hangs
 * up on both.
 */
static bool ends_call(struct calls *cs, struct call *c, const struct view *v)
{
	unsigned i, left = 0;

	if (!believed_end(cs, c, v))
		return false;
	for (i = 0; i < c->ndialog; i++)
		left += c->dialog[i].own && !c->dialog[i].gone && c->dialog[i].tag != v->dialog;
	if (!left)
		return true;
	if (known_dialog(c, v->dialog, &i) && !c->dialog[i].gone) {
		c->dialog[i].gone = true;
		call_fork_gone(cs, c, v->dialog, v->from->ts_ns);
	}
	return false;
}

static void response(struct calls *cs, struct call *c, const struct view *v)
{
	const struct sip_msg *m = v->m;

	/* A provisional answer after a refusal: another branch still rings. To the caller, not to somebody who knows the Call-ID. */
	if (c->phase == CALL_REJECTED && m->method == SIP_M_INVITE && m->status > 100 && m->status < 300 && answers(c, v))
		setup_again(cs, c, v->from->ts_ns);
	switch (m->method) {
	case SIP_M_INVITE:
		invite_response(cs, c, v);
		break;
	case SIP_M_UPDATE:
		if (m->status >= 200)
			offer_done(cs, c, v);
		break;
	case SIP_M_BYE:
		/* The BYE itself was not captured. A 401 or 407 leaves the dialog alive. */
		if (m->status != 401 && m->status != 407 && m->status >= 200 && c->answered && ends_call(cs, c, v))
			call_begin_end(cs, c, "bye", v->from->ts_ns);
		break;
	case SIP_M_INFO:
		if (m->status == 401 || m->status == 407)
			call_told_asks_again(&c->told, m);
		break;
	default:
		break;
	}
}

/* After a refusal, with credentials or elsewhere; no copy of the one that was refused. */
static bool asks_again(const struct call *c, const struct view *v)
{
	return callers_tag(c, v->m) ? v->m->cseq != opening_cseq(c, v->m) : ipaddr_equal(&v->from->src.addr, &c->invite_src);
}

static void initial_invite(struct calls *cs, struct call *c, const struct view *v)
{
	bool refused = c->phase == CALL_REJECTED;

	if (refused ? !asks_again(c, v) : c->phase != CALL_SETUP)
		return;
	if (!party_invite(c, v->from, v->m, refused)) /* nor does he keep it going */
		return;
	if (refused)
		setup_again(cs, c, v->from->ts_ns);
	if (tag_is(v->m->from.tag, c->caller_tag))
		c->invite_cseq = v->m->cseq;
	call_set_timer(cs, c, v->from->ts_ns + cs->limit.setup_timeout_ns);
}

static void request(struct calls *cs, struct call *c, const struct view *v)
{
	char digit;

	switch (v->m->method) {
	case SIP_M_INVITE:
		if (!v->m->to.tag.n)
			initial_invite(cs, c, v);
		break;
	case SIP_M_CANCEL:
		/* A 200 may have crossed it on the wire: "rejected" waits and can be lifted. */
		if (!c->answered && (c->phase == CALL_SETUP || c->phase == CALL_REJECTED) && believed_end(cs, c, v))
			call_reject(cs, c, "cancel", v->from->ts_ns);
		break;
	case SIP_M_BYE:
		if (ends_call(cs, c, v))
			call_begin_end(cs, c, "bye", v->from->ts_ns);
		break;
	case SIP_M_INFO:
		digit = sip_info_digit(v->m);
		if (!digit || call_told(&c->told, v->m, CALL_TELLS_KEY, 0))
			break;
		if (digit == SIP_INFO_UNREAD)
			call_lost_request(cs, c, v->side, v->from->ts_ns);
		else
			call_key_info(cs, c, v->side, digit, call_told_by(v->m),
				      party_said(c, v->m, v->side), v->from->ts_ns);
		break;
	default:
		break;
	}
}

/*
 * What a call may begin with: besides INVITE, what shows that there is one
 * although its INVITE was not captured. The end of an unknown call's transaction
 * (ACK to a refusal, 200 to a BYE, CANCEL) shows nothing that could be recorded.
 */
static bool of_a_call(const struct sip_msg *m)
{
	return m->method == SIP_M_INVITE || (m->request && m->method == SIP_M_BYE) ||
	       (m->request && m->method == SIP_M_ACK && sip_sdp_body(m).p);
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
	if (opens_call(m))
		(void)party_invite(c, from, m, false);
	c->invite_cseq = m->cseq;
	c->partial = !opens_call(m);
	decide(cs, c, from, m);
	/* Joined in the middle: a request inside the dialog means it was answered before. */
	if (c->partial && m->request)
		call_set_answered(cs, c, from->ts_ns);
	return c;
}

/*
 * An INVITE that begins a call, under a Call-ID that another one has: of a caller that never makes up a new one, after the end or when the
 * BYE was lost; or of somebody who knows the Call-ID.
 */
static bool is_another_call(const struct call *c, const struct sip_msg *m)
{
	bool other_tag = !callers_tag(c, m);

	if (!opens_call(m)) /* what a forged BYE began, before anything else was seen of the call, is not all there is of it */
		return c->phase == CALL_TOMBSTONE && c->partial && m->request && m->method != SIP_M_BYE && of_a_call(m) && !party_has(c, m->from.tag) &&
		       !party_has(c, m->to.tag);
	if (c->phase == CALL_TOMBSTONE || c->phase == CALL_ENDING)
		return m->cseq != opening_cseq(c, m) || other_tag;
	return c->answered && other_tag;
}

/*
 * The call that a message is of; NULL: it may begin one. One that goes on is not ended by another INVITE, which anybody may send: the
 * two are told apart by their tags from then on. What the new one announces becomes its own as any call's does (endpoint.c), so the
 * recording of a call whose BYE was lost does not go on with it. False: no more calls can have this Call-ID.
 */
static bool call_of(struct calls *cs, const struct sigin_from *from, const struct sip_msg *m, struct call **ret)
{
	struct call *c = calls_find_tags(cs, m->call_id, m->from.tag, m->to.tag);

	*ret = c;
	if (!c || !is_another_call(c, m))
		return true;
	*ret = NULL;
	if (c->phase == CALL_ENDING)
		call_end_at_once(cs, c, "replaced", from->ts_ns);
	if (c->phase == CALL_TOMBSTONE)
		call_forget(cs, c);
	if (!calls_id_full(cs, m->call_id))
		return true;
	cs->stats.foreign_ends++;
	return false;
}

void calls_message(struct calls *cs, const struct sigin_from *from, const struct sip_msg *m)
{
	struct call_said said;
	struct call *c;
	struct view v;
	int lines = -1;
	uint32_t version;
	bool due, held;

	cs->stats.messages++;
	cs->sdp_of = NULL;
	cs->now_ns = from->ts_ns;
	calls_advance(cs, from->ts_ns);
	if (!call_of(cs, from, m, &c))
		return;
	if (c && c->phase == CALL_TOMBSTONE) /* retransmissions of the end */
		return;
	if (!c) {
		c = begin(cs, from, m);
		if (!c)
			return;
	}
	v = view_of(c, from, m);
	/* a party's word: nobody else keeps a call alive whose voices are gone, nor says which other calls are this one */
	if (party_ends(c, m, v.side)) {
		c->touched_ns = from->ts_ns > c->touched_ns ? from->ts_ns : c->touched_ns;
		group_message(cs, c, m, from->ts_ns);
	}
	call_note(cs, c, m->request ? CALL_T_REQUEST : CALL_T_RESPONSE, m->method, m->request ? v.side : m->status, "");
	version = c->media_version;
	held = c->hold;
	due = call_voice_due(c);
	call_count_request(cs, c, from, m, v.side);
	if (m->request)
		request(cs, c, &v);
	else
		response(cs, c, &v);
	if (c->phase == CALL_SETUP || c->phase == CALL_ANSWERED)
		lines = take_sdp(cs, c, &v);
	if (c->answered && (c->media_version != version || c->hold != held))
		call_voice_moves(cs, c, due, from->ts_ns);
	said = (struct call_said){ .from = from, .m = m, .side = v.side, .dialog = v.dialog };
	call_reconsider(cs, c, &said, from->ts_ns);
	if (c->phase == CALL_SETUP || c->phase == CALL_ANSWERED)
		call_watch_parties(cs, c, m, v.side, v.initial, lines, from->ts_ns);
	call_decide_message(cs, c, m, call_own_says(c, &said), from->ts_ns);
	call_place(cs, c);
	call_changed(cs, c);
}
