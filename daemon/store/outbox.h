/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * outbox.h - evidence from programs that do not hold the evidence log
 *
 * The evidence log has one writer, the daemon while it runs. Who destroys, holds or erases beside it neither
 * waits for it nor has its signing key: it leaves files of events in STORE/outbox, and who holds the log
 * takes them from there (FORMAT.md section 10).
 *
 *	outbox_open(dir, &o)	who destroys
 *	outbox_add(o, &event)	it has happened, or will whatever comes
 *	outbox_commit(o)	durable; before it is announced to anybody
 *	outbox_close(o)		commits what was added
 *	outbox_flush_now(dir)	at the end: into the log, when no daemon does it within a second
 *
 * An event that was added is never taken back. After a kill of its writer it counts too, when its line
 * reached the file whole; after a power cut only what was committed is sure.
 *
 * Exactly once: an EVLOG_OUTBOX_TAKE with the hash of the file stands in the log before the file's events,
 * which follow it without a gap; the file goes when they are durable. Who finds a file whose hash is
 * in the log goes on behind what is there. A file that is none, or has an event that is not for the outbox
 * (outbox_check), is set aside as NAME.bad with EVLOG_OUTBOX_REFUSE in the log, and blocks nobody.
 *
 * Errors are 0 or -errno, `why` (size n, may be NULL) gets one line. Never prints. One thread an object.
 */
#ifndef OUTBOX_H
#define OUTBOX_H

#include <stddef.h>
#include <stdint.h>

#include "store/evlog.h"

#define OUTBOX_FILE_MAX	 (4u << 20) /* bytes of a file: some 12,000 events; more go to a next one by themselves */
#define OUTBOX_FILES_MAX 65536u	    /* waiting; then outbox_open refuses with -EDQUOT: nobody has taken them for long */

/* ---- who leaves events ---- */

struct outbox;

/* Makes the directory when it is not there, no file yet. -EDQUOT, -ENOSPC, -EACCES ... */
int outbox_open(const char *store_dir, struct outbox **ret, char *why, size_t n);
/*
 * What may not come by the outbox, or NULL (static text): events of evlog_check, by source reaper or operator, without a key press, of the
 * kinds that happen to stored calls: key.destroy, bucket.destroy, purpose.expire, call.destroy, hold.*, review.*, erasure.*,
 * objection.*, consent.withdrawn, access.*, play, use.training, report.made, reaper.run, reaper.told, evidence.expire.
 */
const char *outbox_check(const struct evlog_event *e);
/* As outbox_check, of an event that a log has already (evlog_form): whether it may have come by the outbox. */
const char *outbox_kind_check(const struct evlog_event *e);
/* -EINVAL (outbox_check), or it could not be written: nothing of the event stays. The event is copied. */
int outbox_add(struct outbox *o, const struct evlog_event *e);
/* Everything added is durable and may be taken; then goes on with a new file. Nothing added: nothing done. */
int outbox_commit(struct outbox *o);
/* NULL-tolerant. What was added and not committed is committed, or (on error) left to who takes it up after a minute. */
void outbox_close(struct outbox *o);
/* One line about the last failure of add or commit. */
const char *outbox_why(const struct outbox *o);

/* ---- who holds the log ---- */

struct outbox_taken {
	uint64_t files, events; /* now in the log */
	uint64_t refused;	/* files set aside */
	uint64_t expired;	/* days whose log went, as an evidence.expire asked */
	uint64_t left;		/* files for the next time: the limit of a round, events of tomorrow, or the log refused */
};

/*
 * Takes files, oldest first, OUTBOX_ROUND of them or, by and large, OUTBOX_ROUND_BYTES at a time; the log's holder calls it again.
 * Flushes the log when it took something. One thread at a time. An event of a later day than now_ns (a clock that
 * was set back) waits for its day, with its file. -ENOSPC and so on: the log refused; what is not in it stays where it is.
 * `why` also gets a line (and 0 is returned) when a file was set aside.
 */
#define OUTBOX_ROUND	   64
#define OUTBOX_ROUND_BYTES (8u << 20)
int outbox_take(struct evlog *l, uint64_t now_ns, struct outbox_taken *ret, char *why, size_t n);
/*
 * Takes all when nobody holds the log. -EBUSY: somebody does, and will take them; no failure. Else of evlog_open and
 * outbox_take: they stay where they are.
 */
int outbox_flush_now(const char *store_dir, struct outbox_taken *ret, char *why, size_t n);

/* ---- anybody ---- */

struct outbox_waiting {
	uint64_t files, events; /* committed, or of a writer that is gone or still at work */
	uint64_t bad;		/* files set aside */
};
int outbox_waiting(const char *store_dir, struct outbox_waiting *ret);

/* ---- for tests and fuzzing ---- */

/*
 * Any bytes as a file. name: 33 characters, as in the head. torn: what follows the last LF is left out, not refused.
 * event (may be NULL) is called for each line, whose texts live until it returns; not 0 ends it and is returned.
 * -EBADMSG, *ret_what (static text).
 */
int outbox_parse(const char *p, size_t n, const char *name, const uint8_t store[16], bool torn,
		 int (*event)(void *arg, const struct evlog_event *e), void *arg, uint64_t *ret_events, const char **ret_what);

#endif
