/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * purpose.h - the state of one purpose of one call (guidance 5)
 *
 * One table-driven machine per purpose; documentation and training have one
 * each and never see each other's events (INV-4). purpose_step is a pure
 * function of kind, state and event: the table is the law, everything else
 * reports events and carries out what the table answers. No I/O, no memory.
 */
#ifndef PURPOSE_H
#define PURPOSE_H

#include <stdbool.h>
#include <stdint.h>

/* Same values and order as enum store_state (FORMAT.md). */
enum purpose_state {
	PURPOSE_NONE,
	PURPOSE_PENDING,
	PURPOSE_GRANTED,
	PURPOSE_DENIED,
	PURPOSE_WITHDRAWN,
	PURPOSE_OPTED_OUT,
	PURPOSE_OBJECTED,
	PURPOSE_EXPIRED,
	PURPOSE_STATES,
};

/* Which of guidance 5.2 to 5.5 governs the purpose. */
enum purpose_kind {
	PURPOSE_K_CONSENT,  /* 5.2: A2, B, training of E */
	PURPOSE_K_OPTOUT,   /* 5.3: C, training of F */
	PURPOSE_K_SPECIAL,  /* 5.4: D, training of G */
	PURPOSE_K_DOCUMENT, /* 5.5: A1, A3, documentation of E, F, G */
	PURPOSE_KINDS,
};

enum purpose_event {
	PURPOSE_E_MATCH,      /* rule matched, sampled in (or no sampling) */
	PURPOSE_E_SAMPLE_OUT, /* rule matched, sampled out or over quota */
	PURPOSE_E_NOTICE,     /* the right notice was proven */
	PURPOSE_E_NO_NOTICE,  /* not proven by the deadline */
	PURPOSE_E_CONSENT,    /* consent key, data subject's leg, in the window */
	PURPOSE_E_WITHDRAW,   /* withdrawal in or after the call */
	PURPOSE_E_OPT_OUT,    /* caller's or agent's opt-out, list, a=recordpref:off */
	PURPOSE_E_OBJECT,     /* objection without grounds given in the call, or later */
	PURPOSE_E_OBJECT_GROUNDS, /* objection with grounds, in the call */
	PURPOSE_E_WINDOW,     /* decision window closed */
	PURPOSE_E_LOSS,	      /* capture loss that can hide a key press */
	PURPOSE_E_NO_PATH,    /* the promised opt-out path does not exist for this call (R-41b) */
	PURPOSE_E_BYE,	      /* the call ended */
	PURPOSE_E_UPHELD,     /* case decided for the person */
	PURPOSE_E_REJECTED,   /* case decided against */
	PURPOSE_E_NOT_NEEDED, /* disposition "not needed" */
	PURPOSE_E_UNUSED,     /* training not used in time */
	PURPOSE_E_DEADLINE,   /* destroy-by reached */
	PURPOSE_E_TIGHTENED,  /* a later policy has no room for it; of documentation: before any was recorded */
	PURPOSE_EVENTS,
};

/* What the caller of purpose_step must do beside taking the new state. */
enum purpose_do {
	PURPOSE_D_START = 1,   /* audio may be written from this instant */
	PURPOSE_D_DESTROY = 2, /* remove this purpose's wrap and key now (INV-3) */
	PURPOSE_D_COMMIT = 4,  /* make the wrap durable */
	PURPOSE_D_RESTRICT = 8, /* nobody but the assessor plays it */
	PURPOSE_D_CASE = 16,   /* a case is offered or opened */
};

struct purpose_answer {
	enum purpose_state state;
	unsigned act;	    /* enum purpose_do, or-ed */
	const char *reason; /* of the new state, static text such as "consent.none"; "" none */
	bool changed;	    /* false: the event means nothing in this state */
};

/* timed_out: the state DENIED was reached by silence alone, so a re-opened window may still grant. */
struct purpose_answer purpose_step(enum purpose_kind k, enum purpose_state s, enum purpose_event e,
				   bool timed_out);

const char *purpose_state_name(enum purpose_state s);
const char *purpose_event_name(enum purpose_event e);

#endif
