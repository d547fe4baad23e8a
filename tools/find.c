/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * find.c - `optag find`: lists calls, kept and denied, oldest first
 *
 * Opens the store read-only and needs no key. Rows carry no numbers, so nothing
 * has to be masked. Rows are printed as the catalog yields them: memory does
 * not grow with the result.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/uid.h"
#include "cli.h"
#include "store/hold.h"
#include "store/store.h"

static const char *store_dir = CLI_STORE_DIR;
static struct store_filter filter = { .state = -1 };
static struct uid uid;
static bool json;
static uint64_t rows;
static struct holds *holds; /* NULL: not to be had */

static const char *states[STORE_S_MAX + 1]; /* store_state_names, with its end marked */

static const struct cli_opt opts[] = {
	CLI_OPT_STORE(&store_dir),
	CLI_OPT('n', "number", CLI_STR, &filter.number, "N", "calls from or to this number"),
	CLI_OPT('S', "since", CLI_TIME, &filter.since_ns, "T", "calls that began at T or later"),
	CLI_OPT('U', "until", CLI_TIME, &filter.until_ns, "T", "calls that began before T"),
	CLI_OPT('r', "rule", CLI_STR, &filter.rule, "R", "calls that this rule matched"),
	CLI_PICK(0, "state", &filter.state, "S", "calls with this state for either purpose", false, states),
	CLI_OPT('c', "call", CLI_UID, &uid, "UID", "this call"),
	CLI_OPT(0, "sip-call-id", CLI_STR, &filter.sip_call_id, "ID", "calls with this SIP Call-ID"),
	CLI_OPT(0, "controller", CLI_STR, &filter.controller, "NAME", "calls of this controller"),
	CLI_OPT_JSON(&json),
	{ 0 },
};

static const struct cli cli = {
	.name = "optag find",
	.summary = "list calls, kept and denied, oldest first",
	.opts = opts,
	.notes = "T: 2026-11-23T20:37:15Z, 2026-11-23 (midnight UTC), or how long ago: 2h, \"30d ago\".",
};

static const char *const legs[] = { "caller", "callee" };

/* From answer to hang-up; a call that nobody answered lasted 0. */
static double duration(const struct store_row *r)
{
	uint64_t ms;

	if (!r->answer_ns || r->end_ns < r->answer_ns)
		return 0;
	ms = (r->end_ns - r->answer_ns) / 1000000;
	return (double)ms / 1000;
}

/* What a purpose may have of a leg. */
static json_t *share_json(const struct store_row *r, int p, int leg)
{
	return json_pack("{s:I, s:I}", "packets", (json_int_t)r->share[p].packets[leg], "audio_ms",
			 (json_int_t)r->share[p].audio_ms[leg]);
}

static json_t *leg_json(const struct store_row *r, int leg)
{
	const struct store_leg_figures *l = &r->leg[leg];
	const char *name = legs[leg];
	json_t *o;

	o = json_pack("{s:s, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "leg", name, "codec",
			 cli_json_str(*l->format.name ? l->format.name : NULL), "packets",
			 (json_int_t)l->packets, "lost", (json_int_t)l->lost, "audio_ms",
			 (json_int_t)l->audio_ms, "duplicates", (json_int_t)l->duplicates,
			 "reordered", (json_int_t)l->reordered, "jitter_us",
			 (json_int_t)l->jitter_us, "events", (json_int_t)l->events, "blocked",
			 (json_int_t)l->blocked, "inspected", (json_int_t)l->inspected, "muted", (json_int_t)l->muted);
	for (int p = 0; p < STORE_PURPOSES; p++)
		(void)json_object_set_new(o, store_purpose_names[p], share_json(r, p, leg));
	return o;
}

/* A deadline is that of a recording: without one, nothing is due. */
static json_t *until(const struct store_row *r, int p)
{
	bool live = r->state[p] == STORE_S_GRANTED || r->state[p] == STORE_S_OBJECTED;

	return live ? cli_json_time(r->until_ns[p]) : json_null();
}

static void review_text(const struct hold *x, char out[16])
{
	struct clock_date d = { (int)(x->review / 10000), (int)(x->review / 100 % 100), (int)(x->review % 100) };

	clock_date_format(&d, out);
}

/* Past its deadline by a hold, which somebody has to look at again by a day. */
static void held_json(json_t *o, const struct store_row *r)
{
	const struct hold *x = holds ? hold_is(holds, &r->uid) : NULL;
	char day[16];

	if (x)
		review_text(x, day);
	(void)json_object_set_new(o, "held", holds ? json_boolean(x) : json_null());
	(void)json_object_set_new(o, "hold_review", x ? json_string(day) : json_null());
}

/* The first nine fields are what other programs rely on, in this order. */
static int row_json(const struct store_row *r)
{
	char id[UID_TEXT];
	json_t *o = json_object(), *reasons = json_object(), *l = json_array();

	uid_format(&r->uid, id);
	for (int i = 0; i < 2; i++)
		(void)json_array_append_new(l, leg_json(r, i));
	(void)json_object_set_new(o, "call", json_string(id));
	(void)json_object_set_new(o, "sip_call_id", cli_json_str(r->sip_call_id));
	(void)json_object_set_new(o, "rule", cli_json_str(r->rule));
	(void)json_object_set_new(o, "start", cli_json_time(r->start_ns));
	(void)json_object_set_new(o, "duration", json_real(duration(r)));
	for (int p = 0; p < STORE_PURPOSES; p++)
		(void)json_object_set_new(o, store_purpose_names[p],
					  json_string(store_state_names[r->state[p]]));
	(void)json_object_set_new(o, "documentation_until", until(r, STORE_DOCUMENTATION));
	(void)json_object_set_new(o, "training_until", until(r, STORE_TRAINING));
	(void)json_object_set_new(o, "legs", l);
	(void)json_object_set_new(o, "controller", cli_json_str(r->controller));
	(void)json_object_set_new(o, "scenario", cli_json_str(r->scenario));
	(void)json_object_set_new(o, "outcome", json_string(store_outcome_names[r->outcome]));
	for (int p = 0; p < STORE_PURPOSES; p++)
		(void)json_object_set_new(reasons, store_purpose_names[p], cli_json_str(r->reason[p]));
	(void)json_object_set_new(o, "reasons", reasons);
	(void)json_object_set_new(o, "answer", cli_json_time(r->answer_ns));
	(void)json_object_set_new(o, "end_time", cli_json_time(r->end_ns));
	(void)json_object_set_new(o, "end", cli_json_str(r->end));
	(void)json_object_set_new(o, "policy_hash", cli_json_str(r->policy_hash));
	(void)json_object_set_new(o, "gap", cli_json_str(r->gap && *r->gap ? r->gap : NULL));
	uid_format(&r->other, id);
	(void)json_object_set_new(o, "relation", cli_json_str(r->relation));
	(void)json_object_set_new(o, "other_call", cli_json_str(r->relation ? id : NULL));
	held_json(o, r);
	(void)json_object_set_new(o, "grounds", json_boolean(r->grounds));
	return cli_json_line(stdout, o);
}

static void row_head(void)
{
	printf("%-26s  %-20s  %8s  %-16s  %-9s  %-13s  %-9s  %-13s  %s\n", "CALL", "START (UTC)",
	       "DURATION", "RULE", "OUTCOME", "DOCUMENTATION", "TRAINING", "AUDIO", "NOTE");
}

/* "PCMA/PCMA 62s": codec of each leg, and the longer leg's audio. */
static void audio_text(const struct store_row *r, char *out, size_t n)
{
	const struct store_leg_figures *a = &r->leg[0], *b = &r->leg[1];
	uint64_t ms = a->audio_ms > b->audio_ms ? a->audio_ms : b->audio_ms;

	if (!a->packets && !b->packets)
		snprintf(out, n, "-");
	else
		snprintf(out, n, "%.15s/%.15s %" PRIu64 "s", a->packets ? a->format.name : "-",
			 b->packets ? b->format.name : "-", (ms + 500) / 1000);
}

static void notes(const struct store_row *r)
{
	const char *sep = "";

	for (int p = 0; p < STORE_PURPOSES; p++) {
		if (!r->reason[p] || !*r->reason[p])
			continue;
		/* one reason for both is said once */
		if (p && r->reason[0] && strcmp(r->reason[0], r->reason[p]) == 0)
			continue;
		fputs(sep, stdout);
		cli_text(stdout, r->reason[p], 0, false);
		sep = "; ";
	}
	for (int p = 0; p < STORE_PURPOSES; p++) {
		bool live = r->state[p] == STORE_S_GRANTED || r->state[p] == STORE_S_OBJECTED;
		const uint64_t *ms = r->share[p].audio_ms;

		if (!live || r->share[p].whole)
			continue;
		printf("%s%s has %" PRIu64 "s", sep, store_purpose_names[p], ((ms[0] > ms[1] ? ms[0] : ms[1]) + 500) / 1000);
		sep = "; ";
	}
	if (r->gap && *r->gap) {
		printf("%sgap: ", sep);
		cli_text(stdout, r->gap, 0, false);
		sep = "; ";
	}
	if (r->relation) {
		char id[UID_TEXT];

		uid_format(&r->other, id);
		fputs(sep, stdout);
		cli_text(stdout, r->relation, 0, false);
		printf(" %s", id);
		sep = "; ";
	}
	if (r->grounds) {
		printf("%sgrounds kept", sep);
		sep = "; ";
	}
	if (holds && hold_is(holds, &r->uid)) {
		char day[16];

		review_text(hold_is(holds, &r->uid), day);
		printf("%son hold, review by %s", sep, day);
	}
}

static void row_text(const struct store_row *r)
{
	char id[UID_TEXT], start[32], audio[64];
	uint64_t s = (uint64_t)(duration(r) + 0.5);

	if (rows == 0)
		row_head();
	uid_format(&r->uid, id);
	clock_format(r->start_ns, start);
	start[10] = ' ';
	start[19] = 0;
	audio_text(r, audio, sizeof(audio));
	printf("%s  %-20s  %2" PRIu64 ":%02" PRIu64 ":%02" PRIu64 "  ", id, start, s / 3600,
	       s / 60 % 60, s % 60);
	cli_text(stdout, r->rule ? r->rule : "-", 16, true);
	printf("  %-9s  %-13s  %-9s  ", store_outcome_names[r->outcome],
	       store_state_names[r->state[STORE_DOCUMENTATION]],
	       store_state_names[r->state[STORE_TRAINING]]);
	cli_text(stdout, audio, 13, true);
	printf("  ");
	notes(r);
	printf("\n");
}

static int print_row(void *arg, const struct store_row *r)
{
	(void)arg;
	if (json && row_json(r) != 0)
		return -EIO;
	if (!json)
		row_text(r);
	rows++;
	return ferror(stdout) ? -EIO : 0; /* nobody reads: stop the search; cli_finish tells */
}

int main(int argc, char **argv)
{
	struct cli_args args;
	struct store *st = NULL;
	char why[512] = "";
	const struct uid none = { { 0 } };
	int rc, held;

	memcpy(states, store_state_names, sizeof(store_state_names));
	rc = cli_parse(&cli, argc, argv, &args);
	if (rc != CLI_GO_ON)
		return rc;
	cli_no_dump(); /* bucket files are read */
	if (!uid_equal(&uid, &none))
		filter.uid = &uid;
	if (filter.until_ns && filter.since_ns >= filter.until_ns)
		return cli_usage("--since must be before --until");
	rc = store_open(store_dir, STORE_RO, &st, why, sizeof(why));
	if (rc) {
		cli_err("%s", *why ? why : strerror(-rc));
		return cli_exit_code(rc);
	}
	held = store_holds(st, HOLDS_READ, &holds, NULL);
	if (held) /* the rows are worth seeing all the same */
		cli_err("%s", store_why(st));
	rc = store_find(st, &filter, print_row, NULL);
	if (rc && !ferror(stdout))
		cli_err("%s", *store_why(st) ? store_why(st) : strerror(-rc));
	else if (!rc && !rows && isatty(STDERR_FILENO))
		cli_err("no such calls");
	holds_close(holds);
	store_close(st);
	return cli_finish(cli_exit_code(rc ? rc : held));
}
