/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * conf_internal.h - between conf.c (statements, checks) and conf_value.c (one
 * reader, printer and comparison a kind of value)
 *
 * One table a block yields parsing, "written twice", canonical print and
 * comparison; a setting is a line in it.
 */
#ifndef CONF_INTERNAL_H
#define CONF_INTERNAL_H

#include "conf.h"
#include "policy/lex.h"

enum conf_kind {
	CK_YESNO,    /* bool */
	CK_ENUM,     /* int, index into words */
	CK_LEVEL,    /* enum log_level */
	CK_COUNT,    /* uint32_t, min..max */
	CK_POWER,    /* uint32_t, power of two */
	CK_BYTES,    /* uint64_t, power of two, written with KiB, MiB, GiB */
	CK_SPAN,     /* uint64_t ns, written with ms, s, min, h */
	CK_PATH,     /* char[size], absolute */
	CK_NAME,     /* char[size], a user or group */
	CK_PORTS,    /* uint16_t[], 0 ends */
	CK_ENDPOINT, /* struct endpoint, or "off" */
	CK_CPUS,     /* bit set */
};

#define CONF_RELOAD 1u /* may change while the daemon runs */
#define CONF_OPTIONAL 2u /* CK_NAME: "" is not printed */

struct conf_setting {
	const char *name;
	enum conf_kind kind;
	size_t off, size;
	uint64_t min, max;
	const char *const *words;
	unsigned flags;
};

struct conf_reader {
	const char *name, *text;
	size_t len;
	struct lexer lex;
	struct token tok; /* look-ahead */
	bool have;
	const char *setting; /* being read, for messages */
	struct policy_diags *d;
	bool oom;
};

struct token conf_peek(struct conf_reader *r);
struct token conf_next(struct conf_reader *r);
/* Code "C-.."; C-08 is a warning, all others errors. fix may be NULL. Returns -EINVAL, or -ENOMEM. */
int conf_wrong(struct conf_reader *r, struct pos at, const char *code, const char *fix, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));
/* "'x' needs WHAT here" */
int conf_expected(struct conf_reader *r, const struct token *t, const char *what, const char *fix);
bool conf_is(const struct token *t, const char *word);

/* Reads the value of s into the object. */
int conf_value(struct conf_reader *r, const struct conf_setting *s, void *obj);
void conf_value_print(FILE *f, const struct conf_setting *s, const void *obj);
bool conf_value_equal(const struct conf_setting *s, const void *a, const void *b);
void conf_text_print(FILE *f, const char *s); /* in quotes where it must be */
/* A word or quoted text of at most size - 1 bytes into out. */
int conf_text(struct conf_reader *r, const char *what, const char *fix, char *out, size_t size);

#endif
