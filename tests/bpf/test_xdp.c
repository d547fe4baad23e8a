/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_xdp.c - the capture program and its rings, packet by packet
 *
 * BPF_PROG_TEST_RUN on the program that xdp_open loads: every frame of frames.h
 * must give the record, bytes and counter that classify_packet gives; then the
 * rings at their limits, the budget, and flow slots that change hands under load.
 * Needs root and bpf(2); says so and skips (77) without.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "capture/flow_internal.h"
#include "xdp_common.h"

/* ---- both sides alike ---- */

struct one {
	int n; /* records of this frame */
	struct optag_rec rec;
	struct optag_sig sig;
	uint8_t bytes[2048];
	size_t len;
};

struct both {
	struct xdp *x;
	struct classify *c;
	struct classify_sink sink; /* the kernel's records */
	struct one kernel, user;
	uint64_t since;
};

static void take(struct one *o, const void *p, size_t n)
{
	o->n++;
	o->len = n;
	if (n <= sizeof(o->bytes))
		memcpy(o->bytes, p, n);
}

static void take_media(void *arg, const struct optag_rec *rec, const uint8_t *payload)
{
	struct one *o = arg;

	o->rec = *rec;
	take(o, payload, rec->len);
}

static void take_sig(void *arg, const struct optag_sig *sig, const uint8_t *packet)
{
	struct one *o = arg;

	o->sig = *sig;
	take(o, packet, sig->len);
}

/* Times and the interface are the only differences. */
static void check_time(const struct both *b, __u64 *ts)
{
	if (!*ts)
		return;
	CHECK(*ts + NS_PER_S > b->since && *ts <= clock_now_ns() + NS_PER_MS,
	      "time %llu is not now", (unsigned long long)*ts);
	*ts = 0;
}

static void both_alike(struct both *b, const uint8_t *frame, size_t n, const struct f_want *w)
{
	uint64_t k0[OPTAG_C_MAX], k1[OPTAG_C_MAX], u0[OPTAG_C_MAX];
	const uint64_t *u1 = classify_counts(b->c);

	memset(&b->kernel, 0, sizeof(b->kernel));
	memset(&b->user, 0, sizeof(b->user));
	memcpy(u0, u1, sizeof(u0));
	xdp_counts(b->x, k0);
	CHECK_EQ((unsigned)x_run(b->x, frame, n, 1), 1 /* XDP_DROP */);
	xdp_counts(b->x, k1);
	xdp_drain(b->x, &b->sink, 10);
	xdp_signals(b->x, &b->sink, 10);
	classify_packet(b->c, CLASSIFY_ETHERNET, 0, frame, n, n, 0, 0);
	for (int i = 0; i < OPTAG_C_MAX; i++)
		CHECK(k1[i] - k0[i] == u1[i] - u0[i], "%s, %s, %zu bytes: counter %d", w->encap,
		      w->content, n, i);
	check_time(b, &b->kernel.rec.ts_ns);
	check_time(b, &b->kernel.sig.ts_ns);
	b->kernel.sig.ifindex = b->user.sig.ifindex = 0;
	CHECK(!memcmp(&b->kernel, &b->user, sizeof(b->user)), "%s, %s, %zu bytes: records differ",
	      w->encap, w->content, n);
}

static void visit(void *arg, const struct frame *f, const struct f_want *w)
{
	struct both *b = arg;
	const uint8_t *p = f->buf + f->start;
	size_t n = f_len(f);

	both_alike(b, p, n, w);
	for (size_t cut = 14 + checks % 97; cut < n; cut += 97)
		both_alike(b, p, cut, w);
}

static void test_alike(void)
{
	struct xdp_settings s;
	struct optag_config cfg;
	struct flow_table *t, *ut;
	struct both b = { .since = clock_now_ns() };
	struct classify_sink user = { .arg = &b.user, .media = take_media, .signalling = take_sig };

	b.sink = (struct classify_sink){ .arg = &b.kernel, .media = take_media, .signalling = take_sig };
	x_settings(&s);
	b.x = x_open(&s, &t);
	f_config(&cfg);
	CHECK(!flow_new(F_LINES, F_SEED, NULL, NULL, &ut) && !f_set_flows(ut) && !f_set_flows(t), "flows");
	CHECK(!classify_new(&cfg, ut, &user, &b.c), "classify");
	frames_each(visit, &b);
	x_balance(b.x);
	for (size_t i = 0; i < sizeof(f_flows) / sizeof(f_flows[0]); i++)
		for (int v6 = 0; v6 < 2; v6++) {
			struct optag_flow_stats k, u;
			struct endpoint at;

			f_endpoint(v6, f_flows[i].port, &at);
			CHECK(flow_get(t, &at, f_flows[i].rule.proto, &k) &&
			      flow_get(ut, &at, f_flows[i].rule.proto, &u) && !memcmp(&k, &u, sizeof(k)),
			      "counters of flow %zu", i);
		}
	classify_free(b.c);
	flow_free(ut);
	x_close(b.x, t);
}

static uint64_t mono_ns(void);

/* ---- holes in what nobody above sees ---- */

/* Sequence numbers that go on, jump, come late and come twice, of a few streams: both sides keep the same of them. */
static void test_holes_alike(void)
{
	static const uint16_t port[] = { F_P_BLOCK, F_P_GATE, F_P_RECORD, F_P_INSPECT };
	struct both b = { .since = clock_now_ns() };
	struct classify_sink user = { .arg = &b.user, .media = take_media, .signalling = take_sig };
	struct f_want w = { .encap = "holes", .content = "rtp" };
	uint16_t seq[4][3] = { { 0 } };
	struct flow_table *t, *ut;
	struct optag_config cfg;
	struct xdp_settings s;
	unsigned holes = 0;

	b.sink = (struct classify_sink){ .arg = &b.kernel, .media = take_media, .signalling = take_sig };
	x_settings(&s);
	b.x = x_open(&s, &t);
	f_config(&cfg);
	CHECK(!flow_new(F_LINES, F_SEED, NULL, NULL, &ut) && !f_set_flows(ut) && !f_set_flows(t), "flows");
	CHECK(!classify_new(&cfg, ut, &user, &b.c), "classify");
	srand(1);
	for (int i = 0; i < 8000; i++) {
		static const int step[] = { 1, 1, 1, 1, 1, 1, 0, -1, 2, 4, 300, 2999, 3000, 3001, 30000, -999, -1000, -1001 };
		unsigned v = (unsigned)rand() % 4, ssrc = rand() % 8 ? 0 : (unsigned)rand() % 3;
		struct optag_flow_stats k, u;
		const struct optag_flow *ke, *ue;
		struct endpoint at;
		struct frame f;

		seq[v][ssrc] = (uint16_t)(seq[v][ssrc] + step[(unsigned)rand() % (sizeof(step) / sizeof(step[0]))]);
		f_rtp(&f, port[v], rand() % 5 ? 8 : F_TE1, seq[v][ssrc], 0x11110000 + ssrc);
		both_alike(&b, f.buf + f.start, f_len(&f), &w);
		f_endpoint(0, port[v], &at);
		ke = flow_get(t, &at, IPPROTO_UDP, &k);
		ue = flow_get(ut, &at, IPPROTO_UDP, &u);
		CHECK(ke && ue && !memcmp(ke->counts, ue->counts, sizeof(ke->counts)) && k.hole == u.hole, "step %d: hole %u, %u", i,
		      k.hole, u.hole);
		if (i % 50 == 0) {
			uint32_t hole = flow_take_hole(t, &at, IPPROTO_UDP, ke->ring);

			CHECK_EQ(hole, flow_take_hole(ut, &at, IPPROTO_UDP, ke->ring));
			holes += hole > 0;
		}
	}
	CHECK(holes > 20, "only %u holes", holes);
	classify_free(b.c);
	flow_free(ut);
	x_close(b.x, t);
}

/* What was to be handed up and was not, for want of a daemon or of budget, is missing to whoever listens. */
static void test_hole_of_dead(void)
{
	struct one o = { .n = 0 };
	struct classify_sink sink = { .arg = &o, .media = take_media, .signalling = take_sig };
	struct optag_flow_stats st;
	struct xdp_settings s;
	struct flow_table *t;
	struct endpoint at;
	struct frame f;
	struct xdp *x;

	x_settings(&s);
	x = x_open(&s, &t);
	f_set_flows(t);
	xdp_alive(x, mono_ns() + 3600 * NS_PER_S);
	for (uint16_t seq = 1; seq <= 12; seq++) {
		if (seq == 4)
			xdp_alive(x, mono_ns() - NS_PER_S);
		if (seq == 9)
			xdp_alive(x, mono_ns() + 3600 * NS_PER_S);
		f_rtp(&f, F_P_GATE, seq > 2 && seq < 11 ? F_TE1 : 8, seq, 5); /* a long press */
		x_send(x, &f);
		xdp_drain(x, &sink, 10);
	}
	f_endpoint(0, F_P_GATE, &at);
	flow_get(t, &at, IPPROTO_UDP, &st);
	CHECK_EQ(st.events, 3);
	CHECK_EQ(st.hole, 5);
	x_close(x, t);
}

/* On a port that others use too every packet goes on, recorded or not. */
static void test_pass(void)
{
	struct xdp_settings s;
	struct flow_table *t;
	struct frame f;
	struct xdp *x;

	x_settings(&s);
	s.drop_rest = false;
	x = x_open(&s, &t);
	f_set_flows(t);
	for (uint16_t port = F_P_RECORD; port <= F_P_SIG + 1; port++) {
		x_rtp(&f, F_DST4, port, 8, 172, 0);
		CHECK_EQ((unsigned)x_send(x, &f), 2 /* XDP_PASS */);
	}
	CHECK_EQ(x_count(x, OPTAG_C_AUDIO), 1);
	CHECK_EQ(x_count(x, OPTAG_C_BLOCK), 1);
	x_rtp(&f, F_DST4, F_P_INSPECT, 8, 172, 0);
	CHECK_EQ((unsigned)x_send(x, &f), 2 /* XDP_PASS */);
	CHECK_EQ(x_count(x, OPTAG_C_INSPECT), 1);
	CHECK_EQ(x_count(x, OPTAG_C_AUDIO), 1);
	x_close(x, t);
}

/* ---- the ring ---- */

struct seq {
	uint32_t next; /* expected seed */
	uint64_t n;
	size_t (*len)(uint32_t seed);
};

static size_t len_any(uint32_t seed)
{
	return 12 + seed * 2654435761U % 1400;
}

static size_t len_g711(uint32_t seed)
{
	(void)seed;
	return 172;
}

static void seq_media(void *arg, const struct optag_rec *rec, const uint8_t *p)
{
	struct seq *q = arg;
	uint32_t seed = be32dec(p + 4);
	size_t bad = 0;

	CHECK(seed == q->next, "record %u, expected %u", seed, q->next);
	CHECK_EQ(rec->len, q->len(seed));
	CHECK_EQ(rec->wire_len, rec->len);
	for (size_t i = 8; i < rec->len; i++)
		bad += p[i] != (uint8_t)(seed + i * 7);
	CHECK_EQ(bad, 0);
	q->next = seed + 1;
	q->n++;
}

/* Two CPUs have two rings, and within 1 ms there is no order between them. all: where it may run otherwise. */
static void stay_here(cpu_set_t *all)
{
	cpu_set_t one;

	sched_getaffinity(0, sizeof(*all), all);
	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	sched_setaffinity(0, sizeof(one), &one);
}

/* Lengths that fit no boundary, twenty laps, read in batches that do not fit either. */
static void test_wrap(void)
{
	struct xdp_settings s;
	struct flow_table *t;
	struct seq q = { .len = len_any };
	struct classify_sink sink = { .arg = &q, .media = seq_media };
	struct frame f;
	struct xdp *x;
	uint32_t n = 20 * OPTAG_RING_MIN / 700;
	cpu_set_t all;

	stay_here(&all);
	x_settings(&s);
	s.ring_bytes = OPTAG_RING_MIN;
	x = x_open(&s, &t);
	f_set_flows(t);
	for (uint32_t i = 0; i < n; i++) {
		x_rtp(&f, F_DST4, F_P_RECORD, 8, len_any(i), i);
		x_send(x, &f);
		if (i % 37 == 36)
			xdp_drain(x, &sink, 1000);
		else if (i % 5 == 0)
			xdp_drain(x, &sink, 2);
	}
	xdp_drain(x, &sink, 1000);
	CHECK_EQ(q.n, n);
	CHECK_EQ(x_count(x, OPTAG_C_MEDIA_LOST), 0);
	CHECK_EQ(x_count(x, OPTAG_C_AUDIO), n);
	x_balance(x);
	x_close(x, t);
	sched_setaffinity(0, sizeof(all), &all);
}

/* A stream whose packets come by one CPU and another in turn, all of them waiting: in order, whatever is taken at once. */
static void test_moved(void)
{
	static const unsigned budgets[] = { 1, 7, 1000 };
	cpu_set_t all, one;

	sched_getaffinity(0, sizeof(all), &all);
	if (CPU_COUNT(&all) < 2) {
		printf("SKIP a stream that moves: one CPU\n");
		return;
	}
	for (unsigned b = 0; b < 3; b++) {
		struct seq q = { .len = len_any };
		struct classify_sink sink = { .arg = &q, .media = seq_media };
		struct xdp_settings s;
		struct flow_table *t;
		uint32_t n = 60, cpu = 0;
		struct frame f;
		struct xdp *x;

		x_settings(&s);
		s.full_time = true;
		x = x_open(&s, &t);
		f_set_flows(t);
		for (uint32_t i = 0; i < n; i++) {
			do
				cpu = (cpu + 1) % CPU_SETSIZE;
			while (!CPU_ISSET(cpu, &all));
			CPU_ZERO(&one);
			CPU_SET(cpu, &one);
			CHECK_EQ(sched_setaffinity(0, sizeof(one), &one), 0);
			x_rtp(&f, F_DST4, F_P_RECORD, 8, len_any(i), i);
			x_send(x, &f);
			usleep(i % 3 ? 1500 : 5000);
		}
		while (xdp_drain(x, &sink, budgets[b]) > 0)
			;
		CHECK_EQ(q.n, n);
		x_balance(x);
		x_close(x, t);
	}
	sched_setaffinity(0, sizeof(all), &all);
}

static unsigned drain_all(struct xdp *x, const struct classify_sink *sink)
{
	unsigned n, sum = 0;

	while ((n = xdp_drain(x, sink, 64)) > 0)
		sum += n;
	return sum;
}

/* A ring that nobody reads fills, says so per leg and in all, and goes on when read. */
static void test_full(void)
{
	struct xdp_settings s;
	struct flow_table *t;
	struct seq q = { .len = len_g711 };
	struct classify_sink sink = { .arg = &q, .media = seq_media };
	struct optag_flow_stats st;
	struct xdp_fill fill;
	struct endpoint at;
	struct frame f;
	struct xdp *x;
	uint64_t passed;
	cpu_set_t all;

	stay_here(&all);
	x_settings(&s);
	s.ring_bytes = OPTAG_RING_MIN;
	x = x_open(&s, &t);
	f_set_flows(t);
	for (uint32_t i = 0; i < 3000; i++) {
		x_rtp(&f, F_DST4, F_P_RECORD, 8, 172, i);
		x_send(x, &f);
	}
	passed = x_count(x, OPTAG_C_AUDIO);
	/* nothing but a full ring was lost */
	CHECK(passed >= OPTAG_RING_MIN / OPTAG_RAW_SPACE(OPTAG_RAW_HEAD4, 172) && passed < 3000, "%llu passed",
	      (unsigned long long)passed);
	CHECK_EQ(passed + x_count(x, OPTAG_C_MEDIA_LOST), 3000);
	f_endpoint(0, F_P_RECORD, &at);
	CHECK(flow_get(t, &at, IPPROTO_UDP, &st) != NULL, "flow");
	CHECK_EQ(st.passed, passed);
	CHECK_EQ(st.lost, 3000 - passed);
	xdp_fill(x, &fill);
	CHECK(fill.bytes <= fill.of && fill.bytes + OPTAG_RAW_SPACE(OPTAG_RAW_HEAD4, 172) > fill.of, "fill %llu of %llu",
	      (unsigned long long)fill.bytes, (unsigned long long)fill.of);
	CHECK_EQ(drain_all(x, &sink), passed);
	CHECK_EQ(q.n, passed);
	for (uint32_t i = 0; i < 10; i++) {
		x_rtp(&f, F_DST4, F_P_RECORD, 8, 172, q.next);
		x_send(x, &f);
		CHECK_EQ(xdp_drain(x, &sink, 5), 1);
	}
	xdp_fill(x, &fill);
	CHECK_EQ(fill.bytes, 0);
	CHECK_EQ(fill.damaged, 0);
	x_balance(x);
	x_close(x, t);
	sched_setaffinity(0, sizeof(all), &all);
}

/* A payload longer than a record may carry is cut, and says how long it was. */
static void test_long(void)
{
	struct one o = { .n = 0 };
	struct classify_sink sink = { .arg = &o, .media = take_media, .signalling = take_sig };
	struct xdp_settings s;
	struct flow_table *t;
	uint8_t frame[3000] = { [12] = 0x08, [14] = 0x45, [22] = 64, [23] = IPPROTO_UDP };
	struct xdp *x;

	x_settings(&s);
	x = x_open(&s, &t);
	f_set_flows(t);
	be16enc(frame + 16, sizeof(frame) - 14);
	be32enc(frame + 26, F_SRC4);
	be32enc(frame + 30, F_DST4);
	be16enc(frame + 34, F_P_FAR);
	be16enc(frame + 36, F_P_RECORD);
	be16enc(frame + 38, sizeof(frame) - 34);
	frame[42] = 0x80;
	for (size_t i = 44; i < sizeof(frame); i++)
		frame[i] = (uint8_t)(i * 3);
	x_run(x, frame, sizeof(frame), 1);
	CHECK_EQ(xdp_drain(x, &sink, 10), 1);
	CHECK_EQ(o.rec.len, OPTAG_MAX_PAYLOAD);
	CHECK_EQ(o.rec.wire_len, sizeof(frame) - 42);
	CHECK(!memcmp(o.bytes, frame + 42, OPTAG_MAX_PAYLOAD), "bytes");
	/* signalling of the same size goes up whole */
	be16enc(frame + 36, F_P_SIP);
	frame[42] = 'I';
	memset(&o, 0, sizeof(o));
	x_run(x, frame, sizeof(frame), 1);
	CHECK_EQ((unsigned)xdp_signals(x, &sink, 10), 1);
	CHECK_EQ(o.sig.len, sizeof(frame) - 14);
	CHECK_EQ(o.sig.wire_len, sizeof(frame) - 14);
	/* cut on its way: what is there, and how much it was */
	x_run(x, frame, 1000, 1);
	CHECK_EQ((unsigned)xdp_signals(x, &sink, 10), 1);
	CHECK_EQ(o.sig.len, 1000 - 14);
	CHECK_EQ(o.sig.wire_len, sizeof(frame) - 14);
	CHECK(!memcmp(o.bytes, frame + 14, 1000 - 14), "bytes");
	x_close(x, t);
}

/* ---- signalling ---- */

static void test_sig_full(void)
{
	struct one o = { .n = 0 };
	struct classify_sink sink = { .arg = &o, .media = take_media, .signalling = take_sig };
	struct xdp_settings s;
	struct flow_table *t;
	struct frame f;
	struct xdp *x;
	uint64_t up;
	int n, sum = 0;

	x_settings(&s);
	s.sig_bytes = 65536;
	x = x_open(&s, &t);
	x_sip(&f, 1000);
	x_run(x, f.buf + f.start, f_len(&f), 500);
	up = x_count(x, OPTAG_C_SIG);
	CHECK(up > 40 && up < 500, "%llu", (unsigned long long)up);
	CHECK_EQ(up + x_count(x, OPTAG_C_SIG_LOST), 500);
	/* a budget that stops in the middle loses nothing */
	while ((n = xdp_signals(x, &sink, 7)) > 0) {
		CHECK(n <= 7, "%d", n);
		sum += n;
	}
	CHECK_EQ((unsigned)n, 0);
	CHECK_EQ((unsigned)sum, up);
	CHECK_EQ((unsigned)o.n, up);
	x_send(x, &f);
	CHECK_EQ((unsigned)xdp_signals(x, &sink, 7), 1);
	x_balance(x);
	x_close(x, t);
}

/* ---- budget ---- */

static uint64_t mono_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

static void test_budget(void)
{
	struct xdp_settings s;
	struct flow_table *t;
	struct endpoint at;
	struct flow_rule other = { .verdict = OPTAG_V_RECORD, .te = { OPTAG_NO_PT, OPTAG_NO_PT },
				   .proto = IPPROTO_UDP, .ring = 77 };
	struct optag_flow_stats st;
	struct frame f, g;
	struct xdp *x;
	uint64_t start, intervals, passed;

	x_settings(&s);
	s.leg_budget = 50;
	x = x_open(&s, &t);
	f_set_flows(t);
	f_endpoint(0, F_P_NONE, &at);
	flow_set(t, &at, &other, NULL);
	x_rtp(&f, F_DST4, F_P_RECORD, 8, 172, 1);
	x_rtp(&g, F_DST4, F_P_NONE, 8, 172, 1);
	start = mono_ns();
	x_run(x, f.buf + f.start, f_len(&f), 2000);
	x_run(x, g.buf + g.start, f_len(&g), 40);
	intervals = (mono_ns() - start) / (95 << 20) + 2; /* those it touched, at most */
	CHECK_EQ(x_count(x, OPTAG_C_AUDIO) + x_count(x, OPTAG_C_BUDGET), 2040);
	f_endpoint(0, F_P_RECORD, &at);
	flow_get(t, &at, IPPROTO_UDP, &st);
	passed = st.passed;
	CHECK(passed >= 50 && passed <= 50 * intervals, "%llu in %llu intervals",
	      (unsigned long long)passed, (unsigned long long)intervals);
	CHECK_EQ(st.lost, 2000 - passed);
	/* the flood of one leg takes nothing from another */
	f_endpoint(0, F_P_NONE, &at);
	flow_get(t, &at, IPPROTO_UDP, &st);
	CHECK_EQ(st.passed, 40);
	CHECK_EQ(st.lost, 0);
	/* the next interval is a new one */
	while (mono_ns() <= start + (intervals + 1) * (95 << 20))
		usleep(10000);
	CHECK_EQ((unsigned)x_send(x, &f), 1);
	f_endpoint(0, F_P_RECORD, &at);
	flow_get(t, &at, IPPROTO_UDP, &st);
	CHECK_EQ(st.passed, passed + 1);
	x_balance(x);
	x_close(x, t);
}

/* ---- the dead-man's switch ---- */

/* One packet of each kind: audio under RECORD, a key press under GATE, audio under GATE, signalling. */
static void send_four(struct xdp *x)
{
	struct frame f;

	x_rtp(&f, F_DST4, F_P_RECORD, 8, 172, 1);
	x_send(x, &f);
	x_rtp(&f, F_DST4, F_P_GATE, F_TE1, 16, 1);
	x_send(x, &f);
	x_rtp(&f, F_DST4, F_P_GATE, 8, 172, 1);
	x_send(x, &f);
	x_sip(&f, 172);
	x_send(x, &f);
}

static void test_dead(void)
{
	struct one o = { .n = 0 };
	struct classify_sink sink = { .arg = &o, .media = take_media, .signalling = take_sig };
	struct xdp_settings s;
	struct flow_table *t;
	struct optag_flow_stats st;
	struct endpoint at;
	struct xdp *x;

	x_settings(&s);
	x = x_open(&s, &t);
	f_set_flows(t);
	send_four(x); /* nobody has said anything: no switch */
	CHECK_EQ(xdp_drain(x, &sink, 10), 2);
	xdp_alive(x, mono_ns() + 3600 * NS_PER_S);
	send_four(x);
	CHECK_EQ(xdp_drain(x, &sink, 10), 2);
	CHECK_EQ(x_count(x, OPTAG_C_DEAD), 0);
	xdp_alive(x, mono_ns() - NS_PER_S);
	send_four(x);
	CHECK_EQ(xdp_drain(x, &sink, 10), 0);
	CHECK_EQ(x_count(x, OPTAG_C_DEAD), 2);
	CHECK_EQ(x_count(x, OPTAG_C_AUDIO), 2);
	CHECK_EQ(x_count(x, OPTAG_C_EVENT), 2);
	CHECK_EQ(x_count(x, OPTAG_C_GATE), 3);
	CHECK_EQ((unsigned)xdp_signals(x, &sink, 10), 3); /* signalling does not wait for anybody */
	f_endpoint(0, F_P_RECORD, &at);
	flow_get(t, &at, IPPROTO_UDP, &st);
	CHECK_EQ(st.passed, 2);
	CHECK_EQ(st.blocked, 1);
	f_endpoint(0, F_P_GATE, &at);
	flow_get(t, &at, IPPROTO_UDP, &st);
	CHECK_EQ(st.events, 2);
	CHECK_EQ(st.blocked, 4);
	/* back again: nothing of the time between is there */
	xdp_alive(x, mono_ns() + 3600 * NS_PER_S);
	send_four(x);
	CHECK_EQ(xdp_drain(x, &sink, 10), 2);
	x_balance(x);
	x_close(x, t);
}

/* ---- slots that change hands ---- */

#define OWNERS (1U << 24) /* generations the race may give */
#define RACE_ADDRS 6

struct owner {
	uint32_t ring;
	uint8_t addr; /* of F_DST4 + addr */
	uint8_t leg;
};

struct race {
	struct xdp *x;
	struct flow_table *t;
	struct owner *owner; /* by generation */
	atomic_bool stop;
	uint64_t n, foreign;
	uint32_t gens;
};

/* The record names its owner three times: generation, (ring, leg), and where the packet itself went. */
static void race_media(void *arg, const struct optag_rec *rec, const uint8_t *p)
{
	struct race *r = arg;
	const struct owner *o = &r->owner[rec->gen < OWNERS ? rec->gen : 0];
	uint8_t to[16];

	f_map4(F_DST4 + be32dec(p + 4), to);
	r->n++;
	if (memcmp(to, rec->dst, 16) || o->addr != be32dec(p + 4) || o->ring != rec->ring ||
	    o->leg != rec->leg)
		r->foreign++;
}

static void *race_sender(void *arg)
{
	struct race *r = arg;
	struct frame f[RACE_ADDRS];

	for (uint32_t i = 0; i < RACE_ADDRS; i++)
		x_rtp(&f[i], F_DST4 + i, F_P_RECORD, 8, 32, i);
	while (!r->stop)
		for (uint32_t i = 0; i < RACE_ADDRS; i++)
			/* repeating costs a synchronize_rcu once, so many at a time */
			x_run(r->x, f[i].buf + f[i].start, f_len(&f[i]), 50000);
	return NULL;
}

/* The next owner: of the same address, or of another once the one before is gone. */
static void race_change(struct race *r, uint32_t k, uint32_t *addr, uint32_t *ring, uint64_t *fake)
{
	struct flow_rule rule = { .verdict = OPTAG_V_RECORD, .te = { OPTAG_NO_PT, OPTAG_NO_PT },
				  .leg = k & 1, .proto = IPPROTO_UDP, .ring = k + 1 };
	struct endpoint at = { .port = F_P_RECORD };
	uint32_t gen = r->gens + 1;

	if (k % 3) {
		ipaddr_v4(F_DST4 + *addr, &at.addr);
		clock_set_ns(*fake += 2 * NS_PER_S);
		flow_clear(r->t, &at, IPPROTO_UDP, *ring);
		*addr = (*addr + 2) % RACE_ADDRS; /* the two slots' owners never meet: odd and even */
	}
	ipaddr_v4(F_DST4 + *addr, &at.addr);
	*ring = rule.ring;
	/* written before the entry is: a record may come before flow_set returns */
	r->owner[gen] = (struct owner){ rule.ring, (uint8_t)*addr, rule.leg };
	clock_set_ns(*fake += 2 * NS_PER_S);
	CHECK(!flow_set(r->t, &at, &rule, &gen), "no slot");
	CHECK_EQ(gen, r->gens + 1);
	r->gens = gen;
}

/* One line of two slots for six addresses, no quarantine (the clock runs two seconds a change):
 * slots are refilled by others as fast as stores go, while packets to all of them arrive. */
static void race_owners(struct race *r, const struct classify_sink *sink, uint64_t until)
{
	uint32_t addr[2] = { 0, 1 }, ring[2] = { 0, 0 };
	uint64_t fake = NS_PER_S * 1000;

	for (uint32_t k = 0; mono_ns() < until && r->gens < OWNERS - 1; k++) {
		race_change(r, k, &addr[k & 1], &ring[k & 1], &fake);
		for (uint32_t i = k * 2654435761U >> 24; i; i--)
			atomic_signal_fence(memory_order_seq_cst);
		if (k % 64 == 0)
			xdp_drain(r->x, sink, 100000);
	}
}

static void test_race(void)
{
	struct race r = { .stop = false };
	struct classify_sink sink = { .arg = &r, .media = race_media };
	struct xdp_settings s;
	pthread_t sender;

	x_settings(&s);
	s.flow_lines = 1;
	s.ring_bytes = 16 << 20;
	r.owner = calloc(OWNERS, sizeof(*r.owner));
	r.x = x_open(&s, &r.t);
	pthread_create(&sender, NULL, race_sender, &r);
	race_owners(&r, &sink, mono_ns() + 4 * NS_PER_S);
	r.stop = true;
	pthread_join(sender, NULL);
	clock_set_ns(0);
	drain_all(r.x, &sink);
	printf("%llu records through %u owners of two slots, %llu foreign\n", (unsigned long long)r.n,
	       r.gens, (unsigned long long)r.foreign);
	CHECK(r.n > 0 && r.gens > 100, "nothing raced");
	CHECK_EQ(r.foreign, 0);
	CHECK_EQ(x_count(r.x, OPTAG_C_AUDIO), r.n);
	x_balance(r.x);
	x_close(r.x, r.t);
	free(r.owner);
}

/* What waits in the ring when a call ends still names the old owner, also when the next call has
 * the same address and slot: the generation tells. */
static void test_generation(void)
{
	struct one o = { .n = 0 };
	struct classify_sink sink = { .arg = &o, .media = take_media, .signalling = take_sig };
	struct flow_rule rule = { .verdict = OPTAG_V_RECORD, .te = { OPTAG_NO_PT, OPTAG_NO_PT },
				  .proto = IPPROTO_UDP, .ring = 1 };
	struct xdp_settings s;
	struct flow_table *t;
	struct endpoint at;
	struct frame f;
	struct xdp *x;
	uint32_t a, b;
	cpu_set_t one, all;

	/* on one CPU, so that records come in order */
	sched_getaffinity(0, sizeof(all), &all);
	CPU_ZERO(&one);
	for (int i = 0; i < CPU_SETSIZE && !CPU_COUNT(&one); i++)
		if (CPU_ISSET(i, &all))
			CPU_SET(i, &one);
	sched_setaffinity(0, sizeof(one), &one);
	x_settings(&s);
	s.flow_lines = 1;
	x = x_open(&s, &t);
	f_endpoint(0, F_P_RECORD, &at);
	x_rtp(&f, F_DST4, F_P_RECORD, 8, 172, 1);
	clock_set_ns(1000 * NS_PER_S);
	CHECK(!flow_set(t, &at, &rule, &a), "first owner");
	x_send(x, &f);
	CHECK(!flow_clear(t, &at, IPPROTO_UDP, 1), "clear");
	x_send(x, &f); /* nobody's: stays below */
	rule.ring = 2;
	clock_set_ns(1002 * NS_PER_S);
	CHECK(!flow_set(t, &at, &rule, &b), "second owner");
	x_send(x, &f);
	clock_set_ns(0);
	CHECK_EQ(xdp_drain(x, &sink, 1), 1);
	CHECK_EQ(o.rec.ring, 1);
	CHECK_EQ(o.rec.gen, a);
	CHECK_EQ(xdp_drain(x, &sink, 1), 1);
	CHECK_EQ(o.rec.ring, 2);
	CHECK_EQ(o.rec.gen, b);
	CHECK(a != b, "generation given twice");
	CHECK_EQ(xdp_drain(x, &sink, 1), 0);
	CHECK_EQ(x_count(x, OPTAG_C_MISS), 1);
	x_close(x, t);
	sched_setaffinity(0, sizeof(all), &all);
}

/* Keys that only the whole entry tells apart: what the short way cannot say the long one does. */
static void test_tag_of_several(void)
{
	static const uint8_t verdict[3] = { OPTAG_V_BLOCK, OPTAG_V_GATE, OPTAG_V_FREE };
	struct flow_rule rule = { .te = { OPTAG_NO_PT, OPTAG_NO_PT }, .proto = IPPROTO_UDP };
	struct optag_key k = { .proto = IPPROTO_UDP };
	struct optag_flow_stats st;
	struct endpoint at[3];
	struct xdp_settings s;
	struct optag_hash key;
	struct flow_table *t;
	struct frame f;
	struct xdp *x;
	uint32_t tag = 0, dst[3];
	int n = 0;

	x_settings(&s);
	s.flow_lines = 1;
	x = x_open(&s, &t);
	optag_hash_key(flow_seed(t), &key);
	for (uint32_t i = 10000; i < 1 << 20 && n < 3; i++) {
		if ((uint16_t)i < 10000) /* no SIP port */
			continue;
		ipaddr_v4(F_DST4 + (i >> 16), &at[n].addr);
		at[n].port = (uint16_t)i;
		dst[n] = F_DST4 + (i >> 16);
		memcpy(k.addr, at[n].addr.b, 16);
		k.port = htons(at[n].port);
		if (!n)
			tag = optag_flow_tag(optag_flow_hash(&k, &key));
		n += optag_flow_tag(optag_flow_hash(&k, &key)) == tag;
	}
	CHECK_EQ(n, 3); /* of a million keys, with 32,768 tags */
	for (int i = 0; i < n; i++) {
		rule.verdict = verdict[i];
		rule.ring = (uint32_t)i;
		if (rule.verdict)
			CHECK(!flow_set(t, &at[i], &rule, NULL), "flow %d", i);
	}
	for (int i = 0; i < n; i++) {
		x_rtp(&f, dst[i], at[i].port, 8, 172, 1);
		x_send(x, &f);
	}
	CHECK_EQ(x_count(x, OPTAG_C_BLOCK), 1);
	CHECK_EQ(x_count(x, OPTAG_C_GATE), 1);
	CHECK_EQ(x_count(x, OPTAG_C_MISS), 1);
	for (int i = 0; i < 2; i++) {
		CHECK(flow_get(t, &at[i], IPPROTO_UDP, &st), "flow %d", i);
		CHECK_EQ(st.blocked, 1);
	}
	x_balance(x);
	x_close(x, t);
}

static void test_settings(void)
{
	struct xdp_settings s, bad;
	char why[256] = "";
	struct xdp *x;

	x_settings(&s);
#define REFUSED(field, value, err)                                                                 \
	do {                                                                                       \
		bad = s;                                                                           \
		bad.field = (value);                                                               \
		CHECK_EQ((unsigned)-xdp_open(&bad, &x, why, sizeof(why)), err);                    \
		CHECK(why[0], "a reason");                                                         \
	} while (0)
	REFUSED(flow_lines, 1000, EINVAL);
	REFUSED(flow_lines, 0, EINVAL);
	REFUSED(ring_bytes, OPTAG_RING_MIN / 2, EINVAL);
	REFUSED(ring_bytes, OPTAG_RING_MAX * 2U, EINVAL);
	REFUSED(ring_bytes, (1 << 20) + 8, EINVAL);
	REFUSED(sig_bytes, 100, EINVAL);
	REFUSED(leg_budget, 65536, EINVAL);
	REFUSED(ifname, "no-such-if", ENODEV);
	REFUSED(ifname, "../x", EINVAL);
	s.ring_bytes = 8 << 20;
	s.rings_total = 1 << 20;
	CHECK(!xdp_open(&s, &x, why, sizeof(why)), "%s", why);
	CHECK(xdp_ring_bytes(x) <= 1 << 20, "%u", xdp_ring_bytes(x));
	CHECK(strstr(why, "ring is ") && strstr(why, "not 8388608 bytes as asked for"), "not told: %s", why);
	CHECK(xdp_mode(x) == XDP_UNATTACHED && !xdp_adopted(x), "attached");
	xdp_close(x, false);
	s.rings_total = 0;
	CHECK(!xdp_open(&s, &x, why, sizeof(why)) && !*why && xdp_ring_bytes(x) == 8 << 20, "%s", why);
	xdp_close(x, false);
}

int main(void)
{
	if (geteuid())
		return skip("loading BPF", EPERM);
	test_alike();
	test_pass();
	test_wrap();
	test_moved();
	test_full();
	test_long();
	test_sig_full();
	test_budget();
	test_dead();
	test_holes_alike();
	test_hole_of_dead();
	test_generation();
	test_race();
	test_tag_of_several();
	test_settings();
	printf("%lu checks, %lu failed\n", checks, fails);
	return fails || !checks;
}
