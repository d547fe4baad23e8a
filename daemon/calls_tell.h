/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * calls_tell.h - calls in progress over the control socket: list and trace
 *
 *	{"do":"call-list"}			filters: "state" (setup, answered, hold, ending,
 *						ended), "rule", "limit" (100 at most and by default)
 *	  -> {"calls":[CALL...], "total":n, "next":n}
 *						total: how many the filters let through. next is there
 *						when it goes on: "after" of the request for the rest,
 *						whose answer has no total. Packets wait meanwhile
 *	{"do":"call-trace","call":UID}		or "sip_call_id", which is not repeated
 *	  -> {"call":CALL, "events":[...], "next":n, "missed":n}
 *						"after":n leaves out what was told; missed: overwritten
 *
 * CALL: {"call","rule","scenario","state","age","documentation","training",
 * "documentation_reason","training_reason","recording","legs":[{"leg","codec",
 * "verdict","passed","events","blocked","kept","lost"}]}; age in seconds. An
 * event: {"t" (seconds since the call's start), "event", and what belongs to it}.
 *
 * No number, address or digit is in it, so the socket's group may ask. Only
 * calls that a rule matched; for 32 s after their end, longer when there is room.
 */
#ifndef CALLS_TELL_H
#define CALLS_TELL_H

#include "ctl.h"

struct recorder;

int calls_tell_list(struct recorder *r, const json_t *request, json_t *answer, char *why, size_t n);
int calls_tell_trace(struct recorder *r, const json_t *request, json_t *answer, char *why, size_t n);

/* The call that "call" or "sip_call_id" names, one that a rule matched; NULL: why says it. */
struct call;
struct call *calls_tell_find(struct recorder *r, const json_t *request, char *why, size_t n);

struct status;
/* in_setup, answered, on_hold, ending, recording */
void calls_tell_count(struct recorder *r, struct status *s);

#endif
