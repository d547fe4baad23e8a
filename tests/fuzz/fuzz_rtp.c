/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_rtp.c - RTP packets through one leg, its key presses and its chunks
 *
 * Input: records of a length octet, a time step octet (x 4 ms) and that many
 * bytes of packet. What must hold whatever comes: extended numbers keep the
 * wire's bits, sums balance, chunks stay within their limits and lose nothing but what more than eight streams at once send.
 */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "media/chunker.h"
#include "media/dtmf.h"
#include "media/rtp.h"
#include "must.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

struct sums {
	uint64_t packets, bytes, in_packets, in_bytes;
	struct {
		uint32_t ssrc, stream, pt;
	} seen[8]; /* what has an open chunk at most */
	unsigned nseen; /* 9: more */
};

static int sink(void *arg, const struct chunk *c)
{
	struct sums *s = arg;

	MUST(c->npkt && c->npkt <= CHUNK_MAX_PACKETS && c->nbytes <= CHUNK_MAX_BYTES);
	s->packets += c->npkt;
	s->bytes += c->nbytes;
	return 0;
}

static void seen(struct sums *s, uint32_t ssrc, uint32_t stream, uint32_t pt)
{
	unsigned i = 0;

	while (i < s->nseen && i < 8 && (s->seen[i].ssrc != ssrc || s->seen[i].stream != stream || s->seen[i].pt != pt))
		i++;
	if (i < s->nseen && i < 8)
		return;
	if (i < 8) {
		s->seen[i].ssrc = ssrc;
		s->seen[i].stream = stream;
		s->seen[i].pt = pt;
	}
	s->nseen = i + 1;
}

static void audio(struct chunker *c, struct sums *s, const struct rtp_pkt *r, uint32_t stream,
		  int64_t seq, uint64_t now)
{
	struct media_format f = {.clock = 8000, .channels = 1, .pt = r->pt};

	int rc;

	seen(s, r->ssrc, stream, r->pt);
	rc = chunker_add(c, r->ssrc, stream, &f, r->pt == 13, r->marker, seq, r->ts, now, r->payload, r->len);
	MUST(!rc || (rc == -ENOBUFS && s->nseen > 8)); /* only too many at once are not taken */
	if (rc)
		return;
	s->in_packets++;
	s->in_bytes += r->len;
}

static void event(struct dtmf_rx *d, const struct rtp_pkt *r, uint64_t now)
{
	struct dtmf_from from = {r->ssrc, r->ts, r->marker ? 48000 : 0, r->seq & 1, now};
	struct dtmf_press k = {0};

	if (r->len > 4 ? dtmf_audio(d, r->ssrc, r->ts, &k) == DTMF_PRESS : dtmf_idle(d, now, &k) == DTMF_PRESS)
		MUST(k.key && strchr("0123456789*#ABCD", k.key) && k.begin_ns <= k.end_ns && k.end_ns <= now);
	k.key = 0;
	if (dtmf_packet(d, &from, r->payload, r->len, &k) == DTMF_PRESS)
		MUST(k.key && strchr("0123456789*#ABCD", k.key) && k.begin_ns <= k.end_ns && k.end_ns <= now);
	else
		MUST(!k.key);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct sums s = {0};
	struct chunker_sink k = {.arg = &s, .chunk = sink};
	uint64_t now = 1, fresh = 0, copies = 0, r, l, d, o;
	struct rtp_leg leg = {0};
	struct dtmf_rx dtmf = {0};
	struct chunker *c;

	MUST(!chunker_new(&k, &c));
	while (n >= 2 && n - 2 >= p[0]) {
		const struct rtp_stream *stream;
		struct rtp_pkt pkt;
		int64_t seq;
		size_t len = p[0];

		now += p[1] * 4000000ULL;
		if (!rtp_parse(p + 2, len, &pkt)) {
			int ret = rtp_leg_packet(&leg, &pkt, now, 8000, &stream, &seq);

			MUST(ret >= 0 && (uint16_t)seq == pkt.seq && stream->ssrc == pkt.ssrc);
			MUST(pkt.payload >= p + 2 + 12 && pkt.payload + pkt.len <= p + 2 + len);
			fresh += ret == RTP_NEW;
			copies += ret == RTP_DUPLICATE;
			if (pkt.pt == 101)
				event(&dtmf, &pkt, now);
			else if (ret == RTP_NEW)
				audio(c, &s, &pkt, stream->number, seq, now);
		}
		p += len + 2;
		n -= len + 2;
	}
	rtp_leg_totals(&leg, &r, &l, &d, &o);
	MUST(r == fresh && d == copies && o <= r && l <= fresh * RTP_DROPOUT);
	MUST(!chunker_flush(c));
	MUST(s.packets == s.in_packets && s.bytes == s.in_bytes);
	chunker_free(c);
	rtp_leg_free(&leg);
	return 0;
}
