/* SPDX-License-Identifier: BSD-2-Clause */
/* test_hold.c - calls on hold: the journal, the copy of the key, two persons, and what a kill leaves */
#include "store_util.h"

#include <sodium.h>

#include "store/bucket.h"
#include "store/hold_internal.h"

#define DAY 20270216 /* of meta_of's calls */
#define NOW (T0 + 86400 * NS_PER_S)
#define REVIEW 20270301

static struct why why;
static struct root root; /* of the test's store */
static const struct hold_person anna = { 1501, "anna" }, bo = { 1502, "bo" };
static const struct hold_why dispute = { "dispute about the \"terms\" \\ price", "D-2201", REVIEW };


static int make_root(void **state)
{
	return make_store(state) || root_open(store_dir, &root, &why);
}

static int drop_root(void **state)
{
	root_close(&root);
	return drop_store(state);
}

static struct holds *open_holds(struct store *st)
{
	struct holds *h;

	(void)st;
	assert_int_equal(holds_open(&root, HOLDS_WRITE, &h, &why), 0); /* not settled: the tests of kills look at what is left */
	return h;
}

static struct uid uid_of(unsigned i)
{
	struct store_call_meta m;

	meta_of(i, &m);
	return m.uid;
}

static const struct uid *uid_at(unsigned i)
{
	static struct uid uid;

	uid = uid_of(i);
	return &uid;
}

static int add(struct store *st, unsigned i, const struct hold_why *w, uint64_t now, bool *ret_new)
{
	struct holds *h = open_holds(st);
	struct uid uid = uid_of(i);
	bool fresh;
	int rc = store_hold_add(st, h, &uid, w, &anna, now, ret_new ? ret_new : &fresh);

	snprintf(why.text, sizeof(why.text), "%s", store_why(st));

	holds_close(h);
	return rc;
}

static int release_by(struct store *st, unsigned i, const struct hold_person *who, uint64_t now, enum hold_end *ret)
{
	struct holds *h = open_holds(st);
	struct uid uid = uid_of(i);
	int rc = store_hold_release(st, h, &uid, "settled in court", who, now, ret);

	holds_close(h);
	return rc;
}

static bool on_disk(const uint8_t *p, size_t n, const char *name)
{
	char hex[2 * 160 + 1], cmd[1500];

	sodium_bin2hex(hex, sizeof(hex), p, n);
	snprintf(cmd, sizeof(cmd), "cat $(find %s -type f -name '%s') </dev/null | od -An -v -tx1 | tr -d ' \\n' | grep -qF %s", store_dir, name, hex);
	return system(cmd) == 0;
}

/* A store with calls 0 to n - 1, for training too until `days` after they began. */
static struct store *calls(unsigned n, unsigned training_days)
{
	struct store *st = open_store(STORE_RW);

	for (unsigned i = 0; i < n; i++) {
		struct chunk *c = chunk_new();
		struct store_call_result res;
		struct store_call_meta m;
		struct store_call *sc;

		meta_of(i, &m);
		result_of(i, &res);
		if (training_days) {
			m.until_ns[1] = m.start_ns + training_days * 86400 * NS_PER_S;
			m.commit[1] = true;
			res.state[1] = STORE_S_GRANTED;
			res.reason[1] = "interest";
		}
		ok(st, store_call_begin(st, &m, &sc));
		for (unsigned leg = 0; leg < 2; leg++) {
			chunk_of(c, i, leg, 0);
			ok(st, store_call_append(sc, leg, c));
		}
		ok(st, store_call_end(sc, &res));
		chunk_free(c);
	}
	ok(st, store_sync(st));
	store_close(st);
	return open_store(STORE_RO);
}

static int read_open(struct store *st, unsigned i, enum store_purpose p)
{
	struct store_reader *r;
	struct uid uid = uid_of(i);
	int rc = store_read_open(st, &uid, p, keys_dir, &r);

	if (!rc)
		store_read_close(r);
	return rc;
}

/* ---- lines ---- */

static void test_lines(void **state)
{
	struct hold_line l = { .what = HOLD_SET, .uid = uid_of(1), .day = DAY, .slot = 7, .index = 3, .until_ns = T0, .review = REVIEW,
			       .at_ns = NOW, .by = { 1501, "anna" } }, m;
	char text[HOLD_LINE_MAX], t[HOLD_LINE_MAX];
	static const char *const bad[] = { "", "{}", "{\"optag-holds\":1}", "{\"hold\":\"x\"}", NULL };
	size_t n;

	(void)state;
	strcpy(l.controller, "acme");
	strcpy(l.reason, "say \"æ\" \\");
	strcpy(l.reference, "D-1");
	for (int w = 0; w < HOLD_WHATS; w++) {
		l.what = (enum hold_what)w;
		n = hold_line_format(&l, text);
		assert_int_equal(hold_line_parse(text, n - 1, &m), 0);
		assert_int_equal(m.what, w);
		assert_true(uid_equal(&m.uid, &l.uid));
		assert_string_equal(m.by.name, "anna");
		if (w != HOLD_CANCEL)
			assert_string_equal(m.reason, l.reason);
		for (size_t i = 0; i < n - 1; i++) { /* cut, and each byte another */
			assert_int_equal(hold_line_parse(text, i, &m), -EBADMSG);
			memcpy(t, text, n);
			t[i] = '\1';
			assert_int_equal(hold_line_parse(t, n - 1, &m), -EBADMSG);
		}
		assert_int_equal(hold_line_parse(text, n, &m), -EBADMSG);
	}
	for (int i = 0; bad[i]; i++)
		assert_int_equal(hold_line_parse(bad[i], strlen(bad[i]), &m), -EBADMSG);
	/* the longest there is */
	memset(l.reason, '"', HOLD_REASON - 1);
	memset(l.reference, '\\', HOLD_REFERENCE - 1);
	memset(l.controller, 'c', 63);
	strcpy(l.by.name, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
	l.what = HOLD_SET;
	l.day = 99991231;
	l.slot = l.by.uid = UINT32_MAX;
	l.until_ns = l.at_ns = UINT64_MAX;
	l.index = HOLDS_MAX;
	n = hold_line_format(&l, text);
	assert_true(n > 0 && n < 1700);
	assert_int_equal(hold_line_parse(text, n - 1, &m), 0);
	assert_string_equal(hold_text_check("", 9), "is empty");
	assert_string_equal(hold_text_check("  ", 9), "is empty");
	assert_string_equal(hold_text_check("123456789", 9), "is too long");
	assert_null(hold_text_check("12345678", 9));
	assert_non_null(hold_text_check("a\nb", 9));
	assert_non_null(hold_text_check("\xc3", 9));
	assert_non_null(hold_text_check("\xc2\x85", 9)); /* a control character in two bytes */
	assert_non_null(hold_text_check("\xed\xa0\x80", 9));
	assert_non_null(hold_text_check("\xf4\x90\x80\x80", 9));
}

/* ---- what a hold is for ---- */

static void test_outlives_its_day(void **state)
{
	struct store *st = calls(3, 90);
	uint8_t b[32], c[32];
	struct bucket bucket;
	struct slot s;
	struct holds *h;
	bool fresh = false;
	enum hold_end end;

	(void)state;
	assert_int_equal(bucket_read(&root, "acme", 0, DAY, &bucket, &why), 0);
	memcpy(b, bucket.key, 32);
	assert_int_equal(slot_read(&root, "acme", 0, DAY, 2, &s, &why), 0);
	slot_key(&s, b, DAY, c);
	assert_int_equal(add(st, 1, &dispute, NOW, &fresh), 0);
	assert_true(fresh);
	assert_true(on_disk(c, 32, "hold.slots"));
	fsck_clean(NULL);
	/* the day goes, for both purposes, and so do the slots files as a whole */
	for (unsigned p = 0; p < 2; p++)
		assert_int_equal(bucket_destroy(&root, "acme", p, DAY, NOW, &why), 0);
	assert_false(on_disk(b, 32, "*"));
	assert_int_equal(read_call(st, 1, 1), 0);
	assert_int_equal(read_open(st, 1, STORE_TRAINING), -ESHUTDOWN); /* a hold never prolongs training */
	assert_int_equal(read_open(st, 0, STORE_DOCUMENTATION), -ESHUTDOWN);
	assert_int_equal(read_open(st, 2, STORE_DOCUMENTATION), -ESHUTDOWN);
	fsck_clean(NULL);
	shell("rm %s/keys/acme/documentation/2027-02-16.*", store_dir);
	assert_int_equal(read_call(st, 1, 1), 0);
	assert_int_equal(read_open(st, 0, STORE_DOCUMENTATION), -ESHUTDOWN);
	h = open_holds(st);
	assert_int_equal(holds_count(h), 1);
	assert_false(hold_keeps_bucket(h, "acme", DAY));
	assert_non_null(hold_is(h, uid_at(1)));
	assert_null(hold_is(h, uid_at(0)));
	holds_close(h);
	/* its end takes two, and then it is gone at once */
	assert_int_equal(release_by(st, 1, &anna, NOW, &end), 0);
	assert_int_equal(end, HOLD_ASKED);
	assert_int_equal(release_by(st, 1, &anna, NOW, &end), -EPERM);
	assert_int_equal(read_call(st, 1, 1), 0);
	assert_int_equal(release_by(st, 1, &bo, NOW, &end), 0);
	assert_int_equal(end, HOLD_ERASED);
	assert_int_equal(read_open(st, 1, STORE_DOCUMENTATION), -ESHUTDOWN);
	assert_false(on_disk(c, 32, "*"));
	assert_false(on_disk(s.wrap, sizeof(s.wrap), "*"));
	assert_int_equal(release_by(st, 1, &bo, NOW, &end), -ENOENT);
	assert_int_equal(add(st, 1, &dispute, NOW, NULL), -ESHUTDOWN);
	store_close(st);
}

/* Before the deadline the end of a hold changes nothing for the call. */
static void test_ends_early(void **state)
{
	struct store *st = calls(2, 0);
	struct hold_slot s;
	enum hold_end end;
	bool fresh = true;

	(void)state;
	assert_int_equal(add(st, 0, &dispute, NOW, NULL), 0);
	assert_int_equal(release_by(st, 0, &anna, NOW, &end), 0);
	/* somebody says why anew: nobody asks for its end any more */
	assert_int_equal(add(st, 0, &(struct hold_why){ "appeal", "D-2202", REVIEW + 1 }, NOW + 1, &fresh), 0);
	assert_false(fresh);
	assert_int_equal(release_by(st, 0, &bo, NOW, &end), 0);
	assert_int_equal(end, HOLD_ASKED);
	struct holds *h = open_holds(st);
	struct uid uid = uid_of(0);

	assert_string_equal(hold_is(h, &uid)->reason, "appeal");
	assert_int_equal(hold_is(h, &uid)->review, REVIEW + 1);
	assert_int_equal(hold_is(h, &uid)->asker.uid, 1502);
	assert_int_equal(store_hold_cancel(st, h, &uid, &anna, NOW), 0);
	assert_int_equal(store_hold_cancel(st, h, &uid, &anna, NOW), -ENOENT);
	holds_close(h);
	assert_int_equal(release_by(st, 0, &bo, NOW, &end), 0);
	assert_int_equal(end, HOLD_ASKED);
	assert_int_equal(release_by(st, 0, &anna, NOW, &end), 0);
	assert_int_equal(end, HOLD_RELEASED);
	assert_int_equal(hold_slot_read(&root, "acme", 1, &s, &why), 0);
	assert_true(s.empty);
	assert_int_equal(read_call(st, 0, 1), 0);
	/* and it may be held again, at the same place */
	assert_int_equal(add(st, 0, &dispute, NOW, &fresh), 0);
	assert_true(fresh);
	assert_int_equal(hold_slot_read(&root, "acme", 1, &s, &why), 0);
	assert_false(s.empty);
	/* past the deadline, and no reaper came yet: its end is the call's */
	assert_int_equal(release_by(st, 0, &bo, NOW, &end), 0);
	assert_int_equal(release_by(st, 0, &anna, T0 + 91 * 86400 * NS_PER_S, &end), 0);
	assert_int_equal(end, HOLD_ERASED);
	assert_int_equal(read_open(st, 0, STORE_DOCUMENTATION), -ESHUTDOWN);
	assert_int_equal(read_call(st, 1, 1), 0);
	store_close(st);
}

static void test_refused(void **state)
{
	struct store *st = open_store(STORE_RW);
	struct store_call_meta m;
	struct store_call_result res;
	uint64_t start;

	(void)state;
	meta_of(5, &m);
	m.commit[0] = false;
	result_of(5, &res);
	res.outcome = STORE_O_DENIED;
	res.state[0] = STORE_S_DENIED;
	res.reason[0] = "no-consent";
	ok(st, store_call_denied(st, &m, &res));
	write_call(st, 0, 1);
	ok(st, store_sync(st));
	store_close(st);
	st = open_store(STORE_RO);
	assert_int_equal(add(st, 9, &dispute, NOW, NULL), -ENOENT);
	assert_int_equal(add(st, 5, &dispute, NOW, NULL), -EACCES);
	assert_non_null(strstr(why.text, "DENIED"));
	assert_int_equal(add(st, 0, &(struct hold_why){ "", "D-1", REVIEW }, NOW, NULL), -EINVAL);
	assert_int_equal(add(st, 0, &(struct hold_why){ "r", "", REVIEW }, NOW, NULL), -EINVAL);
	assert_int_equal(add(st, 0, &(struct hold_why){ "he rang from 20 30 40 50", "D-1", REVIEW }, NOW, NULL), -EINVAL);
	assert_non_null(strstr(why.text, "the reason: looks as if a telephone number stands in it"));
	assert_null(strstr(why.text, "20 30"));
	assert_int_equal(add(st, 0, &(struct hold_why){ "r", "+45 20304050", REVIEW }, NOW, NULL), -EINVAL);
	assert_int_equal(add(st, 0, &(struct hold_why){ "r", "D-1", 20261119 }, NOW, NULL), -EINVAL); /* today */
	assert_int_equal(add(st, 0, &(struct hold_why){ "r", "D-1", 20270520 }, NOW, NULL), -EINVAL);
	assert_non_null(strstr(why.text, "6 months"));
	/* due from the start of its day on, not from the deadline's hour */
	start = 1802732400000000000ULL;
	assert_int_equal(add(st, 0, &(struct hold_why){ "r", "D-1", 20270520 }, start, NULL), -ESHUTDOWN);
	assert_int_equal(add(st, 0, &(struct hold_why){ "r", "D-1", 20270519 }, NOW, NULL), 0);
	store_close(st);
}

/* ---- kills, damage, two at once ---- */

static void test_killed(void **state)
{
	struct store *st = calls(3, 0);
	struct hold_line l = { .what = HOLD_SET, .uid = uid_of(1), .day = DAY, .slot = 2, .index = 1, .until_ns = T0 + 90 * 86400 * NS_PER_S,
			       .reason = "r", .reference = "D-1", .review = REVIEW, .controller = "acme", .at_ns = NOW, .by = { 1, "x" } };
	struct holds *h = open_holds(st);
	struct hold_slot s, copy;
	enum hold_end end;
	uint64_t lost;

	(void)state;
	/* after the line, before the key: another add takes another place, and the next who looks makes it good */
	assert_int_equal(holds_append(h, &l, &why), 0);
	holds_close(h);
	assert_int_equal(add(st, 0, &dispute, NOW, NULL), 0);
	assert_int_equal(hold_slot_read(&root, "acme", 2, &s, &why), 0);
	assert_true(uid_equal(&s.slot.uid, uid_at(0)));
	h = open_holds(st);
	assert_int_equal(holds_settle(h, &lost, &why), 0);
	holds_close(h);
	assert_int_equal(lost, 0);
	assert_int_equal(hold_slot_read(&root, "acme", 1, &copy, &why), 0);
	assert_true(uid_equal(&copy.slot.uid, &l.uid));
	fsck_clean(NULL);
	/* after the line of its end, before the key went */
	assert_int_equal(release_by(st, 1, &anna, NOW, &end), 0);
	assert_int_equal(release_by(st, 1, &bo, NOW, &end), 0);
	assert_int_equal(hold_slot_write(&root, "acme", 1, &copy, &why), 0);
	assert_int_equal(add(st, 2, &dispute, NOW, NULL), 0); /* not over it */
	assert_int_equal(hold_slot_read(&root, "acme", 3, &s, &why), 0);
	assert_false(s.empty);
	h = open_holds(st);
	assert_int_equal(holds_settle(h, &lost, &why), 0);
	holds_close(h);
	assert_int_equal(hold_slot_read(&root, "acme", 1, &s, &why), 0);
	assert_true(s.empty);
	assert_false(on_disk(copy.key, 32, "*"));
	/* the same, and the call is put on hold anew before anybody looked */
	assert_int_equal(release_by(st, 0, &anna, NOW, &end), 0);
	assert_int_equal(hold_slot_read(&root, "acme", 2, &copy, &why), 0);
	assert_int_equal(release_by(st, 0, &bo, NOW, &end), 0);
	assert_int_equal(hold_slot_write(&root, "acme", 2, &copy, &why), 0);
	assert_int_equal(add(st, 0, &dispute, NOW, NULL), 0);
	assert_int_equal(hold_slot_read(&root, "acme", 2, &s, &why), 0);
	assert_true(s.empty);
	assert_int_equal(hold_slot_read(&root, "acme", 1, &s, &why), 0);
	assert_false(s.empty);
	fsck_clean(NULL);
	/* a key that is gone before the copy was made is told */
	h = open_holds(st);
	l.uid = uid_of(1);
	l.slot = 2;
	l.index = 7;
	assert_int_equal(holds_append(h, &l, &why), 0);
	assert_int_equal(bucket_destroy(&root, "acme", 0, DAY, NOW, &why), 0);
	assert_int_equal(holds_settle(h, &lost, &why), 0);
	assert_int_equal(lost, 1);
	holds_close(h);
	store_close(st);
}

static void put(const char *name, const void *p, size_t n)
{
	char path[400];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", store_dir, name);
	f = fopen(path, "wb");
	assert_non_null(f);
	assert_int_equal(fwrite(p, 1, n, f), n);
	fclose(f);
}

static size_t read_text(const char *path, char *text, size_t size)
{
	FILE *f = fopen(path, "rb");
	size_t n;

	assert_non_null(f);
	n = fread(text, 1, size, f);
	fclose(f);
	return n;
}

/* As a program of before wrote it: its head does not say how long it is. */
static size_t as_before(char *text, size_t n)
{
	const size_t head = strlen(HOLDS_HEAD_1), now = (size_t)(strchr(text, '\n') - text) + 1;

	memmove(text + head, text + now, n - now);
	memcpy(text, HOLDS_HEAD_1, head);
	return n - now + head;
}

/* One of before: whole lines count, cut or not; its owner makes it one that is missed when it is cut. */
static void test_journal_before(void **state)
{
	struct store *st = calls(2, 0);
	char path[400], text[8192], now[8192];
	const size_t head = strlen(HOLDS_HEAD_1);
	size_t n, whole;
	struct holds *h;
	struct stat sb;

	(void)state;
	assert_int_equal(add(st, 0, &dispute, NOW, NULL), 0);
	snprintf(path, sizeof(path), "%s/holds", store_dir);
	whole = read_text(path, now, sizeof(now));
	n = as_before(memcpy(text, now, whole), whole);
	for (size_t cut = head; cut <= n; cut++) {
		put("holds", text, cut);
		assert_int_equal(holds_open(&root, HOLDS_READ, &h, &why), 0);
		assert_int_equal(holds_count(h), cut == n);
		holds_close(h);
		assert_int_equal(holds_open(&root, HOLDS_WRITE, &h, &why), 0);
		assert_int_equal(holds_count(h), cut == n);
		holds_close(h);
	}
	assert_int_equal(read_text(path, text, sizeof(text)), whole);
	assert_memory_equal(text, now, whole);
	put("holds", text, as_before(text, whole)); /* who may read it may read it then */
	assert_int_equal(chmod(path, 0640), 0);
	umask(077);
	assert_int_equal(holds_open(&root, HOLDS_WRITE, &h, &why), 0);
	holds_close(h);
	umask(022);
	assert_int_equal(stat(path, &sb), 0);
	assert_true((sb.st_mode & 07777) == 0640 && sb.st_size == (off_t)whole);
	assert_int_equal(add(st, 1, &dispute, NOW, NULL), 0); /* and so it goes on */
	fsck_clean(NULL);
	store_close(st);
}

/* Cut at every byte: it says that lines are lost; a torn one behind all that was confirmed never counted; then damage is named. */
static void test_journal_cut(void **state)
{
	struct store *st = calls(2, 0);
	char path[400], text[8192], one[8192];
	struct holds *h;
	size_t n, first, head;
	struct stat sb;

	(void)state;
	assert_int_equal(add(st, 0, &dispute, NOW, NULL), 0);
	snprintf(path, sizeof(path), "%s/holds", store_dir);
	assert_int_equal(stat(path, &sb), 0);
	assert_int_equal(sb.st_mode & 0727, 0600);
	first = (size_t)sb.st_size;
	assert_int_equal(add(st, 1, &dispute, NOW, NULL), 0);
	n = read_text(path, text, sizeof(text));
	head = (size_t)(strchr(text, '\n') - text) + 1;
	for (size_t cut = 0; cut < n; cut += cut < head || cut == n - 2 ? 1 : 2) {
		put("holds", text, cut);
		for (int w = 0; w < 2; w++)
			assert_int_equal(holds_open(&root, w ? HOLDS_WRITE : HOLDS_READ, &h, &why), -EBADMSG);
		assert_non_null(strstr(why.text, "H-1"));
		assert_int_equal(stat(path, &sb), 0);
		assert_int_equal(sb.st_size, cut); /* left alone */
	}
	for (size_t more = 0; more < n - first; more++) { /* not confirmed */
		memcpy(text + n, text + first, more);
		put("holds", text, n + more);
		for (int w = 0; w < 2; w++) {
			assert_int_equal(holds_open(&root, w ? HOLDS_WRITE : HOLDS_READ, &h, &why), 0);
			assert_int_equal(holds_count(h), 2);
			holds_close(h);
		}
		assert_int_equal(stat(path, &sb), 0);
		assert_int_equal(sb.st_size, n);
	}
	/* a line that is whole counts, though its head does not have it yet, and has it then */
	put("holds", text, first);
	shell("sed -i '1s/.*/{\"optag-holds\":1}/' '%s'", path);
	assert_int_equal(holds_open(&root, HOLDS_WRITE, &h, &why), 0);
	holds_close(h);
	assert_int_equal(read_text(path, one, sizeof(one)), first);
	memcpy(one + first, text + first, n - first);
	put("holds", one, n);
	assert_int_equal(holds_open(&root, HOLDS_WRITE, &h, &why), 0);
	assert_int_equal(holds_count(h), 2);
	holds_close(h);
	assert_int_equal(read_text(path, one, sizeof(one)), n);
	assert_memory_equal(one, text, n);
	for (size_t i = 0; i + 1 < n; i++) { /* no byte may be another */
		char was = text[i];

		text[i] = was == '\n' ? ' ' : '\n';
		put("holds", text, n);
		assert_int_equal(holds_open(&root, HOLDS_READ, &h, &why), -EBADMSG);
		assert_non_null(strstr(why.text, i < head ? "line 1" : "line "));
		assert_int_equal(holds_open(&root, HOLDS_WRITE, &h, &why), -EBADMSG);
		text[i] = was;
	}
	memcpy(text + n, text + head, first - head); /* the same call put on hold twice */
	put("holds", text, n + first - head);
	assert_int_equal(holds_open(&root, HOLDS_READ, &h, &why), -EBADMSG);
	assert_non_null(strstr(why.text, "line 4"));
	/* gone, and the keys are there */
	unlink(path);
	assert_int_equal(holds_open(&root, HOLDS_READ, &h, &why), -EBADMSG);
	assert_int_equal(holds_open(&root, HOLDS_WRITE, &h, &why), -EBADMSG);
	assert_non_null(strstr(why.text, "H-1"));
	store_close(st);
}

static void test_two_at_once(void **state)
{
	enum { N = 40, PROCS = 4 };
	struct store *st = calls(N, 0);
	bool seen[N + 1] = { false };
	pid_t pid[PROCS];
	struct holds *h;

	(void)state;
	for (unsigned k = 0; k < PROCS; k++) {
		pid[k] = fork();
		if (pid[k])
			continue;
		for (unsigned i = 0; i < N; i++) /* all of them try all: one makes it, the others say it anew */
			if (add(st, (i + k * 10) % N, &dispute, NOW, NULL))
				_exit(1);
		_exit(0);
	}
	for (unsigned k = 0; k < PROCS; k++) {
		int status;

		assert_int_equal(waitpid(pid[k], &status, 0), pid[k]);
		assert_int_equal(status, 0);
	}
	h = open_holds(st);
	assert_int_equal(holds_count(h), N);
	for (unsigned i = 0; i < N; i++) {
		struct uid uid = uid_of(i);
		const struct hold *x = hold_is(h, &uid);
		struct hold_slot s;

		assert_non_null(x);
		assert_true(x->index >= 1 && x->index <= N && !seen[x->index]);
		seen[x->index] = true;
		assert_int_equal(hold_slot_read(&root, "acme", x->index, &s, &why), 0);
		assert_true(uid_equal(&s.slot.uid, &uid));
	}
	holds_close(h);
	store_close(st);
	fsck_clean(NULL);
}

/* fsck finds every byte that is another, and keys that nobody holds. */
static void test_fsck(void **state)
{
	struct store *st = calls(2, 0);
	struct store_fsck_report rep;
	struct hold_slot s;
	struct finding f;
	char path[400];
	uint8_t raw[3 * SLOT_SIZE];
	enum hold_end end;
	FILE *file;

	(void)state;
	assert_int_equal(add(st, 0, &dispute, NOW, NULL), 0);
	fsck_clean(&rep);
	assert_int_equal(rep.held, 1);
	snprintf(path, sizeof(path), "%s/keys/acme/documentation/hold.slots", store_dir);
	file = fopen(path, "rb");
	assert_int_equal(fread(raw, 1, sizeof(raw), file), 2 * SLOT_SIZE);
	fclose(file);
	for (size_t i = 0; i < 2 * SLOT_SIZE; i += 7) {
		raw[i] ^= 1;
		put("keys/acme/documentation/hold.slots", raw, 2 * SLOT_SIZE);
		assert_int_equal(fsck(&f, NULL), 1);
		assert_string_equal(f.rule, i < SLOT_SIZE ? "H-2" : "H-3");
		assert_int_equal(f.off, i / SLOT_SIZE * SLOT_SIZE);
		raw[i] ^= 1;
	}
	for (size_t cut = 0; cut < 2 * SLOT_SIZE; cut += 13) { /* a torn last slot was never confirmed */
		put("keys/acme/documentation/hold.slots", raw, cut);
		assert_int_equal(fsck(&f, NULL), cut < SLOT_SIZE);
	}
	memcpy(raw + 2 * SLOT_SIZE, raw + SLOT_SIZE, SLOT_SIZE); /* once more where no line says so */
	put("keys/acme/documentation/hold.slots", raw, 3 * SLOT_SIZE);
	assert_int_equal(fsck(&f, NULL), 1);
	assert_string_equal(f.rule, "H-4");
	assert_int_equal(f.off, 2 * SLOT_SIZE);
	/* a damaged copy is no way round the end of a hold */
	raw[SLOT_SIZE + 100] ^= 1;
	put("keys/acme/documentation/hold.slots", raw, 2 * SLOT_SIZE);
	assert_int_equal(release_by(st, 0, &anna, NOW, &end), 0);
	assert_int_equal(release_by(st, 0, &bo, NOW, &end), 0);
	assert_int_equal(hold_slot_read(&root, "acme", 1, &s, &why), 0);
	assert_true(s.empty);
	fsck_clean(&rep);
	assert_int_equal(rep.held, 0);
	store_close(st);
}

/* A slot of version 1 has no key of its own: the hold keeps the bucket, and says so. */
static void test_version_1(void **state)
{
	const char *src = getenv("SRC");
	struct store *st;
	struct holds *h;
	enum hold_end end;
	bool fresh;

	(void)state;
	if (!src)
		src = ".";
	shell("rm -rf '%s' && cp -r '%s/tests/golden/store/v2' '%s'", store_dir, src, store_dir);
	root_close(&root);
	assert_int_equal(root_open(store_dir, &root, &why), 0);
	st = open_store(STORE_RO);
	FILE *f;
	char id[300];
	struct uid uid;

	snprintf(id, sizeof(id), "%s/db", base_dir);
	shell("cat '%s'/catalog/*/*.db >/dev/null; sqlite3 \"$(ls '%s'/catalog/*/*.db | head -1)\" \"select uid from calls where documentation_slot>0 limit 1\" >'%s'",
	      store_dir, store_dir, id);
	f = fopen(id, "r");
	assert_non_null(fgets(id, 27, f));
	fclose(f);
	assert_int_equal(uid_parse(id, &uid), 0);
	uint64_t now = uid_time_ms(&uid) * 1000000 + 3600 * NS_PER_S;
	uint64_t review;
	uint32_t day;

	assert_int_equal(clock_add(now, "UTC", 30, CLOCK_U_DAYS, &review), 0);
	assert_int_equal(day_of(review, "UTC", &day), 0);
	h = open_holds(st);
	assert_int_equal(store_hold_add(st, h, &uid, &(struct hold_why){ "r", "D-1", day }, &anna, now, &fresh), 0);
	const struct hold *x = hold_is(h, &uid);
	uint32_t bucket = x->day;
	char controller[64];

	memcpy(controller, x->controller, 64);
	assert_int_equal(x->index, 0);
	assert_true(hold_keeps_bucket(h, controller, bucket));
	assert_false(hold_keeps_bucket(h, controller, bucket + 1));
	assert_false(hold_keeps_bucket(h, "other", bucket));
	assert_int_equal(store_hold_release(st, h, &uid, "over", &anna, now, &end), 0);
	assert_int_equal(store_hold_release(st, h, &uid, "over", &bo, UINT64_MAX / 2, &end), 0);
	assert_int_equal(end, HOLD_ERASED);
	assert_false(hold_keeps_bucket(h, controller, bucket));
	holds_close(h);
	store_close(st);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test_setup_teardown(test_outlives_its_day, make_root, drop_root),
		cmocka_unit_test_setup_teardown(test_ends_early, make_root, drop_root),
		cmocka_unit_test_setup_teardown(test_refused, make_root, drop_root),
		cmocka_unit_test_setup_teardown(test_killed, make_root, drop_root),
		cmocka_unit_test_setup_teardown(test_journal_cut, make_root, drop_root),
		cmocka_unit_test_setup_teardown(test_journal_before, make_root, drop_root),
		cmocka_unit_test_setup_teardown(test_two_at_once, make_root, drop_root),
		cmocka_unit_test_setup_teardown(test_fsck, make_root, drop_root),
		cmocka_unit_test_setup_teardown(test_version_1, make_root, drop_root),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
