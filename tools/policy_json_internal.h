/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * policy_json_internal.h - shapes of settings, shared by both directions and the schema
 *
 * A shape is how a setting's line goes on after its keyword, in one of up to
 * ten ways. A way is a row of items:
 *   'lit'        these characters
 *   name:KIND    a value; a member of that name. Without name: the setting's value itself
 *   KIND,  KIND* one or more, by commas or by blanks: an array
 * KIND is a letter of enum below, or words to choose from: `called|calling`.
 * `name:!` is the literal `name`, true in JSON.
 */
#ifndef TOOLS_POLICY_JSON_INTERNAL_H
#define TOOLS_POLICY_JSON_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>

#define WAYS_MAX  10
#define ITEMS_MAX 8

/*
 * w word, quoted if need be    t text in quotes       i whole number    b yes/no
 * s span "3 months"            p percent "2.5%"       d date            k key
 * n number, @set, withheld     S @set                 o "notice-end+10s"
 * f factor "1.30"              T time "mon-fri 08:00-16:00", "@set"     e element "key:1"
 */
struct shape {
	const char *name; /* the setting */
	const char *way[WAYS_MAX];
	bool many; /* may stand several times: an array */
};

struct item {
	const char *lit, *name, *kind;
	size_t nlit, nname, nkind;
	char list; /* ',' or '*', 0 one value */
};

struct kind_of {
	const char *name; /* "controllers" */
	const char *head; /* "controller" */
	const struct shape *shapes; /* ends with a name NULL; NULL: a set */
	bool quoted;		    /* its name is always in quotes */
};

extern const struct shape shapes_controller[], shapes_trunk[], shapes_announcement[], shapes_assessment[], shapes_rule[],
	shapes_block[];
extern const struct kind_of policy_json_kinds[]; /* in the order of the canonical form; ends with NULL */
extern const char *const policy_json_set_kinds[];

/* Items of a way into out (ITEMS_MAX); how many. */
size_t shape_items(const char *way, struct item *out);
const struct shape *shape_find(const struct shape *s, const char *name, size_t n);
/* Members of a way; false when its value is none of an object's. */
bool way_is_object(const struct item *it, size_t n);
/* Whether s is a value of this kind (t and w: any text). */
bool kind_ok(const struct item *it, const char *s);
/* "a whole number and its unit, as in \"3 months\"" */
const char *kind_name(const struct item *it);
/* A regular expression for the schema, NULL none. */
const char *kind_pattern(char kind);
bool kind_is_words(const struct item *it);

#endif
