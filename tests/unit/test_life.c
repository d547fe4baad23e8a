/* SPDX-License-Identifier: BSD-2-Clause */
/* test_life.c - the law run over a call's log, and what a policy says of its objects */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "life.h"
#include "policies_kept.h"
#include "policy/describe.h"

static struct policy_rule rule_of(enum policy_basis doc, enum policy_basis train, bool special)
{
	struct policy_rule r = {.name = "r", .min_length = {4, POLICY_U_S}};

	r.purpose[POLICY_DOCUMENTATION].basis = doc;
	r.purpose[POLICY_TRAINING].basis = train;
	r.purpose[POLICY_TRAINING].special = special;
	r.purpose[POLICY_TRAINING].on_loss = -1;
	r.on_missing_notice = POLICY_MISSING_QUARANTINE;
	return r;
}

struct said {
	enum evlog_kind kind;
	enum evlog_purpose purpose;
	enum evlog_source source;
	const char *reason;
};

static struct life_result law(const struct policy_rule *r, const struct said *s, size_t n)
{
	struct life l = {0};
	struct life_how how;
	struct life_result res;

	for (size_t i = 0; i < n; i++)
		life_event(&l, &(struct evlog_event){.kind = s[i].kind,
						     .purpose = s[i].purpose,
						     .source = s[i].source,
						     .reason = s[i].reason});
	assert_true(l.matched);
	assert_false(l.overflow);
	life_as_logged(&l, r, &how);
	life_run(&l, &how, &res);
	return res;
}
#define LAW(r, ...)                                                                                \
	law(r, (const struct said[]){{EVLOG_CALL_MATCH, 0, 0, NULL}, __VA_ARGS__},                 \
	    sizeof((const struct said[]){{EVLOG_CALL_MATCH, 0, 0, NULL}, __VA_ARGS__}) /           \
		    sizeof(struct said))
#define IS(x, p, s, why)                                                                           \
	do {                                                                                       \
		struct life_result got = (x);                                                      \
		assert_string_equal(purpose_state_name(got.state[p]), #s);                         \
		assert_string_equal(got.reason[p], why);                                           \
	} while (0)

#define DOC   POLICY_DOCUMENTATION
#define TRAIN POLICY_TRAINING
#define D     EVLOG_P_DOCUMENTATION
#define T     EVLOG_P_TRAINING
#define IN                                                                                         \
	{                                                                                          \
		EVLOG_SAMPLE_IN, T, EVLOG_S_SAMPLER, "sample.in"                                   \
	}
#define TOLD                                                                                       \
	{                                                                                          \
		EVLOG_NOTICE_PLAYED, 0, EVLOG_S_POLICY, "attested"                                 \
	}

static void test_consent(void **state)
{
	struct policy_rule r = rule_of(POLICY_B_INTEREST, POLICY_B_CONSENT, false);

	(void)state;
	IS(LAW(&r, IN, TOLD, {EVLOG_CONSENT_GIVEN, T, EVLOG_S_CALLER, "rfc4733"}), TRAIN, GRANTED,
	   "");
	IS(LAW(&r, IN, TOLD, {EVLOG_CONSENT_GIVEN, T, EVLOG_S_CALLER, "rfc4733"}), DOC, GRANTED,
	   "");
	IS(LAW(&r, IN, TOLD, {EVLOG_CONSENT_NONE, T, EVLOG_S_TIMER, "timeout"}), TRAIN, DENIED,
	   "consent.none");
	IS(LAW(&r, IN, TOLD), TRAIN, DENIED, "consent.none"); /* INV-2: silence */
	IS(LAW(&r, IN, {EVLOG_NOTICE_MISSING, 0, EVLOG_S_TIMER, NULL}), TRAIN, DENIED,
	   "notice.missing");
	IS(LAW(&r, IN, {EVLOG_NOTICE_MISSING, 0, EVLOG_S_TIMER, NULL}), DOC, OBJECTED,
	   "notice.missing");
	/* a grant that the log has without a consent grants nothing */
	IS(LAW(&r, IN, TOLD, {EVLOG_PURPOSE_GRANT, T, EVLOG_S_POLICY, NULL}), TRAIN, DENIED,
	   "consent.none");
	IS(LAW(&r, IN, TOLD, {EVLOG_CONSENT_GIVEN, T, EVLOG_S_CALLER, NULL},
	       {EVLOG_CONSENT_WITHDRAWN, T, EVLOG_S_CALLER, NULL}),
	   TRAIN, WITHDRAWN, "consent.withdrawn");
	/* silence can be mended in a window that is opened again; an opt-out before cannot */
	IS(LAW(&r, IN, TOLD, {EVLOG_CONSENT_NONE, T, EVLOG_S_TIMER, "timeout"},
	       {EVLOG_CONSENT_GIVEN, T, EVLOG_S_CALLER, NULL}),
	   TRAIN, GRANTED, "");
	IS(LAW(&r, IN, {EVLOG_OPTOUT, T, EVLOG_S_SDP, "sdp"}, TOLD,
	       {EVLOG_CONSENT_GIVEN, T, EVLOG_S_CALLER, NULL}),
	   TRAIN, DENIED, "optout");
	/* the other purpose's consent is none of ours (INV-4) */
	IS(LAW(&r, IN, TOLD, {EVLOG_CONSENT_GIVEN, D, EVLOG_S_CALLER, NULL}), TRAIN, DENIED,
	   "consent.none");
	IS(LAW(&r, {EVLOG_SAMPLE_OUT, T, EVLOG_S_SAMPLER, "quota.agent"}, TOLD,
	       {EVLOG_CONSENT_GIVEN, T, EVLOG_S_CALLER, NULL}),
	   TRAIN, DENIED, "quota.agent");
	IS(LAW(&r, {EVLOG_PURPOSE_DENY, T, EVLOG_S_TIMER, "sample.out"}), TRAIN, DENIED,
	   "sampling.unavailable");
}

static void test_opt_out_and_special(void **state)
{
	struct policy_rule r = rule_of(POLICY_B_INTEREST, POLICY_B_INTEREST, false),
			   g = rule_of(POLICY_B_INTEREST, POLICY_B_INTEREST, true);

	(void)state;
	IS(LAW(&r, IN, TOLD, {EVLOG_PURPOSE_GRANT, T, EVLOG_S_TIMER, NULL}), TRAIN, GRANTED, "");
	IS(LAW(&r, IN, TOLD), TRAIN, DENIED, "hangup");
	IS(LAW(&r, IN, TOLD, {EVLOG_OPTOUT, T, EVLOG_S_CALLER, NULL}), TRAIN, OPTED_OUT, "optout");
	IS(LAW(&r, IN, TOLD, {EVLOG_PURPOSE_GRANT, T, EVLOG_S_TIMER, NULL},
	       {EVLOG_OPTOUT_UNCERTAIN, T, EVLOG_S_CAPTURE, "loss"}),
	   TRAIN, DENIED, "optout.uncertain");
	IS(LAW(&r, IN, {EVLOG_PURPOSE_DENY, T, EVLOG_S_TIMER, "optout.no-path"}, TOLD,
	       {EVLOG_PURPOSE_GRANT, T, EVLOG_S_TIMER, NULL}),
	   TRAIN, DENIED, "optout.no-path");
	r.purpose[TRAIN].on_loss = 1;
	IS(LAW(&r, IN, TOLD, {EVLOG_PURPOSE_GRANT, T, EVLOG_S_TIMER, NULL},
	       {EVLOG_OPTOUT_UNCERTAIN, T, EVLOG_S_CAPTURE, "loss"}),
	   TRAIN, GRANTED, "");
	IS(LAW(&g, IN, TOLD, {EVLOG_OPTOUT, T, EVLOG_S_CALLER, NULL}), TRAIN, GRANTED, "");
	IS(LAW(&g, IN, TOLD, {EVLOG_OBJECTION_OPENED, T, EVLOG_S_AGENT, "grounds.absent"}), TRAIN,
	   GRANTED, "");
	IS(LAW(&g, IN, TOLD, {EVLOG_OBJECTION_OPENED, T, EVLOG_S_AGENT, "grounds.present"}), TRAIN,
	   DENIED, "objection");
	IS(LAW(&g, IN), TRAIN, DENIED, "hangup");
}

static void test_ends(void **state)
{
	struct policy_rule r = rule_of(POLICY_B_INTEREST, POLICY_B_CONSENT, false);

	(void)state;
	IS(LAW(&r, IN, TOLD, {EVLOG_PURPOSE_DENY, D, EVLOG_S_DAEMON, "too-short"}), DOC, DENIED,
	   "too-short");
	/* what was over before stays over for its own reason */
	IS(LAW(&r, IN, TOLD, {EVLOG_PURPOSE_DENY, T, EVLOG_S_DAEMON, "consent.late"}), TRAIN,
	   DENIED, "consent.none");
	IS(LAW(&r, IN, TOLD, {EVLOG_CONSENT_GIVEN, T, EVLOG_S_CALLER, NULL},
	       {EVLOG_PURPOSE_DENY, T, EVLOG_S_DAEMON, "consent.late"}),
	   TRAIN, DENIED, "consent.late");
	IS(LAW(&r, {EVLOG_PURPOSE_DENY, D, EVLOG_S_POLICY, "review.missed"},
	       {EVLOG_PURPOSE_DENY, T, EVLOG_S_POLICY, "review.missed"}),
	   DOC, DENIED, "review.missed");
	IS(LAW(&r, {EVLOG_PURPOSE_DENY, D, EVLOG_S_POLICY, "evidence.unavailable"}), DOC, DENIED,
	   "evidence.unavailable");
	IS(LAW(&r, {EVLOG_PURPOSE_DENY, D, EVLOG_S_POLICY, "max-concurrent"}), DOC, DENIED,
	   "max-concurrent");
	IS(LAW(&r, IN, TOLD, {EVLOG_CALL_KEPT, 0, 0, NULL},
	       {EVLOG_PURPOSE_EXPIRE, D, EVLOG_S_REAPER, "deadline"}),
	   DOC, EXPIRED, "deadline");
	IS(LAW(&r, IN, TOLD, {EVLOG_OBJECTION_OPENED, D, EVLOG_S_AGENT, NULL},
	       {EVLOG_CALL_KEPT, 0, 0, NULL},
	       {EVLOG_OBJECTION_DECIDED, D, EVLOG_S_OPERATOR, "upheld"}),
	   DOC, EXPIRED, "objection.upheld");
	r.on_missing_notice = POLICY_MISSING_KEEP;
	assert_int_equal(LAW(&r, IN, {EVLOG_NOTICE_MISSING, 0, EVLOG_S_TIMER, NULL}).state[DOC],
			 PURPOSE_GRANTED);
	r.on_missing_notice = POLICY_MISSING_DISCARD;
	IS(LAW(&r, IN, {EVLOG_NOTICE_MISSING, 0, EVLOG_S_TIMER, NULL}), DOC, DENIED,
	   "notice.missing");
}

/* Whatever the log has, in whatever order: silence never grants, and nothing is written past the
 * end. */
static void test_any_log(void **state)
{
	static const char *const words[] = {NULL,	  "hangup",    "timeout",
					    "sample.out", "too-short", "grounds.present",
					    "upheld",	  "unused",    "no such word"};
	struct policy_rule r = rule_of(POLICY_B_CONSENT, POLICY_B_CONSENT, false);
	uint32_t x = 7;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		struct life l = {0};
		struct life_how how;
		struct life_result res;
		bool yes[POLICY_PURPOSES] = {false};

		for (int i = 0; i < 40; i++) {
			struct evlog_event e = {0};

			x = x * 1664525 + 1013904223;
			e.kind = (enum evlog_kind)(x >> 8) % EVLOG_KINDS;
			e.purpose = (enum evlog_purpose)((x >> 20) % EVLOG_PURPOSES);
			e.source = (enum evlog_source)((x >> 16) % EVLOG_SOURCES);
			e.reason = words[(x >> 24) % (sizeof(words) / sizeof(*words))];
			life_event(&l, &e);
			for (int p = 0; p < POLICY_PURPOSES; p++)
				yes[p] |= e.kind == EVLOG_CONSENT_GIVEN &&
					  (!e.purpose || (int)e.purpose == p + 1);
		}
		assert_true(l.n <= LIFE_STEPS);
		life_as_logged(&l, &r, &how);
		life_run(&l, &how, &res);
		for (int p = 0; p < POLICY_PURPOSES; p++)
			assert_true(yes[p] || (res.state[p] != PURPOSE_GRANTED &&
					       res.state[p] != PURPOSE_OBJECTED));
	}
}

static void test_same(void **state)
{
	(void)state;
	assert_true(life_same(PURPOSE_GRANTED, "", PURPOSE_GRANTED, "optout.statute"));
	assert_false(life_same(PURPOSE_DENIED, "optout", PURPOSE_DENIED, "consent.none"));
	assert_false(life_same(PURPOSE_GRANTED, "", PURPOSE_OBJECTED, ""));
	assert_true(life_same(PURPOSE_DENIED, "policy.tightened", PURPOSE_DENIED,
			      "sampling.unavailable"));
	assert_true(life_same(PURPOSE_NONE, NULL, PURPOSE_NONE, ""));
}

/* ---- describe.h ---- */

static struct policy *load(const char *extra, const char *called, const char *words)
{
	char text[4096];
	struct policy_diags d = {0};
	struct policy *p = NULL;
	int n = snprintf(text, sizeof(text),
			 "controller c {\n name \"C\"\n cvr 12345678\n contact \"a@b.example\"\n "
			 "timezone Europe/Copenhagen\n languages en\n"
			 " numbers @own\n roles r\n lab yes\n}\n"
			 "set own numbers {\n +45 7010 20*\n}\n"
			 "announcement a {\n language en\n link https://b.example/calls\n elements "
			 "rec doc link object access\n"
			 " text \"%s [rec] [doc] [object] [access] b.example/calls [link].\"\n}\n"
			 "assessment s {\n kind documentation\n scope @own\n review 2027-06-01\n "
			 "author \"A\"\n approver \"B\"\n outcome \"o\"\n"
			 " no-other-way \"n\"\n factor 1 relied-on \"f\"\n factor 2 not-applicable "
			 "\"f\"\n factor 3 not-applicable \"f\"\n"
			 " factor 4 relied-on \"f\"\n factor 5 not-applicable \"f\"\n factor 6 "
			 "not-applicable \"f\"\n}\n"
			 "%s"
			 "rule \"one\" {\n controller c side called\n called %s\n owner \"O\"\n "
			 "review 2027-06-01\n notice a\n"
			 " notice-proof attested\n documentation {\n basis interest\n assessment "
			 "s\n }\n roles documentation r\n}\n",
			 words, extra, called);

	assert_true(n > 0 && (size_t)n < sizeof(text));
	if (policy_load_mem("test", text, (size_t)n, 1795000000, &d, &p))
		policy_diag_print(stderr, &d.d[0]);
	policy_diags_free(&d);
	assert_non_null(p);
	return p;
}

static bool same_match(const struct policy *a, const struct policy *b)
{
	uint8_t x[POLICY_TEXT_HASH], y[POLICY_TEXT_HASH];

	assert_int_equal(policy_match_hash(a, policy_rule(a, policy_rules(a) - 1), x), 0);
	assert_int_equal(policy_match_hash(b, policy_rule(b, policy_rules(b) - 1), y), 0);
	return !memcmp(x, y, sizeof(x));
}

static void test_describe(void **state)
{
	struct policy *a = load("", "+45 7010 20*", "One"), *b = load("", "+45 7010 20*", "Two"),
		      *c = load("", "+45 7010 201*", "One");
	struct policy *never =
		load("never \"n\" {\n calling +45 2211 0033\n}\n", "+45 7010 20*", "One");
	struct policy_assessment s, t;
	uint8_t x[POLICY_TEXT_HASH], y[POLICY_TEXT_HASH];

	(void)state;
	assert_true(same_match(a, b)); /* what is said decides no match */
	assert_false(same_match(a, c));
	assert_false(same_match(a, never));
	assert_int_equal(policy_announcement_hash(a, "a", x), 0);
	assert_int_equal(policy_announcement_hash(b, "a", y), 0);
	assert_memory_not_equal(x, y, sizeof(x));
	assert_int_equal(policy_announcement_hash(a, "none", x), -ENOENT);
	assert_int_equal(policy_assessment(a, "s", &s), 0);
	assert_int_equal(policy_assessment(c, "s", &t), 0);
	assert_memory_equal(s.hash, t.hash, sizeof(s.hash));
	assert_string_equal(s.kind, "documentation");
	assert_int_equal(policy_assessment(a, NULL, &s), -ENOENT);
	policy_free(a);
	policy_free(b);
	policy_free(c);
	policy_free(never);
}

static void test_kept(void **state)
{
	char dir[] = "/tmp/optag-life.XXXXXX", path[256], *text = NULL, why[256];
	struct policy *p = load("", "+45 7010 20*", "One"), *q = NULL;
	size_t n = 0;
	FILE *f;

	(void)state;
	assert_non_null(mkdtemp(dir));
	assert_int_equal(policy_text(p, &text, &n), 0);
	assert_int_equal(policies_kept(dir, policy_hash(p), &q, NULL), -ENOENT);
	assert_int_equal(policies_kept(dir, "../../etc/passwd", &q, NULL), -EINVAL);
	assert_int_equal(policy_keep(dir, p, text, n, why, sizeof(why)), 0);
	assert_int_equal(policies_kept(dir, policy_hash(p), &q, NULL), 0);
	assert_string_equal(policy_hash(q), policy_hash(p));
	policy_free(q);
	snprintf(path, sizeof(path), "%s/policies/%s.policy", dir, policy_hash(p));
	f = fopen(path, "a");
	assert_non_null(f);
	fputs("never \"n\" { calling +45 2211 0033 }\n", f);
	fclose(f);
	assert_int_equal(policies_kept(dir, policy_hash(p), &q, NULL), -EBADMSG);
	unlink(path);
	snprintf(path, sizeof(path), "%s/policies", dir);
	rmdir(path);
	rmdir(dir);
	free(text);
	policy_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_consent), cmocka_unit_test(test_opt_out_and_special),
		cmocka_unit_test(test_ends),	cmocka_unit_test(test_any_log),
		cmocka_unit_test(test_same),	cmocka_unit_test(test_describe),
		cmocka_unit_test(test_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
