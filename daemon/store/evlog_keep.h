/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * evlog_keep.h - policies/records: for how long which days of the evidence log are kept beyond 24 months (decision-record; FORMAT.md
 * sections 9 and 10)
 *
 * A line is a length and the last day of which events are kept so long: what was decided under the policies that asked for it. Lines
 * without a day are of policies of which nobody said yet how long they are in force, and keep all days. Files only; any thread.
 */
#ifndef EVLOG_KEEP_H
#define EVLOG_KEEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EVLOG_KEEP_LINES 16
#define EVLOG_KEEP_TEXT	 (EVLOG_KEEP_LINES * 20 + 1)
#define EVLOG_KEEP_EVER	 INT32_MAX

struct evlog_keep {
	struct evlog_keep_line {
		unsigned months;
		int32_t upto; /* days since 1970; EVLOG_KEEP_EVER no day */
	} line[EVLOG_KEEP_LINES]; /* by months, each once */
	size_t n;
};

/* No file: no lines. -EBADMSG not such a file: nobody gives up any evidence then; -errno. */
int evlog_keep_read(int root_fd, struct evlog_keep *ret);
/* The last day of which the store has a log or a root; 0 none, or it cannot be told. */
int32_t evlog_newest_day(const char *store_dir);
/* As much of text (EVLOG_KEEP_TEXT) is the file; 0 there are no lines. */
size_t evlog_keep_text(const struct evlog_keep *k, char *text);
/* The first day that is kept on `day`: at least `months` and at least 24 months of days are. */
int32_t evlog_keep_before(const struct evlog_keep *k, int32_t day, unsigned months);
/* Events up to this day are kept so long: true when that is new. 24 months and less are no line. */
bool evlog_keep_add(struct evlog_keep *k, unsigned months, int32_t upto);
/*
 * For who knows what is in force: a line without a day gets this one, since no event is of a later day but those of what evlog_keep_add
 * is asked for then. Lines that keep nothing any more on `day` go. True when anything changed.
 */
bool evlog_keep_close(struct evlog_keep *k, int32_t upto, int32_t day);

#endif
