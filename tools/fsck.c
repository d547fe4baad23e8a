/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fsck.c - `optag fsck`: checks the files of a store, without any key
 *
 * Findings on stdout, one a line: `FILE: offset N: RULE: text`, the rule as
 * FORMAT.md numbers it. The last line is a summary. Nothing is changed, but with
 * --rebuild, which makes a lost catalog anew first: `FILE: text` for each file.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "store/store.h"

static const char *store_dir = CLI_STORE_DIR;
static bool json, rebuild;

static const struct cli_opt opts[] = { CLI_OPT_STORE(&store_dir), CLI_OPT(0, "rebuild", CLI_FLAG, &rebuild, NULL, "make lost or damaged parts of the catalog anew first"),
				       CLI_OPT_JSON(&json), { 0 } };

static const struct cli cli = {
	.name = "optag fsck",
	.summary = "check the files of a store",
	.opts = opts,
	.notes = "Exit status: 0 clean, 3 damage found, 1 could not check. Needs no key, and changes nothing without --rebuild.",
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

static void rebuilt(void *arg, const char *file, const char *text)
{
	(void)arg;
	if (json) {
		(void)cli_json_line(stdout, json_pack("{s:o, s:o}", "file", cli_json_str(file), "rebuilt", cli_json_str(text)));
		return;
	}
	cli_text(stdout, file, 0, false);
	printf(": ");
	cli_text(stdout, text, 0, false);
	printf("\n");
}

static int rebuild_summary(const struct store_rebuild_report *r)
{
	if (json)
		return cli_json_line(stdout, json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "set_aside", (json_int_t)r->damaged, "made",
						       (json_int_t)r->partitions, "from_copies", (json_int_t)r->copied, "from_slots",
						       (json_int_t)r->bare, "from_evidence", (json_int_t)r->denied, "not_brought_back",
						       (json_int_t)r->over, "unplaced", (json_int_t)r->unplaced, "later",
						       (json_int_t)r->later));
	printf("%s set aside, %s made anew: %s from copies, %" PRIu64 " from chunks and slots, %" PRIu64
	       " from the evidence log; %" PRIu64 " not brought back",
	       cli_n(r->damaged, "partition"), cli_n(r->partitions, "partition"), cli_n(r->copied, "row"), r->bare, r->denied, r->over);
	if (r->unplaced)
		printf(", %" PRIu64 " denied calls without a place", r->unplaced);
	printf("\n");
	return 0;
}

static int do_rebuild(void)
{
	struct store_rebuild_report r = { 0 };
	char why[512] = "";
	int rc = store_rebuild(store_dir, rebuilt, NULL, &r, why, sizeof(why));

	if (rc) {
		cli_err("%s", *why ? why : strerror(-rc));
		return cli_exit_code(rc);
	}
	return rebuild_summary(&r) ? CLI_FAILED : CLI_OK;
}

int main(int argc, char **argv)
{
	struct store_fsck_report r = { 0 };
	char why[512] = "";
	struct cli_args args;
	int rc = cli_parse(&cli, argc, argv, &args);

	if (rc != CLI_GO_ON)
		return rc;
	cli_no_dump(); /* bucket files are read */
	rc = rebuild ? do_rebuild() : CLI_OK;
	if (rc != CLI_OK)
		return cli_finish(rc);
	rc = store_fsck(store_dir, finding, NULL, &r, why, sizeof(why));
	if (rc < 0) {
		cli_err("%s", *why ? why : strerror(-rc));
		return cli_finish(cli_exit_code(rc));
	}
	if (summary(&r) != 0)
		return cli_finish(CLI_FAILED);
	return cli_finish(rc || r.damaged ? CLI_DAMAGED : CLI_OK);
}
