/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * export.h - the parts of optag-export
 *
 * The store yields chunks in the order of writing. export_scan reads the call
 * once and learns its streams; each format then reads it again, streaming.
 * Memory is bounded by one chunk and one window of packets per leg, whatever
 * the call's length. One thread.
 */
#ifndef EXPORT_H
#define EXPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/chunk.h"
#include "decode.h"
#include "store/store.h"

/* ---- the call, as a first reading saw it ---- */

#define EXPORT_STREAMS 256 /* per leg; a stream beyond that is told and left out */

struct export_stream {
	bool used;
	struct media_format format; /* of its first chunk */
	uint64_t first_chunk, last_chunk; /* ordinals within the call */
	uint64_t audio_packets, bytes;	  /* without comfort noise */
	unsigned round;			  /* reading in which it is written, see export_scan */
};

struct export_leg {
	struct export_stream stream[EXPORT_STREAMS];
	uint64_t audio_packets, bytes, packets;
	uint64_t first_ns, last_ns; /* arrivals; 0 no packet */
	bool helped;		    /* has audio that optag-decode decodes */
};

#define EXPORT_GAPS 64 /* a call has no more parts */

struct export_call {
	struct store *st;
	struct uid uid;
	enum store_purpose purpose;
	const char *keys_dir;
	const char *store_dir, *format, *reason; /* for the evidence log; reason may be NULL */
	bool told;				 /* it has the event */
	struct export_leg leg[2];
	struct store_gap gap[EXPORT_GAPS]; /* not recorded for the purpose, though for the other */
	size_t gaps;
	uint64_t damaged; /* chunks that could not be read */
	uint64_t beyond;  /* packets of streams beyond EXPORT_STREAMS, or too long for their format */
	uint64_t bad_frames;
	unsigned rounds;
	uint64_t done_bytes; /* for the progress line */
};

extern const char *const export_legs[2];

/* Fills `c` from st .. keys_dir. Damaged chunks are told here, once. 0 or -errno, told. */
int export_scan(struct export_call *c);

struct export_pkt { /* payload lives during the callback */
	unsigned leg;
	uint32_t stream, ssrc, ts;
	int64_t seq;
	uint64_t arrival_ns;
	uint8_t pt, flags;
	uint16_t len;
	const uint8_t *payload;
	const struct media_format *format; /* of its chunk */
};

enum export_order {
	EXPORT_BY_SEQ,	   /* per leg: streams by appearance, packets by sequence number */
	EXPORT_BY_ARRIVAL, /* both legs together */
};
/*
 * The evidence log is told, once a call and durably, who gets so many bytes of it for which purpose: before the first of them is
 * given. 0 or -errno, told; then nothing may be. export_packets does this itself.
 */
int export_tell(struct export_call *c, uint64_t bytes);
const char *export_tell_check(const struct export_call *c); /* what is wrong with the reason (static text), or NULL */

/* Every packet of the call, when the evidence log was told; cb's negative return stops. 0 or -errno, told. */
int export_packets(struct export_call *c, enum export_order order,
		   int (*cb)(void *arg, const struct export_pkt *p), void *arg);

/* ---- output files: complete under their name, or not there ---- */

struct out;
/* A temporary beside `path`, mode 0600. 0 or -errno, told. */
int out_open(const char *path, bool force, struct out **ret);
int out_write(struct out *o, const void *p, size_t n); /* appends, buffered; 0 or -errno, told */
int out_fd(struct out *o);			       /* flushed, for pread/pwrite */
int out_error(struct out *o, int err);		       /* tells it; returns err */
uint64_t out_size(const struct out *o);
const char *out_path(const struct out *o);
/* fsync, rename. On failure the temporary is gone; free with out_close in either case. */
int out_commit(struct out *o);
void out_close(struct out *o); /* NULL-tolerant; what was not committed is removed */
void out_signals(void);	       /* SIGINT, SIGTERM, SIGHUP remove temporaries */

/* ---- formats; each leaves its files to be committed in files[], at most 3 ---- */

#define EXPORT_FILES 3
struct export_result {
	struct out *file[EXPORT_FILES];
	int leg[EXPORT_FILES]; /* -1 both */
	unsigned n;
	uint32_t rate; /* of the WAV */
};

/* which: bit per leg */
int export_payload(struct export_call *c, const char *out, bool force, unsigned which,
		   struct export_result *r);
int export_wav(struct export_call *c, const char *out, bool force, struct export_result *r);
int export_pcap(struct export_call *c, const char *out, bool force, struct export_result *r);
/* No audio, and no export_scan before: "PURPOSE: WORDS" a line. Also of a purpose that is OBJECTED. */
int export_grounds(struct export_call *c, const char *out, bool force, struct export_result *r);

/* ---- decoders ---- */

struct decoder;

/*
 * Starts optag-decode, which knows what else can be decoded, for a call that has more than G.711, L16 and DVI4; before the
 * functions below are called for it. 0 or -errno, told. decoder_end, in either case, when all decoders are closed.
 */
int decoder_start(const struct export_call *c);
void decoder_end(void);
bool decoder_helped(const struct media_format *f); /* it is optag-decode's codec, if anybody's */
bool decoder_known(const struct media_format *f);
/* Hz of what comes out, whatever the RTP clock says (G.722: 16000 at clock 8000). */
uint32_t decoder_rate(const struct media_format *f);
/* Samples come out mono at out_rate. 0 or -errno, told. */
int decoder_open(const struct media_format *f, uint32_t out_rate, struct decoder **ret);
void decoder_close(struct decoder *d); /* NULL-tolerant */
/*
 * One RTP payload. *ret is the decoder's until the next call. Returns samples,
 * -EBADMSG for one that cannot be decoded (also when optag-decode died of it:
 * told; the next one is decoded anew), or another -errno, told, when decoding
 * cannot go on. *ret_native gets the samples before resampling, which is the
 * duration of the payload.
 */
int decoder_feed(struct decoder *d, const uint8_t *p, size_t n, const int16_t **ret,
		 unsigned *ret_native);
int decoder_flush(struct decoder *d, const int16_t **ret); /* what the resampler still holds */

/* RFC 3551 4.5.1: 4 bytes of state, then two samples a byte. Returns samples or -EBADMSG. */
int dvi4_decode(const uint8_t *p, size_t n, int16_t *out, size_t max);
void g711_table(bool alaw, int16_t out[256]);

/* ---- optag-decode, from this side (decode.h) ---- */

struct helper; /* a process of its own; one decoder has it at a time */

/* As many are started, 2 at most, and the first is waited for. 0 or -errno, told. */
int helper_start(unsigned n);
bool helper_knows(enum decode_codec codec); /* as the first one said; false before */
/* One that has this codec open; started if none waits. 0 or -errno, told. */
int helper_take(const struct decode_open *how, struct helper **ret);
void helper_give(struct helper *h); /* back, for the next one to take; NULL-tolerant */
/*
 * Samples, which are the helper's until the next call; -EBADMSG: it cannot decode that; -EPIPE: it ended, or what it said
 * makes no sense, or it said nothing for 20 s. That is told, and only helper_give is left to be done with it.
 */
int helper_feed(struct helper *h, const void *p, size_t n, const int16_t **ret, unsigned *ret_native);
int helper_flush(struct helper *h, const int16_t **ret);
void helper_end(void); /* those that wait */

#endif
