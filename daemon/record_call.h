/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * record_call.h - one call being recorded: from RTP packets to the store
 *
 * Between record.c, which routes, and media/ and store/, which do the work. A
 * recording takes nothing on disk before its first audio packet; then the store
 * gets wraps, then chunks in parts for the purposes of the moment, at the end the row. Exactly one of
 * kept, denied, gap or known comes out. One thread.
 */
#ifndef RECORD_CALL_H
#define RECORD_CALL_H

#include <stdbool.h>
#include <stdint.h>

#include "call/call.h"
#include "record.h"
#include "store/store.h"

struct fp_set;
struct recording;
struct rtp_pkt;
struct dtmf_press;

enum recording_end { RECORDING_KEPT, RECORDING_DENIED, RECORDING_GAP, RECORDING_KNOWN };

/* Deadlines are worked out here (N-23). -ENOMEM, -EINVAL zone or controller name. */
int recording_new(struct store *st, const struct call *c, struct recording **ret);
/* What legs may hold before it is in the store, each and all together; m stays the caller's. At once after
 * recording_new or recording_resume. */
struct chunker_memory;
void recording_limit(struct recording *rc, struct chunker_memory *m, uint32_t leg_bytes);
void recording_no_audio(struct recording *rc); /* what would be written or held is only counted */
/* The announcements of the call's rule, as they sound; they outlive the recording. NULL none. */
void recording_sounds(struct recording *rc, const struct fp_set *s);
/* One packet of a leg. kind: CALL_PT_AUDIO (or comfort noise) of format f is kept or held as
 * call_audio says, when it was let through to be kept (keep), and listened to as record_hear.h says;
 * CALL_PT_EVENT is listened to; anything else only counts as received. trusted, of an event: it came from the party's own address.
 * Returns 1 and *ret_press for a key press that is over, 0, or -errno. *ret_fate is written in every case. After it, and after recording_tick: hear_next until nothing is left. */
/*
 * What the leg's audio with this payload type was when it was looked up: at the call's address number ep, in its descriptions'
 * version (call->media_version); NULL: it must be looked up again, and should be set. What _set returns is f, or the recording's own
 * copy until the next _set; either goes to recording_packet.
 */
const struct media_format *recording_format(const struct recording *rc, unsigned leg, uint32_t version, unsigned ep, uint8_t pt);
const struct media_format *recording_format_set(struct recording *rc, unsigned leg, uint32_t version, unsigned ep,
						const struct media_format *f);
int recording_packet(struct recording *rc, const struct call *c, unsigned leg, const struct rtp_pkt *p,
		     const struct media_format *f, enum call_payload kind, bool keep, bool trusted, uint64_t arrival_ns,
		     struct dtmf_press *ret_press, enum media_fate *ret_fate);
/*
 * A key press of the leg whose end packets were lost: it is open (*ret_over_ns: over then, if nothing more of it comes); it is over by
 * now (UINT64_MAX: whatever is open is). Told once.
 */
bool recording_pressing(const struct recording *rc, unsigned leg, uint64_t *ret_over_ns);
bool recording_press_over(struct recording *rc, unsigned leg, uint64_t now_ns, struct dtmf_press *ret_press);
/* Packets of a leg that were listened to and not kept; samples of it that were silenced in what was kept. */
uint64_t recording_inspected(const struct recording *rc, unsigned leg);
uint64_t recording_muted(const struct recording *rc, unsigned leg);
void recording_blocked(struct recording *rc, unsigned leg, uint64_t packets); /* adds */
/* The call's states are told to the store, for whoever finds the call there after a kill -9. */
void recording_note(struct recording *rc, const struct call *c);
/* The words of an objection to p, with what is kept. -ENODATA nothing is (not begun, or destroyed by it); else as store_call_grounds. */
int recording_grounds(struct recording *rc, enum policy_purpose p, const char *text);
void recording_gap(struct recording *rc, const char *why); /* static text; the first stays */
/* A purpose is over: its keys go, with the audio that is for it alone, and all audio when no purpose is left (INV-1). */
int recording_destroy(struct recording *rc, const struct call *c, enum policy_purpose p);
/* A later policy took something (c->tight): deadlines come nearer. */
int recording_tighten(struct recording *rc, const struct call *c);
/* The recording is now that of this copy of its call, whose texts outlive it. */
void recording_moved(struct recording *rc, const struct call *c);
/* Nothing is recorded: the call is in the store already, or its clock beyond any deadline. */
bool recording_known(const struct recording *rc);
/* How it ended, as the row says: "too-short" and the like are decided here. */
struct recording_result {
	enum recording_end end;
	enum purpose_state state[POLICY_PURPOSES];
	const char *reason[POLICY_PURPOSES];
	const char *gap; /* static, "" none */
	uint64_t until_ns[POLICY_PURPOSES]; /* destroy-by of what is kept; 0 */
	uint64_t packets, audio_ms; /* kept */
	uint64_t muted;	    /* samples silenced in what is kept */
	uint64_t inspected; /* packets that were listened to and not kept */
	uint64_t blocked;   /* packets that never left the classifier */
	bool later; /* all this is what the row will say: whether it does, store_next_done tells */
	uint64_t drops_before, drops; /* store_drops before and after it ended: what was destroyed (record_end.c) */
};
/*
 * Writes the row, or forgets what must not stay. Frees rc in every case. tag: store_call_result's, when a store with
 * threads is to tell; NULL: nothing is told later.
 */
int recording_end(struct recording *rc, const struct call *c, void *tag, struct recording_result *ret);
/* What was kept of a leg so far; ret->format is that of the most packets. */
void recording_figures(const struct recording *rc, unsigned leg, struct store_leg_figures *ret);
/*
 * Closes chunks whose time is over though no packet comes (hold), and tells the store what has
 * changed of the call. Every 100 ms or so, for every call: what is not closed is lost by a kill -9.
 */
int recording_tick(struct recording *rc, const struct call *c, uint64_t now_ns);

/*
 * ---- take-over ----
 *
 * At any time recording_save; in peace recording_flush before it, recording_leave and store_sync
 * after it. The next process calls recording_resume, and store_settle when all are resumed.
 */
struct buf;
/* Before the first packet of a leg: how many were dropped by verdict, which are no losses. */
bool recording_first(const struct recording *rc, unsigned leg);
void recording_blocked_before(struct recording *rc, unsigned leg, uint64_t packets);
/* A hole in the sequence numbers of a leg since the last call: its length, less what the classifier dropped
 * by verdict (blocked: so many until now). 0 none. */
bool recording_has_hole(const struct recording *rc, unsigned leg);
uint32_t recording_hole_ms(struct recording *rc, unsigned leg, uint64_t blocked);
/* Audio of the leg goes up from now on, and none came yet: what the classifier saw until it does is to be looked at. */
void recording_set_blind(struct recording *rc, unsigned leg, bool blind);
bool recording_blind(const struct recording *rc, unsigned leg);
/* How long a packet of the leg's audio is; 0 not known yet. */
uint32_t recording_packet_us(const struct recording *rc, unsigned leg);
/*
 * Silence that nothing explains (X-4; record_quiet.c). recording_listen: each packet of a leg, before recording_packet;
 * how long nothing was there before a stream that follows another one, ms. recording_quiet_ms: from the last packet until then; 0: to the other leg's last packet, of a call of which nobody said when it was over.
 */
uint32_t recording_listen(struct recording *rc, const struct call *c, unsigned leg, const struct rtp_pkt *p, const struct media_format *f,
			  enum call_payload kind, uint64_t arrival_ns);
uint32_t recording_quiet_ms(const struct recording *rc, const struct call *c, unsigned leg, uint64_t until_ns);
bool recording_heard(const struct recording *rc, unsigned leg); /* anything, at any time */
/* The same where a leg stays in the classifier: so many packets of it were seen until now. can_pause: of a format that may
 * leave silence out (recording_can_pause). anew: it does so from now on. */
void recording_below(struct recording *rc, unsigned leg, uint64_t packets, bool can_pause, uint64_t now_ns);
void recording_below_anew(struct recording *rc, unsigned leg);
bool recording_can_pause(const struct media_format *f);
/* A purpose was granted: what was held for it is written. */
int recording_granted(struct recording *rc, const struct call *c, uint64_t now_ns);
/* Prefetching, as call_soon: what recording_packet will meet. */
#define RECORDING_SOON_STEPS 3
void recording_soon(const struct recording *rc, unsigned leg, unsigned step);
bool recording_begun(const struct recording *rc); /* has a key: audio was kept */
/* Its state opens no more than what lies wrapped in the store: it may survive a crash of this process. */
bool recording_durable(const struct recording *rc);
/* So many packets since the last recording_save that it is time for another. */
bool recording_unsaved(const struct recording *rc);
int recording_flush(struct recording *rc);
/* Behind what is in out: figures, streams, and the call's keys in clear: keep in memory only, and wipe. For a state that
 * may survive a crash: without keys of what is not wrapped in the store. */
void recording_save(struct recording *rc, struct buf *out);
/* With all keys: for recording_leave. */
void recording_save_all(struct recording *rc, struct buf *out);
/*
 * Goes on with the recording of c, which is as it was then. Takes any bytes. When the store knows
 * nothing of it (it began within the last sync) it begins anew at the next packet, with a gap. -EBADMSG, and
 * the errors of store_call_resume: nothing goes on, store_settle ends what there is.
 */
int recording_resume(struct store *st, struct call *c, const void *bytes, size_t n, struct recording **ret);
/* Frees rc; the call in the store is the next process's after the next store_sync. */
int recording_leave(struct recording *rc);

/* Store failed or program stops: keys are overwritten, nothing stays. */
void recording_abort(struct recording *rc);

#endif
