/* SPDX-License-Identifier: BSD-2-Clause */
/* test_record_keep.c - calls that a daemon leaves, and one that fails to take them over */
#include "record_link.h"

#include "base/keep.h"

#define BLOCKS 64

static _Alignas(8) uint8_t mem[BLOCKS * KEEP_BLOCK], full[BLOCKS * KEEP_BLOCK], before[BLOCKS * KEEP_BLOCK];

static const struct policy *the_policy(void *arg, const char *hash)
{
	const struct link *l = arg;

	(void)hash;
	return &l->w->policy;
}

static int restore(struct link *l, struct keep *k, bool stale)
{
	struct recorder_restore how = { .keep = k, .stale = stale, .save = true, .arg = l, .policy = the_policy };

	return recorder_restore(l->rec, &how);
}

/* A daemon records c1 and leaves it in mem. */
static struct link *left(void)
{
	struct link *l = link_new();
	struct keep *k;

	memset(mem, 0, sizeof(mem));
	assert_int_equal(keep_new(mem, sizeof(mem), &k), 0);
	assert_int_equal(restore(l, k, true), 0);
	establish(l, NULL);
	for (int n = 0; n < 300; n++)
		both(l, 0x22);
	assert_int_equal(l->st.begun, 1);
	assert_int_equal(recorder_leave(l->rec), 0);
	assert_int_equal(l->st.left, 1);
	recorder_free(l->rec);
	l->rec = NULL;
	keep_free(k);
	return l;
}

static void another(struct link *l)
{
	struct recorder_settings s;

	recorder_default_settings(&s);
	s.store = &l->st;
	s.policy = &l->w->policy;
	s.evidence = (struct evidence *)l;
	s.flow_lines = 1024;
	assert_int_equal(recorder_new(&s, &l->rec), 0);
}

static int copy(void *arg, uint32_t id, const void *p, size_t n)
{
	return keep_put(arg, id, p, n);
}

/* The same records in a state of as many blocks as they need. */
static size_t squeeze(void)
{
	struct keep_figures f;
	struct keep *k, *to;

	memset(full, 0, sizeof(full));
	assert_int_equal(keep_new(mem, sizeof(mem), &k), 0);
	assert_int_equal(keep_new(full, sizeof(full), &to), 0);
	assert_int_equal(keep_each(k, copy, to), 0);
	keep_figures(to, &f);
	keep_free(k);
	keep_free(to);
	return f.used * KEEP_BLOCK;
}

/* There is no room to say who has them now: nothing that was left is touched, and another try finds it. */
static void test_fails_half_way(void **state)
{
	struct link *l = left();
	struct recorder_kept kept;
	struct keep *k;
	size_t n = squeeze();

	(void)state;
	for (int i = 0; i < 2; i++) {
		another(l);
		assert_int_equal(keep_new(full, n, &k), 0);
		memcpy(before, full, n);
		assert_int_equal(restore(l, k, false), -ENOSPC);
		recorder_kept(l->rec, &kept);
		assert_true(kept.restored == 1 && kept.recordings == 1);
		assert_int_equal(recorder_leave(l->rec), 0);
		recorder_free(l->rec);
		assert_memory_equal(before, full, n);
		assert_int_equal(l->st.left, 2 + i);
		assert_int_equal(l->st.aborted, 0);
		keep_free(k);
	}
	another(l);
	assert_int_equal(keep_new(full, sizeof(full), &k), 0); /* there is room now */
	assert_int_equal(restore(l, k, false), 0);
	recorder_kept(l->rec, &kept);
	assert_true(kept.restored == 1 && kept.recordings == 1 && kept.clean);
	both(l, 0x22);
	bye(l);
	assert_int_equal(finish(l).kept, 1);
	assert_true(holds(&l->st, 0x22));
	assert_int_equal(l->st.last.state[POLICY_DOCUMENTATION], STORE_S_GRANTED);
	link_free(l);
	keep_free(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fails_half_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
