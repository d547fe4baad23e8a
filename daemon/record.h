/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * record.h - the recorder: packets in, calls kept
 *
 * Puts the parts together: classifier and flow table (capture/), signalling
 * (sip/), calls and their purposes (call/), media (media/), store. Replay of a
 * file and live capture both end here; what differs is who feeds packets.
 *
 *	recorder_new, per packet recorder_packet, recorder_finish, recorder_free
 *
 * Live, the packets are classified elsewhere (capture/xdp.h, capture/live.h) on
 * the flow table given in the settings: hand what comes out to recorder_sink, call
 * recorder_tick every few milliseconds, and leave the clock to the kernel.
 *
 * recorder_packet moves the clock (base/clock.h) to the packet's time. When the
 * store fails, the recorder stops: calls in progress are forgotten (their keys
 * overwritten), what was complete stays, the error is returned from then on.
 * One thread.
 */
#ifndef RECORD_H
#define RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "call/call.h"
#include "capture/pcap.h"
#include "sip/sigin.h"
#include "store/store.h"

struct evidence;
struct fp_set;
struct policy;
struct policy_rule;
struct recorder;

/* As the call's rule wants (`alarm`); the end of pauses, transfers and reviews in any case. */
enum recorder_alarm {
	RECORDER_NOTICE_MISSING, /* nothing proved the announcement in time */
	RECORDER_PAUSE_OVER,	 /* nobody ended a pause within pause-max */
	RECORDER_GAP,		 /* something of a call was to be recorded and is not */
	RECORDER_QUOTA,		 /* a cap is reached */
	RECORDER_USE,		 /* too few recordings are used, so a smaller cap is reached */
	RECORDER_TRANSFER_LIMIT, /* transfers came too fast: a time of the call is not recorded */
	RECORDER_REVIEW,	 /* the review date of the rule or of an assessment it names is past: what its on-review-missed says is done */
	RECORDER_ALARMS,
};

struct recorder_settings {
	struct store *store;	     /* open for writing; stays the caller's */
	const struct policy *policy; /* stays the caller's */
	struct call_limits calls;
	struct sigin_limits signalling;
	struct flow_table *flows; /* live: the classifier's, stays the caller's; NULL: one of its own */
	uint32_t flow_lines;   /* power of two; two addresses a line, four a call */
	uint16_t sip_ports[16]; /* 0 ends the list */
	uint64_t call_memory;	/* bytes of audio of all calls that no chunk holds yet; 0 no limit */
	uint32_t call_ring;	/* of one voice; 0: CHUNK_MAX_BYTES */
	bool ahead;		/* live: a thread has memory for voices ready (slab_ahead) */
	/* To be started (evidence_start) before the first packet; stays the caller's and outlives the recorder. NULL: nothing is
	 * proven, and rules with a sample keep nothing. */
	struct evidence *evidence;
	struct callbacks *callbacks; /* stays the caller's and outlives the recorder; NULL: nobody is rung back without a recording */
	void *arg;
	/* Somebody stopped this rule (calls_sink); NULL: none is. */
	bool (*stopped)(void *arg, const struct policy_rule *r);
	/* The reaper is at work (calls_sink); NULL: it is. */
	bool (*reaped)(void *arg);
	/* Live: the name of an interface by its index, never NULL; NULL: packets come from files. */
	const char *(*interface)(void *arg, uint32_t ifindex);
	/* How the announcements of this rule sound; NULL, or no function: none is recognised. What is returned lives as long
	 * as calls are pinned to p. */
	const struct fp_set *(*sounds)(void *arg, const struct policy *p, const struct policy_rule *r);
	bool no_audio; /* rows, no audio: for who only wants to know what would be recorded */
	/* A matched call ended, once for each purpose of its rule; NULL: nobody wants to know. */
	void (*decided)(void *arg, enum policy_purpose p, enum purpose_state s, const char *reason);
	/* What somebody must look at, as it happens; NULL: nobody does. */
	void (*alarm)(void *arg, const struct call *c, enum recorder_alarm what);
};
void recorder_default_settings(struct recorder_settings *ret);

/*
 * What became of a media record that the classifier handed up: exactly one of these each, so
 * drained is their sum, and the classifier's audio and events less what still lies in rings.
 */
enum media_fate {
	MEDIA_KEPT,	       /* in a chunk */
	MEDIA_EVENT,	       /* key press: heard, not kept */
	MEDIA_DUPLICATE,
	MEDIA_STALE,	       /* its call is over, or the flow entry another's by now */
	MEDIA_TRUNCATED,
	MEDIA_BAD,	       /* not RTP */
	MEDIA_UNKNOWN_PAYLOAD, /* of a type nobody announced */
	MEDIA_OTHER_PAYLOAD,   /* announced, neither audio nor events */
	MEDIA_NOT_KEPT,	       /* no purpose allows it (any more) */
	MEDIA_INSPECTED,       /* audio that was only listened to: for the announcement, for key tones */
	MEDIA_KNOWN,	       /* the call is in the store already */
	MEDIA_NO_MEMORY,       /* call_memory is used up, or the machine's */
	MEDIA_FAILED,	       /* the store */
	MEDIA_FATES,
};

/* Sums: matched = kept + denied + gaps + known + unwritten, of calls that are over. */
struct recorder_figures {
	uint64_t packets;
	uint64_t calls, matched, kept, denied, gaps; /* as their rows say */
	uint64_t unwritten;    /* over, and the disk does not have their row yet */
	uint64_t known;	       /* in the store already: this capture was replayed before */
	uint64_t rtp_packets;  /* RTP at addresses of matched calls, whatever became of it */
	uint64_t audio_packets_delivered; /* of these, audio handed to user space to be kept */
	uint64_t inspected_packets;	  /* audio handed to user space for detectors only */
	uint64_t muted_samples;		  /* of calls that ended kept: key tones silenced in what is stored */
	uint64_t event_packets, blocked_packets;
	uint64_t bad_rtp, unknown_payload, flow_full, flow_quarantine, lost_calls; /* lost: in progress when the store failed */
	uint64_t callbacks_lost; /* promises to ring back without a recording that could not be noted */
	uint64_t call_ns;      /* sum of the kept calls' durations */
	uint64_t counts[OPTAG_C_MAX];
	uint64_t drained, media[MEDIA_FATES];
	uint64_t memory; /* bytes that call_memory limits, now */
	uint64_t memory_areas, memory_huge; /* base/slab.h */
	struct sigin_stats signalling;
	struct calls_stats table;
};

int recorder_new(const struct recorder_settings *s, struct recorder **ret);
int recorder_packet(struct recorder *r, const struct pcap_packet *p, uint32_t ifindex);
/* Live capture: where records go, and the passing of time. -errno when the store failed. */
const struct classify_sink *recorder_sink(const struct recorder *r);
int recorder_tick(struct recorder *r, uint64_t now_ns);
/* No call is in progress, no conversation goes on, the disk has the rows of all that are over: nobody measures a time now. */
bool recorder_idle(const struct recorder *r);
/* The machine's clock was set back (call_clock_back). */
void recorder_clock_back(struct recorder *r);
/* Every record up to this time was handed to the sink (calls_horizon). */
void recorder_horizon(struct recorder *r, uint64_t ns);
/* New calls use p from now on; the old one must live while recorder_pinned says so. */
void recorder_set_policy(struct recorder *r, const struct policy *p);
/* One slice of calls_tighten_step with p; false: all calls were seen. restart: from the first. */
bool recorder_tighten(struct recorder *r, const struct policy *p, bool restart, struct calls_tightened *sum);
/* Calls in progress that were decided under p. */
size_t recorder_pinned(const struct recorder *r, const struct policy *p);
/*
 * Take-over. recorder_hash_key first of all, before anything hashes: goes on with the hashes of the
 * daemon that left k; whether one did. Then, once, recorder_restore: calls found in k go on where
 * policy() still knows what they were decided by, entries of the flow table that are nobody's are
 * cleared, and from now on, with save, k has the state of every call in progress at any instant, so that a
 * daemon killed then can be succeeded. stale: nobody listened for too long; then nothing goes on.
 * Calls of a daemon that was killed may have lost key presses: what depends on hearing them is
 * denied (guidance 5.3). k, and the policies, stay the caller's and outlive the recorder.
 */
struct keep;
bool recorder_hash_key(struct keep *k);
/* The offset of the clock (base/clock.h) by which the calls in k have their times; 0: k does not say. */
uint64_t recorder_clock(struct keep *k);
/* Notes the offset for the daemon after this one, if it is new: as often as one likes. */
void recorder_keep_clock(struct recorder *r);
struct recorder_restore {
	struct keep *keep;
	bool stale, save;
	void *arg;
	const struct policy *(*policy)(void *arg, const char *hash);
};
int recorder_restore(struct recorder *r, const struct recorder_restore *how);
/*
 * Instead of recorder_finish: leaves all calls, whole, to the daemon after this one. What is
 * written is durable. Calls that do not fit end now ("restart"). After a recorder_restore that failed it leaves k as that found it.
 * Only recorder_free may follow.
 */
int recorder_leave(struct recorder *r);
struct recorder_kept {
	uint64_t restored, lost; /* calls in progress found and gone on with, or not */
	uint64_t recordings;	 /* of the restored ones: with audio before */
	bool clean;		 /* the daemon before left in peace */
	uint64_t unsaved;	 /* times a state did not fit: a restart now would lose that call */
};
void recorder_kept(const struct recorder *r, struct recorder_kept *ret);
/*
 * Packets of calls in progress passed unseen: key presses may be among them, so what depends on hearing
 * them is denied (guidance 5.3). all: of every call; recordings that began are marked with the gap
 * "interface-gone". Else of some, and the losses of each stream tell which.
 */
void recorder_missed(struct recorder *r, bool all);
/* Ends all calls ("capture-end") and makes everything durable. */
int recorder_finish(struct recorder *r);
/* For who asks what calls do; they are the recorder's. */
struct calls *recorder_calls(struct recorder *r);
/* What a telephone system says about a call; the news in the evidence log are by `who` ("agent", "system"; static). */
struct recorder_said {
	const char *who;
	uint64_t now_ns;
	const char *grounds; /* of an objection, NULL none: kept with each recording that it reaches and that goes on */
	unsigned *ret_kept;  /* if there are: with how many they are */
};
/* As call_command, by api. */
int recorder_command(struct recorder *r, struct call *c, enum call_command cmd, enum policy_purpose p, const struct recorder_said *by);
/* As call_notice_heard, by api, of the announcement `which` (-1 not known). -EALREADY: nothing to change; -ETIME too late. */
int recorder_notice(struct recorder *r, struct call *c, int which, uint64_t start_ns, uint64_t end_ns, const struct recorder_said *by);
/* As evidence_sms_told. -ENOENT also where nothing is proven. */
int recorder_sms(struct recorder *r, const struct uid *call, bool delivered, const struct recorder_said *by);
struct recorder_leg {
	uint64_t inspected; /* by the recorder, since the call began: in passed, and not kept */
	uint64_t muted;	    /* samples silenced so far */
	uint64_t passed, events, blocked; /* by the flow table's counters, of the addresses that are open now */
	uint8_t verdict;		  /* the most that any of them lets through; 0 none is open */
	struct store_leg_figures kept;
};
void recorder_leg(const struct recorder *r, const struct call *c, unsigned leg, struct recorder_leg *ret);
bool recorder_recording(const struct call *c); /* something of it was kept, and no later policy stopped that */
void recorder_figures(const struct recorder *r, struct recorder_figures *ret);
void recorder_free(struct recorder *r);

#endif
