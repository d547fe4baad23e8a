/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * policy_live.c - optag policy apply and status: the policy of the running daemon
 *
 * The daemon reads its own path and nothing else; what is sent is the hash of
 * what the person saw here. So nobody can slip the daemon another policy over
 * the socket, and it never takes one that changed between the look and the yes.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "cli_ctl.h"
#include "policy.h"

static const char *control = CLI_CTL_PATH, *reason, *ticket;
static uint64_t confirm_ns = UINT64_MAX, effective_ns = UINT64_MAX;
static bool json, yes, dry_run;

/* ---- what is in force ---- */

/* All pieces; a swap in between starts anew a few times. */
static int running_text(struct cli_ctl *c, const char *which, struct buf *out, char hash[65])
{
	json_int_t at = 0;
	int tries = 0, e;
	json_t *o;

	for (;;) {
		e = cli_ctl_ask(c, json_pack("{s:s, s:I, s:s*}", "do", "policy-text", "offset", at, "policy", which), &o);
		if (e)
			return e;
		if (at && strcmp(hash, cli_ctl_str(o, "hash")) != 0) {
			json_decref(o);
			if (++tries > 5) {
				cli_err("the policy in force changes all the time");
				return -1;
			}
			buf_reset(out);
			at = 0;
			continue;
		}
		snprintf(hash, 65, "%s", cli_ctl_str(o, "hash"));
		buf_put(out, cli_ctl_str(o, "text"), strlen(cli_ctl_str(o, "text")));
		at = json_integer_value(json_object_get(o, "next"));
		json_decref(o);
		if (!at)
			break;
	}
	if (out->failed)
		cli_err("out of memory");
	return out->failed ? -1 : 0;
}

int policy_tool_fetch(struct cli_ctl *c, const char *which, int64_t then, struct policy **ret)
{
	struct policy_diags d = { 0 };
	struct buf text = { 0 };
	char hash[65] = "";
	int e = running_text(c, which, &text, hash);

	if (!e) {
		e = policy_load_mem("running", text.len ? (const char *)text.p : "", text.len, then, &d, ret);
		if (!e && (strcmp(policy_hash(*ret), hash) != 0 || (which && strcmp(which, hash) != 0))) {
			policy_free(*ret);
			e = -1;
		}
		if (e)
			cli_err("the policy %s cannot be read here: is this program of the daemon's version?", which ? "proposed" : "in force");
	}
	policy_diags_free(&d);
	buf_free(&text);
	return e;
}

/* Judged as on the day it was loaded, when it had no error. */
static int running_policy(struct cli_ctl *c, const json_t *status, struct policy **ret)
{
	uint64_t then = 0;

	if (cli_time(cli_ctl_str(status, "loaded"), &then))
		then = (uint64_t)time(NULL) * 1000000000;
	return policy_tool_fetch(c, NULL, (int64_t)(then / 1000000000), ret);
}

/* ---- apply ---- */

bool policy_tool_confirmed(bool sure, const char *question, const char *not)
{
	char line[16];

	if (sure)
		return true;
	if (!isatty(STDIN_FILENO)) {
		cli_err("%s: nobody to ask here; --yes says yes", not);
		return false;
	}
	fflush(stdout);
	fprintf(stderr, "%s [y/N] ", question);
	if (!fgets(line, sizeof(line), stdin) || (line[0] != 'y' && line[0] != 'Y')) {
		cli_err("%s", not);
		return false;
	}
	return true;
}

int policy_tool_reason(const char **text)
{
	static char line[256];

	if (*text)
		return 0;
	if (isatty(STDIN_FILENO)) {
		fflush(stdout);
		fputs("Why? ", stderr);
		if (fgets(line, sizeof(line), stdin)) {
			line[strcspn(line, "\n")] = 0;
			*text = line;
			if (*line)
				return cli_text_ok("the reason", line) == CLI_GO_ON ? 0 : CLI_USAGE;
		}
	}
	return cli_usage("a change needs a reason: --reason TEXT");
}

static void tell_applied(const json_t *o)
{
	if (json_is_true(json_object_get(o, "unchanged"))) {
		printf("Policy %.12s is in force already.\n", cli_ctl_str(o, "hash"));
		return;
	}
	printf("In force: policy %.12s, for new calls after %.0f ms.\n", cli_ctl_str(o, "hash"), cli_ctl_num(o, "effective_ms"));
	printf("Calls in progress: %.0f of %.0f tightened, %.0f purpose%s ended, after %.0f ms; the others go on as they began.\n",
	       cli_ctl_num(o, "calls_tightened"), cli_ctl_num(o, "calls"), cli_ctl_num(o, "purposes_ended"),
	       cli_s(cli_ctl_num(o, "purposes_ended")), cli_ctl_num(o, "done_ms"));
	if (confirm_ns != UINT64_MAX)
		puts("It is reverted unless it is confirmed in time: optag policy confirm");
}

static bool later(void)
{
	return effective_ns && effective_ns != UINT64_MAX;
}

static int do_apply(struct cli_ctl *c, const struct policy *now, const char *daemon_path)
{
	json_t *o = NULL, *rq;
	int e = policy_tool_reason(&reason);

	if (e)
		return e;
	if (!policy_tool_confirmed(yes, later() ? "Put it in force then?" : "Put it in force?", "not applied"))
		return CLI_FAILED;
	rq = json_pack("{s:s, s:s, s:s, s:s*}", "do", "policy-apply", "hash", policy_hash(now), "reason", reason, "ticket", ticket);
	if (confirm_ns != UINT64_MAX)
		json_object_set_new(rq, "confirm_s", json_integer((json_int_t)(confirm_ns / 1000000000)));
	if (effective_ns != UINT64_MAX)
		json_object_set_new(rq, "effective_s", json_integer((json_int_t)(effective_ns / 1000000000)));
	e = cli_ctl_ask(c, rq, &o);
	if (e) {
		if (e != -EACCES) /* who is to approve, and what, is said */
			cli_err("nothing changed; the daemon reads '%s': what is to be in force must be there", daemon_path);
		return CLI_FAILED;
	}
	(void)json_object_del(o, "ok");
	if (json)
		return cli_json_line(stdout, o) ? CLI_FAILED : CLI_OK;
	if (later())
		printf("Policy %.12s comes in force at %s, unless optag policy cancel comes before; it shortens the time of %.0f stored call%s.\n",
		       cli_ctl_str(o, "policy"), cli_ctl_str(o, "until"), cli_ctl_num(o, "stored_calls"), cli_s(cli_ctl_num(o, "stored_calls")));
	else
		tell_applied(o);
	json_decref(o);
	return CLI_OK;
}

static int show_change(struct cli_ctl *c, const json_t *status, const struct policy *now)
{
	struct policy *old = NULL;
	struct policy_diff d;
	int e = running_policy(c, status, &old);

	if (e)
		return e;
	e = policy_diff(old, now, &d);
	if (e) {
		policy_free(old);
		cli_err("%s", strerror(-e));
		return e;
	}
	e = policy_tool_print_diff(&d, json, false);
	if (!json) {
		policy_tool_summary(stdout, &d);
		puts(d.count[POLICY_LOOSEN] ? ". What loosens is for new calls only." : ".");
	}
	policy_diff_free(&d);
	policy_free(old); /* what is gone is named by its place there */
	return e;
}

static int apply(const struct policy *now)
{
	struct cli_ctl *c = NULL;
	json_t *status = NULL;
	int rc = CLI_FAILED;

	if (cli_ctl_open(control, &c) || cli_ctl_ask(c, json_pack("{s:s}", "do", "policy"), &status))
		goto out;
	if (strcmp(cli_ctl_str(status, "hash"), policy_hash(now)) == 0) {
		rc = CLI_OK;
		if (!json)
			printf("Policy %.12s is in force already.\n", policy_hash(now));
		else if (cli_json_line(stdout, json_pack("{s:s, s:b}", "hash", policy_hash(now), "unchanged", 1)))
			rc = CLI_FAILED;
		goto out;
	}
	if (show_change(c, status, now))
		goto out;
	rc = dry_run ? CLI_OK : do_apply(c, now, cli_ctl_str(status, "path"));
out:
	json_decref(status);
	cli_ctl_close(c);
	return rc;
}

int policy_cmd_apply(int argc, char **argv)
{
	static const struct cli_opt opts[] = {
		CLI_OPT('y', "yes", CLI_FLAG, &yes, NULL, "do not ask"),
		CLI_OPT('n', "dry-run", CLI_FLAG, &dry_run, NULL, "show what would change, and change nothing"),
		CLI_OPT(0, "reason", CLI_TEXT, &reason, "TEXT", "why, for the history; asked for when left out"),
		CLI_OPT(0, "ticket", CLI_TEXT, &ticket, "TEXT", "where it was decided"),
		CLI_OPT(0, "confirm", CLI_DURATION, &confirm_ns, "SPAN", "revert after so long unless confirmed (10m)"),
		CLI_OPT(0, "effective", CLI_DURATION, &effective_ns, "SPAN", "not now, but in so long (24h); 0s: now, whatever stored calls lose"),
		CLI_OPT_CONTROL(0, &control),
		CLI_OPT_JSON(&json),
		{ 0 },
	};
	static const struct cli cli = {
		.name = "optag policy apply",
		.summary = "put the policy that the daemon's files hold in force",
		.opts = opts,
		.operands = "FILE|DIR",
		.min_operands = 1,
		.max_operands = 1,
		.notes = "The operand is what the daemon reads (`policy` in optagd.conf), or a copy of it:\n"
			 "the daemon refuses when its own files hold anything else.\n"
			 "Exit status: 0 in force, 1 failed or not confirmed, 2 the policy has errors.\n",
	};
	struct policy *now = NULL;
	struct cli_args a;
	int rc = cli_parse(&cli, argc, argv, &a);

	if (rc != CLI_GO_ON)
		return rc;
	if (confirm_ns != UINT64_MAX && later())
		return cli_usage("either --confirm or --effective");
	if (confirm_ns < 1000000000 || (effective_ns && effective_ns < 1000000000))
		return cli_usage("a second is the least");
	rc = policy_tool_load((const char *const *)a.v, 1, (int64_t)time(NULL), &now) ? 2 : apply(now);
	policy_free(now);
	return cli_finish(rc);
}

/* ---- status ---- */

static void print_drift(const json_t *o)
{
	const char *err = cli_ctl_str(o, "disk_error");

	if (*err) {
		fputs("files     do not load: ", stdout);
		cli_text(stdout, err, 0, false);
		putchar('\n');
	} else if (json_is_true(json_object_get(o, "drift"))) {
		printf("files     differ from what runs: %.12s (optag policy apply)\n", cli_ctl_str(o, "disk_hash"));
	} else {
		puts("files     hold what runs");
	}
}

static void print_status(const json_t *o)
{
	const json_t *uid = json_object_get(o, "uid"), *e;
	size_t i;

	printf("policy    %s\n", cli_ctl_str(o, "hash"));
	fputs("read from ", stdout);
	cli_text(stdout, cli_ctl_str(o, "path"), 0, false);
	printf(", %.0f rules\n", cli_ctl_num(o, "rules"));
	printf("in force  since %s (%.0f s), ", cli_ctl_str(o, "loaded"), cli_ctl_num(o, "age_s"));
	if (json_is_integer(uid))
		printf("by uid %lld\n", (long long)json_integer_value(uid));
	else
		puts("by the daemon's start or a signal");
	print_drift(o);
	printf("older     %.0f policies, %.0f calls in progress\n", cli_ctl_num(o, "older_policies"),
	       cli_ctl_num(o, "calls_pinned_to_older"));
	for (i = 0; (e = json_array_get(json_object_get(o, "older"), i)); i++)
		printf("          %.12s %.0f calls\n", cli_ctl_str(e, "hash"), cli_ctl_num(e, "calls"));
	printf("changes   %.0f taken, %.0f refused; %.0f calls tightened\n", cli_ctl_num(o, "loads"), cli_ctl_num(o, "refused"),
	       cli_ctl_num(o, "calls_tightened"));
	if (*cli_ctl_str(o, "confirm_until"))
		printf("confirm   until %s, or it is reverted (optag policy confirm)\n", cli_ctl_str(o, "confirm_until"));
	if (json_object_get(o, "staged"))
		printf("staged    %.12s comes in force at %s\n", cli_ctl_str(o, "staged.policy"), cli_ctl_str(o, "staged.until"));
	if (json_is_true(json_object_get(o, "approval")))
		puts("approval  what loosens needs a second person (optag policy propose)");
	for (i = 0; (e = json_array_get(json_object_get(o, "proposed"), i)); i++) {
		printf("proposed  %.12s%s", cli_ctl_str(e, "policy"),
		       *cli_ctl_str(e, "rule") ? ", the start of rule " :
		       *cli_ctl_str(e, "set")  ? ", a change of set " :
						 "");
		cli_text(stdout, cli_ctl_str(e, *cli_ctl_str(e, "set") ? "set" : "rule"), 0, false);
		printf(", until %s, by uid %.0f: %s%s\n", cli_ctl_str(e, "until"), cli_ctl_num(e, "uid"),
		       *cli_ctl_str(e, "approver") ? "approved by " : "not approved yet (optag policy approve)", cli_ctl_str(e, "approver"));
	}
	for (i = 0; (e = json_array_get(json_object_get(o, "stopped"), i)); i++) {
		fputs("STOPPED   rule ", stdout);
		cli_text(stdout, cli_ctl_str(e, "rule"), 0, false);
		printf(", since %s, by uid %.0f%s", cli_ctl_str(e, "at"), cli_ctl_num(e, "uid"), *cli_ctl_str(e, "reason") ? ": " : "");
		cli_text(stdout, cli_ctl_str(e, "reason"), 0, false);
		putchar('\n');
	}
	if (*cli_ctl_str(o, "alarm")) {
		fputs("ALARM     ", stdout);
		cli_text(stdout, cli_ctl_str(o, "alarm"), 0, false);
		putchar('\n');
	}
	if (*cli_ctl_str(o, "last_error")) {
		printf("refused   %s: ", cli_ctl_str(o, "last_error_at"));
		cli_text(stdout, cli_ctl_str(o, "last_error"), 0, false);
		putchar('\n');
	}
}

int policy_cmd_status(int argc, char **argv)
{
	static const struct cli_opt opts[] = { CLI_OPT_CONTROL(0, &control), CLI_OPT_JSON(&json), { 0 } };
	static const struct cli cli = {
		.name = "optag policy status",
		.summary = "say which policy the daemon runs, and whether its files say the same",
		.opts = opts,
	};
	struct cli_ctl *c = NULL;
	struct cli_args a;
	json_t *o = NULL;
	int rc = cli_parse(&cli, argc, argv, &a);

	if (rc != CLI_GO_ON)
		return rc;
	rc = cli_ctl_open(control, &c) || cli_ctl_ask(c, json_pack("{s:s, s:b}", "do", "policy", "drift", 1), &o) ? CLI_FAILED : CLI_OK;
	cli_ctl_close(c);
	if (rc)
		return rc;
	(void)json_object_del(o, "ok");
	if (json)
		return cli_finish(cli_json_line(stdout, o) ? CLI_FAILED : CLI_OK);
	print_status(o);
	json_decref(o);
	return cli_finish(CLI_OK);
}
