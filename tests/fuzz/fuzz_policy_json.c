/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_policy_json.c - any bytes are JSON of a policy or a reason; what loads comes back with its
 * hash. Bytes that are a policy's text become JSON first, so that the corpus may hold both.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tools/policy_json.h"

#define TODAY 1796000000 /* 2026-11-30: the corpus must not age */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int good)
{
	if (!good)
		abort();
}

static struct policy *load(const char *text, size_t n)
{
	struct policy_diags d = {0};
	struct policy *p = NULL;

	(void)policy_load_mem("fuzz", text, n, TODAY, &d, &p);
	policy_diags_free(&d);
	return p;
}

/* NULL: refused, by either. */
static struct policy *from_json(const char *json, size_t n)
{
	struct policy_json_where *where;
	struct policy_json_error e = {"", ""};
	struct policy *p = NULL;
	char *text;
	size_t len;
	json_t *j;
	int err = policy_json_read(json, n, &j, &e);

	if (!err) {
		err = policy_json_text(j, &text, &len, &where, &e);
		json_decref(j);
	}
	if (err) {
		check(e.reason[0] && strlen(e.pointer) < sizeof(e.pointer));
		return NULL;
	}
	check(len > 0 || !*policy_json_pointer(where, 1));
	p = load(text, len);
	policy_json_where_free(where);
	free(text);
	return p;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct policy *p = size && data[0] == '{' ? from_json((const char *)data, size)
						  : load((const char *)data, size),
		      *q;
	json_t *j;
	char *s;

	if (!p)
		return 0;
	j = policy_json_from(p);
	check(j != NULL);
	s = json_dumps(j, JSON_COMPACT);
	json_decref(j);
	check(s != NULL);
	q = from_json(s, strlen(s));
	check(q && !strcmp(policy_hash(p), policy_hash(q)));
	free(s);
	policy_free(p);
	policy_free(q);
	return 0;
}
