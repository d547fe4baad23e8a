/* SPDX-License-Identifier: BSD-2-Clause */
/* uid.c - call identifiers: time and hash, Crockford base 32 */
#include "base/uid.h"

#include <errno.h>
#include <string.h>

#include "base/le.h"
#include "base/siphash.h"

static const char uid_digit[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

void uid_make(uint64_t start_ns, const void *seed, size_t n, struct uid *ret)
{
	/* Fixed keys: the same call must get the same identifier in every process. The start in
	 * nanoseconds goes in, so that a reused Call-ID within a millisecond still differs. */
	const uint64_t k1[2] = { 0x6f707461672d7569ULL, start_ns };
	const uint64_t k2[2] = { 0x642d7365636f6e64ULL, start_ns };
	uint64_t ms = start_ns / 1000000, h1 = siphash13(k1, seed, n), h2 = siphash13(k2, seed, n);
	int i;

	for (i = 0; i < 6; i++)
		ret->b[i] = (uint8_t)(ms >> (40 - 8 * i));
	le64enc(ret->b + 6, h1);
	le16enc(ret->b + 14, (uint16_t)h2);
}

static uint64_t half(const uint8_t *p)
{
	return (uint64_t)be32dec(p) << 32 | be32dec(p + 4);
}

/* 128 bits in 26 digits of 5: the first digit carries the two missing bits as zero. */
void uid_format(const struct uid *u, char out[UID_TEXT])
{
	uint64_t hi = half(u->b), lo = half(u->b + 8);

	for (int i = 25; i >= 0; i--) {
		out[i] = uid_digit[lo & 31];
		lo = lo >> 5 | hi << 59;
		hi >>= 5;
	}
	out[26] = 0;
}

/* -1 none. */
static int digit_of(char c)
{
	/* of letters, either case; I, L, O and U are none */
	static const int8_t letter[26] = { 10, 11, 12, 13, 14, 15, 16, 17, -1, 18, 19, -1, 20, 21, -1, 22, 23, 24, 25, 26, -1, 27, 28, 29, 30, 31 };

	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'z' ? letter[c - 'a'] : -1;
}

int uid_parse(const char *s, struct uid *ret)
{
	uint64_t hi = 0, lo = 0;

	for (int i = 0; i < 26; i++) { /* the end of s is no digit */
		int d = digit_of(s[i]);

		if (d < 0 || (i == 0 && d > 7))
			return -EINVAL;
		hi = hi << 5 | lo >> 59;
		lo = lo << 5 | (uint64_t)d;
	}
	if (s[26])
		return -EINVAL;
	for (int i = 0; i < 8; i++) {
		ret->b[i] = (uint8_t)(hi >> (56 - 8 * i));
		ret->b[8 + i] = (uint8_t)(lo >> (56 - 8 * i));
	}
	return 0;
}

bool uid_equal(const struct uid *a, const struct uid *b)
{
	return memcmp(a->b, b->b, sizeof(a->b)) == 0;
}

uint64_t uid_time_ms(const struct uid *u)
{
	uint64_t ms = 0;
	int i;

	for (i = 0; i < 6; i++)
		ms = ms << 8 | u->b[i];
	return ms;
}
