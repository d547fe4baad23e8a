/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_policy_parse.c - lexer, every setting of every block, canonical form, diagnostics
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "policy/internal.h"
#include "policy_all.h"

#define TODAY 1796000000 /* 2026-11-30 */

static struct policy *load(const char *text, struct policy_diags *d)
{
	struct policy *p = NULL;
	int err;

	memset(d, 0, sizeof(*d));
	err = policy_load_mem("t", text, strlen(text), TODAY, d, &p);
	assert_true(err ? !p && d->errors > 0 : p && d->errors == 0);
	return p;
}

static struct policy *load_ok(const char *text)
{
	struct policy_diags d;
	struct policy *p = load(text, &d);

	for (size_t i = 0; !p && i < d.n; i++)
		policy_diag_print(stderr, &d.d[i]);
	assert_non_null(p);
	policy_diags_free(&d);
	return p;
}

static char *canonical(const struct policy *p)
{
	char *s = NULL;
	size_t n;
	FILE *f = open_memstream(&s, &n);

	assert_int_equal(policy_print(f, p), 0);
	fclose(f);
	return s;
}

static void seen(const struct table *t, const struct list *l, bool *flags)
{
	for (struct obj *o = l->first; o; o = o->next)
		for (int i = 0; i < t->n; i++)
			flags[i] |= at_of(t, o)[i].line != 0;
}

static void assert_all(const struct table *t, const bool *flags)
{
	for (int i = 0; i < t->n; i++)
		if (!flags[i])
			fail_msg("no test sets '%s' of %s", t->s[i].name, t->what);
}

static void test_every_setting(void **state)
{
	struct policy *p = load_ok(all_settings);
	bool f[5][64] = {{false}}, b[64] = {false};

	(void)state;
	seen(&controller_table, &p->controllers, f[0]);
	seen(&trunk_table, &p->trunks, f[1]);
	seen(&announcement_table, &p->announcements, f[2]);
	seen(&assessment_table, &p->assessments, f[3]);
	seen(&rule_table, &p->rules, f[4]);
	for (struct obj *o = p->rules.first; o; o = o->next)
		for (int k = 0; k < 2; k++)
			for (int i = 0; i < B_N; i++)
				b[i] |= ((struct rule *)o)->block[k].at[i].line != 0;
	assert_all(&controller_table, f[0]);
	assert_all(&trunk_table, f[1]);
	assert_all(&announcement_table, f[2]);
	assert_all(&assessment_table, f[3]);
	assert_all(&rule_table, f[4]);
	assert_all(&block_table, b);
	policy_free(p);
}

static void test_values(void **state)
{
	struct policy *p = load_ok(all_settings);
	const struct policy_rule *r = policy_rule(p, 0), *two = policy_rule(p, 1),
				 *three = policy_rule(p, 2);
	const struct policy_block *d = &r->purpose[POLICY_DOCUMENTATION],
				  *t = &r->purpose[POLICY_TRAINING];

	(void)state;
	assert_int_equal(policy_rules(p), 3);
	assert_null(policy_rule(p, 3));
	assert_string_equal(r->name, "one");
	assert_string_equal(r->scenario, "F");
	assert_string_equal(two->scenario, "B");
	assert_string_equal(three->scenario, "D");
	assert_string_equal(r->controller->cvr, "12345678");
	assert_int_equal(r->proof, POLICY_PROOF_HEADER);
	assert_string_equal(r->proof_header, "X-Played");
	assert_string_equal(r->proof_value, "yes");
	assert_int_equal(r->notice_timeout_s, 45);
	assert_int_equal(two->notice_timeout_s, 30); /* by defaults */
	assert_int_equal(r->quarantine.n, 5);
	assert_int_equal(r->quarantine.unit, POLICY_U_DAYS);
	assert_int_equal(d->retention.n, 4);
	assert_string_equal(d->retention_reason, "r");
	assert_int_equal(d->on_objection, POLICY_OBJ_PAUSE);
	assert_true(d->not_needed && !d->commit_at_end && t->commit_at_end);
	assert_string_equal(t->optout_key[0], "9");
	assert_string_equal(t->optout_key[1], "*9");
	assert_string_equal(t->optout_agent_key[0], "*7");
	assert_true(t->optout_agent_api && t->optout_agent_header);
	assert_int_equal(t->dtmf, POLICY_DTMF_RFC4733 | POLICY_DTMF_INFO | POLICY_DTMF_INBAND);
	assert_int_equal(t->sample_permille, 25);
	assert_int_equal(t->ncap, 4);
	assert_int_equal(t->cap[1].of, POLICY_OF_AGENT);
	assert_int_equal(t->cap[1].per, POLICY_PER_MONTH);
	assert_int_equal(t->use_target_percent, 70);
	assert_true(t->window.set && !d->window.set);
	assert_int_equal(t->window.to_s, 10);
	assert_string_equal(two->purpose[1].consent_key, "#");
	assert_true(two->purpose[1].withdraw_any_time && two->purpose[1].window.reopen_agent);
	assert_int_equal(two->purpose[1].window.from_s, 3);
	assert_int_equal(two->purpose[1].window.to_s, 20);
	assert_int_equal(two->purpose[1].retention.n, 3); /* built in */
	assert_int_equal(two->purpose[1].retention.unit, POLICY_U_MONTHS);
	assert_int_equal(two->purpose[1].use_within.n, 30);
	assert_int_equal(two->purpose[1].on_loss, -1);
	assert_int_equal(two->purpose[0].basis, POLICY_B_NONE);
	assert_true(three->purpose[1].special);
	assert_string_equal(three->purpose[1].special_assessment, "special");
	assert_string_equal(r->pause_key, "*5");
	assert_string_equal(r->resume_key, "#");
	assert_int_equal(r->exclude_leg, 1);
	assert_int_equal(two->exclude_leg, -1);
	assert_true(r->record_early_media && !two->record_early_media && two->mute_dtmf);
	assert_int_equal(two->min_length.n, 4);
	assert_int_equal(two->max_length.n, 4);
	assert_int_equal(two->zstd_level, 3);
	policy_free(p);
}

static void assert_fixed_point(const char *text)
{
	struct policy *p = load_ok(text), *q;
	unsigned char h[32];
	char hex[65], *a = canonical(p), *b;

	q = load_ok(a);
	b = canonical(q);
	assert_string_equal(a, b);
	assert_string_equal(policy_hash(p), policy_hash(q));
	/* The hash is BLAKE2b-256 of exactly this text, as b2sum -l 256 says. */
	crypto_generichash(h, sizeof(h), (unsigned char *)a, strlen(a), NULL, 0);
	sodium_bin2hex(hex, sizeof(hex), h, sizeof(h));
	assert_string_equal(hex, policy_hash(p));
	free(a);
	free(b);
	policy_free(p);
	policy_free(q);
}

static void test_fixed_point(void **state)
{
	(void)state;
	assert_fixed_point(all_settings);
	assert_fixed_point("");
}

static void test_hash_ignores_form(void **state)
{
	struct policy *p = load_ok("set a numbers { +45 7010 2030 }"),
		      *q = load_ok("# c\nset a numbers {\n\n +4570102030;\n}\n");
	struct policy *o = load_ok("set a numbers { +45 7010 2031 }");

	(void)state;
	assert_string_equal(policy_hash(p), policy_hash(q));
	assert_string_not_equal(policy_hash(p), policy_hash(o));
	policy_free(p);
	policy_free(q);
	policy_free(o);
}

/* ---- diagnostics ---- */

static void assert_diag(const char *text, const char *code, int line, int col, const char *word)
{
	struct policy_diags d;
	struct policy *p = load(text, &d);
	bool found = false;

	for (size_t i = 0; i < d.n; i++)
		if (!strcmp(d.d[i].code, code) && d.d[i].line == line && d.d[i].col == col &&
		    (!word || strstr(d.d[i].text, word)))
			found = true;
	if (!found)
		for (size_t i = 0; i < d.n; i++)
			policy_diag_print(stderr, &d.d[i]);
	if (!found)
		fail_msg("no %s at %d:%d for: %s", code, line, col, text);
	policy_diags_free(&d);
	policy_free(p);
}

static void test_places(void **state)
{
	(void)state;
	assert_diag("rule \"x\" {\n\tretentoin 3\n}\n", "L-01", 2, 2, "unknown");
	assert_diag("rule \"x\" {\n\tonwer O\n}\n", "L-01", 2, 2, "did you mean 'owner'");
	assert_diag("contoller c {\n}\n", "L-01", 1, 1, "did you mean 'controller'");
	assert_diag("set s numbers { +45 7010 2030, +45 }", "L-09", 1, 32, "at least 4 digits");
	assert_diag("set s numbers {\n+4570102030\n 004570102030 }", "L-09", 3, 2, NULL);
	assert_diag("set s numbers { +45 8812 3499-8812 3400 }", "L-09", 1, 17, "after its start");
	assert_diag("set s numbers { +45 8812 3499", "L-01", 1, 5, "not closed");
	assert_diag("rule \"x\" { documentation { retention 3 } }", "L-61", 1, 38, "unit");
	assert_diag("rule \"x\" { documentation { retention 010 days } }", "L-61", 1, 38,
		    "leading zeros");
	assert_diag("rule \"x\" { documentation { retention unlimited } }", "L-61", 1, 38, NULL);
	assert_diag("rule \"x\" { documentation { retention 3m } }", "L-61", 1, 38, "unit");
	assert_diag("rule \"x\" { retention 3 months }", "L-62", 1, 12, NULL);
	assert_diag("rule \"x\" { training { on-timeout grant } }", "L-25", 1, 23, NULL);
	assert_diag("rule \"x\" { owner A owner B }", "L-02", 1, 20, "twice");
	assert_diag("set a agents { x }\nset a agents { y }", "L-02", 2, 5, "another set");
	assert_diag("rule \"x\" { training { consent-key 12345678 } }", "L-01", 1, 35, "key");
	assert_diag("rule \"x\" { training { sample 101% } }", "L-01", 1, 30, "percentage");
	assert_diag("rule \"x\" { review 2027-02-29 }", "L-01", 1, 19, "date");
	assert_diag("rule \"x\" { time 08:00-08:00 }", "L-10", 1, 17, "empty");
	assert_diag("include \"x\"", "L-08", 1, 9, "include");
	assert_diag("set \"a", "L-01", 1, 5, "closing quote");
	assert_diag("set a\x01", "L-01", 1, 6, "control");
	assert_diag("set a\xff", "L-01", 1, 6, "UTF-8");
	assert_diag("}\n", "L-01", 1, 1, "expected");
}

static void test_key_is_no_comment(void **state)
{
	(void)state;
	/* The second # starts a comment; were the first one too, a key would be missing. */
	assert_diag("rule \"x\" { training { consent-key # # note\n bogus } }", "L-01", 2, 2,
		    "bogus");
	assert_diag("rule \"x\" { training {\n opt-out key 9, # , *9 bogus } }", "L-01", 2, 24,
		    "bogus");
}

static void test_limits_of_diagnostics(void **state)
{
	char text[100 * 16 + 1] = "";
	struct policy_diags d;
	struct policy *p;

	(void)state;
	for (int i = 0; i < 100; i++)
		strcat(text, "bogus-object {}\n");
	p = load(text, &d);
	assert_null(p);
	assert_int_equal(d.errors, 100);
	assert_int_equal(d.n, 20);
	assert_int_equal(d.dropped, 80);
	policy_diags_free(&d);
	assert_null(d.d);
}

/* A missing brace, an odd nesting, an end in every place: a diagnostic, never more. */
static void test_cut_anywhere(void **state)
{
	(void)state;
	for (size_t n = 0; n < sizeof(all_settings) - 1; n += 3) {
		struct policy_diags d = {0};
		struct policy *p = NULL;
		int err = policy_load_mem("t", all_settings, n, TODAY, &d, &p);

		assert_true(err ? !p && d.errors : p && !d.errors);
		policy_diags_free(&d);
		policy_free(p);
	}
}

static void test_caret(void **state)
{
	struct policy_diags d;
	struct policy *p = load("rule \"\xc3\xa6\" { onwer O }", &d);
	char *s = NULL;
	size_t n;
	FILE *f = open_memstream(&s, &n);

	(void)state;
	assert_null(p);
	policy_diag_print(f, &d.d[0]);
	fclose(f);
	assert_string_equal(s, "t:1:13: L-01: unknown rule setting 'onwer', did you mean 'owner'? Why: "
			    "what is not understood is never guessed. Fix: see optag-policy(5) for what can stand here.\n"
			       "    rule \"\xc3\xa6\" { onwer O }\n"
			       "               ^~~~~\n");
	free(s);
	policy_diags_free(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_setting),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_fixed_point),
		cmocka_unit_test(test_hash_ignores_form),
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_key_is_no_comment),
		cmocka_unit_test(test_limits_of_diagnostics),
		cmocka_unit_test(test_cut_anywhere),
		cmocka_unit_test(test_caret),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
