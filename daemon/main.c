/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * main.c - optagd: its life and its loop
 *
 * The loop wakes every DRAIN_MS (sooner for signalling), takes signalling first,
 * so that verdicts are up to date, then media, then timers. SIGHUP reads the
 * policy again; SIGTERM leaves calls and capture to the next daemon, SIGINT ends
 * calls and leaves nothing attached.
 * start.c is how it comes to run, tell.c what it says.
 */
#include <errno.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "capture/live.h"
#include "capture/xdp.h"
#include "daemon.h"
#include "evidence.h"
#include "metrics.h"
#include "policies.h"
#include "polhist.h"
#include "sd.h"
#include "store/store.h"
#include "uses.h"

#define VERSION "0.1.0" /* as tools/cli.h has it */
#define USAGE "optagd - record the calls that a policy lets us keep\n\nUsage: optagd [-nRrv] [-c FILE]\n\n" \
	      "  -c FILE    settings (default " CONF_FILE ")\n" \
	      "  -n         check settings and policy, print what is wrong, and exit\n" \
	      "  -r         detach from the interfaces, unless a daemon captures there, and exit\n" \
	      "  -R         the same of any interface that is left for too long to be taken over, whatever the settings are\n" \
	      "  -v         with -n: print the settings in canonical form\n\n" \
	      "Exit status: 0 ended or right, 1 failed, 2 usage, settings or policy have an error, 3 store damaged. optagd(8) tells more."
#define DRAIN_MS     2	  /* a 64 MiB ring holds 230 ms at 1.5 million packets a second */
#define DRAIN_BUDGET 512 /* records before signalling has its turn again: 0.1 ms */
#define SIG_BUDGET   512
#define ASK_NS	     10000000ULL /* between turns of those who ask: they get a fraction of the thread, flood or not */
#define BEHIND_NS     500000000ULL /* nothing that is said is over sooner */
#define BEHIND_BUDGET 65536 /* records between signs of life: a tenth of a second */
#define LAST_NS	     5000000000ULL /* a supervisor waits for longer */
#define BUSY_NS	     20000000ULL /* packets without end: timers and whoever asks have their turn */
#define SETTLE_NS    2000000ULL	 /* a CPU may still be writing a record that has its time already */
#define CATCH_UP_NS  2000000000ULL

/* ---- settings and policy ---- */

static void log_diags(const struct policy_diags *d)
{
	size_t i;

	/* Not the source line: it may hold numbers of a set; nor what a policy should say instead. */
	for (i = 0; i < d->n; i++) {
		const char *fix = d->d[i].code[0] == 'C' ? d->d[i].fix : NULL;

		log_msg(d->d[i].severity == POLICY_ERROR ? LOG_L_ERR : LOG_L_WARN, "%s:%d:%d: %s: %s%s%s", d->d[i].file,
			d->d[i].line, d->d[i].col, d->d[i].code, d->d[i].text, fix ? " Fix: " : "", fix ? fix : "");
	}
}

static void reload(struct daemon *d)
{
	struct policy_diags diags = { 0 };
	struct conf wanted;
	const char *fixed;

	(void)sd_reloading(); /* without systemd there is nobody to tell; on_reloaded ends it */
	if (conf_load(d->conf_path, &diags, &wanted) == 0) {
		fixed = conf_first_change(&d->conf, &wanted);
		if (fixed)
			log_warn("%s: '%s' changed: takes effect at the next start", d->conf_path, fixed);
		d->conf.sync_ns = wanted.sync_ns;
		d->conf.log_level = wanted.log_level;
		log_set_level(wanted.log_level);
	}
	log_diags(&diags);
	policy_diags_free(&diags);
	policies_reload(d->policies);
}

static void on_use(void *arg, const struct policy *p)
{
	struct daemon *d = arg;

	if (d->rec) /* the first one is there before the recorder */
		recorder_set_policy(d->rec, p);
}

static void on_done(void *arg, const struct polhist_line *l, const uint8_t hash[32])
{
	struct daemon *d = arg;

	if (d->evidence)
		evidence_policy(d->evidence, l, hash);
}

static bool on_tighten(void *arg, bool restart, struct calls_tightened *sum)
{
	struct daemon *d = arg;

	return recorder_tighten(d->rec, policies_current(d->policies), restart, sum);
}

static size_t on_pinned(void *arg, const struct policy *p)
{
	struct daemon *d = arg;

	return d->rec ? recorder_pinned(d->rec, p) : 0;
}

static void on_reloaded(void *arg, int err)
{
	struct daemon *d = arg;

	if (err && d->evidence)
		evidence_daemon(d->evidence, EVLOG_POLICY_REJECT, NULL, err == -EACCES ? "unapproved" : "errors");
	(void)sd_ready();
}

/* Keys are read while we are root, and the names looked up: later no file of users is open to us. */
static int load_approvers(const struct conf *c, struct policies_approval *ret)
{
	int e = 0;

	ret->loosening = c->approval;
	ret->n = c->napprover;
	for (size_t i = 0; i < c->napprover; i++) {
		struct policies_approver *a = &ret->approver[i];
		const struct passwd *u = getpwnam(c->approver[i].name);
		int rc = approval_key_load(c->approver[i].key, false, a->name, a->key);

		if (!rc && strcmp(a->name, c->approver[i].name) != 0)
			rc = -EKEYREJECTED;
		if (rc)
			log_err("%s: the key of approver '%s' is not taken: %s", c->approver[i].key, c->approver[i].name,
				rc == -EBADMSG	      ? "the file holds no approver's key" :
				rc == -EPERM	      ? "others may write the file" :
				rc == -EKEYREJECTED   ? "it is somebody else's" :
							strerror(-rc));
		a->uid = u ? (int64_t)u->pw_uid : -1;
		e = e ? e : rc;
	}
	return e;
}

static int load_policies(struct daemon *d)
{
	struct policies_settings s = { .path = d->conf.policy, .store = d->conf.store, .arg = d, .use = on_use,
				       .tighten = on_tighten, .pinned = on_pinned, .reloaded = on_reloaded,
				       .ctl = &d->ctl, .done = on_done };
	int e = load_approvers(&d->conf, &s.approval);

	return e ? e : policies_new(&s, &d->policies);
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
		if (si.ssi_signo == SIGTERM)
			d->hand_over = true;
	}
}

/* The store has threads: it waits for its disk, not we. When the disk refuses, it tries again by itself. */
static void look_after_store(struct daemon *d, uint64_t now)
{
	struct store_figures f;
	char why[512];
	int e;

	if (now - d->synced_ns >= d->conf.sync_ns) {
		d->synced_ns = now;
		store_figures(d->store, &f);
		if (f.rows_first && !d->rows_first)
			log_err("the evidence log is far behind: the catalog gets calls that a kill now would leave unknown to the log");
		d->rows_first = f.rows_first;
		if (f.uncut > d->uncut)
			log_err("%llu segments that a recorder of before left open cannot be read: calls of then may lack their end (optag fsck names them)",
				(unsigned long long)f.uncut);
		d->uncut = f.uncut;
		store_sync_tick(d->store);
	}
	e = store_broken(d->store, why, sizeof(why));
	if (e && !d->broken)
		log_err("%s: nothing is kept until this is over, and that is counted", why);
	else if (!e && d->broken)
		log_notice("%s: written to again", d->conf.store);
	d->broken = e != 0;
}

/* All in one order, so nothing has to be kept from overtaking; timers wait for what waits. */
static int take_live(struct daemon *d)
{
	uint64_t begin = clock_now_ns();
	int n;

	do {
		n = live_drain(d->live, DRAIN_BUDGET);
		if (n < 0)
			return n;
		recorder_horizon(d->rec, live_horizon(d->live) - SETTLE_NS);
	} while (n == DRAIN_BUDGET && clock_now_ns() - begin < BUSY_NS);
	return 0;
}

/* The time of the oldest media that waits, or now. */
static uint64_t look_for_media(struct daemon *d, uint64_t now)
{
	uint64_t oldest = xdp_oldest(d->xdp[0]);

	recorder_horizon(d->rec, (oldest < now ? oldest : now) - SETTLE_NS);
	return oldest;
}

/* As late as on any day. */
static bool caught_up(const struct daemon *d)
{
	uint64_t oldest = xdp_oldest(d->xdp[0]), now = clock_now_ns();

	return oldest >= now || now - oldest < BUSY_NS;
}

/*
 * The beginning of what waits may be long. What comes while that is taken has its turn in order as well; but where more comes than we can take
 * that is so for ever, and signalling goes first again.
 */
static void on_before_signal(void *arg, uint64_t ts_ns)
{
	struct daemon *d = arg;
	unsigned n;

	if (ts_ns > d->behind_ns + CATCH_UP_NS || (ts_ns > d->behind_ns && caught_up(d))) {
		d->behind_ns = 0;
		xdp_before_signal(d->xdp[0], NULL, NULL);
		return;
	}
	do {
		n = xdp_drain_until(d->xdp[0], recorder_sink(d->rec), BEHIND_BUDGET, ts_ns);
		d->behind_taken += n;
		if (d->behind_taken >= BEHIND_BUDGET) {
			daemon_alive(d);
			(void)sd_watchdog();
			d->behind_taken = 0;
		}
	} while (n == BEHIND_BUDGET);
	(void)look_for_media(d, ts_ns);
}

/*
 * What waited while nobody looked, a daemon that takes over or a thread that stood still, wherever, is taken in its order: a pause that began
 * and ended meanwhile holds for the audio between, and so does all else that is said.
 */
static void if_behind(struct daemon *d, uint64_t now)
{
	if (now - d->took_ns < BEHIND_NS)
		return;
	d->behind_ns = now;
	xdp_before_signal(d->xdp[0], on_before_signal, d);
}

static int take_packets(struct daemon *d)
{
	uint64_t begin, now;
	bool behind;
	int e;

	if (d->live)
		return take_live(d);
	/* Signalling first, so that a flood of media delays no BYE; but what it ends waits until the media
	 * before it was looked at. Not for ever: others want to know how we are. */
	for (begin = now = clock_now_ns(); now - begin < BUSY_NS; now = clock_now_ns()) {
		if_behind(d, now);
		behind = d->behind_ns;
		d->took_ns = now;
		e = xdp_signals(d->xdp[0], recorder_sink(d->rec), SIG_BUDGET);
		if (e < 0)
			return e;
		if (behind) /* what that took is no standing still */
			d->took_ns = clock_now_ns();
		if (e == SIG_BUDGET && d->behind_ns) /* more of it waits: media and timers come no further than it does */
			continue;
		d->signals_ns = e < SIG_BUDGET ? now : d->signals_ns;
		(void)xdp_drain(d->xdp[0], recorder_sink(d->rec), DRAIN_BUDGET);
		if (look_for_media(d, now) >= now)
			break;
	}
	return 0;
}

/*
 * Asked at intervals and not when somebody writes: a client that always has one more request would keep this thread
 * busy, late for signalling, and in the end stopped by the kernel's limit of realtime.
 */
static void answer(struct daemon *d, uint64_t now)
{
	if (now - d->answered_ns < ASK_NS)
		return;
	ctl_run(d->ctl);
	if (d->metrics)
		metrics_run(d->metrics);
	d->answered_ns = clock_now_ns();
}

/* All that came before then was taken. */
static uint64_t taken_until(const struct daemon *d)
{
	uint64_t oldest;

	if (d->live)
		return live_horizon(d->live);
	oldest = xdp_oldest(d->xdp[0]);
	return oldest < d->signals_ns ? oldest : d->signals_ns;
}

/* What came before the signal still counts; libpcap has it later. What we leave to another daemon it finds. */
static int take_last(struct daemon *d)
{
	struct timespec late = { 0, LIVE_LATE_NS };
	uint64_t begin = clock_now_ns();
	int e;

	if (d->live)
		(void)nanosleep(&late, NULL);
	do
		e = take_packets(d);
	while (!e && !d->hand_over && taken_until(d) < begin && clock_now_ns() - begin < LAST_NS);
	return e;
}

/* Of libpcap's packets any may have been signalling. It is asked more often than timers are late, so none is ahead of the answer. */
static uint64_t lost_signals(struct daemon *d, uint64_t now)
{
	struct live_losses l;

	if (d->nxdp)
		return xdp_lost_signals(d->xdp[0]);
	if (now - d->asked_ns < ASK_NS)
		return d->lost_signals;
	d->asked_ns = now;
	live_losses(d->live, &l);
	return l.kernel;
}

/*
 * What was not seen may have been a key press: of a call, too, that begins in what still waits in the ring, or in libpcap's
 * buffer: these are full then. Who takes over begins where this was done to the end.
 */
static void look_for_lost_signals(struct daemon *d, uint64_t now)
{
	uint64_t lost = lost_signals(d, now), drained = d->nxdp ? d->signals_ns : live_horizon(d->live);
	bool more = lost != d->lost_signals, behind = d->lost_ns && drained >= d->lost_ns;

	if (more || behind)
		calls_lost_signalling(recorder_calls(d->rec), now);
	if (more || behind)
		d->lost_ns = more ? now : 0;
	if (behind && !more && d->nxdp)
		xdp_set_lost_done(d->xdp[0], lost);
	d->lost_signals = lost;
}

/* What was in it is counted by the kernel as handed up, and came to nobody. */
static void look_for_damaged_rings(struct daemon *d)
{
	struct xdp_fill f = { .damaged = 0 };

	if (d->nxdp)
		xdp_fill(d->xdp[0], &f);
	if (f.damaged != d->rings_damaged)
		log_err("a capture ring made no sense and was emptied, %llu times so far: audio is lost, by a defect or another writer",
			(unsigned long long)f.damaged);
	d->rings_damaged = f.damaged;
}

static int run(struct daemon *d)
{
	struct epoll_event ev[8];
	uint64_t beat = sd_watchdog_ns();
	int n, i, e = 0;

	d->lost_signals = d->nxdp ? xdp_lost_done(d->xdp[0]) : 0; /* what was lost while no daemon ran is more */
	if (d->nxdp) /* the first signalling, too, ends no call before the media that waited for us */
		(void)look_for_media(d, clock_now_ns());
	while (!d->stop && !e) {
		uint64_t now;

		n = epoll_wait(d->epoll, ev, 8, DRAIN_MS);
		for (i = 0; i < n; i++) {
			if (ev[i].data.fd == d->sigfd)
				on_signal_fd(d);
			else if (ev[i].data.fd == uses_fd(d->uses))
				uses_run(d->uses);
			else if (ev[i].data.fd == d->port_events)
				ports_run(d);
		}
		clocks_run(d);
		e = take_packets(d);
		now = clock_now_ns();
		look_for_lost_signals(d, now);
		if (!e)
			e = recorder_tick(d->rec, now);
		policies_run(d->policies, now);
		look_after_store(d, now);
		if (now - d->beat_ns > (beat ? beat : NS_PER_S)) {
			d->beat_ns = now;
			daemon_alive(d);
			ports_run(d);
			look_for_damaged_rings(d);
			reviews_run(d);
			reaper_run(d);
			ahead_run(d);
			daemon_losses(d);
			(void)sd_watchdog();
		}
		answer(d, now);
	}
	if (e)
		log_err("recording stops: %s", *store_why(d->store) ? store_why(d->store) : strerror(-e));
	return e;
}

static void say_ready(const struct daemon *d)
{
	size_t i;

	for (i = 0; i < d->conf.ninterface; i++)
		log_notice("recording from %s (%s), %zu rules", d->conf.interface[i].name,
			   d->live ? "libpcap" : xdp_mode(d->xdp[i]) == XDP_NATIVE ? "native XDP" : "generic XDP",
			   policy_rules(policies_current(d->policies)));
}

/* Settings may be right before the store is made, and be checked by who may not open it. */
static void look_at_store(const char *dir)
{
	char why[512] = "";
	struct store *st;
	int e = store_open(dir, STORE_RO, &st, why, sizeof(why));

	if (!e)
		store_close(st);
	else if (e == -ENOENT)
		log_warn("%s: no store is here yet (optag init --store DIR makes one)", dir);
	else if (e != -EACCES && e != -EPERM)
		log_warn("%s", *why ? why : strerror(-e));
}

static int check_only(const struct daemon *d, bool print)
{
	struct policy_diags diags = { 0 };
	const char *path = d->conf.policy;
	struct policies_approval approval = { 0 };
	struct policy *p = NULL;
	int e;

	ports_warn(&d->conf);
	e = policy_load(&path, 1, (int64_t)time(NULL), &diags, &p);

	if (load_approvers(&d->conf, &approval) && !e) {
		policy_free(p);
		e = -EINVAL;
	}

	log_diags(&diags);
	policy_diags_free(&diags);
	if (e)
		return 2;
	policy_free(p);
	look_at_store(d->conf.store);
	return print && conf_print(stdout, &d->conf) ? 1 : 0;
}

int main(int argc, char **argv)
{
	static struct daemon d = { .conf_path = CONF_FILE, .sigfd = -1, .epoll = -1, .port_events = -1, .port_ask = -1 };
	struct policy_diags diags = { 0 };
	bool check = false, print = false, release = false, abandoned = false, wrong = false;
	int c, e;

	log_init("optagd", LOG_L_INFO);
	if (argc == 2 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "--version")))
		return puts(argv[1][2] == 'h' ? USAGE : "optagd " VERSION) < 0 || fflush(stdout) ? 1 : 0;
	opterr = 0;
	while ((c = getopt(argc, argv, "c:nRrv")) != -1) {
		if (c == 'c')
			d.conf_path = optarg;
		else if (c == 'n')
			check = true;
		else if (c == 'R')
			abandoned = true;
		else if (c == 'r')
			release = true;
		else if (c == 'v')
			print = true;
		else
			wrong = true;
	}
	if (wrong || optind < argc) {
		log_err("usage: optagd [-nRrv] [-c FILE], see --help");
		return 2;
	}
	if (abandoned)
		return daemon_release_abandoned() ? 1 : 0;
	e = conf_load(d.conf_path, &diags, &d.conf);
	log_diags(&diags);
	policy_diags_free(&diags);
	if (e)
		return 2;
	if (release)
		return daemon_release(&d.conf) ? 1 : 0;
	if (check)
		return check_only(&d, print);
	log_init("optagd", d.conf.log_level);
	e = sd_init();
	log_never_wait();
	if (!e)
		e = load_policies(&d);
	if (e)
		return 2;
	(void)clock_live(0);
	d.start_ns = d.synced_ns = clock_now_ns();
	e = daemon_start(&d);
	if (!e) {
		say_ready(&d);
		(void)sd_ready();
		e = run(&d);
		if (!e)
			e = take_last(&d);
	}
	e = daemon_finish(&d, e);
	return e ? 1 : 0;
}
