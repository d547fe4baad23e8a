/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lint_key.c - keys: that each means one thing on its leg, and can be told from the others
 *
 * Digits are heard one after the other. Of two keys of which one begins as the
 * other, the shorter would always be taken first.
 */
#include <string.h>
#include <strings.h>

#include "lint.h"

/* ---- keys on the agent's leg and on the subject's ---- */

static void same_key(struct policy *p, struct pos at, const char *code, const char *a,
		     const char *b)
{
	diag_add(p, at, code, "N-19: one key has one meaning.", "choose another key.",
		 "the %s is also the %s.", a, b);
}

struct key_use {
	const char *key, *what;
	struct pos at;
	bool agent, consent;
	int purpose;
};

static size_t collect(const struct rule *r, struct key_use *u)
{
	size_t n = 0;

#define USE(k, w, where, is_agent, is_consent, purp)                                               \
	u[n++] = (struct key_use)                                                                  \
	{                                                                                          \
		.key = (k), .what = (w), .at = (where), .agent = (is_agent),                       \
		.consent = (is_consent), .purpose = (purp)                                         \
	}
	for (int i = 0; i < POLICY_PURPOSES; i++) {
		const struct block *b = &r->block[i];

		if (*b->pub->consent_key)
			USE(b->pub->consent_key, "consent key", b->at[B_CONSENT_KEY], false, true,
			    i);
		if (*b->pub->withdraw_key)
			USE(b->pub->withdraw_key, "withdraw key", b->at[B_WITHDRAW], false, false,
			    i);
		for (int k = 0; k < POLICY_KEYS_MAX && *b->pub->optout_key[k]; k++)
			USE(b->pub->optout_key[k], "opt-out key", b->opt_at, false, false, i);
		for (int k = 0; k < POLICY_KEYS_MAX && *b->pub->optout_agent_key[k]; k++)
			USE(b->pub->optout_agent_key[k], "agent's opt-out key", b->agent_key_at,
			    true, false, i);
		if (*b->not_needed_key)
			USE(b->not_needed_key, "not-needed key", b->at[B_NOT_NEEDED], true, false,
			    i);
	}
	if (*r->pub.pause_key)
		USE(r->pub.pause_key, "pause key", r->at[R_PAUSE_KEY], true, false, -1);
	if (*r->pub.resume_key)
		USE(r->pub.resume_key, "resume key", r->at[R_RESUME_KEY], true, false, -1);
#undef USE
	return n;
}

/* Pressing the one is, for a while, pressing the other. */
static bool begins_as(const char *a, const char *b)
{
	size_t n = strlen(a), m = strlen(b);

	return n != m && !strncmp(a, b, n < m ? n : m);
}

static void check_pair(struct policy *p, const struct key_use *a, const struct key_use *b)
{
	if (a->agent != b->agent)
		return;
	if (begins_as(a->key, b->key)) {
		diag_add(p, a->at, "L-21", "N-19: one key has one meaning; digits are heard one by one.",
			 "choose keys of which none begins as another.",
			 "the %s and the %s begin alike: the shorter one is always taken first.", a->what, b->what);
		return;
	}
	if (strcmp(a->key, b->key))
		return;
	if (a->consent && b->consent)
		diag_add(p, a->at, "L-22", "N-19: one key, one purpose: a consent is specific.",
			 "give each purpose a key of its own.", "one key gives consent for two purposes.");
	else if (a->purpose == b->purpose || a->agent || a->consent || b->consent)
		same_key(p, a->at, "L-21", a->what, b->what);
	/* else: one key of the caller may end both purposes */
}

/* What callers press for the menu is heard by the recorder as well. */
static void check_menu(struct policy *p, const struct rule *r, const struct key_use *u)
{
	for (const struct word *w = r->notice; w; w = w->next) {
		const struct announcement *a = w->obj;

		for (int i = 0; a && i < a->nmenu; i++)
			if (!strcmp(a->menu[i], u->key) || begins_as(a->menu[i], u->key)) {
				diag_add(p, u->at, "W-06",
					 "X-1: whoever answers the menu would decide about the recording.",
					 "choose a key that the menu does not use, or ask after the menu.",
					 "the %s is also a key of the menu around '%s'.", u->what, a->o.name);
				return;
			}
	}
}

/* ---- headers that answer for the caller ---- */

static bool same_header(const char *name, const char *value, const char *other, const char *other_value)
{
	return name && other && !strcasecmp(name, other) &&
	       (!value || !other_value || !strcmp(value, other_value)); /* no value: any */
}

static void check_said(struct policy *p, const struct rule *r, const struct block *b)
{
	const char *name = b->consent_header, *value = b->consent_value;
	const struct block *doc = &r->block[POLICY_DOCUMENTATION];
	struct pos at = b->at[B_CONSENT_SOURCE];

	if (r->pub.proof == POLICY_PROOF_HEADER && same_header(name, value, r->pub.proof_header, r->pub.proof_value))
		diag_add(p, at, "L-25", "N-20, N-21: hearing the notice is no consent.", "a header that says what was answered.",
			 "the header that proves the notice would also be the consent.");
	if (b != doc && same_header(name, value, doc->consent_header, doc->consent_value))
		diag_add(p, at, "L-22", "N-19: a consent is specific.", "a header, or a value, for each purpose.",
			 "one header gives consent for two purposes.");
	for (int i = 0; i < POLICY_PURPOSES; i++)
		if (same_header(name, value, r->block[i].optout_header, r->block[i].optout_value))
			diag_add(p, at, "L-21", "N-19: one answer has one meaning.", "another header, or another value.",
				 "the header of the consent is also that of the opt-out.");
}

void check_keys(struct policy *p, struct rule *r)
{
	struct key_use u[POLICY_PURPOSES * (3 + 2 * POLICY_KEYS_MAX) + 2];
	size_t n = collect(r, u);

	for (size_t i = 0; i < n; i++) {
		for (size_t j = 0; j < i; j++)
			check_pair(p, &u[i], &u[j]);
		if (!u[i].agent)
			check_menu(p, r, &u[i]);
	}
	for (int i = 0; i < POLICY_PURPOSES; i++)
		check_said(p, r, &r->block[i]);
	if (*r->pub.resume_key && !*r->pub.pause_key)
		diag_add(p, r->at[R_RESUME_KEY], "L-21", NULL, "pause-key K",
			 "there is a resume key but no pause key.");
}

/* ---- headers in which a telephone system says what happened ---- */

struct told {
	const char *name[POLICY_EVENT_HEADERS_MAX];
	size_t n;
	bool full;
};

static void told_by(struct policy *p, struct told *t, const char *name, struct pos at)
{
	for (size_t i = 0; name && i < t->n; i++)
		if (!strcasecmp(t->name[i], name))
			return;
	if (!name || t->full)
		return;
	if (t->n < POLICY_EVENT_HEADERS_MAX) {
		t->name[t->n++] = name;
		return;
	}
	t->full = true; /* told once */
	diag_add(p, at, "L-11", "R-41b: what a path says must be heard; the work for each message is bounded.",
		 "let the telephone system use fewer header names, or the api.",
		 "a policy can be told things in %d SIP headers, '%s' is one more.", POLICY_EVENT_HEADERS_MAX, name);
}

void check_event_headers(struct policy *p)
{
	struct told t = {.n = 0};

	for (struct obj *o = p->trunks.first; o; o = o->next) {
		const struct trunk *k = (const struct trunk *)o;

		told_by(p, &t, k->correlate_header, k->at[TK_CORRELATE]);
	}
	for (struct obj *o = p->rules.first; o; o = o->next) {
		const struct rule *r = (const struct rule *)o;

		if (r->pub.proof == POLICY_PROOF_HEADER)
			told_by(p, &t, r->pub.proof_header, r->at[R_PROOF]);
		told_by(p, &t, r->pause_header, r->at[R_PAUSE]);
		for (int i = 0; i < POLICY_PURPOSES; i++) {
			told_by(p, &t, r->block[i].consent_header, r->block[i].at[B_CONSENT_SOURCE]);
			told_by(p, &t, r->block[i].optout_header, r->block[i].at[B_OPTOUT]);
		}
	}
}
