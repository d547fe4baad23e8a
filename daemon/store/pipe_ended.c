/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pipe_ended.c - calls that have ended, until the disk has their row
 *
 * Invariants: a call is on the list of ended ones from its end until a sync covered its row or it was refused one, and
 * on no other; its keys are gone. What is told of it is what a durable row says. The disk's thread, but for
 * ended_free and store_next_done.
 */
#include <errno.h>
#include <string.h>

#include "store/catalog.h"
#include "store/opens.h"
#include "store/pipe_internal.h"

#define HELD_MAX_NS (30 * NS_PER_S) /* then rows go before what they waited for: it may be damaged for good */
#define DENIED_MAX 16384 /* that wait for a repair or the log: some 3 KB each; then there is no row. Calls with audio were in progress before */
#define HELD_MAX   16384 /* rows of any kind that wait for the log; then they go first */

/* The sc is freed, the job goes to the caller, if he wants it. */
static void over(struct pipe *p, struct store_call *sc)
{
	struct job *j = sc->end;

	p->waiting -= j->op == OP_DENIED;
	scall_free(sc);
	figure_add(&p->st->figures.unwritten, (uint64_t)-1);
	j->sc = NULL;
	if (j->result.tag)
		queue_put(&p->over, j);
	else
		queue_job_free(p, j);
}

/* No row, and nothing is left of it. */
static void refuse(struct pipe *p, struct store_call *sc)
{
	struct store *st = p->st;
	struct job *j = sc->end;
	bool tell;
	int rc;

	j->no_row = true;
	figure_add(&st->figures.lost_calls, 1);
	rc = scall_drop_wraps(sc, &tell);
	if (!rc && sc->listed && !st->err)
		rc = opens_delete(st->opens, &sc->meta.uid, why_of(st));
	if (rc && !st->err)
		st->err = rc;
	over(p, sc);
}

/* Its row into the open transaction. What breaks the store leaves it for the repair. */
static void add(struct pipe *p, struct store_call *sc)
{
	struct store *st = p->st;
	struct job *j = sc->end;
	int rc;

	if (j->op == OP_DENIED) {
		j->said = j->result;
		rc = denied_row(st, &sc->meta, &j->result);
	} else {
		rc = scall_row(sc, &j->result, &j->said);
	}
	if (!rc)
		j->rowed = j->tried = true;
	else if (st->err)
		return;
	else if (rc == -EEXIST) /* a repair or a daemon before gave it one */
		j->rowed = j->there = true;
	else
		refuse(p, sc);
}

/* On no row's purposes but these a wrap may stay, also while there is no row. */
static void drop_others(struct store_call *sc, const struct store_call_result *r)
{
	for (int p = 0; p < STORE_PURPOSES; p++)
		if (!state_holds(r->state[p]))
			(void)scall_drop_wrap(sc, (enum store_purpose)p, true); /* or later: unerased */
}

static void link_ended(struct store_call *sc)
{
	struct store *st = sc->st;

	if (sc->prev)
		*sc->prev = sc->next;
	if (sc->next)
		sc->next->prev = sc->prev;
	sc->prev = &st->ended;
	sc->next = st->ended;
	if (sc->next)
		sc->next->prev = &sc->next;
	st->ended = sc;
}

/* The log holds rows back, and the open transaction has as many as the disk was reserved for. */
static bool full(const struct pipe *p)
{
	return (p->held_ns || p->later) && catalog_pending(p->st->catalog) >= PENDING_MAX - 1;
}

void ended_take(struct pipe *p, struct job *j)
{
	struct store_call *sc = j->sc;
	struct store *st = p->st;

	sc->end = j;
	link_ended(sc);
	figure_add(&st->figures.unwritten, 1);
	p->waiting += j->op == OP_DENIED;
	if (j->op == OP_END)
		scall_parts_wipe(sc);
	if (j->op == OP_DENIED && p->waiting > DENIED_MAX) {
		refuse(p, sc);
		return;
	}
	if (!st->err && !full(p)) {
		add(p, sc);
		return;
	}
	p->later |= !st->err;
	if (j->op == OP_END)
		drop_others(sc, &j->result);
}

bool ended_more(struct pipe *p)
{
	struct store *st = p->st;

	if (!p->later || st->err)
		return false;
	p->later = false;
	for (struct store_call *sc = st->ended, *next; sc && !st->err; sc = next) {
		next = sc->next;
		if (sc->end->rowed)
			continue;
		if (full(p)) {
			p->later = true;
			break;
		}
		add(p, sc);
	}
	return !p->held_ns && !st->err;
}

int ended_again(struct pipe *p)
{
	struct store *st = p->st;
	struct store_call *sc, *next;

	for (sc = st->ended; sc; sc = sc->next) {
		sc->end->rowed = false;
		scall_shorten(sc);
	}
	/* A sync in between takes away those that are rowed, and no other. */
	for (sc = st->ended; sc && !st->err; sc = next) {
		struct job *j = sc->end;
		int rc = j->tried ? scall_has_row(st, sc) : 0;

		next = sc->next;
		if (rc < 0) {
			st->err = rc;
		} else if (rc) { /* the disk had it after all */
			j->rowed = true;
			if (sc->listed)
				rc = opens_delete(st->opens, &sc->meta.uid, why_of(st));
			if (rc < 0)
				st->err = rc;
		} else {
			figure_add(&st->figures.cut_calls, sc->lost != 0);
			add(p, sc);
		}
	}
	return st->err;
}

/* Another row's words, as this one's. */
static int read_row(struct store *st, struct store_call *sc)
{
	struct store_call_result *r = &sc->end->said;
	struct catalog_outcome o;
	int rc = catalog_outcome(st->catalog, sc->meta.controller, sc->day, &sc->meta.uid, &o, why_of(st));

	if (rc)
		return rc;
	*r = (struct store_call_result){ .outcome = o.outcome, .tag = sc->end->result.tag };
	for (int p = 0; p < STORE_PURPOSES; p++) {
		r->state[p] = o.state[p];
		r->reason[p] = memcpy(sc->end->text[2 + p], o.reason[p], TEXTS);
	}
	r->gap = memcpy(sc->end->text[1], o.gap, TEXTS);
	r->leg[0] = (struct store_leg_figures){ .packets = o.packets, .audio_ms = o.audio_ms, .muted = o.muted, .inspected = o.inspected,
						.blocked = o.blocked };
	return 0;
}

bool pipe_before_rows(struct store *st)
{
	struct pipe *p = st->pipe;
	bool ready;

	pthread_mutex_lock(&p->before_lock);
	ready = !p->before || p->before(p->before_arg);
	pthread_mutex_unlock(&p->before_lock);
	if (ready)
		p->held_ns = 0;
	else if (!p->held_ns)
		p->held_ns = mono_ns();
	if (ready || (mono_ns() - p->held_ns < HELD_MAX_NS && st->figures.unwritten < HELD_MAX))
		return ready;
	figure_add(&st->figures.rows_first, st->figures.unwritten != 0);
	return true;
}

void pipe_rows_durable(struct store *st)
{
	for (struct store_call *sc = st->ended, *next; sc; sc = next) {
		bool tell;

		next = sc->next;
		if (!sc->end->rowed)
			continue;
		if (sc->end->there) {
			sc->end->no_row = read_row(st, sc) != 0;
			(void)scall_drop_wraps(sc, &tell); /* that row names others; those that cannot be erased are tried again */
			if (sc->listed) /* fails: who finds both believes the row */
				(void)opens_delete(st->opens, &sc->meta.uid, why_of(st));
		}
		over(st->pipe, sc);
	}
}

void ended_free(struct pipe *p)
{
	struct store_call *sc, *next;
	struct job *j;

	for (sc = p->st->calls; sc; sc = next) {
		next = sc->next;
		if (sc->leaving && sc->listed) /* no sync covered that it leaves: an older record is there */
			scall_free(sc);
	}

	while ((sc = p->st->ended)) {
		queue_job_free(p, sc->end);
		scall_free(sc);
	}
	while ((j = p->over.first)) {
		queue_unlink(&p->over, j);
		queue_job_free(p, j);
	}
	if (p->telling)
		queue_job_free(p, p->telling);
	p->telling = NULL;
}

/* ---- the caller ---- */

static struct job *take_done(struct pipe *p)
{
	struct job *j;

	pthread_mutex_lock(&p->over.lock);
	j = p->over.first;
	if (j)
		queue_unlink(&p->over, j);
	pthread_mutex_unlock(&p->over.lock);
	return j;
}

bool store_next_done(struct store *st, struct store_done *ret)
{
	struct pipe *p = st->pipe;
	const struct store_call_result *r;

	if (!p)
		return false;
	if (p->telling)
		queue_job_free(p, p->telling);
	p->telling = take_done(p);
	if (!p->telling)
		return false;
	r = p->telling->no_row ? &p->telling->result : &p->telling->said;
	*ret = (struct store_done){ .tag = p->telling->result.tag, .row = !p->telling->no_row, .outcome = r->outcome,
				    .gap = r->gap ? r->gap : "" };
	for (int i = 0; i < STORE_PURPOSES; i++) {
		ret->state[i] = r->state[i];
		ret->reason[i] = r->reason[i] ? r->reason[i] : "";
		if (ret->row || !state_holds(ret->state[i]))
			continue;
		ret->state[i] = STORE_S_DENIED;
		ret->reason[i] = "gap";
	}
	for (int leg = 0; ret->row && leg < 2; leg++) {
		ret->packets += r->leg[leg].packets;
		ret->audio_ms += r->leg[leg].audio_ms;
		ret->muted += r->leg[leg].muted;
	}
	ret->inspected = r->leg[0].inspected + r->leg[1].inspected;
	ret->blocked = r->leg[0].blocked + r->leg[1].blocked;
	if (!ret->row) {
		ret->outcome = STORE_O_GAP;
		ret->gap = "store";
	}
	return true;
}
