/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_evlog_expire.c - decision records go with their age: the chain of roots holds, the sums are right, nothing else may be missing
 */
#include "store/certificate.h"
#include "store/evlog_keep.h"
#include "store/evlog_writer.h"
#include "store/outbox.h"
#include "store_util.h"

#define DAY (86400ULL * NS_PER_S)
#define D0  (20780ULL * DAY) /* 2026-11-23T00:00Z */
static const char policy_hash[] = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

static struct uid call_of(unsigned i)
{
	struct uid u;

	uid_make(D0 + i * DAY, &i, sizeof(i), &u);
	return u;
}

static void put(struct evlog *l, enum evlog_kind k, unsigned call, uint64_t t)
{
	struct evlog_event e = { .kind = k, .time_ns = t, .has_call = true, .call = call_of(call), .controller = "acme", .rule = "support",
				 .policy = policy_hash, .reason = "consent.none", .purpose = EVLOG_P_DOCUMENTATION };

	assert_int_equal(evlog_append(l, &e, NULL), 0);
}

/* 810 days with a call each, which ends on the next day; every 10th day has none. */
#define DAYS 810u
static int fresh(void **state)
{
	struct evlog *l;
	char why[512];

	clock_set_ns(D0);
	if (make_store(state) || evlog_open(store_dir, &l, why, sizeof(why)))
		return -1;
	for (unsigned i = 1; i <= DAYS; i++) {
		if (i % 10 == 0)
			continue;
		put(l, EVLOG_CALL_MATCH, i, D0 + i * DAY + 80000 * NS_PER_S);
		put(l, EVLOG_PURPOSE_GRANT, i, D0 + i * DAY + 80001 * NS_PER_S);
		put(l, EVLOG_CALL_KEPT, i, D0 + i * DAY + 86401 * NS_PER_S);
	}
	clock_set_ns(D0 + (DAYS + 3) * DAY);
	assert_int_equal(evlog_flush(l, 0), 0);
	evlog_close(l);
	shell("mkdir '%s/sampling' && cd '%s/sampling' && touch 2026-11-24.jsonl 2026-12-01.jsonl 2026-12-02.jsonl 2026-12-03.jsonl "
	      "2026-12-04.jsonl lock", store_dir, store_dir);
	return 0;
}

static int gone(void **state)
{
	clock_set_ns(0);
	return drop_store(state);
}

static char all[8000];
static unsigned findings;

static void on_log_finding(void *arg, const char *file, uint64_t line, const char *rule, const char *t)
{
	size_t n = strlen(all);

	(void)arg;
	findings++;
	snprintf(all + n, sizeof(all) - n, "%s:%u: %s: %s\n", file, (unsigned)line, rule, t);
}

static uint64_t matched, kept;

static void on_sum(void *arg, const struct evlog_sum *s)
{
	(void)arg;
	matched += s->matched;
	kept += s->kept;
}

static struct evlog_report look(void)
{
	struct evlog_look how = { .finding = on_log_finding, .sum = on_sum };
	struct evlog_report r;
	char why[512];

	findings = 0;
	*all = 0;
	matched = kept = 0;
	assert_int_equal(evlog_look(store_dir, &how, &r, why, sizeof(why)), 0);
	return r;
}

/* As the reaper asks; the holder of the log does it. */
static struct outbox_taken ask(unsigned months, uint64_t *ret_due, int32_t *ret_before)
{
	struct outbox_taken t;
	struct evlog_event e;
	struct outbox *o;
	char why[512] = "";

	assert_int_equal(evlog_expire_due(store_dir, clock_now_ns(), months, ret_before, ret_due), 0);
	e = evlog_expire_event(*ret_before, clock_now_ns());
	assert_int_equal(outbox_open(store_dir, &o, why, sizeof(why)), 0);
	assert_int_equal(outbox_add(o, &e), 0);
	outbox_close(o);
	if (outbox_flush_now(store_dir, &t, why, sizeof(why)))
		fail_msg("%s", why);
	return t;
}

static void with_age(void **state)
{
	struct evlog_report r = look();
	struct certificate *c;
	struct uid u = call_of(3);
	struct outbox_taken t;
	int32_t before;
	uint64_t due;
	char day[16], why[512];

	(void)state;
	assert_int_equal(r.damaged, 0);
	assert_int_equal(r.days, DAYS + 1); /* with the day of log.start and that after the last; the others have an outcome at least */
	t = ask(24, &due, &before);
	evlog_day_text(before, day); /* 2029-02-13, less 24 months */
	assert_string_equal(day, "2027-02-13");
	assert_int_equal(due, 82);
	assert_int_equal(t.expired, 82);
	r = look();
	if (r.damaged)
		fail_msg("%s", all);
	assert_int_equal(r.expired, 82);
	assert_int_equal(r.expired_to, before - 1);
	assert_int_equal(matched, DAYS - DAYS / 10 - (81 - 8)); /* those began before the border, the last of them ended on it */
	shell("cd '%s/evidence' && test -e 2026-11-24.root && test ! -e 2026-11-24.log && test ! -e 2027-02-12.log && test -e 2027-02-13.log",
	      store_dir);
	shell("cd '%s/sampling' && test \"$(echo *)\" = '2026-12-02.jsonl 2026-12-03.jsonl 2026-12-04.jsonl lock'", store_dir);
	/* again: nothing to do; and a writer goes on */
	t = ask(24, &due, &before);
	assert_int_equal(due, 0);
	assert_int_equal(t.expired, 0);
	assert_int_equal(look().damaged, 0);
	assert_int_equal(certificate_make(store_dir, &u, &c, why, sizeof(why)), 0);
	assert_int_equal(c->state, CERTIFICATE_UNPROVEN);
	certificate_free(c);
}

/* A policy asked for three years: nothing of it goes after two, whoever asks, until three have passed. */
static void by_policy(void **state)
{
	struct evlog_event e = evlog_expire_event(evlog_expire_day(evlog_day(clock_now_ns()), EVLOG_EXPIRE_MONTHS), clock_now_ns());
	struct outbox_taken t;
	struct outbox *o;
	int32_t before;
	uint64_t due;
	char why[512] = "";

	(void)state;
	shell("mkdir -p '%s/policies' && echo 36 >'%s/policies/records'", store_dir, store_dir);
	t = ask(24, &due, &before);
	assert_int_equal(due, 0);
	assert_int_equal(t.expired, 0);
	assert_int_equal(t.refused, 0);
	/* another asks for what two years would allow */
	assert_int_equal(outbox_open(store_dir, &o, why, sizeof(why)), 0);
	assert_int_equal(outbox_add(o, &e), 0);
	outbox_close(o);
	assert_int_equal(outbox_flush_now(store_dir, &t, why, sizeof(why)), 0);
	assert_true(t.refused == 1 && !t.expired && !t.events);
	shell("test -e '%s/evidence/2026-11-24.log'", store_dir);
	/* less than 24 is 24; what is no number keeps everything */
	shell("echo 3 >'%s/policies/records'", store_dir);
	assert_int_equal(evlog_expire_due(store_dir, clock_now_ns(), 24, &before, &due), 0);
	assert_int_equal(due, 82);
	shell("echo 3x >'%s/policies/records'", store_dir);
	assert_int_equal(evlog_expire_due(store_dir, clock_now_ns(), 24, &before, &due), -EBADMSG);
	shell("echo 36 >'%s/policies/records'", store_dir);
	clock_set_ns(D0 + (DAYS + 3 + 365) * DAY);
	t = ask(24, &due, &before);
	assert_int_equal(t.expired, 82);
	assert_int_equal(look().damaged, 0);
}

/* What is missing without an event, or of days behind it, is found. */
static void by_hand(void **state)
{
	struct evlog *l = NULL;
	int32_t before;
	uint64_t due;
	char why[512] = "";

	(void)state;
	shell("cd '%s/evidence' && rm 2026-11-23.log 2026-11-24.log", store_dir);
	look();
	assert_int_equal(findings, 2);
	assert_non_null(strstr(all, "evidence/2026-11-24.log:0: E-6: missing"));
	ask(24, &due, &before);
	assert_int_equal(look().damaged, 0); /* given up now */
	shell("cd '%s/evidence' && rm 2027-02-13.log", store_dir);
	look();
	assert_non_null(strstr(all, "evidence/2027-02-13.log:0: E-6: missing"));
	shell("cd '%s/evidence' && rm 2027-03-03.log", store_dir);
	look();
	assert_non_null(strstr(all, "evidence/2027-03-03.log:0: E-6: missing"));
	assert_int_equal(evlog_open(store_dir, &l, why, sizeof(why)), -EBADMSG);
	assert_non_null(strstr(why, "2027-02-13.root")); /* younger than what may go */
	/* an expired day's root is still one of the chain */
	shell("cd '%s/evidence' && sed -i 's/^first /first 1/' 2026-12-01.root", store_dir);
	look();
	assert_non_null(strstr(all, "evidence/2026-12-01.root:0: E-6: "));
}

/* A root that goes too is missing from the chain. */
static void without_root(void **state)
{
	int32_t before;
	uint64_t due;

	(void)state;
	ask(24, &due, &before);
	shell("rm '%s/evidence/2026-12-24.root'", store_dir);
	look();
	assert_non_null(strstr(all, "2026-12-25.root:0: E-8: "));
}

static int32_t day_of_text(const char *t)
{
	int32_t d;

	assert_int_equal(evlog_day_parse(t, &d), 0);
	return d;
}

/* What asked for three years is not in force any more: its days are kept so long, and then all is as without it. */
static void by_day(void **state)
{
	int32_t before;
	uint64_t due;

	(void)state;
	shell("mkdir -p '%s/policies' && echo '36 2026-12-10' >'%s/policies/records'", store_dir, store_dir);
	assert_int_equal(ask(24, &due, &before).expired, 0); /* the days behind that one wait with it: oldest first */
	assert_int_equal(due, 0);
	clock_set_ns(clock_now_ns() + 240 * DAY); /* 2029-10-11 */
	assert_int_equal(ask(24, &due, &before).expired, 0);
	clock_set_ns(clock_now_ns() + 61 * DAY); /* 2029-12-11: three years after the day */
	assert_true(ask(24, &due, &before).expired > 82);
	assert_int_equal(look().damaged, 0);
}

/* The lines: added, given a day, gone when they keep nothing; what is no such file is none. */
static void records(void **state)
{
	static const char *const bad[] = { "", "36", "036\n", "36 \n", "36 2026-02-30\n", "36 2026-12-10 \n", "36\n24\n", "36\n36\n", "0\n", "1201\n", "36x\n" };
	struct evlog_keep k = { .n = 0 }, again;
	char text[EVLOG_KEEP_TEXT], path[300];
	int32_t day = evlog_day(D0);
	int fd;

	(void)state;
	assert_false(evlog_keep_add(&k, 24, EVLOG_KEEP_EVER));
	assert_int_equal(evlog_keep_before(&k, day, 0), evlog_expire_day(day, 24));
	assert_true(evlog_keep_add(&k, 72, EVLOG_KEEP_EVER));
	assert_false(evlog_keep_add(&k, 72, day));
	assert_true(evlog_keep_add(&k, 36, day));
	assert_true(evlog_keep_add(&k, 36, day + 1));
	assert_int_equal(evlog_keep_before(&k, day, 24), evlog_expire_day(day, 72));
	assert_true(evlog_keep_close(&k, day + 8, day));
	assert_false(evlog_keep_close(&k, day + 9, day));
	assert_int_equal(evlog_keep_text(&k, text), strlen("36 2026-11-24\n72 2026-12-01\n"));
	assert_string_equal(text, "36 2026-11-24\n72 2026-12-01\n");
	shell("mkdir -p '%s/policies'", store_dir);
	snprintf(path, sizeof(path), "%s/policies/records", store_dir);
	fd = open(store_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	shell("printf '%s' >'%s'", "36 2026-11-24\\n72 2026-12-01\\n", path);
	assert_int_equal(evlog_keep_read(fd, &again), 0);
	assert_memory_equal(again.line, k.line, 2 * sizeof(k.line[0]));
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		FILE *f = fopen(path, "w");

		fputs(bad[i], f);
		fclose(f);
		assert_int_equal(evlog_keep_read(fd, &again), -EBADMSG);
	}
	close(fd);
	/* two years and a day on: 36 months keep the first line's days, three years on they do not */
	assert_int_equal(evlog_keep_before(&k, day + 731, 24), evlog_expire_day(day + 731, 72));
	assert_true(evlog_keep_close(&k, day, day + 1100));
	assert_int_equal(k.n, 1);
	assert_true(evlog_keep_close(&k, day, day + 2210));
	assert_int_equal(k.n, 0);
	assert_int_equal(evlog_keep_before(&k, day + 2210, 24), evlog_expire_day(day + 2210, 24));
	/* more lengths than lines: kept for longer, never for less */
	for (unsigned m = 25; m < 60; m++)
		evlog_keep_add(&k, m, day);
	assert_int_equal(k.n, EVLOG_KEEP_LINES);
	assert_int_equal(k.line[k.n - 1].months, 59);
}

/* Calendar months; days that not every month has count as the 28th, so nothing goes a day early. */
static void months(void **state)
{
	static const char *const t[][2] = {
		{ "2029-02-15", "2027-02-15" }, { "2028-02-29", "2026-02-28" }, { "2027-01-31", "2025-01-28" }, { "2026-12-01", "2024-12-01" },
		{ "2027-01-01", "2025-01-01" }, { "1972-01-01", "1970-01-01" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(*t); i++)
		assert_int_equal(evlog_expire_day(day_of_text(t[i][0]), 24), day_of_text(t[i][1]));
	assert_int_equal(evlog_expire_day(day_of_text("1971-12-31"), 24), 0);
	assert_int_equal(evlog_expire_day(day_of_text("2027-03-05"), 3), day_of_text("2026-12-05"));
	assert_int_equal(evlog_expire_day(-1, 24), 0);
}

/* A member of the group writes the file of the outbox by hand: what is asked too early is no event, and the file is set aside. */
static void by_group(void **state)
{
	int32_t before = evlog_expire_day(evlog_day(clock_now_ns()), EVLOG_EXPIRE_MONTHS);
	struct evlog_event e = evlog_expire_event(before, clock_now_ns());
	struct outbox_taken t;
	struct outbox *o;
	char why[512] = "";

	(void)state;
	assert_int_equal(outbox_open(store_dir, &o, why, sizeof(why)), 0);
	assert_int_equal(outbox_add(o, &e), 0);
	outbox_close(o);
	/* the same, of 181 days ago */
	shell("sed -i 's/\"day\":20270213/\"day\":20280818/' '%s'/outbox/*.jsonl && grep -q 20280818 '%s'/outbox/*.jsonl", store_dir, store_dir);
	assert_int_equal(outbox_flush_now(store_dir, &t, why, sizeof(why)), 0);
	assert_true(t.refused == 1 && !t.expired && !t.events);
	shell("test -e '%s/evidence/2026-11-24.log' && ls '%s'/outbox/*.bad >/dev/null", store_dir, store_dir);
}

/* Nobody gives up what is young, by whatever way. */
static void too_early(void **state)
{
	struct evlog_event e = evlog_expire_event(evlog_expire_day(evlog_day(clock_now_ns()), EVLOG_EXPIRE_MONTHS) + 1, clock_now_ns());
	char why[512];
	struct outbox *o;
	struct evlog *l;

	(void)state;
	assert_int_equal(outbox_open(store_dir, &o, why, sizeof(why)), 0);
	assert_int_equal(outbox_add(o, &e), -EINVAL);
	outbox_close(o);
	assert_int_equal(evlog_open(store_dir, &l, why, sizeof(why)), 0);
	assert_int_equal(evlog_append(l, &e, NULL), -EINVAL);
	e = evlog_expire_event(evlog_expire_day(evlog_day(clock_now_ns()), EVLOG_EXPIRE_MONTHS), clock_now_ns());
	assert_int_equal(evlog_append(l, &e, NULL), 0);
	e.num[0].value = 20270231; /* no day */
	assert_int_equal(evlog_append(l, &e, NULL), -EINVAL);
	evlog_close(l);
}

/* A program of before kept logs for a shorter time: what it wrote and did stays readable, and a writer goes on; nobody does so again. */
static void shorter_before(void **state)
{
	int32_t before = day_of_text("2028-06-01"), day;
	struct evlog_event e = evlog_expire_event(before, clock_now_ns());
	struct evlog_figures fig;
	struct outbox_taken t;
	uint64_t gone, due;
	char why[512] = "";
	struct evlog *l;

	(void)state;
	assert_int_equal(evlog_open(store_dir, &l, why, sizeof(why)), 0);
	assert_int_equal(evlog_append(l, &e, NULL), -EINVAL);
	assert_int_equal(evlog_append_any(l, &e, NULL), 0); /* as it did */
	assert_int_equal(evlog_flush(l, 0), 0);
	assert_int_equal(evlog_expire(l, before, &gone), 0);
	assert_true(gone > 500);
	evlog_close(l);
	look();
	if (findings)
		fail_msg("%s", all);
	if (evlog_open(store_dir, &l, why, sizeof(why)))
		fail_msg("%s", why);
	evlog_figures(l, &fig);
	assert_int_equal(fig.recovered_lines, 0);
	put(l, EVLOG_CALL_MATCH, 5000, clock_now_ns());
	assert_int_equal(evlog_flush(l, 0), 0);
	evlog_close(l);
	t = ask(24, &due, &day);
	assert_true(!t.refused && !t.expired);
	assert_int_equal(look().damaged, 0);
	shell("rm '%s/evidence/2028-06-01.log'", store_dir); /* of which it does not say so */
	assert_int_equal(evlog_open(store_dir, &l, why, sizeof(why)), -EBADMSG);
	assert_non_null(strstr(why, "2028-06-01.root"));
}

/* Behind the border an outcome without its match is a finding as ever; on it none. */
static void border(void **state)
{
	struct evlog *l;
	int32_t before;
	uint64_t due;
	char why[512];

	(void)state;
	assert_int_equal(evlog_open(store_dir, &l, why, sizeof(why)), 0);
	put(l, EVLOG_CALL_KEPT, 7000, clock_now_ns());
	assert_int_equal(evlog_flush(l, 0), 0);
	evlog_close(l);
	ask(24, &due, &before);
	look();
	assert_int_equal(findings, 1);
	assert_non_null(strstr(all, "has an outcome and no match"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(with_age, fresh, gone),
		cmocka_unit_test_setup_teardown(by_hand, fresh, gone),
		cmocka_unit_test_setup_teardown(by_policy, fresh, gone),
		cmocka_unit_test_setup_teardown(by_day, fresh, gone),
		cmocka_unit_test_setup_teardown(without_root, fresh, gone),
		cmocka_unit_test_setup_teardown(too_early, fresh, gone),
		cmocka_unit_test_setup_teardown(border, fresh, gone),
		cmocka_unit_test_setup_teardown(shorter_before, fresh, gone),
		cmocka_unit_test_setup_teardown(by_group, fresh, gone),
		cmocka_unit_test(months),
		cmocka_unit_test_setup_teardown(records, fresh, gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
