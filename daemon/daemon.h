/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * daemon.h - the running daemon: what main.c (life, loop), start.c (attach,
 * privileges, take-over) and tell.c (status, metrics, control socket) share
 *
 * One thread owns all of it. Order of life: daemon_start, daemon_run, and
 * daemon_finish in every case. Threads of the store and of policies are theirs.
 */
#ifndef DAEMON_H
#define DAEMON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "conf.h"
#include "ctl.h"
#include "losses.h"
#include "nic.h"
#include "record.h"
#include "status.h"

/* An interface's absence. */
struct port {
	bool gone;
	char named[16];	    /* its other name that was said; "" it has the settings' */
	int said;	    /* the error that attaching again had last, so that it is said once */
	uint32_t times;	    /* it went */
	uint64_t since_ns;  /* CLOCK_MONOTONIC's; when it went */
	uint64_t before_ns; /* all absences that are over */
};

struct evidence;
struct uses;

struct daemon {
	const char *conf_path;
	struct conf conf;
	uint64_t start_ns, synced_ns, beat_ns, answered_ns;
	struct policies *policies;
	struct store *store;
	struct evidence *evidence;
	struct callbacks *callbacks;
	int callbacks_said; /* its error that was logged last; the evidence log's thread's */
	struct uses *uses;
	struct xdp *xdp[CONF_INTERFACES]; /* the first has maps and rings; the others fill them */
	size_t nxdp;
	uint32_t ifindex[CONF_INTERFACES]; /* of conf.interface, when it was attached */
	int own[CONF_INTERFACES][NIC_OWN]; /* nic_own's; the first nown */
	size_t nown;
	struct port port[CONF_INTERFACES]; /* of xdp */
	int port_events, port_ask; /* rtlink.h: something changed, -1 by libpcap; what an interface says */
	struct live *live; /* instead of xdp: libpcap */
	bool left;	   /* a daemon before us left calls in keep */
	bool taking, started; /* calls of before were looked at; daemon_start succeeded */
	struct status_take_over took;
	struct keep *keep; /* for the daemon after this one; NULL: nobody takes over */
	struct flow_table *flows;
	struct recorder *rec;
	struct ctl *ctl;
	struct metrics *metrics;
	struct status_decisions decisions;
	uint64_t alarms[RECORDER_ALARMS], alarms_told[RECORDER_ALARMS], alarm_ns[RECORDER_ALARMS]; /* alarm_ns: of the latest line */
	struct reviews { /* reviews.c */
		char hash[65];	    /* of the policy that was looked at */
		uint64_t looked_ns; /* steady */
		int days;	    /* to its earliest review date; negative: it is past; INT_MAX: none */
		int told;
	} reviews;
	struct ahead { /* ahead.c */
		char hash[65];	   /* of the policy that was gone through, up to: */
		size_t rule;
		uint64_t again_ns; /* steady */
	} ahead;
	struct reaper { /* reaper.c */
		uint64_t from_ns; /* CLOCK_BOOTTIME of the daemon's start */
		uint64_t ran_ns;  /* as the store's figure */
		uint64_t told_ns; /* steady: of the latest line */
		bool dead;
	} reaper;
	struct clock_follow clock;
	uint64_t clock_steps; /* the machine's clock was set */
	uint64_t clock_said_ns; /* steady: of the latest alarm that it is away from ours */
	uint64_t lost_signals, rings_damaged; /* as xdp_lost_signals said last, or live_losses */
	uint64_t asked_ns; /* libpcap was */
	uint64_t lost_ns;  /* 0, or when more was lost, until what came before is drained */
	uint64_t took_ns;   /* the latest look for packets began */
	uint64_t behind_ns; /* 0, or what came before is taken in its order */
	unsigned behind_taken; /* media so, since the last sign of life */
	uint64_t signals_ns; /* all signalling of before was taken from its ring */
	struct losses_told losses;
	bool broken; /* the store cannot write, and it was said */
	int sigfd, epoll;
	uint64_t rows_first; /* the store's figure that was told */
	uint64_t uncut;	     /* the same */
	bool stop, hand_over; /* hand_over: capture goes on without us for a while */
};

/* ---- start.c ---- */
int daemon_start(struct daemon *d);
/* Once a second at least: the kernel hands audio up to a daemon that says so (optag_info.alive_until_ns). */
void daemon_alive(struct daemon *d);
int daemon_finish(struct daemon *d, int e);
/* `optagd -r`: pins that nobody uses go. */
int daemon_release(const struct conf *c);
/* Those of any interface that no daemon may take over any more; whatever the settings are. 0 or -errno, logged. */
int daemon_release_abandoned(void);

/* ---- ports.c ---- */
/* Warns of mirror ports to which somebody else speaks, too. */
void ports_warn(const struct conf *c);
/* As root, before anything of an interface is touched: no other daemon captures there (nic_own). -EBUSY, -ENODEV. */
int ports_own(struct daemon *d, char *why, size_t n);
/* The sockets, while sockets may be made. */
int ports_open(struct daemon *d);
/* When port_events is readable, and now and then: which interfaces went, which are back. */
void ports_run(struct daemon *d);
uint64_t port_gone_ns(const struct port *p);
void ports_close(struct daemon *d);

/* ---- clocks.c ---- */
/* Before anything of the store or of calls: those that a daemon before us left have their times by its clock. */
void clocks_take_over(struct daemon *d);
/* Every turn of the loop, before packets: follows the machine's clock, tells when it was set, and takes it when it may. */
void clocks_run(struct daemon *d);

/* ---- reviews.c ---- */
/* Once a second: whether the policy in force has to be reviewed soon. */
void reviews_run(struct daemon *d);

/* ---- reaper.c ---- */
/* Once a second: whether the reaper is at work. */
void reaper_run(struct daemon *d);
uint64_t reaper_ago_ns(const struct daemon *d); /* since its latest run; UINT64_MAX: none since the machine booted */

/* ---- ahead.c ---- */
/* Once a second: the store learns which days are about to be needed. */
void ahead_run(struct daemon *d);

/* ---- tell.c ---- */
/* Once a second: what is lost is said in the log. */
void daemon_losses(struct daemon *d);
int daemon_open_sockets(struct daemon *d, char *why, size_t n);

#endif
