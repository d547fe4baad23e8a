/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_evidence.c - what the evidence log says of what people say, press and hear: for each event the fields that guidance 1
 * and 3 ask for, over calls of every basis in which each of them happens
 */
#include "decide_talk.h"

#include <stdatomic.h>

#include "base/clock.h"
#include "evidence.h"
#include "store_util.h"

/* Fields an event must have beside time, call, controller, rule and policy, which all have. */
enum {
	PURPOSE = 1,
	SOURCE = 2,  /* who or what */
	REASON = 4,  /* why, or by which way it became known */
	VERSION = 8, /* which announcement */
	OFFSET = 16, /* how much of it had been heard */
	PRESS = 32,  /* by a key: which, and on whose leg */
	SAYS = 64,   /* an objection: with grounds or without */
	KEYS = 128,  /* how many keys of it were stored */
	TOLD = 512,  /* the announcement's name, language, version and what it said */
	BASIS = 1024, /* on what the purpose rests */
	AMOUNT = 256, /* how much audio; nothing records in these calls */
};

static const struct {
	enum evlog_kind kind;
	unsigned must;
} table[] = {
	{ EVLOG_CALL_MATCH, SOURCE },
	{ EVLOG_NOTICE_PLAYED, SOURCE | REASON | VERSION | TOLD },
	{ EVLOG_NOTICE_MISSING, SOURCE },
	{ EVLOG_NOTICE_SMS, SOURCE | REASON },
	{ EVLOG_CONSENT_GIVEN, PURPOSE | SOURCE | REASON | VERSION | OFFSET | PRESS | TOLD },
	{ EVLOG_CONSENT_NONE, PURPOSE | SOURCE | REASON },
	{ EVLOG_CONSENT_WITHDRAWN, PURPOSE | SOURCE | REASON | PRESS },
	{ EVLOG_OPTOUT, PURPOSE | SOURCE | REASON | PRESS },
	{ EVLOG_OPTOUT_UNCERTAIN, PURPOSE | SOURCE | REASON },
	{ EVLOG_OBJECTION_OPENED, PURPOSE | SOURCE | REASON | PRESS | SAYS },
	{ EVLOG_AUDIO_PAUSE, SOURCE | REASON | PRESS },
	{ EVLOG_AUDIO_RESUME, SOURCE | REASON | PRESS },
	{ EVLOG_AUDIO_STOP, SOURCE | REASON },
	{ EVLOG_AUDIO_DISCARD, PURPOSE | SOURCE | REASON | PRESS | AMOUNT },
	{ EVLOG_PURPOSE_GRANT, PURPOSE | SOURCE | BASIS },
	{ EVLOG_PURPOSE_DENY, PURPOSE | SOURCE | REASON },
	{ EVLOG_PURPOSE_EXPIRE, PURPOSE | SOURCE | REASON },
	{ EVLOG_KEY_COMMIT, PURPOSE | SOURCE | REASON },
	{ EVLOG_CALL_KEPT, SOURCE | REASON | KEYS },
	{ EVLOG_CALL_GAP, SOURCE | REASON },
};
#define KINDS (sizeof(table) / sizeof(table[0]))

/* One call: what is pressed by whom, said and lost, so many seconds after the answer. */
struct step {
	unsigned at;
	enum { END, KEY, SAY, LOST, OFF } what;
	unsigned leg; /* or enum call_command */
	const char *key;
	int purpose;
};

static const struct scene {
	enum policy_basis doc, train;
	bool special, unheard, silent_stop, sms;
	struct step step[4];
	const char *must[3]; /* told, as `told` below has it */
} scenes[] = {
	{ .train = POLICY_B_CONSENT, .step = { { 5, KEY, SUBJECT, "1", 0 }, { 20, KEY, SUBJECT, "0", 0 } },
	  .must = { "consent.given:training:caller:rfc4733:1:0", "consent.withdrawn:training:caller:rfc4733:0:0", "purpose.deny:training:timer:consent.withdrawn::" } },
	{ .train = POLICY_B_CONSENT, .must = { "consent.none:training:timer:timeout::" } },
	{ .train = POLICY_B_CONSENT, .step = { { 5, KEY, SUBJECT, "3", 0 } }, .must = { "consent.none:training:timer:other-key::" } },
	{ .train = POLICY_B_CONSENT, .step = { { 2, KEY, SUBJECT, "3", 0 }, { 5, KEY, AGENT, "3", 0 }, { 11, KEY, SUBJECT, "3", 0 } },
	  .must = { "consent.none:training:timer:timeout::" } },
	{ .train = POLICY_B_CONSENT, .unheard = true, .must = { "notice.missing::timer:::", "purpose.deny:training:timer:notice.missing::" } },
	{ .doc = POLICY_B_CONSENT, .step = { { 5, KEY, SUBJECT, "2", 0 } }, .must = { "consent.given:documentation:caller:rfc4733:2:0" } },
	{ .doc = POLICY_B_INTEREST, .train = POLICY_B_INTEREST, .step = { { 20, KEY, SUBJECT, "9", 0 } }, .must = { "optout:training:caller:rfc4733:9:0" } },
	{ .train = POLICY_B_INTEREST, .step = { { 20, KEY, AGENT, "*7", 0 } }, .must = { "optout:training:agent:rfc4733:*7:1" } },
	{ .train = POLICY_B_INTEREST, .step = { { 20, LOST, 0, NULL, 0 } }, .must = { "optout.uncertain:training:capture:loss::" } },
	{ .train = POLICY_B_INTEREST, .step = { { 20, OFF, 0, NULL, 0 } }, .must = { "optout:training:sdp:sdp::" } },
	{ .train = POLICY_B_INTEREST, .step = { { 20, SAY, CALL_C_OPT_OUT, NULL, TRAIN } }, .must = { "optout:training:api:api::" } },
	{ .train = POLICY_B_INTEREST, .special = true, .step = { { 20, SAY, CALL_C_OBJECT, NULL, TRAIN }, { 21, SAY, CALL_C_OBJECT_GROUNDS, NULL, TRAIN } },
	  .must = { "objection.opened:training:api:grounds.absent::", "objection.opened:training:api:grounds.present::" } },
	{ .doc = POLICY_B_INTEREST, .step = { { 20, KEY, SUBJECT, "7", 0 } }, .must = { "objection.opened:documentation:caller:grounds.absent:7:0" } },
	{ .doc = POLICY_B_INTEREST, .step = { { 20, OFF, 0, NULL, 0 } }, .must = { "objection.opened:documentation:sdp:grounds.absent::" } },
	{ .doc = POLICY_B_INTEREST, .step = { { 20, KEY, AGENT, "*5", 0 }, { 30, KEY, AGENT, "*6", 0 } },
	  .must = { "audio.pause::agent:rfc4733:*5:1", "audio.resume::agent:rfc4733:*6:1" } },
	{ .doc = POLICY_B_INTEREST, .step = { { 20, SAY, CALL_C_PAUSE, NULL, -1 } }, .must = { "audio.pause::api:api::", "audio.resume::timer:pause-max::" } },
	{ .doc = POLICY_B_INTEREST, .silent_stop = true, .step = { { 20, KEY, AGENT, "*5", 0 } }, .must = { "audio.stop::timer:pause-max::" } },
	{ .doc = POLICY_B_INTEREST, .sms = true, .must = { "notice.sms::policy:awaited::" } },
	{ .doc = POLICY_B_INTEREST, .step = { { 20, KEY, AGENT, "*9", 0 } },
	  .must = { "audio.discard:documentation:agent:not-needed:*9:1", "purpose.expire:documentation:timer:not-needed::" } },
};

static struct evidence *log_of;
static char lines[16384];
static unsigned seen[KINDS];
static bool settled;

static void to_log(void *arg, const struct call *c, const struct call_news *n)
{
	(void)arg;
	evidence_news(log_of, c, n);
}

static const unsigned char said_hash[32] = "what was said, as a hash       ", weighed_hash[32] = "what was weighed, as a hash    ";

/* Who goes on with a call of a killed process knows no rule (settled), and then no basis. */
static bool told_all(const struct evlog_event *e, unsigned must)
{
	bool rests = e->basis && (!strcmp(e->basis, "consent") || (e->has_content && !memcmp(e->content, weighed_hash, 32) &&
								   e->assessment && !strcmp(e->assessment, "weighed")));

	if (must & TOLD)
		return e->notice && !strcmp(e->notice, "told") && !strcmp(e->language, "en") && !strcmp(e->version, "spring") && e->has_content &&
		       !memcmp(e->content, said_hash, 32);
	return !(must & BASIS) || rests || settled;
}

static bool has_all(const struct evlog_event *e, unsigned must)
{
	bool key = *e->press, by_leg = evlog_num_get(e, EVLOG_N_LEG, 9) < 2;

	return told_all(e, must) && (!(must & PURPOSE) || e->purpose) && (!(must & SOURCE) || e->source) && (!(must & REASON) || e->reason) &&
	       (!(must & VERSION) || evlog_num_get(e, EVLOG_N_VERSION, 0) == 1) &&
	       (!(must & OFFSET) || evlog_num_get(e, EVLOG_N_OFFSET_MS, 0) == 5000) && key == by_leg &&
	       /* who presses has a leg, and it says so; nobody else does */
	       (!(must & PRESS) || key == (e->source == EVLOG_S_CALLER || e->source == EVLOG_S_AGENT)) &&
	       (!(must & AMOUNT) || (!evlog_num_get(e, EVLOG_N_PACKETS, 9) && !evlog_num_get(e, EVLOG_N_MS, 9))) &&
	       (!(must & KEYS) || evlog_num_get(e, EVLOG_N_KEYS, 0)) && (!(must & SAYS) || !strncmp(e->reason, "grounds.", 8));
}

static int on_line(void *arg, const char *file, uint64_t n, const struct evlog_line *l)
{
	const struct evlog_event *e = &l->e;
	size_t at = strlen(lines), i;
	uint64_t leg = evlog_num_get(e, EVLOG_N_LEG, 9);

	(void)arg, (void)file, (void)n;
	if (!e->has_call)
		return 0;
	for (i = 0; i < KINDS && table[i].kind != e->kind; i++)
		;
	if (i == KINDS)
		fail_msg("%s is not in the table", evlog_kind_name(e->kind));
	seen[i]++;
	if (!e->time_ns || !e->controller || !e->rule || !e->policy || !has_all(e, table[i].must))
		fail_msg("%s lacks a field (purpose %d, source %d, reason %s, press %s, leg %d)", evlog_kind_name(e->kind), e->purpose,
			 e->source, e->reason ? e->reason : "-", e->press, (int)leg);
	snprintf(lines + at, sizeof(lines) - at, "%s:%s:%s:%s:%s:%.*s\n", evlog_kind_name(e->kind), evlog_purpose_name(e->purpose),
		 evlog_source_name(e->source), e->reason ? e->reason : "", e->press, leg < 2, leg ? "1" : "0");
	return 0;
}

static void play(const struct scene *s)
{
	struct world *w = world(s->doc, s->train, s->special);
	struct policy_rule *r = &w->policy.rule;
	static const struct policy_notice notice = { .name = "told", .language = "en", .version = "spring", .content = said_hash };
	struct call *c;

	w->cs->sink.news = to_log;
	r->notice = &notice;
	r->nnotice = 1;
	if (s->unheard)
		r->proof = POLICY_PROOF_FINGERPRINT;
	r->pause_stop = s->silent_stop;
	r->sms = s->sms ? "template" : NULL;
	r->sms_timeout = (struct policy_span){ 10, POLICY_U_MIN };
	r->purpose[DOC].not_needed = true;
	strcpy(r->purpose[DOC].not_needed_key, "*9");
	for (int p = 0; p < POLICY_PURPOSES; p++) {
		if (r->purpose[p].basis != POLICY_B_INTEREST)
			continue;
		r->purpose[p].assessment = "weighed";
		r->purpose[p].assessment_content = weighed_hash;
	}
	c = answer_call(w);
	for (const struct step *t = s->step; t->what != END; t++) {
		until(w, c, t->at);
		if (t->what == KEY)
			press(w, c, t->leg, t->key);
		else if (t->what == LOST)
			call_lost_audio(w->cs, c, SUBJECT, 200, w->now);
		else if (t->what == OFF)
			call_recordpref_off(w->cs, c, 0, w->now);
		else
			assert_int_equal(call_command(w->cs, c, (enum call_command)t->leg, (enum policy_purpose)t->purpose, CALL_BY_API, w->now), 0);
	}
	until(w, c, 300);
	bye(w);
	fake_world_free(w);
}

static void test_fields(void **state)
{
	char why[512];

	(void)state;
	for (size_t i = 0; i < sizeof(scenes) / sizeof(scenes[0]); i++) {
		struct evlog_report report;
		struct evlog_look look = { .line = on_line };

		shell("rm -rf '%s'/evidence", store_dir);
		assert_int_equal(evidence_new(&(struct evidence_settings){ .dir = store_dir }, &log_of, why, sizeof(why)), 0);
		assert_int_equal(evidence_start(log_of, why, sizeof(why)), 0);
		play(&scenes[i]);
		assert_int_equal(evidence_finish(log_of), 0);
		evidence_free(log_of);
		lines[0] = 0;
		assert_int_equal(evlog_look(store_dir, &look, &report, why, sizeof(why)), 0);
		assert_int_equal(report.damaged, report.open); /* nobody records: the calls have no outcome */
		for (int k = 0; k < 3 && scenes[i].must[k]; k++)
			if (!strstr(lines, scenes[i].must[k]))
				fail_msg("scene %zu: no %s in\n%s", i, scenes[i].must[k], lines);
	}
}

/* ---- what a process says of calls of the one before, which was killed (evidence_settle) ---- */

static void add(struct evlog *l, enum evlog_kind kind, unsigned i, enum evlog_purpose p)
{
	static const char hash[] = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
	struct store_call_meta m;
	struct evlog_event e = { .kind = kind, .purpose = p, .source = EVLOG_S_DAEMON, .has_call = true,
				 .controller = "acme", .rule = "service-desk", .policy = hash, .reason = "bye" };

	meta_of(i, &m);
	e.call = m.uid;
	e.time_ns = m.start_ns;
	assert_int_equal(evlog_append(l, &e, NULL), 0);
}

static uint64_t outcome_keys[3];
static unsigned commits;

static int on_settled(void *arg, const char *file, uint64_t n, const struct evlog_line *l)
{
	struct store_call_meta m;

	commits += l->e.kind == EVLOG_KEY_COMMIT;
	for (unsigned i = 0; i < 3; i++) {
		meta_of(i, &m);
		if (l->e.has_call && uid_equal(&m.uid, &l->e.call) && (l->e.kind == EVLOG_CALL_KEPT || l->e.kind == EVLOG_CALL_GAP)) {
			assert_int_equal(l->e.kind, i == 2 ? EVLOG_CALL_GAP : EVLOG_CALL_KEPT);
			outcome_keys[i] = evlog_num_get(&l->e, EVLOG_N_KEYS, 99);
		}
	}
	return on_line(arg, file, n, l);
}

/* 0: of a row whose key nobody told of; 1: told before the kill; 2: nothing was kept. The outcome counts what is told. */
static void test_settled(void **state)
{
	struct evlog_look look = { .line = on_settled };
	struct evlog_report report;
	struct evlog *l;
	struct store *st;
	char why[512];

	(void)state;
	settled = true;
	clock_set_ns(T0 + 120 * NS_PER_S);
	st = open_store(STORE_RW);
	write_call(st, 0, 1);
	write_call(st, 1, 1);
	ok(st, store_sync(st));
	store_close(st);
	assert_int_equal(evlog_open(store_dir, &l, why, sizeof(why)), 0);
	for (unsigned i = 0; i < 3; i++) {
		add(l, EVLOG_CALL_MATCH, i, EVLOG_P_NONE);
		add(l, EVLOG_PURPOSE_GRANT, i, EVLOG_P_DOCUMENTATION);
	}
	add(l, EVLOG_KEY_COMMIT, 1, EVLOG_P_DOCUMENTATION);
	assert_int_equal(evlog_flush(l, 0), 0);
	evlog_close(l);
	assert_int_equal(evidence_new(&(struct evidence_settings){ .dir = store_dir }, &log_of, why, sizeof(why)), 0);
	assert_int_equal(evidence_start(log_of, why, sizeof(why)), 0);
	assert_int_equal(evidence_finish(log_of), 0);
	assert_int_equal(evidence_settle(log_of), 0);
	evidence_free(log_of);
	clock_set_ns(0);
	lines[0] = 0;
	assert_int_equal(evlog_look(store_dir, &look, &report, why, sizeof(why)), 0);
	assert_int_equal(report.damaged, 0);
	assert_int_equal(commits, 2);
	assert_int_equal(outcome_keys[0], 1);
	assert_int_equal(outcome_keys[1], 1);
	assert_int_equal(outcome_keys[2], 99);
	for (size_t i = 0; i < KINDS; i++)
		if (!seen[i])
			fail_msg("%s happens in no scene", evlog_kind_name(table[i].kind));
}

/* ---- a key that is destroyed is told when the store's disk has that (evidence_destroyed) ---- */

static atomic_bool disk_slow, disk_refuses;
static atomic_uint drops, durable, syncs, asking; /* numbers; 3 alone is refused */

static int sync_drops(void *arg, char *why, size_t n)
{
	unsigned all = drops;

	(void)arg;
	asking++;
	while (disk_slow)
		usleep(1000);
	asking--;
	syncs++;
	durable = all;
	if (!disk_refuses)
		return 0;
	snprintf(why, n, "no");
	return -EIO;
}

static bool drop_waits(void *arg, uint64_t after, uint64_t upto)
{
	(void)arg;
	return (disk_refuses && after < 3 && upto >= 3) || (upto > durable && upto > after);
}

static int on_order(void *arg, const char *file, uint64_t n, const struct evlog_line *l)
{
	size_t at = strlen(lines);

	(void)arg, (void)file, (void)n;
	if (l->e.has_call)
		snprintf(lines + at, sizeof(lines) - at, "%s ", l->e.reason ? l->e.reason : "-");
	return 0;
}

static const char *order(void)
{
	struct evlog_look look = { .line = on_order };
	struct evlog_report report;
	char why[512];

	lines[0] = 0;
	assert_int_equal(evlog_look(store_dir, &look, &report, why, sizeof(why)), 0);
	return lines;
}

static void say(const struct call *c, const char *reason)
{
	evidence_call(log_of, c, EVLOG_AUDIO_STOP, -1, EVLOG_S_DAEMON, reason, NULL, 0);
}

static void destroy(const struct call *c, const char *reason)
{
	drops++;
	evidence_destroyed(log_of, c, DOC, reason, drops - 1, drops);
}

static void test_destroyed(void **state)
{
	struct world *w = world(POLICY_B_INTEREST, POLICY_B_NONE, false);
	struct evidence_figures fig;
	struct call *c = answer_call(w);
	char why[512];

	(void)state;
	assert_int_equal(evidence_new(&(struct evidence_settings){ .dir = store_dir, .live = true, .drops_sync = sync_drops, .drops_wait = drop_waits },
				      &log_of, why, sizeof(why)), 0);
	assert_int_equal(evidence_start(log_of, why, sizeof(why)), 0);
	do
		evidence_figures(log_of, &fig);
	while (!fig.open);
	/* a slow disk: nothing of it is told before, in its order afterwards, and many wait for one sync */
	disk_slow = true;
	say(c, "bye");
	destroy(c, "objection");
	destroy(c, "withdrawn");
	say(c, "timeout");
	assert_int_equal(evidence_flush(log_of), -ETIMEDOUT);
	assert_int_equal(asking, 1);
	assert_null(strstr(order(), "objection"));
	disk_slow = false;
	while (evidence_flush(log_of))
		;
	assert_string_equal(order(), "bye objection withdrawn timeout ");
	assert_int_equal(syncs, 1);
	assert_true(evidence_ready(log_of));
	/* one that refuses: what was before is told, nothing new may begin; then all */
	disk_refuses = true;
	say(c, "cancel");
	destroy(c, "optout");
	say(c, "rejected");
	assert_int_equal(evidence_flush(log_of), -EIO);
	assert_string_equal(order(), "bye objection withdrawn timeout cancel ");
	assert_false(evidence_ready(log_of));
	evidence_figures(log_of, &fig);
	assert_non_null(strstr(fig.why, "no"));
	disk_refuses = false;
	assert_int_equal(evidence_flush(log_of), 0);
	assert_string_equal(order(), "bye objection withdrawn timeout cancel optout rejected ");
	assert_true(evidence_ready(log_of));
	/* and to the end: that one is not told, what is behind it is */
	disk_refuses = true;
	drops = 2;
	destroy(c, "crash");
	say(c, "replaced");
	assert_int_equal(evidence_finish(log_of), 0);
	assert_string_equal(order(), "bye objection withdrawn timeout cancel optout rejected replaced ");
	evidence_free(log_of);
	bye(w);
	fake_world_free(w);
}

/* Who plants a link in the place of the sampler's directory has nothing written, or read, where it leads. */
static void test_links(void **state)
{
	char why[512];

	(void)state;
	clock_set_ns(T0);
	assert_int_equal(evidence_new(&(struct evidence_settings){ .dir = store_dir }, &log_of, why, sizeof(why)), 0);
	assert_int_equal(evidence_start(log_of, why, sizeof(why)), 0);
	assert_int_equal(evidence_work(log_of, clock_now_ns()), 0);
	shell("cd '%s' && mv sampling out && ln -s out sampling && rm -f out/state", store_dir);
	clock_set_ns(T0 + 2 * 86400 * NS_PER_S); /* other seeds: the state is to be written */
	assert_int_equal(evidence_work(log_of, clock_now_ns()), -ELOOP);
	shell("cd '%s' && test ! -e out/state && test ! -e out/state.tmp && rm sampling && mv out sampling", store_dir);
	assert_int_equal(evidence_finish(log_of), 0);
	evidence_free(log_of);
	shell("cd '%s' && test -s sampling/state && mv sampling out && ln -s out sampling && cp out/state state.was", store_dir);
	assert_int_equal(evidence_new(&(struct evidence_settings){ .dir = store_dir }, &log_of, why, sizeof(why)), 0);
	assert_true(evidence_start(log_of, why, sizeof(why)) < 0);
	evidence_free(log_of);
	shell("cd '%s' && cmp out/state state.was", store_dir);
	clock_set_ns(0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_fields, make_store, drop_store),
		cmocka_unit_test_setup_teardown(test_settled, make_store, drop_store),
		cmocka_unit_test_setup_teardown(test_destroyed, make_store, drop_store),
		cmocka_unit_test_setup_teardown(test_links, make_store, drop_store),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
