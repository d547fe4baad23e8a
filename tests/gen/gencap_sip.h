/* SPDX-License-Identifier: BSD-2-Clause */
/* gencap_sip.h - of gencap.c: SIP messages and session descriptions as text */
#ifndef GENCAP_SIP_H
#define GENCAP_SIP_H

#include <arpa/inet.h>

#include "gencap_call.h"

struct text {
	char b[SIP_MAX];
	size_t n;
};

__attribute__((format(printf, 2, 3))) static void add(struct text *t, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(t->b + t->n, sizeof(t->b) - t->n, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(t->b) - t->n)
		errx(1, "gencap: message too long");
	t->n += (size_t)n;
}

static const char *ip_text(const struct host *h)
{
	static char b[4][INET6_ADDRSTRLEN];
	static unsigned i;

	i = (i + 1) % 4;
	return inet_ntop(net.v6 ? AF_INET6 : AF_INET, h->ip, b[i], sizeof(b[i]));
}

/* Host part of a URI or Via. */
static const char *uri_host(const struct host *h)
{
	static char b[4][INET6_ADDRSTRLEN + 2];
	static unsigned i;

	i = (i + 1) % 4;
	snprintf(b[i], sizeof(b[i]), net.v6 ? "[%s]" : "%s", ip_text(h));
	return b[i];
}

static void number_text(const struct call *c, int side, char out[24])
{
	if (c->number[side])
		snprintf(out, 24, "%s", c->number[side]);
	else
		snprintf(out, 24, (side != 0) != opt.swap ? "+4533%06u" : "+4570%06u", c->idx % 1000000);
}

/* ---- session descriptions ---- */

struct sdp_want {
	int side; /* who describes itself */
	struct endp at;
	const char *direction; /* NULL sendrecv */
	bool both_codecs, te, cn, srtp, video, third;
	uint8_t te_pt; /* 0: PT_TE */
	bool off;      /* a=recordpref:off */
	bool again; /* same version as the last one of this side */
};

static void add_codec(struct text *t, uint8_t pt, uint8_t te)
{
	static const struct {
		uint8_t pt;
		const char *map;
	} known[] = {{0, "PCMU/8000"}, {8, "PCMA/8000"}, {PT_CN, "CN/8000"}};

	for (size_t i = 0; i < 3; i++) {
		if (known[i].pt == pt)
			add(t, "a=rtpmap:%u %s\r\n", pt, known[i].map);
	}
	if (pt == te)
		add(t, "a=rtpmap:%u telephone-event/8000\r\na=fmtp:%u 0-16\r\n", pt, pt);
}

static void sdp(struct text *t, struct call *c, const struct sdp_want *w)
{
	const char *family = net.v6 ? "IP6" : "IP4";
	uint8_t pt[4];
	unsigned n = 0;

	if (!w->again)
		c->sdp_version[w->side]++;
	pt[n++] = c->alaw ? 8 : 0;
	if (w->both_codecs)
		pt[n++] = c->alaw ? 0 : 8;
	if (w->cn)
		pt[n++] = PT_CN;
	if (w->te)
		pt[n++] = w->te_pt ? w->te_pt : PT_TE;
	add(t, "v=0\r\no=- %u %u IN %s %s\r\ns=-\r\nc=IN %s %s\r\nt=0 0\r\n", 1000 + c->idx,
	    c->sdp_version[w->side], family, ip_text(&w->at.host), family, ip_text(&w->at.host));
	add(t, "m=audio %u RTP/%s", w->at.port, w->srtp ? "SAVP" : "AVP");
	for (unsigned i = 0; i < n; i++)
		add(t, " %u", pt[i]);
	add(t, "\r\n");
	for (unsigned i = 0; i < n; i++)
		add_codec(t, pt[i], w->te ? w->te_pt ? w->te_pt : PT_TE : 255);
	if (w->srtp) /* a key for show: the packets are random bytes */
		add(t, "a=crypto:1 AES_CM_128_HMAC_SHA1_80 "
		       "inline:QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNk\r\n");
	if (w->off)
		add(t, "a=recordpref:off\r\n");
	add(t, "a=ptime:20\r\na=%s\r\n", w->direction ? w->direction : "sendrecv");
	if (opt.recordpref_off && !w->side)
		add(t, "a=recordpref:off\r\n");
	if (w->third)
		add(t, "m=audio %u RTP/AVP 0\r\na=sendrecv\r\n", w->at.port + 8);
	if (w->video)
		add(t, "m=video %u RTP/AVP %u\r\na=rtpmap:%u raw/90000\r\na=sendrecv\r\n",
		    w->at.port + 2, PT_VIDEO, PT_VIDEO);
}

/* ---- messages ---- */

struct sip_want {
	const char *method; /* of the request or of the CSeq */
	int from;	    /* who sends this message */
	int asker;	    /* who sent the request */
	unsigned code;	    /* 0 request */
	const char *reason;
	unsigned cseq;
	unsigned branch;
	const char *to_tag; /* NULL none; of the callee's side of the dialog */
	const char *headers; /* more header lines, each with CRLF */
	const char *body; /* of another type, which headers names */
	const char *contact; /* parameters of Contact, with their ";"; NULL none */
	const struct sdp_want *sdp;
};

static void add_dialog(struct text *t, const struct call *c, const struct sip_want *w)
{
	const char *proto = opt.tcp ? "TCP" : "UDP";
	char number[2][24];
	int a = w->asker;

	number_text(c, 0, number[0]);
	number_text(c, 1, number[1]);
	add(t, "Via: SIP/2.0/%s %s:5060;branch=z9hG4bK-%u-%u\r\n", proto, uri_host(&c->sig[a].host),
	    c->idx, w->branch);
	add(t, "From: %s<sip:%s@%s>;tag=%s\r\n", a ? "" : "\"Caller\" ", number[a],
	    uri_host(&c->sig[a].host), a && w->to_tag ? w->to_tag : c->tag[a]);
	add(t, "To: <sip:%s@%s>", number[!a], uri_host(&c->sig[!a].host));
	if (a)
		add(t, ";tag=%s", c->tag[0]);
	else if (w->to_tag)
		add(t, ";tag=%s", w->to_tag);
	add(t, "\r\nCall-ID: %s\r\nCSeq: %u %s\r\n", c->id, w->cseq, w->method);
}

static struct message *sip(struct call *c, uint64_t ms, const struct sip_want *w)
{
	struct text t = {.n = 0}, body = {.n = 0};
	struct message *m;
	char number[24];

	number_text(c, !w->from, number);
	if (w->code)
		add(&t, "SIP/2.0 %u %s\r\n", w->code, w->reason);
	else
		add(&t, "%s sip:%s@%s:5060 SIP/2.0\r\n", w->method, number,
		    uri_host(&c->sig[!w->from].host));
	add_dialog(&t, c, w);
	number_text(c, w->from, number);
	if (!w->code || w->sdp)
		add(&t, "Contact: <sip:%s@%s:5060%s>%s\r\n", number, uri_host(&c->sig[w->from].host),
		    opt.tcp ? ";transport=tcp" : "", w->contact ? w->contact : "");
	if (!w->code)
		add(&t, "Max-Forwards: 70\r\nUser-Agent: gencap\r\n");
	if (w->headers)
		add(&t, "%s", w->headers);
	if (w->sdp) {
		sdp(&body, c, w->sdp);
		add(&t, "Content-Type: application/sdp\r\n");
	}
	if (w->body)
		add(&body, "%s", w->body);
	add(&t, "Content-Length: %zu\r\n\r\n%s", body.n, body.b);
	m = need(sizeof(*m) + t.n);
	m->call = c;
	m->from = w->from;
	m->len = t.n;
	memcpy(m->text, t.b, t.n);
	at(c->t0 + ms * MS, EV_MESSAGE, m);
	return m;
}

static struct message *repeat(uint64_t ms, const struct message *m)
{
	struct message *copy = need(sizeof(*m) + m->len);

	memcpy(copy, m, sizeof(*m) + m->len);
	copy->end = copy->last = false;
	at(m->call->t0 + ms * MS, EV_MESSAGE, copy);
	return copy;
}

#endif
