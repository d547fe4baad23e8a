/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * export_wav.c - stereo WAV: caller left, callee right, aligned in time
 *
 * Sample 0 is the first arrival of either leg. Each stream is anchored where
 * its first packet arrived; from there its RTP timestamps say where a packet
 * lies, so jitter does not reach the ear. A packet that its timestamp puts more
 * than 200 ms from its arrival (a new timestamp base, a clock that drifted) sets
 * a new anchor. What nobody sent stays silence, comfort noise too.
 *
 * The file is written in place: both legs and streams that overlap are added
 * into it block by block, so memory does not grow with the call.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/le.h"
#include "cli.h"
#include "export.h"

#define ANCHOR_NS (200 * (int64_t)NS_PER_MS)
#define WAV_HEAD  44
#define BLOCK	  1024 /* frames a read-add-write */
#define DATA_MAX  (0xffffffffULL - WAV_HEAD)

struct track { /* one leg */
	struct decoder *dec;
	struct media_format format;
	bool open, anchored, run;
	uint32_t ssrc, stream;
	uint64_t anchor_ns; /* arrival of the anchor, corrected by nothing */
	uint32_t anchor_ts;
	uint32_t next_ts; /* where the next packet continues without a gap */
	uint64_t at;	  /* output frame where the next sample goes */
};

struct wav {
	struct export_call *c;
	struct out *o;
	int fd;
	uint32_t rate;
	uint64_t origin_ns, frames;
	struct track track[2];
};

static int transfer(struct wav *w, uint8_t *b, size_t n, uint64_t off, bool out)
{
	while (n) {
		ssize_t got = out ? pwrite(w->fd, b, n, (off_t)off) : pread(w->fd, b, n, (off_t)off);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return out_error(w->o, -errno);
		if (!got && out)
			return out_error(w->o, -EIO);
		if (!got) { /* past the end: silence so far */
			memset(b, 0, n);
			return 0;
		}
		b += got;
		off += (uint64_t)got;
		n -= (size_t)got;
	}
	return 0;
}

static int16_t clip(int v)
{
	return (int16_t)(v > 32767 ? 32767 : v < -32768 ? -32768 : v);
}

static int mix(struct wav *w, unsigned leg, uint64_t at, const int16_t *s, size_t n)
{
	uint8_t b[BLOCK * 4] = { 0 };

	if ((at + n) * 4 > DATA_MAX)
		return out_error(w->o, -EFBIG);
	while (n) {
		size_t k = n < BLOCK ? n : BLOCK;

		if (transfer(w, b, k * 4, WAV_HEAD + at * 4, false))
			return -EIO;
		for (size_t i = 0; i < k; i++) {
			uint8_t *p = b + i * 4 + leg * 2;

			le16enc(p, (uint16_t)clip((int16_t)le16dec(p) + s[i]));
		}
		if (transfer(w, b, k * 4, WAV_HEAD + at * 4, true))
			return -EIO;
		at += k;
		s += k;
		n -= k;
	}
	if (at > w->frames)
		w->frames = at;
	return 0;
}

static int put_samples(struct wav *w, unsigned leg, const int16_t *s, int n)
{
	struct track *t = &w->track[leg];
	int rc = n > 0 ? mix(w, leg, t->at, s, (size_t)n) : 0;

	t->at += n > 0 ? (unsigned)n : 0;
	return rc;
}

/* The end of an unbroken run: what the resampler holds belongs to it. */
static int end_run(struct wav *w, unsigned leg)
{
	struct track *t = &w->track[leg];
	const int16_t *s = NULL;
	int n = 0;

	if (t->run && t->open)
		n = decoder_flush(t->dec, &s);
	t->run = false;
	return put_samples(w, leg, s, n);
}

static bool same_format(const struct media_format *a, const struct media_format *b)
{
	return !strcmp(a->name, b->name) && a->clock == b->clock && a->channels == b->channels &&
	       a->pt == b->pt && !strcmp(a->fmtp, b->fmtp);
}

/* A new stream or format: a fresh decoder, if there is one. */
static int switch_format(struct wav *w, const struct export_pkt *p)
{
	struct track *t = &w->track[p->leg];
	bool same_stream = t->open && t->ssrc == p->ssrc && t->stream == p->stream;
	int rc;

	if (same_stream && same_format(&t->format, p->format))
		return 0;
	rc = end_run(w, p->leg);
	decoder_close(t->dec);
	t->dec = NULL;
	t->open = false;
	t->anchored = t->anchored && same_stream && t->format.clock == p->format->clock;
	t->ssrc = p->ssrc;
	t->stream = p->stream;
	t->format = *p->format;
	if (rc || !decoder_known(p->format))
		return rc;
	rc = decoder_open(p->format, w->rate, &t->dec);
	t->open = !rc;
	return rc;
}

/* Sets t->at for a packet that does not continue the run before it. */
static void place(struct wav *w, struct track *t, const struct export_pkt *p)
{
	uint32_t clock = t->format.clock ? t->format.clock : 8000;
	int64_t from_ts = 0, rel;

	if (t->anchored) {
		from_ts = (int64_t)(int32_t)(p->ts - t->anchor_ts) * (int64_t)NS_PER_S / clock;
		rel = (int64_t)(p->arrival_ns - t->anchor_ns);
		if (from_ts - rel > ANCHOR_NS || rel - from_ts > ANCHOR_NS)
			t->anchored = false;
	}
	if (!t->anchored) {
		t->anchored = true;
		t->anchor_ns = p->arrival_ns;
		t->anchor_ts = p->ts;
		from_ts = 0;
	}
	rel = (int64_t)(t->anchor_ns - w->origin_ns) + from_ts;
	if (rel < 0)
		rel = 0;
	t->at = (uint64_t)((__int128)rel * w->rate / (int64_t)NS_PER_S);
}

/* Far from its arrival although it continues: time base slipped, so it must be placed again. */
static bool strayed(const struct track *t, const struct export_pkt *p)
{
	uint32_t clock = t->format.clock ? t->format.clock : 8000;
	int64_t d = (int64_t)(int32_t)(p->ts - t->anchor_ts) * (int64_t)NS_PER_S / clock -
		    (int64_t)(p->arrival_ns - t->anchor_ns);

	return d > ANCHOR_NS || d < -ANCHOR_NS;
}

static int put(void *arg, const struct export_pkt *p)
{
	struct wav *w = arg;
	struct track *t = &w->track[p->leg];
	const int16_t *s = NULL;
	unsigned native = 0;
	uint64_t ticks;
	int n, rc = switch_format(w, p);

	if (rc || !t->open)
		return rc;
	if (p->flags & CHUNK_P_CN || !p->len)
		return end_run(w, p->leg);
	if (!t->run || p->ts != t->next_ts || strayed(t, p)) {
		rc = end_run(w, p->leg);
		if (rc)
			return rc;
		place(w, t, p);
	}
	n = decoder_feed(t->dec, p->payload, p->len, &s, &native);
	if (n == -EBADMSG) {
		w->c->bad_frames++;
		return end_run(w, p->leg);
	}
	if (n < 0)
		return n;
	t->run = true;
	ticks = (uint64_t)native * t->format.clock / decoder_rate(&t->format);
	t->next_ts = p->ts + (uint32_t)ticks;
	return put_samples(w, p->leg, s, n);
}

static void head(uint8_t h[WAV_HEAD], uint32_t rate, uint64_t data)
{
	memset(h, 0, WAV_HEAD);
	memcpy(h, "RIFF", 4);
	le32enc(h + 4, (uint32_t)(data + WAV_HEAD - 8));
	memcpy(h + 8, "WAVEfmt ", 8);
	le32enc(h + 16, 16);
	le16enc(h + 20, 1); /* PCM */
	le16enc(h + 22, 2);
	le32enc(h + 24, rate);
	le32enc(h + 28, rate * 4);
	le16enc(h + 32, 4);
	le16enc(h + 34, 16);
	memcpy(h + 36, "data", 4);
	le32enc(h + 40, (uint32_t)data);
}

/* The highest rate of what can be decoded; 0 nothing can. */
static uint32_t pick_rate(const struct export_call *c)
{
	uint32_t rate = 0;

	for (unsigned i = 0; i < 2 * EXPORT_STREAMS; i++) {
		const struct export_stream *s = &c->leg[i / EXPORT_STREAMS].stream[i % EXPORT_STREAMS];

		if (s->audio_packets && decoder_known(&s->format) && decoder_rate(&s->format) > rate)
			rate = decoder_rate(&s->format);
	}
	return rate;
}

static unsigned undecodable(const struct export_call *c)
{
	unsigned which = 0;

	for (unsigned leg = 0; leg < 2; leg++) {
		for (unsigned i = 0; i < EXPORT_STREAMS; i++) {
			const struct export_stream *s = &c->leg[leg].stream[i];

			if (!s->audio_packets || decoder_known(&s->format))
				continue;
			if (!(which >> leg & 1))
				cli_err("%s: no decoder for %s: its payloads are written instead",
					export_legs[leg], *s->format.name ? s->format.name : "an unnamed codec");
			which |= 1u << leg;
		}
	}
	return which;
}

static int finish(struct wav *w)
{
	uint64_t first[2] = { w->c->leg[0].last_ns, w->c->leg[1].last_ns };
	uint64_t last = first[0] > first[1] ? first[0] : first[1];
	uint64_t least = (uint64_t)((__int128)(last - w->origin_ns) * w->rate / NS_PER_S);
	uint8_t h[WAV_HEAD];

	/* trailing silence (comfort noise, lost packets) is part of the call's length */
	if (least > w->frames)
		w->frames = least;
	if (w->frames * 4 > DATA_MAX)
		return out_error(w->o, -EFBIG);
	head(h, w->rate, w->frames * 4);
	if (ftruncate(w->fd, (off_t)(WAV_HEAD + w->frames * 4)) != 0)
		return out_error(w->o, -errno);
	return transfer(w, h, sizeof(h), 0, true);
}

static int write_wav(struct export_call *c, uint32_t rate, const char *out, bool force, struct export_result *r)
{
	struct wav w = { .c = c, .rate = rate };
	int rc = out_open(out, force, &w.o);

	if (rc)
		return rc;
	r->leg[r->n] = -1;
	r->file[r->n++] = w.o;
	r->rate = w.rate;
	w.fd = out_fd(w.o);
	w.origin_ns = c->leg[0].first_ns;
	if (!c->leg[0].packets || (c->leg[1].packets && c->leg[1].first_ns < w.origin_ns))
		w.origin_ns = c->leg[1].first_ns;
	rc = export_packets(c, EXPORT_BY_SEQ, put, &w);
	for (unsigned leg = 0; leg < 2; leg++) {
		if (!rc)
			rc = end_run(&w, leg);
		decoder_close(w.track[leg].dec);
	}
	if (!rc)
		rc = finish(&w);
	if (!rc && c->bad_frames)
		cli_err("%llu packets could not be decoded: silence in their place",
			(unsigned long long)c->bad_frames);
	return rc;
}

int export_wav(struct export_call *c, const char *out, bool force, struct export_result *r)
{
	uint32_t rate = 0;
	int rc = decoder_start(c);
	unsigned which = rc ? 0 : undecodable(c);

	if (which)
		rc = export_payload(c, out, force, which, r);
	if (!rc)
		rate = pick_rate(c);
	if (rate)
		rc = write_wav(c, rate, out, force, r);
	decoder_end();
	return rc;
}
