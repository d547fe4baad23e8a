/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_sample_log_err.c - the sampler's records when memory, disk and system calls fail, every one in turn
 *
 * Linked with --wrap (see the Makefile). Whatever fails, once or from then on: no crash; who reads finds whole lines in order
 * and nothing damaged; what a successful flush covered is there; lines that wait come with the next flush that succeeds.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>
#include <cmocka.h>

static ssize_t full(int fd, const void *p, size_t n, off_t off);
static bool is_stuck(void);

#define FAULT_PWRITE   full
#define FAULT_TRUNCATE is_stuck()

#include "base/clock.h"
#include "call/sample_log.h"
#include "faults.h"

#define DAY (86400ULL * NS_PER_S)
#define D0  (20780ULL * DAY)

static char dir[256];

/* What else may be with a write: half of it, then none, as a full disk does; and the half cannot be taken back. */
static bool shortens, sticks, stuck;

static ssize_t full(int fd, const void *p, size_t n, off_t off)
{
	if (!shortens)
		return -1;
	shortens = false;
	stuck = sticks;
	happened = false; /* the next one fails */
	countdown = 1;
	return __real_pwrite(fd, p, n / 2 + 1, off);
}

static bool is_stuck(void)
{
	if (stuck)
		errno = EIO;
	return stuck;
}

static const struct kind {
	enum fault f;
	int err;
	bool shortens, sticks;
} kinds[] = {
	{ .f = F_MALLOC, .err = ENOMEM },
	{ .f = F_FSYNC, .err = EIO },
	{ .f = F_PWRITE, .err = ENOSPC },
	{ .f = F_PWRITE, .err = ENOSPC, .shortens = true },
	{ .f = F_PWRITE, .err = ENOSPC, .shortens = true, .sticks = true },
	{ .f = F_OPEN, .err = EMFILE },
}, none = { .f = F_NONE };

static void fail_kind(const struct kind *k, int n, bool always)
{
	shortens = k->shortens;
	sticks = k->sticks;
	stuck = false;
	fail_nth(k->f, n, k->err, always);
}

/* ---- what must hold ---- */

struct seen {
	uint64_t n, first, last;
	bool bad;
};

static int on_record(void *arg, const struct sample_record *r, const uint8_t link[32], const char *file, uint64_t line)
{
	struct seen *s = arg;

	(void)link, (void)file, (void)line;
	s->bad |= s->n && r->seq <= s->last;
	s->last = r->seq;
	s->n++;
	return 0;
}

static void on_finding(void *arg, const char *file, uint64_t line, const char *text)
{
	struct seen *s = arg;

	print_error("%s:%llu: %s\n", file, (unsigned long long)line, text);
	s->bad = true;
}

static uint64_t whole(void)
{
	struct seen s = { 0 };
	char why[256] = "";
	int rc = sample_log_read(dir, 0, 0, on_record, on_finding, &s, why, sizeof(why));

	if (rc && rc != -ENOENT)
		fail_msg("%s", why);
	assert_false(s.bad);
	return s.n;
}

static uint64_t seq; /* of the last record that was taken */

static int append(struct sample_log *l, uint64_t now)
{
	struct sample_record r = { .kind = SAMPLE_R_USE, .seq = seq + 1, .time_ns = now, .of = 1 };
	uint8_t link[32];
	int rc = sample_log_append(l, &r, now, link);

	seq += !rc;
	return rc;
}

/* Opens, appends over three days, flushes twice; returns how many lines a successful flush covered. */
static uint64_t session(uint64_t day, const struct kind *k, int nth, bool always)
{
	struct sample_log *l = NULL;
	char why[256] = "";
	uint64_t covered = 0, taken = whole();
	int rc;

	fail_kind(k, nth, always);
	rc = sample_log_open(dir, &l, why, sizeof(why));
	if (rc) {
		fail_none();
		assert_true(*why);
		return taken;
	}
	covered = taken;
	seq = taken;
	for (unsigned i = 0; i < 6; i++) {
		(void)append(l, D0 + (day + i / 3) * DAY);
		if (i % 2 && !sample_log_flush(l)) {
			covered = seq;
			assert_int_equal(sample_log_waiting(l), 0);
		}
	}
	if (happened && !forever) { /* it failed once; from now on all is well */
		assert_int_equal(sample_log_flush(l), 0);
		assert_int_equal(append(l, D0 + (day + 2) * DAY), 0);
		assert_int_equal(sample_log_flush(l), 0);
		covered = seq;
	}
	sample_log_close(l);
	fail_none();
	return covered;
}

static void every_fault(void **state)
{
	unsigned faults = 0;

	(void)state;
	for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
		for (int always = 0; always < 2; always++) {
			uint64_t day = 0;
			char cmd[512];
			bool again;
			int n = 0;

			snprintf(dir, sizeof(dir), "%.200s/optag-slog-XXXXXX", getenv("TMP") ? getenv("TMP") : "/tmp");
			assert_non_null(mkdtemp(dir));
			do {
				uint64_t covered, there;

				covered = session(day, &kinds[k], ++n, always);
				again = happened;
				faults += again;
				there = whole();
				assert_true(there >= covered);
				/* and the next one goes on from there */
				assert_int_equal(session(day + 3, &none, 0, false), there + 6);
				assert_int_equal(whole(), there + 6);
				day += 6;
			} while (again && n < 200);
			assert_true(n < 200);
			snprintf(cmd, sizeof(cmd), "rm -rf '%s'", dir);
			assert_int_equal(system(cmd), 0);
		}
	}
	assert_true(faults > 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(every_fault) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
