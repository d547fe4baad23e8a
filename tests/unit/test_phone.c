/* SPDX-License-Identifier: BSD-2-Clause */
/* test_phone.c - what is taken for a telephone number in a text that people wrote, and what is not */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/phone.h"

static void numbers(void **state)
{
	static const char *const bad[] = {
		"20304050", "+4520304050", "004520304050", "2030 4050", "20 30 40 50", "20-30-40-50", "20.30.40.50", "+45 (0) 20 30 40 50",
		"(20) 30-40/50", "he rang from 2030405", "my number is +45 20 30 40 50, ring me", "tlf.20304050", "tel20304050", "Tlf20304050",
		"20304050A", "call 20 30 40 50A", "010190-1234", "20\xc2\xa0" "30\xc2\xa0" "40\xc2\xa0" "50", "2030\xe2\x80\x93" "4050",
		"12026-11-0042", "2026-11-0042, 20304050", "2026-11-24 20 30 40 50", "2026-11-24-20304050", "CHG0030052 20304050",
		"+2026-11-0042", "2026 11 24", "24 11 2026", "2026-1100", "13-13-2026", "1899-11-0042", "2030 - 4050", "2026-11-0042/2030405",
		"a\n20304050", "0171/1234567", "2026/0042123",
	};
	size_t at = 99;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		if (!phone_in(bad[i], strlen(bad[i]), NULL))
			fail_msg("'%s' passed", bad[i]);
	assert_true(phone_in("ring +45 2030 4050", 18, &at));
	assert_int_equal(at, 6);
}

static void others(void **state)
{
	static const char *const good[] = {
		"", "dispute", "D-2201", "CHG-4411", "2026-11-0042", "case 2026-11-0042", "J.nr. 2021-431-0145", "2026-31-3354", "SAG 2026/0042",
		"2026-11-24", "24.11.2026", "24/11/2026", "1-2-2026", "complaint of 2026-11-24 08:30:15", "2026-11-24T08:30:15Z", "CHG0030052", "INC0012345-2",
		"see 01M857A245YKKTZ77DFN9AP9VP", "01ARZ3NDEKTSV4RRFFQ6945678", "123456", "20304,050", "203040 and 50", "203040----50", "GDPR 9(2)(h), note 2026-14",
		"2026-11-0042 and 2026-11-0043", "from 2026-11-01 to 2026-11-30", "extension 4411 5", "\xff\xfe" "123\x80" "45678"};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
		if (phone_in(good[i], strlen(good[i]), NULL))
			fail_msg("'%s' was taken for a number", good[i]);
}

/* Only the bytes that were given are looked at. */
static void bounds(void **state)
{
	(void)state;
	assert_false(phone_in("20304050", 6, NULL));
	assert_true(phone_in("20304050", 7, NULL));
	assert_false(phone_in("", 0, NULL));
	assert_true(phone_in("1234567\0", 8, NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(numbers), cmocka_unit_test(others), cmocka_unit_test(bounds)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
