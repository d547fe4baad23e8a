/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * uid.h - call identifiers
 *
 * 16 bytes: 48 bits of milliseconds since 1970 (big endian, so that they sort
 * by time) and 80 bits that are a hash of what makes the call itself: the same
 * capture replayed twice yields the same identifier, which is how a second
 * import is recognised. Text form: 26 characters of Crockford base 32, upper
 * case; the parser takes lower case as well.
 */
#ifndef UID_H
#define UID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UID_TEXT 27 /* with the terminating zero */

struct uid {
	uint8_t b[16];
};

/* `seed` is unkeyed input (Call-ID and caller tag); hashed with SipHash under a fixed key. */
void uid_make(uint64_t start_ns, const void *seed, size_t n, struct uid *ret);
void uid_format(const struct uid *u, char out[UID_TEXT]);
int uid_parse(const char *s, struct uid *ret); /* -EINVAL unless exactly 26 valid characters */
bool uid_equal(const struct uid *a, const struct uid *b);
uint64_t uid_time_ms(const struct uid *u);

#endif
