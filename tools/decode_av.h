/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * decode_av.h - the parts of optag-decode: libavcodec and libswresample, and the cage they run in
 *
 * One thread.
 */
#ifndef DECODE_AV_H
#define DECODE_AV_H

#include <stddef.h>
#include <stdint.h>

#include "decode.h"

struct decode_av;

/* What this libavcodec can decode: 1 << enum decode_codec. Also sets it up: call it before decode_jail. */
uint32_t decode_av_codecs(void);
/* 0; -ENOMEM; -EPROTONOSUPPORT. Free with decode_av_close. */
int decode_av_open(const struct decode_open *o, struct decode_av **ret);
/*
 * One body of FEED. *ret, mono at out_rate, is the decoder's until its next call. Returns samples, DECODE_SAMPLES_MAX at
 * most, or -errno when it cannot be decoded; *ret_native gets the samples before resampling.
 */
int decode_av_feed(struct decode_av *d, const uint8_t *p, size_t n, const int16_t **ret, uint32_t *ret_native);
/* What the resampler still holds; it begins anew after that. Returns samples. */
int decode_av_flush(struct decode_av *d, const int16_t **ret);
void decode_av_close(struct decode_av *d); /* NULL-tolerant */

/*
 * From now on this process reads standard input, writes standard output, and
 * computes: other files are closed, no new privileges, no capabilities, memory
 * limited, system calls filtered (a forbidden one kills; asking for a file is
 * answered no). Reads back nothing: each step must succeed. 0, or -errno and
 * `why` has one line. Under sanitizers, which need more, neither filter nor
 * limits.
 */
int decode_jail(char *why, size_t n);

#endif
