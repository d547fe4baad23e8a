/* SPDX-License-Identifier: BSD-2-Clause */
/* record_call.c - one call being recorded, see record_call.h */
#include "record_call.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "record_call_internal.h"
#include "spans.h"

#define RETRY_NS NS_PER_S /* of a call that could not begin because the store was broken */

/* Counted from the earlier of two times, should the machine's clock have been set: nothing is kept longer by mistake. */
static int deadlines(struct recording *rc, const struct call *c)
{
	const struct policy_rule *r = c->rule;
	const char *zone = r->controller->timezone;
	uint64_t from = clock_earlier_ns(c->start_ns);
	int p, e;

	for (p = 0; p < POLICY_PURPOSES; p++) {
		if (r->purpose[p].basis == POLICY_B_NONE)
			continue;
		e = span_end(r->purpose[p].retention, zone, from, &rc->meta.until_ns[p]);
		if (e)
			return e;
	}
	if (!rc->meta.until_ns[POLICY_TRAINING] || !r->purpose[POLICY_TRAINING].use_within.n)
		return 0;
	return span_end(r->purpose[POLICY_TRAINING].use_within, zone, from, &rc->meta.training_use_by);
}

static int chunk_out(void *arg, const struct chunk *k)
{
	struct leg_state *l = arg;

	if (l->rc->no_audio)
		return 0;
	if (!l->rc->sc) { /* not decided yet */
		if (hold_add(&l->rc->hold, (unsigned)(l - l->rc->leg), k, l->rc->memory))
			recording_gap(l->rc, "memory");
		return 0;
	}
	return store_call_append(l->rc->sc, (unsigned)(l - l->rc->leg), k);
}

static int write_held(void *arg, unsigned leg, const struct chunk *k)
{
	struct recording *rc = arg;

	return store_call_append(rc->sc, leg, k);
}

void recording_init(struct recording *rc, struct store *st, const struct call *c)
{
	rc->st = st;
	rc->leg[0].rc = rc->leg[1].rc = rc;
	rc->meta = (struct store_call_meta){
		.uid = c->uid,
		.start_ns = c->start_ns,
		.controller = c->rule->controller->name,
		.zone = c->rule->controller->timezone,
		.rule = c->rule->name,
		.policy_hash = policy_hash(c->policy),
		.scenario = c->rule->scenario,
		.sip_call_id = c->call_id,
		.caller = c->calling,
		.callee = c->called,
		.agent = c->agent[0] ? c->agent : NULL,
	};
	/* One capture's broken clock is no reason to stop recording everybody else. */
	rc->undated = deadlines(rc, c) || rc->meta.until_ns[0] > INT64_MAX || rc->meta.until_ns[1] > INT64_MAX ||
		      rc->meta.training_use_by > INT64_MAX;
}

void recording_moved(struct recording *rc, const struct call *c)
{
	rc->meta.sip_call_id = c->call_id;
	rc->meta.caller = c->calling;
	rc->meta.callee = c->called;
	rc->meta.agent = c->agent[0] ? c->agent : NULL;
}

int recording_new(struct store *st, const struct call *c, struct recording **ret)
{
	struct recording *rc = line_alloc(sizeof(*rc));
	int e;

	if (!rc)
		return -ENOMEM;
	recording_init(rc, st, c);
	e = rc->undated ? 0 : store_call_known(st, &c->uid, rc->meta.controller);
	if (e < 0)
		goto out;
	rc->known = e == 1;
	*ret = rc;
	return 0;
out:
	free(rc);
	return e;
}

void recording_limit(struct recording *rc, struct chunker_memory *m, uint32_t leg_bytes)
{
	rc->memory = m;
	rc->leg_bytes = leg_bytes;
}

void recording_no_audio(struct recording *rc)
{
	rc->no_audio = true;
}

bool recording_known(const struct recording *rc)
{
	return rc->known || rc->undated;
}

void recording_gap(struct recording *rc, const char *why)
{
	if (!rc->gap)
		rc->gap = why;
}

void recording_blocked(struct recording *rc, unsigned leg, uint64_t packets)
{
	rc->leg[leg].blocked += packets;
}

/* Microseconds of sound in one payload; 0 when the format does not say (then timestamps do). */
static uint64_t payload_us(const struct leg_state *l, const struct media_format *f, size_t len)
{
	if (f == &l->now.f && l->now.law >= 0)
		return len * 125;
	if (strcmp(f->name, "PCMU") == 0 || strcmp(f->name, "PCMA") == 0 || strcmp(f->name, "G722") == 0)
		return len * 125;
	if (strcmp(f->name, "GSM") == 0)
		return len / 33 * 20000;
	if (strcmp(f->name, "G729") == 0)
		return len / 10 * 10000;
	return 0;
}

/* Its place among the leg's formats; FORMATS_MAX: there are too many. */
static unsigned slot_of(struct leg_state *l, const struct media_format *f)
{
	unsigned i;

	for (i = 0; i < l->nfmt; i++)
		if (l->fmt[i].pt == f->pt && strcmp(l->fmt[i].name, f->name) == 0)
			return i;
	if (l->nfmt == FORMATS_MAX)
		return FORMATS_MAX;
	l->fmt[l->nfmt] = *f;
	l->fmt_packets[l->nfmt] = 0;
	return l->nfmt++;
}

static void count_format(struct leg_state *l, const struct media_format *f)
{
	unsigned i = FORMATS_MAX;

	if (f != &l->now.f)
		i = slot_of(l, f);
	else if (l->now.slot < FORMATS_MAX)
		i = l->now.slot;
	else
		l->now.slot = (uint8_t)(i = slot_of(l, f));
	if (i < FORMATS_MAX)
		l->fmt_packets[i]++;
}

static void count_audio(struct leg_state *l, const struct media_format *f, const struct rtp_pkt *p)
{
	uint64_t us = payload_us(l, f, p->len);

	if (!us && f->clock) {
		/* By timestamps: the distance to the packet before, when that is a packet's worth. */
		uint32_t d = p->ts - l->last_ts;

		us = l->any && l->last_ssrc == p->ssrc && d > 0 && d <= f->clock / 5 ?
			     (uint64_t)d * 1000000 / f->clock :
			     20000;
	}
	l->audio_us += us;
	l->packets++;
	l->last_ts = p->ts;
	l->last_ssrc = p->ssrc;
	l->any = true;
	count_format(l, f);
}

/* When the writer dies, the call's row says this. */
static void now_of(struct recording *rc, const struct call *c, struct store_call_now *ret)
{
	const struct policy_rule *r = c->rule;

	*ret = (struct store_call_now){ .answer_ns = c->answered ? c->answer_ns : 0 };
	if (r->min_length.n && (!c->answered || span_end(r->min_length, r->controller->timezone, c->answer_ns, &ret->keep_ns)))
		ret->keep_ns = c->answered ? 0 : UINT64_MAX;
	for (int p = 0; p < POLICY_PURPOSES; p++) {
		ret->state[p] = (enum store_state)c->state[p];
		ret->reason[p] = c->reason[p];
		rc->noted.state[p] = c->state[p];
	}
	rc->noted.answered = c->answered;
}

void recording_note(struct recording *rc, const struct call *c)
{
	struct store_call_now now;

	if (!rc->sc || (rc->noted.answered == c->answered && rc->noted.state[0] == c->state[0] &&
			rc->noted.state[1] == c->state[1]))
		return;
	now_of(rc, c, &now);
	store_call_note(rc->sc, &now);
}

int recording_grounds(struct recording *rc, enum policy_purpose p, const char *text)
{
	return rc->sc ? store_call_grounds(rc->sc, (enum store_purpose)p, text) : -ENODATA;
}

int recording_tick(struct recording *rc, const struct call *c, uint64_t now_ns)
{
	int e, err = 0;

	recording_note(rc, c);
	hear_tick(rc, c, now_ns);
	for (int i = 0; i < 2; i++) {
		e = rc->leg[i].chunker ? chunker_tick(rc->leg[i].chunker, now_ns) : 0;
		err = err ? err : e;
	}
	return err;
}

/* The first audio, which arrived at first_ns: now the call takes keys and a place on disk. */
static int begin(struct recording *rc, const struct call *c, uint64_t first_ns)
{
	unsigned set = recording_purposes(c, first_ns);
	struct buf facts = { 0 };
	int p, e;

	now_of(rc, c, &rc->meta.now);

	for (p = 0; p < POLICY_PURPOSES; p++) {
		rc->meta.covers[p] = set >> p & 1;
		/* training is committed at hang-up (guidance 6): a crash before must leave nothing */
		rc->meta.commit[p] = rc->meta.covers[p] && p == POLICY_DOCUMENTATION && !c->rule->purpose[p].commit_at_end;
	}
	/* what the policy was asked, for who wants to know later what another would have answered
	 */
	call_facts_save(c->facts, &facts);
	rc->meta.facts = facts.failed ? NULL : facts.p;
	rc->meta.facts_len = facts.len;
	e = store_call_begin(rc->st, &rc->meta, &rc->sc);
	rc->meta.facts = NULL;
	rc->meta.facts_len = 0;
	if (facts.p)
		explicit_bzero(facts.p, facts.cap);
	buf_free(&facts);
	return e;
}

/* By its name: 13 is CN unless a description says otherwise, and what is not noise is muted. */
static bool is_noise(const struct media_format *f)
{
	return strcmp(f->name, "CN") == 0;
}

/* All audio so far goes, what no chunk holds yet included. */
static void discard(struct recording *rc)
{
	int i;

	if (rc->sc)
		store_call_abort(rc->sc);
	rc->part_for[0] = rc->part_for[1] = 0;
	rc->sc = NULL;
	hold_wipe(&rc->hold, rc->memory);
	rc->first_ns = 0;
	for (i = 0; i < 2; i++) {
		struct leg_state *l = &rc->leg[i];

		chunker_free(l->chunker);
		l->chunker = NULL;
		l->muted = 0;
		l->nfmt = 0;
		l->now.slot = FORMATS_MAX;
		l->packets = l->noise = 0;
		l->audio_us = 0;
		l->any = false;
	}
}

/* The first packet since the call is ours: what came in between was in the memory of who died. */
static void first_of_ours(struct recording *rc, struct leg_state *l, uint32_t ssrc, int64_t seq)
{
	if (ssrc == l->expect_ssrc && seq > l->expect)
		recording_gap(rc, "restart");
	l->resumed = false;
}

/* One call's want of memory is no reason to stop recording the others. */
static int no_memory(struct recording *rc, enum media_fate *ret_fate)
{
	recording_gap(rc, "memory");
	*ret_fate = MEDIA_NO_MEMORY;
	return 0;
}

static int flush_legs(struct recording *rc)
{
	int err = 0;

	for (int i = 0; i < 2; i++) {
		int e = rc->leg[i].chunker ? chunker_flush(rc->leg[i].chunker) : 0;

		err = err ? err : e;
	}
	return err;
}

/* Writing is allowed: takes a key and a place on disk unless it has one, and what was held goes there. What
 * cannot be written now is told by rc->sc. */
static int start_writing(struct recording *rc, const struct call *c, uint64_t now_ns, uint64_t first_ns)
{
	int e;

	if (!rc->sc && now_ns >= rc->retry_ns) {
		/* what is held was not for all of those who may have what comes now */
		if (rc->first_ns && recording_purposes(c, rc->first_ns) != recording_purposes(c, now_ns))
			(void)flush_legs(rc); /* into what is held; a press may go on */
		e = begin(rc, c, rc->first_ns ? rc->first_ns : first_ns);
		if (e && e != -ESHUTDOWN && store_repairs(rc->st)) { /* tried again soon; everybody else is recorded */
			rc->retry_ns = now_ns + RETRY_NS;
			recording_gap(rc, "disk");
			return 0;
		}
		if (e == -ESHUTDOWN) { /* an old capture: nothing of that day may be kept any more */
			discard(rc);
			rc->expired = true;
			return 0;
		}
		if (e)
			return e;
		if (!rc->first_ns)
			rc->first_ns = first_ns;
	}
	e = rc->sc && rc->hold ? hold_release(&rc->hold, write_held, rc, rc->memory) : 0;
	if (e == -ENOMEM || e == -EBADMSG) { /* what was held is gone; the call goes on */
		recording_gap(rc, "memory");
		e = 0;
	}
	return e;
}

/* Sequence numbers that never came; events have theirs among them. */
static void note_hole(struct leg_state *l, const struct rtp_pkt *p, const struct media_format *f, int64_t seq)
{
	uint64_t us = f ? payload_us(l, f, p->len) : 0, missing;

	if (us && us < UINT32_MAX)
		l->packet_us = (uint32_t)us;
	if (l->any && l->last_ssrc == p->ssrc && seq > l->last_seq + 1) {
		missing = (uint64_t)(seq - l->last_seq - 1);
		if (missing < RTP_DROPOUT && missing > l->hole) {
			l->hole = (uint32_t)missing;
			l->hole_ms = (uint32_t)(missing * (us ? us : 20000) / 1000);
		}
	}
	if (!l->any || l->last_ssrc != p->ssrc || seq > l->last_seq)
		l->last_seq = seq;
}

bool recording_has_hole(const struct recording *rc, unsigned leg)
{
	return rc->leg[leg].hole;
}

uint32_t recording_hole_ms(struct recording *rc, unsigned leg, uint64_t blocked)
{
	struct leg_state *l = &rc->leg[leg];
	uint64_t ours = blocked > l->blocked_seen ? blocked - l->blocked_seen : 0;
	uint32_t ms = ours < l->hole ? (uint32_t)((uint64_t)l->hole_ms * (l->hole - ours) / l->hole) : 0;

	l->blocked_seen = blocked;
	l->hole = l->hole_ms = 0;
	return ms;
}

void recording_set_blind(struct recording *rc, unsigned leg, bool blind)
{
	rc->leg[leg].blind = blind;
}

bool recording_blind(const struct recording *rc, unsigned leg)
{
	return rc->leg[leg].blind;
}

uint32_t recording_packet_us(const struct recording *rc, unsigned leg)
{
	return rc->leg[leg].packet_us;
}

int recording_granted(struct recording *rc, const struct call *c, uint64_t now_ns)
{
	if (recording_known(rc) || rc->expired || !rc->first_ns || !call_may_keep(c))
		return 0; /* nothing is held: the first packet begins */
	return start_writing(rc, c, now_ns, rc->first_ns);
}

/* Where a packet belongs. Neither of the call nor of us is to be left what may not be kept. */
static int into_part(struct recording *rc, const struct call *c, unsigned leg, uint64_t arrival_ns, enum media_fate *ret_fate)
{
	int e = recording_part(rc, c, leg, arrival_ns);

	if (e == -ESHUTDOWN) { /* an old capture: nothing of that day may be kept any more */
		discard(rc);
		rc->expired = true;
		return 0;
	}
	if (e == RECORDING_NOT_KEPT)
		*ret_fate = MEDIA_NOT_KEPT;
	return e;
}

/* -1: not G.711, so nothing can be heard in it. */
static int law_of(const struct media_format *f)
{
	enum g711_law law;

	return !is_noise(f) && f->clock == 8000 && f->channels <= 1 && fp_hears(f->name, &law) ? (int)law : -1;
}

static int add_audio(struct recording *rc, const struct call *c, unsigned leg, const struct rtp_pkt *p,
		     const struct media_format *f, unsigned wanted, uint64_t arrival_ns, bool write, enum media_fate *ret_fate)
{
	struct leg_state *l = &rc->leg[leg];
	const struct rtp_stream *s;
	int64_t seq;
	bool noise;
	int law, e = rtp_leg_packet(&l->rtp, p, arrival_ns, f->clock, &s, &seq);

	if (e < 0)
		return no_memory(rc, ret_fate);
	if (e == RTP_DUPLICATE) {
		*ret_fate = MEDIA_DUPLICATE;
		return 0;
	}
	if (l->resumed)
		first_of_ours(rc, l, p->ssrc, seq);
	note_hole(l, p, f, seq);
	if (write) {
		e = start_writing(rc, c, arrival_ns, arrival_ns);
		if (!e && rc->sc)
			e = into_part(rc, c, leg, arrival_ns, ret_fate);
		if (e || !rc->sc) {
			*ret_fate = rc->expired ? MEDIA_NOT_KEPT : *ret_fate;
			return e == RECORDING_NOT_KEPT ? 0 : e;
		}
	} else if (!rc->first_ns) {
		rc->first_ns = arrival_ns;
	}
	if (!l->chunker) {
		struct chunker_sink sink = { l, chunk_out };

		if (chunker_new(&sink, &l->chunker))
			return no_memory(rc, ret_fate);
		chunker_limit(l->chunker, rc->memory, rc->leg_bytes);
	}
	noise = f == &l->now.f ? l->now.noise : is_noise(f);
	law = f == &l->now.f ? l->now.law : law_of(f);
	hear_packet(rc, leg, wanted, law, p, arrival_ns);
	if (!noise)
		chunker_mute(l->chunker, wanted & HEAR_W_MUTE && law >= 0, law > 0 ? (enum g711_law)law : G711_ULAW);
	e = chunker_add(l->chunker, p->ssrc, s->number, f, noise, p->marker, seq, p->ts, arrival_ns, p->payload, p->len);
	if (e == -ENOBUFS)
		return no_memory(rc, ret_fate);
	if (noise)
		l->noise++;
	else
		count_audio(l, f, p);
	if (!e)
		*ret_fate = MEDIA_KEPT;
	return e;
}

/* Audio that nobody may keep, and somebody listens to. It shares the stream's sequence numbers, as events do. */
static int inspect(struct recording *rc, unsigned leg, const struct rtp_pkt *p, const struct media_format *f, unsigned wanted,
		   uint64_t arrival_ns, enum media_fate *ret_fate)
{
	struct leg_state *l = &rc->leg[leg];
	const struct rtp_stream *s;
	int64_t seq;
	int e = rtp_leg_packet(&l->rtp, p, arrival_ns, f->clock, &s, &seq);

	if (e < 0)
		return no_memory(rc, ret_fate);
	*ret_fate = MEDIA_DUPLICATE;
	if (e == RTP_DUPLICATE)
		return 0;
	if (l->resumed)
		first_of_ours(rc, l, p->ssrc, seq);
	note_hole(l, p, f, seq);
	hear_packet(rc, leg, wanted, law_of(f), p, arrival_ns);
	l->inspected++;
	*ret_fate = MEDIA_INSPECTED;
	return 0;
}

static int take_audio(struct recording *rc, const struct call *c, unsigned leg, const struct rtp_pkt *p, const struct media_format *f,
		      bool keep, uint64_t arrival_ns, enum media_fate *ret_fate)
{
	/* Captured while a purpose allowed it, looked at when none does any more: gone (INV-1, INV-3). */
	enum call_audio how = rc->expired ? CALL_A_BLOCK : call_audio(c, leg);
	/* packets of before a purpose was granted may still come */
	bool write = keep && ((how == CALL_A_WRITE && recording_purposes(c, arrival_ns)) || (how == CALL_A_HOLD && rc->sc));
	bool hold = keep && how == CALL_A_HOLD && !rc->sc;
	unsigned wanted = hear_wanted(rc, c, leg, write || hold);

	if (write || hold)
		return add_audio(rc, c, leg, p, f, wanted, arrival_ns, write, ret_fate);
	if (wanted && how != CALL_A_BLOCK && law_of(f) >= 0)
		return inspect(rc, leg, p, f, wanted, arrival_ns, ret_fate);
	*ret_fate = MEDIA_NOT_KEPT;
	return 0;
}

void recording_sounds(struct recording *rc, const struct fp_set *s)
{
	rc->sounds = s;
}

uint64_t recording_inspected(const struct recording *rc, unsigned leg)
{
	return rc->leg[leg].inspected;
}

uint64_t recording_muted(const struct recording *rc, unsigned leg)
{
	const struct leg_state *l = &rc->leg[leg];

	return l->muted + (l->chunker ? chunker_muted(l->chunker) : 0);
}

bool recording_first(const struct recording *rc, unsigned leg)
{
	return !rc->leg[leg].rtp.n;
}

void recording_blocked_before(struct recording *rc, unsigned leg, uint64_t packets)
{
	rc->leg[leg].blocked_at_first = rc->leg[leg].blocked_seen = packets;
}

/* What recording_soon asks for is what recording_listen and count_format meet. */
_Static_assert(offsetof(struct leg_state, rc) - offsetof(struct leg_state, fmt_packets) == LINE_BYTES, "a line");

void recording_soon(const struct recording *rc, unsigned leg, unsigned step)
{
	const struct leg_state *l = &rc->leg[leg];

	switch (step) {
	case 0:
		for (size_t i = 0; i < offsetof(struct recording, leg); i += 64)
			__builtin_prefetch((const char *)rc + i, 1);
		__builtin_prefetch(l, 1);
		__builtin_prefetch(&l->now);
		__builtin_prefetch(&l->rtp, 1);
		__builtin_prefetch(l->fmt_packets, 1);
		break;
	case 1:
		if (l->rtp.n)
			rtp_stream_soon(l->rtp.stream[0]);
		if (l->chunker)
			chunker_soon(l->chunker);
		hear_soon(rc, leg);
		break;
	default:
		if (l->rtp.n)
			rtp_stream_sooner(l->rtp.stream[0]);
		if (l->chunker)
			chunker_sooner(l->chunker);
	}
}

const struct media_format *recording_format(const struct recording *rc, unsigned leg, uint32_t version, unsigned ep, uint8_t pt)
{
	const struct leg_format *n = &rc->leg[leg].now;

	return n->of == version + 1 && n->ep == ep && n->f.pt == pt ? &n->f : NULL;
}

const struct media_format *recording_format_set(struct recording *rc, unsigned leg, uint32_t version, unsigned ep,
						const struct media_format *f)
{
	struct leg_format *n = &rc->leg[leg].now;

	if (version == UINT32_MAX || ep > UINT8_MAX)
		return f;
	*n = (struct leg_format){ .of = version + 1, .ep = (uint8_t)ep, .noise = is_noise(f),
				  .law = (int8_t)law_of(f), .slot = FORMATS_MAX, .f = *f };
	return &n->f;
}

/* A key was told. One that this packet is the first end of, behind one that it closed, may still be open. */
static void pressed(struct recording *rc, unsigned leg, const struct dtmf_press *p)
{
	struct leg_state *l = &rc->leg[leg];
	uint64_t over;

	l->events++;
	l->pressing = dtmf_open(&l->dtmf, &over);
	hear_event_key(rc, leg, p->key, p->end_ns);
}

int recording_packet(struct recording *rc, const struct call *c, unsigned leg, const struct rtp_pkt *p,
		     const struct media_format *f, enum call_payload kind, bool keep, bool trusted, uint64_t arrival_ns,
		     struct dtmf_press *ret_press, enum media_fate *ret_fate)
{
	struct leg_state *l = &rc->leg[leg];
	const struct rtp_stream *s;
	uint64_t over;
	int64_t seq;
	int e;

	*ret_fate = MEDIA_KNOWN;
	if (recording_known(rc))
		return 0;
	*ret_fate = MEDIA_FAILED; /* unless it comes further */
	recording_note(rc, c);
	rc->unsaved++;
	hear_idle(rc, arrival_ns);
	if (kind == CALL_PT_AUDIO) {
		e = take_audio(rc, c, leg, p, f, keep, arrival_ns, ret_fate);
		if (e || !l->pressing || dtmf_audio(&l->dtmf, p->ssrc, p->ts, ret_press) != DTMF_PRESS)
			return e;
		pressed(rc, leg, ret_press);
		return 1;
	}
	/* Events share the stream's sequence numbers; without them they would count as lost. */
	e = rtp_leg_packet(&l->rtp, p, arrival_ns, 0, &s, &seq);
	if (e < 0)
		return no_memory(rc, ret_fate);
	if (l->resumed && e == RTP_NEW)
		first_of_ours(rc, l, p->ssrc, seq);
	note_hole(l, p, NULL, seq);
	*ret_fate = kind == CALL_PT_EVENT ? MEDIA_EVENT : MEDIA_OTHER_PAYLOAD;
	if (kind != CALL_PT_EVENT)
		return 0;
	if (dtmf_packet(&l->dtmf, &(struct dtmf_from){ p->ssrc, p->ts, f->clock, trusted, arrival_ns }, p->payload, p->len, ret_press) !=
	    DTMF_PRESS) {
		l->pressing = dtmf_open(&l->dtmf, &over);
		return 0;
	}
	pressed(rc, leg, ret_press);
	return 1;
}

bool recording_pressing(const struct recording *rc, unsigned leg, uint64_t *ret_over_ns)
{
	return rc->leg[leg].pressing && dtmf_open(&rc->leg[leg].dtmf, ret_over_ns);
}

bool recording_press_over(struct recording *rc, unsigned leg, uint64_t now_ns, struct dtmf_press *ret_press)
{
	if (!rc->leg[leg].pressing || dtmf_idle(&rc->leg[leg].dtmf, now_ns, ret_press) != DTMF_PRESS)
		return false;
	pressed(rc, leg, ret_press);
	return true;
}

static void free_legs(struct recording *rc)
{
	int i;

	for (i = 0; i < 2; i++)
		rtp_leg_free(&rc->leg[i].rtp);
}

int recording_destroy(struct recording *rc, const struct call *c, enum policy_purpose p)
{
	enum policy_purpose other = p == POLICY_TRAINING ? POLICY_DOCUMENTATION : POLICY_TRAINING;
	/* what training holds until it is decided is none of documentation's affair (INV-4) */
	bool live = c->state[other] == PURPOSE_GRANTED || c->state[other] == PURPOSE_OBJECTED ||
		    (other == POLICY_TRAINING && call_holds(c));
	int i, e = 0;

	rc->part_for[0] = rc->part_for[1] = 0;
	if (live && rc->sc) {
		e = store_call_drop(rc->sc, (enum store_purpose)p);
		recording_drop_legs(rc);
		return e;
	}
	if (live && p == POLICY_DOCUMENTATION)
		return 0; /* nothing is written yet, and what is held is training's */
	/* The keys first and for good: when they cannot be erased somebody must know. */
	for (i = 0; i < POLICY_PURPOSES && rc->sc && !e; i++)
		e = store_call_drop(rc->sc, (enum store_purpose)i);
	/* A purpose granted later starts anew: earlier audio stays destroyed (guidance 5.2). */
	discard(rc);
	return e;
}

int recording_tighten(struct recording *rc, const struct call *c)
{
	int p, e = 0;

	for (p = 0; p < POLICY_PURPOSES && !e; p++) {
		uint64_t until = c->tight.until_ns[p];

		if (!until || !rc->meta.until_ns[p] || until >= rc->meta.until_ns[p])
			continue;
		rc->meta.until_ns[p] = until;
		if (rc->sc)
			e = store_call_shorten(rc->sc, (enum store_purpose)p, until);
	}
	if (e != -ESHUTDOWN)
		return store_repairs(rc->st) ? 0 : e; /* counted there; a wrap that was not written is gone */
	/* that day is over already: nothing of the call may be kept */
	rc->expired = true;
	discard(rc);
	return 0;
}

static void leg_figures(struct leg_state *l, struct store_leg_figures *ret)
{
	uint64_t received, since;
	unsigned i, best = 0;
	double us;

	rtp_leg_totals(&l->rtp, &received, &ret->lost, &ret->duplicates, &ret->reordered);
	/* What the classifier dropped by verdict after the first packet left a hole that is no loss. */
	since = l->blocked > l->blocked_at_first ? l->blocked - l->blocked_at_first : 0;
	ret->lost -= ret->lost < since ? ret->lost : since;
	ret->packets = l->packets;
	ret->noise = l->noise;
	ret->events = l->events;
	ret->blocked = l->blocked;
	ret->inspected = l->inspected;
	ret->muted = l->muted + (l->chunker ? chunker_muted(l->chunker) : 0);
	ret->audio_ms = l->audio_us / 1000;
	for (i = 1; i < l->nfmt; i++)
		if (l->fmt_packets[i] > l->fmt_packets[best])
			best = i;
	if (l->nfmt)
		ret->format = l->fmt[best];
	for (i = 0; i < l->rtp.n; i++) {
		const struct rtp_stream *s = l->rtp.stream[i];

		us = ret->format.clock ? s->jitter * 1e6 / ret->format.clock : 0;
		if (us > ret->jitter_us) /* clock and timestamps are the senders' to choose */
			ret->jitter_us = us < UINT32_MAX ? (uint32_t)us : UINT32_MAX;
	}
}

void recording_figures(const struct recording *rc, unsigned leg, struct store_leg_figures *ret)
{
	const struct leg_state *l = &rc->leg[leg];
	uint64_t received;
	unsigned i, best = 0;

	*ret = (struct store_leg_figures){ .packets = l->packets, .events = l->events, .audio_ms = l->audio_us / 1000 };
	rtp_leg_totals(&l->rtp, &received, &ret->lost, &ret->duplicates, &ret->reordered);
	for (i = 1; i < l->nfmt; i++)
		if (l->fmt_packets[i] > l->fmt_packets[best])
			best = i;
	if (l->nfmt)
		ret->format = l->fmt[best];
}

int recording_flush(struct recording *rc)
{
	int e = flush_legs(rc);

	for (int i = 0; i < 2; i++)
		if (rc->leg[i].chunker)
			chunker_forget(rc->leg[i].chunker);
	return e;
}

static bool too_short(const struct recording *rc, const struct call *c)
{
	uint64_t end;

	(void)rc;
	if (!c->rule->min_length.n && !c->tight.min_length_ns)
		return false;
	if (!c->answered || c->end_ns < c->answer_ns + c->tight.min_length_ns)
		return true;
	if (span_end(c->rule->min_length, c->rule->controller->timezone, c->answer_ns, &end))
		return false;
	return c->end_ns < end;
}

/* Nothing is kept of a purpose that was granted: says why. */
static void deny_rest(struct store_call_result *r, const char *why)
{
	int p;

	for (p = 0; p < POLICY_PURPOSES; p++) {
		if (r->state[p] == STORE_S_GRANTED || r->state[p] == STORE_S_OBJECTED ||
		    r->state[p] == STORE_S_PENDING) {
			r->state[p] = STORE_S_DENIED;
			r->reason[p] = why;
		}
	}
}

static void decide_outcome(struct recording *rc, const struct call *c, struct store_call_result *r)
{
	bool live = false;
	int p;

	for (p = 0; p < POLICY_PURPOSES; p++)
		live |= r->state[p] == STORE_S_GRANTED || r->state[p] == STORE_S_OBJECTED;
	r->gap = rc->gap ? rc->gap : "";
	if (rc->expired) {
		r->outcome = STORE_O_DENIED;
		deny_rest(r, "deadline");
		return;
	}
	if (!live) {
		r->outcome = STORE_O_DENIED;
		return;
	}
	if (c->peers && c->peers->relation == CALL_R_DUPLICATE) {
		r->outcome = STORE_O_DENIED;
		r->gap = ""; /* whatever is missing here is there */
		deny_rest(r, "duplicate");
		return;
	}
	if (rc->sc && r->leg[0].packets + r->leg[1].packets && !too_short(rc, c)) {
		r->outcome = STORE_O_KEPT;
		return;
	}
	if (!c->answered) {
		r->outcome = STORE_O_DENIED;
		deny_rest(r, "not-answered");
	} else if (too_short(rc, c)) {
		r->outcome = STORE_O_DENIED;
		deny_rest(r, "too-short");
	} else if (c->tight.stopped[POLICY_DOCUMENTATION] || c->tight.stopped[POLICY_TRAINING]) {
		r->outcome = STORE_O_DENIED; /* a later policy came before the first packet did */
		deny_rest(r, "policy.tightened");
	} else {
		r->outcome = STORE_O_GAP;
		if (!*r->gap)
			r->gap = c->srtp ? "srtp" : c->partial ? "began-before-capture" : "no-media";
		deny_rest(r, "gap");
	}
}

static int commit_rest(struct recording *rc, struct store_call_result *r)
{
	int p, e;

	for (p = 0; p < POLICY_PURPOSES; p++) {
		if (r->state[p] != STORE_S_GRANTED && r->state[p] != STORE_S_OBJECTED)
			continue;
		if (store_call_committed(rc->sc, (enum store_purpose)p))
			continue;
		e = store_call_commit(rc->sc, (enum store_purpose)p);
		if (e && !store_repairs(rc->st))
			return e;
		if (e) { /* the disk refuses: the other purpose is not to suffer */
			r->state[p] = STORE_S_DENIED;
			r->reason[p] = "disk";
			if (r->state[!p] != STORE_S_GRANTED && r->state[!p] != STORE_S_OBJECTED)
				return e;
		}
	}
	return 0;
}

/* A row without audio. */
static int end_without(struct recording *rc, struct store_call_result *r, bool *ret_later)
{
	int e;

	discard(rc);
	for (int leg = 0; leg < 2; leg++) /* figures of what is kept */
		r->leg[leg].packets = r->leg[leg].noise = r->leg[leg].audio_ms = r->leg[leg].muted = 0;
	e = store_call_denied(rc->st, &rc->meta, r);
	*ret_later = !e && r->tag && store_repairs(rc->st);
	return e == -ESHUTDOWN ? 0 : e; /* the row's own day is over too: counted, not listed */
}

static int end_kept(struct recording *rc, struct store_call_result *r, bool *ret_later)
{
	int e = commit_rest(rc, r);

	if (!e) {
		e = store_call_end(rc->sc, r);
		rc->sc = NULL;
	}
	*ret_later = !e && r->tag && store_repairs(rc->st);
	if (!e || !store_repairs(rc->st))
		return e;
	r->outcome = STORE_O_GAP; /* nothing of it is left, and nobody else is to suffer */
	r->gap = "disk";
	deny_rest(r, "gap");
	return end_without(rc, r, ret_later);
}

static enum recording_end end_of(enum store_outcome o)
{
	return o == STORE_O_KEPT ? RECORDING_KEPT : o == STORE_O_GAP ? RECORDING_GAP : RECORDING_DENIED;
}

int recording_end(struct recording *rc, const struct call *c, void *tag, struct recording_result *ret)
{
	struct store_call_result r = { .answer_ns = c->answer_ns, .end_ns = c->end_ns, .end = c->end, .tag = tag };
	int p, e = 0;

	ret->muted = 0;
	ret->later = false;
	ret->inspected = recording_inspected(rc, 0) + recording_inspected(rc, 1);
	ret->blocked = rc->leg[0].blocked + rc->leg[1].blocked;
	if (recording_known(rc)) {
		ret->end = rc->known ? RECORDING_KNOWN : RECORDING_DENIED;
		goto out;
	}
	if (rc->sc) {
		e = recording_flush(rc);
		if (e)
			goto out;
	}
	for (p = 0; p < POLICY_PURPOSES; p++) {
		r.state[p] = (enum store_state)c->state[p];
		r.reason[p] = c->reason[p];
	}
	recording_unreached(rc, c, &r);
	leg_figures(&rc->leg[0], &r.leg[0]);
	leg_figures(&rc->leg[1], &r.leg[1]);
	r.recount = rc->stale;
	r.agent = c->agent[0] ? c->agent : NULL; /* it may have become known since */
	if (c->peers && c->peers->relation) {
		r.relation = call_relation_name((enum call_relation)c->peers->relation);
		r.other = c->peers->other;
	}
	decide_outcome(rc, c, &r);
	if (r.outcome == STORE_O_KEPT) {
		ret->muted = recording_muted(rc, 0) + recording_muted(rc, 1);
		e = end_kept(rc, &r, &ret->later);
	} else {
		e = end_without(rc, &r, &ret->later);
	}
	ret->end = end_of(r.outcome);
out:
	if (e && store_repairs(rc->st)) { /* nothing of it is left, and nobody else is to suffer */
		ret->end = RECORDING_GAP;
		e = 0;
	}
	if (ret->end != RECORDING_KEPT)
		ret->muted = 0;
	ret->gap = rc->gap ? rc->gap : r.gap ? r.gap : "";
	ret->packets = r.leg[0].packets + r.leg[1].packets;
	ret->audio_ms = r.leg[0].audio_ms + r.leg[1].audio_ms;
	for (p = 0; p < POLICY_PURPOSES; p++) {
		ret->until_ns[p] = rc->meta.until_ns[p];
		ret->state[p] = r.reason[p] ? (enum purpose_state)r.state[p] : c->state[p];
		ret->reason[p] = r.reason[p] ? r.reason[p] : c->reason[p];
	}
	recording_abort(rc);
	return e;
}

void recording_abort(struct recording *rc)
{
	if (!rc)
		return;
	discard(rc);
	hear_free(rc);
	free_legs(rc);
	free(rc);
}
