/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * record_call.h - one call being recorded: from RTP packets to the store
 *
 * Between record.c, which routes, and media/ and store/, which do the work. A
 * recording takes nothing on disk before its first audio packet; then the store
 * gets the data key's wraps, then chunks, at the end the row. Exactly one of
 * kept, denied, gap or known comes out. One thread.
 */
#ifndef RECORD_CALL_H
#define RECORD_CALL_H

#include <stdbool.h>
#include <stdint.h>

#include "call/call.h"
#include "store/store.h"

struct recording;
struct rtp_pkt;

enum recording_end { RECORDING_KEPT, RECORDING_DENIED, RECORDING_GAP, RECORDING_KNOWN };

/* Deadlines are worked out here (N-23). -ENOMEM, -EINVAL zone or controller name. */
int recording_new(struct store *st, const struct call *c, struct recording **ret);
/* One packet of a leg. kind: CALL_PT_AUDIO (or comfort noise) of format f is kept while some purpose
 * lets it; CALL_PT_EVENT is listened to; anything else only counts as received. blocked: packets of this leg dropped so far by verdict. Returns 1 and *ret_key for a key press, 0, or -errno. */
int recording_packet(struct recording *rc, const struct call *c, unsigned leg, const struct rtp_pkt *p,
		     const struct media_format *f, enum call_payload kind, uint64_t arrival_ns,
		     uint64_t blocked, char *ret_key);
void recording_blocked(struct recording *rc, unsigned leg, uint64_t packets); /* adds */
void recording_gap(struct recording *rc, const char *why); /* static text; the first stays */
/* A purpose is over: its wrap goes, and all audio when no purpose is left (INV-1). */
int recording_destroy(struct recording *rc, const struct call *c, enum policy_purpose p);
/* Nothing is recorded: the call is in the store already, or its clock beyond any deadline. */
bool recording_known(const struct recording *rc);
/* Writes the row, or forgets what must not stay. Frees rc in every case. */
int recording_end(struct recording *rc, const struct call *c, enum recording_end *ret_end);
/* Store failed or program stops: keys are overwritten, nothing stays. */
void recording_abort(struct recording *rc);

#endif
