/* SPDX-License-Identifier: BSD-2-Clause */
/* Areas that are made ahead: as many as was asked for, with their pages; more where more are used; and the rest goes. */
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/areas.h"

#define PAGE 4096u
#define MANY 300

static struct area_mem took[MANY];

static unsigned resident(const uint8_t *p)
{
	unsigned char there[AREA_BYTES / PAGE];
	unsigned n = 0;

	assert_int_equal(mincore((void *)(uintptr_t)p, AREA_BYTES, there), 0);
	for (size_t i = 0; i < sizeof(there); i++)
		n += there[i] & 1;
	return n;
}

static void take(struct areas *a, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		assert_true(areas_take(a, &took[i]));
		assert_int_equal((uintptr_t)took[i].p % AREA_BYTES, 0);
		took[i].p[0] = took[i].p[AREA_BYTES - 1] = (uint8_t)i;
	}
}

static void give(struct areas *a, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		assert_int_equal(took[i].p[0], (uint8_t)i);
		assert_int_equal(took[i].p[AREA_BYTES - 1], (uint8_t)i);
		areas_give(a, took[i]);
	}
}

static void test_without(void **state)
{
	struct areas *a;

	(void)state;
	assert_int_equal(areas_new(&a), 0);
	assert_int_equal(areas_settle(a), 0);
	assert_true(areas_take(a, &took[0]));
	if (!took[0].huge)
		assert_int_equal(resident(took[0].p), 0); /* its pages come when it is used */
	took[0].p[0] = took[0].p[AREA_BYTES - 1] = 0;
	give(a, 1);
	assert_int_equal(areas_settle(a), 0);
	areas_free(a);
	areas_free(NULL);
}

static void test_kept(void **state)
{
	struct areas *a;

	(void)state;
	assert_int_equal(areas_new(&a), 0);
	assert_int_equal(areas_ahead(a, 6, false), 0);
	assert_int_equal(areas_settle(a), 6);
	for (unsigned i = 0; i < 6; i++) {
		assert_true(areas_take(a, &took[i]));
		assert_int_equal(resident(took[i].p), AREA_BYTES / PAGE);
		areas_give(a, took[i]);
	}
	take(a, 6);
	assert_int_equal(areas_settle(a), 0); /* none is made for those that are used */
	give(a, 6);
	take(a, MANY); /* more than there are: made as they are taken */
	give(a, MANY);
	assert_int_equal(areas_settle(a), 6);
	areas_free(a);
}

static void test_grow(void **state)
{
	unsigned first, n;
	struct areas *a;

	(void)state;
	assert_int_equal(areas_new(&a), 0);
	assert_int_equal(areas_ahead(a, 0, true), 0);
	first = areas_settle(a);
	assert_in_range(first, 1, 8);
	take(a, 100);
	n = areas_settle(a);
	assert_in_range(n, first + 1, 40);
	assert_true(areas_take(a, &took[100]));
	assert_int_equal(resident(took[100].p), AREA_BYTES / PAGE);
	areas_give(a, took[100]);
	give(a, 100);
	assert_in_range(areas_settle(a), first, 2 * n);
	for (int i = 0; i < 50; i++) { /* up and down: nothing is lost */
		take(a, 20);
		give(a, 20);
	}
	areas_free(a); /* while the thread is at it */
}

/* 0: it has memory, and locks that or says that it may not. */
static int limited(bool container)
{
	struct rlimit r;
	bool may, there;
	struct areas *a;

	if (container && unshare(CLONE_NEWUSER))
		return 0; /* none here */
	if (getrlimit(RLIMIT_MEMLOCK, &r))
		return 1;
	r.rlim_cur = r.rlim_max = r.rlim_max < 65536 ? r.rlim_max : 65536;
	if (setrlimit(RLIMIT_MEMLOCK, &r) || areas_new(&a))
		return 1;
	may = areas_may_lock();
	there = areas_take(a, &took[0]);
	if (!there || (container && may))
		return 2;
	areas_give(a, took[0]);
	areas_free(a);
	return 0;
}

/* By a limit, and as the root of a container, whose capability locks nothing: memory that is not locked, and not none. */
static void test_limited(void **state)
{
	(void)state;
	for (int container = 0; container < 2; container++) {
		pid_t pid = fork();
		int status;

		if (!pid)
			_exit(limited(container));
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_without),
		cmocka_unit_test(test_kept),
		cmocka_unit_test(test_grow),
		cmocka_unit_test(test_limited),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
