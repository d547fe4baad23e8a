/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * chunker.h - collects packets of one leg into chunks (base/chunk.h)
 *
 * A chunk closes after CHUNKER_SPAN_NS of arrival time, when it is full, or
 * when stream or payload type change. Memory is taken at the first packet,
 * grown to what the leg's packets need, and kept until the leg ends. All chunkers
 * together may be given a limit: who needs more loses the packet. One thread.
 *
 * Muting (mute.h): with chunker_mute the key tones in a chunk are silenced before it is handed over. The latest 60 ms of
 * a chunk that closes for its age are left for the next one, since they may begin a press, and 120 ms of a chunk stay in
 * memory as context for the next one of its stream. Who drops audio for good frees the chunker or calls chunker_forget.
 */
#ifndef CHUNKER_H
#define CHUNKER_H

#include "base/chunk.h"
#include "media/g711.h"

/*
 * A killed process loses what is in here and what is on its way to the disk: two seconds together. A chunk for which no packet
 * comes any more is closed by chunker_tick, each 0.3 s (record.c); the store takes 0.17 s (store_threads_default, REST_NS). A power
 * cut loses what no sync covered instead of those: 0.2 s (conf.c) and the time that one takes.
 */
#define CHUNKER_SPAN_NS 1500000000ULL

struct chunker;

struct chunker_sink {
	void *arg;
	/* The chunk is the chunker's; use it during the call. Returns 0 or -errno, handed back by chunker_add. */
	int (*chunk)(void *arg, const struct chunk *c);
};

struct slab;

struct chunker_memory {
	uint64_t used, limit; /* bytes; limit 0: none */
	struct slab *slab;    /* where they come from; NULL: malloc */
};

int chunker_new(const struct chunker_sink *sink, struct chunker **ret);
/* Before the first packet. m: of all legs, stays the caller's and outlives them; bytes: of payload, when
 * a chunk has so much it is closed (CHUNK_MAX_BYTES at most; 0 is that). */
void chunker_limit(struct chunker *c, struct chunker_memory *m, uint32_t bytes);
/* From the next packet on the payloads are G.711 of this law and are muted; or (on false) are not any more. */
void chunker_mute(struct chunker *c, bool on, enum g711_law law);
/* Nothing is left in memory of what was handed over: no context, nor octets that nothing was written over yet. */
void chunker_forget(struct chunker *c);
uint64_t chunker_muted(const struct chunker *c); /* samples overwritten so far */
void chunker_free(struct chunker *c); /* drops what was not flushed */
/* Prefetching, before chunker_add: itself, then where the packet will go. */
void chunker_soon(const struct chunker *c);
void chunker_sooner(const struct chunker *c);
/*
 * f describes this packet (f->pt is on the wire). cn: the packet is comfort
 * noise; it joins the open chunk whatever its payload type, and a chunk that
 * noise opened takes the format of the first audio. -EMSGSIZE: len over 65535;
 * -ENOBUFS: no memory, the packet was not taken. An error of the sink is handed back after
 * the packet was taken; the chunk it refused is gone.
 */
int chunker_add(struct chunker *c, uint32_t ssrc, uint32_t stream, const struct media_format *f,
		bool cn, bool marker, int64_t seq, uint32_t ts, uint64_t arrival_ns,
		const uint8_t *payload, size_t len);
int chunker_flush(struct chunker *c);
bool chunker_empty(const struct chunker *c);
/* Closes the chunk when its span is over, though no packet comes to show it. */
int chunker_tick(struct chunker *c, uint64_t now_ns);

#endif
