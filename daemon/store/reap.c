/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * reap.c - a run of the reaper, from plan to space
 *
 * Keys die before anything else is done, in the order in which they were due, so that one that is killed or slow in what
 * follows has at least made everything unreadable.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "store/bucket.h"
#include "store/hold.h"
#include "store/reap_internal.h"
#include "store/reap_report.h"
#include "store/reap_ring.h"

#define LOCK_FILE "reap.lock"

const char *const reap_what_names[REAP_WHATS] = { "bucket", "call", "day", "waiting", "records" };

static uint64_t elapsed_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

void reap_fault(struct reap *r, int rc, const char *text)
{
	r->t.faults++;
	if (!r->rc) {
		r->rc = rc;
		snprintf(r->why, sizeof(r->why), "%s", text);
	}
	if (r->set->fault)
		r->set->fault(r->set->arg, text);
}

void reap_progress(const struct reap *r, const char *what, uint64_t bytes, uint64_t calls)
{
	if (r->set->progress)
		r->set->progress(r->set->arg, what, bytes, calls);
}

void reap_item(const struct reap *r, const struct reap_item *it)
{
	if (r->set->item)
		r->set->item(r->set->arg, it);
}

unsigned reap_lock_ms(const struct reap *r)
{
	return r->set->lock_ms ? r->set->lock_ms : REAP_LOCK_MS;
}

/* The lock goes with its descriptor. */
static int lock_store(struct reap *r, int *ret, struct why *why)
{
	int made = make_empty(&r->root, LOCK_FILE, why);
	int fd = beneath_openat(r->root.fd, LOCK_FILE, O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0), rc = 0;

	if (fd < 0)
		return made ? made : why_errno(why, -errno, LOCK_FILE, "cannot open");
	do
		rc = flock(fd, LOCK_EX | (r->set->wait ? 0 : LOCK_NB)) ? -errno : 0;
	while (rc == -EINTR);
	if (rc) {
		close(fd);
		return rc == -EWOULDBLOCK ? why_set(why, -EBUSY, "%s: another reaper is at work", r->root.path) :
					    why_errno(why, rc, LOCK_FILE, "cannot lock");
	}
	*ret = fd;
	return 0;
}

static uint64_t late_by(uint64_t when, uint64_t deadline)
{
	return when > deadline ? when - deadline : 0;
}

/* wait_ms 0: not one that somebody has locked; it dies after the others. */
static void destroy(struct reap *r, struct reap_bucket *b, unsigned wait_ms)
{
	struct why why = { "" };
	int rc = bucket_destroy_within(&r->root, b->controller, b->purpose, b->day, r->at_ns, wait_ms, b->busy, &why);

	if (rc == -EWOULDBLOCK && !b->busy) {
		b->busy = true;
		return;
	}
	if (rc < 0) {
		reap_fault(r, rc, why.text);
		b->failed = true;
		b->busy = false;
		return;
	}
	if (b->busy && *why.text && !b->damaged) /* damage was told when it was read */
		reap_fault(r, -EAGAIN, why.text);
	b->live = b->busy = false;
	b->destroyed_ns = b->destroyed_ns ? b->destroyed_ns : r->at_ns;
	b->late_ns = late_by(r->now_ns, b->destroy_ns);
}

static void destroy_buckets(struct reap *r)
{
	uint64_t end_ns, wait_ns;
	size_t done = 0;

	for (size_t i = 0; i < r->nbucket; i++) {
		struct reap_bucket *b = &r->bucket[i];

		if (!b->now || !b->live)
			continue;
		reap_tell_who(r);
		if (!reap_hold_bucket(r, b) || r->set->dry)
			continue;
		destroy(r, b, 0);
		reap_progress(r, "keys", 0, ++done);
	}
	end_ns = elapsed_ns() + reap_lock_ms(r) * 1000000ull; /* for all of them */
	for (size_t i = 0; i < r->nbucket; i++) {
		if (!r->bucket[i].busy)
			continue;
		wait_ns = elapsed_ns();
		destroy(r, &r->bucket[i], wait_ns < end_ns ? (unsigned)((end_ns - wait_ns) / 1000000) : 0);
	}
}

static int tell_bucket(struct reap *r, const struct reap_bucket *b)
{
	struct evlog_event e = { .kind = EVLOG_BUCKET_DESTROY, .source = EVLOG_S_REAPER, .controller = b->controller,
				 .purpose = b->purpose ? EVLOG_P_TRAINING : EVLOG_P_DOCUMENTATION, .time_ns = b->destroyed_ns };

	if (!e.time_ns)
		e.time_ns = r->at_ns;
	evlog_num_add(&e, EVLOG_N_DAY, b->day);
	evlog_num_add(&e, EVLOG_N_CALLS, b->calls);
	evlog_num_add(&e, EVLOG_N_HELD, b->held);
	evlog_num_add(&e, EVLOG_N_LATE_S, b->late_ns / NS_PER_S);
	return reap_tell(r, &e);
}

/* What was destroyed now, or before and not told: a slots file is still there. */
static void tell_buckets(struct reap *r)
{
	bool any = false;

	for (size_t i = 0; i < r->nbucket; i++) {
		struct reap_bucket *b = &r->bucket[i];
		struct reap_item it = { .what = REAP_BUCKET, .controller = b->controller, .purpose = (int)b->purpose, .day = b->day,
					.due_ns = b->destroy_ns };

		if (b->now && !b->failed)
			reap_hold_note(r, b);
		if (!b->now || b->spared || b->failed)
			continue;
		reap_count(r, b);
		it.late_ns = b->live ? late_by(r->now_ns, b->destroy_ns) : b->late_ns; /* live: of a dry run */
		it.calls = b->calls;
		it.held = b->held;
		it.late = b->late;
		r->t.buckets++;
		r->t.calls += it.calls;
		r->t.held += it.held;
		r->t.late += it.late;
		r->t.late_max_ns = r->t.late_max_ns > it.late_ns ? r->t.late_max_ns : it.late_ns;
		if (!r->set->dry) {
			b->told = !tell_bucket(r, b);
			any |= b->told;
		}
		reap_item(r, &it);
	}
	if (any && reap_tell_commit(r))
		for (size_t i = 0; i < r->nbucket; i++)
			r->bucket[i].told &= !r->bucket[i].now; /* the next run does */
}

/* Who holds the log gives them up (evlog_expire), with this event before it. */
static void expire_records(struct reap *r)
{
	struct reap_item it = { .what = REAP_RECORDS, .purpose = -1 };
	struct evlog_event e;
	int32_t before;
	uint64_t by = r->due_ns < r->at_ns ? r->due_ns : r->at_ns; /* what proves is not given up by a time that lies ahead */
	int rc = evlog_expire_due(r->set->store, by, EVLOG_EXPIRE_MONTHS, &before, &it.files);

	if (rc || !it.files) {
		if (rc && rc != -ENOENT && rc != -EACCES) /* none, or not ours to look at: then the daemon's reaper does */
			reap_fault(r, rc, "evidence: old records cannot be looked for");
		return;
	}
	e = evlog_expire_event(before, r->at_ns);
	if (!r->set->dry && reap_tell(r, &e))
		return;
	it.day = (uint32_t)evlog_num_get(&e, EVLOG_N_DAY, 0);
	reap_item(r, &it);
}

static void tell_run(struct reap *r)
{
	struct evlog_event e = { .kind = EVLOG_REAPER_RUN, .source = EVLOG_S_REAPER, .time_ns = r->at_ns };

	if (!r->t.calls && !r->t.buckets && !r->t.days && !r->t.released)
		return; /* a minute without anything */
	reap_tell_who(r); /* also where only space was taken */
	evlog_num_add(&e, EVLOG_N_COUNT, r->t.buckets);
	evlog_num_add(&e, EVLOG_N_CALLS, r->t.calls);
	evlog_num_add(&e, EVLOG_N_HELD, r->t.held);
	evlog_num_add(&e, EVLOG_N_LATE_S, r->t.late_max_ns / NS_PER_S);
	evlog_num_add(&e, EVLOG_N_BYTES, r->t.bytes < EVLOG_NUM_MAX ? r->t.bytes : EVLOG_NUM_MAX);
	evlog_num_add(&e, EVLOG_N_ERRORS, r->t.faults);
	(void)reap_tell(r, &e); /* its failure is told */
}

/* The holds are locked meanwhile. */
static void destroy_again(struct reap *r, bool single)
{
	holds_close(r->holds);
	r->holds = NULL;
	reap_holds_open(r);
	destroy_buckets(r);
	if (single)
		reap_single(r);
	reap_holds_share(r);
	tell_buckets(r);
}

/* What is due is destroyed by now: the recorder goes by it (a dead reaper denies training), also while a long run gives space back. */
static void leave_mark(struct reap *r)
{
	struct reap_clock c = r->clock;
	struct why bad = { "" };
	int rc;

	r->marked_ns = elapsed_ns();
	if (c.mark_ns)
		c.mark_ns += r->marked_ns - r->began_ns;
	rc = reap_clock_write(&r->root, &c, &bad);
	if (rc)
		reap_fault(r, rc, bad.text);
}

void reap_again(struct reap *r, bool single)
{
	uint64_t now = elapsed_ns(), every = (r->set->again_ms ? r->set->again_ms : REAP_AGAIN_MS) * 1000000ull;
	uint64_t passed = now - r->began_ns;

	if (r->set->dry || r->set->told || r->set->until_ns || r->clock.held || now - r->looked_ns < every)
		return;
	r->now_ns = r->at_ns = r->clock.now_ns + passed;
	r->due_ns = r->clock.due_ns + passed;
	single = single && now - r->single_ns >= 12 * every;
	if (reap_plan_again(r) || single) {
		reap_ring_hurry(true);
		destroy_again(r, single);
		reap_ring_hurry(false);
	}
	r->looked_ns = elapsed_ns();
	if (single)
		r->single_ns = r->looked_ns;
	if (r->looked_ns - r->marked_ns >= 12 * every)
		leave_mark(r);
}

static int run(struct reap *r, struct why *why)
{
	uint64_t start = r->began_ns;
	int rc = reap_plan(r, why);

	if (rc)
		return rc;
	if (!r->set->dry)
		reap_tell_open(r);
	reap_holds_open(r);
	destroy_buckets(r);
	reap_single(r);
	r->looked_ns = r->single_ns = elapsed_ns();
	r->t.dead_ns = r->looked_ns - start;
	reap_holds_share(r);
	tell_buckets(r);
	reap_space(r);
	reap_hold_released(r); /* and copies that a run before did not finish */
	expire_records(r);
	reap_report(r);
	r->t.run_ns = elapsed_ns() - start;
	if (!r->set->dry) {
		tell_run(r);
		reap_tell_close(r);
		leave_mark(r);
	}
	return 0;
}

static void set_clock(struct reap *r)
{
	const struct reap_settings *s = r->set;

	r->clock.now_ns = s->now_ns ? s->now_ns : clock_now_ns();
	r->clock.told = s->told;
	r->clock.confirm = s->confirm;
	r->clock.jump_ns = s->jump_ns ? s->jump_ns : REAP_JUMP;
	r->clock.machine_ns = s->clock_ns;
}

int reap_run(const struct reap_settings *s, struct reap_totals *ret, char *text, size_t n)
{
	struct reap r = { .set = s, .root = { .fd = -1 } };
	struct why why = { "" };
	int lock = -1, rc;

	rc = root_open(s->store, &r.root, &why);
	if (!rc && !s->dry)
		rc = lock_store(&r, &lock, &why);
	r.began_ns = elapsed_ns();
	set_clock(&r);
	if (!rc)
		rc = reap_clock_read(&r.root, &r.clock, &why);
	if (rc)
		goto out;
	r.due_ns = r.clock.due_ns;
	r.at_ns = r.clock.held ? r.clock.due_ns : r.clock.now_ns; /* as far as the clock is believed */
	if (s->told && s->clock_ns && s->clock_ns < r.at_ns)
		r.at_ns = s->clock_ns;
	r.now_ns = r.clock.now_ns;
	r.early_ns = s->told || s->until_ns || r.clock.held ? 0 : REAP_EARLY;
	r.said = !s->told || s->dry;
	if (s->until_ns && (s->dry || s->until_ns < r.due_ns))
		r.due_ns = s->until_ns;
	r.t.due_ns = r.due_ns;
	r.t.ahead_ns = r.clock.ahead_ns;
	r.t.behind_ns = r.clock.behind_ns;
	r.t.held_back = r.clock.held;
	r.t.clock_lost = r.clock.lost;
	r.t.floor_ns = r.clock.floor_ns;
	rc = run(&r, &why);
	if (!rc && r.rc) {
		rc = r.rc;
		snprintf(why.text, sizeof(why.text), "%s", r.why);
	}
	if (!rc && r.clock.held)
		rc = why_set(&why, -ETIME, "the clock is further ahead than it can be: what it says to be due waits for a person");
	*ret = r.t;
out:
	holds_close(r.holds);
	free(r.bucket);
	free(r.punch);
	root_close(&r.root);
	if (lock >= 0)
		close(lock);
	if (rc && text && n)
		snprintf(text, n, "%s", why.text);
	return rc;
}
