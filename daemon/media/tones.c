/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tones.c - DTMF in G.711 audio
 *
 * Every 5 ms one Goertzel measurement of each of the eight frequencies, as a
 * complex number: 200 Hz wide, far too wide to tell 697 Hz from 721 Hz. How its
 * phase turns from block to block tells the true frequency, and six of them
 * turned back and added are the tone over 30 ms. What share of all power the two
 * tones so found explain is the test that voice does not pass: a vowel has its
 * power in harmonics everywhere, and does not hold two of them still for 30 ms
 * at two of these sixteen places. The share judges noise, harmonics, a tone that
 * comes or goes, and a slide of frequency at once.
 *
 * Runs where the leg's RTP runs. Any octets and timestamps are legal input; no
 * length comes from the payload.
 */
#include "media/tones.h"

#include <math.h>
#include <string.h>

#define WINDOW	 6 /* blocks that must be nothing but the two tones */
#define HITS	 2 /* windows in a row: 35 ms */
#define GROUP	 4 /* frequencies of a group */
#define PURITY	 0.85f /* 24 ms of tone are 0.8 of a window; a signal to noise ratio of 15 dB is 0.97 */
#define MAYBE	 0.25f /* share of the power in the strongest bin, before frequencies are known */
#define OFF_MAX	 0.023f
#define TWIST	 10.0f /* power; Q.24's -8 and +4 dB are read by some as +8 and -4 */
#define LEVEL_MIN (G711_0DBM0 * 0.03548f) /* peak of the stronger tone: -29 dBm0 */
/* Blocks softer than -42 dBm0 are taken for silence: neither tone of a digit can be in them. */
#define SILENCE (TONES_BLOCK * 0.5f * (G711_0DBM0 * 0.00794f) * (G711_0DBM0 * 0.00794f))
/* A block's power at a frequency, when a tone of amplitude a fills it: (a * TONES_BLOCK / 2)^2. */
#define FULL	   (TONES_BLOCK * TONES_BLOCK / 4.0f)
#define THERE	   0.5f	 /* amplitude, of the press's, from which a block is part of it */
#define WHOLE	   0.75f /* and from which it is all tone, not the edge of it */
#define TRACE	   0.15f /* below: not even the edge */
#define SILENT_MAX 5	 /* blocks without the tones that end a press: breaks up to 20 ms never have so many */
#define GUARD	   80	 /* samples muted before and after what sounded like a digit */
/*
 * The power of the steps between samples, over that of the samples: 0.29 at 697 Hz, 1.43 at 1633 Hz, and
 * between them for any two tones. With 15 % of something else it is within these; most of voice is
 * not, and not looked at further.
 */
#define FLAT	   0.22f
#define STEEP	   1.9f
#define RESTART	   2400	 /* samples back that are a new timeline: more than a SPAN port ever reorders */
#define IDLE_NS	   200000000ULL

static const char keys[] = "123A456B789C*0#D";
/* 697 770 852 941, 1209 1336 1477 1633 Hz at 8 kHz: cos and sin of a block's turn. */
static const float step_cos[TONES_FREQS] = { -0.99556196f, 0.58778525f, -0.06279052f, -0.27899111f,
					     0.96029369f, -0.42577929f, -0.75011107f, 0.50904142f };
static const float step_sin[TONES_FREQS] = { 0.09410831f, -0.80901699f, 0.99802673f, -0.96029369f,
					     0.27899111f, -0.90482705f, 0.66131187f, 0.86074203f };
static const float freq[TONES_FREQS] = { 697, 770, 852, 941, 1209, 1336, 1477, 1633 };

enum { HALF = WINDOW / 2 };

struct cpx {
	float re, im;
};

static struct cpx mul(struct cpx a, struct cpx b)
{
	return (struct cpx){ a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re };
}

static float norm(struct cpx a)
{
	return a.re * a.re + a.im * a.im;
}

/* The n-th last block, 1 is the latest. */
static const struct tones_block *ago(const struct tones *t, unsigned n)
{
	return &t->block[(t->head + TONES_BLOCKS - n) % TONES_BLOCKS];
}

static struct cpx at(const struct tones_block *b, unsigned f)
{
	return (struct cpx){ b->re[f], b->im[f] };
}

static bool before(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}

/* ---- muting ---- */

static void span_add(struct tones *t, uint32_t from, uint32_t to)
{
	struct tones_span *s = &t->span[(t->nspan + TONES_SPANS - 1) % TONES_SPANS];

	if (t->nspan && !before(s->to, from) && !before(to, s->from)) {
		if (before(from, s->from))
			s->from = from;
		if (before(s->to, to))
			s->to = to;
		return;
	}
	t->span[t->nspan % TONES_SPANS] = (struct tones_span){ from, to };
	t->nspan = t->nspan + 1 ? t->nspan + 1 : TONES_SPANS;
}

unsigned tones_spans(const struct tones *t, struct tones_span ret[TONES_SPANS])
{
	unsigned n = t->nspan < TONES_SPANS ? t->nspan : TONES_SPANS;

	for (unsigned i = 0; i < n; i++)
		ret[i] = t->span[(t->nspan - n + i) % TONES_SPANS];
	return n;
}

uint32_t tones_final(const struct tones *t)
{
	return t->next - TONES_DELAY;
}

size_t tones_mute(const struct tones *t, enum g711_law law, uint32_t ts, uint8_t *payload, size_t n)
{
	unsigned spans = t->nspan < TONES_SPANS ? t->nspan : TONES_SPANS;
	size_t muted = 0;

	for (unsigned i = 0; i < spans; i++) {
		int64_t from = (int32_t)(t->span[i].from - ts), to = (int32_t)(t->span[i].to - ts);

		if (from < 0)
			from = 0;
		if (to > (int64_t)n)
			to = (int64_t)n;
		if (from >= to)
			continue;
		memset(payload + from, g711_silence(law), (size_t)(to - from));
		muted += (size_t)(to - from);
	}
	return muted;
}

/* ---- presses ---- */

static void report(const struct tones *t, bool up, const struct tones_sink *sink)
{
	struct tones_press p = { .key = keys[t->key], .up = up, .start = t->start, .end = t->end };

	if (sink && sink->press)
		sink->press(sink->arg, &p);
}

static void release(struct tones *t, const struct tones_sink *sink)
{
	if (!t->down)
		return;
	span_add(t, t->start - GUARD, t->end + GUARD);
	report(t, true, sink);
	t->down = false;
	t->key = t->cand = 0;
	t->hits = t->silent = 0;
	t->start = t->end = 0;
	t->power = 0;
}

/* Amplitude of the press's tones in a block, 1 is full. */
static float share(const struct tones *t, const struct tones_block *b)
{
	float p = norm(at(b, t->key / GROUP)) + norm(at(b, GROUP + t->key % GROUP));

	return sqrtf(p / t->power);
}

/* Where the tones of a press that has just become sure began: back to the block that is not full of them. */
static uint32_t find_start(const struct tones *t)
{
	uint32_t start = ago(t, WINDOW)->ts;

	for (unsigned n = WINDOW; n <= t->run; n++) {
		const struct tones_block *b = ago(t, n);
		float a = share(t, b);

		if (a >= WHOLE) {
			start = b->ts;
			continue;
		}
		if (n == WINDOW) /* the window's own first block may be the edge */
			start = b->ts + TONES_BLOCK;
		return a > TRACE ? start - (uint32_t)(a * TONES_BLOCK) : start;
	}
	return start;
}

static void press(struct tones *t, unsigned key, float power, const struct tones_sink *sink)
{
	const struct tones_block *b = ago(t, 1);

	t->key = (uint8_t)key;
	t->power = power;
	t->down = true;
	t->silent = 0;
	t->start = find_start(t);
	t->end = b->ts + TONES_BLOCK;
	t->presses++;
	span_add(t, t->start - GUARD, t->end + GUARD);
	report(t, false, sink);
}

/* The latest block, while a press goes on: part of it, its edge, or not of it. */
static void follow(struct tones *t, const struct tones_sink *sink)
{
	const struct tones_block *b = ago(t, 1);
	float a = share(t, b);
	float whole = b->energy > 0 ? a * a * t->power / (b->energy * TONES_BLOCK / 2) : 0;

	/* Voice after a press has power there too, but not only there. */
	if (whole < 0.4f)
		a = a < THERE ? a : 0;
	if (a >= THERE) {
		t->silent = 0;
		t->end = b->ts + (uint32_t)((a >= WHOLE ? 1 : a) * TONES_BLOCK);
		span_add(t, t->start - GUARD, t->end + GUARD);
		return;
	}
	if (!t->silent && a > TRACE && t->end == b->ts)
		t->end += (uint32_t)(a * TONES_BLOCK);
	if (++t->silent >= SILENT_MAX)
		release(t, sink);
}

/* ---- the window ---- */

/*
 * The tone near frequency f over the window's blocks, oldest first: its amplitude
 * squared, or 0 when its frequency is off by more than OFF_MAX. A block turns by
 * step_*[f] at the nominal frequency; what it turns beyond that is the offset,
 * unambiguous up to 100 Hz.
 */
static float tone_power(const struct cpx s[WINDOW], unsigned f, float *ret_hz)
{
	struct cpx back = { step_cos[f], -step_sin[f] }, lag = { 0, 0 }, half[2] = { { 0, 0 }, { 0, 0 } };
	struct cpx w = { 1, 0 };
	float turn, gain, sum;

	for (unsigned i = 1; i < WINDOW; i++) {
		struct cpx r = mul(s[i], (struct cpx){ s[i - 1].re, -s[i - 1].im });

		lag.re += r.re;
		lag.im += r.im;
	}
	lag = mul(lag, back);
	turn = atan2f(lag.im, lag.re);
	back = mul(back, (struct cpx){ cosf(turn), -sinf(turn) });
	for (unsigned i = 0; i < WINDOW; i++) {
		struct cpx r = mul(s[i], w);

		half[i / HALF].re += r.re;
		half[i / HALF].im += r.im;
		w = mul(w, back);
	}
	/* The halves are 15 ms apart: three times finer. */
	lag = mul(half[1], (struct cpx){ half[0].re, -half[0].im });
	turn += atan2f(lag.im, lag.re) / HALF;
	*ret_hz = freq[f] + turn * (8000.0f / TONES_BLOCK / 2 / (float)M_PI);
	if (fabsf(*ret_hz - freq[f]) > OFF_MAX * freq[f])
		return 0;
	gain = fabsf(turn) < 1e-3f ? 1 : sinf(turn / 2) / (turn / 2);
	sum = (sqrtf(norm(half[0])) + sqrtf(norm(half[1]))) * 2 / (WINDOW * TONES_BLOCK) / gain;
	return sum * sum;
}

/* What a sine d Hz off is in a block's measurement, 1 at 0 Hz. */
static float leak(float d)
{
	float x = d * (float)M_PI / 8000;

	return fabsf(x) < 1e-5f ? 1 : sinf(x * TONES_BLOCK) / (sinf(x) * TONES_BLOCK);
}

/*
 * Takes the tone at hz, measured in s[] near frequency f, out of what was measured at g:
 * a block is so short that a tone 8 dB stronger, 268 Hz away, would hide the other's phase.
 */
static void unleak(struct cpx at_g[WINDOW], unsigned g, const struct cpx s[WINDOW], unsigned f, float hz)
{
	float r = leak(hz - freq[g]) / leak(hz - freq[f]);
	float a = (freq[g] - freq[f]) * (float)M_PI / 8000 * (TONES_BLOCK - 1);
	struct cpx turn = { r * cosf(a), r * sinf(a) };

	for (unsigned i = 0; i < WINDOW; i++) {
		struct cpx l = mul(s[i], turn);

		at_g[i].re -= l.re;
		at_g[i].im -= l.im;
	}
}

/*
 * The tone of the other group beside the strong one, which is taken out of each of its bins
 * before they are compared: 395 Hz apart the leak keeps its phase, and could hide the right one.
 */
static unsigned other_tone(const struct tones *t, unsigned strong, float hz, const struct cpx raw[WINDOW],
			   struct cpx ret[WINDOW])
{
	unsigned first = strong < GROUP ? GROUP : 0, best = first;
	float most = -1;

	for (unsigned g = first; g < first + GROUP; g++) {
		struct cpx w[WINDOW];
		float p = 0;

		for (unsigned i = 0; i < WINDOW; i++)
			w[i] = at(ago(t, WINDOW - i), g);
		unleak(w, g, raw, strong, hz);
		for (unsigned i = 0; i < WINDOW; i++)
			p += norm(w[i]);
		if (p > most) {
			most = p;
			best = g;
			memcpy(ret, w, sizeof(w));
		}
	}
	return best;
}

/* The two tones of a window by its strongest bin: amplitudes squared of both, *ret_weak which the other is. */
static bool two_tones(const struct tones *t, unsigned strong, unsigned *ret_weak, float *ret_a, float *ret_b)
{
	struct cpx s[WINDOW], raw[WINDOW], w[WINDOW];
	float hz;

	for (unsigned i = 0; i < WINDOW; i++)
		raw[i] = s[i] = at(ago(t, WINDOW - i), strong);
	(void)tone_power(s, strong, &hz); /* where it is about; whether it may is asked when the other is out */
	if (fabsf(hz - freq[strong]) > 2 * OFF_MAX * freq[strong])
		return false;
	*ret_weak = other_tone(t, strong, hz, raw, w);
	*ret_b = tone_power(w, *ret_weak, &hz);
	if (*ret_b <= 0)
		return false;
	unleak(s, strong, w, *ret_weak, hz);
	*ret_a = tone_power(s, strong, &hz);
	return *ret_a > 0;
}

static unsigned strongest(const float p[TONES_FREQS])
{
	unsigned best = 0;

	for (unsigned i = 1; i < TONES_FREQS; i++) {
		if (p[i] > p[best])
			best = i;
	}
	return best;
}

/* Whether the latest window is a digit: true, with its number and the power of a full block. */
/* A block in the middle of a window that is all tone has half its power, less what leaks, in one of the frequencies. */
static bool hopeless(const struct tones_block *b)
{
	float most = 0;

	for (unsigned f = 0; f < TONES_FREQS; f++) {
		float p = norm(at(b, f));

		most = p > most ? p : most;
	}
	return most < b->energy * (TONES_BLOCK * 0.05f);
}

static bool window(const struct tones *t, unsigned *ret_key, float *ret_power)
{
	float p[TONES_FREQS] = { 0 }, energy = 0, a, b;
	unsigned s, w;

	if (t->run < WINDOW || (ago(t, 1)->re[0] == 0 && ago(t, 1)->im[0] == 0) || hopeless(ago(t, HALF)))
		return false;
	for (unsigned n = 1; n <= WINDOW; n++) {
		const struct tones_block *k = ago(t, n);

		energy += k->energy;
		for (unsigned f = 0; f < TONES_FREQS; f++)
			p[f] += norm(at(k, f));
	}
	s = strongest(p);
	/* Of two equal tones the stronger has half, less what leaks; most sounds end here. */
	if (p[s] < MAYBE * energy * TONES_BLOCK / 2 || !two_tones(t, s, &w, &a, &b))
		return false;
	if (a > TWIST * b || b > TWIST * a || (a > b ? a : b) < LEVEL_MIN * LEVEL_MIN)
		return false;
	if ((a + b) * (WINDOW * TONES_BLOCK * 0.5f) < PURITY * energy)
		return false;
	*ret_key = s < w ? s * GROUP + (w - GROUP) : w * GROUP + (s - GROUP);
	*ret_power = (a + b) * FULL;
	return true;
}

static void judge(struct tones *t, const struct tones_sink *sink)
{
	unsigned key = 0;
	float power = 0;
	bool hit = window(t, &key, &power);

	if (hit) {
		t->hits = t->hits && t->cand == key ? t->hits + 1 : 1;
		t->cand = (uint8_t)key;
		if (t->hits > HITS)
			t->hits = HITS;
		span_add(t, ago(t, WINDOW)->ts - GUARD, ago(t, 1)->ts + TONES_BLOCK + GUARD);
	} else {
		t->hits = 0;
		t->cand = 0;
	}
	if (hit && t->hits == HITS && t->down && t->key != key)
		release(t, sink); /* clears hits, which are none of the next press's */
	else if (hit && t->hits == HITS && !t->down)
		press(t, key, power, sink);
	else if (t->down)
		follow(t, sink);
}

/* ---- samples ---- */

/*
 * What Goertzel's recursion ends in, as sums: x[i] times cosine and sine of (last - i) turns. The recursion waits for
 * itself at each sample; these products do not.
 */
typedef float v4 __attribute__((vector_size(16)));

static v4 load(const float *p)
{
	v4 v;

	memcpy(&v, p, sizeof(v));
	return v;
}

typedef float v16 __attribute__((vector_size(64)));

static float linear[2][256]; /* g711_linear, of which no number must be converted */
static v16 turned[TONES_BLOCK]; /* cosines of the eight frequencies, then sines */

/* The compiler makes of it what the function that it stands in may use. */
static inline __attribute__((always_inline)) void transform_with(const float x[TONES_BLOCK], struct tones_block *b)
{
	v16 sum[4] = { { 0 } };
	union {
		v16 v;
		float f[2 * TONES_FREQS];
	} all;

	for (unsigned i = 0; i < TONES_BLOCK; i += 4)
		for (unsigned k = 0; k < 4; k++)
			sum[k] += x[i + k] * turned[i + k];
	all.v = (sum[0] + sum[1]) + (sum[2] + sum[3]);
	memcpy(b->re, all.f, sizeof(b->re));
	memcpy(b->im, all.f + TONES_FREQS, sizeof(b->im));
}

static void transform_any(const float x[TONES_BLOCK], struct tones_block *b)
{
	transform_with(x, b);
}

static void (*transform)(const float x[TONES_BLOCK], struct tones_block *b) = transform_any;

#ifdef __x86_64__
__attribute__((target("avx2,fma"))) static void transform_avx2(const float x[TONES_BLOCK], struct tones_block *b)
{
	transform_with(x, b);
}

__attribute__((target("avx512f,fma"))) static void transform_avx512(const float x[TONES_BLOCK], struct tones_block *b)
{
	transform_with(x, b);
}

static void choose(void)
{
	__builtin_cpu_init();
	if (__builtin_cpu_supports("avx512f"))
		transform = transform_avx512;
	else if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
		transform = transform_avx2;
}
#else
static void choose(void)
{
}
#endif

__attribute__((constructor)) static void make_turned(void)
{
	for (unsigned i = 0; i < TONES_BLOCK; i++) {
		for (unsigned f = 0; f < TONES_FREQS; f++) {
			double w = 2 * M_PI * (double)freq[f] / 8000 * (TONES_BLOCK - 1 - i);

			turned[i][f] = (float)cos(w);
			turned[i][TONES_FREQS + f] = (float)sin(w);
		}
	}
	for (unsigned law = 0; law < 2; law++)
		for (unsigned i = 0; i < 256; i++)
			linear[law][i] = g711_linear[law][i];
	choose();
}

static void measure(struct tones *t, uint32_t ts, const uint8_t *raw, enum g711_law law)
{
	struct tones_block *b = &t->block[t->head];
	float x[TONES_BLOCK + 4];
	v4 sum = { 0 }, steps = { 0 };
	float slope;

	b->ts = ts;
	for (unsigned i = 0; i < TONES_BLOCK; i++)
		x[i] = linear[law][raw[i]];
	memset(x + TONES_BLOCK, 0, 4 * sizeof(*x));
	for (unsigned i = 0; i < TONES_BLOCK; i += 4) {
		v4 here = load(x + i), next = i + 4 < TONES_BLOCK ? load(x + i + 1) : here;

		sum += here * here;
		steps += (next - here) * (next - here);
	}
	b->energy = sum[0] + sum[1] + sum[2] + sum[3];
	slope = steps[0] + steps[1] + steps[2] + steps[3];
	if (b->energy >= SILENCE && (t->down || (slope > FLAT * b->energy && slope < STEEP * b->energy))) {
		transform(x, b);
	} else {
		memset(b->re, 0, sizeof(b->re));
		memset(b->im, 0, sizeof(b->im));
		if (b->energy < SILENCE)
			b->energy = 0;
	}
	t->head = (t->head + 1) % TONES_BLOCKS;
	if (t->run < TONES_BLOCKS)
		t->run++;
}

/* Between what was heard and ts something is missing. */
static void gap(struct tones *t, uint32_t ts, const struct tones_sink *sink)
{
	t->fill = 0;
	t->run = 0;
	t->hits = 0;
	if (t->down && ts - t->next > TONES_GAP)
		release(t, sink);
}

/* Puts the packet on the timeline; false: it is not to be heard. *n and *payload may shrink. */
static bool place(struct tones *t, uint32_t ts, const uint8_t **payload, size_t *n,
		  const struct tones_sink *sink)
{
	uint32_t back = t->next - ts;

	if (!t->any || ts == t->next)
		return true;
	if (before(t->next, ts)) {
		gap(t, ts, sink);
		return true;
	}
	if (back > RESTART) {
		release(t, sink);
		gap(t, ts, sink);
		t->nspan = 0; /* of a timeline that is gone */
		return true;
	}
	if (*n <= back) {
		t->late++;
		return false;
	}
	*payload += back;
	*n -= back;
	return true;
}

void tones_packet(struct tones *t, enum g711_law law, uint32_t ts, uint64_t arrival_ns,
		  const uint8_t *payload, size_t n, const struct tones_sink *sink)
{
	uint32_t end = ts + (uint32_t)n;

	t->last_ns = arrival_ns;
	if (!place(t, ts, &payload, &n, sink))
		return;
	if (t->fill && t->law != law)
		gap(t, end - (uint32_t)n, sink);
	t->law = (uint8_t)law;
	t->any = true;
	t->next = end - (uint32_t)n;
	while (n) {
		size_t room = TONES_BLOCK - (size_t)t->fill, take = room < n ? room : n;

		memcpy(t->raw + t->fill, payload, take);
		t->fill = (uint8_t)(t->fill + take);
		t->next += (uint32_t)take;
		payload += take;
		n -= take;
		if (t->fill < TONES_BLOCK)
			break;
		t->fill = 0;
		measure(t, t->next - TONES_BLOCK, t->raw, law);
		judge(t, sink);
	}
}

void tones_idle(struct tones *t, uint64_t now_ns, const struct tones_sink *sink)
{
	if (t->down && now_ns >= t->last_ns && now_ns - t->last_ns >= IDLE_NS)
		release(t, sink);
}

char tones_key(const struct tones *t)
{
	return t->down ? keys[t->key] : 0;
}

void tones_wipe(struct tones *t)
{
	explicit_bzero(t, sizeof(*t));
}
