/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * optag.bpf.c - live capture: the maps, and what the XDP program does with a packet
 *
 * parse.bpf.h decides; this file counts, copies and ends the packet. Media goes
 * to this CPU's capture ring, signalling to a ring of its own that wakes the
 * daemon, so that a flood of media cannot delay a BYE. Every packet moves
 * OPTAG_C_SEEN and exactly one other counter of its CPU.
 *
 * Invariants: audio is copied under the verdicts RECORD and INSPECT only. No locked instruction
 * and, but for the flow's own line (which has its counters and budget, too), no memory
 * that other packets have not just warmed: a cold load costs more than all the rest here.
 * A flow's own counters are plain additions: exact unless one destination is hit
 * on two CPUs at once (the CPUs' counters are always exact).
 *
 * optag_xdp does media in plain packets, which is nearly all there is, and leaves the
 * rest to optag_general. The verifier checks each for itself; in one function they are
 * too much for that of 6.1.
 *
 * Time is CLOCK_MONOTONIC; the daemon adds what its own clock is ahead when it
 * reads. Media has the coarse clock's (a tick, 1-10 ms, too early, rarely two) unless
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
	__uint(max_entries, 2048); /* two a line */
	__type(key, __u32);
	__type(value, struct optag_flow);
} flows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 512); /* pairs of lines */
	__type(key, __u32);
	__type(value, struct optag_tag_pair);
} flow_tags SEC(".maps");

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

/* For the next daemon; only its dead-man's switch is looked at here. */
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

#include "maps.bpf.h"

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

/*
 * The coarse clock moves with jiffies, and those cost one load: it is asked once a tick.
 * Jiffies move some microseconds before it, so at worst a whole tick has the time before.
 */
static __always_inline __u64 media_time(struct optag_ring *r)
{
	__u64 tick, ts;

	if (config.full_time)
		return bpf_ktime_get_ns();
	tick = bpf_jiffies64();
	if (tick == r->tick)
		return r->tick_ns;
	ts = bpf_ktime_get_coarse_ns();
	r->tick = tick;
	r->tick_ns = ts;
	return ts;
}

/* Media is handed up only as long as a daemon says that it is there to take it. */
static __always_inline int daemon_alive(__u64 ts)
{
	__u32 zero = 0;
	struct optag_info *i = bpf_map_lookup_elem(&info, &zero);
	__u64 until = i ? OPTAG_LOAD(i->alive_until_ns) : 0;

	return !until || ts < until;
}

/* Intervals of 99.6 ms: 690/2^16 is 1/94.98, and 2^20 ns 1.05 ms. */
static __always_inline int within_budget(struct optag_flow *f, __u64 ts)
{
	__u64 a, b, interval, used = 0;

	if (!config.leg_budget)
		return 1;
	a = f->counts[OPTAG_F_PASSED];
	b = f->counts[OPTAG_F_EVENTS];
	interval = ((ts >> 20) * 690 >> 16) & 0xffff;
	if (a >> OPTAG_COUNT_BITS == interval)
		used = b >> OPTAG_COUNT_BITS;
	if (used >= config.leg_budget)
		return 0;
	f->counts[OPTAG_F_PASSED] = (a & OPTAG_COUNT_MASK) | interval << OPTAG_COUNT_BITS;
	f->counts[OPTAG_F_EVENTS] = (b & OPTAG_COUNT_MASK) | (used + 1) << OPTAG_COUNT_BITS;
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

/* n bytes in whole words and a half; they are there. */
static __always_inline void copy_words(__u8 *to, const __u8 *from, const int n)
{
#pragma clang loop unroll(full)
	for (int i = 0; i + 8 <= n; i += 8)
		OPTAG_PUT(__u64, to + i, OPTAG_GET(__u64, from + i));
	OPTAG_PUT(__u32, to + n - 4, OPTAG_GET(__u32, from + n - 4));
}

/*
 * G.711 of 20 and of 10 ms are most of the audio there is: without a call of a helper. from is the
 * payload, at off in the packet, and end the packet's.
 */
static __always_inline int copy_payload(struct xdp_md *ctx, const __u8 *from, const __u8 *end,
					__u32 off, __u8 *to, __u64 n)
{
	if (n == 172 && from + 172 <= end) {
		copy_words(to, from, 172);
		return 1;
	}
	if (n == 92 && from + 92 <= end) {
		copy_words(to, from, 92);
		return 1;
	}
	HIDE(n);
	if (n > OPTAG_MAX_PAYLOAD)
		return 0;
	HIDE(n);
	return n >= 12 && !bpf_xdp_load_bytes(ctx, off, to, n);
}

static __always_inline __u32 send_media(struct xdp_md *ctx, struct optag_ring *r,
					const struct optag_pkt *p, const struct optag_view *v,
					const struct optag_hit *hit, __u32 what)
{
	__u32 len = optag_pay_have(p, v), head_len = OPTAG_RAW_HEAD4;
	__u64 head = r->head, ts = media_time(r);
	struct optag_raw *raw;

	if (!daemon_alive(ts))
		return OPTAG_C_DEAD;
	if (!within_budget(hit->flow, ts))
		return OPTAG_C_BUDGET;
	if (v->family == 6)
		head_len = OPTAG_RAW_HEAD6;
	if (!has_room(r, head, OPTAG_RAW_SPACE(head_len, len)))
		return OPTAG_C_MEDIA_LOST;
	raw = (struct optag_raw *)(r->data + (head & (config.ring_bytes - 1)));
	optag_fill_raw(raw, len, v, hit, ts);
	if (!copy_payload(ctx, hit->rtp, p->end, v->pay_off, (__u8 *)raw + head_len, len))
		return OPTAG_C_MEDIA_LOST;
	publish(r, head + OPTAG_RAW_SPACE(head_len, len));
	return what;
}

/* ---- the packet ---- */

/* This CPU's; there is one for every CPU. */
static __always_inline struct optag_ring *ring_here(void)
{
	__u32 cpu = bpf_get_smp_processor_id();

	return bpf_map_lookup_elem(&rings, &cpu);
}

/* The packet's end. */
static __always_inline int count(struct optag_ring *r, __u32 what)
{
	if (r) {
		r->counts[OPTAG_C_SEEN]++;
		if (what < OPTAG_C_MAX)
			r->counts[what]++;
	}
	return config.drop_rest ? XDP_DROP : XDP_PASS;
}

/* Any packet. A function of its own to the verifier, because it is not static. */
__attribute__((noinline)) int optag_general(struct xdp_md *ctx)
{
	struct optag_pkt p = { .data = (const __u8 *)(long)ctx->data,
			       .end = (const __u8 *)(long)ctx->data_end };
	__u32 cpu = bpf_get_smp_processor_id(), what;
	struct optag_hit hit = { .flow = 0 };
	struct optag_view v;
	struct optag_ring *r;

	p.avail = (__u32)(p.end - p.data);
	p.zero = (__u32)unknown_zero;
	optag_view_zero(&v, unknown_zero);
	what = optag_decide(&p, &v, optag_walk(&p, &v, OPTAG_N_ETH), &config, 0, &hit);
	r = bpf_map_lookup_elem(&rings, &cpu);
	if (what == OPTAG_C_SIG)
		what = send_sig(ctx, &v, cpu);
	else if (optag_goes_up(what))
		what = r ? send_media(ctx, r, &p, &v, &hit, what) : OPTAG_C_MEDIA_LOST;
	optag_flow_note(&hit, what);
	return count(r, what);
}

/* One that goes up: what its way here had no use for is read from the packet now. */
static __always_inline int up(struct xdp_md *ctx, struct optag_plain *q, const int family,
			      struct optag_hit *hit, __u32 what)
{
	struct optag_pkt p = { .data = (const __u8 *)(long)ctx->data,
			       .end = (const __u8 *)(long)ctx->data_end };
	struct optag_ring *r = ring_here();
	struct optag_view v;

	HIDE(q->ip); /* else clang keeps what it has read before, and all of it on the stack */
	optag_plain_view(&p, q, family, &v);
	what = r ? send_media(ctx, r, &p, &v, hit, what) : OPTAG_C_MEDIA_LOST;
	optag_flow_note(hit, what);
	return count(r, what);
}

/* One that stays below. */
static __always_inline int below(const struct optag_hit *hit, __u32 what)
{
	optag_flow_note(hit, what);
	return count(ring_here(), what);
}

/* A plain packet of this family. A verdict SIG has no media, so it is asked for last. */
static __always_inline int plain(struct xdp_md *ctx, const struct optag_pkt *p, struct optag_plain *q,
				 const int family)
{
	const __u8 *udp = optag_plain_udp(p, q->ip, family);
	struct optag_key k = { .proto = OPTAG_IP_UDP };
	struct optag_hit hit;
	__u32 what;
	int found;

	if (!udp || optag_plain_sip(&config, udp))
		return optag_general(ctx);
	optag_plain_key(q->ip, family, &k);
	found = optag_flow_quick(0, optag_flow_hash(&k, &config.hash), config.flow_mask, &k, &hit);
	if (!found)
		return count(ring_here(), OPTAG_C_MISS);
	if (found < 0)
		return optag_general(ctx);
	what = optag_decide_rtp(udp + 8, &hit);
	if (what == OPTAG_C_BLOCK) /* each by itself: clang then has no use for `what` */
		return below(&hit, OPTAG_C_BLOCK);
	if (what == OPTAG_C_GATE)
		return below(&hit, OPTAG_C_GATE);
	if (what == OPTAG_C_EVENT)
		what = optag_decide_event(udp + 8, optag_be16(udp + 4) - 8U, p->end, &hit);
	if (optag_goes_up(what))
		return up(ctx, q, family, &hit, what);
	if (hit.verdict == OPTAG_V_SIG)
		return optag_general(ctx);
	return below(&hit, what);
}

SEC("xdp")
int optag_xdp(struct xdp_md *ctx)
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
	return optag_general(ctx);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
