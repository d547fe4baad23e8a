/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * evidence.h - what is proven afterwards: the recorder's hand into the evidence log, and the sampler behind the disk
 *
 * Between the recorder, which may wait for nothing, and store/evlog, call/sample and call/sample_log, which
 * wait for the disk. What happens is queued here, in memory; one thread (or, for captures read from files,
 * evidence_work) takes it from there, in this order:
 *
 *	the sampler's state, durable		so that a slot survives whatever comes
 *	its records, durable			STORE/sampling
 *	what the store destroyed, durable	on the disk of its slots, before it is told
 *	the events				STORE/evidence, a draw's with the link of its record
 *	seeds that are due
 *	live: what other programs left in the outbox	STORE/outbox
 *
 * A call that was drawn waits (call_decide.sample_waits) until evidence_durable says its slot is on disk: nothing
 * is kept for training on a slot that a crash could give away twice (N-46).
 *
 * When the log refuses (full disk, damaged, queue too long) evidence_ready is false: what would let something
 * begin must not (INV-7); what takes away goes on, and waits here for the disk.
 *
 *	evidence_new, evidence_claim and evidence_alive for each call taken over, evidence_start, ..., evidence_finish, evidence_free
 *
 * The recorder's thread calls everything. No number, digit or name of a person goes into an event.
 */
#ifndef EVIDENCE_H
#define EVIDENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/uid.h"
#include "call/call.h"
#include "store/evlog.h"

struct evidence;

struct evidence_settings {
	const char *dir; /* of the store, whose lock the caller holds */
	bool live;	 /* a thread, and seeds that were published in time; false: files, evidence_work, late seeds */
	/* Live: whether the store was settled (store_settled), asked in the thread until it was; NULL: it was before. */
	bool (*settled)(void *arg);
	/* Live: store_drops_sync and store_drops_wait of the store, for evidence_destroyed; in the thread. NULL: nothing waits. */
	int (*drops_sync)(void *arg, char *why, size_t n);
	bool (*drops_wait)(void *arg, uint64_t after, uint64_t upto);
	/* Live: what else is to be durable before what was queued is told; begins each round. NULL: nothing. */
	void (*before)(void *arg);
	void *arg;
};

/* Reads the sampler's state. -EBADMSG it is damaged, -EIO, -ENOMEM; why: one line. Neither thread nor log yet. */
int evidence_new(const struct evidence_settings *s, struct evidence **ret, char *why, size_t n);
/*
 * Opens the log; live in the thread, with 0 here and its error in the figures, else -EBADMSG, -EBUSY and so on of
 * evlog_open. Live, evidence_settle (of all but the calls of evidence_alive) follows, when the store was settled.
 */
int evidence_start(struct evidence *ev, char *why, size_t n);
/*
 * Live, before it: a call that is in progress, taken over from a process before. When that was killed with the lines in
 * memory that said its match, or a grant that holds, they are said again, first of all. -ENOMEM.
 */
int evidence_alive(struct evidence *ev, const struct call *c);
/*
 * Of every call that a process before left in the log without an outcome, in its latest two days, the store knows
 * now what became of it: said here. Not live: once, after store_settle.
 */
int evidence_settle(struct evidence *ev);
/* Everything queued is durable, the thread is gone. 0 or the log's error. */
int evidence_finish(struct evidence *ev);
void evidence_free(struct evidence *ev); /* NULL-tolerant; what is queued is lost unless evidence_finish came before */
/* Not live: one round of what the thread does; now_ns of the capture. All queued is durable when it returns 0. */
int evidence_work(struct evidence *ev, uint64_t now_ns);

/*
 * Any thread but the recorder's; live. What was queued before is durable when it returns 0: a row of the store is not to
 * be there before the log has what came before it, or a kill in between would leave a row without a call. Waits half a second
 * at most. -EAGAIN the log is not open yet, -ETIMEDOUT, or the log's error.
 */
int evidence_flush(struct evidence *ev);

/* Something may begin. */
bool evidence_ready(const struct evidence *ev);

/* ---- events ---- */

void evidence_news(struct evidence *ev, const struct call *c, const struct call_news *n);
/* Whose word the news by api are from now on ("agent", "system"; static), their `who`; NULL nobody's. */
void evidence_speaker(struct evidence *ev, const char *who);
/* Of a call: kind with reason (NULL none), purpose (-1 neither) and up to two numbers (value UINT64_MAX: none). */
struct evidence_num {
	enum evlog_num name;
	uint64_t value;
};
void evidence_call(struct evidence *ev, const struct call *c, enum evlog_kind kind, int purpose, enum evlog_source source,
		   const char *reason, const struct evidence_num *num, unsigned nums);
/*
 * A key is destroyed (purpose -1: all of the call's), which is said when the store's drops (after, upto] cannot come back (store_drops);
 * what is queued behind waits, too. A disk that refuses that, not one that is slow, holds the others up for EVIDENCE_DROPS_NS, and then
 * this alone waits.
 */
#define EVIDENCE_DROPS_NS (30ULL * 1000000000)
void evidence_destroyed(struct evidence *ev, const struct call *c, int purpose, const char *reason, uint64_t after, uint64_t upto);
/*
 * Of a call that is over, when its row says so. Live, the row is durable; else it waits here for evidence_rows_durable, after
 * a store_sync: without that it is never said, and evidence_settle of the next process says what the store has.
 */
void evidence_outcome(struct evidence *ev, const struct call *c, enum evlog_kind kind, enum evlog_source source,
		      const char *reason, const struct evidence_num *num, unsigned nums);
void evidence_rows_durable(struct evidence *ev);
/* What another call is to this one (call_relation_name). */
void evidence_link(struct evidence *ev, const struct call *c, const char *relation, const struct uid *other);
/* Of none: the daemon, policies (hash or NULL). */
void evidence_daemon(struct evidence *ev, enum evlog_kind kind, const char *policy_hash, const char *reason);
/* The machine's clock was set by by_ns and is now ahead_ns ahead of ours (negative: back, behind); taken: ours was, by as much. */
void evidence_clock(struct evidence *ev, bool taken, int64_t by_ns, int64_t ahead_ns);
/* What people did to the policy; hash of the line in the history. */
struct polhist_line;
void evidence_policy(struct evidence *ev, const struct polhist_line *l, const uint8_t hash[32]);
void evidence_unmatched(struct evidence *ev, uint64_t more); /* an hourly total */

/*
 * The gateway about the message with the rest of a call's notice (N-36), also when the call is over; who: as evidence_speaker.
 * -ENOENT no receipt is waited for: the rule has no message, it was told already, or its time is over.
 */
int evidence_sms_told(struct evidence *ev, const struct uid *call, bool delivered, const char *who);

/* ---- samples ---- */

/* NULL: in, and c->decide has slot and whether it waits; else why not, static text. */
const char *evidence_draw(struct evidence *ev, struct call *c);
/* Its slot goes back, and it is drawn again: by what is less in its own rule and in r. As evidence_draw. */
const char *evidence_redraw(struct evidence *ev, struct call *c, const struct policy_rule *r);
/* Changes whenever evidence_durable may say something new. */
uint64_t evidence_saved(const struct evidence *ev);
bool evidence_durable(struct evidence *ev, const struct call *c);
/* The call is over; kept: with audio for training. */
void evidence_slot_end(struct evidence *ev, struct call *c, bool kept);
/* A call taken over goes on with its slot, which is durable: it was read from the disk. False: it has none (any more). */
bool evidence_claim(struct evidence *ev, const struct call *c);

/* ---- use (N-49) ---- */

struct evidence_used {
	struct uid call;
	const char *controller, *rule, *policy; /* as the store's row says */
	const char *kind, *by; /* "played", "scored", "course"; a person's name, a word of evlog_check */
	uint64_t uid;
	bool first; /* of this call */
};
/* Whether the use counts for the rule's next caps: a first one, and the rule has drawn calls here. */
bool evidence_use(struct evidence *ev, const struct evidence_used *u);
/* -EINVAL: the rule has no sample; -ENOENT: it never drew. */
struct sample_quota;
int evidence_quota(struct evidence *ev, const struct policy_rule *r, struct sample_quota *ret);

struct evidence_figures {
	uint64_t events, refused, waiting; /* refused: not valid, or no memory; waiting: queued */
	uint64_t rounds, errors;
	uint64_t draws, in;
	uint64_t outbox_events, outbox_refused; /* taken from the outbox; files set aside */
	uint64_t outbox_waiting;		/* files that it has still */
	uint64_t sms_undelivered;		/* messages whose receipt did not come in time, since the start */
	bool open, ready;
	char why[256]; /* what the log said last */
};
void evidence_figures(struct evidence *ev, struct evidence_figures *ret);

#endif
