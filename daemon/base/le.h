/* SPDX-License-Identifier: BSD-2-Clause */
/* le.h - little and big endian integers in byte buffers. No alignment is needed. */
#ifndef LE_H
#define LE_H

#include <stdint.h>

static inline uint16_t le16dec(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

static inline uint32_t le32dec(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline uint64_t le64dec(const uint8_t *p)
{
	return (uint64_t)le32dec(p) | (uint64_t)le32dec(p + 4) << 32;
}

static inline void le16enc(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
}

static inline void le32enc(uint8_t *p, uint32_t v)
{
	le16enc(p, (uint16_t)v);
	le16enc(p + 2, (uint16_t)(v >> 16));
}

static inline void le64enc(uint8_t *p, uint64_t v)
{
	le32enc(p, (uint32_t)v);
	le32enc(p + 4, (uint32_t)(v >> 32));
}

static inline uint16_t be16dec(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t be32dec(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | (uint32_t)p[3];
}

static inline void be16enc(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline void be32enc(uint8_t *p, uint32_t v)
{
	be16enc(p, (uint16_t)(v >> 16));
	be16enc(p + 2, (uint16_t)v);
}

#endif
