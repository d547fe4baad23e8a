/* SPDX-License-Identifier: BSD-2-Clause */
/* test_slots.c - keys of slots, buckets destroyed beside a recorder, slots erased by the thousand */
#include "store_util.h"

#include <sodium.h>
#include <sys/file.h>

#include "store/bucket.h"
#include "store/slot.h"
#include "store/slots.h"

#define DAY 20270216 /* of meta_of's calls */
#define PATH "keys/acme/documentation/2027-02-16"

static struct why why;

static struct root open_root(void)
{
	struct root r;

	assert_int_equal(root_open(store_dir, &r, &why), 0);
	return r;
}

static void read_bucket(const struct root *r, struct bucket *b)
{
	assert_int_equal(bucket_read(r, "acme", STORE_DOCUMENTATION, DAY, b, &why), 0);
}

static void poke(const char *ext, long at, const void *p, size_t n)
{
	char path[400];
	FILE *f;

	snprintf(path, sizeof(path), "%s/" PATH ".%s", store_dir, ext);
	f = fopen(path, "r+b");
	assert_non_null(f);
	fseek(f, at, SEEK_SET);
	assert_int_equal(fwrite(p, 1, n, f), n);
	fclose(f);
}

/* No file of the store has these bytes, in whatever spelling of hex or raw. */
static void nowhere(const uint8_t *p, size_t n)
{
	char hex[2 * 160 + 1];

	sodium_bin2hex(hex, sizeof(hex), p, n);
	shell("! cat $(find %s -type f) | od -An -v -tx1 | tr -d ' \\n' | grep -qiF %s", store_dir, hex);
	shell("! cat $(find %s -type f) | grep -qiF %s", store_dir, hex);
}

static void somewhere(const uint8_t *p, size_t n)
{
	char hex[2 * 160 + 1];

	sodium_bin2hex(hex, sizeof(hex), p, n);
	shell("cat $(find %s -type f) | od -An -v -tx1 | tr -d ' \\n' | grep -qiF %s", store_dir, hex);
}

static void test_slot_key(void **state)
{
	struct slot s = { .version = 1, .purpose = 1, .uid = { { 7 } } };
	uint8_t bucket[32] = { 9 }, a[32], b[32];

	(void)state;
	slot_key(&s, bucket, DAY, a);
	assert_memory_equal(a, bucket, 32);
	s.version = 2;
	slot_key(&s, bucket, DAY, a);
	assert_memory_not_equal(a, bucket, 32);
	slot_key(&s, bucket, DAY + 1, b);
	assert_memory_not_equal(a, b, 32);
	s.purpose = 0;
	slot_key(&s, bucket, DAY, b);
	assert_memory_not_equal(a, b, 32);
	s.purpose = 1;
	s.uid.b[15] = 1;
	slot_key(&s, bucket, DAY, b);
	assert_memory_not_equal(a, b, 32);
	s.uid.b[15] = 0;
	bucket[31] = 1;
	slot_key(&s, bucket, DAY, b);
	assert_memory_not_equal(a, b, 32);
}

static void test_destroy(void **state)
{
	struct store *st = open_store(STORE_RW);
	struct root r = open_root();
	struct store_call_meta m;
	struct store_reader *rd;
	struct store_call *sc;
	struct bucket b;
	struct slot s;
	uint8_t key[32], call_key[32];

	(void)state;
	write_call(st, 1, 1);
	ok(st, store_sync(st));
	assert_int_equal(read_call(st, 1, 1), 0);
	read_bucket(&r, &b);
	memcpy(key, b.key, 32);
	meta_of(1, &m);
	assert_int_equal(slot_read(&r, "acme", 0, DAY, 1, &s, &why), 0);
	assert_int_equal(s.version, 2);
	slot_key(&s, key, DAY, call_key);
	somewhere(key, 32);
	nowhere(call_key, 32);
	assert_int_equal(bucket_destroy(&r, "acme", STORE_TRAINING, DAY, T0, &why), -ENOENT);
	assert_int_equal(bucket_destroy(&r, "acme", STORE_DOCUMENTATION, DAY + 1, T0, &why), -ENOENT);
	assert_int_equal(bucket_destroy(&r, "acme", STORE_DOCUMENTATION, DAY, T0, &why), 0);
	/* the recorder has the files open, and sees it at once */
	meta_of(2, &m);
	assert_int_equal(store_call_begin(st, &m, &sc), -ESHUTDOWN);
	assert_non_null(strstr(store_why(st), "destroyed already"));
	nowhere(key, 32);
	nowhere(call_key, 32);
	read_bucket(&r, &b);
	assert_int_equal(b.state, BUCKET_DESTROYED);
	assert_true(b.destroyed_ns == T0);
	/* again: nothing changes */
	assert_int_equal(bucket_destroy(&r, "acme", STORE_DOCUMENTATION, DAY, T0 + 1, &why), 1);
	read_bucket(&r, &b);
	assert_true(b.destroyed_ns == T0);
	meta_of(1, &m);
	assert_int_equal(store_read_open(st, &m.uid, STORE_DOCUMENTATION, keys_dir, &rd), -ESHUTDOWN);
	/* another day goes on */
	meta_of(3, &m);
	m.until_ns[0] += 86400 * NS_PER_S;
	ok(st, store_call_begin(st, &m, &sc));
	store_call_abort(sc);
	store_close(st);
	root_close(&r);
	fsck_clean(NULL);
}

/* A call in progress whose day goes: its wrap is lost, and what it says at its end does no harm. */
static void test_destroy_in_call(void **state)
{
	struct store *st = open_store(STORE_RW);
	struct root r = open_root();
	struct chunk *c = chunk_new();
	struct store_call_result res;
	struct store_call_meta m;
	struct store_reader *rd;
	struct store_call *sc;

	(void)state;
	meta_of(1, &m);
	result_of(1, &res);
	chunk_of(c, 1, 0, 0);
	ok(st, store_call_begin(st, &m, &sc));
	ok(st, store_call_append(sc, 0, c));
	ok(st, store_sync(st));
	assert_int_equal(bucket_destroy(&r, "acme", STORE_DOCUMENTATION, DAY, T0, &why), 0);
	ok(st, store_call_append(sc, 0, c));
	ok(st, store_call_end(sc, &res));
	ok(st, store_sync(st));
	assert_int_equal(store_read_open(st, &m.uid, STORE_DOCUMENTATION, keys_dir, &rd), -ESHUTDOWN);
	store_close(st);
	root_close(&r);
	chunk_free(c);
	fsck_clean(NULL);
}

/* While somebody destroys it, nobody wraps under it; nor is a key that was destroyed made live by an earlier deadline. */
static void test_locks(void **state)
{
	struct store *st = open_store(STORE_RW);
	struct root r = open_root();
	struct store_call_meta m;
	struct store_call *sc;
	struct bucket b;
	int fd;

	(void)state;
	write_call(st, 1, 1);
	assert_int_equal(bucket_open(&r, "acme", 0, DAY, true, &fd, &why), 0);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	meta_of(2, &m);
	assert_int_equal(store_call_begin(st, &m, &sc), -ESHUTDOWN);
	assert_non_null(strstr(store_why(st), "being destroyed"));
	flock(fd, LOCK_UN);
	ok(st, store_call_begin(st, &m, &sc));
	store_call_abort(sc);
	assert_int_equal(bucket_lock(fd, &r, "acme", 0, DAY, &b, &why), 0);
	ok(st, store_call_begin(st, &m, &sc)); /* readers of the key do not disturb */
	store_call_abort(sc);
	bucket_unlock(fd);
	read_bucket(&r, &b);
	uint64_t before = b.destroy_ns;

	/* east of Copenhagen the day begins earlier */
	meta_of(3, &m);
	m.zone = "Asia/Tokyo";
	m.until_ns[0] = before + 3600 * NS_PER_S;
	ok(st, store_call_begin(st, &m, &sc));
	store_call_abort(sc);
	read_bucket(&r, &b);
	assert_true(b.destroy_ns == before - 8 * 3600 * NS_PER_S);
	assert_int_equal(bucket_destroy(&r, "acme", 0, DAY, T0, &why), 0);
	m.zone = "Pacific/Kiritimati";
	assert_int_equal(store_call_begin(st, &m, &sc), -ESHUTDOWN);
	read_bucket(&r, &b);
	assert_int_equal(b.state, BUCKET_DESTROYED);
	close(fd);
	store_close(st);
	root_close(&r);
}

/* A damaged bucket is no way round its end. */
static void test_destroy_damaged(void **state)
{
	struct store *st = open_store(STORE_RW);
	struct root r = open_root();
	struct bucket b;
	uint8_t key[32];

	(void)state;
	write_call(st, 1, 1);
	ok(st, store_sync(st));
	store_close(st);
	read_bucket(&r, &b);
	memcpy(key, b.key, 32);
	poke("bucket", 0, "X", 1);
	poke("bucket", 200, key, 32); /* longer, with the key once more */
	why.text[0] = 0;
	assert_int_equal(bucket_destroy(&r, "acme", 0, DAY, T0, &why), 0);
	assert_non_null(strstr(why.text, "K-1"));
	nowhere(key, 32);
	why.text[0] = 0;
	assert_int_equal(bucket_destroy(&r, "acme", 0, DAY, T0, &why), 1);
	assert_string_equal(why.text, "");
	root_close(&r);
	fsck_clean(NULL);
}

static struct slot_erase place(unsigned i, uint32_t index)
{
	struct slot_erase e = { .controller = "acme", .day = DAY, .index = index };
	struct store_call_meta m;

	meta_of(i, &m);
	e.uid = m.uid;
	return e;
}

static const struct slot_erase *of(const struct slot_erase *v, size_t n, uint32_t index)
{
	for (size_t i = 0; i < n; i++)
		if (v[i].index == index)
			return &v[i];
	return NULL;
}

static void test_erase_many(void **state)
{
	struct store *st = open_store(STORE_RW);
	struct root r = open_root();
	struct slot_erase v[10];
	struct store_reader *rd;
	struct store_call_meta m;
	struct slot s, s5;

	(void)state;
	for (unsigned i = 0; i < 8; i++)
		write_call(st, i, 1); /* call i in slot i + 1 */
	ok(st, store_sync(st));
	assert_int_equal(slot_read(&r, "acme", 0, DAY, 6, &s5, &why), 0);
	v[0] = place(5, 6);
	v[1] = place(0, 1);
	v[2] = place(3, 3); /* that is call 2's, and call 3 is found where it is */
	v[3] = place(7, 100); /* nobody's: the same */
	v[4] = place(4, 0); /* the head: the same */
	v[5] = place(6, 7);
	v[5].day = DAY + 1; /* no such file */
	v[6] = place(1, 2);
	poke("slots", 2 * 256 + 200, "X", 1); /* damaged, and still call 1's */
	v[7] = place(20, 5); /* has no slot, and that is another's */
	v[8] = place(21, 101);
	v[9] = place(22, 9);
	assert_int_equal(slots_erase_many(&r, v, 10, &why), 0);
	assert_int_equal(of(v, 10, 6)->result, 0);
	assert_int_equal(of(v, 10, 1)->result, 0);
	assert_int_equal(of(v, 10, 2)->result, 0);
	assert_int_equal(of(v, 10, 3)->result, 0);
	assert_int_equal(of(v, 10, 100)->result, 0);
	assert_int_equal(of(v, 10, 0)->result, 0);
	assert_int_equal(of(v, 10, 7)->result, -ENOENT);
	assert_int_equal(of(v, 10, 5)->result, -ESTALE);
	assert_int_equal(of(v, 10, 101)->result, -ENOENT);
	assert_int_equal(of(v, 10, 9)->result, -ENOENT);
	nowhere(s5.wrap, sizeof(s5.wrap));
	for (unsigned i = 0; i < 8; i++) {
		bool gone = i != 2 && i != 6;

		meta_of(i, &m);
		assert_int_equal(slot_read(&r, "acme", 0, DAY, i + 1, &s, &why), 0);
		assert_int_equal(s.empty, gone);
		if (gone)
			assert_int_equal(store_read_open(st, &m.uid, STORE_DOCUMENTATION, keys_dir, &rd), -ESHUTDOWN);
		else
			assert_int_equal(read_call(st, i, 1), 0);
	}
	v[0] = place(5, 6);
	assert_int_equal(slots_erase_many(&r, v, 1, &why), 0);
	assert_int_equal(v[0].result, 1);
	/* the recorder goes on behind the last, never in a hole */
	write_call(st, 9, 1);
	ok(st, store_sync(st));
	assert_int_equal(read_call(st, 9, 1), 0);
	assert_int_equal(slot_read(&r, "acme", 0, DAY, 9, &s, &why), 0);
	assert_false(s.empty);
	store_close(st);
	root_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_slot_key),
		cmocka_unit_test_setup_teardown(test_destroy, make_store, drop_store),
		cmocka_unit_test_setup_teardown(test_destroy_in_call, make_store, drop_store),
		cmocka_unit_test_setup_teardown(test_locks, make_store, drop_store),
		cmocka_unit_test_setup_teardown(test_destroy_damaged, make_store, drop_store),
		cmocka_unit_test_setup_teardown(test_erase_many, make_store, drop_store),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
