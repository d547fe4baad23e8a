/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lint_sensitive.c - data that keep rules of their own: their bases, pauses, and
 * lines that carry them without saying so
 */
#include <string.h>

#include "lint.h"

static bool mentions_danish_act(const char *s)
{
	return s && (strcasestr(s, "databeskyttelsesloven") ||
		     strcasestr(s, "Danish Data Protection Act"));
}

/* Bases by purpose: one for each that the rule has, and for no other. Training by interest is L-71. */
static void check_each_purpose(struct policy *p, const struct rule *r, const struct sensitive *s)
{
	bool common = !strcmp(s->category, "cpr") || !strcmp(s->category, "card");

	for (int i = 0; i < POLICY_PURPOSES; i++) {
		bool has = r->block[i].pos.line != 0;

		if (has && !s->purpose_basis[i] &&
		    (i == POLICY_DOCUMENTATION || common || r->pub.purpose[i].basis == POLICY_B_CONSENT))
			diag_add(p, s->at, "L-70", "N-05: such data keep their own rules, for each purpose.",
				 "basis documentation \"...\" and basis training \"...\".",
				 "'%s' has no legal basis for %s.", s->category, purpose_names[i]);
		if (!has && s->purpose_basis[i])
			diag_add(p, s->at, "L-70", "N-05", "remove it.",
				 "'%s' has a legal basis for %s, which the rule does not have.", s->category,
				 purpose_names[i]);
	}
}

static void check_category(struct policy *p, struct rule *r, const struct sensitive *s)
{
	const struct policy_block *t = &r->pub.purpose[POLICY_TRAINING];
	bool cpr = !strcmp(s->category, "cpr"), card = !strcmp(s->category, "card");
	const struct assessment *sa = r->block[POLICY_TRAINING].special_assessment
					      ? r->block[POLICY_TRAINING].special_assessment->obj
					      : NULL;

	if (!s->basis && !s->purpose_basis[0] && !s->purpose_basis[1])
		diag_add(p, s->at, "L-70", "N-05: such data keep their own rules.",
			 "sensitive health basis \"...\"", "'%s' has no legal basis of its own.",
			 s->category);
	else if (!s->basis)
		check_each_purpose(p, r, s);
	if (!s->basis && !s->purpose_basis[0] && !s->purpose_basis[1])
		return;
	if (cpr && !mentions_danish_act(s->basis) &&
		 !mentions_danish_act(s->purpose_basis[0]) &&
		 !mentions_danish_act(s->purpose_basis[1]))
		diag_add(p, s->at, "L-70",
			 "N-05: civil registration numbers are governed by the Danish Act.",
			 "sensitive cpr basis \"databeskyttelsesloven § 11\"",
			 "the basis for 'cpr' does not name the Danish Act "
			 "(databeskyttelsesloven).");
	if (cpr || card || t->basis != POLICY_B_INTEREST)
		return;
	if (!t->special || !s->purpose_basis[POLICY_TRAINING])
		diag_add(p, s->at, "L-71",
			 "N-05, N-44: interest alone is no basis for training on special "
			 "categories.",
			 "ask for explicit consent, or give special circumstances and `basis "
			 "training \"...\"` of this category.",
			 "training on '%s' by interest needs special circumstances and a basis of "
			 "its own.",
			 s->category);
	else if (sa && !sa->o.bad && !sa->second)
		diag_add(p, s->at, "L-71", "N-05, N-44",
			 "second-approver in the assessment of the special circumstances.",
			 "training on '%s' needs a second approver.", s->category);
}

static void unsaid(struct policy *p, const struct rule *r, const struct set *s)
{
	diag_add(p, r->o.pos, "L-74", "N-05: such data keep their own rules.", "sensitive CATEGORY basis \"...\"",
		 "the rule matches %s of the sensitive set '%s' but does not say what is sensitive.",
		 set_kind_names[s->kind], s->o.name);
}

static bool names_trunk(const struct rule *r, const struct set *s)
{
	for (const struct word *w = s->words; w; w = w->next) {
		const struct trunk *t = w->obj;

		if (t && r->trunk_bits[t->index / 64] >> t->index % 64 & 1)
			return true;
	}
	return false;
}

static bool names_member(const struct rule *r, const struct set *s)
{
	for (const struct header_crit *h = r->headers; h; h = h->next) {
		if (h->which != (s->kind == SET_QUEUES ? H_QUEUE : H_AGENT))
			continue;
		if (h->op == OP_ONE_OF && h->value->obj == s)
			return true;
		for (size_t i = 0; i < s->nwords && h->op == OP_EQ; i++)
			if (!strcmp(s->sorted[i], h->value->s))
				return true;
	}
	return false;
}

static void check_unsaid(struct policy *p, const struct rule *r)
{
	int side = (int)r->pub.side;
	const struct numbers *own = side ? &r->calling : &r->called;

	if (!r->at[side ? R_CALLING : R_CALLED].line)
		own = &rule_controller(r)->numbers;
	for (const struct obj *o = p->sets.first; o; o = o->next) {
		const struct set *s = (const struct set *)o;

		if (!s->sensitive)
			continue;
		if (s->kind == SET_NUMBERS ? numbers_meet_ivals(p, own, &s->numbers.iv)
		    : s->kind == SET_TRUNKS ? names_trunk(r, s)
					    : s->kind != SET_HOLIDAYS && names_member(r, s))
			unsaid(p, r, s);
	}
}

void check_sensitive(struct policy *p, struct rule *r)
{
	for (struct sensitive *s = r->sensitive; s; s = s->next)
		check_category(p, r, s);
	if (r->sensitive && !*r->pub.pause_key && !r->pause_header && !r->pause_api)
		diag_add(p, r->sensitive->at, "L-72",
			 "N-05, RX-11: what may not be kept must be possible to leave out.",
			 "pause-key *5 and resume-key *6, pause api, or pause header NAME.",
			 "a sensitive line has no way to pause.");
	if (r->sensitive && !r->pub.mute_dtmf)
		diag_add(p, rule_at(r, R_MUTE), "L-73", "R-05b: key presses can be card or CPR numbers.",
			 "mute-dtmf yes", "a sensitive line does not mute key presses.");
	if (!r->sensitive)
		check_unsaid(p, r);
}
