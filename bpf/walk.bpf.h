/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * walk.bpf.h - from a frame to the innermost UDP or TCP header, or the fragment
 *
 * The first part of the classifier (parse.bpf.h): link layers, tunnels and IP, as BPF and as
 * plain C, with the macros by which one source is both.
 *
 * Bounds: every byte is read through optag_bytes, which checks `avail` (what
 * the headers and the capture leave) and, for the verifier, data_end. `off`
 * stays under OPTAG_MAX_OFF, so the verifier keeps its range. The walk is a
 * loop over header kinds, bounded by OPTAG_MAX_DEPTH; adding `zero` to off in
 * each round makes all ways to one kind look alike to the verifier, else it
 * follows every order of headers (over a million instructions). Lengths that reach past
 * an outer header or the capture shorten what is there (SPAN and ERSPAN cut
 * packets); lengths that contradict themselves are OPTAG_C_BAD.
 */
#ifndef OPTAG_WALK_H
#define OPTAG_WALK_H

#include "optag.h"

#define OPTAG_INLINE static inline __attribute__((always_inline))

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define OPTAG_BE16(x)	((__u16)__builtin_bswap16((__u16)(x)))
#define OPTAG_BE32(x)	((__u32)__builtin_bswap32((__u32)(x)))
#define OPTAG_BE64(x)	((__u64)__builtin_bswap64((__u64)(x)))
#define OPTAG_V4_PREFIX 0xffff0000ULL
#define OPTAG_V4_SHIFT	32
#else
#define OPTAG_BE16(x)	((__u16)(x))
#define OPTAG_BE32(x)	((__u32)(x))
#define OPTAG_BE64(x)	((__u64)(x))
#define OPTAG_V4_PREFIX 0x0000ffff00000000ULL
#define OPTAG_V4_SHIFT	0
#endif

/*
 * Unaligned reads. clang compiles memcpy from bytes into single loads on BPF's
 * strict alignment; XDP runs on machines where the wide load is fine. In user
 * space memcpy is the defined way and as fast.
 * Flow entries are read while another CPU writes them: one load a word, in order.
 */
#ifdef __bpf__
#define OPTAG_GET(type, p)  (*(const type *)(const void *)(p))
#define OPTAG_PUT(type, p, x) (*(type *)(void *)(p) = (x))
#define OPTAG_LOAD(x)	    (*(const volatile __typeof__(x) *)&(x))
#define OPTAG_STORE(x, v)   ((x) = (v))
#define OPTAG_HIDE(x)	    __asm__ volatile("" : "+r"(x)) /* clang may not join tests of x across it */
#define OPTAG_UNROLL	    _Pragma("clang loop unroll(full)")
#else
#define OPTAG_GET(type, p)                                                                         \
	({                                                                                         \
		type val_;                                                                         \
		__builtin_memcpy(&val_, (p), sizeof(val_));                                        \
		val_;                                                                              \
	})
#define OPTAG_LOAD(x)	    __atomic_load_n(&(x), __ATOMIC_ACQUIRE)
#define OPTAG_STORE(x, v)   __atomic_store_n(&(x), (v), __ATOMIC_RELAXED)
#define OPTAG_HIDE(x)	    ((void)0)
#define OPTAG_UNROLL
#endif

/* ---- what is walked, and what was found ---- */

struct optag_pkt {
	const __u8 *data;
	const __u8 *end; /* end of what may be read directly */
	__u32 avail;	 /* bytes from data that belong to the packet and are there */
	__u32 zero;	 /* 0, for the verifier: loaded from a map value, so any number to it */
};

struct optag_view {
	__u64 src[2]; /* addresses of the innermost IP header, as in optag.h */
	__u64 dst[2];
	__u32 off;     /* the walk's position; at the end the payload */
	__u32 ip_off;  /* innermost IP header */
	__u32 ip_len;  /* its packet's length by the header */
	__u32 ip_have; /* how much of that is there */
	__u32 l4_off;  /* UDP/TCP header, or the fragment's payload */
	__u32 pay_off;
	__u32 pay_len; /* by the headers; avail may leave less */
	__be16 sport;
	__be16 dport;
	__be16 vlan; /* outermost VLAN id */
	__u8 family; /* 4, 6; 0: no IP header yet */
	__u8 kind;   /* enum optag_sig_kind */
	__u8 tcp_flags;
	__u8 frag;     /* 0, or it is a fragment: as optag_frag_key.proto */
	__u32 frag_id; /* as there */
};

/* The next header: an EtherType below 0x10000, else one of these. */
enum optag_next {
	OPTAG_N_PROTO = 0x10000, /* | IP protocol number */
	OPTAG_N_ETH = 0x20000,
	OPTAG_N_IP,   /* IPv4 or IPv6, by the first nibble */
	OPTAG_N_PPP,  /* PPP protocol field, perhaps behind ff 03 */
	OPTAG_N_GTPX, /* GTP-U extension header */
	OPTAG_N_DONE = 0x40000,
	OPTAG_N_UDP = OPTAG_N_DONE,
	OPTAG_N_TCP,
	OPTAG_N_FRAG,
	OPTAG_N_DROP = 0x80000, /* | enum optag_count */
};
#define OPTAG_N_BAD   (OPTAG_N_DROP | OPTAG_C_BAD)
#define OPTAG_N_OTHER (OPTAG_N_DROP | OPTAG_C_OTHER)
#define OPTAG_N_DEPTH (OPTAG_N_DROP | OPTAG_C_DEPTH)

enum {
	OPTAG_ET_IPV4 = 0x0800,
	OPTAG_ET_IPV6 = 0x86dd,
	OPTAG_ET_VLAN = 0x8100,
	OPTAG_ET_QINQ = 0x88a8,
	OPTAG_ET_QINQ_OLD = 0x9100,
	OPTAG_ET_MPLS = 0x8847,
	OPTAG_ET_MPLS_MC = 0x8848,
	OPTAG_ET_PPPOE = 0x8864,
	OPTAG_ET_TEB = 0x6558,
	OPTAG_ET_ERSPAN2 = 0x88be,
	OPTAG_ET_ERSPAN3 = 0x22eb,
	OPTAG_ET_PPP = 0x880b,

	OPTAG_IP_HOPOPTS = 0,
	OPTAG_IP_IPIP = 4,
	OPTAG_IP_TCP = 6,
	OPTAG_IP_UDP = 17,
	OPTAG_IP_IPV6 = 41,
	OPTAG_IP_ROUTING = 43,
	OPTAG_IP_FRAGMENT = 44,
	OPTAG_IP_GRE = 47,
	OPTAG_IP_AH = 51,
	OPTAG_IP_DSTOPTS = 60,

	OPTAG_PORT_VXLAN = 4789,
	OPTAG_PORT_GTPU = 2152,

	OPTAG_TCP_FIN_SYN_RST = 0x07,
};

/* n bytes at off, or NULL when they are not all there. */
OPTAG_INLINE const __u8 *optag_bytes(const struct optag_pkt *p, __u32 off, __u32 n)
{
#ifdef __bpf__
	const __u8 *q = p->data + off;

	if (off + n > p->avail || q + n > p->end)
		return 0;
	return q;
#else
	if (n > p->avail || off > p->avail - n)
		return 0;
	return p->data + off;
#endif
}

OPTAG_INLINE __u16 optag_be16(const __u8 *p)
{
	return OPTAG_BE16(OPTAG_GET(__u16, p));
}

/* ---- link layers and tunnels ---- */

OPTAG_INLINE __u32 optag_ethernet(const struct optag_pkt *p, struct optag_view *v)
{
	const __u8 *h = optag_bytes(p, v->off, 14);
	__u16 type;

	if (!h)
		return OPTAG_N_BAD;
	type = optag_be16(h + 12);
	v->off += 14;
	return type < 0x600 ? OPTAG_N_OTHER : type; /* below: an 802.3 length */
}

OPTAG_INLINE __u32 optag_vlan(const struct optag_pkt *p, struct optag_view *v)
{
	const __u8 *h = optag_bytes(p, v->off, 4);

	if (!h)
		return OPTAG_N_BAD;
	if (!v->vlan)
		v->vlan = OPTAG_GET(__be16, h) & OPTAG_BE16(0x0fff);
	v->off += 4;
	return optag_be16(h + 2);
}

OPTAG_INLINE int optag_ethertype_known(__u16 t)
{
	return t == OPTAG_ET_IPV4 || t == OPTAG_ET_IPV6 || t == OPTAG_ET_VLAN ||
	       t == OPTAG_ET_QINQ || t == OPTAG_ET_QINQ_OLD || t == OPTAG_ET_MPLS ||
	       t == OPTAG_ET_PPPOE;
}

/*
 * One label. Nothing says what follows the last one: IP by its nibble (RFC 4928);
 * nibble 0 is a pseudo-wire control word (RFC 4385) or the start of a MAC address
 * without one, which the EtherType behind it tells apart; nibble 1 is an
 * associated channel, never a user's packet.
 */
OPTAG_INLINE __u32 optag_mpls(const struct optag_pkt *p, struct optag_view *v)
{
	const __u8 *h = optag_bytes(p, v->off, 5);
	__u8 nibble;

	if (!h)
		return OPTAG_N_BAD;
	v->off += 4;
	if (!(h[2] & 1))
		return OPTAG_ET_MPLS;
	nibble = h[4] >> 4;
	if (nibble == 4)
		return OPTAG_ET_IPV4;
	if (nibble == 6)
		return OPTAG_ET_IPV6;
	if (nibble == 1)
		return OPTAG_N_OTHER;
	if (nibble == 0) {
		h = optag_bytes(p, v->off, 18);
		if (!h)
			return OPTAG_N_BAD;
		if (optag_ethertype_known(optag_be16(h + 16)))
			v->off += 4;
	}
	return OPTAG_N_ETH;
}

OPTAG_INLINE __u32 optag_pppoe(const struct optag_pkt *p, struct optag_view *v)
{
	const __u8 *h = optag_bytes(p, v->off, 6);

	if (!h)
		return OPTAG_N_BAD;
	if (h[0] != 0x11 || h[1])
		return OPTAG_N_OTHER;
	v->off += 6;
	return OPTAG_N_PPP;
}

/* RFC 1661/1662: address and control may be there, an odd first protocol byte stands alone. */
OPTAG_INLINE __u32 optag_ppp(const struct optag_pkt *p, struct optag_view *v)
{
	const __u8 *h = optag_bytes(p, v->off, 4);
	__u16 proto;

	if (!h)
		return OPTAG_N_BAD;
	if (h[0] == 0xff && h[1] == 0x03) {
		v->off += 2;
		h += 2;
	}
	if (h[0] & 1) {
		proto = h[0];
		v->off += 1;
	} else {
		proto = optag_be16(h);
		v->off += 2;
	}
	if (proto == 0x21)
		return OPTAG_ET_IPV4;
	if (proto == 0x57)
		return OPTAG_ET_IPV6;
	if (proto == 0x281)
		return OPTAG_ET_MPLS;
	return OPTAG_N_OTHER;
}

/* PPTP's GRE (RFC 2637): key always, PPP only behind a sequence number. */
OPTAG_INLINE __u32 optag_gre1(struct optag_view *v, __u16 flags, __u16 type)
{
	if (type != OPTAG_ET_PPP || (flags & 0xe000) != 0x2000 || !(flags & 0x1000))
		return OPTAG_N_OTHER;
	v->off += 12 + (flags & 0x0080 ? 4 : 0);
	return OPTAG_N_PPP;
}

/* RFC 2784 and 2890. ERSPAN without a sequence number is type I: no header of its own. */
OPTAG_INLINE __u32 optag_gre(const struct optag_pkt *p, struct optag_view *v)
{
	const __u8 *h = optag_bytes(p, v->off, 4);
	__u16 flags, type;

	if (!h)
		return OPTAG_N_BAD;
	flags = optag_be16(h);
	type = optag_be16(h + 2);
	if ((flags & 7) == 1)
		return optag_gre1(v, flags, type);
	if ((flags & 7) || (flags & 0x4000)) /* other version; source routes (RFC 1701) */
		return OPTAG_N_OTHER;
	v->off += 4 + (flags & 0x8000 ? 4 : 0) + (flags & 0x2000 ? 4 : 0) +
		  (flags & 0x1000 ? 4 : 0);
	if (type == OPTAG_ET_TEB || (type == OPTAG_ET_ERSPAN2 && !(flags & 0x1000)))
		return OPTAG_N_ETH;
	return type;
}

OPTAG_INLINE __u32 optag_erspan2(const struct optag_pkt *p, struct optag_view *v)
{
	const __u8 *h = optag_bytes(p, v->off, 8);

	if (!h)
		return OPTAG_N_BAD;
	if (h[0] >> 4 != 1)
		return OPTAG_N_OTHER;
	v->off += 8;
	return OPTAG_N_ETH;
}

/* 12 bytes; the last holds frame type (0 Ethernet, 2 IP) and whether 8 bytes for the platform follow. */
OPTAG_INLINE __u32 optag_erspan3(const struct optag_pkt *p, struct optag_view *v)
{
	const __u8 *h = optag_bytes(p, v->off, 12);
	__u8 type;

	if (!h)
		return OPTAG_N_BAD;
	if (h[0] >> 4 != 2)
		return OPTAG_N_OTHER;
	type = h[10] >> 2 & 0x1f;
	v->off += h[11] & 1 ? 20 : 12;
	if (type == 0)
		return OPTAG_N_ETH;
	return type == 2 ? OPTAG_N_IP : OPTAG_N_OTHER;
}

OPTAG_INLINE __u32 optag_ip_nibble(const struct optag_pkt *p, const struct optag_view *v)
{
	const __u8 *h = optag_bytes(p, v->off, 1);

	if (!h)
		return OPTAG_N_BAD;
	if (h[0] >> 4 == 4)
		return OPTAG_ET_IPV4;
	return h[0] >> 4 == 6 ? OPTAG_ET_IPV6 : OPTAG_N_OTHER;
}

/*
 * 3GPP TS 29.281 5.2: length in words, the last byte names the next. An IP and a
 * UDP header lie before; saying so keeps off + n - 1 above 0 for the verifier of
 * 6.1, which does not learn from `!n`.
 */
OPTAG_INLINE __u32 optag_gtpx(const struct optag_pkt *p, struct optag_view *v)
{
	__u32 off = v->off, n;
	const __u8 *h;

	OPTAG_HIDE(off);
	if (off < 28)
		return OPTAG_N_BAD;
	h = optag_bytes(p, off, 1);
	if (!h)
		return OPTAG_N_BAD;
	n = (__u32)h[0] * 4;
	if (!n)
		return OPTAG_N_BAD;
	h = optag_bytes(p, off + n - 1, 1);
	if (!h)
		return OPTAG_N_BAD;
	v->off = off + n;
	return h[0] ? OPTAG_N_GTPX : OPTAG_N_IP;
}

/* ---- IP and what it carries ---- */

/* The first one goes on to its UDP or TCP header, which tells what all of them are. */
OPTAG_INLINE __u32 optag_fragment(struct optag_view *v, __u32 proto, int first)
{
	if (proto != OPTAG_IP_UDP && proto != OPTAG_IP_TCP)
		return OPTAG_N_OTHER;
	v->frag = v->family == 4 ? (__u8)proto : OPTAG_IP_FRAGMENT;
	if (first)
		return OPTAG_N_PROTO | proto;
	v->l4_off = v->off;
	v->kind = OPTAG_SIG_FRAG;
	return OPTAG_N_FRAG;
}

/* What lies behind the IP packet (Ethernet padding, an outer trailer) is not the packet's. */
OPTAG_INLINE void optag_ip_length(struct optag_pkt *p, struct optag_view *v, __u32 len)
{
	v->ip_off = v->off;
	v->ip_len = len;
	if (p->avail > v->off + len)
		p->avail = v->off + len;
	v->ip_have = p->avail - v->off;
}

OPTAG_INLINE __u32 optag_ipv4(struct optag_pkt *p, struct optag_view *v)
{
	const __u8 *h = optag_bytes(p, v->off, 20);
	__u32 hlen, len;

	if (!h)
		return OPTAG_N_BAD;
	hlen = (h[0] & 15) * 4U;
	len = optag_be16(h + 2);
	if (h[0] >> 4 != 4 || hlen < 20 || len < hlen)
		return OPTAG_N_BAD;
	v->family = 4;
	v->src[0] = v->dst[0] = 0;
	v->src[1] = OPTAG_V4_PREFIX | (__u64)OPTAG_GET(__u32, h + 12) << OPTAG_V4_SHIFT;
	v->dst[1] = OPTAG_V4_PREFIX | (__u64)OPTAG_GET(__u32, h + 16) << OPTAG_V4_SHIFT;
	optag_ip_length(p, v, len);
	v->off += hlen;
	if (v->off > p->avail)
		return OPTAG_N_BAD;
	if (optag_be16(h + 6) & 0x3fff) {
		v->frag_id = OPTAG_GET(__be16, h + 4);
		return optag_fragment(v, h[9], !(optag_be16(h + 6) & 0x1fff));
	}
	return OPTAG_N_PROTO | h[9];
}

OPTAG_INLINE __u32 optag_ipv6(struct optag_pkt *p, struct optag_view *v)
{
	const __u8 *h = optag_bytes(p, v->off, 40);

	if (!h || h[0] >> 4 != 6)
		return OPTAG_N_BAD;
	v->family = 6;
	v->src[0] = OPTAG_GET(__u64, h + 8);
	v->src[1] = OPTAG_GET(__u64, h + 16);
	v->dst[0] = OPTAG_GET(__u64, h + 24);
	v->dst[1] = OPTAG_GET(__u64, h + 32);
	optag_ip_length(p, v, 40U + optag_be16(h + 4));
	v->off += 40;
	return OPTAG_N_PROTO | h[6];
}

/* Hop-by-hop, routing, destination options; AH counts its length differently (RFC 4302 2.2). */
OPTAG_INLINE __u32 optag_extension(const struct optag_pkt *p, struct optag_view *v, int ah)
{
	const __u8 *h = optag_bytes(p, v->off, 8);

	if (!h)
		return OPTAG_N_BAD;
	v->off += ah ? (h[1] + 2U) * 4 : (h[1] + 1U) * 8;
	return OPTAG_N_PROTO | h[0];
}

/* A fragment header with offset 0 and no more to come is a whole packet (RFC 6946). */
OPTAG_INLINE __u32 optag_fragment6(const struct optag_pkt *p, struct optag_view *v)
{
	const __u8 *h = optag_bytes(p, v->off, 8);

	if (!h)
		return OPTAG_N_BAD;
	v->off += 8;
	if (optag_be16(h + 2) & 0xfff9) {
		v->frag_id = OPTAG_GET(__u32, h + 4);
		return optag_fragment(v, h[0], !(optag_be16(h + 2) & 0xfff8));
	}
	return OPTAG_N_PROTO | h[0];
}

/* A tunnel in UDP, or OPTAG_N_UDP. First bytes that no RTP or SIP packet has. */
OPTAG_INLINE __u32 optag_udp_tunnel(const struct optag_pkt *p, struct optag_view *v)
{
	const __u8 *h = optag_bytes(p, v->off, 12);
	__u8 next;

	if (!h)
		return OPTAG_N_UDP;
	if (v->dport == OPTAG_BE16(OPTAG_PORT_VXLAN) && h[0] == 0x08) {
		v->off += 8;
		return OPTAG_N_ETH;
	}
	if (v->dport != OPTAG_BE16(OPTAG_PORT_GTPU) || (h[0] & 0xf0) != 0x30 || h[1] != 0xff)
		return OPTAG_N_UDP;
	next = h[0] & 4 ? h[11] : 0; /* E; any of E, S, PN makes room for all three */
	v->off += h[0] & 7 ? 12 : 8;
	return next ? OPTAG_N_GTPX : OPTAG_N_IP;
}

OPTAG_INLINE __u32 optag_udp(struct optag_pkt *p, struct optag_view *v)
{
	const __u8 *h = optag_bytes(p, v->off, 8);
	__u32 len;

	if (!h)
		return OPTAG_N_BAD;
	len = optag_be16(h + 4);
	if (len < 8 || (!v->frag && v->off - v->ip_off + len > v->ip_len))
		return OPTAG_N_BAD;
	v->sport = OPTAG_GET(__be16, h);
	v->dport = OPTAG_GET(__be16, h + 2);
	v->l4_off = v->off;
	if (p->avail > v->off + len)
		p->avail = v->off + len;
	v->off += 8;
	v->pay_off = v->off;
	v->pay_len = len - 8;
	v->kind = v->frag ? OPTAG_SIG_FRAG : OPTAG_SIG_UDP;
	if (v->frag) /* a tunnel's packet would be a torn one */
		return OPTAG_N_UDP;
	if (v->dport == OPTAG_BE16(OPTAG_PORT_VXLAN) || v->dport == OPTAG_BE16(OPTAG_PORT_GTPU))
		return optag_udp_tunnel(p, v);
	return OPTAG_N_UDP;
}

OPTAG_INLINE __u32 optag_tcp(const struct optag_pkt *p, struct optag_view *v)
{
	const __u8 *h = optag_bytes(p, v->off, 20);
	__u32 hlen, used;

	if (!h)
		return OPTAG_N_BAD;
	hlen = (h[12] >> 4) * 4U;
	used = v->off - v->ip_off + hlen;
	if (hlen < 20 || used > v->ip_len || v->off + hlen > p->avail)
		return OPTAG_N_BAD;
	v->sport = OPTAG_GET(__be16, h);
	v->dport = OPTAG_GET(__be16, h + 2);
	v->tcp_flags = h[13];
	v->l4_off = v->off;
	v->off += hlen;
	v->pay_off = v->off;
	v->pay_len = v->ip_len - used;
	v->kind = v->frag ? OPTAG_SIG_FRAG : OPTAG_SIG_TCP;
	return OPTAG_N_TCP;
}

OPTAG_INLINE __u32 optag_protocol(struct optag_pkt *p, struct optag_view *v, __u32 proto)
{
	switch (proto) {
	case OPTAG_IP_UDP:
		return optag_udp(p, v);
	case OPTAG_IP_TCP:
		return optag_tcp(p, v);
	case OPTAG_IP_GRE:
		return optag_gre(p, v);
	case OPTAG_IP_IPIP:
		return OPTAG_ET_IPV4;
	case OPTAG_IP_IPV6:
		return OPTAG_ET_IPV6;
	case OPTAG_IP_AH:
		return optag_extension(p, v, 1);
	case OPTAG_IP_HOPOPTS:
	case OPTAG_IP_ROUTING:
	case OPTAG_IP_DSTOPTS:
		return v->family == 6 ? optag_extension(p, v, 0) : OPTAG_N_OTHER;
	case OPTAG_IP_FRAGMENT:
		return v->family == 6 ? optag_fragment6(p, v) : OPTAG_N_OTHER;
	default:
		return OPTAG_N_OTHER;
	}
}

/* Hidden behind its test, off has no copy that the verifier of 6.1 believes to be larger. */
OPTAG_INLINE __u32 optag_step(struct optag_pkt *p, struct optag_view *v, __u32 next)
{
	__u32 off = v->off + p->zero;

	if (off > OPTAG_MAX_OFF)
		return OPTAG_N_DEPTH;
	OPTAG_HIDE(off);
	v->off = off;
	switch (next) {
	case OPTAG_ET_IPV4:
		return optag_ipv4(p, v);
	case OPTAG_ET_IPV6:
		return optag_ipv6(p, v);
	case OPTAG_N_ETH:
		return optag_ethernet(p, v);
	case OPTAG_ET_VLAN:
	case OPTAG_ET_QINQ:
	case OPTAG_ET_QINQ_OLD:
		return optag_vlan(p, v);
	case OPTAG_ET_MPLS:
	case OPTAG_ET_MPLS_MC:
		return optag_mpls(p, v);
	case OPTAG_ET_PPPOE:
		return optag_pppoe(p, v);
	case OPTAG_N_PPP:
		return optag_ppp(p, v);
	case OPTAG_ET_ERSPAN2:
		return v->family ? optag_erspan2(p, v) : OPTAG_N_OTHER;
	case OPTAG_ET_ERSPAN3:
		return v->family ? optag_erspan3(p, v) : OPTAG_N_OTHER;
	case OPTAG_N_IP:
		return optag_ip_nibble(p, v);
	case OPTAG_N_GTPX:
		return optag_gtpx(p, v);
	default:
		if (next & OPTAG_N_PROTO)
			return optag_protocol(p, v, next & 0xff);
		return OPTAG_N_OTHER;
	}
}

/*
 * For optag_walk, with zeroes that the verifier does not know to be zero. Of two ways
 * through the walk it forgets one when what is live looks alike, but on 6.1 a known zero
 * is not like an unknown number: with plain zeroes it gives up after a million instructions.
 */
OPTAG_INLINE void optag_view_zero(struct optag_view *v, __u64 z)
{
	v->src[0] = v->src[1] = v->dst[0] = v->dst[1] = z;
	v->off = v->ip_off = v->ip_len = v->ip_have = v->l4_off = v->pay_off = v->pay_len = v->frag_id = (__u32)z;
	v->sport = v->dport = v->vlan = (__be16)z;
	v->family = v->kind = v->tcp_flags = v->frag = (__u8)z;
}

/* Walks from `first` on; the result is OPTAG_N_UDP, _TCP (v->frag: of a first fragment), _FRAG (a later one) or
 * OPTAG_N_DROP | count. */
OPTAG_INLINE __u32 optag_walk(struct optag_pkt *p, struct optag_view *v, __u32 first)
{
	__u32 next = first;
	int i;

	for (i = 0; i < OPTAG_MAX_DEPTH; i++) {
		next = optag_step(p, v, next);
		if (next >= OPTAG_N_DONE)
			return next;
	}
	return OPTAG_N_DEPTH;
}

/* ---- the plain packet ---- */

/* A plain packet's headers. */
struct optag_plain {
	const __u8 *ip;
	__be16 vlan;
};

/* Whether n bytes from q on are there, of a packet nobody has cut yet; q is in it. */
OPTAG_INLINE int optag_there(const struct optag_pkt *p, const __u8 *q, __u32 n)
{
#ifdef __bpf__
	return q + n <= p->end;
#else
	return n <= p->avail - (__u32)(q - p->data);
#endif
}

/* The same of a length by the headers. */
OPTAG_INLINE int optag_whole(const struct optag_pkt *p, const __u8 *q, __u32 n)
{
#ifdef __bpf__
	return n <= (__u32)(p->end - q);
#else
	return optag_there(p, q, n);
#endif
}

OPTAG_INLINE int optag_family(__be16 type)
{
	if (type == OPTAG_BE16(OPTAG_ET_IPV4))
		return 4;
	return type == OPTAG_BE16(OPTAG_ET_IPV6) ? 6 : 0;
}

/*
 * Which IP (4, 6) there is behind Ethernet and up to two tags, if 40 bytes of it are there; 0: neither. IPv4
 * without a tag is looked for first.
 */
OPTAG_INLINE int optag_plain_link(const struct optag_pkt *p, struct optag_plain *ret)
{
	const __u8 *h = p->data;
	__be16 type;

	if (!optag_there(p, h, 54))
		return 0;
	ret->vlan = 0;
	ret->ip = h + 14;
	type = OPTAG_GET(__be16, h + 12);
	if (type == OPTAG_BE16(OPTAG_ET_IPV4))
		return 4;
	if (type != OPTAG_BE16(OPTAG_ET_VLAN) && type != OPTAG_BE16(OPTAG_ET_QINQ))
		return optag_family(type);
	ret->vlan = OPTAG_GET(__be16, h + 14) & OPTAG_BE16(0x0fff);
	ret->ip = h + 18;
	type = OPTAG_GET(__be16, h + 16);
	if (type != OPTAG_BE16(OPTAG_ET_VLAN))
		return optag_family(type);
	if (!ret->vlan)
		ret->vlan = OPTAG_GET(__be16, h + 18) & OPTAG_BE16(0x0fff);
	ret->ip = h + 22;
	return optag_family(OPTAG_GET(__be16, h + 20));
}

/*
 * The UDP header behind ip (family 4 or 6), when there are no options and no fragment, the packet
 * is whole, and the payload is no tunnel's and 12 bytes, an RTP header's, at least; else NULL.
 */
OPTAG_INLINE const __u8 *optag_plain_udp(const struct optag_pkt *p, const __u8 *ip, int family)
{
	__u32 hlen = family == 4 ? 20 : 40, len, ip_len;
	const __u8 *udp = ip + hlen;
	__be16 dport;

	if (!optag_there(p, ip, hlen + 20))
		return 0;
	if (family == 4) {
		/* no fragment and UDP: three fields in one look, the time to live between them masked */
		if (ip[0] != 0x45 ||
		    (OPTAG_GET(__u32, ip + 6) & OPTAG_BE32(0x3fff00ff)) != OPTAG_BE32(OPTAG_IP_UDP))
			return 0;
		ip_len = optag_be16(ip + 2);
	} else {
		if (ip[0] >> 4 != 6 || ip[6] != OPTAG_IP_UDP)
			return 0;
		ip_len = 40U + optag_be16(ip + 4);
	}
	len = optag_be16(udp + 4);
	if (len < 20 || hlen + len > ip_len || !optag_whole(p, ip, ip_len))
		return 0;
	dport = OPTAG_GET(__be16, udp + 2);
	return dport == OPTAG_BE16(OPTAG_PORT_VXLAN) || dport == OPTAG_BE16(OPTAG_PORT_GTPU) ? 0 : udp;
}

/* p and v of such a packet, as optag_walk would leave them. */
OPTAG_INLINE void optag_plain_view(struct optag_pkt *p, const struct optag_plain *q, int family,
				   struct optag_view *v)
{
	const __u8 *ip = q->ip, *udp = ip + (family == 4 ? 20 : 40);
	__u64 at = (__u64)(ip - p->data);
	__u32 len = optag_be16(udp + 4);

	OPTAG_HIDE(at); /* or half of a pointer is put by, which no verifier lets pass */
	v->family = (__u8)family;
	if (family == 4) {
		v->src[0] = v->dst[0] = 0;
		v->src[1] = OPTAG_V4_PREFIX | (__u64)OPTAG_GET(__u32, ip + 12) << OPTAG_V4_SHIFT;
		v->dst[1] = OPTAG_V4_PREFIX | (__u64)OPTAG_GET(__u32, ip + 16) << OPTAG_V4_SHIFT;
		v->ip_len = optag_be16(ip + 2);
	} else {
		v->src[0] = OPTAG_GET(__u64, ip + 8);
		v->src[1] = OPTAG_GET(__u64, ip + 16);
		v->dst[0] = OPTAG_GET(__u64, ip + 24);
		v->dst[1] = OPTAG_GET(__u64, ip + 32);
		v->ip_len = 40U + optag_be16(ip + 4);
	}
	v->sport = OPTAG_GET(__be16, udp);
	v->dport = OPTAG_GET(__be16, udp + 2);
	v->vlan = q->vlan;
	v->tcp_flags = v->frag = 0;
	v->frag_id = 0;
	v->kind = OPTAG_SIG_UDP;
	v->ip_have = v->ip_len;
	v->ip_off = (__u32)at;
	v->l4_off = v->ip_off + (family == 4 ? 20 : 40);
	v->off = v->pay_off = v->l4_off + 8;
	v->pay_len = len - 8;
	p->avail = v->l4_off + len;
}

#ifndef __bpf__
/*
 * A packet that is whole, with nothing between Ethernet, tags, IP and UDP, and payload
 * enough for RTP: that payload, and p and v are as optag_walk would leave them. Else
 * NULL, and p and v are untouched.
 */
OPTAG_INLINE const __u8 *optag_plain(struct optag_pkt *p, struct optag_view *v)
{
	const __u8 *udp;
	struct optag_plain q;
	int family = optag_plain_link(p, &q);

	if (!family)
		return 0;
	udp = optag_plain_udp(p, q.ip, family);
	if (!udp)
		return 0;
	optag_plain_view(p, &q, family, v);
	return udp + 8;
}
#endif

#endif
