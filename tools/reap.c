/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * reap.c - `optag reap`: destroys what is due and gives its space back (daemon/store/reap.h)
 *
 * Links nothing that opens a wrap or a chunk, and has no private key; runs as a user of its own, from a timer.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "store/reap.h"

static const char *store_dir = CLI_STORE_DIR;
static bool json, dry, wait_other, confirm, quiet;
static uint64_t now_ns, until_ns, rate;

static const struct cli_opt opts[] = {
	CLI_OPT_STORE(&store_dir),
	CLI_OPT('n', "dry-run", CLI_FLAG, &dry, NULL, "say what would be destroyed, change nothing"),
	CLI_OPT(0, "until", CLI_TIME, &until_ns, "T", "only what is due by then; later than now with --dry-run alone"),
	CLI_OPT(0, "now", CLI_TIME, &now_ns, "T", "go by this time instead of the clock's (tests, rehearsals)"),
	CLI_OPT(0, "confirm", CLI_FLAG, &confirm, NULL, "the clock is right, although it jumped"),
	CLI_OPT('w', "wait", CLI_FLAG, &wait_other, NULL, "wait for another reaper instead of leaving it the work"),
	CLI_OPT(0, "rate", CLI_UINT, &rate, "N", "at most N files or holes a second when space is given back"),
	CLI_OPT('q', "quiet", CLI_FLAG, &quiet, NULL, "the summary only, and nothing when nothing was due"),
	CLI_OPT_JSON(&json),
	{ 0 },
};

static const struct cli cli = {
	.name = "optag reap",
	.summary = "destroy what is due, and give its space back",
	.opts = opts,
	.notes = "Keys first, oldest first; killed anywhere it goes on the next time. Exit status: 0 done, or another reaper\n"
		 "does it; 1 something failed or the clock needs --confirm; 3 something is damaged. What could be done was done.\n",
};

static void text_time(uint64_t ns)
{
	char t[32];

	clock_format(ns, t);
	t[19] = 0; /* seconds do */
	printf("%sZ", t);
}

static void json_item(const struct reap_item *it)
{
	char uid[UID_TEXT] = "", day[16] = "";
	json_t *o = json_pack("{s:s}", dry ? "would" : "did", reap_what_names[it->what]);

	if (it->controller)
		(void)json_object_set_new(o, "controller", cli_json_str(it->controller));
	if (it->purpose >= 0)
		(void)json_object_set_new(o, "purpose", json_string(store_purpose_names[it->purpose]));
	if (it->day) {
		snprintf(day, sizeof(day), "%04u-%02u-%02u", it->day / 10000 % 10000, it->day / 100 % 100, it->day % 100);
		(void)json_object_set_new(o, "day", json_string(day));
	}
	if (it->call) {
		uid_format(it->call, uid);
		(void)json_object_set_new(o, "call", json_string(uid));
	}
	if (it->reason)
		(void)json_object_set_new(o, "reason", cli_json_str(it->reason));
	if (it->due_ns) {
		(void)json_object_set_new(o, "due", cli_json_time(it->due_ns));
		(void)json_object_set_new(o, "late_s", json_real((double)it->late_ns / NS_PER_S));
	}
	if (it->what == REAP_BUCKET) {
		(void)json_object_set_new(o, "calls", json_integer((json_int_t)it->calls));
		(void)json_object_set_new(o, "held", json_integer((json_int_t)it->held));
		(void)json_object_set_new(o, "late", json_integer((json_int_t)it->late));
	}
	if (it->what == REAP_DAY || it->what == REAP_RECORDS) {
		(void)json_object_set_new(o, "files", json_integer((json_int_t)it->files));
		(void)json_object_set_new(o, "bytes", json_integer((json_int_t)it->bytes));
	}
	(void)cli_json_line(stdout, o); /* a failed write is told once, by cli_finish */
}

static void text_item(const struct reap_item *it)
{
	char uid[UID_TEXT];

	printf("%s", it->controller ? it->controller : "all");
	if (it->purpose >= 0)
		printf(" %s", store_purpose_names[it->purpose]);
	if (it->day)
		printf(" %04u-%02u-%02u", it->day / 10000 % 10000, it->day / 100 % 100, it->day % 100);
	switch (it->what) {
	case REAP_BUCKET:
		printf(": %s, due ", cli_n(it->calls, "call"));
		text_time(it->due_ns);
		if (it->held)
			printf(", %" PRIu64 " held", it->held);
		if (it->late)
			printf(", %" PRIu64 " past their own deadline", it->late);
		break;
	case REAP_CALL:
		uid_format(it->call, uid);
		printf(" call %s: %s", uid, it->reason ? it->reason : "erased");
		break;
	case REAP_DAY:
		printf(": %s, %.1f MB", cli_n(it->files, "file"), (double)it->bytes / 1e6);
		break;
	case REAP_WAITING:
		printf(": still in use, its space comes with a later run");
		break;
	default:
		printf(": decision records of %s and before", cli_n(it->files, "day"));
		break;
	}
	printf("\n");
}

static void item(void *arg, const struct reap_item *it)
{
	(void)arg;
	if (quiet)
		return;
	if (json)
		json_item(it);
	else
		text_item(it);
}

static void fault(void *arg, const char *text)
{
	(void)arg;
	cli_err("%s", text);
}

static void progress(void *arg, const char *what, uint64_t bytes, uint64_t calls)
{
	static const char *now;

	(void)arg;
	if (now != what) { /* constants: a new phase */
		cli_progress_end();
		cli_progress_start(what, 0);
		now = what;
	}
	cli_progress(bytes, calls);
}

static int summary(const struct reap_totals *t)
{
	char as_of[32];

	if (json)
		return cli_json_line(
			stdout,
			json_pack("{s:b, s:o, s:b, s:I, s:I, s:I, s:I, s:I, s:f, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:f, s:b, s:f, s:f}", "dry_run", dry,
				  "due", cli_json_time(t->due_ns), "by_hand", now_ns != 0, "destroyed", (json_int_t)t->calls, "buckets",
				  (json_int_t)t->buckets, "single", (json_int_t)t->single, "released", (json_int_t)t->released, "late",
				  (json_int_t)t->late, "late_max_s", (double)t->late_max_ns / NS_PER_S, "held", (json_int_t)t->held, "days",
				  (json_int_t)t->days, "files", (json_int_t)t->files, "bytes", (json_int_t)t->bytes, "waiting",
				  (json_int_t)t->waiting, "faults", (json_int_t)t->faults, "dead_s", (double)t->dead_ns / NS_PER_S, "seconds",
				  (double)t->run_ns / NS_PER_S, "held_back", t->held_back, "clock_ahead_s", (double)t->ahead_ns / NS_PER_S,
				  "clock_behind_s", (double)t->behind_ns / NS_PER_S));
	if (quiet && !t->calls && !t->buckets && !t->days && !t->released && !t->faults)
		return 0;
	printf("%s%s destroyed, %" PRIu64 " late, %" PRIu64 " held, %.1f MB freed, %.1f s (all keys after %.2f s)", dry ? "would be: " : "",
	       cli_n(t->calls, "call"), t->late, t->held, (double)t->bytes / 1e6, (double)t->run_ns / NS_PER_S, (double)t->dead_ns / NS_PER_S);
	if (t->waiting)
		printf(", %s for a later run", cli_n(t->waiting, "day"));
	if (t->faults)
		printf(", %s", cli_n(t->faults, "failure"));
	if (now_ns) {
		clock_format(now_ns, as_of);
		as_of[19] = 0;
		printf(", as of %sZ, given by hand", as_of);
	}
	printf("\n");
	return 0;
}

static void tell_clock(const struct reap_totals *t)
{
	char last[32];

	if (t->clock_lost)
		cli_err("%s/reap.clock: damaged: %s", store_dir, t->floor_ns ? "the clock is compared with what the store did last" :
								    confirm ? "made anew" : "left as it is");
	if (t->held_back && t->floor_ns) {
		clock_format(t->floor_ns, last);
		last[10] = 0;
		cli_err("the clock is %.1f days ahead of %s, the last that the store itself bears out%s: if it is right, run again with --confirm",
			(double)t->ahead_ns / NS_PER_S / 86400, last, t->clock_lost ? "" : " (reap.clock is not there)");
	} else if (t->held_back) {
		cli_err("the clock is %.1f days ahead of what it can be since the last run: if it is right, run again with --confirm",
			(double)t->ahead_ns / NS_PER_S / 86400);
	}
	if (t->behind_ns > 5 * NS_PER_S)
		cli_err("the clock is %.0f s behind what it must be since the last run; deadlines go on without it (--confirm: it is right)",
			(double)t->behind_ns / NS_PER_S);
}

int main(int argc, char **argv)
{
	struct reap_settings s = { .item = item, .fault = fault, .progress = progress };
	struct reap_totals t = { 0 };
	char why[512] = "";
	struct cli_args args;
	int rc = cli_parse(&cli, argc, argv, &args);

	if (rc != CLI_GO_ON)
		return rc;
	cli_no_dump(); /* bucket keys */
	if (until_ns && !dry && until_ns > (now_ns ? now_ns : clock_now_ns()))
		return cli_usage("--until lies ahead: nothing is destroyed before its time (--dry-run shows it)");
	if (rate > UINT32_MAX)
		return cli_usage("--rate is too large");
	s.clock_ns = clock_now_ns();
	s.who = (uint32_t)getuid();
	if (now_ns && now_ns < s.clock_ns)
		clock_set_ns(now_ns); /* events and the evidence log, too; what lies ahead has not happened */
	s.store = store_dir;
	s.now_ns = now_ns;
	s.told = now_ns != 0;
	s.confirm = confirm;
	s.until_ns = until_ns;
	s.dry = dry;
	s.wait = wait_other;
	s.rate = (unsigned)rate;
	rc = reap_run(&s, &t, why, sizeof(why));
	cli_progress_end();
	if (rc == -EBUSY && !t.due_ns) {
		if (!quiet)
			cli_err("%s", why);
		return cli_finish(CLI_OK);
	}
	if (!t.due_ns) { /* it did not begin */
		cli_err("%s", *why ? why : strerror(-rc));
		return cli_finish(cli_exit_code(rc));
	}
	tell_clock(&t);
	if (rc && rc != -ETIME && !t.faults) /* what kept it from all of it is no fault of one file */
		cli_err("%s", *why ? why : strerror(-rc));
	if (summary(&t))
		return cli_finish(CLI_FAILED);
	return cli_finish(cli_exit_code(rc));
}
