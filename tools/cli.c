/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cli.c - options: parsing, --help, completion, all from one table
 *
 * Written here and not with getopt_long because the table must also yield help,
 * completion, typed targets and "did you mean". Long options may be shortened
 * as long as they stay unambiguous. One thread.
 */
#include "cli.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/phone.h"
#include "base/uid.h"

#define NEAREST_MAX 32 /* longer words are never near; bounds the table of distances */

static const char *const standard[] = { "help", "version" };

/* Levenshtein distance, one row; words longer than NEAREST_MAX are far from everything. */
static unsigned distance(const char *a, const char *b)
{
	unsigned row[NEAREST_MAX + 1];
	size_t la = strlen(a), lb = strlen(b);

	if (la > NEAREST_MAX || lb > NEAREST_MAX)
		return NEAREST_MAX;
	for (size_t j = 0; j <= lb; j++)
		row[j] = (unsigned)j;
	for (size_t i = 1; i <= la; i++) {
		unsigned diag = row[0];

		row[0] = (unsigned)i;
		for (size_t j = 1; j <= lb; j++) {
			unsigned best = diag + (a[i - 1] != b[j - 1]);

			diag = row[j];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
		}
	}
	return row[lb];
}

const char *cli_nearest(const char *word, const char *const *words, size_t n)
{
	/* A third of the word may be wrong: "fnd" is find, "xyz" is nothing. */
	unsigned best = (unsigned)strlen(word) / 3 + 1;
	const char *ret = NULL;

	for (size_t i = 0; i < n; i++) {
		unsigned d = distance(word, words[i]);

		if (d <= best && d < strlen(words[i])) {
			if (d == best && ret)
				continue;
			best = d;
			ret = words[i];
		}
	}
	return ret;
}

/* ---- help and completion ---- */

static void help_line(char letter, const char *name, const char *arg, const char *help, bool required)
{
	char left[64];

	if (letter)
		snprintf(left, sizeof(left), "-%c, --%s%s%s", letter, name, arg ? " " : "", arg ? arg : "");
	else
		snprintf(left, sizeof(left), "    --%s%s%s", name, arg ? " " : "", arg ? arg : "");
	printf("  %-28s %s%s\n", left, help, required ? " (required)" : "");
}

static void help(const struct cli *c)
{
	const struct cli_opt *o;

	printf("%s - %s\n\nUsage: %s", c->name, c->summary, c->name);
	for (o = c->opts; o->name; o++)
		if (o->required)
			printf(" --%s %s", o->name, o->arg);
	printf(" [OPTIONS]%s%s\n\n", c->operands ? " " : "", c->operands ? c->operands : "");
	for (o = c->opts; o->name; o++) {
		help_line(o->letter, o->name, o->arg, o->help, o->required);
		if (o->type != CLI_CHOICE)
			continue;
		printf("  %-28s ", "");
		for (const char *const *w = o->choices; *w; w++)
			printf("%s%s", w == o->choices ? "one of: " : ", ", *w);
		printf("\n");
	}
	help_line('h', "help", NULL, "print this", false);
	help_line(0, "version", NULL, "print the version", false);
	if (c->notes)
		printf("\n%s\n", c->notes);
}

/* One option a line: --name, tab, what it takes. Read by the script of `optag --completion`. */
static void complete(const struct cli *c)
{
	for (const struct cli_opt *o = c->opts; o->name; o++) {
		printf("--%s\t", o->name);
		if (o->type == CLI_FLAG)
			printf("flag\n");
		else if (o->type == CLI_DIR)
			printf("dir\n");
		else if (o->type == CLI_FILE)
			printf("file\n");
		else if (o->type != CLI_CHOICE)
			printf("value\n");
		else {
			printf("words");
			for (const char *const *w = o->choices; *w; w++)
				printf(" %s", *w);
			printf("\n");
		}
	}
	printf("--help\tflag\n--version\tflag\n");
}

/* ---- values ---- */

static int set_choice(const struct cli_opt *o, const char *v)
{
	size_t n = 0;
	const char *near;
	char words[128] = "";

	for (; o->choices[n]; n++) {
		if (strcasecmp(o->choices[n], v) == 0) {
			*(int *)o->target = (int)n;
			return CLI_GO_ON;
		}
	}
	near = cli_nearest(v, o->choices, n);
	for (size_t i = 0, len = 0; i < n && len < sizeof(words); i++)
		len += (size_t)snprintf(words + len, sizeof(words) - len, "%s%s", i ? ", " : "", o->choices[i]);
	return cli_usage("--%s: expected one of %s%s%s%s", o->name, words, near ? " (did you mean " : "", near ? near : "",
			 near ? "?)" : "");
}

static int parse_uint(const char *s, uint64_t *ret)
{
	uint64_t v = 0;

	if (!*s)
		return -EINVAL;
	for (; *s; s++) {
		if (*s < '0' || *s > '9')
			return -EINVAL;
		if (__builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(*s - '0'), &v))
			return -ERANGE;
	}
	*ret = v;
	return 0;
}

int cli_text_ok(const char *what, const char *s)
{
	return phone_in(s, strlen(s), NULL) ? cli_usage("%s: " PHONE_REFUSED, what) : CLI_GO_ON;
}

/* The value itself is not repeated in messages: it may be a phone number. */
static int set_value(const struct cli_opt *o, const char *v)
{
	int rc = 0;
	const char *want = "";
	char what[32];

	switch (o->type) {
	case CLI_FLAG:
		*(bool *)o->target = true;
		break;
	case CLI_STR:
	case CLI_TEXT:
	case CLI_FILE:
	case CLI_DIR:
		if (!*v)
			return cli_usage("--%s: empty", o->name);
		*(const char **)o->target = v;
		if (o->type == CLI_TEXT) {
			snprintf(what, sizeof(what), "--%s", o->name);
			return cli_text_ok(what, v);
		}
		break;
	case CLI_UINT:
		want = "a number";
		rc = parse_uint(v, o->target);
		break;
	case CLI_TIME:
		want = "a time such as 2026-11-23, 2026-11-23T20:37:15Z or 2h";
		rc = cli_time(v, o->target);
		break;
	case CLI_DURATION:
		want = "a duration such as 90s, 2h or 30d";
		rc = cli_duration(v, o->target);
		break;
	case CLI_UID:
		want = "a call's identifier of 26 characters, as optag find prints it";
		rc = uid_parse(v, o->target);
		break;
	case CLI_CHOICE:
		return set_choice(o, v);
	}
	if (rc == -ERANGE)
		return cli_usage("--%s: out of range", o->name);
	return rc ? cli_usage("--%s: expected %s", o->name, want) : CLI_GO_ON;
}

/* ---- parsing ---- */

static const struct cli_opt opt_help = CLI_OPT('h', "help", CLI_FLAG, NULL, NULL, "");
static const struct cli_opt opt_version = CLI_OPT(0, "version", CLI_FLAG, NULL, NULL, "");

static int unknown(const struct cli *c, const char *name, size_t len)
{
	const char *words[64];
	char word[NEAREST_MAX + 1];
	size_t n = 0;
	const char *near;

	snprintf(word, sizeof(word), "%.*s", (int)(len > NEAREST_MAX ? NEAREST_MAX : len), name);
	for (const struct cli_opt *o = c->opts; o->name && n < 60; o++)
		words[n++] = o->name;
	words[n++] = standard[0];
	words[n++] = standard[1];
	near = cli_nearest(word, words, n);
	if (near)
		return cli_usage("unknown option '--%s' (did you mean --%s?)", word, near);
	return cli_usage("unknown option '--%s', see --help", word);
}

/* Exact name, or a start that fits one option only. */
static int find_long(const struct cli *c, const char *name, size_t len, const struct cli_opt **ret)
{
	const struct cli_opt *hit = NULL;
	unsigned hits = 0;

	for (size_t i = 0;; i++) {
		const struct cli_opt *o = &c->opts[i];

		if (!o->name)
			break;
		if (strncmp(o->name, name, len) != 0)
			continue;
		if (strlen(o->name) == len) {
			*ret = o;
			return CLI_GO_ON;
		}
		hit = o;
		hits++;
	}
	for (unsigned i = 0; i < 2; i++) {
		if (len && strncmp(standard[i], name, len) == 0) {
			hit = i ? &opt_version : &opt_help;
			hits += strlen(standard[i]) == len ? 0 : 1;
			if (strlen(standard[i]) == len)
				hits = 1;
		}
	}
	if (hits > 1)
		return cli_usage("option '--%.*s' could mean several, see --help", (int)len, name);
	if (!hits)
		return unknown(c, name, len);
	*ret = hit;
	return CLI_GO_ON;
}

static const struct cli_opt *find_letter(const struct cli *c, char letter)
{
	if (letter == 'h')
		return &opt_help;
	for (const struct cli_opt *o = c->opts; o->name; o++)
		if (o->letter == letter)
			return o;
	return NULL;
}

struct parse {
	const struct cli *c;
	int argc, i;
	char **argv;
	uint64_t given; /* bit per option of the table: limit of 64, checked at the start */
};

/* Help and version win at once: what else is wrong on the line does not matter then. */
static int take(struct parse *p, const struct cli_opt *o, const char *value)
{
	if (o == &opt_help) {
		help(p->c);
		return cli_finish(CLI_OK);
	}
	if (o == &opt_version) {
		printf("%s %s\n", p->c->name, CLI_VERSION);
		return cli_finish(CLI_OK);
	}
	if (o->type != CLI_FLAG && !value) { /* NOLINT(clang-analyzer-core.NullDereference): the callers looked it up */
		if (p->i >= p->argc)
			return cli_usage("--%s needs %s", o->name, o->arg);
		value = p->argv[p->i++];
	}
	p->given |= 1ULL << (o - p->c->opts);
	return set_value(o, value);
}

static int take_long(struct parse *p, const char *arg)
{
	const char *eq = strchr(arg, '=');
	const struct cli_opt *o = NULL;
	int rc = find_long(p->c, arg, eq ? (size_t)(eq - arg) : strlen(arg), &o);

	if (rc != CLI_GO_ON)
		return rc;
	if (eq && o->type == CLI_FLAG)
		return cli_usage("--%s takes no value", o->name);
	return take(p, o, eq ? eq + 1 : NULL);
}

static int take_letters(struct parse *p, const char *arg)
{
	for (; *arg; arg++) {
		const struct cli_opt *o = find_letter(p->c, *arg);
		int rc;

		if (!o)
			return cli_usage("unknown option '-%c', see --help",
					 *arg > ' ' && *arg < 127 ? *arg : '?');
		if (o->type != CLI_FLAG && arg[1])
			return take(p, o, arg[1] == '=' ? arg + 2 : arg + 1);
		rc = take(p, o, NULL);
		if (rc != CLI_GO_ON)
			return rc;
	}
	return CLI_GO_ON;
}

static int check_given(const struct parse *p, const struct cli_args *a)
{
	const struct cli *c = p->c;

	for (size_t i = 0; c->opts[i].name; i++)
		if (c->opts[i].required && !(p->given >> i & 1))
			return cli_usage("--%s %s is missing", c->opts[i].name, c->opts[i].arg);
	if (a->n < c->min_operands)
		return cli_usage("%s is missing", c->operands);
	if (c->max_operands >= 0 && a->n > c->max_operands)
		return c->max_operands ? cli_usage("too many arguments, expected %s", c->operands) :
					 cli_usage("unexpected argument, see --help");
	return CLI_GO_ON;
}

int cli_parse(const struct cli *c, int argc, char **argv, struct cli_args *ret)
{
	struct parse p = { .c = c, .argc = argc, .i = 1, .argv = argv };
	struct cli_args a = { 0, argv + 1 };
	bool only_operands = false;

	cli_start(c->name);
	if (argc == 2 && strcmp(argv[1], "--complete") == 0) {
		complete(c);
		return cli_finish(CLI_OK);
	}
	while (p.i < argc) {
		char *arg = argv[p.i++];
		int rc = CLI_GO_ON;

		if (only_operands || arg[0] != '-' || !arg[1])
			a.v[a.n++] = arg; /* never past the word just read */
		else if (strcmp(arg, "--") == 0)
			only_operands = true;
		else if (arg[1] == '-')
			rc = take_long(&p, arg + 2);
		else
			rc = take_letters(&p, arg + 1);
		if (rc != CLI_GO_ON)
			return rc;
	}
	*ret = a;
	return check_given(&p, &a);
}

/* ---- commands of a command ---- */

static int dispatch_help(const char *name, const char *summary, const struct cli_cmd *cmds)
{
	int width = 12;

	for (const struct cli_cmd *m = cmds; m->name; m++)
		width = (int)strlen(m->name) > width ? (int)strlen(m->name) : width;
	printf("%s - %s\n\nUsage: %s COMMAND [OPTIONS]\n\n", name, summary, name);
	for (const struct cli_cmd *m = cmds; m->name; m++)
		printf("  %-*s %s\n", width, m->name, m->help);
	printf("\n%s COMMAND --help tells more.\n", name);
	return cli_finish(CLI_OK);
}

int cli_dispatch(const char *name, const char *summary, const struct cli_cmd *cmds, int argc,
		 char **argv)
{
	const char *words[32], *near;
	size_t n = 0;

	cli_start(name);
	if (argc < 2)
		return cli_usage("COMMAND is missing, see --help");
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help"))
		return dispatch_help(name, summary, cmds);
	if (!strcmp(argv[1], "--version")) {
		printf("%s %s\n", name, CLI_VERSION);
		return cli_finish(CLI_OK);
	}
	if (!strcmp(argv[1], "--complete")) {
		for (const struct cli_cmd *m = cmds; m->name; m++)
			printf("%s\tcommand\n", m->name);
		return cli_finish(CLI_OK);
	}
	for (const struct cli_cmd *m = cmds; m->name && n < 32; m++) {
		if (!strcmp(m->name, argv[1]))
			return m->run(argc - 1, argv + 1);
		words[n++] = m->name;
	}
	near = cli_nearest(argv[1], words, n);
	if (near)
		return cli_usage("unknown command '%.32s' (did you mean %s?)", argv[1], near);
	return cli_usage("unknown command '%.32s', see --help", argv[1]);
}
