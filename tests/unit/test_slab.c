/* SPDX-License-Identifier: BSD-2-Clause */
/* Blocks of every size taken and given back at random: none overlaps another, what comes back is wiped, areas go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/slab.h"

#define BLOCKS 6000
#define STEPS  200000

struct block {
	uint8_t *p;
	size_t n;
	uint8_t mark;
};

static uint64_t seed = 42;

static uint64_t dice(uint64_t n)
{
	seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (seed >> 33) % n;
}

static void check(const struct block *b)
{
	assert_int_equal(b->p[0], b->mark);
	assert_int_equal(b->p[b->n / 2], b->mark);
	assert_int_equal(b->p[b->n - 1], b->mark);
}

static void test_random(void **state)
{
	static struct block block[BLOCKS];
	struct slab_figures f;
	uint64_t bytes = 0;
	struct slab *s;

	(void)state;
	assert_int_equal(slab_new(&s), 0);
	for (int i = 0; i < STEPS; i++) {
		struct block *b = &block[dice(BLOCKS)];

		if (b->p) {
			check(b);
			slab_put(s, b->p, b->n);
			bytes -= slab_size(b->n);
			b->p = NULL;
		} else {
			b->n = 1 + dice(dice(4) ? 4096 : SLAB_MAX);
			b->p = slab_get(s, b->n);
			assert_non_null(b->p);
			assert_int_equal((uintptr_t)b->p % slab_size(b->n), 0);
			b->mark = (uint8_t)dice(256);
			memset(b->p, b->mark, b->n);
			bytes += slab_size(b->n);
		}
		slab_figures(s, &f);
		assert_int_equal(f.bytes, bytes);
	}
	for (int i = 0; i < BLOCKS; i++) {
		if (block[i].p)
			check(&block[i]);
		slab_put(s, block[i].p, block[i].n);
		block[i].p = NULL;
	}
	slab_figures(s, &f);
	assert_int_equal(f.bytes, 0);
	assert_in_range(f.areas, 1, 9); /* an empty one of each size stays */
	slab_free(s);
}

static void test_wiped(void **state)
{
	struct slab *s;
	uint8_t *p, *q;

	(void)state;
	assert_int_equal(slab_new(&s), 0);
	p = slab_get(s, 5000);
	memset(p, 0xa5, 5000);
	slab_put(s, p, 5000);
	q = slab_get(s, 8192);
	assert_ptr_equal(p, q);
	for (int i = 0; i < 8192; i++)
		assert_int_equal(q[i], 0);
	slab_put(s, q, 8192);
	slab_put(s, NULL, 7);
	assert_null(slab_get(s, SLAB_MAX + 1));
	slab_free(s);
	slab_free(NULL);
}

static void test_sizes(void **state)
{
	(void)state;
	assert_int_equal(slab_size(0), SLAB_MIN);
	assert_int_equal(slab_size(1024), 1024);
	assert_int_equal(slab_size(1025), 2048);
	assert_int_equal(slab_size(SLAB_MAX), SLAB_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_wiped),
		cmocka_unit_test(test_sizes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
