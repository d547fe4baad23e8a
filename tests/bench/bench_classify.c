/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bench_classify.c - ns a packet of the classifier in user space
 *
 * One G.711 packet over Ethernet and IPv4; destination address and port of a
 * random stream are patched in before each (the row "patch" is that alone, and
 * taken off the others). Thread CPU time, median (lowest) of the rounds, the
 * cases interleaved. The sink reads the record and 8 bytes of payload.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "capture/classify.h"
#include "tests/frames.h"

#define LINES	131072
#define STREAMS 100000
#define PACKETS 400000
#define ROUNDS	9

enum kind { PATCH, MISS, BLOCK, GATE, RECORD, KINDS };
static const char *const names[KINDS] = { "patch", "miss", "BLOCK", "GATE", "RECORD" };

struct stream {
	uint32_t addr;
	uint16_t port;
};

struct bench {
	struct stream *in, *out; /* with and without an entry */
	uint32_t *order;
	struct flow_table *t;
	struct classify *c;
	struct frame f;
	struct f_want w;
	uint64_t sum;
};

static uint64_t rnd_state = 1;

static uint64_t rnd(void)
{
	rnd_state ^= rnd_state << 13;
	rnd_state ^= rnd_state >> 7;
	rnd_state ^= rnd_state << 17;
	return rnd_state;
}

static void on_media(void *arg, const struct optag_rec *r, const uint8_t *payload)
{
	struct bench *b = arg;
	uint64_t v;

	memcpy(&v, payload, sizeof(v));
	b->sum += r->ring + r->len + v;
}

static void on_signalling(void *arg, const struct optag_sig *s, const uint8_t *packet)
{
	struct bench *b = arg;

	b->sum += s->len + packet[0];
}

static void set_all(struct bench *b, uint8_t verdict)
{
	struct flow_rule r = { .verdict = verdict, .te = { 101, OPTAG_NO_PT },
			       .proto = IPPROTO_UDP };

	for (uint32_t i = 0; i < STREAMS; i++) {
		struct endpoint at = { .port = b->in[i].port };

		ipaddr_v4(b->in[i].addr, &at.addr);
		r.ring = i;
		if (flow_set(b->t, &at, &r, NULL) < 0)
			abort();
	}
}

static uint64_t cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000U + (uint64_t)ts.tv_nsec;
}

static double run(struct bench *b, enum kind k, int many)
{
	const struct stream *s = k == MISS ? b->out : b->in;
	uint8_t *frame = b->f.buf + b->f.start, *dst = frame + b->w.ip_off + 16;
	uint8_t *port = frame + b->w.l4_off + 2;
	size_t n = f_len(&b->f);
	uint64_t t0 = cpu_ns();

	for (uint32_t i = 0; i < PACKETS; i++) {
		const struct stream *x = &s[many ? b->order[i] : 0];

		be32enc(dst, x->addr);
		be16enc(port, x->port);
		if (k == PATCH)
			__asm__ volatile("" ::: "memory");
		else
			classify_packet(b->c, CLASSIFY_ETHERNET, 0, frame, n, n, i, 1);
	}
	return (double)(cpu_ns() - t0) / PACKETS;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static int setup(struct bench *b)
{
	struct classify_sink sink = { .arg = b, .media = on_media, .signalling = on_signalling };
	struct optag_config cfg;

	b->in = calloc(STREAMS, sizeof(*b->in));
	b->out = calloc(STREAMS, sizeof(*b->out));
	b->order = calloc(PACKETS, sizeof(*b->order));
	if (!b->in || !b->out || !b->order)
		return -1;
	for (uint32_t i = 0; i < STREAMS; i++) {
		b->in[i] = (struct stream){ 0x0a000000U | (rnd() & 0x7fffff), (uint16_t)rnd() | 8192 };
		b->out[i] = (struct stream){ 0x0a800000U | (rnd() & 0x7fffff), (uint16_t)rnd() | 8192 };
	}
	for (uint32_t i = 0; i < PACKETS; i++)
		b->order[i] = (uint32_t)(rnd() % STREAMS);
	f_config(&cfg);
	cfg.flow_mask = LINES - 1;
	f_build(&b->f, &b->w, F_PLAIN, F_V4, &f_contents[0]);
	if (flow_new(LINES, F_SEED, NULL, NULL, &b->t) < 0)
		return -1;
	return classify_new(&cfg, b->t, &sink, &b->c);
}

int main(void)
{
	static double ns[2][KINDS][ROUNDS];
	static struct bench b;

	if (setup(&b) < 0) {
		fprintf(stderr, "bench_classify: no memory\n");
		return 1;
	}
	for (int round = 0; round < ROUNDS; round++)
		for (int k = 0; k < KINDS; k++) {
			if (k >= BLOCK)
				set_all(&b, (uint8_t)(OPTAG_V_BLOCK + k - BLOCK));
			for (int many = 0; many < 2; many++)
				ns[many][k][round] = run(&b, (enum kind)k, many);
		}
	for (int many = 0; many < 2; many++)
		for (int k = 0; k < KINDS; k++)
			qsort(ns[many][k], ROUNDS, sizeof(double), by_value);
	printf("classifier in user space, ns a packet net of patching, median (lowest) of %d rounds\n",
	       ROUNDS);
	printf("%-8s %14s %22s\n", "", "1 stream", "100,000 random");
	for (int k = 0; k < KINDS; k++) {
		printf("%-8s", names[k]);
		for (int many = 0; many < 2; many++) {
			double base = k == PATCH ? 0 : ns[many][PATCH][ROUNDS / 2];

			printf(" %9.1f (%.1f)%s", ns[many][k][ROUNDS / 2] - base,
			       ns[many][k][0] - base, many ? "\n" : "     ");
		}
	}
	classify_free(b.c);
	flow_free(b.t);
	return b.sum == 0; /* nothing reached the sink: wrong */
}
