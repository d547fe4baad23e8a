/* SPDX-License-Identifier: BSD-2-Clause */
/* fuzz_sdp.c - one session description: limits kept, strings inside, C strings ended */
#include "sip/sdp.h"

#include <errno.h>

#include "fuzz_sip.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_format(const struct media_format *f)
{
	MUST(strnlen(f->name, sizeof(f->name)) < sizeof(f->name));
	MUST(strnlen(f->fmtp, sizeof(f->fmtp)) < sizeof(f->fmtp));
	MUST(f->pt < 128 && f->channels);
}

static void check_media(const struct sdp_media *m, const char *p, size_t n)
{
	inside(m->type, p, n);
	inside(m->proto, p, n);
	inside(m->crypto, p, n);
	MUST(m->nformat <= SDP_FORMATS_MAX && m->ncandidate <= SDP_CANDIDATES_MAX);
	MUST(!m->held || ipaddr_is_any(&m->at.addr));
	for (unsigned i = 0; i < m->nformat; i++)
		check_format(&m->format[i]);
	for (unsigned i = 0; i < m->ncandidate; i++)
		MUST(m->candidate[i].port);
	for (unsigned i = 0; i < 2; i++)
		MUST(m->te[i] == 0xff || m->te[i] < 128);
	MUST(m->te[0] != 0xff || m->te[1] == 0xff);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct sdp sdp;
	const char *p = (const char *)data, *why = NULL;
	int r = sdp_parse(p, size, &sdp, &why);

	MUST(r == 0 || (r == -EBADMSG && why));
	if (r)
		return 0;
	inside(sdp.origin, p, size);
	MUST(sdp.nmedia <= SDP_MEDIA_MAX);
	for (unsigned i = 0; i < sdp.nmedia; i++)
		check_media(&sdp.media[i], p, size);
	return 0;
}
