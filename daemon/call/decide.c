/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * decide.c - the match, times, headers, loss and paths, take-over, see decide.h
 *
 * The other parts: decide_notice.c (announcements and windows), decide_key.c (presses), decide_say.c (what is said:
 * consents, opt-outs, objections, pauses, commands), decide_audio.c (what follows for audio).
 */
#include "call/decide.h"

#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "call/decide_internal.h"
#include "optag.h"

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
	if (d->doubt_held)
		sooner(&due, d->doubt_ns + KEY_PAUSE_NS);
	for (int i = 0; i < 2; i++) {
		sooner(&due, d->press_due_ns[i]);
		sooner(&due, d->window_to_ns[i]);
		if (d->consent_early[i] && d->notice == CALL_NOTICE_PROVEN && d->window_to_ns[i])
			sooner(&due, d->window_from_ns[i]);
		if (d->typed[i].n || has_twins(&d->typed[i]))
			sooner(&due, d->typed[i].last_ns + KEY_PAUSE_NS);
	}
	return due;
}

void decide_set_timer(struct calls *cs, struct call *c)
{
	uint64_t due = call_decide_due(c);

	if (due && due < c->timer_ns && c->phase != CALL_TOMBSTONE)
		call_set_timer(cs, c, due);
}

void call_decide_time(struct calls *cs, struct call *c, uint64_t now_ns)
{
	struct call_decide *d = &c->decide;
	uint64_t known_ns = now_ns;
	int p;

	if (!c->matched || c->phase == CALL_TOMBSTONE)
		return;
	decide_end_presses(cs, c, now_ns < cs->horizon ? now_ns : cs->horizon, false);
	decide_end_doubt(cs, c, now_ns < cs->horizon ? now_ns : cs->horizon, false);
	for (p = 0; p < 2; p++) {
		if (now_ns < d->typed[p].last_ns + KEY_PAUSE_NS)
			continue;
		if (d->typed[p].n)
			decide_forget_digits(&d->typed[p]);
		decide_forget_twins(&d->typed[p]);
	}
	/* Who hung up before a window closed has not let it pass: after the end nothing is decided by time. */
	if (over(cs, c, now_ns))
		now_ns = hung_up_ns(cs, c);
	/* In the order of guidance 5: without a notice no window can grant. */
	if (d->notice_due_ns && now_ns >= d->notice_due_ns)
		decide_notice_missing(cs, c, now_ns);
	for (p = 0; p < POLICY_PURPOSES; p++) {
		decide_early(cs, c, p, now_ns, known_ns);
		if (d->window_to_ns[p] && now_ns >= d->window_to_ns[p])
			decide_window_closes(cs, c, p, now_ns);
	}
	if (d->pause_due_ns && now_ns >= d->pause_due_ns)
		decide_pause_too_long(cs, c, now_ns);
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

static bool loss_denies(const struct call *c);
static void uncertain(struct calls *cs, struct call *c, uint64_t now);
static void look_for_loss(struct calls *cs, struct call *c, uint64_t now);
static void look_for_quiet(struct calls *cs, struct call *c, uint64_t until, uint64_t now);

/* A party hung up, or the call goes on elsewhere. */
static bool was_said_over(const struct call *c)
{
	return strcmp(c->end, "bye") == 0 || strcmp(c->end, "transfer") == 0;
}

/*
 * Nobody hung up: its voices were no longer seen, or the capture ended. Whether people went on talking, and opted out, nobody knows
 * (INV-7, X-4); both voices that vanish at once leave no hole.
 */
static bool ends_unseen(const struct call *c)
{
	return (c->answered || c->state[POLICY_TRAINING] == PURPOSE_GRANTED) && !was_said_over(c);
}

/* When its voices were to end; 0: nobody said. */
static uint64_t said_over_ns(const struct calls *cs, const struct call *c, uint64_t now)
{
	if (strcmp(c->end, "bye") == 0)
		return c->end_ns;
	if (strcmp(c->end, "transfer") == 0) /* they go on, and what waits in rings is not missing */
		return now < cs->horizon ? now : cs->horizon;
	return 0;
}

void call_decide_divide(struct calls *cs, struct call *c, uint64_t now_ns)
{
	decide_end_presses(cs, c, now_ns, true);
	decide_end_doubt(cs, c, now_ns, true);
}

void call_decide_typing(struct calls *cs, struct call *c, const struct call_decide *before, bool same)
{
	struct call_decide *d = &c->decide;

	memcpy(d->typed, before->typed, sizeof(d->typed));
	if (same) {
		d->doubt = d->doubt_before = before->doubt;
		d->doubt_ns = before->doubt_ns;
	}
	decide_set_timer(cs, c);
}

void call_decide_end(struct calls *cs, struct call *c, uint64_t now_ns)
{
	int p;

	decide_end_presses(cs, c, now_ns, true);
	/* what time decided before the end */
	call_decide_time(cs, c, c->end_ns && c->end_ns < now_ns ? c->end_ns : now_ns);
	decide_end_doubt(cs, c, now_ns, true);
	for (p = 0; p < 2; p++) {
		decide_forget_digits(&c->decide.typed[p]);
		decide_forget_twins(&c->decide.typed[p]);
	}
	look_for_loss(cs, c, now_ns);
	if (call_voice_due(c))
		look_for_quiet(cs, c, said_over_ns(cs, c, now_ns), now_ns);
	if (loss_denies(c) && ends_unseen(c))
		uncertain(cs, c, now_ns);
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
		decide_notice_missing(cs, c, now_ns);
}

/* ---- the match ---- */

bool call_review_past(const struct policy_rule *r, enum policy_purpose p, uint64_t now_ns)
{
	struct policy_date d = policy_review(r, p);
	struct clock_date today;

	if (!d.year || r->controller->lab || r->purpose[p].basis == POLICY_B_NONE)
		return false;
	if (clock_civil(clock_later_ns(now_ns), r->controller->timezone, &today, NULL, NULL))
		return true;
	return today.year != d.year ? today.year > d.year : today.month != d.month ? today.month > d.month : today.day > d.day;
}

static void refuse(struct calls *cs, struct call *c, int p, const char *reason, uint64_t now)
{
	if (!has(c, p))
		return;
	c->state[p] = PURPOSE_DENIED;
	c->reason[p] = reason;
	call_count(cs, c);
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

void call_redrawn_out(struct calls *cs, struct call *c, const char *out)
{
	group_drawn(c, out);
	call_event_why(cs, c, POLICY_TRAINING, PURPOSE_E_TIGHTENED, out);
	group_redrawn_out(cs, c, out);
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
	/* The considerations are out of date: nothing goes on silently (N-18). */
	for (p = 0; p < POLICY_PURPOSES; p++)
		if (policy_review_ends(c->rule, (enum policy_purpose)p) && call_review_past(c->rule, (enum policy_purpose)p, now_ns))
			refuse(cs, c, p, "review.missed", now_ns);
	/* also its later parts, and the calls that it is transferred to */
	if (c->promised || group_promised(c) ||
	    (c->rule->side == POLICY_SIDE_CALLING && cs->sink.callback_due && cs->sink.callback_due(cs->sink.arg, c))) {
		promised(cs, c, now_ns);
		return;
	}
	/* a statute's documentation asks nobody for room (RX-10) */
	if (c->rule->concurrent && call_count_others(cs, c) >= (unsigned)c->rule->concurrent)
		for (p = 0; p < POLICY_PURPOSES; p++)
			if (c->rule->purpose[p].basis != POLICY_B_OBLIGATION && c->state[p] == PURPOSE_NONE)
				refuse(cs, c, p, "max-concurrent", now_ns);
	/* nobody deletes: no more of what need not be (INV-7) */
	if (has(c, POLICY_TRAINING) && c->state[POLICY_TRAINING] == PURPOSE_NONE && cs->sink.reaped && !cs->sink.reaped(cs->sink.arg))
		refuse(cs, c, POLICY_TRAINING, "reaper.dead", now_ns);
	call_event(cs, c, POLICY_DOCUMENTATION, PURPOSE_E_MATCH);
	if (c->third && c->state[POLICY_DOCUMENTATION] == PURPOSE_GRANTED)
		c->reason[POLICY_DOCUMENTATION] = "third-party";
	if (has(c, POLICY_TRAINING) && c->state[POLICY_TRAINING] == PURPOSE_NONE)
		draw(cs, c, now_ns);
}

/* ---- loss, and ways that do not exist ---- */

static bool loss_denies(const struct call *c)
{
	return by_opt_out(c) && c->rule->purpose[POLICY_TRAINING].on_loss != 1;
}

static void uncertain(struct calls *cs, struct call *c, uint64_t now)
{
	enum purpose_state was = c->state[POLICY_TRAINING];

	call_event(cs, c, POLICY_TRAINING, PURPOSE_E_LOSS);
	/* this part is not for training; the press that it may have hidden was one for all of them */
	if (c->state[POLICY_TRAINING] == was && c->peers && !c->peers->bound)
		(void)group_refuse(cs, c, PURPOSE_E_LOSS, now);
	if (c->state[POLICY_TRAINING] != was)
		tell(cs, c, (struct call_news){ .event = "optout.uncertain", .purpose = POLICY_TRAINING, .actor = "system", .how = CALL_BY_LOSS,
						.at_ns = now });
}

static bool agent_has_key(const struct call *c)
{
	return *c->rule->purpose[POLICY_TRAINING].optout_agent_key[0] || *c->tight.optout_agent_key[0];
}

/*
 * What is missing from this voice may have been an opt-out. Of the agent's where the rule has a key for it, whatever other ways there
 * are: whoever pressed it believes that it was heard (INV-7: lost key-press evidence).
 */
static bool loss_denies_on(const struct call *c, unsigned leg)
{
	return loss_denies(c) && (leg == call_subject_leg(c) || agent_has_key(c));
}

static void look_for_loss(struct calls *cs, struct call *c, uint64_t now)
{
	for (unsigned leg = 0; leg < 2; leg++)
		if (loss_denies_on(c, leg) && cs->sink.hole && cs->sink.hole(cs->sink.arg, c, leg) >= LOSS_HIDES_MS)
			uncertain(cs, c, now);
}

bool call_voice_due(const struct call *c)
{
	return c->answered && !c->hold;
}

uint64_t call_voice_from(const struct call *c)
{
	uint64_t from = c->answer_ns > c->decide.voice_ns ? c->answer_ns : c->decide.voice_ns;

	return from + VOICE_SETTLES_NS;
}

static void look_for_quiet(struct calls *cs, struct call *c, uint64_t until, uint64_t now)
{
	if (!cs->sink.quiet)
		return;
	/* also of what this rule does not mind: the next one of the call may */
	for (unsigned leg = 0; leg < 2; leg++) {
		bool heard = false;

		if (cs->sink.quiet(cs->sink.arg, c, leg, until, &heard) >= TAIL_HIDES_MS && loss_denies_on(c, leg))
			uncertain(cs, c, now);
		c->voice_heard[leg] |= heard;
	}
}

void call_quiet_before(struct calls *cs, struct call *c, unsigned leg, uint64_t ms, uint64_t now_ns)
{
	if (ms >= TAIL_HIDES_MS)
		call_lost_audio(cs, c, leg, ms, now_ns);
}

void call_voice_moves(struct calls *cs, struct call *c, bool was_due, uint64_t now_ns)
{
	uint64_t seen = now_ns < cs->horizon ? now_ns : cs->horizon;

	if (!c->matched || c->phase == CALL_TOMBSTONE)
		return;
	if (was_due) {
		call_decide_time(cs, c, now_ns);
		look_for_quiet(cs, c, seen, now_ns);
	}
	c->decide.voice_ns = seen;
}

/* Could it have been an opt-out? By INFO of whoever has a key for it; by a header anybody's. */
static bool may_opt_out(const struct call *c, unsigned side)
{
	const struct policy_block *b = &c->rule->purpose[POLICY_TRAINING];

	if (b->optout_header || *c->tight.optout_header)
		return true;
	if (!(b->dtmf & POLICY_DTMF_INFO))
		return false;
	return side == call_subject_leg(c) ? *b->optout_key[0] || *c->tight.optout_key[0] : agent_has_key(c);
}

void call_lost_request(struct calls *cs, struct call *c, unsigned side, uint64_t now_ns)
{
	/* on hold no voice is waited for; what was missed may have ended that */
	if (!c->matched || c->phase == CALL_TOMBSTONE || !loss_denies(c) || (!may_opt_out(c, side) && !c->hold))
		return;
	/* a loss while no daemon ran is seen before the media of then */
	call_decide_time(cs, c, now_ns < cs->horizon ? now_ns : cs->horizon);
	uncertain(cs, c, now_ns);
}

/* Of what is denied only in the end, for other parts: most calls are not in the sample, and each look is a cache miss. */
void call_look_for_loss(struct calls *cs, struct call *c, uint64_t now_ns)
{
	enum purpose_state s = c->state[POLICY_TRAINING];

	if (c->matched && c->phase != CALL_TOMBSTONE && (s == PURPOSE_PENDING || s == PURPOSE_GRANTED))
		look_for_loss(cs, c, now_ns);
}

void call_lost_audio(struct calls *cs, struct call *c, unsigned leg, uint64_t ms, uint64_t now_ns)
{
	if (!c->matched || ms < LOSS_HIDES_MS || !loss_denies_on(c, leg))
		return;
	call_decide_time(cs, c, now_ns);
	uncertain(cs, c, now_ns);
}

static bool leg_has_path(const struct call *c, const struct policy_block *b, unsigned leg)
{
	if (!(b->dtmf & (POLICY_DTMF_RFC4733 | POLICY_DTMF_INBAND)))
		return true;
	return (b->dtmf & POLICY_DTMF_RFC4733 && decide_leg_has_keys(c, leg)) ||
	       (b->dtmf & POLICY_DTMF_INBAND && decide_leg_has_sound(c, leg) && !decide_blocks(c, POLICY_TRAINING));
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

/* ---- what telephone systems say in messages ---- */

static bool header_says(const struct sip_msg *m, const char *name, const char *value)
{
	struct sip_str s = sip_extra_value(m, name);

	return s.p && (!value || sip_str_ieq(s, value));
}

/* And no other copy of the message did: see told.h. Asked last of all, as whoever is told yes must act. */
static bool says_now(struct call *c, const struct sip_msg *m, enum call_tells what, unsigned which, const char *name, const char *value)
{
	return header_says(m, name, value) && !call_told(&c->told, m, what, which);
}

static void take_pause(struct calls *cs, struct call *c, const struct sip_msg *m, uint64_t now)
{
	const char *name, *value;
	unsigned which = 1;

	if (c->rule->pause_header && says_now(c, m, CALL_TELLS_PAUSE, 0, c->rule->pause_header, c->rule->pause_value))
		(void)decide_pause(cs, c, CALL_BY_HEADER, "api", NULL, now);
	for (size_t at = 0; call_tight_header(c->tight.pause_headers, &at, &name, &value); which++)
		if (says_now(c, m, CALL_TELLS_PAUSE, which, name, *value ? value : NULL))
			(void)decide_pause(cs, c, CALL_BY_HEADER, "api", NULL, now);
}

/* The one whose name, or (versions too) whose version the header has; -1 none, or several. */
static int named(const struct call *c, const struct sip_msg *m, bool versions)
{
	struct sip_str s = sip_extra_value(m, c->rule->proof_header);
	int which = -1;

	for (size_t i = 0; s.p && i < c->rule->nnotice; i++) {
		const struct policy_notice *n = &c->rule->notice[i];

		if (!sip_str_ieq(s, n->name) && !(versions && n->version && sip_str_ieq(s, n->version)))
			continue;
		if (which >= 0)
			return -1;
		which = (int)i;
	}
	return which;
}

static void take_notice(struct calls *cs, struct call *c, const struct sip_msg *m, uint64_t now)
{
	const struct policy_rule *r = c->rule;
	bool says;
	int which;

	if (!decide_expects(c, POLICY_PROOF_HEADER) || over(cs, c, now) || !r->proof_header || !decide_reached(c))
		return;
	/* what the rule says it has, or the name of one of its announcements: that says more */
	says = header_says(m, r->proof_header, r->proof_value);
	which = named(c, m, says);
	if ((!says && which < 0) || call_told(&c->told, m, CALL_TELLS_NOTICE, 0))
		return;
	if (!decide_notice_may(c, which, now))
		return;
	c->decide.header_seen = true;
	c->decide.notice_which = which < 0 ? decide_only_notice(c, now) : (uint8_t)(which + 1);
	if (!c->answered)
		return;
	decide_notice_proven(cs, c, CALL_BY_HEADER, now, 0, now, now);
}

static void take_headers(struct calls *cs, struct call *c, const struct sip_msg *m, bool own, uint64_t now)
{
	if (own) {
		take_pause(cs, c, m, now);
		take_notice(cs, c, m, now);
	}
	for (unsigned p = 0; p < POLICY_PURPOSES; p++) {
		const struct policy_block *b = &c->rule->purpose[p];

		if (b->optout_header && says_now(c, m, CALL_TELLS_OPT_OUT, p, b->optout_header, b->optout_value))
			(void)decide_opt_out(cs, c, (int)p, CALL_BY_HEADER, "api", NULL, now);
		if (own && b->consent_header && by_consent(c, p) && says_now(c, m, CALL_TELLS_CONSENT, p, b->consent_header, b->consent_value))
			(void)call_command(cs, c, CALL_C_CONSENT, (enum policy_purpose)p, CALL_BY_HEADER, now);
	}
	if (*c->tight.optout_header &&
	    says_now(c, m, CALL_TELLS_OPT_OUT, POLICY_PURPOSES, c->tight.optout_header, *c->tight.optout_value ? c->tight.optout_value : NULL))
		(void)decide_opt_out(cs, c, POLICY_TRAINING, CALL_BY_HEADER, "api", NULL, now);
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
		call_decide_answered(cs, c, now_ns);
	check_paths(cs, c);
	/* Which ways a key can come by is known when both sides have said it. */
	if (decide_ways(c) & POLICY_DTMF_INBAND)
		call_refresh_verdicts(cs, c);
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
		buf_put8(out, (uint8_t)(d->timed_out[i] | d->reopened[i] << 1 | d->other_key[i] << 2 | (!i && d->sms) << 3));
		buf_put8(out, d->consent_early[i]);
		buf_put_le64(out, d->window_from_ns[i]);
		buf_put_le64(out, d->window_to_ns[i]);
		buf_put_le64(out, d->granted_ns[i]);
	}
	buf_put_le64(out, d->notice_start_ns);
	buf_put_le64(out, d->notice_end_ns);
	buf_put_le64(out, d->notice_due_ns);
	buf_put_le64(out, d->pause_due_ns);
	buf_put_le64(out, d->voice_ns);
	for (i = 0; i < POLICY_PURPOSES; i++)
		buf_put_le64(out, d->early_ns[i]);
	for (i = 0; i < POLICY_PURPOSES; i++)
		buf_put8(out, d->early_by[i]);
	buf_put8(out, (uint8_t)(d->doubt | d->doubt_held << POLICY_PURPOSES));
	buf_put_le64(out, d->doubt_ns);
	for (i = 0; i < 2; i++) /* when, not which */
		buf_put_le64(out, d->typed[i].last_ns);
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
		d->other_key[i] = flags & 4;
		d->sms |= flags & 8;
		d->consent_early[i] = rd_u8(r);
		d->window_from_ns[i] = rd_le64(r);
		d->window_to_ns[i] = rd_le64(r);
		d->granted_ns[i] = rd_le64(r);
		r->bad |= flags > (i ? 7 : 15) || d->consent_early[i] >= CALL_HOWS;
	}
	d->notice_start_ns = rd_le64(r);
	d->notice_end_ns = rd_le64(r);
	d->notice_due_ns = rd_le64(r);
	d->pause_due_ns = rd_le64(r);
	d->voice_ns = rd_le64(r);
	for (i = 0; i < POLICY_PURPOSES; i++)
		d->early_ns[i] = rd_le64(r);
	for (i = 0; i < POLICY_PURPOSES; i++)
		d->early_by[i] = rd_u8(r);
	flags = rd_u8(r);
	d->doubt = flags & ((1u << POLICY_PURPOSES) - 1);
	d->doubt_held = flags >> POLICY_PURPOSES; /* their digits are not known here: none becomes a key */
	d->doubt_ns = rd_le64(r);
	for (i = 0; i < 2; i++)
		d->typed[i].last_ns = rd_le64(r);
	r->bad |= d->doubt_held >= POLICY_KEY_MAX || (d->doubt_held && !d->doubt);
	if (d->notice == CALL_NOTICE_WAIT) { /* what was being heard is looked for anew */
		if (!d->header_seen) /* which that named, is known */
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
	back(&d->voice_ns, by_ns);
	back(&d->pause_ns, by_ns);
	back(&d->doubt_ns, by_ns);
	for (i = 0; i < 2; i++) {
		back(&d->window_from_ns[i], by_ns);
		back(&d->window_to_ns[i], by_ns);
		back(&d->early_ns[i], by_ns);
		back(&d->typed[i].last_ns, by_ns);
		back(&d->press_due_ns[i], by_ns);
		for (unsigned k = 0; k < d->typed[i].n; k++)
			back(&d->typed[i].begin_ns[k], by_ns);
		explicit_bzero(d->typed[i].twin, sizeof(d->typed[i].twin));
	}
}
