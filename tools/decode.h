/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * decode.h - how optag-export has audio decoded in a process of its own, optag-decode
 *
 * What libavcodec reads came from the network, and optag-export holds keys. So
 * libavcodec runs where there is nothing to take: no key, no store, no name of
 * a call, no open file but a socket, and no system call that could open one.
 * optag-export starts that process (export_helper.c) when a call has such a
 * codec, or audio of several rates. It asks, and waits for the answer:
 *
 *	optag-decode			optag-export
 *	HELLO, once, when confined ->	which codecs there are
 *				     <-	OPEN: codec and rates; ends what was open
 *	OPEN, no bytes		   ->
 *				     <-	FEED: one RTP payload (DECODE_PCM: samples)
 *	FEED: samples		   ->
 *				     <-	FLUSH: an unbroken run of packets ends
 *	FLUSH: the last samples	   ->	(out of the resampler)
 *
 * A request is a head of DECODE_ASK bytes and a body, an answer a head of
 * DECODE_ANSWER bytes and a body; heads are little-endian:
 *
 *	request	u8 what, u8 0, u16 DECODE_VERSION, u32 bytes of the body
 *	answer	u8 what, u8 status, u16 DECODE_VERSION, u32 number, u32 bytes of the body
 *
 * Samples are 16 bits in the machine's order, mono in answers. Neither side
 * believes the other: a head that decode_get_* refuses ends the process, its
 * own or the helper's. End of file at optag-decode's standard input ends it.
 *
 * The functions keep nothing: any thread. They return 0 or -EPROTO.
 */
#ifndef DECODE_H
#define DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DECODE_VERSION	   1
#define DECODE_ASK	   8
#define DECODE_ANSWER	   12
#define DECODE_OPEN_BYTES  12
#define DECODE_BODY_MAX	   131072    /* of a request: 65536 samples of PCM; an RTP payload has half of it at most */
#define DECODE_SAMPLES_MAX (1 << 22) /* of an answer: 87 s at 48 kHz out of one packet; more is no audio */

enum decode_what { DECODE_HELLO = 1, DECODE_OPEN, DECODE_FEED, DECODE_FLUSH };

enum decode_status {
	DECODE_OK,
	DECODE_BAD,    /* what was fed cannot be decoded; what comes next may be */
	DECODE_REFUSED /* OPEN: no such decoder, or not with these rates */
};

enum decode_codec { /* bits of HELLO's number are 1 << codec */
	DECODE_PCM, /* nothing to decode: interleaved samples for the resampler */
	DECODE_G722,
	DECODE_GSM,
	DECODE_G729,
	DECODE_G723,
	DECODE_G726_16,
	DECODE_G726_24,
	DECODE_G726_32,
	DECODE_G726_40,
	DECODE_AAL2_16,
	DECODE_AAL2_24,
	DECODE_AAL2_32,
	DECODE_AAL2_40,
	DECODE_ILBC,
	DECODE_SPEEX,
	DECODE_OPUS,
	DECODE_AMR,
	DECODE_AMR_WB,
	DECODE_CODECS
};

enum decode_flags {
	DECODE_ALIGNED = 1, /* AMR: octet-aligned (RFC 4867 4.4) */
	DECODE_CRC = 2,	    /* AMR: a checksum for each frame; aligned too */
	DECODE_20MS = 4,    /* iLBC: frames of 20 ms, not 30 */
};

#define DECODE_RATE_MIN 1000
#define DECODE_RATE_MAX 192000

struct decode_open {
	enum decode_codec codec;
	uint8_t channels; /* 1 or 2, of what comes in */
	uint8_t flags;
	uint32_t rate;	  /* Hz, what the codec's samples have */
	uint32_t out_rate; /* Hz, what answers have */
};

void decode_put_open(uint8_t to[DECODE_OPEN_BYTES], const struct decode_open *o);
int decode_get_open(const uint8_t *p, size_t n, struct decode_open *ret);

struct decode_ask {
	enum decode_what what;
	uint32_t bytes; /* OPEN: DECODE_OPEN_BYTES; FEED: 1 to DECODE_BODY_MAX; FLUSH: 0 */
};
void decode_put_ask(uint8_t to[DECODE_ASK], const struct decode_ask *a);
int decode_get_ask(const uint8_t head[DECODE_ASK], struct decode_ask *ret);

struct decode_answer {
	enum decode_what what;
	enum decode_status status;
	uint32_t number; /* HELLO: codecs; FEED: samples before resampling, which is the payload's duration; else 0 */
	uint32_t bytes;	 /* two a sample; 0 unless DECODE_OK */
};
void decode_put_answer(uint8_t to[DECODE_ANSWER], const struct decode_answer *a);
int decode_get_answer(const uint8_t head[DECODE_ANSWER], struct decode_answer *ret);

/*
 * RFC 4867: cuts a payload into frames of AMR storage format (header byte and
 * speech bits), 64 bytes at most, and calls cb for each; its non-zero return
 * ends it and is returned. -EBADMSG malformed. `wide`: AMR-WB.
 */
int decode_amr(const uint8_t *p, size_t n, bool wide, unsigned flags,
	       int (*cb)(void *arg, const uint8_t *frame, size_t len), void *arg);

#endif
