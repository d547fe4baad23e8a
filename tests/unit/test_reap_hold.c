/* SPDX-License-Identifier: BSD-2-Clause */
/* The reaper and single calls on hold, or asked to be erased; and a reaper that is killed anywhere in all that. */
#include "reap_calls.h"

static void test_hold(void **state)
{
	struct store *st = open_store(STORE_RW);
	enum store_state doc, training;
	struct uid held, other;
	struct reap_totals t;

	(void)state;
	held = keep_call(st, 1, "acme", CPH, T0, (uint64_t[]){ T0 + 90 * DAY_NS, T0 + 60 * DAY_NS });
	other = keep_call(st, 2, "acme", CPH, T0, (uint64_t[]){ T0 + 90 * DAY_NS, T0 + 90 * DAY_NS });
	ok(st, store_sync(st));
	store_close(st);
	hold(&held);
	t = reap_at(T0 + 61 * DAY_NS); /* a hold prolongs no training */
	assert_true(t.calls == 1 && !t.held);
	assert_int_equal(heard(&held, STORE_TRAINING), -ESHUTDOWN);
	t = reap_at(T0 + 90 * DAY_NS);
	assert_true(t.calls == 2 && t.held == 1 && t.days == 1 && !t.waiting);
	assert_int_equal(told("bucket.destroy.*\"held\":1"), 1);
	assert_int_equal(heard(&other, STORE_DOCUMENTATION), -ENOENT);
	assert_int_equal(heard(&held, STORE_DOCUMENTATION), 0);
	assert_true(found(&held, &doc, &training) && doc == STORE_S_GRANTED && training == STORE_S_EXPIRED);
	assert_false(there("segments/acme/2027-02-16"));
	fsck_clean(NULL);
	t = reap_at(T0 + 300 * DAY_NS);
	assert_true(!t.calls && !t.released && !t.days);
	assert_int_equal(heard(&held, STORE_DOCUMENTATION), 0);
	/* A recorder that starts meanwhile leaves the hold area alone. */
	st = open_store(STORE_RW);
	keep_call(st, 3, "acme", CPH, T0 + 300 * DAY_NS, (uint64_t[]){ T0 + 400 * DAY_NS, 0 });
	ok(st, store_sync(st));
	store_close(st);
	assert_int_equal(heard(&held, STORE_DOCUMENTATION), 0);
	fsck_clean(NULL);
	release(&held, T0 + 301 * DAY_NS, HOLD_ERASED);
	assert_int_not_equal(heard(&held, STORE_DOCUMENTATION), 0);
	fsck_clean(NULL);
	t = reap_at(T0 + 301 * DAY_NS);
	assert_true(t.released == 1 && t.files == 1);
	assert_int_equal(told("key.destroy.*hold.released"), 1); /* the tool may have been killed before it could */
	assert_int_equal(told("purpose.expire.*hold.released"), 1);
	assert_false(found(&held, &doc, &training));
	fsck_clean(NULL);
	shell("test -z \"$(sqlite3 '%s/catalog/acme/later.db' 'select * from later')\"", store_dir); /* nor is anything said of it for ever */
	t = reap_at(T0 + 302 * DAY_NS);
	assert_true(!t.released && !t.files);
	assert_int_equal(told("key.destroy.*hold.released"), 1);
	fsck_clean(NULL);
}

#define SEGMENT "segments/acme/2027-02-16/00000001"

/* Its audio is in a segment that a killed recorder left open, or in one that is not there: nothing of it is given up. */
static void test_hold_left_open(void **state)
{
	struct reap_settings s = { .now_ns = T0 + 90 * DAY_NS, .told = true };
	struct store *st = open_store(STORE_RW);
	struct reap_totals t;
	struct uid held;

	(void)state;
	held = keep_call(st, 1, "acme", CPH, T0, (uint64_t[]){ T0 + 90 * DAY_NS, 0 });
	ok(st, store_sync(st));
	store_close(st);
	hold(&held);
	assert_true(there(SEGMENT ".seg"));
	shell("mv '%s/" SEGMENT ".seg' '%s/'", store_dir, base_dir);
	for (int run = 0; run < 2; run++) {
		assert_int_equal(reap_with(&s, &t), -EBADMSG);
		assert_true(t.faults == 1 && t.waiting == 1 && !t.days);
		assert_true(there("catalog/acme/2027-02-16.db"));
	}
	shell("mv '%s/00000001.seg' '%s/" SEGMENT ".open'", base_dir, store_dir);
	assert_int_equal(heard(&held, STORE_DOCUMENTATION), 0);
	t = reap_at(T0 + 90 * DAY_NS + NS_PER_S);
	assert_true(t.days == 1 && !t.waiting);
	assert_false(there("segments/acme/2027-02-16"));
	assert_int_equal(heard(&held, STORE_DOCUMENTATION), 0);
	fsck_clean(NULL);
}

/* later.db could not be written when the key of its day died: who is on hold is so all the same, and that is made up for. */
static void test_hold_not_noted(void **state)
{
	struct reap_settings s = { .now_ns = T0 + 61 * DAY_NS, .told = true };
	struct store *st = open_store(STORE_RW);
	enum store_state doc, training;
	struct reap_totals t;
	struct uid held;

	(void)state;
	held = keep_call(st, 1, "acme", CPH, T0, (uint64_t[]){ T0 + 60 * DAY_NS, T0 + 90 * DAY_NS });
	ok(st, store_sync(st));
	store_close(st);
	hold(&held);
	ask(&held, STORE_TRAINING, "withdrawn");
	shell("mkdir '%s/catalog/acme/later.db'", store_dir);
	assert_int_not_equal(reap_with(&s, &t), 0);
	assert_true(t.buckets == 1 && t.held == 1);
	shell("rmdir '%s/catalog/acme/later.db'", store_dir);
	t = reap_at(T0 + 61 * DAY_NS + NS_PER_S); /* training goes, and with it nothing that documentation has */
	assert_true(t.single == 1 && !t.bytes);
	assert_int_equal(heard(&held, STORE_DOCUMENTATION), 0);
	assert_int_not_equal(heard(&held, STORE_TRAINING), 0);
	assert_int_equal(told("\"purpose.expire.*documentation"), 0);
	reap_at(T0 + 90 * DAY_NS);
	assert_int_equal(heard(&held, STORE_DOCUMENTATION), 0);
	assert_true(found(&held, &doc, &training) && doc == STORE_S_GRANTED);
	release(&held, T0 + 91 * DAY_NS, HOLD_ERASED);
	assert_int_equal(reap_at(T0 + 91 * DAY_NS).released, 1);
	assert_int_equal(told("purpose.expire.*documentation.*hold.released"), 1);
	fsck_clean(NULL);
}

static bool while_copying;

static void on_bucket(void *arg, const struct reap_item *it)
{
	on_item(arg, it);
	if (it->what == REAP_BUCKET && it->day == 20270216)
		while_copying = there("catalog/acme/2027-02-06.db") && !there("catalog/acme/hold.db");
}

/* Calls on hold are copied for long: a key that comes due meanwhile does not wait for the last of them. */
static void test_due_while_copying(void **state)
{
	struct reap_settings s = { .store = store_dir, .confirm = true, .again_ms = 1, .item = on_bucket };
	struct store *st = open_store(STORE_RW);
	struct uid held[16], other;
	struct reap_totals t;
	char why[512] = "";

	(void)state;
	for (unsigned i = 0; i < 16; i++)
		held[i] = keep_call(st, i, "acme", CPH, T0, (uint64_t[]){ T0 + 80 * DAY_NS, 0 });
	other = keep_call(st, 20, "zeta", CPH, T0, (uint64_t[]){ T0 + 90 * DAY_NS, 0 });
	ok(st, store_sync(st));
	store_close(st);
	for (unsigned i = 0; i < 16; i++)
		hold(&held[i]);
	assert_int_equal(clock_parse("2027-02-15T23:00:00Z", &s.now_ns), 0); /* the day begins */
	s.now_ns -= REAP_EARLY + NS_PER_S / 1000;
	clock_set_ns(s.now_ns);
	while_copying = false;
	assert_int_equal(reap_run(&s, &t, why, sizeof(why)), 0);
	assert_true(t.buckets == 2 && t.days == 1);
	assert_true(while_copying);
	assert_int_not_equal(heard(&other, STORE_DOCUMENTATION), 0);
	for (unsigned i = 0; i < 16; i++)
		assert_int_equal(heard(&held[i], STORE_DOCUMENTATION), 0);
	fsck_clean(NULL);
}

/* What is told of a bucket, whoever destroyed it and whatever is left of its slots: how many calls, and how many a hold kept. */
static void test_counted(void **state)
{
	struct reap_settings s = { .now_ns = T0 + 90 * DAY_NS, .told = true };
	struct store *st = open_store(STORE_RW);
	struct reap_totals t;
	struct uid held, lost;

	(void)state;
	held = keep_call(st, 1, "acme", CPH, T0, (uint64_t[]){ T0 + 90 * DAY_NS, T0 + 90 * DAY_NS });
	keep_call(st, 2, "acme", CPH, T0, (uint64_t[]){ T0 + 90 * DAY_NS, 0 });
	keep_call(st, 3, "acme", CPH, T0, (uint64_t[]){ T0 + 90 * DAY_NS, 0 });
	lost = keep_call(st, 4, "beta", CPH, T0, (uint64_t[]){ T0 + 90 * DAY_NS, 0 });
	ok(st, store_sync(st));
	store_close(st);
	hold(&held);
	hold(&lost);
	shell("truncate -s 256 '%s/keys/beta/documentation/2027-02-16.slots'", store_dir);
	/* keys die, and it cannot be told */
	shell("cd '%s' && { mv outbox '%s/' || :; } 2>/dev/null && : >outbox", store_dir, base_dir);
	assert_int_not_equal(reap_with(&s, &t), 0);
	assert_true(t.buckets == 3 && t.calls == 3 && t.held == 2);
	shell("cd '%s' && rm outbox && { mv '%s/outbox' . || :; } 2>/dev/null", store_dir, base_dir);
	assert_int_equal(told("bucket.destroy"), 0);
	t = reap_at(T0 + 90 * DAY_NS + NS_PER_S);
	assert_true(t.buckets == 3 && t.calls == 3 && t.held == 2);
	assert_int_equal(told("bucket.destroy"), 3);
	assert_int_equal(told("bucket.destroy.*\"documentation\".*\"acme\".*\"calls\":2,.*\"held\":1"), 1);
	assert_int_equal(told("bucket.destroy.*\"training\".*\"acme\".*\"calls\":1,.*\"held\":0"), 1);
	assert_int_equal(told("bucket.destroy.*\"documentation\".*\"beta\".*\"calls\":0,.*\"held\":1"), 1);
	assert_int_equal(heard(&held, STORE_DOCUMENTATION), 0);
	assert_int_equal(heard(&lost, STORE_DOCUMENTATION), 0);
	reap_at(T0 + 90 * DAY_NS + 2 * NS_PER_S);
	assert_int_equal(told("bucket.destroy"), 3);
}

/* Set and ended before the deadline: as if it had not been. */
static void test_hold_ended_before(void **state)
{
	struct store *st = open_store(STORE_RW);
	struct reap_totals t;
	struct uid uid;

	(void)state;
	uid = keep_call(st, 1, "acme", CPH, T0, (uint64_t[]){ T0 + 90 * DAY_NS, 0 });
	ok(st, store_sync(st));
	store_close(st);
	hold(&uid);
	release(&uid, T0 + 50 * DAY_NS, HOLD_RELEASED);
	assert_int_equal(heard(&uid, STORE_DOCUMENTATION), 0);
	t = reap_at(T0 + 90 * DAY_NS);
	assert_true(t.calls == 1 && !t.held && t.days == 1);
	assert_int_equal(heard(&uid, STORE_DOCUMENTATION), -ENOENT);
	fsck_clean(NULL);
}

static void test_damaged_holds(void **state)
{
	struct reap_settings s = { .now_ns = T0 + 90 * DAY_NS, .told = true };
	struct store *st = open_store(STORE_RW);
	struct reap_totals t;
	struct uid held, other;

	(void)state;
	held = keep_call(st, 1, "acme", CPH, T0, (uint64_t[]){ T0 + 90 * DAY_NS, 0 });
	other = keep_call(st, 2, "acme", CPH, T0, (uint64_t[]){ T0 + 90 * DAY_NS, 0 });
	ok(st, store_sync(st));
	store_close(st);
	hold(&held);
	shell("cp '%s/holds' '%s/holds.good' && printf 'x' | dd of='%s/holds' bs=1 seek=30 conv=notrunc 2>/dev/null", store_dir, base_dir,
	      store_dir);
	assert_int_equal(reap_with(&s, &t), -EBADMSG);
	/* Keys die: the held call's own is a copy that nobody touched. Audio stays until it is known whose. */
	assert_true(t.calls == 2 && !t.days && t.waiting == 1);
	assert_int_not_equal(heard(&other, STORE_DOCUMENTATION), 0);
	shell("cp '%s/holds.good' '%s/holds'", base_dir, store_dir);
	t = reap_at(T0 + 90 * DAY_NS + 60 * NS_PER_S);
	assert_int_equal(t.days, 1);
	assert_int_not_equal(heard(&other, STORE_DOCUMENTATION), 0);
	fsck_clean(NULL);
}

/* A copy of a key that is damaged is made anew, and when it cannot be, the day's key stays for it, and for it alone. */
static void test_damaged_copy(void **state)
{
	struct reap_settings s = { .now_ns = T0 + 90 * DAY_NS, .told = true };
	struct store *st = open_store(STORE_RW);
	struct uid held, other;
	struct reap_totals t;

	(void)state;
	held = keep_call(st, 1, "acme", CPH, T0, (uint64_t[]){ T0 + 90 * DAY_NS, 0 });
	other = keep_call(st, 2, "acme", CPH, T0, (uint64_t[]){ T0 + 90 * DAY_NS, 0 });
	ok(st, store_sync(st));
	store_close(st);
	hold(&held);
	shell("cd '%s/keys/acme/documentation' && cp hold.slots '%s/' && printf x | dd of=hold.slots bs=1 seek=3 conv=notrunc 2>/dev/null",
	      store_dir, base_dir);
	assert_int_equal(reap_with(&s, &t), -EBADMSG); /* its head: nothing can be written there */
	assert_int_not_equal(heard(&other, STORE_DOCUMENTATION), 0);
	assert_int_equal(told("bucket.destroy"), 0);
	shell("cd '%s/keys/acme/documentation' && cp '%s/hold.slots' . && printf x | dd of=hold.slots bs=1 seek=300 conv=notrunc 2>/dev/null",
	      store_dir, base_dir);
	t = reap_at(T0 + 90 * DAY_NS + 60 * NS_PER_S);
	assert_int_equal(told("bucket.destroy.*\"held\":1"), 1);
	assert_int_equal(heard(&held, STORE_DOCUMENTATION), 0);
	assert_int_not_equal(heard(&other, STORE_DOCUMENTATION), 0);
	fsck_clean(NULL);
}


static void test_locked(void **state)
{
	struct reap_settings s = { .now_ns = T0 + 90 * DAY_NS, .told = true, .lock_ms = 300 };
	struct store *st = open_store(STORE_RW);
	struct uid held, other, asked, saved;
	struct reap_totals t;
	int holds, bucket;

	(void)state;
	(void)alarm(60); /* who waits is a failure */
	held = keep_call(st, 1, "acme", CPH, T0, (uint64_t[]){ T0 + 90 * DAY_NS, T0 + 89 * DAY_NS });
	other = keep_call(st, 2, "acme", CPH, T0, (uint64_t[]){ T0 + 90 * DAY_NS, 0 });
	asked = keep_call(st, 3, "acme", CPH, T0, (uint64_t[]){ T0 + 95 * DAY_NS, T0 + 95 * DAY_NS });
	saved = keep_call(st, 4, "beta", CPH, T0, (uint64_t[]){ T0 + 90 * DAY_NS, 0 });
	ok(st, store_sync(st));
	store_close(st);
	hold(&held);
	hold(&saved);
	ask(&asked, STORE_DOCUMENTATION, "erased");
	ask(&asked, STORE_TRAINING, "erased");
	/* of one of them the copy is not there yet: it is all that is waited for */
	shell("cd '%s/keys/beta/documentation' && cp hold.slots '%s/' && dd if=/dev/zero of=hold.slots bs=256 seek=1 count=1 conv=notrunc 2>/dev/null",
	      store_dir, base_dir);
	holds = locked("holds", LOCK_SH);
	bucket = locked("keys/acme/training/2027-02-15.bucket", LOCK_SH);
	assert_int_equal(reap_with(&s, &t), -EWOULDBLOCK);
	assert_true(t.faults == 2 && t.buckets == 2 && t.single == 1);
	assert_int_equal(heard(&held, STORE_DOCUMENTATION), 0);
	assert_int_equal(heard(&held, STORE_TRAINING), -ESHUTDOWN);
	assert_int_not_equal(heard(&other, STORE_DOCUMENTATION), 0);
	assert_int_equal(heard(&asked, STORE_DOCUMENTATION), 0);
	assert_int_equal(heard(&asked, STORE_TRAINING), -ESHUTDOWN);
	assert_int_equal(heard(&saved, STORE_DOCUMENTATION), 0);
	close(holds);
	close(bucket);
	t = reap_at(T0 + 90 * DAY_NS + NS_PER_S);
	assert_true(t.buckets == 1 && t.single == 1);
	assert_int_equal(heard(&asked, STORE_DOCUMENTATION), -ESHUTDOWN);
	assert_int_equal(heard(&held, STORE_DOCUMENTATION), 0);
	assert_int_equal(heard(&saved, STORE_DOCUMENTATION), 0);
	fsck_clean(NULL);
	(void)alarm(0);
}

/* Who may read later.db keeps it from being written (a transaction that only reads): keys die before anybody waits for that. */
static void test_locked_later(void **state)
{
	struct reap_settings s = { .now_ns = T0 + 90 * DAY_NS, .told = true };
	struct store *st = open_store(STORE_RW);
	struct uid held, other, withdrawn;
	struct reap_totals t;
	int ready[2];
	char path[600], c;
	sqlite3 *db;
	pid_t pid;

	(void)state;
	held = keep_call(st, 1, "acme", CPH, T0, (uint64_t[]){ T0 + 90 * DAY_NS, 0 });
	other = keep_call(st, 2, "zeta", CPH, T0, (uint64_t[]){ T0 + 90 * DAY_NS, 0 });
	withdrawn = keep_call(st, 3, "acme", CPH, T0, (uint64_t[]){ T0 + 120 * DAY_NS, T0 + 120 * DAY_NS });
	ok(st, store_sync(st));
	store_close(st);
	hold(&held);
	ask(&withdrawn, STORE_TRAINING, "withdrawn");
	reap_at(T0 + 2 * DAY_NS); /* makes later.db */
	snprintf(path, sizeof(path), "%s/catalog/acme/later.db", store_dir);
	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (!pid) {
		(void)alarm(120); /* should the test fail */
		if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK ||
		    sqlite3_exec(db, "BEGIN; SELECT count(*) FROM later", NULL, NULL, NULL) != SQLITE_OK || write(ready[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	assert_int_not_equal(reap_with(&s, &t), 0);
	assert_true(t.buckets == 2 && t.faults > 0);
	assert_true(t.dead_ns < 8 * NS_PER_S && t.run_ns > 8 * NS_PER_S); /* a writer waits for ten */
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	close(ready[0]);
	close(ready[1]);
	assert_int_not_equal(heard(&other, STORE_DOCUMENTATION), 0);
	assert_int_equal(heard(&held, STORE_DOCUMENTATION), 0);
	reap_at(T0 + 90 * DAY_NS + NS_PER_S);
	shell("test \"$(sqlite3 '%s' \"select day,state,reason from later where purpose='documentation'\")\" = 'hold|GRANTED|hold'", path);
	assert_int_equal(heard(&held, STORE_DOCUMENTATION), 0);
	fsck_clean(NULL);
}

/* Who has the holds locked may be setting one whose key is copied when the day ends: audio and rows stay until its line can be seen. */
static void test_locked_day(void **state)
{
	struct reap_settings s = { .now_ns = T0 + 90 * DAY_NS, .told = true, .lock_ms = 100 };
	struct store *st = open_store(STORE_RW);
	struct reap_totals t;
	struct uid held;
	int holds;

	(void)state;
	held = keep_call(st, 1, "acme", CPH, T0, (uint64_t[]){ T0 + 90 * DAY_NS, 0 });
	keep_call(st, 2, "acme", CPH, T0, (uint64_t[]){ T0 + 90 * DAY_NS, 0 });
	ok(st, store_sync(st));
	store_close(st);
	hold(&held);
	holds = locked("holds", LOCK_EX);
	assert_int_equal(reap_with(&s, &t), -EWOULDBLOCK);
	assert_true(t.buckets == 1 && t.waiting == 1 && !t.days && t.faults == 1);
	assert_true(there("catalog/acme/2027-02-16.db") && there(SEGMENT ".seg"));
	close(holds);
	t = reap_at(T0 + 90 * DAY_NS + NS_PER_S);
	assert_true(t.days == 1 && !t.waiting);
	assert_int_equal(heard(&held, STORE_DOCUMENTATION), 0);
	fsck_clean(NULL);
}

static uint64_t allocated(void)
{
	uint64_t sum = 0;
	char pattern[300];
	struct stat sb;
	glob_t g;

	snprintf(pattern, sizeof(pattern), "%s/segments/acme/*/*", store_dir);
	assert_int_equal(glob(pattern, 0, NULL, &g), 0);
	for (size_t i = 0; i < g.gl_pathc; i++)
		if (!stat(g.gl_pathv[i], &sb))
			sum += (uint64_t)sb.st_blocks * 512;
	globfree(&g);
	return sum;
}

static void test_request(void **state)
{
	struct store *st = open_store(STORE_RW);
	enum store_state doc, training;
	struct reap_totals t;
	struct uid a, b, c;
	uint64_t before;
	char why[512];

	(void)state;
	a = keep_call(st, 1, "acme", CPH, T0, (uint64_t[]){ T0 + 90 * DAY_NS, T0 + 90 * DAY_NS });
	b = keep_call(st, 2, "acme", CPH, T0, (uint64_t[]){ T0 + 90 * DAY_NS, T0 + 90 * DAY_NS });
	c = keep_call(st, 3, "acme", CPH, T0, (uint64_t[]){ T0 + 90 * DAY_NS, T0 + 90 * DAY_NS });
	ok(st, store_sync(st));
	store_close(st);
	assert_int_equal(reap_request(store_dir, &a, 0, "12345 is a number", 0, T0, why, sizeof(why)), -EINVAL);
	assert_int_equal(reap_request(store_dir, &a, 0, "call-45201234", 0, T0, why, sizeof(why)), -EINVAL);
	ask(&a, STORE_TRAINING, "withdrawn");
	ask(&a, STORE_TRAINING, "withdrawn");
	t = reap_at(T0 + 2 * DAY_NS);
	assert_true(t.single >= 1 && !t.buckets);
	assert_true(found(&a, &doc, &training) && doc == STORE_S_GRANTED && training == STORE_S_WITHDRAWN);
	assert_int_equal(heard(&a, STORE_TRAINING), -EACCES);
	assert_int_equal(heard(&a, STORE_DOCUMENTATION), 0);
	assert_int_equal(heard(&b, STORE_TRAINING), 0);
	assert_true(told("key.destroy.*\"training\".*withdrawn") >= 1 && told("purpose.expire.*\"training\".*withdrawn") >= 1);
	fsck_clean(NULL);
	t = reap_at(T0 + 2 * DAY_NS + 1);
	assert_int_equal(t.single, 0);
	ask(&a, STORE_DOCUMENTATION, "erased"); /* and then nothing of it is left: its chunks become holes */
	t = reap_at(T0 + 3 * DAY_NS);
	assert_int_equal(t.single, 1);
	assert_true(t.bytes > 0);
	assert_true(found(&a, &doc, &training) && doc == STORE_S_EXPIRED);
	assert_int_equal(heard(&b, STORE_DOCUMENTATION), 0);
	fsck_clean(NULL);
	ask(&c, STORE_TRAINING, "erased"); /* both at once: its holes are made, and counted, once */
	ask(&c, STORE_DOCUMENTATION, "erased");
	before = allocated();
	t = reap_at(T0 + 3 * DAY_NS + 1);
	assert_int_equal(t.single, 2);
	assert_true(t.bytes > 0 && t.bytes < 2 * (before - allocated()));
	assert_int_equal(heard(&c, STORE_DOCUMENTATION), -ESHUTDOWN);
	fsck_clean(NULL);
	/* On hold: it waits for the hold's end. */
	hold(&b);
	ask(&b, STORE_DOCUMENTATION, "erased");
	t = reap_at(T0 + 4 * DAY_NS);
	assert_int_equal(t.single, 0);
	assert_int_equal(heard(&b, STORE_DOCUMENTATION), 0);
	release(&b, T0 + 4 * DAY_NS, HOLD_RELEASED);
	t = reap_at(T0 + 5 * DAY_NS);
	assert_int_equal(t.single, 1);
	assert_int_equal(heard(&b, STORE_DOCUMENTATION), -ESHUTDOWN);
	fsck_clean(NULL);
	/* One that is nowhere is no failure, and is not asked for again. */
	a.b[3] ^= 1;
	ask(&a, STORE_TRAINING, "erased");
	t = reap_at(T0 + 6 * DAY_NS);
	assert_int_equal(t.single, 0);
	t = reap_at(T0 + 90 * DAY_NS);
	assert_int_equal(t.days, 1);
	fsck_clean(NULL);
}

static off_t size_of(const char *rel)
{
	char path[400];
	struct stat sb;

	snprintf(path, sizeof(path), "%s/%s", store_dir, rel);
	return stat(path, &sb) ? -1 : sb.st_size;
}

/* One request waits: what is done beside it does not stay for ever, and requests that wait for the file meanwhile are not lost. */
static void test_tidy(void **state)
{
	struct store *st = open_store(STORE_RW);
	struct uid a, b, none;
	struct reap_totals t;
	char why[512] = "";
	pid_t pid;

	(void)state;
	a = keep_call(st, 1, "acme", CPH, T0, (uint64_t[]){ T0 + 90 * DAY_NS, T0 + 90 * DAY_NS });
	b = keep_call(st, 2, "acme", CPH, T0, (uint64_t[]){ T0 + 90 * DAY_NS, T0 + 90 * DAY_NS });
	ok(st, store_sync(st));
	store_close(st);
	hold(&a);
	ask(&a, STORE_DOCUMENTATION, "erased");
	none = a;
	for (unsigned i = 0; i < 700; i++) {
		none.b[15] = (uint8_t)i;
		none.b[14] ^= i % 256 == 0;
		ask(&none, STORE_TRAINING, "erased");
	}
	(void)reap_at(T0 + 3 * DAY_NS);
	assert_true(size_of("erase") > 65536);
	pid = fork();
	if (!pid) {
		for (unsigned i = 0; i < 50; i++)
			if (reap_request(store_dir, &b, STORE_TRAINING, "withdrawn", 1, T0 + 2 * DAY_NS, why, sizeof(why)))
				_exit(1);
		_exit(0);
	}
	t = reap_at(T0 + 3 * DAY_NS + 1);
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	(void)reap_at(T0 + 3 * DAY_NS + 2);
	assert_true(size_of("erase") < 12000);
	shell("test ! -e '%s/erase.tmp' && test $(grep -c '^{.call' '%s/erase') = 1 && test $(grep -c withdrawn '%s/erase') = 50", store_dir, store_dir, store_dir);
	assert_int_equal(heard(&b, STORE_TRAINING), -EACCES);
	fsck_clean(NULL);
	release(&a, T0 + 4 * DAY_NS, HOLD_RELEASED); /* and the one that waits is still asked for */
	t = reap_at(T0 + 5 * DAY_NS);
	assert_int_equal(t.single, 1);
	assert_int_equal(heard(&a, STORE_DOCUMENTATION), -ESHUTDOWN);
	/* longer than anybody reads: nobody makes it so */
	shell("truncate -s %llu '%s/erase' && echo >>'%s/erase'", (1ull << 30) - 50, store_dir, store_dir);
	assert_int_equal(reap_request(store_dir, &b, STORE_TRAINING, "withdrawn", 1, T0 + 2 * DAY_NS, why, sizeof(why)), -ENOSPC);
	assert_true(size_of("erase") == (1ll << 30) - 49);
}

/* The journal is another user's, in a directory with the sticky bit: it is not copied to no use, and where it is long that is told. */
static void test_tidy_sticky(void **state)
{
	struct root root = { .fd = -1 };
	struct why why = { "" };
	struct reap_asks asks;
	int status;
	pid_t pid;

	(void)state;
	if (geteuid()) {
		skip();
		return;
	}
	assert_int_equal(root_open(store_dir, &root, &why), 0);
	(void)reap_at(T0 + DAY_NS);
	ask(&(struct uid){ .b = { 1 } }, STORE_TRAINING, "erased");
	shell("cd '%s' && grep call erase | sed 's/^{/#/' >one && yes \"$(cat one)\" | head -n 700000 >>erase && rm one && chmod 666 erase && chmod 1777 ."
	      " && : >erase.tmp && chmod 600 erase.tmp", store_dir);
	pid = fork();
	if (!pid) {
		root.shared = true;
		if (setgroups(0, NULL) || setgid(65534) || setuid(65534))
			_exit(1);
		if (reap_asks_tidy(&root, &why) != -EPERM) /* not -EACCES, of erase.tmp */
			_exit(2);
		if (reap_asks_load(&root, &asks, &why) || !asks.stuck || asks.n != 1)
			_exit(3);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(reap_asks_load(&root, &asks, &why), 0); /* whose it is makes it anew */
	assert_true(!asks.stuck && asks.n == 1 && asks.bytes < 1000);
	reap_asks_free(&asks);
	root_close(&root);
}

#define DOC_SLOTS "keys/acme/documentation/2027-02-16.slots"

/* Its uid is in the file of slots, so a wrap of it may be, too. */
static bool slots_name(const struct uid *uid)
{
	char path[600], buf[8192];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s/" DOC_SLOTS, store_dir);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = read(fd, buf, sizeof(buf));
	close(fd);
	assert_true(n >= 256);
	return memmem(buf, (size_t)n, uid->b, 16);
}

/* Rows that name another call's slot, and a slot whose uid is damaged: what is said to be destroyed is. */
static void test_wrong_place(void **state)
{
	struct store *st = open_store(STORE_RW);
	struct reap_totals t;
	struct uid v[3];

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		v[i] = keep_call(st, i, "acme", CPH, T0, (uint64_t[]){ T0 + 90 * DAY_NS, 0 });
	ok(st, store_sync(st));
	store_close(st);
	shell("cd '%s/keys/acme/documentation' && { dd bs=256 count=1; dd bs=256 skip=1 count=1; } <2027-02-16.slots >x 2>/dev/null &&"
	      " dd if=2027-02-16.slots of=x bs=256 skip=1 seek=2 count=1 conv=notrunc 2>/dev/null &&"
	      " dd if=2027-02-16.slots of=x bs=256 skip=2 seek=1 count=1 conv=notrunc 2>/dev/null &&"
	      " dd if=2027-02-16.slots of=x bs=256 skip=3 seek=3 count=1 conv=notrunc 2>/dev/null && mv x 2027-02-16.slots",
	      store_dir);
	assert_int_equal(heard(&v[0], STORE_DOCUMENTATION), -ESHUTDOWN); /* it is the other's */
	ask(&v[0], STORE_DOCUMENTATION, "erased");
	t = reap_at(T0 + 2 * DAY_NS);
	assert_int_equal(t.single, 1);
	assert_false(slots_name(&v[0]));
	assert_true(slots_name(&v[1]) && slots_name(&v[2]));
	shell("printf x | dd of='%s/" DOC_SLOTS "' bs=1 seek=%d conv=notrunc 2>/dev/null", store_dir, 3 * 256 + 8);
	ask(&v[2], STORE_DOCUMENTATION, "erased");
	t = reap_at(T0 + 3 * DAY_NS);
	assert_int_equal(t.single, 1);
	shell("test -z \"$(dd if='%s/" DOC_SLOTS "' bs=256 skip=3 count=1 2>/dev/null | tr -d '\\0')\"", store_dir);
	assert_true(slots_name(&v[1]));
	/* a place that there is not, and one that is empty already */
	ask(&v[1], STORE_DOCUMENTATION, "erased");
	ask(&v[1], STORE_DOCUMENTATION, "erased");
	shell("truncate -s 512 '%s/" DOC_SLOTS "'", store_dir);
	reap_at(T0 + 4 * DAY_NS);
	assert_false(slots_name(&v[1]));
}

/* A row whose list of chunks is another call's: that one's audio is left alone. */
static void test_wrong_chunks(void **state)
{
	struct store *st = open_store(STORE_RW);
	char path[600], text[2][UID_TEXT], sql[200];
	struct reap_totals t;
	struct uid a, b;
	sqlite3 *db;

	(void)state;
	a = keep_call(st, 1, "acme", CPH, T0, (uint64_t[]){ T0 + 90 * DAY_NS, 0 });
	b = keep_call(st, 2, "acme", CPH, T0, (uint64_t[]){ T0 + 90 * DAY_NS, 0 });
	ok(st, store_sync(st));
	store_close(st);
	uid_format(&a, text[0]);
	uid_format(&b, text[1]);
	snprintf(path, sizeof(path), "%s/catalog/acme/2027-02-16.db", store_dir);
	snprintf(sql, sizeof(sql), "UPDATE calls SET extents=(SELECT extents FROM calls WHERE uid='%s') WHERE uid='%s'", text[1], text[0]);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_changes(db), 1);
	sqlite3_close(db);
	ask(&a, STORE_DOCUMENTATION, "erased");
	t = reap_at(T0 + 2 * DAY_NS);
	assert_true(t.single == 1 && !t.bytes);
	assert_int_equal(heard(&b, STORE_DOCUMENTATION), 0);
}

/* ---- killed ---- */

#define CALLS 24

static struct uid calls[CALLS], held_call;

/* Calls of six days, one on hold, two asked for, one used by nobody: most are due. */
static void fill_store(void)
{
	struct store *st = open_store(STORE_RW);

	for (unsigned i = 0; i < CALLS; i++)
		calls[i] = keep_call(st, i, i % 2 ? "acme" : "beta", CPH, T0,
				     (uint64_t[]){ T0 + (85 + i % 6) * DAY_NS, T0 + (60 + i % 3) * DAY_NS });
	ok(st, store_sync(st));
	store_close(st);
	held_call = calls[3];
	hold(&held_call);
	ask(&calls[4], STORE_TRAINING, "withdrawn");
	ask(&calls[5], STORE_DOCUMENTATION, "erased");
}

static void check_end(void)
{
	for (unsigned i = 0; i < CALLS; i++) {
		int rc = heard(&calls[i], STORE_DOCUMENTATION);
		bool due = i % 6 <= 3;

		if (uid_equal(&calls[i], &held_call))
			assert_int_equal(rc, 0);
		else if (due || i == 5)
			assert_int_not_equal(rc, 0);
		else
			assert_int_equal(rc, 0);
		assert_int_not_equal(heard(&calls[i], STORE_TRAINING), 0);
	}
}

static void test_killed(void **state)
{
	const uint64_t now = T0 + 88 * DAY_NS;
	unsigned rounds = getenv("OPTAG_FULL") ? 1000 : 30, span = 120000;
	struct timespec a, b;
	char want[300];

	(void)state;
	srand(7);
	fill_store();
	shell("cp -a '%s' '%s/base'", store_dir, base_dir);
	clock_gettime(CLOCK_MONOTONIC, &a);
	reap_at(now);
	clock_gettime(CLOCK_MONOTONIC, &b);
	span = (unsigned)((b.tv_sec - a.tv_sec) * 1000000 + (b.tv_nsec - a.tv_nsec) / 1000);
	check_end();
	snprintf(want, sizeof(want), "%s/want", base_dir);
	shell("cd '%s' && find . -path ./evidence -prune -o -type f -print | sed 's/hold.0*[1-9]/hold-N/' | sort >'%s'", store_dir, want);
	for (unsigned i = 0; i < rounds; i++) {
		shell("rm -rf '%s' && cp -a '%s/base' '%s'", store_dir, base_dir, store_dir);
		for (unsigned k = 0; k <= i % 3; k++) {
			killed_run(now + k, (unsigned)rand() % (span + span / 4));
			fsck_clean(NULL);
		}
		reap_at(now + 10);
		check_end();
		fsck_clean(NULL);
		/* The same is left, and every bucket was told of. */
		shell("cd '%s' && find . -path ./evidence -prune -o -path ./outbox -prune -o -type f -print | sed 's/hold.0*[1-9]/hold-N/' | sort |"
		      " diff '%s' -", store_dir, want);
		shell("test \"$(cat '%s'/evidence/*.log | grep -o 'bucket.destroy.*' | grep -o '\"purpose.*\"day\":[0-9]*' | sort -u | wc -l)\" = 10",
		      store_dir);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(hold),
		T(hold_left_open),
		T(hold_not_noted),
		T(due_while_copying),
		T(counted),
		T(locked),
		T(locked_later),
		T(locked_day),
		T(hold_ended_before),
		T(damaged_holds),
		T(damaged_copy),
		T(request),
		T(tidy),
		T(tidy_sticky),
		T(wrong_place),
		T(wrong_chunks),
		T(killed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
