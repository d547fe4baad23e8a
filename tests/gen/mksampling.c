/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mksampling.c - a sampler runs a few days into a store: its records, and the evidence log with seeds, draws and calls
 *
 *	mksampling STORE [DAYS] [LIE]	DAYS days from 2026-11-23 (default 4), always the same
 *
 * Rules `support` (Copenhagen, caps of the rule and per agent) and `sales` (UTC). On the day before nothing was published
 * yet, so its calls have no seed. On the second day at noon the sampler is killed: three draws are in the records and not in the
 * evidence log. The last day's seed is not published. LIE: what a dishonest recorder writes, in the records and in the evidence
 * log alike, of one draw of the third day: draw, threshold, outcome, counter, noseed, noroom, removed, inserted; or state, plan (of its
 * calculation), release, seed (another one is published), seeds (another one, with its hash). No lie is "old": records by a program of
 * before calculations had a number.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "call/sample_log.h"
#include "store/evlog.h"

#define DAY  (86400 * NS_PER_S)
#define HOUR (3600 * NS_PER_S)
#define D0   20780 /* Monday, 23 November 2026 */
#define LIED (D0 + 2)

static const char policy[] = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
static struct evlog *ev;
static struct sample_log *sl;
static struct sample *s;
static struct sample_rule rule[2];
static const char *const names[2] = { "support", "sales" };
static const char *lie = "";
static bool lied, silent; /* silent: killed before the evidence log was flushed */
static uint64_t now, rnd_state = 1, shift; /* shift: of the sequence numbers after a lie */
static struct uid uid;
static struct buf state;

static void die(const char *what, const char *why)
{
	fprintf(stderr, "mksampling: %s: %s\n", what, why);
	exit(1);
}

static uint64_t rnd(void)
{
	uint64_t z = rnd_state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

static void same_random(void *arg, void *buf, size_t n)
{
	uint8_t *p = buf;

	(void)arg;
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)rnd();
}

static void add(const struct evlog_event *e)
{
	char why[512];

	if (!evlog_append(ev, e, NULL))
		return;
	evlog_why(ev, why, sizeof(why));
	die(evlog_kind_name(e->kind), why);
}

static uint64_t day_num(int32_t day)
{
	unsigned y, m, d;
	char text[16];

	sample_day_text(day, text);
	if (sscanf(text, "%u-%u-%u", &y, &m, &d) != 3) /* NOLINT(cert-err34-c): made above */
		die("day", text);
	return y * 10000ULL + m * 100 + d;
}

static void log_draw(const struct sample_record *r, const uint8_t link[32])
{
	struct evlog_event e = { .kind = r->why == SAMPLE_IN ? EVLOG_SAMPLE_IN : EVLOG_SAMPLE_OUT, .time_ns = now,
				 .has_call = true, .has_data = true, .call = uid, .controller = "acme",
				 .purpose = EVLOG_P_TRAINING, .source = EVLOG_S_SAMPLER, .reason = sample_why_name(r->why) };

	e.rule = names[!memcmp(r->rule, rule[1].id, SAMPLE_ID)];
	memcpy(e.data, link, 32);
	evlog_num_add(&e, EVLOG_N_DAY, day_num(r->day));
	evlog_num_add(&e, EVLOG_N_DRAW, r->draw);
	evlog_num_add(&e, EVLOG_N_THRESHOLD, r->threshold);
	add(&e);
}

static void put(const struct sample_record *r)
{
	uint8_t link[32];

	if (sample_log_append(sl, r, now, link))
		die("record", "not appended");
	if (r->kind == SAMPLE_R_DRAW && !silent)
		log_draw(r, link);
}

static bool is(const char *what)
{
	return !strcmp(lie, what);
}

/* The lie that is asked for, in the first record that it fits. False: the record is not written. */
static bool tell_lie(struct sample_record *r, struct sample_open *o)
{
	bool draw = r->kind == SAMPLE_R_DRAW && r->day == LIED && r->before.used[POLICY_PER_DAY];

	if (lied || memcmp(r->rule, rule[0].id, SAMPLE_ID))
		return true;
	lied = true;
	if (is("draw") && draw)
		r->draw ^= 0x1000;
	else if (is("threshold") && draw && r->threshold)
		r->threshold -= 12345;
	else if (is("outcome") && draw && r->why == SAMPLE_OUT_DRAW)
		r->why = SAMPLE_IN;
	else if (is("counter") && draw)
		r->before.used[POLICY_PER_DAY]--;
	else if (is("noseed") && draw && r->why != SAMPLE_IN)
		r->why = SAMPLE_OUT_SEED;
	else if (is("noroom") && draw && r->why != SAMPLE_IN)
		r->why = SAMPLE_OUT_FULL;
	else if (is("release") && r->kind == SAMPLE_R_RELEASE && r->time_ns > (LIED - 1) * DAY)
		r->of++;
	else if (is("state") && o && o->day == LIED)
		o->expect[0][12] += 4096;
	else if (is("plan") && o && o->day == LIED)
		o->plan--;
	else if (is("removed") && draw && r->why != SAMPLE_IN) {
		shift--;
		return false;
	} else if (is("inserted") && draw && r->why != SAMPLE_IN) {
		struct sample_record more = *r;

		more.call[0] ^= 1;
		put(&more);
		r->seq++;
		shift++;
	} else {
		lied = false;
	}
	return true;
}

static void on_record(void *arg, const struct sample_record *r)
{
	struct sample_record v = *r;
	struct sample_open o;

	(void)arg;
	if (r->open) {
		o = *r->open;
		v.open = &o;
		if (is("old"))
			o.plan = 0;
	}
	if (!memcmp(r->rule, rule[0].id, SAMPLE_ID)) {
		v.seq += shift;
		v.of += r->kind == SAMPLE_R_RELEASE ? shift : 0;
	}
	if (*lie && !tell_lie(&v, r->open ? &o : NULL))
		return;
	put(&v);
}

static void start(void)
{
	struct sample_config cfg = { .random = same_random, .record = on_record };

	if (sample_new(&cfg, &s) || (state.len && sample_load(s, state.p, state.len)))
		die("sampler", "does not start");
	(void)sample_settle(s);
}

static void save(void)
{
	uint64_t gen;

	buf_reset(&state);
	if (sample_save(s, &state, &gen))
		die("state", "not saved");
	sample_saved(s, gen);
}

static void flush(void)
{
	char why[512];

	save();
	if (sample_log_flush(sl))
		die("records", "not written");
	if (!silent && evlog_flush(ev, now)) {
		evlog_why(ev, why, sizeof(why));
		die("evidence", why);
	}
}

/* Every hour, as the daemon does. */
static void tick(void)
{
	struct sample_seed_event se;
	uint8_t other[32];

	if (sample_tick(s, now))
		die("seeds", "none");
	save();
	while (sample_seed_next(s, &se)) {
		struct evlog_event e = { .kind = se.reveal ? EVLOG_SAMPLE_REVEAL : EVLOG_SAMPLE_COMMIT, .time_ns = now,
					 .has_data = true, .source = EVLOG_S_SAMPLER };

		memcpy(e.data, se.value, 32);
		memset(other, 7, sizeof(other));
		if (se.day == LIED && is("seed") && se.reveal)
			e.data[5] ^= 1;
		if (se.day == LIED && is("seeds") && se.reveal)
			memcpy(e.data, other, 32);
		else if (se.day == LIED && is("seeds"))
			sample_seed_hash(other, e.data);
		evlog_num_add(&e, EVLOG_N_DAY, day_num(se.day));
		add(&e);
		if (sample_seed_done(s, &se, now))
			die("seeds", "not taken");
	}
	flush();
}

static void one_call(int which)
{
	struct evlog_event e = { .kind = EVLOG_CALL_MATCH, .time_ns = now, .has_call = true, .controller = "acme",
				 .rule = names[which], .policy = policy };
	struct sample_input in = { .rule = &rule[which], .now_ns = now };
	struct sample_result res;
	char id[40], agent[8];

	in.call_id.n = (size_t)snprintf(id, sizeof(id), "%016llx@example.test", (unsigned long long)rnd());
	in.call_id.p = id;
	in.agent.n = (size_t)snprintf(agent, sizeof(agent), "a%u", (unsigned)(rnd() % 9));
	in.agent.p = agent;
	uid_make(now, id, in.call_id.n, &uid);
	e.call = uid;
	if (!silent)
		add(&e);
	sample_draw(s, &in, &res);
	if (silent)
		return;
	e.kind = res.in ? EVLOG_PURPOSE_GRANT : EVLOG_PURPOSE_DENY;
	e.purpose = EVLOG_P_TRAINING;
	add(&e);
	e.kind = res.in ? EVLOG_CALL_KEPT : EVLOG_CALL_DENIED;
	e.reason = res.in ? NULL : "sampled.out";
	add(&e);
	if (res.in && rnd() % 5 ? sample_spend(s, res.slot) : res.in ? sample_release(s, res.slot) : 0)
		die("slot", "unknown");
}

static void kill_sampler(void)
{
	flush();
	silent = true;
	for (int i = 0; i < 3; i++, now += 1000000)
		one_call(i % 2);
	flush();
	silent = false;
	sample_free(s);
	start();
}

static void one_day(int32_t day, unsigned calls)
{
	uint64_t start_ns = (uint64_t)day * DAY;

	for (unsigned h = 0; h < 24; h++) {
		now = start_ns + h * HOUR + 1;
		tick();
		if (day == D0 + 1 && h == 12)
			kill_sampler();
		for (unsigned i = 0; h >= 7 && h < 16 && i < calls; i++) {
			now = start_ns + h * HOUR + (i + 1) * (HOUR / (calls + 2)) + rnd() % NS_PER_S;
			one_call(i % 4 == 3);
		}
		if (h % 5 == 4)
			(void)sample_note_use(s, rule[0].id, 1);
		flush();
	}
}

static void make_rules(void)
{
	struct policy_controller c[2] = { { .name = "acme", .timezone = "Europe/Copenhagen" },
					  { .name = "acme", .timezone = "UTC" } };

	for (int i = 0; i < 2; i++) {
		struct policy_rule pr = { .name = names[i], .controller = &c[i] };
		struct policy_block *b = &pr.purpose[POLICY_TRAINING];

		b->basis = POLICY_B_INTEREST;
		b->sample_permille = i ? 50 : 300;
		b->cap[b->ncap++] = (struct policy_cap){ i ? 20 : 12, POLICY_PER_DAY, POLICY_OF_RULE };
		if (!i)
			b->cap[b->ncap++] = (struct policy_cap){ 4, POLICY_PER_WEEK, POLICY_OF_AGENT };
		b->use_target_percent = b->throttle_percent = b->use_floor = -1;
		if (sample_rule_init(&pr, &rule[i]))
			die("rule", names[i]);
	}
}

int main(int argc, char **argv)
{
	unsigned days = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 4;
	char why[512] = "";

	if (argc < 2) {
		fprintf(stderr, "usage: mksampling STORE [DAYS [LIE]]\n");
		return 2;
	}
	lie = argc > 3 ? argv[3] : "";
	now = (D0 - 1) * DAY;
	clock_set_ns(now);
	if (evlog_open(argv[1], &ev, why, sizeof(why)) || sample_log_open(argv[1], &sl, why, sizeof(why)))
		die("open", why);
	start();
	make_rules();
	for (unsigned d = 0; d <= days; d++)
		one_day(D0 - 1 + (int32_t)d, d ? 20 : 2);
	if (*lie && !lied && !is("old") && strncmp(lie, "seed", 4) != 0)
		die("lie", "no record for it");
	sample_free(s);
	sample_log_close(sl);
	evlog_close(ev);
	buf_free(&state);
	return 0;
}
