/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * segment.c - segment heads, chunk headers, the walker
 *
 *	segment head (128)		chunk header (64)
 *	 0  8  "OPTAGSEG"		 0  4  "OCHK"
 *	 8 u16 1			 4 u8  1
 *	10 u16 128			 5 u8  leg
 *	12 u32 number			 6 u8  codec
 *	16 16  store id			 7 u8  zero
 *	32 u32 day			 8 u32 length without padding
 *	36  4  zero			12 u32 number in the leg
 *	40 u64 made			16 16  uid
 *	48 64  controller		32 u64 arrival of the first packet
 *	112 12 zero			40 u32 packets
 *	124 u32 CRC of 0-123		44 u32 payload bytes
 *					48 u32 epoch
 *					52 u32 part of the call
 *					56 u32 CRC of 64..length-1
 *					60 u32 CRC of 0-59
 *
 *	copy of a row: 0 "ORow", 4 u8 1, 8 u32 length without padding, 16 uid, 56 u32 CRC of 64..length-1, 60 u32 CRC of 0-59
 */
#include <string.h>

#include "base/chunk.h"
#include "base/le.h"
#include "store/parts.h"
#include "store/segment.h"
#include "store/store_internal.h"

static const uint8_t zeros[64];

void segment_head_format(const struct segment_head *h, uint8_t out[SEGMENT_HEAD])
{
	memset(out, 0, SEGMENT_HEAD);
	memcpy(out, "OPTAGSEG", 8);
	le16enc(out + 8, 1);
	le16enc(out + 10, SEGMENT_HEAD);
	le32enc(out + 12, h->number);
	memcpy(out + 16, h->store_id, 16);
	le32enc(out + 32, h->day);
	le64enc(out + 40, h->created_ns);
	memcpy(out + 48, h->controller, strnlen(h->controller, 63));
	le32enc(out + 124, crc32c(0, out, 124));
}

const char *segment_head_parse(const uint8_t *p, size_t n, struct segment_head *ret)
{
	if (n < SEGMENT_HEAD)
		return "file shorter than its head";
	if (memcmp(p, "OPTAGSEG", 8) || le16dec(p + 10) != SEGMENT_HEAD)
		return "not a segment";
	if (le16dec(p + 8) != 1)
		return "another version of the format";
	if (le32dec(p + 124) != crc32c(0, p, 124))
		return "checksum of the head differs";
	if (memcmp(p + 36, zeros, 4) || memcmp(p + 112, zeros, 12) || p[111])
		return "reserved bytes of the head are set";
	ret->number = le32dec(p + 12);
	memcpy(ret->store_id, p + 16, 16);
	ret->day = le32dec(p + 32);
	ret->created_ns = le64dec(p + 40);
	memcpy(ret->controller, p + 48, 64);
	return NULL;
}

void chunk_head_format(const struct chunk_head *h, uint8_t out[CHUNK_HEAD])
{
	memset(out, 0, CHUNK_HEAD);
	memcpy(out, "OCHK", 4);
	out[4] = 1;
	out[5] = h->leg;
	out[6] = h->codec;
	le32enc(out + 8, h->length);
	le32enc(out + 12, h->number);
	memcpy(out + 16, h->uid.b, 16);
	le64enc(out + 32, h->start_ns);
	le32enc(out + 40, h->packets);
	le32enc(out + 44, h->payload);
	le32enc(out + 48, h->epoch);
	le32enc(out + 52, h->part);
}

void chunk_head_seal(uint8_t *p, uint32_t length)
{
	le32enc(p + 56, crc32c(0, p + CHUNK_HEAD, length - CHUNK_HEAD));
	le32enc(p + 60, crc32c(0, p, 60));
}

const char *chunk_head_parse(const uint8_t *p, size_t n, struct chunk_head *ret)
{
	if (n < CHUNK_HEAD)
		return "cut inside a chunk header";
	if (memcmp(p, "OCHK", 4))
		return "no chunk here";
	if (le32dec(p + 60) != crc32c(0, p, 60))
		return "checksum of the chunk header differs";
	if (p[4] != 1)
		return "chunk of another version";
	ret->leg = p[5];
	ret->codec = p[6];
	ret->length = le32dec(p + 8);
	ret->number = le32dec(p + 12);
	memcpy(ret->uid.b, p + 16, 16);
	ret->start_ns = le64dec(p + 32);
	ret->packets = le32dec(p + 40);
	ret->payload = le32dec(p + 44);
	ret->epoch = le32dec(p + 48);
	ret->part = le32dec(p + 52);
	ret->body_crc = le32dec(p + 56);
	if (ret->leg > 1 || p[7] || ret->part >= PARTS_MAX)
		return "chunk header has values it must not have";
	if (ret->length < CHUNK_DISK_MIN || ret->length > CHUNK_DISK_MAX)
		return "chunk length out of bounds";
	if (!ret->packets || ret->packets > CHUNK_MAX_PACKETS || ret->payload > CHUNK_MAX_BYTES)
		return "chunk figures out of bounds";
	return NULL;
}

void row_head_format(const struct uid *uid, uint32_t length, uint8_t out[ROW_HEAD])
{
	memset(out, 0, ROW_HEAD);
	memcpy(out, "ORow", 4);
	out[4] = 1;
	le32enc(out + 8, length);
	memcpy(out + 16, uid->b, 16);
}

void row_head_seal(uint8_t *p, uint32_t length)
{
	chunk_head_seal(p, length); /* CRCs are in the same places */
}

static const char *row_head_parse(const uint8_t *p, size_t n, struct chunk_head *ret)
{
	if (n < ROW_HEAD)
		return "cut inside the header of a row";
	*ret = (struct chunk_head){ .length = le32dec(p + 8), .body_crc = le32dec(p + 56) };
	memcpy(ret->uid.b, p + 16, 16);
	if (le32dec(p + 60) != crc32c(0, p, 60))
		return "checksum of the row's header differs";
	if (p[4] != 1)
		return "row of another version";
	if (memcmp(p + 5, zeros, 3) || memcmp(p + 12, zeros, 4) || memcmp(p + 32, zeros, 24))
		return "reserved bytes of the row's header are set";
	if (ret->length <= ROW_HEAD || ret->length > ROW_DISK_MAX)
		return "length of the row out of bounds";
	return NULL;
}

bool chunk_follows(struct chunk_order *o, const struct chunk_head *h)
{
	uint32_t *epoch = &o->epoch[h->leg], *next = &o->next[h->leg];
	bool right;

	if (h->epoch > *epoch) { /* another process went on with the call: its numbers start anew */
		*epoch = h->epoch;
		*next = 0;
	}
	right = h->epoch == *epoch && h->number == *next;
	*next = h->number + 1;
	return right;
}

void chunk_nonce(const struct chunk_head *h, uint8_t out[12])
{
	le32enc(out, h->leg);
	le32enc(out + 4, h->number);
	le32enc(out + 8, h->epoch);
}

static bool all_zero(const uint8_t *p, uint64_t n)
{
	for (; n >= sizeof(zeros); n -= sizeof(zeros), p += sizeof(zeros))
		if (memcmp(p, zeros, sizeof(zeros)))
			return false;
	return !n || !memcmp(p, zeros, n);
}

static uint64_t min64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static bool is_row(const uint8_t *p, size_t n)
{
	return n >= ROW_HEAD && !memcmp(p, "ORow", 4);
}

static const char *item_head_parse(const uint8_t *p, size_t n, struct chunk_head *ret)
{
	return is_row(p, n) ? row_head_parse(p, n, ret) : chunk_head_parse(p, n, ret);
}

/* First place from `off` on that looks like the header of a chunk or row (or the end). */
static uint64_t resync(const uint8_t *p, uint64_t n, uint64_t off)
{
	struct chunk_head h;

	for (; off < n; off += SEGMENT_ALIGN)
		if (n - off >= CHUNK_HEAD && !item_head_parse(p + off, n - off, &h))
			return off;
	return n;
}

static void damage(struct segment_item *it, const char *rule, const char *text)
{
	it->kind = SEGMENT_DAMAGE;
	it->rule = rule;
	it->text = text;
}

bool segment_next(const uint8_t *p, size_t n, uint64_t *off, struct segment_item *ret)
{
	uint64_t at = *off, end;
	const char *bad;

	if (at >= n)
		return false;
	*ret = (struct segment_item){ .off = at };
	for (end = at; end < n && all_zero(p + end, min64(SEGMENT_ALIGN, n - end)); end += SEGMENT_ALIGN)
		;
	if (end > at) {
		ret->kind = SEGMENT_HOLE;
		end = min64(end, n);
		goto out;
	}
	bad = item_head_parse(p + at, n - at, &ret->head);
	if (bad) {
		damage(ret, n - at < CHUNK_HEAD ? "S-4" : "S-3", bad);
		end = resync(p, n, at + SEGMENT_ALIGN);
		goto out;
	}
	end = at + segment_round(ret->head.length);
	if (end > n) {
		damage(ret, "S-4", "chunk or row goes past the end of the file");
		end = resync(p, n, at + SEGMENT_ALIGN);
		goto out;
	}
	ret->kind = is_row(p + at, n - at) ? SEGMENT_ROW : SEGMENT_CHUNK;
	if (crc32c(0, p + at + CHUNK_HEAD, ret->head.length - CHUNK_HEAD) != ret->head.body_crc)
		damage(ret, "S-5", "checksum of the content differs");
	else if (!all_zero(p + at + ret->head.length, end - at - ret->head.length))
		damage(ret, "S-6", "padding behind it is not zero");
out:
	ret->len = end - at;
	*off = end;
	return true;
}
