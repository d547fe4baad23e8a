/* SPDX-License-Identifier: BSD-2-Clause */
/* use.c - optag use: a training recording was used (N-49); tells the daemon (daemon/uses.h) */
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "cli_ctl.h"

static const char *control = CLI_CTL_PATH, *by;
static int kind;
static bool json;
static const char *const kinds[] = { "played", "scored", "course", NULL };

int main(int argc, char **argv)
{
	static const struct cli_opt opts[] = {
		CLI_PICK(0, "kind", &kind, "KIND", "played, scored or course", true, kinds),
		CLI_REQUIRED(0, "by", CLI_TEXT, &by, "PERSON", "who used it: a name of a-z 0-9 . _ -"),
		CLI_OPT_CONTROL(0, &control),
		CLI_OPT_JSON(&json),
		{ 0 },
	};
	static const struct cli cli = {
		.name = "optag use",
		.summary = "note that a recording was used for training",
		.opts = opts,
		.operands = "CALL",
		.min_operands = 1,
		.max_operands = 1,
		.notes = "The first use of a call counts; rules whose recordings are not used get fewer (use-target).\n",
	};
	struct cli_ctl *c = NULL;
	struct cli_args a;
	json_t *o = NULL;
	int rc = cli_parse(&cli, argc, argv, &a);

	if (rc != CLI_GO_ON)
		return rc;
	rc = cli_ctl_open(control, &c) || cli_ctl_ask(c, json_pack("{s:s, s:s, s:s, s:s}", "do", "use", "call", a.v[0], "kind", kinds[kind],
								  "by", by), &o) ? CLI_FAILED : CLI_OK;
	cli_ctl_close(c);
	if (rc)
		return rc;
	(void)json_object_del(o, "ok");
	if (json)
		return cli_finish(cli_json_line(stdout, o) ? CLI_FAILED : CLI_OK);
	printf("%s: noted%s\n", cli_ctl_str(o, "call"),
	       !json_is_true(json_object_get(o, "first"))     ? ", it was used before" :
	       json_is_true(json_object_get(o, "counted")) ? ", its first use" :
							     ", its first use; the rule's caps do not ask for it");
	json_decref(o);
	return cli_finish(CLI_OK);
}
