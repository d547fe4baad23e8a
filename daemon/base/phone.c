/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * phone.c - telephone numbers in texts, see phone.h
 *
 * One pass that counts digits of a run. A run ends at what no number has in it, and begins anew behind a date or a file number.
 */
#include "phone.h"

#include <string.h>

#define GAP 3 /* separators between two digits: ") - " is what people write at most */

/* Y a year of four digits, m a month, d a day, n up to three digits, N up to six. */
static const char *const forms[] = {"Y-m-d", "Y-n-N", "Y/N", "d.m.Y", "d-m-Y", "d/m/Y"};

static bool digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool capital(char c)
{
	return c >= 'A' && c <= 'Z';
}

static bool lower(char c)
{
	return c >= 'a' && c <= 'z';
}

static bool in_range(char what, unsigned v, size_t digits)
{
	switch (what) {
	case 'Y':
		return digits == 4 && v >= 1900 && v < 2100;
	case 'm':
		return digits <= 2 && v >= 1 && v <= 12;
	case 'd':
		return digits <= 2 && v >= 1 && v <= 31;
	case 'n':
		return digits <= 3;
	default:
		return digits <= 6;
	}
}

/* Bytes of s that have this form, whole groups of digits each; 0: it has another. */
static size_t has_form(const char *form, const char *s, size_t n)
{
	size_t i = 0;

	for (; *form; form++) {
		size_t from = i;
		unsigned v = 0;

		if (!strchr("YmdnN", *form)) {
			if (i >= n || s[i++] != *form)
				return 0;
			continue;
		}
		while (i < n && digit(s[i]) && i - from < PHONE_DIGITS)
			v = v * 10 + (unsigned)(s[i++] - '0');
		if (i == from || !in_range(*form, v, i - from))
			return 0;
	}
	return i;
}

static size_t date_or_file(const char *s, size_t n)
{
	size_t most = 0;

	for (size_t k = 0; k < sizeof(forms) / sizeof(*forms); k++) {
		size_t len = has_form(forms[k], s, n);

		most = len > most ? len : most;
	}
	return most;
}

/* Bytes of the separator at s, 0 none: also NBSP, thin spaces (U+2009, U+202F) and the dashes U+2010 to U+2015. */
static size_t separator(const char *s, size_t n)
{
	const unsigned char *u = (const unsigned char *)s;

	if (memchr(" \t-./()+", *s, 8))
		return 1;
	if (n >= 2 && u[0] == 0xc2 && u[1] == 0xa0)
		return 2;
	if (n >= 3 && u[0] == 0xe2 && u[1] == 0x80 && (u[2] == 0x89 || u[2] == 0xaf || (u[2] >= 0x90 && u[2] <= 0x95)))
		return 3;
	return 0;
}

bool phone_in(const char *s, size_t n, size_t *ret_at)
{
	size_t digits = 0, gap = 0, at = 0, len;
	bool word = false, small = false, name = false; /* in a word; it has a lower letter; it is a name from a capital on */

	for (size_t i = 0; i < n; i += len) {
		len = 1;
		if (digit(s[i])) {
			size_t skip = word || (i && s[i - 1] == '+') ? 0 : date_or_file(s + i, n - i);

			word = true;
			if (skip) {
				len = skip;
				digits = 0;
				continue;
			}
			if (name)
				continue;
			at = digits ? at : i;
			gap = 0;
			if (++digits < PHONE_DIGITS)
				continue;
			if (ret_at)
				*ret_at = at;
			return true;
		}
		if (capital(s[i]) || lower(s[i])) {
			small |= lower(s[i]);
			name = !small;
			word = true;
			digits = 0;
			continue;
		}
		word = small = name = false;
		len = separator(s + i, n - i);
		if (!len || ++gap > GAP)
			digits = 0;
		len = len ? len : 1;
	}
	return false;
}
