/* SPDX-License-Identifier: BSD-2-Clause */
/* Until when things are due: a clock that goes back, forward, a machine that was off, a person who knows better. */
#include "store_util.h"

#include "store/reap_clock.h"
#include "store/segment.h"

#define DAY_NS (86400 * NS_PER_S)
#define NEAR   (60 * NS_PER_S) /* the machine goes on while the test runs */

static struct root root;
static struct why why;

/* When the store says that it was made. */
static void born(uint64_t ns)
{
	char when[32];

	clock_format(ns, when);
	shell("sed -i 's/^created .*/created %s/' '%s/optag.store'", when, store_dir);
}

static int setup(void **state)
{
	if (make_store(state))
		return -1;
	born(T0);
	return root_open(store_dir, &root, &why);
}

static int teardown(void **state)
{
	root_close(&root);
	return drop_store(state);
}

static uint64_t utc_day(const char *text)
{
	uint64_t ns;

	assert_int_equal(clock_parse(text, &ns), 0);
	return ns;
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

static void damage(void)
{
	shell("printf 9 | dd of='%s/reap.clock' bs=1 seek=25 conv=notrunc 2>/dev/null", store_dir);
}

/* A mark that is lost is not the first run of a store: the store's own past guards it. */
static void test_damaged(void **state)
{
	struct reap_clock c;

	(void)state;
	go(T0, false, false);
	for (int gone = 0; gone < 3; gone++) {
		switch (gone) {
		case 0: damage(); break;
		case 1: shell("rm '%s/reap.clock'", store_dir); break;
		default: shell(": >'%s/reap.clock'", store_dir);
		}
		c = at(T0 + 400 * DAY_NS, false, false);
		assert_true(c.held && c.lost == (gone != 1) && c.floor_ns == T0 && c.due_ns == T0 && c.ahead_ns == 400 * DAY_NS);
		c = at(T0 + REAP_JUMP, false, false);
		assert_true(!c.held && c.lost == (gone != 1) && c.due_ns == T0 + REAP_JUMP);
		c = at(T0 + 400 * DAY_NS, false, true);
		assert_true(!c.held && c.due_ns == T0 + 400 * DAY_NS && c.mark_ns == c.due_ns);
		/* nor does a floor make anything due: it may itself be of a wrong clock */
		c = at(T0 - DAY_NS, false, false);
		assert_true(!c.held && c.due_ns == T0 - DAY_NS);
	}
	c = go(T0 + 400 * DAY_NS, false, false); /* what is remembered then is what was believed */
	assert_true(c.held && c.mark_ns == T0);
	c = at(T0 + 400 * DAY_NS, false, false);
	assert_true(c.held && !c.lost && !c.floor_ns);
}

/* A mark of an uptime that this machine has not reached. */
static void to_come(void)
{
	int fd = open(store_dir, O_DIRECTORY), f = openat(fd, "reap.clock", O_RDWR);
	struct reap_mark m;
	char raw[REAP_MARK_SIZE];

	assert_int_equal(pread(f, raw, sizeof(raw), 0), sizeof(raw));
	assert_int_equal(reap_mark_parse(raw, sizeof(raw), &m), 0);
	m.up_ns += DAY_NS;
	reap_mark_format(&m, raw);
	assert_int_equal(pwrite(f, raw, sizeof(raw), 0), sizeof(raw));
	close(f);
	close(fd);
}

/* When somebody last deleted: what cannot be read is no dead reaper. */
static void test_ran(void **state)
{
	uint64_t up = 7, first;

	(void)state;
	assert_int_equal(reap_clock_ran(&root, &up), 0);
	assert_int_equal(up, 7);
	go(T0, false, false);
	assert_int_equal(reap_clock_ran(&root, &up), 1);
	assert_true(up > 7);
	first = up;
	damage();
	assert_int_equal(reap_clock_ran(&root, &up), -EBADMSG);
	shell("rm '%s/reap.clock' && ln -s optag.store '%s/reap.clock'", store_dir, store_dir);
	assert_true(reap_clock_ran(&root, &up) < 0);
	assert_int_equal(up, first);
	shell("rm '%s/reap.clock'", store_dir);
	go(T0, false, false);
	to_come();
	assert_int_equal(reap_clock_ran(&root, &up), -EBADMSG); /* else nobody would ever miss it */
	assert_int_equal(up, first);
	other_boot();
	assert_int_equal(reap_clock_ran(&root, &up), 1);
	assert_int_equal(up, 0);
}

/* A time given by hand leaves no mark where there is none, and mends none. */
static void test_told_first(void **state)
{
	struct reap_clock c;

	(void)state;
	c = go(T0 + 400 * DAY_NS, true, false);
	assert_true(!c.held && c.due_ns == T0 + 400 * DAY_NS && !c.mark_ns);
	c = at(T0 + DAY_NS, false, false);
	assert_true(c.due_ns == T0 + DAY_NS && !c.behind_ns && !c.held);
	go(T0, false, false);
	damage();
	c = go(T0 + 400 * DAY_NS, true, false);
	assert_true(c.lost && !c.mark_ns);
	assert_true(at(T0 + 400 * DAY_NS, false, false).held);
	/* confirmed, but not beyond what the machine says */
	c = (struct reap_clock){ .now_ns = T0 + 400 * DAY_NS, .told = true, .confirm = true, .jump_ns = REAP_JUMP, .machine_ns = T0 };
	assert_int_equal(reap_clock_read(&root, &c, &why), 0);
	assert_true(c.due_ns == T0 + 400 * DAY_NS && c.mark_ns == T0);
}

/* A segment that the recorder began then. */
static void at_work(uint64_t ns)
{
	static uint32_t number;
	struct segment_head h = { .number = ++number, .day = 20991231, .created_ns = ns };
	char path[700];
	uint8_t raw[SEGMENT_HEAD];
	FILE *f;

	memcpy(h.store_id, root.id, 16);
	memcpy(h.controller, "acme", 5);
	segment_head_format(&h, raw);
	shell("mkdir -p '%s/segments/acme/2099-12-31'", store_dir);
	snprintf(path, sizeof(path), "%s/segments/acme/2099-12-31/%08u.seg", store_dir, number);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(raw, 1, sizeof(raw), f), sizeof(raw));
	fclose(f);
}

/* What a recorder writes under a clock that jumped is no witness of that clock. */
static void test_floor(void **state)
{
	uint64_t day = T0 / DAY_NS * DAY_NS;

	(void)state;
	born(day);
	assert_true(reap_floor(&root) == day);
	for (unsigned i = 0; i < 20; i += 2)
		at_work(day + i * DAY_NS + NS_PER_S);
	assert_true(reap_floor(&root) == day + 18 * DAY_NS);
	at_work(day + 400 * DAY_NS);
	at_work(day + 403 * DAY_NS);
	at_work(day + 800 * DAY_NS); /* and once more */
	assert_true(reap_floor(&root) == day + 18 * DAY_NS);
	assert_true(at(day + 403 * DAY_NS, false, false).held);
	at_work(day + 797 * DAY_NS);
	at_work(day + 794 * DAY_NS);
	at_work(day + 793 * DAY_NS); /* a week of work under it, and the reaper complained each minute */
	assert_true(reap_floor(&root) == day + 800 * DAY_NS);
	shell("rm -r '%s/segments'", store_dir);
	shell("cd '%s' && mkdir evidence && touch evidence/2029-01-01.root && echo x >evidence/2029-01-02.log", store_dir);
	assert_true(reap_floor(&root) == utc_day("2029-01-02"));
	shell("printf x >'%s/optag.store'; rm -r '%s/evidence'", store_dir, store_dir);
	assert_true(reap_floor(&root) == 0);
}

static void test_floor_day(void **state)
{
	static const int32_t one[] = { 5 }, gap[] = { 1, 2, 3, 10 }, week[] = { 1, 10, 13, 16, 17 }, two[] = { 1, 2, 100, 101, 200, 201 };

	(void)state;
	assert_int_equal(reap_floor_day(one, 1), 5);
	assert_int_equal(reap_floor_day(gap, 4), 3);
	assert_int_equal(reap_floor_day(gap, 3), 3);
	assert_int_equal(reap_floor_day(week, 5), 17);
	assert_int_equal(reap_floor_day(week, 4), 1);
	assert_int_equal(reap_floor_day(two, 6), 2);
}

/* The file has one spelling. */
static void test_mark(void **state)
{
	struct reap_mark m = { .ns = T0, .up_ns = 5, .boot = "0123" }, got;
	char raw[REAP_MARK_SIZE], other[REAP_MARK_SIZE];

	(void)state;
	assert_int_equal(reap_mark_format(&m, raw), sizeof(raw));
	assert_int_equal(reap_mark_parse(raw, sizeof(raw), &got), 0);
	assert_true(got.ns == T0 && got.up_ns == 5 && !strcmp(got.boot, "0123"));
	for (size_t i = 0; i < sizeof(raw); i++) {
		memcpy(other, raw, sizeof(raw));
		other[i] ^= 1;
		assert_int_equal(reap_mark_parse(other, sizeof(raw), &got), -EBADMSG);
		assert_int_equal(reap_mark_parse(raw, i, &got), -EBADMSG);
	}
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
		cmocka_unit_test_setup_teardown(test_ran, setup, teardown),
		cmocka_unit_test_setup_teardown(test_told_first, setup, teardown),
		cmocka_unit_test_setup_teardown(test_floor, setup, teardown),
		cmocka_unit_test(test_floor_day),
		cmocka_unit_test(test_mark),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
