/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * decide_notice.c - announcements and the windows that hang on them, see decide.h and decide_internal.h
 */
#include "base/clock.h"
#include "call/decide_internal.h"

#define HEAR_OUT_NS (3 * NS_PER_S)

void decide_window_closes(struct calls *cs, struct call *c, int p, uint64_t now)
{
	struct call_decide *d = &c->decide;

	if (p == POLICY_TRAINING) /* silence is none where it could not be heard */
		call_look_for_loss(cs, c, now);
	d->window_to_ns[p] = 0;
	d->reopened[p] = false;
	if (c->state[p] != PURPOSE_PENDING) {
		change(cs, c); /* nobody listens for a yes any more */
		return;
	}
	if (by_consent(c, p))
		tell(cs, c, (struct call_news){ .event = "consent.none", .purpose = p, .actor = "system",
						.reason = d->other_key[p] ? "other-key" : "timeout", .at_ns = now });
	call_event(cs, c, (enum policy_purpose)p, PURPOSE_E_WINDOW);
}

void decide_notice_missing(struct calls *cs, struct call *c, uint64_t now)
{
	c->decide.notice_due_ns = 0;
	c->decide.hearing = false;
	if (c->decide.notice != CALL_NOTICE_WAIT)
		return;
	c->decide.notice = CALL_NOTICE_MISSING;
	tell(cs, c, (struct call_news){ .event = "notice.missing", .purpose = -1, .actor = "system", .at_ns = now });
	both(cs, c, PURPOSE_E_NO_NOTICE);
	change(cs, c);
}

const struct policy_notice *decide_notice_of(const struct call *c)
{
	unsigned w = c->decide.notice_which;

	return w && w <= c->rule->nnotice ? &c->rule->notice[w - 1] : NULL;
}

/* By the rule alone: the longest that callers may have been told; 0 when one of them has no known length. */
static uint64_t longest_notice(const struct call *c)
{
	uint64_t ms = 0;
	size_t i;

	for (i = 0; i < c->rule->nnotice; i++) {
		if (!c->rule->notice[i].length_ms)
			return 0;
		if (c->rule->notice[i].length_ms > ms)
			ms = c->rule->notice[i].length_ms;
	}
	return ms * 1000000;
}

/* Its end for a purpose: what is known, else what is strict for it (decide.h). */
static uint64_t notice_end(const struct call *c, int p)
{
	const struct call_decide *d = &c->decide;
	uint64_t n;

	if (d->notice_end_ns)
		return d->notice_end_ns;
	n = d->notice_which ? (uint64_t)decide_notice_of(c)->length_ms * 1000000 : longest_notice(c);
	if (!n && !by_consent(c, p))
		n = (uint64_t)c->rule->notice_timeout_s * NS_PER_S;
	return d->notice_start_ns + n;
}

void decide_early(struct calls *cs, struct call *c, int p, uint64_t now, uint64_t known_ns)
{
	struct call_decide *d = &c->decide;
	enum call_how how = (enum call_how)d->consent_early[p];

	if (!how || d->notice != CALL_NOTICE_PROVEN || !d->window_to_ns[p] || now < d->window_from_ns[p])
		return;
	d->consent_early[p] = 0;
	call_changed(cs, c);
	if (d->early_ns[p] <= d->window_to_ns[p]) {
		uint8_t speaks = d->said_by;

		d->said_by = d->early_by[p];
		decide_consent(cs, c, p, how, "api", NULL, now, known_ns);
		d->said_by = speaks;
	}
}

/* When the purposes have been spoken, in seconds after the notice began; where it is not known which was heard, of the one that says
 * it last. A later policy's may be later. */
static int keys_after_s(const struct call *c)
{
	const struct policy_notice *one = decide_notice_of(c);
	int s = c->tight.keys_after_s;

	if (one)
		return one->keys_after_s > s ? one->keys_after_s : s;
	for (unsigned i = 0; c->rule->notice && i < c->rule->nnotice; i++)
		if (c->rule->notice[i].keys_after_s > s && call_notice_valid(c, i, c->decide.notice_start_ns))
			s = c->rule->notice[i].keys_after_s;
	return s;
}

uint64_t decide_spoken_ns(const struct call *c)
{
	int s = keys_after_s(c);

	return s ? c->decide.notice_start_ns + (uint64_t)s * NS_PER_S : 0;
}

/* When a window that hangs on the notice begins. A consent is one to purposes that were heard (guidance 9.9). */
static uint64_t window_from(const struct call *c, int p)
{
	const struct policy_window *w = &c->rule->purpose[p].window;
	const struct call_tight *t = &c->tight;
	const struct call_decide *d = &c->decide;
	uint64_t from = (w->from_answer ? c->answer_ns : d->notice_start_ns) +
			(uint64_t)(t->window[p] ? t->window_from_s[p] : w->from_s) * NS_PER_S;

	return by_consent(c, p) && decide_spoken_ns(c) > from ? decide_spoken_ns(c) : from;
}

/* known_ns: as decide_notice_proven's. */
static void open_window(struct calls *cs, struct call *c, int p, uint64_t now, uint64_t known_ns)
{
	const struct policy_window *w = &c->rule->purpose[p].window;
	const struct call_tight *t = &c->tight;
	struct call_decide *d = &c->decide;
	int to_s = t->window[p] ? t->window_to_s[p] : w->to_s;
	uint64_t to;

	if (!has(c, p) || !w->set || c->state[p] != PURPOSE_PENDING)
		return;
	d->window_from_ns[p] = window_from(c, p);
	to = (w->from_answer ? c->answer_ns : notice_end(c, p)) + (uint64_t)to_s * NS_PER_S;
	d->window_to_ns[p] = to;
	decide_early(cs, c, p, now, known_ns);
	if (now >= to)
		decide_window_closes(cs, c, p, now);
}

void decide_notice_proven(struct calls *cs, struct call *c, enum call_how how, uint64_t start, uint64_t end, uint64_t now,
			  uint64_t known_ns)
{
	struct call_decide *d = &c->decide;
	const struct policy_notice *n;
	int p;

	d->notice = CALL_NOTICE_PROVEN;
	d->notice_how = (uint8_t)how;
	d->notice_start_ns = start ? start : 1;
	d->notice_end_ns = end;
	d->notice_due_ns = 0;
	d->notice_heard_ms = 0;
	if (how == CALL_BY_FINGERPRINT && !end)
		d->notice_heard_ms = cs->sink.heard ? cs->sink.heard(cs->sink.arg, c) : (uint32_t)((now - start) / 1000000);
	else if (how == CALL_BY_FINGERPRINT)
		d->notice_heard_ms = (uint32_t)((end - start) / 1000000);
	n = decide_notice_of(c);
	tell(cs, c, (struct call_news){ .event = "notice.played", .purpose = -1, .actor = "system", .how = how,
					.notice = n ? n->name : NULL, .at_ns = now });
	both(cs, c, PURPOSE_E_NOTICE);
	for (p = 0; p < POLICY_PURPOSES; p++)
		open_window(cs, c, p, now, known_ns);
	change(cs, c);
	decide_set_timer(cs, c);
}

bool decide_in_window(const struct call *c, int p, uint64_t now)
{
	const struct call_decide *d = &c->decide;

	return (d->notice == CALL_NOTICE_PROVEN || d->hearing) && d->window_to_ns[p] && now >= d->window_from_ns[p] && now <= d->window_to_ns[p];
}

static int compare(struct policy_date a, const struct clock_date *b)
{
	return a.year != b->year ? a.year - b->year : a.month != b->month ? a.month - b->month : a.day - b->day;
}

bool call_notice_valid(const struct call *c, unsigned which, uint64_t at_ns)
{
	const struct policy_notice *n = &c->rule->notice[which];
	struct clock_date day;

	if (!n->from.year && !n->until.year)
		return true;
	if (clock_civil(at_ns, c->rule->controller->timezone, &day, NULL, NULL))
		return false;
	return !(n->from.year && compare(n->from, &day) > 0) && !(n->until.year && compare(n->until, &day) < 0);
}

bool decide_notice_may(const struct call *c, int which, uint64_t at_ns)
{
	if (which >= 0)
		return call_notice_valid(c, (unsigned)which, at_ns);
	for (unsigned i = 0; i < c->rule->nnotice; i++)
		if (call_notice_valid(c, i, at_ns))
			return true;
	return !c->rule->nnotice;
}

uint8_t decide_only_notice(const struct call *c, uint64_t at_ns)
{
	uint8_t only = 0;

	for (unsigned i = 0; i < c->rule->nnotice; i++) {
		if (!call_notice_valid(c, i, at_ns))
			continue;
		if (only)
			return 0;
		only = (uint8_t)(i + 1);
	}
	return only;
}

bool decide_expects(const struct call *c, enum policy_proof proof)
{
	return c->matched && c->rule->proof == proof && c->decide.notice == CALL_NOTICE_WAIT;
}

void call_window_moves(struct calls *cs, struct call *c, int p, int to_s, uint64_t now_ns)
{
	struct call_decide *d = &c->decide;
	uint64_t from, to;

	if (!d->window_to_ns[p])
		return;
	if (!d->reopened[p]) {
		from = window_from(c, p);
		if (from > d->window_from_ns[p]) /* that it was taken back may have moved it further */
			d->window_from_ns[p] = from;
		d->window_to_ns[p] += (uint64_t)((int64_t)to_s * (int64_t)NS_PER_S);
	} else { /* the agent's: as long as it would be now, or over */
		if (decide_spoken_ns(c) > d->window_from_ns[p])
			d->window_from_ns[p] = decide_spoken_ns(c);
		to = c->tight.window_to_s[p] > 0 && c->tight.window[p] ? d->window_from_ns[p] + (uint64_t)c->tight.window_to_s[p] * NS_PER_S :
									   d->window_to_ns[p];
		d->window_to_ns[p] = c->tight.no_reopen[p] ? now_ns : to < d->window_to_ns[p] ? to : d->window_to_ns[p];
	}
	if (now_ns >= d->window_to_ns[p])
		decide_window_closes(cs, c, p, over(cs, c, now_ns) ? hung_up_ns(cs, c) : now_ns);
	decide_set_timer(cs, c);
}

/* Windows that still wait for the end are set anew. */
static void notice_ended(struct calls *cs, struct call *c, uint64_t end_ns, uint64_t now_ns)
{
	struct call_decide *d = &c->decide;
	int p;

	d->notice_end_ns = end_ns;
	for (p = 0; p < POLICY_PURPOSES; p++)
		if (d->window_to_ns[p] && !d->reopened[p])
			open_window(cs, c, p, now_ns, now_ns);
	change(cs, c); /* nobody looks for it any more */
	decide_set_timer(cs, c);
}

/* What began before the answer of an outbound call was not heard. A clock that was set back since makes it less, never more. */
static bool too_early(const struct call *c, uint64_t start_ns)
{
	return !decide_reached(c) || (c->rule->side == POLICY_SIDE_CALLING && start_ns < c->answer_ns);
}

void call_notice_heard(struct calls *cs, struct call *c, int which, enum call_how how, uint64_t start_ns, uint64_t end_ns,
		       uint64_t now_ns)
{
	struct call_decide *d = &c->decide;
	uint64_t known_ns = now_ns;
	uint8_t place;

	if (!c->matched || c->phase == CALL_TOMBSTONE || which >= (int)c->rule->nnotice ||
	    c->rule->proof != (how == CALL_BY_API ? POLICY_PROOF_API : POLICY_PROOF_FINGERPRINT))
		return;
	call_decide_time(cs, c, now_ns); /* too late is too late */
	if (over(cs, c, now_ns)) /* it may take a while to recognise what was played before */
		now_ns = hung_up_ns(cs, c);
	if (start_ns > now_ns || too_early(c, start_ns) || !decide_notice_may(c, which, start_ns))
		return;
	d->hearing = false;
	place = which < 0 ? decide_only_notice(c, start_ns) : (uint8_t)(which + 1);
	if (d->notice == CALL_NOTICE_WAIT) {
		d->notice_which = place;
		decide_notice_proven(cs, c, how, start_ns, end_ns, now_ns, known_ns);
		return;
	}
	/* The same notice ended. */
	if (d->notice != CALL_NOTICE_PROVEN || d->notice_which != place || !end_ns || d->notice_end_ns)
		return;
	notice_ended(cs, c, end_ns, now_ns);
}

static uint64_t notice_due(const struct call *c)
{
	return c->answered ? c->answer_ns + (uint64_t)c->rule->notice_timeout_s * NS_PER_S : 0;
}

/* What is being heard is heard out: it is missing only some time after it could have ended. */
static void hear_out(struct call *c)
{
	struct call_decide *d = &c->decide;
	uint64_t until = d->notice_start_ns + (decide_notice_of(c) ? (uint64_t)decide_notice_of(c)->length_ms * 1000000 : 0) + HEAR_OUT_NS;

	if (d->hearing && d->notice_due_ns && d->notice_due_ns < until)
		d->notice_due_ns = until;
}

void call_notice_hearing(struct calls *cs, struct call *c, int which, uint64_t start_ns, uint64_t now_ns)
{
	struct call_decide *d = &c->decide;
	int p;

	if (!c->matched || c->phase == CALL_TOMBSTONE || which < 0 || which >= (int)c->rule->nnotice || d->hearing ||
	    !decide_expects(c, POLICY_PROOF_FINGERPRINT) || too_early(c, start_ns) ||
	    !decide_notice_may(c, which, start_ns))
		return;
	d->hearing = true;
	d->notice_which = (uint8_t)(which + 1);
	d->notice_start_ns = start_ns ? start_ns : 1;
	d->notice_end_ns = 0;
	hear_out(c);
	for (p = 0; p < POLICY_PURPOSES; p++)
		if (by_consent(c, p)) /* silence decides nothing here but that there is no consent */
			open_window(cs, c, p, now_ns, now_ns);
	call_changed(cs, c);
	decide_set_timer(cs, c);
}

void call_notice_broken(struct calls *cs, struct call *c, uint64_t end_ns, uint64_t now_ns)
{
	struct call_decide *d = &c->decide;
	int p;

	if (!c->matched || c->phase == CALL_TOMBSTONE || !d->hearing)
		return;
	d->hearing = false;
	if (d->notice == CALL_NOTICE_PROVEN) { /* by a key: that it stopped then is what an announcement does */
		notice_ended(cs, c, end_ns, now_ns);
		return;
	}
	d->notice_which = 0;
	d->notice_start_ns = 0;
	for (p = 0; p < POLICY_PURPOSES; p++)
		d->window_from_ns[p] = d->window_to_ns[p] = 0;
	d->notice_due_ns = notice_due(c);
	call_changed(cs, c);
	call_decide_time(cs, c, now_ns);
	decide_set_timer(cs, c);
}

/* The rest of the notice goes by SMS (N-36): of a call of which anything may be kept. Once in a conversation's call. */
static void await_sms(struct calls *cs, struct call *c, uint64_t now)
{
	bool live = false;

	for (int p = 0; p < POLICY_PURPOSES; p++)
		live |= c->state[p] == PURPOSE_PENDING || c->state[p] == PURPOSE_GRANTED || c->state[p] == PURPOSE_OBJECTED;
	if (!c->rule->sms || c->decide.sms || !live)
		return;
	c->decide.sms = true;
	call_changed(cs, c);
	tell(cs, c, (struct call_news){ .event = "notice.sms", .purpose = -1, .actor = "system", .how = CALL_BY_POLICY, .reason = "awaited",
					.at_ns = now });
}

void call_decide_answered(struct calls *cs, struct call *c, uint64_t now_ns)
{
	struct call_decide *d = &c->decide;

	await_sms(cs, c, now_ns);
	if (d->notice != CALL_NOTICE_WAIT || d->notice_due_ns)
		return;
	if ((c->rule->proof == POLICY_PROOF_ATTESTED || d->header_seen) && decide_notice_may(c, -1, c->answer_ns)) {
		uint64_t length = longest_notice(c);

		if (!d->header_seen || !d->notice_which)
			d->notice_which = decide_only_notice(c, c->answer_ns);
		decide_notice_proven(cs, c, d->header_seen ? CALL_BY_HEADER : CALL_BY_ATTESTED, c->answer_ns, length ? c->answer_ns + length : 0,
				      now_ns, now_ns);
		return;
	}
	d->notice_due_ns = notice_due(c);
	hear_out(c);
	decide_set_timer(cs, c);
}

void call_decide_carry(struct calls *cs, struct call *c, const struct call_decide *before, const bool consent[POLICY_PURPOSES],
		       uint64_t now_ns)
{
	struct call_decide *d = &c->decide;
	int p;

	d->sms = before->sms;
	if (before->notice != CALL_NOTICE_PROVEN || d->notice != CALL_NOTICE_WAIT || !decide_reached(c))
		return;
	d->notice_which = before->notice_which;
	decide_notice_proven(cs, c, (enum call_how)before->notice_how, before->notice_start_ns, before->notice_end_ns, now_ns, now_ns);
	for (p = 0; p < POLICY_PURPOSES; p++)
		if (consent[p] && by_consent(c, p))
			decide_consent(cs, c, p, CALL_BY_PEER, "system", NULL, now_ns, now_ns);
}
