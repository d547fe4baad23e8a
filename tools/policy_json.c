/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * policy_json.c - a policy as JSON: the lines of its canonical form, taken apart by their shapes
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/lex.h"
#include "policy_json.h"
#include "policy_json_internal.h"

/* A text that is read line by line; lines hold no newline, and no text in quotes does. */
struct lines {
	const char *s, *end;
};

static bool next_line(struct lines *l, const char **ret, size_t *ret_n)
{
	const char *nl = l->s < l->end ? memchr(l->s, '\n', (size_t)(l->end - l->s)) : NULL;

	if (!nl)
		return false;
	*ret = l->s;
	*ret_n = (size_t)(nl - l->s);
	l->s = nl + 1;
	return true;
}

static json_t *unquote(const struct token *t)
{
	char *s = malloc(t->n + 1);
	size_t n = 0;
	json_t *j;

	if (!s)
		return NULL;
	for (size_t i = 0; i < t->n; i++) {
		if (t->type == T_STRING && t->s[i] == '\\' && i + 1 < t->n)
			i++;
		s[n++] = t->s[i];
	}
	j = json_stringn(s, n);
	free(s);
	return j;
}

static json_t *word_value(const struct item *it, const struct token *t)
{
	json_t *j = t->type == T_WORD ? unquote(t) : NULL;

	if (j && kind_ok(it, json_string_value(j)))
		return j;
	json_decref(j);
	return NULL;
}

/* "3 months", "mon-fri 08:00-16:00": two words that are one value, if together they are. */
static json_t *two_words(const struct item *it, struct lexer *l)
{
	struct token t = lex_next(l), u;
	struct lexer before = *l;
	char both[160];
	json_t *j;

	u = lex_next(l);
	if (t.type == T_WORD && u.type == T_WORD && t.n + u.n + 2 <= sizeof(both)) {
		snprintf(both, sizeof(both), "%.*s %.*s", (int)t.n, t.s, (int)u.n, u.s);
		if (kind_ok(it, both))
			return json_string(both);
	}
	*l = before;
	j = word_value(it, &t);
	return j;
}

static json_t *number_value(const struct token *t)
{
	char s[16], *end;
	long v;

	if (t->type != T_WORD || t->n == 0 || t->n >= sizeof(s))
		return NULL;
	memcpy(s, t->s, t->n);
	s[t->n] = 0;
	v = strtol(s, &end, 10);
	return *end ? NULL : json_integer(v);
}

/* One value of that kind; NULL when it is none. */
static json_t *value(const struct item *it, struct lexer *l)
{
	struct token t;
	char kind = kind_is_words(it) ? '|' : *it->kind;

	if (kind == 's' || kind == 'T')
		return two_words(it, l);
	t = kind == 'k' ? lex_key(l) : lex_next(l);
	if (t.type != T_WORD && t.type != T_STRING)
		return NULL;
	switch (kind) {
	case 't':
		return t.type == T_STRING ? unquote(&t) : NULL;
	case 'w':
		return unquote(&t);
	case 'i':
		return number_value(&t);
	case 'b':
		return t.type != T_WORD			    ? NULL
		       : t.n == 3 && !memcmp(t.s, "yes", 3) ? json_true()
		       : t.n == 2 && !memcmp(t.s, "no", 2)  ? json_false()
							    : NULL;
	case '!':
		return t.type == T_WORD && t.n == it->nname && !memcmp(t.s, it->name, t.n)
			       ? json_true()
			       : NULL;
	default:
		return word_value(it, &t);
	}
}

static json_t *values(const struct item *it, struct lexer *l)
{
	json_t *list = json_array();

	for (;;) {
		struct lexer before = *l;
		json_t *v = value(it, l);
		struct token t;

		if (!v || json_array_append_new(list, v)) {
			*l = before;
			break;
		}
		if (it->list == '*')
			continue;
		before = *l;
		t = lex_next(l);
		if (t.type != T_COMMA) {
			*l = before;
			return list;
		}
	}
	if (it->list == '*' && json_array_size(list))
		return list;
	json_decref(list);
	return NULL;
}

static bool literal(const struct item *it, struct lexer *l)
{
	struct token t = lex_next(l);

	return (t.type == T_WORD || t.type == T_EQ) && t.n == it->nlit &&
	       !memcmp(t.s, it->lit, t.n);
}

static int set_member(json_t *obj, const char *name, size_t n, json_t *v)
{
	char key[32];

	assert(n < sizeof(key)); /* names of our own tables */
	memcpy(key, name, n);
	key[n] = 0;
	return json_object_set_new(obj, key, v);
}

/* What the line says, if it goes this way to its end. */
static json_t *by_way(const char *way, const char *s, size_t n)
{
	struct item it[ITEMS_MAX];
	size_t items = shape_items(way, it);
	json_t *obj = json_object(), *bare = NULL, *v;
	struct lexer l = {0};

	lex_text(&l, s, n, 0);
	for (size_t i = 0; i < items; i++) {
		if (it[i].lit) {
			if (!literal(&it[i], &l))
				goto no;
			continue;
		}
		v = it[i].list ? values(&it[i], &l) : value(&it[i], &l);
		if (!v)
			goto no;
		if (!it[i].nname)
			bare = v;
		else if (set_member(obj, it[i].name, it[i].nname, v))
			goto no;
	}
	if (lex_next(&l).type != T_EOF)
		goto no;
	if (bare) {
		json_decref(obj);
		return bare;
	}
	return obj;
no:
	json_decref(obj);
	json_decref(bare);
	return NULL;
}

static json_t *by_shape(const struct shape *sh, const char *s, size_t n)
{
	json_t *j = NULL;

	for (int i = 0; i < WAYS_MAX && sh->way[i] && !j; i++)
		j = by_way(sh->way[i], s, n);
	return j;
}

/* ---- blocks ---- */

/* Lines are indented by tabs only; what is left is a keyword and its values. */
static void keyword(const char **s, size_t *n, const char **ret_kw, size_t *ret_nkw)
{
	while (*n && **s == '\t')
		(*s)++, (*n)--;
	*ret_kw = *s;
	*ret_nkw = strcspn(*s, " \n");
	*s += *ret_nkw;
	*n -= *ret_nkw;
}

/*
 * basis "..." or basis documentation "..." of a category, up to the brace. Members "basis",
 * "basis-documentation", "basis-training".
 */
static int sensitive_block(struct lines *l, json_t *obj)
{
	static const char *const way[] = {":t", "'documentation' :t", "'training' :t"};
	static const char *const member[] = {"basis", "basis-documentation", "basis-training"};
	const char *s, *kw;
	size_t n, nkw;

	while (next_line(l, &s, &n)) {
		json_t *j = NULL;
		int i = 0;

		keyword(&s, &n, &kw, &nkw);
		if (nkw == 1 && *kw == '}')
			return 0;
		while (i < 3 && !(j = by_way(way[i], s, n)))
			i++;
		if (i == 3 || json_object_set_new(obj, member[i], j))
			return -ENOMEM;
	}
	return -ENOMEM;
}

static int add(json_t *obj, const struct shape *sh, json_t *j)
{
	json_t *list = sh->many ? json_object_get(obj, sh->name) : NULL;

	if (!j)
		return -ENOMEM;
	if (!sh->many)
		return json_object_set_new(obj, sh->name, j) ? -ENOMEM : 0;
	if (!list && json_object_set_new(obj, sh->name, list = json_array())) {
		json_decref(j);
		return -ENOMEM;
	}
	return json_array_append_new(list, j) ? -ENOMEM : 0;
}

/* Settings up to the closing brace. -ENOMEM is all that can go wrong: the text is policy_print's.
 */
static int body(struct lines *l, const struct shape *shapes, json_t *obj)
{
	const char *s, *kw;
	size_t n, nkw;

	while (next_line(l, &s, &n)) {
		const struct shape *sh;
		bool opens = n && s[n - 1] == '{';
		int err;

		keyword(&s, &n, &kw, &nkw);
		if (nkw == 1 && *kw == '}')
			return 0;
		sh = shape_find(shapes, kw, nkw);
		if (!sh)
			return -ENOMEM;
		if (opens && !sh->way[0]) {
			json_t *block = json_object();

			err = body(l, shapes_block, block);
			if (err || json_object_set_new(obj, sh->name, block))
				return -ENOMEM;
			continue;
		}
		if (opens) {
			json_t *j = by_shape(sh, s,
					     n - 2); /* without the brace and the blank before it */

			if (!j || sensitive_block(l, j) || add(obj, sh, j))
				return -ENOMEM;
			continue;
		}
		err = add(obj, sh, by_shape(sh, s, n));
		if (err)
			return err;
	}
	return -ENOMEM;
}

/* `set NAME [dynamic] KIND [sensitive] {` and its members, one a line. */
static int set_body(struct lines *l, struct lexer *head, json_t *obj)
{
	static const struct item word = {.kind = "w", .nkind = 1};
	json_t *members = json_array();
	struct token t = lex_next(head);
	const char *s;
	size_t n;

	if (json_object_set_new(obj, "members", members))
		return -ENOMEM;
	if (t.n == 7 && !memcmp(t.s, "dynamic", 7)) {
		json_object_set_new(obj, "dynamic", json_true());
		t = lex_next(head);
	}
	if (json_object_set_new(obj, "kind", unquote(&t)))
		return -ENOMEM;
	t = lex_next(head);
	if (t.type == T_WORD)
		json_object_set_new(obj, "sensitive", json_true());
	while (next_line(l, &s, &n)) {
		struct lexer x = {0};

		if (n == 1 && *s == '}')
			return 0;
		lex_text(&x, s, n, 0);
		if (json_array_append_new(members, value(&word, &x)))
			return -ENOMEM;
	}
	return -ENOMEM;
}

static int object(struct lines *l, const char *line, size_t n, json_t *root)
{
	const struct kind_of *k = policy_json_kinds;
	struct lexer x = {0};
	struct token head, name = {0};
	json_t *obj = json_object(), *list;
	int err;

	lex_text(&x, line, n, 0);
	head = lex_next(&x);
	while (k->name && (strlen(k->head) != head.n || memcmp(k->head, head.s, head.n)))
		k++;
	if (!k->name || !obj) {
		json_decref(obj);
		return -ENOMEM;
	}
	if (k->shapes == shapes_rule && !k->quoted) { /* defaults: one, without a name */
		err = body(l, k->shapes, obj);
		return json_object_set_new(root, k->name, obj) ? -ENOMEM : err;
	}
	name = lex_next(&x);
	list = json_object_get(root, k->name);
	if (!list && json_object_set_new(root, k->name, list = json_array())) {
		json_decref(obj);
		return -ENOMEM;
	}
	if (json_array_append_new(list, obj) || json_object_set_new(obj, "id", unquote(&name)))
		return -ENOMEM;
	return k->shapes ? body(l, k->shapes, obj) : set_body(l, &x, obj);
}

json_t *policy_json_from(const struct policy *p)
{
	json_t *root = json_object();
	char *text = NULL;
	const char *line;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);
	struct lines l;
	int err = f ? policy_print(f, p) : -ENOMEM;

	if (f && fclose(f))
		err = -ENOMEM;
	if (!err && json_object_set_new(root, "optag-policy", json_integer(1)))
		err = -ENOMEM;
	l = (struct lines){text, text ? text + n : NULL};
	while (!err && next_line(&l, &line, &n))
		err = object(&l, line, n, root);
	free(text);
	if (err) {
		json_decref(root);
		return NULL;
	}
	return root;
}
