/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * explain.c - one rule in plain English
 *
 * For the person who answers for it: in which situation of the guidance the
 * rule is, what each key does, what silence does, how long what is kept.
 */
#include <errno.h>
#include <string.h>

#include "internal.h"

static void span(FILE *f, const struct policy_span *s)
{
	static const char *const one[] = {"second", "minute", "hour", "day", "month", "year"};

	fprintf(f, "%d %s%s", s->n, one[s->unit], s->n == 1 ? "" : "s");
}

static void keys(FILE *f, const char (*k)[POLICY_KEY_MAX])
{
	for (int i = 0; i < POLICY_KEYS_MAX && *k[i]; i++)
		fprintf(f, "%s%s", i ? " or " : "", k[i]);
}

static const char *situation(const char *s)
{
	static const struct {
		const char *code, *text;
	} all[] = {
		{"A1", "documentation, without consent"},
		{"A2", "documentation, with consent"},
		{"A3", "documentation, because the law demands it"},
		{"B", "training only, with consent"},
		{"C", "training only, without consent; the caller can opt out"},
		{"D", "training only, without consent, in special circumstances"},
		{"E", "documentation without consent, and training with consent"},
		{"F",
		 "documentation and training without consent; the caller can opt out of training"},
		{"G", "documentation and training without consent, in special circumstances"},
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (!strcmp(all[i].code, s))
			return all[i].text;
	return "documentation and training, each on its own basis";
}

static void match(FILE *f, const struct rule *r)
{
	static const int crit[] = {R_CALLED, R_CALLING,	  R_TRUNK, R_SIPDOMAIN, R_HEADER, R_QUEUE,
				   R_AGENT,  R_DIRECTION, R_TIME,  R_MEDIA,	R_TAG};
	const struct controller *c = r->controller->obj;

	fprintf(f, "It records calls in which '%s' is the %s party",
		c->legal_name ? c->legal_name : c->o.name,
		r->pub.side == POLICY_SIDE_CALLED ? "called" : "calling");
	fputs(" and all of this is so:\n", f);
	for (size_t i = 0; i < sizeof(crit) / sizeof(crit[0]); i++)
		if (r->at[crit[i]].line)
			rule_print_setting(f, r, crit[i], "    ");
	if (r->time)
		fprintf(f, "  Times are those of %s.\n", c->pub.timezone);
	if (c->pub.lab)
		fputs("  This is a laboratory's rule: it is for capture files and never matches "
		      "live traffic.\n",
		      f);
}

static void notice(FILE *f, const struct rule *r)
{
	static const char *const proof[] = {
		"its own sound is recognised in the call", "a SIP header says that it was played",
		"the call centre reports that it was played",
		"nobody checks it: the controller promises that it is played"};

	fputs("The announcement: ", f);
	for (const struct word *w = r->notice; w; w = w->next)
		fprintf(f, "%s%s", w == r->notice ? "" : ", ", w->s);
	fprintf(f, "; %s.\n", proof[r->pub.proof]);
	if (r->pub.proof == POLICY_PROOF_ATTESTED)
		return;
	fprintf(f, "  Not proven %d s after the answer: no training;", r->pub.notice_timeout_s);
	if (!r->block[POLICY_DOCUMENTATION].pos.line)
		fputs(" nothing is kept.\n", f);
	else if (r->pub.on_missing_notice == POLICY_MISSING_QUARANTINE) {
		fputs(" documentation is locked away for ", f);
		span(f, &r->pub.quarantine);
		fputs(", then erased unless compliance confirms that it was heard.\n", f);
	} else {
		fputs(r->pub.on_missing_notice == POLICY_MISSING_KEEP
			      ? " documentation is kept, with an alarm.\n"
			      : " documentation is erased.\n",
		      f);
	}
}

static void window(FILE *f, const struct policy_window *w)
{
	if (w->from_answer)
		fprintf(f, "from %d s to %d s after the answer", w->from_s, w->to_s);
	else
		fprintf(f, "from %d s after the announcement begins to %d s after it ends",
			w->from_s, w->to_s);
}

static void consent(FILE *f, const struct rule *r, const struct block *b)
{
	const struct policy_block *x = b->pub;
	bool alone = !r->block[!b->purpose].pos.line;
	const char *doc = b->purpose == POLICY_DOCUMENTATION ? "documentation" : "training";

	if (*x->consent_key) {
		fprintf(f, "  Key %s from the caller's side means yes to %s, if pressed ",
			x->consent_key, doc);
		window(f, &x->window);
		fprintf(f, ".\n");
	}
	if (b->consent_api)
		fputs("  The call centre can report the caller's yes.\n", f);
	if (b->consent_header)
		fprintf(f, "  The SIP header %s can carry the caller's yes.\n", b->consent_header);
	fprintf(f, "  Silence means no. So does any other key, and hanging up: %s.\n",
		alone ? "then nothing is recorded" : "then the call is not used for this purpose");
	if (alone)
		fputs("  Recording starts at the yes, not one moment earlier.\n", f);
	else if (b->purpose == POLICY_TRAINING)
		fprintf(f, "  A yes covers %s.\n",
			x->training_from_press ? "the call from the key on" : "the whole call");
	fprintf(f, "  Withdrawing is always possible%s%s%s: then %s.\n",
		*x->withdraw_key ? " (key " : "", x->withdraw_key,
		*x->withdraw_key ? " in the call, or later)" : " later",
		alone ? "the recording is erased" : "it is no longer used for this purpose");
}

static void opt_out(FILE *f, const struct rule *r, const struct block *b)
{
	const struct policy_block *x = b->pub;
	bool alone = !r->block[POLICY_DOCUMENTATION].pos.line;

	fputs("  Silence means that the call may be used for training, because there is an "
	      "opt-out:\n",
	      f);
	if (*x->optout_key[0]) {
		fputs("    the caller presses ", f);
		keys(f, x->optout_key);
		fputs(", at any time of the call;\n", f);
	}
	if (*x->optout_agent_key[0]) {
		fputs("    the caller says so and the agent presses ", f);
		keys(f, x->optout_agent_key);
		fputs(";\n", f);
	}
	if (x->optout_agent_api || x->optout_agent_header)
		fputs("    the caller says so and the agent's program reports it;\n", f);
	if (alone) {
		fputs("  then recording stops and all of the call is destroyed", f);
		if (x->callback_unrecorded.n) {
			fputs("; the caller can be rung back unrecorded for ", f);
			span(f, &x->callback_unrecorded);
		}
		fputs(".\n", f);
	} else {
		fputs("  then it is not used for training; documentation goes on.\n", f);
	}
	if (x->on_loss != 1)
		fputs("  If packets were lost so that an opt-out may have been missed, there is no "
		      "training.\n",
		      f);
}

static void amount(FILE *f, const struct policy_block *x)
{
	static const char *const of[] = {"", " per queue", " per agent"};

	fprintf(f, "  Amount: %d.%d %% of the calls", x->sample_permille / 10,
		x->sample_permille % 10);
	for (int i = 0; i < x->ncap; i++)
		fprintf(f, ", at most %d%s per %s", x->cap[i].n, of[x->cap[i].of],
			per_names[x->cap[i].per]);
	fprintf(f, "%s. A call that is not drawn is not recorded for training at all.\n",
		x->spread_first_come ? " (first come)" : ", spread evenly");
	fputs("  A recording that nobody used within ", f);
	span(f, &x->use_within);
	fprintf(f, " is erased; target: %d %% are used.\n", x->use_target_percent);
}

static void purpose(FILE *f, const struct rule *r, const struct block *b)
{
	const struct policy_block *x = b->pub;
	bool doc = b->purpose == POLICY_DOCUMENTATION;

	fprintf(f, "%s, by %s", doc ? "Documentation" : "Training", basis_names[x->basis]);
	if (x->statute)
		fprintf(f, " (%s)", x->statute);
	if (x->assessment)
		fprintf(f, "; assessment %s", x->assessment);
	fputs(".\n", f);
	if (x->basis == POLICY_B_CONSENT)
		consent(f, r, b);
	else if (x->special)
		fprintf(f,
			"  Special circumstances: %s\n  No key and no silence stops it; an "
			"objection with particular grounds does.\n",
			x->special_ground);
	else if (!doc)
		opt_out(f, r, b);
	else
		fprintf(f, "  Recorded %s; no key changes that, and silence neither.%s\n",
			r->pub.record_early_media ? "from the first sound" : "from the answer",
			x->basis == POLICY_B_OBLIGATION ? ""
							: " Whoever objects gets a decision on "
							  "that call; meanwhile nobody plays it.");
	if (!doc)
		amount(f, x);
	fputs("  Erased ", f);
	span(f, &x->retention);
	fprintf(f, " after the call began, by the calendar of %s",
		((const struct controller *)r->controller->obj)->pub.timezone);
	fprintf(f, "%s%s.\n", x->retention_reason ? "; reason: " : "",
		x->retention_reason ? x->retention_reason : "");
	for (const struct role *k = r->roles; k; k = k->next) {
		if (k->purpose != b->purpose)
			continue;
		fputs("  May be played by: ", f);
		for (const struct word *w = k->names; w; w = w->next)
			fprintf(f, "%s%s", w == k->names ? "" : ", ", w->s);
		fputs(".\n", f);
	}
}

static void pauses(FILE *f, const struct rule *r)
{
	for (const struct sensitive *s = r->sensitive; s; s = s->next)
		fprintf(f, "Sensitive: %s%s%s.\n", s->category, s->basis ? ", by " : "",
			s->basis ? s->basis : "");
	if (*r->pub.pause_key)
		fprintf(f, "The agent pauses the recording with %s%s%s; the gap exists nowhere.\n",
			r->pub.pause_key, *r->pub.resume_key ? " and resumes with " : "",
			r->pub.resume_key);
	if (*r->pub.pause_key || r->pause_api || r->pause_header) {
		fputs("A pause ends after ", f);
		span(f, &r->pub.pause_max);
		fprintf(f, ": %s.\n",
			r->pause_stop ? "the recording stops, with an alarm"
				      : "the recording goes on");
	}
	if (r->pub.mute_dtmf)
		fputs("Key presses sent as events are not stored; tones in the sound are not silenced yet.\n", f);
	fputs("Calls shorter than ", f);
	span(f, &r->pub.min_length);
	fputs(" are not kept, longer ones than ", f);
	span(f, &r->pub.max_length);
	fputs(" are cut.\n", f);
}

int policy_explain(FILE *f, const struct policy *p, const struct policy_rule *pub)
{
	static const char *const missed[] = {"nothing more is recorded by this rule",
					     "it goes on with consent only",
					     "it goes on, with an alarm"};
	const struct rule *r = NULL;

	for (size_t i = 0; i < p->rules.n && !r; i++)
		if (&p->rule_array[i]->pub == pub)
			r = p->rule_array[i];
	if (!r)
		return -ENOENT;
	fprintf(f, "Rule \"%s\" (%s:%d)\n", pub->name, pub->file, pub->line);
	fprintf(f, "Situation %s: %s.\n", pub->scenario, situation(pub->scenario));
	match(f, r);
	notice(f, r);
	for (int i = 0; i < POLICY_PURPOSES; i++)
		if (r->block[i].pos.line)
			purpose(f, r, &r->block[i]);
	pauses(f, r);
	fprintf(f, "Answers for it: %s. Review by %04d-%02d-%02d; if it is missed, %s.\n",
		pub->owner, pub->review.year, pub->review.month, pub->review.day,
		missed[pub->on_review_missed]);
	return ferror(f) ? -EIO : 0;
}
