/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_evlog_err.c - the evidence log when memory, disk and system calls fail, every one in turn
 *
 * Linked with --wrap (see the Makefile). Whatever fails, once or from then on: no crash, a reason, the
 * log is whole for whoever looks, what a successful flush covered is in it, and the next writer goes on.
 */
#include <errno.h>
#include <sys/types.h>

static ssize_t half(int fd, const void *p, size_t n, off_t off);

/* Half of it reaches the file. A ftruncate after it fails too, or that would tell nothing. */
#define FAULT_PWRITE   half
#define FAULT_TRUNCATE (fault == F_PWRITE && forever && happened)

#include "faults.h"
#include "store/evlog.h"
#include "store_util.h"

#define DAY (86400ULL * NS_PER_S)
#define D0  (20780ULL * DAY)

static ssize_t half(int fd, const void *p, size_t n, off_t off)
{
	int e = errno;

	(void)!__real_pwrite(fd, p, n / 2, off);
	errno = e;
	return -1;
}

/* ---- the scene: three days, two writers ---- */

static uint64_t acked; /* number of the last event that a flush said is durable */
static unsigned errors;

static void play(unsigned from, unsigned to)
{
	struct evlog *l = NULL;
	char why[512] = "";
	uint64_t seq = 0;
	int rc = evlog_open(store_dir, &l, why, sizeof(why));

	if (rc) {
		assert_true(rc < 0 && *why);
		errors++;
		return;
	}
	for (unsigned i = from; i < to; i++) {
		struct evlog_event e = { .kind = i % 2 ? EVLOG_POLICY_REJECT : EVLOG_DAEMON_START, .time_ns = D0 + i * DAY / 8 };

		rc = evlog_append(l, &e, &seq);
		if (!rc && i % 3)
			rc = evlog_flush(l, e.time_ns);
		else if (!rc)
			continue;
		if (!rc)
			acked = seq;
		errors += rc != 0;
		evlog_why(l, why, sizeof(why));
		assert_true(!rc || *why);
	}
	if (!evlog_flush(l, 0))
		acked = seq;
	evlog_close(l);
}

static void tell(void *arg, const char *file, uint64_t line, const char *rule, const char *text)
{
	print_message("%s:%u: %s: %s\n", file, (unsigned)line, rule, text);
	++*(unsigned *)arg;
}

static void check(enum fault f, int n)
{
	unsigned findings = 0;
	struct evlog_look how = { .arg = &findings, .finding = tell };
	struct evlog_report r;
	char why[512] = "";
	uint64_t before;
	int rc = evlog_look(store_dir, &how, &r, why, sizeof(why));

	if (rc == -ENOENT && !acked)
		rc = 0; /* it was never made */
	if (rc || findings || r.last_seq < acked)
		fail_msg("fault %d, %d-th, %s: %d %s, %u findings, event %u of %u", f, n, forever ? "forever" : "once", rc,
			 why, findings, (unsigned)r.last_seq, (unsigned)acked);
	before = acked;
	errors = 0;
	play(24, 30);
	rc = evlog_look(store_dir, &how, &r, why, sizeof(why));
	if (rc || findings || errors || acked < before + 6 || r.last_seq != acked || r.torn_bytes)
		fail_msg("fault %d, %d-th, %s: afterwards %d %s, %u findings, %u errors", f, n, forever ? "forever" : "once", rc,
			 why, findings, errors);
}

/* false: fewer than n of these calls were made. */
static bool one(enum fault f, int n, bool ever, int err)
{
	void *state = NULL;
	bool hit;

	assert_int_equal(make_store(&state), 0);
	acked = 0;
	errors = 0;
	clock_set_ns(D0);
	fail_nth(f, n, err, ever);
	play(0, 12);
	play(12, 24);
	fail_none();
	hit = happened;
	check(f, n);
	shell("rm -rf '%s'", base_dir);
	return hit;
}

static void every(enum fault f, int err, int least)
{
	int n = 1;

	while (one(f, n, false, err) && n < 400) {
		one(f, n, true, err);
		n++;
	}
	if (n <= least || n == 400)
		fail_msg("fault %d: %d calls", f, n);
}

static void memory(void **state)
{
	(void)state;
	every(F_MALLOC, ENOMEM, 20);
}

static void space(void **state)
{
	(void)state;
	every(F_FALLOCATE, ENOSPC, 4);
	every(F_PWRITE, ENOSPC, 20);
}

static void disk(void **state)
{
	(void)state;
	every(F_FSYNC, EIO, 20);
	every(F_PWRITE, EIO, 20);
	every(F_TRUNCATE, EIO, 2);
}

static void names(void **state)
{
	(void)state;
	every(F_RENAME, EIO, 4);
	every(F_OPEN, EMFILE, 20);
}

/* After a flush that failed half way there is nothing of it in the file, and all of it is there after the next. */
static void half_written(void **state)
{
	struct evlog_event e = { .kind = EVLOG_DAEMON_START, .time_ns = D0 + 5 };
	unsigned findings = 0;
	struct evlog_look how = { .arg = &findings, .finding = tell };
	struct evlog_report r;
	struct evlog *l;
	char why[512];

	assert_int_equal(make_store(state), 0);
	clock_set_ns(D0);
	assert_int_equal(evlog_open(store_dir, &l, why, sizeof(why)), 0);
	for (enum fault f = F_FSYNC; f <= F_PWRITE; f++) {
		assert_int_equal(evlog_append(l, &e, NULL), 0);
		fail_nth(f, 1, EIO, false);
		assert_int_equal(evlog_flush(l, 0), -EIO);
		fail_none();
		evlog_why(l, why, sizeof(why));
		assert_non_null(strstr(why, "2026-11-23.log: cannot write"));
		assert_int_equal(evlog_look(store_dir, &how, &r, why, sizeof(why)), 0);
		assert_int_equal(r.torn_bytes, 0);
		assert_int_equal(r.last_seq, 1 + 2 * (f - F_FSYNC));
		/* until one succeeds nothing may begin; what is told goes on to be taken */
		struct evlog_event grant = { .kind = EVLOG_PURPOSE_GRANT, .time_ns = D0 + 5, .has_call = true, .rule = "r",
					     .purpose = EVLOG_P_TRAINING };

		assert_int_equal(evlog_append(l, &grant, NULL), -EIO);
		assert_int_equal(evlog_append(l, &e, NULL), 0);
		assert_int_equal(evlog_flush(l, 0), 0);
		assert_int_equal(evlog_look(store_dir, &how, &r, why, sizeof(why)), 0);
		assert_int_equal(r.last_seq, 3 + 2 * (f - F_FSYNC));
	}
	evlog_close(l);
	assert_int_equal(findings, 0);
	shell("rm -rf '%s'", base_dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(half_written),
		cmocka_unit_test(memory),
		cmocka_unit_test(space),
		cmocka_unit_test(disk),
		cmocka_unit_test(names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
