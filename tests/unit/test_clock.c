/* SPDX-License-Identifier: BSD-2-Clause */
/* test_clock.c - the daemon's clock beside the machine's: what is followed, what is a step, which is the safe side */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <time.h>

#include "base/clock.h"

#define S  ((int64_t)NS_PER_S)
#define MS ((int64_t)NS_PER_MS)

static uint64_t host(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

static bool near(int64_t a, int64_t b)
{
	return a - b < 30 * S && b - a < 30 * S; /* two readings: a busy machine may stand still between them */
}

static void test_slew(void **state)
{
	int64_t left = 300 * MS;

	(void)state;
	assert_int_equal(clock_slew_by(0, NS_PER_S), 0);
	assert_int_equal(clock_slew_by(10 * MS, NS_PER_S), 500000);
	assert_int_equal(clock_slew_by(-10 * MS, NS_PER_S), -500000);
	assert_int_equal(clock_slew_by(10 * MS, NS_PER_S / 10), 50000);
	assert_int_equal(clock_slew_by(20000, NS_PER_S), 20000); /* and no further */
	assert_int_equal(clock_slew_by(-20000, NS_PER_S), -20000);
	assert_int_equal(clock_slew_by(10 * MS, 0), 0);
	assert_int_equal(clock_slew_by(900 * MS, 3600 * NS_PER_S), 500000); /* a loop that stood still */
	assert_int_equal(clock_slew_by(CLOCK_STEP_NS - 1, NS_PER_S), 500000);
	assert_int_equal(clock_slew_by(CLOCK_STEP_NS, NS_PER_S), 0); /* a step */
	assert_int_equal(clock_slew_by(-CLOCK_STEP_NS, NS_PER_S), 0);
	for (int i = 0; i < 6000; i++) /* ten minutes of tenths */
		left -= clock_slew_by(left, NS_PER_S / 10);
	assert_int_equal(left, 0);
}

static void test_step(void **state)
{
	int64_t told = 0, ahead;
	int n = 0;

	(void)state;
	assert_int_equal(clock_step_of(0, 0), 0);
	assert_int_equal(clock_step_of(S - 1, 0), 0);
	assert_int_equal(clock_step_of(1 - S, 0), 0);
	assert_int_equal(clock_step_of(S, 0), S);
	assert_int_equal(clock_step_of(-3600 * S, 0), -3600 * S);
	assert_int_equal(clock_step_of(-3600 * S, -3600 * S), 0); /* once */
	assert_int_equal(clock_step_of(3600 * S, -3600 * S), 7200 * S);
	assert_int_equal(clock_step_of(5 * MS, -3600 * S), 3600 * S + 5 * MS); /* right again */
	assert_int_equal(clock_step_of(3 * S, 2 * S), S);
	assert_int_equal(clock_step_of(2 * S + 999 * MS, 2 * S), 0);
	assert_int_equal(clock_step_of(3605 * S, 3600 * S), 0); /* no news beside an hour */
	/* an hour that is slewed at 8 %, looked at each tenth of a second */
	for (ahead = 0; ahead < 3600 * S; ahead += 8 * MS) {
		if (!clock_step_of(ahead, told))
			continue;
		told = ahead;
		n++;
	}
	assert_in_range(n, 10, 100);
}

static void test_live(void **state)
{
	struct clock_follow f = { 0 };
	uint64_t offset;

	(void)state;
	assert_int_equal(clock_ahead_ns(), 0); /* nothing is live */
	assert_true(clock_earlier_ns(S) == (uint64_t)S && clock_later_ns(S) == (uint64_t)S);
	assert_true(near((int64_t)(clock_steady_ns() + clock_offset_ns()), (int64_t)host()));
	assert_false(clock_live(0));
	assert_true(near((int64_t)clock_now_ns(), (int64_t)host()));
	offset = clock_offset_ns();
	assert_true(offset == clock_offset_ns());
	assert_int_equal(clock_follow(&f), 0);
	assert_int_equal(clock_step_ns(), 0);
	/* a daemon before us had a clock that is behind by an hour now */
	assert_true(clock_live(offset - 3600 * NS_PER_S));
	assert_true(near((int64_t)clock_now_ns(), (int64_t)host() - 3600 * S));
	assert_true(near(clock_ahead_ns(), 3600 * S) && near(clock_step_ns(), 3600 * S));
	assert_true(clock_earlier_ns(7200 * NS_PER_S) == 7200 * NS_PER_S);
	assert_true(near((int64_t)clock_later_ns(7200 * NS_PER_S), 10800 * S));
	f = (struct clock_follow){ 0 };
	assert_true(near(clock_follow(&f), 3600 * S) && near(f.ahead_ns, 3600 * S) && near(f.told_ns, 3600 * S));
	assert_true(near((int64_t)clock_now_ns(), (int64_t)host() - 3600 * S)); /* nothing moved */
	f.at_ns = 0;
	assert_int_equal(clock_follow(&f), 0); /* told once */
	assert_true(near(clock_take(&f), 3600 * S) && f.told_ns == 0);
	assert_true(near((int64_t)clock_now_ns(), (int64_t)host()));
	/* ahead by an hour */
	assert_true(clock_live(offset + 3600 * NS_PER_S));
	assert_true(near((int64_t)clock_earlier_ns(7200 * NS_PER_S), 3600 * S));
	assert_true(clock_later_ns(7200 * NS_PER_S) == 7200 * NS_PER_S);
	assert_true(clock_earlier_ns(3600 * NS_PER_S / 2) == 1); /* never 0: that is none */
	/* by years: a clock that broke, on which nobody acts */
	assert_true(clock_live(offset + 2 * 86400 * NS_PER_S));
	assert_true(clock_ahead_ns() < -86400 * S);
	assert_int_equal(clock_step_ns(), 0);
	assert_true(clock_earlier_ns(7200 * NS_PER_S) == 7200 * NS_PER_S);
	/* what is kept in memory may be anything */
	assert_false(clock_live(1));
	assert_true(near((int64_t)clock_now_ns(), (int64_t)host()));
	assert_false(clock_live(UINT64_MAX - 5));
	assert_true(near((int64_t)clock_now_ns(), (int64_t)host()));
	clock_set_ns(42);
	assert_true(clock_now_ns() == 42 && clock_steady_ns() == 42);
	clock_set_ns(0);
}

/* Followed within the slew: 100 ms ahead becomes less, by no more than 500 ppm, and nothing is told. */
static void test_follow(void **state)
{
	struct clock_follow f = { 0 };
	const struct timespec tenth = { .tv_nsec = 120000000 };
	uint64_t before, after, begin;

	(void)state;
	(void)clock_live(0);
	assert_true(clock_live(clock_offset_ns() - 500 * NS_PER_MS));
	before = clock_offset_ns();
	begin = clock_steady_ns();
	for (int i = 0; i < 5; i++) {
		assert_int_equal(clock_follow(&f), 0);
		nanosleep(&tenth, NULL);
	}
	after = clock_offset_ns();
	assert_true(after > before);
	assert_true(after - before <= (clock_steady_ns() - begin) * CLOCK_SLEW_PPM / 1000000);
	assert_int_equal(f.told_ns, 0);
}

/* libpcap's times are the machine's: packets of before and after a step lie in one buffer. */
static void test_from_host(void **state)
{
	const uint64_t now = 1000000 * NS_PER_S;

	(void)state;
	assert_true(clock_from_host_ns(now - 5, now, 0, 0) == now - 5);
	for (int sign = -1; sign <= 1; sign += 2) {
		int64_t step = sign * 3600 * S;

		assert_true(clock_from_host_ns(now - 5, now, step, 0) == now - 5);			     /* before it */
		assert_true(clock_from_host_ns(now - 5 + (uint64_t)step, now, step, 0) == now - 5);	     /* after it */
		assert_true(clock_from_host_ns(now - 5, now, 0, step) == now - 5);			     /* the new time was taken */
		assert_true(clock_from_host_ns(now + 5 * NS_PER_S + 7200 * NS_PER_S, now, step, 0) == now); /* of no clock that we know */
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_slew), cmocka_unit_test(test_step), cmocka_unit_test(test_live),
		cmocka_unit_test(test_follow), cmocka_unit_test(test_from_host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
