/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * record_internal.h - what record.c (packets, sums), record_end.c (outcomes), record_keep.c (take-over) and others share
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
#define WAITING_MAX 1024 /* draws within the time of a sync */
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
	uint64_t horizon_ns, seen_ns; /* as recorder_horizon says; up to then calls were looked at */
	unsigned ticks;
	int err; /* the store failed: everything stops */
	struct recorder_figures fig;
	struct chunker_memory memory; /* of all calls */
	struct keep *keep; /* calls in progress, for the daemon after this one; NULL none */
	uint64_t kept_offset; /* of the clock, as keep has it */
	struct call *unsaved;
	struct buf saving; /* of one call; holds its key for a moment */
	struct recorder_kept kept;
	uint64_t not_left; /* calls: recorder_leave found no room for their state */
	bool restoring; /* who ends now is told by evidence_settle */
	uint32_t waiting[WAITING_MAX]; /* rings of calls whose slot is not durable yet */
	size_t nwaiting;
	struct {
		uint64_t packets, ms;
	} needless; /* what the latest "not needed" destroyed, until it is told */
	struct parked *park_next; /* of park_tighten, while it looks at one */
	struct parked *parked; /* recordings whose conversation goes on */
	struct ending *endings, *endings_free; /* calls whose outcome the disk has not confirmed; room for others */
	struct endings_block *endings_blocks;
	uint64_t saved; /* evidence_saved at the last look */
	uint64_t unmatched; /* told so far */
	const char *grounds; /* while somebody says an objection; NULL none */
	unsigned grounds_kept;
	char policy_told[65]; /* hash of the latest in the log */
};

/* ---- record.c ---- */
struct recording;
void recorder_failed(struct recorder *r, int e); /* e 0: nothing happens; the first error stays */
void recorder_sounds(struct recorder *r, const struct call *c, struct recording *rc);

/* ---- record_keep.c ---- */
void recorder_changed(void *arg, struct call *c);
void recorder_forgotten(void *arg, struct call *c);
void recorder_save(struct recorder *r); /* those that changed */

/* ---- record_park.c ---- */
/* Whether c's recording waits there from now on, for on_ended to be called with a copy of c. */
bool park(struct recorder *r, struct call *c);
void park_over(void *arg, struct call *ghost, enum policy_purpose q, enum purpose_event e); /* calls_sink.unpark */
/* A later policy: what it has no room for goes. */
void park_tighten(struct recorder *r, const struct policy *p);
void park_clock_back(struct recorder *r); /* call_clock_back */
/* The program goes: no later opt-out could reach them. */
void park_deny_all(struct recorder *r, const char *reason);
size_t park_pinned(const struct recorder *r, const struct policy *p);

/* ---- record_end.c ---- */
void recorder_ended(void *arg, struct call *c); /* calls_sink.ended, and for what was parked */
void endings_tell(struct recorder *r);		 /* calls whose row the disk has by now */
/* store_finish, and what is known then; others have no outcome here. -EAGAIN: the log let no rows pass for five seconds. */
int endings_finish(struct recorder *r);
size_t endings_pinned(const struct recorder *r, const struct policy *p);
void endings_free(struct recorder *r);

/* ---- record_callback.c ---- */
/* calls_sink's; arg is the recorder */
void callback_add(void *arg, struct call *c, uint64_t until_ns);
bool callback_due(void *arg, struct call *c);
void callback_used(void *arg, struct call *c);

/* ---- record_proof.c ---- */
struct recording_result;
/* calls_sink's; arg is the recorder */
/* Somebody is told, if the call's rule wants that. */
void proof_alarm(struct recorder *r, const struct call *c, enum recorder_alarm what);
const char *proof_draw(void *arg, struct call *c);
const char *proof_redraw(void *arg, struct call *c, const struct policy_rule *rule);
bool proof_ready(void *arg);
void proof_news(void *arg, const struct call *c, const struct call_news *n);
/* What has happened to c by this is an objection with grounds that somebody is saying: its recording keeps the words. */
void proof_grounds(struct recorder *r, const struct call *c, const struct call_news *n);
/* There is a log, and the call is not one that was recorded before. */
bool proof_wanted(const struct recorder *r, const struct call *c);
void proof_begin(struct recorder *r, const struct call *c); /* the first audio is kept */
/* recording_destroy of a call that has a recording, with what the log is told of it: the key, and how much audio went. */
int proof_destroy(struct recorder *r, const struct call *c, enum policy_purpose p, const char *reason);
void proof_kept(struct recorder *r, const struct call *c, const struct recording_result *end);
/* begun: it had a key */
void proof_denied(struct recorder *r, const struct call *c, const struct recording_result *end, bool begun);
void proof_policy(struct recorder *r, const struct policy *p);
void proof_unmatched(struct recorder *r);
/* Calls that were drawn, and whose slots the disk has by now. */
void proof_slots(struct recorder *r);

#endif
