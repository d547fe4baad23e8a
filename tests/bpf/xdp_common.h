/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xdp_common.h - for tests of live capture: opening, running packets, collecting records
 */
#ifndef XDP_COMMON_H
#define XDP_COMMON_H

#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "capture/classify.h"
#include "capture/flow.h"
#include "capture/xdp.h"
#include "tests/frames.h"

static unsigned long checks, fails;

#define CHECK(c, ...)                                                                              \
	do {                                                                                       \
		checks++;                                                                          \
		if (!(c)) {                                                                        \
			if (++fails <= 30) {                                                       \
				fprintf(stderr, "%s:%d: %s: ", __func__, __LINE__, #c);            \
				fprintf(stderr, __VA_ARGS__);                                      \
				fputc('\n', stderr);                                               \
			}                                                                          \
		}                                                                                  \
	} while (0)

#define CHECK_EQ(a, b)                                                                             \
	do {                                                                                       \
		unsigned long long a_ = (a), b_ = (b);                                             \
		CHECK(a_ == b_, "%llu, expected %llu", a_, b_);                                    \
	} while (0)

F_UNUSED static int skip(const char *why, int err)
{
	printf("SKIP: %s: %s\n", why, strerror(err));
	return 77;
}

/* Settings of a test: small, nothing attached, the ports and flows of frames.h. */
F_UNUSED static void x_settings(struct xdp_settings *s)
{
	xdp_default_settings(s);
	s->flow_lines = F_LINES;
	s->ring_bytes = 1 << 20;
	s->sig_bytes = 1 << 20;
	s->leg_budget = 0;
	s->sip_ports[0] = F_P_SIP;
	s->sip_ports[1] = F_P_SIP2;
}

F_UNUSED static struct xdp *x_open(const struct xdp_settings *s, struct flow_table **ret)
{
	char why[256];
	struct xdp *x;
	int r = xdp_open(s, &x, why, sizeof(why));

	if (!r)
		r = xdp_flow_new(x, ret);
	if (r) {
		fprintf(stderr, "xdp_open: %s (%s)\n", why, strerror(-r));
		exit(r == -EPERM || r == -ENOSYS ? skip("loading BPF", -r) : 1);
	}
	return x;
}

F_UNUSED static void x_close(struct xdp *x, struct flow_table *t)
{
	flow_free(t);
	xdp_close(x, false);
}

/* One frame, `repeat` times; the program's verdict, or -errno. */
F_UNUSED static int x_run(struct xdp *x, const uint8_t *frame, size_t n, int repeat)
{
	LIBBPF_OPTS(bpf_test_run_opts, o, .data_in = frame, .data_size_in = (uint32_t)n,
		    .repeat = repeat);
	int r = bpf_prog_test_run_opts(xdp_program_fd(x), &o);

	return r ? r : (int)o.retval;
}

/* An IPv4 RTP frame of n payload bytes (12 at least) to F_DST4:port; byte i is seed + i * 7. */
F_UNUSED static void x_rtp(struct frame *f, uint32_t dst, uint16_t port, uint8_t pt, size_t n,
			   uint32_t seed)
{
	uint8_t p[1600];

	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)(seed + i * 7);
	p[0] = 0x80;
	p[1] = pt;
	be32enc(p + 4, seed);
	f_init(f, p, n);
	f_udp(f, F_P_FAR, port, n);
	f_ip4(f, F_SRC4, dst, f_inner(f), 0, 0x4000);
	f_eth(f, 0x02);
}

/* The beginning of a request of n bytes (20 at least) to a SIP port. */
F_UNUSED static void x_sip(struct frame *f, size_t n)
{
	uint8_t p[1600];

	memset(p, ' ', sizeof(p));
	memcpy(p, "INVITE sip:x SIP/2.0", 20);
	f_init(f, p, n);
	f_udp(f, F_P_FAR, F_P_SIP, n);
	f_ip4(f, F_SRC4, F_DST4, f_inner(f), 0, 0x4000);
	f_eth(f, 0x02);
}

F_UNUSED static int x_send(struct xdp *x, const struct frame *f)
{
	return x_run(x, f->buf + f->start, f_len(f), 1);
}

F_UNUSED static void x_balance(const struct xdp *x)
{
	uint64_t n[OPTAG_C_MAX], sum = 0;

	xdp_counts(x, n);
	for (int i = OPTAG_C_SEEN + 1; i < OPTAG_C_MAX; i++)
		sum += n[i];
	CHECK_EQ(sum, n[OPTAG_C_SEEN]);
}

F_UNUSED static uint64_t x_count(const struct xdp *x, enum optag_count c)
{
	uint64_t n[OPTAG_C_MAX];

	xdp_counts(x, n);
	return n[c];
}

#endif
