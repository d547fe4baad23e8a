/* SPDX-License-Identifier: BSD-2-Clause */
/* evidence_mock.h - instead of daemon/evidence*.c: takes what is told, and counts it by kind */
#ifndef EVIDENCE_MOCK_H
#define EVIDENCE_MOCK_H

#include "evidence.h"

static unsigned told[EVLOG_KINDS];
static uint64_t keys_told; /* by the last outcome; UINT64_MAX it does not say */

void evidence_news(struct evidence *ev, const struct call *c, const struct call_news *n)
{
	(void)ev;
	(void)c;
	for (int k = 0; k < EVLOG_KINDS; k++)
		if (!strcmp(evlog_kind_name((enum evlog_kind)k), n->event))
			told[k]++;
}

int evidence_sms_told(struct evidence *ev, const struct uid *call, bool delivered, const char *who)
{
	(void)ev;
	(void)call;
	(void)delivered;
	(void)who;
	return 0;
}

void evidence_speaker(struct evidence *ev, const char *who)
{
	(void)ev;
	(void)who;
}

void evidence_call(struct evidence *ev, const struct call *c, enum evlog_kind kind, int purpose, enum evlog_source source,
		   const char *reason, const struct evidence_num *num, unsigned nums)
{
	(void)ev;
	(void)c;
	(void)purpose;
	(void)source;
	(void)reason;
	(void)num;
	(void)nums;
	told[kind]++;
}

void evidence_destroyed(struct evidence *ev, const struct call *c, int purpose, const char *reason, uint64_t after, uint64_t upto)
{
	(void)ev;
	(void)c;
	(void)purpose;
	(void)reason;
	(void)after;
	(void)upto;
	told[EVLOG_KEY_DESTROY]++;
}

void evidence_outcome(struct evidence *ev, const struct call *c, enum evlog_kind kind, enum evlog_source source,
		      const char *reason, const struct evidence_num *num, unsigned nums)
{
	keys_told = UINT64_MAX;
	for (unsigned i = 0; i < nums; i++)
		if (num[i].name == EVLOG_N_KEYS)
			keys_told = num[i].value;
	evidence_call(ev, c, kind, -1, source, reason, num, nums);
}

void evidence_rows_durable(struct evidence *ev)
{
	(void)ev;
}

void evidence_link(struct evidence *ev, const struct call *c, const char *relation, const struct uid *other)
{
	(void)ev;
	(void)c;
	(void)relation;
	(void)other;
	told[EVLOG_CALL_LINK]++;
}

void evidence_daemon(struct evidence *ev, enum evlog_kind kind, const char *policy_hash, const char *reason)
{
	(void)ev;
	(void)policy_hash;
	(void)reason;
	told[kind]++;
}

void evidence_unmatched(struct evidence *ev, uint64_t more)
{
	(void)ev;
	told[EVLOG_CALL_NOMATCH] += (unsigned)more;
}

bool evidence_ready(const struct evidence *ev)
{
	(void)ev;
	return true;
}

const char *evidence_redraw(struct evidence *ev, struct call *c, const struct policy_rule *r)
{
	(void)ev;
	(void)c;
	(void)r;
	return NULL;
}

const char *evidence_draw(struct evidence *ev, struct call *c)
{
	(void)ev;
	(void)c;
	return NULL;
}

uint64_t evidence_saved(const struct evidence *ev)
{
	(void)ev;
	return 0;
}

bool evidence_durable(struct evidence *ev, const struct call *c)
{
	(void)ev;
	(void)c;
	return false;
}

void evidence_slot_end(struct evidence *ev, struct call *c, bool kept)
{
	(void)ev;
	(void)c;
	(void)kept;
}

bool evidence_claim(struct evidence *ev, const struct call *c)
{
	(void)ev;
	(void)c;
	return true;
}

#endif
