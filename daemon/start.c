/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * start.c - from settings to the first packet, and back: see daemon.h
 *
 * As root: CPUs, queues, sockets, program attached. Then privileges go; as the
 * daemon's user: the store, calls of the daemon before. Then the system call
 * filter. Nothing parses a packet before that.
 */
#include <errno.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "base/areas.h"
#include "base/clock.h"
#include "base/heap.h"
#include "base/keep.h"
#include "base/log.h"
#include "base/uid.h"
#include "capture/flow.h"
#include "capture/live.h"
#include "capture/xdp.h"
#include "daemon.h"
#include "callback.h"
#include "evidence.h"
#include "metrics.h"
#include "nic.h"
#include "policies.h"
#include "priv.h"
#include "sd.h"
#include "store/store.h"
#include "uses.h"

#define WATCH_NS       (10 * NS_PER_S) /* a loop that hangs for longer is no daemon */
#define ALARM_NS       (60 * NS_PER_S)
#define STATE_PER_CALL 6 /* blocks; a recorded call of two plain voices has four */
#define STATE_MORE     64 /* what is replaced is there twice for a moment */
#define CALL_BYTES     14000 /* of the heap, both voices recorded: 135 MiB for 10,000 */

_Static_assert((uint64_t)CONF_CALLS_MAX * STATE_PER_CALL + STATE_MORE <= XDP_STATE_MAX, "settings that are right can be had");

/* ---- capture ---- */

static uint32_t blocks_of_calls(uint32_t calls)
{
	return calls * STATE_PER_CALL + STATE_MORE;
}

static uint32_t calls_of_blocks(uint32_t blocks)
{
	return blocks < STATE_MORE ? 0 : (blocks - STATE_MORE) / STATE_PER_CALL;
}

static void xdp_settings_of(const struct daemon *d, size_t n, const struct priv_user *u, struct xdp_settings *s)
{
	const struct conf_interface *i = &d->conf.interface[n];

	xdp_default_settings(s);
	s->ifname = i->name;
	s->flow_lines = d->conf.flow_lines;
	s->ring_bytes = (uint32_t)d->conf.ring_bytes;
	s->sig_bytes = (uint32_t)d->conf.signal_bytes;
	s->state_blocks = blocks_of_calls(d->conf.calls);
	s->leg_budget = i->budget;
	s->drop_rest = i->mirror;
	s->full_time = d->conf.exact_time;
	s->mode = i->xdp == CONF_XDP_NATIVE ? XDP_NATIVE : i->xdp == CONF_XDP_GENERIC ? XDP_GENERIC : XDP_UNATTACHED;
	s->replace = true;
	s->share = n ? d->xdp[0] : NULL;
	s->uid = u->uid;
	s->gid = u->gid;
	memcpy(s->sip_ports, d->conf.sip_ports, sizeof(s->sip_ports));
}

static void on_other(const char *ifname, int rc)
{
	if (rc < 0)
		log_err("%s: it is not in the settings any more, and what a daemon before left there still captures: %s", ifname, strerror(-rc));
	else
		log_notice("%s: it is not in the settings any more: nothing captures there now", ifname);
}

#define UNTIL "until capture is ended and begun anew (NEW SIZES in optagd(8))"

/* What is pinned cannot grow or shrink while calls and packets are in it; the settings may say otherwise. */
static void stays(const char *name, const char *what, uint32_t has, uint32_t asked)
{
	if (has != asked)
		log_warn("%s: %s stays %u, not %u as in the settings, " UNTIL, name, what, has, asked);
}

static void say_what_stays(const struct xdp *x, const char *name, bool first)
{
	static const char *const modes[] = { "auto", "native", "generic" };
	struct xdp_sizes has, asked;

	xdp_sizes(x, &has, &asked);
	if (first) { /* the others use the first one's */
		stays(name, "flow-lines", has.flow_lines, asked.flow_lines);
		stays(name, "ring (bytes)", has.ring_bytes, asked.ring_bytes);
		stays(name, "signalling-ring (bytes)", has.sig_bytes, asked.sig_bytes);
		stays(name, "the number of calls that another daemon can take over", calls_of_blocks(has.state_blocks),
		      calls_of_blocks(asked.state_blocks));
	}
	if (asked.mode != XDP_UNATTACHED && asked.mode != has.mode)
		log_warn("%s: xdp stays %s, not %s as in the settings, " UNTIL, name, modes[has.mode], modes[asked.mode]);
}

static int attach_xdp(struct daemon *d, const struct priv_user *u)
{
	struct xdp_settings s;
	char why[512];
	size_t i;
	int e;

	for (i = 0; i < d->conf.ninterface; i++) {
		xdp_settings_of(d, i, u, &s);
		e = xdp_open(&s, &d->xdp[i], why, sizeof(why));
		if (e || *why)
			log_msg(e ? LOG_L_ERR : LOG_L_WARN, "%s", why);
		if (e)
			return e;
		d->nxdp++;
		say_what_stays(d->xdp[i], s.ifname, i == 0);
	}
	xdp_release_others(d->xdp, d->nxdp, on_other);
	daemon_alive(d);
	return xdp_flow_new(d->xdp[0], &d->flows);
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

static int set_queues(const struct daemon *d)
{
	char why[256];
	size_t i;
	int e;

	for (i = 0; i < d->conf.ninterface; i++) {
		const struct conf_interface *f = &d->conf.interface[i];

		e = f->queues ? nic_set_queues(f->name, f->queues, why, sizeof(why)) : 0;
		if (e) {
			log_err("%s", why);
			return e;
		}
	}
	return 0;
}

void daemon_alive(struct daemon *d)
{
	uint64_t wait = d->conf.take_over_ns > WATCH_NS ? d->conf.take_over_ns : WATCH_NS;
	struct timespec now;

	if (!d->nxdp)
		return;
	clock_gettime(CLOCK_MONOTONIC, &now);
	xdp_alive(d->xdp[0], (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec + wait);
}

/* ---- the recorder ---- */

static void on_decided(void *arg, enum policy_purpose p, enum purpose_state s, const char *reason)
{
	struct daemon *d = arg;

	status_decided(&d->decisions, p, s, reason);
}

/* The first at once, then a line a minute: an announcement that no call hears any more is no reason to flood the log. */
static void on_alarm(void *arg, const struct call *c, enum recorder_alarm what)
{
	static const char *const text[RECORDER_ALARMS] = {
		[RECORDER_NOTICE_MISSING] = "notice-missing: nothing proved in time that the announcement was played",
		[RECORDER_PAUSE_OVER] = "pause-max: nobody ended a pause",
		[RECORDER_GAP] = "gap: something was to be recorded and is not",
		[RECORDER_QUOTA] = "quota: a cap is reached",
		[RECORDER_USE] = "utilisation: too few recordings are used, the smaller cap is reached",
		[RECORDER_TRANSFER_LIMIT] = "transfer.limit: transfers came so fast that the next recording begins later",
		[RECORDER_REVIEW] = "review: the review date of the rule, or of an assessment that it names, is past",
	};
	struct daemon *d = arg;
	uint64_t now = clock_now_ns();
	char uid[UID_TEXT];

	d->alarms[what]++;
	/* a cap that is reached is for the rest of its period */
	if (d->alarm_ns[what] && now - d->alarm_ns[what] < (what >= RECORDER_QUOTA ? 60 * ALARM_NS : ALARM_NS))
		return;
	uid_format(&c->uid, uid);
	log_warn("alarm: %s, call %s of rule '%s'; %llu such calls since the last line", text[what], uid, c->rule->name,
		 (unsigned long long)(d->alarms[what] - d->alarms_told[what]));
	d->alarm_ns[what] = now;
	d->alarms_told[what] = d->alarms[what];
}

/* One that came back under another number is still not a file: rules of a laboratory must not match it. */
static const char *on_interface(void *arg, uint32_t ifindex)
{
	const struct daemon *d = arg;
	size_t i;

	for (i = 0; i < d->conf.ninterface; i++)
		if (d->ifindex[i] == ifindex)
			return d->conf.interface[i].name;
	return "?";
}

static const struct policy *on_policy(void *arg, const char *hash)
{
	struct daemon *d = arg;
	int e = 0;
	const struct policy *p = policies_resume(d->policies, hash, &e);

	if (!p)
		log_err("policy %.12s of calls in progress: %s", hash, strerror(-e));
	return p;
}

/* From here on nothing of ours waits for the disk: what is left of the daemon before gets its end meanwhile. */
static int start_store(struct daemon *d)
{
	struct store_threads_settings s;
	int e;

	store_threads_default(&s);
	s.queue_bytes = d->conf.write_memory;
	s.sync_ns = 0; /* the loop asks, as often as the settings say at that time */
	e = store_threads(d->store, &s);
	return e ? e : store_settle(d->store, NULL);
}

/* Calls of the daemon before, if it left any and not too long ago. */
static int take_calls_over(struct daemon *d)
{
	struct recorder_restore how = { .keep = d->keep, .save = d->conf.take_over_ns, .arg = d, .policy = on_policy };
	struct recorder_kept k;
	int e;

	how.stale = !d->left || !d->conf.take_over_ns || xdp_was_dead(d->xdp[0]);
	d->taking = true;
	e = recorder_restore(d->rec, &how);
	if (!e)
		e = start_store(d);
	if (e)
		return e;
	recorder_kept(d->rec, &k);
	if (!xdp_adopted(d->xdp[0]))
		return 0;
	d->took = (struct status_take_over){ how.stale ? STATUS_STALE : k.clean ? STATUS_LEFT : STATUS_KILLED,
					     xdp_alone_ns(d->xdp[0]), k.restored, k.recordings, k.lost };
	log_notice("took over from a daemon that %s: %llu calls go on, %llu do not",
		   how.stale ? "was gone for too long" : k.clean ? "left" : "was killed",
		   (unsigned long long)k.restored, (unsigned long long)k.lost);
	return 0;
}

static const struct fp_set *on_sounds(void *arg, const struct policy *p, const struct policy_rule *r)
{
	const struct daemon *d = arg;

	return policies_sounds(d->policies, p, r);
}

static bool on_reaped(void *arg)
{
	const struct daemon *d = arg;

	return !d->reaper.dead;
}

static bool on_stopped(void *arg, const struct policy_rule *r)
{
	const struct daemon *d = arg;

	return policies_stopped(d->policies, r);
}

static int make_recorder(struct daemon *d)
{
	struct recorder_settings s;
	size_t i;

	for (i = 0; i < d->conf.ninterface; i++)
		d->ifindex[i] = if_nametoindex(d->conf.interface[i].name);

	heap_huge((size_t)d->conf.calls * CALL_BYTES);
	recorder_default_settings(&s);
	s.store = d->store;
	s.policy = policies_current(d->policies);
	s.flows = d->flows;
	s.calls.calls = d->conf.calls;
	s.calls.media_timeout_ns = d->conf.media_timeout_ns;
	s.calls.hold_timeout_ns = d->conf.hold_timeout_ns;
	s.calls.setup_timeout_ns = d->conf.setup_timeout_ns;
	s.call_memory = d->conf.call_memory;
	s.call_ring = (uint32_t)d->conf.call_ring_bytes;
	s.ahead = true;
	s.evidence = d->evidence;
	s.callbacks = d->callbacks;
	s.arg = d;
	s.decided = on_decided;
	s.alarm = on_alarm;
	s.stopped = on_stopped;
	s.reaped = on_reaped;
	s.interface = on_interface;
	s.sounds = on_sounds;
	memcpy(s.sip_ports, d->conf.sip_ports, sizeof(s.sip_ports));
	return recorder_new(&s, &d->rec);
}

/* ---- evidence ---- */

struct alive_calls {
	struct daemon *d;
	int err;
};

static void add_alive(void *arg, struct call *c)
{
	struct alive_calls *a = arg;

	if (c->matched && c->phase != CALL_TOMBSTONE && !a->err)
		a->err = evidence_alive(a->d->evidence, c);
}

static bool on_settled(void *arg)
{
	const struct daemon *d = arg;

	return store_settled(d->store);
}

static int on_drops_sync(void *arg, char *why, size_t n)
{
	const struct daemon *d = arg;

	return store_drops_sync(d->store, why, n);
}

static bool on_drops_wait(void *arg, uint64_t after, uint64_t upto)
{
	const struct daemon *d = arg;

	return store_drops_wait(d->store, after, upto);
}

/* The evidence log's thread. */
static void on_before(void *arg)
{
	struct daemon *d = arg;
	int e = callbacks_sync(d->callbacks);

	if (e && e != d->callbacks_said)
		log_err("callback: %s: in memory only, a restart forgets it", strerror(-e));
	d->callbacks_said = e;
}

/* The store's thread: no row before what the log has to say of its call. A log that refuses says so itself. */
static bool on_rows(void *arg)
{
	const struct daemon *d = arg;

	return !evidence_flush(d->evidence);
}

/* Calls that go on have no outcome yet; all others that are open in the log get theirs. */
static int start_evidence(struct daemon *d, char *why, size_t n)
{
	struct alive_calls a = { .d = d };
	int e;

	calls_each(recorder_calls(d->rec), add_alive, &a);
	if (a.err)
		return a.err;
	evidence_daemon(d->evidence, EVLOG_DAEMON_START, NULL, d->took.from == STATUS_LEFT || d->took.from == STATUS_KILLED ? "take-over" : "start");
	e = evidence_start(d->evidence, why, n);
	if (!e)
		store_before_rows(d->store, on_rows, d);
	return e;
}

static bool on_used(void *arg, const struct evidence_used *u)
{
	struct daemon *d = arg;

	return evidence_use(d->evidence, u);
}

static int start_uses(struct daemon *d)
{
	struct uses_settings s = { .store = d->conf.store, .arg = d, .used = on_used, .ctl = &d->ctl };
	int e = uses_new(&s, &d->uses);

	if (!e && *uses_why(d->uses))
		log_err("alarm: %s: no use is noted or counted, so that caps by use stay or become the smaller ones", uses_why(d->uses));
	return e ? e : uses_start(d->uses);
}

/* ---- the event loop's descriptors ---- */

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
	signal(SIGINT, SIG_DFL); /* a shell's background job has it ignored */
	signal(SIGPIPE, SIG_IGN);
	d->sigfd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	d->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (d->sigfd < 0 || d->epoll < 0)
		return -errno;
	e = watch(d, d->sigfd);
	if (!e)
		e = watch(d, policies_fd(d->policies));
	if (!e)
		e = watch(d, uses_fd(d->uses));
	if (!e && d->nxdp)
		e = watch(d, xdp_signal_fd(d->xdp[0]));
	if (!e)
		e = ports_open(d);
	if (!e && d->nxdp)
		e = watch(d, d->port_events);
	return e;
}

/* ---- in order ---- */

/* A SIP message must open its addresses before the first packet comes there, however much is compressed meanwhile. */
static void first_among_threads(const struct daemon *d)
{
	int e = nic_realtime(d->conf.realtime);

	if (e)
		log_notice("realtime %u: %s; on a busy machine the first packets of calls may be lost", d->conf.realtime, strerror(-e));
}

/* A daemon's XDP program would leave libpcap nothing to see; of one that is gone, it goes too. */
static int no_xdp(const struct daemon *d, char *why, size_t n)
{
	const char *name = d->conf.interface[0].name;
	int e = xdp_release(name, NULL, why, n);

	if (e == -EBUSY)
		return e;
	if (e < 0)
		log_warn("%s: %s", name, why);
	if (e > 0)
		log_notice("%s: what a daemon with XDP left there is removed, with its calls", name);
	why[0] = '\0';
	return 0;
}

static int as_root(struct daemon *d, const struct priv_user *u, bool pcap, char *why, size_t n)
{
	int e = nic_set_cpus(d->conf.cpus, sizeof(d->conf.cpus));

	if (e) {
		snprintf(why, n, "cpus: none of them is there");
		return e;
	}
	first_among_threads(d);
	e = priv_start(why, n);
	if (!e && !areas_may_lock()) { /* RX-7, and the key of what waits for a decision (guidance 6) */
		snprintf(why, n, "memory cannot be locked, so keys and voices could come to a disk by swap: it takes CAP_IPC_LOCK, or LimitMEMLOCK=infinity");
		e = -EPERM;
	}
	if (!e)
		e = ports_own(d, why, n);
	if (!e)
		e = set_queues(d);
	if (!e && pcap)
		e = no_xdp(d, why, n);
	if (!e)
		e = daemon_open_sockets(d, why, n);
	if (!e)
		e = pcap ? flow_new(d->conf.flow_lines, clock_now_ns(), NULL, NULL, &d->flows) : attach_xdp(d, u);
	if (!e)
		e = priv_drop(u, PRIV_KEEP_BPF | PRIV_KEEP_NET_ADMIN | PRIV_KEEP_IPC_LOCK | (pcap ? PRIV_KEEP_NET_RAW : 0),
			      why, n);
	return e;
}

/* Before anything hashes, the sampler and who is rung back as well: what the daemon before left has hashes in it. */
static int open_state(struct daemon *d)
{
	size_t bytes;
	void *p = xdp_state(d->xdp[0], &bytes);
	int e = keep_new(p, bytes, &d->keep);

	if (!e)
		d->left = recorder_hash_key(d->keep);
	if (!e)
		clocks_take_over(d);
	return e;
}

static int as_user(struct daemon *d, bool pcap, char *why, size_t n)
{
	int e = pcap ? 0 : open_state(d);
	struct store_figures f;

	if (!e)
		e = store_open(d->conf.store, STORE_RW, &d->store, why, n);
	if (!e) {
		store_figures(d->store, &f);
		if (!f.ring)
			log_warn("the store is written without io_uring, slower: the kernel has none for us (optag doctor tells why)");
	}
	if (!e)
		e = evidence_new(&(struct evidence_settings){ .dir = d->conf.store, .live = true, .settled = on_settled,
							      .drops_sync = on_drops_sync, .drops_wait = on_drops_wait, .before = on_before, .arg = d },
				 &d->evidence, why, n);
	if (!e)
		e = callbacks_open(d->conf.store, &d->callbacks, why, n);
	if (!e)
		callbacks_live(d->callbacks);
	if (!e)
		e = policies_start(d->policies, why, n);
	if (!e)
		e = start_uses(d);
	if (!e)
		e = watch_all(d);
	if (!e)
		e = make_recorder(d);
	/* What fails up to here leaves calls as they were found; behind it, they are left anew (left_again). */
	if (!e)
		e = pcap ? start_store(d) : take_calls_over(d);
	if (!e)
		e = start_evidence(d, why, n);
	if (!e && pcap)
		e = attach_pcap(d);
	if (!e && pcap)
		e = watch(d, live_fd(d->live));
	if (!e && d->conf.seccomp)
		e = priv_seccomp((pcap ? PRIV_S_PACKET : PRIV_S_BPF) | (d->metrics ? PRIV_S_INET : 0), why, n);
	return e;
}

int daemon_start(struct daemon *d)
{
	bool pcap = d->conf.interface[0].xdp == CONF_XDP_NONE;
	struct priv_user u;
	char why[512] = "";
	size_t i;
	int e;

	for (i = 1; i < d->conf.ninterface; i++) {
		if (pcap || d->conf.interface[i].xdp == CONF_XDP_NONE) {
			log_err("%s: several interfaces need XDP, '%s' has it not", d->conf_path,
				d->conf.interface[pcap ? 0 : i].name);
			return -EINVAL;
		}
	}
	e = priv_find_user(d->conf.user, d->conf.group, &u, why, sizeof(why));
	if (!e)
		e = as_root(d, &u, pcap, why, sizeof(why));
	if (!e)
		e = as_user(d, pcap, why, sizeof(why));
	if (e)
		log_err("cannot start: %s", *why ? why : strerror(-e));
	d->started = !e;
	return e;
}

int daemon_release(const struct conf *c)
{
	char why[512];
	size_t i;
	int e, ret = 0;

	for (i = 0; i < c->ninterface; i++) {
		e = xdp_release(c->interface[i].name, NULL, why, sizeof(why));
		if (e < 0) {
			log_err("%s", why);
			ret = e;
		} else if (e) {
			log_notice("%s: nothing captures here any more", c->interface[i].name);
		}
	}
	return ret;
}

static int failed_release;

static void on_abandoned(const char *ifname, int rc)
{
	if (rc < 0)
		log_err("%s: what a daemon left there that is gone: %s", ifname, strerror(-rc));
	else
		log_notice("%s: no daemon came to take over: what was left for one is removed, calls in progress end", ifname);
	failed_release = rc < 0 ? rc : failed_release;
}

int daemon_release_abandoned(void)
{
	int e = xdp_release_abandoned(NULL, on_abandoned);

	if (e)
		log_err("pins of daemons before: %s", strerror(-e));
	return e ? e : failed_release;
}

/*
 * A start that failed, over a disk that is not there yet or a second interface: what the daemon before left is there for the next
 * try, for as long as it said. As it was, if no call was looked at; if calls were taken over already, as they are now, or, should
 * they not be left in order, as one that was killed leaves them.
 */
static bool left_again(struct daemon *d, int e)
{
	bool again = e && !d->started && d->nxdp && xdp_adopted(d->xdp[0]) && (!d->taking || d->conf.take_over_ns);
	int e2 = again && d->taking ? recorder_leave(d->rec) : 0;

	if (e2)
		log_err("calls in progress are not left in order: %s", strerror(-e2));
	if (again) {
		xdp_alive_as_before(d->xdp[0]);
		log_notice("calls of the daemon before are left for another try");
	}
	return again;
}

int daemon_finish(struct daemon *d, int e)
{
	bool again, leave = !e && d->hand_over && d->rec && d->keep && d->conf.take_over_ns;
	int e2 = 0;

	(void)sd_stopping();
	again = left_again(d, e);
	if (d->rec && !again)
		e2 = leave ? recorder_leave(d->rec) : recorder_finish(d->rec);
	if (leave && e2)
		log_err("calls in progress are not left to another daemon: %s", strerror(-e2));
	else if (e2 && e2 != -EAGAIN)
		log_err("what the last calls came to is not on the disk: %s", *store_why(d->store) ? store_why(d->store) : strerror(-e2));
	else if (e2)
		log_err("the evidence log lets no rows pass: the next daemon says what the last calls came to");
	if (leave && !e2)
		daemon_alive(d);
	if (leave && !e2)
		log_notice("capture goes on for %llu s, for another daemon to take over",
			   (unsigned long long)(d->conf.take_over_ns / NS_PER_S));
	leave = leave && !e2;
	recorder_free(d->rec);
	if (d->store)
		store_before_rows(d->store, NULL, NULL);
	uses_free(d->uses);
	if (d->evidence)
		evidence_daemon(d->evidence, EVLOG_DAEMON_STOP, NULL, leave || (again && d->taking) ? "hand-over" : e ? "error" : "stop");
	if (d->evidence && evidence_finish(d->evidence) && !e2)
		e2 = -EIO; /* said there */
	evidence_free(d->evidence);
	callbacks_close(d->callbacks);
	live_close(d->live);
	flow_free(d->flows);
	keep_free(d->keep);
	while (d->nxdp)
		xdp_close(d->xdp[--d->nxdp], leave || again);
	store_close(d->store);
	ports_close(d);
	ctl_free(d->ctl);
	metrics_free(d->metrics);
	policies_free(d->policies);
	sd_close();
	return e ? e : e2;
}
