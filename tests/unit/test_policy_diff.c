/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_policy_diff.c - what tightens, what loosens: one row per change, each also turned round;
 * rules that take each other's calls; sizes
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "policy/diff.h"
#include "policy/internal.h"

#define TODAY 1796000000 /* 2026-11-30 */

/* A base text; rows replace one part of it by another. */
static const char base[] =
	"trunk pbx { address 192.0.2.0/24 country +45 national-digits 8 queue-header X-Queue }\n"
	"set own numbers { +45 7010 20*, +45 8812 3400-8812 3499 }\n"
	"set own2 numbers { +45 7010 20*, +45 8812 3400-8812 3499, +45 9999 1111 }\n"
	"set bad numbers { +45 1111 1111 }\nset live dynamic numbers\nset spare numbers { +45 2222 2222 }\n"
	"set hol holidays { 2026-12-25 }\nset qs queues { claims, sales }\n"
	"announcement n1 { language da link https://c.example/telefon elements rec doc link object access text \"x\" }\n"
	"announcement n2 { language da link https://c.example/telefon elements rec doc link object access text \"y\" }\n"
	"announcement nt { language da link https://c.example/telefon elements rec train link access optout then "
	"optout-key:9 text \"x\" }\n"
	"announcement nb { language da link https://c.example/telefon elements rec train link access withdraw key:1 text \"x\" }\n"
	"assessment d { kind documentation scope @own2, @qs review 2027-09-01 no-other-way \"n\" factor 1 relied-on \"a\"\n"
	" factor 2 relied-on \"a\"\n factor 3 relied-on \"a\"\n factor 4 relied-on \"a\"\n factor 5 relied-on \"a\"\n"
	" factor 6 relied-on \"a\"\n}\n"
	"assessment a { kind training-amount scope @own2 review 2027-09-01 without-consent \"w\" }\n"
	"assessment s { kind sensitive scope @own2 review 2027-09-01 second-approver Z }\n"
	"controller c { cvr 12345678 timezone Europe/Copenhagen languages da numbers @own2 trunks pbx roles legal coach boss }\n"
	"controller k { cvr 87654321 timezone Europe/Copenhagen languages da numbers @own2 }\n"
	"never \"list\" { calling @bad }\n"
	"rule \"doc\" { controller c side called called +45 7010 20* queue = desk time mon-fri 08:00-16:00\n"
	" owner \"Head\" review 2027-10-01 notice n1 notice-proof api\n"
	" documentation { basis interest assessment d retention 2 months }\n"
	" roles documentation legal, coach\n pause-key *5 resume-key *6\n}\n"
	"rule \"opt\" { controller c side called called +45 8812 3400-8812 3499 queue = in\n"
	" owner \"Head\" review 2027-10-01 notice nt notice-proof api\n"
	" training { basis interest assessment a opt-out key 9 opt-out agent api sample 5% cap 20 per day use-within 20 days retention 1 months }\n"
	" roles training coach\n}\n"
	"rule \"ask\" { controller c side calling calling +45 8812 3450 queue = out\n"
	" owner \"Head\" review 2027-10-01 notice nb notice-proof api\n"
	" training { basis consent assessment a consent-key 1 withdraw-key 0 window notice-start+3s to notice-end+10s\n"
	" sample 5% cap 20 per day use-within 20 days retention 1 months }\n"
	" roles training coach\n}\n";

static struct policy *load(const char *text)
{
	struct policy_diags d = {0};
	struct policy *p = NULL;

	if (policy_load_mem("t.policy", text, strlen(text), TODAY, &d, &p))
		for (size_t i = 0; i < d.n; i++)
			if (d.d[i].severity == POLICY_ERROR)
				policy_diag_print(stderr, &d.d[i]);
	policy_diags_free(&d);
	assert_non_null(p);
	return p;
}

/* The base with the first `what` replaced; what "" appends. */
static char *replaced(const char *what, const char *by)
{
	const char *at = *what ? strstr(base, what) : base + strlen(base);
	char *s = NULL;

	if (!at)
		fprintf(stderr, "not in the text: %s\n", what);
	assert_non_null(at);
	assert_true(asprintf(&s, "%.*s%s%s", (int)(at - base), base, by, at + strlen(what)) > 0);
	return s;
}

static void show(const struct policy_diff *d)
{
	for (size_t i = 0; i < d->n; i++)
		fprintf(stderr, "  %s%s %s:%d %s %s: '%s' -> '%s' (%s)\n", policy_change_name(d->item[i].change),
			d->item[i].both ? "+" : "", d->item[i].file, d->item[i].line, d->item[i].object, d->item[i].setting,
			d->item[i].was, d->item[i].is, d->item[i].why);
}

static enum policy_change worst(const struct policy_diff *d)
{
	for (int c = POLICY_CHANGES - 1; c > 0; c--)
		if (d->count[c])
			return (enum policy_change)c;
	return POLICY_NEUTRAL;
}

static void expect(const char *what, const struct policy *a, const struct policy *b, enum policy_change want, size_t items)
{
	struct policy_diff d;
	bool ok;

	assert_int_equal(policy_diff(a, b, &d), 0);
	ok = d.n > 0 && worst(&d) == want && (!items || d.n == items);
	if (!ok) {
		fprintf(stderr, "%s: %s expected\n", what, policy_change_name(want));
		show(&d);
	}
	assert_true(ok);
	for (size_t i = 0; i < d.n; i++) {
		assert_true(d.item[i].line > 0 || !strcmp(d.item[i].object, "policy"));
		assert_non_null(d.item[i].why);
	}
	policy_diff_free(&d);
}

#define T POLICY_TIGHTEN
#define L POLICY_LOOSEN
#define S POLICY_SHORTEN
#define N POLICY_NEUTRAL

/* In the base, `from` becomes `to`: this class; and back: that one. */
static const struct {
	const char *from, *to;
	enum policy_change there, back;
	size_t items; /* 0 not counted */
} rows[] = {
	/* who and why */
	{"owner \"Head\"", "owner \"Other\"", N, N, 1},
	{"review 2027-10-01", "review 2027-09-15", N, N, 1},
	{"cvr 12345678", "cvr 12345679", L, L, 1},
	{"timezone Europe/Copenhagen", "timezone UTC", L, L, 1},
	{"controller c side called called +45 7010", "controller k side called called +45 7010", L, L, 0},
	{"roles legal coach boss", "roles legal coach boss auditor", N, N, 1},
	{"retention 2 months }\n roles", "retention 2 months }\n zstd 5 roles", N, N, 1},
	/* notice */
	{"notice n1", "notice n2", L, L, 1},
	{"text \"x\"", "text \"z\"", L, L, 1},
	{"notice-proof api", "notice-proof attested", L, T, 1},
	{"notice-proof api", "notice-proof header X-N = yes", L, L, 1},
	{"notice-proof api\n", "notice-proof api notice-timeout 30 s\n", T, L, 1},
	{"notice-proof api\n", "notice-proof api notice-timeout 60 s\n", N, N, 1}, /* the default */
	{"notice-proof api\n", "notice-proof api on-missing-notice discard\n", T, L, 1},
	{"notice-proof api\n", "notice-proof api on-missing-notice quarantine 3 days\n", T, L, 1},
	{"notice-proof api\n", "notice-proof api on-review-missed consent\n", L, T, 1},
	/* purposes */
	{"retention 2 months", "retention 3 months", L, S, 1},
	{"retention 2 months", "retention 10 days", S, L, 1},
	{"retention 2 months", "retention 60 days", L, L, 1}, /* the shorter one depends on the month */
	{"retention 2 months", "retention 62 days", L, S, 1},
	{"retention 2 months", "", L, S, 1},		      /* 3 months */
	{"use-within 20 days", "use-within 10 days", S, L, 1},
	{"sample 5%", "sample 4.9%", T, L, 1},
	{"cap 20 per day", "cap 19 per day", T, L, 1},
	{"cap 20 per day", "cap 20 per day cap 3 per agent per month", T, L, 1},
	{"cap 20 per day", "cap 20 per week", L, L, 1},
	{"cap 20 per day", "cap 21 per day cap 30 per week", L, L, 1},
	{"sample 5%", "sample 5% spread first-come", N, N, 1},
	{"opt-out key 9", "opt-out key 9, 8", T, L, 1},
	{"opt-out key 9", "opt-out key 9 opt-out agent key *7", T, L, 1},
	{"sample 5%", "sample 5% on-loss keep", L, T, 1},
	/* what holds when nothing is written, written */
	{"opt-out key 9", "opt-out key 9 on-loss deny", N, N, 1},
	{"opt-out key 9", "opt-out key 9 pre-decision hold", N, N, 1},
	{"opt-out key 9", "opt-out key 9 on-opt-out stop", N, N, 1},
	{"withdraw-key 0", "withdraw-key 0 pre-decision block", N, N, 1},
	{"basis interest assessment d retention", "basis interest assessment d worm none retention", N, N, 1},
	{"basis interest assessment d retention", "basis interest assessment d on-objection continue-restricted retention", N, N, 1},
	{"sample 5%", "sample 5% use-target 90%", T, L, 1},
	{"sample 5%", "sample 5% pre-decision block", T, L, 1},
	{"window notice-start+3s to notice-end+10s", "window notice-start+3s to notice-end+8s", T, L, 1},
	{"window notice-start+3s to notice-end+10s", "window notice-start+4s to notice-end+10s", T, L, 1},
	{"window notice-start+3s to notice-end+10s", "window notice-start+4s to notice-end+11s", L, L, 1},
	/* the purposes are spoken later: of who answers by a key; nothing written is 0 s */
	{"withdraw key:1 text", "withdraw key:1 keys-after 12 s text", T, L, 1},
	{"withdraw key:1 text", "withdraw key:1 keys-after 0 s text", N, N, 1},
	/* who may opt out has longer before anything is kept */
	{"opt-out key 9", "opt-out key 9 window notice-start+3s to notice-end+20s", T, L, 1},
	{"opt-out key 9", "opt-out key 9 window notice-start+3s to notice-end+10s", N, N, 1},
	{"withdraw-key 0", "withdraw-key 0 any-time", T, L, 1},
	{"withdraw-key 0", "withdraw-key 5", L, L, 1},
	{"basis interest assessment d retention", "basis interest assessment d on-objection stop retention", T, L, 1},
	{"basis interest assessment d retention", "basis interest assessment d commit at-end retention", T, L, 1},
	{"basis interest assessment d retention", "basis interest assessment d not-needed yes retention", T, L, 1},
	/* recording */
	{" pause-key *5 resume-key *6\n", "", L, L, 2},
	{" pause-key *5 resume-key *6\n", " pause-key *5 resume-key *6 pause api\n", T, L, 1},
	{"roles documentation legal, coach", "roles documentation legal", T, L, 1},
	{"roles documentation legal, coach", "roles documentation legal, boss", L, L, 1},
	{"roles documentation", "mute-dtmf no roles documentation", L, T, 1},
	{"roles documentation", "mute-dtmf yes roles documentation", N, N, 1},
	{"roles documentation", "record-hold-music yes roles documentation", L, T, 1},
	{"roles documentation", "early-media yes roles documentation", L, T, 1},
	{"roles documentation", "exclude-leg agent roles documentation", T, L, 1},
	{"roles documentation", "min-length 10 s roles documentation", T, L, 1},
	{"roles documentation", "max-length 1 h roles documentation", T, L, 1},
	{"roles documentation", "max-concurrent 50 roles documentation", T, L, 1},
	{"roles documentation", "play-reason optional roles documentation", L, T, 1},
	{"roles documentation", "keys per-leg no roles documentation", L, T, 1},
	{"roles documentation", "alarm gap roles documentation", L, T, 1},
	{"roles documentation", "decision-record 36 months roles documentation", L, S, 1},
	{"roles documentation", "sensitive cpr basis \"databeskyttelsesloven\" roles documentation", T, L, 2},
	/* which calls: one rule alone */
	{"called +45 7010 20*", "called +45 7010 201*", T, L, 1},
	{"called +45 7010 20*", "called @own", L, T, 1},
	{"called +45 7010 20*", "called +45 7010 20* calling +45 12*", T, L, 1},
	{"called +45 7010 20*", "called +45 7010 20* calling withheld", T, L, 1},
	{"called +45 7010 20*", "called +45 7010 20* calling @live", T, L, 1},
	{"time mon-fri 08:00-16:00", "time mon-fri 08:00-17:00", L, T, 1},
	{"time mon-fri 08:00-16:00", "time mon-thu 08:00-16:00", T, L, 1},
	{"time mon-fri 08:00-16:00", "time mon-thu 08:00-17:00", L, L, 1},
	{"time mon-fri 08:00-16:00", "", L, T, 1},
	{"time mon-fri 08:00-16:00", "header X-A = b time mon-fri 08:00-16:00", T, L, 1},
	{"time mon-fri 08:00-16:00", "sip-domain c.example time mon-fri 08:00-16:00", T, L, 1},
	/* never, sets, trunks */
	{"never \"list\" { calling @bad }", "never \"list\" { calling @bad, +45 3333* }", T, L, 1},
	{"never \"list\" { calling @bad }", "never \"list\" { calling @bad called @own }", L, T, 1},
	{"never \"list\" { calling @bad }", "", L, T, 1},
	{"{ +45 1111 1111 }", "{ +45 1111 1111, +45 1111 1112 }", T, L, 1},
	{"{ +45 1111 1111 }", "{ +45 1111 1112 }", L, L, 1},
	{"{ +45 2222 2222 }", "{ +45 2222 2223 }", N, N, 1},
	{"set bad numbers", "set bad numbers sensitive", T, L, 1},
	{"set bad numbers {", "set bad dynamic numbers {", L, L, 1},
	{"+45 9999 1111 }", "+45 9999 1111, +45 9999 1112 }", L, T, 0},
	{"country +45 national-digits 8", "country +46 national-digits 8", L, L, 1},
	/* what rests on it ends at its review */
	{"@qs review 2027-09-01", "@qs review 2027-09-02", L, T, 1},
	{"kind training-amount scope @own2 review 2027-09-01", "kind training-amount scope @own2 review 2027-03-01", T, L, 1},
	/* nothing that decides */
	{"set hol holidays { 2026-12-25 }\n", "", N, N, 1},
	{"{ +45 1111 1111 }", "{ +4511111111, +45 1111 1111 }", N, N, 1},
};

static void directions(void **state)
{
	struct policy *p = load(base);
	struct policy_diff d;

	(void)state;
	assert_int_equal(policy_diff(p, p, &d), 0);
	assert_int_equal(d.n, 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *text = replaced(rows[i].from, rows[i].to);
		struct policy *q = load(text);
		char what[512];

		snprintf(what, sizeof(what), "row %zu: %s -> %s", i, rows[i].from, rows[i].to);
		expect(what, p, q, rows[i].there, rows[i].items);
		snprintf(what, sizeof(what), "row %zu, back: %s -> %s", i, rows[i].to, rows[i].from);
		expect(what, q, p, rows[i].back, rows[i].items);
		policy_free(q);
		free(text);
	}
	policy_free(p);
}

/* ---- rules that take each other's calls ---- */

#define DOC(name, match, retention)                                                                          \
	"rule \"" name "\" { controller c side called " match " owner O review 2027-10-01 notice n1 notice-proof api " \
	"documentation { basis interest assessment d retention " retention " } }\n"

#define TRAIN(name, match, sample)                                                                          \
	"rule \"" name "\" { controller c side called " match " owner O review 2027-10-01 notice nt notice-proof api " \
	"training { basis interest assessment a opt-out key 9 opt-out agent api sample " sample " cap 20 per day } roles training coach }\n"

static const struct {
	const char *what, *old, *now;
	enum policy_change want;
} orders[] = {
	{"training added inside a rule, same terms", TRAIN("a", "called +45 7010 20*", "5%"),
	 TRAIN("b", "called +45 7010 201*", "5%") TRAIN("a", "called +45 7010 20*", "5%"), L},
	{"training added inside a rule, fewer", TRAIN("a", "called +45 7010 20*", "5%"),
	 TRAIN("b", "called +45 7010 201*", "0.1%") TRAIN("a", "called +45 7010 20*", "5%"), L},
	{"training added inside a rule, of none", TRAIN("a", "called +45 7010 20*", "5%"),
	 TRAIN("b", "called +45 7010 201*", "0%") TRAIN("a", "called +45 7010 20*", "5%"), T},
	{"training renamed", TRAIN("a", "called +45 7010 20*", "5%"), TRAIN("b", "called +45 7010 20*", "5%"), L},
	{"training removed", TRAIN("a", "called +45 7010 20*", "5%"), "", T},
	{"added, disjoint", DOC("a", "called +45 7010 200*", "1 months"),
	 DOC("a", "called +45 7010 200*", "1 months") DOC("b", "called +45 7010 201*", "1 months"), L},
	{"added inside a rule, stricter, before it", DOC("a", "called +45 7010 20*", "1 months"),
	 DOC("b", "called +45 7010 201*", "10 days") DOC("a", "called +45 7010 20*", "1 months"), T},
	{"added inside a rule, same terms", DOC("a", "called +45 7010 20*", "1 months"),
	 DOC("b", "called +45 7010 201*", "1 months") DOC("a", "called +45 7010 20*", "1 months"), T},
	{"added inside a rule, longer", DOC("a", "called +45 7010 20*", "1 months"),
	 DOC("b", "called +45 7010 201*", "2 months") DOC("a", "called +45 7010 20*", "1 months"), L},
	{"added across the edge", DOC("a", "called +45 7010 200*", "1 months"),
	 DOC("b", "called +45 7010 2005-7010 2019", "10 days") DOC("a", "called +45 7010 200*", "1 months"), L},
	{"added inside a loose rule, but before a stricter one", DOC("s", "called +45 7010 2008-7010 2011", "5 days") DOC("a", "called +45 7010 20*", "1 months"),
	 DOC("b", "called +45 7010 201*", "10 days") DOC("s", "called +45 7010 2008-7010 2011", "5 days") DOC("a", "called +45 7010 20*", "1 months"), L},
	{"the same after the stricter one", DOC("s", "called +45 7010 2011", "5 days") DOC("a", "called +45 7010 20*", "1 months"),
	 DOC("s", "called +45 7010 2011", "5 days") DOC("b", "called +45 7010 201*", "10 days") DOC("a", "called +45 7010 20*", "1 months"), T},
	{"removed, nothing after it", DOC("a", "called +45 7010 200*", "1 months") DOC("b", "called +45 7010 201*", "2 months"),
	 DOC("a", "called +45 7010 200*", "1 months"), T},
	{"removed, disjoint after it", DOC("a", "called +45 7010 200*", "1 months") DOC("b", "called +45 7010 201*", "2 months"),
	 DOC("b", "called +45 7010 201*", "2 months"), T},
	{"removed, a looser one takes over", DOC("a", "called +45 7010 200*", "1 months") DOC("b", "called +45 7010 20*", "2 months"),
	 DOC("b", "called +45 7010 20*", "2 months"), L},
	{"removed, a stricter one takes over", DOC("a", "called +45 7010 200*", "2 months") DOC("b", "called +45 7010 20*", "1 months"),
	 DOC("b", "called +45 7010 20*", "1 months"), T},
	{"narrowed, a looser one takes over", DOC("a", "called +45 7010 20*", "1 months") DOC("b", "called @own", "2 months"),
	 DOC("a", "called +45 7010 200*", "1 months") DOC("b", "called @own", "2 months"), L},
	{"narrowed, a looser one that its queue keeps apart",
	 DOC("a", "called +45 7010 20* queue = x", "1 months") DOC("b", "called @own queue = y", "2 months"),
	 DOC("a", "called +45 7010 200* queue = x", "1 months") DOC("b", "called @own queue = y", "2 months"), T},
	{"narrowed, the looser one stood before it", DOC("b", "called @own calling +45 12*", "2 months") DOC("a", "called @own", "1 months"),
	 DOC("b", "called @own calling +45 12*", "2 months") DOC("a", "called +45 7010 200*", "1 months"), T},
	{"turned round, apart", DOC("a", "called +45 7010 200*", "1 months") DOC("b", "called +45 7010 201*", "2 months"),
	 DOC("b", "called +45 7010 201*", "2 months") DOC("a", "called +45 7010 200*", "1 months"), N},
	{"the looser comes first now", DOC("a", "called +45 7010 200*", "1 months") DOC("b", "called +45 7010 2005-7010 2019", "2 months"),
	 DOC("b", "called +45 7010 2005-7010 2019", "2 months") DOC("a", "called +45 7010 200*", "1 months"), L},
	{"the stricter comes first now", DOC("a", "called +45 7010 200*", "2 months") DOC("b", "called +45 7010 2005-7010 2019", "1 months"),
	 DOC("b", "called +45 7010 2005-7010 2019", "1 months") DOC("a", "called +45 7010 200*", "2 months"), T},
	{"renamed", DOC("a", "called +45 7010 20*", "2 months"), DOC("b", "called +45 7010 20*", "2 months"), T},
	{"a dynamic set keeps nothing apart", DOC("a", "called +45 7010 20* calling @live", "1 months") DOC("b", "called +45 7010 20* calling +45 12*", "2 months"),
	 DOC("b", "called +45 7010 20* calling +45 12*", "2 months"), L},
};

static void order(void **state)
{
	size_t head = (size_t)(strstr(base, "rule \"doc\"") - base);

	(void)state;
	for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
		char *a = NULL, *b = NULL;
		struct policy *p, *q;

		assert_true(asprintf(&a, "%.*s%s", (int)head, base, orders[i].old) > 0);
		assert_true(asprintf(&b, "%.*s%s", (int)head, base, orders[i].now) > 0);
		p = load(a);
		q = load(b);
		expect(orders[i].what, p, q, orders[i].want, 0);
		policy_free(p);
		policy_free(q);
		free(a);
		free(b);
	}
}

/* Changes of how much is kept for training are known as such, whatever they are called (N-51). */
static void amounts(void **state)
{
	static const struct {
		const char *from, *to;
		size_t n;
	} cases[] = {
		{ "sample 5%", "sample 4%", 1 },
		{ "cap 20 per day", "cap 10 per day", 1 },
		{ "sample 5% cap 20 per day", "sample 4% cap 30 per day", 2 },
		{ "rule \"opt\"", "rule \"opted\"", 1 },
		{ "rule \"opt\" { controller c", "rule \"opt\" { controller k", 1 },
		{ "rule \"doc\" { controller c", "rule \"doc\" { controller k", 0 },
		{ "rule \"doc\"", "rule \"docs\"", 0 },
		{ "retention 1 months", "retention 20 days", 0 },
		{ "sample 5%", "sample 5% spread first-come", 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *text = replaced(cases[i].from, cases[i].to);
		struct policy *p = load(base), *q = load(text);
		struct policy_diff d;
		size_t n = 0;

		assert_int_equal(policy_diff(p, q, &d), 0);
		for (size_t k = 0; k < d.n; k++)
			n += d.item[k].amount;
		if (n != cases[i].n)
			fail_msg("%s -> %s: %zu", cases[i].from, cases[i].to, n);
		policy_diff_free(&d);
		policy_free(p);
		policy_free(q);
		free(text);
	}
}

/* Stored calls of a rule that is gone go by its name: said, and what would reach them under it. */
static void gone(void **state)
{
	static const struct {
		const char *old, *now, *want;
	} cases[] = {
		{ DOC("a", "called +45 7010 20*", "2 months"), "", "included; stored ones stay until their own time$" },
		{ DOC("a", "called +45 7010 20*", "2 months"), DOC("b", "called +45 7010 20*", "2 months"), "until their own time$" },
		{ DOC("a", "called +45 7010 20*", "2 months"), DOC("b", "called +45 7010 20*", "3 months"), "until their own time$" },
		{ DOC("a", "called +45 7010 20*", "2 months"), DOC("b", "called +45 7010 20*", "1 months"), "under this rule's name the shorter one" },
		{ DOC("a", "called +45 7010 20*", "2 months"), DOC("b", "called +45 7010 20*", "40 days"), "under this rule's name the shorter one" },
		{ DOC("a", "called +45 7010 200*", "2 months"), DOC("b", "called +45 7010 201*", "1 months"), "until their own time$" },
		{ DOC("a", "called +45 7010 200*", "1 months") DOC("c", "called @own", "2 months"), DOC("c", "called @own", "2 months"),
		  "looser terms; stored ones stay until their own time$" },
	};
	size_t head = (size_t)(strstr(base, "rule \"doc\"") - base);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t n = strlen(cases[i].want), at = 0;
		bool end = cases[i].want[n - 1] == '$';
		char *a = NULL, *b = NULL, want[100];
		struct policy_diff d;
		struct policy *p, *q;
		const char *hit;

		assert_true(asprintf(&a, "%.*s%s", (int)head, base, cases[i].old) > 0);
		assert_true(asprintf(&b, "%.*s%s", (int)head, base, cases[i].now) > 0);
		p = load(a);
		q = load(b);
		assert_int_equal(policy_diff(p, q, &d), 0);
		while (at < d.n && !(d.item[at].gone && !strcmp(d.item[at].object, "rule \"a\"")))
			at++;
		assert_true(at < d.n);
		snprintf(want, sizeof(want), "%.*s", (int)(n - end), cases[i].want);
		hit = strstr(d.item[at].why, want);
		if (!hit || (end && strlen(hit) != strlen(want)))
			fail_msg("%zu: %s", i, d.item[at].why);
		policy_diff_free(&d);
		policy_free(p);
		policy_free(q);
		free(a);
		free(b);
	}
}

/* A setting that nobody gave a direction must not slip through: every one in the tables is seen. */
static void defaults_count(void **state)
{
	char *text = replaced("never \"list\"", "defaults { min-length 8 s }\nnever \"list\"");
	struct policy *p = load(base), *q = load(text);
	struct policy_diff d;

	(void)state;
	assert_int_equal(policy_diff(p, q, &d), 0);
	assert_int_equal(d.n, 3); /* three rules have a new limit */
	assert_int_equal(d.count[POLICY_TIGHTEN], 3);
	policy_diff_free(&d);
	assert_int_equal(policy_diff(q, p, &d), 0);
	assert_int_equal(d.count[POLICY_LOOSEN], 3);
	policy_diff_free(&d);
	policy_free(p);
	policy_free(q);
	free(text);
}

/* What differs after the part that is shown is still found. */
static void long_values(void **state)
{
	char a[2000], b[2000], ta[3000], tb[3000], *x;
	struct policy *p, *q;

	(void)state;
	memset(a, 'x', sizeof(a));
	a[1000] = 0;
	memcpy(b, a, sizeof(b));
	b[999] = 'y';
	snprintf(ta, sizeof(ta), "text \"%s\"", a);
	snprintf(tb, sizeof(tb), "text \"%s\"", b);
	p = load(x = replaced("text \"x\"", ta));
	free(x);
	q = load(x = replaced("text \"x\"", tb));
	free(x);
	expect("long", p, q, L, 1);
	policy_free(p);
	policy_free(q);
}

/* 1,000 rules of a set of 100,000 numbers, all rules moved: bounded work, and the bound is on the strict side. */
static char *large(bool turned, int extra)
{
	char *s = NULL;
	size_t n = 0, head = (size_t)(strstr(base, "rule \"doc\"") - base);
	FILE *f = open_memstream(&s, &n);

	assert_non_null(f);
	fprintf(f, "set big numbers {\n");
	for (int i = 0; i < 100000 + extra; i++)
		fprintf(f, "+4512%06d\n", i * 3);
	fprintf(f, "}\n%.*s", (int)head, base);
	for (int i = 0; i < 1000; i++) {
		int k = turned ? 999 - i : i;

		fprintf(f, "rule \"r%d\" { controller c side called called +45 7010 20* calling @big, +4599%06d owner O review 2027-10-01 "
			   "notice n1 notice-proof api documentation { basis interest assessment d retention %d days } }\n", k, k, 20 + k % 40);
	}
	assert_int_equal(fclose(f), 0);
	return s;
}

static void sizes(void **state)
{
	char *a = large(false, 0), *b = large(true, 1);
	struct policy *p = load(a), *q = load(b);
	struct policy_diff d;

	(void)state;
	assert_int_equal(policy_diff(p, q, &d), 0);
	assert_true(d.count[POLICY_LOOSEN] > 0);
	policy_diff_free(&d);
	policy_free(p);
	policy_free(q);
	free(a);
	free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(directions), cmocka_unit_test(order), cmocka_unit_test(amounts), cmocka_unit_test(gone), cmocka_unit_test(defaults_count),
		cmocka_unit_test(long_values), cmocka_unit_test(sizes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
