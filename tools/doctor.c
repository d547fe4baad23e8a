/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * doctor.c - `optag doctor`: what this machine can do
 *
 * Per check: what was found, what it costs, what to do, for a daemon with the
 * settings of this machine. Exit 0: optagd can record here; 1: something is missing.
 */
#include "doctor.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "conf.h"

static const char *opt_config = CONF_FILE, *opt_store, *opt_keys, *opt_interface, *opt_policy;
static bool opt_json, opt_measure;
static unsigned count[DOCTOR_MISSING + 1];

static const struct cli_opt opts[] = {
	CLI_OPT('c', "config", CLI_FILE, &opt_config, "FILE", "the daemon's settings (default " CONF_FILE ")"),
	CLI_OPT('i', "interface", CLI_STR, &opt_interface, "NAME", "look at this network interface (default: those of the settings)"),
	CLI_OPT('p', "policy", CLI_FILE, &opt_policy, "PATH", "what trunks of this policy need of a card (default: that of the settings)"),
	CLI_OPT('s', "store", CLI_DIR, &opt_store, "DIR", "the store (default: that of the settings)"),
	CLI_OPT('k', "keys", CLI_DIR, &opt_keys, "DIR", "where private keys would lie (default STORE-keys and /etc/optag)"),
	CLI_OPT('m', "measure", CLI_FLAG, &opt_measure, NULL, "write 64 MiB beside the store to see how fast its disk is"),
	CLI_OPT_JSON(&opt_json),
	{ 0 },
};

static const struct cli cli = {
	.name = "optag doctor",
	.summary = "what this machine can do, what it costs, what to do",
	.opts = opts,
	.notes = "Exit 0: optagd can record here; 1: something is missing. Root sees more.",
};

static const char *const level_names[] = { "ok", "unknown", "costs", "missing" };

bool doctor_line(const char *path, char *out, unsigned size)
{
	FILE *f = fopen(path, "re");
	bool ok = f && fgets(out, (int)size, f);

	if (f)
		fclose(f);
	if (ok)
		out[strcspn(out, "\n")] = 0;
	return ok;
}

static void put_json(enum doctor_level level, const char *check, const char *about, const char *found, const char *cost,
		     const char *fix)
{
	json_t *o = json_object();

	(void)json_object_set_new(o, "check", json_string(check));
	(void)json_object_set_new(o, "about", *about ? cli_json_str(about) : json_null());
	(void)json_object_set_new(o, "level", json_string(level_names[level]));
	(void)json_object_set_new(o, "found", cli_json_str(found));
	(void)json_object_set_new(o, "cost", cli_json_str(cost));
	(void)json_object_set_new(o, "fix", cli_json_str(fix));
	(void)cli_json_line(stdout, o); /* told by cli_finish */
}

void doctor_find(enum doctor_level level, const char *check, const char *about, const char *cost, const char *fix,
		 const char *fmt, ...)
{
	static const char *const colour[] = { "\033[32m", "\033[36m", "\033[33m", "\033[31m" };
	bool tty = isatty(STDOUT_FILENO) == 1;
	char found[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(found, sizeof(found), fmt, ap);
	va_end(ap);
	count[level]++;
	if (opt_json) {
		put_json(level, check, about, found, cost, fix);
		return;
	}
	printf("%s%-8s%s %-11s ", tty ? colour[level] : "", level_names[level], tty ? "\033[0m" : "", check);
	if (*about) {
		cli_text(stdout, about, 0, false);
		fputs(": ", stdout);
	}
	cli_text(stdout, found, 0, false);
	putchar('\n');
	if (cost)
		printf("%21scost: %s\n", "", cost);
	if (fix)
		printf("%21sdo:   %s\n", "", fix);
}

int main(int argc, char **argv)
{
	static struct conf conf;
	struct cli_args args;
	int rc = cli_parse(&cli, argc, argv, &args);

	if (rc != CLI_GO_ON)
		return rc;
	doctor_conf(opt_config, &conf);
	doctor_kernel(&conf);
	doctor_machine();
	doctor_nic(opt_interface, opt_policy ? opt_policy : conf.policy, &conf);
	doctor_store(opt_store ? opt_store : conf.store, opt_keys, opt_measure);
	if (!opt_json)
		printf("\n%u ok, %u cost something, %u missing, %u could not be looked at%s\n", count[DOCTOR_OK], count[DOCTOR_COSTS],
		       count[DOCTOR_MISSING], count[DOCTOR_UNKNOWN], geteuid() ? " (run it as root)" : "");
	return cli_finish(count[DOCTOR_MISSING] ? CLI_FAILED : CLI_OK);
}
