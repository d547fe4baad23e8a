/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* classify_test.h - what classify_test.bpf.c leaves in its map for test_classify_bpf.c */
#ifndef CLASSIFY_TEST_H
#define CLASSIFY_TEST_H

#include "optag.h"

#define CLASSIFY_TEST_LINES 1024

struct classify_result {
	__u32 count;  /* enum optag_count */
	__u32 offset; /* of what goes up: payload or IP packet */
	struct optag_rec rec; /* ts_ns stays 0 */
	struct optag_sig sig;
};

#endif
