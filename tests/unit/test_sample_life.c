/* SPDX-License-Identifier: BSD-2-Clause */
/* test_sample_life.c - crashes, restarts, clocks, seeds and new settings of the sampler */
#include "sample_util.h"

#include <sodium.h>

#include "base/le.h"

/* ---- crashes ---- */

/*
 * A call records only when its slot is durable. The process dies anywhere: between draw and save, after it, with calls
 * in progress. Whatever happens no more than the cap record in a day and in an hour.
 */
static void test_kill(void **state)
{
	struct sample_rule r = rule(1000, 40, POLICY_PER_DAY);

	(void)state;
	r.cap[r.ncap++] = (struct policy_cap){ 9, POLICY_PER_HOUR, POLICY_OF_RULE };
	r.cap[r.ncap++] = (struct policy_cap){ 11, POLICY_PER_DAY, POLICY_OF_AGENT };
	for (int round = 0; round < 60; round++) {
		struct sample *s = ready(NULL, NDAY);
		unsigned day = 0, hour = 0, kills = 0, agent[4] = { 0 };
		struct buf disk = { 0 };

		r.first_come = round & 1;
		save(s, &disk);
		for (unsigned i = 0; i < 600; i++) {
			uint64_t t = (uint64_t)NDAY * DAY + i * 144 * SEC;
			unsigned who = (unsigned)(rnd() % 4);
			char name[2] = { (char)('a' + who), 0 };
			struct sample_result res = draw_as(s, &r, t, name);

			if (i % 25 == 0)
				hour = 0;
			if (rnd() % 3)
				save(s, &disk);
			if (res.in && sample_durable(s, res.slot)) {
				day++;
				hour++;
				agent[who]++;
				assert_true(day <= 40 && hour <= 9 && agent[who] <= 11);
				if (rnd() % 8 == 0) {
					/* ended without audio */
					assert_int_equal(sample_release(s, res.slot), 0);
					day--;
					hour--;
					agent[who]--;
				}
			}
			if (rnd() % 40 == 0) {
				s = reload(s, &disk, NULL);
				kills++;
				if (rnd() % 2)
					(void)sample_settle(s);
			}
		}
		assert_true(day > 0 && kills > 0);
		buf_free(&disk);
		sample_free(s);
	}
}

static void test_takeover(void **state)
{
	struct sample *s = ready(NULL, NDAY);
	struct sample_rule r = rule(1000, 2, POLICY_PER_DAY);
	struct sample_input in = { .rule = &r, .now_ns = (uint64_t)NDAY * DAY + HOUR, .call_id = { "one", 3 } };
	struct sample_result one, two;
	struct buf b = { 0 };
	uint8_t call[SAMPLE_ID];

	(void)state;
	r.first_come = true;
	sample_draw(s, &in, &one);
	in.call_id.p = "two";
	sample_draw(s, &in, &two);
	assert_true(one.in && two.in);
	assert_false(sample_durable(s, one.slot));
	assert_true(sample_unsaved(s));
	save(s, &b);
	assert_true(sample_durable(s, one.slot));
	assert_false(sample_unsaved(s));
	s = reload(s, &b, NULL);
	sample_call_hash("one", 3, call);
	assert_int_equal(sample_claim(s, one.slot, call), 0);
	assert_int_equal(sample_claim(s, one.slot, call), -EALREADY); /* one slot is one call */
	assert_int_equal(sample_claim(s, two.slot, call), -EINVAL);
	assert_int_equal(sample_claim(s, one.slot + 1, call), -ENOENT);
	assert_int_equal(sample_settle(s), 1);
	assert_int_equal(sample_release(s, two.slot), -ENOENT);
	assert_false(draw(s, &r, in.now_ns).in); /* the one that nobody claimed is spent */
	assert_int_equal(sample_release(s, one.slot), 0);
	assert_true(draw(s, &r, in.now_ns).in);
	assert_false(draw(s, &r, in.now_ns).in);
	buf_free(&b);
	sample_free(s);
}

static void test_state(void **state)
{
	struct sample *s = ready(NULL, NDAY), *t;
	struct sample_rule r = rule(1000, 30, POLICY_PER_WEEK);
	struct buf b = { 0 }, c = { 0 };

	(void)state;
	r.first_come = true;
	r.cap[r.ncap++] = (struct policy_cap){ 6, POLICY_PER_MONTH, POLICY_OF_AGENT };
	for (int i = 0; i < 5; i++)
		(void)draw_as(s, &r, (uint64_t)NDAY * DAY + HOUR, i & 1 ? "x" : "y");
	save(s, &b);
	t = sampler(NULL, false);
	for (size_t n = 0; n < b.len; n++) {
		assert_int_equal(sample_load(t, b.p, n), -EBADMSG);
		b.p[n] ^= 0x10;
		assert_int_equal(sample_load(t, b.p, b.len), -EBADMSG);
		b.p[n] ^= 0x10;
	}
	assert_int_equal(sample_load(t, b.p, b.len), 0);
	assert_int_equal(sample_slots(t), 5);
	save(t, &c);
	assert_int_equal(c.len, b.len);
	assert_int_equal(sample_load(t, b.p, b.len), -EBUSY); /* it is not new any more */
	sample_free(t);
	sample_free(s);

	/* Lost: full until the month, and so the week, is over; a new month draws again. */
	s = ready(NULL, NDAY);
	sample_lost(s, (uint64_t)NDAY * DAY);
	assert_int_equal(draw(s, &r, (uint64_t)NDAY * DAY + HOUR).why, SAMPLE_OUT_CAP);
	publish(s, NULL, (uint64_t)(NDAY + 6) * DAY);
	assert_int_equal(draw(s, &r, (uint64_t)(NDAY + 7) * DAY).why, SAMPLE_OUT_AGENT);
	publish(s, NULL, (uint64_t)(NDAY + 12) * DAY);
	assert_int_equal(draw(s, &r, (uint64_t)(NDAY + 13) * DAY).why, SAMPLE_IN);
	sample_free(s);
	buf_free(&b);
	buf_free(&c);
}

/* ---- clocks ---- */

static void test_clock(void **state)
{
	struct sample *s = ready(NULL, NDAY);
	struct sample_rule r = rule(1000, 3, POLICY_PER_DAY);
	uint64_t t = (uint64_t)NDAY * DAY + 12 * HOUR;
	unsigned in = 0;

	(void)state;
	r.first_come = true;
	r.cap[r.ncap++] = (struct policy_cap){ 2, POLICY_PER_HOUR, POLICY_OF_RULE };
	for (int i = 0; i < 5; i++)
		in += draw(s, &r, t).in;
	assert_int_equal(in, 2);
	for (int i = 0; i < 100; i++) /* back by up to ten days */
		in += draw(s, &r, t - rnd() % (10 * DAY)).in;
	assert_int_equal(in, 2);
	for (int i = 0; i < 100; i++) /* a year ahead: no seed, and nothing is opened by it */
		assert_int_equal(draw(s, &r, t + 365 * DAY).why, SAMPLE_OUT_SEED);
	for (int i = 0; i < 5; i++)
		in += draw(s, &r, t + HOUR).in;
	assert_int_equal(in, 3);
	publish(s, NULL, t + HOUR);
	for (int i = 0; i < 5; i++) /* tomorrow, then back: stays in tomorrow */
		in += draw(s, &r, t + DAY).in;
	assert_int_equal(in, 5);
	for (int i = 0; i < 5; i++)
		in += draw(s, &r, t + 2 * HOUR).in;
	assert_int_equal(in, 5);
	sample_free(s);
}

static void test_dst(void **state)
{
	struct sample *s = sampler(NULL, false);
	struct sample_rule r = rule(1000, 2, POLICY_PER_HOUR), d = rule(1000, 2, POLICY_PER_DAY);

	(void)state;
	strcpy(r.zone, "Europe/Copenhagen");
	strcpy(d.zone, "Europe/Copenhagen");
	r.first_come = d.first_come = true;
	d.id[0] = 2;
	publish(s, NULL, at("2026-10-23T12:00:00Z"));
	publish(s, NULL, at("2026-10-24T12:00:00Z"));
	assert_int_equal(try_n(s, &d, "2026-10-24T21:59:59Z", 3), 2); /* 23:59:59 on the 24th */
	assert_int_equal(try_n(s, &d, "2026-10-24T22:00:00Z", 3), 2); /* midnight */
	assert_int_equal(try_n(s, &r, "2026-10-25T00:10:00Z", 3), 2); /* 02:10 summer time */
	assert_int_equal(try_n(s, &r, "2026-10-25T01:10:00Z", 3), 0); /* 02:10 once more, the same hour */
	assert_int_equal(try_n(s, &r, "2026-10-25T02:10:00Z", 3), 2); /* 03:10 */
	assert_int_equal(try_n(s, &d, "2026-10-25T22:59:59Z", 3), 0); /* the 25 hours' last second */
	publish(s, NULL, at("2026-10-25T12:00:00Z"));
	assert_int_equal(try_n(s, &d, "2026-10-25T23:00:00Z", 3), 2);
	publish(s, NULL, at("2027-03-26T12:00:00Z"));
	publish(s, NULL, at("2027-03-27T12:00:00Z"));
	assert_int_equal(try_n(s, &r, "2027-03-28T00:59:00Z", 3), 2); /* 01:59 */
	assert_int_equal(try_n(s, &r, "2027-03-28T01:00:00Z", 3), 2); /* 03:00 */
	assert_int_equal(try_n(s, &d, "2027-03-28T21:59:59Z", 3), 2); /* 23 hours */
	publish(s, NULL, at("2027-03-28T12:00:00Z"));
	assert_int_equal(try_n(s, &d, "2027-03-28T22:00:00Z", 3), 2);
	/* a zone changed back and forth opens no day a second time */
	strcpy(d.zone, "Pacific/Auckland");
	assert_int_equal(try_n(s, &d, "2027-03-28T22:30:00Z", 3), 0);
	strcpy(d.zone, "America/New_York");
	assert_int_equal(try_n(s, &d, "2027-03-28T22:31:00Z", 3), 0);
	sample_free(s);
}

/* ---- seeds ---- */

static void test_seeds(void **state)
{
	struct sample *s = sampler(NULL, false);
	struct sample_rule r = rule(1000, 1000, POLICY_PER_DAY);
	struct sample_seed_event e;
	uint64_t noon = (uint64_t)NDAY * DAY + 12 * HOUR;
	struct buf b = { 0 };
	uint8_t hash[32];

	(void)state;
	assert_false(sample_seed_next(s, &e));
	assert_int_equal(sample_tick(s, noon), 0);
	assert_false(sample_seed_next(s, &e)); /* not on disk yet */
	save(s, &b);
	assert_true(sample_seed_next(s, &e));
	assert_false(e.reveal);
	assert_int_equal(draw(s, &r, noon + DAY).why, SAMPLE_OUT_SEED); /* made in time, but nobody could read its hash */
	publish(s, NULL, noon);
	assert_int_equal(draw(s, &r, noon).why, SAMPLE_OUT_SEED); /* the day it was installed */
	assert_true(draw(s, &r, noon + DAY).in);
	/* a draw's day is not revealed before it is over everywhere */
	assert_int_equal(sample_tick(s, noon + DAY + 23 * HOUR), 0);
	save(s, &b);
	while (sample_seed_next(s, &e) && !e.reveal)
		assert_int_equal(sample_seed_done(s, &e, noon + DAY + 23 * HOUR), 0);
	assert_true(!e.reveal || e.day < NDAY + 1);
	assert_int_equal(sample_tick(s, noon + 2 * DAY), 0);
	assert_int_equal(draw(s, &r, noon + DAY).why, SAMPLE_OUT_SEED); /* due to be public: no more draws */
	save(s, &b);
	s = reload(s, &b, NULL);
	assert_int_equal(draw(s, &r, noon + DAY).why, SAMPLE_OUT_SEED);
	for (bool found = false; sample_seed_next(s, &e);) {
		if (e.reveal) {
			found |= e.day == NDAY + 1;
			sample_seed_hash(e.value, hash);
			assert_true(hash[0] || hash[1] || hash[2]);
			assert_false(e.unused);
		}
		assert_int_equal(sample_seed_done(s, &e, noon + 2 * DAY), 0);
		if (found)
			break;
	}
	assert_int_equal(draw(s, &r, noon + DAY).why, SAMPLE_OUT_SEED);
	buf_free(&b);
	sample_free(s);
}

/* What a crash kept from being saved comes back from the log; days whose hash is not ours have no draws. */
static void test_seeds_log(void **state)
{
	uint64_t noon = (uint64_t)NDAY * DAY + 12 * HOUR;
	struct sample_rule r = rule(1000, 1000, POLICY_PER_DAY);
	struct sample *s = sampler(NULL, false);
	struct sample_seed_event log[8], e;
	struct buf b = { 0 };
	unsigned n = 0, again = 0;

	(void)state;
	r.first_come = true;
	assert_int_equal(sample_tick(s, noon), 0);
	save(s, &b);
	for (; sample_seed_next(s, &log[n]); n++) {
		assert_true(n < 7 && !log[n].reveal);
		assert_int_equal(sample_seed_done(s, &log[n], noon), 0);
	}
	assert_true(n >= 2);
	for (int lost = 0; lost < 2; lost++) {
		if (lost) {
			sample_free(s);
			s = sampler(NULL, false);
		} else {
			s = reload(s, &b, NULL);
			assert_true(sample_seed_next(s, &e)); /* it would come twice */
		}
		for (unsigned i = 0; i < n; i++)
			assert_int_equal(sample_seed_seen(s, &log[i], noon), 0);
		assert_int_equal(sample_tick(s, noon + HOUR), 0);
		assert_false(sample_seed_next(s, &e));
		assert_int_equal(draw(s, &r, noon + DAY).why, lost ? SAMPLE_OUT_SEED : SAMPLE_IN);
	}
	/* the days after are as always */
	publish(s, NULL, noon + DAY);
	publish(s, NULL, noon + 2 * DAY);
	assert_true(draw(s, &r, noon + 3 * DAY).in);

	/* A clock a year ahead: its days are revealed as unused and get no second seed, its own days still come. */
	publish(s, NULL, noon + 365 * DAY);
	assert_int_equal(sample_tick(s, noon + 3 * DAY), 0);
	save(s, &b);
	for (again = 0; sample_seed_next(s, &e); again += e.reveal && e.unused)
		assert_int_equal(sample_seed_done(s, &e, noon + 3 * DAY), 0);
	assert_true(again >= 2);
	assert_int_equal(draw(s, &r, noon + 3 * DAY).why, SAMPLE_OUT_SEED);
	publish(s, NULL, noon + 363 * DAY);
	publish(s, NULL, noon + 364 * DAY);
	assert_true(draw(s, &r, noon + 365 * DAY).in); /* had begun already by that clock */
	publish(s, NULL, noon + 365 * DAY);
	assert_int_equal(draw(s, &r, noon + 366 * DAY).why, SAMPLE_OUT_SEED);
	publish(s, NULL, noon + 366 * DAY);
	publish(s, NULL, noon + 367 * DAY);
	assert_true(draw(s, &r, noon + 368 * DAY).in);
	buf_free(&b);
	sample_free(s);
}

/* New settings under the same name: what was counted stays; another name is another rule. */
static void test_swap(void **state)
{
	struct sample *s = ready(NULL, NDAY);
	struct sample_rule r = rule(1000, 10, POLICY_PER_DAY);
	uint64_t t = (uint64_t)NDAY * DAY + HOUR;
	unsigned in = 0;

	(void)state;
	r.first_come = true;
	for (int i = 0; i < 7; i++)
		in += draw(s, &r, t).in;
	assert_int_equal(in, 7);
	r.cap[0].n = 5;
	assert_int_equal(draw(s, &r, t).why, SAMPLE_OUT_CAP);
	r.cap[0].per = POLICY_PER_WEEK; /* counted in all periods, also where there was no cap */
	assert_int_equal(draw(s, &r, t).why, SAMPLE_OUT_CAP);
	r.cap[0].n = 8;
	assert_true(draw(s, &r, t).in);
	assert_int_equal(draw(s, &r, t).why, SAMPLE_OUT_CAP);
	r.permille = -1;
	assert_int_equal(draw(s, &r, t).why, SAMPLE_OUT_SETTINGS);
	r.permille = 1000;
	r.ncap = 0;
	assert_int_equal(draw(s, &r, t).why, SAMPLE_OUT_SETTINGS);
	r.ncap = 1;
	strcpy(r.zone, "Nowhere/Never");
	assert_int_equal(draw(s, &r, t).why, SAMPLE_OUT_SETTINGS);
	strcpy(r.zone, "UTC");
	r.id[0]++;
	assert_true(draw(s, &r, t).in);
	r.permille = 0;
	assert_int_equal(draw(s, &r, t).why, SAMPLE_OUT_DRAW);
	sample_free(s);
}

/* A state as programs wrote it before rules had a grace. */
static void test_load_before_grace(void **state)
{
	struct sample_rule r = rule(1000, 40, POLICY_PER_DAY);
	struct sample *s = ready(NULL, NDAY), *t = sampler(NULL, false);
	struct buf b = { 0 }, again = { 0 };
	size_t at;

	(void)state;
	r.first_come = true;
	r.grace = 4;
	assert_int_equal(busy_day(s, &r, NULL, NDAY, 100, 0, 80000, NULL), 40);
	save(s, &b);
	assert_memory_equal(b.p, "OPTSMP2\n", 8);
	at = 60 + 4 + le32dec(b.p + 60) * 45 + 4 + SAMPLE_ID + SAMPLE_ZONE + 5 + 6 + 1 + 12; /* behind the floor of the only rule */
	assert_int_equal(b.p[at], 4);
	memmove(b.p + at, b.p + at + 1, b.len - at - 1);
	b.len -= 1 + 16;
	b.p[6] = '1';
	assert_int_equal(crypto_generichash(b.p + b.len, 16, b.p, b.len, NULL, 0), 0);
	b.len += 16;
	assert_int_equal(sample_load(t, b.p, b.len), 0);
	save(t, &again);
	assert_int_equal(again.len, b.len + 1);
	assert_int_equal(again.p[at], 0);
	assert_int_equal(draw(t, &r, (uint64_t)NDAY * DAY + 23 * HOUR).why, SAMPLE_OUT_CAP); /* what was given out counts */
	buf_free(&b);
	buf_free(&again);
	sample_free(s);
	sample_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_load_before_grace, setup),
		cmocka_unit_test_setup(test_kill, setup),
		cmocka_unit_test_setup(test_takeover, setup),
		cmocka_unit_test_setup(test_state, setup),
		cmocka_unit_test_setup(test_clock, setup),
		cmocka_unit_test_setup(test_dst, setup),
		cmocka_unit_test_setup(test_seeds, setup),
		cmocka_unit_test_setup(test_swap, setup),
		cmocka_unit_test_setup(test_seeds_log, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
