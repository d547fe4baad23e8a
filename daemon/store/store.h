/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * store.h - the store as its users see it (FORMAT.md is what lies on disk)
 *
 * Writer side (recorder, one process at a time, holds the store's lock):
 *
 *	store_open(dir, STORE_RW, &st)
 *	store_call_begin(st, &meta, &sc)	keys made, wraps in their slots
 *	store_call_part(sc, purposes, from)	other purposes from here on
 *	store_call_append(sc, leg, &chunk)	coded, encrypted, queued to a segment
 *	store_call_end(sc, &result)		catalog row; sc is gone
 *	store_sync(st)				all of the above durable
 *	store_close(st)
 *
 * A call that nobody may keep is listed with store_call_denied: no key, no
 * audio, no readable number. The writer holds public keys only: once a call
 * has ended nothing in this process can decrypt it (design 7).
 *
 * Reader side (find, export): store_open(dir, STORE_RO) never writes, works
 * beside a running writer, and needs a private key and a purpose to read audio.
 *
 * Errors: 0 or -errno; store_why() tells in one line which file and why. After
 * a write error (-ENOSPC, -EIO ...) the store is `broken` for writing: appends
 * return the error, store_call_abort forgets what is half-written (its key
 * slots are overwritten in place, which needs no space), and what was complete
 * stays readable. One thread at a time, unless store_threads says otherwise.
 */
#ifndef STORE_H
#define STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/chunk.h"
#include "base/clock.h"
#include "base/uid.h"

#define STORE_GROUNDS_MAX 1024 /* bytes of the grounds of one objection */
#define STORE_FACTS_MAX 3072
#define STORE_NAME_MAX 64 /* controller and rule names in file names and rows */

enum store_purpose { STORE_DOCUMENTATION = 0, STORE_TRAINING = 1, STORE_PURPOSES = 2 };

extern const char *const store_purpose_names[STORE_PURPOSES]; /* "documentation", "training" */

/* Purpose states, guidance 1. Order is part of the format (FORMAT.md). */
enum store_state {
	STORE_S_NONE,
	STORE_S_PENDING,
	STORE_S_GRANTED,
	STORE_S_DENIED,
	STORE_S_WITHDRAWN,
	STORE_S_OPTED_OUT,
	STORE_S_OBJECTED, /* restricted, also quarantine for an unproven notice */
	STORE_S_EXPIRED,
	STORE_S_MAX,
};
extern const char *const store_state_names[STORE_S_MAX];

enum store_outcome { STORE_O_KEPT, STORE_O_DENIED, STORE_O_GAP, STORE_O_MAX };
extern const char *const store_outcome_names[STORE_O_MAX]; /* "kept", "denied", "gap" */

struct store;

/* ---- making a store ---- */

/*
 * Makes an empty store in `dir` (created, or an existing empty directory; else
 * -EEXIST / -ENOTEMPTY). Key pairs: for each purpose, private half to
 * keys_dir/PURPOSE.key (mode 0600, directory 0700, never overwritten: -EEXIST),
 * public half into the store. With public_dir the public halves PURPOSE.pub are
 * taken from there instead and no private key is made. controller NULL: the
 * keys used for every controller that has none of its own; else the keys of that
 * controller (RX-2), private halves to keys_dir/CONTROLLER/, and the store may exist
 * already. keys_dir must not lie in the store (-EINVAL).
 * On failure nothing that was made is left behind. `why` (size n) gets one line.
 */
int store_create(const char *dir, const char *keys_dir, const char *public_dir,
		 const char *controller, char *why, size_t n);

enum store_mode { STORE_RO, STORE_RW };

/* -ENOENT no store there, -EBUSY another writer, -EPROTO newer format, -EBADMSG damaged. */
int store_open(const char *dir, enum store_mode mode, struct store **ret, char *why, size_t n);
void store_close(struct store *st); /* NULL-tolerant; does not sync */
const char *store_why(const struct store *st); /* of the last failed call */
/* Damage beside which calls could be read all the same (store_read_open); NULL: none was met. */
const char *store_damage(const struct store *st);

/* ---- writing ---- */

/* What is true of a call now, and goes into its row if the writer dies before it ends. */
struct store_call_now {
	uint64_t answer_ns; /* 0 not answered yet */
	/* Nothing is kept when its audio ends before: answer and min-length; UINT64_MAX not answered, 0 any */
	uint64_t keep_ns;
	enum store_state state[STORE_PURPOSES];
	const char *reason[STORE_PURPOSES]; /* of the state; NULL none */
};

struct store_call_meta {
	struct uid uid;
	uint64_t start_ns;	/* first INVITE */
	const char *controller; /* file-name safe: [a-z0-9._-], at most STORE_NAME_MAX - 1 */
	const char *zone;	/* the controller's time zone: names the destroy-by day */
	const char *rule;
	const char *policy_hash; /* hex */
	const char *scenario;	 /* "A1" ... "G" */
	const char *sip_call_id;
	const char *caller; /* normalised number or user part; NULL or "" withheld */
	const char *callee;
	const char *agent; /* NULL none */
	/* What the policy was asked, as bytes of the recorder's own (numbers too): sealed with the
	 * numbers. NULL none; more than STORE_FACTS_MAX are left out. Not kept of a denied call. */
	const void *facts;
	size_t facts_len;
	/* per purpose: deadline, ns since 1970, 0 when the rule lacks the purpose or it is not kept */
	uint64_t until_ns[STORE_PURPOSES];
	uint64_t training_use_by; /* training that nobody used by then is to be erased; 0 none */
	/* the call's beginning is for this purpose; not yet: store_call_cover, or from some part on store_call_part */
	bool covers[STORE_PURPOSES];
	/* and its key is wrapped at once (documentation at grant), else with store_call_commit; implies covers */
	bool commit[STORE_PURPOSES];
	struct store_call_now now;
};

struct store_leg_figures {
	struct media_format format; /* of the most packets; name "" when there was no audio */
	uint64_t packets;	    /* distinct audio packets kept */
	uint64_t lost;		    /* RFC 3550 A.3: expected - received, per stream, summed */
	uint64_t duplicates;
	uint64_t reordered;
	uint64_t events;    /* RFC 4733 events heard (never their digits) */
	uint64_t audio_ms;  /* duration of the payloads kept */
	uint32_t jitter_us; /* RFC 3550 A.8, at the end */
	uint64_t blocked;   /* packets that never left the classifier (verdict) */
	uint64_t inspected; /* packets that were listened to and not kept */
	uint64_t muted;	    /* samples in which key tones were silenced in what is kept */
	uint64_t noise;	    /* comfort noise kept beside `packets`; not in the row */
};

struct store_call_result {
	uint64_t answer_ns; /* 0 never answered */
	uint64_t end_ns;
	const char *end; /* "bye", "cancel", "rejected", "timeout", "capture-end" ... */
	enum store_outcome outcome;
	enum store_state state[STORE_PURPOSES];
	const char *reason[STORE_PURPOSES]; /* of the state; "" none */
	const char *gap;		    /* why audio is missing; "" none */
	struct store_leg_figures leg[2];    /* caller, callee */
	/* The caller took the call over and may not know all that was kept: packets are those in the
	 * store, and the difference goes from or to lost. Done anyway when chunks were shed or lost. */
	bool recount;
	const char *agent; /* NULL: as in the call's meta */
	/* What another call is to this one: "duplicate-of", "transfer-of", "same-as" (static text), and which. NULL none. */
	const char *relation;
	struct uid other;
	/* With store_threads: whose outcome it is, for store_next_done; NULL: nobody wants to know. */
	void *tag;
};

struct store_call;

/* Is a call with this uid in the catalog (of any day)? 1 yes, 0 no, or -errno. */
int store_call_known(struct store *st, const struct uid *uid, const char *controller);

/*
 * Starts a call that is kept: makes its keys and its first part, writes the wraps of committed
 * purposes to their slots (durable with the next store_sync). At least one until_ns must
 * be set (INV-8). -ESHUTDOWN: the destroy-by day was destroyed already (a late import).
 */
int store_call_begin(struct store *st, const struct store_call_meta *meta, struct store_call **ret);
/* leg: enum optag_leg. The chunk is copied; the caller may reuse it at once. */
int store_call_append(struct store_call *sc, unsigned leg, const struct chunk *c);
/*
 * Writes a wrap that was not committed at begin (training under opt-out: at hang-up). A purpose that has no part yet
 * covers the whole call. -EINVAL no deadline, or destroyed and not given again.
 */
int store_call_commit(struct store_call *sc, enum store_purpose p);
/*
 * Destroys the keys of one purpose, for good (no state saved earlier brings them back); the audio stays for the other.
 * Audio that was for this purpose alone cannot be read by anybody from now on, what waits in queues included. Only
 * store_call_part gives the purpose something again, none of it older. Durable when it returns; with threads when no drop of
 * before waits (store_drops_wait), while a kill -9 undoes it from the moment it returns no more: but a purpose that had no wrap yet
 * comes back with a state saved earlier until a store_sync, so who keeps states throws that away first.
 */
int store_call_drop(struct store_call *sc, enum store_purpose p);

/*
 * Parts (FORMAT.md section 3). What is appended belongs to the part that the leg is in; the first one begins with the
 * call. When the purposes change for which audio is recorded, a new part begins; a leg's chunks so far must have been
 * appended before it enters it. Each purpose can open the parts it was given and no others.
 *
 *	store_call_part(sc, purposes, from_ns)	begins one, unless the newest is as wanted already
 *	store_call_enter(sc, leg)		the leg goes on in the newest
 *
 * purposes: bits 1 << enum store_purpose; 0: nobody's until store_call_cover. from_ns: arrival of its first packet.
 * -EINVAL a purpose has no deadline; -ENOSPC the call has as many parts as it may (counted): nothing changed; -ENOMEM.
 */
int store_call_part(struct store_call *sc, unsigned purposes, uint64_t from_ns);
void store_call_enter(struct store_call *sc, unsigned leg);
/* The purpose gets all parts so far. -EINVAL no deadline, or it was destroyed in this call before. */
int store_call_cover(struct store_call *sc, enum store_purpose p);
/* For what purposes the part is that the leg is in. */
unsigned store_call_for(const struct store_call *sc, unsigned leg);
/* That part was destroyed: what is appended comes to nothing. */
bool store_call_lost(const struct store_call *sc, unsigned leg);
/* Is the leg in the newest part? What that is for (more than all bits: a new one must follow), and since when. */
bool store_call_newest(const struct store_call *sc, unsigned leg, unsigned *ret_purposes, uint64_t *ret_from_ns);
/* The purpose has a part of the call, or more. */
bool store_call_keyed(const struct store_call *sc, enum store_purpose p);
/*
 * The purpose's deadline comes nearer; a later one changes nothing. A wrap that is there is
 * written anew under the earlier day, then the old one is overwritten. -ESHUTDOWN: that day was
 * destroyed already; the wrap is gone.
 */
int store_call_shorten(struct store_call *sc, enum store_purpose p, uint64_t until_ns);
/*
 * What somebody gave as grounds of an objection to p, sealed with the call's numbers, read as they are, and gone as they are. The
 * text is copied. -ENODATA nothing of the call is kept for anybody now, so neither are the words; -EINVAL no text, or more
 * than STORE_GROUNDS_MAX bytes; -ENOSPC the call has four. Durable with the next store_sync.
 */
int store_call_grounds(struct store_call *sc, enum store_purpose p, const char *text);
/* What is true of the call has changed; durable with the next store_sync. The texts are copied. */
void store_call_note(struct store_call *sc, const struct store_call_now *now);
/*
 * Ends: row into the catalog, key wiped. Frees sc in every case; on failure as
 * store_call_abort. A wrap whose purpose is neither GRANTED nor OBJECTED in r is
 * destroyed; a purpose that is, without a wrap, is -EINVAL (INV-1).
 */
int store_call_end(struct store_call *sc, const struct store_call_result *r);
/* Forgets the call: slots overwritten, key wiped, no row. Frees sc. */
void store_call_abort(struct store_call *sc);
/* Lists a matched call of which nothing is kept (its deadline bounds the row's life). */
int store_call_denied(struct store *st, const struct store_call_meta *meta,
		      const struct store_call_result *r);
/*
 * Makes everything since the last sync durable (segments, slots, rows, in this order). Call
 * it now and then, and before closing: rows that were not synced are lost. Works on a
 * broken store too, for the calls that were complete.
 */
int store_sync(struct store *st);

/*
 * With store_threads: calls of that deadline are about to come, so that the first of them finds its day's files made. Waits for
 * nobody; without threads, or of a day that is over, to no effect.
 */
void store_expect(struct store *st, const char *controller, enum store_purpose p, const char *zone, uint64_t until_ns);

/* ---- threads ---- */

/*
 * By default everything is done in the caller's thread. With store_threads, which a writer calls
 * once, after it has resumed what it wants to, coding and encryption are done by `encoders`, audio is written
 * by one more thread, and what waits for the disk's cache, for SQLite or for store_before_rows by others, which it never
 * waits for. Then
 *
 * - the caller is still one thread: functions of the writer's side are not for several;
 * - begin, append, commit, note, end, denied, leave, settle return before the work is done. What
 *   goes wrong later breaks the store, and is counted; append answers 0 even then. A call whose
 *   chunks were shed or lost gets the gap "overload" or "disk" unless it has one;
 * - append copies the chunk into a queue. Past queue_bytes chunks are shed, those of calls without
 *   documentation at three quarters of it;
 * - drop, shorten and abort destroy before they return: what is queued is discarded, the key wiped, the
 *   slot overwritten, in the page cache: the caller waits for no disk. It is durable, many at once, with the
 *   next sync or when somebody needs to know (store_drops_sync). A slot that the disk
 *   refuses to overwrite is tried again each second; `unerased` counts them;
 * - the store syncs itself every sync_ns, and flushes what it has flush_ns after it came without waiting
 *   for the disk's cache, which a kill of the process does not need, nor for a sync. store_sync waits,
 *   store_sync_start does not;
 * - a broken store is opened anew every five seconds, when a full disk has room again. Until
 *   then chunks are lost and counted, calls cannot begin, and calls that end wait here for the
 *   repair, which writes their rows (gap "disk" where audio was lost); of calls without audio
 *   16,384 at most, those that are more get no row (lost_calls);
 * - what became of a call is told when its row is durable (store_next_done);
 * - store_call_known answers 0: a live call was not recorded before;
 * - encoders run 10 nicer than who starts them, so that on a busy machine capture comes first; when what waits for
 *   them grows past 1/16 of queue_bytes they compress less, and past 1/4 not at all (codec_load);
 * - the threads block all signals. Start them before a seccomp filter that is per thread.
 */
struct store_threads_settings {
	unsigned encoders; /* 0: the caller's thread codes, the disk has its own all the same */
	size_t queue_bytes; /* optagd.conf's write-memory */
	uint64_t sync_ns; /* 0: only on request */
	uint64_t flush_ns;
};
/* One encoder less than there are processors, 1 to 4; 64 MiB; 300 ms; 150 ms. */
void store_threads_default(struct store_threads_settings *ret);
int store_threads(struct store *st, const struct store_threads_settings *s); /* -EALREADY, -ENOMEM, -EAGAIN */
/*
 * What became of calls that ended (store_call_end, store_call_denied) with a tag: known when the disk has their row, and
 * not before, since a disk that refuses takes back what no sync covered. Such rows are kept here, and written again
 * by the repair. Each tag comes back once, unless the store is closed before its row is durable; then nobody knows, and
 * store_settle of the next writer decides.
 */
struct store_done {
	void *tag;
	bool row; /* false: there is none, and nothing of the call is kept; the outcome is a gap "store" then */
	enum store_outcome outcome; /* as the row says, as all below */
	enum store_state state[STORE_PURPOSES];
	const char *reason[STORE_PURPOSES], *gap; /* "" none; until the next call */
	uint64_t packets, audio_ms, muted, inspected, blocked; /* of both legs */
};
/* The next one, if there is any. Does not wait. */
bool store_next_done(struct store *st, struct store_done *ret);
/*
 * Before rows and records become durable, fn is called by the disk's thread, and may wait for a disk: what must
 * not be younger than they are is made durable there. false: it is not, and they wait for the next sync (-EAGAIN of
 * store_sync), for half a minute or until 16,384 wait; then rows go first (rows_first), and what is more and without
 * audio gets none (lost_calls). Replaces the one before, which does not run any more when this returns. fn
 * NULL: none. Nothing without threads.
 */
void store_before_rows(struct store *st, bool (*fn)(void *arg), void *arg);
/*
 * What was destroyed is told when it cannot come back. Each slot that is overwritten (drop, shorten, abort, end) has a number:
 *
 *	n = store_drops(st); ... store_call_drop ...; m = store_drops(st)	the caller
 *	store_drops_sync(st, ...), then not store_drops_wait(st, n, m)		whoever tells, in a thread that may wait for the disk
 *
 * store_drops_sync: 0 all drops so far are durable; else at least one is not, with its text, and is tried again each second
 * and by each store_drops_sync. Without threads there are none, and what is destroyed is durable at once.
 */
uint64_t store_drops(struct store *st);
int store_drops_sync(struct store *st, char *why, size_t n);
bool store_drops_wait(struct store *st, uint64_t after, uint64_t upto); /* any thread: one of (after, upto] is not durable yet */
/* As store_sync, when no more will come: a broken store is opened anew at once, once, whatever room there is. */
int store_finish(struct store *st);
/* Everything so far durable, soon. The number is for store_sync_done. Without threads it syncs. */
uint64_t store_sync_start(struct store *st);
/*
 * For who wants a sync every so often: it is asked for; or, while the one before is not done, all audio of now is made
 * durable by itself, so that what a power cut costs does not depend on how long rows and their log take.
 */
void store_sync_tick(struct store *st);
bool store_sync_done(const struct store *st, uint64_t number);
/* 0, or -errno of the error that broke the store, with its text: for the one line in the log. */
int store_broken(struct store *st, char *why, size_t n);
/* Errors of the disk do not end the recording: the store repairs itself. */
bool store_repairs(const struct store *st);

/* ---- when the writer dies or is replaced ---- */

/*
 * Every call that a store_sync covered has a record in the store (no key, nothing readable), so
 * that the next writer knows of it. After store_open that writer
 *
 *	store_call_resume	for every call it has the saved state of
 *	store_settle		gives all others an end that the law knows
 *
 * and may begin, append and end calls at once, also before store_settle.
 */
struct buf;

/*
 * What another process needs, beside the record, to go on with the call: 153 bytes, 46 for each part, and
 * its sealed grounds, behind what is in out. They hold the call's keys in clear: the caller keeps them in memory only and wipes them
 * (all of out->cap). They change when a purpose is dropped, covers the call or is committed, when a part
 * begins, when grounds are given, and with store_call_resume. An older state loses nothing that was written since, but for parts that
 * began after it for purposes that were not committed. -ENOMEM.
 */
int store_call_save(const struct store_call *sc, struct buf *out);
/*
 * The same for a state that may survive a crash: when a part is not open to a committed purpose, then without its key
 * and without the keys of uncommitted purposes, which are over then in who goes on with it.
 */
int store_call_save_durable(const struct store_call *sc, struct buf *out);
/*
 * The call is another process's from the next store_sync on: sc is gone, its key wiped, nothing
 * is erased. Save first, sync afterwards, then close.
 */
int store_call_leave(struct store_call *sc);
/*
 * Goes on with a saved call. Takes any bytes. -EBADMSG not such bytes, or damaged; -ENOENT no call
 * of this store was left with that uid and key (never synced, ended, resumed already); -EEXIST it
 * has a row; -EALREADY saved by this very opening of the store; -ESHUTDOWN a purpose was destroyed
 * after the state was saved. On failure store_settle ends the call, and it may begin anew.
 */
int store_call_resume(struct store *st, const void *bytes, size_t n, struct store_call **ret);
/* Whether the purpose's key of the call is wrapped. */
bool store_call_committed(const struct store_call *sc, enum store_purpose p);
/*
 * The calls of a dead writer that nobody resumed. Audio whose wrap is there gets a row, end and gap
 * "crash", with what was synced and what reached the segments after it; what must not be kept
 * (never committed, too short, not answered) is destroyed. Wraps that no call owns are overwritten.
 * Reads the segments of the last half minute. Once per opening; the result is durable.
 */
int store_settle(struct store *st, uint64_t *ret_calls);
bool store_settled(const struct store *st); /* it is done, and durable; with threads after a while, or after a repair */

struct store_figures { /* uint64_t only */
	uint64_t calls, chunks, payload_bytes, stored_bytes, segments;
	uint64_t settled;	/* calls of a dead writer that got their end */
	uint64_t uncut;		/* segments that a dead writer left, and that cannot be read: their last calls are not whole */
	uint64_t unerased;	/* wraps of destroyed purposes that the disk would not overwrite yet */
	/* with store_threads: */
	uint64_t queue_bytes, queue_max; /* on its way now; the most so far */
	uint64_t shed_chunks, shed_packets; /* the queue was full */
	uint64_t fast_chunks; /* coded fast instead of well, since the queue grew (codec.h) */
	uint64_t lost_chunks, lost_packets; /* the disk did not take them */
	uint64_t lost_calls; /* ended, and their row could not be written */
	uint64_t cut_calls;  /* ended, and got their row by a repair, of less than all of their audio */
	uint64_t unwritten;  /* ended, and the disk does not have their row yet */
	uint64_t parts;	     /* that began in the middle of a call */
	uint64_t no_part;    /* times a call had as many as it may */
	uint64_t errors;     /* times the store broke */
	uint64_t repairs;    /* times it was opened anew since */
	uint64_t syncs, sync_last_ns, sync_max_ns;
	uint64_t saves; /* of audio alone, while a sync took longer */
	uint64_t ring; /* 1: segments are written by io_uring; 0: by plain writes, which wait */
	uint64_t reaped_ns; /* CLOCK_BOOTTIME of the end of the reaper's latest run, looked at every 5 s; 0: before the machine booted; UINT64_MAX: none ever, or it could not be read */
	uint64_t rows_first; /* syncs whose rows did not wait for store_before_rows any more */
};
void store_figures(const struct store *st, struct store_figures *ret);

/* ---- finding ---- */

struct store_filter {
	const char *number; /* either party, as dialled or E.164; NULL any */
	uint64_t since_ns, until_ns; /* call start in [since, until); 0 open */
	const char *rule;
	const char *sip_call_id;
	const char *controller;
	int state; /* enum store_state of either purpose as it is now, -1 any */
	const struct uid *uid;
};

struct store_row { /* pointers live during the callback */
	struct uid uid;
	const char *controller, *rule, *policy_hash, *scenario, *sip_call_id, *end, *gap, *agent;
	uint64_t start_ns, answer_ns, end_ns;
	enum store_outcome outcome;
	/* As it is now: EXPIRED when its day's key was destroyed, or what else became of it since. */
	enum store_state state[STORE_PURPOSES];
	const char *reason[STORE_PURPOSES];
	enum store_state end_state[STORE_PURPOSES]; /* when the call ended */
	const char *end_reason[STORE_PURPOSES];
	uint64_t until_ns[STORE_PURPOSES];
	uint32_t key_day[STORE_PURPOSES]; /* YYYYMMDD of the bucket in which a key of it was put when it ended; 0: none was */
	uint64_t training_use_by; /* 0 none */
	struct store_leg_figures leg[2];
	struct { /* what each purpose may have of it; 0 nothing */
		uint64_t packets[2], audio_ms[2]; /* by leg */
		bool whole;			   /* all of the call that is kept */
	} share[STORE_PURPOSES];
	const char *relation; /* as in store_call_result; NULL none */
	struct uid other;
	bool has_number[2]; /* of caller and callee; not: withheld, or none was given */
	uint8_t number[2][16]; /* its keyed hash, for store_row_is */
	bool grounds; /* of an objection, for whom the call is kept for now (store_read_grounds) */
	struct clock_date day; /* destroy-by day: which catalog and segments */
};

/*
 * Oldest first. cb returns non-zero to stop (that value is returned). Of a damaged store what is sound is given, and then
 * -EBADMSG returned; also when f has a number and number.key is damaged: nothing is given then.
 */
int store_find(struct store *st, const struct store_filter *f,
	       int (*cb)(void *arg, const struct store_row *row), void *arg);

/* Whether the caller (party 0) or the callee (1) of a row has this number: 1, 0, -ENODATA it has none, -EBADMSG number.key is missing or damaged. */
int store_row_is(const struct store *st, const struct store_row *row, int party, const char *number);

/*
 * Whether a wrap of the purpose lies where the row says, and its day's key is there. Of one whose state is over it was put back, or its end was
 * not finished. row: as store_find's cb has it, while that runs.
 */
bool store_row_key(const struct store *st, const struct store_row *row, enum store_purpose p);

/* ---- reading audio ---- */

struct store_reader;

/*
 * Opens one call's audio for a purpose that is live on it (INV-9): the state
 * must be GRANTED, else -EACCES with the state in why; -ENOENT no such call;
 * -ENOKEY private key missing in keys_dir; -EPERM others may read it; -EKEYREJECTED the key does not open
 * the wrap; -ESHUTDOWN the wrap or bucket key was destroyed.
 */
int store_read_open(struct store *st, const struct uid *uid, enum store_purpose p,
		    const char *keys_dir, struct store_reader **ret);
/*
 * Next chunk of the purpose's parts in order of writing; *ret_leg tells whose. The chunk belongs to
 * the reader until the next call. 1 a chunk, 0 the end, -EBADMSG a chunk is
 * damaged (why names file, offset, rule broken): the next call goes on after it.
 */
int store_read_next(struct store_reader *r, unsigned *ret_leg, const struct chunk **ret);
/* Audio of the call that was not recorded for the reader's purpose. */
struct store_gap {
	uint64_t from_ns, to_ns; /* to_ns 0: until the call's end */
	uint64_t packets[2];	 /* that are kept for the other purpose, by leg */
};
/* At most max, in order; returns how many there are. */
size_t store_read_gaps(const struct store_reader *r, struct store_gap *ret, size_t max);
/* The parties' numbers as recorded ("" withheld); they belong to the reader. -ENODATA none kept. */
int store_read_numbers(struct store_reader *r, const char **ret_caller, const char **ret_callee);
/* Grounds of an objection, in the order in which they were said: `which` from 0, to what, and the words, which belong to the reader
 * until the next call. -ENODATA there are no more; -EBADMSG. */
int store_read_grounds(struct store_reader *r, unsigned which, enum store_purpose *ret_purpose, const char **ret_text);
/*
 * As store_read_open, for the numbers and grounds alone: also when the purpose is OBJECTED, since who decides on an objection must
 * know its grounds. No audio comes of it, and none of its keys is made.
 */
int store_read_words(struct store *st, const struct uid *uid, enum store_purpose p, const char *keys_dir, struct store_reader **ret);
/* What the policy was asked (meta.facts); belongs to the reader. -ENODATA none kept. */
int store_read_facts(struct store_reader *r, const void **ret, size_t *ret_len);
/*
 * As store_read_open for a row at hand: during the callback of store_find, with the row as it was
 * given. For who goes over many calls.
 */
int store_read_row(struct store *st, const struct store_row *row, enum store_purpose p,
		   const char *keys_dir, struct store_reader **ret);
void store_read_close(struct store_reader *r);

/* ---- checking ---- */

struct store_fsck_report {
	uint64_t segments, chunks, slots, buckets, rows, calls;
	uint64_t orphan_chunks; /* no wrap, no row: unreadable, their space goes with the segment */
	uint64_t interrupted;	/* live slots without a row: calls that a dying writer left */
	uint64_t held;		/* calls on hold that have a key of their own */
	uint64_t damaged;	/* findings handed to cb */
};

/*
 * Checks every file without any private key: structure, checksums, that rows,
 * slots and chunks agree. cb gets each finding: file (relative), offset, the
 * FORMAT.md rule broken (e.g. "S-3"), text. Returns 0 clean, 1 damage found, -errno.
 */
/*
 * Makes what is lost of the catalog anew: partitions that are damaged are set aside (NAME.damaged), and calls that
 * are in no sound partition get their rows from the copies in the segments; where there is none, from chunks and
 * key slots (gap "rebuilt", restricted: nobody can tell what they were granted for), and calls of which nothing was kept
 * from the evidence log. Then what became of calls later (later.db). Never brings back the row of a call whose day was destroyed. cb gets a line for each
 * file. May be killed and run again. -EBUSY a recorder or reaper runs. Needs no private key; reads all segments.
 */
struct store_rebuild_report {
	uint64_t damaged;    /* partitions set aside */
	uint64_t partitions; /* made */
	uint64_t later;	     /* lines of a later.db that was lost */
	uint64_t copied, bare, denied; /* rows: from copies; from chunks and slots; from the evidence log */
	uint64_t over;	   /* rows that are not brought back: their day was destroyed, or nothing of them may be read */
	uint64_t unplaced; /* calls that the evidence log has as denied, and nobody knows the day of */
};
int store_rebuild(const char *dir, void (*cb)(void *arg, const char *file, const char *text), void *arg,
		  struct store_rebuild_report *ret, char *why, size_t n);

int store_fsck(const char *dir,
	       void (*cb)(void *arg, const char *file, uint64_t off, const char *rule, const char *text),
	       void *arg, struct store_fsck_report *ret, char *why, size_t n);

#endif
