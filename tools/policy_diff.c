/* SPDX-License-Identifier: BSD-2-Clause */
/* policy_diff.c - optag policy diff: what a new policy tightens and what it loosens */
#include <string.h>
#include <time.h>

#include "policy.h"

static bool json;
static uint64_t today_ns;

static const char *const shown[POLICY_CHANGES] = { "neutral", "tightens", "shortens", "LOOSENS" };

static json_t *item_json(const struct policy_diff_item *x)
{
	json_t *o = json_object();

	json_object_set_new(o, "change", json_string(policy_change_name(x->change)));
	json_object_set_new(o, "both", json_boolean(x->both));
	json_object_set_new(o, "file", cli_json_str(x->file));
	json_object_set_new(o, "line", json_integer(x->line));
	json_object_set_new(o, "removed", json_boolean(x->gone));
	json_object_set_new(o, "object", cli_json_str(x->object));
	json_object_set_new(o, "setting", cli_json_str(x->setting));
	json_object_set_new(o, "was", cli_json_str(x->was));
	json_object_set_new(o, "is", cli_json_str(x->is));
	json_object_set_new(o, "why", cli_json_str(x->why));
	return o;
}

static void value(const char *s)
{
	if (*s)
		cli_text(stdout, s, 0, false);
	else
		putchar('-');
}

static void item_text(const struct policy_diff_item *x)
{
	printf("%-8s  ", shown[x->change]);
	cli_text(stdout, x->file, 0, false);
	printf(":%d%s: ", x->line, x->gone ? " (old)" : "");
	cli_text(stdout, x->object, 0, false);
	if (*x->setting) {
		fputs(", ", stdout);
		cli_text(stdout, x->setting, 0, false);
	}
	fputs(": ", stdout);
	value(x->was);
	fputs(" -> ", stdout);
	value(x->is);
	printf("\n          %s%s\n", x->why, x->both ? " (something in it tightens, not all)" : "");
}

int policy_tool_print_diff(const struct policy_diff *d, bool as_json, bool neutral)
{
	int e = 0;

	for (size_t i = 0; i < d->n && !e; i++) {
		if (as_json)
			e = cli_json_line(stdout, item_json(&d->item[i]));
		else if (neutral || d->item[i].change != POLICY_NEUTRAL)
			item_text(&d->item[i]);
	}
	return e;
}

void policy_tool_summary(FILE *f, const struct policy_diff *d)
{
	fprintf(f, "%zu tighten, %zu shorten, %zu loosen, %zu neutral", d->count[POLICY_TIGHTEN], d->count[POLICY_SHORTEN],
		d->count[POLICY_LOOSEN], d->count[POLICY_NEUTRAL]);
}

static int show(const struct policy *old, const struct policy *now)
{
	struct policy_diff d;
	int e = policy_diff(old, now, &d);

	if (e) {
		cli_err("%s", strerror(-e));
		return CLI_FAILED;
	}
	e = policy_tool_print_diff(&d, json, true);
	if (!json && !d.n)
		puts("No difference.");
	if (!json && d.n) {
		policy_tool_summary(stdout, &d);
		putchar('\n');
	}
	policy_diff_free(&d);
	return e ? CLI_FAILED : CLI_OK;
}

int policy_cmd_diff(int argc, char **argv)
{
	static const struct cli_opt opts[] = {
		{ 0, "today", CLI_TIME, &today_ns, "DATE", "judge review dates as on this day (default: now)", false, NULL },
		CLI_OPT_JSON(&json),
		{ 0 },
	};
	static const struct cli cli = {
		.name = "optag policy diff",
		.summary = "say what a new policy tightens and what it loosens",
		.opts = opts,
		.operands = "OLD NEW",
		.min_operands = 2,
		.max_operands = 2,
		.notes = "Each is a file or a directory of *.policy files. What cannot be shown to tighten\n"
			 "loosens. Exit status: 0 done, 1 failed, 2 a policy has errors.\n",
	};
	struct policy *old = NULL, *now = NULL;
	struct cli_args a;
	int rc = cli_parse(&cli, argc, argv, &a);
	int64_t today;

	if (rc != CLI_GO_ON)
		return rc;
	today = today_ns ? (int64_t)(today_ns / 1000000000) : (int64_t)time(NULL);
	if (policy_tool_load((const char *const *)&a.v[0], 1, today, &old) ||
	    policy_tool_load((const char *const *)&a.v[1], 1, today, &now))
		rc = 2;
	else
		rc = show(old, now);
	policy_free(old);
	policy_free(now);
	return cli_finish(rc);
}
