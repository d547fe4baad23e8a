/* SPDX-License-Identifier: BSD-2-Clause */
/* test_grounds.c - grounds of objections: who may read them, what is left of them where, and when they are gone */
#include "format_reader.h"

#include <sys/mman.h>

#include "base/buf.h"
#include "store/grounds.h"
#include "store_util.h"

#define WORDS "my own doctor is in the room"
#define MORE  "og nu ogs\xc3\xa5 min nabo"

static struct store_call *begin(struct store *st, unsigned i, bool training)
{
	struct chunk *c = chunk_new();
	struct store_call_meta m;
	struct store_call *sc;

	meta_of(i, &m);
	if (training) {
		m.until_ns[1] = m.until_ns[0];
		m.covers[1] = true;
	}
	ok(st, store_call_begin(st, &m, &sc));
	chunk_of(c, i, 0, 0);
	ok(st, store_call_append(sc, 0, c));
	chunk_free(c);
	return sc;
}

static struct uid uid_of(unsigned i)
{
	struct store_call_meta m;

	meta_of(i, &m);
	return m.uid;
}

static void end(struct store *st, struct store_call *sc, unsigned i, enum store_state doc, enum store_state train)
{
	struct store_call_result r;

	result_of(i, &r);
	r.state[0] = doc;
	r.state[1] = train;
	if (train == STORE_S_GRANTED)
		ok(st, store_call_commit(sc, STORE_TRAINING));
	ok(st, store_call_end(sc, &r));
	ok(st, store_sync(st));
}

/* The words that p has of call i, a line each with the purpose's number. */
static void expect_words(struct store *st, unsigned i, enum store_purpose p, const char *want)
{
	struct uid uid = uid_of(i);
	struct store_reader *r;
	enum store_purpose of;
	const char *text, *caller, *callee;
	char got[600] = "";
	unsigned n = 0;

	ok(st, store_read_words(st, &uid, p, keys_dir, &r));
	for (; !store_read_grounds(r, n, &of, &text); n++)
		snprintf(got + strlen(got), sizeof(got) - strlen(got), "%d %s\n", (int)of, text);
	assert_int_equal(store_read_grounds(r, n, &of, &text), -ENODATA);
	assert_string_equal(got, want);
	ok(st, store_read_numbers(r, &caller, &callee));
	assert_string_equal(callee, "+4570000000");
	store_read_close(r);
}

static int row_has(void *arg, const struct store_row *r)
{
	*(int *)arg = r->grounds;
	return 0;
}

static void expect_row(struct store *st, unsigned i, bool want)
{
	struct uid uid = uid_of(i);
	struct store_filter f = { .uid = &uid, .state = -1 };
	int got = -1;

	ok(st, store_find(st, &f, row_has, &got));
	assert_int_equal(got, want);
}

static void nowhere_in_clear(void)
{
	shell("! grep -rqaF -e '%s' -e '%s' '%s'", WORDS, MORE, store_dir);
}

static void test_kept(void **state)
{
	char key[300], uid[UID_TEXT], said[2][80] = { "", "" };
	struct store *st = open_store(STORE_RW);
	struct uid u = uid_of(1);
	struct store_reader *r;
	struct store_call *sc;
	const struct chunk *c;
	unsigned leg;

	(void)state;
	sc = begin(st, 1, false);
	ok(st, store_call_grounds(sc, STORE_TRAINING, WORDS));
	ok(st, store_sync(st));
	nowhere_in_clear(); /* the record */
	ok(st, store_call_grounds(sc, STORE_DOCUMENTATION, MORE));
	end(st, sc, 1, STORE_S_GRANTED, STORE_S_NONE);
	write_call(st, 2, 1);
	sc = begin(st, 3, false); /* restricted: no audio for anybody, the words for who decides */
	ok(st, store_call_grounds(sc, STORE_DOCUMENTATION, WORDS));
	end(st, sc, 3, STORE_S_OBJECTED, STORE_S_NONE);
	ok(st, store_sync(st));
	nowhere_in_clear();
	expect_words(st, 1, STORE_DOCUMENTATION, "1 " WORDS "\n0 " MORE "\n");
	expect_words(st, 2, STORE_DOCUMENTATION, "");
	expect_words(st, 3, STORE_DOCUMENTATION, "0 " WORDS "\n");
	expect_row(st, 1, true);
	expect_row(st, 2, false);
	expect_row(st, 3, true);
	ok(st, store_read_words(st, &u, STORE_DOCUMENTATION, keys_dir, &r));
	assert_int_equal(store_read_next(r, &leg, &c), 0); /* also of what is GRANTED */
	store_read_close(r);
	u = uid_of(3);
	assert_int_equal(store_read_open(st, &u, STORE_DOCUMENTATION, keys_dir, &r), -EACCES);
	assert_int_equal(store_read_words(st, &u, STORE_TRAINING, keys_dir, &r), -EACCES);
	store_close(st);
	fsck_clean(NULL);
	/* by the format's description alone */
	u = uid_of(1);
	uid_format(&u, uid);
	snprintf(key, sizeof(key), "%s/documentation.key", keys_dir);
	fr_read_grounds(store_dir, "acme", "2027-02-16", uid, "documentation", 0, key, said);
	assert_string_equal(said[0], "1 " WORDS);
	assert_string_equal(said[1], "0 " MORE);
}

static void test_limits(void **state)
{
	struct store *st = open_store(STORE_RW);
	struct store_call *sc = begin(st, 1, false);
	char text[STORE_GROUNDS_MAX + 2];

	(void)state;
	memset(text, 'x', sizeof(text));
	text[STORE_GROUNDS_MAX + 1] = 0;
	assert_int_equal(store_call_grounds(sc, STORE_DOCUMENTATION, text), -EINVAL);
	assert_int_equal(store_call_grounds(sc, STORE_DOCUMENTATION, ""), -EINVAL);
	text[STORE_GROUNDS_MAX] = 0;
	for (int i = 0; i < 4; i++)
		ok(st, store_call_grounds(sc, STORE_DOCUMENTATION, text));
	assert_int_equal(store_call_grounds(sc, STORE_DOCUMENTATION, "x"), -ENOSPC);
	end(st, sc, 1, STORE_S_GRANTED, STORE_S_NONE);
	expect_row(st, 1, true);
	store_close(st);
	fsck_clean(NULL);
}

static size_t saved_bytes(const struct store_call *sc)
{
	struct buf b = { 0 };
	size_t n;

	assert_int_equal(store_call_save(sc, &b), 0);
	n = b.len;
	buf_free(&b);
	return n;
}

/* What nobody is given is not kept, and what nobody has any more is gone. */
static void test_gone(void **state)
{
	struct store *st = open_store(STORE_RW);
	struct store_call *sc = begin(st, 1, true);
	struct uid u = uid_of(3);
	struct store_reader *r;
	size_t before;

	(void)state;
	ok(st, store_call_grounds(sc, STORE_TRAINING, WORDS));
	ok(st, store_call_drop(sc, STORE_TRAINING)); /* the other has them */
	end(st, sc, 1, STORE_S_GRANTED, STORE_S_DENIED);
	expect_words(st, 1, STORE_DOCUMENTATION, "1 " WORDS "\n");
	sc = begin(st, 2, true);
	ok(st, store_call_drop(sc, STORE_DOCUMENTATION));
	ok(st, store_call_grounds(sc, STORE_DOCUMENTATION, WORDS));
	end(st, sc, 2, STORE_S_DENIED, STORE_S_GRANTED);
	expect_words(st, 2, STORE_TRAINING, "0 " WORDS "\n");
	sc = begin(st, 3, true);
	before = saved_bytes(sc);
	ok(st, store_call_grounds(sc, STORE_DOCUMENTATION, WORDS));
	assert_true(saved_bytes(sc) > before);
	ok(st, store_call_drop(sc, STORE_DOCUMENTATION));
	ok(st, store_call_drop(sc, STORE_TRAINING));
	assert_int_equal(saved_bytes(sc), before); /* not until the call's end */
	assert_int_equal(store_call_grounds(sc, STORE_DOCUMENTATION, MORE), -ENODATA);
	end(st, sc, 3, STORE_S_DENIED, STORE_S_DENIED);
	expect_row(st, 3, false);
	assert_int_equal(store_read_words(st, &u, STORE_DOCUMENTATION, keys_dir, &r), -EACCES);
	store_close(st);
	shell("test \"$(sqlite3 '%s'/catalog/acme/2027-02-16.db 'SELECT count(*) FROM calls WHERE grounds IS NOT NULL')\" = 2", store_dir);
}

/* A box is of its call and place. */
static void test_moved(void **state)
{
	struct store *st = open_store(STORE_RW);
	struct store_call *sc = begin(st, 1, false);
	struct uid u = uid_of(1);
	struct store_reader *r;
	enum store_purpose p;
	const char *text;

	(void)state;
	ok(st, store_call_grounds(sc, STORE_DOCUMENTATION, "aaaa"));
	ok(st, store_call_grounds(sc, STORE_DOCUMENTATION, "bbbb"));
	end(st, sc, 1, STORE_S_GRANTED, STORE_S_NONE);
	store_close(st);
	shell("sqlite3 '%s'/catalog/acme/2027-02-16.db \"UPDATE calls SET grounds=CAST(substr(grounds,36)||substr(grounds,1,35) AS BLOB)\"", store_dir);
	fsck_clean(NULL);
	st = open_store(STORE_RO);
	ok(st, store_read_words(st, &u, STORE_DOCUMENTATION, keys_dir, &r));
	assert_int_equal(store_read_grounds(r, 0, &p, &text), -EBADMSG);
	assert_int_equal(store_read_grounds(r, 2, &p, &text), -ENODATA);
	store_read_close(r);
	store_close(st);
	shell("sqlite3 '%s'/catalog/acme/2027-02-16.db \"UPDATE calls SET grounds=x'0100ff'\"", store_dir);
	struct finding f;

	assert_int_equal(fsck(&f, NULL), 1);
	assert_string_equal(f.rule, "C-2");
}

/* The writer dies: how far the record had it (n 1), or what was handed on (n 2). */
static struct shared {
	uint8_t state[8192];
	size_t n;
} *sh;

static void dies(void)
{
	struct store *st = open_store(STORE_RW);
	struct store_call *sc = begin(st, 1, false);
	struct buf b = { 0 };

	ok(st, store_call_grounds(sc, STORE_DOCUMENTATION, WORDS));
	ok(st, store_sync(st));
	ok(st, store_call_grounds(sc, STORE_TRAINING, MORE));
	assert_int_equal(store_call_save_durable(sc, &b), 0);
	assert_true(b.len < sizeof(sh->state));
	memcpy(sh->state, b.p, b.len);
	sh->n = b.len;
	_exit(0);
}

static void die(void)
{
	pid_t pid = fork();
	int status;

	if (!pid)
		dies();
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void test_crash(void **state)
{
	struct store *st;

	(void)state;
	die();
	st = open_store(STORE_RW);
	ok(st, store_settle(st, NULL));
	expect_words(st, 1, STORE_DOCUMENTATION, "0 " WORDS "\n");
	store_close(st);
	nowhere_in_clear();
}

static void test_resumed(void **state)
{
	struct store_call *sc;
	struct store *st;

	(void)state;
	die();
	st = open_store(STORE_RW);
	ok(st, store_call_resume(st, sh->state, sh->n, &sc));
	ok(st, store_settle(st, NULL));
	ok(st, store_call_grounds(sc, STORE_DOCUMENTATION, "third"));
	end(st, sc, 1, STORE_S_OBJECTED, STORE_S_NONE);
	expect_words(st, 1, STORE_DOCUMENTATION, "0 " WORDS "\n1 " MORE "\n0 third\n");
	store_close(st);
	fsck_clean(NULL);
}

static void on_file(void *arg, const char *file, const char *text)
{
	(void)arg;
	(void)file;
	(void)text;
}

/* The copy of the row in the segment has them. */
static void test_rebuilt(void **state)
{
	struct store *st = open_store(STORE_RW);
	struct store_call *sc = begin(st, 1, false);
	struct store_rebuild_report rep;
	char why[512];

	(void)state;
	ok(st, store_call_grounds(sc, STORE_DOCUMENTATION, WORDS));
	end(st, sc, 1, STORE_S_GRANTED, STORE_S_NONE);
	store_close(st);
	shell("rm '%s'/catalog/acme/2027-02-16.db*", store_dir);
	assert_int_equal(store_rebuild(store_dir, on_file, NULL, &rep, why, sizeof(why)), 0);
	st = open_store(STORE_RO);
	expect_words(st, 1, STORE_DOCUMENTATION, "0 " WORDS "\n");
	store_close(st);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_kept, make_store, drop_store),
		cmocka_unit_test_setup_teardown(test_limits, make_store, drop_store),
		cmocka_unit_test_setup_teardown(test_gone, make_store, drop_store),
		cmocka_unit_test_setup_teardown(test_moved, make_store, drop_store),
		cmocka_unit_test_setup_teardown(test_crash, make_store, drop_store),
		cmocka_unit_test_setup_teardown(test_resumed, make_store, drop_store),
		cmocka_unit_test_setup_teardown(test_rebuilt, make_store, drop_store),
	};

	sh = mmap(NULL, sizeof(*sh), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return sh == MAP_FAILED ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
