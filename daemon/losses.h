/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * losses.h - every place where something is lost: its figure, and the line of the log when it grows
 *
 * One table for status, metrics and log, so that no place is in one of them alone. Counts only grow while the daemon lives;
 * those of the kernel began with the capture, before this daemon.
 *
 * The log has the first of a kind at once, then a line a minute with the number since. It names the place, never a
 * call, number or address: whoever sends the packets could write into the log otherwise.
 */
#ifndef LOSSES_H
#define LOSSES_H

#include <stdint.h>

struct status;

#define LOSSES	       24
#define LOSSES_SAY_NS 60000000000ULL

struct loss {
	const char *name; /* in JSON and as the label of the metric */
	const char *text; /* what the log says; NULL nothing: anybody can send what is counted there, and it means no defect */
	uint64_t n;
	uint64_t said; /* of n, what the log speaks of */
};

void losses_of(const struct status *s, struct loss ret[LOSSES]);

struct losses_told { /* zeroed: what there is at the first look is nobody's news */
	uint64_t seen[LOSSES], at_ns[LOSSES];
	uint64_t waiting[LOSSES]; /* since the latest line */
	int begun;
};

/* Once a second. say: a line is due; n: so many since the last one of its kind. */
void losses_look(struct losses_told *t, const struct status *s, uint64_t now_ns, void (*say)(void *arg, const char *text, uint64_t n),
		 void *arg);

#endif
