/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * decode_wire.c - the messages of decode.h as bytes
 *
 * Linked by optag-export and by optag-decode. What is accepted here is all that
 * the other side can say; each accepted message has one form.
 */
#include "decode.h"

#include <errno.h>

#include "base/le.h"

void decode_put_open(uint8_t to[DECODE_OPEN_BYTES], const struct decode_open *o)
{
	to[0] = (uint8_t)o->codec;
	to[1] = o->channels;
	to[2] = o->flags;
	to[3] = 0;
	le32enc(to + 4, o->rate);
	le32enc(to + 8, o->out_rate);
}

static bool rate_ok(uint32_t hz)
{
	return hz >= DECODE_RATE_MIN && hz <= DECODE_RATE_MAX;
}

int decode_get_open(const uint8_t *p, size_t n, struct decode_open *ret)
{
	if (n != DECODE_OPEN_BYTES || p[0] >= DECODE_CODECS || p[1] < 1 || p[1] > 2 ||
	    p[2] > (DECODE_ALIGNED | DECODE_CRC | DECODE_20MS) || p[3] || !rate_ok(le32dec(p + 4)) || !rate_ok(le32dec(p + 8)))
		return -EPROTO;
	*ret = (struct decode_open){ .codec = (enum decode_codec)p[0], .channels = p[1], .flags = p[2], .rate = le32dec(p + 4),
				     .out_rate = le32dec(p + 8) };
	return 0;
}

void decode_put_ask(uint8_t to[DECODE_ASK], const struct decode_ask *a)
{
	to[0] = (uint8_t)a->what;
	to[1] = 0;
	le16enc(to + 2, DECODE_VERSION);
	le32enc(to + 4, a->bytes);
}

int decode_get_ask(const uint8_t head[DECODE_ASK], struct decode_ask *ret)
{
	uint32_t bytes = le32dec(head + 4);

	if (head[1] || le16dec(head + 2) != DECODE_VERSION)
		return -EPROTO;
	switch (head[0]) {
	case DECODE_OPEN:
		if (bytes != DECODE_OPEN_BYTES)
			return -EPROTO;
		break;
	case DECODE_FEED:
		if (!bytes || bytes > DECODE_BODY_MAX)
			return -EPROTO;
		break;
	case DECODE_FLUSH:
		if (bytes)
			return -EPROTO;
		break;
	default:
		return -EPROTO;
	}
	*ret = (struct decode_ask){ .what = (enum decode_what)head[0], .bytes = bytes };
	return 0;
}

void decode_put_answer(uint8_t to[DECODE_ANSWER], const struct decode_answer *a)
{
	to[0] = (uint8_t)a->what;
	to[1] = (uint8_t)a->status;
	le16enc(to + 2, DECODE_VERSION);
	le32enc(to + 4, a->number);
	le32enc(to + 8, a->bytes);
}

int decode_get_answer(const uint8_t head[DECODE_ANSWER], struct decode_answer *ret)
{
	uint32_t number = le32dec(head + 4), bytes = le32dec(head + 8);
	unsigned what = head[0], status = head[1];

	if (what < DECODE_HELLO || what > DECODE_FLUSH || status > DECODE_REFUSED || le16dec(head + 2) != DECODE_VERSION)
		return -EPROTO;
	if (bytes % 2 || bytes / 2 > DECODE_SAMPLES_MAX)
		return -EPROTO;
	if (bytes && (status != DECODE_OK || what == DECODE_HELLO || what == DECODE_OPEN))
		return -EPROTO;
	if (number && (status != DECODE_OK || what == DECODE_OPEN || what == DECODE_FLUSH))
		return -EPROTO;
	if (what == DECODE_HELLO && (status != DECODE_OK || number >> DECODE_CODECS))
		return -EPROTO;
	*ret = (struct decode_answer){ .what = (enum decode_what)what, .status = (enum decode_status)status, .number = number,
				       .bytes = bytes };
	return 0;
}
