/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_store_err.c - memory, disk and system calls that fail, every one in turn
 *
 * Linked with --wrap (see the Makefile). Whatever fails: no crash, an error
 * with a reason, calls that a successful store_sync covered are whole, and
 * fsck finds nothing. Full disks are small tmpfs, where we may mount one.
 */
#include <sched.h>
#include <sys/mount.h>

#include "faults.h"
#include "store_util.h"

/* ---- the scene ---- */

struct scene {
	struct chunk *c;
	bool acked[200]; /* call i was ended, and a later sync said yes */
	bool ended[200];
	int err;
	char why[512];
};

/* Training is granted, committed, taken back and given again while documentation goes on: it has chunk 4 and 5. */
static int change(struct store_call *sc, unsigned n)
{
	int rc = 0;

	if (n == 3)
		rc = store_call_drop(sc, STORE_TRAINING);
	if (!rc && (n == 2 || n == 4))
		rc = store_call_part(sc, 3, T0 + n);
	if (!rc && n == 2)
		rc = store_call_commit(sc, STORE_TRAINING);
	store_call_enter(sc, 0);
	store_call_enter(sc, 1);
	return rc;
}

static unsigned read_training(struct store *st, unsigned i)
{
	struct store_call_meta m;
	struct store_reader *r;
	const struct chunk *c;
	unsigned leg, set = 0;

	meta_of(i, &m);
	ok(st, store_read_open(st, &m.uid, STORE_TRAINING, keys_dir, &r));
	while (store_read_next(r, &leg, &c) == 1)
		set |= 1u << ((unsigned)((c->pkt[0].seq - 65500) / 100) * 2 + leg);
	store_read_close(r);
	return set;
}

static int write_one(struct store *st, struct scene *s, unsigned i, unsigned chunks)
{
	struct store_call_result r;
	struct store_call_meta m;
	struct store_call *sc;
	int rc;

	meta_of(i, &m);
	m.until_ns[0] += i % 2 * 86400 * NS_PER_S; /* two days: two segments, two catalogs */
	m.until_ns[1] = i % 2 ? m.until_ns[0] : 0;
	result_of(i, &r);
	rc = store_call_begin(st, &m, &sc);
	if (rc)
		return rc;
	r.state[1] = i % 2 ? STORE_S_GRANTED : STORE_S_NONE;
	for (unsigned n = 0; !rc && n < chunks * 2; n++) {
		if (i % 2)
			rc = change(sc, n);
		if (rc)
			break;
		chunk_of(s->c, i, n % 2, n / 2);
		rc = store_call_append(sc, n % 2, s->c);
	}
	if (!rc && i % 2)
		rc = store_call_commit(sc, STORE_TRAINING);
	if (rc) {
		store_call_abort(sc);
		return rc;
	}
	return store_call_end(sc, &r);
}

static int sync_all(struct store *st, struct scene *s)
{
	int rc = store_sync(st);

	for (unsigned i = 0; !rc && i < 200; i++)
		s->acked[i] = s->ended[i];
	return rc;
}

static void play(struct scene *s, unsigned first)
{
	struct store *st = NULL;
	int rc = store_open(store_dir, STORE_RW, &st, s->why, sizeof(s->why));

	s->err = 0;
	if (rc) {
		s->err = rc;
		return;
	}
	for (unsigned i = first; i < first + 6; i++) {
		rc = write_one(st, s, i, 3);
		if (!rc)
			s->ended[i] = true;
		if (!rc && i % 3 == 2)
			rc = sync_all(st, s);
		if (rc && !s->err) {
			s->err = rc;
			snprintf(s->why, sizeof(s->why), "%s", store_why(st));
		}
	}
	(void)sync_all(st, s); /* may fail as well; then those calls are not counted on */
	store_close(st);
}

static void check_scene(struct scene *s, unsigned n)
{
	struct store *st;

	fsck_clean(NULL);
	st = open_store(STORE_RW); /* recovers */
	for (unsigned i = 0; i < n; i++)
		if (s->acked[i])
			assert_int_equal(read_call(st, i, 3), 0);
	for (unsigned i = 1; i < n; i += 2)
		if (s->acked[i])
			assert_int_equal(read_training(st, i), 0x30);
	store_close(st);
	fsck_clean(NULL);
}

/* The Nth call of a kind fails (and, with all, every later one), for every N. */
static void run_fault(enum fault f, int err, bool all)
{
	struct scene s;
	unsigned fired = 0;
	int n;

	for (n = 1; n < 600; n++) {
		void *none = NULL;

		s = (struct scene){ .c = chunk_new() };
		assert_int_equal(make_store(&none), 0);
		fail_nth(f, n, err, all);
		play(&s, 0);
		fail_none();
		fired += happened;
		if (f == F_SUBMIT)
			assert_false(s.err); /* written plainly then */
		else if (happened && !s.err && f == F_FALLOCATE)
			; /* a smaller step was enough, or the reserve could not be had */
		else if (s.err)
			assert_true(happened && s.why[0]);
		check_scene(&s, 6);
		chunk_free(s.c);
		drop_store(&none);
		if (!happened)
			break;
	}
	assert_true(fired >= 3);
	assert_true(n < 600); /* so every one was tried */
}

static void test_memory(void **state)
{
	(void)state;
	run_fault(F_MALLOC, ENOMEM, false);
}

static void test_no_space(void **state)
{
	(void)state;
	run_fault(F_FALLOCATE, ENOSPC, true);
}

static void test_fsync(void **state)
{
	(void)state;
	run_fault(F_FSYNC, EIO, false);
}

static void test_pwrite(void **state)
{
	(void)state;
	run_fault(F_PWRITE, ENOSPC, false);
	run_fault(F_PWRITE, EIO, true);
}

static void test_rename(void **state)
{
	(void)state;
	run_fault(F_RENAME, EIO, false);
}

static void test_uring(void **state)
{
	(void)state;
	run_fault(F_URING, EIO, false);
	run_fault(F_URING, EIO, true);
	run_fault(F_SUBMIT, EBUSY, false);
	run_fault(F_SUBMIT, EAGAIN, true);
}

/* With threads a slot that cannot be overwritten is tried again until it is. */
static void test_unerased(void **state)
{
	struct store *st = open_store(STORE_RW);
	struct store_threads_settings set;
	struct store_figures f;
	struct store_call_meta m;
	struct store_call *sc;
	struct store_fsck_report rep;

	(void)state;
	store_threads_default(&set);
	set.sync_ns = 0;
	ok(st, store_threads(st, &set));
	meta_of(1, &m);
	ok(st, store_call_begin(st, &m, &sc));
	ok(st, store_sync(st));
	fail_nth(F_PWRITE, 1, EIO, true);
	ok(st, store_call_drop(sc, STORE_DOCUMENTATION));
	store_figures(st, &f);
	assert_int_equal(f.unerased, 1);
	fail_none();
	do {
		usleep(10000);
		store_figures(st, &f);
	} while (f.unerased);
	store_call_abort(sc);
	store_close(st);
	fsck_clean(&rep);
	assert_int_equal(rep.slots, 0);
}

/* ---- really full ---- */

static void fill_disk(unsigned kib, unsigned *ret_acked)
{
	struct scene s = { .c = chunk_new() };
	char why[512] = "";
	struct store *st;
	unsigned i;
	int rc;

	shell("mkdir -p %s/small && mount -t tmpfs -o size=%uk none %s/small", base_dir, kib, base_dir);
	snprintf(store_dir, sizeof(store_dir), "%.150s/small/store", base_dir);
	rc = store_create(store_dir, keys_dir, NULL, "acme", why, sizeof(why));
	if (!rc)
		rc = store_open(store_dir, STORE_RW, &st, why, sizeof(why));
	*ret_acked = 0;
	if (rc) { /* not even room for an empty one: nothing is left of it */
		assert_int_equal(rc, -ENOSPC);
		assert_true(strstr(why, "space") || strstr(why, "full"));
		goto out;
	}
	for (i = 0; i < 200 && !rc; i++) {
		rc = write_one(st, &s, i, 3);
		s.ended[i] = !rc;
	}
	assert_int_equal(rc, -ENOSPC);
	if (!(strstr(store_why(st), "space") || strstr(store_why(st), "full")))
		fail_msg("%u KiB: %s", kib, store_why(st));
	assert_int_equal(write_one(st, &s, i, 1), -ENOSPC); /* broken until opened again */
	ok(st, sync_all(st, &s)); /* what was complete is kept, full disk or not */
	store_close(st);
	st = open_store(STORE_RO);
	for (i = 0; i < 200; i++) {
		if (s.acked[i]) {
			assert_int_equal(read_call(st, i, 3), 0);
			++*ret_acked;
		}
	}
	store_close(st);
	fsck_clean(NULL);
out:
	chunk_free(s.c);
	shell("umount %s/small && rm -rf %s/acme", base_dir, keys_dir);
}

static void test_full_disk(void **state)
{
	static const unsigned sizes[] = { 64, 128, 256, 512, 1024, 2048, 4096, 9000 };
	unsigned acked = 0;

	(void)state;
	if (geteuid() || unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL)) {
		print_message("SKIP: full disk: mounting a tmpfs needs root\n");
		skip();
	}
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++)
		fill_disk(sizes[i], &acked);
	assert_true(acked > 40); /* 9 MB hold about 60 of these calls */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_memory), cmocka_unit_test(test_no_space), cmocka_unit_test(test_fsync),
		cmocka_unit_test(test_pwrite), cmocka_unit_test(test_rename),	cmocka_unit_test(test_uring),
		cmocka_unit_test_setup_teardown(test_unerased, make_store, drop_store),
		cmocka_unit_test_setup_teardown(test_full_disk, make_store, drop_store),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
