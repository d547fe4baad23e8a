/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_store_parts.c - which purpose can read which part of a call, whatever happens in it
 *
 * A script says what happens; a model of a few lines says who may read each chunk afterwards. The
 * store's reader and the one that was made from FORMAT.md alone must agree with it, chunk by chunk.
 */
#include <sys/mman.h>

#include "format_reader.h"
#include "store_util.h"

#include "base/buf.h"

#define DOC	  1u
#define TR	  2u
#define CHUNKS	  400
#define GOLDEN	  "tests/golden/store"

static const char *const purpose_names[2] = { "documentation", "training" };

/* ---- a call and its model ---- */

struct model {
	struct store *st;
	struct store_call *sc;
	unsigned call, n; /* chunks so far, of both legs in turn */
	unsigned may[CHUNKS]; /* who may read it */
	bool alive[CHUNKS];   /* some key is left, or may be given still */
	unsigned set, keyed, gone, slot;
};

static void meta_both(unsigned i, struct store_call_meta *m)
{
	meta_of(i, m);
	m->until_ns[1] = m->until_ns[0] - 30 * 86400 * NS_PER_S;
	m->commit[0] = false;
	m->now.state[0] = m->now.state[1] = STORE_S_GRANTED;
	m->now.answer_ns = m->start_ns;
}

static void m_begin(struct model *m, struct store *st, unsigned call, unsigned covers, unsigned commit)
{
	struct store_call_meta meta;

	*m = (struct model){ .st = st, .call = call, .set = covers | commit, .keyed = covers | commit, .slot = commit };
	meta_both(call, &meta);
	for (int p = 0; p < 2; p++) {
		meta.covers[p] = covers >> p & 1;
		meta.commit[p] = commit >> p & 1;
	}
	ok(st, store_call_begin(st, &meta, &m->sc));
}

static void m_chunk(struct model *m)
{
	struct chunk *c = chunk_new();
	unsigned leg = m->n & 1;

	chunk_of(c, m->call, leg, m->n / 2);
	c->npkt = 10;
	c->nbytes = 1600;
	assert_true(m->n < CHUNKS);
	assert_int_equal(store_call_for(m->sc, leg), m->set);
	ok(m->st, store_call_append(m->sc, leg, c));
	m->may[m->n] = m->set;
	m->alive[m->n] = true;
	m->n++;
	chunk_free(c);
}

static void m_chunks(struct model *m, unsigned n)
{
	while (n--)
		m_chunk(m);
}

static uint64_t m_now(const struct model *m)
{
	return T0 + m->n / 2 * 2000 * NS_PER_MS;
}

static void m_part(struct model *m, unsigned set)
{
	ok(m->st, store_call_part(m->sc, set, m_now(m)));
	store_call_enter(m->sc, 0);
	store_call_enter(m->sc, 1);
	m->set = set;
	m->keyed |= set;
}

static void m_cover(struct model *m, unsigned p)
{
	int rc = store_call_cover(m->sc, (enum store_purpose)p);

	if (m->gone >> p & 1) {
		assert_int_equal(rc, -EINVAL);
		return;
	}
	ok(m->st, rc);
	for (unsigned i = 0; i < m->n; i++)
		if (m->alive[i])
			m->may[i] |= 1u << p;
	m->set |= 1u << p;
	m->keyed |= 1u << p;
}

static void m_commit(struct model *m, unsigned p)
{
	int rc;

	if (!(m->keyed >> p & 1)) {
		m_cover(m, p);
		if (!(m->keyed >> p & 1)) {
			assert_int_equal(store_call_commit(m->sc, (enum store_purpose)p), -EINVAL);
			return;
		}
	}
	rc = store_call_commit(m->sc, (enum store_purpose)p);
	ok(m->st, rc);
	m->slot |= 1u << p;
}

static void m_drop(struct model *m, unsigned p)
{
	bool other = !(m->keyed >> !p & 1) && !(m->gone >> !p & 1);

	ok(m->st, store_call_drop(m->sc, (enum store_purpose)p));
	assert_false(store_call_keyed(m->sc, (enum store_purpose)p));
	assert_false(store_call_committed(m->sc, (enum store_purpose)p));
	for (unsigned i = 0; i < m->n; i++) {
		m->may[i] &= ~(1u << p);
		m->alive[i] = m->alive[i] && (m->may[i] || other);
	}
	m->keyed &= ~(1u << p);
	m->slot &= ~(1u << p);
	m->gone |= 1u << p;
	/* the recorder begins a new part before the next packet */
	m_part(m, m->set & ~(1u << p));
}

/* Purposes in `want` are kept; -1 who has a key. */
static void m_end(struct model *m)
{
	struct store_call_result r;

	result_of(m->call, &r);
	for (unsigned p = 0; p < 2; p++) {
		r.state[p] = m->keyed >> p & 1 ? STORE_S_GRANTED : m->gone >> p & 1 ? STORE_S_WITHDRAWN : STORE_S_DENIED;
		if (m->keyed >> p & 1)
			m_commit(m, p);
	}
	for (unsigned leg = 0; leg < 2; leg++) {
		r.leg[leg].packets = (m->n + !leg) / 2 * 10;
		r.leg[leg].audio_ms = r.leg[leg].packets * 20;
	}
	if (!m->keyed)
		r.outcome = STORE_O_DENIED;
	ok(m->st, store_call_end(m->sc, &r));
	ok(m->st, store_sync(m->st));
}

/* ---- what is really readable ---- */

struct got {
	unsigned call, n;
	unsigned read[CHUNKS];
};

static unsigned number_of(int64_t seq, unsigned leg)
{
	return (unsigned)((seq - 65500) / 100) * 2 + leg;
}

static void take(void *arg, const struct fr_chunk *c)
{
	struct got *g = arg;
	unsigned n = number_of(c->pkt[0].seq, c->leg);
	struct chunk *want = chunk_new();

	assert_true(n < CHUNKS && c->npkt == 10);
	chunk_of(want, g->call, c->leg, n / 2);
	assert_memory_equal(c->data, want->data, 1600);
	g->read[n]++;
	g->n++;
	chunk_free(want);
}

static int take_row(void *arg, const struct store_row *row)
{
	*(struct store_row *)arg = *row;
	return 1;
}

static void check_row(struct store *st, const struct model *m, const struct uid *uid, struct store_row *row)
{
	struct store_filter f = { .state = -1, .uid = uid };
	uint64_t all[2] = { 0, 0 }, mine[2][2] = { { 0 } };

	assert_int_equal(store_find(st, &f, take_row, row), 1);
	for (unsigned i = 0; i < m->n; i++) {
		all[i & 1] += m->may[i] ? 10 : 0;
		for (int p = 0; p < 2; p++)
			mine[p][i & 1] += m->may[i] >> p & 1 ? 10 : 0;
	}
	for (int leg = 0; m->keyed && leg < 2; leg++) {
		assert_int_equal(row->leg[leg].packets, all[leg]);
		for (int p = 0; p < 2; p++) {
			assert_int_equal(row->share[p].packets[leg], mine[p][leg]);
			assert_int_equal(row->share[p].audio_ms[leg], mine[p][leg] * 20);
		}
	}
	for (int p = 0; p < 2; p++) {
		assert_int_equal(row->state[p] == STORE_S_GRANTED, m->keyed >> p & 1);
		if (m->keyed >> p & 1)
			assert_int_equal(row->share[p].whole, mine[p][0] == all[0] && mine[p][1] == all[1]);
	}
}

/* The second reader, which knows nothing of the project. */
static void check_format(const struct model *m, unsigned p, const struct store_row *row, struct got *g)
{
	char id[UID_TEXT], day[16], key[300], caller[64], callee[64], want[64];

	*g = (struct got){ .call = m->call };
	uid_format(&row->uid, id);
	snprintf(day, sizeof(day), "%04d-%02d-%02d", row->day.year, row->day.month, row->day.day);
	snprintf(key, sizeof(key), "%s/%s.key", keys_dir, purpose_names[p]);
	fr_read_call(store_dir, "acme", day, id, purpose_names[p], (int)p, key, caller, callee, take, g);
	snprintf(want, sizeof(want), "+4520%06u", m->call);
	assert_string_equal(caller, want);
	assert_string_equal(callee, "+4570000000");
	for (unsigned i = 0; i < CHUNKS; i++)
		assert_int_equal(g->read[i], i < m->n && m->may[i] >> p & 1);
}

static void check_reader(struct store *st, const struct model *m, unsigned p, const struct uid *uid)
{
	struct got g = { .call = m->call };
	struct chunk *want = chunk_new();
	struct store_gap gap[70];
	const char *caller, *callee;
	struct store_reader *r;
	const struct chunk *c;
	uint64_t missing = 0, kept = 0;
	unsigned leg;
	int rc;

	ok(st, store_read_open(st, uid, (enum store_purpose)p, keys_dir, &r));
	while ((rc = store_read_next(r, &leg, &c)) == 1) {
		unsigned n = number_of(c->pkt[0].seq, leg);

		assert_true(n < m->n);
		chunk_of(want, m->call, leg, n / 2);
		want->npkt = 10;
		assert_chunk(c, want);
		g.read[n]++;
	}
	ok(st, rc);
	for (unsigned i = 0; i < m->n; i++)
		assert_int_equal(g.read[i], m->may[i] >> p & 1);
	ok(st, store_read_numbers(r, &caller, &callee));
	assert_string_equal(callee, "+4570000000");
	for (size_t i = store_read_gaps(r, gap, 70); i-- > 0;) {
		missing += gap[i].packets[0] + gap[i].packets[1];
		assert_true(!gap[i].to_ns || gap[i].to_ns >= gap[i].from_ns || gap[i].from_ns == T0 + m->call * NS_PER_S);
	}
	for (unsigned i = 0; i < m->n; i++)
		kept += m->may[i] && !(m->may[i] >> p & 1) ? 10 : 0;
	assert_int_equal(missing, kept);
	store_read_close(r);
	chunk_free(want);
}

static void check(const struct model *m)
{
	struct store *st = open_store(STORE_RO);
	struct store_call_meta meta;
	struct store_reader *r;
	struct store_row row;
	struct got g;

	meta_both(m->call, &meta);
	check_row(st, m, &meta.uid, &row);
	for (unsigned p = 0; p < 2; p++) {
		if (!(m->keyed >> p & 1)) {
			assert_int_equal(store_read_open(st, &meta.uid, (enum store_purpose)p, keys_dir, &r), -EACCES);
			continue;
		}
		check_reader(st, m, p, &meta.uid);
		check_format(m, p, &row, &g);
	}
	store_close(st);
}

/* ---- all combinations ---- */

/*
 * What happens, one letter each: a part for D documentation, T training, B both, N nobody yet; a number: so many
 * chunks; d t: the purpose is destroyed; c C: documentation, training is committed; v V: covers the whole call.
 */
static void play(struct model *m, const char *script)
{
	for (; *script; script++) {
		switch (*script) {
		case 'D': case 'T': case 'B': case 'N':
			m_part(m, *script == 'D' ? DOC : *script == 'T' ? TR : *script == 'B' ? DOC | TR : 0);
			break;
		case 'd': case 't':
			m_drop(m, *script == 't');
			break;
		case 'c': case 'C':
			m_commit(m, *script == 'C');
			break;
		case 'v': case 'V':
			m_cover(m, *script == 'V');
			break;
		default:
			m_chunks(m, (unsigned)(*script - '0'));
		}
	}
}

static const struct {
	const char *what, *script, *doc, *training; /* chunks that each can read at the end: 1 yes, 0 no */
	unsigned covers, commit;
} combinations[] = {
	{ "A1", "4", "1111", NULL, 0, DOC },
	{ "B", "4", NULL, "1111", TR, 0 },
	{ "F: granted for the whole call", "3V3", "111111", "111111", 0, DOC },
	{ "E from the press", "3B3", "111111", "000111", 0, DOC },
	{ "E from the press, taken back", "3B3t2", "11111111", NULL, 0, DOC },
	{ "E taken back and given again", "3B2t2B3", "1111111111", "0000000111", 0, DOC },
	{ "E for all, taken back and given again", "2V2t2B2", "11111111", "00000011", 0, DOC },
	{ "training runs, documentation consents late", "3B3", "000111", "111111", TR, 0 },
	{ "the same, committed at once", "3Bc3", "000111", "111111", TR, 0 },
	{ "A2 taken back and given again while training runs", "2d2Bc2", "000011", "111111", 0, DOC | TR },
	{ "both taken back in turn, documentation given again", "2d2D2t2", "00001111", NULL, 0, DOC | TR },
	{ "documentation stops, training goes on", "2T3", "11000", "11111", TR, DOC },
	{ "the same, then training is taken back", "2T3t", "11000", NULL, TR, DOC },
	{ "the same, and given again", "2T2tT2", "110000", "000011", TR, DOC },
	{ "documentation stops, training from a later press", "2N0T2", "1100", "0011", 0, DOC },
	{ "held for training, documentation consents, training granted", "3D2V2", "0001111", "1111111", 0, 0 },
	{ "held for training, documentation consents, training denied", "3D2t2", "0001111", NULL, 0, 0 },
	{ "documentation comes and goes", "1T1B1T1B1", "10101", "11111", TR, DOC },
	{ "nobody is left", "2d1", NULL, NULL, 0, DOC },
};

static void expect(const struct model *m, unsigned p, const char *readable)
{
	assert_int_equal(m->keyed >> p & 1, readable != NULL);
	for (unsigned i = 0; readable && i < m->n; i++)
		assert_int_equal(m->may[i] >> p & 1, readable[i] == '1');
}

static void test_combinations(void **state)
{
	struct store *st = open_store(STORE_RW);
	struct model *m = calloc(1, sizeof(*m));

	(void)state;
	for (unsigned i = 0; i < sizeof(combinations) / sizeof(combinations[0]); i++) {
		m_begin(m, st, i, combinations[i].covers, combinations[i].commit);
		play(m, combinations[i].script);
		expect(m, 0, combinations[i].doc); /* the model itself is right */
		expect(m, 1, combinations[i].training);
		if (m->keyed)
			m_end(m);
		else
			store_call_abort(m->sc);
		/* read by the second reader from finished files only */
		store_close(st);
		if (m->keyed)
			check(m);
		st = open_store(STORE_RW);
	}
	store_close(st);
	fsck_clean(NULL);
	free(m);
}

static void step(struct model *m)
{
	unsigned p = rnd() % 2;

	switch (rnd() % 8) {
	case 0:
		m_part(m, rnd() % 4);
		break;
	case 1:
		if (m->keyed >> p & 1)
			m_drop(m, p);
		break;
	case 2:
		if (m->keyed >> p & 1)
			m_commit(m, p);
		break;
	case 3:
		if (!(rnd() % 3))
			m_cover(m, p);
		break;
	default:
		m_chunks(m, rnd() % 4);
	}
}

static void sequences(unsigned calls, bool threads)
{
	struct model *m = calloc(calls, sizeof(*m));
	struct store_threads_settings set;
	struct store *st = open_store(STORE_RW);
	uint64_t seed;

	if (threads) {
		store_threads_default(&set);
		ok(st, store_threads(st, &set));
	}
	for (unsigned i = 0; i < calls; i++) {
		seed = 77 + i * 1299709ULL;
		rng_state = seed;
		m_begin(&m[i], st, i, rnd() % 4, rnd() % 4);
		for (unsigned k = 10 + rnd() % 40; k; k--) {
			rng_state = seed += 0x9e3779b97f4a7c15ULL; /* chunks have a seed of their own */
			rnd();
			step(&m[i]);
		}
		m_end(&m[i]);
	}
	store_close(st);
	fsck_clean(NULL);
	for (unsigned i = 0; i < calls; i++)
		check(&m[i]);
	free(m);
}

static void test_random(void **state)
{
	(void)state;
	sequences(100, false);
}

static void test_random_threads(void **state)
{
	(void)state;
	sequences(40, true);
}

/* A table that is full: nothing changes, and it is counted. */
static void test_full(void **state)
{
	struct store *st = open_store(STORE_RW);
	struct model *m = calloc(1, sizeof(*m));
	struct store_figures f;
	struct store_call *sc;

	(void)state;
	m_begin(m, st, 1, 0, DOC);
	sc = m->sc;
	for (unsigned i = 1; i < 64; i++) {
		m_part(m, i & 1 ? DOC | TR : DOC);
		m_chunks(m, 2);
	}
	assert_int_equal(store_call_part(sc, DOC, m_now(m)), -ENOSPC);
	assert_int_equal(store_call_part(sc, TR, m_now(m)), -ENOSPC);
	ok(st, store_call_part(sc, DOC | TR, m_now(m))); /* as it is */
	store_figures(st, &f);
	assert_int_equal(f.parts, 63);
	assert_int_equal(f.no_part, 2);
	m_chunks(m, 2);
	m_end(m);
	store_close(st);
	check(m);
	fsck_clean(NULL);
	free(m);
}

/* Asked for what cannot be. */
static void test_refused(void **state)
{
	struct store *st = open_store(STORE_RW);
	struct store_call_meta m;
	struct store_call *sc;

	(void)state;
	meta_of(1, &m); /* no deadline for training */
	ok(st, store_call_begin(st, &m, &sc));
	assert_int_equal(store_call_part(sc, DOC | TR, T0), -EINVAL);
	assert_int_equal(store_call_part(sc, 4, T0), -EINVAL);
	assert_int_equal(store_call_cover(sc, STORE_TRAINING), -EINVAL);
	assert_int_equal(store_call_commit(sc, STORE_TRAINING), -EINVAL);
	assert_int_equal(store_call_for(sc, 0), DOC);
	store_call_abort(sc);
	store_close(st);
	fsck_clean(NULL);
}

/* ---- keys are really gone ---- */

/* What lies under a destroyed wrap stays shut even to who kept the wrap, the bucket and the private key. */
static void test_kept_wrap(void **state)
{
	struct store *st = open_store(STORE_RW);
	struct model *m = calloc(1, sizeof(*m));
	struct store_call_meta meta;
	struct store_figures f;
	struct store_reader *r;
	const struct chunk *c;
	unsigned leg, n = 0;

	(void)state;
	m_begin(m, st, 3, 0, DOC | TR);
	m_chunks(m, 4);
	ok(st, store_sync(st));
	shell("cp -r %s/keys %s/copy", store_dir, base_dir);
	m_drop(m, STORE_TRAINING);
	store_figures(st, &f);
	assert_int_equal(f.parts, 1); /* documentation goes on under a key that the old wrap never led to */
	m_chunks(m, 4);
	m_part(m, DOC | TR);
	m_chunks(m, 4);
	m_end(m);
	store_close(st);
	check(m);
	/* the old wrap in place of the new one, the row as it is */
	shell("cp %s/copy/acme/training/*.slots %s/keys/acme/training/", base_dir, store_dir);
	shell("for f in %s/catalog/acme/*.db; do sqlite3 $f 'update calls set training_slot=1'; done", store_dir);
	st = open_store(STORE_RO);
	meta_both(3, &meta);
	assert_int_equal(store_read_open(st, &meta.uid, STORE_TRAINING, keys_dir, &r), -EBADMSG);
	assert_non_null(strstr(store_why(st), "C-4"));
	ok(st, store_read_open(st, &meta.uid, STORE_DOCUMENTATION, keys_dir, &r));
	while (store_read_next(r, &leg, &c) == 1)
		n++;
	assert_int_equal(n, 12);
	store_read_close(r);
	store_close(st);
	free(m);
}

/* ---- take-over and kills ---- */

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

static void in_child(void (*fn)(unsigned arg), unsigned arg)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		fn(arg);
		kill(getpid(), SIGKILL);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
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

/* ---- damage ---- */

/* A table that was changed in any byte, or cut: told, and never another's audio. */
static void test_damaged_table(void **state)
{
	struct store *st = open_store(STORE_RW);
	struct model *m = calloc(1, sizeof(*m));
	struct store_call_meta meta;
	unsigned told = 0, n;
	char db[600];
	FILE *p;

	(void)state;
	m_begin(m, st, 5, 0, DOC);
	m_chunks(m, 4);
	m_part(m, DOC | TR);
	m_chunks(m, 4);
	m_end(m);
	store_close(st);
	meta_both(5, &meta);
	snprintf(db, sizeof(db), "sqlite3 %s/catalog/acme/*.db", store_dir);
	shell("%s 'create table was as select parts from calls; select length(parts) from was' >%s/len", db, base_dir);
	{
		char path[300];

		snprintf(path, sizeof(path), "%s/len", base_dir);
		p = fopen(path, "r");
		assert_non_null(p);
		assert_int_equal(fscanf(p, "%u", &n), 1);
		fclose(p);
	}
	assert_true(n > 100 && n < 300);
	for (unsigned i = 0; i < n; i++) {
		struct finding f;
		unsigned doc, tr;

		if (i % 2) /* cut */
			shell("%s 'update calls set parts=(select substr(parts,1,%u) from was)'", db, i);
		else
			shell("%s \"update calls set parts=cast((select substr(parts,1,%u)||x'ff'||substr(parts,%u) from was) as blob)\"", db, i,
			      i + 2);
		told += fsck(&f, NULL);
		st = open_store(STORE_RO);
		for (unsigned k = 0; k < 2; k++) {
			struct store_reader *r;
			const struct chunk *c;
			unsigned leg, *set = k ? &tr : &doc;
			int rc = store_read_open(st, &meta.uid, (enum store_purpose)k, keys_dir, &r);

			*set = 0;
			if (rc)
				continue;
			while ((rc = store_read_next(r, &leg, &c)) != 0) {
				assert_true(rc == 1 || rc == -EBADMSG);
				if (rc == 1)
					*set |= 1u << number_of(c->pkt[0].seq, leg);
			}
			store_read_close(r);
		}
		assert_false(tr & 0xf); /* what training was not given */
		assert_false(doc & ~0xffu);
		store_close(st);
	}
	assert_true(told > n / 3);
	free(m);
}

/* A chunk whose header names another part: not authentic; a row without its table: told. */
static void test_wrong_part(void **state)
{
	struct store *st = open_store(STORE_RW);
	struct model *m = calloc(1, sizeof(*m));
	struct store_call_meta meta;
	struct store_reader *r;
	const struct chunk *c;
	struct finding f;
	unsigned leg;

	(void)state;
	m_begin(m, st, 5, 0, DOC);
	m_chunks(m, 4);
	m_part(m, DOC | TR);
	m_chunks(m, 4);
	m_end(m);
	store_close(st);
	shell("sqlite3 %s/catalog/acme/*.db 'update calls set parts=NULL'", store_dir);
	assert_int_equal(fsck(&f, NULL), 1);
	assert_string_equal(f.rule, "C-4");
	st = open_store(STORE_RO);
	meta_both(5, &meta);
	ok(st, store_read_open(st, &meta.uid, STORE_DOCUMENTATION, keys_dir, &r));
	for (unsigned i = 0; i < 8; i++) {
		assert_int_equal(store_read_next(r, &leg, &c), -EBADMSG);
		assert_non_null(strstr(store_why(st), i < 4 ? "S-7" : "C-4"));
	}
	assert_int_equal(store_read_next(r, &leg, &c), 0);
	store_read_close(r);
	store_close(st);
	free(m);
}

/* ---- a store of before ---- */

static int count_rows(void *arg, const struct store_row *row)
{
	(void)row;
	++*(int *)arg;
	return 0;
}

static void uid_old(unsigned i, struct uid *uid)
{
	char id[32];

	snprintf(id, sizeof(id), "old-%u@host", i);
	uid_make(1767225600000000000ULL + i * 60 * NS_PER_S, id, strlen(id), uid);
}

/* Chunks of call i as the old program wrote them: by n, 50 packets of 160 bytes. */
static void read_old(struct store *st, unsigned i, enum store_purpose p, int want)
{
	struct store_reader *r;
	const struct chunk *c;
	struct store_gap gap;
	struct uid uid;
	unsigned leg, n = 0;
	const char *caller, *callee;

	uid_old(i, &uid);
	assert_int_equal(store_read_open(st, &uid, p, keys_dir, &r), want);
	if (want)
		return;
	for (; store_read_next(r, &leg, &c) == 1; n++) {
		assert_int_equal(leg, n & 1);
		assert_int_equal(c->npkt, 50);
		for (unsigned k = 0; k < 50; k++)
			assert_int_equal(c->data[c->pkt[k].off + 7], (uint8_t)(i * 31 + leg * 17 + n / 2 * 7 + k));
	}
	assert_int_equal(n, 4);
	ok(st, store_read_numbers(r, &caller, &callee));
	assert_string_equal(caller, "+4533123456");
	assert_int_equal(store_read_gaps(r, &gap, 1), 0);
	store_read_close(r);
}

static void check_old(struct store *st)
{
	read_old(st, 0, STORE_DOCUMENTATION, 0);
	read_old(st, 0, STORE_TRAINING, -EACCES);
	read_old(st, 1, STORE_DOCUMENTATION, 0);
	read_old(st, 1, STORE_TRAINING, 0);
	read_old(st, 2, STORE_DOCUMENTATION, -EACCES);
}

static void old_chunk(void *arg, const struct fr_chunk *c)
{
	assert_int_equal(c->npkt, 50);
	++*(unsigned *)arg;
}

static void test_format_1(void **state)
{
	struct store_filter any = { .state = -1 };
	char caller[64], callee[64], key[300], id[UID_TEXT];
	struct model *m = calloc(1, sizeof(*m));
	struct uid uid;
	struct store *st;
	unsigned n = 0;
	uint64_t calls = 0;
	int rows = 0;

	(void)state;
	if (access(GOLDEN "/v1/optag.store", R_OK))
		fail_msg("%s: not there; run from the top of the tree", GOLDEN);
	shell("rm -rf %s %s && cp -r " GOLDEN "/v1 %s && cp -r " GOLDEN "/v1-private %s && chmod 600 %s/*", store_dir, keys_dir,
	      store_dir, keys_dir, keys_dir);
	fsck_clean(NULL);
	st = open_store(STORE_RO);
	check_old(st);
	assert_int_equal(store_find(st, &any, count_rows, &rows), 0);
	assert_int_equal(rows, 3);
	store_close(st);
	shell("grep -q '^optag-store 1$' %s/optag.store", store_dir); /* a reader changes nothing */
	/* the first writer makes it format 2, ends the call that was left, and writes beside the old rows */
	st = open_store(STORE_RW);
	ok(st, store_settle(st, &calls));
	assert_int_equal(calls, 1);
	m_begin(m, st, 9, 0, DOC);
	m_chunks(m, 4);
	m_part(m, DOC | TR);
	m_chunks(m, 4);
	m_end(m);
	store_close(st);
	shell("grep -q '^optag-store 3$' %s/optag.store", store_dir);
	fsck_clean(NULL);
	st = open_store(STORE_RO);
	check_old(st);
	read_old(st, 3, STORE_DOCUMENTATION, 0); /* the one that was in progress */
	read_old(st, 3, STORE_TRAINING, -EACCES);
	store_close(st);
	check(m);
	uid_old(3, &uid);
	uid_format(&uid, id);
	snprintf(key, sizeof(key), "%s/documentation.key", keys_dir);
	fr_read_call(store_dir, "acme", "2065-12-22", id, "documentation", 0, key, caller, callee, old_chunk, &n);
	assert_int_equal(n, 4);
	free(m);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_combinations), T(test_random),	  T(test_random_threads), T(test_full),		 T(test_refused),
		T(test_kept_wrap),    T(test_kills),	  T(test_kill_between),	  T(test_old_state),	 T(test_durable_state),
		T(test_untold),	      T(test_damaged_table), T(test_wrong_part), T(test_format_1),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
