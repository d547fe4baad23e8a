/* SPDX-License-Identifier: BSD-2-Clause */
/* calls_tell.c - see calls_tell.h; pure reading, in the capture thread */
#include "calls_tell.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "call/call.h"
#include "optag.h"
#include "record.h"
#include "status.h"

#define LIST_MAX  100 /* calls an answer: a millisecond or two */
#define SLOTS_MAX (1 << 24)

static const char *state_of(const struct call *c)
{
	switch (c->phase) {
	case CALL_SETUP:
		return "setup";
	case CALL_ANSWERED:
		return c->hold ? "hold" : "answered";
	case CALL_REJECTED:
	case CALL_ENDING:
		return "ending";
	default:
		return "ended";
	}
}

static const char *verdict_name(unsigned v)
{
	return v == OPTAG_V_RECORD ? "record" : v == OPTAG_V_INSPECT ? "inspect" : v == OPTAG_V_GATE ? "gate" : v == OPTAG_V_BLOCK ? "block" : "none";
}

static const char *leg_name(unsigned leg)
{
	return leg == OPTAG_LEG_CALLER ? "caller" : "callee";
}

static double seconds(uint64_t from, uint64_t to)
{
	uint64_t us = to > from ? (to - from) / 1000 : 0;

	return (double)us / 1e6;
}

static json_t *leg_json(const struct recorder *r, const struct call *c, unsigned leg)
{
	struct recorder_leg f;

	recorder_leg(r, c, leg, &f);
	return json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "leg", leg_name(leg), "codec", f.kept.format.name, "verdict",
			 verdict_name(f.verdict), "passed", (json_int_t)f.passed, "events", (json_int_t)f.events, "blocked",
			 (json_int_t)f.blocked, "kept", (json_int_t)f.kept.packets, "lost", (json_int_t)f.kept.lost,
			 "inspected", (json_int_t)f.inspected, "muted", (json_int_t)f.muted);
}

static json_t *call_json(const struct recorder *r, const struct call *c)
{
	char uid[UID_TEXT], other[UID_TEXT] = "";
	uint64_t now = clock_now_ns();
	bool linked = c->peers && c->peers->relation;

	uid_format(&c->uid, uid);
	if (linked)
		uid_format(&c->peers->other, other);
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:f, s:s, s:s, s:s, s:s, s:b, s:[o, o]}", "call", uid, "relation",
			 linked ? call_relation_name((enum call_relation)c->peers->relation) : "", "other_call", other, "rule",
			 c->rule ? c->rule->name : "", "scenario", c->rule ? c->rule->scenario : "", "state", state_of(c), "age",
			 seconds(c->start_ns, c->end_ns ? c->end_ns : now), "documentation",
			 purpose_state_name(c->state[POLICY_DOCUMENTATION]), "documentation_reason", c->reason[POLICY_DOCUMENTATION],
			 "training", purpose_state_name(c->state[POLICY_TRAINING]), "training_reason", c->reason[POLICY_TRAINING],
			 "recording", recorder_recording(c), "legs", leg_json(r, c, OPTAG_LEG_CALLER), leg_json(r, c, OPTAG_LEG_CALLEE));
}

/* ---- list ---- */

struct listing {
	struct recorder *r;
	const char *state, *rule;
	json_int_t limit, total;
	json_int_t next; /* slot behind the last one that is listed */
	json_t *calls;
	bool failed;
};

static void list_call(struct listing *l, const struct call *c, uint32_t slot)
{
	json_t *o;

	if (!c->trace || (l->rule && (!c->rule || strcmp(c->rule->name, l->rule) != 0)))
		return;
	/* who is gone is only listed when asked for */
	if (l->state ? strcmp(state_of(c), l->state) != 0 : c->phase == CALL_TOMBSTONE)
		return;
	if (l->total++ >= l->limit)
		return;
	o = call_json(l->r, c);
	if (!o || json_array_append_new(l->calls, o))
		l->failed = true;
	l->next = (json_int_t)slot + 1;
}

/* From `after` on; whoever goes on with a list knows how many there are. */
static void list_calls(struct listing *l, uint32_t after)
{
	struct call *const *slot;

	for (uint32_t i = after; (slot = calls_slot(recorder_calls(l->r), i)); i++) {
		if (*slot)
			list_call(l, *slot, i);
		if (after && l->total > l->limit)
			break;
	}
}

static int unknown_member(const json_t *request, const char *const *known, char *why, size_t n)
{
	const char *key;
	json_t *v;
	void *it;
	int i;

	for (it = json_object_iter((json_t *)(uintptr_t)request); it; it = json_object_iter_next((json_t *)(uintptr_t)request, it)) {
		key = json_object_iter_key(it);
		v = json_object_iter_value(it);
		(void)v;
		for (i = 0; known[i] && strcmp(key, known[i]) != 0; i++)
			;
		if (!known[i]) {
			snprintf(why, n, "the request has a member that is not known here");
			return -EINVAL;
		}
	}
	return 0;
}

int calls_tell_list(struct recorder *r, const json_t *request, json_t *answer, char *why, size_t n)
{
	static const char *const known[] = { "do", "id", "state", "rule", "limit", "after", NULL };
	json_int_t after = json_integer_value(json_object_get(request, "after"));
	struct listing l = { .r = r, .limit = LIST_MAX };
	const json_t *limit = json_object_get(request, "limit");
	int bad;

	if (unknown_member(request, known, why, n))
		return -EINVAL;
	l.state = json_string_value(json_object_get(request, "state"));
	l.rule = json_string_value(json_object_get(request, "rule"));
	if (limit)
		l.limit = json_integer_value(limit);
	if (l.limit < 1 || l.limit > LIST_MAX) {
		snprintf(why, n, "limit is 1 to %d", LIST_MAX);
		return -EINVAL;
	}
	if (after < 0 || after >= SLOTS_MAX) {
		snprintf(why, n, "after is the next of an answer");
		return -EINVAL;
	}
	l.calls = json_array();
	list_calls(&l, (uint32_t)after);
	bad = json_object_set_new(answer, "calls", l.calls) || l.failed;
	if (!bad && !after)
		bad = json_object_set_new(answer, "total", json_integer(l.total));
	if (!bad && l.total > l.limit)
		bad = json_object_set_new(answer, "next", json_integer(l.next));
	if (!bad)
		return 0;
	snprintf(why, n, "out of memory");
	return -ENOMEM;
}

/* ---- trace ---- */

static json_t *event_json(const struct call *c, const struct call_trace_event *e)
{
	json_t *o = json_pack("{s:f, s:s}", "t", seconds(c->start_ns, e->at_ns), "event", call_trace_name(e->kind));
	int bad = 0;

	switch (e->kind) {
	case CALL_T_REQUEST:
		bad |= json_object_set_new(o, "method", json_string(sip_method_name(e->a)));
		bad |= json_object_set_new(o, "from", json_string(leg_name(e->b)));
		break;
	case CALL_T_RESPONSE:
		bad |= json_object_set_new(o, "method", json_string(sip_method_name(e->a)));
		bad |= json_object_set_new(o, "status", json_integer(e->b));
		break;
	case CALL_T_VERDICT:
		bad |= json_object_set_new(o, "verdict", json_string(verdict_name(e->b)));
		/* fall through */
	case CALL_T_CLOSED:
	case CALL_T_KEY:
		bad |= json_object_set_new(o, "leg", json_string(leg_name(e->a)));
		break;
	case CALL_T_STATE:
		bad |= json_object_set_new(o, "purpose", json_string(store_purpose_names[e->a & 1]));
		bad |= json_object_set_new(o, "state", json_string(purpose_state_name(e->b)));
		bad |= json_object_set_new(o, "reason", json_string(e->text));
		break;
	case CALL_T_HOLD:
		bad |= json_object_set_new(o, "on", json_boolean(e->b));
		break;
	case CALL_T_END:
		bad |= json_object_set_new(o, "how", json_string(e->text));
		break;
	default:
		break;
	}
	if (!bad)
		return o;
	json_decref(o);
	return NULL;
}

struct call *calls_tell_find(struct recorder *r, const json_t *request, char *why, size_t n)
{
	const char *text = json_string_value(json_object_get(request, "call"));
	const char *id = json_string_value(json_object_get(request, "sip_call_id"));
	struct call *c = NULL;
	struct uid uid;

	if (!text == !id || (text && uid_parse(text, &uid))) {
		snprintf(why, n, text && !id ? "that is no call's identifier" : "either call or sip_call_id");
		return NULL;
	}
	c = text ? calls_by_uid(recorder_calls(r), &uid) : calls_by_id(recorder_calls(r), id, strlen(id));
	if (!c || !c->trace) {
		snprintf(why, n, "no such call now, or no rule matches it; optag find lists calls that ended");
		return NULL;
	}
	return c;
}

int calls_tell_trace(struct recorder *r, const json_t *request, json_t *answer, char *why, size_t n)
{
	static const char *const known[] = { "do", "id", "call", "sip_call_id", "after", NULL };
	json_int_t after = json_integer_value(json_object_get(request, "after")), first, i;
	const struct call_trace *t;
	json_t *events, *call;
	struct call *c;
	int bad;

	if (unknown_member(request, known, why, n))
		return -EINVAL;
	c = calls_tell_find(r, request, why, n);
	if (!c)
		return -ENOENT;
	t = c->trace;
	first = t->n > CALL_TRACE_EVENTS ? (json_int_t)t->n - CALL_TRACE_EVENTS : 0;
	if (after < 0 || after > (json_int_t)t->n)
		after = 0;
	events = json_array();
	call = call_json(r, c);
	bad = !events || !call;
	for (i = after > first ? after : first; !bad && i < (json_int_t)t->n; i++)
		bad |= json_array_append_new(events, event_json(c, &t->e[i % CALL_TRACE_EVENTS]));
	bad |= json_object_set_new(answer, "call", call) | json_object_set_new(answer, "events", events) |
	       json_object_set_new(answer, "next", json_integer(t->n)) |
	       json_object_set_new(answer, "missed", json_integer(first > after ? first - after : 0));
	if (!bad)
		return 0;
	snprintf(why, n, "out of memory");
	return -ENOMEM;
}

/* ---- how many ---- */

static void count_call(void *arg, struct call *c)
{
	struct status *s = arg;

	if (!c->matched)
		return;
	s->in_setup += c->phase == CALL_SETUP;
	s->answered += c->phase == CALL_ANSWERED;
	s->on_hold += c->phase == CALL_ANSWERED && c->hold;
	s->ending += c->phase == CALL_ENDING || c->phase == CALL_REJECTED;
	s->recording += recorder_recording(c);
}

void calls_tell_count(struct recorder *r, struct status *s)
{
	calls_each(recorder_calls(r), count_call, s);
}
