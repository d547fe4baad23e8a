/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mute.h - silences key tones in what is about to be kept (N-05, R-05b)
 *
 * Works on a second or two of one G.711 stream at once, when a chunk closes, and remembers nothing: no detector
 * follows each leg. What tones.h calls a digit, or 30 ms that sound like one, is overwritten with 10 ms around it.
 * tones_packet would find the same, packet by packet, at ten times the cost, because most of it is
 * passed over by two cheaper looks that nothing like a digit passes under:
 *
 *	1. of each 10 ms: is it loud enough, and does its sign change as often as that of two such tones?
 *	2. where two such windows touch: is its power at one frequency of each group?
 *
 * and tones.h only hears the packets around what is left. A tone of 30 ms fills two windows that touch, wherever it lies.
 */
#ifndef MUTE_H
#define MUTE_H

#include <stddef.h>
#include <stdint.h>

#include "base/chunk.h"
#include "media/g711.h"

/*
 * Samples that should be given before and after what is muted, as context: with so much before it the rest of a press
 * that began there is known for one, with so much after it what begins a press is.
 */
#define MUTE_BEFORE 960
#define MUTE_AFTER  480

/*
 * pkt: n packets of one stream in order of arrival, whose payloads lie one behind the other from sound on
 * (off is not used). Packets first to end - 1 are muted, the others are only listened to. CHUNK_P_CN: not sound.
 * Returns the samples overwritten. Any octets, lengths and timestamps are legal. Any thread.
 */
size_t mute_keys(enum g711_law law, const struct chunk_pkt *pkt, uint32_t n, uint8_t *sound, uint32_t first, uint32_t end);

#endif
