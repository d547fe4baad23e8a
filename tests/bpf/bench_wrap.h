/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* bench_wrap.h - what bench_xdp.c sets in bench_wrap.bpf.c */
#ifndef BENCH_WRAP_H
#define BENCH_WRAP_H

#include <linux/types.h>

#define BENCH_MANY 100000U
#define BENCH_STEP 61803U /* by so many to the next stream; no common factor with their number */

struct bench_wrap {
	__u32 streams; /* 1 or BENCH_MANY */
	__u32 base;    /* first address, host order; 1024 streams an address */
	__u32 at;      /* of many: the stream last taken */
	__u32 round;   /* the sequence number of all of them */
	__u32 one;     /* the single stream's */
};

#endif
