/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * buf.h - a growing byte buffer
 *
 * Zero-initialise, add, buf_free. A failed allocation sets `failed` and makes
 * every further add a no-op, so a writer checks once at the end. The maximum
 * is 1 GiB; past it `failed` is set as well. One owner, no locking.
 */
#ifndef BUF_H
#define BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf {
	uint8_t *p;
	size_t len;
	size_t cap;
	bool failed;
};

void buf_free(struct buf *b); /* NULL-tolerant; leaves it empty and usable */
void buf_reset(struct buf *b); /* len = 0, keeps the memory, clears failed */
/* Makes room for n more bytes and returns where they go (len is not moved), or NULL. */
uint8_t *buf_room(struct buf *b, size_t n);
void buf_put(struct buf *b, const void *p, size_t n);
void buf_put8(struct buf *b, uint8_t v);
void buf_put_le16(struct buf *b, uint16_t v);
void buf_put_le32(struct buf *b, uint32_t v);
void buf_put_le64(struct buf *b, uint64_t v);
/* LEB128, at most 10 bytes; buf_get_varint reads what this wrote. */
void buf_put_varint(struct buf *b, uint64_t v);
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Bounds-checked reader over bytes that somebody else owns. */
struct rd {
	const uint8_t *p;
	size_t left;
	bool bad; /* something was read past the end or malformed; results since then are 0 */
};

const uint8_t *rd_bytes(struct rd *r, size_t n); /* NULL when fewer are left */
uint8_t rd_u8(struct rd *r);
uint16_t rd_le16(struct rd *r);
uint32_t rd_le32(struct rd *r);
uint64_t rd_le64(struct rd *r);
uint64_t rd_varint(struct rd *r);

static inline uint64_t zigzag(int64_t v)
{
	return v < 0 ? ~((uint64_t)v << 1) : (uint64_t)v << 1;
}

static inline int64_t unzigzag(uint64_t v)
{
	return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}

#endif
