/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_store_resume.c - writers that die or hand over, and who comes after them
 *
 * The writer is a child process that is killed; its saved state lies in shared
 * memory, where the next writer finds it, like in the real take-over.
 */
#include <dirent.h>
#include <sys/mman.h>

#include "base/buf.h"
#include "base/le.h"
#include "killed.h"
#include "store/segment.h"
#include "store_util.h"

struct shared {
	uint8_t state[1 << 20];
	size_t n;
	unsigned appended; /* chunks handed to the store, all writers together */
	unsigned synced;   /* of them, covered by a store_sync */
	unsigned killed;
};

static struct shared *sh;

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

static void save(const struct store_call *sc)
{
	struct buf b = { 0 };

	assert_int_equal(store_call_save(sc, &b), 0);
	assert_true(b.len < sizeof(sh->state));
	memcpy(sh->state, b.p, b.len);
	sh->n = b.len;
	buf_free(&b);
}

static void append(struct store *st, struct store_call *sc, unsigned i, unsigned n)
{
	struct chunk *c = chunk_new();

	chunk_of(c, i, n & 1, n / 2);
	ok(st, store_call_append(sc, n & 1, c));
	sh->appended = n + 1;
	chunk_free(c);
}

static void sync_now(struct store *st)
{
	ok(st, store_sync(st));
	sh->synced = sh->appended;
}

/* Chunks of call i by their numbers n: the next to be read is the first of `want` not yet gone by. */
static unsigned may_lack; /* so many places where chunks are missing are no failure */

static unsigned read_some(struct store *st, unsigned i, bool *got, unsigned max)
{
	struct chunk *want = chunk_new();
	struct store_call_meta m;
	struct store_reader *r;
	const struct chunk *c;
	unsigned leg, n, count = 0;
	int rc;

	meta_of(i, &m);
	ok(st, store_read_open(st, &m.uid, STORE_DOCUMENTATION, keys_dir, &r));
	while ((rc = store_read_next(r, &leg, &c)) == 1 || (rc == -EBADMSG && may_lack)) {
		if (rc < 0) {
			may_lack--;
			continue;
		}
		n = (unsigned)((c->pkt[0].seq - 65500) / 100) * 2 + leg;
		assert_true(n < max);
		assert_false(got[n]);
		got[n] = true;
		chunk_of(want, i, leg, n / 2);
		assert_chunk(c, want);
		count++;
	}
	if (rc)
		print_error("%s\n", store_why(st));
	assert_int_equal(rc, 0);
	store_read_close(r);
	chunk_free(want);
	return count;
}

struct seen {
	struct uid uid;
	uint8_t leg;
	uint32_t epoch, number;
};

static int seen_cmp(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct seen));
}

/* Every chunk of every segment: no (uid, leg, epoch, number) twice, since that is the nonce. */
static size_t nonces(void)
{
	static struct seen v[20000];
	char cmd[600], path[600];
	size_t n = 0;
	FILE *f;

	memset(v, 0, sizeof(v));
	snprintf(cmd, sizeof(cmd), "find %s/segments -name '*.seg' -o -name '*.open'", store_dir);
	f = popen(cmd, "r");
	assert_non_null(f);
	while (fgets(path, sizeof(path), f)) {
		struct segment_item it;
		uint64_t off = SEGMENT_HEAD;
		struct stat sb;
		uint8_t *p;
		int fd;

		path[strcspn(path, "\n")] = 0;
		fd = open(path, O_RDONLY);
		assert_int_equal(fstat(fd, &sb), 0);
		p = malloc((size_t)sb.st_size);
		assert_int_equal(read(fd, p, (size_t)sb.st_size), sb.st_size);
		while (segment_next(p, (size_t)sb.st_size, &off, &it)) {
			if (it.kind != SEGMENT_CHUNK)
				continue;
			assert_true(n < sizeof(v) / sizeof(*v));
			v[n].uid = it.head.uid;
			v[n].leg = it.head.leg;
			v[n].epoch = it.head.epoch;
			v[n++].number = it.head.number;
		}
		free(p);
		close(fd);
	}
	pclose(f);
	qsort(v, n, sizeof(*v), seen_cmp);
	for (size_t i = 1; i < n; i++)
		assert_int_not_equal(seen_cmp(&v[i - 1], &v[i]), 0);
	return n;
}

static int take_row(void *arg, const struct store_row *row)
{
	struct store_row *r = arg;

	*r = *row;
	r->end = strdup(row->end);
	r->gap = strdup(row->gap);
	for (int p = 0; p < STORE_PURPOSES; p++)
		r->reason[p] = strdup(row->reason[p]);
	return 1;
}

static void row_of(struct store *st, unsigned i, struct store_row *r)
{
	struct store_filter f = { .state = -1 };
	struct store_call_meta m;

	meta_of(i, &m);
	f.uid = &m.uid;
	assert_int_equal(store_find(st, &f, take_row, r), 1);
}

static void row_free(struct store_row *r)
{
	free((void *)(uintptr_t)r->end);
	free((void *)(uintptr_t)r->gap);
	for (int p = 0; p < STORE_PURPOSES; p++)
		free((void *)(uintptr_t)r->reason[p]);
}

static struct store_call *begin(struct store *st, unsigned i)
{
	struct store_call_meta m;
	struct store_call *sc;

	meta_of(i, &m);
	m.now.state[0] = STORE_S_GRANTED;
	m.now.reason[0] = "interest";
	m.now.answer_ns = m.start_ns + 1;
	ok(st, store_call_begin(st, &m, &sc));
	return sc;
}

static void end(struct store *st, struct store_call *sc, unsigned i)
{
	struct store_call_result r;

	result_of(i, &r);
	ok(st, store_call_end(sc, &r));
}

/* ---- a state at hand, kills at any moment ---- */

enum { CALL = 7, CHUNKS = 120 };

/* One writer: goes on where the state says, does a random amount, dies without a word. */
static void live_and_die(unsigned round)
{
	struct store *st = open_store(STORE_RW);
	struct store_call *sc = NULL;
	unsigned last;

	rng_state = 0x1234567 + round * 77;
	for (int k = 0; k < 5; k++)
		rnd();
	last = sh->appended + 1 + rnd() % 12;
	if (!sh->n)
		sc = begin(st, CALL);
	else
		ok(st, store_call_resume(st, sh->state, sh->n, &sc));
	if (!sh->n) {
		sync_now(st);
		save(sc);
	}
	for (unsigned n = sh->appended, k = rnd() % 4; n < last; n++, k++) {
		uint32_t dice = (round * 31 + n * 17) % 7;

		if (k == 2)
			ok(st, store_settle(st, NULL));
		append(st, sc, CALL, n);
		if (dice < 3)
			sync_now(st);
		if (dice == 4)
			save(sc); /* else the state is older than the disk */
	}
}

static void test_kills(void **state)
{
	bool got[CHUNKS * 2] = { false };
	struct store_call *sc;
	struct store *st;
	unsigned round, n, lost = 0;

	(void)state;
	for (round = 0; sh->appended < CHUNKS; round++) {
		unsigned synced;

		in_child(live_and_die, round);
		synced = sh->synced;
		sh->synced = 0; /* what was not synced may be lost; count what was */
		for (n = 0; n < synced; n++)
			got[n] = false;
		sh->synced = synced;
		fsck_clean(NULL);
		nonces();
	}
	assert_true(round > 8);
	st = open_store(STORE_RW);
	ok(st, store_call_resume(st, sh->state, sh->n, &sc));
	append(st, sc, CALL, sh->appended);
	end(st, sc, CALL); /* catches up by itself */
	ok(st, store_settle(st, NULL));
	store_close(st);
	fsck_clean(NULL);
	st = open_store(STORE_RO);
	n = read_some(st, CALL, got, CHUNKS * 2);
	for (unsigned i = 0; i < sh->appended; i++)
		lost += !got[i];
	assert_int_equal(n + lost, sh->appended);
	assert_true(n >= sh->synced / 2 && lost < sh->appended);
	assert_true(got[0] && got[sh->appended - 1]);
	store_close(st);
	assert_int_equal(nonces(), n);
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

/* What a sync covered is there after the kill, whatever the age of the state. */
static void write_synced(unsigned count)
{
	struct store *st = open_store(STORE_RW);
	struct store_call *sc = begin(st, CALL);

	sync_now(st);
	save(sc);
	for (unsigned n = 0; n < count; n++)
		append(st, sc, CALL, n);
	sync_now(st);
	append(st, sc, CALL, count); /* in memory only */
}

/* Most of it is on the disk, and the record is of before. */
static void write_unsynced(unsigned count)
{
	struct store *st = open_store(STORE_RW);
	struct store_call *sc = begin(st, CALL);

	append(st, sc, CALL, 0);
	sync_now(st);
	save(sc);
	shell("mkdir '%s/old' && cp '%s'/open.db* '%s/old'", base_dir, store_dir, base_dir);
	for (unsigned n = 1; n < count; n++)
		append(st, sc, CALL, n);
	sync_now(st);
	shell("cp '%s'/old/* '%s'", base_dir, store_dir);
}

/* A block in what a call in progress wants, and something that is no file: the call and the others go on, and only that is missing. */
static void test_bad_block(void **state)
{
	bool got[100] = { false };
	struct store_call *sc;
	struct store *st;
	unsigned n;

	(void)state;
	in_child(write_unsynced, 90);
	store_close(open_store(STORE_RW)); /* finishes the segment */
	shell("cd '%s'/segments/acme/* && test $(stat -c %%s 00000001.seg) -gt 40960 && mkdir 00000055.seg && mkfifo 00000056.seg", store_dir);
	bad_block = 16384;
	st = open_store(STORE_RW);
	ok(st, store_call_resume(st, sh->state, sh->n, &sc));
	append(st, sc, CALL, 95);
	ok(st, store_settle(st, NULL));
	write_call(st, 20, 1);
	end(st, sc, CALL);
	ok(st, store_sync(st));
	bad_block = 0;
	may_lack = 2; /* one of each leg */
	n = read_some(st, CALL, got, 100);
	assert_in_range(n, 85, 90); /* of 91 */
	assert_true(may_lack < 2);
	assert_true(got[0] && got[89] && got[95]);
	may_lack = 0;
	assert_int_equal(read_call(st, 20, 1), 0);
	store_close(st);
}

static void test_synced(void **state)
{
	bool got[100] = { false };
	struct store_call *sc, *again;
	struct store *st;

	(void)state;
	in_child(write_synced, 40);
	st = open_store(STORE_RW);
	ok(st, store_call_resume(st, sh->state, sh->n, &sc));
	assert_int_equal(store_call_resume(st, sh->state, sh->n, &again), -ENOENT);
	append(st, sc, CALL, 50);
	ok(st, store_settle(st, NULL));
	append(st, sc, CALL, 51);
	end(st, sc, CALL);
	assert_int_equal(store_call_resume(st, sh->state, sh->n, &again), -ENOENT);
	ok(st, store_sync(st));
	assert_int_equal(read_some(st, CALL, got, 100), 42);
	for (unsigned n = 0; n < 40; n++)
		assert_true(got[n]);
	assert_true(got[50] && got[51]);
	store_close(st);
	fsck_clean(NULL);
	nonces();
	st = open_store(STORE_RW); /* the call has ended */
	assert_int_equal(store_call_resume(st, sh->state, sh->n, &again), -ENOENT);
	store_close(st);
}

/* A planned hand-over loses nothing. */
static void hand_over(unsigned count)
{
	struct store *st = open_store(STORE_RW);
	struct store_call *sc = begin(st, CALL);

	for (unsigned n = 0; n < count; n++)
		append(st, sc, CALL, n);
	save(sc);
	ok(st, store_call_leave(sc));
	sync_now(st);
	store_close(st);
}

static void test_hand_over(void **state)
{
	bool got[20] = { false };
	struct store_call *sc;
	struct store *st;
	struct store_row row;

	(void)state;
	in_child(hand_over, 10);
	fsck_clean(NULL);
	st = open_store(STORE_RW);
	ok(st, store_call_resume(st, sh->state, sh->n, &sc));
	assert_true(store_call_committed(sc, STORE_DOCUMENTATION));
	assert_false(store_call_committed(sc, STORE_TRAINING));
	for (unsigned n = 10; n < 20; n++)
		append(st, sc, CALL, n);
	end(st, sc, CALL);
	ok(st, store_sync(st));
	row_of(st, CALL, &row);
	assert_string_equal(row.end, "bye");
	row_free(&row);
	store_close(st);
	st = open_store(STORE_RO);
	assert_int_equal(read_some(st, CALL, got, 20), 20);
	store_close(st);
	nonces();
	fsck_clean(NULL);
}

/* ---- nobody resumes ---- */

static void die_with_calls(unsigned arg)
{
	struct store *st = open_store(STORE_RW);
	struct store_call_meta m;
	struct store_call *sc;

	(void)arg;
	sc = begin(st, 1); /* kept */
	sync_now(st);
	for (unsigned n = 0; n < 6; n++)
		append(st, sc, 1, n);
	meta_of(2, &m); /* training only, not committed before its end */
	m.until_ns[1] = m.until_ns[0];
	m.until_ns[0] = 0;
	m.commit[0] = false;
	m.now.state[1] = STORE_S_GRANTED;
	ok(st, store_call_begin(st, &m, &sc));
	append(st, sc, 2, 0);
	meta_of(3, &m); /* both; training not committed */
	m.until_ns[1] = m.until_ns[0];
	m.now.state[0] = STORE_S_OBJECTED;
	m.now.reason[0] = "notice.unproven";
	m.now.state[1] = STORE_S_GRANTED;
	ok(st, store_call_begin(st, &m, &sc));
	append(st, sc, 3, 0);
	meta_of(4, &m); /* not answered at first */
	m.now.state[0] = STORE_S_GRANTED;
	m.now.keep_ns = UINT64_MAX;
	ok(st, store_call_begin(st, &m, &sc));
	append(st, sc, 4, 0);
	sync_now(st);
	m.now.keep_ns = T0; /* and then it is */
	store_call_note(sc, &m.now);
	meta_of(5, &m);
	m.now.state[0] = STORE_S_GRANTED;
	m.now.keep_ns = UINT64_MAX;
	ok(st, store_call_begin(st, &m, &sc));
	append(st, sc, 5, 0);
	meta_of(6, &m); /* too short */
	m.now.state[0] = STORE_S_GRANTED;
	m.now.keep_ns = m.start_ns + 3600 * NS_PER_S;
	ok(st, store_call_begin(st, &m, &sc));
	append(st, sc, 6, 0);
	begin(st, 7); /* no audio yet */
	sync_now(st);
	begin(st, 8); /* after the last sync */
}

static void expect(struct store *st, unsigned i, enum store_outcome o, enum store_state doc, enum store_state train)
{
	struct store_row row;

	row_of(st, i, &row);
	assert_int_equal(row.outcome, o);
	assert_int_equal(row.state[0], doc);
	assert_int_equal(row.state[1], train);
	assert_string_equal(row.end, "crash");
	assert_string_equal(row.gap, "crash");
	row_free(&row);
}

static void test_settle(void **state)
{
	struct store_fsck_report rep;
	struct store_filter f = { .state = -1 };
	struct store_call_meta m;
	struct store_row row;
	bool got[20] = { false };
	struct store *st;
	uint64_t n = 0;

	(void)state;
	in_child(die_with_calls, 0);
	fsck_clean(&rep);
	assert_int_equal(rep.interrupted, 7); /* all but the training */
	st = open_store(STORE_RW);
	ok(st, store_settle(st, &n));
	assert_int_equal(n, 7);
	ok(st, store_settle(st, &n)); /* nothing is left to do */
	assert_int_equal(n, 0);
	store_close(st);
	fsck_clean(&rep);
	assert_int_equal(rep.interrupted, 0);
	assert_int_equal(rep.slots, 3);
	st = open_store(STORE_RO);
	expect(st, 1, STORE_O_KEPT, STORE_S_GRANTED, STORE_S_NONE);
	assert_int_equal(read_some(st, 1, got, 20), 6);
	row_of(st, 1, &row);
	assert_int_equal(row.leg[0].packets + row.leg[1].packets, 600);
	assert_int_equal(row.leg[0].audio_ms, 6000);
	assert_string_equal(row.leg[0].format.name, "PCMU");
	assert_true(row.end_ns > row.start_ns);
	row_free(&row);
	expect(st, 2, STORE_O_DENIED, STORE_S_NONE, STORE_S_DENIED);
	expect(st, 3, STORE_O_KEPT, STORE_S_OBJECTED, STORE_S_DENIED);
	expect(st, 4, STORE_O_KEPT, STORE_S_GRANTED, STORE_S_NONE);
	expect(st, 5, STORE_O_DENIED, STORE_S_DENIED, STORE_S_NONE);
	expect(st, 6, STORE_O_DENIED, STORE_S_DENIED, STORE_S_NONE);
	expect(st, 7, STORE_O_GAP, STORE_S_DENIED, STORE_S_NONE);
	meta_of(8, &m);
	f.uid = &m.uid;
	assert_int_equal(store_find(st, &f, take_row, &row), 0);
	f.uid = NULL;
	f.number = "+4520000001"; /* found by its number like any other */
	assert_int_equal(store_find(st, &f, take_row, &row), 1);
	row_free(&row);
	store_close(st);
}

/* The same recording once more, from a file: the half one of before gives way. */
static void test_begun_anew(void **state)
{
	bool got[20] = { false };
	struct store_call *sc;
	struct store *st;

	(void)state;
	in_child(write_synced, 5);
	st = open_store(STORE_RW);
	sc = begin(st, CALL);
	for (unsigned n = 0; n < 3; n++)
		append(st, sc, CALL, n);
	assert_int_equal(store_call_resume(st, sh->state, sh->n, &sc), -ENOENT);
	store_close(st); /* aborted */
	st = open_store(STORE_RW);
	sc = begin(st, CALL);
	for (unsigned n = 0; n < 4; n++)
		append(st, sc, CALL, n);
	end(st, sc, CALL);
	ok(st, store_settle(st, NULL));
	assert_int_equal(read_some(st, CALL, got, 20), 4);
	store_close(st);
	fsck_clean(NULL);
}

/* Killed when the day's catalog had a name and nothing in it yet: it is as if it was not there. */
static void test_begun_catalog(void **state)
{
	static const char *const make[] = { ": >\"$DB\"", "sqlite3 \"$DB\" 'pragma journal_mode=wal' >/dev/null" };

	for (unsigned i = 0; i < 2; i++) {
		struct store *st;

		in_child(write_synced, 5);
		shell("mkdir -p %s/catalog/acme", store_dir);
		shell("DB=%s/catalog/acme/2027-02-16.db; %s", store_dir, make[i]);
		fsck_clean(NULL);
		st = open_store(STORE_RW);
		ok(st, store_settle(st, NULL));
		store_close(st);
		fsck_clean(NULL);
		st = open_store(STORE_RO);
		expect(st, CALL, STORE_O_KEPT, STORE_S_GRANTED, STORE_S_NONE);
		store_close(st);
		drop_store(state);
		assert_int_equal(make_store(state), 0);
	}
}

/* ---- an older state brings nothing back ---- */

enum { WHAT_DROP, WHAT_DROP_TRAINING, WHAT_ABORT, WHAT_ABORT_TRAINING, WHAT_END, WHAT_MAX };

static void destroy_later(unsigned what)
{
	struct store *st = open_store(STORE_RW);
	struct store_call_meta m;
	struct store_call *sc;
	struct store_call_result r;

	meta_of(CALL, &m);
	m.until_ns[1] = m.until_ns[0];
	if (what == WHAT_ABORT_TRAINING) {
		m.until_ns[0] = 0;
		m.commit[0] = false;
	}
	m.now.state[0] = m.now.state[1] = STORE_S_GRANTED;
	ok(st, store_call_begin(st, &m, &sc));
	append(st, sc, CALL, 0);
	sync_now(st);
	save(sc);
	switch (what) {
	case WHAT_DROP:
		ok(st, store_call_drop(sc, STORE_DOCUMENTATION));
		break;
	case WHAT_DROP_TRAINING:
		ok(st, store_call_drop(sc, STORE_TRAINING));
		assert_int_equal(store_call_commit(sc, STORE_TRAINING), -EINVAL);
		break;
	case WHAT_ABORT:
	case WHAT_ABORT_TRAINING:
		store_call_abort(sc);
		break;
	default:
		result_of(CALL, &r);
		ok(st, store_call_end(sc, &r));
		ok(st, store_sync(st));
	}
}

static void test_no_way_back(void **state)
{
	static const int want[WHAT_MAX] = { -ESHUTDOWN, -ESHUTDOWN, -ENOENT, -ENOENT, -ENOENT };

	for (unsigned what = 0; what < WHAT_MAX; what++) {
		struct store_call *sc;
		struct store *st;

		in_child(destroy_later, what);
		st = open_store(STORE_RW);
		assert_int_equal(store_call_resume(st, sh->state, sh->n, &sc), want[what]);
		ok(st, store_settle(st, NULL));
		store_close(st);
		fsck_clean(NULL);
		drop_store(state);
		assert_int_equal(make_store(state), 0);
	}
}

static void test_same_opening(void **state)
{
	struct store *st = open_store(STORE_RW);
	struct store_call *sc = begin(st, CALL), *again;

	(void)state;
	sync_now(st);
	save(sc);
	assert_int_equal(store_call_resume(st, sh->state, sh->n, &again), -EALREADY);
	ok(st, store_call_leave(sc)); /* nor after it was left: its numbers would come again */
	assert_int_equal(store_call_resume(st, sh->state, sh->n, &again), -EALREADY);
	store_close(st);
}

/* ---- bytes of anybody ---- */

static void test_hostile(void **state)
{
	struct store_call *sc;
	struct store *st;
	uint8_t *copy;

	(void)state;
	in_child(write_synced, 8);
	st = open_store(STORE_RW);
	copy = malloc(sh->n + 1);
	for (size_t n = 0; n < sh->n; n++) {
		memcpy(copy, sh->state, sh->n);
		assert_int_equal(store_call_resume(st, copy, n, &sc), -EBADMSG); /* cut */
		copy[n] ^= (uint8_t)(1u << (n & 7));
		assert_int_equal(store_call_resume(st, copy, sh->n, &sc), -EBADMSG); /* flipped */
	}
	memcpy(copy, sh->state, sh->n);
	copy[sh->n] = 0;
	assert_int_equal(store_call_resume(st, copy, sh->n + 1, &sc), -EBADMSG);
	free(copy);
	ok(st, store_call_resume(st, sh->state, sh->n, &sc)); /* and the right ones */
	store_close(st);
}

/* open.db and epoch when somebody was at them. */
static void test_damaged_files(void **state)
{
	struct store_call *sc;
	struct finding f;
	struct store *st;
	char why[512];

	(void)state;
	in_child(write_synced, 8);
	shell("echo x >%s/epoch", store_dir);
	assert_int_equal(fsck(&f, NULL), 1);
	assert_string_equal(f.rule, "T-4");
	assert_int_equal(store_open(store_dir, STORE_RW, &st, why, sizeof(why)), -EBADMSG);
	assert_non_null(strstr(why, "T-4"));
	shell("rm %s/epoch", store_dir); /* begins anew: states of before it are refused */
	st = open_store(STORE_RW);
	assert_int_equal(store_call_resume(st, sh->state, sh->n, &sc), -EALREADY);
	store_close(st);
	shell("sqlite3 %s/open.db \"update open set record=x'00'\"", store_dir);
	assert_int_equal(fsck(&f, NULL), 1);
	assert_string_equal(f.rule, "O-2");
	st = open_store(STORE_RW);
	assert_int_equal(store_call_resume(st, sh->state, sh->n, &sc), -ENOENT);
	ok(st, store_settle(st, NULL));
	store_close(st);
	shell("sqlite3 %s/open.db \"pragma user_version=9\"", store_dir);
	assert_int_equal(fsck(&f, NULL), 1);
	assert_string_equal(f.rule, "O-1");
	assert_int_equal(store_open(store_dir, STORE_RW, &st, why, sizeof(why)), -EBADMSG);
	assert_non_null(strstr(why, "O-1"));
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_kills),	     T(test_synced), T(test_bad_block),	   T(test_hand_over), T(test_settle), T(test_begun_anew),
		T(test_begun_catalog),
		T(test_no_way_back), T(test_same_opening), T(test_hostile),   T(test_damaged_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
