/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lex.c - tokens of the policy language
 *
 * A word is everything up to a blank or one of { } ; , " so that numbers,
 * URLs, clock ranges and addresses need no quotes. '#' starts a comment only at
 * the start of a line or after a blank, and never where the parser asks for a
 * key (lex_key). Works on bytes; columns count bytes. Text must be UTF-8
 * without control characters: the caller checks that once (load.c).
 */
#include <string.h>

#include "internal.h"

void lex_text(struct lexer *l, const char *text, size_t len, uint16_t file)
{
	l->s = l->line_start = text;
	l->end = text + len;
	l->line = 1;
	l->file = file;
}

void lex_init(struct lexer *l, const struct source *src, uint16_t file)
{
	lex_text(l, src->text, src->len, file);
}

static bool is_end(const struct lexer *l, const char *s)
{
	static const bool end[256] = {['\0'] = true, [' '] = true, ['\t'] = true, ['\r'] = true, ['\n'] = true,
				      ['{'] = true,  ['}'] = true, [';'] = true,	 [','] = true,	['"'] = true};

	return s >= l->end || end[(unsigned char)*s];
}

static void skip_blanks(struct lexer *l)
{
	while (l->s < l->end && (*l->s == ' ' || *l->s == '\t' || *l->s == '\r'))
		l->s++;
}

static struct token token(struct lexer *l, enum tok type, const char *from, const char *to)
{
	struct token t = {.type = type, .s = from, .n = (size_t)(to - from)};

	t.at.line = l->line;
	t.at.col = (int)(from - l->line_start) + 1;
	t.at.width = (uint16_t)(t.n < 1 ? 1 : t.n > 200 ? 200 : t.n);
	t.at.file = l->file;
	l->s = to;
	return t;
}

static struct token lex_string(struct lexer *l)
{
	const char *from = l->s, *s = from + 1;
	struct token t;

	while (s < l->end && *s != '"' && *s != '\n')
		s += *s == '\\' && s + 1 < l->end && s[1] != '\n' ? 2 : 1;
	if (s >= l->end || *s != '"') {
		if (s > l->end)
			s = l->end;
		t = token(l, T_BAD, from, s);
		t.bad = "this text has no closing quote on its line";
		return t;
	}
	t = token(l, T_STRING, from, s + 1);
	t.s = from + 1;
	t.n -= 2;
	return t;
}

struct token lex_next(struct lexer *l)
{
	static const struct {
		char c;
		enum tok type;
	} single[] = {{'{', T_OPEN}, {'}', T_CLOSE}, {';', T_SEMI}, {',', T_COMMA}, {'=', T_EQ}};
	const char *s;
	struct token t;

	skip_blanks(l);
	if (l->s < l->end && *l->s == '#') {
		while (l->s < l->end && *l->s != '\n')
			l->s++;
	}
	if (l->s >= l->end)
		return token(l, T_EOF, l->end, l->end);
	if (*l->s == '\n') {
		t = token(l, T_NL, l->s, l->s + 1);
		l->line++;
		l->line_start = l->s;
		return t;
	}
	for (size_t i = 0; i < sizeof(single) / sizeof(single[0]); i++)
		if (*l->s == single[i].c)
			return token(l, single[i].type, l->s, l->s + 1);
	if (*l->s == '"')
		return lex_string(l);
	for (s = l->s; !is_end(l, s); s++)
		;
	if (s == l->s) {
		t = token(l, T_BAD, s, s + 1);
		t.bad = "this character cannot stand here";
		return t;
	}
	return token(l, T_WORD, l->s, s);
}

struct token lex_key(struct lexer *l)
{
	const char *s;

	skip_blanks(l);
	for (s = l->s; !is_end(l, s); s++)
		;
	if (s == l->s)
		return lex_next(l);
	return token(l, T_WORD, l->s, s);
}

unsigned lex_code_point(const unsigned char *s, size_t len)
{
	return len == 1	  ? s[0]
	       : len == 2 ? (s[0] & 0x1fu) << 6 | (s[1] & 0x3fu)
	       : len == 3 ? (s[0] & 0x0fu) << 12 | (s[1] & 0x3fu) << 6 | (s[2] & 0x3fu)
			  : (s[0] & 0x07u) << 18 | (s[1] & 0x3fu) << 12 | (s[2] & 0x3fu) << 6 | (s[3] & 0x3fu);
}

const char *lex_looks_like(unsigned c)
{
	if (c == 0xa0 || (c >= 0x2000 && c <= 0x200a) || c == 0x202f || c == 0x3000)
		return "a blank";
	if ((c >= 0x2018 && c <= 0x201f) || c == 0xab || c == 0xbb)
		return "a quote";
	if ((c >= 0x2010 && c <= 0x2015) || c == 0x2212)
		return "a hyphen";
	return NULL;
}

bool lex_is_word(const char *s)
{
	size_t len = 1, left = strlen(s);

	if (!*s || *s == '#' || *s == '=' || *s == '@')
		return false;
	for (; *s; s += len, left -= len) {
		if (strchr(" \t\r\n{};,\"\\", *s) || (unsigned char)*s < ' ')
			return false;
		len = lex_utf8_len((const unsigned char *)s, left);
		if (!len || lex_looks_like(lex_code_point((const unsigned char *)s, len)))
			return false;
	}
	return true;
}

size_t lex_utf8_len(const unsigned char *s, size_t n)
{
	size_t len = s[0] < 0x80 ? 1 : s[0] >= 0xc2 && s[0] < 0xe0 ? 2 : (s[0] & 0xf0) == 0xe0 ? 3 : s[0] >= 0xf0 && s[0] < 0xf5 ? 4 : 0;

	if (len == 0 || len > n)
		return 0;
	for (size_t i = 1; i < len; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) || (s[0] == 0xf0 && s[1] < 0x90) ||
	    (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return len;
}
