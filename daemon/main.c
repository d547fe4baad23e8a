/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * main.c - optagd: live capture
 *
 * Start: settings, policy, program attached, sockets made; then privileges go,
 * the store is opened as the daemon's user, system calls are filtered, and only
 * then is a packet parsed. One thread does all: it wakes every DRAIN_MS (sooner
 * for signalling), takes signalling first, so that verdicts are up to date, then
 * media, then timers. SIGHUP reads the policy again; SIGTERM ends calls in
 * progress and leaves nothing attached.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "capture/flow.h"
#include "capture/live.h"
#include "capture/xdp.h"
#include "conf.h"
#include "ctl.h"
#include "metrics.h"
#include "priv.h"
#include "record.h"
#include "sd.h"
#include "status.h"
#include "store/store.h"

#define DRAIN_MS     2	  /* a 64 MiB ring holds 230 ms at 1.5 million packets a second */
#define DRAIN_BUDGET 8192 /* records before signalling has its turn again */
#define SIG_BUDGET   512
#define POLICIES_MAX 4096 /* reloads in one life; calls stay pinned to the policy they began under */

struct daemon {
	const char *conf_path;
	struct conf conf;
	struct policy *policy[POLICIES_MAX];
	unsigned npolicy;
	uint64_t policy_ns, start_ns, synced_ns, beat_ns;
	struct store *store;
	struct xdp *xdp;
	struct live *live;
	struct flow_table *flows;
	struct recorder *rec;
	struct ctl *ctl;
	struct metrics *metrics;
	uint64_t sync_last_ns, sync_max_ns;
	int sigfd, epoll;
	bool stop;
};

/* ---- policy ---- */

static void log_diags(const struct policy_diags *d)
{
	size_t i;

	/* Not the source line: it may hold numbers of a set. */
	for (i = 0; i < d->n; i++)
		log_msg(d->d[i].severity == POLICY_ERROR ? LOG_L_ERR : LOG_L_WARN, "%s:%d:%d: %s: %s", d->d[i].file,
			d->d[i].line, d->d[i].col, d->d[i].code, d->d[i].text);
}

static int load_policy(const char *path, struct policy **ret)
{
	struct policy_diags d = { 0 };
	int e = policy_load(&path, 1, (int64_t)time(NULL), &d, ret);

	log_diags(&d);
	policy_diags_free(&d);
	return e;
}

static void reload(struct daemon *d)
{
	struct policy_diags diags = { 0 };
	struct policy *p = NULL;
	struct conf wanted;
	const char *fixed;

	(void)sd_reloading(); /* without systemd there is nobody to tell */
	if (conf_load(d->conf_path, &diags, &wanted) == 0) {
		fixed = conf_first_change(&d->conf, &wanted);
		if (fixed)
			log_warn("%s: '%s' changed: takes effect at the next start", d->conf_path, fixed);
		d->conf.sync_ns = wanted.sync_ns;
	}
	log_diags(&diags);
	policy_diags_free(&diags);
	if (d->npolicy == POLICIES_MAX || load_policy(d->conf.policy, &p)) {
		log_err("policy '%s' is not taken: the one in force since %llu s stays", d->conf.policy,
			(unsigned long long)((clock_now_ns() - d->policy_ns) / NS_PER_S));
	} else {
		d->policy[d->npolicy++] = p;
		d->policy_ns = clock_now_ns();
		recorder_set_policy(d->rec, p);
		log_notice("policy %.12s: %zu rules in force for new calls", policy_hash(p), policy_rules(p));
	}
	(void)sd_ready();
}

/* ---- what is told ---- */

static void capture_status(struct daemon *d, struct status *s)
{
	struct status_interface *i = &s->interface[0];
	struct live_losses lost;
	struct xdp_fill fill;

	s->ninterface = 1;
	memcpy(i->name, d->conf.interface[0].name, sizeof(i->name));
	i->mirror = d->conf.interface[0].mirror;
	status_read_interface(i);
	if (d->live) {
		i->mode = "pcap";
		memcpy(s->counts, live_counts(d->live), sizeof(s->counts));
		live_losses(d->live, &lost);
		i->rx_dropped += lost.kernel;
		return;
	}
	i->mode = xdp_mode(d->xdp) == XDP_NATIVE ? "native" : "generic";
	xdp_counts(d->xdp, s->counts);
	xdp_fill(d->xdp, &fill);
	s->nring = 2;
	s->ring[0] = (struct status_ring){ .cpu = 0, .size = fill.of, .used = fill.bytes,
					   .lost = s->counts[OPTAG_C_MEDIA_LOST] };
	s->ring[1] = (struct status_ring){ .cpu = -1, .size = fill.sig_of, .used = fill.sig_bytes,
					   .lost = s->counts[OPTAG_C_SIG_LOST] };
}

static void fill_status(struct daemon *d, struct status *s)
{
	const struct policy *p = d->policy[d->npolicy - 1];
	struct recorder_figures f;

	memset(s, 0, sizeof(*s));
	s->start_ns = d->start_ns;
	s->now_ns = clock_now_ns();
	memcpy(s->policy_hash, policy_hash(p), 65);
	snprintf(s->policy_path, sizeof(s->policy_path), "%s", d->conf.policy);
	s->policy_rules = policy_rules(p);
	s->policy_loaded_ns = d->policy_ns;
	capture_status(d, s);
	recorder_figures(d->rec, &f);
	s->flow_capacity = (uint64_t)d->conf.flow_lines * 2;
	s->flow_used = flow_count(d->flows);
	s->flow_full = f.flow_full;
	s->signalling = f.signalling;
	s->calls = f.table;
	s->calls_limit = d->conf.calls;
	s->kept = f.kept;
	s->denied = f.denied;
	s->gaps = f.gaps;
	snprintf(s->store_dir, sizeof(s->store_dir), "%s", d->conf.store);
	store_figures(d->store, &s->store);
	s->store_lost = f.lost_calls;
	s->sync_ns_last = d->sync_last_ns;
	s->sync_ns_max = d->sync_max_ns;
	status_read_disk(s);
}

static int on_status(void *arg, const struct ctl_peer *peer, const json_t *request, json_t *answer, char *why, size_t n)
{
	struct status *s = malloc(sizeof(*s));
	json_t *o;

	(void)peer;
	(void)request;
	if (!s) {
		snprintf(why, n, "out of memory");
		return -ENOMEM;
	}
	fill_status(arg, s);
	o = status_json(s);
	free(s);
	if (!o || json_object_update(answer, o)) {
		json_decref(o);
		snprintf(why, n, "out of memory");
		return -ENOMEM;
	}
	json_decref(o);
	return 0;
}

static const struct ctl_handler handlers[] = { { "status", 0, on_status }, { 0 } };

static void on_metrics(void *arg, struct buf *out)
{
	struct status *s = malloc(sizeof(*s));

	if (!s) {
		out->failed = true;
		return;
	}
	fill_status(arg, s);
	status_metrics(s, out);
	free(s);
}

/* ---- start ---- */

static int attach_xdp(struct daemon *d, const struct priv_user *u)
{
	const struct conf_interface *i = &d->conf.interface[0];
	struct xdp_settings s;
	char why[512];
	int e;

	xdp_default_settings(&s);
	s.ifname = i->name;
	s.flow_lines = d->conf.flow_lines;
	s.ring_bytes = (uint32_t)d->conf.ring_bytes;
	s.sig_bytes = (uint32_t)d->conf.signal_bytes;
	s.leg_budget = i->budget;
	s.drop_rest = i->mirror;
	s.full_time = d->conf.exact_time;
	s.mode = i->xdp == CONF_XDP_NATIVE ? XDP_NATIVE : i->xdp == CONF_XDP_GENERIC ? XDP_GENERIC : XDP_UNATTACHED;
	s.uid = u->uid;
	s.gid = u->gid;
	memcpy(s.sip_ports, d->conf.sip_ports, sizeof(s.sip_ports));
	e = xdp_open(&s, &d->xdp, why, sizeof(why));
	if (e) {
		log_err("%s", why);
		return e;
	}
	if (*why)
		log_warn("%s", why);
	return xdp_flow_new(d->xdp, &d->flows);
}

static int make_recorder(struct daemon *d)
{
	struct recorder_settings s;

	recorder_default_settings(&s);
	s.store = d->store;
	s.policy = d->policy[0];
	s.flows = d->flows;
	s.flow_lines = d->conf.flow_lines;
	s.calls.calls = d->conf.calls;
	s.calls.media_timeout_ns = d->conf.media_timeout_ns;
	s.calls.hold_timeout_ns = d->conf.hold_timeout_ns;
	s.calls.setup_timeout_ns = d->conf.setup_timeout_ns;
	memcpy(s.sip_ports, d->conf.sip_ports, sizeof(s.sip_ports));
	return recorder_new(&s, &d->rec);
}

/* Without XDP: the same classifier on packets that libpcap brings. */
static int attach_pcap(struct daemon *d)
{
	struct optag_config cfg = { .abi = OPTAG_ABI };
	struct live_settings s;
	char why[512];
	size_t i;
	int e;

	live_default_settings(&s);
	s.ifname = d->conf.interface[0].name;
	cfg.hash_seed = flow_seed(d->flows);
	cfg.flow_mask = flow_line_mask(d->flows);
	for (i = 0; i < 16; i++)
		cfg.sip_ports[i] = (__be16)(d->conf.sip_ports[i] >> 8 | d->conf.sip_ports[i] << 8);
	e = live_open(&s, &cfg, d->flows, recorder_sink(d->rec), &d->live, why, sizeof(why));
	if (e || *why)
		log_msg(e ? LOG_L_ERR : LOG_L_WARN, "%s", why);
	return e;
}

static int watch(struct daemon *d, int fd)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.fd = fd };

	return epoll_ctl(d->epoll, EPOLL_CTL_ADD, fd, &ev) ? -errno : 0;
}

static int watch_all(struct daemon *d)
{
	sigset_t set;
	int e;

	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	d->sigfd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	d->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (d->sigfd < 0 || d->epoll < 0)
		return -errno;
	e = watch(d, d->sigfd);
	if (!e && d->ctl)
		e = watch(d, ctl_fd(d->ctl));
	if (!e && d->metrics)
		e = watch(d, metrics_fd(d->metrics));
	if (!e)
		e = watch(d, d->xdp ? xdp_signal_fd(d->xdp) : live_fd(d->live));
	return e;
}

static int open_sockets(struct daemon *d, char *why, size_t n)
{
	gid_t gid = (gid_t)-1;
	int e;

	if (*d->conf.control_group && priv_find_group(d->conf.control_group, &gid))
		log_warn("no group '%s': the control socket is for root and '%s' only", d->conf.control_group, d->conf.user);
	e = ctl_new(d->conf.control, gid, handlers, d, &d->ctl, why, n);
	if (!e && d->conf.metrics.port)
		e = metrics_new(&d->conf.metrics, on_metrics, d, &d->metrics, why, n);
	return e;
}

static int start(struct daemon *d)
{
	bool pcap = d->conf.interface[0].xdp == CONF_XDP_NONE;
	struct priv_user u;
	char why[512] = "";
	int e;

	if (d->conf.ninterface > 1) {
		log_err("%s: this version captures from one interface, %zu are named", d->conf_path, d->conf.ninterface);
		return -EINVAL;
	}
	e = priv_find_user(d->conf.user, d->conf.group, &u, why, sizeof(why));
	if (!e)
		e = priv_start(why, sizeof(why));
	if (!e)
		e = open_sockets(d, why, sizeof(why));
	if (!e && !pcap) {
		e = attach_xdp(d, &u);
		if (e)
			return e;
	}
	if (!e && pcap)
		e = flow_new(d->conf.flow_lines, clock_now_ns(), NULL, NULL, &d->flows);
	if (!e)
		e = priv_drop(&u, PRIV_KEEP_BPF | PRIV_KEEP_NET_ADMIN | PRIV_KEEP_IPC_LOCK | (pcap ? PRIV_KEEP_NET_RAW : 0),
			      why, sizeof(why));
	if (!e)
		e = store_open(d->conf.store, STORE_RW, &d->store, why, sizeof(why));
	if (!e)
		e = make_recorder(d);
	if (!e && pcap) {
		e = attach_pcap(d);
		if (e)
			return e;
	}
	if (!e)
		e = watch_all(d);
	if (!e && d->conf.seccomp)
		e = priv_seccomp((pcap ? PRIV_S_PACKET : PRIV_S_BPF) | (d->metrics ? PRIV_S_INET : 0), why, sizeof(why));
	if (e)
		log_err("cannot start: %s", *why ? why : strerror(-e));
	return e;
}

/* ---- running ---- */

static void on_signal_fd(struct daemon *d)
{
	struct signalfd_siginfo si;

	while (read(d->sigfd, &si, sizeof(si)) == (ssize_t)sizeof(si)) {
		if (si.ssi_signo == SIGHUP)
			reload(d);
		else
			d->stop = true;
	}
}

static int sync_store(struct daemon *d, uint64_t now)
{
	int e;

	if (now - d->synced_ns < d->conf.sync_ns)
		return 0;
	d->synced_ns = now;
	e = store_sync(d->store);
	d->sync_last_ns = clock_now_ns() - now;
	if (d->sync_last_ns > d->sync_max_ns)
		d->sync_max_ns = d->sync_last_ns;
	return e;
}

static int take_packets(struct daemon *d)
{
	int e;

	if (d->live) {
		e = live_drain(d->live, DRAIN_BUDGET);
		return e < 0 ? e : 0;
	}
	do {
		e = xdp_signals(d->xdp, recorder_sink(d->rec), SIG_BUDGET);
		if (e < 0)
			return e;
	} while (xdp_drain(d->xdp, recorder_sink(d->rec), DRAIN_BUDGET) == DRAIN_BUDGET);
	return 0;
}

static int run(struct daemon *d)
{
	struct epoll_event ev[8];
	uint64_t beat = sd_watchdog_ns();
	int n, i, e = 0;

	while (!d->stop && !e) {
		uint64_t now;

		n = epoll_wait(d->epoll, ev, 8, DRAIN_MS);
		for (i = 0; i < n; i++) {
			if (ev[i].data.fd == d->sigfd)
				on_signal_fd(d);
			else if (d->ctl && ev[i].data.fd == ctl_fd(d->ctl))
				ctl_run(d->ctl);
			else if (d->metrics && ev[i].data.fd == metrics_fd(d->metrics))
				metrics_run(d->metrics);
		}
		e = take_packets(d);
		now = clock_now_ns();
		if (!e)
			e = recorder_tick(d->rec, now);
		if (!e)
			e = sync_store(d, now);
		if (now - d->beat_ns > (beat ? beat : NS_PER_S)) {
			d->beat_ns = now;
			(void)sd_watchdog();
			ctl_run(d->ctl);
			if (d->metrics)
				metrics_run(d->metrics);
		}
	}
	if (e)
		log_err("recording stops: %s", *store_why(d->store) ? store_why(d->store) : strerror(-e));
	return e;
}

static int finish(struct daemon *d, int e)
{
	int e2 = 0;

	(void)sd_stopping();
	if (d->rec) {
		if (!e)
			(void)take_packets(d); /* what came before the signal still counts */
		e2 = recorder_finish(d->rec);
	}
	recorder_free(d->rec);
	live_close(d->live);
	flow_free(d->flows);
	if (d->xdp)
		xdp_close(d->xdp, false);
	store_close(d->store);
	ctl_free(d->ctl);
	metrics_free(d->metrics);
	while (d->npolicy)
		policy_free(d->policy[--d->npolicy]);
	sd_close();
	return e ? e : e2;
}

static int check_only(const struct daemon *d, bool print)
{
	struct policy *p = NULL;

	if (load_policy(d->conf.policy, &p))
		return 1;
	policy_free(p);
	return print && conf_print(stdout, &d->conf) ? 1 : 0;
}

int main(int argc, char **argv)
{
	static struct daemon d = { .conf_path = CONF_FILE, .sigfd = -1, .epoll = -1 };
	struct policy_diags diags = { 0 };
	bool check = false, print = false;
	int c, e;

	log_init("optagd", LOG_L_INFO);
	while ((c = getopt(argc, argv, "c:nv")) != -1) {
		if (c == 'c')
			d.conf_path = optarg;
		else if (c == 'n')
			check = true;
		else if (c == 'v')
			print = true;
		else
			return 2;
	}
	if (optind < argc) {
		log_err("usage: optagd [-nv] [-c FILE]");
		return 2;
	}
	e = conf_load(d.conf_path, &diags, &d.conf);
	log_diags(&diags);
	policy_diags_free(&diags);
	if (e)
		return 1;
	if (check)
		return check_only(&d, print);
	log_init("optagd", d.conf.log_level);
	e = sd_init();
	if (!e)
		e = load_policy(d.conf.policy, &d.policy[0]);
	if (e)
		return 1;
	d.npolicy = 1;
	d.start_ns = d.policy_ns = d.synced_ns = clock_now_ns();
	e = start(&d);
	if (!e) {
		log_notice("recording from %s (%s), %zu rules", d.conf.interface[0].name,
			   d.live ? "libpcap" : xdp_mode(d.xdp) == XDP_NATIVE ? "native XDP" : "generic XDP",
			   policy_rules(d.policy[0]));
		(void)sd_ready();
		e = run(&d);
	}
	e = finish(&d, e);
	return e ? 1 : 0;
}
