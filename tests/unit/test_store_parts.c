/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_store_parts.c - which purpose can read which part of a call, whatever happens in it
 *
 * A script says what happens; the model (parts_model.h) says who may read each chunk afterwards.
 */
#include "parts_model.h"

#define GOLDEN "tests/golden/store"

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

#define T(f) cmocka_unit_test_setup_teardown(f, make_store, drop_store)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_combinations), T(test_random), T(test_random_threads), T(test_full), T(test_refused),
		T(test_kept_wrap), T(test_damaged_table), T(test_wrong_part), T(test_format_1),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
