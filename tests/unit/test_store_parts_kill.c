/* SPDX-License-Identifier: BSD-2-Clause */
/* test_store_parts_kill.c - which purpose can read which part of a call after kills and take-overs (parts_model.h) */
#include <sys/mman.h>

#include "killed.h"
#include "parts_model.h"

#include "base/buf.h"

struct shared {
	uint8_t state[8192];
	size_t n;
	struct model m;
};

static struct shared *sh;

static void save(struct model *m, bool durable)
{
	struct buf b = { 0 };

	assert_int_equal(durable ? store_call_save_durable(m->sc, &b) : store_call_save(m->sc, &b), 0);
	assert_true(b.len <= sizeof(sh->state));
	memcpy(sh->state, b.p, b.len);
	sh->n = b.len;
	buf_free(&b);
}

static int setup(void **state)
{
	sh = mmap(NULL, sizeof(*sh), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return sh == MAP_FAILED ? -1 : make_store(state);
}

static int teardown(void **state)
{
	munmap(sh, sizeof(*sh));
	return drop_store(state);
}

/* One life: goes on, does some steps, saving the state after each change as the recorder does; dies without a word. */
static void live_and_die(unsigned round)
{
	struct store *st = open_store(STORE_RW);
	struct model *m = &sh->m;
	uint64_t seed = round * 7919 + 5;

	if (!sh->n)
		m_begin(m, st, 7, TR, DOC);
	else
		ok(st, store_call_resume(st, sh->state, sh->n, &m->sc));
	m->st = st;
	ok(st, store_sync(st));
	save(m, false);
	for (unsigned k = 0; k < 6 && m->n < CHUNKS - 20; k++) {
		rng_state = seed += 0x9e3779b97f4a7c15ULL;
		rnd();
		step(m);
		save(m, false);
		rng_state = seed + 1;
		if (rnd() % 2)
			ok(st, store_settle(st, NULL));
		if (rnd() % 3)
			ok(st, store_sync(st));
	}
	ok(st, store_sync(st)); /* what was not synced may be lost, and the model does not say what */
	save(m, false);
}

static void test_kills(void **state)
{
	struct store *st;

	for (unsigned call = 0; call < 6; call++) {
		sh->n = 0;
		memset(&sh->m, 0, sizeof(sh->m));
		for (unsigned round = 0; round < 8; round++) {
			in_child(live_and_die, call * 100 + round);
			fsck_clean(NULL);
		}
		st = open_store(STORE_RW);
		ok(st, store_call_resume(st, sh->state, sh->n, &sh->m.sc));
		sh->m.st = st;
		m_chunks(&sh->m, 2);
		m_end(&sh->m);
		ok(st, store_settle(st, NULL));
		store_close(st);
		fsck_clean(NULL);
		check(&sh->m);
		drop_store(state);
		assert_int_equal(make_store(state), 0);
	}
}

/* Killed between any two steps of taking back and giving again; nobody goes on: only what is lawful is readable. */
enum { KILL_GIVEN, KILL_DROPPED, KILL_PART, KILL_WRAPPED, KILL_CHUNKS, KILL_SYNCED, KILL_MAX };

static void given_again(unsigned where)
{
	struct store *st = open_store(STORE_RW);
	struct model *m = &sh->m;

	m_begin(m, st, 5, 0, DOC | TR);
	m_chunks(m, 4);
	ok(st, store_sync(st));
	save(m, false);
	if (where == KILL_GIVEN)
		return;
	ok(st, store_call_drop(m->sc, STORE_TRAINING));
	if (where == KILL_DROPPED)
		return;
	ok(st, store_call_part(m->sc, DOC | TR, T0 + 10 * NS_PER_S));
	store_call_enter(m->sc, 0);
	store_call_enter(m->sc, 1);
	if (where == KILL_PART)
		return;
	ok(st, store_call_commit(m->sc, STORE_TRAINING));
	if (where == KILL_WRAPPED)
		return;
	m_chunks(m, 4);
	if (where == KILL_SYNCED)
		ok(st, store_sync(st));
}

static unsigned readable(struct store *st, enum store_purpose p)
{
	struct store_call_meta meta;
	struct store_reader *r;
	const struct chunk *c;
	unsigned leg, set = 0;
	int rc;

	meta_both(5, &meta);
	rc = store_read_open(st, &meta.uid, p, keys_dir, &r);
	if (rc) {
		assert_true(rc == -EACCES || rc == -ESHUTDOWN);
		return 0;
	}
	while ((rc = store_read_next(r, &leg, &c)) == 1)
		set |= 1u << number_of(c->pkt[0].seq, leg);
	ok(st, rc);
	store_read_close(r);
	return set;
}

static void test_kill_between(void **state)
{
	static const unsigned training[KILL_MAX] = { 0xf, 0, 0, 0, 0, 0xf0 };

	for (unsigned where = 0; where < KILL_MAX; where++) {
		struct store_fsck_report rep;
		struct store *st;

		in_child(given_again, where);
		fsck_clean(NULL);
		st = open_store(STORE_RW);
		ok(st, store_settle(st, NULL));
		store_close(st);
		fsck_clean(&rep);
		assert_int_equal(rep.interrupted, 0); /* no wrap that nobody names */
		assert_int_equal(rep.slots, training[where] ? 2 : 1);
		st = open_store(STORE_RO);
		assert_int_equal(readable(st, STORE_TRAINING), training[where]);
		assert_int_equal(readable(st, STORE_DOCUMENTATION), where == KILL_SYNCED ? 0xff : 0xf);
		store_close(st);
		/* a state of before the withdrawal brings nothing back */
		drop_store(state);
		assert_int_equal(make_store(state), 0);
	}
}

static void test_old_state(void **state)
{
	for (unsigned where = KILL_DROPPED; where < KILL_MAX; where++) {
		struct store_call *sc;
		struct store *st;

		in_child(given_again, where);
		st = open_store(STORE_RW);
		assert_int_equal(store_call_resume(st, sh->state, sh->n, &sc), -ESHUTDOWN);
		ok(st, store_settle(st, NULL));
		store_close(st);
		fsck_clean(NULL);
		drop_store(state);
		assert_int_equal(make_store(state), 0);
	}
}

/* Documentation stopped, training goes on: a state that may survive a crash has no key of what is training's alone. */
static void stopped(unsigned durable)
{
	struct store *st = open_store(STORE_RW);
	struct model *m = &sh->m;

	m_begin(m, st, 5, TR, DOC);
	m_chunks(m, 4);
	m_part(m, TR);
	m_chunks(m, 4);
	ok(st, store_sync(st));
	save(m, durable);
}

static void test_durable_state(void **state)
{
	for (unsigned durable = 0; durable < 2; durable++) {
		struct store_call *sc;
		struct store_call_result r;
		struct store *st;

		in_child(stopped, durable);
		st = open_store(STORE_RW);
		ok(st, store_call_resume(st, sh->state, sh->n, &sc));
		assert_int_equal(store_call_keyed(sc, STORE_TRAINING), !durable);
		assert_int_equal(store_call_lost(sc, 0), durable);
		assert_int_equal(store_call_for(sc, 0), durable ? 0 : TR);
		sh->m.sc = sc;
		sh->m.st = st;
		if (durable)
			assert_int_equal(store_call_cover(sc, STORE_TRAINING), -EINVAL);
		m_part(&sh->m, TR);
		m_chunks(&sh->m, 4);
		result_of(5, &r);
		r.state[1] = STORE_S_GRANTED;
		ok(st, store_call_commit(sc, STORE_TRAINING));
		ok(st, store_call_end(sc, &r));
		ok(st, store_settle(st, NULL));
		assert_int_equal(readable(st, STORE_DOCUMENTATION), 0xf);
		assert_int_equal(readable(st, STORE_TRAINING), durable ? 0xf00 : 0xfff);
		store_close(st);
		fsck_clean(NULL);
		drop_store(state);
		assert_int_equal(make_store(state), 0);
	}
}

/* Killed when chunks of a new part were on disk and neither record nor state told of it: they are left out. */
static void untold(unsigned arg)
{
	struct store *st = open_store(STORE_RW);
	struct model *m = &sh->m;

	(void)arg;
	m_begin(m, st, 5, 0, DOC);
	m_chunks(m, 4);
	ok(st, store_sync(st));
	save(m, false);
	shell("mkdir %s/was && cp %s/open.db %s/open.db-wal %s/was/", base_dir, store_dir, store_dir, base_dir);
	m_part(m, DOC | TR);
	m_chunks(m, 4);
	ok(st, store_sync(st));
}

static void test_untold(void **state)
{
	for (unsigned resume = 0; resume < 2; resume++) {
		struct store_call_result r;
		struct store *st;

		in_child(untold, 0);
		shell("cp %s/was/* %s/ && rm -f %s/open.db-shm", base_dir, store_dir, store_dir);
		st = open_store(STORE_RW);
		if (resume) { /* who goes on makes a part of the same number, under another key */
			ok(st, store_call_resume(st, sh->state, sh->n, &sh->m.sc));
			sh->m.st = st;
			sh->m.set = DOC;
			m_part(&sh->m, DOC | TR);
			m_chunks(&sh->m, 4);
			result_of(5, &r);
			r.state[1] = STORE_S_GRANTED;
			ok(st, store_call_commit(sh->m.sc, STORE_TRAINING));
			ok(st, store_call_end(sh->m.sc, &r));
		}
		ok(st, store_settle(st, NULL));
		store_close(st);
		fsck_clean(NULL);
		st = open_store(STORE_RO);
		assert_int_equal(readable(st, STORE_DOCUMENTATION), resume ? 0xf0f : 0xf);
		assert_int_equal(readable(st, STORE_TRAINING), resume ? 0xf00 : 0);
		store_close(st);
		drop_store(state);
		assert_int_equal(make_store(state), 0);
	}
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_kills), T(test_kill_between), T(test_old_state), T(test_durable_state), T(test_untold),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
