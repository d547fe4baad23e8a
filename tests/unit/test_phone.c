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
		/* behind + or 00 nothing is a date or a file number: Bottrop is 02041 */
		"+49 2041/12345", "0049 2041/12345", "+49 (0) 2041/12345", "+45 2030-40-5060", "+49 551/2026", "0551/2026",
		"anna_2030_4050", "20_30_40_50", "20\xc2\xb7" "30\xc2\xb7" "40\xc2\xb7" "50", "2030\xe2\x88\x92" "4050",
		/* what is not seen, as it comes with a number that is copied */
		"2030\xe2\x80\x8b" "4050", "2030\xe2\x80\xac" "4050", "\xe2\x80\xaa+45\xe2\x80\x87" "2030\xc2\xad" "4050\xe2\x80\xac",
		/* full width, Arabic, Persian, Devanagari digits */
		"\xef\xbc\x92\xef\xbc\x90\xef\xbc\x93\xef\xbc\x90\xef\xbc\x94\xef\xbc\x90\xef\xbc\x95\xef\xbc\x90",
		"\xd9\xa2\xd9\xa0\xd9\xa3\xd9\xa0\xd9\xa4\xd9\xa0\xd9\xa5\xd9\xa0", "2030 \xdb\xb4\xdb\xb0\xdb\xb5\xdb\xb0",
		"\xe0\xa5\xa8\xe0\xa5\xa6\xe0\xa5\xa9\xe0\xa5\xa6\xe0\xa5\xaa\xe0\xa5\xa6\xe0\xa5\xab\xe0\xa5\xa6",
		/* no UUID, no hash */
		"55000000-0000-4000-8000-446655440000", "550e8400-e29b-41d4-a716-4466554400001", "2030405020304050", "call2030405020304050",
		"550e8400-e29b-41d4-a716-446655440000 20304050",
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
		"2026-11-0042 and 2026-11-0043", "from 2026-11-01 to 2026-11-30", "extension 4411 5", "\xff\xfe" "123\x80" "45678",
		"12345/2026", "BS-12345/2026-KBH", "VI ZR 123/2026", "case-2026-11-0042", "kl. 00.10 2026-11-24",
		"550e8400-e29b-41d4-a716-446655440000", "see 550E8400-E29B-41D4-A716-446655440000.", "{4466554a-1234-4567-8901-446655440000}",
		"da39a3ee5e6b4b0d3255bfef95601890afd80709", "policy 0012345678901234567890abcdef0123456789012345678901234567890123",
		"\xc3\xb8" "123456", "\xd9\xa2\xd9\xa0\xd9\xa3 cases", "2030\xe2\x80", "20\xf0\x9f\x98\x80" "30405"};

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
