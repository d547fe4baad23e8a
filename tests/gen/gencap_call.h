/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gencap_call.h - of gencap.c: calls as messages and streams on one time line
 *
 * A heap of events in time order writes the file; what was delayed (reordered
 * RTP, copies, TCP segments) waits in it as ready bytes. The truth is kept where
 * the sender decides what reaches the file, in the sender's own order, so it
 * needs no receiver to be worked out.
 */
#ifndef GENCAP_CALL_H
#define GENCAP_CALL_H

#include <inttypes.h>
#include <openssl/evp.h>
#include <stdarg.h>

#include "gencap_audio.h"
#include "gencap_frame.h"

#define MS	   1000000ULL
#define TICK_NS	   (20 * MS)
#define SAMPLES	   160
#define SIP_MAX	   8192
#define STREAMS	   4 /* per leg */
#define PRESSES	   16 /* of a script, per stream */
#define PT_TE	   101
#define PT_CN	   13
#define PT_VIDEO   96

struct opts {
	unsigned calls, seconds, stagger_ms, tcp_split;
	int concurrent;
	uint64_t seed, start_ns;
	double loss, dup, reorder, tcp_retrans;
	bool tcp, tcp_shared;
	int codec; /* 0 PCMU, 1 PCMA, 2 by turns */
	const char *speech, *notice;
	const char *keys[2]; /* pressed by caller and callee, one a second; NULL none */
	unsigned keys_at[2]; /* seconds after the audio began */
	const char *headers; /* more lines of each first INVITE, each with CRLF */
	bool swap;	     /* the caller has the callee's number and the other way round */
	bool recordpref_off; /* the caller's description says so */
};

struct endp {
	struct host host;
	uint16_t port;
};

struct leg {
	EVP_MD_CTX *sha, *sha_end; /* of stream 0; the others are added when all is done */
	struct stream *stream[STREAMS];
	unsigned n;
};

struct stream {
	struct call *call;
	unsigned leg, number;
	uint32_t ssrc, ts0;
	uint16_t seq0;
	uint8_t pt; /* 0 or 8; PT_VIDEO */
	struct endp src, dst;
	uint64_t start, end; /* [ns) */
	uint64_t tick, sent; /* ticks of 20 ms gone by; packets numbered so far */
	uint64_t audio_from, rng;
	uint8_t pt_later; /* from pt_change on */
	uint64_t pt_change, mute_from, mute_to, move_at;
	uint16_t move_src, move_dst;
	const char *keys; /* one each second from the first on, counted from keys_from; blank: none */
	uint64_t keys_from;
	struct {
		uint64_t at;
		char digit;
	} press[PRESSES];
	unsigned npress;
	uint64_t lose_from, lose_to, te_from;
	uint8_t te_pt; /* from te_from on */
	/* over the speech: the announcement, and a key tone of 120 ms, echoed or not */
	uint64_t notice_from, notice_to, tone_at;
	double tone_level;
	char tone;
	unsigned key_at; /* without keys_from: the second of the first one */
	bool noise, srtp, cut_some, marker_next;
	/* truth */
	uint64_t first, last, distinct, copies, audio, events, cut, audio_at_end;
	bool any;
	uint8_t *buf;
	size_t buflen, bufcap, buflen_at_end;
};

struct call {
	unsigned idx;
	const struct scenario *sc;
	uint64_t t0, rng;
	struct endp sig[2], rtp[2]; /* caller's, callee's */
	char id[64], tag[2][16], fork_tag[16];
	unsigned cseq, branch;
	unsigned cseq_back; /* of the callee's requests */
	unsigned sdp_version[2];
	bool alaw;
	struct leg leg[2];
	const char *end;
	bool answered, srtp;
	struct conn *conn;
	char info[256]; /* of a script: headers or body of the message at work */
	const char *number[2]; /* NULL: made up */
};

struct conn {
	uint32_t seq[2];
	uint16_t sport;
	bool open;
};

struct message {
	struct call *call;
	int from; /* 0 caller, 1 callee */
	bool end, last;
	size_t len;
	char text[];
};

struct pending {
	bool tcp, reverse;
	const struct host *src, *dst;
	uint16_t sport, dport;
	uint32_t seq, ack;
	uint8_t flags;
	size_t cut, len;
	uint8_t data[];
};

enum kind { EV_CALL, EV_MESSAGE, EV_STREAM, EV_PENDING };

struct event {
	uint64_t t, order;
	enum kind kind;
	void *p;
};

static struct opts opt = {.calls = 1, .seconds = 10, .stagger_ms = 250, .seed = 1, .codec = 2};
static struct net net;
static struct audio audio;
static int16_t notice[8000 * 120];
static uint32_t notice_n;
static struct event *heap;
static size_t heap_n, heap_cap;
static uint64_t order, now;
static struct conn shared_conn;

/* ---- time line ---- */

static bool before(const struct event *a, const struct event *b)
{
	return a->t != b->t ? a->t < b->t : a->order < b->order;
}

static void at(uint64_t t, enum kind kind, void *p)
{
	size_t i = heap_n++;

	if (heap_n > heap_cap) {
		heap_cap = heap_cap ? heap_cap * 2 : 1024;
		heap = realloc(heap, heap_cap * sizeof(*heap));
		if (!heap)
			err(1, NULL);
	}
	heap[i] = (struct event){.t = t, .order = order++, .kind = kind, .p = p};
	for (; i && before(&heap[i], &heap[(i - 1) / 2]); i = (i - 1) / 2) {
		struct event e = heap[i];

		heap[i] = heap[(i - 1) / 2];
		heap[(i - 1) / 2] = e;
	}
}

static bool next(struct event *ret)
{
	size_t i = 0, k;

	if (!heap_n)
		return false;
	*ret = heap[0];
	heap[0] = heap[--heap_n];
	while ((k = 2 * i + 1) < heap_n) {
		struct event e = heap[i];

		if (k + 1 < heap_n && before(&heap[k + 1], &heap[k]))
			k++;
		if (!before(&heap[k], &e))
			break;
		heap[i] = heap[k];
		heap[k] = e;
		i = k;
	}
	return true;
}

static void *need(size_t n)
{
	void *p = calloc(1, n);

	if (!p)
		err(1, NULL);
	return p;
}

/* ---- packets, now or later ---- */

static void put_tcp(struct frame *f, const struct pending *p)
{
	uint8_t *h = front(f, 20);

	memset(h, 0, 20);
	be16enc(h, p->sport);
	be16enc(h + 2, p->dport);
	be32enc(h + 4, p->seq);
	be32enc(h + 8, p->ack);
	h[12] = 0x50;
	h[13] = p->flags;
	be16enc(h + 14, 64240);
	be16enc(h + 16, l4_sum(&net, f, p->src, p->dst, 6));
}

static void send_pending(const struct pending *p)
{
	static struct frame f;

	f.at = FRONT;
	f.end = FRONT + p->len;
	memcpy(f.b + FRONT, p->data, p->len);
	if (!p->tcp) {
		send_udp(&net, &f, p->src, p->sport, p->dst, p->dport, now, p->reverse, p->cut);
		return;
	}
	put_tcp(&f, p);
	send_l4(&net, &f, p->src, p->dst, 6, now, p->reverse, p->cut);
}

static struct pending *pending_new(const struct endp *src, const struct endp *dst, bool reverse,
				   const void *data, size_t len)
{
	struct pending *p = need(sizeof(*p) + len);

	p->reverse = reverse;
	p->src = &src->host;
	p->dst = &dst->host;
	p->sport = src->port;
	p->dport = dst->port;
	p->len = len;
	if (len)
		memcpy(p->data, data, len);
	return p;
}

/* ---- SIP over UDP and TCP ---- */

static void tcp_later(struct call *c, int from, uint64_t t, uint8_t flags, const char *data, size_t n)
{
	struct conn *k = c->conn;
	struct pending *p = pending_new(&c->sig[from], &c->sig[!from], from, data, n);

	p->tcp = true;
	p->seq = k->seq[from];
	p->ack = flags == 0x02 ? 0 : k->seq[!from];
	p->flags = flags;
	if (from)
		p->dport = k->sport;
	else
		p->sport = k->sport;
	k->seq[from] += (uint32_t)n + !!(flags & 0x03);
	if (n && rng_unit(&c->rng) < opt.tcp_retrans) {
		/* By turns: captured twice, or the first try missing and the second one late. */
		if (rng_next(&c->rng) % 2) {
			struct pending *copy = need(sizeof(*p) + n);

			memcpy(copy, p, sizeof(*p) + n);
			at(t + 3 * MS, EV_PENDING, copy);
		} else {
			t += 3 * MS;
		}
	}
	at(t, EV_PENDING, p);
}

static void tcp_message(struct message *m)
{
	struct call *c = m->call;
	size_t step = opt.tcp_split ? opt.tcp_split : 1400;
	uint64_t t = now;

	if (!c->conn->open) {
		tcp_later(c, 0, t, 0x02, NULL, 0);
		tcp_later(c, 1, t += MS / 10, 0x12, NULL, 0);
		tcp_later(c, 0, t += MS / 10, 0x10, NULL, 0);
		c->conn->open = true;
	}
	for (size_t i = 0; i < m->len; i += step) {
		size_t n = m->len - i < step ? m->len - i : step;

		tcp_later(c, m->from, t += MS / 50, i + n == m->len ? 0x18 : 0x10, m->text + i, n);
	}
	tcp_later(c, !m->from, t += MS / 50, 0x10, NULL, 0);
	if (m->last && c->conn != &shared_conn) {
		tcp_later(c, 0, t += 5 * MS, 0x11, NULL, 0);
		tcp_later(c, 1, t += MS / 10, 0x11, NULL, 0);
		tcp_later(c, 0, t += MS / 10, 0x10, NULL, 0);
	}
}

/* The call is over for whoever reads the signalling: what comes later is a tail. */
static void note_end(struct call *c)
{
	for (int i = 0; i < 2; i++) {
		struct leg *l = &c->leg[i];

		if (l->sha && (!l->sha_end && !(l->sha_end = EVP_MD_CTX_new())))
			err(1, NULL);
		if (l->sha && !EVP_MD_CTX_copy_ex(l->sha_end, l->sha))
			errx(1, "SHA-256");
		for (unsigned k = 0; k < l->n; k++) {
			l->stream[k]->audio_at_end = l->stream[k]->audio;
			l->stream[k]->buflen_at_end = l->stream[k]->buflen;
		}
	}
}

static bool span_dup(const struct call *c);

static void run_message(struct message *m)
{
	struct call *c = m->call;

	if (m->end)
		note_end(c);
	if (opt.tcp) {
		tcp_message(m);
	} else {
		struct pending *p = pending_new(&c->sig[m->from], &c->sig[!m->from], m->from,
						m->text, m->len);

		send_pending(p);
		if (span_dup(c))
			at(now + MS / 20, EV_PENDING, p);
		else
			free(p);
	}
	free(m);
}

/* ---- RTP ---- */

static void truth_audio(struct stream *s, const uint8_t *p, size_t n)
{
	struct leg *l = &s->call->leg[s->leg];

	s->audio++;
	if (!l->sha)
		return;
	if (s->number == 0) {
		EVP_DigestUpdate(l->sha, p, n);
		return;
	}
	if (s->buflen + n > s->bufcap) {
		s->bufcap = s->bufcap ? s->bufcap * 2 : 65536;
		s->buf = realloc(s->buf, s->bufcap);
		if (!s->buf)
			err(1, NULL);
	}
	memcpy(s->buf + s->buflen, p, n);
	s->buflen += n;
}

static size_t digit(const struct stream *s, char key, uint64_t j, uint8_t *pt, bool *marker, uint32_t *ts, uint8_t *out)
{
	const char *all = "0123456789*#ABCD";

	*pt = s->te_from && s->start + s->tick * TICK_NS >= s->te_from ? s->te_pt : PT_TE;
	*marker = j == 0;
	*ts -= (uint32_t)(j * SAMPLES);
	out[0] = (uint8_t)(strchr(all, key) - all);
	out[1] = (uint8_t)(j >= 5 ? 0x8a : 0x0a);
	be16enc(out + 2, (uint16_t)(SAMPLES * (j < 5 ? j + 1 : 6)));
	return 4;
}

/* What is heard instead of speech. */
static void overlay(const struct stream *s, bool law, uint64_t t, uint8_t *out)
{
	static const double rows[] = {697, 770, 852, 941}, cols[] = {1209, 1336, 1477, 1633};
	const char *all = "123A456B789C*0#D", *k = s->tone ? strchr(all, s->tone) : NULL;

	for (unsigned i = 0; i < SAMPLES; i++, t += 125000) {
		uint64_t at = t >= s->notice_from ? (t - s->notice_from) / 125000 : 0;

		if (s->notice_to && t >= s->notice_from && t < s->notice_to && at < notice_n)
			out[i] = law ? alaw(notice[at]) : ulaw(notice[at]);
		if (k && t >= s->tone_at && t < s->tone_at + 120 * MS) {
			double w = 2 * M_PI * (double)(t - s->tone_at) / 1e9;
			int16_t v = (int16_t)(s->tone_level * (sin(w * rows[(k - all) / 4]) + sin(w * cols[(k - all) % 4])));

			out[i] = law ? alaw(v) : ulaw(v);
		}
	}
}

/* Payload type and payload of this tick; 0 bytes: nothing is sent. */
static size_t fill(struct stream *s, uint8_t *pt, bool *marker, uint32_t *ts, uint8_t *out)
{
	uint64_t t = s->start + s->tick * TICK_NS, keyed = t >= s->keys_from ? (t - s->keys_from) / TICK_NS : 0;
	uint64_t press = s->keys_from ? keyed / 50 : s->tick / 50 + 1 - s->key_at, j = s->keys_from ? keyed % 50 : s->tick % 50;
	uint64_t id = (uint64_t)s->call->idx << 8 | s->leg << 4 | s->number;

	*ts = s->ts0 + (uint32_t)(s->tick * SAMPLES);
	*marker = s->sent == 0 || s->marker_next;
	*pt = s->pt_change && t >= s->pt_change ? s->pt_later : s->pt;
	if (t >= s->mute_from && t < s->mute_to)
		return 0;
	if (s->keys && (s->keys_from || s->tick / 50 >= s->key_at) && press >= 1 && press <= strlen(s->keys) && s->keys[press - 1] != ' ' && j < 8)
		return digit(s, s->keys[press - 1], j, pt, marker, ts, out);
	for (unsigned i = 0; i < s->npress; i++)
		if (t >= s->press[i].at && t < s->press[i].at + 8 * TICK_NS)
			return digit(s, s->press[i].digit, (t - s->press[i].at) / TICK_NS, pt, marker, ts, out);
	if (s->noise && s->tick % 100 >= 50) {
		s->marker_next = true;
		*pt = PT_CN;
		*marker = false;
		out[0] = 60;
		return s->tick % 10 == 0;
	}
	s->marker_next = false;
	if (s->srtp || s->pt == PT_VIDEO) {
		for (size_t i = 0; i < SAMPLES + 16; i += 8)
			le64enc(out + i, rng_next(&s->rng));
		return SAMPLES + 10;
	}
	audio_copy(&audio, *pt == 8, s->audio_from + s->tick * SAMPLES, out, SAMPLES);
	overlay(s, *pt == 8, t, out);
	if (s->sent == 0) { /* no two streams are alike */
		uint64_t x = id ^ opt.seed << 40;

		le64enc(out, rng_next(&x));
		le64enc(out + 8, rng_next(&x));
	}
	return SAMPLES;
}

/* The packet is numbered and reaches the file, now or later, once or more often. */
static void to_file(struct stream *s, const uint8_t *rtp, size_t n, size_t cut)
{
	struct pending *p = pending_new(&s->src, &s->dst, s->leg, rtp, n);
	uint64_t t = now + rng_next(&s->rng) % MS;
	bool first = !s->any;

	p->cut = cut;
	if (first)
		s->first = s->sent;
	s->any = true;
	s->last = s->sent;
	s->distinct++;
	if (!first && rng_unit(&s->rng) < opt.reorder)
		t += (25 + rng_next(&s->rng) % 45) * MS;
	if (rng_unit(&s->rng) < opt.dup || span_dup(s->call)) {
		struct pending *copy = need(sizeof(*p) + n);
		uint64_t late = span_dup(s->call) ? MS / 20 : (1 + rng_next(&s->rng) % 30) * MS;

		memcpy(copy, p, sizeof(*p) + n);
		s->copies++;
		at(t + late, EV_PENDING, copy);
	}
	at(t, EV_PENDING, p);
}

static void packet(struct stream *s)
{
	uint8_t rtp[12 + 256], pt;
	bool marker, lost;
	uint32_t ts;
	size_t n = fill(s, &pt, &marker, &ts, rtp + 12), cut = 0;

	if (!n)
		return;
	rtp[0] = 0x80;
	rtp[1] = (uint8_t)(marker << 7 | pt);
	be16enc(rtp + 2, (uint16_t)(s->seq0 + s->sent));
	be32enc(rtp + 4, ts);
	be32enc(rtp + 8, s->ssrc);
	lost = (s->any && rng_unit(&s->rng) < opt.loss) || (now >= s->lose_from && now < s->lose_to);
	if (s->cut_some && s->sent >= 50 && s->sent < 60)
		cut = 100;
	if (!lost) {
		to_file(s, rtp, 12 + n, cut);
		if (cut)
			s->cut++;
		else if (pt == 0 || pt == 8)
			truth_audio(s, rtp + 12, n);
	}
	if (n == 4 && marker)
		s->events++;
	s->sent++;
}

static void run_stream(struct stream *s)
{
	if (s->move_at && now >= s->move_at) {
		s->src.port = s->move_src;
		s->dst.port = s->move_dst;
		s->move_at = 0;
	}
	packet(s);
	s->tick++;
	if (s->start + s->tick * TICK_NS < s->end)
		at(s->start + s->tick * TICK_NS, EV_STREAM, s);
}

/* Audio of a leg from `from` to `to` (ms of the call). Counted in the truth unless pt is video. */
static struct stream *stream(struct call *c, unsigned leg, uint64_t from_ms, uint64_t to_ms)
{
	struct stream *s = need(sizeof(*s));
	struct leg *l = &c->leg[leg];

	s->call = c;
	s->leg = leg;
	s->rng = rng_next(&c->rng);
	s->ssrc = (uint32_t)rng_next(&s->rng);
	s->seq0 = (uint16_t)rng_next(&s->rng);
	s->ts0 = (uint32_t)rng_next(&s->rng);
	s->audio_from = rng_next(&s->rng) % audio.n;
	s->pt = c->alaw ? 8 : 0;
	s->src = c->rtp[leg];
	s->dst = c->rtp[!leg];
	s->start = c->t0 + from_ms * MS;
	s->end = c->t0 + to_ms * MS;
	s->srtp = c->srtp;
	if (l->n == STREAMS)
		errx(1, "gencap: too many streams");
	s->key_at = 1;
	s->number = l->n;
	l->stream[l->n++] = s;
	at(s->start, EV_STREAM, s);
	return s;
}

#endif
