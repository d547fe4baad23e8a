/* SPDX-License-Identifier: BSD-2-Clause */
/* pipe.c - the store's own threads: what the caller asks of them, their start and end, see pipe.h and pipe_internal.h */
#include "store/pipe.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mutex.h"
#include "base/slab.h"
#include "store/codec.h"
#include "store/pipe_internal.h"
#include "store/sealing.h"
#include "store/slots.h"

/* ---- the caller ---- */

/* Behind all jobs of the call so far. */
static void put_behind(struct pipe *p, struct job *j)
{
	struct encoder *e = encoder_of(p, j->sc);

	queue_put(e ? &e->q : &p->write, j);
}

int pipe_open(struct store_call *sc)
{
	struct pipe *p = sc->st->pipe;
	struct job *j = queue_job(sc->st->pipe, OP_OPEN, sc, 0);

	if (!j)
		return -ENOMEM;
	queue_put(&p->write, j);
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
	int rc;

	codec_effort(st->coder.codec, CODEC_FAST); /* the caller has packets to take */
	rc = chunk_code(&st->coder, sc, leg, sc->leg_part[leg], sc->parts.v[sc->leg_part[leg]].key, c, &k);

	if (rc)
		return rc;
	j = queue_coded(st->pipe, sc, &k, st->coder.chunk);
	if (j)
		queue_put(&st->pipe->write, j);
	else
		pipe_count_lost(sc, c->npkt);
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
		pipe_count_lost(sc, c->npkt);
		return 0;
	}
	if (!has_room(p, sc, sizeof(*j) + n)) {
		shed(sc, c);
		return 0;
	}
	if (!p->n)
		return append_coded(sc, leg, c);
	j = queue_job(p, OP_CHUNK, sc, n);
	if (!j) {
		shed(sc, c);
		return 0;
	}
	queue_charge(p, j, n);
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
	struct job *j = queue_job(sc->st->pipe, OP_NOTE, sc, 0);

	if (!j)
		return; /* the record says what was true before */
	j->now = *now;
	for (int i = 0; i < STORE_PURPOSES; i++)
		j->now.reason[i] = keep_text(j->text[i], now->reason[i]);
	put_behind(p, j);
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
	j = queue_job(sc->st->pipe, OP_END, sc, 0);
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
	struct job *j = queue_job(sc->st->pipe, OP_LEAVE, sc, 0);

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
	struct job *j = queue_job(sc->st->pipe, OP_ABORT, sc, 0);
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
	queue_put(&st->pipe->write, j);
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
	struct job *j = sc ? queue_job(st->pipe, OP_DENIED, sc, 0) : NULL;
	int rc = j ? scall_day(st, meta, &sc->day) : -ENOMEM;
	size_t n[2] = { meta->caller ? strlen(meta->caller) : 0, meta->callee ? strlen(meta->callee) : 0 };
	char *at;

	rc = rc ? rc : scall_copy_meta(sc, meta);
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
		queue_job_free(st->pipe, j);
		return why_set(why_of(st), rc, "out of memory");
	}
	take_result(j, r);
	queue_put(&st->pipe->write, j);
	return 0;
}

int pipe_settle(struct store *st)
{
	struct job *j = queue_job(st->pipe, OP_SETTLE, NULL, 0);

	if (!j)
		return why_set(why_of(st), -ENOMEM, "out of memory");
	queue_put(&st->pipe->write, j);
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
		struct job *j = queue_job(p, OP_BARRIER, NULL, 0);

		if (!j) /* the next one includes it */
			break;
		j->leg = i;
		j->number = p->wanted + 1;
		queue_put(p->n ? &p->enc[i].q : &p->write, j);
	}
	return ++p->wanted;
}

void store_sync_tick(struct store *st)
{
	struct pipe *p = st->pipe;

	if (p && p->wanted && !store_sync_done(st, p->wanted))
		save_soon(p);
	else
		(void)store_sync_start(st); /* what fails breaks the store */
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

int store_finish(struct store *st)
{
	if (st->pipe)
		st->pipe->last = true;
	return store_sync(st);
}

void store_before_rows(struct store *st, bool (*fn)(void *arg), void *arg)
{
	struct pipe *p = st->pipe;

	if (!p)
		return;
	pthread_mutex_lock(&p->before_lock);
	p->before = fn;
	p->before_arg = arg;
	pthread_mutex_unlock(&p->before_lock);
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
		.sync_ns = 300 * NS_PER_MS,
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

void store_expect(struct store *st, const char *controller, enum store_purpose p, const char *zone, uint64_t until_ns)
{
	if (st->pipe)
		slots_want(st->slots, controller, p, zone, until_ns);
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
	if (!p || slab_new(&p->mem)) {
		free(p);
		return why_set(&st->why, -ENOMEM, "out of memory");
	}
	/* Blocks are powers of two. A queue that fills up for the first time is no moment to wait for pages. */
	(void)slab_ahead(p->mem, s->queue_bytes + s->queue_bytes / 8, false);
	p->st = st;
	p->set = *s;
	p->n = s->encoders < ENCODERS_MAX ? s->encoders : ENCODERS_MAX;
	if (!p->set.flush_ns)
		p->set.flush_ns = NS_PER_S;
	queue_init(&p->write, REST_NS);
	queue_init(&p->disk, REST_DISK_NS);
	queue_init(&p->over, 0);
	mutex_init(&p->lock);
	mutex_init(&p->segments);
	mutex_init(&p->save_lock);
	pthread_cond_init(&p->save_more, NULL);
	mutex_init(&p->mem_lock);
	pthread_mutex_init(&p->before_lock, NULL);
	pthread_cond_init(&p->done, NULL);
	p->sync_at = p->set.sync_ns ? mono_ns() + p->set.sync_ns : UINT64_MAX;
	for (unsigned i = 0; i < p->n; i++) {
		p->enc[i].p = p;
		p->enc[i].index = i;
		queue_init(&p->enc[i].q, 0);
		pthread_cond_init(&p->enc[i].idle, NULL);
	}
	st->pipe = p;
	rc = start_one(&p->thread, &p->runs, disk_run, p, "store-disk");
	rc = rc ? rc : start_one(&p->saver, &p->saves, save_run, p, "store-save");
	rc = rc ? rc : start_one(&p->writer, &p->writes, write_run, p, "store-write");
	for (unsigned i = 0; !rc && i < p->n; i++) {
		rc = coder_new(&p->enc[i].coder);
		if (!rc)
			rc = start_one(&p->enc[i].thread, &p->enc[i].runs, encoder_run, &p->enc[i], "store-encode");
	}
	if (!rc)
		rc = sealing_start(st->sealing);
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
		queue_free(&e->q);
		pthread_cond_destroy(&e->idle);
	}
	if (p->writes) {
		queue_stop(&p->write);
		pthread_join(p->writer, NULL);
	}
	if (p->saves) {
		save_stop(p);
		pthread_join(p->saver, NULL);
	}
	if (p->runs) {
		queue_stop(&p->disk);
		pthread_join(p->thread, NULL);
	}
	ended_free(p);
	queue_free(&p->write);
	queue_free(&p->disk);
	queue_free(&p->over);
	pthread_mutex_destroy(&p->segments);
	pthread_mutex_destroy(&p->save_lock);
	pthread_cond_destroy(&p->save_more);
	pthread_mutex_destroy(&p->before_lock);
	pthread_mutex_destroy(&p->lock);
	pthread_cond_destroy(&p->done);
	pthread_mutex_destroy(&p->mem_lock);
	slab_free(p->mem);
	st->pipe = NULL;
	free(p);
}
