/* SPDX-License-Identifier: BSD-2-Clause */
/* test_sample.c - draws and caps, by simulated days */
#include <pthread.h>
#include <stdatomic.h>

#include "sample_util.h"

/* ---- the draw ---- */

static void from_hex(const char *hex, uint8_t *out, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		unsigned v;

		assert_int_equal(sscanf(hex + 2 * i, "%2x", &v), 1);
		out[i] = (uint8_t)v;
	}
}

/* Figures of Python's hashlib.blake2b, as the header says. */
static void test_formula(void **state)
{
	struct policy_controller c = { .name = "acme", .timezone = "Europe/Copenhagen" };
	struct policy_rule pr = { .name = "sales", .controller = &c };
	struct policy_block *b = &pr.purpose[POLICY_TRAINING];
	uint8_t seed[32], want[32], got[32];
	struct sample_rule r;
	char text[16];

	static const struct {
		struct policy_span span;
		uint8_t grace;
	} within[] = {
		{ { 30, POLICY_U_DAYS }, 0 }, { { 7, POLICY_U_DAYS }, 0 }, { { 6, POLICY_U_DAYS }, 6 }, { { 1, POLICY_U_DAYS }, 1 },
		{ { 1, POLICY_U_MONTHS }, 0 }, { { 47, POLICY_U_H }, 1 }, { { 200, POLICY_U_H }, 0 }, { { 48, POLICY_U_H }, 2 },
		{ { 90, POLICY_U_MIN }, 1 }, { { 0, POLICY_U_DAYS }, 0 },
	};
	(void)state;
	for (int i = 0; i < 32; i++)
		seed[i] = (uint8_t)(100 + i);
	sample_call_hash("abc@example.test", 16, got);
	from_hex("6465909c2597fa3dc1d39799abea1249", want, 16);
	assert_memory_equal(got, want, 16);
	sample_seed_hash(seed, got);
	from_hex("bdf247bd6df2c3a6221495642ab49d842aa5d1f2f2ffc9d76d13f96733d61889", want, 32);
	assert_memory_equal(got, want, 32);
	sample_day_text(20781, text);
	assert_string_equal(text, "2026-11-24");

	assert_int_equal(sample_rule_init(&pr, &r), -EINVAL);
	b->basis = POLICY_B_INTEREST;
	b->sample_permille = 20;
	b->cap[0] = (struct policy_cap){ 40, POLICY_PER_DAY, POLICY_OF_RULE };
	b->ncap = 1;
	b->use_target_percent = -1;
	assert_int_equal(sample_rule_init(&pr, &r), 0);
	from_hex("4b9b2178da6b928796f657b16c414ca6", want, 16);
	assert_memory_equal(r.id, want, 16);
	assert_int_equal(r.use_target_percent, 80);
	assert_int_equal(r.throttle_percent, 125);
	assert_int_equal(r.grace, 0);
	for (size_t i = 0; i < sizeof(within) / sizeof(within[0]); i++) {
		b->use_within = within[i].span;
		assert_int_equal(sample_rule_init(&pr, &r), 0);
		assert_int_equal(r.grace, within[i].grace);
	}
	c.timezone = "../../etc/passwd";
	assert_int_equal(sample_rule_init(&pr, &r), -EINVAL);
	assert_string_equal(sample_why_name(SAMPLE_OUT_AGENT), "quota.agent");
	assert_string_equal(sample_why_name((enum sample_why)99), "");
}

/* ---- shares and caps ---- */

static void test_million(void **state)
{
	struct sample_rule all = rule(20, 1000000, POLICY_PER_DAY), capped = rule(20, 40, POLICY_PER_DAY);
	struct sample *s = ready(NULL, NDAY), *c = ready(NULL, NDAY);
	unsigned by_hour[24] = { 0 }, few[24] = { 0 }, in = 0;

	(void)state;
	for (int d = 0; d < 10; d++) {
		in += busy_day(s, &all, NULL, NDAY + d, 50000, 0, 86400, by_hour);
		assert_true(busy_day(c, &capped, NULL, NDAY + d, 50000, 0, 86400, few) <= 40);
	}
	assert_true(within4(in, 500000, 0.02));
	for (int h = 0; h < 24; h++) {
		assert_true(within4(by_hour[h], 500000 / 24, 0.02));
		assert_true(few[h] > 0);
	}
	sample_free(s);
	sample_free(c);
}

/* 2,000 calls from 8 to 16, 10 %, at most 40 a day, the daemon replaced at noon (acceptance story of the hard cap). */
static void test_even(void **state)
{
	struct sample *s = ready(NULL, NDAY);
	struct sample_rule r = rule(100, 40, POLICY_PER_DAY);
	unsigned by_hour[24] = { 0 }, days = 0, total = 0;
	struct buf b = { 0 };

	(void)state;
	for (int d = 0; d < 33; d++) {
		bool measured = d >= 5 && (NDAY + d + 3) % 7 < 5;
		unsigned n;

		if ((NDAY + d + 3) % 7 >= 5) {
			publish(s, NULL, (uint64_t)(NDAY + d) * DAY + HOUR);
			continue;
		}
		n = busy_day(s, &r, NULL, NDAY + d, 1000, 8 * 3600, 12 * 3600, measured ? by_hour : NULL);
		save(s, &b);
		s = reload(s, &b, NULL);
		n += busy_day(s, &r, NULL, NDAY + d, 1000, 12 * 3600, 16 * 3600, measured ? by_hour : NULL);
		assert_true(n <= 40);
		if (measured) {
			days++;
			total += n;
		}
	}
	assert_true(days >= 18);
	assert_true(total >= days * 38);
	for (int h = 8; h < 16; h++) {
		assert_true(by_hour[h] * 100 >= total * 8);
		assert_true(by_hour[h] * 100 <= total * 17);
	}
	buf_free(&b);
	sample_free(s);
}

/* A flood in the first hour does not take the day's amount; without spreading it does. */
static void test_flood(void **state)
{
	struct sample_rule r = rule(1000, 40, POLICY_PER_DAY);

	(void)state;
	for (int first_come = 0; first_come < 2; first_come++) {
		struct sample *s = ready(NULL, NDAY);
		unsigned hours[24] = { 0 }, n;

		r.first_come = first_come;
		for (int d = 0; d < 4; d++) /* from Thursday; Saturday and Sunday teach the weekend */
			(void)busy_day(s, &r, NULL, NDAY + d, 1000, 8 * 3600, 16 * 3600, NULL);
		n = busy_day(s, &r, NULL, NDAY + 4, 20000, 8 * 3600, 9 * 3600, NULL);
		if (first_come)
			assert_int_equal(n, 40);
		else
			assert_true(n <= 40 / 8 + 14); /* its part and the margin */
		n += busy_day(s, &r, NULL, NDAY + 4, 1000, 9 * 3600, 16 * 3600, hours);
		assert_true(n <= 40 && n >= 34);
		if (!first_come)
			assert_true(hours[12] + hours[13] + hours[14] + hours[15] >= 8);
		sample_free(s);
	}
}

static void test_agents(void **state)
{
	struct sample *s = ready(NULL, NDAY);
	struct sample_rule r = rule(1000, 100000, POLICY_PER_DAY);
	unsigned a = 0, b = 0, none = 0;

	(void)state;
	r.first_come = true;
	r.cap[r.ncap++] = (struct policy_cap){ 6, POLICY_PER_MONTH, POLICY_OF_AGENT };
	for (int d = 0; d < 20; d++) { /* over the end of November, the 30th is day 11 */
		publish(s, NULL, (uint64_t)(NDAY + d) * DAY + HOUR);
		for (int i = 0; i < 4; i++) {
			uint64_t t = (uint64_t)(NDAY + d) * DAY + (uint64_t)(8 + i) * HOUR;
			struct sample_result res = draw_as(s, &r, t, "agent-a");

			if (!res.in)
				assert_int_equal(res.why, SAMPLE_OUT_AGENT);
			a += res.in;
			none += draw_as(s, &r, t, NULL).in;
			if (d < 2)
				b += draw_as(s, &r, t, "agent-b").in;
		}
		if (d == 2) {
			assert_int_equal(a, 6);
			assert_int_equal(b, 6);
			assert_int_equal(none, 6); /* calls without an agent share one */
		}
	}
	assert_int_equal(a, 12);
	assert_int_equal(none, 12);
	sample_free(s);
}

/* 40 recorded, 10 used: 13 once they had their week (N-50). Never above the policy, never below the floor. */
static void test_throttle(void **state)
{
	struct sample *s = ready(NULL, NDAY);
	struct sample_rule r = rule(1000, 40, POLICY_PER_DAY);
	struct sample_figures f;
	struct sample_result res;

	(void)state;
	r.first_come = true;
	r.use_floor = 5;
	assert_int_equal(sample_note_use(s, r.id, 1), -ENOENT);
	assert_int_equal(busy_day(s, &r, NULL, NDAY, 100, 0, 80000, NULL), 40);
	assert_int_equal(sample_note_use(s, r.id, 10), 0);
	publish(s, NULL, (uint64_t)(NDAY + 6) * DAY + HOUR);
	/* nobody had the time yet */
	assert_int_equal(busy_day(s, &r, NULL, NDAY + 7, 5, 0, 80000, NULL), 5);
	assert_int_equal(sample_rule_figures(s, r.id, &f), 0);
	assert_int_equal(f.limit[POLICY_PER_DAY], SAMPLE_NONE);
	assert_int_equal(sample_note_use(s, r.id, 10), 0);
	assert_int_equal(busy_day(s, &r, NULL, NDAY + 8, 100, 0, 80000, NULL), 13); /* 20 used on two days */
	res = draw(s, &r, (uint64_t)(NDAY + 8) * DAY + 23 * HOUR);
	assert_int_equal(res.why, SAMPLE_OUT_THROTTLE);
	assert_int_equal(sample_rule_figures(s, r.id, &f), 0);
	assert_int_equal(f.limit[POLICY_PER_DAY], 13);
	assert_int_equal(f.recorded30, 45);
	assert_int_equal(f.used30, 20);
	/* all of the first day's are used: the policy's cap is back */
	assert_int_equal(sample_note_use(s, r.id, 20), 0);
	assert_int_equal(busy_day(s, &r, NULL, NDAY + 9, 100, 0, 80000, NULL), 40);
	/* long after, nothing of those days is looked at */
	publish(s, NULL, (uint64_t)(NDAY + 49) * DAY);
	assert_int_equal(busy_day(s, &r, NULL, NDAY + 50, 100, 0, 80000, NULL), 40);
	/* and no use at all leaves the floor */
	publish(s, NULL, (uint64_t)(NDAY + 57) * DAY);
	assert_int_equal(busy_day(s, &r, NULL, NDAY + 58, 100, 0, 80000, NULL), 5);
	sample_free(s);
}

/* What was to be used within three days is gone after them, and counts as unused then and not after a week. */
static void test_throttle_within(void **state)
{
	struct sample *s = ready(NULL, NDAY);
	struct sample_rule r = rule(1000, 40, POLICY_PER_DAY);
	struct sample_figures f;

	(void)state;
	r.first_come = true;
	r.use_floor = 5;
	r.grace = 3;
	assert_int_equal(busy_day(s, &r, NULL, NDAY, 100, 0, 80000, NULL), 40);
	assert_int_equal(sample_note_use(s, r.id, 10), 0);
	publish(s, NULL, (uint64_t)(NDAY + 2) * DAY + HOUR);
	assert_int_equal(busy_day(s, &r, NULL, NDAY + 3, 1, 0, 80000, NULL), 1);
	assert_int_equal(sample_rule_figures(s, r.id, &f), 0);
	assert_int_equal(f.limit[POLICY_PER_DAY], SAMPLE_NONE);
	assert_int_equal(sample_note_use(s, r.id, 10), 0);
	assert_int_equal(busy_day(s, &r, NULL, NDAY + 4, 100, 0, 80000, NULL), 13); /* 20 used on two days */
	sample_free(s);
}

/*
 * Story 14 by weeks: each week 40 may be recorded and 10 are used, two each working day. When recordings had their time, each week's
 * cap is 13, on whatever day of it one looks, and so many are recorded; a week that begins changes nothing of that, nor that 10 of 13
 * are nearly the target.
 */
static void test_story_14_weeks(void **state)
{
	struct sample *s = ready(NULL, NDAY + 4);
	struct sample_rule r = rule(1000, 40, POLICY_PER_WEEK);
	unsigned week = 0;

	(void)state;
	r.first_come = true;
	r.use_floor = 5;
	for (int d = 4; d < 67; d++) { /* from a Monday on */
		int of_week = (NDAY + d + 3) % 7;
		struct sample_figures f;

		if (!of_week)
			week = 0;
		if (of_week >= 5) {
			publish(s, NULL, (uint64_t)(NDAY + d) * DAY + HOUR);
			continue;
		}
		week += busy_day(s, &r, NULL, NDAY + d, 100, 0, 80000, NULL);
		assert_int_equal(sample_note_use(s, r.id, 2), 0);
		assert_int_equal(sample_rule_figures(s, r.id, &f), 0);
		assert_true(week <= 40);
		if (d < 4 + 9)
			continue;
		/* of parts of weeks it is known less well how much a week uses */
		if (f.limit[POLICY_PER_WEEK] < 13 || f.limit[POLICY_PER_WEEK] > (d < 4 + 21 ? 16 : 13))
			fail_msg("day %d of the week %d: %u", of_week, d / 7, f.limit[POLICY_PER_WEEK]);
		if (of_week == 4 && d > 4 + 14)
			assert_in_range(week, 13, d < 4 + 28 ? 16 : 13);
	}
	sample_free(s);
}

/* Who uses everything, three days later, is not throttled, from the first day on. */
static void test_used_later(void **state)
{
	struct sample *s = ready(NULL, NDAY);
	struct sample_rule r = rule(1000, 40, POLICY_PER_DAY);

	(void)state;
	r.first_come = true;
	r.use_floor = 5;
	for (int d = 0; d < 40; d++) {
		assert_int_equal(busy_day(s, &r, NULL, NDAY + d, 50, 0, 80000, NULL), 40);
		if (d >= 3)
			assert_int_equal(sample_note_use(s, r.id, 40), 0);
	}
	sample_free(s);
}

/* A day with one call is no profile: the next one's amount still lasts. */
static void test_one_call(void **state)
{
	(void)state;
	for (int busy = 8; busy < 20; busy += 9) { /* the one call early in the day, or late */
		struct sample *s = ready(NULL, NDAY);
		struct sample_rule r = rule(1000, 40, POLICY_PER_DAY);
		unsigned n;

		(void)busy_day(s, &r, NULL, NDAY, 1, (unsigned)busy * 3600, (unsigned)busy * 3600 + 600, NULL);
		n = busy_day(s, &r, NULL, NDAY + 1, 1000, 8 * 3600, 12 * 3600, NULL);
		assert_true(n <= 26);
		n += busy_day(s, &r, NULL, NDAY + 1, 1000, 12 * 3600, 16 * 3600, NULL);
		assert_true(n >= 12 && n <= 40);
		sample_free(s);
	}
}

/* ---- threads ---- */

struct crowd {
	struct sample *s;
	const struct sample_rule *r;
	atomic_uint in, back;
};

static void *crowd_run(void *arg)
{
	struct crowd *c = arg;
	struct sample_input in = { .rule = c->r, .now_ns = (uint64_t)NDAY * DAY + HOUR };
	char id[64];

	for (int i = 0; i < 4000; i++) {
		struct sample_result res;

		in.call_id.n = (size_t)snprintf(id, sizeof(id), "%p-%d", (void *)&id, i);
		in.call_id.p = id;
		sample_draw(c->s, &in, &res);
		if (res.in && i % 3 == 0) {
			assert_int_equal(sample_release(c->s, res.slot), 0);
			atomic_fetch_add(&c->back, 1);
		} else if (res.in) {
			atomic_fetch_add(&c->in, 1);
		}
	}
	return NULL;
}

static void test_threads(void **state)
{
	struct sample_rule r = rule(500, 40, POLICY_PER_DAY);
	struct crowd c = { ready(NULL, NDAY), &r, 0, 0 };
	struct sample_figures f;
	pthread_t th[8];

	(void)state;
	r.first_come = true;
	for (int i = 0; i < 8; i++)
		assert_int_equal(pthread_create(&th[i], NULL, crowd_run, &c), 0);
	for (int i = 0; i < 8; i++)
		pthread_join(th[i], NULL);
	assert_int_equal(c.in, 40);
	assert_int_equal(sample_rule_figures(c.s, r.id, &f), 0);
	assert_int_equal(f.count.used[POLICY_PER_DAY], 40);
	assert_int_equal(sample_slots(c.s), 40);
	sample_free(c.s);
}

/* Tables that are full say no. */
static void test_limits(void **state)
{
	struct sample_config cfg = { .rules = 2, .slots = 3, .subs = 2, .late_seeds = true, .random = test_random };
	struct sample_rule r = rule(1000, 100, POLICY_PER_DAY);
	uint64_t t = (uint64_t)NDAY * DAY + HOUR;
	struct sample_result res = { 0 };
	struct sample *s;

	(void)state;
	assert_int_equal(sample_new(&cfg, &s), 0);
	assert_int_equal(sample_tick(s, t), 0);
	r.first_come = true;
	for (int i = 0; i < 3; i++) {
		res = draw(s, &r, t);
		assert_true(res.in);
	}
	assert_int_equal(draw(s, &r, t).why, SAMPLE_OUT_FULL);
	assert_int_equal(sample_spend(s, res.slot), 0);
	assert_int_equal(sample_spend(s, res.slot), -ENOENT);
	assert_true(draw(s, &r, t).in);
	r.id[0] = 2;
	r.cap[r.ncap++] = (struct policy_cap){ 5, POLICY_PER_WEEK, POLICY_OF_AGENT };
	assert_int_equal(draw_as(s, &r, t, "a").why, SAMPLE_OUT_FULL); /* slots */
	assert_int_equal(draw_as(s, &r, t, "b").why, SAMPLE_OUT_FULL);
	assert_int_equal(draw_as(s, &r, t, "c").why, SAMPLE_OUT_FULL); /* agents, too */
	r.id[0] = 3;
	assert_int_equal(draw(s, &r, t).why, SAMPLE_OUT_FULL); /* rules */
	sample_free(s);
}

/* Random settings, days, arrivals, releases, zones, crashes: never above a cap, and the log recomputes. */
static void test_random_settings(void **state)
{
	static const char *const zones[] = { "UTC", "Europe/Copenhagen", "America/New_York", "Asia/Kathmandu",
					     "Australia/Lord_Howe", "Pacific/Kiritimati" };

	(void)state;
	for (int round = 0; round < 40; round++) {
		struct journal j = { 0 };
		struct sample_rule r = rule((int)(rnd() % 1001), (int)(rnd() % 60), (enum policy_cap_per)(rnd() % 4));
		int32_t day = NDAY + (int32_t)(rnd() % 365);
		struct sample *s = ready(&j, day);
		struct sample_sums sums;
		struct buf b = { 0 };
		struct faults l;

		strcpy(r.zone, zones[rnd() % 6]);
		r.first_come = rnd() % 3 == 0;
		r.use_floor = 1 + (int)(rnd() % 50);
		while (r.ncap < (int)(rnd() % 5))
			r.cap[r.ncap++] = (struct policy_cap){ (int)(rnd() % 30), (enum policy_cap_per)(rnd() % 4),
							       (enum policy_cap_of)(rnd() % 3) };
		save(s, &b);
		for (uint64_t t = (uint64_t)day * DAY; t < (uint64_t)(day + 5) * DAY; t += rnd() % (600 * SEC)) {
			char who[2] = { (char)('a' + rnd() % 5), 0 };
			struct sample_result res;

			if (t / HOUR % 6 == 0)
				publish(s, &j, t);
			res = draw_as(s, &r, t - rnd() % (2 * HOUR), rnd() % 4 ? who : NULL);
			if (res.in && rnd() % 4 == 0)
				assert_int_equal(sample_release(s, res.slot), 0);
			if (rnd() % 50 == 0) {
				save(s, &b);
				s = reload(s, &b, &j);
			}
			for (size_t k = j.n > 3 ? j.n - 3 : 0; res.in && k < j.n; k++) {
				const struct sample_record *rec = &j.rec[k];

				for (int c = 0; rec->kind == SAMPLE_R_DRAW && rec->why == SAMPLE_IN && c < r.ncap; c++) {
					const struct sample_count *n = r.cap[c].of == POLICY_OF_RULE  ? &rec->before
								       : r.cap[c].of == POLICY_OF_AGENT ? &rec->agent_before
													: &rec->queue_before;

					assert_true(n->used[r.cap[c].per] < (uint32_t)r.cap[c].n);
				}
			}
		}
		publish(s, &j, (uint64_t)(day + 8) * DAY);
		assert_int_equal(recompute(&j, &l, &sums), 0);
		buf_free(&b);
		sample_free(s);
		journal_free(&j);
	}
}

/* What is less in either; the id and what is no amount stay. */
static void test_lower(void **state)
{
	struct sample_rule a = { .id = { 1 }, .permille = 100, .ncap = 1, .cap = { { 10, POLICY_PER_DAY, POLICY_OF_RULE } }, .use_floor = 7 };
	struct sample_rule b = { .id = { 2 }, .permille = 50, .ncap = 2,
				 .cap = { { 20, POLICY_PER_DAY, POLICY_OF_RULE }, { 3, POLICY_PER_DAY, POLICY_OF_AGENT } } };
	struct sample_rule full = b;

	(void)state;
	assert_int_equal(sample_rule_lower(&a, &b), 0);
	assert_int_equal(a.id[0], 1);
	assert_int_equal(a.permille, 50);
	assert_int_equal(a.use_floor, 7);
	assert_int_equal(a.ncap, 2);
	assert_int_equal(a.cap[0].n, 10);
	assert_int_equal(a.cap[1].n, 3);
	b.permille = 200;
	b.cap[0].n = 4;
	assert_int_equal(sample_rule_lower(&a, &b), 0);
	assert_int_equal(a.permille, 50);
	assert_int_equal(a.cap[0].n, 4);
	full.ncap = POLICY_CAPS_MAX;
	for (int i = 0; i < POLICY_CAPS_MAX; i++)
		full.cap[i] = (struct policy_cap){ 5, (enum policy_cap_per)(i % 4), (enum policy_cap_of)(i / 4) };
	b.ncap = 1;
	b.cap[0] = (struct policy_cap){ 5, POLICY_PER_DAY, POLICY_OF_AGENT };
	assert_int_equal(sample_rule_lower(&full, &b), -ENOSPC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lower),
		cmocka_unit_test_setup(test_formula, setup),
		cmocka_unit_test_setup(test_million, setup),
		cmocka_unit_test_setup(test_even, setup),
		cmocka_unit_test_setup(test_flood, setup),
		cmocka_unit_test_setup(test_agents, setup),
		cmocka_unit_test_setup(test_throttle, setup),
		cmocka_unit_test_setup(test_throttle_within, setup),
		cmocka_unit_test_setup(test_story_14_weeks, setup),
		cmocka_unit_test_setup(test_used_later, setup),
		cmocka_unit_test_setup(test_one_call, setup),
		cmocka_unit_test_setup(test_threads, setup),
		cmocka_unit_test_setup(test_random_settings, setup),
		cmocka_unit_test_setup(test_limits, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
