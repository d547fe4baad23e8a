/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * chunker.c - collects packets of one leg into chunks
 *
 * Memory starts at about a second of G.711 and doubles up to the limits of
 * base/chunk.h; 100,000 idle legs must not cost 150 KiB each. Payloads are
 * found by offset, so growing moves them freely. The thread of the call.
 */
#include "media/chunker.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/slab.h"
#include "media/tones.h"

#define FIRST_PACKETS 102 /* 4 KiB, doubled the most that fits each time; a chunk of G.711 has 80 */
#define FIRST_BYTES   8192

struct chunker {
	struct chunker_sink sink;
	struct chunk c;
	uint32_t cap_pkt, cap_bytes, max_bytes;
	struct chunker_memory *memory; /* NULL: no limit */
	bool noise_only; /* c.format is that of comfort noise so far */
	const struct tones *tones; /* NULL: nothing is silenced */
	enum g711_law law;
	uint32_t decided; /* packets of the chunk, from the first on, in which nothing is silenced any more */
	uint64_t muted;
};

int chunker_new(const struct chunker_sink *sink, struct chunker **ret)
{
	struct chunker *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->sink = *sink;
	c->max_bytes = CHUNK_MAX_BYTES;
	*ret = c;
	return 0;
}

void chunker_limit(struct chunker *c, struct chunker_memory *m, uint32_t bytes)
{
	c->memory = m;
	if (bytes && bytes < CHUNK_MAX_BYTES)
		c->max_bytes = bytes;
}

static uint64_t memory_of(const struct chunker *c)
{
	return (uint64_t)c->cap_pkt * sizeof(*c->c.pkt) + c->cap_bytes;
}

/* Audio that was withdrawn must not linger. */
static void give(struct chunker_memory *m, void *p, size_t n)
{
	if (m && m->slab) {
		slab_put(m->slab, p, n);
	} else if (p) {
		explicit_bzero(p, n);
		free(p);
	}
}

/* Like realloc. */
static void *larger(struct chunker_memory *m, void *p, size_t had, size_t n)
{
	void *q = m && m->slab ? slab_get(m->slab, n) : malloc(n);

	if (q && p) {
		memcpy(q, p, had);
		give(m, p, had);
	}
	return q;
}

void chunker_free(struct chunker *c)
{
	if (!c)
		return;
	if (c->memory)
		c->memory->used -= memory_of(c);
	give(c->memory, c->c.pkt, c->cap_pkt * sizeof(*c->c.pkt));
	give(c->memory, c->c.data, c->cap_bytes);
	free(c);
}

/* ---- muting ---- */

/* Before all of it is known, the tone that a packet is part of may go on. A timestamp that the detector has not come to is of another
 * timeline: nothing is waited for. */
static bool undecided(const struct chunker *c, const struct chunk_pkt *k)
{
	uint32_t end = k->ts + k->len, last = tones_final(c->tones);

	return (int32_t)(end - last) > 0 && end - last <= TONES_DELAY;
}

static void mute(struct chunker *c, struct chunk_pkt *k)
{
	if (!(k->flags & CHUNK_P_CN))
		c->muted += tones_mute(c->tones, c->law, k->ts, c->c.data + k->off, k->len);
}

static void mute_decided(struct chunker *c)
{
	while (c->tones && c->decided < c->c.npkt && !undecided(c, &c->c.pkt[c->decided]))
		mute(c, &c->c.pkt[c->decided++]);
}

static void mute_rest(struct chunker *c)
{
	while (c->tones && c->decided < c->c.npkt)
		mute(c, &c->c.pkt[c->decided++]);
}

void chunker_mute(struct chunker *c, const struct tones *t, enum g711_law law)
{
	if (c->tones && (c->tones != t || c->law != law))
		mute_rest(c);
	if (!c->tones)
		c->decided = c->c.npkt;
	c->tones = t;
	c->law = law;
}

uint64_t chunker_muted(const struct chunker *c)
{
	return c->muted;
}

/* ---- closing ---- */

int chunker_flush(struct chunker *c)
{
	int err = 0;

	mute_rest(c);
	if (c->c.npkt)
		err = c->sink.chunk(c->sink.arg, &c->c);
	c->c.npkt = 0;
	c->c.nbytes = 0;
	c->decided = 0;
	return err;
}

/* Closes what is decided; the rest begins the next chunk. */
static int close_decided(struct chunker *c)
{
	struct chunk *k = &c->c;
	uint32_t n = c->decided, rest, bytes, all = k->nbytes;
	int err;

	if (!c->tones || !n || n == k->npkt)
		return chunker_flush(c);
	rest = k->npkt - n;
	bytes = k->pkt[n].off;
	k->npkt = n;
	k->nbytes = bytes;
	err = c->sink.chunk(c->sink.arg, k);
	memmove(k->pkt, k->pkt + n, rest * sizeof(*k->pkt));
	memmove(k->data, k->data + bytes, all - bytes);
	for (uint32_t i = 0; i < rest; i++)
		k->pkt[i].off -= bytes;
	k->npkt = rest;
	k->nbytes = all - bytes;
	c->decided = 0;
	return err;
}

static bool same_format(const struct media_format *a, const struct media_format *b)
{
	return a->pt == b->pt && a->clock == b->clock && a->channels == b->channels &&
	       !strncmp(a->name, b->name, sizeof(a->name)) &&
	       !strncmp(a->fmtp, b->fmtp, sizeof(a->fmtp));
}

/* Clocks of captures step back; a chunk that long is no better than one that steps on. */
static bool is_old(const struct chunk *k, uint64_t now_ns)
{
	uint64_t first = k->pkt[0].arrival_ns;

	return (now_ns > first ? now_ns - first : first - now_ns) >= CHUNKER_SPAN_NS;
}

bool chunker_empty(const struct chunker *c)
{
	return !c->c.npkt;
}

int chunker_tick(struct chunker *c, uint64_t now_ns)
{
	return c->c.npkt && is_old(&c->c, now_ns) ? close_decided(c) : 0;
}

/* Whether the open chunk must be closed whole before this packet. */
static bool must_close(const struct chunker *c, uint32_t ssrc, uint32_t stream,
		       const struct media_format *f, bool cn)
{
	const struct chunk *k = &c->c;

	if (!k->npkt)
		return false;
	if (k->ssrc != ssrc || k->stream != stream)
		return true;
	return !cn && !c->noise_only && !same_format(&k->format, f);
}

static bool is_full(const struct chunker *c, size_t len)
{
	return c->c.npkt && (c->c.npkt == CHUNK_MAX_PACKETS || c->c.nbytes + len > c->max_bytes);
}

/* *cap: enough for `need`, doubled from `first`, at most `limit` (need never exceeds it). */
static int grow(struct chunker_memory *m, void **p, size_t size, uint32_t need, uint32_t first, uint32_t limit,
		uint32_t *cap)
{
	uint64_t more;
	uint32_t n = *cap ? *cap : first;
	void *q;

	if (need <= *cap)
		return 0;
	while (n < need)
		n *= 2;
	if (n > limit)
		n = limit;
	more = (uint64_t)(n - *cap) * size;
	if (m && m->limit && m->used + more > m->limit)
		return -ENOBUFS;
	q = larger(m, *p, *cap * size, n * size);
	if (!q)
		return -ENOBUFS;
	if (m)
		m->used += more;
	*p = q;
	*cap = n;
	return 0;
}

static int make_room(struct chunker *c, size_t len)
{
	void *pkt = c->c.pkt, *data = c->c.data;
	int err;

	err = grow(c->memory, &pkt, sizeof(*c->c.pkt), c->c.npkt + 1, FIRST_PACKETS, CHUNK_MAX_PACKETS,
		   &c->cap_pkt);
	c->c.pkt = pkt;
	if (err)
		return err;
	err = grow(c->memory, &data, 1, c->c.nbytes + (uint32_t)len, FIRST_BYTES, CHUNK_MAX_BYTES,
		   &c->cap_bytes);
	c->c.data = data;
	return err;
}

static void set_format(struct chunker *c, uint32_t ssrc, uint32_t stream,
		       const struct media_format *f, bool cn)
{
	if (!c->c.npkt) {
		c->c.ssrc = ssrc;
		c->c.stream = stream;
		c->c.format = *f;
		c->noise_only = cn;
	} else if (c->noise_only && !cn) {
		c->c.format = *f;
		c->noise_only = false;
	}
}

void chunker_soon(const struct chunker *c)
{
	const char *to = (const char *)c->c.data + c->c.nbytes;

	if (c->c.pkt && c->c.npkt < c->cap_pkt)
		__builtin_prefetch(&c->c.pkt[c->c.npkt], 1);
	for (size_t i = 0; c->c.data && i <= 192 && c->c.nbytes + i < c->cap_bytes; i += 64)
		__builtin_prefetch(to + i, 1);
	if (c->c.pkt && c->c.npkt)
		__builtin_prefetch(&c->c.pkt[0]); /* how old the chunk is */
}

int chunker_add(struct chunker *c, uint32_t ssrc, uint32_t stream, const struct media_format *f,
		bool cn, bool marker, int64_t seq, uint32_t ts, uint64_t arrival_ns,
		const uint8_t *payload, size_t len)
{
	struct chunk_pkt *k;
	int err, sunk = 0;

	if (len > UINT16_MAX)
		return -EMSGSIZE;
	if (must_close(c, ssrc, stream, f, cn))
		sunk = chunker_flush(c);
	else if (is_full(c, len) || (c->c.npkt && is_old(&c->c, arrival_ns)))
		sunk = close_decided(c);
	if (is_full(c, len)) {
		err = chunker_flush(c);
		sunk = sunk ? sunk : err;
	}
	err = make_room(c, len);
	if (err)
		return err;
	set_format(c, ssrc, stream, f, cn);
	k = &c->c.pkt[c->c.npkt++];
	*k = (struct chunk_pkt){
		.arrival_ns = arrival_ns,
		.seq = seq,
		.ts = ts,
		.off = c->c.nbytes,
		.len = (uint16_t)len,
		.flags = (uint8_t)((marker ? CHUNK_P_MARKER : 0) | (cn ? CHUNK_P_CN : 0)),
		.pt = f->pt,
	};
	if (len)
		memcpy(c->c.data + k->off, payload, len);
	c->c.nbytes += (uint32_t)len;
	mute_decided(c);
	return sunk;
}
