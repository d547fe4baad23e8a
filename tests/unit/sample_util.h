/* SPDX-License-Identifier: BSD-2-Clause */
/* sample_util.h - a sampler, what an evidence log would hold of it, and days of calls. Included by one test program each. */
#ifndef SAMPLE_UTIL_H
#define SAMPLE_UTIL_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/clock.h"
#include "call/sample.h"

#define UNUSED __attribute__((unused))

#define SEC  NS_PER_S
#define HOUR (3600 * SEC)
#define DAY  (24 * HOUR)
#define NDAY 20776 /* Thursday 19 November 2026 */

static uint64_t rnd_state = 1;

UNUSED static uint64_t rnd(void)
{
	uint64_t z = rnd_state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

UNUSED static void test_random(void *arg, void *buf, size_t n)
{
	uint8_t *p = buf;

	(void)arg;
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)rnd();
}

/* What an evidence log would hold. */
struct journal {
	struct sample_record *rec;
	struct sample_open *open; /* by index of rec, where it has one */
	size_t n, cap;
	struct sample_published pub[512];
	size_t npub;
};

UNUSED static void journal_add(void *arg, const struct sample_record *r)
{
	struct journal *j = arg;

	if (j->n == j->cap) {
		j->cap = j->cap ? 2 * j->cap : 1024;
		j->rec = realloc(j->rec, j->cap * sizeof(*j->rec));
		assert_non_null(j->rec);
	}
	j->rec[j->n] = *r;
	if (r->open) {
		struct sample_open *o = malloc(sizeof(*o));

		assert_non_null(o);
		*o = *r->open;
		j->rec[j->n].open = o;
	}
	j->n++;
}

UNUSED static void journal_free(struct journal *j)
{
	for (size_t i = 0; i < j->n; i++)
		free((void *)(uintptr_t)j->rec[i].open);
	free(j->rec);
	memset(j, 0, sizeof(*j));
}

UNUSED static struct sample *sampler(struct journal *j, bool late)
{
	struct sample_config cfg = { .late_seeds = late, .random = test_random };
	struct sample *s;

	if (j) {
		cfg.record = journal_add;
		cfg.record_arg = j;
	}
	assert_int_equal(sample_new(&cfg, &s), 0);
	return s;
}

UNUSED static void save(struct sample *s, struct buf *b)
{
	uint64_t gen;

	buf_reset(b);
	assert_int_equal(sample_save(s, b, &gen), 0);
	sample_saved(s, gen);
}

/* What the daemon does every hour. */
UNUSED static void publish(struct sample *s, struct journal *j, uint64_t now)
{
	struct sample_seed_event e;
	struct buf b = { 0 };

	assert_int_equal(sample_tick(s, now), 0);
	save(s, &b);
	buf_free(&b);
	while (sample_seed_next(s, &e)) {
		struct sample_published *p = NULL;

		for (size_t i = 0; j && i < j->npub; i++)
			if (j->pub[i].day == e.day)
				p = &j->pub[i];
		if (j && !p) {
			assert_true(j->npub < 512);
			p = &j->pub[j->npub++];
			*p = (struct sample_published){ .day = e.day };
		}
		if (p && !e.reveal) {
			p->has_hash = true;
			p->hash_ns = now;
			memcpy(p->hash, e.value, 32);
		} else if (p) {
			p->has_seed = true;
			p->seed_ns = now;
			memcpy(p->seed, e.value, 32);
		}
		assert_int_equal(sample_seed_done(s, &e, now), 0);
		assert_int_equal(sample_seed_done(s, &e, now), -ENOENT);
	}
}

UNUSED static struct sample_rule rule(int permille, int n, enum policy_cap_per per)
{
	struct sample_rule r;

	memset(&r, 0, sizeof(r));
	r.id[0] = 1;
	strcpy(r.zone, "UTC");
	r.permille = permille;
	r.cap[r.ncap++] = (struct policy_cap){ n, per, POLICY_OF_RULE };
	r.use_target_percent = 80;
	r.throttle_percent = 125;
	r.use_floor = 1000000; /* low use lowers nothing, except where a test says so */
	return r;
}

UNUSED static struct sample_result draw_as(struct sample *s, const struct sample_rule *r, uint64_t now, const char *agent)
{
	struct sample_input in = { .rule = r, .now_ns = now };
	struct sample_result res;
	char id[40];

	in.call_id.n = (size_t)snprintf(id, sizeof(id), "%016llx@example.test", (unsigned long long)rnd());
	in.call_id.p = id;
	in.agent.p = agent;
	in.agent.n = agent ? strlen(agent) : 0;
	sample_draw(s, &in, &res);
	assert_int_equal(res.in, res.why == SAMPLE_IN);
	assert_int_equal(res.in, res.slot != 0);
	return res;
}

UNUSED static struct sample_result draw(struct sample *s, const struct sample_rule *r, uint64_t now)
{
	return draw_as(s, r, now, NULL);
}

/* A new process with these bytes. */
UNUSED static struct sample *reload(struct sample *s, const struct buf *b, struct journal *j)
{
	sample_free(s);
	s = sampler(j, false);
	assert_int_equal(sample_load(s, b->p, b->len), 0);
	return s;
}

/* n calls at random times from..to (seconds of the day), in order. By hour how many were in. */
UNUSED static unsigned busy_day(struct sample *s, const struct sample_rule *r, struct journal *j, int32_t day, unsigned n,
			 unsigned from, unsigned to, unsigned by_hour[24])
{
	uint64_t start = (uint64_t)day * DAY, t = start + from * SEC, step = (uint64_t)(to - from) * SEC / n;
	unsigned in = 0;

	publish(s, j, start + HOUR);
	for (unsigned i = 0; i < n; i++, t += step) {
		uint64_t at = t + rnd() % step;
		struct sample_result res = draw(s, r, at);

		in += res.in;
		if (res.in)
			assert_int_equal(sample_spend(s, res.slot), 0);
		if (res.in && by_hour)
			by_hour[(at - start) / HOUR]++;
	}
	return in;
}

/* Hashes for the first day are out. */
UNUSED static struct sample *ready(struct journal *j, int32_t day)
{
	struct sample *s = sampler(j, false);

	publish(s, j, (uint64_t)(day - 1) * DAY + HOUR);
	return s;
}

/* |in - n p| within 4 standard deviations, without a square root. */
UNUSED static bool within4(unsigned in, unsigned n, double p)
{
	double d = in - n * p;

	return d * d <= 16 * n * p * (1 - p);
}

UNUSED static uint64_t at(const char *text)
{
	uint64_t ns;

	assert_int_equal(clock_parse(text, &ns), 0);
	return ns;
}

UNUSED static unsigned try_n(struct sample *s, const struct sample_rule *r, const char *when, int n)
{
	unsigned in = 0;

	while (n--)
		in += draw(s, r, at(when)).in;
	return in;
}

struct faults {
	size_t n, first;
	unsigned seen; /* 1 << fault */
};

UNUSED static void on_fault(void *arg, size_t index, enum sample_fault f)
{
	struct faults *l = arg;

	if (!l->n++)
		l->first = index;
	l->seen |= 1U << f;
	assert_true(strlen(sample_fault_text(f)) > 0);
}

UNUSED static int recompute(const struct journal *j, struct faults *l, struct sample_sums *sums)
{
	memset(l, 0, sizeof(*l));
	return sample_recompute(j->pub, j->npub, j->rec, j->n, on_fault, l, sums);
}

UNUSED static int setup(void **state)
{
	const char *seed = getenv("SAMPLE_TEST_SEED"); /* another one for a longer hunt */

	(void)state;
	rnd_state = seed ? strtoull(seed, NULL, 0) : 1;
	return 0;
}

#endif
