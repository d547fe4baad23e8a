/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_store_threads.c - the store with threads of its own
 *
 * What matters is the same as without: every chunk once and in order, destroyed
 * means destroyed, a kill costs little. Waits are for an event, never for a time.
 * Run under ThreadSanitizer as well (make SAN=thread T=unit/test_store_threads test).
 */
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/statvfs.h>

#include "base/buf.h"
#include "killed.h"
#include "store_util.h"

static struct store *open_threads(unsigned encoders, size_t queue, uint64_t sync_ns)
{
	struct store *st = open_store(STORE_RW);
	struct store_threads_settings s;

	store_threads_default(&s);
	assert_true(s.encoders >= 1 && s.encoders <= 4 && s.queue_bytes && s.sync_ns && s.flush_ns);
	s.encoders = encoders;
	s.sync_ns = sync_ns;
	if (queue)
		s.queue_bytes = queue;
	ok(st, store_threads(st, &s));
	assert_int_equal(store_threads(st, &s), -EALREADY);
	assert_true(store_repairs(st));
	return st;
}

/* Polls; a thing that never comes ends the test by its time limit. */
#define WAIT_FOR(cond)               \
	do {                         \
		while (!(cond))      \
			usleep(2000); \
	} while (0)

static struct store_figures figures(struct store *st)
{
	struct store_figures f;

	store_figures(st, &f);
	return f;
}

static struct store_call *begin(struct store *st, unsigned i)
{
	struct store_call_meta m;
	struct store_call *sc;

	meta_of(i, &m);
	m.now.state[0] = STORE_S_GRANTED;
	ok(st, store_call_begin(st, &m, &sc));
	return sc;
}

static void end(struct store *st, struct store_call *sc, unsigned i)
{
	struct store_call_result r;

	result_of(i, &r);
	ok(st, store_call_end(sc, &r));
}

static void append(struct store *st, struct store_call *sc, unsigned i, unsigned n)
{
	struct chunk *c = chunk_new();

	chunk_of(c, i, n & 1, n / 2);
	ok(st, store_call_append(sc, n & 1, c));
	memset(c->data, 0xee, c->nbytes); /* it was copied */
	chunk_free(c);
}

static int take_row(void *arg, const struct store_row *row)
{
	struct store_row *r = arg;

	*r = *row;
	r->gap = strdup(row->gap);
	r->end = strdup(row->end);
	return 1;
}

static bool row_of(struct store *st, unsigned i, struct store_row *r)
{
	struct store_filter f = { .state = -1 };
	struct store_call_meta m;

	meta_of(i, &m);
	f.uid = &m.uid;
	return store_find(st, &f, take_row, r) == 1;
}

static void row_free(struct store_row *r)
{
	free((void *)(uintptr_t)r->gap);
	free((void *)(uintptr_t)r->end);
}

/* ---- the same store as without ---- */

enum { CALLS = 40, CHUNKS = 6 };

static void many_calls(unsigned encoders)
{
	struct store *st = open_threads(encoders, 0, 20 * NS_PER_MS);
	struct store_call *sc[CALLS];
	struct store_figures f;
	struct uid uid;

	for (unsigned i = 0; i < CALLS; i++)
		sc[i] = begin(st, i);
	for (unsigned n = 0; n < 2 * CHUNKS; n++)
		for (unsigned i = 0; i < CALLS; i++)
			append(st, sc[i], i, n);
	for (unsigned i = 0; i < CALLS; i++)
		end(st, sc[i], i);
	ok(st, store_sync(st));
	f = figures(st);
	assert_int_equal(f.chunks, CALLS * CHUNKS * 2);
	assert_int_equal(f.payload_bytes, CALLS * CHUNKS * 2 * 16000);
	assert_int_equal(f.queue_bytes, 0);
	assert_true(f.queue_max > 0 && f.syncs > 0 && f.sync_max_ns >= f.sync_last_ns);
	assert_int_equal(f.shed_chunks + f.lost_chunks + f.lost_calls + f.errors, 0);
	for (unsigned i = 0; i < CALLS; i++)
		assert_int_equal(read_call(st, i, CHUNKS), 0); /* beside the threads */
	meta_of(3, &(struct store_call_meta){ 0 });
	memset(&uid, 0, sizeof(uid));
	assert_int_equal(store_call_known(st, &uid, "acme"), 0);
	store_close(st);
	fsck_clean(NULL);
	st = open_store(STORE_RO);
	for (unsigned i = 0; i < CALLS; i++)
		assert_int_equal(read_call(st, i, CHUNKS), 0);
	store_close(st);
}

static void test_many(void **state)
{
	static const unsigned encoders[] = { 0, 1, 3 };

	for (size_t i = 0; i < 3; i++) {
		many_calls(encoders[i]);
		drop_store(state);
		assert_int_equal(make_store(state), 0);
	}
}

/* What was ended is kept also when the store is closed at once after a sync; what was not is gone. */
static void test_close(void **state)
{
	struct store *st = open_threads(2, 0, 0);
	struct store_call *sc = begin(st, 1), *open_call = begin(st, 2);
	struct store_call_result r = { .end = "cancel", .outcome = STORE_O_DENIED, .gap = "", .reason = { "x", "y" } };
	struct store_fsck_report rep;
	struct store_call_meta m;
	struct store_row row;
	uint64_t number;

	(void)state;
	append(st, sc, 1, 0);
	append(st, open_call, 2, 0);
	end(st, sc, 1);
	meta_of(9, &m);
	r.state[0] = STORE_S_DENIED;
	ok(st, store_call_denied(st, &m, &r));
	r.state[0] = STORE_S_GRANTED;
	assert_int_equal(store_call_denied(st, &m, &r), -EINVAL);
	number = store_sync_start(st);
	WAIT_FOR(store_sync_done(st, number));
	store_close(st);
	fsck_clean(&rep);
	assert_int_equal(rep.slots, 1);
	assert_int_equal(rep.interrupted, 0);
	st = open_store(STORE_RO);
	assert_true(row_of(st, 1, &row));
	row_free(&row);
	assert_false(row_of(st, 2, &row));
	assert_true(row_of(st, 9, &row));
	assert_int_equal(row.state[0], STORE_S_DENIED);
	row_free(&row);
	store_close(st);
}

/* ---- destroyed when it returns ---- */

static bool slot_is_zero(unsigned index)
{
	uint8_t raw[256], zero[256] = { 0 };
	char path[600];
	FILE *f;
	int fd;

	snprintf(path, sizeof(path), "find %s/keys -name '*.slots'", store_dir);
	f = popen(path, "r");
	assert_non_null(fgets(path, sizeof(path), f));
	pclose(f);
	path[strcspn(path, "\n")] = 0;
	fd = open(path, O_RDONLY);
	assert_int_equal(pread(fd, raw, sizeof(raw), index * 256), 256);
	close(fd);
	return !memcmp(raw, zero, sizeof(raw));
}

static void test_destroy(void **state)
{
	struct store *st = open_threads(2, 0, 5 * NS_PER_MS);
	struct store_row row;
	struct store_figures f;

	(void)state;
	for (unsigned i = 0; i < 60; i++) {
		struct store_call *sc = begin(st, i);
		struct store_call_result r;

		for (unsigned n = 0; n < 10; n++)
			append(st, sc, i, n);
		assert_false(slot_is_zero(i + 1));
		switch (i % 3) {
		case 0:
			store_call_abort(sc);
			assert_true(slot_is_zero(i + 1));
			break;
		case 1:
			ok(st, store_call_drop(sc, STORE_DOCUMENTATION));
			assert_true(slot_is_zero(i + 1));
			store_call_abort(sc);
			break;
		default:
			ok(st, store_call_drop(sc, STORE_TRAINING)); /* it has none */
			result_of(i, &r);
			if (i % 2) {
				ok(st, store_call_end(sc, &r));
			} else { /* granted, and never committed: refused, and destroyed */
				r.state[1] = STORE_S_GRANTED;
				assert_int_equal(store_call_end(sc, &r), -EINVAL);
				assert_true(slot_is_zero(i + 1));
			}
		}
	}
	ok(st, store_sync(st));
	f = figures(st);
	assert_int_equal(f.errors + f.lost_calls + f.lost_chunks + f.shed_chunks + f.unerased, 0);
	assert_int_equal(f.queue_bytes, 0);
	store_close(st);
	fsck_clean(NULL);
	st = open_store(STORE_RO);
	for (unsigned i = 0; i < 60; i++) {
		bool kept = i % 3 == 2 && i % 2;

		assert_int_equal(row_of(st, i, &row), kept);
		if (kept) {
			row_free(&row);
			assert_int_equal(read_call(st, i, 5), 0);
		}
	}
	store_close(st);
}

/* A purpose without a wrap: its end is in the store with the next sync, and an older state does not bring it back. */
static void test_forget(void **state)
{
	struct store *st = open_threads(1, 0, 0);
	struct store_call_meta m;
	struct store_call *sc;
	struct buf b = { 0 };

	(void)state;
	meta_of(1, &m);
	m.until_ns[1] = m.until_ns[0];
	ok(st, store_call_begin(st, &m, &sc));
	append(st, sc, 1, 0);
	ok(st, store_sync(st));
	assert_int_equal(store_call_save(sc, &b), 0);
	ok(st, store_call_drop(sc, STORE_TRAINING));
	ok(st, store_sync(st));
	shell("cp -r %s %s.copy", store_dir, store_dir); /* as a kill would leave it */
	store_close(st);
	shell("rm -r %s && mv %s.copy %s", store_dir, store_dir, store_dir);
	st = open_store(STORE_RW);
	assert_int_equal(store_call_resume(st, b.p, b.len, &sc), -ESHUTDOWN);
	buf_free(&b);
	store_close(st);
}

/* ---- more than fits ---- */

/* An encoder that has much waiting compresses less; nothing is lost by that, and what is written says how. */
static void test_load(void **state)
{
	struct store_figures f;

	(void)state;
	for (unsigned busy = 0; busy < 2; busy++) {
		struct store *st = open_threads(1, busy ? 15 * (16000 + 100 * sizeof(struct chunk_pkt)) : 1u << 30, 0);
		struct store_call *sc = begin(st, 10 + busy);

		for (unsigned n = 0; n < 8; n++)
			append(st, sc, 10 + busy, n);
		end(st, sc, 10 + busy);
		ok(st, store_sync(st));
		f = figures(st);
		assert_int_equal(f.chunks, 8);
		assert_int_equal(f.shed_chunks + f.lost_chunks, 0);
		assert_int_equal(f.fast_chunks, busy ? 8 : 0);
		assert_int_equal(read_call(st, 10 + busy, 4), 0);
		store_close(st);
	}
}

static void test_shed(void **state)
{
	struct chunk *c = chunk_new();
	size_t one = 100 * sizeof(struct chunk_pkt) + 16000;
	struct store *st = open_threads(1, one + one / 4 + 2000, 0);
	struct store_call *doc = begin(st, 1), *train;
	struct store_call_meta m;
	struct store_figures f;
	struct store_row row;

	(void)state;
	meta_of(2, &m);
	m.until_ns[1] = m.until_ns[0];
	m.until_ns[0] = 0;
	m.commit[0] = false;
	ok(st, store_call_begin(st, &m, &train));
	chunk_of(c, 2, 0, 0);
	ok(st, store_call_append(train, 0, c)); /* room for documentation only */
	f = figures(st);
	assert_int_equal(f.shed_chunks, 1);
	assert_int_equal(f.shed_packets, 100);
	store_call_abort(train);
	append(st, doc, 1, 0);
	ok(st, store_sync(st));
	c->npkt = CHUNK_MAX_PACKETS; /* larger than all of it */
	c->nbytes = 120000;
	for (uint32_t i = 0; i < c->npkt; i++)
		c->pkt[i] = (struct chunk_pkt){ .arrival_ns = T0, .seq = i, .off = 0, .len = 0, .pt = 8 };
	ok(st, store_call_append(doc, 1, c));
	f = figures(st);
	assert_int_equal(f.shed_chunks, 2);
	assert_int_equal(f.chunks, 1);
	end(st, doc, 1);
	ok(st, store_sync(st));
	assert_true(row_of(st, 1, &row));
	assert_string_equal(row.gap, "overload");
	assert_int_equal(row.leg[0].packets, 100); /* what is there, not what was counted */
	assert_int_equal(row.leg[1].packets, 0);
	row_free(&row);
	chunk_free(c);
	store_close(st);
	fsck_clean(NULL);
}

/* ---- in memory ---- */

static unsigned long locked_kb(void)
{
	char line[256];
	unsigned long kb = 0;
	FILE *f = fopen("/proc/self/status", "r");

	while (fgets(line, sizeof(line), f))
		(void)sscanf(line, "VmLck: %lu", &kb);
	fclose(f);
	return kb;
}

/* Audio on its way lies in memory that is locked, the largest chunk, too; afterwards nothing of it is there. */
static void test_locked(void **state)
{
	struct chunk *c = chunk_new();
	struct store_threads_settings s;
	struct store *st = open_store(STORE_RW);
	unsigned long before;
	struct store_call *sc;

	(void)state;
	before = locked_kb(); /* keys; the coder of a store without threads */
	store_threads_default(&s);
	s.encoders = 1;
	ok(st, store_threads(st, &s));
	sc = begin(st, 1);
	append(st, sc, 1, 0);
	chunk_stream(c, "PCMA", 8, K_RANDOM, 100, 800, 160);
	ok(st, store_call_append(sc, 0, c));
	ok(st, store_sync(st));
	end(st, sc, 1);
	ok(st, store_sync(st));
	if (locked_kb() == before) {
		print_message("SKIP: memory cannot be locked here\n");
		store_close(st);
		chunk_free(c);
		skip();
	}
	assert_true(locked_kb() >= before + 2 * 2048); /* jobs, and chunks of two sizes: an area of 2 MiB each at least */
	store_close(st);
	assert_true(locked_kb() <= before); /* a sanitizer locks nothing for libsodium */
	chunk_free(c);
}

/* ---- killed ---- */

struct shared {
	uint8_t state[256];
	size_t n;
};

/* Nothing was synced since the call began; what was flushed is found all the same. */
static struct shared *sh;

static void flush_and_die(unsigned arg)
{
	struct store *st = open_threads(2, 0, 0);
	struct store_call *sc = begin(st, 7);
	struct buf b = { 0 };
	char cmd[700];

	(void)arg;
	ok(st, store_sync(st));
	assert_int_equal(store_call_save(sc, &b), 0);
	memcpy(sh->state, b.p, b.len);
	sh->n = b.len;
	for (unsigned n = 0; n < 20; n++)
		append(st, sc, 7, n);
	snprintf(cmd, sizeof(cmd), "cat %s/segments/*/*/*.open 2>/dev/null | grep -ao OCHK | wc -l | grep -qx 20", store_dir);
	WAIT_FOR(system(cmd) == 0);
}

static void test_flush(void **state)
{
	struct store_call *sc, *again;
	struct store *st;

	(void)state;
	sh = mmap(NULL, sizeof(*sh), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(sh != MAP_FAILED);
	in_child(flush_and_die, 0);
	st = open_store(STORE_RW);
	ok(st, store_call_resume(st, sh->state, sh->n, &sc));
	{
		struct store_threads_settings s;

		store_threads_default(&s);
		s.encoders = 2;
		ok(st, store_threads(st, &s));
	}
	assert_int_equal(store_call_resume(st, sh->state, sh->n, &again), -EBUSY);
	ok(st, store_settle(st, NULL));
	for (unsigned n = 20; n < 30; n++)
		append(st, sc, 7, n);
	end(st, sc, 7);
	ok(st, store_sync(st));
	assert_int_equal(read_call(st, 7, 15), 0);
	store_close(st);
	fsck_clean(NULL);
	munmap(sh, sizeof(*sh));
}

/* Handed over, threads on both sides. */
static void test_leave(void **state)
{
	struct store *st = open_threads(1, 0, 0);
	struct store_call *sc = begin(st, 4);
	struct buf b = { 0 };

	(void)state;
	for (unsigned n = 0; n < 10; n++)
		append(st, sc, 4, n);
	assert_int_equal(store_call_save(sc, &b), 0);
	ok(st, store_call_leave(sc));
	ok(st, store_sync(st));
	store_close(st);
	st = open_store(STORE_RW);
	ok(st, store_call_resume(st, b.p, b.len, &sc));
	buf_free(&b);
	for (unsigned n = 10; n < 20; n++)
		append(st, sc, 4, n);
	end(st, sc, 4);
	ok(st, store_settle(st, NULL));
	assert_int_equal(read_call(st, 4, 10), 0);
	store_close(st);
	fsck_clean(NULL);
}

/* ---- a disk that is full, and then is not ---- */

static void test_full_disk(void **state)
{
	struct store_call *before, *ended, *unlisted = NULL;
	struct store_figures f;
	struct store_row row;
	struct statvfs v;
	struct store *st;
	char why[512] = "";
	unsigned n;

	(void)state;
	if (geteuid() || unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL)) {
		print_message("SKIP: mounting a tmpfs needs root\n");
		skip();
	}
	shell("mkdir -p %s/small && mount -t tmpfs -o size=160m none %s/small", base_dir, base_dir);
	snprintf(store_dir, sizeof(store_dir), "%.150s/small/store", base_dir);
	assert_int_equal(store_create(store_dir, keys_dir, NULL, "acme", why, sizeof(why)), 0);
	st = open_threads(1, 0, 20 * NS_PER_MS);
	ok(st, store_settle(st, NULL));
	before = begin(st, 1);
	ended = begin(st, 2);
	append(st, before, 1, 0);
	append(st, before, 1, 1);
	append(st, ended, 2, 0);
	ok(st, store_sync(st));
	assert_int_equal(store_broken(st, why, sizeof(why)), 0);
	assert_int_equal(statvfs(base_dir, &v), 0);
	shell("dd if=/dev/zero of=%s/small/ballast bs=1M count=200 2>/dev/null; true", base_dir);
	for (n = 2; !store_broken(st, why, sizeof(why)) && n < 2000; n++)
		append(st, before, 1, n);
	WAIT_FOR(store_broken(st, why, sizeof(why)));
	WAIT_FOR(figures(st).errors);
	assert_int_equal(store_broken(st, why, sizeof(why)), -ENOSPC);
	assert_true(why[0]);
	append(st, before, 1, n); /* lost, counted, and nobody is stopped */
	assert_true(figures(st).lost_chunks > 0 && figures(st).lost_packets >= 100);
	{
		struct store_call_meta m;

		meta_of(3, &m);
		assert_int_equal(store_call_begin(st, &m, &unlisted), -ENOSPC);
	}
	end(st, ended, 2);
	shell("rm %s/small/ballast", base_dir);
	WAIT_FOR(!store_broken(st, why, sizeof(why)) && figures(st).repairs);
	append(st, before, 1, n + 1);
	end(st, before, 1);
	end(st, begin(st, 5), 5);
	ok(st, store_sync(st));
	f = figures(st);
	assert_int_equal(f.lost_calls, 0);
	assert_int_equal(f.unerased, 0);
	assert_true(row_of(st, 1, &row));
	assert_string_equal(row.gap, "disk");
	assert_string_equal(row.end, "bye");
	assert_true(row.leg[0].packets + row.leg[1].packets >= 300);
	row_free(&row);
	assert_true(row_of(st, 2, &row)); /* its end came at a bad time */
	assert_int_equal(row.outcome, STORE_O_KEPT);
	assert_string_equal(row.end, "bye"); /* its row waited, and nothing of it was lost */
	assert_string_equal(row.gap, "");
	row_free(&row);
	assert_int_equal(f.cut_calls, 0);
	assert_int_equal(f.unwritten, 0);
	assert_true(row_of(st, 5, &row));
	row_free(&row);
	store_close(st);
	fsck_clean(NULL);
	shell("umount %s/small", base_dir);
}

#define T(f) cmocka_unit_test_setup_teardown(f, make_store, drop_store)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_many), T(test_close), T(test_destroy), T(test_forget), T(test_shed),
		T(test_locked), T(test_load),
		T(test_flush), T(test_leave), T(test_full_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
