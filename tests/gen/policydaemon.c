/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * policydaemon.c - the policy side of the daemon without capture
 *
 *	policydaemon SOCKET POLICY STORE [guest] [group=GID] [approver=KEYFILE[,UID]]
 *
 * Real daemon/policies.c, ctl.c and the system-call filter; calls in progress are
 * made up: two of seven are tightened at each change. SIGHUP reads the policy
 * again, SIGTERM ends. `guest`: whoever asks is taken for one of the group. `approver`: what loosens needs that
 * person. `done` lines go to stdout, as events of the evidence log would.
 * Prints "ready" once it answers. Tests of the tools talk to it from outside.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/log.h"
#include "ctl.h"
#include "policies.h"
#include "polhist.h"
#include "priv.h"

static volatile sig_atomic_t stop, again;
static bool guest;
static gid_t group = (gid_t)-1;
static struct policies_approval approval;
static struct policies *ps;
static struct ctl *ctl;

static void on_signal(int sig)
{
	if (sig == SIGHUP)
		again = 1;
	else
		stop = 1;
}

static void use(void *arg, const struct policy *p)
{
	(void)arg;
	(void)p;
}

static bool tighten(void *arg, bool restart, struct calls_tightened *sum)
{
	(void)arg;
	sum->seen += restart ? 4 : 3;
	sum->changed++;
	sum->denied++;
	return restart; /* two slices */
}

static size_t pinned(void *arg, const struct policy *p)
{
	(void)arg;
	(void)p;
	return 0;
}

static void done(void *arg, const struct polhist_line *l, const uint8_t hash[32])
{
	(void)arg;
	printf("done %s %s %.12s %02x%02x\n", polhist_what_name(l->what), polhist_how_name(l->how), l->policy, hash[0], hash[1]);
	fflush(stdout);
}

static int options(int argc, char **argv)
{
	int e = 0;

	for (int i = 4; i < argc && !e; i++) {
		struct policies_approver *a = &approval.approver[approval.n];
		char *comma = strchr(argv[i], ',');

		if (strcmp(argv[i], "guest") == 0) {
			guest = true;
		} else if (strncmp(argv[i], "group=", 6) == 0) {
			group = (gid_t)atoi(argv[i] + 6);
		} else if (strncmp(argv[i], "approver=", 9) == 0 && approval.n < POLICIES_APPROVERS) {
			a->uid = comma ? atoi(comma + 1) : -1;
			if (comma)
				*comma = 0;
			e = approval_key_load(argv[i] + 9, false, a->name, a->key);
			approval.n++;
			approval.loosening = true;
		} else {
			e = -EINVAL;
		}
	}
	return e;
}

static int on_policies(void *arg, const struct ctl_peer *peer, const json_t *rq, json_t *answer, char *why, size_t n)
{
	struct ctl_peer as = *peer;

	(void)arg;
	as.owner &= !guest;
	return policies_ctl(ps, &as, rq, answer, why, n);
}

static int start(char **argv, char *why, size_t n)
{
	static const struct ctl_handler handlers[] = { POLICIES_CTL(on_policies), { 0 } };
	struct policies_settings s = { .path = argv[2], .store = argv[3], .use = use, .tighten = tighten, .pinned = pinned, .ctl = &ctl,
				       .approval = approval, .done = done };
	int e = policies_new(&s, &ps);

	snprintf(why, n, "the policy does not load");
	if (!e)
		e = policies_start(ps, why, n);
	if (!e)
		e = ctl_new(argv[1], group, handlers, NULL, &ctl, why, n);
#ifndef __SANITIZE_ADDRESS__
	if (!e)
		e = priv_seccomp(PRIV_S_PACKET, why, n);
#endif
	return e;
}

int main(int argc, char **argv)
{
	struct sigaction sa = { .sa_handler = on_signal };
	char why[512] = "";

	if (argc < 4)
		return 2;
	if (options(argc, argv))
		return 2;
	log_init("policydaemon", LOG_L_INFO);
	umask(027);
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGHUP, &sa, NULL);
	if (start(argv, why, sizeof(why))) {
		fprintf(stderr, "policydaemon: %s\n", why);
		policies_free(ps);
		return 1;
	}
	puts("ready");
	fflush(stdout);
	while (!stop) {
		struct pollfd p[2] = { { .fd = ctl_fd(ctl), .events = POLLIN }, { .fd = policies_fd(ps), .events = POLLIN } };

		(void)poll(p, 2, 20); /* a signal ends it early */
		if (again) {
			again = 0;
			policies_reload(ps);
		}
		ctl_run(ctl);
		policies_run(ps, clock_now_ns());
	}
	ctl_free(ctl);
	policies_free(ps);
	return 0;
}
