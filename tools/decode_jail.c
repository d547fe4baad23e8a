/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * decode_jail.c - what optag-decode gives up before the first byte from the network
 *
 * Whoever takes over a decoder can read the audio he sent, and give other
 * samples back for it: that is all there is here.
 */
#include "decode_av.h"

#include <errno.h>
#include <linux/capability.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The sanitizers map terabytes and open files of their own. */
#ifdef __has_feature
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#endif

static int fail(char *why, size_t n, int e, const char *what)
{
	snprintf(why, n, "%s: %s", what, strerror(e));
	return -e;
}

static int no_capabilities(void)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[2] = { { 0 } };

	return syscall(SYS_capset, &h, none) ? -errno : 0;
}

#ifndef SANITIZED

#define MEMORY (512UL << 20) /* of its own: a decoder has some hundred KiB, an answer 8 MiB at most */
#define SPACE  (2UL << 30)   /* with the libraries, which are mapped already: some 100 */

static int limits(void)
{
	static const struct {
		int what;
		rlim_t most;
	} limit[] = {
		{ RLIMIT_NOFILE, 0 }, { RLIMIT_FSIZE, 0 },	{ RLIMIT_CORE, 0 },    { RLIMIT_NPROC, 0 },
		{ RLIMIT_MEMLOCK, 0 }, { RLIMIT_DATA, MEMORY }, { RLIMIT_AS, SPACE },
	};

	for (size_t i = 0; i < sizeof(limit) / sizeof(limit[0]); i++) {
		struct rlimit l;

		if (getrlimit(limit[i].what, &l))
			return -errno;
		if (l.rlim_max > limit[i].most)
			l.rlim_max = limit[i].most;
		if (l.rlim_cur > l.rlim_max)
			l.rlim_cur = l.rlim_max;
		if (setrlimit(limit[i].what, &l))
			return -errno;
	}
	return 0;
}

/* What computing takes, and an end. */
static const int always[] = {
	SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(futex), SCMP_SYS(rt_sigreturn),
	SCMP_SYS(rt_sigprocmask), SCMP_SYS(restart_syscall), SCMP_SYS(close), SCMP_SYS(clock_gettime), SCMP_SYS(getrandom),
	SCMP_SYS(sched_getaffinity), SCMP_SYS(sched_yield), SCMP_SYS(gettid), SCMP_SYS(getpid), SCMP_SYS(exit), SCMP_SYS(exit_group),
};

/* What libraries look at and do without. */
static const int refused[] = {
	SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(stat), SCMP_SYS(fstat), SCMP_SYS(newfstatat), SCMP_SYS(access),
	SCMP_SYS(faccessat), SCMP_SYS(readlink), SCMP_SYS(readlinkat), SCMP_SYS(uname), SCMP_SYS(sysinfo), SCMP_SYS(prlimit64),
};

static int allow_on(scmp_filter_ctx ctx, int call, unsigned arg, unsigned mask, unsigned value)
{
	/* an int argument: the upper half of its register means nothing */
	struct scmp_arg_cmp a = { .arg = arg, .op = SCMP_CMP_MASKED_EQ, .datum_a = mask, .datum_b = value };

	return seccomp_rule_add(ctx, SCMP_ACT_ALLOW, call, 1, a);
}

static int rules(scmp_filter_ctx ctx)
{
	int rc = 0;

	for (size_t i = 0; i < sizeof(always) / sizeof(always[0]) && !rc; i++)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, always[i], 0);
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]) && !rc; i++)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EACCES), refused[i], 0);
	if (!rc)
		rc = allow_on(ctx, SCMP_SYS(read), 0, 0xffffffffu, STDIN_FILENO);
	if (!rc)
		rc = allow_on(ctx, SCMP_SYS(write), 0, 0xffffffffu, STDOUT_FILENO);
	if (!rc)
		rc = allow_on(ctx, SCMP_SYS(writev), 0, 0xffffffffu, STDOUT_FILENO);
	if (!rc) /* no memory becomes code */
		rc = allow_on(ctx, SCMP_SYS(mmap), 2, PROT_EXEC, 0);
	if (!rc)
		rc = allow_on(ctx, SCMP_SYS(mprotect), 2, PROT_EXEC, 0);
	return rc;
}

static int filter(void)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int rc;

	if (!ctx)
		return -ENOMEM;
	rc = rules(ctx);
	if (!rc)
		rc = limits(); /* the rules take memory, too, but no file */
	if (!rc)
		rc = seccomp_load(ctx);
	seccomp_release(ctx);
	return rc == -ECANCELED ? -EPERM : rc;
}

#else

static int filter(void)
{
	return 0;
}

#endif

int decode_jail(char *why, size_t n)
{
	int rc;

	if (close_range(STDERR_FILENO + 1, ~0U, 0))
		return fail(why, n, errno, "cannot close what is open");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return fail(why, n, errno, "cannot give up new privileges");
	rc = no_capabilities();
	if (rc)
		return fail(why, n, -rc, "cannot drop capabilities");
	rc = filter();
	if (rc)
		return fail(why, n, -rc, "cannot limit memory or load the system-call filter");
#ifndef SANITIZED
	(void)close(STDERR_FILENO); /* nothing from here on writes on somebody's terminal */
#endif
	return 0;
}
