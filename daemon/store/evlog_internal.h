/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * evlog_internal.h - what the files of the evidence log share
 *
 * evlog_event.c fields and kinds, evlog_line.c lines, evlog_root.c keys, roots and the head,
 * evlog_day.c a day's file read line by line, evlog_recover.c where writing goes on, evlog_open.c
 * and evlog.c writing, evlog_look.c, evlog_sums.c and evlog_late.c looking. All names are relative to the store.
 */
#ifndef EVLOG_INTERNAL_H
#define EVLOG_INTERNAL_H

#include <stdio.h>

#include "store/evlog.h"
#include "store/merkle.h"
#include "store/store_internal.h"

#define EVLOG_DIR   "evidence"
#define EVLOG_KEY   "evidence/root.key"
#define EVLOG_PUB   "evidence/root.pub"
#define EVLOG_HEAD  "evidence/head"
#define EVLOG_LOCK  "evidence/lock"
#define EVLOG_TEXT  1024 /* a root, key or head as text fits */
#define EVLOG_SLOT  512	 /* the head file is two of these */
#define EVLOG_DAY_S 86400

/* ---- fields (evlog_event.c) ---- */

enum {
	K_CALL = 1,	  /* must name its call; others must not, unless K_ANY */
	K_RULE = 2,
	K_PURPOSE = 4,
	K_POLICY = 8,
	K_DATA = 16,	  /* must have data; others must not */
	K_DAY = 32,	  /* must have the num day */
	K_CONTROLLER = 64,
	K_REASON = 128,
	K_WHO = 256,
	K_BEGIN = 512,	  /* lets something begin: refused first when space gets short */
	K_OWN = 1024,	  /* evlog's own: evlog_append takes none */
	K_ANY = 2048,	  /* may name a call */
	K_PRESS = 4096,	  /* may name a key of the policy that was pressed */
	K_NOTICE = 8192,  /* may say which announcement */
	K_BASIS = 16384,  /* may say on what the purpose rests */
	K_FORMAT = 32768, /* may say how it was given */
};
unsigned evlog_kind_flags(enum evlog_kind k);

/* n bytes of a name in one of the closed lists, or -1. */
int evlog_kind_find(const char *s, size_t n);
int evlog_purpose_find(const char *s, size_t n);
int evlog_source_find(const char *s, size_t n);
int evlog_num_find(const char *s, size_t n);

/* As evlog_check, of an event that a log has already: how old the evidence was that it gave up does not matter any more. */
const char *evlog_form(const struct evlog_event *e);

/* ---- time (evlog_line.c) ---- */

int evlog_day_parse(const char *s, int32_t *ret); /* exactly "2026-11-24" and a zero; -EINVAL */
void evlog_day_name(int32_t day, const char *ext, char out[64]); /* "evidence/2026-11-24.log" */

/* ---- keys, roots, head (evlog_root.c) ---- */

struct evlog_pub {
	uint8_t store[16], key[32];
	uint8_t hash[32]; /* of the file: the first link of all */
};
int evlog_pub_parse(const char *text, size_t n, struct evlog_pub *ret); /* -EBADMSG */
/* Reads the store's, or the file `other` when given. -ENOENT no log there yet, -EBADMSG. */
int evlog_pub_load(const struct root *r, const char *other, struct evlog_pub *ret, struct why *why);
/* secret: 64 bytes of locked memory, libsodium's form. Makes keys and head when there is no log. */
int evlog_key_open(const struct root *r, uint8_t *secret, struct evlog_pub *ret, struct why *why);

/* The end of a day, signed. */
struct evlog_root {
	uint8_t store[16];
	int32_t day;
	uint64_t first, last; /* sequence numbers */
	uint8_t prev[32];     /* what the day's first line follows */
	uint8_t link[32];     /* of its last line */
	unsigned version;     /* 1: of before there was the next */
	uint8_t merkle[32];   /* root of the tree over its lines */
};
/* text (EVLOG_TEXT) gets the file; its length. ret_hash: what the next day's first line follows. */
size_t evlog_root_make(const struct evlog_root *r, const uint8_t secret[64], char *text, uint8_t ret_hash[32]);
/* Any bytes. -EBADMSG not a root, -EKEYREJECTED signature. */
int evlog_root_parse(const char *text, size_t n, const struct evlog_pub *pub, struct evlog_root *ret, uint8_t ret_hash[32]);
/* -ENOENT none yet. */
int evlog_root_load(const struct root *r, int32_t day, const struct evlog_pub *pub, struct evlog_root *ret,
		    uint8_t ret_hash[32], struct why *why);

/* What was durable once: the log never ends before it. */
struct evlog_head {
	uint64_t seq; /* 0: nothing yet */
	int32_t day;
	uint8_t link[32];
};
void evlog_head_make(const struct evlog_head *h, const struct evlog_pub *pub, const uint8_t secret[64],
		     char slot[EVLOG_SLOT]);
/* The newer of the slots whose signature holds. -ENOENT no file, -EBADMSG no such slot. */
int evlog_head_load(const struct root *r, const struct evlog_pub *pub, struct evlog_head *ret, struct why *why);

/* ---- a day's file (evlog_day.c) ---- */

/* Reads lines with a buffer of its own; one thread. */
struct evlog_file {
	int fd;
	char *buf; /* 64 KiB */
	size_t at, have;
	uint64_t off;  /* of the next line */
	uint64_t line; /* number of the last line given */
	bool nul; /* the last line given has a zero in it */
	bool end;
};
int evlog_file_open(const struct root *r, const char *name, struct evlog_file *f); /* -errno */
void evlog_file_close(struct evlog_file *f); /* NULL-tolerant */
/*
 * Next line without LF. 1 a whole line, 0 the end, 2 bytes without LF up to the end (*ret_n of them), or longer
 * than a line may be: the rest of that line is skipped; -errno.
 */
int evlog_file_next(struct evlog_file *f, const char **ret, size_t *ret_n);

/*
 * Days that have a log, or nothing but a root (their log expired), oldest first. Names that are no part of a log are
 * given to `other`, which may be NULL.
 */
struct evlog_days {
	struct evlog_one_day {
		int32_t day;
		bool expired;
	} *v;
	size_t n;
};
int evlog_days_read(const struct root *r, struct evlog_days *ret, void (*other)(void *arg, const char *name), void *arg);
void evlog_days_free(struct evlog_days *d);
/* Days since 1970 of YYYYMMDD. False: no day. */
bool evlog_day_of_number(uint64_t number, int32_t *ret);

/* ---- the start (evlog_recover.c) ---- */

struct evlog_state {
	uint64_t seq;	  /* of the last line; 0 none */
	uint8_t link[32]; /* what the next line follows */
	int32_t day;	  /* newest day */
	int32_t before;	  /* the day before that, if has_before */
	bool has_before;
	bool any;	  /* there is a day */
	bool closed;	  /* and it has its root */
	uint64_t first;	  /* of the newest day */
	uint8_t prev[32]; /* what its first line follows */
	struct merkle tree; /* over its lines */
	uint64_t size;	  /* bytes of its file that stand */
	uint64_t cut_bytes, cut_lines; /* behind them, torn */
};
/* Looks, changes nothing. -EBADMSG. */
int evlog_state_read(const struct root *r, const struct evlog_pub *pub, struct evlog_state *ret, struct why *why);

/* ---- sums (evlog_sums.c) ---- */

struct evlog_sums;
int evlog_sums_new(struct evlog_sums **ret);
void evlog_sums_free(struct evlog_sums *s);
/*
 * Takes a line. Returns NULL, or what does not balance, in a text that lives until the next call;
 * *ret_rule then names the rule of FORMAT.md. partial: the log's beginning was not read, and may be this event's; since_ns:
 * nothing was read of before (0: all was).
 */
const char *evlog_sums_line(struct evlog_sums *s, const struct evlog_line *l, bool partial, uint64_t since_ns, const char **ret_rule);
bool evlog_sums_failed(const struct evlog_sums *s); /* out of memory */
/* Ends: for each sum; for each call that should have an outcome and has none (uid as text). */
void evlog_sums_end(struct evlog_sums *s, void (*sum)(void *arg, const struct evlog_sum *s), void *arg,
		    void (*lost)(void *arg, const char *uid, const char *rule, int32_t day), void *lost_arg,
		    uint64_t *ret_open);

/* Whether the call is matched and has no outcome yet. */
bool evlog_sums_is_open(const struct evlog_sums *s, const struct uid *call);

/* ---- key.commits behind their call's outcome (evlog_late.c): added in a first reading, told after a second one ---- */

struct evlog_late {
	struct uid call;
	uint64_t seq, line;
	int32_t day; /* of the file */
};

struct evlog_lates;
int evlog_lates_new(struct evlog_lates **ret);
void evlog_lates_free(struct evlog_lates *s); /* NULL-tolerant */
int evlog_lates_add(struct evlog_lates *s, const struct evlog_late *l); /* -ENOMEM */
bool evlog_lates_any(const struct evlog_lates *s);
/* As evlog_look's line: the second reading; 0. */
int evlog_lates_line(void *lates, const char *file, uint64_t line, const struct evlog_line *l);
void evlog_lates_each(const struct evlog_lates *s, void (*fn)(void *arg, const struct evlog_late *l), void *arg);

/* Of a file in evidence/: 1 a day's log, 2 its root, 0 another part of a log, -1 none. */
int evlog_name_kind(const char *name, int32_t *ret_day);

#endif
