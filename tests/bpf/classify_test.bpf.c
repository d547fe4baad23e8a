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
	__uint(max_entries, CLASSIFY_TEST_LINES);
	__type(key, __u32);
	__type(value, struct optag_flow_line);
} flows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, CLASSIFY_TEST_LINES * 2);
	__type(key, __u32);
	__type(value, struct optag_flow_stats);
} flow_stats SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct classify_result);
} results SEC(".maps");

const volatile struct optag_config config;
volatile __u32 unknown_zero; /* a map value: optag_pkt.zero */

static __always_inline const struct optag_flow_line *optag_line(void *tab, __u32 line)
{
	(void)tab;
	return bpf_map_lookup_elem(&flows, &line);
}

#include "parse.bpf.h"

SEC("xdp")
int classify_test(struct xdp_md *ctx)
{
	struct optag_pkt p = { .data = (const __u8 *)(long)ctx->data,
			       .end = (const __u8 *)(long)ctx->data_end };
	struct optag_view v = { .off = 0 };
	struct optag_hit hit = { .index = 0 };
	struct optag_flow_stats *s;
	struct classify_result *r;
	__u32 zero = 0;
	__u64 *n;

	r = bpf_map_lookup_elem(&results, &zero);
	if (!r)
		return XDP_ABORTED;
	p.avail = (__u32)(p.end - p.data);
	p.zero = unknown_zero;
	r->count = optag_classify(&p, &v, OPTAG_N_ETH, &config, 0, &hit);
	if (r->count == OPTAG_C_SIG) {
		optag_fill_sig(&r->sig, &v);
		r->offset = v.ip_off;
	}
	if (r->count == OPTAG_C_AUDIO || r->count == OPTAG_C_EVENT) {
		optag_fill_rec(&r->rec, &p, &v, &hit);
		r->offset = v.pay_off;
	}
	if (hit.index == OPTAG_NO_FLOW)
		return XDP_DROP;
	s = bpf_map_lookup_elem(&flow_stats, &hit.index);
	n = s ? optag_flow_counter(s, r->count) : 0;
	if (n)
		*n += 1;
	return XDP_DROP;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
