/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Random calls, through daemon/call/ and through the reference of model.h; both must say the same after every
 * event, and the invariants of guidance 2 must hold (INV-1 to INV-8 and INV-10, below by name).
 *
 * MODEL_SEQUENCES (20,000) and MODEL_SEED (of the first one) come from the environment. A sequence that fails is made as
 * short as it goes and printed; the same seed with MODEL_SEQUENCES=1 runs it again.
 *
 * What stands for the recorder: two packets after each event, which go where the flow table says, and a key per
 * purpose that is there from `granted` to `destroy`. kill -9 goes on from the bytes of call_save as they were after the
 * last event that told of a change.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

static jmp_buf failed_at;
static char failed_why[512];
#define MUST(x)                                                                                            \
	do {                                                                                               \
		if (!(x)) {                                                                                \
			snprintf(failed_why, sizeof(failed_why), "%s:%d: %s", __FILE__, __LINE__, #x);     \
			longjmp(failed_at, 1);                                                             \
		}                                                                                          \
	} while (0)
#define FAKE_FLOWS 64
#include "../fakecalls.h"
#include "model.h"
#include "test_model_gen.h"

#define SAME(what, got, want, ...)                                                                                     \
	do {                                                                                                           \
		if ((got) != (want)) {                                                                                 \
			int n_ = snprintf(failed_why, sizeof(failed_why), "%s: is %d, the model says %d: ", what, (int)(got), (int)(want)); \
			snprintf(failed_why + n_, sizeof(failed_why) - (size_t)n_, __VA_ARGS__);                       \
			longjmp(failed_at, 1);                                                                         \
		}                                                                                                      \
	} while (0)

struct packet {
	uint64_t t;
	unsigned leg;
	bool kept[2], held;	/* the recorder's, by purpose */
	bool m_kept[2], m_held; /* the model's */
};

static struct run {
	struct world *w;
	struct model m;
	struct call *c; /* NULL: over, or not there yet */
	const struct seq *q;
	struct packet pkt[2 * EVENTS_MAX + 8];
	unsigned npkt, draws;
	int redrawn_by;
	const char *redraw; /* what the next one says */
	uint32_t hole[2]; /* by leg: what the flow table holds of a voice */
	bool key[2], dirty, gone, stepped;
	uint64_t granted[2];
	struct buf saved;
	uint64_t wheel; /* last time the table was told */
	uint32_t cseq[2]; /* by side */
	uint32_t quiet[2]; /* of a voice, as the recorder would say */
	struct call_press open[2]; /* by leg: its end packets are lost; key 0 none */
	uint64_t over[2];
	/* by the log alone (INV-6) */
	enum purpose_state log[2];
	bool given[2], ready_now;
	uint64_t until[2], notice_due; /* INV-5 */
	enum purpose_state end_state[2];
	const char *end_reason[2];
	struct {
		enum call_how how;
		uint64_t ns;
	} pressed[2]; /* by leg, the latest */
} R;

/* ---- what the table tells ---- */

static void on_granted(void *arg, struct call *c, enum policy_purpose p)
{
	(void)arg;
	MUST(c->state[p] == PURPOSE_GRANTED && c->rule->purpose[p].retention.n > 0); /* INV-8 */
	if (p == POLICY_TRAINING && c->decide.sample_waits)
		return;
	R.key[p] = true;
	R.granted[p] = c->decide.granted_ns[p];
	for (unsigned i = 0; i < R.npkt; i++) {
		if (p == POLICY_TRAINING) {
			R.pkt[i].kept[p] |= R.pkt[i].held;
			R.pkt[i].held = false;
		}
		/* E, F, G: what documentation has of it */
		if (p == POLICY_TRAINING && R.key[POLICY_DOCUMENTATION] && R.pkt[i].t >= R.granted[p])
			R.pkt[i].kept[p] |= R.pkt[i].kept[POLICY_DOCUMENTATION];
	}
}

static void on_destroy(void *arg, struct call *c, enum policy_purpose p)
{
	fake_on_destroy(arg, c, p);
	R.key[p] = false;
	for (unsigned i = 0; i < R.npkt; i++) {
		if (p == POLICY_TRAINING)
			R.pkt[i].held = false;
		R.pkt[i].kept[p] = false;
	}
}

/* The states as the evidence log alone gives them (INV-6), and what it must have said before (INV-2, INV-3). */
static void on_news(void *arg, const struct call *c, const struct call_news *n)
{
	int p = n->purpose;
	bool document = p != POLICY_TRAINING && m_document(&R.m, M_DOC);

	(void)arg;
	if (strcmp(n->event, "call.match") == 0) {
		for (p = 0; p < 2; p++)
			R.log[p] = m_has(&R.m, p) ? PURPOSE_PENDING : PURPOSE_NONE;
	} else if (strcmp(n->event, "consent.given") == 0) {
		MUST(p >= 0 && !R.given[p] && m_consent_basis(&R.m, p) && c->decide.notice == CALL_NOTICE_PROVEN);
		if (n->how == CALL_BY_RFC4733 || n->how == CALL_BY_INFO) {
			MUST(strcmp(n->actor, m_subject(&R.m) == 0 ? "caller" : "callee") == 0);
			MUST(n->at_ns >= c->decide.window_from_ns[p] && n->at_ns < c->decide.window_to_ns[p]);
		}
		R.given[p] = true;
	} else if (strcmp(n->event, "purpose.grant") == 0) {
		MUST(!m_consent_basis(&R.m, p) || R.given[p]); /* INV-2 */
		R.given[p] = false;
		R.log[p] = PURPOSE_GRANTED;
	} else if (strcmp(n->event, "purpose.deny") == 0) {
		MUST(!R.key[p]); /* INV-3 */
		R.log[p] = strcmp(n->reason, "consent.withdrawn") == 0			   ? PURPOSE_WITHDRAWN :
			   m_may_opt_out(&R.m, p) && strcmp(n->reason, "optout") == 0 ? PURPOSE_OPTED_OUT :
											   PURPOSE_DENIED;
	} else if (strcmp(n->event, "purpose.expire") == 0) {
		MUST(!R.key[p]);
		R.log[p] = PURPOSE_EXPIRED;
	} else if (document && R.log[M_DOC] == PURPOSE_GRANTED &&
		   (strcmp(n->event, "objection.opened") == 0 ||
		    (strcmp(n->event, "notice.missing") == 0 && R.q->rule.on_missing_notice == POLICY_MISSING_QUARANTINE))) {
		R.log[M_DOC] = PURPOSE_OBJECTED;
	}
}

static const char *on_draw(void *arg, struct call *c)
{
	(void)arg;
	R.draws++;
	c->decide.sample_slot = !R.q->draw;
	c->decide.sample_waits = !R.q->draw && R.q->waits;
	return R.q->draw;
}

static const char *on_redraw(void *arg, struct call *c, const struct policy_rule *r)
{
	(void)arg;
	MUST(c->state[M_TRAIN] == PURPOSE_PENDING && c->decide.sample_slot && r->purpose[M_TRAIN].sample_permille < 500);
	MUST(!R.redrawn_by || R.redrawn_by != r->purpose[M_TRAIN].sample_permille);
	R.redrawn_by = r->purpose[M_TRAIN].sample_permille;
	c->decide.sample_slot = !R.redraw;
	c->decide.sample_waits = !R.redraw && R.q->waits;
	return R.redraw;
}

static bool on_ready(void *arg)
{
	(void)arg;
	return R.q->ready;
}

static uint32_t on_quiet(void *arg, struct call *c, unsigned leg, uint64_t until, bool *ret_heard)
{
	(void)arg;
	(void)c;
	(void)until;
	*ret_heard = true;
	return R.quiet[leg];
}

static uint32_t on_hole(void *arg, struct call *c, unsigned leg)
{
	uint32_t ms = R.hole[leg];

	(void)arg;
	(void)c;
	R.hole[leg] = 0;
	return ms;
}

/* It says so once; the call asks in time. */
static bool on_press(void *arg, struct call *c, unsigned leg, uint64_t now, struct call_press *ret)
{
	(void)arg;
	(void)c;
	*ret = R.open[leg];
	MUST(!R.open[leg].key || now >= R.over[leg]);
	R.open[leg].key = 0;
	return ret->key;
}

static void on_changed(void *arg, struct call *c)
{
	(void)arg;
	(void)c;
	R.dirty = true;
}

static void on_ended(void *arg, struct call *c)
{
	fake_on_ended(arg, c);
	for (int p = 0; p < 2; p++) {
		R.end_state[p] = c->state[p];
		R.end_reason[p] = c->reason[p];
	}
	R.gone = true;
}

/* ---- one sequence ---- */

/* The model's packets follow its states, the recorder's the callbacks. */
static void on_model(const struct model *m, int p)
{
	enum purpose_state s = m->p[p].state;
	bool granted = s == PURPOSE_GRANTED && !(p == M_TRAIN && m->waits);

	for (unsigned i = 0; i < R.npkt; i++) {
		struct packet *k = &R.pkt[i];

		if (!m_may_exist(s))
			k->m_kept[p] = false;
		if (p != M_TRAIN)
			continue;
		/* what was held, and what documentation has, from where the grant begins */
		if (granted)
			k->m_kept[p] |= k->m_held || (k->m_kept[M_DOC] && i >= m->p[p].since);
		if (granted || (s != PURPOSE_PENDING && s != PURPOSE_GRANTED))
			k->m_held = false;
	}
}

static void send_sip(const struct fake_msg *k)
{
	static const struct sip_extra extra = { .name = { "X-Notice", "X-Out" }, .n = 2 };
	char text[4096];
	size_t n = fake_text(R.w, k, text, sizeof(text));
	bool caller = !k->status == !k->by_callee;
	struct sigin_from from = { .ts_ns = R.w->now };
	struct sip_msg m;
	const char *why;

	ipaddr_v4(caller ? R.w->src : R.w->dst, &from.src.addr);
	ipaddr_v4(caller ? R.w->dst : R.w->src, &from.dst.addr);
	from.src.port = from.dst.port = 5060;
	MUST(sip_parse(text, n, false, &extra, &m, &why) == 0);
	calls_message(R.w->cs, &from, &m);
	R.wheel = R.w->now / WHEEL_NS > R.wheel ? R.w->now / WHEEL_NS : R.wheel;
}

static const char *sdp_of(char *buf, size_t size, unsigned side, const char *more)
{
	int n = snprintf(buf, size,
			 "v=0\r\no=- %u 1 IN IP4 h\r\ns=-\r\nc=IN IP4 10.0.0.%u\r\nt=0 0\r\nm=audio %u RTP/AVP 8%s\r\n%s%s", side + 1,
			 side + 1, 4000 + side * 1000, R.q->no_event[!side] ? "" : " 101",
			 R.q->no_event[!side] ? "" : "a=rtpmap:101 telephone-event/8000\r\n", more ? more : "");
	MUST(n > 0 && (size_t)n < size);
	return buf;
}

static void start(void)
{
	struct calls_sink *s = &R.w->cs->sink;
	char a[512];

	R.w->policy.rule = R.q->rule;
	R.w->policy.rule.controller = &R.w->policy.controller;
	s->granted = on_granted;
	s->destroy = on_destroy;
	s->news = on_news;
	s->draw = on_draw;
	s->ready = on_ready;
	s->redraw = on_redraw;
	s->hole = on_hole;
	s->quiet = on_quiet;
	s->press = on_press;
	s->changed = on_changed;
	s->ended = on_ended;
	R.m = (struct model){ .r = &R.q->rule, .draw = R.q->draw, .ready = R.q->ready, .waits = R.q->waits,
			      .tell = on_model, .no_event = { R.q->no_event[0], R.q->no_event[1] } };
	R.w->now = FAKE_T0;
	calls_tick(R.w->cs, R.w->now);
	m_match(&R.m);
	send_sip(&(struct fake_msg){ .method = "INVITE", .id = "c1", .from_tag = "a", .to_tag = "", .cseq = 1, .sdp = sdp_of(a, sizeof(a), 0, NULL) });
	R.c = fake_call(R.w, "c1");
	R.cseq[0] = 1;
	R.m.numbered[0] = true;
	MUST(R.c && R.c->matched);
}

/* The table looks at its timers every 100 ms; a tick must not come just when the model's time is over. */
static void tick(uint64_t by)
{
	uint64_t t = R.w->now + by;
	const uint64_t *due[] = { &R.m.notice_due, &R.m.pause_due, &R.m.p[0].to, &R.m.p[1].to, &R.over[0], &R.over[1],
				  &R.m.p[0].from, &R.m.p[1].from /* what was told early counts then */ };

	for (unsigned i = 0; i < 8; i++)
		if (*due[i] != M_NEVER && t >= *due[i] && t - *due[i] < 250 * MS) {
			t += 250 * MS;
			i = (unsigned)-1;
		}
	if (R.m.bye && t < R.m.end + 700 * MS)
		t = R.m.end + 700 * MS;
	R.w->now = t;
	R.w->packets++;
	if (R.m.bye)
		m_end(&R.m, t);
	m_time(&R.m, t);
	calls_tick(R.w->cs, t);
	R.wheel = t / WHEEL_NS;
}

static void answer(void)
{
	char b[512];

	if (R.m.answered || R.m.bye)
		return;
	m_answer(&R.m, R.w->now);
	send_sip(&(struct fake_msg){ .method = "INVITE", .status = 200, .id = "c1", .from_tag = "a", .to_tag = "b", .cseq = 1,
				     .sdp = sdp_of(b, sizeof(b), 1, NULL) });
}

static void hold(bool on)
{
	char a[512], b[512];

	if (!R.m.answered || R.m.bye)
		return;
	m_time(&R.m, R.w->now);
	m_request(&R.m, 0);
	m_quiet(&R.m);
	R.m.hold = on;
	send_sip(&(struct fake_msg){ .method = "INVITE", .id = "c1", .from_tag = "a", .to_tag = "b", .cseq = ++R.cseq[0],
				     .sdp = sdp_of(a, sizeof(a), 0, on ? "a=sendonly\r\n" : NULL) });
	send_sip(&(struct fake_msg){ .method = "INVITE", .status = 200, .id = "c1", .from_tag = "a", .to_tag = "b", .cseq = R.cseq[0],
				     .sdp = sdp_of(b, sizeof(b), 1, on ? "a=recvonly\r\n" : NULL) });
}

static void header(unsigned leg, const char *text)
{
	send_sip(&(struct fake_msg){ .method = "INFO", .id = "c1", .from_tag = leg ? "b" : "a", .to_tag = leg ? "a" : "b", .by_callee = leg,
				     .cseq = ++R.cseq[leg], .extra = text });
}

/* Only a tick lets the time pass in which packets of a call that was hung up are still its own. */
static void linger(void)
{
	if (R.m.bye && R.w->now > R.m.end + 300 * MS)
		R.w->now = R.m.end + 300 * MS;
}

/* The same key by another way within a second is the same press (test_decide has those); the model knows presses only. */
static bool twin(const struct event *e)
{
	return R.pressed[e->a & 1].ns && R.pressed[e->a & 1].how != e->how && R.w->now <= R.pressed[e->a & 1].ns + SAME_PRESS_NS;
}

/* The next event of a leg ends the one before. */
static void close_open(unsigned leg)
{
	struct call_press p = R.open[leg];

	p.told_ns = R.w->now;
	m_open_over(&R.m, leg, UINT64_MAX);
	R.open[leg].key = 0;
	if (p.key)
		call_press(R.w->cs, R.c, leg, &p);
}

/* Its ends are lost: what the call knows is that a key is held. */
static void lose_end(unsigned leg, const struct call_press *p)
{
	R.open[leg] = *p;
	R.over[leg] = R.m.open[leg].over = p->end_ns + LOST_END_NS;
	R.m.open[leg].digit = p->key;
	R.m.open[leg].trusted = p->trusted;
	R.m.open[leg].begin = p->begin_ns;
	R.m.open[leg].at = p->end_ns;
	call_pressing(R.w->cs, R.c, leg, R.over[leg]);
}

static void press(const struct event *e)
{
	uint64_t held = e->how == CALL_BY_RFC4733 ? (uint64_t)e->held_ms * MS : 0;
	unsigned leg = e->a & 1;
	uint64_t *due[] = { &R.m.p[0].to, &R.m.p[1].to, &R.m.p[0].from, &R.m.p[1].from, &R.m.notice_due, &R.m.pause_due };

	R.w->now += 100 * MS; /* or exactly when something opens or is over, and a nanosecond before and after */
	if (e->exact && *due[e->b % 6] != M_NEVER && *due[e->b % 6] > R.w->now + 1)
		R.w->now = *due[e->b % 6] + e->exact - 2 + (e->b & 8 ? held : 0);
	for (const char *k = e->keys; *k; k++) {
		struct call_press p;

		linger();
		if (twin(e))
			return;
		close_open(leg);
		R.pressed[leg].how = e->how;
		R.pressed[leg].ns = R.w->now;
		p = (struct call_press){ *k, e->how, e->trusted, R.w->now - held, R.w->now, R.w->now, 0 };
		if (e->lost && e->how == CALL_BY_RFC4733 && R.m.matched && !R.m.over) {
			lose_end(leg, &p);
		} else {
			m_press(&R.m, leg, *k, e->how, e->trusted, p.begin_ns, p.end_ns);
			call_press(R.w->cs, R.c, leg, &p);
		}
		if (k[1])
			R.w->now += e->b & 1 ? 200 * MS : 10 * MS;
	}
}

static void command(const struct event *e)
{
	struct model before = R.m;
	int p = e->b & 1;

	before.tell = NULL;
	m_command(&R.m, e->cmd, p, R.w->now);
	(void)call_command(R.w->cs, R.c, e->cmd, p, CALL_BY_API, R.w->now);
	m_time(&before, R.w->now); /* INV-4: but for what time did, the other purpose is as it was */
	if (e->cmd != CALL_C_PAUSE && e->cmd != CALL_C_RESUME)
		MUST(R.c->state[!p] == before.p[!p].state && strcmp(R.c->reason[!p], before.p[!p].reason) == 0);
}

static void tighten(const struct event *e)
{
	static struct policy next;
	struct calls_tightened sum = { 0 };
	bool none = (e->a & 3) == 3;

	next = R.w->policy;
	next.rule.controller = &next.controller;
	m_time(&R.m, R.w->now);
	for (int p = 0; p < 2; p++) {
		if ((e->a >> p & 1) == 0)
			continue;
		next.rule.purpose[p].basis = POLICY_B_NONE;
		m_no_room(&R.m, p);
	}
	for (int p = 0; p < 2; p++)
		next.rule.purpose[p].retention = (struct policy_span){ 1 + e->b % 3, POLICY_U_MONTHS };
	for (int p = 0; p < 2 && !none && !R.m.bye; p++) {
		struct policy_window *w = &next.rule.purpose[p].window;

		if (next.rule.purpose[p].basis == POLICY_B_NONE)
			continue;
		w->from_s = (int)(e->a >> 2 & 3);
		w->to_s = (int)(e->b + 1);
		w->reopen_agent = e->ms < 3000;
		m_other_window(&R.m, p, w, R.w->now);
	}
	R.redraw = e->b & 8 ? "sample.draw" : NULL;
	if (e->b & 4 && !none && next.rule.purpose[M_TRAIN].basis != POLICY_B_NONE) {
		next.rule.purpose[M_TRAIN].sample_permille = 100 + (int)e->a;
		if (R.redrawn_by != 100 + (int)e->a)
			m_redrawn(&R.m, R.redraw, R.q->waits);
	}
	call_decide_time(R.w->cs, R.c, R.w->now);
	R.w->cs->now_ns = R.w->now;
	call_tighten(R.w->cs, R.c, none ? NULL : &next, &sum);
}

/* Another process goes on; which digits were typed, and what was on hold, is lost with this one. */
static void restart(bool killed)
{
	const struct calls_restore how = { R.w, fake_policy_of };
	struct calls *old = R.w->cs, *cs;
	struct buf b = { 0 };

	if (R.m.over)
		return;
	call_save(R.c, &b);
	MUST(!calls_new(&old->limit, &old->sink, &cs));
	calls_set_policy(cs, old->policy);
	cs->wheel_at = old->wheel_at;
	cs->stats = old->stats;
	cs->stats.active = 0;
	MUST(!calls_restore(cs, &how, killed ? R.saved.p : b.p, killed ? R.saved.len : b.len, &R.c));
	buf_free(&b);
	R.c->user = R.w;
	calls_restored(cs);
	calls_free(old);
	R.w->cs = cs;
	calls_refresh(cs, R.c);
	m_restarted(&R.m);
	for (unsigned leg = 0; leg < 2; leg++) /* as who resumes the recording does */
		if (R.open[leg].key)
			call_pressing(cs, R.c, leg, R.over[leg]);
	R.redrawn_by = 0; /* which amount it was drawn by is not told to the next one: once more takes nothing that it may have */
	for (unsigned i = 0; i < R.npkt; i++)
		R.pkt[i].held = R.pkt[i].m_held = false;
}

static void clock_back(uint64_t by)
{
	if (R.m.bye)
		return;
	R.w->now = R.wheel * WHEEL_NS - by;
	m_clock_back(&R.m, by);
	for (unsigned leg = 0; leg < 2; leg++) {
		R.over[leg] -= R.open[leg].key ? by : 0;
		R.open[leg].begin_ns -= R.open[leg].key ? by : 0;
		R.open[leg].end_ns -= R.open[leg].key ? by : 0;
	}
	R.notice_due = 0;
	R.stepped = true;
	calls_tick(R.w->cs, R.w->now);
	R.wheel = R.w->now / WHEEL_NS;
}

static void notice(const struct event *e)
{
	enum call_how how = e->a & 1 ? CALL_BY_API : CALL_BY_FINGERPRINT;
	int which = (int)(e->b % 3) - 1;
	uint64_t from = R.w->now - (e->a & 4 ? 2 * SEC : 0), to = e->a & 2 ? R.w->now : 0;

	m_heard(&R.m, which, how, from, to ? to : M_NEVER, R.w->now);
	call_notice_heard(R.w->cs, R.c, which, how, from, to, R.w->now);
}

static void step(const struct event *e)
{
	static const unsigned losses[] = { 59, 60, 500 };
	struct world *w = R.w;
	unsigned leg;

	w->packets++;
	w->now += MS; /* later than the packets before it */
	linger();
	switch (e->kind) {
	case EV_TICK:
		tick(e->ms * MS);
		break;
	case EV_ANSWER:
		answer();
		break;
	case EV_KEY:
		press(e);
		break;
	case EV_NOTICE:
		if (R.m.answered)
			notice(e);
		break;
	case EV_HEADER:
		/* the data subject's side may say no, and prove nothing (RX-1) */
		leg = e->b % 4 ? !m_subject(&R.m) : m_subject(&R.m);
		if (e->a & 1) {
			m_time(&R.m, w->now);
			m_request(&R.m, leg);
			if (leg != m_subject(&R.m))
				m_header(&R.m, w->now);
			header(leg, "X-Notice: yes\r\n");
		} else {
			m_time(&R.m, w->now);
			m_request(&R.m, leg);
			if (R.q->rule.purpose[M_TRAIN].optout_header)
				m_opt_out(&R.m, M_TRAIN);
			header(leg, "X-Out: 1\r\n");
		}
		break;
	case EV_COMMAND:
		command(e);
		break;
	case EV_LOSS:
		m_loss(&R.m, e->a & 1, losses[e->b % 3], w->now);
		call_lost_audio(w->cs, R.c, e->a & 1, losses[e->b % 3], w->now);
		break;
	case EV_HOLE:
		R.hole[e->a & 1] = R.m.unseen_ms[e->a & 1] = losses[e->b % 3];
		if (e->a & 2) {
			m_look(&R.m);
			call_look_for_loss(w->cs, R.c, w->now);
		}
		break;
	case EV_UNSEEN: /* a request of a side, or signalling of who knows whom */
		if (e->b & 4) {
			m_time(&R.m, w->now);
			for (unsigned side = 0; side < 2; side++)
				m_signalling_lost(&R.m, side);
			calls_lost_signalling(w->cs, w->now);
		} else {
			R.cseq[e->a & 1]++;
			R.m.unseen[e->a & 1] = true;
		}
		break;
	case EV_QUIET:
		R.m.quiet_ms[e->a & 1] = R.quiet[e->a & 1] = (const unsigned[]){ 0, 199, 200, 4000 }[e->b & 3];
		break;
	case EV_SDP_OFF:
		m_sdp_off(&R.m, w->now);
		call_recordpref_off(w->cs, R.c, e->a & 1, w->now);
		break;
	case EV_HOLD:
		hold(e->a & 1);
		break;
	case EV_SLOT:
		m_time(&R.m, w->now);
		call_decide_time(w->cs, R.c, w->now);
		if (e->a % 4) {
			R.m.waits = false;
			on_model(&R.m, M_TRAIN);
			call_slot_durable(w->cs, R.c);
		} else if (R.m.waits) {
			m_slot_lost(&R.m);
			call_slot_lost(w->cs, R.c);
		}
		break;
	case EV_TIGHTEN:
		tighten(e);
		break;
	case EV_RESTART:
		restart(e->a & 1);
		break;
	case EV_CLOCK:
		clock_back(e->ms * 1000 * MS);
		break;
	case EV_BYE:
		if (!R.m.answered || R.m.bye)
			break;
		m_time(&R.m, w->now);
		m_request(&R.m, 0);
		R.m.bye = true;
		R.m.end = w->now;
		send_sip(&(struct fake_msg){ .method = "BYE", .id = "c1", .from_tag = "a", .to_tag = "b", .cseq = ++R.cseq[0] });
		break;
	case EV_END:
		m_end(&R.m, w->now);
		calls_end(w->cs, R.c, "replaced", w->now);
		break;
	default:
		break;
	}
}

/* ---- after every event ---- */

static void packets(void)
{
	unsigned i;

	for (unsigned leg = 0; leg < 2 && !R.m.over && R.m.answered; leg++) {
		struct packet *k = &R.pkt[R.npkt++];
		bool up = fake_verdict(R.w, leg == 0 ? 2 : 1, leg == 0 ? 5000 : 4000) == OPTAG_V_RECORD;
		enum call_audio a = call_audio(R.c, leg);

		*k = (struct packet){ .t = R.w->now, .leg = leg, .held = up && a == CALL_A_HOLD, .m_held = m_holds(&R.m, leg) };
		for (int p = 0; p < 2; p++) {
			k->kept[p] = up && a == CALL_A_WRITE && call_keeps(R.c, p) && R.key[p];
			k->m_kept[p] = m_writes(&R.m, leg) && m_keeps(&R.m, p);
			SAME("audio written", k->kept[p], k->m_kept[p], "purpose %d, leg %u, call_audio %d", p, leg, a);
		}
		SAME("audio held", k->held, k->m_held, "leg %u, call_audio %d", leg, a);
		MUST(up == (k->kept[0] || k->kept[1] || k->held));
		if (a == CALL_A_INSPECT)
			MUST(R.q->rule.proof == POLICY_PROOF_FINGERPRINT && leg != m_subject(&R.m) && R.m.notice == M_WAITS);
	}
	for (i = 0; i < R.npkt; i++) {
		const struct packet *k = &R.pkt[i];

		SAME("held", k->held, k->m_held, "packet %u", i);
		for (int p = 0; p < 2; p++) {
			/* after a step back times do not tell what was before a grant: the recorder's business */
			if (!R.stepped)
				SAME("readable", k->kept[p], k->m_kept[p], "packet %u, purpose %d", i, p);
		}
	}
}

/* Could a press on this leg change anything now? Then its key presses must come up. */
static bool press_matters(unsigned leg)
{
	static const char *const keys[] = { "1", "12", "2", "0", "8", "9", "7", "*7", "*8", "*5", "*6", "*9" };

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		struct model m = R.m;

		m.typed[leg].n = 0;
		m.tell = NULL;
		for (const char *k = keys[i]; *k; k++)
			m_press(&m, leg, *k, CALL_BY_RFC4733, true, R.w->now, R.w->now);
		for (int p = 0; p < 2; p++)
			/* what a later policy stopped nobody listens for, but for a consent that is taken back */
			if (m.p[p].state != R.m.p[p].state && (!m.p[p].stopped || m_consent_basis(&m, p)))
				return true;
		if (m.refused != R.m.refused && m.p[M_TRAIN].state != PURPOSE_OPTED_OUT)
			return true;
		if (m.paused != R.m.paused && (m_writes(&R.m, 0) || m_writes(&R.m, 1) || m_writes(&m, 0) || m_writes(&m, 1)))
			return true;
	}
	return false;
}

static void compare(void)
{
	const struct call *c = R.c;

	for (int p = 0; p < 2; p++) {
		enum purpose_state s = R.gone ? R.end_state[p] : c->state[p];
		const char *reason = R.gone ? R.end_reason[p] : c->reason[p];

		SAME("state", s, R.m.p[p].state, "purpose %d, %s and %s (%s, %s)", p, purpose_state_name(s), purpose_state_name(R.m.p[p].state), reason,
		     R.m.p[p].reason);
		if (strcmp(reason, R.m.p[p].reason) != 0)
			SAME("reason", 0, 1, "purpose %d, '%s' and '%s'", p, reason, R.m.p[p].reason);
		SAME("INV-6, the log", R.log[p], s, "purpose %d", p);
		MUST(!R.key[p] || m_may_exist(s));			 /* INV-1 */
		MUST(!R.given[p]);					 /* INV-6: a consent that granted nothing */
		MUST(m_has(&R.m, p) || s == PURPOSE_NONE);
	}
	MUST(R.draws == (m_has(&R.m, M_TRAIN) && R.q->ready)); /* INV-10: one draw a call, whatever comes */
	MUST(R.m.over == R.gone);
	for (unsigned leg = 0; leg < 2; leg++) /* nothing that was pressed is forgotten */
		MUST(R.open[leg].key == R.m.open[leg].digit && (!R.open[leg].key || (!R.gone && R.w->now < R.over[leg] + WHEEL_NS)));
	MUST(R.gone || !R.m.refused || c->peers->bound); /* */
	/* INV-7 */
	MUST(R.m.notice != M_MISSING || R.m.p[M_TRAIN].state != PURPOSE_GRANTED);
	MUST(R.q->ready || (!R.key[0] && !R.key[1]));
	if (R.gone)
		return;
	if (R.m.notice == M_MISSING && c->state[0] == PURPOSE_OBJECTED && R.q->rule.on_missing_notice == POLICY_MISSING_QUARANTINE)
		MUST(c->tight.until_ns[0] && c->tight.until_ns[0] <= c->start_ns + 7 * 86400 * SEC);
	for (int p = 0; p < 2; p++) { /* INV-5 */
		MUST(!R.until[p] || (c->tight.until_ns[p] && c->tight.until_ns[p] <= R.until[p]));
		R.until[p] = c->tight.until_ns[p];
	}
	MUST(!R.notice_due || c->decide.notice_due_ns <= R.notice_due);
	R.notice_due = c->decide.notice_due_ns;
	for (unsigned leg = 0; leg < 2 && R.m.answered; leg++)
		if (press_matters(leg))
			MUST(fake_verdict(R.w, leg == 0 ? 2 : 1, leg == 0 ? 5000 : 4000) > OPTAG_V_BLOCK);
	fake_check_call(R.w, c);
}

/* Who keeps the saved bytes learns of every change of them. */
static void save(void)
{
	struct buf b = { 0 };

	call_save(R.c, &b);
	MUST(!b.failed);
	if (!R.dirty)
		MUST(b.len == R.saved.len && memcmp(b.p, R.saved.p, b.len) == 0);
	buf_free(&R.saved);
	R.saved = b;
	R.dirty = false;
}

static bool run(const struct seq *q)
{
	struct world *w = fake_world(NULL);
	volatile bool ok = false;

	memset(&R, 0, sizeof(R));
	R.w = w;
	R.q = q;
	if (setjmp(failed_at) == 0) {
		start();
		for (unsigned i = 0; i <= q->n && !R.m.over; i++) {
			R.m.packets = R.npkt;
			if (i)
				step(&q->ev[i - 1]);
			if (i && !R.gone) { /* an event that meant nothing looked at no clock */
				m_time(&R.m, w->now);
				call_decide_time(R.w->cs, R.c, w->now);
			}
			if (R.gone)
				R.c = NULL;
			compare();
			packets();
			if (R.c)
				save();
		}
		ok = true;
	}
	buf_free(&R.saved);
	calls_free(R.w->cs);
	free(w);
	return ok;
}

/* ---- many ---- */

static void shrink(struct seq *q)
{
	bool less = true;

	while (less) {
		less = false;
		for (unsigned i = 0; i < q->n; i++) {
			struct seq t = *q;

			memmove(&t.ev[i], &t.ev[i + 1], (t.n - i - 1) * sizeof(t.ev[0]));
			t.n--;
			if (run(&t))
				continue;
			*q = t;
			less = true;
			i--;
		}
	}
	(void)run(q); /* its reason */
}

static uint64_t from_environment(const char *name, uint64_t otherwise)
{
	const char *s = getenv(name);

	return s && *s ? strtoull(s, NULL, 0) : otherwise;
}

static void test_random_calls(void **state)
{
	uint64_t n = from_environment("MODEL_SEQUENCES", 20000), seed = from_environment("MODEL_SEED", (uint64_t)time(NULL) << 20), i;
	unsigned events = 0;
	struct seq q;

	(void)state;
	printf("%llu sequences from MODEL_SEED=%llu on\n", (unsigned long long)n, (unsigned long long)seed);
	for (i = 0; i < n; i++) {
		seq_make(&q, seed + i);
		events += q.n;
		if (run(&q))
			continue;
		printf("MODEL_SEED=%llu MODEL_SEQUENCES=1: %s\n", (unsigned long long)(seed + i), failed_why);
		shrink(&q);
		printf("shortest: %s\n", failed_why);
		seq_print(&q);
		fail();
	}
	printf("%u events\n", events);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_calls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
