/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * evidence_internal.h - what evidence.c (events, thread) and evidence_sample.c (the sampler's side) share
 *
 * `lock` guards the two queues and the figures; it is the innermost lock: nobody calls the sampler or the log with
 * it held (the sampler's callback takes it).
 */
#ifndef EVIDENCE_INTERNAL_H
#define EVIDENCE_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/hash.h"
#include "call/sample.h"
#include "call/sample_log.h"
#include "evidence.h"

#define QUEUE_MAX (64u << 20) /* bytes; more than an hour's events of a busy site */

struct item { /* an event; its texts follow it */
	struct item *next;
	size_t bytes;
	uint64_t after, upto; /* drops of the store that it waits for; 0, 0 none */
	struct evlog_event e;
};

/* A call that a process before left, and that goes on here. */
struct alive {
	struct alive *next;
	struct hnode node;
	struct item *match, *grant[EVLOG_PURPOSES]; /* events that the log must have; NULL: need not, or has */
	struct uid uid;
};

struct drawn { /* a record of the sampler */
	struct drawn *next;
	struct sample_record r;
	struct sample_open open; /* r.open points here, when it points */
	struct item *event;	 /* of a draw, without data; NULL */
};

struct evidence {
	bool live;
	char *dir;
	pthread_t thread;
	bool running;

	pthread_mutex_t lock;
	pthread_cond_t wake, flushed;
	bool stop, hurry; /* hurry: a call waits for its slot, or the store for a flush */
	uint64_t asked, done; /* evidence_flush: rounds that were asked for, and are over */
	int done_rc;	      /* of the latest */
	struct item *first, **last;
	struct item *rows, **rows_last; /* not live: outcomes of calls whose rows are not durable yet */
	struct drawn *rfirst, **rlast;
	size_t bytes;
	struct evidence_figures fig;

	/* the sampler's side; drawing: what the callback makes the draw's event from, the recorder's thread's */
	struct sample *sample;
	struct sample_log *slog;
	const struct call *drawing;
	const char *speaker; /* the recorder's thread's */
	uint64_t ticked_ns;
	atomic_uint_fast64_t saved;
	atomic_bool usable;   /* seeds of before are known, draws may be made */
	atomic_bool refusing; /* the log takes nothing that begins */

	/* the thread's own */
	struct evlog *log;
	struct alive *alive;
	bool settled; /* calls of a process before have their outcome */
	size_t left_open; /* such calls, when the log was opened */
	uint64_t outbox_ns; /* the outbox waits for them until then; 0 not yet set */
	uint64_t settle_ns; /* not again before */
	bool (*is_settled)(void *arg); /* the store was; NULL: it was before we began */
	void *arg; /* of these */
	uint64_t first_seq; /* of what we said; 0 nothing yet */
	struct item *held; /* taken from the queue, not appended yet, oldest first */
	struct item *aside; /* of these, those whose slots the disk refuses to overwrite */
	uint64_t refused_ns; /* since when it does; 0 it does not */
	int (*drops_sync)(void *arg, char *why, size_t n);
	bool (*drops_wait)(void *arg, uint64_t after, uint64_t upto);
	void (*before)(void *arg);
	struct drawn *rheld;
	uint64_t unmatched_ns;
	atomic_uint_fast64_t unmatched;
	int said, outbox_said; /* the errors that were logged last */

	struct htab sms;     /* messages whose receipt is waited for; under the lock */
	uint64_t sms_due_ns; /* no receipt is late before; 0 none is waited for */
};

/* ---- evidence.c ---- */
void evidence_queue(struct evidence *ev, const struct evlog_event *e); /* any thread */
struct item *evidence_item(const struct evlog_event *e);
int evidence_append(struct evidence *ev, const struct evlog_event *e);
void evidence_said(struct evidence *ev, int e, const char *what, const char *why);

/* ---- evidence_settle.c; the thread's ---- */
/* first: seeds of before, told to evidence_seed_seen, and what is missing of calls that go on. Settle: calls without an outcome. */
int evidence_look_back(struct evidence *ev, bool first, bool settle);
void evidence_alive_free(struct evidence *ev);

/* ---- evidence_sms.c; any thread ---- */
/* e: "awaited", with its deadline. -ENOSPC no room, which somebody has to be told. */
int evidence_sms_await(struct evidence *ev, const struct evlog_event *e);
void evidence_sms_seen(struct evidence *ev, const struct evlog_event *e); /* in the log, of a process before */
void evidence_sms_round(struct evidence *ev, uint64_t now_ns);
void evidence_sms_free(struct evidence *ev);

/* ---- evidence_outbox.c; the thread's ---- */
void evidence_take_outbox(struct evidence *ev, uint64_t now);

/* ---- evidence_sample.c; the thread's, but for the first ---- */
int evidence_sample_new(struct evidence *ev, char *why, size_t n);
int evidence_sample_open(struct evidence *ev, char *why, size_t n);
/* State and records durable; draws' events are at the end of `held` then. */
int evidence_sample_round(struct evidence *ev);
int evidence_seeds(struct evidence *ev, uint64_t now_ns);
void evidence_seed_seen(struct evidence *ev, const struct evlog_line *l);
void evidence_sample_free(struct evidence *ev);

#endif
