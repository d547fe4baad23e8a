/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * record_end.c - what became of calls that ended: counted, and told to the evidence log
 *
 * Invariant: every matched call comes to exactly one outcome, and it is that of its row. Live, the store says it when
 * the disk has the row (store_next_done); until then the call is an `ending` here. Replay counts at once, and what it
 * tells waits for the row in evidence.c (evidence_outcome). One that the store never speaks
 * of (the program ends, the disk is broken) has no outcome here: evidence_settle of the next process asks the
 * store again. One thread.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "evidence.h"
#include "record_call.h"
#include "record_internal.h"
#include "store/store.h"

#define ENDINGS_BLOCK 256  /* are made at once, and stay: what ends within a sync, and while a disk is broken */
#define TOLD_AT_ONCE  1024 /* a millisecond of packets waits */
#define FINISH_S      5	   /* less than a supervisor waits for us */

/* What is told of a call, when the call itself is gone. */
struct ending {
	struct ending *next, **prev;
	struct uid uid;
	const struct policy *policy; /* recorder_pinned */
	const struct policy_rule *rule;
	const char *end;
	bool answered, told, begun;
	uint64_t start_ns, answer_ns, end_ns;
	uint64_t slot;
	enum purpose_state state[POLICY_PURPOSES];
	struct recording_result result;
};

struct endings_block {
	struct endings_block *next;
	struct ending v[ENDINGS_BLOCK];
};

static struct ending *ending_get(struct recorder *r)
{
	struct endings_block *b;
	struct ending *n;

	if (!r->endings_free) {
		b = calloc(1, sizeof(*b));
		if (!b)
			return NULL;
		b->next = r->endings_blocks;
		r->endings_blocks = b;
		for (size_t i = 0; i < ENDINGS_BLOCK; i++) {
			b->v[i].next = r->endings_free;
			r->endings_free = &b->v[i];
		}
	}
	n = r->endings_free;
	r->endings_free = n->next;
	return n;
}

static void ending_put(struct recorder *r, struct ending *n)
{
	memset(n, 0, sizeof(*n));
	n->next = r->endings_free;
	r->endings_free = n;
}

static void ending_of(struct recorder *r, struct call *c, const struct recording_result *end, bool told, bool begun, struct ending *n)
{
	*n = (struct ending){ .uid = c->uid, .policy = c->policy, .rule = c->rule, .end = c->end, .answered = c->answered,
			      .told = told, .begun = begun, .start_ns = c->start_ns, .answer_ns = c->answer_ns,
			      .end_ns = c->end_ns, .slot = c->decide.sample_slot, .result = *end };
	memcpy(n->state, c->state, sizeof(n->state));
	c->decide.sample_slot = 0; /* the ending's now */
	c->decide.sample_waits = false;
	n->prev = &r->endings;
	n->next = r->endings;
	if (n->next)
		n->next->prev = &n->next;
	r->endings = n;
	r->fig.unwritten++;
}

/* As much of the call as is told of. */
static void call_of(const struct ending *n, struct call *c)
{
	memset(c, 0, sizeof(*c));
	c->uid = n->uid;
	c->policy = n->policy;
	c->rule = n->rule;
	c->end = n->end;
	c->matched = true;
	c->answered = n->answered;
	c->start_ns = n->start_ns;
	c->answer_ns = n->answer_ns;
	c->end_ns = n->end_ns;
	c->decide.sample_slot = n->slot;
	memcpy(c->state, n->state, sizeof(c->state));
}

static void count_end(struct recorder *r, const struct call *c, const struct recording_result *end)
{
	if (r->set.decided) {
		for (int p = 0; p < POLICY_PURPOSES; p++)
			if (c->rule->purpose[p].basis != POLICY_B_NONE)
				r->set.decided(r->set.arg, (enum policy_purpose)p, end->state[p], end->reason[p]);
	}
	r->fig.kept += end->end == RECORDING_KEPT;
	r->fig.denied += end->end == RECORDING_DENIED;
	r->fig.gaps += end->end == RECORDING_GAP;
	r->fig.muted_samples += end->muted;
	r->fig.known += end->end == RECORDING_KNOWN;
	if (end->end == RECORDING_KEPT)
		r->fig.call_ns += c->end_ns - (c->answered ? c->answer_ns : c->start_ns);
}

static void tell(struct recorder *r, struct call *c, const struct recording_result *end, bool told, bool begun)
{
	if (told && end->end == RECORDING_KEPT)
		proof_kept(r, c, end);
	else if (told)
		proof_denied(r, c, end, begun);
	if (r->set.evidence)
		evidence_slot_end(r->set.evidence, c, end->end == RECORDING_KEPT && end->state[POLICY_TRAINING] == PURPOSE_GRANTED);
	if (end->gap && *end->gap)
		proof_alarm(r, c, RECORDER_GAP);
	count_end(r, c, end);
}

/* The store failed, or there was no memory for it: nothing of it is kept. */
static void lost_call(struct recorder *r, struct call *c)
{
	r->fig.lost_calls++;
	if (!r->set.evidence || r->restoring)
		return;
	evidence_slot_end(r->set.evidence, c, false);
	evidence_call(r->set.evidence, c, EVLOG_CALL_GAP, -1, EVLOG_S_CAPTURE, "store", NULL, 0);
}

void recorder_ended(void *arg, struct call *c)
{
	struct recorder *r = arg;
	struct recording_result end;
	struct ending *n;
	bool begun, told = proof_wanted(r, c);
	uint64_t drops;
	int e;

	if (!c->user) {
		if (r->set.evidence)
			lost_call(r, c);
		return;
	}
	if (!r->err && park(r, c)) {
		c->peers->kept = true; /* unless all of the conversation is denied */
		c->user = NULL;
		return;
	}
	begun = recording_begun(c->user);
	drops = store_drops(r->set.store);
	n = store_repairs(r->set.store) ? ending_get(r) : NULL; /* no memory: told at once, right or wrong */
	e = r->err;
	if (e)
		recording_abort(c->user);
	else
		e = recording_end(c->user, c, n, &end);
	end.drops_before = drops;
	end.drops = store_drops(r->set.store);
	if (n && (e || !end.later)) {
		ending_put(r, n);
		n = NULL;
	}
	if (e) {
		c->user = NULL;
		recorder_failed(r, e);
		lost_call(r, c);
		return;
	}
	if (c->peers)
		c->peers->kept = end.end == RECORDING_KEPT;
	if (told && c->peers && c->peers->relation)
		evidence_link(r->set.evidence, c, call_relation_name((enum call_relation)c->peers->relation), &c->peers->other);
	if (n)
		ending_of(r, c, &end, told, begun, n);
	else
		tell(r, c, &end, told, begun);
}

/* What the row says goes before what we thought it would. */
static void take_row(struct ending *n, const struct store_done *d)
{
	struct recording_result *e = &n->result;

	e->end = d->outcome == STORE_O_KEPT ? RECORDING_KEPT : d->outcome == STORE_O_GAP ? RECORDING_GAP : RECORDING_DENIED;
	for (int p = 0; p < POLICY_PURPOSES; p++) {
		e->state[p] = (enum purpose_state)d->state[p];
		e->reason[p] = d->reason[p];
	}
	e->gap = d->gap;
	e->packets = d->packets;
	e->audio_ms = d->audio_ms;
	e->muted = e->end == RECORDING_KEPT ? d->muted : 0;
	e->inspected = d->inspected;
	e->blocked = d->blocked;
}

void endings_tell(struct recorder *r)
{
	struct store_done d;
	struct call c;

	for (unsigned i = 0; i < TOLD_AT_ONCE && store_next_done(r->set.store, &d); i++) {
		struct ending *n = d.tag;

		take_row(n, &d);
		call_of(n, &c);
		*n->prev = n->next;
		if (n->next)
			n->next->prev = n->prev;
		r->fig.unwritten--;
		tell(r, &c, &n->result, n->told, n->begun);
		ending_put(r, n);
	}
}

/*
 * The evidence log, which rows wait for, may still be opening, or its disk be slow: no reason to give up calls in progress, nor to
 * leave those that ended without their rows.
 */
static int finish_store(struct recorder *r)
{
	const struct timespec wait = { .tv_nsec = 50000000 };
	struct timespec begin, now;
	int e;

	clock_gettime(CLOCK_MONOTONIC, &begin);
	do {
		e = store_finish(r->set.store);
		if (e == -EAGAIN)
			(void)nanosleep(&wait, NULL);
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (e == -EAGAIN && now.tv_sec - begin.tv_sec < FINISH_S);
	return e;
}

int endings_finish(struct recorder *r)
{
	int e = finish_store(r);
	uint64_t before;

	do {
		before = r->fig.unwritten;
		endings_tell(r);
	} while (r->fig.unwritten != before);
	if (!e && r->set.evidence)
		evidence_rows_durable(r->set.evidence);
	return e;
}

size_t endings_pinned(const struct recorder *r, const struct policy *p)
{
	size_t k = 0;

	for (const struct ending *n = r->endings; n; n = n->next)
		k += n->policy == p;
	return k;
}

void endings_free(struct recorder *r)
{
	struct endings_block *b;

	while ((b = r->endings_blocks)) {
		r->endings_blocks = b->next;
		free(b);
	}
}
