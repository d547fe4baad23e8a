/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * frames.h - frames of every encapsulation, and what must become of them
 *
 * Frames are built from the inside out: each f_* puts its header in front.
 * frames_each() goes through encapsulations x IP shapes x contents and says for
 * each which counter, record and offsets are right, worked out from how the
 * frame was built and not by parsing. Used by the user-space and the BPF test.
 */
#ifndef FRAMES_H
#define FRAMES_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/ipaddr.h"
#include "base/le.h"
#include "capture/flow.h"
#include "optag.h"

#define F_UNUSED  __attribute__((unused))
#define F_PAD	  7 /* bytes behind every packet that are not its own */
#define F_LINES	  1024
#define F_SEED	  0x1234567890abcdefULL
#define F_DST4	  0x0a090001U /* media address of the flows, IPv4 */
#define F_SRC4	  0x0a090002U
#define F_TE1	  101
#define F_TE2	  102
#define F_OUTVLAN 0x123 /* outermost tag of the encapsulations that have one */

static const uint8_t f_dst6[16] = { 0x20, 1, 0xd, 0xb8, [15] = 9 };
static const uint8_t f_src6[16] = { 0x20, 1, 0xd, 0xb8, [15] = 8 };

struct frame {
	uint8_t buf[2048];
	size_t start; /* the frame is buf[start..] */
	uint16_t type; /* EtherType of what is at start */
	uint8_t proto; /* IP protocol number of what is at start */
};

static size_t f_len(const struct frame *f)
{
	return sizeof(f->buf) - f->start;
}

static uint8_t *f_push(struct frame *f, size_t n)
{
	f->start -= n;
	memset(f->buf + f->start, 0, n);
	return f->buf + f->start;
}

static void f_init(struct frame *f, const void *payload, size_t n)
{
	f->start = sizeof(f->buf);
	memset(f_push(f, F_PAD), 0xee, F_PAD);
	memcpy(f_push(f, n), payload, n);
}

/* Bytes of the packet without the padding: only right before a tunnel is around it. */
static size_t f_inner(const struct frame *f)
{
	return f_len(f) - F_PAD;
}

static void f_udp(struct frame *f, uint16_t sport, uint16_t dport, size_t payload)
{
	uint8_t *h = f_push(f, 8);

	be16enc(h, sport);
	be16enc(h + 2, dport);
	be16enc(h + 4, (uint16_t)(8 + payload));
	f->proto = IPPROTO_UDP;
}

static void f_tcp(struct frame *f, uint16_t sport, uint16_t dport, uint8_t flags)
{
	uint8_t *h = f_push(f, 32);

	be16enc(h, sport);
	be16enc(h + 2, dport);
	h[12] = 8 << 4; /* 12 bytes of options */
	h[13] = flags;
	f->proto = IPPROTO_TCP;
}

static void f_ip4(struct frame *f, uint32_t src, uint32_t dst, size_t payload, size_t options,
		  uint16_t frag)
{
	uint8_t *h = f_push(f, 20 + options);

	h[0] = (uint8_t)(0x45 + options / 4);
	memset(h + 20, 1, options); /* NOP */
	be16enc(h + 2, (uint16_t)(20 + options + payload));
	be16enc(h + 6, frag);
	h[8] = 64;
	h[9] = f->proto;
	be32enc(h + 12, src);
	be32enc(h + 16, dst);
	f->type = 0x0800;
	f->proto = IPPROTO_IPIP;
}

static void f_ip6(struct frame *f, const uint8_t src[16], const uint8_t dst[16], size_t payload)
{
	uint8_t *h = f_push(f, 40);

	h[0] = 0x60;
	be16enc(h + 4, (uint16_t)payload);
	h[6] = f->proto;
	h[7] = 64;
	memcpy(h + 8, src, 16);
	memcpy(h + 24, dst, 16);
	f->type = 0x86dd;
	f->proto = IPPROTO_IPV6;
}

/* An IPv6 extension header of n bytes in front; proto is its own number. */
static void f_ext(struct frame *f, uint8_t proto, size_t n)
{
	uint8_t *h = f_push(f, n);

	h[0] = f->proto;
	h[1] = (uint8_t)(proto == IPPROTO_AH ? n / 4 - 2 : n / 8 - 1);
	f->proto = proto;
}

static void f_frag6(struct frame *f, uint16_t offset_flags)
{
	uint8_t *h = f_push(f, 8);

	h[0] = f->proto;
	be16enc(h + 2, offset_flags);
	be32enc(h + 4, 0x1234);
	f->proto = IPPROTO_FRAGMENT;
}

static void f_eth(struct frame *f, uint8_t first)
{
	uint8_t *h = f_push(f, 14);

	memset(h, 0x5c, 12);
	h[0] = first;
	be16enc(h + 12, f->type);
	f->type = 0x6558;
}

static void f_vlan(struct frame *f, uint16_t tpid, uint16_t vid)
{
	uint8_t *h = f_push(f, 4);

	be16enc(h, (uint16_t)(0xa000 | vid));
	be16enc(h + 2, f->type);
	f->type = tpid;
}

static void f_mpls(struct frame *f, int labels)
{
	for (int i = 0; i < labels; i++) {
		uint8_t *h = f_push(f, 4);

		be32enc(h, 0x12345000U | (i ? 0 : 0x100) | 64);
	}
	f->type = 0x8847;
}

static void f_ppp(struct frame *f, bool address, bool compressed)
{
	uint16_t proto = f->type == 0x0800 ? 0x21 : 0x57;

	if (compressed)
		*f_push(f, 1) = (uint8_t)proto;
	else
		be16enc(f_push(f, 2), proto);
	if (address)
		be16enc(f_push(f, 2), 0xff03);
	f->type = 0x880b;
}

static void f_pppoe(struct frame *f)
{
	uint8_t *h;
	size_t n;

	f_ppp(f, false, false);
	n = f_len(f);
	h = f_push(f, 6);
	h[0] = 0x11;
	be16enc(h + 4, (uint16_t)n);
	f->type = 0x8864;
}

/* flags: as on the wire; the optional words it names are put in. */
static void f_gre(struct frame *f, uint16_t flags, uint16_t type)
{
	size_t n = 4;
	uint8_t *h;

	n += flags & 0x8000 ? 4 : 0;
	n += flags & 0x2000 ? 4 : 0;
	n += flags & 0x1000 ? 4 : 0;
	n += flags & 0x0080 ? 4 : 0;
	h = f_push(f, n);
	memset(h, 0x77, n);
	be16enc(h, flags);
	be16enc(h + 2, type);
	f->proto = IPPROTO_GRE;
}

/* Outer IP: everything below, padding included, is its payload. */
static void f_outer4(struct frame *f)
{
	f_ip4(f, 0xc0000201, 0xc0000202, f_len(f), 0, 0x4000);
}

static void f_outer6(struct frame *f)
{
	f_ip6(f, f_src6, f_dst6, f_len(f));
}

static void f_outer_udp(struct frame *f, uint16_t dport)
{
	f_udp(f, 50000, dport, f_len(f));
}

static void f_vxlan(struct frame *f)
{
	uint8_t *h;

	f_eth(f, 0x02);
	h = f_push(f, 8);
	h[0] = 0x08;
	h[6] = 42;
	f_outer_udp(f, 4789);
}

/* ext: extension headers to put in; flags are E, S, PN. */
static void f_gtpu(struct frame *f, uint8_t flags, int ext)
{
	uint8_t *h;

	for (int i = 0; i < ext; i++) {
		h = f_push(f, 8);
		h[0] = 2;
		h[7] = i ? 0x85 : 0;
	}
	if (flags & 7) {
		h = f_push(f, 4);
		h[3] = ext ? 0x85 : 0x55; /* without E the type means nothing */
	}
	h = f_push(f, 8);
	h[0] = 0x30 | flags;
	h[1] = 0xff;
	f_outer_udp(f, 2152);
}

/* ---- encapsulations ---- */

enum f_encap {
	F_PLAIN, F_VLAN, F_QINQ, F_QINQ_OLD, F_VLAN3, F_MPLS1, F_MPLS3, F_VLAN_MPLS, F_PW_CW,
	F_PW_ZERO_MAC, F_PW_MAC, F_PPPOE, F_VLAN_PPPOE, F_GRE, F_GRE_CKS, F_GRE_TEB, F_GRE_V6,
	F_GRE_MPLS, F_ERSPAN1, F_ERSPAN2, F_ERSPAN2_QINQ, F_ERSPAN3, F_ERSPAN3_SUB, F_ERSPAN3_IP,
	F_PPTP, F_PPTP_ACK_FF03, F_PPTP_SHORT, F_VXLAN, F_VXLAN_V6_VLAN, F_IPIP, F_IN6, F_IN6_EXT,
	F_AH4, F_GTPU, F_GTPU_SEQ, F_GTPU_EXT, F_VXLAN_GRE_VLAN, F_ENCAPS,
};

static const char *const f_encap_name[F_ENCAPS] = {
	"plain", "vlan", "qinq", "qinq 9100", "three tags", "mpls", "mpls x3", "vlan mpls",
	"pseudo-wire cw", "pseudo-wire mac 00", "pseudo-wire mac", "pppoe", "vlan pppoe", "gre",
	"gre csum key seq", "gre teb", "gre over v6", "mpls in gre", "erspan 1", "erspan 2",
	"erspan 2 qinq", "erspan 3", "erspan 3 subheader", "erspan 3 ip", "pptp", "pptp ack ff03",
	"pptp compressed", "vxlan", "vxlan over v6 vlan", "ip in ip", "ip in v6", "ip in v6 ext",
	"ah", "gtp-u", "gtp-u seq", "gtp-u ext", "vxlan gre vlan",
};

static void f_erspan3(struct frame *f, uint8_t frame_type, bool sub)
{
	uint8_t *h = f_push(f, sub ? 20 : 12);

	be16enc(h, 0x2000 | 77);
	h[10] = (uint8_t)(frame_type << 2);
	h[11] = sub;
	f_gre(f, 0x1000, 0x22eb);
	f_outer4(f);
}

static void f_erspan2(struct frame *f)
{
	be16enc(f_push(f, 8), 0x1000 | 77);
	f_gre(f, 0x1000, 0x88be);
	f_outer4(f);
}

static void f_encap_label(struct frame *f, enum f_encap e)
{
	switch (e) {
	case F_VLAN:
		f_vlan(f, 0x8100, F_OUTVLAN);
		break;
	case F_QINQ:
		f_vlan(f, 0x8100, 7);
		f_vlan(f, 0x88a8, F_OUTVLAN);
		break;
	case F_QINQ_OLD:
		f_vlan(f, 0x8100, 7);
		f_vlan(f, 0x9100, F_OUTVLAN);
		break;
	case F_VLAN3:
		f_vlan(f, 0x8100, 7);
		f_vlan(f, 0x8100, 8);
		f_vlan(f, 0x88a8, F_OUTVLAN);
		break;
	case F_MPLS1:
		f_mpls(f, 1);
		break;
	case F_MPLS3:
		f_mpls(f, 3);
		break;
	case F_VLAN_MPLS:
		f_mpls(f, 2);
		f_vlan(f, 0x8100, F_OUTVLAN);
		break;
	case F_PW_CW:
		f_eth(f, 0x00);
		be32enc(f_push(f, 4), 0x0000abcd);
		f_mpls(f, 2);
		break;
	case F_PW_ZERO_MAC:
		f_eth(f, 0x00);
		f_mpls(f, 2);
		break;
	case F_PW_MAC:
		f_eth(f, 0x22);
		f_mpls(f, 1);
		break;
	case F_PPPOE:
		f_pppoe(f);
		break;
	case F_VLAN_PPPOE:
		f_pppoe(f);
		f_vlan(f, 0x8100, F_OUTVLAN);
		break;
	default:
		break;
	}
}

static void f_encap_gre(struct frame *f, enum f_encap e)
{
	switch (e) {
	case F_GRE:
	case F_GRE_V6:
		f_gre(f, 0, f->type);
		break;
	case F_GRE_CKS:
		f_gre(f, 0xb000, f->type);
		break;
	case F_GRE_TEB:
		f_eth(f, 0x02);
		f_gre(f, 0x2000, 0x6558);
		break;
	case F_GRE_MPLS:
		f_mpls(f, 2);
		f_gre(f, 0, 0x8847);
		break;
	case F_ERSPAN1:
		f_eth(f, 0x02);
		f_gre(f, 0, 0x88be);
		break;
	case F_PPTP:
		f_ppp(f, false, false);
		f_gre(f, 0x3001, 0x880b);
		break;
	case F_PPTP_ACK_FF03:
		f_ppp(f, true, false);
		f_gre(f, 0x3081, 0x880b);
		break;
	default:
		f_ppp(f, true, true);
		f_gre(f, 0x3001, 0x880b);
		break;
	}
	if (e == F_GRE_V6)
		f_outer6(f);
	else
		f_outer4(f);
}

static void f_encap_tunnel(struct frame *f, enum f_encap e)
{
	switch (e) {
	case F_ERSPAN2_QINQ:
		f_vlan(f, 0x8100, 7);
		f_vlan(f, 0x88a8, F_OUTVLAN);
		/* fall through */
	case F_ERSPAN2:
		f_eth(f, 0x02);
		f_erspan2(f);
		break;
	case F_ERSPAN3:
	case F_ERSPAN3_SUB:
		f_eth(f, 0x02);
		f_erspan3(f, 0, e == F_ERSPAN3_SUB);
		break;
	case F_ERSPAN3_IP:
		f_erspan3(f, 2, false);
		break;
	case F_VXLAN:
		f_vxlan(f);
		f_outer4(f);
		break;
	case F_VXLAN_V6_VLAN:
		f_vlan(f, 0x8100, F_OUTVLAN);
		f_vxlan(f);
		f_outer6(f);
		break;
	case F_IPIP:
		f_outer4(f);
		break;
	case F_IN6:
		f_outer6(f);
		break;
	case F_IN6_EXT:
		f_ext(f, IPPROTO_DSTOPTS, 16);
		f_ext(f, IPPROTO_ROUTING, 24);
		f_ext(f, IPPROTO_HOPOPTS, 8);
		f_outer6(f);
		break;
	case F_AH4:
		f_ext(f, IPPROTO_AH, 24);
		f_outer4(f);
		break;
	case F_GTPU:
	case F_GTPU_SEQ:
		f_gtpu(f, e == F_GTPU ? 0 : 2, 0);
		f_outer4(f);
		break;
	case F_GTPU_EXT:
		f_gtpu(f, 4, 2);
		f_outer6(f);
		break;
	default: /* F_VXLAN_GRE_VLAN */
		f_gre(f, 0, f->type);
		f_outer4(f);
		f_vlan(f, 0x8100, F_OUTVLAN);
		f_vxlan(f);
		f_outer4(f);
		break;
	}
}

static void f_encap(struct frame *f, enum f_encap e)
{
	if (e <= F_VLAN_PPPOE)
		f_encap_label(f, e);
	else if (e <= F_ERSPAN1 || (e >= F_PPTP && e <= F_PPTP_SHORT))
		f_encap_gre(f, e);
	else
		f_encap_tunnel(f, e);
	f_eth(f, 0x02);
}

static bool f_encap_has_vlan(enum f_encap e)
{
	return e == F_VLAN || e == F_QINQ || e == F_QINQ_OLD || e == F_VLAN3 || e == F_VLAN_MPLS ||
	       e == F_VLAN_PPPOE || e == F_ERSPAN2_QINQ || e == F_VXLAN_V6_VLAN ||
	       e == F_VXLAN_GRE_VLAN;
}

/* ---- innermost IP headers ---- */

enum f_shape { F_V4, F_V4_OPTIONS, F_V6, F_V6_HBH, F_V6_CHAIN, F_V6_ATOMIC, F_SHAPES };

static bool f_shape_v6(enum f_shape s)
{
	return s >= F_V6;
}

/* to_us: the flow's address is the destination. */
static void f_ip(struct frame *f, enum f_shape s, bool to_us)
{
	uint32_t src = to_us ? F_SRC4 : F_DST4, dst = to_us ? F_DST4 : F_SRC4;

	switch (s) {
	case F_V4:
		f_ip4(f, src, dst, f_inner(f), 0, 0x4000);
		return;
	case F_V4_OPTIONS:
		f_ip4(f, src, dst, f_inner(f), 24, 0);
		return;
	case F_V6_HBH:
		f_ext(f, IPPROTO_HOPOPTS, 8);
		break;
	case F_V6_CHAIN:
		f_ext(f, IPPROTO_AH, 24);
		f_ext(f, IPPROTO_DSTOPTS, 16);
		f_ext(f, IPPROTO_ROUTING, 24);
		f_ext(f, IPPROTO_HOPOPTS, 8);
		break;
	case F_V6_ATOMIC:
		f_frag6(f, 0);
		break;
	default:
		break;
	}
	f_ip6(f, to_us ? f_src6 : f_dst6, to_us ? f_dst6 : f_src6, f_inner(f));
}

/* ---- contents ---- */

enum { F_P_RECORD = 4000, F_P_GATE = 4002, F_P_BLOCK = 4004, F_P_SIG = 4006, F_P_INSPECT = 4008, F_P_NONE = 4999,
       F_P_TCP_SIG = 7000, F_P_FAR = 30000, F_P_SIP = 5060, F_P_SIP2 = 5080 };

/* What there is of RTP besides its header: payload (0: 160 bytes), CSRCs, words of an extension. */
enum { F_EVENT = 0x100, F_PACKED = 0x200, F_DRESSED = 0x300, F_DRESSED_20MS = 0x400, F_ODD = 0x500, F_LONG = 0x600,
       F_BARE = 0x700, F_LYING = 0x800, F_G729 = 0x900 };
static const struct f_rtp_shape {
	uint8_t payload, csrc, words;
} f_rtp_shapes[] = { { 160, 0, 0 }, { 4, 0, 0 }, { 16, 0, 0 }, { 8, 3, 5 }, { 160, 3, 5 }, { 6, 0, 0 }, { 20, 0, 0 },
		     { 0, 0, 0 }, { 8, 0, 255 }, { 20, 1, 2 } };

struct f_content {
	const char *name;
	uint8_t proto; /* UDP, TCP, or ICMP */
	uint16_t sport, dport;
	enum optag_count want;
	uint16_t pt;	   /* second byte of RTP, when text is NULL; above it the packet's shape */
	const char *text;  /* payload instead of RTP; "" none */
	uint8_t tcp_flags;
	bool from_us; /* flow address is the source */
};

#define F_UDP_TEXT(t, w) { "udp " t, IPPROTO_UDP, F_P_FAR, F_P_NONE, w, 0, t " sip:x SIP/2.0\r\n", 0, false }
#define F_TCP_ACK 0x10
#define F_TCP_PSH 0x18

static const struct f_content f_contents[] = {
	{ "record audio", IPPROTO_UDP, F_P_FAR, F_P_RECORD, OPTAG_C_AUDIO, 8, NULL, 0, false },
	{ "record marker", IPPROTO_UDP, F_P_FAR, F_P_RECORD, OPTAG_C_AUDIO, 0x80, NULL, 0, false },
	{ "record pt 96 marker", IPPROTO_UDP, F_P_FAR, F_P_RECORD, OPTAG_C_AUDIO, 0xe0, NULL, 0, false },
	{ "record te1", IPPROTO_UDP, F_P_FAR, F_P_RECORD, OPTAG_C_EVENT, F_TE1 | F_EVENT, NULL, 0, false },
	{ "record te2 marker", IPPROTO_UDP, F_P_FAR, F_P_RECORD, OPTAG_C_EVENT, 0x80 | F_TE2 | F_PACKED, NULL, 0, false },
	{ "record te1 with audio", IPPROTO_UDP, F_P_FAR, F_P_RECORD, OPTAG_C_AUDIO, F_TE1, NULL, 0, false },
	{ "record te2 with g729", IPPROTO_UDP, F_P_FAR, F_P_RECORD, OPTAG_C_AUDIO, F_TE2 | F_G729, NULL, 0, false },
	{ "gate audio", IPPROTO_UDP, F_P_FAR, F_P_GATE, OPTAG_C_GATE, 0, NULL, 0, false },
	{ "gate te1", IPPROTO_UDP, F_P_FAR, F_P_GATE, OPTAG_C_EVENT, 0x80 | F_TE1 | F_EVENT, NULL, 0, false },
	{ "gate te2", IPPROTO_UDP, F_P_FAR, F_P_GATE, OPTAG_C_EVENT, F_TE2 | F_PACKED, NULL, 0, false },
	{ "gate te1 csrc extension", IPPROTO_UDP, F_P_FAR, F_P_GATE, OPTAG_C_EVENT, F_TE1 | F_DRESSED, NULL, 0, false },
	{ "gate te1 with audio", IPPROTO_UDP, F_P_FAR, F_P_GATE, OPTAG_C_GATE, F_TE1, NULL, 0, false },
	{ "gate te2 with audio csrc extension", IPPROTO_UDP, F_P_FAR, F_P_GATE, OPTAG_C_GATE, F_TE2 | F_DRESSED_20MS, NULL, 0, false },
	{ "gate te1 with g729", IPPROTO_UDP, F_P_FAR, F_P_GATE, OPTAG_C_GATE, 0x80 | F_TE1 | F_G729, NULL, 0, false },
	{ "gate te1 of 6 bytes", IPPROTO_UDP, F_P_FAR, F_P_GATE, OPTAG_C_GATE, F_TE1 | F_ODD, NULL, 0, false },
	{ "gate te1 of 20 bytes", IPPROTO_UDP, F_P_FAR, F_P_GATE, OPTAG_C_GATE, F_TE1 | F_LONG, NULL, 0, false },
	{ "gate te1 of no bytes", IPPROTO_UDP, F_P_FAR, F_P_GATE, OPTAG_C_GATE, F_TE1 | F_BARE, NULL, 0, false },
	{ "gate te1 extension lies", IPPROTO_UDP, F_P_FAR, F_P_GATE, OPTAG_C_GATE, F_TE1 | F_LYING, NULL, 0, false },
	{ "inspect audio", IPPROTO_UDP, F_P_FAR, F_P_INSPECT, OPTAG_C_INSPECT, 8, NULL, 0, false },
	{ "inspect te1", IPPROTO_UDP, F_P_FAR, F_P_INSPECT, OPTAG_C_EVENT, 0x80 | F_TE1 | F_EVENT, NULL, 0, false },
	{ "inspect te1 with audio", IPPROTO_UDP, F_P_FAR, F_P_INSPECT, OPTAG_C_INSPECT, 0x80 | F_TE1, NULL, 0, false },
	{ "inspect rtcp", IPPROTO_UDP, F_P_FAR, F_P_INSPECT, OPTAG_C_NOT_RTP, 200, NULL, 0, false },
	{ "block audio", IPPROTO_UDP, F_P_FAR, F_P_BLOCK, OPTAG_C_BLOCK, 0, NULL, 0, false },
	{ "block te1", IPPROTO_UDP, F_P_FAR, F_P_BLOCK, OPTAG_C_BLOCK, F_TE1 | F_EVENT, NULL, 0, false },
	{ "no flow", IPPROTO_UDP, F_P_FAR, F_P_NONE, OPTAG_C_MISS, 0, NULL, 0, false },
	{ "flow is the source", IPPROTO_UDP, F_P_RECORD, F_P_FAR, OPTAG_C_MISS, 0, NULL, 0, true },
	{ "rtcp sr", IPPROTO_UDP, F_P_FAR, F_P_RECORD, OPTAG_C_NOT_RTP, 200, NULL, 0, false },
	{ "rtcp lowest", IPPROTO_UDP, F_P_FAR, F_P_RECORD, OPTAG_C_NOT_RTP, 192, NULL, 0, false },
	{ "rtcp highest", IPPROTO_UDP, F_P_FAR, F_P_GATE, OPTAG_C_NOT_RTP, 223, NULL, 0, false },
	{ "stun", IPPROTO_UDP, F_P_FAR, F_P_RECORD, OPTAG_C_NOT_RTP, 0, "\001\001xxxxxxxxxxxxxxxxxx", 0, false },
	{ "dtls", IPPROTO_UDP, F_P_FAR, F_P_RECORD, OPTAG_C_NOT_RTP, 0, "\026\376\375xxxxxxxxxxxxx", 0, false },
	{ "zrtp", IPPROTO_UDP, F_P_FAR, F_P_BLOCK, OPTAG_C_NOT_RTP, 0, "\020xxxxxxxxxxxxxxx", 0, false },
	{ "short", IPPROTO_UDP, F_P_FAR, F_P_RECORD, OPTAG_C_NOT_RTP, 0, "\200xxxxxxxxxx", 0, false },
	{ "empty", IPPROTO_UDP, F_P_FAR, F_P_RECORD, OPTAG_C_NOT_RTP, 0, "", 0, false },
	{ "sip port", IPPROTO_UDP, F_P_FAR, F_P_SIP, OPTAG_C_SIG, 0, "\r\n\r\n", 0, false },
	{ "sip port no text", IPPROTO_UDP, F_P_FAR, F_P_SIP, OPTAG_C_SIG, 0, "\177xxxxxxxxxxx", 0, false },
	{ "sip port rtp", IPPROTO_UDP, F_P_FAR, F_P_SIP, OPTAG_C_MISS, 8, NULL, 0, false },
	{ "sip port source rtp", IPPROTO_UDP, F_P_SIP2, F_P_NONE, OPTAG_C_MISS, 8, NULL, 0, false },
	{ "sip port to record", IPPROTO_UDP, F_P_SIP, F_P_RECORD, OPTAG_C_AUDIO, 8, NULL, 0, false },
	{ "sip port to gate", IPPROTO_UDP, F_P_SIP, F_P_GATE, OPTAG_C_GATE, 8, NULL, 0, false },
	{ "sip port to gate te1", IPPROTO_UDP, F_P_SIP2, F_P_GATE, OPTAG_C_EVENT, F_TE1 | F_EVENT, NULL, 0, false },
	{ "sip port to block", IPPROTO_UDP, F_P_SIP, F_P_BLOCK, OPTAG_C_BLOCK, 8, NULL, 0, false },
	{ "sip port rtcp to record", IPPROTO_UDP, F_P_SIP, F_P_RECORD, OPTAG_C_NOT_RTP, 200, NULL, 0, false },
	{ "sip port short of rtp", IPPROTO_UDP, F_P_SIP, F_P_RECORD, OPTAG_C_NOT_RTP, 0, "\200xx", 0, false },
	{ "sip flow rtp", IPPROTO_UDP, F_P_FAR, F_P_SIG, OPTAG_C_NOT_RTP, 8, NULL, 0, false },
	{ "sip port source", IPPROTO_UDP, F_P_SIP2, F_P_NONE, OPTAG_C_SIG, 0, "", 0, false },
	{ "sip flow udp", IPPROTO_UDP, F_P_FAR, F_P_SIG, OPTAG_C_SIG, 0, "anything at all", 0, false },
	{ "udp response", IPPROTO_UDP, F_P_FAR, F_P_NONE, OPTAG_C_SIG, 0, "SIP/2.0 200 OK\r\n", 0, false },
	{ "udp not quite", IPPROTO_UDP, F_P_FAR, F_P_NONE, OPTAG_C_MISS, 0, "SIP/2.1 200 OK\r\n", 0, false },
	F_UDP_TEXT("INVITE", OPTAG_C_SIG), F_UDP_TEXT("ACK", OPTAG_C_SIG),
	F_UDP_TEXT("BYE", OPTAG_C_SIG), F_UDP_TEXT("CANCEL", OPTAG_C_SIG),
	F_UDP_TEXT("OPTIONS", OPTAG_C_SIG), F_UDP_TEXT("REGISTER", OPTAG_C_SIG),
	F_UDP_TEXT("PRACK", OPTAG_C_SIG), F_UDP_TEXT("SUBSCRIBE", OPTAG_C_SIG),
	F_UDP_TEXT("NOTIFY", OPTAG_C_SIG), F_UDP_TEXT("PUBLISH", OPTAG_C_SIG),
	F_UDP_TEXT("INFO", OPTAG_C_SIG), F_UDP_TEXT("REFER", OPTAG_C_SIG),
	F_UDP_TEXT("MESSAGE", OPTAG_C_SIG), F_UDP_TEXT("UPDATE", OPTAG_C_SIG),
	F_UDP_TEXT("INVITES", OPTAG_C_MISS), F_UDP_TEXT("invite", OPTAG_C_MISS),
	F_UDP_TEXT("GET", OPTAG_C_MISS), F_UDP_TEXT("INFOS", OPTAG_C_MISS),
	{ "tcp sip data", IPPROTO_TCP, F_P_FAR, F_P_SIP, OPTAG_C_SIG, 0, "part of it", F_TCP_PSH, false },
	{ "tcp sip syn", IPPROTO_TCP, F_P_FAR, F_P_SIP, OPTAG_C_SIG, 0, "", 0x02, false },
	{ "tcp sip fin", IPPROTO_TCP, F_P_SIP2, F_P_FAR, OPTAG_C_SIG, 0, "", 0x11, false },
	{ "tcp sip rst", IPPROTO_TCP, F_P_SIP, F_P_FAR, OPTAG_C_SIG, 0, "", 0x04, false },
	{ "tcp sip ack", IPPROTO_TCP, F_P_FAR, F_P_SIP, OPTAG_C_OTHER, 0, "", F_TCP_ACK, false },
	{ "tcp text", IPPROTO_TCP, F_P_FAR, F_P_NONE, OPTAG_C_SIG, 0, "REGISTER sip:x SIP/2.0\r\n", F_TCP_PSH, false },
	{ "tcp other", IPPROTO_TCP, F_P_FAR, F_P_NONE, OPTAG_C_OTHER, 0, "GET / HTTP/1.1\r\n", F_TCP_PSH, false },
	{ "tcp syn other", IPPROTO_TCP, F_P_FAR, F_P_NONE, OPTAG_C_OTHER, 0, "", 0x02, false },
	{ "tcp learned to", IPPROTO_TCP, F_P_FAR, F_P_TCP_SIG, OPTAG_C_SIG, 0, "part", F_TCP_PSH, false },
	{ "tcp learned from", IPPROTO_TCP, F_P_TCP_SIG, F_P_FAR, OPTAG_C_SIG, 0, "part", F_TCP_PSH, true },
	{ "tcp learned fin", IPPROTO_TCP, F_P_TCP_SIG, F_P_FAR, OPTAG_C_SIG, 0, "", 0x11, true },
	{ "tcp learned ack", IPPROTO_TCP, F_P_TCP_SIG, F_P_FAR, OPTAG_C_OTHER, 0, "", F_TCP_ACK, true },
	{ "tcp at a media flow", IPPROTO_TCP, F_P_FAR, F_P_RECORD, OPTAG_C_OTHER, 0, "part", F_TCP_PSH, false },
	{ "icmp", IPPROTO_ICMP, 0, 0, OPTAG_C_OTHER, 0, "whatever it says", 0, false },
};
#define F_CONTENTS (sizeof(f_contents) / sizeof(f_contents[0]))

/* ---- what must come out ---- */

struct f_want {
	const char *encap, *content;
	enum optag_count count;
	uint32_t ip_off, ip_len, l4_off, pay_off, pay_len; /* offsets from the frame's start */
	uint32_t head; /* of the payload: bytes that the decision rests on */
	uint8_t kind, family;
	uint16_t vlan, sport, dport;
	uint8_t src[16], dst[16];
};

static void f_map4(uint32_t a, uint8_t out[16])
{
	struct ipaddr i;

	ipaddr_v4(a, &i);
	memcpy(out, i.b, 16);
}

static void f_want_addrs(struct f_want *w, bool v6, bool from_us)
{
	uint8_t *us = from_us ? w->src : w->dst, *far = from_us ? w->dst : w->src;

	if (v6) {
		memcpy(us, f_dst6, 16);
		memcpy(far, f_src6, 16);
	} else {
		f_map4(F_DST4, us);
		f_map4(F_SRC4, far);
	}
	w->family = v6 ? 6 : 4;
}

/* 172 bytes like 20 ms of G.711, or another shape; the bytes differ so that a shifted copy shows. */
static size_t f_payload(const struct f_content *c, uint8_t out[256], uint32_t *ret_head)
{
	const struct f_rtp_shape *s = &f_rtp_shapes[c->pt >> 8];
	size_t n = 12 + 4U * s->csrc + (s->words ? 4 : 0) + (s->words == 255 ? 0 : 4U * s->words) + s->payload;

	*ret_head = 12;
	if (c->text) {
		memcpy(out, c->text, strlen(c->text));
		return strlen(c->text);
	}
	for (size_t i = 0; i < n; i++)
		out[i] = (uint8_t)(i * 7 + 1);
	out[0] = (uint8_t)(0x80 | (s->words ? 0x10 : 0) | s->csrc);
	out[1] = (uint8_t)c->pt;
	if (s->words) {
		be16enc(out + 12 + 4 * s->csrc, 0xbede);
		be16enc(out + 14 + 4 * s->csrc, s->words);
		*ret_head = 16 + 4U * s->csrc;
	}
	return n;
}

/* Offsets from the end stay right whatever is put in front. */
static void f_want_finish(struct f_want *w, const struct frame *f, uint32_t l3, uint32_t l4)
{
	uint32_t n = (uint32_t)f_len(f) - F_PAD;

	w->ip_off = n - l3;
	w->ip_len = l3;
	w->l4_off = n - l4;
	w->pay_off = n - w->pay_len;
}

static void f_build(struct frame *f, struct f_want *w, enum f_encap e, enum f_shape s,
		    const struct f_content *c)
{
	uint8_t payload[256];
	uint32_t l3, l4, head;
	size_t n = f_payload(c, payload, &head);

	memset(w, 0, sizeof(*w));
	w->head = head;
	f_init(f, payload, n);
	f->proto = c->proto;
	if (c->proto == IPPROTO_UDP)
		f_udp(f, c->sport, c->dport, n);
	else if (c->proto == IPPROTO_TCP)
		f_tcp(f, c->sport, c->dport, c->tcp_flags);
	l4 = (uint32_t)f_inner(f);
	f_ip(f, s, !c->from_us);
	l3 = (uint32_t)f_inner(f);
	f_encap(f, e);
	w->encap = f_encap_name[e];
	w->content = c->name;
	w->count = c->want;
	w->kind = c->proto == IPPROTO_UDP ? OPTAG_SIG_UDP : OPTAG_SIG_TCP;
	w->sport = c->sport;
	w->dport = c->dport;
	w->vlan = f_encap_has_vlan(e) ? F_OUTVLAN : 0;
	w->pay_len = (uint32_t)n;
	f_want_addrs(w, f_shape_v6(s), c->from_us);
	f_want_finish(w, f, l3, l4);
}

/* A fragment, and what becomes of it after those before it in f_frags. */
struct f_frag {
	const char *name;
	uint8_t proto;
	bool first;
	uint16_t sport, dport;
	const char *text; /* NULL: RTP */
	enum optag_count want;
};

#define F_LATER(p, w)	 { "later fragment", p, false, 0, 0, NULL, w }
#define F_FIRST(d, t, w) { "first fragment to " #d, IPPROTO_UDP, true, F_P_FAR, d, t, w }
static const struct f_frag f_frags[] = {
	F_LATER(IPPROTO_UDP, OPTAG_C_FRAG),
	F_FIRST(F_P_SIP, "INVITE sip:x SIP/2.0\r\n", OPTAG_C_SIG),
	F_LATER(IPPROTO_UDP, OPTAG_C_SIG), F_LATER(IPPROTO_UDP, OPTAG_C_SIG),
	F_FIRST(F_P_SIP, NULL, OPTAG_C_MISS), /* the number was used again */
	F_LATER(IPPROTO_UDP, OPTAG_C_FRAG),
	F_FIRST(F_P_NONE, "INVITE sip:x SIP/2.0\r\n", OPTAG_C_SIG),
	F_LATER(IPPROTO_UDP, OPTAG_C_SIG),
	F_FIRST(F_P_RECORD, NULL, OPTAG_C_FRAG_LOST),
	F_LATER(IPPROTO_UDP, OPTAG_C_FRAG),
	F_FIRST(F_P_SIP2, "\r\n\r\n", OPTAG_C_SIG),
	F_FIRST(F_P_INSPECT, NULL, OPTAG_C_FRAG_LOST),
	F_FIRST(F_P_GATE, NULL, OPTAG_C_GATE),
	F_FIRST(F_P_BLOCK, NULL, OPTAG_C_BLOCK),
	F_FIRST(F_P_NONE, NULL, OPTAG_C_MISS),
	F_LATER(IPPROTO_UDP, OPTAG_C_FRAG),
	F_FIRST(F_P_RECORD, "\001\001xxxxxxxxxxxxxxxxxxxx", OPTAG_C_NOT_RTP),
	F_FIRST(4789, "\010xxxxxxxxxxxxxxxxxxxxxxx", OPTAG_C_MISS),
	F_FIRST(F_P_SIG, "anything at all", OPTAG_C_SIG),
	F_LATER(IPPROTO_UDP, OPTAG_C_SIG),
	F_FIRST(F_P_SIP, "", OPTAG_C_MISS), /* nobody knows what follows */
	F_LATER(IPPROTO_UDP, OPTAG_C_FRAG),
	{ "first fragment, tcp sip", IPPROTO_TCP, true, F_P_FAR, F_P_SIP, "part of it", OPTAG_C_SIG },
	F_LATER(IPPROTO_TCP, OPTAG_C_SIG),
	{ "first fragment, tcp learned", IPPROTO_TCP, true, F_P_FAR, F_P_TCP_SIG, "part of it", OPTAG_C_SIG },
	{ "first fragment, tcp other", IPPROTO_TCP, true, F_P_FAR, F_P_NONE, "part of it", OPTAG_C_OTHER },
	F_LATER(IPPROTO_TCP, OPTAG_C_FRAG),
	{ "first fragment, icmp", IPPROTO_ICMP, true, 0, 0, "whatever", OPTAG_C_OTHER },
	F_LATER(IPPROTO_ICMP, OPTAG_C_OTHER),
};
#define F_FRAGS (sizeof(f_frags) / sizeof(f_frags[0]))

static void f_build_frag(struct frame *f, struct f_want *w, enum f_encap e, bool v6, const struct f_frag *c)
{
	uint8_t bytes[64] = { 0x80, 8 };
	size_t n = c->text ? strlen(c->text) : sizeof(bytes);
	uint32_t l3, l4;

	memset(w, 0, sizeof(*w));
	if (c->text)
		memcpy(bytes, c->text, n);
	f_init(f, bytes, n);
	f->proto = c->proto;
	if (c->first && c->proto == IPPROTO_UDP)
		f_udp(f, c->sport, c->dport, 2000);
	else if (c->first && c->proto == IPPROTO_TCP)
		f_tcp(f, c->sport, c->dport, F_TCP_PSH);
	l4 = (uint32_t)f_inner(f);
	if (v6) {
		f_frag6(f, c->first ? 1 : 185 << 3);
		f_ip6(f, f_src6, f_dst6, f_inner(f));
	} else {
		f_ip4(f, F_SRC4, F_DST4, f_inner(f), 0, c->first ? 0x2000 : 185);
	}
	l3 = (uint32_t)f_inner(f);
	f_encap(f, e);
	w->encap = f_encap_name[e];
	w->content = c->name;
	w->count = c->want;
	w->kind = OPTAG_SIG_FRAG;
	w->head = (uint32_t)n;
	w->vlan = f_encap_has_vlan(e) ? F_OUTVLAN : 0;
	f_want_addrs(w, v6, false);
	f_want_finish(w, f, l3, l4);
}

typedef void f_visit(void *arg, const struct frame *f, const struct f_want *w);

F_UNUSED static void frames_each(f_visit *visit, void *arg)
{
	struct frame f;
	struct f_want w;

	for (int e = 0; e < F_ENCAPS; e++) {
		for (int s = 0; s < F_SHAPES; s++)
			for (size_t c = 0; c < F_CONTENTS; c++) {
				f_build(&f, &w, (enum f_encap)e, (enum f_shape)s, &f_contents[c]);
				visit(arg, &f, &w);
			}
		for (int v6 = 0; v6 < 2; v6++)
			for (size_t i = 0; i < F_FRAGS; i++) {
				f_build_frag(&f, &w, (enum f_encap)e, v6, &f_frags[i]);
				visit(arg, &f, &w);
			}
	}
}

/* ---- the flows and settings the frames are made for ---- */

struct f_flow {
	uint16_t port;
	struct flow_rule rule;
};

static const struct f_flow f_flows[] = {
	{ F_P_RECORD, { OPTAG_V_RECORD, { F_TE1, F_TE2 }, OPTAG_LEG_CALLEE, IPPROTO_UDP, 0x1001 } },
	{ F_P_GATE, { OPTAG_V_GATE, { F_TE1, F_TE2 }, OPTAG_LEG_CALLER, IPPROTO_UDP, 0x1002 } },
	{ F_P_BLOCK, { OPTAG_V_BLOCK, { F_TE1, F_TE2 }, OPTAG_LEG_CALLER, IPPROTO_UDP, 0x1003 } },
	{ F_P_SIG, { OPTAG_V_SIG, { OPTAG_NO_PT, OPTAG_NO_PT }, 0, IPPROTO_UDP, 0 } },
	{ F_P_INSPECT, { OPTAG_V_INSPECT, { F_TE1, F_TE2 }, OPTAG_LEG_CALLEE, IPPROTO_UDP, 0x1005 } },
	{ F_P_TCP_SIG, { OPTAG_V_SIG, { OPTAG_NO_PT, OPTAG_NO_PT }, 0, IPPROTO_TCP, 0 } },
};

static void f_endpoint(bool v6, uint16_t port, struct endpoint *ret)
{
	if (v6)
		memcpy(ret->addr.b, f_dst6, 16);
	else
		ipaddr_v4(F_DST4, &ret->addr);
	ret->port = port;
}

F_UNUSED static int f_set_flows(struct flow_table *t)
{
	for (size_t i = 0; i < sizeof(f_flows) / sizeof(f_flows[0]); i++)
		for (int v6 = 0; v6 < 2; v6++) {
			struct endpoint at;
			int r;

			f_endpoint(v6, f_flows[i].port, &at);
			r = flow_set(t, &at, &f_flows[i].rule, NULL);
			if (r < 0)
				return r;
		}
	return 0;
}

F_UNUSED static void f_config(struct optag_config *cfg)
{
	memset(cfg, 0, sizeof(*cfg));
	cfg->abi = OPTAG_ABI;
	cfg->flow_mask = F_LINES - 1;
	cfg->hash_seed = F_SEED;
	cfg->sip_ports[0] = htons(F_P_SIP);
	cfg->sip_ports[1] = htons(F_P_SIP2);
}

/* Twenty milliseconds of RTP to one of f_flows, or an event. */
F_UNUSED static void f_rtp(struct frame *f, uint16_t port, uint8_t pt, uint16_t seq, uint32_t ssrc)
{
	uint8_t p[172] = { 0x80, pt, (uint8_t)(seq >> 8), (uint8_t)seq };

	size_t n = (pt & 0x7f) == F_TE1 ? 16 : sizeof(p);

	be32enc(p + 8, ssrc);
	f_init(f, p, n);
	f_udp(f, F_P_FAR, port, n);
	f_ip4(f, F_SRC4, F_DST4, f_inner(f), 0, 0x4000);
	f_eth(f, 0x02);
}

#endif
