/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * diff_rule.c - the settings of two rules compared: the direction table of
 * policy-language 3 as code
 *
 * What counts is the value in force, so a default that changed under a rule is
 * found, and a default that was written out changes nothing. A setting without
 * a direction here loosens whenever it changes.
 */
#include <stdlib.h>
#include <string.h>

#include "diff_internal.h"

#define UNKNOWN 2 /* of two values neither is known to be the stricter */

/* ---- judging: -1 the new one is stricter, 0 the same, 1 looser, UNKNOWN ---- */

static int less(int old, int now)
{
	return now < old ? -1 : now > old;
}

static int more(int old, int now)
{
	return less(now, old);
}

static void span_range(const struct policy_span *s, int64_t *lo, int64_t *hi)
{
	static const int64_t least[] = { 1, 60, 3600, 86400, 28 * 86400, 365 * 86400 };
	static const int64_t most[] = { 1, 60, 3600, 86400, 31 * 86400, 366 * 86400 };

	*lo = s->n * least[s->unit];
	*hi = s->n * most[s->unit];
	/* whole years are known better than their months */
	if (s->unit == POLICY_U_MONTHS) {
		*lo = (int64_t)s->n / 12 * 365 * 86400 + (int64_t)(s->n % 12) * 28 * 86400;
		*hi = (int64_t)s->n / 12 * 366 * 86400 + (int64_t)(s->n % 12) * 31 * 86400;
	}
}

/* Shorter is stricter. */
static int shorter(const struct policy_span *old, const struct policy_span *now)
{
	int64_t a, b, c, d;

	if (old->unit == now->unit)
		return less(old->n, now->n);
	span_range(old, &a, &b);
	span_range(now, &c, &d);
	if (a == b && c == d)
		return d < a ? -1 : c > b;
	return d <= a ? -1 : c >= b ? 1 : UNKNOWN;
}

static int longer(const struct policy_span *old, const struct policy_span *now)
{
	int r = shorter(old, now);

	return r == UNKNOWN ? r : -r;
}

/* 0 means that there is no limit. */
static int limit(int old, int now)
{
	return less(old ? old : INT32_MAX, now ? now : INT32_MAX);
}

static int worse(int a, int b)
{
	if (a == 0 || b == 0)
		return a ? a : b;
	return a == b ? a : UNKNOWN;
}

static bool text_same(const char *a, const char *b)
{
	return !a || !b ? a == b : !strcmp(a, b);
}

static bool in_words(const struct word *w, const char *s)
{
	while (w && strcmp(w->s, s))
		w = w->next;
	return w != NULL;
}

/* More of them is looser. */
static int fewer_words(const struct word *old, const struct word *now)
{
	int r = 0;

	for (const struct word *w = old; w; w = w->next)
		r = in_words(now, w->s) ? r : worse(r, -1);
	for (const struct word *w = now; w; w = w->next)
		r = in_words(old, w->s) ? r : worse(r, 1);
	return r;
}

/* ---- purpose blocks ---- */

static bool key_there(const char *k, const char (*list)[POLICY_KEY_MAX])
{
	for (int i = 0; i < POLICY_KEYS_MAX && *list[i]; i++)
		if (!strcmp(k, list[i]))
			return true;
	return false;
}

/* More keys are stricter: each is a way out. */
static int more_keys(const char (*old)[POLICY_KEY_MAX], const char (*now)[POLICY_KEY_MAX])
{
	int r = 0;

	for (int i = 0; i < POLICY_KEYS_MAX && *old[i]; i++)
		r = key_there(old[i], now) ? r : worse(r, 1);
	for (int i = 0; i < POLICY_KEYS_MAX && *now[i]; i++)
		r = key_there(now[i], old) ? r : worse(r, -1);
	return r;
}

/* A single way out that came, went or became another one. */
static int more_key(const char *old, const char *now)
{
	return !strcmp(old, now) ? 0 : !*old ? -1 : 1;
}

static int more_bool(bool old, bool now)
{
	return more(old, now);
}

static int optout(const struct block *a, const struct block *b)
{
	int r = more_keys((const char(*)[POLICY_KEY_MAX])a->pub->optout_key, (const char(*)[POLICY_KEY_MAX])b->pub->optout_key);

	r = worse(r, more_keys((const char(*)[POLICY_KEY_MAX])a->pub->optout_agent_key,
			       (const char(*)[POLICY_KEY_MAX])b->pub->optout_agent_key));
	r = worse(r, more_bool(a->pub->optout_agent_api, b->pub->optout_agent_api));
	r = worse(r, more_bool(a->pub->optout_agent_header, b->pub->optout_agent_header));
	if (a->pub->optout_agent_header && b->pub->optout_agent_header &&
	    (!text_same(a->optout_header, b->optout_header) || !text_same(a->optout_value, b->optout_value)))
		r = worse(r, UNKNOWN);
	return r;
}

static int withdraw(const struct policy_block *a, const struct policy_block *b)
{
	return worse(more_key(a->withdraw_key, b->withdraw_key), more_bool(a->withdraw_any_time, b->withdraw_any_time));
}

static int consent_source(const struct block *a, const struct block *b)
{
	int r = less(a->consent_api, b->consent_api);

	if (text_same(a->consent_header, b->consent_header) && text_same(a->consent_value, b->consent_value))
		return r;
	return worse(r, b->consent_header ? 1 : -1);
}

static enum policy_objection objection(const struct block *b)
{
	if (b->pub->on_objection != POLICY_OBJ_DEFAULT)
		return b->pub->on_objection;
	return b->purpose == POLICY_TRAINING && !b->pub->special ? POLICY_OBJ_STOP : POLICY_OBJ_CONTINUE_RESTRICTED;
}

/* Consent: fewer seconds in which a press counts. Opt-out: more seconds before anything is kept. */
static int window(const struct policy_block *a, const struct policy_block *b)
{
	const struct policy_window *x = &a->window, *y = &b->window;
	int r;

	if (!x->set || !y->set)
		return x->set == y->set ? 0 : UNKNOWN;
	if (x->from_answer != y->from_answer || a->basis != b->basis)
		return UNKNOWN;
	r = a->basis == POLICY_B_CONSENT ? worse(more(x->from_s, y->from_s), less(x->to_s, y->to_s)) :
					   worse(less(x->from_s, y->from_s), more(x->to_s, y->to_s));
	return worse(r, a->basis == POLICY_B_CONSENT ? less(x->reopen_agent, y->reopen_agent) :
						       more(x->reopen_agent, y->reopen_agent));
}

static int dtmf(const struct policy_block *a, const struct policy_block *b)
{
	unsigned ways = POLICY_DTMF_RFC4733 | POLICY_DTMF_INFO, lost = a->dtmf & ~b->dtmf, got = b->dtmf & ~a->dtmf;
	int r = 0;

	if (got & POLICY_DTMF_INBAND) /* to hear tones, audio must be let through */
		r = worse(r, 1);
	if (lost & POLICY_DTMF_INBAND) /* but it may have been how somebody said no */
		r = worse(r, a->basis == POLICY_B_CONSENT && !*a->withdraw_key ? -1 : UNKNOWN);
	if (lost & ways)
		r = worse(r, a->basis == POLICY_B_CONSENT && !*a->withdraw_key ? -1 : 1);
	if (got & ways)
		r = worse(r, a->basis == POLICY_B_CONSENT ? 1 : -1);
	return r;
}

static const struct policy_cap *cap_like(const struct policy_block *b, const struct policy_cap *c)
{
	for (int i = 0; i < b->ncap; i++)
		if (b->cap[i].per == c->per && b->cap[i].of == c->of)
			return &b->cap[i];
	return NULL;
}

static int caps(const struct policy_block *a, const struct policy_block *b)
{
	int r = 0;

	for (int i = 0; i < a->ncap; i++) {
		const struct policy_cap *c = cap_like(b, &a->cap[i]);

		r = worse(r, c ? less(a->cap[i].n, c->n) : 1);
	}
	for (int i = 0; i < b->ncap; i++)
		if (!cap_like(a, &b->cap[i]))
			r = worse(r, -1);
	return r;
}

static int use_target(const struct block *a, const struct block *b)
{
	if (a->throttle_percent != b->throttle_percent || a->floor != b->floor)
		return UNKNOWN;
	return more(a->pub->use_target_percent, b->pub->use_target_percent);
}

static int optional_span(const struct policy_span *old, const struct policy_span *now)
{
	if (!old->n || !now->n)
		return more(old->n > 0, now->n > 0);
	return shorter(old, now);
}

static int not_needed(const struct block *a, const struct block *b)
{
	if (strcmp(a->not_needed_key, b->not_needed_key) || a->not_needed_api != b->not_needed_api)
		return a->pub->not_needed && b->pub->not_needed ? UNKNOWN : more(a->pub->not_needed, b->pub->not_needed);
	return more(a->pub->not_needed, b->pub->not_needed);
}

static int on_loss(const struct policy_block *a, const struct policy_block *b)
{
	/* deny, what the basis says, keep */
	static const int order[] = { 1, 0, 2 };
	int old = a->on_loss, now = b->on_loss;

	/* with an opt-out it says deny */
	if (a->basis == POLICY_B_INTEREST && !a->special && b->basis == a->basis && !b->special) {
		old = old < 0 ? 0 : old;
		now = now < 0 ? 0 : now;
	}
	return less(order[old + 1], order[now + 1]);
}

/* What is not written is what the basis says (guidance 6), where it says one thing. */
static enum policy_predecision pre_decision(const struct policy_block *x)
{
	if (x->pre_decision != POLICY_PRE_DEFAULT)
		return x->pre_decision;
	if (x->basis == POLICY_B_CONSENT)
		return x->dtmf & POLICY_DTMF_INBAND ? POLICY_PRE_INSPECT : POLICY_PRE_BLOCK;
	return POLICY_PRE_DEFAULT;
}

static int pre_decisions(const struct block *a, const struct block *b)
{
	enum policy_predecision x = pre_decision(a->pub), y = pre_decision(b->pub);

	/* training by interest is held until it is decided */
	if (a->purpose == POLICY_TRAINING && a->pub->basis == POLICY_B_INTEREST && b->pub->basis == POLICY_B_INTEREST) {
		x = x ? x : POLICY_PRE_HOLD;
		y = y ? y : POLICY_PRE_HOLD;
	}
	return x == y ? 0 : y == POLICY_PRE_BLOCK ? -1 : x && y ? less(x, y) : UNKNOWN;
}

static int on_optout(const struct policy_block *a, const struct policy_block *b)
{
	return a->callback_unrecorded.n == b->callback_unrecorded.n &&
			       (!a->callback_unrecorded.n || a->callback_unrecorded.unit == b->callback_unrecorded.unit) ?
		       0 :
		       1;
}

static int special(const struct policy_block *a, const struct policy_block *b)
{
	if (a->special != b->special)
		return less(a->special, b->special);
	return text_same(a->special_ground, b->special_ground) && text_same(a->special_assessment, b->special_assessment) ?
		       0 :
		       1;
}

#define SAME_TEXT 3 /* judged by what is written: any change is neutral */
#define ANY_LOOSE 4 /* ... loosening */

static int judge_block(int id, const struct block *a, const struct block *b)
{
	const struct policy_block *x = a->pub, *y = b->pub;

	switch (id) {
	case B_SPECIAL:
		return special(x, y);
	case B_CONSENT_SOURCE:
		return consent_source(a, b);
	case B_WITHDRAW:
		return withdraw(x, y);
	case B_OPTOUT:
		return optout(a, b);
	case B_ON_OBJECTION:
		return more(objection(a), objection(b));
	case B_WINDOW:
		return window(x, y);
	case B_DTMF:
		return dtmf(x, y);
	case B_PREDECISION:
		return pre_decisions(a, b);
	case B_TRAINING_FROM:
		return more_bool(x->training_from_press, y->training_from_press);
	case B_ON_LOSS:
		return on_loss(x, y);
	case B_SAMPLE:
		return less(x->sample_permille, y->sample_permille);
	case B_CAP:
		return caps(x, y);
	case B_USE_WITHIN:
		return optional_span(&x->use_within, &y->use_within);
	case B_USE_TARGET:
		return use_target(a, b);
	case B_RETENTION:
		return shorter(&x->retention, &y->retention);
	case B_REVIEW:
		return optional_span(&x->review_every, &y->review_every);
	case B_NOT_NEEDED:
		return not_needed(a, b);
	case B_ON_OPTOUT:
		return on_optout(x, y);
	case B_WORM:
		return x->worm != y->worm; /* as any change of it */
	case B_COMMIT:
		return more_bool(x->commit_at_end, y->commit_at_end);
	case B_LEG:
	case B_SPREAD:
	case B_SEED:
		return SAME_TEXT;
	default: /* basis, assessment, consent-key, retention-reason */
		return ANY_LOOSE;
	}
}

static const char *const block_why[B_N] = {
	[B_BASIS] = "another legal basis needs approval (N-04)",
	[B_ASSESSMENT] = "another assessment needs approval",
	[B_SPECIAL] = "training without opt-out only in special circumstances (N-44)",
	[B_CONSENT_KEY] = "what a press means is announced to the caller (N-19)",
	[B_CONSENT_SOURCE] = "where a consent may come from",
	[B_WITHDRAW] = "a way to withdraw (RX-4)",
	[B_OPTOUT] = "a way to opt out (N-41)",
	[B_ON_OPTOUT] = "what an opt-out does",
	[B_ON_OBJECTION] = "what an objection does to the recording",
	[B_WINDOW] = "when a press counts, and what is kept before",
	[B_DTMF] = "how key presses are heard",
	[B_PREDECISION] = "what happens to audio before the decision (guidance 6)",
	[B_TRAINING_FROM] = "which part of the call is used",
	[B_ON_LOSS] = "what lost packets do",
	[B_SAMPLE] = "how many calls are kept for training (N-46)",
	[B_CAP] = "how many calls are kept for training (N-46)",
	[B_USE_WITHIN] = "unused recordings are erased then (N-49)",
	[B_USE_TARGET] = "recordings nobody uses are recorded less (N-50)",
	[B_RETENTION] = "when the recording is erased (N-23)",
	[B_REASON] = "why it is kept longer needs approval (N-56)",
	[B_REVIEW] = "how often the need is looked at again",
	[B_NOT_NEEDED] = "early erasure of what is not needed",
	[B_WORM] = "whether it can be erased before its time (N-28)",
	[B_COMMIT] = "when the recording becomes durable",
};

/* ---- rules ---- */

static int proof(const struct policy_rule *a, const struct policy_rule *b)
{
	if (a->proof == b->proof)
		return a->proof != POLICY_PROOF_HEADER || (text_same(a->proof_header, b->proof_header) &&
							   text_same(a->proof_value, b->proof_value)) ?
			       0 :
			       UNKNOWN;
	if (b->proof == POLICY_PROOF_FINGERPRINT || a->proof == POLICY_PROOF_ATTESTED)
		return -1;
	return a->proof == POLICY_PROOF_FINGERPRINT || b->proof == POLICY_PROOF_ATTESTED ? 1 : UNKNOWN;
}

static int on_missing(const struct policy_rule *a, const struct policy_rule *b)
{
	/* quarantine, discard, keep */
	static const int order[] = { 1, 0, 2 };

	if (a->on_missing_notice != b->on_missing_notice)
		return less(order[a->on_missing_notice], order[b->on_missing_notice]);
	return a->on_missing_notice == POLICY_MISSING_QUARANTINE ? shorter(&a->quarantine, &b->quarantine) : 0;
}

static bool same_category(const struct sensitive *a, const struct sensitive *b)
{
	return !strcmp(a->category, b->category) && text_same(a->basis, b->basis) &&
	       text_same(a->purpose_basis[0], b->purpose_basis[0]) && text_same(a->purpose_basis[1], b->purpose_basis[1]);
}

static bool has_category(const struct sensitive *l, const struct sensitive *x)
{
	while (l && !same_category(l, x))
		l = l->next;
	return l != NULL;
}

/* Naming what is sensitive brings duties; taking a name back drops them. */
static int sensitive(const struct rule *a, const struct rule *b)
{
	int r = 0;

	for (const struct sensitive *s = a->sensitive; s; s = s->next)
		r = has_category(b->sensitive, s) ? r : worse(r, 1);
	for (const struct sensitive *s = b->sensitive; s; s = s->next)
		r = has_category(a->sensitive, s) ? r : worse(r, -1);
	return r;
}

static int pauses(const struct rule *a, const struct rule *b)
{
	int r = more_bool(a->pause_api, b->pause_api);

	if (text_same(a->pause_header, b->pause_header) && text_same(a->pause_value, b->pause_value))
		return r;
	return worse(r, a->pause_header ? 1 : -1);
}

static int pause_max(const struct rule *a, const struct rule *b)
{
	int s = shorter(&a->pub.pause_max, &b->pub.pause_max);

	/* at its end a pause stops the recording for good, or lets it go on */
	if (a->pause_stop != b->pause_stop)
		return b->pause_stop && s == 0 ? -1 : UNKNOWN;
	return s == UNKNOWN || a->pause_stop ? s : -s;
}

static const struct word *roles_of(const struct rule *r, int purpose)
{
	for (const struct role *x = r->roles; x; x = x->next)
		if (x->purpose == purpose)
			return x->names;
	return NULL;
}

static int roles(const struct rule *a, const struct rule *b)
{
	int r = 0;

	for (int p = 0; p < POLICY_PURPOSES; p++)
		r = worse(r, fewer_words(roles_of(a, p), roles_of(b, p)));
	return r;
}

static int play_reason(const struct rule *a, const struct rule *b)
{
	if (a->play_reason_off != b->play_reason_off)
		return less(a->play_reason_off, b->play_reason_off);
	return more(a->play_reason_min, b->play_reason_min);
}

static int keys(const struct rule *a, const struct rule *b)
{
	int r = less(a->per_leg == 2, b->per_leg == 2); /* a leg of its own can be made unreadable */

	return text_same(a->key_ring, b->key_ring) ? r : worse(r, 1);
}

/* on: all of them */
static int alarm(const struct rule *a, const struct rule *b)
{
	static const char *const all[] = { "gap", "utilisation", "overdue", "quota", "notice-missing" };
	int r = 0;

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		bool x = !a->alarm || in_words(a->alarm, "on") || in_words(a->alarm, all[i]);
		bool y = !b->alarm || in_words(b->alarm, "on") || in_words(b->alarm, all[i]);

		r = worse(r, more(x, y));
	}
	return r;
}

static int judge_rule(int id, const struct rule *a, const struct rule *b)
{
	const struct policy_rule *x = &a->pub, *y = &b->pub;

	switch (id) {
	case R_ON_REVIEW:
		return less(x->on_review_missed, y->on_review_missed);
	case R_PROOF:
		return proof(x, y);
	case R_TIMEOUT:
		return less(x->notice_timeout_s, y->notice_timeout_s);
	case R_ON_MISSING:
		return on_missing(x, y);
	case R_SENSITIVE:
		return sensitive(a, b);
	case R_PAUSE_KEY:
		return more_key(x->pause_key, y->pause_key);
	case R_RESUME_KEY: /* without one a pause lasts */
		return !strcmp(x->resume_key, y->resume_key) ? 0 : UNKNOWN;
	case R_PAUSE:
		return pauses(a, b);
	case R_PAUSE_MAX:
		return pause_max(a, b);
	case R_MUTE:
		return more_bool(x->mute_dtmf, y->mute_dtmf);
	case R_MUSIC:
		return less(x->record_hold_music, y->record_hold_music);
	case R_EXCLUDE:
		return x->exclude_leg == y->exclude_leg ? 0 : x->exclude_leg < 0 ? -1 : 1;
	case R_EARLY:
		return less(x->record_early_media, y->record_early_media);
	case R_MIN:
		return longer(&x->min_length, &y->min_length);
	case R_MAX:
		return shorter(&x->max_length, &y->max_length);
	case R_CONCURRENT:
		return limit(a->max_concurrent, b->max_concurrent);
	case R_DISK:
		return limit(a->disk_permille, b->disk_permille);
	case R_ROLES:
		return roles(a, b);
	case R_PLAY_REASON:
		return play_reason(a, b);
	case R_KEYS:
		return keys(a, b);
	case R_DECISION:
		return shorter(&a->decision_record, &b->decision_record);
	case R_ALARM:
		return alarm(a, b);
	case R_OWNER:
	case R_REVIEW:
	case R_REASON:
	case R_TICKET:
	case R_ZSTD:
		return SAME_TEXT;
	default: /* controller, notice, sms */
		return ANY_LOOSE;
	}
}

static const char *const rule_why[R_N] = {
	[R_CONTROLLER] = "another party answers for the calls (RX-1)",
	[R_REVIEW] = "by when the rule is to be looked at again (N-18)",
	[R_ON_REVIEW] = "what happens when nobody reviews (N-18)",
	[R_NOTICE] = "what callers are told (N-31)",
	[R_PROOF] = "how it is known that the notice was heard",
	[R_TIMEOUT] = "how long recording waits for the notice",
	[R_ON_MISSING] = "what happens when the notice was not heard",
	[R_SMS] = "what callers are told (N-37)",
	[R_SENSITIVE] = "duties of sensitive lines (N-05)",
	[R_PAUSE_KEY] = "a way to pause (N-05)",
	[R_RESUME_KEY] = "how a pause ends",
	[R_PAUSE] = "a way to pause (N-05)",
	[R_PAUSE_MAX] = "how a pause ends",
	[R_MUTE] = "key presses in the recording (R-05b)",
	[R_MUSIC] = "what is said on hold",
	[R_EXCLUDE] = "which party is recorded",
	[R_EARLY] = "what is heard before the answer",
	[R_MIN] = "which calls are too short to be kept",
	[R_MAX] = "recording ends then",
	[R_CONCURRENT] = "how much is recorded",
	[R_DISK] = "how much is recorded",
	[R_ROLES] = "who may play it (N-06)",
	[R_PLAY_REASON] = "what must be said to play it",
	[R_KEYS] = "which key opens it",
	[R_DECISION] = "how long the decision is remembered (RX-3)",
	[R_ALARM] = "who is told when something is wrong",
};

/* ---- one setting ---- */

static const char *or_default(const char *why)
{
	return why ? why : "no call is decided otherwise";
}

static struct verdict verdict_of(int judged, bool text_differs, bool shortens, const char *why)
{
	struct verdict v = { POLICY_NEUTRAL, false, or_default(why) };

	if (judged == ANY_LOOSE)
		judged = text_differs ? 1 : 0;
	if (judged == SAME_TEXT || judged == 0)
		v.why = judged == 0 ? "written differently" : v.why;
	else if (judged < 0)
		v.change = shortens ? POLICY_SHORTEN : POLICY_TIGHTEN;
	else
		v.change = POLICY_LOOSEN;
	v.both = judged == UNKNOWN;
	return v;
}

struct compare {
	const struct table *t;
	const void *old, *now;
	const struct rule *rule; /* the new one */
	const char *purpose;	 /* NULL: of the rule itself */
	struct pos fallback;
	bool tell;
};

static enum policy_change one_setting(struct diff *d, const struct compare *c, int id, int judged, bool shortens, const char *why)
{
	char *was = diff_text(d, c->t, id, c->old), *is = diff_text(d, c->t, id, c->now);
	bool differs = !text_same(was, is);
	struct verdict v = verdict_of(judged, differs, shortens, why);
	bool training = c->purpose && !strcmp(c->purpose, purpose_names[POLICY_TRAINING]);
	struct pos at = ((const struct pos *)((const char *)c->now + c->t->at_off))[id];
	char name[64];

	if (!differs && (judged == 0 || judged >= SAME_TEXT)) {
		free(was);
		free(is);
		return POLICY_NEUTRAL;
	}
	if (!c->tell) {
		free(was);
		free(is);
		return v.change;
	}
	snprintf(name, sizeof(name), "%s%s%s", c->purpose ? c->purpose : "", c->purpose ? " " : "", c->t->s[id].name);
	if (!differs) {
		free(was);
		free(is);
		was = strdup("another default");
		is = strdup("the default");
	}
	diff_tell(d, v, false, at.line ? at : c->fallback, "rule", c->rule->o.name, name, was, is);
	diff_amount(d, training ? id == B_SAMPLE || id == B_CAP : !c->purpose && id == R_CONTROLLER && diff_draws(c->rule));
	return v.change;
}

static enum policy_change blocks(struct diff *d, const struct rule *old, const struct rule *now, int p, bool tell)
{
	const struct block *a = &old->block[p], *b = &now->block[p];
	struct compare c = { &block_table, a, b, now, purpose_names[p], b->pos, tell };
	struct verdict v = { POLICY_LOOSEN, false, "calls are recorded for one more purpose" };
	enum policy_change worst = POLICY_NEUTRAL, k;

	if (!a->pos.line || !b->pos.line) {
		if (a->pos.line == b->pos.line)
			return POLICY_NEUTRAL;
		if (a->pos.line)
			v = (struct verdict){ POLICY_TIGHTEN, false, "the purpose is gone, for calls in progress as well" };
		if (tell)
			diff_tell(d, v, a->pos.line != 0, a->pos.line ? a->pos : b->pos, "rule", now->o.name, purpose_names[p],
				  strdup(a->pos.line ? purpose_names[p] : ""), strdup(b->pos.line ? purpose_names[p] : ""));
		if (tell)
			diff_amount(d, !a->pos.line && p == POLICY_TRAINING && diff_draws(now));
		return v.change;
	}
	for (int id = 0; id < B_N; id++) {
		k = one_setting(d, &c, id, judge_block(id, a, b), id == B_RETENTION || id == B_USE_WITHIN, block_why[id]);
		worst = k > worst ? k : worst;
	}
	return worst;
}

static enum policy_change settings(struct diff *d, const struct rule *old, const struct rule *now, bool tell)
{
	struct compare c = { &rule_table, old, now, now, NULL, now->o.pos, tell };
	enum policy_change worst = POLICY_NEUTRAL, k;

	for (int id = 0; id < R_N; id++) {
		if (id >= R_CALLED && id <= R_TAG)
			continue; /* what it matches */
		if (id == R_DOCUMENTATION || id == R_TRAINING)
			k = blocks(d, old, now, id == R_TRAINING ? POLICY_TRAINING : POLICY_DOCUMENTATION, tell);
		else
			k = one_setting(d, &c, id, judge_rule(id, old, now), id == R_DECISION, rule_why[id]);
		worst = k > worst ? k : worst;
		if (!tell && worst == POLICY_LOOSEN)
			break;
	}
	return worst;
}

void diff_settings(struct diff *d, const struct rule *old, const struct rule *now)
{
	(void)settings(d, old, now, true); /* told item by item */
}

enum policy_change diff_settings_class(struct diff *d, const struct rule *old, const struct rule *now)
{
	if (!d->work || d->oom)
		return POLICY_LOOSEN;
	d->work -= d->work < 20000 ? d->work : 20000; /* some 70 settings are printed */
	return settings(d, old, now, false);
}

bool diff_draws(const struct rule *r)
{
	const struct policy_block *b = &r->pub.purpose[POLICY_TRAINING];

	return b->basis != POLICY_B_NONE && b->sample_permille > 0;
}

bool diff_keeps_shorter(const struct rule *old, const struct rule *now)
{
	for (int p = 0; p < POLICY_PURPOSES; p++) {
		const struct policy_block *a = &old->pub.purpose[p], *b = &now->pub.purpose[p];
		int r;

		if (a->basis == POLICY_B_NONE || b->basis == POLICY_B_NONE)
			continue;
		r = shorter(&a->retention, &b->retention);
		if (r < 0 || r == UNKNOWN || (p == POLICY_TRAINING && optional_span(&a->use_within, &b->use_within) < 0))
			return true;
	}
	return false;
}
