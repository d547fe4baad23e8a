/* SPDX-License-Identifier: BSD-2-Clause */
/* record_call_internal.h - what record_call.c and record_call_save.c share. One thread. */
#ifndef RECORD_CALL_INTERNAL_H
#define RECORD_CALL_INTERNAL_H

#include <stdalign.h>

#include "base/line.h"
#include "media/chunker.h"
#include "media/dtmf.h"
#include "media/rtp.h"
#include "record_call.h"
#include "record_hear.h"
#include "record_hold.h"

#define FORMATS_MAX 8 /* payload types counted per leg to name its codec */

/* What the leg's latest audio was, so that not every packet is looked up. */
struct leg_format {
	uint32_t of;  /* the call's media_version it was looked up in, plus 1; 0 nothing */
	uint8_t ep;   /* which of the call's addresses */
	bool noise;
	int8_t law;   /* enum g711_law, -1 none */
	uint8_t slot; /* in fmt, FORMATS_MAX none */
	struct media_format f;
};

struct leg_state {
	/* what each packet meets: a line, */
	alignas(LINE_BYTES) struct chunker *chunker;
	uint64_t packets, audio_us;
	uint32_t last_ts, last_ssrc;
	int64_t last_seq;
	uint32_t hole, hole_ms; /* packets missing before the last one, not told yet */
	struct ear *ear;	/* NULL: nobody listens for tones */
	uint32_t packet_us;	/* of the latest audio; 0 none came */
	char last_key;		/* until a tick after HEAR_ECHO_NS; 0 */
	bool echo : 1;		/* the press that goes on is one of the other leg's */
	bool any : 1;
	bool silent : 1;  /* its latest packet said that none may follow for a while */
	bool pauses : 1;  /* it leaves silence out without saying so before */
	bool was_audio : 1;
	bool pressing : 1; /* a key of it is open (dtmf_open) */
	bool blind : 1;	  /* no packet since the classifier began to hand audio up */
	bool resumed : 1; /* no packet since recording_resume; the one that comes next if none is missing is `expect` */
	/* the beginnings of these two, */
	alignas(LINE_BYTES) struct leg_format now;
	alignas(LINE_BYTES) struct rtp_leg rtp;
	/* and this: a line, too */
	alignas(LINE_BYTES) uint32_t fmt_packets[FORMATS_MAX];
	uint64_t below_ns;  /* packets of it had grown below the classifier then (`below`); 0 never */
	uint64_t looked_ns; /* they were looked at then */
	/* and what it does not */
	alignas(LINE_BYTES) struct recording *rc;
	uint64_t noise, events, blocked, blocked_at_first;
	uint64_t blocked_seen; /* at the hole before */
	uint64_t inspected;    /* packets that were listened to and not kept */
	uint64_t muted;	       /* samples of chunkers before this one */
	uint64_t last_key_ns;
	uint64_t below;	       /* packets of it that the classifier had when it was looked at last, UINT64_MAX not yet */
	uint32_t expect_ssrc;
	int64_t expect;
	unsigned nfmt;
	struct media_format fmt[FORMATS_MAX];
	struct dtmf_rx dtmf;
};

struct recording {
	/* what each packet meets */
	struct store *st;
	struct store_call *sc;
	const char *gap;
	struct hold *hold; /* of both legs: no purpose is decided yet; empty while sc */
	uint64_t first_ns; /* arrival of the first audio that sc has; 0 not known */
	uint64_t retry_ns; /* the store did not take it: not again before */
	const struct fp_set *sounds; /* NULL: no announcement is looked for */
	struct fp *fp;		     /* NULL: not now */
	struct {
		enum purpose_state state[POLICY_PURPOSES];
		bool answered;
	} noted;	   /* of the call, in the store */
	bool known;
	bool no_audio;
	bool expired; /* its destroy-by day is over already: nothing is kept */
	bool undated; /* its clock is beyond what a deadline can be written for: not even a row */
	unsigned unsaved;  /* packets since recording_save */
	uint8_t part_for[2]; /* by leg: it is in the newest part, which is for these purposes, plus 1; 0 the store must be asked */
	bool stale;	   /* resumed, perhaps from an old state: the store knows the figures better */
	uint8_t fp_leg;
	unsigned nnews;
	struct leg_state leg[2];
	/* and what it does not */
	uint32_t leg_bytes;
	struct chunker_memory *memory; /* NULL: no limit */
	struct store_call_meta meta;
	struct hear_news news[HEAR_WAITING];
};

#define RECORDING_SAVE_PACKETS 1000 /* ten seconds of both legs: a later state must know which cycle of numbers it is in */

/* ---- record_parts.c ---- */

/* Purposes (bits) for which a packet that arrived then is recorded, once any audio is (call_audio). */
unsigned recording_purposes(const struct call *c, uint64_t arrival_ns);
#define RECORDING_NOT_KEPT 1
/* The leg goes where a packet of this arrival belongs. 0, -errno, or RECORDING_NOT_KEPT. */
int recording_part(struct recording *rc, const struct call *c, unsigned leg, uint64_t arrival_ns);
/* A purpose was destroyed: what a leg still holds that was for it alone goes, too. */
void recording_drop_legs(struct recording *rc);
/* At the end: a purpose that was granted and has no audio at all is denied. */
void recording_unreached(struct recording *rc, const struct call *c, struct store_call_result *r);

/* Everything that follows from the call alone. */
void recording_init(struct recording *rc, struct store *st, const struct call *c);

#endif
