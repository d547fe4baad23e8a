/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_policy.c - any bytes are a policy or a diagnostic; a policy prints to a fixed point
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "policy/effective.h"
#include "policy/policy.h"

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
	int err = policy_load_mem("fuzz", text, n, TODAY, &d, &p);

	check(err ? !p && d.errors : p && !d.errors);
	for (size_t i = 0; i < d.n; i++)
		check(d.d[i].line >= 1 && d.d[i].col >= 1 && d.d[i].width >= 1 && d.d[i].text &&
		      d.d[i].text[0]);
	policy_diags_free(&d);
	return p;
}

static char *print(const struct policy *p, size_t *ret_n)
{
	char *s = NULL;
	FILE *f = open_memstream(&s, ret_n);

	check(f && !policy_print(f, p));
	fclose(f);
	return s;
}

/* A few calls cut out of the same bytes. */
static void evaluate(const struct policy *p, const uint8_t *data, size_t size)
{
	struct policy_input in = {.time = TODAY};
	struct policy_decision d;

	in.called = (struct policy_str){(const char *)data, size < 40 ? size : 40};
	in.calling = (struct policy_str){(const char *)data + size / 2,
					 size - size / 2 < 40 ? size - size / 2 : 40};
	for (int i = 0; i < POLICY_HEADERS_MAX; i++)
		in.header[i] = in.calling;
	policy_eval(p, &in, &d);
	check(d.verdict != POLICY_MATCH || d.rule);
	check(strlen(d.called) < POLICY_NUMBER_MAX && strlen(d.calling) < POLICY_NUMBER_MAX);
}

static void tell(void *arg, const struct policy_effective *e)
{
	check(e->setting && e->text && *e->text && (e->file != NULL) == (e->source != POLICY_BUILT_IN));
	fputs(e->text, arg);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct policy *p = load((const char *)data, size), *q;
	size_t n, m;
	char *a, *b, *e = NULL;
	FILE *f;

	if (!p)
		return 0;
	a = print(p, &n);
	q = load(a, n);
	check(q != NULL);
	b = print(q, &m);
	check(n == m && !memcmp(a, b, n) && !strcmp(policy_hash(p), policy_hash(q)));
	f = open_memstream(&e, &m);
	for (size_t i = 0; f && i < policy_rules(p); i++)
		check(!policy_explain(f, p, policy_rule(p, i)) && !policy_explain_in(f, p, policy_rule(p, i), POLICY_DA, NULL) &&
		      !policy_effective(p, policy_rule(p, i), tell, f));
	if (f)
		fclose(f);
	evaluate(p, data, size);
	free(a);
	free(b);
	free(e);
	policy_free(p);
	policy_free(q);
	return 0;
}
