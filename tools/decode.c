/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * decode.c - optag-decode: decodes audio for optag-export, and can do nothing else (decode.h)
 *
 * Not for people: standard input and output carry the messages of decode.h.
 * Confines itself before it reads the first of them. One thread.
 */
#include <errno.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "cli.h"
#include "decode.h"
#include "decode_av.h"

static const struct cli_opt opts[] = { { 0 } };
static const struct cli cli = {
	.name = "optag-decode",
	.summary = "decode audio for optag export, which starts this",
	.opts = opts,
};

/* What came and was not used yet: one request at most, since each waits for the answer before. */
static struct {
	uint8_t b[DECODE_ASK + DECODE_BODY_MAX];
	size_t have;
} in;

/* n <= sizeof(in.b). False: nobody asks any more. */
static bool need(size_t n)
{
	while (in.have < n) {
		ssize_t got = read(STDIN_FILENO, in.b + in.have, sizeof(in.b) - in.have);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return false;
		in.have += (size_t)got;
	}
	return true;
}

static void used(size_t n)
{
	in.have -= n;
	memmove(in.b, in.b + n, in.have);
}

/* False: nobody hears any more. */
static bool answer(const struct decode_answer *a, const int16_t *samples)
{
	uint8_t head[DECODE_ANSWER];
	struct iovec v[2] = { { head, sizeof(head) }, { (void *)(uintptr_t)samples, a->bytes } }, *at = v;
	int n = a->bytes ? 2 : 1;

	decode_put_answer(head, a);
	while (n) {
		ssize_t put = writev(STDOUT_FILENO, at, n);

		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0)
			return false;
		for (; n && (size_t)put >= at->iov_len; n--)
			put -= (ssize_t)at++->iov_len;
		if (n) {
			at->iov_base = (uint8_t *)at->iov_base + put;
			at->iov_len -= (size_t)put;
		}
	}
	return true;
}

static int do_open(const uint8_t *body, size_t n, struct decode_av **d, struct decode_answer *ret)
{
	struct decode_open o;
	int rc = decode_get_open(body, n, &o);

	if (rc)
		return rc;
	decode_av_close(*d);
	*d = NULL;
	if (decode_av_open(&o, d))
		ret->status = DECODE_REFUSED;
	return 0;
}

static void do_feed(struct decode_av *d, const uint8_t *body, size_t n, struct decode_answer *ret, const int16_t **samples)
{
	uint32_t native = 0;
	int k = decode_av_feed(d, body, n, samples, &native);

	if (k < 0) {
		ret->status = DECODE_BAD;
		return;
	}
	ret->number = native;
	ret->bytes = (uint32_t)k * 2;
}

/* 0; -EPROTO it makes no sense; -EPIPE */
static int request(const struct decode_ask *a, const uint8_t *body, struct decode_av **d)
{
	struct decode_answer r = { .what = a->what, .status = DECODE_OK };
	const int16_t *samples = NULL;

	if (a->what == DECODE_OPEN) {
		int rc = do_open(body, a->bytes, d, &r);

		if (rc)
			return rc;
	} else if (!*d) {
		return -EPROTO;
	} else if (a->what == DECODE_FEED) {
		do_feed(*d, body, a->bytes, &r, &samples);
	} else {
		r.bytes = (uint32_t)decode_av_flush(*d, &samples) * 2;
	}
	return answer(&r, samples) ? 0 : -EPIPE;
}

static int serve(uint32_t codecs)
{
	const struct decode_answer hello = { .what = DECODE_HELLO, .status = DECODE_OK, .number = codecs };
	struct decode_av *d = NULL;
	struct decode_ask a;

	if (!answer(&hello, NULL))
		return CLI_FAILED;
	while (need(DECODE_ASK)) {
		if (decode_get_ask(in.b, &a))
			return CLI_FAILED;
		if (!need(DECODE_ASK + a.bytes))
			return CLI_FAILED;
		if (request(&a, in.b + DECODE_ASK, &d))
			return CLI_FAILED;
		used(DECODE_ASK + a.bytes);
	}
	decode_av_close(d);
	return in.have ? CLI_FAILED : CLI_OK;
}

int main(int argc, char **argv)
{
	struct cli_args args;
	char why[256];
	uint32_t codecs;
	int rc = cli_parse(&cli, argc, argv, &args);

	if (rc != CLI_GO_ON)
		return rc;
	if (isatty(STDIN_FILENO) || isatty(STDOUT_FILENO))
		return cli_usage("optag export starts this; it does nothing for people");
	cli_no_dump();
	codecs = decode_av_codecs();
	if (decode_jail(why, sizeof(why))) {
		cli_err("%s", why);
		return CLI_FAILED;
	}
	_exit(serve(codecs)); /* what libraries do at an end is not allowed here */
}
