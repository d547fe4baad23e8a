/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * san_optagd.c - what optagd does not do under the sanitizers; linked into it where SAN is set
 *
 * At its end they stop it from another process to search its memory for leaks: by calls that its filter kills it for, and
 * that nobody may make where a process must not be dumped. So it has no filter here and may be dumped; that it has one and
 * may not is for the tests without sanitizers (test_priv, live_systemd).
 */
#include <seccomp.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

int seccomp_load(const scmp_filter_ctx ctx)
{
	(void)ctx;
	return 0;
}

int prctl(int op, ...)
{
	unsigned long a[4];
	va_list ap;

	va_start(ap, op);
	for (int i = 0; i < 4; i++)
		a[i] = va_arg(ap, unsigned long);
	va_end(ap);
	if (op == PR_SET_DUMPABLE)
		return 0;
	return (int)syscall(SYS_prctl, op, a[0], a[1], a[2], a[3]);
}
