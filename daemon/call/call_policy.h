/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * call_policy.h - a changed policy and the calls in progress
 *
 * New calls use what calls_set_policy gave. A call in progress keeps the policy
 * it began under; a later one can only take away from it (policy-language 5.2,
 * 5.3). To judge that, a matched call keeps the facts its INVITE was decided by
 * (call_facts), and they are evaluated again:
 *
 *	calls_set_policy(cs, p)			new calls, from the next message on
 *	calls_tighten_start(cs)			then, until it returns false:
 *	calls_tighten_step(cs, p, n, &sum)	looks at n slots of the table
 *
 * A rule that somebody stopped (sink's `stopped`) is no rule for anybody.
 *
 * What is taken away: a purpose that no rule, another controller's rule, a
 * `never`, or a rule without it answers for now ("policy.tightened"); recording
 * of hold music, early media or a leg; time, by a shorter retention, quarantine
 * or greatest length; a recording whose new rule wants pauses that nobody
 * carries out. Training audio is destroyed; documentation recorded so far stays
 * and its recording stops. Nothing is ever given back: a call only moves down.
 *
 * Same thread as calls_*.
 */
#ifndef CALL_POLICY_H
#define CALL_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "call/facts.h"
#include "policy/policy.h"

struct buf;
struct call;
struct calls;
struct sigin_from;
struct sip_msg;

struct calls_tightened {
	uint64_t seen;	   /* matched calls in progress that were looked at */
	uint64_t changed;  /* from which something was taken */
	uint64_t denied;   /* purposes that ended */
	uint64_t no_facts; /* taken over without facts: judged as if nothing matched */
};

/* From the first slot on at the next step. */
void calls_tighten_start(struct calls *cs);
/* Adds to sum. False: all calls were seen. p NULL: no policy, so nothing matches. */
bool calls_tighten_step(struct calls *cs, const struct policy *p, size_t slots, struct calls_tightened *sum);
/* One call. */
void call_tighten(struct calls *cs, struct call *c, const struct policy *p, struct calls_tightened *sum);

/*
 * The machine's clock was set back: deadlines of the call, whose start may have been taken for too late, count from the time it
 * would have had (clock_earlier_ns), unless that leaves less than a day. Whether one did. Also for one that waits as below.
 */
bool call_clock_back(struct calls *cs, struct call *c);

/* One that waits for the end of its conversation (group.h): its deadlines; false: training of it is over. */
bool call_tighten_parked(struct calls *cs, struct call *ghost, const struct policy *p);

/* Its documentation goes into quarantine (N-31): destroyed by then, unless it goes sooner. */
void call_quarantine(struct calls *cs, struct call *c);

/* Calls that were decided under p and are not over. */
size_t calls_pinned(const struct calls *cs, const struct policy *p);

/* What later policies and a quarantine took, beside the states of the purposes; zero: nothing. */
#define CALL_TIGHT_TEXT	   64
#define CALL_TIGHT_HEADERS 256 /* two of the longest, eight as they usually are; one that has no room ends the recording */
struct call_tight {
	bool stopped[2];     /* by purpose: no more audio is written for it */
	bool no_early_media, no_hold_music;
	uint8_t no_leg;	     /* 1 << leg: what is heard there is not kept */
	uint64_t until_ns[2]; /* by purpose: destroyed by then at the latest; 0 as the call's rule says */
	uint64_t min_length_ns; /* shorter calls are discarded, also if the rule's own limit is lower */
	uint64_t max_length_ns; /* from the answer; 0 as the call's rule says */
	/* added later: ways out and into a pause work at once */
	char optout_key[POLICY_KEYS_MAX][POLICY_KEY_MAX], optout_agent_key[POLICY_KEYS_MAX][POLICY_KEY_MAX]; /* training */
	char pause_key[POLICY_KEY_MAX], resume_key[POLICY_KEY_MAX];
	char optout_header[CALL_TIGHT_TEXT], optout_value[CALL_TIGHT_TEXT]; /* training; name "" none, value "" its presence */
	char pause_headers[CALL_TIGHT_HEADERS]; /* see call_tight_header: each is a way to pause */
	bool mute;	   /* key presses in the sound, also if the call's rule leaves them */
	bool pause_limit;  /* a pause ends by these two, not by the call's rule: */
	bool pause_stop;
	uint64_t pause_max_ns; /* 0 never */
	/* by purpose, when `window`: seconds as in policy_window. To consent: later from, earlier to; to opt out: longer. */
	uint64_t amount; /* of the rule by which it was drawn again: hash; 0 none */
	bool window[2], no_reopen[2];
	int16_t window_from_s[2], window_to_s[2];
	uint16_t keys_after_s; /* no consent counts sooner after the notice's start; 0 as the call's rule says */
};

/* The next header of `headers`, from *at on, 0 at first; false: none. value "": its presence counts. Texts lie in `headers`. */
bool call_tight_header(const char headers[CALL_TIGHT_HEADERS], size_t *at, const char **ret_name, const char **ret_value);

#endif
