/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * record_hear.h - what is listened for in a call's audio: its announcement, and keys by their tones
 *
 * Between record_call.c, whose packets these are, and the detectors of media/. A detector exists while the call's
 * rule wants it (call_seeks_notice, call_hears_tones) and is wiped as soon as it does not, audio and digits with it. (Muting
 * listens to whole chunks instead: media/mute.h.) What was heard waits in hear_next until record.c tells the
 * call, after the packet was dealt with. Nothing of this outlives the process: an announcement or key
 * that is half heard at a restart is lost. One thread.
 *
 * Echo: a key that begins while the other leg has the same one, by whatever way, or had it until
 * HEAR_ECHO_NS ago, is that one coming back (tones.h) and is nobody's press.
 */
#ifndef RECORD_HEAR_H
#define RECORD_HEAR_H

#include <stdbool.h>
#include <stdint.h>

#include "media/fingerprint.h"
#include "media/g711.h"

struct call;
struct recording;
struct rtp_pkt;

#define HEAR_ECHO_NS 300000000ULL
#define HEAR_WAITING 8

enum hear_what { HEAR_NOTHING, HEAR_KEY, HEAR_KEY_UP, HEAR_NOTICE };

struct hear_news {
	enum hear_what what;
	unsigned leg;
	char key;		/* KEY, KEY_UP */
	uint64_t begin_ns;	/* KEY: the tone had begun then */
	struct fp_event notice; /* NOTICE */
};

/* What is wanted of a leg's audio now. */
enum { HEAR_W_NOTICE = 1, HEAR_W_KEYS = 2, HEAR_W_MUTE = 4 };
/* keep: the packet at hand may be kept. */
unsigned hear_wanted(const struct recording *rc, const struct call *c, unsigned leg, bool keep);

/* Prefetching: the detectors that the leg's next packet will meet. */
void hear_soon(const struct recording *rc, unsigned leg);
/*
 * One G.711 packet of a leg, before a chunker takes it; law -1: it is something else, and no tone is in it that could
 * be heard. Without memory nothing is heard, and what is kept gets the gap "memory".
 */
void hear_packet(struct recording *rc, unsigned leg, unsigned wanted, int law, const struct rtp_pkt *p, uint64_t arrival_ns);
/* A key press of the leg by RFC 4733, for echoes. */
void hear_event_key(struct recording *rc, unsigned leg, char key, uint64_t now_ns);
/* Time passes without packets; what nobody wants any more is wiped. */
void hear_tick(struct recording *rc, const struct call *c, uint64_t now_ns);
/* The announcement alone: before a key is judged by it. */
void hear_idle(struct recording *rc, uint64_t now_ns);
/* Oldest first; HEAR_NOTHING: no more. ret is wiped by the caller, who had a key in it. */
enum hear_what hear_next(struct recording *rc, struct hear_news *ret);
bool hear_waiting(const struct recording *rc); /* hear_next has something */
/* How much of the announcement was heard until now, ms; 0 none is going on. */
uint32_t hear_progress(const struct recording *rc);
void hear_free(struct recording *rc);

#endif
