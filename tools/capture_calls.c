/* SPDX-License-Identifier: BSD-2-Clause */
/* capture_calls.c - made-up calls as a capture, see capture.h */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/le.h"
#include "capture.h"

#define MS	  1000000ULL
#define ANSWER_MS 1000
#define NOTICE_MS 1500
#define PTIME_MS  20
#define VOICE	  160 /* bytes of A-law in PTIME_MS */
#define FRAME	  2048
#define PT_VOICE  8
#define PT_KEY	  101

struct frame {
	uint64_t ns;
	uint32_t order;
	uint16_t n;
	uint8_t *b;
};

struct out {
	struct frame *f;
	size_t n, room;
	int err;
};

static void be16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void be32(uint8_t *p, uint32_t v)
{
	be16(p, v >> 16);
	be16(p + 2, v & 0xffff);
}

static void ip_sum(uint8_t *ip)
{
	uint32_t sum = 0;

	for (int i = 0; i < 20; i += 2)
		sum += (uint32_t)(ip[i] << 8 | ip[i + 1]);
	sum = (sum & 0xffff) + (sum >> 16);
	be16(ip + 10, ~(sum + (sum >> 16)) & 0xffff);
}

struct place {
	uint8_t host; /* of 192.0.2.0/24 (RFC 5737) */
	uint16_t port;
};

static void put(struct out *o, uint64_t ns, struct place from, struct place to, const void *data, size_t n)
{
	size_t all = 14 + 20 + 8 + n;
	uint8_t *b;

	if (o->n == o->room) {
		size_t room = o->room ? o->room * 2 : 4096;
		struct frame *f = realloc(o->f, room * sizeof(*f));

		if (!f) {
			o->err = -ENOMEM;
			return;
		}
		o->f = f;
		o->room = room;
	}
	o->f[o->n] = (struct frame){ ns, (uint32_t)o->n, (uint16_t)all, calloc(1, all) };
	b = o->f[o->n].b;
	if (!b) {
		o->err = -ENOMEM;
		return;
	}
	o->n++;
	b[0] = b[6] = 2; /* locally administered */
	b[5] = to.host;
	b[11] = from.host;
	be16(b + 12, 0x0800);
	b[14] = 0x45;
	be16(b + 16, (unsigned)(28 + n));
	b[22] = 64;
	b[23] = 17;
	be32(b + 26, 0xc0000200u | from.host);
	be32(b + 30, 0xc0000200u | to.host);
	ip_sum(b + 14);
	be16(b + 34, from.port);
	be16(b + 36, to.port);
	be16(b + 38, (unsigned)(8 + n));
	memcpy(b + 42, data, n);
}

/* ---- signalling: the caller's side is .1, the callee's .2; voices come from .11 and .12 ---- */

static const struct place sip[2] = { { 1, 5060 }, { 2, 5060 } };

static struct place media(const struct capture_call *c, int side)
{
	return (struct place){ (uint8_t)(11 + side), (uint16_t)(20000 + c->n * 4 + (unsigned)side * 2) };
}

static void sdp(const struct capture_call *c, int side, char *buf, size_t n)
{
	bool off = c->what->off && side == (int)c->outbound;

	snprintf(buf, n,
		 "v=0\r\no=- 1 1 IN IP4 192.0.2.%d\r\ns=-\r\nc=IN IP4 192.0.2.%d\r\nt=0 0\r\nm=audio %d RTP/AVP %d %d\r\n"
		 "a=rtpmap:%d PCMA/8000\r\na=rtpmap:%d telephone-event/8000\r\na=fmtp:%d 0-15\r\na=ptime:%d\r\n%s",
		 11 + side, 11 + side, media(c, side).port, PT_VOICE, PT_KEY, PT_VOICE, PT_KEY, PT_KEY, PTIME_MS,
		 off ? "a=recordpref:off\r\n" : "");
}

/* first: "INVITE sip:... SIP/2.0" or a status line; side: who sends it. */
static void message(struct out *o, const struct capture_call *c, uint64_t ns, int side, const char *first, const char *cseq, bool dialog,
		    const char *extra, const char *body)
{
	char text[FRAME];
	/* From is who began this dialog's request: the callee's INFO turns them round */
	bool turned = side && strncmp(first, "SIP/2.0", 7) != 0;
	const char *from = turned ? c->called : c->calling, *to = turned ? c->calling : c->called;
	int n = snprintf(text, sizeof(text),
			 "%s\r\nVia: SIP/2.0/UDP 192.0.2.%d:5060;branch=z9hG4bK%s%s\r\nFrom: <sip:%s@192.0.2.%d>;tag=%s\r\n"
			 "To: <sip:%s@192.0.2.%d>%s\r\nCall-ID: %s\r\nCSeq: %s\r\n%s%sContent-Length: %zu\r\n\r\n%s",
			 first, turned ? 2 : 1, c->id, cseq[0] == '1' && cseq[1] == ' ' ? "i" : cseq + strlen(cseq) - 2, from, turned ? 2 : 1, turned ? "b" : "a", to,
			 turned ? 1 : 2, !dialog ? "" : turned ? ";tag=a" : ";tag=b", c->id, cseq, extra,
			 *body ? "Content-Type: application/sdp\r\n" : "", strlen(body), body);

	if (n > 0 && (size_t)n < sizeof(text))
		put(o, ns, sip[side], sip[!side], text, (size_t)n);
	else
		o->err = -EINVAL;
}

static void signalling(struct out *o, const struct capture_call *c, uint64_t start)
{
	unsigned bye = c->what->bye_ms ? c->what->bye_ms : CAPTURE_BYE_MS;
	bool told = c->outbound && !c->what->unannounced; /* by the caller's side */
	char first[128], body[1024];

	snprintf(first, sizeof(first), "INVITE sip:%s@192.0.2.2 SIP/2.0", c->called);
	sdp(c, 0, body, sizeof(body));
	message(o, c, start, 0, first, "1 INVITE", false,
		c->outbound ? "Contact: <sip:192.0.2.1>\r\nX-Queue: survey\r\n" : "Contact: <sip:192.0.2.1>\r\n", body);
	message(o, c, start + 20 * MS, 1, "SIP/2.0 180 Ringing", "1 INVITE", true, "", "");
	sdp(c, 1, body, sizeof(body));
	message(o, c, start + ANSWER_MS * MS, 1, "SIP/2.0 200 OK", "1 INVITE", true, "Contact: <sip:192.0.2.2>\r\n", body);
	snprintf(first, sizeof(first), "ACK sip:%s@192.0.2.2 SIP/2.0", c->called);
	message(o, c, start + (ANSWER_MS + 10) * MS, 0, first, "1 ACK", true, "", "");
	if (!c->what->unannounced) /* the controller's side says that it was played */
		message(o, c, start + NOTICE_MS * MS, !c->outbound, c->outbound ? "INFO sip:192.0.2.2 SIP/2.0" : "INFO sip:192.0.2.1 SIP/2.0",
			c->outbound ? "2 INFO" : "7 INFO", true, "X-Notice-Played: yes\r\n", "");
	snprintf(first, sizeof(first), "BYE sip:%s@192.0.2.2 SIP/2.0", c->called);
	/* numbers without a gap: a request that is missing could have been an opt-out */
	message(o, c, start + bye * MS, 0, first, told ? "3 BYE" : "2 BYE", true, "", "");
	message(o, c, start + (bye + 10) * MS, 1, "SIP/2.0 200 OK", told ? "3 BYE" : "2 BYE", true, "", "");
}

/* ---- voices ---- */

struct voice {
	struct place from, to;
	uint32_t ssrc;
	uint16_t seq;
};

static void rtp(struct out *o, struct voice *v, uint64_t ns, uint8_t pt, uint32_t ts, const uint8_t *data, size_t n, bool lost)
{
	uint8_t b[12 + VOICE];

	b[0] = 0x80;
	b[1] = pt;
	be16(b + 2, v->seq++);
	be32(b + 4, ts);
	be32(b + 8, v->ssrc);
	memcpy(b + 12, data, n);
	if (!lost)
		put(o, ns, v->from, v->to, b, 12 + n);
}

/* A press: its begin, and three times its end (RFC 4733 2.5.1.4), before the next packet of the voice. */
static void press(struct out *o, struct voice *v, uint64_t ns, uint32_t ts, char key, bool lost)
{
	static const char keys[] = "0123456789*#";
	const uint8_t begin[4] = { (uint8_t)(strchr(keys, key) - keys), 10, 0, 160 }, end[4] = { begin[0], 0x80 | 10, 1, 64 };

	rtp(o, v, ns, 0x80 | PT_KEY, ts, begin, sizeof(begin), lost);
	for (unsigned i = 0; i < 3; i++)
		rtp(o, v, ns + (2 + i) * MS, PT_KEY, ts, end, sizeof(end), lost);
}

static void voice(struct out *o, const struct capture_call *c, uint64_t start, int side)
{
	const struct capture_reaction *r = c->what;
	bool subject = side == (int)c->outbound;
	unsigned bye = r->bye_ms ? r->bye_ms : CAPTURE_BYE_MS;
	struct voice v = { media(c, side), media(c, !side), 0x5e1f0000u + c->n * 2 + (unsigned)side, (uint16_t)(c->n * 100) };
	uint8_t sound[VOICE];

	memset(sound, 0xd5, sizeof(sound));
	for (unsigned ms = ANSWER_MS + PTIME_MS / 2; ms < bye; ms += PTIME_MS) {
		bool lost = subject && ms >= r->lose_from_ms && ms < r->lose_to_ms;

		rtp(o, &v, start + ms * MS, PT_VOICE, ms * 8, sound, sizeof(sound), lost);
		for (int i = 0; i < 3; i++)
			for (unsigned k = 0; r->press[i].keys && r->press[i].keys[k] && r->press[i].agent != subject; k++) {
				unsigned at = r->press[i].ms + k * 200;

				if (at >= ms && at < ms + PTIME_MS)
					press(o, &v, start + at * MS, at * 8, r->press[i].keys[k], lost);
			}
	}
}

static int by_time(const void *a, const void *b)
{
	const struct frame *x = a, *y = b;

	if (x->ns != y->ns)
		return x->ns < y->ns ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

int capture_write(FILE *f, const struct capture_call *calls, unsigned n, uint64_t start_ns)
{
	static const uint32_t head[6] = { 0xa1b2c3d4u, 4u << 16 | 2, 0, 0, 65535, 1 };
	struct out o = { 0 };
	uint8_t b[24];

	for (unsigned i = 0; i < n && !o.err; i++) {
		uint64_t start = start_ns + i * 100 * MS;

		signalling(&o, &calls[i], start);
		voice(&o, &calls[i], start, 0);
		voice(&o, &calls[i], start, 1);
	}
	if (o.n)
		qsort(o.f, o.n, sizeof(*o.f), by_time);
	for (int i = 0; i < 6; i++)
		le32enc(b + 4 * i, head[i]);
	fwrite(b, 1, 24, f);
	for (size_t i = 0; i < o.n; i++) {
		le32enc(b, (uint32_t)(o.f[i].ns / 1000000000));
		le32enc(b + 4, (uint32_t)(o.f[i].ns % 1000000000 / 1000));
		le32enc(b + 8, o.f[i].n);
		le32enc(b + 12, o.f[i].n);
		fwrite(b, 1, 16, f);
		fwrite(o.f[i].b, 1, o.f[i].n, f);
		free(o.f[i].b);
	}
	free(o.f);
	if (!o.err && (ferror(f) || fflush(f)))
		o.err = -EIO;
	return o.err;
}
