/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * priv.h - giving up what the daemon no longer needs
 *
 * In this order, by the main thread before any other thread exists and before
 * the first packet is parsed:
 *
 *	priv_start()			no core dumps, not traceable, memlock limit up
 *	(open config, policy, store; load, attach, pin; listen)
 *		priv_drop(&user, PRIV_KEEP_...)	become the user
 *	priv_seccomp(PRIV_S_...)	only the system calls below from now on
 *	(once attached and locked)	priv_drop_caps()	none left
 *
 * It sees no request of an io_uring: the store makes its ring before, one that can do nothing but writes
 * (store/writer.h), and the filter allows no other.
 *
 * The filter holds for all threads made afterwards. It kills the process (core
 * dumps are off): whoever can make this program call execve has won already,
 * so nothing is answered politely. Each function returns 0 or -errno and
 * `why` (size n) then has one line.
 */
#ifndef PRIV_H
#define PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct priv_user {
	uid_t uid;
	gid_t gid;
	char name[33];
};

/* -ENOENT: no such user or group. group "": the user's own. */
int priv_find_user(const char *user, const char *group, struct priv_user *ret, char *why, size_t n);
/* -ENOENT. */
int priv_find_group(const char *group, gid_t *ret);

/* PR_SET_DUMPABLE 0, RLIMIT_CORE 0, RLIMIT_MEMLOCK as high as allowed, umask 007. */
int priv_start(char *why, size_t n);

enum priv_keep {
	PRIV_KEEP_BPF = 1,	 /* CAP_BPF: map and program calls */
	PRIV_KEEP_NET_ADMIN = 2, /* attach, detach, change the mode of an interface */
	PRIV_KEEP_IPC_LOCK = 4,	 /* lock more memory than RLIMIT_MEMLOCK */
	PRIV_KEEP_NET_RAW = 8,	 /* packet sockets (xdp none) opened later */
};

/*
 * Becomes the user for good (real, effective, saved; no supplementary groups),
 * with these capabilities alone, in the permitted and effective set; bounding
 * and ambient set emptied; no new privileges ever. Not root to begin with: the
 * user must be the present one (-EPERM); capabilities that are not there are
 * not kept. Fails rather than keep more than was asked for.
 */
int priv_drop(const struct priv_user *u, unsigned keep, char *why, size_t n);
/* Gives up the kept ones too. PR_SET_DUMPABLE is set to 0 again (a change of user resets it). */
int priv_drop_caps(char *why, size_t n);

enum priv_syscalls {
	PRIV_S_BPF = 1,	   /* of bpf(2): a link is asked, made, pinned, detached; nothing loaded or read */
	PRIV_S_INET = 2,   /* accept on TCP sockets that exist (metrics); never socket(AF_INET) */
	PRIV_S_PACKET = 4, /* what libpcap needs on a socket that is open */
	PRIV_S_NETLINK = 8, /* socket(AF_NETLINK): interfaces that come and go */
};

/* -ENOSYS: the kernel has no seccomp. */
int priv_seccomp(unsigned allow, char *why, size_t n);

#endif
