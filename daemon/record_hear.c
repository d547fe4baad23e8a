/* SPDX-License-Identifier: BSD-2-Clause */
/* record_hear.c - see record_hear.h */
#include "record_hear.h"

#include <stdlib.h>
#include <string.h>

#include "call/call.h"
#include "media/tones.h"
#include "record_call_internal.h"

struct ear { /* of one leg */
	struct tones tones;
	uint32_t ssrc;
};

/* Which of a recording's legs and what is at hand, for the detectors' callbacks. */
struct at_hand {
	struct recording *rc;
	unsigned leg;
	uint64_t now_ns;
};

unsigned hear_wanted(const struct recording *rc, const struct call *c, unsigned leg, bool keep)
{
	unsigned w = 0;

	if (rc->sounds && call_seeks_notice(c, leg))
		w |= HEAR_W_NOTICE;
	if (call_hears_tones(c, OPTAG_LEG_CALLER) || call_hears_tones(c, OPTAG_LEG_CALLEE))
		w |= HEAR_W_KEYS;
	if (keep && (c->rule->mute_dtmf || c->tight.mute))
		w |= HEAR_W_MUTE;
	return w;
}

/* ---- what was heard ---- */

/* Full: the oldest goes. The longest packet, 256 ms, has no room for so many. */
static void put(struct recording *rc, const struct hear_news *n)
{
	if (rc->nnews == HEAR_WAITING) {
		explicit_bzero(&rc->news[0], sizeof(rc->news[0]));
		memmove(rc->news, rc->news + 1, (HEAR_WAITING - 1) * sizeof(*rc->news));
		rc->nnews--;
	}
	rc->news[rc->nnews++] = *n;
}

enum hear_what hear_next(struct recording *rc, struct hear_news *ret)
{
	if (!rc->nnews)
		return HEAR_NOTHING;
	*ret = rc->news[0];
	rc->nnews--;
	memmove(rc->news, rc->news + 1, rc->nnews * sizeof(*rc->news));
	explicit_bzero(&rc->news[rc->nnews], sizeof(rc->news[0]));
	return ret->what;
}

bool hear_waiting(const struct recording *rc)
{
	return rc->nnews;
}

static void remember(struct leg_state *l, char key, uint64_t now_ns)
{
	l->last_key = key;
	l->last_key_ns = now_ns;
}

void hear_event_key(struct recording *rc, unsigned leg, char key, uint64_t now_ns)
{
	if (rc->leg[0].ear || rc->leg[1].ear)
		remember(&rc->leg[leg], key, now_ns);
}

static bool is_echo(const struct recording *rc, unsigned leg, char key, uint64_t now_ns)
{
	const struct leg_state *o = &rc->leg[!leg];

	return (o->ear && tones_key(&o->ear->tones) == key) || dtmf_key(&o->dtmf, now_ns) == key ||
	       (o->last_key == key && now_ns - o->last_key_ns <= HEAR_ECHO_NS);
}

static void on_press(void *arg, const struct tones_press *p)
{
	const struct at_hand *a = arg;
	struct hear_news n = { .what = p->up ? HEAR_KEY_UP : HEAR_KEY, .leg = a->leg, .key = p->key,
			       .begin_ns = a->now_ns - (uint64_t)(p->end - p->start) * 125000 };
	struct leg_state *l = &a->rc->leg[a->leg];

	if (p->up)
		remember(l, p->key, a->now_ns);
	else
		l->echo = is_echo(a->rc, a->leg, p->key, a->now_ns);
	if (!l->echo)
		put(a->rc, &n);
	explicit_bzero(&n, sizeof(n));
}

static void on_notice(void *arg, const struct fp_event *e)
{
	const struct at_hand *a = arg;

	put(a->rc, &(struct hear_news){ .what = HEAR_NOTICE, .leg = a->leg, .notice = *e });
}

/* ---- detectors ---- */

static void end_ear(struct leg_state *l)
{
	if (!l->ear)
		return;
	tones_wipe(&l->ear->tones);
	free(l->ear);
	l->ear = NULL;
	l->last_key = 0;
}

static void end_notice(struct recording *rc)
{
	if (!rc->fp)
		return;
	fp_wipe(rc->fp);
	free(rc->fp);
	rc->fp = NULL;
}

static void no_memory(struct recording *rc)
{
	recording_gap(rc, "memory");
}

static void hear_tones(struct recording *rc, unsigned leg, enum g711_law law, const struct rtp_pkt *p, uint64_t arrival_ns)
{
	struct at_hand a = { rc, leg, arrival_ns };
	struct tones_sink sink = { &a, on_press };
	struct leg_state *l = &rc->leg[leg];

	if (!l->ear)
		l->ear = calloc(1, sizeof(*l->ear));
	if (!l->ear) {
		no_memory(rc);
		return;
	}
	if (l->ear->ssrc != p->ssrc)
		tones_wipe(&l->ear->tones); /* a press that goes on there begins anew */
	l->ear->ssrc = p->ssrc;
	tones_packet(&l->ear->tones, law, p->ts, arrival_ns, p->payload, p->len, &sink);
}

static void hear_notice(struct recording *rc, unsigned leg, enum g711_law law, const struct rtp_pkt *p, uint64_t arrival_ns)
{
	struct at_hand a = { rc, leg, arrival_ns };

	if (!rc->fp)
		rc->fp = calloc(1, sizeof(*rc->fp));
	if (!rc->fp) {
		no_memory(rc);
		return;
	}
	rc->fp_leg = (uint8_t)leg;
	fp_packet(rc->fp, rc->sounds, law, p->ssrc, p->ts, arrival_ns, p->payload, p->len, &(struct fp_sink){ &a, on_notice });
}

void hear_packet(struct recording *rc, unsigned leg, unsigned wanted, int law, const struct rtp_pkt *p, uint64_t arrival_ns)
{
	struct leg_state *l = &rc->leg[leg];

	if (law < 0 || !(wanted & HEAR_W_KEYS))
		end_ear(l);
	else
		hear_tones(rc, leg, (enum g711_law)law, p, arrival_ns);
	if (law >= 0 && wanted & HEAR_W_NOTICE)
		hear_notice(rc, leg, (enum g711_law)law, p, arrival_ns);
}

void hear_soon(const struct recording *rc, unsigned leg)
{
	const char *ear = (const char *)rc->leg[leg].ear, *fp = rc->fp_leg == leg ? (const char *)rc->fp : NULL;

	for (size_t i = 0; ear && i < sizeof(struct ear); i += 64)
		__builtin_prefetch(ear + i, 1);
	for (size_t i = 0; fp && i < sizeof(struct fp); i += 64)
		__builtin_prefetch(fp + i, 1);
}

/* ---- time ---- */

void hear_idle(struct recording *rc, uint64_t now_ns)
{
	struct at_hand a = { rc, rc->fp_leg, now_ns };

	if (rc->fp)
		fp_idle(rc->fp, rc->sounds, now_ns, &(struct fp_sink){ &a, on_notice });
}

void hear_tick(struct recording *rc, const struct call *c, uint64_t now_ns)
{
	if (rc->fp && !call_seeks_notice(c, rc->fp_leg))
		end_notice(rc);
	hear_idle(rc, now_ns);
	for (unsigned leg = 0; leg < 2; leg++) {
		struct leg_state *l = &rc->leg[leg];
		struct at_hand a = { rc, leg, now_ns };

		if (l->last_key && now_ns - l->last_key_ns > HEAR_ECHO_NS)
			l->last_key = 0;
		if (!l->ear)
			continue;
		if (hear_wanted(rc, c, leg, true) & HEAR_W_KEYS)
			tones_idle(&l->ear->tones, now_ns, &(struct tones_sink){ &a, on_press });
		else
			end_ear(l);
	}
}

uint32_t hear_progress(const struct recording *rc)
{
	struct fp_event e;

	return rc->fp && fp_now(rc->fp, rc->sounds, &e) ? e.heard_ms : 0;
}

void hear_free(struct recording *rc)
{
	end_notice(rc);
	end_ear(&rc->leg[0]);
	end_ear(&rc->leg[1]);
	explicit_bzero(rc->news, sizeof(rc->news));
	rc->nnews = 0;
}
