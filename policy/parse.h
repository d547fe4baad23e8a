/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * parse.h - between parse.c (statements), value.c (values), settings.c (one
 * function a setting) and tables.c
 *
 * Every get_x consumes a value, or reports what is wrong and returns -EINVAL
 * (-ENOMEM). The statement loop then skips to the end of the line.
 */
#ifndef POLICY_PARSE_H
#define POLICY_PARSE_H

#include "internal.h"

struct parser {
	struct policy *p;
	struct lexer lex;
	struct token tok; /* look-ahead */
	bool have;
	struct pos kw; /* keyword of the statement being read */
	const char *kwname;
	const struct table *table; /* of the block being read: its words end a list of names */
	unsigned allowed;	   /* S_NEVER, S_DEFAULT, or 0: all */
	int depth;
	int (*include)(struct policy *p, const char *name, struct pos at, void *arg);
	void *include_arg;
};

struct token peek(struct parser *ps);
struct token next(struct parser *ps);
/* L-01 at the token; returns -EINVAL, or -ENOMEM. */
int expected(struct parser *ps, const struct token *t, const char *what);
bool is_word(const struct token *t, const char *s);
bool accept_word(struct parser *ps, const char *s);
bool accept_tok(struct parser *ps, enum tok type);
int expect_open(struct parser *ps);
void skip_newlines(struct parser *ps);
/* After a comma a list goes on, if need be on the next line. */
bool accept_comma(struct parser *ps);

int get_name(struct parser *ps, const char *what, const char **ret, struct pos *ret_at);
int get_string(struct parser *ps, const char *what, const char **ret);
int get_enum(struct parser *ps, const char *what, const char *const *words, int *ret);
int get_int(struct parser *ps, const char *what, int min, int max, int *ret);
int get_span(struct parser *ps, const char *code, struct policy_span *ret);
int get_span_text(struct parser *ps, struct token *t, const char *s, size_t n, const char *code,
		  struct policy_span *ret);
int get_permille(struct parser *ps, int *ret);
int get_date(struct parser *ps, struct policy_date *ret, struct pos *ret_at);
int get_key(struct parser *ps, char ret[POLICY_KEY_MAX]);
int key_from(struct parser *ps, const struct token *t, const char *s, size_t n, char ret[POLICY_KEY_MAX]);
int get_words(struct parser *ps, const char *what, struct word **ret);
int get_sets(struct parser *ps, struct word **ret);
int get_set(struct parser *ps, struct word **ret);
int get_numbers(struct parser *ps, struct numbers *ret, bool is_criterion);
int get_header_name(struct parser *ps, const char **ret);
/* NAME=VALUE, NAME = VALUE, or NAME alone (then *ret_value stays). */
int get_header_value(struct parser *ps, bool need_value, const char **ret_name, const char **ret_value);
int new_word(struct parser *ps, const char *s, size_t n, struct pos at, struct word ***tail);
int get_numbers_member(struct parser *ps, struct numbers *ret, bool is_criterion);
char *token_dup(struct parser *ps, const struct token *t);

/* After a diagnostic: -EINVAL, or -ENOMEM when even that failed. */
int refuse(struct parser *ps);
/* Zeroed item of a list; NULL when out of memory, which is noted. */
void *list_item(struct parser *ps, size_t n);
/* L-02 at the keyword. */
int said_twice(struct parser *ps, const char *what);
/* Appends one name to *ret, which is empty. */
int one_name(struct parser *ps, const char *what, struct word **ret);
#define LIST_APPEND(list, x)                \
	do {                                \
		__typeof__(&(list)) tail_ = &(list); \
		while (*tail_)              \
			tail_ = &(*tail_)->next; \
		*tail_ = (x);               \
	} while (0)

int parse_value(struct parser *ps, const struct setting *s, void *obj);
/* The statements of a block up to its closing brace. *ret_bad: something in it was wrong. */
int parse_body(struct parser *ps, const struct table *t, void *obj, unsigned allowed, bool *ret_bad);
void skip_statement(struct parser *ps);

/* settings.c and print.c: one pair a K_FUNC setting */
#define FUNC(name)                                   \
	int parse_##name(struct parser *ps, void *obj); \
	void print_##name(FILE *f, const void *obj, const char *indent)
FUNC(c_numbers); FUNC(t_address); FUNC(t_country); FUNC(t_natdigits); FUNC(t_qheader); FUNC(t_aheader); FUNC(t_cheader);
FUNC(a_elements); FUNC(a_text); FUNC(a_audio); FUNC(a_menu); FUNC(as_file); FUNC(as_factor);
FUNC(b_basis); FUNC(b_assessment); FUNC(b_special); FUNC(b_consent_source); FUNC(b_withdraw); FUNC(b_optout);
FUNC(b_on_optout); FUNC(b_window); FUNC(b_leg); FUNC(b_seed); FUNC(b_dtmf); FUNC(b_cap); FUNC(b_use_target); FUNC(b_retention);
FUNC(b_reason); FUNC(b_review); FUNC(b_not_needed); FUNC(b_worm);
FUNC(r_controller); FUNC(r_called); FUNC(r_calling); FUNC(r_header); FUNC(r_queue); FUNC(r_agent); FUNC(r_time);
FUNC(r_media); FUNC(r_proof); FUNC(r_on_missing); FUNC(r_sms); FUNC(r_documentation); FUNC(r_training);
FUNC(r_sensitive); FUNC(r_pause); FUNC(r_pause_max); FUNC(r_exclude); FUNC(r_roles); FUNC(r_play_reason);
FUNC(r_keys); FUNC(r_alarm);
#undef FUNC

#endif
