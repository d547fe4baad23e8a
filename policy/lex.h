/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lex.h - tokens of the policy language, for its parser and for optagd.conf
 *
 * One lexer, so that comments, quotes and words mean the same in every file an
 * administrator writes. On demand, nothing allocated: tokens point into the
 * text, which its owner keeps and has checked with lex_utf8_len.
 */
#ifndef POLICY_LEX_H
#define POLICY_LEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pos {
	int line, col; /* line 0: nowhere (not set) */
	uint16_t width, file;
};

enum tok { T_EOF, T_NL, T_WORD, T_STRING, T_OPEN, T_CLOSE, T_SEMI, T_COMMA, T_EQ, T_BAD };

struct token {
	enum tok type;
	const char *s; /* in the source; a string without its quotes, still escaped */
	size_t n;
	struct pos at;
	const char *bad; /* T_BAD: what is wrong */
};

struct lexer {
	const char *s, *end, *line_start;
	int line;
	uint16_t file;
};

void lex_text(struct lexer *l, const char *text, size_t len, uint16_t file);
struct token lex_next(struct lexer *l);
/* A key ("9", "*7", "#", "hash"): to be called right after a key keyword, where # is no comment. */
struct token lex_key(struct lexer *l);
/* Whether s would come back from the lexer as one word. */
bool lex_is_word(const char *s);
/* Length of the UTF-8 sequence at s (n > 0 bytes are there), 0 when it is none. */
size_t lex_utf8_len(const unsigned char *s, size_t n);
/* What that sequence, whole, stands for. */
unsigned lex_code_point(const unsigned char *s, size_t len);
/* What word processors make of plain characters: "a blank", "a quote", "a hyphen"; NULL none of them. Quoted they are at home. */
const char *lex_looks_like(unsigned c);
/* Near enough to be meant: index into words (NULL-terminated), or -1. */
int did_you_mean(const char *s, size_t n, const char *const *words);

#endif
