/* SPDX-License-Identifier: BSD-2-Clause */
/* The daily inventory in the evidence log: what it counts, once a day, days without one, kills, and what the auditor makes of it. */
#include "store_util.h"

#include <sys/file.h>

#include "reap_util.h"
#include "store/evlog.h"
#include "store/evlog_report.h"
#include "store/hold.h"
#include "store/outbox.h"
#include "store/reap_report.h"

#define CPH "Europe/Copenhagen"
#define HOUR_NS (3600 * NS_PER_S)

static struct store *at_t0(void)
{
	clock_set_ns(T0);
	shell("sed -i 's/^created .*/created 2026-11-18T00:00:00Z/' '%s/optag.store'", store_dir);
	return open_store(STORE_RW);
}

static int run_at(uint64_t now)
{
	struct reap_settings s = { .now_ns = now, .confirm = true };
	struct reap_totals t;

	return reap_with(&s, &t);
}

static char finding[300];

static void on_evidence(void *arg, const char *file, uint64_t line, const char *rule, const char *text)
{
	(void)arg;
	snprintf(finding, sizeof(finding), "%s:%u: %s: %s", file, (unsigned)line, rule, text);
}

static struct evlog_report look(void)
{
	struct evlog_look how = { .finding = on_evidence };
	struct evlog_report rep;
	char why[512] = "";

	*finding = 0;
	assert_int_equal(evlog_look(store_dir, &how, &rep, why, sizeof(why)), 0);
	return rep;
}

static struct uid deny_call(struct store *st, unsigned i, uint64_t start, enum store_outcome outcome)
{
	struct store_call_meta m;
	struct store_call_result r;
	struct store_call *sc;

	meta_of(i, &m);
	result_of(i, &r);
	m.start_ns = start;
	m.commit[0] = false;
	r.end_ns = start + 60 * NS_PER_S;
	r.outcome = outcome;
	r.state[0] = STORE_S_DENIED;
	r.gap = outcome == STORE_O_GAP ? "srtp" : "";
	uid_make(m.start_ns, m.sip_call_id, strlen(m.sip_call_id), &m.uid);
	ok(st, store_call_begin(st, &m, &sc));
	ok(st, store_call_end(sc, &r));
	return m.uid;
}

/* The log says that so many calls of the rule were matched, of which these are. */
static void match_calls(const struct uid *uid, unsigned n, const char *rule)
{
	char hash[65], why[512] = "";
	struct evlog *l;

	memset(hash, 'a', 64);
	hash[64] = 0;
	assert_int_equal(evlog_open(store_dir, &l, why, sizeof(why)), 0);
	for (unsigned i = 0; i < n; i++) {
		struct evlog_event e = { .kind = EVLOG_CALL_MATCH, .source = EVLOG_S_POLICY, .time_ns = T0, .has_call = true, .call = uid[i],
					 .controller = "acme", .rule = rule, .policy = hash };

		assert_int_equal(evlog_append(l, &e, NULL), 0);
		e.kind = EVLOG_CALL_GAP;
		e.policy = NULL;
		e.reason = "store";
		assert_int_equal(evlog_append(l, &e, NULL), 0);
	}
	assert_int_equal(evlog_flush(l, 0), 0);
	evlog_close(l);
}

static void log_begins(uint64_t ns)
{
	struct evlog_event e = { .kind = EVLOG_REAPER_RUN, .source = EVLOG_S_REAPER, .time_ns = ns };
	char why[512] = "";
	struct evlog *l;

	assert_int_equal(evlog_open(store_dir, &l, why, sizeof(why)), 0);
	assert_int_equal(evlog_append(l, &e, NULL), 0);
	assert_int_equal(evlog_flush(l, 0), 0);
	evlog_close(l);
}

/* A store that is older than its log, as of a recorder of before there was one: what that does not know of is no damage. */
static void test_younger_log(void **state)
{
	struct store *st = at_t0();
	struct evlog_report rep;

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		deny_call(st, i, T0 - DAY_NS + i * DAY_NS / 2, STORE_O_DENIED); /* the last one before the first line, on its day */
	ok(st, store_sync(st));
	store_close(st);
	assert_int_equal(run_at(T0 + 2 * HOUR_NS), 0);
	assert_int_equal(told("\"reason\":\"inventory.day\""), 1);
	rep = look();
	assert_true(!rep.damaged && rep.inventories == 1);
	assert_int_equal(run_at(T0 + DAY_NS), 0);
	rep = look();
	assert_true(!rep.damaged && rep.inventories == 2);
}

/* By controller, rule, purpose and age; a line a rule of what began yesterday; all of it chained, and whole. */
static void test_counts(void **state)
{
	static const unsigned ages[] = { 0, 1, 7, 8, 8, 30, 31, 61, 92, 93, 200 };
	static const struct hold_person anna = { 1001, "anna" };
	const struct hold_why w = { "dispute", "D-1", 20261231 };
	struct store *st = at_t0();
	uint64_t now = T0 + 2 * HOUR_NS;
	struct evlog_report rep;
	struct uid uid, yesterday[6];
	struct holds *h;
	bool fresh;

	(void)state;
	for (unsigned i = 0; i < 11; i++) {
		uid = keep_call(st, i, i == 10 ? "zeta" : "acme", CPH, T0 - ages[i] * DAY_NS,
				(uint64_t[]){ now + 40 * DAY_NS, i == 1 || i == 4 ? now + 9 * DAY_NS : 0 });
		if (i == 1)
			yesterday[0] = uid;
	}
	for (unsigned i = 20; i < 23; i++)
		yesterday[i - 19] = deny_call(st, i, T0 - DAY_NS, i == 22 ? STORE_O_GAP : STORE_O_DENIED);
	yesterday[4] = deny_call(st, 23, T0 - 12 * HOUR_NS, STORE_O_DENIED); /* its last minutes: 23:06 */
	deny_call(st, 24, T0 - 11 * HOUR_NS, STORE_O_DENIED); /* today's first */
	ok(st, store_sync(st));
	ok(st, store_holds(st, HOLDS_WRITE, &h, NULL));
	ok(st, store_hold_add(st, h, &uid, &w, &anna, T0, &fresh));
	holds_close(h);
	store_close(st);
	log_begins(T0 - 3 * DAY_NS);
	match_calls(yesterday, 4, "service-desk");
	assert_int_equal(run_at(now), 0);
	assert_int_equal(told("report.made"), 5);
	assert_int_equal(told("report.made\",\"purpose\":\"documentation\",\"source\":\"reaper\",\"controller\":\"acme\",\"rule\":\"service-desk\","
			      "\"reason\":\"inventory.age\",\"data\":\"[0-9a-f]{64}\",\"n\":.\"day\":20261118,\"age_7\":3,\"age_30\":3,\"age_60\":1,"
			      "\"age_92\":2,\"age_more\":1,\"held\":0}"), 1);
	assert_int_equal(told("report.made\",\"purpose\":\"training\",\"source\":\"reaper\",\"controller\":\"acme\",.*\"age_7\":1,\"age_30\":1,"
			      "\"age_60\":0,\"age_92\":0,\"age_more\":0,\"held\":0}"), 1);
	assert_int_equal(told("report.made\",\"purpose\":\"documentation\",.*\"controller\":\"zeta\",.*\"age_92\":0,\"age_more\":1,\"held\":1}"), 1);
	assert_int_equal(told("report.made\",\"source\":\"reaper\",\"controller\":\"acme\",\"rule\":\"service-desk\",\"reason\":\"inventory.day\","
			      ".*\"day\":20261118,\"calls\":5,\"kept\":1,\"denied\":3,\"gap\":1}"), 1);
	assert_int_equal(told("\"reason\":\"inventory\",.*\"n\":.\"day\":20261118,\"count\":4,\"calls\":11,\"held\":1,\"open\":0,\"past\":0,\"errors\":0,"
			      "\"missed\":0}"), 1);
	/* a row too many, for what the log has: one was planted */
	rep = look();
	assert_int_equal(rep.damaged, 1);
	assert_non_null(strstr(finding, ".log:17: E-13: rule service-desk: the catalog has 5 calls of the day before, the log 4"));
	match_calls(yesterday + 4, 1, "other");
	assert_int_equal(look().damaged, 1);
	uid_make(T0 - DAY_NS, "another", 7, &yesterday[5]);
	match_calls(yesterday + 5, 1, "service-desk");
	rep = look();
	assert_string_equal(finding, "");
	assert_true(!rep.damaged && rep.inventories == 1 && rep.inventory_day == 20261118 && !rep.inventory_missed && !rep.inventory_past);
	fsck_clean(NULL);
}

/* Once a day; what nobody counted is told; by the clock alone. */
static void test_once_a_day(void **state)
{
	struct reap_settings s;
	struct reap_totals t;
	struct evlog_report rep;

	(void)state;
	store_close(at_t0());
	s = (struct reap_settings){ .now_ns = T0, .told = true };
	assert_int_equal(reap_with(&s, &t), 0);
	s = (struct reap_settings){ .now_ns = T0, .dry = true };
	assert_int_equal(reap_with(&s, &t), 0);
	s = (struct reap_settings){ .now_ns = T0, .until_ns = T0 };
	assert_int_equal(reap_with(&s, &t), 0);
	s = (struct reap_settings){ .now_ns = T0 + 30 * DAY_NS }; /* a clock that is not believed */
	assert_int_equal(reap_with(&s, &t), -ETIME);
	assert_int_equal(told("report.made"), 0);
	assert_false(there("reap.inventory"));
	assert_int_equal(run_at(T0), 0);
	assert_int_equal(run_at(T0 + 60 * NS_PER_S), 0);
	assert_int_equal(run_at(T0 + 12 * HOUR_NS), 0); /* 23:06 */
	assert_int_equal(told("report.made"), 1);
	assert_int_equal(run_at(T0 + 13 * HOUR_NS), 0); /* 00:06 */
	assert_int_equal(told("report.made"), 2);
	assert_int_equal(told("\"day\":20261119,.*\"missed\":0"), 1);
	assert_int_equal(run_at(T0 + 4 * DAY_NS), 0); /* three nights without a reaper */
	assert_int_equal(told("\"day\":20261122,.*\"missed\":2"), 1);
	rep = look();
	assert_true(!rep.damaged && rep.inventories == 3 && rep.inventory_day == 20261122 && rep.inventory_missed == 2);
	/* without its mark it is done again, and the last one counts */
	for (int i = 0; i < 2; i++) {
		shell(i ? "rm '%s/reap.inventory'" : "printf 7 | dd of='%s/reap.inventory' bs=1 seek=30 conv=notrunc 2>/dev/null", store_dir);
		assert_int_equal(run_at(T0 + 4 * DAY_NS + 60 * NS_PER_S), 0);
		assert_int_equal(run_at(T0 + 4 * DAY_NS + 120 * NS_PER_S), 0);
	}
	rep = look();
	assert_true(!rep.damaged && rep.inventories == 5 && rep.inventory_day == 20261122 && rep.inventory_missed == 2);
	fsck_clean(NULL);
}

/* While the outbox takes nothing it is not done; beside another reaper it is the other's. */
static void test_refused(void **state)
{
	struct reap_settings s = { .now_ns = T0, .confirm = true };
	struct reap_totals t;
	char path[600];
	int fd;

	(void)state;
	store_close(at_t0());
	shell("rm -rf '%s/outbox'; printf x >'%s/outbox'", store_dir, store_dir);
	assert_int_not_equal(reap_with(&s, &t), 0);
	assert_false(there("reap.inventory"));
	shell("rm '%s/outbox'", store_dir);
	snprintf(path, sizeof(path), "%s/reap.lock", store_dir);
	fd = open(path, O_RDWR);
	assert_true(fd >= 0 && !flock(fd, LOCK_EX));
	assert_int_equal(reap_with(&s, &t), -EBUSY);
	assert_int_equal(told("report.made"), 0);
	close(fd);
	assert_int_equal(reap_with(&s, &t), 0);
	assert_int_equal(told("report.made"), 1);
}

/* Killed anywhere: the next run has a whole one for the day, and no half one breaks the log. */
static void test_killed(void **state)
{
	struct store *st = at_t0();
	struct evlog_report rep;
	struct uid uid[40];

	(void)state;
	for (unsigned i = 0; i < 40; i++)
		uid[i] = keep_call(st, i, "acme", CPH, T0 - i * DAY_NS, (uint64_t[]){ T0 + 400 * DAY_NS, T0 + 300 * DAY_NS });
	ok(st, store_sync(st));
	store_close(st);
	match_calls(uid, 2, "service-desk");
	for (unsigned day = 0; day < 40; day++) {
		uint64_t now = T0 + day * DAY_NS;
		struct timespec ts = { .tv_nsec = (long)(day * 500000) };
		pid_t pid = fork();

		if (!pid) {
			(void)run_at(now);
			_exit(0);
		}
		nanosleep(&ts, NULL);
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		shell("find '%s' -name '*.tmp' -path '*/outbox/*' -exec touch -d '-2 minutes' {} +", store_dir); /* else it waits for its writer for a minute */
		assert_int_equal(run_at(now + 60 * NS_PER_S), 0);
		rep = look();
		if (rep.damaged)
			print_error("day %u: %s\n", day, finding);
		assert_true(!rep.damaged && rep.inventory_day && !rep.inventory_missed && rep.inventories > day);
		assert_int_equal(rep.inventories > 2 * day + 2, 0);
	}
	fsck_clean(NULL);
}

static void slow_inventory(void *arg, const char *what, uint64_t bytes, uint64_t calls)
{
	(void)arg, (void)bytes, (void)calls;
	if (!strcmp(what, "inventory"))
		sleep(2);
}

/* Rows that somebody planted, with anything for a rule, do not keep it from being made. */
static void test_hostile(void **state)
{
	struct store *st = at_t0();

	(void)state;
	(void)keep_call(st, 1, "acme", CPH, T0 - DAY_NS, (uint64_t[]){ T0 + 90 * DAY_NS, 0 });
	(void)keep_call(st, 2, "acme", CPH, T0 - DAY_NS, (uint64_t[]){ T0 + 90 * DAY_NS, 0 });
	ok(st, store_sync(st));
	store_close(st);
	shell("for db in '%s'/catalog/acme/*.db; do sqlite3 \"$db\" \"UPDATE calls SET rule=CASE WHEN sip_call_id LIKE 'call-1@%%' THEN char(34,10) ELSE '' END\"; done",
	      store_dir);
	assert_int_equal(run_at(T0), 0);
	assert_int_equal(told("\"rule\":\"\\(others\\)\",\"reason\":\"inventory.age\".*\"age_7\":2,"), 1);
	assert_int_equal(told("\"rule\":\"\\(others\\)\",\"reason\":\"inventory.day\".*\"calls\":2,\"kept\":2,"), 1);
	assert_int_equal(look().damaged, 0);
}

/* However long it takes, a key does not wait for its end. */
static void test_meanwhile(void **state)
{
	struct reap_settings s = { .confirm = true, .again_ms = 1, .progress = slow_inventory };
	struct store *st = at_t0();
	struct reap_totals t;
	struct uid uid;

	(void)state;
	uid = keep_call(st, 1, "acme", CPH, T0, (uint64_t[]){ T0 + 90 * DAY_NS, 0 });
	ok(st, store_sync(st));
	store_close(st);
	assert_int_equal(clock_parse("2027-02-15T23:00:00Z", &s.now_ns), 0); /* its day begins in Copenhagen */
	s.now_ns -= REAP_EARLY + 1500 * NS_PER_MS;
	assert_int_equal(reap_with(&s, &t), 0);
	assert_true(t.calls == 1 && !t.late && t.dead_ns < NS_PER_S);
	assert_int_equal(heard(&uid, STORE_DOCUMENTATION), -ESHUTDOWN);
	assert_int_equal(told("report.made"), 1);
	assert_int_equal(told("\"calls\":0,\"held\":0,\"open\":0,\"past\":0,\"errors\":0,\"missed\":0"), 1);
	/* nor does it look as if the clock had gone back, when it comes behind what came due */
	shell("cat '%s'/evidence/*.log | grep -E 'bucket.destroy|report.made' | sed 's/.*\"time\":\"//' | sort -c", store_dir);
}

/* A problem is an alarm of its own, once a day. */
static void test_alarm(void **state)
{
	(void)state;
	store_close(at_t0());
	shell("printf secret >'%s/stray'", store_dir);
	assert_int_equal(run_at(T0), -EBADMSG);
	assert_int_equal(nfaults, 1);
	assert_int_equal(told("\"errors\":1,"), 1);
	assert_int_equal(run_at(T0 + 60 * NS_PER_S), 0);
	assert_int_equal(look().inventory_errors, 1);
	assert_int_equal(run_at(T0 + DAY_NS), -EBADMSG);
	shell("rm '%s/stray'", store_dir);
	assert_int_equal(run_at(T0 + 2 * DAY_NS), 0);
	assert_int_equal(look().inventory_errors, 0);
}

/* Who can write the outbox can leave a report; one that is not whole or does not add up is found. */
static void forge(unsigned what)
{
	struct evlog_event age = { .kind = EVLOG_REPORT, .source = EVLOG_S_REAPER, .time_ns = T0, .has_data = true, .reason = EVLOG_REPORT_AGE,
				   .controller = "acme", .rule = "service-desk", .purpose = EVLOG_P_DOCUMENTATION };
	struct evlog_event day = { .kind = EVLOG_REPORT, .source = EVLOG_S_REAPER, .time_ns = T0, .has_data = true, .reason = EVLOG_REPORT_DAY,
				   .controller = "acme", .rule = "service-desk" };
	struct evlog_event end = { .kind = EVLOG_REPORT, .source = EVLOG_S_REAPER, .time_ns = T0, .has_data = true, .reason = EVLOG_REPORT_END };
	struct evlog_report_hash h;
	uint8_t hash[32];
	struct outbox *o;

	evlog_num_add(&age, EVLOG_N_DAY, 20261118);
	evlog_num_add(&age, EVLOG_N_AGE_7, 5);
	evlog_num_add(&day, EVLOG_N_DAY, 20261118);
	evlog_num_add(&day, EVLOG_N_CALLS, 5);
	evlog_num_add(&day, EVLOG_N_KEPT, 3);
	evlog_num_add(&day, EVLOG_N_DENIED, what == 3 ? 3 : 2);
	evlog_num_add(&end, EVLOG_N_DAY, 20261118);
	evlog_num_add(&end, EVLOG_N_COUNT, what == 1 ? 3 : 2);
	evlog_report_hash_begin(&h);
	evlog_report_hash_line(&h, &age);
	evlog_report_hash_line(&h, &day);
	evlog_report_hash_end(&h, hash);
	hash[0] ^= what == 2;
	memcpy(age.data, hash, 32);
	memcpy(day.data, hash, 32);
	memcpy(end.data, hash, 32);
	assert_int_equal(outbox_open(store_dir, &o, NULL, 0), 0);
	assert_int_equal(outbox_add(o, &age), 0);
	if (what != 4)
		assert_int_equal(outbox_add(o, &day), 0);
	if (what != 5)
		assert_int_equal(outbox_add(o, &end), 0);
	outbox_close(o);
}

static void test_forged(void **state)
{
	static const char *const say[] = { "", "other lines than it counts", "hash is not that of its lines", "are not the calls of their rule",
					   "other lines than it counts", "" };
	struct evlog_report rep;
	struct uid uid[5];

	for (unsigned what = 0; what < 6; what++) {
		store_close(at_t0());
		for (unsigned i = 0; i < 5; i++)
			uid_make(T0 - DAY_NS, &i, sizeof(i), &uid[i]);
		match_calls(uid, 5, "service-desk");
		forge(what);
		assert_int_equal(run_at(T0), 0);
		rep = look();
		assert_int_equal(rep.damaged, *say[what] != 0);
		assert_non_null(strstr(finding, say[what]));
		assert_true(!*say[what] || strstr(finding, "E-13"));
		assert_int_equal(rep.inventories, what ? 1 : 2); /* the run's own is one */
		drop_store(state);
		assert_int_equal(make_store(state), 0);
	}
}

static void test_file(void **state)
{
	char raw[REAP_REPORT_SIZE];

	(void)state;
	assert_int_equal(reap_report_format(20261118, raw), REAP_REPORT_SIZE);
	assert_int_equal(reap_report_parse(raw, sizeof(raw)), 20261118);
	assert_int_equal(reap_report_parse(raw, sizeof(raw) - 1), 0);
	for (size_t i = 0; i < sizeof(raw); i++) {
		raw[i] ^= 1;
		assert_int_equal(reap_report_parse(raw, sizeof(raw)), 0);
		raw[i] ^= 1;
	}
}

#define T(name) cmocka_unit_test_setup_teardown(test_##name, make_store, drop_store)

int main(void)
{
	const struct CMUnitTest tests[] = { T(counts), T(younger_log), T(once_a_day), T(refused), T(killed), T(hostile), T(meanwhile), T(alarm), T(forged), cmocka_unit_test(test_file) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
