/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * decide_audio.c - what the decisions of a call mean for its audio, see decide_audio.h
 */
#include "call/decide_audio.h"

#include "call/decide_internal.h"
#include "optag.h"

unsigned decide_ways(const struct call *c)
{
	return c->rule->purpose[0].dtmf | c->rule->purpose[1].dtmf;
}

/* Can this leg's keys be heard? True as long as none of its addresses is known. */
bool decide_leg_has_keys(const struct call *c, unsigned leg)
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
bool decide_leg_has_sound(const struct call *c, unsigned leg)
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
 * The announcement is looked for in the voice of the controller's own side, until it was found to its end or is late; outbound from
 * the answer on, as nobody hears it before. When
 * a key has proven it before its end, that only matters to windows that count from there.
 */
bool call_seeks_notice(const struct call *c, unsigned leg)
{
	const struct call_decide *d = &c->decide;

	if (!c->matched || c->phase == CALL_TOMBSTONE || leg == call_subject_leg(c) || c->rule->proof != POLICY_PROOF_FINGERPRINT ||
	    !decide_reached(c))
		return false;
	if (d->notice == CALL_NOTICE_PROVEN)
		return d->hearing && ((d->window_to_ns[0] && c->state[0] == PURPOSE_PENDING) ||
				      (d->window_to_ns[1] && c->state[1] == PURPOSE_PENDING));
	return d->notice == CALL_NOTICE_WAIT &&
	       (c->state[0] == PURPOSE_PENDING || c->state[1] == PURPOSE_PENDING || c->state[0] == PURPOSE_GRANTED);
}

static bool hears_by_tones(const struct call *c)
{
	return c->matched && c->phase != CALL_TOMBSTONE && decide_ways(c) & POLICY_DTMF_INBAND;
}

bool call_hears_tones(const struct call *c, unsigned leg)
{
	return hears_by_tones(c) && call_listens(c, leg);
}

bool decide_blocks(const struct call *c, int p)
{
	const struct policy_block *b = &c->rule->purpose[p];

	return b->pre_decision == POLICY_PRE_BLOCK && !call_keeps(c, (enum policy_purpose)!p) &&
	       (c->state[p] == PURPOSE_PENDING || (b->basis == POLICY_B_CONSENT && c->state[p] != PURPOSE_GRANTED));
}

static bool listens_now(const struct call *c, unsigned leg, bool by_tones);

/* Tones are all that a key of this leg can be: its telephone announced no events, or the rule does not listen to those. Of a call
 * that is out of the sample not one packet of audio comes up (N-54), so not for what may come later; nor for a purpose that says `block`. */
static bool only_tones(const struct call *c, unsigned leg)
{
	return hears_by_tones(c) && listens_now(c, leg, true) && !(decide_ways(c) & POLICY_DTMF_RFC4733 && decide_leg_has_keys(c, leg));
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

static bool has_way_out(const struct call *c, unsigned leg)
{
	const struct policy_block *b = &c->rule->purpose[POLICY_TRAINING];

	if (b->basis == POLICY_B_NONE || (b->basis == POLICY_B_INTEREST && b->special))
		return false; /* D, G: a press stops nothing, here or anywhere (N-43) */
	return leg == call_subject_leg(c) ? *b->withdraw_key || *b->optout_key[0] || *c->tight.optout_key[0] :
					    *b->optout_agent_key[0] || *c->tight.optout_agent_key[0];
}

/* An opt-out said here concerns another part of the conversation. */
static bool listens_for_others(const struct call *c, unsigned leg)
{
	return c->peers && c->peers->group && has_way_out(c, leg) && group_waits(c);
}

/* Nothing of this part is for training, or no more; but it may be transferred, or tied to a call that is, and who opts out
 * here does so there. Until somebody has. */
static bool listens_for_later(const struct call *c, unsigned leg)
{
	return c->peers && (!c->peers->bound || c->peers->bound == PURPOSE_E_LOSS + 1) && !c->promised &&
	       c->state[POLICY_TRAINING] != PURPOSE_OPTED_OUT && has_way_out(c, leg);
}

/* by_tones: what audio is handed up for, and nothing else wants it. */
static bool listens_now(const struct call *c, unsigned leg, bool by_tones)
{
	bool live = call_keeps(c, POLICY_DOCUMENTATION) || call_keeps(c, POLICY_TRAINING) || call_holds(c);

	for (int p = 0; p < POLICY_PURPOSES; p++)
		if (!(by_tones && decide_blocks(c, p)) &&
		    (purpose_listens(c, p, leg) || (p == POLICY_TRAINING && listens_for_others(c, leg))))
			return true;
	return live && leg != call_subject_leg(c) &&
	       (*c->rule->pause_key || *c->rule->resume_key || *c->tight.pause_key || *c->tight.resume_key);
}

bool call_listens(const struct call *c, unsigned leg)
{
	return listens_now(c, leg, false) || listens_for_later(c, leg);
}
