/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * retention.h - the journal of how long rules keep calls (STORE/retention, FORMAT.md section 14)
 *
 * The daemon appends a line when a policy that is in force, and confirmed, keeps the calls of a rule for another time than the line
 * before said. A line holds for calls that began before its `before`: they are kept no longer than its span. The reaper reads it,
 * who knows no policies. Each line counts, and for a call the earliest of its own deadline and those of the lines: a later, longer
 * one changes nothing. Nothing is ever taken out of it.
 *
 *	retention_note(store, lines, n, ...)	the daemon: appends those that differ from the last ones of the same key; durable
 *	retention_read(root, &r, why)		the reaper, fsck, who searches
 *	retention_shrink(&r)			those lines alone that count
 *	retention_deadline(line, start, &ns)	until when a call that began then is kept
 *
 * A line of `use` is of training that nobody used: of calls that began before its `before` it is erased when its span is over (use-within).
 *
 * What the first lines of a store say is how it was when the journal began: `before` is 0 and no call is touched; unless a reaper went by a
 * journal that is gone. A last line without
 * its LF was never confirmed: nobody reads it, the next writer cuts it. Errors 0 or -errno. Any thread; writers wait for each
 * other (flock).
 */
#ifndef RETENTION_H
#define RETENTION_H

#include <stddef.h>
#include <stdint.h>

#include "store/store_internal.h"

#define RETENTION_FILE	   "retention"
#define RETENTION_LINE_MAX 640
#define RETENTION_NAME	   65 /* of a rule, of a zone; with the zero */

enum retention_unit { RETENTION_U_S, RETENTION_U_MIN, RETENTION_U_H, RETENTION_U_DAYS, RETENTION_U_MONTHS, RETENTION_U_YEARS, RETENTION_U_UNITS };

struct retention_line {
	uint64_t n;	    /* from 1, without gaps */
	uint64_t at_ns;	    /* when it was written */
	uint64_t before_ns; /* of calls that began before; 0 none */
	char controller[STORE_NAME_MAX];
	unsigned purpose; /* enum store_purpose */
	bool use;	  /* until when it must have been used; training */
	unsigned span;
	enum retention_unit unit;
	char zone[RETENTION_NAME];
	char policy[65]; /* that said so */
	char rule[RETENTION_NAME];
	uint32_t crc; /* of it as it was read */
};

/* With LF; its length, 0 when a text cannot be one of a line. */
size_t retention_format(const struct retention_line *l, char out[RETENTION_LINE_MAX]);
/* A line without its LF; any bytes; accepts exactly what retention_format writes. -EBADMSG. */
int retention_parse(const char *p, size_t n, struct retention_line *ret);
/* As that of a row is counted from its start. -EINVAL no such zone. */
int retention_deadline(const struct retention_line *l, uint64_t start_ns, uint64_t *ret);

struct retention {
	struct retention_line *v;
	size_t n;
	unsigned bad;  /* lines that are none, not in their order, or missing before one; the head */
	uint64_t last; /* the number of the last one */
};
/* bad (may be NULL): each of those, by offset of the line. -ENOENT there is no file, or an empty one. */
int retention_read(const struct root *r, struct retention *ret, void (*bad)(void *arg, uint64_t off, const char *text), void *arg,
		   struct why *why);
void retention_free(struct retention *t);
/*
 * Takes out of t what a later line makes superfluous: of the same key, unit and zone, with no longer span and no earlier `before`. Each call has the
 * deadline that it had. A policy that changes to and fro leaves thousands of lines and two that count. `last` and `bad` stay.
 */
void retention_shrink(struct retention *t);

/* n, at_ns and before_ns of v are filled in here, with now_ns. *ret_added: how many of v were appended, all of them or none. */
int retention_note(const char *store, struct retention_line *v, size_t n, uint64_t now_ns, size_t *ret_added, char *why, size_t why_n);

#endif
