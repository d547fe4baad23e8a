/* SPDX-License-Identifier: BSD-2-Clause */
/* test_catalog.c - partitions of a day: filled, sealed, searched; what became of calls later */
#include "store_util.h"

#include <signal.h>
#include <sqlite3.h>

#include "store/catalog.h"
#include "store/later.h"
#include "store/overlay.h"
#include "store/sealing.h"
#include "store/slots.h"

#define DAY 20270216u /* of the calls of store_util.h */

static const char *file_at(const char *rel)
{
	static char path[600];

	snprintf(path, sizeof(path), "%s/%s", store_dir, rel);
	return path;
}

static const char *part_path(unsigned part)
{
	char rel[STORE_PATH_MAX];

	catalog_path("acme", DAY, part, rel);
	return file_at(rel);
}

static unsigned mode_of(unsigned part)
{
	struct stat sb;

	return stat(part_path(part), &sb) ? 0 : sb.st_mode & 07777;
}

static struct root root_here(void)
{
	struct why why = { "" };
	struct root r;

	assert_int_equal(root_open(store_dir, &r, &why), 0);
	return r;
}

struct list {
	unsigned n;
	struct uid uid[64];
	enum store_state state[64];
	char reason[64][64];
	uint64_t packets[64];
};

static int on_row(void *arg, const struct store_row *r)
{
	struct list *l = arg;

	l->uid[l->n] = r->uid;
	l->packets[l->n] = r->share[0].packets[0];
	snprintf(l->reason[l->n], 64, "%s", r->reason[0]);
	l->state[l->n++] = r->state[0];
	return 0;
}

static struct list find(const struct store_filter *f)
{
	struct store *st = open_store(STORE_RO);
	struct list l = { 0 };

	ok(st, store_find(st, f, on_row, &l));
	store_close(st);
	return l;
}

/* Calls from..to-1, the newest partition taking `limit`. */
static void write_calls(unsigned from, unsigned to, uint64_t limit, bool threads)
{
	struct store *st = open_store(STORE_RW);
	struct store_threads_settings s;

	catalog_limit(st->catalog, limit);
	if (threads) {
		store_threads_default(&s);
		ok(st, store_threads(st, &s));
	}
	for (unsigned i = from; i < to; i++) {
		write_call(st, i, 1);
		ok(st, store_sync(st));
	}
	for (int i = 0; threads && i < 6000 && mode_of(1) != 0440; i++)
		usleep(10000);
	store_close(st);
}

static void check_calls(unsigned n)
{
	struct store_filter any = { .state = -1 };
	struct list l = find(&any);
	struct store *st;

	assert_int_equal(l.n, n);
	st = open_store(STORE_RO);
	for (unsigned i = 0; i < n; i++) {
		struct store_filter f = { .state = -1 };
		struct store_call_meta m;
		struct list one;

		meta_of(i, &m);
		assert_true(uid_equal(&l.uid[i], &m.uid)); /* oldest first, whatever partition */
		f.number = m.caller;
		one = find(&f);
		assert_int_equal(one.n, 1);
		assert_true(uid_equal(&one.uid[0], &m.uid));
		f = (struct store_filter){ .state = -1, .sip_call_id = m.sip_call_id };
		assert_int_equal(find(&f).n, 1);
		f = (struct store_filter){ .state = -1, .uid = &m.uid };
		assert_int_equal(find(&f).n, 1);
		f = (struct store_filter){ .state = -1, .number = m.callee, .since_ns = m.start_ns, .until_ns = m.start_ns + 1 };
		assert_int_equal(find(&f).n, 1);
		assert_int_equal(read_call(st, i, 1), 0);
	}
	store_close(st);
	fsck_clean(NULL);
}

static void test_parts(void **state)
{
	struct store_call_meta m;
	struct store_call *sc;
	struct store_call_result r;
	struct store *st;

	(void)state;
	write_calls(0, 12, 5, false);
	assert_int_equal(mode_of(1), 0440);
	assert_int_equal(mode_of(2), 0440);
	assert_int_equal(mode_of(3) & 0200, 0200);
	assert_int_equal(mode_of(4), 0);
	shell("test -z \"$(ls %s/catalog/acme | grep -e '-wal\\|-shm\\|seal')\"", store_dir);
	check_calls(12);
	/* the writer knows them all, and gives none a second row */
	st = open_store(STORE_RW);
	for (unsigned i = 0; i < 13; i++) {
		meta_of(i, &m);
		assert_int_equal(store_call_known(st, &m.uid, "acme"), i < 12);
	}
	meta_of(0, &m);
	result_of(0, &r);
	ok(st, store_call_begin(st, &m, &sc));
	assert_int_equal(store_call_end(sc, &r), -EEXIST);
	store_close(st);
	write_calls(12, 14, 5, false); /* goes on in the newest */
	assert_int_equal(mode_of(4), 0);
	check_calls(14);
}

static void test_thread(void **state)
{
	(void)state;
	write_calls(0, 8, 3, true);
	assert_int_equal(mode_of(1), 0440);
	check_calls(8);
	write_calls(8, 9, 3, false); /* what it was not done with is sealed now */
	assert_int_equal(mode_of(2), 0440);
	check_calls(9);
}

/* Left alone for long enough, by the machine's clock. */
static void test_idle(void **state)
{
	(void)state;
	write_calls(0, 3, 100, false);
	shell("touch -d '23 hours ago' '%s'", part_path(1));
	write_calls(3, 4, 100, false);
	assert_int_equal(mode_of(1) & 0200, 0200);
	shell("touch -d '25 hours ago' '%s'", part_path(1));
	shell("cp -p '%s' %s/hold.away && cp -p %s/hold.away %s/catalog/acme/hold.db", part_path(1), base_dir, base_dir, store_dir);
	write_calls(4, 5, 100, false);
	shell("cmp %s/hold.away %s/catalog/acme/hold.db && test $(stat -c %%a %s/catalog/acme/hold.db) != 440", base_dir, store_dir,
	      store_dir); /* who holds calls writes to that one */
	shell("rm %s/catalog/acme/hold.db", store_dir);
	assert_int_equal(mode_of(1), 0440);
	assert_int_equal(mode_of(2) & 0200, 0200);
	check_calls(5);
}

/* What a killed writer leaves: half a copy; a whole one that did not take its place; both files that changed places. */
static void test_killed(void **state)
{
	_Atomic int stop = 1;
	struct why why = { "" };
	struct root r;

	(void)state;
	write_calls(0, 6, 100, false);
	shell("head -c 5000 '%s' > '%s.seal'", part_path(1), part_path(1));
	r = root_here();
	assert_int_equal(seal_partition(&r, "acme", DAY, 1, &stop, &why), -ECANCELED);
	shell("test ! -e '%s.seal'", part_path(1));
	assert_int_equal(mode_of(1) & 0200, 0200);
	check_calls(6);
	shell("cp '%s' '%s.seal'; touch '%s.seal-journal'", part_path(1), part_path(1), part_path(1));
	fsck_clean(NULL);
	write_calls(6, 7, 100, false);
	shell("test -z \"$(ls %s/catalog/acme | grep seal)\"", store_dir);
	assert_int_equal(seal_partition(&r, "acme", DAY, 1, NULL, &why), 0);
	assert_int_equal(seal_partition(&r, "acme", DAY, 1, NULL, &why), 0); /* is it already */
	assert_int_equal(seal_partition(&r, "acme", DAY, 7, NULL, &why), -ENOENT);
	check_calls(7);
	write_calls(7, 8, 100, false);
	assert_int_not_equal(mode_of(2), 0);
	check_calls(8);
	root_close(&r);
}

/* kill -9 at any moment: the partition is as it was, or sealed, and has all rows. */
static void test_kill_seal(void **state)
{
	unsigned sealed = 0, not = 0;
	struct root r;

	(void)state;
	write_calls(0, 6, 100, false);
	shell("cp -a '%s' '%s/good.db'", part_path(1), base_dir);
	r = root_here();
	for (unsigned i = 0; i < 120; i++) {
		struct store_filter any = { .state = -1 };
		struct why why = { "" };
		pid_t pid;

		shell("cp -a '%s/good.db' '%s.new' && mv -f '%s.new' '%s'", base_dir, part_path(1), part_path(1), part_path(1));
		fflush(stdout);
		pid = fork();
		if (!pid) {
			(void)seal_partition(&r, "acme", DAY, 1, NULL, &why);
			pause();
		}
		usleep(i * 250);
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		if (mode_of(1) == 0440)
			sealed++;
		else
			not++;
		assert_int_equal(find(&any).n, 6);
	}
	assert_true(not);
	print_message("killed %u times before, %u after it was sealed\n", not, sealed);
	write_calls(6, 7, 100, false);
	shell("test -z \"$(ls %s/catalog/acme | grep seal)\"", store_dir);
	check_calls(7);
	root_close(&r);
}

/* A reader that has the file open when a sealed one takes its name, or that nobody writes to. */
static void test_reader(void **state)
{
	struct store_filter any = { .state = -1 };
	const struct cursor_row *row;
	struct why why = { "" };
	struct cursor *c;
	struct root r;
	unsigned n = 0;
	int rc;

	(void)state;
	write_calls(0, 6, 100, false);
	r = root_here();
	assert_int_equal(cursor_open(&r, "acme", DAY, 1, &any, NULL, NULL, &c, &why), 0);
	assert_int_equal(cursor_next(c, &row, &why), 1);
	assert_int_equal(seal_partition(&r, "acme", DAY, 1, NULL, &why), 0);
	while ((rc = cursor_next(c, &row, &why)) == 1)
		n++;
	assert_int_equal(rc, 0);
	assert_int_equal(n, 5);
	cursor_close(c);
	root_close(&r);
}

/* Rows that a killed writer left in the WAL are sealed with the others. */
static void test_wal(void **state)
{
	pid_t pid;
	int status;

	(void)state;
	fflush(stdout);
	pid = fork();
	if (!pid) {
		struct store *st = open_store(STORE_RW);

		for (unsigned i = 0; i < 5; i++)
			write_call(st, i, 1);
		ok(st, store_sync(st));
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	shell("test -s '%s-wal'", part_path(1));
	shell("touch -d '2 days ago' '%s'", part_path(1));
	write_calls(5, 6, 100, false);
	assert_int_equal(mode_of(1), 0440);
	shell("test ! -e '%s-wal'", part_path(1));
	check_calls(6);
}

static void plan(sqlite3 *db, const char *sql, const char *want)
{
	char text[500];
	sqlite3_stmt *st;
	bool found = false;

	snprintf(text, sizeof(text), "EXPLAIN QUERY PLAN %s", sql);
	assert_int_equal(sqlite3_prepare_v2(db, text, -1, &st, NULL), SQLITE_OK);
	while (sqlite3_step(st) == SQLITE_ROW) {
		const char *s = (const char *)sqlite3_column_text(st, 3);

		found |= strstr(s, want) != NULL;
		if (!strncmp(s, "SCAN calls", 10) && !strstr(s, "calls_start"))
			fail_msg("%s: %s", sql, s);
	}
	sqlite3_finalize(st);
	if (!found)
		fail_msg("%s: not by %s", sql, want);
}

/* Queries as cursor.c makes them. */
static void test_plans(void **state)
{
	sqlite3 *db;

	(void)state;
	write_calls(0, 6, 5, false);
	assert_int_equal(sqlite3_open_v2(part_path(1), &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	plan(db, "SELECT * FROM calls WHERE (caller_hash=:h OR callee_hash=:h) AND +start_ns>=:s ORDER BY +start_ns, uid", "calls_callee");
	plan(db, "SELECT * FROM calls WHERE (caller_hash=:h OR callee_hash=:h) ORDER BY +start_ns, uid", "calls_caller");
	plan(db, "SELECT * FROM calls WHERE sip_call_id=:i AND +start_ns>=:s ORDER BY +start_ns, uid", "calls_sip");
	plan(db, "SELECT * FROM calls WHERE uid=:u ORDER BY +start_ns, uid", "PRIMARY KEY");
	plan(db, "SELECT * FROM calls WHERE start_ns>=:s AND start_ns<:u ORDER BY start_ns, uid", "calls_start");
	plan(db, "SELECT * FROM calls ORDER BY start_ns, uid", "calls_start");
	plan(db, "SELECT uid FROM calls WHERE training_use_by > 0 AND training_use_by < 5", "calls_use_by");
	sqlite3_close(db);
}

static void test_names(void **state)
{
	static const char *const bad[] = { "2027-02-17.1.db", "2027-02-17.02.db", "2027-02-17.x.db", "2027-02-17..db", "2027-02-17",
					   "2027-02-17.2", "2027-02-17.2.db.seal", "2027-02-17.10000.db", "2027-02-30.db", ".db",
					   "later.db", "2027-02-17.2.db-wal", "hold.db.damaged" };
	char rel[STORE_PATH_MAX];
	uint32_t day;
	unsigned part;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(catalog_parse(bad[i], &day, &part), -EINVAL);
	for (unsigned p = 1; p <= CATALOG_PARTS; p++) {
		catalog_path("a", p & 1 ? DAY : DAY_HOLD, p, rel);
		assert_int_equal(catalog_parse(strrchr(rel, '/') + 1, &day, &part), 0);
		assert_int_equal(part, p);
		assert_int_equal(day, p & 1 ? DAY : DAY_HOLD);
	}
}

/* ---- later ---- */

static void put_later(const struct uid *uid, enum store_state s, const char *reason)
{
	struct later_line line = { .uid = *uid, .day = DAY, .state = s, .at_ns = T0 };
	struct why why = { "" };
	struct root r = root_here();
	struct later *l;

	snprintf(line.reason, sizeof(line.reason), "%s", reason);
	assert_int_equal(later_open(&r, "acme", true, &l, &why), 0);
	assert_int_equal(later_put(l, &line, &why), 0);
	later_close(l);
	root_close(&r);
}

static int count_line(void *arg, const struct later_line *line)
{
	(void)line;
	++*(unsigned *)arg;
	return 0;
}

static void test_later(void **state)
{
	struct later_line line = { .day = DAY, .state = STORE_S_EXPIRED, .reason = "unused", .at_ns = 7 }, got;
	struct why why = { "" };
	struct root r = root_here();
	struct later *l, *reader, *other;
	unsigned n = 0;

	(void)state;
	assert_int_equal(later_open(&r, "acme", false, &l, &why), -ENOENT);
	assert_int_equal(later_open(&r, "acme", true, &l, &why), 0);
	assert_int_equal(later_begin(l, &why), 0);
	for (unsigned i = 0; i < 100; i++) {
		memset(line.uid.b, (int)i, 16);
		line.purpose = i & 1;
		line.day = i < 50 ? DAY : DAY_HOLD;
		assert_int_equal(later_put(l, &line, &why), 0);
	}
	assert_int_equal(later_open(&r, "acme", false, &reader, &why), 0);
	assert_int_equal(later_each(reader, 0, count_line, &n, &why), 0);
	assert_int_equal(n, 0); /* nothing of a transaction that is open */
	assert_int_equal(later_commit(l, &why), 0);
	assert_int_equal(later_each(reader, 0, count_line, &n, &why), 0);
	assert_int_equal(n, 100);
	assert_int_equal(later_get(reader, &line.uid, STORE_TRAINING, &got, &why), 1);
	assert_memory_equal(&got, &line, sizeof(got));
	assert_int_equal(later_get(reader, &line.uid, STORE_DOCUMENTATION, &got, &why), 0);
	assert_int_equal(later_put(reader, &line, &why), -EROFS);
	assert_int_equal(later_open(&r, "acme", true, &other, &why), 0); /* a second process's */
	line.state = STORE_S_OBJECTED;
	assert_int_equal(later_put(other, &line, &why), 0);
	assert_int_equal(later_get(l, &line.uid, STORE_TRAINING, &got, &why), 1);
	assert_int_equal(got.state, STORE_S_OBJECTED);
	assert_int_equal(later_forget_day(l, DAY, &why), 0);
	n = 0;
	assert_int_equal(later_each(reader, 0, count_line, &n, &why), 0);
	assert_int_equal(n, 50);
	n = 0;
	assert_int_equal(later_each(reader, DAY_HOLD, count_line, &n, &why), 0);
	assert_int_equal(n, 50);
	assert_int_equal(later_check(reader, &why), 0);
	later_close(reader);
	later_close(other);
	later_close(l);
	shell("test -z \"$(ls %s/catalog/acme | grep -v '^later.db$')\"", store_dir);
	fsck_clean(NULL);
	shell("sqlite3 %s/catalog/acme/later.db \"update later set state='MAYBE' where rowid in (select 1)\" 2>/dev/null ||"
	      " sqlite3 %s/catalog/acme/later.db \"update later set state='MAYBE'\"", store_dir, store_dir);
	struct finding f;

	assert_int_equal(fsck(&f, NULL), 1);
	assert_string_equal(f.rule, "C-5");
	root_close(&r);
}

/* Bytes that this process asked to read. */
static unsigned long read_so_far(void)
{
	unsigned long n = 0;
	FILE *f = fopen("/proc/self/io", "re");

	assert_non_null(f);
	assert_int_equal(fscanf(f, "rchar: %lu", &n), 1);
	fclose(f);
	return n;
}

static int count_kept(void *arg, const struct later_line *line)
{
	assert_true(line->state == STORE_S_GRANTED && line->purpose == STORE_DOCUMENTATION && line->day == DAY_HOLD);
	++*(unsigned *)arg;
	return 0;
}

/* Who is kept by a hold is asked for each minute: the lines of all others are not read for it, also in a file of before. */
static void test_later_kept(void **state)
{
	struct later_line line = { .day = DAY, .reason = "unused", .at_ns = 7 };
	struct later *l = NULL;
	struct root r = { .fd = -1 };
	struct why why = { "" };
	unsigned long before, all, some;
	unsigned n = 0;

	(void)state;
	assert_int_equal(root_open(store_dir, &r, &why), 0);
	assert_int_equal(later_open(&r, "acme", true, &l, &why), 0);
	assert_int_equal(later_begin(l, &why), 0);
	for (unsigned i = 0; i < 20000; i++) {
		bool held = i % 2000 == 0;

		line.uid.b[0] = (uint8_t)(i >> 8);
		line.uid.b[1] = (uint8_t)i;
		line.purpose = i & 1 ? STORE_TRAINING : STORE_DOCUMENTATION;
		line.state = held ? STORE_S_GRANTED : i & 2 ? STORE_S_EXPIRED : STORE_S_WITHDRAWN;
		line.day = held ? DAY_HOLD : DAY;
		assert_int_equal(later_put(l, &line, &why), 0);
	}
	assert_int_equal(later_commit(l, &why), 0);
	later_close(l);
	shell("sqlite3 '%s' 'drop index later_kept'", file_at("catalog/acme/later.db"));
	for (int with = 0; with < 2; with++) {
		assert_int_equal(later_open(&r, "acme", with, &l, &why), 0); /* who writes makes it */
		later_close(l);
		assert_int_equal(later_open(&r, "acme", false, &l, &why), 0);
		before = read_so_far();
		n = 0;
		assert_int_equal(later_kept(l, count_kept, &n, &why), 0);
		assert_int_equal(n, 10);
		*(with ? &some : &all) = read_so_far() - before;
		assert_int_equal(later_check(l, &why), 0);
		later_close(l);
	}
	if (some * 10 > all || all < 1000000)
		fail_msg("it reads %lu of %lu bytes", some, all);
	root_close(&r);
}

/* A writer that dies in the middle of a transaction leaves nothing of it, and stops nobody. */
static void test_later_killed(void **state)
{
	struct later_line line = { .day = DAY, .state = STORE_S_EXPIRED, .reason = "unused", .at_ns = 7 };
	struct root r = root_here();
	struct why why = { "" };
	struct later *l;
	unsigned n = 0;
	int status;
	pid_t pid;

	(void)state;
	fflush(stdout);
	pid = fork();
	if (!pid) {
		if (later_open(&r, "acme", true, &l, &why) || later_put(l, &line, &why) || later_begin(l, &why))
			_exit(1);
		for (unsigned i = 1; i < 60000; i++) { /* more than its cache holds: some is in the file */
			memcpy(line.uid.b, &i, sizeof(i));
			if (later_put(l, &line, &why))
				_exit(1);
		}
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	shell("test -s %s/catalog/acme/later.db-journal", store_dir);
	assert_int_equal(later_open(&r, "acme", false, &l, &why), 0);
	assert_int_equal(later_each(l, 0, count_line, &n, &why), 0);
	assert_int_equal(n, 1);
	later_close(l);
	root_close(&r);
}

static void destroy_bucket(void)
{
	uint8_t raw[BUCKET_SIZE];
	struct bucket b;
	char rel[STORE_PATH_MAX];
	FILE *f;

	slots_path("acme", 0, DAY, "bucket", rel);
	f = fopen(file_at(rel), "r+b");
	assert_int_equal(fread(raw, 1, sizeof(raw), f), sizeof(raw));
	assert_null(bucket_parse(raw, sizeof(raw), &b));
	b.state = BUCKET_DESTROYED;
	memset(b.key, 0, sizeof(b.key));
	bucket_format(&b, raw);
	rewind(f);
	assert_int_equal(fwrite(raw, 1, sizeof(raw), f), sizeof(raw));
	fclose(f);
}

static void refused(const struct uid *uid, int rc, const char *word)
{
	struct store *st = open_store(STORE_RO);
	struct store_reader *r;

	assert_int_equal(store_read_open(st, uid, STORE_DOCUMENTATION, keys_dir, &r), rc);
	assert_non_null(strstr(store_why(st), word));
	store_close(st);
}

/* State of the first call, as a search shows it. */
static void shows(enum store_state s, const char *reason, unsigned others)
{
	struct store_filter f = { .state = (int)s };
	struct list l = find(&f);

	assert_int_equal(l.n, 1 + others);
	assert_int_equal(l.state[0], s);
	assert_string_equal(l.reason[0], reason);
	assert_int_equal(l.packets[0] != 0, s == STORE_S_GRANTED || s == STORE_S_OBJECTED);
	f.state = s == STORE_S_GRANTED ? STORE_S_EXPIRED : STORE_S_GRANTED;
	assert_int_equal(find(&f).n, 3 - 1 - others);
}

static void test_overlay(void **state)
{
	struct store_call_meta m;
	struct finding f;
	char rel[STORE_PATH_MAX];

	(void)state;
	write_calls(0, 3, 2, false);
	meta_of(0, &m);
	shows(STORE_S_GRANTED, "interest", 2);
	/* a slot of zeros is damage, but when a line says what it is */
	slots_path("acme", 0, DAY, "slots", rel);
	shell("dd if=/dev/zero of='%s' bs=256 seek=1 count=1 conv=notrunc 2>/dev/null", file_at(rel));
	assert_int_equal(fsck(&f, NULL), 1);
	assert_string_equal(f.rule, "C-5"); /* there is not even a file for it */
	assert_string_equal(f.file, "catalog/acme/later.db");
	shows(STORE_S_EXPIRED, "destroyed", 0); /* nothing that was destroyed is shown as kept */
	put_later(&m.uid, STORE_S_EXPIRED, "unused");
	fsck_clean(NULL);
	shows(STORE_S_EXPIRED, "unused", 0);
	refused(&m.uid, -ESHUTDOWN, "EXPIRED");
	put_later(&m.uid, STORE_S_OBJECTED, "objection");
	shows(STORE_S_OBJECTED, "objection", 0);
	refused(&m.uid, -EACCES, "OBJECTED");
	/* the whole day */
	put_later(&m.uid, STORE_S_GRANTED, "hold");
	destroy_bucket();
	shows(STORE_S_GRANTED, "hold", 0);
	fsck_clean(NULL);
	struct store_filter gone = { .state = STORE_S_EXPIRED };
	struct list l = find(&gone);

	assert_int_equal(l.n, 2);
	assert_string_equal(l.reason[0], "deadline");
	meta_of(1, &m);
	refused(&m.uid, -ESHUTDOWN, "EXPIRED");
	shell("rm -r %s/keys/acme %s/segments/acme", store_dir, store_dir);
	assert_int_equal(find(&gone).n, 2);
	fsck_clean(NULL);
}

static struct uid many_uid(unsigned i)
{
	struct uid u = { { 0 } };

	u.b[0] = (uint8_t)(i % 251);
	u.b[15] = (uint8_t)i;
	return u;
}

static void asked(struct overlay *o, unsigned i, enum store_state want)
{
	enum store_state s = STORE_S_DENIED; /* of which no key is looked for */
	char reason[LATER_REASON] = "";
	struct uid u = many_uid(i);
	struct why why = { "" };

	assert_int_equal(overlay_state(o, "acme", &u, STORE_DOCUMENTATION, DAY, 1, &s, reason, &why), want != STORE_S_DENIED);
	assert_int_equal(s, want);
}

/* Lines that are remembered, in whatever order the file has them, are the file's as it is now. */
static void test_overlay_many(void **state)
{
	struct root r = root_here();
	struct uid first = many_uid(20), next = many_uid(200);

	(void)state;
	for (int fixed = 0; fixed < 2; fixed++) {
		struct overlay *o;

		shell("rm -f %s/catalog/acme/later.db", store_dir);
		put_later(&first, STORE_S_OBJECTED, "objection");
		put_later(&next, STORE_S_OBJECTED, "objection");
		/* others', in small letters, which SQLite has behind all capitals */
		shell("sqlite3 %s/catalog/acme/later.db \"insert into later values('0a000000000000000000000000','documentation','2027-02-16','EXPIRED','x',1),"
		      "('0b000000000000000000000000','documentation','2027-02-16','EXPIRED','x',1),"
		      "('0c000000000000000000000000','documentation','2027-02-16','EXPIRED','x',1)\"", store_dir);
		shell("touch -d '1 minute ago' %s/catalog/acme/later.db", store_dir);
		assert_int_equal(overlay_new(&r, &o), 0);
		if (fixed)
			overlay_many(o);
		for (unsigned i = 0; i < 5000; i++)
			asked(o, i % 256, i % 256 == 20 || i % 256 == 200 ? STORE_S_OBJECTED : STORE_S_DENIED);
		if (!fixed) {
			struct uid other = many_uid(8);

			put_later(&other, STORE_S_OBJECTED, "objection");
			for (unsigned i = 0; i < 5000; i++)
				asked(o, i % 256, i % 256 == 20 || i % 256 == 8 || i % 256 == 200 ? STORE_S_OBJECTED : STORE_S_DENIED);
		}
		overlay_free(o);
	}
	root_close(&r);
}

/* The copy of a held call's row counts, and is told once. */
static void test_hold_row(void **state)
{
	struct store_filter any = { .state = -1 };
	char day[700];
	struct list l;

	(void)state;
	write_calls(0, 3, 100, false);
	snprintf(day, sizeof(day), "%s", part_path(1));
	shell("cp '%s' '%s'", day, file_at("catalog/acme/hold.db"));
	shell("sqlite3 '%s' \"delete from calls where sip_call_id<>'call-1@host'; update calls set documentation_reason='held'\"",
	      file_at("catalog/acme/hold.db"));
	l = find(&any);
	assert_int_equal(l.n, 3);
	assert_string_equal(l.reason[0], "interest");
	assert_string_equal(l.reason[1], "held");
	assert_string_equal(l.reason[2], "interest");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, make_store, drop_store)
		T(test_parts), T(test_thread), T(test_idle), T(test_killed), T(test_kill_seal), T(test_reader), T(test_wal), T(test_plans), T(test_names),
		T(test_later), T(test_later_kept), T(test_later_killed), T(test_overlay), T(test_overlay_many), T(test_hold_row),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
