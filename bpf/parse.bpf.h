/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * parse.bpf.h - the classifier: from a frame to one decision
 *
 * One source, compiled as BPF for XDP and as plain C for capture files. It
 * walks the headers down to the innermost UDP or TCP, asks the flow table and
 * says in exactly one enum optag_count where the packet goes; it copies and
 * counts nothing itself. The user then hands the bytes up in its own way:
 *
 *	optag_classify() -> OPTAG_C_SIG:            optag_fill_sig, packet at v.ip_off
 *	                    OPTAG_C_AUDIO, _EVENT:  optag_fill_rec, payload at v.pay_off
 *	                    all others:             no bytes leave
 *
 * Nearly all packets are plain: Ethernet, a tag or two, IP, UDP. optag_plain knows
 * those without a walk, in a tenth of its time, and comes to the same view. In user
 * space optag_classify does all that. As BPF it is two functions, because in one they
 * are too much for the verifier of 6.1: one does optag_plain and media (optag_plain_sip
 * says what is not), the other optag_walk and optag_decide for all the rest.
 *
 * Whoever includes this defines two functions first, the way to the flow table
 * (both may give NULL):
 *	static const __u32 *optag_tags(void *tab, __u32 line);
 *	static struct optag_flow *optag_entry(void *tab, __u32 slot);
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
#ifndef OPTAG_PARSE_H
#define OPTAG_PARSE_H

#include "optag.h"

#define OPTAG_INLINE static inline __attribute__((always_inline))

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define OPTAG_BE16(x)	((__u16)__builtin_bswap16((__u16)(x)))
#define OPTAG_BE64(x)	((__u64)__builtin_bswap64((__u64)(x)))
#define OPTAG_V4_PREFIX 0xffff0000ULL
#define OPTAG_V4_SHIFT	32
#else
#define OPTAG_BE16(x)	((__u16)(x))
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
};

/* A flow entry as it was at one instant. */
struct optag_hit {
	struct optag_flow *flow; /* for its counters; NULL: none */
	__u32 rtp; /* sequence number, tag of the SSRC in bits 16 to 23; set when optag_decide says that it is RTP */
	union {
		__u64 head; /* all as in struct optag_flow */
		struct {
			__be16 port;
			__u8 verdict;
			__u8 te1;
			__u32 gen;
		};
	};
	union {
		__u64 tail;
		struct {
			__u32 ring;
			__u8 leg;
			__u8 te2;
			__u8 proto;
			__u8 pad;
		};
	};
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

OPTAG_INLINE __u32 optag_fragment(struct optag_view *v, __u32 proto)
{
	if (proto != OPTAG_IP_UDP && proto != OPTAG_IP_TCP)
		return OPTAG_N_OTHER;
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
	if (optag_be16(h + 6) & 0x3fff)
		return optag_fragment(v, h[9]);
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
	if (optag_be16(h + 2) & 0xfff9)
		return optag_fragment(v, h[0]);
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
	if (len < 8 || v->off - v->ip_off + len > v->ip_len)
		return OPTAG_N_BAD;
	v->sport = OPTAG_GET(__be16, h);
	v->dport = OPTAG_GET(__be16, h + 2);
	v->l4_off = v->off;
	if (p->avail > v->off + len)
		p->avail = v->off + len;
	v->off += 8;
	v->pay_off = v->off;
	v->pay_len = len - 8;
	v->kind = OPTAG_SIG_UDP;
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
	v->kind = OPTAG_SIG_TCP;
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
	v->off = v->ip_off = v->ip_len = v->ip_have = v->l4_off = v->pay_off = v->pay_len = (__u32)z;
	v->sport = v->dport = v->vlan = (__be16)z;
	v->family = v->kind = v->tcp_flags = (__u8)z;
}

/* Walks from `first` on; the result is OPTAG_N_UDP, _TCP, _FRAG or OPTAG_N_DROP | count. */
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

/* Behind Ethernet and up to two tags; 54 bytes are there. */
OPTAG_INLINE __u32 optag_plain_link(const __u8 *h, struct optag_view *v, __be16 *ret_type)
{
	__be16 type = OPTAG_GET(__be16, h + 12);

	*ret_type = type;
	if (type != OPTAG_BE16(OPTAG_ET_VLAN) && type != OPTAG_BE16(OPTAG_ET_QINQ))
		return 14;
	v->vlan = OPTAG_GET(__be16, h + 14) & OPTAG_BE16(0x0fff);
	type = OPTAG_GET(__be16, h + 16);
	*ret_type = type;
	if (type != OPTAG_BE16(OPTAG_ET_VLAN))
		return 18;
	if (!v->vlan)
		v->vlan = OPTAG_GET(__be16, h + 18) & OPTAG_BE16(0x0fff);
	*ret_type = OPTAG_GET(__be16, h + 20);
	return 22;
}

/* No options, no fragment, UDP: where that starts in the packet, else 0. 40 bytes are there. */
OPTAG_INLINE __u32 optag_plain_ip4(const __u8 *h, struct optag_view *v)
{
	if (h[0] != 0x45 || h[9] != OPTAG_IP_UDP ||
	    (OPTAG_GET(__u16, h + 6) & OPTAG_BE16(0x3fff)))
		return 0;
	v->family = 4;
	v->src[0] = v->dst[0] = 0;
	v->src[1] = OPTAG_V4_PREFIX | (__u64)OPTAG_GET(__u32, h + 12) << OPTAG_V4_SHIFT;
	v->dst[1] = OPTAG_V4_PREFIX | (__u64)OPTAG_GET(__u32, h + 16) << OPTAG_V4_SHIFT;
	v->ip_len = optag_be16(h + 2);
	return 20;
}

/* 60 bytes are there. */
OPTAG_INLINE __u32 optag_plain_ip6(const __u8 *h, struct optag_view *v)
{
	if (h[0] >> 4 != 6 || h[6] != OPTAG_IP_UDP)
		return 0;
	v->family = 6;
	v->src[0] = OPTAG_GET(__u64, h + 8);
	v->src[1] = OPTAG_GET(__u64, h + 16);
	v->dst[0] = OPTAG_GET(__u64, h + 24);
	v->dst[1] = OPTAG_GET(__u64, h + 32);
	v->ip_len = 40U + optag_be16(h + 4);
	return 40;
}

/* The UDP header at h, hlen into the packet: its payload, 12 bytes at least, when all of it is there. */
OPTAG_INLINE const __u8 *optag_plain_udp(struct optag_pkt *p, struct optag_view *v, const __u8 *h,
				 __u32 hlen)
{
	__u32 len = optag_be16(h + 4), l4 = v->ip_off + hlen;

	v->sport = OPTAG_GET(__be16, h);
	v->dport = OPTAG_GET(__be16, h + 2);
	if (len < 20 || hlen + len > v->ip_len || v->ip_off + v->ip_len > p->avail ||
	    v->dport == OPTAG_BE16(OPTAG_PORT_VXLAN) || v->dport == OPTAG_BE16(OPTAG_PORT_GTPU))
		return 0;
	v->ip_have = v->ip_len;
	v->l4_off = l4;
	v->off = v->pay_off = l4 + 8;
	v->pay_len = len - 8;
	v->kind = OPTAG_SIG_UDP;
	p->avail = l4 + len;
	return h + 8;
}

/*
 * A packet that is whole, with nothing between Ethernet, tags, IP and UDP, and payload
 * enough for RTP: that payload, and p and v are as optag_walk would leave them. Else
 * NULL, p is untouched and v means nothing: optag_walk begins anew.
 */
OPTAG_INLINE const __u8 *optag_plain(struct optag_pkt *p, struct optag_view *v)
{
	const __u8 *h = optag_bytes(p, 0, 54);
	__u32 off, hlen;
	__be16 type;

	if (!h)
		return 0;
	v->vlan = 0;
	v->tcp_flags = 0;
	off = optag_plain_link(h, v, &type);
	v->ip_off = off;
	if (type == OPTAG_BE16(OPTAG_ET_IPV4)) {
		h = optag_bytes(p, off, 40);
		hlen = h ? optag_plain_ip4(h, v) : 0;
		return hlen ? optag_plain_udp(p, v, h + 20, 20) : 0;
	}
	if (type != OPTAG_BE16(OPTAG_ET_IPV6))
		return 0;
	h = optag_bytes(p, off, 60);
	hlen = h ? optag_plain_ip6(h, v) : 0;
	return hlen ? optag_plain_udp(p, v, h + 40, 40) : 0;
}

/* ---- flow table ---- */

struct optag_key {
	__u64 addr[2];
	__be16 port;
	__u8 proto;
};

/*
 * Both candidate lines and the tag from one keyed hash. NH (UMAC, RFC 4418): whatever
 * two keys somebody chooses, they meet in its 64 bits under one seed in 2^32, and its
 * products do not wait for each other. Then one round of mixing, for good bits everywhere.
 */
OPTAG_INLINE __u64 optag_flow_hash(const struct optag_key *k, __u64 seed)
{
	__u64 s0 = seed * 0x9e3779b97f4a7c15ULL, s1 = seed * 0xd6e8feb86659fd93ULL, h;

	s0 ^= s0 >> 32;
	s1 ^= s1 >> 32;
	h = (__u64)((__u32)k->addr[0] + (__u32)s0) * ((__u32)(k->addr[0] >> 32) + (__u32)(s0 >> 32));
	h += (__u64)((__u32)k->addr[1] + (__u32)s1) * ((__u32)(k->addr[1] >> 32) + (__u32)(s1 >> 32));
	h += (__u64)((k->port | (__u32)k->proto << 16) + (__u32)seed) * (__u32)(seed >> 32 | 1);
	h ^= h >> 32;
	h *= 0x9fb21c651e98df25ULL;
	return h ^ h >> 32;
}

OPTAG_INLINE __u32 optag_flow_h1(__u64 hash, __u32 mask)
{
	return (__u32)hash & mask;
}

/* Never the first line again (unless there is only one). */
OPTAG_INLINE __u32 optag_flow_h2(__u64 hash, __u32 mask)
{
	__u32 h2 = (__u32)(hash >> 24) & mask;

	return h2 == optag_flow_h1(hash, mask) ? (h2 ^ 1) & mask : h2;
}

/* Never 0, which is a free slot's. */
OPTAG_INLINE __u32 optag_flow_tag(__u64 hash)
{
	return (__u32)(hash >> 48) | 1;
}

/*
 * The reader's half of the protocol in optag.h. A verdict that changes between
 * the two looks is the same owner's: the newer one holds.
 */
OPTAG_INLINE int optag_flow_match(struct optag_flow *e, const struct optag_key *k,
				  struct optag_hit *hit)
{
	struct optag_hit f = { .flow = e };
	__u32 gen;

	if (!e)
		return 0;
	f.head = OPTAG_LOAD(e->head);
	if (f.port != k->port || f.verdict == OPTAG_V_FREE)
		return 0;
	gen = f.gen;
	if (OPTAG_LOAD(e->addr64[1]) != k->addr[1] || OPTAG_LOAD(e->addr64[0]) != k->addr[0])
		return 0;
	f.tail = OPTAG_LOAD(e->tail);
	if (f.proto != k->proto)
		return 0;
	f.head = OPTAG_LOAD(e->head);
	if (f.gen != gen || f.verdict == OPTAG_V_FREE)
		return 0;
	*hit = f;
	return 1;
}

/* Which slot of the line is taken by chance, so it is computed and not jumped to. */
OPTAG_INLINE int optag_line_match(void *tab, __u32 line, __u32 tag, const struct optag_key *k,
				  struct optag_hit *hit)
{
	const __u32 *tags = optag_tags(tab, line);
	__u32 t, first, second;

	if (!tags)
		return 0;
	t = OPTAG_LOAD(*tags);
	first = (((t & 0xffff) ^ tag) - 1U) >> 31; /* 1: alike */
	second = (((t >> 16) ^ tag) - 1U) >> 31;
	if (!(first | second))
		return 0;
	OPTAG_HIDE(first);
	if (optag_flow_match(optag_entry(tab, line * 2 + (first ^ 1)), k, hit))
		return 1;
	return (first & second) && optag_flow_match(optag_entry(tab, line * 2 + 1), k, hit);
}

OPTAG_INLINE int optag_flow_find(void *tab, __u64 seed, __u32 mask, const struct optag_key *k,
				 struct optag_hit *hit)
{
	__u64 h = optag_flow_hash(k, seed);
	__u32 tag = optag_flow_tag(h);

	hit->flow = 0;
	return optag_line_match(tab, optag_flow_h1(h, mask), tag, k, hit) ||
	       optag_line_match(tab, optag_flow_h2(h, mask), tag, k, hit);
}

/* ---- decision ---- */

#define OPTAG_TEXT(a, b, c, d, e, f, g, h)                                                         \
	((__u64)(a) << 56 | (__u64)(b) << 48 | (__u64)(c) << 40 | (__u64)(d) << 32 |               \
	 (__u64)(e) << 24 | (__u64)(f) << 16 | (__u64)(g) << 8 | (__u64)(h))

/* A SIP start line: "SIP/2.0 " or a method known to IANA, with what of its space fits 8 bytes. */
OPTAG_INLINE int optag_sip_text(__u64 t)
{
	switch (t >> 32) {
	case 'A' << 24 | 'C' << 16 | 'K' << 8 | ' ':
	case 'B' << 24 | 'Y' << 16 | 'E' << 8 | ' ':
		return 1;
	case 'I' << 24 | 'N' << 16 | 'F' << 8 | 'O':
		return (t >> 24 & 0xff) == ' ';
	}
	switch (t >> 8) {
	case OPTAG_TEXT('I', 'N', 'V', 'I', 'T', 'E', ' ', 0) >> 8:
	case OPTAG_TEXT('C', 'A', 'N', 'C', 'E', 'L', ' ', 0) >> 8:
	case OPTAG_TEXT('N', 'O', 'T', 'I', 'F', 'Y', ' ', 0) >> 8:
	case OPTAG_TEXT('U', 'P', 'D', 'A', 'T', 'E', ' ', 0) >> 8:
		return 1;
	}
	switch (t) {
	case OPTAG_TEXT('S', 'I', 'P', '/', '2', '.', '0', ' '):
	case OPTAG_TEXT('O', 'P', 'T', 'I', 'O', 'N', 'S', ' '):
	case OPTAG_TEXT('P', 'U', 'B', 'L', 'I', 'S', 'H', ' '):
	case OPTAG_TEXT('M', 'E', 'S', 'S', 'A', 'G', 'E', ' '):
	case OPTAG_TEXT('R', 'E', 'G', 'I', 'S', 'T', 'E', 'R'):
	case OPTAG_TEXT('S', 'U', 'B', 'S', 'C', 'R', 'I', 'B'):
		return 1;
	}
	t >>= 16;
	return t == OPTAG_TEXT('P', 'R', 'A', 'C', 'K', ' ', 0, 0) >> 16 ||
	       t == OPTAG_TEXT('R', 'E', 'F', 'E', 'R', ' ', 0, 0) >> 16;
}

OPTAG_INLINE int optag_starts_like_sip(const struct optag_pkt *p, const struct optag_view *v)
{
	__u32 off = v->off;
	const __u8 *h;

	if (off > OPTAG_MAX_OFF)
		return 0;
	OPTAG_HIDE(off);
	h = optag_bytes(p, off, 8);
	return h && h[0] < 0x80 && optag_sip_text(OPTAG_BE64(OPTAG_GET(__u64, h)));
}

/* Unrolled, all behind the last port is known to be dead, and the verifier takes it out. */
OPTAG_INLINE int optag_sip_port(const volatile struct optag_config *cfg, const struct optag_view *v)
{
	int i;

	OPTAG_UNROLL
	for (i = 0; i < 16; i++) {
		__be16 port = cfg->sip_ports[i];

		if (!port)
			return 0;
		if (port == v->sport || port == v->dport)
			return 1;
	}
	return 0;
}

/* What optag_decide would take for signalling, of a plain packet with this payload. */
OPTAG_INLINE int optag_plain_sip(const volatile struct optag_config *cfg,
				 const struct optag_view *v, const __u8 *h)
{
	return optag_sip_port(cfg, v) ||
	       (h[0] < 0x80 && optag_sip_text(OPTAG_BE64(OPTAG_GET(__u64, h))));
}

/* h: 12 bytes of payload at a media address. */
OPTAG_INLINE __u32 optag_decide_rtp(const __u8 *h, struct optag_hit *hit)
{
	__u8 pt = h[1] & 0x7f;
	__u32 ssrc;
	int event;

	/* Version 2 leaves out STUN, ZRTP, DTLS, TURN (RFC 7983); 192-223 is RTCP (RFC 5761 4). */
	if (h[0] >> 6 != 2 || (h[1] >= 192 && h[1] <= 223))
		return OPTAG_C_NOT_RTP;
	ssrc = OPTAG_GET(__u32, h + 8);
	ssrc ^= ssrc >> 16;
	ssrc ^= ssrc >> 8;
	hit->rtp = optag_be16(h + 2) | (ssrc & 0xff) << 16 | 1U << 16;
	if (hit->verdict == OPTAG_V_BLOCK)
		return OPTAG_C_BLOCK;
	event = pt == hit->te1 || pt == hit->te2;
	if (hit->verdict == OPTAG_V_GATE)
		return event ? OPTAG_C_EVENT : OPTAG_C_GATE;
	if (hit->verdict == OPTAG_V_RECORD)
		return event ? OPTAG_C_EVENT : OPTAG_C_AUDIO;
	if (hit->verdict == OPTAG_V_INSPECT)
		return event ? OPTAG_C_EVENT : OPTAG_C_INSPECT;
	return OPTAG_C_MISS; /* a verdict of a later version: nothing leaves */
}

OPTAG_INLINE __u32 optag_decide_media(const struct optag_pkt *p, const struct optag_view *v,
				      struct optag_hit *hit)
{
	__u32 off = v->off;
	const __u8 *h;

	if (v->pay_len < 12)
		return OPTAG_C_NOT_RTP;
	if (off > OPTAG_MAX_OFF)
		return OPTAG_C_DEPTH;
	OPTAG_HIDE(off);
	h = optag_bytes(p, off, 12);
	return h ? optag_decide_rtp(h, hit) : OPTAG_C_BAD;
}

OPTAG_INLINE __u32 optag_decide_udp(const struct optag_pkt *p, const struct optag_view *v,
				    const volatile struct optag_config *cfg, void *tab,
				    struct optag_hit *hit)
{
	struct optag_key k = {
		.addr = { v->dst[0], v->dst[1] }, .port = v->dport, .proto = OPTAG_IP_UDP
	};

	if (optag_sip_port(cfg, v) || optag_starts_like_sip(p, v))
		return OPTAG_C_SIG;
	if (!optag_flow_find(tab, cfg->hash_seed, cfg->flow_mask, &k, hit))
		return OPTAG_C_MISS;
	if (hit->verdict == OPTAG_V_SIG)
		return OPTAG_C_SIG;
	return optag_decide_media(p, v, hit);
}

/* Segments that carry data, open or close; a bare acknowledgement tells nothing. */
OPTAG_INLINE __u32 optag_decide_tcp(const struct optag_pkt *p, const struct optag_view *v,
				    const volatile struct optag_config *cfg, void *tab,
				    struct optag_hit *hit)
{
	struct optag_key k = {
		.addr = { v->dst[0], v->dst[1] }, .port = v->dport, .proto = OPTAG_IP_TCP
	};

	if (!v->pay_len && !(v->tcp_flags & OPTAG_TCP_FIN_SYN_RST))
		return OPTAG_C_OTHER;
	if (optag_sip_port(cfg, v) || optag_starts_like_sip(p, v))
		return OPTAG_C_SIG;
	if (optag_flow_find(tab, cfg->hash_seed, cfg->flow_mask, &k, hit) &&
	    hit->verdict == OPTAG_V_SIG)
		return OPTAG_C_SIG;
	k.addr[0] = v->src[0];
	k.addr[1] = v->src[1];
	k.port = v->sport;
	if (optag_flow_find(tab, cfg->hash_seed, cfg->flow_mask, &k, hit) &&
	    hit->verdict == OPTAG_V_SIG)
		return OPTAG_C_SIG;
	return OPTAG_C_OTHER;
}

/* end: what optag_walk said, OPTAG_N_UDP after optag_plain. */
OPTAG_INLINE enum optag_count optag_decide(const struct optag_pkt *p, const struct optag_view *v,
					   __u32 end, const volatile struct optag_config *cfg,
					   void *tab, struct optag_hit *hit)
{
	hit->flow = 0;
	if (end == OPTAG_N_UDP)
		return (enum optag_count)optag_decide_udp(p, v, cfg, tab, hit);
	if (end == OPTAG_N_TCP)
		return (enum optag_count)optag_decide_tcp(p, v, cfg, tab, hit);
	if (end == OPTAG_N_FRAG)
		return OPTAG_C_SIG;
	return (enum optag_count)(end & 0xff);
}

#ifndef __bpf__
/*
 * The whole way of a packet. v is zeroed by the caller; `first` is OPTAG_N_ETH,
 * OPTAG_N_IP or an EtherType. hit->flow is NULL unless the decision rests on a
 * flow entry.
 */
static inline enum optag_count optag_classify(struct optag_pkt *p, struct optag_view *v,
					      __u32 first, const struct optag_config *cfg,
					      void *tab, struct optag_hit *hit)
{
	__u32 end = OPTAG_N_UDP;

	if (first != OPTAG_N_ETH || !optag_plain(p, v)) {
		optag_view_zero(v, 0);
		end = optag_walk(p, v, first);
	}
	return optag_decide(p, v, end, cfg, tab, hit);
}
#endif

/* ---- what goes up ---- */

/* Bytes of payload that are there and may go up. */
OPTAG_INLINE __u32 optag_pay_have(const struct optag_pkt *p, const struct optag_view *v)
{
	__u32 have = p->avail - v->pay_off;

	if (have > v->pay_len)
		have = v->pay_len;
	return have < OPTAG_MAX_PAYLOAD ? have : OPTAG_MAX_PAYLOAD;
}

/* Everything but ts_ns. */
OPTAG_INLINE void optag_fill_rec(struct optag_rec *r, const struct optag_pkt *p,
				 const struct optag_view *v, const struct optag_hit *hit)
{
	r->len = optag_pay_have(p, v);
	r->wire_len = v->pay_len;
	r->ring = hit->ring;
	r->gen = hit->gen;
	r->leg = hit->leg;
	r->verdict = hit->verdict;
	r->pad[0] = r->pad[1] = 0;
	r->sport = v->sport;
	r->dport = v->dport;
	__builtin_memcpy(r->src, v->src, 16);
	__builtin_memcpy(r->dst, v->dst, 16);
}

/* The same as it lies in a capture ring, of len bytes of payload; addr: r's. Whole words at once. */
OPTAG_INLINE void optag_fill_raw(struct optag_raw *r, __u32 len, const struct optag_view *v,
				 const struct optag_hit *hit, __u64 ts_ns)
{
	__u32 bits = len | (__u32)(hit->leg & 1) << OPTAG_RAW_LEG |
		     (__u32)(hit->verdict & 3) << OPTAG_RAW_VERDICT |
		     (v->family == 6 ? OPTAG_RAW_V6 : 0);

	r->what = (__u64)bits | (__u64)v->pay_len << 16 | (__u64)v->sport << 32 |
		  (__u64)v->dport << 48;
	r->ts_ns = ts_ns;
	r->owner = (__u64)hit->gen << 32 | hit->ring;
	if (v->family == 6) {
		r->addr[0] = v->src[0];
		r->addr[1] = v->src[1];
		r->addr[2] = v->dst[0];
		r->addr[3] = v->dst[1];
	} else {
		r->addr[0] = (v->src[1] >> OPTAG_V4_SHIFT & 0xffffffff) |
			     (v->dst[1] >> OPTAG_V4_SHIFT) << 32;
	}
}

/* And back; returns where the payload starts. Whatever the ring says, len fits its 12 bits. */
OPTAG_INLINE __u32 optag_read_raw(const struct optag_raw *r, struct optag_rec *ret)
{
	__u64 what = OPTAG_LOAD(r->what), a[4];
	__u32 bits = (__u32)what & 0xffff;

	if (bits & OPTAG_RAW_V6) {
		__builtin_memcpy(a, r->addr, sizeof(a));
	} else {
		a[0] = a[2] = 0;
		a[1] = OPTAG_V4_PREFIX | (r->addr[0] & 0xffffffff) << OPTAG_V4_SHIFT;
		a[3] = OPTAG_V4_PREFIX | (r->addr[0] >> 32) << OPTAG_V4_SHIFT;
	}
	ret->len = bits & OPTAG_RAW_LEN;
	ret->wire_len = (__u32)(what >> 16) & 0xffff;
	ret->ts_ns = r->ts_ns;
	ret->ring = (__u32)r->owner;
	ret->gen = (__u32)(r->owner >> 32);
	ret->leg = bits >> OPTAG_RAW_LEG & 1;
	ret->verdict = bits >> OPTAG_RAW_VERDICT & 3;
	if (ret->verdict == (OPTAG_V_INSPECT & 3))
		ret->verdict = OPTAG_V_INSPECT;
	ret->pad[0] = ret->pad[1] = 0;
	ret->sport = (__be16)(what >> 32);
	ret->dport = (__be16)(what >> 48);
	__builtin_memcpy(ret->src, a, 16);
	__builtin_memcpy(ret->dst, a + 2, 16);
	return bits & OPTAG_RAW_V6 ? OPTAG_RAW_HEAD6 : OPTAG_RAW_HEAD4;
}

/* Everything but ts_ns and ifindex. */
OPTAG_INLINE void optag_fill_sig(struct optag_sig *s, const struct optag_view *v)
{
	s->len = v->ip_have < OPTAG_MAX_SIG ? v->ip_have : OPTAG_MAX_SIG;
	s->wire_len = v->ip_len;
	s->kind = v->kind;
	s->family = v->family;
	s->vlan = v->vlan;
	s->l4_off = (__u16)(v->l4_off - v->ip_off);
	s->pad = 0;
	s->pad2 = 0;
}

/* What is handed up as media. */
OPTAG_INLINE int optag_goes_up(__u32 what)
{
	return (1U << OPTAG_C_AUDIO | 1U << OPTAG_C_EVENT | 1U << OPTAG_C_INSPECT) >> (what & 31) & 1;
}

/* Which counter of its flow a packet moves, OPTAG_F_MAX: none. what: the final one, losses included. */
OPTAG_INLINE __u32 optag_flow_counter(enum optag_count what)
{
	switch (what) {
	case OPTAG_C_AUDIO:
	case OPTAG_C_INSPECT:
		return OPTAG_F_PASSED;
	case OPTAG_C_EVENT:
		return OPTAG_F_EVENTS;
	case OPTAG_C_BLOCK:
	case OPTAG_C_GATE:
	case OPTAG_C_DEAD:
		return OPTAG_F_BLOCKED;
	case OPTAG_C_MEDIA_LOST:
	case OPTAG_C_BUDGET:
		return OPTAG_F_LOST;
	default:
		return OPTAG_F_MAX;
	}
}

/*
 * The sequence number of a packet that was seen at f, and what is missing before it. Both words' low bits stay. The usual
 * packet is the next one of the stream before, and costs one store.
 */
OPTAG_INLINE void optag_flow_seen(struct optag_flow *f, __u32 rtp)
{
	__u64 last = OPTAG_LOAD(f->counts[OPTAG_F_BLOCKED]), hole = OPTAG_LOAD(f->counts[OPTAG_F_LOST]);
	__u32 ahead = (rtp - (__u32)(last >> OPTAG_COUNT_BITS)) & 0xffff, tag = rtp >> 16 & 0xff, missing;

	if ((hole >> OPTAG_COUNT_BITS & 0xff) != tag) {
		hole = (hole & ~(0xffULL << OPTAG_COUNT_BITS)) | (__u64)tag << OPTAG_COUNT_BITS;
		OPTAG_STORE(f->counts[OPTAG_F_LOST], hole);
	} else if (ahead != 1) {
		if (ahead == 0 || ahead > 0x10000 - OPTAG_MISORDER)
			return; /* again, or late */
		missing = ahead - 1 < OPTAG_HOLE_MAX ? ahead - 1 : OPTAG_HOLE_MAX;
		if (ahead <= OPTAG_DROPOUT && missing > hole >> OPTAG_HOLE_SHIFT) {
			hole = (hole & ~(0xffULL << OPTAG_HOLE_SHIFT)) | (__u64)missing << OPTAG_HOLE_SHIFT;
			OPTAG_STORE(f->counts[OPTAG_F_LOST], hole);
		}
	}
	last = (last & OPTAG_COUNT_MASK) | (__u64)(rtp & 0xffff) << OPTAG_COUNT_BITS;
	OPTAG_STORE(f->counts[OPTAG_F_BLOCKED], last);
}

/*
 * What a packet leaves in its flow; what: the final one, losses included. The high bits of a counter are not its own:
 * adding never reaches them. The daemon reads beside this; nobody else writes, but for flow_take_hole.
 */
OPTAG_INLINE void optag_flow_note(const struct optag_hit *hit, __u32 what)
{
	struct optag_flow *f = hit->flow;
	__u32 n = optag_flow_counter((enum optag_count)what);

	if (!f || n >= OPTAG_F_MAX)
		return;
	OPTAG_STORE(f->counts[n], OPTAG_LOAD(f->counts[n]) + 1);
	if (n != OPTAG_F_LOST && what != OPTAG_C_DEAD)
		optag_flow_seen(f, hit->rtp);
}

#endif
