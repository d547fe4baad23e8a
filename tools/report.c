/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * report.c - `optag report`: what the store holds (daemon/store/inventory.h)
 *
 * Links nothing that opens a recording, and writes nothing. A line for each group of calls, one for each problem, and the
 * summary last. What a mailbox or a monitoring system looks at is the exit status: 3 when anything does not agree.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "base/clock.h"
#include "base/uid.h"
#include "store/inventory.h"

enum { BY_CONTROLLER, BY_RULE, BY_PURPOSE, BY_STATE, BY_AGE, BY_HELD, BY_MAX };
static const char *const by_names[BY_MAX + 1] = { "controller", "rule", "purpose", "state", "age", "held", NULL };
static const unsigned by_width[BY_MAX] = { 12, 24, 13, 9, 5, 4 };

static const char *store_dir = CLI_STORE_DIR, *by = "controller,rule,purpose,state,age,held";
static bool json, by_set[BY_MAX];
static uint64_t now_ns;

static const struct cli_opt opts[] = {
	CLI_OPT_STORE(&store_dir),
	CLI_OPT(0, "by", CLI_STR, &by, "WORDS", "what to count by: controller,rule,purpose,state,age,held"),
	CLI_OPT(0, "now", CLI_TIME, &now_ns, "T", "ages and deadlines by this time instead of the clock's"),
	CLI_OPT_JSON(&json),
	{ 0 },
};

static const struct cli cli = {
	.name = "optag report inventory",
	.summary = "what the store holds, how old it is, and whether keys, rows and files agree",
	.opts = opts,
	.notes = "Exit status: 0 all agrees, 3 something does not or is past its deadline, 1 could not look.\n"
		 "Reads no audio and needs no private key; changes nothing. optag fsck looks at every byte.\n",
};

struct found {
	struct inventory_group *v;
	size_t n;
	bool failed;
	struct {
		char *file, *text;
	} problem[INVENTORY_PROBLEMS];
	size_t nproblems;
};

static int order(const void *a, const void *b)
{
	const struct inventory_group *x = a, *y = b;
	int d = strcmp(x->controller, y->controller);

	d = d ? d : strcmp(x->rule, y->rule);
	d = d ? d : (int)x->purpose - (int)y->purpose;
	d = d ? d : (int)x->state - (int)y->state;
	d = d ? d : (int)x->age - (int)y->age;
	return d ? d : (int)x->held - (int)y->held;
}

/* What is not asked for is all the same. */
static struct inventory_group key_of(const struct inventory_group *g)
{
	struct inventory_group k = *g;

	if (!by_set[BY_CONTROLLER])
		k.controller[0] = 0;
	if (!by_set[BY_RULE])
		k.rule[0] = 0;
	k.purpose = by_set[BY_PURPOSE] ? k.purpose : 0;
	k.state = by_set[BY_STATE] ? k.state : 0;
	k.age = by_set[BY_AGE] ? k.age : 0;
	k.held = by_set[BY_HELD] && k.held;
	return k;
}

static void group(void *arg, const struct inventory_group *g)
{
	struct inventory_group k = key_of(g), *more;
	struct found *f = arg;

	for (size_t i = 0; i < f->n; i++)
		if (!order(&f->v[i], &k)) {
			f->v[i].calls += k.calls;
			f->v[i].audio_ms += k.audio_ms;
			return;
		}
	more = realloc(f->v, (f->n + 1) * sizeof(*more));
	if (!more) {
		f->failed = true;
		return;
	}
	f->v = more;
	f->v[f->n++] = k;
}

static void problem(void *arg, const char *file, const char *text)
{
	struct found *f = arg;

	if (f->nproblems == INVENTORY_PROBLEMS)
		return;
	f->problem[f->nproblems].file = strdup(file);
	f->problem[f->nproblems].text = strdup(text);
	f->failed |= !f->problem[f->nproblems].file || !f->problem[f->nproblems].text;
	f->nproblems++;
}

static double hours(uint64_t ms)
{
	return (double)ms / 3600e3;
}

static const char *value(const struct inventory_group *g, int what)
{
	switch (what) {
	case BY_CONTROLLER:
		return g->controller;
	case BY_RULE:
		return g->rule;
	case BY_PURPOSE:
		return store_purpose_names[g->purpose];
	case BY_STATE:
		return store_state_names[g->state];
	case BY_AGE:
		return inventory_ages[g->age];
	default:
		return g->held ? "held" : "-";
	}
}

static void show_group(const struct inventory_group *g)
{
	json_t *o = json ? json_object() : NULL;

	for (int i = 0; i < BY_MAX; i++) {
		if (!by_set[i])
			continue;
		if (json)
			(void)json_object_set_new(o, by_names[i], i == BY_HELD ? json_boolean(g->held) : cli_json_str(value(g, i)));
		else
			cli_text(stdout, value(g, i), by_width[i], true);
		if (!json)
			printf(" ");
	}
	if (json) {
		(void)json_object_set_new(o, "calls", json_integer((json_int_t)g->calls));
		(void)json_object_set_new(o, "hours", json_real(hours(g->audio_ms)));
		(void)cli_json_line(stdout, o); /* a failed write is told once, by cli_finish */
		return;
	}
	printf("%10" PRIu64 " %10.1f\n", g->calls, hours(g->audio_ms));
}

static void show_head(void)
{
	for (int i = 0; i < BY_MAX; i++)
		if (by_set[i]) {
			cli_text(stdout, by_names[i], by_width[i], true);
			printf(" ");
		}
	printf("%10s %10s\n", "calls", "hours");
}

static void show_problem(const char *file, const char *text)
{
	if (json) {
		(void)cli_json_line(stdout, json_pack("{s:o, s:o}", "file", cli_json_str(file), "problem", cli_json_str(text)));
		return;
	}
	cli_text(stdout, file, 0, false);
	printf(": ");
	cli_text(stdout, text, 0, false);
	printf("\n");
}

static void show_totals(const struct inventory_totals *t)
{
	char oldest[UID_TEXT] = "", when[32] = "";
	uint64_t days = t->oldest_ns < now_ns ? (now_ns - t->oldest_ns) / (86400 * NS_PER_S) : 0;

	if (t->oldest_ns) {
		uid_format(&t->oldest, oldest);
		clock_format(t->oldest_ns, when);
		when[10] = 0;
	}
	if (json) {
		json_t *o = json_pack("{s:o, s:I, s:I, s:I, s:f, s:o, s:o, s:I, s:I, s:I, s:I, s:I, s:I}", "at", cli_json_time(now_ns), "rows",
				      (json_int_t)t->rows, "kept", (json_int_t)t->kept, "held", (json_int_t)t->held, "hours",
				      hours(t->audio_ms), "oldest", cli_json_str(*oldest ? oldest : NULL), "oldest_start",
				      cli_json_time(t->oldest_ns), "due", (json_int_t)t->due, "past", (json_int_t)t->past, "keys",
				      (json_int_t)t->keys, "in_progress", (json_int_t)t->in_progress, "held_keys", (json_int_t)t->held_keys,
				      "erasing", (json_int_t)t->erasing);
		json_t *b = json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "segments", (json_int_t)t->segments, "segment_bytes",
				      (json_int_t)t->segment_bytes, "heads", (json_int_t)t->heads, "named", (json_int_t)t->named,
				      "unreadable", (json_int_t)t->unreadable, "other", (json_int_t)t->other, "files",
				      (json_int_t)t->files, "disk_bytes", (json_int_t)t->disk_bytes, "problems", (json_int_t)t->problems);

		if (o && b)
			(void)json_object_update(o, b);
		json_decref(b);
		(void)cli_json_line(stdout, o);
		return;
	}
	printf("%s kept of %s, %.1f hours, %" PRIu64 " held", cli_n(t->kept, "call"), cli_n(t->rows, "row"), hours(t->audio_ms), t->held);
	if (*oldest)
		printf("; the oldest is %s of %s, %s", oldest, when, cli_n(days, "day"));
	printf("\n%s: %" PRIu64 " in progress, %" PRIu64 " due, %" PRIu64 " past their deadline\n", cli_n(t->keys, "key"), t->in_progress,
	       t->due, t->past);
	printf("%s of %.1f MB: %.1f named by rows, %.1f unreadable, %.1f other; on disk %.1f MB in %s\n", cli_n(t->segments, "segment"),
	       (double)t->segment_bytes / 1e6, (double)t->named / 1e6, (double)t->unreadable / 1e6, (double)(t->other + t->heads) / 1e6,
	       (double)t->disk_bytes / 1e6, cli_n(t->files, "file"));
	if (t->problems)
		printf("%s\n", cli_n(t->problems, "problem"));
	else
		printf("balanced\n");
}

static int by_parse(void)
{
	char word[16];

	for (const char *s = by; *s;) {
		size_t n = strcspn(s, ",");
		int i = 0;

		snprintf(word, sizeof(word), "%.*s", n < sizeof(word) ? (int)n : 0, s);
		while (by_names[i] && strcmp(word, by_names[i]) != 0)
			i++;
		if (!by_names[i])
			return cli_usage("--by: '%.*s' is none of controller, rule, purpose, state, age, held", (int)n, s);
		by_set[i] = true;
		s += n + (s[n] == ',');
	}
	return 0;
}

static int inventory(int argc, char **argv)
{
	struct inventory_settings s = { .group = group, .problem = problem };
	struct inventory_totals t = { 0 };
	struct found f = { 0 };
	char why[512] = "";
	struct cli_args args;
	int rc = cli_parse(&cli, argc, argv, &args);

	if (rc != CLI_GO_ON)
		return rc;
	rc = by_parse();
	if (rc)
		return rc;
	cli_no_dump(); /* bucket files are read */
	now_ns = now_ns ? now_ns : clock_now_ns();
	s.store = store_dir;
	s.now_ns = now_ns;
	s.arg = &f;
	rc = inventory_run(&s, &t, why, sizeof(why));
	if (rc < 0 || f.failed) {
		cli_err("%s", rc < 0 ? (*why ? why : strerror(-rc)) : "out of memory");
		rc = rc < 0 ? cli_exit_code(rc) : CLI_FAILED;
	} else {
		if (f.n)
			qsort(f.v, f.n, sizeof(*f.v), order);
		if (f.n && !json)
			show_head();
		for (size_t i = 0; i < f.n; i++)
			show_group(&f.v[i]);
		for (size_t i = 0; i < f.nproblems; i++)
			show_problem(f.problem[i].file, f.problem[i].text);
		if (t.problems > f.nproblems && !json)
			printf("... and %s\n", cli_n(t.problems - f.nproblems, "problem"));
		show_totals(&t);
		rc = rc ? CLI_DAMAGED : CLI_OK;
	}
	for (size_t i = 0; i < f.nproblems; i++) {
		free(f.problem[i].file);
		free(f.problem[i].text);
	}
	free(f.v);
	return cli_finish(rc);
}

static const struct cli_cmd commands[] = {
	{ "inventory", "what the store holds, and whether everything agrees", inventory },
	{ 0 },
};

int main(int argc, char **argv)
{
	static const char *const later[] = { "regulator", "complaint", "utilisation" };

	for (size_t i = 0; argc > 1 && i < sizeof(later) / sizeof(*later); i++)
		if (!strcmp(argv[1], later[i])) {
			cli_start("optag report");
			return cli_usage("'%s' is not in this version; there is 'inventory'", later[i]);
		}
	return cli_dispatch("optag report", "reports about what the store holds", commands, argc, argv);
}
