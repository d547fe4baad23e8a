/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_evlog.c - the evidence log: lines, chain, days, kills, and every way to tamper with it
 */
#include <dirent.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sodium.h>
#include <sys/mount.h>

#include "store/evlog.h"
#include "store_util.h"

#define DAY (86400ULL * NS_PER_S)
#define D0  (20780ULL * DAY) /* 2026-11-23T00:00Z */
static const char policy_hash[] = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

static int fresh(void **state)
{
	clock_set_ns(D0 + 3600 * NS_PER_S);
	return make_store(state);
}

static int gone(void **state)
{
	(void)state;
	clock_set_ns(0);
	shell("rm -rf '%s'", base_dir);
	return 0;
}

static struct evlog *open_ok(void)
{
	struct evlog *l = NULL;
	char why[512] = "";
	int rc = evlog_open(store_dir, &l, why, sizeof(why));

	if (rc)
		fail_msg("evlog_open: %d %s", rc, why);
	return l;
}

static void open_fails(int want, const char *text)
{
	struct evlog *l = NULL;
	char why[512] = "";
	int rc = evlog_open(store_dir, &l, why, sizeof(why));

	if (rc != want || !strstr(why, text))
		fail_msg("evlog_open: %d '%s', not %d '%s'", rc, why, want, text);
	assert_null(l);
}

static struct evlog_event event(enum evlog_kind kind, uint64_t t, unsigned call)
{
	struct evlog_event e = { .kind = kind, .time_ns = t };
	char seed[32];

	if (call) {
		snprintf(seed, sizeof(seed), "call %u", call);
		uid_make(D0, seed, strlen(seed), &e.call);
		e.has_call = true;
		e.rule = "support";
		e.controller = "acme";
		e.policy = policy_hash;
	}
	return e;
}

static void add(struct evlog *l, const struct evlog_event *e)
{
	char why[512];
	int rc = evlog_append(l, e, NULL);

	evlog_why(l, why, sizeof(why));
	if (rc)
		fail_msg("append %s: %d %s", evlog_kind_name(e->kind), rc, why);
}

static void add_call(struct evlog *l, uint64_t t, unsigned call, enum evlog_kind outcome)
{
	struct evlog_event e = event(EVLOG_CALL_MATCH, t, call);

	add(l, &e);
	if (outcome == EVLOG_CALL_KEPT) {
		e = event(EVLOG_PURPOSE_GRANT, t + NS_PER_S, call);
		e.purpose = EVLOG_P_DOCUMENTATION;
		e.source = EVLOG_S_POLICY;
		add(l, &e);
	}
	e = event(outcome, t + 60 * NS_PER_S, call);
	e.reason = "consent.none";
	evlog_num_add(&e, EVLOG_N_PACKETS, 500);
	evlog_num_add(&e, EVLOG_N_BLOCKED, EVLOG_NUM_MAX);
	add(l, &e);
}

/* Days 0 to 2, each with calls; day 2 stays open. */
static void three_days(void)
{
	struct evlog *l = open_ok();

	for (unsigned d = 0; d < 3; d++) {
		for (unsigned i = 0; i < 4; i++)
			add_call(l, D0 + d * DAY + (7200 + i * 100) * NS_PER_S, 1 + d * 10 + i,
				 i == 0 ? EVLOG_CALL_KEPT : i == 1 ? EVLOG_CALL_GAP : EVLOG_CALL_DENIED);
		assert_int_equal(evlog_flush(l, 0), 0);
	}
	evlog_close(l);
}

/* ---- looking ---- */

struct seen {
	unsigned findings, lines;
	char first[400], all[4000];
	struct evlog_sum sum[16];
	unsigned sums;
};

static void take_finding(void *arg, const char *file, uint64_t line, const char *rule, const char *text)
{
	struct seen *s = arg;
	size_t n = strlen(s->all);

	snprintf(s->all + n, sizeof(s->all) - n, "%s:%u: %s: %s\n", file, (unsigned)line, rule, text);
	if (!s->findings++)
		memcpy(s->first, s->all, sizeof(s->first) - 1);
}

static int take_line(void *arg, const char *file, uint64_t n, const struct evlog_line *l)
{
	(void)file, (void)n, (void)l;
	((struct seen *)arg)->lines++;
	return 0;
}

static void take_sum(void *arg, const struct evlog_sum *s)
{
	struct seen *k = arg;

	assert_true(k->sums < 16);
	k->sum[k->sums++] = *s;
}

static struct evlog_report look_with(struct seen *s, struct evlog_look *how)
{
	struct evlog_report r;
	char why[512] = "";
	int rc;

	*s = (struct seen){ 0 };
	how->arg = s;
	how->finding = take_finding;
	how->line = take_line;
	how->sum = take_sum;
	rc = evlog_look(store_dir, how, &r, why, sizeof(why));
	if (rc)
		fail_msg("evlog_look: %d %s", rc, why);
	assert_int_equal(r.damaged, s->findings);
	return r;
}

static struct evlog_report look(struct seen *s)
{
	struct evlog_look how = { 0 };

	return look_with(s, &how);
}

static void look_clean(void)
{
	struct seen s;

	look(&s);
	if (s.findings)
		fail_msg("findings: %s", s.all);
}

/* The look finds damage, the first of it so; and no writer goes on behind it. */
static void look_finds(const char *text)
{
	struct seen s;

	look(&s);
	if (!s.findings || !strstr(s.all, text))
		fail_msg("no '%s' in: %s", text, s.all);
}

/* ---- tests ---- */

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

/* ---- kills ---- */

static char *slurp(const char *rel, size_t *ret_n)
{
	char path[400];
	FILE *f;
	char *p = malloc(1 << 20);

	snprintf(path, sizeof(path), "%s/%s", store_dir, rel);
	f = fopen(path, "rb");
	assert_non_null(p);
	assert_non_null(f);
	*ret_n = fread(p, 1, 1 << 20, f);
	fclose(f);
	return p;
}

static void spill(const char *rel, const char *p, size_t n)
{
	char path[400];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", store_dir, rel);
	f = fopen(path, "wb");
	assert_non_null(f);
	assert_int_equal(fwrite(p, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
}

#define LOG0 "evidence/2026-11-23.log"
#define LOG1 "evidence/2026-11-24.log"
#define LOG2 "evidence/2026-11-25.log"

/* The file cut at every byte behind what was durable: the good lines stand, the rest goes, and it is told. */
static void cut_everywhere(void **state)
{
	size_t durable, n, head_n;
	struct evlog *l = open_ok();
	char *p, *head;

	(void)state;
	p = slurp(LOG0, &durable);
	free(p);
	head = slurp("evidence/head", &head_n);
	add_call(l, D0 + 9000 * NS_PER_S, 1, EVLOG_CALL_DENIED);
	assert_int_equal(evlog_flush(l, 0), 0);
	evlog_close(l);
	p = slurp(LOG0, &n);
	for (size_t cut = durable; cut < n; cut++) {
		struct evlog_figures f;
		struct evlog_report r;
		struct seen s;
		size_t tail = cut;

		spill(LOG0, p, cut);
		spill("evidence/head", head, head_n); /* as it was then */
		while (tail && p[tail - 1] != '\n')
			tail--;
		r = look(&s);
		assert_int_equal(s.findings, 0);
		assert_int_equal(r.torn_bytes, cut - tail);
		l = open_ok();
		evlog_figures(l, &f);
		assert_int_equal(f.recovered_bytes, cut - tail);
		assert_int_equal(f.recovered_lines, cut != tail);
		r = look(&s); /* cut when it is open, not when it is closed */
		assert_int_equal(r.torn_bytes, 0);
		evlog_close(l);
		r = look(&s);
		if (s.findings)
			fail_msg("cut at %zu: %s", cut, s.all);
		assert_int_equal(r.torn_bytes, 0);
		assert_int_equal(r.recovered, cut != tail);
	}
	/* cut off what was durable: never */
	spill(LOG0, p, durable - 1);
	open_fails(-EBADMSG, LOG0 ":1:");
	look_finds("E-2");
	/* blocks that never reached the disk, before one that did */
	memset(p + durable + 20, 0, 100);
	spill(LOG0, p, n);
	spill("evidence/head", head, head_n);
	look_clean();
	evlog_close(open_ok());
	look_clean();
	free(p);
	free(head);
}

/* A process killed at any moment while it logs: what it had flushed is there, and the chain holds. */
static void killed(void **state)
{
	(void)state;
	evlog_close(open_ok());
	for (unsigned round = 0; round < 20; round++) {
		uint64_t flushed = 0;
		struct evlog_report r;
		struct seen s;
		int fd[2], status;
		pid_t pid;

		assert_int_equal(pipe(fd), 0);
		pid = fork();
		if (!pid) {
			struct evlog *l;
			struct evlog_event e = event(EVLOG_DAEMON_START, D0 + round * DAY / 4, 0);

			if (evlog_open(store_dir, &l, NULL, 0))
				_exit(1);
			for (unsigned i = 0;; i++) {
				uint64_t seq;

				e.time_ns += DAY / 200;
				if (evlog_append(l, &e, &seq))
					_exit(2);
				if (i % 7 == 6 && (evlog_flush(l, 0) || write(fd[1], &seq, 8) != 8))
					_exit(3);
			}
		}
		for (unsigned i = 0; i <= round; i++)
			assert_int_equal(read(fd[0], &flushed, 8), 8);
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
		assert_true(WIFSIGNALED(status));
		close(fd[1]);
		while (read(fd[0], &flushed, 8) == 8)
			;
		close(fd[0]);
		evlog_close(open_ok());
		r = look(&s);
		if (s.findings)
			fail_msg("round %u: %s", round, s.all);
		assert_true(r.last_seq >= flushed);
	}
}

/* ---- tampering ---- */

/* The nth line (from 1) of a text: its start; *ret_n with the LF. */
static char *nth(char *p, size_t n, unsigned line, size_t *ret_n)
{
	char *end = p + n, *lf;

	for (;; p = lf + 1) {
		lf = memchr(p, '\n', (size_t)(end - p));
		assert_non_null(lf);
		if (!--line)
			break;
	}
	*ret_n = (size_t)(lf + 1 - p);
	return p;
}

enum what { CHANGE, CHANGE_SAME, REMOVE, SWAP, DUPLICATE, CUT, CUT_LINE, WHATS };

static void tamper(const char *rel, unsigned line, enum what what)
{
	size_t n, ln, ln2;
	char *p = slurp(rel, &n), *at = nth(p, n, line, &ln), *q, *out = malloc(2 << 20);
	size_t before = (size_t)(at - p), o = 0;

	assert_non_null(out);
	memcpy(out, p, o = before);
	q = at + ln;
	switch (what) {
	case CHANGE: /* a byte that makes it no line */
		memcpy(out + o, at, ln);
		out[o + 1] ^= 4;
		o += ln;
		break;
	case CHANGE_SAME: { /* another outcome, well formed */
		char *r = memmem(at, ln, "consent.none", 12);

		assert_non_null(r);
		memcpy(out + o, at, ln);
		memcpy(out + o + (r - at), "consent.nonf", 12);
		o += ln;
		break;
	}
	case REMOVE:
		break;
	case SWAP:
		at = nth(p, n, line + 1, &ln2);
		memcpy(out + o, at, ln2);
		memcpy(out + o + ln2, q - ln, ln);
		o += ln + ln2;
		q = at + ln2;
		break;
	case DUPLICATE:
		memcpy(out + o, at, ln);
		memcpy(out + o + ln, at, ln);
		o += 2 * ln;
		break;
	case CUT:
		memcpy(out + o, at, ln / 2);
		o += ln / 2;
		q = p + n;
		break;
	default:
		q = p + n;
		break;
	}
	memcpy(out + o, q, (size_t)(p + n - q));
	spill(rel, out, o + (size_t)(p + n - q));
	free(out);
	free(p);
}

/* Day, line and way; what the look must say, with file and line. Lines 9 are the last ones, with an outcome. */
static const struct {
	const char *rel;
	unsigned line;
	enum what what;
	const char *says;
} ways[] = {
	{ LOG0, 3, CHANGE, LOG0 ":3: E-2" },
	{ LOG0, 6, CHANGE_SAME, LOG0 ":6: E-3" },
	{ LOG0, 3, REMOVE, LOG0 ":3: E-4: event 3 is missing" },
	{ LOG0, 3, SWAP, LOG0 ":3: E-4" },
	{ LOG0, 3, DUPLICATE, LOG0 ":4: E-4: event 3 stands behind event 3" },
	{ LOG0, 4, CUT, LOG0 ":4: E-2: not a whole line" },
	{ LOG0, 5, CUT_LINE, LOG0 ":4: E-6: ends with event 4, its root with 10" },
	{ LOG0, 10, CHANGE_SAME, LOG0 ":10: E-6" },
	{ LOG0, 10, REMOVE, LOG0 ":9: E-6" },
	{ LOG1, 1, CHANGE, LOG1 ":1: E-2" },
	{ LOG1, 1, REMOVE, LOG1 ":1: E-4: event 11 is missing" },
	{ LOG1, 9, DUPLICATE, LOG1 ":10: E-4" },
	{ LOG1, 1, CUT_LINE, "E-6: ends with event 10, its root with 19" },
	{ LOG2, 1, CHANGE, LOG2 ":1: E-2" },
	{ LOG2, 5, CHANGE_SAME, LOG2 ":5: E-3" },
	{ LOG2, 9, CHANGE_SAME, LOG2 ":9: E-9: changed since it was written" },
	{ LOG2, 3, REMOVE, LOG2 ":3: E-4" },
	{ LOG2, 9, REMOVE, "evidence/head:0: E-9: event 28" },
	{ LOG2, 9, CUT, LOG2 ":9: E-2" },
	{ LOG2, 9, DUPLICATE, LOG2 ":10: E-4" },
	{ LOG2, 7, SWAP, LOG2 ":7: E-4" },
	{ LOG2, 1, CUT_LINE, "evidence/head:0: E-9: event 28" },
};

static void tampered(void **state)
{
	struct stat st;

	(void)state;
	three_days();
	look_clean();
	shell("cp -a '%s' '%s.good'", store_dir, store_dir);
	for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
		struct evlog *l = NULL;
		char why[512] = "", log[16];

		tamper(ways[i].rel, ways[i].line, ways[i].what);
		look_finds(ways[i].says);
		/* what the newest day has lost or changed, no writer goes on with, and nothing is repaired away */
		if (!strcmp(ways[i].rel, LOG2)) {
			int rc = evlog_open(store_dir, &l, why, sizeof(why));

			if (rc != -EBADMSG || !strstr(why, ways[i].line == 1 && ways[i].what == CUT_LINE ? LOG1 ":10" : LOG2 ":"))
				fail_msg("way %zu: %d %s", i, rc, why);
			look_finds(ways[i].says);
		}
		snprintf(log, sizeof(log), "%s", ways[i].rel + 9);
		shell("cp -a '%s.good/%s' '%s/%s'", store_dir, ways[i].rel, store_dir, ways[i].rel);
		assert_int_equal(stat(store_dir, &st), 0);
		look_clean();
	}
}

/* Every single bit of every file of the log: changed, it is found. */
static void every_byte(void **state)
{
	static const char *const files[] = { LOG0, LOG1, LOG2, "evidence/2026-11-23.root", "evidence/2026-11-24.root",
					     "evidence/root.pub" };

	(void)state;
	three_days();
	for (size_t f = 0; f < sizeof(files) / sizeof(*files); f++) {
		size_t n;
		char *p = slurp(files[f], &n);

		for (size_t i = 0; i < n; i += f < 3 ? 5 : 1) {
			struct evlog_look how = { 0 };
			struct evlog_report r;
			char why[512];
			int rc;

			p[i] ^= (char)(1 << (i & 7));
			spill(files[f], p, n);
			rc = evlog_look(store_dir, &how, &r, why, sizeof(why));
			if (rc ? rc != -EBADMSG || f != 5 : !r.damaged)
				fail_msg("%s: byte %zu: %d", files[f], i, rc);
			p[i] ^= (char)(1 << (i & 7));
		}
		spill(files[f], p, n);
		free(p);
	}
	look_clean();
}

static void missing_files(void **state)
{
	static const struct {
		const char *rel, *says;
	} m[] = {
		{ "2026-11-23.log", "evidence/2026-11-23.log:0: E-6: missing, and its root is there" },
		{ "2026-11-24.log", "evidence/2026-11-24.log:0: E-6: missing, and its root is there" },
		{ "2026-11-25.log", "evidence/head:0: E-9: event 28" },
		{ "2026-11-24.root", "evidence/2026-11-24.root:0: E-6: missing" },
		{ "head", "evidence/head:0: E-9: missing" },
		{ "-head", "evidence/head:0: E-9: no slot" },
		{ "2026-11-24.*", "evidence/2026-11-25.log:1: E-4: events 11 to 19" },
	};

	(void)state;
	three_days();
	shell("cp -a '%s' '%s.good'", store_dir, store_dir);
	for (size_t i = 0; i < sizeof(m) / sizeof(*m); i++) {
		struct evlog *l;
		char why[512] = "";

		if (m[i].rel[0] == '-')
			shell("dd if=/dev/zero of='%s/evidence/'%s bs=512 count=2 2>/dev/null", store_dir, m[i].rel + 1);
		else
			shell("rm '%s/evidence/'%s", store_dir, m[i].rel);
		look_finds(m[i].says);
		assert_int_equal(evlog_open(store_dir, &l, why, sizeof(why)), -EBADMSG);
		shell("rm -r '%s/evidence' && cp -a '%s.good/evidence' '%s/'", store_dir, store_dir, store_dir);
		look_clean();
	}
	shell("touch '%s/evidence/2026-11-23.lgo'", store_dir);
	look_finds("E-1");
}

/* Somebody with another key writes a whole new log: the public key known outside tells. */
static void foreign_key(void **state)
{
	struct evlog_look how = { 0 };
	struct evlog_report r;
	struct seen s;
	char pub[400], why[512];

	(void)state;
	three_days();
	shell("cp '%s/evidence/root.pub' '%s/noted.pub'", store_dir, base_dir);
	shell("cp -a '%s/evidence' '%s/away'", store_dir, base_dir);
	shell("rm -r '%s/evidence'", store_dir);
	three_days();
	look_clean();
	snprintf(pub, sizeof(pub), "%s/noted.pub", base_dir);
	how.public_key = pub;
	look_with(&s, &how);
	if (!strstr(s.all, "E-7") || !strstr(s.all, "E-8"))
		fail_msg("%s", s.all);
	/* one root of another key among good ones */
	shell("cp '%s/away/2026-11-23.root' '%s/evidence/'", base_dir, store_dir);
	look_finds("evidence/2026-11-23.root:0: E-7");
	open_fails(-EBADMSG, "E-7");
	shell("cp '%s/away/root.pub' '%s/evidence/'", base_dir, store_dir);
	open_fails(-EBADMSG, "does not belong");
	shell("echo >'%s/evidence/root.pub'", store_dir);
	how = (struct evlog_look){ 0 };
	assert_int_equal(evlog_look(store_dir, &how, &r, why, sizeof(why)), -EBADMSG);
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
		cmocka_unit_test(lines),
		cmocka_unit_test(times),
		cmocka_unit_test_setup_teardown(days_and_sums, fresh, gone),
		cmocka_unit_test_setup_teardown(modes_and_lock, fresh, gone),
		cmocka_unit_test_setup_teardown(what_is_wrong, fresh, gone),
		cmocka_unit_test_setup_teardown(clock_back, fresh, gone),
		cmocka_unit_test_setup_teardown(disorder, fresh, gone),
		cmocka_unit_test_setup_teardown(cut_everywhere, fresh, gone),
		cmocka_unit_test_setup_teardown(killed, fresh, gone),
		cmocka_unit_test_setup_teardown(tampered, fresh, gone),
		cmocka_unit_test_setup_teardown(every_byte, fresh, gone),
		cmocka_unit_test_setup_teardown(missing_files, fresh, gone),
		cmocka_unit_test_setup_teardown(foreign_key, fresh, gone),
		cmocka_unit_test_setup_teardown(unbalanced, fresh, gone),
		cmocka_unit_test_setup_teardown(seeds, fresh, gone),
		cmocka_unit_test_setup_teardown(threads, fresh, gone),
		cmocka_unit_test_setup_teardown(full_disk, fresh, gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
