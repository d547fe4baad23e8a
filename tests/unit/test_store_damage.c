/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_store_damage.c - every cut and every flipped byte: named, survived, nothing else lost
 *
 * A store of two small calls (one chunk a leg), so that each byte can be tried: one in three, others at each run
 * (sampled.h), and always the ends of a file; with OPTAG_FULL=1 (make cuts) each.
 */
#include <dirent.h>
#include <signal.h>

#include "pool.h"
#include "sampled.h"
#include "store_util.h"

#include "store/segment.h"

#define CALLS 2

static char seg_path[600], slots_path_[600], bucket_path[600], db_path[600];

static void small_chunk(struct chunk *c, unsigned i, unsigned leg)
{
	rng_state = 99 + i * 7 + leg;
	chunk_stream(c, "PCMA", 8, leg ? K_SPEECH : K_RANDOM, i, 4, 20);
}

static void first_file(const char *under, const char *ext, char out[600])
{
	char cmd[600];
	FILE *p;

	snprintf(cmd, sizeof(cmd), "find %s/%s -name '*.%s'", store_dir, under, ext);
	p = popen(cmd, "r");
	assert_non_null(p);
	assert_non_null(fgets(out, 600, p));
	out[strcspn(out, "\n")] = 0;
	pclose(p);
}

static void write_small(struct store *st, unsigned i)
{
	struct chunk *c = chunk_new();
	struct store_call_result r;
	struct store_call_meta m;
	struct store_call *sc;

	meta_of(i, &m);
	result_of(i, &r);
	ok(st, store_call_begin(st, &m, &sc));
	for (unsigned leg = 0; leg < 2; leg++) {
		small_chunk(c, i, leg);
		ok(st, store_call_append(sc, leg, c));
	}
	ok(st, store_call_end(sc, &r));
	chunk_free(c);
}

static int make_small(void **state)
{
	struct store *st;

	if (make_store(state))
		return -1;
	st = open_store(STORE_RW);
	for (unsigned i = 0; i < CALLS; i++)
		write_small(st, i);
	ok(st, store_sync(st));
	store_close(st);
	fsck_clean(NULL);
	first_file("segments", "seg", seg_path);
	first_file("keys", "slots", slots_path_);
	first_file("keys", "bucket", bucket_path);
	first_file("catalog", "db", db_path);
	return 0;
}

/* Good chunks of call i; the rest must be reported, never given back wrong. */
static unsigned good_chunks(struct store *st, unsigned i, char why[512])
{
	struct chunk *want = chunk_new();
	struct store_call_meta m;
	struct store_reader *r;
	const struct chunk *got;
	unsigned leg, good = 0, calls = 0;
	bool opened;
	int rc;

	meta_of(i, &m);
	rc = store_read_open(st, &m.uid, STORE_DOCUMENTATION, keys_dir, &r);
	opened = !rc;
	snprintf(why, 512, "%s", rc ? store_why(st) : "");
	while (!rc && (rc = store_read_next(r, &leg, &got)) != 0) {
		assert_true(++calls <= 2);
		if (rc == 1) {
			small_chunk(want, i, leg);
			assert_chunk(got, want);
			good++;
		} else {
			assert_int_equal(rc, -EBADMSG);
			snprintf(why, 512, "%s", store_why(st));
		}
		rc = 0;
		if (calls == 2)
			break;
	}
	if (opened)
		store_read_close(r);
	chunk_free(want);
	return good;
}

static uint8_t *slurp(const char *path, size_t *ret_n)
{
	int fd = open(path, O_RDONLY);
	struct stat sb;
	uint8_t *p;

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &sb), 0);
	p = malloc((size_t)sb.st_size + 1);
	assert_int_equal(read(fd, p, (size_t)sb.st_size), sb.st_size);
	close(fd);
	*ret_n = (size_t)sb.st_size;
	return p;
}

static void put_file(const char *path, const uint8_t *p, size_t n)
{
	int fd = open(path, O_WRONLY | O_TRUNC | O_CREAT, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, p, n), (ssize_t)n);
	close(fd);
}

static const char *base_of(const char *path)
{
	return strrchr(path, '/') + 1;
}

/* Of the n places of a file this one is tried: near its ends and around `edge` (n: none) each is. */
static bool tried(size_t i, size_t n, size_t edge)
{
	return sampled(i) || i < 2 || i + 2 >= n || (i + 2 > edge && i < edge + 2);
}

/* Behind it there is a copy of a row. */
static size_t end_of_chunks(const uint8_t *p, size_t n)
{
	uint64_t off = SEGMENT_HEAD, end = 0;
	struct segment_item it;

	while (segment_next(p, n, &off, &it))
		end = it.kind == SEGMENT_CHUNK ? off : end;
	assert_int_equal(it.kind, SEGMENT_ROW);
	return (size_t)end;
}

static void test_cut_segment(void **state)
{
	char why[512];
	size_t n;
	uint8_t *p = slurp(seg_path, &n);
	size_t chunks = end_of_chunks(p, n);
	struct finding f;

	(void)state;
	for (size_t cut = 0; cut < n; cut++) {
		struct store *st;
		unsigned good;

		if (!tried(cut, n, chunks))
			continue;
		put_file(seg_path, p, cut);
		/* a row that is wholly gone is not missed: the catalog has it */
		assert_int_equal(fsck(&f, NULL), cut != chunks);
		assert_true(cut == chunks || strstr(f.file, base_of(seg_path)));
		st = open_store(STORE_RO);
		good = good_chunks(st, 0, why) + good_chunks(st, 1, why);
		/* chunks before the cut are all there, the one that is cut is not (but for its padding) */
		assert_true(good < 4 || cut > chunks - 16);
		if (good < 4)
			assert_non_null(strstr(why, base_of(seg_path)));
		assert_true(cut < n / 2 || good >= 1);
		store_close(st);
	}
	put_file(seg_path, p, n);
	fsck_clean(NULL);
	free(p);
}

/* What a crash leaves: the segment still open, cut anywhere, rows of the lost part not written. */
static void test_cut_open_segment(void **state)
{
	char open_path[700];
	size_t n;
	uint8_t *p = slurp(seg_path, &n);

	(void)state;
	snprintf(open_path, sizeof(open_path), "%.*s.open", (int)(strlen(seg_path) - 4), seg_path);
	shell("rm %s", seg_path);
	shell("sqlite3 %s 'delete from calls; delete from legs'", db_path);
	for (size_t cut = 0; cut <= n; cut += cut < 140 ? 1 : 7) {
		struct store_fsck_report rep;
		struct store *st;

		if (!tried(cut, n, n))
			continue;
		put_file(open_path, p, cut);
		assert_int_equal(truncate(open_path, 8192), 0); /* preallocated */
		fsck_clean(&rep);
		st = open_store(STORE_RW);
		store_close(st);
		assert_int_equal(access(open_path, F_OK), -1);
		fsck_clean(&rep);
		assert_int_equal(rep.chunks, rep.orphan_chunks);
		assert_int_equal(rep.interrupted, CALLS);
		assert_int_equal(rep.chunks > 0, !access(seg_path, F_OK));
		shell("rm -f %s", seg_path);
	}
	free(p);
}

static void test_flip_segment(void **state)
{
	char why[512], why2[512];
	size_t n;
	uint8_t *p = slurp(seg_path, &n);
	struct finding f;

	(void)state;
	for (size_t i = 0; i < n; i++) {
		struct store *st;
		unsigned good;

		if (!tried(i, n, n))
			continue;
		p[i] ^= 1 << (i % 8);
		put_file(seg_path, p, n);
		assert_int_equal(fsck(&f, NULL), 1);
		assert_non_null(strstr(f.file, base_of(seg_path)));
		assert_int_equal(f.n, 1);
		assert_true(f.off <= i);
		st = open_store(STORE_RO);
		good = good_chunks(st, 0, why) + good_chunks(st, 1, why2);
		assert_true(good >= 3); /* one chunk at most is lost */
		store_close(st);
		p[i] ^= 1 << (i % 8);
	}
	put_file(seg_path, p, n);
	fsck_clean(NULL);
	free(p);
}

static void flip_key_file(const char *path, bool slots)
{
	char why[512];
	size_t n;
	uint8_t *p = slurp(path, &n);
	struct finding f;

	for (size_t i = 0; i < n; i++) {
		struct store *st;
		unsigned good;

		if (!tried(i, n, n))
			continue;
		p[i] ^= 0x80 >> (i % 8);
		put_file(path, p, n);
		assert_int_equal(fsck(&f, NULL), 1);
		assert_non_null(strstr(f.file, base_of(path)));
		assert_true(f.rule[0] == 'K');
		assert_true(f.off <= i);
		st = open_store(STORE_RO);
		good = good_chunks(st, 0, why) + good_chunks(st, 1, why);
		assert_true(slots ? good >= 2 : good == 0);
		store_close(st);
		p[i] ^= 0x80 >> (i % 8);
	}
	put_file(path, p, n);
	fsck_clean(NULL);
	free(p);
}

static void test_flip_slots(void **state)
{
	(void)state;
	flip_key_file(slots_path_, true);
}

static void test_flip_bucket(void **state)
{
	(void)state;
	flip_key_file(bucket_path, false);
}

static void test_cut_slots(void **state)
{
	char why[512];
	size_t n;
	uint8_t *p = slurp(slots_path_, &n);
	struct finding f;

	(void)state;
	assert_int_equal(n, (1 + CALLS) * 256);
	for (size_t cut = 0; cut < n; cut++) {
		struct store *st;

		if (!tried(cut, n, 512)) /* there the second call's begins */
			continue;
		put_file(slots_path_, p, cut);
		assert_int_equal(fsck(&f, NULL), 1);
		assert_non_null(strstr(f.file, base_of(slots_path_)));
		st = open_store(STORE_RO);
		assert_int_equal(good_chunks(st, 0, why), cut >= 512 ? 2 : 0);
		assert_int_equal(good_chunks(st, 1, why), 0);
		store_close(st);
	}
	/* a torn slot that no row wants is legal, and the next call goes over it */
	put_file(slots_path_, p, n);
	shell("head -c 100 /dev/urandom >> %s", slots_path_);
	fsck_clean(NULL);
	struct store *st = open_store(STORE_RW);

	write_small(st, 2);
	ok(st, store_sync(st));
	store_close(st);
	st = open_store(STORE_RO);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(good_chunks(st, i, why), 2);
	store_close(st);
	fsck_clean(NULL);
	free(p);
}

static int count_row(void *arg, const struct store_row *row)
{
	(void)row;
	++*(int *)arg;
	return 0;
}

/* SQLite has no checksums: not every flip shows, but none may crash or give wrong audio. */
static void test_flip_catalog(void **state)
{
	struct store_filter any = { .state = -1 };
	char why[512];
	size_t n, flips = 0, seen = 0, at = 0;
	uint8_t *p = slurp(db_path, &n);
	struct finding f;

	(void)state;
	for (size_t i = 0; i < n; i += 1 + i % 13) {
		struct store *st;
		int rows = 0, rc;

		if (i > 200 && !p[i] && i % 5)
			continue; /* the empty middle of pages */
		if (!sampled(at++))
			continue;
		p[i] ^= 1 << (i % 8);
		put_file(db_path, p, n);
		rc = fsck(&f, NULL);
		assert_true(rc >= 0);
		seen += rc == 1;
		flips++;
		st = open_store(STORE_RO);
		rc = store_find(st, &any, count_row, &rows);
		assert_true(rc == 0 || rc == -EBADMSG);
		good_chunks(st, 0, why);
		good_chunks(st, 1, why);
		store_close(st);
		p[i] ^= 1 << (i % 8);
	}
	assert_true(flips > 500 / sampled_every);
	assert_true(seen > 50 / sampled_every);
	put_file(db_path, p, n);
	fsck_clean(NULL);
	free(p);
}

/* Rows, slots and chunks that do not agree. */
static void test_disagree(void **state)
{
	struct finding f;

	(void)state;
	shell("sqlite3 %s \"update calls set documentation_slot=0\"", db_path);
	assert_int_equal(fsck(&f, NULL), 1);
	assert_string_equal(f.rule, "K-5");
	shell("sqlite3 %s \"update calls set documentation_slot=1\"", db_path); /* both the same slot */
	assert_int_equal(fsck(&f, NULL), 1);
	assert_string_equal(f.rule, "K-5");
	assert_int_equal(f.off, 256);
	shell("sqlite3 %s \"update calls set documentation_slot=9\"", db_path);
	assert_int_equal(fsck(&f, NULL), 1);
	assert_string_equal(f.rule, "K-5");
	clock_set_ns(T0 + 365 * 86400 * NS_PER_S); /* the day has begun, and the reaper has not come */
	assert_int_equal(fsck(&f, NULL), 1);
	assert_string_equal(f.rule, "K-5");
	clock_set_ns(0);
	shell("sqlite3 %s \"update calls set documentation_slot=0, documentation_state='EXPIRED'\"", db_path);
	fsck_clean(NULL);
	shell("sqlite3 %s \"update calls set documentation_state='MAYBE'\"", db_path);
	assert_int_equal(fsck(&f, NULL), 1);
	assert_string_equal(f.rule, "C-2");
	shell("sqlite3 %s \"update calls set documentation_state='EXPIRED', extents=x'ffffffffffffffffffff7f'\"",
	      db_path);
	assert_int_equal(fsck(&f, NULL), 1);
	assert_string_equal(f.rule, "C-2");
	shell("sqlite3 %s \"update calls set extents=x''\"", db_path);
	fsck_clean(NULL); /* chunks without a row are legal */
	shell("sqlite3 %s \"alter table calls rename to c; create view calls as with recursive r(x) as"
	      " (select 1 union all select x+1 from r) select c.* from c, r where abs(x)<0\"", db_path);
	assert_int_equal(fsck(&f, NULL), 1); /* a table that would be read for ever */
	assert_string_equal(f.rule, "C-1");
	shell("sqlite3 %s \"pragma user_version=9\"", db_path);
	assert_int_equal(fsck(&f, NULL), 1);
	assert_string_equal(f.rule, "C-1");
}

/* A writer that dies at any moment: what was synced is whole, the rest is no damage. */
static void test_kill(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 12; round++) {
		struct store_fsck_report rep;
		unsigned synced = 0, base = 100 + round * 100;
		struct store *st;
		int fds[2], status;
		pid_t pid;

		assert_int_equal(pipe(fds), 0);
		pid = fork();
		if (!pid) {
			struct chunk *c = chunk_new();
			struct store_call_meta m;
			struct store_call *open_call;

			st = open_store(STORE_RW);
			meta_of(base + 99, &m);
			ok(st, store_call_begin(st, &m, &open_call));
			for (unsigned i = 0; i < 40; i++) {
				chunk_of(c, base + 99, i & 1, i / 2);
				ok(st, store_call_append(open_call, i & 1, c));
				write_call(st, base + i, 4);
				if (i % 5 == 4) {
					uint8_t b = (uint8_t)(i + 1);

					ok(st, store_sync(st));
					if (write(fds[1], &b, 1) != 1)
						_exit(1);
				}
				if (i == round * 3 + 4)
					kill(getpid(), SIGKILL);
			}
			_exit(0);
		}
		close(fds[1]);
		for (uint8_t b; read(fds[0], &b, 1) == 1;)
			synced = b;
		close(fds[0]);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
		fsck_clean(&rep);
		st = open_store(STORE_RO);
		for (unsigned i = 0; i < synced; i++)
			assert_int_equal(read_call(st, base + i, 4), 0);
		store_close(st);
		st = open_store(STORE_RW);
		for (unsigned i = 0; i < synced; i++) /* beside a new writer, after the cut */
			assert_int_equal(read_call(st, base + i, 4), 0);
		store_close(st);
		fsck_clean(&rep);
		assert_true(rep.interrupted > round);
		shell("! find %s -name '*.open' | grep -q .", store_dir);
	}
}

#define T(f) cmocka_unit_test_setup_teardown(f, make_small, drop_store)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_cut_segment), T(test_cut_open_segment), T(test_flip_segment), T(test_flip_slots),
		T(test_flip_bucket), T(test_cut_slots),	       T(test_flip_catalog), T(test_disagree),
		cmocka_unit_test_setup_teardown(test_kill, make_store, drop_store),
	};

	sampled_begin(3);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
