/* SPDX-License-Identifier: BSD-2-Clause */
/* test_keep.c - records that outlive the process: whatever instant it dies at, whole or absent */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/keep.h"

#define BLOCKS 66
#define IDS    8

static _Alignas(8) uint8_t mem[BLOCKS * KEEP_BLOCK];

/* Content that tells number, length and version, so that a mix of two is seen. */
static void fill(uint8_t *p, size_t n, uint32_t id, uint32_t version)
{
	size_t i;

	for (i = 0; i < n; i++)
		p[i] = (uint8_t)(id * 31 + version * 7 + i / 8);
	if (n >= 8) {
		memcpy(p, &id, 4);
		memcpy(p + 4, &version, 4);
	}
}

struct seen {
	unsigned n[IDS];
	uint32_t version[IDS];
	size_t len[IDS];
};

static int check(void *arg, uint32_t id, const void *p, size_t n)
{
	struct seen *s = arg;
	uint8_t want[KEEP_MAX];

	assert_true(id < IDS);
	s->n[id]++;
	s->len[id] = n;
	if (n >= 8)
		memcpy(&s->version[id], (const uint8_t *)p + 4, 4);
	fill(want, n, id, s->version[id]);
	if (n)
		assert_memory_equal(p, want, n);
	return 0;
}

static void put(struct keep *k, uint32_t id, size_t n, uint32_t version, int want)
{
	uint8_t p[KEEP_MAX + 1];

	fill(p, n, id, version);
	assert_int_equal(keep_put(k, id, p, n), want);
}

static void test_put_del(void **state)
{
	struct keep_figures f;
	struct seen s = { 0 };
	struct keep *k;

	(void)state;
	memset(mem, 0, sizeof(mem));
	assert_int_equal(keep_new(mem, KEEP_BLOCK - 1, &k), -EINVAL);
	assert_int_equal(keep_new(mem, sizeof(mem), &k), 0);
	put(k, 1, 100, 1, 0);
	put(k, 2, 3000, 1, 0);
	put(k, 3, 0, 0, 0);
	put(k, 1, 2000, 2, 0);
	put(k, 4, KEEP_MAX, 9, 0);
	put(k, 5, KEEP_MAX + 1, 1, -EMSGSIZE);
	keep_del(k, 2);
	keep_del(k, 7);
	assert_int_equal(keep_each(k, check, &s), 0);
	assert_int_equal(s.n[1], 1);
	assert_int_equal(s.version[1], 2);
	assert_int_equal(s.n[2], 0);
	assert_int_equal(s.n[3], 1);
	assert_int_equal(s.len[4], KEEP_MAX);
	keep_figures(k, &f);
	assert_int_equal(f.records, 3);
	assert_int_equal(f.failed, 1);
	keep_free(k);
	/* another process: all of it is there */
	memset(&s, 0, sizeof(s));
	assert_int_equal(keep_new(mem, sizeof(mem), &k), 0);
	assert_int_equal(keep_each(k, check, &s), 0);
	assert_int_equal(s.version[1], 2);
	assert_int_equal(s.len[4], KEEP_MAX);
	keep_figures(k, &f);
	assert_int_equal(f.records, 3);
	assert_int_equal(f.torn, 0);
	keep_clear(k);
	keep_figures(k, &f);
	assert_int_equal(f.used, 0);
	keep_free(k);
	for (size_t i = 0; i < sizeof(mem); i++)
		assert_int_equal(mem[i], 0); /* records hold keys */
}

static void test_full(void **state)
{
	struct seen s = { 0 };
	struct keep *k;
	uint32_t i;

	(void)state;
	memset(mem, 0, sizeof(mem));
	assert_int_equal(keep_new(mem, sizeof(mem), &k), 0);
	for (i = 0; i < 4; i++)
		put(k, i, 15 * 480, 1, 0);
	/* no room for the new one beside the old one: then none */
	put(k, 0, 15 * 480, 2, -ENOSPC);
	assert_int_equal(keep_each(k, check, &s), 0);
	assert_int_equal(s.n[0], 0);
	assert_int_equal(s.n[1], 1);
	put(k, 0, 15 * 480, 3, 0);
	keep_free(k);
}

static int check_held(void *arg, uint32_t id, const void *p, size_t n)
{
	unsigned *held = arg;

	if (id >= KEEP_HELD) {
		assert_int_equal(n, 4);
		held[id - KEEP_HELD] = *(const uint8_t *)p;
	}
	return 0;
}

/* Two blocks are not for everybody, so that what all depends on can be written, and written again, where nothing else fits. */
static void test_held(void **state)
{
	unsigned held[2] = { 0 };
	struct keep_figures f;
	struct keep *k;
	uint32_t i;

	(void)state;
	memset(mem, 0, sizeof(mem));
	assert_int_equal(keep_new(mem, sizeof(mem), &k), 0);
	assert_int_equal(keep_put(k, UINT32_MAX, "\1xyz", 4), 0);
	for (i = 0; keep_put(k, i, "abcd", 4) == 0; i++)
		;
	assert_int_equal(i, BLOCKS - 3);
	assert_int_equal(keep_put(k, 0, "abcd", 4), -ENOSPC); /* there is none then */
	put(k, 0, 8, 1, 0);
	assert_int_equal(keep_put(k, KEEP_HELD, "\1xyz", 4), 0);
	for (i = 2; i < 10; i++) {
		uint8_t p[4] = { (uint8_t)i };

		assert_int_equal(keep_put(k, UINT32_MAX, p, 4), 0);
		assert_int_equal(keep_put(k, KEEP_HELD, p, 4), 0);
	}
	assert_int_equal(keep_put(k, UINT32_MAX, mem, KEEP_BLOCK), -ENOSPC); /* two blocks: it stays as it was */
	keep_free(k);
	assert_int_equal(keep_new(mem, sizeof(mem), &k), 0);
	assert_int_equal(keep_each(k, check_held, held), 0);
	assert_true(held[0] == 9 && held[1] == 9);
	keep_figures(k, &f);
	assert_int_equal(f.used, BLOCKS - 1);
	keep_free(k);
}

/* A child writes as fast as it can and is killed at some instant, over and over. */
static void test_kill(void **state)
{
	uint8_t *m = mmap(NULL, sizeof(mem), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	volatile uint32_t *done = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	unsigned round;

	(void)state;
	assert_true(m != MAP_FAILED && done != MAP_FAILED);
	for (round = 0; round < 60; round++) {
		uint32_t before[IDS];
		struct seen s = { 0 };
		struct keep *k;
		pid_t pid = fork();
		int i;

		if (pid == 0) {
			unsigned seed = round;
			uint8_t p[4000];

			if (keep_new(m, sizeof(mem), &k))
				_exit(1);
			for (;;) {
				uint32_t id = (uint32_t)rand_r(&seed) % IDS, v = done[id] + 1;
				size_t n = 8 + (size_t)rand_r(&seed) % 3000;

				fill(p, n, id, v);
				if (keep_put(k, id, p, n))
					_exit(2);
				done[id] = v;
			}
		}
		assert_true(pid > 0);
		usleep(300 + round * 97);
		assert_int_equal(kill(pid, SIGKILL), 0);
		assert_int_equal(waitpid(pid, &i, 0), pid);
		assert_true(WIFSIGNALED(i));
		for (i = 0; i < IDS; i++)
			before[i] = done[i];
		assert_int_equal(keep_new(m, sizeof(mem), &k), 0);
		assert_int_equal(keep_each(k, check, &s), 0);
		for (i = 0; i < IDS; i++) {
			/* what was put is there, or the next one if the child died before it said so */
			assert_int_equal(s.n[i], before[i] ? 1 : s.n[i]);
			if (s.n[i])
				assert_true(s.version[i] == before[i] || s.version[i] == before[i] + 1);
			done[i] = s.n[i] ? s.version[i] : 0;
		}
		keep_free(k);
	}
	munmap(m, sizeof(mem));
	munmap((void *)(uintptr_t)done, 4096);
}

static int count(void *arg, uint32_t id, const void *p, size_t n)
{
	(void)id;
	(void)p;
	assert_true(n <= KEEP_MAX);
	++*(unsigned *)arg;
	return 0;
}

/* Memory that was written over anyhow: fewer records, never a bad one, and usable afterwards. */
static void test_damage(void **state)
{
	unsigned round, seed = 7;

	(void)state;
	for (round = 0; round < 2000; round++) {
		struct keep_figures f;
		unsigned n = 0, i;
		struct keep *k;

		memset(mem, 0, sizeof(mem));
		assert_int_equal(keep_new(mem, sizeof(mem), &k), 0);
		for (i = 0; i < IDS; i++)
			put(k, i, 8 + (size_t)rand_r(&seed) % 2500, i, 0);
		keep_free(k);
		for (i = (unsigned)rand_r(&seed) % 20 + 1; i-- > 0;)
			mem[(size_t)rand_r(&seed) % sizeof(mem)] ^= (uint8_t)(1 + rand_r(&seed) % 255);
		if (round % 3 == 0) /* one block twice */
			memcpy(mem + (size_t)(rand_r(&seed) % BLOCKS) * KEEP_BLOCK,
			       mem + (size_t)(rand_r(&seed) % BLOCKS) * KEEP_BLOCK, KEEP_BLOCK);
		assert_int_equal(keep_new(mem, sizeof(mem), &k), 0);
		assert_int_equal(keep_each(k, count, &n), 0);
		keep_figures(k, &f);
		assert_int_equal(f.records, n);
		assert_true(n <= IDS);
		keep_clear(k);
		keep_figures(k, &f);
		assert_int_equal(f.used, 0);
		put(k, 1, KEEP_MAX, 5, 0);
		keep_free(k);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_put_del),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_held),
		cmocka_unit_test(test_kill),
		cmocka_unit_test(test_damage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
