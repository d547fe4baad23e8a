/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * codec.c - meta columns, arrival times, payload coding
 *
 * A body is: meta length varint | meta | coded payload. Regular streams cost a
 * dozen bytes of meta plus about nine bits a packet for arrival times.
 */
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <zstd.h>

#include "base/buf.h"
#include "base/le.h"
#include "store/codec.h"

#define SEQ_LIMIT ((int64_t)1 << 60) /* differences, doubled twice, stay in 64 bits */
#define RICE_ESC  24		     /* ones in a row: the value follows as it is */
#define RICE_KMAX 40

struct codec {
	ZSTD_CCtx *cctx;
	ZSTD_DCtx *dctx;
	struct buf meta;
	int64_t v[CHUNK_MAX_PACKETS];
	int64_t e[2][CHUNK_MAX_PACKETS]; /* arrival errors under both modes */
	uint8_t flat[CHUNK_MAX_BYTES];	 /* payloads in packet order */
	uint8_t work[CHUNK_MAX_BYTES];	 /* transformed */
};

int codec_new(struct codec **ret)
{
	struct codec *k = sodium_malloc(sizeof(*k)); /* audio is in it: locked, not dumped, wiped */

	if (!k)
		return -ENOMEM;
	memset(k, 0, sizeof(*k));
	k->cctx = ZSTD_createCCtx();
	k->dctx = ZSTD_createDCtx();
	if (!k->cctx || !k->dctx) {
		codec_free(k);
		return -ENOMEM;
	}
	/* Noise-like bytes: only Huffman pays. Small tables keep the reset of each frame cheap, and
	 * long matches only, since short accidental ones cost more than they save. */
	ZSTD_CCtx_setParameter(k->cctx, ZSTD_c_compressionLevel, 1);
	ZSTD_CCtx_setParameter(k->cctx, ZSTD_c_windowLog, 17);
	ZSTD_CCtx_setParameter(k->cctx, ZSTD_c_hashLog, 6);
	ZSTD_CCtx_setParameter(k->cctx, ZSTD_c_minMatch, 7);
	ZSTD_CCtx_setParameter(k->cctx, ZSTD_c_strategy, ZSTD_fast);
	*ret = k;
	return 0;
}

void codec_free(struct codec *k)
{
	if (!k)
		return;
	ZSTD_freeCCtx(k->cctx);
	ZSTD_freeDCtx(k->dctx);
	buf_free(&k->meta);
	sodium_free(k);
}

/* ---- columns ---- */

static void put_column(struct buf *b, const int64_t *v, uint32_t n)
{
	for (uint32_t i = 0, run; i < n; i += run) {
		for (run = 1; i + run < n && v[i + run] == v[i]; run++)
			;
		buf_put_varint(b, zigzag(v[i]) << 1 | (run > 1));
		if (run > 1)
			buf_put_varint(b, run - 2);
	}
}

static int get_column(struct rd *r, int64_t *v, uint32_t n)
{
	for (uint32_t i = 0; i < n;) {
		uint64_t x = rd_varint(r), run = 1;

		if (x & 1) {
			run = rd_varint(r);
			if (run > n || run + 2 > n - i)
				return -EBADMSG;
			run += 2;
		}
		if (r->bad)
			return -EBADMSG;
		while (run--)
			v[i++] = unzigzag(x >> 1);
	}
	return 0;
}

/* ---- arrival times ---- */

struct bits {
	struct buf *b;
	uint64_t acc;
	unsigned n;
};

static void put_bits(struct bits *w, uint64_t v, unsigned n) /* n <= 48 */
{
	w->acc |= v << w->n;
	w->n += n;
	for (; w->n >= 8; w->n -= 8, w->acc >>= 8)
		buf_put8(w->b, (uint8_t)w->acc);
}

static void put_rice(struct bits *w, uint64_t z, unsigned k)
{
	uint64_t q = z >> k;

	if (q >= RICE_ESC) {
		put_bits(w, (1u << RICE_ESC) - 1, RICE_ESC);
		put_bits(w, z & 0xffffffff, 32);
		put_bits(w, z >> 32, 32);
		return;
	}
	put_bits(w, (1u << q) - 1, (unsigned)q + 1); /* the top bit is the zero that ends it */
	put_bits(w, z & ((1ULL << k) - 1), k);
}

static uint64_t rice_cost(const int64_t *e, uint32_t n, unsigned k)
{
	uint64_t bits = 0;

	for (uint32_t i = 1; i < n; i++) {
		uint64_t q = zigzag(e[i]) >> k;

		bits += q >= RICE_ESC ? RICE_ESC + 64 : q + 1 + k;
	}
	return bits;
}

static uint64_t rice_best(const int64_t *e, uint32_t n, unsigned *ret_k)
{
	uint64_t sum = 0, best = UINT64_MAX;
	unsigned k0 = 0;

	for (uint32_t i = 1; i < n; i++) {
		uint64_t z = zigzag(e[i]);

		sum += z < (1ULL << 50) ? z : 1ULL << 50; /* 1023 of them still fit */
	}
	for (sum /= n; sum > 1 && k0 < RICE_KMAX; sum >>= 1)
		k0++;
	for (unsigned k = k0 > 2 ? k0 - 2 : 0; k <= k0 + 1 && k <= RICE_KMAX; k++) {
		uint64_t bits = rice_cost(e, n, k);

		if (bits < best) {
			best = bits;
			*ret_k = k;
		}
	}
	return best;
}

/* Microseconds by the stream's own clock since packet 0; |t| < 2^42, so nothing overflows. */
static int64_t clock_us(int64_t t, uint32_t clock)
{
	return t * 1000000 / (int64_t)clock;
}

static int64_t add64(int64_t a, int64_t b)
{
	return (int64_t)((uint64_t)a + (uint64_t)b);
}

static void put_arrivals(struct codec *k, const struct chunk *c)
{
	uint64_t first = c->pkt[0].arrival_ns / 1000, cost[2] = { 0, UINT64_MAX };
	unsigned rice[2] = { 0 }, mode;
	int64_t before = 0, t = 0, off = 0;
	struct bits w = { .b = &k->meta };

	for (uint32_t i = 1; i < c->npkt; i++) {
		int64_t a = (int64_t)(c->pkt[i].arrival_ns / 1000 - first);

		k->e[0][i] = a - before;
		before = a;
		if (!c->format.clock)
			continue;
		t += (int32_t)(c->pkt[i].ts - c->pkt[i - 1].ts);
		k->e[1][i] = a - clock_us(t, c->format.clock) - off;
		off += k->e[1][i] >> 4;
	}
	cost[0] = rice_best(k->e[0], c->npkt, &rice[0]);
	if (c->format.clock)
		cost[1] = rice_best(k->e[1], c->npkt, &rice[1]);
	mode = cost[1] < cost[0];
	buf_put8(&k->meta, (uint8_t)(mode << 7 | rice[mode]));
	for (uint32_t i = 1; i < c->npkt; i++)
		put_rice(&w, zigzag(k->e[mode][i]), rice[mode]);
	if (w.n)
		put_bits(&w, 0, 8 - w.n);
}

struct bitrd {
	const uint8_t *p;
	size_t left;
	uint64_t acc;
	unsigned n;
	bool bad;
};

static uint64_t get_bits(struct bitrd *r, unsigned n) /* n <= 40 */
{
	uint64_t v;

	while (r->n < n) {
		if (!r->left) {
			r->bad = true;
			return 0;
		}
		r->acc |= (uint64_t)*r->p++ << r->n;
		r->left--;
		r->n += 8;
	}
	v = r->acc & ((1ULL << n) - 1);
	r->acc >>= n;
	r->n -= n;
	return v;
}

static uint64_t get_rice(struct bitrd *r, unsigned k)
{
	uint64_t q = 0, low;

	while (q < RICE_ESC && get_bits(r, 1))
		q++;
	if (q < RICE_ESC)
		return q << k | get_bits(r, k);
	low = get_bits(r, 32);
	return low | get_bits(r, 32) << 32;
}

/* Needs ts of all packets. Takes the rest of the meta. */
static int get_arrivals(struct rd *r, uint64_t start_ns, struct chunk *c)
{
	uint8_t how = rd_u8(r);
	unsigned k = how & 63;
	struct bitrd b = { .p = r->p, .left = r->left };
	int64_t a = 0, t = 0, off = 0;

	if (r->bad || how & 64 || k > RICE_KMAX || (how >> 7 && !c->format.clock))
		return -EBADMSG;
	c->pkt[0].arrival_ns = start_ns;
	for (uint32_t i = 1; i < c->npkt; i++) {
		int64_t e = unzigzag(get_rice(&b, k));

		if (how >> 7) {
			t += (int32_t)(c->pkt[i].ts - c->pkt[i - 1].ts);
			a = add64(add64(clock_us(t, c->format.clock), off), e);
			off = add64(off, e >> 4);
		} else {
			a = add64(a, e);
		}
		c->pkt[i].arrival_ns = start_ns + (uint64_t)a * 1000;
	}
	return b.bad || b.left || b.acc ? -EBADMSG : 0;
}

/* ---- meta ---- */

static int put_meta(struct codec *k, const struct chunk *c)
{
	const struct media_format *f = &c->format;
	struct buf *b = &k->meta;
	uint32_t n = c->npkt;

	buf_reset(b);
	buf_put_le32(b, c->ssrc);
	buf_put_varint(b, c->stream);
	buf_put8(b, (uint8_t)strlen(f->name));
	buf_put(b, f->name, strlen(f->name));
	buf_put_varint(b, f->clock);
	buf_put8(b, f->channels);
	buf_put8(b, f->pt);
	buf_put8(b, (uint8_t)strlen(f->fmtp));
	buf_put(b, f->fmtp, strlen(f->fmtp));
	k->v[0] = c->pkt[0].seq;
	for (uint32_t i = 1; i < n; i++)
		k->v[i] = c->pkt[i].seq - c->pkt[i - 1].seq - 1;
	put_column(b, k->v, n);
	k->v[0] = c->pkt[0].ts;
	for (uint32_t i = 1; i < n; i++)
		k->v[i] = (int32_t)(c->pkt[i].ts - c->pkt[i - 1].ts);
	put_column(b, k->v, n);
	for (uint32_t i = 0; i < n; i++)
		k->v[i] = c->pkt[i].len;
	put_column(b, k->v, n);
	for (uint32_t i = 0; i < n; i++)
		k->v[i] = c->pkt[i].flags | c->pkt[i].pt << 8;
	put_column(b, k->v, n);
	put_arrivals(k, c);
	return b->failed ? -ENOMEM : 0;
}

static int get_text(struct rd *r, char *out, size_t room)
{
	uint8_t n = rd_u8(r);
	const uint8_t *p = n < room ? rd_bytes(r, n) : NULL;

	if (n >= room || !p || memchr(p, 0, n))
		return -EBADMSG;
	memcpy(out, p, n);
	out[n] = 0;
	return 0;
}

static int get_format(struct rd *r, struct media_format *f)
{
	uint64_t clock;

	if (get_text(r, f->name, sizeof(f->name)))
		return -EBADMSG;
	clock = rd_varint(r);
	f->clock = (uint32_t)clock;
	f->channels = rd_u8(r);
	f->pt = rd_u8(r);
	return clock > UINT32_MAX || get_text(r, f->fmtp, sizeof(f->fmtp)) ? -EBADMSG : 0;
}

static const char *get_columns(struct codec *k, struct rd *r, uint32_t payload, struct chunk *c)
{
	uint32_t n = c->npkt, off = 0;
	int64_t *v = k->v;

	if (get_column(r, v, n))
		return "sequence numbers do not parse";
	for (uint32_t i = 0; i < n; i++)
		c->pkt[i].seq = i ? add64(add64(c->pkt[i - 1].seq, v[i]), 1) : v[0];
	if (get_column(r, v, n) || v[0] < 0 || v[0] > UINT32_MAX)
		return "timestamps do not parse";
	for (uint32_t i = 0; i < n; i++)
		c->pkt[i].ts = i ? c->pkt[i - 1].ts + (uint32_t)v[i] : (uint32_t)v[0];
	if (get_column(r, v, n))
		return "lengths do not parse";
	for (uint32_t i = 0; i < n; i++) {
		if (v[i] < 0 || v[i] > UINT16_MAX || v[i] > (int64_t)(payload - off))
			return "lengths do not fit the payload";
		c->pkt[i].off = off;
		c->pkt[i].len = (uint16_t)v[i];
		off += (uint32_t)v[i];
	}
	if (off != payload)
		return "lengths do not fill the payload";
	if (get_column(r, v, n))
		return "packet kinds do not parse";
	for (uint32_t i = 0; i < n; i++) {
		if (v[i] < 0 || v[i] > UINT16_MAX)
			return "packet kind out of bounds";
		c->pkt[i].flags = (uint8_t)v[i];
		c->pkt[i].pt = (uint8_t)(v[i] >> 8);
	}
	return NULL;
}

/* ---- payload ---- */

/* -1 not G.711, 0 A-law, 1 mu-law. */
static int g711_law(const char *name)
{
	if (!strcasecmp(name, "PCMA"))
		return 0;
	return !strcasecmp(name, "PCMU") ? 1 : -1;
}

/* Already compressed codecs gain at most 3 % from zstd: not worth the time. */
static bool dense(const char *name)
{
	static const char *const names[] = { "G729", "GSM", "GSM-EFR", "AMR", "AMR-WB", "opus", "iLBC",
					     "speex", "G723", "EVS", "SILK", "G7221" };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (!strcasecmp(name, names[i]))
			return true;
	return false;
}

/*
 * In blocks of 64 so that the compiler, which knows the count, uses vectors at
 * -O2. Index: monotone in amplitude (the top bit is the sign, low bits of
 * negative words count downwards).
 */
static void g711_delta(uint8_t *in, uint8_t *out, size_t n, uint8_t flip)
{
	uint8_t id[64 + 1], last = 128;

	for (size_t at = 0; at < n; at += 64) {
		size_t m = n - at < 64 ? n - at : 64;
		uint8_t tmp[64] = { 0 };

		memcpy(tmp, in + at, m);
		id[0] = last;
		for (int i = 0; i < 64; i++) {
			uint8_t u = tmp[i] ^ flip;

			id[i + 1] = (uint8_t)(u ^ (0x7f & ~(uint8_t)((int8_t)u >> 7)));
		}
		for (int i = 0; i < 64; i++) {
			uint8_t d = (uint8_t)(id[i + 1] - id[i]);

			tmp[i] = (uint8_t)((uint8_t)(d << 1) ^ (uint8_t)((int8_t)d >> 7));
		}
		memcpy(out + at, tmp, m);
		last = id[64];
	}
}

static void g711_undelta(const uint8_t *in, uint8_t *out, size_t n, uint8_t flip)
{
	uint8_t id = 128;

	for (size_t i = 0; i < n; i++) {
		uint8_t u;

		id = (uint8_t)(id + (uint8_t)(in[i] >> 1 ^ -(in[i] & 1)));
		u = id >= 128 ? id : id ^ 0x7f;
		out[i] = u ^ flip;
	}
}

static uint8_t law_flip(int law)
{
	return law ? 0x7f : 0x55;
}

/* Returns the coded length; always at most n (raw when nothing helps). */
static size_t put_payload(struct codec *k, const char *name, uint8_t *p, size_t n, uint8_t *out,
			  size_t room, uint8_t *ret_id)
{
	int law = g711_law(name);
	size_t got;

	if (n > 1 && !memcmp(p, p + 1, n - 1)) {
		*ret_id = CODEC_CONSTANT;
		out[0] = p[0];
		return 1;
	}
	*ret_id = law >= 0 ? CODEC_G711_DELTA : CODEC_ZSTD;
	if (n < 32 || dense(name))
		goto raw;
	if (law >= 0) {
		g711_delta(p, k->work, n, law_flip(law));
		out[0] = (uint8_t)law;
		got = ZSTD_compress2(k->cctx, out + 1, room - 1, k->work, n);
		if (!ZSTD_isError(got))
			got++;
	} else {
		got = ZSTD_compress2(k->cctx, out, room, p, n);
	}
	if (!ZSTD_isError(got) && got < n)
		return got;
raw:
	*ret_id = CODEC_RAW;
	memcpy(out, p, n);
	return n;
}

static const char *get_zstd(struct codec *k, const uint8_t *p, size_t n, uint8_t *out, size_t want)
{
	size_t got = ZSTD_decompressDCtx(k->dctx, out, want, p, n);

	if (ZSTD_isError(got))
		return "zstd frame does not decode";
	return got == want ? NULL : "zstd frame has another length";
}

static const char *get_payload(struct codec *k, uint8_t id, const uint8_t *p, size_t n, struct chunk *c)
{
	const char *bad;

	switch (id) {
	case CODEC_RAW:
		if (n != c->nbytes)
			return "raw payload has another length";
		memcpy(c->data, p, n);
		return NULL;
	case CODEC_CONSTANT:
		if (n != 1)
			return "constant payload is not one byte";
		memset(c->data, p[0], c->nbytes);
		return NULL;
	case CODEC_ZSTD:
		return get_zstd(k, p, n, c->data, c->nbytes);
	case CODEC_G711_DELTA:
		if (!n || p[0] > 1)
			return "G.711 payload of an unknown law";
		bad = get_zstd(k, p + 1, n - 1, k->work, c->nbytes);
		if (!bad)
			g711_undelta(k->work, c->data, c->nbytes, law_flip(p[0]));
		return bad;
	default:
		return "codec is not known to this program";
	}
}

/* ---- the whole ---- */

/* Payloads in packet order without gaps: the chunk's own memory, or copied together. */
static uint8_t *flatten(struct codec *k, const struct chunk *c, uint32_t *ret_total)
{
	uint32_t total = 0;
	bool flat = true;

	for (uint32_t i = 0; i < c->npkt; i++) {
		const struct chunk_pkt *p = &c->pkt[i];

		if (p->off > c->nbytes || p->len > c->nbytes - p->off || p->len > CHUNK_MAX_BYTES - total ||
		    p->seq >= SEQ_LIMIT || p->seq <= -SEQ_LIMIT)
			return NULL;
		flat = flat && p->off == total;
		total += p->len;
	}
	*ret_total = total;
	if (flat)
		return c->data ? c->data : k->flat;
	for (uint32_t i = 0, at = 0; i < c->npkt; at += c->pkt[i++].len)
		memcpy(k->flat + at, c->data + c->pkt[i].off, c->pkt[i].len);
	return k->flat;
}

static size_t varint_put(uint8_t *p, uint64_t v)
{
	size_t n = 0;

	for (; v > 127; v >>= 7)
		p[n++] = (uint8_t)(v | 128);
	p[n++] = (uint8_t)v;
	return n;
}

int codec_encode(struct codec *k, const struct chunk *c, uint8_t *out, size_t *ret_len,
		 struct chunk_head *h)
{
	uint32_t total = 0;
	uint8_t *data;
	size_t at;
	int rc;

	if (!c->npkt || c->npkt > CHUNK_MAX_PACKETS || c->nbytes > CHUNK_MAX_BYTES ||
	    strnlen(c->format.name, sizeof(c->format.name)) == sizeof(c->format.name) ||
	    strnlen(c->format.fmtp, CHUNK_FMTP) == CHUNK_FMTP)
		return -EINVAL;
	data = flatten(k, c, &total);
	if (!data)
		return -EINVAL;
	rc = put_meta(k, c);
	if (rc)
		return rc;
	/* Worst case 36 bytes a packet: 36 KiB of meta beside 128 KiB of payload fit. */
	at = varint_put(out, k->meta.len);
	memcpy(out + at, k->meta.p, k->meta.len);
	at += k->meta.len;
	at += put_payload(k, c->format.name, data, total, out + at, CODEC_BODY_MAX - at, &h->codec);
	h->packets = c->npkt;
	h->payload = total;
	h->start_ns = c->pkt[0].arrival_ns / 1000 * 1000;
	*ret_len = at;
	return 0;
}

const char *codec_decode(struct codec *k, const struct chunk_head *h, const uint8_t *p, size_t n,
			 struct chunk *ret)
{
	struct rd r = { .p = p, .left = n }, m;
	uint64_t metalen = rd_varint(&r), stream;
	const uint8_t *meta;
	const char *bad;

	if (r.bad || metalen > r.left)
		return "meta is longer than the chunk";
	meta = rd_bytes(&r, (size_t)metalen);
	m = (struct rd){ .p = meta, .left = (size_t)metalen };
	ret->npkt = h->packets;
	ret->nbytes = h->payload;
	ret->ssrc = rd_le32(&m);
	stream = rd_varint(&m);
	ret->stream = (uint32_t)stream;
	if (m.bad || stream > UINT32_MAX || get_format(&m, &ret->format))
		return "stream description does not parse";
	bad = get_columns(k, &m, h->payload, ret);
	if (bad)
		return bad;
	if (get_arrivals(&m, h->start_ns, ret))
		return "arrival times do not parse";
	return get_payload(k, h->codec, r.p, r.left, ret);
}
