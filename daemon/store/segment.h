/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * segment.h - segment heads, chunk headers, copies of rows, and walking a segment in memory
 *
 * FORMAT.md section 4. All functions work on bytes in memory and accept
 * anything: they are what the fuzzer sees. The walker finds every whole chunk
 * and every copy of a row, whatever lies between; it reports the rest as a hole or as damage.
 */
#ifndef SEGMENT_H
#define SEGMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/uid.h"

#define SEGMENT_HEAD	 128
#define SEGMENT_ALIGN	 16
#define SEGMENT_MAX	 (1ULL << 30)
#define CHUNK_HEAD	 64
#define CHUNK_AD	 56 /* bytes of the header under the AEAD */
#define CHUNK_TAG	 16
#define CHUNK_DISK_MAX	 262144u
#define CHUNK_DISK_MIN	 (CHUNK_HEAD + CHUNK_TAG)
#define ROW_HEAD	 64
#define ROW_DISK_MAX	 (17u << 20) /* of a call of nine days */
#define segment_round(n) (((n) + (SEGMENT_ALIGN - 1)) & ~(uint64_t)(SEGMENT_ALIGN - 1))

struct segment_head {
	uint32_t number;
	uint32_t day; /* YYYYMMDD */
	uint64_t created_ns;
	uint8_t store_id[16];
	char controller[64];
};

void segment_head_format(const struct segment_head *h, uint8_t out[SEGMENT_HEAD]);
/* NULL, or what is wrong (rule S-1). */
const char *segment_head_parse(const uint8_t *p, size_t n, struct segment_head *ret);

struct chunk_head {
	struct uid uid;
	uint8_t leg;
	uint8_t codec;
	uint32_t length; /* header, ciphertext, tag */
	uint32_t number; /* in its leg and epoch, from 0 */
	uint32_t epoch;	 /* of the store when it was written */
	uint32_t part;	 /* of the call, whose key it is under */
	uint64_t start_ns;
	uint32_t packets;
	uint32_t payload;
	uint32_t body_crc;
};

/* Everything up to the body's CRC: what the AEAD covers. */
void chunk_head_format(const struct chunk_head *h, uint8_t out[CHUNK_HEAD]);
/* After the ciphertext is in place: both CRCs. p: the whole chunk. */
void chunk_head_seal(uint8_t *p, uint32_t length);
const char *chunk_head_parse(const uint8_t *p, size_t n, struct chunk_head *ret);

/* A copy of a call's row (rowcopy.h) behind its last chunk: header into out, then the CRCs; p: all of it, length without padding. */
void row_head_format(const struct uid *uid, uint32_t length, uint8_t out[ROW_HEAD]);
void row_head_seal(uint8_t *p, uint32_t length);

enum segment_kind { SEGMENT_CHUNK, SEGMENT_ROW, SEGMENT_HOLE, SEGMENT_DAMAGE };

/*
 * Chunks of a leg in order of writing: epochs never go back, numbers go up by one within one.
 * Starts as zeros. False: a chunk is missing (or came twice).
 */
struct chunk_order {
	uint32_t epoch[2], next[2];
};
bool chunk_follows(struct chunk_order *o, const struct chunk_head *h);
/* The nonce of the chunk's AEAD, never used twice with one key. */
void chunk_nonce(const struct chunk_head *h, uint8_t out[12]);

struct segment_item {
	enum segment_kind kind;
	uint64_t off, len;
	struct chunk_head head; /* CHUNK; ROW: uid, length and body_crc of it */
	const char *rule, *text; /* DAMAGE */
};

/* The item at *off (start with SEGMENT_HEAD), which moves on. False at the end. */
bool segment_next(const uint8_t *p, size_t n, uint64_t *off, struct segment_item *ret);

#endif
