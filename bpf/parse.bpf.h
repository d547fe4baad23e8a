/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * parse.bpf.h - the classifier: from a frame to one decision
 *
 * One source, compiled as BPF for XDP and as plain C for capture files. It
 * walks the headers down to the innermost UDP or TCP (walk.bpf.h), asks the flow
 * table (table.bpf.h, which wants two functions defined before) and says in exactly
 * one enum optag_count where the packet goes; it copies and counts nothing itself.
 * The user then hands the bytes up in its own way:
 *
 *	optag_classify() -> OPTAG_C_SIG:            optag_fill_sig, packet at v.ip_off
 *	                    OPTAG_C_AUDIO, _EVENT:  optag_fill_rec, payload at v.pay_off
 *	                    all others:             no bytes leave
 *
 * Nearly all packets are plain: Ethernet, a tag or two, IP, UDP. optag_plain_link and
 * _udp know those without a walk, in a tenth of its time, and optag_plain_view comes to
 * the same view. In user space optag_classify does all that. As BPF it is two functions,
 * because in one they are too much for the verifier of 6.1: one does media in plain packets
 * (optag_plain_sip says what is not), the other optag_walk and optag_decide for all the rest.
 *
 * What nearly every packet goes through is written for the number of instructions: that is what
 * it costs (daemon/DESIGN.md). A value that is live past a look into a map has to go to the
 * stack, so what few need is read again where it is needed.
 */
#ifndef OPTAG_PARSE_H
#define OPTAG_PARSE_H

#include "table.bpf.h"

/* ---- decision ---- */

/* What is handed up as media. */
OPTAG_INLINE int optag_goes_up(__u32 what)
{
	return (1U << OPTAG_C_AUDIO | 1U << OPTAG_C_EVENT | 1U << OPTAG_C_INSPECT) >> (what & 31) & 1;
}

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
OPTAG_INLINE int optag_sip_port(const volatile struct optag_config *cfg, __be16 sport, __be16 dport)
{
	int i;

	OPTAG_UNROLL
	for (i = 0; i < 16; i++) {
		__be16 port = cfg->sip_ports[i];

		if (!port)
			return 0;
		if (port == sport || port == dport)
			return 1;
	}
	return 0;
}

/*
 * What optag_decide would take for signalling, of a plain packet with this UDP header. No SIP begins
 * with a byte of 0x80 or more, whatever the port; all RTP and RTCP does (RFC 3550 5.1, version 2).
 */
OPTAG_INLINE int optag_plain_sip(const volatile struct optag_config *cfg, const __u8 *udp)
{
	return udp[8] < 0x80 && (optag_sip_port(cfg, OPTAG_GET(__be16, udp), OPTAG_GET(__be16, udp + 2)) ||
				 optag_sip_text(OPTAG_BE64(OPTAG_GET(__u64, udp + 8))));
}

/* The same of any payload. Of a packet without any nothing can leak; of a fragment the rest comes later. */
OPTAG_INLINE int optag_may_be_sip(const struct optag_pkt *p, const struct optag_view *v)
{
	__u32 off = v->off;
	const __u8 *h;

	if (off > OPTAG_MAX_OFF)
		return 0;
	OPTAG_HIDE(off);
	h = optag_bytes(p, off, 1);
	return h ? h[0] < 0x80 : !v->frag;
}

/* Version 2 leaves out STUN, ZRTP, DTLS, TURN (RFC 7983); 192-223 is RTCP (RFC 5761 4). h: 12 bytes of payload. */
OPTAG_INLINE int optag_is_rtp(const __u8 *h)
{
	return h[0] >> 6 == 2 && h[1] >> 5 != 6;
}

/* Whether n bytes from q on lie before end; q may lie some header's length behind it. */
OPTAG_INLINE int optag_before(const __u8 *q, __u32 n, const __u8 *end)
{
#ifdef __bpf__
	return q + n <= end;
#else
	return q <= end && n <= (__u64)(end - q);
#endif
}

/*
 * One event of 4 bytes, or up to four packed (RFC 4733 2.3, 2.5.1), behind header, CSRCs and extension
 * (RFC 3550 5.1): no more than 16 bytes, whatever the payload type was announced to be. h: 12 bytes of an
 * RTP packet of len, of which those before end are there.
 */
OPTAG_INLINE int optag_event_sized(const __u8 *h, __u32 len, const __u8 *end)
{
	__u32 head = 12 + (h[0] & 15) * 4U;

	if (h[0] & 0x10) {
		const __u8 *x = h + head;

		if (!optag_before(x, 4, end))
			return 0;
		head += 4 + optag_be16(x + 2) * 4U;
	}
	len -= head; /* nothing left: far more than 16 */
	return len - 4 <= 12 && !(len & 3);
}

/* What is announced as an event and is none is audio under every verdict. */
OPTAG_INLINE __u32 optag_decide_event(const __u8 *h, __u32 len, const __u8 *end, const struct optag_hit *hit)
{
	if (optag_event_sized(h, len, end))
		return OPTAG_C_EVENT;
	if (hit->verdict == OPTAG_V_GATE)
		return OPTAG_C_GATE;
	return hit->verdict == OPTAG_V_RECORD ? OPTAG_C_AUDIO : OPTAG_C_INSPECT;
}

OPTAG_INLINE int optag_event_pt(const __u8 *h, const struct optag_hit *hit)
{
	__u8 pt = h[1] & 0x7f;

	return pt == hit->te1 || pt == hit->te2;
}

/* h: 12 bytes of payload at a media address. Of OPTAG_C_EVENT only the payload type is known: optag_decide_event. */
OPTAG_INLINE __u32 optag_decide_rtp(const __u8 *h, struct optag_hit *hit)
{
	hit->rtp = h;
	if (!optag_is_rtp(h))
		return OPTAG_C_NOT_RTP;
	switch (hit->verdict) {
	case OPTAG_V_BLOCK:
		return OPTAG_C_BLOCK;
	case OPTAG_V_GATE:
		return optag_event_pt(h, hit) ? OPTAG_C_EVENT : OPTAG_C_GATE;
	case OPTAG_V_RECORD:
		return optag_event_pt(h, hit) ? OPTAG_C_EVENT : OPTAG_C_AUDIO;
	case OPTAG_V_INSPECT:
		return optag_event_pt(h, hit) ? OPTAG_C_EVENT : OPTAG_C_INSPECT;
	}
	return OPTAG_C_MISS; /* a verdict of a later version: nothing leaves */
}

OPTAG_INLINE __u32 optag_decide_media(const struct optag_pkt *p, const struct optag_view *v,
				      struct optag_hit *hit)
{
	__u32 off = v->off;
	const __u8 *h;
	__u32 what;

	if (v->pay_len < 12)
		return OPTAG_C_NOT_RTP;
	if (off > OPTAG_MAX_OFF)
		return OPTAG_C_DEPTH;
	OPTAG_HIDE(off);
	h = optag_bytes(p, off, 12);
	if (!h)
		return OPTAG_C_BAD;
	what = optag_decide_rtp(h, hit);
	return what == OPTAG_C_EVENT ? optag_decide_event(h, v->pay_len, p->end, hit) : what;
}

OPTAG_INLINE __u32 optag_decide_udp(const struct optag_pkt *p, const struct optag_view *v,
				    const volatile struct optag_config *cfg, void *tab,
				    struct optag_hit *hit)
{
	struct optag_key k = {
		.addr = { v->dst[0], v->dst[1] }, .port = v->dport, .proto = OPTAG_IP_UDP
	};
	int sip = optag_may_be_sip(p, v);

	if (sip && (optag_sip_port(cfg, v->sport, v->dport) || optag_starts_like_sip(p, v)))
		return OPTAG_C_SIG;
	if (!optag_flow_find(tab, &cfg->hash, cfg->flow_mask, &k, hit))
		return OPTAG_C_MISS;
	if (hit->verdict == OPTAG_V_SIG)
		return sip ? OPTAG_C_SIG : OPTAG_C_NOT_RTP;
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
	if (optag_sip_port(cfg, v->sport, v->dport) || optag_starts_like_sip(p, v))
		return OPTAG_C_SIG;
	if (optag_flow_find(tab, &cfg->hash, cfg->flow_mask, &k, hit) &&
	    hit->verdict == OPTAG_V_SIG)
		return OPTAG_C_SIG;
	k.addr[0] = v->src[0];
	k.addr[1] = v->src[1];
	k.port = v->sport;
	if (optag_flow_find(tab, &cfg->hash, cfg->flow_mask, &k, hit) &&
	    hit->verdict == OPTAG_V_SIG)
		return OPTAG_C_SIG;
	return OPTAG_C_OTHER;
}

OPTAG_INLINE void optag_frag_of(const struct optag_view *v, struct optag_frag_key *ret)
{
	ret->src[0] = v->src[0];
	ret->src[1] = v->src[1];
	ret->dst[0] = v->dst[0];
	ret->dst[1] = v->dst[1];
	ret->id = v->frag_id;
	ret->proto = v->frag;
}

/*
 * A datagram in fragments. Its first one is decided as the whole would be, and goes up as signalling or not
 * at all: nobody below could put media together, and above there are no verdicts. Later ones
 * follow their first if that went up; one that overtakes it does not.
 */
OPTAG_INLINE __u32 optag_first_fragment(const struct optag_view *v, void *tab, __u32 what)
{
	struct optag_frag_key k;

	optag_frag_of(v, &k);
	optag_frag_note(tab, &k, what == OPTAG_C_SIG);
	return optag_goes_up(what) ? OPTAG_C_FRAG_LOST : what;
}

OPTAG_INLINE __u32 optag_later_fragment(const struct optag_view *v, void *tab)
{
	struct optag_frag_key k;

	optag_frag_of(v, &k);
	return optag_frag_known(tab, &k) ? OPTAG_C_SIG : OPTAG_C_FRAG;
}

/* end: what optag_walk said, OPTAG_N_UDP after optag_plain. */
OPTAG_INLINE enum optag_count optag_decide(const struct optag_pkt *p, const struct optag_view *v,
					   __u32 end, const volatile struct optag_config *cfg,
					   void *tab, struct optag_hit *hit)
{
	__u32 what;

	hit->flow = 0;
	hit->rtp = 0;
	if (end == OPTAG_N_UDP)
		what = optag_decide_udp(p, v, cfg, tab, hit);
	else if (end == OPTAG_N_TCP)
		what = optag_decide_tcp(p, v, cfg, tab, hit);
	else if (end == OPTAG_N_FRAG)
		return (enum optag_count)optag_later_fragment(v, tab);
	else
		return (enum optag_count)(end & 0xff);
	return (enum optag_count)(v->frag ? optag_first_fragment(v, tab, what) : what);
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

#endif
