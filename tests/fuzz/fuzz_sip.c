/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_sip.c - one message, as a datagram and as a stream
 *
 * Besides ASan: every string of the result lies inside the input; a message taken
 * from a stream is the same when nothing follows it; one byte less asks for more.
 */
#include "fuzz_sip.h"

#include <errno.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct sip_extra extra = { { "X-Agent", "Subject", "User-to-User" }, 3 };

static void part_checks(const struct sip_msg *m, const char *p, size_t n)
{
	struct sip_str sdp = sip_sdp_body(m);
	char c = sip_info_digit(m);

	inside(sdp, p, n);
	if (sdp.n)
		MUST(sdp.p >= m->body.p && sdp.p + sdp.n <= m->body.p + m->body.n);
	MUST(!c || strchr("0123456789*#ABCD", c));
}

static void as_datagram(const char *p, size_t n)
{
	struct sip_msg m;
	const char *why = NULL;
	int r = sip_parse(p, n, false, &extra, &m, &why);

	MUST(r == 0 || (r == -EBADMSG && why));
	if (r)
		return;
	message_inside(&m, p, n);
	message_sane(&m);
	MUST(m.size <= n);
	part_checks(&m, p, n);
}

static void as_stream(const char *p, size_t n)
{
	struct sip_msg m, again;
	const char *why = NULL;
	size_t size;
	int r = sip_parse(p, n, true, &extra, &m, &why);

	MUST(r == 0 || (r == -EAGAIN && (!m.size || m.size > n)) || (r == -EBADMSG && why));
	if (r)
		return;
	size = m.size;
	MUST(size && size <= n && !m.body_cut);
	message_inside(&m, p, size);
	message_sane(&m);
	MUST(!sip_parse(p, size, true, &extra, &again, &why));
	MUST(again.size == size && again.call_id.p == m.call_id.p && again.body.n == m.body.n);
	MUST(sip_parse(p, size - 1, true, &extra, &again, &why) == -EAGAIN);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *p = (const char *)data;
	struct sip_uri u;

	as_datagram(p, size);
	as_stream(p, size);
	if (!sip_uri_parse(p, size, &u))
		uri_inside(&u, p, size);
	return 0;
}
