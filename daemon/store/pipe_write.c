/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pipe_write.c - the threads that bring audio to the disk, see pipe_internal.h
 *
 * The writing thread waits for writes of segments and for nothing else, so that a kill -9 costs what it
 * costs however long a sync takes; the saving thread waits for the disk's cache alone, so that the log and SQLite do
 * not add to what a power cut costs.
 */
#include <stdio.h>
#include <string.h>

#include "base/slab.h"
#include "store/pipe_internal.h"
#include "store/slots.h"

void pipe_broke(struct pipe *p, int err, const struct why *why)
{
	struct store *st = p->st;

	pthread_mutex_lock(&p->lock);
	if (!st->err)
		snprintf(p->failed_why, sizeof(p->failed_why), "%s", why->text);
	pthread_mutex_unlock(&p->lock);
	if (!st->err)
		st->err = err;
	pthread_cond_signal(&p->disk.more);
}

/* ---- writing ---- */

static void take_tail(struct pipe *p, struct job *j)
{
	pthread_mutex_lock(&p->mem_lock);
	slab_put(p->mem, j->tail, j->tail_bytes);
	pthread_mutex_unlock(&p->mem_lock);
	__atomic_fetch_sub(&p->bytes, j->coded.h.length, __ATOMIC_RELAXED);
	j->bytes -= j->coded.h.length;
	j->tail = NULL;
	j->tail_bytes = 0;
}

/* What comes to nothing goes on all the same: the disk's thread counts it. */
static void write_coded(struct pipe *p, struct job *j)
{
	struct store *st = p->st;
	int rc;

	j->extent = (struct extent){ 0 };
	pthread_mutex_lock(&p->segments);
	if (!j->sc->dead && !st->err && j->coded.h.epoch == st->epoch) {
		rc = scall_append(j->sc, &j->coded, j->tail, &j->extent);
		if (rc)
			pipe_broke(p, rc, &p->write_why);
		if (!p->unflushed)
			p->flush_at = mono_ns() + p->set.flush_ns;
		p->unflushed = true;
	}
	pthread_mutex_unlock(&p->segments);
	take_tail(p, j);
	j->op = OP_WRITTEN;
}

/* Before its first chunk, so not where the disk's thread takes it up. */
static void write_open(struct pipe *p, struct job *j)
{
	int rc = 0;

	pthread_mutex_lock(&p->segments);
	if (!p->st->err)
		rc = scall_place(j->sc);
	if (rc)
		pipe_broke(p, rc, &p->write_why);
	pthread_mutex_unlock(&p->segments);
}

static void write_flush(struct pipe *p)
{
	pthread_mutex_lock(&p->segments);
	if (!p->st->err)
		writer_flush(p->st->writer); /* what fails tells who syncs */
	pthread_mutex_unlock(&p->segments);
	p->unflushed = false;
}

void *write_run(void *arg)
{
	struct pipe *p = arg;
	bool stop = false;

	why_here = &p->write_why;
	while (!stop) {
		struct job *j = queue_next(&p->write, p->unflushed ? p->flush_at : UINT64_MAX, &stop);

		if (j && j->op == OP_CODED)
			write_coded(p, j);
		else if (j && j->op == OP_OPEN)
			write_open(p, j);
		if (j)
			queue_put(&p->disk, j);
		if (p->unflushed && mono_ns() >= p->flush_at)
			write_flush(p);
	}
	return NULL;
}

/* ---- saving ---- */

void save_soon(struct pipe *p)
{
	if (pthread_mutex_trylock(&p->save_lock)) /* it saves, or a repair does */
		return;
	p->save = true;
	pthread_cond_signal(&p->save_more);
	pthread_mutex_unlock(&p->save_lock);
}

void save_stop(struct pipe *p)
{
	pthread_mutex_lock(&p->save_lock);
	p->save_stop = true;
	pthread_cond_signal(&p->save_more);
	pthread_mutex_unlock(&p->save_lock);
}

void *save_run(void *arg)
{
	struct pipe *p = arg;
	struct store *st = p->st;
	int rc;

	why_here = &p->save_why;
	pthread_mutex_lock(&p->save_lock);
	while (!p->save_stop) {
		if (!p->save) {
			pthread_cond_wait(&p->save_more, &p->save_lock);
			continue;
		}
		p->save = false;
		rc = st->err ? 0 : writer_sync(st->writer, &p->save_why);
		if (!rc)
			rc = slots_sync(st->slots, &p->save_why);
		if (rc)
			pipe_broke(p, rc, &p->save_why);
		figure_add(&st->figures.saves, 1);
	}
	pthread_mutex_unlock(&p->save_lock);
	return NULL;
}
