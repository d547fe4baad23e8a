/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * killed.h - what a process that is killed was doing
 *
 * in_child: fn runs in a child, which is killed when it returns; what the parent is to know lies in shared memory
 * (MAP_SHARED). killed_after: or before, when so many microseconds are over. Included by one test program each.
 */
#ifndef KILLED_H
#define KILLED_H

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

/* us 0: not before it returns. */
static void killed_after(void (*fn)(unsigned arg), unsigned arg, useconds_t us)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		fn(arg);
		kill(getpid(), SIGKILL);
	}
	assert_true(pid > 0);
	if (us) {
		usleep(us);
		kill(pid, SIGKILL);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static inline void in_child(void (*fn)(unsigned arg), unsigned arg)
{
	killed_after(fn, arg, 0);
}

#endif
