/* SPDX-License-Identifier: BSD-2-Clause */
/* test_chunker.c - when chunks close, what is in them, and that nothing is lost on the way */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/slab.h"
#include "media/chunker.h"
#include "media/tones.h"

#define SPAN (CHUNKER_SPAN_NS / 1000000)
#define MS 1000000ULL
#define T0 (1700000000ULL * 1000 * MS)

/* What the sink saw: the chunks' shapes and all packets with their payloads, in order. */
struct seen {
	unsigned chunks;
	uint32_t npkt[128], nbytes[128], stream[128], ssrc[128];
	struct media_format format[128];
	uint8_t *bytes;
	size_t n, packets;
	struct chunk_pkt last;
	int ret;
};

static int sink(void *arg, const struct chunk *c)
{
	struct seen *s = arg;
	uint32_t off = 0;

	assert_true(s->chunks < 128);
	assert_true(c->npkt >= 1 && c->npkt <= CHUNK_MAX_PACKETS);
	assert_non_null(c->data);
	assert_true(c->nbytes <= CHUNK_MAX_BYTES);
	s->npkt[s->chunks] = c->npkt;
	s->nbytes[s->chunks] = c->nbytes;
	s->ssrc[s->chunks] = c->ssrc;
	s->stream[s->chunks] = c->stream;
	s->format[s->chunks++] = c->format;
	for (uint32_t i = 0; i < c->npkt; i++) {
		assert_int_equal(c->pkt[i].off, off);
		off += c->pkt[i].len;
	}
	assert_int_equal(off, c->nbytes);
	if (c->nbytes) {
		s->bytes = realloc(s->bytes, s->n + c->nbytes);
		assert_non_null(s->bytes);
		memcpy(s->bytes + s->n, c->data, c->nbytes);
	}
	s->n += c->nbytes;
	s->packets += c->npkt;
	s->last = c->pkt[c->npkt - 1];
	return s->ret;
}

static const struct media_format pcmu = {.name = "PCMU", .clock = 8000, .channels = 1, .pt = 0};
static const struct media_format pcma = {.name = "PCMA", .clock = 8000, .channels = 1, .pt = 8};
static const struct media_format cn = {.name = "CN", .clock = 8000, .channels = 1, .pt = 13};
static const struct media_format opus = {.name = "opus", .clock = 48000, .channels = 2, .pt = 111};
static const struct media_format opus_fec = {
	.name = "opus", .clock = 48000, .channels = 2, .pt = 111, .fmtp = "useinbandfec=1"};

struct fix {
	struct seen s;
	struct chunker *c;
};

static void start(struct fix *f)
{
	struct chunker_sink k = {.arg = &f->s, .chunk = sink};

	memset(f, 0, sizeof(*f));
	assert_int_equal(chunker_new(&k, &f->c), 0);
}

static void stop(struct fix *f)
{
	chunker_free(f->c);
	free(f->s.bytes);
}

static int add(struct fix *f, const struct media_format *m, uint32_t stream, uint64_t ms, size_t len)
{
	static uint8_t b[65536];

	for (size_t i = 0; i < len; i++)
		b[i] = (uint8_t)(ms * 31 + i);
	return chunker_add(f->c, 100 + stream, stream, m, m == &cn, false, (int64_t)ms / 20,
			   (uint32_t)ms * 8, T0 + ms * MS, b, len);
}

/* Each row: two packets; whether the second starts a new chunk. */
static void close_rules(void **state)
{
	static const struct {
		const char *what;
		const struct media_format *a, *b;
		uint32_t stream;
		uint64_t ms;
		unsigned chunks;
	} row[] = {
		{"the same", &pcmu, &pcmu, 0, 20, 1},
		{"just under the span", &pcmu, &pcmu, 0, SPAN - 1, 1},
		{"the span", &pcmu, &pcmu, 0, SPAN, 2},
		{"long silence", &pcmu, &pcmu, 0, 900000, 2},
		{"another stream", &pcmu, &pcmu, 1, 20, 2},
		{"another payload type", &pcmu, &pcma, 0, 20, 2},
		{"comfort noise joins", &pcmu, &cn, 0, 20, 1},
		{"noise first, audio gives the format", &cn, &pcma, 0, 20, 1},
		{"noise of another stream", &pcmu, &cn, 1, 20, 2},
		{"noise after the span", &pcmu, &cn, 0, SPAN, 2},
		{"same type, other parameters", &opus, &opus_fec, 0, 20, 2},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct fix f;

		start(&f);
		assert_int_equal(add(&f, row[i].a, 0, 0, 160), 0);
		assert_int_equal(add(&f, row[i].b, row[i].stream, row[i].ms, 33), 0);
		assert_int_equal(chunker_flush(f.c), 0);
		if (f.s.chunks != row[i].chunks || f.s.packets != 2 || f.s.n != 193)
			fail_msg("%s: %u chunks, %zu packets, %zu bytes", row[i].what, f.s.chunks,
				 f.s.packets, f.s.n);
		assert_int_equal(f.s.stream[f.s.chunks - 1], row[i].stream);
		assert_int_equal(f.s.ssrc[f.s.chunks - 1], 100 + row[i].stream);
		assert_int_equal(f.s.last.pt, row[i].b->pt);
		assert_int_equal(!!(f.s.last.flags & CHUNK_P_CN), row[i].b == &cn);
		stop(&f);
	}
}

static void noise_then_audio_format(void **state)
{
	struct fix f;

	(void)state;
	start(&f);
	assert_int_equal(add(&f, &cn, 0, 0, 1), 0);
	assert_int_equal(add(&f, &cn, 0, 20, 1), 0);
	assert_int_equal(add(&f, &pcma, 0, 40, 160), 0);
	assert_int_equal(add(&f, &cn, 0, 60, 1), 0);
	assert_int_equal(add(&f, &pcmu, 0, 80, 160), 0);
	assert_int_equal(chunker_flush(f.c), 0);
	assert_int_equal(f.s.chunks, 2);
	assert_string_equal(f.s.format[0].name, "PCMA");
	assert_string_equal(f.s.format[1].name, "PCMU");
	assert_int_equal(f.s.npkt[0], 4);
	stop(&f);
}

static void full(void **state)
{
	struct fix f;

	(void)state;
	start(&f);
	for (uint64_t i = 0; i < CHUNK_MAX_PACKETS + 1; i++)
		assert_int_equal(add(&f, &pcmu, 0, 1, i % 2), 0);
	assert_int_equal(f.s.chunks, 1);
	assert_int_equal(f.s.npkt[0], CHUNK_MAX_PACKETS);
	assert_int_equal(chunker_flush(f.c), 0);
	assert_int_equal(f.s.npkt[1], 1);
	stop(&f);

	start(&f);
	assert_int_equal(add(&f, &pcmu, 0, 1, 65535), 0);
	assert_int_equal(add(&f, &pcmu, 0, 2, 65535), 0);
	assert_int_equal(add(&f, &pcmu, 0, 3, 2), 0); /* exactly full */
	assert_int_equal(f.s.chunks, 0);
	assert_int_equal(add(&f, &pcmu, 0, 4, 1), 0);
	assert_int_equal(f.s.chunks, 1);
	assert_int_equal(f.s.nbytes[0], CHUNK_MAX_BYTES);
	assert_int_equal(add(&f, &pcmu, 0, 5, 65536), -EMSGSIZE);
	stop(&f);
}

/* The arrival clock of a capture may step back: a little is nothing, more than a span closes. */
static void clock_steps_back(void **state)
{
	struct fix f;

	(void)state;
	start(&f);
	assert_int_equal(add(&f, &pcmu, 0, 10000, 160), 0);
	assert_int_equal(add(&f, &pcmu, 0, 9000, 160), 0);
	assert_int_equal(f.s.chunks, 0);
	assert_int_equal(add(&f, &pcmu, 0, 7000, 160), 0);
	assert_int_equal(f.s.chunks, 1);
	assert_int_equal(f.s.npkt[0], 2);
	stop(&f);
}

static void fields(void **state)
{
	static const uint8_t b[] = {1, 2, 3};
	struct fix f;

	(void)state;
	start(&f);
	assert_int_equal(chunker_flush(f.c), 0);
	assert_int_equal(f.s.chunks, 0); /* nothing to hand over */
	assert_int_equal(chunker_add(f.c, 1, 0, &pcmu, false, true, -5, 77, T0, b, 3), 0);
	assert_int_equal(chunker_flush(f.c), 0);
	assert_int_equal(f.s.last.seq, -5);
	assert_int_equal(f.s.last.ts, 77);
	assert_int_equal(f.s.last.arrival_ns, T0);
	assert_int_equal(f.s.last.flags, CHUNK_P_MARKER);
	assert_int_equal(f.s.last.len, 3);
	assert_memory_equal(f.s.bytes, b, 3);
	stop(&f);
}

/* Packets without a payload are packets, and what has to do with their bytes finds none at an address that is one. */
static void no_payload(void **state)
{
	struct fix f;

	(void)state;
	start(&f);
	assert_int_equal(add(&f, &pcmu, 0, 0, 0), 0);
	assert_int_equal(add(&f, &pcmu, 0, SPAN, 0), 0);
	assert_int_equal(chunker_flush(f.c), 0);
	assert_int_equal(f.s.packets, 2);
	assert_int_equal(f.s.n, 0);
	stop(&f);
}

/* The sink's error comes back, the chunk it refused is gone, the packet at hand is not. */
static void sink_fails(void **state)
{
	struct fix f;

	(void)state;
	start(&f);
	assert_int_equal(add(&f, &pcmu, 0, 0, 160), 0);
	f.s.ret = -ENOSPC;
	assert_int_equal(add(&f, &pcmu, 0, SPAN, 10), -ENOSPC);
	assert_int_equal(f.s.chunks, 1);
	f.s.ret = 0;
	assert_int_equal(chunker_flush(f.c), 0);
	assert_int_equal(f.s.chunks, 2);
	assert_int_equal(f.s.nbytes[1], 10);
	stop(&f);
}

/* Nothing more comes: the chunk goes out all the same, when its time is over. */
static void tick(void **state)
{
	struct fix f;

	(void)state;
	start(&f);
	assert_int_equal(chunker_tick(f.c, T0), 0);
	assert_true(chunker_empty(f.c));
	assert_int_equal(add(&f, &pcmu, 0, 0, 160), 0);
	assert_int_equal(add(&f, &pcmu, 0, 20, 160), 0);
	assert_int_equal(chunker_tick(f.c, T0 + (SPAN - 1) * MS), 0);
	assert_int_equal(f.s.chunks, 0);
	assert_false(chunker_empty(f.c));
	f.s.ret = -ENOSPC;
	assert_int_equal(chunker_tick(f.c, T0 + SPAN * MS), -ENOSPC);
	assert_int_equal(f.s.chunks, 1);
	assert_int_equal(f.s.packets, 2);
	assert_true(chunker_empty(f.c));
	assert_int_equal(chunker_tick(f.c, T0 + 9 * SPAN * MS), 0);
	assert_int_equal(f.s.chunks, 1);
	stop(&f);
}

/* Two minutes of G.711: every byte in place. */
static void two_minutes(void **state)
{
	struct fix f;

	(void)state;
	start(&f);
	for (uint64_t i = 0; i < 6000; i++)
		assert_int_equal(add(&f, &pcmu, 0, i * 20, 160), 0);
	assert_int_equal(chunker_flush(f.c), 0);
	assert_int_equal(f.s.chunks, 120000 / SPAN);
	assert_int_equal(f.s.n, 6000 * 160);
	for (uint64_t i = 0; i < 6000 * 160; i++)
		assert_int_equal(f.s.bytes[i], (uint8_t)(i / 160 * 20 * 31 + i % 160));
	stop(&f);
}

static void free_null(void **state)
{
	(void)state;
	chunker_free(NULL);
}

/* A leg closes its chunk at its own limit; what the common one does not allow is not taken, and freed is freed. */
static void limits_of(struct slab *slab)
{
	struct chunker_memory m = {.limit = 0, .slab = slab};
	struct fix f, g;
	uint64_t one;

	start(&f);
	chunker_limit(f.c, &m, 1600);
	for (unsigned i = 0; i < 11; i++)
		assert_int_equal(add(&f, &pcma, 0, i * 20, 160), 0);
	assert_int_equal(f.s.chunks, 1);
	one = m.used;
	assert_in_range(one, 1600, CHUNK_MAX_BYTES);

	m.limit = one + one / 2;
	start(&g);
	chunker_limit(g.c, &m, 0);
	assert_int_equal(add(&g, &pcma, 0, 0, 160), -ENOBUFS);
	assert_true(m.used <= m.limit);
	for (unsigned i = 11; i < 30; i++) /* who has its memory goes on */
		assert_int_equal(add(&f, &pcma, 0, i * 20, 160), 0);
	stop(&f);
	assert_int_equal(add(&g, &pcma, 0, 0, 160), 0);
	stop(&g);
	assert_int_equal(m.used, 0);
}

static void limits(void **state)
{
	struct slab_figures had;
	struct slab *s;

	(void)state;
	limits_of(NULL);
	assert_int_equal(slab_new(&s), 0);
	limits_of(s);
	slab_figures(s, &had);
	assert_int_equal(had.bytes, 0);
	slab_free(s);
}

/* ---- muting ---- */

static uint8_t ulaw(double v)
{
	int lo = 0x80, hi = 0xff;

	while (lo < hi) {
		int mid = (lo + hi) / 2;

		if (g711_linear[G711_ULAW][mid] > fabs(v))
			lo = mid + 1;
		else
			hi = mid;
	}
	return (uint8_t)(v < 0 ? lo & 0x7f : lo);
}

/* Mu-law of two tones, now and then, over a hum. */
static void sound_at(uint32_t ts, uint8_t *o, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint32_t at = ts + (uint32_t)i;
		double t = at / 8000.0 * 2 * M_PI, v = 300 * sin(t * 200);

		if (at % 2400 < 560 + at / 2400 % 5 * 80) /* 70 to 110 ms of each 300 */
			v += 7000 * (sin(t * 770) + sin(t * 1336));
		o[i] = ulaw(v);
	}
}

/* What tones.h says, with a packet a time: all that is told is what stays. */
static size_t by_the_book(uint8_t *all, size_t n, size_t len)
{
	struct tones t = {0};
	size_t muted = 0, kept = 0;

	for (size_t at = 0; at < n; at += len) {
		tones_packet(&t, G711_ULAW, (uint32_t)at, 0, all + at, len, NULL);
		for (; kept <= at && (int32_t)(tones_final(&t) - (uint32_t)(kept + len)) >= 0; kept += len)
			muted += tones_mute(&t, G711_ULAW, (uint32_t)kept, all + kept, len);
	}
	for (; kept < n; kept += len)
		muted += tones_mute(&t, G711_ULAW, (uint32_t)kept, all + kept, len);
	return muted;
}

#define SOUND (160u * 1200)

/* However chunks close, each packet (of len samples) comes once, and as tones.h says. limit: of a chunk's bytes. */
static void mute_all(uint32_t limit, bool ticks, uint32_t len)
{
	static uint8_t want[SOUND], got[SOUND];
	struct fix f;
	size_t muted;

	sound_at(0, want, SOUND);
	memcpy(got, want, SOUND);
	muted = by_the_book(want, SOUND, len);
	assert_true(muted > SOUND / 5 && muted < SOUND / 2);
	start(&f);
	chunker_limit(f.c, NULL, limit);
	for (uint32_t at = 0; at < SOUND; at += len) {
		chunker_mute(f.c, true, G711_ULAW);
		assert_int_equal(chunker_add(f.c, 1, 0, &pcmu, false, false, at / len, at, T0 + at * 125000ULL, got + at, len), 0);
		if (ticks && at % 4800 == 0)
			assert_int_equal(chunker_tick(f.c, T0 + at * 125000ULL + 25 * MS), 0);
	}
	assert_int_equal(chunker_flush(f.c), 0);
	assert_int_equal(chunker_muted(f.c), muted);
	assert_int_equal(f.s.packets, SOUND / len);
	assert_int_equal(f.s.n, SOUND);
	assert_memory_equal(f.s.bytes, want, SOUND);
	assert_true(f.s.chunks >= SOUND / 12800);
	stop(&f);
}

static void test_mute(void **state)
{
	(void)state;
	mute_all(0, false, 160);
	mute_all(0, true, 160);
	mute_all(4000, false, 160);
	mute_all(0, false, 40); /* 24 packets of context */
	mute_all(0, false, 20); /* and 48 */
	mute_all(0, false, 800);
}

/* A chunk that closes whole is muted as it is; what comes after chunker_mute(false) is left alone. */
static void test_mute_ends(void **state)
{
	uint8_t o[160], plain[160];
	struct fix f;

	(void)state;
	start(&f);
	for (uint32_t at = 0; at < 160 * 5; at += 160) {
		sound_at(at, o, 160);
		chunker_mute(f.c, true, G711_ULAW);
		assert_int_equal(chunker_add(f.c, 1, 0, &pcmu, false, false, at / 160, at, T0, o, 160), 0);
	}
	sound_at(0, plain, 160);
	chunker_mute(f.c, false, G711_ULAW);
	assert_int_equal(chunker_add(f.c, 1, 0, &pcmu, false, false, 5, 800, T0, plain, 160), 0);
	assert_int_equal(chunker_flush(f.c), 0);
	assert_int_equal(f.s.packets, 6);
	for (size_t i = 0; i < 480; i++)
		assert_int_equal(f.s.bytes[i], G711_ULAW_SILENCE);
	assert_memory_equal(f.s.bytes + 800, plain, 160);
	stop(&f);
	/* a tick with nothing decided */
	start(&f);
	chunker_mute(f.c, true, G711_ULAW);
	assert_int_equal(chunker_add(f.c, 1, 0, &pcmu, false, false, 0, 0, T0, o, 160), 0);
	assert_int_equal(chunker_tick(f.c, T0 + SPAN * MS), 0);
	assert_int_equal(f.s.packets, 1);
	assert_true(chunker_empty(f.c));
	stop(&f);
}

/* 20 ms of a press of which the first 100 are in the chunk before: muted by that, unless it is forgotten. */
static void test_forget(void **state)
{
	uint8_t o[160];

	(void)state;
	for (int when = 0; when < 3; when++) { /* never, between the chunks, when the next has begun */
		struct fix f;
		size_t muted;

		start(&f);
		for (uint32_t at = 0; at < 160 * 12; at += 160) {
			memset(o, G711_ULAW_SILENCE, sizeof(o));
			for (size_t i = 0; i < sizeof(o) && at < 960; i++) {
				double t = (double)(at + i) / 8000.0 * 2 * M_PI;

				o[i] = ulaw(7000 * (sin(t * 770) + sin(t * 1336)));
			}
			if (at == 800)
				assert_int_equal(chunker_flush(f.c), 0);
			if (at == 800 && when == 1)
				chunker_forget(f.c);
			chunker_mute(f.c, true, G711_ULAW);
			assert_int_equal(chunker_add(f.c, 1, 0, &pcmu, false, false, at / 160, at, T0, o, 160), 0);
			if (at == 800 && when == 2) /* what is there was heard with what is forgotten */
				chunker_forget(f.c);
		}
		muted = chunker_muted(f.c);
		assert_int_equal(f.s.n, 800);
		assert_int_equal(chunker_flush(f.c), 0);
		assert_int_equal(f.s.packets, 12);
		assert_int_equal(muted, when == 2 ? 960 : 800);
		for (size_t i = 0; i < 960 && when != 1; i++)
			assert_int_equal(f.s.bytes[i], G711_ULAW_SILENCE);
		if (when == 1)
			assert_memory_not_equal(f.s.bytes + 800, f.s.bytes, 160);
		stop(&f);
	}
}

/* Of what was handed over nothing stays where the chunk was. */
static const uint8_t *chunk_at;

static int sink_at(void *arg, const struct chunk *c)
{
	(void)arg;
	chunk_at = c->data;
	return 0;
}

static void test_forget_wipes(void **state)
{
	struct chunker_sink k = {.arg = NULL, .chunk = sink_at};
	struct chunker *c;
	uint8_t o[160];

	(void)state;
	memset(o, 0x5a, sizeof(o));
	assert_int_equal(chunker_new(&k, &c), 0);
	for (unsigned i = 0; i < 20; i++)
		assert_int_equal(chunker_add(c, 1, 0, &pcmu, false, false, i, i * 160, T0 + i * 20 * MS, o, 160), 0);
	assert_int_equal(chunker_flush(c), 0);
	memset(o, 0x33, sizeof(o));
	assert_int_equal(chunker_add(c, 1, 0, &pcmu, false, false, 20, 3200, T0 + 400 * MS, o, 160), 0);
	chunker_forget(c);
	for (unsigned i = 0; i < 160; i++)
		assert_int_equal(chunk_at[i], 0x33);
	for (unsigned i = 160; i < 20 * 160; i++)
		assert_int_equal(chunk_at[i], 0);
	chunker_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mute),
		cmocka_unit_test(test_mute_ends),
		cmocka_unit_test(test_forget),
		cmocka_unit_test(test_forget_wipes),
		cmocka_unit_test(close_rules),
		cmocka_unit_test(noise_then_audio_format),
		cmocka_unit_test(full),
		cmocka_unit_test(clock_steps_back),
		cmocka_unit_test(fields),
		cmocka_unit_test(no_payload),
		cmocka_unit_test(sink_fails),
		cmocka_unit_test(tick),
		cmocka_unit_test(two_minutes),
		cmocka_unit_test(limits),
		cmocka_unit_test(free_null),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
