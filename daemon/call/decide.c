/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * decide.c - keys, notices, windows, loss and commands, see decide.h
 *
 * In the order of the header: words, times, the match, the notice, keys, loss and paths,
 * commands, what follows for audio, take-over. Whatever changes a call goes through call_event
 * or through change(), so that verdicts follow at once.
 */
#include "call/decide.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/clock.h"
#include "call/call_internal.h"
#include "optag.h"

#define NS_PER_S    1000000000ULL
#define HEAR_OUT_NS (3 * NS_PER_S)

const char *call_how_name(enum call_how h)
{
	static const char *const name[CALL_HOWS] = { "time",	    "rfc4733",	"info", "inband", "header", "api",
						     "fingerprint", "attested", "sdp",	"list",	  "loss",   "policy", "peer" };

	return (unsigned)h < CALL_HOWS ? name[h] : "?";
}

const char *call_command_name(enum call_command cmd)
{
	static const char *const name[CALL_COMMANDS] = { "consent", "withdraw", "opt-out",    "object", "object-grounds",
							 "pause",   "resume",	"not-needed", "reopen" };

	return (unsigned)cmd < CALL_COMMANDS ? name[cmd] : "?";
}

unsigned call_subject_leg(const struct call *c)
{
	return c->rule->side == POLICY_SIDE_CALLED ? OPTAG_LEG_CALLER : OPTAG_LEG_CALLEE;
}

static const char *party(const struct call *c, unsigned leg)
{
	if (leg != call_subject_leg(c))
		return "agent";
	return leg == OPTAG_LEG_CALLER ? "caller" : "callee";
}

/* Who says it when no leg does. */
static const char *speaker(enum call_how how)
{
	switch (how) {
	case CALL_BY_API:
	case CALL_BY_HEADER:
		return "api";
	case CALL_BY_SDP:
		return "sdp";
	case CALL_BY_LIST:
		return "list";
	default:
		return "system";
	}
}

static void tell(struct calls *cs, const struct call *c, struct call_news n)
{
	if (!n.reason)
		n.reason = "";
	if (cs->sink.news)
		cs->sink.news(cs->sink.arg, c, &n);
}

/* Something that is no event of a purpose has changed what may be kept. */
static void change(struct calls *cs, struct call *c)
{
	call_changed(cs, c);
	call_refresh_verdicts(cs, c);
}

static bool has(const struct call *c, int p)
{
	return c->rule->purpose[p].basis != POLICY_B_NONE;
}

static bool by_consent(const struct call *c, int p)
{
	return c->rule->purpose[p].basis == POLICY_B_CONSENT;
}

static bool by_opt_out(const struct call *c)
{
	const struct policy_block *b = &c->rule->purpose[POLICY_TRAINING];

	return b->basis == POLICY_B_INTEREST && !b->special;
}

static void both(struct calls *cs, struct call *c, enum purpose_event e)
{
	for (int p = 0; p < POLICY_PURPOSES; p++)
		call_event(cs, c, (enum policy_purpose)p, e);
}

/* ---- times ---- */

static void sooner(uint64_t *due, uint64_t at)
{
	if (at && (!*due || at < *due))
		*due = at;
}

static bool has_twins(const struct call_typed *t)
{
	for (int i = 0; i < CALL_TWINS; i++)
		if (t->twin[i].key)
			return true;
	return false;
}

uint64_t call_decide_due(const struct call *c)
{
	const struct call_decide *d = &c->decide;
	uint64_t due = 0;

	if (!c->matched)
		return 0;
	sooner(&due, d->notice_due_ns);
	sooner(&due, d->pause_due_ns);
	for (int i = 0; i < 2; i++) {
		sooner(&due, d->window_to_ns[i]);
		if (d->typed[i].n || has_twins(&d->typed[i]))
			sooner(&due, d->typed[i].last_ns + KEY_PAUSE_NS);
	}
	return due;
}

static void set_timer(struct calls *cs, struct call *c)
{
	uint64_t due = call_decide_due(c);

	if (due && due < c->timer_ns && c->phase != CALL_TOMBSTONE)
		call_set_timer(cs, c, due);
}

/* While ENDING; not end_ns, which a clock that was set back does not move. */
static uint64_t hung_up_ns(const struct calls *cs, const struct call *c)
{
	return c->linger_ns - cs->limit.linger_ns;
}

/* BYE was seen; what comes now was on its way, or lingers. */
static bool over(const struct calls *cs, const struct call *c, uint64_t now)
{
	return c->phase == CALL_ENDING && now > hung_up_ns(cs, c);
}

static void window_closes(struct calls *cs, struct call *c, int p, uint64_t now)
{
	struct call_decide *d = &c->decide;

	d->window_to_ns[p] = 0;
	d->reopened[p] = false;
	if (c->state[p] != PURPOSE_PENDING) {
		change(cs, c); /* nobody listens for a yes any more */
		return;
	}
	if (by_consent(c, p))
		tell(cs, c, (struct call_news){ .event = "consent.none", .purpose = p, .actor = "system", .reason = "timeout", .at_ns = now });
	call_event(cs, c, (enum policy_purpose)p, PURPOSE_E_WINDOW);
}

static void notice_missing(struct calls *cs, struct call *c, uint64_t now)
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

static void resume(struct calls *cs, struct call *c, const char *actor, enum call_how how, const char *reason, uint64_t now)
{
	c->decide.paused = false;
	c->decide.pause_due_ns = 0;
	tell(cs, c, (struct call_news){ .event = "audio.resume", .purpose = -1, .actor = actor, .how = how, .reason = reason, .at_ns = now });
	change(cs, c);
}

/* Nobody ended the pause: by the rule it ends now, or the recording does. */
static void pause_too_long(struct calls *cs, struct call *c, uint64_t now)
{
	c->decide.pause_due_ns = 0;
	if (!c->decide.paused)
		return;
	if (!c->rule->pause_stop) {
		resume(cs, c, "system", CALL_BY_TIME, "pause-max", now);
		return;
	}
	c->decide.pause_over = true;
	tell(cs, c, (struct call_news){ .event = "audio.stop", .purpose = -1, .actor = "system", .reason = "pause-max", .at_ns = now });
	change(cs, c);
}

static void forget_digits(struct call_typed *t)
{
	explicit_bzero(t->digit, sizeof(t->digit));
	t->n = t->close = 0;
}

static void forget_twins(struct call_typed *t)
{
	for (int i = 0; i < CALL_TWINS; i++)
		if (t->twin[i].key)
			explicit_bzero(&t->twin[i], sizeof(t->twin[i]));
}

void call_decide_time(struct calls *cs, struct call *c, uint64_t now_ns)
{
	struct call_decide *d = &c->decide;
	int p;

	if (!c->matched || c->phase == CALL_TOMBSTONE)
		return;
	for (p = 0; p < 2; p++) {
		if (now_ns < d->typed[p].last_ns + KEY_PAUSE_NS)
			continue;
		if (d->typed[p].n)
			forget_digits(&d->typed[p]);
		forget_twins(&d->typed[p]);
	}
	/* Who hung up before a window closed has not let it pass: after the end nothing is decided by time. */
	if (over(cs, c, now_ns))
		now_ns = hung_up_ns(cs, c);
	/* In the order of guidance 5: without a notice no window can grant. */
	if (d->notice_due_ns && now_ns >= d->notice_due_ns)
		notice_missing(cs, c, now_ns);
	for (p = 0; p < POLICY_PURPOSES; p++)
		if (d->window_to_ns[p] && now_ns >= d->window_to_ns[p])
			window_closes(cs, c, p, now_ns);
	if (d->pause_due_ns && now_ns >= d->pause_due_ns)
		pause_too_long(cs, c, now_ns);
}

void call_slot_durable(struct calls *cs, struct call *c)
{
	if (!c->decide.sample_waits)
		return;
	c->decide.sample_waits = false;
	if (c->matched && c->state[POLICY_TRAINING] == PURPOSE_GRANTED && cs->sink.granted)
		cs->sink.granted(cs->sink.arg, c, POLICY_TRAINING);
	change(cs, c);
	if (!c->decide.sample_shared)
		group_slot(cs, c, true);
}

void call_slot_lost(struct calls *cs, struct call *c)
{
	enum purpose_state was = c->state[POLICY_TRAINING];

	c->decide.sample_slot = 0;
	c->decide.sample_waits = false;
	if (!c->matched)
		return;
	call_event(cs, c, POLICY_TRAINING, PURPOSE_E_TIGHTENED);
	if (c->state[POLICY_TRAINING] != was)
		c->reason[POLICY_TRAINING] = "sampling.unavailable";
	change(cs, c);
	if (!c->decide.sample_shared)
		group_slot(cs, c, false);
}

void call_decide_end(struct calls *cs, struct call *c, uint64_t now_ns)
{
	int p;

	/* what time decided before the end */
	call_decide_time(cs, c, c->end_ns && c->end_ns < now_ns ? c->end_ns : now_ns);
	for (p = 0; p < 2; p++) {
		forget_digits(&c->decide.typed[p]);
		forget_twins(&c->decide.typed[p]);
	}
	for (p = 0; p < POLICY_PURPOSES; p++) {
		if (c->state[p] == PURPOSE_PENDING && by_consent(c, p))
			tell(cs, c, (struct call_news){ .event = "consent.none", .purpose = p, .actor = "system", .reason = "hangup",
							.at_ns = now_ns });
		call_event(cs, c, (enum policy_purpose)p, PURPOSE_E_BYE);
	}
	if (c->decide.sample_waits)
		call_slot_lost(cs, c);
	/* Documentation that was never announced is not kept as if it had been (N-31). */
	if (c->decide.notice == CALL_NOTICE_WAIT && c->answered)
		notice_missing(cs, c, now_ns);
}

/* ---- the match ---- */

/* The considerations are out of date: nothing goes on silently (N-18, R-18). */
static bool review_missed(const struct call *c, uint64_t now)
{
	const struct policy_date *d = &c->rule->review;
	struct clock_date today;

	if (!d->year || c->rule->controller->lab || c->rule->on_review_missed == POLICY_FB_KEEP)
		return false;
	if (clock_civil(now, c->rule->controller->timezone, &today, NULL, NULL))
		return true;
	return today.year != d->year ? today.year > d->year : today.month != d->month ? today.month > d->month : today.day > d->day;
}

static void refuse(struct calls *cs, struct call *c, int p, const char *reason, uint64_t now)
{
	if (!has(c, p))
		return;
	c->state[p] = PURPOSE_DENIED;
	c->reason[p] = reason;
	tell(cs, c, (struct call_news){ .event = "purpose.deny", .purpose = p, .actor = "system", .how = CALL_BY_POLICY, .reason = reason,
					.at_ns = now });
}

/* Only as many as are used (N-46, N-53): drawn before anything can be heard, so that a call that is out never leaves the kernel. */
static void draw(struct calls *cs, struct call *c, uint64_t now)
{
	const char *out;
	bool shared;

	if (c->third) { /* nobody need be drawn */
		call_event_why(cs, c, POLICY_TRAINING, PURPOSE_E_SAMPLE_OUT, "third-party");
		return;
	}
	shared = group_draw(cs, c, &out);
	if (!shared)
		out = cs->sink.draw ? cs->sink.draw(cs->sink.arg, c) : "sampling.unavailable";
	group_drawn(c, out);
	tell(cs, c, (struct call_news){ .event = out ? "sample.out" : "sample.in", .purpose = POLICY_TRAINING, .actor = "system", .reason = out,
					.at_ns = now });
	/* the sampler tells the log of its draws; of another call's this does */
	call_event_why(cs, c, POLICY_TRAINING, out ? PURPOSE_E_SAMPLE_OUT : PURPOSE_E_MATCH, shared ? out : NULL);
	if (out && c->state[POLICY_TRAINING] == PURPOSE_DENIED)
		c->reason[POLICY_TRAINING] = out;
}

/* Who opted out is rung back, and that call is not recorded (N-65); a statute does not ask what was promised. */
static void promised(struct calls *cs, struct call *c, uint64_t now)
{
	c->decide.callback = !c->promised && !c->answered; /* not used up twice */
	c->promised = true;
	for (int p = 0; p < POLICY_PURPOSES; p++) {
		if (c->rule->purpose[p].basis == POLICY_B_OBLIGATION)
			call_event(cs, c, (enum policy_purpose)p, PURPOSE_E_MATCH);
		else
			refuse(cs, c, p, "callback", now);
	}
}

void call_decide_match(struct calls *cs, struct call *c, uint64_t now_ns)
{
	int p;

	tell(cs, c, (struct call_news){ .event = "call.match", .purpose = -1, .actor = "system", .at_ns = now_ns });
	/* What cannot be proven is not done (INV-7). */
	if (cs->sink.ready && !cs->sink.ready(cs->sink.arg)) {
		for (p = 0; p < POLICY_PURPOSES; p++)
			refuse(cs, c, p, "evidence.unavailable", now_ns);
		return;
	}
	if (review_missed(c, now_ns)) {
		for (p = 0; p < POLICY_PURPOSES; p++)
			refuse(cs, c, p, "review.missed", now_ns);
		return;
	}
	/* also its later parts, and the calls that it is transferred to */
	if (c->promised || group_promised(c) ||
	    (c->rule->side == POLICY_SIDE_CALLING && cs->sink.callback_due && cs->sink.callback_due(cs->sink.arg, c))) {
		promised(cs, c, now_ns);
		return;
	}
	call_event(cs, c, POLICY_DOCUMENTATION, PURPOSE_E_MATCH);
	if (c->third && c->state[POLICY_DOCUMENTATION] == PURPOSE_GRANTED)
		c->reason[POLICY_DOCUMENTATION] = "third-party";
	if (has(c, POLICY_TRAINING))
		draw(cs, c, now_ns);
}

/* ---- the notice ---- */

static const struct policy_notice *notice_of(const struct call *c)
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
	n = d->notice_which ? (uint64_t)notice_of(c)->length_ms * 1000000 : longest_notice(c);
	if (!n && !by_consent(c, p))
		n = (uint64_t)c->rule->notice_timeout_s * NS_PER_S;
	return d->notice_start_ns + n;
}

static void open_window(struct calls *cs, struct call *c, int p, uint64_t now)
{
	const struct policy_window *w = &c->rule->purpose[p].window;
	struct call_decide *d = &c->decide;
	uint64_t to;

	if (!has(c, p) || !w->set || c->state[p] != PURPOSE_PENDING)
		return;
	d->window_from_ns[p] = (w->from_answer ? c->answer_ns : d->notice_start_ns) + (uint64_t)w->from_s * NS_PER_S;
	to = (w->from_answer ? c->answer_ns : notice_end(c, p)) + (uint64_t)w->to_s * NS_PER_S;
	if (c->tight.window_s[p] && to > d->window_from_ns[p] + c->tight.window_s[p] * NS_PER_S)
		to = d->window_from_ns[p] + c->tight.window_s[p] * NS_PER_S;
	d->window_to_ns[p] = to;
	if (now >= to)
		window_closes(cs, c, p, now);
}

static void give_consent(struct calls *cs, struct call *c, int p, enum call_how how, const char *actor, const char *key, uint64_t now);

static void notice_proven(struct calls *cs, struct call *c, enum call_how how, uint64_t start, uint64_t end, uint64_t now)
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
	n = notice_of(c);
	tell(cs, c, (struct call_news){ .event = "notice.played", .purpose = -1, .actor = "system", .how = how,
					.notice = n ? n->name : NULL, .at_ns = now });
	both(cs, c, PURPOSE_E_NOTICE);
	for (p = 0; p < POLICY_PURPOSES; p++) {
		open_window(cs, c, p, now);
		if (d->consent_early[p])
			give_consent(cs, c, p, (enum call_how)d->consent_early[p], "api", NULL, now);
		d->consent_early[p] = 0;
	}
	change(cs, c);
	set_timer(cs, c);
}

/* Which of the rule's notices are valid on the day of the call; 0 several or none, so it is not known which. */
static uint8_t only_notice(const struct call *c)
{
	return c->rule->nnotice == 1 ? 1 : 0;
}

static bool expects(const struct call *c, enum policy_proof proof)
{
	return c->matched && c->rule->proof == proof && c->decide.notice == CALL_NOTICE_WAIT;
}

/* Windows that still wait for the end are set anew. */
static void notice_ended(struct calls *cs, struct call *c, uint64_t end_ns, uint64_t now_ns)
{
	struct call_decide *d = &c->decide;
	int p;

	d->notice_end_ns = end_ns;
	for (p = 0; p < POLICY_PURPOSES; p++)
		if (d->window_to_ns[p] && !d->reopened[p])
			open_window(cs, c, p, now_ns);
	change(cs, c); /* nobody looks for it any more */
	set_timer(cs, c);
}

void call_notice_heard(struct calls *cs, struct call *c, int which, enum call_how how, uint64_t start_ns, uint64_t end_ns,
		       uint64_t now_ns)
{
	struct call_decide *d = &c->decide;

	if (!c->matched || c->phase == CALL_TOMBSTONE || which >= (int)c->rule->nnotice ||
	    c->rule->proof != (how == CALL_BY_API ? POLICY_PROOF_API : POLICY_PROOF_FINGERPRINT))
		return;
	call_decide_time(cs, c, now_ns); /* too late is too late */
	if (over(cs, c, now_ns)) /* it may take a while to recognise what was played before */
		now_ns = hung_up_ns(cs, c);
	if (start_ns > now_ns)
		return;
	d->hearing = false;
	if (d->notice == CALL_NOTICE_WAIT) {
		d->notice_which = (uint8_t)(which + 1);
		notice_proven(cs, c, how, start_ns, end_ns, now_ns);
		return;
	}
	/* The same notice ended. */
	if (d->notice != CALL_NOTICE_PROVEN || d->notice_which != (uint8_t)(which + 1) || !end_ns || d->notice_end_ns)
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
	uint64_t until = d->notice_start_ns + (notice_of(c) ? (uint64_t)notice_of(c)->length_ms * 1000000 : 0) + HEAR_OUT_NS;

	if (d->hearing && d->notice_due_ns && d->notice_due_ns < until)
		d->notice_due_ns = until;
}

void call_notice_hearing(struct calls *cs, struct call *c, int which, uint64_t start_ns, uint64_t now_ns)
{
	struct call_decide *d = &c->decide;
	int p;

	if (!c->matched || c->phase == CALL_TOMBSTONE || which < 0 || which >= (int)c->rule->nnotice || d->hearing ||
	    !expects(c, POLICY_PROOF_FINGERPRINT))
		return;
	d->hearing = true;
	d->notice_which = (uint8_t)(which + 1);
	d->notice_start_ns = start_ns ? start_ns : 1;
	d->notice_end_ns = 0;
	hear_out(c);
	for (p = 0; p < POLICY_PURPOSES; p++)
		if (by_consent(c, p)) /* silence decides nothing here but that there is no consent */
			open_window(cs, c, p, now_ns);
	call_changed(cs, c);
	set_timer(cs, c);
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
	set_timer(cs, c);
}

static void answered(struct calls *cs, struct call *c, uint64_t now)
{
	struct call_decide *d = &c->decide;

	if (d->notice != CALL_NOTICE_WAIT || d->notice_due_ns)
		return;
	if (c->rule->proof == POLICY_PROOF_ATTESTED || d->header_seen) {
		uint64_t length = longest_notice(c);

		d->notice_which = only_notice(c);
		notice_proven(cs, c, d->header_seen ? CALL_BY_HEADER : CALL_BY_ATTESTED, c->answer_ns, length ? c->answer_ns + length : 0,
			      now);
		return;
	}
	d->notice_due_ns = notice_due(c);
	hear_out(c);
	set_timer(cs, c);
}

void call_decide_answered(struct calls *cs, struct call *c, uint64_t now_ns)
{
	answered(cs, c, now_ns);
}

void call_decide_carry(struct calls *cs, struct call *c, const struct call_decide *before, const bool consent[POLICY_PURPOSES],
		       uint64_t now_ns)
{
	struct call_decide *d = &c->decide;
	int p;

	if (before->notice != CALL_NOTICE_PROVEN || d->notice != CALL_NOTICE_WAIT)
		return;
	d->notice_which = before->notice_which;
	notice_proven(cs, c, (enum call_how)before->notice_how, before->notice_start_ns, before->notice_end_ns, now_ns);
	for (p = 0; p < POLICY_PURPOSES; p++)
		if (consent[p] && by_consent(c, p))
			give_consent(cs, c, p, CALL_BY_PEER, "system", NULL, now_ns);
}

/* ---- keys ---- */

enum meaning { M_NONE, M_CONSENT, M_WITHDRAW, M_OPT_OUT, M_OPT_OUT_AGENT, M_PAUSE, M_RESUME, M_NOT_NEEDED };

struct found {
	enum meaning what;
	int purpose;
	const char *key;
};

/* One key of the rule: does what was typed end in it, and by how much is it the longest so far? */
static void longest(const struct call_typed *t, const char *key, enum meaning what, int p, struct found *best)
{
	size_t n = strlen(key);

	if (!n || n > t->n || memcmp(t->digit + t->n - n, key, n) != 0)
		return;
	if (!best->key || n > strlen(best->key))
		*best = (struct found){ what, p, key };
}

typedef void each_key(const struct call_typed *t, const char *key, enum meaning what, int p, struct found *best);

/* All keys that mean something on the leg. A later policy may add ways out, never take any (policy-language 5.2). */
static void keys_of(const struct call *c, unsigned leg, each_key *f, const struct call_typed *t, struct found *best)
{
	bool subject = leg == call_subject_leg(c);
	const struct policy_rule *r = c->rule;

	for (int p = 0; p < POLICY_PURPOSES; p++) {
		const struct policy_block *b = &r->purpose[p];

		if (!has(c, p))
			continue;
		if (subject) {
			f(t, b->consent_key, M_CONSENT, p, best);
			f(t, b->withdraw_key, M_WITHDRAW, p, best);
		} else {
			f(t, b->not_needed_key, M_NOT_NEEDED, p, best);
		}
		for (int i = 0; i < POLICY_KEYS_MAX; i++) {
			f(t, subject ? b->optout_key[i] : b->optout_agent_key[i], subject ? M_OPT_OUT : M_OPT_OUT_AGENT, p, best);
			if (p == POLICY_TRAINING)
				f(t, subject ? c->tight.optout_key[i] : c->tight.optout_agent_key[i],
				  subject ? M_OPT_OUT : M_OPT_OUT_AGENT, p, best);
		}
	}
	if (subject)
		return;
	f(t, r->pause_key, M_PAUSE, -1, best);
	f(t, r->resume_key, M_RESUME, -1, best);
	f(t, c->tight.pause_key, M_PAUSE, -1, best);
	f(t, c->tight.resume_key, M_RESUME, -1, best);
}

/* How many of the last digits could still become a key: the longest end of them that a key begins with. */
static void may_become(const struct call_typed *t, const char *key, enum meaning what, int p, struct found *best)
{
	size_t n = strlen(key), k;

	(void)what;
	for (k = n > t->n ? t->n : n ? n - 1 : 0; k > 0; k--)
		if (memcmp(t->digit + t->n - k, key, k) == 0)
			break;
	if (k > (size_t)best->purpose)
		best->purpose = (int)k;
	(void)p;
}

static void keep_tail(const struct call *c, unsigned leg, struct call_typed *t)
{
	struct found f = { M_NONE, 0, NULL };
	unsigned n;

	keys_of(c, leg, may_become, t, &f);
	n = (unsigned)f.purpose;
	memmove(t->digit, t->digit + t->n - n, n);
	explicit_bzero(t->digit + n, sizeof(t->digit) - n);
	t->close = (uint8_t)(t->close >> (t->n - n));
	t->n = (uint8_t)n;
}

static bool in_window(const struct call *c, int p, uint64_t now)
{
	const struct call_decide *d = &c->decide;

	return (d->notice == CALL_NOTICE_PROVEN || d->hearing) && d->window_to_ns[p] && now >= d->window_from_ns[p] && now <= d->window_to_ns[p];
}

static void give_consent(struct calls *cs, struct call *c, int p, enum call_how how, const char *actor, const char *key, uint64_t now)
{
	const struct policy_notice *n = notice_of(c);
	bool again = c->state[p] == PURPOSE_WITHDRAWN || (c->state[p] == PURPOSE_DENIED && c->decide.timed_out[p]);
	struct call_news news = { .event = "consent.given", .purpose = p, .actor = actor, .how = how, .key = key,
				  .notice = n ? n->name : NULL, .reason = "", .at_ns = now };

	/* a consent that can give nothing (opted out, drawn out, taken by a later policy, a third party) is none in the log either */
	if ((c->state[p] != PURPOSE_PENDING && !again) || c->tight.stopped[p] || (p == POLICY_TRAINING && c->third) || over(cs, c, now) ||
	    (cs->sink.ready && !cs->sink.ready(cs->sink.arg)))
		return;
	/* Told before it acts, so that no grant is without its event (INV-2). */
	tell(cs, c, news);
	/* E: consent is to the use of the conversation, so it covers what documentation has of it (guidance 6). */
	c->decide.granted_ns[p] = again || c->rule->purpose[p].training_from_press || p == POLICY_DOCUMENTATION ? now : 0;
	call_event(cs, c, (enum policy_purpose)p, PURPOSE_E_CONSENT);
	if (c->state[p] == PURPOSE_GRANTED)
		group_consent(cs, c, (enum policy_purpose)p, &news, c->decide.granted_ns[p] == 0);
}

static void press_consent(struct calls *cs, struct call *c, const struct found *f, const struct call_typed *t, enum call_how how,
			  bool trusted, unsigned leg, uint64_t now)
{
	/* Part of a number somebody types is no answer to a question (N-20: unambiguous). */
	if (t->close >> (t->n - strlen(f->key)) & 1)
		return;
	if (!trusted || !by_consent(c, f->purpose) || !in_window(c, f->purpose, now))
		return;
	if (c->decide.notice == CALL_NOTICE_WAIT) /* it was heard up to here */
		notice_proven(cs, c, CALL_BY_FINGERPRINT, c->decide.notice_start_ns, 0, now);
	give_consent(cs, c, f->purpose, how, party(c, leg), f->key, now);
}

/* What a system told before the notice was proven was taken back. */
static void not_early(struct calls *cs, struct call *c, int p)
{
	if (c->decide.consent_early[p])
		call_changed(cs, c);
	c->decide.consent_early[p] = 0;
}

static void withdraw(struct calls *cs, struct call *c, int p, enum call_how how, const char *actor, const char *key, uint64_t now)
{
	not_early(cs, c, p);
	if (!by_consent(c, p))
		return;
	if (c->state[p] == PURPOSE_GRANTED)
		call_event(cs, c, (enum policy_purpose)p, PURPOSE_E_WITHDRAW);
	else if (p != POLICY_TRAINING || !group_refuse(cs, c, PURPOSE_E_OPT_OUT, now)) /* an earlier part's consent */
		return;
	tell(cs, c, (struct call_news){ .event = "consent.withdrawn", .purpose = p, .actor = actor, .how = how, .key = key, .at_ns = now });
}

/* To documentation: what the rule says of objections holds, also when the recording is restricted already for want of a notice. */
static bool objects(struct calls *cs, struct call *c, int p)
{
	if (p != POLICY_DOCUMENTATION || by_consent(c, p) || c->decide.objected ||
	    (c->state[p] != PURPOSE_GRANTED && c->state[p] != PURPOSE_OBJECTED))
		return false;
	c->decide.objected = true;
	change(cs, c);
	if (c->state[p] == PURPOSE_OBJECTED) /* else with the event that follows */
		group_objection(cs, c, cs->now_ns);
	return true;
}

static uint64_t span_ns(struct policy_span s)
{
	static const uint64_t seconds[] = { [POLICY_U_S] = 1,	   [POLICY_U_MIN] = 60,		[POLICY_U_H] = 3600,
					    [POLICY_U_DAYS] = 86400, [POLICY_U_MONTHS] = 2678400, [POLICY_U_YEARS] = 31622400 };

	return (uint64_t)s.n * seconds[s.unit] * NS_PER_S;
}

/* The rule says that the person is rung back without a recording. */
static void promise(struct calls *cs, struct call *c, int p, uint64_t now)
{
	uint64_t span = span_ns(c->rule->purpose[p].callback_unrecorded);

	if (span && cs->sink.callback_add)
		cs->sink.callback_add(cs->sink.arg, c, now + span);
}

static bool opt_out(struct calls *cs, struct call *c, int p, enum call_how how, const char *actor, const char *key, uint64_t now)
{
	enum purpose_state was = c->state[p];
	bool first;

	/* What a statute demands is recorded, and everybody can see that the person did not want it (A3; story 44). */
	if (c->rule->purpose[p].basis == POLICY_B_OBLIGATION) {
		if (c->state[p] == PURPOSE_GRANTED && !*c->reason[p]) {
			c->reason[p] = "optout.statute";
			call_changed(cs, c);
		}
		return false;
	}
	not_early(cs, c, p);
	objects(cs, c, p);
	/* A key press alone stops nothing where none was offered (N-43); the table knows. */
	call_event(cs, c, (enum policy_purpose)p, PURPOSE_E_OPT_OUT);
	if (c->state[p] == was) {
		/* D, G: it stops nothing, and that it was seen is on record (guidance 5.4) */
		if (how == CALL_BY_SDP && (was == PURPOSE_PENDING || was == PURPOSE_GRANTED))
			tell(cs, c, (struct call_news){ .event = "objection.opened", .purpose = p, .actor = actor, .how = how,
							.reason = "grounds.absent", .at_ns = now });
		/* this part of the conversation is not for training anyway; others are, or will be */
		if (p != POLICY_TRAINING || (!by_consent(c, p) && !by_opt_out(c)))
			return false;
		first = !c->peers || !c->peers->bound;
		if (!group_refuse(cs, c, PURPOSE_E_OPT_OUT, now)) {
			if (first)
				promise(cs, c, p, now);
			return false;
		}
	}
	promise(cs, c, p, now);
	tell(cs, c, (struct call_news){ .event = c->state[p] == PURPOSE_WITHDRAWN ? "consent.withdrawn" :
						 c->state[p] == PURPOSE_OBJECTED  ? "objection.opened" :
										    "optout",
					.purpose = p, .actor = actor, .how = how, .key = key, .at_ns = now });
	return true;
}

static bool pause_recording(struct calls *cs, struct call *c, enum call_how how, const char *actor, uint64_t now)
{
	uint64_t max = span_ns(c->rule->pause_max);

	if (c->decide.paused)
		return false;
	c->decide.paused = true;
	c->decide.pause_due_ns = max ? now + max : 0;
	change(cs, c); /* deny first */
	tell(cs, c, (struct call_news){ .event = "audio.pause", .purpose = -1, .actor = actor, .how = how, .at_ns = now });
	set_timer(cs, c);
	group_pause(cs, c, true, now); /* the same words are on the other call */
	return true;
}

void call_pause_by_peer(struct calls *cs, struct call *c, bool pause, uint64_t now_ns)
{
	if (pause)
		(void)pause_recording(cs, c, CALL_BY_PEER, "system", now_ns);
	else if (c->decide.paused && !c->decide.pause_over)
		resume(cs, c, "system", CALL_BY_PEER, "", now_ns);
}

void call_pause_goes_on(struct calls *cs, struct call *c, const struct call_decide *before, uint64_t now_ns)
{
	if (!before->paused)
		return;
	(void)pause_recording(cs, c, CALL_BY_PEER, "system", now_ns);
	if (before->pause_over) {
		c->decide.pause_over = true;
		c->decide.pause_due_ns = 0;
	}
}

void call_objection_goes_on(struct calls *cs, struct call *c, const struct call_decide *before, uint64_t now_ns)
{
	if ((!before->objected && !group_objected(c)) || !objects(cs, c, POLICY_DOCUMENTATION))
		return;
	call_event(cs, c, POLICY_DOCUMENTATION, PURPOSE_E_OBJECT);
	tell(cs, c, (struct call_news){ .event = "objection.opened", .purpose = POLICY_DOCUMENTATION, .actor = "system", .how = CALL_BY_PEER,
					.reason = "grounds.absent", .at_ns = now_ns });
}

void call_objected(struct calls *cs, struct call *c)
{
	(void)objects(cs, c, POLICY_DOCUMENTATION);
}

static bool end_pause(struct calls *cs, struct call *c, enum call_how how, const char *actor, uint64_t now)
{
	if (!c->decide.paused || c->decide.pause_over)
		return false;
	resume(cs, c, actor, how, "", now);
	group_pause(cs, c, false, now);
	return true;
}

static bool not_needed(struct calls *cs, struct call *c, int p, enum call_how how, const char *actor, uint64_t now)
{
	enum purpose_state was = c->state[p];

	call_event(cs, c, (enum policy_purpose)p, PURPOSE_E_NOT_NEEDED);
	if (c->state[p] == was)
		return false;
	tell(cs, c, (struct call_news){ .event = "audio.discard", .purpose = p, .actor = actor, .how = how, .reason = "not-needed", .at_ns = now });
	return true;
}

static void act(struct calls *cs, struct call *c, const struct found *f, const struct call_typed *t, enum call_how how, bool trusted,
		unsigned leg, uint64_t now)
{
	const char *who = party(c, leg);

	switch (f->what) {
	case M_NONE:
		break;
	case M_CONSENT:
		press_consent(cs, c, f, t, how, trusted, leg, now);
		break;
	case M_WITHDRAW:
		withdraw(cs, c, f->purpose, how, who, f->key, now);
		break;
	case M_OPT_OUT:
	case M_OPT_OUT_AGENT:
		(void)opt_out(cs, c, f->purpose, how, who, f->key, now);
		break;
	case M_PAUSE:
		(void)pause_recording(cs, c, how, who, now);
		break;
	case M_RESUME:
		/* what starts audio again needs the agent's own leg */
		if (trusted)
			(void)end_pause(cs, c, how, who, now);
		break;
	case M_NOT_NEEDED:
		(void)not_needed(cs, c, f->purpose, how, who, now);
		break;
	}
}

/* The same press has come by another way just before. What was not trusted then may be now. */
static bool is_twin(struct call_typed *t, char key, enum call_how how, bool trusted, uint64_t now)
{
	for (int i = 0; i < CALL_TWINS; i++) {
		if (t->twin[i].key != key || t->twin[i].how == how || now - t->twin[i].ns > SAME_PRESS_NS)
			continue;
		if (trusted && !t->twin[i].trusted) {
			explicit_bzero(&t->twin[i], sizeof(t->twin[i]));
			t->last_ns = 0; /* it was that press, and no digit before this one */
			return false;
		}
		explicit_bzero(&t->twin[i], sizeof(t->twin[i]));
		return true;
	}
	return false;
}

static void may_have_twin(struct call_typed *t, char key, enum call_how how, bool trusted, uint64_t now)
{
	int at = 0;

	for (int i = 0; i < CALL_TWINS; i++)
		if (t->twin[i].ns < t->twin[at].ns)
			at = i;
	t->twin[at].key = key;
	t->twin[at].how = (uint8_t)how;
	t->twin[at].trusted = trusted;
	t->twin[at].ns = now;
}

static bool hears(const struct call *c, enum call_how how)
{
	unsigned bit = how == CALL_BY_INFO ? POLICY_DTMF_INFO : how == CALL_BY_INBAND ? POLICY_DTMF_INBAND : POLICY_DTMF_RFC4733;

	/* A way that the rule does not name may still be a way out, but grants nothing. */
	return ((c->rule->purpose[0].dtmf | c->rule->purpose[1].dtmf) & bit) != 0;
}

void call_key(struct calls *cs, struct call *c, unsigned leg, char key, enum call_how how, bool trusted, uint64_t now_ns)
{
	struct call_typed *t = &c->decide.typed[leg];
	struct found f = { M_NONE, -1, NULL };

	if (!c->matched || c->phase == CALL_TOMBSTONE) {
		c->presses++;
		return;
	}
	call_decide_time(cs, c, now_ns); /* a window that closed before the press is closed */
	trusted = trusted && hears(c, how); /* by another way than the rule's a press may deny and never grants */
	if (is_twin(t, key, how, trusted, now_ns))
		return;
	c->presses++;
	if (t->n && now_ns - t->last_ns >= KEY_PAUSE_NS)
		forget_digits(t);
	if (t->n == sizeof(t->digit) - 1) {
		memmove(t->digit, t->digit + 1, (size_t)--t->n);
		t->close >>= 1;
	}
	if (t->last_ns && now_ns - t->last_ns < KEY_ALONE_NS)
		t->close |= (uint8_t)(1u << t->n);
	t->digit[t->n++] = key;
	t->last_ns = now_ns;
	keys_of(c, leg, longest, t, &f);
	act(cs, c, &f, t, how, trusted, leg, now_ns);
	if (f.what != M_NONE)
		forget_digits(t);
	else
		keep_tail(c, leg, t);
	if (f.what != M_NONE || t->n) /* no other digit is worth knowing again */
		may_have_twin(t, key, how, trusted, now_ns);
	call_changed(cs, c);
	set_timer(cs, c);
}

void call_key_up(struct call *c, unsigned leg, char key, enum call_how how, uint64_t now_ns)
{
	struct call_typed *t = &c->decide.typed[leg];

	for (int i = 0; i < CALL_TWINS; i++)
		if (t->twin[i].key == key && t->twin[i].how == how)
			t->twin[i].ns = t->last_ns = now_ns;
}

void call_recordpref_off(struct calls *cs, struct call *c, unsigned side, uint64_t now_ns)
{
	int p;

	(void)side; /* agents are data subjects, too (RX-13) */
	if (!c->matched || c->decide.recordpref_off)
		return;
	call_decide_time(cs, c, now_ns);
	c->decide.recordpref_off = true;
	call_changed(cs, c);
	for (p = 0; p < POLICY_PURPOSES; p++)
		(void)opt_out(cs, c, p, CALL_BY_SDP, "sdp", NULL, now_ns);
}

void call_listed(struct calls *cs, struct call *c, uint64_t now_ns)
{
	for (int p = 0; p < POLICY_PURPOSES; p++) {
		(void)opt_out(cs, c, p, CALL_BY_LIST, "list", NULL, now_ns);
		/* where no opt-out is offered: a `never` holds all the same */
		if (c->rule->purpose[p].basis != POLICY_B_OBLIGATION)
			call_event_why(cs, c, (enum policy_purpose)p, PURPOSE_E_TIGHTENED, "never");
	}
}

/* ---- loss, and ways that do not exist ---- */

void call_lost_audio(struct calls *cs, struct call *c, unsigned leg, uint64_t ms, uint64_t now_ns)
{
	enum purpose_state was;

	if (!c->matched || leg != call_subject_leg(c) || ms < LOSS_HIDES_MS || !by_opt_out(c) ||
	    c->rule->purpose[POLICY_TRAINING].on_loss == 1)
		return;
	call_decide_time(cs, c, now_ns);
	was = c->state[POLICY_TRAINING];
	call_event(cs, c, POLICY_TRAINING, PURPOSE_E_LOSS);
	if (c->state[POLICY_TRAINING] != was)
		tell(cs, c, (struct call_news){ .event = "optout.uncertain", .purpose = POLICY_TRAINING, .actor = "system", .how = CALL_BY_LOSS,
						.at_ns = now_ns });
}

static unsigned ways(const struct call *c)
{
	return c->rule->purpose[0].dtmf | c->rule->purpose[1].dtmf;
}

/* Can this leg's keys be heard? True as long as none of its addresses is known. */
static bool leg_has_keys(const struct call *c, unsigned leg)
{
	bool any = false;
	unsigned i;

	for (i = 0; i < c->nep; i++) {
		const struct call_endpoint *e = &c->ep[i];

		if (!e->used || !e->in_force || e->leg != leg)
			continue;
		any = true;
		if (!e->srtp && (e->te[0] != OPTAG_NO_PT || e->te[1] != OPTAG_NO_PT))
			return true;
	}
	return !any;
}

/* Can tones be heard in this leg's sound? True as long as none of its addresses is known. */
static bool leg_has_sound(const struct call *c, unsigned leg)
{
	bool any = false;
	unsigned i;

	for (i = 0; i < c->nep; i++) {
		const struct call_endpoint *e = &c->ep[i];

		if (!e->used || !e->in_force || e->leg != leg)
			continue;
		any = true;
		if (!e->srtp && call_can_be_heard(e))
			return true;
	}
	return !any;
}

static bool leg_has_path(const struct call *c, const struct policy_block *b, unsigned leg)
{
	if (!(b->dtmf & (POLICY_DTMF_RFC4733 | POLICY_DTMF_INBAND)))
		return true;
	return (b->dtmf & POLICY_DTMF_RFC4733 && leg_has_keys(c, leg)) || (b->dtmf & POLICY_DTMF_INBAND && leg_has_sound(c, leg));
}

/* The notice promised a way to opt out; in this call it does not exist (R-41b). */
static void check_paths(struct calls *cs, struct call *c)
{
	const struct policy_block *b = &c->rule->purpose[POLICY_TRAINING];
	bool ok = true;

	if (!by_opt_out(c) || !c->answered || (c->state[POLICY_TRAINING] != PURPOSE_PENDING && c->state[POLICY_TRAINING] != PURPOSE_GRANTED))
		return;
	/* by INFO alone: whether a telephone sends it shows only when it does */
	if (b->optout_key[0][0])
		ok = leg_has_path(c, b, call_subject_leg(c));
	if (b->optout_agent_key[0][0] && !b->optout_agent_api && !b->optout_agent_header)
		ok &= leg_has_path(c, b, !call_subject_leg(c));
	if (!ok)
		call_event(cs, c, POLICY_TRAINING, PURPOSE_E_NO_PATH);
}

/* ---- what telephone systems say ---- */

static bool header_says(const struct sip_msg *m, const char *name, const char *value)
{
	struct sip_str s = sip_extra_value(m, name);

	return s.p && (!value || sip_str_ieq(s, value));
}

static void take_headers(struct calls *cs, struct call *c, const struct sip_msg *m, bool own, uint64_t now)
{
	const struct policy_rule *r = c->rule;
	int p;

	if (own && r->pause_header && header_says(m, r->pause_header, r->pause_value))
		(void)pause_recording(cs, c, CALL_BY_HEADER, "api", now);
	if (own && expects(c, POLICY_PROOF_HEADER) && !over(cs, c, now) && r->proof_header && header_says(m, r->proof_header, r->proof_value)) {
		c->decide.header_seen = true;
		if (c->answered) {
			c->decide.notice_which = only_notice(c);
			notice_proven(cs, c, CALL_BY_HEADER, now, 0, now);
		}
	}
	for (p = 0; p < POLICY_PURPOSES; p++) {
		const struct policy_block *b = &r->purpose[p];

		if (b->optout_header && header_says(m, b->optout_header, b->optout_value))
			(void)opt_out(cs, c, p, CALL_BY_HEADER, "api", NULL, now);
		if (own && b->consent_header && by_consent(c, p) && header_says(m, b->consent_header, b->consent_value))
			(void)call_command(cs, c, CALL_C_CONSENT, (enum policy_purpose)p, CALL_BY_HEADER, now);
	}
}

void call_decide_message(struct calls *cs, struct call *c, const struct sip_msg *m, bool own, uint64_t now_ns)
{
	if (!c->matched || c->phase == CALL_TOMBSTONE)
		return;
	call_decide_time(cs, c, now_ns);
	take_headers(cs, c, m, own, now_ns);
	if (c->answered && c->decide.callback) {
		c->decide.callback = false;
		if (cs->sink.callback_used)
			cs->sink.callback_used(cs->sink.arg, c);
	}
	if (c->answered)
		answered(cs, c, now_ns);
	check_paths(cs, c);
	/* Which ways a key can come by is known when both sides have said it. */
	if (ways(c) & POLICY_DTMF_INBAND)
		call_refresh_verdicts(cs, c);
}

static int command_consent(struct calls *cs, struct call *c, int p, enum call_how how, uint64_t now)
{
	const struct policy_block *b = &c->rule->purpose[p];

	if (!by_consent(c, p) || (how == CALL_BY_API ? !b->consent_api : !b->consent_header))
		return -EPERM;
	if (c->state[p] == PURPOSE_GRANTED)
		return -EALREADY;
	if ((c->state[p] != PURPOSE_PENDING && !c->decide.reopened[p]) || over(cs, c, now))
		return -EPERM;
	/* Who takes consent elsewhere has told first; when that is proven the consent counts. */
	if (c->decide.notice != CALL_NOTICE_PROVEN) {
		c->decide.consent_early[p] = (uint8_t)how;
		call_changed(cs, c);
		return 0;
	}
	give_consent(cs, c, p, how, "api", NULL, now);
	return 0;
}

static int command_reopen(struct calls *cs, struct call *c, int p, uint64_t now)
{
	struct call_decide *d = &c->decide;
	const struct policy_window *w = &c->rule->purpose[p].window;

	if (!by_consent(c, p) || !w->reopen_agent || d->notice != CALL_NOTICE_PROVEN)
		return -EPERM;
	if (c->state[p] != PURPOSE_PENDING && c->state[p] != PURPOSE_WITHDRAWN && !(c->state[p] == PURPOSE_DENIED && d->timed_out[p]))
		return -EPERM;
	d->reopened[p] = true;
	d->window_from_ns[p] = now;
	d->window_to_ns[p] = now + (uint64_t)(w->to_s > 0 ? w->to_s : 10) * NS_PER_S;
	change(cs, c); /* the leg is listened to again */
	set_timer(cs, c);
	return 0;
}

static int command_object(struct calls *cs, struct call *c, int p, bool grounds, enum call_how how, uint64_t now)
{
	bool first = objects(cs, c, p);

	/* C, F: nobody needs grounds; during the call it is an opt-out (guidance 4, "= opt-out") */
	if (p == POLICY_TRAINING && by_opt_out(c))
		return opt_out(cs, c, p, how, "agent", NULL, now) ? 0 : -EALREADY;
	if (c->state[p] == PURPOSE_OBJECTED && !first)
		return -EALREADY;
	not_early(cs, c, p);
	call_event(cs, c, (enum policy_purpose)p, grounds ? PURPOSE_E_OBJECT_GROUNDS : PURPOSE_E_OBJECT);
	tell(cs, c, (struct call_news){ .event = "objection.opened", .purpose = p, .actor = "agent", .how = how,
					.reason = grounds ? "grounds.present" : "grounds.absent", .at_ns = now });
	return 0;
}

/* Nothing of this part is for training, or no rule matches it: earlier parts wait for the end, and what is said now is said of
 * them. */
static int refuse_others(struct calls *cs, struct call *c, enum call_command cmd, enum policy_purpose p, uint64_t now)
{
	bool objects = cmd == CALL_C_OBJECT || cmd == CALL_C_OBJECT_GROUNDS;
	bool waits;

	if ((!objects && cmd != CALL_C_OPT_OUT && cmd != CALL_C_WITHDRAW) || !c->peers)
		return -ENOENT;
	if (p == POLICY_DOCUMENTATION) { /* of which nothing waits but what was recorded */
		if (objects)
			group_objection(cs, c, now);
		return objects && (!c->matched || c->segment) ? 0 : -ENOENT;
	}
	waits = group_refuse(cs, c, cmd == CALL_C_OBJECT_GROUNDS ? PURPOSE_E_OBJECT_GROUNDS : PURPOSE_E_OPT_OUT, now);
	call_changed(cs, c);
	/* documentation that goes on is not to be taken for refused */
	return waits || !c->matched ? 0 : -ENOENT;
}

int call_command(struct calls *cs, struct call *c, enum call_command cmd, enum policy_purpose p, enum call_how how, uint64_t now_ns)
{
	const struct policy_block *b;

	if (c->phase == CALL_TOMBSTONE)
		return -ENOENT;
	if (!c->matched)
		return refuse_others(cs, c, cmd, p, now_ns);
	call_decide_time(cs, c, now_ns);
	if (cmd == CALL_C_PAUSE) /* whoever asks for silence gets it */
		return pause_recording(cs, c, how, speaker(how), now_ns) ? 0 : -EALREADY;
	if (cmd == CALL_C_RESUME)
		return !c->rule->pause_api && how == CALL_BY_API ? -EPERM : end_pause(cs, c, how, speaker(how), now_ns) ? 0 : -EALREADY;
	if ((unsigned)p >= POLICY_PURPOSES)
		return -ENOENT;
	if (!has(c, p))
		return refuse_others(cs, c, cmd, p, now_ns);
	b = &c->rule->purpose[p];
	switch (cmd) {
	case CALL_C_CONSENT:
		return command_consent(cs, c, p, how, now_ns);
	case CALL_C_WITHDRAW:
		if (!by_consent(c, p) || (c->state[p] != PURPOSE_GRANTED && !c->decide.consent_early[p] &&
					  (p != POLICY_TRAINING || !group_waits(c))))
			return -EALREADY;
		withdraw(cs, c, p, how, "agent", NULL, now_ns);
		return 0;
	case CALL_C_OPT_OUT:
		return opt_out(cs, c, p, how, "agent", NULL, now_ns) ? 0 : -EALREADY;
	case CALL_C_OBJECT:
	case CALL_C_OBJECT_GROUNDS:
		return command_object(cs, c, p, cmd == CALL_C_OBJECT_GROUNDS, how, now_ns);
	case CALL_C_NOT_NEEDED:
		if (!b->not_needed || (how == CALL_BY_API && !b->not_needed_api))
			return -EPERM;
		return not_needed(cs, c, p, how, "agent", now_ns) ? 0 : -EALREADY;
	case CALL_C_REOPEN:
		return command_reopen(cs, c, p, now_ns);
	default:
		return -EINVAL;
	}
}

/* ---- what follows for audio ---- */

static bool stopped(const struct call *c)
{
	return c->decide.paused || c->decide.pause_over;
}

bool call_keeps(const struct call *c, enum policy_purpose p)
{
	enum policy_objection o;

	if (c->tight.stopped[p] || (p == POLICY_TRAINING && c->decide.sample_waits))
		return false;
	if (c->state[p] == PURPOSE_GRANTED)
		return true;
	/* A restricted documentation recording goes on unless the rule says otherwise (guidance 5.5); training never does. */
	if (p != POLICY_DOCUMENTATION || c->state[p] != PURPOSE_OBJECTED)
		return false;
	o = c->rule->purpose[p].on_objection;
	return !c->decide.objected || (o != POLICY_OBJ_PAUSE && o != POLICY_OBJ_STOP);
}

/* C and D: a basis exists, the decision or the proof of the notice is still to come (guidance 6). */
bool call_holds(const struct call *c)
{
	const struct policy_block *b = &c->rule->purpose[POLICY_TRAINING];

	if (c->decide.sample_waits && c->state[POLICY_TRAINING] == PURPOSE_GRANTED && !c->tight.stopped[POLICY_TRAINING])
		return true;
	return c->state[POLICY_TRAINING] == PURPOSE_PENDING && b->basis == POLICY_B_INTEREST && !c->tight.stopped[POLICY_TRAINING] &&
	       (b->pre_decision == POLICY_PRE_DEFAULT || b->pre_decision == POLICY_PRE_HOLD);
}

/* What is said now, on this leg, is what the rule wants kept. */
static bool worth_keeping(const struct call *c, unsigned leg)
{
	const struct policy_rule *r = c->rule;
	bool own = leg != call_subject_leg(c);

	if ((r->exclude_leg >= 0 && (r->exclude_leg == 1) == own) || c->tight.no_leg >> leg & 1)
		return false;
	return (c->answered || (r->record_early_media && !c->tight.no_early_media)) &&
	       (!c->hold || (r->record_hold_music && !c->tight.no_hold_music)) && !c->overlong;
}

/*
 * The announcement is looked for in the voice of the controller's own side, until it was found to its end or is late. When
 * a key has proven it before its end, that only matters to windows that count from there.
 */
bool call_seeks_notice(const struct call *c, unsigned leg)
{
	const struct call_decide *d = &c->decide;

	if (!c->matched || c->phase == CALL_TOMBSTONE || leg == call_subject_leg(c) || c->rule->proof != POLICY_PROOF_FINGERPRINT)
		return false;
	if (d->notice == CALL_NOTICE_PROVEN)
		return d->hearing && ((d->window_to_ns[0] && c->state[0] == PURPOSE_PENDING) ||
				      (d->window_to_ns[1] && c->state[1] == PURPOSE_PENDING));
	return d->notice == CALL_NOTICE_WAIT &&
	       (c->state[0] == PURPOSE_PENDING || c->state[1] == PURPOSE_PENDING || c->state[0] == PURPOSE_GRANTED);
}

bool call_hears_tones(const struct call *c, unsigned leg)
{
	return c->matched && c->phase != CALL_TOMBSTONE && ways(c) & POLICY_DTMF_INBAND && call_listens(c, leg);
}

/* Tones are all that a key of this leg can be: its telephone announced no events, or the rule does not listen to those. */
static bool only_tones(const struct call *c, unsigned leg)
{
	return call_hears_tones(c, leg) && !(ways(c) & POLICY_DTMF_RFC4733 && leg_has_keys(c, leg));
}

bool call_may_keep(const struct call *c)
{
	return c->matched && !stopped(c) && (call_keeps(c, POLICY_DOCUMENTATION) || call_keeps(c, POLICY_TRAINING));
}

enum call_audio call_audio(const struct call *c, unsigned leg)
{
	if (!c->matched || c->phase == CALL_TOMBSTONE)
		return CALL_A_BLOCK;
	if (!stopped(c) && worth_keeping(c, leg)) {
		if (call_keeps(c, POLICY_DOCUMENTATION) || call_keeps(c, POLICY_TRAINING))
			return CALL_A_WRITE;
		if (call_holds(c))
			return CALL_A_HOLD;
	}
	if (!stopped(c) && call_seeks_notice(c, leg)) /* a pause is for everybody */
		return CALL_A_INSPECT;
	/* Both legs: a key of the other one that comes back as an echo must be known for what it is. */
	if (only_tones(c, OPTAG_LEG_CALLER) || only_tones(c, OPTAG_LEG_CALLEE))
		return CALL_A_INSPECT;
	return CALL_A_BLOCK;
}

/* A press can still change this purpose: say yes, take it back, opt out. */
static bool purpose_listens(const struct call *c, int p, unsigned leg)
{
	const struct policy_block *b = &c->rule->purpose[p];
	bool subject = leg == call_subject_leg(c), consent = b->basis == POLICY_B_CONSENT;

	/* Stopped by a later policy: only a consent to what is recorded can still be taken back. */
	if (c->tight.stopped[p] && (c->state[p] != PURPOSE_GRANTED || !consent))
		return false;
	switch (c->state[p]) {
	case PURPOSE_PENDING:
	case PURPOSE_GRANTED:
	case PURPOSE_OBJECTED:
		if (subject)
			return *b->consent_key || *b->withdraw_key || *b->optout_key[0] || *c->tight.optout_key[0];
		return *b->optout_agent_key[0] || *c->tight.optout_agent_key[0] || *b->not_needed_key;
	case PURPOSE_WITHDRAWN:
	case PURPOSE_DENIED:
		return subject && *b->consent_key && c->decide.window_to_ns[p];
	default:
		return false;
	}
}

/* An opt-out said here concerns another part of the conversation. */
static bool listens_for_others(const struct call *c, unsigned leg)
{
	const struct policy_block *b = &c->rule->purpose[POLICY_TRAINING];

	if (!c->peers || !c->peers->group || b->basis == POLICY_B_NONE || !group_waits(c))
		return false;
	return leg == call_subject_leg(c) ? *b->withdraw_key || *b->optout_key[0] || *c->tight.optout_key[0] :
					    *b->optout_agent_key[0] || *c->tight.optout_agent_key[0];
}

bool call_listens(const struct call *c, unsigned leg)
{
	bool live = call_keeps(c, POLICY_DOCUMENTATION) || call_keeps(c, POLICY_TRAINING) || call_holds(c);

	if (purpose_listens(c, POLICY_DOCUMENTATION, leg) || purpose_listens(c, POLICY_TRAINING, leg) || listens_for_others(c, leg))
		return true;
	return live && leg != call_subject_leg(c) &&
	       (*c->rule->pause_key || *c->rule->resume_key || *c->tight.pause_key || *c->tight.resume_key);
}

/* ---- take-over, and clocks ---- */

void call_decide_save(const struct call_decide *d, struct buf *out)
{
	int i;

	buf_put8(out, d->notice);
	buf_put8(out, d->notice_how);
	buf_put8(out, d->notice_which);
	buf_put8(out, (uint8_t)(d->header_seen | d->paused << 1 | d->pause_over << 2 | d->recordpref_off << 3 |
				 d->sample_waits << 4 | d->objected << 5 | d->sample_shared << 6 | d->callback << 7));
	buf_put_le64(out, d->sample_slot);
	for (i = 0; i < POLICY_PURPOSES; i++) {
		buf_put8(out, (uint8_t)(d->timed_out[i] | d->reopened[i] << 1));
		buf_put8(out, d->consent_early[i]);
		buf_put_le64(out, d->window_from_ns[i]);
		buf_put_le64(out, d->window_to_ns[i]);
		buf_put_le64(out, d->granted_ns[i]);
	}
	buf_put_le64(out, d->notice_start_ns);
	buf_put_le64(out, d->notice_end_ns);
	buf_put_le64(out, d->notice_due_ns);
	buf_put_le64(out, d->pause_due_ns);
}

bool call_decide_load(struct rd *r, struct call_decide *d)
{
	uint8_t flags;
	int i;

	memset(d, 0, sizeof(*d));
	d->notice = rd_u8(r);
	d->notice_how = rd_u8(r);
	d->notice_which = rd_u8(r);
	flags = rd_u8(r);
	r->bad |= d->notice > CALL_NOTICE_MISSING || d->notice_how >= CALL_HOWS;
	d->header_seen = flags & 1;
	d->paused = flags & 2;
	d->pause_over = flags & 4;
	d->recordpref_off = flags & 8;
	d->sample_waits = flags & 16;
	d->objected = flags & 32;
	d->sample_shared = flags & 64;
	d->callback = flags & 128;
	d->sample_slot = rd_le64(r);
	for (i = 0; i < POLICY_PURPOSES; i++) {
		flags = rd_u8(r);
		d->timed_out[i] = flags & 1;
		d->reopened[i] = flags & 2;
		d->consent_early[i] = rd_u8(r);
		d->window_from_ns[i] = rd_le64(r);
		d->window_to_ns[i] = rd_le64(r);
		d->granted_ns[i] = rd_le64(r);
		r->bad |= flags > 3 || d->consent_early[i] >= CALL_HOWS;
	}
	d->notice_start_ns = rd_le64(r);
	d->notice_end_ns = rd_le64(r);
	d->notice_due_ns = rd_le64(r);
	d->pause_due_ns = rd_le64(r);
	if (d->notice == CALL_NOTICE_WAIT) { /* what was being heard is looked for anew */
		d->notice_which = 0;
		d->notice_start_ns = 0;
		memset(d->window_from_ns, 0, sizeof(d->window_from_ns));
		memset(d->window_to_ns, 0, sizeof(d->window_to_ns));
	}
	return !r->bad;
}

static void back(uint64_t *t, uint64_t by)
{
	if (*t)
		*t = *t > by ? *t - by : 1;
}

void call_decide_rebase(struct call_decide *d, uint64_t by_ns)
{
	int i;

	back(&d->notice_start_ns, by_ns);
	back(&d->notice_end_ns, by_ns);
	back(&d->notice_due_ns, by_ns);
	back(&d->pause_due_ns, by_ns);
	for (i = 0; i < 2; i++) {
		back(&d->window_from_ns[i], by_ns);
		back(&d->window_to_ns[i], by_ns);
		back(&d->typed[i].last_ns, by_ns);
		explicit_bzero(d->typed[i].twin, sizeof(d->typed[i].twin));
	}
}
