/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * record_internal.h - what record.c (packets, sums) and record_keep.c (take-over) share
 *
 * Invariant: a call is on the list of unsaved ones exactly while c->unsaved; the
 * list is empty whenever nothing is being handled, so a kill loses no more than
 * the message at hand.
 */
#ifndef RECORD_INTERNAL_H
#define RECORD_INTERNAL_H

#include "base/buf.h"
#include "capture/classify.h"
#include "media/chunker.h"
#include "record.h"

#define HEADER_MAX  64	 /* of a name */
#define LEARNED_MAX 4096 /* TCP connections on other ports that turned out to be SIP */

struct recorder {
	struct recorder_settings set;
	struct flow_table *flows;
	struct classify_sink sink;
	struct classify *classify;
	struct sigin *sigin;
	struct calls *calls;
	struct sip_extra extra; /* headers that rules match on or hear of; sigin keeps a pointer */
	char header[SIP_EXTRA_MAX][HEADER_MAX]; /* their names */
	struct endpoint learned[LEARNED_MAX][2]; /* a ring: the oldest gives way */
	unsigned nlearned;
	uint64_t ticked_ns;
	unsigned ticks;
	int err; /* the store failed: everything stops */
	struct recorder_figures fig;
	struct chunker_memory memory; /* of all calls */
	struct keep *keep; /* calls in progress, for the daemon after this one; NULL none */
	struct call *unsaved;
	struct buf saving; /* of one call; holds its key for a moment */
	struct recorder_kept kept;
};

/* ---- record_keep.c ---- */
void recorder_changed(void *arg, struct call *c);
void recorder_forgotten(void *arg, struct call *c);
void recorder_save(struct recorder *r); /* those that changed */

#endif
