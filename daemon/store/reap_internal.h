/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * reap_internal.h - what the files of the reaper share
 *
 * One `struct reap` a run. Parts return nothing: what fails is told by reap_fault, once, and the run goes on with the
 * next thing; only what makes the whole run senseless (no store, no memory for the plan) is returned.
 */
#ifndef REAP_INTERNAL_H
#define REAP_INTERNAL_H

#include "store/evlog.h"
#include "store/outbox.h"
#include "store/reap.h"
#include "store/reap_clock.h"
#include "store/store_internal.h"

/* A bucket of the store. */
struct reap_bucket {
	char controller[STORE_NAME_MAX];
	unsigned purpose;
	uint32_t day;
	uint64_t destroy_ns, destroyed_ns;
	bool live;    /* its key is there; of a dry run also when it would not be */
	bool due;     /* destroyed now, or before and not told */
	bool damaged; /* cannot be parsed: due by its name */
	bool by_name; /* destroy_ns is the latest that it can be: the file was not read */
	bool now;     /* became due with this look; else it was dealt with */
	bool failed;  /* could not be destroyed */
	bool busy;    /* somebody had it locked: it dies after the others */
	bool spared;  /* its key lives on for calls on hold alone (slots of version 1) */
	bool told;    /* its event is durable, or will be with the next commit */
	uint64_t late_ns; /* how long after destroy_ns it died */
	uint64_t calls, late; /* that are not on hold */
	uint64_t held;
};

struct reap {
	const struct reap_settings *set;
	struct root root;
	struct reap_clock clock;
	uint64_t now_ns; /* the clock's, with what passed since it was read */
	uint64_t due_ns; /* what is due by then */
	uint64_t early_ns; /* buckets: so long before */
	uint64_t at_ns;	 /* what is written down as the time of the run */
	uint64_t began_ns, looked_ns, single_ns, marked_ns; /* monotonic: the run, the last look at buckets and at single calls, the last mark of time */
	bool said;	 /* reaper.told is in the outbox, or need not be */
	struct reap_bucket *bucket; /* oldest first; moves in reap_again */
	size_t nbucket;
	struct holds *holds;	    /* NULL: damaged; another one after reap_again */
	bool alone;		    /* nobody changes them meanwhile; of a dry run, as if */
	struct outbox *out; /* NULL: it cannot be written, nothing is told in this run */
	struct reap_row *punch; /* erased one by one, and nothing of them can be read any more */
	size_t npunch;
	struct reap_totals t;
	int rc; /* of the first fault */
	char why[512];
};

/* How long others' locks are waited for. */
unsigned reap_lock_ms(const struct reap *r);
/* The run goes on. */
void reap_fault(struct reap *r, int rc, const char *text);
void reap_progress(const struct reap *r, const char *what, uint64_t bytes, uint64_t calls);
void reap_item(const struct reap *r, const struct reap_item *it);

/* Between two steps that may take long: what has come due is destroyed and told, when the last look was a while ago. */
void reap_again(struct reap *r, bool single);

/* reap_plan.c: all buckets of the store. -ENOMEM, or a directory cannot be read. */
int reap_plan(struct reap *r, struct why *why);
/* Those of them that have come due since, and of those that were made since. How many. */
size_t reap_plan_again(struct reap *r);
/* The latest instant at which that day begins anywhere. */
uint64_t reap_day_begun(uint32_t day);
/* A copy of a key of that day, as path has it, is to be destroyed by now. */
bool reap_copy_due(const struct reap *r, const char *controller, unsigned purpose, uint32_t day, const char *path);
/* reap_copies.c: they are. Holds are open. */
void reap_copies(struct reap *r);
/* Its calls, from the slots file, and those of holds; the key may be dead, also by an earlier run. */
void reap_count(struct reap *r, struct reap_bucket *b);

/* reap_hold.c: calls on hold. Opened before keys die; shared when they are dead. */
void reap_holds_open(struct reap *r);
void reap_holds_share(struct reap *r);
/* Of the bucket's calls that are on hold: b->held; whether one is. */
void reap_hold_count(const struct reap *r, struct reap_bucket *b);
bool reap_hold_is(const struct reap *r, const struct reap_bucket *b, const struct uid *uid);
/* Before the bucket dies. False: its key stays (b->spared). */
bool reap_hold_bucket(struct reap *r, struct reap_bucket *b);
/* When keys are dead: later.db says of its held calls that they are kept. Others may have it locked. */
void reap_hold_note(struct reap *r, const struct reap_bucket *b);
/* reap_area.c: rows and segments of a controller that no hold keeps are taken away. */
void reap_area_look(struct reap *r, const char *controller);
/* Held calls of a day are in the hold area. Not 0: the day stays. */
int reap_hold_day(struct reap *r, const char *controller, uint32_t day, struct why *why);
/* What is not on hold any more leaves it. */
void reap_hold_released(struct reap *r);

/* reap_single.c: purposes of single calls: requests (STORE/erase), training that nobody used, what a later policy keeps shorter. */
void reap_single(struct reap *r);
/* Events of one that was erased; counted. */
void reap_single_told(struct reap *r, const struct uid *uid, const char *controller, unsigned purpose, const char *reason,
		      uint64_t due_ns);

/* The key of that day is there: as the plan has it, or, where that has none, its file. */
bool reap_bucket_lives(const struct reap *r, const char *controller, unsigned purpose, uint32_t day);

/* reap_tell.c: events into the outbox. What it does not take is a fault. */
void reap_tell_open(struct reap *r);
int reap_tell(struct reap *r, const struct evlog_event *e);
/* 0: all that was told is durable. */
int reap_tell_commit(struct reap *r);
/* Before something is destroyed: who said what time it is, durably. */
void reap_tell_who(struct reap *r);
void reap_tell_close(struct reap *r); /* and into the log, when nobody else does it */

/* reap_space.c: what is unlinked. reap_punch.c: space of r->punch. */
void reap_space(struct reap *r);
struct reap_ring;
void reap_punch(struct reap *r, struct reap_ring *ring);

#endif
