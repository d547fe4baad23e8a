/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dtmf.h - key presses from RFC 4733 telephone-events
 *
 * One press per (SSRC, RTP timestamp), however many packets, retransmitted ends
 * or copies carry it; a press whose end packets were lost ends with the next
 * event, with audio that follows it, or by time, and then it ended when its last packet
 * was seen. Its end packets that come later are the same press: nothing is told twice. The digit is handed to
 * the caller once and is kept nowhere (R-05b); who stores or logs it breaks N-05.
 */
#ifndef DTMF_H
#define DTMF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DTMF_PAST 8 /* presses remembered so that late copies of them count for nothing */
/*
 * A press of which nothing has come for so long is over. While a key is held updates come as often as audio does, or each
 * 50 ms (RFC 4733 2.5.1.2): this is three of those that are lost or late in a row, and less than people need for the next key. A
 * hang-up is acted upon only after more than that (call_limits.linger_ns).
 */
#define DTMF_OVER_NS   150000000ULL
#define DTMF_UPDATE_NS 50000000ULL

/* What is known of a press when it is told. Times are of arrival. */
struct dtmf_press {
	char key;	   /* '0'..'9' '*' '#' 'A'..'D' */
	bool trusted;	   /* its end packet was; when that was lost: all that came were */
	uint64_t begin_ns; /* by the duration that its packets say: the earliest */
	uint64_t end_ns;   /* its first end packet, else the last that was seen of it */
};

struct dtmf_from { /* of a packet */
	uint32_t ssrc, ts;
	uint32_t clock; /* of the payload format, Hz; 0: 8000 */
	bool trusted;	/* it came from the party's own address */
	uint64_t arrival_ns;
};

struct dtmf_rx { /* zero-initialise; one per stream direction */
	uint32_t ssrc, ts; /* of the press in progress or last reported */
	bool any, reported;
	bool ended;    /* an end packet was seen */
	bool trusted;
	uint8_t event; /* wiped once reported and ended */
	uint64_t begin_ns, last_ns;
	uint64_t end_ns; /* as in struct dtmf_press */
	uint32_t clock;
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
 * One telephone-event payload (RFC 4733 2.3). DTMF_PRESS: *ret is a
 * press that was just recognised: at its first end packet,
 * or when the next event starts and the end was lost. Other events (flash, tones,
 * 16 and up) give DTMF_NOTHING. A packet never yields two presses: one that both
 * closes an open press and is an end itself reports the open one, and its own
 * with its retransmission, the next event or dtmf_idle. Of several events packed
 * into one payload the first is read. DTMF_BAD: nothing that is sent as an event (dtmf_sized, the
 * reserved bit is 0, RFC 4733 2.3.4), or another event than its timestamp began with.
 */
enum dtmf_result dtmf_packet(struct dtmf_rx *d, const struct dtmf_from *from, const uint8_t *payload, size_t n, struct dtmf_press *ret);
/*
 * Audio of the same stream, whose timestamp is an update behind what is known of a press in progress: its end packets are lost. (Audio
 * that a sender goes on with while the key is held, RFC 4733 2.2, is never that far ahead of the latest update.)
 */
enum dtmf_result dtmf_audio(struct dtmf_rx *d, uint32_t ssrc, uint32_t ts, struct dtmf_press *ret);
/* A press in progress whose end never came, `now` at least DTMF_OVER_NS after its last packet (UINT64_MAX: whenever it came), or a
 * clock that was set back before it. */
enum dtmf_result dtmf_idle(struct dtmf_rx *d, uint64_t now_ns, struct dtmf_press *ret);
/* A key was begun that is not told yet. *ret_over_ns: when dtmf_idle tells it, if nothing more comes. */
bool dtmf_open(const struct dtmf_rx *d, uint64_t *ret_over_ns);
/* The key that is being pressed, by the packets so far, the last of which came 500 ms ago at most; 0 none. */
char dtmf_key(const struct dtmf_rx *d, uint64_t now_ns);

/*
 * As bytes, for the process that goes on with the call: which presses were reported, so that their
 * late copies count for nothing. A press in progress goes with its digit, for its end may be lost: who keeps the bytes keeps them
 * in memory alone, and wipes them. No digit of any other press is in them. dtmf_load takes any bytes: false, and *d zero.
 */
struct buf;
struct rd;
void dtmf_save(const struct dtmf_rx *d, struct buf *out);
bool dtmf_load(struct rd *r, struct dtmf_rx *d);

#endif
