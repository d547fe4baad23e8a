/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_explain.c - the languages have the same sentences; each model text of an announcement
 * satisfies the linter in a policy of its situation
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "policy/explain.h"

#define TODAY 1796000000 /* 2026-11-30 */

static unsigned holes(const char *s)
{
	unsigned bits = 0;

	for (; *s; s++)
		if (*s == '{') {
			assert_true(s[1] >= '1' && s[1] < '1' + EXPLAIN_ARGS && s[2] == '}');
			bits |= 1u << (s[1] - '1');
		}
	return bits;
}

static void languages_say_the_same(void **state)
{
	(void)state;
	for (int i = 0; i < X_N; i++) {
		if (!explain_en.say[i] || !explain_da.say[i])
			fail_msg("sentence %d is missing", i);
		if (holes(explain_en.say[i]) != holes(explain_da.say[i]))
			fail_msg("other words: '%s' and '%s'", explain_en.say[i],
				 explain_da.say[i]);
		assert_true((*explain_en.say[i] == 0) == (*explain_da.say[i] == 0));
	}
	for (int i = 0; i <= POLICY_U_YEARS; i++)
		assert_true(explain_da.unit[i][0] && explain_da.unit[i][1] &&
			    explain_en.unit[i][1]);
	for (int i = 0; i < 12; i++)
		assert_true(explain_da.month[i] && explain_en.month[i]);
}

/* Every warning of the linter has its Danish sentence, every category its word. */
static void danish_is_whole(void **state)
{
	char code[8];
	int n = 0;

	(void)state;
	for (int i = 1; i < 100; i++) {
		bool found = false;

		snprintf(code, sizeof(code), "W-%02d", i);
		for (size_t k = 0; explain_da.warning[k][0]; k++)
			found |= !strcmp(explain_da.warning[k][0], code);
		if (found != (code_find(code) != NULL))
			fail_msg("%s", code);
		n += found;
	}
	assert_true(n >= 17);
	for (int i = 0; category_names[i]; i++) {
		bool found = false;

		for (size_t k = 0; explain_da.word[k][0]; k++)
			found |= !strcmp(explain_da.word[k][0], category_names[i]);
		if (!found)
			fail_msg("%s", category_names[i]);
	}
}

/* ---- model texts ---- */

static char *slurp(const char *path)
{
	char *text = calloc(1, 1 << 16);
	FILE *f = fopen(path, "re");

	assert_non_null(f);
	assert_true(fread(text, 1, (1 << 16) - 1, f) > 0);
	fclose(f);
	return text;
}

static const char *example(const char *situation)
{
	static const char *const files[][2] = {
		{"A1", "a1-documentation"},
		{"A2", "a2-documentation-consent"},
		{"A3", "a3-documentation-obligation"},
		{"B", "b-training-consent"},
		{"C", "c-training-opt-out"},
		{"D", "d-training-special"},
		{"E", "e-documentation-training-consent"},
		{"F", "f-documentation-training-opt-out"},
		{"G", "g-documentation-training-special"},
	};
	static char path[128];

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		if (!strcmp(files[i][0], situation)) {
			snprintf(path, sizeof(path), "policy/examples/%s.policy", files[i][1]);
			return path;
		}
	fail_msg("no example of %s", situation);
	return NULL;
}

static void text_of(const struct policy_template *t, char *text, size_t n, char *elements, size_t m)
{
	FILE *f = fmemopen(text, n, "w"), *g = fmemopen(elements, m, "w");

	assert_int_equal(policy_template_print(f, t), 0);
	assert_int_equal(policy_template_elements(g, t), 0);
	fclose(f);
	fclose(g);
	assert_true(strlen(text) > 60 && !strpbrk(text, "{}\"\\"));
}

/* Each tag in the text is an element, and each element a tag. */
static void tags_are_elements(const char *text, const char *elements)
{
	char list[256], tag[64];
	const char *s = text;
	int tags = 0, words = 0;

	snprintf(list, sizeof(list), " %s ", elements);
	while ((s = strchr(s, '['))) {
		int n = (int)strcspn(s + 1, "]");

		snprintf(tag, sizeof(tag), " %.*s ", n, s + 1);
		if (!strstr(list, tag))
			fail_msg("%s is no element of %s", tag, elements);
		tags++;
		s++;
	}
	for (char *w = strtok(list, " "); w; w = strtok(NULL, " "))
		words++;
	assert_int_equal(tags, words);
}

/* The example with this text in the place of both its announcements. */
static char *with_text(const char *policy, const char *elements, const char *text, bool sms)
{
	char *out = NULL, *copy = strdup(policy), *save = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&out, &n);

	for (char *line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (!strncmp(line, "\telements ", 10))
			fprintf(f, "\telements %s\n", elements);
		else if (!strncmp(line, "\ttext ", 6))
			fprintf(f, "\ttext \"%s\"\n", text);
		else
			fprintf(f, "%s\n", line);
		if (sms && !strncmp(line, "\tnotice-proof ", 14))
			fputs("\tsms template-1 timeout 10 min\n", f);
	}
	fclose(f);
	free(copy);
	return out;
}

static size_t tried;

static void try(const char *policy, const struct policy_template *t)
{
	char text[2048] = "", elements[256] = "", *s;
	struct policy_diags d = {0};
	struct policy *p = NULL;
	int err;

	text_of(t, text, sizeof(text), elements, sizeof(elements));
	tags_are_elements(text, elements);
	s = with_text(policy, elements, text, t->sms);
	err = policy_load_mem("template", s, strlen(s), TODAY, &d, &p);
	for (size_t i = 0; err && i < d.n; i++)
		policy_diag_print(stderr, &d.d[i]);
	if (err)
		fail_msg("%s %d sms %d: %s", t->situation, t->lang, t->sms, text);
	assert_string_equal(policy_rule(p, 0)->scenario, t->situation);
	policy_free(p);
	policy_diags_free(&d);
	free(s);
	tried++;
}

static void templates_satisfy_the_linter(void **state)
{
	const char *s;

	(void)state;
	for (size_t i = 0; (s = policy_template_situation(i)); i++) {
		char *policy = slurp(example(s));

		for (int lang = 0; lang < POLICY_LANGS; lang++)
			for (int sms = 0; sms < 2; sms++)
				for (int way = 0; way < 3; way++)
					try(policy, &(struct policy_template){
							    .situation = s,
							    .lang = (enum policy_lang)lang,
							    .sms = sms,
							    .optout_key = way ? "9" : NULL,
							    .optout_agent = way == 2});
		free(policy);
	}
	assert_int_equal(tried, 9 * 2 * 2 * 3);
}

/* A text of one situation is none of another that needs other elements. */
static void templates_differ(void **state)
{
	static const char *const pairs[][2] = {{"A1", "E"}, {"B", "C"}, {"C", "F"},  {"F", "G"},
					       {"E", "F"},  {"D", "C"}, {"A3", "A1"}};

	(void)state;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		struct policy_template t = {.situation = pairs[i][0], .lang = POLICY_DA};
		char text[2048] = "", elements[256] = "", *policy = slurp(example(pairs[i][1])), *s;
		struct policy_diags d = {0};
		struct policy *p = NULL;

		text_of(&t, text, sizeof(text), elements, sizeof(elements));
		s = with_text(policy, elements, text, false);
		assert_int_equal(policy_load_mem("template", s, strlen(s), TODAY, &d, &p), -EINVAL);
		policy_diags_free(&d);
		free(policy);
		free(s);
	}
}

static void names_and_holes(void **state)
{
	struct policy_template t = {
		.situation = "s-b", .lang = POLICY_EN, .key = "*4", .link = "c.example/x"};
	char text[2048] = "", elements[256] = "";

	(void)state;
	text_of(&t, text, sizeof(text), elements, sizeof(elements));
	assert_non_null(strstr(text, "press *4 now [key:*4]"));
	assert_non_null(strstr(text, "c.example/x"));
	assert_non_null(strstr(elements, "key:*4"));
	t.situation = "a";
	text_of(&t, text, sizeof(text), elements, sizeof(elements));
	assert_string_equal(elements, "rec doc link object access");
	t.situation = "A1+B";
	assert_int_equal(policy_template_print(stderr, &t), -ENOENT);
	assert_int_equal(policy_template_elements(stderr, &t), -ENOENT);
	assert_null(policy_template_situation(9));
}

/* C with a notice that a header proves: when it ends nobody knows, and the rule says what is taken for it. */
static void length_that_nobody_knows(void **state)
{
	static const char *const say[POLICY_LANGS] = {[POLICY_EN] = "it is taken to end 45 seconds after it began",
						      [POLICY_DA] = "regnes det for slut 45 sekunder efter sin"};
	static const char *const proof[] = {"header X-Notice = yes", "attested", "fingerprint"};

	(void)state;
	for (int i = 0; i < 6; i++) {
		struct policy_diags d = {0};
		struct policy *p = NULL;
		char text[4096], *out = NULL, *c;
		size_t n = 0;
		FILE *f;

		snprintf(text, sizeof(text),
			 "trunk t { address 10.0.0.2 }\nset own numbers { +45 7010 20* }\n"
			 "announcement n { language da link https://c.example/t elements rec train link access optout then optout-key:9 "
			 "text \"x\" %s }\n"
			 "assessment a { kind training-amount scope @own review 2027-09-01 without-consent \"w\" }\n"
			 "controller c { timezone UTC languages da numbers @own roles r }\n"
			 "rule \"a\" { controller c side called called +45 7010 2010 owner O review 2027-10-01 notice n notice-proof %s\n"
			 " notice-timeout 45 s training { basis interest assessment a opt-out key 9 opt-out agent api sample 2%% cap 2 per day "
			 "use-within 5 days }\n roles training r }\n",
			 i / 2 == 2 ? "audio file \"none.wav\"" : "", proof[i / 2]);
		if (policy_load_mem("t", text, strlen(text), TODAY, &d, &p))
			fail_msg("%s", d.n ? d.d[0].text : "?");
		f = open_memstream(&out, &n);
		assert_non_null(f);
		assert_int_equal(policy_explain_in(f, p, policy_rule(p, 0), (enum policy_lang)(i % 2), NULL), 0);
		assert_int_equal(fclose(f), 0);
		while ((c = strstr(out, "\n "))) { /* lines are broken anywhere */
			size_t blanks = strspn(c + 1, " ");

			*c = ' ';
			memmove(c + 1, c + 1 + blanks, strlen(c + 1 + blanks) + 1);
		}
		if ((strstr(out, say[i % 2]) != NULL) != (i / 2 < 2))
			fail_msg("%d: %s", i, out);
		free(out);
		policy_free(p);
		policy_diags_free(&d);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(languages_say_the_same),
		cmocka_unit_test(danish_is_whole),
		cmocka_unit_test(templates_satisfy_the_linter),
		cmocka_unit_test(templates_differ),
		cmocka_unit_test(names_and_holes),
		cmocka_unit_test(length_that_nobody_knows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
