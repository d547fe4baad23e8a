/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_sample_try.c - past calls drawn again: as the sampler drew them, and what other settings
 * change
 *
 * The sampler itself makes the past: days of calls with caps by rule, agent and queue, slots that
 * go back, use, a restart from an older state. sample_try goes over its records.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "call/sample_internal.h"
#include "call/sample_try.h"

#define T0   1795000000ULL /* 2026-11-18 11:06:40 UTC */
#define RECS 200000

static uint32_t rng;

static uint32_t rnd(void)
{
	rng = rng * 1664525 + 1013904223;
	return rng >> 8;
}

static void fill(void *arg, void *buf, size_t n)
{
	(void)arg;
	for (size_t i = 0; i < n; i++)
		((uint8_t *)buf)[i] = (uint8_t)rnd();
}

struct past {
	struct sample_record *rec;
	struct sample_open *open;
	size_t n, nopen;
	struct sample_published pub[64];
	size_t npub;
};

static void keep(void *arg, const struct sample_record *r)
{
	struct past *p = arg;

	assert_true(p->n < RECS);
	p->rec[p->n] = *r;
	if (r->open) {
		p->open[p->nopen] = *r->open;
		p->rec[p->n].open = &p->open[p->nopen++];
	}
	p->n++;
}

static void publish(struct past *p, struct sample *s, uint64_t now)
{
	struct sample_seed_event e;
	struct buf b = {0};
	uint64_t gen;

	assert_int_equal(sample_tick(s, now), 0);
	assert_int_equal(sample_save(s, &b, &gen), 0);
	sample_saved(s, gen);
	buf_free(&b);
	while (sample_seed_next(s, &e)) {
		struct sample_published *q = NULL;

		for (size_t i = 0; i < p->npub; i++)
			if (p->pub[i].day == e.day)
				q = &p->pub[i];
		if (!q) {
			q = &p->pub[p->npub++];
			*q = (struct sample_published){.day = e.day};
		}
		memcpy(e.reveal ? q->seed : q->hash, e.value, SAMPLE_SEED);
		*(e.reveal ? &q->has_seed : &q->has_hash) = true;
		assert_int_equal(sample_seed_done(s, &e, now), 0);
	}
}

static struct sample_rule set_of(unsigned which, int permille, int day, int agent)
{
	struct sample_rule r = {.zone = "Europe/Copenhagen",
				.permille = permille,
				.use_target_percent = 80,
				.throttle_percent = 125,
				.use_floor = 2};

	r.id[0] = (uint8_t)(which + 1);
	r.cap[r.ncap++] = (struct policy_cap){day, POLICY_PER_DAY, POLICY_OF_RULE};
	if (agent)
		r.cap[r.ncap++] = (struct policy_cap){agent, POLICY_PER_WEEK, POLICY_OF_AGENT};
	if (which == 1)
		r.cap[r.ncap++] = (struct policy_cap){9, POLICY_PER_HOUR, POLICY_OF_QUEUE};
	return r;
}

/* days of about a thousand calls of two rules; halfway the sampler dies and comes back with an
 * older state. */
static void make(struct past *p, unsigned days)
{
	struct sample_config cfg = {
		.late_seeds = true, .random = fill, .record = keep, .record_arg = p};
	struct sample_rule set[2] = {set_of(0, 100, 40, 3), set_of(1, 300, 25, 0)};
	struct sample *s = NULL;
	struct buf state = {0};
	uint64_t slot[64] = {0}, gen, t = T0;
	unsigned calls = 0;

	p->rec = calloc(RECS, sizeof(*p->rec));
	p->open = calloc(4096, sizeof(*p->open));
	assert_int_equal(sample_new(&cfg, &s), 0);
	while (t < T0 + days * 86400ULL) {
		struct sample_input in = {.rule = &set[rnd() % 3 == 0], .now_ns = t * NS_PER_S};
		char id[32], agent[8], queue[8];
		struct sample_result res;
		unsigned k = rnd() % 64;

		if (calls % 50 == 0)
			publish(p, s, in.now_ns);
		snprintf(id, sizeof(id), "%u@test", calls++);
		snprintf(agent, sizeof(agent), "a%u", rnd() % 12);
		snprintf(queue, sizeof(queue), "q%u", rnd() % 3);
		in.call_id = (struct policy_str){id, strlen(id)};
		if (rnd() % 10)
			in.agent = (struct policy_str){agent, strlen(agent)};
		in.queue = (struct policy_str){queue, strlen(queue)};
		sample_draw(s, &in, &res);
		if (slot[k])
			(void)(rnd() % 3 ? sample_spend(s, slot[k]) : sample_release(s, slot[k]));
		slot[k] = res.slot;
		if (rnd() % 200 == 0)
			assert_int_equal(sample_note_use(s, in.rule->id, 1), 0);
		if (calls == 900 * days / 2) {
			state.len = 0;
			assert_int_equal(sample_save(s, &state, &gen), 0);
		}
		if (calls == 900 * days / 2 + 7) { /* seven draws never became durable */
			sample_free(s);
			assert_int_equal(sample_new(&cfg, &s), 0);
			assert_int_equal(sample_load(s, state.p, state.len), 0);
			(void)sample_settle(s);
			memset(slot, 0, sizeof(slot));
		}
		t += 30 + rnd() % 130;
	}
	sample_free(s);
	buf_free(&state);
}

static void unmake(struct past *p)
{
	free(p->rec);
	free(p->open);
	memset(p, 0, sizeof(*p));
}

struct outcome {
	size_t draws, in, differ, pseudo, crashed;
};

/* Draws that a crash took back are not looked at: their events were never logged. */
static bool taken_back(const struct past *p, size_t i)
{
	for (size_t k = i + 1; k < p->n; k++)
		if (!memcmp(p->rec[k].rule, p->rec[i].rule, SAMPLE_ID) &&
		    p->rec[k].seq <= p->rec[i].seq)
			return true;
	return false;
}

static struct outcome again(const struct past *p, const struct sample_rule set[2], size_t npub,
			    size_t fixed)
{
	uint64_t *slot = calloc(p->n, sizeof(*slot));
	struct sample_try *t = NULL;
	struct outcome o = {0};

	assert_int_equal(sample_try_new(p->pub, npub, &t), 0);
	for (size_t i = 0; i < p->n; i++) {
		const struct sample_record *r = &p->rec[i];
		const struct sample_rule *s = &set[r->rule[0] - 1];
		struct sample_try_call c = {
			.set = s, .time_ns = r->time_ns, .was = r, .fixed = i < fixed};
		struct sample_try_result res;

		if (r->kind == SAMPLE_R_OPEN) {
			assert_int_equal(sample_try_open(t, s, r), 0);
		} else if (r->kind == SAMPLE_R_USE) {
			sample_try_use(t, r->rule, (uint32_t)r->of);
		} else if (r->kind == SAMPLE_R_RELEASE) {
			for (size_t k = i; k-- > 0;)
				if (p->rec[k].kind == SAMPLE_R_DRAW && p->rec[k].seq == r->of &&
				    !memcmp(p->rec[k].rule, r->rule, SAMPLE_ID)) {
					sample_try_release(t, slot[k]);
					break;
				}
		} else if (taken_back(p, i)) {
			o.crashed++;
		} else {
			memcpy(c.call, r->call, SAMPLE_ID);
			assert_int_equal(sample_try_draw(t, &c, &res), 0);
			slot[i] = res.slot;
			o.draws++;
			o.in += res.why == SAMPLE_IN;
			o.pseudo += res.pseudo;
			if (res.why != r->why ||
			    (!c.fixed && (res.draw != r->draw || res.threshold != r->threshold)))
				o.differ++;
			assert_true(!res.slot == (res.why != SAMPLE_IN));
		}
	}
	sample_try_free(t);
	free(slot);
	return o;
}

static void test_as_it_was(void **state)
{
	struct sample_rule set[2] = {set_of(0, 100, 40, 3), set_of(1, 300, 25, 0)};
	struct past p = {0};
	struct outcome o;

	(void)state;
	rng = 1;
	make(&p, 9);
	o = again(&p, set, p.npub, 0);
	assert_true(o.draws > 5000 && o.in > 100 && o.crashed > 0);
	assert_int_equal(o.differ, 0);
	assert_int_equal(o.pseudo, 0);
	/* without the seeds: by the draws as recorded */
	o = again(&p, set, 0, 0);
	assert_int_equal(o.differ, 0);
	assert_int_equal(o.pseudo, 0);
	/* a seed that is not the one whose hash was published draws nothing */
	for (size_t i = 0; i < p.npub; i++)
		p.pub[i].seed[0] ^= 1;
	assert_int_equal(again(&p, set, p.npub, 0).differ, 0);
	unmake(&p);
}

static void test_other_settings(void **state)
{
	struct sample_rule as_it_was[2] = {set_of(0, 100, 40, 3), set_of(1, 300, 25, 0)}, set[2];
	struct past p = {0};
	size_t was, other;

	(void)state;
	rng = 2;
	make(&p, 6);
	was = again(&p, as_it_was, p.npub, 0).in;
	memcpy(set, as_it_was, sizeof(set));
	set[0].permille = 20;
	other = again(&p, set, p.npub, 0).in;
	assert_true(other < was);
	set[0].permille = 0;
	set[1].permille = 0;
	assert_int_equal(again(&p, set, p.npub, 0).in, 0);
	memcpy(set, as_it_was, sizeof(set));
	set[0].cap[0].n = 1;
	set[1].cap[0].n = 1;
	other = again(&p, set, p.npub, 0).in;
	assert_true(
		other > 0 &&
		other <= 2 * (6 + 1) +
				 was / 3); /* released slots are drawn again; no more than that */
	/* what is fixed stays, whatever the settings */
	set[0].permille = set[1].permille = 0;
	assert_int_equal(again(&p, set, p.npub, p.n).differ, 0);
	/* another name draws otherwise, and by pseudo-seeds where no seed is public */
	assert_int_equal(again(&p, as_it_was, p.npub, p.n / 2).differ, 0);
	unmake(&p);
}

/* A rule that nobody drew for: the share is about right, and never more than the cap. */
static void test_new_rule(void **state)
{
	struct sample_rule set = set_of(7, 100, 1000, 0);
	struct sample_try_figures f;
	struct sample_try *t;
	unsigned in = 0;

	(void)state;
	assert_int_equal(sample_try_new(NULL, 0, &t), 0);
	set.first_come = true;
	for (unsigned i = 0; i < 8000; i++) {
		struct sample_try_call c = {.set = &set, .time_ns = (T0 + i) * NS_PER_S};
		struct sample_try_result res;

		memcpy(c.call, &i, sizeof(i));
		assert_int_equal(sample_try_draw(t, &c, &res), 0);
		assert_true(res.pseudo);
		in += res.why == SAMPLE_IN;
	}
	assert_true(in > 680 && in < 920); /* 800, four deviations */
	assert_int_equal(sample_try_figures(t, set.id, &f), 0);
	assert_true(f.most[POLICY_PER_DAY] <= 1000);
	assert_int_equal(f.throttled_day, 0);
	assert_true(sample_try_figures(t, (const uint8_t[SAMPLE_ID]){9}, &f) < 0);
	sample_try_free(t);
}

/* Recorded and never used: a week after the first day the cap is the floor (N-50). */
static void test_throttle(void **state)
{
	struct sample_rule set = set_of(7, 1000, 30, 0);
	struct sample_try_figures f;
	struct sample_try *t;
	unsigned in[9] = {0};

	(void)state;
	assert_int_equal(sample_try_new(NULL, 0, &t), 0);
	set.first_come = true;
	for (unsigned i = 0; i < 900; i++) {
		struct sample_try_call c = {.set = &set,
					    .time_ns = (T0 + i / 100 * 86400 + i % 100) * NS_PER_S};
		struct sample_try_result res;

		memcpy(c.call, &i, sizeof(i));
		assert_int_equal(sample_try_draw(t, &c, &res), 0);
		in[i / 100] += res.why == SAMPLE_IN;
	}
	assert_int_equal(in[0], 30);
	assert_int_equal(in[7], 30);
	assert_int_equal(in[8], 2);
	assert_int_equal(sample_try_figures(t, set.id, &f), 0);
	assert_int_equal(f.throttled_day, f.first_day + 8);
	assert_int_equal(f.limit[POLICY_PER_DAY], 2);
	sample_try_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_as_it_was),
		cmocka_unit_test(test_other_settings),
		cmocka_unit_test(test_new_rule),
		cmocka_unit_test(test_throttle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
