/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * segment.c - what becomes known after the INVITE: the agent's header, media, tags; and transfers within a call
 *
 * The policy is asked again when something that it asks for has changed. Another rule, queue or agent: the
 * recording ends and another one begins, of which the first one's permissions say nothing unless rule and
 * announcement are the same. A call that no rule matched may begin to be recorded; one that no rule
 * matches any more is not (policy-language 2).
 *
 * Whose word it is: call_own_says. One transaction tells each header once: a retransmission, another hop's copy and what
 * comes late are no transfer back.
 *
 * When transfers come faster than CALL_SEGMENT_EVERY_NS allows (a telephone system in a loop), what a recording may be is not
 * stretched, and no more of it is lost than that needs. Under the same rule it goes on undivided, says "transfer.limit" and
 * loses training, whose amounts are by agent and queue. Under another rule it ends, with that gap, and the next one begins as
 * soon as it may. What only ends a recording (no rule matches, a never rule does) needs no leave.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "call/call_internal.h"
#include "optag.h"
#include "sip/peers.h"

/* ---- what is known later ---- */

static void add_codecs(struct call_later *later, const struct call_formats *f)
{
	unsigned i;

	for (i = 0; f && i < f->n && later->media.ncodecs < CALL_CODECS_MAX; i++) {
		const char *name = f->f[i].name;

		if (!*name || strcmp(name, "telephone-event") == 0 || strcasecmp(name, "CN") == 0)
			continue;
		later->codec[later->media.ncodecs++] = (struct policy_str){ name, strlen(name) };
	}
}

void call_later_input(const struct call *c, struct call_later *later, struct policy_input *in)
{
	unsigned i;

	memset(&later->media, 0, sizeof(later->media));
	for (i = 0; c->media_known && i < c->nep; i++) {
		/* the answer says what is spoken; the offer only what could be */
		if (c->ep[i].used && c->ep[i].in_force && c->ep[i].side == OPTAG_LEG_CALLEE)
			add_codecs(later, c->ep[i].formats);
	}
	later->media.codecs = later->codec;
	later->media.encrypted = c->srtp;
	in->media = c->media_known ? &later->media : NULL;
	for (i = 0; i < c->ntags; i++)
		later->tag[i] = (struct policy_str){ c->tag[i], strlen(c->tag[i]) };
	in->tags = c->ntags ? later->tag : NULL;
	in->ntags = c->ntags;
}

void call_wait_for_more(struct calls *cs, struct call *c, const struct policy *p, struct policy_input *in)
{
	struct policy_decision d;

	in->suppose = true;
	policy_eval(p, in, &d);
	in->suppose = false;
	if (d.verdict != POLICY_MATCH)
		return;
	if (cs->late >= CALL_LATE_MAX) {
		cs->stats.late_full++;
		return;
	}
	if (!c->facts)
		call_keep_facts(c, p, in);
	if (!c->facts)
		return;
	c->late = true;
	cs->late++;
}

void call_no_more(struct calls *cs, struct call *c)
{
	c->again_ns = 0;
	if (!c->late)
		return;
	c->late = false;
	cs->late--;
}

static bool is_known(struct policy_str s)
{
	return s.p != NULL;
}

static bool same_text(struct policy_str a, struct sip_str b)
{
	return a.n == b.n && (!a.n || memcmp(a.p, b.p, a.n) == 0);
}

/* The first INVITE, at any hop. */
static bool opens_call(const struct sip_msg *m)
{
	return m->request && m->method == SIP_M_INVITE && !m->to.tag.n;
}

/* Messages whose headers say how the call is now; copies of the first INVITE at other hops say only what nobody said. */
static bool speaks(const struct call *c, const struct sip_msg *m, bool *ret_first)
{
	*ret_first = opens_call(m);
	if (*ret_first)
		return !c->answered && party_said(c, m, OPTAG_LEG_CALLER);
	if (m->request)
		return m->method == SIP_M_INVITE || m->method == SIP_M_UPDATE || m->method == SIP_M_INFO;
	return (m->method == SIP_M_INVITE || m->method == SIP_M_UPDATE) && m->status > 100 && m->status < 300;
}

static unsigned own_leg(const struct policy_rule *r)
{
	return r->side == POLICY_SIDE_CALLED ? OPTAG_LEG_CALLEE : OPTAG_LEG_CALLER;
}

static bool own_side(const struct call *c, const struct policy_rule *r, const struct call_said *s)
{
	return s->side == own_leg(r) && party_said(c, s->m, s->side);
}

/* The controller of r says it. asked: what the policy was asked about the call. */
static bool own_word(const struct call *c, const struct policy *p, const struct policy_rule *r, const struct policy_input *asked,
		     const struct call_said *s)
{
	struct policy_input in;

	if (own_side(c, r, s))
		return true;
	in = *asked;
	memcpy(in.src, s->from->src.addr.b, sizeof(in.src));
	in.src_port = s->from->src.port;
	in.vlan = s->from->vlan;
	in.tcp = s->from->tcp;
	return policy_from_own_trunk(p, r, &in);
}

static bool has_headers(const struct sip_msg *m)
{
	for (size_t i = 0; m->wanted && i < m->wanted->n && i < SIP_EXTRA_MAX; i++)
		if (m->extra[i].p)
			return true;
	return false;
}

bool call_own_says(const struct call *c, const struct call_said *s)
{
	struct policy_input in;

	if (opens_call(s->m)) /* as which the call came, or was passed on */
		return !c->answered && party_said(c, s->m, OPTAG_LEG_CALLER);
	if (!c->matched || own_side(c, c->rule, s))
		return c->matched;
	return has_headers(s->m) && call_asked(c, c->policy, &in) && own_word(c, c->policy, c->rule, &in, s);
}

/* Of a call that no rule matches: whose word could make one match? */
static bool own_word_of_any(const struct call *c, const struct policy *p, struct policy_input *in, const struct call_said *s)
{
	struct policy_decision d;

	in->suppose = true;
	policy_eval(p, in, &d);
	in->suppose = false;
	return d.verdict == POLICY_MATCH && own_word(c, p, d.rule, in, s);
}

/* *ret_not: the headers that this transaction has told already. False: it is older than what was told last. */
static bool in_order(struct call *c, const struct call_said *s, uint8_t *ret_not)
{
	struct call_spoke *x = &c->spoke[!s->m->request];
	uint8_t rank = s->m->request || s->m->status >= 200 ? 2 : 1;
	bool same = x->rank && x->dialog == s->dialog && x->cseq == s->m->cseq && x->rank == rank;

	*ret_not = 0;
	if (x->rank && x->dialog == s->dialog && (s->m->cseq < x->cseq || (s->m->cseq == x->cseq && rank < x->rank)))
		return false;
	if (same && rank == 2)
		*ret_not = x->taken;
	if (!same)
		*x = (struct call_spoke){ .dialog = s->dialog, .cseq = s->m->cseq, .rank = rank };
	return true;
}

/* Takes headers of the message over into *in; whether one is another than before. */
static bool take_headers(struct call *c, const struct policy *p, const struct call_said *s, struct policy_input *in)
{
	const char *names[POLICY_HEADERS_MAX];
	size_t i, n = policy_headers(p, names);
	bool first, changed = false;
	uint8_t told = 0;

	if (!speaks(c, s->m, &first))
		return false;
	if (!first && (!(c->matched ? own_word(c, p, c->rule, in, s) : own_word_of_any(c, p, in, s)) || !in_order(c, s, &told)))
		return false;
	for (i = 0; i < n; i++) {
		struct sip_str v = sip_extra_value(s->m, names[i]);

		if (!v.p || told >> i & 1)
			continue;
		if (!first)
			c->spoke[!s->m->request].taken |= (uint8_t)(1u << i);
		if (is_known(in->header[i]) && (first || same_text(in->header[i], v)))
			continue;
		in->header[i] = (struct policy_str){ v.p, v.n };
		changed = true;
	}
	return changed;
}

/* Another part of the recording may begin now. */
static bool may_divide(struct calls *cs, struct call *c, uint64_t now)
{
	uint64_t back = now > c->divided_ns ? (now - c->divided_ns) / CALL_SEGMENT_EVERY_NS : 0;

	if (back >= c->divided) {
		c->divided = 0;
		c->divided_ns = now;
	} else {
		c->divided -= (uint8_t)back;
		c->divided_ns += back * CALL_SEGMENT_EVERY_NS;
	}
	if (c->divided >= CALL_SEGMENTS_MAX || c->segment == UINT16_MAX) {
		cs->stats.transfer_limit++;
		return false;
	}
	c->divided++;
	return true;
}

/* ---- another recording ---- */

/* What was played before is what the new rule tells people, and asks nothing of them. */
static bool same_notices(const struct policy_rule *a, const struct policy_rule *b)
{
	size_t i;

	if (a == b)
		return true;
	for (i = 0; i < POLICY_PURPOSES; i++)
		if (b->purpose[i].basis == POLICY_B_CONSENT)
			return false;
	if (a->nnotice != b->nnotice || strcmp(a->controller->name, b->controller->name) != 0)
		return false;
	for (i = 0; i < a->nnotice; i++)
		if (strcmp(a->notice[i].name, b->notice[i].name) != 0)
			return false;
	return a->proof == b->proof;
}

static void tell_gap(struct calls *cs, const struct call *c, uint64_t now)
{
	struct call_news n = { .event = "capture.gap", .purpose = -1, .actor = "system", .reason = "transfer.limit", .at_ns = now };

	if (cs->sink.news)
		cs->sink.news(cs->sink.arg, c, &n);
}

/* Who knows the call by the part that ends finds it by that. */
static void keep_uid(struct call *c)
{
	struct uid *more;

	if (c->nearlier == CALL_UIDS_MAX)
		memmove(c->earlier, c->earlier + 1, --c->nearlier * sizeof(*c->earlier));
	if ((c->nearlier & (c->nearlier - 1)) == 0) { /* a power of two, or none: full */
		more = realloc(c->earlier, (c->nearlier ? 2U * c->nearlier : 1) * sizeof(*more));
		if (!more)
			return;
		c->earlier = more;
	}
	c->earlier[c->nearlier++] = c->uid;
}

static void end_recording(struct calls *cs, struct call *c, uint64_t now)
{
	c->end = "transfer";
	c->end_ns = now > (c->answered ? c->answer_ns : c->start_ns) ? now : c->answered ? c->answer_ns : c->start_ns;
	call_note(cs, c, CALL_T_END, 0, 0, c->end);
	call_decide_end(cs, c, now);
	group_end(cs, c);
	cs->sink.ended(cs->sink.arg, c);
	c->user = NULL;
	keep_uid(c);
	c->segment++;
}

/* Nothing of what was decided before is left; addresses, phase and dialogs are. */
static void start_anew(struct calls *cs, struct call *c, uint64_t now)
{
	c->start_ns = now;
	c->answer_ns = c->answered ? now : 0;
	c->end = "";
	c->end_ns = 0;
	for (int p = 0; p < POLICY_PURPOSES; p++) {
		c->state[p] = PURPOSE_NONE;
		c->reason[p] = "";
	}
	call_count(cs, c);
	memset(&c->tight, 0, sizeof(c->tight));
	memset(&c->decide, 0, sizeof(c->decide));
	c->overlong = false;
	c->overlong_ns = 0;
	c->presses = 0;
	c->partial = false;
}

/* What is known of a call before another recording of it begins. */
struct before {
	struct uid uid;
	const struct policy_rule *rule; /* NULL: it was not recorded */
	struct call_decide decide;
	bool consent[POLICY_PURPOSES];
};

static void begin_recording(struct calls *cs, struct call *c, const struct policy *p, const struct policy_decision *d,
			    const struct policy_input *in, const struct sip_msg *m, struct before *b, uint64_t now)
{
	/* also when a time that nobody records lay between */
	bool other = c->peers && *c->peers->controller && strcmp(c->peers->controller, d->rule->controller->name) != 0;

	call_no_more(cs, c);
	call_take_decision(cs, c, p, d, in);
	if (other) /* whose calls are none of the first one's business (RX-2) */
		group_leave(cs, c);
	if (b->rule != c->rule && c->peers)
		c->peers->drawn = 0;
	if (m || !c->peers)
		group_begin(cs, c, m, d->correlate_header, now);
	if (b->rule && !other)
		group_segment(c, &b->uid);
	cs->sink.matched(cs->sink.arg, c);
	call_decide_match(cs, c, now);
	group_decided(cs, c, now);
	if (d->listed)
		call_listed(cs, c, now);
	if (c->refused)
		call_recordpref_off(cs, c, OPTAG_LEG_CALLER, now);
	if (c->answered)
		call_set_answered(cs, c, now);
	if (b->rule)
		call_decide_typing(cs, c, &b->decide, !other);
	if (b->rule && same_notices(b->rule, c->rule))
		call_decide_carry(cs, c, &b->decide, b->consent, now);
	if (c->answered)
		call_decide_answered(cs, c, now);
	cs->spreading++; /* no new pause: who ended it elsewhere has */
	call_pause_goes_on(cs, c, &b->decide, now);
	cs->spreading--;
	call_objection_goes_on(cs, c, &b->decide, now);
	explicit_bzero(b->decide.typed, sizeof(b->decide.typed));
	call_own_all(cs, c);
	call_refresh_verdicts(cs, c);
	call_changed(cs, c);
}

static void remember(const struct call *c, struct before *b)
{
	*b = (struct before){ .uid = c->uid, .rule = c->matched ? c->rule : NULL, .decide = c->decide };
	for (int p = 0; c->matched && p < POLICY_PURPOSES; p++)
		b->consent[p] = c->state[p] == PURPOSE_GRANTED && c->rule->purpose[p].basis == POLICY_B_CONSENT;
}

/* A consent is to one purpose of one rule (N-19): another rule asks again. */
static void forget_consents(struct before *b, const struct policy_rule *now)
{
	for (int p = 0; p < POLICY_PURPOSES; p++)
		b->consent[p] &= b->rule == now;
}

/* No rule any more: what is said from now on is nobody's. */
static void stop_recording(struct calls *cs, struct call *c, const struct policy *p, struct policy_input *in, bool never)
{
	call_disown_all(cs, c); /* while the sink knows it as one of its own */
	c->matched = false;
	c->policy = NULL;
	c->rule = NULL;
	call_count(cs, c);
	if (!never)
		call_wait_for_more(cs, c, p, in);
	if (c->late) {
		call_keep_facts(c, p, in); /* last: in points into the old ones */
	} else {
		call_free_endpoints(cs, c);
		call_facts_free(c->facts);
		c->facts = NULL;
	}
	explicit_bzero(c->calling, sizeof(c->calling));
	explicit_bzero(c->called, sizeof(c->called));
	*c->agent = *c->queue = 0;
	call_changed(cs, c);
}

static bool changed_hands(const struct call *c, const struct policy_decision *d)
{
	/* from one known to another: what was not known before is only filled in */
	return (*c->agent && d->agent.p && (strlen(c->agent) != d->agent.n || memcmp(c->agent, d->agent.p, d->agent.n) != 0)) ||
	       (*c->queue && d->queue.p && (strlen(c->queue) != d->queue.n || memcmp(c->queue, d->queue.p, d->queue.n) != 0));
}

static void fill_in(char *to, size_t size, struct policy_str s)
{
	size_t n = s.n < size ? s.n : size - 1;

	if (!s.p || *to)
		return;
	memcpy(to, s.p, n);
	to[n] = 0;
}

static void goes_on(struct calls *cs, struct call *c, const struct policy *p, const struct policy_decision *d,
		    const struct policy_input *in, uint64_t now)
{
	fill_in(c->agent, sizeof(c->agent), d->agent);
	fill_in(c->queue, sizeof(c->queue), d->queue);
	call_keep_facts(c, p, in);
	if (d->listed)
		call_listed(cs, c, now);
	call_changed(cs, c);
}

/* Another part of it may not begin now, and the rule is the same: it goes on as one. */
static void undivided(struct calls *cs, struct call *c, const struct policy *p, const struct policy_input *in)
{
	call_event_why(cs, c, POLICY_TRAINING, PURPOSE_E_TIGHTENED, "transfer.limit");
	if (c->state[POLICY_DOCUMENTATION] == PURPOSE_GRANTED && !*c->reason[POLICY_DOCUMENTATION])
		c->reason[POLICY_DOCUMENTATION] = "transfer.limit";
	call_keep_facts(c, p, in);
	call_changed(cs, c);
}

/* As soon as another part may begin. */
static void wait_to_divide(struct calls *cs, struct call *c)
{
	c->again_ns = c->divided_ns + CALL_SEGMENT_EVERY_NS;
	if (!c->timer_ns || c->again_ns < c->timer_ns)
		call_set_timer(cs, c, c->again_ns);
}

/* s: whose word it is, when it is headers that changed; NULL: the telephone system's own, or nobody's. */
static void decide_again(struct calls *cs, struct call *c, const struct policy *p, struct policy_input *in, const struct call_said *s,
			 const struct sip_msg *m, uint64_t now)
{
	const struct policy *newest = cs->policy;
	struct calls_tightened sum = { 0 };
	struct policy_decision d;
	struct before b;
	bool waits;

	if (c->matched)
		policy_eval(p, in, &d);
	else
		call_ask_policy(p, in, &d);
	/* The rule of the other side's controller is not that one's to choose. */
	if (s && d.verdict == POLICY_MATCH && d.rule != c->rule && !own_word(c, p, d.rule, in, s))
		d.verdict = POLICY_NO_MATCH;
	if (!c->matched && (d.verdict != POLICY_MATCH || call_rule_stopped(cs, d.rule))) {
		if (c->late)
			call_keep_facts(c, p, in);
		return;
	}
	if (c->matched && d.verdict == POLICY_MATCH && d.rule == c->rule && !changed_hands(c, &d)) {
		goes_on(cs, c, p, &d, in, now);
		return;
	}
	if (d.verdict == POLICY_MATCH && call_rule_stopped(cs, d.rule))
		d.verdict = POLICY_NO_MATCH;
	waits = d.verdict == POLICY_MATCH && !may_divide(cs, c, now);
	if (waits && c->matched && d.rule == c->rule) {
		undivided(cs, c, p, in);
		return;
	}
	if (waits && !c->matched) {
		call_keep_facts(c, p, in);
		wait_to_divide(cs, c);
		return;
	}
	if (waits)
		tell_gap(cs, c, now);
	if (c->matched)
		call_decide_divide(cs, c, now);
	remember(c, &b);
	if (c->matched)
		end_recording(cs, c, now);
	start_anew(cs, c, now);
	if (d.verdict == POLICY_NEVER)
		group_never(cs, c, now);
	if (d.verdict != POLICY_MATCH || waits) {
		explicit_bzero(b.decide.typed, sizeof(b.decide.typed));
		stop_recording(cs, c, p, in, d.verdict == POLICY_NEVER);
		if (waits && c->late)
			wait_to_divide(cs, c);
		return;
	}
	forget_consents(&b, d.rule);
	begin_recording(cs, c, p, &d, in, m, &b, now);
	if (newest != p)
		call_tighten(cs, c, newest, &sum);
}

/* What a rule that asks for media waited for. A rule that matched without stays: never rules cannot ask for it, and media
 * gives nothing that the INVITE did not (policy-language 2). */
static void media_is_known(struct calls *cs, struct call *c, const struct policy *p, const struct sip_msg *m, uint64_t now)
{
	struct policy_input in;
	struct call_later later;

	if (c->matched || !call_asked(c, p, &in))
		return;
	call_later_input(c, &later, &in);
	decide_again(cs, c, p, &in, NULL, m, now);
}

void call_again(struct calls *cs, struct call *c, uint64_t now)
{
	struct policy_input in;
	struct call_later later;

	c->again_ns = 0;
	if (c->matched || !c->late || (c->phase != CALL_SETUP && c->phase != CALL_ANSWERED) || !cs->policy || !call_asked(c, cs->policy, &in))
		return;
	call_later_input(c, &later, &in);
	decide_again(cs, c, cs->policy, &in, NULL, NULL, now);
}

/* ---- third parties ---- */

static void no_training(struct calls *cs, struct call *c)
{
	call_event_why(cs, c, POLICY_TRAINING, PURPOSE_E_TIGHTENED, "third-party");
	if (c->state[POLICY_DOCUMENTATION] == PURPOSE_GRANTED && !*c->reason[POLICY_DOCUMENTATION])
		c->reason[POLICY_DOCUMENTATION] = "third-party";
	call_changed(cs, c);
}

void call_third_party(struct calls *cs, struct call *c, uint64_t now)
{
	struct policy_decision d;
	struct policy_input in;
	struct call_later later;
	struct calls_tightened sum = { 0 };
	struct before b;

	if (c->third)
		return;
	c->third = true;
	if (!c->matched)
		return;
	if (c->state[POLICY_TRAINING] != PURPOSE_GRANTED || !call_asked(c, c->policy, &in)) {
		no_training(cs, c);
		return;
	}
	/* what was said by people who knew stays; it has a key of its own only as a recording of its own */
	call_later_input(c, &later, &in);
	policy_eval(c->policy, &in, &d);
	/* members of a set changed meanwhile: call_tighten's to say */
	if (d.verdict != POLICY_MATCH || d.rule != c->rule || !may_divide(cs, c, now)) {
		no_training(cs, c);
		return;
	}
	call_decide_divide(cs, c, now);
	remember(c, &b);
	end_recording(cs, c, now);
	start_anew(cs, c, now);
	b.consent[POLICY_TRAINING] = false;
	begin_recording(cs, c, c->policy, &d, &in, NULL, &b, now);
	no_training(cs, c);
	if (cs->policy != c->policy) /* what it had taken from the part before holds */
		call_tighten(cs, c, cs->policy, &sum);
}

void call_watch_parties(struct calls *cs, struct call *c, const struct sip_msg *m, unsigned side, bool initial, int lines, uint64_t now)
{
	bool speaks = m->request ? m->method == SIP_M_INVITE || m->method == SIP_M_UPDATE : m->method == SIP_M_INVITE && m->status / 100 == 2;
	/* who is on a line that is not read nobody can tell */
	bool more = lines >= 0 && (cs->sdp.unread || (lines > 1 && !initial && lines > c->lines[side]));

	if (lines >= 0)
		c->lines[side] = (uint8_t)lines;
	if (more || (speaks && sip_is_focus(m->contact)))
		call_third_party(cs, c, now);
}

static bool has_answer(const struct call *c)
{
	for (unsigned i = 0; i < c->nep; i++)
		if (c->ep[i].used && c->ep[i].in_force && c->ep[i].side == OPTAG_LEG_CALLEE)
			return true;
	return false;
}

void call_reconsider(struct calls *cs, struct call *c, const struct call_said *s, uint64_t now)
{
	const struct sip_msg *m = s->m;
	const struct policy *p = c->matched ? c->policy : cs->policy;
	struct policy_input in;
	struct call_later later;

	if (!p || (!c->matched && !c->late) || (c->phase != CALL_SETUP && c->phase != CALL_ANSWERED))
		return;
	if (!c->media_known && c->answered && has_answer(c)) {
		c->media_known = true;
		media_is_known(cs, c, p, m, now);
		if (!c->matched && !c->late)
			return;
		p = c->matched ? c->policy : cs->policy;
	}
	/* most messages have none of these headers: the facts are not unpacked for them */
	if (!has_headers(m) || !call_asked(c, p, &in) || !take_headers(c, p, s, &in))
		return;
	call_later_input(c, &later, &in);
	decide_again(cs, c, p, &in, opens_call(m) ? NULL : s, m, now);
}

int call_tag(struct calls *cs, struct call *c, const char *tag, uint64_t now_ns)
{
	const struct policy *p = c->matched ? c->policy : cs->policy;
	struct policy_input in;
	struct call_later later;
	size_t n = strlen(tag);

	if (!n || n >= CALL_TAG_MAX)
		return -EINVAL;
	for (unsigned i = 0; i < c->ntags; i++)
		if (strcmp(c->tag[i], tag) == 0)
			return 0;
	if (c->ntags == CALL_TAGS_MAX)
		return -ENOSPC;
	if (!c->tag)
		c->tag = calloc(CALL_TAGS_MAX, sizeof(*c->tag));
	if (!c->tag)
		return -ENOMEM;
	memcpy(c->tag[c->ntags++], tag, n + 1);
	call_changed(cs, c);
	if (!p || (!c->matched && !c->late) || !call_asked(c, p, &in))
		return 0;
	call_later_input(c, &later, &in);
	decide_again(cs, c, p, &in, NULL, NULL, now_ns);
	return 0;
}
