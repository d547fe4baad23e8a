/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * export_decode.c - RTP payloads to samples
 *
 * G.711, L16 and DVI4 are decoded here, the rest by libavcodec, one frame at a
 * time where RTP packs several into a packet. All go through libswresample when
 * rate, channels or sample format differ from the WAV's.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <libavcodec/avcodec.h>
#include <libavutil/channel_layout.h>
#include <libavutil/log.h>
#include <libswresample/swresample.h>

#include "export.h"

#define SAMPLES_MAX 65536 /* of one payload, native: 1.3 s at 48 kHz */

enum kind { K_PCMU, K_PCMA, K_L16, K_DVI4, K_AV, K_AMR, K_G723 };

struct codec {
	const char *name;
	enum kind kind;
	enum AVCodecID id;
	uint32_t rate;	     /* real rate; 0: the RTP clock */
	uint16_t frame;	     /* bytes of one frame, 0: the payload is one */
	uint16_t sid;	     /* a shorter frame at the end that is comfort noise */
	uint8_t bits;	     /* bits per code word (ADPCM) */
};

static const struct codec codecs[] = {
	{ "PCMU", K_PCMU, AV_CODEC_ID_NONE, 0, 0, 0, 0 },
	{ "PCMA", K_PCMA, AV_CODEC_ID_NONE, 0, 0, 0, 0 },
	{ "L16", K_L16, AV_CODEC_ID_NONE, 0, 0, 0, 0 },
	{ "DVI4", K_DVI4, AV_CODEC_ID_NONE, 0, 0, 0, 0 },
	{ "G722", K_AV, AV_CODEC_ID_ADPCM_G722, 16000, 0, 0, 8 },
	{ "GSM", K_AV, AV_CODEC_ID_GSM, 8000, 33, 0, 0 },
	{ "G729", K_AV, AV_CODEC_ID_G729, 8000, 10, 2, 0 },
	{ "G723", K_G723, AV_CODEC_ID_G723_1, 8000, 0, 0, 0 },
	/* RFC 3551 4.5.4 packs code words from the low bits, AAL2 from the high ones */
	{ "G726-16", K_AV, AV_CODEC_ID_ADPCM_G726LE, 8000, 0, 0, 2 },
	{ "G726-24", K_AV, AV_CODEC_ID_ADPCM_G726LE, 8000, 0, 0, 3 },
	{ "G726-32", K_AV, AV_CODEC_ID_ADPCM_G726LE, 8000, 0, 0, 4 },
	{ "G721", K_AV, AV_CODEC_ID_ADPCM_G726LE, 8000, 0, 0, 4 },
	{ "G726-40", K_AV, AV_CODEC_ID_ADPCM_G726LE, 8000, 0, 0, 5 },
	{ "AAL2-G726-16", K_AV, AV_CODEC_ID_ADPCM_G726, 8000, 0, 0, 2 },
	{ "AAL2-G726-24", K_AV, AV_CODEC_ID_ADPCM_G726, 8000, 0, 0, 3 },
	{ "AAL2-G726-32", K_AV, AV_CODEC_ID_ADPCM_G726, 8000, 0, 0, 4 },
	{ "AAL2-G726-40", K_AV, AV_CODEC_ID_ADPCM_G726, 8000, 0, 0, 5 },
	{ "iLBC", K_AV, AV_CODEC_ID_ILBC, 8000, 50, 0, 0 },
	{ "speex", K_AV, AV_CODEC_ID_SPEEX, 0, 0, 0, 0 },
	{ "opus", K_AV, AV_CODEC_ID_OPUS, 48000, 0, 0, 0 },
	{ "AMR", K_AMR, AV_CODEC_ID_AMR_NB, 8000, 0, 0, 0 },
	{ "AMR-WB", K_AMR, AV_CODEC_ID_AMR_WB, 16000, 0, 0, 0 },
};

struct decoder {
	const struct codec *codec;
	uint32_t in_rate, out_rate;
	int channels;
	uint16_t frame;
	bool octet_align, crc;
	int16_t table[256];
	AVCodecContext *av;
	AVPacket *pkt;
	AVFrame *got;
	SwrContext *swr;
	int swr_fmt, swr_rate, swr_channels; /* what swr was set up for */
	int16_t *out;
	size_t out_n, out_cap;
	unsigned native;
	int16_t pcm[SAMPLES_MAX];
};

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

bool decoder_known(const struct media_format *f)
{
	const struct codec *c = lookup(f);
	uint32_t rate = decoder_rate(f);

	if (!c || !f->clock || rate < 1000 || rate > 192000 || f->channels > 2)
		return false;
	if (c->kind == K_AMR && (fmtp_has(f, "interleaving") || fmtp_is(f, "robust-sorting", "1") ||
				 f->channels > 1))
		return false;
	return c->id == AV_CODEC_ID_NONE || avcodec_find_decoder(c->id) != NULL;
}

static int open_av(struct decoder *d, const struct media_format *f)
{
	const AVCodec *codec = NULL;

	av_log_set_level(AV_LOG_QUIET);
	if (d->codec->id == AV_CODEC_ID_OPUS)
		codec = avcodec_find_decoder_by_name("libopus"); /* the reference, if built in */
	if (!codec)
		codec = avcodec_find_decoder(d->codec->id);
	d->av = codec ? avcodec_alloc_context3(codec) : NULL;
	d->pkt = av_packet_alloc();
	d->got = av_frame_alloc();
	if (!d->av || !d->pkt || !d->got)
		return -ENOMEM;
	/* RFC 7587: opus may turn stereo at any time and is asked for as what the WAV holds: mono */
	d->channels = d->codec->id == AV_CODEC_ID_OPUS ? 1 : f->channels ? f->channels : 1;
	d->av->sample_rate = (int)d->in_rate;
	d->av->bits_per_coded_sample = d->codec->bits;
	av_channel_layout_default(&d->av->ch_layout, d->channels);
	if (d->codec->id == AV_CODEC_ID_ILBC) {
		d->frame = fmtp_is(f, "mode", "20") ? 38 : 50;
		d->av->block_align = d->frame;
	}
	if (d->codec->id == AV_CODEC_ID_G729)
		d->av->block_align = 10;
	return avcodec_open2(d->av, codec, NULL) < 0 ? -EPROTONOSUPPORT : 0;
}

int decoder_open(const struct media_format *f, uint32_t out_rate, struct decoder **ret)
{
	struct decoder *d = calloc(1, sizeof(*d));
	int rc = 0;

	if (!d)
		return -ENOMEM;
	d->codec = lookup(f);
	d->in_rate = decoder_rate(f);
	d->out_rate = out_rate;
	d->channels = f->channels ? f->channels : 1;
	d->frame = d->codec->frame;
	d->crc = fmtp_is(f, "crc", "1");
	d->octet_align = fmtp_is(f, "octet-align", "1") || d->crc;
	if (d->codec->kind == K_PCMU || d->codec->kind == K_PCMA)
		g711_table(d->codec->kind == K_PCMA, d->table);
	if (d->codec->id != AV_CODEC_ID_NONE)
		rc = open_av(d, f);
	if (rc) {
		decoder_close(d);
		return rc;
	}
	*ret = d;
	return 0;
}

void decoder_close(struct decoder *d)
{
	if (!d)
		return;
	avcodec_free_context(&d->av);
	av_packet_free(&d->pkt);
	av_frame_free(&d->got);
	swr_free(&d->swr);
	free(d->out);
	free(d);
}

/* ---- output ---- */

static int room(struct decoder *d, size_t n)
{
	size_t cap = d->out_n + n;
	int16_t *p;

	if (cap <= d->out_cap)
		return 0;
	p = realloc(d->out, cap * sizeof(*p));
	if (!p)
		return -ENOMEM;
	d->out = p;
	d->out_cap = cap;
	return 0;
}

static int drain_swr(struct decoder *d, const uint8_t **in, int n)
{
	int max = swr_get_out_samples(d->swr, n), got;
	uint8_t *out;

	if (max < 0 || room(d, (size_t)max + 64) != 0)
		return -ENOMEM;
	out = (uint8_t *)(d->out + d->out_n);
	got = swr_convert(d->swr, &out, max + 64, in, n);
	if (got < 0)
		return -EBADMSG;
	d->out_n += (size_t)got;
	return 0;
}

/* A decoder may change its output in mid-stream: the resampler is then set up anew. */
static int setup_swr(struct decoder *d, int fmt, int rate, int channels)
{
	AVChannelLayout in = { 0 }, mono = AV_CHANNEL_LAYOUT_MONO;
	int rc;

	if (d->swr && d->swr_fmt == fmt && d->swr_rate == rate && d->swr_channels == channels)
		return 0;
	swr_free(&d->swr);
	av_channel_layout_default(&in, channels);
	rc = swr_alloc_set_opts2(&d->swr, &mono, AV_SAMPLE_FMT_S16, (int)d->out_rate, &in,
				 (enum AVSampleFormat)fmt, rate, 0, NULL);
	if (rc < 0 || swr_init(d->swr) < 0) {
		swr_free(&d->swr);
		return -EPROTONOSUPPORT;
	}
	d->swr_fmt = fmt;
	d->swr_rate = rate;
	d->swr_channels = channels;
	return 0;
}

static int emit(struct decoder *d, const uint8_t *const *data, int n, int fmt, int rate, int channels)
{
	const uint8_t *in[2] = { data[0], NULL };
	int rc;

	d->native += (unsigned)((uint64_t)n * d->in_rate / (unsigned)rate);
	if (fmt == AV_SAMPLE_FMT_S16 && channels == 1 && (uint32_t)rate == d->out_rate) {
		if (room(d, (size_t)n) != 0)
			return -ENOMEM;
		memcpy(d->out + d->out_n, data[0], (size_t)n * 2);
		d->out_n += (size_t)n;
		return 0;
	}
	if (channels == 2 && av_sample_fmt_is_planar((enum AVSampleFormat)fmt))
		in[1] = data[1];
	rc = setup_swr(d, fmt, rate, channels);
	return rc ? rc : drain_swr(d, in, n);
}

static int emit_pcm(struct decoder *d, int frames, int channels)
{
	const uint8_t *data[2] = { (const uint8_t *)d->pcm, NULL };

	return emit(d, data, frames, AV_SAMPLE_FMT_S16, (int)d->in_rate, channels);
}

/* ---- input ---- */

static int av_frame(void *arg, const uint8_t *p, size_t n)
{
	struct decoder *d = arg;
	int rc, frames = 0;

	av_packet_unref(d->pkt);
	if (av_new_packet(d->pkt, (int)n) < 0) /* zeroed padding behind it: decoders read on */
		return -ENOMEM;
	memcpy(d->pkt->data, p, n);
	if (avcodec_send_packet(d->av, d->pkt) < 0)
		return -EBADMSG;
	while ((rc = avcodec_receive_frame(d->av, d->got)) == 0) {
		const AVFrame *g = d->got;
		int ch = g->ch_layout.nb_channels, rate = g->sample_rate > 0 ? g->sample_rate : (int)d->in_rate;

		if (ch < 1 || ch > 2 || g->nb_samples > SAMPLES_MAX)
			return -EBADMSG;
		rc = emit(d, (const uint8_t *const *)g->extended_data, g->nb_samples, g->format, rate, ch);
		if (rc)
			return rc;
		frames++;
	}
	return rc == AVERROR(EAGAIN) && frames ? 0 : -EBADMSG;
}

/* Comfort noise (SID) and "no data" frames are silence here: libavcodec refuses the former. */
static int amr_frame(void *arg, const uint8_t *p, size_t n)
{
	struct decoder *d = arg;
	unsigned type = p[0] >> 3 & 15, sid = d->codec->id == AV_CODEC_ID_AMR_WB ? 9 : 8;

	return type >= sid ? 0 : av_frame(d, p, n);
}

/* Frames of d->frame bytes; a G.729 packet may end with a comfort noise frame. */
static int av_frames(struct decoder *d, const uint8_t *p, size_t n)
{
	int rc = 0;

	if (!d->frame)
		return av_frame(d, p, n);
	/* iLBC: what was negotiated is not always what is sent */
	if (d->codec->id == AV_CODEC_ID_ILBC && n % d->frame)
		return -EBADMSG;
	for (; n >= d->frame && !rc; p += d->frame, n -= d->frame)
		rc = av_frame(d, p, d->frame);
	return rc || !n || n == d->codec->sid ? rc : -EBADMSG;
}

static int g723_frames(struct decoder *d, const uint8_t *p, size_t n)
{
	static const uint8_t size[4] = { 24, 20, 4, 1 };
	int rc = 0;

	while (n && !rc) {
		size_t k = size[p[0] & 3];

		if (k > n)
			return -EBADMSG;
		rc = av_frame(d, p, k);
		p += k;
		n -= k;
	}
	return rc;
}

static int feed(struct decoder *d, const uint8_t *p, size_t n)
{
	int k;

	switch (d->codec->kind) {
	case K_PCMU:
	case K_PCMA:
		if (n > SAMPLES_MAX)
			return -EBADMSG;
		for (size_t i = 0; i < n; i++)
			d->pcm[i] = d->table[p[i]];
		return emit_pcm(d, (int)(n / (unsigned)d->channels), d->channels);
	case K_L16:
		if (n % (2 * (unsigned)d->channels) || n / 2 > SAMPLES_MAX)
			return -EBADMSG;
		for (size_t i = 0; i < n / 2; i++)
			d->pcm[i] = (int16_t)(p[2 * i] << 8 | p[2 * i + 1]);
		return emit_pcm(d, (int)(n / 2 / (unsigned)d->channels), d->channels);
	case K_DVI4:
		k = dvi4_decode(p, n, d->pcm, SAMPLES_MAX);
		return k < 0 ? k : emit_pcm(d, k, 1);
	case K_AMR:
		return amr_unpack(p, n, d->codec->id == AV_CODEC_ID_AMR_WB, d->octet_align, d->crc,
				  amr_frame, d);
	case K_G723:
		return g723_frames(d, p, n);
	case K_AV:
		break;
	}
	return av_frames(d, p, n);
}

int decoder_feed(struct decoder *d, const uint8_t *p, size_t n, const int16_t **ret,
		 unsigned *ret_native)
{
	int rc;

	d->out_n = 0;
	d->native = 0;
	rc = feed(d, p, n);
	if (rc)
		return rc;
	*ret = d->out;
	*ret_native = d->native;
	return (int)d->out_n;
}

int decoder_flush(struct decoder *d, const int16_t **ret)
{
	d->out_n = 0;
	if (d->swr && drain_swr(d, NULL, 0) != 0)
		d->out_n = 0;
	swr_free(&d->swr); /* the next run starts without what this one left in the filter */
	*ret = d->out;
	return (int)d->out_n;
}
