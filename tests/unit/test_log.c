/* SPDX-License-Identifier: BSD-2-Clause */
/* test_log.c - a log that nobody reads keeps nobody waiting, and says later what is missing */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"

#define LINES 5000

static void read_all(int fd, char *out, size_t n)
{
	size_t len = 0;
	ssize_t got;

	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	while (len < n - 1 && (got = read(fd, out + len, n - 1 - len)) > 0)
		len += (size_t)got;
	out[len] = 0;
}

static void test_nobody_reads(void **state)
{
	static char out[1 << 20];
	int err[2], go[2], done[2], status, whole = 0, lost = 0;
	char *p;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(err) | pipe(go) | pipe(done), 0);
	pid = fork();
	if (!pid) {
		alarm(300); /* who waits for ever is ended */
		dup2(err[1], STDERR_FILENO);
		log_init("log", LOG_L_INFO);
		log_never_wait();
		for (int i = 0; i < LINES; i++)
			log_err("line %d, of a length that fills what a pipe takes soon enough", i);
		(void)!write(done[1], "", 1);
		(void)!read(go[0], out, 1);
		log_err("the end");
		_exit(0);
	}
	close(done[1]);
	assert_int_equal(read(done[0], out, 1), 1);
	read_all(err[0], out, sizeof(out));
	assert_true(out[0] && out[strlen(out) - 1] == '\n'); /* none is cut */
	for (p = out; (p = strchr(p, '\n')); p++)
		whole++;
	assert_true(whole > 100 && whole < LINES);
	assert_int_equal(write(go[1], "", 1), 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	read_all(err[0], out, sizeof(out));
	assert_int_equal(sscanf(out, "log: %d lines are not here", &lost), 1);
	assert_int_equal(whole + lost, LINES);
	assert_non_null(strstr(out, "\nlog: the end\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nobody_reads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
