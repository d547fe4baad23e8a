/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_segment.c - a segment: walker, chunk headers, and the codec's decoder
 *
 * Chunks in the corpus carry their body in clear where the ciphertext would
 * be, so the decoder gets what a holder of the key could make it see. The
 * checksums are put right first, or nothing would get past them. What decodes
 * must code and decode to itself.
 */
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include "base/buf.h"
#include "base/le.h"
#include "locked.h"
#include "must.h"
#include "store/catalog_internal.h"
#include "store/codec.h"
#include "store/segment.h"
#include "store/store_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct codec *codec;
static struct chunk one, two;

static void once(void)
{
	if (codec)
		return;
	MUST(!codec_new(&codec));
	for (int i = 0; i < 2; i++) {
		struct chunk *c = i ? &two : &one;

		c->pkt = calloc(CHUNK_MAX_PACKETS, sizeof(*c->pkt));
		c->data = malloc(CHUNK_MAX_BYTES);
		MUST(c->pkt && c->data);
	}
}

/* Right checksums wherever something looks like a chunk and fits. */
static void fix(uint8_t *p, size_t n)
{
	if (n >= SEGMENT_HEAD)
		le32enc(p + 124, crc32c(0, p, 124));
	for (size_t at = SEGMENT_HEAD; at + CHUNK_HEAD <= n; at += SEGMENT_ALIGN) {
		uint32_t len = le32dec(p + at + 8);

		if (memcmp(p + at, "OCHK", 4) && memcmp(p + at, "ORow", 4))
			continue;
		if (len >= CHUNK_DISK_MIN && len <= n - at)
			chunk_head_seal(p + at, len);
		else
			le32enc(p + at + 60, crc32c(0, p + at, 60));
	}
}

/* What parses goes into a database, or not, and comes out of it as it was. */
static void rows(const uint8_t *p, size_t n, const struct uid *uid)
{
	static sqlite3 *sql;
	static sqlite3_stmt *st[ROWCOPY_TABLES];
	struct buf out = { 0 };

	if (!rowcopy_sound(p, n, uid))
		return;
	if (!sql) {
		bool version;

		MUST(sqlite3_open(":memory:", &sql) == SQLITE_OK && catalog_setup(sql, &version) == SQLITE_OK &&
		     rowcopy_prepare(sql, st) == SQLITE_OK);
	}
	MUST(sqlite3_exec(sql, "BEGIN", NULL, NULL, NULL) == SQLITE_OK);
	if (rowcopy_insert(sql, p, n) == SQLITE_OK) {
		MUST(rowcopy_take(st, uid, &out) == SQLITE_OK);
		MUST(rowcopy_sound(out.p + ROW_HEAD, out.len - ROW_HEAD, uid));
	}
	MUST(sqlite3_exec(sql, "ROLLBACK", NULL, NULL, NULL) == SQLITE_OK);
	buf_free(&out);
}

static void same(const struct chunk *a, const struct chunk *b)
{
	MUST(a->npkt == b->npkt && a->nbytes == b->nbytes && a->ssrc == b->ssrc && a->stream == b->stream);
	MUST(!memcmp(&a->format.clock, &b->format.clock, sizeof(a->format.clock)));
	MUST(!strcmp(a->format.name, b->format.name) && !strcmp(a->format.fmtp, b->format.fmtp));
	for (uint32_t i = 0; i < a->npkt; i++) {
		const struct chunk_pkt *x = &a->pkt[i], *y = &b->pkt[i];

		MUST(x->seq == y->seq && x->ts == y->ts && x->len == y->len && x->flags == y->flags &&
		     x->pt == y->pt && x->off == y->off);
		MUST(x->arrival_ns / 1000 == y->arrival_ns / 1000);
	}
	MUST(!memcmp(a->data, b->data, a->nbytes));
}

static void decode(const struct chunk_head *h, const uint8_t *body, size_t n)
{
	static uint8_t again[CODEC_BODY_MAX];
	struct chunk_head h2 = { 0 };
	uint8_t *exact = malloc(n ? n : 1); /* ASan sees one byte too far */
	const char *bad;
	size_t len;

	MUST(exact);
	memcpy(exact, body, n);
	bad = codec_decode(codec, h, exact, n, &one);
	free(exact);
	if (bad)
		return;
	MUST(one.npkt == h->packets && one.nbytes == h->payload);
	/* Times near the ends of 64 bits wrap in nanoseconds; those need not come back. */
	for (uint32_t i = 0; i < one.npkt; i++)
		if (one.pkt[i].arrival_ns > 1ULL << 62)
			return;
	if (codec_encode(codec, &one, again, &len, &h2))
		return; /* a sequence number out of bounds */
	MUST(len <= sizeof(again));
	MUST(!codec_decode(codec, &h2, again, len, &two));
	same(&one, &two);
}

static void walk(const uint8_t *p, size_t n)
{
	uint64_t off = SEGMENT_HEAD, at = SEGMENT_HEAD;
	struct segment_head sh;
	struct segment_item it;

	(void)segment_head_parse(p, n, &sh); /* either answer is fine, a crash is not */
	while (segment_next(p, n, &off, &it)) {
		MUST(it.off == at && it.len && off == at + it.len);
		at = off;
		MUST(it.kind != SEGMENT_DAMAGE || (it.rule && it.text));
		if (it.kind == SEGMENT_ROW)
			rows(p + it.off + ROW_HEAD, it.head.length - ROW_HEAD, &it.head.uid);
		if (it.kind != SEGMENT_CHUNK)
			continue;
		MUST(it.off + it.head.length <= n);
		decode(&it.head, p + it.off + CHUNK_HEAD, it.head.length - CHUNK_HEAD - CHUNK_TAG);
	}
	MUST(n <= SEGMENT_HEAD || at == n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *p;

	once();
	walk(data, size);
	p = malloc(size ? size : 1);
	MUST(p);
	memcpy(p, data, size);
	fix(p, size);
	walk(p, size);
	free(p);
	return 0;
}
