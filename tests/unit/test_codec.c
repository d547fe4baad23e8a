/* SPDX-License-Identifier: BSD-2-Clause */
/* test_codec.c - which coding a payload gets, that all of them are lossless, and what is read for ever */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "base/buf.h"
#include "base/le.h"
#include "delta.h"
#include "store/codec.h"
#include "store/zmem.h"

static struct codec *codec;
static struct chunk in, got;
static uint8_t body[CODEC_BODY_MAX];
static uint32_t seed;

static uint32_t rnd(void)
{
	seed = seed * 1664525 + 1013904223;
	return seed >> 16;
}

/* Packets of 160 bytes that swing, with noise of so many values. */
static void chunk_of(const char *name, unsigned packets, unsigned noise)
{
	seed = packets + noise;
	in.format = (struct media_format){ .clock = 8000, .channels = 1, .pt = 8 };
	snprintf(in.format.name, sizeof(in.format.name), "%s", name);
	in.npkt = packets;
	in.nbytes = packets * 160;
	for (uint32_t i = 0; i < packets; i++)
		in.pkt[i] = (struct chunk_pkt){ .arrival_ns = 1000000ULL * (1000 + 20 * i), .seq = i, .ts = 160 * i, .off = 160 * i, .len = 160, .pt = 8 };
	for (uint32_t i = 0; i < in.nbytes; i++) {
		unsigned m = (i % 40 < 20 ? i % 20 : 20 - i % 20) * 2 + (noise ? rnd() % noise : 0);

		in.data[i] = (uint8_t)(0xd5 ^ m % 128 ^ (i / 40 % 2 ? 0x80 : 0));
	}
}

/* The codec's id; length of the body and where the payload begins. */
static unsigned coded(size_t *ret_len, size_t *ret_at)
{
	struct chunk_head h = { 0 };
	struct rd r;
	size_t len = 0;

	assert_int_equal(codec_encode(codec, &in, body, &len, &h), 0);
	assert_int_equal(h.packets, in.npkt);
	assert_int_equal(h.payload, in.nbytes);
	assert_null(codec_decode(codec, &h, body, len, &got));
	assert_memory_equal(got.data, in.data, in.nbytes);
	assert_int_equal(got.npkt, in.npkt);
	for (uint32_t i = 0; i < in.npkt; i++)
		assert_true(got.pkt[i].seq == in.pkt[i].seq && got.pkt[i].ts == in.pkt[i].ts &&
			    got.pkt[i].arrival_ns == in.pkt[i].arrival_ns);
	r = (struct rd){ .p = body, .left = len };
	*ret_at = (size_t)rd_varint(&r);
	*ret_at += len - r.left;
	*ret_len = len;
	return h.codec;
}

static void test_choice(void **state)
{
	static const struct {
		const char *name;
		unsigned packets, noise, best, fast;
	} t[] = {
		{ "PCMA", 80, 8, CODEC_G711_LPC, CODEC_G711_RICE },  { "PCMU", 80, 8, CODEC_G711_LPC, CODEC_G711_RICE },
		{ "pcma", 819, 3, CODEC_G711_LPC, CODEC_G711_RICE }, { "G722", 80, 8, CODEC_ZSTD, CODEC_ZSTD },
		{ "G726-32", 80, 8, CODEC_ZSTD, CODEC_ZSTD },	      { "G729", 80, 8, CODEC_RAW, CODEC_RAW },
		{ "opus", 80, 8, CODEC_RAW, CODEC_RAW },	      { "AMR", 80, 8, CODEC_RAW, CODEC_RAW },
		{ "GSM", 80, 8, CODEC_RAW, CODEC_RAW },
	};
	size_t len[2], at;

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(*t); i++) {
		chunk_of(t[i].name, t[i].packets, t[i].noise);
		codec_effort(codec, CODEC_FAST);
		assert_int_equal(coded(&len[1], &at), t[i].fast);
		codec_effort(codec, CODEC_BEST);
		assert_int_equal(coded(&len[0], &at), t[i].best);
	}
	for (int e = 0; e < 2; e++) { /* both efforts */
		codec_effort(codec, e ? CODEC_FAST : CODEC_BEST);
		chunk_of("PCMA", 80, 8);
		memset(in.data, 0xd5, in.nbytes);
		assert_int_equal(coded(&len[0], &at), CODEC_CONSTANT);
		assert_true(len[0] < 70); /* silence */
		for (uint32_t i = 0; i < in.nbytes; i++)
			in.data[i] = (uint8_t)rnd();
		assert_int_equal(coded(&len[0], &at), CODEC_RAW);
		assert_int_equal(len[0] - at, in.nbytes);
	}
}

static void test_load(void **state)
{
	const uint64_t room = 6400;

	(void)state;
	assert_false(codec_load(codec, 0, room));
	assert_false(codec_load(codec, 399, room));
	assert_true(codec_load(codec, 400, room)); /* a sixteenth */
	assert_true(codec_load(codec, 100, room)); /* not below a sixty-fourth */
	assert_false(codec_load(codec, 99, room));
	assert_false(codec_load(codec, 399, room));
	assert_true(codec_load(codec, UINT64_MAX, room));
	/* a quarter full: not at all, down to an eighth; then fast again */
	chunk_of("PCMU", 80, 8);
	for (size_t i = 0; i < 6; i++) {
		static const uint64_t waiting[] = { 1599, 1600, 800, 799, 1599, 99 };
		static const uint8_t id[] = { CODEC_RAW, CODEC_RAW, CODEC_RAW, CODEC_G711_RICE, CODEC_G711_RICE, CODEC_G711_LPC };
		size_t len, at;

		assert_int_equal(codec_load(codec, waiting[i], room), i != 5);
		assert_int_equal(coded(&len, &at), id[i]);
	}
	codec_effort(codec, CODEC_BEST);
}

/* Codec 3, which is only read any more: with a checksum, with one that is wrong, and as it was before it had one. */
static void test_delta(void **state)
{
	struct chunk_head h = { .codec = CODEC_G711_DELTA };
	static uint8_t tmp[13000];
	ZSTD_CCtx *zstd = delta_context();
	size_t len, at;

	(void)state;
	for (int mu = 0; mu < 2; mu++) {
		chunk_of(mu ? "PCMU" : "PCMA", 80, 8);
		(void)coded(&len, &at); /* for what is known of the packets */
		len = at + delta_encode(zstd, mu, in.data, in.nbytes, tmp, body + at, sizeof(body) - at);
		assert_true(len > at);
		h.packets = in.npkt;
		h.payload = in.nbytes;
		h.start_ns = in.pkt[0].arrival_ns;
		assert_int_equal(body[at], 2 | mu);
		assert_null(codec_decode(codec, &h, body, len, &got));
		assert_memory_equal(got.data, in.data, in.nbytes);
		body[at + 1] ^= 1;
		assert_string_equal(codec_decode(codec, &h, body, len, &got), "samples have another checksum");
		body[at] = (uint8_t)mu;
		memmove(body + at + 1, body + at + 5, len - at - 5);
		assert_null(codec_decode(codec, &h, body, len - 4, &got));
		assert_memory_equal(got.data, in.data, in.nbytes);
	}
	for (unsigned i = 4; i < 256; i++) {
		body[at] = (uint8_t)i;
		assert_non_null(codec_decode(codec, &h, body, len - 4, &got));
	}
	h.codec = CODEC_G711_RICE + 1;
	assert_string_equal(codec_decode(codec, &h, body, len - 4, &got), "codec is not known to this program");
	ZSTD_freeCCtx(zstd);
}

/* From one packet of nothing to as much as a chunk may have. */
static void test_sizes(void **state)
{
	size_t len, at;

	(void)state;
	for (unsigned k = 0; k < 304; k++) {
		static const unsigned large[] = { 12800, 65536, CHUNK_MAX_BYTES - 1, CHUNK_MAX_BYTES };
		unsigned bytes = k < 300 ? k : large[k - 300];
		unsigned packets = 1 + bytes / 1300, each = bytes / packets;

		chunk_of("PCMA", 1, 0);
		for (uint32_t i = 0; i < bytes; i++)
			in.data[i] = (uint8_t)(0xd5 ^ rnd() % 8);
		in.npkt = packets;
		in.nbytes = bytes;
		for (uint32_t i = 0; i < packets; i++)
			in.pkt[i] = (struct chunk_pkt){ .arrival_ns = 1000 * i, .seq = i, .off = each * i, .pt = 8,
							.len = (uint16_t)(i + 1 < packets ? each : bytes - each * i) };
		(void)coded(&len, &at);
	}
}

static int setup(void **state)
{
	struct chunk *c[2] = { &in, &got };

	(void)state;
	for (int i = 0; i < 2; i++) {
		c[i]->pkt = calloc(CHUNK_MAX_PACKETS, sizeof(*c[i]->pkt));
		c[i]->data = calloc(1, CHUNK_MAX_BYTES);
	}
	return codec_new(&codec);
}

static int teardown(void **state)
{
	(void)state;
	codec_free(codec);
	free(in.pkt);
	free(in.data);
	free(got.pkt);
	free(got.data);
	return 0;
}

static unsigned long locked_bytes(void)
{
	char line[256];
	unsigned long kb = 0;
	FILE *f = fopen("/proc/self/status", "r");

	while (fgets(line, sizeof(line), f))
		(void)sscanf(line, "VmLck: %lu", &kb);
	fclose(f);
	return kb * 1024;
}

/* Where zstd has its copies of audio is locked, what it takes later too; afterwards nothing of it is there. */
static void test_locked(void **state)
{
	unsigned long before = locked_bytes(), with;
	void *probe = sodium_malloc(4096);
	bool locks = locked_bytes() > before; /* a sanitizer's does not */
	ZSTD_CCtx *c;
	ZSTD_DCtx *d;
	size_t n;

	(void)state;
	sodium_free(probe);
	c = zmem_cctx();
	d = zmem_dctx();
	assert_true(c && d);
	memset(in.data, 7, CHUNK_MAX_BYTES);
	n = ZSTD_compressCCtx(c, body, sizeof(body), in.data, CHUNK_MAX_BYTES, 1);
	assert_false(ZSTD_isError(n));
	assert_int_equal(ZSTD_decompressDCtx(d, got.data, CHUNK_MAX_BYTES, body, n), CHUNK_MAX_BYTES);
	assert_memory_equal(in.data, got.data, CHUNK_MAX_BYTES);
	with = locked_bytes();
	n = ZSTD_sizeof_CCtx(c) + ZSTD_sizeof_DCtx(d);
	ZSTD_freeCCtx(c);
	ZSTD_freeDCtx(d);
	assert_int_equal(locked_bytes(), before);
	if (!locks) {
		print_message("SKIP: memory cannot be locked here\n");
		skip();
	}
	assert_true(n > 100000 && with >= before + n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_choice),
		cmocka_unit_test(test_load),
		cmocka_unit_test(test_delta),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_locked),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
