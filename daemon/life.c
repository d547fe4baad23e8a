/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * life.c - the life of one call, see life.h
 *
 * A step is a byte: what happened, and for which purpose (0 both). Events that only say what
 * another one of the same moment means (purpose.deny after optout) are no steps of their own.
 */
#include "life.h"

#include <string.h>

enum step {
	S_NOTICE = 1,
	S_NO_NOTICE,
	S_CONSENT,
	S_SILENCE, /* the window closed */
	S_HANGUP,
	S_WITHDRAW,
	S_OPT_OUT,
	S_OBJECT,
	S_OBJECT_GROUNDS,
	S_LOSS,
	S_NO_PATH,
	S_GRANT, /* by the closing of a window in which one may opt out */
	S_TIGHTENED,
	S_NOT_NEEDED,
	S_UNUSED,
	S_DEADLINE,
	S_UPHELD,
	S_REJECTED,
	S_NO_EVIDENCE,
	S_REVIEW,
	S_CALLBACK,
	S_CONCURRENT,
	S_REAPER,
	STEPS,
};
#define STEP(what, p)	((uint8_t)((what) | (p) << 6))
#define STEP_WHAT(s)	((enum step)((s)&63))
#define STEP_PURPOSE(s) ((s) >> 6) /* 0 both, else enum evlog_purpose */

static const char *const ends[LIFE_ENDS] = {
	"",	"not-answered", "too-short", "gap",  "policy.tightened", "consent.late",
	"disk", "deadline",	"crash",     "duplicate",    "no-media",	 "other"};

const char *life_end_name(enum life_end e)
{
	return (unsigned)e < LIFE_ENDS ? ends[e] : "";
}

bool life_end_failed(const char *row_end)
{
	return row_end && (!strcmp(row_end, "crash") || !strcmp(row_end, "disk"));
}

static void add(struct life *l, enum step what, const struct evlog_event *e)
{
	if (l->n == LIFE_STEPS)
		l->overflow = true;
	else
		l->step[l->n++] = STEP(what, e->purpose);
}

static bool is(const struct evlog_event *e, const char *reason)
{
	return e->reason && !strcmp(e->reason, reason);
}

static uint8_t end_of(const char *reason)
{
	for (int i = 1; reason && i < LIFE_OTHER; i++)
		if (!strcmp(ends[i], reason))
			return (uint8_t)i;
	return LIFE_OTHER;
}

/* What a later policy, a list, or the rest of the conversation takes (group.h). */
static bool tightens(const char *reason)
{
	static const char *const all[] = {"policy.tightened", "never", "third-party", "group.full",
					  "sample.shared", "restart", "capture-end", "transfer.limit"};

	for (size_t i = 0; reason && i < sizeof(all) / sizeof(all[0]); i++)
		if (!strcmp(all[i], reason))
			return true;
	return false;
}

static uint8_t why_of(const char *reason);

/* The draw of another call of the conversation. */
static bool drawn_out(const char *reason)
{
	return reason && why_of(reason) != SAMPLE_IN && !strcmp(sample_why_name((enum sample_why)why_of(reason)), reason);
}

/* Of a denial: what no other event of the call says. */
static void denied(struct life *l, const struct evlog_event *e)
{
	if (e->source == EVLOG_S_DAEMON && e->purpose) { /* the recording said so at its end */
		l->end[e->purpose - 1] = end_of(e->reason);
		return;
	}
	if (is(e, "sample.out"))
		l->undrawn = true;
	else if (is(e, "hangup"))
		add(l, S_HANGUP, e);
	else if (is(e, "optout.no-path"))
		add(l, S_NO_PATH, e);
	else if (is(e, "callback"))
		add(l, S_CALLBACK, e);
	else if (is(e, "max-concurrent"))
		add(l, S_CONCURRENT, e);
	else if (is(e, "reaper.dead"))
		add(l, S_REAPER, e);
	else if (is(e, "sampling.unavailable"))
		l->undrawn = true;
	else if (drawn_out(e->reason))
		l->why = why_of(e->reason);
	else if (tightens(e->reason))
		add(l, S_TIGHTENED, e);
	else if (is(e, "evidence.unavailable"))
		add(l, S_NO_EVIDENCE, e);
	else if (is(e, "review.missed"))
		add(l, S_REVIEW, e);
}

static uint8_t why_of(const char *reason)
{
	for (int i = 1; reason && i < SAMPLE_WHY_N; i++)
		if (!strcmp(sample_why_name((enum sample_why)i), reason))
			return (uint8_t)i;
	return SAMPLE_OUT_DRAW;
}

static void ended(struct life *l, const struct evlog_event *e)
{
	if (l->outcome)
		return;
	l->outcome = (uint8_t)e->kind;
	l->settled = is(e, "crash") || is(e, "process-ended");
}

static void decided(struct life *l, const struct evlog_event *e)
{
	add(l, is(e, "upheld") ? S_UPHELD : S_REJECTED, e);
}

void life_event(struct life *l, const struct evlog_event *e)
{
	switch (e->kind) {
	case EVLOG_CALL_MATCH:
		l->matched = true;
		break;
	case EVLOG_NOTICE_PLAYED:
		add(l, S_NOTICE, e);
		break;
	case EVLOG_NOTICE_MISSING:
		add(l, S_NO_NOTICE, e);
		break;
	case EVLOG_CONSENT_GIVEN:
		add(l, S_CONSENT, e);
		break;
	case EVLOG_CONSENT_NONE:
		add(l, is(e, "hangup") ? S_HANGUP : S_SILENCE, e);
		break;
	case EVLOG_CONSENT_WITHDRAWN:
		add(l, S_WITHDRAW, e);
		break;
	case EVLOG_OPTOUT:
		add(l, S_OPT_OUT, e);
		break;
	case EVLOG_OPTOUT_UNCERTAIN:
		add(l, S_LOSS, e);
		break;
	case EVLOG_OBJECTION_OPENED:
		add(l, is(e, "grounds.present") ? S_OBJECT_GROUNDS : S_OBJECT, e);
		break;
	case EVLOG_OBJECTION_DECIDED:
		decided(l, e);
		break;
	case EVLOG_AUDIO_DISCARD:
		if (is(e, "not-needed"))
			add(l, S_NOT_NEEDED, e);
		break;
	case EVLOG_SAMPLE_IN:
	case EVLOG_SAMPLE_OUT:
		l->why = why_of(e->reason);
		break;
	case EVLOG_PURPOSE_GRANT:
		add(l, S_GRANT, e);
		break;
	case EVLOG_PURPOSE_DENY:
		denied(l, e);
		break;
	case EVLOG_PURPOSE_EXPIRE:
		if (!is(e, "not-needed"))
			add(l, is(e, "unused") ? S_UNUSED : S_DEADLINE, e);
		break;
	case EVLOG_CALL_KEPT:
	case EVLOG_CALL_DENIED:
	case EVLOG_CALL_GAP:
		ended(l, e);
		break;
	default:
		break;
	}
}

static bool concerns(uint8_t step, int p)
{
	return !STEP_PURPOSE(step) || STEP_PURPOSE(step) == p + 1;
}

static bool had(const struct life *l, enum step what, int p)
{
	for (unsigned i = 0; i < l->n; i++)
		if (STEP_WHAT(l->step[i]) == what && concerns(l->step[i], p))
			return true;
	return false;
}

bool life_had_notice(const struct life *l)
{
	return had(l, S_NOTICE, POLICY_DOCUMENTATION);
}

bool life_had_consent(const struct life *l, enum policy_purpose p)
{
	return had(l, S_CONSENT, p);
}

bool life_refused_consent(const struct life *l, enum policy_purpose p)
{
	return !had(l, S_CONSENT, p) && (had(l, S_SILENCE, p) || had(l, S_HANGUP, p));
}

void life_as_logged(const struct life *l, const struct policy_rule *rule, struct life_how *ret)
{
	*ret = (struct life_how){.rule = rule};
	if (l->why && l->why != SAMPLE_IN)
		ret->out = sample_why_name((enum sample_why)l->why);
	else if (!l->why && l->undrawn)
		ret->out = "sampling.unavailable";
	for (int p = 0; p < POLICY_PURPOSES; p++) {
		ret->end[p] = (enum life_end)l->end[p];
		ret->review_missed[p] = had(l, S_REVIEW, p) && policy_review_ends(rule, (enum policy_purpose)p);
	}
}

/* ---- the law over it ---- */

struct machine {
	const struct policy_rule *rule;
	enum purpose_kind kind;
	int purpose;
	enum purpose_state state;
	const char *reason;
	bool timed_out;
};

static enum purpose_kind kind_of(const struct policy_block *b, int p)
{
	if (b->basis == POLICY_B_CONSENT)
		return PURPOSE_K_CONSENT;
	if (p == POLICY_DOCUMENTATION)
		return PURPOSE_K_DOCUMENT;
	return b->special ? PURPOSE_K_SPECIAL : PURPOSE_K_OPTOUT;
}

static void event(struct machine *m, enum purpose_event e)
{
	struct purpose_answer a = purpose_step(m->kind, m->state, e, m->timed_out);

	if (!a.changed)
		return;
	/* on-missing-notice, as the daemon has it (call.c) */
	if (m->purpose == POLICY_DOCUMENTATION && e == PURPOSE_E_NO_NOTICE &&
	    a.state == PURPOSE_OBJECTED) {
		if (m->rule->on_missing_notice == POLICY_MISSING_KEEP) {
			m->reason = a.reason;
			return;
		}
		if (m->rule->on_missing_notice == POLICY_MISSING_DISCARD)
			a.state = PURPOSE_DENIED;
	}
	m->timed_out = a.state == PURPOSE_DENIED && e == PURPOSE_E_WINDOW;
	if (a.state != m->state || *a.reason)
		m->reason = a.reason;
	m->state = a.state;
}

static void step(struct machine *m, enum step what)
{
	static const uint8_t plain[STEPS] = {
		[S_NOTICE] = PURPOSE_E_NOTICE + 1,
		[S_NO_NOTICE] = PURPOSE_E_NO_NOTICE + 1,
		[S_CONSENT] = PURPOSE_E_CONSENT + 1,
		[S_SILENCE] = PURPOSE_E_WINDOW + 1,
		[S_HANGUP] = PURPOSE_E_BYE + 1,
		[S_WITHDRAW] = PURPOSE_E_WITHDRAW + 1,
		[S_OPT_OUT] = PURPOSE_E_OPT_OUT + 1,
		[S_OBJECT_GROUNDS] = PURPOSE_E_OBJECT_GROUNDS + 1,
		[S_NO_PATH] = PURPOSE_E_NO_PATH + 1,
		[S_TIGHTENED] = PURPOSE_E_TIGHTENED + 1,
		[S_UNUSED] = PURPOSE_E_UNUSED + 1,
		[S_NOT_NEEDED] = PURPOSE_E_NOT_NEEDED + 1,
		[S_UPHELD] = PURPOSE_E_UPHELD + 1,
		[S_REJECTED] = PURPOSE_E_REJECTED + 1,
		[S_DEADLINE] = PURPOSE_E_DEADLINE + 1,
		[S_OBJECT] = PURPOSE_E_OBJECT + 1,
	};

	if (what == S_GRANT && m->kind == PURPOSE_K_OPTOUT && m->state == PURPOSE_PENDING)
		event(m, PURPOSE_E_WINDOW);
	else if (what == S_LOSS && m->rule->purpose[m->purpose].on_loss != 1)
		event(m, PURPOSE_E_LOSS);
	else if (what == S_NO_EVIDENCE) {
		m->state = PURPOSE_DENIED;
		m->reason = "evidence.unavailable";
	} else if (what == S_CALLBACK) {
		m->state = PURPOSE_DENIED;
		m->reason = "callback";
	} else if (what == S_CONCURRENT) {
		m->state = PURPOSE_DENIED;
		m->reason = "max-concurrent";
	} else if (what == S_REAPER) {
		m->state = PURPOSE_DENIED;
		m->reason = "reaper.dead";
	} else if (plain[what])
		event(m, (enum purpose_event)(plain[what] - 1));
}

static bool live(enum purpose_state s)
{
	return s == PURPOSE_GRANTED || s == PURPOSE_OBJECTED;
}

static bool after_the_end(enum step what)
{
	return what == S_UNUSED || what == S_DEADLINE || what == S_UPHELD || what == S_REJECTED;
}

static void run(const struct life *l, const struct life_how *how, struct machine *m)
{
	bool training = m->purpose == POLICY_TRAINING, late = false;

	if (how->review_missed[m->purpose]) {
		m->state = PURPOSE_DENIED;
		m->reason = "review.missed";
		return;
	}
	event(m, training && how->out ? PURPOSE_E_SAMPLE_OUT : PURPOSE_E_MATCH);
	if (training && how->out && m->state == PURPOSE_DENIED)
		m->reason = how->out;
	for (unsigned i = 0; i <= l->n; i++) {
		enum step what = i < l->n ? STEP_WHAT(l->step[i]) : STEPS;

		if (!late && (what == STEPS || after_the_end(what))) { /* the call is over */
			late = true;
			event(m, PURPOSE_E_BYE);
			if (how->end[m->purpose] && live(m->state)) {
				m->state = PURPOSE_DENIED;
				m->reason = life_end_name(how->end[m->purpose]);
			}
		}
		if (what != STEPS && concerns(l->step[i], m->purpose))
			step(m, what);
	}
}

void life_run(const struct life *l, const struct life_how *how, struct life_result *ret)
{
	for (int p = 0; p < POLICY_PURPOSES; p++) {
		const struct policy_block *b = &how->rule->purpose[p];
		struct machine m = {how->rule, kind_of(b, p), p, PURPOSE_NONE, "", false};

		if (b->basis != POLICY_B_NONE)
			run(l, how, &m);
		ret->state[p] = m.state;
		ret->reason[p] = m.reason;
	}
}

/* Reasons that only a row, or only the log, tells apart. */
static const char *class_of(const char *reason)
{
	if (!reason)
		return "";
	/* a slot that never became durable is told as what ends a purpose (call_slot_lost) */
	if (!strcmp(reason, "sampling.unavailable") || tightens(reason))
		return "policy.tightened";
	return reason;
}

bool life_same(enum purpose_state a, const char *reason_a, enum purpose_state b,
	       const char *reason_b)
{
	return a == b && (live(a) || !strcmp(class_of(reason_a), class_of(reason_b)));
}
