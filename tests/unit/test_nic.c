/* SPDX-License-Identifier: BSD-2-Clause */
/* test_nic.c - who captures where: nic_own, in a network namespace of the test's own */
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <cmocka.h>

#include "nic.h"

static char why[256];

static int own(const char *name, int fd[NIC_OWN])
{
	why[0] = 0;
	return nic_own(name, fd, why, sizeof(why));
}

static void leave(int fd[NIC_OWN])
{
	for (int i = 0; i < NIC_OWN; i++)
		close(fd[i]);
}

static int fresh_namespace(void **state)
{
	(void)state;
	if (geteuid() || unshare(CLONE_NEWNET) || system("ip link add own0 type veth peer name own1")) {
		print_message("SKIP: a network namespace needs root\n");
		return -1;
	}
	return 0;
}

static void test_each(void **state)
{
	int a[NIC_OWN], b[NIC_OWN], c[NIC_OWN];

	(void)state;
	assert_int_equal(own("own0", a), 0);
	assert_int_equal(own("own0", c), -EBUSY);
	assert_string_equal(why, "own0: another daemon captures here");
	assert_int_equal(own("own1", b), 0); /* another interface is another one's */
	leave(a);
	assert_int_equal(own("own0", a), 0);
	leave(a);
	leave(b);
	assert_int_equal(own("own9", a), -ENODEV);
}

static void test_any(void **state)
{
	int a[NIC_OWN], b[NIC_OWN], c[NIC_OWN];

	(void)state;
	assert_int_equal(own("own0", a), 0);
	assert_int_equal(own("own1", b), 0);
	assert_int_equal(own("any", c), -EBUSY);
	assert_string_equal(why, "any: another daemon captures on one of the interfaces");
	leave(a);
	assert_int_equal(own("any", c), -EBUSY); /* there is still one */
	assert_int_equal(own("own0", a), 0);	  /* and who asked in vain is in nobody's way */
	leave(a);
	leave(b);
	assert_int_equal(own("any", c), 0);
	assert_int_equal(own("any", a), -EBUSY);
	assert_int_equal(own("own0", a), -EBUSY);
	assert_string_equal(why, "own0: another daemon captures on all interfaces (any)");
	leave(c);
	assert_int_equal(own("own0", a), 0);
	assert_int_equal(own("own1", b), 0);
	leave(a);
	leave(b);
}

/* A group of that number that is nobody's of us: it is said, and is no daemon. */
static void test_foreign(void **state)
{
	struct sockaddr_ll l = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };
	struct fanout_args g = { .id = 0x6f6f, .type_flags = PACKET_FANOUT_CPU };
	int s = socket(AF_PACKET, SOCK_DGRAM, 0), a[NIC_OWN];

	(void)state;
	assert_int_equal(bind(s, (struct sockaddr *)&l, sizeof(l)), 0);
	assert_int_equal(setsockopt(s, SOL_PACKET, PACKET_FANOUT, &g, sizeof(g)), 0);
	assert_int_equal(own("own0", a), -EINVAL);
	assert_int_equal(own("any", a), -EINVAL);
	close(s);
	assert_int_equal(own("own0", a), 0);
	leave(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_each), cmocka_unit_test(test_any), cmocka_unit_test(test_foreign) };

	if (fresh_namespace(NULL))
		return 77;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
