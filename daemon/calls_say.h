/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * calls_say.h - what a telephone system, or an agent by it, says about a call in progress, over the control socket
 *
 *	{"do":"call-event","event":E,"call":UID}	or "sip_call_id"; then, where it applies:
 *	  "purpose"	"documentation" or "training"; left out: training for opt-out, documentation for
 *			not-needed, else the rule's only purpose
 *	  "actor"	"agent" or "system": whose word it is in the evidence log. Left out: system for a
 *			notice or a message, agent for all else
 *	  "grounds"	object: what the caller gave as grounds: kept sealed with the call, and with what else of the
 *			conversation the objection reaches; the evidence log has that there are some
 *	  "notice"	notice: the announcement, a name of the rule's; may be left out when the rule has one only
 *	  "start_ms","end_ms"	notice: when it began and ended, after the answer. Left out: it begins now, and goes on
 *	  "ended"	notice: true: it ends now
 *	-> {"call":UID,"documentation":STATE,"training":STATE,"paused":bool}	after the event; where grounds were
 *	given, "grounds_kept":bool: false where nothing is recorded now whose keys could seal them (or for an
 *	opt-out, which needs none): who was told them has to write them down; "binds_later":true when nothing of
 *	this part is for training, and by this nothing of later ones will be
 *
 *	E: notice consent withdraw opt-out object pause resume not-needed reopen sms-delivered sms-failed
 *
 * The last two are about the message that brings the rest of a notice (N-36), and may come when the call is over, by "call"; their
 * answer has no states.
 *
 * Of several calls in progress with this sip_call_id (the BYE of one was lost, or somebody uses it who knows it) all are told withdraw,
 * opt-out, object and pause, and the answer is of one that took it; the others are refused where more than one is answered.
 *
 * Refused with one sentence: -ENOENT no such call or purpose, -EPERM the call's rule does not offer it, or it may be one of several,
 * -EALREADY nothing to change, -ETIME too late, -EINVAL not a request.
 *
 * Takes effect before the answer is written. For root, the daemon's user and the group for it (CTL_CALLS). What
 * is said is logged as event and uid, without the call. Capture thread.
 */
#ifndef CALLS_SAY_H
#define CALLS_SAY_H

#include "call/decide.h"
#include "ctl.h"

struct recorder;

#define CALLS_SAY_GROUNDS 500	  /* bytes of a text; the store takes STORE_GROUNDS_MAX */
#define CALLS_SAY_MS_MAX  86400000 /* a day after the answer */

struct calls_say {
	bool is_notice;
	enum call_command cmd; /* else */
	int purpose;	       /* enum policy_purpose; -1 not said */
	const char *actor;     /* static */
	bool is_sms, delivered; /* of the message, not of the call */
	const char *notice, *grounds; /* into the request; NULL */
	int64_t start_ms, end_ms; /* -1 not said */
	bool ended;
};

/* Any JSON. -EINVAL with a sentence in why. The call is not looked at. */
int calls_say_read(const json_t *request, struct calls_say *ret, char *why, size_t n);
int calls_say(struct recorder *r, const struct ctl_peer *peer, const json_t *request, json_t *answer, char *why, size_t n);

#endif
