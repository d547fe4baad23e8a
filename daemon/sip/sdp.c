/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sdp.c - one pass over the lines of a session description
 *
 * Session-level values are taken over by every m= line that follows (they come
 * first by the grammar). Nothing is resolved, nothing allocated. Any thread.
 */
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "sip/sdp.h"
#include "sip/sip_internal.h"

/* Names as other parts compare them; SDP compares without case (RFC 4855 3). */
static const char *const canonical[] = {
	"PCMU",	   "PCMA",    "G722",	  "GSM",       "GSM-EFR", "G729",      "G723",	 "DVI4",
	"opus",	   "AMR",     "AMR-WB",	  "iLBC",      "speex",	  "G726-16",   "G726-24", "G726-32",
	"G726-40", "AAL2-G726-16", "AAL2-G726-24", "AAL2-G726-32", "AAL2-G726-40", "G728", "L16", "L8",
	"LPC",	   "QCELP",   "G7221",	  "EVS",       "SILK",	  "BV16",      "BV32",	 "CN",
	"telephone-event", "MPA", "red",  "GSM-HR-08", "G729D",	  "G729E",     "VDVI",	 "clearmode",
};

static const struct {
	uint8_t pt;
	const char *name;
	uint32_t clock;
	uint8_t channels;
} static_formats[] = {
	{ 0, "PCMU", 8000, 1 },	   { 3, "GSM", 8000, 1 },    { 4, "G723", 8000, 1 },
	{ 5, "DVI4", 8000, 1 },	   { 6, "DVI4", 16000, 1 },  { 7, "LPC", 8000, 1 },
	{ 8, "PCMA", 8000, 1 },	   { 9, "G722", 8000, 1 }, /* samples at 16 kHz, RFC 3551 4.5.2 */
	{ 10, "L16", 44100, 2 },   { 11, "L16", 44100, 1 },  { 12, "QCELP", 8000, 1 },
	{ 13, "CN", 8000, 1 },	   { 14, "MPA", 90000, 1 },  { 15, "G728", 8000, 1 },
	{ 16, "DVI4", 11025, 1 },  { 17, "DVI4", 22050, 1 }, { 18, "G729", 8000, 1 },
	{ 25, "CelB", 90000, 1 },  { 26, "JPEG", 90000, 1 }, { 28, "nv", 90000, 1 },
	{ 31, "H261", 90000, 1 },  { 32, "MPV", 90000, 1 },  { 33, "MP2T", 90000, 1 },
	{ 34, "H263", 90000, 1 },
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* What the session part says for media that do not say otherwise. */
struct reading {
	struct sdp *sdp;
	struct sdp_media *media; /* current m= line; NULL in the session part */
	struct sdp_media base;
	bool past; /* in an m= line that did not fit */
	bool own_address; /* the current m= line has had its c= */
};

bool sdp_static_format(uint8_t pt, struct media_format *ret)
{
	for (size_t i = 0; i < COUNT(static_formats); i++) {
		if (static_formats[i].pt != pt)
			continue;
		memset(ret, 0, sizeof(*ret));
		memcpy(ret->name, static_formats[i].name, strlen(static_formats[i].name));
		ret->clock = static_formats[i].clock;
		ret->channels = static_formats[i].channels;
		ret->pt = pt;
		return true;
	}
	return false;
}

/* Next word of a line, separated by spaces. */
static bool word(struct sip_str *rest, struct sip_str *ret)
{
	size_t i = 0;

	*rest = sip_trim(*rest);
	if (!rest->n)
		return false;
	while (i < rest->n && !sip_is_lws(rest->p[i]))
		i++;
	*ret = (struct sip_str){ rest->p, i };
	rest->p += i;
	rest->n -= i;
	return true;
}

static struct sip_str before(struct sip_str s, char c, struct sip_str *ret_after)
{
	const char *at = s.n ? memchr(s.p, c, s.n) : NULL;

	if (!at) {
		*ret_after = (struct sip_str){ NULL, 0 };
		return s;
	}
	*ret_after = sip_str_of(at + 1, s.p + s.n);
	return sip_str_of(s.p, at);
}

static void copy_printable(char *to, size_t size, struct sip_str s)
{
	size_t n = 0;

	while (n < s.n && n + 1 < size && s.p[n] >= ' ' && s.p[n] < 0x7f) {
		to[n] = s.p[n];
		n++;
	}
	to[n] = 0;
}

static void connection(struct reading *r, struct sip_str value)
{
	struct sdp_media *m = r->media ? r->media : &r->base;
	struct sip_str net, family, addr, ttl;
	struct ipaddr ip;

	if (r->past || (r->media && r->own_address))
		return;
	if (!word(&value, &net) || !word(&value, &family) || !word(&value, &addr))
		return;
	if (r->media) {
		r->own_address = true;
		memset(&m->at.addr, 0, sizeof(m->at.addr));
		m->held = false;
	}
	addr = before(addr, '/', &ttl);
	if (!sip_str_ieq(net, "IN") || ipaddr_parse(addr.p, addr.n, &ip))
		return;
	m->at.addr = ip;
	m->held = ipaddr_is_any(&ip);
}

static struct media_format *format_of(struct sdp_media *m, uint64_t pt)
{
	for (unsigned i = 0; i < m->nformat; i++)
		if (m->format[i].pt == pt)
			return &m->format[i];
	return NULL;
}

static void media_formats(struct reading *r, struct sdp_media *m, struct sip_str rest)
{
	struct media_format *f;
	struct sip_str s;
	uint64_t pt;

	while (word(&rest, &s)) {
		if (!sip_number(s, 127, &pt) || m->nformat == SDP_FORMATS_MAX) {
			r->sdp->dropped += m->audio; /* of video nothing is missed */
			continue;
		}
		if (format_of(m, pt))
			continue;
		f = &m->format[m->nformat++];
		if (!sdp_static_format((uint8_t)pt, f)) {
			memset(f, 0, sizeof(*f));
			f->pt = (uint8_t)pt;
			f->channels = 1;
		}
	}
}

static bool is_rtp(struct sip_str proto, bool *ret_srtp)
{
	*ret_srtp = sip_str_ieq(proto, "RTP/SAVP") || sip_str_ieq(proto, "RTP/SAVPF") ||
		    sip_str_ieq(proto, "UDP/TLS/RTP/SAVP") || sip_str_ieq(proto, "UDP/TLS/RTP/SAVPF");
	return *ret_srtp || sip_str_ieq(proto, "RTP/AVP") || sip_str_ieq(proto, "RTP/AVPF");
}

static void media_line(struct reading *r, struct sip_str value)
{
	struct sip_str port, count;
	struct sdp_media *m, unread;
	uint64_t v;
	bool rtp;

	r->own_address = false;
	r->past = r->sdp->nmedia == SDP_MEDIA_MAX;
	if (r->past) {
		m = &unread;
	} else {
		m = r->media = &r->sdp->media[r->sdp->nmedia++];
		*m = r->base;
	}
	if (!word(&value, &m->type) || !word(&value, &port) || !word(&value, &m->proto))
		return;
	if (!sip_number(before(port, '/', &count), 65535, &v))
		return;
	m->at.port = (uint16_t)v;
	rtp = is_rtp(m->proto, &m->srtp);
	m->audio = rtp && sip_str_ieq(m->type, "audio");
	if (r->past && m->audio && m->at.port) {
		r->sdp->unread++;
		r->sdp->dropped++;
	}
	if (rtp && !r->past)
		media_formats(r, m, value);
}

static void rtpmap(struct sdp_media *m, struct sip_str value)
{
	struct sip_str pt, enc, name, clock, channels;
	struct media_format *f;
	uint64_t v;

	if (!word(&value, &pt) || !word(&value, &enc) || !sip_number(pt, 127, &v))
		return;
	f = format_of(m, v);
	if (!f)
		return;
	name = before(enc, '/', &clock);
	clock = before(clock, '/', &channels);
	copy_printable(f->name, sizeof(f->name), name);
	for (size_t i = 0; i < COUNT(canonical); i++)
		if (sip_str_ieq(name, canonical[i]))
			strcpy(f->name, canonical[i]);
	f->clock = sip_number(clock, UINT32_MAX, &v) ? (uint32_t)v : 0;
	f->channels = sip_number(channels, 255, &v) && v ? (uint8_t)v : 1;
}

static void fmtp(struct sdp_media *m, struct sip_str value)
{
	struct media_format *f;
	struct sip_str pt;
	uint64_t v;

	if (!word(&value, &pt) || !sip_number(pt, 127, &v))
		return;
	f = format_of(m, v);
	if (f)
		copy_printable(f->fmtp, sizeof(f->fmtp), sip_trim(value));
}

/* candidate:foundation component transport priority address port typ ... (RFC 8839 5.1) */
static void candidate(struct reading *r, struct sip_str value)
{
	struct sdp_media *m = r->media;
	struct sip_str f[6];
	struct endpoint e = { 0 };
	uint64_t component, port;

	for (size_t i = 0; i < COUNT(f); i++)
		if (!word(&value, &f[i]))
			return;
	if (!sip_number(f[1], 256, &component) || component != 1 || !sip_str_ieq(f[2], "UDP"))
		return;
	if (ipaddr_parse(f[4].p, f[4].n, &e.addr) || !sip_number(f[5], 65535, &port) || !port)
		return;
	e.port = (uint16_t)port;
	if (m->ncandidate == SDP_CANDIDATES_MAX)
		r->sdp->dropped += m->audio;
	else
		m->candidate[m->ncandidate++] = e;
}

static bool direction(struct sip_str name, enum sdp_direction *ret)
{
	static const char *const names[] = { "sendrecv", "sendonly", "recvonly", "inactive" };

	for (size_t i = 0; i < COUNT(names); i++) {
		if (sip_str_eq(name, names[i])) {
			*ret = (enum sdp_direction)i;
			return true;
		}
	}
	return false;
}

static void recordpref(struct sdp *sdp, struct sip_str value)
{
	/* in order of strictness */
	static const struct {
		const char *name;
		enum sdp_recordpref pref;
	} prefs[] = { { "off", SDP_PREF_OFF },
		      { "pause", SDP_PREF_PAUSE },
		      { "nopreference", SDP_PREF_NOPREFERENCE },
		      { "on", SDP_PREF_ON } };

	for (size_t i = 0; i < COUNT(prefs) && sdp->recordpref != prefs[i].pref; i++) {
		if (sip_str_ieq(sip_trim(value), prefs[i].name)) {
			sdp->recordpref = prefs[i].pref;
			return;
		}
	}
}

static void media_attribute(struct reading *r, struct sip_str name, struct sip_str value)
{
	struct sdp_media *m = r->media;
	uint64_t v;

	if (sip_str_eq(name, "rtpmap"))
		rtpmap(m, value);
	else if (sip_str_eq(name, "fmtp"))
		fmtp(m, value);
	else if (sip_str_eq(name, "candidate"))
		candidate(r, value);
	else if (sip_str_eq(name, "rtcp-mux"))
		m->rtcp_mux = true;
	else if (sip_str_eq(name, "ptime"))
		m->ptime = sip_number(sip_trim(value), UINT16_MAX, &v) ? (uint16_t)v : 0;
	else if (sip_str_eq(name, "crypto") && !m->crypto.p && value.p)
		m->crypto = value;
}

static void attribute(struct reading *r, struct sip_str s)
{
	struct sdp_media *m = r->media ? r->media : &r->base;
	struct sip_str name, value;
	enum sdp_direction d;

	name = before(s, ':', &value);
	if (sip_str_eq(name, "recordpref")) {
		recordpref(r->sdp, value);
		return;
	}
	if (r->past)
		return;
	if (sip_str_eq(name, "fingerprint"))
		m->dtls = true;
	else if (direction(sip_trim(name), &d))
		m->direction = d;
	else if (r->media)
		media_attribute(r, name, value);
}

/*
 * Known after all attributes: an rtpmap may rename a type that the m= line lists. A number that RFC 3551
 * gives to a codec is none of an event's, whatever a description says: what comes under it may be speech.
 */
static void find_events(struct sdp_media *m)
{
	unsigned n = 0;

	for (unsigned i = 0; i < m->nformat && n < 2; i++)
		if (m->format[i].pt >= SDP_STATIC_END && !strcmp(m->format[i].name, "telephone-event"))
			m->te[n++] = m->format[i].pt;
}

static void line(struct reading *r, struct sip_str s)
{
	struct sip_str value;

	if (s.n < 2 || s.p[1] != '=')
		return;
	value = sip_str_of(s.p + 2, s.p + s.n);
	switch (s.p[0]) {
	case 'o':
		if (!r->sdp->origin.p)
			r->sdp->origin = value;
		break;
	case 'c':
		connection(r, value);
		break;
	case 'm':
		media_line(r, value);
		break;
	case 'a':
		attribute(r, value);
		break;
	}
}

int sdp_parse(const char *buf, size_t len, struct sdp *ret, const char **ret_why)
{
	const char *p = buf, *end = buf + len;
	struct reading r = { .sdp = ret };
	struct sip_str s;

	while (p < end && (*p == '\r' || *p == '\n'))
		p++;
	if (end - p < 3 || memcmp(p, "v=0", 3) || (end - p > 3 && !sip_is_lws(p[3]))) {
		*ret_why = "does not start with v=0";
		return -EBADMSG;
	}
	/* not the m-lines: 35 KB of zeros would cost more than the parsing; media_line fills what is used */
	memset(ret, 0, offsetof(struct sdp, media));
	ret->nmedia = 0;
	ret->dropped = ret->unread = 0;
	r.base.te[0] = r.base.te[1] = 0xff;
	while (p < end) {
		if (!sip_line(&p, end, &s)) {
			s = sip_str_of(p, end);
			p = end;
		}
		line(&r, s);
	}
	for (unsigned i = 0; i < ret->nmedia; i++)
		find_events(&ret->media[i]);
	return 0;
}
