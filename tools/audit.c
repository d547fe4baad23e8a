/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * audit.c - `optag audit`: the evidence log, for who must not trust its keeper
 *
 * Reads the store only, works beside a running daemon, and needs no key but the public one. Verify
 * prints findings as fsck does, one a line, `FILE:LINE: RULE: text`.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "audit.h"
#include "store/hold_log.h"
#include "store/outbox.h"

static const char *store_dir, *public_key, *root_hex, *rule;
static uint64_t from_ns, to_ns;
static bool json;

#define OPT_STORE CLI_OPT_STORE(&store_dir)

const char *audit_store(const struct cli_args *a, const char *option)
{
	return a->n ? a->v[0] : option ? option : CLI_STORE_DIR;
}

int audit_look(const char *store, const struct evlog_look *how)
{
	struct evlog_report r;
	char why[512] = "";
	int rc = evlog_look(store, how, &r, why, sizeof(why));

	if (rc < 0) {
		cli_err("%s", *why ? why : strerror(-rc));
		return cli_exit_code(rc);
	}
	if (rc > 0)
		return rc;
	if (!r.damaged)
		return CLI_OK;
	cli_err("the log is damaged or does not add up (%s): see optag audit verify", cli_n(r.damaged, "finding"));
	return CLI_DAMAGED;
}

/* ---- verify ---- */

static void print_finding(void *arg, const char *file, uint64_t line, const char *rule_id, const char *text)
{
	(void)arg;
	if (json) {
		/* a failed write is told once, by cli_finish */
		(void)cli_json_line(stdout, json_pack("{s:o, s:I, s:s, s:o}", "file", cli_json_str(file), "line",
						      (json_int_t)line, "rule", rule_id, "text", cli_json_str(text)));
		return;
	}
	cli_text(stdout, file, 0, false);
	if (line)
		printf(":%" PRIu64, line);
	printf(": %s: ", rule_id);
	cli_text(stdout, text, 0, false);
	printf("\n");
}

static void hex(const uint8_t *p, size_t n, char *out)
{
	for (size_t i = 0; i < n; i++)
		snprintf(out + 2 * i, 3, "%02x", p[i]);
}

static void day_text(uint64_t number, char out[16])
{
	unsigned day = (unsigned)number;

	snprintf(out, 16, "%04u-%02u-%02u", day / 10000 % 10000, day / 100 % 100, day % 100);
}

static void print_inventory(const struct evlog_report *r)
{
	char last[16];

	if (!r->inventories)
		return;
	day_text(r->inventory_day, last);
	printf("the store was counted %s, the last time on %s: %s past their deadline, %s\n", cli_n(r->inventories, "time"), last,
	       cli_n(r->inventory_past, "key"), cli_n(r->inventory_errors, "problem"));
	if (r->inventory_missed)
		printf("%s in between on which it was not\n", cli_n(r->inventory_missed, "day"));
}

static int print_summary(const struct evlog_report *r, const struct outbox_waiting *w)
{
	char root[65], day[16], last[16];

	hex(r->root, 32, root);
	day_text(r->inventory_day, last);
	if (json)
		return cli_json_line(stdout,
				     json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:I, s:I, s:I, s:I, s:I, s:o, s:I, s:I, s:I}", "days",
					       (json_int_t)r->days, "sealed", (json_int_t)r->sealed, "events",
					       (json_int_t)r->lines, "calls", (json_int_t)r->calls, "open",
					       (json_int_t)r->open, "torn_bytes", (json_int_t)r->torn_bytes,
					       "recovered", (json_int_t)r->recovered, "backwards",
					       (json_int_t)r->backwards, "root", r->sealed ? json_string(root) : json_null(),
					       "damaged", (json_int_t)r->damaged, "outbox", (json_int_t)w->events,
					       "outbox_bad", (json_int_t)w->bad, "expired", (json_int_t)r->expired,
					       "inventories", (json_int_t)r->inventories, "inventory_day", r->inventory_day ? json_string(last) : json_null(),
					       "inventory_missed", (json_int_t)r->inventory_missed, "inventory_past", (json_int_t)r->inventory_past,
					       "inventory_problems", (json_int_t)r->inventory_errors));
	printf("%s, %" PRIu64 " of them signed, %s, %s, %" PRIu64 " in progress: ", cli_n(r->days, "day"), r->sealed,
	       cli_n(r->lines, "event"), cli_n(r->calls, "call"), r->open);
	if (r->damaged)
		printf("%s\n", cli_n(r->damaged, "finding"));
	else
		printf("whole, and it adds up\n");
	if (r->expired) {
		evlog_day_text(r->expired_to, day);
		printf("of %s, up to %s, only the root is left\n", cli_n(r->expired, "day"), day);
	}
	if (r->torn_bytes)
		printf("%" PRIu64 " bytes at the end are half written; the next start cuts them\n", r->torn_bytes);
	if (r->recovered)
		printf("half-written ends were cut %s\n", cli_n(r->recovered, "time"));
	if (r->backwards)
		printf("the clock was set back %s by more than %llu s\n", cli_n(r->backwards, "time"), EVLOG_DISORDER_NS / 1000000000);
	print_inventory(r);
	if (w->events)
		printf("%s in the outbox, not in the log yet\n", cli_n(w->events, "event"));
	if (w->bad)
		printf("%s set aside: not taken into the log\n", cli_n(w->bad, "outbox file"));
	if (r->sealed)
		printf("newest root: %s\n", root);
	return 0;
}

static void print_hold(void *arg, const char *rule_id, const char *text)
{
	struct evlog_report *r = arg;

	print_finding(NULL, "holds", 0, rule_id, text);
	r->damaged++;
}

/* 64 hex digits, either case. */
static bool parse_root(const char *s, uint8_t out[32])
{
	if (strlen(s) != 64 || strspn(s, "0123456789abcdefABCDEF") != 64)
		return false;
	for (size_t i = 0; i < 32; i++) {
		unsigned v;

		if (sscanf(s + 2 * i, "%2x", &v) != 1) /* NOLINT(cert-err34-c): two hex digits, looked at above */
			return false;
		out[i] = (uint8_t)v;
	}
	return true;
}

static int cmd_verify(int argc, char **argv)
{
	static const struct cli_opt opts[] = {
		OPT_STORE,
		CLI_OPT(0, "public-key", CLI_FILE, &public_key, "FILE", "the log's public key as noted outside the store"),
		CLI_OPT(0, "root", CLI_STR, &root_hex, "HASH", "a root noted outside; the log must contain it"),
		CLI_OPT_JSON(&json),
		{ 0 },
	};
	static const struct cli c = {
		.name = "optag audit verify",
		.summary = "check chain, signatures and sums of the evidence log",
		.opts = opts,
		.operands = "[STORE]",
		.max_operands = 1,
		.notes = "Exit status: 0 whole, 3 damaged or it does not add up, 1 could not check.",
	};
	struct evlog_look how = { .finding = print_finding };
	struct hold_log *holds = NULL;
	struct outbox_waiting w;
	struct evlog_report r;
	struct cli_args a;
	char why[512] = "", held_why[512] = "";
	uint8_t anchor[32];
	int rc = cli_parse(&c, argc, argv, &a), held;

	if (rc != CLI_GO_ON)
		return rc;
	if (root_hex && !parse_root(root_hex, anchor))
		return cli_usage("--root takes 64 hex digits");
	how.anchor = root_hex ? anchor : NULL;
	how.public_key = public_key;
	held = hold_log_new(audit_store(&a, store_dir), &holds, held_why, sizeof(held_why));
	how.arg = holds;
	how.line = held ? NULL : hold_log_line;
	rc = evlog_look(audit_store(&a, store_dir), &how, &r, why, sizeof(why));
	if (rc) {
		cli_err("%s", *why ? why : strerror(-rc));
		hold_log_free(holds);
		return cli_finish(cli_exit_code(rc));
	}
	held = held ? held : hold_log_check(holds, print_hold, &r, held_why, sizeof(held_why));
	if (held && held != -ENOENT)
		cli_err("the journal of holds is not compared: %s", held_why);
	hold_log_free(holds);
	if (outbox_waiting(audit_store(&a, store_dir), &w))
		w = (struct outbox_waiting){ 0 }; /* not ours to read: the log is what is asked about */
	if (print_summary(&r, &w))
		return cli_finish(CLI_FAILED);
	return cli_finish(r.damaged ? CLI_DAMAGED : CLI_OK);
}

/* ---- sums ---- */

struct sums {
	struct evlog_sum total;
	uint64_t lines;
};

static void print_sum(void *arg, const struct evlog_sum *s)
{
	struct sums *t = arg;
	char day[16];

	if ((rule && strcmp(rule, s->rule) != 0) || (from_ns && s->day < evlog_day(from_ns)) ||
	    (to_ns && s->day >= evlog_day(to_ns)))
		return;
	t->total.matched += s->matched;
	t->total.kept += s->kept;
	t->total.denied += s->denied;
	t->total.gap += s->gap;
	t->total.open += s->open;
	evlog_day_text(s->day, day);
	if (json) {
		/* a failed write is told once, by cli_finish */
		(void)cli_json_line(stdout, json_pack("{s:s, s:o, s:I, s:I, s:I, s:I, s:I}", "day", day, "rule",
						      cli_json_str(s->rule), "matched", (json_int_t)s->matched, "kept",
						      (json_int_t)s->kept, "denied", (json_int_t)s->denied, "gap",
						      (json_int_t)s->gap, "open", (json_int_t)s->open));
		return;
	}
	if (!t->lines++)
		printf("%-10s  %9s  %9s  %9s  %9s  %9s  %s\n", "DAY", "MATCHED", "KEPT", "DENIED", "GAP", "OPEN", "RULE");
	printf("%-10s  %9" PRIu64 "  %9" PRIu64 "  %9" PRIu64 "  %9" PRIu64 "  %9" PRIu64 "  ", day, s->matched, s->kept,
	       s->denied, s->gap, s->open);
	cli_text(stdout, s->rule, 0, false);
	printf("\n");
}

static int cmd_sums(int argc, char **argv)
{
	static const struct cli_opt opts[] = {
		OPT_STORE,
		CLI_OPT(0, "rule", CLI_STR, &rule, "R", "of this rule only"),
		CLI_OPT_TIMES(&from_ns, &to_ns, "T", "from this day (UTC) on", "before this day"),
		CLI_OPT_JSON(&json),
		{ 0 },
	};
	static const struct cli c = {
		.name = "optag audit sums",
		.summary = "matched = kept + denied + gap (+ open), per day and rule",
		.opts = opts,
		.operands = "[STORE]",
		.max_operands = 1,
		.notes = "A call counts on the UTC day of its match. Exit status 3: the log is damaged or does not add up.",
	};
	struct sums t = { 0 };
	struct evlog_look how = { .arg = &t, .sum = print_sum };
	struct cli_args a;
	int rc = cli_parse(&c, argc, argv, &a);

	if (rc != CLI_GO_ON)
		return rc;
	if (from_ns)
		how.from_day = evlog_day(from_ns);
	rc = audit_look(audit_store(&a, store_dir), &how);
	if (t.lines > 1)
		printf("%-10s  %9" PRIu64 "  %9" PRIu64 "  %9" PRIu64 "  %9" PRIu64 "  %9" PRIu64 "\n", "sum",
		       t.total.matched, t.total.kept, t.total.denied, t.total.gap, t.total.open);
	return cli_finish(rc);
}

int main(int argc, char **argv)
{
	static const struct cli_cmd cmds[] = {
		{ "verify", "check chain, signatures and sums", cmd_verify },
		{ "show", "print events: of a call, a rule, a time", audit_show },
		{ "recompute-sample", "calculate again which calls were drawn for training", audit_recompute_sample },
		{ "certificate", "prove to others that a call was deleted", audit_certificate },
		{ "sms", "calls whose message with the rest of the announcement did not arrive", audit_sms },
		{ "sums", "calls matched, kept, denied, per day and rule", cmd_sums },
		{ 0 },
	};

	return cli_dispatch("optag audit", "verify and read the evidence log", cmds, argc, argv);
}
