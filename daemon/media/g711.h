/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * g711.h - G.711 octets as linear samples (ITU-T G.711, tables 1a and 2a)
 *
 * Samples are 16 bits wide, as most programs have them: the loudest mu-law octet is
 * 32124, the loudest A-law octet 32256. A sine of 0 dBm0 has the peak G711_0DBM0 in
 * either law (within 0.1 dB). Read-only tables; any thread.
 */
#ifndef G711_H
#define G711_H

#include <stdint.h>

#define G711_0DBM0 22350.0f /* the loudest sine is +3.17 dBm0 in mu-law, +3.14 in A-law */

enum g711_law { G711_ULAW, G711_ALAW };

/* What silence is in each law. */
#define G711_ULAW_SILENCE 0xff
#define G711_ALAW_SILENCE 0xd5

extern const int16_t g711_linear[2][256]; /* [law][octet] */

static inline uint8_t g711_silence(enum g711_law law)
{
	return law == G711_ULAW ? G711_ULAW_SILENCE : G711_ALAW_SILENCE;
}

#endif
