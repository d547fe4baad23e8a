/* SPDX-License-Identifier: BSD-2-Clause */
/* test_rebuild.c - a lost catalog made anew: the same rows as before, and none that was destroyed */
#include "store_util.h"

#include "base/buf.h"
#include "store/catalog.h"
#include "store/evlog.h"
#include "store/later.h"
#include "store/rowcopy.h"
#include "store/segment.h"
#include "store/slots.h"

#define CAT "catalog/acme/2027-02-16"

/* Calls 0..n-1, every third denied, the newest partition taking 4; two with parts, a link and both purposes. */
static void write_calls(unsigned n, bool close)
{
	struct store *st = open_store(STORE_RW);

	catalog_limit(st->catalog, 4);
	ok(st, store_settle(st, NULL)); /* as recorders do: marks are written from then on */
	for (unsigned i = 0; i < n; i++) {
		struct store_call_meta m;
		struct store_call_result r;
		struct store_call *sc;
		struct chunk *c;

		if (i % 5 == 1) {
			write_call(st, i, 2);
			ok(st, store_sync(st));
			continue;
		}
		meta_of(i, &m);
		result_of(i, &r);
		m.until_ns[1] = m.start_ns + 30 * 86400 * NS_PER_S;
		m.training_use_by = m.start_ns + 7 * 86400 * NS_PER_S;
		if (i % 3 == 2) {
			r.outcome = STORE_O_DENIED;
			r.state[0] = r.state[1] = STORE_S_DENIED;
			r.reason[0] = r.reason[1] = "optout";
			ok(st, store_call_denied(st, &m, &r));
			ok(st, store_sync(st));
			continue;
		}
		m.commit[1] = true;
		r.state[1] = STORE_S_GRANTED;
		r.reason[1] = "consent";
		r.relation = "same-as";
		memset(&r.other, 5, sizeof(r.other));
		c = chunk_new();
		ok(st, store_call_begin(st, &m, &sc));
		for (unsigned k = 0; k < 2; k++) {
			for (unsigned leg = 0; leg < 2; leg++) {
				chunk_of(c, i, leg, k);
				ok(st, store_call_append(sc, leg, c));
			}
			if (!k) {
				ok(st, store_call_part(sc, 1, c->pkt[0].arrival_ns + NS_PER_S));
				store_call_enter(sc, 0);
				store_call_enter(sc, 1);
			}
		}
		ok(st, store_call_end(sc, &r));
		ok(st, store_sync(st));
		chunk_free(c);
	}
	if (close)
		store_close(st);
}

/* All that the catalog says, wherever it says it, into base_dir/NAME. */
static void dump(const char *name)
{
	shell("cd %s && for t in calls legs links; do for f in catalog/*/*.db; do case $f in */later.db) continue;; esac;"
	      " sqlite3 -cmd '.mode quote' $f \"select '$t', * from $t\"; done; done 2>&1 | sort > %s/%s",
	      store_dir, base_dir, name);
}

static struct store_rebuild_report rebuild(int want)
{
	struct store_rebuild_report rep;
	char why[512] = "";
	int rc = store_rebuild(store_dir, NULL, NULL, &rep, why, sizeof(why));

	if (rc != want)
		print_error("rebuild: %d %s\n", rc, why);
	assert_int_equal(rc, want);
	return rep;
}

static void same_as_before(void)
{
	dump("after");
	shell("diff %s/before %s/after", base_dir, base_dir);
	fsck_clean(NULL);
}

/* Copies of calls that were denied lie in a segment that was open; all of this store's do. */
static void test_lost(void **state)
{
	static const char *const harm[] = {
		"rm %s/" CAT ".db",
		"rm %s/" CAT ".db %s/" CAT ".2.db %s/" CAT ".3.db",
		"rm %s/" CAT ".3.db",
		"rm -r %s/catalog/acme",
		"truncate -s 0 %s/" CAT ".2.db",
		"truncate -s 5000 %s/" CAT ".2.db",
		"head -c 70000 /dev/urandom > %s/" CAT ".2.db",
		"dd if=/dev/zero of=%s/" CAT ".db bs=4096 seek=1 count=2 conv=notrunc 2>/dev/null",
		"sqlite3 %s/" CAT ".db \"update calls set documentation_state='MAYBE' where uid=(select max(uid) from calls)\"",
		"sqlite3 %s/" CAT ".2.db 'pragma user_version=77'",
		"echo rest > %s/" CAT ".2.db-wal; rm %s/" CAT ".2.db",
	};

	(void)state;
	write_calls(11, true);
	dump("before");
	shell("test $(grep -c \"^'calls'\" %s/before) = 11", base_dir);
	shell("cp -a %s %s.good", store_dir, store_dir);
	assert_int_equal(rebuild(0).copied, 0); /* nothing is lost */
	same_as_before();
	for (size_t i = 0; i < sizeof(harm) / sizeof(*harm); i++) {
		struct store_rebuild_report rep;
		struct store *st;

		shell("rm -rf %s && cp -a %s.good %s", store_dir, store_dir, store_dir);
		shell(harm[i], store_dir, store_dir, store_dir);
		rep = rebuild(0);
		assert_int_equal(rep.partitions, 1);
		assert_int_equal(rep.bare + rep.denied + rep.over, 0);
		assert_true(rep.copied >= 3);
		same_as_before();
		if (i >= 4)
			shell("ls %s/catalog/acme | grep -q 'db.damaged'", store_dir);
		assert_int_equal(rebuild(0).partitions, 0); /* and it is all there */
		st = open_store(STORE_RO);
		assert_int_equal(read_call(st, 1, 2), 0);
		assert_int_equal(read_call(st, 6, 2), 0);
		store_close(st);
		st = open_store(STORE_RW); /* writers go on */
		write_call(st, 20, 1);
		store_close(st);
		fsck_clean(NULL);
	}
}

/* The catalog and what says which slots a row names are lost, and a recorder goes on before anybody rebuilds. */
static void test_gone_on(void **state)
{
	static const char *const harm[] = {
		"rm -r %s/catalog/acme %s/open.db*",
		"rm %s/" CAT ".db %s/open.db*",
		"rm -r %s/catalog/acme; rm -f %s/open.db-wal",
	};

	(void)state;
	write_calls(11, true);
	shell("cp -a %s %s.good", store_dir, store_dir);
	for (size_t i = 0; i < sizeof(harm) / sizeof(*harm); i++) {
		struct store *st;

		shell("rm -rf %s && cp -a %s.good %s", store_dir, store_dir, store_dir);
		shell(harm[i], store_dir, store_dir);
		for (int n = 0; n < 2; n++) { /* the second finds a new open.db */
			st = open_store(STORE_RW);
			ok(st, store_settle(st, NULL));
			write_call(st, 20 + (unsigned)n, 1);
			ok(st, store_sync(st));
			store_close(st);
		}
		assert_true(rebuild(0).copied >= 3);
		st = open_store(STORE_RO);
		assert_int_equal(read_call(st, 1, 2), 0);
		assert_int_equal(read_call(st, 6, 2), 0);
		assert_int_equal(read_call(st, 20, 1), 0);
		store_close(st);
		fsck_clean(NULL);
	}
}

/* A block of a segment that the disk does not give back. */
static off_t bad_block;

ssize_t __real_pread(int fd, void *p, size_t n, off_t off);
ssize_t __wrap_pread(int fd, void *p, size_t n, off_t off);
ssize_t __wrap_pread(int fd, void *p, size_t n, off_t off)
{
	struct stat sb;

	if (bad_block && off < bad_block + 4096 && off + (off_t)n > bad_block && !fstat(fd, &sb) && sb.st_size > bad_block + 4096) {
		errno = EIO;
		return -1;
	}
	return __real_pread(fd, p, n, off);
}

static void on_say(void *arg, const char *file, const char *text)
{
	*(bool *)arg |= !strcmp(file, "segments/acme/2027-02-16/00000001.seg") && strstr(text, "4096 bytes cannot be read");
}

static void test_bad_block(void **state)
{
	struct store_rebuild_report rep;
	bool said = false;
	char why[512] = "";

	(void)state;
	write_calls(5, true);
	dump("before");
	shell("rm -r %s/catalog/acme", store_dir);
	bad_block = 8192; /* in audio: every row has its copy elsewhere */
	assert_int_equal(store_rebuild(store_dir, on_say, &said, &rep, why, sizeof(why)), 0);
	bad_block = 0;
	assert_true(said);
	assert_int_equal(rep.copied, 5);
	same_as_before();
}

/* What a writer left open and nobody can read, or is no segment, does not keep the next one from recording, and is not cut. */
static void test_bad_open(void **state)
{
	struct store *st;

	(void)state;
	write_calls(5, true);
	dump("before");
	shell("cd %s/segments/acme/2027-02-16 && mv 00000001.seg 00000001.open && cp 00000001.open ../whole && mkdir 00000002.open &&"
	      " ln -s 00000001.open 00000006.open && truncate -s 2G 00000003.open && mkfifo 00000004.open", store_dir);
	bad_block = 8192;
	st = open_store(STORE_RW);
	write_call(st, 20, 1);
	store_close(st);
	bad_block = 0;
	shell("cd %s/segments/acme/2027-02-16 && cmp 00000001.open ../whole && test -e 00000007.seg && rmdir 00000002.open && rm 00000003.open"
	      " 00000004.open 00000006.open ../whole", store_dir);
	st = open_store(STORE_RW);
	assert_int_equal(read_call(st, 1, 2), 0);
	store_close(st);
	shell("test -e %s/segments/acme/2027-02-16/00000001.seg", store_dir);
	fsck_clean(NULL);
}

/* Beside a writer nothing is touched; what a killed one had in its WAL and in an open segment is not lost. */
static void test_killed(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	fflush(stdout);
	pid = fork();
	if (!pid) {
		write_calls(6, false);
		rebuild(-EBUSY);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	shell("ls %s/segments/acme/2027-02-16/*.open >/dev/null && ls %s/catalog/acme/*-wal >/dev/null", store_dir, store_dir);
	shell("cp -a %s %s.good", store_dir, store_dir);
	write_calls(0, true); /* takes in the WAL */
	dump("before");
	shell("rm -rf %s && cp -a %s.good %s", store_dir, store_dir, store_dir);
	assert_int_equal(rebuild(0).copied, 0);
	shell("rm %s/" CAT ".db %s/" CAT ".2.db*", store_dir, store_dir);
	assert_int_equal(rebuild(0).copied, 6);
	dump("after");
	shell("diff %s/before %s/after", base_dir, base_dir);
	write_calls(0, true);
	same_as_before();
}

static void wipe_copies(unsigned from)
{
	char path[400];
	size_t n;
	struct segment_item it;
	uint64_t off = SEGMENT_HEAD;
	uint8_t *p = malloc(1 << 24);
	FILE *f;
	unsigned k = 0;

	snprintf(path, sizeof(path), "%s/segments/acme/2027-02-16/00000001.seg", store_dir);
	f = fopen(path, "r+b");
	n = fread(p, 1, 1 << 24, f);
	while (segment_next(p, n, &off, &it))
		if (it.kind == SEGMENT_ROW && k++ >= from)
			memset(p + it.off, 0, it.len);
	rewind(f);
	assert_int_equal(fwrite(p, 1, n, f), n);
	fclose(f);
	free(p);
}

static int on_row(void *arg, const struct store_row *r)
{
	*(struct store_row *)arg = *r;
	assert_string_equal(r->gap, "rebuilt");
	assert_string_equal(r->reason[0], "rebuilt");
	return 0;
}

/* Chunks and slots alone: restricted, and readable for who may lift that. */
static void test_bare(void **state)
{
	struct store_filter any = { .state = STORE_S_OBJECTED };
	struct store_rebuild_report rep;
	struct store_reader *reader;
	struct store_call_meta m;
	struct store_row row;
	struct store *st;

	(void)state;
	write_calls(5, true);
	wipe_copies(0);
	fsck_clean(NULL);
	shell("rm %s/catalog/acme/*", store_dir);
	rep = rebuild(0);
	assert_int_equal(rep.bare, 4);
	assert_int_equal(rep.copied + rep.over, 0);
	fsck_clean(NULL);
	st = open_store(STORE_RO);
	any.uid = &m.uid;
	meta_of(1, &m);
	ok(st, store_find(st, &any, on_row, &row));
	assert_int_equal(row.leg[0].packets, 200);
	assert_int_equal(row.until_ns[0], m.until_ns[0]);
	assert_int_equal(store_read_open(st, &m.uid, STORE_DOCUMENTATION, keys_dir, &reader), -EACCES);
	store_close(st);
	shell("chmod u+w %s/catalog/acme/*.db && sqlite3 %s/" CAT ".db \"update calls set documentation_state='GRANTED'\"", store_dir,
	      store_dir);
	st = open_store(STORE_RO);
	assert_int_equal(read_call(st, 1, 2), 0);
	store_close(st);
}

static void set_bucket(unsigned p, const char *day)
{
	char path[400];
	uint8_t raw[BUCKET_SIZE];
	struct bucket b;
	FILE *f;

	snprintf(path, sizeof(path), "%s/keys/acme/%s/%s.bucket", store_dir, store_purpose_names[p], day);
	f = fopen(path, "r+b");
	assert_int_equal(fread(raw, 1, sizeof(raw), f), sizeof(raw));
	assert_null(bucket_parse(raw, sizeof(raw), &b));
	b.state = BUCKET_DESTROYED;
	memset(b.key, 0, sizeof(b.key));
	bucket_format(&b, raw);
	rewind(f);
	assert_int_equal(fwrite(raw, 1, sizeof(raw), f), sizeof(raw));
	fclose(f);
}

static void test_destroyed(void **state)
{
	struct store_rebuild_report rep;

	(void)state;
	write_calls(5, true);
	dump("before");
	/* training alone: the row stays, and says what it did */
	set_bucket(1, "2026-12-18");
	shell("cp -a %s %s.good", store_dir, store_dir);
	shell("rm %s/catalog/acme/*", store_dir);
	assert_int_equal(rebuild(0).copied, 5);
	same_as_before();
	/* its day: nothing comes back, with the bucket file or without */
	set_bucket(0, "2027-02-16");
	shell("rm %s/catalog/acme/*", store_dir);
	rep = rebuild(0);
	assert_int_equal(rep.copied + rep.bare + rep.denied + rep.partitions, 0);
	assert_int_equal(rep.over, 5);
	shell("rm %s/keys/acme/*/*", store_dir);
	assert_int_equal(rebuild(0).over, 5);
	shell("test -z \"$(ls %s/catalog/acme)\"", store_dir);
}

/* A single call that was erased: with its line in later.db it is there, and says so. Without, it never had a row. */
static void test_erased(void **state)
{
	struct later_line line = { .day = 20270216, .state = STORE_S_EXPIRED, .reason = "unused" };
	struct store_call_meta m;
	struct why why = { "" };
	struct root r;
	struct later *l;

	(void)state;
	write_calls(2, true);
	dump("before");
	meta_of(1, &m);
	shell("dd if=/dev/zero of=%s/keys/acme/documentation/2027-02-16.slots bs=256 seek=2 count=1 conv=notrunc 2>/dev/null", store_dir);
	shell("rm %s/catalog/acme/*", store_dir);
	shell("cp -a %s %s.good", store_dir, store_dir);
	assert_int_equal(rebuild(0).over, 1);
	shell("rm -rf %s && cp -a %s.good %s", store_dir, store_dir, store_dir);
	assert_int_equal(root_open(store_dir, &r, &why), 0);
	line.uid = m.uid;
	assert_int_equal(later_open(&r, "acme", true, &l, &why), 0);
	assert_int_equal(later_put(l, &line, &why), 0);
	later_close(l);
	root_close(&r);
	assert_int_equal(rebuild(0).copied, 2);
	same_as_before();
}

static void log_call(struct evlog *l, unsigned i, bool denied)
{
	struct evlog_event e = { .source = EVLOG_S_DAEMON, .has_call = true, .controller = "acme", .rule = "service-desk" };
	struct store_call_meta m;

	meta_of(i, &m);
	e.call = m.uid;
	e.time_ns = m.start_ns;
	e.kind = EVLOG_CALL_MATCH;
	e.policy = "00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff";
	assert_int_equal(evlog_append(l, &e, NULL), 0);
	e.policy = NULL;
	e.controller = NULL;
	if (denied) {
		e.kind = EVLOG_PURPOSE_DENY;
		e.purpose = EVLOG_P_DOCUMENTATION;
		e.reason = "optout";
		assert_int_equal(evlog_append(l, &e, NULL), 0);
		e.purpose = EVLOG_P_NONE;
	}
	e.time_ns += NS_PER_S;
	e.kind = denied ? EVLOG_CALL_DENIED : EVLOG_CALL_GAP;
	e.reason = denied ? "optout" : "media";
	assert_int_equal(evlog_append(l, &e, NULL), 0);
}

static int on_denied(void *arg, const struct store_row *r)
{
	++*(unsigned *)arg;
	assert_int_equal(r->outcome, STORE_O_DENIED);
	assert_int_equal(r->state[0], STORE_S_DENIED);
	assert_string_equal(r->reason[0], "optout");
	assert_string_equal(r->rule, "service-desk");
	return 0;
}

/* Denied calls have their rows from the evidence log, where others like them are. */
static void test_evidence(void **state)
{
	struct store_filter denied = { .state = STORE_S_DENIED };
	struct store_rebuild_report rep;
	struct store *st;
	char why[512] = "";
	struct evlog *l;
	unsigned n = 0;

	(void)state;
	write_calls(5, true);
	shell("sqlite3 %s/" CAT ".db \"select 1\" >/dev/null", store_dir);
	assert_int_equal(evlog_open(store_dir, &l, why, sizeof(why)), 0);
	for (unsigned i = 0; i < 5; i++)
		log_call(l, i, i == 2);
	log_call(l, 100, true);		/* the catalog never had it, or lost it */
	log_call(l, 3 * 86400, true); /* three days later: no call is like it */
	assert_int_equal(evlog_flush(l, 0), 0);
	evlog_close(l);
	shell("rm %s/catalog/acme/*", store_dir);
	rep = rebuild(0);
	/* the policy's name in rows of store_util.h is no hash: nobody is like them */
	assert_int_equal(rep.copied, 5);
	assert_int_equal(rep.denied, 0);
	assert_int_equal(rep.unplaced, 2);
	shell("chmod u+w %s/catalog/acme/*.db; sqlite3 %s/" CAT ".db \"update calls set policy_hash="
	      "'00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff'\"", store_dir, store_dir);
	shell("echo > %s/" CAT ".2.db", store_dir);
	rep = rebuild(0);
	assert_int_equal(rep.denied, 1);
	assert_int_equal(rep.unplaced, 1);
	fsck_clean(NULL);
	st = open_store(STORE_RO);
	ok(st, store_find(st, &denied, on_denied, &n));
	store_close(st);
	assert_int_equal(n, 2);
}

/* Any bytes: parse or not, and then go in or not. */
static void test_copy_bytes(void **state)
{
	uint8_t body[200] = { 1, 1, 2, 26 };
	struct uid uid = { { 0 } };
	char text[UID_TEXT];

	(void)state;
	uid_format(&uid, text);
	memcpy(body + 4, text, 26);
	assert_true(rowcopy_sound(body, 32, &uid));
	assert_false(rowcopy_sound(body, 31, &uid));
	assert_false(rowcopy_sound(body, 33, &uid));
	body[0] = 2;
	assert_false(rowcopy_sound(body, 32, &uid));
	body[0] = 1;
	body[2] = 4;
	assert_false(rowcopy_sound(body, 32, &uid));
	body[2] = 2;
	body[5] ^= 1;
	assert_false(rowcopy_sound(body, 32, &uid));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, make_store, drop_store)
		T(test_lost), T(test_gone_on), T(test_bad_block), T(test_bad_open), T(test_killed), T(test_bare),
		T(test_destroyed), T(test_erased), T(test_evidence), T(test_copy_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
