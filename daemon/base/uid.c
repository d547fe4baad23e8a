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

/* 128 bits in 26 digits of 5: the first digit carries the two missing bits as zero. */
void uid_format(const struct uid *u, char out[UID_TEXT])
{
	int i, bit;

	for (i = 0; i < 26; i++) {
		int v = 0;

		for (bit = i * 5 - 2; bit < i * 5 + 3; bit++) {
			v <<= 1;
			if (bit >= 0)
				v |= u->b[bit / 8] >> (7 - bit % 8) & 1;
		}
		out[i] = uid_digit[v];
	}
	out[26] = 0;
}

int uid_parse(const char *s, struct uid *ret)
{
	struct uid u = { { 0 } };
	int i, j;

	if (strlen(s) != 26)
		return -EINVAL;
	for (i = 0; i < 26; i++) {
		char c = s[i];
		const char *d;

		if (c >= 'a' && c <= 'z')
			c = (char)(c - 'a' + 'A');
		d = memchr(uid_digit, c, sizeof(uid_digit) - 1);
		if (!d || (i == 0 && d - uid_digit > 7))
			return -EINVAL;
		for (j = 0; j < 5; j++) {
			int bit = i * 5 - 2 + j;

			if (bit >= 0 && ((d - uid_digit) >> (4 - j) & 1))
				u.b[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
		}
	}
	*ret = u;
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
