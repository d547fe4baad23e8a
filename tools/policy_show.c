/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * policy_show.c - optag policy show: rules as they are written, or with every default filled in
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "policy.h"
#include "policy/effective.h"

static uint64_t today_ns;
static bool effective, json;
static const char *rule_name;

struct show {
	const struct policy_rule *rule;
	const char *block; /* the one whose lines are being printed */
	json_t *list;	   /* with --json */
};

static int64_t today(void)
{
	return today_ns ? (int64_t)(today_ns / 1000000000) : (int64_t)time(NULL);
}

/* "written", or where the default stands, or "built in"; for people without the directories of the
 * file. */
static void put_source(const struct policy_effective *e)
{
	const char *slash = e->file ? strrchr(e->file, '/') : NULL;

	if (e->source == POLICY_BUILT_IN)
		fputs("built in", stdout);
	else
		printf("%s%s:%d", e->source == POLICY_FROM_DEFAULTS ? "defaults, " : "",
		       slash ? slash + 1 : e->file, e->line);
}

/* Each line of the statement, and behind the first where it is from. */
static void put_statement(const struct policy_effective *e)
{
	const char *s = e->text, *indent = e->block ? "\t\t" : "\t";
	bool first = true;

	while (*s) {
		int n = (int)strcspn(s, "\n"), tabs = (int)strspn(s, "\t"), at;

		/* lines of a block within a statement keep their own depth */
		at = printf("%s%.*s", tabs ? "" : indent, n, s) +
		     7 * (int)strlen(tabs ? "\t\t" : indent);
		if (first) {
			printf("%*s# ", at < 56 ? 56 - at : 1, "");
			put_source(e);
		}
		putchar('\n');
		first = false;
		s += n;
		s += *s == '\n';
	}
}

static void in_block(struct show *s, const char *block)
{
	if (s->block == block)
		return;
	if (s->block)
		puts("\t}");
	if (block)
		printf("\t%s {\n", block);
	s->block = block;
}

static void tell_text(void *arg, const struct policy_effective *e)
{
	in_block(arg, e->block);
	put_statement(e);
}

static void tell_json(void *arg, const struct policy_effective *e)
{
	static const char *const sources[] = {"written", "defaults", "built-in"};
	struct show *s = arg;
	json_t *o = json_object();

	json_object_set_new(o, "block", cli_json_str(e->block));
	json_object_set_new(o, "setting", json_string(e->setting));
	json_object_set_new(o, "text", cli_json_str(e->text));
	json_object_set_new(o, "source", json_string(sources[e->source]));
	json_object_set_new(o, "file", cli_json_str(e->file));
	json_object_set_new(o, "line", e->file ? json_integer(e->line) : json_null());
	json_array_append_new(s->list, o);
}

static void tell_written(void *arg, const struct policy_effective *e)
{
	if (e->source == POLICY_WRITTEN)
		(json ? tell_json : tell_text)(arg, e);
}

static void put_quoted(const char *s)
{
	putchar('"');
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			putchar('\\');
		putchar(*s);
	}
	putchar('"');
}

static int show_rule(const struct policy *p, const struct policy_rule *r)
{
	struct show s = {.rule = r, .list = json ? json_array() : NULL};
	json_t *o;
	int err;

	if (!json) {
		fputs("rule ", stdout);
		put_quoted(r->name);
		printf(" {\t# situation %s\n", r->scenario);
	}
	err = policy_effective(p, r, !effective ? tell_written : json ? tell_json : tell_text, &s);
	if (!json) {
		in_block(&s, NULL);
		puts("}");
		return err;
	}
	o = json_object();
	json_object_set_new(o, "rule", cli_json_str(r->name));
	json_object_set_new(o, "scenario", json_string(r->scenario));
	json_object_set_new(o, "policy_hash", json_string(policy_hash(p)));
	json_object_set_new(o, "settings", s.list);
	return cli_json_line(stdout, o) ? -EIO : err;
}

static int show_rules(const struct policy *p)
{
	size_t shown = 0;
	int err = 0;

	for (size_t i = 0; i < policy_rules(p) && !err; i++) {
		const struct policy_rule *r = policy_rule(p, i);

		if (rule_name && strcmp(rule_name, r->name))
			continue;
		if (shown++ && !json)
			putchar('\n');
		err = show_rule(p, r);
	}
	if (err)
		cli_err("%s", strerror(-err));
	else if (rule_name && !shown)
		cli_err("there is no rule \"%s\"", rule_name);
	return err || (rule_name && !shown) ? CLI_FAILED : CLI_OK;
}

int policy_cmd_show(int argc, char **argv)
{
	static const struct cli_opt opts[] = {
		CLI_OPT('e', "effective", CLI_FLAG, &effective, NULL,
			"with every default filled in"),
		CLI_OPT('r', "rule", CLI_STR, &rule_name, "NAME", "this rule only"),
		CLI_OPT(0, "today", CLI_TIME, &today_ns, "DATE",
			"judge review dates as on this day (default: now)"),
		CLI_OPT_JSON(&json),
		{0},
	};
	static const struct cli cli = {
		.name = "optag policy show",
		.summary = "print rules, and where each of their settings is from",
		.opts = opts,
		.operands = "FILE|DIR...",
		.min_operands = 1,
		.max_operands = -1,
		.notes = "Exit status: 0 done, 1 failed, 2 the policy has errors.\n",
	};
	struct policy *p = NULL;
	struct cli_args a;
	int rc = cli_parse(&cli, argc, argv, &a);

	if (rc != CLI_GO_ON)
		return rc;
	if (policy_tool_load((const char *const *)a.v, (size_t)a.n, today(), &p))
		return cli_finish(CLI_USAGE);
	rc = show_rules(p);
	policy_free(p);
	return cli_finish(rc);
}
