/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bench_xdp.c - what one packet costs the capture program, and one record its reader
 *
 * BPF_PROG_TEST_RUN through bench_wrap, which makes every packet one of 1 or
 * 100,000 streams in no order; CPU time of this thread, net of the same wrapper before an
 * empty program; rounds of all cases interleaved, medians (least). The packet itself
 * is always warm here: a NIC adds its driver and a first touch. Counters are checked,
 * so that no figure is of something else.
 *
 *	bench_xdp [ROUNDS [PACKETS]]
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "capture/flow.h"
#include "capture/xdp.h"
#include "tests/bpf/bench_wrap.h"
#include "tests/frames.h"

#define MANY	   BENCH_MANY
#define FLOW_BASE  0x0a100000U
#define MISS_BASE  0x0a900000U
#define BUF_BYTES  2048 /* of user memory a stream, where records are sorted to */
#define MAX_ROUNDS 101

struct instance {
	struct xdp *x;
	struct flow_table *t;
};

static struct {
	struct instance plain, exact, budget;
	struct bpf_object *obj;
	volatile struct bench_wrap *wrap;
	int wrap_prog, nothing_prog, next_map;
	struct frame frame;
	uint8_t *buf; /* MANY * BUF_BYTES */
	uint32_t *pos;
	uint64_t records;
	int rounds;
	uint32_t packets;
} b;

struct result {
	const char *name;
	struct instance *in; /* NULL: the empty program */
	uint8_t verdict;     /* FREE: miss */
	enum optag_count want;
	double limit[2];
	double ns[2][MAX_ROUNDS], drain[2][MAX_ROUNDS];
};

static struct result results[] = {
	{ .name = "miss", .in = &b.plain, .want = OPTAG_C_MISS, .limit = { 10, 65 } },
	{ .name = "BLOCK", .in = &b.plain, .verdict = OPTAG_V_BLOCK, .want = OPTAG_C_BLOCK, .limit = { 10, 95 } },
	{ .name = "GATE, audio", .in = &b.plain, .verdict = OPTAG_V_GATE, .want = OPTAG_C_GATE,
	  .limit = { 10, 100 } },
	{ .name = "RECORD", .in = &b.plain, .verdict = OPTAG_V_RECORD, .want = OPTAG_C_AUDIO, .limit = { 45, 150 } },
	{ .name = "RECORD, leg budget", .in = &b.budget, .verdict = OPTAG_V_RECORD, .want = OPTAG_C_AUDIO,
	  .limit = { 45, 150 } },
	{ .name = "RECORD, exact time", .in = &b.exact, .verdict = OPTAG_V_RECORD, .want = OPTAG_C_AUDIO },
};
#define RESULTS (sizeof(results) / sizeof(results[0]))
static double empty_ns[2][MAX_ROUNDS];

static void die(const char *what, int e)
{
	fprintf(stderr, "bench_xdp: %s: %s\n", what, strerror(e < 0 ? -e : e));
	exit(e == -EPERM ? 77 : 1);
}

static uint64_t cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

/* ---- setting up ---- */

static void endpoint_of(uint32_t i, struct endpoint *ret)
{
	ipaddr_v4(FLOW_BASE + (i >> 10), &ret->addr);
	ret->port = (uint16_t)(10000 + (i & 1023) * 2);
}

static void open_instance(struct instance *in, bool full_time, uint32_t budget)
{
	struct flow_rule r = { .verdict = OPTAG_V_RECORD, .te = { 101, OPTAG_NO_PT }, .proto = IPPROTO_UDP };
	struct xdp_settings s;
	struct endpoint at;
	char why[256];
	int e;

	xdp_default_settings(&s);
	s.full_time = full_time;
	s.leg_budget = budget;
	e = xdp_open(&s, &in->x, why, sizeof(why));
	if (e)
		die(why, e);
	e = xdp_flow_new(in->x, &in->t);
	for (uint32_t i = 0; i < MANY && !e; i++) {
		endpoint_of(i, &at);
		r.ring = i;
		e = flow_set(in->t, &at, &r, NULL);
	}
	if (e)
		die("flow table", e);
}

static void set_verdicts(struct instance *in, uint8_t verdict)
{
	struct endpoint at;

	for (uint32_t i = 0; i < MANY; i++) {
		endpoint_of(i, &at);
		if (flow_set_verdict(in->t, &at, IPPROTO_UDP, i, verdict))
			die("verdict", ENOENT);
	}
}

static struct bpf_map *bss_of(struct bpf_object *obj)
{
	struct bpf_map *m;

	bpf_object__for_each_map(m, obj)
		if (strstr(bpf_map__name(m), ".bss"))
			return m;
	return NULL;
}

static void open_wrap(void)
{
	char exe[PATH_MAX] = "", path[PATH_MAX + 64];
	void *m;

	if (readlink("/proc/self/exe", exe, sizeof(exe) - 1) < 0)
		die("/proc/self/exe", errno);
	snprintf(path, sizeof(path), "%s/../bpf/bench_wrap.bpf.o", dirname(exe));
	b.obj = bpf_object__open_file(path, NULL);
	if (!b.obj || bpf_object__load(b.obj))
		die(path, errno);
	b.wrap_prog = bpf_program__fd(bpf_object__find_program_by_name(b.obj, "bench_wrap"));
	b.nothing_prog = bpf_program__fd(bpf_object__find_program_by_name(b.obj, "bench_nothing"));
	b.next_map = bpf_object__find_map_fd_by_name(b.obj, "next");
	m = mmap(NULL, sizeof(*b.wrap), PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(bss_of(b.obj)), 0);
	if (m == MAP_FAILED)
		die(path, errno);
	b.wrap = m;
}

/* G.711, 20 ms. */
static void make_frame(void)
{
	uint8_t p[172] = { 0x80, 8 };

	f_init(&b.frame, p, sizeof(p));
	f_udp(&b.frame, 40000, 10000, sizeof(p));
	f_ip4(&b.frame, 0x0a000001, FLOW_BASE, f_inner(&b.frame), 0, 0x4000);
	f_eth(&b.frame, 0x02);
}

/* ---- a round ---- */

static double run(int prog, uint32_t streams, uint32_t base, uint32_t packets)
{
	LIBBPF_OPTS(bpf_test_run_opts, o, .data_in = b.frame.buf + b.frame.start,
		    .data_size_in = (uint32_t)f_len(&b.frame), .repeat = (int)packets);
	uint32_t zero = 0;
	uint64_t t0;
	int e = bpf_map_update_elem(b.next_map, &zero, &prog, BPF_ANY);

	b.wrap->streams = streams;
	b.wrap->base = base;
	t0 = cpu_ns();
	if (!e)
		e = bpf_prog_test_run_opts(b.wrap_prog, &o);
	if (e || o.retval != 1)
		die("BPF_PROG_TEST_RUN", e ? e : EINVAL);
	return (double)(cpu_ns() - t0) / packets;
}

static void sort_media(void *arg, const struct optag_rec *rec, const uint8_t *p)
{
	uint32_t at = b.pos[rec->ring];

	(void)arg;
	if (at + rec->len > BUF_BYTES)
		at = 0;
	memcpy(b.buf + (size_t)rec->ring * BUF_BYTES + at, p, rec->len);
	b.pos[rec->ring] = at + rec->len;
	b.records++;
}

/* What any consumer can know ahead: where the stream's bytes will go. */
static void sort_soon(void *arg, const struct optag_rec *rec, unsigned n)
{
	(void)arg;
	for (; n; n--, rec++) {
		const uint8_t *to = b.buf + (size_t)rec->ring * BUF_BYTES + b.pos[rec->ring];

		for (uint32_t i = 0; i < rec->len + 63; i += 64)
			__builtin_prefetch(to + i, 1);
	}
}

static double drain(struct instance *in)
{
	struct classify_sink sink = { .media = sort_media, .soon = sort_soon };
	uint64_t t0 = cpu_ns();

	b.records = 0;
	while (xdp_drain(in->x, &sink, 4096))
		;
	return b.records ? (double)(cpu_ns() - t0) / (double)b.records : 0;
}

static uint64_t count(struct instance *in, enum optag_count c)
{
	uint64_t n[OPTAG_C_MAX];

	xdp_counts(in->x, n);
	return n[c];
}

/* One stream is over any budget at this speed: only the many are measured with one. */
static bool possible(const struct result *r, int many)
{
	return many || r->in != &b.budget;
}

static void one_round(int round, int many)
{
	uint32_t streams = many ? MANY : 1;

	empty_ns[many][round] = run(b.nothing_prog, streams, FLOW_BASE, b.packets);
	for (size_t i = 0; i < RESULTS; i++) {
		struct result *r = &results[i];
		uint32_t base = r->verdict ? FLOW_BASE : MISS_BASE;
		uint64_t before;

		if (!possible(r, many))
			continue;
		if (r->verdict)
			set_verdicts(r->in, r->verdict);
		run(xdp_program_fd(r->in->x), streams, base, MANY); /* every stream once: the next one is in sequence */
		drain(r->in);
		before = count(r->in, r->want);
		r->ns[many][round] = run(xdp_program_fd(r->in->x), streams, base, b.packets);
		if (count(r->in, r->want) - before != b.packets)
			die(r->name, ERANGE);
		r->drain[many][round] = drain(r->in);
	}
}

/* ---- the report ---- */

static int by_value(const void *p, const void *q)
{
	double x = *(const double *)p, y = *(const double *)q;

	return (x > y) - (x < y);
}

static double median(double *v, int n, double *ret_least)
{
	qsort(v, (size_t)n, sizeof(*v), by_value);
	*ret_least = v[0];
	return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

static void cell(const struct result *r, int many, double limit)
{
	double net[MAX_ROUNDS], least, m;

	if (!possible(r, many)) {
		printf("  %8s %9s %8s", "-", "", "");
		return;
	}
	for (int i = 0; i < b.rounds; i++)
		net[i] = r->ns[many][i] - empty_ns[many][i];
	m = median(net, b.rounds, &least);
	printf("  %8.1f (%7.1f)", m, least);
	if (limit > 0)
		printf(" %4.0f%-4s", limit, m > limit ? "!" : "");
	else
		printf(" %8s", "");
}

static void report(void)
{
	double least, m[2];
	struct bpf_prog_info info;
	uint32_t n = sizeof(info);
	struct utsname u;

	uname(&u);
	printf("capture program, ns a packet (CPU time), net of an empty program: median (least) limit\n");
	printf("kernel %s %s, %d rounds of %u packets, 172 bytes of payload\n", u.release, u.machine, b.rounds,
	       b.packets);
	memset(&info, 0, sizeof(info));
	if (!bpf_obj_get_info_by_fd(xdp_program_fd(b.plain.x), &info, &n))
		printf("verifier: %u instructions followed, of %u; %u bytes of machine code\n", info.verified_insns,
		       info.xlated_prog_len / 8, info.jited_prog_len);
	printf("%-20s  %-27s  %-27s\n", "", "1 stream", "100,000 streams, shuffled");
	for (size_t i = 0; i < RESULTS; i++) {
		printf("%-20s", results[i].name);
		cell(&results[i], 0, results[i].limit[0]);
		cell(&results[i], 1, results[i].limit[1]);
		putchar('\n');
	}
	for (int many = 0; many < 2; many++)
		m[many] = median(results[3].drain[many], b.rounds, &least);
	printf("%-20s  %8.1f %18s  %8.1f %9s %4d\n", "drain and sort", m[0], "", m[1], "", 130);
	for (int many = 0; many < 2; many++)
		m[many] = median(empty_ns[many], b.rounds, &least);
	printf("%-20s  %8.1f %18s  %8.1f\n", "empty (taken off)", m[0], "", m[1]);
}

int main(int argc, char **argv)
{
	cpu_set_t cpu;

	b.rounds = argc > 1 ? atoi(argv[1]) : 9;
	b.packets = argc > 2 ? (uint32_t)atoi(argv[2]) : 200000;
	if (b.rounds < 1 || b.rounds > MAX_ROUNDS || b.packets < 1000 || b.packets > 250000) {
		fprintf(stderr, "usage: bench_xdp [ROUNDS (to %d) [PACKETS (1000 to 250000)]]\n", MAX_ROUNDS);
		return 2;
	}
	if (geteuid()) {
		printf("SKIP: loading BPF: %s\n", strerror(EPERM));
		return 77;
	}
	CPU_ZERO(&cpu);
	CPU_SET(sched_getcpu(), &cpu);
	sched_setaffinity(0, sizeof(cpu), &cpu);
	b.buf = malloc((size_t)MANY * BUF_BYTES);
	b.pos = calloc(MANY, sizeof(*b.pos));
	if (!b.buf || !b.pos)
		die("memory", ENOMEM);
	memset(b.buf, 1, (size_t)MANY * BUF_BYTES);
	open_instance(&b.plain, false, 0);
	open_instance(&b.exact, true, 0);
	open_instance(&b.budget, false, 200);
	open_wrap();
	make_frame();
	for (int i = 0; i < b.rounds; i++) {
		one_round(i, 0);
		one_round(i, 1);
	}
	report();
	bpf_object__close(b.obj);
	flow_free(b.plain.t);
	flow_free(b.exact.t);
	flow_free(b.budget.t);
	xdp_close(b.plain.x, false);
	xdp_close(b.exact.x, false);
	xdp_close(b.budget.x, false);
	free(b.buf);
	free(b.pos);
	return 0;
}
