/* SPDX-License-Identifier: BSD-2-Clause */
/* trace.c - see trace.h */
#include "call/trace.h"

#include <stdlib.h>

#include "call/call_internal.h"

void call_note(struct calls *cs, struct call *c, enum call_trace_kind kind, unsigned a, unsigned b, const char *text)
{
	struct call_trace *t = c->trace;

	if (!t && !c->matched)
		return;
	if (!t)
		t = c->trace = calloc(1, sizeof(*t));
	if (!t)
		return;
	t->e[t->n++ % CALL_TRACE_EVENTS] = (struct call_trace_event){
		.at_ns = cs->now_ns,
		.text = text,
		.b = (uint16_t)b,
		.kind = (uint8_t)kind,
		.a = (uint8_t)a,
	};
}

const char *call_trace_name(enum call_trace_kind kind)
{
	static const char *const name[CALL_TRACE_KINDS] = { "request", "response", "verdict", "closed", "state", "hold",
							    "key",     "policy",   "lost",    "restart", "end" };

	return (unsigned)kind < CALL_TRACE_KINDS ? name[kind] : "?";
}
