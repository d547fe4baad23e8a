/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* bench_wrap.h - what bench_xdp.c sets in bench_wrap.bpf.c */
#ifndef BENCH_WRAP_H
#define BENCH_WRAP_H

#include <linux/types.h>

struct bench_wrap {
	__u32 random;  /* never 0 */
	__u32 streams; /* how many there are */
	__u32 base;    /* first address, host order; 1024 streams an address */
};

#endif
