/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * phone.c - telephone numbers in texts, see phone.h
 *
 * One pass that counts digits of a run. A run ends at what no number has in it, and begins anew behind a date or a file number.
 */
#include "phone.h"

#include <stdint.h>
#include <string.h>

#define HASH_DIGITS 16 /* no telephone number has more than 15 */
#define GAP	    3 /* separators between two digits: ") - " is what people write at most */

/* Y a year of four digits, m a month, d a day, n up to three digits, N up to six, c so, but an area code's 0 is not before it. */
static const char *const forms[] = {"Y-m-d", "Y-n-N", "Y/N", "c/Y", "d.m.Y", "d-m-Y", "d/m/Y"};

/* The zeros of other scripts that people type numbers in: their nine other digits follow. */
static const uint32_t zeros[] = {0x660, 0x6f0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xce6, 0xd66, 0xe50, 0xed0, 0xf20, 0x1040, 0x17e0, 0xff10};

/* Blanks, dashes, and what is not seen: these and all between. */
static const struct {
	uint32_t from, to;
} separators[] = {{'\t', '\t'}, {' ', ' '}, {'(', ')'}, {'+', '+'}, {'-', '/'}, {'_', '_'}, {0xa0, 0xa0}, {0xad, 0xad}, {0xb7, 0xb7}, {0x2000, 0x2015},
		  {0x2022, 0x2022}, {0x202a, 0x202f}, {0x205f, 0x206f}, {0x2212, 0x2212}, {0x3000, 0x3000}, {0xfeff, 0xfeff}, {0xff08, 0xff0f}};

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

static bool hex(char c)
{
	return digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool in_range(char what, unsigned v, size_t digits, bool zero)
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
	case 'c':
		return digits <= 6 && !zero;
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

		if (!strchr("YmdnNc", *form)) {
			if (i >= n || s[i++] != *form)
				return 0;
			continue;
		}
		while (i < n && digit(s[i]) && i - from < PHONE_DIGITS)
			v = v * 10 + (unsigned)(s[i++] - '0');
		if (i == from || !in_range(*form, v, i - from, s[from] == '0'))
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

/* Bytes of a UUID, or of a word of hexadecimal digits as long as a hash is, that begins at s; 0: none. One without a letter is none. */
static size_t identifier(const char *s, size_t n)
{
	static const size_t groups[] = {8, 13, 18, 23, 36}; /* where they end */
	size_t i, g = 0;
	bool letter = false;

	for (i = 0; i < n && (hex(s[i]) || (g < 4 && i == groups[g] && s[i] == '-')); i++) {
		letter |= hex(s[i]) && !digit(s[i]);
		g += s[i] == '-';
	}
	if (!letter || (i < n && (capital(s[i]) || lower(s[i]))))
		return 0;
	return (g == 4 && i == groups[4]) || (!g && i >= HASH_DIGITS) ? i : 0;
}

/* The character at s; *ret_len its bytes. What is no UTF-8 is one byte, and no character. */
static uint32_t character(const char *s, size_t n, size_t *ret_len)
{
	const unsigned char *u = (const unsigned char *)s;
	size_t len = u[0] < 0x80 ? 1 : u[0] >= 0xc2 && u[0] < 0xe0 ? 2 : (u[0] & 0xf0) == 0xe0 ? 3 : 0;
	uint32_t c = len == 1 ? u[0] : len == 2 ? u[0] & 0x1f : u[0] & 0xf;

	*ret_len = 1;
	if (!len || len > n)
		return UINT32_MAX;
	for (size_t i = 1; i < len; i++) {
		if ((u[i] & 0xc0) != 0x80)
			return UINT32_MAX;
		c = c << 6 | (u[i] & 0x3f);
	}
	*ret_len = len;
	return c;
}

static bool is_digit(uint32_t c)
{
	bool any = c >= '0' && c <= '9';

	for (size_t i = 0; !any && i < sizeof(zeros) / sizeof(*zeros); i++)
		any = c >= zeros[i] && c - zeros[i] <= 9;
	return any;
}

static bool is_separator(uint32_t c)
{
	bool any = false;

	for (size_t i = 0; !any && i < sizeof(separators) / sizeof(*separators); i++)
		any = c >= separators[i].from && c <= separators[i].to;
	return any;
}

struct run {
	size_t digits, gap, at;
	bool dialled; /* begins with + or 00: no date or file number is in it */
	bool word, small, name; /* in a word; it has a lower letter; it is a name from a capital on */
};

/* Bytes of what begins here and is no telephone number, though it has digits; 0 none. */
static size_t other(const struct run *r, const char *s, size_t n, size_t i)
{
	size_t len = r->word || !hex(s[i]) ? 0 : identifier(s + i, n - i);

	if (len || r->word || !digit(s[i]) || (i && s[i - 1] == '+') || (r->digits && r->dialled))
		return len;
	return date_or_file(s + i, n - i);
}

/* A digit at i. True: it makes the run a number. */
static bool take_digit(struct run *r, const char *s, size_t n, size_t i)
{
	r->word = true;
	if (r->name)
		return false;
	if (!r->digits) {
		r->at = i;
		r->dialled = (i && s[i - 1] == '+') || (n - i > 2 && s[i] == '0' && s[i + 1] == '0' && digit(s[i + 2]));
	}
	r->gap = 0;
	return ++r->digits == PHONE_DIGITS;
}

static void take_other(struct run *r, uint32_t c)
{
	if (c < 0x80 && (capital((char)c) || lower((char)c))) {
		r->small |= lower((char)c);
		r->name = !r->small;
		r->word = true;
		r->digits = 0;
		return;
	}
	r->word = r->small = r->name = false;
	if (!is_separator(c) || ++r->gap > GAP)
		r->digits = 0;
}

bool phone_in(const char *s, size_t n, size_t *ret_at)
{
	struct run r = {.digits = 0};
	size_t len, skip;

	for (size_t i = 0; i < n; i += len) {
		uint32_t c = character(s + i, n - i, &len);

		skip = other(&r, s, n, i);
		if (skip) {
			len = skip;
			r.word = true;
			r.digits = 0;
		} else if (!is_digit(c)) {
			take_other(&r, c);
		} else if (take_digit(&r, s, n, i)) {
			if (ret_at)
				*ret_at = r.at;
			return true;
		}
	}
	return false;
}
