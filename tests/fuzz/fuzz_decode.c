/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_decode.c - what optag-export and optag-decode say to each other (tools/decode.h); the first octet chooses: requests
 * as optag-decode reads them, answers as optag-export does, a payload of AMR in each of its forms
 */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "decode.h"
#include "must.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void requests(const uint8_t *p, size_t n)
{
	struct decode_ask a;
	struct decode_open o;
	uint8_t again[DECODE_OPEN_BYTES];

	while (n >= DECODE_ASK && !decode_get_ask(p, &a)) {
		decode_put_ask(again, &a);
		MUST(!memcmp(again, p, DECODE_ASK) && a.bytes <= DECODE_BODY_MAX);
		p += DECODE_ASK;
		n -= DECODE_ASK;
		if (a.bytes > n)
			return;
		if (a.what == DECODE_OPEN && !decode_get_open(p, a.bytes, &o)) {
			decode_put_open(again, &o);
			MUST(!memcmp(again, p, sizeof(again)) && o.codec < DECODE_CODECS && o.channels && o.channels <= 2 && o.rate &&
			     o.out_rate);
		}
		p += a.bytes;
		n -= a.bytes;
	}
	/* a body of another length than its head says never comes there; it is refused all the same */
	MUST(n == DECODE_OPEN_BYTES || decode_get_open(p, n, &o) == -EPROTO);
}

static void answers(const uint8_t *p, size_t n)
{
	struct decode_answer a;
	uint8_t again[DECODE_ANSWER];

	while (n >= DECODE_ANSWER && !decode_get_answer(p, &a)) {
		decode_put_answer(again, &a);
		MUST(!memcmp(again, p, DECODE_ANSWER) && a.bytes % 2 == 0 && a.bytes / 2 <= DECODE_SAMPLES_MAX);
		MUST(a.status == DECODE_OK || (!a.bytes && !a.number));
		p += DECODE_ANSWER;
		n -= DECODE_ANSWER;
		if (a.bytes > n)
			return;
		p += a.bytes;
		n -= a.bytes;
	}
}

struct frames {
	unsigned n, stop;
	size_t bytes;
};

static int frame(void *arg, const uint8_t *p, size_t n)
{
	struct frames *f = arg;

	MUST(n >= 1 && n <= 61 && !(p[0] & 0x83)); /* a header of AMR storage format, and what it says follows */
	f->bytes += n - 1;
	return ++f->n == f->stop ? 1 : 0;
}

static void amr(const uint8_t *p, size_t n, unsigned how)
{
	struct frames f = { .stop = how >> 3 };
	int rc = decode_amr(p, n, how & 4, how & 3, frame, &f);

	MUST(f.n <= 32 && f.bytes <= n + 32); /* no bit twice; each frame is filled to a byte */
	MUST(rc == 0 || rc == -EBADMSG || (rc == 1 && f.n == f.stop));
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	if (!n)
		return 0;
	if (p[0] == 0)
		requests(p + 1, n - 1);
	else if (p[0] == 1)
		answers(p + 1, n - 1);
	else
		amr(p + 1, n - 1, p[0]);
	return 0;
}
