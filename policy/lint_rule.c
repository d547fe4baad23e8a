/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lint_rule.c - checks of controllers, assessments, defaults, and of a rule
 * outside its purposes: who, what it matches, roles
 */
#include <stdlib.h>
#include <string.h>

#include "lint.h"

/* ---- objects ---- */

static void twice(struct policy *p, const struct word *w, const char *what)
{
	for (; w; w = w->next)
		for (const struct word *v = w->next; v; v = v->next)
			if (!strcmp(v->s, w->s)) {
				diag_add(p, v->at, "L-02", NULL, "keep one of the two.", "the %s '%s' is there twice.",
					 what, v->s);
				return;
			}
}

void check_controller(struct policy *p, struct controller *c)
{
	size_t n = 0;

	for (struct word *w = c->languages; w; w = w->next)
		n++;
	if (n > LANGUAGES_MAX)
		diag_add(p, c->at[C_LANGUAGES], "L-01", NULL, NULL,
			 "a controller has at most %d languages.", LANGUAGES_MAX);
	for (struct word *w = c->languages; w; w = w->next)
		if (!language_ok(w->s))
			diag_add(p, w->at, "L-01", NULL, "languages da en",
				 "a language is two or three small letters (ISO 639).");
	check_ranges(p, &c->numbers);
	twice(p, c->languages, "language");
	twice(p, c->roles, "role");
	if (c->pub.cvr && (strlen(c->pub.cvr) != 8 || strspn(c->pub.cvr, "0123456789") != 8))
		diag_add(p, c->at[C_CVR], "L-01", NULL, NULL, "a CVR number has eight digits.");
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
	struct policy_date today;

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
	if (used && !a->file && !a->o.bad && (!a->author || !a->date.year || !a->outcome))
		diag_add(p, a->o.pos, "W-22", NULL, NULL, "the assessment '%s' does not say %s.", a->o.name,
			 !a->author ? "who wrote it" : !a->date.year ? "when it was made" : "what came of it");
	check_persons(p, a);
	check_assessment_says(p, a);
	today_date(p, &today);
	/* a day more: days here are UTC's */
	if (a->date.year && note_days(p, &a->date) > 1)
		diag_add(p, a->at[AS_DATE], "L-07", "N-04: it is weighed before, not after.", "the day it was decided.",
			 "the assessment is of a day that is yet to come.");
	today.year++;
	if (a->kind == AS_SPECIAL && a->review.year && date_cmp(&a->review, &today) > 0)
		diag_add(p, a->at[AS_REVIEW], "L-07", "N-44", "choose a date within 12 months.",
			 "special circumstances are reviewed within 12 months.");
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
	if (d->at[R_PAUSE_MAX].line && d->pause_end == 1)
		weaker(p, d->at[R_PAUSE_MAX], "stop on sensitive lines");
	if (d->at[R_DECISION].line && span_days(&d->decision_record) > 24 * 31)
		weaker(p, d->at[R_DECISION], "24 months");
	if (d->at[R_MIN].line && seconds(&d->pub.min_length) < 4)
		weaker(p, d->at[R_MIN], "4 s");
	if (d->at[R_MAX].line && seconds(&d->pub.max_length) > 4 * 3600)
		weaker(p, d->at[R_MAX], "4 h");
	if (d->at[R_PLAY_REASON].line && d->play_reason_off)
		weaker(p, d->at[R_PLAY_REASON], "required");
	if (d->at[R_ALARM].line && policy_alarms(d) != POLICY_ALARM_ALL)
		weaker(p, d->at[R_ALARM], "on");
	check_defaults_meant(p, d);
	for (int i = 0; i < POLICY_PURPOSES; i++) {
		const struct block *b = &d->block[i];

		if (b->at[B_RETENTION].line && longer_than_3_months(&b->pub->retention))
			weaker(p, b->at[B_RETENTION], "3 months");
		if (b->at[B_USE_WITHIN].line && span_days(&b->pub->use_within) > 30)
			weaker(p, b->at[B_USE_WITHIN], "30 days");
		if (b->at[B_ON_LOSS].line && b->pub->on_loss == 1)
			weaker(p, b->at[B_ON_LOSS], "deny");
		if (i == POLICY_TRAINING && b->at[B_ON_OBJECTION].line &&
		    b->pub->on_objection != POLICY_OBJ_STOP)
			weaker(p, b->at[B_ON_OBJECTION], "stop");
	}
}

/* ---- what it matches ---- */

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
	if (!trunks && own_numbers_set(r) && !numbers_cover(p, &c->numbers, own, false))
		diag_add(p, r->at[id], "L-03",
			 "RX-1: only calls to which the controller is a party are recorded.",
			 "add the numbers to the controller's own, or take them out of the rule.",
			 "not all of these numbers are among the own numbers of '%s'.", c->o.name);
}

/* A host, or a suffix of at least two labels. */
static bool domain_ok(const char *s)
{
	bool wild = s[0] == '*', dot = false;

	if (wild && *++s != '.')
		return false;
	if (wild)
		s++;
	if (!*s || *s == '.' || *s == '-')
		return false;
	for (; *s; s++) {
		dot |= *s == '.' && s[1];
		if (!((*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') || (*s >= '0' && *s <= '9') ||
		      strchr(".-_:[]", *s)))
			return false;
	}
	return dot || !wild;
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
	for (const struct word *w = r->domains; w; w = w->next)
		if (!domain_ok(w->s))
			diag_add(p, w->at, "L-04", "RX-1: no rule matches everything.",
				 "sip-domain pbx.example.dk, or *.example.dk.", "this is no host and no *.suffix.");
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
	const struct numbers covered = {.sets = a ? a->scope : NULL};

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
	if (own_numbers_set(r) ? numbers_cover(p, &covered, own_numbers(r), false)
			       : !bits_any(c->trunk_bits) &&
					 numbers_cover(p, &covered, &c->numbers, false))
		return;
	diag_add(p, w->at, "L-41", "N-09: an assessment covers the calls it was made for.",
		 "widen the scope after assessing those calls, or match fewer.",
		 "the rule matches more calls than the scope of '%s'.", a->o.name);
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
	check_owner_approves(p, r);
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
	if (span_days(&r->decision_record) > 50 * 365)
		diag_add(p, rule_at(r, R_DECISION), "L-65", "RX-3, INV-8: nothing is kept without an end date.",
			 "decision-record 24 months", "more than 50 years is no end.");
	else if (span_days(&r->decision_record) < audio || r->decision_record.n == 0)
		diag_add(p, rule_at(r, R_DECISION), "L-65",
			 "RX-3: the proof of a decision outlives the audio.",
			 "decision-record at least as long as the longest retention.",
			 "the decision record would end before the audio does.");
}

/* ---- values that cannot be meant ---- */

static void check_limits(struct policy *p, const struct rule *r)
{
	const struct {
		int id, zero;
		const char *fix;
	} t[] = {
		{R_TIMEOUT, r->pub.notice_timeout_s == 0, "notice-timeout 60 s"},
		{R_MAX, r->pub.max_length.n == 0, "max-length 4 h"},
		{R_PAUSE_MAX, r->pub.pause_max.n == 0, "pause-max 5 min"},
	};

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		if (r->at[t[i].id].line && t[i].zero)
			diag_add(p, r->at[t[i].id], "L-01", NULL, t[i].fix, "'%s' has no time at all.",
				 rule_table.s[t[i].id].name);
	if (r->pub.max_length.n && seconds(&r->pub.min_length) > seconds(&r->pub.max_length))
		diag_add(p, rule_at(r, r->at[R_MIN].line ? R_MIN : R_MAX), "L-01", NULL,
			 "min-length below max-length.", "every call is either too short or too long.");
}

static void check_lists(struct policy *p, const struct rule *r)
{
	twice(p, r->notice, "announcement");
	twice(p, r->trunks, "trunk");
	twice(p, r->tags, "tag");
	for (const struct role *x = r->roles; x; x = x->next)
		twice(p, x->names, "role");
}

/* Caps per agent and per queue count only where a trunk says who and which. */
static void check_counted(struct policy *p, const struct rule *r)
{
	const struct policy_block *t = &r->pub.purpose[POLICY_TRAINING];
	bool said[3] = {true, false, false};

	for (const struct obj *o = p->trunks.first; o; o = o->next) {
		const struct trunk *k = (const struct trunk *)o;

		if (r->at[R_TRUNK].line && !(r->trunk_bits[k->index / 64] >> k->index % 64 & 1))
			continue;
		said[POLICY_OF_AGENT] |= k->agent_header != NULL;
		said[POLICY_OF_QUEUE] |= k->queue_header != NULL;
	}
	for (int i = 0; i < t->ncap; i++)
		if (!said[t->cap[i].of]) {
			bool agent = t->cap[i].of == POLICY_OF_AGENT;

			diag_add(p, r->block[POLICY_TRAINING].at[B_CAP], "W-12",
				 "RX-13, R-46: calls of which it is not known share one cap.",
				 agent ? "trunk ... { agent-header X-Agent }" : "trunk ... { queue-header X-Queue }",
				 "no trunk of this rule says which header names the %s that the cap is for.",
				 agent ? "agent" : "queue");
			return;
		}
}

/* ---- emergency calls ---- */

/* 112 as it is dialled is no E.164 number; with a country code before it, it is one. */
static bool names_emergency(struct policy *p, const struct numbers *c)
{
	char text[16];

	for (const struct obj *o = p->trunks.first; o; o = o->next) {
		const char *country = ((const struct trunk *)o)->country;
		uint64_t key = 0;

		if (country && snprintf(text, sizeof(text), "%s112", country) < (int)sizeof(text))
			key = number_key(text);
		if (key && numbers_has(c, key, p->today))
			return true;
	}
	return numbers_has(c, NUMBER_KEY(5, 45112), p->today);
}

/* Nothing but who calls is said, so whatever the controller's people dial is meant. */
static bool all_that_is_dialled(const struct rule *r)
{
	return r->pub.side == POLICY_SIDE_CALLING && !r->at[R_CALLED].line && !r->headers && !r->tags &&
	       !r->domains;
}

static void check_emergency(struct policy *p, const struct rule *r)
{
	bool named = r->at[R_CALLED].line && names_emergency(p, &r->called);

	if (r->pub.purpose[POLICY_TRAINING].special || rule_controller(r)->pub.lab ||
	    (!named && !all_that_is_dialled(r)))
		return;
	diag_add(p, named ? r->at[R_CALLED] : r->o.pos, "W-14",
		 "N-44: a call for help is no ordinary call; whether it may be recorded is its own question.",
		 named ? "take it out, or give it a rule of its own."
		       : "say which numbers are called, or which queue or agents call.",
		 named ? "the rule matches an emergency number."
		       : "the rule matches emergency calls, too: it says only who calls.");
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
	check_ranges(p, &r->called);
	check_ranges(p, &r->calling);
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
	check_ranges(p, &r->called);
	check_ranges(p, &r->calling);
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
	check_limits(p, r);
	check_meant(p, r);
	check_lists(p, r);
	check_counted(p, r);
	if (!c || c->o.bad)
		return;
	check_side(p, r);
	check_emergency(p, r);
	check_sensitive(p, r);
	check_roles(p, r);
	for (int i = 0; i < POLICY_PURPOSES; i++) {
		check_scope(p, r, r->block[i].assessment);
		check_scope(p, r, r->block[i].special_assessment);
	}
}
