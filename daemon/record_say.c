/* SPDX-License-Identifier: BSD-2-Clause */
/* record_say.c - what telephone systems say about a call, with whose word it is in the evidence log; see record.h. One thread. */
#include <errno.h>

#include "evidence.h"
#include "record_internal.h"

static void speaker(struct recorder *r, const char *who)
{
	if (r->set.evidence)
		evidence_speaker(r->set.evidence, who);
}

int recorder_command(struct recorder *r, struct call *c, enum call_command cmd, enum policy_purpose p, const struct recorder_said *by)
{
	int e;

	speaker(r, by->who);
	r->grounds = cmd == CALL_C_OBJECT_GROUNDS ? by->grounds : NULL;
	r->grounds_kept = 0;
	c->decide.said_by = by->who ? (uint8_t)*by->who : 0;
	e = call_command(r->calls, c, cmd, p, CALL_BY_API, by->now_ns);
	c->decide.said_by = 0;
	r->grounds = NULL;
	if (r->grounds_kept)
		recorder_changed(r, c);
	if (by->ret_kept)
		*by->ret_kept += r->grounds_kept;
	speaker(r, NULL);
	recorder_save(r);
	return e;
}

int recorder_notice(struct recorder *r, struct call *c, int which, uint64_t start_ns, uint64_t end_ns, const struct recorder_said *by)
{
	uint8_t was;
	uint64_t end;

	call_decide_time(r->calls, c, by->now_ns);
	if (c->decide.notice == CALL_NOTICE_MISSING)
		return -ETIME;
	was = c->decide.notice;
	end = c->decide.notice_end_ns;
	speaker(r, by->who);
	call_notice_heard(r->calls, c, which, CALL_BY_API, start_ns, end_ns, by->now_ns);
	speaker(r, NULL);
	recorder_save(r);
	return c->decide.notice != was || c->decide.notice_end_ns != end ? 0 : -EALREADY;
}

int recorder_sms(struct recorder *r, const struct uid *call, bool delivered, const struct recorder_said *by)
{
	return r->set.evidence ? evidence_sms_told(r->set.evidence, call, delivered, by->who) : -ENOENT;
}
