/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * policy_schema.c - JSON Schema of the twin, made from the same table of shapes
 *
 * It says how things are spelt; whether they may be so, only the linter knows.
 */
#include <string.h>

#include "policy_json.h"
#include "policy_json_internal.h"

static json_t *text(void)
{
	return json_pack("{s:s, s:i}", "type", "string", "maxLength", 4096);
}

static json_t *words(const struct item *it)
{
	json_t *list = json_array();
	const char *w = it->kind, *end = it->kind + it->nkind;

	while (w < end) {
		size_t n = strcspn(w, "|");

		if (w + n > end)
			n = (size_t)(end - w);
		json_array_append_new(list, json_stringn(w, n));
		w += n + 1;
	}
	return json_pack("{s:o}", "enum", list);
}

static json_t *one(const struct item *it)
{
	const char *pattern;

	if (kind_is_words(it))
		return words(it);
	if (*it->kind == 'i')
		return json_pack("{s:s}", "type", "integer");
	if (*it->kind == 'b')
		return json_pack("{s:s}", "type", "boolean");
	if (*it->kind == '!')
		return json_pack("{s:b}", "const", 1);
	pattern = kind_pattern(*it->kind);
	return pattern ? json_pack("{s:s, s:s}", "type", "string", "pattern", pattern) : text();
}

static json_t *value(const struct item *it)
{
	return it->list ? json_pack("{s:s, s:o, s:i}", "type", "array", "items", one(it),
				    "minItems", 1)
			: one(it);
}

static json_t *object(json_t *properties, json_t *required)
{
	return json_pack("{s:s, s:o, s:o, s:b}", "type", "object", "properties", properties,
			 "required", required, "additionalProperties", 0);
}

static json_t *way(const char *w)
{
	struct item it[ITEMS_MAX];
	size_t n = shape_items(w, it);
	json_t *properties = json_object(), *required = json_array();

	for (size_t i = 0; i < n; i++) {
		char key[32] = "";

		if (it[i].lit)
			continue;
		if (!it[i].nname) {
			json_decref(properties);
			json_decref(required);
			return value(&it[i]);
		}
		memcpy(key, it[i].name, it[i].nname);
		json_object_set_new(properties, key, value(&it[i]));
		json_array_append_new(required, json_string(key));
	}
	return object(properties, required);
}

/* By purpose, which takes a block in the policy's text. */
static json_t *sensitive(void)
{
	return object(json_pack("{s:o, s:o, s:o, s:o}", "category", text(), "basis", text(),
				"basis-documentation", text(), "basis-training", text()),
		      json_pack("[s]", "category"));
}

static json_t *setting(const struct shape *sh)
{
	json_t *j, *ways = json_array();

	if (!sh->way[0]) {
		json_decref(ways);
		return json_pack("{s:s}", "$ref", "#/$defs/purpose");
	}
	for (int i = 0; i < WAYS_MAX && sh->way[i]; i++)
		json_array_append_new(ways, way(sh->way[i]));
	if (!strcmp(sh->name, "sensitive"))
		json_array_append_new(ways, sensitive());
	if (json_array_size(ways) == 1) {
		j = json_incref(json_array_get(ways, 0));
		json_decref(ways);
	} else {
		j = json_pack("{s:o}", "anyOf", ways);
	}
	return sh->many ? json_pack("{s:s, s:o}", "type", "array", "items", j) : j;
}

static json_t *settings(const struct shape *shapes, bool named)
{
	json_t *properties = json_object();

	if (named)
		json_object_set_new(properties, "id", text());
	for (; shapes->name; shapes++)
		json_object_set_new(properties, shapes->name, setting(shapes));
	return object(properties, named ? json_pack("[s]", "id") : json_array());
}

static json_t *set(void)
{
	json_t *kinds = json_array();

	for (int i = 0; policy_json_set_kinds[i]; i++)
		json_array_append_new(kinds, json_string(policy_json_set_kinds[i]));
	return object(json_pack("{s:o, s:{s:o}, s:{s:s}, s:{s:s}, s:{s:s, s:o}}", "id", text(),
				"kind", "enum", kinds, "dynamic", "type", "boolean", "sensitive",
				"type", "boolean", "members", "type", "array", "items", text()),
		      json_pack("[s, s]", "id", "kind"));
}

json_t *policy_json_schema(void)
{
	json_t *properties = json_pack("{s:{s:i}}", "optag-policy", "const", 1);

	for (const struct kind_of *k = policy_json_kinds; k->name; k++) {
		bool named = k->shapes != shapes_rule || k->quoted;
		json_t *j = k->shapes ? settings(k->shapes, named) : set();

		json_object_set_new(properties, k->name,
				    named ? json_pack("{s:s, s:o}", "type", "array", "items", j)
					  : j);
	}
	return json_pack("{s:s, s:s, s:s, s:o, s:s, s:o, s:o, s:b}", "$schema",
			 "https://json-schema.org/draft/2020-12/schema", "title", "optag policy",
			 "description",
			 "The JSON twin of an optag policy: spelling only. What a policy may say, "
			 "`optag policy check` knows.",
			 "$defs", json_pack("{s:o}", "purpose", settings(shapes_block, false)),
			 "type", "object", "properties", properties, "required",
			 json_pack("[s]", "optag-policy"), "additionalProperties", 0);
}
