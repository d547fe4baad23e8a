/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * export_decode.c - RTP payloads to samples
 *
 * G.711, L16 and DVI4 are decoded here. The rest is, and what has another rate
 * or more channels than the WAV is brought to it, in a process of its own
 * (export_helper.c): no library that reads other formats is linked.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cli.h"
#include "export.h"

#define SAMPLES_MAX (DECODE_BODY_MAX / 2) /* of one payload */
#define DEATHS_MAX  8 /* who sends what kills decoders has this much silence for it, and no more processes started */

enum kind { K_PCMU, K_PCMA, K_L16, K_DVI4, K_HELPER };

struct codec {
	const char *name;
	enum kind kind;
	enum decode_codec helper;
	uint32_t rate; /* real rate; 0: the RTP clock */
};

static const struct codec codecs[] = {
	{ "PCMU", K_PCMU, DECODE_PCM, 0 },
	{ "PCMA", K_PCMA, DECODE_PCM, 0 },
	{ "L16", K_L16, DECODE_PCM, 0 },
	{ "DVI4", K_DVI4, DECODE_PCM, 0 },
	{ "G722", K_HELPER, DECODE_G722, 16000 },
	{ "GSM", K_HELPER, DECODE_GSM, 8000 },
	{ "G729", K_HELPER, DECODE_G729, 8000 },
	{ "G723", K_HELPER, DECODE_G723, 8000 },
	{ "G726-16", K_HELPER, DECODE_G726_16, 8000 },
	{ "G726-24", K_HELPER, DECODE_G726_24, 8000 },
	{ "G726-32", K_HELPER, DECODE_G726_32, 8000 },
	{ "G721", K_HELPER, DECODE_G726_32, 8000 },
	{ "G726-40", K_HELPER, DECODE_G726_40, 8000 },
	{ "AAL2-G726-16", K_HELPER, DECODE_AAL2_16, 8000 },
	{ "AAL2-G726-24", K_HELPER, DECODE_AAL2_24, 8000 },
	{ "AAL2-G726-32", K_HELPER, DECODE_AAL2_32, 8000 },
	{ "AAL2-G726-40", K_HELPER, DECODE_AAL2_40, 8000 },
	{ "iLBC", K_HELPER, DECODE_ILBC, 8000 },
	{ "speex", K_HELPER, DECODE_SPEEX, 0 },
	{ "opus", K_HELPER, DECODE_OPUS, 48000 },
	{ "AMR", K_HELPER, DECODE_AMR, 8000 },
	{ "AMR-WB", K_HELPER, DECODE_AMR_WB, 16000 },
};

struct decoder {
	const struct codec *codec;
	int channels;
	int16_t table[256];
	bool helped;
	struct decode_open how; /* what the helper is asked for */
	struct helper *helper;	/* NULL: it died */
	int16_t pcm[SAMPLES_MAX];
};

static unsigned deaths;

static const struct codec *lookup(const struct media_format *f)
{
	for (size_t i = 0; i < sizeof(codecs) / sizeof(codecs[0]); i++)
		if (strcasecmp(codecs[i].name, f->name) == 0)
			return &codecs[i];
	return NULL;
}

uint32_t decoder_rate(const struct media_format *f)
{
	const struct codec *c = lookup(f);

	return c && c->rate ? c->rate : f->clock;
}

/* Interleaved or robust-sorted AMR is not something that storage frames can express. */
static bool fmtp_is(const struct media_format *f, const char *key, const char *value)
{
	size_t n = strlen(key), m = strlen(value);

	for (const char *s = f->fmtp; *s; s += *s != 0) {
		s += strspn(s, "; \t");
		if (strncasecmp(s, key, n) == 0 && s[n] == '=') {
			s += n + 1;
			return strncasecmp(s, value, m) == 0 && !strchr("0123456789", s[m] ? s[m] : 'x');
		}
		s += strcspn(s, ";");
	}
	return false;
}

static bool fmtp_has(const struct media_format *f, const char *key)
{
	size_t n = strlen(key);

	for (const char *s = f->fmtp; *s; s += *s != 0) {
		s += strspn(s, "; \t");
		if (strncasecmp(s, key, n) == 0 && s[n] == '=')
			return true;
		s += strcspn(s, ";");
	}
	return false;
}

bool decoder_helped(const struct media_format *f)
{
	const struct codec *c = lookup(f);

	return c && c->kind == K_HELPER;
}

int decoder_start(const struct export_call *c)
{
	return helper_start((unsigned)c->leg[0].helped + (unsigned)c->leg[1].helped);
}

void decoder_end(void)
{
	helper_end();
}

bool decoder_known(const struct media_format *f)
{
	const struct codec *c = lookup(f);
	uint32_t rate = decoder_rate(f);

	if (!c || !f->clock || rate < DECODE_RATE_MIN || rate > DECODE_RATE_MAX || f->channels > 2)
		return false;
	if ((c->helper == DECODE_AMR || c->helper == DECODE_AMR_WB) &&
	    (fmtp_has(f, "interleaving") || fmtp_is(f, "robust-sorting", "1") || f->channels > 1))
		return false;
	return c->kind != K_HELPER || helper_knows(c->helper);
}

static uint8_t flags(const struct media_format *f)
{
	return (uint8_t)((fmtp_is(f, "octet-align", "1") ? DECODE_ALIGNED : 0) | (fmtp_is(f, "crc", "1") ? DECODE_CRC : 0) |
			 (fmtp_is(f, "mode", "20") ? DECODE_20MS : 0));
}

int decoder_open(const struct media_format *f, uint32_t out_rate, struct decoder **ret)
{
	struct decoder *d = calloc(1, sizeof(*d));
	int rc = 0;

	if (!d) {
		cli_err("out of memory");
		return -ENOMEM;
	}
	d->codec = lookup(f);
	d->channels = f->channels && d->codec->kind != K_DVI4 ? f->channels : 1;
	if (d->codec->kind == K_PCMU || d->codec->kind == K_PCMA)
		g711_table(d->codec->kind == K_PCMA, d->table);
	d->how = (struct decode_open){ .codec = d->codec->helper, .channels = (uint8_t)d->channels, .flags = flags(f),
				       .rate = decoder_rate(f), .out_rate = out_rate };
	d->helped = d->codec->kind == K_HELPER || d->channels != 1 || d->how.rate != out_rate;
	if (d->helped)
		rc = helper_take(&d->how, &d->helper);
	if (rc) {
		free(d);
		return rc;
	}
	*ret = d;
	return 0;
}

void decoder_close(struct decoder *d)
{
	if (!d)
		return;
	helper_give(d->helper);
	free(d);
}

/* Samples of all channels in d->pcm, or -EBADMSG. */
static int decode(struct decoder *d, const uint8_t *p, size_t n)
{
	switch (d->codec->kind) {
	case K_PCMU:
	case K_PCMA:
		if (n > SAMPLES_MAX)
			return -EBADMSG;
		for (size_t i = 0; i < n; i++)
			d->pcm[i] = d->table[p[i]];
		return (int)(n - n % (unsigned)d->channels);
	case K_L16:
		if (n % (2 * (unsigned)d->channels) || n / 2 > SAMPLES_MAX)
			return -EBADMSG;
		for (size_t i = 0; i < n / 2; i++)
			d->pcm[i] = (int16_t)(p[2 * i] << 8 | p[2 * i + 1]);
		return (int)(n / 2);
	case K_DVI4:
		return dvi4_decode(p, n, d->pcm, SAMPLES_MAX);
	case K_HELPER:
		break;
	}
	return -EBADMSG;
}

static void died(struct decoder *d)
{
	helper_give(d->helper);
	d->helper = NULL;
	if (++deaths == DEATHS_MAX)
		cli_err("optag-decode ended %u times and is not started again: silence in place of what needs it", deaths);
}

static int ask(struct decoder *d, const void *p, size_t n, const int16_t **ret, unsigned *ret_native)
{
	int rc = 0;

	if (!d->helper && deaths >= DEATHS_MAX)
		return -EBADMSG;
	if (!d->helper)
		rc = helper_take(&d->how, &d->helper);
	if (rc)
		return rc == -EBADMSG ? -EIO : rc;
	rc = helper_feed(d->helper, p, n, ret, ret_native);
	if (rc == -EPIPE) {
		died(d);
		return -EBADMSG;
	}
	return rc;
}

int decoder_feed(struct decoder *d, const uint8_t *p, size_t n, const int16_t **ret,
		 unsigned *ret_native)
{
	int k;

	if (d->codec->kind == K_HELPER)
		return n > DECODE_BODY_MAX ? -EBADMSG : ask(d, p, n, ret, ret_native);
	k = decode(d, p, n);
	if (k > 0 && d->helped)
		return ask(d, d->pcm, (size_t)k * 2, ret, ret_native);
	if (k < 0)
		return k;
	*ret = d->pcm;
	*ret_native = (unsigned)k;
	return k;
}

int decoder_flush(struct decoder *d, const int16_t **ret)
{
	int n = d->helper ? helper_flush(d->helper, ret) : 0;

	if (n < 0)
		died(d);
	return n < 0 ? 0 : n;
}
