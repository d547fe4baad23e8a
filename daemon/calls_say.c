/* SPDX-License-Identifier: BSD-2-Clause */
/* calls_say.c - see calls_say.h */
#include "calls_say.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "call/call.h"
#include "calls_tell.h"
#include "record.h"

/* ---- the request ---- */

enum { T_PURPOSE = 1, T_GROUNDS = 2, T_NOTICE = 4, T_SMS = 8 }; /* which members an event may have */

static const struct {
	const char *name;
	enum call_command cmd;
	unsigned takes;
} events[] = {
	{ "notice", CALL_COMMANDS, T_NOTICE },
	{ "consent", CALL_C_CONSENT, T_PURPOSE },
	{ "withdraw", CALL_C_WITHDRAW, T_PURPOSE },
	{ "opt-out", CALL_C_OPT_OUT, T_PURPOSE },
	{ "object", CALL_C_OBJECT, T_PURPOSE | T_GROUNDS },
	{ "pause", CALL_C_PAUSE, 0 },
	{ "resume", CALL_C_RESUME, 0 },
	{ "not-needed", CALL_C_NOT_NEEDED, T_PURPOSE },
	{ "reopen", CALL_C_REOPEN, T_PURPOSE },
	{ "sms-delivered", CALL_COMMANDS, T_SMS },
	{ "sms-failed", CALL_COMMANDS, T_SMS },
};
#define EVENTS (sizeof(events) / sizeof(events[0]))

static const struct {
	const char *name;
	json_type type; /* JSON_TRUE: a boolean */
	unsigned of;	/* 0: any event */
} members[] = {
	{ "do", JSON_STRING, 0 },	   { "event", JSON_STRING, 0 },	     { "call", JSON_STRING, 0 },
	{ "sip_call_id", JSON_STRING, 0 }, { "actor", JSON_STRING, 0 },	     { "purpose", JSON_STRING, T_PURPOSE },
	{ "grounds", JSON_STRING, T_GROUNDS }, { "notice", JSON_STRING, T_NOTICE }, { "start_ms", JSON_INTEGER, T_NOTICE },
	{ "end_ms", JSON_INTEGER, T_NOTICE }, { "ended", JSON_TRUE, T_NOTICE },
};

static int refuse(char *why, size_t n, const char *text)
{
	snprintf(why, n, "%s", text);
	return -EINVAL;
}

static bool type_is(const json_t *v, json_type t)
{
	return t == JSON_TRUE ? json_is_boolean(v) : json_typeof(v) == t;
}

static int check_members(const json_t *rq, unsigned takes, char *why, size_t n)
{
	const char *key;
	json_t *v;

	json_object_foreach((json_t *)(uintptr_t)rq, key, v) {
		size_t i = 0;

		if (!strcmp(key, "id"))
			continue;
		while (i < sizeof(members) / sizeof(members[0]) && strcmp(key, members[i].name))
			i++;
		if (i == sizeof(members) / sizeof(members[0]))
			return refuse(why, n, "the request has a member that is not known here");
		if (members[i].of && !(members[i].of & takes))
			return refuse(why, n, "the request has a member that this event does not take");
		if (!type_is(v, members[i].type))
			return refuse(why, n, "a member of the request has a value of the wrong kind");
	}
	return 0;
}

/* Words that somebody said, not nothing and not a file. */
static bool grounds_ok(const char *s)
{
	size_t len = strlen(s);

	if (!len || len > CALLS_SAY_GROUNDS || strspn(s, " \t") == len)
		return false;
	for (; *s; s++)
		if ((unsigned char)*s < ' ' || *s == 0x7f)
			return false;
	return true;
}

static int read_times(const json_t *rq, struct calls_say *s, char *why, size_t n)
{
	const json_t *start = json_object_get(rq, "start_ms"), *end = json_object_get(rq, "end_ms");

	s->start_ms = start ? json_integer_value(start) : -1;
	s->end_ms = end ? json_integer_value(end) : -1;
	s->ended = json_is_true(json_object_get(rq, "ended"));
	if ((start && (s->start_ms < 0 || s->start_ms > CALLS_SAY_MS_MAX)) || (end && (s->end_ms < 0 || s->end_ms > CALLS_SAY_MS_MAX)))
		return refuse(why, n, "start_ms and end_ms are milliseconds after the answer");
	if (end && s->ended)
		return refuse(why, n, "either end_ms or ended");
	if (start && end && s->end_ms < s->start_ms)
		return refuse(why, n, "the notice ends before it begins");
	return 0;
}

static int read_actor(const json_t *rq, struct calls_say *s, char *why, size_t n)
{
	const char *a = json_string_value(json_object_get(rq, "actor"));

	s->actor = s->is_notice || s->is_sms ? "system" : "agent";
	if (a && strcmp(a, "agent") && strcmp(a, "system"))
		return refuse(why, n, "actor is agent or system");
	if (a)
		s->actor = *a == 'a' ? "agent" : "system";
	return 0;
}

static int read_purpose(const json_t *rq, struct calls_say *s, char *why, size_t n)
{
	const char *p = json_string_value(json_object_get(rq, "purpose"));

	s->purpose = s->cmd == CALL_C_OPT_OUT ? POLICY_TRAINING : s->cmd == CALL_C_NOT_NEEDED ? POLICY_DOCUMENTATION : -1;
	if (p && strcmp(p, "documentation") && strcmp(p, "training"))
		return refuse(why, n, "purpose is documentation or training");
	if (p)
		s->purpose = *p == 'd' ? POLICY_DOCUMENTATION : POLICY_TRAINING;
	return 0;
}

int calls_say_read(const json_t *rq, struct calls_say *ret, char *why, size_t n)
{
	const char *name = json_string_value(json_object_get(rq, "event")), *grounds;
	struct calls_say s = { 0 };
	size_t i = 0;
	int e;

	while (name && i < EVENTS && strcmp(name, events[i].name))
		i++;
	if (!name || i == EVENTS)
		return refuse(why, n, "event is one of notice, consent, withdraw, opt-out, object, pause, resume, not-needed, reopen, sms-delivered, sms-failed");
	e = check_members(rq, events[i].takes, why, n);
	if (e)
		return e;
	s.is_notice = events[i].takes & T_NOTICE;
	s.is_sms = events[i].takes & T_SMS;
	s.delivered = s.is_sms && !strcmp(name, "sms-delivered");
	s.cmd = events[i].cmd;
	s.notice = json_string_value(json_object_get(rq, "notice"));
	grounds = json_string_value(json_object_get(rq, "grounds"));
	if (grounds && !grounds_ok(grounds)) {
		snprintf(why, n, "grounds are up to %d bytes of plain text on one line", CALLS_SAY_GROUNDS);
		return -EINVAL;
	}
	s.grounds = grounds;
	if (grounds)
		s.cmd = CALL_C_OBJECT_GROUNDS;
	e = read_actor(rq, &s, why, n);
	if (!e)
		e = read_purpose(rq, &s, why, n);
	if (!e)
		e = read_times(rq, &s, why, n);
	if (!e)
		*ret = s;
	return e;
}

/* ---- why not ---- */

static const char *purpose_word(int p)
{
	return p == POLICY_DOCUMENTATION ? "documentation" : "training";
}

static void why_not_allowed(const struct call *c, enum call_command cmd, int p, char *why, size_t n)
{
	const struct policy_block *b = &c->rule->purpose[p];
	const char *state = purpose_state_name(c->state[p]);

	switch (cmd) {
	case CALL_C_CONSENT:
		if (b->basis != POLICY_B_CONSENT || !b->consent_api)
			snprintf(why, n, "the call's rule takes no consent to %s by this way (consent-source api)", purpose_word(p));
		else if (c->rule->side == POLICY_SIDE_CALLING && !c->answered)
			snprintf(why, n, "the call is not answered yet: nobody has been asked");
		else
			snprintf(why, n, "%s is %s: a consent counts only while the question is open", purpose_word(p), state);
		break;
	case CALL_C_RESUME:
		snprintf(why, n, "the call's rule lets nobody end a pause by this way (pause api)");
		break;
	case CALL_C_NOT_NEEDED:
		snprintf(why, n, "the call's rule does not offer it by this way (not-needed api)");
		break;
	case CALL_C_REOPEN:
		if (b->basis != POLICY_B_CONSENT || !b->window.reopen_agent)
			snprintf(why, n, "the call's rule lets nobody ask again (window with reopen agent)");
		else if (c->decide.notice != CALL_NOTICE_PROVEN)
			snprintf(why, n, "the call's notice is not proven, so there is nothing to consent to");
		else
			snprintf(why, n, "%s is %s: that is final for this call", purpose_word(p), state);
		break;
	default:
		snprintf(why, n, "the call's rule does not offer it");
	}
}

static void why_nothing(const struct call *c, enum call_command cmd, int p, char *why, size_t n)
{
	switch (cmd) {
	case CALL_C_PAUSE:
		snprintf(why, n, "the call is paused already");
		break;
	case CALL_C_RESUME:
		snprintf(why, n, c->decide.pause_over ? "the pause lasted too long: this call's recording is over" : "the call is not paused");
		break;
	case CALL_C_WITHDRAW:
		snprintf(why, n, "there is no consent to %s to take back: it is %s", purpose_word(p), purpose_state_name(c->state[p]));
		break;
	case CALL_C_OPT_OUT:
		if (c->rule->purpose[p].special) {
			snprintf(why, n, "the call's rule offers no opt-out (special-circumstances): object, with grounds if there are any");
			break;
		}
		/* fall through */
	default:
		snprintf(why, n, "nothing changes: %s is %s", purpose_word(p), purpose_state_name(c->state[p]));
	}
}

/* ---- doing it ---- */

static int the_purpose(const struct call *c, struct calls_say *s, char *why, size_t n)
{
	bool doc = c->rule->purpose[POLICY_DOCUMENTATION].basis != POLICY_B_NONE;
	bool train = c->rule->purpose[POLICY_TRAINING].basis != POLICY_B_NONE;

	if (s->cmd == CALL_C_PAUSE || s->cmd == CALL_C_RESUME) { /* both purposes */
		s->purpose = POLICY_DOCUMENTATION;
		return 0;
	}
	if (s->purpose < 0 && doc && train)
		return refuse(why, n, "the call has two purposes: say which is meant");
	if (s->purpose < 0)
		s->purpose = doc ? POLICY_DOCUMENTATION : POLICY_TRAINING;
	if (s->purpose == POLICY_DOCUMENTATION ? doc : train)
		return 0;
	/* other parts of the conversation may be for it: whoever says no says it of them */
	if (s->cmd == CALL_C_OBJECT || s->cmd == CALL_C_OBJECT_GROUNDS ||
	    (s->purpose == POLICY_TRAINING && (s->cmd == CALL_C_OPT_OUT || s->cmd == CALL_C_WITHDRAW)))
		return 0;
	snprintf(why, n, "the call's rule does not record for %s", purpose_word(s->purpose));
	return -ENOENT;
}

static int say_command(struct recorder *r, struct call *c, struct calls_say *s, const struct recorder_said *by, char *why, size_t n)
{
	int e = the_purpose(c, s, why, n);

	if (e)
		return e;
	e = recorder_command(r, c, s->cmd, (enum policy_purpose)s->purpose, by);
	/* What cannot be proven now is not granted (INV-7): who said it must know. */
	if (!e && s->cmd == CALL_C_CONSENT && !c->decide.consent_early[s->purpose] && c->state[s->purpose] != PURPOSE_GRANTED) {
		snprintf(why, n, "not granted: the evidence log cannot be written now");
		return -EAGAIN;
	}
	if (e == -EPERM)
		why_not_allowed(c, s->cmd, s->purpose, why, n);
	else if (e == -EALREADY)
		why_nothing(c, s->cmd, s->purpose, why, n);
	else if (e == -ENOENT)
		snprintf(why, n, "the call's rule does not record for %s", purpose_word(s->purpose));
	else if (e)
		snprintf(why, n, "%s", strerror(-e));
	return e;
}

static int which_notice(const struct call *c, const char *name, int *ret)
{
	if (!name) {
		*ret = c->rule->nnotice == 1 ? 0 : -1;
		return 0;
	}
	for (size_t i = 0; i < c->rule->nnotice; i++)
		if (!strcmp(c->rule->notice[i].name, name)) {
			*ret = (int)i;
			return 0;
		}
	return -ENOENT;
}

static int say_notice(struct recorder *r, struct call *c, const struct calls_say *s, const struct recorder_said *by, char *why, size_t n)
{
	uint64_t start, end;
	int which = -1, e;

	if (c->rule->proof != POLICY_PROOF_API) {
		snprintf(why, n, "the call's rule takes the proof of its notice by another way (notice-proof)");
		return -EPERM;
	}
	if (which_notice(c, s->notice, &which)) {
		snprintf(why, n, "the call's rule has no announcement of this name");
		return -ENOENT;
	}
	if (!c->answered) {
		snprintf(why, n, "the call is not answered yet: a notice counts from then on");
		return -EPERM;
	}
	start = s->start_ms >= 0 ? c->answer_ns + (uint64_t)s->start_ms * NS_PER_MS : by->now_ns;
	end = s->ended ? by->now_ns : s->end_ms >= 0 ? c->answer_ns + (uint64_t)s->end_ms * NS_PER_MS : 0;
	/* What was not heard yet is not told yet: a window must not open early by a promise. */
	if (start > by->now_ns || end > by->now_ns) {
		snprintf(why, n, "the notice begins or ends in the future: tell it when it did");
		return -EINVAL;
	}
	if (end && end < start && s->start_ms < 0) /* begun before, as it seems; only the end is told */
		start = end;
	e = recorder_notice(r, c, which, start, end, by);
	if (e == -ETIME)
		snprintf(why, n, "too late: the notice counts as missing (notice-timeout)");
	else if (e == -EALREADY)
		snprintf(why, n, "nothing changes: the notice is proven already");
	return e;
}

static json_t *states(const struct call *c)
{
	char uid[UID_TEXT];

	uid_format(&c->uid, uid);
	return json_pack("{s:s, s:s, s:s, s:b}", "call", uid, "documentation", purpose_state_name(c->state[POLICY_DOCUMENTATION]),
			 "training", purpose_state_name(c->state[POLICY_TRAINING]), "paused", c->decide.paused);
}

/* No rule matches the call as it is now; who says no says it of its earlier parts, and of later ones. */
static int say_between(struct recorder *r, struct call *c, const struct calls_say *s, const struct recorder_said *by, char *why, size_t n)
{
	bool taken = false;

	for (int p = 0; p < POLICY_PURPOSES && !s->is_notice; p++)
		if (s->purpose < 0 || s->purpose == p)
			taken |= recorder_command(r, c, s->cmd, (enum policy_purpose)p, by) == 0;
	if (taken)
		return 0;
	snprintf(why, n, "no rule matches the call now");
	return -ENOENT;
}

/* A part of the call waits for the receipt, as often as not the first. */
static int say_sms(struct recorder *r, const json_t *request, const struct calls_say *s, const struct recorder_said *by, json_t *answer,
		   char *why, size_t n)
{
	const char *text = json_string_value(json_object_get(request, "call"));
	const struct call *c = NULL;
	char said[UID_TEXT];
	struct uid uid;
	int e = -ENOENT;

	if (!text || json_object_get(request, "sip_call_id") || uid_parse(text, &uid)) {
		c = calls_tell_find(r, request, why, n);
		if (!c)
			return -ENOENT;
		uid = c->uid;
	}
	e = recorder_sms(r, &uid, s->delivered, by);
	for (unsigned i = 0; c && e == -ENOENT && i < CALL_UIDS_MAX && i < c->nearlier; i++) {
		uid = c->earlier[i];
		e = recorder_sms(r, &uid, s->delivered, by);
	}
	if (e) {
		snprintf(why, n, "no receipt is waited for: the call's rule has no message, it was told before, or its time is over");
		return e;
	}
	uid_format(&uid, said);
	return json_object_set_new(answer, "call", json_string(said)) ? -ENOMEM : 0;
}

/* Takes something away, and can be told again: for each call that may be meant. */
static bool takes_away(const struct calls_say *s)
{
	return !s->is_notice && (s->cmd == CALL_C_WITHDRAW || s->cmd == CALL_C_OPT_OUT || s->cmd == CALL_C_OBJECT ||
				 s->cmd == CALL_C_OBJECT_GROUNDS || s->cmd == CALL_C_PAUSE);
}

static int say_one(struct recorder *r, struct call *c, struct calls_say s, const struct recorder_said *by, char *why, size_t n)
{
	if (!c->matched)
		return say_between(r, c, &s, by, why, n);
	return s.is_notice ? say_notice(r, c, &s, by, why, n) : say_command(r, c, &s, by, why, n);
}

/* Of the call, or of all with its Call-ID when that named it; *c is one that took it. The first one's refusal tells why none did. */
static int say_to(struct recorder *r, bool by_id, struct call **c, const struct calls_say *s, const struct recorder_said *by, char *why, size_t n)
{
	struct call *all[CALL_SAME_ID_MAX], *took = NULL;
	unsigned calls = by_id ? calls_same_id(recorder_calls(r), *c, all) : 0;
	char other[256];
	int e;

	for (unsigned i = 1; i < calls && !takes_away(s); i++)
		if (all[i]->answered == (*c)->answered) {
			snprintf(why, n, "more than one call has this sip_call_id: say which, by call");
			return -EPERM;
		}
	e = say_one(r, *c, *s, by, why, n);
	for (unsigned i = 1; i < calls && takes_away(s); i++)
		if (say_one(r, all[i], *s, by, other, sizeof(other)) == 0 && !took)
			took = all[i];
	if (e && took) {
		*c = took;
		return 0;
	}
	return e;
}

int calls_say(struct recorder *r, const struct ctl_peer *peer, const json_t *request, json_t *answer, char *why, size_t n)
{
	struct recorder_said by = { .now_ns = clock_now_ns() };
	struct calls_say s;
	struct call *c, *first;
	json_t *o;
	unsigned kept = 0;
	bool bound;
	enum purpose_state was;
	int e = calls_say_read(request, &s, why, n);

	if (e)
		return e;
	by.who = s.actor;
	if (s.is_sms)
		return say_sms(r, request, &s, &by, answer, why, n);
	c = calls_tell_find(r, request, why, n);
	if (!c)
		return -ENOENT;
	if (c->phase == CALL_TOMBSTONE) {
		snprintf(why, n, "the call is over");
		return -ENOENT;
	}
	by.grounds = s.grounds;
	by.ret_kept = &kept;
	first = c;
	bound = call_is_bound(c);
	was = c->state[POLICY_TRAINING];
	e = say_to(r, json_object_get(request, "sip_call_id") != NULL, &c, &s, &by, why, n);
	log_msg(LOG_L_DEBUG, "call.event: %s by uid %u: %s", s.is_notice ? "notice" : call_command_name(s.cmd), (unsigned)peer->uid,
		e ? "refused" : "taken");
	if (e)
		return e;
	o = states(c);
	/* no memory: the next line fails, too */
	if (c == first && !bound && call_is_bound(c) && c->state[POLICY_TRAINING] == was)
		(void)json_object_set_new(answer, "binds_later", json_true());
	if (!s.is_notice && s.cmd == CALL_C_OBJECT_GROUNDS)
		(void)json_object_set_new(answer, "grounds_kept", json_boolean(kept)); /* no memory: the next line fails, too */
	e = o && json_object_update(answer, o) == 0 ? 0 : -ENOMEM;
	json_decref(o);
	return e;
}
