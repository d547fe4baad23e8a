/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * codec.h - a chunk as bytes and back (FORMAT.md section 5)
 *
 * Lossless: payloads, sequence numbers, timestamps come back exactly, arrival
 * times to the microsecond. Decoding trusts nothing. A codec keeps its zstd
 * contexts and some 3 MiB of scratch memory; one thread at a time.
 *
 * G.711 is predicted (lpc.h), or when there is no time for that only the
 * difference from sample to sample is coded: a third of the work, a quarter
 * longer. G.722, G.726 and PCM go through zstd; what is dense by itself (G.729,
 * AMR, GSM, Opus, ...) is stored as it is. All that is read is written in the
 * chunk, so effort may change with each one.
 */
#ifndef CODEC_H
#define CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/chunk.h"
#include "store/segment.h"

#define CODEC_BODY_MAX (CHUNK_DISK_MAX - CHUNK_HEAD - CHUNK_TAG)

enum codec_id { CODEC_RAW, CODEC_CONSTANT, CODEC_ZSTD, CODEC_G711_DELTA, CODEC_G711_LPC, CODEC_G711_RICE };

struct codec;

int codec_new(struct codec **ret);
void codec_free(struct codec *k); /* NULL-tolerant; wipes audio */

enum codec_effort { CODEC_BEST, CODEC_FAST, CODEC_PLAIN };
void codec_effort(struct codec *k, enum codec_effort e); /* CODEC_BEST at first */
/*
 * For who encodes from a queue, before each chunk: bytes of plain audio that wait, and the queue's
 * limit in bytes. From 1/16 full on chunks are coded fast, until it is less than 1/64 full; from 1/4 on not at all, until it is less
 * than 1/8: an encoder that does not keep up becomes faster long before the queue sheds anything, and compression
 * costs no packet. True: not CODEC_BEST.
 */
bool codec_load(struct codec *k, uint64_t waiting, uint64_t room);

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
