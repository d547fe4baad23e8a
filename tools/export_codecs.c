/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * export_codecs.c - G.711's tables, and DVI4
 *
 * Input is from the wire: every length is checked here.
 */
#include <errno.h>

#include "export.h"

void g711_table(bool alaw, int16_t out[256])
{
	for (int i = 0; i < 256; i++) {
		int v = alaw ? i ^ 0x55 : ~i & 0xff, e = v >> 4 & 7, m = v & 15, s;

		if (alaw)
			s = e ? (m * 16 + 0x108) << (e - 1) : m * 16 + 8;
		else
			s = ((m * 8 + 0x84) << e) - 0x84;
		/* the sign bit: set means positive in A-law, negative in complemented mu-law */
		out[i] = (int16_t)(((v & 0x80) != 0) == alaw ? s : -s);
	}
}

/* ---- DVI4 ---- */

static const int16_t ima_step[89] = {
	7,     8,     9,     10,    11,    12,    13,    14,	16,    17,    19,    21,    23,
	25,    28,    31,    34,    37,    41,	  45,	 50,	55,    60,    66,    73,    80,
	88,    97,    107,   118,   130,   143,	  157,	 173,	190,   209,   230,   253,   279,
	307,   337,   371,   408,   449,   494,	  544,	 598,	658,   724,   796,   876,   963,
	1060,  1166,  1282,  1411,  1552,  1707,  1878,	 2066,	2272,  2499,  2749,  3024,  3327,
	3660,  4026,  4428,  4871,  5358,  5894,  6484,	 7132,	7845,  8630,  9493,  10442, 11487,
	12635, 13899, 15289, 16818, 18500, 20350, 22385, 24623, 27086, 29794, 32767,
};
static const int8_t ima_index[8] = { -1, -1, -1, -1, 2, 4, 6, 8 };

static int16_t ima_sample(int *pred, int *index, unsigned code)
{
	int step = ima_step[*index], d = step >> 3;

	if (code & 4)
		d += step;
	if (code & 2)
		d += step >> 1;
	if (code & 1)
		d += step >> 2;
	*pred += code & 8 ? -d : d;
	*pred = *pred > 32767 ? 32767 : *pred < -32768 ? -32768 : *pred;
	*index += ima_index[code & 7];
	*index = *index < 0 ? 0 : *index > 88 ? 88 : *index;
	return (int16_t)*pred;
}

int dvi4_decode(const uint8_t *p, size_t n, int16_t *out, size_t max)
{
	int pred, index, k = 0;

	if (n < 4 || p[2] > 88 || (n - 4) * 2 > max)
		return -EBADMSG;
	pred = (int16_t)(p[0] << 8 | p[1]);
	index = p[2];
	for (size_t i = 4; i < n; i++) {
		out[k++] = ima_sample(&pred, &index, p[i] >> 4); /* the first sample is the high half */
		out[k++] = ima_sample(&pred, &index, p[i] & 15);
	}
	return k;
}
