/* SPDX-License-Identifier: BSD-2-Clause */
/* test_evlog_damage.c - the evidence log after kills, cuts, and every way to tamper with it */
#include <dirent.h>
#include <sched.h>
#include <signal.h>

#include "evlog_util.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(cut_everywhere, fresh, gone),
		cmocka_unit_test_setup_teardown(killed, fresh, gone),
		cmocka_unit_test_setup_teardown(tampered, fresh, gone),
		cmocka_unit_test_setup_teardown(every_byte, fresh, gone),
		cmocka_unit_test_setup_teardown(missing_files, fresh, gone),
		cmocka_unit_test_setup_teardown(foreign_key, fresh, gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
