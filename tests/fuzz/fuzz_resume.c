/* SPDX-License-Identifier: BSD-2-Clause */
/* fuzz_resume.c - records of calls in progress, saved calls: parsed or refused, and equal when written again */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/le.h"
#include "store/store_call.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(c)                                                        \
	do {                                                           \
		if (!(c)) {                                            \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #c); \
			abort();                                       \
		}                                                      \
	} while (0)

static void again(struct store *st, const uint8_t *p, size_t n)
{
	struct store_call *sc;
	struct buf b = { 0 };
	struct saved s;

	if (saved_get(p, n, &s)) {
		sc = scall_new(st);
		MUST(sc && (sc->key = callkey_blank(st->pool)));
		sc->meta.uid = s.uid;
		sc->id = s.id;
		st->epoch = s.epoch;
		memcpy(sc->gone, s.gone, sizeof(s.gone));
		memcpy(sc->key->data, s.data, 32);
		saved_put(sc, &b);
	} else if (!record_get(st, p, n, &sc)) {
		record_put(sc, &b);
	} else {
		return;
	}
	MUST(b.failed || (b.len == n && !memcmp(b.p, p, n)));
	buf_free(&b);
	scall_free(sc);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct store st = { .root = { .fd = -1 } };
	uint8_t *copy;

	if (!st.pool && (keys_init() || keypool_new(&st.pool)))
		return 0;
	again(&st, data, size);
	if (size < 4)
		return 0;
	copy = malloc(size); /* with the checksum it should have, so that the fields are looked at */
	if (!copy)
		return 0;
	memcpy(copy, data, size);
	le32enc(copy + size - 4, crc32c(0, copy, size - 4));
	again(&st, copy, size);
	free(copy);
	return 0;
}
