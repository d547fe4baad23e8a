/* SPDX-License-Identifier: BSD-2-Clause */
/* policy_change.c - optag policy confirm, cancel, rollback, drift, history, quota: asks the daemon (daemon/policies.h) */
#include <stdlib.h>
#include <string.h>

#include "cli_ctl.h"
#include "policy.h"

static const char *control = CLI_CTL_PATH, *reason, *ticket;
static uint64_t limit = 20;
static bool json, yes;

/* ---- confirm, cancel ---- */

static int simple(const struct cli *cli, int argc, char **argv, const char *what, const char *said)
{
	struct cli_args a;
	json_t *o = NULL;
	int rc = cli_parse(cli, argc, argv, &a);

	if (rc != CLI_GO_ON)
		return rc;
	rc = cli_ctl_once(control, json_pack("{s:s}", "do", what), &o);
	if (rc)
		return rc;
	if (json)
		return cli_finish(cli_json_line(stdout, o) ? CLI_FAILED : CLI_OK);
	printf("Policy %.12s %s.\n", cli_ctl_str(o, "policy"), said);
	json_decref(o);
	return cli_finish(CLI_OK);
}

static const struct cli_opt simple_opts[] = { CLI_OPT_CONTROL(0, &control), CLI_OPT_JSON(&json), { 0 } };

int policy_cmd_confirm(int argc, char **argv)
{
	static const struct cli cli = {
		.name = "optag policy confirm",
		.summary = "keep the policy that was applied with --confirm",
		.opts = simple_opts,
	};

	return simple(&cli, argc, argv, "policy-confirm", "is confirmed, and stays in force");
}

int policy_cmd_cancel(int argc, char **argv)
{
	static const struct cli cli = {
		.name = "optag policy cancel",
		.summary = "take back the policy that was applied with --effective",
		.opts = simple_opts,
	};

	return simple(&cli, argc, argv, "policy-cancel", "does not come in force");
}

/* ---- rollback ---- */

static int print_rollback(const json_t *o)
{
	if (json_is_true(json_object_get(o, "unchanged")))
		printf("Policy %.12s is in force already.\n", cli_ctl_str(o, "hash"));
	else
		printf("In force: policy %.12s, was %.12s: %.0f tighten, %.0f shorten, %.0f loosen. The daemon's files hold what they held.\n",
		       cli_ctl_str(o, "hash"), cli_ctl_str(o, "was"), cli_ctl_num(o, "tightens"),
		       cli_ctl_num(o, "shortens"), cli_ctl_num(o, "loosens"));
	return CLI_OK;
}

int policy_cmd_rollback(int argc, char **argv)
{
	static const struct cli_opt opts[] = {
		CLI_OPT('y', "yes", CLI_FLAG, &yes, NULL, "do not ask"),
		CLI_OPT(0, "reason", CLI_TEXT, &reason, "TEXT", "why, for the history; asked for when left out"),
		CLI_OPT(0, "ticket", CLI_TEXT, &ticket, "TEXT", "where it was decided"),
		CLI_OPT_CONTROL(0, &control),
		CLI_OPT_JSON(&json),
		{ 0 },
	};
	static const struct cli cli = {
		.name = "optag policy rollback",
		.summary = "put back the policy that line N of the history put in force",
		.opts = opts,
		.operands = "N",
		.min_operands = 1,
		.max_operands = 1,
		.notes = "It is a change like any other: what loosens needs approval where that is required.\n"
			 "Exit status: 0 in force, 1 failed or not confirmed.\n",
	};
	struct cli_args a;
	json_t *o = NULL;
	char *end;
	long n;
	int rc = cli_parse(&cli, argc, argv, &a);

	if (rc != CLI_GO_ON)
		return rc;
	n = strtol(a.v[0], &end, 10);
	if (n < 1 || *end)
		return cli_usage("N is the number of a line of optag policy history");
	rc = policy_tool_reason(&reason);
	if (rc)
		return rc;
	if (!policy_tool_confirmed(yes, "Put it back in force?", "not rolled back"))
		return CLI_FAILED;
	rc = cli_ctl_once(control, json_pack("{s:s, s:I, s:s, s:s*}", "do", "policy-rollback", "n", (json_int_t)n, "reason", reason, "ticket", ticket), &o);
	if (rc)
		return rc;
	if (json)
		return cli_finish(cli_json_line(stdout, o) ? CLI_FAILED : CLI_OK);
	rc = print_rollback(o);
	json_decref(o);
	return cli_finish(rc);
}

/* ---- drift ---- */

int policy_cmd_drift(int argc, char **argv)
{
	static const struct cli cli = {
		.name = "optag policy drift",
		.summary = "say whether the daemon's files hold what it runs",
		.opts = simple_opts,
		.notes = "Exit status: 0 they do, 1 they do not, or no daemon answers.\n",
	};
	struct cli_args a;
	json_t *o = NULL;
	bool drift;
	int rc = cli_parse(&cli, argc, argv, &a);

	if (rc != CLI_GO_ON)
		return rc;
	rc = cli_ctl_once(control, json_pack("{s:s, s:b}", "do", "policy", "drift", 1), &o);
	if (rc)
		return rc;
	drift = json_is_true(json_object_get(o, "drift"));
	if (json)
		return cli_finish(cli_json_line(stdout, o) || drift ? CLI_FAILED : CLI_OK);
	if (*cli_ctl_str(o, "disk_error")) {
		fputs("The files do not load: ", stdout);
		cli_text(stdout, cli_ctl_str(o, "disk_error"), 0, false);
		putchar('\n');
	} else if (drift) {
		printf("The files hold policy %.12s, and %.12s runs.\n", cli_ctl_str(o, "disk_hash"), cli_ctl_str(o, "hash"));
	} else {
		printf("The files hold what runs: policy %.12s.\n", cli_ctl_str(o, "hash"));
	}
	json_decref(o);
	return cli_finish(drift ? CLI_FAILED : CLI_OK);
}

/* ---- history ---- */

static void print_line(const json_t *l)
{
	const char *what = cli_ctl_str(l, "what"), *how = cli_ctl_str(l, "how");
	const json_t *uid = json_object_get(l, "uid");

	printf("%5.0f  %.19sZ  %-8s %-9s %.12s", cli_ctl_num(l, "n"), cli_ctl_str(l, "at"), what, how, cli_ctl_str(l, "policy"));
	if (json_object_get(l, "tightens"))
		printf("  %.0f tighten, %.0f shorten, %.0f loosen", cli_ctl_num(l, "tightens"), cli_ctl_num(l, "shortens"),
		       cli_ctl_num(l, "loosens"));
	if (json_is_integer(uid))
		printf("  uid %lld", (long long)json_integer_value(uid));
	if (*cli_ctl_str(l, "approver"))
		printf("  approved by %s", cli_ctl_str(l, "approver"));
	if (*cli_ctl_str(l, "rule")) {
		fputs("  rule ", stdout);
		cli_text(stdout, cli_ctl_str(l, "rule"), 0, false);
	}
	if (*cli_ctl_str(l, "set")) {
		fputs("  set ", stdout);
		cli_text(stdout, cli_ctl_str(l, "set"), 0, false);
	}
	if (*cli_ctl_str(l, "until"))
		printf("  until %.19sZ", cli_ctl_str(l, "until"));
	if (*cli_ctl_str(l, "ticket")) {
		fputs("  ", stdout);
		cli_text(stdout, cli_ctl_str(l, "ticket"), 0, false);
	}
	if (*cli_ctl_str(l, "reason")) {
		fputs("  ", stdout);
		cli_text(stdout, cli_ctl_str(l, "reason"), 0, false);
	}
	putchar('\n');
}

/* One page; *before for the next, 0: it was the last. */
static int page(struct cli_ctl *c, json_int_t *before, uint64_t *left)
{
	json_t *o = NULL, *l;
	size_t i;
	int e = cli_ctl_ask(c, json_pack("{s:s, s:I}", "do", "policy-history", "before", *before), &o);

	if (e)
		return e;
	for (i = 0; *left && !e && (l = json_array_get(json_object_get(o, "lines"), i)); i++, (*left)--) {
		if (json)
			e = cli_json_line(stdout, json_incref(l));
		else
			print_line(l);
	}
	*before = json_integer_value(json_object_get(o, "next"));
	json_decref(o);
	return e;
}

int policy_cmd_history(int argc, char **argv)
{
	static const struct cli_opt opts[] = {
		CLI_OPT(0, "limit", CLI_UINT, &limit, "N", "so many lines at most (default 20)"),
		CLI_OPT_CONTROL(0, &control),
		CLI_OPT_JSON(&json),
		{ 0 },
	};
	static const struct cli cli = {
		.name = "optag policy history",
		.summary = "say who put which policy in force, when and why, the latest first",
		.opts = opts,
	};
	struct cli_ctl *c = NULL;
	json_int_t before = 0;
	struct cli_args a;
	int rc = cli_parse(&cli, argc, argv, &a), e;

	if (rc != CLI_GO_ON)
		return rc;
	e = cli_ctl_open(control, &c);
	while (!e && limit) {
		e = page(c, &before, &limit);
		if (!before)
			break;
	}
	cli_ctl_close(c);
	return cli_finish(e ? CLI_FAILED : CLI_OK);
}

/* ---- quota ---- */

static void print_cap(const json_t *c)
{
	bool others = strcmp(cli_ctl_str(c, "of"), "rule") != 0;

	printf("  %.0f per %s%s%s: ", cli_ctl_num(c, "policy"), others ? cli_ctl_str(c, "of") : "", others ? " per " : "", cli_ctl_str(c, "per"));
	if (cli_ctl_num(c, "cap") < cli_ctl_num(c, "policy"))
		printf("%.0f by low use, ", cli_ctl_num(c, "cap"));
	if (others)
		printf("%.0f seen, %.0f full, the most used %.0f\n", cli_ctl_num(c, "seen"), cli_ctl_num(c, "full"), cli_ctl_num(c, "used"));
	else
		printf("%.0f used, %.0f left\n", cli_ctl_num(c, "used"), cli_ctl_num(c, "left"));
}

static void print_quota(const json_t *r)
{
	const json_t *c;
	size_t i;

	cli_text(stdout, cli_ctl_str(r, "rule"), 0, false);
	printf(", sample %.1f%%", cli_ctl_num(r, "sample") / 10);
	if (json_is_true(json_object_get(r, "drawn")))
		printf(", in 30 days %.0f recorded, %.0f used\n", cli_ctl_num(r, "recorded30"), cli_ctl_num(r, "used30"));
	else
		puts(", no call was drawn yet");
	for (i = 0; (c = json_array_get(json_object_get(r, "caps"), i)); i++)
		print_cap(c);
}

int policy_cmd_quota(int argc, char **argv)
{
	static const struct cli cli = {
		.name = "optag policy quota",
		.summary = "say what is used up of the caps on training recordings",
		.opts = simple_opts,
	};
	struct cli_args a;
	json_t *o = NULL, *r;
	size_t i;
	int rc = cli_parse(&cli, argc, argv, &a), e = 0;

	if (rc != CLI_GO_ON)
		return rc;
	rc = cli_ctl_once(control, json_pack("{s:s}", "do", "quota"), &o);
	for (i = 0; !rc && !e && (r = json_array_get(json_object_get(o, "rules"), i)); i++) {
		if (json)
			e = cli_json_line(stdout, json_incref(r));
		else
			print_quota(r);
	}
	json_decref(o);
	return cli_finish(e ? CLI_FAILED : rc);
}
