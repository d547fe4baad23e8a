/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * trace.h - what happened to one call, for the engineer who asks why
 *
 * Each matched call remembers its latest CALL_TRACE_EVENTS events; older ones are
 * overwritten and counted. Nothing in an event says who talks to whom: methods,
 * statuses, legs, verdicts, states and static texts only, never a number, an
 * address, a digit. Same thread as calls_*.
 */
#ifndef TRACE_H
#define TRACE_H

#include <stdint.h>

#define CALL_TRACE_EVENTS 48

struct call;
struct calls;

enum call_trace_kind {
	CALL_T_REQUEST,	 /* a: enum sip_method, b: side that sent it */
	CALL_T_RESPONSE, /* a: enum sip_method, b: status */
	CALL_T_VERDICT,	 /* a: leg, b: enum optag_verdict of an address it is heard at, when that changes */
	CALL_T_CLOSED,	 /* a: leg; the address is no longer the call's */
	CALL_T_STATE,	 /* a: purpose, b: enum purpose_state, text: reason */
	CALL_T_HOLD,	 /* b: on or off */
	CALL_T_KEY,	 /* a: leg; a key press, whichever */
	CALL_T_POLICY,	 /* a later policy took something */
	CALL_T_LOST,	 /* packets were lost that may have been key presses */
	CALL_T_RESTART,	 /* another daemon goes on with the call */
	CALL_T_END,	 /* text: "bye", "timeout" ... */
	CALL_TRACE_KINDS,
};

struct call_trace_event {
	uint64_t at_ns;
	const char *text; /* static; "" none */
	uint16_t b;
	uint8_t kind, a;
};

struct call_trace {
	uint32_t n; /* ever; e[n % CALL_TRACE_EVENTS] is the next to go */
	struct call_trace_event e[CALL_TRACE_EVENTS];
};

/* Costs nothing for calls that no rule matches. Without memory the event is not remembered. */
void call_note(struct calls *cs, struct call *c, enum call_trace_kind kind, unsigned a, unsigned b, const char *text);
const char *call_trace_name(enum call_trace_kind kind); /* "request", "state" ... */

#endif
