/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * bench_wrap.bpf.c - makes every repeat of BPF_PROG_TEST_RUN another stream
 *
 * Patches destination, sequence number and SSRC of an IPv4 RTP frame with the next
 * stream's, then goes on to the program in `next`: the one to be measured, or
 * `nothing`, whose time is then taken off. One stream; or BENCH_MANY, each once a round
 * with none near the last one (and their places in the flow table are random), so that a
 * stream's sequence numbers run on, as they do on a wire.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "bench_wrap.h"

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
} next SEC(".maps");

volatile struct bench_wrap wrap;

SEC("xdp")
int bench_nothing(struct xdp_md *ctx)
{
	(void)ctx;
	return XDP_DROP;
}

SEC("xdp")
int bench_wrap(struct xdp_md *ctx)
{
	__u8 *p = (__u8 *)(long)ctx->data;
	__u32 i = 0, seq;

	if (p + 54 > (__u8 *)(long)ctx->data_end)
		return XDP_ABORTED;
	if (wrap.streams > 1) {
		i = wrap.at + BENCH_STEP - BENCH_MANY;
		i += BENCH_MANY & -(i >> 31); /* no jump, no division: that would be measured, too */
		wrap.at = i;
		seq = wrap.round;
		if (!i)
			wrap.round = seq + 1;
	} else {
		seq = wrap.one;
		wrap.one = seq + 1;
	}
	*(__u32 *)(p + 30) = __builtin_bswap32(wrap.base + (i >> 10));
	*(__u16 *)(p + 36) = __builtin_bswap16(10000 + (i & 1023) * 2);
	*(__u16 *)(p + 44) = __builtin_bswap16((__u16)seq);
	*(__u32 *)(p + 50) = i;
	bpf_tail_call(ctx, &next, 0);
	return XDP_ABORTED;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
