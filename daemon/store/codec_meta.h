/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * codec_meta.h - sequence numbers, timestamps, lengths, kinds and arrival times of a chunk's packets (FORMAT.md 5.1, 5.2)
 *
 * Exactly what it was comes back; arrival times to the microsecond. Start with
 * zeros, buf_free(&m->out) at the end. One thread at a time.
 */
#ifndef CODEC_META_H
#define CODEC_META_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/chunk.h"
#include "store/segment.h"

struct codec_meta {
	struct buf out;			 /* what codec_meta_put made */
	int64_t v[CHUNK_MAX_PACKETS];	 /* a column */
	int64_t e[2][CHUNK_MAX_PACKETS]; /* arrival errors under both modes */
};

/* Of a chunk as chunk.h says, with one packet at least. At most 36 bytes a packet. -ENOMEM. */
int codec_meta_put(struct codec_meta *m, const struct chunk *c);
/*
 * Any bytes may come; h has been checked. Fills all of ret but the payload: ret->pkt has room for h->packets.
 * NULL, or what is wrong.
 */
const char *codec_meta_get(struct codec_meta *m, const uint8_t *p, size_t n, const struct chunk_head *h, struct chunk *ret);

#endif
