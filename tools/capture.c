/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * capture.c - `optag capture selftest`: does this installation decide as the guidance says?
 *
 * For each situation of guidance 4 the example policy that is installed is taken, with every call drawn; calls are made up, one for
 * each reaction, and the installed programs do the rest: optag-init makes a store in a directory of its own, optag-replay runs the calls through the
 * pipeline, optag-find says what became of them. That is held against the truth table that the tests use, states and reasons.
 * No daemon, store or setting of the machine is touched. Links no store: it runs programs. One thread.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "capture.h"
#include "cli.h"

static const struct {
	const char *name, *file; /* of the truth table, of the example: how its name begins */
	const char *calling, *called;
	bool outbound;
} situations[] = {
	{ "A1", "a1-", "+4520304050", "+4570102001", false }, { "A2", "a2-", "+4520304050", "+4570102001", false },
	{ "A3", "a3-", "+4520304050", "+4570102001", false }, { "B", "b-", "+4588123450", "+4520304050", true },
	{ "C", "c-", "+4520304050", "+4570102001", false },	{ "D", "d-", "+4520304050", "+4570102012", false },
	{ "E", "e-", "+4520304050", "+4570102001", false },	{ "F", "f-", "+4520304050", "+4570102001", false },
	{ "G", "g-", "+4520304050", "+4570102012", false },
};
#define SITUATIONS (sizeof(situations) / sizeof(situations[0]))

/* The truth table's reactions, at times that suit the windows of the examples: from 3 s after the notice began to 10 s after it. */
static const struct capture_reaction reactions[] = {
	{ .name = "consent", .press = { { 6000, false, "1" } } },
	{ .name = "silence" },
	{ .name = "wrong-key", .press = { { 6000, false, "5" } } },
	{ .name = "other-leg", .press = { { 6000, true, "1" }, { 8000, true, "9" } } },
	{ .name = "opt-out-1s", .press = { { 2500, false, "9" } } },
	{ .name = "opt-out-mid", .press = { { 40000, false, "9" } } },
	{ .name = "opt-out-agent", .press = { { 40000, true, "*7" } } },
	{ .name = "opt-out-late", .press = { { CAPTURE_BYE_MS - 300, false, "9" } } },
	{ .name = "withdrawal", .press = { { 6000, false, "1" }, { 20000, false, "0" } } },
	{ .name = "again", .press = { { 5000, false, "1" }, { 7000, false, "0" }, { 9500, false, "1" } } },
	{ .name = "hang-up", .bye_ms = 6000 },
	{ .name = "lost", .press = { { 6000, false, "1" } }, .lose_from_ms = 5700, .lose_to_ms = 6300 },
	{ .name = "off", .off = true },
	{ .name = "unannounced", .unannounced = true },
};
#define REACTIONS (sizeof(reactions) / sizeof(reactions[0]))

static const char *examples, *truth;
static bool json, keep;
static char own_dir[PATH_MAX], work[64];
static unsigned differ, shown;

/* ---- where things are ---- */

static void find_own_dir(void)
{
	ssize_t n = readlink("/proc/self/exe", own_dir, sizeof(own_dir) - 1);
	char *slash;

	own_dir[n > 0 ? n : 0] = 0;
	slash = strrchr(own_dir, '/');
	if (slash)
		*slash = 0;
}

/* Beside an installed program, else beside the tree it was built in. */
static bool found(const char *installed, const char *built, char path[PATH_MAX])
{
	if (snprintf(path, PATH_MAX, "%s/../share/optag/%s", own_dir, installed) < PATH_MAX && !access(path, R_OK))
		return true;
	return snprintf(path, PATH_MAX, "%s/../../%s", own_dir, built) < PATH_MAX && !access(path, R_OK);
}

/* ---- programs ---- */

/* Runs optag-NAME; its output goes to `out` (a file of the work directory). Its status, -1 it did not run. */
static int run(const char *out, const char *const argv[])
{
	char prog[PATH_MAX], file[128];
	int status, fd;
	pid_t pid;

	if (snprintf(prog, sizeof(prog), "%s/%s", own_dir, argv[0]) >= (int)sizeof(prog))
		return -1;
	snprintf(file, sizeof(file), "%s/%s", work, out);
	fflush(stdout);
	pid = fork();
	if (pid < 0)
		return -1;
	if (!pid) {
		fd = open(file, O_WRONLY | O_CREAT | O_TRUNC, 0600);
		if (fd < 0 || dup2(fd, 1) < 0)
			_exit(127);
		execv(prog, (char *const *)(uintptr_t)argv);
		execvp(argv[0], (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	return WIFEXITED(status) && WEXITSTATUS(status) != 127 ? WEXITSTATUS(status) : -1;
}

/* ---- the policy: the example, in which every call is drawn (L-53 wants a second approver for that) ---- */

static bool example_path(const char *begins, char path[PATH_MAX])
{
	DIR *d = opendir(examples);
	bool ok = false;
	struct dirent *e;

	while (d && !ok && (e = readdir(d)))
		ok = !strncmp(e->d_name, begins, strlen(begins)) && strlen(e->d_name) < 200 &&
		     snprintf(path, PATH_MAX, "%s/%s", examples, e->d_name) < PATH_MAX;
	if (d)
		closedir(d);
	return ok;
}

static int write_policy(const char *from, const char *to)
{
	FILE *in = fopen(from, "r"), *out = in ? fopen(to, "w") : NULL;
	bool second = false, amount = false;
	char line[4096];

	while (out && fgets(line, sizeof(line), in)) {
		const char *word = line + strspn(line, " \t");

		if (!strncmp(word, "assessment ", 11) && line[0] == 'a')
			second = amount = false;
		amount |= !strncmp(word, "kind training-amount", 20);
		second |= !strncmp(word, "second-approver", 15);
		if (!strncmp(word, "cap ", 4))
			continue;
		if (!strncmp(word, "sample ", 7))
			fputs("\t\tsample 100%\n\t\tcap 1000 per day\n\t\tspread first-come\n", out);
		else
			fputs(line, out);
		if (amount && !second && !strncmp(word, "approver ", 9)) {
			fputs("\tsecond-approver \"selftest\"\n", out);
			second = true;
		}
	}
	if (in)
		fclose(in);
	return out && fclose(out) == 0 ? 0 : -1;
}

/* ---- what is to become of a call, and what did ---- */

struct want {
	char state[2][16], reason[2][48]; /* documentation, training; "NONE", "" */
	bool any;
};

static struct want wants[SITUATIONS][REACTIONS];

static int read_truth(void)
{
	FILE *f = fopen(truth, "r");
	char line[1024], s[32], r[32], p[32], state[16], reason[48];

	while (f && fgets(line, sizeof(line), f)) {
		size_t i = 0, k = 0;
		int doc;

		if (*line == '#' || sscanf(line, "%31s %31s %31s %15s %47s", s, r, p, state, reason) != 5 || !strcmp(p, "seen"))
			continue;
		while (i < SITUATIONS && strcmp(situations[i].name, s))
			i++;
		while (k < REACTIONS && strcmp(reactions[k].name, r))
			k++;
		if (i == SITUATIONS || k == REACTIONS)
			continue; /* variants of a rule that no example has */
		doc = !strcmp(p, "documentation");
		if (!wants[i][k].any)
			wants[i][k] = (struct want){ { "NONE", "NONE" }, { "", "" }, true };
		snprintf(wants[i][k].state[!doc], sizeof(state), "%s", state);
		snprintf(wants[i][k].reason[!doc], sizeof(reason), "%s", strcmp(reason, "-") ? reason : "");
	}
	if (f)
		fclose(f);
	for (size_t i = 0; i < SITUATIONS; i++)
		for (size_t k = 0; k < REACTIONS; k++)
			if (!wants[i][k].any) {
				cli_err("%s: nothing of %s, %s", truth, situations[i].name, reactions[k].name);
				return -1;
			}
	return 0;
}

static const char *text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

static void compare(size_t i, size_t k, const json_t *row)
{
	static const char *const purpose[2] = { "documentation", "training" };
	const struct want *w = &wants[i][k];
	bool ok = row;

	for (int p = 0; row && p < 2; p++)
		ok &= !strcmp(text(row, purpose[p]), w->state[p]) && !strcmp(text(json_object_get(row, "reasons"), purpose[p]), w->reason[p]);
	differ += !ok;
	shown++;
	if (json) {
		(void)cli_json_line(stdout, json_pack("{s:s, s:s, s:b, s:s, s:s, s:s, s:s}", "situation", situations[i].name, "reaction", reactions[k].name,
						      "ok", ok, "documentation", row ? text(row, purpose[0]) : "", "training",
						      row ? text(row, purpose[1]) : "", "expected_documentation", w->state[0], "expected_training",
						      w->state[1]));
		return;
	}
	printf("%-4s %-2s  %-13s  documentation %-9s  training %s", ok ? "ok" : "FAIL", situations[i].name, reactions[k].name,
	       row ? text(row, purpose[0]) : "-", row ? text(row, purpose[1]) : "-");
	if (!ok)
		printf(" (%s), expected: documentation %s %s, training %s %s", row ? text(json_object_get(row, "reasons"), purpose[1]) : "no such call",
		       w->state[0], w->reason[0], w->state[1], w->reason[1]);
	printf("\n");
}

static int read_rows(size_t i)
{
	json_t *row[REACTIONS] = { 0 };
	char file[128], *line = NULL;
	size_t room = 0;
	FILE *f;

	snprintf(file, sizeof(file), "%s/rows", work);
	f = fopen(file, "r");
	while (f && getline(&line, &room, f) > 0) {
		json_t *o = json_loads(line, 0, NULL);
		const char *id = text(o, "sip_call_id");

		for (size_t k = 0; k < REACTIONS; k++)
			if (!row[k] && !strcmp(id, reactions[k].name))
				row[k] = json_incref(o);
		json_decref(o);
	}
	free(line);
	if (f)
		fclose(f);
	for (size_t k = 0; k < REACTIONS; k++) {
		compare(i, k, row[k]);
		json_decref(row[k]);
	}
	return f ? 0 : -1;
}

/* ---- one situation ---- */

static int situation(size_t i)
{
	struct capture_call calls[REACTIONS];
	char from[PATH_MAX], policy[128], pcap[128], store[128], keys[128];
	FILE *f;
	int e;

	snprintf(policy, sizeof(policy), "%s/%s.policy", work, situations[i].name);
	snprintf(pcap, sizeof(pcap), "%s/%s.pcap", work, situations[i].name);
	snprintf(store, sizeof(store), "%s/%s", work, situations[i].name);
	snprintf(keys, sizeof(keys), "%s/%s.keys", work, situations[i].name);
	if (!example_path(situations[i].file, from) || write_policy(from, policy)) {
		cli_err("%s: no example for %s", examples, situations[i].name);
		return -1;
	}
	for (unsigned k = 0; k < REACTIONS; k++)
		calls[k] = (struct capture_call){ .id = reactions[k].name, .calling = situations[i].calling, .called = situations[i].called,
						  .outbound = situations[i].outbound, .what = &reactions[k], .n = k };
	f = fopen(pcap, "w");
	/* an hour ago: nothing of it is due to be destroyed, and it is over */
	e = f ? capture_write(f, calls, REACTIONS, clock_now_ns() - 3600 * NS_PER_S) : -errno;
	if (f && fclose(f) && !e)
		e = -EIO;
	if (e) {
		cli_err("'%s': %s", pcap, strerror(-e));
		return -1;
	}
	if (run("init", (const char *const[]){ "optag-init", "--store", store, "--keys", keys, NULL }) ||
	    run("replay", (const char *const[]){ "optag-replay", "--store", store, "--policy", policy, pcap, NULL }) ||
	    run("rows", (const char *const[]){ "optag-find", "--store", store, "--json", NULL })) {
		cli_err("%s: optag-init, optag-replay or optag-find failed", situations[i].name);
		return -1;
	}
	e = read_rows(i);
	(void)unlink(pcap);
	return e;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st, (void)type, (void)at;
	return remove(path);
}

static int cmd_selftest(int argc, char **argv)
{
	static const struct cli_opt opts[] = {
		CLI_OPT(0, "examples", CLI_DIR, &examples, "DIR", "the example policies (default: those that are installed)"),
		CLI_OPT(0, "truth", CLI_FILE, &truth, "FILE", "the table of what is to become of each call (default: the installed one)"),
		CLI_OPT(0, "keep", CLI_FLAG, &keep, NULL, "leave the stores and policies, and say where"),
		CLI_OPT_JSON(&json),
		{ 0 },
	};
	static const struct cli c = {
		.name = "optag capture selftest",
		.summary = "play each situation of the guidance with each reaction, and check what is decided",
		.opts = opts,
		.notes = "Takes a minute, in a directory of its own that it removes. Exit status: 0 all as it is to be, 1 something differs.\n",
	};
	static char examples_path[PATH_MAX], truth_path[PATH_MAX];
	const char *tmp = getenv("TMPDIR");
	struct cli_args a;
	int rc = cli_parse(&c, argc, argv, &a);

	if (rc != CLI_GO_ON)
		return rc;
	find_own_dir();
	if (!examples && found("examples", "policy/examples", examples_path))
		examples = examples_path;
	if (!truth && found("truth.tsv", "tests/golden/truth/table.tsv", truth_path))
		truth = truth_path;
	if (!examples || !truth) {
		cli_err("no %s beside this program: name them by --%s", examples ? "truth table" : "example policies", examples ? "truth" : "examples");
		return cli_finish(CLI_FAILED);
	}
	snprintf(work, sizeof(work), "%s/optag-selftest.XXXXXX", tmp && strlen(tmp) < 32 ? tmp : "/tmp");
	if (read_truth() || !mkdtemp(work)) {
		if (*work && errno)
			cli_err("'%s': %s", work, strerror(errno));
		return cli_finish(CLI_FAILED);
	}
	rc = CLI_OK;
	for (size_t i = 0; i < SITUATIONS && !rc; i++)
		rc = situation(i) ? CLI_FAILED : CLI_OK;
	if (keep)
		fprintf(stderr, "%s\n", work);
	else
		(void)nftw(work, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	if (!json && !rc)
		printf("%u of %u as the guidance has it\n", shown - differ, shown);
	return cli_finish(rc || differ ? CLI_FAILED : CLI_OK);
}

int main(int argc, char **argv)
{
	static const struct cli_cmd cmds[] = {
		{ "selftest", "check what this installation decides, situation by situation", cmd_selftest },
		{ 0 },
	};

	return cli_dispatch("optag capture", "what concerns capture as a whole", cmds, argc, argv);
}
