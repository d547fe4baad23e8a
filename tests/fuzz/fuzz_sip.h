/* SPDX-License-Identifier: BSD-2-Clause */
/* fuzz_sip.h - what holds of every message that sip_parse takes */
#ifndef FUZZ_SIP_H
#define FUZZ_SIP_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "must.h"
#include "sip/sip.h"

/* Every string lies in [p, p + n): called for each, so that none is forgotten silently. */
static inline void inside(struct sip_str s, const char *p, size_t n)
{
	if (!s.p)
		MUST(!s.n);
	else
		MUST(s.p >= p && s.n <= n && s.p + s.n <= p + n);
}

static inline void uri_inside(const struct sip_uri *u, const char *p, size_t n)
{
	inside(u->scheme, p, n);
	inside(u->user, p, n);
	inside(u->host, p, n);
	inside(u->phone_context, p, n);
}

static inline void addr_inside(const struct sip_addr *a, const char *p, size_t n)
{
	inside(a->raw, p, n);
	uri_inside(&a->uri, p, n);
	inside(a->tag, p, n);
}

static inline void message_inside(const struct sip_msg *m, const char *p, size_t n)
{
	inside(m->method_text, p, n);
	inside(m->ruri_text, p, n);
	uri_inside(&m->ruri, p, n);
	inside(m->call_id, p, n);
	addr_inside(&m->from, p, n);
	addr_inside(&m->to, p, n);
	MUST(m->npai <= SIP_PAI_MAX);
	for (unsigned i = 0; i < m->npai; i++)
		addr_inside(&m->pai[i], p, n);
	inside(m->via_branch, p, n);
	inside(m->contact, p, n);
	inside(m->session_id, p, n);
	inside(m->replaces, p, n);
	inside(m->content_type, p, n);
	inside(m->boundary, p, n);
	inside(m->body, p, n);
	for (unsigned i = 0; i < SIP_EXTRA_MAX; i++)
		inside(m->extra[i], p, n);
}

static inline void message_sane(const struct sip_msg *m)
{
	MUST(m->call_id.n && m->from.raw.n && m->to.raw.n && m->method_text.n);
	MUST(m->request ? m->ruri_text.n && !m->status : m->status >= 100 && m->status <= 699);
	MUST(!m->has_content_length || m->body_cut || m->body.n == m->content_length);
	MUST(m->body.n <= m->size);
}

#endif
