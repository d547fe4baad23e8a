/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dtmf.h - key presses from RFC 4733 telephone-events
 *
 * One press per (SSRC, RTP timestamp), however many packets, retransmitted ends
 * or copies carry it; a press whose end packets were lost ends with the next
 * event or by time. The digit is handed to the caller once and is kept nowhere
 * (R-05b); who stores or logs it breaks N-05.
 */
#ifndef DTMF_H
#define DTMF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DTMF_PAST 8 /* presses remembered so that late copies of them count for nothing */

struct dtmf_rx { /* zero-initialise; one per stream direction */
	uint32_t ssrc, ts; /* of the press in progress or last reported */
	bool any, reported;
	bool ended;    /* an end packet was seen */
	uint8_t event; /* wiped once reported and ended */
	uint64_t last_ns;
	uint16_t duration;
	uint64_t presses;
	struct {
		uint32_t ssrc, ts;
	} past[DTMF_PAST];
	unsigned npast; /* ever added; the latest DTMF_PAST are there */
};

/*
 * Whether n bytes can be events: 4 each, some of them packed (RFC 4733 2.3, 2.5.1); no common codec's frame is. The
 * classifier asks the same before it hands up anything as an event (optag_event_sized).
 */
static inline bool dtmf_sized(size_t n)
{
	return n >= 4 && n <= 16 && n % 4 == 0;
}

/* What became of a packet. */
enum dtmf_result { DTMF_BAD = -1, DTMF_NOTHING = 0, DTMF_PRESS = 1 };

/*
 * One telephone-event payload (RFC 4733 2.3). DTMF_PRESS: *ret_key is '0'..'9'
 * '*' '#' 'A'..'D' of a press that was just recognised: at its first end packet,
 * or when the next event starts and the end was lost. Other events (flash, tones,
 * 16 and up) give DTMF_NOTHING. A packet never yields two presses: one that both
 * closes an open press and is an end itself reports the open one, and its own
 * with its retransmission, the next event or dtmf_idle. Of several events packed
 * into one payload the first is read. DTMF_BAD: nothing that is sent as an event (dtmf_sized, the
 * reserved bit is 0, RFC 4733 2.3.4), or another event than its timestamp began with.
 */
enum dtmf_result dtmf_packet(struct dtmf_rx *d, uint32_t ssrc, uint32_t ts, uint64_t arrival_ns,
			     const uint8_t *payload, size_t n, char *ret_key);
/* A press in progress whose end never came, `now` at least 500 ms after its last packet. */
enum dtmf_result dtmf_idle(struct dtmf_rx *d, uint64_t now_ns, char *ret_key);
/* The key that is being pressed, by the packets so far, the last of which came 500 ms ago at most; 0 none. */
char dtmf_key(const struct dtmf_rx *d, uint64_t now_ns);


/*
 * As bytes, for the process that goes on with the call: which presses were reported, so that their
 * late copies count for nothing. A press in progress is left out, its digit with it: it is seen
 * anew from its next packet. dtmf_load takes any bytes: false, and *d zero.
 */
struct buf;
struct rd;
void dtmf_save(const struct dtmf_rx *d, struct buf *out);
bool dtmf_load(struct rd *r, struct dtmf_rx *d);

#endif
