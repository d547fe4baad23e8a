/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * model.h - what the guidance wants of one call, written down a second time
 *
 * A reference for test_model.c, from the tables of guidance 4 to 6 and the settings of the policy
 * language alone; it shares no code with daemon/call/. One call, two purposes, plain statements, exact
 * times. Where the tables are silent it takes what keeps less. M_NEVER: no such time.
 */
#ifndef MODEL_H
#define MODEL_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "call/call.h" /* the closed lists of states, bases and commands; no function */

#define M_NEVER	 UINT64_MAX
#define M_S	 1000000000ULL
#define M_DOC	 POLICY_DOCUMENTATION
#define M_TRAIN	 POLICY_TRAINING
#define M_DIGITS 16

struct m_purpose {
	enum purpose_state state;
	const char *reason;
	bool silence;	      /* DENIED by time-out alone */
	bool stopped;	      /* a later policy took it: nothing more is kept, nothing is given back */
	bool told_early;      /* consent told by a system before the notice was proven, or its window open */
	uint64_t told_at;     /* then */
	bool reopened;
	uint64_t from, to;    /* decision window; M_NEVER: not open */
	struct policy_window w; /* the rule's, or what later policies made of it */
	unsigned since;	      /* packets before this one are not for this purpose */
};

struct model {
	const struct policy_rule *r;
	const char *draw; /* NULL in; why out */
	bool ready;	  /* what begins can be proven */
	bool no_event[2]; /* by leg: this voice has no telephone-event */
	bool matched, answered, bye, over, hold;
	uint64_t answer, end;
	struct m_purpose p[2];
	enum { M_WAITS, M_HEARD, M_MISSING } notice;
	bool before_answer; /* the header came before the answer */
	uint64_t notice_from, notice_to, notice_due;
	int notice_which; /* -1 not known which */
	bool paused, pause_over;
	uint64_t pause_due;
	bool objected; /* to documentation, by a person; not only unproven */
	bool waits;    /* the sample's slot is not durable */
	bool sdp_off;
	bool refused;  /* an opt-out from training, in whatever state: it travels to all later parts */
	uint64_t unseen_ms[2]; /* by leg: the longest hole in a voice while nobody above saw it, not looked for yet */
	uint64_t quiet_ms[2];  /* for how long that voice has been missing */
	bool numbered[2], unseen[2]; /* by side: a request of it was seen; one was not since */
	unsigned packets; /* so far */
	void (*tell)(const struct model *m, int p); /* a purpose has another state; may be NULL */
	struct {
		char d[M_DIGITS];
		bool strange[M_DIGITS]; /* not from the party's own address, or by a way that the rule does not name */
		uint64_t begin[M_DIGITS];
		uint64_t at[M_DIGITS]; /* at[0]: of a press that is forgotten by now, when d[0] is 0 */
		unsigned n;
	} typed[2];
	struct { /* a press whose end nobody saw: over when nothing has come of it for so long */
		char digit; /* 0 none */
		bool trusted;
		uint64_t begin, at, over;
	} open[2];
	uint64_t paused_at;
	bool doubt[2];	   /* by purpose: consented by a key that may yet be part of a number */
	uint64_t doubt_at; /* the last press since */
	unsigned held;	   /* presses since, the last ones, that are no key and may become one */
	uint64_t now; /* of what is said */
};

static inline const struct policy_block *m_block(const struct model *m, int p)
{
	return &m->r->purpose[p];
}

static inline bool m_has(const struct model *m, int p)
{
	return m_block(m, p)->basis != POLICY_B_NONE;
}

static inline bool m_consent_basis(const struct model *m, int p)
{
	return m_block(m, p)->basis == POLICY_B_CONSENT;
}

/* C, F */
static inline bool m_may_opt_out(const struct model *m, int p)
{
	return p == M_TRAIN && m_block(m, p)->basis == POLICY_B_INTEREST && !m_block(m, p)->special;
}

/* D, G */
static inline bool m_special(const struct model *m, int p)
{
	return p == M_TRAIN && m_block(m, p)->basis == POLICY_B_INTEREST && m_block(m, p)->special;
}

/* A1, A3 */
static inline bool m_document(const struct model *m, int p)
{
	return p == M_DOC && m_has(m, p) && !m_consent_basis(m, p);
}

static inline unsigned m_subject(const struct model *m)
{
	return m->r->side == POLICY_SIDE_CALLED ? 0 : 1; /* leg 0 is the caller */
}

static inline bool m_may_exist(enum purpose_state s)
{
	return s == PURPOSE_GRANTED || s == PURPOSE_OBJECTED;
}

static inline void m_set(struct model *m, int p, enum purpose_state s, const char *reason)
{
	m->p[p].state = s;
	m->p[p].reason = reason;
	m->p[p].silence = false;
	if (m->tell)
		m->tell(m, p);
}

static inline void m_grant(struct model *m, int p, unsigned since)
{
	m->p[p].since = since;
	m_set(m, p, PURPOSE_GRANTED, "");
}

/* ---- 5.2 consent ---- */

static inline bool m_consent_can(const struct model *m, int p)
{
	const struct m_purpose *x = &m->p[p];

	return m_consent_basis(m, p) && !x->stopped && m->ready &&
	       (x->state == PURPOSE_PENDING || x->state == PURPOSE_WITHDRAWN || (x->state == PURPOSE_DENIED && x->silence));
}

static inline void m_consent(struct model *m, int p)
{
	bool first = m->p[p].state == PURPOSE_PENDING;

	if (!m_consent_can(m, p))
		return;
	if (p == M_TRAIN)
		m->refused = false;
	/* E: consent is to the use of the conversation, so also of what documentation has; all others: from this instant */
	m_grant(m, p, p == M_TRAIN && first && m_has(m, M_DOC) && !m_block(m, p)->training_from_press ? 0 : m->packets);
}

static inline void m_withdraw(struct model *m, int p)
{
	m->p[p].told_early = false;
	if (m_consent_basis(m, p) && p == M_TRAIN)
		m->refused = true; /* also of what was granted in another part */
	if (!m_consent_basis(m, p) || m->p[p].state != PURPOSE_GRANTED)
		return;
	m_set(m, p, PURPOSE_WITHDRAWN, "consent.withdrawn");
	if (m->p[p].from < m->now) /* a yes of before it is none */
		m->p[p].from = m->now;
}

/* ---- people who do not want it ---- */

static inline void m_opt_out(struct model *m, int p)
{
	struct m_purpose *x = &m->p[p];

	if (p == M_TRAIN && (m_consent_basis(m, p) || m_may_opt_out(m, p)))
		m->refused = true;

	if (m_consent_basis(m, p)) { /* = no consent, or a withdrawal */
		x->told_early = false;
		if (x->state == PURPOSE_PENDING)
			m_set(m, p, PURPOSE_DENIED, "optout");
		m_withdraw(m, p);
	} else if (m_may_opt_out(m, p)) {
		if (x->state == PURPOSE_PENDING || x->state == PURPOSE_GRANTED)
			m_set(m, p, PURPOSE_OPTED_OUT, "optout");
	} else if (m_document(m, p)) {
		if (m_block(m, p)->basis == POLICY_B_OBLIGATION) { /* A3: refused, and everybody can see it */
			if (x->state == PURPOSE_GRANTED && !*x->reason)
				x->reason = "optout.statute";
			return;
		}
		if (m_may_exist(x->state)) /* A1: treated as objection */
			m->objected = true;
		if (x->state == PURPOSE_GRANTED)
			m_set(m, p, PURPOSE_OBJECTED, "objection");
	} /* D, G: not offered */
}

static inline void m_object(struct model *m, int p, bool grounds)
{
	struct m_purpose *x = &m->p[p];

	if (m_consent_basis(m, p)) {
		m_withdraw(m, p);
	} else if (m_may_opt_out(m, p)) {
		m_opt_out(m, p);
	} else if (m_special(m, p)) {
		if (grounds && (x->state == PURPOSE_PENDING || x->state == PURPOSE_GRANTED))
			m_set(m, p, PURPOSE_DENIED, "objection");
	} else if (m_document(m, p)) {
		if (m_may_exist(x->state))
			m->objected = true;
		if (x->state == PURPOSE_GRANTED)
			m_set(m, p, PURPOSE_OBJECTED, "objection");
	}
}

/* ---- notice and windows ---- */

static inline void m_notice_missing(struct model *m)
{
	struct m_purpose *d = &m->p[M_DOC], *t = &m->p[M_TRAIN];

	m->notice_due = M_NEVER;
	if (m->notice != M_WAITS)
		return;
	m->notice = M_MISSING;
	for (int p = 0; p < 2; p++) {
		if (m_consent_basis(m, p) && m->p[p].state == PURPOSE_PENDING)
			m_set(m, p, PURPOSE_DENIED, "notice.missing");
		m->p[p].told_early = false;
	}
	if (!m_consent_basis(m, M_TRAIN) && (t->state == PURPOSE_PENDING || t->state == PURPOSE_GRANTED))
		m_set(m, M_TRAIN, PURPOSE_DENIED, "notice.missing");
	if (!m_document(m, M_DOC) || !m_may_exist(d->state))
		return;
	if (m->r->on_missing_notice == POLICY_MISSING_DISCARD)
		m_set(m, M_DOC, PURPOSE_DENIED, "notice.missing");
	else if (m->r->on_missing_notice == POLICY_MISSING_KEEP)
		d->reason = "notice.missing";
	else
		m_set(m, M_DOC, PURPOSE_OBJECTED, "notice.missing");
}

static inline uint64_t m_length(const struct model *m, int which)
{
	uint64_t ms = 0;

	if (which >= 0)
		return (uint64_t)m->r->notice[which].length_ms * 1000000;
	for (size_t i = 0; i < m->r->nnotice; i++) {
		if (!m->r->notice[i].length_ms)
			return 0;
		if (m->r->notice[i].length_ms > ms)
			ms = m->r->notice[i].length_ms;
	}
	return ms * 1000000;
}

static inline void m_uncertain(struct model *m, uint64_t ms)
{
	enum purpose_state s = m->p[M_TRAIN].state;

	if (ms >= 60 && m_may_opt_out(m, M_TRAIN) && m_block(m, M_TRAIN)->on_loss != 1 && (s == PURPOSE_PENDING || s == PURPOSE_GRANTED))
		m_set(m, M_TRAIN, PURPOSE_DENIED, "optout.uncertain");
}

/* X-4, and INV-7: the evidence of a key press that counts, on whosever leg, is lost. The subject's counts in any case. */
static inline bool m_leg_counts(const struct model *m, unsigned leg)
{
	return leg == m_subject(m) || *m_block(m, M_TRAIN)->optout_agent_key[0];
}

/* It holds also where the audio stays in the classifier; before silence or the end decides, somebody looks. */
static inline void m_look(struct model *m)
{
	for (unsigned leg = 0; leg < 2; leg++) {
		if (!m_leg_counts(m, leg))
			continue;
		m_uncertain(m, m->unseen_ms[leg]);
		if (m->p[M_TRAIN].state == PURPOSE_PENDING || m->p[M_TRAIN].state == PURPOSE_GRANTED)
			m->unseen_ms[leg] = 0;
	}
}

/* X-4 behind the last packet: numbers say nothing there, and a telephone that hangs up stops a little before. */
static inline void m_quiet(struct model *m)
{
	for (unsigned leg = 0; leg < 2; leg++)
		if (m->answered && !m->hold && m_leg_counts(m, leg) && m->quiet_ms[leg] >= 200)
			m_uncertain(m, m->quiet_ms[leg]);
}

/* The next request of a side: was one before it not seen, that could have been an opt-out, or the end of a hold, on which nobody waits for voices? */
static inline void m_signalling_lost(struct model *m, unsigned side)
{
	const struct policy_block *b = m_block(m, M_TRAIN);

	if (m->hold || b->optout_header || (b->dtmf & POLICY_DTMF_INFO && *(side == m_subject(m) ? b->optout_key : b->optout_agent_key)[0]))
		m_uncertain(m, 60);
}

static inline void m_request(struct model *m, unsigned side)
{
	if (m->unseen[side] && m->numbered[side])
		m_signalling_lost(m, side);
	m->numbered[side] = true;
	m->unseen[side] = false;
}

/* Which counts when both are there, and was not told when the question was over (INV-2). */
static inline void m_early(struct model *m, int p, uint64_t now)
{
	struct m_purpose *x = &m->p[p];

	if (!x->told_early || m->notice != M_HEARD || x->to == M_NEVER || now < x->from)
		return;
	x->told_early = false;
	if (x->told_at <= x->to)
		m_consent(m, p);
}

static inline void m_window_closes(struct model *m, int p)
{
	struct m_purpose *x = &m->p[p];

	if (p == M_TRAIN)
		m_look(m);
	x->to = M_NEVER;
	x->reopened = false;
	if (x->state != PURPOSE_PENDING)
		return;
	if (m_consent_basis(m, p)) {
		m_set(m, p, PURPOSE_DENIED, "consent.none");
		x->silence = true;
	} else if (m_may_opt_out(m, p) && !x->stopped) {
		m_grant(m, p, 0);
	}
}

static inline void m_open_window(struct model *m, int p, uint64_t now)
{
	struct m_purpose *x = &m->p[p];
	const struct policy_window *w = &x->w;
	uint64_t end = m->notice_to;

	if (!m_has(m, p) || !w->set || x->state != PURPOSE_PENDING)
		return;
	if (end == M_NEVER) { /* not heard to end: its length; when that is not known, what is strict for the purpose */
		uint64_t n = m_length(m, m->notice_which);

		if (!n && !m_consent_basis(m, p))
			n = (uint64_t)m->r->notice_timeout_s * M_S;
		end = m->notice_from + n;
	}
	x->from = (w->from_answer ? m->answer : m->notice_from) + (uint64_t)w->from_s * M_S;
	x->to = (w->from_answer ? m->answer : end) + (uint64_t)w->to_s * M_S;
	m_early(m, p, now);
	if (now >= x->to)
		m_window_closes(m, p);
}

static inline void m_notice_proven(struct model *m, int which, uint64_t from, uint64_t to, uint64_t now)
{
	m->notice = M_HEARD;
	m->notice_due = M_NEVER;
	m->notice_from = from;
	m->notice_to = to;
	m->notice_which = which;
	if (m_special(m, M_TRAIN) && m->p[M_TRAIN].state == PURPOSE_PENDING && !m->p[M_TRAIN].stopped)
		m_grant(m, M_TRAIN, 0);
	for (int p = 0; p < 2; p++)
		m_open_window(m, p, now);
}

static inline void m_press(struct model *m, unsigned leg, char digit, enum call_how how, bool trusted, uint64_t begin, uint64_t now);
static inline void m_no_answer(struct model *m);

/* What was pressed, and nobody saw end (X-3: lost end packet), ended when it was seen last. */
static inline void m_open_over(struct model *m, unsigned leg, uint64_t now)
{
	char digit = m->open[leg].digit;
	uint64_t at = m->open[leg].at < now ? m->open[leg].at : now;

	m->open[leg].digit = 0;
	if (digit)
		m_press(m, leg, digit, CALL_BY_RFC4733, m->open[leg].trusted, m->open[leg].begin < at ? m->open[leg].begin : at, at);
}

/* What time alone decides. A call that was hung up decides nothing any more. */
static inline void m_time(struct model *m, uint64_t now)
{
	if (!m->matched || m->over)
		return;
	m->now = now;
	for (unsigned leg = 0; leg < 2; leg++)
		if (m->open[leg].digit && now >= m->open[leg].over)
			m_open_over(m, leg, now);
	m->now = now;
	if (m->held && now >= m->doubt_at + KEY_PAUSE_NS)
		m_no_answer(m);
	if (m->bye && now > m->end)
		now = m->end;
	if (now >= m->notice_due)
		m_notice_missing(m);
	for (int p = 0; p < 2; p++) {
		m_early(m, p, now);
		if (now >= m->p[p].to)
			m_window_closes(m, p);
	}
	if (now >= m->pause_due) {
		m->pause_due = M_NEVER;
		if (m->paused && m->r->pause_stop)
			m->pause_over = true;
		else
			m->paused = false;
	}
}

/* ---- the call ---- */

static inline void m_match(struct model *m)
{
	m->matched = true;
	m->notice_due = m->pause_due = m->notice_to = M_NEVER;
	m->notice_which = -1;
	for (int p = 0; p < 2; p++) {
		m->p[p] = (struct m_purpose){ .state = PURPOSE_NONE, .reason = "", .from = M_NEVER, .to = M_NEVER };
		m->p[p].w = m_block(m, p)->window;
		if (!m_has(m, p))
			continue;
		if (!m->ready)
			m_set(m, p, PURPOSE_DENIED, "evidence.unavailable");
		else if (p == M_TRAIN && m->draw)
			m_set(m, p, PURPOSE_DENIED, m->draw);
		else if (m_document(m, p))
			m_grant(m, p, 0);
		else
			m_set(m, p, PURPOSE_PENDING, "");
	}
	m->waits = m->waits && m_has(m, M_TRAIN) && m->ready && !m->draw;
}

/* R-41b: a key that was promised and cannot be heard in this call. */
static inline void m_check_paths(struct model *m)
{
	const struct policy_block *b = m_block(m, M_TRAIN);
	struct m_purpose *t = &m->p[M_TRAIN];
	unsigned s = m_subject(m);

	if (!m_may_opt_out(m, M_TRAIN) || (t->state != PURPOSE_PENDING && t->state != PURPOSE_GRANTED) || !(b->dtmf & POLICY_DTMF_RFC4733))
		return;
	if ((*b->optout_key[0] && m->no_event[s]) ||
	    (*b->optout_agent_key[0] && !b->optout_agent_api && !b->optout_agent_header && m->no_event[!s]))
		m_set(m, M_TRAIN, PURPOSE_DENIED, "optout.no-path");
}

static inline void m_answer(struct model *m, uint64_t now)
{
	m->answered = true;
	m->answer = now;
	if (m->r->proof == POLICY_PROOF_ATTESTED || m->before_answer) {
		uint64_t n = m_length(m, -1);

		m_notice_proven(m, m->r->nnotice == 1 ? 0 : -1, now, n ? now + n : M_NEVER, now);
	} else {
		m->notice_due = now + (uint64_t)m->r->notice_timeout_s * M_S;
	}
	m_check_paths(m);
}

static inline void m_header(struct model *m, uint64_t now)
{
	m_time(m, now);
	if (m->r->proof != POLICY_PROOF_HEADER || m->notice != M_WAITS || (m->bye && now > m->end))
		return;
	if (!m->answered && m_subject(m) == 1) /* who is called has heard nothing yet */
		return;
	m->before_answer = true;
	if (m->answered)
		m_notice_proven(m, m->r->nnotice == 1 ? 0 : -1, now, M_NEVER, now);
}

static inline void m_heard(struct model *m, int which, enum call_how how, uint64_t from, uint64_t to, uint64_t now)
{
	m_time(m, now);
	if (which < 0 && m->r->nnotice == 1)
		which = 0;
	if (m->r->proof != (how == CALL_BY_API ? POLICY_PROOF_API : POLICY_PROOF_FINGERPRINT) || which >= (int)m->r->nnotice)
		return;
	if (m->bye && now > m->end) /* recognised late */
		now = m->end;
	if (from > now || (m_subject(m) == 1 && (!m->answered || from < m->answer)))
		return;
	if (m->notice == M_WAITS) {
		m_notice_proven(m, which, from, to, now);
	} else if (m->notice == M_HEARD && m->notice_which == which && to != M_NEVER && m->notice_to == M_NEVER) {
		m->notice_to = to;
		for (int p = 0; p < 2; p++)
			if (m->p[p].to != M_NEVER && !m->p[p].reopened)
				m_open_window(m, p, now);
	}
}

static inline void m_loss(struct model *m, unsigned leg, uint64_t ms, uint64_t now)
{
	m_time(m, now);
	if (m_leg_counts(m, leg))
		m_uncertain(m, ms);
}

static inline void m_sdp_off(struct model *m, uint64_t now)
{
	m_time(m, now);
	if (m->sdp_off)
		return;
	m->sdp_off = true;
	m_opt_out(m, M_DOC);
	m_opt_out(m, M_TRAIN);
}

static inline void m_pause(struct model *m, uint64_t now)
{
	static const uint64_t unit[] = { 1, 60, 3600, 86400 };
	uint64_t max = (uint64_t)m->r->pause_max.n * unit[m->r->pause_max.unit] * M_S;

	if (m->paused)
		return;
	m->paused = true;
	m->paused_at = now;
	m->pause_due = max ? now + max : M_NEVER;
}

static inline void m_resume(struct model *m)
{
	if (m->pause_over)
		return;
	m->paused = false;
	m->pause_due = M_NEVER;
}

static inline void m_not_needed(struct model *m, int p)
{
	if (m_document(m, p) && m->p[p].state == PURPOSE_GRANTED)
		m_set(m, p, PURPOSE_EXPIRED, "not-needed");
}

static inline void m_end(struct model *m, uint64_t now)
{
	bool said = m->bye; /* else what was not seen may have been an opt-out (X-4, INV-7) */

	if (!m->bye)
		m->end = now;
	m->bye = true;
	for (unsigned leg = 0; leg < 2; leg++)
		m_open_over(m, leg, now);
	m_time(m, now);
	if (m->held)
		m_no_answer(m);
	m_look(m);
	m_quiet(m);
	if (!said && (m->answered || m->p[M_TRAIN].state == PURPOSE_GRANTED))
		m_uncertain(m, UINT64_MAX);
	for (int p = 0; p < 2; p++)
		if (m->p[p].state == PURPOSE_PENDING)
			m_set(m, p, PURPOSE_DENIED, m_consent_basis(m, p) ? "consent.none" : "hangup");
	if (m->waits && m->p[M_TRAIN].state == PURPOSE_GRANTED)
		m_set(m, M_TRAIN, PURPOSE_DENIED, "sampling.unavailable");
	if (m->notice == M_WAITS && m->answered)
		m_notice_missing(m);
	m->over = true;
}

/* The slot is gone with the process that had it. */
static inline void m_slot_lost(struct model *m)
{
	m->waits = false;
	if (m->p[M_TRAIN].state == PURPOSE_PENDING || m_may_exist(m->p[M_TRAIN].state))
		m_set(m, M_TRAIN, PURPOSE_DENIED, "sampling.unavailable");
}

/* A later policy has no room for the purpose (policy-language 5.2). */
static inline void m_no_room(struct model *m, int p)
{
	struct m_purpose *x = &m->p[p];
	bool begun = m->answered || m->r->record_early_media;

	if (!m_has(m, p) || x->stopped)
		return;
	x->stopped = true;
	x->told_early = false;
	if (x->state != PURPOSE_PENDING && !m_may_exist(x->state))
		return;
	if (p == M_DOC && begun && x->state != PURPOSE_PENDING) { /* what was recorded stays, no more is */
		if (x->state == PURPOSE_GRANTED && !*x->reason)
			x->reason = "policy.tightened";
		return;
	}
	m_set(m, p, PURPOSE_DENIED, "policy.tightened");
}

/*
 * A later policy records less for training: who is granted was within the amount of then; who is not is drawn again, and out is out.
 * waits: the new slot is not durable.
 */
static inline void m_redrawn(struct model *m, const char *out, bool waits)
{
	if (m->p[M_TRAIN].state != PURPOSE_PENDING)
		return;
	if (out)
		m_set(m, M_TRAIN, PURPOSE_DENIED, out);
	else
		m->waits = waits;
}

/*
 * A later policy has another window (policy-language 5.2: a shorter one applies, a longer one does not). To an opt-out the
 * stricter is the longer one: silence grants later.
 */
static inline void m_other_window(struct model *m, int p, const struct policy_window *w, uint64_t now)
{
	struct m_purpose *x = &m->p[p];
	struct policy_window was = x->w;

	if (!m_has(m, p) || !was.set || !w->set)
		return;
	if (m_consent_basis(m, p)) {
		x->w.from_s = w->from_s > was.from_s ? w->from_s : was.from_s;
		x->w.to_s = w->to_s < was.to_s ? w->to_s : was.to_s;
		x->w.reopen_agent = was.reopen_agent && w->reopen_agent;
	} else {
		x->w.to_s = w->to_s > was.to_s ? w->to_s : was.to_s;
	}
	if (x->to == M_NEVER || (m->bye && now > m->end))
		return;
	if (!x->reopened) {
		x->from += (uint64_t)(x->w.from_s - was.from_s) * M_S;
		x->to += (uint64_t)(x->w.to_s - was.to_s) * M_S;
	} else if (!x->w.reopen_agent) {
		x->to = now;
	} else if (x->w.to_s > 0 && x->from + (uint64_t)x->w.to_s * M_S < x->to) {
		x->to = x->from + (uint64_t)x->w.to_s * M_S;
	}
	if (now >= x->to)
		m_window_closes(m, p);
}

/* The clock was set back: what had so much left has it still. */
static inline void m_clock_back(struct model *m, uint64_t by)
{
	uint64_t *t[] = { &m->notice_due, &m->pause_due, &m->p[0].from, &m->p[0].to, &m->p[1].from, &m->p[1].to };

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		if (*t[i] != M_NEVER)
			*t[i] -= by;
	m->notice_from -= by;
	for (int p = 0; p < 2; p++)
		m->p[p].told_at -= m->p[p].told_early ? by : 0;
	m->doubt_at -= m->doubt_at ? by : 0;
	m->paused_at -= m->paused_at ? by : 0;
	for (int l = 0; l < 2; l++) {
		m->open[l].over -= m->open[l].digit ? by : 0;
		m->open[l].begin -= m->open[l].digit ? by : 0;
		m->open[l].at -= m->open[l].digit ? by : 0;
	}
	if (m->notice_to != M_NEVER)
		m->notice_to -= by;
	for (int l = 0; l < 2; l++)
		for (unsigned i = 0; i < m->typed[l].n; i++)
			m->typed[l].at[i] -= by, m->typed[l].begin[i] -= by;
}

/* ---- keys ---- */

/* The configured keys of a leg that what was typed ends in; the longest counts. */
struct m_key {
	const char *key;
	int p;
	enum { MK_NONE, MK_CONSENT, MK_WITHDRAW, MK_OPT_OUT, MK_NOT_NEEDED, MK_PAUSE, MK_RESUME } what;
	unsigned begins; /* so many of the last digits may become one */
};

static inline void m_try(const struct model *m, unsigned leg, const char *key, int p, int what, struct m_key *best)
{
	size_t n = strlen(key);

	for (unsigned k = 1; k < n && k <= m->typed[leg].n; k++)
		if (memcmp(m->typed[leg].d + m->typed[leg].n - k, key, k) == 0 && k > best->begins)
			best->begins = k;
	if (!n || n > m->typed[leg].n || memcmp(m->typed[leg].d + m->typed[leg].n - n, key, n) != 0)
		return;
	if (!best->key || n > strlen(best->key)) {
		best->key = key;
		best->p = p;
		best->what = what;
	}
}

static inline struct m_key m_meaning(const struct model *m, unsigned leg)
{
	struct m_key k = { NULL, -1, MK_NONE, 0 };

	for (int p = 0; p < 2; p++) {
		const struct policy_block *b = m_block(m, p);

		if (!m_has(m, p))
			continue;
		if (leg == m_subject(m)) {
			m_try(m, leg, b->consent_key, p, MK_CONSENT, &k);
			m_try(m, leg, b->withdraw_key, p, MK_WITHDRAW, &k);
			m_try(m, leg, b->optout_key[0], p, MK_OPT_OUT, &k);
		} else {
			m_try(m, leg, b->not_needed_key, p, MK_NOT_NEEDED, &k);
			m_try(m, leg, b->optout_agent_key[0], p, MK_OPT_OUT, &k);
		}
	}
	if (leg != m_subject(m)) {
		m_try(m, leg, m->r->pause_key, -1, MK_PAUSE, &k);
		m_try(m, leg, m->r->resume_key, -1, MK_RESUME, &k);
	}
	return k;
}

static inline uint64_t m_apart(uint64_t a, uint64_t b)
{
	return a > b ? a - b : b - a;
}

/* Between a press from begin to end and the end of another one. */
static inline uint64_t m_gap(uint64_t begin, uint64_t end, uint64_t other)
{
	return other >= begin && other <= end ? 0 : other < begin ? begin - other : other - end;
}

/* An answer to a question: not within two seconds after another digit (N-20, unambiguous). */
static inline bool m_alone(const struct model *m, unsigned leg, const char *key)
{
	unsigned n = m->typed[leg].n, k = (unsigned)strlen(key);

	return n == k || m_gap(m->typed[leg].begin[n - k], m->typed[leg].at[n - k], m->typed[leg].at[n - k - 1]) >= KEY_ALONE_NS;
}

static inline void m_no_answer(struct model *m)
{
	m->held = 0;
	for (int p = 0; p < 2; p++) {
		if (m->doubt[p])
			m_withdraw(m, p);
		m->doubt[p] = false;
	}
}

/* Nor before one: what is no key makes what was pressed before it part of a number, which is no answer, and as if it was taken back; what
 * a key begins with does when it becomes none. */
static inline void m_in_a_row(struct model *m, unsigned leg, const struct m_key *k, uint64_t begin, uint64_t now)
{
	bool soon = m_gap(begin, now, m->doubt_at) < KEY_ALONE_NS;

	if (leg != m_subject(m) || (!m->doubt[0] && !m->doubt[1]))
		return;
	if (!soon && !m->held) {
		m->doubt[0] = m->doubt[1] = false;
		return;
	}
	if (!soon || (k->key ? strlen(k->key) : k->begins) < m->held + 1) {
		m_no_answer(m);
		return;
	}
	m->held = k->key ? 0 : m->held + 1;
	if (now > m->doubt_at)
		m->doubt_at = now;
}

/* Another process: that a digit came, and when, is known to it, and not which. */
static inline void m_restarted(struct model *m)
{
	for (int l = 0; l < 2; l++) {
		unsigned n = m->typed[l].n;

		if (!n)
			continue;
		m->typed[l].at[0] = m->typed[l].at[n - 1];
		m->typed[l].d[0] = 0;
		m->typed[l].n = 1;
	}
	m->paused_at = 0;
}

/* Pressed from begin to now. */
static inline void m_press(struct model *m, unsigned leg, char digit, enum call_how how, bool trusted, uint64_t begin, uint64_t now)
{
	unsigned n = m->typed[leg].n, ways = how == CALL_BY_INFO ? POLICY_DTMF_INFO : POLICY_DTMF_RFC4733;
	struct m_key k;

	m_time(m, now);
	/* too long ago: not one key with this one, but still the press before it */
	if (n && m_apart(now, m->typed[leg].at[n - 1]) >= KEY_PAUSE_NS) {
		m->typed[leg].d[0] = 0;
		m->typed[leg].at[0] = m->typed[leg].at[n - 1];
		n = 1;
	}
	if (n == M_DIGITS) {
		memmove(m->typed[leg].d, m->typed[leg].d + 1, --n);
		memmove(m->typed[leg].at, m->typed[leg].at + 1, n * sizeof(m->typed[leg].at[0]));
		memmove(m->typed[leg].begin, m->typed[leg].begin + 1, n * sizeof(m->typed[leg].begin[0]));
		memmove(m->typed[leg].strange, m->typed[leg].strange + 1, n * sizeof(m->typed[leg].strange[0]));
	}
	/* a way that the rule does not name, or another address, grants nothing */
	trusted &= ((m->r->purpose[0].dtmf | m->r->purpose[1].dtmf) & ways) != 0;
	m->typed[leg].d[n] = digit;
	m->typed[leg].strange[n] = !trusted;
	m->typed[leg].begin[n] = begin;
	m->typed[leg].at[n] = now;
	m->typed[leg].n = n + 1;
	k = m_meaning(m, leg);
	for (size_t i = 0; k.key && i < strlen(k.key); i++) /* all of the key, not only its end */
		trusted &= !m->typed[leg].strange[n - i];
	m_in_a_row(m, leg, &k, begin, now);
	begin = k.key ? m->typed[leg].begin[n + 1 - strlen(k.key)] : begin; /* all of it is to lie where it grants */
	switch (k.what) {
	case MK_CONSENT:
		if (trusted && m->notice == M_HEARD && m->p[k.p].to != M_NEVER && begin >= m->p[k.p].from && now < m->p[k.p].to &&
		    !(m->bye && now > m->end) && m_alone(m, leg, k.key) && m_consent_can(m, k.p)) {
			m_consent(m, k.p);
			m->doubt[k.p] = true;
			m->doubt_at = now;
		}
		break;
	case MK_WITHDRAW:
		m_withdraw(m, k.p);
		break;
	case MK_OPT_OUT:
		m_opt_out(m, k.p);
		break;
	case MK_NOT_NEEDED:
		m_not_needed(m, k.p);
		break;
	case MK_PAUSE:
		m_pause(m, now);
		break;
	case MK_RESUME:
		if (trusted && begin >= m->paused_at)
			m_resume(m);
		break;
	default:
		return;
	}
	/* used up */
	for (unsigned i = 0; i < m->typed[leg].n; i++)
		m->typed[leg].d[i] = 0;
}

static inline void m_command(struct model *m, enum call_command cmd, int p, uint64_t now)
{
	const struct policy_block *b = m_block(m, p);
	struct m_purpose *x = &m->p[p];

	m_time(m, now);
	if (cmd == CALL_C_PAUSE)
		m_pause(m, now);
	else if (cmd == CALL_C_RESUME && m->r->pause_api)
		m_resume(m);
	if (cmd == CALL_C_PAUSE || cmd == CALL_C_RESUME || !m_has(m, p))
		return;
	switch (cmd) {
	case CALL_C_CONSENT:
		if (!m_consent_basis(m, p) || !b->consent_api || (x->state != PURPOSE_PENDING && !x->reopened) || (m->bye && now > m->end))
			break;
		if (m_subject(m) == 1 && !m->answered) /* nobody was asked */
			break;
		if (m->notice == M_HEARD && x->to != M_NEVER && now >= x->from && now <= x->to) {
			m_consent(m, p);
		} else if (x->state == PURPOSE_PENDING && (m->notice == M_WAITS || (m->notice == M_HEARD && x->to != M_NEVER && now < x->from))) {
			x->told_at = x->told_early ? x->told_at : now;
			x->told_early = true;
		}
		break;
	case CALL_C_WITHDRAW:
		m_withdraw(m, p);
		break;
	case CALL_C_OPT_OUT:
		m_opt_out(m, p);
		break;
	case CALL_C_OBJECT:
	case CALL_C_OBJECT_GROUNDS:
		m_object(m, p, cmd == CALL_C_OBJECT_GROUNDS);
		break;
	case CALL_C_NOT_NEEDED:
		if (b->not_needed_api)
			m_not_needed(m, p);
		break;
	case CALL_C_REOPEN:
		if (!m_consent_basis(m, p) || !x->w.reopen_agent || m->notice != M_HEARD || x->stopped || (m->bye && now > m->end) ||
		    (x->state != PURPOSE_PENDING && x->state != PURPOSE_WITHDRAWN && !(x->state == PURPOSE_DENIED && x->silence)))
			break;
		x->reopened = true;
		x->from = now;
		x->to = now + (uint64_t)(x->w.to_s > 0 ? x->w.to_s : 10) * M_S;
		break;
	default:
		break;
	}
}

/* ---- audio (guidance 6) ---- */

/* Audio heard now is for this purpose. */
static inline bool m_keeps(const struct model *m, int p)
{
	const struct m_purpose *x = &m->p[p];
	enum policy_objection o = m_block(m, p)->on_objection;

	if (x->stopped || (p == M_TRAIN && m->waits))
		return false;
	if (p == M_DOC && x->state == PURPOSE_OBJECTED)
		return !m->objected || (o != POLICY_OBJ_PAUSE && o != POLICY_OBJ_STOP);
	return x->state == PURPOSE_GRANTED;
}

static inline bool m_live(const struct model *m, unsigned leg)
{
	const struct policy_rule *r = m->r;

	if (!m->matched || m->over || m->paused || m->pause_over)
		return false;
	if ((r->exclude_leg == 0 && leg == m_subject(m)) || (r->exclude_leg == 1 && leg != m_subject(m)))
		return false;
	return (m->answered || r->record_early_media) && (!m->hold || r->record_hold_music);
}

static inline bool m_writes(const struct model *m, unsigned leg)
{
	return m_live(m, leg) && (m_keeps(m, M_DOC) || m_keeps(m, M_TRAIN));
}

/* C, D before the decision, and whose slot is not durable: locked memory only. */
static inline bool m_holds(const struct model *m, unsigned leg)
{
	const struct m_purpose *t = &m->p[M_TRAIN];
	const struct policy_block *b = m_block(m, M_TRAIN);

	if (!m_live(m, leg) || m_writes(m, leg) || t->stopped)
		return false;
	if (m->waits && t->state == PURPOSE_GRANTED)
		return true;
	return t->state == PURPOSE_PENDING && b->basis == POLICY_B_INTEREST &&
	       (b->pre_decision == POLICY_PRE_DEFAULT || b->pre_decision == POLICY_PRE_HOLD);
}

#endif
