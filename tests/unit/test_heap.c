/* SPDX-License-Identifier: BSD-2-Clause */
/* The heap after heap_huge: what is allocated lies where huge pages may be, and is whole. */
#include <setjmp.h>
#include <stdbool.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/heap.h"

#define BYTES  (48u << 20)
#define BLOCKS 20000

static uint8_t *block[BLOCKS];

/* Whether the mapping that has p is one for huge pages ("hg"). */
static bool huge_at(const void *p)
{
	FILE *f = fopen("/proc/self/smaps", "r");
	bool here = false, huge = false;
	unsigned long from, to;
	char line[1000];

	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			here = (uintptr_t)p >= from && (uintptr_t)p < to;
		else if (here && !strncmp(line, "VmFlags:", 8))
			huge = strstr(line, " hg");
	}
	fclose(f);
	return huge;
}

static void test_huge(void **state)
{
	unsigned huge = 0;

	(void)state;
#if defined(__SANITIZE_ADDRESS__)
	skip(); /* its allocator has no such heap */
#endif
	heap_huge(BYTES);
	for (unsigned i = 0; i < BLOCKS; i++) {
		size_t n = 100 + i % 3000;

		block[i] = malloc(n);
		assert_non_null(block[i]);
		memset(block[i], (int)i, n);
	}
	for (unsigned i = 0; i < BLOCKS; i += 500)
		huge += huge_at(block[i]);
	for (unsigned i = 0; i < BLOCKS; i++) {
		assert_int_equal(block[i][0], (uint8_t)i);
		assert_int_equal(block[i][99 + i % 3000], (uint8_t)i);
		free(block[i]);
	}
	assert_in_range(huge, BLOCKS / 500 * 8 / 10, BLOCKS / 500); /* the first ones may lie before the first huge page */
	heap_huge(SIZE_MAX); /* harmless */
	free(malloc(1000));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_huge) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
