/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rtp.c - RTP packets and the streams of a leg (RFC 3550)
 *
 * Extended sequence numbers are 64-bit and keep the low 16 bits of the wire. A
 * run is what lies between two restarts of a sender under the same SSRC; runs of
 * one stream never overlap in numbers. The bitmap of a run is indexed by the
 * number modulo RTP_WINDOW, which divides 65536: moving a run up by whole cycles
 * leaves its bitmap right.
 */
#include "media/rtp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/le.h"
#include "base/line.h"

#define RTP_HEADER 12
#define RTP_CYCLE  65536
/* RFC 3550 A.1 MAX_MISORDER: steps back from here on must have a timestamp that went back too. */
#define RTP_STEP_BACK 100

_Static_assert(RTP_CYCLE % RTP_WINDOW == 0, "bitmaps survive a move by whole cycles");
_Static_assert(RTP_WINDOW > RTP_MISORDER && RTP_DROPOUT < RTP_CYCLE / 2, "A.1");

int rtp_parse(const uint8_t *p, size_t n, struct rtp_pkt *ret)
{
	size_t off = RTP_HEADER, pad = 0;

	if (n < RTP_HEADER || p[0] >> 6 != 2)
		return -EBADMSG;
	if (p[1] >= 192 && p[1] <= 223)
		return -EBADMSG;
	off += (size_t)(p[0] & 15) * 4;
	if (p[0] & 0x10) {
		if (n < off + 4)
			return -EBADMSG;
		off += 4 + (size_t)be16dec(p + off + 2) * 4;
	}
	if (n < off)
		return -EBADMSG;
	if (p[0] & 0x20) {
		pad = p[n - 1];
		if (pad == 0 || pad > n - off)
			return -EBADMSG;
	}
	ret->pt = p[1] & 0x7f;
	ret->marker = p[1] >> 7;
	ret->seq = be16dec(p + 2);
	ret->ts = be32dec(p + 4);
	ret->ssrc = be32dec(p + 8);
	ret->payload = p + off;
	ret->len = n - off - pad;
	return 0;
}

/* ---- one run of sequence numbers ---- */

static bool run_seen(const struct rtp_run *r, int64_t seq)
{
	unsigned bit = (unsigned)((uint64_t)seq % RTP_WINDOW);

	return r->seen[bit / 64] >> (bit % 64) & 1;
}

static void run_mark(struct rtp_run *r, int64_t seq, bool seen)
{
	unsigned bit = (unsigned)((uint64_t)seq % RTP_WINDOW);

	if (seen)
		r->seen[bit / 64] |= 1ULL << (bit % 64);
	else
		r->seen[bit / 64] &= ~(1ULL << (bit % 64));
}

static void run_start(struct rtp_run *r, int64_t seq, uint32_t ts)
{
	memset(r, 0, sizeof(*r));
	r->first = r->max = seq;
	r->max_ts = ts;
	r->received = 1;
	run_mark(r, seq, true);
}

static uint64_t run_lost(const struct rtp_run *r)
{
	/* Never below 0: what run_takes lets in is told apart by the bitmap or was never seen. */
	return (uint64_t)(r->max - r->first) + 1 - r->received;
}

/* Distance of a packet from the newest of the run, by the shorter way round. */
static int run_delta(const struct rtp_run *r, uint16_t seq)
{
	return (int16_t)(uint16_t)(seq - (uint16_t)r->max);
}

static bool run_takes(const struct rtp_run *r, const struct rtp_pkt *p)
{
	int d = run_delta(r, p->seq);

	if (d > 0)
		return d < RTP_DROPOUT;
	if (d > -RTP_STEP_BACK)
		return true;
	/* Far back in number but forward in time: the sender began again. */
	if ((int32_t)(p->ts - r->max_ts) > 0)
		return false;
	if (d > -RTP_MISORDER)
		return true;
	return d > -RTP_WINDOW && run_seen(r, r->max + d);
}

static void run_advance(struct rtp_run *r, int64_t seq, uint32_t ts)
{
	if (seq - r->max >= RTP_WINDOW) {
		memset(r->seen, 0, sizeof(r->seen));
	} else {
		for (int64_t i = r->max + 1; i < seq; i++)
			run_mark(r, i, false);
	}
	r->max = seq;
	r->max_ts = ts;
}

/* A packet that run_takes: RTP_NEW or RTP_DUPLICATE. */
static enum rtp_new run_packet(struct rtp_run *r, const struct rtp_pkt *p, int64_t *ret_seq)
{
	int64_t seq = r->max + run_delta(r, p->seq);

	*ret_seq = seq;
	if (seq > r->max)
		run_advance(r, seq, p->ts);
	else if (run_seen(r, seq))
		return RTP_DUPLICATE;
	run_mark(r, seq, true);
	if (seq < r->first)
		r->first = seq;
	r->received++;
	return RTP_NEW;
}

/* The first number ending in `seq` so far above `max` that misordered packets stay above it too. */
static int64_t number_above(int64_t max, uint16_t seq)
{
	int64_t want = max + RTP_DROPOUT + 1;

	return want + (uint16_t)(seq - (uint16_t)want);
}

/* ---- restarts ---- */

static void drop_prev(struct rtp_stream *s)
{
	if (s->prev)
		s->lost_before += run_lost(s->prev);
	free(s->prev);
	s->prev = NULL;
}

static void restart(struct rtp_stream *s, const struct rtp_pkt *p)
{
	int64_t max = s->run.max;

	drop_prev(s);
	s->prev = malloc(sizeof(*s->prev));
	if (s->prev)
		*s->prev = s->run;
	else /* without a way back; the packet counts more */
		s->lost_before += run_lost(&s->run);
	run_start(&s->run, number_above(max, p->seq), p->ts);
}

/* The run before the restart goes on: it becomes the current one, moved above what was numbered since. */
static void go_back(struct rtp_stream *s, uint16_t seq)
{
	struct rtp_run back = *s->prev;
	int64_t now = back.max + run_delta(&back, seq);
	int64_t up = number_above(s->run.max, seq) - now;

	back.first += up;
	back.max += up;
	*s->prev = s->run;
	s->run = back;
}

/* First packet in this process: ahead of what the state knows, or one of the last few before it. */
static bool number_resumed(struct rtp_stream *s, const struct rtp_pkt *p, int64_t *ret_seq)
{
	uint16_t ahead = (uint16_t)(p->seq - (uint16_t)s->run.max);

	s->resumed = false;
	if (!ahead || ahead > RTP_CYCLE - RTP_SAVED)
		return false;
	*ret_seq = s->run.max + ahead;
	run_advance(&s->run, *ret_seq, p->ts);
	run_mark(&s->run, *ret_seq, true);
	s->run.received++;
	return true;
}

static enum rtp_new number(struct rtp_stream *s, const struct rtp_pkt *p, int64_t *ret_seq,
			   bool *ret_late)
{
	enum rtp_new new;
	int64_t max;

	*ret_late = false;
	if (s->resumed && number_resumed(s, p, ret_seq))
		return RTP_NEW;
	if (!run_takes(&s->run, p)) {
		if (!s->prev || !run_takes(s->prev, p)) {
			restart(s, p);
			s->transit_clock = 0;
			*ret_seq = s->run.max;
			return RTP_NEW;
		}
		if (run_delta(s->prev, p->seq) <= 0) { /* a late one of before the restart */
			*ret_late = true;
			return run_packet(s->prev, p, ret_seq);
		}
		go_back(s, p->seq);
		s->transit_clock = 0;
	}
	max = s->run.max;
	new = run_packet(&s->run, p, ret_seq);
	*ret_late = *ret_seq < max;
	if (s->prev && s->run.received > RTP_WINDOW)
		drop_prev(s);
	return new;
}

/* RFC 3550 A.8, in double instead of scaled integers. */
static void note_jitter(struct rtp_stream *s, uint32_t ts, uint64_t arrival_ns, uint32_t clock)
{
	uint64_t sec = arrival_ns / 1000000000, ns = arrival_ns % 1000000000;
	uint32_t transit = (uint32_t)(sec * clock + ns * clock / 1000000000) - ts;
	int32_t d;

	if (s->transit_clock == clock) {
		d = (int32_t)(transit - s->transit);
		s->jitter += ((d < 0 ? -(double)d : (double)d) - s->jitter) / 16.0;
	}
	s->transit = transit;
	s->transit_clock = clock;
}

/* ---- the streams of a leg ---- */

static void stream_release(struct rtp_leg *l, struct rtp_stream *s)
{
	l->gone_received += s->received;
	l->gone_lost += rtp_stream_lost(s);
	l->gone_duplicates += s->duplicates;
	l->gone_reordered += s->reordered;
	free(s->prev);
	free(s);
}

static struct rtp_stream *stream_find(const struct rtp_leg *l, uint32_t ssrc)
{
	for (unsigned i = 0; i < l->n; i++) {
		if (l->stream[i]->ssrc == ssrc)
			return l->stream[i];
	}
	return NULL;
}

static struct rtp_stream *stream_add(struct rtp_leg *l, uint32_t ssrc)
{
	struct rtp_stream *s = line_alloc(sizeof(*s));
	unsigned at = l->n;

	if (!s)
		return NULL;
	if (l->n == RTP_STREAMS_MAX) {
		at = 0;
		for (unsigned i = 1; i < l->n; i++) {
			if (l->stream[i]->last_ns < l->stream[at]->last_ns)
				at = i;
		}
		stream_release(l, l->stream[at]);
	} else {
		l->n++;
	}
	s->ssrc = ssrc;
	s->number = l->next_number++;
	l->stream[at] = s;
	return s;
}

int rtp_leg_packet(struct rtp_leg *l, const struct rtp_pkt *p, uint64_t arrival_ns, uint32_t clock,
		   const struct rtp_stream **ret_stream, int64_t *ret_seq)
{
	struct rtp_stream *s = stream_find(l, p->ssrc);
	enum rtp_new new = RTP_NEW;
	bool late = false;

	if (s) {
		new = number(s, p, ret_seq, &late);
	} else {
		s = stream_add(l, p->ssrc);
		if (!s)
			return -ENOMEM;
		run_start(&s->run, p->seq, p->ts);
		*ret_seq = p->seq;
	}
	*ret_stream = s;
	s->last_ns = arrival_ns;
	if (new == RTP_DUPLICATE) {
		s->duplicates++;
		return new;
	}
	s->received++;
	if (late)
		s->reordered++;
	if (clock)
		note_jitter(s, p->ts, arrival_ns, clock);
	return new;
}

void rtp_stream_soon(const struct rtp_stream *s)
{
	for (size_t i = 0; i < offsetof(struct rtp_stream, run.seen); i += 64)
		__builtin_prefetch((const char *)s + i, 1);
}

void rtp_stream_sooner(const struct rtp_stream *s)
{
	__builtin_prefetch(&s->run.seen[(uint64_t)(s->run.max + 1) % RTP_WINDOW / 64], 1);
}

uint64_t rtp_stream_lost(const struct rtp_stream *s)
{
	return s->lost_before + run_lost(&s->run) + (s->prev ? run_lost(s->prev) : 0);
}

void rtp_leg_totals(const struct rtp_leg *l, uint64_t *ret_received, uint64_t *ret_lost,
		    uint64_t *ret_duplicates, uint64_t *ret_reordered)
{
	*ret_received = l->gone_received;
	*ret_lost = l->gone_lost;
	*ret_duplicates = l->gone_duplicates;
	*ret_reordered = l->gone_reordered;
	for (unsigned i = 0; i < l->n; i++) {
		*ret_received += l->stream[i]->received;
		*ret_lost += rtp_stream_lost(l->stream[i]);
		*ret_duplicates += l->stream[i]->duplicates;
		*ret_reordered += l->stream[i]->reordered;
	}
}

void rtp_leg_free(struct rtp_leg *l)
{
	for (unsigned i = 0; i < l->n; i++) {
		free(l->stream[i]->prev);
		free(l->stream[i]);
	}
	memset(l, 0, sizeof(*l));
}

/* ---- as bytes ---- */

#define NUMBER_MAX (1LL << 60) /* sums of what is read stay far from overflowing */

static void run_save(const struct rtp_run *r, struct buf *out)
{
	buf_put_varint(out, zigzag(r->max));
	buf_put_varint(out, (uint64_t)(r->max - r->first));
	buf_put_varint(out, r->received);
	buf_put_le32(out, r->max_ts);
	for (int i = 0; i < RTP_SAVED; i += 8) {
		uint8_t b = 0;

		for (int k = 0; k < 8; k++)
			b |= (uint8_t)(run_seen(r, r->max - i - k) << k);
		buf_put8(out, b);
	}
}

static bool run_load(struct rd *r, struct rtp_run *run)
{
	int64_t max = unzigzag(rd_varint(r));
	uint64_t span = rd_varint(r), received = rd_varint(r);
	const uint8_t *p;

	run->max_ts = rd_le32(r);
	p = rd_bytes(r, RTP_SAVED / 8);
	if (!p || max < -NUMBER_MAX || max > NUMBER_MAX || span > NUMBER_MAX || received > span + 1 || !received)
		return false;
	run->max = max;
	run->first = max - (int64_t)span;
	run->received = received;
	memset(run->seen, 0xff, sizeof(run->seen));
	for (int i = 0; i < RTP_SAVED; i++)
		run_mark(run, max - i, p[i / 8] >> (i % 8) & 1);
	return true;
}

static void stream_save(const struct rtp_stream *s, struct buf *out)
{
	buf_put_le32(out, s->ssrc);
	buf_put_varint(out, s->number);
	buf_put_varint(out, s->received);
	buf_put_varint(out, s->duplicates);
	buf_put_varint(out, s->reordered);
	buf_put_varint(out, s->last_ns);
	buf_put_varint(out, s->lost_before);
	buf_put_varint(out, s->jitter < 1e12 ? (uint64_t)(s->jitter * 16) : 0);
	run_save(&s->run, out);
	buf_put8(out, s->prev != NULL);
	if (s->prev)
		run_save(s->prev, out);
}

static int stream_load(struct rd *r, struct rtp_stream *s)
{
	uint64_t number, jitter;

	s->ssrc = rd_le32(r);
	number = rd_varint(r);
	s->number = (uint32_t)number;
	s->received = rd_varint(r);
	s->duplicates = rd_varint(r);
	s->reordered = rd_varint(r);
	s->last_ns = rd_varint(r);
	s->lost_before = rd_varint(r);
	jitter = rd_varint(r);
	s->jitter = (double)jitter / 16;
	s->resumed = true;
	if (number > UINT32_MAX || jitter > NUMBER_MAX || (s->received | s->duplicates | s->reordered) > NUMBER_MAX ||
	    s->lost_before > NUMBER_MAX || !run_load(r, &s->run))
		return -EBADMSG;
	switch (rd_u8(r)) {
	case 0:
		return 0;
	case 1:
		s->prev = calloc(1, sizeof(*s->prev));
		if (!s->prev)
			return -ENOMEM;
		return run_load(r, s->prev) && s->prev->max < s->run.first ? 0 : -EBADMSG;
	default:
		return -EBADMSG;
	}
}

void rtp_leg_save(const struct rtp_leg *l, struct buf *out)
{
	buf_put8(out, (uint8_t)l->n);
	buf_put_varint(out, l->next_number);
	buf_put_varint(out, l->gone_received);
	buf_put_varint(out, l->gone_lost);
	buf_put_varint(out, l->gone_duplicates);
	buf_put_varint(out, l->gone_reordered);
	for (unsigned i = 0; i < l->n; i++)
		stream_save(l->stream[i], out);
}

int rtp_leg_load(struct rd *r, struct rtp_leg *l)
{
	unsigned n = rd_u8(r);
	uint64_t next = rd_varint(r);
	int e = 0;

	memset(l, 0, sizeof(*l));
	l->next_number = (uint32_t)next;
	l->gone_received = rd_varint(r);
	l->gone_lost = rd_varint(r);
	l->gone_duplicates = rd_varint(r);
	l->gone_reordered = rd_varint(r);
	if (r->bad || n > RTP_STREAMS_MAX || next > UINT32_MAX ||
	    (l->gone_received | l->gone_lost | l->gone_duplicates | l->gone_reordered) > NUMBER_MAX)
		e = -EBADMSG;
	while (!e && l->n < n) {
		struct rtp_stream *s = line_alloc(sizeof(*s));

		if (!s) {
			e = -ENOMEM;
			break;
		}
		l->stream[l->n++] = s;
		e = stream_load(r, s);
	}
	if (!e && r->bad)
		e = -EBADMSG;
	if (e)
		rtp_leg_free(l);
	return e;
}
