/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * decode_av.c - payloads to samples by libavcodec, rates by libswresample
 *
 * One frame at a time where RTP packs several into a packet. All samples go
 * through libswresample when rate, channels or sample format differ from what
 * was asked for. Runs in the cage (decode_jail.c).
 */
#include "decode_av.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <libavcodec/avcodec.h>
#include <libavutil/channel_layout.h>
#include <libavutil/cpu.h>
#include <libavutil/log.h>
#include <libswresample/swresample.h>

#define FRAME_MAX 65536 /* samples of one frame, native: 1.3 s at 48 kHz */

static const struct codec {
	enum AVCodecID id;
	uint16_t frame; /* bytes of one frame, 0: the payload is one */
	uint16_t sid;	/* a shorter frame at the end that is comfort noise */
	uint8_t bits;	/* bits per code word (ADPCM) */
} codecs[DECODE_CODECS] = {
	[DECODE_PCM] = { AV_CODEC_ID_NONE, 0, 0, 0 },
	[DECODE_G722] = { AV_CODEC_ID_ADPCM_G722, 0, 0, 8 },
	[DECODE_GSM] = { AV_CODEC_ID_GSM, 33, 0, 0 },
	[DECODE_G729] = { AV_CODEC_ID_G729, 10, 2, 0 },
	[DECODE_G723] = { AV_CODEC_ID_G723_1, 0, 0, 0 },
	/* RFC 3551 4.5.4 packs code words from the low bits, AAL2 from the high ones */
	[DECODE_G726_16] = { AV_CODEC_ID_ADPCM_G726LE, 0, 0, 2 },
	[DECODE_G726_24] = { AV_CODEC_ID_ADPCM_G726LE, 0, 0, 3 },
	[DECODE_G726_32] = { AV_CODEC_ID_ADPCM_G726LE, 0, 0, 4 },
	[DECODE_G726_40] = { AV_CODEC_ID_ADPCM_G726LE, 0, 0, 5 },
	[DECODE_AAL2_16] = { AV_CODEC_ID_ADPCM_G726, 0, 0, 2 },
	[DECODE_AAL2_24] = { AV_CODEC_ID_ADPCM_G726, 0, 0, 3 },
	[DECODE_AAL2_32] = { AV_CODEC_ID_ADPCM_G726, 0, 0, 4 },
	[DECODE_AAL2_40] = { AV_CODEC_ID_ADPCM_G726, 0, 0, 5 },
	[DECODE_ILBC] = { AV_CODEC_ID_ILBC, 50, 0, 0 },
	[DECODE_SPEEX] = { AV_CODEC_ID_SPEEX, 0, 0, 0 },
	[DECODE_OPUS] = { AV_CODEC_ID_OPUS, 0, 0, 0 },
	[DECODE_AMR] = { AV_CODEC_ID_AMR_NB, 0, 0, 0 },
	[DECODE_AMR_WB] = { AV_CODEC_ID_AMR_WB, 0, 0, 0 },
};

struct decode_av {
	struct decode_open how;
	const struct codec *codec;
	uint16_t frame;
	AVCodecContext *av;
	AVPacket *pkt;
	AVFrame *got;
	SwrContext *swr;
	int swr_fmt, swr_rate, swr_channels; /* what swr was set up for */
	int16_t *out;
	size_t out_n, out_cap;
	uint32_t native;
};

uint32_t decode_av_codecs(void)
{
	uint32_t have = 1u << DECODE_PCM;

	av_log_set_level(AV_LOG_QUIET);
	(void)av_get_cpu_flags(); /* asked once, and kept: where it reads a file it still can */
	for (unsigned i = DECODE_PCM + 1; i < DECODE_CODECS; i++)
		if (avcodec_find_decoder(codecs[i].id))
			have |= 1u << i;
	return have;
}

static int open_av(struct decode_av *d)
{
	const AVCodec *codec = NULL;
	int channels = d->how.channels;

	if (d->codec->id == AV_CODEC_ID_OPUS)
		codec = avcodec_find_decoder_by_name("libopus"); /* the reference, if built in */
	if (!codec)
		codec = avcodec_find_decoder(d->codec->id);
	if (!codec)
		return -EPROTONOSUPPORT;
	d->av = avcodec_alloc_context3(codec);
	d->pkt = av_packet_alloc();
	d->got = av_frame_alloc();
	if (!d->av || !d->pkt || !d->got)
		return -ENOMEM;
	/* RFC 7587: opus may turn stereo at any time and is asked for as what the WAV holds: mono */
	if (d->codec->id == AV_CODEC_ID_OPUS)
		channels = 1;
	d->av->sample_rate = (int)d->how.rate;
	d->av->bits_per_coded_sample = d->codec->bits;
	av_channel_layout_default(&d->av->ch_layout, channels);
	if (d->codec->id == AV_CODEC_ID_ILBC) {
		d->frame = d->how.flags & DECODE_20MS ? 38 : 50;
		d->av->block_align = d->frame;
	}
	if (d->codec->id == AV_CODEC_ID_G729)
		d->av->block_align = 10;
	return avcodec_open2(d->av, codec, NULL) < 0 ? -EPROTONOSUPPORT : 0;
}

int decode_av_open(const struct decode_open *o, struct decode_av **ret)
{
	struct decode_av *d = calloc(1, sizeof(*d));
	int rc = 0;

	if (!d)
		return -ENOMEM;
	d->how = *o;
	d->codec = &codecs[o->codec];
	d->frame = d->codec->frame;
	if (d->codec->id != AV_CODEC_ID_NONE)
		rc = open_av(d);
	if (rc) {
		decode_av_close(d);
		return rc;
	}
	*ret = d;
	return 0;
}

void decode_av_close(struct decode_av *d)
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

static int room(struct decode_av *d, size_t n)
{
	size_t cap = d->out_n + n;
	int16_t *p;

	if (cap <= d->out_cap)
		return 0;
	if (cap > DECODE_SAMPLES_MAX)
		return -EBADMSG;
	p = realloc(d->out, cap * sizeof(*p));
	if (!p)
		return -ENOMEM;
	d->out = p;
	d->out_cap = cap;
	return 0;
}

static int drain_swr(struct decode_av *d, const uint8_t **in, int n)
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
static int setup_swr(struct decode_av *d, int fmt, int rate, int channels)
{
	AVChannelLayout in = { 0 }, mono = AV_CHANNEL_LAYOUT_MONO;
	int rc;

	if (d->swr && d->swr_fmt == fmt && d->swr_rate == rate && d->swr_channels == channels)
		return 0;
	swr_free(&d->swr);
	av_channel_layout_default(&in, channels);
	rc = swr_alloc_set_opts2(&d->swr, &mono, AV_SAMPLE_FMT_S16, (int)d->how.out_rate, &in, (enum AVSampleFormat)fmt, rate, 0,
				 NULL);
	if (rc < 0 || swr_init(d->swr) < 0) {
		swr_free(&d->swr);
		return -EPROTONOSUPPORT;
	}
	d->swr_fmt = fmt;
	d->swr_rate = rate;
	d->swr_channels = channels;
	return 0;
}

static int emit(struct decode_av *d, const uint8_t *const *data, int n, int fmt, int rate, int channels)
{
	const uint8_t *in[2] = { data[0], NULL };
	int rc;

	d->native += (uint32_t)((uint64_t)n * d->how.rate / (unsigned)rate);
	if (fmt == AV_SAMPLE_FMT_S16 && channels == 1 && (uint32_t)rate == d->how.out_rate) {
		rc = room(d, (size_t)n);
		if (rc)
			return rc;
		memcpy(d->out + d->out_n, data[0], (size_t)n * 2);
		d->out_n += (size_t)n;
		return 0;
	}
	if (channels == 2 && av_sample_fmt_is_planar((enum AVSampleFormat)fmt))
		in[1] = data[1];
	rc = setup_swr(d, fmt, rate, channels);
	return rc ? rc : drain_swr(d, in, n);
}

/* ---- input ---- */

static int av_frame(void *arg, const uint8_t *p, size_t n)
{
	struct decode_av *d = arg;
	int rc, frames = 0;

	av_packet_unref(d->pkt);
	if (av_new_packet(d->pkt, (int)n) < 0) /* zeroed padding behind it: decoders read on */
		return -ENOMEM;
	memcpy(d->pkt->data, p, n);
	if (avcodec_send_packet(d->av, d->pkt) < 0)
		return -EBADMSG;
	while ((rc = avcodec_receive_frame(d->av, d->got)) == 0) {
		const AVFrame *g = d->got;
		int ch = g->ch_layout.nb_channels, rate = g->sample_rate > 0 ? g->sample_rate : (int)d->how.rate;

		if (ch < 1 || ch > 2 || g->nb_samples > FRAME_MAX)
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
	struct decode_av *d = arg;
	unsigned type = p[0] >> 3 & 15, sid = d->codec->id == AV_CODEC_ID_AMR_WB ? 9 : 8;

	return type >= sid ? 0 : av_frame(d, p, n);
}

/* Frames of d->frame bytes; a G.729 packet may end with a comfort noise frame. */
static int av_frames(struct decode_av *d, const uint8_t *p, size_t n)
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

static int g723_frames(struct decode_av *d, const uint8_t *p, size_t n)
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

static int pcm(struct decode_av *d, const uint8_t *p, size_t n)
{
	const uint8_t *data[2] = { p, NULL };
	size_t frame = 2 * (size_t)d->how.channels;

	if (n % frame)
		return -EBADMSG;
	return emit(d, data, (int)(n / frame), AV_SAMPLE_FMT_S16, (int)d->how.rate, d->how.channels);
}

static int feed(struct decode_av *d, const uint8_t *p, size_t n)
{
	switch (d->how.codec) {
	case DECODE_PCM:
		return pcm(d, p, n);
	case DECODE_AMR:
	case DECODE_AMR_WB:
		return decode_amr(p, n, d->how.codec == DECODE_AMR_WB, d->how.flags, amr_frame, d);
	case DECODE_G723:
		return g723_frames(d, p, n);
	default:
		return av_frames(d, p, n);
	}
}

int decode_av_feed(struct decode_av *d, const uint8_t *p, size_t n, const int16_t **ret, uint32_t *ret_native)
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

int decode_av_flush(struct decode_av *d, const int16_t **ret)
{
	d->out_n = 0;
	if (d->swr && drain_swr(d, NULL, 0) != 0)
		d->out_n = 0;
	swr_free(&d->swr); /* the next run starts without what this one left in the filter */
	*ret = d->out;
	return (int)d->out_n;
}
