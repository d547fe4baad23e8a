/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * codec_meta.c - what is known of a chunk's packets, as columns
 *
 * Regular streams cost a dozen bytes, plus about nine bits a packet for arrival
 * times: those are predicted by the stream's own clock, or by the packet before,
 * whichever costs less, and what is left is Rice-coded.
 */
#include "store/codec_meta.h"

#include <errno.h>
#include <string.h>

#define RICE_ESC  24 /* ones in a row: the value follows as it is */
#define RICE_KMAX 40

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

static void put_arrivals(struct codec_meta *k, const struct chunk *c)
{
	uint64_t first = c->pkt[0].arrival_ns / 1000, cost[2] = { 0, UINT64_MAX };
	unsigned rice[2] = { 0 }, mode;
	int64_t before = 0, t = 0, off = 0;
	struct bits w = { .b = &k->out };

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
	buf_put8(&k->out, (uint8_t)(mode << 7 | rice[mode]));
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

int codec_meta_put(struct codec_meta *k, const struct chunk *c)
{
	const struct media_format *f = &c->format;
	struct buf *b = &k->out;
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

static const char *get_columns(struct codec_meta *k, struct rd *r, uint32_t payload, struct chunk *c)
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

const char *codec_meta_get(struct codec_meta *k, const uint8_t *p, size_t n, const struct chunk_head *h, struct chunk *ret)
{
	struct rd r = { .p = p, .left = n };
	const char *bad;
	uint64_t stream;

	ret->npkt = h->packets;
	ret->nbytes = h->payload;
	ret->ssrc = rd_le32(&r);
	stream = rd_varint(&r);
	ret->stream = (uint32_t)stream;
	if (r.bad || stream > UINT32_MAX || get_format(&r, &ret->format))
		return "stream description does not parse";
	bad = get_columns(k, &r, h->payload, ret);
	if (!bad && get_arrivals(&r, h->start_ns, ret))
		bad = "arrival times do not parse";
	return bad;
}
