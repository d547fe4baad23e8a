/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lint_purpose.c - checks of one purpose of a rule: basis, consent, opt-out,
 * amount, retention
 */
#include <string.h>
#include <strings.h>

#include "lint.h"

#define CEILING_INTEREST 200 /* permille: more needs a second approver (N-47, N-48) */
#define CEILING_CONSENT	 500
#define SPECIAL_RANGES	 100 /* numbers of a line in special circumstances that ranges may stand for, together (N-44) */

static const struct assessment *note_of(const struct word *w)
{
	const struct assessment *a = w ? w->obj : NULL;

	return a && !a->o.bad ? a : NULL;
}

static bool wrong_kind(const struct word *w, int kind)
{
	const struct assessment *a = note_of(w);

	return a && a->kind != kind;
}

/* ---- consent ---- */

static void check_consent(struct policy *p, const struct rule *r, const struct block *b)
{
	const struct policy_block *x = b->pub;

	if (!*x->consent_key && !b->consent_header && !b->consent_api)
		diag_add(p, b->at[B_BASIS], "L-20", "N-20: consent is an active act.",
			 "consent-key 1, or consent-source api.",
			 "there is no way to give the consent.");
	if (b->at[B_OPTOUT].line)
		diag_add(p, b->at[B_OPTOUT], "L-23",
			 "N-21: without a yes there is nothing to opt out of.",
			 "withdraw-key K ends a consent.",
			 "an opt-out has no meaning with a consent.");
	check_window(p, r, b);
}

static void check_no_consent(struct policy *p, const struct block *b)
{
	static const int ids[] = {B_CONSENT_KEY, B_CONSENT_SOURCE, B_WITHDRAW};

	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++)
		if (b->at[ids[i]].line)
			diag_add(p, b->at[ids[i]],
				 b->pub->basis == POLICY_B_OBLIGATION ? "L-42" : "L-23",
				 "N-19: a key that changes nothing misleads the caller.",
				 "remove it, or use basis consent.",
				 "'%s' has no meaning: the basis is %s.",
				 block_table.s[ids[i]].name, basis_names[b->pub->basis]);
}

/* ---- documentation ---- */

static void check_documentation_interest(struct policy *p, const struct block *b)
{
	const struct assessment *a = note_of(b->assessment);
	bool relied = false;

	if (!b->assessment) {
		diag_add(p, b->pos, "L-40", "N-04, N-07", "assessment NAME, of kind documentation.",
			 "documentation by interest needs an assessment.");
		return;
	}
	if (!a)
		return;
	if (a->kind != AS_DOCUMENTATION) {
		diag_add(p, b->at[B_ASSESSMENT], "L-40", "N-04, N-07", NULL,
			 "the assessment '%s' is of kind %s, not documentation.", a->o.name,
			 assess_kind_names[a->kind]);
		return;
	}
	if (a->by_file)
		return; /* W-19 was said */
	if (!a->no_other_way)
		diag_add(p, b->at[B_ASSESSMENT], "L-40",
			 "N-07: only if the need cannot be met in another way.",
			 "no-other-way \"...\"",
			 "the assessment '%s' does not say why there is no other way.", a->o.name);
	for (int i = 0; i < 6; i++) {
		relied |= a->factor[i] == FACTOR_RELIED;
		if (!a->factor[i]) {
			diag_add(p, b->at[B_ASSESSMENT], "L-40",
				 "N-10..N-15: all six factors are answered.",
				 "factor N relied-on \"...\"",
				 "the assessment '%s' does not answer factor %d.", a->o.name,
				 i + 1);
			return;
		}
	}
	if (!relied)
		diag_add(p, b->at[B_ASSESSMENT], "L-40",
			 "N-10..N-15: at least one factor must carry the need.",
			 "or use basis consent.",
			 "the assessment '%s' relies on none of the six factors.", a->o.name);
}

/* What a statute says of how long; the ones that make telephones be recorded. */
static const struct {
	const char *name;
	int from, to; /* years */
} statutes[] = {
	{"2014/65", 5, 7}, /* MiFID II article 16(7): five years, seven where the authority asks */
	{"MiFID", 5, 7},
	{"2017/565", 5, 7}, /* its delegated regulation, article 76(8) */
};

/* At least, at most so many years, however long months and years are. */
static bool lasts(const struct policy_span *s, int from, int to)
{
	int64_t days = span_days(s);

	if (s->unit == POLICY_U_YEARS)
		return s->n >= from && s->n <= to;
	if (s->unit == POLICY_U_MONTHS)
		return s->n >= 12 * from && s->n <= 12 * to;
	return days >= 365 * from + 2 && days <= 365 * to + 1;
}

static void check_statute(struct policy *p, const struct block *b)
{
	const char *text = b->pub->statute;

	if (note_of(b->reason_assessment))
		return; /* the note tells why so long */
	for (size_t i = 0; i < sizeof(statutes) / sizeof(statutes[0]); i++) {
		if (!strcasestr(text, statutes[i].name))
			continue;
		if (!lasts(&b->pub->retention, statutes[i].from, statutes[i].to))
			diag_add(p, block_at(b, B_RETENTION), "L-63", "RX-10: the statute says how long.",
				 "retention 5 years, or retention-reason \"...\" assessment NAME of kind retention.",
				 "the statute '%s' has recordings kept for %d to %d years.", statutes[i].name,
				 statutes[i].from, statutes[i].to);
		return;
	}
	diag_add(p, b->at[B_BASIS], "W-21", "RX-10: the statute says how long; a person has to see to it.",
		 "retention-reason \"...\" assessment NAME, of kind retention.",
		 "how long this statute has recordings kept is not known to the linter.");
}

static void check_obligation(struct policy *p, const struct block *b)
{
	static const int ids[] = {B_OPTOUT, B_ON_OPTOUT, B_SAMPLE, B_CAP, B_WINDOW, B_SPREAD, B_SEED,
				  B_USE_WITHIN, B_USE_TARGET, B_REVIEW};

	if (b->purpose == POLICY_TRAINING) {
		diag_add(p, b->at[B_BASIS], "L-37", "N-39: training rests on consent or interest.",
			 "basis consent, or basis interest.",
			 "no law obliges to record for training.");
		return;
	}
	if (!b->pub->statute)
		diag_add(p, b->at[B_BASIS], "L-42", "N-03: only a law that demands it.",
			 "basis obligation \"statute, section\"", "the statute is missing.");
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++)
		if (b->at[ids[i]].line)
			diag_add(p, b->at[ids[i]], "L-42", "N-03", "remove it.",
				 "'%s' contradicts recording by obligation.",
				 block_table.s[ids[i]].name);
	if (b->pub->not_needed)
		diag_add(p, b->at[B_NOT_NEEDED], "L-42", "RX-10: what the law has kept nobody finds needless.", "remove it.",
			 "'not-needed' contradicts recording by obligation.");
	if (b->at[B_ON_OBJECTION].line && b->pub->on_objection != POLICY_OBJ_CONTINUE_RESTRICTED)
		diag_add(p, b->at[B_ON_OBJECTION], "L-42", "N-03, RX-10: an objection is decided; until then the law holds.",
			 "on-objection continue-restricted", "an objection does not end recording by obligation.");
	if (!b->assessment)
		diag_add(p, b->pos, "L-42", "R-04: every basis has its assessment.",
			 "assessment NAME", "recording by obligation needs an assessment.");
	if (b->pub->statute)
		check_statute(p, b);
}

static void check_documentation(struct policy *p, const struct rule *r, const struct block *b)
{
	static const int ids[] = {B_SAMPLE, B_CAP, B_SPREAD, B_SEED, B_USE_WITHIN, B_USE_TARGET};

	if (b->pub->basis != POLICY_B_OBLIGATION)
		for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++)
			if (b->at[ids[i]].line)
				diag_add(p, b->at[ids[i]], "L-55",
					 "N-08: nobody knows beforehand which call must be "
					 "documented.",
					 "remove it.", "'%s' belongs to training.",
					 block_table.s[ids[i]].name);
	if (b->at[B_SPECIAL].line || b->at[B_TRAINING_FROM].line)
		diag_add(p, b->at[b->at[B_SPECIAL].line ? B_SPECIAL : B_TRAINING_FROM], "L-55",
			 NULL, "remove it.", "'%s' belongs to training.",
			 block_table.s[b->at[B_SPECIAL].line ? B_SPECIAL : B_TRAINING_FROM].name);
	if (b->pub->basis == POLICY_B_INTEREST) {
		check_documentation_interest(p, b);
		if (b->at[B_OPTOUT].line)
			diag_add(p, b->at[B_OPTOUT], "L-23",
				 "N-27: against documentation there is the objection.",
				 "on-objection",
				 "there is no opt-out from documentation by interest.");
	}
	(void)r;
}

/* ---- training ---- */

static const char *cap_text(const struct policy_cap *c, char out[64])
{
	static const char *const of[] = {"", " per queue", " per agent"};

	snprintf(out, 64, "%d%s per %s", c->n, of[c->of], per_names[c->per]);
	return out;
}

/* A cap that another one always comes before: of the same, or of more, in the same time or longer. */
static void check_caps(struct policy *p, const struct block *b)
{
	const struct policy_block *x = b->pub;
	char one[64], other[64];

	for (int i = 0; i < x->ncap; i++)
		for (int j = 0; j < x->ncap; j++) {
			const struct policy_cap *c = &x->cap[i], *d = &x->cap[j];

			if (i == j || d->n >= c->n || d->per < c->per || (d->of != c->of && d->of != POLICY_OF_RULE))
				continue;
			diag_add(p, b->at[B_CAP], "W-04", "N-46: a limit that limits nothing misleads.",
				 "remove it, or lower it.", "the cap %s is never reached, because of the cap %s.",
				 cap_text(c, one), cap_text(d, other));
			return;
		}
	if (x->sample_permille == 0)
		diag_add(p, b->at[B_SAMPLE], "W-04", "N-50: a purpose for which nothing is recorded.",
			 "a share, or remove the purpose.", "a sample of 0%% takes no call.");
}

static void check_amount(struct policy *p, const struct block *b)
{
	const struct policy_block *x = b->pub;
	const struct assessment *a = note_of(b->assessment);
	int ceiling = x->basis == POLICY_B_CONSENT ? CEILING_CONSENT : CEILING_INTEREST;

	if (x->sample_permille < 0)
		diag_add(p, b->pos, "L-50", "N-46: only as many calls as are needed.",
			 "sample 2%; for all write 100%.", "the share of calls is missing.");
	if (x->ncap == 0)
		diag_add(p, b->pos, "L-50", "N-46: only as many calls as are needed.",
			 "cap 40 per day", "there is no absolute limit.");
	if (!b->assessment)
		diag_add(p, b->pos, "L-51", "N-52: the necessity of the amount must be documented.",
			 "assessment NAME, of kind training-amount.",
			 "the amount has no necessity note.");
	else if (wrong_kind(b->assessment, AS_AMOUNT))
		diag_add(p, b->at[B_ASSESSMENT], "L-51", "N-52", NULL,
			 "the assessment '%s' is of kind %s, not training-amount.", a->o.name,
			 assess_kind_names[a->kind]);
	else if (a && x->basis == POLICY_B_INTEREST && !a->without_consent && !a->by_file)
		diag_add(p, b->at[B_ASSESSMENT], "L-52",
			 "N-47: without consent the test is stricter.", "without-consent \"...\"",
			 "the necessity note does not say why this amount without consent.");
	if (a && x->sample_permille > ceiling && !a->second)
		diag_add(p, b->at[B_SAMPLE], "L-53", "N-47, N-48",
			 "second-approver in the necessity note, or a smaller share.",
			 "more than %d%% needs a second approver.", ceiling / 10);
	if (x->sample_permille == 1000)
		diag_add(p, b->at[B_SAMPLE], "W-13",
			 "N-48: no general answer says that all are needed.", NULL,
			 "every call is taken.");
	if (span_days(&x->use_within) >
	    (int64_t)span_days(&x->retention) + (x->retention.unit == POLICY_U_MONTHS ? 3 : 0))
		diag_add(p, block_at(b, B_USE_WITHIN), "L-54", "N-49",
			 "use-within shorter than the retention.",
			 "recordings may be used longer than they are kept.");
	if (x->use_within.n == 0)
		diag_add(p, b->at[B_USE_WITHIN], "L-54", "N-49", "use-within 30 days",
			 "recordings would be erased before anybody could use them.");
	check_caps(p, b);
	if (x->use_target_percent == 0)
		diag_add(p, b->at[B_USE_TARGET], "L-54", "N-49, N-50: recorded calls are used.",
			 "use-target 80%", "the target for use is 0.");
}

/* Not written out: a wildcard is more than any limit. */
static uint64_t unwritten(const struct numbers *c)
{
	uint64_t n = 0;

	for (size_t i = 0; i < c->n; i++) {
		const struct pattern *x = &c->pat[i];

		if (x->kind == PAT_PREFIX)
			return UINT32_MAX;
		n += x->kind == PAT_RANGE ? x->hi - x->lo + 1 : 0;
	}
	return n < UINT32_MAX ? n : UINT32_MAX;
}

static void check_special(struct policy *p, const struct rule *r, const struct block *b)
{
	const struct policy_block *x = b->pub;
	const struct numbers *own = r->pub.side == POLICY_SIDE_CALLED ? &r->called : &r->calling;
	int id = r->pub.side == POLICY_SIDE_CALLED ? R_CALLED : R_CALLING;
	const struct assessment *a = note_of(b->special_assessment);
	bool wide = !r->at[id].line;
	struct pos at = b->at[B_SPECIAL];
	uint64_t n = unwritten(own);

	if (x->basis == POLICY_B_CONSENT)
		diag_add(p, at, "L-35",
			 "N-42: special circumstances replace the opt-out, not the consent.",
			 "remove one of the two.",
			 "special circumstances have no meaning with a consent.");
	if (!x->special_ground)
		diag_add(p, at, "L-35", "N-44", "special-circumstances \"ground\" assessment NAME",
			 "the ground is missing.");
	if (!b->special_assessment)
		diag_add(p, at, "L-35", "N-44", "special-circumstances \"ground\" assessment NAME",
			 "the assessment is missing.");
	else if (wrong_kind(b->special_assessment, AS_SPECIAL))
		diag_add(p, at, "L-35", "N-44", NULL, "the assessment '%s' is not of kind special.",
			 a->o.name);
	else if (a && !a->approver)
		diag_add(p, at, "L-35", "N-44: compliance approves it.",
			 "approver in the assessment.", "the assessment '%s' has no approver.",
			 a->o.name);
	wide |= numbers_dynamic(own);
	for (const struct word *w = own->sets; w; w = w->next)
		n += w->obj ? unwritten(&((const struct set *)w->obj)->numbers) : 0;
	if (!wide && n > SPECIAL_RANGES && n < UINT32_MAX)
		diag_add(p, r->at[id], "L-35", "N-44: the exception is for a narrow line of calls.", "match the numbers one by one.",
			 "special circumstances need explicit numbers: ranges stand for %llu of them, more than %d.", (unsigned long long)n,
			 SPECIAL_RANGES);
	else if (wide || n > SPECIAL_RANGES)
		diag_add(p, r->at[id].line ? r->at[id] : r->o.pos, "L-35",
			 "N-44: the exception is for a narrow line of calls.",
			 "match explicit numbers of the controller.",
			 "special circumstances need explicit numbers, without wildcard or dynamic set.");
	if (b->at[B_OPTOUT].line)
		diag_add(p, *x->optout_key[0] ? b->opt_at : b->at[B_OPTOUT], "L-36",
			 "N-43: it would promise what is not given; there is the objection, with grounds.",
			 "remove it.", "with special circumstances there is no opt-out.");
}

static void check_training_interest(struct policy *p, const struct rule *r, const struct block *b)
{
	const struct policy_block *x = b->pub;

	if (!*x->optout_key[0] && !*x->optout_agent_key[0] && !x->optout_agent_api &&
	    !x->optout_agent_header)
		diag_add(p, b->pos, "L-30",
			 "N-41: without consent the caller must be able to opt out.",
			 "opt-out key 9, opt-out agent key *7, or opt-out agent api.",
			 "training by interest has no opt-out.");
	if (x->callback_unrecorded.n && r->block[POLICY_DOCUMENTATION].pos.line)
		diag_add(p, b->at[B_ON_OPTOUT], "L-34", "S-F: the documentation goes on.",
			 "on-opt-out stop", "an unrecorded call-back contradicts documentation.");
	if (b->at[B_COMMIT].line && !x->commit_at_end)
		diag_add(p, b->at[B_COMMIT], "L-27",
			 "an opt-out may come until the call ends; then nothing readable may be on "
			 "disk.",
			 "commit at-end", "training by interest is committed at the end only.");
	check_window(p, r, b);
}

static void check_training(struct policy *p, const struct rule *r, const struct block *b)
{
	check_amount(p, b);
	if (b->pub->special)
		check_special(p, r, b);
	else if (b->pub->basis == POLICY_B_INTEREST)
		check_training_interest(p, r, b);
	if (b->pub->training_from_press &&
	    (b->pub->basis != POLICY_B_CONSENT || !r->block[POLICY_DOCUMENTATION].pos.line))
		diag_add(p, b->at[B_TRAINING_FROM], "L-23", "guidance, scenario E only.",
			 "remove it.",
			 "'training-from press' needs documentation and a consent to training.");
	if (b->at[B_NOT_NEEDED].line && b->pub->not_needed)
		diag_add(p, b->at[B_NOT_NEEDED], "L-55", "N-08", "remove it.",
			 "'not-needed' belongs to documentation.");
}

/* ---- both ---- */

static void check_retention(struct policy *p, const struct rule *r, const struct block *b)
{
	const struct policy_block *x = b->pub;
	struct pos at = block_at(b, B_RETENTION);
	const struct policy_block *doc = &r->pub.purpose[POLICY_DOCUMENTATION];

	if (x->retention.n == 0)
		diag_add(p, at, "L-61", "INV-8", "retention 3 months",
			 "a retention of 0 keeps nothing.");
	else if (x->retention.n > (x->retention.unit == POLICY_U_YEARS	  ? 50
				   : x->retention.unit == POLICY_U_MONTHS ? 600
									  : 18250 * 24))
		diag_add(p, at, "L-61", "INV-8: nothing is kept without an end date.",
			 "retention 3 months", "more than 50 years is no end.");
	else if (longer_than_3_months(&x->retention) && !b->reason && !b->reason_assessment)
		diag_add(p, at, "L-60",
			 b->purpose ? "N-56: 3 months unless there is a special reason."
				    : "N-23: a general deadline, e.g. 3 months.",
			 "retention 3 months, or retention-reason \"...\".",
			 "longer than 3 months needs a reason.");
	if (wrong_kind(b->reason_assessment, AS_RETENTION))
		diag_add(p, b->at[B_REASON], "L-60", "N-23, N-56", NULL,
			 "the assessment '%s' is not of kind retention.", b->reason_assessment->s);
	if (b->purpose == POLICY_TRAINING && r->block[POLICY_DOCUMENTATION].pos.line &&
	    !b->reason && !b->reason_assessment &&
	    span_days(&x->retention) > (int64_t)span_days(&doc->retention) + 3)
		diag_add(p, at, "L-62", "N-57", "retention-reason \"...\", or a shorter retention.",
			 "training would be kept longer than documentation.");
	if (x->worm && x->basis != POLICY_B_OBLIGATION)
		diag_add(p, b->at[B_WORM], "L-64",
			 "N-28, N-58: withdrawal and objection must be able to erase.",
			 "remove it.", "immutable storage is for recording by obligation.");
}

static void check_spans(struct policy *p, const struct block *b)
{
	const struct policy_block *x = b->pub;

	if (b->at[B_REVIEW].line && x->review_every.n == 0)
		diag_add(p, b->at[B_REVIEW], "L-01", "N-26", "review every 30 days",
			 "a review every 0 %s is none.", unit_names[x->review_every.unit]);
	if (b->at[B_ON_OPTOUT].line && b->callback && x->callback_unrecorded.n == 0)
		diag_add(p, b->at[B_ON_OPTOUT], "L-01", "S-C", "on-opt-out callback-unrecorded 48 h",
			 "there is no time to call back in.");
}

static void check_dtmf(struct policy *p, const struct rule *r, const struct block *b)
{
	static const char *const no_tones[] = {"G729", "AMR",  "AMR-WB", "GSM",	  "EVS",
					       "G723", "iLBC", "opus",	 "speex", NULL};

	if (b->pub->dtmf != POLICY_DTMF_INBAND)
		return;
	diag_add(p, b->at[B_DTMF], "W-11", "R-41b", "dtmf rfc4733 info inband",
		 "keys are looked for in the sound alone.");
	if (r->encrypted == 2)
		diag_add(p, b->at[B_DTMF], "L-28", "R-41b: the way to decide must exist.",
			 "dtmf rfc4733 info", "tones cannot be heard in encrypted media.");
	for (const struct word *w = r->codecs; w; w = w->next)
		for (int i = 0; no_tones[i]; i++)
			if (!strcasecmp(w->s, no_tones[i])) {
				diag_add(p, b->at[B_DTMF], "L-28",
					 "R-41b: the way to decide must exist.",
					 "dtmf rfc4733 info", "the codec %s does not carry tones.",
					 w->s);
				return;
			}
}

void check_purpose(struct policy *p, struct rule *r, struct block *b)
{
	if (b->pub->basis == POLICY_B_NONE) {
		diag_add(p, b->pos, "L-06", "N-04, N-39: every purpose has its basis.",
			 "basis consent, or basis interest.", "%s has no basis.",
			 purpose_names[b->purpose]);
		return;
	}
	if (b->pub->basis == POLICY_B_OBLIGATION)
		check_obligation(p, b);
	if (b->pub->basis == POLICY_B_CONSENT)
		check_consent(p, r, b);
	else
		check_no_consent(p, b);
	if (b->purpose == POLICY_DOCUMENTATION)
		check_documentation(p, r, b);
	else
		check_training(p, r, b);
	check_retention(p, r, b);
	check_spans(p, b);
	check_pre_decision(p, r, b);
	check_dtmf(p, r, b);
}
