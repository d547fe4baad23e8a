/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * set.c - optag set: members of a running policy's dynamic sets
 *
 * Asks the daemon, which holds them; no files, no keys. A number is printed only
 * where it was asked for, and never in a message.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli.h"
#include "cli_ctl.h"

static const char *control = CLI_CTL_PATH, *note, *reason, *ticket;
static uint64_t until_ns, for_ns;
static bool json;

#define NUMBERS	    "A number is +, country code and digits; blanks, dots, hyphens and brackets may be in it.\n"

/* Without what people write between the digits. NULL: no such number. */
static char *number_of(const char *s)
{
	char *out = malloc(strlen(s) + 1);
	size_t n = 0;

	for (; out && *s; s++)
		if (!strchr(" .-()", *s))
			out[n++] = *s;
	if (out)
		out[n] = 0;
	if (!out || out[0] != '+' || strspn(out + 1, "0123456789") != n - 1 || n < 5 || n > 16) {
		free(out);
		return NULL;
	}
	return out;
}

#define APPROVED "Where approval is required, what lets calls be recorded is proposed; done again after the approval\nit is made.\n"
#define OPTS_WHY                                                                                     \
	CLI_OPT(0, "reason", CLI_TEXT, &reason, "TEXT", "why, for who approves it and for the history"), \
		CLI_OPT(0, "ticket", CLI_TEXT, &ticket, "TEXT", "where it was decided")

/* Takes what the request shall hold beside do, set and number. */
static int change(const char *what, struct cli_args *a, json_t *more)
{
	char *number = number_of(a->v[1]);
	json_t *rq, *answer = NULL;
	bool proposed;
	int rc;

	if (!number) {
		json_decref(more);
		return cli_usage("NUMBER is +, country code and digits, 4 to 15 of them");
	}
	rq = json_pack("{s:s, s:s, s:s, s:s*, s:s*}", "do", what, "set", a->v[0], "number", number, "reason", reason, "ticket", ticket);
	if (rq)
		json_object_update(rq, more);
	json_decref(more);
	free(number);
	rc = cli_ctl_once(control, rq, &answer);
	proposed = !rc && strcmp(cli_ctl_str(answer, "what"), "propose") == 0;
	if (proposed)
		cli_err("not changed: it takes a second person, and is proposed now: optag policy approve %.12s", cli_ctl_str(answer, "policy"));
	json_decref(answer);
	return cli_finish(proposed ? CLI_FAILED : rc);
}

static int cmd_add(int argc, char **argv)
{
	static const struct cli_opt opts[] = {
		CLI_OPT(0, "until", CLI_TIME, &until_ns, "TIME", "the membership ends then"),
		CLI_OPT(0, "for", CLI_DURATION, &for_ns, "SPAN", "the membership ends after so long (90d, 48h)"),
		CLI_OPT(0, "note", CLI_TEXT, &note, "TEXT", "why, for whoever lists the set"),
		OPTS_WHY,
		CLI_OPT_CONTROL(0, &control),
		{ 0 },
	};
	static const struct cli cli = {
		.name = "optag set add",
		.summary = "add a number to a dynamic set",
		.opts = opts,
		.operands = "SET NUMBER",
		.min_operands = 2,
		.max_operands = 2,
		.notes = NUMBERS "It counts for new calls at once, and ends calls in progress that a never rule forbids by it.\n"
				 "A member that is there gets the new end and note.\n" APPROVED,
	};
	struct cli_args a;
	json_t *more;
	int rc = cli_parse(&cli, argc, argv, &a);

	if (rc != CLI_GO_ON)
		return rc;
	if (until_ns && for_ns)
		return cli_usage("--until and --for: one of them");
	if (for_ns)
		until_ns = (uint64_t)time(NULL) * 1000000000 + for_ns;
	more = json_object();
	if (until_ns)
		json_object_set_new(more, "until", json_integer((json_int_t)(until_ns / 1000000000)));
	if (note)
		json_object_set_new(more, "note", cli_json_str(note));
	return change("set-add", &a, more);
}

static int cmd_del(int argc, char **argv)
{
	static const struct cli_opt opts[] = { OPTS_WHY, CLI_OPT_CONTROL(0, &control), { 0 } };
	static const struct cli cli = {
		.name = "optag set del",
		.summary = "take a number out of a dynamic set",
		.opts = opts,
		.operands = "SET NUMBER",
		.min_operands = 2,
		.max_operands = 2,
		.notes = NUMBERS APPROVED,
	};
	struct cli_args a;
	int rc = cli_parse(&cli, argc, argv, &a);

	return rc != CLI_GO_ON ? rc : change("set-del", &a, json_object());
}

/* ---- list ---- */

static int by_number(const void *a, const void *b)
{
	return strcmp(cli_ctl_str(*(json_t *const *)a, "number"), cli_ctl_str(*(json_t *const *)b, "number"));
}

/* All pages of one set. */
static json_t *members(const char *set)
{
	json_t *all = json_array(), *answer = NULL;
	struct cli_ctl *c = NULL;
	json_int_t at = 0;
	int e = cli_ctl_open(control, &c);

	do {
		if (!e)
			e = cli_ctl_ask(c, json_pack("{s:s, s:s, s:I}", "do", "set-list", "set", set, "after", at), &answer);
		if (e)
			break;
		json_array_extend(all, json_object_get(answer, "members"));
		at = json_integer_value(json_object_get(answer, "next"));
		json_decref(answer);
	} while (at);
	cli_ctl_close(c);
	if (!e)
		return all;
	json_decref(all);
	return NULL;
}

static void member_text(const json_t *o)
{
	const char *until = cli_ctl_str(o, "until"), *text = cli_ctl_str(o, "note");

	printf("%-16s  %-20s  %.0f", cli_ctl_str(o, "number"), *until ? until : "no end", cli_ctl_num(o, "uid"));
	if (*text) {
		fputs("  ", stdout);
		cli_text(stdout, text, 0, false);
	}
	putchar('\n');
}

static int list_members(const char *set)
{
	json_t *all = members(set), **v;
	size_t n = all ? json_array_size(all) : 0;
	int e = 0;

	if (!all)
		return CLI_FAILED;
	v = calloc(n + 1, sizeof(*v));
	for (size_t i = 0; v && i < n; i++)
		v[i] = json_array_get(all, i);
	if (v)
		qsort(v, n, sizeof(*v), by_number);
	for (size_t i = 0; v && i < n && !e; i++) {
		if (json)
			e = cli_json_line(stdout, json_incref(v[i]));
		else
			member_text(v[i]);
	}
	free(v);
	json_decref(all);
	return e || !v ? CLI_FAILED : CLI_OK;
}

static void set_text(const json_t *o)
{
	bool denies = json_is_true(json_object_get(o, "denies")), permits = json_is_true(json_object_get(o, "permits"));

	cli_text(stdout, cli_ctl_str(o, "set"), 32, true);
	printf("  %8.0f  %s\n", cli_ctl_num(o, "members"),
	       !json_is_true(json_object_get(o, "in_policy")) ? "not in the policy in force" :
	       denies && permits			      ? "both forbids and allows recording" :
	       denies					      ? "forbids recording" :
	       permits					      ? "allows recording" :
								"no rule asks it");
}

static int list_sets(void)
{
	json_t *answer = NULL, *o;
	size_t i;
	int rc = cli_ctl_once(control, json_pack("{s:s}", "do", "set-list"), &answer), e = 0;

	if (rc)
		return rc;
	json_array_foreach(json_object_get(answer, "sets"), i, o) {
		if (json && !e)
			e = cli_json_line(stdout, json_incref(o));
		else if (!json)
			set_text(o);
	}
	json_decref(answer);
	return e ? CLI_FAILED : CLI_OK;
}

static int cmd_list(int argc, char **argv)
{
	static const struct cli_opt opts[] = { CLI_OPT_CONTROL(0, &control), CLI_OPT_JSON(&json), { 0 } };
	static const struct cli cli = {
		.name = "optag set list",
		.summary = "count the members of dynamic sets, or list those of one",
		.opts = opts,
		.operands = "[SET]",
		.max_operands = 1,
		.notes = "Numbers are for root and the daemon's user; the control socket's group sees counts.\n",
	};
	struct cli_args a;
	int rc = cli_parse(&cli, argc, argv, &a);

	if (rc != CLI_GO_ON)
		return rc;
	return cli_finish(a.n ? list_members(a.v[0]) : list_sets());
}

int main(int argc, char **argv)
{
	static const struct cli_cmd cmds[] = {
		{ "add", "add a number", cmd_add },
		{ "del", "take a number out", cmd_del },
		{ "list", "count sets, or list one", cmd_list },
		{ 0 },
	};

	return cli_dispatch("optag set", "change the dynamic sets of a running policy", cmds, argc, argv);
}
