/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pipe.c - the store's own threads, see pipe.h
 *
 * Who touches what: the caller a call's key, wraps and numbers; its encoder
 * `chunks` and `epoch`; the disk's thread everything else. A call that was ended
 * or aborted is no longer the caller's: its last job frees it. Each queue has a
 * lock, held for a few instructions; waiting for the disk happens outside.
 */
#include "store/pipe.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/mutex.h"
#include "store/catalog.h"
#include "store/opens.h"
#include "store/store_call.h"

#define ENCODERS_MAX  16
#define REPAIR_NS     (5 * NS_PER_S)
#define UNERASED_NS   NS_PER_S
#define REPAIR_SPACE  (64ULL << 20) /* a disk that was full has this much again */
#define TEXTS	      64	    /* of ends, reasons and gaps, each */
#define BEHIND	      10	    /* niceness of encoders: capture, which waits for nobody, comes first */

enum op { OP_OPEN, OP_CHUNK, OP_CODED, OP_NOTE, OP_FORGET, OP_END, OP_LEAVE, OP_ABORT, OP_DENIED, OP_SETTLE, OP_BARRIER };

/* Somebody waits for a job; guarded by pipe.lock. */
struct waiter {
	bool done;
	int rc;
};

struct job {
	struct job *next, *prev;
	enum op op;
	struct store_call *sc;
	size_t bytes; /* of the queue's limit */
	unsigned leg; /* CHUNK; BARRIER: which encoder */
	uint32_t part; /* CHUNK */
	const struct partkey *key; /* CHUNK: of the part; pipe_forget_part takes the job away before it goes */
	uint64_t number; /* BARRIER */
	bool tell;	 /* ABORT */
	struct waiter *wait;
	struct chunk chunk;
	struct coded coded;
	struct store_call_now now;
	struct store_call_result result;
	char text[3 + STORE_PURPOSES][TEXTS];
	uint8_t tail[]; /* the chunk, plain or coded */
};

struct queue {
	pthread_mutex_t lock;
	pthread_cond_t more;
	struct job *first, *last;
	bool stop;
};

struct encoder {
	struct pipe *p;
	unsigned index;
	pthread_t thread;
	bool runs;
	struct queue q;
	struct store_call *now; /* whose job it is at; guarded by q.lock */
	pthread_cond_t idle;	/* `now` has changed */
	struct coder coder;
	struct why why;
};

struct pipe {
	struct store *st;
	struct store_threads_settings set;
	unsigned n; /* encoders */
	struct encoder enc[ENCODERS_MAX];
	struct queue disk;
	pthread_t thread;
	bool runs;
	uint64_t bytes, max; /* atomic */
	pthread_mutex_t lock; /* guards waiters, synced, sync_rc, broken_why */
	pthread_cond_t done;
	uint64_t synced; /* number of the last sync that was asked for and is done */
	int sync_rc;
	char broken_why[512];
	uint64_t wanted; /* the caller's */
	/* the disk's thread */
	struct why why;
	uint64_t passed[ENCODERS_MAX];
	bool unflushed, broken;
	uint64_t flush_at, sync_at, repair_at, erase_at;
};

static uint64_t mono_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

/* ---- queues ---- */

static void queue_init(struct queue *q)
{
	pthread_condattr_t a;

	mutex_init(&q->lock);
	pthread_condattr_init(&a);
	pthread_condattr_setclock(&a, CLOCK_MONOTONIC);
	pthread_cond_init(&q->more, &a);
	pthread_condattr_destroy(&a);
}

static void queue_put(struct queue *q, struct job *j)
{
	pthread_mutex_lock(&q->lock);
	j->next = NULL;
	j->prev = q->last;
	if (q->last)
		q->last->next = j;
	else
		q->first = j;
	q->last = j;
	pthread_cond_signal(&q->more);
	pthread_mutex_unlock(&q->lock);
}

/* With the lock held. */
static void queue_unlink(struct queue *q, struct job *j)
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

static void queue_stop(struct queue *q)
{
	pthread_mutex_lock(&q->lock);
	q->stop = true;
	pthread_cond_signal(&q->more);
	pthread_mutex_unlock(&q->lock);
}

static void charge(struct pipe *p, struct job *j, size_t n)
{
	uint64_t now = __atomic_add_fetch(&p->bytes, n, __ATOMIC_RELAXED);
	uint64_t max = __atomic_load_n(&p->max, __ATOMIC_RELAXED);

	j->bytes = n;
	while (now > max && !__atomic_compare_exchange_n(&p->max, &max, now, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
}

/* Plain audio does not stay in freed memory. */
static void job_free(struct pipe *p, struct job *j)
{
	__atomic_fetch_sub(&p->bytes, j->bytes, __ATOMIC_RELAXED);
	if (j->op == OP_CHUNK)
		explicit_bzero(j->tail, j->bytes);
	free(j);
}

static struct job *job_new(enum op op, struct store_call *sc, size_t tail)
{
	struct job *j = malloc(sizeof(*j) + tail);

	if (j) {
		memset(j, 0, sizeof(*j));
		j->op = op;
		j->sc = sc;
	}
	return j;
}

static void finish(struct pipe *p, struct waiter *w, int rc)
{
	if (!w)
		return;
	pthread_mutex_lock(&p->lock);
	w->done = true;
	w->rc = rc;
	pthread_cond_broadcast(&p->done);
	pthread_mutex_unlock(&p->lock);
}

static int await(struct pipe *p, struct waiter *w)
{
	pthread_mutex_lock(&p->lock);
	while (!w->done)
		pthread_cond_wait(&p->done, &p->lock);
	pthread_mutex_unlock(&p->lock);
	return w->rc;
}

static struct encoder *encoder_of(struct pipe *p, const struct store_call *sc)
{
	return p->n ? &p->enc[sc->id % p->n] : NULL;
}

/* Behind all jobs of the call so far. */
static void put_behind(struct pipe *p, struct job *j)
{
	struct encoder *e = encoder_of(p, j->sc);

	queue_put(e ? &e->q : &p->disk, j);
}

static void count_lost(struct store_call *sc, uint32_t packets)
{
	struct store_figures *f = &sc->st->figures;

	sc->lost++;
	figure_add(&f->lost_chunks, 1);
	figure_add(&f->lost_packets, packets);
}

/* ---- encoders ---- */

static struct job *coded_job(struct pipe *p, struct store_call *sc, const struct coded *k, const uint8_t *bytes)
{
	struct job *j = job_new(OP_CODED, sc, k->h.length);

	if (!j)
		return NULL;
	charge(p, j, sizeof(*j) + k->h.length);
	j->coded = *k;
	memcpy(j->tail, bytes, k->h.length);
	return j;
}

static void encode(struct encoder *e, struct job *j)
{
	struct pipe *p = e->p;
	struct job *out = NULL;
	struct coded k;

	if (!chunk_code(&e->coder, j->sc, j->leg, j->part, j->key, &j->chunk, &k))
		out = coded_job(p, j->sc, &k, e->coder.chunk);
	if (out)
		queue_put(&p->disk, out);
	else
		count_lost(j->sc, j->chunk.npkt);
	job_free(p, j);
}

/*
 * `now` is set in the moment a job leaves the queue, so that an abort finds the
 * call's jobs either in the queue or in `now`.
 */
static void *encoder_run(void *arg)
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
			queue_put(&e->p->disk, j); /* after this the call may be gone */
		pthread_mutex_lock(&e->q.lock);
		e->now = NULL;
		pthread_cond_signal(&e->idle);
	}
	pthread_mutex_unlock(&e->q.lock);
	return NULL;
}

/* Nothing of the call (key: of this part of it) is in the encoder any more, and nothing comes. */
static void encoder_discard(struct encoder *e, struct store_call *sc, const struct partkey *key)
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
		job_free(e->p, j);
	}
	while (e->now == sc)
		pthread_cond_wait(&e->idle, &e->q.lock);
	pthread_mutex_unlock(&e->q.lock);
}

/* ---- the disk's thread: jobs ---- */

static void disk_coded(struct pipe *p, struct job *j)
{
	struct store *st = p->st;
	struct store_call *sc = j->sc;

	if (sc->dead)
		return;
	/* Of before a repair: chunks before it are lost, so its number would tell of a hole. */
	if (st->err || j->coded.h.epoch != st->epoch || scall_write(sc, &j->coded, j->tail))
		count_lost(sc, j->coded.h.packets);
	p->unflushed = true;
}

/* The disk does not take its row now. It keeps its record and gets one after the repair. */
static void end_broken(struct store_call *sc, const struct store_call_result *r)
{
	struct store *st = sc->st;

	for (int i = 0; r && i < STORE_PURPOSES; i++)
		if (!state_holds(r->state[i]))
			(void)scall_drop_wrap(sc, (enum store_purpose)i, true); /* or later: unerased */
	if (sc->listed) {
		scall_free(sc);
		return;
	}
	figure_add(&st->figures.lost_calls, 1);
	scall_abort(sc);
}

static void disk_end(struct store *st, struct job *j)
{
	if (st->err) {
		end_broken(j->sc, &j->result);
		return;
	}
	if (scall_end(j->sc, &j->result) && !st->err)
		figure_add(&st->figures.lost_calls, 1); /* refused, not broken: it was destroyed */
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
	case OP_CODED:
		disk_coded(p, j);
		break;
	case OP_NOTE:
		scall_note(j->sc, &j->now);
		break;
	case OP_FORGET: /* broken: with the repair, which writes all records anew */
		rc = st->err ? 0 : scall_forget(j->sc);
		break;
	case OP_END:
		disk_end(st, j);
		break;
	case OP_LEAVE:
		if (st->err)
			end_broken(j->sc, NULL);
		else
			(void)scall_leave(j->sc); /* on failure it was aborted, and the store is broken */
		break;
	case OP_ABORT:
		if (st->err)
			scall_free(j->sc); /* a record that stays has no wraps any more */
		else
			rc = scall_close(j->sc, j->tell);
		break;
	case OP_DENIED:
		if (st->err || denied_row(st, &j->sc->meta, &j->result))
			figure_add(&st->figures.lost_calls, 1);
		scall_free(j->sc);
		break;
	case OP_SETTLE:
		rc = st->err ? 0 : settle_here(st, &calls);
		break;
	case OP_BARRIER:
		p->passed[j->leg] = j->number;
		break;
	case OP_CHUNK:
		break;
	}
	if (rc && !st->err)
		st->err = rc;
	finish(p, j->wait, rc);
	job_free(p, j);
}

/* ---- the disk's thread: now and then ---- */

static void disk_sync(struct pipe *p)
{
	struct store *st = p->st;
	uint64_t from = mono_ns(), ns;

	p->sync_at = p->set.sync_ns ? from + p->set.sync_ns : UINT64_MAX;
	p->unflushed = false;
	if (p->broken)
		return;
	(void)sync_here(st); /* sets err */
	ns = mono_ns() - from;
	figure_add(&st->figures.syncs, 1);
	__atomic_store_n(&st->figures.sync_last_ns, ns, __ATOMIC_RELAXED);
	if (ns > __atomic_load_n(&st->figures.sync_max_ns, __ATOMIC_RELAXED))
		__atomic_store_n(&st->figures.sync_max_ns, ns, __ATOMIC_RELAXED);
}

/* A sync that was asked for is due when all encoders have passed its number on. */
static void disk_asked(struct pipe *p)
{
	uint64_t all = UINT64_MAX;

	for (unsigned i = 0; i < (p->n ? p->n : 1); i++)
		all = p->passed[i] < all ? p->passed[i] : all;
	if (all == p->synced)
		return;
	disk_sync(p);
	pthread_mutex_lock(&p->lock);
	p->synced = all;
	p->sync_rc = p->st->err;
	pthread_cond_broadcast(&p->done);
	pthread_mutex_unlock(&p->lock);
}

static void disk_breaks(struct pipe *p)
{
	struct store *st = p->st;
	int err = st->err;

	figure_add(&st->figures.errors, 1);
	pthread_mutex_lock(&p->lock);
	if (p->why.text[0])
		memcpy(p->broken_why, p->why.text, sizeof(p->broken_why));
	else
		snprintf(p->broken_why, sizeof(p->broken_why), "%s: %s", st->root.path, strerror(-err));
	pthread_mutex_unlock(&p->lock);
	(void)sync_here(st); /* calls that were complete: as much of them as the disk takes */
	p->broken = true;
	p->repair_at = mono_ns() + REPAIR_NS;
}

/* Everything that writes is opened anew; what the disk had of each call is what the last sync covered. */
static int reopen(struct store *st)
{
	int rc;

	writer_free(st->writer);
	catalog_free(st->catalog);
	opens_free(st->opens);
	st->writer = NULL;
	st->catalog = NULL;
	st->opens = NULL;
	rc = epoch_next(&st->root, &st->epoch, why_of(st));
	if (!rc)
		rc = writer_recover(&st->root, why_of(st));
	if (!rc)
		rc = writer_new(&st->root, &st->writer, why_of(st));
	if (!rc)
		rc = catalog_new(&st->root, &st->catalog);
	if (!rc)
		rc = opens_new(&st->root, &st->opens, why_of(st));
	if (!rc && !st->reserve)
		reserve_take(st);
	return rc;
}

static int go_on(struct store *st)
{
	uint64_t calls = 0;
	int rc = 0;

	for (struct store_call *sc = st->calls; !rc && sc; sc = sc->next) {
		scall_shorten(sc);
		if (!sc->from.segment)
			rc = writer_where(st->writer, sc->meta.controller, sc->day, &sc->from.segment, &sc->from.end,
					  why_of(st));
	}
	if (rc || !st->settled)
		return rc;
	/* Calls that ended meanwhile, and those whose end was rolled back. */
	rc = left_load(st);
	if (!rc)
		rc = settle_left(st, &calls);
	figure_add(&st->figures.cut_calls, calls);
	return rc;
}

static void disk_repair(struct pipe *p)
{
	struct store *st = p->st;
	int err = st->err, rc;

	p->repair_at = mono_ns() + REPAIR_NS;
	if ((err == -ENOSPC || err == -EDQUOT) && free_space(st) < REPAIR_SPACE)
		return;
	rc = reopen(st);
	if (!rc) {
		st->err = 0;
		rc = go_on(st);
		if (!rc)
			rc = sync_here(st);
		if (rc)
			st->err = rc;
	}
	if (!rc) {
		p->broken = false;
		figure_add(&st->figures.repairs, 1);
	}
}

static void disk_now_and_then(struct pipe *p)
{
	uint64_t now = mono_ns();

	if (p->st->err && !p->broken)
		disk_breaks(p);
	disk_asked(p);
	if (p->broken && now >= p->repair_at)
		disk_repair(p);
	if (now >= p->sync_at)
		disk_sync(p);
	if (now >= p->flush_at) {
		p->flush_at = now + p->set.flush_ns;
		if (p->unflushed && !p->broken && !p->st->err)
			writer_flush(p->st->writer);
		p->unflushed = false;
	}
	if (now >= p->erase_at) {
		p->erase_at = now + UNERASED_NS;
		(void)unerased_retry(p->st); /* counted */
	}
}

static struct job *disk_next(struct pipe *p, bool *ret_stop)
{
	uint64_t until = p->flush_at < p->sync_at ? p->flush_at : p->sync_at;
	struct timespec ts = { .tv_sec = (time_t)(until / NS_PER_S), .tv_nsec = (long)(until % NS_PER_S) };
	struct queue *q = &p->disk;
	struct job *j;

	pthread_mutex_lock(&q->lock);
	if (!q->first && !q->stop)
		(void)pthread_cond_timedwait(&q->more, &q->lock, &ts); /* for whatever reason: looks again */
	j = q->first;
	if (j)
		queue_unlink(q, j);
	*ret_stop = q->stop && !j;
	pthread_mutex_unlock(&q->lock);
	return j;
}

static void *disk_run(void *arg)
{
	struct pipe *p = arg;
	bool stop = false;

	why_here = &p->why;
	while (!stop) {
		struct job *j = disk_next(p, &stop);

		if (j)
			disk_job(p, j);
		disk_now_and_then(p);
	}
	return NULL;
}

/* ---- the caller ---- */

int pipe_open(struct store_call *sc)
{
	struct pipe *p = sc->st->pipe;
	struct job *j = job_new(OP_OPEN, sc, 0);

	if (!j)
		return -ENOMEM;
	queue_put(&p->disk, j);
	return 0;
}

static bool has_room(const struct pipe *p, const struct store_call *sc, size_t n)
{
	bool documentation = sc->meta.until_ns[STORE_DOCUMENTATION] &&
			     (sc->keyed[STORE_DOCUMENTATION] || !sc->gone[STORE_DOCUMENTATION]);
	uint64_t limit = documentation ? p->set.queue_bytes : p->set.queue_bytes / 4 * 3;

	return __atomic_load_n(&p->bytes, __ATOMIC_RELAXED) + n <= limit;
}

static void shed(struct store_call *sc, const struct chunk *c)
{
	sc->shed++;
	figure_add(&sc->st->figures.shed_chunks, 1);
	figure_add(&sc->st->figures.shed_packets, c->npkt);
}

/* Coded here, when there are no encoders. */
static int append_coded(struct store_call *sc, unsigned leg, const struct chunk *c)
{
	struct store *st = sc->st;
	struct coded k;
	struct job *j;
	int rc = chunk_code(&st->coder, sc, leg, sc->leg_part[leg], sc->parts.v[sc->leg_part[leg]].key, c, &k);

	if (rc)
		return rc;
	j = coded_job(st->pipe, sc, &k, st->coder.chunk);
	if (j)
		queue_put(&st->pipe->disk, j);
	else
		count_lost(sc, c->npkt);
	return 0;
}

int pipe_append(struct store_call *sc, unsigned leg, const struct chunk *c)
{
	struct pipe *p = sc->st->pipe;
	size_t head = c->npkt * sizeof(*c->pkt), n = head + c->nbytes;
	struct job *j;

	if (leg > 1 || !c->npkt || c->npkt > CHUNK_MAX_PACKETS || c->nbytes > CHUNK_MAX_BYTES)
		return why_set(why_of(sc->st), -EINVAL, "chunk cannot be coded: %s", strerror(EINVAL));
	if (sc->st->err) {
		count_lost(sc, c->npkt);
		return 0;
	}
	if (!has_room(p, sc, sizeof(*j) + n)) {
		shed(sc, c);
		return 0;
	}
	if (!p->n)
		return append_coded(sc, leg, c);
	j = job_new(OP_CHUNK, sc, n);
	if (!j) {
		shed(sc, c);
		return 0;
	}
	charge(p, j, n);
	j->leg = leg;
	j->part = sc->leg_part[leg];
	j->key = sc->parts.v[j->part].key;
	j->chunk = *c;
	j->chunk.pkt = (struct chunk_pkt *)(void *)j->tail;
	j->chunk.data = j->tail + head;
	memcpy(j->chunk.pkt, c->pkt, head);
	if (c->nbytes)
		memcpy(j->chunk.data, c->data, c->nbytes);
	put_behind(p, j);
	return 0;
}

static const char *keep_text(char to[TEXTS], const char *s)
{
	snprintf(to, TEXTS, "%s", s ? s : "");
	return to;
}

void pipe_note(struct store_call *sc, const struct store_call_now *now)
{
	struct pipe *p = sc->st->pipe;
	struct job *j = job_new(OP_NOTE, sc, 0);

	if (!j)
		return; /* the record says what was true before */
	j->now = *now;
	for (int i = 0; i < STORE_PURPOSES; i++)
		j->now.reason[i] = keep_text(j->text[i], now->reason[i]);
	put_behind(p, j);
}

static int put_and_wait(struct pipe *p, struct job *j)
{
	struct waiter w = { 0 };

	/* cppcheck-suppress autoVariables ; awaited below, so it outlives the job */
	j->wait = &w;
	queue_put(&p->disk, j);
	return await(p, &w);
}

int pipe_forget(struct store_call *sc)
{
	struct job *j = job_new(OP_FORGET, sc, 0);

	return j ? put_and_wait(sc->st->pipe, j) : -ENOMEM;
}

static void take_result(struct job *j, const struct store_call_result *r)
{
	j->result = *r;
	j->result.end = keep_text(j->text[0], r->end);
	j->result.gap = keep_text(j->text[1], r->gap);
	for (int i = 0; i < STORE_PURPOSES; i++)
		j->result.reason[i] = keep_text(j->text[2 + i], r->reason[i]);
	j->result.agent = r->agent ? keep_text(j->text[2 + STORE_PURPOSES], r->agent) : NULL;
}

int pipe_end(struct store_call *sc, const struct store_call_result *r)
{
	struct store *st = sc->st;
	struct job *j;

	for (int p = 0; p < STORE_PURPOSES; p++)
		if (state_holds(r->state[p]) && !sc->slot[p]) {
			pipe_abort(sc);
			return why_set(why_of(st), -EINVAL, "%s is granted but was never committed",
				       store_purpose_names[p]);
		}
	j = job_new(OP_END, sc, 0);
	if (!j) {
		pipe_abort(sc);
		return why_set(why_of(st), -ENOMEM, "out of memory");
	}
	take_result(j, r);
	put_behind(st->pipe, j);
	return 0;
}

int pipe_leave(struct store_call *sc)
{
	struct store *st = sc->st;
	struct job *j = job_new(OP_LEAVE, sc, 0);

	if (!j) {
		pipe_abort(sc);
		return why_set(why_of(st), -ENOMEM, "out of memory");
	}
	put_behind(st->pipe, j);
	return 0;
}

void pipe_abort(struct store_call *sc)
{
	struct store *st = sc->st;
	struct encoder *e = encoder_of(st->pipe, sc);
	struct job *j = job_new(OP_ABORT, sc, 0);
	bool tell;
	int rc;

	sc->dead = true;
	if (e)
		encoder_discard(e, sc, NULL);
	scall_parts_wipe(sc);
	rc = scall_drop_wraps(sc, &tell);
	if (rc && !st->err)
		st->err = rc;
	if (!j) /* its memory stays; nothing in it opens anything */
		return;
	j->tell = tell;
	if (tell)
		(void)put_and_wait(st->pipe, j); /* an error breaks the store */
	else
		queue_put(&st->pipe->disk, j);
}

void pipe_forget_part(struct store_call *sc, const struct partkey *key)
{
	struct encoder *e = encoder_of(sc->st->pipe, sc);

	if (e)
		encoder_discard(e, sc, key);
}

int pipe_denied(struct store *st, const struct store_call_meta *meta, const struct store_call_result *r)
{
	struct store_call *sc = scall_new(st);
	struct job *j = sc ? job_new(OP_DENIED, sc, 0) : NULL;
	int rc = j ? scall_copy_meta(sc, meta) : -ENOMEM;
	size_t n[2] = { meta->caller ? strlen(meta->caller) : 0, meta->callee ? strlen(meta->callee) : 0 };
	char *at;

	if (!rc) { /* the numbers, for their hashes */
		at = malloc(n[0] + n[1] + 2);
		if (at) {
			sc->meta.caller = memcpy(at, n[0] ? meta->caller : "", n[0] + 1);
			sc->meta.callee = memcpy(at + n[0] + 1, n[1] ? meta->callee : "", n[1] + 1);
			sc->party_text = at;
			sc->party_size = n[0] + n[1] + 2;
		} else {
			rc = -ENOMEM;
		}
	}
	if (rc) {
		scall_free(sc);
		free(j);
		return why_set(why_of(st), rc, "out of memory");
	}
	take_result(j, r);
	queue_put(&st->pipe->disk, j);
	return 0;
}

int pipe_settle(struct store *st)
{
	struct job *j = job_new(OP_SETTLE, NULL, 0);

	if (!j)
		return why_set(why_of(st), -ENOMEM, "out of memory");
	queue_put(&st->pipe->disk, j);
	return 0;
}

uint64_t store_sync_start(struct store *st)
{
	struct pipe *p = st->pipe;

	if (!p) {
		(void)store_sync(st); /* breaks the store when it fails */
		return 0;
	}
	for (unsigned i = 0; i < (p->n ? p->n : 1); i++) {
		struct job *j = job_new(OP_BARRIER, NULL, 0);

		if (!j) /* the next one includes it */
			break;
		j->leg = i;
		j->number = p->wanted + 1;
		queue_put(p->n ? &p->enc[i].q : &p->disk, j);
	}
	return ++p->wanted;
}

bool store_sync_done(const struct store *st, uint64_t number)
{
	struct pipe *p = st->pipe;
	bool done;

	if (!p)
		return true;
	pthread_mutex_lock(&p->lock);
	done = p->synced >= number;
	pthread_mutex_unlock(&p->lock);
	return done;
}

int pipe_sync(struct store *st)
{
	struct pipe *p = st->pipe;
	uint64_t number = store_sync_start(st);
	int rc;

	pthread_mutex_lock(&p->lock);
	while (p->synced < number)
		pthread_cond_wait(&p->done, &p->lock);
	rc = p->sync_rc;
	if (rc)
		why_set(&st->why, rc, "%s", p->broken_why[0] ? p->broken_why : strerror(-rc));
	pthread_mutex_unlock(&p->lock);
	return rc;
}

int store_broken(struct store *st, char *why, size_t n)
{
	struct pipe *p = st->pipe;
	int err = st->err;

	if (!err || !n)
		return err;
	if (!p) {
		snprintf(why, n, "%s", st->why.text);
		return err;
	}
	pthread_mutex_lock(&p->lock);
	snprintf(why, n, "%s", p->broken_why[0] ? p->broken_why : strerror(-err));
	pthread_mutex_unlock(&p->lock);
	return err;
}

bool store_repairs(const struct store *st)
{
	return st->pipe;
}

void pipe_figures(const struct store *st, struct store_figures *ret)
{
	struct pipe *p = st->pipe;

	if (!p)
		return;
	ret->queue_bytes = __atomic_load_n(&p->bytes, __ATOMIC_RELAXED);
	ret->queue_max = __atomic_load_n(&p->max, __ATOMIC_RELAXED);
}

/* ---- life ---- */

void store_threads_default(struct store_threads_settings *ret)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	*ret = (struct store_threads_settings){
		.encoders = cpus <= 2 ? 1 : cpus > 4 ? 4 : (unsigned)cpus - 1,
		.queue_bytes = 64u << 20,
		.sync_ns = NS_PER_S,
		.flush_ns = 150 * NS_PER_MS,
	};
}

static int start_one(pthread_t *t, bool *ret_runs, void *(*run)(void *arg), void *arg, const char *name)
{
	sigset_t all, old;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = pthread_create(t, NULL, run, arg);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	*ret_runs = !rc;
	if (!rc)
		(void)pthread_setname_np(*t, name); /* for top(1) */
	return -rc;
}

int store_threads(struct store *st, const struct store_threads_settings *s)
{
	struct pipe *p;
	int rc = check_writable(st);

	if (rc)
		return rc;
	if (st->pipe)
		return why_set(&st->why, -EALREADY, "threads run already");
	p = calloc(1, sizeof(*p));
	if (!p)
		return why_set(&st->why, -ENOMEM, "out of memory");
	p->st = st;
	p->set = *s;
	p->n = s->encoders < ENCODERS_MAX ? s->encoders : ENCODERS_MAX;
	if (!p->set.flush_ns)
		p->set.flush_ns = NS_PER_S;
	queue_init(&p->disk);
	mutex_init(&p->lock);
	pthread_cond_init(&p->done, NULL);
	p->flush_at = mono_ns() + p->set.flush_ns;
	p->sync_at = p->set.sync_ns ? mono_ns() + p->set.sync_ns : UINT64_MAX;
	for (unsigned i = 0; i < p->n; i++) {
		p->enc[i].p = p;
		p->enc[i].index = i;
		queue_init(&p->enc[i].q);
		pthread_cond_init(&p->enc[i].idle, NULL);
	}
	st->pipe = p;
	rc = start_one(&p->thread, &p->runs, disk_run, p, "store-disk");
	for (unsigned i = 0; !rc && i < p->n; i++) {
		rc = coder_new(&p->enc[i].coder);
		if (!rc)
			rc = start_one(&p->enc[i].thread, &p->enc[i].runs, encoder_run, &p->enc[i], "store-encode");
	}
	if (rc) {
		pipe_stop(st);
		return why_set(&st->why, rc, "cannot start threads: %s", strerror(-rc));
	}
	return 0;
}

void pipe_stop(struct store *st)
{
	struct pipe *p = st->pipe;

	if (!p)
		return;
	for (unsigned i = 0; i < p->n; i++) {
		struct encoder *e = &p->enc[i];

		if (e->runs) {
			queue_stop(&e->q);
			pthread_join(e->thread, NULL);
		}
		coder_free(&e->coder);
		pthread_mutex_destroy(&e->q.lock);
		pthread_cond_destroy(&e->q.more);
		pthread_cond_destroy(&e->idle);
	}
	if (p->runs) {
		queue_stop(&p->disk);
		pthread_join(p->thread, NULL);
	}
	pthread_mutex_destroy(&p->disk.lock);
	pthread_cond_destroy(&p->disk.more);
	pthread_mutex_destroy(&p->lock);
	pthread_cond_destroy(&p->done);
	st->pipe = NULL;
	free(p);
}
