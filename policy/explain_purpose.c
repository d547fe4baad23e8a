/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * explain_purpose.c - one purpose of a rule in plain words: what decides, how
 * much, how long, who listens
 */
#include <stdlib.h>
#include <string.h>

#include "explain.h"

static const char *name(const struct explain *e, const struct block *b)
{
	return e->t->say[b->purpose == POLICY_DOCUMENTATION ? X_DOC : X_TRAIN];
}

static bool alone(const struct explain *e, const struct block *b)
{
	return !e->r->block[!b->purpose].pos.line;
}

/* By the rule alone nobody knows when its announcement ends: daemon/call/decide_notice.c takes the strict reading. */
static bool length_unknown(const struct policy_rule *r)
{
	for (size_t i = 0; i < r->nnotice; i++)
		if (!r->notice[i].length_ms)
			return r->proof != POLICY_PROOF_FINGERPRINT;
	return false;
}

/* ", but not sooner than 12 s after the announcement begins"; "12 s (notice-da) or 15 s (notice-en)" when they differ; "" when
 * the window begins no sooner in any case. */
static const char *keys_after(struct explain *e, const struct policy_window *w)
{
	const struct policy_rule *r = &e->r->pub;
	const char *s = e->t->say[X_KEYS_AFTER], *one = strstr(s, "{1}"), *all = "";
	int first = r->nnotice ? r->notice[0].keys_after_s : 0;
	bool same = true, matters = false;

	for (size_t i = 0; i < r->nnotice; i++) {
		same &= r->notice[i].keys_after_s == first;
		matters |= r->notice[i].keys_after_s > (w->from_answer ? 0 : w->from_s);
	}
	if (!matters)
		return "";
	if (same)
		all = explain_seconds(e, first);
	for (size_t i = 0; !same && i < r->nnotice; i++)
		if (r->notice[i].keys_after_s)
			all = explain_fmt(e, "%s%s%s (%s)", all, *all ? e->t->say[X_KEYS_AFTER_OR] : "", explain_seconds(e, r->notice[i].keys_after_s),
					  r->notice[i].name);
	return explain_fmt(e, "%.*s%s%s", (int)(one - s), s, all, one + 3);
}

/* "from 3 s after the announcement begins to 10 s after it ends"; malloc'ed by fill, hence the list
 * of holes here. */
static const char *window(struct explain *e, const struct policy_window *w)
{
	static const int unknown[] = { [POLICY_PROOF_FINGERPRINT] = X_WINDOW, [POLICY_PROOF_HEADER] = X_WINDOW_PROOF,
				       [POLICY_PROOF_API] = X_WINDOW_TOLD, [POLICY_PROOF_ATTESTED] = X_WINDOW_ANSWER };
	const struct policy_rule *r = &e->r->pub;
	const char *s = e->t->say[w->from_answer ? X_WINDOW_ANSWER : length_unknown(r) ? unknown[r->proof] : X_WINDOW];
	const char *one = strstr(s, "{1}"), *two = strstr(s, "{2}"), *after = keys_after(e, w);

	return explain_fmt(e, "%.*s%s%.*s%s%s%s", (int)(one - s), s, explain_seconds(e, w->from_s),
			   (int)(two - one - 3), one + 3, explain_seconds(e, w->to_s), two + 3, after);
}

static void consent(struct explain *e, const struct block *b)
{
	const struct policy_block *x = b->pub;

	SAY(e, X_BASIS_CONSENT, e->party);
	if (*x->consent_key)
		SAY(e, X_KEY_YES, x->consent_key, e->party, name(e, b), window(e, &x->window));
	if (*x->consent_key && x->window.reopen_agent)
		SAY(e, X_REOPEN);
	if (b->consent_api)
		SAY(e, X_CONSENT_API, e->party);
	if (b->consent_header)
		SAY(e, X_CONSENT_HEADER, b->consent_header, e->party);
	if (*x->consent_key)
		SAY(e, X_OTHER_KEY);
	SAY(e, alone(e, b) ? X_NO_ALONE : X_NO_BESIDE, name(e, b));
	SAY(e, X_NO_HANGUP);
	SAY(e, X_LOSS_CONSENT);
	if (alone(e, b))
		SAY(e, X_START_AT_YES);
	else if (b->purpose == POLICY_TRAINING)
		SAY(e, x->training_from_press ? X_YES_FROM : X_YES_WHOLE);
	if (*x->withdraw_key)
		SAY(e, X_WITHDRAW_KEY, x->withdraw_key, e->party);
	SAY(e, alone(e, b) ? X_WITHDRAW_ERASES : X_WITHDRAW_ENDS, name(e, b));
	SAY(e, X_OBJ_CONSENT);
}

static void opt_out(struct explain *e, const struct block *b)
{
	const struct policy_block *x = b->pub;
	bool only = alone(e, b);

	SAY(e, X_BASIS_INTEREST);
	SAY(e, X_SILENCE_OPTOUT);
	if (*x->optout_key[0])
		ITEM(e, X_OPT_KEY, e->party, explain_keys(e, x->optout_key));
	if (*x->optout_agent_key[0])
		ITEM(e, X_OPT_AGENT, e->party, explain_keys(e, x->optout_agent_key));
	if (x->optout_agent_api)
		ITEM(e, X_OPT_API, e->party);
	if (x->optout_agent_header)
		ITEM(e, X_OPT_HEADER, e->party, b->optout_header);
	SAY(e, only ? X_OPT_ALONE : X_OPT_BESIDE);
	if (x->callback_unrecorded.n)
		SAY(e, X_OPT_CALLBACK, explain_span(e, &x->callback_unrecorded), e->party);
	SAY(e, !only ? X_OPT_WAIT_BESIDE : x->pre_decision == POLICY_PRE_BLOCK ? X_OPT_BLOCK : X_OPT_WAIT, explain_seconds(e, x->window.to_s),
	    e->t->say[x->window.from_answer ? X_AFTER_ANSWER : X_AFTER_NOTICE]);
	if (!x->window.from_answer && length_unknown(&e->r->pub))
		SAY(e, X_OPT_LENGTH, explain_seconds(e, e->r->pub.notice_timeout_s));
	SAY(e, X_OPT_HANGUP);
	SAY(e, x->on_loss == 1 ? X_LOSS_KEEP : X_LOSS_DENY);
	SAY(e, X_OBJ_OPTOUT);
}

static void special(struct explain *e, const struct block *b)
{
	SAY(e, X_BASIS_INTEREST);
	SAY(e, X_SPECIAL, b->pub->special_ground, b->pub->special_assessment);
	SAY(e, X_SPECIAL_SILENCE);
	SAY(e, X_SPECIAL_OBJ, e->party);
	SAY(e, X_SPECIAL_LOSS);
}

static void document(struct explain *e, const struct block *b)
{
	const struct policy_block *x = b->pub;

	if (x->basis == POLICY_B_OBLIGATION)
		SAY(e, X_BASIS_LAW, x->statute);
	else
		SAY(e, X_BASIS_INTEREST);
	SAY(e, e->r->pub.record_early_media ? X_DOC_EARLY : X_DOC_ANSWER);
	SAY(e, X_DOC_HANGUP, explain_span(e, &e->r->pub.min_length));
	SAY(e, X_DOC_LOSS);
	if (x->on_objection == POLICY_OBJ_PAUSE || x->on_objection == POLICY_OBJ_STOP)
		SAY(e, x->on_objection == POLICY_OBJ_PAUSE ? X_OBJ_PAUSE : X_OBJ_STOP);
	else
		SAY(e, X_OBJ_CONTINUE);
	if (x->basis == POLICY_B_OBLIGATION)
		SAY(e, X_OBJ_LAW);
}

/* ---- amount ---- */

/* Calendar arithmetic as the recorder's: a day past the month's end is the month's last. */
static bool date_after(const struct policy_date *d, const struct policy_span *s,
		       struct policy_date *ret)
{
	int months = s->unit == POLICY_U_YEARS ? 12 * s->n : s->n, m;

	*ret = *d;
	if (s->unit < POLICY_U_DAYS || s->n > 36500)
		return false;
	if (s->unit == POLICY_U_DAYS) {
		civil_from_days(days_from_civil(d->year, d->month, d->day) + s->n, ret);
		return true;
	}
	m = d->month - 1 + months;
	ret->year = d->year + m / 12;
	ret->month = m % 12 + 1;
	while (!date_valid(ret) && ret->day > 28)
		ret->day--;
	return true;
}

/* A call of 30 November: the day on which months differ most. */
static struct policy_date example_day(const struct policy *p)
{
	struct policy_date d;

	civil_from_days(p->today / 86400, &d);
	return (struct policy_date){d.year, 11, 30};
}

static void amount(struct explain *e, const struct policy_block *x)
{
	static const int per[] = {X_PER_HOUR, X_PER_DAY, X_PER_WEEK, X_PER_MONTH};
	static const int of[] = {X_OF_RULE, X_OF_QUEUE, X_OF_AGENT};
	struct policy_date from = example_day(e->p), until;

	SAY(e, X_SAMPLE, explain_permille(e, x->sample_permille));
	for (int i = 0; i < x->ncap; i++)
		ITEM(e, X_CAP, explain_fmt(e, "%d", x->cap[i].n), e->t->say[per[x->cap[i].per]],
		     e->t->say[of[x->cap[i].of]]);
	SAY(e, x->spread_first_come ? X_FIRST_COME : X_EVENLY);
	SAY(e, X_NOT_DRAWN);
	if (date_after(&from, &x->use_within, &until))
		SAY(e, alone(e, &e->r->block[POLICY_TRAINING]) ? X_UNUSED : X_UNUSED_BESIDE, explain_span(e, &x->use_within), explain_date(e, &from),
		    explain_date(e, &until));
	SAY(e, X_TARGET, explain_fmt(e, "%d", x->use_target_percent),
	    explain_fmt(e, "%d%s%02d", x->throttle_percent / 100, e->t->say[X_DECIMAL],
			x->throttle_percent % 100),
	    explain_fmt(e, "%d", x->use_floor));
}

/* ---- how long, and who listens ---- */

static void deadline(struct explain *e, const struct block *b)
{
	const struct policy_block *x = b->pub;
	struct policy_date from = example_day(e->p), until;

	SAY(e, X_ERASED, explain_span(e, &x->retention),
	    ((const struct controller *)e->r->controller->obj)->pub.timezone);
	if (date_after(&from, &x->retention, &until))
		SAY(e, X_EXAMPLE, explain_date(e, &from), explain_date(e, &until));
	if (x->retention_reason)
		SAY(e, X_REASON, x->retention_reason);
	if (b->purpose == POLICY_DOCUMENTATION && x->not_needed)
		SAY(e, X_NOT_NEEDED);
	if (x->worm)
		SAY(e, X_WORM);
	if (b->purpose == POLICY_TRAINING && !alone(e, b))
		SAY(e, X_ONLY_DOC_AFTER);
	SAY(e, b->purpose == POLICY_DOCUMENTATION ? X_HOLD : X_NO_HOLD);
}

static void listeners(struct explain *e, const struct block *b)
{
	bool any = false;

	for (const struct role *k = e->r->roles; k; k = k->next) {
		char *list = k->purpose == b->purpose ? explain_list(e, k->names) : NULL;

		if (list)
			SAY(e, X_MAY_LISTEN, list);
		any |= list != NULL;
		free(list);
	}
	if (any)
		SAY(e, e->r->play_reason_off ? X_PLAY_FREE : X_PLAY_REASON);
	else
		SAY(e, X_NOBODY_LISTENS);
	SAY(e, X_ACCESS, e->party);
}

void explain_purpose(struct explain *e, const struct block *b)
{
	const struct policy_block *x = b->pub;
	const struct assessment *a = b->assessment ? b->assessment->obj : NULL;

	explain_head(e, b->purpose == POLICY_DOCUMENTATION ? X_H_DOC : X_H_TRAIN);
	if (x->basis == POLICY_B_CONSENT)
		consent(e, b);
	else if (b->purpose == POLICY_DOCUMENTATION)
		document(e, b);
	else if (x->special)
		special(e, b);
	else
		opt_out(e, b);
	if (a && a->review.year)
		SAY(e, X_ASSESSMENT, a->o.name, explain_date(e, &a->review));
	if (b->purpose == POLICY_TRAINING)
		amount(e, x);
	deadline(e, b);
	listeners(e, b);
}
