/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fingerprint.c - the listening half of fingerprint.h
 *
 * A packet costs its lookups, a frame 17 frequencies over 128 sums of two samples, folded so that
 * each product serves both halves of the window, and the comparison of the latest second with the
 * beginning of each reference at each of its places. Candidates that come out of that are followed
 * one frame at a time.
 */
#include "media/fingerprint.h"

#include <math.h>
#include <string.h>
#include <strings.h>

#include "media/fingerprint_internal.h"

#define QUICK_MAX  33 /* percent of wrong bits of a candidate */
#define SURE_MAX   27 /* of what is told */
#define RECENT_BAD 36 /* lately: it may have stopped */
#define RECENT_MAX 42 /* lately: it has */
#define RECENT_OK  25 /* in the latest 4 frames: that was surely it */
#define AGAIN_MAX  22 /* found again some milliseconds off */
#define RECENT_MIN (24 * 256)
#define NEAR	   3 /* frames between two starts that are the same one */
#define WAIT	   12 /* frames after which a longer announcement that still sounds the same is the one \
		       */
#define JUMP	  16000 /* samples */
#define IDLE_NS	  2000000000ULL
#define NS_SAMPLE 125000ULL

bool fp_hears(const char *codec, enum g711_law *ret_law)
{
	if (!strcasecmp(codec, "PCMU"))
		*ret_law = G711_ULAW;
	else if (!strcasecmp(codec, "PCMA"))
		*ret_law = G711_ALAW;
	else
		return false;
	return true;
}

/* ---- features ---- */

static unsigned ones4(const uint64_t w[4])
{
	uint64_t sum = 0;

	for (int i = 0; i < 4; i++) {
		uint64_t x = w[i];

		x -= x >> 1 & 0x5555555555555555ULL;
		x = (x & 0x3333333333333333ULL) + (x >> 2 & 0x3333333333333333ULL);
		sum += (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0fULL; /* 8 a byte at most: four fit */
	}
	sum = (sum & 0x00ff00ff00ff00ffULL) + (sum >> 8 & 0x00ff00ff00ff00ffULL);
	return (unsigned)(sum * 0x0001000100010001ULL >> 48);
}

static unsigned ones(unsigned x)
{
	return (unsigned)__builtin_popcount(x & 0xffff);
}

/* ---- candidates ---- */

static const struct fp_ref *ref_of(const struct fp_set *s, const struct fp_hyp *h)
{
	return s->ref[h->ref];
}

static bool near(const struct fp_hyp *a, const struct fp_hyp *b)
{
	return a->first - b->first <= NEAR && b->first - a->first <= NEAR;
}

/* The best place of one reference whose beginning the latest frames may be: percent of wrong bits,
 * or 100. */
static unsigned best_place(const struct fp *f, const struct fp_ref *r, unsigned *ret_sub)
{
	unsigned best = 100;

	for (unsigned sub = 0; sub < FP_SUBS; sub++) {
		const struct fp_quick *q = &r->quick[sub];
		uint64_t e[4], m[4];
		unsigned errs, bits;

		for (int i = 0; i < 4; i++) {
			m[i] = q->mask[i] & f->seen[i];
			e[i] = (f->hist[i] ^ q->bits[i]) & m[i];
		}
		errs = ones4(e);
		if (errs * 100 > q->n * QUICK_MAX)
			continue;
		bits = ones4(m);
		if (bits < q->n / 2 || errs * 100 > bits * QUICK_MAX)
			continue;
		if (errs * 100 / bits < best) {
			best = errs * 100 / bits;
			*ret_sub = sub;
		}
	}
	return best;
}

static unsigned quality(const struct fp_hyp *h)
{
	return h->bits ? h->errs * 100 / h->bits : 100;
}

/* A free place, or that of the worst candidate that nobody was told of and that is worse than
 * `percent`. */
static struct fp_hyp *place_for(struct fp *f, unsigned percent)
{
	struct fp_hyp *worst = NULL;

	for (int i = 0; i < FP_HYPS; i++) {
		struct fp_hyp *h = &f->hyp[i];

		if (!h->used) {
			f->nhyp++;
			return h;
		}
		if (!h->told && quality(h) > percent && (!worst || quality(h) > quality(worst)))
			worst = h;
	}
	return worst;
}

static void drop(struct fp *f, struct fp_hyp *h)
{
	memset(h, 0, sizeof(*h));
	f->nhyp--;
}

/* The latest FP_QUICK frames are the beginning of reference n at one of its places. */
static void found(struct fp *f, const struct fp_set *s, unsigned n, unsigned sub, unsigned percent)
{
	const struct fp_quick *q = &s->ref[n]->quick[sub];
	struct fp_hyp new = {.ref = (uint8_t)n,
			     .sub = (uint8_t)sub,
			     .used = true,
			     .first = f->frame - FP_QUICK + 1 - q->from};
	struct fp_hyp *h = NULL;
	uint64_t m[4];

	for (int i = 0; i < FP_HYPS; i++) {
		if (!f->hyp[i].used || f->hyp[i].ref != n || !near(&f->hyp[i], &new))
			continue;
		if (f->hyp[i].told || quality(&f->hyp[i]) <= percent)
			return; /* known already */
		h = &f->hyp[i];
	}
	if (!h)
		h = place_for(f, percent);
	if (!h)
		return;
	for (int i = 0; i < 4; i++)
		m[i] = q->mask[i] & f->seen[i];
	new.bits = ones4(m);
	new.errs = new.bits *percent / 100;
	new.lost = q->n - new.bits;
	new.rbits = new.bits * 128;
	new.rerrs = new.errs * 128;
	new.good = q->from + FP_QUICK - 1;
	*h = new;
}

static void search(struct fp *f, const struct fp_set *s)
{
	unsigned sub = 0;

	for (int i = 0; i < FP_HYPS && f->nhyp; i++)
		if (f->hyp[i].told)
			return;
	for (unsigned n = 0; n < s->n; n++) {
		unsigned percent = best_place(f, s->ref[n], &sub);

		if (percent <= QUICK_MAX)
			found(f, s, n, sub, percent);
	}
}

/* ---- following ---- */

static uint64_t time_of(const struct fp *f, int32_t frame, int32_t sample)
{
	/* last_ns is when the packet came that ends at f->at of f->frame; what lies so far behind
	 * came earlier. */
	int64_t back = ((int64_t)f->frame - frame) * FP_HOP + f->at - sample;
	uint64_t ns = back > 0 ? (uint64_t)back * NS_SAMPLE : 0;

	return f->last_ns > ns ? f->last_ns - ns : 1;
}

static struct fp_event event_of(const struct fp *f, const struct fp_set *s, const struct fp_hyp *h,
				enum fp_what what)
{
	const struct fp_ref *r = ref_of(s, h);
	int32_t sub = h->sub * FP_SUB;
	uint32_t heard = (uint32_t)(h->good * FP_HOP + sub + FP_WINDOW);
	uint32_t all = r->samples;

	/* a few frames at its end may be lost, or say nothing */
	if (heard > all || (what == FP_ENDED && h->good + 4 >= r->last[h->sub]))
		heard = all;
	return (struct fp_event){.what = what,
				 .which = s->which[h->ref],
				 .start_ns = time_of(f, h->first, -sub),
				 .end_ns = time_of(f, h->first, (int32_t)heard - sub),
				 .heard_ms = heard / 8,
				 .length_ms = all / 8};
}

static void tell(struct fp *f, const struct fp_set *s, const struct fp_hyp *h, enum fp_what what,
		 const struct fp_sink *sink)
{
	struct fp_event e = event_of(f, s, h, what);

	if (what == FP_STARTED)
		e.end_ns = 0;
	if (sink && sink->event)
		sink->event(sink->arg, &e);
}

static bool ended(const struct fp *f, const struct fp_set *s, const struct fp_hyp *h, int32_t ago)
{
	return f->frame - h->first > ref_of(s, h)->last[h->sub] + ago;
}

/* Another announcement that began there sounds like it until now, and did not end some time ago. */
static bool has_rival(const struct fp *f, const struct fp_set *s, const struct fp_hyp *h,
		      int32_t ago)
{
	for (int i = 0; i < FP_HYPS; i++) {
		const struct fp_hyp *o = &f->hyp[i];

		if (o != h && o->used && o->ref < s->n && s->which[o->ref] != s->which[h->ref] &&
		    near(o, h) && !ended(f, s, o, ago) && o->rerrs * 100 <= o->rbits * RECENT_BAD &&
		    quality(o) <= QUICK_MAX)
			return true;
	}
	return false;
}

static bool is_whole(const struct fp_set *s, const struct fp_hyp *h)
{
	const struct fp_ref *r = ref_of(s, h);

	return (h->good + 1) * 100 >= (r->last[h->sub] + 1) * FP_WHOLE &&
	       h->bits * 100 >= (h->bits + h->lost) * FP_COVER;
}

/* It is over. Others that began with it, of the same announcement, are over as well. */
static void over(struct fp *f, const struct fp_set *s, struct fp_hyp *h, const struct fp_sink *sink)
{
	struct fp_hyp was = *h;

	if (was.told)
		tell(f, s, &was, is_whole(s, &was) ? FP_ENDED : FP_BROKEN, sink);
	drop(f, h);
	for (int i = 0; was.told && i < FP_HYPS; i++)
		if (f->hyp[i].used && near(&f->hyp[i], &was))
			drop(f, &f->hyp[i]);
}

/* How many bits of reference r's frames up to n, at place sub, are wrong in the latest `frames`
 * ones: percent; 100 too few count. */
static unsigned wrong(const struct fp *f, const struct fp_ref *r, int32_t n, unsigned sub,
		      int frames, unsigned min)
{
	unsigned bits = 0, errs = 0;

	if (n < frames || n >= r->frames)
		return 100;
	for (int i = 0; i < frames; i++) {
		const struct fp_row *row = &r->row[sub][n - i];
		unsigned m = row->mask & (unsigned)(f->seen[i / 4] >> i % 4 * 16);

		bits += ones(m);
		errs += ones((row->bits ^ (unsigned)(f->hist[i / 4] >> i % 4 * 16)) & m);
	}
	return bits < min ? 100 : errs * 100 / bits;
}

/* A gateway's buffer gave or swallowed a packet: it goes on some milliseconds off. */
static bool find_again(const struct fp *f, const struct fp_set *s, struct fp_hyp *h)
{
	const struct fp_ref *r = ref_of(s, h);
	unsigned best = 101, p;
	struct fp_hyp to = *h;

	for (int d = -2; d <= 2; d++) {
		for (unsigned sub = 0; sub < FP_SUBS; sub++) {
			p = wrong(f, r, f->frame - h->first + d, sub, 8, 32);
			if (p > AGAIN_MAX || p >= best)
				continue;
			best = p;
			to.first = h->first - d;
			to.sub = (uint8_t)sub;
		}
	}
	if (best > 100)
		return false;
	to.rerrs = to.rbits * best / 100;
	*h = to;
	return true;
}

/* One frame further. False: it is over. */
static bool follow(struct fp *f, const struct fp_set *s, struct fp_hyp *h,
		   const struct fp_sink *sink)
{
	const struct fp_ref *r = ref_of(s, h);
	int32_t n = f->frame - h->first;
	const struct fp_row *row;
	unsigned m, e;

	if (n < 0)
		return true;
	if (n > r->last[h->sub]) /* it waits for a longer one to go on, or not */
		return n <= r->last[h->sub] + WAIT && has_rival(f, s, h, 0);
	row = &r->row[h->sub][n];
	m = row->mask & (unsigned)(f->seen[0] & 0xffff);
	e = ones((row->bits ^ (unsigned)(f->hist[0] & 0xffff)) & m);
	h->bits += ones(m);
	h->errs += e;
	h->lost += ones(row->mask) - ones(m);
	h->rbits = h->rbits * 7 / 8 + ones(m) * 256;
	h->rerrs = h->rerrs * 7 / 8 + e * 256;
	if (h->rbits < RECENT_MIN)
		return true; /* a pause in it, or a loss: nothing to judge by */
	if (h->rerrs * 100 > h->rbits * RECENT_BAD && !(h->told && find_again(f, s, h)) &&
	    h->rerrs * 100 > h->rbits * RECENT_MAX)
		return false;
	n = f->frame - h->first;
	/* a frame of its pauses says nothing */
	if (ones(m) >= 3 && e * 5 <= ones(m) * 2 && wrong(f, r, n, h->sub, 4, 12) <= RECENT_OK)
		h->good = n;
	if (!h->told && n >= FP_SURE - 1 + r->quick[h->sub].from &&
	    (h->errs * 100 > h->bits * SURE_MAX || h->bits < FP_SURE))
		return false;
	if (!h->told && n >= FP_SURE - 1 + r->quick[h->sub].from && h->good == n &&
	    !has_rival(f, s, h, WAIT)) {
		h->told = true;
		tell(f, s, h, FP_STARTED, sink);
	}
	return true;
}

/* Nothing more comes: what has more to say than h is not what was heard. */
static void drop_longer(struct fp *f, const struct fp_set *s, const struct fp_hyp *h)
{
	for (int i = 0; i < FP_HYPS && !h->told && is_whole(s, h); i++) {
		struct fp_hyp *o = &f->hyp[i];

		if (o != h && o->used && !o->told && near(o, h) && !is_whole(s, o))
			drop(f, o);
	}
}

/* It ended before it could be told from others. Of those that end alike the first in the set is
 * told. */
static void end_unsure(struct fp *f, const struct fp_set *s, struct fp_hyp *h,
		       const struct fp_sink *sink)
{
	if (h->told || !is_whole(s, h) || quality(h) > SURE_MAX || has_rival(f, s, h, 0))
		return;
	for (int i = 0; i < FP_HYPS; i++)
		if (&f->hyp[i] != h && f->hyp[i].used && near(&f->hyp[i], h) && f->hyp[i].told)
			return;
	h->told = true;
	tell(f, s, h, FP_STARTED, sink);
}

static void follow_all(struct fp *f, const struct fp_set *s, const struct fp_sink *sink)
{
	for (int i = 0; i < FP_HYPS; i++) {
		struct fp_hyp *h = &f->hyp[i];

		if (!h->used || f->frame - h->first < FP_QUICK)
			continue;
		if (h->ref >= s->n) { /* another set than before */
			drop(f, h);
			continue;
		}
		if (follow(f, s, h, sink))
			continue;
		if (f->frame - h->first > ref_of(s, h)->last[h->sub])
			end_unsure(f, s, h, sink);
		over(f, s, h, sink);
	}
}

/* ---- frames ---- */

static void shift_in(struct fp *f, unsigned bits, bool valid)
{
	for (int i = FP_QUICK / 4 - 1; i > 0; i--) {
		f->hist[i] = f->hist[i] << 16 | f->hist[i - 1] >> 48;
		f->seen[i] = f->seen[i] << 16 | f->seen[i - 1] >> 48;
	}
	f->hist[0] = f->hist[0] << 16 | bits;
	f->seen[0] = f->seen[0] << 16 | (valid ? 0xffff : 0);
}

static void frame_ends(struct fp *f, const struct fp_set *s, const struct fp_sink *sink)
{
	float now[FP_BITS];
	bool whole = f->have == FP_WINDOW;
	unsigned bits = 0;

	if (whole) {
		fp_spectrum(f->win, now);
		bits = f->has_prev ? fp_turns(now, f->prev) : 0;
		memcpy(f->prev, now, sizeof(now));
	}
	shift_in(f, bits, whole && f->has_prev);
	f->has_prev = whole;
	if (f->nhyp)
		follow_all(f, s, sink);
	search(f, s);
}

static void next_frame(struct fp *f)
{
	f->frame++;
	f->at = f->have = 0;
}

/* n samples that nobody heard: `have` stays behind, so the frame is not whole. */
static void skip(struct fp *f, const struct fp_set *s, uint64_t n, const struct fp_sink *sink)
{
	while (n) {
		unsigned to = f->at < FP_WINDOW ? FP_WINDOW : FP_HOP;
		unsigned k = n < to - f->at ? (unsigned)n : to - f->at;

		f->at = (uint16_t)(f->at + k);
		n -= k;
		if (f->at == FP_WINDOW && to == FP_WINDOW)
			frame_ends(f, s, sink);
		if (f->at == FP_HOP)
			next_frame(f);
	}
}

/* Sums of two samples, as many as lie in the window. */
static void window_in(struct fp *f, const int16_t *value, const uint8_t *p, unsigned n)
{
	unsigned at = f->at, i = 0;

	f->have = (uint16_t)(f->have + n);
	if (at & 1 && n) {
		f->win[at / 2] += value[p[0]];
		at++;
		i++;
	}
	for (; i + 2 <= n; i += 2, at += 2)
		f->win[at / 2] = value[p[i]] + value[p[i + 1]];
	if (i < n)
		f->win[at / 2] = value[p[i]];
}

static void take(struct fp *f, const struct fp_set *s, const int16_t *value, const uint8_t *p,
		 size_t n, const struct fp_sink *sink)
{
	while (n) {
		unsigned to = f->at < FP_WINDOW ? FP_WINDOW : FP_HOP;
		unsigned k = n < to - f->at ? (unsigned)n : to - f->at;

		if (to == FP_WINDOW)
			window_in(f, value, p, k);
		f->at = (uint16_t)(f->at + k);
		p += k;
		n -= k;
		if (f->at == FP_WINDOW && to == FP_WINDOW)
			frame_ends(f, s, sink);
		if (f->at == FP_HOP)
			next_frame(f);
	}
}

static void all_over(struct fp *f, const struct fp_set *s, const struct fp_sink *sink)
{
	for (int i = 0; i < FP_HYPS; i++)
		if (f->hyp[i].used && f->hyp[i].ref >= s->n)
			drop(f, &f->hyp[i]);
	for (int i = 0; i < FP_HYPS; i++) {
		struct fp_hyp *h = &f->hyp[i];

		if (!h->used)
			continue;
		drop_longer(f, s, h);
		end_unsure(f, s, h, sink);
		over(f, s, h, sink);
	}
}

/* Samples between what was heard and this packet; UINT64_MAX: it lies before that. */
static uint64_t gap_before(const struct fp *f, uint32_t ssrc, uint32_t ts, uint64_t arrival_ns,
			   size_t n)
{
	int32_t d = (int32_t)(ts - f->next);
	uint64_t since;

	if (ssrc == f->ssrc && d >= 0 && d <= JUMP)
		return (uint32_t)d;
	if (ssrc == f->ssrc && d < 0 && d >= -JUMP)
		return UINT64_MAX;
	since = arrival_ns > f->last_ns ? (arrival_ns - f->last_ns) / NS_SAMPLE : 0;
	return since > n ? since - n : 0;
}

void fp_packet(struct fp *f, const struct fp_set *s, enum g711_law law, uint32_t ssrc, uint32_t ts,
	       uint64_t arrival_ns, const uint8_t *payload, size_t n, const struct fp_sink *sink)
{
	uint64_t gap = 0;

	if (!n || n > 65535 || !s->n)
		return;
	if (f->any) {
		gap = gap_before(f, ssrc, ts, arrival_ns, n);
		if (gap == UINT64_MAX) {
			f->late++;
			return;
		}
	}
	if (gap > 2 * JUMP || f->frame > INT32_MAX / 2) { /* nothing of before can go on */
		all_over(f, s, sink);
		fp_wipe(f);
		gap = 0;
	}
	f->any = true;
	f->ssrc = ssrc;
	f->next = ts + (uint32_t)n;
	f->last_ns = arrival_ns;
	if (gap)
		skip(f, s, gap, sink);
	take(f, s, g711_linear[law], payload, n, sink);
}

void fp_idle(struct fp *f, const struct fp_set *s, uint64_t now_ns, const struct fp_sink *sink)
{
	if (!f->any || now_ns < f->last_ns + IDLE_NS)
		return;
	all_over(f, s, sink);
	fp_wipe(f);
}

bool fp_now(const struct fp *f, const struct fp_set *s, struct fp_event *ret)
{
	for (int i = 0; i < FP_HYPS; i++) {
		if (!f->hyp[i].used || !f->hyp[i].told || f->hyp[i].ref >= s->n)
			continue;
		*ret = event_of(f, s, &f->hyp[i], FP_STARTED);
		return true;
	}
	return false;
}

void fp_wipe(struct fp *f)
{
	uint64_t late = f->late;

	explicit_bzero(f, sizeof(*f));
	f->late = late;
}
