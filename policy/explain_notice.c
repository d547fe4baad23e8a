/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * explain_notice.c - what is announced, how that is known, what must be said,
 * whether it is, and a text that says it
 */
#include <stdlib.h>
#include <string.h>

#include "explain.h"

static void played(struct explain *e)
{
	char *text = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);

	if (!f)
		return;
	for (const struct word *w = e->r->notice; w; w = w->next) {
		const struct announcement *a = w->obj;

		fprintf(f, "%s%s", w == e->r->notice ? "" : ", ", w->s);
		if (a->language)
			fprintf(f, " (%s)", a->language);
	}
	if (!fclose(f))
		SAY(e, X_NOTICE, text);
	free(text);
}

static void missing(struct explain *e)
{
	static const int what[] = {X_MISS_QUARANTINE, X_MISS_DISCARD, X_MISS_KEEP};
	const struct rule *r = e->r;
	const char *after = explain_seconds(e, r->pub.notice_timeout_s);
	const char *then;

	/* a consent that nobody was asked for is none: there is nothing to lock away */
	if (!r->block[POLICY_DOCUMENTATION].pos.line || r->pub.purpose[POLICY_DOCUMENTATION].basis == POLICY_B_CONSENT)
		then = e->t->say[X_MISS_NOTHING];
	else if (r->pub.on_missing_notice != POLICY_MISSING_QUARANTINE)
		then = e->t->say[what[r->pub.on_missing_notice]];
	else {
		/* the one of these with a hole of its own */
		const char *s = e->t->say[X_MISS_QUARANTINE], *hole = strstr(s, "{1}");

		then = explain_fmt(e, "%.*s%s%s", (int)(hole - s), s,
				   explain_span(e, &r->pub.quarantine), hole + 3);
	}
	SAY(e, r->block[POLICY_TRAINING].pos.line ? X_MISSING : X_MISSING_DOC, after, then);
}

static void proof(struct explain *e)
{
	static const int how[] = {X_PROOF_SOUND, X_PROOF_HEADER, X_PROOF_API, X_PROOF_NONE};

	SAY(e, how[e->r->pub.proof], e->r->pub.proof_header);
	if (e->r->pub.proof != POLICY_PROOF_ATTESTED)
		missing(e);
	if (e->r->sms)
		SAY(e, X_SMS, e->r->sms,
		    e->r->sms_timeout.n
			    ? explain_span(e, &e->r->sms_timeout)
			    : explain_span(e, &(const struct policy_span){10, POLICY_U_MIN}));
}

/* ---- what must be said ---- */

struct must {
	const char *tag; /* without brackets */
	int id, element; /* element: -1 a key */
	const char *key;
	bool optout;
};

static bool says(const struct announcement *a, const struct must *m)
{
	int n = m->optout ? a->noptout_key : a->nkey;
	const char(*k)[POLICY_KEY_MAX] =
		(const char(*)[POLICY_KEY_MAX])(m->optout ? a->optout_key : a->key);

	if (m->element >= 0)
		return a->elements >> m->element & 1;
	for (int i = 0; i < n; i++)
		if (m->key && !strcmp(k[i], m->key))
			return true;
	return false;
}

#define MUST_MAX (EL_N + POLICY_PURPOSES + POLICY_KEYS_MAX)

static size_t what_must_be_said(struct explain *e, struct must m[MUST_MAX])
{
	static const int el_id[] = {X_EL_REC,	 X_EL_DOC,    X_EL_TRAIN,  X_EL_WITHDRAW, X_EL_LINK,
				    X_EL_OBJECT, X_EL_ACCESS, X_EL_OPTOUT, X_EL_THEN};
	static const int order[] = {EL_REC,    EL_DOC,	EL_TRAIN, -1,	     EL_WITHDRAW, -2,
				    EL_OPTOUT, EL_THEN, EL_LINK,  EL_OBJECT, EL_ACCESS};
	const struct policy_block *doc = &e->r->pub.purpose[POLICY_DOCUMENTATION],
				  *t = &e->r->pub.purpose[POLICY_TRAINING];
	bool consent = doc->basis == POLICY_B_CONSENT || t->basis == POLICY_B_CONSENT;
	bool optout = t->basis == POLICY_B_INTEREST && !t->special;
	bool tell = *t->optout_agent_key[0] || t->optout_agent_api || t->optout_agent_header ||
		    !*t->optout_key[0];
	bool need[EL_N] = {
		[EL_REC] = true,       [EL_DOC] = doc->basis,
		[EL_TRAIN] = t->basis, [EL_WITHDRAW] = consent,
		[EL_LINK] = true,      [EL_OBJECT] = doc->basis == POLICY_B_INTEREST || t->special,
		[EL_ACCESS] = true,    [EL_OPTOUT] = optout && tell,
		[EL_THEN] = optout};
	size_t n = 0;

	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		if (order[i] >= 0 && need[order[i]])
			m[n++] = (struct must){element_names[order[i]], el_id[order[i]], order[i],
					       NULL, false};
		for (int k = 0; order[i] == -1 && k < POLICY_PURPOSES; k++)
			if (*e->r->pub.purpose[k].consent_key)
				m[n++] = (struct must){"key", X_EL_KEY, -1,
						       e->r->pub.purpose[k].consent_key, false};
		for (int k = 0;
		     order[i] == -2 && optout && k < POLICY_KEYS_MAX && *t->optout_key[k]; k++)
			m[n++] = (struct must){"optout-key", X_EL_OPTOUT_KEY, -1, t->optout_key[k],
					       true};
	}
	return n;
}

static bool sms_says(const struct must *m)
{
	return m->element == EL_LINK || m->element == EL_OBJECT || m->element == EL_ACCESS ||
	       m->element == EL_WITHDRAW;
}

static void must_say(struct explain *e)
{
	struct must m[MUST_MAX];
	size_t n = what_must_be_said(e, m);
	char *all = explain_list(e, e->r->notice);
	bool complete = true;

	SAY(e, X_MUST_SAY);
	for (size_t i = 0; i < n; i++)
		ITEM(e, m[i].id, m[i].key);
	for (size_t i = 0; i < n; i++)
		for (const struct word *w = e->r->notice; w; w = w->next) {
			const char *tag =
				m[i].key ? explain_fmt(e, "%s:%s", m[i].tag, m[i].key) : m[i].tag;

			if (says(w->obj, &m[i]))
				continue;
			if (e->r->sms && sms_says(&m[i])) {
				if (w == e->r->notice)
					SAY(e, X_BY_SMS, tag);
				continue;
			}
			complete = false;
			SAY(e, X_SAYS_NOT, w->s, tag);
		}
	if (complete && all)
		SAY(e, X_SAYS_ALL, all);
	free(all);
}

static void model(struct explain *e)
{
	const struct policy_block *t = &e->r->pub.purpose[POLICY_TRAINING],
				  *doc = &e->r->pub.purpose[POLICY_DOCUMENTATION];
	const struct announcement *a = e->r->notice->obj;
	const char *link = a->link ? strstr(a->link, "://") : NULL;
	struct policy_template m = {
		.situation = e->r->pub.scenario,
		.lang = e->lang,
		.sms = e->r->sms != NULL,
		.key = *t->consent_key	   ? t->consent_key
		       : *doc->consent_key ? doc->consent_key
					   : NULL,
		.optout_key = *t->optout_key[0] ? t->optout_key[0] : NULL,
		.optout_agent =
			*t->optout_agent_key[0] || t->optout_agent_api || t->optout_agent_header,
	};
	char *text = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);

	if (!f)
		return;
	for (const struct word *w = e->r->notice; w;
	     w = w->next) { /* the page in the language that is spoken */
		const struct announcement *x = w->obj;

		if (x->link && x->language &&
		    !strcmp(x->language, e->lang == POLICY_DA ? "da" : "en"))
			link = strstr(x->link, "://");
	}
	m.link = link ? link + 3 : NULL;
	if (policy_template_print(f, &m)) {
		fclose(f);
		SAY(e, X_NO_MODEL);
	} else if (!fclose(f)) {
		SAY(e, X_MODEL);
		explain_plain(e, 4, "", text);
	}
	free(text);
}

void explain_notice(struct explain *e)
{
	explain_head(e, X_H_NOTICE);
	played(e);
	proof(e);
	must_say(e);
	model(e);
}
