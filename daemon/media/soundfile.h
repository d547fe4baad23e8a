/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * soundfile.h - the sound of an announcement, from the bytes of its file
 *
 * What a policy's `audio file` may be, by the end of its name:
 *
 *	.wav				RIFF: PCM of 16 bits, A-law or mu-law; 8 kHz, one channel
 *	.alaw .al .pcma			A-law without a head, 8 kHz
 *	.ulaw .ul .pcmu .mulaw		mu-law without a head, 8 kHz
 *
 * Any bytes are legal input. Any thread.
 */
#ifndef SOUNDFILE_H
#define SOUNDFILE_H

#include <stddef.h>
#include <stdint.h>

#define SOUND_FILE_MAX (32u << 20) /* bytes: half an hour of the widest kind */

/*
 * *ret: *ret_n samples of 16 bits, the caller's to free. -EINVAL: not such a file, and why says what it is instead, without
 * the name; -EFBIG; -ENOMEM.
 */
int sound_read(const char *name, const uint8_t *bytes, size_t n, int16_t **ret, size_t *ret_n, char *why, size_t size);

#endif
