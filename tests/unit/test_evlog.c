/* SPDX-License-Identifier: BSD-2-Clause */
/* test_evlog.c - the evidence log: lines, chain, days, sums, threads, a full disk */
#include <dirent.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mount.h>

#include "evlog_util.h"

static void closed_forms(void **state)
{
	struct evlog_event e = event(EVLOG_CALL_MATCH, D0, 1);

	(void)state;
	assert_null(evlog_check(&e));
	e.rule = "two\nwords";
	assert_non_null(evlog_check(&e));
	e.rule = "quo\"te";
	assert_non_null(evlog_check(&e));
	e.rule = NULL;
	assert_non_null(evlog_check(&e));
	e = event(EVLOG_CALL_MATCH, D0, 1);
	e.reason = "n4512345678"; /* a number has no place, spelled as it may be */
	assert_non_null(evlog_check(&e));
	e.reason = "+45";
	assert_non_null(evlog_check(&e));
	e.reason = "consent.none";
	e.who = "12345";
	assert_non_null(evlog_check(&e));
	e.who = "anna.b";
	assert_null(evlog_check(&e));
	e.has_data = true; /* only where data is expected */
	assert_non_null(evlog_check(&e));
	e.has_data = false;
	evlog_num_add(&e, EVLOG_N_MS, EVLOG_NUM_MAX + 1);
	assert_non_null(evlog_check(&e));
	e.num[0].value = 1;
	assert_null(evlog_check(&e));
	evlog_num_add(&e, EVLOG_N_MS, 1); /* twice */
	assert_non_null(evlog_check(&e));
	for (unsigned i = 0; i < 20; i++)
		evlog_num_add(&e, (enum evlog_num)i, 1);
	assert_non_null(evlog_check(&e));
	e = event(EVLOG_DAEMON_START, D0, 0);
	assert_null(evlog_check(&e));
	e = event(EVLOG_DAEMON_START, D0, 1);
	assert_non_null(evlog_check(&e));
	e = event(EVLOG_CONSENT_GIVEN, D0, 1);
	assert_non_null(evlog_check(&e)); /* whose purpose? */
	e.purpose = EVLOG_P_TRAINING;
	assert_null(evlog_check(&e));
	e.purpose = (enum evlog_purpose)7;
	assert_non_null(evlog_check(&e));
	for (unsigned k = 0; k < EVLOG_KINDS; k++)
		assert_non_null(evlog_kind_name((enum evlog_kind)k));
	for (unsigned k = 0; k < EVLOG_NUM_NAMES; k++)
		assert_non_null(evlog_num_name((enum evlog_num)k));
	for (unsigned k = 0; k < EVLOG_SOURCES; k++)
		assert_non_null(evlog_source_name((enum evlog_source)k));
}

/* What callers were told stands where they were told, and agreed; what a purpose rests on with its grant; and nowhere else. */
static void says(void **state)
{
	struct evlog_event e = event(EVLOG_NOTICE_PLAYED, D0, 1);

	(void)state;
	e.version = "2";
	assert_non_null(evlog_check(&e)); /* of what? */
	e.notice = "claims-da-4";
	e.language = "da";
	e.has_content = true;
	assert_null(evlog_check(&e));
	e.language = "+4520304050";
	assert_non_null(evlog_check(&e));
	e.language = "da";
	e.version = "\"";
	assert_non_null(evlog_check(&e));
	e.version = NULL;
	e.basis = "interest";
	assert_non_null(evlog_check(&e));
	e.basis = NULL;
	for (unsigned i = 0; i < 5; i++)
		evlog_num_add(&e, (enum evlog_num)i, 1);
	assert_non_null(evlog_check(&e));
	e.nums = 4;
	assert_null(evlog_check(&e));
	e = event(EVLOG_PURPOSE_GRANT, D0, 1);
	e.purpose = EVLOG_P_TRAINING;
	e.assessment = "amount-3";
	assert_non_null(evlog_check(&e));
	e.basis = "obligation";
	assert_null(evlog_check(&e));
	e.basis = "because";
	assert_non_null(evlog_check(&e));
	e.basis = "consent";
	e.assessment = NULL;
	e.has_content = true; /* of no assessment */
	assert_non_null(evlog_check(&e));
	e = event(EVLOG_OPTOUT, D0, 1);
	e.notice = "claims-da-4";
	assert_non_null(evlog_check(&e));
}

/* How a recording was given stands where one was, in closed words. */
static void format(void **state)
{
	struct evlog_event e = event(EVLOG_PLAY, D0, 1);
	char line[EVLOG_LINE_MAX], again[EVLOG_LINE_MAX];
	struct evlog_line l, moved;
	const char *what;
	uint8_t prev[32] = { 1 };
	size_t n;

	(void)state;
	e.purpose = EVLOG_P_TRAINING;
	e.who = "anna";
	e.format = "wav";
	assert_null(evlog_check(&e));
	n = evlog_line_format(7, prev, &e, line);
	line[n - 1] = 0;
	assert_non_null(strstr(line, ",\"who\":\"anna\",\"format\":\"wav\""));
	assert_int_equal(evlog_line_parse(line, n - 1, &l, &what), 0);
	moved = l;
	evlog_line_moved(&moved);
	memset(&l, 0xff, sizeof(l));
	assert_string_equal(moved.e.format, "wav");
	assert_int_equal(evlog_line_format(7, prev, &moved.e, again), n);
	e.format = "+4520304050";
	assert_non_null(evlog_check(&e));
	e.format = "grounds";
	assert_null(evlog_check(&e));
	e = event(EVLOG_OPTOUT, D0, 1);
	e.format = "wav";
	assert_non_null(evlog_check(&e));
}

/* Of which announcements one was played: two to four, with what they say, where it is not known which. */
static void among(void **state)
{
	static const char name64[] = "r123456789012345678901234567890123456789012345678901234567890123";
	struct evlog_among a[EVLOG_AMONG + 1] = { { .notice = "say-da", .language = "da", .version = "3", .has_content = true, .content = { 0xab } },
						  { .notice = "say-en" } };
	struct evlog_event e = event(EVLOG_NOTICE_PLAYED, D0, 1);
	char line[EVLOG_LINE_MAX], again[EVLOG_LINE_MAX];
	struct evlog_line l, moved;
	uint8_t prev[32] = { 1 };
	const char *what;
	size_t n;

	(void)state;
	e.reason = "header";
	e.among = a;
	e.namong = 2;
	for (int long_ones = 0; long_ones < 2; long_ones++) {
		assert_null(evlog_check(&e));
		n = evlog_line_format(1, prev, &e, line);
		assert_int_equal(evlog_line_parse(line, n - 1, &l, &what), 0);
		moved = l;
		memset(&l, 0, sizeof(l));
		evlog_line_moved(&moved);
		assert_int_equal(moved.e.namong, e.namong);
		assert_string_equal(moved.e.among[0].notice, a[0].notice);
		assert_int_equal(evlog_line_format(1, prev, &moved.e, again), n);
		assert_memory_equal(line, again, n);
		line[n - 1] = 0;
		if (!long_ones)
			assert_non_null(strstr(line, ",\"among\":[{\"notice\":\"say-da\",\"language\":\"da\",\"version\":\"3\",\"content\":\"ab00"));
		for (size_t i = 0; i + 1 < n; i++) { /* each byte changed: another event, or none */
			char was = line[i];

			line[i] ^= 1;
			if (!evlog_line_parse(line, n - 1, &l, &what)) {
				assert_int_equal(evlog_line_format(l.seq, l.prev, &l.e, again), n);
				assert_memory_equal(line, again, n - 1);
			}
			line[i] = was;
		}
		/* all as long as they can be */
		for (unsigned k = 0; k < EVLOG_AMONG; k++)
			a[k] = (struct evlog_among){ .notice = name64, .language = "danskdan", .version = name64, .has_content = true };
		e.namong = EVLOG_AMONG;
		e.kind = EVLOG_CONSENT_GIVEN;
		e.purpose = EVLOG_P_DOCUMENTATION;
		e.source = EVLOG_S_OPERATOR;
		e.rule = name64;
		e.controller = name64 + 1;
		e.policy = policy_hash;
		e.reason = "a2345.7890a2345.7890a2345.7890a2345.7890a2345.7";
		e.who = "a2345.7890a2345.7890a2345.7890a2";
		strcpy(e.press, "*12345");
		for (unsigned i = EVLOG_N_THRESHOLD; e.nums < 4; i++)
			evlog_num_add(&e, (enum evlog_num)i, EVLOG_NUM_MAX);
	}
	assert_true(n > 1500 && n < 1900);
	e.namong = 1;
	assert_non_null(evlog_check(&e));
	a[EVLOG_AMONG] = a[0];
	e.namong = EVLOG_AMONG + 1;
	assert_non_null(evlog_check(&e));
	e.namong = 2;
	e.notice = "say-da"; /* it is known which */
	assert_non_null(evlog_check(&e));
	e.notice = NULL;
	a[1].notice = "a\"b";
	assert_non_null(evlog_check(&e));
	a[1].notice = "ab";
	a[1].language = "DA";
	assert_non_null(evlog_check(&e));
	a[1].language = NULL;
	assert_null(evlog_check(&e));
	e.kind = EVLOG_OPTOUT;
	assert_non_null(evlog_check(&e));
}

/* The two events with the most texts, as long as they can be. */
static void long_lines(void **state)
{
	static const char name64[] = "r123456789012345678901234567890123456789012345678901234567890123";
	char line[EVLOG_LINE_MAX], again[EVLOG_LINE_MAX];
	struct evlog_line l;
	uint8_t prev[32] = { 1 };
	const char *what;

	(void)state;
	for (unsigned grant = 0; grant < 2; grant++) {
		struct evlog_event e = event(grant ? EVLOG_PURPOSE_GRANT : EVLOG_CONSENT_GIVEN, UINT64_MAX, 1);
		size_t n;

		e.rule = name64;
		e.controller = name64 + 1;
		e.reason = "a2345.7890a2345.7890a2345.7890a2345.7890a2345.7";
		e.who = "a2345.7890a2345.7890a2345.7890a2";
		e.purpose = EVLOG_P_DOCUMENTATION;
		e.source = EVLOG_S_OPERATOR;
		e.has_content = true;
		memset(e.content, 0xc7, 32);
		if (grant) {
			e.basis = "obligation";
			e.assessment = e.special = name64;
		} else {
			strcpy(e.press, "*12345");
			e.notice = e.version = name64;
			e.language = "danskdan";
		}
		for (unsigned i = EVLOG_N_THRESHOLD; e.nums < 4; i++)
			evlog_num_add(&e, (enum evlog_num)i, EVLOG_NUM_MAX);
		assert_null(evlog_check(&e));
		n = evlog_line_format(UINT64_MAX, prev, &e, line);
		assert_true(n > 850 && n < 1000 && line[n - 1] == '\n');
		n = evlog_line_format(UINT64_MAX / 2, prev, &e, line);
		assert_int_equal(evlog_line_parse(line, n - 1, &l, &what), 0);
		assert_memory_equal(l.e.content, e.content, 32);
		assert_string_equal(grant ? l.special : l.version, name64);
		assert_int_equal(evlog_line_format(l.seq, l.prev, &l.e, again), n);
		assert_memory_equal(line, again, n);
	}
}

/* The longest event comes back as it was; every byte changed makes another event or none. */
static void lines(void **state)
{
	static const char name64[] = "r123456789012345678901234567890123456789012345678901234567890123";
	struct evlog_event e = event(EVLOG_SAMPLE_REVEAL, UINT64_MAX, 0);
	char line[EVLOG_LINE_MAX], again[EVLOG_LINE_MAX];
	struct evlog_line l;
	uint8_t prev[32], link[32], other[32];
	const char *what;
	size_t n;

	(void)state;
	memset(prev, 0xa5, 32);
	e.rule = name64;
	e.controller = name64 + 1;
	e.policy = policy_hash;
	e.reason = "a2345.7890a2345.7890a2345.7890a2345.7890a2345.7";
	e.who = "a2345.7890a2345.7890a2345.7890a2";
	e.purpose = EVLOG_P_DOCUMENTATION;
	e.source = EVLOG_S_OPERATOR;
	e.has_data = true;
	memset(e.data, 0x5a, 32);
	evlog_num_add(&e, EVLOG_N_DAY, 20261124);
	for (unsigned i = EVLOG_N_DRAW; e.nums < EVLOG_NUMS; i++)
		evlog_num_add(&e, (enum evlog_num)i, EVLOG_NUM_MAX);
	assert_null(evlog_check(&e));
	n = evlog_line_format(UINT64_MAX / 2, prev, &e, line);
	assert_true(n > 600 && n < EVLOG_LINE_MAX && line[n - 1] == '\n');
	evlog_link(line, n - 1, link);
	assert_int_equal(evlog_line_parse(line, n - 1, &l, &what), 0);
	assert_int_equal(l.seq, UINT64_MAX / 2);
	assert_memory_equal(l.prev, prev, 32);
	assert_int_equal(l.e.time_ns, UINT64_MAX);
	assert_string_equal(l.rule, name64);
	assert_int_equal(evlog_num_get(&l.e, EVLOG_N_DAY, 0), 20261124);
	assert_int_equal(evlog_line_format(l.seq, l.prev, &l.e, again), n);
	assert_memory_equal(line, again, n);
	for (size_t i = 0; i < n - 1; i++) {
		char was = line[i];

		for (int b = 0; b < 8; b++) {
			line[i] = (char)(was ^ 1 << b);
			evlog_link(line, n - 1, other);
			assert_memory_not_equal(link, other, 32);
			if (!evlog_line_parse(line, n - 1, &l, &what)) /* then it says what it says */
				assert_memory_equal(again, line, evlog_line_format(l.seq, l.prev, &l.e, again) - 1);
		}
		line[i] = was;
	}
	for (size_t i = 0; i < n - 1; i++)
		assert_int_equal(evlog_line_parse(line, i, &l, &what), -EBADMSG);
}

static void times(void **state)
{
	static const struct {
		uint64_t ns;
		const char *day;
	} t[] = { { 1, "1970-01-01" },
		  { 951782400ULL * NS_PER_S, "2000-02-29" },
		  { 1709164800ULL * NS_PER_S, "2024-02-29" },
		  { D0, "2026-11-23" },
		  { D0 + DAY - 1, "2026-11-23" },
		  { 4107542400ULL * NS_PER_S, "2100-03-01" } };

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(*t); i++) {
		struct evlog_event e = event(EVLOG_DAEMON_START, t[i].ns, 0);
		char text[16], line[EVLOG_LINE_MAX];
		uint8_t prev[32] = { 0 };
		struct evlog_line l;
		const char *what;
		size_t n;

		evlog_day_text(evlog_day(t[i].ns), text);
		assert_string_equal(text, t[i].day);
		n = evlog_line_format(1, prev, &e, line);
		assert_int_equal(evlog_line_parse(line, n - 1, &l, &what), 0);
		assert_int_equal(l.e.time_ns, t[i].ns);
	}
}

static void days_and_sums(void **state)
{
	struct evlog_report r;
	struct seen s;

	(void)state;
	three_days();
	r = look(&s);
	if (s.findings)
		fail_msg("%s", s.all);
	assert_int_equal(r.days, 3);
	assert_int_equal(r.sealed, 2);
	assert_int_equal(r.lines, 1 + 3 * 9);
	assert_int_equal(r.last_seq, r.lines);
	assert_int_equal(r.calls, 12);
	assert_int_equal(r.open, 0);
	assert_int_equal(s.sums, 3);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(s.sum[i].matched, 4);
		assert_int_equal(s.sum[i].kept, 1);
		assert_int_equal(s.sum[i].denied, 2);
		assert_int_equal(s.sum[i].gap, 1);
	}
	/* another writer goes on in the same day, and the chain holds */
	struct evlog *l = open_ok();

	add_call(l, D0 + 2 * DAY + 9000 * NS_PER_S, 99, EVLOG_CALL_DENIED);
	assert_int_equal(evlog_flush(l, D0 + 3 * DAY), 0); /* nobody calls: the day is closed all the same */
	evlog_close(l);
	r = look(&s);
	assert_int_equal(s.findings, 0);
	assert_int_equal(r.sealed, 3);
	assert_int_equal(r.lines, 30);
	/* a root noted elsewhere is found again; another is not */
	struct evlog_look how = { .anchor = r.root };

	look_with(&s, &how);
	assert_int_equal(s.findings, 0);
	uint8_t other[32] = { 1 };

	how.anchor = other;
	look_with(&s, &how);
	assert_int_equal(s.findings, 1);
	/* one day alone: not the chain, but its sums */
	how = (struct evlog_look){ .from_day = evlog_day(D0 + DAY), .to_day = evlog_day(D0 + DAY) };
	r = look_with(&s, &how);
	if (s.findings)
		fail_msg("%s", s.all);
	assert_int_equal(r.lines, 9);
	assert_int_equal(s.sums, 1);
}

static void modes_and_lock(void **state)
{
	struct evlog *l = open_ok();
	struct stat st;
	char path[400];

	(void)state;
	open_fails(-EBUSY, "another process");
	snprintf(path, sizeof(path), "%s/evidence/root.key", store_dir);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	evlog_close(l);
	assert_int_equal(chmod(path, 0640), 0);
	open_fails(-EPERM, "root.key");
	assert_int_equal(chmod(path, 0600), 0);
	evlog_close(open_ok());
	shell("rm '%s/evidence/root.pub'", store_dir); /* never made anew behind a log */
	open_fails(-EBADMSG, "root.pub: missing");
}

static void what_is_wrong(void **state)
{
	struct evlog *l = open_ok();
	struct evlog_event e = event(EVLOG_LOG_RECOVER, D0, 0);
	struct evlog_figures f;
	char why[512];

	(void)state;
	assert_int_equal(evlog_append(l, &e, NULL), -EINVAL); /* the log's own */
	e = event(EVLOG_CALL_KEPT, D0, 0);
	assert_int_equal(evlog_append(l, &e, NULL), -EINVAL);
	evlog_why(l, why, sizeof(why));
	assert_string_equal(why, "event without its call");
	evlog_figures(l, &f);
	assert_int_equal(f.refused, 2);
	assert_int_equal(f.appended, 1); /* log.start */
	assert_int_equal(f.waiting, 0);
	evlog_close(l);
	look_clean();
}

/* Order is the sequence; an earlier day's event goes to the newest day. */
static void clock_back(void **state)
{
	struct evlog *l = open_ok();
	struct evlog_event e = event(EVLOG_DAEMON_START, D0 + DAY + 5, 0);
	struct evlog_report r;
	struct seen s;

	(void)state;
	add(l, &e);
	e.time_ns = D0 + 5;
	add(l, &e);
	assert_int_equal(evlog_flush(l, D0 + 2 * DAY), 0); /* closes the second day */
	add(l, &e); /* behind the root: a third day */
	assert_int_equal(evlog_flush(l, D0), 0);
	evlog_close(l);
	clock_set_ns(D0);
	l = open_ok();
	add(l, &e);
	assert_int_equal(evlog_flush(l, 0), 0);
	evlog_close(l);
	r = look(&s);
	if (s.findings)
		fail_msg("%s", s.all);
	assert_int_equal(r.days, 3);
	assert_int_equal(r.backwards, 1);
	assert_int_equal(r.lines, 5);
}

/* Events are written when they are known, not when they happened: that is no clock that went back, nor is each event after a step. */
static void disorder(void **state)
{
	struct evlog *l = open_ok();
	struct evlog_event e = event(EVLOG_DAEMON_START, D0, 0);
	static const struct {
		int64_t s;
		unsigned backwards;
	} t[] = { { 100, 0 }, { 99, 0 }, { 101, 0 }, { 92, 0 }, { 91, 0 }, { 90, 1 }, { 91, 1 }, { 100, 1 }, { 90, 1 }, { 50, 2 },
		  { 49, 2 }, { 120, 2 } };
	struct evlog_report r;
	struct seen s;

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		e.time_ns = D0 + DAY + (uint64_t)t[i].s * NS_PER_S;
		add(l, &e);
		assert_int_equal(evlog_flush(l, e.time_ns), 0);
		r = look(&s);
		assert_int_equal(r.backwards, t[i].backwards);
	}
	evlog_close(l);
}

/* ---- what does not add up ---- */

static void unbalanced(void **state)
{
	struct evlog *l = open_ok();
	struct evlog_event e;
	struct seen s;

	(void)state;
	add_call(l, D0, 1, EVLOG_CALL_DENIED);
	e = event(EVLOG_CALL_DENIED, D0 + 9 * NS_PER_S, 1);
	e.reason = "consent.none";
	add(l, &e); /* line 4: a second outcome */
	e = event(EVLOG_CALL_MATCH, D0, 2);
	add(l, &e);
	add(l, &e); /* line 6 */
	e = event(EVLOG_CALL_KEPT, D0, 2);
	add(l, &e); /* line 7: nobody granted it */
	e = event(EVLOG_CALL_MATCH, D0, 3);
	add(l, &e);
	e.kind = EVLOG_CALL_KEPT;
	e.rule = "other";
	add(l, &e); /* line 9: another rule */
	e = event(EVLOG_CALL_MATCH, D0 + 1, 4);
	add(l, &e); /* never ends */
	e = event(EVLOG_CALL_MATCH, D0 + 3 * DAY, 5);
	add(l, &e); /* may still */
	assert_int_equal(evlog_flush(l, 0), 0);
	evlog_close(l);
	assert_int_equal(look(&s).open, 2);
	assert_int_equal(s.findings, 5);
	assert_non_null(strstr(s.all, LOG0 ":4: E-10"));
	assert_non_null(strstr(s.all, LOG0 ":6: E-10"));
	assert_non_null(strstr(s.all, LOG0 ":7: E-10"));
	assert_non_null(strstr(s.all, LOG0 ":9: E-10"));
	assert_non_null(strstr(s.all, LOG0 ":0: E-10"));
	assert_int_equal(s.sum[0].matched, s.sum[0].kept + s.sum[0].denied + s.sum[0].gap + s.sum[0].open);
}

static void seeds(void **state)
{
	struct evlog *l = open_ok();
	struct evlog_event e, commit;
	uint8_t seed[32];
	struct seen s;

	(void)state;
	memset(seed, 7, 32);
	commit = event(EVLOG_SAMPLE_COMMIT, D0, 0);
	commit.has_data = true;
	crypto_generichash(commit.data, 32, seed, 32, NULL, 0);
	evlog_num_add(&commit, EVLOG_N_DAY, 20261124);
	add(l, &commit);
	e = event(EVLOG_SAMPLE_OUT, D0, 3);
	e.has_data = true; /* the link of the record */
	e.reason = "sample.seed"; /* the first day has none: no finding, and its seed may still be committed */
	evlog_num_add(&e, EVLOG_N_DAY, 20261127);
	add(l, &e);
	e = event(EVLOG_SAMPLE_IN, D0 + DAY, 1);
	evlog_num_add(&e, EVLOG_N_DAY, 20261124);
	assert_string_equal(evlog_check(&e), "event without its data");
	e.has_data = true;
	add(l, &e);
	e = event(EVLOG_SAMPLE_REVEAL, D0 + 2 * DAY, 0);
	e.has_data = true;
	memcpy(e.data, seed, 32);
	evlog_num_add(&e, EVLOG_N_DAY, 20261124);
	add(l, &e);
	assert_int_equal(evlog_flush(l, 0), 0);
	look(&s);
	if (s.findings)
		fail_msg("%s", s.all);
	commit.num[0].value = e.num[0].value = 20261125;
	commit.time_ns = e.time_ns = D0 + 2 * DAY;
	add(l, &commit);
	e.data[5] ^= 1;
	add(l, &e); /* not the committed one */
	e.num[0].value = 20261126;
	add(l, &e); /* none committed */
	commit.num[0].value = 20261123;
	add(l, &commit); /* too late: later draws were seen */
	e = event(EVLOG_SAMPLE_OUT, D0 + 2 * DAY, 2);
	e.has_data = true;
	e.reason = "sample.draw";
	evlog_num_add(&e, EVLOG_N_DAY, 20261127);
	add(l, &e); /* a draw of a day without seed */
	assert_int_equal(evlog_flush(l, 0), 0);
	evlog_close(l);
	look(&s);
	assert_int_equal(s.findings, 4);
	assert_non_null(strstr(s.all, "E-11: the revealed seed is not the committed one"));
	assert_non_null(strstr(s.all, "E-11: a seed was revealed that was never committed"));
	assert_non_null(strstr(s.all, "E-11: a seed was committed after draws"));
	assert_non_null(strstr(s.all, "E-11: a draw without a committed seed"));
}

/* ---- threads and full disks ---- */

#define THREAD_EVENTS 2000

static void *appender(void *arg)
{
	for (unsigned i = 0; i < THREAD_EVENTS; i++) {
		struct evlog_event e = event(EVLOG_DAEMON_START, D0 + i * (DAY / 500), 0);

		if (evlog_append(arg, &e, NULL))
			return arg;
	}
	return NULL;
}

static void threads(void **state)
{
	struct evlog *l = open_ok();
	struct evlog_figures f;
	pthread_t t[3];
	struct seen s;
	void *bad;

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&t[i], NULL, appender, l), 0);
	for (unsigned i = 0; i < 50; i++)
		assert_int_equal(evlog_flush(l, 0), 0);
	for (unsigned i = 0; i < 3; i++) {
		pthread_join(t[i], &bad);
		assert_null(bad);
	}
	assert_int_equal(evlog_flush(l, 0), 0);
	evlog_figures(l, &f);
	assert_int_equal(f.appended, 3 * THREAD_EVENTS + 1);
	assert_int_equal(f.flushed, f.appended);
	assert_int_equal(f.waiting, 0);
	evlog_close(l);
	assert_int_equal(look(&s).lines, 3 * THREAD_EVENTS + 1);
	if (s.findings)
		fail_msg("%s", s.all);
}

static void full_disk(void **state)
{
	struct evlog_event begin = event(EVLOG_CALL_MATCH, D0 + NS_PER_S, 1), end = event(EVLOG_DAEMON_STOP, D0 + NS_PER_S, 0);
	struct evlog_report r;
	struct evlog *l;
	struct seen s;
	char dir[400];
	unsigned begun = 0, ended = 0;
	int rc;

	(void)state;
	snprintf(dir, sizeof(dir), "%s/evidence", store_dir);
	assert_int_equal(mkdir(dir, 0700), 0);
	if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("evlog", dir, "tmpfs", 0, "size=1m")) {
		print_message("SKIP: may not mount a small disk\n");
		skip();
	}
	l = open_ok();
	for (; !(rc = evlog_append(l, &begin, NULL)) && begun < 100000; begun++) {
		uid_make(D0, &begun, sizeof(begun), &begin.call);
		if (begun % 100 == 0)
			assert_int_equal(evlog_flush(l, 0), 0);
	}
	assert_int_equal(rc, -ENOSPC);
	assert_true(begun > 1000);
	/* nothing begins any more; what ends can still be told */
	for (; !(rc = evlog_append(l, &end, NULL)) && ended < 100000; ended++)
		;
	assert_int_equal(rc, -ENOSPC);
	assert_true(ended > 200);
	assert_int_equal(evlog_append(l, &begin, NULL), -ENOSPC);
	end.time_ns += DAY; /* a new day's file is not to be had either, and nothing of it stays */
	assert_int_equal(evlog_append(l, &end, NULL), -ENOSPC);
	rc = evlog_flush(l, 0);
	r = look(&s);
	if (s.findings)
		fail_msg("%s", s.all);
	assert_int_equal(r.torn_bytes, 0);
	/* room again */
	assert_int_equal(mount("evlog", dir, "tmpfs", MS_REMOUNT, "size=4m"), 0);
	assert_int_equal(evlog_flush(l, 0), 0);
	add(l, &end);
	begin.time_ns = end.time_ns;
	add(l, &begin);
	assert_int_equal(evlog_flush(l, 0), 0);
	evlog_close(l);
	r = look(&s);
	if (s.findings)
		fail_msg("%s", s.all);
	assert_int_equal(r.lines, 1 + begun + ended + 2);
	assert_int_equal(umount2(dir, MNT_DETACH), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(closed_forms),
		cmocka_unit_test(says),
		cmocka_unit_test(format),
		cmocka_unit_test(among),
		cmocka_unit_test(long_lines),
		cmocka_unit_test(lines),
		cmocka_unit_test(times),
		cmocka_unit_test_setup_teardown(days_and_sums, fresh, gone),
		cmocka_unit_test_setup_teardown(modes_and_lock, fresh, gone),
		cmocka_unit_test_setup_teardown(what_is_wrong, fresh, gone),
		cmocka_unit_test_setup_teardown(clock_back, fresh, gone),
		cmocka_unit_test_setup_teardown(disorder, fresh, gone),
		cmocka_unit_test_setup_teardown(unbalanced, fresh, gone),
		cmocka_unit_test_setup_teardown(seeds, fresh, gone),
		cmocka_unit_test_setup_teardown(threads, fresh, gone),
		cmocka_unit_test_setup_teardown(full_disk, fresh, gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
