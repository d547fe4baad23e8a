/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * record_quiet.c - since when a voice is silent that should not be (guidance 7, X-4), see record_call.h
 *
 * Between two packets of one stream sequence numbers tell what is missing (note_hole). They tell nothing behind the last packet, nor
 * between two streams: there only time does. A sender that is silent on purpose says so: by comfort noise (RFC 3389), by
 * the frame with which its codec begins a silence, or by numbers that go on over a jump of the clock with the marker set (RFC 3551 4.1).
 * One thread.
 */
#include <string.h>

#include "record_call_internal.h"

#define SID_MAX 8 /* bytes: no frame of speech is as short, of the codecs that have another one for silence */

/* Whose bytes are samples: they have no frame that says silence. */
static bool is_samples(const struct media_format *f)
{
	static const char *const name[] = { "PCMU", "PCMA", "G722", "L16", "L8", "GSM" };

	for (size_t i = 0; i < sizeof(name) / sizeof(*name); i++)
		if (strcmp(f->name, name[i]) == 0)
			return true;
	return strncmp(f->name, "G726", 4) == 0;
}

bool recording_can_pause(const struct media_format *f)
{
	return !is_samples(f) && strcmp(f->name, "telephone-event") != 0;
}

/* This packet announces that none may follow for a while. */
static bool announces_silence(const struct media_format *f, const struct rtp_pkt *p)
{
	if (is_samples(f))
		return false;
	/* G.729 Annex B: frames of 10 bytes, and two of silence behind them */
	return strcmp(f->name, "CN") == 0 || p->len <= SID_MAX || (strcmp(f->name, "G729") == 0 && p->len % 10 == 2);
}

static const struct rtp_stream *latest(const struct rtp_leg *l)
{
	const struct rtp_stream *s = l->n ? l->stream[0] : NULL;

	for (unsigned i = 1; i < l->n; i++)
		if (l->stream[i]->last_ns > s->last_ns)
			s = l->stream[i];
	return s;
}

static uint64_t later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* Nobody was heard at all, neither here nor before: not 0 then. */
static uint64_t heard_ns(const struct leg_state *l)
{
	const struct rtp_stream *s = latest(&l->rtp);

	return later(s ? s->last_ns : 0, l->below_ns);
}

static uint32_t silence_ms(const struct leg_state *l, uint64_t from, uint64_t until)
{
	uint64_t packet = (uint64_t)(l->packet_us ? l->packet_us : 20000) * 1000;

	/* the next packet was not due before */
	return until > from + packet ? (uint32_t)((until - from - packet) / 1000000) : 0;
}

uint32_t recording_listen(struct recording *rc, const struct call *c, unsigned leg, const struct rtp_pkt *p, const struct media_format *f,
			  enum call_payload kind, uint64_t arrival_ns)
{
	struct leg_state *l = &rc->leg[leg];
	const struct rtp_stream *s = latest(&l->rtp);
	bool audio = kind == CALL_PT_AUDIO, same = s && s->ssrc == p->ssrc;
	uint64_t until = l->below_ns > (s ? s->last_ns : 0) ? l->looked_ns : arrival_ns; /* of what stays below looks alone tell */
	int ahead = same ? (int16_t)(uint16_t)(p->seq - (uint16_t)s->run.max) : 0;
	uint32_t ms = 0;

	/* another stream, or another beginning of this one: no number says what was between */
	if ((!same || ahead >= RTP_DROPOUT || ahead <= -RTP_MISORDER) && (s || l->below_ns || c->voice_heard[leg]) && !l->silent && call_voice_due(c))
		ms = silence_ms(l, later(heard_ns(l), call_voice_from(c)), until);
	if (audio && same && ahead == 1 && p->marker && l->was_audio && f->clock && p->ts - s->run.max_ts > f->clock / 4 &&
	    p->ts - s->run.max_ts < INT32_MAX)
		l->pauses = true;
	if (ahead >= 0 || !same) { /* a late one says nothing of now */
		l->was_audio = audio;
		l->silent = l->pauses || (audio && announces_silence(f, p));
	}
	return ms;
}

void recording_below(struct recording *rc, unsigned leg, uint64_t packets, bool can_pause, uint64_t now_ns)
{
	struct leg_state *l = &rc->leg[leg];

	l->looked_ns = now_ns;
	if (l->below == packets)
		return;
	l->below = packets;
	l->below_ns = now_ns;
	l->silent = can_pause || l->pauses;
}

void recording_below_anew(struct recording *rc, unsigned leg)
{
	rc->leg[leg].below = UINT64_MAX;
}

uint32_t recording_quiet_ms(const struct recording *rc, const struct call *c, unsigned leg, uint64_t until_ns)
{
	const struct leg_state *l = &rc->leg[leg];
	uint64_t heard = heard_ns(l);

	if (l->silent || (!heard && !c->voice_heard[leg]))
		return 0;
	if (!until_ns) /* when it was over nobody said: while the other one was heard it was not */
		until_ns = heard_ns(&rc->leg[!leg]);
	return silence_ms(l, later(heard, call_voice_from(c)), until_ns);
}

bool recording_heard(const struct recording *rc, unsigned leg)
{
	return heard_ns(&rc->leg[leg]);
}
