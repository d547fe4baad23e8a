/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_store_slow.c - a sync that takes for ever, and audio that reaches the disk all the same
 *
 * What the log has to say before rows (store_before_rows), or fdatasync of a segment (by --wrap, see the Makefile), does not
 * return until the test says so. Meanwhile chunks are written and flushed: a kill -9 at that moment loses none of them. Waits
 * are for an event, never for a time: what never comes ends the test by its time limit.
 */
#include <stdatomic.h>
#include <sys/mman.h>

#include "store/writer.h"
#include "store_util.h"

#include "reap_util.h"
#include "store/inventory.h"

enum { CALL = 7, BEFORE = 4, MEANWHILE = 20 };

static atomic_bool disk_hangs, log_hangs, slots_hang;
static atomic_uint hanging, synced; /* threads that wait now; segments that were made durable */
static atomic_uint slots_synced;
static atomic_bool slots_fail;

#define WAIT_FOR(cond)               \
	do {                         \
		while (!(cond))      \
			usleep(2000); \
	} while (0)

int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);

static bool ends_with(int fd, const char *name)
{
	char link[64], path[512];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	return n > 6 && !memcmp(path + n - (ssize_t)strlen(name), name, strlen(name));
}

static void hang(const atomic_bool *while_it)
{
	hanging++;
	WAIT_FOR(!*while_it);
	hanging--;
}

int __wrap_fdatasync(int fd)
{
	bool segment = ends_with(fd, ".open");
	int rc;

	if (segment && disk_hangs)
		hang(&disk_hangs);
	if (slots_hang && ends_with(fd, ".slots"))
		hang(&slots_hang);
	if (ends_with(fd, ".slots")) {
		slots_synced++;
		if (slots_fail) {
			errno = EIO;
			return -1;
		}
	}
	rc = __real_fdatasync(fd);
	synced += segment;
	return rc;
}

/* Of a day's key files, as they are made. */
static atomic_bool files_hang, hang_slots;
static atomic_uint files_here, files_there; /* by the thread that captures, by others */
static pthread_t captures;

int __real_fsync(int fd);
int __wrap_fsync(int fd);

int __wrap_fsync(int fd)
{
	if (ends_with(fd, ".bucket.tmp") || ends_with(fd, ".slots.tmp")) {
		if (files_hang)
			hang(&files_hang);
		if (hang_slots && ends_with(fd, ".slots.tmp"))
			hang(&hang_slots);
		if (pthread_equal(captures, pthread_self()))
			files_here++;
		else
			files_there++;
	}
	return __real_fsync(fd);
}

static bool ask_log(void *arg)
{
	(void)arg;
	if (log_hangs)
		hang(&log_hangs);
	return true;
}

static struct store *open_threads(unsigned encoders)
{
	struct store *st = open_store(STORE_RW);
	struct store_threads_settings s;

	store_threads_default(&s);
	s.encoders = encoders;
	s.sync_ns = 0;
	ok(st, store_threads(st, &s));
	ok(st, store_settle(st, NULL));
	store_before_rows(st, ask_log, NULL);
	return st;
}

static struct store_call *begin(struct store *st)
{
	struct store_call_meta m;
	struct store_call *sc;

	meta_of(CALL, &m);
	m.now.state[0] = STORE_S_GRANTED;
	ok(st, store_call_begin(st, &m, &sc));
	return sc;
}

static void begin_day(struct store *st, unsigned i, unsigned days)
{
	struct store_call_result r;
	struct store_call_meta m;
	struct store_call *sc;

	meta_of(i, &m);
	m.until_ns[0] += days * 86400 * NS_PER_S;
	m.until_ns[1] = 0;
	m.commit[0] = true; /* the slot is made here */
	m.now.state[0] = STORE_S_GRANTED;
	ok(st, store_call_begin(st, &m, &sc));
	result_of(i, &r);
	r.state[1] = STORE_S_NONE;
	ok(st, store_call_end(sc, &r));
}

static void append(struct store *st, struct store_call *sc, unsigned from, unsigned to)
{
	struct chunk *c = chunk_new();

	for (unsigned n = from; n < to; n++) {
		chunk_of(c, CALL, n & 1, n / 2);
		ok(st, store_call_append(sc, n & 1, c));
	}
	chunk_free(c);
}

static void wait_written(unsigned n)
{
	char cmd[700];

	snprintf(cmd, sizeof(cmd), "cat %s/segments/*/*/*.open 2>/dev/null | grep -ao OCHK | wc -l | grep -qx %u", store_dir, n);
	WAIT_FOR(system(cmd) == 0);
}

static void end(struct store *st, struct store_call *sc)
{
	struct store_call_result r;

	result_of(CALL, &r);
	ok(st, store_call_end(sc, &r));
}

/* A sync hangs on what `hangs` says, and a call goes on speaking. */
static struct store_call *speak(struct store *st, atomic_bool *hangs)
{
	struct store_call *sc = begin(st);

	append(st, sc, 0, BEFORE);
	ok(st, store_sync(st)); /* the disk knows the call */
	append(st, sc, BEFORE, BEFORE + 2);
	*hangs = true;
	store_sync_tick(st);
	WAIT_FOR(hanging == 1);
	append(st, sc, BEFORE + 2, BEFORE + MEANWHILE);
	wait_written(BEFORE + MEANWHILE);
	return sc;
}

static void check(struct store *st)
{
	assert_int_equal(read_call(st, CALL, (BEFORE + MEANWHILE) / 2), 0);
}

static void goes_on(unsigned encoders, atomic_bool *hangs)
{
	struct store *st = open_threads(encoders);
	struct store_call *sc = speak(st, hangs);
	struct store_figures f;
	unsigned before;

	store_figures(st, &f);
	assert_int_equal(f.lost_chunks + f.shed_chunks + f.errors, 0);
	end(st, sc);
	if (hangs == &log_hangs) { /* audio is durable without it */
		before = synced;
		store_sync_tick(st);
		WAIT_FOR(synced > before);
		WAIT_FOR((store_figures(st, &f), f.saves > 0));
	}
	*hangs = false;
	ok(st, store_sync(st));
	check(st);
	store_close(st);
	fsck_clean(NULL);
}

static void both(void **state, atomic_bool *hangs)
{
	for (unsigned encoders = 0; encoders < 2; encoders++) {
		goes_on(encoders, hangs);
		drop_store(state);
		assert_int_equal(make_store(state), 0);
	}
}

static void test_log(void **state)
{
	both(state, &log_hangs);
}

static void test_disk(void **state)
{
	both(state, &disk_hangs);
}

static void killed(atomic_bool *hangs)
{
	struct store *st;
	int status;
	pid_t pid = fork();

	if (!pid) {
		(void)speak(open_threads(1), hangs);
		kill(getpid(), SIGKILL);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	st = open_threads(1);
	ok(st, store_sync(st));
	assert_true(store_settled(st));
	check(st); /* by the row that the next writer gave it */
	store_close(st);
	fsck_clean(NULL);
}

static void test_killed(void **state)
{
	killed(&log_hangs);
	drop_store(state);
	assert_int_equal(make_store(state), 0);
	killed(&disk_hangs);
}

/* Wraps that one thread is making durable are not so for another: no row before that. */
static void test_slots(void **state)
{
	struct store *st = open_threads(1);
	struct store_call *sc;
	uint64_t number;

	(void)state;
	ok(st, store_sync(st));
	log_hangs = true;
	store_sync_tick(st);
	WAIT_FOR(hanging == 1);
	slots_hang = true;
	sc = begin(st);
	append(st, sc, 0, BEFORE);
	wait_written(BEFORE);
	store_sync_tick(st); /* by the saving thread */
	WAIT_FOR(hanging == 2);
	end(st, sc);
	number = store_sync_start(st);
	log_hangs = false;
	for (int i = 0; i < 100; i++) {
		usleep(2000);
		assert_false(store_sync_done(st, number));
	}
	slots_hang = false;
	WAIT_FOR(store_sync_done(st, number));
	assert_int_equal(read_call(st, CALL, BEFORE / 2), 0);
	store_close(st);
	fsck_clean(NULL);
}

static void *sync_drops(void *arg)
{
	char why[256] = "";

	return store_drops_sync(arg, why, sizeof(why)) ? arg : NULL;
}

static struct store_call *begin_nth(struct store *st, unsigned i)
{
	struct store_call_meta m;
	struct store_call *sc;

	meta_of(i, &m);
	m.until_ns[1] = m.until_ns[0];
	m.now.state[0] = STORE_S_GRANTED;
	ok(st, store_call_begin(st, &m, &sc));
	return sc;
}

/*
 * What is destroyed in a call waits for no disk: not a wrap, nor a purpose that had none, nor a nearer deadline, nor all of a call. Many
 * are durable by one sync, and none before it.
 */
static void test_drop(void **state)
{
	enum { MANY = 20 };
	struct store *st = open_threads(1);
	struct store_call *sc[MANY], *other;
	struct store_call_meta m;
	uint64_t before, after;
	unsigned syncs;
	pthread_t thread;
	void *failed;

	(void)state;
	for (unsigned i = 0; i < MANY; i++)
		sc[i] = begin_nth(st, 10 + i);
	other = begin(st);
	append(st, other, 0, BEFORE);
	ok(st, store_sync(st));
	assert_int_equal(pthread_create(&thread, NULL, sync_drops, st), 0); /* none: nothing to wait for */
	assert_int_equal(pthread_join(thread, &failed), 0);
	assert_null(failed);
	slots_hang = true;
	before = store_drops(st);
	for (unsigned i = 0; i < MANY; i++) {
		ok(st, store_call_drop(sc[i], STORE_TRAINING));
		if (i % 3 == 0)
			ok(st, store_call_drop(sc[i], STORE_DOCUMENTATION));
		else if (i % 3 == 1)
			store_call_abort(sc[i]);
		else
			ok(st, (meta_of(10 + i, &m), store_call_shorten(sc[i], STORE_DOCUMENTATION, m.until_ns[0] - 1)));
	}
	after = store_drops(st);
	assert_int_equal(after - before, MANY);
	assert_true(store_drops_wait(st, before, after));
	syncs = slots_synced;
	assert_int_equal(pthread_create(&thread, NULL, sync_drops, st), 0);
	WAIT_FOR(hanging >= 1); /* the disk's thread may be the first */
	append(st, other, BEFORE, BEFORE + MEANWHILE); /* others go on, and call after call begins */
	wait_written(BEFORE + MEANWHILE);
	begin_nth(st, 40);
	ok(st, store_call_drop(begin_nth(st, 41), STORE_DOCUMENTATION));
	for (uint64_t n = before; n < after; n++)
		assert_true(store_drops_wait(st, n, n + 1));
	assert_false(store_drops_wait(st, after, after));
	slots_hang = false;
	assert_int_equal(pthread_join(thread, &failed), 0);
	assert_null(failed);
	assert_false(store_drops_wait(st, before, after));
	assert_true(slots_synced - syncs <= 4); /* one of those before, and who came meanwhile */
	WAIT_FOR(!store_drops_wait(st, 0, UINT64_MAX)); /* the disk's thread does it, too */
	end(st, other);
	store_close(st);
	fsck_clean(NULL);
}

/* A sync that fails leaves nobody believing that a slot is overwritten on the disk: it is written again. */
static void test_drop_fails(void **state)
{
	struct store *st = open_threads(1);
	struct store_call *sc = begin(st);
	struct store_figures f;
	char why[256] = "";

	(void)state;
	ok(st, store_sync(st));
	slots_fail = true;
	ok(st, store_call_drop(sc, STORE_DOCUMENTATION));
	for (int i = 0; i < 3; i++) {
		assert_int_equal(store_drops_sync(st, why, sizeof(why)), -EIO);
		assert_non_null(strstr(why, "slots"));
		assert_true(store_drops_wait(st, 0, store_drops(st)));
	}
	slots_fail = false;
	assert_int_equal(store_drops_sync(st, why, sizeof(why)), 0);
	assert_false(store_drops_wait(st, 0, store_drops(st)));
	WAIT_FOR((store_sync(st), store_figures(st, &f), f.repairs)); /* wraps of others may be lost by it */
	store_call_abort(sc);
	store_close(st);
	fsck_clean(NULL);
}

/* Killed when the call is dropped and no sync covered that: what was destroyed is. */
static void test_drop_killed(void **state)
{
	struct store_fsck_report rep;
	struct store *st;
	int status;
	pid_t pid = fork();

	(void)state;
	if (!pid) {
		struct store_call *sc;

		st = open_threads(1);
		sc = begin(st);
		append(st, sc, 0, BEFORE);
		ok(st, store_sync(st));
		slots_hang = true;
		ok(st, store_call_drop(sc, STORE_DOCUMENTATION));
		kill(getpid(), SIGKILL);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	st = open_threads(1);
	ok(st, store_sync(st));
	assert_true(store_settled(st));
	store_close(st);
	fsck_clean(&rep);
	assert_int_equal(rep.slots, 0);
}

/* More than a segment holds: a new one is begun, the full one is finished by a later sync. */
static void test_roll(void **state)
{
	enum { ROLL = 700 }; /* of 128,000 bytes that nothing makes smaller: more than 64 MiB */
	struct chunk *c = chunk_new();
	struct store *st = open_threads(1);
	struct store_call *sc = begin(st);
	struct store_figures f;

	(void)state;
	append(st, sc, 0, 1);
	ok(st, store_sync(st));
	append(st, sc, 1, 2);
	disk_hangs = true;
	store_sync_tick(st);
	WAIT_FOR(hanging == 1);
	for (unsigned n = 0; n < ROLL; n++) {
		chunk_stream(c, "PCMA", 8, K_RANDOM, 800 * n, 800, 160);
		ok(st, store_call_append(sc, 0, c));
		WAIT_FOR((store_figures(st, &f), f.queue_bytes < 32u << 20));
	}
	chunk_free(c);
	WAIT_FOR((store_figures(st, &f), f.segments > 1));
	disk_hangs = false;
	end(st, sc);
	ok(st, store_sync(st));
	ok(st, store_sync(st));
	store_figures(st, &f);
	assert_int_equal(f.lost_chunks + f.shed_chunks + f.errors, 0);
	assert_int_equal(f.chunks, ROLL + 2);
	shell("[ $(ls %s/segments/*/*/*.seg | wc -l) -ge 1 ]", store_dir);
	store_close(st);
	fsck_clean(NULL);
}

static void *sync_writer(void *arg)
{
	struct why why;

	return writer_sync(arg, &why) ? arg : NULL;
}

/* A flush that is on its way while a sync waits for the disk is the next sync's, which would else find nothing to do. */
static void test_flush_beside_sync(void **state)
{
	static const uint8_t bytes[4096];
	struct root root = { .fd = -1 };
	struct writer_ring *ring;
	struct writer *w;
	struct extent e;
	pthread_t thread;
	struct why why;
	void *failed;

	(void)state;
	assert_int_equal(root_open(store_dir, &root, &why), 0);
	assert_int_equal(writer_ring_new(&ring), 0);
	assert_int_equal(writer_new(&root, ring, &w, &why), 0);
	assert_int_equal(writer_append(w, "acme", 20270228, bytes, sizeof(bytes), &e, &why), 0);
	assert_int_equal(writer_append(w, "acme", 20270301, bytes, sizeof(bytes), &e, &why), 0);
	disk_hangs = true;
	assert_int_equal(pthread_create(&thread, NULL, sync_writer, w), 0);
	WAIT_FOR(hanging == 1); /* in the newer one: the older comes after it */
	assert_int_equal(writer_append(w, "acme", 20270228, bytes, sizeof(bytes), &e, &why), 0);
	writer_flush(w);
	disk_hangs = false;
	assert_int_equal(pthread_join(thread, &failed), 0);
	assert_null(failed);
	synced = 0;
	assert_int_equal(writer_sync(w, &why), 0);
	assert_int_equal(synced, 1);
	synced = 0;
	assert_int_equal(writer_sync(w, &why), 0);
	assert_int_equal(synced, 0);
	writer_free(w);
	writer_ring_free(ring);
	root_close(&root);
}

#define T(f) cmocka_unit_test_setup_teardown(f, make_store, drop_store)

static void problem(void *arg, const char *file, const char *text)
{
	(void)arg;
	print_message("%s: %s\n", file, text);
}

static void have_inventory(uint64_t now)
{
	struct inventory_settings s = { .store = store_dir, .now_ns = now, .problem = problem };
	struct inventory_totals t;
	char why[512] = "";
	int rc = inventory_run(&s, &t, why, sizeof(why));

	if (rc)
		fail_msg("%d %s", rc, why);
	assert_int_equal(t.problems, 0);
}

/* A day's key files are made by another thread, ahead; the first call of the day waits for no disk then. */
static void test_ahead(void **state)
{
	struct store *st = open_threads(1);
	struct store_call_meta m;
	uint64_t day1, day2;

	(void)state;
	captures = pthread_self();
	meta_of(1, &m);
	day1 = m.until_ns[0] + 86400 * NS_PER_S;
	day2 = day1 + 86400 * NS_PER_S;
	files_here = files_there = 0;
	begin_day(st, 1, 0);
	assert_int_equal(files_here, 2); /* nobody expected it */
	store_expect(st, m.controller, STORE_DOCUMENTATION, m.zone, day1);
	store_expect(st, m.controller, STORE_DOCUMENTATION, m.zone, day1 + 1);
	store_expect(st, m.controller, STORE_DOCUMENTATION, "Nowhere/Land", day1);
	WAIT_FOR(files_there == 2);
	files_hang = true;
	store_expect(st, m.controller, STORE_DOCUMENTATION, m.zone, day2);
	WAIT_FOR(hanging == 1);
	begin_day(st, 2, 1); /* would not return */
	begin_day(st, 3, 0);
	store_expect(st, m.controller, STORE_TRAINING, m.zone, day1); /* nor that */
	assert_int_equal(files_here, 2);
	files_hang = false;
	WAIT_FOR(files_there == 6);
	store_expect(st, m.controller, STORE_DOCUMENTATION, m.zone, m.until_ns[0]); /* is there */
	ok(st, store_sync(st));
	begin_day(st, 4, 4); /* a clock that was set */
	assert_true(files_here == 4 && files_there == 6);
	ok(st, store_sync(st));
	store_close(st);
	fsck_clean(NULL);
	/* two of these days had no call: they go as the others, once */
	have_inventory(T0);
	assert_int_equal(reap_at(day2 + 86400 * NS_PER_S).buckets, 4);
	have_inventory(day2 + 86400 * NS_PER_S);
	fsck_clean(NULL);
	assert_int_equal(reap_at(day2 + 86460 * NS_PER_S).buckets, 0);
	assert_int_equal(told("bucket.destroy"), 4);
	/* a day that is over is not begun again */
	st = open_threads(1);
	files_there = 0;
	store_expect(st, m.controller, STORE_DOCUMENTATION, m.zone, day2);
	store_expect(st, m.controller, STORE_DOCUMENTATION, m.zone, day2 + 30 * 86400 * NS_PER_S);
	WAIT_FOR(files_there == 2);
	store_close(st);
	fsck_clean(NULL);
}

/* Killed between the two files, or before the names: the next one makes what is missing. */
static void test_ahead_killed(void **state)
{
	struct store_call_meta m;
	uint64_t day;

	meta_of(1, &m);
	day = m.until_ns[0] + 86400 * NS_PER_S;
	for (unsigned n = 0; n < 2; n++) {
		struct store *st;
		int status;
		pid_t pid = fork();

		if (!pid) {
			st = open_threads(0);
			files_there = 0;
			if (!n)
				files_hang = true;
			else
				hang_slots = true;
			store_expect(st, m.controller, STORE_DOCUMENTATION, m.zone, day);
			WAIT_FOR(hanging == 1);
			kill(getpid(), SIGKILL);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
		fsck_clean(NULL);
		have_inventory(T0);
		st = open_threads(0);
		begin_day(st, 1, 1);
		ok(st, store_sync(st));
		store_close(st);
		fsck_clean(NULL);
		drop_store(state);
		assert_int_equal(make_store(state), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { T(test_log), T(test_disk), T(test_killed), T(test_slots), T(test_drop),
					    T(test_drop_fails), T(test_drop_killed), T(test_roll),
					    T(test_flush_beside_sync), T(test_ahead), T(test_ahead_killed) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
