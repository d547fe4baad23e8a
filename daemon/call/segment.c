/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * segment.c - what becomes known after the INVITE: the agent's header, media, tags; and transfers within a call
 *
 * The policy is asked again when something that it asks for has changed. Another rule, queue or agent: the
 * recording ends and another one begins, of which the first one's permissions say nothing unless rule and
 * announcement are the same. A call that no rule matched may begin to be recorded; one that no rule
 * matches any more is not (policy-language 2).
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
	if (d.verdict != POLICY_MATCH || c->segment >= CALL_SEGMENTS_MAX)
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

/* Messages whose headers say how the call is now; copies of the first INVITE at other hops say only what nobody said. */
static bool speaks(const struct call *c, const struct sip_msg *m, bool *ret_first)
{
	*ret_first = m->request && m->method == SIP_M_INVITE && !m->to.tag.n;
	if (*ret_first)
		return !c->answered;
	if (m->request)
		return m->method == SIP_M_INVITE || m->method == SIP_M_UPDATE || m->method == SIP_M_INFO;
	return (m->method == SIP_M_INVITE || m->method == SIP_M_UPDATE) && m->status > 100 && m->status < 300;
}

/* Takes headers of m over into *in; whether one is another than before. */
static bool take_headers(const struct call *c, const struct policy *p, const struct sip_msg *m, struct policy_input *in)
{
	const char *names[POLICY_HEADERS_MAX];
	size_t i, n = policy_headers(p, names);
	bool first, changed = false;

	if (!speaks(c, m, &first))
		return false;
	for (i = 0; i < n; i++) {
		struct sip_str v = sip_extra_value(m, names[i]);

		if (!v.p || (first && is_known(in->header[i])) || (is_known(in->header[i]) && same_text(in->header[i], v)))
			continue;
		in->header[i] = (struct policy_str){ v.p, v.n };
		changed = true;
	}
	return changed;
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

static void end_recording(struct calls *cs, struct call *c, uint64_t now)
{
	c->end = "transfer";
	c->end_ns = now > (c->answered ? c->answer_ns : c->start_ns) ? now : c->answered ? c->answer_ns : c->start_ns;
	call_note(cs, c, CALL_T_END, 0, 0, c->end);
	call_decide_end(cs, c, now);
	group_end(cs, c);
	cs->sink.ended(cs->sink.arg, c);
	c->user = NULL;
	c->segment++;
}

/* Nothing of what was decided before is left; addresses, phase and dialogs are. */
static void start_anew(struct call *c, uint64_t now)
{
	c->start_ns = now;
	c->answer_ns = c->answered ? now : 0;
	c->end = "";
	c->end_ns = 0;
	for (int p = 0; p < POLICY_PURPOSES; p++) {
		c->state[p] = PURPOSE_NONE;
		c->reason[p] = "";
	}
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
			    const struct policy_input *in, const struct sip_msg *m, const struct before *b, uint64_t now)
{
	bool other = b->rule && strcmp(b->rule->controller->name, d->rule->controller->name) != 0;

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
	if (c->refused)
		call_recordpref_off(cs, c, OPTAG_LEG_CALLER, now);
	if (c->answered)
		call_set_answered(cs, c, now);
	if (b->rule && same_notices(b->rule, c->rule))
		call_decide_carry(cs, c, &b->decide, b->consent, now);
	if (c->answered)
		call_decide_answered(cs, c, now);
	call_pause_goes_on(cs, c, &b->decide, now);
	if (!other)
		call_objection_goes_on(cs, c, &b->decide, now);
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
		    const struct policy_input *in)
{
	fill_in(c->agent, sizeof(c->agent), d->agent);
	fill_in(c->queue, sizeof(c->queue), d->queue);
	call_keep_facts(c, p, in);
	call_changed(cs, c);
}

static void decide_again(struct calls *cs, struct call *c, const struct policy *p, struct policy_input *in, const struct sip_msg *m,
			 uint64_t now)
{
	const struct policy *newest = cs->policy;
	struct calls_tightened sum = { 0 };
	struct policy_decision d;
	struct before b;

	policy_eval(p, in, &d);
	if (!c->matched && (d.verdict != POLICY_MATCH || call_rule_stopped(cs, d.rule))) {
		if (c->late)
			call_keep_facts(c, p, in);
		return;
	}
	if (c->matched && d.verdict == POLICY_MATCH && d.rule == c->rule && !changed_hands(c, &d)) {
		goes_on(cs, c, p, &d, in);
		return;
	}
	if (d.verdict == POLICY_MATCH && call_rule_stopped(cs, d.rule))
		d.verdict = POLICY_NO_MATCH;
	remember(c, &b);
	if (c->matched)
		end_recording(cs, c, now);
	start_anew(c, now);
	if (d.verdict == POLICY_NEVER)
		group_never(cs, c, now);
	if (d.verdict != POLICY_MATCH || c->segment >= CALL_SEGMENTS_MAX) {
		stop_recording(cs, c, p, in, d.verdict == POLICY_NEVER || c->segment >= CALL_SEGMENTS_MAX);
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
	decide_again(cs, c, p, &in, m, now);
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
	if (c->state[POLICY_TRAINING] != PURPOSE_GRANTED || !call_asked(c, c->policy, &in) || c->segment + 1 >= CALL_SEGMENTS_MAX) {
		no_training(cs, c);
		return;
	}
	/* what was said by people who knew stays; it has a key of its own only as a recording of its own */
	call_later_input(c, &later, &in);
	policy_eval(c->policy, &in, &d);
	if (d.verdict != POLICY_MATCH || d.rule != c->rule) { /* members of a set changed meanwhile: call_tighten's to say */
		no_training(cs, c);
		return;
	}
	remember(c, &b);
	end_recording(cs, c, now);
	start_anew(c, now);
	b.consent[POLICY_TRAINING] = false;
	begin_recording(cs, c, c->policy, &d, &in, NULL, &b, now);
	no_training(cs, c);
	if (cs->policy != c->policy) /* what it had taken from the part before holds */
		call_tighten(cs, c, cs->policy, &sum);
}

void call_watch_parties(struct calls *cs, struct call *c, const struct sip_msg *m, unsigned side, bool initial, int lines, uint64_t now)
{
	bool speaks = m->request ? m->method == SIP_M_INVITE || m->method == SIP_M_UPDATE : m->method == SIP_M_INVITE && m->status / 100 == 2;
	bool more = lines > 1 && !initial && lines > c->lines[side];

	if (lines >= 0)
		c->lines[side] = (uint8_t)lines;
	if (more || (speaks && sip_is_focus(m->contact)))
		call_third_party(cs, c, now);
}

static bool has_headers(const struct sip_msg *m)
{
	for (size_t i = 0; m->wanted && i < m->wanted->n && i < SIP_EXTRA_MAX; i++)
		if (m->extra[i].p)
			return true;
	return false;
}

static bool has_answer(const struct call *c)
{
	for (unsigned i = 0; i < c->nep; i++)
		if (c->ep[i].used && c->ep[i].in_force && c->ep[i].side == OPTAG_LEG_CALLEE)
			return true;
	return false;
}

void call_reconsider(struct calls *cs, struct call *c, const struct sip_msg *m, uint64_t now)
{
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
	if (!has_headers(m) || !call_asked(c, p, &in) || !take_headers(c, p, m, &in))
		return;
	call_later_input(c, &later, &in);
	decide_again(cs, c, p, &in, m, now);
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
	decide_again(cs, c, p, &in, NULL, now_ns);
	return 0;
}
