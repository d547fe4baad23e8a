/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * store_call.h - a call being written, as the files of store/ share it
 *
 * store_call.c writes it, callbytes.c turns it into bytes and back. The bytes,
 * without the data key, are what open.db holds of it (FORMAT.md section 8), so
 * that it gets a row when the writer dies; with the key, which store_call_save
 * hands to the next process, that process goes on with it.
 */
#ifndef STORE_CALL_H
#define STORE_CALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "store/catalog.h"
#include "store/parts.h"
#include "store/segment.h"
#include "store/store_internal.h"
#include "store/writer.h"

/* Of one leg, for the row that a dead writer did not write. */
struct leg_sum {
	uint64_t packets, payload, audio_ms, last_ns;
	struct media_format format; /* of the latest chunk */
};

struct store_call {
	struct store *st;
	struct store_call *next, **prev;
	struct store_call_meta meta; /* strings are copies in `strings` */
	char *strings;
	char *party_text; /* numbers of a denied call on its way; NULL else */
	size_t party_size;
	struct callkey *key;
	struct parts parts;	 /* at least one once it has begun; guarded by store.wraps */
	uint32_t leg_part[2];	 /* what is appended to the leg is of this part */
	bool keyed[STORE_PURPOSES]; /* the purpose has a key (in memory; the wrap is `slot`) */
	bool parting;		 /* the next audio is of a new part, whatever the purposes */
	uint64_t id;	/* random: tells two calls of one uid apart, whose keys differ */
	uint32_t epoch; /* of the store, when it was begun or resumed last */
	uint32_t day;
	uint32_t purpose_day[STORE_PURPOSES];
	uint32_t slot[STORE_PURPOSES]; /* 0: no wrap */
	uint32_t gone[STORE_PURPOSES]; /* how often it was destroyed in the call */
	uint8_t hash[2][NUMBER_HASH];
	bool has_hash[2];
	struct buf numbers;
	struct buf grounds; /* sealed; guarded by store.wraps */
	struct buf extents;
	struct extent_state from; /* where the writer was at begin: no chunk of it lies before */
	struct extent_state at;	  /* where the chunks in `extents` end */
	struct leg_sum leg[2];
	uint32_t chunks[2]; /* next number of each leg in this epoch */
	/* with threads: */
	_Atomic bool dead;    /* aborted: what is on its way comes to nothing */
	_Atomic uint32_t shed; /* chunks that the queue had no room for, */
	_Atomic uint32_t lost; /* or that the disk did not take */
	struct job *end;       /* on the list of ended ones: what it ended with (pipe_internal.h) */
	struct part_sum forgotten[2]; /* audio of destroyed parts that came to nothing; the caller's thread */
	/* What the last sync covered: records hold no more, since the rest may never reach the disk. */
	struct {
		size_t extents;
		struct extent_state at;
		struct leg_sum leg[2];
	} durable;
	/* in open.db: */
	bool listed;	    /* has a record there */
	_Atomic bool stale; /* the record lacks something that matters */
	bool leaving;	    /* goes, without an end, with the next sync */
	uint64_t listed_ns;
	size_t listed_extents;
	char reason[STORE_PURPOSES][64]; /* meta.now's */
	/* resumed: chunks behind `extents` that the dead writer wrote are still to be found, so those
	 * of this process wait in `late` (struct extent each) */
	bool catching_up;
	struct buf late;
	struct leg_sum late_leg[2];
};

#define STRINGS_MAX 10240 /* all texts of a call as bytes: nine of at most 1 KiB */

/* A call of a dead writer, from open.db. */
struct left {
	struct store_call *sc; /* without key; on no list */
	bool sought;	       /* the segments behind its record were searched */
	bool stuck;	       /* its files are damaged: stays for somebody to look at */
	struct left *next;
};

int scall_day(struct store *st, const struct store_call_meta *m, uint32_t *ret_day);
struct store_call *scall_new(struct store *st); /* on no list, NULL no memory */
void scall_link(struct store_call *sc);
void scall_durable(struct store_call *sc); /* all its chunks so far are on disk */
/* Copies the strings of m; numbers are left out. m may be sc->meta itself. -ENOMEM. */
int scall_copy_meta(struct store_call *sc, const struct store_call_meta *m);
void scall_free(struct store_call *sc); /* wipes the key; unlinks; NULL-tolerant */
/* Returns the milliseconds that were added. */
uint64_t leg_add(struct leg_sum *l, uint64_t packets, uint64_t payload, uint64_t last_ns);
int scall_drop_wrap(struct store_call *sc, enum store_purpose p, bool durable); /* drop_slot of the purpose's, if it has one */
/*
 * The half of each step that needs the disk; by the caller's thread, or by the disk's (pipe_disk.c).
 */
int scall_open(struct store_call *sc);
/* A chunk of the caller's as bytes in c->chunk, and what is still to be known of it. */
struct coded {
	struct chunk_head h;
	struct media_format format;
	uint64_t last_ns;
};
/* part and its key are those of when the chunk was appended. */
int chunk_code(struct coder *c, struct store_call *sc, unsigned leg, uint32_t part, const struct partkey *key,
	       const struct chunk *k, struct coded *ret);
void scall_forgotten(struct store_call *sc, unsigned leg, const struct chunk *c);
/* Where the writer is: nothing of the call lies before. By who appends. */
int scall_place(struct store_call *sc);
/* Into a segment, by who appends; and that it is there, by who has the rest of the call. */
int scall_append(struct store_call *sc, const struct coded *k, const uint8_t *bytes, struct extent *ret);
int scall_written(struct store_call *sc, const struct coded *k, const struct extent *e);
void scall_note(struct store_call *sc, const struct store_call_now *now);
int scall_end(struct store_call *sc, const struct store_call_result *r); /* frees sc */
/*
 * The row alone; *ret: what it says, with texts of r's, sc's or static ones. Nothing of sc is freed, and it may be
 * asked again when the row came to nothing. -EEXIST, -EINVAL: refused, for good.
 */
int scall_row(struct store_call *sc, const struct store_call_result *r, struct store_call_result *ret);
/* 1 the call has a row in the catalog of its day, 0 not. */
int scall_has_row(struct store *st, const struct store_call *sc);
int scall_leave(struct store_call *sc);
int scall_forget(struct store_call *sc); /* a purpose that had no wrap, durably; without threads */
/* Wraps are overwritten. tell: a purpose had none; the record must be gone, durably. Frees sc. */
int scall_close(struct store_call *sc, bool tell);
void scall_abort(struct store_call *sc);
int denied_row(struct store *st, const struct store_call_meta *meta, const struct store_call_result *r);
/* All wraps of a call; *ret_tell as in scall_close. */
int scall_drop_wraps(struct store_call *sc, bool *ret_tell);
/* Chunks behind the last sync did not reach the disk. */
void scall_shorten(struct store_call *sc);

/* Row into the catalog, with a sync when there are too many. */
int add_row(struct store *st, const struct catalog_row *row);
/* The table of parts into the row, as of live purposes; r's figures lose what none of them has (all: also what never came
 * to the disk, as the caller counted it). parts: the caller's. */
int row_parts(struct store_call *sc, const bool live[STORE_PURPOSES], bool all, struct store_call_result *r, struct buf *parts,
	      struct catalog_row *row);

/* ---- slots that were overwritten (drops.c) ---- */

/*
 * Overwrites one. durable: before it returns. Else, with threads, the disk's cache is not waited for, and it is durable when no drop
 * waits (store_drops_wait). With threads what the disk refuses is tried again, and 0 all the same unless there is no memory.
 */
int drop_slot(struct store_call *sc, enum store_purpose p, uint32_t day, uint32_t slot, bool durable);
/* All drops so far durable, else an error. Any thread but the caller's; waits for the disk when there are any. */
int drops_sync(struct store *st, struct why *why);
void drops_free(struct store *st);

/* ---- as bytes (callbytes.c) ---- */

/* What open.db holds: everything but the key and the numbers in clear. */
void record_put(const struct store_call *sc, struct buf *out);
/* Takes any bytes. *ret is on no list and without a key. -EBADMSG not a record or damaged, -ENOMEM. */
int record_get(struct store *st, const uint8_t *p, size_t n, struct store_call **ret);

/* What store_call_save writes: the keys, and whose. */
struct saved {
	struct uid uid;
	uint64_t id;
	uint32_t epoch;
	uint32_t gone[STORE_PURPOSES];
	bool keyed[STORE_PURPOSES], wrapped[STORE_PURPOSES];
	const uint8_t *purpose[STORE_PURPOSES], *numbers; /* in the caller's bytes, as everything below */
	unsigned nparts;
	const uint8_t *parts, *grounds;
	size_t grounds_len;
};
struct saved_part {
	uint32_t epoch;
	uint64_t from_ns;
	unsigned set;
	const uint8_t *data; /* its key; NULL not known */
};
/* all: else without what no committed purpose opens, see store_call_save_durable */
void saved_put(const struct store_call *sc, bool all, struct buf *out);
bool saved_get(const uint8_t *p, size_t n, struct saved *ret); /* takes any bytes */
void saved_part(const struct saved *s, unsigned n, struct saved_part *ret);

/* ---- its parts (call_parts.c) ---- */

int scall_parts_begin(struct store_call *sc); /* keys, and the first part; -ENOMEM */
void scall_parts_free(struct store_call *sc); /* wiped; NULL-tolerant inside */
void scall_parts_wipe(struct store_call *sc); /* all keys, at once; nothing can be coded any more */
/* The purpose's key is forgotten, and those of parts that were its alone. The wrap is the caller's affair. */
void scall_parts_drop(struct store_call *sc, enum store_purpose p);
void scall_parts_add(struct store_call *sc, uint32_t part, unsigned leg, uint64_t packets, uint64_t audio_ms, bool late);
enum parts_sums { SUMS_DURABLE, SUMS_SHORTEN, SUMS_JOIN };
void scall_parts_sums(struct store_call *sc, enum parts_sums what);
/* A chunk that was found is of a part that the call has: else it cannot be opened (any more). */
bool scall_part_known(const struct store_call *sc, const struct chunk_head *h);
void scall_parts_lost(const struct store_call *sc, const bool live[STORE_PURPOSES], unsigned leg, struct part_sum *ret);
/* -EBADMSG the state is of another call. */
int scall_parts_restore(struct store_call *sc, const struct saved *s);

/* ---- calls of a dead writer (resume.c) ---- */

int left_load(struct store *st);
void left_free(struct store *st);
struct left *left_find(struct store *st, const struct uid *uid);
/* Forgets one: wraps overwritten, record gone. NULL-tolerant. */
int left_drop(struct store *st, struct left *l);
/* Records in open.db of calls that have none or an old one. Slots and segments are durable. */
int open_calls(struct store *st);
int marks_note(struct store *st, const struct store_call *sc); /* it has a row or a record now */
/* Brings the extents of a resumed call up to date, whose last chunks were written by the dead one. */
int catch_up(struct store *st);
int settle_left(struct store *st, uint64_t *ret_calls);
int settle_here(struct store *st, uint64_t *ret_calls);

#endif
