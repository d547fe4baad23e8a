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
			switch (rnd() % 8) {
			case 6: /* "no seed", "no room" */
				rec->why = SAMPLE_OUT_SEED;
				break;
			case 7:
				rec->why = SAMPLE_OUT_FULL;
				break;
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

/* Who says that there was no seed, or no room, must be right (N-46): each such record is one fault. */
static void test_excuses(void **state)
{
	static const struct {
		enum sample_why why;
		int hash; /* ns after PUBLISHING's end before the day; 0 as it was */
		bool was_public;
		enum sample_fault f;
	} t[] = {
		{ SAMPLE_OUT_SEED, 0, false, SAMPLE_F_HAD_SEED },
		{ SAMPLE_OUT_SEED, -1, false, SAMPLE_F_HAD_SEED },
		{ SAMPLE_OUT_SEED, 1, false, 0 },
		{ SAMPLE_OUT_SEED, 0, true, 0 },
		{ SAMPLE_OUT_FULL, 0, false, SAMPLE_F_HAD_ROOM },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct journal j = { 0 };
		struct sample *s = ready(&j, NDAY);
		struct sample_rule r = rule(500, 40, POLICY_PER_DAY);
		struct sample_record *rec;
		struct sample_sums sums;
		struct faults l;

		for (int n = 0; n < 50; n++)
			(void)draw(s, &r, (uint64_t)NDAY * DAY + (uint64_t)n * SEC);
		publish(s, &j, (uint64_t)(NDAY + 3) * DAY);
		rec = &j.rec[j.n - 1];
		while (rec->why == SAMPLE_IN)
			rec--;
		j.n = (size_t)(rec - j.rec) + 1;
		rec->why = t[i].why;
		for (size_t k = 0; k < j.npub; k++) {
			struct sample_published *p = &j.pub[k];

			if (p->day == NDAY && t[i].hash)
				p->hash_ns = (uint64_t)NDAY * DAY - 600 * SEC + (uint64_t)(int64_t)t[i].hash;
			if (p->day == NDAY && t[i].was_public)
				p->seed_ns = rec->time_ns;
		}
		(void)recompute(&j, &l, &sums);
		assert_int_equal(l.seen, t[i].f ? 1U << t[i].f : 0);
		assert_int_equal(l.n, t[i].f != 0);
		assert_int_equal(sums.no_seed, t[i].why == SAMPLE_OUT_SEED);
		journal_free(&j);
		sample_free(s);
	}
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

/* What a change of policy in the middle of a day may be: throttle, target, floor, percent, caps, spread, zone. */
static void change(struct sample_rule *r)
{
	static const char *const zones[] = { "UTC", "Europe/Copenhagen", "America/New_York", "Asia/Kolkata" };

	switch (rnd() % 9) {
	case 8:
		r->grace = (uint8_t)(rnd() % SAMPLE_GRACE);
		break;
	case 0:
		r->throttle_percent = 100 + (int)(rnd() % 60);
		break;
	case 1:
		r->use_target_percent = 10 + (int)(rnd() % 91);
		break;
	case 2:
		r->use_floor = 1 + (int)(rnd() % 9);
		break;
	case 3:
		r->permille = (int)(rnd() % 1001);
		break;
	case 4:
		r->cap[0].n = 5 + (int)(rnd() % 60);
		break;
	case 5:
		r->first_come = !r->first_come;
		break;
	case 6: /* a cap per agent comes or goes */
		r->ncap = 3 - r->ncap;
		r->cap[1] = (struct policy_cap){ 3, POLICY_PER_WEEK, POLICY_OF_AGENT };
		break;
	default:
		memset(r->zone, 0, sizeof(r->zone));
		strcpy(r->zone, zones[rnd() % 4]);
	}
}

/* Five weeks; the policy is changed at any hour, calls in progress are drawn by the stricter of both, and some end days after. */
static void make_changed_log(struct journal *j, bool restarts)
{
	struct sample *s = ready(j, NDAY - 1);
	struct sample_rule r = rule(600, 30, POLICY_PER_DAY), was, lower;
	uint64_t late[8] = { 0 };
	struct buf b = { 0 };

	r.use_floor = 5;
	was = r;
	for (unsigned i = 0; i < 36 * 60; i++) {
		uint64_t t = (uint64_t)NDAY * DAY + (uint64_t)i * 24 * 60 * SEC, *slot = &late[rnd() % 8];
		char who[2] = { (char)('a' + rnd() % 5), 0 };
		struct sample_result res;

		if (i % 5 == 0)
			publish(s, j, t);
		if (rnd() % 90 == 0) {
			was = r;
			change(&r);
		}
		lower = r;
		assert_int_equal(sample_rule_lower(&lower, &was), 0);
		res = draw_as(s, rnd() % 20 ? &r : &lower, t, who);
		if (res.in && rnd() % 4 == 0) {
			if (*slot)
				(void)sample_release(s, *slot); /* a restart may have spent it */
			*slot = res.slot;
		} else if (res.in && rnd() % 4 == 0) {
			assert_int_equal(sample_release(s, res.slot), 0);
		} else if (res.in) {
			assert_int_equal(sample_spend(s, res.slot), 0);
		}
		if (rnd() % 25 == 0)
			(void)sample_note_use(s, r.id, 1 + (uint32_t)(rnd() % 3)); /* -ENOENT before the first draw */
		if (restarts && rnd() % 200 == 0) {
			save(s, &b);
			s = reload(s, &b, j);
		}
	}
	publish(s, j, (uint64_t)(NDAY + 40) * DAY);
	buf_free(&b);
	sample_free(s);
}

static void test_recompute_changed(void **state)
{
	unsigned throttled = 0, opened = 0;

	(void)state;
	for (int round = 0; round < 8; round++) {
		struct journal j = { 0 };
		struct sample_sums sums;
		struct faults l;

		make_changed_log(&j, round & 1);
		if (recompute(&j, &l, &sums))
			print_error("round %d: %zu faults, first at %zu of %zu, kinds %#x\n", round, l.n, l.first, j.n, l.seen);
		assert_int_equal(l.n, 0);
		for (size_t i = 0; i < j.n; i++) {
			throttled += j.rec[i].kind == SAMPLE_R_DRAW && j.rec[i].why == SAMPLE_OUT_THROTTLE;
			opened += j.rec[i].open && !j.rec[i].open->start;
		}
		/* of a part that begins anywhere, also with a change at noon */
		for (size_t i = 0, k = 0; i < j.n && k < 8; i++) {
			struct journal part = j;

			if (!j.rec[i].open || rnd() % 8)
				continue;
			k++;
			part.rec += i;
			part.n -= i;
			(void)recompute(&part, &l, &sums);
			if (l.n)
				print_error("round %d, from %zu: %zu faults, first at %zu, kinds %#x\n", round, i, l.n, l.first, l.seen);
			assert_int_equal(l.n, 0);
		}
		/* and what a change could hide is seen */
		for (size_t i = 0, k = 0; i < j.n && k < 20; i++) {
			struct sample_open *o = (struct sample_open *)(uintptr_t)j.rec[i].open, kept;

			if (!o || o->start || o->limit[POLICY_PER_DAY] == SAMPLE_NONE)
				continue;
			kept = *o;
			k++;
			switch (rnd() % 3) {
			case 0:
				o->limit[POLICY_PER_DAY]++;
				break;
			case 1:
				for (int n = 0; n < SAMPLE_KINDS; n++)
					o->limit[n] = SAMPLE_NONE;
				break;
			default:
				o->set.throttle_percent += 200;
			}
			assert_int_equal(recompute(&j, &l, &sums), -EBADMSG);
			assert_int_equal(l.first, i);
			*o = kept;
		}
		journal_free(&j);
	}
	assert_true(throttled > 50 && opened > 8 * 36);
}

static struct sample_open *open_at(const struct journal *j, size_t i)
{
	return (struct sample_open *)(uintptr_t)j->rec[i].open;
}

/* As if what was drawn before the start on the fourth day was drawn by a program that calculates otherwise. */
static size_t by_another(struct journal *j, uint32_t plan)
{
	size_t n = 0, starts = 0;

	for (size_t i = 0; i < j->n; i++) {
		struct sample_record *r = &j->rec[i];

		starts += r->open && r->open->start;
		if (starts > 2)
			break;
		if (r->open) {
			open_at(j, i)->plan = plan;
			open_at(j, i)->expect[0][10] += 3;
			open_at(j, i)->limit[POLICY_PER_MONTH] = 1000000;
		}
		n += r->kind == SAMPLE_R_DRAW;
		if (r->kind == SAMPLE_R_DRAW && r->why == SAMPLE_OUT_DRAW && r->threshold > 10)
			r->threshold -= 10;
	}
	return n;
}

static void test_recompute_plan(void **state)
{
	struct sample_record was, *rec = NULL;
	struct journal j = { 0 };
	struct sample_sums sums;
	struct faults l;
	size_t n, in = 0, first = 0, last = 0;

	(void)state;
	make_log(&j);
	assert_int_equal(j.rec[0].open->plan, SAMPLE_PLAN);
	n = by_another(&j, SAMPLE_PLAN);
	assert_int_equal(recompute(&j, &l, &sums), -EBADMSG); /* what is ours must be as we calculate */
	assert_int_equal(sums.other_plan, 0);
	journal_free(&j);
	rnd_state = 1;
	make_log(&j);
	n = by_another(&j, SAMPLE_PLAN - 1);
	assert_int_equal(recompute(&j, &l, &sums), 0);
	assert_int_equal(sums.other_plan, n);
	assert_true(n > 1000 && n < sums.draws);

	/* but seeds, counters, caps and the policy's percent are no calculation */
	for (size_t i = 0; i < j.n && !in; i++)
		if (j.rec[i].why == SAMPLE_IN && j.rec[i].before.used[POLICY_PER_DAY] > 3)
			in = i;
	rec = &j.rec[in];
	was = *rec;
	rec->draw ^= 1;
	assert_int_equal(recompute(&j, &l, &sums), -EBADMSG);
	assert_true(l.first == in && l.seen & 1U << SAMPLE_F_DRAW);
	*rec = was;
	rec->threshold = 1ULL << 32;
	assert_int_equal(recompute(&j, &l, &sums), -EBADMSG);
	assert_true(l.first == in && l.seen & 1U << SAMPLE_F_OUTCOME);
	*rec = was;
	rec->threshold = rec->draw;
	assert_int_equal(recompute(&j, &l, &sums), -EBADMSG);
	assert_true(l.first == in && l.seen & 1U << SAMPLE_F_OUTCOME);
	*rec = was;
	rec->why = SAMPLE_OUT_DRAW;
	assert_int_equal(recompute(&j, &l, &sums), -EBADMSG);
	assert_true(l.first == in && l.seen & 1U << SAMPLE_F_OUTCOME);
	*rec = was;
	rec->before.used[POLICY_PER_DAY]--;
	assert_int_equal(recompute(&j, &l, &sums), -EBADMSG);
	assert_true(l.first == in && l.seen & 1U << SAMPLE_F_COUNT);
	*rec = was;
	for (size_t i = 0; i < j.n; i++)
		if (j.rec[i].open && j.rec[i].open->plan != SAMPLE_PLAN)
			open_at(&j, i)->set.cap[0].n = 2; /* so all but two of a day are above it */
	assert_int_equal(recompute(&j, &l, &sums), -EBADMSG);
	assert_int_equal(l.seen, 1U << SAMPLE_F_OUTCOME);
	journal_free(&j);

	/* nobody may say from some day on that he cannot be checked, nor in between */
	rnd_state = 1;
	make_log(&j);
	for (size_t i = 0; i < j.n; i++) {
		if (!j.rec[i].open)
			continue;
		first = first ? first : !j.rec[i].open->start ? i : 0;
		last = j.rec[i].open->start ? i : last;
	}
	for (uint32_t v = 0; v < 2; v++) {
		open_at(&j, first)->plan = SAMPLE_PLAN + (v ? 1 : -1U);
		assert_int_equal(recompute(&j, &l, &sums), -EBADMSG);
		assert_true(l.first == first && l.seen & 1U << SAMPLE_F_PLAN);
		open_at(&j, first)->plan = SAMPLE_PLAN;
	}
	open_at(&j, last)->plan = SAMPLE_PLAN - 1;
	assert_int_equal(recompute(&j, &l, &sums), -EBADMSG);
	assert_true(l.first == last && l.seen & 1U << SAMPLE_F_PLAN);
	journal_free(&j);
}

/* A zone in which today began before its hash was published: whoever draws on after the change is told. */
static void test_recompute_zone_late(void **state)
{
	struct sample_rule r = rule(500, 100, POLICY_PER_DAY);
	struct journal j = { 0 }, part;
	struct sample *s = sampler(&j, true);
	struct sample_sums sums;
	struct faults l;

	(void)state;
	publish(s, &j, (uint64_t)NDAY * DAY - HOUR);
	(void)draw(s, &r, (uint64_t)NDAY * DAY + 10 * HOUR);
	part = j;
	strcpy(r.zone, "Asia/Kolkata");
	for (int i = 0; i < 2; i++)
		(void)draw(s, &r, (uint64_t)NDAY * DAY + 12 * HOUR);
	publish(s, &j, (uint64_t)(NDAY + 2) * DAY);
	part.rec = j.rec;
	memcpy(part.pub, j.pub, sizeof(part.pub));
	part.npub = j.npub;
	assert_int_equal(recompute(&part, &l, &sums), 0);
	assert_int_equal(recompute(&j, &l, &sums), -EBADMSG);
	assert_int_equal(l.seen, 1U << SAMPLE_F_LATE);
	assert_int_equal(l.n, 1);
	sample_free(s);
	journal_free(&j);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_recompute, setup),
		cmocka_unit_test_setup(test_excuses, setup),
		cmocka_unit_test_setup(test_recompute_crash, setup),
		cmocka_unit_test_setup(test_recompute_changed, setup),
		cmocka_unit_test_setup(test_recompute_plan, setup),
		cmocka_unit_test_setup(test_recompute_zone_late, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
