/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * replay.c - `optag replay`: captures through the whole pipeline
 *
 * The recorder (daemon/record.h) fed from files instead of an interface. Every
 * file is opened once before the first packet is read, so a wrong name in a
 * list costs nothing. Holds public keys only.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "capture/pcap.h"
#include "cli.h"
#include "callback.h"
#include "evidence.h"
#include "notices.h"
#include "policies_kept.h"
#include "policy/policy.h"
#include "record.h"
#include "store/store.h"

#define SYNC_EVERY_S 2 /* at most this much work is lost with the machine (design 7) */

static const char *opt_store = CLI_STORE_DIR;
static const char *opt_policy = CLI_POLICY_DIR;
static bool opt_json;
static uint64_t opt_sip_port;

static const struct cli_opt opts[] = {
	CLI_OPT_STORE(&opt_store),
	CLI_OPT_POLICY(&opt_policy),
	CLI_OPT('P', "sip-port", CLI_UINT, &opt_sip_port, "PORT", "another SIP port beside 5060 (SIP is also known by its text)"),
	CLI_OPT_JSON(&opt_json),
	{ 0 },
};

static const struct cli cli = {
	.name = "optag replay",
	.summary = "record the calls of capture files under a policy",
	.opts = opts,
	.operands = "FILE.pcap...",
	.min_operands = 1,
	.max_operands = -1,
	.notes = "Files are read in the order given; time is the captures' own. \"-\" is standard input.",
};

static volatile sig_atomic_t interrupted;

static void on_signal(int sig)
{
	(void)sig;
	interrupted = 1;
}

struct replay {
	struct store *store;
	struct policy *policy;
	struct evidence *evidence;
	struct callbacks *callbacks;
	struct recorder *rec;
	struct notices *notices;
	uint64_t done_bytes, total_bytes, cut_files, skipped;
	time_t synced;
};

static int load_policy(struct replay *r)
{
	struct policy_diags d = { 0 };
	size_t i;
	int e = policy_load(&opt_policy, 1, (int64_t)time(NULL), &d, &r->policy);

	for (i = 0; i < d.n && e; i++)
		policy_diag_print(stderr, &d.d[i]);
	if (e && !d.n)
		cli_err("'%s': %s", opt_policy, strerror(-e));
	else if (e)
		cli_err("'%s': %zu error%s, nothing is recorded under a faulty policy", opt_policy, d.errors,
			d.errors == 1 ? "" : "s");
	policy_diags_free(&d);
	if (!e && policy_rules(r->policy) == 0) {
		cli_err("'%s': no rule, so no call could be kept", opt_policy);
		e = -EINVAL;
	}
	return e;
}

/* Says why a capture cannot be read. Status 3 is for a damaged store, so this is not -EBADMSG. */
static int bad_capture(int e, const char *why)
{
	cli_err("%s", why);
	return e == -EBADMSG ? -EINVAL : e;
}

/* All names are good before the first packet counts. */
static int check_files(struct replay *r, const struct cli_args *a)
{
	char why[512];
	int i, e;

	for (i = 0; i < a->n; i++) {
		struct pcap_file *f;
		uint64_t at, size;

		if (strcmp(a->v[i], "-") == 0)
			continue;
		e = pcap_file_open(a->v[i], &f, why, sizeof(why));
		if (e)
			return bad_capture(e, why);
		pcap_file_progress(f, &at, &size);
		r->total_bytes += size;
		pcap_file_close(f);
	}
	return 0;
}

static int now_and_then(struct replay *r, const struct pcap_file *f)
{
	struct recorder_figures fig;
	uint64_t at, size;
	time_t now = time(NULL);
	int e;

	pcap_file_progress(f, &at, &size);
	recorder_figures(r->rec, &fig);
	cli_progress(r->done_bytes + at, fig.calls);
	if (now - r->synced < SYNC_EVERY_S)
		return 0;
	r->synced = now;
	(void)evidence_work(r->evidence, clock_now_ns()); /* said there; until it works nothing begins */
	e = store_sync(r->store);
	if (!e)
		evidence_rows_durable(r->evidence);
	return e;
}

static int one_file(struct replay *r, const char *path)
{
	struct pcap_packet p;
	struct pcap_file *f;
	char why[512];
	uint64_t n = 0, at, size;
	int e = pcap_file_open(path, &f, why, sizeof(why));

	if (e)
		return bad_capture(e, why);
	while (!interrupted && (e = pcap_file_next(f, &p, why, sizeof(why))) == 1) {
		e = recorder_packet(r->rec, &p, 0);
		if (!e && (++n & 4095) == 0)
			e = now_and_then(r, f);
		if (e)
			break;
	}
	if (e == -EBADMSG) {
		/* A capture is often cut where its writer was stopped: what came before stands. */
		cli_err("%s; what came before it counts", why);
		r->cut_files++;
		e = 0;
	} else if (e < 0) {
		cli_err("%s", *store_why(r->store) ? store_why(r->store) : strerror(-e));
	}
	pcap_file_progress(f, &at, &size);
	r->done_bytes += size ? size : at;
	r->skipped += pcap_file_skipped(f);
	pcap_file_close(f);
	return e < 0 ? e : 0;
}

static int print_json(const struct replay *r, const struct recorder_figures *f)
{
	struct store_figures s;
	json_t *o = json_object();
	uint64_t ms;

	store_figures(r->store, &s);
#define NUM(name, v) (void)json_object_set_new(o, name, json_integer((json_int_t)(v)))
	NUM("calls", f->calls);
	NUM("matched", f->matched);
	NUM("kept", f->kept);
	NUM("denied", f->denied);
	NUM("gaps", f->gaps);
	NUM("rtp_packets", f->rtp_packets);
	NUM("audio_packets_delivered", f->audio_packets_delivered);
	NUM("inspected_packets", f->inspected_packets);
	NUM("muted_samples", f->muted_samples);
	NUM("known", f->known);
	NUM("unmatched", f->table.unmatched);
	NUM("never", f->table.never);
	NUM("packets", f->packets);
	NUM("event_packets", f->event_packets);
	NUM("blocked_packets", f->blocked_packets);
	NUM("sip_messages", f->signalling.messages);
	NUM("sip_refused", f->signalling.bad_messages);
	NUM("unknown_payload", f->unknown_payload);
	NUM("flow_full", f->flow_full);
	NUM("flow_quarantine", f->flow_quarantine);
	NUM("calls_refused", f->table.refused_full + f->table.refused_id);
	NUM("lost_calls", f->lost_calls);
	NUM("cut_files", r->cut_files);
	NUM("skipped_packets", r->skipped);
	NUM("payload_bytes", s.payload_bytes);
	NUM("stored_bytes", s.stored_bytes);
#undef NUM
	ms = f->call_ns / 1000000;
	(void)json_object_set_new(o, "call_seconds", json_real((double)ms / 1000));
	return cli_json_line(stdout, o);
}

static void print_text(const struct replay *r, const struct recorder_figures *f)
{
	struct store_figures s;

	store_figures(r->store, &s);
	printf("%llu call%s: %llu matched a rule, %llu did not (nothing of those is kept)\n",
	       (unsigned long long)f->calls, cli_s((double)f->calls), (unsigned long long)f->matched,
	       (unsigned long long)f->table.unmatched);
	printf("  %llu kept, %llu denied, %llu gap%s", (unsigned long long)f->kept,
	       (unsigned long long)f->denied, (unsigned long long)f->gaps, cli_s((double)f->gaps));
	if (f->known)
		printf(", %llu in the store already", (unsigned long long)f->known);
	printf("\n%llu RTP packet%s of matched calls, %llu of them audio that was let through\n",
	       (unsigned long long)f->rtp_packets, cli_s((double)f->rtp_packets), (unsigned long long)f->audio_packets_delivered);
	if (f->inspected_packets)
		printf("%llu %s listened to for announcements and key tones, and not kept\n", (unsigned long long)f->inspected_packets,
		       f->inspected_packets == 1 ? "was" : "were");
	if (f->muted_samples)
		printf("%.3f s of key tones were silenced in what is kept\n", (double)f->muted_samples / 8000);
	if (s.payload_bytes)
		printf("%.1f kB of audio stored in %.1f kB\n", (double)s.payload_bytes / 1000,
		       (double)s.stored_bytes / 1000);
}

static int finish(struct replay *r, int e)
{
	struct recorder_figures fig;
	int e2;

	e2 = recorder_finish(r->rec);
	if (!e2) /* calls of a recorder that died, except those which were in this capture once more */
		e2 = store_settle(r->store, NULL);
	if (!e2 && evidence_settle(r->evidence))
		e2 = -EIO; /* said there */
	if (!e && e2) {
		cli_err("%s", *store_why(r->store) ? store_why(r->store) : strerror(-e2));
		e = e2;
	}
	recorder_figures(r->rec, &fig);
	cli_progress_end();
	if (e)
		cli_err("stored whole: %llu call%s; not stored, and not readable: %llu",
			(unsigned long long)fig.kept, cli_s((double)fig.kept), (unsigned long long)fig.lost_calls);
	if (opt_json) {
		if (print_json(r, &fig))
			e = e ? e : -ENOMEM;
	} else {
		print_text(r, &fig);
	}
	return e;
}

static const struct fp_set *sounds(void *arg, const struct policy *p, const struct policy_rule *rule)
{
	const struct replay *r = arg;

	(void)p;
	return notices_set(r->notices, rule);
}

/* Whoever asks later by which policy a call was decided finds it in the store. */
static int keep_policy(const struct replay *r)
{
	char why[512] = "", *text = NULL;
	size_t n = 0;
	int e = policy_text(r->policy, &text, &n);

	if (!e)
		e = policy_keep(opt_store, r->policy, text, n, why, sizeof(why));
	free(text);
	if (e)
		cli_err("%s", *why ? why : strerror(-e));
	return e;
}

static int replay(struct replay *r, const struct cli_args *a)
{
	struct recorder_settings set;
	char why[512] = "";
	int e, i;

	e = load_policy(r);
	if (e)
		return e;
	e = notices_load(r->policy, NULL, &r->notices, why, sizeof(why));
	if (e) {
		cli_err("'%s': %s", opt_policy, why);
		return -EINVAL;
	}
	e = check_files(r, a);
	if (e)
		return e;
	e = store_open(opt_store, STORE_RW, &r->store, why, sizeof(why));
	if (e) {
		cli_err("%s", why);
		return e;
	}
	e = keep_policy(r);
	if (e)
		return e;
	e = evidence_new(&(struct evidence_settings){ .dir = opt_store }, &r->evidence, why, sizeof(why));
	if (!e)
		e = evidence_start(r->evidence, why, sizeof(why));
	if (!e)
		e = callbacks_open(opt_store, &r->callbacks, why, sizeof(why));
	if (e) {
		cli_err("%s", *why ? why : strerror(-e));
		return e;
	}
	recorder_default_settings(&set);
	set.evidence = r->evidence;
	set.callbacks = r->callbacks;
	set.store = r->store;
	set.policy = r->policy;
	set.arg = r;
	set.sounds = sounds;
	if (opt_sip_port)
		set.sip_ports[1] = (uint16_t)opt_sip_port;
	e = recorder_new(&set, &r->rec);
	if (e) {
		cli_err("cannot start: %s", strerror(-e));
		return e;
	}
	cli_progress_start("replay", r->total_bytes);
	r->synced = time(NULL);
	for (i = 0; i < a->n && !e && !interrupted; i++)
		e = one_file(r, a->v[i]);
	return finish(r, e);
}

int main(int argc, char **argv)
{
	struct sigaction sa = { .sa_handler = on_signal };
	struct replay r = { 0 };
	struct cli_args a;
	int rc = cli_parse(&cli, argc, argv, &a), e;

	if (rc != CLI_GO_ON)
		return rc;
	cli_no_dump();
	if (opt_sip_port > 65535)
		return cli_usage("--sip-port %llu: a port is 1 to 65535", (unsigned long long)opt_sip_port);
	log_init("optag replay", LOG_L_INFO);
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	e = replay(&r, &a);
	recorder_free(r.rec);
	if (r.evidence && evidence_finish(r.evidence))
		e = e ? e : -EIO; /* said there */
	evidence_free(r.evidence);
	callbacks_close(r.callbacks);
	store_close(r.store);
	notices_free(r.notices);
	policy_free(r.policy);
	if (interrupted)
		cli_err("interrupted: calls in progress were closed as of the last packet");
	return cli_finish(e || interrupted ? (e == -EBADMSG || e == -EPROTO ? CLI_DAMAGED : CLI_FAILED) : CLI_OK);
}
