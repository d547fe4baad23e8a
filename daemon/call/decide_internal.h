/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * decide_internal.h - shared by decide.c (match, times, headers, loss, take-over), decide_notice.c (announcements, windows),
 * decide_key.c (presses), decide_say.c (what is said) and decide_audio.c (what follows for audio)
 *
 * Invariants: whatever changes a call goes through call_event or through change(), so that verdicts follow at once, deny
 * before it is told. Who sets a time in struct call_decide calls decide_set_timer. Everything here is about matched calls.
 */
#ifndef DECIDE_INTERNAL_H
#define DECIDE_INTERNAL_H

#include "call/call_internal.h"
#include "call/decide.h"

#define NS_PER_S 1000000000ULL

static inline void tell(struct calls *cs, const struct call *c, struct call_news n)
{
	if (!n.reason)
		n.reason = "";
	if (cs->sink.news)
		cs->sink.news(cs->sink.arg, c, &n);
}

/* Something that is no event of a purpose has changed what may be kept. */
static inline void change(struct calls *cs, struct call *c)
{
	call_changed(cs, c);
	call_refresh_verdicts(cs, c);
}

static inline bool has(const struct call *c, int p)
{
	return c->rule->purpose[p].basis != POLICY_B_NONE;
}

static inline bool by_consent(const struct call *c, int p)
{
	return c->rule->purpose[p].basis == POLICY_B_CONSENT;
}

static inline bool by_opt_out(const struct call *c)
{
	const struct policy_block *b = &c->rule->purpose[POLICY_TRAINING];

	return b->basis == POLICY_B_INTEREST && !b->special;
}

static inline void both(struct calls *cs, struct call *c, enum purpose_event e)
{
	for (int p = 0; p < POLICY_PURPOSES; p++)
		call_event(cs, c, (enum policy_purpose)p, e);
}

/* Outbound the data subject is who is called: nobody has heard or said anything before the answer. */
static inline bool decide_reached(const struct call *c)
{
	return c->rule->side != POLICY_SIDE_CALLING || c->answered;
}

/* While ENDING; not end_ns, which a clock that was set back does not move. */
static inline uint64_t hung_up_ns(const struct calls *cs, const struct call *c)
{
	return c->linger_ns - cs->limit.linger_ns;
}

/* BYE was seen; what comes now was on its way, or lingers. */
static inline bool over(const struct calls *cs, const struct call *c, uint64_t now)
{
	return c->phase == CALL_ENDING && now > hung_up_ns(cs, c);
}

/* ---- decide.c ---- */

/* The call's timer, when something of struct call_decide is due before it. */
void decide_set_timer(struct calls *cs, struct call *c);

/* ---- decide_notice.c ---- */

/* The one of the rule that is heard, was proven; NULL not known. */
const struct policy_notice *decide_notice_of(const struct call *c);
/* It can have been this one (-1: any) then: an announcement that is not valid yet, or no more, proves nothing. */
bool decide_notice_may(const struct call *c, int which, uint64_t at_ns);
/* The place + 1 of the one that is valid then; 0 several, or none, so it is not known which. */
uint8_t decide_only_notice(const struct call *c, uint64_t at_ns);
/* It is still to be proven, and this is how. */
bool decide_expects(const struct call *c, enum policy_proof proof);
/* What a system told before the window was open counts as soon as it is. known_ns as below. */
void decide_early(struct calls *cs, struct call *c, int p, uint64_t now, uint64_t known_ns);
/* end 0: not known, or it goes on. Opens windows; early consents count then. known_ns: when it became known, which may be after the
 * hang-up, where now stops. */
void decide_notice_proven(struct calls *cs, struct call *c, enum call_how how, uint64_t start, uint64_t end, uint64_t now,
			  uint64_t known_ns);
/* Unless it was proven meanwhile. */
void decide_notice_missing(struct calls *cs, struct call *c, uint64_t now);
/* A consent key counts now: it is open, and the announcement proven or being heard. */
bool decide_in_window(const struct call *c, int p, uint64_t now);
/* Of a notice whose start is known: its purposes have been spoken then, by its keys-after; 0: it has none. */
uint64_t decide_spoken_ns(const struct call *c);
/* Silence decides. */
void decide_window_closes(struct calls *cs, struct call *c, int p, uint64_t now);

/* ---- decide_key.c ---- */

void decide_forget_digits(struct call_typed *t);
void decide_forget_twins(struct call_typed *t);
/* Digits that were to become a key behind a consent and did not: the time for it is over; all: the call is. */
void decide_end_doubt(struct calls *cs, struct call *c, uint64_t now, bool all);
/* Presses whose ends were lost, and which are over by now; all: the call is, whatever is open is. */
void decide_end_presses(struct calls *cs, struct call *c, uint64_t now, bool all);

/* ---- decide_say.c: actor and key as in struct call_news; true: something was changed ---- */

/* "caller", "callee" or "agent". */
const char *decide_party(const struct call *c, unsigned leg);
/* The conditions of a consent by key are the caller's to check (window, leg, trust). from_ns: no audio from before it, unless the
 * consent is to the whole conversation; now, or later when the call was over before the consent counted. */
void decide_consent(struct calls *cs, struct call *c, int p, enum call_how how, const char *actor, const char *key, uint64_t now,
		    uint64_t from_ns);
/* The key that consented was the beginning of a number: as a withdrawal, by what followed; that is no key of the policy's and is not named. */
void decide_not_meant(struct calls *cs, struct call *c, int p, enum call_how how, const char *actor, uint64_t now);
void decide_withdraw(struct calls *cs, struct call *c, int p, enum call_how how, const char *actor, const char *key, uint64_t now);
bool decide_opt_out(struct calls *cs, struct call *c, int p, enum call_how how, const char *actor, const char *key, uint64_t now);
bool decide_not_needed(struct calls *cs, struct call *c, int p, enum call_how how, const char *actor, const char *key, uint64_t now);
bool decide_pause(struct calls *cs, struct call *c, enum call_how how, const char *actor, const char *key, uint64_t now);
bool decide_end_pause(struct calls *cs, struct call *c, enum call_how how, const char *actor, const char *key, uint64_t now);
/* Nobody ended the pause: by the rule it ends now, or the recording does. */
void decide_pause_too_long(struct calls *cs, struct call *c, uint64_t now);

/* ---- decide_audio.c ---- */

/* How keys of this call may come: POLICY_DTMF_*, or-ed. */
unsigned decide_ways(const struct call *c);
/* Can this leg's keys be heard as events, as tones? True as long as none of its addresses is known. */
bool decide_leg_has_keys(const struct call *c, unsigned leg);
bool decide_leg_has_sound(const struct call *c, unsigned leg);
/* `pre-decision block`: for this purpose no audio goes to a detector of tones now. Before its decision, and of a consent unless it was
 * given; where the other purpose has the audio there is nothing to block. */
bool decide_blocks(const struct call *c, int p);

#endif
