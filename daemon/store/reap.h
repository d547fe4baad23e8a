/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * reap.h - the reaper: what is due is destroyed, then its space is given back
 *
 * A run, in this order (FORMAT.md section 14, DESIGN.md "Deletion"):
 *
 *	1 plan		buckets whose day has begun, oldest first; single calls that somebody asked for, or whose training nobody used
 *	2 destroy	held calls get a key of their own, then bucket keys and slots are overwritten in place: nobody can read the rest
 *	3 tell		one event a bucket or call into the outbox, durable
 *	4 space		rows, slots and segments of days that are over are unlinked; holes for single calls
 *
 * It holds no private key and links nothing that opens a wrap or a chunk. It never needs space to destroy, single calls included: a full
 * disk stops 3, which the next run makes up for, and not 2. Killed anywhere it loses nothing and the next run goes on: what is destroyed stays
 * so, what was not told is (a slots file beside a destroyed bucket), what lies around is unlinked.
 *
 * A time that a person gives (told) decides what is due. What is written down of it has that time when it is past, and the machine's
 * when it lies ahead: nothing happened in the future. Before the first key dies by it the log gets who gave it (reaper.told).
 *
 * Giving space back may take hours, and what comes due meanwhile does not wait for its end: keys are looked for again in between (2 and 3),
 * single calls each minute. The clock's own time goes 2 minutes ahead for buckets: a run comes each minute, and a key must not outlive
 * the first instant of its day. A time that a person gives stands, and goes ahead of nothing.
 *
 * Beside a recorder: keys and slots by their locks (bucket.h), days by daylock.h. One reaper at a time (STORE/reap.lock). An error
 * of one file does not keep the others, nor does a lock that somebody does not give back: keys that nobody locks die first, the
 * others after lock_ms all the same. While the journal of holds is not to be had, only what may be all that a call on hold has waits for a
 * later run: buckets with slots of version 1, and documentation of single calls; nor is the space of days given back. Each is told as a fault. One thread.
 */
#ifndef REAP_H
#define REAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/store.h"

enum reap_what {
	REAP_BUCKET,  /* the key of a controller, purpose and day: calls, held, late_ns */
	REAP_CALL,    /* one purpose of one call: reason */
	REAP_DAY,     /* rows and segments of a day: files, bytes */
	REAP_WAITING, /* a day that a recorder still has open, or that could not be taken: comes with a later run */
	REAP_RECORDS, /* evidence and sampling records before day: files */
	REAP_WHATS,
};
extern const char *const reap_what_names[REAP_WHATS];

/* What was done; of a dry run, what would be. What it points to is there while `item` runs. */
struct reap_item {
	enum reap_what what;
	const char *controller; /* NULL: of none */
	int purpose;		/* enum store_purpose, -1 none */
	uint32_t day;		/* YYYYMMDD, 0 none */
	const struct uid *call; /* REAP_CALL */
	const char *reason;	/* REAP_CALL: "withdrawn", "unused" ...; NULL */
	uint64_t due_ns;	/* since when */
	uint64_t late_ns;	/* how long after that it was destroyed */
	uint64_t calls, held, late; /* keys destroyed; kept by a hold; of the destroyed those whose own deadline had passed */
	uint64_t files, bytes;
};

#define REAP_LOCK_MS  10000
#define REAP_AGAIN_MS 5000
#define REAP_EARLY    (120 * NS_PER_S)
struct reap_settings {
	const char *store;
	uint64_t now_ns;    /* 0: the clock's */
	bool told, confirm; /* see reap_clock.h */
	uint64_t clock_ns;  /* told: what the machine's clock says; 0: not known */
	uint32_t who;	    /* told: the user who says it */
	uint64_t jump_ns;   /* 0: REAP_JUMP */
	uint64_t until_ns;  /* not 0: only what is due by then; may lie ahead in a dry run */
	bool dry;	    /* look, change nothing, take no lock */
	bool wait;	    /* for another reaper to end */
	unsigned rate;	    /* unlinks and holes a second, 0 as fast as it goes */
	unsigned again_ms;  /* between two looks at keys while space is given back, single calls every twelfth; 0: REAP_AGAIN_MS */
	unsigned lock_ms;   /* how long others' locks on holds and on keys are waited for; 0: REAP_LOCK_MS */
	/* Any may be NULL. */
	void *arg;
	void (*item)(void *arg, const struct reap_item *it);
	void (*fault)(void *arg, const char *text); /* something failed, and the run goes on */
	void (*progress)(void *arg, const char *what, uint64_t bytes, uint64_t calls);
};

struct reap_totals {
	uint64_t buckets, calls; /* destroyed: bucket keys; purposes of calls, single ones too */
	uint64_t single;	 /* of `calls` those erased one by one */
	uint64_t late, late_max_ns; /* of `calls` after their own deadline; a bucket's longest delay */
	uint64_t held;		 /* calls that a hold kept from their bucket's end */
	uint64_t released;	 /* held calls whose hold is over: erased */
	uint64_t days, files, bytes; /* space */
	uint64_t waiting;	 /* days left for a later run */
	uint64_t faults;
	uint64_t dead_ns, run_ns; /* how long until all keys were dead; all of it */
	/* of the clock (reap_clock.h) */
	uint64_t due_ns, ahead_ns, behind_ns;
	bool held_back; /* the clock is not believed without a person */
	bool clock_lost;   /* reap.clock is damaged */
	uint64_t floor_ns; /* it is, or is missing: what the clock was compared with */
};

/*
 * 0 done; -EBUSY another reaper is at work and nothing was done; -ETIME held_back: only what surely is due was destroyed;
 * else the first error (its text in why), and whatever else could be done was.
 */
int reap_run(const struct reap_settings *s, struct reap_totals *ret, char *why, size_t n);

/*
 * Asks the reaper to destroy what a purpose has of a call, before its time: a line in STORE/erase (FORMAT.md section 14),
 * durable when this returns 0, acted upon by the next run. Asking twice is asking once. Documentation of a call on hold waits
 * for the hold's end. reason: "withdrawn" (a consent was taken back), or another word of a-z 0-9 . _ - that begins with a
 * letter and has no five digits in a row. -EINVAL not such a word. The call is not looked for.
 */
#define REAP_REASON 48
int reap_request(const char *store, const struct uid *call, enum store_purpose p, const char *reason, uint32_t who,
		 uint64_t now_ns, char *why, size_t n);

/* ---- for tests and fuzzing ---- */

struct reap_ask {
	struct uid call;
	unsigned purpose;
	char reason[REAP_REASON];
	uint64_t at_ns;
	uint32_t who;
	bool done;
	bool plain; /* of before there were checksums */
};
/* A line of STORE/erase without its LF; any bytes. -EBADMSG. */
int reap_ask_parse(const char *p, size_t n, struct reap_ask *ret);

#endif
