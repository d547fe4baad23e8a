/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * optag.bpf.c - live capture: the maps, and what the XDP program does with a packet
 *
 * parse.bpf.h decides; this file counts, copies and ends the packet. Media goes
 * to this CPU's capture ring, signalling to a ring of its own that wakes the
 * daemon, so that a flood of media cannot delay a BYE. Every packet moves
 * OPTAG_C_SEEN and exactly one other counter of its CPU.
 *
 * Invariants: audio is copied under verdict RECORD only. No locked instruction
 * and, but for the flow's own line, counters and budget, no memory that other
 * packets have not just warmed: a cold load costs more than all the rest here.
 * A flow's own counters are plain additions: exact unless one destination is hit
 * on two CPUs at once (the CPUs' counters are always exact).
 *
 * Time is CLOCK_MONOTONIC; the daemon adds the distance to CLOCK_REALTIME when it
 * reads. Media has the coarse clock's (up to one tick, 1-10 ms, too early) unless
 * config.full_time; signalling always the exact one.
 *
 * Oldest kernel: 6.1. Sizes of maps are set by the daemon before loading; the
 * verifier sees config as constants.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "optag.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1024); /* lines */
	__type(key, __u32);
	__type(value, struct optag_flow_line);
} flows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 2048); /* two a line */
	__type(key, __u32);
	__type(value, struct optag_flow_stats);
} flow_stats SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1024); /* lines */
	__type(key, __u32);
	__type(value, struct optag_budget);
} flow_budget SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1); /* CPUs */
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct optag_ring) + OPTAG_RING_MIN + OPTAG_RING_SLACK);
} rings SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} signals SEC(".maps");

/* Where a signalling record is put together; too large for a per-CPU map. */
struct optag_scratch {
	struct optag_sig sig;
	__u8 data[OPTAG_MAX_SIG + 1];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1); /* CPUs */
	__type(key, __u32);
	__type(value, struct optag_scratch);
} scratch SEC(".maps");

/* Not looked at here: pinned with the rest for the next daemon. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct optag_info);
} info SEC(".maps");

/* Nor here: the daemon's state of calls in progress, in memory that outlives it. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 64); /* blocks */
	__uint(key_size, sizeof(__u32));
	__uint(value_size, OPTAG_STATE_BLOCK);
} state SEC(".maps");

const volatile struct optag_config config;
volatile __u64 unknown_zero; /* a map value: 0, and any number to the verifier */

static __always_inline const struct optag_flow_line *optag_line(void *tab, __u32 line)
{
	(void)tab;
	return bpf_map_lookup_elem(&flows, &line);
}

#include "parse.bpf.h"

/* Hides from clang what it knows of v, so that a test of it is made on it and not on a copy:
 * the verifier of 6.1 follows only the register that was compared. */
#define HIDE(v) asm volatile("" : "+r"(v))

/* ---- signalling ---- */

/* Helpers want a packet length that is surely not 0; an IP header is 20 bytes at least. */
static __always_inline __u32 send_sig(struct xdp_md *ctx, const struct optag_view *v, __u32 cpu)
{
	struct optag_scratch *s = bpf_map_lookup_elem(&scratch, &cpu);
	__u64 n;

	if (!s)
		return OPTAG_C_SIG_LOST;
	optag_fill_sig(&s->sig, v);
	s->sig.ts_ns = bpf_ktime_get_ns();
	s->sig.ifindex = ctx->ingress_ifindex;
	n = s->sig.len;
	HIDE(n);
	if (n > OPTAG_MAX_SIG)
		return OPTAG_C_SIG_LOST;
	HIDE(n);
	if (n < 20 || bpf_xdp_load_bytes(ctx, v->ip_off, s->data, n))
		return OPTAG_C_SIG_LOST;
	if (bpf_ringbuf_output(&signals, s, sizeof(s->sig) + n, 0))
		return OPTAG_C_SIG_LOST;
	return OPTAG_C_SIG;
}

/* ---- media ---- */

static __always_inline __u64 media_time(void)
{
	return config.full_time ? bpf_ktime_get_ns() : bpf_ktime_get_coarse_ns();
}

/* 2^20 ns is 1.05 ms and 95 of them 99.6 ms: a 32-bit division costs a quarter of a 64-bit one. */
static __always_inline int within_budget(__u32 index, __u64 ts)
{
	__u32 line = index >> 1, used, interval;
	struct optag_budget *b;

	if (!config.leg_budget)
		return 1;
	b = bpf_map_lookup_elem(&flow_budget, &line);
	if (!b)
		return 0;
	interval = (__u32)(ts >> 20) / 95 << 16;
	used = b->w[index & 1];
	if ((used & 0xffff0000) != interval)
		used = interval;
	if ((used & 0xffff) >= config.leg_budget)
		return 0;
	b->w[index & 1] = used + 1;
	return 1;
}

static __always_inline int has_room(struct optag_ring *r, __u64 head, __u32 need)
{
	if (head - r->tail_seen + need <= config.ring_bytes)
		return 1;
	r->tail_seen = OPTAG_LOAD(r->tail);
	return head - r->tail_seen + need <= config.ring_bytes;
}

/* The record's bytes are there before head says so; x86 keeps stores in order by itself. */
static __always_inline void publish(struct optag_ring *r, __u64 head)
{
#ifdef __TARGET_ARCH_x86
	asm volatile("" ::: "memory");
	*(volatile __u64 *)&r->head = head;
#else
	__sync_lock_test_and_set(&r->head, head);
#endif
}

static __always_inline int copy_payload(struct xdp_md *ctx, const struct optag_view *v,
					struct optag_rec *rec)
{
	__u64 n = rec->len;

	HIDE(n);
	if (n > OPTAG_MAX_PAYLOAD)
		return 0;
	HIDE(n);
	return n >= 12 && !bpf_xdp_load_bytes(ctx, v->pay_off, rec + 1, n);
}

static __always_inline __u32 send_media(struct xdp_md *ctx, struct optag_ring *r,
					const struct optag_pkt *p, const struct optag_view *v,
					const struct optag_hit *hit, __u32 what)
{
	__u64 head = r->head, ts = media_time();
	struct optag_rec *rec;
	__u32 need;

	if (!within_budget(hit->index, ts))
		return OPTAG_C_BUDGET;
	need = OPTAG_REC_SPACE(OPTAG_MAX_PAYLOAD);
	if (v->pay_len < OPTAG_MAX_PAYLOAD)
		need = OPTAG_REC_SPACE(v->pay_len);
	if (!has_room(r, head, need))
		return OPTAG_C_MEDIA_LOST;
	rec = (struct optag_rec *)(r->data + (head & (config.ring_bytes - 1)));
	optag_fill_rec(rec, p, v, hit);
	rec->ts_ns = ts;
	if (!copy_payload(ctx, v, rec))
		return OPTAG_C_MEDIA_LOST;
	publish(r, head + OPTAG_REC_SPACE(rec->len));
	return what;
}

/* ---- the packet ---- */

static __always_inline void count_flow(const struct optag_hit *hit, __u32 what)
{
	struct optag_flow_stats *s;
	__u64 *n;

	if (hit->index == OPTAG_NO_FLOW)
		return;
	s = bpf_map_lookup_elem(&flow_stats, &hit->index);
	n = s ? optag_flow_counter(s, what) : 0;
	if (n)
		*n += 1;
}

/*
 * Zeroes that the verifier does not know to be zero. Of two ways through the parser
 * it forgets one when what is live looks alike, but on 6.1 a known zero is not like an
 * unknown number: with plain zeroes it gives up after a million instructions.
 */
static __always_inline void view_zero(struct optag_view *v)
{
	__u64 z = unknown_zero;

	v->src[0] = v->src[1] = v->dst[0] = v->dst[1] = z;
	v->off = v->ip_off = v->ip_len = v->ip_have = v->l4_off = v->pay_off = v->pay_len = (__u32)z;
	v->sport = v->dport = v->vlan = (__be16)z;
	v->family = v->kind = v->tcp_flags = (__u8)z;
}

SEC("xdp")
int optag_xdp(struct xdp_md *ctx)
{
	struct optag_pkt p = { .data = (const __u8 *)(long)ctx->data,
			       .end = (const __u8 *)(long)ctx->data_end };
	int verdict = config.drop_rest ? XDP_DROP : XDP_PASS;
	struct optag_hit hit = { .index = OPTAG_NO_FLOW };
	__u32 cpu = bpf_get_smp_processor_id(), what;
	struct optag_view v;
	struct optag_ring *r;

	p.avail = (__u32)(p.end - p.data);
	p.zero = (__u32)unknown_zero;
	view_zero(&v);
	what = optag_classify(&p, &v, OPTAG_N_ETH, &config, 0, &hit);
	r = bpf_map_lookup_elem(&rings, &cpu);
	if (!r) /* there is one for every CPU */
		return verdict;
	if (what == OPTAG_C_SIG)
		what = send_sig(ctx, &v, cpu);
	else if (what == OPTAG_C_AUDIO || what == OPTAG_C_EVENT)
		what = send_media(ctx, r, &p, &v, &hit, what);
	count_flow(&hit, what);
	r->counts[OPTAG_C_SEEN]++;
	if (what < OPTAG_C_MAX)
		r->counts[what]++;
	return verdict;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
