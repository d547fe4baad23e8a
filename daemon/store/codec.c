/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * codec.c - a body: meta length varint | meta | coded payload
 *
 * Which coding a payload gets: the shortest of what its kind is worth trying, G.711 by the effort that the load
 * leaves (codec_load). Whatever would not be shorter is stored as it is.
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
#include "store/codec_meta.h"
#include "store/lpc.h"
#include "store/rice.h"
#include "store/store_internal.h"
#include "store/zmem.h"

#define SEQ_LIMIT ((int64_t)1 << 60) /* differences, doubled twice, stay in 64 bits */

/* Parts of the queue's limit. Some 40 ms at 10,000 calls: long before anything is shed. */
#define FULL_FROM 4
#define FULL_TO	  8
#define BUSY_FROM 16
#define IDLE_FROM 64

struct codec {
	enum codec_effort effort;
	ZSTD_CCtx *cctx;
	ZSTD_DCtx *dctx;
	struct lpc_enc *lpc_enc;
	struct rice_enc *rice_enc;
	struct lpc_dec *lpc_dec; /* made by the first chunk that needs it: a recorder never does */
	struct codec_meta meta;
	uint8_t flat[CHUNK_MAX_BYTES];	 /* payloads in packet order */
	uint8_t work[CHUNK_MAX_BYTES];	 /* transformed */
};

int codec_new(struct codec **ret)
{
	/* Audio is in it: locked, not dumped, wiped. */
	struct codec *k = sodium_init() < 0 ? NULL : sodium_malloc(sizeof(*k));

	if (!k)
		return -ENOMEM;
	memset(k, 0, sizeof(*k));
	k->cctx = zmem_cctx();
	k->dctx = zmem_dctx();
	if (!k->cctx || !k->dctx || lpc_enc_new(&k->lpc_enc) || rice_enc_new(&k->rice_enc)) {
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
	lpc_enc_free(k->lpc_enc);
	rice_enc_free(k->rice_enc);
	lpc_dec_free(k->lpc_dec);
	buf_free(&k->meta.out);
	sodium_free(k);
}

void codec_effort(struct codec *k, enum codec_effort e)
{
	k->effort = e;
}

bool codec_load(struct codec *k, uint64_t waiting, uint64_t room)
{
	if (waiting >= room / FULL_FROM)
		k->effort = CODEC_PLAIN;
	else if (waiting < room / IDLE_FROM)
		k->effort = CODEC_BEST;
	else if (k->effort == CODEC_PLAIN ? waiting < room / FULL_TO : waiting >= room / BUSY_FROM)
		k->effort = CODEC_FAST;
	return k->effort != CODEC_BEST;
}

/* ---- payload ---- */

#define DELTA_CRC 2 /* codec 3: programs of before codec 5 wrote it */

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
	size_t got = 0;

	if (n > 1 && !memcmp(p, p + 1, n - 1)) {
		*ret_id = CODEC_CONSTANT;
		out[0] = p[0];
		return 1;
	}
	if (n < LPC_MIN || dense(name) || k->effort == CODEC_PLAIN) {
		*ret_id = CODEC_RAW;
	} else if (law >= 0 && k->effort == CODEC_BEST) {
		*ret_id = CODEC_G711_LPC;
		got = lpc_encode(k->lpc_enc, law == 1, p, n, out, room);
	} else if (law >= 0) {
		*ret_id = CODEC_G711_RICE;
		got = rice_encode(k->rice_enc, law == 1, p, n, out, room);
	} else {
		*ret_id = CODEC_ZSTD;
		got = ZSTD_compress2(k->cctx, out, room, p, n);
		got = ZSTD_isError(got) || got >= n ? 0 : got;
	}
	if (got)
		return got;
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

static const char *get_delta(struct codec *k, const uint8_t *p, size_t n, struct chunk *c)
{
	struct rd r = { .p = p, .left = n };
	uint8_t how = rd_u8(&r);
	uint32_t crc = how & DELTA_CRC ? rd_le32(&r) : 0;
	const char *bad;

	if (r.bad || how > (1 | DELTA_CRC))
		return "G.711 payload of an unknown law";
	bad = get_zstd(k, r.p, r.left, k->work, c->nbytes);
	if (bad)
		return bad;
	g711_undelta(k->work, c->data, c->nbytes, law_flip(how & 1));
	return how & DELTA_CRC && crc32c(0, c->data, c->nbytes) != crc ? "samples have another checksum" : NULL;
}

static const char *get_lpc(struct codec *k, const uint8_t *p, size_t n, struct chunk *c)
{
	if (!k->lpc_dec && lpc_dec_new(&k->lpc_dec))
		return "out of memory";
	return lpc_decode(k->lpc_dec, p, n, c->data, c->nbytes);
}

static const char *get_payload(struct codec *k, uint8_t id, const uint8_t *p, size_t n, struct chunk *c)
{
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
		return get_delta(k, p, n, c);
	case CODEC_G711_LPC:
		return get_lpc(k, p, n, c);
	case CODEC_G711_RICE:
		return rice_decode(p, n, c->data, c->nbytes);
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
	rc = codec_meta_put(&k->meta, c);
	if (rc)
		return rc;
	/* Worst case 36 bytes a packet: 36 KiB of meta beside 128 KiB of payload fit. */
	at = varint_put(out, k->meta.out.len);
	memcpy(out + at, k->meta.out.p, k->meta.out.len);
	at += k->meta.out.len;
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
	struct rd r = { .p = p, .left = n };
	uint64_t metalen = rd_varint(&r);
	const uint8_t *meta;
	const char *bad;

	if (r.bad || metalen > r.left)
		return "meta is longer than the chunk";
	meta = rd_bytes(&r, (size_t)metalen);
	bad = codec_meta_get(&k->meta, meta, (size_t)metalen, h, ret);
	return bad ? bad : get_payload(k, h->codec, r.p, r.left, ret);
}
