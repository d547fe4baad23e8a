/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mute.c - see mute.h
 *
 * The looks go over the octets as they lie, whatever the timestamps say: a join of two packets between which one was
 * lost is one bad window, and a digit needs 30 ms that are whole. Where packets go back in time, or noise lies between two
 * that follow each other, tones.h hears all of it. What is found is widened, since a press that
 * is sure goes on over breaks and gaps in pieces that are too short to be found by themselves.
 */
#include "media/mute.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "media/tones.h"

#define WINDOW 80u /* samples */
#define BEFORE 240u /* samples to hear before what was found: what a window missed of its tone, and the guard */
#define AFTER  480u /* and after it: a break inside a press, and a piece that is too short to be found */
/*
 * Changes of sign in a window: 13.6 at 681 Hz to 33.4 at 1671 Hz, and between them for two tones; a hum or noise of
 * 15 % of the power makes it 12 to 39 (of 600,000 random ones, which also gave the shares below).
 */
#define SIGNS_LEAST 11
#define SIGNS_MOST  40
/*
 * The least magnitude (octet without its sign and inversions) that a window must reach: some 460 of 32124. The stronger
 * tone of a digit has a peak of 793 at least (-29 dBm0).
 */
#define LOUD_ULAW 0x22
#define LOUD_ALAW 0x1c
/*
 * Shares of a window's power, times 2/WINDOW: in the strongest frequency of each group together, and in the weaker of them. A digit
 * at every limit of tones.h has 0.448 and 0.0098 at least: a tone that is 2.3 % off loses a third in 10 ms, and tones leak into each other.
 */
#define BOTH 0.45f
#define WEAK 0.008f
#define JUMP 8000 /* samples ahead from which on it is another timeline; and back, beyond this, as in tones.c: */
#define BACK 2400

#ifndef __SSE2__
#define ONES 0x0101010101010101ULL
#define TOPS 0x8080808080808080ULL
#endif

/*
 * The compiler makes of these what the function that they stand in may use: `inlined` ones are compiled once for each kind of
 * machine, with the walk around them.
 */
#define inlined static inline __attribute__((always_inline))

/* ---- first look ---- */

struct look {
	uint8_t flip, loud; /* of a law */
};

static const struct look looks[] = { [G711_ULAW] = { 0xff, LOUD_ULAW }, [G711_ALAW] = { 0x55, LOUD_ALAW } };

#ifdef __SSE2__
inlined bool may_be_tones(const uint8_t *p, struct look k)
{
	const __m128i flip = _mm_set1_epi8((char)k.flip), magnitude = _mm_set1_epi8(0x7f);
	__m128i most = _mm_setzero_si128();
	uint64_t sign[WINDOW / 16], signs;
	unsigned n;

	for (unsigned i = 0; i < WINDOW / 16; i++) {
		__m128i v = _mm_loadu_si128((const __m128i *)(const void *)(p + (size_t)i * 16));

		sign[i] = (unsigned)_mm_movemask_epi8(v);
		most = _mm_max_epu8(most, _mm_and_si128(_mm_xor_si128(v, flip), magnitude));
	}
	signs = sign[0] | sign[1] << 16 | sign[2] << 32 | sign[3] << 48;
	n = (unsigned)__builtin_popcountll((signs ^ signs << 1) & ~1ULL) +
	    (unsigned)__builtin_popcountll((sign[4] ^ (sign[4] << 1 | signs >> 63)) & 0xffff);
	most = _mm_adds_epu8(most, _mm_set1_epi8((char)(0x80 - k.loud)));
	return _mm_movemask_epi8(most) && n >= SIGNS_LEAST && n <= SIGNS_MOST;
}
#else
/* Eight octets at a time: in which lanes the top bit differs from that of the octet before, and whether any is loud. */
inlined bool may_be_tones(const uint8_t *p, struct look k)
{
	uint64_t loud = 0, signs = 0, before = (uint64_t)p[0] << 56;

	for (unsigned i = 0; i < WINDOW; i += 8) {
		uint64_t v = 0;

		for (unsigned j = 0; j < 8; j++)
			v |= (uint64_t)p[i + j] << (8 * j);
		signs += ((v ^ (v << 8 | before >> 56)) & TOPS) >> 7;
		loud |= ((v ^ k.flip * ONES) & ~TOPS) + (0x80 - k.loud) * ONES;
		before = v;
	}
	signs = signs * ONES >> 56;
	return loud & TOPS && signs >= SIGNS_LEAST && signs <= SIGNS_MOST;
}
#endif

/* ---- second look ---- */

typedef float v16 __attribute__((vector_size(64)));

static float linear[2][256];
static v16 turned[WINDOW]; /* cosines of the eight frequencies, then sines */

inlined float most(const float *p)
{
	float a = p[0] > p[1] ? p[0] : p[1], b = p[2] > p[3] ? p[2] : p[3];

	return a > b ? a : b;
}

inlined bool has_tones(const uint8_t *p, enum g711_law law)
{
	const float *l = linear[law];
	float power[TONES_FREQS], all = 0, low, high;
	v16 s0 = { 0 }, s1 = { 0 };
	union {
		v16 v;
		float f[2 * TONES_FREQS];
	} s;

	for (unsigned i = 0; i < WINDOW; i += 2) {
		float a = l[p[i]], b = l[p[i + 1]];

		s0 += a * turned[i];
		s1 += b * turned[i + 1];
		all += a * a + b * b;
	}
	s.v = s0 + s1;
	for (unsigned f = 0; f < TONES_FREQS; f++)
		power[f] = s.f[f] * s.f[f] + s.f[TONES_FREQS + f] * s.f[TONES_FREQS + f];
	low = most(power);
	high = most(power + TONES_FREQS / 2);
	all *= WINDOW / 2.0f;
	return low + high >= BOTH * all && low >= WEAK * all && high >= WEAK * all;
}

/* ---- what is left ---- */

/* Packets from..to - 1 are heard, those from first to end - 1 of them muted. */
static size_t hear(enum g711_law law, const struct chunk_pkt *pkt, uint8_t *sound, uint32_t from, uint32_t to, uint32_t first,
		   uint32_t end)
{
	struct tones t = { 0 };
	uint8_t *p = sound, *q = sound; /* of the packet that is heard next, and of the one that is decided next */
	uint32_t d = from;
	size_t muted = 0;

	for (uint32_t i = from; i <= to; i++) {
		while (d < i) {
			uint32_t stop = pkt[d].ts + pkt[d].len;
			bool cn = pkt[d].flags & CHUNK_P_CN;

			if (i < to && !cn && (int32_t)(stop - tones_final(&t)) > 0 && stop - tones_final(&t) <= TONES_DELAY)
				break;
			if (!cn && d >= first && d < end)
				muted += tones_mute(&t, law, pkt[d].ts, q, pkt[d].len);
			q += pkt[d++].len;
		}
		if (i < to && !(pkt[i].flags & CHUNK_P_CN))
			tones_packet(&t, law, pkt[i].ts, 0, p, pkt[i].len, NULL);
		if (i < to)
			p += pkt[i].len;
	}
	tones_wipe(&t);
	return muted;
}

/* A timeline being looked through, and the packet that holds the octet it is at. */
struct walk {
	enum g711_law law;
	const struct chunk_pkt *pkt;
	uint32_t n, first, end;
	uint8_t *sound;
	uint32_t i; /* a packet, and its first octet's place */
	size_t at;
	size_t from, to; /* octets that sound like keys; to 0: none */
	size_t muted;
};

/* To the first packet that ends after `at`. */
static void walk_to(struct walk *w, size_t at)
{
	while (w->i < w->n && w->at + w->pkt[w->i].len <= at)
		w->at += w->pkt[w->i++].len;
}

/* What was found is complete. */
static void walk_hear(struct walk *w)
{
	uint32_t from, to;
	size_t at;

	if (!w->to)
		return;
	walk_to(w, w->from);
	from = w->i;
	at = w->at;
	walk_to(w, w->to - 1); /* and stays there: what is found next may begin in the same packet */
	to = w->i < w->n ? w->i + 1 : w->n;
	if (from < w->end && to > w->first)
		w->muted += hear(w->law, w->pkt, w->sound + at, from, to, w->first, w->end);
	w->to = 0;
}

static void walk_found(struct walk *w, size_t from, size_t to)
{
	from = from > BEFORE ? from - BEFORE : 0;
	if (w->to && from > w->to)
		walk_hear(w);
	if (!w->to)
		w->from = from;
	w->to = to + AFTER;
}

/* One timeline. */
inlined void look_through_with(struct walk *w, size_t size)
{
	struct look k = looks[w->law];
	bool may = false; /* the window before, at `was`, may be tones */
	int are = -1;	  /* and is: 1, 0, or was not looked at */
	size_t was = 0;

	for (size_t at = 0; size >= WINDOW; at += WINDOW) {
		bool last = at + WINDOW > size, now;
		int is = -1;

		if (last)
			at = size - WINDOW;
		now = may_be_tones(w->sound + at, k);
		if (now && may) {
			if (are < 0)
				are = has_tones(w->sound + was, w->law);
			if (are) {
				is = has_tones(w->sound + at, w->law);
				if (is)
					walk_found(w, was, at + WINDOW);
			}
		}
		may = now;
		are = is;
		was = at;
		if (last)
			break;
	}
	walk_hear(w);
}

static void look_through_any(struct walk *w, size_t size)
{
	look_through_with(w, size);
}

static void (*look_through)(struct walk *w, size_t size) = look_through_any;

#ifdef __x86_64__
__attribute__((target("avx2,fma,popcnt"))) static void look_through_avx2(struct walk *w, size_t size)
{
	look_through_with(w, size);
}

__attribute__((target("avx512f,fma,popcnt"))) static void look_through_avx512(struct walk *w, size_t size)
{
	look_through_with(w, size);
}
#endif

__attribute__((constructor)) static void make_tables(void)
{
	static const double freq[TONES_FREQS] = { 697, 770, 852, 941, 1209, 1336, 1477, 1633 };

	for (unsigned i = 0; i < WINDOW; i++) {
		for (unsigned f = 0; f < TONES_FREQS; f++) {
			turned[i][f] = (float)cos(2 * M_PI * freq[f] / 8000 * i);
			turned[i][TONES_FREQS + f] = (float)sin(2 * M_PI * freq[f] / 8000 * i);
		}
	}
	for (unsigned law = 0; law < 2; law++)
		for (unsigned i = 0; i < 256; i++)
			linear[law][i] = g711_linear[law][i];
#ifdef __x86_64__
	__builtin_cpu_init();
	if (__builtin_cpu_supports("avx512f"))
		look_through = look_through_avx512;
	else if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("popcnt"))
		look_through = look_through_avx2;
#endif
}

static bool is_other_timeline(uint32_t expected, uint32_t ts)
{
	int32_t d = (int32_t)(ts - expected);

	return d < -BACK || d >= JUMP;
}

size_t mute_keys(enum g711_law law, const struct chunk_pkt *pkt, uint32_t n, uint8_t *sound, uint32_t first, uint32_t end)
{
	size_t muted = 0;

	for (uint32_t i = 0, j; i < n && i < end; i = j) {
		struct walk w = { .law = law, .pkt = pkt + i, .sound = sound };
		uint32_t expected = pkt[i].ts, noise = 0; /* octets since the latest sound */
		bool torn = false;			  /* sound that belongs together does not lie so */
		size_t size = 0;

		for (j = i; j < n; j++) {
			if (pkt[j].flags & CHUNK_P_CN) {
				size += pkt[j].len;
				noise += pkt[j].len;
				continue;
			}
			if (is_other_timeline(expected, pkt[j].ts))
				break;
			torn |= (int32_t)(pkt[j].ts - expected) < 0 || (noise && pkt[j].ts == expected);
			noise = 0;
			if ((int32_t)(pkt[j].ts + pkt[j].len - expected) > 0) /* late ones leave it, as tones.h's */
				expected = pkt[j].ts + pkt[j].len;
			size += pkt[j].len;
		}
		w.n = j - i;
		w.first = first > i ? first - i : 0;
		w.end = (end < j ? end : j) - i;
		if (torn)
			muted += hear(law, w.pkt, sound, 0, w.n, w.first, w.end);
		else
			look_through(&w, size);
		muted += w.muted;
		sound += size;
	}
	return muted;
}
