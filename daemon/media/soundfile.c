/* SPDX-License-Identifier: BSD-2-Clause */
/* soundfile.c - see soundfile.h */
#include "media/soundfile.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/le.h"
#include "media/g711.h"

#define WAV_PCM	 1
#define WAV_ALAW 6
#define WAV_ULAW 7

static bool ends_in(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);

	return n > m && strcasecmp(s + n - m, end) == 0;
}

/* The law of a file without a head; -1 its name does not say. */
static int law_of(const char *name)
{
	static const char *const end[2][5] = { { ".ulaw", ".ul", ".pcmu", ".mulaw", NULL }, { ".alaw", ".al", ".pcma", NULL } };

	for (int law = 0; law < 2; law++)
		for (int i = 0; end[law][i]; i++)
			if (ends_in(name, end[law][i]))
				return law;
	return -1;
}

static int room(size_t samples, int16_t **ret)
{
	*ret = malloc((samples ? samples : 1) * sizeof(**ret));
	return *ret ? 0 : -ENOMEM;
}

static int from_g711(enum g711_law law, const uint8_t *p, size_t n, int16_t **ret, size_t *ret_n)
{
	int e = room(n, ret);

	for (size_t i = 0; i < n && !e; i++)
		(*ret)[i] = g711_linear[law][p[i]];
	*ret_n = n;
	return e;
}

static int from_pcm(const uint8_t *p, size_t n, int16_t **ret, size_t *ret_n)
{
	int e = room(n / 2, ret);

	for (size_t i = 0; i < n / 2 && !e; i++)
		(*ret)[i] = (int16_t)le16dec(p + 2 * i);
	*ret_n = n / 2;
	return e;
}

struct wav {
	bool fmt;
	unsigned kind, channels, rate, bits;
};

static const char *unfit(const struct wav *w)
{
	if (!w->fmt)
		return "its format is not said before its sound";
	if (w->rate != 8000)
		return "it is not of 8 kHz";
	if (w->channels != 1)
		return "it has more than one channel";
	if ((w->kind == WAV_PCM && w->bits == 16) || ((w->kind == WAV_ALAW || w->kind == WAV_ULAW) && w->bits == 8))
		return NULL;
	return "it is neither PCM of 16 bits nor A-law nor mu-law";
}

static int from_wav(const uint8_t *p, size_t n, int16_t **ret, size_t *ret_n, const char **why)
{
	struct wav w = { 0 };
	size_t at = 12, len;

	*why = "it is no RIFF WAVE file";
	if (n < 12 || memcmp(p, "RIFF", 4) != 0 || memcmp(p + 8, "WAVE", 4) != 0)
		return -EINVAL;
	*why = "it has no sound";
	for (; n - at >= 8; at += len + (len & 1)) {
		const uint8_t *c = p + at;

		len = le32dec(c + 4);
		at += 8;
		if (memcmp(c, "data", 4) == 0) {
			*why = unfit(&w);
			if (*why)
				return -EINVAL;
			len = len < n - at ? len : n - at; /* streams are written before their length is known */
			return w.kind == WAV_PCM ? from_pcm(p + at, len, ret, ret_n) :
						   from_g711(w.kind == WAV_ALAW ? G711_ALAW : G711_ULAW, p + at, len, ret, ret_n);
		}
		if (len + (len & 1) > n - at)
			return -EINVAL;
		if (memcmp(c, "fmt ", 4) == 0 && len >= 16)
			w = (struct wav){ true, le16dec(c + 8), le16dec(c + 10), le32dec(c + 12), le16dec(c + 22) };
	}
	return -EINVAL;
}

int sound_read(const char *name, const uint8_t *bytes, size_t n, int16_t **ret, size_t *ret_n, char *why, size_t size)
{
	const char *text = "its name says nothing of its kind: .wav, .alaw or .ulaw";
	int law = law_of(name), e = -EINVAL;

	if (n > SOUND_FILE_MAX) {
		text = "it is too large";
		e = -EFBIG;
	} else if (law >= 0) {
		e = from_g711((enum g711_law)law, bytes, n, ret, ret_n);
	} else if (ends_in(name, ".wav")) {
		e = from_wav(bytes, n, ret, ret_n, &text);
	}
	if (e == -ENOMEM)
		text = "out of memory";
	if (e)
		snprintf(why, size, "%s", text);
	return e;
}
