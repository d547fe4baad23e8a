/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * decide_audio.h - what the decisions of a call mean for its audio
 *
 * Pure functions of a call: what the flow table shall hold for a leg, what may be written for a purpose, what is listened for.
 * Whoever changes a call asks again (call_refresh_verdicts). Same thread as calls_*.
 */
#ifndef DECIDE_AUDIO_H
#define DECIDE_AUDIO_H

#include <stdbool.h>

#include "policy/policy.h"

struct call;

/* What happens to audio of a leg now (guidance 1, audio states). */
enum call_audio {
	CALL_A_BLOCK,	/* stays in the classifier */
	CALL_A_INSPECT, /* handed up for detectors, kept by nobody */
	CALL_A_HOLD,	/* kept in locked memory until the decision */
	CALL_A_WRITE,
};
enum call_audio call_audio(const struct call *c, unsigned leg);
/* Some purpose lets audio of this call be written now (whatever the flow table said when it arrived). */
bool call_may_keep(const struct call *c);
/* Audio may be written for this purpose, a pause apart. Since when: decide.granted_ns. */
bool call_keeps(const struct call *c, enum policy_purpose p);
/* Training has a basis, and its decision is still to come: until then audio is held (guidance 6). */
bool call_holds(const struct call *c);
/* A press on this leg can change something of the call, or of what comes after it in its conversation. */
bool call_listens(const struct call *c, unsigned leg);
/* The announcement is looked for, or followed, in the voice of this leg now. */
bool call_seeks_notice(const struct call *c, unsigned leg);
/* Keys are listened for in the sound of this leg now, where its audio is let through anyway. */
bool call_hears_tones(const struct call *c, unsigned leg);

#endif
