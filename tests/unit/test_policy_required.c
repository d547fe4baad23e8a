/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_policy_required.c - what each situation requires: from the nine examples every line, every
 * element and every tag is taken away in turn. A table says of each whether it is needed, and by
 * which code its absence is refused; a line that the table does not know fails the test.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "policy/policy.h"

#define TODAY 1796000000 /* 2026-11-30 */

static const char *const examples[][2] = {
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
#define NEXAMPLES (sizeof(examples) / sizeof(examples[0]))

/* Where the line stands, how it begins, in which situations (NULL: all), refused by which code
 * (NULL: it is not needed). */
static const struct {
	const char *where, *line, *situations, *code;
} rows[] = {
	{"controller", "timezone", NULL, "L-10"},
	{"controller", "numbers", NULL, "L-03"},
	{"controller", "", NULL, NULL}, /* who it is, languages, roles, lab */
	{"trunk", "address", NULL, "L-04"},
	{"trunk", "country", NULL, "L-08"}, /* national-digits without a country */
	{"trunk", "queue-header", "B", "L-11"},
	{"trunk", "", NULL, NULL},
	{"set", "+45 7010 2012", "D G", "L-08"}, /* the only member */
	{"set", "+45 7010 20*", "A1 A3 C E F", "L-41"},
	{"set", "+45 7010 20*", "A2 D G", "L-03"},
	{"set", "+45 8812 3400", "B", "L-03"},
	{"set", "", NULL, NULL},
	{"announcement", "language", NULL, "L-84"},
	{"announcement", "link", NULL, "L-80"},
	{"announcement", "elements", NULL, "L-82"},
	{"announcement", "text", NULL, "L-08"},
	{"assessment", "kind", NULL, "L-01"},
	{"assessment", "scope", NULL, "L-41"},
	{"assessment", "review", NULL, "L-07"},
	{"assessment", "no-other-way", NULL, "L-40"},
	{"assessment", "factor", NULL, "L-40"},
	{"assessment", "without-consent", NULL, "L-52"},
	{"assessment", "second-approver", "G", "L-71"},
	{"assessment", "", NULL, NULL}, /* author, approver (but see below), date, outcome */
	{"rule", "controller", NULL, "L-03"},
	{"rule", "called", "D G", "L-35"},
	{"rule", "called", NULL, "L-04"},
	{"rule", "calling", "B", NULL}, /* the controller's own numbers, in a queue */
	{"rule", "queue", "B", NULL},
	{"rule", "owner", NULL, "L-07"},
	{"rule", "review", NULL, "L-07"},
	{"rule", "notice-proof", NULL, "L-85"}, /* by its sound, and there is none */
	{"rule", "notice", NULL, "L-80"},
	{"rule", "pause-key", NULL, "L-72"},
	{"rule", "decision-record", "A3", "L-65"},
	{"rule", "roles training", NULL, "L-90"},
	{"rule", "roles documentation", NULL, NULL}, /* then nobody plays it */
	{"rule", "resume-key", NULL, NULL},
	{"rule", "pause-max", NULL, NULL},
	{"rule", "sensitive", "F", NULL}, /* a line of which nothing is said */
	{"sensitive", "basis documentation", NULL, "L-70"},
	{"sensitive", "basis training", NULL, "L-71"},
	{"documentation", "basis", NULL, "L-06"},
	{"documentation", "assessment", "A3", "L-42"},
	{"documentation", "assessment", NULL, "L-40"},
	{"documentation", "consent-key", NULL, "L-20"},
	{"documentation", "retention-reason", "A3", "L-60"},
	{"documentation", "retention", "A3", "L-63"},
	{"documentation", "", NULL, NULL}, /* what has a default, and the key to withdraw with */
	{"training", "basis", NULL, "L-06"},
	{"training", "assessment", NULL, "L-51"},
	{"training", "special-circumstances", NULL, "L-30"},
	{"training", "consent-key", NULL, "L-20"},
	{"training", "opt-out key", NULL, "L-31"}, /* it is announced */
	{"training", "opt-out agent", NULL, NULL}, /* there is another one */
	{"training", "sample", NULL, "L-50"},
	{"training", "cap", "B D E G", "L-50"},
	{"training", "", NULL, NULL}, /* what has a default, one cap of two */
};

static bool among(const char *situation, const char *list)
{
	size_t n = strlen(situation);

	for (const char *s = list; s && *s; s += strcspn(s, " "), s += *s == ' ')
		if (!strncmp(s, situation, n) && (s[n] == ' ' || !s[n]))
			return true;
	return !list;
}

static char *slurp(const char *name)
{
	char path[128], *text = calloc(1, 1 << 16);
	FILE *f;

	snprintf(path, sizeof(path), "policy/examples/%s.policy", name);
	f = fopen(path, "re");
	assert_non_null(f);
	assert_true(fread(text, 1, (1 << 16) - 1, f) > 0);
	fclose(f);
	return text;
}

/* "" it loads; else its codes: "L-01 L-51 ". */
static const char *codes_of(const char *text)
{
	static char out[512];
	struct policy_diags d = {0};
	struct policy *p = NULL;
	int err = policy_load_mem("t", text, strlen(text), TODAY, &d, &p);

	out[0] = 0;
	for (size_t i = 0; i < d.n; i++)
		if (d.d[i].severity == POLICY_ERROR && strlen(out) + 8 < sizeof(out)) {
			strcat(out, d.d[i].code);
			strcat(out, " ");
		}
	assert_true(err ? *out : !*out);
	policy_free(p);
	policy_diags_free(&d);
	return out;
}

/* text without n bytes at `at`; malloc'ed. */
static char *without(const char *text, const char *at, size_t n)
{
	size_t before = (size_t)(at - text);
	char *s = calloc(1, strlen(text) + 1);

	memcpy(s, text, before);
	strcpy(s + before, at + n);
	return s;
}

static void judge(const char *situation, const char *what, const char *codes, const char *want)
{
	if (!want && *codes)
		fail_msg("%s without '%s' is refused: %s", situation, what, codes);
	if (want && !strstr(codes, want))
		fail_msg("%s without '%s': %s, not %s", situation, what,
			 *codes ? codes : "it loads", want);
}

static unsigned one_line(const char *situation, const char *text, const char *line, size_t n,
			 const char *where)
{
	char what[120], *cut;
	size_t i;

	snprintf(what, sizeof(what), "%.*s", (int)n, line);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (!strcmp(rows[i].where, where) &&
		    !strncmp(what, rows[i].line, strlen(rows[i].line)) &&
		    among(situation, rows[i].situations))
			break;
	if (i == sizeof(rows) / sizeof(rows[0]))
		fail_msg("%s: nothing is said of '%s' in %s", situation, what, where);
	cut = without(text, line, n);
	/* who approves special circumstances is asked for by their own code */
	if (!strncmp(what, "approver", 8) && strstr(codes_of(cut), "L-35"))
		judge(situation, what, codes_of(cut), "L-35");
	else
		judge(situation, what, codes_of(cut), rows[i].code);
	free(cut);
	return rows[i].code != NULL;
}

static void every_line(void **state)
{
	unsigned lines = 0, needed = 0;

	(void)state;
	for (size_t e = 0; e < NEXAMPLES; e++) {
		char *text = slurp(examples[e][1]), where[4][32];
		int depth = 0;

		assert_string_equal(codes_of(text), "");
		for (char *s = text; *s; s += strcspn(s, "\n"), s += *s == '\n') {
			char *line = s + strspn(s, "\t");
			size_t n = strcspn(line, "\n");

			if (!n || *line == '#')
				continue;
			if (*line == '}') {
				depth--;
			} else if (line[n - 1] == '{') {
				snprintf(where[depth++], sizeof(where[0]), "%.*s",
					 (int)strcspn(line, " "), line);
			} else {
				needed += one_line(examples[e][0], text, line, n, where[depth - 1]);
				lines++;
			}
		}
		assert_int_equal(depth, 0);
		free(text);
	}
	assert_true(lines > 350 && needed > 200);
}

/* A block as a whole: a purpose that is announced, and the last one. */
static void every_block(void **state)
{
	(void)state;
	for (size_t e = 0; e < NEXAMPLES; e++) {
		static const char *const blocks[] = {"\tdocumentation {", "\ttraining {"};
		char *text = slurp(examples[e][1]), *at[2];
		bool both;

		for (int i = 0; i < 2; i++)
			at[i] = strstr(text, blocks[i]);
		both = at[0] && at[1];
		for (int i = 0; i < 2; i++) {
			char *cut;

			if (!at[i])
				continue;
			cut = without(text, at[i], (size_t)(strstr(at[i], "\n\t}\n") + 4 - at[i]));
			judge(examples[e][0], blocks[i], codes_of(cut), both ? "L-82" : "L-05");
			free(cut);
		}
		free(text);
	}
}

/* ---- elements, and where the text says them ---- */

static const char *element_code(const char *element)
{
	static const char *const codes[][2] = {
		{"rec", "L-81"},      {"doc", "L-82"},	{"train", "L-82"},     {"key:1", "L-81"},
		{"withdraw", "L-26"}, {"link", "L-80"}, {"object", "L-81"},    {"access", "L-81"},
		{"then", "L-32"},     {"optout", NULL}, {"optout-key:9", NULL}};

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (!strcmp(codes[i][0], element))
			return codes[i][1];
	fail_msg("nothing is said of the element '%s'", element);
	return NULL;
}

static void one_element(const char *situation, const char *text, char *word, size_t n,
			const char *announcement)
{
	char element[32], tag[40], *cut = without(text, word, n), *said;

	snprintf(element, sizeof(element), "%.*s", (int)n, word);
	judge(situation, element, codes_of(cut), element_code(element));
	free(cut);
	/* listed, and not said */
	snprintf(tag, sizeof(tag), "[%s]", element);
	said = strstr(announcement, tag);
	if (!said)
		fail_msg("%s: the text does not say %s", situation, tag);
	cut = without(text, said, strlen(tag));
	judge(situation, tag, codes_of(cut), "L-81");
	free(cut);
}

static void every_element(void **state)
{
	unsigned n = 0;

	(void)state;
	for (size_t e = 0; e < NEXAMPLES; e++) {
		char *text = slurp(examples[e][1]);

		for (char *s = text; (s = strstr(s, "\telements ")); s++) {
			char *w = s + 10;

			while (*w != '\n') {
				size_t len = strcspn(w, " \n");

				one_element(examples[e][0], text, w, len, s);
				n++;
				w += len;
				w += strspn(w, " ");
			}
		}
		free(text);
	}
	assert_true(n > 100);
}

/* Both ways out taken from the announcement: nobody is told of any. */
static void no_way_out_is_said(void **state)
{
	static const int with_opt_out[] = {4, 7};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		char *text = slurp(examples[with_opt_out[i]][1]), *s = text, *cut;

		while ((s = strstr(s, " optout then optout-key:9"))) {
			cut = without(text, s, strlen(" optout then optout-key:9"));
			judge(examples[with_opt_out[i]][0], "optout", codes_of(cut), "L-32");
			free(cut);
			s++;
		}
		free(text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_line),
		cmocka_unit_test(every_block),
		cmocka_unit_test(every_element),
		cmocka_unit_test(no_way_out_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
