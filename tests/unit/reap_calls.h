/* SPDX-License-Identifier: BSD-2-Clause */
/* reap_calls.h - single calls for tests of the reaper: on hold, asked for, of training; included by one test program each */
#ifndef REAP_CALLS_H
#define REAP_CALLS_H

#include "store_util.h"

#include <glob.h>
#include <grp.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include "reap_util.h"
#include "store/catalog.h"
#include "store/hold.h"
#include "store/reap_ask.h"
#include "store/reap_db.h"
#include "store/reap_retain.h"
#include "store/sealing.h"
#include "store/store_internal.h"

#define CPH "Europe/Copenhagen"

static const struct hold_person anna = { .uid = 1001, .name = "anna" }, bo = { .uid = 1002, .name = "bo" };

static inline void hold(const struct uid *uid)
{
	struct hold_why w = { .reason = "dispute", .reference = "D-1", .review = 20270301 };
	struct store *st = open_store(STORE_RO);
	struct holds *h;
	bool fresh;

	ok(st, store_holds(st, HOLDS_WRITE, &h, NULL));
	ok(st, store_hold_add(st, h, uid, &w, &anna, T0 + DAY_NS, &fresh));
	holds_close(h);
	store_close(st);
}

static inline void release(const struct uid *uid, uint64_t now, enum hold_end want)
{
	struct store *st = open_store(STORE_RO);
	enum hold_end end;
	struct holds *h;

	ok(st, store_holds(st, HOLDS_WRITE, &h, NULL));
	assert_int_equal(store_hold_release(st, h, uid, "settled", &anna, now, &end), 0);
	assert_int_equal(end, HOLD_ASKED);
	assert_int_equal(store_hold_release(st, h, uid, "settled", &bo, now, &end), 0);
	assert_int_equal(end, want);
	holds_close(h);
	store_close(st);
}

static inline int count_row(void *arg, const struct store_row *row)
{
	struct store_row *last = arg;

	*last = *row;
	last->relation = last->relation ? "more" : "one"; /* how many */
	return 0;
}

/* The call's row, as find shows it. False: none. */
static inline bool found(const struct uid *uid, enum store_state *ret_doc, enum store_state *ret_training)
{
	struct store_filter f = { .state = -1, .uid = uid };
	struct store *st = open_store(STORE_RO);
	struct store_row row = { .relation = NULL };

	ok(st, store_find(st, &f, count_row, &row));
	store_close(st);
	*ret_doc = row.state[0];
	*ret_training = row.state[1];
	if (row.relation)
		assert_string_equal(row.relation, "one");
	return row.relation;
}

static inline int locked(const char *rel, int how)
{
	char path[600];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", store_dir, rel);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0 && !flock(fd, how | LOCK_NB));
	return fd;
}

/* Somebody has the journal of holds locked, and a bucket, and does not give them back: keys die all the same. */
static inline void ask(const struct uid *uid, enum store_purpose p, const char *reason)
{
	char why[512] = "";

	assert_int_equal(reap_request(store_dir, uid, p, reason, 1001, T0 + 2 * DAY_NS, why, sizeof(why)), 0);
}

/* Blocks of segments, in bytes. */
static inline struct uid train_call(struct store *st, unsigned i, uint64_t use_by)
{
	struct store_call_meta m;
	struct store_call_result r;
	struct store_call *sc;
	struct chunk *c = chunk_new();

	meta_of(i, &m);
	result_of(i, &r);
	m.until_ns[1] = T0 + 90 * DAY_NS;
	m.commit[1] = true;
	m.training_use_by = use_by;
	r.state[1] = STORE_S_GRANTED;
	r.reason[1] = "consent";
	ok(st, store_call_begin(st, &m, &sc));
	chunk_of(c, i, 0, 0);
	ok(st, store_call_append(sc, 0, c));
	ok(st, store_call_end(sc, &r));
	chunk_free(c);
	return m.uid;
}

#define T(name) cmocka_unit_test_setup_teardown(test_##name, make_store, drop_store)

#endif
