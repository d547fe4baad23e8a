/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pipe_internal.h - what the files of pipe.h share
 *
 * pipe.c has the caller's requests, start and end; pipe_encode.c queues, jobs and encoders; pipe_write.c the two threads
 * that bring audio to the disk; pipe_disk.c the disk's thread, and the repair of a broken store; pipe_ended.c calls that have
 * ended, until the disk has their row.
 *
 * Every job goes the same way, so those of a call keep their order: (encoder ->) `write` -> `disk`. The writing thread
 * puts chunks into segments and flushes them, and waits for nothing but those writes; the disk's thread, behind it, takes down where
 * they are, and may wait for the evidence log, for fdatasync and for SQLite as long as it takes: what is noted is a part of
 * what is appended. The saving thread makes audio durable when the disk's thread is busy with that for longer than a sync.
 *
 * Who touches what: the caller a call's key, wraps and numbers; its encoder
 * `chunks` and `epoch`; the writing thread `from`, until the disk's has its OPEN; the disk's thread everything else. A call that was ended
 * or aborted is no longer the caller's: its last job frees it. The job that ends a call
 * stays with it until a sync has covered the row, and then brings the caller what that says.
 * Each queue has a lock, held for a few instructions; waiting for the disk happens outside.
 */
#ifndef PIPE_INTERNAL_H
#define PIPE_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "store/pipe.h"
#include "store/store_call.h"

#define ENCODERS_MAX 16
#define TEXTS	     64 /* of ends, reasons and gaps, each */

enum op { OP_OPEN, OP_CHUNK, OP_CODED, OP_WRITTEN, OP_NOTE, OP_END, OP_LEAVE, OP_ABORT, OP_DENIED, OP_SETTLE, OP_BARRIER };

/*
 * Its memory, and that of the tail, is the pipe's own (pipe.mem): audio in it is locked and wiped, and who takes
 * some waits for no other thread that is behind. Jobs of chunks, the many, end before `now`.
 */
struct job {
	struct job *next, *prev;
	enum op op;
	struct store_call *sc;
	uint8_t *tail; /* the chunk, plain or coded; NULL none */
	size_t tail_bytes;
	size_t bytes; /* of the queue's limit */
	unsigned leg; /* CHUNK; BARRIER: which encoder */
	uint32_t part; /* CHUNK */
	const struct partkey *key; /* CHUNK: of the part; pipe_forget_part takes the job away before it goes */
	uint64_t number; /* BARRIER */
	union {
		struct chunk chunk;
		struct {
			struct coded coded;
			struct extent extent; /* WRITTEN: where; len 0: nowhere, it is lost */
		};
	};
	union { /* NOTE; END, DENIED */
		struct store_call_now now;
		struct {
			struct store_call_result result;
			struct store_call_result said; /* what the row says */
		};
	};
	bool rowed;  /* the row is in the open transaction */
	bool tried;  /* it was in one: perhaps the disk has it */
	bool there;  /* another row has the call's name: what that says */
	bool no_row; /* refused: there will be none */
	char text[3 + STORE_PURPOSES][TEXTS];
};

/*
 * Who takes from a queue is `asleep` until something comes, or rests for a while because it just had something: then jobs
 * that can wait do not wake it before there are GATHER. On one core each wake is two changes of threads, for one chunk.
 */
#define GATHER 64
#define REST_NS	     (20 * NS_PER_MS) /* of the writing thread: audio waits */
#define REST_DISK_NS (100 * NS_PER_MS) /* nothing does: it only takes down where chunks are */

struct queue {
	pthread_mutex_t lock;
	pthread_cond_t more;
	struct job *first, *last;
	unsigned gathered; /* since it was woken */
	bool stop, asleep;
	uint64_t rest_ns;
	bool rests; /* its thread's */
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
	struct queue write, disk;
	pthread_t writer, thread, saver;
	bool writes, runs, saves;
	pthread_mutex_t segments; /* guards st->writer, which a repair replaces: held while something is appended */
	pthread_mutex_t save_lock; /* guards it for who syncs; before `segments`; and for the saver: */
	pthread_cond_t save_more;
	bool save, save_stop;
	uint64_t bytes, max; /* atomic */
	pthread_mutex_t mem_lock; /* guards mem, for the time of a wipe; passes urgency on */
	struct slab *mem;	  /* of jobs */
	uint64_t plain;	     /* of bytes, what waits for an encoder; atomic */
	pthread_mutex_t lock; /* guards synced, sync_rc, *_why */
	pthread_cond_t done;
	uint64_t synced; /* number of the last sync that was asked for and is done */
	int sync_rc;
	char broken_why[512], failed_why[512]; /* failed: of the writing or saving thread, until the disk's knows */
	uint64_t wanted; /* the caller's */
	pthread_mutex_t before_lock; /* guards before, held while it runs */
	bool (*before)(void *arg);
	void *before_arg;
	atomic_bool last; /* store_finish: a broken store is not to wait for its time */
	struct queue over;	 /* END and DENIED whose row is durable, for the caller */
	struct job *telling; /* the caller's: whose texts it looks at */
	/* the writing thread */
	struct why write_why;
	bool unflushed;
	uint64_t flush_at;
	struct why save_why; /* the saving thread's */
	/* the disk's thread */
	struct why why;
	uint64_t passed[ENCODERS_MAX];
	bool broken;
	uint64_t held_ns; /* since when `before` keeps rows from the disk; 0 it does not */
	unsigned waiting; /* DENIED on the list of ended ones */
	bool later;	  /* some of these are not in a transaction, though the store is not broken: the log holds it up */
	uint64_t sync_at, repair_at, erase_at, reaped_at;
};

/* ---- pipe_encode.c ---- */

void queue_init(struct queue *q, uint64_t rest_ns);
void queue_free(struct queue *q);
void queue_put(struct queue *q, struct job *j); /* CODED, WRITTEN can wait */
/* For its thread: the next, NULL there was none until then (mono_ns), or there will be none (stop). */
struct job *queue_next(struct queue *q, uint64_t until, bool *ret_stop);
void queue_unlink(struct queue *q, struct job *j); /* with the lock held */
void queue_stop(struct queue *q);		    /* its thread ends when it is empty */

/* tail: bytes, at most SLAB_MAX. NULL no memory. */
struct job *queue_job(struct pipe *p, enum op op, struct store_call *sc, size_t tail);
void queue_charge(struct pipe *p, struct job *j, size_t n);	      /* to the queue's limit, until queue_job_free */
void queue_job_free(struct pipe *p, struct job *j); /* NULL-tolerant; wiped */
/* For the disk: a chunk as bytes. NULL no memory. */
struct job *queue_coded(struct pipe *p, struct store_call *sc, const struct coded *k, const uint8_t *bytes);
/* A chunk that comes to nothing. */
void pipe_count_lost(struct store_call *sc, uint32_t packets);

struct encoder *encoder_of(struct pipe *p, const struct store_call *sc); /* NULL: there are none */
void *encoder_run(void *arg);						  /* the thread; arg: its encoder */
/* Nothing of the call (key: of this part of it) is in the encoder any more, and nothing comes. */
void encoder_discard(struct encoder *e, struct store_call *sc, const struct partkey *key);

/* ---- pipe_write.c ---- */

void *write_run(void *arg); /* the threads; arg: the pipe */
void *save_run(void *arg);
void save_soon(struct pipe *p); /* all audio of now durable, whatever the disk's thread waits for */
void save_stop(struct pipe *p); /* its thread ends */
/* The store broke in a thread that is not the disk's, which sees to it. */
void pipe_broke(struct pipe *p, int err, const struct why *why);

/* ---- pipe_disk.c ---- */

void *disk_run(void *arg); /* the thread; arg: the pipe */

/* ---- pipe_ended.c; the disk's thread ---- */

/* The call has ended with job j, which is this module's from now on: it gets its row now, or after the repair. */
void ended_take(struct pipe *p, struct job *j);
/* After a sync: rows that had no room in the transaction before. Whether another one would make them durable. */
bool ended_more(struct pipe *p);
/* In a repair: rows that no sync covered. 0, or the error that broke the store again. */
int ended_again(struct pipe *p);
/* The threads are gone: what is left has no row, and nobody is told. Calls that were left to another process stay its. */
void ended_free(struct pipe *p);

#endif
