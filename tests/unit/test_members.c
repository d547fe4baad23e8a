/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_members.c - dynamic sets: members come and go under running policies, end on their own,
 * and stay what a plain list says they are
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "policy/members.h"

#define TODAY 1796000000 /* 2026-11-30 */

#define TEXT                                                                                       \
	"set own numbers { +45 7010 20* }\n"                                                       \
	"set no-record dynamic numbers\n set back dynamic numbers { +45 7010 2099 }\n"             \
	"set spare dynamic numbers\n set fixed numbers { +45 1111 1111 }\n"                        \
	"set ag dynamic agents\n"                                                                  \
	"announcement n { language da link https://c.example/telefon elements rec doc link "       \
	"object access text \"x\" }\n"                                                             \
	"assessment d { kind documentation scope @own review 2027-09-01 no-other-way \"n\" factor 1 " \
	"relied-on \"a\"\n factor 2 relied-on \"a\"\n factor 3 relied-on \"a\"\n factor 4 relied-on " \
	"\"a\"\n factor 5 relied-on \"a\"\n factor 6 relied-on \"a\"\n}\n"                     \
	"controller c { timezone UTC numbers @own }\n"                                            \
	"never \"list\" { calling @no-record }\n"                                                  \
	"rule \"r\" { controller c side called called @own calling @back, +46 81 23* owner O review "  \
	"2027-10-01 notice n proof api documentation { basis interest "       \
	"assessment d } }\n"

static struct policy *load(void)
{
	struct policy_diags d = {0};
	struct policy *p = NULL;

	if (policy_load_mem("t", TEXT, strlen(TEXT), TODAY, &d, &p))
		for (size_t i = 0; i < d.n; i++)
			policy_diag_print(stderr, &d.d[i]);
	policy_diags_free(&d);
	assert_non_null(p);
	return p;
}

static enum policy_verdict ask(const struct policy *p, const char *calling, int64_t t)
{
	struct policy_input in = {.calling = {calling, strlen(calling)}, .called = {"+4570102030", 11}, .time = t};
	struct policy_decision d;

	policy_eval(p, &in, &d);
	return d.verdict;
}

static struct policy_member number(const char *n, int64_t until)
{
	struct policy_member m = {.until = until, .added = 5, .uid = 7};

	snprintf(m.number, sizeof(m.number), "%s", n);
	return m;
}

static int add(struct policy_members *m, const char *set, const char *n, int64_t until)
{
	struct policy_member x = number(n, until);

	return policy_members_add(m, set, &x);
}

static void decides(void **state)
{
	struct policy_members *m;
	struct policy *p = load(), *q;

	(void)state;
	assert_int_equal(policy_members_new(&m), 0);
	assert_int_equal(ask(p, "+4681234", 100), POLICY_MATCH); /* not bound: as if empty */
	assert_int_equal(policy_bind(p, m), 0);
	assert_int_equal(ask(p, "+4681234", 100), POLICY_MATCH);
	assert_int_equal(add(m, "no-record", "+4681234", 0), 0);
	assert_int_equal(ask(p, "+4681234", 100), POLICY_NEVER);
	/* another policy of the same sets, later */
	q = load();
	assert_int_equal(ask(q, "+4681234", 100), POLICY_MATCH);
	assert_int_equal(policy_bind(q, m), 0);
	assert_int_equal(ask(q, "+4681234", 100), POLICY_NEVER);
	assert_int_equal(policy_members_del(m, "no-record", "+4681234"), 0);
	assert_int_equal(ask(p, "+4681234", 100), POLICY_MATCH);
	assert_int_equal(ask(q, "+4681234", 100), POLICY_MATCH);
	/* permits; what the file says stays */
	assert_int_equal(ask(p, "+4511112222", 100), POLICY_NO_MATCH);
	assert_int_equal(ask(p, "+4570102099", 100), POLICY_MATCH);
	assert_int_equal(add(m, "back", "+4511112222", 200), 0);
	assert_int_equal(ask(p, "+4511112222", 199), POLICY_MATCH);
	assert_int_equal(ask(p, "+4511112222", 200), POLICY_NO_MATCH);
	assert_int_equal(policy_members_expire(m, 200), 1);
	assert_int_equal(ask(p, "+4511112222", 100), POLICY_NO_MATCH);
	policy_free(p);
	policy_free(q);
	policy_members_free(m);
}

static void refuses(void **state)
{
	static const char *const bad[] = {"", "4570102030", "+0123456", "+123", "+1234567890123456", "+4570*", "+45701020-30", "+4570 1020"};
	struct policy_member x = number("+4570102030", 0);
	char n[POLICY_NUMBER_MAX], note[POLICY_NOTE_MAX + 2];
	struct policy_members *m;

	(void)state;
	assert_int_equal(policy_members_new(&m), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(policy_member_number(bad[i], n), -EINVAL);
		assert_int_equal(add(m, "s", bad[i], 0), -EINVAL);
	}
	assert_int_equal(add(m, "", "+4570102030", 0), -EINVAL);
	assert_int_equal(add(m, "a\nb", "+4570102030", 0), -EINVAL);
	assert_int_equal(add(m, "s", "+4570102030", -1), -EINVAL);
	memset(note, 'x', sizeof(note));
	note[POLICY_NOTE_MAX + 1] = 0;
	x.note = note;
	assert_int_equal(policy_members_add(m, "s", &x), -EINVAL);
	note[POLICY_NOTE_MAX] = 0;
	assert_int_equal(policy_members_add(m, "s", &x), 0);
	note[3] = '\033';
	assert_int_equal(policy_members_add(m, "s", &x), -EINVAL);
	assert_int_equal(policy_members_del(m, "s", "+4570102031"), -ENOENT);
	assert_int_equal(policy_members_del(m, "t", "+4570102030"), -ENOENT);
	assert_int_equal(policy_members_count(m, NULL, 0), 1);
	policy_members_free(m);
}

static void use(void **state)
{
	struct policy *p = load();
	unsigned u = 9;

	(void)state;
	assert_int_equal(policy_set_use(p, "no-record", &u), 0);
	assert_int_equal(u, POLICY_SET_DENIES);
	assert_int_equal(policy_set_use(p, "back", &u), 0);
	assert_int_equal(u, POLICY_SET_PERMITS);
	assert_int_equal(policy_set_use(p, "spare", &u), 0);
	assert_int_equal(u, 0);
	assert_int_equal(policy_set_use(p, "fixed", &u), -EINVAL);
	assert_int_equal(policy_set_use(p, "ag", &u), -ENOTSUP);
	assert_int_equal(policy_set_use(p, "nothing", &u), -ENOENT);
	policy_free(p);
}

#define N 3000

/* Random changes against a plain array: nothing is lost when slots move. */
static void model(void **state)
{
	static int64_t until[N]; /* -1 not there */
	struct policy_member got;
	struct policy_members *m;
	uint64_t at = 0, x = 88172645463325252ULL;
	size_t live = 0, seen = 0;
	char n[32];

	(void)state;
	assert_int_equal(policy_members_new(&m), 0);
	for (size_t i = 0; i < N; i++)
		until[i] = -1;
	for (int step = 0; step < 200000; step++) {
		x ^= x << 13, x ^= x >> 7, x ^= x << 17;
		size_t i = x % N;
		bool in = until[i] >= 0;

		snprintf(n, sizeof(n), "+4570%06zu", i);
		switch (x >> 32 & 7) {
		case 0:
		case 1:
		case 2:
			assert_int_equal(policy_members_del(m, "s", n), in ? 0 : -ENOENT);
			live -= in;
			until[i] = -1;
			break;
		case 3:
		case 4:
		case 5:
			until[i] = (int64_t)(x >> 40 & 1) * 1000;
			assert_int_equal(add(m, "s", n, until[i]), in);
			live += !in;
			break;
		default:
			assert_int_equal(policy_members_has(m, "s", n, 999), in);
			assert_int_equal(policy_members_has(m, "s", n, 1000), until[i] == 0);
		}
	}
	assert_int_equal(policy_members_count(m, "s", 0), live);
	while (policy_members_next(m, "s", &at, &got)) {
		size_t i = (size_t)atoi(got.number + 5);

		assert_int_equal(got.until, until[i]);
		assert_int_equal(got.uid, 7);
		seen++;
	}
	assert_int_equal(seen, live);
	policy_members_expire(m, 1000);
	for (size_t i = 0; i < N; i++) {
		snprintf(n, sizeof(n), "+4570%06zu", i);
		assert_int_equal(policy_members_has(m, "s", n, 1), until[i] == 0);
	}
	policy_members_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decides),
		cmocka_unit_test(refuses),
		cmocka_unit_test(use),
		cmocka_unit_test(model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
