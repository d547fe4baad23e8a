/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lint_notice.c - announcements: what they must say in the situation that
 * follows from the rule (guidance, chapter 4), and the files they name
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "lint.h"

#define TEXT_MAX       65536
#define BYTES_A_SECOND 8000 /* G.711; longer for every other form */
#define AUDIO_MIN_S    3

/* ---- the announcement by itself ---- */

static void check_tag(struct policy *p, const struct announcement *a, const char *text,
		      const char *tag)
{
	char t[40];

	snprintf(t, sizeof(t), "[%s]", tag);
	if (!strstr(text, t))
		diag_add(p, a->at[A_TEXT], "L-81", "N-61: what is listed is said.",
			 "put the tag where the text says it.", "the text of '%s' has no %s.",
			 a->o.name, t);
}

/* A text with tags must have all of them; whether a text without any says what is listed only a person can see. */
static void check_tags(struct policy *p, const struct announcement *a, const char *text)
{
	char tag[32];
	bool any = strstr(text, "[rec]") || strstr(text, "[doc]") || strstr(text, "[train]");

	if (!any) {
		if (a->elements || a->nkey || a->noptout_key)
			diag_add(p, a->at[A_TEXT], "W-24", NULL, NULL, "nothing in the text of '%s' shows where it says what its elements list.",
				 a->o.name);
		return;
	}
	for (int i = 0; i < EL_N; i++)
		if (a->elements & 1u << i)
			check_tag(p, a, text, element_names[i]);
	for (int i = 0; i < a->nkey; i++) {
		snprintf(tag, sizeof(tag), "key:%s", a->key[i]);
		check_tag(p, a, text, tag);
	}
	for (int i = 0; i < a->noptout_key; i++) {
		snprintf(tag, sizeof(tag), "optout-key:%s", a->optout_key[i]);
		check_tag(p, a, text, tag);
	}
}

static void check_text_file(struct policy *p, const struct announcement *a)
{
	char *path, *text;
	FILE *f;

	if (!check_file(p, a->text_file, "text", &path) || !path)
		return;
	text = calloc(1, TEXT_MAX + 1);
	f = fopen(path, "re");
	if (!text)
		p->oom = true;
	else if (f && fread(text, 1, TEXT_MAX, f) > 0)
		check_tags(p, a, text);
	if (f)
		fclose(f);
	free(text);
	free(path);
}

static void check_link(struct policy *p, const struct announcement *a)
{
	static const char *const general[] = {"privacy", "privatliv",  "cookie",
					      "gdpr",	 "persondata", NULL};
	const char *path = strstr(a->link, "://");

	if (!path || (strncasecmp(a->link, "https://", 8) && strncasecmp(a->link, "http://", 7))) {
		diag_add(p, a->at[A_LINK], "L-80", "N-33: a direct link to the page on call recording.",
			 "link https://www.example.dk/call-recording", "this is no address of a page.");
		return;
	}
	if (a->link_specific)
		return;
	path = path ? strchr(path + 3, '/') : NULL;
	for (int i = 0; path && general[i]; i++)
		if (strcasestr(path, general[i]))
			path = NULL;
	if (!path || !path[1])
		diag_add(p, a->at[A_LINK], "W-01",
			 "N-34: the general privacy policy is normally not enough.",
			 "link to a page on call recording, or link-is-specific yes.",
			 "the link does not look like a page on call recording.");
}

void check_announcement(struct policy *p, struct announcement *a)
{
	if (!a->language)
		diag_add(p, a->o.pos, "L-84", "N-31", "language da",
			 "the announcement has no language.");
	else if (!language_ok(a->language))
		diag_add(p, a->at[A_LANGUAGE], "L-01", NULL, "language da",
			 "a language is two or three small letters (ISO 639).");
	if (!a->text && !a->text_file)
		diag_add(p, a->o.pos, "L-08", "R-32: what was said is kept with the call.",
			 "text file \"...\", or text \"...\".", "the announcement has no text.");
	if (a->text)
		check_tags(p, a, a->text);
	if (a->text_file)
		check_text_file(p, a);
	if (a->link)
		check_link(p, a);
	if (a->from.year && a->until.year && date_cmp(&a->from, &a->until) > 0)
		diag_add(p, a->at[A_UNTIL], "L-10", NULL, NULL,
			 "the announcement ends before it begins.");
}

/* ---- in a rule ---- */

static void lacks(struct policy *p, const struct word *w, const char *code, const char *why,
		  const char *tag)
{
	diag_add(p, w->at, code, why, "say it, and name the element.",
		 "the announcement '%s' lacks [%s].", w->s, tag);
}

static void too_much(struct policy *p, const struct word *w, const char *code, const char *why,
		     const char *tag)
{
	diag_add(p, w->at, code, why, "another announcement, or another rule.",
		 "the announcement '%s' says [%s], which is not so in this rule.", w->s, tag);
}

static bool says(const struct announcement *a, int element)
{
	return a->elements >> element & 1;
}

static void check_purposes_said(struct policy *p, const struct rule *r, const struct word *w,
				const struct announcement *a)
{
	static const int el[] = {EL_DOC, EL_TRAIN};

	if (!says(a, EL_REC))
		lacks(p, w, r->sms ? "L-80" : "L-81", "N-31, N-37: it says that it records.",
		      "rec");
	for (int i = 0; i < POLICY_PURPOSES; i++) {
		bool has = r->block[i].pos.line != 0;

		if (has && !says(a, el[i]))
			lacks(p, w, r->sms ? "L-80" : "L-82", "N-31, N-37: every purpose is named.",
			      element_names[el[i]]);
		else if (!has && says(a, el[i]))
			too_much(p, w, "L-82",
				 "N-31: the announcement names the purposes there are.",
				 element_names[el[i]]);
	}
}

static void check_consent_said(struct policy *p, const struct rule *r, const struct word *w,
			       const struct announcement *a)
{
	bool consent = false;
	char tag[32];

	for (int i = 0; i < POLICY_PURPOSES; i++) {
		const struct policy_block *b = &r->pub.purpose[i];

		if (b->basis != POLICY_B_CONSENT)
			continue;
		consent = true;
		if (!*b->consent_key ||
		    key_in(b->consent_key, (const char(*)[POLICY_KEY_MAX])a->key))
			continue;
		snprintf(tag, sizeof(tag), "key:%s", b->consent_key);
		lacks(p, w, a->nkey ? "L-83" : "L-81",
		      "S-B, S-E: the key that is announced is the key that counts.", tag);
	}
	for (int i = 0; i < a->nkey; i++) {
		bool known = false;

		for (int k = 0; k < POLICY_PURPOSES; k++)
			known |= r->pub.purpose[k].basis == POLICY_B_CONSENT &&
				 !strcmp(a->key[i], r->pub.purpose[k].consent_key);
		snprintf(tag, sizeof(tag), "key:%s", a->key[i]);
		if (!known)
			too_much(p, w, consent ? "L-83" : "L-81",
				 "S-B, S-E: an announced key must work.", tag);
	}
	if (consent && !says(a, EL_WITHDRAW) && !r->sms)
		lacks(p, w, "L-26", "N-19: whoever consents learns how to withdraw.", "withdraw");
	if (!consent && says(a, EL_WITHDRAW))
		too_much(p, w, "L-81", "N-61: without consent there is nothing to withdraw.",
			 "withdraw");
}

static void check_optout_said(struct policy *p, const struct rule *r, const struct word *w,
			      const struct announcement *a)
{
	const struct policy_block *t = &r->pub.purpose[POLICY_TRAINING];
	bool agent = *t->optout_agent_key[0] || t->optout_agent_api || t->optout_agent_header;
	bool said = says(a, EL_OPTOUT) || a->noptout_key;

	if (!training_opt_out(r)) {
		if (said || says(a, EL_THEN))
			too_much(p, w, "L-81", "N-61: no opt-out is promised that does not exist.",
				 said ? "optout" : "then");
		return;
	}
	if (!said)
		lacks(p, w, "L-32", "N-61: the opt-out is in the announcement.", "optout");
	if (!says(a, EL_THEN))
		lacks(p, w, "L-32", "N-61: so is what then happens.", "then");
	if (says(a, EL_OPTOUT) && !agent)
		diag_add(p, w->at, "L-31",
			 "N-41, S-C, S-F: [optout] says \"tell us\", so the agent must be able to "
			 "act.",
			 "opt-out agent key *7, or opt-out agent api.",
			 "the announcement '%s' promises an opt-out by telling us, and the rule "
			 "has none.",
			 w->s);
	for (int i = 0; i < a->noptout_key; i++)
		if (!key_in(a->optout_key[i], (const char(*)[POLICY_KEY_MAX])t->optout_key))
			diag_add(p, w->at, "L-31", "N-41: every path that is promised exists.",
				 "opt-out key, the one that is announced.",
				 "the announcement '%s' promises an opt-out by a key that the rule "
				 "lacks.",
				 w->s);
	for (int i = 0; i < POLICY_KEYS_MAX && *t->optout_key[i]; i++)
		if (!key_in(t->optout_key[i], (const char(*)[POLICY_KEY_MAX])a->optout_key)) {
			diag_add(p, w->at, "W-17", "N-61",
				 "say it, and name the element optout-key.",
				 "the announcement '%s' does not mention the opt-out key.", w->s);
			break;
		}
}

static void check_rights_said(struct policy *p, const struct rule *r, const struct word *w,
			      const struct announcement *a)
{
	bool object = r->pub.purpose[POLICY_DOCUMENTATION].basis == POLICY_B_INTEREST ||
		      r->pub.purpose[POLICY_TRAINING].special;

	if (r->sms)
		return; /* the message says these (N-36) */
	if (!says(a, EL_LINK) || !a->link)
		diag_add(p, w->at, "L-80", "N-33: a direct link to the page on call recording.",
			 "link https://... and the element link.",
			 "the announcement '%s' has no link.", w->s);
	if (object && !says(a, EL_OBJECT))
		lacks(p, w, "L-81", "N-61: the right to object.", "object");
	if (!object && says(a, EL_OBJECT))
		too_much(p, w, "L-81", "N-61", "object");
	if (!says(a, EL_ACCESS))
		lacks(p, w, "L-81", "N-61: the right of access.", "access");
}

static void check_audio(struct policy *p, const struct rule *r, const struct word *w,
			const struct announcement *a)
{
	struct stat st;
	char *path;

	if (!a->audio_files && r->pub.proof == POLICY_PROOF_FINGERPRINT)
		diag_add(p, w->at, "L-85", "R-31: the notice is proven by its own sound.",
			 "audio file \"...\" in the announcement, or another notice-proof.",
			 "the announcement '%s' has no audio to recognise.", w->s);
	for (const struct word *f = a->audio_files; f; f = f->next) {
		if (!check_file(p, f, "audio", &path) || !path)
			continue;
		if (r->pub.proof == POLICY_PROOF_FINGERPRINT && !stat(path, &st) &&
		    st.st_size < AUDIO_MIN_S * BYTES_A_SECOND)
			diag_add(p, f->at, "L-85", "R-31", NULL, "the audio is shorter than %d s.",
				 AUDIO_MIN_S);
		free(path);
	}
}

static bool valid_together(const struct announcement *a, const struct announcement *b)
{
	return !(a->until.year && b->from.year && date_cmp(&a->until, &b->from) < 0) &&
	       !(b->until.year && a->from.year && date_cmp(&b->until, &a->from) < 0);
}

/* Its last day is past, or its first to come; a laboratory's dates bind nobody. */
static bool not_valid(const struct policy *p, const struct controller *c, const struct announcement *a)
{
	struct policy_date today;

	today_date(p, &today);
	return !c->pub.lab && ((a->until.year && date_cmp(&a->until, &today) < 0) ||
			       (a->from.year && date_cmp(&a->from, &today) > 0));
}

static void check_languages(struct policy *p, const struct rule *r)
{
	const struct controller *c = rule_controller(r);

	for (const struct word *l = c ? c->languages : NULL; l; l = l->next) {
		bool found = false;

		for (const struct word *w = r->notice; w; w = w->next) {
			const struct announcement *a = w->obj;

			found |= !a || a->o.bad ||
				 (a->language && !strcmp(a->language, l->s) && !not_valid(p, c, a));
		}
		if (!found)
			diag_add(p, r->at[R_NOTICE], "L-84", "N-31",
				 "add the announcement in this language.",
				 "no announcement in '%s', a language of '%s', is there and valid today.", l->s,
				 c->o.name);
	}
	for (const struct word *w = r->notice; w; w = w->next)
		for (const struct word *v = r->notice; v != w; v = v->next) {
			const struct announcement *a = w->obj, *b = v->obj;

			if (a && b && a->language && b->language &&
			    !strcmp(a->language, b->language) && valid_together(a, b))
				diag_add(
					p, w->at, "W-16", NULL,
					"valid-from and valid-until tell them apart.",
					"'%s' and '%s' are valid at the same time in one language.",
					v->s, w->s);
		}
}

void check_notice(struct policy *p, struct rule *r)
{
	if (!r->notice) {
		diag_add(p, r->o.pos, "L-80", "N-31: whoever is recorded is told.", "notice NAME",
			 "the rule has no announcement.");
		return;
	}
	if (r->pub.proof == POLICY_PROOF_ATTESTED)
		diag_add(p, r->at[R_PROOF], "W-10", "R-31: it is a promise, not a proof.",
			 "notice-proof fingerprint, header or api.",
			 "nobody checks that the notice was played.");
	if (r->at[R_ON_MISSING].line && r->pub.on_missing_notice == POLICY_MISSING_KEEP &&
	    r->pub.purpose[POLICY_DOCUMENTATION].basis != POLICY_B_OBLIGATION)
		diag_add(p, r->at[R_ON_MISSING], "L-85",
			 "R-31: who was not told is not recorded, unless a statute demands it.",
			 "on-missing-notice quarantine, or discard.",
			 "keep is for documentation by obligation only.");
	for (const struct word *w = r->notice; w; w = w->next) {
		const struct announcement *a = w->obj;

		if (!a || a->o.bad)
			continue;
		check_purposes_said(p, r, w, a);
		check_consent_said(p, r, w, a);
		check_optout_said(p, r, w, a);
		check_rights_said(p, r, w, a);
		check_audio(p, r, w, a);
	}
	check_languages(p, r);
}
