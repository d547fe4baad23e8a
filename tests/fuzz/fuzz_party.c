/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_party.c - any bytes as the sealed part of a row, and as what the policy was asked
 *
 * What is accepted is written again as the same bytes but for longer spellings of a length, and
 * asks a policy without harm.
 */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "call/facts.h"
#include "must.h"
#include "store/party.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct policy *policy(void)
{
	static const char text[] = "controller c {\n name \"C\"\n cvr 12345678\n contact "
				   "\"a@b.example\"\n timezone Europe/Copenhagen\n languages en\n"
				   " trunks t\n roles r\n lab yes\n}\ntrunk t {\n address "
				   "0.0.0.0/0\n dedicated yes\n}\n"
				   "never \"n\" {\n header X-Private = yes\n}\n";
	static struct policy *p;
	struct policy_diags d = {0};

	if (!p)
		MUST(policy_load_mem("fuzz", text, sizeof(text) - 1, 1795000000, &d, &p) == 0);
	policy_diags_free(&d);
	return p;
}

static void ask(const uint8_t *p, size_t n)
{
	struct call_facts *f = NULL;
	struct policy_decision d;
	struct policy_input in;
	struct buf b = {0};
	bool blind;

	if (call_facts_load(p, n, &f))
		return;
	call_facts_save(f, &b);
	MUST(b.len == n && (!n || !memcmp(b.p, p, n)));
	buf_free(&b);
	call_facts_input(f, policy(), &in, &blind);
	policy_eval(policy(), &in, &d);
	MUST(d.verdict != POLICY_MATCH);
	call_facts_free(f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct party p, q;
	struct buf b = {0};
	char *number[2];

	if (party_get(data, size, &p)) {
		ask(data, size);
		return 0;
	}
	for (int i = 0; i < 2; i++)
		number[i] = strndup((const char *)p.number[i], p.number_len[i]);
	if (number[0] && number[1] && strlen(number[0]) == p.number_len[0] &&
	    strlen(number[1]) == p.number_len[1]) {
		struct store_call_meta m = {.caller = number[0],
					    .callee = number[1],
					    .facts = p.facts,
					    .facts_len = p.facts_len};

		party_put(&b, &m);
		MUST(!b.failed && b.len <= size && !party_get(b.p, b.len, &q));
		MUST(q.number_len[0] == p.number_len[0] && q.facts_len == p.facts_len &&
		     (!p.facts_len || !memcmp(q.facts, p.facts, p.facts_len)));
	}
	if (p.facts)
		ask(p.facts, p.facts_len);
	buf_free(&b);
	free(number[0]);
	free(number[1]);
	return 0;
}
