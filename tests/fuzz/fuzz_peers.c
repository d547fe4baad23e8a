/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_peers.c - the values of headers that tie dialogs together (sip/peers.h)
 *
 * Besides ASan: results lie inside the input; what a Session-ID says is as long as it must be and says the same in capitals.
 */
#include "sip/peers.h"

#include <ctype.h>

#include "fuzz_sip.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void session(const char *p, size_t n)
{
	struct sip_session s, up;
	char *big;

	if (!sip_session_id((struct sip_str){ p, n }, &s))
		return;
	MUST(n >= 32);
	big = malloc(n);
	MUST(big);
	for (size_t i = 0; i < n; i++)
		big[i] = (char)toupper((unsigned char)p[i]);
	MUST(sip_session_id((struct sip_str){ big, n }, &up) && !memcmp(&s, &up, sizeof(s)));
	free(big);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sip_str v = { (const char *)data, size };
	struct sip_dialog d;

	session(v.p, v.n);
	if (sip_dialog_of(v, &d)) {
		MUST(d.call_id.n && d.to_tag.n && d.from_tag.n);
		inside(d.call_id, v.p, v.n);
		inside(d.to_tag, v.p, v.n);
		inside(d.from_tag, v.p, v.n);
	}
	inside(sip_refer_user(v), v.p, v.n);
	(void)sip_is_focus(v);
	return 0;
}
