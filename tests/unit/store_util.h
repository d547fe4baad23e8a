/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * store_util.h - what the tests of the store share: a fresh store, chunks of
 * every kind, calls with known content. Included by one test program each.
 */
#ifndef STORE_UTIL_H
#define STORE_UTIL_H

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "store/store.h"

#define T0 1795000000000000000ULL /* November 2026 */
#define UNUSED __attribute__((unused))

static char base_dir[200], store_dir[256], keys_dir[256];
static uint64_t rng_state = 88172645463325252ULL;

UNUSED static uint32_t rnd(void)
{
	rng_state ^= rng_state << 13;
	rng_state ^= rng_state >> 7;
	rng_state ^= rng_state << 17;
	return (uint32_t)(rng_state >> 16);
}

UNUSED static void shell(const char *fmt, ...)
{
	char cmd[2048];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(cmd, sizeof(cmd), fmt, ap);
	va_end(ap);
	assert_int_equal(system(cmd), 0);
}

/* base_dir/store and base_dir/private, fresh. */
UNUSED static int make_store(void **state)
{
	const char *tmp = getenv("TMP");
	char why[512] = "";

	(void)state;
	snprintf(base_dir, sizeof(base_dir), "%.150s/optag-store-XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(base_dir))
		return -1;
	snprintf(store_dir, sizeof(store_dir), "%s/store", base_dir);
	snprintf(keys_dir, sizeof(keys_dir), "%s/private", base_dir);
	if (store_create(store_dir, keys_dir, NULL, NULL, why, sizeof(why))) {
		fprintf(stderr, "store_create: %s\n", why);
		return -1;
	}
	return 0;
}

UNUSED static int drop_store(void **state)
{
	(void)state;
	shell("rm -rf '%s'", base_dir);
	return 0;
}

UNUSED static struct store *open_store(enum store_mode mode)
{
	char why[512] = "";
	struct store *st;
	int rc = store_open(store_dir, mode, &st, why, sizeof(why));

	if (rc)
		print_error("store_open: %d %s\n", rc, why);
	assert_int_equal(rc, 0);
	return st;
}

UNUSED static void ok(struct store *st, int rc)
{
	if (rc)
		print_error("%d: %s\n", rc, store_why(st));
	assert_int_equal(rc, 0);
}

/* ---- chunks ---- */

enum kind { K_RANDOM, K_SILENCE, K_TONE, K_SPEECH, K_KINDS };

UNUSED static struct chunk *chunk_new(void)
{
	struct chunk *c = calloc(1, sizeof(*c));

	c->pkt = calloc(CHUNK_MAX_PACKETS, sizeof(*c->pkt));
	c->data = calloc(1, CHUNK_MAX_BYTES);
	return c;
}

UNUSED static void chunk_free(struct chunk *c)
{
	free(c->pkt);
	free(c->data);
	free(c);
}

/* G.711 code words of 14-bit samples, by the tables of the standard (enough for likely speech). */
UNUSED static uint8_t alaw(int x)
{
	int sign = x >= 0 ? 0x80 : 0, m = x >= 0 ? x : -x - 1, e;

	m >>= 2;
	m = m > 2047 ? 2047 : m;
	for (e = 0; m >> (e + 5); e++)
		;
	return (uint8_t)((sign | (e ? e << 4 | (m >> e & 15) : m >> 1 & 15)) ^ 0x55);
}

UNUSED static void fill(uint8_t *p, size_t n, enum kind k, uint64_t at)
{
	double y = 0;

	for (size_t i = 0; i < n; i++, at++) {
		y = 0.9 * y + (double)((int)(rnd() % 2001) - 1000);
		p[i] = k == K_RANDOM  ? (uint8_t)rnd() :
		       k == K_SILENCE ? 0xd5 :
		       k == K_TONE    ? alaw((int)(8000 * sin((double)at * 0.7))) :
					alaw((int)(y * fabs(sin((double)at / 3000)) / 2));
	}
}

/* A regular 20 ms stream. Packets from `first` on. */
UNUSED static void chunk_stream(struct chunk *c, const char *name, uint8_t pt, enum kind k, uint32_t first,
				uint32_t npkt, uint32_t bytes)
{
	c->ssrc = 0x1234abcd;
	c->stream = 0;
	c->format = (struct media_format){ .clock = 8000, .channels = 1, .pt = pt };
	snprintf(c->format.name, sizeof(c->format.name), "%s", name);
	c->npkt = npkt;
	c->nbytes = npkt * bytes;
	for (uint32_t i = 0; i < npkt; i++)
		c->pkt[i] = (struct chunk_pkt){ .arrival_ns = T0 + (first + i) * 20000000ULL +
							      rnd() % 400 * 1000ULL,
						.seq = 65500 + first + i,
						.ts = 4294960000u + (first + i) * 160,
						.off = i * bytes,
						.len = (uint16_t)bytes,
						.pt = pt };
	fill(c->data, c->nbytes, k, (uint64_t)first * bytes);
}

UNUSED static void chunk_copy(struct chunk *to, const struct chunk *c)
{
	struct chunk_pkt *pkt = to->pkt;
	uint8_t *data = to->data;

	*to = *c;
	to->pkt = pkt;
	to->data = data;
	memcpy(pkt, c->pkt, c->npkt * sizeof(*pkt));
	memcpy(data, c->data, c->nbytes);
}

/* As the store gives it back: arrival to the microsecond, payload in packet order. */
UNUSED static void assert_chunk(const struct chunk *got, const struct chunk *want)
{
	assert_int_equal(got->ssrc, want->ssrc);
	assert_int_equal(got->stream, want->stream);
	assert_string_equal(got->format.name, want->format.name);
	assert_string_equal(got->format.fmtp, want->format.fmtp);
	assert_int_equal(got->format.clock, want->format.clock);
	assert_int_equal(got->format.channels, want->format.channels);
	assert_int_equal(got->format.pt, want->format.pt);
	assert_int_equal(got->npkt, want->npkt);
	for (uint32_t i = 0; i < want->npkt; i++) {
		const struct chunk_pkt *a = &got->pkt[i], *b = &want->pkt[i];

		assert_true(a->arrival_ns == b->arrival_ns / 1000 * 1000);
		assert_true(a->seq == b->seq);
		assert_int_equal(a->ts, b->ts);
		assert_int_equal(a->len, b->len);
		assert_int_equal(a->flags, b->flags);
		assert_int_equal(a->pt, b->pt);
		assert_memory_equal(got->data + a->off, want->data + b->off, b->len);
	}
}

/* ---- calls ---- */

UNUSED static void meta_of(unsigned i, struct store_call_meta *m)
{
	static char id[32], caller[32];

	*m = (struct store_call_meta){ .start_ns = T0 + i * NS_PER_S, .controller = "acme",
				       .zone = "Europe/Copenhagen", .rule = "service-desk",
				       .policy_hash = "00ff", .scenario = "A1", .agent = "agent-7",
				       .callee = "+4570000000" };
	snprintf(id, sizeof(id), "call-%u@host", i);
	snprintf(caller, sizeof(caller), "+4520%06u", i);
	m->sip_call_id = id;
	m->caller = caller;
	m->until_ns[0] = m->start_ns + 90 * 86400 * NS_PER_S;
	m->commit[0] = true;
	uid_make(m->start_ns, id, strlen(id), &m->uid);
}

UNUSED static void result_of(unsigned i, struct store_call_result *r)
{
	*r = (struct store_call_result){ .answer_ns = T0 + i * NS_PER_S + 5, .end_ns = T0 + i * NS_PER_S + 60 * NS_PER_S,
					 .end = "bye", .outcome = STORE_O_KEPT, .gap = "",
					 .reason = { "interest", "" } };
	r->state[0] = STORE_S_GRANTED;
	r->leg[0] = (struct store_leg_figures){ .packets = 100 + i, .lost = 1, .audio_ms = 2000, .jitter_us = 7 };
	snprintf(r->leg[0].format.name, 16, "PCMA");
	r->leg[0].format.clock = 8000;
}

/* Call i with `chunks` chunks on each leg of kinds that follow from i. Content is repeatable by seed. */
UNUSED static void chunk_of(struct chunk *c, unsigned i, unsigned leg, unsigned n)
{
	rng_state = 0x9e3779b97f4a7c15ULL * (i * 1000 + leg * 500 + n + 1);
	chunk_stream(c, (i + leg) & 1 ? "PCMU" : "PCMA", (i + leg) & 1 ? 0 : 8, (enum kind)((i + n) % K_KINDS),
		     n * 100, 100, 160);
}

UNUSED static struct uid write_call(struct store *st, unsigned i, unsigned chunks)
{
	struct chunk *c = chunk_new();
	struct store_call_meta m;
	struct store_call_result r;
	struct store_call *sc;

	meta_of(i, &m);
	result_of(i, &r);
	ok(st, store_call_begin(st, &m, &sc));
	for (unsigned n = 0; n < chunks; n++)
		for (unsigned leg = 0; leg < 2; leg++) {
			chunk_of(c, i, leg, n);
			ok(st, store_call_append(sc, leg, c));
		}
	ok(st, store_call_end(sc, &r));
	chunk_free(c);
	return m.uid;
}

/* Reads call i; returns how many chunks were damaged. Good ones must be right. */
UNUSED static unsigned read_call(struct store *st, unsigned i, unsigned chunks)
{
	struct chunk *want = chunk_new();
	struct store_call_meta m;
	struct store_reader *r;
	const struct chunk *got;
	unsigned leg, n = 0, bad = 0;
	int rc;

	meta_of(i, &m);
	rc = store_read_open(st, &m.uid, STORE_DOCUMENTATION, keys_dir, &r);
	if (rc) {
		chunk_free(want);
		return chunks * 2;
	}
	while ((rc = store_read_next(r, &leg, &got)) != 0) {
		if (rc < 0) {
			assert_int_equal(rc, -EBADMSG);
			bad++;
		} else {
			assert_int_equal(leg, n % 2);
			chunk_of(want, i, leg, n / 2);
			assert_chunk(got, want);
		}
		n++;
	}
	bad += chunks * 2 - n;
	store_read_close(r);
	chunk_free(want);
	return bad;
}

struct finding {
	unsigned n;
	char file[300], rule[8], text[300];
	uint64_t off;
};

UNUSED static void on_finding(void *arg, const char *file, uint64_t off, const char *rule, const char *text)
{
	struct finding *f = arg;

	if (!f->n++) {
		snprintf(f->file, sizeof(f->file), "%s", file);
		snprintf(f->rule, sizeof(f->rule), "%s", rule);
		snprintf(f->text, sizeof(f->text), "%s", text);
		f->off = off;
	}
}

UNUSED static int fsck(struct finding *f, struct store_fsck_report *rep)
{
	struct store_fsck_report mine;
	char why[512] = "";
	int rc;

	*f = (struct finding){ 0 };
	rc = store_fsck(store_dir, on_finding, f, rep ? rep : &mine, why, sizeof(why));
	if (rc < 0)
		print_error("fsck: %d %s\n", rc, why);
	return rc;
}

UNUSED static void fsck_clean(struct store_fsck_report *rep)
{
	struct finding f;
	int rc = fsck(&f, rep);

	if (rc)
		print_error("fsck: %s offset %llu %s: %s\n", f.file, (unsigned long long)f.off, f.rule, f.text);
	assert_int_equal(rc, 0);
}

#endif
