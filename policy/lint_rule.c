/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lint_rule.c - checks of controllers, assessments, defaults, and of a rule
 * outside its purposes: who, what it matches, keys, sensitive data, roles
 */
#include <stdlib.h>
#include <string.h>

#include "lint.h"

/* ---- objects ---- */

void check_controller(struct policy *p, struct controller *c)
{
	size_t n = 0;

	for (struct word *w = c->languages; w; w = w->next)
		n++;
	if (n > LANGUAGES_MAX)
		diag_add(p, c->at[C_LANGUAGES], "L-01", NULL, NULL,
			 "a controller has at most %d languages.", LANGUAGES_MAX);
	if (c->pub.lab)
		diag_add(p, c->at[C_LAB], "W-18",
			 "a laboratory's rules are for captures read from files; review dates do "
			 "not bind them.",
			 "remove `lab yes` before recording real calls.",
			 "rules of '%s' never match live traffic.", c->o.name);
}

static int note_days(const struct policy *p, const struct policy_date *d)
{
	return (int)(days_from_civil(d->year, d->month, d->day) - p->today / 86400);
}

void check_assessment(struct policy *p, struct assessment *a)
{
	bool lab_only = true, used = false;

	if (!a->at[AS_KIND].line)
		diag_add(p, a->o.pos, "L-01", NULL,
			 "kind documentation, training-amount, special, retention or sensitive.",
			 "the assessment has no kind.");
	if (a->file)
		(void)check_file(p, a->file, "assessment", NULL);
	if (a->by_file && a->kind <= AS_AMOUNT)
		diag_add(p, a->at[AS_FILE], "W-19",
			 "N-07, N-10..N-15, N-47: the answers must be there; a person has to see "
			 "to it.",
			 "write them into the assessment (no-other-way, factor 1..6, "
			 "without-consent).",
			 "the answers are taken to be in the file, which the linter cannot read.");
	for (struct obj *o = p->rules.first; o; o = o->next) {
		struct rule *r = (struct rule *)o;
		const struct controller *c = rule_controller(r);

		for (int i = 0; i < POLICY_PURPOSES; i++) {
			struct block *b = &r->block[i];

			if ((b->assessment && b->assessment->obj == a) ||
			    (b->special_assessment && b->special_assessment->obj == a) ||
			    (b->reason_assessment && b->reason_assessment->obj == a)) {
				used = true;
				lab_only &= c && c->pub.lab;
			}
		}
	}
	if (!a->at[AS_REVIEW].line) {
		diag_add(p, a->o.pos, "L-07", "N-18: an assessment is good until its review.",
			 "review 2027-06-01", "the assessment has no review date.");
		return;
	}
	if (used && lab_only)
		return;
	if (note_days(p, &a->review) < 0)
		diag_add(p, a->at[AS_REVIEW], "L-07",
			 "N-18: past its review an assessment proves nothing.",
			 "review it, then set the next date.",
			 "the assessment's review date is past.");
	else if (note_days(p, &a->review) < 60)
		diag_add(p, a->at[AS_REVIEW], "W-02", "N-18: at the date the rule falls back.",
			 NULL, "the assessment is due for review in %d days.",
			 note_days(p, &a->review));
}

static void weaker(struct policy *p, struct pos at, const char *built_in)
{
	diag_add(p, at, "L-92", "a default may only be as strict as the built-in one, or stricter.",
		 "say it in the rules that need it.",
		 "this default is weaker than the built-in one (%s).", built_in);
}

static int seconds(const struct policy_span *s)
{
	static const int unit[] = {1, 60, 3600};

	return s->unit <= POLICY_U_H && s->n < 100000 ? s->n * unit[s->unit] : INT32_MAX;
}

void check_defaults(struct policy *p, struct rule *d)
{
	static const struct {
		int id;
		const char *built_in;
	} yes[] = {{R_MUSIC, "no"}, {R_EARLY, "no"}};
	bool weak[] = {d->pub.record_hold_music, d->pub.record_early_media};

	for (int i = 0; i < 2; i++)
		if (d->at[yes[i].id].line && weak[i])
			weaker(p, d->at[yes[i].id], yes[i].built_in);
	if (d->at[R_MUTE].line && !d->pub.mute_dtmf)
		weaker(p, d->at[R_MUTE], "yes");
	if (d->at[R_ON_REVIEW].line && d->pub.on_review_missed != POLICY_FB_OFF)
		weaker(p, d->at[R_ON_REVIEW], "off");
	if (d->at[R_TIMEOUT].line && d->pub.notice_timeout_s > 60)
		weaker(p, d->at[R_TIMEOUT], "60 s");
	if (d->at[R_ON_MISSING].line &&
	    (d->pub.on_missing_notice == POLICY_MISSING_KEEP || span_days(&d->pub.quarantine) > 7))
		weaker(p, d->at[R_ON_MISSING], "quarantine 7 days");
	if (d->at[R_PAUSE_MAX].line && seconds(&d->pub.pause_max) > 300)
		weaker(p, d->at[R_PAUSE_MAX], "5 min");
	if (d->at[R_MIN].line && seconds(&d->pub.min_length) < 4)
		weaker(p, d->at[R_MIN], "4 s");
	if (d->at[R_MAX].line && seconds(&d->pub.max_length) > 4 * 3600)
		weaker(p, d->at[R_MAX], "4 h");
	if (d->at[R_PLAY_REASON].line && d->play_reason_off)
		weaker(p, d->at[R_PLAY_REASON], "required");
	if (d->at[R_ALARM].line && d->alarm && !strcmp(d->alarm->s, "off"))
		weaker(p, d->at[R_ALARM], "on");
	for (int i = 0; i < POLICY_PURPOSES; i++) {
		const struct block *b = &d->block[i];

		if (b->at[B_RETENTION].line && longer_than_3_months(&b->pub->retention))
			weaker(p, b->at[B_RETENTION], "3 months");
		if (b->at[B_USE_WITHIN].line && span_days(&b->pub->use_within) > 30)
			weaker(p, b->at[B_USE_WITHIN], "30 days");
		if (b->at[B_ON_LOSS].line && b->pub->on_loss == 1)
			weaker(p, b->at[B_ON_LOSS], "deny");
	}
}

/* ---- what it matches ---- */

static bool within(const struct ivals *in, const struct ivals *of)
{
	for (size_t i = 0; i < in->n; i++) {
		uint64_t at = in->lo[i];
		size_t j;

		for (j = 0; j < of->n && of->hi[j] < at; j++)
			;
		if (j == of->n || of->lo[j] > at || of->hi[j] < in->hi[i])
			return false;
	}
	return true;
}

/* Every number of c lies in `of`; a dynamic set may grow out of it and is judged by its members. */
static bool numbers_within(const struct numbers *c, const struct ivals *of)
{
	if (!within(&c->iv, of))
		return false;
	for (const struct word *w = c->sets; w; w = w->next)
		if (w->obj && !within(&((const struct set *)w->obj)->numbers.iv, of))
			return false;
	return true;
}

static int union_of(struct policy *p, const struct numbers *c, struct ivals *ret)
{
	struct pattern *all;
	size_t n = c->n, k = n;
	int err;

	for (const struct word *w = c->sets; w; w = w->next)
		n += w->obj ? ((const struct set *)w->obj)->numbers.n : 0;
	all = malloc((n + 1) * sizeof(*all));
	if (!all) {
		p->oom = true;
		return -1;
	}
	if (c->n)
		memcpy(all, c->pat, c->n * sizeof(*all));
	for (const struct word *w = c->sets; w; w = w->next) {
		const struct set *s = w->obj;

		if (s && s->numbers.n)
			memcpy(all + k, s->numbers.pat, s->numbers.n * sizeof(*all));
		k += s ? s->numbers.n : 0;
	}
	err = ivals_build(&p->arena, all, n, ret);
	free(all);
	return err;
}

static bool bits_any(const uint64_t *b)
{
	for (int i = 0; i < TRUNKS_MAX / 64; i++)
		if (b[i])
			return true;
	return false;
}

static bool bits_within(const uint64_t *in, const uint64_t *of)
{
	for (int i = 0; i < TRUNKS_MAX / 64; i++)
		if (in[i] & ~of[i])
			return false;
	return true;
}

static const struct numbers *own_numbers(const struct rule *r)
{
	return r->pub.side == POLICY_SIDE_CALLED ? &r->called : &r->calling;
}

static bool own_numbers_set(const struct rule *r)
{
	return r->at[r->pub.side == POLICY_SIDE_CALLED ? R_CALLED : R_CALLING].line != 0;
}

static void check_side(struct policy *p, struct rule *r)
{
	const struct controller *c = rule_controller(r);
	const struct numbers *own = own_numbers(r);
	struct ivals all = {0};
	int id = r->pub.side == POLICY_SIDE_CALLED ? R_CALLED : R_CALLING;
	bool trunks = bits_any(c->trunk_bits);

	if (!trunks && c->numbers.n == 0 && !c->numbers.sets) {
		diag_add(
			p, r->at[R_CONTROLLER], "L-03",
			"RX-1: only calls to which the controller is a party are recorded.",
			"give the controller numbers, or trunks that are dedicated to it.",
			"'%s' has no numbers and no dedicated trunk, so this rule can never match.",
			c->o.name);
		return;
	}
	if (own->withheld)
		diag_add(p, r->at[id], "L-03", "RX-1: the controller's own side must be known.",
			 NULL, "a withheld number cannot be the controller's own.");
	if (r->direction == (r->pub.side == POLICY_SIDE_CALLED ? DIR_OUTBOUND : DIR_INBOUND))
		diag_add(p, r->at[R_DIRECTION], "L-03", NULL, NULL,
			 "with side %s the direction is always the other one.",
			 r->pub.side == POLICY_SIDE_CALLED ? "called" : "calling");
	if (trunks || !own_numbers_set(r) || union_of(p, &c->numbers, &all))
		return;
	if (!numbers_within(own, &all))
		diag_add(p, r->at[id], "L-03",
			 "RX-1: only calls to which the controller is a party are recorded.",
			 "add the numbers to the controller's own, or take them out of the rule.",
			 "not all of these numbers are among the own numbers of '%s'.", c->o.name);
}

static void check_match(struct policy *p, struct rule *r)
{
	const struct controller *c = rule_controller(r);
	static const int strong[] = {R_CALLED, R_CALLING, R_SIPDOMAIN, R_HEADER,
				     R_QUEUE,  R_AGENT,	  R_TAG};
	bool any = false, trunk = r->at[R_TRUNK].line != 0;

	for (size_t i = 0; i < sizeof(strong) / sizeof(strong[0]); i++)
		any |= r->at[strong[i]].line != 0;
	if (!any && !trunk)
		diag_add(p, r->o.pos, "L-04", "RX-1: no rule matches everything.",
			 "say which calls: called, calling, trunk, sip-domain, queue, agent, "
			 "header or tag.",
			 r->at[R_TIME].line ? "the rule matches by time alone."
					    : "the rule does not say which calls it matches.");
	if (!any && trunk && c && !bits_within(r->trunk_bits, c->trunk_bits))
		diag_add(p, r->at[R_TRUNK], "L-04",
			 "RX-1: it would record other people's calls on that trunk.",
			 "write `dedicated yes` in the trunk and name it among the controller's "
			 "trunks, or match numbers as well.",
			 "the rule matches by trunk alone, and the trunk is not dedicated to '%s'.",
			 c->o.name);
	if (r->at[R_MEDIA].line)
		diag_add(p, r->at[R_MEDIA], "W-20", NULL, NULL,
			 "the media is known only after the INVITE: until then the rule does not "
			 "match, and what was said is not recovered.");
}

static void check_time(struct policy *p, struct rule *r)
{
	unsigned char minute[7 * 1440 / 8] = {0};

	for (struct time_item *i = r->time; i; i = i->next) {
		bool overlap = false;

		if (i->holidays)
			continue;
		for (int d = 0; d < 7; d++)
			for (int m = i->from; i->days >> d & 1 && m < i->to; m++) {
				int k = (d * 1440 + m) % (7 * 1440);

				overlap |= minute[k / 8] >> k % 8 & 1;
				minute[k / 8] |= (unsigned char)(1u << k % 8);
			}
		if (overlap)
			diag_add(p, i->at, "L-10", NULL, "write each time once.",
				 "this time overlaps one before it.");
	}
}

/* ---- assessment scope ---- */

static bool queue_within(const struct rule *r, const struct assessment *a)
{
	for (const struct header_crit *h = r->headers; h; h = h->next) {
		if (h->which != H_QUEUE || (h->op != OP_EQ && h->op != OP_ONE_OF))
			continue;
		for (const struct word *w = a->scope; w; w = w->next) {
			const struct set *s = w->obj;

			if (!s || s->kind != SET_QUEUES)
				continue;
			if (h->op == OP_ONE_OF && h->value->obj == s)
				return true;
			for (size_t i = 0; h->op == OP_EQ && i < s->nwords; i++)
				if (!strcmp(s->sorted[i], h->value->s))
					return true;
		}
	}
	return false;
}

static void check_scope(struct policy *p, struct rule *r, const struct word *w)
{
	const struct assessment *a = w ? w->obj : NULL;
	const struct controller *c = rule_controller(r);
	struct ivals own = {0};

	if (!a || a->o.bad || a->kind > AS_SPECIAL)
		return;
	if (!a->scope) {
		diag_add(p, w->at, "L-41", "N-09: an assessment says which calls it covers.",
			 "scope @set in the assessment.", "the assessment '%s' has no scope.",
			 a->o.name);
		return;
	}
	for (const struct word *s = a->scope; s; s = s->next)
		if (!s->obj)
			return;
	if (queue_within(r, a) ||
	    (r->at[R_TRUNK].line && bits_within(r->trunk_bits, a->scope_trunks)))
		return;
	if (own_numbers_set(r) ? numbers_within(own_numbers(r), &a->scope_numbers)
			       : !bits_any(c->trunk_bits) && !union_of(p, &c->numbers, &own) &&
					 within(&own, &a->scope_numbers))
		return;
	diag_add(p, w->at, "L-41", "N-09: an assessment covers the calls it was made for.",
		 "widen the scope after assessing those calls, or match fewer.",
		 "the rule matches more calls than the scope of '%s'.", a->o.name);
}

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

void check_keys(struct policy *p, struct rule *r)
{
	struct key_use u[POLICY_PURPOSES * (3 + 2 * POLICY_KEYS_MAX) + 2];
	size_t n = collect(r, u);

	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < i; j++) {
			if (strcmp(u[i].key, u[j].key) || u[i].agent != u[j].agent)
				continue;
			if (u[i].consent && u[j].consent)
				diag_add(p, u[i].at, "L-22",
					 "N-19: one key, one purpose: a consent is specific.",
					 "give each purpose a key of its own.",
					 "one key gives consent for two purposes.");
			else if (u[i].purpose != u[j].purpose && !u[i].agent && !u[i].consent &&
				 !u[j].consent)
				continue; /* one key may end both purposes */
			else
				same_key(p, u[i].at, "L-21", u[i].what, u[j].what);
		}
}

/* ---- sensitive data ---- */

static bool mentions_danish_act(const char *s)
{
	return s && (strcasestr(s, "databeskyttelsesloven") ||
		     strcasestr(s, "Danish Data Protection Act"));
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
	else if (cpr && !mentions_danish_act(s->basis) &&
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

static void check_sensitive(struct policy *p, struct rule *r)
{
	bool pause = *r->pub.pause_key || r->pause_header || r->pause_api;
	struct ivals own = {0};

	for (struct sensitive *s = r->sensitive; s; s = s->next)
		check_category(p, r, s);
	if (r->sensitive && !pause)
		diag_add(p, r->sensitive->at, "L-72",
			 "N-05, RX-11: what may not be kept must be possible to leave out.",
			 "pause-key *5 and resume-key *6, pause api, or pause header NAME.",
			 "a sensitive line has no way to pause.");
	if (r->sensitive && !r->pub.mute_dtmf)
		diag_add(p, r->at[R_MUTE], "L-73", "R-05b: key presses can be card or CPR numbers.",
			 "mute-dtmf yes", "a sensitive line does not mute key presses.");
	if (*r->pub.resume_key && !*r->pub.pause_key)
		diag_add(p, r->at[R_RESUME_KEY], "L-21", NULL, "pause-key K",
			 "there is a resume key but no pause key.");
	if (r->sensitive)
		return;
	if (!own_numbers_set(r) || union_of(p, own_numbers(r), &own))
		return;
	for (struct obj *o = p->sets.first; o; o = o->next) {
		struct set *s = (struct set *)o;

		if (s->sensitive && s->kind == SET_NUMBERS && ivals_intersect(&own, &s->numbers.iv))
			diag_add(p, r->o.pos, "L-74", "N-05: such data keep their own rules.",
				 "sensitive CATEGORY basis \"...\"",
				 "the rule matches numbers of the sensitive set '%s' but does not "
				 "say what is sensitive.",
				 o->name);
	}
}

/* ---- who may use it ---- */

static void check_roles(struct policy *p, struct rule *r)
{
	const struct controller *c = rule_controller(r);
	bool play[POLICY_PURPOSES] = {false, false};

	for (struct role *x = r->roles; x; x = x->next) {
		play[x->purpose] = true;
		if (!r->block[x->purpose].pos.line)
			diag_add(p, x->at, "L-82", NULL, NULL,
				 "the rule has roles for %s but no such purpose.",
				 purpose_names[x->purpose]);
		for (struct word *w = x->names; w && c->roles; w = w->next) {
			struct word *k = c->roles;

			while (k && strcmp(k->s, w->s))
				k = k->next;
			if (!k)
				diag_add(p, w->at, "L-08", NULL,
					 "name it in the controller's roles.",
					 "'%s' has no role '%s'.", c->o.name, w->s);
		}
	}
	if (r->block[POLICY_TRAINING].pos.line && !play[POLICY_TRAINING] &&
	    r->pub.purpose[POLICY_TRAINING].sample_permille > 0)
		diag_add(p, r->block[POLICY_TRAINING].pos, "L-90",
			 "N-50: no call is recorded that nobody uses.", "roles training NAME",
			 "no role may use the training recordings.");
}

static void check_owner(struct policy *p, struct rule *r)
{
	const struct controller *c = rule_controller(r);
	struct policy_date today, last;

	if (!r->at[R_OWNER].line)
		diag_add(p, r->o.pos, "L-07", "N-70: somebody answers for each rule.",
			 "owner \"Head of ... <mail>\"", "the rule has no owner.");
	if (!r->at[R_REVIEW].line) {
		diag_add(p, r->o.pos, "L-07", "N-18: no rule runs without an end.",
			 "review, a date within 12 months.", "the rule has no review date.");
		return;
	}
	if (c && c->pub.lab)
		return;
	today_date(p, &today);
	last = today;
	last.year++;
	if (date_cmp(&r->pub.review, &today) < 0)
		diag_add(p, r->at[R_REVIEW], "L-07",
			 "N-18: past its review a rule is no longer proven necessary.",
			 "review the rule, then set the next date.", "the review date is past.");
	else if (date_cmp(&r->pub.review, &last) > 0)
		diag_add(p, r->at[R_REVIEW], "L-07", "N-18", "choose a date within 12 months.",
			 "the review date is more than 12 months ahead.");
	if (r->pub.on_review_missed == POLICY_FB_KEEP &&
	    r->pub.purpose[POLICY_DOCUMENTATION].basis != POLICY_B_OBLIGATION)
		diag_add(p, r->at[R_ON_REVIEW], "L-07",
			 "N-18: without a review only the law can demand the recording.",
			 "off, or consent.",
			 "on-review-missed keep is for recording by obligation.");
}

static void check_decision_record(struct policy *p, struct rule *r)
{
	int audio = 0;

	for (int i = 0; i < POLICY_PURPOSES; i++)
		if (r->block[i].pos.line && span_days(&r->pub.purpose[i].retention) > audio)
			audio = span_days(&r->pub.purpose[i].retention);
	if (rule_has(p, r, R_DECISION)
		    ? span_days(&r->decision_record) < audio || r->decision_record.n == 0
		    : span_days(&r->decision_record) < audio)
		diag_add(p, rule_at(r, R_DECISION), "L-65",
			 "RX-3: the proof of a decision outlives the audio.",
			 "decision-record at least as long as the longest retention.",
			 "the decision record would end before the audio does.");
}

void check_never(struct policy *p, struct rule *r)
{
	static const int crit[] = {R_CALLED, R_CALLING, R_TRUNK,     R_SIPDOMAIN, R_HEADER,
				   R_QUEUE,  R_AGENT,	R_DIRECTION, R_TIME,	  R_TAG};
	bool any = false;

	for (size_t i = 0; i < sizeof(crit) / sizeof(crit[0]); i++)
		any |= r->at[crit[i]].line != 0;
	if (!any)
		diag_add(p, r->o.pos, "L-04", NULL, "say which calls, or remove all rules instead.",
			 "this would forbid every recording.");
	if (!rule_controller(r) && (r->at[R_TIME].line || r->at[R_DIRECTION].line))
		diag_add(p, r->at[R_TIME].line ? r->at[R_TIME] : r->at[R_DIRECTION], "L-10", NULL,
			 "controller NAME side called",
			 "time and direction are those of a controller, and this rule names none.");
	check_time(p, r);
}

/* What must be announced follows from the bases; without them only noise would come of it. */
static bool known_situation(const struct rule *r)
{
	bool any = false;

	for (int i = 0; i < POLICY_PURPOSES; i++) {
		any |= r->block[i].pos.line != 0;
		if (r->block[i].pos.line && r->pub.purpose[i].basis == POLICY_B_NONE)
			return false;
	}
	return any && r->pub.purpose[POLICY_TRAINING].basis != POLICY_B_OBLIGATION;
}

void check_rule(struct policy *p, struct rule *r)
{
	const struct controller *c = rule_controller(r);

	if (!r->controller)
		diag_add(p, r->o.pos, "L-03", "RX-1: somebody who is a party must be responsible.",
			 "controller NAME side called", "the rule has no controller.");
	check_owner(p, r);
	check_match(p, r);
	check_time(p, r);
	if (!r->block[0].pos.line && !r->block[1].pos.line)
		diag_add(p, r->o.pos, "L-05", "N-01: nothing is recorded without a purpose.",
			 "documentation { ... } or training { ... }", "the rule has no purpose.");
	for (int i = 0; i < POLICY_PURPOSES; i++)
		if (r->block[i].pos.line)
			check_purpose(p, r, &r->block[i]);
	check_keys(p, r);
	if (known_situation(r))
		check_notice(p, r);
	check_decision_record(p, r);
	if (!c || c->o.bad)
		return;
	check_side(p, r);
	check_sensitive(p, r);
	check_roles(p, r);
	for (int i = 0; i < POLICY_PURPOSES; i++) {
		check_scope(p, r, r->block[i].assessment);
		check_scope(p, r, r->block[i].special_assessment);
	}
}
