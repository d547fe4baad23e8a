/* SPDX-License-Identifier: BSD-2-Clause */
/* fingerprint_internal.h - what fingerprint.c (listening) and fingerprint_ref.c (references,
 * spectrum) share */
#ifndef FINGERPRINT_INTERNAL_H
#define FINGERPRINT_INTERNAL_H

#include "media/fingerprint.h"

/* One frame of an announcement: its bits, and which of them count. */
struct fp_row {
	uint16_t bits, mask;
};

/* FP_QUICK of them, from frame `from` on, in the order of fp.hist. */
struct fp_quick {
	uint64_t bits[FP_QUICK / 4], mask[FP_QUICK / 4];
	uint16_t n; /* bits that count */
	int32_t from;
};

struct fp_ref {
	uint32_t samples;
	int32_t frames;	       /* at each place */
	int32_t last[FP_SUBS]; /* the last frame with something that counts */
	struct fp_quick quick[FP_SUBS];
	struct fp_row *row[FP_SUBS]; /* in one piece behind row[0] */
};

/* 16 differences of the logarithms of the power at 17 frequencies, of FP_WINDOW / 2 sums of two
 * samples. */
void fp_spectrum(const int32_t win[FP_WINDOW / 2], float ret[FP_BITS]);
/* Bit m: difference m is larger than it was before. */
unsigned fp_turns(const float now[FP_BITS], const float before[FP_BITS]);

#endif
