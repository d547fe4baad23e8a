/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * erase.c - `optag erase`: asks the reaper to destroy what a purpose has of calls, before its time (daemon/store/reap.h)
 *
 * Needs no key, and writes one line a call and purpose; the reaper acts within a minute.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "base/clock.h"
#include "store/reap.h"

static const char *store_dir = CLI_STORE_DIR, *reason;
static int purpose = -1;
static bool json;
static const char *const purposes[] = { "documentation", "training", "both", NULL };

static const struct cli_opt opts[] = {
	CLI_OPT_STORE(&store_dir),
	CLI_PICK('p', "purpose", &purpose, "PURPOSE", "what ends: documentation, training or both", true, purposes),
	CLI_REQUIRED('r', "reason", CLI_TEXT, &reason, "WORD", "why, for the evidence log: withdrawn, erased ... (a-z 0-9 . _ -)"),
	CLI_OPT_JSON(&json),
	{ 0 },
};

static const struct cli cli = {
	.name = "optag erase",
	.summary = "destroy single calls before their time",
	.opts = opts,
	.operands = "CALL...",
	.min_operands = 1,
	.max_operands = -1,
	.notes = "The reaper does it, within a minute where its timer runs; documentation of a call on hold waits for the hold's end.\n",
};

struct look {
	struct store *st;
	bool any;
	bool has[STORE_PURPOSES]; /* something to erase: also a key that was put back (a copy of before) */
};

static int take(void *arg, const struct store_row *row)
{
	struct look *l = arg;

	l->any = true;
	for (unsigned p = 0; p < STORE_PURPOSES; p++)
		l->has[p] = row->state[p] == STORE_S_GRANTED || row->state[p] == STORE_S_OBJECTED || store_row_key(l->st, row, (enum store_purpose)p);
	return 0;
}

static int erase(struct store *st, const char *text)
{
	struct store_filter f = { .state = -1 };
	struct look l = { .st = st };
	unsigned asked = 0;
	char why[512] = "";
	struct uid uid;
	int rc;

	if (uid_parse(text, &uid)) {
		cli_err("%s: not a call (26 characters, as find prints it)", text);
		return CLI_USAGE;
	}
	f.uid = &uid;
	rc = store_find(st, &f, take, &l);
	if (rc == -EBADMSG && l.any) /* another part of the catalog is damaged */
		rc = 0;
	if (rc || !l.any) {
		cli_err("%s: %s", text, rc ? store_why(st) : "no such call (one in progress can be erased when it has ended)");
		return rc ? cli_exit_code(rc) : CLI_FAILED;
	}
	for (unsigned p = 0; p < STORE_PURPOSES; p++) {
		if ((purpose != 2 && (unsigned)purpose != p) || !l.has[p])
			continue;
		rc = reap_request(store_dir, &uid, (enum store_purpose)p, reason, (uint32_t)getuid(), clock_now_ns(), why, sizeof(why));
		if (rc) {
			cli_err("%s: %s", text, why);
			return rc == -EINVAL ? CLI_USAGE : CLI_FAILED;
		}
		asked++;
		if (json)
			(void)cli_json_line(stdout, json_pack("{s:s, s:s, s:o}", "call", text, "purpose", store_purpose_names[p], "reason",
							      cli_json_str(reason))); /* a failed write is told by cli_finish */
		else
			printf("%s: %s ends with the next run of the reaper\n", text, store_purpose_names[p]);
	}
	if (!asked)
		cli_err("%s: nothing is kept of it for %s", text, (unsigned)purpose < STORE_PURPOSES ? purposes[purpose] : "any purpose");
	return asked ? CLI_OK : CLI_FAILED;
}

int main(int argc, char **argv)
{
	char why[512] = "";
	struct cli_args a;
	struct store *st;
	int rc = cli_parse(&cli, argc, argv, &a), worst = CLI_OK;

	if (rc != CLI_GO_ON)
		return rc;
	rc = store_open(store_dir, STORE_RO, &st, why, sizeof(why));
	if (rc) {
		cli_err("%s", why);
		return cli_finish(cli_exit_code(rc));
	}
	for (int i = 0; i < a.n; i++) {
		rc = erase(st, a.v[i]);
		worst = rc > worst ? rc : worst;
	}
	store_close(st);
	return cli_finish(worst);
}
