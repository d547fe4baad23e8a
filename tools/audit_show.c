/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * audit_show.c - `optag audit show`: events, in their order
 *
 * As text one line an event; with --json the line of the log itself, byte for byte.
 */
#include <inttypes.h>
#include <string.h>

#include "audit.h"
#include "base/clock.h"

static const char *store_dir, *rule, *event;
static uint64_t from_ns, to_ns;
static struct uid call;
static bool json;

static bool wanted(const struct evlog_line *l)
{
	static const struct uid none;
	const struct evlog_event *e = &l->e;

	if (!uid_equal(&call, &none) && (!e->has_call || !uid_equal(&call, &e->call)))
		return false;
	if (rule && (!e->rule || strcmp(rule, e->rule) != 0))
		return false;
	if (event && strcmp(event, evlog_kind_name(e->kind)) != 0)
		return false;
	return (!from_ns || e->time_ns >= from_ns) && (!to_ns || e->time_ns < to_ns);
}

static void word(const char *name, const char *value)
{
	if (value && *value)
		printf("  %s %s", name, value);
}

static int print_line(void *arg, const char *file, uint64_t n, const struct evlog_line *l)
{
	const struct evlog_event *e = &l->e;
	char text[EVLOG_LINE_MAX];

	(void)arg, (void)file, (void)n;
	if (!wanted(l))
		return 0;
	if (json) {
		size_t len = evlog_line_format(l->seq, l->prev, e, text);

		return fwrite(text, 1, len, stdout) == len ? 0 : CLI_FAILED; /* cli_finish tells it */
	}
	clock_format(e->time_ns, text);
	printf("%" PRIu64 "  %s  %s", l->seq, text, evlog_kind_name(e->kind));
	word("purpose", evlog_purpose_name(e->purpose));
	word("source", evlog_source_name(e->source));
	word("controller", e->controller);
	if (e->has_call) {
		uid_format(&e->call, text);
		word("call", text);
	}
	word("rule", e->rule);
	word("policy", e->policy);
	word("reason", e->reason);
	word("who", e->who);
	word("press", e->press);
	word("format", e->format);
	word("notice", e->notice);
	word("language", e->language);
	word("version", e->version);
	for (unsigned i = 0; i < e->namong; i++) {
		word(i ? "or" : "one of", e->among[i].notice);
		word("language", e->among[i].language);
		word("version", e->among[i].version);
		for (size_t k = 0; e->among[i].has_content && k < sizeof(e->among[i].content); k++)
			printf("%s%02x", k ? "" : "  content ", e->among[i].content[k]);
	}
	word("basis", e->basis);
	word("assessment", e->assessment);
	word("special", e->special);
	for (size_t i = 0; e->has_content && i < sizeof(e->content); i++)
		printf("%s%02x", i ? "" : "  content ", e->content[i]);
	if (e->kind == EVLOG_CALL_LINK) { /* the data is a call */
		struct uid other;

		memcpy(other.b, e->data, sizeof(other.b));
		uid_format(&other, text);
		word("other", text);
	}
	for (size_t i = 0; e->has_data && e->kind != EVLOG_CALL_LINK && i < sizeof(e->data); i++)
		printf("%s%02x", i ? "" : "  data ", e->data[i]);
	for (unsigned i = 0; i < e->nums; i++)
		printf("  %s=%" PRIu64, evlog_num_name(e->num[i].name), e->num[i].value);
	printf("\n");
	return 0;
}

static bool known_event(void)
{
	for (int k = 0; k < EVLOG_KINDS; k++)
		if (!strcmp(event, evlog_kind_name((enum evlog_kind)k)))
			return true;
	return false;
}

int audit_show(int argc, char **argv)
{
	static const struct cli_opt opts[] = {
		CLI_OPT_STORE(&store_dir),
		CLI_OPT(0, "call", CLI_UID, &call, "UID", "of this call"),
		CLI_OPT(0, "rule", CLI_STR, &rule, "R", "of this rule"),
		CLI_OPT(0, "event", CLI_STR, &event, "NAME", "of this kind, such as consent.given"),
		CLI_OPT_TIMES(&from_ns, &to_ns, "T", "from this time on", "before this time"),
		CLI_OPT_JSON(&json),
		{ 0 },
	};
	static const struct cli c = {
		.name = "optag audit show",
		.summary = "print events of the evidence log",
		.opts = opts,
		.operands = "[STORE]",
		.max_operands = 1,
		.notes = "--json prints the lines of the log itself. Exit status 3: the log is damaged.",
	};
	struct evlog_look how = { .line = print_line };
	struct cli_args a;
	int rc = cli_parse(&c, argc, argv, &a);

	if (rc != CLI_GO_ON)
		return rc;
	if (event && !known_event())
		return cli_usage("no event is called '%.32s'", event);
	if (from_ns)
		how.from_day = evlog_day(from_ns); /* an event never lies in the file of an earlier day */
	return cli_finish(audit_look(audit_store(&a, store_dir), &how));
}
