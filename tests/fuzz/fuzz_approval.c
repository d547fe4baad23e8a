/* SPDX-License-Identifier: BSD-2-Clause */
/* fuzz_approval.c - any bytes as an approval, as a key, and as a line of the policy's history: one spelling or refused */
#include <stdint.h>
#include <string.h>

#include "must.h"
#include "policy/approval.h"
#include "polhist.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void history(const char *p, size_t n)
{
	static struct polhist_state s;
	char out[POLHIST_LINE_MAX], again[POLHIST_LINE_MAX];
	struct polhist_line l, m;
	size_t len;

	if (polhist_parse(p, n, &l))
		return;
	len = polhist_format(&l, out);
	MUST(len > 1 && out[len - 1] == '\n' && !memchr(out, '\n', len - 1));
	MUST(polhist_parse(out, len - 1, &m) == 0);
	MUST(polhist_format(&m, again) == len && memcmp(out, again, len) == 0);
	MUST(polhist_apply(&s, &l) == 0 || s.nstop == POLHIST_STOPS);
	MUST(s.nstop <= POLHIST_STOPS && s.nproposal <= POLHIST_PROPOSALS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *p = (const char *)data;
	char out[APPROVAL_MAX], name[APPROVAL_NAME];
	struct approval a;
	uint8_t key[32];
	size_t n;

	if (approval_parse(p, size, &a) == 0) {
		n = approval_format(&a, out);
		MUST(n == size && memcmp(out, p, n) == 0); /* one spelling */
		MUST(approval_name_ok(a.approver));
	}
	for (int secret = 0; secret < 2; secret++)
		if (approval_key_parse(p, size, secret, name, key) == 0) {
			n = approval_key_format(secret, name, key, out);
			MUST(n == size && memcmp(out, p, n) == 0);
		}
	history(p, size);
	return 0;
}
