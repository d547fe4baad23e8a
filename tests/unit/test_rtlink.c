/* SPDX-License-Identifier: BSD-2-Clause */
/* test_rtlink.c - the kernel's word on interfaces of this network namespace, whatever /sys is mounted */
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/rtlink.h"

static void test_own(void **state)
{
	struct rtlink l = { 0 };
	int fd = rtlink_open(0);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(rtlink_ask(fd, "lo", &l), 0);
	assert_int_equal(l.index, 1);
	assert_false(l.device);
	assert_int_equal(rtlink_ask(fd, "no-such-one", &l), -ENODEV);
	assert_int_equal(rtlink_ask(fd, "", &l) < 0, 1);
	assert_int_equal(rtlink_ask(fd, "a-name-that-is-much-longer-than-one", &l) < 0, 1);
	assert_int_equal(l.index, 1); /* as it was */
	close(fd);
	assert_int_equal(rtlink_ask(-1, "lo", &l), -EBADF);
}

/* Another namespace's: what /sys shows here has none of it, and its lo is down. */
static void test_namespace(void **state)
{
	struct rtlink l, v;
	int fd;

	(void)state;
	if (geteuid() || unshare(CLONE_NEWNET)) {
		print_message("SKIP: a network namespace needs root\n");
		skip();
	}
	fd = rtlink_open(0);
	assert_int_equal(rtlink_ask(fd, "lo", &l), 0);
	assert_false(l.up);
	if (system("ip link add rtl0 type veth peer name rtl1 && ip link set rtl0 up && ip link set lo up")) {
		close(fd);
		skip();
	}
	assert_int_equal(access("/sys/class/net/rtl0", F_OK), -1);
	assert_int_equal(rtlink_ask(fd, "lo", &l), 0);
	assert_true(l.up);
	assert_int_equal(rtlink_ask(fd, "rtl0", &l), 0);
	assert_false(l.up); /* no carrier: the other end is down */
	assert_int_equal(system("ip link set rtl1 up; sleep 0.2; ping -c 1 -W 1 127.0.0.1 >/dev/null 2>&1; true"), 0);
	assert_int_equal(rtlink_ask(fd, "rtl0", &v), 0);
	assert_true(v.up && !v.device);
	assert_int_equal(v.index, l.index);
	assert_string_equal(v.name, "rtl0");
	/* renamed: it has its index */
	assert_int_equal(system("ip link set rtl0 down && ip link set rtl0 name rtl-other12345 && ip link set rtl-other12345 up"), 0);
	assert_int_equal(rtlink_ask(fd, "rtl0", &l), -ENODEV);
	assert_int_equal(rtlink_ask_index(fd, v.index, &l), 0);
	assert_string_equal(l.name, "rtl-other12345");
	assert_int_equal(l.index, v.index);
	assert_int_equal(rtlink_ask_index(fd, 0, &l), -ENODEV);
	assert_int_equal(rtlink_ask_index(fd, 12345678, &l), -ENODEV);
	assert_int_equal(rtlink_ask_index(fd, UINT32_MAX, &l), -ENODEV);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_own), cmocka_unit_test(test_namespace) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
