/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_sample.c - the sampler's saved state: refused, or one that draws, learns, and is written and read again
 *
 * Whatever was loaded: no draw goes over a cap, and time does not run back.
 */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "call/sample.h"
#include "must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW (20776ULL * 86400 * NS_PER_S)

struct seen {
	struct sample_rule rule;
	bool any;
	uint64_t last;
};

static void on_record(void *arg, const struct sample_record *r)
{
	struct seen *w = arg;

	if (r->kind == SAMPLE_R_OPEN && !w->any) {
		w->rule = r->open->set;
		w->any = true;
	}
	if (r->kind != SAMPLE_R_DRAW)
		return;
	MUST(r->time_ns >= w->last && r->threshold <= 1ULL << 32);
	for (int i = 0; i < w->rule.ncap && r->why == SAMPLE_IN; i++)
		if (w->rule.cap[i].of == POLICY_OF_RULE)
			MUST(r->before.used[w->rule.cap[i].per] < (uint32_t)w->rule.cap[i].n);
}

static void zeroes(void *arg, void *buf, size_t n)
{
	static uint64_t next = 1;

	(void)arg;
	memset(buf, 0, n);
	memcpy(buf, &next, n < sizeof(next) ? n : sizeof(next));
	next++;
}

/* The first rule's settings are where sample_save puts them: after the seeds. */
static bool rule_of(const uint8_t *p, size_t n, struct sample_rule *ret)
{
	struct rd b = { p, n, false };
	uint32_t seeds, rules;
	const uint8_t *id, *zone;

	(void)rd_bytes(&b, 8 + 8 + 8 + 32 + 4);
	seeds = rd_le32(&b);
	if (b.bad || seeds > 16)
		return false;
	(void)rd_bytes(&b, seeds * 45);
	rules = rd_le32(&b);
	id = rd_bytes(&b, SAMPLE_ID);
	zone = rd_bytes(&b, SAMPLE_ZONE);
	if (b.bad || !rules)
		return false;
	memset(ret, 0, sizeof(*ret));
	memcpy(ret->id, id, SAMPLE_ID);
	memcpy(ret->zone, zone, SAMPLE_ZONE);
	ret->permille = (int)rd_le32(&b);
	ret->ncap = rd_u8(&b);
	for (int i = 0; i < ret->ncap && i < POLICY_CAPS_MAX; i++) {
		ret->cap[i].n = (int)rd_le32(&b);
		ret->cap[i].per = rd_u8(&b);
		ret->cap[i].of = rd_u8(&b);
	}
	ret->first_come = rd_u8(&b) != 0;
	ret->use_target_percent = (int)rd_le32(&b);
	ret->throttle_percent = (int)rd_le32(&b);
	ret->use_floor = (int)rd_le32(&b);
	ret->grace = p[6] == '2' ? rd_u8(&b) : 0;
	return !b.bad;
}

static void live(struct sample *s, const struct sample_rule *r)
{
	struct sample_input in = { .rule = r, .call_id = { "call", 4 }, .agent = { "a", 1 } };
	struct sample_result res;

	for (uint64_t i = 0; i < 40; i++) {
		in.now_ns = NOW + i * 5 * 3600 * NS_PER_S;
		(void)sample_tick(s, in.now_ns);
		sample_draw(s, &in, &res);
		if (res.in && i % 3 == 0)
			MUST(!sample_release(s, res.slot));
		if (i % 7 == 0)
			(void)sample_note_use(s, r->id, 3);
	}
}

static void again(const uint8_t *p, size_t n)
{
	struct seen w = { 0 };
	struct sample_config cfg = { .late_seeds = true, .random = zeroes, .record = on_record, .record_arg = &w };
	struct sample *s, *t;
	struct sample_rule r;
	struct buf b = { 0 };
	uint64_t gen;

	MUST(!sample_new(&cfg, &s) && !sample_new(&cfg, &t));
	if (!sample_load(s, p, n)) {
		MUST(!sample_save(s, &b, &gen) && (p[6] == '1' ? b.len >= n : b.len == n)); /* a byte more for each rule */
		MUST(!sample_load(t, b.p, b.len));
		if (rule_of(p, n, &r)) {
			w.rule = r;
			w.any = true;
			live(s, &r);
		}
		(void)sample_settle(s);
		buf_reset(&b);
		sample_free(t);
		MUST(!sample_save(s, &b, &gen) && !sample_new(&cfg, &t) && !sample_load(t, b.p, b.len));
	} else {
		MUST(sample_slots(s) == 0);
	}
	buf_free(&b);
	sample_free(s);
	sample_free(t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy;

	again(data, size);
	if (size < 24)
		return 0;
	copy = malloc(size); /* with the digest it should have, so that the fields are looked at */
	if (!copy)
		return 0;
	memcpy(copy, data, size);
	(void)crypto_generichash(copy + size - 16, 16, copy, size - 16, NULL, 0);
	again(copy, size);
	free(copy);
	return 0;
}
