/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * call.c - optag call: calls in progress, and what happens to one of them
 *
 * Asks the daemon (daemon/calls_tell.h). Nothing that it prints says who talks
 * to whom. What is said about a call is in call_say.c.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "call.h"
#include "cli_ctl.h"

static const char *control = CLI_CTL_PATH, *rule, *call_id;
static const char *const states[] = { "setup", "answered", "hold", "ending", "ended", NULL };
static int state = -1;
static uint64_t limit = 100;
static bool json, once;
static volatile sig_atomic_t stop;

#define POLL_NS	    300000000L
#define LIMIT_MAX   1000
#define AT_ONCE	    100 /* what the daemon lists in one answer */

static void print_purpose(const json_t *o, const char *name)
{
	char reason[32];

	snprintf(reason, sizeof(reason), "%s_reason", name);
	printf("  %-9s %-16s", cli_ctl_str(o, name), cli_ctl_str(o, reason));
}

static void print_call(const json_t *o)
{
	printf("%-26s  %-8s %8.0f s", cli_ctl_str(o, "call"), cli_ctl_str(o, "state"), cli_ctl_num(o, "age"));
	print_purpose(o, "documentation");
	print_purpose(o, "training");
	putchar(' ');
	cli_text(stdout, cli_ctl_str(o, "rule"), 0, false);
	putchar('\n');
}

static json_t *list_request(json_int_t after, uint64_t left)
{
	json_t *rq = json_pack("{s:s, s:I}", "do", "call-list", "limit", (json_int_t)(left < AT_ONCE ? left : AT_ONCE));

	if (state >= 0)
		json_object_set_new(rq, "state", json_string(states[state]));
	if (rule)
		json_object_set_new(rq, "rule", cli_json_str(rule));
	if (after)
		json_object_set_new(rq, "after", json_integer(after));
	return rq;
}

/* In parts, between which the daemon looks at its packets. */
static int list_calls(struct cli_ctl *c, uint64_t *listed, double *total)
{
	json_t *answer, *calls, *o;
	json_int_t after = 0;
	size_t i;
	int e = 0;

	do {
		e = cli_ctl_ask(c, list_request(after, limit - *listed), &answer);
		if (e)
			return e;
		if (!after)
			*total = cli_ctl_num(answer, "total");
		calls = json_object_get(answer, "calls");
		for (i = 0; (o = json_array_get(calls, i)) && !e; i++) {
			if (json)
				e = cli_json_line(stdout, json_incref(o));
			else
				print_call(o);
		}
		*listed += i;
		after = json_integer_value(json_object_get(answer, "next"));
		json_decref(answer);
	} while (!e && after && i && *listed < limit);
	return e;
}

static int cmd_list(int argc, char **argv)
{
	static const struct cli_opt opts[] = {
		CLI_PICK(0, "state", &state, "STATE", "calls in this state; ended: the latest ones", false, states),
		CLI_OPT(0, "rule", CLI_STR, &rule, "NAME", "calls of this rule"),
		CLI_OPT(0, "limit", CLI_UINT, &limit, "N", "so many at most, up to 1000 (default 100)"),
		CLI_OPT_CONTROL(0, &control),
		CLI_OPT_JSON(&json),
		{ 0 },
	};
	static const struct cli cli = {
		.name = "optag call list",
		.summary = "list the calls in progress that a rule matched",
		.opts = opts,
	};
	struct cli_args a;
	struct cli_ctl *c = NULL;
	uint64_t listed = 0;
	double total = 0;
	int rc = cli_parse(&cli, argc, argv, &a), e;

	if (rc != CLI_GO_ON)
		return rc;
	if (!limit || limit > LIMIT_MAX)
		return cli_usage("--limit is 1 to 1000");
	e = cli_ctl_open(control, &c);
	if (!e)
		e = list_calls(c, &listed, &total);
	cli_ctl_close(c);
	if (!e && !json && total > (double)listed)
		cli_err("%.0f calls in all; --limit shows more", total);
	return cli_finish(e ? CLI_FAILED : CLI_OK);
}

/* ---- trace ---- */

static void on_signal(int n)
{
	(void)n;
	stop = 1;
}

static void print_event(const json_t *o)
{
	static const char *const words[] = { "method", "status", "from", "leg", "purpose", "verdict", "state", "reason", "how" };
	size_t i;

	printf("%10.3f  %-8s", cli_ctl_num(o, "t"), cli_ctl_str(o, "event"));
	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		const json_t *v = json_object_get(o, words[i]);

		if (json_is_string(v) && *json_string_value(v))
			printf(" %s", json_string_value(v));
		else if (json_is_integer(v))
			printf(" %lld", (long long)json_integer_value(v));
	}
	if (json_object_get(o, "on"))
		fputs(json_is_true(json_object_get(o, "on")) ? " on" : " off", stdout);
	putchar('\n');
}

static void print_head(const json_t *o)
{
	const json_t *legs = json_object_get(o, "legs"), *l;
	bool remembered = !*cli_ctl_str(o, "rule"); /* it is over: rule and figures are in its row */
	size_t i;

	printf("call      %s\n", cli_ctl_str(o, "call"));
	if (!remembered) {
		printf("rule      ");
		cli_text(stdout, cli_ctl_str(o, "rule"), 0, false);
		printf(" (%s)\n", cli_ctl_str(o, "scenario"));
	}
	printf("state     %s, %.1f s%s\n", cli_ctl_str(o, "state"), cli_ctl_num(o, "age"),
	       json_is_true(json_object_get(o, "recording")) ? ", recording" : "");
	printf("purposes  documentation %s%s%s, training %s%s%s\n", cli_ctl_str(o, "documentation"),
	       *cli_ctl_str(o, "documentation_reason") ? " " : "", cli_ctl_str(o, "documentation_reason"), cli_ctl_str(o, "training"),
	       *cli_ctl_str(o, "training_reason") ? " " : "", cli_ctl_str(o, "training_reason"));
	if (*cli_ctl_str(o, "relation"))
		printf("belongs   %s %s\n", cli_ctl_str(o, "relation"), cli_ctl_str(o, "other_call"));
	for (i = 0; !remembered && (l = json_array_get(legs, i)); i++)
		printf("%-8s  %s %s: passed %.0f, events %.0f, blocked %.0f, kept %.0f, inspected %.0f, lost %.0f\n", cli_ctl_str(l, "leg"),
		       *cli_ctl_str(l, "codec") ? cli_ctl_str(l, "codec") : "no audio", cli_ctl_str(l, "verdict"),
		       cli_ctl_num(l, "passed"), cli_ctl_num(l, "events"), cli_ctl_num(l, "blocked"), cli_ctl_num(l, "kept"),
		       cli_ctl_num(l, "inspected"),
		       cli_ctl_num(l, "lost"));
}

static int print_events(const json_t *answer)
{
	json_t *o;
	size_t i;
	int e = 0;

	if (!json && cli_ctl_num(answer, "missed") > 0)
		printf("      ...   %.0f events before are not remembered\n", cli_ctl_num(answer, "missed"));
	for (i = 0; (o = json_array_get(json_object_get(answer, "events"), i)) && !e; i++) {
		if (json)
			e = cli_json_line(stdout, json_incref(o));
		else
			print_event(o);
	}
	if (fflush(stdout))
		e = -1;
	return e;
}

static json_t *request_of(const char *uid, json_int_t after)
{
	return uid ? json_pack("{s:s, s:s, s:I}", "do", "call-trace", "call", uid, "after", after) :
		     json_pack("{s:s, s:s, s:I}", "do", "call-trace", "sip_call_id", call_id, "after", after);
}

static int follow(struct cli_ctl *c, const char *uid)
{
	const struct timespec wait = { 0, POLL_NS };
	json_t *answer = NULL, *call;
	char found[64] = "";
	json_int_t next = 0;
	bool first = true, over = false;
	int e = 0;

	while (!e && !stop && !over) {
		e = cli_ctl_ask(c, request_of(*found ? found : uid, next), &answer);
		if (e)
			break;
		call = json_object_get(answer, "call");
		snprintf(found, sizeof(found), "%s", cli_ctl_str(call, "call"));
		over = once || strcmp(cli_ctl_str(call, "state"), "ended") == 0;
		if (first && !json)
			print_head(call);
		e = print_events(answer);
		if (json && over)
			e = e ? e : cli_json_line(stdout, json_incref(call));
		else if (over && !first)
			print_head(call);
		first = false;
		next = json_integer_value(json_object_get(answer, "next"));
		json_decref(answer);
		answer = NULL;
		if (!over && !e)
			nanosleep(&wait, NULL);
	}
	return e;
}

static int cmd_trace(int argc, char **argv)
{
	static const struct cli_opt opts[] = {
		CLI_OPT(0, "sip-call-id", CLI_STR, &call_id, "ID", "the call with this SIP Call-ID, instead of CALL"),
		CLI_OPT(0, "call-id", CLI_STR, &call_id, "ID", "the same"),
		CLI_OPT(0, "once", CLI_FLAG, &once, NULL, "what is known now; do not follow the call to its end"),
		CLI_OPT_CONTROL(0, &control),
		CLI_OPT_JSON(&json),
		{ 0 },
	};
	static const struct cli cli = {
		.name = "optag call trace",
		.summary = "say what happens to one call, until it ends",
		.opts = opts,
		.operands = "[CALL]",
		.max_operands = 1,
		.notes = "CALL is an identifier as call list or find prints it; one of an earlier part of the call does, too.\n",
	};
	struct sigaction sa = { .sa_handler = on_signal };
	struct cli_args a;
	struct cli_ctl *c = NULL;
	int rc = cli_parse(&cli, argc, argv, &a), e;

	if (rc != CLI_GO_ON)
		return rc;
	if (!call_id == !a.n)
		return cli_usage("either CALL or --sip-call-id");
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	e = cli_ctl_open(control, &c);
	if (!e)
		e = follow(c, a.n ? a.v[0] : NULL);
	cli_ctl_close(c);
	return cli_finish(e ? CLI_FAILED : CLI_OK);
}

int main(int argc, char **argv)
{
	static const struct cli_cmd cmds[] = {
		{ "list", "calls in progress", cmd_list },
		{ "trace", "follow one call", cmd_trace },
		{ "notice", "the announcement was played", call_cmd_say },
		{ "consent", "the caller consents", call_cmd_say },
		{ "withdraw", "the caller takes the consent back", call_cmd_say },
		{ "opt-out", "the caller does not want it", call_cmd_say },
		{ "object", "the caller objects", call_cmd_say },
		{ "pause", "record nothing for a while", call_cmd_say },
		{ "resume", "go on after a pause", call_cmd_say },
		{ "not-needed", "nobody needs the recording", call_cmd_say },
		{ "reopen", "the agent asks for consent again", call_cmd_say },
		{ "sms-delivered", "the message with the rest of the notice arrived", call_cmd_say },
		{ "sms-failed", "it did not, and will not", call_cmd_say },
		{ "-", "such events as JSON lines from standard input", call_cmd_batch },
		{ 0 },
	};

	return cli_dispatch("optag call", "look at calls in progress, and say what happens in them", cmds, argc, argv);
}
