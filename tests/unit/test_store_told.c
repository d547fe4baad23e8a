/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_store_told.c - what store_next_done tells is what the disk has
 *
 * Every write, sync and allocation between a call's end and its row fails in turn: ours by --wrap (see the Makefile),
 * SQLite's by a VFS. Then the disk takes everything again and the store repairs itself; or it never does and the program
 * ends; or it is killed. Each ended call is told once or not at all, what was told is what a reader finds
 * afterwards, and what was told of nobody has its outcome from the next writer. Of the calls of a kind that can fail the
 * first and one in three of the others do, others at each run (sampled.h); with OPTAG_FULL=1 (make cuts) each.
 */
#include <sched.h>
#include <sqlite3.h>
#include <sys/mman.h>

#include "base/buf.h"
#include "faults.h"
#include "sampled.h"
#include "store_util.h"

/* More kinds, of the catalog and of open.db. */
enum { F_ROW_WRITE = F_OWN, F_ROW_SYNC, F_OPEN_WRITE, F_OPEN_SYNC, F_MAX };

/* ---- SQLite's files: the system's VFS with another table of methods ---- */

static sqlite3_vfs vfs, *unix_vfs;
static const sqlite3_io_methods *real_methods[2]; /* of databases, which are locked, and of their WAL, which is not */
static sqlite3_io_methods methods[2];
#define FILES 64
static struct {
	const sqlite3_file *f;
	bool open_db;
} files[FILES]; /* of the disk's thread, or of a store without one */

static bool is_open_db(const sqlite3_file *f)
{
	for (int i = 0; i < FILES; i++)
		if (files[i].f == f)
			return files[i].open_db;
	return false;
}

static int fail_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 off)
{
	if (fails(is_open_db(f) ? F_OPEN_WRITE : F_ROW_WRITE))
		return fail_errno == ENOSPC ? SQLITE_FULL : SQLITE_IOERR_WRITE;
	return real_methods[f->pMethods == &methods[1]]->xWrite(f, p, n, off);
}

static int fail_sync(sqlite3_file *f, int flags)
{
	if (fails(is_open_db(f) ? F_OPEN_SYNC : F_ROW_SYNC))
		return SQLITE_IOERR_FSYNC;
	return real_methods[f->pMethods == &methods[1]]->xSync(f, flags);
}

static int vfs_open(sqlite3_vfs *v, const char *name, sqlite3_file *f, int flags, int *out)
{
	int rc = unix_vfs->xOpen(unix_vfs, name, f, flags, out), wal = !!(flags & SQLITE_OPEN_WAL);
	static int next;

	(void)v;
	if (rc != SQLITE_OK || !f->pMethods || !(flags & (SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_DB)) || flags & SQLITE_OPEN_READONLY)
		return rc;
	if (!real_methods[wal]) {
		real_methods[wal] = f->pMethods;
		methods[wal] = *f->pMethods;
		methods[wal].xWrite = fail_write;
		methods[wal].xSync = fail_sync;
	}
	if (f->pMethods != real_methods[wal])
		return rc;
	for (int i = 0; i < FILES; i++)
		if (files[i].f == f)
			files[i].f = NULL; /* its memory was another's */
	files[next % FILES].f = f;
	files[next++ % FILES].open_db = name && strstr(name, "/open.db");
	f->pMethods = &methods[wal];
	return rc;
}

static int make_vfs(void **state)
{
	(void)state;
	unix_vfs = sqlite3_vfs_find(NULL);
	vfs = *unix_vfs;
	vfs.zName = "failing";
	vfs.xOpen = vfs_open;
	return sqlite3_vfs_register(&vfs, 1);
}

/* ---- the scene ---- */

enum { KEPT = 8, DENIED = 6, CALLS = KEPT + DENIED, CHUNKS = 2 };

struct told {
	int times;
	bool row;
	enum store_outcome outcome;
	enum store_state state;
	char gap[32];
	uint64_t packets;
};

struct scene {
	bool ended[CALLS]; /* the store took its end */
	struct told told[CALLS];
};

static struct store *open_threads(void)
{
	struct store *st = open_store(STORE_RW);
	struct store_threads_settings s;

	store_threads_default(&s);
	s.encoders = 1;
	s.sync_ns = 0;
	ok(st, store_threads(st, &s));
	ok(st, store_settle(st, NULL));
	return st;
}

static void take_told(struct store *st, struct scene *s)
{
	struct store_done d;

	while (store_next_done(st, &d)) {
		struct told *t = d.tag;

		assert_true(t >= s->told && t < s->told + CALLS);
		assert_int_equal(t->times++, 0);
		t->row = d.row;
		t->outcome = d.outcome;
		t->state = d.state[0];
		t->packets = d.packets;
		snprintf(t->gap, sizeof(t->gap), "%s", d.gap);
		assert_true(d.row || d.outcome == STORE_O_GAP);
	}
}

static struct store_call *begin(struct store *st, unsigned i)
{
	struct store_call *sc = NULL;
	struct store_call_meta m;

	meta_of(i, &m);
	m.now.state[0] = STORE_S_GRANTED;
	return store_call_begin(st, &m, &sc) ? NULL : sc;
}

static void append(struct store_call *sc, unsigned i, unsigned n)
{
	struct chunk *c = chunk_new();

	chunk_of(c, i, n & 1, n / 2);
	assert_int_equal(store_call_append(sc, n & 1, c), 0);
	chunk_free(c);
}

static void end(struct scene *s, struct store_call *sc, unsigned i)
{
	struct store_call_result r;

	if (!sc)
		return;
	result_of(i, &r);
	r.leg[0].packets = r.leg[1].packets = 100 * CHUNKS;
	r.tag = &s->told[i];
	s->ended[i] = !store_call_end(sc, &r);
}

static void denied(struct store *st, struct scene *s, unsigned i)
{
	struct store_call_result r = { .end = "cancel", .outcome = STORE_O_DENIED, .gap = "", .reason = { "not-answered", "" },
				       .state = { STORE_S_DENIED }, .tag = &s->told[i] };
	struct store_call_meta m;

	meta_of(i, &m);
	s->ended[i] = !store_call_denied(st, &m, &r);
}

/* Half of the calls are known to the disk when it begins to fail. */
static void run(struct store *st, struct scene *s, enum fault f, int err, int n)
{
	struct store_call *sc[KEPT] = { NULL };

	for (unsigned i = 0; i < KEPT / 2; i++) {
		sc[i] = begin(st, i);
		assert_non_null(sc[i]);
		append(sc[i], i, 0);
	}
	ok(st, store_sync(st));
	fail_nth(f, n, err, true);
	for (unsigned i = 0; i < KEPT; i++) {
		if (i >= KEPT / 2) {
			sc[i] = begin(st, i);
			if (sc[i])
				append(sc[i], i, 0);
		}
		for (unsigned k = 1; sc[i] && k < 2 * CHUNKS; k++)
			append(sc[i], i, k);
		end(s, sc[i], i);
		if (i < DENIED)
			denied(st, s, KEPT + i);
		if (i % 2)
			(void)store_sync(st);
		take_told(st, s);
	}
}

struct seen {
	struct scene *s;
	unsigned rows[CALLS];
	bool all; /* calls that nobody was told of may have a row, too */
};

static int on_row(void *arg, const struct store_row *row)
{
	struct seen *v = arg;
	struct store_call_meta m;

	for (unsigned i = 0; i < CALLS; i++) {
		const struct told *t = &v->s->told[i];

		meta_of(i, &m);
		if (!uid_equal(&m.uid, &row->uid))
			continue;
		v->rows[i]++;
		if (!t->times)
			continue;
		assert_true(t->row);
		assert_int_equal(t->outcome, row->outcome);
		assert_int_equal(t->state, row->state[0]);
		assert_string_equal(t->gap, row->gap);
		assert_int_equal(t->packets, row->leg[0].packets + row->leg[1].packets);
	}
	return 0;
}

/* The catalog against what was told. Audio of kept calls is there as the row says. */
static void check_rows(struct scene *s, struct seen *v)
{
	struct store_filter f = { .state = -1 };
	struct store *st = open_store(STORE_RO);

	*v = (struct seen){ .s = s };
	ok(st, store_find(st, &f, on_row, v));
	for (unsigned i = 0; i < CALLS; i++) {
		assert_true(v->rows[i] <= 1);
		if (s->told[i].times)
			assert_int_equal(v->rows[i], s->told[i].row);
		if (i < KEPT && s->told[i].times && s->told[i].row && !*s->told[i].gap)
			assert_int_equal(read_call(st, i, CHUNKS), 0);
	}
	store_close(st);
}

/* The disk recovers: everybody is told. false: the fault did not come any more. */
static bool recovers(enum fault f, int err, int n)
{
	struct scene s = { .ended = { false } };
	struct store *st = open_threads();
	struct seen v;

	run(st, &s, f, err, n);
	fail_none();
	ok(st, store_finish(st));
	take_told(st, &s);
	for (unsigned i = 0; i < CALLS; i++)
		assert_int_equal(s.told[i].times, s.ended[i]);
	check_rows(&s, &v);
	for (unsigned i = 0; i < KEPT / 2; i++) /* the disk knew them before */
		assert_true(s.ended[i] && s.told[i].row);
	for (unsigned i = KEPT; i < CALLS; i++)
		assert_true(s.ended[i] && s.told[i].row && s.told[i].outcome == STORE_O_DENIED);
	store_close(st);
	check_rows(&s, &v); /* nothing changes later */
	fsck_clean(NULL);
	return happened;
}

/* It does not, and the program ends; the next one finds another disk. */
static bool stops(enum fault f, int err, int n)
{
	struct scene s = { .ended = { false } };
	struct store *st = open_threads();
	struct seen v;

	run(st, &s, f, err, n);
	(void)store_finish(st);
	take_told(st, &s);
	store_close(st);
	check_rows(&s, &v);
	fail_none();
	st = open_threads();
	ok(st, store_sync(st));
	assert_true(store_settled(st));
	store_close(st);
	check_rows(&s, &v);
	for (unsigned i = 0; i < KEPT / 2; i++) /* each has an outcome that is not a guess */
		assert_int_equal(v.rows[i], 1);
	fsck_clean(NULL);
	return happened;
}

/* Killed right after it was told: what was told is true all the same. */
static bool killed(enum fault f, int err, int n)
{
	struct scene *s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct store *st;
	struct seen v;
	int status;
	pid_t pid;

	memset(s, 0, sizeof(*s));
	pid = fork();
	if (!pid) {
		st = open_threads();
		run(st, s, f, err, n);
		kill(getpid(), SIGKILL);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	check_rows(s, &v);
	st = open_threads();
	ok(st, store_sync(st));
	store_close(st);
	check_rows(s, &v);
	fsck_clean(NULL);
	munmap(s, sizeof(*s));
	return false;
}

static void each(void **state, bool (*fn)(enum fault f, int err, int n), int most, int step)
{
	static const int errs[] = { EIO, ENOSPC };
	unsigned fired[F_MAX] = { 0 };

	for (int f = F_FALLOCATE; f < F_MAX; f++)
		for (int e = 0; e < 2; e++)
			for (int n = 1; n <= most; n += step * sampled_step(n)) {
				bool more = fn((enum fault)f, errs[e], n);

				fail_none();
				fired[f] += more;
				drop_store(state);
				assert_int_equal(make_store(state), 0);
				if (!more && fn != killed)
					break;
			}
	for (int f = F_FSYNC; fn != killed && f < F_MAX; f++)
		assert_true(fired[f] || (f >= F_RENAME && f <= F_URING)); /* these are of new segments, and days */
}

static void test_recovers(void **state)
{
	each(state, recovers, 40, 1);
}

static void test_stops(void **state)
{
	each(state, stops, 40, 2);
}

static void test_killed(void **state)
{
	assert_false(killed(F_NONE, 0, 0));
	drop_store(state);
	assert_int_equal(make_store(state), 0);
	each(state, killed, 10, 2);
}

/* Without a fault: told only after a sync, once, in numbers as the row has them. */
static void test_after_sync(void **state)
{
	struct scene s = { .ended = { false } };
	struct store *st = open_threads();
	struct store_figures f;
	struct store_done d;
	struct store_call *sc = begin(st, 1);
	struct seen v;

	(void)state;
	for (unsigned k = 0; k < 2 * CHUNKS; k++)
		append(sc, 1, k);
	end(&s, sc, 1);
	denied(st, &s, KEPT + 1);
	store_figures(st, &f);
	for (int i = 0; i < 50 || (f.unwritten < 2 && i < 5000); i++) { /* its thread may be slow to take them */
		usleep(2000);
		assert_false(store_next_done(st, &d));
		store_figures(st, &f);
	}
	assert_int_equal(f.unwritten, 2);
	ok(st, store_sync(st));
	take_told(st, &s);
	assert_true(s.told[1].times == 1 && s.told[1].row && s.told[1].outcome == STORE_O_KEPT);
	assert_int_equal(s.told[KEPT + 1].outcome, STORE_O_DENIED);
	store_figures(st, &f);
	assert_int_equal(f.unwritten, 0);
	check_rows(&s, &v);
	store_close(st);
}

static bool ask(void *arg)
{
	atomic_bool *yes = arg;

	return *yes;
}

/* What must not be younger than rows is not durable: no row is, and no record. */
static void test_held(void **state)
{
	struct scene s = { .ended = { false } };
	struct store *st = open_threads();
	struct store_call *sc;
	struct store_done d;
	atomic_bool yes = false;
	struct seen v;

	(void)state;
	ok(st, store_sync(st));
	store_before_rows(st, ask, &yes);
	sc = begin(st, 1);
	for (unsigned k = 0; k < 2 * CHUNKS; k++)
		append(sc, 1, k);
	end(&s, sc, 1);
	denied(st, &s, KEPT + 1);
	assert_int_equal(store_sync(st), -EAGAIN);
	assert_int_equal(store_finish(st), -EAGAIN);
	assert_false(store_next_done(st, &d));
	check_rows(&s, &v);
	assert_int_equal(v.rows[1] + v.rows[KEPT + 1], 0);
	yes = true;
	ok(st, store_sync(st));
	take_told(st, &s);
	assert_int_equal(s.told[1].times + s.told[KEPT + 1].times, 2);
	check_rows(&s, &v);
	assert_int_equal(v.rows[1] + v.rows[KEPT + 1], 2);
	store_before_rows(st, NULL, NULL);
	store_close(st);
	fsck_clean(NULL);
}

/* The log holds rows back, and more come than there may be: some wait outside the transaction, and in the end they go first. */
static void test_held_many(void **state)
{
	enum { MANY = 16384 + 600 };
	static struct told told[MANY];
	struct store *st = open_threads();
	atomic_bool no = false;
	struct store_figures f;
	struct store_done d;
	unsigned rows = 0, none = 0;

	(void)state;
	ok(st, store_sync(st));
	store_before_rows(st, ask, &no);
	for (unsigned i = 0; i < MANY; i++) {
		struct store_call_result r = { .end = "cancel", .outcome = STORE_O_DENIED, .gap = "", .reason = { "not-answered", "" },
					       .state = { STORE_S_DENIED }, .tag = &told[i] };
		struct store_call_meta m;

		meta_of(i, &m);
		ok(st, store_call_denied(st, &m, &r));
		if (i == 1500) {
			assert_int_equal(store_sync(st), -EAGAIN);
			store_figures(st, &f);
			assert_int_equal(f.unwritten, 1501);
			assert_int_equal(f.rows_first, 0);
		}
		if (i == 16000) {
			assert_int_equal(store_sync(st), -EAGAIN);
			assert_false(store_next_done(st, &d));
		}
	}
	(void)store_sync(st); /* not held any more, or still the rest */
	for (int i = 0; i < 100; i++)
		(void)store_sync(st);
	store_figures(st, &f);
	assert_int_equal(f.errors, 0);
	assert_true(f.rows_first > 0 && f.lost_calls == MANY - 16384 && f.unwritten < 16384);
	no = true;
	ok(st, store_sync(st));
	while (store_next_done(st, &d)) {
		assert_int_equal(((struct told *)d.tag)->times++, 0);
		rows += d.row;
		none += !d.row;
	}
	assert_int_equal(none, MANY - 16384);
	assert_int_equal(rows, 16384);
	store_figures(st, &f);
	assert_int_equal(f.unwritten, 0);
	store_before_rows(st, NULL, NULL);
	store_close(st);
	fsck_clean(NULL);
}

/* The program goes, and the last sync is held: a call that was left to the next one is that one's, as its record says. */
static void test_held_leave(void **state)
{
	struct store *st = open_threads();
	struct store_call *sc = begin(st, 1);
	struct buf b = { 0 };
	atomic_bool no = false;

	(void)state;
	append(sc, 1, 0);
	append(sc, 1, 1);
	ok(st, store_sync(st));
	store_before_rows(st, ask, &no);
	assert_int_equal(store_call_save(sc, &b), 0);
	ok(st, store_call_leave(sc));
	assert_int_equal(store_finish(st), -EAGAIN);
	store_close(st);
	st = open_store(STORE_RW);
	ok(st, store_call_resume(st, b.p, b.len, &sc));
	buf_free(&b);
	store_call_abort(sc);
	store_close(st);
	fsck_clean(NULL);
}

/* A row of that name is there already: what that says is what is told. */
static void test_twice(void **state)
{
	struct scene s = { .ended = { false } };
	struct store *st = open_threads();
	struct store_call *sc = begin(st, 1);
	struct seen v;

	(void)state;
	for (unsigned k = 0; k < 2 * CHUNKS; k++)
		append(sc, 1, k);
	end(&s, sc, 1);
	ok(st, store_sync(st));
	take_told(st, &s);
	memset(&s.told[1], 0, sizeof(s.told[1]));
	{
		struct store_call_result r = { .end = "cancel", .outcome = STORE_O_GAP, .gap = "restart", .reason = { "gap", "" },
					       .state = { STORE_S_DENIED }, .tag = &s.told[1] };
		struct store_call_meta m;

		meta_of(1, &m);
		ok(st, store_call_denied(st, &m, &r));
	}
	ok(st, store_sync(st));
	take_told(st, &s);
	assert_true(s.told[1].times == 1 && s.told[1].row && s.told[1].outcome == STORE_O_KEPT);
	assert_int_equal(s.told[1].packets, 400);
	check_rows(&s, &v);
	store_close(st);
}

#define T(f) cmocka_unit_test_setup_teardown(f, make_store, drop_store)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_after_sync), T(test_held), T(test_held_many), T(test_held_leave), T(test_twice), T(test_recovers), T(test_stops), T(test_killed),
	};

	sampled_begin(3);
	return cmocka_run_group_tests(tests, make_vfs, NULL);
}
