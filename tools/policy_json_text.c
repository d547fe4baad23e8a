/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * policy_json_text.c - JSON to policy text, one statement a line
 *
 * Every value is written by its kind: what could end a value, or begin another
 * statement, is refused or quoted. So the text says what the JSON says, and
 * what it may say is the linter's business.
 */
#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/lex.h"
#include "policy_json.h"
#include "policy_json_internal.h"

struct policy_json_where {
	char **pointer; /* of line i + 1 */
	size_t n, cap;
};

struct out {
	FILE *f;
	char path[512];
	size_t len;
	struct policy_json_where *where;
	struct policy_json_error *e;
	bool oom;
};

/* ---- where we are ---- */

static size_t push(struct out *o, const char *key)
{
	size_t before = o->len;

	if (o->len + 2 < sizeof(o->path))
		o->path[o->len++] = '/';
	for (; *key && o->len + 3 < sizeof(o->path); key++) {
		if (*key == '~' || *key == '/') {
			o->path[o->len++] = '~';
			o->path[o->len++] = *key == '~' ? '0' : '1';
		} else {
			o->path[o->len++] = (unsigned char)*key < ' ' || *key == 0x7f ? '?' : *key;
		}
	}
	o->path[o->len] = 0;
	return before;
}

static size_t push_index(struct out *o, size_t i)
{
	char s[24];

	snprintf(s, sizeof(s), "%zu", i);
	return push(o, s);
}

static void pop(struct out *o, size_t before)
{
	o->len = before;
	o->path[o->len] = 0;
}

static int refuse(struct out *o, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static int refuse(struct out *o, const char *fmt, ...)
{
	va_list ap;

	snprintf(o->e->pointer, sizeof(o->e->pointer), "%s", o->path);
	va_start(ap, fmt);
	vsnprintf(o->e->reason, sizeof(o->e->reason), fmt, ap);
	va_end(ap);
	for (char *s = o->e->reason; *s; s++)
		if ((unsigned char)*s < ' ' || *s == 0x7f)
			*s = '?';
	return -EINVAL;
}

static int refuse_in(struct out *o, const char *key, const char *reason)
{
	size_t at = push(o, key);
	int err = refuse(o, "%s", reason);

	pop(o, at);
	return err;
}

static void end_line(struct out *o)
{
	struct policy_json_where *w = o->where;

	fputc('\n', o->f);
	if (w->n == w->cap) {
		size_t cap = w->cap ? 2 * w->cap : 256;
		char **p = realloc(w->pointer, cap * sizeof(*p));

		if (!p) {
			o->oom = true;
			return;
		}
		w->pointer = p;
		w->cap = cap;
	}
	w->pointer[w->n] = strdup(o->path);
	if (!w->pointer[w->n++])
		o->oom = true;
}

static const char *type_name(const json_t *j)
{
	static const char *const names[] = {"an object", "an array", "a text", "a whole number",
					    "a number",	 "true",     "false",  "null"};

	return names[json_typeof(j)];
}

/* ---- values ---- */

static void put_quoted(FILE *f, const char *s)
{
	fputc('"', f);
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			fputc('\\', f);
		fputc(*s, f);
	}
	fputc('"', f);
}

static void put_word(struct out *o, const struct item *it, const char *s)
{
	bool bare = lex_is_word(s) || (it->list && *s == '@' && lex_is_word(s + 1));

	if (kind_is_words(it) || !strchr("wt", *it->kind) || (*it->kind == 'w' && bare))
		fputs(s, o->f);
	else
		put_quoted(o->f, s);
}

static int put_value(struct out *o, const struct item *it, const json_t *j)
{
	const char *s = json_string_value(j);

	if (!kind_is_words(it)) {
		if (*it->kind == 'b') {
			if (!json_is_boolean(j))
				return refuse(o, "true or false is expected, not %s", type_name(j));
			fputs(json_is_true(j) ? "yes" : "no", o->f);
			return 0;
		}
		if (*it->kind == '!') {
			if (!json_is_true(j))
				return refuse(
					o,
					"true is all that can stand here; leave it out otherwise");
			fprintf(o->f, "%.*s", (int)it->nname, it->name);
			return 0;
		}
		if (*it->kind == 'i') {
			if (!json_is_integer(j))
				return refuse(o, "a whole number is expected, not %s",
					      type_name(j));
			fprintf(o->f, "%lld", (long long)json_integer_value(j));
			return 0;
		}
	}
	if (!s)
		return refuse(o, "%s is expected, not %s", kind_name(it), type_name(j));
	for (const char *c = s; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			return refuse(o, "a control character is in the text");
	if (!kind_ok(it, s)) {
		if (kind_is_words(it))
			return refuse(o, "one of %.*s is expected", (int)it->nkind, it->kind);
		return refuse(o, "%s is expected", kind_name(it));
	}
	put_word(o, it, s);
	return 0;
}

static int put_values(struct out *o, const struct item *it, const json_t *j)
{
	int err = 0;

	if (!it->list)
		return put_value(o, it, j);
	if (!json_is_array(j))
		return refuse(o, "an array is expected, not %s", type_name(j));
	if (!json_array_size(j))
		return refuse(o, "the array is empty; leave it out");
	for (size_t i = 0; i < json_array_size(j) && !err; i++) {
		size_t at = push_index(o, i);

		if (i)
			fputs(it->list == ',' ? ", " : " ", o->f);
		err = put_value(o, it, json_array_get(j, i));
		pop(o, at);
	}
	return err;
}

static const json_t *member(const json_t *obj, const struct item *it)
{
	char key[32];

	assert(it->nname < sizeof(key));
	memcpy(key, it->name, it->nname);
	key[it->nname] = 0;
	return json_object_get(obj, key);
}

static int put_way(struct out *o, const struct item *it, size_t n, const json_t *j)
{
	int err = 0;

	for (size_t i = 0; i < n && !err; i++) {
		char key[32];
		size_t at = o->len;

		fputc(' ', o->f);
		if (it[i].lit) {
			fprintf(o->f, "%.*s", (int)it[i].nlit, it[i].lit);
			continue;
		}
		if (it[i].nname) {
			snprintf(key, sizeof(key), "%.*s", (int)it[i].nname, it[i].name);
			push(o, key);
		}
		err = put_values(o, &it[i], it[i].nname ? member(j, &it[i]) : j);
		pop(o, at);
	}
	return err;
}

/* ---- which way ---- */

/* The way has the object's members, all of them and no other. */
static bool same_members(const struct item *it, size_t n, const json_t *obj)
{
	size_t named = 0;

	for (size_t i = 0; i < n; i++) {
		if (!it[i].lit && !member(obj, &it[i]))
			return false;
		named += !it[i].lit;
	}
	return named == json_object_size(obj);
}

static bool fits(const struct item *it, size_t n, const json_t *j)
{
	const struct item *v = NULL;

	if (way_is_object(it, n))
		return json_is_object(j) && same_members(it, n, j);
	for (size_t i = 0; i < n; i++)
		if (!it[i].lit)
			v = &it[i];
	if (!v)
		return false; /* no way is literals alone */
	if (v->list || json_is_object(j))
		return v->list && json_is_array(j);
	/* of several single values, the one that this is */
	return kind_is_words(v)	 ? json_is_string(j) && kind_ok(v, json_string_value(j))
	       : *v->kind == 'b' ? json_is_boolean(j)
	       : *v->kind == 'i' ? json_is_integer(j)
				 : json_is_string(j);
}

static bool known_member(const struct shape *sh, const char *key)
{
	struct item it[ITEMS_MAX];

	for (int w = 0; w < WAYS_MAX && sh->way[w]; w++) {
		size_t n = shape_items(sh->way[w], it);

		for (size_t i = 0; i < n; i++)
			if (!it[i].lit && it[i].nname == strlen(key) &&
			    !memcmp(it[i].name, key, it[i].nname))
				return true;
	}
	return false;
}

/* No way has this value: what is wrong with it. */
static int no_way(struct out *o, const struct shape *sh, const json_t *j)
{
	struct item it[ITEMS_MAX];
	const char *key;
	json_t *v;
	size_t n = shape_items(sh->way[0], it);

	if (json_is_object(j)) {
		json_object_foreach(
			(json_t *)(uintptr_t)j, key,
			v) if (!known_member(sh,
					     key)) return refuse_in(o, key,
								    "there is no such member here");
		return refuse(o, json_object_size(j)
					 ? "these members do not go together, or one is missing"
					 : "the object is empty");
	}
	if (way_is_object(it, n) && !sh->way[1])
		return refuse(o, "an object is expected, not %s", type_name(j));
	if (json_is_string(j)) {
		for (int w = 0; w < WAYS_MAX && sh->way[w]; w++) {
			n = shape_items(sh->way[w], it);
			if (n == 1 && !it[0].nname && !it[0].list)
				return put_value(o, &it[0], j);
		}
	}
	if (!way_is_object(it, n))
		return put_way(o, it, n, j); /* says what it expects */
	return refuse(o, "%s cannot stand here", type_name(j));
}

static int put_shape(struct out *o, const struct shape *sh, const json_t *j)
{
	struct item it[ITEMS_MAX];

	for (int w = 0; w < WAYS_MAX && sh->way[w]; w++) {
		size_t n = shape_items(sh->way[w], it);

		if (fits(it, n, j))
			return put_way(o, it, n, j);
	}
	return no_way(o, sh, j);
}

/* ---- blocks ---- */

static int put_sensitive(struct out *o, const struct shape *sh, const json_t *j, const char *indent)
{
	static const char *const members[] = {"basis", "basis-documentation", "basis-training"};
	static const char *const words[] = {"basis", "basis documentation", "basis training"};
	static const struct item text = {.kind = "t", .nkind = 1}, word = {.kind = "w", .nkind = 1};
	const char *key;
	json_t *v;
	int err;

	if (!json_is_object(j) ||
	    (!json_object_get(j, members[1]) && !json_object_get(j, members[2]))) {
		err = put_shape(o, sh, j);
		end_line(o);
		return err;
	}
	json_object_foreach(
		(json_t *)(uintptr_t)j, key,
		v) if (strcmp(key, "category") && strcmp(key, members[0]) &&
		       strcmp(key, members[1]) &&
		       strcmp(key, members[2])) return refuse_in(o, key,
								 "there is no such member here");
	v = json_object_get(j, "category");
	if (!v)
		return refuse(o, "the category is missing");
	fputc(' ', o->f);
	err = put_value(o, &word, v);
	fputs(" {", o->f);
	end_line(o);
	for (int i = 0; i < 3 && !err; i++) {
		size_t at;

		v = json_object_get(j, members[i]);
		if (!v)
			continue;
		at = push(o, members[i]);
		fprintf(o->f, "%s\t%s ", indent, words[i]);
		err = put_value(o, &text, v);
		end_line(o);
		pop(o, at);
	}
	fprintf(o->f, "%s}", indent);
	end_line(o);
	return err;
}

static int put_body(struct out *o, const struct shape *shapes, const json_t *obj,
		    const char *indent);

static int put_setting(struct out *o, const struct shape *sh, const json_t *j, const char *indent)
{
	int err;

	fprintf(o->f, "%s%s", indent, sh->name);
	if (!sh->way[0]) {
		fputs(" {", o->f);
		end_line(o);
		err = put_body(o, shapes_block, j, "\t\t");
		fprintf(o->f, "%s}", indent);
		end_line(o);
		return err;
	}
	if (!strcmp(sh->name, "sensitive"))
		return put_sensitive(o, sh, j, indent);
	err = put_shape(o, sh, j);
	end_line(o);
	return err;
}

static int put_member(struct out *o, const struct shape *sh, const json_t *j, const char *indent)
{
	size_t at = push(o, sh->name), i;
	int err = 0;

	if (!sh->many) {
		err = put_setting(o, sh, j, indent);
	} else if (!json_is_array(j)) {
		err = refuse(o, "an array is expected, not %s", type_name(j));
	} else {
		for (i = 0; i < json_array_size(j) && !err; i++) {
			size_t in = push_index(o, i);

			err = put_setting(o, sh, json_array_get(j, i), indent);
			pop(o, in);
		}
	}
	pop(o, at);
	return err;
}

/* In the order of the object: the canonical form has its own. */
static int put_body(struct out *o, const struct shape *shapes, const json_t *obj,
		    const char *indent)
{
	const char *key;
	json_t *v;
	int err = 0;

	if (!json_is_object(obj))
		return refuse(o, "an object is expected, not %s", type_name(obj));
	json_object_foreach((json_t *)(uintptr_t)obj, key, v)
	{
		const struct shape *sh = shape_find(shapes, key, strlen(key));

		if (!strcmp(key, "id") && indent[1] == 0)
			continue; /* in the head */
		err = sh ? put_member(o, sh, v, indent)
			 : refuse_in(o, key, "there is no such setting here");
		if (err)
			break;
	}
	return err;
}

static int put_members(struct out *o, const json_t *list)
{
	static const struct item word = {.kind = "w", .nkind = 1};
	size_t at = push(o, "members");
	int err = 0;

	if (list && !json_is_array(list))
		return refuse(o, "an array is expected, not %s", type_name(list));
	for (size_t i = 0; i < json_array_size(list) && !err; i++) {
		size_t in = push_index(o, i);

		fputc('\t', o->f);
		err = put_value(o, &word, json_array_get(list, i));
		end_line(o);
		pop(o, in);
	}
	pop(o, at);
	return err;
}

static int flag(struct out *o, const json_t *obj, const char *key)
{
	const json_t *j = json_object_get(obj, key);

	if (j && !json_is_boolean(j))
		return refuse_in(o, key, "true or false is expected");
	return json_is_true(j);
}

static int put_set(struct out *o, const json_t *obj)
{
	static const char *const known[] = {"id", "kind", "dynamic", "sensitive", "members"};
	const char *key, *kind = json_string_value(json_object_get(obj, "kind"));
	int dynamic = flag(o, obj, "dynamic"),
	    sensitive = dynamic < 0 ? dynamic : flag(o, obj, "sensitive"), i = 0, err;
	json_t *v;

	if (sensitive < 0)
		return sensitive;
	json_object_foreach((json_t *)(uintptr_t)obj, key, v)
	{
		size_t k = 0;

		while (k < 5 && strcmp(known[k], key))
			k++;
		if (k == 5)
			return refuse_in(o, key, "there is no such member of a set");
	}
	while (kind && policy_json_set_kinds[i] && strcmp(policy_json_set_kinds[i], kind))
		i++;
	if (!kind || !policy_json_set_kinds[i])
		return refuse_in(o, "kind",
				 "numbers, trunks, agents, queues or holidays is expected");
	fprintf(o->f, "%s %s%s {", dynamic ? " dynamic" : "", kind, sensitive ? " sensitive" : "");
	end_line(o);
	err = put_members(o, json_object_get(obj, "members"));
	fputc('}', o->f);
	end_line(o);
	return err;
}

static int put_object(struct out *o, const struct kind_of *k, const json_t *obj)
{
	static const struct item word = {.kind = "w", .nkind = 1}, text = {.kind = "t", .nkind = 1};
	const json_t *id = json_object_get(obj, "id");
	bool named = k->shapes != shapes_rule || k->quoted;
	size_t at;
	int err = 0;

	if (!json_is_object(obj))
		return refuse(o, "an object is expected, not %s", type_name(obj));
	fputs(k->head, o->f);
	if (named && !id)
		return refuse(o, "its id is missing");
	if (!named && id)
		return refuse_in(o, "id", "there is no such setting here");
	if (named) {
		at = push(o, "id");
		fputc(' ', o->f);
		err = put_value(o, k->quoted ? &text : &word, id);
		pop(o, at);
	}
	if (err || !k->shapes)
		return err ? err : put_set(o, obj);
	fputs(" {", o->f);
	end_line(o);
	err = put_body(o, k->shapes, obj, "\t");
	fputc('}', o->f);
	end_line(o);
	return err;
}

static int put_kind(struct out *o, const struct kind_of *k, const json_t *j)
{
	size_t at = push(o, k->name);
	int err = 0;

	if (k->shapes == shapes_rule && !k->quoted) {
		err = put_object(o, k, j);
	} else if (!json_is_array(j)) {
		err = refuse(o, "an array is expected, not %s", type_name(j));
	} else {
		for (size_t i = 0; i < json_array_size(j) && !err; i++) {
			size_t in = push_index(o, i);

			err = put_object(o, k, json_array_get(j, i));
			pop(o, in);
		}
	}
	pop(o, at);
	return err;
}

static int put_root(struct out *o, const json_t *root)
{
	const json_t *version = json_object_get(root, "optag-policy");
	const char *key;
	json_t *v;
	int err = 0;

	if (!json_is_object(root))
		return refuse(o, "an object is expected, not %s", type_name(root));
	if (!json_is_integer(version) || json_integer_value(version) != 1)
		return refuse_in(o, "optag-policy", "the version of the form, 1, is expected");
	json_object_foreach((json_t *)(uintptr_t)root, key, v)
	{
		const struct kind_of *k = policy_json_kinds;

		while (k->name && strcmp(k->name, key))
			k++;
		if (!k->name && strcmp(key, "optag-policy"))
			return refuse_in(o, key, "there is no such kind of object");
	}
	for (const struct kind_of *k = policy_json_kinds; k->name && !err; k++) {
		v = json_object_get(root, k->name);
		if (v)
			err = put_kind(o, k, v);
	}
	return err;
}

int policy_json_text(const json_t *j, char **ret_text, size_t *ret_n,
		     struct policy_json_where **ret_where, struct policy_json_error *e)
{
	struct out o = {.e = e, .where = calloc(1, sizeof(*o.where))};
	char *text = NULL;
	size_t n = 0;
	int err;

	o.f = o.where ? open_memstream(&text, &n) : NULL;
	if (!o.f) {
		free(o.where);
		return -ENOMEM;
	}
	err = put_root(&o, j);
	if ((fclose(o.f) || o.oom) && !err)
		err = -ENOMEM;
	if (err) {
		free(text);
		policy_json_where_free(o.where);
		return err;
	}
	*ret_text = text;
	*ret_n = n;
	*ret_where = o.where;
	return 0;
}

const char *policy_json_pointer(const struct policy_json_where *w, int line)
{
	return line >= 1 && (size_t)line <= w->n ? w->pointer[line - 1] : "";
}

void policy_json_where_free(struct policy_json_where *w)
{
	for (size_t i = 0; w && i < w->n; i++)
		free(w->pointer[i]);
	if (w)
		free(w->pointer);
	free(w);
}
