/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dtmf.c - key presses from RFC 4733 telephone-events
 *
 * A press is known by (SSRC, timestamp). Timestamps are compared for equality
 * only, never for order: a sender that restarts may go anywhere. Runs where the
 * leg's RTP runs.
 */
#include "media/dtmf.h"

#include <string.h>

#include "base/buf.h"
#include "base/le.h"

#define DTMF_RESERVED	 0x40
#define DTMF_KEYS	 16 /* events 0-15 are keys, RFC 4733 3.2 */
#define DTMF_IDLE_NS	 500000000ULL
#define DTMF_WIPED	 0xff
/* A segment that lasted this long may be followed by the next one even if its last packets are missing. */
#define DTMF_LONG 0xc000

static const char keys[] = "0123456789*#ABCD";

static bool is_past(const struct dtmf_rx *d, uint32_t ssrc, uint32_t ts)
{
	unsigned n = d->npast < DTMF_PAST ? d->npast : DTMF_PAST;

	for (unsigned i = 0; i < n; i++) {
		if (d->past[i].ssrc == ssrc && d->past[i].ts == ts)
			return true;
	}
	return false;
}

static void make_past(struct dtmf_rx *d)
{
	unsigned i = d->npast % DTMF_PAST;

	d->past[i].ssrc = d->ssrc;
	d->past[i].ts = d->ts;
	/* Wraps to a value that still says "full" and keeps the position. */
	d->npast = d->npast + 1 ? d->npast + 1 : DTMF_PAST;
}

static enum dtmf_result report(struct dtmf_rx *d, char *ret_key)
{
	uint8_t event = d->event;

	if (d->reported)
		return DTMF_NOTHING;
	d->reported = true;
	if (d->ended)
		d->event = DTMF_WIPED;
	if (event >= DTMF_KEYS)
		return DTMF_NOTHING;
	d->presses++;
	*ret_key = keys[event];
	return DTMF_PRESS;
}

/*
 * RFC 4733 2.5.1.3: a press longer than 0xffff units goes on under a timestamp
 * that is higher by what the segment before lasted, without an end between.
 */
static bool continues(const struct dtmf_rx *d, uint32_t ssrc, uint32_t ts, uint8_t event)
{
	uint32_t step = ts - d->ts;

	if (!d->any || d->ended || d->ssrc != ssrc || d->event != event || step > 0xffff)
		return false;
	if (step == d->duration)
		return true;
	return d->duration >= DTMF_LONG && step > d->duration;
}

enum dtmf_result dtmf_packet(struct dtmf_rx *d, uint32_t ssrc, uint32_t ts, uint64_t arrival_ns,
			     const uint8_t *payload, size_t n, char *ret_key)
{
	enum dtmf_result before = DTMF_NOTHING;
	uint16_t duration;
	uint8_t event;
	bool end, same;

	if (!dtmf_sized(n) || payload[1] & DTMF_RESERVED)
		return DTMF_BAD;
	event = payload[0];
	end = payload[1] & 0x80;
	duration = be16dec(payload + 2);
	same = d->any && d->ssrc == ssrc && d->ts == ts;
	if (!same && is_past(d, ssrc, ts))
		return DTMF_NOTHING;
	if (same && d->event != DTMF_WIPED && d->event != event)
		return DTMF_BAD;
	if (!same) {
		bool on = continues(d, ssrc, ts, event);

		if (d->any)
			make_past(d);
		if (!on && d->any)
			before = report(d, ret_key);
		if (!on) {
			d->reported = d->ended = false;
			d->event = event;
		}
		d->any = true;
		d->ssrc = ssrc;
		d->ts = ts;
		d->duration = 0;
	}
	d->last_ns = arrival_ns;
	if (duration > d->duration)
		d->duration = duration;
	if (end)
		d->ended = true;
	if (before == DTMF_PRESS || !d->ended)
		return before;
	return report(d, ret_key);
}

enum dtmf_result dtmf_idle(struct dtmf_rx *d, uint64_t now_ns, char *ret_key)
{
	if (!d->any || d->reported || now_ns < d->last_ns || now_ns - d->last_ns < DTMF_IDLE_NS)
		return DTMF_NOTHING;
	return report(d, ret_key);
}

char dtmf_key(const struct dtmf_rx *d, uint64_t now_ns)
{
	if (!d->any || d->ended || d->event >= DTMF_KEYS || now_ns - d->last_ns > DTMF_IDLE_NS)
		return 0;
	return keys[d->event];
}

void dtmf_save(const struct dtmf_rx *d, struct buf *out)
{
	unsigned n = d->npast < DTMF_PAST ? d->npast : DTMF_PAST;
	bool last = d->any && d->reported;

	buf_put_varint(out, d->presses);
	buf_put8(out, (uint8_t)(n + last));
	for (unsigned i = 0; i < n; i++) { /* oldest first */
		unsigned at = (d->npast - n + i) % DTMF_PAST;

		buf_put_le32(out, d->past[at].ssrc);
		buf_put_le32(out, d->past[at].ts);
	}
	if (last) {
		buf_put_le32(out, d->ssrc);
		buf_put_le32(out, d->ts);
	}
}

bool dtmf_load(struct rd *r, struct dtmf_rx *d)
{
	uint64_t presses = rd_varint(r);
	unsigned n = rd_u8(r);

	memset(d, 0, sizeof(*d));
	if (n > DTMF_PAST + 1)
		return false;
	for (unsigned i = 0; i < n; i++) {
		d->ssrc = rd_le32(r);
		d->ts = rd_le32(r);
		make_past(d);
	}
	if (r->bad) {
		memset(d, 0, sizeof(*d));
		return false;
	}
	d->presses = presses;
	return true;
}
