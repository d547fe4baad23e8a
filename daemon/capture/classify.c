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
#include <stdlib.h>

#include "capture/flow.h"
#include "capture/flow_internal.h"

struct classify {
	struct optag_config cfg;
	struct flow_memory tab;
	struct classify_sink sink;
	uint64_t counts[OPTAG_C_MAX];
	struct flow_frag frags[OPTAG_FRAGS];
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
	c->tab.frags = c->frags;
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
	c->tab.now_ns = ts_ns;
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
