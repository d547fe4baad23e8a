/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_record_parts.c - purposes that come and go while packets do, on a real store
 *
 * Each test says what happens to the call between packets, and what each purpose must be able to
 * read afterwards; the store's reader is asked for every packet. Everything twice: the store in the
 * caller's thread, and with threads of its own.
 */
#include <math.h>
#include <sys/mman.h>

#include "store_util.h"

#include "../fakecalls.h"
#include "base/buf.h"
#include "media/dtmf.h"
#include "record_call_internal.h"

#define PACKETS 1200

static struct policy policy;
static struct call call;
static struct recording *rc;
static struct store *st;
static bool threads;
static unsigned at; /* the next packet */
static unsigned char may[2][2][PACKETS]; /* purpose, leg, packet: may be read at the end */
static enum media_fate fate;
static struct {
	unsigned from, n;
} tone; /* packets of the first leg that are a key */

static void open_it(void)
{
	struct store_threads_settings set;

	st = open_store(STORE_RW);
	store_threads_default(&set);
	if (threads)
		ok(st, store_threads(st, &set));
}

static int setup(void **state)
{
	fake_policy(&policy);
	policy.rule.purpose[1] = policy.rule.purpose[0];
	call = (struct call){ .matched = true, .answered = true, .start_ns = T0, .answer_ns = T0, .call_id = "x",
			      .end = "bye", .policy = &policy, .rule = &policy.rule, .reason = { "", "" } };
	uid_make(T0, "x", 1, &call.uid);
	memset(may, 0, sizeof(may));
	tone.n = 0;
	at = 0;
	return make_store(state);
}

static void start(enum purpose_state doc, enum purpose_state training)
{
	call.state[0] = doc;
	call.state[1] = training;
	open_it();
	assert_int_equal(recording_new(st, &call, &rc), 0);
}

static uint64_t when(unsigned i)
{
	return T0 + i * 20 * MS;
}

static bool is_tone(unsigned i, unsigned leg)
{
	return !leg && i >= tone.from && i - tone.from < tone.n;
}

/* A-law of a key's two tones, by search. */
static void sound(uint8_t *x, size_t n, uint32_t ts)
{
	for (size_t i = 0; i < n; i++) {
		double t = (double)(ts + i) * 2 * M_PI / 8000, v = 7000 * (sin(t * 770) + sin(t * 1336));
		unsigned best = 0;

		for (unsigned k = 1; k < 256; k++)
			if (fabs(g711_linear[G711_ALAW][k] - v) < fabs(g711_linear[G711_ALAW][best] - v))
				best = k;
		x[i] = (uint8_t)best;
	}
}

static void packet(unsigned i, unsigned leg, unsigned set)
{
	static const struct media_format f = { .name = "PCMA", .clock = 8000, .channels = 1, .pt = 8 };
	uint8_t payload[160];
	struct rtp_pkt p = { .pt = 8, .payload = payload, .len = sizeof(payload), .ssrc = 7 + leg, .seq = (uint16_t)(65000 + i),
			     .ts = i * 160 };
	struct dtmf_press key;

	memset(payload, (int)(i * 2 + leg), sizeof(payload));
	if (is_tone(i, leg))
		sound(payload, sizeof(payload), i * 160);
	ok(st, recording_packet(rc, &call, leg, &p, &f, CALL_PT_AUDIO, true, true, when(i), &key, &fate));
	for (int k = 0; k < 2; k++)
		may[k][leg][i] = set >> k & 1;
}

enum { DOC = 1, TR = 2, BOTH = 3 };

/* n packets of both legs. */
static void packets(unsigned n, unsigned set)
{
	for (; n--; at++) {
		packet(at, 0, set);
		packet(at, 1, set);
	}
}

/* From now on, or for the whole call. */
static void grant(enum policy_purpose p, bool whole)
{
	call.state[p] = PURPOSE_GRANTED;
	call.decide.granted_ns[p] = whole ? 0 : when(at);
	ok(st, recording_granted(rc, &call, when(at)));
	for (int leg = 0; whole && leg < 2; leg++)
		memset(may[p][leg], 1, at);
}

static void destroy(enum policy_purpose p, enum purpose_state s)
{
	call.state[p] = s;
	ok(st, recording_destroy(rc, &call, p));
	memset(may[p], 0, sizeof(may[p]));
}

static int take_row(void *arg, const struct store_row *row)
{
	struct store_row *r = arg;

	*r = *row;
	r->gap = strdup(row->gap);
	return 1;
}

static unsigned expected(int p, int leg)
{
	unsigned n = 0;

	for (unsigned i = 0; i < at; i++)
		n += may[p][leg][i];
	return n;
}

static void read_purpose(int p)
{
	static unsigned char got[2][PACKETS];
	struct store_reader *r;
	const struct chunk *c;
	unsigned leg;
	int e;

	memset(got, 0, sizeof(got));
	ok(st, store_read_open(st, &call.uid, (enum store_purpose)p, keys_dir, &r));
	while ((e = store_read_next(r, &leg, &c)) == 1) {
		for (uint32_t k = 0; k < c->npkt; k++) {
			unsigned i = (unsigned)(c->pkt[k].seq - 65000);

			assert_true(i < PACKETS);
			got[leg][i]++;
			for (uint32_t o = 0; is_tone(i, leg) && o < c->pkt[k].len; o++)
				assert_int_equal(c->data[c->pkt[k].off + o], G711_ALAW_SILENCE);
			if (!is_tone(i, leg) && !(i && is_tone(i - 1, leg))) /* that one's beginning goes with the key */
				assert_int_equal(c->data[c->pkt[k].off], (uint8_t)(i * 2 + leg));
			assert_true(c->pkt[k].arrival_ns == when(i));
		}
	}
	ok(st, e);
	for (leg = 0; leg < 2; leg++)
		for (unsigned i = 0; i < PACKETS; i++)
			if (got[leg][i] != may[p][leg][i])
				fail_msg("%s leg %u packet %u: read %u times, not %u", store_purpose_names[p], leg, i, got[leg][i],
					 may[p][leg][i]);
	store_read_close(r);
}

/* Ends the call; then what each purpose has must be what the test said. */
static void finish(enum recording_end want, const char *gap)
{
	struct store_filter f = { .state = -1, .uid = &call.uid };
	struct recording_result end;
	struct store_row row;

	call.end_ns = when(at);
	for (int p = 0; p < 2; p++)
		if (call.state[p] == PURPOSE_PENDING)
			call.state[p] = PURPOSE_DENIED;
	ok(st, recording_end(rc, &call, NULL, &end));
	assert_int_equal(end.end, want);
	ok(st, store_sync(st));
	store_close(st);
	fsck_clean(NULL);
	st = open_store(STORE_RO);
	assert_int_equal(store_find(st, &f, take_row, &row), 1);
	assert_string_equal(row.gap, gap);
	for (int p = 0; p < 2; p++) {
		bool any = expected(p, 0) || expected(p, 1);

		if (row.state[p] != STORE_S_GRANTED && row.state[p] != STORE_S_OBJECTED)
			assert_false(any);
		else if (row.state[p] == STORE_S_GRANTED)
			read_purpose(p);
		for (int leg = 0; any && leg < 2; leg++) {
			assert_int_equal(row.share[p].packets[leg], expected(p, leg));
			assert_int_equal(row.share[p].audio_ms[leg], expected(p, leg) * 20);
		}
	}
	for (int leg = 0; want == RECORDING_KEPT && leg < 2; leg++) {
		unsigned n = 0;

		for (unsigned i = 0; i < at; i++)
			n += may[0][leg][i] || may[1][leg][i];
		assert_int_equal(row.leg[leg].packets, n);
		assert_int_equal(row.leg[leg].audio_ms, n * 20);
	}
	free((void *)(uintptr_t)row.gap);
	store_close(st);
}

/* ---- what happens in calls ---- */

static void from_the_press(void)
{
	start(PURPOSE_GRANTED, PURPOSE_PENDING);
	packets(130, DOC);
	grant(POLICY_TRAINING, false);
	packets(130, BOTH);
	finish(RECORDING_KEPT, "");
}

static void taken_back_and_given_again(void)
{
	start(PURPOSE_GRANTED, PURPOSE_PENDING);
	packets(50, DOC);
	grant(POLICY_TRAINING, true);
	packets(170, BOTH);
	destroy(POLICY_TRAINING, PURPOSE_WITHDRAWN);
	packets(60, DOC);
	grant(POLICY_TRAINING, false);
	packets(170, BOTH);
	finish(RECORDING_KEPT, "");
}

/* A later policy stops documentation: what it has stays, and it gets nothing more. */
static void documentation_stops(void)
{
	start(PURPOSE_GRANTED, PURPOSE_GRANTED);
	packets(130, BOTH);
	call.tight.stopped[0] = true;
	packets(130, TR);
	finish(RECORDING_KEPT, "");
}

static void stops_and_training_withdrawn(void)
{
	start(PURPOSE_GRANTED, PURPOSE_GRANTED);
	packets(130, BOTH);
	call.tight.stopped[0] = true;
	packets(130, TR);
	destroy(POLICY_TRAINING, PURPOSE_WITHDRAWN);
	packets(30, 0);
	assert_int_equal(fate, MEDIA_NOT_KEPT);
	finish(RECORDING_KEPT, "");
}

/* An objection that pauses documentation: training, which nobody objected to, goes on without it. */
static void objection_pauses(void)
{
	policy.rule.purpose[0].on_objection = POLICY_OBJ_PAUSE;
	start(PURPOSE_GRANTED, PURPOSE_GRANTED);
	packets(130, BOTH);
	call.state[0] = PURPOSE_OBJECTED;
	call.reason[0] = "objection";
	call.decide.objected = true; /* and not only a notice that is missing */
	packets(130, TR);
	finish(RECORDING_KEPT, "");
}

/* And the case is decided while the call lasts: what was said meanwhile is none of documentation's. */
static void objection_rejected(void)
{
	policy.rule.purpose[0].on_objection = POLICY_OBJ_PAUSE;
	start(PURPOSE_GRANTED, PURPOSE_GRANTED);
	packets(130, BOTH);
	call.state[0] = PURPOSE_OBJECTED;
	call.reason[0] = "objection";
	call.decide.objected = true; /* and not only a notice that is missing */
	packets(130, TR);
	call.state[0] = PURPOSE_GRANTED;
	packets(130, BOTH);
	finish(RECORDING_KEPT, "");
}

static void training_restricted(void)
{
	start(PURPOSE_GRANTED, PURPOSE_GRANTED);
	packets(130, BOTH);
	call.state[1] = PURPOSE_OBJECTED;
	packets(130, DOC);
	call.state[1] = PURPOSE_GRANTED;
	packets(130, BOTH);
	finish(RECORDING_KEPT, "");
}

static void grounds_of_an_objection(void)
{
	struct store_reader *r;
	enum store_purpose p;
	const char *text;

	start(PURPOSE_GRANTED, PURPOSE_GRANTED);
	assert_int_equal(recording_grounds(rc, POLICY_DOCUMENTATION, "early"), -ENODATA); /* nothing is kept yet */
	packets(130, BOTH);
	call.state[0] = PURPOSE_OBJECTED;
	ok(st, recording_grounds(rc, POLICY_DOCUMENTATION, "my doctor"));
	packets(130, BOTH);
	finish(RECORDING_KEPT, "");
	st = open_store(STORE_RO);
	ok(st, store_read_words(st, &call.uid, STORE_DOCUMENTATION, keys_dir, &r));
	ok(st, store_read_grounds(r, 0, &p, &text));
	assert_int_equal(p, STORE_DOCUMENTATION);
	assert_string_equal(text, "my doctor");
	assert_int_equal(store_read_grounds(r, 1, &p, &text), -ENODATA);
	store_read_close(r);
	store_close(st);
}

static void objection_before_audio(void)
{
	policy.rule.purpose[0].on_objection = POLICY_OBJ_PAUSE;
	call.reason[0] = "objection";
	call.decide.objected = true; /* and not only a notice that is missing */
	start(PURPOSE_OBJECTED, PURPOSE_GRANTED);
	packets(130, TR);
	finish(RECORDING_KEPT, "");
}

/* Opt-out: training is decided when documentation has recorded a while, and its slot may take a moment more. */
static void granted_without_a_packet_after(void)
{
	start(PURPOSE_GRANTED, PURPOSE_PENDING);
	packets(130, DOC);
	call.decide.sample_waits = true;
	grant(POLICY_TRAINING, true);
	packets(10, BOTH); /* keeps nothing of its own yet, and has all in the end */
	call.decide.sample_waits = false;
	finish(RECORDING_KEPT, "");
}

static void documentation_consents_late(void)
{
	policy.rule.purpose[0].basis = POLICY_B_CONSENT;
	start(PURPOSE_PENDING, PURPOSE_GRANTED);
	packets(130, TR);
	grant(POLICY_DOCUMENTATION, false);
	packets(1, BOTH);
	assert_true(store_call_committed(rc->sc, STORE_DOCUMENTATION)); /* evidence survives a crash */
	packets(130, BOTH);
	destroy(POLICY_DOCUMENTATION, PURPOSE_WITHDRAWN);
	packets(20, TR);
	grant(POLICY_DOCUMENTATION, false);
	packets(20, BOTH);
	finish(RECORDING_KEPT, "");
}

static void hold(void)
{
	policy.rule.purpose[0].basis = POLICY_B_CONSENT;
	start(PURPOSE_PENDING, PURPOSE_PENDING);
	packets(130, 0);
	assert_false(recording_begun(rc));
	grant(POLICY_DOCUMENTATION, false);
	packets(130, DOC);
	assert_true(recording_begun(rc));
}

/* What was on hold for training is no documentation. */
static void held_then_granted(void)
{
	hold();
	grant(POLICY_TRAINING, true);
	packets(40, BOTH);
	finish(RECORDING_KEPT, "");
}

static void held_then_denied(void)
{
	hold();
	destroy(POLICY_TRAINING, PURPOSE_OPTED_OUT);
	packets(40, DOC);
	finish(RECORDING_KEPT, "");
}

/* Documentation is taken back while training is still held. */
static void held_and_withdrawn(void)
{
	hold();
	destroy(POLICY_DOCUMENTATION, PURPOSE_WITHDRAWN);
	packets(70, 0); /* held, though the call has a place on disk */
	grant(POLICY_TRAINING, true);
	packets(40, TR);
	finish(RECORDING_KEPT, "");
}

/* A key that sounds on from what is held into what is not is muted in both, however little is left of it. */
static void key_while_held(void)
{
	policy.rule.purpose[0].basis = POLICY_B_CONSENT;
	policy.rule.mute_dtmf = true;
	start(PURPOSE_PENDING, PURPOSE_PENDING);
	tone.from = 127;
	tone.n = 4;
	packets(130, 0);
	grant(POLICY_DOCUMENTATION, false);
	packets(130, DOC);
	grant(POLICY_TRAINING, true);
	packets(40, BOTH);
	finish(RECORDING_KEPT, "");
	policy.rule.mute_dtmf = false;
}

/* And from part to part. */
static void key_between_parts(void)
{
	policy.rule.mute_dtmf = true;
	start(PURPOSE_GRANTED, PURPOSE_PENDING);
	tone.from = 126;
	tone.n = 5;
	packets(130, DOC);
	grant(POLICY_TRAINING, false);
	packets(130, BOTH);
	finish(RECORDING_KEPT, "");
	policy.rule.mute_dtmf = false;
}

static void held_and_nothing_left(void)
{
	hold();
	destroy(POLICY_DOCUMENTATION, PURPOSE_WITHDRAWN);
	packets(70, 0);
	destroy(POLICY_TRAINING, PURPOSE_OPTED_OUT);
	packets(40, 0);
	finish(RECORDING_DENIED, "");
}

/* One leg's packets wait in another ring: those of before the press come when the other leg's of after it were seen. */
static void two_rings(void)
{
	unsigned i;

	start(PURPOSE_GRANTED, PURPOSE_PENDING);
	packets(100, DOC);
	grant(POLICY_TRAINING, false); /* at packet 100 + 20 */
	call.decide.granted_ns[1] = when(120);
	for (i = 100; i < 140; i++)
		packet(i, 0, i < 120 ? DOC : BOTH);
	for (i = 100; i < 140; i++)
		packet(i, 1, i < 120 ? DOC : BOTH);
	at = 140;
	packet(118, 1, DOC); /* a copy */
	assert_int_equal(fate, MEDIA_DUPLICATE);
	packets(30, BOTH);
	finish(RECORDING_KEPT, "");
}

/* One packet of before the press, after its leg had one of after it: for nobody, rather than for training. */
static void too_late(void)
{
	start(PURPOSE_GRANTED, PURPOSE_PENDING);
	packets(100, DOC);
	call.decide.granted_ns[1] = when(101);
	call.state[1] = PURPOSE_GRANTED;
	packet(101, 0, BOTH);
	packet(100, 0, 0);
	assert_int_equal(fate, MEDIA_NOT_KEPT);
	packet(100, 1, DOC);
	packet(101, 1, BOTH);
	at = 102;
	packets(50, BOTH);
	finish(RECORDING_KEPT, "");
}

static void press_and_nothing_more(void)
{
	start(PURPOSE_GRANTED, PURPOSE_PENDING);
	packets(100, DOC);
	grant(POLICY_TRAINING, false);
	finish(RECORDING_KEPT, "");
	assert_int_equal(call.state[1], PURPOSE_GRANTED); /* the row says DENIED: finish() has seen that nothing is there */
}

/* As many changes as a caller can press: documentation has everything, training what there were parts for. */
static void many_parts(bool stop)
{
	start(PURPOSE_GRANTED, PURPOSE_PENDING);
	packets(4, DOC);
	for (unsigned k = 0; k < 100; k++) {
		grant(POLICY_TRAINING, false);
		packets(2, k < 63 ? BOTH : DOC);
		destroy(POLICY_TRAINING, PURPOSE_WITHDRAWN);
		packets(1, DOC);
	}
	grant(POLICY_TRAINING, false);
	packets(4, DOC);
	if (!stop) {
		finish(RECORDING_KEPT, "");
		return;
	}
	call.tight.stopped[0] = true; /* for training alone there is no part: for nobody then, and it is told */
	packets(4, 0);
	assert_int_equal(fate, MEDIA_NOT_KEPT);
	finish(RECORDING_KEPT, "parts");
}

static void too_many_parts(void)
{
	many_parts(false);
}

static void too_many_parts_and_stopped(void)
{
	many_parts(true);
}

/* ---- and somebody goes on with it ---- */

struct shared {
	uint8_t state[1 << 14];
	size_t n;
	struct call call;
	unsigned at;
	unsigned char may[2][2][PACKETS];
};

static struct shared *sh;

static void save_it(bool all)
{
	struct buf b = { 0 };

	if (all)
		recording_save_all(rc, &b);
	else
		recording_save(rc, &b);
	assert_false(b.failed);
	memcpy(sh->state, b.p, b.len);
	sh->n = b.len;
	sh->call = call;
	sh->at = at;
	memcpy(sh->may, may, sizeof(may));
	buf_free(&b);
}

/* Killed: what was not in a chunk is lost, so every packet is flushed. */
static void killed(void (*life)(void))
{
	pid_t pid;
	int status;

	sh = mmap(NULL, sizeof(*sh), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(sh != MAP_FAILED);
	pid = fork();
	if (!pid) {
		life();
		kill(getpid(), SIGKILL);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	call = sh->call;
	call.policy = &policy;
	call.rule = &policy.rule;
	at = sh->at;
	memcpy(may, sh->may, sizeof(may));
	st = open_store(STORE_RW);
	ok(st, recording_resume(st, &call, sh->state, sh->n, &rc));
	ok(st, store_settle(st, NULL));
	munmap(sh, sizeof(*sh));
}

static void life_press(void)
{
	start(PURPOSE_GRANTED, PURPOSE_PENDING);
	packets(130, DOC);
	grant(POLICY_TRAINING, false);
	packets(1, BOTH);
	assert_true(recording_unsaved(rc)); /* a part began: the recorder saves at once */
	save_it(false);
	packets(129, BOTH);
	ok(st, recording_flush(rc));
	ok(st, store_sync(st));
	sh->at = at;
	memcpy(sh->may, may, sizeof(may));
}

static void killed_after_press(void)
{
	killed(life_press);
	packets(100, BOTH);
	destroy(POLICY_TRAINING, PURPOSE_WITHDRAWN);
	packets(100, DOC);
	grant(POLICY_TRAINING, false);
	packets(100, BOTH);
	finish(RECORDING_KEPT, "restart"); /* a chunk was open when the state was saved */
}

static void life_stopped(void)
{
	start(PURPOSE_GRANTED, PURPOSE_GRANTED);
	packets(100, BOTH);
	call.tight.stopped[0] = true;
	packets(100, TR);
	ok(st, recording_flush(rc));
	save_it(false);
	ok(st, store_sync(st));
}

/* Training's alone must not outlive a crash (guidance 6): it has what came after. */
static void killed_after_stop(void)
{
	killed(life_stopped);
	memset(may[1], 0, sizeof(may[1]));
	packets(100, TR);
	finish(RECORDING_KEPT, "");
}

static void life_left(void)
{
	start(PURPOSE_GRANTED, PURPOSE_GRANTED);
	packets(100, BOTH);
	call.tight.stopped[0] = true;
	packets(100, TR);
	ok(st, recording_flush(rc));
	save_it(true);
	ok(st, recording_leave(rc));
	ok(st, store_sync(st));
}

/* In peace nothing is lost. */
static void left_after_stop(void)
{
	killed(life_left);
	packets(100, TR);
	finish(RECORDING_KEPT, "");
}

static void (*const scenes[])(void) = {
	from_the_press, taken_back_and_given_again, documentation_stops, stops_and_training_withdrawn, objection_pauses,
	objection_rejected, training_restricted, grounds_of_an_objection, objection_before_audio, granted_without_a_packet_after,
	documentation_consents_late, held_then_granted, held_then_denied, held_and_withdrawn, held_and_nothing_left, key_while_held, key_between_parts, two_rings,
	too_late, press_and_nothing_more, too_many_parts, too_many_parts_and_stopped, killed_after_press, killed_after_stop, left_after_stop,
};

static void all(void **state)
{
	for (size_t i = 0; i < sizeof(scenes) / sizeof(scenes[0]); i++) {
		print_message("scene %zu\n", i);
		scenes[i]();
		drop_store(state);
		assert_int_equal(setup(state), 0);
	}
}

static void test_caller(void **state)
{
	threads = false;
	all(state);
}

static void test_threads(void **state)
{
	threads = true;
	all(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_caller, setup, drop_store),
		cmocka_unit_test_setup_teardown(test_threads, setup, drop_store),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
