/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * classify_test.bpf.c - parse.bpf.h under the verifier, for its test alone
 *
 * One packet in, its decision and its record header out through an array map.
 * No ring, no copy of payload: the test compares where it lies.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "classify_test.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, CLASSIFY_TEST_LINES * 2);
	__type(key, __u32);
	__type(value, struct optag_flow);
} flows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, OPTAG_TAG_PAIRS(CLASSIFY_TEST_LINES));
	__type(key, __u32);
	__type(value, struct optag_tag_pair);
} flow_tags SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct classify_result);
} results SEC(".maps");

#include "maps.bpf.h"

static __always_inline void answer(const struct optag_pkt *p, const struct optag_view *v,
				   const struct optag_hit *hit, __u32 count)
{
	__u32 zero = 0;
	struct classify_result *r = bpf_map_lookup_elem(&results, &zero);

	if (!r)
		return;
	r->count = count;
	if (count == OPTAG_C_SIG) {
		optag_fill_sig(&r->sig, v);
		r->offset = v->ip_off;
	}
	if (optag_goes_up(count)) {
		optag_fill_rec(&r->rec, p, v, hit);
		r->offset = v->pay_off;
	}
	optag_flow_note(hit, count);
}

/* Two functions, like the capture program. */
__attribute__((noinline)) int classify_general(struct xdp_md *ctx)
{
	struct optag_pkt p = { .data = (const __u8 *)(long)ctx->data,
			       .end = (const __u8 *)(long)ctx->data_end };
	struct optag_hit hit = { .flow = 0 };
	struct optag_view v;
	__u32 count;

	p.avail = (__u32)(p.end - p.data);
	p.zero = (__u32)unknown_zero;
	optag_view_zero(&v, unknown_zero);
	count = optag_decide(&p, &v, optag_walk(&p, &v, OPTAG_N_ETH), &config, 0, &hit);
	answer(&p, &v, &hit, count);
	return XDP_DROP;
}

static __always_inline int plain(struct xdp_md *ctx, struct optag_pkt *p,
				 const struct optag_plain *q, const int family)
{
	const __u8 *udp = optag_plain_udp(p, q->ip, family);
	struct optag_key k = { .proto = OPTAG_IP_UDP };
	struct optag_hit hit = { .flow = 0 };
	struct optag_view v;
	__u32 count = OPTAG_C_MISS;

	if (!udp || optag_plain_sip(&config, udp))
		return classify_general(ctx);
	optag_plain_key(q->ip, family, &k);
	if (optag_flow_find(0, &config.hash, config.flow_mask, &k, &hit)) {
		if (hit.verdict == OPTAG_V_SIG)
			return classify_general(ctx);
		count = optag_decide_rtp(udp + 8, &hit);
		if (count == OPTAG_C_EVENT)
			count = optag_decide_event(udp + 8, optag_be16(udp + 4) - 8U, p->end, &hit);
	}
	optag_plain_view(p, q, family, &v);
	answer(p, &v, &hit, count);
	return XDP_DROP;
}

SEC("xdp")
int classify_test(struct xdp_md *ctx)
{
	struct optag_pkt p = { .data = (const __u8 *)(long)ctx->data,
			       .end = (const __u8 *)(long)ctx->data_end };
	struct optag_plain q;

	switch (optag_plain_link(&p, &q)) {
	case 4:
		return plain(ctx, &p, &q, 4);
	case 6:
		return plain(ctx, &p, &q, 6);
	}
	return classify_general(ctx);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
