/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * value.c - the typed values: names, texts, spans, percents, dates, keys, numbers
 *
 * A unit is always required and nothing is converted: "010" is no number, "3"
 * no span, "m" no unit. What cannot be one thing only is refused.
 */
#include <errno.h>
#include <string.h>

#include "parse.h"

const char *const unit_names[] = {"s", "min", "h", "days", "months", "years", NULL};

int expected(struct parser *ps, const struct token *t, const char *what)
{
	if (t->type == T_BAD)
		diag_add(ps->p, t->at, "L-01", NULL, NULL, "%s.", t->bad);
	else if (t->type == T_NL || t->type == T_EOF)
		diag_add(ps->p, t->at, "L-01", NULL, NULL, "'%s' needs %s here, but the %s ends.",
			 ps->kwname, what, t->type == T_NL ? "line" : "file");
	else
		diag_add(ps->p, t->at, "L-01", NULL, NULL, "'%s' needs %s here.", ps->kwname, what);
	return ps->p->oom ? -ENOMEM : -EINVAL;
}

bool is_word(const struct token *t, const char *s)
{
	return t->type == T_WORD && t->n == strlen(s) && !memcmp(t->s, s, t->n);
}

bool accept_word(struct parser *ps, const char *s)
{
	struct token t = peek(ps);

	if (!is_word(&t, s))
		return false;
	next(ps);
	return true;
}

bool accept_tok(struct parser *ps, enum tok type)
{
	if (peek(ps).type != type)
		return false;
	next(ps);
	return true;
}

void skip_newlines(struct parser *ps)
{
	while (peek(ps).type == T_NL)
		next(ps);
}

bool accept_comma(struct parser *ps)
{
	if (!accept_tok(ps, T_COMMA))
		return false;
	skip_newlines(ps);
	return true;
}

/* The text of a word or string in the arena, escapes resolved. */
char *token_dup(struct parser *ps, const struct token *t)
{
	char *s = arena_strndup(&ps->p->arena, t->s, t->n), *w = s;

	if (!s) {
		ps->p->oom = true;
		return NULL;
	}
	if (t->type != T_STRING)
		return s;
	for (const char *r = s; *r; r++) {
		if (*r == '\\' && (r[1] == '"' || r[1] == '\\'))
			r++;
		*w++ = *r;
	}
	*w = '\0';
	return s;
}

static int get_text(struct parser *ps, const char *what, bool word_ok, size_t max, const char **ret,
		    struct pos *ret_at)
{
	struct token t = peek(ps);

	if (t.type != T_STRING && !(word_ok && t.type == T_WORD))
		return expected(ps, &t, what);
	next(ps);
	if (t.n > max || t.n == 0) {
		diag_add(ps->p, t.at, "L-01", NULL, NULL, "%s has 1 to %zu bytes.", what, max);
		return -EINVAL;
	}
	*ret = token_dup(ps, &t);
	if (ret_at)
		*ret_at = t.at;
	return *ret ? 0 : -ENOMEM;
}

int get_name(struct parser *ps, const char *what, const char **ret, struct pos *ret_at)
{
	return get_text(ps, what, true, NAME_MAX_LEN, ret, ret_at);
}

int get_string(struct parser *ps, const char *what, const char **ret)
{
	return get_text(ps, what, false, STRING_MAX_LEN, ret, NULL);
}

int get_enum(struct parser *ps, const char *what, const char *const *words, int *ret)
{
	struct token t = peek(ps);
	char list[256] = "";
	size_t n = 0;
	int near;

	if (t.type == T_WORD) {
		for (int i = 0; words[i]; i++)
			if (*words[i] && is_word(&t, words[i])) {
				next(ps);
				*ret = i;
				return 0;
			}
	}
	for (int i = 0; words[i]; i++)
		if (*words[i] && n < sizeof(list))
			n += (size_t)snprintf(list + n, sizeof(list) - n, "%s%s", n ? ", " : "",
					      words[i]);
	if (t.type != T_WORD)
		return expected(ps, &t, list);
	near = did_you_mean(t.s, t.n, words);
	if (near >= 0)
		diag_add(ps->p, t.at, "L-01", NULL, NULL, "unknown %s '%.*s', did you mean '%s'?",
			 what, (int)t.n, t.s, words[near]);
	else
		diag_add(ps->p, t.at, "L-01", NULL, NULL, "unknown %s '%.*s'; it is one of: %s.",
			 what, (int)(t.n > NAME_MAX_LEN ? NAME_MAX_LEN : t.n), t.s, list);
	return ps->p->oom ? -ENOMEM : -EINVAL;
}

static bool digits_only(const char *s, size_t n, int *ret)
{
	int v = 0;

	if (n == 0 || n > 7 || (s[0] == '0' && n > 1))
		return false;
	for (size_t i = 0; i < n; i++) {
		if (s[i] < '0' || s[i] > '9')
			return false;
		v = v * 10 + (s[i] - '0');
	}
	*ret = v;
	return true;
}

int get_int(struct parser *ps, const char *what, int min, int max, int *ret)
{
	struct token t = peek(ps);
	int v;

	if (t.type != T_WORD || !digits_only(t.s, t.n, &v) || v < min || v > max) {
		char text[128];

		snprintf(text, sizeof(text),
			 "%s, a whole number from %d to %d without leading zeros,", what, min, max);
		return expected(ps, &t, text);
	}
	next(ps);
	*ret = v;
	return 0;
}

static int unit_of(const char *s, size_t n)
{
	static const struct {
		const char *name;
		enum policy_unit unit;
	} units[] = {
		{"s", POLICY_U_S},	    {"min", POLICY_U_MIN},	 {"h", POLICY_U_H},
		{"d", POLICY_U_DAYS},	    {"day", POLICY_U_DAYS},	 {"days", POLICY_U_DAYS},
		{"month", POLICY_U_MONTHS}, {"months", POLICY_U_MONTHS}, {"year", POLICY_U_YEARS},
		{"years", POLICY_U_YEARS},
	};

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (strlen(units[i].name) == n && !memcmp(units[i].name, s, n))
			return (int)units[i].unit;
	return -1;
}

static int bad_span(struct parser *ps, const struct token *t, const char *code, const char *text)
{
	diag_add(ps->p, t->at, code,
		 strcmp(code, "L-01") ? "INV-8: nothing is kept without an end date." : NULL,
		 "write a number and a unit: 30 s, 5 min, 2 h, 14 days, 3 months, 5 years.", "%s",
		 text);
	return ps->p->oom ? -ENOMEM : -EINVAL;
}

/* s: "3", "30s"; the unit may be the next word. t is the token for messages. */
int get_span_text(struct parser *ps, struct token *t, const char *s, size_t n, const char *code,
		  struct policy_span *ret)
{
	size_t d = 0;
	int v, unit;
	struct token u;

	while (d < n && s[d] >= '0' && s[d] <= '9')
		d++;
	if (!digits_only(s, d, &v))
		return bad_span(
			ps, t, code,
			"a length of time is a whole number without leading zeros and a unit.");
	if (d < n) {
		unit = unit_of(s + d, n - d);
	} else {
		u = peek(ps);
		unit = u.type == T_WORD ? unit_of(u.s, u.n) : -1;
		if (unit >= 0)
			next(ps);
		else if (u.type == T_WORD)
			*t = u;
	}
	if (unit < 0)
		return bad_span(
			ps, t, code,
			"a length of time needs its unit (s, min, h, days, months, years).");
	ret->n = v;
	ret->unit = (enum policy_unit)unit;
	return 0;
}

int get_span(struct parser *ps, const char *code, struct policy_span *ret)
{
	struct token t = peek(ps);

	if (t.type != T_WORD)
		return bad_span(ps, &t, code, "a length of time is expected here.");
	next(ps);
	return get_span_text(ps, &t, t.s, t.n, code, ret);
}

int get_permille(struct parser *ps, int *ret)
{
	struct token t = peek(ps);
	size_t d = 0;
	int v, tenth = 0;

	while (t.type == T_WORD && d < t.n && t.s[d] >= '0' && t.s[d] <= '9')
		d++;
	if (t.type == T_WORD && digits_only(t.s, d, &v) && v <= 100) {
		if (d + 2 < t.n && t.s[d] == '.' && t.s[d + 1] >= '0' && t.s[d + 1] <= '9') {
			tenth = t.s[d + 1] - '0';
			d += 2;
		}
		if (d + 1 == t.n && t.s[d] == '%' && v * 10 + tenth <= 1000) {
			next(ps);
			*ret = v * 10 + tenth;
			return 0;
		}
	}
	return expected(ps, &t, "a percentage from 0% to 100% with at most one decimal (2%, 0.5%)");
}

static bool date_from(const struct token *t, struct policy_date *ret)
{
	static const char form[] = "0000-00-00";
	int v[3] = {0, 0, 0}, k = 0;

	if (t->type != T_WORD || t->n != sizeof(form) - 1)
		return false;
	for (size_t i = 0; i < t->n; i++) {
		if (form[i] == '-') {
			if (t->s[i] != '-')
				return false;
			k++;
		} else if (t->s[i] < '0' || t->s[i] > '9') {
			return false;
		} else {
			v[k] = v[k] * 10 + (t->s[i] - '0');
		}
	}
	ret->year = v[0];
	ret->month = v[1];
	ret->day = v[2];
	return date_valid(ret);
}

int get_date(struct parser *ps, struct policy_date *ret, struct pos *ret_at)
{
	struct token t = peek(ps);

	if (!date_from(&t, ret)) {
		memset(ret, 0, sizeof(*ret));
		return expected(ps, &t, "a date of the calendar (2027-02-28)");
	}
	if (ret_at)
		*ret_at = t.at;
	next(ps);
	return 0;
}

static bool says_no_key(const char *s, size_t n)
{
	static const char *const words[] = {"none", "silence", "timeout", "any", "default"};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strlen(words[i]) == n && !memcmp(words[i], s, n))
			return true;
	return false;
}

int key_from(struct parser *ps, const struct token *t, const char *s, size_t n,
	     char ret[POLICY_KEY_MAX])
{
	if (n == 4 && !memcmp(s, "hash", 4)) {
		s = "#";
		n = 1;
	} else if (n == 4 && !memcmp(s, "star", 4)) {
		s = "*";
		n = 1;
	}
	if (!strcmp(ps->kwname, "consent-key") && says_no_key(s, n)) {
		diag_add(ps->p, t->at, "L-25", "N-21: silence or inactivity is no consent.", "a key, such as 1.",
			 "not pressing a key cannot have a meaning.");
		return refuse(ps);
	}
	if (n < 1 || n >= POLICY_KEY_MAX || strspn(s, "0123456789*#ABCD") < n) {
		diag_add(ps->p, t->at, "L-01", NULL, NULL, "a key is 1 to %d of 0-9 * # A-D.",
			 POLICY_KEY_MAX - 1);
		return ps->p->oom ? -ENOMEM : -EINVAL;
	}
	memcpy(ret, s, n);
	ret[n] = '\0';
	return 0;
}

int get_key(struct parser *ps, char ret[POLICY_KEY_MAX])
{
	struct token t;

	/* A look-ahead would have taken # for a comment; it can only be there after another value.
	 */
	t = ps->have ? next(ps) : lex_key(&ps->lex);
	if (t.type != T_WORD) {
		ps->tok = t;
		ps->have = true;
		return expected(ps, &t, "a key (1, *9, #)");
	}
	return key_from(ps, &t, t.s, t.n, ret);
}

int new_word(struct parser *ps, const char *s, size_t n, struct pos at, struct word ***tail)
{
	struct word *w = arena_alloc(&ps->p->arena, sizeof(*w));

	if (w)
		w->s = arena_strndup(&ps->p->arena, s, n);
	if (!w || !w->s) {
		ps->p->oom = true;
		return -ENOMEM;
	}
	w->at = at;
	**tail = w;
	*tail = &w->next;
	return 0;
}

static bool is_setting(const struct table *t, const struct token *w)
{
	if (!t || w->type != T_WORD)
		return false;
	for (int i = 0; i < t->n; i++)
		if (is_word(w, t->s[i].name))
			return true;
	return is_word(w, "proof");
}

/* Names up to the end of the line or the next setting; a comma carries on past both. */
int get_words(struct parser *ps, const char *what, struct word **ret)
{
	struct word **tail = ret;
	struct token t;
	const char *s;
	struct pos at;
	bool comma = true;

	for (;;) {
		t = peek(ps);
		if (!comma &&
		    (is_setting(ps->table, &t) || (t.type != T_WORD && t.type != T_STRING)))
			return 0;
		if (get_name(ps, what, &s, &at) || new_word(ps, s, strlen(s), at, &tail))
			return ps->p->oom ? -ENOMEM : -EINVAL;
		comma = accept_comma(ps);
	}
}

int get_set(struct parser *ps, struct word **ret)
{
	struct token t = peek(ps);
	struct word **tail = ret;

	if (t.type != T_WORD || t.n < 2 || t.s[0] != '@')
		return expected(ps, &t, "the name of a set (@name)");
	next(ps);
	return new_word(ps, t.s + 1, t.n - 1, t.at, &tail);
}

int get_sets(struct parser *ps, struct word **ret)
{
	struct token t;
	int err;

	do {
		err = get_set(ps, ret);
		if (err)
			return err;
		while (*ret)
			ret = &(*ret)->next;
		t = peek(ps);
	} while (accept_comma(ps) || (t.type == T_WORD && t.s[0] == '@'));
	return 0;
}

/* ---- numbers ---- */

static int add_pattern(struct parser *ps, struct numbers *r, const struct pattern *pat)
{
	if (r->n == r->cap) {
		size_t cap = r->cap ? r->cap * 2 : 4;
		struct pattern *v = arena_grow(&ps->p->arena, r->pat, r->cap * sizeof(*v), cap * sizeof(*v));

		if (!v) {
			ps->p->oom = true;
			return -ENOMEM;
		}
		r->pat = v;
		r->cap = cap;
	}
	r->pat[r->n++] = *pat;
	return 0;
}

static bool continues_number(const struct token *t)
{
	if (t->type != T_WORD || (t->s[0] != '-' && (t->s[0] < '0' || t->s[0] > '9')))
		return false;
	for (size_t i = 0; i < t->n; i++)
		if (!strchr("0123456789*-+", t->s[i]))
			return false;
	return true;
}

static int get_pattern(struct parser *ps, struct numbers *r)
{
	struct token t = peek(ps), u;
	struct pattern pat;
	char buf[48];
	size_t n = 0;
	const char *why = "it is too long";
	struct pos at = t.at;

	do {
		u = next(ps);
		if (n + u.n <= sizeof(buf))
			memcpy(buf + n, u.s, u.n);
		n += u.n;
		if (u.at.line == at.line)
			at.width = (uint16_t)(u.at.col + u.at.width - at.col);
		u = peek(ps);
	} while (continues_number(&u));
	memset(&pat, 0, sizeof(pat));
	if (n > sizeof(buf) || pattern_parse(buf, n, &pat, &why)) {
		diag_add(ps->p, at, "L-09",
			 "RX-1: a rule names the controller's own numbers exactly.",
			 "write +45 7010 2030, +45 7010 20* or +45 8812 3400-8812 3499.",
			 "this is no number pattern: %s.", why);
		return ps->p->oom ? -ENOMEM : -EINVAL;
	}
	pat.line = at.line;
	r->file = at.file; /* all in one: braces, or a file of members */
	pat.col = (uint16_t)(at.col > UINT16_MAX ? UINT16_MAX : at.col);
	return add_pattern(ps, r, &pat);
}

int get_numbers_member(struct parser *ps, struct numbers *r, bool is_criterion)
{
	struct token t = peek(ps);

	if (t.type == T_WORD && t.s[0] == '+')
		return get_pattern(ps, r);
	if (is_criterion && t.type == T_WORD && t.s[0] == '@') {
		struct word **tail = &r->sets;

		while (*tail)
			tail = &(*tail)->next;
		return get_set(ps, tail);
	}
	if (t.type == T_WORD && ((t.s[0] >= '0' && t.s[0] <= '9') || t.s[0] == '*')) {
		diag_add(ps->p, t.at, "L-09",
			 "numbers in a policy are E.164, whatever a trunk sends.",
			 "write the number with + and country code, such as +45 7010 2030.",
			 "a number starts with + and its country code.");
		return ps->p->oom ? -ENOMEM : -EINVAL;
	}
	return expected(ps, &t,
			is_criterion ? "a number, a prefix, a range, a set (@name)"
				     : "a number, a prefix, a range");
}

int get_numbers(struct parser *ps, struct numbers *r, bool withheld_ok)
{
	int err;

	do {
		if (withheld_ok && accept_word(ps, "withheld")) {
			r->withheld = true;
			continue;
		}
		err = get_numbers_member(ps, r, true);
		if (err)
			return err;
	} while (accept_comma(ps));
	return 0;
}

/* ---- SIP headers ---- */

static bool header_name_ok(const char *s, size_t n)
{
	static const char tchar[] = "!%*_+`'~.-";

	if (n == 0 || n > HEADER_NAME_MAX)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!((s[i] >= 'a' && s[i] <= 'z') || (s[i] >= 'A' && s[i] <= 'Z') ||
		      (s[i] >= '0' && s[i] <= '9') || (s[i] && strchr(tchar, s[i]))))
			return false;
	return true;
}

int get_header_name(struct parser *ps, const char **ret)
{
	struct token t = peek(ps);

	if (t.type != T_WORD || !header_name_ok(t.s, t.n))
		return expected(ps, &t, "the name of a SIP header");
	next(ps);
	*ret = token_dup(ps, &t);
	return *ret ? 0 : -ENOMEM;
}

int get_header_value(struct parser *ps, bool need_value, const char **ret_name,
		     const char **ret_value)
{
	struct token t = peek(ps);
	const char *eq = t.type == T_WORD ? memchr(t.s, '=', t.n) : NULL;
	struct token name = t, value = t;

	if (!eq) {
		int err = get_header_name(ps, ret_name);

		if (err)
			return err;
		if (accept_tok(ps, T_EQ))
			return get_text(ps, "a value", true, PROOF_VALUE_MAX, ret_value, NULL);
		if (!need_value)
			return 0;
		t = peek(ps);
		return expected(ps, &t, "NAME=VALUE of a SIP header");
	}
	name.n = (size_t)(eq - t.s);
	value.s = eq + 1;
	value.n = t.n - name.n - 1;
	if (!header_name_ok(name.s, name.n) || value.n > PROOF_VALUE_MAX)
		return expected(ps, &t, "NAME=VALUE of a SIP header");
	next(ps);
	*ret_name = token_dup(ps, &name);
	if (!*ret_name)
		return -ENOMEM;
	if (value.n == 0) /* NAME="a text" */
		return get_text(ps, "a value", true, PROOF_VALUE_MAX, ret_value, NULL);
	*ret_value = token_dup(ps, &value);
	return *ret_value ? 0 : -ENOMEM;
}

/* ---- by the table ---- */

static const char *const yesno[] = {"no", "yes", NULL};

int parse_value(struct parser *ps, const struct setting *s, void *obj)
{
	char *at = (char *)obj + s->off;
	struct policy_span span = { 0 };
	int v = 0, err;

	switch (s->kind) {
	case K_YESNO:
	case K_BOOL:
		err = get_enum(ps, "value", s->kind == K_BOOL ? s->words : yesno, &v);
		if (!err)
			*(bool *)at = v != 0;
		return err;
	case K_ENUM:
		return get_enum(ps, "value", s->words, (int *)at);
	case K_SPAN:
		return get_span(ps, s == &rule_table.s[R_DECISION] ? "L-65" : "L-01", (struct policy_span *)at);
	case K_SECONDS:
		err = get_span(ps, "L-01", &span);
		if (err)
			return err;
		if (span.unit > POLICY_U_H || span.n > 86400) {
			diag_add(ps->p, ps->kw, "L-01", NULL, NULL,
				 "'%s' is a time in s, min or h.", s->name);
			return -EINVAL;
		}
		*(int *)at = span.n * (span.unit == POLICY_U_S	   ? 1
				       : span.unit == POLICY_U_MIN ? 60
								   : 3600);
		if (s->max && *(int *)at > s->max) {
			diag_add(ps->p, ps->kw, "L-01", NULL, NULL, "'%s' is at most %d s.", s->name, s->max);
			return -EINVAL;
		}
		return 0;
	case K_INT:
		return get_int(ps, "a value", s->min, s->max, (int *)at);
	case K_PERMILLE:
		return get_permille(ps, (int *)at);
	case K_PERCENT:
		err = get_permille(ps, &v);
		if (!err)
			*(int *)at = v / 10;
		return err;
	case K_STRING:
		return get_string(ps, "a text in quotes", (const char **)at);
	case K_NAME:
		return get_text(ps, "a word or a text in quotes", true, STRING_MAX_LEN,
				(const char **)at, NULL);
	case K_DATE:
		return get_date(ps, (struct policy_date *)at, NULL);
	case K_KEY:
		return get_key(ps, at);
	case K_WORDS:
		return get_words(ps, "a name", (struct word **)at);
	case K_SETS:
		return get_sets(ps, (struct word **)at);
	case K_FUNC:
		return s->parse(ps, obj);
	}
	return -EINVAL;
}
