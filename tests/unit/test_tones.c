/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_tones.c - DTMF in G.711 audio, against ITU-T Q.23 and Q.24
 *
 * Signals are made here from their definition, coded to G.711 and fed packet by
 * packet. The talk-off part needs installed prompts (audio.h) and skips without.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "media/mute.h"
#include "media/tones.h"
#include "tests/unit/audio.h"

#define MS	8 /* samples */
#define SPEECH	(3600u * 8000) /* an hour */
#define PRESSES 64

static const char keys[] = "123A456B789C*0#D";
static const double rows[] = { 697, 770, 852, 941 }, cols[] = { 1209, 1336, 1477, 1633 };

static struct heard {
	unsigned down, up;
	char keys[PRESSES + 1];
	struct tones_press last[PRESSES]; /* as they were at their end */
} heard;

static void on_press(void *arg, const struct tones_press *p)
{
	struct heard *h = arg;

	if (!p->up) {
		assert_int_equal(h->down, h->up);
		if (h->down < PRESSES)
			h->keys[h->down] = p->key;
		h->down++;
		return;
	}
	assert_int_equal(h->down, h->up + 1);
	if (h->up < PRESSES) {
		assert_int_equal(h->keys[h->up], p->key);
		h->last[h->up] = *p;
	}
	h->up++;
}

static const struct tones_sink sink = { &heard, on_press };

/* ---- signals ---- */

struct digit {
	unsigned key; /* 0-15 */
	double level; /* dBm0 of the stronger tone */
	double twist; /* dB the high tone is above the low one */
	double off_lo, off_hi; /* relative */
	double samples;
};

static struct sound out; /* what is played */
static uint64_t seed = 1;
static double noise_db = -200; /* dBm0 */

static double amplitude(double dbm0)
{
	return G711_0DBM0 * pow(10, dbm0 / 20);
}

static void add(const double *x, size_t n)
{
	double a = amplitude(noise_db) / sqrt(2);

	sound_room(&out, n);
	for (size_t i = 0; i < n; i++)
		out.x[out.n++] = clip16((x ? x[i] : 0) + (noise_db > -100 ? a * rnd_gauss(&seed) : 0));
}

static void quiet(size_t samples)
{
	add(NULL, samples);
}

/* Sums of sines, begun at any phase. */
static void sines(size_t samples, unsigned n, const double *hz, const double *a)
{
	double *x = calloc(samples + 1, sizeof(*x)), ph;

	for (unsigned k = 0; k < n; k++) {
		ph = rnd_unit(&seed) * 2 * M_PI;
		for (size_t i = 0; i < samples; i++)
			x[i] += a[k] * sin(ph + 2 * M_PI * hz[k] * (double)i / 8000);
	}
	add(x, samples);
	free(x);
}

static void digit(const struct digit *d)
{
	double lo = d->level, hi = d->level;

	if (d->twist > 0)
		lo -= d->twist;
	else
		hi += d->twist;
	sines((size_t)d->samples, 2,
	      (double[]){ rows[d->key / 4] * (1 + d->off_lo), cols[d->key % 4] * (1 + d->off_hi) },
	      (double[]){ amplitude(lo), amplitude(hi) });
}

static void press_ms(unsigned key, double ms)
{
	digit(&(struct digit){ .key = key, .level = -8, .samples = ms * MS });
}

/* ---- playing ---- */

struct play {
	enum g711_law law;
	size_t ptime; /* samples */
	uint32_t ts;
	bool (*lost)(size_t packet);
};

/* What came of it, one behind the other. */
struct came {
	struct chunk_pkt *pkt;
	uint8_t *sound;
	uint32_t n, bytes;
};

/* As tones.h says: a detector follows, audio waits until it is final. */
static void mute_by_the_book(enum g711_law law, const struct came *c, uint8_t *sound)
{
	struct tones t = { 0 };
	uint8_t *next = sound, *waits = sound;
	uint32_t d = 0;

	for (uint32_t i = 0; i < c->n; i++) {
		tones_packet(&t, law, c->pkt[i].ts, 0, next, c->pkt[i].len, NULL);
		next += c->pkt[i].len;
		for (; d <= i && (int32_t)(tones_final(&t) - (c->pkt[d].ts + c->pkt[d].len)) >= 0; waits += c->pkt[d++].len)
			tones_mute(&t, law, c->pkt[d].ts, waits, c->pkt[d].len);
	}
	for (; d < c->n; waits += c->pkt[d++].len)
		tones_mute(&t, law, c->pkt[d].ts, waits, c->pkt[d].len);
}

static uint32_t back(const struct came *c, uint32_t i, uint32_t samples)
{
	uint32_t sum = 0;

	while (i && sum < samples)
		sum += c->pkt[--i].len;
	return i;
}

static uint32_t ahead(const struct came *c, uint32_t i, uint32_t samples)
{
	uint32_t sum = 0;

	while (i < c->n && sum < samples)
		sum += c->pkt[i++].len;
	return i;
}

static uint32_t octets(const struct came *c, uint32_t i)
{
	uint32_t sum = 0;

	while (i)
		sum += c->pkt[--i].len;
	return sum;
}

/* As chunks come: each with the context that mute.h asks for. */
static void mute_by_chunks(enum g711_law law, const struct came *c, uint8_t *ret)
{
	uint8_t *piece = malloc(c->bytes + 1);

	for (uint32_t i = 0, j; i < c->n; i = j) {
		uint32_t from = back(c, i, MUTE_BEFORE), to, at = octets(c, from);

		j = ahead(c, i, 800 + (uint32_t)(rnd(&seed) % 12000));
		to = ahead(c, j, MUTE_AFTER);
		memcpy(piece, c->sound + at, c->bytes - at);
		mute_keys(law, c->pkt + from, to - from, piece, i - from, j - from);
		memcpy(ret + octets(c, i), piece + octets(c, i) - at, octets(c, j) - octets(c, i));
	}
	free(piece);
}

/* No key that the detector hears escapes mute.c, and nothing else does not. */
static void mutes_the_same(enum g711_law law, size_t ptime, const struct came *c)
{
	uint8_t *book = malloc(c->bytes + 1), *whole = malloc(c->bytes + 1), *parts = malloc(c->bytes + 1);
	struct tones t = { 0 };
	size_t over = 0;

	memcpy(book, c->sound, c->bytes);
	memcpy(whole, c->sound, c->bytes);
	mute_by_the_book(law, c, book);
	mute_keys(law, c->pkt, c->n, whole, 0, c->n);
	if (ptime % TONES_BLOCK == 0) {
		mute_by_chunks(law, c, parts);
		assert_memory_equal(whole, book, c->bytes);
		assert_memory_equal(parts, book, c->bytes);
	}
	for (uint32_t i = 0, at = 0; i < c->n; at += c->pkt[i++].len)
		tones_packet(&t, law, c->pkt[i].ts, 0, whole + at, c->pkt[i].len, NULL);
	assert_int_equal(t.presses, 0);
	for (uint32_t i = 0; i < c->bytes; i++)
		over += whole[i] != book[i];
	assert_true(over <= 80 * (1 + heard.down));
	free(book);
	free(whole);
	free(parts);
}

static void play(struct tones *t, struct play p)
{
	struct came c = { .pkt = calloc(out.n / p.ptime + 1, sizeof(*c.pkt)), .sound = malloc(out.n + 1) };
	size_t k = 0;

	for (size_t i = 0; i < out.n; i += p.ptime, k++) {
		size_t n = out.n - i < p.ptime ? out.n - i : p.ptime;

		if (p.lost && p.lost(k))
			continue;
		c.pkt[c.n++] = (struct chunk_pkt){ .ts = p.ts + (uint32_t)i, .len = (uint16_t)n };
		for (size_t j = 0; j < n; j++)
			c.sound[c.bytes + j] = g711_octet(p.law, out.x[i + j]);
		tones_packet(t, p.law, p.ts + (uint32_t)i, i * 125000, c.sound + c.bytes, n, &sink);
		c.bytes += (uint32_t)n;
	}
	tones_idle(t, (out.n + 8000) * 125000, &sink);
	mutes_the_same(p.law, p.ptime, &c);
	free(c.pkt);
	free(c.sound);
}

static void fresh(void)
{
	out.n = 0;
	noise_db = -200;
	memset(&heard, 0, sizeof(heard));
}

/* Plays what was made since fresh() into a new detector. */
static const char *listen(enum g711_law law, size_t ptime)
{
	struct tones t = { 0 };

	play(&t, (struct play){ .law = law, .ptime = ptime });
	assert_int_equal(heard.down, heard.up);
	assert_int_equal(t.presses, heard.down);
	tones_wipe(&t);
	return heard.keys;
}

static void near_to(uint32_t got, uint32_t want, uint32_t within)
{
	if (abs((int32_t)(got - want)) > (int32_t)within)
		fail_msg("at %u, not at %u within %u", got, want, within);
}

/* ---- Q.24 ---- */

static void all_digits(void **state)
{
	static const size_t ptimes[] = { 80, 160, 240, 480, 37, 1, 4000 };

	(void)state;
	for (unsigned i = 0; i < 2 * sizeof(ptimes) / sizeof(ptimes[0]); i++) {
		uint32_t at[16], n[16];
		struct tones t = { 0 };
		uint32_t ts = 0xffffff00u; /* wraps on the way */

		fresh();
		quiet(333);
		for (unsigned k = 0; k < 16; k++) {
			at[k] = ts + (uint32_t)out.n;
			n[k] = 40 * MS + (uint32_t)(rnd(&seed) % 1000);
			digit(&(struct digit){ .key = k, .level = -10, .samples = n[k] });
			quiet(40 * MS + rnd(&seed) % 400);
		}
		play(&t, (struct play){ .law = i & 1, .ptime = ptimes[i / 2], .ts = ts });
		assert_string_equal(heard.keys, keys);
		for (unsigned k = 0; k < 16; k++) {
			near_to(heard.last[k].start, at[k], 24);
			near_to(heard.last[k].end, at[k] + n[k], 24);
		}
	}
}

/* Everything Q.24 asks for at once, by random draws at the edges and within: 40 ms, 15 dB. */
static void must_hear(void **state)
{
	unsigned missed = 0, wrong = 0, n = 6000;

	(void)state;
	for (unsigned i = 0; i < n; i++) {
		static const double twists[] = { -8, -4, 0, 4, 8 };
		static const double offs[] = { -0.015, -0.0075, 0, 0.0075, 0.015 };
		struct digit d = {
			.key = (unsigned)(rnd(&seed) % 16),
			.level = -3 - 22.0 * (double)(rnd(&seed) % 12) / 11,
			.twist = twists[rnd(&seed) % 5],
			.off_lo = offs[rnd(&seed) % 5],
			.off_hi = offs[rnd(&seed) % 5],
			.samples = (40 + (double)(rnd(&seed) % 3) * 5) * MS,
		};
		double weak = pow(10, -fabs(d.twist) / 10);

		fresh();
		noise_db = i % 3 ? d.level + 10 * log10(1 + weak) - 15 : -200;
		quiet(1000 + rnd(&seed) % 160);
		digit(&d);
		quiet(1000);
		listen(i & 1, 160);
		missed += !heard.down;
		wrong += heard.down > 1 || (heard.down && heard.keys[0] != keys[d.key]);
		if (heard.down == 1) {
			near_to(heard.last[0].start, (uint32_t)(out.n - 1000 - (size_t)d.samples), 40);
			near_to(heard.last[0].end, (uint32_t)(out.n - 1000), 40);
		}
	}
	if (missed || wrong)
		fail_msg("%u of %u missed, %u wrong", missed, n, wrong);
}

static void must_not_hear(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 3000; i++) {
		static const double ds[] = { -0.05, -0.045, -0.035, 0.035, 0.045, 0.05 };
		struct digit d = { .key = i % 16, .level = -3 - (double)(rnd(&seed) % 22), .samples = 100 * MS };
		unsigned what = (unsigned)(rnd(&seed) % 5);

		if (what == 0)
			d.off_lo = ds[rnd(&seed) % 6];
		else if (what == 1)
			d.off_hi = ds[rnd(&seed) % 6];
		else if (what == 2)
			d.samples = (1 + (double)(rnd(&seed) % 24)) * MS - 1;
		else if (what == 3)
			d.level = -36 - (double)(rnd(&seed) % 10);
		else
			d.twist = rnd(&seed) & 1 ? 13 : -13;
		fresh();
		noise_db = i & 1 && what != 3 ? d.level - 25 : -200;
		quiet(1000 + rnd(&seed) % 160);
		digit(&d);
		quiet(1000);
		listen(i >> 1 & 1, 160);
		if (heard.down)
			fail_msg("heard what is none: case %u, key %c, %.3f %.3f %.0f ms level %.0f twist %.0f",
				 what, keys[d.key], d.off_lo, d.off_hi, d.samples / MS, d.level, d.twist);
	}
}

static void pauses(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 400; i++) {
		unsigned k = (unsigned)(rnd(&seed) % 16), other = (k + 1 + (unsigned)(rnd(&seed) % 15)) % 16;
		char want[4] = { keys[k], keys[k], keys[other], 0 };

		fresh(); /* a break is none, a pause is one */
		quiet(rnd(&seed) % 200);
		press_ms(k, 45);
		quiet(MS + rnd(&seed) % (19 * MS));
		press_ms(k, 45);
		quiet(35 * MS + rnd(&seed) % 100);
		press_ms(k, 45);
		quiet(i % 3 ? 35 * MS + rnd(&seed) % 100 : 0);
		press_ms(other, 50);
		quiet(1000);
		assert_string_equal(listen(i & 1, 80 << i % 3), want);
	}
}

/* A pure pair is a digit; the same pair with its harmonics, as a voice has them, is none. */
static void harmonics(void **state)
{
	(void)state;
	for (unsigned k = 0; k < 16; k++) {
		double lo = rows[k / 4], hi = cols[k % 4], a = amplitude(-12);

		fresh();
		sines(800, 3, (double[]){ lo, hi, 2 * lo }, (double[]){ a, a, a * 0.8 });
		quiet(800);
		sines(800, 3, (double[]){ lo, hi, 2 * hi }, (double[]){ a, a, a * 0.8 });
		quiet(800);
		sines(800, 3, (double[]){ lo, hi, rows[(k / 4 + 1) % 4] }, (double[]){ a, a, a * 0.8 });
		quiet(800);
		sines(800, 2, (double[]){ lo, rows[(k / 4 + 1) % 4] }, (double[]){ a, a });
		quiet(800);
		sines(800, 1, (double[]){ hi }, (double[]){ a });
		quiet(800);
		assert_string_equal(listen(k & 1, 160), "");
		fresh();
		sines(800, 3, (double[]){ lo, hi, 2 * lo }, (double[]){ a, a, a * 0.1 });
		quiet(800);
		assert_int_equal(strlen(listen(k & 1, 160)), 1);
	}
}

/* ---- what else sounds on a line ---- */

static void fsk(double mark, double space, double baud, size_t samples)
{
	double *x = calloc(samples, sizeof(*x)), ph = 0, f = mark;

	for (size_t i = 0; i < samples; i++) {
		if (fmod((double)i, 8000 / baud) < 1)
			f = rnd(&seed) & 1 ? mark : space;
		ph += 2 * M_PI * f / 8000;
		x[i] = amplitude(-10) * sin(ph);
	}
	add(x, samples);
	free(x);
}

/* Phase keying: V.22 (600 baud at 1200 or 2400 Hz), V.27ter and the like. */
static void psk(double carrier, double baud, unsigned phases, size_t samples)
{
	double *x = calloc(samples, sizeof(*x)), ph = 0;

	for (size_t i = 0; i < samples; i++) {
		if (fmod((double)i, 8000 / baud) < 1)
			ph += 2 * M_PI * (double)(rnd(&seed) % phases) / phases;
		x[i] = amplitude(-10) * sin(ph + 2 * M_PI * carrier * (double)i / 8000);
	}
	add(x, samples);
	free(x);
}

static void line_tones(void **state)
{
	static const double pairs[][2] = {
		{ 350, 440 }, { 440, 480 }, { 480, 620 }, { 425, 0 }, { 400, 450 }, { 440, 0 }, { 1400, 0 },
		{ 950, 0 }, { 1400, 0 }, { 1800, 0 }, { 1100, 0 }, { 2100, 0 }, { 2225, 0 }, { 2130, 2750 },
		{ 700, 900 }, { 900, 1100 }, { 1100, 1700 }, { 1300, 1500 }, { 1380, 1500 }, { 1980, 1740 },
		{ 540, 660 }, { 1300, 0 }, { 1004, 0 }, { 2400, 2600 },
	};

	(void)state;
	fresh();
	for (unsigned i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		for (unsigned k = 0; k < 4; k++) {
			sines(4000, 2, pairs[i], (double[]){ amplitude(-10), pairs[i][1] > 0 ? amplitude(-10) : 0 });
			quiet(k % 2 ? 0 : 2000);
		}
	}
	for (unsigned i = 0; i < 10; i++) {
		fsk(980, 1180, 300, 16000);
		fsk(1650, 1850, 300, 16000);
		fsk(1270, 1070, 300, 16000);
		fsk(1300, 2100, 1200, 16000);
		fsk(1200, 2200, 1200, 16000);
		psk(1200, 600, 4, 16000);
		psk(2400, 600, 4, 16000);
		psk(1800, 1600, 8, 16000);
	}
	assert_string_equal(listen(G711_ULAW, 160), "");
	assert_string_equal(listen(G711_ALAW, 160), "");
}

/* Tunes: chords of plucked strings, a siren, sweeps, noise of all loudness. */
static void music(void **state)
{
	(void)state;
	fresh();
	for (unsigned i = 0; i < 3000; i++) {
		size_t n = 800 + rnd(&seed) % 3200;
		unsigned voices = 1 + (unsigned)(rnd(&seed) % 4);
		double *x = calloc(n, sizeof(*x));

		for (unsigned v = 0; v < voices; v++) {
			double f = 110 * pow(2, (double)(rnd(&seed) % 44) / 12), fall = 1000 + rnd_unit(&seed) * 8000;
			double bright = 0.35 + 0.65 * rnd_unit(&seed); /* two pure tones would be a digit */

			for (unsigned h = 1; h * f < 3400 && h < 8; h++) {
				double a = amplitude(-14) * pow(bright, h - 1), ph = rnd_unit(&seed) * 6;

				for (size_t k = 0; k < n; k++)
					x[k] += a * exp(-(double)k / fall) * sin(ph + 2 * M_PI * h * f * (double)k / 8000);
			}
		}
		add(x, n);
		free(x);
	}
	for (unsigned i = 0; i < 200; i++) {
		double x[4000], ph = 0, f0 = 300 + 3000 * rnd_unit(&seed), f1 = 300 + 3000 * rnd_unit(&seed);

		for (unsigned k = 0; k < 4000; k++) {
			ph += 2 * M_PI * (f0 + (f1 - f0) * k / 4000) / 8000;
			x[k] = amplitude(-8) * sin(ph);
		}
		add(x, 4000);
		noise_db = -40 + (double)(i % 40);
		quiet(4000);
		noise_db = -200;
	}
	assert_string_equal(listen(G711_ULAW, 160), "");
	assert_string_equal(listen(G711_ALAW, 160), "");
}

static const char *speech(size_t enough)
{
	fresh();
	sound_tree(&out, PROMPTS, enough);
	if (out.n >= enough)
		return NULL;
	return "SKIP: less than an hour of prompts (asterisk-core-sounds-en-wav, -es-wav, -fr-wav)";
}

/* An hour of voice, as it is, and again louder, faster and in the other law: not one digit. */
static void talk_off(void **state)
{
	const char *why = speech(SPEECH);
	size_t n = out.n;

	(void)state;
	if (why) {
		puts(why);
		skip();
	}
	assert_string_equal(listen(G711_ALAW, 160), "");
	for (size_t i = 0; i < n; i++)
		out.x[i] = clip16(out.x[i] * 2.0);
	assert_string_equal(listen(G711_ULAW, 160), "");
	for (size_t i = 0; i < n * 9 / 10; i++)
		out.x[i] = out.x[i * 10 / 9];
	out.n = n * 9 / 10;
	assert_string_equal(listen(G711_ALAW, 240), "");
	out.n = 0;
	sound_tree(&out, MUSIC, SPEECH); /* when it is there */
	assert_string_equal(listen(G711_ALAW, 240), "");
}

/* Keys pressed while somebody speaks in the room (20 dB down) are heard all the same. */
static void talk_down(void **state)
{
	const char *why = speech(60 * 8000);
	struct sound voice = out;
	char want[41] = "";

	(void)state;
	if (why) {
		puts("SKIP: no prompts (asterisk-core-sounds-en-wav)");
		skip();
	}
	memset(&out, 0, sizeof(out));
	fresh();
	for (unsigned i = 0; i < 40; i++) {
		unsigned k = (unsigned)(rnd(&seed) % 16);

		want[i] = keys[k];
		quiet(8000 + rnd(&seed) % 160);
		press_ms(k, 80);
	}
	quiet(8000);
	for (size_t i = 0; i < out.n; i++)
		out.x[i] = clip16(out.x[i] + voice.x[i] * 0.1);
	assert_string_equal(listen(G711_ALAW, 160), want);
	sound_free(&voice);
}

/* ---- packets ---- */

static size_t lose;

static bool lose_one(size_t k)
{
	return k == lose;
}

static bool lose_tail(size_t k)
{
	return k >= lose;
}

static void losses(void **state)
{
	(void)state;
	for (lose = 0; lose < 25; lose++) { /* of 100 ms, any 20 ms may be missing */
		struct tones t = { 0 };

		fresh();
		quiet(1000);
		press_ms(9, 100);
		quiet(1600);
		play(&t, (struct play){ .ptime = 160, .lost = lose_one });
		assert_string_equal(heard.keys, "8");
		assert_int_equal(heard.up, 1);
	}
	for (lose = 5; lose < 25; lose++) { /* the sender falls silent */
		struct tones t = { 0 };

		fresh();
		press_ms(4, 500);
		play(&t, (struct play){ .ptime = 160, .lost = lose_tail });
		assert_string_equal(heard.keys, "4");
		near_to(heard.last[0].end, (uint32_t)lose * 160, 24);
	}
}

/* DTX: no packets between two presses; and 70 ms are too long for one press with a hole. */
static void gaps(void **state)
{
	(void)state;
	for (unsigned ms = 20; ms < 200; ms += 10) {
		struct tones t = { 0 };
		size_t n;

		fresh();
		press_ms(0, 80);
		n = out.n;
		play(&t, (struct play){ .ptime = 160 });
		heard.down = heard.up = 0; /* idle ended it; without: */
		tones_wipe(&t);
		fresh();
		press_ms(0, 80);
		for (size_t i = 0; i < n; i++) {
			uint8_t o = g711_octet(G711_ULAW, out.x[i]);

			tones_packet(&t, G711_ULAW, (uint32_t)i, 0, &o, 1, &sink);
		}
		for (size_t i = 0; i < n; i++) {
			uint8_t o = g711_octet(G711_ULAW, out.x[i]);

			tones_packet(&t, G711_ULAW, (uint32_t)(n + ms * MS + i), 0, &o, 1, &sink);
		}
		tones_idle(&t, 199999999, &sink);
		assert_int_equal(heard.up + 1, heard.down);
		tones_idle(&t, 200000000, &sink);
		assert_int_equal(heard.up, heard.down);
		assert_string_equal(heard.keys, ms <= 60 ? "1" : "11");
	}
}

static void order(void **state)
{
	struct tones t = { 0 };
	uint8_t p[10][160];

	(void)state;
	fresh();
	press_ms(5, 200);
	for (unsigned i = 0; i < 1600; i++)
		p[i / 160][i % 160] = g711_octet(G711_ALAW, out.x[i]);
	for (uint32_t i = 0; i < 10; i++) { /* copies and late packets change nothing */
		tones_packet(&t, G711_ALAW, 7 + i * 160, 0, p[i], 160, &sink);
		tones_packet(&t, G711_ALAW, 7 + i * 160, 0, p[i], 160, &sink);
		if (i)
			tones_packet(&t, G711_ALAW, 7 + (i - 1) * 160, 0, p[i - 1], 160, &sink);
	}
	assert_int_equal(t.late, 19);
	assert_string_equal(heard.keys, "5");
	/* Packets that overlap: the new part counts. */
	tones_packet(&t, G711_ALAW, 7 + 1440, 0, p[9], 160, &sink);
	assert_int_equal(t.next, 7 + 1600);
	/* A restart of the sender ends the press, and its next is heard. */
	for (uint32_t i = 0; i < 10; i++)
		tones_packet(&t, G711_ALAW, 0x80000000u + i * 160, 0, p[i], 160, &sink);
	assert_int_equal(heard.down, 2);
	assert_int_equal(heard.up, 1);
	near_to(heard.last[0].end, 7 + 1600, 24);
	tones_idle(&t, 1000000000, &sink);
	assert_int_equal(heard.up, 2);
	near_to(heard.last[1].start, 0x80000000u, 24);
}

/* ---- muting, wiping ---- */

struct kept {
	uint8_t *p; /* what is kept, by place */
	uint32_t n, ts;
	enum g711_law law;
};

/* As the header says: audio waits until it is final. */
static void keep(struct kept *k, struct tones *t, uint32_t ptime, const struct tones_sink *to)
{
	uint32_t waiting = 0;

	for (uint32_t i = 0; i + ptime <= k->n; i += ptime) {
		tones_packet(t, k->law, k->ts + i, 0, k->p + i, ptime, to);
		while (waiting <= i && (int32_t)(tones_final(t) - (k->ts + waiting + ptime)) >= 0) {
			tones_mute(t, k->law, k->ts + waiting, k->p + waiting, ptime);
			waiting += ptime;
		}
	}
	for (; waiting + ptime <= k->n; waiting += ptime)
		tones_mute(t, k->law, k->ts + waiting, k->p + waiting, ptime);
}

static void muting(void **state)
{
	static const uint32_t ptimes[] = { 80, 160, 240, 480 };
	struct sound voice = { 0 };

	(void)state;
	sound_tree(&voice, PROMPTS, 80 * 8000); /* without prompts the keys stand alone */
	for (unsigned round = 0; round < 24; round++) {
		struct kept k = { .law = round & 1, .ts = (uint32_t)rnd(&seed) };
		const struct tones_sink no_press = { NULL, NULL };
		uint32_t ptime = ptimes[round / 2 % 4], spoilt = 0, tone = 0, at[60], len[60];
		struct tones t = { 0 }, again = { 0 };
		uint8_t silence = g711_silence(k.law);
		uint8_t *was;

		fresh();
		noise_db = round % 3 ? -45 : -200;
		for (unsigned i = 0; i < 60; i++) {
			quiet(40 * MS + rnd(&seed) % (i % 2 ? 300 : 8000));
			at[i] = (uint32_t)out.n;
			len[i] = 35 * MS + (uint32_t)(rnd(&seed) % 1500);
			digit(&(struct digit){ .key = (unsigned)(rnd(&seed) % 16), .level = -4 - (double)(rnd(&seed) % 15),
					       .twist = (double)(rnd(&seed) % 12) - 6, .samples = len[i] });
		}
		quiet(960 - out.n % 480);
		for (size_t i = 0, d = 0; i < out.n && i < voice.n; i++) { /* voice between the keys */
			while (d < 60 && i >= at[d] + len[d])
				d++;
			if (d == 60 || i + 200 < at[d])
				out.x[i] = clip16(out.x[i] + voice.x[i] * 0.7);
		}
		k.n = (uint32_t)out.n;
		k.p = malloc(k.n);
		was = malloc(k.n);
		for (uint32_t i = 0; i < k.n; i++)
			was[i] = k.p[i] = g711_octet(k.law, out.x[i]);
		keep(&k, &t, ptime, round & 4 ? &sink : &no_press);
		assert_int_equal(t.presses, 60);
		for (unsigned i = 0; i < 60; i++) {
			tone += len[i] + 4 * 80;
			for (uint32_t j = at[i]; j < at[i] + len[i]; j++)
				assert_int_equal(k.p[j], silence);
		}
		for (uint32_t i = 0; i < k.n; i++)
			spoilt += k.p[i] != was[i];
		assert_true(spoilt < tone); /* and hardly more than the keys */
		tones_packet(&again, k.law, 0, 0, k.p, k.n, &no_press);
		assert_int_equal(again.presses, 0);
		assert_int_equal(again.nspan, 0); /* not even 30 ms of one */
		free(k.p);
		free(was);
	}
	sound_free(&voice);
}

static void mute_edges(void **state)
{
	struct tones t = { 0 };
	struct tones_span s[TONES_SPANS];
	uint8_t p[16];

	(void)state;
	memset(p, 0x11, sizeof(p));
	assert_int_equal(tones_mute(&t, G711_ULAW, 0, p, sizeof(p)), 0);
	assert_int_equal(tones_spans(&t, s), 0);
	fresh();
	press_ms(3, 100);
	quiet(800);
	play(&t, (struct play){ .law = G711_ULAW, .ptime = 160, .ts = 0xfffffff0u });
	assert_int_equal(tones_spans(&t, s), 1);
	near_to(s[0].from, 0xfffffff0u - 80, 24);
	near_to(s[0].to, 0xfffffff0u + 880, 24);
	assert_int_equal(tones_final(&t), 0xfffffff0u + 1600 - TONES_DELAY);
	assert_int_equal(tones_mute(&t, G711_ULAW, s[0].to - 4, p, sizeof(p)), 4);
	assert_int_equal(p[3], 0xff);
	assert_int_equal(p[4], 0x11);
	memset(p, 0x11, sizeof(p));
	assert_int_equal(tones_mute(&t, G711_ALAW, s[0].from - 12, p, sizeof(p)), 4);
	assert_int_equal(p[11], 0x11);
	assert_int_equal(p[12], 0xd5);
	assert_int_equal(tones_mute(&t, G711_ALAW, s[0].to, p, sizeof(p)), 0);
	assert_int_equal(tones_mute(&t, G711_ALAW, s[0].from - 16, p, sizeof(p)), 0);
	assert_int_equal(tones_mute(&t, G711_ALAW, s[0].from, p, 0), 0);
}

static void wiped(void **state)
{
	struct tones t = { 0 }, zero;

	(void)state;
	memset(&zero, 0, sizeof(zero));
	fresh();
	press_ms(7, 100);
	quiet(800);
	play(&t, (struct play){ .ptime = 160 });
	assert_int_equal(heard.up, 1);
	/* Once it ended nothing of the digit is remembered, whichever it was. */
	assert_int_equal(t.key | t.cand, 0);
	for (unsigned i = 0; i < TONES_BLOCKS; i++) {
		for (unsigned f = 0; f < TONES_FREQS; f++)
			assert_true(t.block[i].re[f] == 0 && t.block[i].im[f] == 0);
	}
	fresh();
	press_ms(7, 100);
	for (unsigned i = 0; i < 800; i++) {
		uint8_t o = g711_octet(G711_ALAW, out.x[i]);

		tones_packet(&t, G711_ALAW, 100000 + i, 0, &o, 1, &sink);
	}
	assert_true(t.down);
	tones_wipe(&t);
	assert_memory_equal(&t, &zero, sizeof(t));
}

static void tables(void **state)
{
	(void)state;
	assert_int_equal(g711_linear[G711_ULAW][0x80], 32124);
	assert_int_equal(g711_linear[G711_ULAW][0x00], -32124);
	assert_int_equal(g711_linear[G711_ULAW][0xff], 0);
	assert_int_equal(g711_linear[G711_ULAW][0x7f], 0);
	assert_int_equal(g711_linear[G711_ULAW][0xfe], 8);
	assert_int_equal(g711_linear[G711_ULAW][0xef], 132);
	assert_int_equal(g711_linear[G711_ALAW][0xaa], 32256);
	assert_int_equal(g711_linear[G711_ALAW][0x2a], -32256);
	assert_int_equal(g711_linear[G711_ALAW][0xd5], 8);
	assert_int_equal(g711_linear[G711_ALAW][0x55], -8);
	assert_int_equal(g711_linear[G711_ALAW][0xc5], 264);
	assert_int_equal(g711_linear[G711_ALAW][0xf5], 528);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tables),	cmocka_unit_test(all_digits), cmocka_unit_test(must_hear),
		cmocka_unit_test(must_not_hear), cmocka_unit_test(pauses),    cmocka_unit_test(harmonics),
		cmocka_unit_test(line_tones),	cmocka_unit_test(music),      cmocka_unit_test(talk_off),
		cmocka_unit_test(talk_down),	cmocka_unit_test(losses),     cmocka_unit_test(gaps),
		cmocka_unit_test(order),	cmocka_unit_test(muting),     cmocka_unit_test(mute_edges),
		cmocka_unit_test(wiped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
