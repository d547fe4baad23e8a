/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sound_sets.h - telephone sound to try codecs on, made of Debian's asterisk-core-sounds
 *
 * Sets as code words of one law, the same at each run:
 *	prompt	continuous speech in all languages that are installed, as it is: -19.8 dBov
 *	dz	legs of conversations (44 % talk, -19 to -30 dBov), digital silence between
 *	vad	the same with room noise of -58 dBov while somebody talks and 200 ms on
 *	cn60	the same with white noise of -60 dBov all the time
 *	hn60	with coloured room noise of -60 dBov
 *	pstn	with -55 dBov, then band-passed to 300-3400 Hz
 *	gsm	hn60 through GSM full rate and back (by sox)
 *	moh	music on hold (asterisk-moh-opsound-wav)
 *	tones	dial tone, busy tone and keys, clean
 *	random	bytes
 */
#ifndef SOUND_SETS_H
#define SOUND_SETS_H

#include <dirent.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SOUND_RATE  8000
#define SOUND_DIR   "/usr/share/asterisk/sounds"
#define SOUND_MOH   "/usr/share/asterisk/moh"
#define SOUND_DBOV  -19.8 /* of the prompts as they are */
#define SOUND_LEGS  12
#define SOUND_LEG   (100 * SOUND_RATE)
#define SOUND_N	    (SOUND_LEGS * SOUND_LEG)
#define SOUND_WORDS 1600 /* prompts */

enum sound_set { SOUND_PROMPT, SOUND_DZ, SOUND_VAD, SOUND_CN60, SOUND_HN60, SOUND_PSTN, SOUND_GSM, SOUND_MUSIC, SOUND_TONES, SOUND_RANDOM, SOUND_SETS };
static const char *const sound_names[] = { "prompt", "dz", "vad", "cn60", "hn60", "pstn", "gsm", "moh", "tones", "random" };
/* What a carrier has, by assumption: parts of the bytes. */
static const double sound_mix[SOUND_SETS] = { [SOUND_DZ] = .1, [SOUND_VAD] = .1, [SOUND_CN60] = .1, [SOUND_HN60] = .2,
					      [SOUND_PSTN] = .25, [SOUND_GSM] = .2, [SOUND_MUSIC] = .05 };

struct sound_file {
	int16_t *p;
	size_t n;
};
static struct sound_file sound_prompt[SOUND_WORDS];
static size_t sound_prompts;
static uint64_t sound_seed;

static uint32_t sound_random(void)
{
	sound_seed = sound_seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(sound_seed >> 32);
}

static double sound_gauss(void)
{
	double u = (sound_random() + 1.0) / 4294967297.0, v = sound_random() / 4294967296.0;

	return sqrt(-2 * log(u)) * cos(2 * M_PI * v);
}

static double sound_level(double dbov)
{
	return 32768 * pow(10, dbov / 20);
}

/* 8 kHz mono 16 bits or nothing. */
static struct sound_file sound_wav(const char *path)
{
	struct sound_file s = { NULL, 0 };
	FILE *f = fopen(path, "rb");
	uint8_t h[44], b[2];
	size_t room = 0;

	if (!f)
		return s;
	if (fread(h, 1, 44, f) == 44 && !memcmp(h + 8, "WAVE", 4) && h[22] == 1 && (h[24] | h[25] << 8) == SOUND_RATE)
		while (fread(b, 1, 2, f) == 2 && s.n < 40 * (size_t)SOUND_N) {
			if (s.n == room)
				s.p = realloc(s.p, (room = 2 * room + 65536) * sizeof(*s.p));
			if (!s.p)
				abort();
			s.p[s.n++] = (int16_t)(b[0] | b[1] << 8);
		}
	fclose(f);
	return s;
}

static int sound_wavs_only(const struct dirent *d)
{
	return strstr(d->d_name, ".wav") != NULL;
}

/* In the order of names, every k-th of a language: the whole set would be an hour. */
static void sound_load(void)
{
	struct dirent **lang, **file;
	int n = scandir(SOUND_DIR, &lang, NULL, alphasort);

	for (int i = 0; i < n; free(lang[i++])) {
		char dir[400], path[800];
		int m;

		snprintf(dir, sizeof(dir), SOUND_DIR "/%s", lang[i]->d_name);
		m = lang[i]->d_name[0] == '.' || lang[i]->d_type == DT_LNK ? 0 : scandir(dir, &file, sound_wavs_only, alphasort);
		for (int j = 0; j < m; free(file[j++])) {
			struct sound_file s;

			if (j % 2 || sound_prompts == SOUND_WORDS)
				continue;
			snprintf(path, sizeof(path), "%s/%s", dir, file[j]->d_name);
			s = sound_wav(path);
			if (s.n > SOUND_RATE / 2)
				sound_prompt[sound_prompts++] = s;
			else
				free(s.p);
		}
		if (m > 0)
			free(file);
	}
	if (n > 0)
		free(lang);
}

/* One prompt, added from `at` on; all of them together are at SOUND_DBOV. Behind its end. */
static size_t sound_say(double *x, size_t at, size_t end, double dbov)
{
	const struct sound_file *s = &sound_prompt[sound_random() % sound_prompts];
	double gain = sound_level(dbov) / sound_level(SOUND_DBOV);

	for (size_t i = 0; i < s->n && at < end; i++)
		x[at++] += s->p[i] * gain;
	return at;
}

/* Turns of some prompts and the other party's; talk: where this one talks. */
static void sound_leg(double *x, uint8_t *talk)
{
	double dbov = -19 - sound_random() % 1100 / 100.0;
	size_t at = sound_random() % (4 * SOUND_RATE), end;

	while (at < SOUND_LEG) {
		size_t from = at, turn = at + SOUND_RATE + sound_random() % (5 * SOUND_RATE);

		turn = turn < SOUND_LEG ? turn : SOUND_LEG;
		while (at < turn)
			at = sound_say(x, at, turn, dbov) + sound_random() % 1600;
		end = at < SOUND_LEG ? at : SOUND_LEG;
		memset(talk + from, 1, end - from);
		at = end + (end - from) * 56 / 44;
	}
}

struct sound_biquad {
	double b0, b1, b2, a1, a2, x1, x2, y1, y2;
};

static struct sound_biquad sound_filter(bool high, double hz)
{
	double w = 2 * M_PI * hz / SOUND_RATE, c = cos(w), alpha = sin(w) / sqrt(2), a0 = 1 + alpha, k = high ? 1 + c : 1 - c;

	return (struct sound_biquad){ .b0 = k / 2 / a0, .b1 = (high ? -k : k) / a0, .b2 = k / 2 / a0, .a1 = -2 * c / a0, .a2 = (1 - alpha) / a0 };
}

static double sound_through(struct sound_biquad *f, double x)
{
	double y = f->b0 * x + f->b1 * f->x1 + f->b2 * f->x2 - f->a1 * f->y1 - f->a2 * f->y2;

	f->x2 = f->x1;
	f->x1 = x;
	f->y2 = f->y1;
	f->y1 = y;
	return y;
}

/* Noise of a room: little above 1 kHz and below 100 Hz. */
static void sound_room(double *x, const uint8_t *talk, double dbov)
{
	struct sound_biquad low = sound_filter(false, 1000), high = sound_filter(true, 100);
	double level = sound_level(dbov) / 0.47; /* what the filters leave of 1 */
	size_t hang = 0;

	for (size_t i = 0; i < SOUND_LEG; i++) {
		double v = sound_through(&high, sound_through(&low, sound_gauss())) * level;

		hang = !talk || talk[i] ? SOUND_RATE / 5 : hang ? hang - 1 : 0;
		x[i] += hang ? v : 0;
	}
}

static void sound_band(double *x, size_t n)
{
	struct sound_biquad f[4] = { sound_filter(true, 300), sound_filter(true, 300), sound_filter(false, 3400), sound_filter(false, 3400) };

	for (size_t i = 0; i < n; i++)
		for (int k = 0; k < 4; k++)
			x[i] = sound_through(&f[k], x[i]);
}

static bool sound_gsm(int16_t *x, size_t n)
{
	char name[] = "/tmp/sound-gsm.XXXXXX", cmd[200];
	int fd = mkstemp(name);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "wb");
	bool good;

	if (!f)
		return false;
	good = fwrite(x, 2, n, f) == n && !fclose(f);
	snprintf(cmd, sizeof(cmd), "sox -D -t s16 -r 8000 -c 1 %s -t gsm - 2>/dev/null | sox -D -t gsm - -t s16 - 2>/dev/null", name);
	f = popen(cmd, "r");
	good = good && f && fread(x, 2, n, f) > n - 400;
	if (f)
		pclose(f);
	remove(name);
	return good;
}

static bool sound_music(double *x)
{
	struct dirent **file;
	int n = scandir(SOUND_MOH, &file, sound_wavs_only, alphasort);
	size_t at = 0, all = 0;

	for (int i = 0; i < n; free(file[i++])) {
		char path[600];
		struct sound_file s;

		snprintf(path, sizeof(path), SOUND_MOH "/%s", file[i]->d_name);
		s = sound_wav(path);
		for (size_t k = 0; k < s.n && k < SOUND_N / 5 && at < SOUND_N; k++)
			x[at++] = s.p[k];
		free(s.p);
	}
	if (n > 0)
		free(file);
	for (all = at; at && at < SOUND_N; at++) /* again, at another level, so that no words repeat */
		x[at] = x[at - all] * .7;
	return at == SOUND_N;
}

static void sound_tones(double *x)
{
	static const double low[] = { 425, 425, 697, 770, 852, 941 }, high[] = { 0, 0, 1209, 1336, 1477, 1633 };

	for (size_t i = 0; i < SOUND_N; i++) {
		size_t part = i / (2 * SOUND_RATE) % 6, at = i % (2 * SOUND_RATE);
		bool on = !part || (part == 1 ? at % 4000 < 2000 : at % 1600 < 800);
		double t = 2 * M_PI * (double)i / SOUND_RATE;

		x[i] = on ? 3000 * (sin(low[part] * t) + (high[part] > 0 ? sin(high[part] * t) : 0)) : 0;
	}
}

static uint8_t sound_alaw(int x)
{
	int sign = x >= 0 ? 0x80 : 0, m = (x >= 0 ? x : -x - 1) >> 4, e = 0;

	while (m >> (e + 5))
		e++;
	return (uint8_t)((sign | (e ? (e + 1) << 4 | (m >> e & 15) : m & 31)) ^ 0x55);
}

static uint8_t sound_mulaw(int x)
{
	int sign = x < 0 ? 0x80 : 0, m = (x < 0 ? -x : x) + 132, e = 0;

	m = m > 32767 ? 32767 : m;
	while (m >> (e + 8))
		e++;
	return (uint8_t)~(sign | e << 4 | (m >> (e + 3) & 15));
}

/* SOUND_N code words; sound_load first. NULL, or why there is no such set. */
static const char *sound_make(enum sound_set set, bool mu, uint8_t *out)
{
	static int16_t pcm[SOUND_N];
	static double x[SOUND_N];
	static uint8_t talk[SOUND_N];
	size_t at = 0;

	sound_seed = 4711;
	if (!sound_prompts && set <= SOUND_GSM)
		return "asterisk-core-sounds-*-wav is not installed";
	memset(x, 0, sizeof(x));
	memset(talk, 0, sizeof(talk));
	if (set == SOUND_PROMPT)
		while (at < SOUND_N)
			at = sound_say(x, at, SOUND_N, SOUND_DBOV);
	if (set == SOUND_MUSIC && !sound_music(x))
		return "asterisk-moh-opsound-wav is not installed";
	if (set == SOUND_TONES)
		sound_tones(x);
	for (size_t i = 0; i < SOUND_LEGS && set >= SOUND_DZ && set <= SOUND_GSM; i++)
		sound_leg(x + i * SOUND_LEG, talk + i * SOUND_LEG);
	for (size_t i = 0; i < SOUND_LEGS && set <= SOUND_GSM; i++) {
		double *leg = x + i * SOUND_LEG;

		if (set == SOUND_VAD || set == SOUND_HN60 || set == SOUND_GSM || set == SOUND_PSTN)
			sound_room(leg, set == SOUND_VAD ? talk + i * SOUND_LEG : NULL, set == SOUND_VAD ? -58 : set == SOUND_PSTN ? -55 : -60);
		if (set == SOUND_PSTN)
			sound_band(leg, SOUND_LEG);
	}
	for (size_t i = 0; i < SOUND_N; i++) {
		double v = x[i] + (set == SOUND_CN60 ? sound_gauss() * sound_level(-60) : 0);

		pcm[i] = (int16_t)(v < -32768 ? -32768 : v > 32767 ? 32767 : lrint(v));
	}
	if (set == SOUND_GSM && !sound_gsm(pcm, SOUND_N))
		return "sox, or its GSM, is not installed";
	for (size_t i = 0; i < SOUND_N; i++)
		out[i] = set == SOUND_RANDOM ? (uint8_t)(sound_random() >> 8) : mu ? sound_mulaw(pcm[i]) : sound_alaw(pcm[i]);
	return NULL;
}

#endif
