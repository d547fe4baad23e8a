/* SPDX-License-Identifier: BSD-2-Clause */
/* The reaper: what is due and nothing else, in which order, by which calendar, and what it leaves behind. */
#include "store_util.h"

#include <sys/file.h>

#include "reap_util.h"
#include "store/bucket.h"
#include "store/daylock.h"
#include "store/store_internal.h"

#define CPH "Europe/Copenhagen"

static uint64_t utc(const char *s)
{
	uint64_t ns;

	assert_int_equal(clock_parse(s, &ns), 0);
	return ns;
}

/* ---- what and when ---- */

static void test_only_due(void **state)
{
	struct store *st = open_store(STORE_RW);
	struct uid old, young;
	struct reap_totals t;

	(void)state;
	old = keep_call(st, 1, "acme", CPH, T0, (uint64_t[]){ T0 + 90 * DAY_NS, 0 });
	young = keep_call(st, 2, "acme", CPH, T0, (uint64_t[]){ T0 + 91 * DAY_NS, 0 });
	ok(st, store_sync(st));
	store_close(st);
	t = reap_at(T0 + 80 * DAY_NS);
	assert_true(!t.buckets && !t.files);
	assert_int_equal(heard(&old, STORE_DOCUMENTATION), 0);
	t = reap_at(T0 + 90 * DAY_NS);
	assert_true(t.buckets == 1 && t.calls == 1 && !t.late && t.days == 1 && t.files >= 2 && t.bytes > 0);
	assert_int_equal(heard(&old, STORE_DOCUMENTATION), -ENOENT);
	assert_int_equal(heard(&young, STORE_DOCUMENTATION), 0);
	fsck_clean(NULL);
	assert_int_equal(told("bucket.destroy.*\"calls\":1"), 1);
	assert_int_equal(told("reaper.run"), 1);
	/* Again: nothing is left to do, nothing is told twice. */
	t = reap_at(T0 + 90 * DAY_NS);
	assert_true(!t.buckets && !t.calls && !t.days && !t.files);
	assert_int_equal(told("bucket.destroy"), 1);
	t = reap_at(T0 + 92 * DAY_NS);
	assert_true(t.calls == 1 && t.late == 1 && t.late_max_ns > DAY_NS);
	fsck_clean(NULL);
}

static void test_order(void **state)
{
	struct store *st = open_store(STORE_RW);
	struct reap_totals t;
	uint64_t last = 0;

	(void)state;
	for (unsigned i = 0; i < 12; i++) {
		static const char *const who[3] = { "zeta", "acme", "mid" };

		keep_call(st, i, who[i % 3], CPH, T0, (uint64_t[]){ T0 + (100 - i * 3) * DAY_NS, T0 + (40 + i) * DAY_NS });
	}
	ok(st, store_sync(st));
	store_close(st);
	t = reap_at(T0 + 200 * DAY_NS);
	assert_int_equal(t.buckets, 24);
	assert_int_equal(t.calls, 24);
	for (size_t i = 0; i < nitems; i++) {
		if (items[i].what != REAP_BUCKET)
			continue;
		assert_true(items[i].due_ns >= last);
		last = items[i].due_ns;
	}
	fsck_clean(NULL);
}

/* Story 17: training ends first; who documents can still play it. */
static void test_training_first(void **state)
{
	struct store *st = open_store(STORE_RW);
	struct reap_totals t;
	struct uid uid;

	(void)state;
	uid = keep_call(st, 1, "acme", CPH, T0, (uint64_t[]){ T0 + 180 * DAY_NS, T0 + 90 * DAY_NS });
	ok(st, store_sync(st));
	store_close(st);
	t = reap_at(T0 + 91 * DAY_NS);
	assert_true(t.buckets == 1 && t.calls == 1 && !t.days);
	assert_int_equal(heard(&uid, STORE_TRAINING), -ESHUTDOWN);
	assert_int_equal(heard(&uid, STORE_DOCUMENTATION), 0);
	fsck_clean(NULL);
	t = reap_at(T0 + 181 * DAY_NS);
	assert_true(t.buckets == 1 && t.days == 1);
	assert_int_equal(heard(&uid, STORE_DOCUMENTATION), -ENOENT);
	fsck_clean(NULL);
}

/* An unproven notice: documentation under an early bucket, which ends it by itself. */
static void test_quarantine(void **state)
{
	struct store *st = open_store(STORE_RW);
	struct store_call_result r;
	struct store_call_meta m;
	struct store_call *sc;
	struct reap_totals t;

	(void)state;
	meta_of(1, &m);
	result_of(1, &r);
	m.until_ns[0] = T0 + 90 * DAY_NS;
	ok(st, store_call_begin(st, &m, &sc));
	ok(st, store_call_shorten(sc, STORE_DOCUMENTATION, T0 + 7 * DAY_NS));
	r.state[0] = STORE_S_OBJECTED;
	r.reason[0] = "notice.missing";
	ok(st, store_call_end(sc, &r));
	ok(st, store_sync(st));
	store_close(st);
	t = reap_at(T0 + 6 * DAY_NS - 3600 * NS_PER_S);
	assert_int_equal(t.calls, 0);
	t = reap_at(T0 + 7 * DAY_NS);
	assert_int_equal(t.calls, 1);
	assert_int_equal(t.late, 0);
	fsck_clean(NULL);
	t = reap_at(T0 + 91 * DAY_NS); /* the day of its first deadline has its row */
	assert_int_equal(t.days, 1);
	fsck_clean(NULL);
}

/* ---- calendar ---- */

static const struct {
	const char *zone, *start;
	int months;
	const char *last, *first; /* the call is there, and gone */
} calendar[] = {
	/* story 16: 30 November 10:00, gone when the 28th (29th) begins in Copenhagen */
	{ CPH, "2026-11-30T09:00:00Z", 3, "2027-02-27T22:59:59Z", "2027-02-27T23:00:00Z" },
	{ CPH, "2027-11-30T09:00:00Z", 3, "2028-02-28T22:59:59Z", "2028-02-28T23:00:00Z" },
	{ CPH, "2026-08-31T09:00:00Z", 1, "2026-09-29T21:59:59Z", "2026-09-29T22:00:00Z" },
	/* a deadline on the days that summer time begins and ends; at an hour that there is not */
	{ CPH, "2026-12-28T01:30:00Z", 3, "2027-03-27T22:59:59Z", "2027-03-27T23:00:00Z" },
	{ CPH, "2027-07-31T09:00:00Z", 3, "2027-10-30T21:59:59Z", "2027-10-30T22:00:00Z" },
	/* summer time begins at midnight: the day has no 00:00 */
	{ "America/Santiago", "2027-06-05T12:00:00Z", 3, "2027-09-05T03:59:59Z", "2027-09-05T04:00:00Z" },
	/* far east and far west */
	{ "Pacific/Kiritimati", "2026-11-30T12:00:00Z", 3, "2027-02-28T09:59:59Z", "2027-02-28T10:00:00Z" },
	{ "Pacific/Pago_Pago", "2026-11-30T09:00:00Z", 3, "2027-02-28T10:59:59Z", "2027-02-28T11:00:00Z" },
	{ "UTC", "2026-11-30T00:00:00Z", 3, "2027-02-27T23:59:59Z", "2027-02-28T00:00:00Z" },
};

static void test_calendar(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(calendar) / sizeof(*calendar); i++) {
		uint64_t start = utc(calendar[i].start), until;
		struct reap_totals t;
		struct store *st;
		struct uid uid;

		assert_int_equal(make_store(state), 0);
		assert_int_equal(clock_add(start, calendar[i].zone, calendar[i].months, CLOCK_U_MONTHS, &until), 0);
		st = open_store(STORE_RW);
		uid = keep_call(st, 1, "acme", calendar[i].zone, start, (uint64_t[]){ until, 0 });
		ok(st, store_sync(st));
		store_close(st);
		t = reap_at(utc(calendar[i].last));
		if (t.calls)
			print_error("%s %s: too early\n", calendar[i].zone, calendar[i].start);
		assert_int_equal(t.calls, 0);
		assert_int_equal(heard(&uid, STORE_DOCUMENTATION), 0);
		t = reap_at(utc(calendar[i].first));
		if (t.calls != 1 || t.late)
			print_error("%s %s: too late\n", calendar[i].zone, calendar[i].start);
		assert_true(t.calls == 1 && !t.late);
		assert_int_equal(heard(&uid, STORE_DOCUMENTATION), -ENOENT);
		fsck_clean(NULL);
		drop_store(state);
	}
}

/* ---- the clock (test_reap_clock has its rules) ---- */

/* A store and its first segments of then, whatever the test before left of the clock. */
static struct store *at_t0(void)
{
	clock_set_ns(T0);
	shell("sed -i 's/^created .*/created 2026-11-18T00:00:00Z/' '%s/optag.store'", store_dir);
	return open_store(STORE_RW);
}

static void test_clock(void **state)
{
	struct reap_settings s = { .now_ns = T0 };
	struct store *st = at_t0();
	struct reap_totals t;
	struct uid uid;

	(void)state;
	uid = keep_call(st, 1, "acme", CPH, T0, (uint64_t[]){ T0 + 90 * DAY_NS, 0 });
	ok(st, store_sync(st));
	store_close(st);
	assert_int_equal(reap_with(&s, &t), 0);
	s.now_ns = T0 + 100 * DAY_NS; /* far ahead: a person must say so */
	assert_int_equal(reap_with(&s, &t), -ETIME);
	assert_true(t.held_back && !t.calls);
	assert_int_equal(heard(&uid, STORE_DOCUMENTATION), 0);
	s.now_ns = T0 + DAY_NS;
	s.confirm = true;
	assert_int_equal(reap_with(&s, &t), 0);
	s.confirm = false;
	for (int day = 2; day <= 89; day++) { /* as time goes by */
		s.now_ns = T0 + (uint64_t)day * DAY_NS;
		assert_int_equal(reap_with(&s, &t), 0);
		assert_int_equal(t.calls, day == 89 ? t.calls : 0);
	}
	s.now_ns = T0 + 91 * DAY_NS;
	assert_int_equal(reap_with(&s, &t), 0);
	assert_int_equal(heard(&uid, STORE_DOCUMENTATION), -ENOENT);
	/* Set back by months: what became due before the setting back is due. */
	st = open_store(STORE_RW);
	uid = keep_call(st, 2, "acme", CPH, T0, (uint64_t[]){ T0 + 90 * DAY_NS + 12 * 3600 * NS_PER_S, 0 });
	store_close(st);
	(void)uid;
}

/* reap.clock is lost, and the clock is wrong: nothing is destroyed but what the store's own past says to be due. */
static void test_clock_lost(void **state)
{
	struct reap_settings s = { .now_ns = T0 };
	struct store *st = at_t0();
	struct reap_totals t;
	struct uid uid;

	(void)state;
	uid = keep_call(st, 1, "acme", CPH, T0, (uint64_t[]){ T0 + 90 * DAY_NS, 0 });
	ok(st, store_sync(st));
	store_close(st);
	assert_int_equal(reap_with(&s, &t), 0);
	for (int i = 0; i < 2; i++) {
		shell(i ? "rm '%s/reap.clock'" : "printf x >'%s/reap.clock'", store_dir);
		s.now_ns = T0 + 400 * DAY_NS;
		assert_int_equal(reap_with(&s, &t), -ETIME);
		assert_true(t.held_back && t.clock_lost == !i && t.floor_ns && !t.calls && !t.buckets && !t.days);
		assert_int_equal(heard(&uid, STORE_DOCUMENTATION), 0);
		assert_int_equal(reap_with(&s, &t), -ETIME); /* nor the next minute */
		assert_int_equal(heard(&uid, STORE_DOCUMENTATION), 0);
	}
	s.confirm = true;
	assert_int_equal(reap_with(&s, &t), 0);
	assert_int_equal(t.calls, 1);
}

/*
 * A person says what time it is. What is destroyed by it is written down with the machine's time where his lies ahead, and the
 * log has first who said so; evidence does not go by it, nor does the next run.
 */
static void test_by_hand(void **state)
{
	struct reap_settings s = { .now_ns = T0 + 91 * DAY_NS, .told = true, .clock_ns = T0 + 3 * DAY_NS, .who = 1234 };
	struct store *st = at_t0();
	struct reap_totals t;
	char why[512];

	(void)state;
	keep_call(st, 1, "acme", CPH, T0, (uint64_t[]){ T0 + 90 * DAY_NS, 0 });
	keep_call(st, 2, "acme", CPH, T0, (uint64_t[]){ T0 + 300 * DAY_NS, 0 });
	ok(st, store_sync(st));
	store_close(st);
	s.store = store_dir;
	clock_set_ns(s.clock_ns);
	assert_int_equal(reap_run(&s, &t, why, sizeof(why)), 0);
	assert_int_equal(t.calls, 1);
	assert_int_equal(told("\"time\":\"2026-11-21.*\"reaper.told\".*\"as_of_s\":1802862400,\"clock_s\":1795259200,\"uid\":1234"), 1);
	assert_int_equal(told("\"time\":\"2026-11-21.*\"bucket.destroy\""), 1);
	assert_int_equal(told("\"time\":\"2026-11-21.*\"reaper.run\""), 1);
	shell("cd '%s/evidence' && test \"$(echo *.log)\" = 2026-11-21.log && grep -n . 2026-11-21.log | grep -m1 -E 'reaper.told|bucket.destroy' |" 
	      " grep -q reaper.told", store_dir);
	assert_int_equal(reap_run(&s, &t, why, sizeof(why)), 0); /* nothing is left to destroy: nothing is said */
	assert_int_equal(told("reaper.told"), 1);
	assert_false(there("reap.clock"));
	s = (struct reap_settings){ .store = store_dir, .now_ns = T0 + 4 * DAY_NS };
	assert_int_equal(reap_run(&s, &t, why, sizeof(why)), 0);
	assert_true(!t.calls && t.due_ns == T0 + 4 * DAY_NS && !t.behind_ns);
	/* with a time of the past the log has that time */
	s = (struct reap_settings){ .store = store_dir, .now_ns = T0 + 301 * DAY_NS, .told = true, .clock_ns = T0 + 500 * DAY_NS };
	clock_set_ns(s.now_ns);
	assert_int_equal(reap_run(&s, &t, why, sizeof(why)), 0);
	assert_int_equal(t.calls, 1);
	assert_int_equal(told("\"time\":\"2027-09-15.*\"reaper.told\""), 1);
	assert_int_equal(told("\"time\":\"2027-09-15.*\"bucket.destroy\""), 1);
	fsck_clean(NULL);
}

/* A key is dead before the first instant of its day: a run by the clock goes two minutes ahead. Space is not given back before. */
static void test_before_day(void **state)
{
	const uint64_t day = utc("2027-02-15T23:00:00Z");
	struct reap_settings s = { .now_ns = day - 130 * NS_PER_S, .confirm = true };
	struct store *st = at_t0();
	struct reap_totals t;
	struct uid uid;

	(void)state;
	uid = keep_call(st, 1, "acme", CPH, T0, (uint64_t[]){ day + NS_PER_S / 10, 0 });
	ok(st, store_sync(st));
	store_close(st);
	assert_int_equal(reap_with(&s, &t), 0);
	assert_int_equal(heard(&uid, STORE_DOCUMENTATION), 0);
	s.now_ns = day - 60 * NS_PER_S;
	s.told = true; /* who gives a time means it */
	assert_int_equal(reap_with(&s, &t), 0);
	assert_int_equal(heard(&uid, STORE_DOCUMENTATION), 0);
	s.told = false;
	assert_int_equal(reap_with(&s, &t), 0);
	assert_true(t.calls == 1 && !t.late && !t.late_max_ns && !t.days);
	assert_int_equal(heard(&uid, STORE_DOCUMENTATION), -ESHUTDOWN);
	assert_int_equal(told("bucket.destroy.*\"calls\":1,.*\"late_s\":0"), 1);
	fsck_clean(NULL);
	s.now_ns = day + NS_PER_S;
	assert_int_equal(reap_with(&s, &t), 0);
	assert_true(!t.calls && t.days == 1);
	assert_int_equal(told("bucket.destroy"), 1);
	fsck_clean(NULL);
}

static struct uid asked_late;
static bool was_asked;

static void ask_late(void *arg, const struct reap_item *it)
{
	char why[512] = "";

	on_item(arg, it);
	if (it->what != REAP_DAY || was_asked)
		return;
	was_asked = true;
	assert_int_equal(reap_request(store_dir, &asked_late, STORE_TRAINING, "withdrawn", 1001, T0 + DAY_NS, why, sizeof(why)), 0);
}

/* Space takes long, and a key comes due, and somebody asks, while it is given back: neither waits for its end. */
static void test_due_meanwhile(void **state)
{
	const uint64_t day = utc("2027-02-15T23:00:00Z");
	struct reap_settings s = { .store = store_dir, .now_ns = day - 121 * NS_PER_S, .confirm = true, .rate = 5, .again_ms = 100, .item = ask_late };
	struct store *st = at_t0();
	struct reap_totals t;
	char why[512] = "";
	struct uid next;

	(void)state;
	for (unsigned i = 0; i < 8; i++)
		keep_call(st, i, "acme", CPH, T0, (uint64_t[]){ T0 + (80 + i) * DAY_NS, 0 });
	next = keep_call(st, 9, "beta", CPH, T0, (uint64_t[]){ day + NS_PER_S / 10, 0 });
	asked_late = keep_call(st, 10, "beta", CPH, T0, (uint64_t[]){ T0 + 99 * DAY_NS, T0 + 99 * DAY_NS });
	ok(st, store_sync(st));
	store_close(st);
	nitems = nfaults = was_asked = 0;
	clock_set_ns(s.now_ns);
	assert_int_equal(reap_run(&s, &t, why, sizeof(why)), 0);
	assert_true(t.days == 8 && t.run_ns > 2 * NS_PER_S);
	assert_true(t.buckets == 9 && t.calls == 10 && t.single == 1);
	assert_int_equal(heard(&next, STORE_DOCUMENTATION), -ESHUTDOWN);
	assert_int_equal(heard(&asked_late, STORE_TRAINING), -EACCES);
	assert_int_equal(heard(&asked_late, STORE_DOCUMENTATION), 0);
	assert_int_equal(told("bucket.destroy"), 9);
	assert_false(there("keys/beta/documentation/2027-02-16.slots"));
	fsck_clean(NULL);
	s.now_ns = day + NS_PER_S;
	s.rate = 0;
	clock_set_ns(s.now_ns);
	assert_int_equal(reap_run(&s, &t, why, sizeof(why)), 0);
	assert_true(!t.buckets && t.days == 1);
	assert_int_equal(told("bucket.destroy"), 9);
}

static struct uid made_late, due_late;

/* A recorder begins while space is given back, on days that no bucket was of. */
static void record_late(void *arg, const struct reap_item *it)
{
	const uint64_t day = utc("2027-02-15T23:00:00Z");
	char why[512] = "";
	struct store *st;

	on_item(arg, it);
	if (it->what != REAP_DAY || was_asked)
		return;
	was_asked = true;
	st = open_store(STORE_RW);
	made_late = keep_call(st, 11, "beta", CPH, T0, (uint64_t[]){ T0 + 120 * DAY_NS, T0 + 120 * DAY_NS });
	due_late = keep_call(st, 12, "gamma", CPH, T0, (uint64_t[]){ day + NS_PER_S / 10, 0 });
	ok(st, store_sync(st));
	store_close(st);
	assert_int_equal(reap_request(store_dir, &made_late, STORE_TRAINING, "withdrawn", 1001, T0 + DAY_NS, why, sizeof(why)), 0);
}

/* Of a call that was recorded since the plan nothing is taken but what is asked for, and its key dies in time. */
static void test_made_meanwhile(void **state)
{
	const uint64_t day = utc("2027-02-15T23:00:00Z");
	struct reap_settings s = { .store = store_dir, .now_ns = day - 121 * NS_PER_S, .confirm = true, .rate = 5, .again_ms = 100, .item = record_late };
	struct store *st = at_t0();
	struct reap_totals t;
	char why[512] = "";

	(void)state;
	for (unsigned i = 0; i < 8; i++)
		keep_call(st, i, "acme", CPH, T0, (uint64_t[]){ T0 + (80 + i) * DAY_NS, 0 });
	ok(st, store_sync(st));
	store_close(st);
	nitems = nfaults = was_asked = 0;
	clock_set_ns(s.now_ns);
	assert_int_equal(reap_run(&s, &t, why, sizeof(why)), 0);
	assert_int_equal(t.single, 1);
	assert_int_not_equal(heard(&made_late, STORE_TRAINING), 0);
	assert_int_equal(heard(&made_late, STORE_DOCUMENTATION), 0);
	assert_int_equal(t.buckets, 9);
	assert_int_equal(heard(&due_late, STORE_DOCUMENTATION), -ESHUTDOWN);
	assert_int_equal(told("bucket.destroy"), 9);
	fsck_clean(NULL);
}

static void test_until(void **state)
{
	struct reap_settings s = { .now_ns = T0 + 200 * DAY_NS, .told = true, .until_ns = T0 + 95 * DAY_NS };
	struct store *st = open_store(STORE_RW);
	struct reap_totals t;

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		keep_call(st, i, "acme", CPH, T0, (uint64_t[]){ T0 + (90 + i * 4) * DAY_NS, 0 });
	ok(st, store_sync(st));
	store_close(st);
	s.dry = true;
	assert_int_equal(reap_with(&s, &t), 0);
	assert_int_equal(t.calls, 2);
	assert_int_equal(t.days, 2);
	s.dry = false;
	assert_int_equal(reap_with(&s, &t), 0);
	assert_int_equal(t.calls, 2);
	s.now_ns = T0; /* what will be due */
	s.until_ns = T0 + 200 * DAY_NS;
	s.dry = true;
	shell("cp -a '%s' '%s/copy'", store_dir, base_dir);
	assert_int_equal(reap_with(&s, &t), 0);
	assert_int_equal(t.calls, 1);
	shell("diff -r '%s' '%s/copy'", store_dir, base_dir); /* a dry run changes nothing */
}

/* ---- faults ---- */

/* Destroyed by somebody who died before he could say so. */
static void test_not_told(void **state)
{
	struct store *st = open_store(STORE_RW);
	struct why why = { "" };
	struct reap_totals t;
	struct root root;

	(void)state;
	keep_call(st, 1, "acme", CPH, T0, (uint64_t[]){ T0 + 90 * DAY_NS, 0 });
	ok(st, store_sync(st));
	store_close(st);
	assert_int_equal(root_open(store_dir, &root, &why), 0);
	assert_int_equal(bucket_destroy(&root, "acme", 0, 20270216, T0 + 90 * DAY_NS, &why), 0);
	root_close(&root);
	t = reap_at(T0 + 90 * DAY_NS + 1);
	assert_int_equal(t.buckets, 1);
	assert_int_equal(told("bucket.destroy.*\"calls\":1"), 1);
	t = reap_at(T0 + 90 * DAY_NS + 2);
	assert_int_equal(t.buckets, 0);
	assert_int_equal(told("bucket.destroy"), 1);
}

/* The outbox cannot be written: deletion does not wait, and is told later. */
static void test_no_outbox(void **state)
{
	struct reap_settings s = { .now_ns = T0 + 90 * DAY_NS, .told = true };
	struct store *st = open_store(STORE_RW);
	struct reap_totals t;
	struct uid uid;

	(void)state;
	uid = keep_call(st, 1, "acme", CPH, T0, (uint64_t[]){ T0 + 90 * DAY_NS, 0 });
	ok(st, store_sync(st));
	store_close(st);
	shell("touch '%s/outbox'", store_dir);
	assert_true(reap_with(&s, &t) < 0);
	assert_true(t.faults > 0 && t.calls == 1);
	assert_int_not_equal(heard(&uid, STORE_DOCUMENTATION), 0);
	assert_true(there("keys/acme/documentation/2027-02-16.slots"));
	fsck_clean(NULL);
	shell("rm '%s/outbox'", store_dir);
	t = reap_at(T0 + 90 * DAY_NS + 60 * NS_PER_S);
	assert_int_equal(t.buckets, 1);
	assert_int_equal(told("bucket.destroy.*\"calls\":1,\"held\":0,\"late_s\""), 1);
	assert_false(there("keys/acme/documentation/2027-02-16.slots"));
	fsck_clean(NULL);
}

/* Not destroyed late, though nobody can read when it is due: an hour before the first deadline of its calls. */
static void test_damaged_bucket(void **state)
{
	struct reap_settings s = { .now_ns = T0 + 90 * DAY_NS - 3601 * NS_PER_S, .told = true };
	struct store *st = open_store(STORE_RW);
	struct reap_totals t;

	(void)state;
	keep_call(st, 1, "acme", CPH, T0, (uint64_t[]){ T0 + 90 * DAY_NS, 0 });
	keep_call(st, 2, "acme", CPH, T0, (uint64_t[]){ T0 + 90 * DAY_NS + 1, 0 });
	keep_call(st, 3, "acme", CPH, T0, (uint64_t[]){ T0 + 89 * DAY_NS, 0 });
	ok(st, store_sync(st));
	store_close(st);
	shell("printf xxxxxxxx | dd of='%s/keys/acme/documentation/2027-02-16.bucket' bs=1 seek=41 conv=notrunc 2>/dev/null", store_dir);
	(void)reap_with(&s, &t); /* says what it found */
	assert_int_equal(t.calls, 1);
	assert_int_equal(nfaults, 1);
	s.now_ns += NS_PER_S;
	(void)reap_with(&s, &t);
	assert_int_equal(t.calls, 2);
	assert_int_equal(t.late, 0);
	assert_int_equal(nfaults, 1);
	fsck_clean(NULL);
	reap_at(T0 + 92 * DAY_NS);
}

/* With slots that say nothing either its day counts. */
static void test_damaged_slots(void **state)
{
	struct reap_settings s = { .now_ns = utc("2027-02-16T11:59:59Z"), .told = true };
	struct store *st = open_store(STORE_RW);
	struct reap_totals t;

	(void)state;
	keep_call(st, 1, "acme", CPH, T0, (uint64_t[]){ T0 + 90 * DAY_NS, 0 });
	ok(st, store_sync(st));
	store_close(st);
	shell("printf x | dd of='%s/keys/acme/documentation/2027-02-16.bucket' bs=1 seek=41 conv=notrunc 2>/dev/null", store_dir);
	shell("printf x | dd of='%s/keys/acme/documentation/2027-02-16.slots' bs=1 seek=286 conv=notrunc 2>/dev/null", store_dir);
	(void)reap_with(&s, &t);
	assert_int_equal(t.calls, 0);
	s.now_ns += NS_PER_S;
	(void)reap_with(&s, &t);
	assert_int_equal(t.buckets, 1);
	reap_at(T0 + 92 * DAY_NS);
}

static void move_deadline(uint64_t destroy_ns)
{
	struct root root = { .fd = -1 };
	uint8_t raw[BUCKET_SIZE];
	struct bucket b;
	struct why why;
	int fd;

	assert_int_equal(root_open(store_dir, &root, &why), 0);
	assert_int_equal(bucket_read(&root, "acme", 0, 20270216, &b, &why), 0);
	b.destroy_ns = destroy_ns;
	bucket_format(&b, raw);
	assert_int_equal(bucket_open(&root, "acme", 0, 20270216, true, &fd, &why), 0);
	assert_int_equal(pwrite_all(fd, raw, sizeof(raw), 0), 0);
	close(fd);
	root_close(&root);
}

/* A bucket file that somebody gave another deadline, with all else right: its day counts. */
static void test_moved_deadline(void **state)
{
	struct reap_settings s = { .now_ns = utc("2027-02-15T22:00:00Z"), .told = true };
	struct store *st = open_store(STORE_RW);
	struct reap_totals t;

	(void)state;
	keep_call(st, 1, "acme", CPH, T0, (uint64_t[]){ T0 + 90 * DAY_NS, 0 });
	ok(st, store_sync(st));
	store_close(st);
	move_deadline(utc("2027-02-14T23:00:00Z"));
	assert_int_equal(reap_with(&s, &t), -EBADMSG);
	assert_int_equal(t.calls, 0);
	move_deadline(utc("2028-02-15T23:00:00Z"));
	s.now_ns = utc("2027-02-16T12:00:00Z");
	assert_int_equal(reap_with(&s, &t), -EBADMSG);
	assert_int_equal(t.calls, 1);
	assert_int_equal(t.days, 1);
	reap_at(utc("2027-02-17T12:00:00Z"));
	fsck_clean(NULL);
}

/* ---- beside others ---- */

static void test_two(void **state)
{
	struct reap_settings s = { .now_ns = T0, .told = true };
	struct reap_totals t;
	char path[300];
	int fd;

	(void)state;
	snprintf(path, sizeof(path), "%s/reap.lock", store_dir);
	fd = open(path, O_RDWR | O_CREAT, 0600);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	assert_int_equal(reap_with(&s, &t), -EBUSY);
	s.dry = true;
	assert_int_equal(reap_with(&s, &t), 0);
	close(fd);
	s.dry = false;
	assert_int_equal(reap_with(&s, &t), 0);
}

/* A recorder is in the middle of a call of a day that is over. */
static void test_beside_writer(void **state)
{
	struct store *st = open_store(STORE_RW);
	struct chunk *c = chunk_new();
	struct store_call_result r;
	struct store_call_meta m;
	struct store_call *sc, *late;
	struct reap_totals t;

	(void)state;
	meta_of(1, &m);
	result_of(1, &r);
	m.until_ns[0] = T0 + DAY_NS;
	ok(st, store_call_begin(st, &m, &sc));
	chunk_of(c, 1, 0, 0);
	ok(st, store_call_append(sc, 0, c));
	ok(st, store_sync(st));
	t = reap_at(T0 + DAY_NS);
	assert_true(t.calls == 1 && t.waiting == 1 && !t.days);
	assert_true(nitems >= 2 && items[nitems - 1].what == REAP_WAITING);
	/* It goes on, to nobody's use; another one of that day does not begin. */
	ok(st, store_call_append(sc, 0, c));
	meta_of(2, &m);
	m.until_ns[0] = T0 + DAY_NS;
	assert_int_equal(store_call_begin(st, &m, &late), -ESHUTDOWN);
	ok(st, store_call_end(sc, &r));
	ok(st, store_sync(st));
	fsck_clean(NULL);
	store_close(st);
	t = reap_at(T0 + DAY_NS + 60 * NS_PER_S);
	assert_true(t.days == 1 && !t.waiting);
	fsck_clean(NULL);
	/* Nor does one begin when all is gone. */
	st = open_store(STORE_RW);
	assert_int_equal(store_call_begin(st, &m, &late), -ESHUTDOWN);
	assert_int_equal(store_call_denied(st, &m, &(struct store_call_result){ .end = "bye", .outcome = STORE_O_DENIED, .gap = "",
										  .reason = { "", "" } }),
			 0);
	ok(st, store_sync(st));
	store_close(st);
	fsck_clean(NULL);
	t = reap_at(T0 + DAY_NS + 120 * NS_PER_S);
	assert_int_equal(t.days, 1);
	fsck_clean(NULL);
	chunk_free(c);
}

/* A writer that died in a call whose day is over when the next one comes. */
static void test_settle_after(void **state)
{
	struct chunk *c = chunk_new();
	struct store_call_meta m;
	struct reap_totals t;
	struct store *st;
	uint64_t n;
	pid_t pid = fork();

	(void)state;
	if (!pid) {
		struct store_call *sc;

		st = open_store(STORE_RW);
		meta_of(1, &m);
		m.until_ns[0] = T0 + DAY_NS;
		m.until_ns[1] = T0 + 5 * DAY_NS;
		m.commit[1] = true;
		ok(st, store_call_begin(st, &m, &sc));
		chunk_of(c, 1, 0, 0);
		ok(st, store_call_append(sc, 0, c));
		ok(st, store_sync(st));
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	t = reap_at(T0 + DAY_NS);
	assert_int_equal(t.calls, 1);
	fsck_clean(NULL);
	t = reap_at(T0 + 5 * DAY_NS);
	assert_true(t.calls == 1 && t.days == 1);
	fsck_clean(NULL);
	st = open_store(STORE_RW);
	ok(st, store_settle(st, &n));
	ok(st, store_sync(st));
	store_close(st);
	fsck_clean(NULL);
	reap_at(T0 + 6 * DAY_NS);
	fsck_clean(NULL);
	chunk_free(c);
}

/* What no recorder could finish is told at each run, by the one who could not and by the reaper, and holds up nothing. */
static void test_left_open(void **state)
{
	struct reap_settings s = { .now_ns = T0 + 61 * DAY_NS, .told = true };
	struct store *st = open_store(STORE_RW);
	struct store_figures f;
	struct reap_totals t;

	(void)state;
	keep_call(st, 1, "acme", CPH, T0, (uint64_t[]){ T0 + 90 * DAY_NS, T0 + 60 * DAY_NS });
	ok(st, store_sync(st));
	store_figures(st, &f);
	assert_int_equal(f.uncut, 0);
	store_close(st);
	shell("cd '%s'/segments/acme/20*/ && truncate -s 2G 00000077.open && mkdir 00000078.open && touch 00000079.open && touch -d '2 hours ago' 0*8.open",
	      store_dir);
	st = open_store(STORE_RW);
	store_figures(st, &f);
	assert_int_equal(f.uncut, 2);
	store_close(st);
	for (int run = 0; run < 2; run++) {
		s.now_ns += DAY_NS;
		assert_int_equal(reap_with(&s, &t), -EBADMSG);
		assert_int_equal(t.faults, 1); /* the other one is new */
		assert_int_equal(t.buckets, run ? 0 : 1);
		shell("touch -d '2 hours ago' '%s'/segments/acme/20*/*.open", store_dir);
		st = open_store(STORE_RW); /* whoever writes there may be at it */
		keep_call(st, 2u + (unsigned)run, "acme", CPH, T0, (uint64_t[]){ T0 + 90 * DAY_NS, 0 });
		assert_int_equal(reap_with(&s, &t), 0);
		store_close(st);
		assert_int_equal(reap_with(&s, &t), -EBADMSG);
		assert_int_equal(t.faults, 2);
		shell("touch '%s'/segments/acme/20*/0*7.open", store_dir);
	}
	s.now_ns = T0 + 91 * DAY_NS; /* and with its day it goes */
	(void)reap_with(&s, &t);
	assert_int_equal(t.days, 1);
	shell("test -z \"$(find '%s/segments' -name '*7.open')\"", store_dir);
}

static bool holds_key(const char *path)
{
	uint8_t raw[128], none[32] = { 0 };
	FILE *f = fopen(path, "rb");

	assert_non_null(f);
	assert_int_equal(fread(raw, 1, sizeof(raw), f), sizeof(raw));
	fclose(f);
	return memcmp(raw + 40, none, 32) != 0;
}

/* A copy of a key by the name that a writer makes it under dies on its day; not that of another day, and no key that it is a link to. */
static void test_copies(void **state)
{
	struct reap_settings s = { .now_ns = T0 + 91 * DAY_NS, .told = true };
	struct store *st = open_store(STORE_RW);
	struct store_fsck_report rep;
	char path[600], dir[400];
	struct reap_totals t;
	struct finding f;
	struct uid uid;

	(void)state;
	keep_call(st, 1, "acme", "UTC", T0, (uint64_t[]){ T0 + 90 * DAY_NS, 0 });
	uid = keep_call(st, 2, "acme", "UTC", T0, (uint64_t[]){ T0 + 200 * DAY_NS, 0 });
	ok(st, store_sync(st));
	store_close(st);
	fsck_clean(NULL);
	snprintf(dir, sizeof(dir), "%s/keys/acme/documentation", store_dir);
	shell("cd '%s' && for f in *.bucket *.slots; do cp $f $f.tmp; done; set -- *.bucket; ln $1.tmp ../../../kept; ln $2 2020-01-01.bucket.tmp;"
	      "cp $1 2020-01-03.bucket.tmp; touch -d '-1 hour' 2020-01-01.bucket.tmp", dir);
	assert_int_equal(fsck(&f, &rep), 1);
	assert_int_equal(rep.damaged, 5); /* not the one that a writer may just make */
	assert_string_equal(f.rule, "K-7");
	assert_int_equal(reap_with(&s, &t), -EBADMSG);
	assert_int_equal(t.faults, 3);
	shell("cd '%s' && test $(ls *.tmp | wc -l) = 3 && rm *.tmp", dir); /* two of the day to come, and that one */
	snprintf(path, sizeof(path), "%s/kept", store_dir);
	assert_true(holds_key(path)); /* this one is not of keys/ */
	assert_int_equal(heard(&uid, STORE_DOCUMENTATION), 0);
	/* overwritten, whoever has it open */
	shell("cd '%s' && cp ../../../kept 2020-01-02.bucket.tmp && touch -d '-1 hour' *.tmp && exec 3<2020-01-02.bucket.tmp && cat <&3 >/dev/null", dir);
	snprintf(path, sizeof(path), "%s/2020-01-02.bucket.tmp", dir);
	int fd = open(path, O_RDONLY);
	uint8_t raw[128], none[128] = { 0 };

	assert_true(fd >= 0);
	assert_int_equal(reap_with(&s, &t), -EBADMSG);
	assert_int_equal(pread(fd, raw, sizeof(raw), 0), sizeof(raw));
	close(fd);
	assert_memory_equal(raw, none, sizeof(raw));
	shell("rm '%s/kept'", store_dir);
	reap_at(T0 + 92 * DAY_NS);
	fsck_clean(NULL);
}

#define T(name) cmocka_unit_test_setup_teardown(test_##name, make_store, drop_store)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(only_due), T(order), T(training_first), T(quarantine), cmocka_unit_test(test_calendar), T(clock), T(clock_lost),
		T(by_hand), T(before_day), T(due_meanwhile), T(made_meanwhile), T(until), T(not_told), T(no_outbox), T(damaged_bucket), T(damaged_slots), T(moved_deadline), T(two),
		T(beside_writer), T(settle_after), T(left_open), T(copies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
