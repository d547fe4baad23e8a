/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * effective.c - a rule with every default filled in
 *
 * What was written, or came from `defaults`, the tables print. Of the built-in
 * values this file says which have a meaning in a rule; those that lint.c does
 * not put into the tree are spelt here.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "effective.h"
#include "lint.h"

struct tell {
	const struct policy *p;
	const struct rule *r;
	void (*fn)(void *arg, const struct policy_effective *e);
	void *arg;
	int err;
};

static void emit(struct tell *t, const char *block, const char *setting, const char *text,
		 enum policy_source source, const struct pos *at)
{
	t->fn(t->arg, &(const struct policy_effective){
			      .block = block,
			      .setting = setting,
			      .text = text,
			      .source = source,
			      .file = source == POLICY_BUILT_IN ? NULL : t->p->src[at->file].name,
			      .line = source == POLICY_BUILT_IN ? 0 : at->line,
		      });
}

/* What the tables print of it; obj is the rule or a block. */
static void emit_printed(struct tell *t, const struct table *table, int id, const void *obj,
			 const char *block, enum policy_source source, const struct pos *at)
{
	char *text = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);

	if (!f) {
		t->err = -ENOMEM;
		return;
	}
	table_print_setting(f, table, id, obj);
	if (fclose(f)) {
		t->err = -ENOMEM;
	} else {
		if (n && text[n - 1] == '\n')
			text[n - 1] = 0;
		emit(t, block, table->s[id].name, text, source, at);
	}
	free(text);
}

/* ---- built-in values ---- */

static bool can_pause(const struct rule *r)
{
	return *r->pub.pause_key || r->pause_api || r->pause_header;
}

/* "" what the tree holds; NULL nothing that has a meaning here; else the statement. */
static const char *built_in_rule(const struct rule *r, int id, char *buf, size_t n)
{
	bool doc = r->block[POLICY_DOCUMENTATION].pos.line;

	switch (id) {
	case R_ON_REVIEW:
	case R_PROOF:
	case R_MUTE:
	case R_MUSIC:
	case R_EXCLUDE:
	case R_EARLY:
	case R_MIN:
	case R_MAX:
	case R_ZSTD:
	case R_DECISION:
	case R_PLAY_REASON:
		return "";
	case R_TIMEOUT:
		return r->pub.proof != POLICY_PROOF_ATTESTED ? "" : NULL;
	case R_ON_MISSING:
		return doc && r->pub.proof != POLICY_PROOF_ATTESTED ? "" : NULL;
	case R_PAUSE_MAX:
		snprintf(buf, n, "pause-max %d %s %s", r->pub.pause_max.n,
			 unit_names[r->pub.pause_max.unit], r->pause_stop ? "stop" : "resume");
		return can_pause(r) ? buf : NULL;
	case R_KEYS:
		return "keys bucket day";
	case R_ALARM:
		return "alarm on";
	default:
		return NULL;
	}
}

/* ways: of all purposes, as they are listened to */
static const char *built_in_consent(const struct policy_block *x, unsigned ways, bool both, int id)
{
	switch (id) {
	case B_WINDOW:
		return *x->consent_key ? "" : NULL;
	case B_PREDECISION:
		return both ? NULL : ways & POLICY_DTMF_INBAND ? "pre-decision inspect" : "pre-decision block";
	case B_TRAINING_FROM:
		return both ? "" : NULL;
	default:
		return NULL;
	}
}

static const char *built_in_opt_out(bool both, int id)
{
	switch (id) {
	case B_ON_OPTOUT:
		return "on-opt-out stop";
	case B_ON_OBJECTION:
		return "on-objection stop";
	case B_ON_LOSS:
		return "on-loss deny";
	case B_PREDECISION:
		return both ? NULL : "pre-decision hold";
	default:
		return NULL;
	}
}

static const char *built_in_block(const struct rule *r, const struct block *b, int id)
{
	const struct policy_block *x = b->pub;
	bool training = b->purpose == POLICY_TRAINING, both = r->block[!b->purpose].pos.line;
	bool optout = training && training_opt_out(r);
	const char *text = NULL;

	if (x->basis == POLICY_B_CONSENT)
		text = built_in_consent(x, r->pub.purpose[0].dtmf | r->pub.purpose[1].dtmf, both && training, id);
	else if (optout)
		text = built_in_opt_out(both, id);
	else if (!training && id == B_ON_OBJECTION)
		text = "on-objection continue-restricted";
	if (text)
		return text;
	switch (id) {
	case B_RETENTION:
	case B_COMMIT:
		return "";
	case B_DTMF:
		return *x->consent_key || *x->optout_key[0] || *x->optout_agent_key[0] ||
				       *x->withdraw_key
			       ? ""
			       : NULL;
	case B_SPREAD:
	case B_SEED:
	case B_USE_WITHIN:
		return training ? "" : NULL;
	case B_USE_TARGET:
		return training ? "" : NULL;
	case B_NOT_NEEDED:
		return !training && x->basis != POLICY_B_OBLIGATION ? "" : NULL;
	case B_WORM:
		return !training ? "" : NULL;
	default:
		return NULL;
	}
}

/* ---- one after the other ---- */

static void tell_block(struct tell *t, const struct block *b)
{
	const struct rule *d = t->p->defaults;
	const char *block = purpose_names[b->purpose], *text;

	for (int id = 0; id < block_table.n; id++) {
		const struct pos *at = &b->at[id], *dat = d ? &d->block[b->purpose].at[id] : NULL;

		if (at->line)
			emit_printed(t, &block_table, id, b, block, POLICY_WRITTEN, at);
		else if (dat && dat->line)
			emit_printed(t, &block_table, id, b, block, POLICY_FROM_DEFAULTS, dat);
		else if ((text = built_in_block(t->r, b, id)) && *text)
			emit(t, block, block_table.s[id].name, text, POLICY_BUILT_IN, NULL);
		else if (text)
			emit_printed(t, &block_table, id, b, block, POLICY_BUILT_IN, NULL);
	}
}

static void tell_setting(struct tell *t, int id)
{
	const struct rule *r = t->r, *d = t->p->defaults;
	char buf[64];
	const char *text;

	if (id == R_PAUSE_MAX && r->at[id].line && (text = built_in_rule(r, id, buf, sizeof(buf))))
		emit(t, NULL, rule_table.s[id].name, text, POLICY_WRITTEN,
		     &r->at[id]); /* with its end */
	else if (r->at[id].line)
		emit_printed(t, &rule_table, id, r, NULL, POLICY_WRITTEN, &r->at[id]);
	else if (d && d->at[id].line && rule_table.s[id].flags & S_DEFAULT)
		emit_printed(t, &rule_table, id, r, NULL, POLICY_FROM_DEFAULTS, &d->at[id]);
	else if ((text = built_in_rule(r, id, buf, sizeof(buf))) && *text)
		emit(t, NULL, rule_table.s[id].name, text, POLICY_BUILT_IN, NULL);
	else if (text)
		emit_printed(t, &rule_table, id, r, NULL, POLICY_BUILT_IN, NULL);
}

int policy_effective(const struct policy *p, const struct policy_rule *pub,
		     void (*tell)(void *arg, const struct policy_effective *e), void *arg)
{
	struct tell t = {.p = p, .fn = tell, .arg = arg};

	for (size_t i = 0; i < p->rules.n && !t.r; i++)
		if (&p->rule_array[i]->pub == pub)
			t.r = p->rule_array[i];
	if (!t.r)
		return -ENOENT;
	for (int id = 0; id < rule_table.n; id++) {
		if (id != R_DOCUMENTATION && id != R_TRAINING)
			tell_setting(&t, id);
		else if (t.r->block[id == R_TRAINING].pos.line)
			tell_block(&t, &t.r->block[id == R_TRAINING]);
	}
	return t.err;
}
