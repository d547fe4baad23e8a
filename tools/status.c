/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * status.c - `optag status`: what the daemon says of itself, once
 *
 * Asks the control socket; --json gives the answer as it came (daemon/status.h
 * is the contract). Exit 0 a daemon answered, 1 none did.
 */
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "cli.h"
#include "cli_ctl.h"

static const char *opt_socket = CLI_CTL_PATH;
static bool opt_json;

static const struct cli_opt opts[] = {
	CLI_OPT_CONTROL('S', &opt_socket),
	CLI_OPT_JSON(&opt_json),
	{ 0 },
};

static const struct cli cli = {
	.name = "optag status",
	.summary = "live figures of the daemon",
	.opts = opts,
};

#define N(path) cli_ctl_num(o, path)

static void duration(double s)
{
	if (s >= 86400)
		printf("%.0f d ", (double)(long)(s / 86400));
	printf("%02ld:%02ld:%02ld", (long)s / 3600 % 24, (long)s / 60 % 60, (long)s % 60);
}

static double seconds_between(const char *from, const char *to)
{
	uint64_t a, b;

	return clock_parse(from, &a) || clock_parse(to, &b) || b < a ? 0 : (double)(b - a) / 1e9;
}

static void print_take_over(const json_t *t)
{
	const char *from = cli_ctl_str(t, "from");

	if (!json_is_object(t))
		return;
	printf("took over  from a daemon that %s, %.3f s without one: ",
	       strcmp(from, "left") == 0 ? "left" : strcmp(from, "stale") == 0 ? "was gone for too long" : "was killed",
	       cli_ctl_num(t, "gap_ms") / 1000);
	printf("%.0f call%s go%s on, %.0f of them recorded, %.0f do%s not\n", cli_ctl_num(t, "calls"), cli_s(cli_ctl_num(t, "calls")),
	       cli_ctl_num(t, "calls") == 1 ? "es" : "", cli_ctl_num(t, "recordings"), cli_ctl_num(t, "lost"),
	       cli_ctl_num(t, "lost") == 1 ? "es" : "");
}

static void print_head(const json_t *o)
{
	size_t i;
	const json_t *f;

	printf("optagd %s, pid %.0f, up ", cli_ctl_str(o, "version"), N("pid"));
	duration(seconds_between(cli_ctl_str(o, "start"), cli_ctl_str(o, "now")));
	printf("\npolicy     %.12s, %.0f rule%s, loaded %s\n", cli_ctl_str(o, "policy.hash"), N("policy.rules"),
	       cli_s(N("policy.rules")), cli_ctl_str(o, "policy.loaded"));
	if (N("policy.stopped") > 0)
		printf("STOPPED    %.0f rule%s (optag rule list)\n", N("policy.stopped"), cli_s(N("policy.stopped")));
	if (N("policy.alarm") > 0)
		puts("ALARM      the policy that should run does not (optag policy status)");
	if (N("alarms.notice_missing") > 0)
		printf("ALARM      calls whose announcement nothing proved in time: %.0f\n", N("alarms.notice_missing"));
	if (N("alarms.gap") > 0)
		printf("ALARM      calls of which something was to be recorded and is not: %.0f\n", N("alarms.gap"));
	if (N("alarms.quota") > 0)
		printf("ALARM      calls that found a cap of their rule reached: %.0f\n", N("alarms.quota"));
	if (N("alarms.utilisation") > 0)
		printf("ALARM      calls not recorded because too few recordings are used: %.0f\n", N("alarms.utilisation"));
	if (N("alarms.pause_over") > 0)
		printf("ALARM      pauses that nobody ended within pause-max: %.0f\n", N("alarms.pause_over"));
	if (N("alarms.transfer_limit") > 0)
		printf("ALARM      recordings that ended because transfers came too fast: %.0f\n", N("alarms.transfer_limit"));
	if (N("policy.review_days") <= 60 && json_is_integer(json_object_get(json_object_get(o, "policy"), "review_days")))
		printf("ALARM      the policy's earliest review date is %s: %.0f day%s\n", N("policy.review_days") < 0 ? "past" : "near", N("policy.review_days"),
		       cli_s(N("policy.review_days")));
	if (json_is_true(json_object_get(json_object_get(o, "store"), "reaper_dead")))
		puts("ALARM      the reaper does not run: nothing is deleted, and of calls that begin now nothing is recorded for training (optag-reap.timer)");
	if (N("alarms.review") > 0)
		printf("ALARM      calls of rules whose review date, or an assessment's, is past: %.0f\n", N("alarms.review"));
	if (N("alarms.sms_undelivered") > 0)
		printf("ALARM      messages with the rest of the announcement whose receipt did not come in time: %.0f (optag audit sms)\n",
		       N("alarms.sms_undelivered"));
	if (N("clock.off_ms") >= 1000 || N("clock.off_ms") <= -1000)
		printf("ALARM      the machine's clock was set, and is %.1f s %s: taken when no call is in progress\n",
		       (N("clock.off_ms") < 0 ? -1 : 1) * N("clock.off_ms") / 1000, N("clock.off_ms") < 0 ? "behind" : "ahead");
	print_take_over(json_object_get(o, "take_over"));
	json_array_foreach(json_object_get(o, "interfaces"), i, f)
	{
		printf("interface  ");
		cli_text(stdout, cli_ctl_str(f, "name"), 0, false);
		if (*cli_ctl_str(f, "renamed")) {
			printf(", called ");
			cli_text(stdout, cli_ctl_str(f, "renamed"), 0, false);
			printf(" now");
		}
		if (json_is_false(json_object_get(f, "attached")))
			printf(", GONE: nothing of it is recorded");
		else
			printf(", %s, %s%s", cli_ctl_str(f, "mode"), json_is_true(json_object_get(f, "up")) ? "up" : "DOWN",
			       json_is_true(json_object_get(f, "mirror")) ? ", mirror port" : "");
		if (cli_ctl_num(f, "gone") > 0)
			printf("; removed %.0f time%s, %.1f s in all", cli_ctl_num(f, "gone"), cli_s(cli_ctl_num(f, "gone")), cli_ctl_num(f, "gone_ms") / 1000);
		putchar('\n');
	}
}

static void print_packets(const json_t *o)
{
	double blocked = N("packets.blocked") + N("packets.gated") + N("packets.dead");
	double other = N("packets.not_rtp") + N("packets.miss") + N("packets.other") + N("packets.bad") + N("packets.depth") + N("packets.fragments");

	if (N("delay.packets"))
		printf("signalling %.0f packets, in the flow table within %.0f us (median), %.0f us (99 %%), %.0f us at most\n",
		       N("delay.packets"), N("delay.p50_us"), N("delay.p99_us"), N("delay.max_us"));
	printf("packets    %.0f seen: %.0f audio, %.0f key presses, %.0f signalling, %.0f blocked, %.0f not of a call%s\n",
	       N("packets.seen"), N("packets.audio"), N("packets.events"), N("packets.signalling"), blocked, other,
	       json_is_false(json_object_get(json_object_get(o, "packets"), "balanced")) ? "  (the sums do not balance yet)" : "");
	printf("media      %.0f handed up: %.0f kept, %.0f key presses, %.0f duplicates, %.0f too late, %.0f not kept, %.0f unusable, %.0f without memory\n",
	       N("media.drained"), N("media.kept"), N("media.events"), N("media.duplicates"), N("media.stale"),
	       N("media.not_kept") + N("media.known") + N("media.failed"),
	       N("media.truncated") + N("media.bad") + N("media.unknown_payload") + N("media.other_payload"), N("media.no_memory"));
	if (N("packets.inspected") > 0 || N("media.inspected") > 0)
		printf("           %.0f seen and %.0f handed up to be listened to only, for announcements and key tones\n", N("packets.inspected"),
		       N("media.inspected"));
	printf("flow table %.0f of %.0f addresses\n", N("flow.used"), N("flow.capacity"));
}

static void print_calls(const json_t *o)
{
	const json_t *d;
	size_t i;

	printf("calls      %.0f in progress: %.0f setup, %.0f answered, %.0f on hold; %.0f recording; with those just over %.0f of %.0f\n",
	       N("calls.setup") + N("calls.answered"), N("calls.setup"), N("calls.answered"), N("calls.hold"), N("calls.recording"),
	       N("calls.active"), N("calls.limit"));
	printf("since start %.0f call%s, %.0f matched: %.0f kept, %.0f denied, %.0f gap%s", N("calls.total"), cli_s(N("calls.total")),
	       N("calls.matched"), N("calls.kept"), N("calls.denied"), N("calls.gaps"), cli_s(N("calls.gaps")));
	if (N("calls.unwritten") > 0)
		printf(", %.0f not on the disk yet", N("calls.unwritten"));
	printf("\n");
	json_array_foreach(json_object_get(o, "decisions"), i, d)
	{
		const char *reason = cli_ctl_str(d, "reason");

		printf("  %-14s %-10s %8.0f  ", cli_ctl_str(d, "purpose"), cli_ctl_str(d, "state"), cli_ctl_num(d, "calls"));
		cli_text(stdout, reason, 60, false);
		putchar('\n');
	}
}

static void print_losses(const json_t *o)
{
	static const struct {
		const char *path, *text;
	} t[] = {
		{ "losses.nic", "network card" },	  { "losses.pcap_buffer", "libpcap's buffer" },
		{ "losses.signalling_ring", "signalling ring" },
		{ "losses.capture_ring", "capture rings" }, { "losses.budget", "budget of a leg" },
		{ "losses.ring_damaged", "a ring, emptied, times" },
		{ "losses.media_fragments", "media in IP fragments" },
		{ "losses.call_ring", "no call-memory" }, { "losses.store_queue", "no write-memory" },
		{ "losses.store_disk", "disk" },	  { "losses.flow_full", "flow table full" },
		{ "losses.fragments", "IP packets, fragments missing" },
		{ "losses.tcp_gaps", "SIP over TCP, holes" }, { "losses.tcp_full", "SIP over TCP, no room" },
		{ "losses.bad_packets", "signalling packets, broken" }, { "losses.bad_messages", "SIP messages, broken" },
		{ "losses.bad_sdp", "descriptions, broken" }, { "losses.sdp", "descriptions, too long" },
		{ "losses.call_addresses", "addresses past a call's limit" },
		{ "losses.flow_quarantine", "flow table, slots in quarantine" },
		{ "losses.calls_refused", "calls past the limit" }, { "losses.store", "store" },
		{ "losses.calls_late", "calls that may match later" },
		{ "losses.state", "no room for states, times" },
	};
	double sum = 0;

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		sum += N(t[i].path);
	printf("lost       %s\n", sum > 0 ? "" : "nothing");
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]) && sum > 0; i++)
		if (N(t[i].path) > 0)
			printf("  %-22s %.0f\n", t[i].text, N(t[i].path));
}

static void print_store(const json_t *o)
{
	double in = N("store.payload_bytes"), out = N("store.stored_bytes"), size = N("store.disk_bytes");

	printf("store      ");
	cli_text(stdout, cli_ctl_str(o, "store.dir"), 0, false);
	printf(", %.1f MB of audio in %.1f MB, disk %.0f %% free, last sync %.0f ms\n", in / 1e6, out / 1e6,
	       size > 0 ? 100 * N("store.disk_free") / size : 0, N("store.sync_ms_last"));
	if (json_is_false(json_object_get(json_object_get(o, "store"), "io_uring")))
		puts("  written without io_uring, slower (optag doctor tells why)");
	if (N("store.errors") > 0)
		printf("  %.0f writes failed\n", N("store.errors"));
	printf("process    %.1f s of CPU, %.1f MB, %.0f threads\n", N("process.cpu_seconds"), N("process.rss_bytes") / 1e6,
	       N("process.threads"));
}

static void print_text(const json_t *o)
{
	print_head(o);
	print_packets(o);
	print_calls(o);
	print_losses(o);
	print_store(o);
}

int main(int argc, char **argv)
{
	struct cli_args args;
	struct cli_ctl *c = NULL;
	json_t *answer = NULL;
	int rc = cli_parse(&cli, argc, argv, &args), e;

	if (rc != CLI_GO_ON)
		return rc;
	e = cli_ctl_open(opt_socket, &c);
	if (!e)
		e = cli_ctl_ask(c, json_pack("{s:s}", "do", "status"), &answer);
	cli_ctl_close(c);
	if (e)
		return CLI_FAILED;
	(void)json_object_del(answer, "ok");
	if (opt_json)
		return cli_finish(cli_json_line(stdout, answer) ? CLI_FAILED : CLI_OK);
	print_text(answer);
	json_decref(answer);
	return cli_finish(CLI_OK);
}
