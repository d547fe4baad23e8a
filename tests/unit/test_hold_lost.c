/* SPDX-License-Identifier: BSD-2-Clause */
/* test_hold_lost.c - files of calls on hold that are lost or damaged: no such call loses its protection, and all comes back */
#include "store_util.h"

#include <glob.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "reap_util.h"
#include "store/hold.h"
#include "store/outbox.h"
#include "store/segment.h"
#include "store/store_internal.h"

#define CPH "Europe/Copenhagen"
#define DB  "catalog/acme/hold.db"

static const struct hold_person anna = { .uid = 1001, .name = "anna" }, bo = { .uid = 1002, .name = "bo" };

static void hold(const struct uid *uid, uint64_t now, uint32_t review)
{
	struct hold_why w = { .reason = "dispute", .reference = "D-1", .review = review };
	struct store *st = open_store(STORE_RO);
	struct holds *h;
	bool fresh;

	ok(st, store_holds(st, HOLDS_WRITE, &h, NULL));
	ok(st, store_hold_add(st, h, uid, &w, &anna, now, &fresh));
	holds_close(h);
	store_close(st);
}

static void release(const struct uid *uid, uint64_t now)
{
	struct store *st = open_store(STORE_RO);
	enum hold_end end;
	struct holds *h;

	ok(st, store_holds(st, HOLDS_WRITE, &h, NULL));
	ok(st, store_hold_release(st, h, uid, "settled", &anna, now, &end));
	ok(st, store_hold_release(st, h, uid, "settled", &bo, now, &end));
	assert_int_equal(end, HOLD_ERASED);
	holds_close(h);
	store_close(st);
}

static int take_state(void *arg, const struct store_row *row)
{
	*(enum store_state *)arg = row->state[0];
	return 0;
}

static enum store_state state_of(const struct uid *uid, int want)
{
	struct store_filter f = { .state = -1, .uid = uid };
	struct store *st = open_store(STORE_RO);
	enum store_state s = STORE_S_MAX;

	assert_int_equal(store_find(st, &f, take_state, &s), want);
	store_close(st);
	return s;
}

static struct store_rebuild_report rebuild(void)
{
	struct store_rebuild_report rep;
	char why[512] = "";
	int rc = store_rebuild(store_dir, NULL, NULL, &rep, why, sizeof(why));

	if (rc)
		fail_msg("rebuild: %d %s", rc, why);
	return rep;
}

/* Files that --rebuild set aside. */
static int kept_aside(const char *db)
{
	char pattern[600];
	glob_t g;
	int n;

	snprintf(pattern, sizeof(pattern), "%s/catalog/acme/%s.damaged*", store_dir, db);
	n = glob(pattern, 0, NULL, &g) ? 0 : (int)g.gl_pathc;
	globfree(&g);
	return n;
}

static struct uid held, later_held, other;

/* Three calls, two on hold, of which the day of one is over. */
static void make_area(void)
{
	struct store *st = open_store(STORE_RW);

	held = keep_call(st, 1, "acme", CPH, T0, (uint64_t[]){ T0 + 90 * DAY_NS, T0 + 60 * DAY_NS });
	other = keep_call(st, 2, "acme", CPH, T0, (uint64_t[]){ T0 + 90 * DAY_NS, 0 });
	later_held = keep_call(st, 3, "acme", CPH, T0, (uint64_t[]){ T0 + 95 * DAY_NS, 0 });
	ok(st, store_sync(st));
	store_close(st);
	hold(&held, T0 + DAY_NS, 20270301);
	hold(&later_held, T0 + DAY_NS, 20270301);
	reap_at(T0 + 91 * DAY_NS);
	assert_int_equal(heard(&held, STORE_DOCUMENTATION), 0);
	fsck_clean(NULL);
	shell("rm -rf '%s.good' && cp -a '%s' '%s.good'", store_dir, store_dir, store_dir);
}

static void as_before(void)
{
	shell("rm -rf '%s' && cp -a '%s.good' '%s'", store_dir, store_dir, store_dir);
	clock_set_ns(T0 + 91 * DAY_NS);
}

/* Less than a page is missing of a catalog, which SQLite does not mind: what fsck tells is made anew. */
static void test_cut_end(void **state)
{
	struct finding f;

	(void)state;
	make_area();
	for (int area = 0; area < 2; area++) {
		as_before();
		if (!area)
			shell("chmod u+w '%s'/catalog/acme/20*.db", store_dir);
		shell(area ? "truncate -s -100 '%s/" DB "'" : "truncate -s -100 \"$(ls '%s'/catalog/acme/20*.db | tail -n 1)\"", store_dir);
		assert_int_equal(fsck(&f, NULL), 1);
		assert_string_equal(f.rule, "C-1");
		(void)rebuild();
		fsck_clean(NULL);
		assert_int_equal(rebuild().damaged, 0);
		assert_int_equal(heard(&held, STORE_DOCUMENTATION), 0);
		assert_int_equal(heard(&later_held, STORE_DOCUMENTATION), 0);
	}
}

static const char *const harm[] = {
	"rm '%s/" DB "'",
	"truncate -s 0 '%s/" DB "'",
	"truncate -s 9000 '%s/" DB "'",
	"head -c 30000 /dev/urandom >'%s/" DB "'",
	"sqlite3 '%s/" DB "' 'delete from calls; delete from legs'",
};

/* The reaper keeps what is held, says what is wrong, and goes on with keys; then it comes back. */
static void test_lost(void **state)
{
	(void)state;
	make_area();
	for (size_t i = 0; i < sizeof(harm) / sizeof(*harm); i++) {
		struct reap_settings s = { .now_ns = T0 + 96 * DAY_NS, .told = true };
		struct store_rebuild_report rep;
		struct reap_totals t;
		struct finding f;

		as_before();
		shell(harm[i], store_dir);
		assert_int_equal(fsck(&f, NULL), 1);
		assert_string_equal(f.file, DB);
		assert_int_equal(reap_with(&s, &t), -EBADMSG); /* the other held one's day is over now */
		assert_true(t.faults > 0 && t.waiting == 1 && !t.days);
		assert_int_equal(told("bucket.destroy"), 3);
		s.now_ns += DAY_NS;
		assert_int_equal(reap_with(&s, &t), -EBADMSG);
		shell("test $(ls '%s/segments/acme/hold' | wc -l) = 1", store_dir);
		assert_int_equal(heard(&later_held, STORE_DOCUMENTATION), 0); /* its day waits */
		rep = rebuild();
		assert_true(rep.partitions == 1 && rep.copied == 1 && !rep.bare);
		fsck_clean(NULL);
		assert_int_equal(heard(&held, STORE_DOCUMENTATION), 0);
		assert_int_not_equal(heard(&held, STORE_TRAINING), 0);
		assert_int_equal(state_of(&held, 0), STORE_S_GRANTED);
		rep = rebuild();
		assert_int_equal(rep.partitions, 0);
		if (i == 2 || i == 3)
			assert_true(kept_aside("hold.db") > 0);
		reap_at(T0 + 98 * DAY_NS);
		assert_int_equal(kept_aside("hold.db"), 0); /* rows of calls whose time may be over */
		assert_int_equal(heard(&held, STORE_DOCUMENTATION), 0);
		assert_int_equal(heard(&later_held, STORE_DOCUMENTATION), 0);
		fsck_clean(NULL);
	}
	release(&held, T0 + 99 * DAY_NS); /* and what is let go goes */
	reap_at(T0 + 99 * DAY_NS);
	assert_int_not_equal(heard(&held, STORE_DOCUMENTATION), 0);
	assert_int_equal(heard(&later_held, STORE_DOCUMENTATION), 0);
	shell("test $(ls '%s/segments/acme/hold' | wc -l) = 1", store_dir);
	shell("rm '%s/" DB "'", store_dir); /* not even then */
	assert_int_equal(rebuild().copied, 1);
	assert_int_equal(heard(&later_held, STORE_DOCUMENTATION), 0);
	fsck_clean(NULL);
}

/* As of a recorder of before there were copies of rows. */
static void without_copies(const char *rel)
{
	uint8_t *p = malloc(1 << 22), zeros[4096] = { 0 };
	uint64_t off = SEGMENT_HEAD;
	struct segment_item it;
	char path[700];
	size_t n;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", store_dir, rel);
	f = fopen(path, "r+b");
	assert_true(f && p);
	n = fread(p, 1, 1 << 22, f);
	while (segment_next(p, n, &off, &it))
		if (it.kind == SEGMENT_ROW) {
			assert_true(off - it.off <= sizeof(zeros) && !fseek(f, (long)it.off, SEEK_SET));
			assert_int_equal(fwrite(zeros, 1, off - it.off, f), off - it.off);
		}
	fclose(f);
	free(p);
}

/* The row of a call on hold is lost with its partition, and its day is over: the audio stays, and the row comes back. */
static void test_lost_partition(void **state)
{
	static const char *const lose[] = { "rm '%s/catalog/acme/2027-02-16.db'", "truncate -s 9000 '%s/catalog/acme/2027-02-16.db'" };

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		struct reap_settings s = { .now_ns = T0 + 91 * DAY_NS, .told = true };
		struct store *st = open_store(STORE_RW);
		struct store_rebuild_report rep;
		struct reap_totals t;
		bool bare = i & 1;

		if (!i)
			shell("cp -a '%s' '%s.empty'", store_dir, store_dir);
		held = keep_call(st, 1, "acme", CPH, T0, (uint64_t[]){ T0 + 90 * DAY_NS, T0 + 60 * DAY_NS });
		other = keep_call(st, 2, "acme", CPH, T0, (uint64_t[]){ T0 + 90 * DAY_NS, 0 });
		later_held = keep_call(st, 3, "acme", CPH, T0, (uint64_t[]){ T0 + 80 * DAY_NS, 0 });
		ok(st, store_sync(st));
		store_close(st);
		hold(&held, T0 + DAY_NS, 20270301);
		hold(&later_held, T0 + DAY_NS, 20270301);
		reap_at(T0 + 81 * DAY_NS); /* one is in the hold area */
		if (bare)
			without_copies("segments/acme/2027-02-16/00000001.seg");
		shell("chmod u+w '%s'/catalog/acme/*", store_dir);
		shell(lose[i / 2], store_dir);
		for (int run = 0; run < 2; run++) {
			assert_int_not_equal(reap_with(&s, &t), 0);
			assert_true(t.waiting == 1 && !t.days);
		}
		rep = rebuild();
		assert_true(rep.partitions == 1 && rep.copied == !bare && rep.bare == bare && rep.over == 1);
		reap_at(T0 + 91 * DAY_NS + NS_PER_S);
		assert_false(there("segments/acme/2027-02-16"));
		assert_int_equal(heard(&held, STORE_DOCUMENTATION), bare ? -EACCES : 0);
		if (bare) /* why it was kept is not known: restricted, and there */
			assert_int_equal(state_of(&held, 0), STORE_S_OBJECTED);
		assert_int_equal(heard(&later_held, STORE_DOCUMENTATION), 0);
		assert_int_not_equal(heard(&other, STORE_DOCUMENTATION), 0);
		fsck_clean(NULL);
		shell("rm -rf '%s' && cp -a '%s.empty' '%s'", store_dir, store_dir, store_dir);
	}
}

static void cut_copy(unsigned segment)
{
	char path[700];
	uint64_t off = SEGMENT_HEAD, end = SEGMENT_HEAD;
	struct segment_item it;
	uint8_t *p = malloc(1 << 22);
	FILE *f;
	size_t n;

	snprintf(path, sizeof(path), "%s/segments/acme/hold/%08u.seg", store_dir, segment);
	f = fopen(path, "rb");
	assert_true(f && p);
	n = fread(p, 1, 1 << 22, f);
	fclose(f);
	while (segment_next(p, n, &off, &it))
		if (it.kind == SEGMENT_CHUNK)
			end = off;
	assert_true(end < n);
	assert_int_equal(truncate(path, (off_t)end), 0);
	free(p);
}

/* An area of before there were copies: the reaper makes them; before it could, chunks and the journal suffice. */
static void test_old_area(void **state)
{
	struct store_rebuild_report rep;

	(void)state;
	make_area();
	cut_copy(1);
	fsck_clean(NULL);
	shell("rm '%s/" DB "'", store_dir);
	rep = rebuild();
	assert_true(rep.bare == 1 && !rep.copied);
	fsck_clean(NULL);
	assert_int_equal(heard(&held, STORE_DOCUMENTATION), 0);
	as_before();
	cut_copy(1);
	reap_at(T0 + 92 * DAY_NS);
	fsck_clean(NULL);
	assert_int_equal(heard(&held, STORE_DOCUMENTATION), 0);
	shell("rm '%s/" DB "'", store_dir);
	rep = rebuild();
	assert_true(rep.copied == 1 && !rep.bare);
	assert_int_equal(heard(&held, STORE_DOCUMENTATION), 0);
	fsck_clean(NULL);
}

static off_t area_size(void)
{
	char pattern[600];
	struct stat sb;
	off_t sum = 0;
	glob_t g;

	snprintf(pattern, sizeof(pattern), "%s/segments/acme/hold/*.seg", store_dir);
	assert_int_equal(glob(pattern, 0, NULL, &g), 0);
	for (size_t i = 0; i < g.gl_pathc; i++)
		sum += stat(g.gl_pathv[i], &sb) ? 0 : sb.st_size;
	globfree(&g);
	return sum;
}

static off_t size_then;

static void on_bucket(void *arg, const struct reap_item *it)
{
	on_item(arg, it);
	if (it->what == REAP_BUCKET)
		size_then = area_size();
}

/* A large area of before gets its copies: a key that comes due meanwhile does not wait for the last of them. */
static void test_old_area_due(void **state)
{
	struct reap_settings s = { .store = store_dir, .confirm = true, .again_ms = 1, .item = on_bucket };
	struct store *st = open_store(STORE_RW);
	struct reap_totals t;
	struct uid v[16];
	char why[512] = "";

	(void)state;
	for (unsigned i = 0; i < 16; i++)
		v[i] = keep_call(st, i, "acme", CPH, T0, (uint64_t[]){ T0 + 80 * DAY_NS, 0 });
	other = keep_call(st, 20, "zeta", CPH, T0, (uint64_t[]){ T0 + 90 * DAY_NS, 0 });
	ok(st, store_sync(st));
	store_close(st);
	for (unsigned i = 0; i < 16; i++)
		hold(&v[i], T0 + DAY_NS, 20270301);
	reap_at(T0 + 81 * DAY_NS);
	for (unsigned i = 1; i <= 16; i++)
		cut_copy(i);
	assert_int_equal(clock_parse("2027-02-15T23:00:00Z", &s.now_ns), 0); /* the other's day begins */
	s.now_ns -= REAP_EARLY + NS_PER_S / 1000;
	clock_set_ns(s.now_ns);
	size_then = 0;
	assert_int_equal(reap_run(&s, &t, why, sizeof(why)), 0);
	assert_int_equal(t.buckets, 1);
	assert_true(size_then && size_then < area_size());
	assert_int_not_equal(heard(&other, STORE_DOCUMENTATION), 0);
	for (unsigned i = 0; i < 16; i++)
		assert_int_equal(heard(&v[i], STORE_DOCUMENTATION), 0);
	fsck_clean(NULL);
}

/* A journal that is gone or damaged: who was on hold stays so, and what is known of why stays, too. */
static void test_journal(void **state)
{
	static const char *const bad[] = { "rm '%s/holds'", "printf X | dd of='%s/holds' bs=1 seek=300 conv=notrunc 2>/dev/null",
					   "truncate -s 100 '%s/holds'", "truncate -s 0 '%s/holds'" };

	(void)state;
	make_area();
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct reap_settings s = { .now_ns = T0 + 93 * DAY_NS, .told = true };
		struct reap_totals t;
		struct finding f;

		as_before();
		shell(bad[i], store_dir);
		assert_int_equal(fsck(&f, NULL), 1);
		assert_int_equal(reap_with(&s, &t), -EBADMSG); /* who is on hold is not known: no audio goes */
		assert_true(there("segments/acme/hold/00000001.seg") && !t.days);
		(void)rebuild();
		fsck_clean(NULL);
		shell("grep -q '\"reason lost' '%s/holds'", store_dir);
		assert_int_equal(there("holds.damaged"), i > 0);
		reap_at(T0 + 96 * DAY_NS);
		assert_int_equal(heard(&held, STORE_DOCUMENTATION), 0);
		assert_int_equal(heard(&later_held, STORE_DOCUMENTATION), 0);
		release(&held, T0 + 97 * DAY_NS);
		reap_at(T0 + 97 * DAY_NS);
		assert_int_not_equal(heard(&held, STORE_DOCUMENTATION), 0);
		assert_int_equal(heard(&later_held, STORE_DOCUMENTATION), 0);
		fsck_clean(NULL);
	}
}

/* On hold for the second time, and the line that says so is lost: its key is no leftover of the first time. */
static void test_journal_short(void **state)
{
	struct reap_settings s = { .now_ns = T0 + 91 * DAY_NS, .told = true };
	struct store *st = open_store(STORE_RW);
	struct store_rebuild_report rep;
	struct reap_totals t;
	enum hold_end end;
	struct holds *h;
	struct finding f;

	(void)state;
	held = keep_call(st, 1, "acme", CPH, T0, (uint64_t[]){ T0 + 90 * DAY_NS, 0 });
	ok(st, store_sync(st));
	hold(&held, T0 + DAY_NS, 20270301);
	ok(st, store_holds(st, HOLDS_WRITE, &h, NULL));
	ok(st, store_hold_release(st, h, &held, "settled", &anna, T0 + DAY_NS, &end));
	ok(st, store_hold_release(st, h, &held, "settled", &bo, T0 + DAY_NS, &end));
	assert_int_equal(end, HOLD_RELEASED);
	holds_close(h);
	store_close(st);
	hold(&held, T0 + 2 * DAY_NS, 20270301);
	shell("sed -i '$ d' '%s/holds'", store_dir);
	assert_int_equal(fsck(&f, NULL), 1);
	assert_string_equal(f.rule, "H-1");
	assert_int_equal(reap_with(&s, &t), -EBADMSG); /* the day's key goes, the one on hold stays */
	assert_true(nfaults >= 1);
	assert_int_equal(heard(&held, STORE_DOCUMENTATION), 0);
	rep = rebuild();
	assert_int_equal(rep.damaged, 1);
	shell("grep -q '\"reason lost' '%s/holds'", store_dir);
	assert_int_equal(reap_with(&s, &t), 0);
	assert_int_equal(heard(&held, STORE_DOCUMENTATION), 0);
}

static unsigned nsaid; /* that the log knows more than the journal */

static void on_said(void *arg, const char *file, const char *text)
{
	(void)arg;
	nsaid += !strcmp(file, "holds") && strstr(text, "(rule H-7)");
}

/*
 * The journal of before, whole, and with or without the keys of then: one call was put on hold since, one let go, one let go and held
 * again. Nothing is destroyed or kept by it.
 */
static void test_journal_old(void **state)
{
	static const char *const back[] = { "cp '%s.old/holds' '%s/holds'",
					    "cp '%s.old/holds' '%s/holds' && cp '%s.old/keys/acme/documentation/hold.slots' '%s/keys/acme/documentation/'",
					    "rm -f '%s.old/x' '%s/holds' '%s.old/x' '%s/keys/acme/documentation/hold.slots'" };
	struct reap_settings s = { .now_ns = T0 + 88 * DAY_NS, .told = true };
	struct store_rebuild_report rep;
	struct reap_totals t;
	struct finding f;
	struct uid v[4];
	char why[512] = "";

	(void)state;
	for (size_t i = 0; i < sizeof(back) / sizeof(*back); i++) {
		struct store *st = open_store(STORE_RW);
		enum hold_end end;
		struct holds *h;

		if (!i)
			shell("cp -a '%s' '%s.empty'", store_dir, store_dir);
		for (unsigned k = 0; k < 4; k++)
			v[k] = keep_call(st, k, "acme", CPH, T0, (uint64_t[]){ T0 + 90 * DAY_NS, 0 });
		ok(st, store_sync(st));
		hold(&v[0], T0 + DAY_NS, 20270301);
		hold(&v[1], T0 + DAY_NS, 20270301);
		ok(st, store_holds(st, HOLDS_WRITE, &h, NULL));
		for (unsigned k = 0; k < 2; k++) {
			ok(st, store_hold_release(st, h, &v[1], "settled", k ? &bo : &anna, T0 + DAY_NS, &end));
			if (!k)
				assert_int_equal(end, HOLD_ASKED);
		}
		holds_close(h);
		shell("rm -rf '%s.old' && cp -a '%s' '%s.old'", store_dir, store_dir, store_dir);
		for (unsigned k = 1; k < 3; k++) { /* one of them again */
			hold(&v[k], T0 + 2 * DAY_NS, 20270301);
			reap_at(T0 + 2 * DAY_NS + NS_PER_S); /* tells it */
		}
		ok(st, store_holds(st, HOLDS_WRITE, &h, NULL));
		for (unsigned k = 0; k < 2; k++)
			ok(st, store_hold_release(st, h, &v[0], "settled", k ? &bo : &anna, T0 + 3 * DAY_NS, &end));
		holds_close(h);
		store_close(st);
		reap_at(T0 + 80 * DAY_NS); /* goes by it */
		shell(back[i], store_dir, store_dir, store_dir, store_dir);
		for (int run = 0; run < 2; run++) {
			assert_int_equal(fsck(&f, NULL), 1);
			assert_string_equal(f.rule, "H-1");
			assert_string_equal(f.file, "holds");
			assert_int_equal(reap_with(&s, &t), -EBADMSG);
			assert_true(!t.days && !t.released);
		}
		if (i == 2) /* no key is left of those either: only a copy of the store has them */
			break;
		nsaid = 0;
		assert_int_equal(store_rebuild(store_dir, on_said, NULL, &rep, why, sizeof(why)), 0);
		/* whose key is there is on hold; what the log knows besides is said */
		assert_int_equal(nsaid, i ? 3 : 1);
		fsck_clean(NULL);
		reap_at(T0 + 89 * DAY_NS);
		assert_int_equal(heard(&v[1], STORE_DOCUMENTATION), 0);
		assert_int_equal(heard(&v[2], STORE_DOCUMENTATION), 0);
		if (!i) {
			reap_at(T0 + 91 * DAY_NS);
			assert_int_equal(heard(&v[1], STORE_DOCUMENTATION), 0);
			assert_int_equal(heard(&v[2], STORE_DOCUMENTATION), 0);
		}
		assert_int_equal(rebuild().damaged, 0);
		shell("rm -rf '%s' && cp -a '%s.empty' '%s'", store_dir, store_dir, store_dir);
	}
}

/* A rebuild that ends before the new journal is there has taken nothing away, and the next one still has the reasons. */
static void test_journal_killed(void **state)
{
	struct store_rebuild_report rep;
	char why[512] = "";

	(void)state;
	make_area();
	shell("printf X | dd of='%s/holds' bs=1 seek=300 conv=notrunc 2>/dev/null && cp '%s/holds' '%s.holds'", store_dir, store_dir, store_dir);
	shell("mkdir '%s/holds.tmp'", store_dir); /* where the new one is written */
	for (int i = 0; i < 2; i++) {
		assert_int_not_equal(store_rebuild(store_dir, NULL, NULL, &rep, why, sizeof(why)), 0);
		shell("cmp '%s/holds' '%s.holds'", store_dir, store_dir);
	}
	shell("rmdir '%s/holds.tmp'", store_dir);
	assert_int_equal(rebuild().damaged, 1);
	shell("cmp '%s/holds.damaged' '%s.holds' && test ! -e '%s/holds.damaged.2' && rm '%s.holds'", store_dir, store_dir, store_dir, store_dir);
	shell("test $(grep -c '\"dispute' '%s/holds') = 1", store_dir);
	fsck_clean(NULL);
	assert_int_equal(heard(&held, STORE_DOCUMENTATION), 0);
	/* one that is damaged in another way later has a copy of its own */
	shell("printf X | dd of='%s/holds' bs=1 seek=20 conv=notrunc 2>/dev/null", store_dir);
	(void)rebuild();
	shell("test -e '%s/holds.damaged.2'", store_dir);
}

/* Where audio on hold is damaged the reaper leaves it as it is, and what it makes instead it makes once. */
static void test_damaged_segment(void **state)
{
	static const char *const bad[] = { "truncate -s 700 '%s/%s'", "truncate -s 100 '%s/%s'", "truncate -s 0 '%s/%s'",
					   "printf X | dd of='%s/%s' bs=1 seek=130 conv=notrunc 2>/dev/null",
					   "printf X | dd of='%s/%s' bs=1 seek=300 conv=notrunc 2>/dev/null",
					   "printf X | dd of='%s/%s' bs=1 seek=10 conv=notrunc 2>/dev/null" };
	static const char seg[] = "segments/acme/hold/00000001.seg";

	(void)state;
	for (int chunks = 1; chunks >= 0; chunks--) {
		make_area();
		if (!chunks) { /* one of which nothing but the row is left */
			shell("rm -rf '%s'/segments/acme/hold/* && sqlite3 '%s/" DB "' \"update calls set extents=x''\"", store_dir, store_dir);
			reap_at(T0 + 92 * DAY_NS);
			assert_true(there(seg));
			shell("rm -rf '%s.good' && cp -a '%s' '%s.good'", store_dir, store_dir, store_dir);
		}
		for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
			struct reap_settings s = { .now_ns = T0 + 92 * DAY_NS, .told = true };
			struct reap_totals t;

			as_before();
			shell(bad[i], store_dir, seg);
			for (int run = 0; run < 3; run++) {
				s.now_ns += NS_PER_S;
				(void)reap_with(&s, &t);
				if (run)
					shell("test \"$(stat -c %%y '%s/segments/acme/hold')\" = \"$(cat '%s.when')\"", store_dir, store_dir);
				shell("stat -c %%y '%s/segments/acme/hold' >'%s.when'", store_dir, store_dir);
			}
			shell("test $(ls '%s/segments/acme/hold' | wc -l) -le 2", store_dir);
		}
		assert_int_equal(drop_store(state) || make_store(state), 0);
	}
}

/* The number of a segment that was lost is not another call's: a row names it. */
static void test_lost_segment(void **state)
{
	struct finding f;

	(void)state;
	make_area();
	shell("rm '%s/segments/acme/hold/00000001.seg'", store_dir);
	reap_at(T0 + 96 * DAY_NS);
	assert_true(there("segments/acme/hold/00000002.seg"));
	assert_int_equal(heard(&later_held, STORE_DOCUMENTATION), 0);
	reap_at(T0 + 97 * DAY_NS);
	assert_false(there("segments/acme/hold/00000001.seg"));
	assert_int_equal(heard(&later_held, STORE_DOCUMENTATION), 0);
	assert_int_equal(fsck(&f, NULL), 1);
	assert_string_equal(f.file, "segments/acme/hold/00000001.seg");
}

/* ---- calls of formats 1 and 2: their slots are of version 1, and the bucket's key stays for who is on hold ---- */

struct olds {
	struct uid uid[8];
	uint64_t until;
	unsigned n;
};

static int take_old(void *arg, const struct store_row *row)
{
	struct olds *o = arg;

	if (row->state[0] != STORE_S_GRANTED || o->n == 8)
		return 0;
	o->uid[o->n++] = row->uid;
	o->until = row->until_ns[0] > o->until ? row->until_ns[0] : o->until;
	return 0;
}

/* Chunks that can be heard; 0 also when it cannot be opened. */
static unsigned audible(const struct uid *uid)
{
	struct store *st = open_store(STORE_RO);
	struct store_reader *r = NULL;
	const struct chunk *c;
	unsigned leg, n = 0;

	if (!store_read_open(st, uid, STORE_DOCUMENTATION, keys_dir, &r))
		while (store_read_next(r, &leg, &c) == 1)
			n++;
	store_read_close(r);
	store_close(st);
	return n;
}

static void old_format(const char *name)
{
	struct store_filter all = { .state = -1 };
	struct reap_settings s = { .told = true, .lock_ms = 100 };
	struct olds o = { .n = 0 };
	struct reap_totals t;
	struct store *st;
	uint64_t before, now;
	unsigned had, was[8];
	char path[600];
	int fd;
	uint32_t review;

	if (access("tests/golden/store", R_OK))
		skip();
	shell("rm -rf '%s' '%s' && cp -r tests/golden/store/%s '%s' && cp -r tests/golden/store/%s-private '%s' && chmod -R u+rwX,go= '%s' '%s'",
	      store_dir, keys_dir, name, store_dir, name, keys_dir, store_dir, keys_dir);
	clock_set_ns(T0 + DAY_NS);
	st = open_store(STORE_RW);
	ok(st, store_settle(st, NULL));
	ok(st, store_find(st, &all, take_old, &o));
	store_close(st);
	assert_true(o.n >= 2);
	before = o.until - 10 * DAY_NS;
	now = o.until + 2 * DAY_NS;
	s.now_ns = now;
	clock_set_ns(before);
	assert_int_equal(day_of(before + 60 * DAY_NS, "UTC", &review), 0);
	for (unsigned i = 0; i < o.n; i++)
		was[i] = audible(&o.uid[i]);
	had = was[1];
	assert_true(had > 0);
	hold(&o.uid[1], before, review);
	snprintf(path, sizeof(path), "%s/holds", store_dir); /* somebody keeps it locked: one may be put on hold just now */
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0 && !flock(fd, LOCK_SH));
	(void)alarm(60);
	assert_int_equal(reap_with(&s, &t), -EWOULDBLOCK);
	(void)alarm(0);
	close(fd);
	assert_int_equal(t.single, 0);
	for (unsigned i = 0; i < o.n; i++)
		assert_int_equal(audible(&o.uid[i]), was[i]);
	t = reap_at(now);
	assert_true(t.single == o.n - 1);
	for (unsigned i = 0; i < o.n; i++)
		assert_int_equal(audible(&o.uid[i]), i == 1 ? had : 0);
	fsck_clean(NULL);
	shell("rm -f '%s/" DB "'", store_dir); /* its day is over, but for it; or its row has moved */
	if (store_fsck(store_dir, NULL, NULL, &(struct store_fsck_report){ 0 }, NULL, 0)) {
		s.now_ns = now + DAY_NS;
		assert_int_equal(reap_with(&s, &t), -EBADMSG);
		assert_int_equal(rebuild().copied, 1);
		fsck_clean(NULL);
	}
	assert_int_equal(audible(&o.uid[1]), had);
	reap_at(now + 2 * DAY_NS);
	assert_int_equal(audible(&o.uid[1]), had);
	release(&o.uid[1], now + 2 * DAY_NS);
	assert_int_equal(audible(&o.uid[1]), 0);
	t = reap_at(now + 3 * DAY_NS); /* and its bucket with it */
	assert_true(t.buckets >= 1);
	assert_int_equal(audible(&o.uid[1]), 0);
	fsck_clean(NULL);
}

static void test_format_1(void **state)
{
	(void)state;
	old_format("v1");
}

static void test_format_2(void **state)
{
	(void)state;
	old_format("v2");
}

/* An erasure does not wait for a catalog: the key goes at once, and the row says so when it is made anew. */
static void test_erasure(void **state)
{
	static const char *const bad[] = { "rm '%s'/catalog/acme/20*.db", "truncate -s 9000 '%s'/catalog/acme/20*.db" };

	(void)state;
	make_area(); /* later_held is in its day, with another one */
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct reap_settings s = { .now_ns = T0 + 93 * DAY_NS, .told = true };
		struct reap_totals t;
		struct store *st;
		struct uid uid, both;
		char why[512];

		as_before();
		st = open_store(STORE_RW);
		uid = keep_call(st, 7, "acme", CPH, T0, (uint64_t[]){ T0 + 95 * DAY_NS, T0 + 94 * DAY_NS });
		both = keep_call(st, 8, "acme", CPH, T0, (uint64_t[]){ T0 + 95 * DAY_NS, T0 + 96 * DAY_NS });
		ok(st, store_sync(st));
		store_close(st);
		shell(bad[i], store_dir);
		assert_int_equal(reap_request(store_dir, &uid, STORE_DOCUMENTATION, "withdrawn", 1, T0 + 92 * DAY_NS, why, sizeof(why)), 0);
		assert_int_equal(reap_request(store_dir, &later_held, STORE_DOCUMENTATION, "erased", 1, T0 + 92 * DAY_NS, why, sizeof(why)), 0);
		for (unsigned p = 0; p < STORE_PURPOSES; p++)
			assert_int_equal(reap_request(store_dir, &both, p, "mistake", 1, T0 + 92 * DAY_NS, why, sizeof(why)), 0);
		(void)reap_with(&s, &t);
		assert_int_equal(t.single, 3); /* what is on hold waits */
		assert_int_equal(told("key.destroy.*mistake"), 2);
		assert_int_equal(told("key.destroy.*withdrawn"), 1);
		shell("test $(grep -c '^#' '%s/erase') = 3", store_dir);
		(void)rebuild();
		fsck_clean(NULL);
		assert_int_equal(state_of(&uid, 0), STORE_S_WITHDRAWN);
		assert_int_equal(heard(&uid, STORE_DOCUMENTATION), -EACCES);
		assert_int_equal(heard(&uid, STORE_TRAINING), 0);
		assert_true(heard(&both, STORE_DOCUMENTATION) && heard(&both, STORE_TRAINING));
		assert_int_equal(heard(&later_held, STORE_DOCUMENTATION), 0);
		reap_at(T0 + 93 * DAY_NS + NS_PER_S);
		assert_int_equal(told("key.destroy.*withdrawn"), 1);
	}
}

/* The program that changed a hold died before its event was in the outbox: whoever has the journal next leaves it, once. */
static void test_untold(void **state)
{
	struct store *st = open_store(STORE_RW);
	struct evlog_event e = { .kind = EVLOG_HOLD_SET, .source = EVLOG_S_OPERATOR, .has_call = true, .controller = "acme", .who = "anna" };
	struct hold_why w = { .reason = "dispute", .reference = "D-1", .review = 20270301 };
	struct uid uid, second;
	struct holds *h;
	struct outbox *o;
	enum hold_end end;
	char why[512] = "";
	bool fresh;

	(void)state;
	uid = keep_call(st, 1, "acme", CPH, T0, (uint64_t[]){ T0 + 90 * DAY_NS, 0 });
	second = keep_call(st, 2, "acme", CPH, T0, (uint64_t[]){ T0 + 90 * DAY_NS, 0 });
	ok(st, store_sync(st));
	store_close(st);
	hold(&uid, T0 + DAY_NS, 20270301);
	assert_true(there("holds.telling"));
	reap_at(T0 + 2 * DAY_NS);
	reap_at(T0 + 2 * DAY_NS);
	assert_int_equal(told("hold.set"), 1);
	assert_false(there("holds.telling"));
	/* another is on hold, and that was told: by a file that still waits */
	st = open_store(STORE_RO);
	ok(st, store_holds(st, HOLDS_WRITE, &h, NULL));
	ok(st, store_hold_add(st, h, &second, &w, &anna, T0 + 3 * DAY_NS, &fresh));
	e.call = second;
	e.time_ns = T0 + 3 * DAY_NS + 5;
	clock_set_ns(e.time_ns);
	assert_int_equal(outbox_open(store_dir, &o, why, sizeof(why)), 0);
	assert_int_equal(outbox_add(o, &e), 0);
	outbox_close(o);
	holds_close(h);
	store_close(st);
	reap_at(T0 + 4 * DAY_NS);
	assert_int_equal(told("hold.set"), 2);
	/* its end: asked for, which nobody tells, and agreed to; then killed where the log has it already */
	st = open_store(STORE_RO);
	ok(st, store_holds(st, HOLDS_WRITE, &h, NULL));
	ok(st, store_hold_release(st, h, &uid, "settled", &anna, T0 + 5 * DAY_NS, &end));
	assert_false(there("holds.telling"));
	ok(st, store_hold_release(st, h, &uid, "settled", &bo, T0 + 5 * DAY_NS, &end));
	assert_int_equal(end, HOLD_RELEASED);
	holds_close(h);
	store_close(st);
	shell("cp '%s/holds.telling' '%s.telling'", store_dir, store_dir);
	for (int run = 0; run < 2; run++) {
		reap_at(T0 + (6 + (unsigned)run) * DAY_NS);
		assert_int_equal(told("hold.release"), 1);
		assert_false(there("holds.telling"));
		shell("cp '%s.telling' '%s/holds.telling'", store_dir, store_dir);
	}
	/* what came to nothing, or is not whole, is no change */
	shell("sed -i -e '1s/.*/{\"optag-holds\":1}/' -e '$ d' '%s/holds' && rm '%s/reap.holds'", store_dir, store_dir);
	reap_at(T0 + 8 * DAY_NS);
	shell("head -c 50 '%s.telling' >'%s/holds.telling'", store_dir, store_dir);
	reap_at(T0 + 9 * DAY_NS);
	assert_int_equal(told("hold.release"), 1);
	assert_int_equal(told("hold.set"), 2);
	assert_false(there("holds.telling"));
}

static void dump(const char *name)
{
	shell("sqlite3 '%s/catalog/acme/later.db' 'select uid,purpose,day,state,reason from later order by 1,2' >'%s.%s'", store_dir, store_dir, name);
}

/* What became of calls later is told by more than later.db: it comes back, line by line. */
static void test_later(void **state)
{
	static const char *const bad[] = { "rm '%s/catalog/acme/later.db'", "truncate -s 0 '%s/catalog/acme/later.db'",
					   "truncate -s 5000 '%s/catalog/acme/later.db'", "head -c 9000 /dev/urandom >'%s/catalog/acme/later.db'",
					   "rm -r '%s/catalog/acme/later.db' '%s/evidence'", "rm -r '%s'/catalog/acme/*.db" };
	struct reap_settings s = { .now_ns = T0 + 93 * DAY_NS, .told = true };
	struct reap_totals t;
	struct uid uid, both;
	struct store *st;
	char why[512];

	(void)state;
	make_area();
	st = open_store(STORE_RW);
	uid = keep_call(st, 7, "acme", CPH, T0, (uint64_t[]){ T0 + 95 * DAY_NS, T0 + 94 * DAY_NS });
	both = keep_call(st, 8, "acme", CPH, T0, (uint64_t[]){ T0 + 95 * DAY_NS, T0 + 96 * DAY_NS });
	ok(st, store_sync(st));
	store_close(st);
	assert_int_equal(reap_request(store_dir, &uid, STORE_DOCUMENTATION, "withdrawn", 1, T0 + 92 * DAY_NS, why, sizeof(why)), 0);
	for (unsigned p = 0; p < STORE_PURPOSES; p++)
		assert_int_equal(reap_request(store_dir, &both, p, "mistake", 1, T0 + 92 * DAY_NS, why, sizeof(why)), 0);
	clock_set_ns(T0 + 92 * DAY_NS);
	reap_at(T0 + 92 * DAY_NS);
	fsck_clean(NULL);
	dump("before");
	shell("test $(wc -l <'%s.before') = 4 && grep -q 'WITHDRAWN|withdrawn' '%s.before' && grep -q 'hold|GRANTED|hold' '%s.before'", store_dir,
	      store_dir, store_dir);
	shell("rm -rf '%s.good' && cp -a '%s' '%s.good'", store_dir, store_dir, store_dir);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct store_rebuild_report rep;
		struct finding f;

		as_before();
		clock_set_ns(T0 + 92 * DAY_NS);
		shell(bad[i], store_dir, store_dir);
		assert_int_equal(fsck(&f, NULL), 1);
		rep = rebuild();
		if (i + 1 == sizeof(bad) / sizeof(*bad)) { /* with all rows: one of which nothing is left does not come back */
			char id[UID_TEXT];

			uid_format(&both, id);
			shell("sed -i /%s/d '%s.before'", id, store_dir);
		}
		assert_int_equal(rep.later, i + 1 == sizeof(bad) / sizeof(*bad) ? 2 : 4);
		dump("after");
		shell("diff '%s.before' '%s.after'", store_dir, store_dir);
		fsck_clean(NULL);
		assert_int_equal(state_of(&uid, 0), STORE_S_WITHDRAWN);
		assert_int_equal(heard(&held, STORE_DOCUMENTATION), 0);
		assert_int_equal(rebuild().later, 0);
		assert_int_equal(kept_aside("later.db"), i == 2 || i == 3);
		if (i != 2 && i != 3)
			continue;
		assert_int_equal(reap_with(&s, &t), 0);
		assert_int_equal(kept_aside("later.db"), 0);
		dump("after");
		shell("diff '%s.before' '%s.after'", store_dir, store_dir);
	}
	/* nobody knows why any more: the keys say that they are gone */
	as_before();
	shell("rm -r '%s/catalog/acme/later.db' '%s/evidence' '%s/erase'", store_dir, store_dir, store_dir);
	assert_int_equal(rebuild().later, 4);
	dump("after");
	shell("test $(grep -c 'EXPIRED|destroyed' '%s.after') = 3", store_dir);
	/* and the hold's end is told, which later.db is needed for */
	release(&held, T0 + 93 * DAY_NS);
	assert_int_equal(reap_with(&s, &t), -EBADMSG); /* the journal of erasures is missed */
	assert_int_equal(told("key.destroy.*hold.released"), 1);
}

#define T(name) cmocka_unit_test_setup_teardown(test_##name, make_store, drop_store)

int main(void)
{
	const struct CMUnitTest tests[] = { T(lost), T(lost_partition), T(cut_end), T(old_area), T(old_area_due), T(lost_segment), T(journal), T(journal_short), T(journal_old), T(journal_killed), T(damaged_segment), T(format_1), T(format_2), T(erasure), T(later), T(untold) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
