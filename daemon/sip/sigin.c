/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sigin.c - one signalling packet: IP, then fragment table, UDP or TCP
 *
 * Nothing from the record but its length is believed; offsets are worked out
 * again. One thread.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/le.h"
#include "optag.h"
#include "sip/defrag.h"
#include "sip/sip_internal.h"
#include "sip/tcpr.h"

struct sigin {
	struct defrag *defrag;
	struct tcpr *tcpr;
	const struct sip_extra *extra;
	struct sigin_sink sink;
	struct sigin_stats stats;
};

void sigin_default_limits(struct sigin_limits *ret)
{
	*ret = (struct sigin_limits){
		.frag_packets = 1024,
		.frag_bytes = 65535,
		.frag_timeout_ns = 30 * NS_PER_S,
		.tcp_streams = 65536,
		.tcp_bytes = 65536,
		.tcp_total_bytes = 64u << 20,
		.tcp_timeout_ns = 3600 * NS_PER_S,
		.tcp_hole_ns = NS_PER_S,
	};
}

int sigin_new(const struct sigin_limits *l, const struct sip_extra *extra,
	      const struct sigin_sink *sink, struct sigin **ret)
{
	struct sigin *s = calloc(1, sizeof(*s));
	int r = s ? 0 : -ENOMEM;

	if (!r) {
		s->extra = extra;
		s->sink = *sink;
		r = defrag_new(l, &s->stats, &s->defrag);
	}
	if (!r)
		r = tcpr_new(l, extra, &s->sink, &s->stats, &s->tcpr);
	if (r) {
		sigin_free(s);
		return r;
	}
	*ret = s;
	return 0;
}

void sigin_free(struct sigin *s)
{
	if (!s)
		return;
	tcpr_free(s->tcpr);
	defrag_free(s->defrag);
	free(s);
}

/* Begins, after keep-alive line ends, with the form of a start line. */
static bool is_sip(const char *p, size_t n)
{
	const char *end = p + n;
	struct sip_str line;

	while (p < end && (*p == '\r' || *p == '\n'))
		p++;
	return p < end && sip_is_token(*p) && sip_line(&p, end, &line) && sip_start_line(line);
}

static void datagram(struct sigin *s, const struct sigin_from *from, const uint8_t *p, size_t n,
		     bool truncated)
{
	const char *text = (const char *)p;
	struct sip_msg m;
	const char *why;

	if (!is_sip(text, n)) {
		s->stats.not_sip++;
		return;
	}
	if (sip_parse(text, n, false, s->extra, &m, &why)) {
		s->stats.bad_messages++;
		return;
	}
	if (truncated && !m.has_content_length)
		m.body_cut = true;
	s->stats.messages++;
	s->sink.message(s->sink.arg, from, &m);
}

static void udp(struct sigin *s, const struct iphdr_info *i, struct sigin_from *from)
{
	size_t n;

	if (i->n < 8) {
		s->stats.bad_packets++;
		return;
	}
	from->src.port = be16dec(i->p);
	from->dst.port = be16dec(i->p + 2);
	n = be16dec(i->p + 4);
	if (n < 8 || n > i->n + i->missing) {
		s->stats.bad_packets++;
		return;
	}
	if (n > i->n)
		s->stats.bad_packets++;
	datagram(s, from, i->p + 8, (n < i->n ? n : i->n) - 8, n > i->n);
}

static void tcp(struct sigin *s, const struct iphdr_info *i, struct sigin_from *from)
{
	struct tcpr_segment g = { 0 };
	size_t head;

	head = i->n < 20 ? SIZE_MAX : (size_t)(i->p[12] >> 4) * 4;
	if (i->missing)
		s->stats.bad_packets++;
	if (head < 20 || head > i->n) {
		s->stats.bad_packets += !i->missing;
		return;
	}
	from->tcp = true;
	from->src.port = be16dec(i->p);
	from->dst.port = be16dec(i->p + 2);
	g.from = *from;
	g.seq = be32dec(i->p + 4);
	g.fin = i->p[13] & 1;
	g.syn = i->p[13] & 2;
	g.rst = i->p[13] & 4;
	g.p = i->p + head;
	g.n = i->n - head;
	g.missing = i->missing;
	tcpr_segment(s->tcpr, &g);
}

void sigin_packet(struct sigin *s, const struct optag_sig *sig, const uint8_t *p)
{
	struct sigin_from from = { .vlan = ntohs(sig->vlan), .ifindex = sig->ifindex, .ts_ns = sig->ts_ns };
	struct iphdr_info info;

	s->stats.packets++;
	sigin_tick(s, sig->ts_ns);
	if (iphdr_parse(p, sig->len, &info)) {
		s->stats.bad_packets++;
		return;
	}
	if (info.frag && !defrag_add(s->defrag, &info, from.vlan, sig->ts_ns, &info))
		return;
	from.src.addr = info.src;
	from.dst.addr = info.dst;
	if (info.proto == IPPROTO_UDP)
		udp(s, &info, &from);
	else if (info.proto == IPPROTO_TCP)
		tcp(s, &info, &from);
	else
		s->stats.not_sip++;
}

void sigin_tick(struct sigin *s, uint64_t now_ns)
{
	defrag_expire(s->defrag, now_ns);
	tcpr_tick(s->tcpr, now_ns);
}

void sigin_get_stats(const struct sigin *s, struct sigin_stats *ret)
{
	*ret = s->stats;
}
