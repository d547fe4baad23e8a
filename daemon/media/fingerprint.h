/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fingerprint.h - a known announcement is heard in G.711 audio (guidance N-31, R-31)
 *
 * A struct fp_ref is what one announcement sounds like; a struct fp_set the announcements that a
 * rule accepts; a struct fp listens to one direction of one call for them. Of the audio the latest
 * 32 ms at most are kept, as sums of two samples; what stays is features: for each 64 ms, of each
 * of 16 pairs of neighbouring frequencies (300 to 1900 Hz), whether the power moved to the lower one
 * since the 64 ms before (after Haitsma and Kalker, ISMIR 2002). These bits change with neither
 * loudness nor the line's frequency response, and little with a codec on the way. Of an announcement
 * only the bits count that are clear and that a shift by 4 ms leaves as they are: half of them differ in
 * any other speech, a tenth after GSM.
 *
 * An announcement is looked for from its beginning on, at any sample, whatever came before:
 *
 *	FP_STARTED	after FP_SURE frames of its sound (2.3 s; a pause before it does not count): it
 *			is this one and no other of the set. Two that begin alike are told apart
 *			first: nothing is said while both may be meant.
 *	FP_ENDED	it was followed to its end, or stopped when FP_WHOLE percent had been heard
 *	FP_BROKEN	it stopped, or became something else, before that
 *
 * A start is told once, and before its end; then the search begins anew. Lost packets are not held
 * against an announcement as long as FP_COVER percent of its bits were heard. What is not G.711 is not
 * heard: fp_hears.
 *
 * A struct fp allocates nothing, no length comes from a payload, any octets and timestamps are legal.
 * One thread; references and sets are read only when made, and may be used by many.
 */
#ifndef FINGERPRINT_H
#define FINGERPRINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "media/g711.h"

#define FP_HOP	    512 /* samples from one frame to the next */
#define FP_WINDOW   256 /* samples of a frame that are looked at */
#define FP_SUB	    64 /* samples between two places at which the announcement's features are known */
#define FP_SUBS	    (FP_HOP / FP_SUB)
#define FP_BITS	    16
#define FP_QUICK    16 /* frames that find a candidate: 1 s */
#define FP_SURE	    35 /* frames after which it is sure: 2.3 s */
#define FP_HYPS	    6  /* candidates followed at once */
#define FP_REFS_MAX 32 /* sounds of one rule */
#define FP_MIN_MS   3000
#define FP_MAX_MS   600000
#define FP_WHOLE    90 /* percent of the announcement that count as all of it */
#define FP_COVER    60 /* percent of its bits that must not have been lost */

/* ---- what announcements sound like ---- */

struct fp_ref;

/*
 * n samples of 8 kHz. -EINVAL: shorter than FP_MIN_MS, longer than FP_MAX_MS, or next to nothing in
 * it that could be recognised (silence, a tone, noise that never changes); -ENOMEM.
 */
int fp_ref_new(const int16_t *x, size_t n, struct fp_ref **ret);
void fp_ref_free(struct fp_ref *r); /* NULL-tolerant */
uint32_t fp_ref_ms(const struct fp_ref *r);
size_t fp_ref_bytes(const struct fp_ref *r);

struct fp_set { /* zero-initialise; references stay the caller's and outlive it */
	unsigned n;
	const struct fp_ref *ref[FP_REFS_MAX];
	uint8_t which[FP_REFS_MAX]; /* the caller's: of which announcement it is a sound */
};
/* -ENOSPC */
int fp_set_add(struct fp_set *s, const struct fp_ref *r, uint8_t which);

/* ---- listening ---- */

enum fp_what { FP_STARTED, FP_ENDED, FP_BROKEN };

struct fp_event {
	enum fp_what what;
	uint8_t which;	   /* of the set */
	uint64_t start_ns; /* when its first sample arrived, by the arrival of the packets heard and
			      their timestamps */
	uint64_t end_ns;   /* ENDED, BROKEN: of what was heard of it */
	uint32_t heard_ms; /* of it so far */
	uint32_t length_ms; /* of all of it */
};

struct fp_sink {
	void *arg;
	void (*event)(void *arg, const struct fp_event *e); /* called from fp_packet and fp_idle */
};

struct fp_hyp { /* private */
	uint8_t ref, sub;
	bool used, told;
	int32_t first; /* frame of the stream at which the announcement's first one lies */
	int32_t good;  /* the announcement's latest frame that was surely heard */
	uint32_t bits, errs, lost; /* since its beginning */
	uint32_t rbits, rerrs;	   /* lately, each times 256 */
};

struct fp {	       /* zero-initialise; fp_wipe at the end. Private but for the counters. */
	uint64_t late; /* packets that came when later ones had been heard */
	bool any;
	uint32_t next; /* timestamp expected */
	uint32_t ssrc;
	uint64_t last_ns;
	int32_t frame; /* number of the frame being filled */
	uint16_t at;   /* sample of it that comes next, up to FP_HOP */
	uint16_t have; /* samples of its window that came */
	bool has_prev; /* the frame before was whole */
	uint8_t nhyp;  /* used ones */
	uint64_t hist[FP_QUICK / 4],
		seen[FP_QUICK /
		     4]; /* bits of the latest frames, and which of them count; newest lowest */
	float prev[FP_BITS];
	int32_t win[FP_WINDOW / 2]; /* sums of two samples */
	struct fp_hyp hyp[FP_HYPS];
};

/* Formats that can be heard: "PCMU", "PCMA" of 8 kHz. */
bool fp_hears(const char *codec, enum g711_law *ret_law);
/*
 * One packet's payload, of any length. ts, ssrc: of its RTP header. Another SSRC, or a jump of
 * timestamps of more than two seconds, is taken for the same sound going on as long after the
 * packet before as it arrived.
 */
void fp_packet(struct fp *f, const struct fp_set *s, enum g711_law law, uint32_t ssrc, uint32_t ts,
	       uint64_t arrival_ns, const uint8_t *payload, size_t n, const struct fp_sink *sink);
/* No packet came for two seconds: what was going on is over. */
void fp_idle(struct fp *f, const struct fp_set *s, uint64_t now_ns, const struct fp_sink *sink);
/* How far the announcement that was told as started has been heard until now; false: none is going
 * on. */
bool fp_now(const struct fp *f, const struct fp_set *s, struct fp_event *ret);
void fp_wipe(struct fp *f);

#endif
