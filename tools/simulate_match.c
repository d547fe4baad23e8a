/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * simulate_match.c - which rule of the new policy a past call comes to, and whether callers were
 * asked the same
 *
 * Without any number: two rules with one match hash match the same calls (policy/describe.h). Only
 * calls of a rule whose match, or that of something before it, is another need what the policy was
 * asked, which lies sealed in the row of a kept call. One thread.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "call/facts.h"
#include "policies_kept.h"
#include "policy/describe.h"
#include "simulate.h"

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}

static bool same_notices(const struct policy *a, const struct policy_rule *x,
			 const struct policy *b, const struct policy_rule *y)
{
	if (x->nnotice != y->nnotice)
		return false;
	for (size_t i = 0; i < x->nnotice; i++) {
		uint8_t h[POLICY_TEXT_HASH], k[POLICY_TEXT_HASH];

		if (policy_announcement_hash(a, x->notice[i].name, h) ||
		    policy_announcement_hash(b, y->notice[i].name, k) ||
		    memcmp(h, k, sizeof(h)) != 0)
			return false;
	}
	return true;
}

static bool same_window(const struct policy_window *a, const struct policy_window *b)
{
	return a->set == b->set && a->from_s == b->from_s && a->to_s == b->to_s &&
	       a->from_answer == b->from_answer;
}

enum sim_unsure sim_differs(const struct policy *a, const struct policy_rule *x,
			    const struct policy *b, const struct policy_rule *y, int p)
{
	const struct policy_block *o = &x->purpose[p], *n = &y->purpose[p];

	if (n->basis == POLICY_B_NONE)
		return SURE;
	if (!same_notices(a, x, b, y))
		return U_NOTICE;
	if (x->proof != y->proof || !same_text(x->proof_header, y->proof_header) ||
	    !same_text(x->proof_value, y->proof_value) ||
	    (x->proof != POLICY_PROOF_ATTESTED && x->notice_timeout_s != y->notice_timeout_s))
		return U_PROOF;
	if (p == POLICY_DOCUMENTATION && n->basis != POLICY_B_CONSENT &&
	    o->basis != POLICY_B_CONSENT)
		return SURE; /* by interest or statute: nobody has to answer anything */
	if (o->basis == POLICY_B_NONE)
		return U_ASKED;
	if (o->basis != n->basis || o->special != n->special)
		return U_BASIS;
	if (n->special)
		return SURE;
	if (!same_window(&o->window, &n->window))
		return U_WINDOW;
	if (n->basis != POLICY_B_CONSENT)
		return SURE; /* who opted out did, and who did not did not */
	if (strcmp(o->consent_key, n->consent_key) != 0)
		return U_KEY;
	if (o->consent_api != n->consent_api || !same_text(o->consent_header, n->consent_header) ||
	    !same_text(o->consent_value, n->consent_value) || o->dtmf != n->dtmf)
		return U_WAY;
	return SURE;
}

static int32_t rule_with(const struct sim *s, const uint8_t hash[POLICY_TEXT_HASH],
			 uint8_t (*all)[POLICY_TEXT_HASH])
{
	for (size_t i = 0; i < s->nrule; i++)
		if (!memcmp(all[i], hash, POLICY_TEXT_HASH))
			return (int32_t)i;
	return GOES_UNKNOWN;
}

void sim_relate(struct sim *s, struct old_policy *o)
{
	uint8_t(*all)[POLICY_TEXT_HASH] = calloc(s->nrule + 1, sizeof(*all));
	uint8_t hash[POLICY_TEXT_HASH];

	for (size_t i = 0; all && i < s->nrule; i++)
		if (policy_match_hash(s->policy, s->rule[i].rule, all[i]))
			memset(all[i], 0xff, sizeof(all[i])); /* no memory: not known */
	for (size_t i = 0; i < policy_rules(o->p); i++) {
		struct old_rule *r = &o->rule[i];

		r->rule = policy_rule(o->p, i);
		r->goes = GOES_UNKNOWN;
		r->namesake = -1;
		for (size_t k = 0; k < s->nrule; k++)
			if (!strcmp(s->rule[k].rule->name, r->rule->name))
				r->namesake = (int32_t)k;
		if (all && !policy_match_hash(o->p, r->rule, hash))
			r->goes = rule_with(s, hash, all);
		for (int p = 0; p < POLICY_PURPOSES && r->goes >= 0; p++)
			r->differs[p] = (uint8_t)sim_differs(o->p, r->rule, s->policy,
							     s->rule[r->goes].rule, p);
	}
	free(all);
}

uint16_t sim_old(struct sim *s, const char *hash)
{
	struct old_policy *v, *o;

	for (size_t i = s->nold; i-- > 0;)
		if (!strcmp(s->old[i].hash, hash))
			return (uint16_t)i;
	if (s->nold >= UINT16_MAX - 1 || strlen(hash) != 64)
		return UINT16_MAX;
	v = realloc(s->old, (s->nold + 1) * sizeof(*v));
	if (!v)
		return UINT16_MAX;
	s->old = v;
	o = &v[s->nold];
	*o = (struct old_policy){0};
	memcpy(o->hash, hash, 65);
	if (policies_kept(s->store, hash, &o->p, NULL))
		o->p = NULL;
	if (o->p) {
		o->rule = calloc(policy_rules(o->p) + 1, sizeof(*o->rule));
		if (!o->rule) {
			policy_free(o->p);
			return UINT16_MAX;
		}
		sim_relate(s, o);
	}
	return (uint16_t)s->nold++;
}

uint16_t sim_old_rule(const struct sim *s, uint16_t policy, const char *name)
{
	const struct policy *p = policy < s->nold ? s->old[policy].p : NULL;

	for (size_t i = 0; p && i < policy_rules(p) && i < UINT16_MAX; i++)
		if (!strcmp(policy_rule(p, i)->name, name))
			return (uint16_t)i;
	return UINT16_MAX;
}

static bool ask(struct sim *s, const void *bytes, size_t n, struct past *c)
{
	struct policy_decision d;
	struct policy_input in;
	struct call_facts *f;
	bool blind;

	if (call_facts_load(bytes, n, &f))
		return false;
	call_facts_input(f, s->policy, &in, &blind);
	policy_eval(s->policy, &in, &d);
	if (!blind) {
		c->goes = d.verdict == POLICY_NEVER ? GOES_NEVER : GOES_NOWHERE;
		for (size_t i = 0; d.verdict == POLICY_MATCH && i < s->nrule; i++)
			if (s->rule[i].rule == d.rule)
				c->goes = (int32_t)i;
	}
	call_facts_free(f);
	return !blind;
}

void sim_ask_facts(struct sim *s, struct store *st, const struct store_row *row, struct past *c)
{
	bool known = false;

	for (int p = 0; p < STORE_PURPOSES && s->keys && !known; p++) {
		struct store_reader *r;
		const void *bytes;
		size_t n;

		if (row->state[p] != STORE_S_GRANTED ||
		    store_read_row(st, row, (enum store_purpose)p, s->keys, &r))
			continue;
		known = !store_read_facts(r, &bytes, &n) && ask(s, bytes, n, c);
		store_read_close(r);
	}
	s->opened += known;
	s->closed += !known;
}
