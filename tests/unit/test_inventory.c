/* SPDX-License-Identifier: BSD-2-Clause */
/* The inventory: groups and ages, calls in progress and of a writer that died, holds, keys that were to be destroyed. */
#include "store_util.h"

#include <sqlite3.h>
#include <sys/file.h>

#include "reap_util.h"
#include "store/bucket.h"
#include "store/hold.h"
#include "store/inventory.h"
#include "store/later.h"
#include "store/store_internal.h"

#define CPH "Europe/Copenhagen"

static struct inventory_group groups[64];
static size_t ngroups;
static char problems[16][400];
static size_t nproblems;

static void on_group(void *arg, const struct inventory_group *g)
{
	(void)arg;
	groups[ngroups++ % 64] = *g;
}

static void on_problem(void *arg, const char *file, const char *text)
{
	(void)arg;
	snprintf(problems[nproblems++ % 16], 400, "%s: %s", file, text);
}

static int look(uint64_t now, struct inventory_totals *t)
{
	struct inventory_settings s = { .store = store_dir, .now_ns = now, .group = on_group, .problem = on_problem };
	char why[512] = "";
	int rc;

	ngroups = nproblems = 0;
	rc = inventory_run(&s, t, why, sizeof(why));
	if (rc < 0)
		print_error("inventory: %d %s\n", rc, why);
	return rc;
}

static struct inventory_totals balanced(uint64_t now)
{
	struct inventory_totals t = { 0 };
	int rc = look(now, &t);

	if (rc)
		print_error("problem: %s\n", problems[0]);
	assert_int_equal(rc, 0);
	assert_int_equal(t.problems, 0);
	assert_int_equal(t.segment_bytes, t.heads + t.named + t.unreadable + t.other);
	return t;
}

static uint64_t calls(enum store_purpose p, enum store_state s, int age)
{
	uint64_t n = 0;

	for (size_t i = 0; i < ngroups; i++)
		if (groups[i].purpose == p && groups[i].state == s && (age < 0 || groups[i].age == (unsigned)age))
			n += groups[i].calls;
	return n;
}

static void test_ages(void **state)
{
	static const unsigned days[] = { 0, 7, 8, 30, 31, 60, 61, 92, 93, 200 };
	struct store *st = open_store(STORE_RW);
	uint64_t now = T0 + 200 * DAY_NS;
	struct inventory_totals t;

	(void)state;
	for (unsigned i = 0; i < 10; i++)
		keep_call(st, i, i % 2 ? "acme" : "zeta", CPH, now - days[i] * DAY_NS, (uint64_t[]){ now + 40 * DAY_NS, now + 9 * DAY_NS });
	ok(st, store_sync(st));
	store_close(st);
	t = balanced(now);
	assert_true(t.rows == 10 && t.kept == 10 && t.keys == 20 && !t.in_progress && !t.due && !t.past);
	assert_int_equal(t.oldest_ns, now - 200 * DAY_NS);
	for (int age = 0; age < INVENTORY_AGES; age++) {
		assert_int_equal(calls(STORE_DOCUMENTATION, STORE_S_GRANTED, age), 2);
		assert_int_equal(calls(STORE_TRAINING, STORE_S_GRANTED, age), 2);
	}
	/* Due for less than a reaper takes is no alarm; then it is, and so is one past its own deadline. */
	assert_int_equal(look(now + 10 * DAY_NS, &t), 1);
	assert_true(t.due == 10 && t.past == 10 && nproblems == 2);
	reap_at(now + 10 * DAY_NS);
	t = balanced(now + 10 * DAY_NS);
	assert_true(t.kept == 10 && t.keys == 10);
	assert_int_equal(calls(STORE_TRAINING, STORE_S_EXPIRED, -1), 10);
}

static void test_grace(void **state)
{
	struct store *st = open_store(STORE_RW);
	struct inventory_totals t;
	uint64_t begins;
	struct root r;
	struct why why;
	struct bucket b;
	uint32_t day;

	(void)state;
	keep_call(st, 1, "acme", CPH, T0, (uint64_t[]){ T0 + 9 * DAY_NS, 0 });
	ok(st, store_sync(st));
	store_close(st);
	assert_int_equal(root_open(store_dir, &r, &why), 0);
	assert_int_equal(day_of(T0 + 9 * DAY_NS, CPH, &day), 0);
	assert_int_equal(bucket_read(&r, "acme", 0, day, &b, &why), 0);
	root_close(&r);
	begins = b.destroy_ns;
	t = balanced(begins - 1);
	assert_int_equal(t.due, 0);
	t = balanced(begins + INVENTORY_GRACE_NS);
	assert_true(t.due == 1 && !t.past);
	assert_int_equal(look(begins + INVENTORY_GRACE_NS + 1, &t), 1);
	assert_non_null(strstr(problems[0], ".bucket: is due: 1 of its keys live, 0 past"));
}

/* Beside the writer: calls in progress, rows that no sync covered, and one that died with all that. */
static void test_in_progress(void **state)
{
	pid_t pid;

	(void)state;
	for (int dies = 0; dies < 2; dies++) {
		struct store *st;
		struct store_call_meta m;
		struct store_call *sc;
		struct inventory_totals t;
		struct chunk *c = chunk_new();
		uint64_t n;
		int go[2], gone[2];
		char x = 0;

		assert_true(!pipe(go) && !pipe(gone));
		pid = fork();
		if (!pid) {
			close(go[1]); /* a parent that failed leaves an end of file, and nobody who waits */
			close(gone[0]);
			st = open_store(STORE_RW);
			keep_call(st, 10 + (unsigned)dies, "acme", CPH, T0, (uint64_t[]){ T0 + 90 * DAY_NS, T0 + 30 * DAY_NS });
			ok(st, store_sync(st));
			keep_call(st, 20 + (unsigned)dies, "acme", CPH, T0, (uint64_t[]){ T0 + 90 * DAY_NS, T0 + 30 * DAY_NS });
			for (unsigned i = 0; i < 2; i++) { /* one that a sync covers, one that none does */
				meta_of(30 + 2 * (unsigned)dies + i, &m);
				m.controller = "acme";
				m.until_ns[0] = T0 + 90 * DAY_NS;
				ok(st, store_call_begin(st, &m, &sc));
				chunk_of(c, 1, 0, 0);
				ok(st, store_call_append(sc, 0, c));
				if (!i)
					ok(st, store_sync(st));
			}
			if (write(gone[1], "x", 1) != 1 || read(go[0], &x, 1) != 1)
				_exit(1);
			_exit(0);
		}
		close(go[0]);
		close(gone[1]);
		assert_int_equal(read(gone[0], &x, 1), 1);
		t = balanced(T0 + DAY_NS);
		assert_true(t.in_progress >= 1 && t.kept >= 1);
		assert_int_equal(write(go[1], "x", 1), 1);
		waitpid(pid, NULL, 0);
		t = balanced(T0 + DAY_NS);
		assert_true(t.in_progress >= 1);
		st = open_store(STORE_RW);
		ok(st, store_settle(st, &n));
		ok(st, store_sync(st));
		store_close(st);
		t = balanced(T0 + DAY_NS);
		assert_int_equal(t.in_progress, 0);
		chunk_free(c);
		close(go[1]), close(gone[0]);
	}
}

/* A row that is lost where no mark says which keys have one: not for ever a call in progress. */
static void test_no_marks(void **state)
{
	struct store *st = open_store(STORE_RW);
	struct inventory_totals t;

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		keep_call(st, i, "acme", CPH, T0, (uint64_t[]){ T0 + 90 * DAY_NS, 0 });
	ok(st, store_sync(st));
	store_close(st);
	shell("sqlite3 %s/open.db 'delete from marks'", store_dir);
	t = balanced(T0 + 2 * DAY_NS);
	assert_int_equal(t.in_progress, 0);
	shell("sqlite3 %s/catalog/acme/*.db 'delete from calls where uid=(select min(uid) from calls)'", store_dir);
	assert_int_equal(look(T0 + 2 * DAY_NS, &t), 1);
	assert_int_equal(t.in_progress, 0);
	for (size_t i = 0; i < nproblems; i++)
		if (strstr(problems[i], "which no row and no call in progress has"))
			return;
	fail_msg("%zu problems, such as %s", nproblems, problems[0]);
}

/* later.db says destroyed, and the key is there: the reaper's to finish while it runs, else an alarm. */
static void test_erasing(void **state)
{
	struct store *st = open_store(STORE_RW);
	struct inventory_totals t;
	struct later_line line = { .purpose = STORE_TRAINING, .state = STORE_S_EXPIRED, .reason = "unused", .at_ns = T0 };
	struct later *l;
	struct why why;
	struct root r;
	char path[400];
	int fd;

	(void)state;
	line.uid = keep_call(st, 1, "acme", CPH, T0, (uint64_t[]){ T0 + 90 * DAY_NS, T0 + 30 * DAY_NS });
	ok(st, store_sync(st));
	store_close(st);
	assert_int_equal(root_open(store_dir, &r, &why), 0);
	assert_int_equal(day_of(T0 + 90 * DAY_NS, CPH, &line.day), 0);
	assert_int_equal(later_open(&r, "acme", true, &l, &why), 0);
	assert_int_equal(later_put(l, &line, &why), 0);
	later_close(l);
	root_close(&r);
	assert_int_equal(look(T0 + DAY_NS, &t), 1);
	assert_true(t.erasing == 1 && t.kept == 1);
	assert_non_null(strstr(problems[0], "which later.db says is destroyed"));
	snprintf(path, sizeof(path), "%s/reap.lock", store_dir);
	fd = open(path, O_RDWR | O_CREAT, 0600);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	t = balanced(T0 + DAY_NS);
	assert_int_equal(t.erasing, 1);
	close(fd);
}

/* A line that cannot be read ends the reading of all at once: other calls' lines count all the same, and of this one its slot. */
static void test_bad_line(void **state)
{
	struct store *st = open_store(STORE_RW);
	struct inventory_totals t;
	struct uid v[3];
	char path[400], why[512];
	sqlite3 *sql;

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		v[i] = keep_call(st, i, "acme", CPH, T0, (uint64_t[]){ T0 + 90 * DAY_NS, T0 + 30 * DAY_NS });
	ok(st, store_sync(st));
	store_close(st);
	for (unsigned i = 0; i < 3; i += 2)
		assert_int_equal(reap_request(store_dir, &v[i], STORE_TRAINING, "withdrawn", 0, T0, why, sizeof(why)), 0);
	reap_at(T0 + DAY_NS);
	t = balanced(T0 + DAY_NS);
	assert_true(t.kept == 3 && calls(STORE_TRAINING, STORE_S_WITHDRAWN, -1) == 2);
	snprintf(path, sizeof(path), "%s/catalog/acme/later.db", store_dir);
	assert_int_equal(sqlite3_open(path, &sql), SQLITE_OK);
	assert_int_equal(sqlite3_exec(sql, "UPDATE later SET state='LOST' WHERE uid=(SELECT min(uid) FROM later)", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(sql);
	assert_int_equal(look(T0 + DAY_NS, &t), 1);
	assert_int_equal(nproblems, 1);
	assert_non_null(strstr(problems[0], "later.db: a line of values that are none"));
	assert_int_equal(t.kept, 3);
	assert_int_equal(calls(STORE_TRAINING, STORE_S_WITHDRAWN, -1), 1);
	assert_int_equal(calls(STORE_TRAINING, STORE_S_EXPIRED, -1), 1);
	assert_int_equal(calls(STORE_TRAINING, STORE_S_GRANTED, -1), 1);
}

/* A call on hold outlives its day: before and after its row and audio are copied. */
static void test_held(void **state)
{
	static const struct hold_person anna = { .uid = 1000, .name = "anna" };
	struct hold_why w = { .reason = "dispute", .reference = "D-1", .review = 20270301 };
	struct store *st = open_store(STORE_RW);
	struct inventory_totals t;
	struct holds *h;
	struct uid uid;
	bool fresh;

	(void)state;
	uid = keep_call(st, 1, "acme", CPH, T0, (uint64_t[]){ T0 + 30 * DAY_NS, T0 + 9 * DAY_NS });
	keep_call(st, 2, "acme", CPH, T0, (uint64_t[]){ T0 + 30 * DAY_NS, 0 });
	ok(st, store_sync(st));
	ok(st, store_holds(st, HOLDS_WRITE, &h, NULL));
	ok(st, store_hold_add(st, h, &uid, &w, &anna, T0 + DAY_NS, &fresh));
	holds_close(h);
	store_close(st);
	t = balanced(T0 + DAY_NS);
	assert_true(t.kept == 2 && t.held == 1 && t.held_keys == 1);
	assert_int_equal(look(T0 + 40 * DAY_NS, &t), 1);
	assert_true(t.due == 3 && t.past == 2); /* the bucket dies for the held one, too, which is not past anything */
	shell("cp -a '%s/catalog/acme' '%s/segments/acme' '%s'", store_dir, store_dir, base_dir);
	reap_at(T0 + 40 * DAY_NS);
	t = balanced(T0 + 40 * DAY_NS);
	assert_true(t.kept == 1 && t.held == 1 && t.held_keys == 1 && t.named > 0 && !t.past);
	shell("cd '%s/catalog/acme' && : >later.db.damaged && : >later.db.damaged.2-journal && : >hold.db.damaged", store_dir); /* by --rebuild */
	balanced(T0 + 40 * DAY_NS);
	/* A reaper killed before it took the day away: the call is there twice and counts once. */
	shell("for f in '%s/acme/'20*; do case $f in *.db*) cp -a $f '%s/catalog/acme/' ;; *) cp -a $f '%s/segments/acme/' ;; esac; done", base_dir, store_dir, store_dir);
	t = balanced(T0 + 40 * DAY_NS);
	assert_true(t.rows == 3 && t.kept == 1 && t.held == 1);
	assert_int_equal(calls(STORE_DOCUMENTATION, STORE_S_GRANTED, -1), 1);
	shell("rm -rf '%s/segments/acme/hold'", store_dir);
	assert_int_equal(look(T0 + 40 * DAY_NS, &t), 1);
	assert_non_null(strstr(problems[0], "segments/acme/hold/"));
}

#define T(name) cmocka_unit_test_setup_teardown(test_##name, make_store, drop_store)

int main(void)
{
	const struct CMUnitTest tests[] = { T(ages), T(grace), T(in_progress), T(no_marks), T(erasing), T(bad_line), T(held) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
