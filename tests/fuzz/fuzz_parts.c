/* SPDX-License-Identifier: BSD-2-Clause */
/* fuzz_parts.c - the table of a call's parts, as a row or a record has it: refused, or equal when written again */
#include <string.h>

#include "must.h"
#include "store/parts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Keys of boxes are opened or refused; nothing else may happen. */
static void open_all(const struct parts *p)
{
	static const uint8_t key[32] = { 1 };
	static const struct uid uid = { { 2 } };
	uint8_t out[32];

	for (uint32_t i = 0; i < p->n; i++)
		for (int k = 0; k < STORE_PURPOSES; k++)
			(void)part_open(key, &uid, (enum store_purpose)k, i, p->v[i].epoch, &p->v[i].way[k], out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const bool live[4][STORE_PURPOSES] = { { true, true }, { true, false }, { false, true }, { false, false } };
	struct parts p, q;
	struct buf b = { 0 };

	if (keys_init() || parts_get(data, size, &p)) {
		MUST(keys_init() || (!p.n && !p.v));
		return 0;
	}
	MUST(!size == !p.n && p.n <= PARTS_MAX);
	open_all(&p);
	parts_put(&p, live[0], false, &b);
	MUST(b.failed || (b.len == size && (!size || !memcmp(b.p, data, size))));
	for (int i = 1; i < 4 && size; i++) { /* without a purpose: read back, and without it */
		buf_reset(&b);
		parts_put(&p, live[i], true, &b);
		MUST(!parts_get(b.p, b.len, &q) && q.n == p.n);
		for (size_t k = 0; k < q.n; k++)
			MUST(part_set(&q.v[k]) == (part_set(&p.v[k]) & ((live[i][0] ? 1u : 0) | (live[i][1] ? 2u : 0))));
		parts_free(&q);
	}
	parts_free(&p);
	buf_free(&b);
	return 0;
}
