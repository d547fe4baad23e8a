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
#define DTMF_HELD_NS	 500000000ULL /* for dtmf_key: an echo of it may come that much later */
#define DTMF_CLOCK	 8000
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

static enum dtmf_result report(struct dtmf_rx *d, struct dtmf_press *ret)
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
	*ret = (struct dtmf_press){ .key = keys[event], .trusted = d->trusted, .begin_ns = d->begin_ns, .end_ns = d->end_ns };
	return DTMF_PRESS;
}

static uint64_t ns_of(uint32_t clock, uint32_t units)
{
	return (uint64_t)units * 1000000000ULL / clock;
}

/* What one more packet says of the press in progress. */
static void take(struct dtmf_rx *d, const struct dtmf_from *f, uint16_t duration, bool end)
{
	uint64_t lasted = ns_of(d->clock, duration), begin = f->arrival_ns > lasted ? f->arrival_ns - lasted : 0;

	if (!d->begin_ns || begin < d->begin_ns)
		d->begin_ns = begin;
	if (duration > d->duration)
		d->duration = duration;
	if (d->ended) /* a copy */
		return;
	d->trusted = f->trusted && (end || d->trusted);
	d->end_ns = f->arrival_ns;
	d->ended = end;
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

enum dtmf_result dtmf_packet(struct dtmf_rx *d, const struct dtmf_from *from, const uint8_t *payload, size_t n, struct dtmf_press *ret)
{
	enum dtmf_result before = DTMF_NOTHING;
	uint32_t ssrc = from->ssrc, ts = from->ts;
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
			before = report(d, ret);
		if (!on) {
			d->reported = d->ended = false;
			d->event = event;
			d->begin_ns = 0;
			d->trusted = from->trusted;
		}
		d->any = true;
		d->clock = from->clock ? from->clock : DTMF_CLOCK;
		d->ssrc = ssrc;
		d->ts = ts;
		d->duration = 0;
	}
	d->last_ns = from->arrival_ns;
	take(d, from, duration, end);
	if (before == DTMF_PRESS || !d->ended)
		return before;
	return report(d, ret);
}

enum dtmf_result dtmf_audio(struct dtmf_rx *d, uint32_t ssrc, uint32_t ts, struct dtmf_press *ret)
{
	uint32_t behind = ts - d->ts - d->duration;

	if (!d->any || d->reported || ssrc != d->ssrc || behind > INT32_MAX || ns_of(d->clock, behind) < DTMF_UPDATE_NS)
		return DTMF_NOTHING;
	return report(d, ret);
}

enum dtmf_result dtmf_idle(struct dtmf_rx *d, uint64_t now_ns, struct dtmf_press *ret)
{
	uint64_t apart = now_ns > d->last_ns ? now_ns - d->last_ns : d->last_ns - now_ns;

	if (!d->any || d->reported || apart < DTMF_OVER_NS)
		return DTMF_NOTHING;
	return report(d, ret);
}

bool dtmf_open(const struct dtmf_rx *d, uint64_t *ret_over_ns)
{
	if (!d->any || d->reported || d->event >= DTMF_KEYS)
		return false;
	*ret_over_ns = d->last_ns + DTMF_OVER_NS;
	return true;
}

char dtmf_key(const struct dtmf_rx *d, uint64_t now_ns)
{
	if (!d->any || d->ended || d->event >= DTMF_KEYS || now_ns - d->last_ns > DTMF_HELD_NS)
		return 0;
	return keys[d->event];
}

void dtmf_save(const struct dtmf_rx *d, struct buf *out)
{
	unsigned n = d->npast < DTMF_PAST ? d->npast : DTMF_PAST;
	bool last = d->any && d->reported, open;
	uint64_t over;

	open = dtmf_open(d, &over);
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
	buf_put8(out, open);
	if (!open)
		return;
	buf_put_le32(out, d->ssrc);
	buf_put_le32(out, d->ts);
	buf_put_le32(out, d->clock);
	buf_put_le32(out, d->duration);
	buf_put8(out, d->event);
	buf_put8(out, (uint8_t)(d->ended | d->trusted << 1));
	buf_put_le64(out, d->begin_ns);
	buf_put_le64(out, d->last_ns);
	buf_put_le64(out, d->end_ns);
}

static void load_open(struct rd *r, struct dtmf_rx *d)
{
	uint32_t duration;
	uint8_t flags;

	d->any = true;
	d->ssrc = rd_le32(r);
	d->ts = rd_le32(r);
	d->clock = rd_le32(r);
	duration = rd_le32(r);
	d->duration = (uint16_t)duration;
	d->event = rd_u8(r);
	flags = rd_u8(r);
	d->ended = flags & 1;
	d->trusted = flags & 2;
	d->begin_ns = rd_le64(r);
	d->last_ns = rd_le64(r);
	d->end_ns = rd_le64(r);
	r->bad |= !d->clock || duration > UINT16_MAX || d->event >= DTMF_KEYS || flags > 3;
}

bool dtmf_load(struct rd *r, struct dtmf_rx *d)
{
	uint64_t presses = rd_varint(r);
	unsigned n = rd_u8(r);
	uint8_t open;

	memset(d, 0, sizeof(*d));
	if (n > DTMF_PAST + 1)
		return false;
	for (unsigned i = 0; i < n; i++) {
		d->ssrc = rd_le32(r);
		d->ts = rd_le32(r);
		make_past(d);
	}
	d->ssrc = d->ts = 0;
	open = rd_u8(r);
	if (open == 1)
		load_open(r, d);
	if (r->bad || open > 1) {
		explicit_bzero(d, sizeof(*d));
		return false;
	}
	d->presses = presses;
	return true;
}
