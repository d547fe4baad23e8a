/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tones.h - key presses that are heard: DTMF in G.711 audio (ITU-T Q.23, Q.24)
 *
 * One struct tones follows one RTP stream (one SSRC of one direction). Packets of any
 * length are given in order of arrival; what is missing between two timestamps is a gap
 * (loss, DTX). Nothing is allocated and no sample is kept: 5 ms of octets at most wait
 * to be looked at, and 50 ms are remembered as the strength and phase of eight
 * frequencies. A digit is handed over twice, when it is sure and when it ended, and is
 * forgotten then; who stores or logs it breaks N-05 and R-05b. One thread.
 *
 * A digit is reported when for 35 ms nothing but one tone of each group was heard:
 *
 *	both tones within 2.3 % of their frequency (Q.24: 1.5 % must, 3.5 % must not)
 *	what is not these tones (noise, voice, second harmonics) at most 15 % of the power
 *	the stronger tone at least -29 dBm0, the weaker one at most 10 dB below it
 *
 * So 40 ms of tone are a digit wherever they lie, 24 ms are none. A break of 20 ms is
 * inside a digit, one of 30 ms ends it. Lost packets are not held against a digit: it goes on
 * over a gap of up to TONES_GAP, when the same tones are there behind it.
 *
 * A tone that leaks from the other direction (the echo of the agent's keys) sounds like a
 * key here. A hybrid's echo is 20 dB down or more; who knows both directions should take a
 * press that began while the other direction had the same one for an echo.
 */
#ifndef TONES_H
#define TONES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "media/g711.h"

#define TONES_FREQS  8
#define TONES_BLOCK  40	 /* samples that are measured together: 5 ms */
#define TONES_BLOCKS 10	 /* measurements remembered */
#define TONES_SPANS  8	 /* see tones_mute */
#define TONES_GAP    480 /* samples */
#define TONES_DELAY  480 /* samples, see tones_final */

struct tones_press {
	char key;	/* '0'..'9' '*' '#' 'A'..'D' */
	bool up;	/* false: it has become sure, and may still be held; true: it ended */
	uint32_t start; /* RTP timestamp of its first sample, within 5 ms */
	uint32_t end;	/* up: of the first sample after it; else what was heard so far */
};

struct tones_sink {
	void *arg;
	/* Called from tones_packet and tones_idle. Each press: down once, then up once. NULL: only muting is wanted. */
	void (*press)(void *arg, const struct tones_press *p);
};

struct tones_block { /* private */
	float re[TONES_FREQS], im[TONES_FREQS], energy;
	uint32_t ts;
};

struct tones_span {
	uint32_t from, to; /* RTP timestamps, to not included */
};

struct tones { /* zero-initialise; tones_wipe at the end. Private but for the counters. */
	uint64_t presses;	   /* reported */
	uint64_t late;		   /* packets that came when later ones had been heard: not looked at */
	uint64_t last_ns;	   /* arrival of the latest packet */
	uint32_t next;		   /* timestamp expected */
	bool any;		   /* next is known */
	bool down;		   /* a press is going on */
	uint8_t key, cand;	   /* of the press; of what may become one */
	uint8_t hits, silent;	   /* windows that said cand; blocks without the press's tones */
	uint8_t fill;		   /* octets in raw */
	uint8_t raw[TONES_BLOCK];
	uint8_t law;		   /* of raw */
	uint32_t start, end;	   /* of the press */
	float power;		   /* of a block full of it */
	unsigned run;		   /* blocks without a gap, up to TONES_BLOCKS */
	unsigned head;		   /* where the next block goes */
	struct tones_block block[TONES_BLOCKS];
	struct tones_span span[TONES_SPANS];
	unsigned nspan;		   /* ever */
};

/*
 * One packet's payload, of any length (0 is a packet without sound). ts: its RTP timestamp;
 * a jump of more than 300 ms back starts anew. arrival_ns is used for tones_idle only.
 */
void tones_packet(struct tones *t, enum g711_law law, uint32_t ts, uint64_t arrival_ns,
		  const uint8_t *payload, size_t n, const struct tones_sink *sink);
/* Ends a press when no packet came for 200 ms (hang-up, DTX). */
void tones_idle(struct tones *t, uint64_t now_ns, const struct tones_sink *sink);
/* The key that is being pressed; 0 none. */
char tones_key(const struct tones *t);
/* Everything, so that no digit is left in memory. What was going on is not reported. */
void tones_wipe(struct tones *t);

/*
 * Muting. Whatever sounds like a digit, a whole press or 30 ms that did not become one, leaves a
 * span with 10 ms around it, and tones_mute overwrites the part of a packet that lies in spans with
 * silence: no digit can be read from what is kept then. A span can still begin, or grow, among the
 * latest TONES_DELAY samples; so audio waits for that long before it is kept:
 *
 *	tones_packet(t, law, ts, ...);
 *	append packet to the waiting ones;
 *	while the first waiting one ends at or before tones_final(t):
 *		tones_mute(t, law, its ts, its payload, its length), keep it
 *
 * The latest TONES_SPANS spans are remembered, which is more than that delay can hold. At the end
 * of a stream what waits is muted as it is: no digit can hide in 35 ms. tones_mute returns the number of
 * samples it overwrote.
 */
uint32_t tones_final(const struct tones *t); /* the timestamp before which all is decided */
size_t tones_mute(const struct tones *t, enum g711_law law, uint32_t ts, uint8_t *payload, size_t n);
/* The spans themselves, oldest first; returns how many. */
unsigned tones_spans(const struct tones *t, struct tones_span ret[TONES_SPANS]);

#endif
