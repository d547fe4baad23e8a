/* SPDX-License-Identifier: BSD-2-Clause */
/* fuzz_resume.c - records of calls in progress, saved calls: parsed or refused, and equal when written again */
#include <stdlib.h>
#include <string.h>

#include "base/le.h"
#include "must.h"
#include "store/store_call.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* As a call that was saved so: nothing of the sets is given, so the ways are set by hand. */
static void take(struct store *st, struct store_call *sc, const struct saved *s)
{
	sc->key = callkey_new(st->pool);
	MUST(sc->key);
	sc->meta.uid = s->uid;
	sc->id = s->id;
	st->epoch = s->epoch;
	memcpy(sc->gone, s->gone, sizeof(s->gone));
	memcpy(sc->key->numbers, s->numbers, 32);
	for (int p = 0; p < STORE_PURPOSES; p++) {
		sc->keyed[p] = s->keyed[p];
		sc->slot[p] = s->wrapped[p];
		memcpy(sc->key->purpose[p], s->purpose[p], 32);
	}
	for (unsigned i = 0; i < s->nparts; i++) {
		struct part *k = parts_add(&sc->parts);
		struct saved_part sp;

		MUST(k);
		saved_part(s, i, &sp);
		k->epoch = sp.epoch;
		k->from_ns = sp.from_ns;
		for (int p = 0; p < STORE_PURPOSES; p++)
			k->way[p].how = sp.set >> p & 1 ? PART_DERIVED : PART_NONE;
		k->key = sp.data ? partkey_new(st->pool) : NULL;
		if (sp.data)
			memcpy(k->key->data, sp.data, 32);
	}
}

static void again(struct store *st, const uint8_t *p, size_t n)
{
	struct store_call *sc;
	unsigned slots = 0, ways = 0;
	struct buf b = { 0 };
	struct saved s;

	if (saved_get(p, n, &s)) {
		if (p[8] != 3) /* of the daemon before: read, never written */
			return;
		sc = scall_new(st);
		MUST(sc);
		take(st, sc, &s);
		saved_put(sc, true, &b);
	} else if (!record_get(st, p, n, &sc)) {
		if (p[8] != 3) { /* of format 1 or 2: read, never written */
			scall_free(sc);
			return;
		}
		for (int i = 0; i < STORE_PURPOSES; i++)
			slots |= sc->slot[i] ? 1u << i : 0;
		for (size_t i = 0; i < sc->parts.n; i++)
			ways |= part_set(&sc->parts.v[i]);
		ways |= (sc->parts.numbers[0].how ? 1u : 0) | (sc->parts.numbers[1].how ? 2u : 0);
		if (ways & ~slots) { /* left out when it is written */
			scall_free(sc);
			return;
		}
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
