/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * conf.h - optagd.conf: the settings of the daemon
 *
 * What is recorded stands in the policy; this file says where packets come
 * from and what the daemon may use. Same lexer as the policy (policy/lex.h),
 * optagd.conf(5) is the manual. `struct conf` is plain data: copy it, compare
 * it, nothing to free. Every setting has a default; only an interface must be
 * named.
 *
 *	conf_load(path, &diags, &conf)	file, or conf_read() from memory
 *	conf_print(stdout, &conf)	canonical form: reads back to the same conf
 *	conf_first_change(&now, &new)	on reload: what needs a restart
 *
 * Diagnostics are those of the policy (policy_diag_print, policy_diags_free)
 * with codes C-..: nothing is printed here. One thread.
 */
#ifndef CONF_H
#define CONF_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/ipaddr.h"
#include "base/log.h"
#include "policy/policy.h"

#define CONF_FILE	  "/etc/optag/optagd.conf"
#define CONF_PATH	  256
#define CONF_SOCKET	  108 /* sun_path */
#define CONF_NAME	  33  /* user and group names, useradd(8) */
#define CONF_INTERFACES	  16
#define CONF_SIP_PORTS	  15 /* and the 0 that ends the list of struct optag_config */
#define CONF_CPUS	  1024
#define CONF_FILE_MAX	  (1u << 20)
#define CONF_APPROVERS	  16
#define CONF_CALLS_MAX	  600000 /* the state of more would not be had (XDP_STATE_MAX) */

/* auto: native, else generic with a warning. none: libpcap, same classifier in user space. */
enum conf_xdp { CONF_XDP_AUTO, CONF_XDP_NATIVE, CONF_XDP_GENERIC, CONF_XDP_NONE };

struct conf_interface {
	char name[IFNAMSIZ];
	bool mirror;	  /* a SPAN port: nobody else wants its packets (default yes) */
	enum conf_xdp xdp;
	uint32_t queues;  /* receive queues the NIC is set to; 0 as they are */
	uint32_t budget;  /* packets a leg may send per 100 ms; 0 no limit */
};

/* A person who may say yes to what loosens; the key file is policy/approval.h's. */
struct conf_approver {
	char name[CONF_NAME];
	char key[CONF_PATH];
};

struct conf {
	struct conf_interface interface[CONF_INTERFACES];
	size_t ninterface;
	uint16_t sip_ports[CONF_SIP_PORTS + 1]; /* 0 ends the list */
	uint64_t ring_bytes;	  /* capture ring per CPU, power of two */
	uint64_t signal_bytes;	  /* signalling ring, power of two */
	bool exact_time;	  /* media stamped to the nanosecond, not to the kernel's tick */
	uint64_t call_ring_bytes; /* audio of a voice at most before it is a chunk, power of two */
	uint64_t call_memory;	  /* of all voices together */
	uint64_t write_memory;	  /* of chunks on their way to the disk */
	uint32_t flow_lines;	  /* power of two; two addresses a line, four a call */
	uint32_t calls;		  /* at once */
	uint64_t media_timeout_ns, hold_timeout_ns, setup_timeout_ns;
	uint64_t sync_ns;	  /* between two syncs: a power cut costs so much beside what is in chunks */
	uint64_t take_over_ns;	  /* capture waits so long for another daemon; 0 not at all */
	uint64_t reaper_ns;	  /* so long after its latest run the reaper is dead; 0: nobody looks */
	char store[CONF_PATH];
	char policy[CONF_PATH];	  /* file or directory */
	char control[CONF_SOCKET];
	char control_group[CONF_NAME]; /* who may ask beside root and the daemon's user; "" nobody */
	char calls_group[CONF_NAME];   /* who may say what happens in calls; "" nobody else */
	char use_group[CONF_NAME];     /* who may note that a recording was used; "" nobody else */
	int approval; /* 1: what loosens needs an approver */
	struct conf_approver approver[CONF_APPROVERS];
	size_t napprover;
	struct endpoint metrics;  /* port 0: off */
	char user[CONF_NAME], group[CONF_NAME];
	bool seccomp;
	enum log_level log_level;
	uint32_t realtime;	     /* SCHED_FIFO priority of the capturing thread; 0 none */
	uint8_t cpus[CONF_CPUS / 8]; /* bit set: threads may run there; none set: everywhere */
};

void conf_defaults(struct conf *ret);
/*
 * -EINVAL: errors are in d; -errno: the file could not be read (in d as well).
 * Warnings may be in d either way. *ret is written on success only.
 */
int conf_load(const char *path, struct policy_diags *d, struct conf *ret);
int conf_read(const char *name, const char *text, size_t len, struct policy_diags *d, struct conf *ret);
/* -EIO when the stream has an error. */
int conf_print(FILE *f, const struct conf *c);

/*
 * The name of the first setting that differs and cannot be changed while the
 * daemon runs, or NULL. log-level and sync can.
 */
const char *conf_first_change(const struct conf *running, const struct conf *wanted);

static inline bool conf_cpu(const struct conf *c, unsigned cpu)
{
	return cpu < CONF_CPUS && c->cpus[cpu / 8] >> cpu % 8 & 1;
}

#endif
