/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * load_call.h - of optag-load.c: calls, their messages and when things happen to them
 *
 * Time is ticks of a millisecond. A call has two timers: the dialog's next message,
 * and the media's (its beginning, a key press). Places in the table are used in turn,
 * and so are the addresses that belong to them: one comes back only after all others.
 * Everything of a call follows from its number and --seed, so that who reads a
 * recording can work out every packet (load_truth in optag-load.c).
 */
#ifndef LOAD_CALL_H
#define LOAD_CALL_H

#include <inttypes.h>
#include <stdarg.h>
#include <time.h>

#include "load_wire.h"

#define WHEEL	  8192 /* milliseconds; a later timer goes round */
#define KINDS_MAX 8
#define KEY_PACKETS 11

struct kind { /* of call: who calls whom, and what is pressed */
	char name[16], from[24], to[24];
	unsigned share;
	int key;
	uint32_t key_ms;
	uint64_t calls, rtp[2], events;
};

enum step { S_INVITE, S_TRYING, S_RINGING, S_ANSWER, S_ACK, S_BYE, S_OVER, S_MEDIA, S_KEY };

struct timer {
	struct timer *next;
	struct lcall *call;
	uint64_t due;
	enum step step;
	bool set;
};

struct lcall {
	struct timer dialog, media;
	struct lcall *next; /* free */
	struct kind *kind;
	uint64_t number, answered_tick, answered_ns;
	uint32_t place[2], at0[2];
	uint8_t slot, key_packet;
	bool busy, talking, sounding[2];
};

struct load {
	struct wire wire;
	struct kind kind[KINDS_MAX];
	unsigned nkind, share_sum;
	struct lcall *call, *free, **free_end;
	uint32_t places;
	struct timer *wheel[WHEEL], *now; /* now: of this tick's bucket, not yet looked at */
	uint64_t tick, seed, answered, ended, started;
	uint32_t net; /* of addresses: 0 to 5 */
	uint32_t active, peak, ring_ms, hold_ms, first_rtp_ms;
	uint8_t pt;
	bool real_time;
	void (*on_answer)(struct load *l, const struct lcall *c);
	void (*on_end)(struct load *l, const struct lcall *c);
	void *arg;
};

static uint64_t mono_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t scatter(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
	return x ^ x >> 31;
}

/* ---- timers ---- */

static void timer_set(struct load *l, struct timer *t, enum step step, uint64_t in)
{
	struct timer **b;

	t->step = step;
	t->due = l->tick + in;
	t->set = true;
	b = &l->wheel[t->due % WHEEL];
	t->next = *b;
	*b = t;
}

static void timer_cancel(struct load *l, struct timer *t)
{
	struct timer **p = &l->wheel[t->due % WHEEL];

	if (!t->set)
		return;
	while (*p && *p != t)
		p = &(*p)->next;
	for (p = *p ? p : &l->now; *p != t;)
		p = &(*p)->next;
	*p = t->next;
	t->set = false;
}

/* ---- messages ---- */

struct message {
	char b[WIRE_MTU];
	size_t n;
};

__attribute__((format(printf, 2, 3))) static void say(struct message *m, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(m->b + m->n, sizeof(m->b) - m->n, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(m->b) - m->n)
		errx(1, "message too long");
	m->n += (size_t)n;
}

/* '#' are digits of the call's number. */
static void number_of(const char *pattern, uint64_t n, char ret[24])
{
	size_t len = strlen(pattern);

	ret[len] = 0;
	while (len--) {
		ret[len] = pattern[len];
		if (pattern[len] == '#') {
			ret[len] = (char)('0' + n % 10);
			n /= 10;
		}
	}
}

static const char *dotted(__be32 a, char ret[16])
{
	struct in_addr in = { a };

	return inet_ntop(AF_INET, &in, ret, 16);
}

static size_t description(const struct load *l, const struct lcall *c, int side, char *out, size_t n)
{
	const struct load_stream *s = &l->wire.streams[(c - l->call) * 2 + side];
	char a[16];

	dotted(s->src, a);
	return (size_t)snprintf(out, n,
				"v=0\r\no=- %" PRIu64 " 1 IN IP4 %s\r\ns=-\r\nc=IN IP4 %s\r\nt=0 0\r\n"
				"m=audio %u RTP/AVP %u %u\r\na=rtpmap:%u PCM%c/8000\r\n"
				"a=rtpmap:%u telephone-event/8000\r\na=fmtp:%u 0-16\r\na=ptime:20\r\na=sendrecv\r\n",
				c->number, a, a, ntohs(s->sport), l->pt, LOAD_PT_TE, l->pt, l->pt ? 'A' : 'U',
				LOAD_PT_TE, LOAD_PT_TE);
}

static void call_id(const struct load *l, uint64_t number, char ret[64])
{
	snprintf(ret, 64, "%" PRIu64 "-%" PRIx64 "@load.example", number, l->seed);
}

/* from: who sends it, 0 the caller. code 0: a request. All requests here are the caller's. */
static void say_sip(struct load *l, struct lcall *c, int from, const char *method, unsigned code, const char *reason,
		    unsigned cseq, bool sdp)
{
	static const struct load_stream way[2] = { /* 10.90.2.1 and .2, port 5060 */
		{ .src = BE32(0x0a5a0201), .dst = BE32(0x0a5a0202), .sport = BE16(5060), .dport = BE16(5060) },
		{ .src = BE32(0x0a5a0202), .dst = BE32(0x0a5a0201), .sport = BE16(5060), .dport = BE16(5060) },
	};
	char a[24], b[24], id[64], body[512];
	size_t n = sdp ? description(l, c, from, body, sizeof(body)) : 0;
	struct message m = { .n = 0 };

	number_of(c->kind->from, c->number, a);
	number_of(c->kind->to, c->number, b);
	call_id(l, c->number, id);
	if (code)
		say(&m, "SIP/2.0 %u %s\r\n", code, reason);
	else
		say(&m, "%s sip:%s@10.90.2.2:5060 SIP/2.0\r\nMax-Forwards: 70\r\n", method, b);
	say(&m, "Via: SIP/2.0/UDP 10.90.2.1:5060;branch=z9hG4bK-%s-%u%c\r\n", id, cseq, *method);
	say(&m, "From: <sip:%s@10.90.2.1>;tag=a%" PRIu64 "\r\nTo: <sip:%s@10.90.2.2>", a, c->number, b);
	if (code > 100 || (!code && strcmp(method, "INVITE") != 0))
		say(&m, ";tag=b%" PRIu64, c->number);
	say(&m, "\r\nCall-ID: %s\r\nCSeq: %u %s\r\nContact: <sip:%s@10.90.2.%d:5060>\r\n", id, cseq, method, from ? b : a,
	    from + 1);
	if (sdp)
		say(&m, "Content-Type: application/sdp\r\n");
	say(&m, "Content-Length: %zu\r\n\r\n%.*s", n, (int)n, body);
	wire_message(&l->wire, &way[from], m.b, m.n);
}

/* ---- media ---- */

static void sound_on(struct load *l, struct lcall *c, int side)
{
	uint32_t stream = (uint32_t)(c - l->call) * 2 + (uint32_t)side;

	c->place[side] = wire_add(&l->wire, stream, c->slot);
	c->sounding[side] = true;
}

static void sound_off(struct load *l, struct lcall *c, int side)
{
	uint32_t moved;

	if (!c->sounding[side])
		return;
	moved = wire_remove(&l->wire, c->slot, c->place[side]);
	l->call[moved / 2].place[moved % 2] = c->place[side];
	c->sounding[side] = false;
}

static void media_begins(struct load *l, struct lcall *c)
{
	uint64_t since = l->tick - c->answered_tick;

	/* Ticks that are late catch up: the first packet must not come sooner after the answer for it. */
	if (l->real_time && mono_ns() - c->answered_ns < l->first_rtp_ms * 1000000ULL) {
		timer_set(l, &c->media, S_MEDIA, 1);
		return;
	}
	c->slot = (uint8_t)(l->tick % WIRE_SLOTS);
	sound_on(l, c, 0);
	sound_on(l, c, 1);
	if (c->kind->key >= 0)
		timer_set(l, &c->media, S_KEY, c->kind->key_ms > since ? c->kind->key_ms - since : 1);
}

/* A press takes the place of the caller's sound; its packets keep the 20 ms. */
static void key_step(struct load *l, struct lcall *c)
{
	uint32_t wait = (uint32_t)((c->slot + WIRE_SLOTS - l->tick % WIRE_SLOTS) % WIRE_SLOTS);

	if (wait) { /* in step with the sound */
		timer_set(l, &c->media, S_KEY, wait);
		return;
	}
	if (c->key_packet == KEY_PACKETS) {
		sound_on(l, c, 0);
		return;
	}
	sound_off(l, c, 0);
	wire_event(&l->wire, &l->wire.streams[(c - l->call) * 2], (uint8_t)c->kind->key, c->key_packet++);
	timer_set(l, &c->media, S_KEY, 20);
}

/* ---- a call's life ---- */

/* Where in the pool the voices of a call begin. */
static uint64_t call_sound(const struct load *l, uint64_t number, uint32_t ret_at[2])
{
	uint64_t x = scatter(l->seed ^ (number + 1) * 0x9e3779b97f4a7c15ULL);

	ret_at[0] = (uint32_t)scatter(x + 5) % LOAD_POOL;
	ret_at[1] = (uint32_t)scatter(x + 6) % LOAD_POOL;
	return x;
}

static void streams_of(struct load *l, struct lcall *c)
{
	uint32_t i = (uint32_t)(c - l->call);
	uint64_t x = call_sound(l, c->number, c->at0);
	struct load_stream *s = &l->wire.streams[i * 2];

	memset(s, 0, 2 * sizeof(*s));
	/* callers at home, each with an address; callees behind 200 addresses of a session border controller */
	s[0].src = s[1].dst = htonl(0x0a400001 + l->net * 0x40000 + i);
	s[0].sport = s[1].dport = htons((uint16_t)(20000 + i % 5000 * 2));
	s[0].dst = s[1].src = htonl(0x0a600001 + l->net * 0x40000 + i % 200);
	s[0].dport = s[1].sport = htons((uint16_t)(16384 + i / 200 * 2));
	for (int k = 0; k < 2; k++) {
		s[k].ssrc = (__be32)(x >> (k ? 32 : 0)) ^ (__be32)i;
		s[k].seq = (uint16_t)scatter(x + 1 + (unsigned)k);
		s[k].ts = (uint32_t)scatter(x + 3 + (unsigned)k);
		s[k].at = c->at0[k];
		s[k].pt = l->pt;
		s[k].mark = 1;
	}
}

static struct kind *kind_of(struct load *l, uint64_t number)
{
	uint64_t x = scatter(number + 17 + l->seed) % l->share_sum;
	struct kind *k = l->kind;

	while (x >= k->share)
		x -= k++->share;
	return k;
}

static bool call_start(struct load *l)
{
	struct lcall *c = l->free;

	if (!c)
		return false;
	l->free = c->next;
	if (!l->free)
		l->free_end = &l->free;
	memset(c, 0, sizeof(*c));
	c->dialog.call = c->media.call = c;
	c->number = l->started++;
	c->kind = kind_of(l, c->number);
	c->kind->calls++;
	c->busy = true;
	if (++l->active > l->peak)
		l->peak = l->active;
	streams_of(l, c);
	timer_set(l, &c->dialog, S_INVITE, 0);
	return true;
}

static void call_over(struct load *l, struct lcall *c)
{
	const struct load_stream *s = &l->wire.streams[(c - l->call) * 2];

	c->kind->rtp[0] += s[0].sent;
	c->kind->rtp[1] += s[1].sent;
	c->kind->events += c->key_packet;
	l->on_end(l, c);
	l->ended++;
	l->active--;
	c->busy = false;
	c->next = NULL;
	*l->free_end = c;
	l->free_end = &c->next;
}

/* Speaks until now; the packet of this millisecond is not sent any more. */
static void hang_up(struct load *l, struct lcall *c)
{
	timer_cancel(l, &c->media);
	sound_off(l, c, 0);
	sound_off(l, c, 1);
	c->talking = false;
	say_sip(l, c, 0, "BYE", 0, NULL, 2, false);
	timer_set(l, &c->dialog, S_OVER, 2);
}

static void answer(struct load *l, struct lcall *c)
{
	say_sip(l, c, 1, "INVITE", 200, "OK", 1, true);
	l->answered++;
	c->answered_tick = l->tick;
	c->answered_ns = mono_ns();
	c->talking = true;
	l->on_answer(l, c);
	timer_set(l, &c->dialog, S_ACK, 2);
	if (l->first_rtp_ms)
		timer_set(l, &c->media, S_MEDIA, l->first_rtp_ms);
	else
		media_begins(l, c);
}

static void step(struct load *l, struct timer *t)
{
	struct lcall *c = t->call;

	switch (t->step) {
	case S_INVITE:
		say_sip(l, c, 0, "INVITE", 0, NULL, 1, true);
		timer_set(l, t, S_TRYING, 2);
		break;
	case S_TRYING:
		say_sip(l, c, 1, "INVITE", 100, "Trying", 1, false);
		timer_set(l, t, S_RINGING, 3);
		break;
	case S_RINGING: /* for a while that spreads the sound evenly over the 20 ms */
		say_sip(l, c, 1, "INVITE", 180, "Ringing", 1, false);
		timer_set(l, t, S_ANSWER, l->ring_ms + scatter(c->number) % WIRE_SLOTS);
		break;
	case S_ANSWER:
		answer(l, c);
		break;
	case S_ACK:
		say_sip(l, c, 0, "ACK", 0, NULL, 1, false);
		if (l->hold_ms)
			timer_set(l, t, S_BYE, l->hold_ms);
		break;
	case S_BYE:
		hang_up(l, c);
		break;
	case S_OVER:
		say_sip(l, c, 1, "BYE", 200, "OK", 2, false);
		call_over(l, c);
		break;
	case S_MEDIA:
		media_begins(l, c);
		break;
	case S_KEY:
		key_step(l, c);
		break;
	}
}

/* All that is due in this millisecond, then the sound. */
static void load_tick(struct load *l)
{
	struct timer *t;

	l->now = l->wheel[l->tick % WHEEL];
	l->wheel[l->tick % WHEEL] = NULL;
	while ((t = l->now)) {
		l->now = t->next;
		if (t->due != l->tick) { /* another round */
			t->next = l->wheel[l->tick % WHEEL];
			l->wheel[l->tick % WHEEL] = t;
			continue;
		}
		t->set = false;
		step(l, t);
	}
	wire_slot(&l->wire, (unsigned)(l->tick % WIRE_SLOTS));
}

/* Every call ends within so many milliseconds; those not yet talking when they are answered. */
static void load_end(struct load *l, uint32_t within_ms)
{
	uint64_t k = 0;

	for (uint32_t i = 0; i < l->places; i++) {
		struct lcall *c = &l->call[i];

		if (!c->busy || (c->dialog.set && c->dialog.step != S_BYE))
			continue;
		timer_cancel(l, &c->dialog);
		timer_set(l, &c->dialog, S_BYE, 1 + k++ * within_ms / (l->active ? l->active : 1));
	}
	l->hold_ms = 1 + within_ms;
}

static void load_places(struct load *l, uint32_t n)
{
	l->places = n;
	l->call = calloc(n, sizeof(*l->call));
	if (!l->call)
		err(1, NULL);
	l->free_end = &l->free;
	for (uint32_t i = 0; i < n; i++) {
		*l->free_end = &l->call[i];
		l->free_end = &l->call[i].next;
	}
}

#endif
