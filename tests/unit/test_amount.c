/* SPDX-License-Identifier: BSD-2-Clause */
/* test_amount.c - calls that were drawn, and a policy that wants fewer: slots, records, what an auditor says; who is told of a full cap */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store_util.h"

#include "base/clock.h"
#include "call/call.h"
#include "evidence.h"
#include "policy/policy.h"

static const char *rule_more = "";

static struct policy *policy_of(const char *sample)
{
	struct policy_diags d = { 0 };
	struct policy *p = NULL;
	char text[4096];

	snprintf(text, sizeof(text),
		 "trunk t { address 10.0.0.2 }\nset own numbers { +45 7010 20* }\n"
		 "announcement n { language da link https://c.example/t elements rec train link access optout then optout-key:9 text \"x\" }\n"
		 "assessment a { kind training-amount scope @own review 2027-09-01 without-consent \"w\" approver \"A\" second-approver \"B\" }\n"
		 "controller c { timezone UTC languages da numbers @own roles r }\n"
		 "rule \"a\" { controller c side called called +45 7010 2010 owner O review 2027-10-01 notice n notice-proof attested\n"
		 " training { basis interest assessment a opt-out key 9 opt-out agent api %s spread first-come use-within 5 days }\n"
		 " roles training r %s }\n",
		 sample, rule_more);
	if (policy_load_mem("t", text, strlen(text), (int64_t)(T0 / 1000000000), &d, &p))
		for (size_t i = 0; i < d.n; i++)
			print_error("%s\n", d.d[i].text);
	policy_diags_free(&d);
	assert_non_null(p);
	return p;
}

/* What the policy says of alarms is what the recorder is told. */
static void test_alarm_words(void **state)
{
	static const struct {
		const char *text;
		unsigned alarms;
	} t[] = { { "", POLICY_ALARM_ALL }, { "alarm on", POLICY_ALARM_ALL }, { "alarm off", 0 },
		  { "alarm quota, gap", POLICY_ALARM_QUOTA | POLICY_ALARM_GAP },
		  { "alarm notice-missing, utilisation, overdue", POLICY_ALARM_NOTICE | POLICY_ALARM_USE | POLICY_ALARM_OVERDUE } };

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct policy *p;

		rule_more = t[i].text;
		p = policy_of("sample 2% cap 2 per day");
		rule_more = "";
		assert_int_equal(policy_rule(p, 0)->alarms, t[i].alarms);
		policy_free(p);
	}
}

static void call_begins(struct call *c, const char *id, const struct policy *p)
{
	memset(c, 0, sizeof(*c));
	c->matched = true;
	c->call_id = id;
	c->policy = p;
	c->rule = policy_rule(p, 0);
	c->reason[0] = c->reason[1] = "";
	c->state[POLICY_TRAINING] = PURPOSE_PENDING;
	memcpy(c->uid.b, id, 2);
}

static void test_redraw(void **state)
{
	struct policy *two = policy_of("sample 100% cap 2 per day"), *one = policy_of("sample 100% cap 1 per day"),
		      *none = policy_of("sample 0.1% cap 2 per day");
	struct evidence *ev;
	struct call a, b, c;
	char why[512] = "";

	(void)state;
	clock_set_ns(T0);
	assert_int_equal(evidence_new(&(struct evidence_settings){ .dir = store_dir }, &ev, why, sizeof(why)), 0);
	assert_int_equal(evidence_start(ev, why, sizeof(why)), 0);
	call_begins(&a, "aa", two);
	call_begins(&b, "bb", two);
	call_begins(&c, "cc", two);
	assert_null(evidence_draw(ev, &a));
	assert_null(evidence_draw(ev, &b));
	assert_string_equal(evidence_draw(ev, &c), "quota.rule");
	/* one of the two may stay: the first that is asked gives its slot back and finds the other's */
	assert_string_equal(evidence_redraw(ev, &a, policy_rule(one, 0)), "quota.rule");
	assert_int_equal(a.decide.sample_slot, 0);
	assert_null(evidence_redraw(ev, &b, policy_rule(one, 0)));
	assert_true(b.decide.sample_slot && !b.decide.sample_waits);
	/* by the percent: the same number is drawn again, as it is the same call on the same day */
	assert_string_equal(evidence_redraw(ev, &b, policy_rule(none, 0)), "sample.draw");
	assert_int_equal(b.decide.sample_slot, 0);
	assert_int_equal(evidence_finish(ev), 0);
	evidence_free(ev);
	policy_free(two);
	policy_free(one);
	policy_free(none);
	if (getenv("BIN"))
		shell("'%s/optag' audit recompute-sample --store '%s' >/dev/null", getenv("BIN"), store_dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_alarm_words),
		cmocka_unit_test_setup_teardown(test_redraw, make_store, drop_store),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
