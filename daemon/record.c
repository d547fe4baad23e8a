/* SPDX-License-Identifier: BSD-2-Clause */
/* record.c - puts the parts together, see record.h: routes packets, keeps the sums */
#include "record.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/slab.h"
#include "capture/classify.h"
#include "capture/flow.h"
#include "evidence.h"
#include "media/dtmf.h"
#include "media/rtp.h"
#include "record_call.h"
#include "record_hear.h"
#include "record_internal.h"
#include "sip/sdp.h"
#include "store/store.h"

#define TICK_NS	      100000000ULL
#define CALLS_EVERY   3 /* ticks; each touches all calls. CHUNKER_SPAN_NS leaves room for it */
#define TIGHTEN_SLOTS 256 /* calls looked at in one go: half a millisecond of packets waits */

void recorder_default_settings(struct recorder_settings *ret)
{
	memset(ret, 0, sizeof(*ret));
	call_default_limits(&ret->calls);
	sigin_default_limits(&ret->signalling);
	ret->flow_lines = 131072; /* 16 MiB: 100,000 addresses at load 0.38 */
	ret->sip_ports[0] = 5060;
}

void recorder_failed(struct recorder *r, int e)
{
	if (e && !r->err)
		r->err = e;
}

/* ---- from calls: the flow table ---- */

static void no_slot(struct recorder *r, int err)
{
	if (err == -EAGAIN)
		r->fig.flow_quarantine++;
	else
		r->fig.flow_full++;
}

static bool goes_up(uint8_t verdict)
{
	return verdict == OPTAG_V_RECORD || verdict == OPTAG_V_INSPECT;
}

static bool goes_up_now(const struct recorder *r, const struct call *c, const struct call_endpoint *e)
{
	const struct optag_flow *f = flow_get(r->flows, &e->at, IPPROTO_UDP, NULL);

	return f && f->ring == c->ring && goes_up(f->verdict);
}

/* What the classifier sees of a voice that it keeps to itself: is it still there? */
static void look_below(struct recorder *r, struct call *c, unsigned leg)
{
	struct optag_flow_stats st;
	bool below = false, can_pause = false;
	uint64_t n = 0;

	for (unsigned i = 0; i < c->nep; i++) {
		const struct call_endpoint *e = &c->ep[i];

		if (!e->used || !e->owner || e->leg != leg || goes_up_now(r, c, e) || !flow_get(r->flows, &e->at, IPPROTO_UDP, &st))
			continue;
		below = true;
		n += st.passed + st.events + st.blocked;
		for (unsigned k = 0; e->formats && k < e->formats->n; k++)
			can_pause |= recording_can_pause(&e->formats->f[k]);
	}
	if (below)
		recording_below(c->user, leg, n, can_pause, clock_now_ns());
}

static uint32_t on_quiet(void *arg, struct call *c, unsigned leg, uint64_t until_ns, bool *ret_heard)
{
	struct recorder *r = arg;

	if (!c->user || recording_known(c->user))
		return 0;
	look_below(r, c, leg);
	if (!until_ns)
		look_below(r, c, !leg);
	*ret_heard = recording_heard(c->user, leg);
	return recording_quiet_ms(c->user, c, leg, until_ns);
}

/* Who sees holes in this voice from now on: the recording, or the classifier alone. */
static void look_changes(struct recorder *r, struct call *c, const struct call_endpoint *e, uint8_t verdict)
{
	const struct optag_flow *f = flow_get(r->flows, &e->at, IPPROTO_UDP, NULL);

	if (!f || f->ring != c->ring || !c->user || goes_up(f->verdict) == goes_up(verdict))
		return;
	if (goes_up(verdict)) {
		look_below(r, c, e->leg);
		recording_set_blind(c->user, e->leg, true);
	} else {
		recording_below_anew(c->user, e->leg);
		(void)flow_take_hole(r->flows, &e->at, IPPROTO_UDP, c->ring);
	}
}

/* Packets as time: by what was heard of the leg, by what its receiver asked for, else as telephones do. */
static uint32_t hole_ms(const struct call *c, const struct call_endpoint *e, uint32_t packets)
{
	uint32_t us = recording_packet_us(c->user, e->leg);

	if (!us && e->formats)
		us = e->formats->ptime * 1000u;
	return (uint32_t)((uint64_t)packets * (us ? us : 20000) / 1000);
}

static uint32_t on_hole(void *arg, struct call *c, unsigned leg)
{
	struct recorder *r = arg;
	uint32_t ms, longest = 0;

	if (c->user)
		look_below(r, c, leg);
	for (unsigned i = 0; c->user && i < c->nep; i++) {
		const struct call_endpoint *e = &c->ep[i];

		if (!e->used || !e->owner || e->leg != leg || (goes_up(e->verdict) && !recording_blind(c->user, leg)))
			continue;
		ms = hole_ms(c, e, flow_take_hole(r->flows, &e->at, IPPROTO_UDP, c->ring));
		longest = ms > longest ? ms : longest;
	}
	return longest;
}

static void on_flow(void *arg, struct call *c, const struct call_endpoint *e, uint8_t verdict)
{
	struct recorder *r = arg;
	struct flow_rule f = { .verdict = verdict, .leg = e->leg, .proto = IPPROTO_UDP, .ring = c->ring };
	uint32_t *gen;
	int err;

	f.te[0] = e->te[0];
	f.te[1] = e->te[1];
	if (c->user && recording_known(c->user))
		f.verdict = OPTAG_V_BLOCK; /* kept before: not a second time */
	gen = &c->ep[e - c->ep].gen;
	look_changes(r, c, e, f.verdict);
	err = flow_set(r->flows, &e->at, &f, gen);
	if (err) {
		*gen = 0; /* nobody's */
		no_slot(r, err);
		if (c->user)
			recording_gap(c->user, err == -EAGAIN ? "flow-quarantine" : "flow-table-full");
	}
}

static uint64_t blocked_at(struct recorder *r, const struct endpoint *at)
{
	struct optag_flow_stats st;

	return flow_get(r->flows, at, IPPROTO_UDP, &st) ? st.blocked : 0;
}

static void on_unflow(void *arg, struct call *c, const struct call_endpoint *e)
{
	struct recorder *r = arg;

	if (c->user)
		recording_blocked(c->user, e->leg, blocked_at(r, &e->at));
	/* -ENOENT: the table was full when it was set, or another call holds the address by now */
	(void)flow_clear(r->flows, &e->at, IPPROTO_UDP, c->ring);
}

static uint64_t on_packets(void *arg, struct call *c)
{
	struct recorder *r = arg;
	struct optag_flow_stats st;
	uint64_t n = 0;
	unsigned i;

	for (i = 0; i < c->nep; i++) {
		const struct call_endpoint *e = &c->ep[i];

		if (e->used && e->owner && flow_get(r->flows, &e->at, IPPROTO_UDP, &st))
			n += st.passed + st.events + st.blocked;
	}
	return n;
}

static uint64_t on_kept(void *arg, struct call *c, unsigned leg)
{
	struct store_leg_figures f = { .packets = 0 };

	(void)arg;
	if (c->user)
		recording_figures(c->user, leg, &f);
	return f.packets;
}

static const char *on_interface(void *arg, uint32_t ifindex)
{
	struct recorder *r = arg;

	return r->set.interface ? r->set.interface(r->set.arg, ifindex) : NULL;
}

/* ---- from calls: begin and end ---- */

void recorder_sounds(struct recorder *r, const struct call *c, struct recording *rc)
{
	if (r->set.sounds && c->rule->proof == POLICY_PROOF_FINGERPRINT)
		recording_sounds(rc, r->set.sounds(r->set.arg, c->policy, c->rule));
}

static uint32_t on_heard(void *arg, const struct call *c)
{
	(void)arg;
	return c->user ? hear_progress(c->user) : 0;
}

static void on_matched(void *arg, struct call *c)
{
	struct recorder *r = arg;
	struct recording *rc;
	int e = recording_new(r->set.store, c, &rc);

	if (e) {
		recorder_failed(r, e);
		return;
	}
	recording_limit(rc, &r->memory, r->set.call_ring);
	recorder_sounds(r, c, rc);
	if (call_review_past(c->rule, POLICY_DOCUMENTATION, c->start_ns) || call_review_past(c->rule, POLICY_TRAINING, c->start_ns))
		proof_alarm(r, c, RECORDER_REVIEW);
	if (r->set.no_audio)
		recording_no_audio(rc);
	c->user = rc;
	for (unsigned i = 0; i < c->nep; i++) /* what was missing before is not this recording's */
		(void)flow_take_hole(r->flows, &c->ep[i].at, IPPROTO_UDP, c->ring);
}

static void on_destroy(void *arg, struct call *c, enum policy_purpose p)
{
	struct recorder *r = arg;

	if (c->user)
		recorder_failed(r, proof_destroy(r, c, p, c->reason[p]));
}

static void on_granted(void *arg, struct call *c, enum policy_purpose p)
{
	struct recorder *r = arg;

	bool begun = c->user && recording_begun(c->user);

	(void)p;
	if (c->user && !r->err)
		recorder_failed(r, recording_granted(c->user, c, clock_now_ns()));
	if (c->user && !begun && recording_begun(c->user))
		proof_begin(r, c);
}

static void on_tightened(void *arg, struct call *c)
{
	struct recorder *r = arg;

	if (c->user && !r->err)
		recorder_failed(r, recording_tighten(c->user, c));
}

/* ---- from the classifier ---- */

/* RFC 2198: speech only when every block in it is; a copy of a key press is a key press. */
static bool red_is_speech(const struct call *c, const struct call_endpoint *e, const struct rtp_pkt *p)
{
	struct media_format f;
	size_t i = 0;
	bool more;

	do {
		if (i >= p->len)
			return false;
		more = p->payload[i] & 0x80;
		if (call_format(c, e, p->payload[i] & 0x7f, &f) != CALL_PT_AUDIO || strcmp(f.name, "red") == 0)
			return false;
		i += more ? 4 : 1;
	} while (more);
	return true;
}

/* *ret_all: and so is each packet with this payload type, whatever is in it. */
static enum call_payload payload_kind(const struct call *c, const struct call_endpoint *e,
				      const struct rtp_pkt *p, struct media_format *ret, bool *ret_all)
{
	enum call_payload k = call_format(c, e, p->pt, ret);

	*ret_all = k == CALL_PT_AUDIO && strcmp(ret->name, "red") != 0;
	if (k == CALL_PT_EITHER)
		return dtmf_sized(p->len) ? CALL_PT_EVENT : CALL_PT_AUDIO;
	/* Audio that nobody announced (optag_event_sized), unless too short to be any. */
	if (k == CALL_PT_EVENT && !dtmf_sized(p->len))
		return p->len < 4 ? CALL_PT_OTHER : CALL_PT_UNKNOWN;
	if (k == CALL_PT_AUDIO && strcmp(ret->name, "red") == 0 && !red_is_speech(c, e, p))
		return CALL_PT_OTHER;
	return k;
}

/* It came from where the party whose voice arrives at e said that it is (guidance 7, X-2). */
static bool is_speaker(const struct call *c, const struct call_endpoint *e, const struct optag_rec *rec)
{
	unsigned i;

	for (i = 0; i < c->nep; i++)
		if (c->ep[i].used && c->ep[i].side == e->leg && c->ep[i].at.port == ntohs(rec->sport) &&
		    memcmp(c->ep[i].at.addr.b, rec->src, 16) == 0)
			return true;
	return false;
}

static void tell_notice(struct recorder *r, struct call *c, const struct fp_event *e, uint64_t now_ns)
{
	switch (e->what) {
	case FP_STARTED:
		call_notice_hearing(r->calls, c, e->which, e->start_ns, now_ns);
		break;
	case FP_ENDED:
		call_notice_heard(r->calls, c, e->which, CALL_BY_FINGERPRINT, e->start_ns, e->end_ns, now_ns);
		break;
	case FP_BROKEN:
		call_notice_broken(r->calls, c, e->end_ns, now_ns);
		break;
	}
}

/* What the detectors heard; leg, trusted: of the packet at hand, others' presses only end. */
static void tell_heard(struct recorder *r, struct call *c, unsigned leg, bool trusted, uint64_t now_ns)
{
	struct hear_news n;

	while (c->user && hear_next(c->user, &n) != HEAR_NOTHING) {
		if (n.what == HEAR_NOTICE)
			tell_notice(r, c, &n.notice, now_ns);
		else if (n.what == HEAR_KEY)
			call_press(r->calls, c, n.leg, &(struct call_press){ n.key, CALL_BY_INBAND, trusted && n.leg == leg, n.begin_ns, now_ns, now_ns, 0 });
		else
			call_key_up(r->calls, c, n.leg, n.key, CALL_BY_INBAND, now_ns);
		explicit_bzero(&n, sizeof(n));
	}
}

static struct call_press press_of(const struct dtmf_press *p, uint64_t told_ns)
{
	return (struct call_press){ p->key, CALL_BY_RFC4733, p->trusted, p->begin_ns, p->end_ns, told_ns, 0 };
}

/* From calls: one whose end is lost. */
static bool on_press(void *arg, struct call *c, unsigned leg, uint64_t now_ns, struct call_press *ret)
{
	struct dtmf_press p;

	(void)arg;
	if (!c->user || recording_known(c->user) || !recording_press_over(c->user, leg, now_ns, &p))
		return false;
	*ret = press_of(&p, now_ns);
	explicit_bzero(&p, sizeof(p));
	return true;
}

static void tell_press(struct recorder *r, struct call *c, unsigned leg, struct dtmf_press *p, uint64_t now_ns)
{
	struct call_press press = press_of(p, now_ns);

	call_press(r->calls, c, leg, &press);
	explicit_bzero(&press, sizeof(press));
	explicit_bzero(p, sizeof(*p));
}

static enum media_fate take_media(struct recorder *r, const struct optag_rec *rec, const uint8_t *payload)
{
	enum media_fate fate;
	struct endpoint at = { .port = ntohs(rec->dport) };
	const struct call_endpoint *e;
	enum call_payload kind;
	const struct media_format *f;
	struct media_format room;
	struct rtp_pkt p;
	struct call *c;
	unsigned leg;
	bool begun, all, blind;
	uint32_t lost, quiet;
	uint64_t over;
	struct dtmf_press press;
	int n;

	if (r->err)
		return MEDIA_FAILED;
	memcpy(at.addr.b, rec->dst, 16);
	c = calls_by_ring(r->calls, rec->ring);
	e = c && c->matched ? call_endpoint_at(c, &at) : NULL;
	/* Live, the entry may have gone to another call since the packet passed, or to another leg of this
	 * one: the generation that it had then must be the one that this call was given for it. */
	if (!e || !e->owner || e->leg != rec->leg || !c->user || !e->gen || e->gen != rec->gen)
		return MEDIA_STALE;
	/* The call goes on until all before its end was seen; what came after it is not the call's. */
	if (c->phase == CALL_ENDING && rec->ts_ns > c->linger_ns)
		return MEDIA_STALE;
	if (rec->len != rec->wire_len || rtp_parse(payload, rec->len, &p)) {
		r->fig.bad_rtp++;
		if (rec->len != rec->wire_len)
			recording_gap(c->user, "truncated-packets");
		return rec->len != rec->wire_len ? MEDIA_TRUNCATED : MEDIA_BAD;
	}
	/* A payload type that nobody announced may be digits or anything: it is not kept (INV-7). */
	f = recording_format(c->user, e->leg, c->media_version, (unsigned)(e - c->ep), p.pt);
	kind = f ? CALL_PT_AUDIO : payload_kind(c, e, &p, &room, &all);
	if (!f)
		f = all ? recording_format_set(c->user, e->leg, c->media_version, (unsigned)(e - c->ep), &room) : &room;
	if (kind == CALL_PT_UNKNOWN) {
		r->fig.unknown_payload++;
		recording_gap(c->user, "unknown-payload-type");
		return MEDIA_UNKNOWN_PAYLOAD;
	}
	if (kind == CALL_PT_AUDIO && rec->verdict != OPTAG_V_RECORD && rec->verdict != OPTAG_V_INSPECT)
		return MEDIA_NOT_KEPT;
	begun = recording_begun(c->user);
	if (recording_first(c->user, e->leg))
		recording_blocked_before(c->user, e->leg, blocked_at(r, &at));
	leg = e->leg;
	quiet = recording_listen(c->user, c, leg, &p, f, kind, rec->ts_ns);
	n = recording_packet(c->user, c, leg, &p, f, kind, rec->verdict == OPTAG_V_RECORD,
			     kind == CALL_PT_EVENT && is_speaker(c, e, rec), rec->ts_ns, &press, &fate);
	if (begun != recording_begun(c->user) || recording_unsaved(c->user))
		recorder_changed(r, c);
	if (!begun && recording_begun(c->user))
		proof_begin(r, c);
	if (hear_waiting(c->user))
		tell_heard(r, c, leg, is_speaker(c, e, rec), rec->ts_ns);
	blind = recording_blind(c->user, leg);
	if (blind) {
		call_look_for_loss(r->calls, c, rec->ts_ns);
		recording_set_blind(c->user, leg, false);
	}
	/* when it goes up again what was blocked until then explains no later hole */
	if (recording_has_hole(c->user, e->leg) || blind) {
		lost = recording_hole_ms(c->user, e->leg, blocked_at(r, &at));
		if (lost >= LOSS_HIDES_MS)
			call_lost_audio(r->calls, c, e->leg, lost, rec->ts_ns);
	}
	if (quiet)
		call_quiet_before(r->calls, c, leg, quiet, rec->ts_ns);
	if (n < 0)
		recorder_failed(r, n);
	else if (n == 1)
		tell_press(r, c, leg, &press, rec->ts_ns);
	if (kind == CALL_PT_EVENT && c->user && recording_pressing(c->user, leg, &over))
		call_pressing(r->calls, c, leg, over);
	recorder_save(r);
	return fate;
}

static void on_media(void *arg, const struct optag_rec *rec, const uint8_t *payload)
{
	struct recorder *r = arg;

	r->fig.drained++;
	r->fig.media[take_media(r, rec, payload)]++;
}

/*
 * A record meets a dozen cache lines of its call, each a miss when there are thousands of calls: the
 * misses of a batch are under way together, one step of the chain of pointers after the other.
 */
static void on_soon(void *arg, const struct optag_rec *rec, unsigned n)
{
	const struct recorder *r = arg;
	struct call *const *slot;
	unsigned i, step;

	for (i = 0; i < n; i++)
		__builtin_prefetch(calls_slot(r->calls, rec[i].ring));
	for (step = 0; step < CALL_SOON_STEPS + RECORDING_SOON_STEPS; step++) {
		for (i = 0; i < n; i++) {
			slot = calls_slot(r->calls, rec[i].ring);
			if (!slot || !*slot)
				continue;
			if (step < CALL_SOON_STEPS)
				call_soon(*slot, step);
			else if ((*slot)->user)
				recording_soon((*slot)->user, rec[i].leg & 1, step - CALL_SOON_STEPS);
		}
	}
}

static void on_signalling(void *arg, const struct optag_sig *sig, const uint8_t *packet)
{
	struct recorder *r = arg;

	sigin_packet(r->sigin, sig, packet);
}

static void on_message(void *arg, const struct sigin_from *from, const struct sip_msg *m)
{
	struct recorder *r = arg;

	calls_message(r->calls, from, m);
	recorder_save(r);
}

static void on_learned(void *arg, const struct endpoint *a, const struct endpoint *b)
{
	struct recorder *r = arg;
	struct flow_rule f = { .verdict = OPTAG_V_SIG, .te = { OPTAG_NO_PT, OPTAG_NO_PT },
			       .proto = IPPROTO_TCP, .ring = UINT32_MAX };
	struct endpoint *old = r->learned[r->nlearned++ % LEARNED_MAX];
	int err;

	/* -ENOENT: the table was full, or it is another connection's as well and went with that */
	if (old[0].port) {
		(void)flow_clear(r->flows, &old[0], IPPROTO_TCP, UINT32_MAX);
		(void)flow_clear(r->flows, &old[1], IPPROTO_TCP, UINT32_MAX);
	}
	old[0] = *a;
	old[1] = *b;
	err = flow_set(r->flows, a, &f, NULL);
	if (!err)
		err = flow_set(r->flows, b, &f, NULL);
	if (err)
		no_slot(r, err);
}

static bool on_stopped(void *arg, const struct policy_rule *rule)
{
	const struct recorder *r = arg;

	return r->set.stopped && r->set.stopped(r->set.arg, rule);
}

static bool on_reaped(void *arg)
{
	const struct recorder *r = arg;

	return !r->set.reaped || r->set.reaped(r->set.arg);
}

/* ---- life ---- */

/* At the front: the input of rules is by index of policy_headers. */
static void add_header(struct recorder *r, const char *name, bool any_case)
{
	size_t i;

	for (i = 0; any_case && i < r->extra.n; i++)
		if (strcasecmp(r->extra.name[i], name) == 0)
			return;
	if (r->extra.n == SIP_EXTRA_MAX || strlen(name) >= sizeof(r->header[0]))
		return;
	snprintf(r->header[r->extra.n], sizeof(r->header[0]), "%s", name);
	r->extra.name[r->extra.n] = r->header[r->extra.n];
	r->extra.n++;
}

/* Which headers the next messages are read for: the policy's, and, while there is room, those that calls
 * in progress may still be told something by. */
static void take_headers(struct recorder *r, const struct policy *p)
{
	const char *match[POLICY_HEADERS_MAX], *event[POLICY_EVENT_HEADERS_MAX];
	char before[SIP_EXTRA_MAX][HEADER_MAX];
	size_t i, nbefore = r->extra.n, n;

	memcpy(before, r->header, sizeof(before));
	r->extra.n = 0;
	n = policy_headers(p, match);
	for (i = 0; i < n; i++)
		add_header(r, match[i], false);
	n = policy_event_headers(p, event, POLICY_EVENT_HEADERS_MAX);
	for (i = 0; i < n; i++)
		add_header(r, event[i], true);
	for (i = 0; i < nbefore; i++)
		add_header(r, before[i], true);
}

int recorder_new(const struct recorder_settings *s, struct recorder **ret)
{
	struct recorder *r = calloc(1, sizeof(*r));
	struct optag_config cfg = { .abi = OPTAG_ABI, .flow_mask = s->flow_lines - 1, .drop_rest = 1 };
	struct classify_sink csink = { .arg = r, .media = on_media, .signalling = on_signalling, .soon = on_soon };
	struct sigin_sink ssink = { r, on_message, on_learned };
	struct calls_sink ksink = { .arg = r, .flow = on_flow, .unflow = on_unflow, .matched = on_matched,
				    .destroy = on_destroy, .ended = recorder_ended, .unpark = park_over, .callback_add = callback_add,
				    .callback_due = callback_due, .callback_used = callback_used, .packets = on_packets, .kept = on_kept,
				    .changed = recorder_changed, .forgotten = recorder_forgotten,
				    .tightened = on_tightened, .interface = on_interface,
				    .stopped = on_stopped, .draw = proof_draw, .redraw = proof_redraw, .granted = on_granted, .hole = on_hole,
				    .quiet = on_quiet, .press = on_press, .heard = on_heard, .ready = proof_ready, .reaped = on_reaped, .news = proof_news };
	size_t i;
	int e = -ENOMEM;

	if (!r)
		return -ENOMEM;
	r->set = *s;
	r->memory.limit = s->call_memory;
	if (slab_new(&r->memory.slab))
		goto out;
	if (s->ahead)
		(void)slab_ahead(r->memory.slab, 0, true); /* without: packets wait for pages */
	if (getrandom(&cfg.hash_seed, sizeof(cfg.hash_seed), 0) != (ssize_t)sizeof(cfg.hash_seed)) {
		e = -errno;
		goto out;
	}
	for (i = 0; i < 16; i++)
		cfg.sip_ports[i] = htons(s->sip_ports[i]);
	if (s->policy)
		take_headers(r, s->policy);
	r->sink = csink;
	r->horizon_ns = UINT64_MAX;
	r->flows = s->flows;
	if (!r->flows)
		e = flow_new(s->flow_lines, cfg.hash_seed, NULL, NULL, &r->flows);
	else
		e = 0;
	if (!e) {
		cfg.hash_seed = flow_seed(r->flows);
		cfg.flow_mask = flow_line_mask(r->flows);
		e = classify_new(&cfg, r->flows, &csink, &r->classify);
	}
	if (!e)
		e = sigin_new(&s->signalling, &r->extra, &ssink, &r->sigin);
	if (!e)
		e = calls_new(&s->calls, &ksink, &r->calls);
	if (e)
		goto out;
	calls_set_policy(r->calls, s->policy);
	proof_policy(r, s->policy);
	*ret = r;
	return 0;
out:
	recorder_free(r);
	return e;
}

/* Where the data subject's audio stays in the classifier no packet of it says that others are missing. */
static void look_for_loss(void *arg, struct call *c)
{
	struct recorder *r = arg;

	call_look_for_loss(r->calls, c, r->ticked_ns);
}

int recorder_packet(struct recorder *r, const struct pcap_packet *p, uint32_t ifindex)
{
	if (r->err)
		return r->err;
	r->fig.packets++;
	clock_set_ns(p->ts_ns);
	calls_tick(r->calls, p->ts_ns);
	if (p->ts_ns - r->ticked_ns >= TICK_NS) { /* a clock set back counts as well */
		r->ticked_ns = p->ts_ns;
		sigin_tick(r->sigin, p->ts_ns);
		proof_unmatched(r);
		if (++r->ticks % CALLS_EVERY == 0)
			calls_each(r->calls, look_for_loss, r);
	}
	classify_packet(r->classify, p->link, p->ethertype, p->data, p->caplen, p->wire_len, p->ts_ns, ifindex);
	return r->err;
}

const struct classify_sink *recorder_sink(const struct recorder *r)
{
	return &r->sink;
}

static void tick_call(void *arg, struct call *c)
{
	struct recorder *r = arg;

	if (!c->user || c->phase == CALL_TOMBSTONE)
		return;
	recorder_failed(r, recording_tick(c->user, c, r->seen_ns));
	if (hear_waiting(c->user))
		tell_heard(r, c, OPTAG_LEG_CALLER, false, r->seen_ns);
	call_look_for_loss(r->calls, c, r->seen_ns);
}

void recorder_horizon(struct recorder *r, uint64_t ns)
{
	r->horizon_ns = ns;
	calls_horizon(r->calls, ns);
}

int recorder_tick(struct recorder *r, uint64_t now_ns)
{
	if (r->err)
		return r->err;
	calls_tick(r->calls, now_ns);
	endings_tell(r);
	proof_slots(r);
	if (now_ns - r->ticked_ns >= TICK_NS) {
		r->ticked_ns = now_ns;
		r->seen_ns = now_ns < r->horizon_ns ? now_ns : r->horizon_ns; /* a voice whose packets wait in a ring is not silent */
		sigin_tick(r->sigin, now_ns);
		proof_unmatched(r);
		if (++r->ticks % CALLS_EVERY == 0)
			calls_each(r->calls, tick_call, r); /* chunks of silent legs go out */
	}
	recorder_save(r);
	return r->err;
}

bool recorder_idle(const struct recorder *r)
{
	return !r->err && !r->parked && !r->fig.unwritten && calls_idle(r->calls);
}

static void clock_back(void *arg, struct call *c)
{
	struct recorder *r = arg;

	if (call_clock_back(r->calls, c))
		recorder_changed(r, c);
}

void recorder_clock_back(struct recorder *r)
{
	if (r->err)
		return;
	calls_each(r->calls, clock_back, r);
	park_clock_back(r);
}

struct calls *recorder_calls(struct recorder *r)
{
	return r->calls;
}

/* INSPECT has a larger number than RECORD. */
static unsigned openness(uint8_t verdict)
{
	return verdict == OPTAG_V_INSPECT ? 2 * OPTAG_V_GATE + 1 : 2U * verdict;
}

void recorder_leg(const struct recorder *r, const struct call *c, unsigned leg, struct recorder_leg *ret)
{
	struct optag_flow_stats st;
	unsigned i;

	memset(ret, 0, sizeof(*ret));
	if (!c->user)
		return;
	recording_figures(c->user, leg, &ret->kept);
	ret->inspected = recording_inspected(c->user, leg);
	ret->muted = recording_muted(c->user, leg);
	for (i = 0; i < c->nep; i++) {
		const struct call_endpoint *e = &c->ep[i];

		if (!e->used || !e->owner || e->leg != leg || !flow_get(r->flows, &e->at, IPPROTO_UDP, &st))
			continue;
		ret->passed += st.passed;
		ret->events += st.events;
		ret->blocked += st.blocked;
		if (openness(e->verdict) > openness(ret->verdict))
			ret->verdict = e->verdict;
	}
}

bool recorder_recording(const struct call *c)
{
	bool goes_on = false;

	for (int p = 0; p < POLICY_PURPOSES; p++)
		goes_on |= c->rule && c->rule->purpose[p].basis != POLICY_B_NONE && !c->tight.stopped[p];
	return goes_on && c->user && recording_begun(c->user);
}

void recorder_set_policy(struct recorder *r, const struct policy *p)
{
	take_headers(r, p);
	calls_set_policy(r->calls, p);
	proof_policy(r, p);
}

bool recorder_tighten(struct recorder *r, const struct policy *p, bool restart, struct calls_tightened *sum)
{
	if (restart)
		calls_tighten_start(r->calls);
	if (restart)
		park_tighten(r, p);
	return calls_tighten_step(r->calls, p, TIGHTEN_SLOTS, sum);
}

size_t recorder_pinned(const struct recorder *r, const struct policy *p)
{
	return calls_pinned(r->calls, p) + park_pinned(r, p) + endings_pinned(r, p);
}

int recorder_finish(struct recorder *r)
{
	int e;

	sigin_tick(r->sigin, UINT64_MAX); /* what waited for a lost segment comes now or never */
	calls_finish(r->calls, clock_now_ns());
	park_deny_all(r, "capture-end"); /* none: all conversations are over */
	proof_unmatched(r);
	e = endings_finish(r);
	if (r->err)
		return r->err;
	return e;
}

void recorder_figures(const struct recorder *r, struct recorder_figures *ret)
{
	const uint64_t *n = classify_counts(r->classify);
	struct slab_figures areas;

	*ret = r->fig;
	memcpy(ret->counts, n, sizeof(ret->counts));
	calls_get_stats(r->calls, &ret->table);
	sigin_get_stats(r->sigin, &ret->signalling);
	ret->memory = r->memory.used;
	slab_figures(r->memory.slab, &areas);
	ret->memory_areas = areas.areas;
	ret->memory_huge = areas.huge;
	ret->calls = ret->table.calls;
	ret->matched = ret->table.matched;
	ret->audio_packets_delivered = n[OPTAG_C_AUDIO];
	ret->event_packets = n[OPTAG_C_EVENT];
	ret->blocked_packets = n[OPTAG_C_BLOCK] + n[OPTAG_C_GATE];
	ret->inspected_packets = n[OPTAG_C_INSPECT];
	ret->rtp_packets = ret->audio_packets_delivered + ret->inspected_packets + ret->event_packets + ret->blocked_packets;
}

void recorder_free(struct recorder *r)
{
	if (!r)
		return;
	if (r->calls) {
		/* recordings that were not ended: nothing of them may stay readable */
		r->err = r->err ? r->err : -ECANCELED;
		calls_finish(r->calls, clock_now_ns());
	}
	park_deny_all(r, "capture-end");
	calls_free(r->calls);
	sigin_free(r->sigin);
	classify_free(r->classify);
	if (!r->set.flows)
		flow_free(r->flows);
	if (r->saving.p)
		explicit_bzero(r->saving.p, r->saving.cap);
	buf_free(&r->saving);
	slab_free(r->memory.slab);
	endings_free(r);
	free(r);
}
