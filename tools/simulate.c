/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * simulate.c - `optag policy simulate`: what another policy would have made of past calls
 *
 * A program of its own, since it can hold a power that the other policy tools have not: with --keys
 * it opens who called whom of kept calls whose rule would be another, to ask the new policy. It
 * prints no number, and writes nothing.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "simulate.h"

static struct sim sim = {.store = CLI_STORE_DIR, .examples = 5};
static const char *policy_path = CLI_POLICY_DIR;
static uint64_t examples = 5, today_ns;

static int load(void)
{
	struct policy_diags d = {0};
	int64_t on = today_ns ? (int64_t)(today_ns / 1000000000) : (int64_t)time(NULL);
	int e = policy_load(&policy_path, 1, on, &d, &sim.policy);

	for (size_t i = 0; e && i < d.n; i++)
		policy_diag_print(stderr, &d.d[i]);
	policy_diags_free(&d);
	if (e) {
		cli_err("'%s': does not load, so nothing can be decided by it", policy_path);
		return CLI_FAILED;
	}
	sim.nrule = policy_rules(sim.policy);
	sim.rule = calloc(sim.nrule + 1, sizeof(*sim.rule));
	if (!sim.rule) {
		cli_err("out of memory");
		return CLI_FAILED;
	}
	for (size_t i = 0; i < sim.nrule; i++) {
		const struct policy_block *b;

		sim.rule[i].rule = policy_rule(sim.policy, i);
		b = &sim.rule[i].rule->purpose[POLICY_TRAINING];
		sim.rule[i].samples = b->basis != POLICY_B_NONE &&
				      (b->sample_permille >= 0 || b->ncap) &&
				      !sample_rule_init(sim.rule[i].rule, &sim.rule[i].set);
	}
	return CLI_OK;
}

int main(int argc, char **argv)
{
	static const struct cli_opt opts[] = {
		CLI_OPT_POLICY(&policy_path),
		CLI_OPT_STORE(&sim.store),
		CLI_OPT('S', "since", CLI_TIME, &sim.since_ns, "T",
			"calls that began at T or later"),
		CLI_OPT('U', "until", CLI_TIME, &sim.until_ns, "T", "calls that began before T"),
		CLI_OPT('k', "keys", CLI_DIR, &sim.keys, "DIR",
			"private keys: opens who called whom where the match is another"),
		CLI_OPT(0, "examples", CLI_UINT, &examples, "N",
			"calls named for each kind of change (default 5)"),
		CLI_OPT(0, "today", CLI_TIME, &today_ns, "DATE",
			"judge review dates of the policy as on this day (default: now)"),
		CLI_OPT_JSON(&sim.json),
		{0},
	};
	static const struct cli cli = {
		.name = "optag policy simulate",
		.summary = "say what a policy would have made of past calls",
		.opts = opts,
		.operands = "[FILE.pcap...]",
		.max_operands = -1,
		.notes = "With captures: what the policy would make of their calls, instead of a "
			 "store's. Nothing is kept or changed.\n"
			 "Exit status 3: the evidence log is damaged.",
	};
	struct cli_args a;
	int rc = cli_parse(&cli, argc, argv, &a);

	if (rc != CLI_GO_ON)
		return rc;
	if (sim.keys)
		cli_no_dump();
	if (sim.keys && access(sim.keys, X_OK)) {
		cli_err("'%s': %s", sim.keys, strerror(errno));
		return CLI_FAILED;
	}
	if (sim.until_ns && sim.since_ns >= sim.until_ns)
		return cli_usage("--since must be before --until");
	if (a.n && sim.keys)
		return cli_usage("--keys is for calls of a store");
	if (examples > 1000)
		return cli_usage("--examples: at most 1000");
	sim.examples = (unsigned)examples;
	sim.captures = a.n > 0;
	rc = load();
	if (!rc && a.n)
		rc = sim_capture(&sim, a.v, a.n);
	if (!rc)
		rc = sim_read(&sim);
	if (!rc)
		rc = sim_run(&sim);
	if (!rc)
		rc = sim_tell(&sim);
	sim_capture_end(&sim);
	sim_free(&sim);
	return cli_finish(rc);
}
