/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * codec.h - a chunk as bytes and back (FORMAT.md section 5)
 *
 * Lossless: payloads, sequence numbers, timestamps come back exactly, arrival
 * times to the microsecond. Decoding trusts nothing. A codec keeps its zstd
 * contexts and scratch memory; one thread at a time.
 */
#ifndef CODEC_H
#define CODEC_H

#include <stddef.h>
#include <stdint.h>

#include "base/chunk.h"
#include "store/segment.h"

#define CODEC_BODY_MAX (CHUNK_DISK_MAX - CHUNK_HEAD - CHUNK_TAG)

enum codec_id { CODEC_RAW, CODEC_CONSTANT, CODEC_ZSTD, CODEC_G711_DELTA, CODEC_RESERVED_LPC };

struct codec;

int codec_new(struct codec **ret);
void codec_free(struct codec *k); /* NULL-tolerant */

/*
 * Writes the body to out (CODEC_BODY_MAX bytes of room) and fills codec,
 * packets, payload and start_ns of h. -EINVAL: not a chunk as chunk.h says.
 */
int codec_encode(struct codec *k, const struct chunk *c, uint8_t *out, size_t *ret_len,
		 struct chunk_head *h);
/*
 * h: the chunk's header, already checked. ret->pkt and ret->data must have room
 * for CHUNK_MAX_PACKETS and CHUNK_MAX_BYTES. NULL, or what breaks rule S-8.
 */
const char *codec_decode(struct codec *k, const struct chunk_head *h, const uint8_t *p, size_t n,
			 struct chunk *ret);

#endif
