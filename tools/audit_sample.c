/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * audit_sample.c - `optag audit recompute-sample`: every draw for training calculated again
 *
 * First the evidence log gives seeds, draws and names of rules, then the sampler's records pass one by one: each
 * through its own arithmetic (sample_audit_add), and against its event. Memory grows with events, not with records. One thread.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "audit_sample.h"
#include "base/clock.h"

#define DAY_S 86400

static const char *store_dir, *rule;
static uint64_t from_ns, to_ns;
static bool json;

/* What is printed of a rule and day. */
struct tally {
	struct hnode node;
	uint8_t rule[SAMPLE_ID];
	int32_t day;
	uint64_t calls, by_why[SAMPLE_WHY_N], released, faults;
};

struct job {
	struct events e;
	struct match m;
	struct htab rules, tallies;
	struct sample_audit *audit;
	int32_t from, to;	 /* 0: all */
	uint64_t faults;
	uint64_t records, draws, crashed, pending, unchecked; /* of what was asked for */
	/* the record at hand; NULL while seeds are looked at */
	const struct sample_record *rec;
	const char *file;
	uint64_t line;
	int32_t day;
};

/* ---- faults ---- */

static bool wanted(const struct job *j, int32_t day, const uint8_t *id)
{
	const struct rule_name *n;

	if (day && ((j->from && day < j->from) || (j->to && day >= j->to)))
		return false;
	if (!rule || !id)
		return true;
	n = events_name(&j->e, id);
	return n && !strcmp(n->rule, rule);
}

static void print_fault(const char *file, uint64_t line, const char *text)
{
	if (json) {
		/* a failed write is told once, by cli_finish */
		(void)cli_json_line(stdout, json_pack("{s:o, s:I, s:o}", "file", cli_json_str(file), "line", (json_int_t)line,
						      "text", cli_json_str(text)));
		return;
	}
	cli_text(stdout, file, 0, false);
	if (line)
		printf(":%" PRIu64, line);
	printf(": ");
	cli_text(stdout, text, 0, false);
	printf("\n");
}

static struct tally *tally_of(struct job *j, const uint8_t id[SAMPLE_ID], int32_t day)
{
	uint8_t key[SAMPLE_ID + sizeof(day)];
	struct tally *t;
	uint64_t h;

	memcpy(key, id, SAMPLE_ID);
	memcpy(key + SAMPLE_ID, &day, sizeof(day));
	h = hash_bytes(key, sizeof(key));
	for (struct hnode *i = htab_first(&j->tallies, h); i; i = htab_next(i)) {
		t = container_of(i, struct tally, node);
		if (t->day == day && !memcmp(t->rule, id, SAMPLE_ID))
			return t;
	}
	t = calloc(1, sizeof(*t));
	if (!t)
		return NULL;
	memcpy(t->rule, id, SAMPLE_ID);
	t->day = day;
	htab_add(&j->tallies, &t->node, h);
	return t;
}

static void fault(struct job *j, const char *file, uint64_t line, int32_t day, const uint8_t *id, const char *text)
{
	struct tally *t;

	if (!wanted(j, day, id))
		return;
	j->faults++;
	print_fault(file, line, text);
	t = id && day ? tally_of(j, id, day) : NULL;
	if (t)
		t->faults++; /* without memory for it the fault itself still counts */
}

static void on_event_fault(void *arg, const char *file, uint64_t line, int32_t day, const char *text)
{
	fault(arg, file, line, day, NULL, text);
}

static void on_match_fault(void *arg, const char *file, uint64_t line, int32_t day, const uint8_t id[SAMPLE_ID],
			   const char *text)
{
	fault(arg, file, line, day, id, text);
}

static void on_crashed(void *arg, int32_t day, const uint8_t id[SAMPLE_ID])
{
	struct job *j = arg;

	j->crashed += wanted(j, day, id);
}

static void on_finding(void *arg, const char *file, uint64_t line, const char *text)
{
	struct job *j = arg;

	j->faults++;
	print_fault(file, line, text);
}

/* A day without a seed that counts: told once, when it should have one. */
static void no_seed(struct job *j)
{
	struct seed_at *s = events_seed(&j->e, j->rec->day);
	char text[128], day[16];

	if (!wanted(j, j->day, j->rec->rule))
		return;
	if (s && s->pub.has_hash && !s->pub.has_seed && !s->overdue) {
		j->pending++;
		return;
	}
	j->unchecked++;
	if (s && s->told)
		return;
	if (s)
		s->told = true;
	sample_day_text(j->rec->day, day);
	snprintf(text, sizeof(text), "%s %.10s: its draws cannot be calculated",
		 !s || !s->pub.has_hash ? "no hash of a seed was published for" :
		 s->pub.has_seed	? "the seed is not the one whose hash was published for" :
					  "no seed was published since the end of", day);
	fault(j, j->file, j->line, j->day, j->rec->rule, text);
}

static void on_fault(void *arg, size_t index, enum sample_fault f)
{
	struct job *j = arg;
	char file[32];

	if (j->rec) {
		if (f == SAMPLE_F_NO_SEED)
			no_seed(j);
		else
			fault(j, j->file, j->line, j->day, j->rec->rule, sample_fault_text(f));
		return;
	}
	events_file(j->e.seed[index].reveal_file, file);
	fault(j, file, j->e.seed[index].reveal_line, j->e.seed[index].pub.day, NULL, sample_fault_text(f));
}

/* ---- records ---- */

static struct rule_state *rule_of(struct job *j, const uint8_t id[SAMPLE_ID])
{
	uint64_t h = hash_bytes(id, SAMPLE_ID);
	struct rule_state *r;

	for (struct hnode *i = htab_first(&j->rules, h); i; i = htab_next(i)) {
		r = container_of(i, struct rule_state, node);
		if (!memcmp(r->id, id, SAMPLE_ID))
			return r;
	}
	r = calloc(1, sizeof(*r));
	if (!r)
		return NULL;
	memcpy(r->id, id, SAMPLE_ID);
	htab_add(&j->rules, &r->node, h);
	return r;
}

/* The day that a record counts on: that of the draw by the rule's clock. */
static int32_t day_of(struct rule_state *rs, const struct sample_record *r)
{
	int32_t utc = (int32_t)(r->time_ns / NS_PER_S / DAY_S);

	if (r->kind == SAMPLE_R_DRAW && r->day)
		rs->day = r->day;
	else if (r->kind == SAMPLE_R_OPEN && r->open->day)
		rs->day = r->open->day;
	else if (r->kind == SAMPLE_R_DRAW)
		return utc;
	return rs->day ? rs->day : utc;
}

static int count(struct job *j, const struct sample_record *r, int32_t day)
{
	struct tally *t;

	if (!wanted(j, day, r->rule))
		return 0;
	j->records++;
	j->draws += r->kind == SAMPLE_R_DRAW;
	if (r->kind != SAMPLE_R_DRAW && r->kind != SAMPLE_R_RELEASE)
		return 0;
	t = tally_of(j, r->rule, day);
	if (!t)
		return -ENOMEM;
	t->calls += r->kind == SAMPLE_R_DRAW;
	t->released += r->kind == SAMPLE_R_RELEASE;
	if (r->kind == SAMPLE_R_DRAW)
		t->by_why[r->why]++;
	return 0;
}

static int on_record(void *arg, const struct sample_record *r, const uint8_t link[SAMPLE_LOG_LINK], const char *file,
		     uint64_t line)
{
	struct job *j = arg;
	struct rule_state *rs = rule_of(j, r->rule);
	int rc;

	if (!rs)
		return -ENOMEM;
	j->rec = r;
	j->file = file;
	j->line = line;
	j->day = day_of(rs, r);
	rc = match_record(&j->m, rs, r, link, file, line, j->day);
	if (!rc)
		rc = count(j, r, j->day);
	rs->opened |= r->kind == SAMPLE_R_OPEN;
	/* From the middle of a log: a rule begins with its first state. */
	if (!rc && (rs->opened || !j->from))
		rc = sample_audit_add(j->audit, r);
	return rc;
}

/* ---- output ---- */

static const char *tally_rule(const struct job *j, const struct tally *t, char hex[2 * SAMPLE_ID + 1])
{
	const struct rule_name *n = events_name(&j->e, t->rule);

	for (size_t i = 0; i < SAMPLE_ID; i++)
		snprintf(hex + 2 * i, 3, "%02x", t->rule[i]);
	return n ? n->rule : hex;
}

static void print_json(const struct tally *t, const char *name, const char *day)
{
	json_t *out = json_object();

	for (int w = SAMPLE_IN + 1; w < SAMPLE_WHY_N; w++)
		if (t->by_why[w])
			json_object_set_new(out, sample_why_name((enum sample_why)w), json_integer((json_int_t)t->by_why[w]));
	/* a failed write is told once, by cli_finish */
	(void)cli_json_line(stdout, json_pack("{s:s, s:o, s:I, s:I, s:o, s:I, s:I}", "day", day, "rule", cli_json_str(name),
					      "calls", (json_int_t)t->calls, "in", (json_int_t)t->by_why[SAMPLE_IN], "out",
					      out, "released", (json_int_t)t->released, "faults", (json_int_t)t->faults));
}

static void print_tally(const struct job *j, const struct tally *t, bool first)
{
	char day[16], hex[2 * SAMPLE_ID + 1];
	const char *name = tally_rule(j, t, hex), *sep = "  (";

	sample_day_text(t->day, day);
	if (json) {
		print_json(t, name, day);
		return;
	}
	if (first)
		printf("%-10s  %9s  %7s  %9s  %8s  %6s  %s\n", "DAY", "CALLS", "IN", "OUT", "RELEASED", "FAULTS", "RULE");
	printf("%-10s  %9" PRIu64 "  %7" PRIu64 "  %9" PRIu64 "  %8" PRIu64 "  %6" PRIu64 "  ", day, t->calls,
	       t->by_why[SAMPLE_IN], t->calls - t->by_why[SAMPLE_IN], t->released, t->faults);
	cli_text(stdout, name, 0, false);
	for (int w = SAMPLE_IN + 1; w < SAMPLE_WHY_N; w++) {
		if (!t->by_why[w])
			continue;
		printf("%s%s %" PRIu64, sep, sample_why_name((enum sample_why)w), t->by_why[w]);
		sep = ", ";
	}
	printf("%s\n", *sep == ',' ? ")" : "");
}

static const struct events *names; /* for qsort */

static int tally_cmp(const void *a, const void *b)
{
	const struct tally *x = *(struct tally *const *)a, *y = *(struct tally *const *)b;
	const struct rule_name *n = events_name(names, x->rule), *m = events_name(names, y->rule);
	int c;

	if (x->day != y->day)
		return x->day < y->day ? -1 : 1;
	c = strcmp(n ? n->rule : "", m ? m->rule : "");
	return c ? c : memcmp(x->rule, y->rule, SAMPLE_ID);
}

static int print_tallies(const struct job *j)
{
	struct tally **v = calloc(j->tallies.count + 1, sizeof(struct tally *));
	size_t n = 0;

	if (!v)
		return -ENOMEM;
	for (size_t i = 0; i <= j->tallies.mask; i++)
		for (struct hnode *h = j->tallies.slot[i]; h; h = h->next)
			v[n++] = container_of(h, struct tally, node);
	names = &j->e;
	qsort(v, n, sizeof(*v), tally_cmp);
	for (size_t i = 0; i < n; i++)
		print_tally(j, v[i], !i);
	free(v);
	return 0;
}

static void print_summary(const struct job *j, const struct sample_sums *s)
{
	if (json) {
		(void)cli_json_line(stdout, json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "records",
						      (json_int_t)j->records, "draws", (json_int_t)j->draws, "starts",
						      (json_int_t)s->starts, "missing", (json_int_t)s->missing, "crashed",
						      (json_int_t)j->crashed, "vanished", (json_int_t)s->vanished, "pending",
						      (json_int_t)j->pending, "unchecked", (json_int_t)j->unchecked, "other_plan",
						      (json_int_t)s->other_plan, "faults", (json_int_t)j->faults));
		return;
	}
	printf("%" PRIu64 " records, %" PRIu64 " draws: ", j->records, j->draws);
	if (j->faults)
		printf("%" PRIu64 " faults\n", j->faults);
	else
		printf(s->other_plan ? "no faults\n" : "all as calculated\n");
	if (s->other_plan)
		printf("%" PRIu64 " draws by another version's calculation: their thresholds, and limits by use, were not calculated\n",
		       s->other_plan);
	if (j->pending)
		printf("%" PRIu64 " draws of days whose seeds are not published yet: all but their draw values was checked\n",
		       j->pending);
	if (j->crashed)
		printf("%" PRIu64 " draws at the end, or before the sampler was started again, did not reach the evidence log\n",
		       j->crashed);
	if (s->missing)
		printf("%" PRIu64 " records before starts are missing: a crash kept them from the disk\n", s->missing);
	if (s->vanished)
		printf("%" PRIu64 " calls that were in were not counted any more after a start\n", s->vanished);
}

/* ---- the command ---- */

static void free_nodes(struct htab *t, size_t offset)
{
	for (size_t i = 0; t->slot && i <= t->mask; i++)
		for (struct hnode *h = t->slot[i], *next; h; h = next) {
			next = h->next;
			free((char *)h - offset);
		}
	htab_free(t);
}

/* 0, or -errno with why. */
static int read_records(struct job *j, const char *store, char *why, size_t n)
{
	int32_t from = j->from > 1 ? j->from - 1 : 0; /* a day begins 14 hours before it does in UTC */
	int rc = sample_audit_new(j->e.pub, j->e.seeds, on_fault, j, &j->audit);

	if (!rc)
		rc = sample_log_read(store, from, 0, on_record, on_finding, j, why, n);
	j->rec = NULL;
	return rc == -ENOENT ? 0 : rc; /* none were written: the events, if any, have no records then */
}

static int recompute(struct job *j, const char *store)
{
	struct sample_sums sums = { 0 };
	char why[512] = "";
	int log = events_read(store, j->from, &j->e), rc;

	if (log != CLI_OK && log != CLI_DAMAGED)
		return log;
	rc = htab_init(&j->rules, 64) || htab_init(&j->tallies, 64) ? -ENOMEM : read_records(j, store, why, sizeof(why));
	if (!rc)
		match_end(&j->m);
	if (!rc) {
		rc = sample_audit_end(j->audit, &sums);
		j->audit = NULL;
		rc = rc == -EBADMSG ? 0 : rc; /* told, as far as they were asked for */
	}
	if (!rc)
		rc = print_tallies(j);
	if (rc) {
		cli_err("%s", *why ? why : strerror(-rc));
		return CLI_FAILED;
	}
	print_summary(j, &sums);
	return j->faults ? CLI_DAMAGED : log;
}

int audit_recompute_sample(int argc, char **argv)
{
	static const struct cli_opt opts[] = {
		CLI_OPT_STORE(&store_dir),
		CLI_OPT(0, "rule", CLI_STR, &rule, "R", "of this rule only"),
		CLI_OPT_TIMES(&from_ns, &to_ns, "DAY", "from this day on", "before this day"),
		CLI_OPT_JSON(&json),
		{ 0 },
	};
	static const struct cli c = {
		.name = "optag audit recompute-sample",
		.summary = "calculate again which calls were drawn for training, from published seeds",
		.opts = opts,
		.operands = "[STORE]",
		.max_operands = 1,
		.notes = "Days are those of the rule's time zone. Exit status: 0 all as calculated, 3 faults, 1 could not look.",
	};
	struct job *j;
	struct cli_args a;
	int32_t gone;
	char day[16];
	int rc = cli_parse(&c, argc, argv, &a);

	if (rc != CLI_GO_ON)
		return rc;
	j = calloc(1, sizeof(*j));
	if (!j) {
		cli_err("%s", strerror(ENOMEM));
		return CLI_FAILED;
	}
	j->from = (int32_t)(from_ns / NS_PER_S / DAY_S);
	j->to = (int32_t)(to_ns / NS_PER_S / DAY_S);
	/* what is older is gone; what lies just behind may go back to it */
	gone = evlog_expired_to(audit_store(&a, store_dir));
	if (gone && j->from < gone + 5) {
		j->from = gone + 5;
		sample_day_text(gone, day);
		cli_err("up to %s there are only roots (see optag audit verify): what is five days younger is calculated", day);
	}
	j->e.fault = on_event_fault;
	j->m.fault = on_match_fault;
	j->m.crashed = on_crashed;
	j->e.arg = j->m.arg = j;
	j->m.e = &j->e;
	rc = recompute(j, audit_store(&a, store_dir));
	(void)sample_audit_end(j->audit, NULL);
	free(j->m.v);
	free_nodes(&j->rules, offsetof(struct rule_state, node));
	free_nodes(&j->tallies, offsetof(struct tally, node));
	events_free(&j->e);
	free(j);
	return cli_finish(rc);
}
