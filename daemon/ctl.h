/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ctl.h - the control socket: how `optag status`, `policy apply` ... ask the daemon
 *
 * A stream socket in the file system. One JSON object a line each way:
 *
 *	{"do":"status"}			->  {"ok":true, ...fields of the answer}
 *	{"do":"x","id":7}		->  {"ok":false,"id":7,"errno":"EINVAL","error":"one line"}
 *
 * "id" is optional and comes back. A request that follows something (a trace)
 * gets many lines, all but the last with "more":true. What "status" answers is
 * in status.h. Unknown members are refused by the handlers, not here.
 *
 * Who may ask is told by the kernel (SO_PEERCRED, SO_PEERGROUPS): root, the
 * daemon's user, and members of the group. Handlers marked CTL_OWNER are not
 * for the group; those marked CTL_CALLS or CTL_USE are for groups of their own
 * (ctl_allow), whose members may do nothing else unless they are in the first
 * one too. All others are disconnected after one line that says so.
 *
 * Never blocks: ctl_run does what is ready, for CTL_RUN_NS and one request at most (the daemon's loop
 * calls it at intervals, so that a flood of requests delays no packet; ctl_fd is for tests that wait). Limits below; a client that
 * breaks one is disconnected and counted. Nobody's text is logged.
 *
 *	ctl_new("/run/optag/control", gid, handlers, arg, &c)	while still root
 *	loop: a few times a second at least: ctl_run(c)
 *	ctl_free(c)						removes the socket
 *
 * One thread.
 */
#ifndef CTL_H
#define CTL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <jansson.h>

#define CTL_CLIENTS_MAX	 32
#define CTL_CLIENTS_USER 8  /* of one user; root and the daemon's user: no limit */
#define CTL_CLIENTS_KEPT 8  /* of them for those two: who may look must not keep out who has to act */
#define CTL_REQUEST_MAX	 65536	     /* bytes of a line */
#define CTL_OUT_MAX	 (8u << 20)  /* not yet read by the client */
#define CTL_REQUEST_NS	 5000000000ULL	/* from the first byte of a line to its end */
#define CTL_READ_NS	 10000000000ULL /* an answer nobody reads */
#define CTL_IDLE_NS	 600000000000ULL
#define CTL_REQUESTS_RUN 8 /* answered for one client before the others have their turn */
#define CTL_RUN_NS	 1000000ULL /* then ctl_run leaves the rest to the next one: packets wait meanwhile */
#define CTL_DEPTH_MAX	 32

struct buf;
struct ctl;

struct ctl_peer {
	uint64_t client; /* for ctl_answer; never given twice */
	uid_t uid;
	gid_t gid;
	pid_t pid;
	bool owner; /* root or the daemon's user */
	bool narrow; /* not in the socket's group: only what `may` says */
	unsigned may; /* CTL_CALLS, CTL_USE */
};

#define CTL_LATER 1

struct ctl_handler {
	const char *name; /* of "do" */
	unsigned flags;	  /* CTL_OWNER, or CTL_CALLS or CTL_USE */
	/*
	 * Adds fields to the answer: 0. -errno with a line in why: refused (the fields are
	 * dropped). CTL_LATER: the answer comes by ctl_answer; until then the client's further
	 * requests wait.
	 */
	int (*run)(void *arg, const struct ctl_peer *peer, const json_t *request, json_t *answer, char *why, size_t n);
};
#define CTL_OWNER 1u
#define CTL_CALLS 2u /* what telephone systems say about calls */
#define CTL_USE	  4u /* use of recordings */
#define CTL_GROUPS_MAX 4

/* handlers end with { 0 } and stay the caller's. gid (gid_t)-1: no group. -EADDRINUSE: another daemon answers there. */
int ctl_new(const char *path, gid_t gid, const struct ctl_handler *handlers, void *arg, struct ctl **ret, char *why, size_t n);
void ctl_free(struct ctl *c); /* NULL-tolerant */
/*
 * Members of this group too may connect, for handlers with one of these flags. While still root. The
 * socket's file then lets everybody connect, and who is in none of the groups is told so. -ENOSPC, -errno.
 */
int ctl_allow(struct ctl *c, gid_t gid, unsigned may);
int ctl_fd(const struct ctl *c);
void ctl_run(struct ctl *c);

/*
 * The answer of a request that was CTL_LATER, or one more line of it. err 0 or
 * -errno (text then says why). Takes fields (NULL: none). -ENOENT: the client is
 * gone; whoever works for it can stop. -ENOSPC: it does not read; disconnected.
 */
int ctl_answer(struct ctl *c, uint64_t client, int err, const char *text, json_t *fields, bool more);

struct ctl_stats {
	uint64_t clients, accepted, requests, refused_peer, refused_full, bad, timeouts;
};
void ctl_get_stats(const struct ctl *c, struct ctl_stats *ret);

/*
 * One line to one answer, without a socket: what ctl_run does per request, for
 * tests and fuzzing. Appends a line to out. Returns CTL_LATER (nothing appended)
 * or 0. *ret_id (may be NULL) gets the request's "id", to be freed, or NULL.
 */
int ctl_request(const struct ctl_handler *handlers, void *arg, const struct ctl_peer *peer, const char *line, size_t n,
		struct buf *out, json_t **ret_id);

#endif
