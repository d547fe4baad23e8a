/* SPDX-License-Identifier: BSD-2-Clause */
/* Numbers to be rung back without a recording: once, until then, across restarts, whatever the file holds. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <sodium.h>

#include "base/clock.h"
#include "base/le.h"
#include "callback.h"

#define T0 (1700000000 * NS_PER_S)
#define N1 "+4520202020"
#define N2 "+4520202021"

static char dir[] = "/tmp/optag-callback.XXXXXX", path[64];

static int setup(void **state)
{
	char key[80];
	int fd;

	(void)state;
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/callback", dir);
	snprintf(key, sizeof(key), "%s/number.key", dir);
	fd = open(key, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, "0123456789abcdef0123456789abcdef", 32) != 32)
		return -1;
	clock_set_ns(T0);
	return close(fd);
}

static int teardown(void **state)
{
	char cmd[80];

	(void)state;
	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	return system(cmd);
}

static struct callbacks *open_it(void)
{
	struct callbacks *cb = NULL;
	char why[256] = "";

	assert_int_equal(callbacks_open(dir, &cb, why, sizeof(why)), 0);
	return cb;
}

static size_t entries(struct callbacks *cb)
{
	struct callbacks_figures f;

	callbacks_figures(cb, &f);
	return f.entries;
}

static void test_once(void **state)
{
	struct callbacks *cb;

	(void)state;
	unlink(path);
	cb = open_it();
	assert_false(callbacks_has(cb, "c", N1, T0));
	assert_int_equal(callbacks_add(cb, "c", N1, T0 + 100 * NS_PER_S), 0);
	assert_int_equal(callbacks_add(cb, "c", "", T0 + 100 * NS_PER_S), 0); /* withheld: nobody to ring */
	for (int i = 0; i < 2; i++) { /* and after a restart */
		assert_int_equal(entries(cb), 1);
		assert_true(callbacks_has(cb, "c", N1, T0 + 99 * NS_PER_S));
		assert_false(callbacks_has(cb, "c", N1, T0 + 100 * NS_PER_S));
		assert_false(callbacks_has(cb, "c", N2, T0));
		assert_false(callbacks_has(cb, "k", N1, T0)); /* another controller's business */
		callbacks_close(cb);
		cb = open_it();
	}
	/* twice is once, for the longer time */
	assert_int_equal(callbacks_add(cb, "c", N1, T0 + 50 * NS_PER_S), 0);
	assert_true(callbacks_has(cb, "c", N1, T0 + 99 * NS_PER_S));
	assert_int_equal(callbacks_used(cb, "c", N1), 0);
	assert_int_equal(callbacks_used(cb, "c", N1), -ENOENT);
	assert_false(callbacks_has(cb, "c", N1, T0));
	callbacks_close(cb);
	cb = open_it();
	assert_int_equal(entries(cb), 0);
	callbacks_close(cb);
}

/* No number in the file, nobody else may read it, and it does not grow for ever. */
static void test_file(void **state)
{
	struct callbacks *cb;
	struct stat st;
	char text[4096];
	FILE *f;
	size_t n;

	(void)state;
	unlink(path);
	cb = open_it();
	assert_int_equal(callbacks_add(cb, "c", N1, T0 + 100 * NS_PER_S), 0);
	f = fopen(path, "r");
	n = fread(text, 1, sizeof(text), f);
	fclose(f);
	assert_int_equal(n, 16 + CALLBACK_RECORD);
	assert_null(memmem(text, n, "202020", 6));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	for (int i = 0; i < 3000; i++) {
		assert_int_equal(callbacks_add(cb, "c", N2, T0 + 100 * NS_PER_S), 0);
		assert_int_equal(callbacks_used(cb, "c", N2), 0);
	}
	assert_int_equal(stat(path, &st), 0);
	assert_true(st.st_size <= 16 + CALLBACK_RECORD * 1100);
	assert_true(callbacks_has(cb, "c", N1, T0));
	callbacks_close(cb);
}

/* Cut at every byte, and each byte changed: what lies before is there, nothing else is. */
static void test_damage(void **state)
{
	uint8_t whole[16 + 3 * CALLBACK_RECORD];
	struct callbacks *cb;
	FILE *f;

	(void)state;
	unlink(path);
	cb = open_it();
	assert_int_equal(callbacks_add(cb, "c", N1, T0 + 100 * NS_PER_S), 0);
	assert_int_equal(callbacks_add(cb, "c", N2, T0 + 100 * NS_PER_S), 0);
	assert_int_equal(callbacks_add(cb, "k", N2, T0 + 100 * NS_PER_S), 0);
	callbacks_close(cb);
	f = fopen(path, "r");
	assert_int_equal(fread(whole, 1, sizeof(whole), f), sizeof(whole));
	fclose(f);
	for (size_t i = 0; i < 2 * sizeof(whole); i++) {
		bool cut = i < sizeof(whole);
		size_t at = i % sizeof(whole), want = at < 16 ? 0 : (at - 16) / CALLBACK_RECORD;
		uint8_t b[sizeof(whole)];
		struct callbacks_figures g;

		memcpy(b, whole, sizeof(b));
		b[at] ^= !cut;
		f = fopen(path, "w");
		fwrite(b, 1, cut ? at : sizeof(b), f);
		fclose(f);
		cb = open_it();
		callbacks_figures(cb, &g);
		assert_int_equal(g.entries, want);
		assert_int_equal(callbacks_add(cb, "k", N1, T0 + 100 * NS_PER_S), 0); /* it goes on behind what is whole */
		callbacks_close(cb);
		cb = open_it();
		assert_int_equal(entries(cb), want + 1);
		callbacks_close(cb);
	}
}

/* FORMAT.md section 12, written by hand: as many syncs as callbacks_add needs would take minutes. */
static void put(FILE *f, const char *number, unsigned i, uint64_t until_s)
{
	static const uint8_t key[32] = "0123456789abcdef0123456789abcdef";
	crypto_generichash_state st;
	uint8_t r[CALLBACK_RECORD], h[16];
	char who[32];

	snprintf(who, sizeof(who), "%s", number);
	if (!number[0])
		snprintf(who, sizeof(who), "+46%08u", i);
	crypto_generichash_init(&st, key, sizeof(key), 16);
	crypto_generichash_update(&st, (const uint8_t *)"c", 2);
	crypto_generichash_update(&st, (const uint8_t *)who, strlen(who));
	crypto_generichash_final(&st, r, 16);
	le64enc(r + 16, until_s);
	crypto_generichash(h, sizeof(h), r, 24, key, sizeof(key));
	memcpy(r + 24, h, 8);
	fwrite(r, 1, sizeof(r), f);
}

/* CALLBACKS_MAX are there: for one more, that goes which would end soonest, after a restart as before it. */
static void test_full(void **state)
{
	static const uint8_t head[16] = { 'O', 'P', 'T', 'A', 'G', 'C', 'B', 'K', 1 };
	struct callbacks *cb;
	struct callbacks_figures g;
	char why[256];
	uint8_t *p;
	FILE *f;
	size_t n;

	(void)state;
	f = fopen(path, "w");
	fwrite(head, 1, sizeof(head), f);
	for (unsigned i = 0; i + 2 < CALLBACKS_MAX; i++)
		put(f, "", i, T0 / NS_PER_S + 1000 + i);
	put(f, N1, 0, T0 / NS_PER_S + 500);
	put(f, N2, 0, T0 / NS_PER_S + 600);
	fclose(f);
	cb = open_it();
	callbacks_figures(cb, &g);
	assert_int_equal(g.entries, CALLBACKS_MAX);
	assert_int_equal(g.damaged, 0);
	assert_int_equal(g.pushed_out, 0);
	assert_true(callbacks_has(cb, "c", N1, T0) && callbacks_has(cb, "c", N2, T0) && callbacks_has(cb, "c", "+4600000007", T0));
	/* one that is there already needs no room */
	assert_int_equal(callbacks_add(cb, "c", N2, T0 + 700 * NS_PER_S), 0);
	assert_int_equal(callbacks_add(cb, "c", "+4520202022", T0 + 5000 * NS_PER_S), 0);
	callbacks_figures(cb, &g);
	assert_int_equal(g.entries, CALLBACKS_MAX);
	assert_int_equal(g.pushed_out, 1);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(entries(cb), CALLBACKS_MAX);
		assert_false(callbacks_has(cb, "c", N1, T0));
		assert_true(callbacks_has(cb, "c", N2, T0 + 650 * NS_PER_S));
		assert_true(callbacks_has(cb, "c", "+4520202022", T0));
		callbacks_close(cb);
		cb = open_it();
	}
	/* where one was used up there is room again */
	assert_int_equal(callbacks_used(cb, "c", "+4600000007"), 0);
	assert_int_equal(callbacks_add(cb, "c", N1, T0 + 100 * NS_PER_S), 0);
	callbacks_figures(cb, &g);
	assert_int_equal(g.entries, CALLBACKS_MAX);
	assert_int_equal(g.pushed_out, 0);
	assert_true(callbacks_has(cb, "c", N1, T0));
	callbacks_close(cb);
	/* longer than any file of ours */
	f = fopen(path, "w");
	n = 16 + (size_t)CALLBACK_RECORD * 4 * CALLBACKS_MAX + 1;
	p = calloc(1, n);
	fwrite(p, 1, n, f);
	fclose(f);
	free(p);
	cb = NULL;
	assert_int_equal(callbacks_open(dir, &cb, why, sizeof(why)), -EFBIG);
	assert_null(cb);
	unlink(path);
}

static void *sync_it(void *arg)
{
	for (int i = 0; i < 200; i++)
		if (callbacks_sync(arg))
			return arg;
	return NULL;
}

/* Live: what is added is in the file at once, as a kill -9 would leave it, beside another thread that syncs and writes anew. */
static void test_live(void **state)
{
	struct callbacks *cb, *left;
	char number[32];
	pthread_t t;
	struct stat sb;
	void *failed;

	(void)state;
	(void)unlink(path);
	cb = open_it();
	callbacks_live(cb);
	assert_int_equal(callbacks_sync(cb), 0);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(callbacks_add(cb, "c", N1, T0 + 100 * NS_PER_S), 0);
	assert_int_equal(stat(path, &sb), 0);
	assert_int_equal(sb.st_size, 16 + CALLBACK_RECORD);
	assert_int_equal(pthread_create(&t, NULL, sync_it, cb), 0);
	for (int i = 0; i < 5000; i++) {
		snprintf(number, sizeof(number), "+45%08d", i % 100);
		assert_int_equal(callbacks_add(cb, "c", number, T0 + 100 * NS_PER_S), 0);
		if (i < 4900)
			assert_int_equal(callbacks_used(cb, "c", number), 0);
	}
	assert_int_equal(pthread_join(t, &failed), 0);
	assert_null(failed);
	assert_int_equal(callbacks_sync(cb), 0);
	assert_int_equal(entries(cb), 101);
	assert_int_equal(callbacks_used(cb, "c", N1), 0);
	left = open_it(); /* beside it: as after a kill */
	assert_int_equal(entries(left), 100);
	assert_false(callbacks_has(left, "c", N1, T0));
	assert_true(callbacks_has(left, "c", number, T0));
	callbacks_close(left);
	callbacks_close(cb);
	assert_int_equal(stat(path, &sb), 0);
	assert_int_equal(sb.st_size, 16 + 100 * CALLBACK_RECORD); /* history goes */
	(void)unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_once),
		cmocka_unit_test(test_file),
		cmocka_unit_test(test_damage),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_live),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
