/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rice_decode.c - a record back to code words, see rice.h
 *
 * Behind its end a string has zeros, so nothing is asked sample by sample: what was taken of each is compared at the
 * end, when the checksum is.
 */
#include <string.h>

#include "base/le.h"
#include "store/rice_internal.h"
#include "store/store_internal.h"

struct string {
	const uint8_t *p;
	size_t len, bit; /* bytes; bits taken */
};

/* The next 16 bits, low ones first. */
static uint32_t look(const struct string *s)
{
	size_t at = s->bit / 8;
	uint32_t v = 0;

	for (unsigned i = 0; i < 3 && at + i < s->len; i++)
		v |= (uint32_t)s->p[at + i] << 8 * i;
	return v >> s->bit % 8 & 0xffff;
}

static uint8_t value(struct string *s, unsigned k)
{
	uint32_t v = look(s);
	unsigned q = (unsigned)__builtin_ctz(~v);

	if (q >= RICE_ONES) {
		s->bit += RICE_ONES + 8;
		return (uint8_t)(v >> RICE_ONES);
	}
	s->bit += q + 1 + k;
	return (uint8_t)(q << k | (v >> (q + 1) & ((1U << k) - 1)));
}

static uint8_t predict(unsigned predictor, const uint8_t a[3])
{
	int8_t d = (int8_t)(a[0] - a[1]), d2 = (int8_t)(a[1] - a[2]);

	switch (predictor) {
	case 0:
		return 128;
	case 1:
		return a[0];
	case 2:
		return (uint8_t)(a[0] + (d >> 1));
	default:
		return (uint8_t)(a[0] + d - (d2 >> 1));
	}
}

/* Of one string all bits were used, but for those that fill up the last byte, which are zeros. */
static bool used_up(const struct string *s)
{
	return s->bit <= 8 * s->len && 8 * s->len - s->bit < 8 && (s->bit % 8 == 0 || !(s->p[s->len - 1] >> s->bit % 8));
}

static const char *strings(const uint8_t *rec, size_t len, size_t blocks, struct string s[RICE_LANES])
{
	const uint8_t *lengths = rec + 5 + blocks, *p = lengths + 2 * RICE_LANES, *end = rec + len;

	if (len < 5 + blocks + 2 * RICE_LANES)
		return "G.711 record is too short";
	for (unsigned l = 0; l < RICE_LANES; l++) {
		s[l] = (struct string){ .p = p, .len = le16dec(lengths + 2 * l) };
		if (s[l].len > (size_t)(end - p))
			return "bits do not fit the G.711 record";
		p += s[l].len;
	}
	return p == end ? NULL : "bits do not fill the G.711 record";
}

const char *rice_decode(const uint8_t *rec, size_t len, uint8_t *out, size_t n)
{
	size_t blocks = (n + RICE_BLOCK - 1) / RICE_BLOCK;
	struct string s[RICE_LANES];
	uint8_t a[3] = { 128, 128, 128 }, flip;
	const char *bad;

	if (!n || n > RICE_MAX || !len || rec[0] > 1)
		return "G.711 record of an unknown kind";
	bad = strings(rec, len, blocks, s);
	flip = rec[0] ? 0x7f : 0x55;
	for (size_t at = 0; !bad && at < n; at += RICE_BLOCK) {
		uint8_t head = rec[5 + at / RICE_BLOCK];
		unsigned k = head & 15;

		if (k > RICE_NOTHING || head >> 4 >= RICE_PREDICTORS)
			return "block of an unknown kind";
		for (size_t i = at; i < n && i < at + RICE_BLOCK; i++) {
			uint8_t z = k == RICE_NOTHING ? 0 : value(&s[i / 2 % RICE_LANES], k);
			uint8_t id = (uint8_t)(predict(head >> 4, a) + (uint8_t)(z >> 1 ^ -(z & 1)));

			a[2] = a[1];
			a[1] = a[0];
			a[0] = id;
			out[i] = (id >= 128 ? id : id ^ 0x7f) ^ flip;
		}
	}
	for (unsigned l = 0; !bad && l < RICE_LANES; l++)
		bad = used_up(&s[l]) ? NULL : "bits are not those of the samples";
	return bad ? bad : crc32c(0, out, n) != le32dec(rec + 1) ? "samples have another checksum" : NULL;
}
