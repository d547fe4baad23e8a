/* SPDX-License-Identifier: BSD-2-Clause */
/* test_sample_again.c - every draw calculated again from the log, and what is wrong with one found */
#include "sample_util.h"

/* Six days with releases, use, agents, changed settings and a clean restart. */
static void make_log(struct journal *j)
{
	struct sample *s = ready(j, NDAY);
	struct sample_rule r[2] = { rule(300, 40, POLICY_PER_DAY), rule(1000, 100, POLICY_PER_WEEK) };
	struct buf b = { 0 };

	r[1].id[0] = 7;
	r[1].cap[r[1].ncap++] = (struct policy_cap){ 6, POLICY_PER_MONTH, POLICY_OF_AGENT };
	r[1].cap[r[1].ncap++] = (struct policy_cap){ 4, POLICY_PER_HOUR, POLICY_OF_QUEUE };
	for (int d = 0; d < 6; d++) {
		publish(s, j, (uint64_t)(NDAY + d) * DAY + HOUR);
		for (int i = 0; i < 400; i++) {
			uint64_t t = (uint64_t)(NDAY + d) * DAY + (uint64_t)i * 200 * SEC;
			char who[2] = { (char)('a' + rnd() % 26), 0 };
			struct sample_result res = draw_as(s, &r[i & 1], t, who);

			if (res.in && rnd() % 2)
				assert_int_equal(sample_release(s, res.slot), 0);
		}
		assert_int_equal(sample_note_use(s, r[0].id, 5), 0);
		if (d == 2)
			r[0].permille = 500;
		if (d == 3) {
			save(s, &b);
			s = reload(s, &b, j);
		}
	}
	publish(s, j, (uint64_t)(NDAY + 8) * DAY);
	buf_free(&b);
	sample_free(s);
}

static void test_recompute(void **state)
{
	struct journal j = { 0 };
	struct sample_sums sums;
	struct faults l;
	unsigned kinds = 0;

	(void)state;
	make_log(&j);
	assert_int_equal(recompute(&j, &l, &sums), 0);
	assert_int_equal(l.n, 0);
	assert_int_equal(sums.draws, 2400);
	assert_int_equal(sums.starts, 4); /* two rules, two starts */
	assert_int_equal(sums.vanished, 0);
	assert_true(sums.in > 100 && sums.released > 50 && sums.no_seed == 0);

	for (int round = 0; round < 400; round++) {
		size_t i = rnd() % j.n;
		struct sample_record was = j.rec[i], *rec = &j.rec[i];

		if (rec->kind == SAMPLE_R_DRAW) {
			switch (rnd() % 6) {
			case 0:
				rec->why = rec->why == SAMPLE_IN ? SAMPLE_OUT_DRAW : SAMPLE_IN;
				break;
			case 1:
				rec->draw ^= 1;
				break;
			case 2:
				rec->threshold += rec->threshold < 1000 ? 1 : -1ULL;
				break;
			case 3:
				rec->call[5] ^= 1; /* another call was chosen */
				break;
			case 4:
				rec->before.used[POLICY_PER_DAY]++;
				break;
			default:
				rec->seq++;
			}
			kinds |= 1;
		} else if (rec->kind == SAMPLE_R_RELEASE) {
			if (rnd() % 2)
				rec->of++;
			else
				rec->call[0] ^= 1;
			kinds |= 2;
		} else if (rec->kind == SAMPLE_R_USE && rec->time_ns < (uint64_t)(NDAY + 3) * DAY) {
			rec->of += 1000; /* (a start, and the log's end, may have lost it) */
			kinds |= 4;
		} else {
			continue;
		}
		assert_int_equal(recompute(&j, &l, &sums), -EBADMSG);
		if (was.kind == SAMPLE_R_DRAW)
			assert_int_equal(l.first, i);
		*rec = was;
	}
	assert_int_equal(kinds & 3, 3);

	/* a record that is missing, another seed, a seed without its hash */
	for (int round = 0; round < 20; round++) {
		size_t i = rnd() % (j.n - 1);
		struct sample_record was = j.rec[i];

		if (was.open && was.open->start)
			continue;
		j.rec[i].rule[3] = 99;
		assert_int_equal(recompute(&j, &l, &sums), -EBADMSG);
		j.rec[i] = was;
	}
	j.pub[2].seed[0] ^= 1;
	assert_int_equal(recompute(&j, &l, &sums), -EBADMSG);
	assert_true(l.seen & 1U << SAMPLE_F_SEED && l.seen & 1U << SAMPLE_F_NO_SEED);
	j.pub[2].seed[0] ^= 1;
	for (size_t i = 0; i < j.npub; i++) {
		if (j.pub[i].day != NDAY + 1)
			continue;
		j.pub[i].hash_ns = (uint64_t)(NDAY + 1) * DAY; /* as the day begins */
		assert_int_equal(recompute(&j, &l, &sums), -EBADMSG);
		assert_int_equal(l.seen, 1U << SAMPLE_F_LATE);
		assert_int_equal(l.n, 2); /* two rules */
		j.pub[i].hash_ns--;
	}
	assert_int_equal(recompute(&j, &l, &sums), 0);
	journal_free(&j);
}

/*
 * Crashes anywhere. Who publishes records when they are durable has a log that recomputes; who publishes at once
 * has decisions in it that vanished, and the auditor is told how many.
 */
static void test_recompute_crash(void **state)
{
	unsigned vanished = 0;

	(void)state;
	for (int round = 0; round < 40; round++) {
		bool eager = round & 1;
		struct sample_rule r = rule(700, 60, POLICY_PER_DAY);
		struct journal j = { 0 };
		struct sample *s = ready(&j, NDAY);
		struct buf b = { 0 };
		struct sample_sums sums;
		size_t durable = 0;
		struct faults l;

		r.cap[r.ncap++] = (struct policy_cap){ 8, POLICY_PER_WEEK, POLICY_OF_AGENT };
		save(s, &b);
		for (unsigned i = 0; i < 900; i++) {
			uint64_t t = (uint64_t)NDAY * DAY + i * 290 * SEC;
			char who[2] = { (char)('a' + rnd() % 9), 0 };
			struct sample_result res;

			if (i % 60 == 0) {
				publish(s, &j, t);
				save(s, &b);
				durable = j.n;
			}
			res = draw_as(s, &r, t, who);
			if (res.in && !eager && rnd() % 3 == 0)
				assert_int_equal(sample_release(s, res.slot), 0);
			if (rnd() % 5 == 0) {
				save(s, &b);
				durable = j.n;
			}
			if (rnd() % 60 == 0) {
				for (; !eager && j.n > durable; j.n--)
					free((void *)(uintptr_t)j.rec[j.n - 1].open);
				s = reload(s, &b, &j);
			}
		}
		publish(s, &j, (uint64_t)(NDAY + 6) * DAY);
		assert_int_equal(recompute(&j, &l, &sums), 0);
		assert_true(sums.starts > 1);
		assert_true(eager || (sums.vanished == 0 && sums.missing == 0));
		vanished += sums.vanished;
		buf_free(&b);
		sample_free(s);
		journal_free(&j);
	}
	assert_true(vanished > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_recompute, setup),
		cmocka_unit_test_setup(test_recompute_crash, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
