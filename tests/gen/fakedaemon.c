/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fakedaemon.c - the control socket and the metrics page without a recorder
 *
 *	fakedaemon SOCKET [PORT-FILE]
 *
 * Real daemon/ctl.c, status.c and metrics.c over made-up figures that move:
 * each answered status is one second and 1,000 packets later. Tests of the
 * tools talk to it from the outside. Ends on SIGTERM, and removes its socket.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "ctl.h"
#include "metrics.h"
#include "status.h"

static volatile sig_atomic_t stop;
static struct status st;

static void on_signal(int sig)
{
	(void)sig;
	stop = 1;
}

static void start_figures(void)
{
	st.start_ns = 1795000000000000000ULL;
	st.now_ns = st.start_ns + 90061 * NS_PER_S; /* 1 d 01:01:01 */
	memset(st.policy_hash, 'a', 64);
	strcpy(st.policy_path, "/etc/optag/policy.d");
	st.policy_rules = 12;
	st.policy_loaded_ns = st.start_ns;
	st.ninterface = 1;
	strcpy(st.interface[0].name, "mon0");
	st.interface[0].mode = "native";
	st.interface[0].mirror = st.interface[0].up = st.interface[0].attached = true;
	st.nring = 3;
	st.ring[0] = (struct status_ring){ -1, 1 << 20, 1 << 18, 1 << 19, 0 };
	st.ring[1] = (struct status_ring){ 0, 1 << 20, 1 << 19, 1 << 19, 0 };
	st.ring[2] = (struct status_ring){ 1, 1 << 20, 1 << 10, 1 << 19, 0 };
	st.flow_capacity = 131072;
	st.flow_used = 400;
	st.calls_limit = 1000;
	st.calls.active = 100;
	st.in_setup = 10;
	st.answered = 80;
	st.on_hold = 6;
	st.ending = 4;
	st.recording = 70;
	st.calls.calls = 5000;
	st.calls.matched = 4000;
	st.kept = 3000;
	st.denied = 990;
	st.gaps = 10;
	for (unsigned i = 0; i < 3000; i++)
		status_decided(&st.decisions, POLICY_DOCUMENTATION, PURPOSE_GRANTED, "interest");
	for (unsigned i = 0; i < 990; i++)
		status_decided(&st.decisions, POLICY_TRAINING, PURPOSE_DENIED, "consent.none\033[31m");
	status_decided(&st.decisions, POLICY_TRAINING, PURPOSE_DENIED, "a\"quote,\\ and\nline} 1");
	strcpy(st.store_dir, "/var/lib/optag");
	st.store = (struct store_figures){ .payload_bytes = 200000000, .stored_bytes = 100000000, .chunks = 10000, .segments = 3, .ring = 1,
					.shed_packets = 800, .lost_packets = 160 };
	st.rings_damaged = 2;
	st.media[MEDIA_NO_MEMORY] = 30;
	st.queue_bytes = 1500000;
	st.queue_max = 20000000;
	st.queue_limit = 64 << 20;
	st.disk_bytes = 1000000000000;
	st.disk_free = 250000000000;
	st.sync_ns_last = 3 * NS_PER_MS;
}

static void second(void)
{
	st.now_ns += NS_PER_S;
	st.counts[OPTAG_C_SEEN] += 1000;
	st.counts[OPTAG_C_AUDIO] += 700;
	st.counts[OPTAG_C_GATE] += 200;
	st.counts[OPTAG_C_SIG] += 95;
	st.counts[OPTAG_C_MEDIA_LOST] += 5;
	st.interface[0].rx_bytes += 125000000; /* 1 Gbit */
	st.calls.calls += 2;
	st.store.stored_bytes += 1000000;
}

static int do_status(void *arg, const struct ctl_peer *p, const json_t *rq, json_t *answer, char *why, size_t n)
{
	json_t *o;
	int e;

	(void)arg;
	(void)p;
	(void)rq;
	(void)why;
	(void)n;
	second();
	o = status_json(&st);
	e = o ? json_object_update(answer, o) : -1;
	json_decref(o);
	return e ? -ENOMEM : 0;
}

static void page(void *arg, struct buf *out)
{
	(void)arg;
	status_metrics(&st, out);
}

static int serve(struct ctl *c, struct metrics *m)
{
	while (!stop) {
		struct pollfd p[2] = { { .fd = ctl_fd(c), .events = POLLIN }, { .fd = metrics_fd(m), .events = POLLIN } };

		(void)poll(p, 2, 1000); /* a signal ends it early */
		ctl_run(c);
		metrics_run(m);
	}
	return 0;
}

int main(int argc, char **argv)
{
	static const struct ctl_handler handlers[] = { { "status", 0, do_status }, { 0 } };
	struct sigaction sa = { .sa_handler = on_signal };
	struct endpoint at = { .port = 0 };
	struct metrics *m = NULL;
	struct ctl *c = NULL;
	char why[256];
	FILE *f;

	if (argc < 2)
		return 2;
	sigaction(SIGTERM, &sa, NULL);
	start_figures();
	(void)ipaddr_parse("127.0.0.1", 9, &at.addr);
	if (metrics_new(&at, page, NULL, &m, why, sizeof(why)) ||
	    ctl_new(argv[1], (gid_t)-1, handlers, NULL, &c, why, sizeof(why))) {
		fprintf(stderr, "%s\n", why);
		return 1;
	}
	f = argc > 2 ? fopen(argv[2], "w") : NULL;
	if (f) {
		fprintf(f, "%u\n", metrics_port(m));
		fclose(f);
	}
	serve(c, m);
	ctl_free(c);
	metrics_free(m);
	return 0;
}
