/* SPDX-License-Identifier: BSD-2-Clause */
/* Until when things are due: a clock that goes back, forward, a machine that was off, a person who knows better. */
#include "store_util.h"

#include "store/reap_clock.h"

#define DAY_NS (86400 * NS_PER_S)
#define NEAR   (60 * NS_PER_S) /* the machine goes on while the test runs */

static struct root root;
static struct why why;

static int setup(void **state)
{
	return make_store(state) || root_open(store_dir, &root, &why);
}

static int teardown(void **state)
{
	root_close(&root);
	return drop_store(state);
}

static struct reap_clock at(uint64_t now, bool told, bool confirm)
{
	struct reap_clock c = { .now_ns = now, .told = told, .confirm = confirm, .jump_ns = REAP_JUMP };

	assert_int_equal(reap_clock_read(&root, &c, &why), 0);
	return c;
}

static struct reap_clock go(uint64_t now, bool told, bool confirm)
{
	struct reap_clock c = at(now, told, confirm);

	assert_int_equal(reap_clock_write(&root, &c, &why), 0);
	return c;
}

static void near(uint64_t a, uint64_t b)
{
	assert_true(a >= b && a - b < NEAR);
}

/* The mark as another start of the machine left it. */
static void other_boot(void)
{
	char raw[257] = "", *b;
	uint32_t sum;
	int fd = open(store_dir, O_DIRECTORY), f = openat(fd, "reap.clock", O_RDWR);

	assert_int_equal(pread(f, raw, 256, 0), 256);
	b = strstr(raw, "boot ");
	assert_non_null(b);
	b[5] = b[5] == 'f' ? '0' : 'f';
	b = strstr(raw, "sum ");
	sum = crc32c(0, raw, (size_t)(b - raw));
	snprintf(b, 14, "sum %08x\n", sum);
	b[13] = '\n';
	assert_int_equal(pwrite(f, raw, 256, 0), 256);
	close(f);
	close(fd);
}

static void test_first(void **state)
{
	struct reap_clock c;

	(void)state;
	c = go(T0, false, false);
	assert_true(c.due_ns == T0 && !c.held && !c.behind_ns);
}

static void test_back(void **state)
{
	struct reap_clock c;

	(void)state;
	go(T0, false, false);
	c = go(T0 - 100 * DAY_NS, false, false);
	near(c.due_ns, T0);
	near(c.behind_ns, 100 * DAY_NS);
	c = go(T0 - 100 * DAY_NS, false, false); /* and it stays so */
	near(c.due_ns, T0);
	c = go(T0 - 100 * DAY_NS, false, true);
	assert_true(c.due_ns == T0 - 100 * DAY_NS && !c.behind_ns);
	c = go(T0 - 99 * DAY_NS, false, false);
	assert_true(c.due_ns == T0 - 99 * DAY_NS);
}

static void test_forward(void **state)
{
	struct reap_clock c;

	(void)state;
	go(T0, false, false);
	c = go(T0 + REAP_JUMP, false, false);
	assert_true(!c.held && c.due_ns == T0 + REAP_JUMP);
	c = go(T0 + 400 * DAY_NS, false, false);
	assert_true(c.held);
	near(c.due_ns, T0 + REAP_JUMP); /* what surely is due */
	c = go(T0 + 400 * DAY_NS, false, false); /* waiting does not make it right */
	assert_true(c.held);
	c = go(T0 + 400 * DAY_NS, false, true);
	assert_true(!c.held && c.due_ns == T0 + 400 * DAY_NS);
	c = go(T0 + 401 * DAY_NS, false, false);
	assert_false(c.held);
}

static void test_reboot(void **state)
{
	struct reap_clock c;
	struct timespec ts;
	uint64_t up;

	(void)state;
	clock_gettime(CLOCK_BOOTTIME, &ts);
	up = (uint64_t)ts.tv_sec * NS_PER_S;
	go(T0, false, false);
	other_boot();
	c = at(T0 - DAY_NS, false, false); /* a clock that lost a day while the machine was off: it has been up since */
	near(c.due_ns, T0 + up);
	c = at(T0 + up + DAY_NS, false, false); /* off for a day */
	assert_true(!c.held && c.due_ns == T0 + up + DAY_NS);
	c = at(T0 + up + 10 * DAY_NS, false, false);
	assert_true(c.held);
}

/* A time that a person types is believed, not remembered; what was due stays due. */
static void test_told(void **state)
{
	struct reap_clock c;

	(void)state;
	go(T0, false, false);
	c = go(T0 + 400 * DAY_NS, true, false);
	assert_true(!c.held && c.due_ns == T0 + 400 * DAY_NS);
	c = go(T0 - 5 * DAY_NS, true, false);
	assert_true(c.due_ns == T0);
	c = go(T0 + DAY_NS, false, false);
	assert_true(c.due_ns == T0 + DAY_NS && !c.behind_ns);
	go(T0 + 400 * DAY_NS, true, true);
	c = at(T0 + 2 * DAY_NS, true, false);
	assert_true(c.due_ns == T0 + 400 * DAY_NS);
}

static void test_damaged(void **state)
{
	struct reap_clock c;

	(void)state;
	go(T0, false, false);
	shell("printf 9 | dd of='%s/reap.clock' bs=1 seek=25 conv=notrunc 2>/dev/null", store_dir);
	c = go(T0 - DAY_NS, false, false);
	assert_true(c.lost && c.due_ns == T0 - DAY_NS);
	c = at(T0 - DAY_NS, false, false);
	assert_false(c.lost);
	shell("rm '%s/reap.clock' && : >'%s/reap.clock'", store_dir, store_dir);
	assert_true(at(T0, false, false).lost);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_first, setup, teardown),
		cmocka_unit_test_setup_teardown(test_back, setup, teardown),
		cmocka_unit_test_setup_teardown(test_forward, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reboot, setup, teardown),
		cmocka_unit_test_setup_teardown(test_told, setup, teardown),
		cmocka_unit_test_setup_teardown(test_damaged, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
