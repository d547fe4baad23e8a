/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_kills.c - a recorder killed at random moments, and at each of its calls that write
 *
 * A child opens the store, goes on with the calls whose state it finds in shared memory, as the daemon does, and begins, records,
 * ends and destroys others, until it is killed: half of the times when a random time is over, half at its nth call of
 * open, write, fsync, rename ..., SQLite's included. Every third one has the store's threads. After each kill fsck finds
 * nothing and the evidence log is whole to its last flush; the next child or, every third time, a last look follows:
 * what a sync covered is there, each chunk once and as it was, what was destroyed cannot be read.
 *
 * KILLS=40; make cuts: 1000.
 */
#include <sqlite3.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <time.h>

#include "base/buf.h"
#include "faults.h"
#include "killed.h"
#include "pool.h"
#include "store/evlog.h"
#include "store_util.h"

enum { CALLS = 40, CHUNKS = 60, LIVES = 200 };
#define SYNC_NS (20 * NS_PER_MS)
#define TRAIN	STORE_TRAINING
#define DOC	STORE_DOCUMENTATION

/* What the child had done of a call. A word is set before something that may be done half, the other when it is done. */
struct note {
	bool both;  /* for training, too */
	bool denied;
	bool begun_synced, ending, ended, ended_synced, dropping, dropped, aborting, aborted, begun;
	unsigned appending, by; /* the life that has it */
	struct {
		uint64_t at_ns;
		unsigned life;
		bool synced;
	} chunk[CHUNKS];
	size_t n; /* of its state; 0: not saved */
	uint8_t state[1024];
};

static struct shared {
	struct note call[CALLS];
	unsigned ncalls, resumed, lines, done; /* done: calls that were looked at */
	bool threads[LIVES];
	atomic_int calls_left; /* until the kill */
	char error[200];
} *sh;

static struct {
	unsigned kills, by_time, at_call, stores, calls, resumed, ended, dropped, chunks, lost, settled;
	uint64_t oldest_ns; /* of the chunks that were lost by recorders with threads */
} sum;
static uint64_t died_ns[LIVES];

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

/* ---- SQLite's calls count as ours do ---- */

static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static int (*real_ftruncate)(int, off_t), (*real_unlink)(const char *), (*real_open)(const char *, int, int);

static ssize_t my_pwrite(int fd, const void *p, size_t n, off_t off)
{
	killing_call();
	return real_pwrite(fd, p, n, off);
}

static int my_ftruncate(int fd, off_t n)
{
	killing_call();
	return real_ftruncate(fd, n);
}

static int my_unlink(const char *p)
{
	killing_call();
	return real_unlink(p);
}

static int my_open(const char *p, int flags, int mode)
{
	killing_call();
	return real_open(p, flags, mode);
}

#define REPLACE(name, real, mine)                                                   \
	do {                                                                        \
		real = (__typeof__(real))vfs->xGetSystemCall(vfs, name);            \
		if (real)                                                           \
			vfs->xSetSystemCall(vfs, name, (sqlite3_syscall_ptr)(mine)); \
	} while (0)

static void count_sqlite(void)
{
	sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);

	REPLACE("pwrite64", real_pwrite, my_pwrite);
	if (!real_pwrite)
		REPLACE("pwrite", real_pwrite, my_pwrite);
	REPLACE("ftruncate", real_ftruncate, my_ftruncate);
	REPLACE("unlink", real_unlink, my_unlink);
	REPLACE("open", real_open, my_open);
	assert_true(real_pwrite && real_open);
}

/* ---- the child ---- */

/* The child says why it cannot go on; the parent fails. */
__attribute__((format(printf, 1, 2))) static void give_up(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(sh->error, sizeof(sh->error), fmt, ap);
	va_end(ap);
	kill(getpid(), SIGKILL);
}

static void must(struct store *st, int rc, const char *what)
{
	if (rc)
		give_up("%s: %d %s", what, rc, st ? store_why(st) : "");
}

static void chunk_n(struct chunk *c, unsigned i, unsigned n)
{
	rng_state = 0x9e3779b97f4a7c15ULL * (i * 1000 + n + 1);
	chunk_stream(c, "PCMA", 8, (enum kind)(n % K_KINDS), n * 5, 5, 160);
}

static void meta(unsigned i, struct store_call_meta *m)
{
	meta_of(i, m);
	if (sh->call[i].both) {
		m->until_ns[TRAIN] = m->until_ns[DOC];
		m->commit[TRAIN] = true;
		m->now.state[TRAIN] = STORE_S_GRANTED;
	}
	m->now.state[DOC] = STORE_S_GRANTED;
	m->now.reason[DOC] = "interest";
	m->now.answer_ns = m->start_ns + 1;
}

static void save(struct store *st, struct note *c, const struct store_call *sc)
{
	struct buf b = { 0 };

	must(st, store_call_save(sc, &b), "save");
	if (b.len > sizeof(c->state))
		give_up("a state of %zu bytes", b.len);
	c->n = 0;
	memcpy(c->state, b.p, b.len);
	c->n = b.len;
	buf_free(&b);
}

static void prove(struct evlog *l)
{
	struct evlog_event e = { .kind = EVLOG_DAEMON_START, .time_ns = T0 };

	must(NULL, evlog_append(l, &e, NULL), "append to the log");
	must(NULL, evlog_flush(l, 0), "flush the log");
	sh->lines++;
}

/* What this life did is durable; what the ones before did and lost is not. */
static void sync_all(struct store *st, unsigned life)
{
	must(st, store_sync(st), "sync");
	for (unsigned i = 0; i < sh->ncalls; i++) {
		struct note *c = &sh->call[i];

		if (c->by != life)
			continue;
		for (unsigned n = 0; n < c->appending; n++)
			c->chunk[n].synced |= c->chunk[n].life == life;
		c->begun_synced = c->begun;
		c->ended_synced = c->ended;
	}
}

static struct store_call *begin(struct store *st, unsigned i, unsigned life)
{
	struct note *c = &sh->call[i];
	struct store_call_meta m;
	struct store_call_result r;
	struct store_call *sc = NULL;

	c->both = rnd() % 2;
	c->denied = rnd() % 8 == 0;
	c->by = life;
	sh->ncalls = i + 1;
	meta(i, &m);
	if (c->denied) {
		result_of(i, &r);
		r.outcome = STORE_O_DENIED;
		r.state[0] = r.state[1] = STORE_S_DENIED;
		m.commit[0] = m.commit[1] = false;
		m.now.state[0] = m.now.state[1] = STORE_S_DENIED;
		c->ending = true;
		must(st, store_call_denied(st, &m, &r), "denied");
		c->begun = c->ended = true;
		return NULL;
	}
	must(st, store_call_begin(st, &m, &sc), "begin");
	c->begun = true;
	return sc;
}

static void end(struct store *st, unsigned i, struct store_call *sc)
{
	struct note *c = &sh->call[i];
	struct store_call_result r;

	result_of(i, &r);
	if (c->both)
		r.state[TRAIN] = c->dropped || c->dropping ? STORE_S_WITHDRAWN : STORE_S_GRANTED;
	r.recount = true;
	c->ending = true;
	must(st, store_call_end(sc, &r), "end");
	c->ended = true;
}

static void append(struct store *st, unsigned i, struct store_call *sc, unsigned life)
{
	static struct chunk *chunk;
	struct note *c = &sh->call[i];
	uint64_t keep = rng_state;
	unsigned n = c->appending;

	if (n >= CHUNKS)
		return;
	if (!chunk)
		chunk = chunk_new();
	chunk_n(chunk, i, n);
	rng_state = keep;
	c->chunk[n].at_ns = now_ns();
	c->chunk[n].life = life;
	c->appending = n + 1;
	must(st, store_call_append(sc, n & 1, chunk), "append");
}

/* One thing that a recorder does. */
static void step(struct store *st, struct store_call **sc, unsigned life)
{
	unsigned i = rnd() % sh->ncalls, what = rnd() % 24;
	struct note *c = &sh->call[i];

	if (what == 0 || what == 1) {
		sync_all(st, life);
		for (unsigned k = 0; k < sh->ncalls; k++)
			if (sc[k] && !sh->call[k].n)
				save(st, &sh->call[k], sc[k]);
	}
	for (unsigned k = 0; k < CALLS && !sc[i]; k++) {
		i = (i + 1) % sh->ncalls;
		c = &sh->call[i];
	}
	if (!sc[i])
		return;
	if (what == 2 && c->both && !c->dropped) {
		c->dropping = true;
		must(st, store_call_drop(sc[i], TRAIN), "drop");
		c->dropped = true;
		save(st, c, sc[i]);
	} else if (what == 3 && rnd() % 2) {
		c->aborting = true;
		store_call_abort(sc[i]);
		c->aborted = true;
		sc[i] = NULL;
	} else if (what == 4) {
		end(st, i, sc[i]);
		sc[i] = NULL;
	} else if (what == 5 && c->n) {
		save(st, c, sc[i]);
	} else if (what > 5) {
		append(st, i, sc[i], life);
	}
}

/* The calls that the one before left. */
static void resume(struct store *st, struct store_call **sc, unsigned life)
{
	for (unsigned i = sh->done; i < sh->ncalls; i++) {
		struct note *c = &sh->call[i];
		bool over = c->ending || c->aborting || c->dropping != c->dropped;
		int rc;

		if (!c->n)
			continue;
		rc = store_call_resume(st, c->state, c->n, &sc[i]);
		if (!rc && (c->ended_synced || c->aborted))
			give_up("call %u is over and goes on", i);
		if (rc && !over && c->begun_synced)
			give_up("call %u does not go on: %d %s", i, rc, store_why(st));
		c->n = 0;
		if (rc) {
			sc[i] = NULL;
			continue;
		}
		/* its end was not synced, or half done, and comes once more */
		c->ending = c->ended = c->aborting = false;
		c->by = life;
		save(st, c, sc[i]);
		sh->resumed++;
	}
}

static void live(unsigned life)
{
	struct store_call *sc[CALLS] = { NULL };
	struct store_threads_settings s;
	struct evlog *l = NULL;
	struct store *st = NULL;
	char why[200];

	kill_at = sh->calls_left;
	rng_state = 0x9e3779b97f4a7c15ULL * (sum.kills + 1);
	rnd();
	if (store_open(store_dir, STORE_RW, &st, why, sizeof(why)) || evlog_open(store_dir, &l, why, sizeof(why)))
		give_up("%s", why);
	resume(st, sc, life);
	if (sh->threads[life]) {
		store_threads_default(&s);
		s.encoders = 1;
		s.sync_ns = SYNC_NS;
		s.flush_ns = SYNC_NS / 2;
		must(st, store_threads(st, &s), "threads");
	}
	if (rnd() % 2)
		must(st, store_settle(st, NULL), "settle");
	for (unsigned k = 0; k < 150; k++) {
		unsigned open = 0;

		for (unsigned i = 0; i < sh->ncalls; i++)
			open += sc[i] != NULL;
		if ((open < 3 && rnd() % 3 == 0 && sh->ncalls < CALLS) || !sh->ncalls) {
			unsigned i = sh->ncalls;

			sc[i] = begin(st, i, life);
		}
		step(st, sc, life);
		if (rnd() % 16 == 0)
			prove(l);
	}
	if (rnd() % 2)
		sync_all(st, life);
}

/* ---- who comes afterwards ---- */

static unsigned damages;

static void on_damage(void *arg, const char *file, uint64_t line, const char *rule, const char *text)
{
	(void)arg;
	print_error("evidence: %s:%llu %s: %s\n", file, (unsigned long long)line, rule, text);
	damages++;
}

static void look_evidence(void)
{
	struct evlog_look how = { .finding = on_damage };
	struct evlog_report r = { 0 };
	char why[512] = "";
	int rc = evlog_look(store_dir, &how, &r, why, sizeof(why));

	if (rc == -ENOENT && !sh->lines)
		return;
	assert_int_equal(rc, 0);
	assert_int_equal(r.damaged, 0);
	assert_int_equal(damages, 0);
	assert_true(r.lines >= sh->lines);
}

static int take_row(void *arg, const struct store_row *row)
{
	struct store_row *r = arg;

	r->outcome = row->outcome;
	for (int p = 0; p < STORE_PURPOSES; p++)
		r->state[p] = row->state[p];
	return 1;
}

/* What p can read of call i: 0 or why nothing; each chunk once, and as it was. */
static int hear(struct store *st, unsigned i, enum store_purpose p, bool got[CHUNKS])
{
	struct note *c = &sh->call[i];
	struct chunk *want;
	struct store_call_meta m;
	struct store_reader *r;
	const struct chunk *is;
	unsigned leg, n;
	int rc;

	memset(got, 0, CHUNKS * sizeof(*got));
	meta_of(i, &m);
	rc = store_read_open(st, &m.uid, p, keys_dir, &r);
	if (rc)
		return rc;
	want = chunk_new();
	while ((rc = store_read_next(r, &leg, &is)) == 1) {
		n = (unsigned)(is->pkt[0].seq - 65500) / 5;
		assert_true(n < c->appending && (n & 1) == leg);
		assert_false(got[n]);
		got[n] = true;
		chunk_n(want, i, n);
		assert_chunk(is, want);
	}
	ok(st, rc);
	store_read_close(r);
	chunk_free(want);
	return 0;
}

static void look_lost(const struct note *c, const bool got[CHUNKS])
{
	for (unsigned n = 0; n < c->appending; n++) {
		uint64_t died = died_ns[c->chunk[n].life], at = c->chunk[n].at_ns;

		sum.chunks++;
		if (got[n])
			continue;
		if (c->chunk[n].synced)
			fail_msg("call %u: chunk %u of %u was synced and is lost", (unsigned)(c - sh->call), n, c->appending);
		sum.lost++;
		if (sh->threads[c->chunk[n].life] && died > at && died - at > sum.oldest_ns)
			sum.oldest_ns = died - at;
	}
}

static void look_call(struct store *st, unsigned i)
{
	struct store_filter f = { .state = -1 };
	struct note *c = &sh->call[i];
	bool got[CHUNKS], training[CHUNKS];
	struct store_row row = { 0 };
	struct store_call_meta m;
	int found, rc, trc;

	meta_of(i, &m);
	f.uid = &m.uid;
	found = store_find(st, &f, take_row, &row);
	assert_true(found == 0 || found == 1);
	rc = hear(st, i, DOC, got);
	trc = hear(st, i, TRAIN, training);
	sum.calls++;
	sum.ended += c->ended_synced;
	sum.dropped += c->dropped || c->aborted;
	/* what may never be read */
	if (c->denied || c->aborted)
		assert_true(rc && trc);
	if (c->dropped || !c->both)
		assert_true(trc);
	/* what must be there */
	if (c->begun_synced && !c->aborting)
		assert_int_equal(found, 1);
	if (c->aborting || c->denied || !found) {
		assert_true(found || rc);
		return;
	}
	if (c->ended_synced) {
		assert_int_equal(row.outcome, STORE_O_KEPT);
		assert_int_equal(row.state[DOC], STORE_S_GRANTED);
		assert_int_equal(rc, 0);
	}
	if (c->chunk[0].synced)
		assert_int_equal(rc, 0);
	look_lost(c, got);
	if (c->both && !c->dropping && !rc) { /* both have the same */
		assert_int_equal(trc, 0);
		assert_memory_equal(got, training, sizeof(got));
	}
}

static void last_look(void)
{
	uint64_t n = 0;
	struct store *st = open_store(STORE_RW);
	struct evlog *l;
	char why[512];

	ok(st, store_settle(st, &n));
	store_close(st);
	sum.settled += (unsigned)n;
	assert_int_equal(evlog_open(store_dir, &l, why, sizeof(why)), 0); /* cuts what was torn */
	evlog_close(l);
	fsck_clean(NULL);
	look_evidence();
	st = open_store(STORE_RO);
	for (unsigned i = 0; i < sh->ncalls; i++)
		if (i >= sh->done || i % 4 == sum.kills % 4) /* also those that were looked at before: no key comes back */
			look_call(st, i);
	store_close(st);
	for (unsigned i = sh->done; i < sh->ncalls; i++)
		sh->call[i].n = 0; /* they have their rows */
	sh->done = sh->ncalls;
}

static void kill_once(unsigned life)
{
	unsigned dice = (rnd(), rnd());
	bool by_time = sum.kills % 2;

	sh->threads[life] = sum.kills % 3 == 0;
	sh->calls_left = by_time ? 0 : (int)(1 + sum.kills / 2 * 389 % 601);
	*sh->error = 0;
	if (by_time)
		killed_after(live, life, 1 + dice % (1u << (12 + sum.kills / 2 % 6)));
	else
		in_child(live, life);
	died_ns[life] = now_ns();
	sum.kills++;
	sum.by_time += by_time;
	sum.at_call += !by_time;
}

static void test_kills(void **state)
{
	unsigned most = getenv("KILLS") ? (unsigned)atoi(getenv("KILLS")) : 40;
	uint64_t dice = 88172645463325252ULL;

	sh = mmap(NULL, sizeof(*sh), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(sh != MAP_FAILED);
	if (!access("/dev/shm", W_OK))
		setenv("TMP", "/dev/shm", 1);
	count_sqlite();
	while (sum.kills < most) {
		assert_int_equal(make_store(state), 0);
		memset(sh, 0, sizeof(*sh));
		sum.stores++;
		for (unsigned life = 0; life < LIVES && sum.kills < most && sh->ncalls < CALLS - 4; life++) {
			rng_state = dice;
			kill_once(life);
			dice = dice * 6364136223846793005ULL + 1442695040888963407ULL;
			if (*sh->error)
				fail_msg("kill %u: %s", sum.kills, sh->error);
			fsck_clean(NULL);
			look_evidence();
			if (dice >> 40 & 1)
				last_look();
		}
		last_look();
		sum.resumed += sh->resumed;
		drop_store(state);
	}
	print_message("%u kills (%u when a time was over, %u at a call that writes), %u stores: %u looks at calls, of them %u ended, %u with a key"
		      " destroyed; %u calls gone on with, %u settled; %u chunks, %u never synced and lost, the oldest of those with threads %llu ms\n",
		      sum.kills, sum.by_time, sum.at_call, sum.stores, sum.calls, sum.ended, sum.dropped, sum.resumed, sum.settled, sum.chunks,
		      sum.lost, (unsigned long long)(sum.oldest_ns / NS_PER_MS));
	assert_true(sum.oldest_ns <= SYNC_NS + 2 * NS_PER_S);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_kills) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
