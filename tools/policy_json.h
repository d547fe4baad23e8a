/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * policy_json.h - the JSON twin of a policy
 *
 * The same statements as the canonical text, one member a setting, and nothing
 * else: policy_json_from writes what policy_print prints, policy_json_text
 * writes text that loads to a policy of the same hash. One table of shapes
 * (policy_json_shape.c) is read for both directions and for the published
 * schema, so that they cannot differ. Only jansson and policy/; a process
 * without files.
 */
#ifndef TOOLS_POLICY_JSON_H
#define TOOLS_POLICY_JSON_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "policy/policy.h"

#define POLICY_JSON_BYTES_MAX	   (64u << 20)
#define POLICY_JSON_DEPTH_MAX	   8	   /* a policy has 7 */
#define POLICY_JSON_CONTAINERS_MAX 1000000 /* objects and arrays in one text */

struct policy_json_error {
	char pointer[512]; /* RFC 6901; "" the whole */
	char reason[256];  /* a sentence without full stop; no control characters */
};

/*
 * JSON text, hostile: size, nesting, UTF-8, members that come twice, what follows
 * the value. 0; -EINVAL with *e; -ENOMEM.
 */
int policy_json_read(const char *text, size_t n, json_t **ret, struct policy_json_error *e);

/* NULL: out of memory. */
json_t *policy_json_from(const struct policy *p);

/*
 * Policy text (*ret_text malloc'ed) and, for each of its lines, the pointer to
 * what it says (*ret_where). 0; -EINVAL with *e; -ENOMEM.
 */
struct policy_json_where;
int policy_json_text(const json_t *j, char **ret_text, size_t *ret_n, struct policy_json_where **ret_where,
		     struct policy_json_error *e);
const char *policy_json_pointer(const struct policy_json_where *w, int line); /* "" when there is none */
void policy_json_where_free(struct policy_json_where *w);

/* JSON Schema (draft 2020-12) of the twin. NULL: out of memory. */
json_t *policy_json_schema(void);

#endif
