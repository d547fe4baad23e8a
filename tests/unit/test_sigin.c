/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_sigin.c - packets to messages: datagrams, fragments, streams
 *
 * Every scenario ends in one line of what came out ("1 2 3!" = Call-IDs in order,
 * ! cut short, L learned) and the counters it names.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/le.h"
#include "optag.h"
#include "sip/sigin.h"

#define N	 "\r\n"
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static char out[4096];
static struct sigin_from last;
static struct sigin *in;
static struct sigin_stats st;
static uint64_t now;

static void say(const char *text, size_t n, const char *mark)
{
	size_t at = strlen(out);

	assert_true(at + n + 4 < sizeof(out));
	snprintf(out + at, sizeof(out) - at, "%s%.*s%s", at ? " " : "", (int)n, text, mark);
}

static void on_message(void *arg, const struct sigin_from *from, const struct sip_msg *m)
{
	(void)arg;
	last = *from;
	say(m->call_id.p, m->call_id.n, m->body_cut ? "!" : "");
}

static void on_learned(void *arg, const struct endpoint *a, const struct endpoint *b)
{
	char text[32];

	(void)arg;
	say(text, (size_t)sprintf(text, "L%u-%u", a->port, b->port), "");
}

static void start_with(const struct sigin_limits *l)
{
	static const struct sigin_sink sink = { NULL, on_message, on_learned };

	sigin_free(in);
	in = NULL;
	out[0] = 0;
	now = 1000 * NS_PER_S;
	assert_int_equal(sigin_new(l, NULL, &sink, &in), 0);
}

static void start(void)
{
	struct sigin_limits l;

	sigin_default_limits(&l);
	start_with(&l);
}

/* What came out, then cleared; the counters are taken as well. */
#define CAME(want)                            \
	do {                                  \
		assert_string_equal(out, want); \
		out[0] = 0;                   \
		sigin_get_stats(in, &st);     \
	} while (0)

/* ---- packets ---- */

struct ends {
	int family;
	uint8_t src, dst; /* last octets */
	uint16_t sport, dport;
	uint16_t vlan;
};
static const struct ends v4 = { 4, 1, 2, 5060, 5070, 0 }, v6 = { 6, 1, 2, 5060, 5070, 0 };

/* Hands a packet over from memory of exactly its size. */
static void give(uint8_t kind, uint16_t vlan, const uint8_t *p, size_t n, size_t wire)
{
	struct optag_sig sig = { .len = (uint32_t)n, .wire_len = (uint32_t)wire, .ts_ns = now, .kind = kind,
				 .family = p[0] >> 4, .vlan = htons(vlan), .ifindex = 3 };
	uint8_t *exact = malloc(n ? n : 1);

	assert_non_null(exact);
	memcpy(exact, p, n);
	sigin_packet(in, &sig, exact);
	free(exact);
}

static size_t ip(uint8_t *h, const struct ends *e, uint8_t proto, size_t n)
{
	memset(h, 0, 40);
	if (e->family == 4) {
		h[0] = 0x45;
		be16enc(h + 2, (uint16_t)(20 + n));
		h[8] = 64;
		h[9] = proto;
		memcpy(h + 12, (uint8_t[]){ 192, 0, 2, e->src, 192, 0, 2, e->dst }, 8);
		return 20;
	}
	h[0] = 0x60;
	be16enc(h + 4, (uint16_t)n);
	h[6] = proto;
	h[7] = 64;
	be16enc(h + 8, 0x2001);
	be16enc(h + 24, 0x2001);
	h[23] = e->src;
	h[39] = e->dst;
	return 40;
}

static size_t udp_bytes(uint8_t *p, const struct ends *e, const void *text, size_t n)
{
	be16enc(p, e->sport);
	be16enc(p + 2, e->dport);
	be16enc(p + 4, (uint16_t)(8 + n));
	be16enc(p + 6, 0);
	memcpy(p + 8, text, n);
	return 8 + n;
}

static uint8_t pkt[66000];

static size_t udp_packet(const struct ends *e, const void *text, size_t n)
{
	size_t at = ip(pkt, e, IPPROTO_UDP, 8 + n);

	return at + udp_bytes(pkt + at, e, text, n);
}

static void udp(const struct ends *e, const char *text)
{
	size_t n = udp_packet(e, text, strlen(text));

	give(OPTAG_SIG_UDP, e->vlan, pkt, n, n);
}

enum { FIN = 1, SYN = 2, RST = 4, ACK = 16 };

static void tcp_cut(const struct ends *e, uint32_t seq, int flags, const char *text, size_t n, size_t cut)
{
	size_t at = ip(pkt, e, IPPROTO_TCP, 20 + n + cut);

	memset(pkt + at, 0, 20);
	be16enc(pkt + at, e->sport);
	be16enc(pkt + at + 2, e->dport);
	be32enc(pkt + at + 4, seq);
	pkt[at + 12] = 5 << 4;
	pkt[at + 13] = (uint8_t)flags;
	memcpy(pkt + at + 20, text, n);
	give(OPTAG_SIG_TCP, e->vlan, pkt, at + 20 + n, at + 20 + n + cut);
}

static void tcp(const struct ends *e, uint32_t seq, int flags, const char *text, size_t n)
{
	tcp_cut(e, seq, flags, text, n, 0);
}

/* One fragment: n bytes at p, for offset `off` of the IP payload. */
static void fragment_of(const struct ends *e, uint32_t id, const uint8_t *p, size_t off, size_t n, bool more)
{
	uint8_t f[2100];
	size_t at = ip(f, e, e->family == 4 ? IPPROTO_UDP : IPPROTO_FRAGMENT, n + (e->family == 4 ? 0 : 8));

	if (e->family == 4) {
		be16enc(f + 4, (uint16_t)id);
		be16enc(f + 6, (uint16_t)(off / 8 | (more ? 0x2000 : 0)));
	} else {
		memset(f + at, 0, 8);
		f[at] = IPPROTO_UDP;
		be16enc(f + at + 2, (uint16_t)(off | more));
		be32enc(f + at + 4, id);
		at += 8;
	}
	memcpy(f + at, p, n);
	give(OPTAG_SIG_FRAG, e->vlan, f, at + n, at + n);
}

static void fragment(const struct ends *e, uint32_t id, const uint8_t *p, size_t off, size_t n, bool more)
{
	fragment_of(e, id, p + off, off, n, more);
}

#define MSG(id)	     "BYE sip:b@h SIP/2.0" N "i: " id N "f: <sip:a@h>;tag=1" N "t: <sip:b@h>" N "CSeq: 2 BYE" N "l: 8" N N "b" N "x" N N
#define REPLY(id)    "SIP/2.0 200 OK" N "i: " id N "f: <sip:a@h>;tag=1" N "t: <sip:b@h>" N "CSeq: 2 BYE" N "l: 0" N N
#define REFUSED(id)  "BYE sip:b@h SIP/2.0" N "i: " id N "l: 3" N N "bod"

/* ---- datagrams ---- */

static void datagrams(void **state)
{
	(void)state;
	start();
	udp(&v4, MSG("1"));
	udp(&v6, MSG("2"));
	udp(&v4, N N MSG("3"));
	udp(&v4, MSG("4") "what follows the body");
	udp(&v4, "HELLO");
	udp(&v4, "");
	udp(&v4, N N N N);
	udp(&v4, "\x01" MSG("5"));
	udp(&v4, REFUSED("6"));
	udp(&v4, "SIP/3.0 200 OK" N N);
	CAME("1 2 3 4");
	assert_true(st.packets == 10 && st.messages == 4 && st.not_sip == 4 && st.bad_messages == 2);
	assert_int_equal(st.bad_packets, 0);
}

static void where_from(void **state)
{
	struct ends e = { 4, 7, 8, 5061, 5062, 99 };
	char text[IPADDR_TEXT];

	(void)state;
	start();
	udp(&e, MSG("1"));
	ipaddr_format(&last.src.addr, text);
	assert_string_equal(text, "192.0.2.7");
	assert_true(last.src.port == 5061 && last.dst.port == 5062 && last.vlan == 99 && last.ifindex == 3);
	assert_true(!last.tcp && last.ts_ns == now);
	tcp(&v6, 1, ACK, MSG("2"), strlen(MSG("2")));
	ipaddr_format(&last.dst.addr, text);
	assert_string_equal(text, "2001::2");
	assert_true(last.tcp && last.dst.port == 5070);
}

/* A datagram cut by the capture at every byte: never a byte beyond, cut when taken. */
static void truncated(void **state)
{
	size_t all = udp_packet(&v4, MSG("1"), strlen(MSG("1")));
	size_t body = all - 6;

	(void)state;
	start();
	for (size_t n = 0; n <= all; n++) {
		udp_packet(&v4, MSG("1"), strlen(MSG("1")));
		give(OPTAG_SIG_UDP, 0, pkt, n, all);
		if (n == all)
			assert_string_equal(out, "1");
		else if (n >= body)
			assert_string_equal(out, "1!");
		else
			assert_true(!out[0] || !strcmp(out, "1!"));
		out[0] = 0;
	}
	sigin_get_stats(in, &st);
	assert_int_equal(st.bad_packets, all);
}

static void lying_lengths(void **state)
{
	size_t n;

	(void)state;
	start();
	n = udp_packet(&v4, MSG("1"), strlen(MSG("1")));
	give(OPTAG_SIG_UDP, 0, pkt, n + 9, n + 9); /* Ethernet padding */
	CAME("1");
	assert_int_equal(st.bad_packets, 0);
	n = udp_packet(&v4, MSG("0"), strlen(MSG("0")));
	be16enc(pkt + 2, 0); /* left to the network card: the record's length counts */
	give(OPTAG_SIG_UDP, 0, pkt, n, n);
	CAME("0");
	assert_int_equal(st.bad_packets, 0);
	n = udp_packet(&v4, MSG("2"), strlen(MSG("2")));
	be16enc(pkt + 24, (uint16_t)(n - 20 + 1)); /* UDP longer than IP */
	give(OPTAG_SIG_UDP, 0, pkt, n, n);
	be16enc(pkt + 24, 7);
	give(OPTAG_SIG_UDP, 0, pkt, n, n);
	be16enc(pkt + 24, (uint16_t)(n - 20));
	be16enc(pkt + 2, 19); /* IP shorter than its header */
	give(OPTAG_SIG_UDP, 0, pkt, n, n);
	be16enc(pkt + 2, (uint16_t)n);
	pkt[0] = 0x44; /* 16 bytes of header */
	give(OPTAG_SIG_UDP, 0, pkt, n, n);
	pkt[0] = 0x4f; /* 60: UDP begins elsewhere, in text */
	give(OPTAG_SIG_UDP, 0, pkt, n, n);
	pkt[0] = 0x55; /* version 5 */
	give(OPTAG_SIG_UDP, 0, pkt, n, n);
	CAME("");
	assert_int_equal(st.bad_packets, 6);
	n = udp_packet(&v6, MSG("3"), strlen(MSG("3")));
	pkt[6] = IPPROTO_DSTOPTS; /* the UDP header read as options: 5060 says 1576 bytes */
	give(OPTAG_SIG_UDP, 0, pkt, n, n);
	be16enc(pkt + 2, 0);
	tcp(&v4, 1, ACK, "x", 1);
	pkt[20 + 12] = 4 << 4; /* TCP header of 16 bytes */
	give(OPTAG_SIG_TCP, 0, pkt, 41, 41);
	pkt[20 + 12] = 15 << 4; /* of 60 in 21 */
	give(OPTAG_SIG_TCP, 0, pkt, 41, 41);
	CAME("");
	assert_int_equal(st.bad_packets, 9);
}

static void v6_extensions(void **state)
{
	static const uint8_t opts[] = { IPPROTO_DSTOPTS, 0, 1, 4, 0, 0, 0, 0, IPPROTO_FRAGMENT, 0, 1, 4, 0, 0, 0, 0,
					IPPROTO_UDP, 0, 0, 0, 0, 0, 0, 9 };
	const char *text = MSG("1");
	size_t at, n = strlen(text);

	(void)state;
	start();
	at = ip(pkt, &v6, IPPROTO_HOPOPTS, sizeof(opts) + 8 + n);
	memcpy(pkt + at, opts, sizeof(opts)); /* the last is an atomic fragment (RFC 6946) */
	at += sizeof(opts);
	at += udp_bytes(pkt + at, &v6, text, n);
	give(OPTAG_SIG_FRAG, 0, pkt, at, at);
	CAME("1");
	assert_true(st.frags == 0 && st.bad_packets == 0);
	for (size_t cut = 40; cut < 40 + sizeof(opts); cut++)
		give(OPTAG_SIG_FRAG, 0, pkt, cut, at);
	CAME("");
	assert_int_equal(st.bad_packets, sizeof(opts));
}

/* ---- fragments ---- */

static uint8_t whole[4000];

static void fragment_sizes(void **state)
{
	const struct ends *both[] = { &v4, &v6 };

	(void)state;
	for (size_t f = 0; f < 2; f++) {
		size_t n = udp_bytes(whole, both[f], MSG("1"), strlen(MSG("1")));

		for (size_t size = 8; size < n; size += 8) {
			start();
			for (int backwards = 0; backwards < 2; backwards++) {
				size_t count = (n + size - 1) / size;

				for (size_t k = 0; k < count; k++) {
					size_t off = (backwards ? count - 1 - k : k) * size;
					size_t len = n - off < size ? n - off : size;

					assert_string_equal(out, "");
					fragment(both[f], 7, whole, off, len, off + len < n);
				}
				CAME("1");
			}
			assert_true(st.frag_done == 2 && !st.frag_overlap && !st.bad_packets && !st.frag_full);
		}
	}
}

static void fragment_order(void **state)
{
	size_t n = udp_bytes(whole, &v4, MSG("1"), strlen(MSG("1"))), q = 32;

	(void)state;
	/* all orders of four pieces, each piece given twice */
	for (unsigned order = 0; order < 256; order++) {
		unsigned seen = 0;

		for (unsigned i = 0; i < 4; i++)
			seen |= 1u << (order >> 2 * i & 3);
		if (seen != 15)
			continue;
		start();
		for (unsigned i = 0; i < 4; i++) {
			size_t k = order >> 2 * i & 3, off = k * q;

			for (int twice = 0; twice < (i < 3 ? 2 : 1); twice++)
				fragment(&v4, 7, whole, off, k == 3 ? n - off : q, k != 3);
		}
		CAME("1");
		assert_true(st.frag_overlap == 0 && st.frags == 7);
	}
}

static void fragment_attacks(void **state)
{
	size_t n = udp_bytes(whole, &v4, MSG("1"), strlen(MSG("1")));
	uint8_t other[4000];

	(void)state;
	memcpy(other, whole, n);
	other[40] ^= 1;
	start();
	fragment(&v4, 1, whole, 0, 48, true); /* partly over it */
	fragment(&v4, 1, whole, 40, 16, true);
	fragment(&v4, 1, whole, 48, n - 48, false); /* the rest does not revive it */
	fragment(&v4, 1, whole, 0, 48, true);
	CAME("");
	assert_int_equal(st.frag_overlap, 1);
	fragment(&v4, 2, whole, 0, 48, true); /* the same place, other bytes */
	fragment(&v4, 2, other, 0, 48, true);
	fragment(&v4, 2, whole, 48, n - 48, false);
	CAME("");
	assert_int_equal(st.frag_overlap, 2);
	fragment(&v4, 3, whole, 48, n - 48, false); /* two ends */
	fragment(&v4, 3, whole, 40, 8, false);
	fragment(&v4, 3, whole, 0, 40, true);
	CAME("");
	assert_int_equal(st.frag_overlap, 3);
	fragment(&v4, 4, whole, 48, 16, false); /* something behind the end */
	fragment(&v4, 4, whole, 64, 8, true);
	CAME("");
	assert_int_equal(st.frag_overlap, 4);
	fragment(&v4, 5, whole, 48, 16, true); /* an end before what is there */
	fragment(&v4, 5, whole, 8, 16, false);
	CAME("");
	assert_int_equal(st.frag_overlap, 5);
	fragment(&v4, 6, whole, 0, 12, true); /* not a multiple of 8 */
	fragment(&v4, 6, whole, 8, 0, true);
	CAME("");
	assert_int_equal(st.bad_packets, 2);
	fragment_of(&v4, 7, whole, 65528, 16, false); /* past 65535 */
	CAME("");
	assert_int_equal(st.bad_packets, 3);
}

static void fragment_keys(void **state)
{
	size_t n = udp_bytes(whole, &v4, MSG("1"), strlen(MSG("1")));
	struct ends other_host = v4, other_vlan = v4;

	(void)state;
	other_host.src = 9;
	other_vlan.vlan = 5;
	start();
	fragment(&v4, 1, whole, 0, 48, true);
	fragment(&other_host, 1, whole, 48, n - 48, false);
	fragment(&other_vlan, 1, whole, 48, n - 48, false);
	fragment(&v4, 2, whole, 48, n - 48, false);
	CAME("");
	fragment(&v4, 1, whole, 48, n - 48, false);
	fragment(&v4, 2, whole, 0, 48, true);
	fragment(&other_vlan, 1, whole, 0, 48, true);
	fragment(&other_host, 1, whole, 0, 48, true);
	CAME("1 1 1 1");
}

static void fragment_times(void **state)
{
	size_t n = udp_bytes(whole, &v4, MSG("1"), strlen(MSG("1")));

	(void)state;
	start();
	fragment(&v4, 1, whole, 0, 48, true);
	now += 30 * NS_PER_S;
	fragment(&v4, 1, whole, 48, n - 48, false);
	CAME("1"); /* just in time */
	fragment(&v4, 1, whole, 0, 48, true);
	now += 30 * NS_PER_S + 1;
	fragment(&v4, 1, whole, 48, n - 48, false);
	CAME("");
	assert_int_equal(st.frag_timeout, 1);
	now -= 600 * NS_PER_S; /* time stamps that go back time nothing out */
	fragment(&v4, 1, whole, 0, 48, true);
	CAME("1");
	fragment(&v4, 1, whole, 0, 48, true);
	sigin_tick(in, UINT64_MAX);
	CAME("");
	assert_int_equal(st.frag_timeout, 2);
}

static void fragment_bounds(void **state)
{
	size_t n = udp_bytes(whole, &v4, MSG("1"), strlen(MSG("1")));
	struct sigin_limits l;

	(void)state;
	sigin_default_limits(&l);
	l.frag_packets = 4;
	l.frag_bytes = 1000;
	start_with(&l);
	for (uint32_t id = 1; id <= 5; id++)
		fragment(&v4, id, whole, 0, 48, true);
	for (uint32_t id = 5; id >= 1; id--)
		fragment(&v4, id, whole, 48, n - 48, false);
	CAME("1 1 1 1"); /* 1 was the oldest when 5 came */
	assert_int_equal(st.frag_full, 1);
	fragment(&v4, 9, whole, 992, 16, true);
	CAME("");
	assert_int_equal(st.frag_full, 2);
	start(); /* as many holes as nobody needs */
	for (size_t off = 0; off < 16 * 100; off += 16)
		fragment(&v4, 1, whole, off, 8, true);
	CAME("");
	assert_int_equal(st.frag_full, 1);
}

static void fragments_of_others(void **state)
{
	size_t n;

	(void)state;
	start();
	memset(whole, 0x80, 600);
	n = udp_bytes(whole, &v4, whole + 600, 500);
	fragment(&v4, 1, whole, 0, 256, true);
	fragment(&v4, 1, whole, 256, n - 256, false);
	CAME(""); /* not SIP */
	assert_int_equal(st.not_sip, 1);
	n = udp_bytes(whole, &v6, REFUSED("1"), strlen(REFUSED("1")));
	fragment(&v6, 1, whole, 0, 24, true);
	fragment(&v6, 1, whole, 24, n - 24, false);
	CAME("");
	assert_int_equal(st.bad_messages, 1);
	/* the UDP header says more than all fragments hold */
	n = udp_bytes(whole, &v4, MSG("1"), strlen(MSG("1")));
	be16enc(whole + 4, (uint16_t)(n + 8));
	fragment(&v4, 2, whole, 0, 48, true);
	fragment(&v4, 2, whole, 48, n - 48, false);
	CAME("");
	assert_int_equal(st.bad_packets, 1);
}

/* A TCP segment that came in IPv6 fragments reaches the stream. */
static void fragmented_tcp(void **state)
{
	uint8_t seg[1000], f[1000];
	size_t n = strlen(MSG("1")), at;

	(void)state;
	start();
	memset(seg, 0, 20);
	be16enc(seg, 5060);
	be16enc(seg + 2, 5070);
	be32enc(seg + 4, 1);
	seg[12] = 5 << 4;
	memcpy(seg + 20, MSG("1"), n);
	for (size_t off = 0; off < n + 20; off += 64) {
		size_t len = n + 20 - off < 64 ? n + 20 - off : 64;

		at = ip(f, &v6, IPPROTO_FRAGMENT, 8 + len);
		memset(f + at, 0, 8);
		f[at] = IPPROTO_TCP;
		be16enc(f + at + 2, (uint16_t)(off | (off + len < n + 20)));
		f[at + 7] = 5;
		memcpy(f + at + 8, seg + off, len);
		give(OPTAG_SIG_FRAG, 0, f, at + 8 + len, at + 8 + len);
	}
	CAME("L5060-5070 1");
	assert_true(last.tcp);
}

/* ---- streams ---- */

#define THREE MSG("1") N N MSG("2") MSG("3")

static void split_anywhere(void **state)
{
	static const char text[] = THREE;
	size_t all = sizeof(text) - 1;

	(void)state;
	for (size_t k = 1; k < all; k++) {
		start();
		tcp(&v4, 99, SYN, "", 0);
		tcp(&v4, 100, ACK, text, k);
		tcp(&v4, 100 + (uint32_t)k, ACK, text + k, all - k);
		CAME("L5060-5070 1 2 3");
		assert_true(st.tcp_segments == 2 && st.messages == 3 && !st.not_sip && !st.tcp_gap);
	}
	start();
	tcp(&v4, 99, SYN, "", 0);
	for (size_t i = 0; i < all; i++)
		tcp(&v4, 100 + (uint32_t)i, ACK, text + i, 1);
	CAME("L5060-5070 1 2 3");
	start(); /* whole, with data in the SYN (RFC 7413) */
	tcp(&v4, 99, SYN, text, all);
	CAME("L5060-5070 1 2 3");
}

/* Every order of five segments, across the wrap of the sequence number, with copies and overlaps. */
static void permuted(void **state)
{
	static const char text[] = THREE;
	size_t all = sizeof(text) - 1, q = all / 5;

	(void)state;
	for (unsigned code = 0; code < 3125; code++) {
		unsigned seen = 0, c = code;
		unsigned order[5];

		for (unsigned i = 0; i < 5; i++, c /= 5) {
			order[i] = c % 5;
			seen |= 1u << order[i];
		}
		if (seen != 31)
			continue;
		start();
		tcp(&v4, 0xffffff80u - 1, SYN, "", 0);
		for (unsigned i = 0; i < 5; i++) {
			size_t off = order[i] * q, len = order[i] == 4 ? all - off : q;
			size_t more = order[i] < 4 ? 7 : 0; /* into the next */

			tcp(&v4, 0xffffff80u + (uint32_t)off, ACK, text + off, len + more);
			if (code % 3 == 0)
				tcp(&v4, 0xffffff80u + (uint32_t)off, ACK, text + off, len);
		}
		if (!strstr(out, "1 2 3") || strstr(out, "!"))
			fail_msg("order %u: %s", code, out);
		sigin_get_stats(in, &st);
		assert_true(st.messages == 3 && !st.tcp_gap && !st.not_sip);
	}
}

static void retransmissions(void **state)
{
	static const char text[] = THREE;
	size_t all = sizeof(text) - 1, one = strlen(MSG("1"));
	char junk[100];

	(void)state;
	start();
	memset(junk, 'j', sizeof(junk));
	tcp(&v4, 99, SYN, "", 0);
	tcp(&v4, 99, SYN, "", 0);
	tcp(&v4, 100, ACK, text, 50);
	tcp(&v4, 99, SYN, "", 0); /* late copy */
	tcp(&v4, 100, ACK, text, 50);
	tcp(&v4, 110, ACK, junk, 40); /* old bytes, changed: the first copy counts */
	tcp(&v4, 100, ACK, text, one);
	tcp(&v4, 99 + (uint32_t)one, ACK, text + one - 1, 1); /* keep-alive probe */
	tcp(&v4, 100, ACK, text, all);
	tcp(&v4, 100, ACK, text, all);
	CAME("L5060-5070 1 2 3");
	assert_int_equal(st.tcp_retrans, 4);
	tcp(&v4, 100 + (uint32_t)all, FIN | ACK, "", 0);
	tcp(&v4, 100, FIN | ACK, text, all); /* after the end */
	CAME("");
	assert_int_equal(st.tcp_retrans, 5);
}

static void starts_in_the_middle(void **state)
{
	static const char text[] = THREE;
	size_t all = sizeof(text) - 1, one = strlen(MSG("1"));

	(void)state;
	for (size_t from = 0; from < one; from++) {
		start();
		tcp(&v4, 5000, ACK, text + from, all - from);
		CAME(from ? "L5060-5070 2 3" : "L5060-5070 1 2 3");
		/* "YE sip:b@h SIP/2.0" is a request too, but not one of its CSeq */
		assert_int_equal(st.bad_messages, from == 1 || from == 2);
	}
	start(); /* nothing to find, then something */
	tcp(&v4, 5000, ACK, "\x16\x03\x01 no SIP at all", 18);
	tcp(&v4, 5018, ACK, " nor here\n", 10);
	tcp(&v4, 5028, ACK, MSG("9"), strlen(MSG("9")));
	CAME("L5060-5070 9");
}

static void no_sip(void **state)
{
	(void)state;
	start();
	tcp(&v4, 99, SYN, "", 0);
	tcp(&v4, 100, ACK, "\x16\x03\x01\x02\x03", 5);
	tcp(&v4, 105, ACK, "\x17\x03\x01\x02\x03", 5);
	CAME("");
	assert_true(st.not_sip == 1 && st.bad_messages == 0);
	start(); /* keep-alives are nothing */
	tcp(&v4, 99, SYN, "", 0);
	tcp(&v4, 100, ACK, N N, 4);
	tcp(&v4, 104, ACK, N, 2);
	tcp(&v4, 106, ACK, MSG("1"), strlen(MSG("1")));
	CAME("L5060-5070 1");
	assert_int_equal(st.not_sip, 0);
}

static void refused_in_between(void **state)
{
	static const char text[] = MSG("1") REFUSED("2") MSG("3") "BYE sip:b@h SIP/2.0" N "i: 4" N "l: x" N N "b" N MSG("5");

	(void)state;
	for (size_t k = 1; k < sizeof(text) - 1; k++) {
		start();
		tcp(&v4, 100, ACK, text, k);
		tcp(&v4, 100 + (uint32_t)k, ACK, text + k, sizeof(text) - 1 - k);
		CAME("L5060-5070 1 3 5");
		assert_int_equal(st.bad_messages, 2);
	}
}

static void lost_segment(void **state)
{
	size_t n = strlen(MSG("1"));
	uint32_t len = (uint32_t)n;

	(void)state;
	start(); /* a hole in the headers, given up after a second without word of it */
	tcp(&v4, 99, SYN, "", 0);
	tcp(&v4, 100, ACK, MSG("1"), 30);
	tcp(&v4, 160, ACK, &MSG("1")[60], n - 60);
	tcp(&v4, 100 + len, ACK, MSG("2"), n);
	now += NS_PER_S;
	udp(&v6, "HELLO");
	CAME("L5060-5070");
	now++;
	udp(&v6, "HELLO"); /* any packet is the clock */
	CAME("2");
	assert_int_equal(st.tcp_gap, 1);
	assert_true(last.ts_ns == now - NS_PER_S - 1);
	tcp(&v4, 130, ACK, &MSG("1")[30], 30); /* too late */
	tcp(&v4, 100 + 2 * len, ACK, MSG("3"), n);
	CAME("3");
	start(); /* a hole in the body: cut, and the next one is in its place */
	tcp(&v4, 99, SYN, "", 0);
	tcp(&v4, 100, ACK, MSG("1"), n - 6);
	tcp(&v4, 100 + len - 3, ACK, &MSG("1")[n - 3], 3);
	tcp(&v4, 100 + len, ACK, MSG("2"), n);
	sigin_tick(in, now + NS_PER_S + 1);
	CAME("L5060-5070 1! 2");
	start(); /* the body's end is known by its length, not by a line end */
	tcp(&v4, 99, SYN, "", 0);
	tcp(&v4, 100, ACK, MSG("1"), n - 8);
	tcp(&v4, 100 + len - 4, ACK, "rest", 4);
	tcp(&v4, 100 + len, ACK, MSG("2"), n);
	sigin_tick(in, now + NS_PER_S + 1);
	CAME("L5060-5070 1! 2");
	start(); /* two holes, each with its own time */
	tcp(&v4, 99, SYN, "", 0);
	tcp(&v4, 100 + len, ACK, MSG("2"), n);
	now += NS_PER_S / 2;
	tcp(&v4, 100 + 3 * len, ACK, MSG("4"), n);
	sigin_tick(in, now + NS_PER_S / 2 + 1);
	CAME("L5060-5070 2");
	sigin_tick(in, UINT64_MAX);
	CAME("4");
	assert_int_equal(st.tcp_gap, 2);
}

static void cut_segments(void **state)
{
	size_t n = strlen(MSG("1"));
	uint32_t len = (uint32_t)n;

	(void)state;
	for (size_t keep = 0; keep <= n; keep++) {
		start();
		tcp(&v4, 99, SYN, "", 0);
		tcp_cut(&v4, 100, ACK, MSG("1"), keep, n - keep);
		tcp(&v4, 100 + len, ACK, MSG("2"), n);
		if (keep == n)
			assert_string_equal(out, "L5060-5070 1 2");
		else if (keep >= n - 6)
			assert_string_equal(out, "L5060-5070 1! 2");
		else
			assert_true(strstr(out, "2") && !strstr(out, "1 "));
	}
	start(); /* held until its turn, then cut */
	tcp(&v4, 99, SYN, "", 0);
	tcp_cut(&v4, 100 + len, ACK, MSG("2"), n - 3, 3);
	tcp(&v4, 100 + 2 * len, ACK, MSG("3"), n);
	tcp(&v4, 100, ACK, MSG("1"), n);
	CAME("L5060-5070 1 2! 3");
}

static void stream_ends(void **state)
{
	size_t n = strlen(MSG("1"));
	uint32_t len = (uint32_t)n;

	(void)state;
	start(); /* port reuse: a new SYN begins anew, in the middle of a message too */
	tcp(&v4, 99, SYN, "", 0);
	tcp(&v4, 100, ACK, MSG("1"), 40);
	tcp(&v4, 7000, SYN, "", 0);
	tcp(&v4, 7001, ACK, MSG("2"), n);
	CAME("L5060-5070 L5060-5070 2");
	tcp(&v4, 7001 + len, FIN | ACK, "", 0);
	tcp(&v4, 90000000, ACK, MSG("3"), n); /* its SYN was not seen */
	CAME("3");
	start(); /* FIN before what it follows */
	tcp(&v4, 99, SYN, "", 0);
	tcp(&v4, 100 + len, FIN | ACK, "", 0);
	tcp(&v4, 100, ACK, MSG("1"), n);
	tcp(&v4, 100 + len, ACK, MSG("2"), n); /* nothing follows an end */
	CAME("L5060-5070 1");
	start(); /* the body did not come */
	tcp(&v4, 99, SYN, "", 0);
	tcp(&v4, 100, FIN | ACK, MSG("1"), n - 4);
	CAME("L5060-5070 1!");
	start(); /* a reset ends it; outside of the window it is forged */
	tcp(&v4, 99, SYN, "", 0);
	tcp(&v4, 100, ACK, MSG("1"), n - 4);
	tcp(&v4, 90000000, RST, "", 0);
	tcp(&v4, 100 + len - 4, ACK, &MSG("1")[n - 4], 4);
	CAME("L5060-5070 1");
	tcp(&v4, 100 + len, ACK, MSG("2"), n - 4);
	tcp(&v4, 100 + 2 * len - 4, RST, "", 0);
	CAME("2!");
	tcp(&v4, 100 + 2 * len, ACK, MSG("3"), n); /* forged in the window: found again */
	CAME("L5060-5070 3");
	tcp(&v6, 1, FIN | ACK, "", 0); /* of streams nobody knows */
	tcp(&v6, 1, RST, "", 0);
	tcp(&v6, 1, ACK, "", 0);
	CAME("");
}

static void learns_once(void **state)
{
	struct ends back = { 4, 2, 1, 5070, 5060, 0 }, other = { 4, 1, 2, 5061, 5070, 0 };
	size_t n = strlen(MSG("1"));

	(void)state;
	start();
	tcp(&v4, 100, ACK, "BYE sip:", 8); /* at the first bytes: the next segment must be looked for */
	CAME("L5060-5070");
	tcp(&v4, 108, ACK, &MSG("1")[8], n - 8);
	tcp(&back, 500, ACK, REPLY("1"), strlen(REPLY("1")));
	tcp(&v4, 100 + (uint32_t)n, ACK, MSG("2"), n);
	CAME("1 1 2");
	tcp(&other, 100, ACK, MSG("3"), n);
	CAME("L5061-5070 3");
}

static void stream_bounds(void **state)
{
	struct sigin_limits l;
	size_t n = strlen(MSG("1"));
	char big[4000];

	(void)state;
	sigin_default_limits(&l);
	l.tcp_streams = 3;
	l.tcp_bytes = 2000;
	start_with(&l);
	for (uint8_t i = 1; i <= 4; i++) {
		struct ends e = { 4, i, 200, 5060, 5060, 0 };

		tcp(&e, 99, SYN, "", 0);
		tcp(&e, 100, ACK, MSG("1"), 40);
	}
	out[0] = 0;
	for (uint8_t i = 4; i >= 1; i--) {
		struct ends e = { 4, i, 200, 5060, 5060, 0 };

		tcp(&e, 140, ACK, &MSG("1")[40], n - 40);
	}
	CAME("1 1 1"); /* the first was driven out */
	assert_int_equal(st.tcp_full, 2);

	start_with(&l); /* headers without end */
	memset(big, 'h', sizeof(big));
	tcp(&v4, 99, SYN, "", 0);
	tcp(&v4, 100, ACK, "BYE sip:b@h SIP/2.0" N "X: ", 24);
	tcp(&v4, 124, ACK, big, 1500);
	tcp(&v4, 1624, ACK, big, 1500);
	tcp(&v4, 3124, ACK, N MSG("1"), n + 2);
	CAME("L5060-5070 1");
	assert_int_equal(st.tcp_full, 1);

	start_with(&l); /* a body larger than is kept: what is there, and on behind it */
	n = (size_t)sprintf(big, "BYE sip:b@h SIP/2.0" N "i: 8" N "f: <sip:a@h>" N "t: <sip:b@h>" N "CSeq: 2 BYE" N "l: 3000" N N);
	tcp(&v4, 99, SYN, "", 0);
	tcp(&v4, 100, ACK, big, n);
	CAME("L5060-5070 8!");
	memset(big, 'b', 3000);
	tcp(&v4, 100 + (uint32_t)n, ACK, big, 2000);
	tcp(&v4, 2100 + (uint32_t)n, ACK, big, 1000);
	tcp(&v4, 3100 + (uint32_t)n, ACK, MSG("9"), strlen(MSG("9")));
	CAME("9");
	assert_int_equal(st.tcp_full, 1);
}

static void a_lying_length_does_not_swallow(void **state)
{
	static const char text[] = "BYE sip:b@h SIP/2.0" N "i: 8" N "f: <sip:a@h>" N "t: <sip:b@h>" N "CSeq: 2 BYE" N
				   "l: 4000000000" N N;
	uint32_t n = sizeof(text) - 1;

	(void)state;
	start();
	tcp(&v4, 100, ACK, text, n);
	tcp(&v4, 100 + n, ACK, MSG("9"), strlen(MSG("9")));
	CAME("L5060-5070 8! 9");
}

/* Out-of-order bytes have a bound: then the hole is given up. */
static void held_bounds(void **state)
{
	struct sigin_limits l;
	size_t n = strlen(MSG("1"));
	uint32_t len = (uint32_t)n;

	(void)state;
	sigin_default_limits(&l);
	l.tcp_bytes = 3 * n;
	start_with(&l);
	tcp(&v4, 99, SYN, "", 0);
	for (uint32_t k = 1; k <= 4; k++)
		tcp(&v4, 100 + k * len, ACK, MSG("k"), n);
	CAME("L5060-5070 k k k k");
	assert_int_equal(st.tcp_gap, 1);
	start(); /* many small ones */
	tcp(&v4, 99, SYN, "", 0);
	for (uint32_t k = 0; k < 300; k++)
		tcp(&v4, 1000 + 2 * k, ACK, "x", 1);
	CAME("");
	assert_true(st.tcp_gap > 0 && st.tcp_gap < 100);
}

static void memory_of_all(void **state)
{
	struct sigin_limits l;
	size_t n = strlen(MSG("1"));
	char half[1024];

	(void)state;
	sigin_default_limits(&l);
	l.tcp_total_bytes = 64 * 1024;
	start_with(&l);
	memset(half, ' ', sizeof(half));
	memcpy(half, "BYE sip:b@h SIP/2.0" N "X: ", 24);
	for (unsigned i = 0; i < 1000; i++) {
		struct ends e = { 4, 1, 2, (uint16_t)(10000 + i), 5060, 0 };

		tcp(&e, 100, ACK, half, sizeof(half));
		out[0] = 0;
	}
	sigin_get_stats(in, &st);
	assert_true(st.tcp_full >= 1000 - 64);
	tcp(&v4, 100, ACK, MSG("1"), n);
	CAME("L5060-5070 1");
}

static void idle_streams(void **state)
{
	size_t n = strlen(MSG("1"));

	(void)state;
	start();
	tcp(&v4, 100, ACK, MSG("1"), n - 5);
	now += 3600 * NS_PER_S + 1;
	tcp(&v4, 100 + (uint32_t)n - 5, ACK, &MSG("1")[n - 5], 5);
	CAME("L5060-5070 1!");
	start(); /* the end of the capture */
	tcp(&v4, 100, ACK, MSG("1"), n - 5);
	sigin_tick(in, UINT64_MAX);
	CAME("L5060-5070 1!");
	sigin_tick(in, UINT64_MAX);
	CAME("");
}

static int stop(void **state)
{
	(void)state;
	sigin_free(in);
	in = NULL;
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(datagrams),	       cmocka_unit_test(where_from),
		cmocka_unit_test(truncated),	       cmocka_unit_test(lying_lengths),
		cmocka_unit_test(v6_extensions),       cmocka_unit_test(fragment_sizes),
		cmocka_unit_test(fragment_order),      cmocka_unit_test(fragment_attacks),
		cmocka_unit_test(fragment_keys),       cmocka_unit_test(fragment_times),
		cmocka_unit_test(fragment_bounds),     cmocka_unit_test(fragments_of_others),
		cmocka_unit_test(fragmented_tcp),      cmocka_unit_test(split_anywhere),
		cmocka_unit_test(permuted),	       cmocka_unit_test(retransmissions),
		cmocka_unit_test(starts_in_the_middle), cmocka_unit_test(no_sip),
		cmocka_unit_test(refused_in_between),  cmocka_unit_test(lost_segment),
		cmocka_unit_test(cut_segments),	       cmocka_unit_test(stream_ends),
		cmocka_unit_test(learns_once),	       cmocka_unit_test(stream_bounds),
		cmocka_unit_test(a_lying_length_does_not_swallow), cmocka_unit_test(held_bounds),
		cmocka_unit_test(memory_of_all),       cmocka_unit_test(idle_streams),
	};

	return cmocka_run_group_tests(tests, NULL, stop);
}
