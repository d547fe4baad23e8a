/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * load_send.bpf.c - makes every live frame of BPF_PROG_TEST_RUN the next packet of another stream
 *
 * User space says which streams are due (struct load_run) and runs the program once
 * per packet; the frames' pages are used again and again, so all that differs between
 * two packets is written each time. No UDP checksum: IPv4 allows its absence.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "load_send.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 2); /* set by optag-load */
	__type(key, __u32);
	__type(value, struct load_stream);
} streams SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 2); /* set by optag-load */
	__type(key, __u32);
	__type(value, __u64);
} slots SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, LOAD_POOL + 4096);
} pool SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct load_run);
} run SEC(".maps");

const volatile __u32 l2_len = 14; /* 18 with a VLAN tag */

static __always_inline __u16 ip_sum(const __u16 *h)
{
	__u32 s = 0;

#pragma unroll
	for (int i = 0; i < 10; i++)
		s += h[i];
	s = (s & 0xffff) + (s >> 16);
	return (__u16) ~(s + (s >> 16));
}

static __always_inline void put_headers(__u8 *p, const struct load_stream *s)
{
	*(__u16 *)(p + 10) = 0;
	*(__u32 *)(p + 12) = s->src;
	*(__u32 *)(p + 16) = s->dst;
	*(__u16 *)(p + 10) = ip_sum((const __u16 *)(const void *)p);
	*(__u16 *)(p + 20) = s->sport;
	*(__u16 *)(p + 22) = s->dport;
	p[29] = s->pt | (s->mark ? 0x80 : 0);
	*(__u16 *)(p + 30) = __builtin_bswap16(s->seq);
	*(__u32 *)(p + 32) = __builtin_bswap32(s->ts);
	*(__u32 *)(p + 36) = s->ssrc;
}

static __always_inline int put_sound(__u8 *p, const struct load_stream *s)
{
	__u32 zero = 0, at = s->at & (LOAD_POOL - 1);
	const __u8 *from = bpf_map_lookup_elem(&pool, &zero);

	if (!from)
		return 0;
	from += at;
#pragma unroll
	for (int i = 0; i < LOAD_PAYLOAD / 8; i++)
		((volatile __u64 *)(void *)(p + 40))[i] = ((const volatile __u64 *)(const void *)from)[i];
	return 1;
}

SEC("xdp")
int load_send(struct xdp_md *ctx)
{
	__u8 *p = (__u8 *)(long)ctx->data + l2_len;
	__u32 zero = 0, slot, who;
	__u64 *number;
	struct load_stream *s;
	struct load_run *r;

	r = bpf_map_lookup_elem(&run, &zero);
	if (!r || r->next >= r->end) /* a real packet */
		return XDP_PASS;
	if (p + 40 + LOAD_PAYLOAD > (__u8 *)(long)ctx->data_end)
		return XDP_ABORTED;
	slot = r->next++;
	number = bpf_map_lookup_elem(&slots, &slot);
	if (!number)
		return XDP_ABORTED;
	who = (__u32)*number;
	s = bpf_map_lookup_elem(&streams, &who);
	if (!s)
		return XDP_ABORTED;
	put_headers(p, s);
	if (!put_sound(p, s))
		return XDP_ABORTED;
	s->seq++;
	s->ts += LOAD_PAYLOAD;
	s->at += LOAD_PAYLOAD;
	s->mark = 0;
	s->sent++;
	r->sent++;
	return bpf_redirect(r->out, 0);
}

/* At the other end when nobody records: what the wire alone costs. */
SEC("xdp")
int load_sink(struct xdp_md *ctx)
{
	(void)ctx;
	return XDP_DROP;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
