/* SPDX-License-Identifier: BSD-2-Clause */
/* rule.c - optag rule: stop a rule of the running policy at once, and start it again; asks the daemon (daemon/policies.h) */
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "cli_ctl.h"

static const char *control = CLI_CTL_PATH, *reason, *ticket;
static bool json;

static int change(const char *what, const char *rule, json_t **ret)
{
	return cli_ctl_once(control, json_pack("{s:s, s:s, s:s*, s:s*}", "do", what, "rule", rule, "reason", reason, "ticket", ticket), ret);
}

#define OPTS(REASON)                                                                         \
	{                                                                                    \
		REASON(0, "reason", CLI_TEXT, &reason, "TEXT", "why, for the history"),       \
		CLI_OPT(0, "ticket", CLI_TEXT, &ticket, "TEXT", "where it was decided"),      \
		CLI_OPT_CONTROL(0, &control), CLI_OPT_JSON(&json), { 0 },                  \
	}

/* In an emergency nobody is asked why. */
static const struct cli_opt stop_opts[] = OPTS(CLI_OPT);
static const struct cli_opt start_opts[] = OPTS(CLI_REQUIRED);

static int cmd_stop(int argc, char **argv)
{
	static const struct cli cli = {
		.name = "optag rule stop",
		.summary = "record nothing of a rule any more, at once, until it is started",
		.opts = stop_opts,
		.operands = "RULE",
		.min_operands = 1,
		.max_operands = 1,
		.notes = "Calls in progress too: training audio is destroyed, documentation stops where it is.\n"
			 "A restart and a new policy do not start it.\n",
	};
	struct cli_args a;
	json_t *o = NULL;
	int rc = cli_parse(&cli, argc, argv, &a);

	if (rc != CLI_GO_ON)
		return rc;
	rc = change("rule-stop", a.v[0], &o);
	if (rc)
		return rc;
	if (json)
		return cli_finish(cli_json_line(stdout, o) ? CLI_FAILED : CLI_OK);
	printf("Stopped. Calls in progress: %.0f of %.0f tightened, %.0f purpose%s ended, after %.0f ms.\n",
	       cli_ctl_num(o, "calls_tightened"), cli_ctl_num(o, "calls"), cli_ctl_num(o, "purposes_ended"),
	       cli_s(cli_ctl_num(o, "purposes_ended")), cli_ctl_num(o, "done_ms"));
	json_decref(o);
	return cli_finish(CLI_OK);
}

static int cmd_start(int argc, char **argv)
{
	static const struct cli cli = {
		.name = "optag rule start",
		.summary = "let a rule that was stopped record new calls again",
		.opts = start_opts,
		.operands = "RULE",
		.min_operands = 1,
		.max_operands = 1,
		.notes = "Where approval is required this proposes the start; done again after the approval it starts.\n"
			 "Exit status: 0 started, 1 failed, or proposed only.\n",
	};
	struct cli_args a;
	json_t *o = NULL;
	bool proposed;
	int rc = cli_parse(&cli, argc, argv, &a);

	if (rc != CLI_GO_ON)
		return rc;
	rc = change("rule-start", a.v[0], &o);
	if (rc)
		return rc;
	proposed = strcmp(cli_ctl_str(o, "what"), "propose") == 0;
	if (json)
		return cli_finish(cli_json_line(stdout, o) || proposed ? CLI_FAILED : CLI_OK);
	if (proposed)
		cli_err("not started: it takes a second person, and is proposed now: optag policy approve %.12s", cli_ctl_str(o, "policy"));
	else
		puts("Started: new calls are recorded by it.");
	json_decref(o);
	return cli_finish(proposed ? CLI_FAILED : CLI_OK);
}

static int cmd_list(int argc, char **argv)
{
	static const struct cli_opt list_opts[] = { CLI_OPT_CONTROL(0, &control), CLI_OPT_JSON(&json), { 0 } };
	static const struct cli cli = { .name = "optag rule list", .summary = "list the rules that are stopped", .opts = list_opts };
	struct cli_args a;
	json_t *o = NULL, *l;
	size_t i;
	int rc = cli_parse(&cli, argc, argv, &a), e = 0;

	if (rc != CLI_GO_ON)
		return rc;
	rc = cli_ctl_once(control, json_pack("{s:s}", "do", "policy"), &o);
	for (i = 0; !rc && !e && (l = json_array_get(json_object_get(o, "stopped"), i)); i++) {
		if (json) {
			e = cli_json_line(stdout, json_incref(l));
			continue;
		}
		cli_text(stdout, cli_ctl_str(l, "rule"), 0, false);
		printf("  since %s, by uid %.0f%s", cli_ctl_str(l, "at"), cli_ctl_num(l, "uid"), *cli_ctl_str(l, "reason") ? ": " : "");
		cli_text(stdout, cli_ctl_str(l, "reason"), 0, false);
		putchar('\n');
	}
	json_decref(o);
	return cli_finish(e ? CLI_FAILED : rc);
}

int main(int argc, char **argv)
{
	static const struct cli_cmd cmds[] = {
		{ "stop", "record nothing of a rule any more", cmd_stop },
		{ "start", "let it record new calls again", cmd_start },
		{ "list", "rules that are stopped", cmd_list },
		{ 0 },
	};

	return cli_dispatch("optag rule", "stop rules of the running policy, and start them", cmds, argc, argv);
}
