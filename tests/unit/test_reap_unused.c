/* SPDX-License-Identifier: BSD-2-Clause */
/* The reaper and training that nobody used: within its time, on a full disk, with damage, and that it is looked at once. */
#include "reap_calls.h"

static void test_unused(void **state)
{
	struct reap_settings s = { .now_ns = T0 + 31 * DAY_NS, .told = true };
	struct store *st = open_store(STORE_RW);
	struct uid used, unused, never, later[4];
	enum store_state doc, training;
	struct reap_totals t;
	char text[UID_TEXT], two[2][UID_TEXT];

	(void)state;
	used = train_call(st, 1, T0 + 30 * DAY_NS);
	unused = train_call(st, 2, T0 + 30 * DAY_NS);
	never = train_call(st, 3, 0);
	for (unsigned i = 0; i < 4; i++)
		later[i] = train_call(st, 4 + i, T0 + 40 * DAY_NS);
	ok(st, store_sync(st));
	store_close(st);
	uid_format(&used, text);
	shell("printf '{\"call\":\"%s\",\"kind\":\"played\",\"by\":\"anna\",\"at\":1795000000000000000,\"uid\":1001}\\n' >'%s/used'", text,
	      store_dir);
	s.dry = true;
	assert_int_equal(reap_with(&s, &t), 0);
	assert_int_equal(t.single, 1);
	t = reap_at(T0 + 31 * DAY_NS);
	assert_int_equal(t.single, 1);
	assert_true(found(&unused, &doc, &training) && doc == STORE_S_GRANTED && training == STORE_S_EXPIRED);
	assert_true(found(&used, &doc, &training) && training == STORE_S_GRANTED);
	assert_true(found(&never, &doc, &training) && training == STORE_S_GRANTED);
	assert_true(found(&later[0], &doc, &training) && training == STORE_S_GRANTED);
	assert_int_equal(told("purpose.expire.*\"training\".*\"unused\""), 1);
	fsck_clean(NULL);
	t = reap_at(T0 + 32 * DAY_NS);
	assert_int_equal(t.single, 0);
	/* A damaged line keeps the training of the calls in it, if any, and of no other. */
	uid_format(&later[1], text);
	uid_format(&later[2], two[0]);
	uid_format(&later[3], two[1]);
	shell("printf 'rubbish\\n\\n\\000{\"call\":\"%s\",\"kind\"\\n%s..{\"call\":\"ABC%s\\n' >>'%s/used'", text, two[0], two[1], store_dir);
	s.dry = false;
	s.now_ns = T0 + 41 * DAY_NS;
	assert_int_equal(reap_with(&s, &t), -EBADMSG);
	assert_int_equal(t.single, 1);
	assert_true(found(&later[0], &doc, &training) && training == STORE_S_EXPIRED);
	for (int i = 1; i < 4; i++)
		assert_true(found(&later[i], &doc, &training) && training == STORE_S_GRANTED);
	assert_true(found(&used, &doc, &training) && training == STORE_S_GRANTED);
	/* A file that cannot be read: nobody knows what was used. */
	shell("cd '%s' && rm used && mkdir used", store_dir);
	s.now_ns = T0 + 42 * DAY_NS;
	for (int run = 0; run < 2; run++) { /* said at each run, and the rest goes on */
		char why[512] = "";

		s.store = store_dir;
		assert_int_equal(reap_run(&s, &t, why, sizeof(why)), -EFBIG);
		assert_non_null(strstr(why, "used: "));
		assert_non_null(strstr(why, "no unused training is erased before its day"));
		assert_int_equal(t.single, 0);
		s.now_ns += NS_PER_S;
	}
}

/* More are due than one run takes, as after a time without a reaper: the next ones do the rest, and none is forgotten. */
static void test_unused_many(void **state)
{
	struct store *st = open_store(STORE_RW);
	enum store_state doc, training;
	struct reap_totals t;
	unsigned runs = 0, left;
	struct uid v[8];

	(void)state;
	for (unsigned i = 0; i < 8; i++)
		v[i] = train_call(st, i, T0 + (30 - i) * DAY_NS); /* the first ones are due last */
	ok(st, store_sync(st));
	store_close(st);
	reap_retain_max = 3;
	do {
		t = reap_at(T0 + 31 * DAY_NS + runs * NS_PER_S);
		left = 0;
		for (unsigned i = 0; i < 8; i++)
			left += found(&v[i], &doc, &training) && training == STORE_S_GRANTED;
		assert_true(t.single <= 3);
	} while (left && ++runs < 10);
	assert_true(!left && runs == 2);
	assert_int_equal(reap_at(T0 + 31 * DAY_NS + 10 * NS_PER_S).single, 0);
	reap_retain_max = REAP_RETAIN_MAX;
	assert_int_equal(told("purpose.expire.*\"unused\""), 8);
	fsck_clean(NULL);
}

/* So it is while somebody keeps it locked: what was asked for waits, nothing else. */
static void test_locked_journal(void **state)
{
	struct reap_settings s = { .now_ns = T0 + 31 * DAY_NS, .told = true };
	struct store *st = open_store(STORE_RW);
	struct uid unused, asked;
	struct reap_totals t;
	int fd;

	(void)state;
	(void)alarm(60);
	unused = train_call(st, 1, T0 + 30 * DAY_NS);
	asked = train_call(st, 2, T0 + 40 * DAY_NS);
	ok(st, store_sync(st));
	store_close(st);
	ask(&asked, STORE_TRAINING, "withdrawn");
	fd = locked("erase", LOCK_SH);
	assert_int_equal(reap_with(&s, &t), -EWOULDBLOCK);
	assert_true(t.single == 1 && t.faults == 1);
	assert_int_equal(heard(&unused, STORE_TRAINING), -ESHUTDOWN);
	close(fd);
	assert_int_equal(reap_at(s.now_ns + NS_PER_S).single, 1);
	assert_int_equal(heard(&asked, STORE_TRAINING), -EACCES);
	assert_int_equal(told("purpose.expire.*\"unused\""), 1);
	fsck_clean(NULL);
	(void)alarm(0);
}

static char first_fault[300];

static void keep_fault(void *arg, const char *text)
{
	(void)arg;
	if (!*first_fault)
		snprintf(first_fault, sizeof(first_fault), "%s", text);
}

/* A catalog whose schema is damaged is damage, and the one that is named. */
static void test_damaged_schema(void **state)
{
	struct reap_settings s = { .store = store_dir, .now_ns = T0 + 31 * DAY_NS, .told = true, .fault = keep_fault };
	struct store *st = open_store(STORE_RW);
	struct reap_totals t;
	char path[600], why[512] = "";
	sqlite3 *db;

	(void)state;
	train_call(st, 1, T0 + 30 * DAY_NS);
	ok(st, store_sync(st));
	store_close(st);
	snprintf(path, sizeof(path), "%s/catalog/acme/2027-02-16.db", store_dir);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "PRAGMA writable_schema=ON; UPDATE sqlite_schema SET sql='CREATE TABLE calls(uid' WHERE name='calls'",
				      NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	clock_set_ns(s.now_ns);
	*first_fault = 0;
	assert_int_equal(reap_run(&s, &t, why, sizeof(why)), -EBADMSG);
	if (strstr(first_fault, "later.db") || !strstr(first_fault, "catalog/acme/2027-02-16.db"))
		fail_msg("it says: %s", first_fault);
}

/* The journal of erasures cannot be written: what nobody used goes all the same, and is told of once. */
static void test_unused_without_journal(void **state)
{
	struct reap_settings s = { .now_ns = T0 + 31 * DAY_NS, .told = true };
	struct store *st = open_store(STORE_RW);
	enum store_state doc, training;
	struct uid unused, asked;
	struct reap_totals t;

	(void)state;
	unused = train_call(st, 1, T0 + 30 * DAY_NS);
	asked = train_call(st, 2, T0 + 40 * DAY_NS);
	ok(st, store_sync(st));
	store_close(st);
	assert_int_equal(reap_at(T0 + 2 * DAY_NS).single, 0);
	ask(&asked, STORE_TRAINING, "withdrawn");
	shell("cd '%s' && mv erase '%s/' && mkdir erase", store_dir, base_dir);
	/* first it cannot be told either */
	shell("cd '%s' && mv outbox '%s/' && : >outbox", store_dir, base_dir);
	assert_int_not_equal(reap_with(&s, &t), 0);
	assert_int_equal(t.single, 1);
	assert_int_equal(heard(&unused, STORE_TRAINING), -ESHUTDOWN);
	shell("cd '%s' && rm outbox && mv '%s/outbox' .", store_dir, base_dir);
	for (unsigned i = 0; i < 3; i++) {
		s.now_ns += NS_PER_S;
		assert_int_not_equal(reap_with(&s, &t), 0); /* said each time */
		assert_int_equal(t.single, !i);
		assert_int_equal(told("purpose.expire.*\"training\".*\"unused\""), 1);
	}
	assert_true(found(&unused, &doc, &training) && training == STORE_S_EXPIRED);
	shell("cd '%s' && rmdir erase && mv '%s/erase' .", store_dir, base_dir);
	t = reap_at(s.now_ns + NS_PER_S);
	assert_int_equal(t.single, 1);
	assert_true(found(&asked, &doc, &training) && training == STORE_S_WITHDRAWN);
	fsck_clean(NULL);
}

/* Each minute in each partition: what is asked is found by the index, without a look at all rows. */
static int by_index(void *arg, const char *controller, uint32_t day, unsigned part)
{
	const struct root *r = arg;
	struct why why = { "" };
	const char *plan;
	sqlite3_stmt *st;
	sqlite3 *sql;

	assert_int_equal(seal_partition(r, controller, day, part, NULL, &why), 0);
	assert_int_equal(reap_db_open(r, controller, day, part, &sql, &why), 0);
	assert_int_equal(sqlite3_prepare_v2(sql, "EXPLAIN QUERY PLAN SELECT " REAP_ROW_COLUMNS " FROM calls WHERE " REAP_UNUSED, -1, &st, NULL),
			 SQLITE_OK);
	assert_int_equal(sqlite3_step(st), SQLITE_ROW);
	plan = (const char *)sqlite3_column_text(st, 3);
	if (!plan || !strstr(plan, "INDEX calls_use_by"))
		fail_msg("plan: %s", plan ? plan : "none");
	assert_int_equal(sqlite3_step(st), SQLITE_DONE);
	sqlite3_finalize(st);
	sqlite3_close(sql);
	return 1;
}

static void test_unused_index(void **state)
{
	struct store *st = open_store(STORE_RW);
	struct why why = { "" };
	struct root root;

	(void)state;
	(void)train_call(st, 1, T0 + 30 * DAY_NS);
	ok(st, store_sync(st));
	store_close(st);
	assert_int_equal(root_open(store_dir, &root, &why), 0);
	assert_int_equal(catalog_each(&root, by_index, &root), 1);
	root_close(&root);
	assert_int_equal(reap_at(T0 + 31 * DAY_NS).single, 1);
}

static int seal_one(void *arg, const char *controller, uint32_t day, unsigned part)
{
	struct why why = { "" };
	char path[1024], rel[STORE_PATH_MAX];

	assert_int_equal(seal_partition(arg, controller, day, part, NULL, &why), 0);
	catalog_path(controller, day, part, rel);
	snprintf(path, sizeof(path), "%s/%s", store_dir, rel);
	assert_int_equal(chmod(path, 0440), 0);
	return 0;
}

/* What was looked at: the time by which the first row that was not must have been used, less 1. */
static uint64_t mark(void)
{
	unsigned long long from = 0;
	char cmd[400];
	FILE *f;

	snprintf(cmd, sizeof(cmd), "awk '$1 == \"0\" { print $3 }' '%s/reap.retention'", store_dir);
	f = popen(cmd, "r");
	assert_non_null(f);
	(void)!fscanf(f, "%llu", &from);
	pclose(f);
	return from;
}

/* Rows that are over are not looked at for ever; what is not erased yet is, and all, when what was used is not what it was. */
static void test_unused_once(void **state)
{
	struct store *st = open_store(STORE_RW);
	struct why why = { "" };
	enum store_state doc, training;
	struct uid used, v[3];
	char text[UID_TEXT];
	struct root root;

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		v[i] = train_call(st, 1 + i, T0 + (30 + i) * DAY_NS);
	used = train_call(st, 5, T0 + 30 * DAY_NS);
	ok(st, store_sync(st));
	store_close(st);
	assert_int_equal(root_open(store_dir, &root, &why), 0);
	assert_int_equal(catalog_each(&root, seal_one, &root), 0);
	root_close(&root);
	reap_retain_fresh_ns = 0;
	uid_format(&used, text);
	shell("printf '{\"call\":\"%s\",\"kind\":\"played\",\"by\":\"anna\",\"at\":1795000000000000000,\"uid\":1001}\n' >'%s/used'", text, store_dir);
	assert_int_equal(reap_at(T0 + 31 * DAY_NS).single, 2);
	assert_int_equal(mark(), T0 + 30 * DAY_NS - 1); /* asked for in this run */
	assert_int_equal(reap_at(T0 + 31 * DAY_NS + 1).single, 0);
	assert_int_equal(mark(), T0 + 31 * DAY_NS + 1);
	shell("touch -d '-1 day' '%s/used'", store_dir);
	assert_int_equal(reap_at(T0 + 33 * DAY_NS).single, 1);
	(void)reap_at(T0 + 33 * DAY_NS + 1);
	assert_int_equal(mark(), T0 + 33 * DAY_NS + 1);
	shell("tail -n 1 '%s/used' >>'%s/used'", store_dir, store_dir); /* used once more */
	assert_int_equal(reap_at(T0 + 34 * DAY_NS).single, 0);
	assert_true(found(&used, &doc, &training) && training == STORE_S_GRANTED);
	shell("sqlite3 '%s/catalog/acme/later.db' 'delete from later'", store_dir);
	assert_int_equal(reap_at(T0 + 34 * DAY_NS + 1).single, 0); /* not even looked at */
	shell("sed -i 's/%s/%.25s0/' '%s/used'", text, text, store_dir); /* it was another that was used */
	assert_int_equal(reap_at(T0 + 35 * DAY_NS).single, 4);
	reap_retain_fresh_ns = 600 * NS_PER_S;
	for (unsigned i = 0; i < 3; i++)
		assert_true(found(&v[i], &doc, &training) && training == STORE_S_EXPIRED);
	fsck_clean(NULL);
}

static void seal_all(void)
{
	struct why why = { "" };
	struct root root;

	assert_int_equal(root_open(store_dir, &root, &why), 0);
	assert_int_equal(catalog_each(&root, seal_one, &root), 0);
	root_close(&root);
}

/* A person said a time that lies ahead: what comes after that is looked at by the clock's. */
static void test_unused_ahead(void **state)
{
	struct store *st = open_store(STORE_RW);

	(void)state;
	(void)train_call(st, 1, T0 + 30 * DAY_NS);
	ok(st, store_sync(st));
	store_close(st);
	seal_all();
	reap_retain_fresh_ns = 0;
	assert_int_equal(reap_at(T0 + 35 * DAY_NS).single, 1);
	assert_int_equal(reap_at(T0 + 35 * DAY_NS + 1).single, 0);
	assert_int_equal(mark(), T0 + 35 * DAY_NS + 1);
	st = open_store(STORE_RW);
	(void)train_call(st, 2, T0 + 33 * DAY_NS);
	ok(st, store_sync(st));
	store_close(st);
	seal_all();
	usleep(20000); /* a file's time is that of the last tick */
	assert_int_equal(reap_at(T0 + 31 * DAY_NS).single, 0);
	assert_int_equal(mark(), T0 + 31 * DAY_NS);
	assert_int_equal(reap_at(T0 + 34 * DAY_NS).single, 1);
	reap_retain_fresh_ns = 600 * NS_PER_S;
	fsck_clean(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(unused), T(unused_many),
		T(unused_without_journal),
		T(locked_journal),
		T(damaged_schema),
		T(unused_index),
		T(unused_once),
		T(unused_ahead),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
