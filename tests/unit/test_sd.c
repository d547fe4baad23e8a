/* SPDX-License-Identifier: BSD-2-Clause */
/* test_sd.c - what systemd would see on its notification socket, and descriptors given back at a start */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sd.h"

static int server;
static char last[1024];
static int last_fd;

/* An abstract address; as systemd names it: with @. */
static int setup(void **state)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	char name[64];
	int n = snprintf(name, sizeof(name), "@optag-test-sd-%d", (int)getpid());

	(void)state;
	memcpy(a.sun_path, name, (size_t)n);
	a.sun_path[0] = 0;
	server = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	if (bind(server, (struct sockaddr *)&a, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)n)))
		return -1;
	return setenv("NOTIFY_SOCKET", name, 1);
}

static int teardown(void **state)
{
	(void)state;
	sd_close();
	return close(server);
}

/* The next message; "" none. last_fd: the descriptor with it. */
static const char *heard(void)
{
	struct iovec iov = { last, sizeof(last) - 1 };
	char control[CMSG_SPACE(sizeof(int))];
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(server, &m, 0);
	struct cmsghdr *h = n >= 0 ? CMSG_FIRSTHDR(&m) : NULL;

	last[n > 0 ? n : 0] = 0;
	last_fd = -1;
	if (h && h->cmsg_type == SCM_RIGHTS)
		memcpy(&last_fd, CMSG_DATA(h), sizeof(int));
	return last;
}

static void test_messages(void **state)
{
	(void)state;
	setenv("WATCHDOG_USEC", "3000000", 1);
	unsetenv("WATCHDOG_PID");
	assert_int_equal(sd_init(), 0);
	assert_null(getenv("NOTIFY_SOCKET"));
	assert_true(sd_under_systemd());
	assert_int_equal(sd_watchdog_ns(), 1500000000);
	assert_int_equal(sd_ready(), 0);
	assert_string_equal(heard(), "READY=1");
	assert_int_equal(sd_status("%d calls\nREADY=1", 5), 0);
	assert_string_equal(heard(), "STATUS=5 calls READY=1"); /* one variable, whatever the text */
	assert_int_equal(sd_watchdog(), 0);
	assert_string_equal(heard(), "WATCHDOG=1");
	assert_int_equal(sd_reloading(), 0);
	assert_int_equal(strncmp(heard(), "RELOADING=1\nMONOTONIC_USEC=", 27), 0);
	assert_true(strtoull(last + 27, NULL, 10) > 0);
	assert_int_equal(sd_stopping(), 0);
	assert_string_equal(heard(), "STOPPING=1");
	assert_string_equal(heard(), "");
}

static void test_store_fd(void **state)
{
	int p[2];
	char c = 0;

	(void)state;
	assert_int_equal(sd_init(), 0);
	assert_int_equal(pipe(p), 0);
	assert_int_equal(sd_fd_store("flow-map", p[1]), 0);
	assert_string_equal(heard(), "FDSTORE=1\nFDPOLL=0\nFDNAME=flow-map");
	assert_true(last_fd >= 0);
	assert_int_equal(write(last_fd, "x", 1), 1); /* it is the same pipe */
	assert_int_equal(read(p[0], &c, 1), 1);
	assert_int_equal(c, 'x');
	close(last_fd);
	assert_int_equal(sd_fd_remove("flow-map"), 0);
	assert_string_equal(heard(), "FDSTOREREMOVE=1\nFDNAME=flow-map");
	assert_int_equal(sd_fd_store("two\nlines", p[1]), -EINVAL);
	assert_int_equal(sd_fd_store("", p[1]), -EINVAL);
	assert_string_equal(heard(), "");
	close(p[0]);
	close(p[1]);
}

/* A child as systemd starts it: descriptors from 3 on, their names in the environment. */
static void test_given_back(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	pid = fork();
	if (pid == 0) {
		char text[16], c;
		int p[2], q[2], fd;

		if (pipe(p) || pipe(q))
			_exit(1);
		dup2(p[0], 40);
		dup2(q[0], 41);
		dup2(40, 3);
		dup2(41, 4);
		snprintf(text, sizeof(text), "%d", (int)getpid());
		setenv("LISTEN_PID", text, 1);
		setenv("LISTEN_FDS", "2", 1);
		setenv("LISTEN_FDNAMES", "first:second", 1);
		if (sd_init() || getenv("LISTEN_FDS"))
			_exit(2);
		fd = sd_fd_take("second");
		if (fd != 4 || sd_fd_take("second") != -1 || sd_fd_take("third") != -1)
			_exit(3);
		if (!(fcntl(4, F_GETFD) & FD_CLOEXEC))
			_exit(4);
		if (write(q[1], "y", 1) != 1 || read(fd, &c, 1) != 1 || c != 'y')
			_exit(5);
		sd_fd_drop_rest();
		_exit(fcntl(3, F_GETFD) < 0 && fcntl(4, F_GETFD) >= 0 ? 0 : 6);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	/* of another process: not ours */
	setenv("LISTEN_PID", "1", 1);
	setenv("LISTEN_FDS", "1", 1);
	setenv("LISTEN_FDNAMES", "first", 1);
	assert_int_equal(sd_init(), 0);
	assert_int_equal(sd_fd_take("first"), -1);
}

static void test_without(void **state)
{
	(void)state;
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	assert_int_equal(sd_init(), 0);
	assert_false(sd_under_systemd());
	assert_int_equal(sd_watchdog_ns(), 0);
	assert_int_equal(sd_ready(), 0);
	setenv("NOTIFY_SOCKET", "vsock:2:1234", 1);
	assert_int_equal(sd_init(), -EINVAL);
	setenv("NOTIFY_SOCKET", "/nonexistent/notify", 1);
	assert_int_equal(sd_init(), -ENOENT);
	assert_int_equal(sd_ready(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_messages, setup, teardown),
		cmocka_unit_test_setup_teardown(test_store_fd, setup, teardown),
		cmocka_unit_test_setup_teardown(test_given_back, setup, teardown),
		cmocka_unit_test_setup_teardown(test_without, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
