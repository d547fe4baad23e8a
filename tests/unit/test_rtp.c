/* SPDX-License-Identifier: BSD-2-Clause */
/* test_rtp.c - RTP parsing by table, streams by scenario and against a plain model */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "media/rtp.h"

/* ---- rtp_parse ---- */

static const struct {
	const char *what;
	uint8_t b[32];
	size_t n;
	int ret;
	size_t at, len; /* of the payload */
} packets[] = {
	{"empty", {0}, 0, -EBADMSG, 0, 0},
	{"one byte short", {0x80, 0}, 11, -EBADMSG, 0, 0},
	{"header only", {0x80, 0}, 12, 0, 12, 0},
	{"three bytes", {0x80, 8}, 15, 0, 12, 3},
	{"version 0", {0x00, 0}, 20, -EBADMSG, 0, 0},
	{"version 1", {0x40, 0}, 20, -EBADMSG, 0, 0},
	{"version 3", {0xc0, 0}, 20, -EBADMSG, 0, 0},
	{"one CSRC", {0x81, 0}, 20, 0, 16, 4},
	{"CSRC past the end", {0x82, 0}, 19, -EBADMSG, 0, 0},
	{"15 CSRCs past the end", {0x8f, 0}, 32, -EBADMSG, 0, 0},
	{"extension of 0 words", {0x90, 0}, 18, 0, 16, 2},
	{"extension of 1 word", {0x90, 0, [15] = 1}, 21, 0, 20, 1},
	{"extension of 1 word, nothing after", {0x90, 0, [15] = 1}, 20, 0, 20, 0},
	{"extension past the end", {0x90, 0, [15] = 2}, 20, -EBADMSG, 0, 0},
	{"extension of 65535 words", {0x90, 0, [14] = 0xff, [15] = 0xff}, 32, -EBADMSG, 0, 0},
	{"extension header cut", {0x90, 0}, 15, -EBADMSG, 0, 0},
	{"CSRC and extension", {0x91, 0, [19] = 1}, 26, 0, 24, 2},
	{"padding of 2", {0xa0, 0, [15] = 2}, 16, 0, 12, 2},
	{"all padding", {0xa0, 0, [15] = 4}, 16, 0, 12, 0},
	{"padding into the header", {0xa0, 0, [15] = 5}, 16, -EBADMSG, 0, 0},
	{"padding of 0", {0xa0, 0}, 16, -EBADMSG, 0, 0},
	{"padding without a byte for it", {0xa0, 0}, 12, -EBADMSG, 0, 0},
	{"padding into the extension", {0xb0, 0, [15] = 1, [20] = 2}, 21, -EBADMSG, 0, 0},
	{"type 191 with marker", {0x80, 191}, 16, 0, 12, 4},
	{"RTCP: FIR 192", {0x80, 192}, 28, -EBADMSG, 0, 0},
	{"RTCP: SR 200", {0x80, 200}, 28, -EBADMSG, 0, 0},
	{"RTCP: RR 201", {0x81, 201}, 32, -EBADMSG, 0, 0},
	{"RTCP: BYE 203", {0x81, 203}, 12, -EBADMSG, 0, 0},
	{"RTCP: last, 223", {0x80, 223}, 28, -EBADMSG, 0, 0},
	{"type 224: 96 with marker", {0x80, 224}, 16, 0, 12, 4},
	{"type 72 without marker is no RTCP", {0x80, 72}, 16, 0, 12, 4},
};

static void parse_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(packets) / sizeof(packets[0]); i++) {
		/* A copy of the exact size, so that a sanitizer sees a read past the end. */
		uint8_t *b = malloc(packets[i].n + !packets[i].n);
		struct rtp_pkt p = {0};
		int ret;

		assert_non_null(b);
		memcpy(b, packets[i].b, packets[i].n);
		ret = rtp_parse(b, packets[i].n, &p);
		if (ret != packets[i].ret ||
		    (!ret && (p.payload != b + packets[i].at || p.len != packets[i].len)))
			fail_msg("%s: %d, payload of %zu", packets[i].what, ret, p.len);
		free(b);
	}
}

static void parse_fields(void **state)
{
	static const uint8_t b[] = {0x80, 0x88, 0x12, 0x34, 0xde, 0xad, 0xbe, 0xef, 1, 2, 3, 4, 9};
	struct rtp_pkt p;

	(void)state;
	assert_int_equal(rtp_parse(b, sizeof(b), &p), 0);
	assert_int_equal(p.pt, 8);
	assert_true(p.marker);
	assert_int_equal(p.seq, 0x1234);
	assert_int_equal(p.ts, 0xdeadbeef);
	assert_int_equal(p.ssrc, 0x01020304);
	assert_int_equal(*p.payload, 9);
}

/* ---- streams ---- */

#define FRESH   RTP_NEW
#define COPY    RTP_DUPLICATE
#define MS20    20000000ULL

struct feeder {
	struct rtp_leg leg;
	uint64_t now;
};

static int feed_ts(struct feeder *f, uint32_t ssrc, uint16_t seq, uint32_t ts, int64_t *ret_seq)
{
	const struct rtp_stream *s;
	struct rtp_pkt p = {.seq = seq, .ts = ts, .ssrc = ssrc};
	int ret;

	f->now += MS20;
	ret = rtp_leg_packet(&f->leg, &p, f->now, 8000, &s, ret_seq);
	assert_true(ret >= 0);
	assert_int_equal(s->ssrc, ssrc);
	assert_int_equal((uint16_t)*ret_seq, seq);
	return ret;
}

/* Timestamp as a well-behaved sender of 20 ms packets would have it within one cycle. */
static int feed(struct feeder *f, uint32_t ssrc, uint16_t seq, int64_t *ret_seq)
{
	return feed_ts(f, ssrc, seq, seq * 160u, ret_seq);
}

static void expect_totals(const struct feeder *f, uint64_t received, uint64_t lost, uint64_t dup,
			  uint64_t reordered)
{
	uint64_t r, l, d, o;

	rtp_leg_totals(&f->leg, &r, &l, &d, &o);
	assert_int_equal(r, received);
	assert_int_equal(l, lost);
	assert_int_equal(d, dup);
	assert_int_equal(o, reordered);
}

/* Sequence numbers in, extended numbers and verdicts out; one stream. */
struct step {
	uint16_t seq;
	int64_t want;
	int ret;
};

static const struct {
	const char *what;
	struct step step[12];
	uint64_t received, lost, dup, reordered;
} sequences[] = {
	{"in order", {{10, 10, FRESH}, {11, 11, FRESH}, {12, 12, FRESH}}, 3, 0, 0, 0},
	{"loss", {{10, 10, FRESH}, {14, 14, FRESH}}, 2, 3, 0, 0},
	{"late fills the gap", {{10, 10, FRESH}, {12, 12, FRESH}, {11, 11, FRESH}}, 3, 0, 0, 1},
	{"copies", {{10, 10, FRESH}, {10, 10, COPY}, {11, 11, FRESH}, {10, 10, COPY}}, 2, 0, 2, 0},
	{"wrap", {{65534, 65534, FRESH}, {65535, 65535, FRESH}, {0, 65536, FRESH}, {1, 65537, FRESH}}, 4, 0, 0, 0},
	{"wrap lost and late",
	 {{65534, 65534, FRESH}, {2, 65538, FRESH}, {65535, 65535, FRESH}, {0, 65536, FRESH}, {0, 65536, COPY}},
	 4, 1, 1, 2},
	{"before the first, below 0", {{1, 1, FRESH}, {65535, -1, FRESH}, {0, 0, FRESH}, {65535, -1, COPY}}, 3, 0, 1, 2},
	{"largest gap that is loss", {{0, 0, FRESH}, {2999, 2999, FRESH}}, 2, 2998, 0, 0},
	{"a gap longer than the window: nothing of before is taken for a copy",
	 {{0, 0, FRESH}, {2500, 2500, FRESH}, {2048, 2048, FRESH}, {2048, 2048, COPY}}, 3, 2498, 1, 1},
	{"a jump: new run above the old", {{0, 0, FRESH}, {1, 1, FRESH}, {3001, 68537, FRESH}, {3002, 68538, FRESH}}, 4, 0, 0, 0},
	{"late packets of before a jump keep their place",
	 {{5, 5, FRESH}, {7, 7, FRESH}, {30000, 30000, FRESH}, {6, 6, FRESH}, {7, 7, COPY}, {30001, 30001, FRESH}, {30000, 30000, COPY}},
	 5, 0, 2, 1},
	{"a lone stray: the stream goes on above it, copies of before still known",
	 {{5, 5, FRESH}, {6, 6, FRESH}, {40000, 40000, FRESH}, {7, 65543, FRESH}, {6, 65542, COPY}, {8, 65544, FRESH}, {40000, 40000, COPY}},
	 5, 0, 2, 0},
	{"800 back with an older timestamp: late, no restart",
	 {{900, 900, FRESH}, {100, 100, FRESH}}, 2, 799, 0, 1},
};

static void sequence_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(sequences) / sizeof(sequences[0]); i++) {
		struct feeder f = {0};
		uint64_t n = sequences[i].received + sequences[i].dup;

		for (uint64_t k = 0; k < n; k++) {
			const struct step *s = &sequences[i].step[k];
			int64_t seq;
			int ret = feed(&f, 7, s->seq, &seq);

			if (ret != s->ret || seq != s->want)
				fail_msg("%s: step %d: %d, number %lld", sequences[i].what, (int)k, ret,
					 (long long)seq);
		}
		expect_totals(&f, sequences[i].received, sequences[i].lost, sequences[i].dup,
			      sequences[i].reordered);
		rtp_leg_free(&f.leg);
	}
}

/* The copies of a slow relay: far behind, and still copies. */
static void far_copies(void **state)
{
	struct feeder f = {0};
	int64_t seq;

	(void)state;
	for (int i = 0; i < 6000; i++) {
		assert_int_equal(feed_ts(&f, 1, (uint16_t)(i + 64000), (uint32_t)i * 160, &seq), RTP_NEW);
		if (i >= 2040)
			assert_int_equal(feed_ts(&f, 1, (uint16_t)(i - 2040 + 64000),
						 (uint32_t)(i - 2040) * 160, &seq), RTP_DUPLICATE);
	}
	expect_totals(&f, 6000, 0, 3960, 0);
	rtp_leg_free(&f.leg);
}

/* A sender that begins again 500 numbers lower, its clock going on: none of it is a copy. */
static void restart_lower(void **state)
{
	struct feeder f = {0};
	int64_t seq, last = -1;

	(void)state;
	for (uint32_t i = 0; i < 2000; i++) {
		uint16_t wire = (uint16_t)(i < 1000 ? 5000 + i : 5499 + i - 1000);

		assert_int_equal(feed_ts(&f, 1, wire, i * 160, &seq), RTP_NEW);
		assert_true(seq > last);
		last = seq;
	}
	expect_totals(&f, 2000, 0, 0, 0);
	rtp_leg_free(&f.leg);
}

/* Many restarts: always above everything before, each loss counted. */
static void many_restarts(void **state)
{
	struct feeder f = {0};
	int64_t seq, last = -1;

	(void)state;
	for (uint32_t run = 0; run < 100; run++) {
		for (uint32_t i = 0; i < 10; i++) {
			if (i == 5)
				continue;
			assert_int_equal(feed(&f, 1, (uint16_t)(run * 20011 + i), &seq), RTP_NEW);
			assert_true(seq > last);
			last = seq;
		}
	}
	expect_totals(&f, 900, 100, 0, 0);
	rtp_leg_free(&f.leg);
}

static void replaced_streams_keep_totals(void **state)
{
	struct feeder f = {0};
	int64_t seq;

	(void)state;
	for (uint32_t ssrc = 1; ssrc <= 30; ssrc++) {
		assert_int_equal(feed(&f, ssrc, 100, &seq), RTP_NEW);
		assert_int_equal(feed(&f, ssrc, 102, &seq), RTP_NEW);
		assert_int_equal(feed(&f, ssrc, 102, &seq), RTP_DUPLICATE);
		assert_int_equal(feed(&f, 1, (uint16_t)(1000 + ssrc), &seq), RTP_NEW); /* never silent */
	}
	assert_int_equal(f.leg.n, RTP_STREAMS_MAX);
	assert_int_equal(f.leg.next_number, 30);
	expect_totals(&f, 90, 29 + 1 + 898, 30, 0);
	for (unsigned i = 0; i < f.leg.n; i++)
		assert_true(f.leg.stream[i]->ssrc == 1 || f.leg.stream[i]->ssrc > 23);
	rtp_leg_free(&f.leg);
	assert_int_equal(f.leg.n, 0);
}

/* RFC 3550 A.8 by hand: transit differences of 0, 80, 80 units. */
static void jitter_by_hand(void **state)
{
	static const struct {
		uint64_t at_us;
		uint32_t ts;
	} in[] = {{0, 1000}, {20000, 1160}, {50000, 1320}, {60000, 1480}};
	struct rtp_leg l = {0};
	const struct rtp_stream *s = NULL;
	double want = 0;
	int64_t seq;

	(void)state;
	for (uint16_t i = 0; i < 4; i++) {
		struct rtp_pkt p = {.seq = i, .ts = in[i].ts};

		assert_int_equal(rtp_leg_packet(&l, &p, 1700000000000000000ULL + in[i].at_us * 1000, 8000, &s, &seq), RTP_NEW);
	}
	want += (80 - want) / 16;
	want += (80 - want) / 16;
	assert_true(fabs(s->jitter - want) < 1e-9);
	rtp_leg_free(&l);
}

static void jitter_skipped_without_clock(void **state)
{
	struct rtp_leg l = {0};
	const struct rtp_stream *s = NULL;
	int64_t seq;

	(void)state;
	for (uint16_t i = 0; i < 9; i++) {
		struct rtp_pkt p = {.seq = i, .ts = i * 77777u};

		assert_int_equal(rtp_leg_packet(&l, &p, i, 0, &s, &seq), RTP_NEW);
	}
	assert_true(s->jitter == 0);
	rtp_leg_free(&l);
}

/* ---- against a model ---- */

static uint64_t rng_state;

static uint32_t rng(void)
{
	rng_state = rng_state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(rng_state >> 33);
}

static bool chance(uint32_t per_mille)
{
	return rng() % 1000 < per_mille;
}

#define MODEL_PACKETS 20000
#define MODEL_SENT    (MODEL_PACKETS * 2)

/* What goes over the wire: the number as the sender knows it, in order of arrival. */
struct wire {
	int64_t n;
	int64_t key;
};

static int by_key(const void *a, const void *b)
{
	const struct wire *x = a, *y = b;

	return x->key < y->key ? -1 : x->key > y->key;
}

/*
 * Sends 0..MODEL_PACKETS-1 with loss, copies and displacement (at most 900, and
 * copies at most 900 later), sorted into arrival order.
 */
static size_t make_wire(struct wire *w, int64_t base, uint32_t loss, uint32_t dup, uint32_t late)
{
	size_t n = 0;

	for (int64_t i = 0; i < MODEL_PACKETS; i++) {
		int64_t key = i * 4096;

		if (i && chance(loss))
			continue;
		if (chance(late))
			key += (int64_t)(rng() % 900) * 4096;
		w[n++] = (struct wire){base + i, key + rng() % 4096};
		if (chance(dup))
			w[n++] = (struct wire){base + i, key + rng() % (900 * 4096)};
	}
	qsort(w, n, sizeof(*w), by_key);
	return n;
}

static void model_round(uint64_t seed)
{
	static struct wire w[MODEL_SENT];
	static bool had[MODEL_PACKETS];
	int64_t base, lo, hi, seq, prev_hi;
	uint64_t received = 0, dup = 0, reordered = 0;
	struct feeder f = {0};
	size_t n;

	rng_state = seed;
	memset(had, 0, sizeof(had));
	base = rng() % 65536;
	n = make_wire(w, base, rng() % 300, rng() % 500, rng() % 200);
	/* The receiver knows 16 bits of the first packet to arrive. */
	lo = prev_hi = hi = w[0].n;
	for (size_t i = 0; i < n; i++) {
		int64_t shift = w[0].n - (uint16_t)w[0].n;
		int ret = feed_ts(&f, 3, (uint16_t)w[i].n, (uint32_t)w[i].n * 160, &seq);

		assert_int_equal(seq, w[i].n - shift);
		assert_int_equal(ret, had[w[i].n - base] ? RTP_DUPLICATE : RTP_NEW);
		if (had[w[i].n - base]) {
			dup++;
			continue;
		}
		had[w[i].n - base] = true;
		received++;
		reordered += i && w[i].n < prev_hi;
		lo = w[i].n < lo ? w[i].n : lo;
		hi = w[i].n > hi ? w[i].n : hi;
		prev_hi = hi;
	}
	expect_totals(&f, received, (uint64_t)(hi - lo + 1) - received, dup, reordered);
	rtp_leg_free(&f.leg);
}

static void model(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 40; seed++)
		model_round(seed);
}

/*
 * Anything at all: within a stream no number is given twice as new, the wire's
 * bits are kept and the sums balance.
 */
static int by_number(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static void hostile_round(uint64_t seed)
{
	static int64_t given[6000];
	struct feeder f = {0};
	uint64_t dup = 0, r, l, d, o;
	uint16_t at;
	size_t n = 0;

	rng_state = seed;
	at = (uint16_t)rng();
	for (int i = 0; i < 6000; i++) {
		int64_t seq;

		at = (uint16_t)(chance(20) ? rng() : at + rng() % 5 - 1);
		if (feed_ts(&f, 1, at, chance(100) ? rng() : (uint32_t)i * 160, &seq) == RTP_NEW)
			given[n++] = seq;
		else
			dup++;
	}
	qsort(given, n, sizeof(given[0]), by_number);
	for (size_t i = 1; i < n; i++)
		assert_true(given[i - 1] != given[i]);
	rtp_leg_totals(&f.leg, &r, &l, &d, &o);
	assert_int_equal(r, n);
	assert_int_equal(d, dup);
	assert_true(l < 6000ULL * RTP_DROPOUT);
	rtp_leg_free(&f.leg);
}

static void hostile(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 200; seed++)
		hostile_round(seed * 77);
}

/* ---- as bytes ---- */

static void reload(struct feeder *f)
{
	struct buf b = {0};
	struct rd r;

	rtp_leg_save(&f->leg, &b);
	assert_false(b.failed);
	rtp_leg_free(&f->leg);
	r = (struct rd){b.p, b.len, false};
	assert_int_equal(rtp_leg_load(&r, &f->leg), 0);
	assert_int_equal(r.left, 0);
	buf_free(&b);
}

/* The model's scenarios with another process every few packets: all the same. */
static void saved_model(void **state)
{
	struct feeder f = {0};
	int64_t seq;
	uint64_t n = 0, copies = 0;

	(void)state;
	for (int i = 0; i < 70000; i++) {
		int64_t want = 65000 + i;

		if (i % 97 == 13) /* lost */
			continue;
		if (i % 701 == 3)
			reload(&f);
		assert_int_equal(feed_ts(&f, 1, (uint16_t)want, (uint32_t)i * 160, &seq), RTP_NEW);
		assert_true(seq == want);
		n++;
		if (i % 31 == 5) {
			copies++;
			if (i % 62 == 5)
				reload(&f);
			assert_int_equal(feed_ts(&f, 1, (uint16_t)want, (uint32_t)i * 160, &seq), RTP_DUPLICATE);
		}
	}
	expect_totals(&f, n, 70000 - n, copies, 0);
	rtp_leg_free(&f.leg);
}

/* An old state: the stream is far ahead of it. No restart, no number twice. */
static void saved_old(void **state)
{
	struct feeder f = {0};
	int64_t seq;

	(void)state;
	for (int i = 0; i < 100; i++)
		feed_ts(&f, 1, (uint16_t)(65400 + i), (uint32_t)i * 160, &seq);
	reload(&f);
	assert_int_equal(feed_ts(&f, 1, (uint16_t)(65400 + 30000), 30000u * 160, &seq), RTP_NEW);
	assert_true(seq == 65400 + 30000);
	assert_int_equal(feed_ts(&f, 1, (uint16_t)(65400 + 30001), 30001u * 160, &seq), RTP_NEW);
	expect_totals(&f, 102, 29900, 0, 0);
	reload(&f); /* what is older than the saved window is taken for a copy: nothing comes twice */
	assert_int_equal(feed_ts(&f, 1, (uint16_t)(65400 + 30001), 30001u * 160, &seq), RTP_DUPLICATE);
	assert_int_equal(feed_ts(&f, 1, (uint16_t)(65400 + 29999), 29999u * 160, &seq), RTP_NEW);
	assert_int_equal(feed_ts(&f, 1, (uint16_t)(65400 + 29200), 29200u * 160, &seq), RTP_DUPLICATE);
	rtp_leg_free(&f.leg);
}

static void saved_hostile(void **state)
{
	struct feeder f = {0};
	struct buf b = {0};
	struct rtp_leg l;
	uint8_t *copy;
	int64_t seq;

	(void)state;
	rng_state = 99;
	for (int i = 0; i < 3000; i++)
		feed_ts(&f, rng() % 9, (uint16_t)(chance(50) ? rng() : (uint32_t)i), (uint32_t)i * 160, &seq);
	rtp_leg_save(&f.leg, &b);
	copy = malloc(b.len);
	for (size_t n = 0; n < b.len; n++) {
		struct rd r = {b.p, n, false};

		assert_int_equal(rtp_leg_load(&r, &l), -EBADMSG);
		assert_int_equal(l.n, 0);
	}
	for (int i = 0; i < 20000; i++) { /* anything that loads can be gone on with: the sanitizers look on */
		struct feeder g = {0};
		struct rd r = {copy, b.len, false};
		uint64_t received, lost, dup, late;

		memcpy(copy, b.p, b.len);
		for (int k = 0; k < 3; k++)
			copy[rng() % b.len] = (uint8_t)rng();
		if (rtp_leg_load(&r, &g.leg))
			continue;
		for (uint32_t k = 0; k < 20; k++)
			feed_ts(&g, k % 9, (uint16_t)rng(), rng(), &seq);
		rtp_leg_totals(&g.leg, &received, &lost, &dup, &late);
		assert_true(lost < 1ULL << 63);
		rtp_leg_free(&g.leg);
	}
	free(copy);
	buf_free(&b);
	rtp_leg_free(&f.leg);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parse_table),
		cmocka_unit_test(parse_fields),
		cmocka_unit_test(sequence_table),
		cmocka_unit_test(far_copies),
		cmocka_unit_test(restart_lower),
		cmocka_unit_test(many_restarts),
		cmocka_unit_test(replaced_streams_keep_totals),
		cmocka_unit_test(jitter_by_hand),
		cmocka_unit_test(jitter_skipped_without_clock),
		cmocka_unit_test(model),
		cmocka_unit_test(hostile),
		cmocka_unit_test(saved_model),
		cmocka_unit_test(saved_old),
		cmocka_unit_test(saved_hostile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
