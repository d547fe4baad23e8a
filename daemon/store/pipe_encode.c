/* SPDX-License-Identifier: BSD-2-Clause */
/* pipe_encode.c - queues, jobs, and the encoders' threads, see pipe_internal.h */
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "base/mutex.h"
#include "base/slab.h"
#include "store/codec.h"
#include "store/pipe_internal.h"

#define BEHIND 10 /* niceness of encoders: capture, which waits for nobody, comes first */

/* ---- queues ---- */

void queue_init(struct queue *q, uint64_t rest_ns)
{
	pthread_condattr_t a;

	q->rest_ns = rest_ns;
	mutex_init(&q->lock);
	pthread_condattr_init(&a);
	pthread_condattr_setclock(&a, CLOCK_MONOTONIC);
	pthread_cond_init(&q->more, &a);
	pthread_condattr_destroy(&a);
}

void queue_free(struct queue *q)
{
	pthread_mutex_destroy(&q->lock);
	pthread_cond_destroy(&q->more);
}

void queue_put(struct queue *q, struct job *j)
{
	bool wake;

	pthread_mutex_lock(&q->lock);
	j->next = NULL;
	j->prev = q->last;
	if (q->last)
		q->last->next = j;
	else
		q->first = j;
	q->last = j;
	wake = (j->op != OP_CODED && j->op != OP_WRITTEN) || q->asleep || ++q->gathered >= GATHER;
	if (wake)
		q->gathered = 0;
	pthread_mutex_unlock(&q->lock);
	if (wake) /* not before: it would only wait for the lock */
		pthread_cond_signal(&q->more);
}

void queue_unlink(struct queue *q, struct job *j)
{
	if (j->prev)
		j->prev->next = j->next;
	else
		q->first = j->next;
	if (j->next)
		j->next->prev = j->prev;
	else
		q->last = j->prev;
}

struct job *queue_next(struct queue *q, uint64_t until, bool *ret_stop)
{
	struct timespec ts;
	struct job *j;

	pthread_mutex_lock(&q->lock);
	if (!q->first && !q->stop) {
		if (q->rests && until > mono_ns() + q->rest_ns)
			until = mono_ns() + q->rest_ns;
		ts = (struct timespec){ .tv_sec = (time_t)(until / NS_PER_S), .tv_nsec = (long)(until % NS_PER_S) };
		q->asleep = !q->rests;
		(void)pthread_cond_timedwait(&q->more, &q->lock, &ts); /* for whatever reason: looks again */
		q->asleep = false;
		q->rests = q->first;
	}
	j = q->first;
	if (j)
		queue_unlink(q, j);
	*ret_stop = q->stop && !j;
	pthread_mutex_unlock(&q->lock);
	return j;
}

void queue_stop(struct queue *q)
{
	pthread_mutex_lock(&q->lock);
	q->stop = true;
	pthread_cond_signal(&q->more);
	pthread_mutex_unlock(&q->lock);
}

void queue_charge(struct pipe *p, struct job *j, size_t n)
{
	uint64_t now = __atomic_add_fetch(&p->bytes, n, __ATOMIC_RELAXED);
	uint64_t max = __atomic_load_n(&p->max, __ATOMIC_RELAXED);

	j->bytes = n;
	if (j->op == OP_CHUNK)
		__atomic_fetch_add(&p->plain, n, __ATOMIC_RELAXED);
	while (now > max && !__atomic_compare_exchange_n(&p->max, &max, now, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
}

static size_t job_size(enum op op)
{
	return op == OP_NOTE || op == OP_END || op == OP_DENIED ? sizeof(struct job) : offsetof(struct job, now);
}

void queue_job_free(struct pipe *p, struct job *j)
{
	if (!j)
		return;
	__atomic_fetch_sub(&p->bytes, j->bytes, __ATOMIC_RELAXED);
	if (j->op == OP_CHUNK)
		__atomic_fetch_sub(&p->plain, j->bytes, __ATOMIC_RELAXED);
	pthread_mutex_lock(&p->mem_lock);
	slab_put(p->mem, j->tail, j->tail_bytes);
	slab_put(p->mem, j, job_size(j->op));
	pthread_mutex_unlock(&p->mem_lock);
}

struct job *queue_job(struct pipe *p, enum op op, struct store_call *sc, size_t tail)
{
	uint8_t *bytes = NULL;
	struct job *j;

	pthread_mutex_lock(&p->mem_lock);
	j = slab_get(p->mem, job_size(op));
	if (j && tail)
		bytes = slab_get(p->mem, tail);
	if (tail && !bytes) {
		slab_put(p->mem, j, job_size(op));
		j = NULL;
	}
	pthread_mutex_unlock(&p->mem_lock);
	if (j) {
		memset(j, 0, job_size(op));
		j->op = op;
		j->sc = sc;
		j->tail = bytes;
		j->tail_bytes = tail;
	}
	return j;
}

struct encoder *encoder_of(struct pipe *p, const struct store_call *sc)
{
	return p->n ? &p->enc[sc->id % p->n] : NULL;
}

void pipe_count_lost(struct store_call *sc, uint32_t packets)
{
	struct store_figures *f = &sc->st->figures;

	sc->lost++;
	figure_add(&f->lost_chunks, 1);
	figure_add(&f->lost_packets, packets);
}

/* ---- encoders ---- */

struct job *queue_coded(struct pipe *p, struct store_call *sc, const struct coded *k, const uint8_t *bytes)
{
	struct job *j = queue_job(p, OP_CODED, sc, k->h.length);

	if (!j)
		return NULL;
	queue_charge(p, j, job_size(OP_CODED) + k->h.length);
	j->coded = *k;
	if (j->tail) /* a chunk is never empty */
		memcpy(j->tail, bytes, k->h.length);
	return j;
}

static void encode(struct encoder *e, struct job *j)
{
	struct pipe *p = e->p;
	struct job *out = NULL;
	struct coded k;

	if (codec_load(e->coder.codec, __atomic_load_n(&p->plain, __ATOMIC_RELAXED), p->set.queue_bytes))
		figure_add(&p->st->figures.fast_chunks, 1);
	if (!chunk_code(&e->coder, j->sc, j->leg, j->part, j->key, &j->chunk, &k))
		out = queue_coded(p, j->sc, &k, e->coder.chunk);
	if (out)
		queue_put(&p->write, out);
	else
		pipe_count_lost(j->sc, j->chunk.npkt);
	queue_job_free(p, j);
}

/*
 * `now` is set in the moment a job leaves the queue, so that an abort finds the
 * call's jobs either in the queue or in `now`.
 */
void *encoder_run(void *arg)
{
	struct encoder *e = arg;
	struct job *j;

	why_here = &e->why;
	(void)nice(BEHIND); /* of this thread alone; without it calls are recorded just so */
	pthread_mutex_lock(&e->q.lock);
	for (;;) {
		while (!e->q.first && !e->q.stop)
			pthread_cond_wait(&e->q.more, &e->q.lock);
		j = e->q.first;
		if (!j)
			break;
		queue_unlink(&e->q, j);
		e->now = j->sc;
		pthread_mutex_unlock(&e->q.lock);
		if (j->op == OP_CHUNK)
			encode(e, j);
		else
			queue_put(&e->p->write, j); /* after this the call may be gone */
		pthread_mutex_lock(&e->q.lock);
		e->now = NULL;
		pthread_cond_signal(&e->idle);
	}
	pthread_mutex_unlock(&e->q.lock);
	return NULL;
}

void encoder_discard(struct encoder *e, struct store_call *sc, const struct partkey *key)
{
	struct job *j, *next;

	pthread_mutex_lock(&e->q.lock);
	for (j = e->q.first; j; j = next) {
		next = j->next;
		if (j->sc != sc || (key && (j->op != OP_CHUNK || j->key != key)))
			continue;
		queue_unlink(&e->q, j);
		if (key)
			scall_forgotten(sc, j->leg, &j->chunk);
		queue_job_free(e->p, j);
	}
	while (e->now == sc)
		pthread_cond_wait(&e->idle, &e->q.lock);
	pthread_mutex_unlock(&e->q.lock);
}
