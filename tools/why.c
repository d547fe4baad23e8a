/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * why.c - `optag why`: what was decided about one call, and why
 *
 * Reads the catalog, the evidence log, the sampler's records and the policy that was in force;
 * needs no key and decrypts nothing, works on a copy of a store and beside a running recorder,
 * shows no number. The law is run over the log once more (life.h): where that, the log and the
 * catalog do not agree, it says so and exits with 3.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "call/sample_log.h"
#include "policies_kept.h"
#include "why.h"

#define FRESH_NS (60 * NS_PER_S) /* log and catalog reach the disk apart from each other */

static const char *store_dir = CLI_STORE_DIR, *sip_call_id, *policy_path;
static bool json;
static int language;
static const char *const languages[] = {"en", NULL};

bool why_live(enum purpose_state s)
{
	return s == PURPOSE_GRANTED || s == PURPOSE_OBJECTED;
}

const struct evlog_event *why_event(const struct why *w, enum evlog_kind k, int purpose)
{
	for (size_t i = 0; i < w->nev; i++)
		if (w->ev[i].e.kind == k && (purpose < 0 || (int)w->ev[i].e.purpose == purpose + 1))
			return &w->ev[i].e;
	return NULL;
}

static void fault(struct why *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void fault(struct why *w, const char *fmt, ...)
{
	va_list ap;
	char *s = NULL;

	va_start(ap, fmt);
	if (w->nfault < FAULTS_MAX && vasprintf(&s, fmt, ap) >= 0)
		w->fault[w->nfault++] = s;
	va_end(ap);
}

/* ---- the catalog ---- */

static const char *own(const char *s)
{
	return s ? strdup(s) : NULL;
}

static int take_row(void *arg, const struct store_row *r)
{
	struct why *w = arg;

	if (w->has_row)
		return 1; /* one Call-ID, several calls */
	w->has_row = true;
	w->uid = r->uid;
	w->row = *r;
	w->row.controller = own(r->controller);
	w->row.rule = own(r->rule);
	w->row.policy_hash = own(r->policy_hash);
	w->row.scenario = own(r->scenario);
	w->row.sip_call_id = own(r->sip_call_id);
	w->row.end = own(r->end);
	w->row.gap = own(r->gap);
	w->row.agent = own(r->agent); /* a person: compared, and not shown; find does not show them either */
	w->row.relation = NULL; /* the log has it */
	for (int p = 0; p < STORE_PURPOSES; p++) {
		w->row.reason[p] = own(r->reason[p]);
		w->row.end_reason[p] = own(r->end_reason[p]);
	}
	return 0;
}

/* What cannot be read is a finding like others: the rest is told all the same. */
static void ask_holds(struct why *w, struct store *st)
{
	const struct hold *x;
	struct holds *h;

	if (store_holds(st, HOLDS_READ, &h, NULL)) {
		fault(w, "%s", store_why(st));
		return;
	}
	x = hold_is(h, &w->uid);
	w->held = x;
	if (x)
		w->hold = *x;
	holds_close(h);
}

static int ask_catalog(struct why *w)
{
	struct store_filter f = {
		.state = -1, .uid = sip_call_id ? NULL : &w->uid, .sip_call_id = sip_call_id};
	char text[512] = "";
	int rc = store_open(w->store, STORE_RO, &w->st, text, sizeof(text));

	if (rc) {
		cli_err("%s", *text ? text : strerror(-rc));
		return cli_exit_code(rc);
	}
	rc = store_find(w->st, &f, take_row, w);
	if (rc < 0)
		cli_err("%s", *store_why(w->st) ? store_why(w->st) : strerror(-rc));
	ask_holds(w, w->st);
	if (rc == 1) {
		cli_err("several calls have this Call-ID: see optag find --sip-call-id, and give "
			"the identifier of one");
		return CLI_FAILED;
	}
	return rc < 0 ? cli_exit_code(rc) : CLI_OK;
}

/* ---- the evidence log ---- */

static int note_bucket(struct why *w, const struct evlog_event *e)
{
	void *p = realloc(w->bucket, (w->nbucket + 1) * sizeof(*w->bucket));

	if (!p)
		return -ENOMEM;
	w->bucket = p;
	w->bucket[w->nbucket].ns = e->time_ns;
	w->bucket[w->nbucket].day = evlog_num_get(e, EVLOG_N_DAY, 0);
	w->bucket[w->nbucket].purpose = (int)e->purpose - 1;
	snprintf(w->bucket[w->nbucket++].controller, EVLOG_NAME, "%s", e->controller);
	return 0;
}

static int take_line(void *arg, const char *file, uint64_t n, const struct evlog_line *l)
{
	struct why *w = arg;

	(void)file, (void)n;
	if (l->e.kind == EVLOG_BUCKET_DESTROY)
		return note_bucket(w, &l->e);
	if (!l->e.has_call || !uid_equal(&l->e.call, &w->uid))
		return 0;
	if (w->nev == w->cap) {
		size_t cap = w->cap ? 2 * w->cap : 32;
		struct evlog_line *v = realloc(w->ev, cap * sizeof(*v));

		if (!v)
			return -ENOMEM;
		w->ev = v;
		w->cap = cap;
	}
	w->ev[w->nev++] = *l;
	return 0;
}

/* By time, and where that is the same as they stand in the log; the match before all. */
static int by_time(const void *a, const void *b)
{
	const struct evlog_line *x = a, *y = b;
	bool mx = x->e.kind == EVLOG_CALL_MATCH, my = y->e.kind == EVLOG_CALL_MATCH;

	if (mx != my)
		return mx ? -1 : 1;
	if (x->e.time_ns != y->e.time_ns)
		return x->e.time_ns < y->e.time_ns ? -1 : 1;
	return x->seq < y->seq ? -1 : x->seq > y->seq;
}

static int ask_log(struct why *w)
{
	struct evlog_look how = {.arg = w, .line = take_line};
	struct evlog_report r;
	char text[512] = "";
	int rc;

	/* an event never lies in the file of a day before its own */
	how.from_day = evlog_day(uid_time_ms(&w->uid) * NS_PER_MS);
	rc = evlog_look(w->store, &how, &r, text, sizeof(text));
	if (rc == -ENOENT)
		return CLI_OK;
	if (rc) {
		cli_err("%s", *text ? text : strerror(-rc));
		return cli_exit_code(rc);
	}
	w->has_log = true;
	w->log_damaged = r.damaged;
	for (size_t i = 0; i < w->nev; i++) {
		evlog_line_moved(&w->ev[i]);
		if (!w->life.outcome)
			life_event(&w->until_end, &w->ev[i].e);
		life_event(&w->life,
			   &w->ev[i].e); /* in the log's order, which is that of deciding */
	}
	if (w->nev)
		qsort(w->ev, w->nev, sizeof(*w->ev), by_time);
	for (size_t i = 0; i < w->nev; i++)
		evlog_line_moved(&w->ev[i]);
	return CLI_OK;
}

/* ---- the sampler's records ---- */

struct looking {
	struct why *w;
	const uint8_t *link;
};

static int take_record(void *arg, const struct sample_record *r,
		       const uint8_t link[SAMPLE_LOG_LINK], const char *file, uint64_t line)
{
	struct looking *l = arg;

	if (r->kind != SAMPLE_R_DRAW || memcmp(link, l->link, SAMPLE_LOG_LINK) != 0)
		return 0;
	l->w->draw = *r;
	l->w->has_draw = true;
	snprintf(l->w->draw_file, sizeof(l->w->draw_file), "%s", file);
	l->w->draw_line = line;
	return 1;
}

static void ask_sampler(struct why *w)
{
	const struct evlog_event *e = why_event(w, EVLOG_SAMPLE_IN, -1);
	struct looking l = {.w = w};
	char text[512];

	if (!e)
		e = why_event(w, EVLOG_SAMPLE_OUT, -1);
	if (!e || !e->has_data)
		return;
	l.link = e->data;
	/* what is not there is the business of optag audit recompute-sample */
	(void)sample_log_read(w->store, evlog_day(e->time_ns), 0, take_record, NULL, &l, text,
			      sizeof(text));
}

/* ---- the policy ---- */

static int load_given(struct why *w)
{
	struct policy_diags d = {0};
	int e = policy_load(&policy_path, 1, (int64_t)(uid_time_ms(&w->uid) / 1000), &d,
			    &w->policy);

	policy_diags_free(&d);
	if (e) {
		cli_err("'%s': does not load: see optag policy check", policy_path);
		return CLI_FAILED;
	}
	if (strcmp(policy_hash(w->policy), w->hash) == 0)
		return CLI_OK;
	cli_err("'%s': its hash is %.16s..., and the call was decided by %.16s...", policy_path,
		policy_hash(w->policy), w->hash);
	return CLI_FAILED;
}

static int ask_policy(struct why *w)
{
	const struct evlog_event *m = why_event(w, EVLOG_CALL_MATCH, -1);
	int e;

	w->hash = w->has_row ? w->row.policy_hash : m ? m->policy : NULL;
	w->rule_name = w->has_row ? w->row.rule : m ? m->rule : NULL;
	w->controller = w->has_row ? w->row.controller : m ? m->controller : NULL;
	if (!w->hash || !w->rule_name)
		return CLI_OK;
	if (policy_path) {
		e = load_given(w);
		if (e)
			return e;
		snprintf(w->policy_file, sizeof(w->policy_file), "%s", policy_path);
	} else {
		e = policies_kept(w->store, w->hash, &w->policy, &w->policy_since);
		if (e)
			w->policy_why = e == -EBADMSG ? "is damaged: its hash is another"
					: e == -ENOENT || e == -EINVAL
						? "is not in the store (give it by --policy)"
						: strerror(-e);
		snprintf(w->policy_file, sizeof(w->policy_file), "%s/policies/%.64s.policy",
			 w->store, w->hash);
		if (e == -EBADMSG)
			fault(w, "%s: not the policy that its name says", w->policy_file);
	}
	for (size_t i = 0; w->policy && i < policy_rules(w->policy); i++)
		if (!strcmp(policy_rule(w->policy, i)->name, w->rule_name))
			w->rule = policy_rule(w->policy, i);
	if (w->policy && !w->rule)
		fault(w, "the policy has no rule that is called as the call's");
	return CLI_OK;
}

/* ---- do they agree ---- */

static void compare_match(struct why *w)
{
	const struct evlog_event *m = why_event(w, EVLOG_CALL_MATCH, -1);

	if (!m) {
		fault(w, "evidence log: no call.match of the call, and the catalog has it");
		return;
	}
	if (strcmp(m->rule, w->row.rule) != 0)
		fault(w, "rule: the evidence log has another than the catalog");
	if (strcmp(m->policy, w->row.policy_hash) != 0)
		fault(w, "policy: the evidence log has %.16s..., the catalog %.16s...", m->policy,
		      w->row.policy_hash);
	if (strcmp(m->controller, w->row.controller) != 0)
		fault(w, "controller: the evidence log has another than the catalog");
}

static void compare_outcome(struct why *w, uint64_t now)
{
	static const enum evlog_kind kinds[STORE_O_MAX] = {EVLOG_CALL_KEPT, EVLOG_CALL_DENIED,
							   EVLOG_CALL_GAP};

	if (!w->life.outcome) {
		if (w->row.end_ns + FRESH_NS < now)
			fault(w, "outcome: the catalog has '%s', the evidence log none",
			      store_outcome_names[w->row.outcome]);
	} else if (w->life.outcome != kinds[w->row.outcome] && !w->life.settled) {
		fault(w, "outcome: the catalog has '%s', the evidence log %s",
		      store_outcome_names[w->row.outcome],
		      evlog_kind_name((enum evlog_kind)w->life.outcome));
	}
}

static void compare_states(struct why *w)
{
	for (int p = 0; p < POLICY_PURPOSES; p++) {
		/* what became of it later, by time, request or a consent that was taken back, is no contradiction */
		enum purpose_state s = (enum purpose_state)w->row.end_state[p];

		if (!life_same(s, w->row.end_reason[p], w->law_until_end.state[p], w->law_until_end.reason[p]))
			fault(w,
			      "%s: the catalog has %s%s%s, by the evidence log and the rule it is "
			      "%s%s%s",
			      store_purpose_names[p], purpose_state_name(s),
			      *w->row.end_reason[p] ? " " : "", w->row.end_reason[p],
			      purpose_state_name(w->law_until_end.state[p]), *w->law_until_end.reason[p] ? " " : "",
			      w->law_until_end.reason[p]);
	}
}

static void compare_deadlines(struct why *w)
{
	for (int p = 0; p < POLICY_PURPOSES; p++) {
		const struct evlog_event *e = why_event(w, EVLOG_KEY_COMMIT, p);
		uint64_t logged = e ? evlog_num_get(e, EVLOG_N_UNTIL_S, 0) : 0;

		/* INV-5: later only by a hold */
		if (logged && why_live((enum purpose_state)w->row.state[p]) &&
		    w->row.until_ns[p] / NS_PER_S > logged && !why_event(w, EVLOG_HOLD_SET, -1))
			fault(w, "%s: the catalog keeps it longer than the evidence log says",
			      store_purpose_names[p]);
	}
}

/* The row's numbers are compared with those that the rule lists: were they no such, the rule would not have taken the call. */
static void compare_numbers(struct why *w)
{
	for (size_t i = 0; i < w->rules.n; i++) {
		const struct policy_criterion *c = w->rules.v[i].end == POLICY_A_TOOK ? policy_unmet(&w->rules.v[i]) : NULL;

		if (c)
			fault(w, "rule: by the evidence log it took the call, and the catalog's hash of the number %s is of none that it takes", policy_criterion_name(c->of));
	}
}

/* Kept by the log, its time is not over, nobody destroyed it: then there is a row. */
static void compare_missing_row(struct why *w, uint64_t now)
{
	if (w->life.outcome != EVLOG_CALL_KEPT || why_event(w, EVLOG_CALL_DESTROY, -1) ||
	    w->life.settled)
		return;
	for (int p = 0; p < POLICY_PURPOSES; p++) {
		const struct evlog_event *e = why_event(w, EVLOG_KEY_COMMIT, p);

		/* the day before: a bucket dies with the start of its day */
		if (e && evlog_num_get(e, EVLOG_N_UNTIL_S, 0) > now / NS_PER_S + 86400 &&
		    !why_event(w, EVLOG_KEY_DESTROY, p) && !why_event(w, EVLOG_PURPOSE_EXPIRE, p) &&
		    !why_event(w, EVLOG_KEY_DESTROY, -1)) {
			fault(w,
			      "%s: kept by the evidence log, and the catalog does not have the "
			      "call",
			      store_purpose_names[p]);
			return;
		}
	}
}

static void compare(struct why *w)
{
	uint64_t now = (uint64_t)time(NULL) * NS_PER_S;
	struct life_how how;

	w->life.settled |= w->has_row && life_end_failed(w->row.end);
	w->replayed = w->rule && w->life.matched && !w->life.settled && !w->life.overflow &&
		      w->life.outcome;
	if (w->replayed) {
		life_as_logged(&w->life, w->rule, &how);
		life_run(&w->life, &how, &w->law);
		life_as_logged(&w->until_end, w->rule, &how);
		life_run(&w->until_end, &how, &w->law_until_end);
	}
	if (w->has_row && !w->has_log) {
		fault(w, "the store has no evidence log, so nothing proves what the catalog says of the call: the log was taken "
			 "away, or a version wrote the store that had none yet");
	} else if (w->has_row) {
		compare_match(w);
		compare_outcome(w, now);
		compare_deadlines(w);
		compare_numbers(w);
		if (w->replayed)
			compare_states(w);
	} else {
		compare_missing_row(w, now);
	}
	if (w->log_damaged)
		fault(w,
		      "evidence log: damaged or does not add up (%" PRIu64
		      " findings): see optag audit verify",
		      w->log_damaged);
}

/* ---- what is so now ---- */

static bool bucket_gone(const struct why *w, int p, uint64_t until, uint64_t *ret_ns)
{
	const char *zone = w->rule ? w->rule->controller->timezone : "UTC";
	struct clock_date d;
	uint64_t day;

	if (clock_civil(until, zone, &d, NULL, NULL))
		return false;
	day = (uint64_t)d.year * 10000 + (uint64_t)d.month * 100 + (uint64_t)d.day;
	for (size_t i = 0; i < w->nbucket; i++) {
		if (w->bucket[i].purpose != p || w->bucket[i].day != day ||
		    strcmp(w->bucket[i].controller, w->controller) != 0)
			continue;
		*ret_ns = w->bucket[i].ns;
		return true;
	}
	return false;
}

static void now_of(struct why *w)
{
	for (int p = 0; p < POLICY_PURPOSES; p++) {
		const struct evlog_event *e = why_event(w, EVLOG_KEY_COMMIT, p);

		w->reason[p] = "";
		if (w->has_row) {
			w->state[p] = (enum purpose_state)w->row.state[p];
			w->reason[p] = w->row.reason[p] ? w->row.reason[p] : "";
			w->until_ns[p] = why_live(w->state[p]) ? w->row.until_ns[p] : 0;
		} else if (w->replayed) {
			w->state[p] = w->law.state[p];
			w->reason[p] = w->law.reason[p];
			w->until_ns[p] = why_live(w->state[p]) && e
						 ? evlog_num_get(e, EVLOG_N_UNTIL_S, 0) * NS_PER_S
						 : 0;
		}
		if (w->until_ns[p] && w->controller)
			(void)bucket_gone(w, p, w->until_ns[p], &w->bucket_gone_ns[p]);
	}
}

static void free_all(struct why *w)
{
	const struct store_row *r = &w->row;
	const char *const text[] = {r->controller, r->rule,	   r->policy_hash,
				    r->scenario,   r->sip_call_id, r->end,
				    r->gap,	   r->reason[0],   r->reason[1],
				    r->end_reason[0], r->end_reason[1], r->agent};

	for (size_t i = 0; i < sizeof(text) / sizeof(*text); i++)
		free((void *)(uintptr_t)text[i]);
	for (size_t i = 0; i < w->nfault; i++)
		free(w->fault[i]);
	free(w->ev);
	free(w->bucket);
	policy_answers_free(&w->rules);
	policy_free(w->policy);
	store_close(w->st);
}

static int run(struct why *w)
{
	int rc = ask_catalog(w);

	if (rc)
		return rc;
	if (sip_call_id && !w->has_row) {
		cli_err("no call in the catalog has this Call-ID");
		return CLI_FAILED;
	}
	uid_format(&w->uid, w->id);
	rc = ask_log(w);
	if (rc)
		return rc;
	if (!w->has_row && !w->nev) {
		cli_err("%s: no such call; of calls that no rule matched nothing is kept but how "
			"many there were",
			w->id);
		return CLI_FAILED;
	}
	rc = ask_policy(w);
	if (rc)
		return rc;
	ask_sampler(w);
	why_rules_ask(w);
	compare(w);
	now_of(w);
	if (json && why_json(w))
		return CLI_FAILED;
	if (!json)
		why_text(w);
	for (size_t i = 0; i < w->nfault; i++)
		cli_err("%s: %s", w->id, w->fault[i]);
	return w->nfault ? CLI_DAMAGED : CLI_OK;
}

int main(int argc, char **argv)
{
	static const struct cli_opt opts[] = {
		CLI_OPT_STORE(&store_dir),
		CLI_OPT(0, "sip-call-id", CLI_STR, &sip_call_id, "ID",
			"the call with this SIP Call-ID"),
		CLI_OPT('p', "policy", CLI_FILE, &policy_path, "PATH",
			"the policy it was decided by, if the store does not have it"),
		CLI_PICK('l', "lang", &language, "LANG", "language of the sentences: en", false,
			 languages),
		CLI_OPT_JSON(&json),
		{0},
	};
	static const struct cli cli = {
		.name = "optag why",
		.summary = "say what was decided about a call, and why",
		.opts = opts,
		.operands = "[CALL]",
		.max_operands = 1,
		.notes = "CALL is an identifier as optag find prints it. No key is needed, nothing "
			 "is decrypted.\n"
			 "Exit status: 1 no such call, 3 evidence log and catalog do not agree "
			 "(stderr says where).",
	};
	struct why w = {0};
	struct cli_args a;
	int rc = cli_parse(&cli, argc, argv, &a);

	if (rc != CLI_GO_ON)
		return rc;
	if ((a.n == 1) == (sip_call_id != NULL))
		return cli_usage("give one call, by its identifier or by --sip-call-id");
	if (a.n && uid_parse(a.v[0], &w.uid))
		return cli_usage("'%.64s' is no identifier of a call (26 letters and digits, see "
				 "optag find)",
				 a.v[0]);
	w.store = store_dir;
	rc = run(&w);
	free_all(&w);
	return cli_finish(rc);
}
