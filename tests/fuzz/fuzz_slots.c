/* SPDX-License-Identifier: BSD-2-Clause */
/* fuzz_slots.c - bucket files, slots, key files, lists of chunks: parsed or refused, and equal when written again */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/le.h"
#include "must.h"
#include "store/catalog.h"
#include "store/segment.h"
#include "store/slots.h"
#include "store/writer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void buckets(const uint8_t *p, size_t n)
{
	uint8_t raw[BUCKET_SIZE], again[BUCKET_SIZE];
	struct bucket b;

	(void)bucket_parse(p, n, &b); /* any answer, no crash */
	if (n < BUCKET_SIZE)
		return;
	memcpy(raw, p, BUCKET_SIZE);
	le32enc(raw + 124, crc32c(0, raw, 124));
	if (bucket_parse(raw, BUCKET_SIZE, &b))
		return;
	bucket_format(&b, again);
	MUST(!memcmp(raw, again, BUCKET_SIZE));
}

static void slots(const uint8_t *p, size_t n)
{
	struct slots_head h;
	uint8_t raw[SLOT_SIZE];
	struct slot s;

	(void)slots_head_parse(p, n, &h);
	for (; n >= SLOT_SIZE; n -= SLOT_SIZE, p += SLOT_SIZE) {
		memcpy(raw, p, SLOT_SIZE);
		(void)slot_parse(raw, &s);
		le32enc(raw + 252, crc32c(0, raw, 252));
		(void)slots_head_parse(raw, SLOT_SIZE, &h);
		if (!slot_parse(raw, &s))
			MUST(s.empty || s.purpose < STORE_PURPOSES);
	}
}

static void key_files(const uint8_t *p, size_t n)
{
	char *text = malloc(n + 1);
	struct pubkey k;

	MUST(text);
	memcpy(text, p, n);
	text[n] = 0;
	(void)pubkey_parse(text, n, &k);
	free(text);
}

static void extents(const uint8_t *p, size_t n)
{
	struct extent_state in = { 0 }, out = { 0 };
	struct buf b = { 0 };
	struct extent e;

	while (extent_get(&p, &n, &in, &e) == 1) {
		struct extent_state st = out;
		const uint8_t *q;
		size_t at = b.len, left;
		struct extent f;

		MUST(e.off >= SEGMENT_HEAD && e.off <= SEGMENT_MAX && e.len >= CHUNK_DISK_MIN &&
		     e.len <= CHUNK_DISK_MAX);
		extent_put(&b, &out, &e);
		MUST(!b.failed);
		q = b.p + at;
		left = b.len - at;
		MUST(extent_get(&q, &left, &st, &f) == 1 && !left);
		MUST(f.segment == e.segment && f.off == e.off && f.len == e.len);
	}
	buf_free(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	buckets(data, size);
	slots(data, size);
	key_files(data, size);
	extents(data, size);
	return 0;
}
