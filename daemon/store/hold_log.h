/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hold_log.h - what the evidence log knows of holds, beside what the journal says (FORMAT.md section 13, rule H-7)
 *
 * The journal of holds is a file that can be replaced by an older copy of itself. The log, which is chained and signed, has an event of each
 * hold that was set and ended. A journal that is older than the log about a call is not the one that was.
 *
 *	hold_log_new(store, &g)			what waits in the outbox; before the log is read
 *	evlog_look(... .arg = g, .line = hold_log_line)
 *	hold_log_check(g, ...)			compares; the journal is read last
 *
 * Memory: calls that were ever on hold, as far as the log goes back. Links no decryption. One thread an object.
 */
#ifndef HOLD_LOG_H
#define HOLD_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/uid.h"

struct evlog_line;
struct hold_log;
struct holds;

/* 0 or -errno, with a line in why. -ENOENT: a copy of the evidence alone, which has neither keys nor holds: there is nothing to compare. */
int hold_log_new(const char *store_dir, struct hold_log **ret, char *why, size_t n);
void hold_log_free(struct hold_log *g); /* NULL-tolerant */
/* As evlog_look's line; -ENOMEM. */
int hold_log_line(void *log, const char *file, uint64_t n, const struct evlog_line *l);

/* The log's last word of a call. */
struct hold_word {
	struct uid call;
	bool set; /* else it was released */
	uint64_t time_ns;
};
/* Each call of which the log has a later word than the journal, and another. */
void hold_log_each(const struct hold_log *g, const struct holds *h, void (*fn)(void *arg, const struct hold_word *w), void *arg);
/*
 * So, with the store's journal; fn is given texts for a person. An event of any hold and no journal is damage, too. -EACCES and so on: the journal
 * cannot be read.
 */
int hold_log_check(const struct hold_log *g, void (*fn)(void *arg, const char *rule, const char *text), void *arg, char *why, size_t n);

#endif
