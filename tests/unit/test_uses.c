/* SPDX-License-Identifier: BSD-2-Clause */
/* test_uses.c - STORE/used: one spelling, torn and damaged files; what a use of no store answers */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "uses.h"

static char dir[64], path[96];

static int setup(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/optag-uses.XXXXXX");
	snprintf(path, sizeof(path), "%s/used", mkdtemp(dir) ? dir : "");
	return *path ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(dir);
}

static struct uses_line line(uint8_t call)
{
	struct uses_line l = { .kind = "scored", .by = "anna.b", .at_ns = 1795000000000000000, .uid = 1501 };

	memset(l.call.b, 0, sizeof(l.call.b));
	l.call.b[15] = call;
	return l;
}

static void test_lines(void **state)
{
	struct uses_line l = line(7), m;
	char text[USES_LINE_MAX];
	size_t n = uses_format(&l, text);

	(void)state;
	assert_int_equal(uses_parse(text, n - 1, &m), 0);
	assert_true(uid_equal(&l.call, &m.call));
	assert_string_equal(m.kind, "scored");
	assert_string_equal(m.by, "anna.b");
	assert_true(m.at_ns == l.at_ns && m.uid == l.uid);
	for (size_t i = 0; i < n - 1; i++)
		assert_int_equal(uses_parse(text, i, &m), -EBADMSG);
	assert_int_equal(uses_parse(text, n, &m), -EBADMSG);
}

static bool used(void *arg, const struct evidence_used *u)
{
	(void)arg;
	(void)u;
	return true;
}

static int open_it(struct uses **ret)
{
	struct uses_settings s = { .store = dir, .used = used };

	return uses_new(&s, ret);
}

/* Cut anywhere: the whole lines count, and the file ends after them. */
static void test_torn(void **state)
{
	char text[3 * USES_LINE_MAX];
	size_t n = 0;
	struct uses *u;

	(void)state;
	for (uint8_t i = 0; i < 3; i++) {
		struct uses_line l = line(i);

		n += uses_format(&l, text + n);
	}
	for (size_t cut = 0; cut <= n; cut++) {
		FILE *f = fopen(path, "w");
		long whole = 0;

		assert_int_equal(fwrite(text, 1, cut, f), cut);
		fclose(f);
		for (size_t i = 0; i < cut; i++)
			if (text[i] == '\n')
				whole = (long)i + 1;
		assert_int_equal(open_it(&u), 0);
		assert_string_equal(uses_why(u), "");
		uses_free(u);
		f = fopen(path, "r");
		fseek(f, 0, SEEK_END);
		assert_int_equal(ftell(f), whole);
		fclose(f);
	}
}

/* It is no reason not to record; no use counts, and the file stays as it is. */
static void test_damaged(void **state)
{
	struct ctl_peer peer = { .client = 1 };
	struct uses *u = NULL;
	char why[512] = "";
	FILE *f = fopen(path, "w");
	json_t *rq = json_pack("{s:s,s:s,s:s,s:s}", "do", "use", "call", "01M8QVB99939CZWVQX7ETPAQ3P", "kind", "played", "by", "anna");

	(void)state;
	fputs("{\"call\":\"x\"}\n{\"ca", f);
	fclose(f);
	assert_int_equal(open_it(&u), 0);
	assert_non_null(strstr(uses_why(u), "line 1"));
	assert_int_equal(json_object_set_new(rq, "by", json_string("anna.20-30-40-50")), 0);
	assert_int_equal(uses_ctl(u, &peer, rq, why, sizeof(why)), -EINVAL);
	assert_non_null(strstr(why, "telephone number"));
	assert_int_equal(json_object_set_new(rq, "by", json_string("anna")), 0);
	assert_int_equal(uses_ctl(u, &peer, rq, why, sizeof(why)), -EBADMSG);
	assert_non_null(strstr(why, "line 1"));
	uses_free(u);
	json_decref(rq);
	assert_int_equal(truncate(path, 256 << 20 | 1), 0);
	assert_int_equal(open_it(&u), 0);
	assert_true(*uses_why(u));
	uses_free(u);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test_setup_teardown(test_torn, setup, teardown),
		cmocka_unit_test_setup_teardown(test_damaged, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
