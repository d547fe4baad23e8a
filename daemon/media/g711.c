/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * g711.c - G.711 octets as linear samples
 *
 * The tables are written as the formulas they come from, so that there is
 * nothing to mistype. Any thread.
 */
#include "media/g711.h"

/* Mu-law: all bits inverted; a segment and four bits, biased by 33 (132 here). */
#define U_MAG(o) ((((o) & 15) << 3 | 0x84) << ((o) >> 4 & 7))
#define U(b)	 (((b) ^ 0xff) & 0x80 ? 132 - U_MAG((b) ^ 0xff) : U_MAG((b) ^ 0xff) - 132)
/* A-law: every second bit inverted, the sign bit set is positive; segments 0 and 1 have the same step. */
#define A_SEG(o) ((o) >> 4 & 7)
#define A_MAG(o) \
	(A_SEG(o) ? (((o) & 15) << 4 | 0x108) << (A_SEG(o) ? A_SEG(o) - 1 : 0) : (((o) & 15) << 4) + 8)
#define A(b) (((b) ^ 0x55) & 0x80 ? A_MAG((b) ^ 0x55) : -A_MAG((b) ^ 0x55))

#define FOUR(f, b)    f(b), f((b) + 1), f((b) + 2), f((b) + 3)
#define SIXTEEN(f, b) FOUR(f, b), FOUR(f, (b) + 4), FOUR(f, (b) + 8), FOUR(f, (b) + 12)
#define LINE(f, b)    SIXTEEN(f, b), SIXTEEN(f, (b) + 16), SIXTEEN(f, (b) + 32), SIXTEEN(f, (b) + 48)
#define ALL(f)	      { LINE(f, 0), LINE(f, 64), LINE(f, 128), LINE(f, 192) }

const int16_t g711_linear[2][256] = { [G711_ULAW] = ALL(U), [G711_ALAW] = ALL(A) };
