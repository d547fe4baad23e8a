/* SPDX-License-Identifier: BSD-2-Clause */
/* A day that is written to is not taken away, and one that is being taken away is not begun. */
#include "store_util.h"

#include "store/daylock.h"
#include "store/writer.h"

#define DAY 20270228u

static struct root root;
static struct why why;

static int setup(void **state)
{
	return make_store(state) || root_open(store_dir, &root, &why);
}

static int teardown(void **state)
{
	root_close(&root);
	return drop_store(state);
}

static void test_share_and_take(void **state)
{
	int a, b, c;

	(void)state;
	assert_int_equal(daylock_share(&root, "c", DAY, &a, &why), 0);
	assert_int_equal(daylock_share(&root, "c", DAY, &b, &why), 0); /* any number of files */
	assert_int_equal(daylock_take(&root, "c", DAY, &c, &why), -EWOULDBLOCK);
	close(a);
	assert_int_equal(daylock_take(&root, "c", DAY, &c, &why), -EWOULDBLOCK);
	close(b);
	assert_int_equal(daylock_take(&root, "c", DAY, &c, &why), 0);
	assert_int_equal(daylock_share(&root, "c", DAY, &a, &why), -ESHUTDOWN);
	assert_int_equal(daylock_share(&root, "other", DAY, &a, &why), 0);
	close(a);
	/* Removed while it is held: who comes then gets a new directory, not the old one's lock. */
	assert_int_equal(unlinkat(root.fd, "segments/c/2027-02-28", AT_REMOVEDIR), 0);
	assert_int_equal(daylock_share(&root, "c", DAY, &a, &why), 0);
	close(c);
	assert_int_equal(daylock_take(&root, "c", DAY, &c, &why), -EWOULDBLOCK);
	close(a);
}

/* What the writer has open it holds. */
static void test_writer(void **state)
{
	uint8_t chunk[4096] = { 0 };
	struct writer_ring *ring;
	struct writer *w;
	struct extent e;
	int fd;

	(void)state;
	assert_int_equal(writer_ring_new(&ring), 0);
	assert_int_equal(writer_new(&root, ring, &w, &why), 0);
	assert_int_equal(writer_append(w, "c", DAY, chunk, sizeof(chunk), &e, &why), 0);
	assert_int_equal(daylock_take(&root, "c", DAY, &fd, &why), -EWOULDBLOCK);
	writer_free(w);
	assert_int_equal(daylock_take(&root, "c", DAY, &fd, &why), 0);
	assert_int_equal(writer_new(&root, ring, &w, &why), 0);
	assert_int_equal(writer_append(w, "c", DAY, chunk, sizeof(chunk), &e, &why), -ESHUTDOWN);
	close(fd);
	assert_int_equal(writer_append(w, "c", DAY, chunk, sizeof(chunk), &e, &why), 0);
	writer_free(w);
	writer_ring_free(ring);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_share_and_take, setup, teardown),
		cmocka_unit_test_setup_teardown(test_writer, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
