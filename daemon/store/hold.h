/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hold.h - calls that stay past their deadline, for a proceeding (FORMAT.md section 13; N-24)
 *
 * A hold is one call's, for documentation alone: what training may have ends at its time all the same. It is a journal
 * (STORE/holds: who, why, until when to be looked at again, who asked for the end and who agreed) and, beside it, a copy
 * of the call's wrap and of the key C it was made under (keys/CONTROLLER/documentation/hold.slots): C opens this call
 * and no other, so the bucket's own key is destroyed at its time whatever is on hold. A call whose slot is of
 * version 1 has no C: it keeps its bucket (hold_keeps_bucket) until the hold ends.
 *
 *	holds_open(root, HOLDS_READ, &h)	what is on hold; waits for nobody
 *	hold_is(h, &uid), holds_each		one, all
 *	holds_close(h)
 *
 *	holds_open(root, HOLDS_WRITE, &h)	waits for the others; nobody adds or ends a hold until holds_close
 *	holds_settle(h, ...)			finishes what a killed program left: the reaper, before it destroys
 *	store_hold_add, _release, _cancel	optag hold
 *	holds_close(h)
 *
 * Who destroys a bucket of documentation has the holds open for writing, has settled them and asked
 * hold_keeps_bucket, until it is destroyed. He does not wait for ever (holds_try): while somebody keeps the journal locked, buckets
 * without a slot of version 1 die all the same, since a hold's copy is made under the bucket's lock, before the hold is
 * confirmed. A damaged journal (-EBADMSG) is not a store without holds: no bucket that
 * may have slots of version 1 is destroyed then, and hold.slots is left alone.
 *
 * Order: a line is durable, then the key is copied or overwritten, durably, then it is confirmed. So a program killed in
 * between leaves a line that holds_settle acts upon; no slot without a line.
 *
 * Two persons are two real user ids of processes that wrote the journal: who can write the store can be anybody (DESIGN.md).
 *
 * Errors are 0 or -errno with a line in why. One thread an object. Links no decryption.
 */
#ifndef HOLD_H
#define HOLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/uid.h"

#define HOLDS_MAX	   10000 /* calls on hold at once */
#define HOLD_REASON	   501	 /* with the terminating zero: UTF-8, no control characters */
#define HOLD_REFERENCE	   101
#define HOLD_NAME	   33  /* a-z 0-9 . _ -, begins with a letter, no five digits in a row */
#define HOLD_REVIEW_MONTHS 6   /* no later from today (N-24) */
#define HOLD_LINE_MAX	   2048

struct root;
struct why;
struct store;

struct hold_person {
	uint32_t uid; /* the process's real one */
	char name[HOLD_NAME];
};

struct hold {
	struct uid uid;
	char controller[64];
	uint32_t day, slot; /* documentation's bucket and slot */
	uint32_t index;	    /* in hold.slots; 0: the slot is of version 1, the bucket stays */
	uint64_t until_ns;  /* the deadline it would have */
	bool held;	    /* false: it was released */
	/* why, as last said */
	uint64_t at_ns;
	struct hold_person by;
	char reason[HOLD_REASON], reference[HOLD_REFERENCE];
	uint32_t review; /* YYYYMMDD: by then somebody says why again */
	/* its end: asked for by one (asked_ns 0: by nobody), agreed by another */
	uint64_t asked_ns, released_ns;
	struct hold_person asker, releaser;
	char asked_reason[HOLD_REASON];
};

struct holds;
enum holds_mode { HOLDS_READ, HOLDS_WRITE };

/*
 * READ: a store without the journal has no holds. WRITE makes it, and cuts a last line that was never confirmed.
 * -EBADMSG: the journal is damaged (why: which line), shorter than it was, not the one that a reaper went by (an older copy of it), or gone
 * while hold.slots are there.
 */
int holds_open(const struct root *r, enum holds_mode mode, struct holds **ret, struct why *why);
/* For writing, for who has no time: -EWOULDBLOCK somebody else still has it open so after wait_ms. */
int holds_try(const struct root *r, unsigned wait_ms, struct holds **ret, struct why *why);
void holds_close(struct holds *h); /* NULL-tolerant */
/*
 * Every key on hold is one that a line is about. A journal of before, which does not say how long it is, looks whole when it was
 * cut at the end of a line: who destroys asks. For who has it open for writing, or alone. -EBADMSG.
 */
int holds_whole(const struct holds *h, struct why *why);
/* The reaper, who has it open for writing, goes by it: from now on a journal that does not begin with these lines is damage. */
int holds_mark(const struct holds *h, struct why *why);
/* For who has a store open; for writing, settled: then *ret_lost (may be NULL) as of holds_settle, and an error of it is
 * in store_why and does not count. */
int store_holds(struct store *st, enum holds_mode mode, struct holds **ret, uint64_t *ret_lost);

/* The call's hold, NULL: it is not on hold. Until the next change. */
const struct hold *hold_is(const struct holds *h, const struct uid *uid);
size_t holds_count(const struct holds *h); /* on hold now */
/* All that are on hold, in the order in which they were set; stops when fn returns non-zero, and returns that. */
int holds_each(const struct holds *h, int (*fn)(void *arg, const struct hold *x), void *arg);
/* A call of this documentation bucket is on hold and has no key of its own. Then all other slots of it go, one by one. */
bool hold_keeps_bucket(const struct holds *h, const char *controller, uint32_t day);
/* A call of it is on hold whose copy holds_settle could not make: its bucket is all it has, and must not be destroyed yet. */
bool hold_unsaved(const struct holds *h, const char *controller, uint32_t day);

/* ---- changing them: store_why(st) tells what is wrong ---- */

struct hold_why { /* the caller's texts; checked */
	const char *reason, *reference;
	uint32_t review; /* YYYYMMDD */
};
bool hold_name_ok(const char *s); /* of a person */

/*
 * Puts a call on hold, or, when it is on hold, says anew why and until when (*ret_new false; a request for its end is void
 * then). Refused: -ENOENT no such call (one in progress has no row yet), -EACCES documentation is neither GRANTED nor
 * OBJECTED, -ESHUTDOWN its key is destroyed or due, -EINVAL a text or the date is not as it must be, -ENOSPC too many,
 * -EAGAIN its day is being destroyed just now. The store may be open for reading only.
 */
int store_hold_add(struct store *st, struct holds *h, const struct uid *uid, const struct hold_why *w,
		   const struct hold_person *who, uint64_t now, bool *ret_new);

enum hold_end {
	HOLD_ASKED,    /* the end is asked for; another person is needed */
	HOLD_RELEASED, /* not on hold any more; its deadline is still to come */
	HOLD_ERASED,   /* not on hold any more, and past its deadline: its key is destroyed */
};
/* Asks for the end, or agrees to who asked. -ENOENT not on hold, -EPERM the same person asked, -EINVAL the reason. */
int store_hold_release(struct store *st, struct holds *h, const struct uid *uid, const char *reason,
		       const struct hold_person *who, uint64_t now, enum hold_end *ret);
/* Takes the request for its end back, by anybody. -ENOENT nobody asked. */
int store_hold_cancel(struct store *st, struct holds *h, const struct uid *uid, const struct hold_person *who, uint64_t now);

/*
 * Does what lines of the journal say and was not done: keys of new holds (and those whose copy is damaged) are copied, those
 * of ended ones overwritten. *ret_lost (may be NULL): calls on hold whose key is gone, since the copy was never made. An error
 * of one leaves the others done.
 */
int holds_settle(struct holds *h, uint64_t *ret_lost, struct why *why);

/* ---- its event ---- */

struct evlog_event;
/* Of store_hold_add or a release: the event of the change is in the outbox, durably. Before the next change. */
void holds_told(struct holds *h);
/*
 * For who has it open for writing, before a change of his own: what a program that died (or could not) did not tell of its last change
 * goes to `tell`, whose event is durable when that returns 0; unless the outbox or the log have it. -EACCES and
 * so on: these cannot be read, and it is left to the next.
 */
int holds_untold(struct holds *h, int (*tell)(void *arg, const struct evlog_event *e), void *arg);

/* ---- the copy of the key ---- */

struct slot;
/* The call's copy: *ret as its slot, ret_key for wrap_open (the caller wipes it). -ENOENT none. */
int hold_slot_find(const struct root *r, const char *controller, const struct uid *uid, struct slot *ret,
		   uint8_t ret_key[32], struct why *why);

#endif
