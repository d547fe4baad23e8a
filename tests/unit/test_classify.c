/* SPDX-License-Identifier: BSD-2-Clause */
/* test_classify.c - every encapsulation and decision in user space, cut at every byte, sums balance */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/clock.h"
#include "capture/classify.h"
#include "capture/flow_internal.h"
#include "tests/frames.h"

#define TS	1700000000123456789ULL
#define IFINDEX 17

/* What the sink was given for one packet, and where that packet lay. */
struct seen {
	const uint8_t *data;
	size_t n;
	int media, signalling;
	struct optag_rec rec;
	struct optag_sig sig;
	size_t at; /* of the payload or packet in data */
};

struct env {
	struct flow_table *t;
	struct classify *c;
	struct seen seen;
	uint64_t before[OPTAG_C_MAX];
};

static size_t inside(const struct seen *s, const uint8_t *p, size_t n)
{
	assert_true(p >= s->data && n <= s->n && (size_t)(p - s->data) <= s->n - n);
	return (size_t)(p - s->data);
}

static void on_media(void *arg, const struct optag_rec *rec, const uint8_t *payload)
{
	struct seen *s = arg;

	s->media++;
	s->rec = *rec;
	s->at = inside(s, payload, rec->len);
}

static void on_signalling(void *arg, const struct optag_sig *sig, const uint8_t *packet)
{
	struct seen *s = arg;

	s->signalling++;
	s->sig = *sig;
	s->at = inside(s, packet, sig->len);
}

static void env_open(struct env *e)
{
	struct classify_sink sink = { .arg = &e->seen, .media = on_media,
				      .signalling = on_signalling };
	struct optag_config cfg;

	memset(e, 0, sizeof(*e));
	f_config(&cfg);
	assert_int_equal(flow_new(F_LINES, F_SEED, NULL, NULL, &e->t), 0);
	assert_int_equal(f_set_flows(e->t), 0);
	assert_int_equal(classify_new(&cfg, e->t, &sink, &e->c), 0);
}

static void env_close(struct env *e)
{
	classify_free(e->c);
	flow_free(e->t);
}

/* The one counter beside SEEN that moved; fails unless each moved by one. */
static enum optag_count moved(struct env *e)
{
	const uint64_t *n = classify_counts(e->c);
	int which = -1;

	assert_int_equal(n[OPTAG_C_SEEN], e->before[OPTAG_C_SEEN] + 1);
	for (int i = OPTAG_C_SEEN + 1; i < OPTAG_C_MAX; i++) {
		if (n[i] == e->before[i])
			continue;
		assert_int_equal(n[i], e->before[i] + 1);
		assert_int_equal(which, -1);
		which = i;
	}
	assert_true(which > 0);
	return (enum optag_count)which;
}

static enum optag_count feed(struct env *e, enum classify_link link, uint16_t type,
			     const uint8_t *data, size_t n, size_t wire)
{
	enum optag_count what;

	memcpy(e->before, classify_counts(e->c), sizeof(e->before));
	memset(&e->seen, 0, sizeof(e->seen));
	e->seen.data = data;
	e->seen.n = n;
	classify_packet(e->c, link, type, data, n, wire, TS, IFINDEX);
	what = moved(e);
	assert_int_equal(e->seen.media, what == OPTAG_C_AUDIO || what == OPTAG_C_EVENT || what == OPTAG_C_INSPECT);
	assert_int_equal(e->seen.signalling, what == OPTAG_C_SIG);
	return what;
}

static enum optag_count feed_frame(struct env *e, const struct frame *f)
{
	return feed(e, CLASSIFY_ETHERNET, 0, f->buf + f->start, f_len(f), f_len(f));
}

/* ---- whole frames ---- */

static void check_rec(struct env *e, const struct f_want *w)
{
	const struct optag_rec *r = &e->seen.rec;
	struct endpoint at;
	const struct optag_flow *flow;

	f_endpoint(w->family == 6, w->dport, &at);
	flow = flow_get(e->t, &at, IPPROTO_UDP, NULL);
	assert_non_null(flow);
	assert_int_equal(r->len, w->pay_len);
	assert_int_equal(r->wire_len, w->pay_len);
	assert_int_equal(e->seen.at, w->pay_off);
	assert_int_equal(r->ts_ns, TS);
	assert_int_equal(r->ring, flow->ring);
	assert_int_equal(r->gen, flow->gen);
	assert_int_equal(r->leg, flow->leg);
	assert_int_equal(r->verdict, flow->verdict);
	assert_int_equal(ntohs(r->sport), w->sport);
	assert_int_equal(ntohs(r->dport), w->dport);
	assert_memory_equal(r->src, w->src, 16);
	assert_memory_equal(r->dst, w->dst, 16);
}

static void check_sig(struct env *e, const struct f_want *w)
{
	const struct optag_sig *s = &e->seen.sig;

	assert_int_equal(s->len, w->ip_len);
	assert_int_equal(s->wire_len, w->ip_len);
	assert_int_equal(e->seen.at, w->ip_off);
	assert_int_equal(s->l4_off, w->l4_off - w->ip_off);
	assert_int_equal(s->kind, w->kind);
	assert_int_equal(s->family, w->family);
	assert_int_equal(ntohs(s->vlan), w->vlan);
	assert_int_equal(s->ifindex, IFINDEX);
	assert_int_equal(s->ts_ns, TS);
}

static void visit_whole(void *arg, const struct frame *f, const struct f_want *w)
{
	struct env *e = arg;
	enum optag_count got = feed_frame(e, f);

	if (got != w->count)
		fail_msg("%s, IPv%d, %s: counter %d instead of %d", w->encap, w->family, w->content,
			 got, w->count);
	if (got == OPTAG_C_SIG)
		check_sig(e, w);
	if (got == OPTAG_C_AUDIO || got == OPTAG_C_EVENT || got == OPTAG_C_INSPECT)
		check_rec(e, w);
}

static void test_every_frame(void **state)
{
	struct env e;
	uint64_t sum = 0;

	(void)state;
	env_open(&e);
	frames_each(visit_whole, &e);
	for (int i = OPTAG_C_SEEN + 1; i < OPTAG_C_MAX; i++)
		sum += classify_counts(e.c)[i];
	assert_int_equal(sum, classify_counts(e.c)[OPTAG_C_SEEN]);
	assert_true(sum > (uint64_t)F_ENCAPS * F_SHAPES * F_CONTENTS);
	env_close(&e);
}

/* ---- cut at every byte ---- */

/* Whether the first `cap` bytes hold all headers that the decision rests on. */
static bool decided(const struct f_want *w, size_t cap)
{
	size_t need = w->pay_off + (w->pay_len < 12 ? w->pay_len : w->head);

	if (w->kind == OPTAG_SIG_FRAG)
		need = w->pay_off; /* the fragment's end */
	return cap >= need;
}

static void check_cut(struct env *e, const struct f_want *w, enum optag_count got, size_t cap)
{
	if (decided(w, cap))
		assert_int_equal(got, w->count);
	if (got == OPTAG_C_AUDIO || got == OPTAG_C_EVENT || got == OPTAG_C_INSPECT) {
		size_t have = cap - w->pay_off;

		assert_int_equal(e->seen.rec.wire_len, w->pay_len);
		assert_int_equal(e->seen.rec.len, have < w->pay_len ? have : w->pay_len);
	}
	if (got == OPTAG_C_SIG) {
		size_t have = cap - w->ip_off;

		assert_int_equal(e->seen.sig.wire_len, w->ip_len);
		assert_int_equal(e->seen.sig.len, have < w->ip_len ? have : w->ip_len);
	}
}

/* A copy of exactly cap bytes, so that a sanitizer sees the first byte read beyond. */
static void visit_cut(void *arg, const struct frame *f, const struct f_want *w)
{
	struct env *e = arg;

	for (size_t cap = 0; cap < f_len(f); cap++) {
		uint8_t *copy = malloc(cap ? cap : 1);

		assert_non_null(copy);
		memcpy(copy, f->buf + f->start, cap);
		check_cut(e, w, feed(e, CLASSIFY_ETHERNET, 0, copy, cap, f_len(f)), cap);
		free(copy);
	}
}

static void test_cut_at_every_byte(void **state)
{
	struct env e;
	struct frame f;
	struct f_want w;

	(void)state;
	env_open(&e);
	for (int enc = 0; enc < F_ENCAPS; enc++)
		for (size_t c = 0; c < F_CONTENTS; c += 1 + (size_t)enc % 3) {
			enum f_shape s = (enum f_shape)((enc + (int)c) % F_SHAPES);

			f_build(&f, &w, (enum f_encap)enc, s, &f_contents[c]);
			visit_cut(&e, &f, &w);
			/* what went before is cut, too: only what does not rest on it */
			f_build_frag(&f, &w, (enum f_encap)enc, c & 1, &f_frags[c % F_FRAGS]);
			if (f_frags[c % F_FRAGS].first)
				visit_cut(&e, &f, &w);
		}
	env_close(&e);
}

/* ---- one field wrong ---- */

struct wrong {
	const char *name;
	enum f_shape shape;
	int from_ip; /* byte of the innermost IP header on */
	uint8_t value;
	enum optag_count want;
};

static const struct wrong wrongs[] = {
	{ "version 5", F_V4, 0, 0x55, OPTAG_C_BAD },
	{ "header of 16 bytes", F_V4, 0, 0x44, OPTAG_C_BAD },
	{ "header longer than packet", F_V4, 3, 19, OPTAG_C_BAD },
	{ "total length cuts the UDP header", F_V4, 3, 27, OPTAG_C_BAD },
	{ "total length cuts the UDP payload", F_V4, 3, 100, OPTAG_C_BAD },
	{ "GRE without bytes", F_V4, 9, 47, OPTAG_C_OTHER }, /* ports read as flags: source routes */
	{ "UDP length 7", F_V4, 25, 7, OPTAG_C_BAD },
	{ "UDP length beyond the packet", F_V4, 24, 1, OPTAG_C_BAD },
	{ "IPv6 version 4", F_V6, 0, 0x40, OPTAG_C_BAD },
	{ "IPv6 length cuts the payload", F_V6, 5, 100, OPTAG_C_BAD },
	{ "IPv6 no next header", F_V6, 6, 59, OPTAG_C_OTHER },
	{ "IPv6 length 0", F_V6, 5, 0, OPTAG_C_BAD },
	{ "hop-by-hop beyond the packet", F_V6_HBH, 41, 200, OPTAG_C_DEPTH },
	{ "hop-by-hop swallows UDP", F_V6_HBH, 41, 24, OPTAG_C_BAD },
	{ "ESP", F_V4, 9, 50, OPTAG_C_OTHER },
	{ "hop-by-hop in IPv4", F_V4, 9, 0, OPTAG_C_OTHER },
};

static void test_wrong_fields(void **state)
{
	struct env e;

	(void)state;
	env_open(&e);
	for (size_t i = 0; i < sizeof(wrongs) / sizeof(wrongs[0]); i++) {
		struct frame f;
		struct f_want w;
		enum optag_count got;

		f_build(&f, &w, F_PLAIN, wrongs[i].shape, &f_contents[0]);
		f.buf[f.start + w.ip_off + (size_t)wrongs[i].from_ip] = wrongs[i].value;
		got = feed_frame(&e, &f);
		if (got != wrongs[i].want)
			fail_msg("%s: counter %d instead of %d", wrongs[i].name, got, wrongs[i].want);
	}
	env_close(&e);
}

static void test_refused_links(void **state)
{
	static const uint16_t types[] = { 0x0026, 0x05ff, 0x0806, 0x88cc, 0x88be, 0x22eb, 0x6558 };
	struct env e;
	struct frame f;
	struct f_want w;

	(void)state;
	env_open(&e);
	f_build(&f, &w, F_PLAIN, F_V4, &f_contents[0]);
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		be16enc(f.buf + f.start + 12, types[i]);
		assert_int_equal(feed_frame(&e, &f), OPTAG_C_OTHER);
	}
	assert_int_equal(feed(&e, CLASSIFY_ETHERNET, 0, f.buf, 0, 0), OPTAG_C_BAD);
	env_close(&e);
}

/* 16 headers are walked and no more; far offsets are not looked for. */
static void test_depth(void **state)
{
	struct env e;

	(void)state;
	env_open(&e);
	for (int tags = 0; tags < 40; tags++) {
		struct frame f;
		struct f_want w;

		f_build(&f, &w, F_PLAIN, F_V4, &f_contents[0]);
		f.start += 14;
		f.type = 0x0800;
		for (int i = 0; i < tags; i++)
			f_vlan(&f, 0x8100, 5);
		f_eth(&f, 2);
		/* Ethernet, tags, IP, UDP */
		assert_int_equal(feed_frame(&e, &f),
				 tags + 3 <= OPTAG_MAX_DEPTH ? OPTAG_C_AUDIO : OPTAG_C_DEPTH);
	}
	env_close(&e);
}

static void test_other_links(void **state)
{
	struct env e;
	struct frame f;
	struct f_want w;

	(void)state;
	env_open(&e);
	for (int s = 0; s < F_SHAPES; s++) {
		bool v6 = f_shape_v6((enum f_shape)s);
		const uint8_t *p;
		size_t n;

		f_build(&f, &w, F_PLAIN, (enum f_shape)s, &f_contents[0]);
		p = f.buf + f.start + 14;
		n = f_len(&f) - 14;
		assert_int_equal(feed(&e, CLASSIFY_IP, 0, p, n, n), OPTAG_C_AUDIO);
		assert_int_equal(e.seen.at, w.pay_off - 14);
		assert_int_equal(feed(&e, CLASSIFY_IPV4, 0, p, n, n),
				 v6 ? OPTAG_C_BAD : OPTAG_C_AUDIO);
		assert_int_equal(feed(&e, CLASSIFY_IPV6, 0, p, n, n),
				 v6 ? OPTAG_C_AUDIO : OPTAG_C_BAD);
		assert_int_equal(feed(&e, CLASSIFY_ETHERTYPE, v6 ? 0x86dd : 0x0800, p, n, n),
				 OPTAG_C_AUDIO);
		assert_int_equal(feed(&e, CLASSIFY_ETHERTYPE, 0x0806, p, n, n), OPTAG_C_OTHER);
		f_vlan(&f, 0x8100, 5);
		assert_int_equal(feed(&e, CLASSIFY_IP, 0, p + n, 0, 0), OPTAG_C_BAD);
	}
	env_close(&e);
}

/* ERSPAN may carry a frame cut short: the inner length reaches past the outer one. */
static void test_inner_longer_than_outer(void **state)
{
	struct env e;
	struct frame f;
	struct f_want w;
	uint8_t *ip;

	(void)state;
	env_open(&e);
	f_build(&f, &w, F_ERSPAN2, F_V4, &f_contents[0]);
	ip = f.buf + f.start + 14;
	be16enc(ip + 2, (uint16_t)(w.pay_off - 14 + 80)); /* outer ends 80 bytes into the payload */
	assert_int_equal(feed_frame(&e, &f), OPTAG_C_AUDIO);
	assert_int_equal(e.seen.rec.wire_len, 172);
	assert_int_equal(e.seen.rec.len, 80);
	assert_int_equal(e.seen.at, w.pay_off);
	env_close(&e);
}

static void test_long_payload_is_cut(void **state)
{
	static uint8_t frame[14 + 20 + 8 + 9000];
	uint8_t *ip = frame + 14, *udp = ip + 20;
	struct env e;

	(void)state;
	env_open(&e);
	be16enc(frame + 12, 0x0800);
	ip[0] = 0x45;
	be16enc(ip + 2, 20 + 8 + 9000);
	ip[9] = IPPROTO_UDP;
	be32enc(ip + 16, F_DST4);
	be16enc(udp + 2, F_P_RECORD);
	be16enc(udp + 4, 8 + 9000);
	udp[8] = 0x80;
	assert_int_equal(feed(&e, CLASSIFY_ETHERNET, 0, frame, sizeof(frame), sizeof(frame)),
			 OPTAG_C_AUDIO);
	assert_int_equal(e.seen.rec.len, OPTAG_MAX_PAYLOAD);
	assert_int_equal(e.seen.rec.wire_len, 9000);
	env_close(&e);
}

/* ---- counters per flow, verdicts that change, fragments ---- */

static const struct f_content *f_content(const char *name)
{
	for (size_t i = 0; i < F_CONTENTS; i++)
		if (!strcmp(f_contents[i].name, name))
			return &f_contents[i];
	fail_msg("%s", name);
	return NULL;
}

static void test_flow_counters(void **state)
{
	struct env e;
	struct frame f;
	struct f_want w;
	struct endpoint at;
	struct optag_flow_stats s;

	(void)state;
	env_open(&e);
	f_endpoint(false, F_P_GATE, &at);
	f_build(&f, &w, F_PLAIN, F_V4, f_content("gate audio"));
	assert_int_equal(feed_frame(&e, &f), OPTAG_C_GATE);
	assert_int_equal(feed_frame(&e, &f), OPTAG_C_GATE);
	assert_int_equal(flow_set_verdict(e.t, &at, IPPROTO_UDP, 0x1002, OPTAG_V_RECORD), 0);
	assert_int_equal(feed_frame(&e, &f), OPTAG_C_AUDIO);
	assert_int_equal(e.seen.rec.verdict, OPTAG_V_RECORD);
	f_build(&f, &w, F_PLAIN, F_V4, f_content("gate te1"));
	assert_int_equal(feed_frame(&e, &f), OPTAG_C_EVENT);
	assert_int_equal(flow_set_verdict(e.t, &at, IPPROTO_UDP, 0x1002, OPTAG_V_BLOCK), 0);
	assert_int_equal(feed_frame(&e, &f), OPTAG_C_BLOCK);
	assert_non_null(flow_get(e.t, &at, IPPROTO_UDP, &s));
	assert_int_equal(s.passed, 1);
	assert_int_equal(s.events, 1);
	assert_int_equal(s.blocked, 3);
	assert_int_equal(s.lost, 0);
	assert_int_equal(flow_clear(e.t, &at, IPPROTO_UDP, 0x1002), 0);
	assert_int_equal(feed_frame(&e, &f), OPTAG_C_MISS);
	env_close(&e);
}

/* A loss in what is dropped by verdict shows: the longest hole of one stream, whatever lets packets pass or not. */
static void test_holes(void **state)
{
	static const struct {
		uint16_t seq;
		uint32_t ssrc;
		uint8_t pt;
		unsigned hole; /* afterwards */
	} c[] = {
		{ 65533, 7, 8, 0 }, { 65534, 7, 8, 0 },
		{ 65534, 7, 8, 0 },	   /* the SPAN port's second copy */
		{ 65535, 7, F_TE1, 0 },	   /* a key press has its numbers among the others */
		{ 0, 7, 8, 0 }, { 2, 7, 8, 1 },
		{ 1, 7, 8, 1 },		   /* late: as it is it was a hole */
		{ 3, 7, 8, 1 }, { 7, 7, 8, 3 }, { 9, 7, 8, 3 }, /* a shorter one changes nothing */
		{ 40000, 7, 8, 3 },	   /* another beginning */
		{ 40001, 7, 8, 3 }, { 39002, 7, 8, 3 }, { 40002, 7, 8, 3 },
		{ 500, 0x01020304, 8, 3 }, /* another stream */
		{ 501, 0x01020304, 8, 3 }, { 507, 0x01020304, 8, 5 },
		{ 3507, 0x01020304, 8, 255 }, /* as long as holes are told */
		{ 6508, 0x01020304, 8, 255 }, { 6509, 0x01020304, 8, 255 },
	};
	static const uint16_t port[] = { F_P_BLOCK, F_P_GATE, F_P_RECORD, F_P_INSPECT };
	static const uint32_t ring[] = { 0x1003, 0x1002, 0x1001, 0x1005 };
	struct optag_flow_stats s;
	struct endpoint at;
	struct frame f;
	struct env e;

	(void)state;
	env_open(&e);
	for (size_t v = 0; v < 4; v++) {
		f_endpoint(false, port[v], &at);
		assert_int_equal(flow_take_hole(e.t, &at, IPPROTO_UDP, ring[v]), 0);
		for (size_t i = 0; i < sizeof(c) / sizeof(c[0]); i++) {
			f_rtp(&f, port[v], c[i].pt, c[i].seq, c[i].ssrc);
			feed_frame(&e, &f);
			assert_non_null(flow_get(e.t, &at, IPPROTO_UDP, &s));
			assert_int_equal(s.hole, c[i].hole);
			assert_int_equal(s.passed + s.events + s.blocked, i + 1);
		}
		/* taken once, and another's is not taken */
		assert_int_equal(flow_take_hole(e.t, &at, IPPROTO_UDP, 77), 0);
		assert_int_equal(flow_take_hole(e.t, &at, IPPROTO_UDP, ring[v]), 255);
		assert_int_equal(flow_take_hole(e.t, &at, IPPROTO_UDP, ring[v]), 0);
		f_rtp(&f, port[v], 8, 6512, 0x01020304);
		feed_frame(&e, &f);
		assert_int_equal(flow_take_hole(e.t, &at, IPPROTO_UDP, ring[v]), 2);
	}
	/* another owner's is none of the next one's */
	f_rtp(&f, F_P_GATE, 8, 6532, 0x01020304);
	feed_frame(&e, &f);
	f_endpoint(false, F_P_GATE, &at);
	assert_int_equal(flow_set(e.t, &at, &(struct flow_rule){ .verdict = OPTAG_V_GATE, .te = { OPTAG_NO_PT, OPTAG_NO_PT },
								  .proto = IPPROTO_UDP, .ring = 99 }, NULL), 0);
	f_rtp(&f, F_P_GATE, 8, 6552, 0x01020304);
	feed_frame(&e, &f);
	assert_int_equal(flow_take_hole(e.t, &at, IPPROTO_UDP, 99), 0);
	env_close(&e);
}

/* A datagram's fragments, one after the other; each row's id is its own. */
static enum optag_count fragment(struct env *e, uint16_t id, const struct f_frag *c, uint64_t ts_ns)
{
	struct frame f;
	struct f_want w;

	f_build_frag(&f, &w, F_PLAIN, false, c);
	be16enc(f.buf + f.start + w.ip_off + 4, id);
	memcpy(e->before, classify_counts(e->c), sizeof(e->before));
	e->seen.data = f.buf + f.start;
	e->seen.n = f_len(&f);
	classify_packet(e->c, CLASSIFY_ETHERNET, 0, f.buf + f.start, f_len(&f), f_len(&f), ts_ns, IFINDEX);
	return moved(e);
}

/* Later fragments follow their first for a while and no other datagram's; a loss is the flow's, too. */
static void test_fragments(void **state)
{
	static const struct f_frag sip = F_FIRST(F_P_SIP, "INVITE sip:x SIP/2.0\r\n", OPTAG_C_SIG),
				   rtp = F_FIRST(F_P_RECORD, NULL, OPTAG_C_FRAG_LOST),
				   gated = F_FIRST(F_P_GATE, NULL, OPTAG_C_GATE),
				   later = F_LATER(IPPROTO_UDP, OPTAG_C_FRAG), tcp = F_LATER(IPPROTO_TCP, OPTAG_C_FRAG);
	struct optag_flow_stats s;
	struct endpoint at;
	struct env e;

	(void)state;
	env_open(&e);
	for (uint16_t id = 1; id <= 3; id++)
		assert_int_equal(fragment(&e, id, &sip, TS + id), OPTAG_C_SIG);
	for (uint16_t id = 0; id <= 4; id++)
		assert_int_equal(fragment(&e, id, &later, TS + 9), id == 0 || id == 4 ? OPTAG_C_FRAG : OPTAG_C_SIG);
	assert_int_equal(fragment(&e, 1, &tcp, TS + 9), OPTAG_C_FRAG);
	assert_int_equal(fragment(&e, 2, &rtp, TS + 9), OPTAG_C_FRAG_LOST);
	assert_int_equal(fragment(&e, 2, &later, TS + 9), OPTAG_C_FRAG);
	assert_int_equal(fragment(&e, 3, &later, TS + 2 + OPTAG_FRAG_NS), OPTAG_C_SIG);
	assert_int_equal(fragment(&e, 3, &later, TS + 3 + OPTAG_FRAG_NS), OPTAG_C_FRAG);
	assert_int_equal(fragment(&e, 1, &later, TS - NS_PER_S), OPTAG_C_SIG); /* another file */
	assert_int_equal(fragment(&e, 5, &gated, TS), OPTAG_C_GATE);
	assert_int_equal(e.seen.media, 0);
	f_endpoint(false, F_P_RECORD, &at);
	assert_non_null(flow_get(e.t, &at, IPPROTO_UDP, &s));
	assert_true(s.lost == 1 && s.passed + s.events + s.blocked == 0);
	f_endpoint(false, F_P_GATE, &at);
	assert_non_null(flow_get(e.t, &at, IPPROTO_UDP, &s));
	assert_true(s.blocked == 1 && s.passed + s.events + s.lost == 0);
	env_close(&e);
}

static void test_other_abi(void **state)
{
	struct classify_sink sink = { 0 };
	struct optag_config cfg;
	struct flow_table *t;
	struct classify *c = NULL;

	(void)state;
	f_config(&cfg);
	cfg.abi = OPTAG_ABI + 1;
	assert_int_equal(flow_new(F_LINES, F_SEED, NULL, NULL, &t), 0);
	assert_int_equal(classify_new(&cfg, t, &sink, &c), -EINVAL);
	assert_null(c);
	flow_free(t);
}

/* ---- plain packets ---- */

struct plain {
	unsigned yes, no;
};

/* Padding and view alike, so that two structures can be compared as memory. */
static void plain_and_walk(struct plain *c, const uint8_t *frame, size_t n)
{
	struct optag_pkt p = { .data = frame, .end = frame + n, .avail = (uint32_t)n }, q = p;
	struct optag_view v, w;
	const uint8_t *payload;

	memset(&v, 0, sizeof(v));
	memset(&w, 0, sizeof(w));
	payload = optag_plain(&p, &v);
	if (!payload) {
		c->no++;
		assert_memory_equal(&p, &q, sizeof(p));
		return;
	}
	c->yes++;
	assert_int_equal(optag_walk(&q, &w, OPTAG_N_ETH), OPTAG_N_UDP);
	assert_ptr_equal(payload, frame + w.pay_off);
	assert_memory_equal(&v, &w, sizeof(v));
	assert_memory_equal(&p, &q, sizeof(p));
	assert_true(w.pay_len >= 12 && p.avail == w.pay_off + w.pay_len && p.avail <= n);
}

static void visit_plain(void *arg, const struct frame *f, const struct f_want *w)
{
	const uint8_t *p = f->buf + f->start;
	size_t n = f_len(f);
	uint8_t *copy;

	(void)w;
	plain_and_walk(arg, p, n);
	/* each cut in memory of its own, and each byte of the headers another */
	for (size_t cut = 1; cut < n; cut += 7) {
		copy = malloc(cut);
		assert_non_null(copy);
		memcpy(copy, p, cut);
		plain_and_walk(arg, copy, cut);
		free(copy);
	}
	copy = malloc(n);
	assert_non_null(copy);
	memcpy(copy, p, n);
	for (size_t i = 12; i < 90 && i < n; i++)
		for (int bit = 0; bit < 8; bit += 3) {
			copy[i] ^= (uint8_t)(1 << bit);
			plain_and_walk(arg, copy, n);
			copy[i] ^= (uint8_t)(1 << bit);
		}
	free(copy);
}

/* Whatever the short way takes, the walk takes too, and comes to the same view. */
static void test_plain_is_the_walk(void **state)
{
	struct plain c = { 0, 0 };

	(void)state;
	frames_each(visit_plain, &c);
	assert_true(c.yes > 1000 && c.no > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_frame),
		cmocka_unit_test(test_cut_at_every_byte),
		cmocka_unit_test(test_wrong_fields),
		cmocka_unit_test(test_refused_links),
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_other_links),
		cmocka_unit_test(test_inner_longer_than_outer),
		cmocka_unit_test(test_long_payload_is_cut),
		cmocka_unit_test(test_flow_counters),
		cmocka_unit_test(test_holes),
		cmocka_unit_test(test_fragments),
		cmocka_unit_test(test_other_abi),
		cmocka_unit_test(test_plain_is_the_walk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
