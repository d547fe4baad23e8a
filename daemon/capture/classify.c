/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * classify.c - parse.bpf.h in user space
 *
 * What the XDP program does around the classifier, without its rings: counts,
 * fills the record and hands the bytes to the sink where they lie. Every packet
 * moves OPTAG_C_SEEN and exactly one other counter. One thread.
 */
#include "capture/classify.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "capture/flow.h"
#include "capture/flow_internal.h"

struct classify {
	struct optag_config cfg;
	struct flow_memory tab;
	struct classify_sink sink;
	uint64_t counts[OPTAG_C_MAX];
};

int classify_new(const struct optag_config *cfg, struct flow_table *t,
		 const struct classify_sink *sink, struct classify **ret)
{
	struct classify *c;

	if (cfg->abi != OPTAG_ABI)
		return -EINVAL;
	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->cfg = *cfg;
	optag_hash_key(cfg->hash_seed, &c->cfg.hash);
	c->tab.flows = flow_entries(t);
	c->tab.tags = flow_tags(t);
	c->sink = *sink;
	*ret = c;
	return 0;
}

void classify_free(struct classify *c)
{
	free(c);
}

const uint64_t *classify_counts(const struct classify *c)
{
	return c->counts;
}

static uint32_t first_header(enum classify_link link, uint16_t ethertype)
{
	switch (link) {
	case CLASSIFY_ETHERNET:
		return OPTAG_N_ETH;
	case CLASSIFY_IPV4:
		return OPTAG_ET_IPV4;
	case CLASSIFY_IPV6:
		return OPTAG_ET_IPV6;
	case CLASSIFY_IP:
		return OPTAG_N_IP;
	case CLASSIFY_ETHERTYPE:
		return ethertype;
	}
	return OPTAG_N_OTHER;
}

static void count(struct classify *c, const struct optag_hit *hit, enum optag_count what)
{
	c->counts[OPTAG_C_SEEN]++;
	c->counts[what]++;
	optag_flow_note(hit, what);
}

static void send_media(struct classify *c, const struct optag_pkt *p, const struct optag_view *v,
		       const struct optag_hit *hit, uint64_t ts_ns)
{
	struct optag_rec r;

	optag_fill_rec(&r, p, v, hit);
	r.ts_ns = ts_ns;
	c->sink.media(c->sink.arg, &r, p->data + v->pay_off);
}

void classify_packet(struct classify *c, enum classify_link link, uint16_t ethertype,
		     const uint8_t *frame, size_t caplen, size_t wire_len, uint64_t ts_ns,
		     uint32_t ifindex)
{
	struct optag_pkt p = { .data = frame };
	struct optag_view v = { .off = 0 };
	struct optag_sig s;
	struct optag_hit hit = { .flow = NULL };
	enum optag_count what;

	/* Bytes that were not on the wire are not the packet's. */
	if (caplen > wire_len)
		caplen = wire_len;
	p.avail = caplen < 0x1000000 ? (uint32_t)caplen : 0x1000000;
	p.end = frame + p.avail;
	what = optag_classify(&p, &v, first_header(link, ethertype), &c->cfg, &c->tab, &hit);
	count(c, &hit, what);
	if (optag_goes_up(what)) {
		send_media(c, &p, &v, &hit, ts_ns);
	} else if (what == OPTAG_C_SIG) {
		optag_fill_sig(&s, &v);
		s.ts_ns = ts_ns;
		s.ifindex = ifindex;
		c->sink.signalling(c->sink.arg, &s, p.data + v.ip_off);
	}
}

void classify_datagram(struct classify *c, const uint8_t src[16], uint16_t sport,
		       const uint8_t dst[16], uint16_t dport, const uint8_t *payload, size_t n,
		       uint64_t ts_ns)
{
	struct optag_pkt p = { .data = payload, .end = payload + n, .avail = (uint32_t)n };
	struct optag_view v = { .pay_len = (uint32_t)n };
	struct optag_key k = { .port = htons(dport), .proto = IPPROTO_UDP };
	enum optag_count what = OPTAG_C_MISS;
	struct optag_hit hit;

	v.sport = htons(sport);
	v.dport = htons(dport);
	memcpy(v.src, src, sizeof(v.src));
	memcpy(v.dst, dst, sizeof(v.dst));
	memcpy(k.addr, dst, sizeof(k.addr));
	if (optag_flow_find(&c->tab, &c->cfg.hash, c->cfg.flow_mask, &k, &hit))
		what = hit.verdict == OPTAG_V_SIG ? OPTAG_C_OTHER :
						    (enum optag_count)optag_decide_media(&p, &v, &hit);
	count(c, &hit, what);
	if (optag_goes_up(what))
		send_media(c, &p, &v, &hit, ts_ns);
}
