/* SPDX-License-Identifier: BSD-2-Clause */
/* hold_internal.h - lines of the journal of holds, and the file of their keys */
#ifndef HOLD_INTERNAL_H
#define HOLD_INTERNAL_H

#include "base/hash.h"
#include "store/hold.h"
#include "store/slot.h"
#include "store/store_internal.h"

#define HOLDS_FILE     "holds"
#define HOLDS_TELLING "holds.telling"
#define HOLDS_NAME     "holds" /* in its head (journal.h) */
#define HOLDS_HEAD_1   "{\"optag-holds\":1}\n" /* of a journal of before, that does not say how long it is */
#define HOLDS_FILE_MAX (64u << 20)
#define HOLDS_FILE_ADD (48u << 20) /* from here on holds end and none begins */

/* ---- lines (hold_line.c) ---- */

enum hold_what { HOLD_SET, HOLD_CHANGE, HOLD_ASK, HOLD_CANCEL, HOLD_RELEASE, HOLD_WHATS };

struct hold_line {
	enum hold_what what;
	struct uid uid;
	char controller[64];	   /* set */
	uint32_t day, slot, index; /* set */
	uint64_t until_ns;	   /* set */
	char reason[HOLD_REASON];  /* all but cancel */
	char reference[HOLD_REFERENCE]; /* set, change */
	uint32_t review;	   /* set, change */
	uint64_t at_ns;
	struct hold_person by;
	bool plain; /* of before there were checksums */
};

/* Any bytes, without the LF. -EBADMSG: not what hold_line_format writes. */
int hold_line_parse(const char *p, size_t n, struct hold_line *ret);
size_t hold_line_format(const struct hold_line *l, char out[HOLD_LINE_MAX]); /* with LF */
/* NULL, or what is wrong with a text that a person gave. */
const char *hold_text_check(const char *s, size_t size);

/* ---- the journal (hold.c) ---- */

struct entry {
	struct hnode node;
	struct entry *next; /* in order of the journal */
	struct hold h;
};

/* What a reaper went by: so many bytes of lines, and their CRC. Zeros: none. */
struct hold_mark {
	uint64_t bytes;
	uint32_t crc;
};

struct holds {
	const struct root *root;
	int fd; /* of the journal, locked; -1: for reading only */
	uint64_t end, line; /* of what is whole */
	uint64_t size;
	uint64_t bytes; /* as its head says; 0: it has none, or one of before */
	struct hold_mark mark; /* of its lines, as read */
	struct htab by_uid;
	struct entry *first, **last;
	size_t held;
};

struct holds *holds_new(const struct root *r); /* none; NULL: no memory */
/* The length of the head of any bytes, 0: it has no whole one, or a damaged one; *ret_bytes as in struct holds. */
size_t holds_head(const char *s, size_t n, uint64_t *ret_bytes);
/* Any bytes as a journal, whole lines of it. -EBADMSG with the line in why. */
int holds_take(struct holds *h, const char *s, size_t n, struct why *why);
/* The line is true of *h from now on; -EBADMSG it cannot follow those before. */
int holds_apply(struct holds *h, const struct hold_line *l);
struct entry *holds_find(const struct holds *h, const struct uid *uid);
/* Durable, then true of *h. The line is one that the journal allows now (-EBADMSG else). */
int holds_append(struct holds *h, const struct hold_line *l, struct why *why);

/* ---- what a reaper went by (hold_mark.c) ---- */

/* Before the journal, which only grows. A mark that is none, or damaged, is zeros. */
void hold_mark_read(const struct root *r, struct hold_mark *ret);
/* Durable. */
int hold_mark_write(const struct root *r, const struct hold_mark *m, struct why *why);
/* s: the journal, of which head bytes are no lines. -EBADMSG: it does not begin with what the mark is of. */
int holds_marked(struct holds *h, const struct hold_mark *m, const char *s, size_t head, struct why *why);

/* ---- events (hold_untold.c) ---- */

bool hold_line_told(const struct hold_line *l); /* the evidence log hears of such a line */
/* Before the line (with its LF) is in the journal; durable. */
int holds_telling(struct holds *h, const char *line, size_t n, struct why *why);

/* ---- keys (hold_slot.c) ---- */

struct hold_slot {
	bool empty;
	struct slot slot; /* version 2, of documentation */
	uint32_t day, index; /* where it was copied from */
	uint8_t key[32];
};

#define HOLD_SLOT_COUNT (HOLDS_MAX + 1) /* of a file, head included */

/* Takes any bytes; NULL, or what is wrong. */
const char *hold_slot_parse(const uint8_t p[SLOT_SIZE], struct hold_slot *ret);
void hold_slot_format(const struct hold_slot *s, uint8_t out[SLOT_SIZE]);
const char *hold_head_parse(const uint8_t *p, size_t n, const uint8_t store_id[16], const char *controller);
void hold_slots_path(const char *controller, char out[STORE_PATH_MAX]);

/* One at a place (1, 2, ...). -ENOENT no such file or slot: as empty. */
int hold_slot_read(const struct root *r, const char *controller, uint32_t index, struct hold_slot *ret, struct why *why);
/* fn for each key that is there and whole. -ENOENT no file; -EBADMSG its head is damaged, then none. */
int hold_slots_each(const struct root *r, const char *controller, void (*fn)(void *arg, const struct hold_slot *s), void *arg, struct why *why);
/* Durable. s NULL: zeros; a file that is not there is no error then. */
int hold_slot_write(const struct root *r, const char *controller, uint32_t index, const struct hold_slot *s, struct why *why);
/*
 * The key of the call's slot from its bucket, which stays locked (*ret_fd; bucket_unlock and close) until the copy is
 * durable. -ESHUTDOWN gone. The caller wipes *ret.
 */
int hold_slot_copy(const struct root *r, const struct hold *h, struct hold_slot *ret, int *ret_fd, uint64_t *ret_destroy_ns,
		   struct why *why);

/* ---- changes (hold_change.c), as store_hold_* ---- */

int hold_why_check(const struct hold_why *w, uint64_t now, struct why *why);
/* x: uid, controller, day, slot, until_ns. */
int hold_begin(struct holds *h, const struct hold *x, const struct hold_why *w, const struct hold_person *who, uint64_t now,
	       struct why *why);
int hold_say(struct holds *h, const struct uid *uid, const struct hold_why *w, const struct hold_person *who, uint64_t now,
	     struct why *why);

int hold_end(struct holds *h, const struct uid *uid, const char *reason, const struct hold_person *who, uint64_t now,
	     enum hold_end *ret, struct why *why);
int hold_unask(struct holds *h, const struct uid *uid, const struct hold_person *who, uint64_t now, struct why *why);

#endif
