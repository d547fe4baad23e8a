/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * chunker.c - collects packets of one leg into chunks
 *
 * Memory starts at about a second of G.711 and doubles up to the limits of
 * base/chunk.h; 100,000 idle legs must not cost 150 KiB each. Payloads are
 * found by offset, so growing moves them freely; they lie one behind the other. In front of the
 * chunk lies its context. The thread of the call.
 */
#include "media/chunker.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/line.h"
#include "base/slab.h"
#include "media/mute.h"

#define FIRST_PACKETS 102 /* 4 KiB, doubled the most that fits each time; a chunk of G.711 has 75 */
#define FIRST_BYTES   8192

/* Context is no more than this, whatever the packets are like: what MUTE_BEFORE asks for in packets of 2 ms, or of a frame. */
#define LEAD_PACKETS 64
#define LEAD_BYTES   2560

struct lead {
	uint32_t n, bytes;
	uint8_t data[LEAD_BYTES];
};

struct chunker {
	/* what each packet meets, in two cache lines with the beginning of c and its format */
	struct chunk_pkt *pkt;
	uint8_t *data;
	uint32_t cap_pkt, cap_bytes, max_bytes;
	uint32_t lead, lead_bytes; /* context: packets of the chunk before, of the same stream */
	bool noise_only;	   /* c.format is that of comfort noise so far */
	bool muting;
	uint8_t law;   /* enum g711_law */
	struct chunk c; /* pkt and data: behind the context in those above */
	/* the rest when it closes, or grows */
	uint32_t plain; /* packets of the chunk, from the first on, that are not to be muted (any more) */
	uint64_t muted;
	struct chunker_sink sink;
	struct chunker_memory *memory; /* NULL: no limit */
};

int chunker_new(const struct chunker_sink *sink, struct chunker **ret)
{
	struct chunker *c = line_alloc(sizeof(*c));

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
	give(c->memory, c->pkt, c->cap_pkt * sizeof(*c->pkt));
	give(c->memory, c->data, c->cap_bytes);
	free(c);
}

/* ---- muting ---- */

/* What of the chunk is to be muted: its packets before n. */
static void mute(struct chunker *c, uint32_t n)
{
	if (c->muting && c->plain < n)
		c->muted += mute_keys((enum g711_law)c->law, c->pkt, c->lead + c->c.npkt, c->data, c->lead + c->plain, c->lead + n);
	if (c->plain < n)
		c->plain = n;
}

void chunker_mute(struct chunker *c, bool on, enum g711_law law)
{
	if (c->muting == on && c->law == (uint8_t)law)
		return;
	mute(c, c->c.npkt);
	c->plain = c->c.npkt;
	c->muting = on;
	c->law = (uint8_t)law;
}

uint64_t chunker_muted(const struct chunker *c)
{
	return c->muted;
}

/* ---- closing ---- */

/* Samples, whose packets (and the noise between them) are the last of n. */
static uint32_t packets_of(const struct chunk_pkt *pkt, uint32_t n, uint32_t samples)
{
	uint32_t k = 0, sum = 0;

	while (k < n && sum < samples) {
		k++;
		sum += pkt[n - k].flags & CHUNK_P_CN ? 0 : pkt[n - k].len;
	}
	return k;
}

static void move(struct chunker *c, uint32_t lead, uint32_t lead_bytes)
{
	c->lead = lead;
	c->lead_bytes = lead_bytes;
	c->c.pkt = c->pkt ? c->pkt + lead : NULL;
	c->c.data = c->data ? c->data + lead_bytes : NULL;
}

/* What the chunk's first n packets leave as context: whole, as it came. So much of it as there is room for. */
static void take_lead(const struct chunker *c, uint32_t n, struct lead *ret)
{
	const struct chunk *k = &c->c;
	uint32_t gone = n < k->npkt ? k->pkt[n].off : k->nbytes;

	ret->n = ret->bytes = 0;
	if (!c->muting)
		return;
	ret->n = packets_of(k->pkt, n, MUTE_BEFORE);
	if (ret->n > LEAD_PACKETS)
		ret->n = LEAD_PACKETS;
	while (ret->n && gone - k->pkt[n - ret->n].off > LEAD_BYTES)
		ret->n--;
	ret->bytes = ret->n ? gone - k->pkt[n - ret->n].off : 0;
	if (ret->bytes)
		memcpy(ret->data, k->data + gone - ret->bytes, ret->bytes);
}

/* The first n packets were handed over; the rest begins the next chunk. */
static void go_on(struct chunker *c, uint32_t n, struct lead *l)
{
	struct chunk *k = &c->c;
	uint32_t gone = n < k->npkt ? k->pkt[n].off : k->nbytes;

	memmove(c->pkt, k->pkt + n - l->n, (l->n + k->npkt - n) * sizeof(*k->pkt));
	memmove(c->data + l->bytes, k->data + gone, k->nbytes - gone);
	if (l->bytes) {
		memcpy(c->data, l->data, l->bytes);
		explicit_bzero(l->data, l->bytes);
	}
	move(c, l->n, l->bytes);
	k->npkt -= n;
	k->nbytes -= gone;
	for (uint32_t i = 0; i < k->npkt; i++)
		k->pkt[i].off -= gone;
	c->plain = c->plain > n ? c->plain - n : 0;
}

static void forget_lead(struct chunker *c)
{
	uint32_t plain = c->plain;

	if (!c->lead)
		return;
	mute(c, c->c.npkt); /* with the context, while it is there, and again when the chunk closes */
	c->plain = plain;
	memmove(c->pkt, c->c.pkt, c->c.npkt * sizeof(*c->pkt));
	memmove(c->data, c->c.data, c->c.nbytes);
	explicit_bzero(c->data + c->c.nbytes, c->lead_bytes);
	move(c, 0, 0);
}

void chunker_forget(struct chunker *c)
{
	forget_lead(c);
	if (c->data)
		explicit_bzero(c->data + c->c.nbytes, c->cap_bytes - c->c.nbytes);
}

int chunker_flush(struct chunker *c)
{
	struct lead l;
	int err;

	if (!c->c.npkt)
		return 0;
	take_lead(c, c->c.npkt, &l);
	mute(c, c->c.npkt);
	err = c->sink.chunk(c->sink.arg, &c->c);
	go_on(c, c->c.npkt, &l);
	return err;
}

/* All but what may begin a press. */
static int close_decided(struct chunker *c)
{
	struct chunk *k = &c->c;
	uint32_t all = k->npkt, bytes = k->nbytes, n;
	struct lead l;
	int err;

	n = all - (c->muting ? packets_of(k->pkt, all, MUTE_AFTER) : 0);
	if (!n || n == all || bytes - k->pkt[n].off > LEAD_BYTES)
		return chunker_flush(c);
	take_lead(c, n, &l);
	mute(c, n);
	k->npkt = n;
	k->nbytes = k->pkt[n].off;
	err = c->sink.chunk(c->sink.arg, k);
	k->npkt = all;
	k->nbytes = bytes;
	go_on(c, n, &l);
	return err;
}

/* Each packet asks. What is not said, as G.711's fmtp, is in the first cache line. */
static bool same_format(const struct media_format *a, const struct media_format *b)
{
	return a->pt == b->pt && a->clock == b->clock && a->channels == b->channels &&
	       (memcmp(a->name, b->name, sizeof(a->name)) == 0 || !strncmp(a->name, b->name, sizeof(a->name))) &&
	       a->fmtp[0] == b->fmtp[0] && (!a->fmtp[0] || !strncmp(a->fmtp, b->fmtp, sizeof(a->fmtp)));
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

/* Whether the packet is of the stream and format of the chunk, or of the one before when that is empty. */
static bool follows(const struct chunker *c, uint32_t ssrc, uint32_t stream, const struct media_format *f, bool cn)
{
	const struct chunk *k = &c->c;

	return k->ssrc == ssrc && k->stream == stream && (cn || c->noise_only || same_format(&k->format, f));
}

/* Whether the open chunk must be closed whole before this packet. */
static bool must_close(const struct chunker *c, uint32_t ssrc, uint32_t stream, const struct media_format *f, bool cn)
{
	return c->c.npkt && !follows(c, ssrc, stream, f, cn);
}

static bool is_full(const struct chunker *c, size_t len)
{
	return c->c.npkt && (c->c.npkt == CHUNK_MAX_PACKETS || c->c.nbytes + len > c->max_bytes);
}

/* *cap: enough for `need` and never nothing, doubled from `first`, at most `limit` (need never exceeds it). */
static int grow(struct chunker_memory *m, void **p, size_t size, uint32_t need, uint32_t first, uint32_t limit,
		uint32_t *cap)
{
	uint64_t more;
	uint32_t n = *cap ? *cap : first;
	void *q;

	if (*p && need <= *cap)
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
	void *pkt = c->pkt, *data = c->data;
	int err;

	if (c->pkt && c->data && c->lead + c->c.npkt < c->cap_pkt &&
	    c->lead_bytes + c->c.nbytes + len <= c->cap_bytes)
		return 0;
	err = grow(c->memory, &pkt, sizeof(*c->pkt), c->lead + c->c.npkt + 1, FIRST_PACKETS, CHUNK_MAX_PACKETS + LEAD_PACKETS,
		   &c->cap_pkt);
	if (!err)
		err = grow(c->memory, &data, 1, c->lead_bytes + c->c.nbytes + (uint32_t)len, FIRST_BYTES,
			   CHUNK_MAX_BYTES + LEAD_BYTES, &c->cap_bytes);
	c->pkt = pkt;
	c->data = data;
	move(c, c->lead, c->lead_bytes);
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
	__builtin_prefetch(c, 1);
	__builtin_prefetch((const char *)c + 64, 1);
}

void chunker_sooner(const struct chunker *c)
{
	const char *to;

	if (!c->c.pkt || !c->c.data)
		return;
	to = (const char *)c->c.data + c->c.nbytes;
	if (c->lead + c->c.npkt < c->cap_pkt)
		__builtin_prefetch(&c->c.pkt[c->c.npkt], 1);
	if (c->lead_bytes + c->c.nbytes + 160 <= c->cap_bytes) {
		for (size_t i = 0; i < 160; i += LINE_BYTES)
			__builtin_prefetch(to + i, 1);
		__builtin_prefetch(to + 159, 1);
	}
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
	if (c->lead && !follows(c, ssrc, stream, f, cn))
		forget_lead(c);
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
	return sunk;
}
