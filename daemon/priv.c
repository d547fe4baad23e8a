/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * priv.c - user, capabilities, limits, system-call filter
 *
 * Capabilities by the raw system calls: libcap would be one library more for
 * twenty lines. What was dropped is read back, because a silent failure here
 * would be the worst kind.
 */
#include "priv.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/io_uring.h>
#include <netinet/in.h>
#include <pwd.h>
#include <sched.h>
#include <seccomp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int fail(char *why, size_t n, int e, const char *what)
{
	snprintf(why, n, "%s: %s", what, strerror(e));
	return -e;
}

int priv_find_user(const char *user, const char *group, struct priv_user *ret, char *why, size_t n)
{
	struct passwd *p;
	struct priv_user u = { 0 };
	int e;

	errno = 0;
	p = getpwnam(user);
	if (!p) {
		e = errno && errno != ENOENT && errno != ESRCH ? errno : ENOENT;
		snprintf(why, n, "user '%s' %s (useradd --system %s)", user, e == ENOENT ? "does not exist" : strerror(e), user);
		return -e;
	}
	u.uid = p->pw_uid;
	u.gid = p->pw_gid;
	snprintf(u.name, sizeof(u.name), "%s", user);
	if (group && *group && priv_find_group(group, &u.gid)) {
		snprintf(why, n, "group '%s' does not exist (groupadd --system %s)", group, group);
		return -ENOENT;
	}
	*ret = u;
	return 0;
}

int priv_find_group(const char *group, gid_t *ret)
{
	const struct group *g = getgrnam(group);

	if (!g)
		return -ENOENT;
	*ret = g->gr_gid;
	return 0;
}

int priv_start(char *why, size_t n)
{
	struct rlimit none = { 0, 0 }, lock;

	/* Keys and other people's voices are in this memory: no dump, no debugger. */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
		return fail(why, n, errno, "cannot forbid core dumps");
	if (setrlimit(RLIMIT_CORE, &none))
		return fail(why, n, errno, "cannot set RLIMIT_CORE");
	lock.rlim_cur = lock.rlim_max = RLIM_INFINITY;
	if (setrlimit(RLIMIT_MEMLOCK, &lock) && getrlimit(RLIMIT_MEMLOCK, &lock) == 0) {
		lock.rlim_cur = lock.rlim_max;
		if (setrlimit(RLIMIT_MEMLOCK, &lock))
			return fail(why, n, errno, "cannot raise RLIMIT_MEMLOCK");
	}
	umask(007);
	return 0;
}

/* ---- capabilities ---- */

static int caps_get(uint64_t *ret_permitted)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct d[2] = { { 0 } };

	if (syscall(SYS_capget, &h, d))
		return -errno;
	*ret_permitted = d[0].permitted | (uint64_t)d[1].permitted << 32;
	return 0;
}

static int caps_set(uint64_t caps)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct d[2] = { { 0 } };

	for (int i = 0; i < 2; i++)
		d[i].effective = d[i].permitted = (uint32_t)(caps >> 32 * i);
	return syscall(SYS_capset, &h, d) ? -errno : 0;
}

static uint64_t caps_wanted(unsigned keep)
{
	uint64_t c = 0;

	if (keep & PRIV_KEEP_BPF)
		c |= 1ULL << CAP_BPF;
	if (keep & PRIV_KEEP_NET_ADMIN)
		c |= 1ULL << CAP_NET_ADMIN;
	if (keep & PRIV_KEEP_IPC_LOCK)
		c |= 1ULL << CAP_IPC_LOCK;
	if (keep & PRIV_KEEP_NET_RAW)
		c |= 1ULL << CAP_NET_RAW;
	return c;
}

/* Needs CAP_SETPCAP; without it (not started as root) the set was bounded by others and no_new_privs holds. */
static int empty_bounding_set(void)
{
	for (int c = 0; c <= 63; c++) {
		int has = prctl(PR_CAPBSET_READ, c, 0, 0, 0);

		if (has < 0)
			return 0; /* past the kernel's last one */
		if (has && prctl(PR_CAPBSET_DROP, c, 0, 0, 0))
			return errno == EPERM ? 0 : -errno;
	}
	return 0;
}

static int become(const struct priv_user *u)
{
	if (geteuid() != 0)
		return getuid() == u->uid && geteuid() == u->uid ? 0 : -EPERM;
	if (setgroups(0, NULL) || setresgid(u->gid, u->gid, u->gid) || setresuid(u->uid, u->uid, u->uid))
		return -errno;
	return 0;
}

static bool really_dropped(const struct priv_user *u, uint64_t caps)
{
	uid_t r, e, s;
	gid_t rg, eg, sg;
	uint64_t now = UINT64_MAX;

	if (getresuid(&r, &e, &s) || getresgid(&rg, &eg, &sg) || caps_get(&now))
		return false;
	return r == u->uid && e == u->uid && s == u->uid && rg == eg && eg == sg && !(now & ~caps) &&
	       (u->uid == 0 || setuid(0) != 0);
}

int priv_drop(const struct priv_user *u, unsigned keep, char *why, size_t n)
{
	uint64_t caps = 0;
	int e = caps_get(&caps);

	if (e)
		return fail(why, n, -e, "cannot read the capabilities");
	caps &= caps_wanted(keep);
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0))
		return fail(why, n, errno, "cannot keep capabilities");
	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); /* EINVAL before 4.3 only */
	e = empty_bounding_set();
	if (e)
		return fail(why, n, -e, "cannot empty the bounding set");
	e = become(u);
	if (e)
		return fail(why, n, -e, "cannot become the daemon's user");
	e = caps_set(caps);
	if (e)
		return fail(why, n, -e, "cannot drop capabilities");
	if (prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
		return fail(why, n, errno, "cannot give up privileges for good");
	if (!really_dropped(u, caps))
		return fail(why, n, EPERM, "privileges are still there after dropping them");
	return 0;
}

int priv_drop_caps(char *why, size_t n)
{
	uint64_t now = 1;
	int e = caps_set(0);

	if (!e && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
		e = -errno;
	if (!e && (caps_get(&now) || now))
		e = -EPERM;
	return e ? fail(why, n, -e, "cannot drop the last capabilities") : 0;
}

/* ---- system calls ---- */

/*
 * What recorder, store (SQLite, io_uring), control socket, metrics and the C
 * library's threads and memory use. Opening of files stays: the store makes
 * segments and catalogs, and the policy is read again; that it cannot reach
 * others' files is the user's and the unit's doing.
 */
static const int always[] = {
	/* memory, threads, signals, time */
	SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(mlock),
	SCMP_SYS(mlock2), SCMP_SYS(munlock), SCMP_SYS(futex), SCMP_SYS(set_robust_list),
	SCMP_SYS(get_robust_list), SCMP_SYS(rseq), SCMP_SYS(set_tid_address), SCMP_SYS(gettid), SCMP_SYS(getpid),
	SCMP_SYS(tgkill), SCMP_SYS(sched_yield), SCMP_SYS(sched_getaffinity), SCMP_SYS(sched_setaffinity),
	SCMP_SYS(membarrier), SCMP_SYS(exit), SCMP_SYS(exit_group), SCMP_SYS(restart_syscall), SCMP_SYS(rt_sigaction),
	SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn), SCMP_SYS(rt_sigtimedwait), SCMP_SYS(sigaltstack),
	SCMP_SYS(clock_gettime), SCMP_SYS(clock_getres), SCMP_SYS(clock_nanosleep), SCMP_SYS(nanosleep),
	SCMP_SYS(gettimeofday), SCMP_SYS(time), SCMP_SYS(getrandom), SCMP_SYS(getrusage), SCMP_SYS(sysinfo), SCMP_SYS(uname),
	SCMP_SYS(getuid), SCMP_SYS(geteuid), SCMP_SYS(getgid), SCMP_SYS(getegid), SCMP_SYS(getcpu), SCMP_SYS(capget),
	SCMP_SYS(capset), SCMP_SYS(getpriority), SCMP_SYS(setpriority), /* of its own threads, later only */
	/* events */
	SCMP_SYS(epoll_create1), SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_pwait2),
	SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(select), SCMP_SYS(pselect6), SCMP_SYS(eventfd2), SCMP_SYS(timerfd_create),
	SCMP_SYS(timerfd_settime), SCMP_SYS(timerfd_gettime), SCMP_SYS(signalfd4), SCMP_SYS(pipe2),
	/* files */
	SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(readv), SCMP_SYS(writev), SCMP_SYS(pread64), SCMP_SYS(pwrite64),
	SCMP_SYS(preadv), SCMP_SYS(pwritev), SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(openat2), SCMP_SYS(close), SCMP_SYS(lseek),
	SCMP_SYS(stat), SCMP_SYS(fstat), SCMP_SYS(lstat), SCMP_SYS(newfstatat), SCMP_SYS(statx), SCMP_SYS(statfs),
	SCMP_SYS(fstatfs), SCMP_SYS(access), SCMP_SYS(faccessat), SCMP_SYS(faccessat2), SCMP_SYS(readlink),
	SCMP_SYS(readlinkat), SCMP_SYS(getcwd), SCMP_SYS(getdents64), SCMP_SYS(fsync), SCMP_SYS(fdatasync),
	SCMP_SYS(sync_file_range), SCMP_SYS(fallocate), SCMP_SYS(ftruncate), SCMP_SYS(flock), SCMP_SYS(rename),
	SCMP_SYS(renameat), SCMP_SYS(renameat2), SCMP_SYS(link), SCMP_SYS(linkat), SCMP_SYS(unlink), SCMP_SYS(unlinkat),
	SCMP_SYS(mkdir), SCMP_SYS(mkdirat), SCMP_SYS(rmdir), SCMP_SYS(fchmod), SCMP_SYS(fchmodat), SCMP_SYS(fchown), SCMP_SYS(umask),
	SCMP_SYS(fadvise64), SCMP_SYS(dup), SCMP_SYS(dup3), SCMP_SYS(utimensat),
	SCMP_SYS(io_uring_enter), /* of the store's ring, which can do writes only; none is made any more */
	/* sockets that exist */
	SCMP_SYS(accept4), SCMP_SYS(recvfrom), SCMP_SYS(recvmsg), SCMP_SYS(recvmmsg), SCMP_SYS(sendto), SCMP_SYS(sendmsg),
	SCMP_SYS(getsockopt), SCMP_SYS(getsockname), SCMP_SYS(getpeername), SCMP_SYS(shutdown),
};

struct rules {
	scmp_filter_ctx ctx;
	int err;
};

static void allow(struct rules *r, int call)
{
	if (!r->err)
		r->err = seccomp_rule_add(r->ctx, SCMP_ACT_ALLOW, call, 0);
}

/* An int argument: the upper half of its register means nothing. */
static struct scmp_arg_cmp is(unsigned arg, unsigned mask, unsigned value)
{
	return (struct scmp_arg_cmp){ .arg = arg, .op = SCMP_CMP_MASKED_EQ, .datum_a = mask, .datum_b = value };
}
#define ALL 0xffffffffu

static void allow_if(struct rules *r, int call, struct scmp_arg_cmp a)
{
	if (!r->err)
		r->err = seccomp_rule_add(r->ctx, SCMP_ACT_ALLOW, call, 1, a);
}

/*
 * What capture/xdp_attach.c does after the start: whether the link is there, an interface that came back, the end. Maps are
 * memory by then. No command loads a program, makes or reads a map, or finds what others have by number.
 */
static void allow_bpf(struct rules *r)
{
	static const unsigned cmds[] = { BPF_OBJ_GET_INFO_BY_FD, BPF_LINK_CREATE, BPF_OBJ_PIN, BPF_LINK_DETACH };

	for (size_t i = 0; i < sizeof(cmds) / sizeof(cmds[0]); i++)
		allow_if(r, SCMP_SYS(bpf), is(0, ALL, cmds[i]));
}

/* Arguments are compared where the harm is in the argument. */
static void allow_some(struct rules *r, unsigned what)
{
	static const unsigned fcntls[] = { F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_GETLK, F_SETLK, F_SETLKW, F_OFD_SETLK,
					   F_DUPFD_CLOEXEC };
	static const unsigned options[] = { SO_RCVTIMEO, SO_SNDTIMEO, SO_SNDBUF, SO_RCVBUF };
	static const unsigned prctls[] = { PR_SET_NAME, PR_SET_DUMPABLE, PR_GET_DUMPABLE };

	for (size_t i = 0; i < sizeof(fcntls) / sizeof(fcntls[0]); i++)
		allow_if(r, SCMP_SYS(fcntl), is(1, ALL, fcntls[i]));
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]) && !r->err; i++)
		r->err = seccomp_rule_add(r->ctx, SCMP_ACT_ALLOW, SCMP_SYS(setsockopt), 2, is(1, ALL, SOL_SOCKET),
					  is(2, ALL, options[i]));
	for (size_t i = 0; i < sizeof(prctls) / sizeof(prctls[0]); i++)
		allow_if(r, SCMP_SYS(prctl), is(0, ALL, prctls[i]));
	allow_if(r, SCMP_SYS(io_uring_register), is(1, ALL, IORING_REGISTER_BUFFERS_UPDATE));
	allow_if(r, SCMP_SYS(mprotect), is(2, PROT_EXEC, 0)); /* no memory becomes code */
	allow_if(r, SCMP_SYS(mmap), is(2, PROT_EXEC, 0));
	/* Threads, no processes. clone3 has its flags in memory; on ENOSYS the C library uses clone. */
	allow_if(r, SCMP_SYS(clone), is(0, CLONE_THREAD, CLONE_THREAD));
	if (!r->err)
		r->err = seccomp_rule_add(r->ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	/* limits are read, not set: the pointer to new ones is null, all 64 bits of it */
	allow_if(r, SCMP_SYS(prlimit64), (struct scmp_arg_cmp){ .arg = 2, .op = SCMP_CMP_EQ, .datum_a = 0, .datum_b = 0 });
	if (what & PRIV_S_BPF)
		allow_bpf(r);
	if (what & PRIV_S_INET) { /* libmicrohttpd on connections it accepted */
		allow_if(r, SCMP_SYS(setsockopt), is(1, ALL, IPPROTO_TCP));
		allow(r, SCMP_SYS(accept));
		allow(r, SCMP_SYS(sendfile));
	}
	if (what & PRIV_S_PACKET) {
		allow_if(r, SCMP_SYS(setsockopt), is(1, ALL, SOL_PACKET));
		allow(r, SCMP_SYS(ioctl));
	}
	if (what & PRIV_S_NETLINK) {
		allow_if(r, SCMP_SYS(socket), is(0, ALL, AF_NETLINK));
		allow(r, SCMP_SYS(bind));
	}
}

int priv_seccomp(unsigned what, char *why, size_t n)
{
	struct rules r = { .ctx = seccomp_init(SCMP_ACT_KILL_PROCESS) };

	if (!r.ctx)
		return fail(why, n, ENOMEM, "system-call filter");
	for (size_t i = 0; i < sizeof(always) / sizeof(always[0]); i++)
		allow(&r, always[i]);
	allow_some(&r, what);
	if (!r.err)
		r.err = seccomp_attr_set(r.ctx, SCMP_FLTATR_CTL_NNP, 1);
	if (!r.err) /* threads that exist already, should there be any */
		r.err = seccomp_attr_set(r.ctx, SCMP_FLTATR_CTL_TSYNC, 1);
	if (!r.err)
		r.err = seccomp_load(r.ctx);
	seccomp_release(r.ctx);
	if (!r.err)
		return 0;
	return fail(why, n, r.err == -ECANCELED ? EPERM : -r.err, "cannot load the system-call filter");
}
