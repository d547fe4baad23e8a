/* SPDX-License-Identifier: BSD-2-Clause */
/* test_polhist.c - the history of the running policy: one spelling, the state it gives, torn and damaged files */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "policies_kept.h"
#include "polhist.h"

static char store[64], path[128];
static struct polhist_state st; /* large */

static int setup(void **state)
{
	(void)state;
	strcpy(store, "/tmp/optag-polhist.XXXXXX");
	if (!mkdtemp(store))
		return -1;
	snprintf(path, sizeof(path), "%s/policies/history", store);
	return 0;
}

static int teardown(void **state)
{
	char dir[96];

	(void)state;
	unlink(path);
	snprintf(dir, sizeof(dir), "%s/policies", store);
	rmdir(dir);
	rmdir(store);
	return 0;
}

static struct polhist_line line(enum polhist_what what, char hash)
{
	struct polhist_line l = { .n = 1, .at_ns = 1795000000000000000, .what = what, .uid = 1000,
				  .how = what == POLHIST_LOAD ? POLHIST_H_APPLY : POLHIST_H_NONE };

	memset(l.policy, hash, 64);
	memset(l.was, '0', 64);
	if (what == POLHIST_STOP || what == POLHIST_START)
		strcpy(l.rule, "claims \xc3\xa6\xc3\xb8\xc3\xa5 \"x\"");
	if (what == POLHIST_APPROVE)
		strcpy(l.approver, "anna");
	if (what == POLHIST_PROPOSE || what == POLHIST_STAGE)
		l.until_ns = l.at_ns + 1;
	if (what == POLHIST_PROPOSE || what == POLHIST_APPROVE)
		strcpy(l.set, "no-record");
	return l;
}

static void test_lines(void **state)
{
	char text[POLHIST_LINE_MAX], again[POLHIST_LINE_MAX];
	struct polhist_line l, m;
	size_t n;

	(void)state;
	for (int w = 0; w < POLHIST_WHATS; w++) {
		l = line((enum polhist_what)w, 'b');
		strcpy(l.reason, "because \\ of \"it\"");
		l.change[0] = 7;
		n = polhist_format(&l, text);
		assert_true(n > 2 && text[n - 1] == '\n' && !memchr(text, '\n', n - 1));
		assert_int_equal(polhist_parse(text, n - 1, &m), 0);
		assert_int_equal(polhist_format(&m, again), n);
		assert_memory_equal(text, again, n);
		assert_int_equal(m.uid, 1000);
		assert_string_equal(m.set, l.set);
		for (size_t i = 0; i < n - 1; i++) /* cut anywhere it is none */
			assert_int_equal(polhist_parse(text, i, &m), -EBADMSG);
	}
	/* a rule that is none, no deadline, no approver, an unknown member */
	l = line(POLHIST_STOP, 'b');
	l.rule[0] = 0;
	assert_int_equal(polhist_format(&l, text), 0);
	l = line(POLHIST_PROPOSE, 'b');
	l.until_ns = 0;
	assert_int_equal(polhist_format(&l, text), 0);
	l = line(POLHIST_APPROVE, 'b');
	l.approver[0] = 0;
	assert_int_equal(polhist_format(&l, text), 0);
	l = line(POLHIST_CONFIRM, 'x');
	assert_int_equal(polhist_format(&l, text), 0);
	l = line(POLHIST_CONFIRM, 'b');
	strcpy(l.reason, "two\nlines");
	assert_int_equal(polhist_format(&l, text), 0);
	l.reason[0] = 0;
	n = polhist_format(&l, text);
	snprintf(again, sizeof(again), "{\"x\":1,%.*s", (int)n - 2, text + 1);
	assert_int_equal(polhist_parse(again, strlen(again), &m), -EBADMSG);
}

static struct polhist *reopen(struct polhist *h)
{
	char why[256] = "";

	polhist_close(h);
	h = NULL;
	if (polhist_open(store, &h, &st, why, sizeof(why)))
		fail_msg("%s", why);
	return h;
}

static uint64_t append(struct polhist *h, struct polhist_line l)
{
	uint8_t hash[32];

	assert_int_equal(polhist_append(h, &l, hash), 0);
	assert_int_equal(polhist_apply(&st, &l), 0);
	return l.n;
}

static void test_state(void **state)
{
	struct polhist *h = reopen(NULL);
	struct polhist_line l;

	(void)state;
	assert_int_equal(st.now.n, 0);
	assert_true(st.confirmed);
	assert_int_equal(append(h, line(POLHIST_LOAD, 'a')), 1);
	l = line(POLHIST_LOAD, 'b');
	l.until_ns = l.at_ns + 600;
	assert_int_equal(append(h, l), 2);
	assert_false(st.confirmed);
	h = reopen(h);
	assert_false(st.confirmed);
	assert_int_equal(st.now.policy[0], 'b');
	append(h, line(POLHIST_CONFIRM, 'b'));
	append(h, line(POLHIST_STOP, 'b'));
	append(h, line(POLHIST_STOP, 'b')); /* twice is once */
	append(h, line(POLHIST_PROPOSE, 'c'));
	append(h, line(POLHIST_STAGE, 'd'));
	h = reopen(h);
	assert_true(st.confirmed);
	assert_int_equal(st.nstop, 1);
	assert_int_equal(st.stop[0].n, 5);
	assert_non_null(polhist_stop(&st, line(POLHIST_STOP, 'b').rule));
	assert_null(polhist_stop(&st, "claims"));
	assert_int_equal(st.stage.policy[0], 'd');
	l = line(POLHIST_PROPOSE, 'c');
	assert_int_equal(polhist_proposal(&st, l.policy)->n, 6);
	append(h, line(POLHIST_CANCEL, 'd'));
	append(h, line(POLHIST_START, 'b'));
	h = reopen(h);
	assert_int_equal(st.stage.n, 0);
	assert_int_equal(st.now.files[0], 'd');
	assert_int_equal(st.nstop, 0);
	append(h, line(POLHIST_STAGE, 'e'));
	append(h, line(POLHIST_LOAD, 'f')); /* what was staged was a step from another policy */
	assert_int_equal(st.stage.n, 0);
	polhist_close(h);
}

static void test_limits(void **state)
{
	struct polhist *h = reopen(NULL);
	struct polhist_line l = line(POLHIST_STOP, 'a');

	(void)state;
	for (int i = 0; i < POLHIST_STOPS; i++) {
		snprintf(l.rule, sizeof(l.rule), "rule %d", i);
		append(h, l);
	}
	strcpy(l.rule, "one more");
	assert_int_equal(polhist_apply(&st, &l), -ENOSPC);
	assert_int_equal(st.nstop, POLHIST_STOPS);
	for (int i = 0; i < POLHIST_PROPOSALS + 1; i++) {
		l = line(POLHIST_PROPOSE, "0123456789abcdef"[i % 16]);
		l.policy[63] = "0123456789abcdef"[i / 16];
		append(h, l);
	}
	h = reopen(h);
	assert_int_equal(st.nproposal, POLHIST_PROPOSALS);
	l = line(POLHIST_PROPOSE, '0');
	assert_null(polhist_proposal(&st, l.policy)); /* the oldest gave way */
	polhist_close(h);
}

static int count(void *arg, const struct polhist_line *l)
{
	uint64_t *n = arg;

	assert_true(!n[0] || l->n == n[1] - 1);
	n[0]++;
	n[1] = l->n;
	return 0;
}

static void test_pages(void **state)
{
	struct polhist *h = reopen(NULL);
	uint64_t n[2] = { 0 };

	(void)state;
	assert_int_equal(polhist_page(store, 0, 10, count, n), 0);
	assert_int_equal(n[0], 0);
	for (int i = 0; i < 25; i++)
		append(h, line(POLHIST_LOAD, 'a'));
	assert_int_equal(polhist_page(store, 0, 10, count, n), 0);
	assert_true(n[0] == 10 && n[1] == 16);
	assert_int_equal(polhist_page(store, 16, 100, count, n), 0);
	assert_true(n[0] == 25 && n[1] == 1);
	polhist_close(h);
}

/* Cut at every byte: what is whole stays, and the next line goes on from there. Changed, it is refused. */
static void test_damage(void **state)
{
	struct polhist *h = reopen(NULL);
	char why[256], text[8192], *nl;
	size_t len, lines;
	FILE *f;

	(void)state;
	append(h, line(POLHIST_LOAD, 'a'));
	append(h, line(POLHIST_STOP, 'a'));
	append(h, line(POLHIST_LOAD, 'b'));
	polhist_close(h);
	f = fopen(path, "r");
	len = fread(text, 1, sizeof(text), f);
	fclose(f);
	for (size_t cut = 0; cut <= len; cut++) {
		f = fopen(path, "w");
		assert_int_equal(fwrite(text, 1, cut, f), cut);
		fclose(f);
		for (lines = 0, nl = text; (nl = memchr(nl, '\n', cut - (size_t)(nl - text))); nl++)
			lines++;
		h = reopen(NULL);
		assert_int_equal(st.n, lines);
		assert_int_equal(append(h, line(POLHIST_LOAD, 'c')), lines + 1);
		h = reopen(h);
		assert_int_equal(st.now.policy[0], 'c');
		polhist_close(h);
	}
	text[8] = '9';
	f = fopen(path, "w");
	assert_int_equal(fwrite(text, 1, len, f), len);
	fclose(f);
	assert_int_equal(polhist_open(store, &h, &st, why, sizeof(why)), -EBADMSG);
	assert_non_null(strstr(why, "line 1 is damaged"));
}

static int no_line(void *arg, const struct polhist_line *l)
{
	(void)arg;
	(void)l;
	return 0;
}

/* Who plants a link in the place of the directory, or of a file in it, has nothing read or written elsewhere. */
static void test_links(void **state)
{
	char out[96], name[512], *text = NULL, why[256];
	struct polhist *h = NULL;
	size_t n = 0;

	(void)state;
	snprintf(out, sizeof(out), "%s/out", store);
	assert_int_equal(mkdir(out, 0700), 0);
	snprintf(name, sizeof(name), "%s/out/x", store);
	assert_int_equal(close(open(name, O_CREAT | O_WRONLY | O_CLOEXEC, 0600)), 0);
	snprintf(name, sizeof(name), "%s/out/history", store);
	assert_int_equal(close(open(name, O_CREAT | O_WRONLY | O_CLOEXEC, 0600)), 0);
	snprintf(name, sizeof(name), "%s/policies", store);
	assert_int_equal(symlink("out", name), 0);
	assert_int_equal(policy_read_file(store, "x", 100, &text, &n), -ELOOP);
	assert_int_equal(policy_write_file(store, "y", "text", 4), -ELOOP);
	assert_int_equal(policies_keep_once(store, "z", "text", 4, why, sizeof(why)), -ELOOP);
	assert_int_equal(polhist_page(store, 0, 9, no_line, NULL), -ELOOP);
	assert_int_not_equal(polhist_open(store, &h, &st, why, sizeof(why)), 0);
	assert_int_equal(unlink(name), 0);
	assert_int_equal(mkdir(name, 0700), 0);
	snprintf(name, sizeof(name), "%s/policies/x", store);
	assert_int_equal(symlink("../out/x", name), 0);
	assert_int_equal(policy_read_file(store, "x", 100, &text, &n), -ELOOP);
	assert_int_equal(policy_write_file(store, "x", "text", 4), 0); /* in the link's place */
	assert_int_equal(policy_read_file(store, "x", 100, &text, &n), 0);
	assert_true(n == 4 && !memcmp(text, "text", 4));
	free(text);
	assert_int_equal(policies_keep_once(store, "x", "text", 4, why, sizeof(why)), 0);
	assert_int_equal(policies_keep_once(store, "x", "other", 5, why, sizeof(why)), -EEXIST);
	snprintf(name, sizeof(name), "test ! -s %s/out/x && test ! -s %s/out/history && test \"$(ls %s/out | wc -l)\" = 2 && rm -r %s/out %s/policies/x",
		 store, store, store, store, store);
	assert_int_equal(system(name), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test_setup_teardown(test_state, setup, teardown),
		cmocka_unit_test_setup_teardown(test_limits, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pages, setup, teardown),
		cmocka_unit_test_setup_teardown(test_damage, setup, teardown),
		cmocka_unit_test_setup_teardown(test_links, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
