/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * policy.c - optag policy: check, fmt and explain policy files
 *
 * Works on files alone: no store, no keys, no privileges. Diagnostics go to
 * stderr with the source line and a caret, or as JSON to stdout. diff is in
 * policy_diff.c; apply and status, which ask the daemon, in policy_live.c; what
 * else people do to the running policy in policy_change.c, and in
 * policy_approve.c what takes two of them; simulate, which reads a store, is the
 * program optag-simulate.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "policy.h"

static uint64_t today_ns;
static bool json, write_back, drop_comments;
static const char *rule_name, *past_file;
static int lang;
static const char *const languages[] = {"en", "da", NULL}; /* by enum policy_lang */

#define OPT_TODAY                                                                                  \
	{                                                                                          \
		0, "today", CLI_TIME, &today_ns, "DATE",                                           \
			"judge review dates as on this day (default: now)", false, NULL            \
	}

static int64_t today(void)
{
	return today_ns ? (int64_t)(today_ns / 1000000000) : (int64_t)time(NULL);
}

static void diag_json(const struct policy_diag *d)
{
	json_t *o = json_object();

	json_object_set_new(o, "file", cli_json_str(d->file));
	json_object_set_new(o, "line", json_integer(d->line));
	json_object_set_new(o, "col", json_integer(d->col));
	json_object_set_new(o, "width", json_integer(d->width));
	json_object_set_new(o, "severity",
			    json_string(d->severity == POLICY_ERROR ? "error" : "warning"));
	json_object_set_new(o, "code", json_string(d->code));
	json_object_set_new(o, "text", cli_json_str(d->text));
	json_object_set_new(o, "why", cli_json_str(d->why));
	json_object_set_new(o, "fix", cli_json_str(d->fix));
	(void)cli_json_line(stdout, o); /* told by cli_finish */
}

static void tell(const struct policy_diags *d, bool as_json)
{
	for (size_t i = 0; i < d->n; i++) {
		if (as_json)
			diag_json(&d->d[i]);
		else
			policy_diag_print(stderr, &d->d[i]);
	}
	if (d->dropped)
		fprintf(stderr, "... and %zu more\n", d->dropped);
}

/* Loads operands; errors are told (warnings too if wanted). */
static int load(struct cli_args *a, bool warnings, const struct policy_past_log *past, struct policy_diags *d,
		struct policy **ret)
{
	int err = policy_load_past((const char *const *)a->v, (size_t)a->n, today(), past, d, ret);

	if (err || warnings)
		tell(d, json && warnings);
	if (err && !d->errors)
		cli_err("%s", strerror(-err));
	return err;
}

int policy_tool_load(const char *const *paths, size_t n, int64_t on, struct policy **ret)
{
	struct policy_diags d = {0};
	int err = policy_load(paths, n, on, &d, ret);

	if (err)
		tell(&d, false);
	if (err && !d.errors)
		cli_err("%s", strerror(-err));
	policy_diags_free(&d);
	return err;
}

/* ---- check ---- */

static void tell_one(const struct policy_diag *d)
{
	if (json)
		diag_json(d);
	else
		policy_diag_print(stderr, d);
}

static int check(int argc, char **argv)
{
	static const struct cli_opt opts[] = {
		OPT_TODAY,
		CLI_OPT(0, "past", CLI_FILE, &past_file, "FILE",
			"also judge by past calls: what optag audit show --json prints"),
		CLI_OPT_JSON(&json),
		{0},
	};
	static const struct cli cli = {
		.name = "optag policy check",
		.summary = "say what is wrong with a policy, where, why, and what to write instead",
		.opts = opts,
		.operands = "FILE|DIR...",
		.min_operands = 1,
		.max_operands = -1,
		.notes = "Exit status: 0 clean, 1 warnings only, 2 errors (the policy does not "
			 "load).\n",
	};
	struct policy_diags d = {0};
	struct policy_past_log past = {0};
	struct policy *p = NULL;
	struct cli_args a;
	int rc = cli_parse(&cli, argc, argv, &a), err;
	size_t sounds = 0;

	if (rc != CLI_GO_ON)
		return rc;
	if (past_file && policy_tool_past(past_file, &past)) {
		free(past.rule);
		return cli_finish(2);
	}
	err = load(&a, true, past_file ? &past : NULL, &d, &p);
	free(past.rule);
	if (!err)
		sounds = policy_tool_sounds(p, tell_one);
	d.errors += sounds;
	if (!json && (d.errors || d.warnings))
		fprintf(stderr, "%zu error%s, %zu warning%s\n", d.errors, d.errors == 1 ? "" : "s",
			d.warnings, d.warnings == 1 ? "" : "s");
	rc = err || sounds ? 2 : d.warnings ? 1 : 0;
	policy_free(p);
	policy_diags_free(&d);
	return cli_finish(rc);
}

/* ---- fmt ---- */

static bool has_comments(const char *path)
{
	FILE *f = fopen(path, "re");
	bool found = false, blank = true, quoted = false;
	int c, last = 0;

	while (f && !found && (c = getc(f)) != EOF) {
		if (c == '"' && last != '\\')
			quoted = !quoted;
		if (c == '\n')
			quoted = false;
		found = c == '#' && blank && !quoted;
		blank = c == ' ' || c == '\t' || c == '\n' || c == '\r';
		last = c;
	}
	if (f)
		fclose(f);
	return found;
}

static bool has_include(const char *path)
{
	char line[512];
	FILE *f = fopen(path, "re");
	bool found = false;

	while (f && !found && fgets(line, sizeof(line), f))
		found = !strncmp(line + strspn(line, " \t;}"), "include", 7) ||
			(!strncmp(line, "set ", 4) && strstr(line, " file ") && !strchr(line, '{'));
	if (f)
		fclose(f);
	return found;
}

static int write_tmp(const struct policy *p, const char *tmp, mode_t mode)
{
	int fd = mkstemp((char *)(uintptr_t)tmp), err;
	FILE *f;

	if (fd < 0)
		return -errno;
	f = fdopen(fd, "w");
	if (!f) {
		err = -errno;
		close(fd);
		return err;
	}
	err = policy_print(f, p);
	if (!err && (fflush(f) || fsync(fd) || fchmod(fd, mode & 07777)))
		err = -errno;
	if (fclose(f) && !err)
		err = -errno;
	return err;
}

/* A new file beside the old one, then renamed over it: never half of each. */
static int rewrite(const struct policy *p, const char *path)
{
	struct stat st;
	char *tmp;
	int err;

	if (lstat(path, &st))
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	if (asprintf(&tmp, "%s.XXXXXX", path) < 0)
		return -ENOMEM;
	err = write_tmp(p, tmp, st.st_mode);
	if (!err && rename(tmp, path))
		err = -errno;
	if (err)
		(void)unlink(tmp); /* it may never have been made */
	free(tmp);
	return err;
}

static int fmt_write(struct cli_args *a, const struct policy *p)
{
	const char *path = a->v[0];
	int err;

	if (a->n != 1)
		return cli_usage("-w rewrites one file at a time");
	if (has_include(path)) {
		cli_err("%s: not rewritten: it includes other files, and the canonical form holds "
			"them all",
			path);
		return CLI_FAILED;
	}
	if (!drop_comments && has_comments(path)) {
		cli_err("%s: not rewritten: its comments would be lost (--drop-comments if that is "
			"meant)",
			path);
		return CLI_FAILED;
	}
	err = rewrite(p, path);
	if (err)
		cli_err("%s: %s, the file is as it was", path, strerror(-err));
	return err ? CLI_FAILED : CLI_OK;
}

static int fmt(int argc, char **argv)
{
	static const struct cli_opt opts[] = {
		{'w', "write", CLI_FLAG, &write_back, NULL,
		 "rewrite the file instead of printing it", false, NULL},
		{0, "drop-comments", CLI_FLAG, &drop_comments, NULL,
		 "with -w: comments may be lost", false, NULL},
		OPT_TODAY,
		{0},
	};
	static const struct cli cli = {
		.name = "optag policy fmt",
		.summary = "print a policy in its canonical form, over which its hash is taken",
		.opts = opts,
		.operands = "FILE|DIR...",
		.min_operands = 1,
		.max_operands = -1,
		.notes = "Comments are no part of the canonical form.\nExit status: 0 done, 1 "
			 "failed, 2 the policy has errors.\n",
	};
	struct policy_diags d = {0};
	struct policy *p = NULL;
	struct cli_args a;
	int rc = cli_parse(&cli, argc, argv, &a);

	if (rc != CLI_GO_ON)
		return rc;
	if (load(&a, false, NULL, &d, &p))
		rc = 2;
	else if (write_back)
		rc = fmt_write(&a, p);
	else
		rc = policy_print(stdout, p) ? CLI_FAILED : CLI_OK;
	policy_free(p);
	policy_diags_free(&d);
	return cli_finish(rc);
}

/* ---- explain ---- */

static int explain_json(const struct policy *p, const struct policy_rule *r, const struct policy_diags *d)
{
	char *text = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);
	int err = f ? policy_explain_in(f, p, r, (enum policy_lang)lang, d) : -ENOMEM;
	json_t *o;

	if (f && fclose(f) && !err)
		err = -ENOMEM;
	if (!err) {
		o = json_object();
		json_object_set_new(o, "rule", cli_json_str(r->name));
		json_object_set_new(o, "scenario", json_string(r->scenario));
		json_object_set_new(o, "controller", cli_json_str(r->controller->name));
		json_object_set_new(o, "file", cli_json_str(r->file));
		json_object_set_new(o, "line", json_integer(r->line));
		json_object_set_new(o, "policy_hash", json_string(policy_hash(p)));
		json_object_set_new(o, "lang", json_string(languages[lang]));
		json_object_set_new(o, "text", cli_json_str(text));
		err = cli_json_line(stdout, o);
	}
	free(text);
	return err;
}

static int explain_rules(const struct policy *p, const struct policy_diags *d)
{
	size_t shown = 0;
	int err = 0;

	for (size_t i = 0; i < policy_rules(p) && !err; i++) {
		const struct policy_rule *r = policy_rule(p, i);

		if (rule_name && strcmp(rule_name, r->name))
			continue;
		if (shown++ && !json)
			putchar('\n');
		err = json ? explain_json(p, r, d) : policy_explain_in(stdout, p, r, (enum policy_lang)lang, d);
	}
	if (err) {
		cli_err("%s", strerror(-err));
		return CLI_FAILED;
	}
	if (rule_name && !shown) {
		cli_err("there is no rule \"%s\"", rule_name);
		return CLI_FAILED;
	}
	if (!shown)
		puts(lang == POLICY_DA ? "Ingen regel: Der optages ikke noget." : "No rule: nothing is recorded.");
	return CLI_OK;
}

static int explain(int argc, char **argv)
{
	static const struct cli_opt opts[] = {
		{'r', "rule", CLI_STR, &rule_name, "NAME", "this rule only", false, NULL},
		CLI_PICK('l', "lang", &lang, "LANG", "the language: en or da (default en)", false, languages),
		OPT_TODAY,
		CLI_OPT_JSON(&json),
		{0},
	};
	static const struct cli cli = {
		.name = "optag policy explain",
		.summary = "say in plain English or Danish what each rule does: keys, silence, amounts, "
			   "deadlines",
		.opts = opts,
		.operands = "FILE|DIR...",
		.min_operands = 1,
		.max_operands = -1,
		.notes = "Exit status: 0 done, 1 failed, 2 the policy has errors.\n",
	};
	struct policy_diags d = {0};
	struct policy *p = NULL;
	struct cli_args a;
	int rc = cli_parse(&cli, argc, argv, &a);

	if (rc != CLI_GO_ON)
		return rc;
	rc = load(&a, false, NULL, &d, &p) ? 2 : explain_rules(p, &d);
	policy_free(p);
	policy_diags_free(&d);
	return cli_finish(rc);
}

int main(int argc, char **argv)
{
	static const struct cli_cmd cmds[] = {
		{"check", "find what is wrong or unlawful", check},
		{"fmt", "print the canonical form", fmt},
		{"explain", "say in plain English or Danish what it does", explain},
		{"show", "print rules with every default filled in", policy_cmd_show},
		{"convert", "print it as JSON, or JSON as a policy", policy_cmd_convert},
		{"diff", "say what a new policy tightens and loosens", policy_cmd_diff},
		{"simulate", "say what it would have made of past calls", policy_cmd_simulate},
		{"apply", "put it in force in the running daemon", policy_cmd_apply},
		{"confirm", "keep what was applied with --confirm", policy_cmd_confirm},
		{"cancel", "take back what was applied with --effective", policy_cmd_cancel},
		{"rollback", "put back what ran before", policy_cmd_rollback},
		{"propose", "ask for approval of a policy that loosens", policy_cmd_propose},
		{"approve", "approve what somebody else proposed", policy_cmd_approve},
		{"approver-key", "make an approver's key", policy_cmd_approver_key},
		{"status", "say which policy the daemon runs", policy_cmd_status},
		{"drift", "say whether the files hold what runs", policy_cmd_drift},
		{"quota", "say what is used up of the caps", policy_cmd_quota},
		{"history", "say who put what in force, when, and why", policy_cmd_history},
		{0},
	};

	return cli_dispatch("optag policy", "read, check, explain and apply recording policies", cmds,
			    argc, argv);
}
