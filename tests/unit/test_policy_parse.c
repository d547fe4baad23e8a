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

#define TODAY 1796000000 /* 2026-11-30 */

/* Every setting that the tables know; the test below fails when one is not here. */
static const char all_settings[] =
	"controller c {\n"
	" name \"C A/S\" cvr 12345678 contact \"dpo@c.example\" timezone Europe/Copenhagen "
	"languages da\n"
	" numbers @own, +4588123450  trunks t, @ts key-ring main roles legal coach \"two words\"\n "
	"lab no\n}\n"
	"trunk t {\n interface eth0 vlan 12 address 192.0.2.0/24, 2001:db8::/32 port 5060 "
	"transport udp dedicated yes\n"
	" country +45 international-prefix 00 national-prefix 0 national-digits 6-8 queue-header "
	"X-Queue\n"
	" agent-header X-Agent identity from\n}\n"
	"trunk t2 { vlan 13 }\n"
	"set ts trunks { t t2 }\n"
	"set own numbers { +45 7010 20*, +45 8812 3400-8812 3449\n +45 1234 5678 }\n"
	"set agents-1 agents { a1, a2 \"a 3\" }\n"
	"set qs queues { claims, sales }\n"
	"set hol holidays { 2026-12-25, 2026-12-24 }\n"
	"set nr dynamic numbers\n"
	"announcement a-da {\n language da version 4 link https://c.example/telefon "
	"link-is-specific yes\n"
	" elements rec doc train link object access optout then optout-key:9 optout-key:*9\n"
	" text \"Vi \\\"optager\\\" \\\\ [rec] [doc] [train] [link] [object] [access] [optout] "
	"[then] [optout-key:9] [optout-key:*9]\"\n"
	" audio file \"a.alaw\", \"b.alaw\" valid-from 2026-01-01 valid-until 2030-01-01 menu-keys 1, *2, #\n}\n"
	"announcement b-da { language da link https://c.example/telefon elements rec train "
	"withdraw link access key:# text \"x\" }\n"
	"assessment doc {\n kind documentation scope @own file \"doc.md\" date 2026-01-02 review "
	"2027-09-01 author \"Legal\"\n"
	" approver X second-approver Y outcome ok no-other-way \"none\" factor 1 relied-on \"a\"\n "
	"factor 2 not-relied-on \"b\"\n"
	" factor 3 not-applicable \"c\" factor 4 relied-on \"d\" factor 5 relied-on \"e\" factor 6 "
	"relied-on \"f\"\n"
	" without-consent \"w\"\n}\n"
	"assessment amount { kind training-amount scope @own review 2027-09-01 without-consent "
	"\"w\" second-approver Z }\n"
	"assessment keep { kind retention review 2027-09-01 }\n"
	"assessment special { kind special scope @own review 2027-09-01 approver A }\n"
	"defaults { notice-timeout 30 s mute-dtmf yes documentation { retention 2 months } }\n"
	"never \"list\" { calling @nr, withheld }\n"
	"rule \"one\" {\n controller c side called\n called +45 7010 20* calling withheld, +45 "
	"9999* trunk t, t2\n"
	" sip-domain c.example, *.c.example header X-A = b\n header X-B prefix \"c d\" header X-C "
	"present\n"
	" queue one-of @qs agent = a1 direction inbound time mon-fri 08:00-16:00, sat-sun "
	"09:00-12:00, 22:00-02:00, @hol except @hol\n"
	" media codec PCMA PCMU\n media encrypted no tag vip, gold\n"
	" owner \"O <o@c.example>\" review 2027-10-01 on-review-missed consent reason \"why\" "
	"ticket T-1\n"
	" notice a-da proof header X-Played=yes notice-timeout 45 s on-missing-notice quarantine "
	"5d sms tpl timeout 20 s\n"
	" documentation { basis interest assessment doc retention 4 months retention-reason \"r\" "
	"assessment keep\n"
	"  on-objection pause review every 30 days not-needed key *4 worm none commit at-grant leg "
	"subject pre-decision inspect }\n"
	" training { basis interest assessment amount opt-out key 9, *9\n opt-out agent key *7 "
	"opt-out agent api\n"
	"  opt-out agent header X-Opt = out on-opt-out stop on-objection stop dtmf rfc4733 info "
	"inband on-loss deny\n"
	"  sample 2.5% cap 40 per day cap 6 per agent per month cap 9 per queue per week cap 2 per "
	"hour spread first-come\n"
	"  sample-seed daily use-within 20 days use-target 70% throttle 1.30 floor 3 retention 3 "
	"months commit at-end }\n"
	" sensitive cpr basis \"databeskyttelsesloven \xc2\xa7 11\"\n"
	" pause-key *5 resume-key # pause api pause header X-Pause = 1\n pause-max 3 min stop "
	"mute-dtmf yes record-hold-music no\n"
	" exclude-leg agent early-media yes min-length 2 s max-length 2 h max-concurrent 10 "
	"disk-share 5.5%\n"
	" roles documentation legal roles training coach, \"two words\" play-reason required min "
	"10 zstd 5\n"
	" keys per-leg no ring main bucket day decision-record 3 years alarm gap quota\n}\n"
	"rule \"two\" {\n controller c side called called +45 7010 2011 time sat, sun 03:00-24:00 "
	"except @hol owner O review 2027-10-01 notice b-da notice-proof api\n"
	" training { basis consent assessment amount consent-key # consent-source api "
	"consent-source header X-Yes = 1\n"
	"  withdraw-key 0 any-time window notice-start+2s to notice-end+20s reopen agent "
	"training-from call\n"
	"  sample 100% cap 5 per day }\n roles training coach\n}\n"
	"rule \"three\" { controller c side called called +45 1234 5678 owner O review 2027-10-01 "
	"notice s proof attested\n"
	" training { basis interest assessment amount special-circumstances assessment special "
	"\"ground\" sample 5% cap 5 per day }\n"
	" roles training coach }\n"
	"announcement s { language da link https://c.example/telefon elements rec train link "
	"object access text \"x\" }\n";

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
	assert_int_equal(two->purpose[1].window.from_s, 2);
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
