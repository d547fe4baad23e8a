/* SPDX-License-Identifier: BSD-2-Clause */
/* pipe_disk.c - the disk's thread: jobs in their order, sync in time, repair, see pipe_internal.h */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "store/catalog.h"
#include "store/opens.h"
#include "store/pipe_internal.h"
#include "store/reap_clock.h"
#include "store/sealing.h"
#include "store/slots.h"

#define REPAIR_NS    (5 * NS_PER_S)
#define UNERASED_NS  NS_PER_S
#define REAPED_NS    (5 * NS_PER_S)
#define LAST_TRIES   10
#define REPAIR_SPACE (64ULL << 20) /* a disk that was full has this much again */

/* ---- the disk's thread: jobs ---- */

static void disk_written(struct pipe *p, struct job *j)
{
	struct store *st = p->st;

	if (j->sc->dead)
		return;
	/* Of before a repair: chunks before it are lost, so its number would tell of a hole. */
	if (!j->extent.len || st->err || j->coded.h.epoch != st->epoch || scall_written(j->sc, &j->coded, &j->extent))
		pipe_count_lost(j->sc, j->coded.h.packets);
}

/* The disk does not take it now. It keeps its record, from which it gets a row after the repair. */
static void leave_broken(struct store_call *sc)
{
	struct store *st = sc->st;

	if (sc->listed) {
		scall_free(sc);
		return;
	}
	figure_add(&st->figures.lost_calls, 1);
	scall_abort(sc);
}

static void disk_job(struct pipe *p, struct job *j)
{
	struct store *st = p->st;
	uint64_t calls;
	int rc = 0;

	p->why.text[0] = 0;
	switch (j->op) {
	case OP_OPEN:
		if (st->err)
			scall_link(j->sc);
		else
			rc = scall_open(j->sc);
		break;
	case OP_WRITTEN:
		disk_written(p, j);
		break;
	case OP_NOTE:
		scall_note(j->sc, &j->now);
		break;
	case OP_END:
	case OP_DENIED:
		ended_take(p, j);
		return;
	case OP_LEAVE:
		if (st->err)
			leave_broken(j->sc);
		else
			(void)scall_leave(j->sc); /* on failure it was aborted, and the store is broken */
		break;
	case OP_ABORT:
		if (st->err)
			scall_free(j->sc); /* a record that stays has no wraps any more */
		else
			rc = scall_close(j->sc, false);
		break;
	case OP_SETTLE:
		st->settling = true; /* else by the repair */
		rc = st->err ? 0 : settle_here(st, &calls);
		break;
	case OP_BARRIER:
		p->passed[j->leg] = j->number;
		break;
	case OP_CHUNK:
	case OP_CODED:
		break;
	}
	if (rc && !st->err)
		st->err = rc;
	queue_job_free(p, j);
}

/* ---- the disk's thread: now and then ---- */

static void disk_sync(struct pipe *p)
{
	struct store *st = p->st;
	uint64_t from = mono_ns(), ns;

	p->sync_at = p->set.sync_ns ? from + p->set.sync_ns : UINT64_MAX;
	if (p->broken) {
		slots_expire(st->slots);
		return;
	}
	do
		(void)sync_here(st); /* sets err */
	while (ended_more(p));
	ns = mono_ns() - from;
	figure_add(&st->figures.syncs, 1);
	__atomic_store_n(&st->figures.sync_last_ns, ns, __ATOMIC_RELAXED);
	if (ns > __atomic_load_n(&st->figures.sync_max_ns, __ATOMIC_RELAXED))
		__atomic_store_n(&st->figures.sync_max_ns, ns, __ATOMIC_RELAXED);
}

static void disk_breaks(struct pipe *p)
{
	struct store *st = p->st;
	int err = st->err;

	figure_add(&st->figures.errors, 1);
	pthread_mutex_lock(&p->lock);
	if (p->failed_why[0])
		memcpy(p->broken_why, p->failed_why, sizeof(p->broken_why));
	else if (p->why.text[0])
		memcpy(p->broken_why, p->why.text, sizeof(p->broken_why));
	else
		snprintf(p->broken_why, sizeof(p->broken_why), "%s: %s", st->root.path, strerror(-err));
	p->failed_why[0] = 0;
	pthread_mutex_unlock(&p->lock);
	(void)sync_here(st); /* calls that were complete: as much of them as the disk takes */
	p->broken = true;
	p->repair_at = mono_ns() + REPAIR_NS;
}

/* Everything that writes is opened anew; what the disk had of each call is what the last sync covered. */
static int reopen(struct store *st)
{
	uint64_t uncut;
	int rc;

	writer_free(st->writer);
	catalog_free(st->catalog);
	sealing_clear(st->sealing); /* which is the newest partition is found anew */
	opens_free(st->opens);
	st->writer = NULL;
	st->catalog = NULL;
	st->opens = NULL;
	rc = epoch_next(&st->root, &st->epoch, why_of(st));
	if (!rc)
		rc = writer_recover(&st->root, &uncut, why_of(st));
	if (!rc)
		__atomic_store_n(&st->figures.uncut, uncut, __ATOMIC_RELAXED);
	if (!rc)
		rc = writer_new(&st->root, st->ring, &st->writer, why_of(st));
	if (!rc)
		rc = catalog_new(&st->root, st->sealing, &st->catalog);
	if (!rc) {
		catalog_told(st->catalog, list_partition, st);
		rc = opens_new(&st->root, &st->opens, why_of(st));
	}
	if (!rc && !st->reserve)
		reserve_take(st);
	return rc;
}

static int go_on(struct pipe *p)
{
	struct store *st = p->st;
	uint64_t calls = 0;
	int rc = 0;

	for (struct store_call *sc = st->calls; !rc && sc; sc = sc->next) {
		scall_shorten(sc);
		if (!sc->from.segment)
			rc = writer_where(st->writer, sc->meta.controller, sc->day, &sc->from.segment, &sc->from.end,
					  why_of(st));
	}
	if (!rc)
		rc = ended_again(p);
	if (rc || !st->settling)
		return rc;
	/* Calls that were left meanwhile. */
	rc = left_load(st);
	if (!rc)
		rc = st->settled ? settle_left(st, &calls) : settle_here(st, &calls);
	figure_add(&st->figures.cut_calls, calls);
	return rc;
}

/* Nothing is appended and nobody syncs meanwhile: where calls go on is where nothing of theirs is yet. */
static int repair(struct pipe *p)
{
	struct store *st = p->st;
	int rc;

	pthread_mutex_lock(&p->save_lock);
	pthread_mutex_lock(&p->segments);
	rc = reopen(st);
	if (!rc) {
		st->err = 0;
		rc = go_on(p);
		if (!rc)
			rc = sync_here(st);
		if (rc)
			st->err = rc;
	}
	pthread_mutex_unlock(&p->segments);
	pthread_mutex_unlock(&p->save_lock);
	return rc;
}

/* last: there will be no other */
static void disk_repair(struct pipe *p, bool last)
{
	struct store *st = p->st;
	int err = st->err, rc;

	p->repair_at = mono_ns() + REPAIR_NS;
	if (!last && (err == -ENOSPC || err == -EDQUOT) && free_space(st) < REPAIR_SPACE)
		return;
	rc = repair(p);
	if (!rc) {
		p->broken = false;
		figure_add(&st->figures.repairs, 1);
	}
}

/* A sync that was asked for is due when all encoders have passed its number on. */
static void disk_asked(struct pipe *p)
{
	uint64_t all = UINT64_MAX;
	bool last;

	for (unsigned i = 0; i < (p->n ? p->n : 1); i++)
		all = p->passed[i] < all ? p->passed[i] : all;
	if (all == p->synced)
		return;
	last = atomic_exchange(&p->last, false);
	if (last && p->broken)
		disk_repair(p, true);
	disk_sync(p);
	if (last && p->st->err && !p->broken) {
		disk_breaks(p);
		disk_repair(p, true);
	}
	for (int i = 0; last && p->held_ns && i < LAST_TRIES; i++) /* who holds the rows may be slow */
		disk_sync(p);
	pthread_mutex_lock(&p->lock);
	p->synced = all;
	p->sync_rc = p->st->err ? p->st->err : p->held_ns ? -EAGAIN : 0;
	pthread_cond_broadcast(&p->done);
	pthread_mutex_unlock(&p->lock);
}

static void disk_now_and_then(struct pipe *p)
{
	uint64_t now = mono_ns(), ran;

	if (p->st->err && !p->broken)
		disk_breaks(p);
	disk_asked(p);
	if (p->broken && now >= p->repair_at)
		disk_repair(p, false);
	if (now >= p->sync_at)
		disk_sync(p);
	if (now >= p->erase_at) {
		p->erase_at = now + UNERASED_NS;
		(void)drops_sync(p->st, &p->why); /* counted */
		if (!p->broken)
			(void)slots_make_wanted(p->st->slots);
	}
	if (now >= p->reaped_at) {
		p->reaped_at = now + REAPED_NS;
		if (reap_clock_ran(&p->st->root, &ran) == 1) /* else the time before stands */
			__atomic_store_n(&p->st->figures.reaped_ns, ran, __ATOMIC_RELAXED);
	}
}

static uint64_t disk_until(const struct pipe *p)
{
	uint64_t until = p->sync_at < p->erase_at ? p->sync_at : p->erase_at;

	return p->broken && p->repair_at < until ? p->repair_at : until;
}

void *disk_run(void *arg)
{
	struct pipe *p = arg;
	bool stop = false;

	why_here = &p->why;
	while (!stop) {
		struct job *j = queue_next(&p->disk, disk_until(p), &stop);

		if (j)
			disk_job(p, j);
		disk_now_and_then(p);
	}
	return NULL;
}
