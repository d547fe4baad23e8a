/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_record_save.c - recordings that go on in another process, on a real store
 *
 * The first process is a child; its state lies in shared memory. It leaves in
 * peace or is killed; what the second one writes into the row must be true of
 * what is in the store.
 */
#include <sys/mman.h>

#include "killed.h"
#include "store_util.h"

#include "../fakecalls.h"
#include "base/buf.h"
#include "media/dtmf.h"
#include "record_call_internal.h"

struct shared {
	uint8_t state[1 << 16];
	size_t n;
	unsigned sent; /* packets given to recording_packet on each leg, lost ones not */
};

static struct shared *sh;
static struct policy policy;
static struct call call;

static int setup(void **state)
{
	sh = mmap(NULL, sizeof(*sh), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	fake_policy(&policy);
	call = (struct call){ .matched = true, .answered = true, .start_ns = T0, .answer_ns = T0, .call_id = "x",
			      .end = "bye", .policy = &policy, .rule = &policy.rule, .reason = { "interest", "" } };
	call.state[0] = PURPOSE_GRANTED;
	uid_make(T0, "x", 1, &call.uid);
	return sh == MAP_FAILED ? -1 : make_store(state);
}

static int teardown(void **state)
{
	munmap(sh, sizeof(*sh));
	return drop_store(state);
}

/* Packet i of both legs. */
static void packet(struct recording *rc, unsigned i)
{
	static const struct media_format f = { .name = "PCMA", .clock = 8000, .channels = 1, .pt = 8 };
	uint8_t payload[160];
	struct rtp_pkt p = { .pt = 8, .payload = payload, .len = sizeof(payload) };
	struct dtmf_press key;
	enum media_fate fate;

	for (unsigned leg = 0; leg < 2; leg++) {
		memset(payload, (int)(i * 2 + leg), sizeof(payload));
		p.ssrc = 7 + leg;
		p.seq = (uint16_t)(65000 + i);
		p.ts = i * 160;
		assert_int_equal(recording_packet(rc, &call, leg, &p, &f, CALL_PT_AUDIO, true, true, T0 + i * 20 * MS, &key, &fate), 0);
	}
}

static void save(struct recording *rc)
{
	struct buf b = { 0 };

	recording_save(rc, &b);
	assert_false(b.failed);
	assert_true(b.len < 4096); /* it shares a record of 16 KiB with the call */
	memcpy(sh->state, b.p, b.len);
	sh->n = b.len;
	buf_free(&b);
	assert_false(recording_unsaved(rc));
}

static int take_row(void *arg, const struct store_row *row)
{
	struct store_row *r = arg;

	*r = *row;
	r->gap = strdup(row->gap);
	r->end = strdup(row->end);
	return 1;
}

static void row(struct store *st, struct store_row *r)
{
	struct store_filter f = { .state = -1, .uid = &call.uid };

	assert_int_equal(store_find(st, &f, take_row, r), 1);
}

static void row_free(struct store_row *r)
{
	free((void *)(uintptr_t)r->gap);
	free((void *)(uintptr_t)r->end);
}

/* Packets in the store per leg; each once, with the right content. */
static void count(struct store *st, unsigned got[2])
{
	static bool seen[2][20000];
	struct store_reader *r;
	const struct chunk *c;
	unsigned leg;
	int rc;

	memset(seen, 0, sizeof(seen));
	got[0] = got[1] = 0;
	ok(st, store_read_open(st, &call.uid, STORE_DOCUMENTATION, keys_dir, &r));
	while ((rc = store_read_next(r, &leg, &c)) == 1) {
		for (uint32_t k = 0; k < c->npkt; k++, got[leg]++) {
			unsigned i = (unsigned)(c->pkt[k].seq - 65000);

			assert_true(i < 20000 && !seen[leg][i]);
			seen[leg][i] = true;
			assert_int_equal(c->data[c->pkt[k].off], (uint8_t)(i * 2 + leg));
		}
	}
	assert_int_equal(rc, 0);
	store_read_close(r);
}

static struct recording *resume(struct store *st, int want)
{
	struct recording *rc = NULL;
	int e = recording_resume(st, &call, sh->state, sh->n, &rc);

	if (e != want)
		print_error("resume: %d %s\n", e, store_why(st));
	assert_int_equal(e, want);
	return rc;
}

static void finish(struct store *st, struct recording *rc, unsigned last)
{
	struct recording_result end;

	call.end_ns = T0 + last * 20 * MS;
	ok(st, recording_end(rc, &call, NULL, &end));
	assert_int_equal(end.end, RECORDING_KEPT);
	ok(st, store_sync(st));
}

/* ---- in peace ---- */

static void leave(unsigned n)
{
	struct store *st = open_store(STORE_RW);
	struct recording *rc;

	assert_int_equal(recording_new(st, &call, &rc), 0);
	assert_true(recording_durable(rc));
	for (unsigned i = 0; i < n; i++) {
		if (i % 50 != 7)
			packet(rc, i);
		if (i % 50 == 9)
			packet(rc, i); /* a copy */
	}
	assert_true(recording_begun(rc) && recording_durable(rc) && recording_unsaved(rc));
	ok(st, recording_flush(rc));
	save(rc);
	ok(st, recording_leave(rc));
	ok(st, store_sync(st));
	store_close(st);
}

static void test_peace(void **state)
{
	struct store_row r;
	struct recording *rc;
	struct store *st;
	unsigned got[2];

	(void)state;
	in_child(leave, 1000);
	st = open_store(STORE_RW);
	rc = resume(st, 0);
	packet(rc, 999); /* copies of what the other process had */
	packet(rc, 600);
	for (unsigned i = 1000; i < 1500; i++)
		packet(rc, i);
	finish(st, rc, 1500);
	ok(st, store_settle(st, NULL));
	row(st, &r);
	count(st, got);
	assert_string_equal(r.gap, "");
	assert_string_equal(r.end, "bye");
	for (unsigned leg = 0; leg < 2; leg++) {
		assert_int_equal(got[leg], 1480);
		assert_int_equal(r.leg[leg].packets, 1480);
		assert_int_equal(r.leg[leg].lost, 20);
		assert_int_equal(r.leg[leg].duplicates, 22);
		assert_int_equal(r.leg[leg].audio_ms, 1480 * 20);
		assert_string_equal(r.leg[leg].format.name, "PCMA");
	}
	row_free(&r);
	store_close(st);
	fsck_clean(NULL);
}

/* A packet went by while nobody listened. */
static void test_missed(void **state)
{
	struct store_row r;
	struct recording *rc;
	struct store *st;

	(void)state;
	in_child(leave, 1000);
	st = open_store(STORE_RW);
	rc = resume(st, 0);
	for (unsigned i = 1001; i < 1100; i++)
		packet(rc, i);
	finish(st, rc, 1100);
	row(st, &r);
	assert_string_equal(r.gap, "restart");
	assert_int_equal(r.leg[0].lost, 21);
	assert_int_equal(r.leg[0].packets, 980 + 99);
	row_free(&r);
	store_close(st);
}

/* ---- killed ---- */

static void die(unsigned saved)
{
	struct store *st = open_store(STORE_RW);
	struct recording *rc;

	assert_int_equal(recording_new(st, &call, &rc), 0);
	for (unsigned i = 0; i < 4000; i++) {
		packet(rc, i);
		if (i % 100 == 99)
			ok(st, store_sync(st));
		if (i == saved)
			save(rc);
	}
}

/* However old the state: row and store agree, and everything is accounted for. */
static void test_killed(void **state)
{
	static const unsigned at[] = { 150, 3210, 3999 };

	for (size_t k = 0; k < sizeof(at) / sizeof(*at); k++) {
		struct recording *rc;
		struct store_row r;
		struct store *st;
		unsigned got[2];

		in_child(die, at[k]);
		st = open_store(STORE_RW);
		rc = resume(st, 0);
		ok(st, store_settle(st, NULL));
		for (unsigned i = 4100; i < 4500; i++)
			packet(rc, i);
		finish(st, rc, 4500);
		row(st, &r);
		count(st, got);
		assert_string_equal(r.gap, "restart");
		for (unsigned leg = 0; leg < 2; leg++) {
			assert_int_equal(r.leg[leg].packets, got[leg]);
			assert_int_equal(r.leg[leg].packets + r.leg[leg].lost, 4500);
			assert_true(got[leg] >= 4400 - 180); /* two seconds, and what was not synced */
			assert_int_equal(r.leg[leg].audio_ms, got[leg] * 20);
		}
		row_free(&r);
		store_close(st);
		fsck_clean(NULL);
		drop_store(state);
		assert_int_equal(make_store(state), 0);
	}
}

/* Killed before the first sync: the store knows nothing, the call is recorded from here on. */
static void die_young(unsigned n)
{
	struct store *st = open_store(STORE_RW);
	struct recording *rc;

	assert_int_equal(recording_new(st, &call, &rc), 0);
	for (unsigned i = 0; i < n; i++)
		packet(rc, i);
	save(rc);
}

static void test_young(void **state)
{
	struct recording *rc;
	struct store_row r;
	struct store *st;
	unsigned got[2];

	(void)state;
	in_child(die_young, 90);
	st = open_store(STORE_RW);
	rc = resume(st, 0);
	assert_false(recording_begun(rc));
	for (unsigned i = 100; i < 300; i++)
		packet(rc, i);
	finish(st, rc, 300);
	ok(st, store_settle(st, NULL));
	row(st, &r);
	count(st, got);
	assert_string_equal(r.gap, "restart");
	assert_int_equal(got[0], 200);
	assert_int_equal(r.leg[0].packets, 200);
	row_free(&r);
	store_close(st);
	fsck_clean(NULL);
}

/* Withdrawn after the state was saved: it does not come back. */
static void withdraw(unsigned n)
{
	struct store *st = open_store(STORE_RW);
	struct recording *rc;

	assert_int_equal(recording_new(st, &call, &rc), 0);
	for (unsigned i = 0; i < n; i++)
		packet(rc, i);
	ok(st, store_sync(st));
	save(rc);
	call.state[0] = PURPOSE_WITHDRAWN;
	ok(st, recording_destroy(rc, &call, POLICY_DOCUMENTATION));
}

static void test_withdrawn(void **state)
{
	struct store_fsck_report rep;
	struct store *st;

	(void)state;
	in_child(withdraw, 200);
	st = open_store(STORE_RW);
	assert_null(resume(st, -ESHUTDOWN));
	ok(st, store_settle(st, NULL));
	store_close(st);
	fsck_clean(&rep);
	assert_int_equal(rep.slots, 0);
}

/* Opted out in the middle of training: the state alone must not survive a crash. */
static void test_durable(void **state)
{
	struct store *st = open_store(STORE_RW);
	struct recording *rc;

	(void)state;
	policy.rule.purpose[1] = policy.rule.purpose[0];
	policy.rule.purpose[0].basis = POLICY_B_NONE;
	call.state[0] = PURPOSE_NONE;
	call.state[1] = PURPOSE_GRANTED;
	assert_int_equal(recording_new(st, &call, &rc), 0);
	assert_true(recording_durable(rc));
	packet(rc, 0);
	assert_false(recording_durable(rc));
	recording_abort(rc);
	store_close(st);
}

static void test_hostile(void **state)
{
	struct recording *rc;
	struct store *st;
	uint8_t *was;
	size_t n;

	(void)state;
	in_child(leave, 1000);
	st = open_store(STORE_RW);
	n = sh->n;
	was = malloc(n);
	memcpy(was, sh->state, n);
	for (size_t i = 0; i < n; i++) {
		sh->n = i;
		assert_null(resume(st, -EBADMSG));
	}
	sh->n = n + 1;
	assert_null(resume(st, -EBADMSG));
	sh->n = n;
	rng_state = 5;
	for (unsigned k = 0; k < 20000; k++) { /* the key's part has a checksum: all that is before it */
		memcpy(sh->state, was, n);
		sh->state[rnd() % (n - 195)] ^= (uint8_t)(1u << rnd() % 8);
		sh->state[n - 1 - rnd() % 195] ^= (uint8_t)(1u << rnd() % 8);
		rc = NULL;
		if (!recording_resume(st, &call, sh->state, n, &rc)) /* read as one that was not begun */
			recording_abort(rc);
	}
	memcpy(sh->state, was, n);
	recording_abort(resume(st, 0));
	free(was);
	store_close(st);
}

/* On hold: what is in memory goes to the store without another packet. */
static void test_tick(void **state)
{
	struct store *st = open_store(STORE_RW);
	struct store_figures f;
	struct recording *rc;

	(void)state;
	assert_int_equal(recording_new(st, &call, &rc), 0);
	for (unsigned i = 0; i < 10; i++)
		packet(rc, i);
	ok(st, recording_tick(rc, &call, T0 + 1000 * MS));
	store_figures(st, &f);
	assert_int_equal(f.chunks, 0);
	ok(st, recording_tick(rc, &call, T0 + 1700 * MS));
	store_figures(st, &f);
	assert_int_equal(f.chunks, 2);
	recording_abort(rc);
	store_close(st);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_peace),	   T(test_missed),  T(test_killed),  T(test_young), T(test_withdrawn),
		T(test_durable),   T(test_hostile), T(test_tick),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
