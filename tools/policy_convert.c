/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * policy_convert.c - optag policy convert: a policy as JSON, and back
 *
 * Both directions load the policy with the daemon's parser; what comes back
 * from JSON has the hash that went in. Diagnostics about JSON name the place by
 * a JSON pointer.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "policy.h"
#include "policy_json.h"

static int to = -1;
static uint64_t today_ns;
static bool schema;

static int64_t today(void)
{
	return today_ns ? (int64_t)(today_ns / 1000000000) : (int64_t)time(NULL);
}

static int dump(json_t *j)
{
	int err = j ? json_dumpf(j, stdout, JSON_INDENT(2)) : -1;

	json_decref(j);
	if (err) {
		cli_err("%s", strerror(ferror(stdout) ? EIO : ENOMEM));
		return CLI_FAILED;
	}
	putchar('\n');
	return CLI_OK;
}

static int to_json(const struct cli_args *a)
{
	struct policy *p = NULL;
	int rc;

	if (policy_tool_load((const char *const *)a->v, (size_t)a->n, today(), &p))
		return CLI_USAGE;
	rc = dump(policy_json_from(p));
	policy_free(p);
	return rc;
}

static int slurp(const char *path, char **ret, size_t *ret_n)
{
	FILE *f = strcmp(path, "-") ? fopen(path, "re") : stdin, *out;
	size_t got, n = 0;
	char buf[65536];
	int err;

	if (!f)
		return -errno;
	out = open_memstream(ret, ret_n);
	while (out && (got = fread(buf, 1, sizeof(buf), f)) > 0 &&
	       (n += got) <= POLICY_JSON_BYTES_MAX + 1)
		fwrite(buf, 1, got, out);
	err = !out ? -ENOMEM : ferror(f) ? -EIO : 0;
	if (out && fclose(out) && !err)
		err = -ENOMEM;
	if (f != stdin)
		fclose(f);
	return err;
}

/* FILE: /rules/0/training: L-50: sentence. Why: ... Fix: ... */
static void tell(const char *file, const struct policy_diags *d,
		 const struct policy_json_where *where)
{
	for (size_t i = 0; i < d->n; i++) {
		const struct policy_diag *x = &d->d[i];
		const char *at = policy_json_pointer(where, x->line);

		if (x->severity != POLICY_ERROR)
			continue;
		fprintf(stderr, "%s: %s: %s: %s", file, *at ? at : "/", x->code, x->text);
		if (x->why)
			fprintf(stderr, " Why: %s", x->why);
		if (x->fix)
			fprintf(stderr, " Fix: %s", x->fix);
		fputc('\n', stderr);
	}
}

static int load_json(const char *file, const char *text, size_t n, struct policy **ret)
{
	struct policy_json_error e;
	struct policy_json_where *where = NULL;
	struct policy_diags d = {0};
	char *policy = NULL;
	json_t *j = NULL;
	size_t len = 0;
	int err = policy_json_read(text, n, &j, &e);

	if (!err)
		err = policy_json_text(j, &policy, &len, &where, &e);
	json_decref(j);
	if (err == -EINVAL) {
		cli_err("%s: %s: %s", file, *e.pointer ? e.pointer : "/", e.reason);
		return err;
	}
	if (!err)
		err = policy_load_mem(file, policy, len, today(), &d, ret);
	tell(file, &d, where);
	if (err && !d.errors)
		cli_err("%s: %s", file, strerror(-err));
	policy_diags_free(&d);
	policy_json_where_free(where);
	free(policy);
	return err;
}

static int to_policy(const struct cli_args *a)
{
	struct policy *p = NULL;
	char *text = NULL;
	size_t n = 0;
	int err = slurp(a->v[0], &text, &n), rc = CLI_USAGE;

	if (err)
		cli_err("%s: %s", a->v[0], strerror(-err));
	else if (!load_json(a->v[0], text, n, &p))
		rc = policy_print(stdout, p) ? CLI_FAILED : CLI_OK;
	policy_free(p);
	free(text);
	return rc;
}

int policy_cmd_convert(int argc, char **argv)
{
	static const char *const forms[] = {"json", "policy", NULL};
	static const struct cli_opt opts[] = {
		CLI_PICK('t', "to", &to, "FORM", "what to make of it: json or policy", false,
			 forms),
		CLI_OPT(0, "schema", CLI_FLAG, &schema, NULL,
			"print the JSON Schema of the JSON form"),
		CLI_OPT(0, "today", CLI_TIME, &today_ns, "DATE",
			"judge review dates as on this day (default: now)"),
		{0},
	};
	static const struct cli cli = {
		.name = "optag policy convert",
		.summary = "print a policy as JSON, or JSON as a policy, without loss",
		.opts = opts,
		.operands = "FILE|DIR...",
		.min_operands = 0,
		.max_operands = -1,
		.notes = "Comments are no part of either form. JSON comes from one file, or - for "
			 "stdin; files that it\n"
			 "names are not looked for.\nExit status: 0 done, 1 failed, 2 the policy, "
			 "or the JSON, has errors.\n",
	};
	struct cli_args a;
	int rc = cli_parse(&cli, argc, argv, &a);

	if (rc != CLI_GO_ON)
		return rc;
	if (schema)
		return a.n || to >= 0 ? cli_usage("--schema stands alone")
				      : cli_finish(dump(policy_json_schema()));
	if (to < 0 || !a.n)
		return cli_usage("--to json FILE|DIR..., or --to policy FILE.json");
	if (to == 1 && a.n != 1)
		return cli_usage("--to policy takes one file of JSON");
	return cli_finish(to ? to_policy(&a) : to_json(&a));
}
