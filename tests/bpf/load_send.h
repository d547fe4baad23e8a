/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* load_send.h - what optag-load and load_send.bpf.c share: the streams, and where the sound lies */
#ifndef LOAD_SEND_H
#define LOAD_SEND_H

#include <linux/types.h>

#define LOAD_PAYLOAD 160	 /* 20 ms of G.711 */
#define LOAD_POOL    (1U << 20)	 /* samples of sound that all streams read, each from a place of its own */
#define LOAD_PT_TE   101

/* One voice. Sound runs round the pool and repeats itself after eleven minutes. */
struct load_stream {
	__be32 src, dst;
	__be16 sport, dport;
	__be32 ssrc;
	__u32 ts;
	__u32 at; /* in the pool, of the next packet */
	__u32 sent;
	__u16 seq;
	__u8 pt;
	__u8 mark; /* the next packet carries the marker */
	__u32 pad[8];
};
_Static_assert(sizeof(struct load_stream) == 64, "a stream is a cache line");

/* What the next run sends: slots[next .. end), each the number of a stream. */
struct load_run {
	__u32 next, end;
	__u32 out; /* interface */
	__u32 pad;
	__u64 sent;
};

#endif
