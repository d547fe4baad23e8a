/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * purpose.c - the table of guidance 5.2 to 5.5
 *
 * One row per transition that exists; what has no row changes nothing. Rows of
 * one kind stand together in the order of the guidance's tables, so the two can
 * be held side by side.
 */
#include "call/purpose.h"

#include <stddef.h>

struct row {
	uint8_t kind, from, event, to, act;
	const char *reason;
};

#define CO PURPOSE_K_CONSENT
#define OO PURPOSE_K_OPTOUT
#define SP PURPOSE_K_SPECIAL
#define DO PURPOSE_K_DOCUMENT
#define S(x) PURPOSE_##x
#define E(x) PURPOSE_E_##x
#define START	 PURPOSE_D_START
#define DESTROY	 PURPOSE_D_DESTROY
#define COMMIT	 PURPOSE_D_COMMIT
#define RESTRICT PURPOSE_D_RESTRICT
#define CASE	 PURPOSE_D_CASE

static const struct row rows[] = {
	/* 5.2 consent */
	{ CO, S(NONE), E(SAMPLE_OUT), S(DENIED), 0, "sample.out" },
	{ CO, S(NONE), E(MATCH), S(PENDING), 0, "" },
	{ CO, S(PENDING), E(OPT_OUT), S(DENIED), 0, "optout" },
	{ CO, S(PENDING), E(NO_NOTICE), S(DENIED), 0, "notice.missing" },
	{ CO, S(PENDING), E(CONSENT), S(GRANTED), START, "" },
	{ CO, S(PENDING), E(WINDOW), S(DENIED), 0, "consent.none" },
	{ CO, S(PENDING), E(BYE), S(DENIED), 0, "consent.none" },
	{ CO, S(GRANTED), E(WITHDRAW), S(WITHDRAWN), DESTROY, "consent.withdrawn" },
	{ CO, S(GRANTED), E(BYE), S(GRANTED), COMMIT, "" },
	{ CO, S(GRANTED), E(OBJECT), S(WITHDRAWN), DESTROY, "consent.withdrawn" },
	{ CO, S(GRANTED), E(OBJECT_GROUNDS), S(WITHDRAWN), DESTROY, "consent.withdrawn" },
	{ CO, S(GRANTED), E(OPT_OUT), S(WITHDRAWN), DESTROY, "consent.withdrawn" },
	{ CO, S(GRANTED), E(UNUSED), S(EXPIRED), DESTROY, "unused" },
	{ CO, S(GRANTED), E(DEADLINE), S(EXPIRED), DESTROY, "deadline" },
	{ CO, S(PENDING), E(TIGHTENED), S(DENIED), 0, "policy.tightened" },
	{ CO, S(GRANTED), E(TIGHTENED), S(DENIED), DESTROY, "policy.tightened" },
	{ CO, S(WITHDRAWN), E(CONSENT), S(GRANTED), START, "" },
	/* DENIED by silence + CONSENT in a re-opened window: see purpose_step */

	/* 5.3 interest with opt-out */
	{ OO, S(NONE), E(SAMPLE_OUT), S(DENIED), 0, "sample.out" },
	{ OO, S(NONE), E(MATCH), S(PENDING), 0, "" },
	{ OO, S(PENDING), E(OPT_OUT), S(OPTED_OUT), DESTROY, "optout" },
	{ OO, S(PENDING), E(OBJECT), S(OPTED_OUT), DESTROY, "optout" },
	{ OO, S(PENDING), E(OBJECT_GROUNDS), S(OPTED_OUT), DESTROY, "optout" },
	{ OO, S(PENDING), E(NO_NOTICE), S(DENIED), DESTROY, "notice.missing" },
	{ OO, S(PENDING), E(NO_PATH), S(DENIED), DESTROY, "optout.no-path" },
	{ OO, S(PENDING), E(LOSS), S(DENIED), DESTROY, "optout.uncertain" },
	{ OO, S(PENDING), E(WINDOW), S(GRANTED), START, "" },
	{ OO, S(PENDING), E(BYE), S(DENIED), DESTROY, "hangup" },
	{ OO, S(GRANTED), E(OPT_OUT), S(OPTED_OUT), DESTROY, "optout" },
	{ OO, S(GRANTED), E(OBJECT_GROUNDS), S(OPTED_OUT), DESTROY, "optout" },
	{ OO, S(GRANTED), E(NO_NOTICE), S(DENIED), DESTROY, "notice.missing" },
	{ OO, S(GRANTED), E(NO_PATH), S(DENIED), DESTROY, "optout.no-path" },
	{ OO, S(GRANTED), E(LOSS), S(DENIED), DESTROY, "optout.uncertain" },
	{ OO, S(GRANTED), E(BYE), S(GRANTED), COMMIT, "" },
	{ OO, S(GRANTED), E(OBJECT), S(OBJECTED), RESTRICT | CASE, "objection" },
	{ OO, S(OBJECTED), E(OPT_OUT), S(OPTED_OUT), DESTROY, "optout" },
	{ OO, S(OBJECTED), E(UPHELD), S(OPTED_OUT), DESTROY, "objection.upheld" },
	{ OO, S(OBJECTED), E(REJECTED), S(GRANTED), 0, "" },
	{ OO, S(OBJECTED), E(DEADLINE), S(EXPIRED), DESTROY, "deadline" },
	{ OO, S(OBJECTED), E(UNUSED), S(EXPIRED), DESTROY, "unused" },
	{ OO, S(GRANTED), E(UNUSED), S(EXPIRED), DESTROY, "unused" },
	{ OO, S(GRANTED), E(DEADLINE), S(EXPIRED), DESTROY, "deadline" },
	{ OO, S(PENDING), E(TIGHTENED), S(DENIED), DESTROY, "policy.tightened" },
	{ OO, S(GRANTED), E(TIGHTENED), S(DENIED), DESTROY, "policy.tightened" },
	{ OO, S(OBJECTED), E(TIGHTENED), S(DENIED), DESTROY, "policy.tightened" },

	/* 5.4 special circumstances: a key press or a list alone never stops it (N-43) */
	{ SP, S(NONE), E(SAMPLE_OUT), S(DENIED), 0, "sample.out" },
	{ SP, S(NONE), E(MATCH), S(PENDING), 0, "" },
	{ SP, S(PENDING), E(NOTICE), S(GRANTED), START, "" },
	{ SP, S(PENDING), E(NO_NOTICE), S(DENIED), DESTROY, "notice.missing" },
	{ SP, S(PENDING), E(OBJECT_GROUNDS), S(DENIED), DESTROY | CASE, "objection" },
	{ SP, S(PENDING), E(BYE), S(DENIED), DESTROY, "hangup" },
	{ SP, S(GRANTED), E(OBJECT), S(GRANTED), CASE, "" },
	{ SP, S(GRANTED), E(OBJECT_GROUNDS), S(DENIED), DESTROY | CASE, "objection" },
	{ SP, S(GRANTED), E(NO_NOTICE), S(DENIED), DESTROY, "notice.missing" },
	{ SP, S(GRANTED), E(BYE), S(GRANTED), COMMIT, "" },
	{ SP, S(OBJECTED), E(UPHELD), S(OPTED_OUT), DESTROY, "objection.upheld" },
	{ SP, S(OBJECTED), E(REJECTED), S(GRANTED), 0, "" },
	{ SP, S(OBJECTED), E(DEADLINE), S(EXPIRED), DESTROY, "deadline" },
	{ SP, S(GRANTED), E(UNUSED), S(EXPIRED), DESTROY, "unused" },
	{ SP, S(GRANTED), E(DEADLINE), S(EXPIRED), DESTROY, "deadline" },
	{ SP, S(PENDING), E(TIGHTENED), S(DENIED), DESTROY, "policy.tightened" },
	{ SP, S(GRANTED), E(TIGHTENED), S(DENIED), DESTROY, "policy.tightened" },
	{ SP, S(OBJECTED), E(TIGHTENED), S(DENIED), DESTROY, "policy.tightened" },

	/* 5.5 documentation by interest or obligation: evidence must survive a crash, so commit at match */
	{ DO, S(NONE), E(MATCH), S(GRANTED), START | COMMIT, "" },
	{ DO, S(GRANTED), E(NO_NOTICE), S(OBJECTED), RESTRICT, "notice.missing" },
	{ DO, S(OBJECTED), E(NO_NOTICE), S(OBJECTED), RESTRICT, "notice.missing" }, /* an objection is no notice */
	{ DO, S(GRANTED), E(OBJECT), S(OBJECTED), RESTRICT | CASE, "objection" },
	{ DO, S(GRANTED), E(OBJECT_GROUNDS), S(OBJECTED), RESTRICT | CASE, "objection" },
	{ DO, S(GRANTED), E(OPT_OUT), S(OBJECTED), RESTRICT | CASE, "objection" },
	{ DO, S(GRANTED), E(BYE), S(GRANTED), 0, "" },
	{ DO, S(GRANTED), E(NOT_NEEDED), S(EXPIRED), DESTROY, "not-needed" },
	{ DO, S(GRANTED), E(DEADLINE), S(EXPIRED), DESTROY, "deadline" },
	{ DO, S(OBJECTED), E(UPHELD), S(EXPIRED), DESTROY, "objection.upheld" },
	{ DO, S(OBJECTED), E(REJECTED), S(GRANTED), 0, "" },
	{ DO, S(OBJECTED), E(DEADLINE), S(EXPIRED), DESTROY, "deadline" },
	{ DO, S(GRANTED), E(TIGHTENED), S(DENIED), DESTROY, "policy.tightened" },
	{ DO, S(OBJECTED), E(TIGHTENED), S(DENIED), DESTROY, "policy.tightened" },
};

#undef S
#undef E

struct purpose_answer purpose_step(enum purpose_kind k, enum purpose_state s, enum purpose_event e,
				   bool timed_out)
{
	struct purpose_answer a = { .state = s, .reason = "" };
	size_t i;

	/* 5.2, last row: only a denial by silence can be lifted, and only by an active press. */
	if (k == PURPOSE_K_CONSENT && s == PURPOSE_DENIED && e == PURPOSE_E_CONSENT && timed_out) {
		a.state = PURPOSE_GRANTED;
		a.act = PURPOSE_D_START;
		a.changed = true;
		return a;
	}
	/* Some 70 rows and a handful of events a call: a scan costs less than a packet. */
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *r = &rows[i];

		if (r->kind == k && r->from == s && r->event == e) {
			a.state = (enum purpose_state)r->to;
			a.act = r->act;
			a.reason = r->reason;
			a.changed = true;
			break;
		}
	}
	return a;
}

const char *purpose_state_name(enum purpose_state s)
{
	static const char *const name[PURPOSE_STATES] = { "NONE",      "PENDING",   "GRANTED",  "DENIED",
							  "WITHDRAWN", "OPTED_OUT", "OBJECTED", "EXPIRED" };

	return (unsigned)s < PURPOSE_STATES ? name[s] : "?";
}

const char *purpose_event_name(enum purpose_event e)
{
	static const char *const name[PURPOSE_EVENTS] = {
		"match",  "sample-out", "notice", "no-notice", "consent", "withdraw",  "opt-out", "object", "object-grounds",
		"window", "loss",	"no-path", "bye",      "upheld",  "rejected", "not-needed", "unused", "deadline",
		"tightened",
	};

	return (unsigned)e < PURPOSE_EVENTS ? name[e] : "?";
}
