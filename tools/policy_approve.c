/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * policy_approve.c - optag policy propose, approve, approver-key: what takes two persons (policy/approval.h)
 *
 * Who approves sees what is signed: both policies come from the daemon, the proposed one is checked against the hash
 * that goes into the signature, and the difference is printed before the question.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli_ctl.h"
#include "policy.h"
#include "policy/approval.h"

static const char *control = CLI_CTL_PATH, *reason, *ticket, *key_file, *person, *out_file;
static uint64_t valid_ns;
static bool json, yes;

/* ---- propose ---- */

static int propose(const struct policy *now)
{
	struct cli_ctl *c = NULL;
	json_t *o = NULL, *rq;
	int rc = policy_tool_reason(&reason);

	if (rc)
		return rc;
	rq = json_pack("{s:s, s:s, s:s, s:s*}", "do", "policy-propose", "hash", policy_hash(now), "reason", reason, "ticket", ticket);
	if (valid_ns)
		json_object_set_new(rq, "valid_s", json_integer((json_int_t)(valid_ns / 1000000000)));
	if (cli_ctl_open(control, &c))
		json_decref(rq);
	else
		(void)cli_ctl_ask(c, rq, &o);
	cli_ctl_close(c);
	if (!o)
		return CLI_FAILED;
	(void)json_object_del(o, "ok");
	if (json)
		return cli_json_line(stdout, o) ? CLI_FAILED : CLI_OK;
	printf("Proposed until %s: policy %s\n%.0f loosen, %.0f shorten (%.0f stored call%s), %.0f tighten. A second person approves:\n"
	       "optag policy approve %.12s --key FILE\n",
	       cli_ctl_str(o, "until"), cli_ctl_str(o, "policy"), cli_ctl_num(o, "loosens"), cli_ctl_num(o, "shortens"),
	       cli_ctl_num(o, "stored_calls"), cli_s(cli_ctl_num(o, "stored_calls")), cli_ctl_num(o, "tightens"), cli_ctl_str(o, "policy"));
	json_decref(o);
	return CLI_OK;
}

int policy_cmd_propose(int argc, char **argv)
{
	static const struct cli_opt opts[] = {
		CLI_OPT(0, "reason", CLI_TEXT, &reason, "TEXT", "why, for who approves and for the history; asked for when left out"),
		CLI_OPT(0, "ticket", CLI_TEXT, &ticket, "TEXT", "where it was decided"),
		CLI_OPT(0, "valid", CLI_DURATION, &valid_ns, "SPAN", "until when an approval may be used (default 7d, at most 90d)"),
		CLI_OPT_CONTROL(0, &control),
		CLI_OPT_JSON(&json),
		{ 0 },
	};
	static const struct cli cli = {
		.name = "optag policy propose",
		.summary = "ask a second person to approve the policy that the daemon's files hold",
		.opts = opts,
		.operands = "FILE|DIR",
		.min_operands = 1,
		.max_operands = 1,
		.notes = "The operand is what the daemon reads, or a copy of it.\n"
			 "Exit status: 0 proposed, 1 failed, 2 the policy has errors.\n",
	};
	struct policy *now = NULL;
	struct cli_args a;
	int rc = cli_parse(&cli, argc, argv, &a);

	if (rc != CLI_GO_ON)
		return rc;
	rc = policy_tool_load((const char *const *)a.v, 1, (int64_t)time(NULL), &now) ? 2 : propose(now);
	policy_free(now);
	return cli_finish(rc);
}

/* ---- approve ---- */

static int load_secret(const char *path, char name[APPROVAL_NAME], uint8_t seed[APPROVAL_SEED])
{
	int e = approval_key_load(path, true, name, seed);

	if (e == -EPERM)
		cli_err("'%s': others may read the key: chmod 600", path);
	else if (e == -EBADMSG)
		cli_err("'%s': holds no approver's key (optag policy approver-key makes one)", path);
	else if (e)
		cli_err("'%s': %s", path, strerror(-e));
	return e;
}

/* A change of a dynamic set: its number is nowhere but in the daemon. */
static int show_set(const json_t *p)
{
	bool del = json_is_true(json_object_get(p, "del"));
	const char *until = cli_ctl_str(p, "member_until");

	if (!*cli_ctl_str(p, "number")) {
		cli_err("which number it is, is not known here: for root, the daemon's user and approvers, until the daemon ends or it is done");
		return -1;
	}
	printf("%s %s %s set ", del ? "Takes" : "Puts", cli_ctl_str(p, "number"), del ? "out of" : "into");
	cli_text(stdout, cli_ctl_str(p, "set"), 0, false);
	printf("%s%s\n", *until ? ", until " : "", until);
	return 0;
}

/* What it changes, from what runs. */
static int show(struct cli_ctl *c, const json_t *p)
{
	int64_t today = (int64_t)time(NULL);
	struct policy *old = NULL, *new = NULL;
	struct policy_diff d;
	int e;

	fputs("Reason: ", stdout);
	cli_text(stdout, cli_ctl_str(p, "reason"), 0, false);
	fputs(*cli_ctl_str(p, "ticket") ? "\nTicket: " : "", stdout);
	cli_text(stdout, cli_ctl_str(p, "ticket"), 0, false);
	printf("\nProposed by uid %.0f at %s\n", cli_ctl_num(p, "uid"), cli_ctl_str(p, "at"));
	if (*cli_ctl_str(p, "rule")) {
		fputs("Starts again: rule ", stdout);
		cli_text(stdout, cli_ctl_str(p, "rule"), 0, false);
		putchar('\n');
		return 0;
	}
	if (*cli_ctl_str(p, "set"))
		return show_set(p);
	e = policy_tool_fetch(c, NULL, today, &old);
	if (!e)
		e = policy_tool_fetch(c, cli_ctl_str(p, "policy"), today, &new);
	if (!e)
		e = policy_diff(old, new, &d);
	if (!e) {
		e = policy_tool_print_diff(&d, false, true);
		policy_tool_summary(stdout, &d);
		puts(".");
		policy_diff_free(&d);
	}
	policy_free(old);
	policy_free(new);
	return e;
}

static int sign_and_send(struct cli_ctl *c, const json_t *p, const char *name, const uint8_t seed[APPROVAL_SEED])
{
	struct approval a = { .until_s = (uint64_t)cli_ctl_num(p, "until_s"), .proposer = (uint32_t)cli_ctl_num(p, "uid") };
	char text[APPROVAL_MAX];
	json_t *o = NULL;

	snprintf(a.policy, sizeof(a.policy), "%s", cli_ctl_str(p, "policy"));
	snprintf(a.base, sizeof(a.base), "%s", cli_ctl_str(p, "was"));
	snprintf(a.approver, sizeof(a.approver), "%s", name);
	if (approval_sign(&a, seed)) {
		cli_err("cannot sign here");
		return CLI_FAILED;
	}
	(void)approval_format(&a, text);
	if (cli_ctl_ask(c, json_pack("{s:s, s:s}", "do", "policy-approve", "approval", text), &o))
		return CLI_FAILED;
	(void)json_object_del(o, "ok");
	if (json)
		return cli_json_line(stdout, o) ? CLI_FAILED : CLI_OK;
	printf("Approved by %s until %s. %s\n", name, cli_ctl_str(o, "until"),
	       *cli_ctl_str(p, "rule") ? "It starts with: optag rule start" :
	       *cli_ctl_str(p, "set")  ? "It is made with: optag set, as before" :
					 "It comes in force with: optag policy apply");
	json_decref(o);
	return CLI_OK;
}

static int approve(struct cli_ctl *c, const char *hash, const char *name, const uint8_t seed[APPROVAL_SEED])
{
	json_t *p = NULL;
	int rc = CLI_FAILED;

	if (cli_ctl_ask(c, json_pack("{s:s, s:s}", "do", "policy-proposal", "policy", hash), &p))
		return rc;
	if (strcmp(cli_ctl_str(p, "running"), cli_ctl_str(p, "was")) != 0)
		cli_err("what was proposed is a step from another policy than runs now: it has to be proposed anew");
	else if (!show(c, p) && policy_tool_confirmed(yes, "Approve it?", "not approved"))
		rc = sign_and_send(c, p, name, seed);
	json_decref(p);
	return rc;
}

int policy_cmd_approve(int argc, char **argv)
{
	static const struct cli_opt opts[] = {
		CLI_REQUIRED('k', "key", CLI_FILE, &key_file, "FILE", "the approver's key"),
		CLI_OPT('y', "yes", CLI_FLAG, &yes, NULL, "do not ask"),
		CLI_OPT_CONTROL(0, &control),
		CLI_OPT_JSON(&json),
		{ 0 },
	};
	static const struct cli cli = {
		.name = "optag policy approve",
		.summary = "approve what somebody else proposed, by a signature",
		.opts = opts,
		.operands = "HASH",
		.min_operands = 1,
		.max_operands = 1,
		.notes = "HASH is what optag policy propose printed; eight digits of it suffice.\n"
			 "Exit status: 0 approved, 1 failed, refused or not confirmed.\n",
	};
	uint8_t seed[APPROVAL_SEED];
	char name[APPROVAL_NAME];
	struct cli_ctl *c = NULL;
	struct cli_args a;
	int rc = cli_parse(&cli, argc, argv, &a);

	if (rc != CLI_GO_ON)
		return rc;
	cli_no_dump();
	if (load_secret(key_file, name, seed))
		return CLI_FAILED;
	rc = cli_ctl_open(control, &c) ? CLI_FAILED : approve(c, a.v[0], name, seed);
	explicit_bzero(seed, sizeof(seed));
	cli_ctl_close(c);
	return cli_finish(rc);
}

/* ---- approver-key ---- */

static int write_new(const char *path, mode_t mode, const char *text, size_t n)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode), e = 0;

	if (fd < 0)
		e = -errno;
	else if (write(fd, text, n) != (ssize_t)n || fsync(fd))
		e = errno ? -errno : -EIO;
	if (fd >= 0)
		close(fd);
	if (e)
		cli_err("'%s': %s", path, strerror(-e));
	return e;
}

static int make_key(const char *path)
{
	uint8_t seed[APPROVAL_SEED], pub[APPROVAL_PUBLIC];
	char text[APPROVAL_FILE_MAX], public_path[4096];
	size_t n;
	int e = approval_key_new(seed, pub);

	if (e) {
		cli_err("no key can be made here: %s", strerror(-e));
		return CLI_FAILED;
	}
	n = approval_key_format(true, person, seed, text);
	e = write_new(path, 0600, text, n);
	explicit_bzero(text, sizeof(text));
	explicit_bzero(seed, sizeof(seed));
	if (e)
		return CLI_FAILED;
	snprintf(public_path, sizeof(public_path), "%s.pub", path);
	n = approval_key_format(false, person, pub, text);
	if (write_new(out_file ? out_file : public_path, 0644, text, n))
		return CLI_FAILED;
	printf("%s is %s's alone; %s is for optagd.conf:\napproval { required loosening; approver %s \"...\" }\n", path, person,
	       out_file ? out_file : public_path, person);
	return CLI_OK;
}

int policy_cmd_approver_key(int argc, char **argv)
{
	static const struct cli_opt opts[] = {
		CLI_REQUIRED('n', "name", CLI_TEXT, &person, "NAME", "whose it is: the person's name on the recorder, if there is one"),
		CLI_OPT(0, "public", CLI_FILE, &out_file, "FILE", "where the public key goes (default FILE.pub)"),
		{ 0 },
	};
	static const struct cli cli = {
		.name = "optag policy approver-key",
		.summary = "make the key with which a person approves policies",
		.opts = opts,
		.operands = "FILE",
		.min_operands = 1,
		.max_operands = 1,
		.notes = "NAME is a-z 0-9 . _ -, and starts with a letter.\n",
	};
	struct cli_args a;
	int rc = cli_parse(&cli, argc, argv, &a);

	if (rc != CLI_GO_ON)
		return rc;
	if (!approval_name_ok(person))
		return cli_usage("a name is a-z 0-9 . _ -, starts with a letter, and has no five digits in a row");
	cli_no_dump();
	return cli_finish(make_key(a.v[0]));
}
