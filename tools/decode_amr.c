/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * decode_amr.c - RFC 4867: how AMR and AMR-WB lie in a packet
 *
 * Input is from the wire: every length is checked here.
 */
#include "decode.h"

#include <errno.h>
#include <string.h>

/* Speech bits by frame type; 8/9 is comfort noise, 15 no data, -1 reserved (TS 26.101, 26.201). */
static const int16_t nb_bits[16] = { 95, 103, 118, 134, 148, 159, 204, 244,
				     39, -1, -1, -1, -1, -1, -1, 0 };
static const int16_t wb_bits[16] = { 132, 177, 253, 285, 317, 365, 397, 461,
				     477, 40, -1, -1, -1, -1, 0, 0 };

#define AMR_FRAMES 32 /* 640 ms in a packet: more than anybody sends */

struct bits {
	const uint8_t *p;
	size_t left, pos; /* in bits */
};

static unsigned get(struct bits *b, unsigned n)
{
	unsigned v = 0;

	for (; n && b->left; n--, b->left--, b->pos++)
		v = v << 1 | (b->p[b->pos / 8] >> (7 - b->pos % 8) & 1);
	return v << n;
}

/* Table of contents: F (another follows), FT, Q; padded to a byte when octet-aligned. */
static int amr_toc(struct bits *b, bool octet_align, uint8_t ft[AMR_FRAMES], uint8_t q[AMR_FRAMES])
{
	unsigned more = 1;
	int n = 0;

	while (more) {
		if (n == AMR_FRAMES || b->left < (octet_align ? 8u : 6u))
			return -EBADMSG;
		more = get(b, 1);
		ft[n] = (uint8_t)get(b, 4);
		q[n++] = (uint8_t)get(b, 1);
		if (octet_align)
			(void)get(b, 2);
	}
	return n;
}

int decode_amr(const uint8_t *p, size_t n, bool wide, unsigned flags,
	       int (*cb)(void *arg, const uint8_t *frame, size_t len), void *arg)
{
	const bool crc = flags & DECODE_CRC, octet_align = crc || flags & DECODE_ALIGNED;
	const int16_t *bits = wide ? wb_bits : nb_bits;
	struct bits b = { p, n * 8, 0 };
	uint8_t ft[AMR_FRAMES], q[AMR_FRAMES], frame[64];
	int count, rc;

	if (b.left < (octet_align ? 8u : 4u))
		return -EBADMSG;
	(void)get(&b, octet_align ? 8 : 4); /* mode request: for the other direction */
	count = amr_toc(&b, octet_align, ft, q);
	if (count < 0)
		return count;
	for (int i = 0; crc && i < count; i++)
		if (bits[ft[i]] > 0)
			(void)get(&b, 8);
	for (int i = 0; i < count; i++) {
		unsigned want = bits[ft[i]] < 0 ? 0 : (unsigned)bits[ft[i]], bytes = (want + 7) / 8;

		if (bits[ft[i]] < 0 || b.left < want)
			return -EBADMSG;
		memset(frame, 0, sizeof(frame));
		frame[0] = (uint8_t)(ft[i] << 3 | q[i] << 2);
		for (unsigned k = 0; k < want; k += 8)
			frame[1 + k / 8] = (uint8_t)(get(&b, want - k < 8 ? want - k : 8)
						     << (want - k < 8 ? 8 - (want - k) : 0));
		if (octet_align && want % 8)
			(void)get(&b, 8 - want % 8);
		rc = cb(arg, frame, 1 + bytes);
		if (rc)
			return rc;
	}
	return 0;
}
