/* SPDX-License-Identifier: BSD-2-Clause */
/* test_flow.c - the flow table's writer: placement, moves, quarantine, generations, readers beside it */
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/clock.h"
#include "capture/flow.h"
#include "capture/flow_internal.h"

#define T0   (1700000000 * NS_PER_S)
#define SEED 0xfeedfacecafebeefULL

static void at(uint32_t a, uint16_t port, struct endpoint *ret)
{
	ipaddr_v4(a, &ret->addr);
	ret->port = port;
}

static struct flow_rule rule(uint8_t verdict, uint32_t ring)
{
	return (struct flow_rule){ .verdict = verdict,
				   .te = { 101, OPTAG_NO_PT },
				   .leg = OPTAG_LEG_CALLEE,
				   .proto = IPPROTO_UDP,
				   .ring = ring };
}

static int set(struct flow_table *t, const struct endpoint *e, uint8_t verdict, uint32_t ring,
	       uint32_t *gen)
{
	struct flow_rule r = rule(verdict, ring);

	return flow_set(t, e, &r, gen);
}

static uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

static void test_sizes(void **state)
{
	struct flow_table *t = NULL;

	(void)state;
	assert_int_equal(flow_new(0, SEED, NULL, NULL, &t), -EINVAL);
	assert_int_equal(flow_new(3, SEED, NULL, NULL, &t), -EINVAL);
	assert_null(t);
	flow_free(NULL);
}

static void test_fields(void **state)
{
	struct flow_rule r = rule(OPTAG_V_GATE, 77);
	struct flow_table *t;
	struct endpoint e;
	const struct optag_flow *f;
	uint32_t gen = 0;

	(void)state;
	clock_set_ns(T0);
	assert_int_equal(flow_new(64, SEED, NULL, NULL, &t), 0);
	at(0x0a000001, 4000, &e);
	r.te[1] = 97;
	assert_null(flow_get(t, &e, IPPROTO_UDP, NULL));
	assert_int_equal(flow_set(t, &e, &r, &gen), 0);
	f = flow_get(t, &e, IPPROTO_UDP, NULL);
	assert_non_null(f);
	assert_memory_equal(f->addr, e.addr.b, 16);
	assert_int_equal(f->port, htons(4000));
	assert_int_equal(f->verdict, OPTAG_V_GATE);
	assert_int_equal(f->te1, 101);
	assert_int_equal(f->te2, 97);
	assert_int_equal(f->leg, OPTAG_LEG_CALLEE);
	assert_int_equal(f->ring, 77);
	assert_int_equal(f->gen, gen);
	assert_true(gen != 0);
	assert_null(flow_get(t, &e, IPPROTO_TCP, NULL));
	e.port++;
	assert_null(flow_get(t, &e, IPPROTO_UDP, NULL));
	r.verdict = OPTAG_V_FREE;
	assert_int_equal(flow_set(t, &e, &r, NULL), -EINVAL);
	r.verdict = OPTAG_V_INSPECT + 1;
	assert_int_equal(flow_set(t, &e, &r, NULL), -EINVAL);
	assert_int_equal(flow_count(t), 1);
	flow_free(t);
}

/* Both transports of one endpoint are two entries. */
static void test_protocols(void **state)
{
	struct flow_rule r = rule(OPTAG_V_SIG, 5);
	struct flow_table *t;
	struct endpoint e;

	(void)state;
	clock_set_ns(T0);
	assert_int_equal(flow_new(64, SEED, NULL, NULL, &t), 0);
	at(0x0a000001, 4000, &e);
	r.proto = IPPROTO_TCP;
	assert_int_equal(flow_set(t, &e, &r, NULL), 0);
	assert_int_equal(set(t, &e, OPTAG_V_BLOCK, 6, NULL), 0);
	assert_int_equal(flow_get(t, &e, IPPROTO_TCP, NULL)->verdict, OPTAG_V_SIG);
	assert_int_equal(flow_get(t, &e, IPPROTO_UDP, NULL)->verdict, OPTAG_V_BLOCK);
	assert_int_equal(flow_clear(t, &e, IPPROTO_TCP, 5), 0);
	assert_null(flow_get(t, &e, IPPROTO_TCP, NULL));
	assert_non_null(flow_get(t, &e, IPPROTO_UDP, NULL));
	flow_free(t);
}

static uint64_t *live_count(struct flow_table *t, const struct endpoint *e, enum optag_flow_count i)
{
	return (uint64_t *)&flow_entries(t)[flow_get(t, e, IPPROTO_UDP, NULL) - flow_entries(t)].counts[i];
}

static void test_owners(void **state)
{
	struct optag_flow_stats s;
	struct flow_table *t;
	struct endpoint e;
	uint32_t g1, g2, g3;

	(void)state;
	clock_set_ns(T0);
	assert_int_equal(flow_new(64, SEED, NULL, NULL, &t), 0);
	at(0x0a000001, 4000, &e);
	assert_int_equal(set(t, &e, OPTAG_V_GATE, 1, &g1), 0);
	*live_count(t, &e, OPTAG_F_BLOCKED) = 9 | 0xabcdULL << OPTAG_COUNT_BITS; /* the high bits are no count */
	/* the same owner: verdict and generation are two things */
	assert_int_equal(set(t, &e, OPTAG_V_RECORD, 1, &g2), 0);
	assert_int_equal(g2, g1);
	assert_int_equal(flow_get(t, &e, IPPROTO_UDP, &s)->verdict, OPTAG_V_RECORD);
	assert_int_equal(s.blocked, 9);
	*live_count(t, &e, OPTAG_F_LOST) = 3 | 0x0401ULL << OPTAG_COUNT_BITS;
	assert_non_null(flow_get(t, &e, IPPROTO_UDP, &s));
	assert_int_equal(s.lost, 3);
	assert_int_equal(s.hole, 4);
	assert_int_equal(flow_take_hole(t, &e, IPPROTO_UDP, 2), 0);
	assert_int_equal(flow_take_hole(t, &e, IPPROTO_UDP, 1), 4);
	assert_int_equal(*live_count(t, &e, OPTAG_F_LOST), 3 | 0x0001ULL << OPTAG_COUNT_BITS);
	/* a new owner starts anew */
	assert_int_equal(set(t, &e, OPTAG_V_BLOCK, 2, &g3), 0);
	assert_int_not_equal(g3, g1);
	assert_int_equal(flow_count(t), 1);
	assert_int_equal(flow_get(t, &e, IPPROTO_UDP, &s)->ring, 2);
	assert_int_equal(s.blocked, 0);
	/* the old owner has no say any more */
	assert_int_equal(flow_set_verdict(t, &e, IPPROTO_UDP, 1, OPTAG_V_RECORD), -ENOENT);
	assert_int_equal(flow_clear(t, &e, IPPROTO_UDP, 1), -ENOENT);
	assert_int_equal(flow_set_verdict(t, &e, IPPROTO_UDP, 2, OPTAG_V_FREE), -EINVAL);
	assert_int_equal(flow_set_verdict(t, &e, IPPROTO_UDP, 2, OPTAG_V_GATE), 0);
	assert_int_equal(flow_get(t, &e, IPPROTO_UDP, NULL)->gen, g3);
	assert_int_equal(flow_clear(t, &e, IPPROTO_UDP, 2), 0);
	assert_int_equal(flow_clear(t, &e, IPPROTO_UDP, 2), -ENOENT);
	assert_int_equal(flow_count(t), 0);
	flow_free(t);
}

/* One line, two slots: what is cleared cannot be filled before its time is over. */
static void test_quarantine(void **state)
{
	struct flow_table *t;
	struct endpoint a, b, c;

	(void)state;
	clock_set_ns(T0);
	assert_int_equal(flow_new(1, SEED, NULL, NULL, &t), 0);
	at(1, 1, &a);
	at(2, 2, &b);
	at(3, 3, &c);
	assert_int_equal(set(t, &a, OPTAG_V_RECORD, 1, NULL), 0);
	assert_int_equal(set(t, &b, OPTAG_V_RECORD, 2, NULL), 0);
	assert_int_equal(set(t, &c, OPTAG_V_RECORD, 3, NULL), -ENOSPC);
	assert_int_equal(flow_clear(t, &a, IPPROTO_UDP, 1), 0);
	assert_int_equal(set(t, &c, OPTAG_V_RECORD, 3, NULL), -EAGAIN);
	assert_int_equal(set(t, &a, OPTAG_V_RECORD, 1, NULL), -EAGAIN);
	clock_set_ns(T0 + OPTAG_QUARANTINE_NS - 1);
	assert_int_equal(set(t, &c, OPTAG_V_RECORD, 3, NULL), -EAGAIN);
	clock_set_ns(T0 + OPTAG_QUARANTINE_NS);
	assert_int_equal(set(t, &c, OPTAG_V_RECORD, 3, NULL), 0);
	assert_non_null(flow_get(t, &b, IPPROTO_UDP, NULL));
	assert_null(flow_get(t, &a, IPPROTO_UDP, NULL));
	/* a clock set back restarts the quarantine; it neither ends it nor keeps it for hours */
	assert_int_equal(flow_clear(t, &b, IPPROTO_UDP, 2), 0);
	clock_set_ns(T0 - 3600 * NS_PER_S);
	assert_int_equal(set(t, &a, OPTAG_V_RECORD, 4, NULL), -EAGAIN);
	clock_set_ns(T0 - 3600 * NS_PER_S + OPTAG_QUARANTINE_NS);
	assert_int_equal(set(t, &a, OPTAG_V_RECORD, 4, NULL), 0);
	flow_free(t);
}

/* A new owner takes another slot while there is one, and its own when there is none. */
static void test_owner_when_full(void **state)
{
	struct flow_table *t;
	struct endpoint a, b;
	const struct optag_flow *first;
	uint32_t g1, g2;

	(void)state;
	clock_set_ns(T0);
	assert_int_equal(flow_new(1, SEED, NULL, NULL, &t), 0);
	at(1, 1, &a);
	at(2, 2, &b);
	assert_int_equal(set(t, &a, OPTAG_V_RECORD, 1, &g1), 0);
	first = flow_get(t, &a, IPPROTO_UDP, NULL);
	assert_int_equal(set(t, &a, OPTAG_V_BLOCK, 2, &g2), 0);
	assert_ptr_not_equal(flow_get(t, &a, IPPROTO_UDP, NULL), first);
	assert_int_equal(set(t, &b, OPTAG_V_BLOCK, 3, NULL), -EAGAIN); /* the old slot rests */
	assert_int_equal(set(t, &a, OPTAG_V_GATE, 4, &g1), 0);
	assert_int_equal(flow_get(t, &a, IPPROTO_UDP, NULL)->ring, 4);
	assert_int_not_equal(g1, g2);
	assert_int_equal(flow_count(t), 1);
	flow_free(t);
}

static size_t fill(struct flow_table *t, size_t n, uint64_t seed, struct endpoint *e, uint32_t *gen)
{
	for (size_t i = 0; i < n; i++) {
		at((uint32_t)next_random(&seed), (uint16_t)next_random(&seed), &e[i]);
		if (set(t, &e[i], OPTAG_V_RECORD, (uint32_t)i + 1, &gen[i]) < 0)
			return i;
		*live_count(t, &e[i], OPTAG_F_PASSED) = i;
	}
	return n;
}

/* Every entry is still there with its ring, generation and counters, wherever it moved to. */
static void check_filled(struct flow_table *t, size_t n, const struct endpoint *e,
			 const uint32_t *gen)
{
	assert_int_equal(flow_count(t), n);
	for (size_t i = 0; i < n; i++) {
		struct optag_flow_stats s;
		const struct optag_flow *f = flow_get(t, &e[i], IPPROTO_UDP, &s);

		assert_non_null(f);
		assert_int_equal(f->ring, i + 1);
		assert_int_equal(f->gen, gen[i]);
		assert_int_equal(s.passed, i);
	}
}

/* 100,000 random streams, load 0.76, all at one instant: ten seeds, none fails. */
static void test_hundred_thousand(void **state)
{
	enum { N = 100000 };
	struct endpoint *e = calloc(N, sizeof(*e));
	uint32_t *gen = calloc(N, sizeof(*gen));

	(void)state;
	assert_true(e && gen);
	clock_set_ns(T0);
	for (uint64_t seed = 1; seed <= 10; seed++) {
		struct flow_table *t;

		assert_int_equal(flow_new(65536, seed * SEED, NULL, NULL, &t), 0);
		assert_int_equal(fill(t, N, seed, e, gen), N);
		check_filled(t, N, e, gen);
		flow_free(t);
	}
	free(e);
	free(gen);
}

/* Entries move to make room: without it the first key with four taken slots would fail. */
static void test_moves(void **state)
{
	enum { LINES = 4096, N = LINES * 2 * 8 / 10 };
	static struct endpoint e[N];
	static uint32_t gen[N], place[N];
	struct flow_table *t;
	uint64_t seed = 99;
	size_t moved = 0;

	(void)state;
	clock_set_ns(T0);
	assert_int_equal(flow_new(LINES, SEED, NULL, NULL, &t), 0);
	for (size_t i = 0; i < N; i++) {
		at((uint32_t)next_random(&seed), (uint16_t)next_random(&seed), &e[i]);
		assert_int_equal(set(t, &e[i], OPTAG_V_RECORD, (uint32_t)i + 1, &gen[i]), 0);
		*live_count(t, &e[i], OPTAG_F_PASSED) = i;
		*live_count(t, &e[i], OPTAG_F_LOST) = 5 | (uint64_t)(i % 200) << OPTAG_HOLE_SHIFT;
		place[i] = (uint32_t)(flow_get(t, &e[i], IPPROTO_UDP, NULL) - flow_entries(t));
	}
	check_filled(t, N, e, gen);
	for (size_t i = 0; i < N; i++)
		moved += flow_get(t, &e[i], IPPROTO_UDP, NULL) != flow_entries(t) + place[i];
	assert_true(moved > 0);
	for (size_t i = 0; i < N; i++) {
		struct optag_flow_stats s;

		assert_non_null(flow_get(t, &e[i], IPPROTO_UDP, &s));
		assert_int_equal(s.lost, 5);
		assert_int_equal(s.hole, i % 200);
	}
	flow_free(t);
}

/* 100 calls a second come and go for ten minutes; nothing is lost, and all can leave. */
static void test_churn(void **state)
{
	enum { N = 3000 };
	static struct endpoint e[N];
	static uint32_t gen[N];
	struct flow_table *t;
	uint64_t seed = 5;

	(void)state;
	clock_set_ns(T0);
	assert_int_equal(flow_new(4096, SEED, NULL, NULL, &t), 0);
	assert_int_equal(fill(t, N, seed, e, gen), N);
	seed = 6;
	for (int round = 0; round < 60000; round++) {
		size_t i = next_random(&seed) % N;

		clock_set_ns(T0 + (uint64_t)round * 10 * NS_PER_MS);
		assert_int_equal(flow_clear(t, &e[i], IPPROTO_UDP, (uint32_t)i + 1), 0);
		assert_null(flow_get(t, &e[i], IPPROTO_UDP, NULL));
		at((uint32_t)next_random(&seed), (uint16_t)next_random(&seed), &e[i]);
		assert_int_equal(set(t, &e[i], OPTAG_V_GATE, (uint32_t)i + 1, &gen[i]), 0);
		*live_count(t, &e[i], OPTAG_F_PASSED) = i;
	}
	check_filled(t, N, e, gen);
	for (size_t i = 0; i < N; i++)
		assert_int_equal(flow_clear(t, &e[i], IPPROTO_UDP, (uint32_t)i + 1), 0);
	assert_int_equal(flow_count(t), 0);
	flow_free(t);
}

static bool odd_ring(void *arg, const struct endpoint *e, uint8_t proto, uint32_t ring)
{
	struct endpoint want;

	at(ring, (uint16_t)ring, &want);
	assert_true(endpoint_equal(e, &want));
	assert_int_equal(proto, IPPROTO_UDP);
	++*(unsigned *)arg;
	return ring & 1;
}

static void test_sweep(void **state)
{
	struct flow_table *t;
	struct endpoint e;
	unsigned seen = 0, i;

	(void)state;
	clock_set_ns(T0);
	assert_int_equal(flow_new(64, SEED, NULL, NULL, &t), 0);
	for (i = 1; i <= 40; i++) {
		at(i, (uint16_t)i, &e);
		assert_int_equal(set(t, &e, OPTAG_V_RECORD, i, NULL), 0);
	}
	flow_sweep(t, odd_ring, &seen);
	assert_int_equal(seen, 40);
	assert_int_equal(flow_count(t), 20);
	for (i = 1; i <= 40; i++) {
		at(i, (uint16_t)i, &e);
		assert_int_equal(flow_get(t, &e, IPPROTO_UDP, NULL) != NULL, i & 1);
	}
	flow_free(t);
}

/* Memory of another owner of the table: entries are taken over, generations go on; tags, which
 * readers go by, are made right whatever they were. */
static void test_adopt(void **state)
{
	struct optag_flow *flows = aligned_alloc(64, 128 * sizeof(*flows));
	struct optag_tag_pair *tags = calloc(32, sizeof(*tags));
	struct flow_table *t;
	struct endpoint a, b;
	uint32_t g1, g2;

	(void)state;
	assert_true(flows && tags);
	memset(flows, 0, 128 * sizeof(*flows));
	clock_set_ns(T0);
	at(1, 1, &a);
	at(2, 2, &b);
	assert_int_equal(flow_new(64, SEED, flows, tags, &t), 0);
	assert_int_equal(set(t, &a, OPTAG_V_RECORD, 1, &g1), 0);
	flow_free(t);
	memset(tags, 0x5a, 32 * sizeof(*tags));
	assert_int_equal(flow_new(64, SEED, flows, tags, &t), 0);
	assert_int_equal(flow_count(t), 1);
	assert_int_equal(flow_get(t, &a, IPPROTO_UDP, NULL)->gen, g1);
	assert_int_equal(set(t, &b, OPTAG_V_RECORD, 2, &g2), 0);
	assert_true(g2 > g1);
	flow_free(t);
	free(flows);
	free(tags);
}

/* ---- one tag, several keys ---- */

static void key_at(uint32_t i, struct endpoint *ret_at, struct optag_key *ret)
{
	at(i >> 16, (uint16_t)i, ret_at);
	*ret = (struct optag_key){ .port = htons((uint16_t)i), .proto = IPPROTO_UDP };
	memcpy(ret->addr, ret_at->addr.b, 16);
}

/* Three keys with one tag in a table of one line: the tag never decides, and the quick look knows when it does not know. */
static void test_tag_of_several(void **state)
{
	struct flow_table *t;
	struct flow_memory m;
	struct optag_hash s;
	struct optag_key k[3];
	struct optag_hit hit;
	struct endpoint e[3];
	uint32_t tag = 0, n = 0;

	(void)state;
	clock_set_ns(T0);
	optag_hash_key(SEED, &s);
	assert_int_equal(flow_new(1, SEED, NULL, NULL, &t), 0);
	m = (struct flow_memory){ .flows = flow_entries(t), .tags = flow_tags(t) };
	for (uint32_t i = 1; i < 1 << 20 && n < 3; i++) {
		key_at(i, &e[n], &k[n]);
		if (!n)
			tag = optag_flow_tag(optag_flow_hash(&k[0], &s));
		n += optag_flow_tag(optag_flow_hash(&k[n], &s)) == tag;
	}
	assert_int_equal(n, 3);
	assert_int_equal(set(t, &e[0], OPTAG_V_RECORD, 10, NULL), 0);
	assert_int_equal(optag_flow_quick(&m, optag_flow_hash(&k[1], &s), 0, &k[1], &hit), -1);
	assert_false(optag_flow_find(&m, &s, 0, &k[1], &hit));
	assert_null(hit.flow);
	assert_int_equal(set(t, &e[1], OPTAG_V_BLOCK, 11, NULL), 0);
	for (uint32_t i = 0; i < 2; i++) {
		assert_true(optag_flow_find(&m, &s, 0, &k[i], &hit));
		assert_int_equal(hit.ring, 10 + i);
		assert_ptr_equal(hit.flow, flow_get(t, &e[i], IPPROTO_UDP, NULL));
	}
	assert_int_equal(optag_flow_quick(&m, optag_flow_hash(&k[0], &s), 0, &k[0], &hit) +
				 optag_flow_quick(&m, optag_flow_hash(&k[1], &s), 0, &k[1], &hit), 0);
	assert_int_equal(optag_flow_quick(&m, optag_flow_hash(&k[2], &s), 0, &k[2], &hit), -1);
	assert_false(optag_flow_find(&m, &s, 0, &k[2], &hit));
	assert_int_equal(flow_clear(t, &e[0], IPPROTO_UDP, 10), 0);
	assert_int_equal(optag_flow_quick(&m, optag_flow_hash(&k[1], &s), 0, &k[1], &hit), 1);
	assert_int_equal(hit.ring, 11);
	flow_free(t);
}

/* ---- a reader beside the writer ---- */

#define KEYS 64

struct race {
	struct flow_table *t;
	int stop;
	uint64_t hits, wrong;
};

/* ring names the key: a hit with another key's ring is somebody else's audio. */
static void *reader(void *arg)
{
	struct race *r = arg;
	struct flow_memory m = { .flows = flow_entries(r->t), .tags = flow_tags(r->t) };
	struct optag_hash s;
	struct optag_hit hit;

	optag_hash_key(SEED, &s);
	while (!__atomic_load_n(&r->stop, __ATOMIC_ACQUIRE))
		for (uint32_t i = 0; i < KEYS; i++) {
			struct optag_key k = { .port = htons((uint16_t)(1000 + i)),
					       .proto = IPPROTO_UDP };
			struct endpoint e;

			at(i, 0, &e);
			memcpy(k.addr, e.addr.b, 16);
			if (!optag_flow_find(&m, &s, 31, &k, &hit))
				continue;
			__atomic_store_n(&r->hits, r->hits + 1, __ATOMIC_RELAXED);
			r->wrong += hit.ring % KEYS != i || hit.te1 != hit.ring % 96 ||
				    hit.te2 != hit.ring % 96;
		}
	return NULL;
}

/*
 * 64 keys over 64 slots come, change owner and go while a reader looks. Time stands
 * far apart so that slots are refilled as fast as possible: the hard case for the reader.
 */
static void test_reader_sees_no_mixture(void **state)
{
	struct race r = { .stop = 0 };
	uint64_t seed = 3;
	pthread_t th;

	(void)state;
	clock_set_ns(T0);
	assert_int_equal(flow_new(32, SEED, NULL, NULL, &r.t), 0);
	assert_int_equal(pthread_create(&th, NULL, reader, &r), 0);
	for (uint32_t n = 0; n < 300000 || !__atomic_load_n(&r.hits, __ATOMIC_RELAXED); n++) {
		uint32_t i = (uint32_t)next_random(&seed) % KEYS, owner = i + KEYS * (n % 1000);
		struct flow_rule f = rule(n & 1 ? OPTAG_V_GATE : OPTAG_V_RECORD, owner);
		const struct optag_flow *old;
		struct endpoint e;

		clock_set_ns(T0 + n * 2 * NS_PER_S);
		at(i, (uint16_t)(1000 + i), &e);
		f.te[0] = f.te[1] = (uint8_t)(owner % 96);
		old = flow_get(r.t, &e, IPPROTO_UDP, NULL);
		if (old && n % 3 == 0)
			assert_int_equal(flow_clear(r.t, &e, IPPROTO_UDP, old->ring), 0);
		else
			(void)flow_set(r.t, &e, &f, NULL); /* full now and then, that is the point */
	}
	__atomic_store_n(&r.stop, 1, __ATOMIC_RELEASE);
	assert_int_equal(pthread_join(th, NULL), 0);
	assert_true(r.hits > 0);
	assert_int_equal(r.wrong, 0);
	flow_free(r.t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_protocols),
		cmocka_unit_test(test_owners),
		cmocka_unit_test(test_quarantine),
		cmocka_unit_test(test_owner_when_full),
		cmocka_unit_test(test_hundred_thousand),
		cmocka_unit_test(test_moves),
		cmocka_unit_test(test_churn),
		cmocka_unit_test(test_adopt),
		cmocka_unit_test(test_sweep),
		cmocka_unit_test(test_tag_of_several),
		cmocka_unit_test(test_reader_sees_no_mixture),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
