/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mkpast.c - a store with very many past calls, without any audio: for measuring what reads them
 *
 *	mkpast STORE POLICY CALLS DAYS		STORE as optag init makes it
 *
 * All calls are of the policy's first rule, which must be training by consent with a sample
 *(example B); every third of those drawn agrees. Evidence log, sampler's records and catalog are
 *written by the recorder's own code, and agree.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "call/sample.h"
#include "call/sample_log.h"
#include "policies_kept.h"
#include "store/evlog.h"
#include "store/store.h"

#define T0 1795000000ULL

static struct store *st;
static struct evlog *ev;
static struct sample_log *slog;
static struct sample *sampler;
static struct sample_rule set;
static const struct policy_rule *rule;
static const char *hash;
static uint8_t link_of[SAMPLE_LOG_LINK];
static struct sample_record last;

static void must(int rc, const char *what)
{
	if (!rc)
		return;
	fprintf(stderr, "mkpast: %s: %s %s\n", what, strerror(-rc), st ? store_why(st) : "");
	exit(1);
}

static void on_record(void *arg, const struct sample_record *r)
{
	(void)arg;
	must(sample_log_append(slog, r, r->time_ns, link_of), "record");
	last = *r;
}

static void say(const struct uid *u, enum evlog_kind k, enum evlog_purpose p, enum evlog_source src,
		const char *reason, uint64_t ns)
{
	struct evlog_event e = {.kind = k,
				.purpose = p,
				.source = src,
				.time_ns = ns,
				.has_call = true,
				.call = *u,
				.reason = reason,
				.controller = rule->controller->name,
				.rule = rule->name,
				.policy = hash};

	must(evlog_append(ev, &e, NULL), evlog_kind_name(k));
}

static uint64_t civil(int32_t day)
{
	char t[16];
	unsigned y, m, d;

	sample_day_text(day, t);
	return sscanf(t, "%4u-%2u-%2u", &y, &m, &d) == 3 ? y * 10000 + m * 100 + d : 0;
}

static void seeds(uint64_t ns)
{
	struct sample_seed_event e;
	struct buf b = {0};
	uint64_t gen;

	must(sample_tick(sampler, ns), "tick");
	must(sample_save(sampler, &b, &gen), "save");
	sample_saved(sampler, gen);
	buf_free(&b);
	while (sample_seed_next(sampler, &e)) {
		struct evlog_event x = {.kind = e.reveal ? EVLOG_SAMPLE_REVEAL
							 : EVLOG_SAMPLE_COMMIT,
					.source = EVLOG_S_SAMPLER,
					.time_ns = ns,
					.has_data = true};

		memcpy(x.data, e.value, sizeof(x.data));
		evlog_num_add(&x, EVLOG_N_DAY, civil(e.day));
		must(evlog_append(ev, &x, NULL), "seed");
		must(sample_seed_done(sampler, &e, ns), "seed");
	}
}

static void drawn(const struct uid *u, uint64_t ns)
{
	struct evlog_event e = {.kind = last.why == SAMPLE_IN ? EVLOG_SAMPLE_IN : EVLOG_SAMPLE_OUT,
				.purpose = EVLOG_P_TRAINING,
				.source = EVLOG_S_SAMPLER,
				.time_ns = ns,
				.has_call = true,
				.call = *u,
				.has_data = true,
				.controller = rule->controller->name,
				.rule = rule->name,
				.policy = hash,
				.reason = sample_why_name(last.why)};

	memcpy(e.data, link_of, sizeof(e.data));
	evlog_num_add(&e, EVLOG_N_DAY, civil(last.day));
	evlog_num_add(&e, EVLOG_N_DRAW, last.draw);
	evlog_num_add(&e, EVLOG_N_THRESHOLD, last.threshold);
	must(evlog_append(ev, &e, NULL), "draw");
}

static void keep(const struct store_call_meta *m, const struct store_call_result *r,
		 const struct uid *u, uint64_t ns)
{
	struct store_call *sc;

	say(u, EVLOG_CONSENT_GIVEN, EVLOG_P_TRAINING, EVLOG_S_CALLER, "rfc4733", ns + 4 * NS_PER_S);
	say(u, EVLOG_PURPOSE_GRANT, EVLOG_P_TRAINING, EVLOG_S_TIMER, NULL, ns + 4 * NS_PER_S);
	must(store_call_begin(st, m, &sc), "begin");
	must(store_call_commit(sc, STORE_TRAINING), "commit");
	must(store_call_end(sc, r), "end");
	say(u, EVLOG_CALL_KEPT, EVLOG_P_NONE, EVLOG_S_DAEMON, NULL, ns + 60 * NS_PER_S);
}

static void one(unsigned i, uint64_t ns)
{
	char id[48];
	struct uid u;
	struct sample_result res;
	struct sample_input in = {.rule = &set, .now_ns = ns};
	struct store_call_meta m = {.start_ns = ns,
				    .controller = rule->controller->name,
				    .zone = rule->controller->timezone,
				    .rule = rule->name,
				    .policy_hash = hash,
				    .scenario = rule->scenario,
				    .sip_call_id = id,
				    .caller = "+4520000000",
				    .callee = "+4570000000"};
	struct store_call_result r = {.answer_ns = ns + NS_PER_S,
				      .end_ns = ns + 60 * NS_PER_S,
				      .end = "bye",
				      .gap = "",
				      .reason = {"", ""}};

	snprintf(id, sizeof(id), "%08x-%u@past.example", i * 2654435761U, i);
	uid_make(ns, id, strlen(id), &u);
	m.uid = u;
	must(clock_add(ns, m.zone, 1, CLOCK_U_MONTHS, &m.until_ns[STORE_TRAINING]), "deadline");
	in.call_id = (struct policy_str){id, strlen(id)};
	sample_draw(sampler, &in, &res);
	drawn(&u, ns);
	say(&u, EVLOG_CALL_MATCH, EVLOG_P_NONE, EVLOG_S_POLICY, NULL, ns);
	if (res.why != SAMPLE_IN)
		say(&u, EVLOG_PURPOSE_DENY, EVLOG_P_TRAINING, EVLOG_S_TIMER, "sample.out", ns);
	say(&u, EVLOG_NOTICE_PLAYED, EVLOG_P_NONE, EVLOG_S_POLICY, "attested", ns + NS_PER_S);
	if (res.why == SAMPLE_IN && i % 3 == 0) {
		r.state[STORE_TRAINING] = STORE_S_GRANTED;
		keep(&m, &r, &u, ns);
		(void)sample_spend(sampler, res.slot);
		return;
	}
	r.state[STORE_TRAINING] = STORE_S_DENIED;
	r.reason[STORE_TRAINING] = res.why == SAMPLE_IN ? "consent.none" : sample_why_name(res.why);
	r.outcome = STORE_O_DENIED;
	if (res.why == SAMPLE_IN) {
		say(&u, EVLOG_CONSENT_NONE, EVLOG_P_TRAINING, EVLOG_S_TIMER, "timeout",
		    ns + 15 * NS_PER_S);
		say(&u, EVLOG_PURPOSE_DENY, EVLOG_P_TRAINING, EVLOG_S_TIMER, "consent.none",
		    ns + 15 * NS_PER_S);
		(void)sample_release(sampler, res.slot);
	}
	must(store_call_denied(st, &m, &r), "denied");
	say(&u, EVLOG_CALL_DENIED, EVLOG_P_NONE, EVLOG_S_DAEMON, r.reason[STORE_TRAINING],
	    ns + 60 * NS_PER_S);
}

static struct policy *open_all(const char *dir, const char *policy)
{
	struct sample_config cfg = {.late_seeds = true, .record = on_record};
	struct policy_diags d = {0};
	struct policy *p = NULL;
	char why[512] = "", *text;
	size_t n;

	must(policy_load(&policy, 1, (int64_t)T0, &d, &p), "policy");
	policy_diags_free(&d);
	rule = policy_rule(p, 0);
	hash = policy_hash(p);
	must(sample_rule_init(rule, &set), "sample");
	must(policy_text(p, &text, &n), "policy");
	must(policy_keep(dir, p, text, n, why, sizeof(why)), why);
	free(text);
	must(store_open(dir, STORE_RW, &st, why, sizeof(why)), why);
	must(evlog_open(dir, &ev, why, sizeof(why)), why);
	must(sample_log_open(dir, &slog, why, sizeof(why)), why);
	must(sample_new(&cfg, &sampler), "sampler");
	return p;
}

static void sync_all(uint64_t ns)
{
	seeds(ns);
	must(sample_log_flush(slog), "flush");
	must(evlog_flush(ev, ns), "flush");
	must(store_sync(st), "sync");
}

int main(int argc, char **argv)
{
	unsigned calls = argc == 5 ? (unsigned)atol(argv[3]) : 0,
		 days = argc == 5 ? (unsigned)atol(argv[4]) : 0;
	struct policy *p;

	if (!calls || !days) {
		fprintf(stderr, "mkpast STORE POLICY CALLS DAYS\n");
		return 2;
	}
	p = open_all(argv[1], argv[2]);
	for (unsigned i = 0; i < calls; i++) {
		uint64_t ns = T0 * NS_PER_S + (uint64_t)days * 86400 * NS_PER_S / calls * i;

		if (i % 8192 == 0 || i % (calls / days / 4 + 1) == 0)
			sync_all(ns);
		one(i, ns);
	}
	sync_all((T0 + (uint64_t)days * 86400) * NS_PER_S);
	sample_log_close(slog);
	evlog_close(ev);
	sample_free(sampler);
	store_close(st);
	policy_free(p);
	return 0;
}
