/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fsck.c - `optag fsck`: checks the files of a store, without any key
 *
 * Findings on stdout, one a line: `FILE: offset N: RULE: text`, the rule as
 * FORMAT.md numbers it. The last line is a summary. Nothing is changed.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "store/store.h"

static const char *store_dir = CLI_STORE_DIR;
static bool json;

static const struct cli_opt opts[] = { CLI_OPT_STORE(&store_dir), CLI_OPT_JSON(&json), { 0 } };

static const struct cli cli = {
	.name = "optag fsck",
	.summary = "check the files of a store",
	.opts = opts,
	.notes = "Exit status: 0 clean, 3 damage found, 1 could not check. Changes nothing, needs no key.",
};

static void finding(void *arg, const char *file, uint64_t off, const char *rule, const char *text)
{
	(void)arg;
	if (json) {
		/* a failed write is told once, by cli_finish */
		(void)cli_json_line(stdout,
				    json_pack("{s:o, s:I, s:o, s:o}", "file", cli_json_str(file),
					      "offset", (json_int_t)off, "rule", cli_json_str(rule),
					      "text", cli_json_str(text)));
		return;
	}
	cli_text(stdout, file, 0, false);
	printf(": offset %" PRIu64 ": %s: ", off, rule);
	cli_text(stdout, text, 0, false);
	printf("\n");
}

static int summary(const struct store_fsck_report *r)
{
	if (json)
		return cli_json_line(
			stdout, json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "segments",
					  (json_int_t)r->segments, "chunks", (json_int_t)r->chunks,
					  "calls", (json_int_t)r->calls, "rows", (json_int_t)r->rows,
					  "slots", (json_int_t)r->slots, "buckets",
					  (json_int_t)r->buckets, "orphan_chunks",
					  (json_int_t)r->orphan_chunks, "damaged",
					  (json_int_t)r->damaged, "held", (json_int_t)r->held));
	printf("%s, %s, %s, %s, %s, %s: ", cli_n(r->segments, "segment"), cli_n(r->chunks, "chunk"), cli_n(r->calls, "call"),
	       cli_n(r->rows, "row"), cli_n(r->slots, "key slot"), cli_n(r->orphan_chunks, "orphan chunk"));
	if (r->damaged)
		printf("%" PRIu64 " damaged\n", r->damaged);
	else
		printf("clean\n");
	return 0;
}

int main(int argc, char **argv)
{
	struct store_fsck_report r = { 0 };
	char why[512] = "";
	struct cli_args args;
	int rc = cli_parse(&cli, argc, argv, &args);

	if (rc != CLI_GO_ON)
		return rc;
	rc = store_fsck(store_dir, finding, NULL, &r, why, sizeof(why));
	if (rc < 0) {
		cli_err("%s", *why ? why : strerror(-rc));
		return cli_finish(cli_exit_code(rc));
	}
	if (summary(&r) != 0)
		return cli_finish(CLI_FAILED);
	return cli_finish(rc || r.damaged ? CLI_DAMAGED : CLI_OK);
}
