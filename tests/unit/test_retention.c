/* SPDX-License-Identifier: BSD-2-Clause */
/* STORE/retention: its lines, cut and damaged; which stored calls are due by them, and that no run forgets or repeats one. */
#include "store_util.h"

#include "reap_util.h"
#include "store/hold.h"
#include "store/reap_retain.h"
#include "store/retention.h"
#include "store/sealing.h"

#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#define CPH  "Europe/Copenhagen"
#define RULE "service-desk" /* of meta_of */

static uint64_t utc(const char *s)
{
	uint64_t ns;

	assert_int_equal(clock_parse(s, &ns), 0);
	return ns;
}

static struct retention_line line_of(unsigned purpose, unsigned span, enum retention_unit u)
{
	struct retention_line l = { .n = 1, .purpose = purpose, .span = span, .unit = u };

	snprintf(l.controller, sizeof(l.controller), "acme");
	snprintf(l.zone, sizeof(l.zone), CPH);
	snprintf(l.rule, sizeof(l.rule), RULE);
	memset(l.policy, 'a', 64);
	return l;
}

static size_t note(struct retention_line l, uint64_t now)
{
	char why[512] = "";
	size_t added = 99;

	if (retention_note(store_dir, &l, 1, now, &added, why, sizeof(why)))
		fail_msg("%s", why);
	return added;
}

static char *slurp(size_t *ret_n)
{
	char path[600], *p = malloc(1 << 16);
	FILE *f;

	snprintf(path, sizeof(path), "%s/retention", store_dir);
	f = fopen(path, "r");
	assert_non_null(f);
	*ret_n = fread(p, 1, 1 << 16, f);
	fclose(f);
	return p;
}

static void put(const char *p, size_t n)
{
	char path[600];
	FILE *f;

	snprintf(path, sizeof(path), "%s/retention", store_dir);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(p, 1, n, f), n);
	fclose(f);
}

static int read_back(struct retention *t)
{
	struct root r = { .fd = -1 };
	struct why why = { "" };
	int rc;

	assert_int_equal(root_open(store_dir, &r, &why), 0);
	rc = retention_read(&r, t, NULL, NULL, &why);
	root_close(&r);
	return rc;
}

/* ---- the journal ---- */

static void test_line(void **state)
{
	struct retention_line l = line_of(1, 3, RETENTION_U_MONTHS), got;
	char text[RETENTION_LINE_MAX], bad[RETENTION_LINE_MAX];
	size_t n;

	(void)state;
	l.n = 7;
	l.at_ns = 5;
	l.before_ns = UINT64_MAX;
	snprintf(l.rule, sizeof(l.rule), "a \"quoted\" \\ one, \xc3\xa6");
	n = retention_format(&l, text);
	assert_true(n > 0 && text[n - 1] == '\n');
	assert_int_equal(retention_parse(text, n - 1, &got), 0);
	assert_true(got.n == 7 && got.before_ns == UINT64_MAX && got.purpose == 1 && got.span == 3 && got.unit == RETENTION_U_MONTHS);
	assert_string_equal(got.rule, l.rule);
	for (size_t i = 0; i < n - 1; i++) { /* CRC */
		memcpy(bad, text, n);
		bad[i] ^= 1;
		assert_int_equal(retention_parse(bad, n - 1, &got), -EBADMSG);
		assert_int_equal(retention_parse(text, i, &got), -EBADMSG);
	}
	snprintf(l.rule, sizeof(l.rule), "a\nb");
	assert_int_equal(retention_format(&l, text), 0);
	l = line_of(0, 0, RETENTION_U_DAYS);
	assert_int_equal(retention_format(&l, text), 0);
	memset(l.rule, '"', RETENTION_NAME - 1); /* the longest there is */
	memset(l.controller, 'c', STORE_NAME_MAX - 1);
	memset(l.zone, 'Z', RETENTION_NAME - 1);
	l.span = INT32_MAX;
	l.n = l.at_ns = l.before_ns = UINT64_MAX;
	n = retention_format(&l, text);
	assert_true(n > 0);
	assert_int_equal(retention_parse(text, n - 1, &got), 0);
}

static void test_note(void **state)
{
	struct retention t;

	(void)state;
	assert_int_equal(read_back(&t), -ENOENT);
	assert_int_equal(note(line_of(0, 3, RETENTION_U_MONTHS), T0), 1);
	assert_int_equal(note(line_of(0, 3, RETENTION_U_MONTHS), T0 + 1), 0);
	assert_int_equal(note(line_of(0, 1, RETENTION_U_MONTHS), T0 + 2), 1);
	assert_int_equal(note(line_of(0, 1, RETENTION_U_MONTHS), T0 + 3), 0);
	assert_int_equal(note(line_of(0, 3, RETENTION_U_MONTHS), T0 + 4), 1); /* again: the last one counts */
	assert_int_equal(note(line_of(1, 3, RETENTION_U_MONTHS), T0 + 5), 1);
	assert_int_equal(read_back(&t), 0);
	assert_true(t.n == 4 && !t.bad && t.last == 4);
	assert_true(!t.v[0].before_ns && t.v[1].before_ns == T0 + 2 && t.v[2].before_ns == T0 + 4 && t.v[3].before_ns == T0 + 5);
	retention_free(&t);
	fsck_clean(NULL);
}

/* Cut anywhere: lines that are whole are read, and the next daemon's comparison brings back what it says. */
static uint64_t earliest_of(const struct retention *t, const char *rule, uint64_t start)
{
	uint64_t at, first = UINT64_MAX;

	for (size_t i = 0; i < t->n; i++)
		if (!strcmp(t->v[i].rule, rule) && start < t->v[i].before_ns && !retention_deadline(&t->v[i], start, &at) && at < first)
			first = at;
	return first;
}

/* A policy that changes to and fro: of its lines few count, and a call has the deadline that all of them gave it. */
static void test_shrink(void **state)
{
	static const char *const rules[] = { RULE, "other" };
	uint64_t t0 = utc("2026-11-24T08:00:00Z");
	struct retention all, few;

	(void)state;
	for (unsigned i = 0; i < 200; i++) {
		struct retention_line l = line_of(STORE_DOCUMENTATION, i % 3 ? 3 : 2, i % 50 == 7 ? RETENTION_U_DAYS : RETENTION_U_MONTHS);

		l.span += i < 20; /* shorter since, for good */
		snprintf(l.rule, sizeof(l.rule), "%s", rules[i % 5 == 0]);
		(void)note(l, i == 90 ? t0 : t0 + i * 3600 * NS_PER_S); /* once the clock was set back */
	}
	assert_int_equal(read_back(&all), 0);
	assert_int_equal(read_back(&few), 0);
	retention_shrink(&few);
	assert_true(all.n > 100);
	assert_in_range(few.n, 4, 12);
	assert_int_equal(few.last, all.last);
	for (unsigned k = 0; k < 2; k++)
		for (uint64_t s = t0 - 40 * 86400 * NS_PER_S; s < t0 + 210 * 3600 * NS_PER_S; s += 7 * 3599 * NS_PER_S)
			assert_int_equal(earliest_of(&few, rules[k], s), earliest_of(&all, rules[k], s));
	retention_free(&few);
	retention_free(&all);
	few = (struct retention){ 0 };
	retention_shrink(&few);
	assert_int_equal(few.n, 0);
}

static void test_cut(void **state)
{
	size_t n, lines;
	char *p;

	(void)state;
	note(line_of(0, 3, RETENTION_U_MONTHS), T0);
	note(line_of(0, 1, RETENTION_U_MONTHS), T0 + 2);
	p = slurp(&n);
	for (size_t i = 0; i < n; i++) {
		struct retention t = { 0 };
		int rc;

		put(p, i);
		lines = 0;
		for (size_t k = 0; k < i; k++)
			lines += p[k] == '\n';
		lines -= lines > 0; /* the head */
		rc = read_back(&t);
		assert_int_equal(rc, i ? 0 : -ENOENT);
		assert_true(t.n == lines && !t.bad);
		retention_free(&t);
		assert_int_equal(note(line_of(0, 1, RETENTION_U_MONTHS), T0 + 9), 1);
		assert_int_equal(read_back(&t), 0);
		assert_true(!t.bad && t.n == lines + 1 && t.v[lines].n == lines + 1 && t.v[lines].span == 1);
		retention_free(&t);
	}
	for (size_t i = 0; i < n; i++) { /* and damaged anywhere: never taken for something else */
		struct retention t = { 0 };

		put(p, n);
		p[i] ^= 4;
		put(p, n);
		p[i] ^= 4;
		assert_int_equal(read_back(&t), 0);
		assert_true(t.n <= 2 && (t.n == 2 || t.bad || i + 1 == n));
		for (size_t k = 0; k < t.n; k++)
			assert_true(t.v[k].span == (t.v[k].n == 1 ? 3 : 1));
		retention_free(&t);
	}
	free(p);
}

/* A journal of a daemon that wrote no use-within: what is said of it first says how it was, too. */
static void test_note_use(void **state)
{
	struct retention_line use = line_of(1, 30, RETENTION_U_DAYS), less = line_of(1, 20, RETENTION_U_DAYS);
	struct retention t;

	(void)state;
	use.use = less.use = true;
	assert_int_equal(note(line_of(1, 3, RETENTION_U_MONTHS), T0), 1);
	assert_int_equal(note(use, T0 + 1), 1);
	assert_int_equal(note(use, T0 + 2), 0);
	assert_int_equal(note(less, T0 + 3), 1);
	assert_int_equal(note(line_of(1, 3, RETENTION_U_MONTHS), T0 + 4), 0); /* another thing of the same purpose */
	assert_int_equal(read_back(&t), 0);
	assert_true(t.n == 3 && !t.bad);
	assert_true(!t.v[0].use && t.v[1].use && t.v[2].use);
	assert_true(!t.v[0].before_ns && !t.v[1].before_ns && t.v[2].before_ns == T0 + 3);
	retention_free(&t);
	fsck_clean(NULL);
}

/* ---- until when ---- */

static bool due(unsigned span, enum retention_unit u, const char *start, const char *now)
{
	struct retention_line l = line_of(0, span, u);
	struct reap_row row = { .state = { STORE_S_GRANTED }, .until_ns = { UINT64_MAX } };

	l.before_ns = UINT64_MAX;
	return reap_retain_due(&l, &row, utc(start), utc(now));
}

static void test_due(void **state)
{
	struct retention_line l = line_of(0, 1, RETENTION_U_MONTHS);
	struct reap_row row = { .state = { STORE_S_GRANTED }, .until_ns = { UINT64_MAX } };

	(void)state;
	/* 31 January and 28 January end on one day; from its begin (00:00 in Copenhagen) on */
	assert_false(due(1, RETENTION_U_MONTHS, "2027-01-31T12:00:00Z", "2027-02-27T22:59:59Z"));
	assert_true(due(1, RETENTION_U_MONTHS, "2027-01-31T12:00:00Z", "2027-02-27T23:00:00Z"));
	assert_true(due(1, RETENTION_U_MONTHS, "2027-01-28T12:00:00Z", "2027-02-27T23:00:00Z"));
	assert_false(due(1, RETENTION_U_MONTHS, "2027-02-01T12:00:00Z", "2027-02-27T23:00:00Z"));
	assert_true(due(1, RETENTION_U_YEARS, "2028-02-29T12:00:00Z", "2029-02-27T23:00:00Z"));
	/* over the nights on which clocks change: by the calendar, not by 24 hours */
	assert_false(due(30, RETENTION_U_DAYS, "2027-03-10T12:00:00Z", "2027-04-08T21:59:59Z"));
	assert_true(due(30, RETENTION_U_DAYS, "2027-03-10T12:00:00Z", "2027-04-08T22:00:00Z"));
	assert_false(due(30, RETENTION_U_DAYS, "2027-10-10T12:00:00Z", "2027-11-08T22:59:59Z"));
	assert_true(due(30, RETENTION_U_DAYS, "2027-10-10T12:00:00Z", "2027-11-08T23:00:00Z"));
	assert_false(due(2, RETENTION_U_H, "2027-01-01T12:00:00Z", "2027-01-01T13:59:59Z"));
	assert_true(due(2, RETENTION_U_H, "2027-01-01T12:00:00Z", "2027-01-01T14:00:00Z"));
	/* its own deadline is the earlier one; it began later; nothing is there */
	l.before_ns = utc("2027-01-02");
	assert_true(reap_retain_due(&l, &row, utc("2027-01-01"), utc("2027-03-01")));
	assert_false(reap_retain_due(&l, &row, utc("2027-01-02"), utc("2027-03-01")));
	row.until_ns[0] = utc("2027-01-20");
	assert_false(reap_retain_due(&l, &row, utc("2027-01-01"), utc("2027-03-01")));
	row.until_ns[0] = UINT64_MAX;
	row.state[0] = STORE_S_DENIED;
	assert_false(reap_retain_due(&l, &row, utc("2027-01-01"), utc("2027-03-01")));
}

/* Training that nobody used: at its instant, and only as a row that has one says it later. */
static void test_due_use(void **state)
{
	struct retention_line l = line_of(1, 20, RETENTION_U_DAYS);
	struct reap_row row = { .state = { STORE_S_GRANTED, STORE_S_GRANTED }, .until_ns = { UINT64_MAX, UINT64_MAX },
				.use_by_ns = utc("2027-01-31T12:00:00Z") };

	(void)state;
	l.use = true;
	l.before_ns = utc("2027-01-02");
	assert_false(reap_retain_due(&l, &row, utc("2027-01-01T12:00:00Z"), utc("2027-01-21T11:59:59Z")));
	assert_true(reap_retain_due(&l, &row, utc("2027-01-01T12:00:00Z"), utc("2027-01-21T12:00:00Z")));
	assert_false(reap_retain_due(&l, &row, utc("2027-01-02T12:00:00Z"), utc("2027-03-01")));
	row.use_by_ns = utc("2027-01-15T12:00:00Z"); /* its own is the earlier one */
	assert_false(reap_retain_due(&l, &row, utc("2027-01-01T12:00:00Z"), utc("2027-03-01")));
	row.use_by_ns = 0; /* of an older format */
	assert_false(reap_retain_due(&l, &row, utc("2027-01-01T12:00:00Z"), utc("2027-03-01")));
	row.use_by_ns = utc("2027-01-31T12:00:00Z");
	row.state[STORE_TRAINING] = STORE_S_OPTED_OUT;
	assert_false(reap_retain_due(&l, &row, utc("2027-01-01T12:00:00Z"), utc("2027-03-01")));
}

/* ---- runs ---- */

#define START "2027-01-29T12:00:00Z"

/* Calls of three months, a day apart, of both purposes. */
static void keep(unsigned from, unsigned to, struct uid *uid)
{
	struct store *st = open_store(STORE_RW);

	for (unsigned i = from; i < to; i++) {
		uint64_t at = utc(START) + i * DAY_NS, until;

		assert_int_equal(clock_add(at, CPH, 3, CLOCK_U_MONTHS, &until), 0);
		uid[i] = keep_call(st, i, "acme", CPH, at, (uint64_t[]){ until, until });
	}
	ok(st, store_sync(st));
	store_close(st);
}

static void seal_all(void)
{
	struct root r = { .fd = -1 };
	struct why why = { "" };

	assert_int_equal(root_open(store_dir, &r, &why), 0);
	for (unsigned d = 0; d < 40; d++) {
		uint32_t day;

		assert_int_equal(day_of(utc("2027-04-20") + d * DAY_NS, CPH, &day), 0);
		(void)seal_partition(&r, "acme", day, 1, NULL, &why);
	}
	root_close(&r);
}

static unsigned kept(const struct uid *uid, unsigned n, enum store_purpose p)
{
	unsigned k = 0;

	for (unsigned i = 0; i < n; i++)
		k += heard(&uid[i], p) == 0;
	return k;
}

/* 1 month of three for documentation; the calls of 29, 30, 31 January and 1 February (0 to 3), and six more. */
static void runs(bool sealed)
{
	struct uid uid[12];
	struct reap_totals t;

	keep(0, 10, uid);
	if (sealed)
		seal_all();
	note(line_of(0, 3, RETENTION_U_MONTHS), utc("2027-01-01"));
	reap_at(utc("2027-03-20"));
	assert_int_equal(kept(uid, 10, STORE_DOCUMENTATION), 10); /* that says how it was */
	note(line_of(0, 1, RETENTION_U_MONTHS), utc("2027-02-06T12:00:00Z")); /* the ninth call begins then */
	note(line_of(0, 4, RETENTION_U_MONTHS), utc("2027-02-06T12:00:01Z")); /* nobody is kept longer by that */
	t = reap_at(utc("2027-02-27T22:59:00Z"));
	assert_int_equal(t.single, 0);
	t = reap_at(utc("2027-02-27T23:00:00Z"));
	assert_true(t.single == 3 && t.calls == 3);
	assert_string_equal(items[0].reason, "retention");
	assert_int_equal(kept(uid, 3, STORE_DOCUMENTATION), 0);
	assert_int_equal(kept(uid, 10, STORE_DOCUMENTATION), 7);
	assert_int_equal(kept(uid, 10, STORE_TRAINING), 10); /* no line is of it */
	t = reap_at(utc("2027-02-27T23:01:00Z"));
	assert_int_equal(t.single, 0);
	t = reap_at(utc("2027-03-01T23:00:00Z"));
	assert_int_equal(t.single, 2); /* of 1 and 2 February */
	keep(10, 11, uid); /* began after it, and ends later */
	t = reap_at(utc("2027-04-10"));
	assert_int_equal(t.single, 3);
	assert_int_equal(kept(uid, 8, STORE_DOCUMENTATION), 0);
	assert_int_equal(kept(uid + 8, 3, STORE_DOCUMENTATION), 3);
	assert_int_equal(told("key.destroy.*retention"), 8);
	fsck_clean(NULL);
	reap_at(utc("2027-06-01")); /* the rest, with their days */
	assert_int_equal(kept(uid, 11, STORE_TRAINING), 0);
	fsck_clean(NULL);
}

static void test_runs(void **state)
{
	(void)state;
	runs(false);
}

static void test_runs_sealed(void **state)
{
	(void)state;
	runs(true);
}

static void used(const struct uid *uid)
{
	char name[UID_TEXT];

	uid_format(uid, name);
	shell("printf '{\"call\":\"%s\",\"kind\":\"play\",\"at\":\"2027-02-01T00:00:00Z\"}\\n' >> '%s/used'", name, store_dir);
}

/* Use within 60 days becomes 20: calls a day apart from 29 January 12:00 on, of which the second was used. */
static void uses(bool sealed)
{
	struct retention_line l = line_of(1, 60, RETENTION_U_DAYS);
	struct reap_settings s = { .now_ns = utc("2027-02-20T13:30:00Z"), .told = true };
	struct reap_totals t;
	struct uid uid[12];

	keep_use_days = 60;
	keep(0, 10, uid);
	keep_use_days = 0;
	used(&uid[1]);
	if (sealed)
		seal_all();
	l.use = true;
	note(l, utc("2027-01-01"));
	assert_int_equal(reap_at(utc("2027-02-18T13:00:00Z")).single, 0); /* that says how it was */
	l.span = 20;
	note(l, utc("2027-02-06T13:00:00Z")); /* the ninth call began an hour before, the tenth is new */
	l.span = 90;
	note(l, utc("2027-02-06T13:00:01Z"));
	assert_int_equal(reap_at(utc("2027-02-18T11:59:59Z")).single, 0);
	t = reap_at(utc("2027-02-18T12:00:00Z"));
	assert_true(t.single == 1 && t.calls == 1);
	assert_string_equal(items[0].reason, "unused");
	assert_int_equal(items[0].purpose, STORE_TRAINING);
	assert_int_equal(kept(uid, 10, STORE_DOCUMENTATION), 10);
	assert_int_equal(kept(uid, 10, STORE_TRAINING), 9);
	assert_int_equal(reap_at(utc("2027-02-18T12:01:00Z")).single, 0);
	assert_int_equal(reap_at(utc("2027-02-19T12:00:00Z")).single, 0); /* it was used */
	assert_int_equal(reap_at(utc("2027-02-20T11:59:00Z")).single, 0);
	assert_int_equal(reap_at(utc("2027-02-20T12:00:00Z")).single, 1); /* the minute after a look in another hour */
	/* nobody can tell what was used: nothing goes, and it is not forgotten */
	shell("mv '%s/used' '%s/used.away'; mkdir '%s/used'", store_dir, store_dir, store_dir);
	s.now_ns = utc("2027-02-21T13:30:00Z");
	assert_true(reap_with(&s, &t) != 0 && t.faults && !t.single);
	shell("rmdir '%s/used'; mv '%s/used.away' '%s/used'", store_dir, store_dir, store_dir);
	assert_int_equal(reap_at(utc("2027-02-21T13:31:00Z")).single, 1);
	assert_int_equal(reap_at(utc("2027-03-10")).single, 5); /* to the ninth */
	assert_int_equal(kept(uid, 10, STORE_TRAINING), 2);
	assert_int_equal(kept(uid + 9, 1, STORE_TRAINING), 1);
	assert_int_equal(kept(uid, 10, STORE_DOCUMENTATION), 10);
	assert_int_equal(told("key.destroy.*unused"), 8);
	assert_int_equal(reap_at(utc("2027-04-08T13:00:00Z")).single, 1); /* of the tenth, by its own */
	fsck_clean(NULL);
}

static void test_uses(void **state)
{
	(void)state;
	uses(false);
}

static void test_uses_sealed(void **state)
{
	(void)state;
	uses(true);
}

/* Rows that come when their time was looked at already: of a recorder that was down. */
static void test_late_row(void **state)
{
	struct uid uid[4];

	(void)state;
	keep(0, 2, uid);
	note(line_of(0, 3, RETENTION_U_MONTHS), utc("2027-01-01"));
	note(line_of(0, 1, RETENTION_U_DAYS), utc("2027-02-20"));
	assert_int_equal(reap_at(utc("2027-02-21")).single, 2);
	keep(2, 3, uid);
	seal_all();
	assert_int_equal(reap_at(utc("2027-02-21T00:30:00Z")).single, 0); /* once an hour */
	assert_int_equal(reap_at(utc("2027-02-21T01:00:00Z")).single, 1);
	assert_int_equal(kept(uid, 3, STORE_DOCUMENTATION), 0);
	shell("rm '%s/reap.retention'", store_dir); /* lost: looked at again, to no effect */
	assert_int_equal(reap_at(utc("2027-02-21T01:01:00Z")).single, 0);
	assert_true(there("reap.retention"));
}

/* A person said a time that lies ahead: what comes after that is looked at by the clock's. */
static void test_ahead(void **state)
{
	struct uid uid[13];

	(void)state;
	reap_retain_fresh_ns = 0;
	keep(0, 2, uid);
	seal_all();
	note(line_of(0, 3, RETENTION_U_MONTHS), utc("2027-01-01"));
	note(line_of(0, 20, RETENTION_U_DAYS), utc("2027-02-20"));
	assert_int_equal(reap_at(utc("2027-04-01")).single, 2);
	keep(12, 13, uid); /* of 10 February */
	seal_all();
	usleep(20000); /* a file's time is that of the last tick */
	assert_int_equal(reap_at(utc("2027-02-21")).single, 0);
	assert_int_equal(kept(uid + 12, 1, STORE_DOCUMENTATION), 1);
	assert_int_equal(reap_at(utc("2027-03-02")).single, 1);
	assert_int_equal(reap_at(utc("2027-03-03")).single, 0);
	reap_retain_fresh_ns = 600 * NS_PER_S;
	fsck_clean(NULL);
}

/* What a reaper went by is missed. */
static void test_lost(void **state)
{
	struct reap_settings s = { .now_ns = utc("2027-02-21"), .told = true };
	struct reap_totals t;
	struct uid uid[2];

	(void)state;
	keep(0, 1, uid);
	note(line_of(0, 3, RETENTION_U_MONTHS), utc("2027-01-01"));
	note(line_of(0, 2, RETENTION_U_MONTHS), utc("2027-02-20"));
	assert_int_equal(reap_with(&s, &t), 0);
	shell("cp '%s/retention' '%s/../whole'; head -2 '%s/../whole' > '%s/retention'", store_dir, store_dir, store_dir, store_dir);
	assert_int_equal(reap_with(&s, &t), -EBADMSG);
	assert_int_equal(t.faults, 1);
	shell("rm '%s/retention'", store_dir);
	assert_int_equal(reap_with(&s, &t), -EBADMSG);
	shell("sed '2s/acme/acne/' '%s/../whole' > '%s/retention'", store_dir, store_dir);
	assert_int_equal(reap_with(&s, &t), -EBADMSG);
	assert_int_equal(kept(uid, 1, STORE_DOCUMENTATION), 1);
	s.now_ns = utc("2027-03-29"); /* and the line that is whole still counts */
	assert_int_equal(reap_with(&s, &t), -EBADMSG);
	assert_int_equal(t.single, 1);
}

static void missing(struct reap_settings *s, const char *how)
{
	struct reap_totals t;
	struct finding f;

	shell(how, store_dir, store_dir, store_dir);
	for (int run = 0; run < 2; run++) { /* as long as nobody has looked */
		assert_int_equal(reap_with(s, &t), -EBADMSG);
		assert_int_equal(t.faults, 1);
		assert_int_equal(fsck(&f, NULL), 1);
		assert_string_equal(f.rule, "D-2");
		assert_string_equal(f.file, "retention");
	}
}

/* One out of the middle is missed, whether or not a reaper went by it; and one that is another now. */
static void test_lost_between(void **state)
{
	struct reap_settings s = { .now_ns = utc("2027-02-21"), .told = true };
	struct reap_totals t;
	struct uid uid[2];

	(void)state;
	keep(0, 1, uid);
	for (unsigned i = 1; i < 4; i++)
		note(line_of(0, i == 2 ? 2 : 3, RETENTION_U_MONTHS), utc("2027-01-01") + i);
	shell("cp '%s/retention' '%s/../whole'", store_dir, store_dir);
	missing(&s, "sed -i 3d '%s/retention'");
	missing(&s, "sed 2d '%s/../whole' > '%s/retention'");
	shell("cp '%s/../whole' '%s/retention'; rm -f '%s/reap.retention'", store_dir, store_dir, store_dir);
	assert_int_equal(reap_with(&s, &t), 0);
	fsck_clean(NULL);
	shell("head -3 '%s/../whole' > '%s/retention'", store_dir, store_dir);
	note(line_of(0, 90, RETENTION_U_MONTHS), utc("2027-02-01")); /* the daemon goes on with the number of the lost one */
	missing(&s, "true");
	shell("cp '%s/../whole' '%s/retention'", store_dir, store_dir);
	assert_int_equal(reap_with(&s, &t), -EBADMSG); /* and a reaper went by that one, too */
}

/* Documentation on hold waits for its end, training does not. */
static void test_hold(void **state)
{
	static const struct hold_person anna = { .uid = 1001, .name = "anna" }, bo = { .uid = 1002, .name = "bo" };
	struct hold_why w = { .reason = "dispute", .reference = "D-1", .review = 20270301 };
	enum hold_end end;
	struct uid uid[2];
	struct store *st;
	struct holds *h;
	bool is;

	(void)state;
	keep(0, 2, uid);
	st = open_store(STORE_RO);
	ok(st, store_holds(st, HOLDS_WRITE, &h, NULL));
	ok(st, store_hold_add(st, h, &uid[0], &w, &anna, utc("2027-02-02"), &is));
	holds_close(h);
	note(line_of(0, 3, RETENTION_U_MONTHS), utc("2027-01-01"));
	note(line_of(1, 3, RETENTION_U_MONTHS), utc("2027-01-01"));
	note(line_of(0, 7, RETENTION_U_DAYS), utc("2027-02-03"));
	note(line_of(1, 7, RETENTION_U_DAYS), utc("2027-02-03"));
	assert_int_equal(reap_at(utc("2027-02-10")).single, 3);
	assert_int_equal(kept(uid, 2, STORE_DOCUMENTATION), 1);
	assert_int_equal(kept(uid, 2, STORE_TRAINING), 0);
	assert_int_equal(reap_at(utc("2027-02-11")).single, 0);
	ok(st, store_holds(st, HOLDS_WRITE, &h, NULL));
	assert_int_equal(store_hold_release(st, h, &uid[0], "settled", &anna, utc("2027-02-12"), &end), 0);
	assert_int_equal(store_hold_release(st, h, &uid[0], "settled", &bo, utc("2027-02-12"), &end), 0);
	holds_close(h);
	store_close(st);
	assert_int_equal(reap_at(utc("2027-02-13")).single, 1);
	assert_int_equal(kept(uid, 2, STORE_DOCUMENTATION), 0);
	fsck_clean(NULL);
}

static void put_on_hold(const struct uid *uid, uint64_t at)
{
	static const struct hold_person anna = { .uid = 1001, .name = "anna" };
	struct hold_why w = { .reason = "dispute", .reference = "D-1" };
	struct store *st = open_store(STORE_RO);
	struct holds *h;
	bool is;

	assert_int_equal(day_of(at + 20 * DAY_NS, "UTC", &w.review), 0);
	ok(st, store_holds(st, HOLDS_WRITE, &h, NULL));
	ok(st, store_hold_add(st, h, uid, &w, &anna, at, &is));
	holds_close(h);
	store_close(st);
}

/* ---- stores of older formats, whose slots have no key of their own ---- */

struct olds {
	struct uid uid[16];
	char controller[STORE_NAME_MAX], rule[RETENTION_NAME];
	unsigned n;
	uint64_t start, until; /* the latest */
};

/* Kept for documentation, of one rule. */
static int take_old(void *arg, const struct store_row *r)
{
	struct olds *o = arg;

	if (r->state[STORE_DOCUMENTATION] != STORE_S_GRANTED || !r->rule || (o->n && strcmp(o->rule, r->rule) != 0))
		return 0;
	assert_true(o->n < 16);
	o->uid[o->n++] = r->uid;
	snprintf(o->controller, sizeof(o->controller), "%s", r->controller);
	snprintf(o->rule, sizeof(o->rule), "%s", r->rule);
	o->start = r->start_ns > o->start ? r->start_ns : o->start;
	o->until = r->until_ns[STORE_DOCUMENTATION] > o->until ? r->until_ns[STORE_DOCUMENTATION] : o->until;
	return 0;
}

static unsigned opens(const struct olds *o)
{
	struct store *st = open_store(STORE_RO);
	struct store_reader *r;
	unsigned n = 0;

	for (unsigned i = 0; i < o->n; i++) {
		r = NULL;
		n += !store_read_open(st, &o->uid[i], STORE_DOCUMENTATION, keys_dir, &r);
		store_read_close(r);
	}
	store_close(st);
	return n;
}

static void note_of(struct retention_line l, const struct olds *o, uint64_t now)
{
	snprintf(l.controller, sizeof(l.controller), "%s", o->controller);
	snprintf(l.rule, sizeof(l.rule), "%s", o->rule);
	assert_int_equal(note(l, now), 1);
}

/* A shorter retention reaches them, but for one on hold, whose bucket stays; they never had a use-within. */
static void old_format(const char *name)
{
	struct retention_line use = line_of(1, 30, RETENTION_U_DAYS);
	struct store_filter all = { .state = -1 };
	struct olds o = { .n = 0 };
	struct reap_totals t;
	struct store *st;

	if (access("tests/golden/store", R_OK))
		skip();
	shell("rm -rf '%s' '%s' && cp -r tests/golden/store/%s '%s' && cp -r tests/golden/store/%s-private '%s' && chmod -R u+rwX,go= '%s' '%s'",
	      store_dir, keys_dir, name, store_dir, name, keys_dir, store_dir, keys_dir);
	clock_set_ns(T0 + DAY_NS);
	st = open_store(STORE_RW);
	ok(st, store_settle(st, NULL));
	ok(st, store_find(st, &all, take_old, &o));
	store_close(st);
	assert_true(o.n >= 2 && opens(&o) == o.n);
	use.use = true;
	note_of(line_of(0, 3, RETENTION_U_MONTHS), &o, o.start + 1);
	note_of(use, &o, o.start + 1);
	clock_set_ns(o.start + DAY_NS);
	put_on_hold(&o.uid[1], o.start + DAY_NS);
	note_of(line_of(0, 5, RETENTION_U_DAYS), &o, o.start + DAY_NS);
	use.span = 5;
	note_of(use, &o, o.start + DAY_NS);
	t = reap_at(o.start + 6 * DAY_NS);
	assert_int_equal(t.single, o.n - 1);
	for (size_t i = 0; i < nitems; i++)
		assert_true(items[i].what != REAP_CALL || (!strcmp(items[i].reason, "retention") && items[i].purpose == STORE_DOCUMENTATION));
	assert_int_equal(opens(&o), 1);
	fsck_clean(NULL);
	assert_int_equal(reap_at(o.start + 6 * DAY_NS + 1).single, 0);
	(void)reap_at(o.until + 2 * DAY_NS); /* its day is over, too */
	assert_int_equal(opens(&o), 1);
	fsck_clean(NULL);
}

static void test_format_1(void **state)
{
	(void)state;
	old_format("v1");
}

static void test_format_2(void **state)
{
	(void)state;
	old_format("v2");
}

/* ---- killed ---- */

#define CALLS 24

static struct uid calls[CALLS];

/* Documentation is gone but of the call on hold and of the last four, training but of the one that was used and the last four. */
static void check_end(void)
{
	assert_int_equal(kept(calls, CALLS, STORE_DOCUMENTATION), 5);
	assert_int_equal(kept(calls, CALLS, STORE_TRAINING), 5);
	assert_int_equal(heard(&calls[3], STORE_DOCUMENTATION), 0);
	assert_int_equal(heard(&calls[5], STORE_TRAINING), 0);
}

/* Of how many calls the log has that; twice of one, perhaps, after a kill. What was half written to the outbox then is none of ours. */
static unsigned told_calls(const char *reason)
{
	char cmd[1200];
	unsigned n = 0;
	FILE *f;

	snprintf(cmd, sizeof(cmd), "cat '%s'/evidence/*.log | grep 'key.destroy.*\"reason\":\"%s\"' |"
				   " grep -o '\"call\":\"[0-9A-Z]*\"' | sort -u | wc -l",
		 store_dir, reason);
	f = popen(cmd, "r");
	assert_non_null(f);
	if (fscanf(f, "%u", &n) != 1)
		n = 0;
	pclose(f);
	return n;
}

static void test_killed(void **state)
{
	const uint64_t now = utc("2027-03-20T12:00:00Z");
	unsigned rounds = getenv("OPTAG_FULL") ? 500 : 12, span;
	struct retention_line use = line_of(1, 60, RETENTION_U_DAYS);
	struct timespec a, b;

	(void)state;
	srand(7);
	keep_use_days = 60;
	keep(0, CALLS, calls);
	keep_use_days = 0;
	put_on_hold(&calls[3], utc("2027-02-02"));
	used(&calls[5]);
	use.use = true;
	note(line_of(0, 3, RETENTION_U_MONTHS), utc("2027-01-01"));
	note(use, utc("2027-01-01"));
	use.span = 20;
	note(line_of(0, 1, RETENTION_U_MONTHS), utc("2027-02-18T00:00:00Z")); /* the last four began after it */
	note(use, utc("2027-02-18T00:00:00Z"));
	shell("cp -a '%s' '%s/base'", store_dir, base_dir);
	clock_gettime(CLOCK_MONOTONIC, &a);
	assert_int_equal(reap_at(now).single, 19 + 19);
	clock_gettime(CLOCK_MONOTONIC, &b);
	span = (unsigned)((b.tv_sec - a.tv_sec) * 1000000 + (b.tv_nsec - a.tv_nsec) / 1000);
	check_end();
	for (unsigned i = 0; i < rounds; i++) {
		shell("rm -rf '%s' && cp -a '%s/base' '%s'", store_dir, base_dir, store_dir);
		for (unsigned k = 0; k <= i % 3; k++) {
			killed_run(now + k, (unsigned)rand() % (span + span / 4));
			fsck_clean(NULL);
		}
		reap_at(now + 10);
		check_end();
		assert_int_equal(reap_at(now + 11).single, 0);
		assert_int_equal(told_calls("retention"), 19);
		assert_int_equal(told_calls("unused"), 19);
		fsck_clean(NULL);
	}
}

#define T(name) cmocka_unit_test_setup_teardown(test_##name, make_store, drop_store)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_line), T(note), T(note_use), T(shrink), T(cut), cmocka_unit_test(test_due),
		cmocka_unit_test(test_due_use), T(runs), T(runs_sealed), T(uses), T(uses_sealed), T(late_row), T(ahead), T(lost), T(lost_between), T(hold),
		T(format_1), T(format_2), T(killed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
