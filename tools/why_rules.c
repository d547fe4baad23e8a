/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * why_rules.c - `optag why`: which rule took the call, by which criteria, and why the others did not
 *
 * policy/criteria.h says what follows from what is kept; here it is asked and put into words. No number is shown: not the call's,
 * and none that the policy lists or compares a header with.
 */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/phone.h"
#include "why.h"

static bool number_is(void *arg, int side, const char *number)
{
	const struct why *w = arg;

	return store_row_is(w->st, &w->row, side == POLICY_SIDE_CALLED, number) > 0;
}

/* Part of a call: the rule was asked about its first INVITE, of which the catalog has not got the time. */
static bool is_part(const struct why *w)
{
	for (size_t i = 0; i < w->nev; i++)
		if (w->ev[i].e.kind == EVLOG_CALL_LINK && w->ev[i].e.reason && !strcmp(w->ev[i].e.reason, "transfer-of"))
			return true;
	return false;
}

void why_rules_ask(struct why *w)
{
	const struct evlog_event *m = why_event(w, EVLOG_CALL_MATCH, -1);
	struct policy_known k = {.took = w->rule, .is = number_is, .arg = w};
	uint64_t ns = w->has_row ? w->row.start_ns : m ? m->time_ns : 0;

	if (!w->rule)
		return;
	w->asked_ns = is_part(w) ? 0 : ns;
	k.has_time = w->asked_ns;
	k.time = (int64_t)(ns / NS_PER_S);
	k.agent = w->has_row ? w->row.agent : NULL;
	for (int side = 0; w->has_row && side < 2; side++) {
		int party = side == POLICY_SIDE_CALLED;
		int is = store_row_is(w->st, &w->row, party, "+0");

		k.number[side] = is >= 0 ? POLICY_NUMBER_HASHED : is == -ENODATA ? POLICY_NUMBER_NONE : POLICY_NUMBER_UNKNOWN;
	}
	if (policy_answers(w->policy, &k, &w->rules) == -ENOMEM)
		cli_err("out of memory: why the rule took the call is left out");
}

/* ---- words ---- */

static bool hidden(const struct policy_criterion *c)
{
	return c->value && phone_in(c->value, strlen(c->value), NULL);
}

static void criterion(const struct policy_criterion *c)
{
	cli_text(stdout, c->words, 0, false);
	if (!c->value)
		return;
	printf(" ");
	if (hidden(c))
		printf("(a number)");
	else
		cli_text(stdout, c->value, 0, false);
}

static const struct policy_asked *the_taker(const struct why *w)
{
	for (size_t i = 0; i < w->rules.n; i++)
		if (w->rules.v[i].end == POLICY_A_TOOK)
			return &w->rules.v[i];
	return NULL;
}

/* Times of a rule are those of its controller. */
static void local_time(const struct why *w, const struct policy_asked *a)
{
	static const char *const days[] = {"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"};
	const char *zone = a->rule ? a->rule->controller->timezone : NULL;
	struct clock_date d;
	int weekday, minute;

	if (zone && !clock_civil(w->asked_ns, zone, &d, &weekday, &minute))
		printf(", a %s at %02d:%02d in %s", days[weekday], minute / 60, minute % 60, zone);
}

static void how(const struct why *w, const struct policy_asked *a, const struct policy_criterion *c)
{
	const struct policy_criterion *t = policy_since(c, the_taker(w));

	switch (c->how) {
	case POLICY_HOW_TOOK:
		printf("the log says that the rule took the call");
		break;
	case POLICY_HOW_FOLLOWS:
		printf("by the rule that took the call: ");
		if (t)
			criterion(t);
		break;
	case POLICY_HOW_TIME:
		printf("by the time of the call");
		local_time(w, a);
		break;
	case POLICY_HOW_NUMBER:
		printf("by the keyed hash of the call's number");
		break;
	case POLICY_HOW_AGENT:
		printf("by the call's agent");
		break;
	case POLICY_HOW_ELSE:
		printf(a->never ? "else it would have stopped the call" : "else this rule would have taken the call");
		break;
	default:
		printf("nothing that is kept tells");
		break;
	}
}

static void answer(const struct why *w, const struct policy_asked *a, const struct policy_criterion *c)
{
	printf("        ");
	criterion(c);
	printf(": %s (", c->met == POLICY_MET ? "yes" : c->met == POLICY_UNMET ? "no" : "not known");
	how(w, a, c);
	printf(")\n");
}

/* "documentation and training" */
static void purposes_of(const struct policy_rule *r)
{
	bool d = r->purpose[POLICY_DOCUMENTATION].basis != POLICY_B_NONE, t = r->purpose[POLICY_TRAINING].basis != POLICY_B_NONE;

	printf("%s%s%s", d ? store_purpose_names[POLICY_DOCUMENTATION] : "", d && t ? " and " : "", t ? store_purpose_names[POLICY_TRAINING] : "");
}

static void ending(const struct why *w, const struct policy_asked *a)
{
	bool open = false;

	for (size_t i = 0; i < a->n; i++)
		open |= a->c[i].met == POLICY_NOT_KNOWN;
	switch (a->end) {
	case POLICY_A_TOOK:
		printf("took the call, for ");
		purposes_of(w->rule);
		break;
	case POLICY_A_UNMET:
		printf(a->never ? "did not stop the call" : "did not take the call");
		break;
	case POLICY_A_OPEN:
		printf("%s; %s", a->never ? "did not stop the call" : "did not take the call",
		       open ? "one of these was not met, and nothing that is kept tells which" : "nothing that is kept tells why");
		break;
	case POLICY_A_LIST:
		printf("is a list of people who asked not to be recorded; it does not stop what a statute demands");
		break;
	case POLICY_A_SKIPPED:
		printf("did not take the call; %sa number was on a list of people who asked not to be recorded, and it does not document by statute",
		       open ? "one of these was not met, or " : "");
		break;
	case POLICY_A_AFTER:
		printf("a rule before it took the call");
		break;
	}
}

/* Of the rule that took it all criteria; of another the first that was not met, or those of which one was not. */
static void lines(const struct why *w, const struct policy_asked *a)
{
	const struct policy_criterion *no = policy_unmet(a);

	for (size_t i = 0; i < a->n; i++) {
		const struct policy_criterion *c = &a->c[i];

		if (a->end == POLICY_A_TOOK || c == no || a->end == POLICY_A_LIST ||
		    ((a->end == POLICY_A_OPEN || a->end == POLICY_A_SKIPPED) && c->met == POLICY_NOT_KNOWN))
			answer(w, a, c);
	}
}

void why_rules_text(const struct why *w)
{
	if (!w->rule_name)
		return;
	printf("\nWhich rule, and why: the first whose criteria are all met takes the call\n");
	if (!w->rules.n)
		printf("    not known without the policy\n");
	for (size_t i = 0; i < w->rules.n; i++) {
		const struct policy_asked *a = &w->rules.v[i];

		printf("    %s \"", a->never ? "never" : "rule");
		cli_text(stdout, a->name, 0, false);
		printf("\", line %d: ", a->line);
		ending(w, a);
		printf("\n");
		lines(w, a);
	}
}

/* ---- JSON ---- */

static json_t *criterion_json(const struct why *w, const struct policy_criterion *c)
{
	const struct policy_criterion *t = policy_since(c, the_taker(w));
	json_t *o = json_object();
	char text[512];

	snprintf(text, sizeof(text), "%s%s%s", c->words, c->value ? " " : "", !c->value ? "" : hidden(c) ? "(a number)" : c->value);
	(void)json_object_set_new(o, "criterion", json_string(policy_criterion_name(c->of)));
	(void)json_object_set_new(o, "text", cli_json_str(text));
	(void)json_object_set_new(o, "value", c->value && !hidden(c) ? cli_json_str(c->value) : json_null());
	(void)json_object_set_new(o, "line", json_integer(c->line));
	(void)json_object_set_new(o, "met", c->met == POLICY_NOT_KNOWN ? json_null() : json_boolean(c->met == POLICY_MET));
	(void)json_object_set_new(o, "how", *policy_how_name(c->how) ? json_string(policy_how_name(c->how)) : json_null());
	(void)json_object_set_new(o, "since", t ? json_string(policy_criterion_name(t->of)) : json_null());
	return o;
}

json_t *why_rules_json(const struct why *w)
{
	json_t *v = json_array();

	for (size_t i = 0; i < w->rules.n; i++) {
		const struct policy_asked *a = &w->rules.v[i];
		const struct policy_criterion *no = policy_unmet(a);
		json_t *o = json_object(), *c = json_array(), *p = json_array();

		for (size_t k = 0; k < a->n; k++)
			(void)json_array_append_new(c, criterion_json(w, &a->c[k]));
		for (int k = 0; a->rule && k < POLICY_PURPOSES; k++)
			if (a->rule->purpose[k].basis != POLICY_B_NONE)
				(void)json_array_append_new(p, json_string(store_purpose_names[k]));
		(void)json_object_set_new(o, "kind", json_string(a->never ? "never" : "rule"));
		(void)json_object_set_new(o, "name", cli_json_str(a->name));
		(void)json_object_set_new(o, "line", json_integer(a->line));
		(void)json_object_set_new(o, "purposes", p);
		(void)json_object_set_new(o, "result", json_string(policy_asked_name(a->end)));
		(void)json_object_set_new(o, "unmet", no ? json_string(policy_criterion_name(no->of)) : json_null());
		(void)json_object_set_new(o, "criteria", c);
		(void)json_array_append_new(v, o);
	}
	return v;
}
